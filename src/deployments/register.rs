//! Deployments that are told by hand: of pipelines that Azure DevOps knows nothing of.

use super::{
    retell::{Patience, tell},
    rules::{by_hand, subject},
    step::{count_new, entries},
};
use crate::{
    app::{
        ANSWER_TIMEOUT, App, Kept,
        change::{Refusal, Wrong},
        discovery::{self, Undiscovered},
    },
    azure::client::{AzureDevOps, Failure, Priority, Version},
    domain::{
        AzureRef, AzureScope, Binding, BindingId, Cause, Connection, Deployment, NotificationId, Person, Selection,
        Slug, Telling,
    },
    event::{Event, uri::escaped},
    store::{Claim, Log},
};
use jiff::Timestamp;
use tokio::sync::MutexGuard;
use uuid::Uuid;

/// What was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Of which project.
    pub project: Slug,
    /// Of which of its code deployments; not needed where only one reaches the environment.
    pub binding: Option<BindingId>,
    /// Where to.
    pub environment: Slug,
    /// Which revision.
    pub revision: Version,
    /// When; now when left out.
    pub at: Option<Timestamp>,
    /// Names and addresses to keep with it.
    pub links: Vec<(String, String)>,
    /// Words to keep with it.
    pub tags: Vec<String>,
    /// Who says so.
    pub by: Option<String>,
    /// Whether a revision that is there already is told as another deployment of it.
    pub again: bool,
    /// Whether it is only looked whether it could be told.
    pub dry_run: bool,
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It is told.
    Made(Uuid),
    /// This revision was there already, by this deployment; nothing was told.
    There(Uuid),
    /// It could be told: it was a dry run.
    Fits,
}

/// Tells a deployment by hand. The revision must be a commit of the code deployment's repository.
///
/// # Errors
/// What was given does not fit the project or its repository, or Azure DevOps did not answer; nothing was told.
pub async fn register(app: &App, registration: &Registration) -> Result<Registered, Undiscovered> {
    let (binding, connection) = prepared(app, registration)?;
    let told = telling(app, registration, &binding, &connection).await?;
    told.map_err(|failure| discovery::failed(&connection, AzureScope::Code, failure))
}

/// What Azure DevOps does not answer lies within what is refused here.
async fn telling(
    app: &App,
    registration: &Registration,
    binding: &Binding,
    connection: &Kept<Connection>,
) -> Result<Result<Registered, Failure>, Refusal> {
    // Somebody waits, also for whoever tells something else and waits for Azure DevOps with the lock of the telling. What is
    // cut off by the time limit has changed nothing yet; what is written then is not cut off.
    let preparing = preparing(app, registration, binding, connection);
    let (alone, id, made) = match app.in_time(ANSWER_TIMEOUT, preparing).await {
        Ok(Prepared::Ready { alone, id, made }) => (alone, id, made),
        Ok(Prepared::Ended(ended)) => return ended.map(Ok),
        Err(failure) => return Ok(Err(failure)),
    };
    let appends = entries(&made, app.clock.now());
    let appended = app.store.settle(Claim::of_nothing(Log::Events), Vec::new(), appends).await;
    count_new(app, &appended.inspect_err(|_| app.deployments.forget())?);
    drop(alone);
    Ok(Ok(Registered::Made(id)))
}

/// How far it came without writing anything.
enum Prepared<'a> {
    /// The deployment can be told.
    Ready {
        /// Nobody else tells anything.
        alone: MutexGuard<'a, ()>,
        id: Uuid,
        made: Vec<(Telling, Event)>,
    },
    /// There is nothing to tell.
    Ended(Result<Registered, Refusal>),
}

/// Finds out all that only Azure DevOps knows.
async fn preparing<'a>(
    app: &'a App,
    registration: &Registration,
    binding: &Binding,
    connection: &Kept<Connection>,
) -> Result<Prepared<'a>, Failure> {
    let azure = app.azure(connection, Priority::Interactive)?;
    let (azure_project, repository) = place(app, binding);
    let revision = match resolved(&*azure, &azure_project, &repository, &registration.revision).await? {
        Ok(revision) => revision,
        Err(refusal) => return Ok(Prepared::Ended(Err(refusal))),
    };
    let deployment = deployment(app, registration, binding, connection, (azure_project, repository), revision);
    let alone = match app.deployments.telling(&*app.store).await {
        Ok(alone) => alone,
        Err(error) => return Ok(Prepared::Ended(Err(error.into()))),
    };
    if let Some(there) = already(app, &deployment, registration.again) {
        return Ok(Prepared::Ended(Ok(Registered::There(there))));
    }
    if registration.dry_run {
        return Ok(Prepared::Ended(Ok(Registered::Fits)));
    }
    let mut made = Vec::new();
    let told = tell(app, &*azure, &deployment, NotificationId(deployment.id), Patience::IsTheirs, &mut made).await;
    told.map_err(|silent| silent.failure)?;
    Ok(Prepared::Ready { alone, id: deployment.id, made })
}

