//! Sinks as the API shows them. No secret has a member here, but the signing secret when it is new.

use crate::{
    app::{App, connections::Secret},
    dispatch::Lag,
    domain::{Sink, SinkFilter, SinkState, StateChange, Target, secret},
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
    /// About a work item of one of these types.
    #[schema(max_items = 100)]
    pub work_item_types: Vec<String>,
    /// About a work item whose state was changed in one of these ways.
    #[schema(max_items = 100)]
    pub state_changes: Vec<StateChangeView>,
    /// About one of these branches, by short name, or the beginning of one followed by `*`.
    #[schema(max_items = 100)]
    pub branches: Vec<String>,
    /// About something that ended in one of these ways.
    #[schema(max_items = 100)]
    pub outcomes: Vec<String>,
    /// About drafts of pull requests alone (`true`), or about none (`false`).
    pub drafts: Option<bool>,
}

/// A way from one state of a work item to another; what is null can be any.
#[derive(Debug, Serialize, ToSchema)]
pub struct StateChangeView {
    /// The state before.
    #[schema(max_length = 128)]
    pub from: Option<String>,
    /// The state after.
    #[schema(max_length = 128)]
    pub to: Option<String>,
}

impl From<&SinkFilter> for SinkFilterView {
    fn from(filter: &SinkFilter) -> Self {
        let way = |way: &StateChange| StateChangeView { from: way.from.clone(), to: way.to.clone() };
        Self {
            types: filter.types.iter().map(|one| one.as_str().to_owned()).collect(),
            projects: filter.projects.iter().map(ToString::to_string).collect(),
            connections: filter.connections.iter().map(|id| id.0).collect(),
            environments: filter.environments.clone(),
            work_item_types: filter.work_item_types.clone(),
            state_changes: filter.state_changes.iter().map(way).collect(),
            branches: filter.branches.clone(),
            outcomes: filter.outcomes.clone(),
            drafts: filter.drafts,
        }
    }
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
        Self {
            id: record.id.0,
            name: record.name.clone(),
            description: record.description.clone(),
            kind: record.target.word(),
            settings: settings(&record.target),
            secrets_set: record.secrets.keys().filter(|name| *name != secret::SIGNING_PREVIOUS).cloned().collect(),
            secret: None,
            previous_secret_until: record.previous_secret_until.filter(|until| *until > now),
            filter: SinkFilterView::from(&record.filter),
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
