//! Deployments as the API shows them. What came with one is read from its event, whose members have Azure's casing.

use crate::{
    deployments::{Build, query::Shown},
    domain,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// A page of deployments, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentPage {
    /// The deployments.
    #[schema(max_items = 1000)]
    pub data: Vec<DeployedView>,
    /// Send it as `after` for the next page; null at the end.
    pub next: Option<Uuid>,
}

/// What a deployment is beside the one before it in its environment.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeployStepView {
    /// The first that is known.
    First,
    /// Another revision than before.
    Forward,
    /// A revision that was there before, after another: a rollback.
    Back,
    /// The revision that was there already.
    Again,
}

impl From<domain::Step> for DeployStepView {
    fn from(step: domain::Step) -> Self {
        match step {
            domain::Step::First => Self::First,
            domain::Step::Forward => Self::Forward,
            domain::Step::Back => Self::Back,
            domain::Step::Again => Self::Again,
        }
    }
}

/// One revision that reached one environment.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployedView {
    /// Its id, which stays when it is told once more.
    pub id: Uuid,
    /// The event that tells it.
    pub event: Uuid,
    /// The code deployment's binding.
    pub binding: Uuid,
    /// What people call that one.
    #[schema(max_length = 256)]
    pub name: String,
    /// Where to.
    #[schema(max_length = 63, example = "production")]
    pub environment: String,
    /// The commit.
    #[schema(max_length = 64, example = "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98")]
    pub revision: String,
    /// When.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub at: Timestamp,
    /// What it is beside the one before.
    pub step: DeployStepView,
    /// The one before.
    pub previous: Option<Uuid>,
    /// The later one that went back to before this one.
    pub rolled_back_by: Option<Uuid>,
    /// How many commits came with it.
    pub commit_count: u32,
    /// `build`, `pull_request`, `push`, `tag`, `manual`: what made it one.
    #[schema(max_length = 20, example = "build")]
    pub tracking: String,
}

impl From<Shown> for DeployedView {
    fn from(Shown { telling, undone_by }: Shown) -> Self {
        let own = &telling.deployment;
        Self {
            id: own.id,
            event: telling.event,
            binding: own.binding.0,
            name: own.name.clone(),
            environment: own.environment.to_string(),
            revision: own.revision.clone(),
            at: own.at,
            step: telling.step.into(),
            previous: telling.previous,
            rolled_back_by: undone_by,
            commit_count: telling.commits,
            tracking: own.cause.kind.clone(),
        }
    }
}

/// A deployment with all that came with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentDetailView {
    /// The deployment.
    #[serde(flatten)]
    pub deployment: DeployedView,
    /// What came with it, as it was when it was told.
    #[serde(flatten)]
    pub details: DetailsView,
}

/// What came with a deployment.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all(deserialize = "camelCase"))]
pub struct DetailsView {
    /// The revision that was there before.
    #[schema(max_length = 64)]
    pub previous_revision: Option<String>,
    /// The branch, by its short name.
    #[schema(max_length = 250)]
    pub branch: Option<String>,
    /// What made it a deployment.
    pub cause: CauseView,
    /// Where the code is.
    pub repository: RepositoryLinkView,
    /// Names and addresses that it came with.
    pub links: BTreeMap<String, String>,
    /// Words that it came with.
    #[schema(max_items = 50)]
    pub tags: Vec<String>,
    /// How much it is; what follows are at most so many of them.
    pub size: SizeView,
    /// What is new in it, newest first.
    #[schema(max_items = 500)]
    pub commits: Vec<CommitView>,
    /// Who wrote the commits, each once.
    #[schema(max_items = 500)]
    #[serde(skip_deserializing)]
    pub authors: Vec<DeployerView>,
    /// The files that changed.
    #[schema(max_items = 1000)]
    pub files: Vec<FileView>,
    /// The pull requests that brought the commits.
    #[schema(max_items = 100)]
    pub pull_requests: Vec<PullRequestView>,
    /// The work items of those.
    #[schema(max_items = 400)]
    pub work_items: Vec<DeployedWorkItemView>,
    /// The builds of the revision, as they were when it was deployed.
    #[schema(max_items = 100)]
    pub builds: Vec<DeployedBuildView>,
    /// The moments that lead time is counted from.
    pub lead_time: LeadTimeView,
    /// Why something is not here.
    #[schema(max_items = 20)]
    pub missing: Vec<String>,
}

