//! Files that are not as they were written: never wrong bytes, never less than was acknowledged without saying what.

use super::{
    ALL, at,
    embedded::{copy, noise, small_segments},
    entry,
};
use hookwell::store::{
    Change, Consumer, Consumers as _, Entry, Expected, Journal as _, Log, OpenError, PageLimit, Position, Record,
    Registry as _, Settlement, Store as _, embedded::EmbeddedStore,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

const LOG: Log = Log::Notifications;
const ENTRIES: u64 = 300;

/// Damages a folder.
type Spoil = dyn Fn(&Path);

/// Writes a store of several segments; gives back its records and the ids of its registry.
pub(super) async fn sample(dir: &Path) -> (Vec<Record>, Vec<String>) {
    let store = EmbeddedStore::open(dir, small_segments()).unwrap();
    let mut ids = Vec::new();
    for number in 1..=ENTRIES {
        let body = noise(number, 2_000).into();
        store.append(LOG, Entry { body, ..entry(number) }).await.unwrap();
        if number % 20 == 0 {
            let id = format!("thing-{number}");
            let value = Some(noise(number, 300).into());
            store
                .commit(vec![Change { kind: "thing", id: id.clone(), expected: Expected::Absent, value }])
                .await
                .unwrap();
            ids.push(id);
        }
    }
    let records = super::read_all(&store, LOG).await;
    store.close().await;
    drop(store);
    (records, ids)
}

/// The outcome of one damage.
struct Told {
    missing: usize,
    refused: Option<String>,
}

/// Opens and reads everything. Every acknowledged record is there as it was written or named as left out, the registry is
/// whole or a remark says that it is not, and the store takes new entries.
async fn examine(dir: &Path, written: &[Record], ids: &[String], case: &str) -> Told {
    let store = match EmbeddedStore::open(dir, small_segments()) {
        Ok(store) => store,
        Err(OpenError::Corrupt { what, path }) => {
            assert!(what.contains("backup"), "{case}: no remedy in {path}: {what}");
            return Told { missing: written.len(), refused: Some(what) };
        }
        Err(other) => panic!("{case}: not named as damage: {other}"),
    };
    let (mut found, mut left_out) = (BTreeSet::new(), BTreeSet::new());
    let mut after = Position(0);
    loop {
        let page = store.read(LOG, after, ALL).await.unwrap();
        for damage in &page.left_out {
            assert!(!damage.cause.is_empty());
            left_out.extend(damage.first.0..=damage.last.0);
            for record in written.iter().filter(|record| (damage.first..=damage.last).contains(&record.position)) {
                // A backfill of this stretch of time must bring it back.
                let is_after = damage.since.is_none_or(|since| since <= record.time);
                let is_before = damage.until.is_none_or(|until| until >= record.time);
                assert!(is_after && is_before, "{case}: {damage}; it was received at {}", record.time);
            }
        }
        for record in &page {
            let at = usize::try_from(record.position.0).unwrap() - 1;
            assert!(written.get(at) == Some(record), "{case}: wrong record at {}", record.position);
            found.insert(record.position.0);
        }
        if page.end == after {
            break;
        }
        after = page.end;
    }
    for record in written {
        let position = record.position.0;
        assert!(
            found.contains(&position) || left_out.contains(&position),
            "{case}: {position} is missing without a word"
        );
    }
    let reported: BTreeSet<u64> = store
        .damage()
        .iter()
        .filter(|damage| damage.log == LOG)
        .flat_map(|damage| damage.first.0..=damage.last.0)
        .collect();
    assert!(left_out.is_subset(&reported), "{case}: not all that was left out is reported");
    let has_all = ids.iter().all(|id| store.get("thing", id).is_some());
    assert!(has_all || !store.remarks().is_empty(), "{case}: the registry lost something without a word");
    let appended = store.append(LOG, entry(ENTRIES + 1)).await.unwrap();
    let position = match appended {
        hookwell::store::Appended::New(position) | hookwell::store::Appended::Duplicate(position) => position,
    };
    assert!(position.0 > written.len() as u64, "{case}: a position was given out twice");
    store.close().await;
    Told { missing: left_out.len(), refused: None }
}

pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { all.extend(files(&entry)) } else { all.push(entry) }
    }
    all.sort();
    all
}

