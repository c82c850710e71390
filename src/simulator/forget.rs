//! A stretch of time that Azure's own records and the notification history know nothing of, as if what happened then had
//! never been written down: what no client can recover. Hooks that were delivered in time are not called back.
//!
//! It is what happened then that is forgotten, and not what it happened to: a build that began before and ended within is
//! still running by all that anybody can read; a revision is missing between two others. What something later says of
//! itself stays: a pull request that was opened within and closed after is listed among the closed ones, with its date.

use super::world::{Build, Deployment, PullRequest, Release};
use crate::domain::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use uuid::Uuid;

/// A stretch of time that is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forget {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end, which is not forgotten.
    pub to: Timestamp,
    /// Of these records alone; of all where it is not said.
    #[serde(default)]
    pub stream: Option<Stream>,
    /// Of this alone; of everything where it is not said.
    #[serde(default)]
    pub of: Option<Entity>,
}

/// Of what something is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    /// A repository, with its pull requests and builds.
    Repository(Uuid),
    /// A pull request.
    PullRequest(u32),
    /// A pipeline, with its builds.
    Pipeline(u32),
    /// A build.
    Build(u32),
    /// A classic release pipeline, with its releases.
    ReleasePipeline(u32),
    /// A work item.
    WorkItem(u32),
}

/// What an occurrence or a record belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Of {
    /// `None` is of no records: a repository was renamed.
    pub(crate) stream: Option<Stream>,
    pub(crate) entities: Vec<Entity>,
}

impl Of {
    pub(crate) fn new(stream: Stream, entities: &[Entity]) -> Self {
        Self { stream: Some(stream), entities: entities.to_vec() }
    }
}

/// All that is forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Forgotten(Vec<Forget>);

impl Forgotten {
    pub(crate) fn new(all: &[Forget]) -> Self {
        Self(all.to_vec())
    }

    /// Whether what happened then to this is forgotten.
    pub(crate) fn hides(&self, at: Timestamp, of: &Of) -> bool {
        self.0.iter().any(|own| {
            own.from <= at
                && at < own.to
                && own.stream.is_none_or(|stream| of.stream == Some(stream))
                && own.of.is_none_or(|entity| of.entities.contains(&entity))
        })
    }

    fn keeps(&self, at: Option<Timestamp>, of: &Of) -> Option<Timestamp> {
        at.filter(|at| !self.hides(*at, of))
    }

    /// A push: of a repository.
    pub(crate) fn push(&self, at: Timestamp, repository: Uuid) -> bool {
        !self.0.is_empty() && self.hides(at, &Of::new(Stream::Pushes, &[Entity::Repository(repository)]))
    }

    /// A revision: of a work item.
    pub(crate) fn revision(&self, at: Timestamp, number: u32) -> bool {
        !self.0.is_empty() && self.hides(at, &Of::new(Stream::WorkItems, &[Entity::WorkItem(number)]))
    }

    /// A pull request as it is remembered.
    pub(crate) fn pull_request<'a>(&self, own: &'a PullRequest) -> Option<Cow<'a, PullRequest>> {
        if self.0.is_empty() {
            return Some(Cow::Borrowed(own));
        }
        let of = own.of();
        let closed = own.closed.filter(|(at, _)| !self.hides(*at, &of));
        if closed.is_none() && self.hides(own.created, &of) {
            return None;
        }
        let mut known = own.clone();
        if own.closed.is_some() && closed.is_none() {
            known.status = "active";
        }
        known.closed = closed;
        known.iterations.retain(|(_, at)| !self.hides(*at, &of));
        known.comments.retain(|comment| !self.hides(comment.at, &of));
        known.votes.retain(|vote| !self.hides(vote.at, &of));
        Some(Cow::Owned(known))
    }

    /// A build as it is remembered; it is one of a repository.
    pub(crate) fn build<'a>(&self, own: &'a Build, repository: Uuid) -> Option<Cow<'a, Build>> {
        if self.0.is_empty() {
            return Some(Cow::Borrowed(own));
        }
        let of = own.of(repository);
        let mut known = own.clone();
        known.started = self.keeps(own.started, &of);
        known.finished = self.keeps(own.finished, &of);
        if known.started.is_none() && known.finished.is_none() && self.hides(own.queued, &of) {
            return None;
        }
        if known.finished.is_none() {
            known.result = None;
        }
        for stage in &mut known.stages {
            if stage.finished.is_some_and(|at| self.hides(at, &of)) {
                (stage.finished, stage.result, stage.state) = (None, None, "running");
            }
            if stage.started.is_some_and(|at| self.hides(at, &of)) {
                stage.started = None;
                if stage.finished.is_none() {
                    stage.state = "notStarted";
                }
            }
        }
        known.approvals.retain(|approval| !self.hides(approval.created, &of));
        for approval in &mut known.approvals {
            if approval.decided.is_some_and(|at| self.hides(at, &of)) {
                (approval.decided, approval.status) = (None, "pending");
            }
        }
        Some(Cow::Owned(known))
    }

    /// A release as it is remembered.
    pub(crate) fn release<'a>(&self, own: &'a Release) -> Option<Cow<'a, Release>> {
        if self.0.is_empty() {
            return Some(Cow::Borrowed(own));
        }
        let of = own.of();
        let is_changed = !self.hides(own.changed, &of);
        if !is_changed && self.hides(own.created, &of) {
            return None;
        }
        let mut known = own.clone();
        if !is_changed {
            (known.changed, known.status) = (own.created, "active");
        }
        for environment in &mut known.environments {
            let before = environment.deployments.len();
            environment.deployments =
                environment.deployments.iter().filter_map(|own| self.deployed(own, &of)).collect();
            if let Some(last) = environment.deployments.last().filter(|last| last.completed.is_none()) {
                environment.status = if last.status == "notDeployed" { environment.status } else { "inProgress" };
            } else if environment.deployments.is_empty() && before > 0 {
                environment.status = "notStarted";
            }
        }
        Some(Cow::Owned(known))
    }

    /// A deployment of a release as it is remembered.
    pub(crate) fn deployment<'a>(&self, own: &'a Deployment, release: &Release) -> Option<Cow<'a, Deployment>> {
        if self.0.is_empty() {
            return Some(Cow::Borrowed(own));
        }
        self.deployed(own, &release.of()).map(Cow::Owned)
    }

    fn deployed(&self, own: &Deployment, of: &Of) -> Option<Deployment> {
        let mut known = own.clone();
        if own.completed.is_some_and(|at| self.hides(at, of)) {
            (known.completed, known.changed, known.status) = (None, own.started, "inProgress");
        }
        let is_there = known.completed.is_some() || !self.hides(own.started, of);
        is_there.then_some(known)
    }
}
