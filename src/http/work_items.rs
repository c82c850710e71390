//! The work items of a project, as events told of them.

use super::{
    extract::{Call, Segment},
    problem::Problem,
    reply::json,
};
use crate::{
    domain::Slug,
    relations::{self, Transition, WorkItem},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// A work item.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkItemView {
    /// Its number, unique in the organization or collection.
    #[schema(minimum = 1)]
    number: i64,
    /// Its type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256, example = "Bug")]
    item_type: Option<String>,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    title: Option<String>,
    /// Its state, as the process names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256, example = "Active")]
    state: Option<String>,
    /// The state's category: `Proposed`, `InProgress`, `Resolved`, `Completed`, `Removed`; absent while Azure DevOps does not
    /// say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "InProgress")]
    category: Option<String>,
    /// Who has it: the account, else the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    owner: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = "uri", max_length = 4096)]
    uri: Option<String>,
    /// Its states in order; the first is the one that it was first heard of in.
    #[schema(max_items = 500)]
    transitions: Vec<TransitionView>,
    /// Whether events of it were not looked at.
    cut: bool,
}

/// A change of a work item's state.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransitionView {
    /// The event that told of it.
    event: Uuid,
    /// The state after.
    #[schema(max_length = 256, example = "Active")]
    state: String,
    /// Its category, as the process has it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40, example = "InProgress")]
    category: Option<String>,
    /// The state before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256, example = "New")]
    previous: Option<String>,
    /// Who did it: the account, else the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    by: Option<String>,
    /// When, as the event says.
    #[schema(format = DateTime, max_length = 40)]
    time: String,
}

impl From<Transition> for TransitionView {
    fn from(own: Transition) -> Self {
        let Transition { event, state, category, previous, by, time } = own;
        Self { event, state, category, previous, by, time }
    }
}

impl WorkItemView {
    fn new(number: i64, item: WorkItem) -> Self {
        let now = item.transitions.last();
        Self {
            number,
            state: now.map(|now| now.state.clone()),
            category: now.and_then(|now| now.category.clone()),
            item_type: item.item_type,
            title: item.title,
            owner: item.owner,
            uri: item.uri,
            transitions: item.transitions.into_iter().map(TransitionView::from).collect(),
            cut: item.cut,
        }
    }
}

/// Read a work item.
///
/// As the events told of it that the project's issue provider selects: its type, its owner, its state with the category that
/// the process gives it, and each change of state with its event.
#[utoipa::path(get, path = "/v1/projects/{slug}/work-items/{number}", tag = "projects", operation_id = "read_work_item",
    params(
        ("slug" = String, Path, description = "The project's slug.", min_length = 1, max_length = 63, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"),
        ("number" = i64, Path, description = "The work item's number.", minimum = 1),
    ),
    responses((status = 200, description = "The work item.", body = WorkItemView),
        (status = 404, description = "There is no such project, it has no issue provider, or no kept event of that work item is one of its.")))]
pub async fn show(slug: Segment, number: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let slug: Slug = slug.names("project")?;
    let number: i64 = number.names("work item")?;
    let directory = call.app().directory();
    if !directory.projects.contains_key(&slug) {
        return Err(Problem::not_found("project"));
    }
    let provider = directory.issue_provider(&slug);
    let provider = provider.ok_or_else(|| Problem::not_found("issue provider of this project"))?;
    let found = relations::work_item(call.app(), &provider.record, number).await?;
    Ok(json(&WorkItemView::new(number, found.ok_or_else(|| Problem::not_found("work item"))?)))
}
