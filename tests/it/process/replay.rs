//! `hookwell replay` against a running gateway.

use super::{ADMIN_TOKEN, Process, hookwell};
use std::process::Output;

fn replay(arguments: &[&str]) -> Output {
    hookwell(&["replay"]).args(arguments).env("HOOKWELL_TOKEN", ADMIN_TOKEN).output().unwrap()
}

#[test]
fn replay_says_what_it_came_to_and_what_is_wrong_with_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let of = |from: &'static str, to: &'static str| {
        ["--gateway", &process.base, "--from", from, "--to", to].map(str::to_owned)
    };
    let run = |arguments: &[String]| replay(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let nothing =
        run(&[of("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z").to_vec(), vec!["--dry-run".to_owned()]].concat());
    assert_eq!(nothing.status.code(), Some(0), "{nothing:?}");
    let said = String::from_utf8(nothing.stdout).unwrap();
    assert_eq!(
        said,
        "0 notifications would be translated again: 0 events new, 0 changed, 0 unchanged; nothing comes of 0\n"
    );
    assert_eq!(run(&of("yesterday", "2026-11-23T00:00:00Z")).status.code(), Some(2));
    let backwards = run(&of("2026-11-23T00:00:00Z", "2026-11-22T00:00:00Z"));
    assert_eq!(backwards.status.code(), Some(2), "{backwards:?}");
}
