//! Whatever the receivers do and whenever the gateway is killed: every event that a living sink wants reaches it, of each
//! entity in order, and the books add up to the journal.

use super::{
    BUILD, CHANGE, Receiver, event,
    receiver::{Answer, Got},
};
use crate::harness::Hasty;
use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hookwell::{
    app::{
        App,
        sinks::{self, NewSink, Start},
    },
    azure::client::{Access, AzureDevOps, Dial, Failure, Unreachable},
    clock::Clock,
    config::Settings,
    dispatch::{self, Fate},
    domain::{Mode, Sink, SinkFilter, SinkId, SinkState, Target, TypePattern, Webhook},
    secrets::Keys,
    store::{Entry, Log, PageLimit, Position, Record, Store, embedded},
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// An Azure DevOps that nobody asks.
struct Nowhere;

#[async_trait]
impl Dial for Nowhere {
    fn dial(&self, _: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        Err(Failure::Unreachable { at: Unreachable::Connect, detail: "nobody asks".to_owned() })
    }
}

/// What a receiver has taken, in the order in which it did: entity and position.
type Taken = Arc<Mutex<Vec<(String, u64)>>>;

/// A receiver that answers by the weather, and notes what it takes.
async fn receiver(seed: u64, gone: bool) -> (Receiver, Taken) {
    let taken: Taken = Arc::default();
    let (noted, count) = (Arc::clone(&taken), AtomicU64::new(seed));
    let decide = move |got: &Got| {
        let roll = count.fetch_add(1, Ordering::SeqCst).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        match roll % 20 {
            0..=1 => Answer::status(500),
            2 => Answer::Status(429, vec![("retry-after", "2".to_owned())]),
            3 => Answer::Hang,
            4..=5 => Answer::Cut,
            6 => Answer::Status(302, vec![("location", "http://169.254.169.254/".to_owned())]),
            7 => Answer::status(422),
            8 if gone => Answer::status(410),
            _ => {
                let json = got.json();
                let events = json.as_array().cloned().unwrap_or_else(|| vec![json]);
                for event in events {
                    let position = event["sequence"].as_str().unwrap().parse().unwrap();
                    noted.lock().unwrap().push((event["subject"].as_str().unwrap().to_owned(), position));
                }
                Answer::status(200)
            }
        }
    };
    (Receiver::deciding(decide).await, taken)
}

async fn make(app: &App, url: String, mode: Mode, types: &[&str], in_flight_max: u32) -> Sink {
    let new = NewSink {
        name: "weather".to_owned(),
        description: None,
        target: Target::Webhook(Webhook {
            url: url.parse().unwrap(),
            mode,
            batch_events_max: Some(4),
            header_names: Vec::new(),
            ca_bundle: None,
            handshake: false,
        }),
        secrets: Vec::new(),
        filter: SinkFilter {
            types: types.iter().map(|kind| TypePattern::new(kind)).collect(),
            ..SinkFilter::default()
        },
        start: Start::Now,
        paused: false,
        in_flight_max,
        per_second_max: None,
        allow_private: true,
        allow_http: true,
    };
    Sink::clone(&sinks::create(app, new, |_, _| Vec::new()).await.unwrap().record)
}

struct Town {
    app: Arc<App>,
    store: Arc<dyn Store>,
    running: tokio::task::JoinHandle<()>,
}

impl Town {
    async fn open(folder: &Path, clock: &Arc<Hasty>, keys: &str) -> Self {
        let options = embedded::Options { free_bytes_min: 0, ..embedded::Options::default() };
        let store: Arc<dyn Store> = Arc::new(embedded::EmbeddedStore::open(folder, options).unwrap());
        let settings = Settings {
            // Nobody waits on this clock, so a night goes by in a second; what is tested here is not retention.
            retention: Duration::from_hours(24 * 365 * 100),
            sink_timeout: Duration::from_millis(300),
            ..Settings::default()
        };
        let keys = Keys::parse(keys, "the test").unwrap();
        let clock: Arc<dyn Clock> = Arc::<Hasty>::clone(clock);
        let app = App::start(settings, Arc::clone(&store), clock, keys, Arc::new(Nowhere)).await.unwrap();
        let app = Arc::new(app);
        let running = tokio::spawn(dispatch::run(Arc::clone(&app)));
        Self { app, store, running }
    }

    /// At any await: what was not durable is gone.
    async fn kill(self) {
        self.running.abort();
        let _ = self.running.await;
        self.store.close().await;
    }

    async fn journal(&self) -> Vec<Record> {
        let mut all: Vec<Record> = Vec::new();
        loop {
            let after = all.last().map_or(Position(0), |record| record.position);
            let page = PageLimit { records_max: 1_000, body_bytes_max: usize::MAX };
            let records = self.store.read(Log::Events, after, page).await.unwrap();
            if records.is_empty() {
                return all;
            }
            all.extend(records);
        }
    }

    /// Whether nothing is left to do for a sink.
    async fn is_done(&self, id: SinkId) -> bool {
        let gone = matches!(self.app.directory().sinks[&id].record.state, SinkState::Gone { .. });
        let consumer = dispatch::consumer(id);
        let reached = self.store.cursor(&consumer).await.unwrap() == *self.store.tail(Log::Events).borrow();
        gone || reached && self.store.waiting(&consumer, Position(0), 1).await.unwrap().is_empty()
    }
}

async fn holds(seed: u64, batches: Vec<(u8, u16)>) {
    let folder = tempfile::tempdir().unwrap();
    let (clock, keys) = (Hasty::new(), BASE64_URL_SAFE_NO_PAD.encode([7; 32]));
    let mut town = Town::open(folder.path(), &clock, &keys).await;
    let (plain, plain_taken) = receiver(seed, false).await;
    let (heaped, heaped_taken) = receiver(seed / 3, false).await;
    let (leaving, leaving_taken) = receiver(seed / 7, true).await;
    let tls = plain.url().replace("http:", "https:");
    let sinks = [
        make(&town.app, plain.url(), Mode::Structured, &[], 4).await,
        make(&town.app, heaped.url(), Mode::Batch, &[CHANGE], 1).await,
        make(&town.app, leaving.url(), Mode::Structured, &[BUILD], 2).await,
        make(&town.app, tls, Mode::Structured, &[BUILD], 2).await,
    ];
    let taken = [plain_taken, heaped_taken, leaving_taken, Taken::default()];
    let mut number = 0;
    for (count, moment) in batches {
        for _ in 0..count {
            number += 1;
            let kind = if number % 3 == 0 { BUILD } else { CHANGE };
            let event = event(number, kind, &format!("entity {}", (number + u128::from(seed)) % 5));
            let entry = Entry { key: event.id, time: clock.now(), body: event.to_stored() };
            town.store.append(Log::Events, entry).await.unwrap();
        }
        // The moment is the test's input, not a wait for something: any moment will do.
        tokio::time::sleep(Duration::from_millis(moment.into())).await;
        town.kill().await;
        town = Town::open(folder.path(), &clock, &keys).await;
    }
    // Backwards: what dies at the others is told to the first.
    let all_done = || async {
        for sink in sinks.iter().rev() {
            if !town.is_done(sink.id).await {
                return false;
            }
        }
        true
    };
    super::until("all is settled", all_done).await;
    let journal = town.journal().await;
    for (sink, taken) in sinks.iter().zip(taken) {
        let taken = taken.lock().unwrap().clone();
        books(&town, sink, &journal, &taken).await;
    }
    town.kill().await;
}

/// Every event is in one of the books, and what is said to have arrived has; of each entity in order.
async fn books(town: &Town, sink: &Sink, journal: &[Record], taken: &[(String, u64)]) {
    let gone = matches!(town.app.directory().sinks[&sink.id].record.state, SinkState::Gone { .. });
    let (mut delivered, mut dead, mut filtered, mut left) = (0, 0, 0, 0);
    let arrived: BTreeSet<u64> = taken.iter().map(|(_, position)| *position).collect();
    for record in journal {
        let (fate, attempts) = dispatch::fate(&town.app, sink, record).await.unwrap();
        match fate {
            Fate::Delivered => {
                delivered += 1;
                assert!(arrived.contains(&record.position.0), "{} never arrived", record.position);
                assert!(!attempts.is_empty());
            }
            Fate::Dead(_) => {
                dead += 1;
                assert_eq!(attempts.len(), 10, "it was tried to the end");
            }
            Fate::Filtered(_) => {
                filtered += 1;
                assert!(!arrived.contains(&record.position.0), "{} was not wanted", record.position);
            }
            Fate::ToCome(_) | Fate::Waiting(_) if gone => left += 1,
            other => panic!("{} is {other:?}", record.position),
        }
    }
    assert_eq!(delivered + dead + filtered + left, journal.len());
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for (entity, position) in taken {
        if seen.insert(position) {
            let before = newest.insert(entity, *position).unwrap_or(0);
            assert!(before < *position, "{entity}: {position} came after {before}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, max_shrink_iters: 8, ..ProptestConfig::default() })]

    #[test]
    fn every_event_reaches_every_living_sink_in_order_and_the_books_add_up(
        seed in 1..u64::from(u32::MAX),
        batches in prop::collection::vec((0..25_u8, 0..400_u16), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(holds(seed, batches));
    }
}
