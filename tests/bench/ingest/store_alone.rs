//! The store without the network: the same notifications at the same concurrency, each waiting until it is durable. With
//! `Work::BothLogs` also what they become is stored, as the gateway's translation would, but without translating.

use crate::{
    load::{FIRST_NUMBER, Report, Template},
    server::Usage,
};
use hookwell::{
    domain::{ConnectionId, Disposition, KeySource, Notification, NotificationId, Verified},
    store::{
        Consumer, Consumers as _, Entry, Journal as _, Log, PageLimit, Settlement, Store as _,
        embedded::{EmbeddedStore, Options},
    },
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use uuid::Uuid;

/// About what an event of these payloads takes.
const EVENT_BYTES: usize = 1_600;
const BATCH: PageLimit = PageLimit { records_max: 128, body_bytes_max: 1 << 20 };

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Notifications only.
    Appends,
    /// And three events for every two of them.
    BothLogs,
}

pub(crate) async fn run(work: Work, concurrency: usize, duration: Duration) -> Report {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let store = Arc::new(EmbeddedStore::open(folder.path(), Options::default()).expect("a store"));
    let (next, stop) = (Arc::new(AtomicU64::new(FIRST_NUMBER)), Arc::new(AtomicBool::new(false)));
    let settling = (work == Work::BothLogs).then(|| tokio::spawn(settle(Arc::clone(&store), Arc::clone(&stop))));
    let (began, before) = (Instant::now(), Usage::of(std::process::id()));
    let waiters: Vec<_> = (0..concurrency)
        .map(|_| tokio::spawn(append(Arc::clone(&store), Arc::clone(&next), began + duration)))
        .collect();
    let (mut latencies, mut bytes) = (Vec::new(), 0);
    for waiter in waiters {
        let (theirs, sent) = waiter.await.expect("a waiter does not panic");
        latencies.extend(theirs);
        bytes += sent;
    }
    let elapsed = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    if let Some(settling) = settling {
        settling.await.expect("settling does not panic");
    }
    let mut report = Report::new(elapsed, latencies, 0, bytes);
    // The waiters and their payloads are in this process, too.
    report.spent(&before, &Usage::of(std::process::id()));
    report.wrote(store.usage().written_bytes);
    store.close().await;
    report
}

async fn append(store: Arc<EmbeddedStore>, next: Arc<AtomicU64>, until: Instant) -> (Vec<u32>, u64) {
    let (mut templates, mut latencies, mut bytes) = (Template::all(""), Vec::new(), 0);
    while Instant::now() < until {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let count = templates.len() as u64;
        let template = &mut templates[usize::try_from(number % count).expect("a small number")];
        template.number(number);
        let notification = notification(number, bytes::Bytes::copy_from_slice(&template.bytes));
        bytes += template.bytes.len() as u64;
        let asked = Instant::now();
        let entry = Entry { key: notification.id.0, time: notification.received_at, body: notification.to_stored() };
        store.append(Log::Notifications, entry).await.expect("it is stored");
        latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    (latencies, bytes)
}

/// As intake would keep it.
pub(crate) fn notification(number: u64, body: bytes::Bytes) -> Notification {
    Notification {
        id: NotificationId(Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes())),
        connection: ConnectionId(Uuid::from_u128(1)),
        received_at: Timestamp::now(),
        disposition: Disposition::Accepted,
        verified: Verified { subscription_key: "manual".to_owned(), generation: 1, signature: false },
        recovered: None,
        key_source: KeySource::Delivery,
        event_type: Some("git.push".to_owned()),
        subscription_id: Some(Uuid::from_u128(2).to_string()),
        notification_id: i64::try_from(number).ok(),
        reason: None,
        headers: BTreeMap::new(),
        size_bytes: body.len() as u64,
        body,
    }
}

async fn settle(store: Arc<EmbeddedStore>, stop: Arc<AtomicBool>) {
    let consumer = Consumer { name: "bench".to_owned(), log: Log::Notifications };
    while !stop.load(Ordering::Relaxed) {
        let claim = store.claim(&consumer, Timestamp::now(), Duration::from_mins(1), BATCH).await.expect("a claim");
        if claim.records.is_empty() {
            tokio::task::yield_now().await;
            continue;
        }
        let mut appends = Vec::new();
        for claimed in &claim.records {
            let record = &claimed.record;
            let events = 1 + record.position.0 % 2;
            appends.extend((0..events).map(|event| {
                let key = Uuid::new_v5(&record.key, &[u8::try_from(event).expect("0 or 1")]);
                let body = record.body.slice(..record.body.len().min(EVENT_BYTES));
                (Log::Events, Entry { key, time: record.time, body })
            }));
        }
        let settlements = vec![Settlement::Done; claim.records.len()];
        store.settle(claim, settlements, appends).await.expect("it is settled");
    }
}
