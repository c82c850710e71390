//! What belongs together: the events around an event, and the builds of a revision.

use super::{
    extract::{Call, Segment},
    problem::Problem,
    reply::json,
};
use crate::{
    domain::{BindingId, Slug},
    relations::{self, Happening, Near, Related, Run, RunState},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// Most things between two events, and how many without `depth`.
const DEPTH_MAX: u64 = 6;
const DEPTH_DEFAULT: u64 = 3;
/// Most events of a reply, and how many without `limit`.
const LIMIT_MAX: u64 = 500;
const LIMIT_DEFAULT: u64 = 100;
/// Hexadecimal digits of a commit's id.
const SHA_DIGITS: usize = 40;

/// The events around an event.
#[derive(Debug, Serialize, ToSchema)]
pub struct RelatedView {
    /// Nearer ones first, and of as near ones the newer.
    #[schema(max_items = 500)]
    data: Vec<NearView>,
    /// What was not gone into; empty when these are all.
    #[schema(max_items = 5)]
    cut: Vec<CutView>,
}

/// An event that belongs together with another one.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearView {
    /// Its id: `GET /v1/events/{id}` has all of it.
    id: Uuid,
    /// Its type, with version.
    #[serde(rename = "type")]
    #[schema(max_length = 300, example = "dev.cdevents.change.merged.0.3.0")]
    kind: String,
    /// The organization or collection, and its project.
    #[schema(max_length = 4096)]
    source: String,
    /// To whom it happened, unique in the source.
    #[schema(max_length = 4096, example = "build/builds/4711")]
    subject: String,
    /// When it happened, as it says.
    #[schema(format = DateTime, max_length = 40)]
    time: String,
    /// When this gateway recorded it.
    #[schema(format = DateTime, max_length = 40)]
    recordedtime: String,
    /// How many things lie between: 1 is an event that has something in common with it.
    #[schema(minimum = 1, maximum = 6)]
    distance: usize,
    /// The last of those things, by its domain id without project and repository.
    #[schema(max_length = 4096, example = "cdevents:v0:azure-devops:dev.azure.com:fabrikam::pr:77")]
    through: String,
}

impl From<Near> for NearView {
    fn from(near: Near) -> Self {
        Self {
            id: near.id,
            kind: near.kind,
            source: near.source,
            subject: near.subject,
            time: near.time,
            recordedtime: near.recorded.to_string(),
            distance: near.distance,
            through: near.through,
        }
    }
}

/// Why there may be more than is given.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutView {
    /// There are others further away: ask with a greater `depth`.
    Depth,
    /// There are more: ask with a greater `limit`.
    Limit,
    /// Some thing has more events than are gone through; its newest were.
    Thing,
    /// The newest events were not looked at yet: ask again.
    Behind,
    /// The oldest events are too many to be remembered here.
    Forgotten,
}

impl From<Related> for RelatedView {
    fn from(related: Related) -> Self {
        let cut = [
            (related.cut.depth, CutView::Depth),
            (related.cut.limit, CutView::Limit),
            (related.cut.thing, CutView::Thing),
            (related.is_behind, CutView::Behind),
            (related.is_forgetful, CutView::Forgotten),
        ];
        Self {
            data: related.events.into_iter().map(NearView::from).collect(),
            cut: cut.into_iter().filter_map(|(is_so, word)| is_so.then_some(word)).collect(),
        }
    }
}

/// Walk to what belongs together with an event.
///
/// From the event to those that tell of the same commit, pull request, work item, run or release, or link to it, and on
/// from those. Relations are those that the events' links had when they were made: what became known later is in later
/// events, and is found through them.
#[utoipa::path(get, path = "/v1/events/{id}/related", tag = "events", operation_id = "list_related_events",
    params(
        ("id" = Uuid, Path, description = "The event's id."),
        ("depth" = Option<u32>, Query, description = "Most things between the two events; 3 when left out.", minimum = 1, maximum = 6),
        ("limit" = Option<u32>, Query, description = "Most events; 100 when left out.", minimum = 1, maximum = 500),
    ),
    responses((status = 200, description = "The events around it.", body = RelatedView)))]
pub async fn related(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["depth", "limit"])?;
    let depth = query.number("depth", 1..=DEPTH_MAX, DEPTH_DEFAULT);
    let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT);
    query.finish()?;
    let id: Uuid = id.names("event")?;
    let [depth, limit] = [depth, limit].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let found = relations::related(call.app(), id, depth, limit).await?;
    Ok(json(&RelatedView::from(found.ok_or_else(|| Problem::not_found("event"))?)))
}

