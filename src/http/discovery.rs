//! What a connection can see at Azure DevOps, to choose a binding's parts from.

mod page;
mod view;

pub use self::{
    page::{ListParameters, Listing, ProjectParameter},
    view::{AzureProjectView, BranchView, PipelineView, RepositoryView, WorkItemStateView, WorkItemTypeView},
};

use self::page::{Wanted, cursor, named, no_cursor, page, reply, text};
use super::{
    extract::{Call, Segment},
    fields::AZURE_REF,
    problem::Problem,
};
use crate::{
    app::discovery::{self, Item, List},
    azure::client::{Page, PageToken},
    domain::ConnectionId,
};
use std::sync::Arc;
use warp::reply::Response;

async fn listed(
    call: &Call,
    connection: ConnectionId,
    wanted: &Wanted,
    what: discovery::Call,
) -> Result<Arc<List>, Problem> {
    Ok(discovery::list(call.app(), connection, what, wanted.refresh).await?)
}

/// List the projects of an Azure DevOps.
///
/// Those that the connection may see. Read whole and kept for five minutes, so that paging and searching cost nothing.
#[utoipa::path(get, path = "/v1/connections/{id}/azure/projects", tag = "discovery", operation_id = "discover_projects",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ListParameters),
    responses((status = 200, description = "A page of them.", body = Listing<AzureProjectView>)))]
pub async fn projects(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["search", "limit", "after", "refresh"])?;
    let wanted = Wanted::read(&mut query);
    query.finish()?;
    let list = listed(&call, id.names("connection")?, &wanted, discovery::Call::Projects).await?;
    page(&call, &list, &wanted, 'p', |item| match item {
        Item::Project(project) => Some(AzureProjectView {
            id: project.id,
            name: project.name.clone(),
            description: project.description.clone(),
            state: project.state.clone(),
        }),
        _ => None,
    })
}

/// List the repositories of an Azure DevOps.
///
/// Of one project, or of all that the connection may see. Kept for five minutes.
#[utoipa::path(get, path = "/v1/connections/{id}/azure/repositories", tag = "discovery", operation_id = "discover_repositories",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ("azure_project" = Option<String>, Query, description = "Only those of this project, by id or name.", min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"),
        ListParameters),
    responses((status = 200, description = "A page of them.", body = Listing<RepositoryView>)))]
pub async fn repositories(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["azure_project", "search", "limit", "after", "refresh"])?;
    let (project, wanted) = (text(&mut query, "azure_project", &AZURE_REF), Wanted::read(&mut query));
    query.finish()?;
    let list = listed(&call, id.names("connection")?, &wanted, discovery::Call::Repositories(project)).await?;
    page(&call, &list, &wanted, 'r', |item| match item {
        Item::Repository(repository) => Some(RepositoryView {
            id: repository.id,
            name: repository.name.clone(),
            azure_project_id: repository.project_id,
            azure_project_name: repository.project_name.clone(),
            default_branch: repository.default_branch.clone(),
            web_url: repository.web_url.clone(),
            is_disabled: repository.is_disabled,
        }),
        _ => None,
    })
}

/// List the branches of a repository.
///
/// Azure DevOps is asked each time, and does the paging and searching itself.
#[utoipa::path(get, path = "/v1/connections/{id}/azure/branches", tag = "discovery", operation_id = "discover_branches",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ProjectParameter,
        ("repository" = String, Query, description = "The repository, by id or name.", min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"),
        ListParameters),
    responses((status = 200, description = "A page of them.", body = Listing<BranchView>)))]
pub async fn branches(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["azure_project", "repository", "search", "limit", "after", "refresh"])?;
    let (project, repository) = (named(&mut query, "azure_project"), named(&mut query, "repository"));
    let wanted = Wanted::read(&mut query);
    query.finish()?;
    let after = match wanted.after('b')? {
        Some(token) => Some(PageToken::read(&token).ok_or_else(no_cursor)?),
        None => None,
    };
    let limit = u32::try_from(wanted.limit).unwrap_or(u32::MAX);
    let (id, search) = (id.names("connection")?, wanted.search.as_deref());
    let Page { items, next } =
        discovery::branches(call.app(), id, (&project, &repository), search, (limit, after)).await?;
    let data = items.into_iter().map(|branch| BranchView { name: branch.name, commit: branch.object_id }).collect();
    let next = next.map(|token| cursor('b', &token.to_string()));
    Ok(reply(&call, &Listing { data, next, is_cut: false }))
}

/// List the pipelines of a project.
///
/// Kept for five minutes.
#[utoipa::path(get, path = "/v1/connections/{id}/azure/pipelines", tag = "discovery", operation_id = "discover_pipelines",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ProjectParameter,
        ListParameters),
    responses((status = 200, description = "A page of them.", body = Listing<PipelineView>)))]
pub async fn pipelines(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["azure_project", "search", "limit", "after", "refresh"])?;
    let (project, wanted) = (named(&mut query, "azure_project"), Wanted::read(&mut query));
    query.finish()?;
    let list = listed(&call, id.names("connection")?, &wanted, discovery::Call::Pipelines(project)).await?;
    page(&call, &list, &wanted, 'l', |item| match item {
        Item::Pipeline(pipeline) => {
            Some(PipelineView { id: pipeline.id, name: pipeline.name.clone(), path: pipeline.path.clone() })
        }
        _ => None,
    })
}

/// List the work item types of a project.
///
/// With their states. Kept for five minutes.
#[utoipa::path(get, path = "/v1/connections/{id}/azure/work-item-types", tag = "discovery", operation_id = "discover_work_item_types",
    params(("id" = Uuid, Path, description = "The connection's id."),
        ProjectParameter,
        ListParameters),
    responses((status = 200, description = "A page of them.", body = Listing<WorkItemTypeView>)))]
pub async fn work_item_types(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    let mut query = call.query(&["azure_project", "search", "limit", "after", "refresh"])?;
    let (project, wanted) = (named(&mut query, "azure_project"), Wanted::read(&mut query));
    query.finish()?;
    let list = listed(&call, id.names("connection")?, &wanted, discovery::Call::WorkItemTypes(project)).await?;
    page(&call, &list, &wanted, 'w', |item| match item {
        Item::WorkItemType(kind) => {
            let state = |(name, category): &(String, Option<String>)| WorkItemStateView {
                name: name.clone(),
                category: category.clone(),
            };
            Some(WorkItemTypeView {
                name: kind.name.clone(),
                reference_name: kind.reference_name.clone(),
                states: kind.states.iter().map(state).collect(),
            })
        }
        _ => None,
    })
}
