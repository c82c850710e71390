//! What every engine must do. Each function is one promise; [`suite!`] runs all of them against an engine.

use super::{ALL, at, entry, key, open, read_all};
use hookwell::store::{
    Appended, Change, Claim, Consumer, ENTRY_BYTES_MAX, Entry, Error, Expected, Log, MemoryStore, PAGE_RECORDS_MAX,
    PageLimit, Position, REASON_BYTES_MAX, REGISTRY_VALUE_BYTES_MAX, Settlement, Status, Store, Waiting, Wanted,
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

const LOG: Log = Log::Notifications;
const LEASE: Duration = Duration::from_mins(1);

macro_rules! suite {
    ($($promise:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $promise() {
                super::$promise(super::Arc::new(super::MemoryStore::new())).await;
            })*
        }

        mod embedded {
            $(#[tokio::test]
            async fn $promise() {
                let dir = tempfile::tempdir().unwrap();
                super::$promise(super::Arc::new(super::open(dir.path()))).await;
            })*
        }
    };
}

suite! {
    a_key_is_appended_once
    concurrent_appends_of_one_key_are_one_entry
    the_same_key_in_two_logs_is_two_entries
    records_are_read_in_the_order_of_their_append
    the_tail_tells_the_newest_position
    a_page_ends_at_its_limits_but_is_never_empty
    a_record_is_found_by_its_key
    it_is_known_which_keys_are_kept
    an_entry_over_the_limit_is_refused
    an_entry_at_the_limit_is_kept_whole
    time_is_kept_to_the_millisecond
    trimming_removes_what_is_older_with_its_keys
    trimming_waits_for_consumers_and_retries
    positions_are_not_reused_after_trimming_everything
    a_leased_batch_is_not_claimed_again_until_the_lease_ends
    a_claim_whose_lease_was_taken_over_cannot_be_settled
    settling_appends_and_moves_the_cursor_together
    nobody_sees_a_settlement_before_what_it_appended
    a_refused_settlement_leaves_the_batch_to_be_claimed
    retries_come_when_due_and_before_fresh_records
    what_waits_keeps_its_attempt_and_is_listed
    records_that_wait_are_claimed_by_name_before_they_are_due
    fresh_records_are_claimed_past_those_that_wait
    what_is_over_can_wait_once_more_and_holds_trimming_back
    a_consumer_begins_where_it_is_told_once
    dead_records_are_listed_until_trimmed
    consumers_do_not_see_each_other
    a_forgotten_consumer_begins_again_and_holds_nothing_back
    the_registry_keeps_versions_and_refuses_stale_changes
    a_registry_commit_is_all_or_nothing
    a_commit_raises_the_revision_of_the_kinds_that_it_changes_and_of_no_other
    a_registry_value_over_the_limit_is_refused
    a_deleted_record_never_gets_an_old_version_again
    a_closed_store_answers_unavailable
}

type Shared = Arc<dyn Store>;

fn consumer(name: &str) -> Consumer {
    Consumer { name: name.into(), log: LOG }
}

async fn append(store: &Shared, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        store.append(LOG, entry(number)).await.unwrap();
    }
}

async fn claim(store: &Shared, consumer: &Consumer, now: i64, records_max: usize) -> Claim {
    let limit = PageLimit { records_max, body_bytes_max: usize::MAX };
    store.claim(consumer, at(now), LEASE, limit).await.unwrap()
}

fn positions(claim: &Claim) -> Vec<u64> {
    claim.records.iter().map(|claimed| claimed.record.position.0).collect()
}

async fn settle(store: &Shared, claim: Claim, settlement: Settlement) {
    let settlements = vec![settlement; claim.records.len()];
    store.settle(claim, settlements, vec![]).await.unwrap();
}

fn put(id: &str, expected: Expected, value: &str) -> Change {
    Change { kind: "thing", id: id.into(), expected, value: Some(value.to_owned().into()) }
}

fn delete(id: &str, expected: Expected) -> Change {
    Change { kind: "thing", id: id.into(), expected, value: None }
}

