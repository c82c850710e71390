//! What a connection can see: projects, repositories, branches, pipelines and work item types to choose from.
//!
//! A list is read whole once and kept for a few minutes, so that paging and searching in it cost no call each. Branches
//! go through to Azure, which pages and searches them itself: a repository may have a hundred thousand. Somebody waits for
//! each, so none takes longer than [`ANSWER_TIMEOUT`], whatever Azure does.

mod cache;

pub use self::cache::{Cache, List};

use super::{
    App, Kept,
    change::Refusal,
    checks::advice::{self, Advice},
    clients::ANSWER_TIMEOUT,
    connections,
};
use crate::{
    azure::client::{
        AzureDevOps, BuildDefinition, Failure, GitRef, GitRepository, Page, PageRequest, PageToken, Priority,
        TeamProject, WorkItemType,
    },
    domain::{AzureScope, Connection, ConnectionId},
};
use std::{future::Future, sync::Arc};

/// Items asked for at once when a list is read whole.
const PAGE_ITEMS: u32 = 1_000;
/// Most items of one list; what comes after is left out, and the reply says so.
pub const ITEMS_MAX: usize = 10_000;
/// Most pages of one list: servers give a hundred items or more at a time, and one that gives single ones would be called
/// ten thousand times. What comes after is left out, and the reply says so.
const PAGES_MAX: usize = 100;

/// What can be asked for, apart from branches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    /// Projects.
    Projects,
    /// Repositories, of one project or of all.
    Repositories(Option<String>),
    /// Pipelines of a project.
    Pipelines(String),
    /// Work item types of a project.
    WorkItemTypes(String),
}

impl Call {
    fn scope(&self) -> AzureScope {
        match self {
            Self::Projects => AzureScope::ProjectAndTeam,
            Self::Repositories(_) => AzureScope::Code,
            Self::Pipelines(_) => AzureScope::Build,
            Self::WorkItemTypes(_) => AzureScope::WorkItems,
        }
    }
}

/// One thing to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A project.
    Project(TeamProject),
    /// A repository.
    Repository(GitRepository),
    /// A pipeline.
    Pipeline(BuildDefinition),
    /// A work item type.
    WorkItemType(WorkItemType),
}

impl Item {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Project(TeamProject { name, .. })
            | Self::Repository(GitRepository { name, .. })
            | Self::Pipeline(BuildDefinition { name, .. })
            | Self::WorkItemType(WorkItemType { name, .. }) => name,
        }
    }

    /// What a list is sorted by: the name, then what tells two of one name apart. Without control characters in it.
    pub fn key(&self) -> String {
        let name = self.name().to_lowercase();
        match self {
            Self::Project(project) => format!("{name} {}", project.id),
            Self::Repository(repository) => format!("{name} {}", repository.id),
            Self::Pipeline(pipeline) => format!("{name} {}", pipeline.id),
            Self::WorkItemType(_) => name,
        }
    }
}

/// Why there is nothing to choose from.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Undiscovered {
    /// There is no such connection.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Azure DevOps did not answer.
    #[error("{failure}")]
    Failed {
        /// How.
        failure: Failure,
        /// What that means, and what to do.
        advice: Advice,
    },
}

/// A whole list, from the cache when it has it and `refresh` is not set.
pub async fn list(app: &App, id: ConnectionId, call: Call, refresh: bool) -> Result<Arc<List>, Undiscovered> {
    let connection = connections::find(&app.directory(), id)?;
    let reading = async {
        let client = app.azure(&connection, Priority::Interactive)?;
        read(&*client, &call).await
    };
    let key = (id, connection.version, call.clone());
    // Around the cache: who waits for somebody else's reading waits no longer than for one of their own.
    let listed = app.in_time(ANSWER_TIMEOUT, app.discovery.list(key, app.clock.monotonic(), refresh, reading)).await;
    listed.map_err(|failure| failed(&connection, call.scope(), failure))
}

/// A page of branches, straight from Azure.
pub async fn branches(
    app: &App,
    id: ConnectionId,
    (project, repository): (&str, &str),
    search: Option<&str>,
    (limit, after): (u32, Option<PageToken>),
) -> Result<Page<GitRef>, Undiscovered> {
    let connection = connections::find(&app.directory(), id)?;
    let reading = async {
        let client = app.azure(&connection, Priority::Interactive)?;
        client.branches(project, repository, search, PageRequest { items_max: limit, from: after }).await
    };
    let read = app.in_time(ANSWER_TIMEOUT, reading).await;
    read.map_err(|failure| failed(&connection, AzureScope::Code, failure))
}

/// Forgets what was listed through a connection.
pub fn forget(app: &App, id: ConnectionId) {
    app.discovery.forget(id);
}

/// With what the failure of a call means for the connection, and what to do.
pub fn failed(connection: &Kept<Connection>, wanted: AzureScope, failure: Failure) -> Undiscovered {
    let advice = advice::on_listing(&failure, wanted, &connection.record);
    Undiscovered::Failed { failure, advice }
}

async fn read(client: &dyn AzureDevOps, call: &Call) -> Result<List, Failure> {
    match call {
        Call::Projects => whole(|page| client.projects(page), Item::Project).await,
        Call::Pipelines(project) => whole(|page| client.pipelines(project, page), Item::Pipeline).await,
        Call::Repositories(project) => {
            let all = client.repositories(project.as_deref()).await?;
            Ok(List::new(all.into_iter().map(Item::Repository).collect(), false))
        }
        Call::WorkItemTypes(project) => {
            let all = client.work_item_types(project).await?;
            Ok(List::new(all.into_iter().map(Item::WorkItemType).collect(), false))
        }
    }
}

/// All pages of a list, or those within its bounds: then the list says that it is cut.
///
/// # Errors
/// Those of a page; and [`Failure::Unexpected`] where Azure goes on and on without an item, because that is no empty list.
async fn whole<T, F: Future<Output = Result<Page<T>, Failure>>>(
    page_at: impl Fn(PageRequest) -> F,
    item: fn(T) -> Item,
) -> Result<List, Failure> {
    let (mut items, mut from) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let Page { items: page, next } = page_at(PageRequest { items_max: PAGE_ITEMS, from }).await?;
        // The client has gone through many empty pages for this one already.
        let stalls = page.is_empty();
        items.extend(page.into_iter().map(item));
        match next {
            None => return Ok(List::new(items, false)),
            Some(_) if stalls && items.is_empty() => {
                let detail = "page after page of the list is empty, and there is always another".to_owned();
                return Err(Failure::Unexpected { detail, activity_id: None });
            }
            Some(_) if stalls || items.len() > ITEMS_MAX => break,
            Some(next) => from = Some(next),
        }
    }
    Ok(List::new(items, true))
}
