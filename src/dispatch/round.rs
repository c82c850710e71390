//! One round of a sink: a claimed batch is judged, sent, and settled with the record of every attempt in one commit.

use super::{
    died,
    lanes::{self, Limits, Outcome, Parcel},
    parcel,
    queue::PARKED,
    record::{AttemptRecord, Left},
    schedule,
    worker::Worker,
};
use crate::{
    app::sinks,
    domain::Sink,
    sink::{self, Attempt, Outgoing},
    store::{Claim, Entry, Error, Log, Position, Settlement, Waiting},
};
use jiff::Timestamp;

/// One round.
pub(super) struct Round<'a> {
    pub(super) worker: &'a mut Worker,
    pub(super) sink: &'a Sink,
    pub(super) engine: &'a dyn sink::Sink,
}

/// What is known of a claimed record.
enum Case {
    /// The filter does not want it, or it is damaged: nothing to do.
    Over,
    /// An older event of its entity waits.
    Behind(Outgoing),
    /// It is on its way.
    Sent(Outgoing),
}

/// How a record is settled, and what is told of it.
struct Ending {
    settlement: Settlement,
    record: Option<AttemptRecord>,
    told: Option<Entry>,
}

impl Round<'_> {
    /// The whole of it.
    pub(super) async fn run(self, claim: Claim) -> Result<(), Error> {
        let cases: Vec<Case> = claim.records.iter().map(|claimed| self.case(claimed)).collect();
        let parcel = |(index, case): (usize, &Case)| match case {
            Case::Sent(outgoing) => Some(Parcel { index, outgoing: outgoing.clone() }),
            Case::Over | Case::Behind(_) => None,
        };
        let parcels: Vec<Parcel> = cases.iter().enumerate().filter_map(parcel).collect();
        let limits =
            Limits { in_flight_max: self.sink.in_flight_max as usize, per_second_max: self.sink.per_second_max };
        let (breaker, pace) = (self.worker.breaker, std::mem::take(&mut self.worker.pace));
        let app = self.worker.app.clone();
        let mut outcome = lanes::send(&app, self.engine, parcels, limits, breaker, pace).await;
        self.worker.pace = std::mem::take(&mut outcome.pace);
        self.worker.breaker = outcome.breaker;
        self.worker.held_until = outcome.held_until;
        if let Some(said) = &outcome.gone {
            // Before the settlement: if we are killed in between, it stays gone and the event is still there.
            sinks::gone(&app, self.sink.id, said).await?;
        }
        self.settle(claim, cases, outcome).await
    }

    fn case(&self, claimed: &crate::store::Claimed) -> Case {
        let record = &claimed.record;
        let Some(event) = parcel::event(record) else {
            tracing::error!(position = %record.position, "an event is damaged and cannot be handed on");
            return Case::Over;
        };
        if parcel::unwanted(self.sink, &event).is_some() {
            return Case::Over;
        }
        let outgoing = parcel::outgoing(record, event);
        // What waits itself was picked in its order; what is new goes behind what waits.
        if !self.worker.queue.holds(record.position) && self.worker.queue.blocks(&outgoing.entity) {
            return Case::Behind(outgoing);
        }
        Case::Sent(outgoing)
    }

    async fn settle(self, claim: Claim, cases: Vec<Case>, mut outcome: Outcome) -> Result<(), Error> {
        let (app, now) = (self.worker.app.clone(), self.worker.app.clock.now());
        let (mut settlements, mut appends, mut told) = (Vec::new(), Vec::new(), Told::default());
        let numbers: Vec<(Position, u32)> =
            claim.records.iter().map(|claimed| (claimed.record.position, claimed.attempt)).collect();
        for (index, (case, (_, attempt))) in cases.iter().zip(&numbers).enumerate() {
            let ending = match (case, outcome.attempts.remove(&index)) {
                (Case::Over, _) => {
                    told.filtered += 1;
                    Ending { settlement: Settlement::Done, record: None, told: None }
                }
                (Case::Sent(outgoing), Some(made)) => self.ending(outgoing, *attempt, &made, now),
                (Case::Behind(_) | Case::Sent(_), _) => {
                    Ending { settlement: Settlement::Wait { at: PARKED }, record: None, told: None }
                }
            };
            told.count(&ending);
            settlements.push(ending.settlement);
            appends.extend(ending.record.map(|record| (Log::Deliveries, record.entry())));
            appends.extend(ending.told.map(|event| (Log::Events, event)));
        }
        let settled = settlements.clone();
        app.store.settle(claim, settlements, appends).await?;
        let queue = &mut self.worker.queue;
        for ((case, (position, attempt)), settlement) in cases.iter().zip(numbers).zip(settled) {
            let at = match settlement {
                Settlement::Done | Settlement::Dead { .. } => {
                    queue.remove(position);
                    continue;
                }
                Settlement::Retry { at } | Settlement::Wait { at } => at,
            };
            if let Case::Behind(outgoing) | Case::Sent(outgoing) = case {
                queue.put(&outgoing.entity, Waiting { position, attempt, at });
            }
        }
        if outcome.is_back {
            queue.hasten();
        }
        told.tell(self.worker, now, &outcome);
        Ok(())
    }

    /// What a made attempt comes to.
    fn ending(&self, outgoing: &Outgoing, number: u32, made: &Attempt, now: Timestamp) -> Ending {
        let id = self.sink.id;
        let record = |left| AttemptRecord::new(id, outgoing, number, made, left, now);
        let dead = |said: &str| Ending {
            settlement: Settlement::Dead { reason: said.to_owned() },
            record: Some(record(Left::Dead)),
            told: died::event(id, outgoing, (number, made.status), said, now).map(|event| Entry {
                key: event.id,
                time: now,
                body: event.to_stored(),
            }),
        };
        let retry = |at| Ending {
            settlement: Settlement::Retry { at },
            record: Some(AttemptRecord { next: (at != PARKED).then_some(at), ..record(Left::Waiting) }),
            told: None,
        };
        match &made.result {
            Ok(()) => Ending { settlement: Settlement::Done, record: Some(record(Left::Delivered)), told: None },
            Err(sink::Error::Held { .. }) => {
                Ending { settlement: Settlement::Wait { at: PARKED }, record: None, told: None }
            }
            // It waits until somebody resumes the sink.
            Err(sink::Error::Gone { .. }) => retry(PARKED),
            Err(sink::Error::Permanent { said }) => dead(said),
            Err(sink::Error::Transient { after, said }) => match schedule::next(number, outgoing.id, now, *after) {
                Some(at) => retry(at),
                None => dead(said),
            },
        }
    }
}

