//! What became of one event at one sink, and why: put together from what is kept, so that it costs nothing until it is
//! asked for.

use super::{
    consumer, parcel,
    record::{AttemptRecord, Left},
    schedule::{ATTEMPTS_MAX, ATTEMPTS_PER_RUN},
};
use crate::{
    app::App,
    domain::{Sink, SinkId, SinkState, Unwanted},
    store::{Error, Log, Position, Record},
};
use jiff::Timestamp;
use uuid::Uuid;

/// Most attempts that are shown of one delivery.
const ATTEMPTS_SHOWN_MAX: usize = 100;

/// After so many runs without an attempt none is looked for.
const EMPTY_RUNS_MAX: u32 = 2;

/// Why an event has not been attempted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToCome {
    /// Its turn comes.
    Turn,
    /// The sink is paused.
    Paused,
    /// The sink wanted no more events.
    Gone,
    /// The sink's settings cannot be used.
    Unusable(String),
    /// The sink fails and is left alone for a while.
    Failing(Timestamp),
    /// The sink has asked to be left alone.
    Held(Timestamp),
}

/// What became of an event at a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It has arrived.
    Delivered,
    /// It will be, as far as the sink is not in the way.
    ToCome(ToCome),
    /// It is tried (again) at this time; without one, once an older event of its entity is done.
    Waiting(Option<Timestamp>),
    /// It was given up.
    Dead(String),
    /// The filter does not want it.
    Filtered(Unwanted),
    /// It was there before the sink.
    BeforeStart,
    /// The filter wants it now, and did not when its turn was.
    OtherFilter,
    /// Its attempts are no longer kept.
    Forgotten,
}

/// What became of an event, and the attempts that are kept.
///
/// # Errors
/// The store's.
pub async fn fate(app: &App, sink: &Sink, record: &Record) -> Result<(Fate, Vec<AttemptRecord>), Error> {
    let (consumer, position) = (consumer(sink.id), record.position);
    let attempts = attempts(app, sink.id, record.key).await?;
    let before = Position(position.0.saturating_sub(1));
    if let Some(waiting) = app.store.waiting(&consumer, before, 1).await?.first().filter(|w| w.position == position) {
        let at =
            (waiting.at != Timestamp::MAX && waiting.at.as_second() < Timestamp::MAX.as_second()).then_some(waiting.at);
        return Ok((Fate::Waiting(at), attempts));
    }
    if let Some(dead) = app.store.dead(&consumer, before, 1).await?.pop().filter(|dead| dead.position == position) {
        return Ok((Fate::Dead(dead.reason), attempts));
    }
    if attempts.iter().any(|attempt| attempt.left == Left::Delivered) {
        return Ok((Fate::Delivered, attempts));
    }
    if position.0 <= sink.start.0 {
        return Ok((Fate::BeforeStart, attempts));
    }
    let passed = app.store.cursor(&consumer).await? >= position;
    let unwanted = parcel::event(record).and_then(|event| parcel::unwanted(sink, &event));
    let fate = match unwanted {
        Some(unwanted) => Fate::Filtered(unwanted),
        None if !passed => Fate::ToCome(to_come(app, sink)),
        // Also one that had failed and came up again under a filter that did not want it.
        None if position.0 <= sink.filter_since => Fate::OtherFilter,
        None => Fate::Forgotten,
    };
    Ok((fate, attempts))
}

fn to_come(app: &App, sink: &Sink) -> ToCome {
    let (doing, now) = (app.dispatch.of(sink.id), app.clock.now());
    match &sink.state {
        SinkState::Paused { .. } => ToCome::Paused,
        SinkState::Gone { .. } => ToCome::Gone,
        SinkState::Enabled => match doing {
            super::Doing { unusable: Some(why), .. } => ToCome::Unusable(why),
            super::Doing { open_until: Some(until), .. } if until > now => ToCome::Failing(until),
            super::Doing { held_until: Some(until), .. } if until > now => ToCome::Held(until),
            _ => ToCome::Turn,
        },
    }
}

/// The attempts that are kept of one delivery, oldest first. Of a run the first ones may be kept no longer, and of several
/// runs the first one.
///
/// # Errors
/// The store's.
pub async fn attempts(app: &App, sink: SinkId, event: Uuid) -> Result<Vec<AttemptRecord>, Error> {
    let (mut attempts, mut empty) = (Vec::new(), 0);
    for run in 0.. {
        let before = attempts.len();
        // One more than there may be: a sink that said 410 at the last attempt is asked once more.
        for step in 1..=ATTEMPTS_MAX + 1 {
            let key = AttemptRecord::key(sink, event, run * ATTEMPTS_PER_RUN + step);
            match app.store.find(Log::Deliveries, key).await? {
                Some(record) => attempts.extend(AttemptRecord::from_record(&record)),
                None if attempts.len() > before => break,
                None => {}
            }
        }
        empty = if attempts.len() == before { empty + 1 } else { 0 };
        if empty == EMPTY_RUNS_MAX || attempts.len() >= ATTEMPTS_SHOWN_MAX {
            break;
        }
    }
    attempts.truncate(ATTEMPTS_SHOWN_MAX);
    Ok(attempts)
}
