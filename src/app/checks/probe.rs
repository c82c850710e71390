//! Asking Azure DevOps: who are we there, and what may we do? One cheap call for each thing that we will need.
//!
//! Azure has no call that tells what a token may do, so each scope is tried. A token's scopes are the same everywhere,
//! permissions differ by project: where bindings name projects it is tried on those, else on the first that is listed.

use super::may;
use crate::{
    app::App,
    azure::client::{ApiVersion, AzureDevOps, ConnectionData, Failure, PageRequest, Permission, TeamProject},
    domain::{AzureRef, AzureScope, Binding, Connection, Delivery, HookMode, Role, Selection},
};
use std::{future::Future, sync::Arc, time::Duration};
use uuid::Uuid;

/// For finding out who we are; the steps together stay below 20 seconds, which somebody may be waiting for.
const ENTRY_TIMEOUT: Duration = Duration::from_secs(8);
/// For each of the two steps after it: listing projects, then everything else at once.
const STEP_TIMEOUT: Duration = Duration::from_secs(6);
/// Most projects that one scope is tried on; what is wrong with further ones shows when they are used.
const PROJECTS_MAX: usize = 3;
/// Projects asked for to find the bindings' among them.
const PROJECTS_PAGE_ITEMS: u32 = 200;

/// What Azure DevOps answered.
#[derive(Debug)]
pub struct Findings {
    /// Whether we get in.
    pub entry: Entry,
    /// What was tried then.
    pub probes: Vec<(AzureScope, Probe)>,
}

/// Whether we get in.
#[derive(Debug)]
pub enum Entry {
    /// There is no credential, so nobody was asked.
    NoCredential,
    /// We do not.
    Failed(Failure),
    /// We do.
    In {
        /// Who we are, and where.
        data: ConnectionData,
        /// What is spoken there; absent where the server did not say.
        api_version: Option<ApiVersion>,
    },
}

