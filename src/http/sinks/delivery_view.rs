//! Deliveries as the API shows them.

use crate::{
    app::sinks::deliveries::{Delivery, Told},
    dispatch::{AttemptRecord, Fate, Left, Sample, ToCome},
    domain::Sink,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What became of an event at a sink.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It has arrived.
    Delivered,
    /// Its turn has not come yet.
    ToCome,
    /// It is tried (again).
    Waiting,
    /// It was given up.
    Dead,
    /// The sink's filter does not want it.
    Filtered,
    /// It was there before the sink began.
    BeforeStart,
    /// The sink's filter wants it now, and did not when its turn was; replay sends it.
    OtherFilter,
    /// Its attempts are no longer kept.
    Forgotten,
}

/// What an attempt left.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttemptLeft {
    /// The event has arrived.
    Delivered,
    /// It is tried again.
    Waiting,
    /// It was given up.
    Dead,
}

/// One attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// From 1; a replay begins anew.
    pub number: u32,
    /// Which replay it belongs to; 0 is the first delivery.
    pub replay: u32,
    /// When it had ended.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub at: jiff::Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What it left.
    pub left: AttemptLeft,
    /// What went wrong.
    #[schema(max_length = 1000)]
    pub detail: Option<String>,
    /// The beginning of the answer, without secrets.
    #[schema(max_length = 2000)]
    pub answer: Option<String>,
}

impl From<&AttemptRecord> for AttemptView {
    fn from(record: &AttemptRecord) -> Self {
        Self {
            number: record.step(),
            replay: record.run(),
            at: record.at,
            duration_ms: record.took_ms,
            status: record.status,
            left: match record.left {
                Left::Delivered => AttemptLeft::Delivered,
                Left::Waiting => AttemptLeft::Waiting,
                Left::Dead => AttemptLeft::Dead,
            },
            detail: record.said.clone(),
            answer: Some(record.answer.clone()).filter(|answer| !answer.is_empty()),
        }
    }
}

/// One event at one sink.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// The sink.
    pub sink: Uuid,
    /// The event.
    pub event: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(max_length = 300)]
    pub kind: String,
    /// Its place in the log of events.
    #[schema(min_length = 20, max_length = 20)]
    pub sequence: String,
    /// What became of it.
    pub state: DeliveryState,
    /// Why: the part of the filter that it does not pass, what is in the way, or what went wrong.
    #[schema(max_length = 1000)]
    pub reason: Option<String>,
    /// When it is tried (again); null where it waits behind an older event of its entity.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub next_attempt_at: Option<jiff::Timestamp>,
    /// The attempts that are kept.
    #[schema(max_items = 100)]
    pub attempts: Vec<AttemptView>,
}

impl DeliveryView {
    /// Of what was found.
    pub fn new(sink: &Sink, delivery: Delivery) -> Self {
        let Delivery { event: Told { id, kind, position }, fate, attempts } = delivery;
        let (state, reason, next_attempt_at) = said(fate);
        Self {
            sink: sink.id.0,
            event: id,
            kind,
            sequence: format!("{position:020}", position = position.0),
            state,
            reason,
            next_attempt_at,
            attempts: attempts.iter().map(AttemptView::from).collect(),
        }
    }
}

fn said(fate: Fate) -> (DeliveryState, Option<String>, Option<jiff::Timestamp>) {
    use DeliveryState as State;
    let because = |state, reason: &str| (state, Some(reason.to_owned()), None);
    match fate {
        Fate::Delivered => (State::Delivered, None, None),
        Fate::Waiting(None) => because(State::Waiting, "an older event of the same entity waits"),
        Fate::Waiting(at) => (State::Waiting, None, at),
        Fate::Dead(reason) => (State::Dead, Some(reason), None),
        Fate::BeforeStart => because(State::BeforeStart, "the sink begins after it"),
        Fate::OtherFilter => because(State::OtherFilter, "the filter was another one when its turn was"),
        Fate::Forgotten => because(State::Forgotten, "attempts are kept for 7 days"),
        Fate::Filtered(unwanted) => because(State::Filtered, unwanted.words()),
        Fate::ToCome(why) => match why {
            ToCome::Turn => (State::ToCome, None, None),
            ToCome::Paused => because(State::ToCome, "the sink is paused"),
            ToCome::Gone => because(State::ToCome, "the sink wants no more events"),
            ToCome::Unusable(why) => (State::ToCome, Some(format!("the sink cannot be opened: {why}")), None),
            ToCome::Failing(at) => (State::ToCome, Some("the sink fails and is left alone".to_owned()), Some(at)),
            ToCome::Held(at) => (State::ToCome, Some("the sink has asked to be left alone".to_owned()), Some(at)),
        },
    }
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryPage {
    /// Oldest first. A page may be empty although there are more: only so much is looked at per request.
    #[schema(max_items = 100)]
    pub data: Vec<DeliveryView>,
    /// Send it as `after` to go on; null at the end.
    #[schema(max_length = 64)]
    pub next: Option<String>,
}

/// What became of an event at each sink.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDeliveries {
    /// By the sink's id.
    #[schema(max_items = 200)]
    pub data: Vec<DeliveryView>,
}

/// One event that was sent as a test.
#[derive(Debug, Serialize, ToSchema)]
pub struct SampleView {
    /// The event.
    pub event: Uuid,
    /// Its type.
    #[serde(rename = "type")]
    #[schema(max_length = 300)]
    pub kind: String,
    /// Whether it has arrived.
    pub delivered: bool,
    /// The status of the answer.
    pub status: Option<u16>,
    /// How long it took.
    pub duration_ms: u64,
    /// What went wrong.
    #[schema(max_length = 1000)]
    pub detail: Option<String>,
    /// The beginning of the answer, without secrets.
    #[schema(max_length = 2000)]
    pub answer: Option<String>,
}

impl From<Sample> for SampleView {
    fn from(Sample { event, kind, attempt }: Sample) -> Self {
        Self {
            event,
            kind,
            delivered: attempt.result.is_ok(),
            status: attempt.status,
            duration_ms: u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            detail: attempt.result.err().map(|error| error.to_string()),
            answer: Some(attempt.answer).filter(|answer| !answer.is_empty()),
        }
    }
}

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkTestView {
    /// What was sent, by type.
    #[schema(max_items = 10)]
    pub data: Vec<SampleView>,
}

/// What a replay came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkReplayView {
    /// So many events wait to be sent once more.
    #[schema(maximum = 11000)]
    pub replayed: usize,
    /// There is more: send it as `from`, with the same `to`. For what was given up: replay once more when this is through.
    #[schema(max_length = 64)]
    pub next: Option<String>,
}
