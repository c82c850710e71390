//! What things look like: the JSON of REST replies and of hooks' resources, each written once.

pub(super) mod build;
mod either_way;
pub(super) mod git;
pub(super) mod pipeline;
pub(super) mod pull_request;
pub(super) mod release;
pub(super) mod work_item;

use super::{
    hooks::Misbehaviour,
    occurrence::{Occurrence, Rendering, Subject},
    options::Place,
    world::{People, Project, World},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Who looks: under which addresses, and who everybody is.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) place: &'a Place,
    pub(crate) people: &'a People,
}

impl View<'_> {
    /// Somebody as an `IdentityRef`; one who was never there is null.
    pub(crate) fn person(&self, id: Uuid) -> Value {
        self.people.find(id).map_or(Value::Null, |person| person.identity_ref(self.place))
    }

    pub(crate) fn base(&self) -> &str {
        &self.place.base
    }
}

impl World {
    /// As somebody sees it who uses these addresses.
    pub(crate) fn view<'a>(&'a self, place: &'a Place) -> View<'a> {
        View { place, people: &self.people }
    }
}

/// A project as lists have it.
pub(crate) fn project(view: View<'_>, own: &Project) -> Value {
    present(json!({
        "id": own.id,
        "name": own.name,
        "description": own.description,
        "url": format!("{}/_apis/projects/{}", view.base(), own.id),
        "state": "wellFormed",
        "revision": own.revision,
        "visibility": "private",
        "lastUpdateTime": own.changed.to_string(),
    }))
}

/// A project as other things refer to it; hooks do not say whether it is visible.
pub(crate) fn project_ref(view: View<'_>, project: &Project) -> Value {
    json!({
        "id": project.id,
        "name": project.name,
        "url": format!("{}/_apis/projects/{}", view.base(), project.id),
        "state": "wellFormed",
        "visibility": "unchanged",
        "lastUpdateTime": "0001-01-01T00:00:00",
    })
}

/// Leaves out what is null, as Azure does.
pub(crate) fn present(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

/// The resource of what happened, as it is now.
pub(super) fn render(
    world: &World,
    place: &Place,
    event: &Occurrence,
    version: &str,
    switches: &Misbehaviour,
) -> Option<Rendering> {
    let view = world.view(place);
    let version = Version::of(event, version)?;
    let resource = match &event.subject {
        Subject::Push { repository, push } => {
            let repository = world.repository_of(*repository)?;
            let push = repository.push(*push)?;
            let commits_max = switches.push_commits_max.unwrap_or(git::PUSH_COMMITS_MAX);
            git::push(view, push, repository, world.project_of(repository.project), commits_max)
        }
        Subject::PullRequest { number } => pull_request::of(view, world, *number)?,
        Subject::PullRequestComment { number, comment } => {
            let own = world.pull_requests.get(number)?;
            let comment = own.comments.iter().find(|own| own.thread == *comment)?;
            let comment = pull_request::hook_comment(view, own, comment);
            match version {
                // The resource is the comment: so it was captured.
                Version::Old => comment,
                _ => json!({"comment": comment, "pullRequest": pull_request::of(view, world, *number)?}),
            }
        }
        Subject::Repository { repository, change } => {
            let own = world.repository_of(*repository)?;
            let mut resource = change.clone();
            resource["repository"] = git::repository(view, own, world.project_of(own.project));
            resource
        }
        Subject::Fork { fork, of, change } => {
            let shown = |id: Uuid| {
                let own = world.repository_of(id)?;
                Some(git::repository(view, own, world.project_of(own.project)))
            };
            let mut resource = change.clone();
            (resource["targetRepository"], resource["sourceRepository"]) = (shown(*fork)?, shown(*of)?);
            resource
        }
        Subject::Build { number } if version == Version::Old => build::of_old(view, world, *number)?,
        Subject::Build { number } => build::of(view, world, *number)?,
        Subject::Run { number: run }
        | Subject::Stage { run, .. }
        | Subject::Job { run, .. }
        | Subject::Approval { run, .. } => {
            let (own, around) = pipeline::found(world, *run)?;
            let own = either_way::run(own, switches);
            match &event.subject {
                Subject::Stage { stage, .. } => pipeline::stage_state(view, &own, &around, stage)?,
                Subject::Job { stage, job, .. } => pipeline::job_state(view, &own, &around, stage, job)?,
                Subject::Approval { approval, .. } => pipeline::approval(view, &own, &around, *approval)?,
                _ => pipeline::run_state(view, &own, &around),
            }
        }
        Subject::Release { number } => release::released(view, world, *number)?,
        Subject::Deployment { release, environment } => {
            let telling = match event.event_type {
                kind if kind.contains("approval") => release::Telling::Asks,
                kind if kind.contains("started") => {
                    release::Telling::Started { steps: switches.started_deployments_have_steps }
                }
                _ => release::Telling::Completed,
            };
            release::deployed(view, world, *release, *environment, telling)?
        }
        Subject::WorkItem { number, rev, update } => {
            let item = world.work_items.get(number)?;
            match event.event_type {
                "workitem.updated" => work_item::updated(view, item, *update, version)?,
                "workitem.deleted" => work_item::in_bin(view, item, *rev, version)?,
                "workitem.commented" if switches.comments_tell_the_latest_revision => {
                    work_item::commented(view, item, *rev, version)?
                }
                _ => work_item::hook_item(view, item, *rev, version)?,
            }
        }
        Subject::Frozen { resource } => resource.clone(),
    };
    Some(Rendering { resource, message: event.title.clone() })
}

/// What a resource version means for the shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// 1.0 of what has a newer one.
    Old,
    /// 3.1 of work items.
    Middle,
    /// The newest.
    New,
}

impl Version {
    /// `None` is a version that the event type does not have.
    fn of(event: &Occurrence, version: &str) -> Option<Self> {
        let known: &[(&str, Self)] = match (event.publisher, event.event_type) {
            ("pipelines", _) => &[("5.1-preview.1", Self::New)],
            ("advsec", _) => &[("1.0", Self::New)],
            ("rm", _) => &[("3.0-preview.1", Self::New)],
            (_, "build.complete" | "ms.vss-code.git-pullrequest-comment-event") => {
                &[("1.0", Self::Old), ("2.0", Self::New)]
            }
            (_, kind) if kind.starts_with("workitem.") => {
                &[("1.0", Self::Old), ("3.1-preview.3", Self::Middle), ("5.1-preview.3", Self::New)]
            }
            (_, kind) if kind.starts_with("git.repo.") => &[("1.0-preview.1", Self::New)],
            (_, "git.push" | "git.pullrequest.merged") => {
                &[("1.0", Self::New), ("1.0-preview.1", Self::New), ("3.0-preview.1", Self::New)]
            }
            _ => &[("1.0", Self::New), ("1.0-preview.1", Self::New)],
        };
        known.iter().find(|(name, _)| *name == version).map(|(_, version)| *version)
    }
}
