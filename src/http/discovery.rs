//! What a connection can see at Azure DevOps, to choose a binding's parts from.

use super::{
    extract::{Call, Query, Segment},
    fields::{AZURE_REF, SEARCH, Text},
    problem::{Kind, Problem},
    reply::{json, linked},
};
use crate::{
    app::discovery::{self, Item, List},
    azure::client::{Page, PageToken},
    domain::ConnectionId,
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use warp::reply::Response;

/// Most items of one page.
const LIMIT_MAX: u64 = 200;
/// Items of a page unless more are asked for.
const LIMIT_DEFAULT: u64 = 50;
/// Longest cursor.
const CURSOR_CHARS_MAX: usize = 4_096;

/// What every list takes, for the document; [`Wanted`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParameters {
    /// A part of the name, in any case.
    #[param(min_length = 1, max_length = 200, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub search: Option<String>,
    /// Most items of the page; 50 unless said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u64>,
    /// A cursor that `next` gave.
    #[param(min_length = 1, max_length = 4096, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
    /// `true` asks Azure DevOps anew. Branches are read anew in any case.
    pub refresh: Option<bool>,
}

/// The project that a list is of, for the document; [`named`] reads it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProjectParameter {
    /// The project, by id or name.
    #[param(min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    pub azure_project: String,
}

/// A project of Azure DevOps.
#[derive(Debug, Serialize, ToSchema)]
pub struct AzureProjectView {
    /// Its GUID, which survives renames: the best `azure_project` for a binding.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// `wellFormed`, unless it is being made or deleted.
    pub state: String,
}

/// A Git repository.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepositoryView {
    /// Its GUID, which survives renames.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The GUID of the project that holds it.
    pub azure_project_id: Uuid,
    /// The name of that project.
    pub azure_project_name: String,
    /// Its default branch, by short name; null while it is empty.
    pub default_branch: Option<String>,
    /// Its page for a browser.
    pub web_url: Option<String>,
    /// Whether it is disabled: nothing in it can be read then.
    pub is_disabled: bool,
}

/// A branch.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchView {
    /// Its short name.
    pub name: String,
    /// The commit that it points to.
    pub commit: String,
}

/// A pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineView {
    /// Its number, unique in the collection.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The folder that it lies in.
    pub path: String,
}

/// A state of a work item type.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkItemStateView {
    /// Its name.
    pub name: String,
    /// `Proposed`, `InProgress`, `Resolved`, `Completed` or `Removed`.
    pub category: Option<String>,
}

/// A work item type.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkItemTypeView {
    /// Its name.
    pub name: String,
    /// Its name for machines.
    pub reference_name: Option<String>,
    /// Its states, in order.
    #[schema(max_items = 1000)]
    pub states: Vec<WorkItemStateView>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// By name.
    #[schema(max_items = 200)]
    pub data: Vec<T>,
    /// Send it as `after` for the next page; null at the end.
    #[schema(max_length = 4096)]
    pub next: Option<String>,
    /// Whether the list is longer than the 10,000 that are looked at; search then.
    pub is_cut: bool,
}

/// What every list takes.
struct Wanted {
    search: Option<String>,
    limit: usize,
    after: Option<String>,
    refresh: bool,
}

impl Wanted {
    fn read(query: &mut Query) -> Self {
        let search = text(query, "search", &SEARCH);
        let limit = usize::try_from(query.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)).unwrap_or(usize::MAX);
        let after = query.text("after").map(str::to_owned);
        let refresh = query.parsed("refresh", "true or false").unwrap_or(false);
        Self { search, limit, after, refresh }
    }

    /// What the cursor says, if it belongs to this list.
    fn after(&self, list: char) -> Result<Option<String>, Problem> {
        let Some(after) = &self.after else { return Ok(None) };
        let read = |text: &str| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
            Some(String::from_utf8(bytes).ok()?.strip_prefix(list)?.to_owned())
        };
        let known = (after.len() <= CURSOR_CHARS_MAX).then(|| read(after)).flatten();
        known.map(Some).ok_or_else(no_cursor)
    }
}

fn no_cursor() -> Problem {
    Problem::because(Kind::InvalidCursor, "give a cursor as next gave it for this list, or none")
}

fn cursor(list: char, place: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{list}{place}"))
}

fn text(query: &mut Query, name: &str, bounds: &Text) -> Option<String> {
    let text = query.text(name)?.to_owned();
    match bounds.check(&text) {
        Ok(()) => Some(text),
        Err(detail) => {
            query.wrong(name, detail);
            None
        }
    }
}

/// A name or id that must be there.
fn named(query: &mut Query, name: &str) -> String {
    if query.text(name).is_none() {
        query.wrong(name, "is required");
    }
    text(query, name, &AZURE_REF).unwrap_or_default()
}

/// A page of a whole list: a place in it is the key of the item before, so it holds when the list is read anew.
fn page<T: Serialize>(
    call: &Call,
    list: &List,
    wanted: &Wanted,
    letter: char,
    view: fn(&Item) -> Option<T>,
) -> Result<Response, Problem> {
    let after = wanted.after(letter)?.unwrap_or_default();
    let search = wanted.search.as_ref().map(|search| search.to_lowercase());
    let found = |item: &Item| search.as_ref().is_none_or(|search| item.name().to_lowercase().contains(search));
    let rest = list.items.iter().filter(|(key, item)| *key > after && found(item));
    let items: Vec<&(String, Item)> = rest.take(wanted.limit + 1).collect();
    let on_page = &items[..items.len().min(wanted.limit)];
    let next = on_page.last().filter(|_| items.len() > wanted.limit).map(|(key, _)| cursor(letter, key));
    let data = on_page.iter().filter_map(|(_, item)| view(item)).collect();
    Ok(reply(call, &Listing { data, next, is_cut: list.is_cut }))
}

fn reply<T: Serialize>(call: &Call, listing: &Listing<T>) -> Response {
    match &listing.next {
        Some(next) => linked(call, next, json(listing)),
        None => json(listing),
    }
}

async fn listed(
    call: &Call,
    connection: ConnectionId,
    wanted: &Wanted,
    what: discovery::Call,
) -> Result<std::sync::Arc<List>, Problem> {
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