fn random(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 20).unwrap()
}

/// A copy of the sample, to be damaged.
pub(super) fn fresh(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(from, dir.path());
    dir
}

#[tokio::test]
async fn a_flipped_byte_anywhere_loses_little_and_says_what() {
    let original = tempfile::tempdir().unwrap();
    let (records, ids) = sample(original.path()).await;
    let (mut seed, mut noticed) = (42, 0);
    for round in 0..200 {
        let dir = fresh(original.path());
        let files = files(dir.path());
        let path = &files[random(&mut seed) % files.len()];
        let len = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
        if len == 0 || path.ends_with("format") {
            continue;
        }
        let at = random(&mut seed) % len;
        let file = File::options().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at as u64).unwrap();
        file.write_all_at(&[byte[0] ^ 0x41], at as u64).unwrap();
        let case = format!("round {round}: byte {at} of {}", path.display());
        let told = examine(dir.path(), &records, &ids, &case).await;
        assert_eq!(told.refused, None, "{case}");
        assert!(told.missing < 60, "{case}: {} are missing", told.missing);
        noticed += usize::from(told.missing > 0);
    }
    assert!(noticed > 20, "only {noticed} of 200 flips hit an entry");
}

#[tokio::test]
async fn a_file_that_was_cut_anywhere_loses_its_end_and_says_what() {
    let original = tempfile::tempdir().unwrap();
    let (records, ids) = sample(original.path()).await;
    let (mut seed, mut noticed) = (7, 0);
    for round in 0..200 {
        let dir = fresh(original.path());
        let files = files(dir.path());
        let path = &files[random(&mut seed) % files.len()];
        if path.ends_with("format") {
            continue;
        }
        let len = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
        let to = random(&mut seed) % (len + 1);
        File::options().write(true).open(path).unwrap().set_len(to as u64).unwrap();
        let case = format!("round {round}: {} cut to {to} of {len}", path.display());
        let told = examine(dir.path(), &records, &ids, &case).await;
        assert_eq!(told.refused, None, "{case}");
        noticed += usize::from(told.missing > 0);
    }
    assert!(noticed > 20, "only {noticed} of 200 cuts hit an entry");
}

#[tokio::test]
async fn every_file_may_be_missing_and_what_was_in_it_is_named() {
    let original = tempfile::tempdir().unwrap();
    let (records, ids) = sample(original.path()).await;
    let mut noticed = 0;
    for path in files(original.path()) {
        let dir = fresh(original.path());
        let name = path.strip_prefix(original.path()).unwrap();
        fs::remove_file(dir.path().join(name)).unwrap();
        let told = examine(dir.path(), &records, &ids, &format!("without {}", name.display())).await;
        assert_eq!(told.refused, None);
        noticed += usize::from(told.missing > 0);
    }
    assert!(noticed > 5, "{noticed}");
}

#[tokio::test]
async fn whatever_became_of_sleds_files_nothing_is_missing() {
    let original = tempfile::tempdir().unwrap();
    let (records, ids) = sample(original.path()).await;
    let states: [(&str, &Spoil); 6] = [
        ("gone", &|state| fs::remove_dir_all(state).unwrap()),
        ("empty", &|state| {
            fs::remove_dir_all(state).unwrap();
            fs::create_dir(state).unwrap();
        }),
        ("noise", &|state| {
            for file in files(state) {
                fs::write(file, noise(3, 5_000)).unwrap();
            }
        }),
        ("cut to nothing", &|state| {
            for file in files(state) {
                fs::write(file, b"").unwrap();
            }
        }),
        ("half a snapshot", &|state| fs::write(state.join("snap.9999999999.generating"), b"half").unwrap()),
        ("a file in its place", &|state| {
            fs::remove_dir_all(state).unwrap();
            fs::write(state, b"not a folder").unwrap();
        }),
    ];
    for (case, damage) in states {
        let dir = fresh(original.path());
        damage(&dir.path().join("state"));
        let told = examine(dir.path(), &records, &ids, case).await;
        assert_eq!((told.missing, told.refused), (0, None), "{case}");
    }
}