async fn a_key_is_appended_once(store: Shared) {
    assert_eq!(store.append(LOG, entry(1)).await.unwrap(), Appended::New(Position(1)));
    let other = Entry { body: "something else".into(), ..entry(1) };
    assert_eq!(store.append(LOG, other).await.unwrap(), Appended::Duplicate(Position(1)));
    assert_eq!(store.append(LOG, entry(2)).await.unwrap(), Appended::New(Position(2)));
    let bodies: Vec<_> = read_all(&*store, LOG).await.into_iter().map(|record| record.body).collect();
    assert_eq!(bodies, ["body 1", "body 2"]);
}

async fn concurrent_appends_of_one_key_are_one_entry(store: Shared) {
    let tasks: Vec<_> = (0..100)
        .map(|at| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.append(LOG, entry(at % 10)).await.unwrap() })
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += u64::from(matches!(task.await.unwrap(), Appended::New(_)));
    }
    assert_eq!((new, read_all(&*store, LOG).await.len()), (10, 10));
}

async fn the_same_key_in_two_logs_is_two_entries(store: Shared) {
    for log in Log::ALL {
        assert_eq!(store.append(log, entry(1)).await.unwrap(), Appended::New(Position(1)));
    }
}

async fn records_are_read_in_the_order_of_their_append(store: Shared) {
    append(&store, 1..=50).await;
    let records = read_all(&*store, LOG).await;
    let expected: Vec<_> = (1..=50).map(|number| (Position(number), key(number))).collect();
    assert_eq!(records.iter().map(|record| (record.position, record.key)).collect::<Vec<_>>(), expected);
    let later = store.read(LOG, Position(48), ALL).await.unwrap();
    assert_eq!((&later.records[..], later.end), (&records[48..], Position(50)));
    assert_eq!(store.read(LOG, Position(u64::MAX), ALL).await.unwrap().records, []);
}

async fn the_tail_tells_the_newest_position(store: Shared) {
    let mut tail = store.tail(LOG);
    assert_eq!(*tail.borrow_and_update(), Position(0));
    append(&store, 1..=3).await;
    tail.changed().await.unwrap();
    assert_eq!(*tail.borrow_and_update(), Position(3));
    assert_eq!(*store.tail(Log::Events).borrow(), Position(0));
}

async fn a_page_ends_at_its_limits_but_is_never_empty(store: Shared) {
    append(&store, 1..=9).await;
    let mut seen = Vec::new();
    for (records_max, body_bytes_max) in [(0, 0), (4, usize::MAX), (9, 7), (9, 6), (9, 1)] {
        seen.push(store.read(LOG, Position(0), PageLimit { records_max, body_bytes_max }).await.unwrap().len());
    }
    assert_eq!(seen, [1, 4, 2, 1, 1]);
    let many: Vec<_> = (10..=PAGE_RECORDS_MAX as u64 + 10).map(entry).map(|entry| store.append(LOG, entry)).collect();
    futures_util::future::join_all(many).await;
    assert_eq!(store.read(LOG, Position(0), ALL).await.unwrap().len(), PAGE_RECORDS_MAX);
}

async fn a_record_is_found_by_its_key(store: Shared) {
    append(&store, 1..=20).await;
    let found = store.find(LOG, key(7)).await.unwrap().unwrap();
    assert_eq!((found.position, found.key, &found.body[..]), (Position(7), key(7), &b"body 7"[..]));
    assert_eq!(store.find(LOG, key(21)).await.unwrap(), None);
    assert_eq!(store.find(Log::Events, key(7)).await.unwrap(), None);
}

async fn it_is_known_which_keys_are_kept(store: Shared) {
    let keys = |numbers: &[u64]| numbers.iter().map(|number| key(*number)).collect::<Vec<_>>();
    assert_eq!(store.contains(LOG, &keys(&[1, 2])).await.unwrap(), [false, false]);
    append(&store, 1..=600).await;
    assert_eq!(store.contains(LOG, &keys(&[601, 600, 1, 300, 0])).await.unwrap(), [false, true, true, true, false]);
    assert_eq!(store.contains(Log::Events, &keys(&[300])).await.unwrap(), [false]);
    assert_eq!(trim_all(&store, 301).await, 300);
    assert_eq!(store.contains(LOG, &keys(&[300, 301])).await.unwrap(), [false, true]);
    assert_eq!(store.contains(LOG, &[]).await.unwrap(), [false; 0]);
}

