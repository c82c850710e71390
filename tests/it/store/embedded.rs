//! Promises of the embedded engine alone: its directory, its limits, its size, the files that it makes again by itself.

use super::{ALL, at, entry, key, open, options, read_all};
use hookwell::store::{
    Appended, Change, Consumer, Consumers, Entry, Error, Expected, Journal, Log, OpenError, PageLimit, Position,
    Registry, Settlement, Status, Store,
    embedded::{EmbeddedStore, Options},
};
use std::{fs, path::Path, time::Duration};

const LOG: Log = Log::Notifications;

pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

/// Segments of a few entries, so that a test has many.
pub(crate) fn small_segments() -> Options {
    Options { segment_bytes: 64 << 10, ..options() }
}

/// Until the writer and the thread that writes indexes have nothing to do.
async fn has(dir: &Path, what: impl Fn(&[String]) -> bool) {
    let waited = async {
        loop {
            let mut names: Vec<_> = fs::read_dir(dir.join("journal"))
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            if what(&names) {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waited).await.expect("the journal's files become so");
}

fn segments(names: &[String]) -> usize {
    names.iter().filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "segment")).count()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let to = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy(&file.path(), &to);
        } else {
            fs::copy(file.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn a_directory_is_made_private_and_opened_by_one_at_a_time() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("data");
    let store = open(&dir);
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(matches!(EmbeddedStore::open(&dir, options()), Err(OpenError::Locked { .. })));
    store.close().await;
    open(&dir);
    open(&dir);
}

#[tokio::test]
async fn every_file_is_its_owners_alone_whoever_made_the_directory() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("data");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let store = EmbeddedStore::open(&dir, small_segments()).unwrap();
    for number in 0..40 {
        store.append(LOG, Entry { body: noise(number, 8_000).into(), ..entry(number) }).await.unwrap();
    }
    has(&dir, |names| {
        names.iter().any(|name| Path::new(name).extension().is_some_and(|extension| extension == "index"))
    })
    .await;
    store.close().await;
    drop(store);
    let mut looked_at = 0;
    for file in fs::read_dir(&dir).unwrap().chain(fs::read_dir(dir.join("journal")).unwrap()) {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", file.path().display());
        looked_at += 1;
    }
    assert!(looked_at > 6, "{looked_at}");
}

#[tokio::test]
async fn a_newer_older_or_unreadable_format_or_a_missing_journal_is_told_clearly() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let change = Change { kind: "thing", id: "a".into(), expected: Expected::Any, value: Some("v".into()) };
    store.commit(vec![change]).await.unwrap();
    store.close().await;
    drop(store);
    let format = dir.path().join("format");
    assert_eq!(fs::read_to_string(&format).unwrap(), "2\n");
    fs::write(&format, "3\n").unwrap();
    assert!(matches!(EmbeddedStore::open(dir.path(), options()), Err(OpenError::Newer { found: 3, known: 2, .. })));
    fs::write(&format, "1\n").unwrap();
    assert!(matches!(EmbeddedStore::open(dir.path(), options()), Err(OpenError::Older { found: 1, known: 2, .. })));
    fs::write(&format, "?").unwrap();
    assert!(open(dir.path()).get("thing", "a").is_some(), "segments tell their format too");
    fs::write(&format, "2\n").unwrap();
    fs::remove_dir_all(dir.path().join("journal")).unwrap();
    fs::remove_dir_all(dir.path().join("state")).unwrap();
    assert!(matches!(EmbeddedStore::open(dir.path(), options()), Err(OpenError::Corrupt { .. })));
    let file = dir.path().join("a-file");
    fs::write(&file, "").unwrap();
    let OpenError::Io { path, .. } = EmbeddedStore::open(&file, options()).unwrap_err() else {
        panic!("not an I/O error")
    };
    assert!(path.contains("a-file"));
}