/// The builds of a revision.
#[derive(Debug, Serialize, ToSchema)]
pub struct BuildsView {
    /// The newest first.
    #[schema(max_items = 50)]
    data: Vec<BuildView>,
    /// Whether there may be others that were not looked at.
    cut: bool,
}

/// A build: a run of a pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct BuildView {
    /// Its number, unique in the organization or collection.
    #[schema(max_length = 40, example = "4711")]
    number: String,
    /// Its pipeline's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pipeline: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 4096)]
    uri: Option<String>,
    /// How far it is now; absent where only parts of it were told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<BuildStateView>,
    /// How it ended: `success`, `failure`, `cancel`, `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "success")]
    outcome: Option<String>,
    /// Since when it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, max_length = 40, value_type = Option<String>)]
    since: Option<Timestamp>,
    /// What happened to it and its parts, in order of time.
    #[schema(max_items = 100)]
    happenings: Vec<HappeningView>,
    /// Whether older happenings were left out.
    cut: bool,
}

/// How far a build is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildStateView {
    /// It waits.
    Queued,
    /// It goes on.
    Running,
    /// It is being stopped.
    Canceling,
    /// It is over.
    Finished,
}

/// Something that happened to a build or a part of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct HappeningView {
    /// The event's id.
    event: Uuid,
    /// The event's type, with version.
    #[serde(rename = "type")]
    #[schema(max_length = 300, example = "dev.cdevents.pipelinerun.finished.0.3.0")]
    kind: String,
    /// The build, or the stage or job of it.
    #[schema(max_length = 4096, example = "build/builds/4711")]
    subject: String,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, max_length = 40, value_type = Option<String>)]
    time: Option<Timestamp>,
}

impl From<Happening> for HappeningView {
    fn from(own: Happening) -> Self {
        Self { event: own.event, kind: own.kind, subject: own.subject, time: own.time }
    }
}

impl From<Run> for BuildView {
    fn from(run: Run) -> Self {
        let state = |state| match state {
            RunState::Queued => BuildStateView::Queued,
            RunState::Running => BuildStateView::Running,
            RunState::Canceling => BuildStateView::Canceling,
            RunState::Finished => BuildStateView::Finished,
        };
        Self {
            number: run.number,
            pipeline: run.pipeline,
            uri: run.uri,
            state: run.state.map(state),
            outcome: run.outcome,
            since: run.since,
            happenings: run.happenings.into_iter().map(HappeningView::from).collect(),
            cut: run.cut,
        }
    }
}

/// List the builds of a revision.
///
/// Those that the project's build provider selects, as events told of them: how far each is now, and each thing that
/// happened to it with its event and its time. A build from before the binding is among them if its events are kept.
#[utoipa::path(get, path = "/v1/projects/{slug}/builds", tag = "projects", operation_id = "list_builds",
    params(
        ("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("sha" = String, Query, description = "The revision: a commit's id in full.", min_length = 40, max_length = 40, pattern = "^[0-9a-fA-F]{40}$"),
        ("code_deployment" = Option<Uuid>, Query, description = "The binding of a code deployment: if it has a build provider of its own, those that one selects."),
    ),
    responses((status = 200, description = "Its builds.", body = BuildsView),
        (status = 404, description = "There is no such project, or it has no build provider.")))]
pub async fn builds(slug: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["sha", "code_deployment"])?;
    let sha = query.text("sha").unwrap_or_default().to_owned();
    if sha.len() != SHA_DIGITS || !sha.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        query.wrong("sha", "must be a commit's id in full: 40 hexadecimal digits");
    }
    let code_deployment: Option<BindingId> = query.parsed("code_deployment", "a binding's id");
    query.finish()?;
    let slug: Slug = slug.names("project")?;
    let directory = call.app().directory();
    if !directory.projects.contains_key(&slug) {
        return Err(Problem::not_found("project"));
    }
    if let Some(id) = code_deployment
        && !directory.bindings_in(&slug).any(|kept| kept.record.id == id)
    {
        return Err(Problem::not_found("code deployment of this project"));
    }
    let provider = directory.build_provider(&slug, code_deployment);
    let provider = provider.ok_or_else(|| Problem::not_found("build provider of this project"))?;
    let found = relations::builds(call.app(), &provider.record, &sha).await?;
    let cut = found.cut || found.is_behind;
    Ok(json(&BuildsView { data: found.runs.into_iter().map(BuildView::from).collect(), cut }))
}