async fn an_entry_over_the_limit_is_refused(store: Shared) {
    let body = vec![0; ENTRY_BYTES_MAX + 1].into();
    let refused = store.append(LOG, Entry { body, ..entry(1) }).await;
    assert!(matches!(refused, Err(Error::TooLarge { bytes_max: ENTRY_BYTES_MAX, .. })));
    assert_eq!(read_all(&*store, LOG).await, []);
}

async fn an_entry_at_the_limit_is_kept_whole(store: Shared) {
    let mut noise = 1_u64;
    let body: Vec<u8> = (0..ENTRY_BYTES_MAX / 8)
        .flat_map(|_| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (noise ^ (noise >> 29)).to_le_bytes()
        })
        .collect();
    store.append(LOG, Entry { body: body.clone().into(), ..entry(1) }).await.unwrap();
    append(&store, [2]).await;
    assert!(store.find(LOG, key(1)).await.unwrap().unwrap().body == body);
    assert_eq!(store.read(LOG, Position(1), ALL).await.unwrap()[0].key, key(2));
}

async fn time_is_kept_to_the_millisecond(store: Shared) {
    let time: Timestamp = "2026-03-01T12:00:00.123456789Z".parse().unwrap();
    store.append(LOG, Entry { time, ..entry(1) }).await.unwrap();
    assert_eq!(read_all(&*store, LOG).await[0].time, "2026-03-01T12:00:00.123Z".parse().unwrap());
}

async fn trim_all(store: &Shared, before: i64) -> u64 {
    let mut removed = 0;
    loop {
        match store.trim(LOG, at(before)).await.unwrap() {
            0 => return removed,
            more => removed += more,
        }
    }
}

async fn trimming_removes_what_is_older_with_its_keys(store: Shared) {
    append(&store, 1..=10).await;
    assert_eq!(trim_all(&store, 4).await, 3);
    assert_eq!(store.trimmed(LOG), Position(3));
    assert_eq!(read_all(&*store, LOG).await[0].position, Position(4));
    assert_eq!(store.find(LOG, key(3)).await.unwrap(), None);
    assert_eq!(store.append(LOG, entry(3)).await.unwrap(), Appended::New(Position(11)));
    assert_eq!(store.append(LOG, entry(4)).await.unwrap(), Appended::Duplicate(Position(4)));
    assert_eq!(trim_all(&store, 4).await, 0, "a younger record before it stops trimming");
}

async fn trimming_waits_for_consumers_and_retries(store: Shared) {
    append(&store, 1..=10).await;
    let (slow, other_log) = (consumer("slow"), Consumer { name: "slow".into(), log: Log::Events });
    store.claim(&other_log, at(0), LEASE, ALL).await.unwrap();
    let first = claim(&store, &slow, 100, 5).await;
    assert_eq!(trim_all(&store, 100).await, 0, "nothing is settled yet");
    let mut settlements = vec![Settlement::Done; 5];
    settlements[3] = Settlement::Retry { at: at(200) };
    store.settle(first, settlements, vec![]).await.unwrap();
    assert_eq!(trim_all(&store, 100).await, 3);
    let retried = claim(&store, &slow, 200, 1).await;
    assert_eq!(positions(&retried), [4]);
    settle(&store, retried, Settlement::Done).await;
    assert_eq!(trim_all(&store, 100).await, 2);
}

async fn positions_are_not_reused_after_trimming_everything(store: Shared) {
    append(&store, 1..=5).await;
    assert_eq!(trim_all(&store, 100).await, 5);
    assert_eq!((store.trimmed(LOG), *store.tail(LOG).borrow()), (Position(5), Position(5)));
    assert_eq!(read_all(&*store, LOG).await, []);
    assert_eq!(store.append(LOG, entry(1)).await.unwrap(), Appended::New(Position(6)));
}

async fn a_leased_batch_is_not_claimed_again_until_the_lease_ends(store: Shared) {
    append(&store, 1..=10).await;
    let reader = consumer("reader");
    assert_eq!(positions(&claim(&store, &reader, 0, 3).await), [1, 2, 3]);
    assert_eq!(positions(&claim(&store, &reader, 59, 3).await), [0; 0]);
    let again = claim(&store, &reader, 60, 4).await;
    assert_eq!(positions(&again), [1, 2, 3, 4]);
    assert!(again.records.iter().all(|claimed| claimed.attempt == 1));
    settle(&store, again, Settlement::Done).await;
    assert_eq!(positions(&claim(&store, &reader, 60, 3).await), [5, 6, 7]);
}

