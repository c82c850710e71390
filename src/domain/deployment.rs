//! A deployment, as the log of deployments keeps it beside the event that tells it.

use super::{BindingId, ConnectionId, Slug};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Somebody, as Azure DevOps names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The account, mostly a mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// What made a revision one that was deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cause {
    /// The event; `None` of what was registered by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Uuid>,
    /// `build`, `pull_request`, `push`, `tag`, `manual`.
    pub kind: String,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// The number of the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<i64>,
    /// What people call the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_number: Option<String>,
    /// The name of its pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The stage or job that deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// The number of the pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<i64>,
    /// The short name of the tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// One revision of one project that reached one environment: everything that does not depend on what else was deployed
/// there, so that it can be told anew when something turns up that came before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Of the fact; it is the id of the event that told it first.
    pub id: Uuid,
    /// Whose.
    pub project: Slug,
    /// By which code deployment.
    pub binding: BindingId,
    /// What people call that one.
    pub name: String,
    /// Of which connection.
    pub connection: ConnectionId,
    /// Where to.
    pub environment: Slug,
    /// The commit.
    pub revision: String,
    /// The short name of the branch, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
    /// `{collection}/{project GUID}`: where what made it happened.
    pub source: String,
    /// The Azure project of the repository.
    pub azure_project: String,
    /// The repository's GUID, or its name where that is not known.
    pub repository: String,
    /// Names and addresses that it came with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(String, String)>,
    /// Words that it came with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a deployment is beside those before it in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The first that is known.
    First,
    /// Another revision than before.
    Forward,
    /// One that was there before, after another.
    Back,
    /// The one that is there already.
    Again,
}

/// One telling of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// The event.
    pub event: Uuid,
    /// How often it was told before.
    pub number: u32,
    /// The one before it in its environment, by then.
    pub previous: Option<Uuid>,
    /// What it is beside that.
    pub step: Step,
    /// How many commits came with it.
    pub commits: u32,
    /// The deployment.
    pub deployment: Deployment,
}
