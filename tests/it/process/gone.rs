//! The words of a start and of a check about a data directory of which a part is gone: nothing acknowledged vanishes silently.

use super::{ADMIN_TOKEN, Process, hookwell};
use crate::store::embedded::copy;
use hookwell::simulator::Organization;
use std::{fs, path::Path, process::Output};

/// The outcome of a start.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Start {
    /// The gateway has everything.
    Whole,
    /// The gateway has the connections, and says which records are gone.
    Names,
    /// The gateway does not start, and says why.
    Refuses(&'static str),
}
use Start::{Names, Refuses, Whole};

const DAMAGED: Start = Refuses("restore the directory from a backup");
const KEY: Start = Refuses("master.key");

/// Removed; what the start does; what the check says, where it is not all in order.
const CASES: [(&[&str], Start, &str); 18] = [
    (&[], Whole, ""),
    (&["state"], Whole, ""),
    (&["marks"], Whole, "marks"),
    (&["marks", "state"], Whole, "marks"),
    (&["journal"], Names, "the whole journal is missing"),
    (&["journal", "marks"], DAMAGED, "restore the directory from a backup"),
    (&["journal", "state"], DAMAGED, "restore the directory from a backup"),
    (&["journal", "marks", "state"], DAMAGED, "restore the directory from a backup"),
    (&["master.key"], KEY, "master.key"),
    (&["master.key", "state"], KEY, "master.key"),
    (&["master.key", "marks"], KEY, "master.key"),
    (&["master.key", "marks", "state"], KEY, "master.key"),
    (&["master.key", "journal"], KEY, "master.key"),
    (&["master.key", "journal", "marks"], DAMAGED, "restore the directory from a backup"),
    (&["master.key", "journal", "state"], DAMAGED, "restore the directory from a backup"),
    (&["master.key", "journal", "marks", "state"], DAMAGED, "restore the directory from a backup"),
    (&["format", "journal", "marks"], DAMAGED, "restore the directory from a backup"),
    (&["format", "master.key", "journal", "marks"], DAMAGED, "restore the directory from a backup"),
];

fn check(dir: &Path) -> Output {
    hookwell(&["check", "--listen", "127.0.0.1:1", "--data-dir", dir.to_str().unwrap()]).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test]
async fn whatever_is_gone_from_a_data_directory_is_said_by_the_start_and_by_the_check() {
    let original = tempfile::tempdir().unwrap();
    let process = Process::start(original.path(), &[]);
    let hook = process.connect().await;
    let mut office = Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap());
    for _ in 0..3 {
        assert_eq!(hook.deliver(&process, &office.push("main")).await.unwrap().status(), 200);
    }
    process.idle().await;
    let events = process.json("/v1/events").await["data"].as_array().unwrap().len();
    assert_eq!(process.stop(), Some(0));

    for (removed, start, word) in CASES {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        for name in removed {
            let path = dir.path().join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let names = || {
            let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = names();
        let output = check(dir.path());
        let text = said(&output);
        assert_eq!(output.status.code(), Some(i32::from(!word.is_empty())), "check without {removed:?}: {text}");
        assert!(text.contains(word), "check without {removed:?}: {text}");
        assert_eq!(names(), before, "check without {removed:?} made something");

        if let Refuses(word) = start {
            // Not only once.
            for _ in 0..2 {
                let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.path().to_str().unwrap()];
                let output = hookwell(&serve).env("HOOKWELL_ADMIN_TOKEN", ADMIN_TOKEN).output().unwrap();
                let text = said(&output);
                assert_eq!(output.status.code(), Some(1), "start without {removed:?}: {text}");
                assert!(text.contains(word), "start without {removed:?}: {text}");
                assert_eq!(dir.path().join("master.key").exists(), !removed.contains(&"master.key"));
            }
            continue;
        }
        let process = Process::start(dir.path(), &[]);
        let page = process.json("/v1/events").await;
        let left_out: u64 =
            page["left_out"].as_array().into_iter().flatten().map(|one| one["count"].as_u64().unwrap()).sum();
        let kept = page["data"].as_array().unwrap().len();
        assert_eq!(kept + usize::try_from(left_out).unwrap(), events, "without {removed:?}: {page}");
        assert_eq!(left_out > 0, start == Names, "without {removed:?}: {page}");
        assert_eq!(process.json("/v1/connections").await["data"].as_array().unwrap().len(), 1);
        let ready = process.json("/readyz").await.to_string();
        assert!(!removed.contains(&"marks") || ready.contains("marks"), "without {removed:?}: {ready}");
        let attention = process.json("/v1/integration").await["attention"].to_string();
        assert_eq!(attention.contains("store_damaged"), start == Names, "without {removed:?}: {attention}");
        assert_eq!(hook.deliver(&process, &office.push("main")).await.unwrap().status(), 200);
        assert_eq!(process.stop(), Some(0));
    }
}