async fn a_claim_whose_lease_was_taken_over_cannot_be_settled(store: Shared) {
    append(&store, 1..=3).await;
    let reader = consumer("reader");
    let late = claim(&store, &reader, 0, 3).await;
    let current = claim(&store, &reader, 60, 3).await;
    let refused = store.settle(late, vec![Settlement::Done; 3], vec![(Log::Events, entry(9))]).await;
    assert!(matches!(refused, Err(Error::LeaseLost)));
    assert_eq!(read_all(&*store, Log::Events).await, []);
    settle(&store, current, Settlement::Done).await;
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(3));

    append(&store, [4]).await;
    let overdue = claim(&store, &reader, 100, 3).await;
    settle(&store, overdue, Settlement::Done).await;
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(4), "nobody else held it");
}

async fn settling_appends_and_moves_the_cursor_together(store: Shared) {
    append(&store, 1..=2).await;
    let reader = consumer("translate");
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(0));
    let batch = claim(&store, &reader, 0, 10).await;
    let made = [5, 6, 5].map(|number| (Log::Events, entry(number))).to_vec();
    let appended = store.settle(batch, vec![Settlement::Done; 2], made).await.unwrap();
    assert_eq!(appended, [Appended::New(Position(1)), Appended::New(Position(2)), Appended::Duplicate(Position(1))]);
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(2));
    assert_eq!(*store.tail(Log::Events).borrow(), Position(2));
    let nothing = claim(&store, &reader, 0, 10).await;
    assert!(nothing.records.is_empty());
    assert_eq!(store.settle(nothing, vec![], vec![(LOG, entry(1))]).await.unwrap(), [Appended::Duplicate(Position(1))]);
}

/// Each settlement of the last record appends the next one, so whoever sees a cursor must see a tail ahead of it. Else
/// "the cursor is at the tail" would say that nothing is left to do.
async fn nobody_sees_a_settlement_before_what_it_appended(store: Shared) {
    const SETTLEMENTS: u64 = 5_000;
    append(&store, 1..=1).await;
    let reader = consumer("reader");
    let (watched, name) = (Arc::clone(&store), reader.clone());
    let watch = std::thread::spawn(move || {
        let tail = watched.tail(LOG);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        loop {
            let cursor = runtime.block_on(watched.cursor(&name)).unwrap();
            assert!(*tail.borrow() > cursor, "all is settled up to {cursor}, and more was appended with it");
            if cursor.0 == SETTLEMENTS {
                break;
            }
        }
    });
    for number in 1..=SETTLEMENTS {
        let batch = claim(&store, &reader, 0, 10).await;
        store.settle(batch, vec![Settlement::Done], vec![(LOG, entry(number + 1))]).await.unwrap();
    }
    watch.join().unwrap();
}

async fn a_refused_settlement_leaves_the_batch_to_be_claimed(store: Shared) {
    append(&store, 1..=2).await;
    let reader = consumer("reader");
    let batch = claim(&store, &reader, 0, 10).await;
    let large = Entry { body: vec![0; ENTRY_BYTES_MAX + 1].into(), ..entry(7) };
    let appends = vec![(Log::Events, entry(6)), (Log::Events, large)];
    let refused = store.settle(batch, vec![Settlement::Done; 2], appends).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    assert_eq!(read_all(&*store, Log::Events).await, []);
    assert_eq!(positions(&claim(&store, &reader, 0, 10).await), [1, 2]);
}

async fn retries_come_when_due_and_before_fresh_records(store: Shared) {
    append(&store, 1..=6).await;
    let reader = consumer("reader");
    let first = claim(&store, &reader, 0, 4).await;
    let again = |seconds| Settlement::Retry { at: at(seconds) };
    store.settle(first, vec![again(30), Settlement::Done, again(10), again(90)], vec![]).await.unwrap();
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(4));
    let due = claim(&store, &reader, 30, 3).await;
    let attempts: Vec<_> = due.records.iter().map(|claimed| (claimed.record.position.0, claimed.attempt)).collect();
    assert_eq!(attempts, [(1, 2), (3, 2), (5, 1)]);
    assert_eq!(positions(&claim(&store, &reader, 30, 3).await), [0; 0], "fresh ones are leased, the others not due");
    settle(&store, due, again(40)).await;
    let third = claim(&store, &reader, 100, 10).await;
    let attempts: Vec<_> = third.records.iter().map(|claimed| (claimed.record.position.0, claimed.attempt)).collect();
    assert_eq!(attempts, [(1, 3), (3, 3), (4, 2), (5, 2), (6, 1)]);
}