/// What a round tells the metrics and the board.
#[derive(Default)]
struct Told {
    filtered: u64,
    delivered: u64,
    retried: u64,
    dead: u64,
    failed: Option<String>,
}

impl Told {
    fn count(&mut self, ending: &Ending) {
        let Some(record) = &ending.record else { return };
        match record.left {
            Left::Delivered => self.delivered += 1,
            Left::Waiting => self.retried += 1,
            Left::Dead => self.dead += 1,
        }
        if record.said.is_some() {
            self.failed.clone_from(&record.said);
        }
    }

    fn tell(self, worker: &Worker, now: Timestamp, outcome: &Outcome) {
        let (app, id) = (&worker.app, worker.id);
        for (outcome, count) in
            [("filtered", self.filtered), ("delivered", self.delivered), ("retried", self.retried), ("dead", self.dead)]
        {
            app.metrics.delivered(id, outcome, count);
        }
        if self.dead > 0 {
            tracing::error!(sink = %id, dead = self.dead, said = self.failed, "deliveries were given up");
        }
        let monotonic = app.clock.monotonic();
        let open = worker.breaker.until().filter(|until| *until > monotonic);
        let open_until = open.and_then(|until| now.checked_add(until.saturating_sub(monotonic)).ok());
        app.dispatch.tell(id, |doing| {
            if open_until.is_some() && doing.open_until.is_none() {
                tracing::warn!(sink = %id, said = self.failed, "a sink fails and is left alone for a while");
            }
            doing.open_until = open_until;
            doing.held_until = outcome.held_until;
            doing.waiting = worker.queue.len();
            if self.delivered > 0 {
                doing.delivered_at = Some(now);
            }
            if let Some(said) = self.failed {
                doing.failed = Some((now, said));
            }
        });
    }
}
