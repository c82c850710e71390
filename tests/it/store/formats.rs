//! A directory of every format since the first release is opened by this one. `UPDATE=1` makes the one of the present format
//! where it is missing; one that was made stays as it is, because it stands for the directories that are out there.

use super::{ALL, at, embedded::copy, entry, key, options, read_all};
use hookwell::store::{
    Change, Consumer, Consumers as _, Expected, Journal as _, Log, PageLimit, Position, Registry as _, Settlement,
    Store as _, Waiting,
    embedded::{EmbeddedStore, Options},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

const ENTRIES: u64 = 120;
const TRIMMED: u64 = 20;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store")
}

fn reader() -> Consumer {
    Consumer { name: "reader".into(), log: Log::Notifications }
}

fn settings() -> Options {
    Options { segment_bytes: 4 << 10, ..options() }
}

fn put(id: &str, value: &'static str) -> Change {
    Change { kind: "thing", id: id.to_owned(), expected: Expected::Any, value: Some(value.into()) }
}

/// One of everything that a directory can hold.
async fn fill(dir: &Path) {
    let store = EmbeddedStore::open(dir, settings()).unwrap();
    for number in 1..=ENTRIES {
        store.append(Log::Notifications, entry(number)).await.unwrap();
    }
    for log in [Log::Ledger, Log::Deliveries, Log::Deployments] {
        store.append(log, entry(log as u64)).await.unwrap();
    }
    store.commit(vec![put("a", "first"), put("b", "gone")]).await.unwrap();
    store.commit(vec![put("a", "second"), Change { value: None, ..put("b", "") }]).await.unwrap();
    let limit = PageLimit { records_max: 100, ..ALL };
    let claim = store.claim(&reader(), at(0), Duration::from_secs(9), limit).await.unwrap();
    let mut settlements = vec![Settlement::Done; 100];
    settlements[49] = Settlement::Retry { at: at(1_000) };
    settlements[59] = Settlement::Dead { reason: "no".into() };
    store.settle(claim, settlements, vec![(Log::Events, entry(7))]).await.unwrap();
    let before = at(i64::try_from(TRIMMED).unwrap() + 1);
    while store.trim(Log::Notifications, before).await.unwrap() > 0 {}
    store.close().await;
}

async fn examine(dir: &Path) {
    let store = EmbeddedStore::open(dir, settings()).unwrap();
    assert_eq!((store.damage(), store.remarks()), (Vec::new(), Vec::new()));
    let records = read_all(&store, Log::Notifications).await;
    assert_eq!(records.len() as u64, ENTRIES - TRIMMED);
    for (number, record) in (TRIMMED + 1..).zip(&records) {
        let written = entry(number);
        assert_eq!(record.position, Position(number));
        assert_eq!((record.key, record.time, &record.body), (written.key, written.time, &written.body));
        assert_eq!(store.find(Log::Notifications, key(number)).await.unwrap().as_ref(), Some(record));
    }
    assert_eq!(store.trimmed(Log::Notifications), Position(TRIMMED));
    for log in [Log::Ledger, Log::Deliveries, Log::Deployments] {
        assert_eq!(store.find(log, key(log as u64)).await.unwrap().unwrap().body, entry(log as u64).body);
    }
    assert_eq!(store.find(Log::Events, key(7)).await.unwrap().unwrap().position, Position(1));
    assert_eq!(store.get("thing", "a").unwrap().value, "second");
    assert_eq!(store.list("thing").len(), 1);
    assert_eq!(store.cursor(&reader()).await.unwrap(), Position(100));
    let waiting = store.waiting(&reader(), Position(0), 9).await.unwrap();
    assert_eq!(waiting, [Waiting { position: Position(50), attempt: 2, at: at(1_000) }]);
    let dead = store.dead(&reader(), Position(0), 9).await.unwrap();
    assert_eq!((dead.len(), dead[0].position, dead[0].reason.as_str()), (1, Position(60), "no"));
    store.close().await;
}

#[tokio::test]
async fn a_directory_of_every_format_is_opened() {
    let present = tempfile::tempdir().unwrap();
    fill(present.path()).await;
    examine(present.path()).await;
    let format: u32 = fs::read_to_string(present.path().join("format")).unwrap().trim().parse().unwrap();
    let fixture = folder().join(format!("format-{format}"));
    if std::env::var_os("UPDATE").is_some() && !fixture.exists() {
        for derived in ["state", "lock"] {
            let derived = present.path().join(derived);
            let _ = fs::remove_dir_all(&derived).or_else(|_| fs::remove_file(&derived));
        }
        copy(present.path(), &fixture);
    }
    for format in 2..=format {
        let kept = folder().join(format!("format-{format}"));
        assert!(kept.exists(), "there is no directory of format {format}; UPDATE=1 makes one of the present format");
        let dir = tempfile::tempdir().unwrap();
        copy(&kept, dir.path());
        examine(dir.path()).await;
    }
}
