//! A survey of a connection: begun, watched and stopped.

use super::{
    extract::{Call, Segment},
    fields::{AZURE_REF, closed},
    members::Members,
    problem::Problem,
    reply::{accepted, large_json},
};
use crate::{
    domain::ConnectionId,
    survey::{
        Finding, QUESTIONS, Verdict,
        job::{self, State, Survey},
    },
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json as value};
use std::sync::Arc;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// In the document; [`schema`] says what it is.
#[derive(ToSchema)]
pub struct SurveyBody;

/// The body that begins one.
pub fn schema() -> Value {
    closed(
        &[],
        &value!({
            "scratch_project": AZURE_REF.nullable("A project of Azure DevOps, by id or name, in which hooks, a branch, a pull request and work items may be made and are removed again. Left out: nothing is changed."),
        }),
    )
}

/// Where it is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SurveyState {
    /// The survey waits for that of another connection.
    Queued,
    /// The survey asks, or removes what it made.
    Running,
    /// The survey is through.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// The survey did not come to its end: `reason` says why.
    Failed,
}

/// How what the service did compares with what was assumed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SurveyVerdict {
    /// The service does as assumed.
    AsAssumed,
    /// The service does otherwise.
    Otherwise,
    /// Nothing that was seen says it.
    Unsettled,
}

/// The answer to one question.
#[derive(Debug, Serialize, ToSchema)]
pub struct SurveyLine {
    /// The question's word.
    #[schema(max_length = 100)]
    pub question: &'static str,
    /// How it compares.
    pub verdict: SurveyVerdict,
    /// The behaviour of the service.
    #[schema(max_length = 2000)]
    pub did: String,
    /// The assumption of Hookwell.
    #[schema(max_length = 2000)]
    pub assumed: &'static str,
}

/// The last survey of a connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct SurveyView {
    /// The connection's id.
    pub connection: Uuid,
    /// Where it is.
    pub state: SurveyState,
    /// The project in which it may make things.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1000)]
    pub scratch_project: Option<String>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub begun_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub ended_at: Option<Timestamp>,
    /// Why it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub reason: Option<String>,
    /// The answers, once it has ended.
    #[schema(max_items = 100)]
    pub lines: Vec<SurveyLine>,
    /// Things that it made and could not remove, by name.
    #[schema(max_items = 200)]
    pub left_behind: Vec<String>,
    /// Things that it made and that are as gone as Azure DevOps lets them be, by name: an abandoned pull request, work items in the recycle
    /// bin.
    #[schema(max_items = 200)]
    pub stays: Vec<String>,
    /// The part that may leave the organization: no names, ids, addresses or texts, but shapes, statuses and counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<Arc<Value>>,
}

impl From<&Finding> for SurveyLine {
    fn from(finding: &Finding) -> Self {
        let verdict = match finding.verdict {
            Verdict::AsAssumed => SurveyVerdict::AsAssumed,
            Verdict::Otherwise => SurveyVerdict::Otherwise,
            Verdict::Unsettled => SurveyVerdict::Unsettled,
        };
        let assumed = QUESTIONS.iter().find(|own| own.key == finding.key).map_or("", |own| own.assumed);
        Self { question: finding.key, verdict, did: finding.did.clone(), assumed }
    }
}

impl SurveyView {
    fn new(id: ConnectionId, survey: &Survey) -> Self {
        Self {
            connection: id.0,
            state: match survey.state {
                State::Queued => SurveyState::Queued,
                State::Running => SurveyState::Running,
                State::Done => SurveyState::Done,
                State::Stopped => SurveyState::Stopped,
                State::Failed => SurveyState::Failed,
            },
            scratch_project: survey.scratch.clone(),
            begun_at: survey.begun_at,
            ended_at: survey.ended_at,
            reason: survey.reason.clone(),
            lines: survey.lines.iter().map(SurveyLine::from).collect(),
            left_behind: survey.left.clone(),
            stays: survey.stays.clone(),
            report: survey.report.clone(),
        }
    }
}

/// Read how a survey is.
///
/// The last one of the connection since the gateway was started.
#[utoipa::path(get, path = "/v1/connections/{id}/survey", tag = "connections", operation_id = "read_survey",
    params(("id" = Uuid, Path, description = "The connection's id.")),
    responses((status = 200, description = "Where it is, and what was found.", body = SurveyView)))]
pub async fn show(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let id: ConnectionId = id.names("connection")?;
    let survey = call.app().surveys.find(id).ok_or_else(|| Problem::not_found("survey"))?;
    large_json(&call, &SurveyView::new(id, &survey))
}

/// Begin a survey of what Azure DevOps does.
///
/// For questions that only a real organization settles: how it refuses, pages, keeps its history. It reads, in at most ten
/// minutes and 300 requests; in a scratch project it also makes hooks, a branch, a pull request and work items, and removes
/// them again, whatever happens. The hooks go to an address under `.invalid`, so nobody is told what they carry. The report
/// has nothing in it that names the organization, so that it can be handed on.
#[utoipa::path(post, path = "/v1/connections/{id}/survey", tag = "connections", operation_id = "begin_survey",
    params(("id" = Uuid, Path, description = "The connection's id.")),
    request_body = SurveyBody,
    responses((status = 202, description = "It runs, or waits for that of another connection.", body = SurveyView),
        (status = 409, description = "One of this connection runs already.")))]
pub async fn begin(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let mut call = call?;
    call.query(&[])?;
    let id: ConnectionId = id.names("connection")?;
    crate::app::connections::find(&call.app().directory(), id)?;
    let body = call.json().await?;
    let mut members = Members::parse(&body)?;
    let scratch = members.text("scratch_project", &AZURE_REF).flatten();
    members.finish()?;
    let survey = job::begin(call.app(), id, scratch)?;
    Ok(accepted(&SurveyView::new(id, &survey)))
}

/// Stop a survey.
///
/// A stopped survey still removes what it made; reading it says when that is done. One that has ended stays as it is.
#[utoipa::path(delete, path = "/v1/connections/{id}/survey", tag = "connections", operation_id = "stop_survey",
    params(("id" = Uuid, Path, description = "The connection's id.")),
    responses((status = 202, description = "It asks nothing more.", body = SurveyView)))]
pub async fn stop(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let id: ConnectionId = id.names("connection")?;
    let survey = call.app().surveys.stop(id).ok_or_else(|| Problem::not_found("survey"))?;
    Ok(accepted(&SurveyView::new(id, &survey)))
}