fn deployment(
    app: &App,
    registration: &Registration,
    binding: &Binding,
    connection: &Kept<Connection>,
    (azure_project, repository): (String, String),
    revision: String,
) -> Deployment {
    let at = registration.at.unwrap_or_else(|| app.clock.now());
    let source = escaped(&format!("{}/{azure_project}", connection.record.url)).into_owned();
    let environment = registration.environment.clone();
    let by = registration.by.clone().map(|name| Person { name: Some(name), account: None });
    Deployment {
        id: by_hand(&source, binding, &environment, &revision, at),
        project: binding.project.clone(),
        binding: binding.id,
        name: binding.name.clone().unwrap_or_else(|| repository.clone()),
        connection: connection.record.id,
        environment,
        revision,
        branch: match &registration.revision {
            Version::Branch(name) => Some(name.clone()),
            Version::Tag(_) | Version::Commit(_) => None,
        },
        at,
        cause: Cause {
            kind: "manual".to_owned(),
            by,
            tag: match &registration.revision {
                Version::Tag(name) => Some(name.clone()),
                Version::Branch(_) | Version::Commit(_) => None,
            },
            ..Cause::default()
        },
        source,
        azure_project,
        repository,
        links: registration.links.clone(),
        tags: registration.tags.clone(),
    }
}

/// The deployment that makes this one needless: itself, or the one that brought the same revision right before it.
fn already(app: &App, deployment: &Deployment, again: bool) -> Option<Uuid> {
    let memory = app.deployments.memory();
    if memory.knows(deployment.id) {
        return Some(deployment.id);
    }
    let of = (deployment.project.clone(), deployment.binding, deployment.environment.clone());
    let series = memory.at(&of)?;
    // The id is made of what the binding names, and before that is resolved it is another one: the fact is the same.
    let is_same = |telling: &&Telling| {
        let own = &telling.deployment;
        let what = |own: &Deployment| (own.at, own.revision.clone(), own.cause.kind.clone());
        what(own) == what(deployment)
    };
    if let Some(same) = series.all().iter().find(is_same) {
        return Some(same.deployment.id);
    }
    let before = series.find(series.place(deployment).previous?)?;
    (!again && before.deployment.revision == deployment.revision).then_some(before.deployment.id)
}

fn prepared(app: &App, registration: &Registration) -> Result<(Binding, Kept<Connection>), Refusal> {
    let (directory, wrong) = (app.directory(), |pointer, detail| Refusal::Invalid(vec![Wrong { pointer, detail }]));
    let Registration { project, environment, .. } = registration;
    let kept = directory.projects.get(project).ok_or(Refusal::NotFound("project"))?;
    if !kept.record.environments.iter().any(|known| known.slug == *environment) {
        return Err(wrong("/environment", format!("is no environment of project {project}")));
    }
    let reaches = |binding: &Binding| {
        let mut reaches = binding.deploys.iter().flat_map(|deploys| &deploys.reaches);
        reaches.any(|reach| reach.environment == *environment)
    };
    let mut fitting = directory.bindings_in(project).map(|kept| &kept.record).filter(|binding| reaches(binding));
    let binding = match registration.binding {
        Some(id) => fitting.find(|binding| binding.id == id).ok_or_else(|| {
            wrong("/binding", format!("is no code deployment of project {project} that reaches {environment}"))
        })?,
        None => match (fitting.next(), fitting.next()) {
            (Some(only), None) => only,
            (None, _) => {
                let detail = format!("is reached by no code deployment of project {project}; give one `deploys`");
                return Err(wrong("/environment", detail));
            }
            (Some(_), Some(_)) => {
                let detail = format!("is required: several code deployments of project {project} reach {environment}");
                return Err(wrong("/binding", detail));
            }
        },
    };
    if registration.at.is_some_and(|at| at > app.clock.now()) {
        return Err(wrong("/date", "must not be in the future".to_owned()));
    }
    let connection = directory.connections.get(&binding.connection).ok_or(Refusal::NotFound("connection"))?;
    tracing::debug!(service = subject(binding), "a deployment is registered by hand");
    Ok((Binding::clone(binding), connection.clone()))
}

/// Azure project and repository, by id where the ids are known.
fn place(app: &App, binding: &Binding) -> (String, String) {
    let directory = app.directory();
    match directory.meaning(binding).unwrap_or(&binding.selection) {
        Selection::CodeDeployment { azure_project: AzureRef(project), repository: AzureRef(repository), .. } => {
            (project.clone(), repository.clone())
        }
        Selection::BuildProvider { .. } | Selection::IssueProvider { .. } => {
            unreachable!("only code deployments reach environments")
        }
    }
}

/// The commit, or that there is none.
async fn resolved(
    azure: &dyn AzureDevOps,
    project: &str,
    repository: &str,
    version: &Version,
) -> Result<Result<String, Refusal>, Failure> {
    let (pointer, found) = match version {
        Version::Commit(sha) => ("/sha", azure.commit(project, repository, sha).await?.map(|commit| commit.id)),
        Version::Branch(_) => ("/branch", azure.resolve(project, repository, version).await?),
        Version::Tag(_) => ("/tag", azure.resolve(project, repository, version).await?),
    };
    let detail = "is not in the repository of the code deployment, or the connection may not see it".to_owned();
    Ok(found.ok_or_else(|| Refusal::Invalid(vec![Wrong { pointer, detail }])))
}