async fn claim_of(store: &Shared, consumer: &Consumer, wanted: Wanted, now: i64) -> Claim {
    store.claim_of(consumer, &wanted, at(now), LEASE, ALL).await.unwrap()
}

async fn what_waits_keeps_its_attempt_and_is_listed(store: Shared) {
    append(&store, 1..=3).await;
    let reader = consumer("reader");
    let batch = claim(&store, &reader, 0, 3).await;
    let settlements =
        vec![Settlement::Retry { at: at(10) }, Settlement::Wait { at: Timestamp::MAX }, Settlement::Wait { at: at(5) }];
    store.settle(batch, settlements, vec![]).await.unwrap();
    let waiting = store.waiting(&reader, Position(0), 9).await.unwrap();
    let seen: Vec<_> = waiting.iter().map(|waiting| (waiting.position.0, waiting.attempt)).collect();
    assert_eq!(seen, [(1, 2), (2, 1), (3, 1)]);
    assert_eq!(waiting[2], Waiting { position: Position(3), attempt: 1, at: at(5) });
    assert_eq!(store.waiting(&reader, Position(1), 1).await.unwrap(), waiting[1..2]);
    assert_eq!(store.waiting(&consumer("nobody"), Position(0), 9).await.unwrap(), []);
    let batch = claim(&store, &reader, 1_000_000_000, 9).await;
    assert_eq!(positions(&batch), [1, 3], "what is parked is never due");
}

async fn records_that_wait_are_claimed_by_name_before_they_are_due(store: Shared) {
    append(&store, 1..=4).await;
    let reader = consumer("reader");
    let batch = claim(&store, &reader, 0, 3).await;
    settle(&store, batch, Settlement::Wait { at: at(1_000) }).await;
    let these = Wanted::These([3, 1, 4, 9].map(Position).to_vec());
    let batch = claim_of(&store, &reader, these.clone(), 1).await;
    assert_eq!(positions(&batch), [1, 3], "neither what is fresh nor what is not there");
    assert_eq!(positions(&claim_of(&store, &reader, these.clone(), 1).await), [] as [u64; 0], "they are leased");
    settle(&store, batch, Settlement::Done).await;
    assert_eq!(positions(&claim_of(&store, &reader, these, 1).await), [] as [u64; 0]);
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(3));
}

async fn fresh_records_are_claimed_past_those_that_wait(store: Shared) {
    append(&store, 1..=3).await;
    let reader = consumer("reader");
    let batch = claim(&store, &reader, 0, 1).await;
    settle(&store, batch, Settlement::Retry { at: at(1) }).await;
    let fresh = claim_of(&store, &reader, Wanted::Fresh, 5).await;
    assert_eq!(positions(&fresh), [2, 3]);
    assert_eq!(positions(&claim(&store, &reader, 5, 9).await), [1]);
}

async fn what_is_over_can_wait_once_more_and_holds_trimming_back(store: Shared) {
    append(&store, 1..=5).await;
    let reader = consumer("reader");
    let batch = claim(&store, &reader, 0, 4).await;
    let dead = Settlement::Dead { reason: "no".into() };
    let settlements = vec![Settlement::Done, dead, Settlement::Wait { at: at(9) }, Settlement::Done];
    store.settle(batch, settlements, vec![]).await.unwrap();
    let records = [1, 2, 3, 5, 9].map(|position| (Position(position), 100)).to_vec();
    assert_eq!(store.again(&reader, records, at(7)).await.unwrap(), 2, "3 waits already, 5 is to come, 9 is not there");
    assert_eq!(store.dead(&reader, Position(0), 9).await.unwrap(), []);
    let waiting = store.waiting(&reader, Position(0), 9).await.unwrap();
    let seen: Vec<_> = waiting.iter().map(|waiting| (waiting.position.0, waiting.attempt)).collect();
    assert_eq!(seen, [(1, 100), (2, 100), (3, 1)]);
    assert_eq!(store.trim(LOG, at(100)).await.unwrap(), 0);
    let batch = claim(&store, &reader, 8, 2).await;
    assert_eq!(batch.records.iter().map(|claimed| claimed.attempt).collect::<Vec<_>>(), [100, 100]);
    settle(&store, batch, Settlement::Done).await;
    assert_eq!(store.trim(LOG, at(100)).await.unwrap(), 2);
    assert_eq!(store.again(&reader, vec![(Position(1), 1)], at(9)).await.unwrap(), 0, "it is not kept any more");
    assert_eq!(store.again(&consumer("nobody"), vec![(Position(3), 1)], at(9)).await.unwrap(), 0);
}