#[tokio::test]
async fn a_journal_that_lost_the_registry_takes_it_from_sleds_copy() {
    let original = tempfile::tempdir().unwrap();
    let (records, ids) = sample(original.path()).await;
    let dir = fresh(original.path());
    for path in files(&dir.path().join("journal")) {
        fs::remove_file(path).unwrap();
    }
    let told = examine(dir.path(), &records, &ids, "no journal").await;
    assert_eq!((told.missing, told.refused), (records.len(), None));
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    assert!(ids.iter().all(|id| store.get("thing", id).is_some()));
}

/// Flips a byte of the only place where a segment says this.
fn flip(dir: &Path, said: &[u8]) {
    for path in files(&dir.join("journal")) {
        let bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(said.len()).position(|window| window == said) {
            File::options().write(true).open(&path).unwrap().write_all_at(&[said[0] ^ 0x41], at as u64).unwrap();
            return;
        }
    }
    panic!("no file says it");
}

async fn three_changes(dir: &Path) {
    let store = EmbeddedStore::open(dir, small_segments()).unwrap();
    for id in ["first", "second", "third"] {
        let value = Some(format!("the value of the {id}").into());
        let change = Change { kind: "thing", id: id.to_owned(), expected: Expected::Absent, value };
        store.commit(vec![change]).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn a_damaged_change_of_the_registry_before_a_whole_one_is_taken_from_sleds_copy() {
    let dir = tempfile::tempdir().unwrap();
    three_changes(dir.path()).await;
    flip(dir.path(), b"the value of the second");
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    let ids: Vec<_> = store.list("thing").into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["first", "second", "third"], "{:?}", store.remarks());
}

#[tokio::test]
async fn a_damaged_change_of_the_registry_before_a_whole_one_is_named_where_there_is_no_copy() {
    let dir = tempfile::tempdir().unwrap();
    three_changes(dir.path()).await;
    flip(dir.path(), b"the value of the second");
    fs::remove_dir_all(dir.path().join("state")).unwrap();
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    assert!(store.get("thing", "third").is_some());
    assert!(!store.remarks().is_empty(), "a change is gone without a word");
}

#[tokio::test]
async fn a_damaged_settlement_is_named_when_what_it_said_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let reader = Consumer { name: "a reader with a long name".into(), log: LOG };
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    for number in 1..=3 {
        store.append(LOG, entry(number)).await.unwrap();
    }
    for round in 0..3 {
        let limit = PageLimit { records_max: 1, ..ALL };
        let claim = store.claim(&reader, at(0), Duration::from_secs(9), limit).await.unwrap();
        let settlement = match round {
            1 => Settlement::Dead { reason: "it has a reason of its own".into() },
            _ => Settlement::Done,
        };
        store.settle(claim, vec![settlement], Vec::new()).await.unwrap();
    }
    store.close().await;
    drop(store);
    flip(dir.path(), b"it has a reason of its own");
    let store = EmbeddedStore::open(dir.path(), small_segments()).unwrap();
    let is_there = !store.dead(&reader, Position(0), 9).await.unwrap().is_empty();
    let is_before_it = store.cursor(&reader).await.unwrap() < Position(2);
    let is_named = !store.remarks().is_empty() || !store.damage().is_empty();
    assert!(is_there || is_before_it || is_named, "what was given up is forgotten without a word");
}
