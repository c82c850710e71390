//! Stretches of the journal that cannot be read: each is said once and with its time, and its keys are free again.

use super::{
    ALL,
    damage::{files, fresh, sample},
    embedded::small_segments,
};
use hookwell::store::{
    Appended, Damage, Entry, Journal as _, Log, Position, Record, Store as _, embedded::EmbeddedStore,
};
use jiff::Timestamp;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

const LOG: Log = Log::Notifications;
/// The error of a stretch's times: more than the engine allows for records that came together.
const OFF: Duration = Duration::from_secs(90);

fn segments(dir: &Path) -> Vec<PathBuf> {
    let is_segment = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "segment");
    files(&dir.join("journal")).into_iter().filter(is_segment).collect()
}

/// Cuts a segment in the middle.
fn cut(segment: &Path) {
    let file = File::options().write(true).open(segment).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

fn open(dir: &Path) -> EmbeddedStore {
    EmbeddedStore::open(dir, small_segments()).unwrap()
}

/// The stretches that a page of everything leaves out.
async fn left_out(store: &EmbeddedStore) -> Vec<Damage> {
    store.read(LOG, Position(0), ALL).await.unwrap().left_out
}

/// The records of a stretch as they were written.
fn lost<'a>(written: &'a [Record], damage: &Damage) -> Vec<&'a Record> {
    written.iter().filter(|record| (damage.first..=damage.last).contains(&record.position)).collect()
}

#[tokio::test]
async fn records_side_by_side_that_cannot_be_read_are_one_stretch_in_whatever_order_they_are_met() {
    let original = tempfile::tempdir().unwrap();
    let (records, _) = sample(original.path()).await;
    for by_key in [false, true] {
        let dir = fresh(original.path());
        cut(&segments(dir.path())[1]);
        let store = open(dir.path());
        for record in records.iter().rev().step_by(3).filter(|_| by_key) {
            store.find(LOG, record.key).await.unwrap();
        }
        let left_out = left_out(&store).await;
        assert_eq!(left_out.len(), 1, "{left_out:?}");
        assert!(left_out[0].count() > 5, "{left_out:?}");
        assert_eq!(store.damage(), left_out);
        store.close().await;
    }
}

#[tokio::test]
async fn a_stretch_is_said_with_its_time_whichever_segment_it_was_and_still_after_the_next_start() {
    let original = tempfile::tempdir().unwrap();
    let (records, _) = sample(original.path()).await;
    let all = segments(original.path());
    let (oldest, newest) = (0, all.len() - 1);
    for at in [oldest, all.len() / 2, newest] {
        let dir = fresh(original.path());
        fs::remove_file(&segments(dir.path())[at]).unwrap();
        for start in 1..=3 {
            let store = open(dir.path());
            let left_out = left_out(&store).await;
            let [damage] = &left_out[..] else { panic!("segment {at}, start {start}: {left_out:?}") };
            let gone = lost(&records, damage);
            let (first, last) = (gone.first().unwrap().time, gone.last().unwrap().time);
            let is_near = |one: Timestamp, other: Timestamp| one.duration_since(other).unsigned_abs() < OFF;
            let until = damage.until.expect("it is known up to when");
            assert!(until >= last && is_near(until, last), "segment {at}, start {start}: {damage}; {last}");
            match damage.since {
                Some(since) => {
                    assert!(since <= first && is_near(since, first), "segment {at}, start {start}: {damage}");
                }
                None => assert_eq!(at, oldest, "start {start}: {damage}"),
            }
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_key_whose_record_cannot_be_read_is_not_kept_and_the_same_key_brings_it_back() {
    let original = tempfile::tempdir().unwrap();
    let (records, _) = sample(original.path()).await;
    let dir = fresh(original.path());
    cut(&segments(dir.path())[1]);
    let store = open(dir.path());
    let damage = left_out(&store).await.remove(0);
    let again = |record: &Record| Entry { key: record.key, time: record.time, body: record.body.clone() };
    let mut positions = Vec::new();
    for record in lost(&records, &damage) {
        assert_eq!(store.find(LOG, record.key).await.unwrap(), None);
        assert_eq!(store.contains(LOG, &[record.key]).await.unwrap(), [false]);
        let Appended::New(position) = store.append(LOG, again(record)).await.unwrap() else { panic!("a duplicate") };
        assert_eq!(store.append(LOG, again(record)).await.unwrap(), Appended::Duplicate(position));
        positions.push(position);
    }
    store.close().await;
    drop(store);
    let store = open(dir.path());
    for (record, position) in lost(&records, &damage).into_iter().zip(positions) {
        assert_eq!(store.append(LOG, again(record)).await.unwrap(), Appended::Duplicate(position));
        assert_eq!(store.find(LOG, record.key).await.unwrap().unwrap().body, record.body);
    }
    assert_eq!(store.append(LOG, again(&records[0])).await.unwrap(), Appended::Duplicate(records[0].position));
}
