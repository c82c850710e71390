//! Whatever is done to the ledger behind the gateway's back shows.

use super::{build_provider, compared, missing, received};
use crate::harness::Gateway;
use hookwell::{
    config::Settings,
    domain::BindingId,
    ledger::{
        Verdict,
        chain::{Break, Fault},
        verify,
    },
    store::{
        Change, Entry, Error, Expected, Journal as _, Log, MemoryStore, PageLimit, Position, Record, Registry as _,
    },
};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use std::{sync::Arc, time::Duration};

async fn records(store: &MemoryStore) -> Vec<Record> {
    let limit = PageLimit { records_max: 1_000, body_bytes_max: 16 << 20 };
    store.read(Log::Ledger, Position(0), limit).await.unwrap().records
}

/// A gateway that opens a store with this ledger and this head.
async fn opened_with(ledger: &[Record], head: Option<bytes::Bytes>) -> Gateway {
    let store = MemoryStore::new();
    for record in ledger {
        let entry = Entry { key: record.key, time: record.time, body: record.body.clone() };
        store.append(Log::Ledger, entry).await.unwrap();
    }
    if head.is_some() {
        let head = Change { kind: "ledger", id: "head".into(), expected: Expected::Any, value: head };
        store.commit(vec![head]).await.unwrap();
    }
    let store = Arc::new(store);
    Gateway::on(Settings::default(), Arc::<MemoryStore>::clone(&store), store).await
}

async fn verdict(ledger: &[Record], head: Option<&bytes::Bytes>) -> Verdict {
    verify(&opened_with(ledger, head.cloned()).await.app).await.unwrap().verdict
}

/// A ledger of `count` entries, more than one of some hours, and its head.
async fn ledger(count: usize) -> (Gateway, BindingId, Vec<Record>, bytes::Bytes) {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    let hours: Vec<_> = (0..count - 2).map(|number| received(number as u64)).collect();
    compared(&gateway, binding, 100, &hours).await;
    compared(&gateway, binding, 100, &[missing(&["build/builds/1"]), missing(&["build/builds/2"])]).await;
    let head = gateway.store.get("ledger", "head").unwrap().value;
    let records = records(&gateway.store).await;
    assert_eq!(records.len(), count);
    (gateway, binding, records, head)
}

fn broken(number: u64, fault: Fault) -> Verdict {
    Verdict::Broken(Break { number, fault })
}

#[tokio::test]
async fn an_untouched_ledger_is_intact_before_and_after_a_restart_and_after_what_is_added_later() {
    let (gateway, binding, records, head) = ledger(9).await;
    let verified = verify(&gateway.app).await.unwrap();
    assert_eq!((verified.verdict, verified.entries, verified.head.number), (Verdict::Intact, 9, 9));
    assert_eq!(verdict(&records, Some(&head)).await, Verdict::Intact);
    compared(&gateway, binding, 50, &[received(1)]).await;
    let verified = verify(&gateway.app).await.unwrap();
    assert_eq!((verified.verdict, verified.entries, verified.head.number), (Verdict::Intact, 10, 10));
    assert_eq!(verdict(&[], None).await, Verdict::Intact, "there is nothing yet");
}

#[tokio::test]
async fn each_way_of_tampering_is_called_by_its_name_at_its_place() {
    let (_, _, records, head) = ledger(9).await;
    let changed = |at: usize| {
        let mut all = records.clone();
        let text = String::from_utf8(all[at].body.to_vec()).unwrap();
        all[at].body = text.replacen("\"expected\":", "\"expected\":9", 1).into();
        all
    };
    let without = |from: usize, to: usize| {
        let mut all = records.clone();
        all.drain(from..to);
        all
    };
    let mut swapped = records.clone();
    swapped.swap(3, 4);
    let mut moved = records.clone();
    let record = moved.remove(2);
    moved.push(record);
    let mut other_key = records.clone();
    other_key[5].key = uuid::Uuid::from_u128(7);
    for (tampered, verdict_is) in [
        (changed(0), broken(1, Fault::Changed)),
        (changed(4), broken(5, Fault::Changed)),
        (changed(8), broken(9, Fault::Changed)),
        (other_key, broken(6, Fault::Changed)),
        (without(0, 2), broken(1, Fault::Removed)),
        (without(4, 6), broken(5, Fault::Removed)),
        (without(8, 9), broken(9, Fault::Removed)),
        (without(0, 9), broken(1, Fault::Removed)),
        (swapped, broken(4, Fault::Removed)),
        (moved, broken(3, Fault::Removed)),
    ] {
        assert_eq!(verdict(&tampered, Some(&head)).await, verdict_is);
    }
    assert_eq!(verdict(&records, None).await, broken(9, Fault::HeadLost));
}

/// What is done to a ledger, with places as parts of its length.
#[derive(Debug, Clone)]
enum Tampering {
    Change {
        at: prop::sample::Index,
        byte: prop::sample::Index,
        to: u8,
    },
    Remove {
        at: prop::sample::Index,
        count: prop::sample::Index,
    },
    /// A copy of one entry, under another key, so that the store takes it.
    Insert {
        at: prop::sample::Index,
        copy_of: prop::sample::Index,
    },
    Move {
        from: prop::sample::Index,
        to: prop::sample::Index,
    },
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        (index(), index(), any::<u8>()).prop_map(|(at, byte, to)| Tampering::Change { at, byte, to }),
        (index(), index()).prop_map(|(at, count)| Tampering::Remove { at, count }),
        (index(), index()).prop_map(|(at, copy_of)| Tampering::Insert { at, copy_of }),
        (index(), index()).prop_map(|(from, to)| Tampering::Move { from, to }),
    ]
}

