//! What only the embedded engine promises: its directory, its limits, its size, compaction.

use super::{ALL, at, entry, key, open, options, read_all};
use hookwell::store::{
    Change, Consumer, Consumers, Entry, Error, Expected, Journal, Log, OpenError, PageLimit, Position, Registry,
    Settlement, Status, Store,
    sled::{Options, SledStore, compact},
};
use std::{fs, path::Path, time::Duration};

const LOG: Log = Log::Notifications;

pub(super) fn noise(seed: u64, len: usize) -> Vec<u8> {
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

fn file_bytes(dir: &Path) -> u64 {
    fs::metadata(dir.join("store/db")).unwrap().len()
}

pub(super) fn copy(from: &Path, to: &Path) {
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
    assert!(matches!(SledStore::open(&dir, options()), Err(OpenError::Locked { .. })));
    store.close().await;
    open(&dir);
    open(&dir);
}

#[tokio::test]
async fn a_newer_or_unreadable_format_or_a_missing_store_is_told_clearly() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let format = dir.path().join("format");
    assert_eq!(fs::read_to_string(&format).unwrap(), "1\n");
    fs::write(&format, "2\n").unwrap();
    assert!(matches!(SledStore::open(dir.path(), options()), Err(OpenError::Newer { found: 2, known: 1, .. })));
    fs::write(&format, "?").unwrap();
    assert!(matches!(SledStore::open(dir.path(), options()), Err(OpenError::Corrupt { .. })));
    fs::write(&format, "1\n").unwrap();
    fs::rename(dir.path().join("store"), dir.path().join("elsewhere")).unwrap();
    assert!(matches!(SledStore::open(dir.path(), options()), Err(OpenError::Corrupt { .. })));
    let file = dir.path().join("a-file");
    fs::write(&file, "").unwrap();
    let OpenError::Io { path, .. } = SledStore::open(&file, options()).unwrap_err() else { panic!("not an I/O error") };
    assert!(path.contains("a-file"));
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
async fn no_value_becomes_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (number, len) in [(1, 32 << 20), (2, 14 << 10), (3, 15 << 10), (4, 16 << 10), (5, 1 << 20), (6, 0)] {
        let body = noise(number, len);
        store.append(LOG, Entry { body: body.clone().into(), ..entry(number) }).await.unwrap();
        assert!(store.find(LOG, key(number)).await.unwrap().unwrap().body == body);
    }
    for number in 10..400 {
        let body = noise(number, 14_900);
        store.append(LOG, Entry { body: body.into(), ..entry(number) }).await.unwrap();
    }
    while store.trim(LOG, at(390)).await.unwrap() > 0 {}
    assert_eq!(fs::read_dir(dir.path().join("store/blobs")).unwrap().count(), 0);
    drop(store);
    assert_eq!(read_all(&open(dir.path()), LOG).await.len(), 10);
    assert_eq!(fs::read_dir(dir.path().join("store/blobs")).unwrap().count(), 0);
}

#[tokio::test]
async fn single_appends_are_merged_and_read_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=500 {
        let body = noise(number, 1_000);
        store.append(LOG, Entry { body: body.into(), ..entry(number) }).await.unwrap();
        // Readers are not disturbed while blocks merge under them.
        assert_eq!(store.find(LOG, key(number / 2 + 1)).await.unwrap().unwrap().position, Position(number / 2 + 1));
    }
    let before = read_all(&store, LOG).await;
    assert_eq!(before.len(), 500);
    assert!(store.usage().written_bytes > 2 * 500_000, "nothing was merged");
    drop(store);
    assert!(read_all(&open(dir.path()), LOG).await == before);
}

#[tokio::test]
async fn a_full_queue_and_a_full_disk_refuse_at_once_and_recover() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path(), Options { queue_entries_max: 1, ..options() }).unwrap();
    let appends = (0..200).map(|number| store.append(LOG, entry(number)));
    let answers = futures_util::future::join_all(appends).await;
    assert!(answers.iter().any(|answer| matches!(answer, Err(Error::Full))));
    let stored = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(read_all(&store, LOG).await.len(), stored);
    drop(store);

    let store = SledStore::open(dir.path(), Options { free_bytes_min: u64::MAX, ..options() }).unwrap();
    assert!(matches!(store.status(), Status::NotReady(_)));
    assert!(matches!(store.append(LOG, entry(900)).await, Err(Error::Unavailable { .. })));
    assert_eq!(read_all(&store, LOG).await.len(), stored);
    assert!(store.trim(LOG, at(1_000)).await.unwrap() > 0, "trimming needs no space");
}

#[tokio::test]
async fn a_steady_ring_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
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
        sizes.push(file_bytes(dir.path()));
    }
    let warm = sizes[..20].iter().max().unwrap();
    let end = sizes.last().unwrap();
    assert!(end <= &(warm + warm / 4), "the file grew: {sizes:?}");
}

#[tokio::test]
async fn compacting_shrinks_the_file_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for round in 0..20_u64 {
        let appends = (0..200).map(|number| {
            let number = round * 200 + number;
            store.append(LOG, Entry { body: noise(number, 2_000).into(), ..entry(number) })
        });
        futures_util::future::join_all(appends).await;
    }
    while store.trim(LOG, at(3_500)).await.unwrap() > 0 {}
    let before = read_all(&store, LOG).await;
    assert!(matches!(compact(dir.path(), &options()), Err(OpenError::Locked { .. })));
    drop(store);
    let compacted = compact(dir.path(), &options()).unwrap();
    assert!(compacted.after_bytes * 2 < compacted.before_bytes, "{compacted:?}");
    let store = open(dir.path());
    assert!(read_all(&store, LOG).await == before);
    assert_eq!((store.trimmed(LOG), *store.tail(LOG).borrow()), (Position(3_500), Position(4_000)));
}

#[tokio::test]
async fn a_compaction_interrupted_at_any_step_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let (store, new, old) = (dir.path().join("store"), dir.path().join("store.new"), dir.path().join("store.old"));
    let opened = open(dir.path());
    opened.append(LOG, entry(1)).await.unwrap();
    opened.close().await;
    drop(opened);
    let whole = tempfile::tempdir().unwrap();
    copy(&store, &whole.path().join("store"));
    let restore = |to: &Path| copy(&whole.path().join("store"), to);
    let steps: [&dyn Fn(); 5] = [
        // While copying: the new one is not whole.
        &|| fs::create_dir_all(new.join("blobs")).unwrap(),
        // Copied, nothing renamed.
        &|| restore(&new),
        // The old one is away.
        &|| {
            restore(&new);
            fs::rename(&store, &old).unwrap();
        },
        // The new one is in place.
        &|| restore(&old),
        // The old one is half removed.
        &|| fs::create_dir_all(&old).unwrap(),
    ];
    for (number, step) in steps.iter().enumerate() {
        step();
        let opened = open(dir.path());
        assert_eq!(read_all(&opened, LOG).await.len(), 1, "step {number}");
        assert!(!new.exists() && !old.exists(), "step {number}");
        opened.close().await;
    }
}