async fn a_consumer_begins_where_it_is_told_once(store: Shared) {
    append(&store, 1..=4).await;
    let reader = consumer("reader");
    store.begin(&reader, Position(2)).await.unwrap();
    assert_eq!(store.consumers(LOG).await.unwrap(), std::slice::from_ref(&reader));
    assert_eq!(store.consumers(Log::Events).await.unwrap(), []);
    assert_eq!(store.trim(LOG, at(100)).await.unwrap(), 2, "what came before it is not held back");
    store.begin(&reader, Position(4)).await.unwrap();
    assert_eq!(positions(&claim(&store, &reader, 0, 9).await), [3, 4]);
}

async fn dead_records_are_listed_until_trimmed(store: Shared) {
    append(&store, 1..=4).await;
    let reader = consumer("reader");
    let batch = claim(&store, &reader, 0, 10).await;
    let dead = |reason: String| Settlement::Dead { reason };
    let settlements = vec![dead("no".into()), Settlement::Done, dead("é".repeat(2_000)), dead("never".into())];
    store.settle(batch, settlements, vec![]).await.unwrap();
    let listed = store.dead(&reader, Position(0), 10).await.unwrap();
    let seen: Vec<_> = listed.iter().map(|dead| (dead.position.0, dead.key, dead.reason.len())).collect();
    assert_eq!(seen, [(1, key(1), 2), (3, key(3), REASON_BYTES_MAX), (4, key(4), 5)]);
    assert_eq!(store.dead(&reader, Position(1), 1).await.unwrap(), listed[1..2]);
    assert_eq!(trim_all(&store, 3).await, 2);
    assert_eq!(store.dead(&reader, Position(0), 10).await.unwrap(), listed[1..]);
}

async fn consumers_do_not_see_each_other(store: Shared) {
    append(&store, 1..=2).await;
    let (one, two) = (consumer("one"), consumer("two"));
    settle(&store, claim(&store, &one, 0, 10).await, Settlement::Dead { reason: "no".into() }).await;
    assert_eq!(positions(&claim(&store, &two, 0, 10).await), [1, 2]);
    assert_eq!(store.dead(&two, Position(0), 10).await.unwrap(), []);
}

async fn a_forgotten_consumer_begins_again_and_holds_nothing_back(store: Shared) {
    append(&store, 1..=4).await;
    let reader = consumer("reader");
    let again = Settlement::Retry { at: at(50) };
    settle(&store, claim(&store, &reader, 0, 2).await, again).await;
    let open = claim(&store, &reader, 0, 2).await;
    store.forget(&reader).await.unwrap();
    store.forget(&consumer("unknown")).await.unwrap();
    let late = store.settle(open, vec![Settlement::Done; 2], vec![]).await;
    assert!(matches!(late, Err(Error::LeaseLost)));
    assert_eq!(store.cursor(&reader).await.unwrap(), Position(0));
    assert_eq!(trim_all(&store, 2).await, 1);
    assert_eq!(positions(&claim(&store, &reader, 0, 10).await), [2, 3, 4]);
}

async fn the_registry_keeps_versions_and_refuses_stale_changes(store: Shared) {
    assert_eq!((store.get("thing", "a"), store.list("thing")), (None, vec![]));
    let start = store.revision();
    let first = store.commit(vec![put("a", Expected::Absent, "1")]).await.unwrap()[0];
    assert!(first >= 1 && store.revision() > start);
    let refused = store.commit(vec![put("a", Expected::Absent, "2")]).await;
    assert!(matches!(refused, Err(Error::Conflict)));
    let second = store.commit(vec![put("a", Expected::Version(first), "2")]).await.unwrap()[0];
    assert!(second > first);
    let stale = store.commit(vec![delete("a", Expected::Version(first))]).await;
    assert!(matches!(stale, Err(Error::Conflict)));
    let kept = store.get("thing", "a").unwrap();
    assert_eq!((kept.version, &kept.value[..]), (second, &b"2"[..]));
    store.commit(vec![put("b", Expected::Any, "")]).await.unwrap();
    let ids: Vec<_> = store.list("thing").into_iter().map(|(id, _)| id).collect();
    assert_eq!((ids, store.list("other")), (vec!["a".to_owned(), "b".to_owned()], vec![]));
    assert_eq!(store.commit(vec![delete("a", Expected::Version(second))]).await.unwrap(), [0]);
    assert_eq!(store.get("thing", "a"), None);
}

