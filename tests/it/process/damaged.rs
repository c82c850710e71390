//! A gateway whose journal was damaged while it was down: it says what is missing, and everything else goes on.

use super::{Process, hookwell};
use crate::store::embedded::{noise, small_segments};
use hookwell::{
    simulator::Organization,
    store::{Entry, Journal as _, Log, Store as _, embedded::EmbeddedStore},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};
use uuid::Uuid;

#[tokio::test]
async fn what_the_disk_lost_is_named_and_everything_else_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let hook = process.connect().await;
    let mut office = Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap());
    let mut accepted = BTreeSet::new();
    for _ in 0..40 {
        let answer: serde_json::Value =
            hook.deliver(&process, &office.push("main")).await.unwrap().json().await.unwrap();
        accepted.insert(answer["notification"].as_str().unwrap().to_owned());
    }
    process.idle().await;
    process.kill();

    let segment = fs::read_dir(folder.path().join("journal")).unwrap().map(|file| file.unwrap().path()).max().unwrap();
    let file = File::options().read(true).write(true).open(&segment).unwrap();
    let len = file.metadata().unwrap().len();
    for at in [len / 2, len / 3 * 2] {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x20], at).unwrap();
    }
    drop(file);

    let process = Process::start(folder.path(), &[]);
    process.idle().await;
    let (mut left_out, mut kept) = (0, BTreeSet::new());
    for list in ["notifications", "events"] {
        let page = process.json(&format!("/v1/{list}?limit=1000")).await;
        for stretch in page["left_out"].as_array().into_iter().flatten() {
            left_out += stretch["count"].as_u64().unwrap();
            assert!(stretch["cause"].as_str().unwrap().contains(".segment"), "{page}");
        }
        if list == "notifications" {
            kept.extend(page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()));
            let missing = accepted.difference(&kept).count() as u64;
            assert_eq!(missing, left_out, "a notification is missing without a word");
        }
    }
    assert!(left_out > 0);
    let integration = process.json("/v1/integration").await;
    let attention = integration["attention"].as_array().unwrap();
    let damaged = attention.iter().find(|one| one["kind"] == "store_damaged").expect("damage wants attention");
    assert!(damaged["remedy"].as_str().unwrap().contains("backfill"), "{damaged}");

    let before = process.json("/v1/events?limit=1000").await["data"].as_array().unwrap().len();
    assert_eq!(hook.deliver(&process, &office.push("main")).await.unwrap().status(), 200);
    process.idle().await;
    assert_eq!(process.json("/v1/events?limit=1000").await["data"].as_array().unwrap().len(), before + 1);
    assert_eq!(process.stop(), Some(0));
}

/// A data directory with several full segments, and those.
async fn with_full_segments(folder: &Path) -> Vec<PathBuf> {
    assert_eq!(Process::start(folder, &[]).stop(), Some(0));
    let store = EmbeddedStore::open(folder, small_segments()).unwrap();
    for number in 0..200 {
        let (key, time) = (Uuid::from_u128(number.into()), "2026-11-04T08:00:00Z".parse().unwrap());
        store.append(Log::Events, Entry { key, time, body: noise(number, 2_000).into() }).await.unwrap();
    }
    store.close().await;
    drop(store);
    let files = fs::read_dir(folder.join("journal")).unwrap().map(|file| file.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "segment")).collect();
    segments.sort();
    assert!(segments.len() > 3, "{segments:?}");
    segments
}

#[tokio::test]
async fn a_check_reads_all_segments_and_names_file_place_time_and_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let segments = with_full_segments(folder.path()).await;
    let check = || {
        let output = hookwell(&["check", "--data-dir", folder.path().to_str().unwrap()]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said)
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    let flip = || {
        let file = File::options().read(true).write(true).open(&segments[1]).unwrap();
        let (mut byte, at) = ([0], file.metadata().unwrap().len() / 2);
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 0x20], at).unwrap();
    };
    let all_is_named = |said: &str| {
        let file = segments[1].file_name().unwrap().to_str().unwrap();
        for word in [file, ": bytes ", "events: records ", "received between 2026-", "hookwell backfill"] {
            assert!(said.contains(word), "{word} is not in: {said}");
        }
    };
    flip();
    let (code, said) = check();
    assert_eq!(code, Some(1), "{said}");
    all_is_named(&said);
    flip();
    assert_eq!(check().0, Some(0), "flipped back");
    let file = File::options().write(true).open(&segments[1]).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let (code, said) = check();
    assert_eq!(code, Some(1), "{said}");
    all_is_named(&said);
}
