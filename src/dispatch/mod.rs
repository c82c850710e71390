//! Handing on: each sink has a consumer of the events' log and a worker of its own, so that none waits for another.
//!
//! What holds, kill -9 included:
//! - An event that a sink's filter lets pass is attempted until it has arrived, is dead, or has passed its retention; each
//!   of the three is written down in the same commit as the attempt. What is repeated carries the same id.
//! - Of one entity, no event is attempted while an older one waits.
//! - Events that a sink has not settled hold trimming back, but no longer than the retention: then they are given up as
//!   dead, counted and said. A paused sink cannot keep the journal for ever.
//!
//! Not promised: that an event arrives once (an answer can be lost), and order between entities. A queue per sink beside
//! the log was not taken: the log is the queue, and only what failed has records of its own.

mod board;
mod breaker;
mod died;
mod expiry;
mod lanes;
mod pace;
mod parcel;
mod queue;
mod record;
mod round;
mod sample;
mod schedule;
mod trace;
mod worker;

pub use self::{
    board::{Board, Doing},
    died::KIND as DIED,
    parcel::{entity, event, outgoing, unwanted},
    record::{AttemptRecord, Left},
    sample::{SAMPLES_MAX, Sample, test},
    schedule::{ATTEMPTS_MAX, ATTEMPTS_PER_RUN},
    trace::{Fate, ToCome, attempts, fate},
};

use crate::{
    app::App,
    domain::{Sink, SinkId},
    secrets::Unopenable,
    sink::{self, Secrets, Tools},
    store::{Consumer, Error, Log, PageLimit, Position},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

/// How long to wait after the store could not be used.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// What every consumer of a sink is called by.
const CONSUMER_PREFIX: &str = "sink/";

/// The consumer of a sink.
pub fn consumer(sink: SinkId) -> Consumer {
    Consumer { name: format!("{CONSUMER_PREFIX}{sink}"), log: Log::Events }
}

/// Opens a sink's engine.
///
/// # Errors
/// What is wrong with its settings.
pub fn open(app: &App, sink: &Sink) -> Result<Arc<dyn sink::Sink>, sink::Unusable> {
    let secrets = secrets(app, sink).map_err(|error| sink::Unusable(error.to_string()))?;
    let host = app.settings.public_url.as_ref().and_then(|url| url.host_str().map(str::to_owned));
    let tools = Tools {
        clock: Arc::clone(&app.clock),
        directory: app.settings.sink_dir.clone(),
        timeouts: sink::wire::Timeouts::within(app.settings.sink_timeout),
        origin: host.unwrap_or_else(|| "hookwell.invalid".to_owned()),
    };
    sink::open(sink, &secrets, &tools)
}

fn secrets(app: &App, sink: &Sink) -> Result<Secrets, Unopenable> {
    let open = |(name, sealed): (&String, &crate::domain::Sealed)| {
        let opened = app.keys.open(&Sink::purpose(sink.id, name), sealed)?;
        Ok((name.clone(), Zeroizing::new(String::from_utf8_lossy(&opened).into_owned())))
    };
    sink.secrets.iter().map(open).collect()
}

/// How far a sink is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// Events that it has not come to, and those that wait to be tried (again). Some of the first its filter may not want.
    pub events: u64,
    /// How long ago the oldest of them was recorded.
    pub age: Duration,
}

/// How far a sink is behind.
///
/// # Errors
/// The store's.
pub async fn lag(app: &App, sink: &Sink) -> Result<Lag, Error> {
    let consumer = consumer(sink.id);
    let cursor = app.store.cursor(&consumer).await?.0.max(sink.start.0).max(app.store.trimmed(Log::Events).0);
    let tail = app.store.tail(Log::Events).borrow().0;
    let waiting = app.dispatch.of(sink.id).waiting as u64;
    let first_waiting = app.store.waiting(&consumer, Position(0), 1).await?.first().map(|waiting| waiting.position.0);
    let oldest = first_waiting.unwrap_or(u64::MAX).min(cursor + 1);
    let page = PageLimit { records_max: 1, body_bytes_max: 1 };
    let record = app.store.read(Log::Events, Position(oldest - 1), page).await?;
    let age = record.first().map(|record| app.clock.now().duration_since(record.time));
    let age = age.and_then(|age| Duration::try_from(age).ok()).unwrap_or_default();
    Ok(Lag { events: tail.saturating_sub(cursor) + waiting, age })
}

/// Runs a worker for each sink until the gateway stops.
pub async fn run(app: Arc<App>) {
    let (mut changed, mut stopping) = (app.dispatch.watch(), app.stopping());
    let mut workers: JoinSet<SinkId> = JoinSet::new();
    let mut running: BTreeMap<SinkId, tokio::task::AbortHandle> = BTreeMap::new();
    while let Err(error) = forget_orphans(&app).await {
        tracing::warn!(%error, "handing on waits for the store");
        tokio::select! {
            () = app.clock.sleep(STORE_RETRY) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
    while !*stopping.borrow() {
        changed.borrow_and_update();
        running.retain(|_, worker| !worker.is_finished());
        for id in app.directory().sinks.keys() {
            running.entry(*id).or_insert_with(|| workers.spawn(worker::run(Arc::clone(&app), *id)));
        }
        let ended = tokio::select! {
            _ = changed.changed() => None,
            Some(ended) = workers.join_next() => ended.err(),
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        if let Some(error) = ended {
            // A bug of ours in one sink must not end it for good, nor spin.
            tracing::error!(%error, "the worker of a sink ended and is started again");
            app.clock.sleep(STORE_RETRY).await;
        }
    }
    while workers.join_next().await.is_some() {}
}

/// A sink that was removed just before a crash left its consumer, which would hold back trimming.
async fn forget_orphans(app: &App) -> Result<(), Error> {
    let directory = app.directory();
    for consumer in app.store.consumers(Log::Events).await? {
        let id = consumer.name.strip_prefix(CONSUMER_PREFIX).and_then(|id| id.parse().ok());
        if id.is_some_and(|id: SinkId| !directory.sinks.contains_key(&id)) {
            app.store.forget(&consumer).await?;
        }
    }
    Ok(())
}
