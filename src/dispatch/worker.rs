//! The worker of one sink: it decides what is tried next, and when to leave the sink alone.

use super::{breaker::Breaker, consumer, expiry, open, pace::Pace, parcel, queue::Queue, round::Round};
use crate::{
    app::{App, Kept},
    domain::{Sink, SinkId, SinkState},
    sink,
    store::{Claim, Consumer, Error, Log, PAGE_RECORDS_MAX, PageLimit, Position, Wanted},
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// While so many wait to be tried again, nothing new is begun: what waits has records of its own, in memory too.
const WAITING_MAX: usize = 10_000;
/// Events of a round: as many as are done in about a second.
const ROUND_EVENTS: (usize, usize) = (16, 512);
const ROUND_BYTES_MAX: usize = 4 << 20;
const ROUND_AIM: Duration = Duration::from_secs(1);
/// New events looked at for one that can be a trial.
const TRIAL_EVENTS_MAX: usize = 16;
/// Far longer than a round may take: see [`super::lanes`].
pub(super) const LEASE: Duration = Duration::from_mins(5);
/// How often it is looked for what has passed its retention.
const EXPIRY_PERIOD: Duration = Duration::from_mins(10);
/// Nobody waits longer without looking.
const NAP_MAX: Duration = Duration::from_mins(1);
/// How long a sink that cannot be opened is left alone.
const OPEN_AGAIN: Duration = NAP_MAX;

pub(super) struct Worker {
    pub(super) app: Arc<App>,
    pub(super) id: SinkId,
    pub(super) consumer: Consumer,
    pub(super) queue: Queue,
    pub(super) breaker: Breaker,
    pub(super) pace: Pace,
    /// Nothing is sent before.
    pub(super) held_until: Option<Timestamp>,
    engine: Option<Arc<dyn sink::Sink>>,
    /// The version of the record that the engine was last opened from.
    opened: Option<u64>,
    /// That could not be done, and is tried again at this time of the monotonic clock: it may have been for want of file
    /// descriptors, or of a file that somebody puts there.
    unusable_until: Option<Duration>,
    /// How often events had been requeued from outside when the queue was read.
    loaded: Option<u64>,
    round_events: usize,
    /// On the monotonic clock.
    next_expiry: Duration,
}

/// What a turn came to.
enum Turn {
    /// There may be more to do.
    Again,
    /// Nothing, until something changes or this time comes. `fresh`: a new event is such a change.
    Nap { until: Option<Timestamp>, fresh: bool },
    /// The sink was removed.
    Over,
}

/// Until the gateway stops or the sink is removed.
pub(super) async fn run(app: Arc<App>, id: SinkId) -> SinkId {
    let mut worker = Worker {
        consumer: consumer(id),
        queue: Queue::default(),
        breaker: Breaker::default(),
        pace: Pace::default(),
        held_until: None,
        engine: None,
        opened: None,
        unusable_until: None,
        loaded: None,
        round_events: ROUND_EVENTS.0,
        next_expiry: Duration::ZERO,
        app,
        id,
    };
    let app = Arc::clone(&worker.app);
    let (mut tail, mut changed, mut stopping) = (app.store.tail(Log::Events), app.dispatch.watch(), app.stopping());
    while !*stopping.borrow() {
        tail.borrow_and_update();
        changed.borrow_and_update();
        let (until, fresh) = match worker.turn().await {
            Ok(Turn::Again) => continue,
            Ok(Turn::Over) => break,
            Ok(Turn::Nap { until, fresh }) => (worker.nap(until), fresh),
            Err(error) => {
                tracing::warn!(sink = %id, %error, "a sink waits for the store");
                // What was claimed is claimed again, and what waits may have changed.
                worker.loaded = None;
                (super::STORE_RETRY, false)
            }
        };
        tokio::select! {
            () = app.clock.sleep(until) => {}
            grown = tail.changed(), if fresh => if grown.is_err() { break },
            _ = changed.changed() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
    worker.close().await;
    id
}

impl Worker {
    async fn turn(&mut self) -> Result<Turn, Error> {
        let directory = self.app.directory();
        let Some(kept) = directory.sinks.get(&self.id) else {
            self.app.store.forget(&self.consumer).await?;
            self.app.dispatch.forget(self.id);
            self.app.metrics.forget_sink(self.id);
            return Ok(Turn::Over);
        };
        self.load(&kept.record).await?;
        if self.app.clock.monotonic() >= self.next_expiry {
            expiry::expire(self, &kept.record).await?;
            self.next_expiry = self.app.clock.monotonic() + EXPIRY_PERIOD;
        }
        let idle = Turn::Nap { until: None, fresh: false };
        if kept.record.state != SinkState::Enabled {
            self.close().await;
            return Ok(idle);
        }
        let Some(engine) = self.engine(kept).await else { return Ok(idle) };
        let (now, monotonic) = (self.app.clock.now(), self.app.clock.monotonic());
        if let Some(until) = self.held_until.filter(|until| *until > now) {
            return Ok(Turn::Nap { until: Some(until), fresh: false });
        }
        if let Some(until) = self.breaker.until().filter(|until| *until > monotonic) {
            let until = now.checked_add(until.saturating_sub(monotonic)).unwrap_or(Timestamp::MAX);
            return Ok(Turn::Nap { until: Some(until), fresh: false });
        }
        let Some(claim) = self.claim(now).await? else {
            let fresh = self.queue.len() < WAITING_MAX;
            let mut until = self.queue.next();
            if until.is_some_and(|until| until <= now) {
                // It is leased by a round whose settlement is lost: look anew, but do not spin.
                self.loaded = None;
                until = now.checked_add(super::STORE_RETRY).ok();
            }
            return Ok(Turn::Nap { until, fresh });
        };
        let (began, events) = (self.app.clock.monotonic(), claim.records.len());
        Round { worker: self, sink: &kept.record, engine: &*engine }.run(claim).await?;
        let took = self.app.clock.monotonic().saturating_sub(began);
        let (least, most) = ROUND_EVENTS;
        if took > ROUND_AIM * 2 {
            self.round_events = (self.round_events / 2).max(least);
        } else if took < ROUND_AIM && events >= self.round_events {
            self.round_events = (self.round_events * 2).min(most);
        }
        Ok(Turn::Again)
    }

    /// What is tried next: what is due of what waits, else new events. In a trial as few as possible.
    async fn claim(&self, now: Timestamp) -> Result<Option<Claim>, Error> {
        let trial = self.breaker.is_trying();
        let due = self.queue.pick(now, if trial { 1 } else { self.round_events });
        let limit = |records_max| PageLimit { records_max, body_bytes_max: ROUND_BYTES_MAX };
        if !due.is_empty() {
            let (count, wanted) = (due.len(), Wanted::These(due));
            let claim = self.app.store.claim_of(&self.consumer, &wanted, now, LEASE, limit(count)).await?;
            if !claim.records.is_empty() {
                return Ok(Some(claim));
            }
        }
        if self.queue.len() >= WAITING_MAX {
            return Ok(None);
        }
        let count = if trial { TRIAL_EVENTS_MAX } else { self.round_events };
        let claim = self.app.store.claim_of(&self.consumer, &Wanted::Fresh, now, LEASE, limit(count)).await?;
        Ok((!claim.records.is_empty()).then_some(claim))
    }

    async fn engine(&mut self, kept: &Kept<Sink>) -> Option<Arc<dyn sink::Sink>> {
        let now = self.app.clock.monotonic();
        if self.opened == Some(kept.version) && self.unusable_until.is_some_and(|until| now < until) {
            return None;
        }
        if let (Some(engine), true) = (&self.engine, self.opened == Some(kept.version)) {
            return Some(Arc::clone(engine));
        }
        self.close().await;
        if self.opened.replace(kept.version).is_some_and(|before| before != kept.version) {
            // Somebody has changed or resumed it: what was known of the one before is no reason to wait.
            (self.breaker, self.held_until, self.unusable_until) = (Breaker::default(), None, None);
            self.queue.hasten();
        }
        let opened = open(&self.app, &kept.record);
        let unusable = opened.as_ref().err().map(ToString::to_string);
        if let Some(why) = unusable.as_ref().filter(|_| self.unusable_until.is_none()) {
            tracing::error!(sink = %self.id, why, "a sink cannot be opened");
        }
        self.unusable_until = unusable.is_some().then_some(now + OPEN_AGAIN);
        self.app.dispatch.tell(self.id, |doing| doing.unusable = unusable);
        self.engine = opened.ok();
        self.engine.clone()
    }

    async fn close(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.close().await;
        }
    }

    /// Reads what waits, at the beginning and when somebody has made more wait.
    async fn load(&mut self, sink: &Sink) -> Result<(), Error> {
        let requeues = self.app.dispatch.requeues(self.id);
        if self.loaded == Some(requeues) {
            return Ok(());
        }
        let store = &self.app.store;
        store.begin(&self.consumer, Position(sink.start.0)).await?;
        let mut queue = Queue::default();
        let mut after = Position(0);
        loop {
            let page = store.waiting(&self.consumer, after, PAGE_RECORDS_MAX).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            for waiting in page {
                queue.put(&self.entity_at(waiting.position).await?, waiting);
            }
        }
        self.queue = queue;
        self.loaded = Some(requeues);
        self.app.dispatch.tell(self.id, |doing| doing.waiting = self.queue.len());
        Ok(())
    }

    /// No longer than a minute, and until what is due.
    fn nap(&self, until: Option<Timestamp>) -> Duration {
        let wait = until.map(|until| until.duration_since(self.app.clock.now()));
        let wait = wait.map_or(NAP_MAX, |wait| Duration::try_from(wait).unwrap_or_default());
        // A millisecond is what times are kept to: less would spin.
        wait.clamp(Duration::from_millis(1), NAP_MAX)
    }

    async fn entity_at(&self, position: Position) -> Result<String, Error> {
        let one = PageLimit { records_max: 1, body_bytes_max: 1 };
        let records = self.app.store.read(Log::Events, Position(position.0 - 1), one).await?;
        let record = records.first().filter(|record| record.position == position);
        Ok(record.and_then(parcel::event).map_or_else(|| position.to_string(), |event| parcel::entity(&event)))
    }
}
