//! Filling a binding with what happened before it was there, and watching it.

use super::{
    extract::{Call, Segment},
    fields::{TIME, closed},
    members::Members,
    problem::Problem,
    reply::{accepted, json, no_content},
};
use crate::{
    app::{App, bindings},
    backfill::control,
    domain::{Backfill, BackfillState, BackfillStream, BindingId},
    http::completeness_views::StreamView,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json as value};
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// In the document; [`schema`] says what it is.
#[derive(ToSchema)]
pub struct BackfillBody;

/// What beginning one takes.
pub fn schema() -> Value {
    closed(
        &[],
        &value!({
            "from": TIME.nullable("From when on; not before what is kept. Left out: as far back as new bindings are filled."),
            "to": TIME.nullable("Up to when; now when left out."),
        }),
    )
}

/// How a backfill is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackfillStateView {
    /// It waits until that of another binding of the same connection is through.
    Queued,
    /// It is being worked on.
    Running,
    /// Somebody stopped it; it can go on where it was.
    Cancelled,
    /// It is through.
    Done,
    /// It cannot go on: `reason` says why. Once that is mended, begin it again: it goes on where it was.
    Failed,
}

/// How far one kind of record is.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackfillStreamView {
    /// Which.
    pub stream: StreamView,
    /// Everything from the beginning up to here was compared and repaired.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub until: Timestamp,
    /// Facts that Azure's records told.
    pub found: u64,
    /// Of those, here already, by a hook or by the history.
    pub already_there: u64,
    /// Of those, made good from the records.
    pub repaired: u64,
    /// Of those, neither.
    pub unexplained: u64,
    /// Calls to Azure DevOps.
    pub calls: u64,
}

impl From<&BackfillStream> for BackfillStreamView {
    fn from(stream: &BackfillStream) -> Self {
        Self {
            stream: stream.stream.into(),
            until: stream.until,
            found: stream.found,
            already_there: stream.already,
            repaired: stream.repaired,
            unexplained: stream.unexplained,
            calls: stream.calls,
        }
    }
}

/// The last backfill of a binding.
#[derive(Debug, Serialize, ToSchema)]
pub struct BackfillView {
    /// The binding's id.
    pub binding: Uuid,
    /// How it is.
    pub state: BackfillStateView,
    /// Why it failed, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub reason: Option<String>,
    /// From when on.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub from: Timestamp,
    /// Up to when.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub to: Timestamp,
    /// How much of the way is done, in percent.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: f64,
    /// Facts compared in a second of work, so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub facts_per_second: Option<f64>,
    /// Seconds of work left at the speed so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds_left: Option<u64>,
    /// Each kind of record.
    #[schema(max_items = 5)]
    pub streams: Vec<BackfillStreamView>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub started_at: Timestamp,
    /// When it last moved.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub updated_at: Timestamp,
}

/// Longest reason.
const REASON_CHARS_MAX: usize = 2_000;

impl BackfillView {
    fn new(app: &App, job: &Backfill) -> Self {
        let (state, reason) = match &job.state {
            BackfillState::Running if app.backfills.is_at_work(job.binding) => (BackfillStateView::Running, None),
            BackfillState::Running => (BackfillStateView::Queued, None),
            BackfillState::Cancelled => (BackfillStateView::Cancelled, None),
            BackfillState::Done => (BackfillStateView::Done, None),
            BackfillState::Failed { reason } => (BackfillStateView::Failed, Some(reason.clone())),
        };
        Self {
            binding: job.binding.0,
            state,
            reason: reason.map(|reason| reason.chars().take(REASON_CHARS_MAX).collect()),
            from: job.from,
            to: job.to,
            percent: rounded(job.share() * 100.0),
            facts_per_second: job.facts_per_second().map(rounded),
            seconds_left: job.time_left().filter(|_| job.state == BackfillState::Running).map(|left| left.as_secs()),
            streams: job.streams.iter().map(BackfillStreamView::from).collect(),
            started_at: job.started_at,
            updated_at: job.updated_at,
        }
    }
}

