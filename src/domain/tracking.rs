//! How revisions of a code deployment get to the environments of its project.

use super::{AzureRef, BranchRule, Slug};
use serde::{Deserialize, Serialize};

/// What makes a revision one that was deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tracking {
    /// A run, or a stage or job of it, that succeeds.
    Build,
    /// A pull request that is completed.
    PullRequest,
    /// A push.
    Push,
    /// A tag that is made or moved.
    Tag,
    /// Nothing but a call of the API.
    Manual,
}

/// Which part of a run deploys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// All of it.
    Run,
    /// The stage of this name; of a classic release its environment. With `*` at the end: any that begins so.
    Stage(String),
    /// The job of this name: in the pipeline's text, for people, or its identifier. With `*` at the end: any that begins so.
    Job(String),
    /// The stages in which a job deploys to the Azure DevOps environment of this name, or with `*` at the end to any that
    /// begins so.
    AzureEnvironment(String),
}

/// Of what a run was made of, what it deploys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revision {
    /// The sources of the run that started it, or whose artifacts it takes; of a run that stands alone, its own.
    #[default]
    Automatic,
    /// The commit that the run itself checked out.
    Own,
    /// The sources of the run that started it, or whose artifacts it takes, and nothing else.
    TriggeringBuild,
}

impl Revision {
    /// Whether it is the one that rules have without saying so.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A part of a pipeline whose success is a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildRule {
    /// The pipeline, or the classic release pipeline.
    pub pipeline: AzureRef,
    /// Which part of it.
    pub part: Part,
    /// Only runs within the environment's branch, and not only within the binding's.
    pub match_branch: bool,
    /// The source that the rule deploys.
    #[serde(default, skip_serializing_if = "Revision::is_default")]
    pub revision: Revision,
    /// Runs of these tags, too, whatever the branches: a glob over their short names. `None` is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<String>,
    /// Runs that validate pull requests, too, whatever the branches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pull_requests: bool,
}

/// An environment that a code deployment reaches, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// One of the project's.
    pub environment: Slug,
    /// The branches whose revisions go there, within those of the binding.
    pub branch: BranchRule,
    /// With [`Tracking::Build`]: what deploys there, at least one.
    pub builds: Vec<BuildRule>,
    /// With [`Tracking::Tag`]: a glob over the short names of tags; `None` is any tag.
    pub tags: Option<String>,
}

/// What does not become a deployment. Texts are compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// Account names or display names of who pushed, made the pull request or started the run.
    pub authors: Vec<String>,
    /// Labels of pull requests.
    pub labels: Vec<String>,
    /// Globs over titles of pull requests.
    pub titles: Vec<String>,
    /// Pull requests that were drafts to the end.
    #[serde(default)]
    pub drafts: bool,
    /// Account names or display names of those whose comments and votes are no review: bots. It makes no deployment less.
    #[serde(default)]
    pub reviewers: Vec<String>,
}

/// As a part of a code deployment's binding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploys {
    /// What makes a revision one that was deployed.
    pub tracking: Tracking,
    /// Where to, each environment once.
    pub reaches: Vec<Reach>,
    /// Only revisions that touch one of these: folders with all below them, or globs, from the repository's root. Empty is
    /// all.
    pub include_paths: Vec<String>,
    /// Paths that do not count.
    pub exclude_paths: Vec<String>,
    /// What does not become a deployment.
    pub ignored: Ignored,
    /// How long after what made it the revision counts as deployed.
    pub delay_minutes: u32,
}

/// What an issue provider makes of its work items, besides selecting them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issues {
    /// Which of them are incidents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<IncidentRule>,
    /// Whether a work item is mentioned only by the title and the branch of a pull request, and not by its description or
    /// by messages of commits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict_mentions: bool,
    /// The states that lead time is counted from: the first time that a work item of a deployment enters one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lead_time_states: Vec<String>,
    /// Fields that events of its work items carry besides, by reference name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carried_fields: Vec<String>,
}

/// Which work items are incidents of an environment: those to which everything applies that is named, of each list one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRule {
    /// One of the project's.
    pub environment: Slug,
    /// Types such as `Bug`; empty means all.
    pub work_item_types: Vec<String>,
    /// Tags; empty means all.
    pub tags: Vec<String>,
    /// Area paths, each with all below it; empty means all.
    pub area_paths: Vec<String>,
}
