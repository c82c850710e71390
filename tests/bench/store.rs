//! How much the embedded store takes, by hand: `cargo bench --bench store`.
//!
//! `HOOKWELL_BENCH_DIR` names the disk to measure, `HOOKWELL_BENCH_ONLY` one part (append, sustained, large),
//! `HOOKWELL_BENCH_SECONDS` how long each rate is measured (default 5).

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::format_push_string,
    reason = "a measurement, read by a person"
)]

use hookwell::store::{
    Consumer, Consumers, Entry, Journal, Log, PageLimit, Settlement, Store,
    embedded::{EmbeddedStore, Options},
};
use jiff::Timestamp;
use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use uuid::Uuid;

/// A push as Azure DevOps would send it: 2 to 4 KiB, its ids its own.
fn notification(number: u64) -> Vec<u8> {
    let id = |salt: u64| Uuid::from_u64_pair(mix(number ^ salt), mix(number.wrapping_add(salt)));
    let mut body = format!(
        r#"{{"subscriptionId":"{}","notificationId":{number},"id":"{}","eventType":"git.push","publisherId":"tfs","message":{{"text":"Someone{} pushed updates to repository-{}:main.\r\n(https://dev.azure.com/fabrikam-fiber/_git/repository-{}#version=GBmain)"}},"resource":{{"commits":["#,
        id(1),
        id(2),
        number % 97,
        number % 31,
        number % 31
    );
    for commit in 0..=(number % 4) {
        let hash = format!("{:016x}{:016x}{:08x}", mix(number * 7 + commit), mix(number * 11 + commit), commit * 77);
        body += &format!(
            r#"{{"commitId":"{hash}","author":{{"name":"Someone{}","email":"someone{}@fabrikam.example","date":"2026-03-{:02}T12:{:02}:00Z"}},"committer":{{"name":"Someone{}","email":"someone{}@fabrikam.example","date":"2026-03-{:02}T12:{:02}:00Z"}},"comment":"Fixed bug {} in part {:x} of the {:x} service","url":"https://dev.azure.com/fabrikam-fiber/_git/repository-{}/commit/{hash}"}},"#,
            number % 97,
            number % 97,
            number % 28 + 1,
            number % 60,
            number % 97,
            number % 97,
            number % 28 + 1,
            number % 60,
            number % 9973,
            mix(number),
            mix(number + 5),
            number % 31
        );
    }
    body += &format!(
        r#"],"refUpdates":[{{"name":"refs/heads/main","oldObjectId":"{:016x}{:024x}","newObjectId":"{:016x}{:024x}"}}],"repository":{{"id":"{}","name":"repository-{}","url":"https://dev.azure.com/fabrikam-fiber/_apis/git/repositories/{}","project":{{"id":"{}","name":"Fabrikam","url":"https://dev.azure.com/fabrikam-fiber/_apis/projects/{}","state":"wellFormed","visibility":"unchanged"}},"defaultBranch":"refs/heads/main","remoteUrl":"https://dev.azure.com/fabrikam-fiber/_git/repository-{}"}},"pushedBy":{{"displayName":"Someone{}","id":"{}","uniqueName":"someone{}@fabrikam.example"}},"pushId":{number},"date":"2026-03-01T12:00:00.{:07}Z","url":"https://dev.azure.com/fabrikam-fiber/_apis/git/repositories/{}/pushes/{number}"}},"resourceVersion":"1.0","resourceContainers":{{"collection":{{"id":"{}"}},"account":{{"id":"{}"}},"project":{{"id":"{}"}}}},"createdDate":"2026-03-01T12:00:01.{:07}Z"}}"#,
        mix(number + 1),
        number,
        mix(number + 2),
        number,
        id(number % 31),
        number % 31,
        id(number % 31),
        id(9_000),
        id(9_000),
        number % 31,
        number % 97,
        id(number % 97),
        number % 97,
        number % 9_999_999,
        id(number % 31),
        id(9_001),
        id(9_002),
        id(9_000),
        mix(number) % 9_999_999
    );
    body.into_bytes()
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn entry(number: u64) -> Entry {
    let key = Uuid::from_u64_pair(mix(number), mix(number ^ 0xabcd));
    Entry { key, time: Timestamp::now(), body: notification(number).into() }
}

fn rss_mib() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn written_to_device() -> u64 {
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

fn dir() -> tempfile::TempDir {
    let base = std::env::var("HOOKWELL_BENCH_DIR").unwrap_or_else(|_| "target".into());
    tempfile::tempdir_in(base).unwrap()
}

struct Load {
    store: Arc<EmbeddedStore>,
    next: Arc<AtomicU64>,
    bytes: Arc<AtomicU64>,
}

impl Load {
    fn new(dir: &Path) -> Self {
        let store = Arc::new(EmbeddedStore::open(dir, Options::default()).unwrap());
        Self { store, next: Arc::default(), bytes: Arc::default() }
    }

    /// Appends with so many waiters until the time or the number is up; gives back latencies.
    async fn append(&self, waiters: usize, limit: Duration, until: u64) -> Vec<Duration> {
        let started = Instant::now();
        let tasks: Vec<_> = (0..waiters)
            .map(|_| {
                let (store, next, bytes) = (Arc::clone(&self.store), Arc::clone(&self.next), Arc::clone(&self.bytes));
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while started.elapsed() < limit {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= until {
                            break;
                        }
                        let entry = entry(number);
                        bytes.fetch_add(entry.body.len() as u64, Ordering::Relaxed);
                        let asked = Instant::now();
                        store.append(Log::Notifications, entry).await.unwrap();
                        latencies.push(asked.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        latencies.sort_unstable();
        latencies
    }

    /// Settles everything with 1.5 events each until told to stop and nothing is left.
    fn consume(&self, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<u64> {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            let consumer = Consumer { name: "translate".into(), log: Log::Notifications };
            let limit = PageLimit { records_max: 128, body_bytes_max: 1 << 20 };
            let mut tail = store.tail(Log::Notifications);
            let mut settled = 0;
            loop {
                let claim = store.claim(&consumer, Timestamp::now(), Duration::from_mins(1), limit).await.unwrap();
                if claim.records.is_empty() {
                    if stop.load(Ordering::Relaxed) {
                        return settled;
                    }
                    let _ = tokio::time::timeout(Duration::from_millis(20), tail.changed()).await;
                    continue;
                }
                let mut events = Vec::new();
                for claimed in &claim.records {
                    let position = claimed.record.position.0;
                    for part in 0..=(position % 2) {
                        let key = Uuid::from_u64_pair(mix(position * 2 + part), 7);
                        let body = claimed.record.body.clone();
                        events.push((Log::Events, Entry { key, time: claimed.record.time, body }));
                    }
                }
                settled += claim.records.len() as u64;
                let done = vec![Settlement::Done; claim.records.len()];
                store.settle(claim, done, events).await.unwrap();
            }
        })
    }

    fn report(&self, what: &str, latencies: &[Duration], took: Duration, device_before: u64, rss_before: f64) {
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        let received = self.bytes.swap(0, Ordering::Relaxed) as f64;
        println!(
            "{what}: {:.0}/s  p50 {:.2} ms  p99 {:.2} ms  device bytes per byte received {:.2}  RSS +{:.0} MiB  ({:?})",
            latencies.len() as f64 / took.as_secs_f64(),
            at(0.5),
            at(0.99),
            (written_to_device() - device_before) as f64 / received,
            rss_mib() - rss_before,
            self.store.usage()
        );
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let only = std::env::var("HOOKWELL_BENCH_ONLY").ok();
    let seconds = std::env::var("HOOKWELL_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let measured = Duration::from_secs(seconds);
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let rss = rss_mib();
    if wanted("append") {
        for waiters in [1, 16, 64, 256] {
            let dir = dir();
            let load = Load::new(dir.path());
            let (device, started) = (written_to_device(), Instant::now());
            let latencies = runtime.block_on(load.append(waiters, measured, u64::MAX));
            load.report(&format!("append, {waiters} waiters"), &latencies, started.elapsed(), device, rss);
        }
    }
    if wanted("sustained") {
        let dir = dir();
        let load = Load::new(dir.path());
        let (device, started) = (written_to_device(), Instant::now());
        let (latencies, appending, settled) = runtime.block_on(async {
            let stop = Arc::new(AtomicBool::new(false));
            let consumer = load.consume(Arc::clone(&stop));
            let latencies = load.append(64, measured * 3, u64::MAX).await;
            let appending = started.elapsed();
            stop.store(true, Ordering::Relaxed);
            (latencies, appending, consumer.await.unwrap())
        });
        load.report("append while settling, 64 waiters", &latencies, appending, device, rss);
        println!(
            "  settled with 1.5 events each: {:.0}/s until drained",
            settled as f64 / started.elapsed().as_secs_f64()
        );
    }
    if wanted("large") {
        let dir = dir();
        let load = Load::new(dir.path());
        let (device, started) = (written_to_device(), Instant::now());
        let (latencies, took) = runtime.block_on(async {
            let stop = Arc::new(AtomicBool::new(false));
            let consumer = load.consume(Arc::clone(&stop));
            let latencies = load.append(64, Duration::MAX, 400_000).await;
            let took = started.elapsed();
            stop.store(true, Ordering::Relaxed);
            consumer.await.unwrap();
            (latencies, took)
        });
        load.report("400,000 notifications, 600,000 events", &latencies, took, device, rss);
        runtime.block_on(load.store.close());
        drop(load);
        let (before, started) = (rss_mib(), Instant::now());
        let store = EmbeddedStore::open(dir.path(), Options::default()).unwrap();
        let took = started.elapsed();
        println!(
            "opened again in {:.2} s, RSS {before:.0} -> {:.0} MiB, {:?}",
            took.as_secs_f64(),
            rss_mib(),
            store.usage()
        );
    }
}