/// To a tenth, so that a bar moves and nobody reads more into it.
fn rounded(figure: f64) -> f64 {
    (figure * 10.0).floor() / 10.0
}

/// Read how a backfill is.
#[utoipa::path(get, path = "/v1/bindings/{id}/backfill", tag = "bindings", operation_id = "read_backfill",
    params(("id" = Uuid, Path, description = "The binding's id.")),
    responses((status = 200, description = "The last one of the binding.", body = BackfillView)))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let id: BindingId = id.names("binding")?;
    bindings::find(&call.app().directory(), id)?;
    let job = control::find(call.app(), id).ok_or_else(|| Problem::not_found("backfill"))?;
    Ok(json(&BackfillView::new(call.app(), &job.record)))
}

/// Begin a backfill.
///
/// Everything that Azure DevOps' own records tell of a stretch of time is compared with the events, and what is missing is
/// made good. It works by itself, slice by slice, oldest first; reading it says how far it is. It gives way to everything
/// else that asks Azure DevOps with the same identity. One of a connection runs at a time, others wait for it. Without
/// `from` and `to` one that was cancelled or failed goes on where it was. A new binding begins one by itself.
#[utoipa::path(post, path = "/v1/bindings/{id}/backfill", tag = "bindings", operation_id = "begin_backfill",
    params(("id" = Uuid, Path, description = "The binding's id.")),
    request_body = BackfillBody,
    responses((status = 202, description = "It runs, or waits for its turn.", body = BackfillView),
        (status = 409, description = "One of this binding runs already.")))]
pub async fn begin(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let id: BindingId = id.names("binding")?;
    bindings::find(&call.app().directory(), id)?;
    let body = call.json().await?;
    let app = call.app();
    let (from, to) = read(app, id, &body)?;
    let job = control::begin(app, id, from, to).await?;
    Ok(accepted(&BackfillView::new(app, &job)))
}

/// Cancel a backfill.
///
/// What it made good stays. Beginning one without `from` and `to` goes on where it was.
#[utoipa::path(delete, path = "/v1/bindings/{id}/backfill", tag = "bindings", operation_id = "cancel_backfill",
    params(("id" = Uuid, Path, description = "The binding's id.")),
    responses((status = 204, description = "It does not run.")))]
pub async fn cancel(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    control::cancel(call.app(), id.names("binding")?).await?;
    Ok(no_content())
}

fn read(app: &App, id: BindingId, body: &[u8]) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let mut members = Members::parse(body)?;
    let (from, to) = (time(&mut members, "from"), time(&mut members, "to"));
    let (oldest, now) = (control::oldest(app), app.clock.now());
    if from.is_some_and(|from| from < oldest) {
        let wrong = format!("events are kept since {oldest}; give that or later, or keep more (retention_days)");
        members.wrong("from", wrong);
    }
    if to.is_some_and(|to| to > now) {
        members.wrong("to", "must not be in the future");
    } else if from.is_some_and(|from| from >= to.unwrap_or(now)) {
        members.wrong("from", "must be before to, which is now when it is left out");
    } else if to.is_some_and(|to| to <= oldest) {
        members.wrong("to", format!("events are kept since {oldest}; give a later time"));
    }
    let resumes = to.is_none() && control::find(app, id).is_some_and(|job| job.record.state != BackfillState::Done);
    if from.is_none() && !resumes && app.settings.backfill.is_zero() {
        members.wrong("from", "is needed: new bindings are not filled here (backfill_days is 0)");
    }
    members.finish()?;
    Ok((from, to))
}

fn time(members: &mut Members, name: &'static str) -> Option<Timestamp> {
    let text = members.text(name, &TIME).flatten()?;
    // The bounds hold for a time only.
    text.parse().ok()
}
