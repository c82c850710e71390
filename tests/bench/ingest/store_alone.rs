//! The store without the network: the same bodies at the same concurrency, each waiting until it is durable.

use crate::load::{Report, Template};
use hookwell::store::{
    Entry, Journal as _, Log, Store as _,
    sled::{Options, SledStore},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use uuid::Uuid;

pub(crate) async fn run(concurrency: usize, duration: Duration) -> Report {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let store = Arc::new(SledStore::open(folder.path(), Options::default()).expect("a store"));
    let next = Arc::new(AtomicU64::new(1_000_000_000));
    let began = Instant::now();
    let waiters: Vec<_> = (0..concurrency)
        .map(|_| {
            let (store, next) = (Arc::clone(&store), Arc::clone(&next));
            tokio::spawn(async move {
                let (mut templates, mut latencies, mut bytes) = (Template::all(""), Vec::new(), 0);
                while began.elapsed() < duration {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let count = templates.len() as u64;
                    let template = &mut templates[usize::try_from(number % count).expect("a small number")];
                    template.number(number);
                    let body = bytes::Bytes::copy_from_slice(&template.bytes);
                    bytes += body.len() as u64;
                    let asked = Instant::now();
                    let key = Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes());
                    let entry = Entry { key, time: jiff::Timestamp::now(), body };
                    store.append(Log::Notifications, entry).await.expect("it is stored");
                    latencies.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                (latencies, bytes)
            })
        })
        .collect();
    let (mut latencies, mut bytes) = (Vec::new(), 0);
    for waiter in waiters {
        let (theirs, sent) = waiter.await.expect("a waiter does not panic");
        latencies.extend(theirs);
        bytes += sent;
    }
    let elapsed = began.elapsed();
    let mut report = Report::new(elapsed, latencies, 0, bytes);
    report.wrote(store.usage().written_bytes);
    store.close().await;
    report
}