async fn a_commit_raises_the_revision_of_the_kinds_that_it_changes_and_of_no_other(store: Shared) {
    let of = || (store.revision_of("thing"), store.revision_of("other"));
    let other = |value: Option<&str>| Change {
        kind: "other",
        id: "a".to_owned(),
        expected: Expected::Any,
        value: value.map(|value| value.to_owned().into()),
    };
    let start = of();
    store.commit(vec![put("a", Expected::Absent, "1")]).await.unwrap();
    let first = of();
    assert!(first.0 > start.0 && first.1 == start.1);
    assert!(store.commit(vec![other(Some("1")), put("a", Expected::Absent, "2")]).await.is_err());
    assert_eq!(of(), first, "nothing was changed");
    store.commit(vec![other(Some("1")), put("b", Expected::Absent, "1")]).await.unwrap();
    let both = of();
    assert!(both.0 > first.0 && both.1 > first.1);
    store.commit(vec![other(None)]).await.unwrap();
    assert!(of().0 == both.0 && of().1 > both.1, "a deletion is a change");
    assert!(store.revision() >= of().1);
}

async fn a_registry_commit_is_all_or_nothing(store: Shared) {
    let version = store.commit(vec![put("a", Expected::Absent, "1")]).await.unwrap()[0];
    let revision = store.revision();
    let changes =
        vec![put("b", Expected::Absent, "1"), delete("a", Expected::Any), put("c", Expected::Version(9), "1")];
    assert!(matches!(store.commit(changes).await, Err(Error::Conflict)));
    assert_eq!((store.list("thing").len(), store.revision()), (1, revision));
    let changes = vec![delete("a", Expected::Version(version)), put("a", Expected::Absent, "2")];
    let versions = store.commit(changes).await.unwrap();
    assert_eq!((versions[0], versions[1] > version), (0, true));
    assert_eq!(store.get("thing", "a").unwrap().value, "2");
}

async fn a_registry_value_over_the_limit_is_refused(store: Shared) {
    let of = |len| Change { value: Some(vec![b'x'; len].into()), ..put("a", Expected::Any, "") };
    let refused = store.commit(vec![of(REGISTRY_VALUE_BYTES_MAX + 1)]).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    store.commit(vec![of(REGISTRY_VALUE_BYTES_MAX)]).await.unwrap();
    assert_eq!(store.get("thing", "a").unwrap().value.len(), REGISTRY_VALUE_BYTES_MAX);
    store.commit(vec![of(3)]).await.unwrap();
    assert_eq!(store.get("thing", "a").unwrap().value, "xxx");
}

async fn a_deleted_record_never_gets_an_old_version_again(store: Shared) {
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(store.commit(vec![put("a", Expected::Absent, "1")]).await.unwrap());
        store.commit(vec![delete("a", Expected::Any)]).await.unwrap();
    }
    assert!(seen.is_sorted_by(|earlier, later| earlier < later));
}

async fn a_closed_store_answers_unavailable(store: Shared) {
    append(&store, [1]).await;
    assert_eq!(store.status(), Status::Ready);
    store.close().await;
    assert!(matches!(store.status(), Status::NotReady(_)));
    assert!(matches!(store.append(LOG, entry(2)).await, Err(Error::Unavailable { .. })));
    assert!(matches!(store.read(LOG, Position(0), ALL).await, Err(Error::Unavailable { .. })));
    assert!(matches!(store.contains(LOG, &[key(1)]).await, Err(Error::Unavailable { .. })));
    assert!(matches!(store.claim(&consumer("a"), at(0), LEASE, ALL).await, Err(Error::Unavailable { .. })));
    assert!(matches!(store.commit(vec![]).await, Err(Error::Unavailable { .. })));
    store.close().await;
}