/// What became of trying one scope.
#[derive(Debug)]
pub enum Probe {
    /// It works.
    Passed,
    /// A call failed.
    Failed {
        /// The project that it was tried on.
        project: Option<String>,
        /// How.
        failure: Failure,
    },
    /// Azure says that we do not hold a right.
    Denied {
        /// Which.
        permission: &'static str,
        /// Where.
        project: Option<String>,
    },
    /// It could not be tried.
    Untried(&'static str),
    /// Nothing needs it.
    NotNeeded,
}

type Client = Arc<dyn AzureDevOps>;

/// Asks everything. Takes at most 20 seconds, whatever the other side does.
pub(super) async fn findings(
    app: &App,
    client: Result<Client, Failure>,
    connection: &Connection,
    bindings: &[Arc<Binding>],
) -> Findings {
    let without = |entry| Findings { entry, probes: Vec::new() };
    if !connection.has_credential() {
        return without(Entry::NoCredential);
    }
    let client = match client {
        Ok(client) => client,
        Err(failure) => return without(Entry::Failed(failure)),
    };
    // One after the other: a credential that is refused is not sent a second time, some directories lock the account.
    let entering = async {
        let data = client.connection_data().await?;
        let api_version = match client.api_version().await {
            Ok(version) => Some(version),
            Err(failure @ Failure::Refused { .. }) => return Err(failure),
            Err(_) => None,
        };
        Ok(Entry::In { data, api_version })
    };
    match app.in_time(ENTRY_TIMEOUT, entering).await {
        Ok(entry) => Findings { entry, probes: probes(app, &client, connection, bindings).await },
        Err(failure) => without(Entry::Failed(failure)),
    }
}

async fn probes(
    app: &App,
    client: &Client,
    connection: &Connection,
    bindings: &[Arc<Binding>],
) -> Vec<(AzureScope, Probe)> {
    let first = PageRequest { items_max: PROJECTS_PAGE_ITEMS, from: None };
    let listed = app.in_time(STEP_TIMEOUT, async { client.projects(first).await.map(|page| page.items) }).await;
    let (projects, project_and_team) = match listed {
        Ok(projects) => (projects, Probe::Passed),
        Err(failure) => (Vec::new(), Probe::Failed { project: None, failure }),
    };
    let listing_failed = !matches!(project_and_team, Probe::Passed);
    let targets = |role| targets(&projects, bindings, role);
    let on = |scope, role| each(client, scope, targets(Some(role)), listing_failed);
    let (code, build, work_items, release, hooks) = tokio::join!(
        tried(app, on(AzureScope::Code, Role::CodeDeployment)),
        tried(app, on(AzureScope::Build, Role::BuildProvider)),
        tried(app, on(AzureScope::WorkItems, Role::IssueProvider)),
        tried(app, on(AzureScope::Release, Role::BuildProvider)),
        tried(app, hooks(app, client, connection, targets(None))),
    );
    vec![
        (AzureScope::ProjectAndTeam, project_and_team),
        (AzureScope::Code, code),
        (AzureScope::Build, build),
        (AzureScope::WorkItems, work_items),
        (AzureScope::Release, release),
        (AzureScope::ServiceHooks, hooks),
    ]
}

/// A project to try something on.
struct Target {
    /// As Azure takes it.
    name: String,
    /// Its GUID, where it is known.
    id: Option<Uuid>,
}

/// The projects that bindings of this role name (of any role for `None`), else the first that is listed.
fn targets(projects: &[TeamProject], bindings: &[Arc<Binding>], role: Option<Role>) -> Vec<Target> {
    let mut targets: Vec<Target> = Vec::new();
    for binding in bindings.iter().filter(|binding| role.is_none_or(|role| binding.selection.role() == role)) {
        let (Selection::CodeDeployment { azure_project: AzureRef(named), .. }
        | Selection::BuildProvider { azure_project: AzureRef(named), .. }
        | Selection::IssueProvider { azure_project: AzureRef(named), .. }) = &binding.selection;
        let is_it = |project: &&TeamProject| {
            project.name.to_lowercase() == named.to_lowercase() || named.parse() == Ok(project.id)
        };
        let target = match projects.iter().find(is_it) {
            Some(project) => Target { name: project.name.clone(), id: Some(project.id) },
            None => Target { name: named.clone(), id: named.parse().ok() },
        };
        if targets.iter().all(|other| other.name != target.name) {
            targets.push(target);
        }
    }
    targets.truncate(PROJECTS_MAX);
    if targets.is_empty() {
        targets.extend(projects.first().map(|project| Target { name: project.name.clone(), id: Some(project.id) }));
    }
    targets
}

/// Tries a scope on each project until one fails. That a project is not there says nothing of the scope: it is said of the
/// binding that names it, and the others are tried.
async fn each(client: &Client, scope: AzureScope, targets: Vec<Target>, listing_failed: bool) -> Probe {
    // Code can be tried on the whole collection. In a large organization that reply has megabytes, so it is done only
    // when there is no other way.
    if targets.is_empty() && scope == AzureScope::Code && listing_failed {
        return match client.repositories(None).await {
            Ok(_) => Probe::Passed,
            Err(failure) => Probe::Failed { project: None, failure },
        };
    }
    if targets.is_empty() {
        return Probe::Untried("there is no project that it could be tried on");
    }
    let (mut gone, mut passed) = (None, false);
    for Target { name, .. } in targets {
        match ask(client, scope, &name).await {
            Ok(()) => passed = true,
            Err(failure @ Failure::NotFound { .. }) => {
                gone.get_or_insert(Probe::Failed { project: Some(name), failure });
            }
            Err(failure) => return Probe::Failed { project: Some(name), failure },
        }
    }
    gone.filter(|_| !passed).unwrap_or(Probe::Passed)
}

/// The cheapest call that needs the scope.
async fn ask(client: &Client, scope: AzureScope, project: &str) -> Result<(), Failure> {
    let one = PageRequest { items_max: 1, from: None };
    match scope {
        AzureScope::Code => client.repositories(Some(project)).await.map(drop),
        AzureScope::Build => client.pipelines(project, one).await.map(drop),
        AzureScope::WorkItems => client.work_item_types(project).await.map(drop),
        AzureScope::Release => client.release_definitions(project, one).await.map(drop),
        AzureScope::ProjectAndTeam | AzureScope::ServiceHooks => client.project(project).await.map(drop),
    }
}

/// The subscriptions themselves are not listed: that reply is the largest that Azure has.
async fn hooks(app: &App, client: &Client, connection: &Connection, targets: Vec<Target>) -> Probe {
    const RIGHTS: [(Permission, &str); 2] =
        [(Permission::ViewSubscriptions, "View Subscriptions"), (Permission::EditSubscriptions, "Edit Subscription")];
    if connection.hooks == HookMode::Manual || connection.delivery == Delivery::Poll {
        return Probe::NotNeeded;
    }
    let mut places: Vec<(Option<String>, Option<Uuid>)> = Vec::new();
    let mut gone = None;
    for target in targets {
        let id = match target.id {
            Some(id) => id,
            None => match client.project(&target.name).await {
                Ok(project) => project.id,
                Err(failure @ Failure::NotFound { .. }) => {
                    gone.get_or_insert(Probe::Failed { project: Some(target.name), failure });
                    continue;
                }
                Err(failure) => return Probe::Failed { project: Some(target.name), failure },
            },
        };
        places.push((Some(target.name), Some(id)));
    }
    if places.is_empty() {
        if let Some(gone) = gone {
            return gone;
        }
        places.push((None, None));
    }
    for (project, id) in places {
        for (right, permission) in RIGHTS {
            match may(app, connection, &**client, right, id).await {
                Ok(true) => {}
                Ok(false) => return Probe::Denied { permission, project },
                Err(failure) => return Probe::Failed { project, failure },
            }
        }
    }
    Probe::Passed
}

async fn tried(app: &App, probe: impl Future<Output = Probe>) -> Probe {
    let probe = async { Ok(probe.await) };
    app.in_time(STEP_TIMEOUT, probe).await.unwrap_or_else(|failure| Probe::Failed { project: None, failure })
}
