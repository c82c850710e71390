//! One round's events on their way: in lanes, which run at once, and of which each is in order.

use super::{breaker::Breaker, pace::Pace};
use crate::{
    app::App,
    sink::{Attempt, Error, Outgoing, Sink},
};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// No attempt is begun later in a round than this, on the gateway's clock.
const ROUND_TIMEOUT: Duration = Duration::from_secs(30);
/// When the gateway stops, what is under way may take so much longer, in real time: sockets are. The process ends then.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);
/// Longest wait that a sink is granted at a time.
const HOLD_MAX: Duration = Duration::from_hours(1);

/// An event on its way, and where it is in the round.
pub(super) struct Parcel {
    pub(super) index: usize,
    pub(super) outgoing: Outgoing,
}

/// What came of a round.
pub(super) struct Outcome {
    /// By index; what is not there was not attempted.
    pub(super) attempts: BTreeMap<usize, Attempt>,
    pub(super) breaker: Breaker,
    pub(super) pace: Pace,
    /// The sink is to be left alone until then.
    pub(super) held_until: Option<Timestamp>,
    /// It wants no more events, and what it said.
    pub(super) gone: Option<String>,
    /// It had failed, and has come back.
    pub(super) is_back: bool,
}

/// The limits of one round.
pub(super) struct Limits {
    pub(super) in_flight_max: usize,
    pub(super) per_second_max: Option<u32>,
}

struct Shared<'a> {
    app: &'a App,
    engine: &'a dyn Sink,
    limits: Limits,
    began: Duration,
    outcome: Mutex<Outcome>,
}

/// Sends what can be sent. In a trial one event goes first, and the rest only if it arrived.
pub(super) async fn send(
    app: &App,
    engine: &dyn Sink,
    parcels: Vec<Parcel>,
    limits: Limits,
    breaker: Breaker,
    pace: Pace,
) -> Outcome {
    let outcome = Outcome { attempts: BTreeMap::new(), breaker, pace, held_until: None, gone: None, is_back: false };
    let batch_max = engine.batch_events_max().max(1);
    let width = if breaker.is_trying() || batch_max > 1 { 1 } else { limits.in_flight_max.max(1) };
    let lanes = if batch_max > 1 { vec![parcels] } else { by_entity(parcels) };
    let began = app.clock.monotonic();
    let shared = Shared { app, engine, limits, began, outcome: Mutex::new(outcome) };
    until_done_or_stopped(app, lanes.into_iter().map(|lane| shared.lane(lane, batch_max)), width).await;
    shared.outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// What is still under way then is given up: it was not noted, so it waits and is sent again with the same id.
async fn until_done_or_stopped(app: &App, lanes: impl Iterator<Item = impl Future<Output = ()>>, width: usize) {
    let all = stream::iter(lanes.collect::<Vec<_>>()).buffer_unordered(width).collect::<Vec<()>>();
    let mut all = std::pin::pin!(all);
    let mut stopping = app.stopping();
    tokio::select! {
        _ = &mut all => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    let _ = tokio::time::timeout(STOP_TIMEOUT, all).await;
}

fn by_entity(parcels: Vec<Parcel>) -> Vec<Vec<Parcel>> {
    let mut places = HashMap::new();
    let mut lanes: Vec<Vec<Parcel>> = Vec::new();
    for parcel in parcels {
        let place = *places.entry(parcel.outgoing.entity.clone()).or_insert(lanes.len());
        if place == lanes.len() {
            lanes.push(Vec::new());
        }
        lanes[place].push(parcel);
    }
    lanes
}

impl Shared<'_> {
    async fn lane(&self, lane: Vec<Parcel>, batch_max: usize) {
        let mut failed = BTreeSet::new();
        let mut lane = lane.into_iter().peekable();
        while lane.peek().is_some() && self.goes_on() {
            let batch: Vec<Parcel> =
                lane.by_ref().filter(|parcel| !failed.contains(&parcel.outgoing.entity)).take(batch_max).collect();
            if batch.is_empty() {
                break;
            }
            let wait = self.outcome().pace.take(self.app.clock.monotonic(), self.limits.per_second_max);
            if !wait.is_zero() {
                let mut stopping = self.app.stopping();
                tokio::select! {
                    () = self.app.clock.sleep(wait) => {}
                    _ = stopping.wait_for(|stopping| *stopping) => break,
                }
            }
            if !self.goes_on() {
                break;
            }
            let (indexes, events): (Vec<usize>, Vec<Outgoing>) =
                batch.into_iter().map(|parcel| (parcel.index, parcel.outgoing)).unzip();
            let attempts = self.engine.deliver(&events).await;
            debug_assert_eq!(attempts.len(), events.len(), "an engine answers one attempt for each event");
            for ((index, event), attempt) in indexes.into_iter().zip(events).zip(attempts) {
                if attempt.result.is_err() {
                    failed.insert(event.entity);
                }
                self.note(index, attempt);
            }
        }
    }

    fn note(&self, index: usize, attempt: Attempt) {
        let (now, monotonic) = (self.app.clock.now(), self.app.clock.monotonic());
        let mut outcome = self.outcome();
        let mut hold = |after: Duration| {
            let until = now.checked_add(after.min(HOLD_MAX)).unwrap_or(Timestamp::MAX);
            outcome.held_until = outcome.held_until.max(Some(until));
        };
        match &attempt.result {
            Ok(()) => outcome.is_back |= outcome.breaker.went_well(),
            Err(Error::Held { after }) => {
                hold(*after);
                return;
            }
            Err(Error::Gone { said }) => outcome.gone = Some(said.clone()),
            // The sink works: it is this event that it does not take.
            Err(Error::Permanent { .. }) => {}
            Err(Error::Transient { after, .. }) => {
                if let Some(after) = after {
                    hold(*after);
                }
                if !attempt.status.is_some_and(is_about_the_event) {
                    outcome.breaker.failed(monotonic);
                }
            }
        }
        outcome.attempts.insert(index, attempt);
    }

    /// Whether another attempt may be begun.
    fn goes_on(&self) -> bool {
        let monotonic = self.app.clock.monotonic();
        let outcome = self.outcome();
        !outcome.breaker.is_open(monotonic)
            && outcome.held_until.is_none()
            && outcome.gone.is_none()
            && monotonic.saturating_sub(self.began) < ROUND_TIMEOUT
            && !*self.app.stopping().borrow()
    }

    fn outcome(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Statuses that say that something is wrong with the request, and nothing about whether the sink works.
fn is_about_the_event(status: u16) -> bool {
    (400..500).contains(&status) && ![401, 403, 404, 407, 408, 425, 429].contains(&status)
}