fn tampered(records: &[Record], tampering: &Tampering) -> Vec<Record> {
    let mut all = records.to_vec();
    let len = all.len();
    match tampering {
        Tampering::Change { at, byte, to } => {
            let record = &mut all[at.index(len)];
            let mut body = record.body.to_vec();
            let byte = byte.index(body.len());
            body[byte] = *to;
            record.body = body.into();
        }
        Tampering::Remove { at, count } => {
            let at = at.index(len);
            let count = 1 + count.index(len - at);
            all.drain(at..at + count);
        }
        Tampering::Insert { at, copy_of } => {
            let mut record = all[copy_of.index(len)].clone();
            record.key = uuid::Uuid::new_v4();
            all.insert(at.index(len + 1), record);
        }
        Tampering::Move { from, to } => {
            let record = all.remove(from.index(len));
            all.insert(to.index(len), record);
        }
    }
    all
}

#[test]
fn no_tampering_goes_unnoticed_also_not_by_going_on_after_it() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_, _, records, head) = runtime.block_on(ledger(12));
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let outcome = runner.run(&tampering(), |tampering| {
        let all = tampered(&records, &tampering);
        let is_same =
            all.len() == records.len() && all.iter().zip(&records).all(|(a, b)| (a.key, &a.body) == (b.key, &b.body));
        prop_assume!(!is_same);
        let (first, later) = runtime.block_on(async {
            let gateway = opened_with(&all, Some(head.clone())).await;
            let first = verify(&gateway.app).await.unwrap().verdict;
            // What is written afterwards does not cover it.
            let (_, other) = build_provider(&gateway, "blog").await;
            compared(&gateway, other, 90, &[received(1), received(2)]).await;
            (first, verify(&opened_again(gateway).await.app).await.unwrap().verdict)
        });
        prop_assert!(matches!(first, Verdict::Broken(_)), "{first:?}");
        prop_assert!(matches!(later, Verdict::Broken(_)), "after going on: {later:?}");
        Ok(())
    });
    outcome.unwrap();
}

async fn opened_again(gateway: Gateway) -> Gateway {
    let store = Arc::clone(&gateway.store);
    let (records, head) = (records(&store).await, store.get("ledger", "head").map(|kept| kept.value));
    opened_with(&records, head).await
}

#[tokio::test]
async fn what_retention_takes_away_from_the_front_is_no_break() {
    let (gateway, binding, ..) = ledger(9).await;
    verify(&gateway.app).await.unwrap();
    gateway.advance(Duration::from_hours(24));
    compared(&gateway, binding, 10, &[received(1), received(2)]).await;
    let before = gateway.app.clock.now() - Duration::from_hours(1);
    assert_eq!(gateway.store.trim(Log::Ledger, before).await.unwrap(), 9);
    let verified = verify(&gateway.app).await.unwrap();
    assert_eq!((verified.verdict, verified.entries), (Verdict::Intact, 2));
    gateway.store.trim(Log::Ledger, gateway.app.clock.now() + Duration::from_hours(1)).await.unwrap();
    assert_eq!(verify(&gateway.app).await.unwrap().verdict, Verdict::Intact, "all of it has passed its retention");
    compared(&gateway, binding, 5, &[received(3)]).await;
    let verified = verify(&gateway.app).await.unwrap();
    assert_eq!((verified.verdict, verified.entries, verified.head.number), (Verdict::Intact, 1, 12));
}

#[tokio::test]
async fn a_crash_between_an_entry_and_its_head_leaves_an_intact_chain() {
    // The head as it was two entries ago: the entries were appended, and then the process was killed.
    let (gateway, binding, ..) = ledger(9).await;
    let head = gateway.store.get("ledger", "head").unwrap().value;
    compared(&gateway, binding, 40, &[received(1), received(2)]).await;
    let all = records(&gateway.store).await;
    let gateway = opened_with(&all, Some(head)).await;
    assert_eq!(verify(&gateway.app).await.unwrap().verdict, Verdict::Intact);
    let (_, other) = build_provider(&gateway, "blog").await;
    compared(&gateway, other, 30, &[received(1)]).await;
    let verified = verify(&gateway.app).await.unwrap();
    assert_eq!((verified.verdict, verified.entries, verified.head.number), (Verdict::Intact, 12, 12));
    let again = verify(&opened_again(gateway).await.app).await.unwrap();
    assert_eq!((again.verdict, again.head.number), (Verdict::Intact, 12));
}

#[tokio::test]
async fn writers_at_once_make_one_chain() {
    let gateway = Gateway::start().await;
    let (_, binding) = build_provider(&gateway, "shop").await;
    let accounts: Vec<_> = (0..20).map(received).collect();
    let gateway = Arc::new(gateway);
    let writers: Vec<_> = (0..8_u64)
        .map(|writer| {
            let (gateway, accounts) = (Arc::clone(&gateway), accounts.clone());
            tokio::spawn(async move { compared(&gateway, binding, 30 + 20 * writer, &accounts).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let verified = verify(&gateway.app).await.unwrap();
    assert_eq!((verified.verdict, verified.entries), (Verdict::Intact, 160));
}

#[tokio::test]
async fn a_closed_store_is_an_error_and_not_a_verdict() {
    use hookwell::store::Store as _;
    let (gateway, ..) = ledger(9).await;
    gateway.store.close().await;
    assert!(matches!(verify(&gateway.app).await, Err(Error::Unavailable { .. })));
}
