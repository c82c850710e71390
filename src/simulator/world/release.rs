//! Classic releases.

use super::{Facts, Impossible, World, next};
use crate::{
    domain::Stream,
    simulator::{
        forget::{Entity, Of},
        occurrence::Subject,
    },
};
use jiff::Timestamp;
use uuid::Uuid;

const CREATED: (&str, &str) = ("rm", "ms.vss-release.release-created-event");
const ABANDONED: (&str, &str) = ("rm", "ms.vss-release.release-abandoned-event");
const STARTED: (&str, &str) = ("rm", "ms.vss-release.deployment-started-event");
const COMPLETED: (&str, &str) = ("rm", "ms.vss-release.deployment-completed-event");
const APPROVAL_PENDING: (&str, &str) = ("rm", "ms.vss-release.deployment-approval-pending-event");
const APPROVAL_COMPLETED: (&str, &str) = ("rm", "ms.vss-release.deployment-approval-completed-event");

/// A classic release pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseDefinition {
    /// Unique in the collection; numbers of build definitions are others.
    pub(crate) id: u32,
    pub(crate) project: Uuid,
    pub(crate) name: String,
    pub(crate) path: String,
    /// The pipeline whose builds it takes.
    pub(crate) build_definition: u32,
    /// In order; an environment's number in the definition is its place, from 1.
    pub(crate) environments: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) by: Uuid,
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) id: u32,
    pub(crate) definition: u32,
    pub(crate) build: u32,
    /// `active`, `abandoned`.
    pub(crate) status: &'static str,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) by: Uuid,
    pub(crate) environments: Vec<ReleaseEnvironment>,
}

/// An environment of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseEnvironment {
    /// Unique in the collection.
    pub(crate) id: u32,
    /// Its number in the definition.
    pub(crate) definition_environment: u32,
    pub(crate) name: String,
    /// `notStarted`, `inProgress`, `succeeded`, `partiallySucceeded`, `rejected`, `canceled`.
    pub(crate) status: &'static str,
    /// Each attempt, the last one last.
    pub(crate) deployments: Vec<Deployment>,
}

/// An attempt to deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// Unique in the collection.
    pub(crate) id: u32,
    pub(crate) attempt: u32,
    pub(crate) by: Uuid,
    pub(crate) queued: Timestamp,
    pub(crate) started: Timestamp,
    pub(crate) completed: Option<Timestamp>,
    pub(crate) changed: Timestamp,
    /// `notDeployed`, `inProgress`, `succeeded`, `partiallySucceeded`, `failed`.
    pub(crate) status: &'static str,
    /// `pending`, `approved`, `rejected`; `None` where nobody is asked.
    pub(crate) approval: Option<(&'static str, Uuid)>,
    /// When that was answered.
    pub(crate) decided: Option<Timestamp>,
}

impl Release {
    /// What it belongs to.
    pub(crate) fn of(&self) -> Of {
        Of::new(Stream::Releases, &[Entity::ReleasePipeline(self.definition)])
    }

    pub(crate) fn name(&self) -> String {
        format!("Release-{}", self.id)
    }

    /// An environment by its id.
    pub(crate) fn environment(&self, id: u32) -> Option<&ReleaseEnvironment> {
        self.environments.iter().find(|own| own.id == id)
    }
}

impl World {
    pub(crate) fn create_release_definition(
        &mut self,
        project: Uuid,
        name: &str,
        build_definition: u32,
        environments: &[&str],
    ) -> u32 {
        let id = next(&self.release_definitions, 1);
        let definition = ReleaseDefinition {
            id,
            project,
            name: name.to_owned(),
            path: "\\".to_owned(),
            build_definition,
            environments: environments.iter().map(|name| (*name).to_owned()).collect(),
            created: self.now,
            by: self.people.first().id,
        };
        self.release_definitions.insert(id, definition);
        id
    }

    /// A release of a build; its number.
    pub(crate) fn create_release(&mut self, definition: u32, build: u32, by: Uuid) -> Result<u32, Impossible> {
        let found = self.release_definitions.get(&definition);
        let own = found.ok_or_else(|| Impossible::Absent(format!("release definition {definition}")))?;
        if !self.builds.contains_key(&build) {
            return Err(Impossible::Absent(format!("build {build}")));
        }
        let id = next(&self.releases, 1);
        let environment = |(at, name): (u32, &String)| ReleaseEnvironment {
            id: id * 10 + at,
            definition_environment: at,
            name: name.clone(),
            status: "notStarted",
            deployments: Vec::new(),
        };
        let environments = (1..).zip(&own.environments).map(environment).collect();
        let (created, changed) = (self.now, self.now);
        let release = Release { id, definition, build, status: "active", created, changed, by, environments };
        self.releases.insert(id, release);
        self.release_event(CREATED, id);
        Ok(id)
    }

    pub(crate) fn abandon_release(&mut self, id: u32) -> Result<(), Impossible> {
        if self.releases.get(&id).is_some_and(|own| own.status == "abandoned") {
            return Err(Impossible::State(format!("release {id} is given up")));
        }
        self.release_mut(id)?.status = "abandoned";
        self.release_event(ABANDONED, id);
        Ok(())
    }

    fn release_mut(&mut self, id: u32) -> Result<&mut Release, Impossible> {
        let now = self.now;
        let found = self.releases.get_mut(&id).ok_or_else(|| Impossible::Absent(format!("release {id}")))?;
        found.changed = now;
        Ok(found)
    }