impl DetailsView {
    /// Names who wrote the commits.
    pub fn names_authors(&mut self) {
        for own in self.commits.iter().map(|commit| &commit.author) {
            let is = |other: &DeployerView| match (&own.account, &other.account) {
                (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
                _ => own.name == other.name,
            };
            if !self.authors.iter().any(is) {
                self.authors.push(own.clone());
            }
        }
    }

    /// Puts what is known of builds by now over what was known when it was told; events of those can be gone.
    pub fn knows(&mut self, builds: Vec<Build>) {
        let known: Vec<DeployedBuildView> = builds.into_iter().map(DeployedBuildView::from).collect();
        self.builds.retain(|own| known.iter().all(|other| other.number != own.number));
        self.builds.splice(0..0, known);
    }
}

impl From<Build> for DeployedBuildView {
    fn from(build: Build) -> Self {
        let Build { number, pipeline, uri, state, outcome } = build;
        Self { number, pipeline, state: state.to_owned(), outcome, url: uri }
    }
}

/// What made a revision a deployed one.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CauseView {
    /// The event; null of what was registered by hand.
    pub event: Option<Uuid>,
    /// Who did it.
    pub by: Option<DeployerView>,
    /// The number of the build.
    pub build: Option<i64>,
    /// What people call the build.
    #[schema(max_length = 256)]
    pub build_number: Option<String>,
    /// The name of its pipeline.
    #[schema(max_length = 256)]
    pub pipeline: Option<String>,
    /// The stage or job that deployed.
    #[schema(max_length = 256)]
    pub part: Option<String>,
    /// The number of the pull request.
    pub pull_request: Option<i64>,
    /// The tag, by its short name.
    #[schema(max_length = 250)]
    pub tag: Option<String>,
}

/// Somebody.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DeployerView {
    /// For people.
    #[schema(max_length = 256)]
    pub name: Option<String>,
    /// The account, mostly a mail address.
    #[serde(alias = "email")]
    #[schema(max_length = 256)]
    pub account: Option<String>,
}

/// A repository.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RepositoryLinkView {
    /// Its GUID, or its name where that is not known.
    #[schema(max_length = 256)]
    pub id: String,
    /// Its page.
    #[schema(max_length = 2000)]
    pub url: String,
}

/// How much a deployment is.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all(deserialize = "camelCase"))]
pub struct SizeView {
    /// Commits.
    pub commits: u64,
    /// Files.
    pub files: u64,
    /// Whether there are more than were counted.
    pub is_cut: bool,
}

/// A commit.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CommitView {
    /// Its name.
    #[schema(max_length = 64)]
    pub revision: String,
    /// Its message, of long ones the beginning.
    pub message: String,
    /// Who wrote it.
    pub author: DeployerView,
    /// When it was written.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub date: Option<Timestamp>,
    /// Its page.
    #[schema(max_length = 2000)]
    pub url: String,
}

/// A changed file.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct FileView {
    /// From the repository's root, with a slash before it.
    pub path: String,
}

/// A pull request.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all(deserialize = "camelCase"))]
pub struct PullRequestView {
    /// Its number.
    pub id: i64,
    /// Its title.
    pub title: String,
    /// Who made it.
    #[schema(max_length = 256)]
    pub author: Option<String>,
    /// Its page.
    #[schema(max_length = 2000)]
    pub url: String,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub created: Option<Timestamp>,
    /// When somebody else first said something to it.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub first_review: Option<Timestamp>,
    /// When it was completed.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub merged: Option<Timestamp>,
    /// Numbers of its work items.
    #[schema(max_items = 400)]
    pub work_items: Vec<i64>,
}

/// A work item, as it was when the deployment was told.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all(deserialize = "camelCase"))]
pub struct DeployedWorkItemView {
    /// Its number.
    pub id: i64,
    /// Such as Bug.
    #[serde(rename = "type")]
    #[schema(max_length = 128)]
    pub kind: String,
    /// Its title.
    pub title: String,
    /// Its state.
    #[schema(max_length = 128)]
    pub state: String,
    /// Whose it is.
    #[schema(max_length = 256)]
    pub assigned_to: Option<String>,
    /// Its page.
    #[schema(max_length = 2000)]
    pub url: String,
}

/// A build, as it was when its revision was deployed.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct DeployedBuildView {
    /// Its number.
    #[schema(max_length = 40, example = "4711")]
    pub number: String,
    /// Its pipeline's name.
    #[schema(max_length = 1024)]
    pub pipeline: Option<String>,
    /// `queued`, `running` or `finished`.
    #[schema(max_length = 20, example = "finished")]
    pub state: String,
    /// How a finished one ended: `success`, `failure`, `cancel`, `error`.
    #[schema(max_length = 40, example = "success")]
    pub outcome: Option<String>,
    /// Where it is.
    #[schema(max_length = 4096)]
    pub url: Option<String>,
}

/// The moments that lead time is counted from; the last is the deployment's own.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all(deserialize = "camelCase"))]
pub struct LeadTimeView {
    /// The first of its work items entered one of the issue provider's `lead_time_states`.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub work_started: Option<Timestamp>,
    /// The oldest of its commits was written.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub first_commit: Option<Timestamp>,
    /// The first of its pull requests was made.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub first_pull_request: Option<Timestamp>,
    /// Somebody first said something to one.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub first_review: Option<Timestamp>,
    /// The last of its pull requests was completed.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub last_merge: Option<Timestamp>,
}