#[tokio::test]
async fn examining_a_directory_creates_and_changes_nothing() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("data");
    assert!(matches!(EmbeddedStore::examine(&dir, options(), outer.path()), Err(OpenError::Io { .. })));
    assert!(!dir.exists());
    let store = open(&dir);
    store.append(LOG, entry(1)).await.unwrap();
    store.close().await;
    drop(store);
    let contents = || {
        let mut all = Vec::new();
        for folder in [dir.clone(), dir.join("journal"), dir.join("state")] {
            for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
                all.push((fs::read(&file).unwrap(), file));
            }
        }
        all
    };
    let before = contents();
    let store = EmbeddedStore::examine(&dir, options(), outer.path()).unwrap();
    assert_eq!(read_all(&store, LOG).await.len(), 1);
    assert!(matches!(store.append(LOG, entry(2)).await, Err(Error::Unavailable { .. })));
    assert!(matches!(EmbeddedStore::open(&dir, options()), Err(OpenError::Locked { .. })));
    drop(store);
    assert!(contents() == before);
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let reader = Consumer { name: "reader".into(), log: LOG };
    let store = open(dir.path());
    for number in 1..=300 {
        store.append(LOG, entry(number)).await.unwrap();
    }
    let limit = PageLimit { records_max: 5, ..ALL };
    let claim = store.claim(&reader, at(0), Duration::from_secs(9), limit).await.unwrap();
    let mut settlements = vec![Settlement::Done; 5];
    settlements[1] = Settlement::Retry { at: at(50) };
    settlements[2] = Settlement::Dead { reason: "no".into() };
    store.settle(claim, settlements, vec![(Log::Events, entry(1))]).await.unwrap();
    let value = noise(1, 200_000);
    let change = Change { kind: "thing", id: "a".into(), expected: Expected::Any, value: Some(value.clone().into()) };
    store.commit(vec![change]).await.unwrap();
    let (records, thing, revision) = (read_all(&store, LOG).await, store.get("thing", "a"), store.revision());
    let dead = store.dead(&reader, Position(0), 9).await.unwrap();
    store.close().await;

    let store = open(dir.path());
    assert_eq!((read_all(&store, LOG).await, read_all(&store, Log::Events).await.len()), (records, 1));
    assert_eq!((store.get("thing", "a"), store.revision()), (thing, revision));
    assert_eq!(store.get("thing", "a").unwrap().value, value);
    assert_eq!(store.dead(&reader, Position(0), 9).await.unwrap(), dead);
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(5));
    let claim = store.claim(&reader, at(50), Duration::from_secs(9), ALL).await.unwrap();
    assert_eq!((claim.records[0].record.position, claim.records[0].attempt), (Position(2), 2));
    assert_eq!(store.find(LOG, key(300)).await.unwrap().unwrap().position, Position(300));
}

#[tokio::test]
async fn entries_of_every_size_come_back_from_many_segments() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    let sizes = [(1, 32 << 20), (2, 14 << 10), (3, 0), (4, 1), (5, 1 << 20), (6, 63), (7, 64)];
    for (number, len) in sizes {
        let body = noise(number, len);
        store.append(LOG, Entry { body: body.clone().into(), ..entry(number) }).await.unwrap();
        assert!(store.find(LOG, key(number)).await.unwrap().unwrap().body == body);
    }
    for number in 10..400 {
        let body = noise(number, 2_000);
        store.append(LOG, Entry { body: body.into(), ..entry(number) }).await.unwrap();
    }
    has(dir.path(), |names| segments(names) > 10 && names.len() + 1 >= 2 * segments(names)).await;
    for (number, len) in sizes {
        assert!(store.find(LOG, key(number)).await.unwrap().unwrap().body == noise(number, len), "{number}");
        assert_eq!(store.append(LOG, entry(number)).await.unwrap(), Appended::Duplicate(Position(number)));
    }
    let before = read_all(&store, LOG).await;
    drop(store);
    assert!(read_all(&open(dir.path()), LOG).await == before);
}