    fn environment_mut(&mut self, id: u32, name: &str) -> Result<&mut ReleaseEnvironment, Impossible> {
        let release = self.release_mut(id)?;
        let found = release.environments.iter_mut().find(|own| own.name == name);
        found.ok_or_else(|| Impossible::Absent(format!("environment {name} of release {id}")))
    }

    /// Starts to deploy to an environment, and asks `approver` first where there is one; the deployment's number.
    pub(crate) fn start_deployment(
        &mut self,
        release: u32,
        environment: &str,
        by: Uuid,
        approver: Option<Uuid>,
    ) -> Result<u32, Impossible> {
        let now = self.now;
        let id = next(&self.deployments, 1);
        let is_abandoned = self.release_mut(release)?.status == "abandoned";
        let own = self.environment_mut(release, environment)?;
        if is_abandoned || own.deployments.last().is_some_and(|last| last.completed.is_none()) {
            return Err(Impossible::State(format!("{environment} of release {release} cannot be deployed to now")));
        }
        own.status = "inProgress";
        own.deployments.push(Deployment {
            id,
            attempt: u32::try_from(own.deployments.len()).unwrap_or_default() + 1,
            by,
            queued: now,
            started: now,
            completed: None,
            changed: now,
            status: if approver.is_some() { "notDeployed" } else { "inProgress" },
            approval: approver.map(|approver| ("pending", approver)),
            decided: None,
        });
        let (own, attempt, waits) = (own.id, own.deployments.len() - 1, approver.is_some());
        let at = self.releases[&release].environments.iter().position(|other| other.id == own).unwrap_or_default();
        self.deployments.insert(id, (release, at, attempt));
        self.deployment_event(if waits { APPROVAL_PENDING } else { STARTED }, release, own, &[]);
        Ok(id)
    }

    /// They said yes, and it is deployed, or no.
    pub(crate) fn decide_deployment(
        &mut self,
        release: u32,
        environment: &str,
        approved: bool,
    ) -> Result<(), Impossible> {
        let now = self.now;
        let asked = self.environment_mut(release, environment)?;
        let id = asked.id;
        let pending = asked.deployments.last_mut().filter(|last| last.approval.is_some_and(|(is, _)| is == "pending"));
        let last = pending.ok_or_else(|| Impossible::State("nobody is asked".to_owned()))?;
        let person = last.approval.map_or(last.by, |(_, person)| person);
        last.approval = Some((if approved { "approved" } else { "rejected" }, person));
        (last.changed, last.decided) = (now, Some(now));
        if approved {
            last.status = "inProgress";
        }
        self.deployment_event(APPROVAL_COMPLETED, release, id, &[]);
        if approved {
            self.deployment_event(STARTED, release, id, &[]);
            return Ok(());
        }
        self.finish_deployment(release, environment, "rejected")
    }

    /// Ends a deployment with a status of its environment: `succeeded`, `partiallySucceeded`, `rejected`, `canceled`.
    pub(crate) fn finish_deployment(
        &mut self,
        release: u32,
        environment: &str,
        status: &'static str,
    ) -> Result<(), Impossible> {
        let now = self.now;
        let own = self.environment_mut(release, environment)?;
        // A deployment that waits for somebody can only be refused or canceled.
        let waits = |last: &Deployment| last.approval.is_some_and(|(is, _)| is == "pending");
        let running = own.deployments.last_mut().filter(|last| last.completed.is_none());
        let running = running.filter(|last| !waits(last) || status == "canceled");
        let last = running.ok_or_else(|| Impossible::State(format!("nothing is deployed to {environment}")))?;
        (last.completed, last.changed) = (Some(now), now);
        let (word, number) = match status {
            "succeeded" => ("succeeded", "4"),
            "canceled" => ("notDeployed", "8"),
            "partiallySucceeded" => ("partiallySucceeded", "128"),
            _ => ("failed", "16"),
        };
        last.status = word;
        own.status = status;
        let id = own.id;
        self.deployment_event(COMPLETED, release, id, &[("releaseEnvironmentStatus", number)]);
        Ok(())
    }

    fn release_event(&mut self, event: (&'static str, &'static str), id: u32) {
        let definition = &self.release_definitions[&self.releases[&id].definition];
        let facts = Facts::from([("releaseDefinitionId", vec![definition.id.to_string()])]);
        let word = if event == CREATED { "created" } else { "abandoned" };
        self.occur(event, definition.project, format!("release {id} {word}"), facts, Subject::Release { number: id });
    }

    fn deployment_event(
        &mut self,
        event: (&'static str, &'static str),
        id: u32,
        environment: u32,
        more: &[(&'static str, &'static str)],
    ) {
        let release = &self.releases[&id];
        let definition = &self.release_definitions[&release.definition];
        let Some(own) = release.environment(environment) else { return };
        let mut facts = Facts::from([
            ("releaseDefinitionId", vec![definition.id.to_string()]),
            ("releaseEnvironmentId", vec![own.definition_environment.to_string()]),
            ("releaseApprovalType", vec!["1".to_owned()]),
        ]);
        if let Some((status, _)) = own.deployments.last().and_then(|last| last.approval) {
            facts.insert("releaseApprovalStatus", vec![status.to_owned()]);
        }
        facts.extend(more.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])));
        let title = format!("release {id}, {}: {}", own.name, own.status);
        let project = definition.project;
        self.occur(event, project, title, facts, Subject::Deployment { release: id, environment });
    }
}
