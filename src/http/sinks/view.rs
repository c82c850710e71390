//! Sinks and deliveries as the API shows them. No secret has a member here, but the signing secret when it is new.

use crate::{
    app::{
        App,
        connections::Secret,
        sinks::deliveries::{Delivery, Told},
    },
    dispatch::{AttemptRecord, Fate, Lag, Left, Sample, ToCome},
    domain::{Sink, SinkState, Target, Unwanted, secret},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How a sink is doing.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SinkStatus {
    /// Events go to it.
    Enabled,
    /// Somebody has paused it; events wait.
    Paused,
    /// It said that it wants no more events (410); they wait until somebody resumes it.
    Gone,
    /// It fails and is left alone for a while; events wait.
    Failing,
    /// Its settings cannot be used; events wait.
    Unusable,
}

/// Which events a sink wants.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkFilterView {
    /// One of these types.
    #[schema(max_items = 100)]
    pub types: Vec<String>,
    /// Of one of these projects.
    #[schema(max_items = 100)]
    pub projects: Vec<String>,
    /// From one of these connections.
    #[schema(max_items = 100)]
    pub connections: Vec<Uuid>,
    /// About one of these environments.
    #[schema(max_items = 100)]
    pub environments: Vec<String>,
}

/// A sink.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkView {
    /// Its id.
    pub id: Uuid,
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: String,
    /// What it is for.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// What it is.
    #[schema(max_length = 20, example = "webhook")]
    pub kind: &'static str,
    /// Its settings, without secrets.
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
    /// The secrets that are kept, by name. Their values are never shown.
    #[schema(max_items = 50)]
    pub secrets_set: Vec<String>,
    /// The signing secret. Only in the reply to making the sink and to rotating its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub secret: Option<String>,
    /// Until when the signing secret before it signs too.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub previous_secret_until: Option<jiff::Timestamp>,
    /// Which events it wants.
    pub filter: SinkFilterView,
    /// How it is doing.
    pub status: SinkStatus,
    /// What is in the way, in words.
    #[schema(max_length = 1000)]
    pub detail: Option<String>,
    /// When it is tried again, where it is left alone.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub retry_at: Option<jiff::Timestamp>,
    /// When something last arrived, since the gateway began.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub delivered_at: Option<jiff::Timestamp>,
    /// Events that it has not come to, and those that wait to be tried again.
    pub lag_events: u64,
    /// How long ago the oldest of them was recorded, in seconds.
    pub lag_seconds: u64,
    /// Events that wait to be tried (again).
    pub waiting: usize,
    /// Deliveries under way at once, at most.
    #[schema(maximum = 100)]
    pub in_flight_max: u32,
    /// Deliveries begun per second, at most.
    pub per_second_max: Option<u32>,
    /// Whether addresses in private networks may be reached.
    pub allow_private: bool,
    /// Whether it may be reached without TLS.
    pub allow_http: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub created_at: jiff::Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub updated_at: jiff::Timestamp,
}

impl SinkView {
    /// Without any secret.
    pub fn new(app: &App, record: &Sink, lag: Lag) -> Self {
        let (doing, now) = (app.dispatch.of(record.id), app.clock.now());
        let failing = doing.open_until.is_some();
        let said = || doing.failed.as_ref().map(|(_, said)| said.clone());
        let (status, detail) = match &record.state {
            SinkState::Paused { .. } => (SinkStatus::Paused, None),
            SinkState::Gone { said, .. } => (SinkStatus::Gone, Some(said.clone())),
            SinkState::Enabled if doing.unusable.is_some() => (SinkStatus::Unusable, doing.unusable.clone()),
            SinkState::Enabled if failing => (SinkStatus::Failing, said()),
            SinkState::Enabled => (SinkStatus::Enabled, if doing.waiting > 0 { said() } else { None }),
        };
        let texts = |all: &[crate::domain::TypePattern]| all.iter().map(|one| one.as_str().to_owned()).collect();
        Self {
            id: record.id.0,
            name: record.name.clone(),
            description: record.description.clone(),
            kind: record.target.word(),
            settings: settings(&record.target),
            secrets_set: record.secrets.keys().filter(|name| *name != secret::SIGNING_PREVIOUS).cloned().collect(),
            secret: None,
            previous_secret_until: record.previous_secret_until.filter(|until| *until > now),
            filter: SinkFilterView {
                types: texts(&record.filter.types),
                projects: record.filter.projects.iter().map(ToString::to_string).collect(),
                connections: record.filter.connections.iter().map(|id| id.0).collect(),
                environments: record.filter.environments.clone(),
            },
            status,
            detail,
            retry_at: doing.open_until.max(doing.held_until),
            delivered_at: doing.delivered_at,
            lag_events: lag.events,
            lag_seconds: lag.age.as_secs(),
            waiting: doing.waiting,
            in_flight_max: record.in_flight_max,
            per_second_max: record.per_second_max,
            allow_private: record.allow_private,
            allow_http: record.allow_http,
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }

    /// With the signing secret, this once.
    #[must_use]
    pub fn showing(mut self, secret: Option<&Secret>) -> Self {
        self.secret = secret.map(|secret| secret.to_string());
        self
    }
}

/// As they are kept: none of them is secret.
fn settings(target: &Target) -> serde_json::Value {
    let mut value = serde_json::to_value(target).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.remove("kind");
    }
    value
}

/// All sinks.
#[derive(Debug, Serialize, ToSchema)]
pub struct SinkList {
    /// By id.
    #[schema(max_items = 200)]
    pub data: Vec<SinkView>,
}

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
        Fate::Filtered(Unwanted::Type) => because(State::Filtered, "filter.types"),
        Fate::Filtered(Unwanted::Project) => because(State::Filtered, "filter.projects"),
        Fate::Filtered(Unwanted::Connection) => because(State::Filtered, "filter.connections"),
        Fate::Filtered(Unwanted::Environment) => because(State::Filtered, "filter.environments"),
        Fate::Filtered(Unwanted::AboutItself) => because(State::Filtered, "it is about a delivery to this very sink"),
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
pub struct ReplayView {
    /// So many events wait to be sent once more.
    #[schema(maximum = 11000)]
    pub replayed: usize,
    /// There is more: send it as `from`, with the same `to`. For what was given up: replay once more when this is through.
    #[schema(max_length = 64)]
    pub next: Option<String>,
}
