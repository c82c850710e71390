use super::{super::testing::outgoing, *};
use crate::clock::ManualClock;
use std::{fs, os::unix::fs::symlink, path::Path};

fn tools(directory: &Path) -> Tools {
    Tools {
        clock: Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH)),
        directory: Some(directory.to_owned()),
        origin: "hooks.example.com".to_owned(),
        timeouts: super::super::wire::Timeouts::default(),
    }
}

fn settings(name: &str) -> FileLog {
    FileLog { name: name.to_owned(), rotate_bytes: ROTATE_BYTES_MIN, files_kept: 2 }
}

fn files(directory: &Path) -> Files {
    Files::open(&settings("events.jsonl"), &tools(directory)).unwrap()
}

/// The positions in a file, line by line.
fn positions(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'));
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["position"].as_u64().unwrap();
    text.lines().map(read).collect()
}

async fn refused(directory: &Path) -> String {
    let attempts = files(directory).deliver(&[outgoing(1)]).await;
    match attempts[0].result.clone() {
        Err(Error::Transient { said, .. }) => said,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn files_are_put_aside_by_size_and_the_oldest_is_deleted() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let sink = files(directory.path());
    let mut next = 0;
    for size in [1, 7, 400, 3] {
        let batch: Vec<_> = (next..next + size).map(outgoing).collect();
        next += size;
        assert!(sink.deliver(&batch).await.iter().all(|attempt| attempt.result.is_ok()));
    }
    let [oldest, before, current] =
        ["events.jsonl.2", "events.jsonl.1", "events.jsonl"].map(|name| positions(&at(name)));
    let all = [oldest.as_slice(), &before, &current].concat();
    let kept: Vec<u64> = (next - all.len() as u64..next).collect();
    assert_eq!(all, kept, "what is kept is the end, in order, without a gap");
    assert!(!oldest.is_empty() && !before.is_empty() && !current.is_empty() && all.len() < 411);
    assert!(!at("events.jsonl.3").exists());
    for name in ["events.jsonl.2", "events.jsonl.1", "events.jsonl"] {
        assert!(fs::metadata(at(name)).unwrap().len() <= ROTATE_BYTES_MIN, "{name}");
    }
}

#[tokio::test]
async fn an_event_larger_than_a_file_has_one_for_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut large = outgoing(2);
    large.json = format!("{{\"position\":2,\"text\":\"{}\"}}", "x".repeat(10_000)).into();
    let sink = files(directory.path());
    assert!(sink.deliver(&[outgoing(1), large, outgoing(3)]).await.iter().all(|attempt| attempt.result.is_ok()));
    let at = |name: &str| positions(&directory.path().join(name));
    assert_eq!([at("events.jsonl.2"), at("events.jsonl.1"), at("events.jsonl")], [vec![1], vec![2], vec![3]]);
}

#[tokio::test]
async fn a_torn_line_is_ended_and_the_next_one_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.jsonl");
    fs::write(&path, "{\"position\":0}\n{\"posit").unwrap();
    assert!(files(directory.path()).deliver(&[outgoing(1)]).await[0].result.is_ok());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[1]), (3, "{\"posit"));
    assert_eq!(lines[2].as_bytes(), outgoing(1).json);
}

#[tokio::test]
async fn nothing_is_written_through_a_link_or_to_what_is_no_file() {
    let (directory, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, target) = (directory.path().join("events.jsonl"), elsewhere.path().join("target"));
    fs::write(&target, "mine\n").unwrap();
    symlink(&target, &path).unwrap();
    assert_eq!(refused(directory.path()).await, "the file cannot be written: it is a link, and links are not followed");
    fs::remove_file(&path).unwrap();
    symlink(elsewhere.path().join("absent"), &path).unwrap();
    refused(directory.path()).await;
    fs::remove_file(&path).unwrap();
    fs::hard_link(&target, &path).unwrap();
    assert!(refused(directory.path()).await.contains("no plain file with one name"));
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert!(refused(directory.path()).await.contains("no plain file"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(directory.path()).await;
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine\n");
    assert!(!elsewhere.path().join("absent").exists());
}

#[test]
fn a_name_is_no_path() {
    let directory = tempfile::tempdir().unwrap();
    let long = "x".repeat(101);
    for name in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\\b", ".hidden", "-rf", "a b", "a\0b", "ä", &long] {
        assert!(Files::open(&settings(name), &tools(directory.path())).is_err(), "{name}");
    }
    let nowhere = Tools { directory: None, ..tools(directory.path()) };
    assert!(Files::open(&settings("events.jsonl"), &nowhere).is_err());
    let tiny = FileLog { rotate_bytes: 1, ..settings("events.jsonl") };
    assert!(Files::open(&tiny, &tools(directory.path())).is_err());
}

#[tokio::test]
async fn two_sinks_of_one_file_share_it() {
    let directory = tempfile::tempdir().unwrap();
    let settings = FileLog { files_kept: 1_000, ..settings("events.jsonl") };
    let sinks = [0, 1].map(|_| Files::open(&settings, &tools(directory.path())).unwrap());
    for round in 0..20 {
        let [one, other] =
            [0, 1].map(|sink| (0..10).map(|at| outgoing(round * 20 + sink * 10 + at)).collect::<Vec<_>>());
        let (one, other) = tokio::join!(sinks[0].deliver(&one), sinks[1].deliver(&other));
        assert!(one.iter().chain(&other).all(|attempt| attempt.result.is_ok()), "{one:?} {other:?}");
    }
    let names = fs::read_dir(directory.path()).unwrap();
    let mut all: Vec<u64> = names.flat_map(|name| positions(&name.unwrap().path())).collect();
    all.sort_unstable();
    assert_eq!(all, (0..400).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lock_that_is_kept_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = fs::File::create(directory.path().join("events.jsonl")).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(refused(directory.path()).await.contains("another process has it locked"));
    drop(file);
    assert!(files(directory.path()).deliver(&[outgoing(2)]).await[0].result.is_ok());
}