#[tokio::test]
async fn indexes_that_are_missing_or_of_something_else_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    for number in 0..200 {
        store.append(LOG, Entry { body: noise(number, 2_000).into(), ..entry(number) }).await.unwrap();
    }
    has(dir.path(), |names| segments(names) > 5 && names.len() + 1 >= 2 * segments(names)).await;
    let before = read_all(&store, LOG).await;
    drop(store);
    let index = |number: u64| dir.path().join(format!("journal/{number:012}.index"));
    fs::remove_file(index(1)).unwrap();
    fs::copy(index(3), index(2)).unwrap();
    fs::write(index(4), b"").unwrap();
    let store = open(dir.path());
    assert!(index(1).exists());
    assert!(read_all(&store, LOG).await == before);
    for number in 0..200 {
        assert!(matches!(store.append(LOG, entry(number)).await.unwrap(), Appended::Duplicate(_)), "{number}");
    }
    assert_eq!(store.damage(), []);
}

#[tokio::test]
async fn a_full_queue_and_a_full_disk_refuse_at_once_and_recover() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path(), Options { queue_entries_max: 1, ..options() }).unwrap();
    let appends = (0..200).map(|number| store.append(LOG, entry(number)));
    let answers = futures_util::future::join_all(appends).await;
    assert!(answers.iter().any(|answer| matches!(answer, Err(Error::Full))));
    let stored = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(read_all(&store, LOG).await.len(), stored);
    drop(store);

    let store = EmbeddedStore::open(dir.path(), Options { free_bytes_min: u64::MAX, ..options() }).unwrap();
    assert!(matches!(store.status(), Status::NotReady(_)));
    assert!(matches!(store.append(LOG, entry(900)).await, Err(Error::Unavailable { .. })));
    assert_eq!(read_all(&store, LOG).await.len(), stored);
    assert!(store.trim(LOG, at(1_000)).await.unwrap() > 0, "trimming needs no space");
}

#[tokio::test]
async fn space_comes_back_by_segments_and_what_is_kept_longer_moves() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    for number in 0..1_000 {
        store.append(LOG, Entry { body: noise(number, 2_000).into(), ..entry(number) }).await.unwrap();
        if number % 50 == 0 {
            store.append(Log::Ledger, entry(number)).await.unwrap();
        }
    }
    has(dir.path(), |names| names.len() + 1 >= 2 * segments(names)).await;
    let (ledger, size) = (read_all(&store, Log::Ledger).await, store.usage().disk_bytes);
    while store.trim(LOG, at(900)).await.unwrap() > 0 {}
    let kept = read_all(&store, LOG).await;
    assert_eq!(kept.len(), 100);
    has(dir.path(), |names| segments(names) < 8).await;
    assert!(store.usage().disk_bytes * 4 < size, "{} of {size} are left", store.usage().disk_bytes);
    assert_eq!(read_all(&store, Log::Ledger).await, ledger);
    assert_eq!(store.append(Log::Ledger, entry(50)).await.unwrap(), Appended::Duplicate(Position(2)));
    assert_eq!(store.append(LOG, entry(5)).await.unwrap(), Appended::New(Position(1_001)), "its key went with it");
    drop(store);
    let store = open(dir.path());
    assert_eq!(read_all(&store, Log::Ledger).await, ledger);
    assert_eq!(read_all(&store, LOG).await[..100], kept);
    assert_eq!((store.trimmed(LOG), *store.tail(LOG).borrow()), (Position(900), Position(1_001)));
    assert_eq!(store.damage(), []);
}

#[tokio::test]
async fn a_steady_ring_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path(), Options { segment_bytes: 256 << 10, ..options() }).unwrap();
    let mut sizes = Vec::new();
    for round in 0..60_u64 {
        let appends = (0..200).map(|number| {
            let number = round * 200 + number;
            let body = noise(number, 1_500);
            store.append(LOG, Entry { body: body.into(), ..entry(number) })
        });
        futures_util::future::join_all(appends).await;
        let before = at(i64::try_from(round).unwrap() * 200 - 1_000);
        while store.trim(LOG, before).await.unwrap() > 0 {}
        has(dir.path(), |names| segments(names) < 12).await;
        sizes.push(store.usage().disk_bytes);
    }
    let warm = sizes[..20].iter().max().unwrap();
    let end = sizes.last().unwrap();
    assert!(end <= &(warm + warm / 4), "it grew: {sizes:?}");
}
