//! What is deployed to environments, and what new rules find, as the API shows them.

use super::{super::cursor, view::DeployedView};
use crate::{
    deployments::{again::Looked, query::Current},
    domain,
    store::Log,
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The environments of a project, in order of promotion.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvironmentStates {
    /// The environments.
    #[schema(max_items = 50)]
    pub data: Vec<EnvironmentStateView>,
}

/// What is deployed to an environment.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvironmentStateView {
    /// Its slug.
    #[schema(max_length = 63, example = "production")]
    pub environment: String,
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: String,
    /// What each code deployment has there.
    #[schema(max_items = 5000)]
    pub current: Vec<CurrentView>,
}

/// What a code deployment has in an environment.
#[derive(Debug, Serialize, ToSchema)]
pub struct CurrentView {
    /// The deployment that brought it.
    pub deployment: DeployedView,
    /// How far it is behind the environment before it in the order; null where there is none, or where what is here was
    /// never there.
    pub drift: Option<DriftView>,
}

/// How far an environment is behind the one before it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftView {
    /// The environment that is ahead.
    #[schema(max_length = 63, example = "staging")]
    pub behind: String,
    /// Commits that are there and not here.
    pub commits: u64,
    /// Deployments there since the one of this revision.
    pub deployments: u64,
    /// Days between that deployment there and the newest there.
    pub days: f64,
}

impl From<Current> for CurrentView {
    fn from(current: Current) -> Self {
        let drift = current.drift.map(|drift| DriftView {
            behind: drift.behind.to_string(),
            commits: drift.commits,
            deployments: drift.deployments,
            days: drift.time.as_secs_f64() / 86_400.0,
        });
        Self { deployment: current.shown.into(), drift }
    }
}

/// What the rules of a code deployment make of events that are kept, and was not told.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookedView {
    /// Whether nothing is told.
    pub dry_run: bool,
    /// What is not told yet, oldest event first. Told in a moment, unless it is a dry run; but not what turns out to be of
    /// another branch, or to touch no path that counts.
    #[schema(max_items = 1000)]
    pub data: Vec<FoundView>,
    /// How many others are told already.
    pub told: usize,
    /// What these events told and these rules do not make of them, whatever files were changed. It stays told: consumers
    /// have it.
    #[schema(max_items = 1000)]
    pub untold: Vec<FoundView>,
    /// Send it as `after` to go on; absent at the end.
    #[schema(max_length = 64)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl LookedView {
    /// What a look found.
    pub fn new(looked: Looked, dry_run: bool) -> Self {
        Self {
            dry_run,
            data: looked.found.into_iter().map(FoundView::from).collect(),
            told: looked.told,
            untold: looked.untold.into_iter().map(FoundView::from).collect(),
            next: looked.next.map(|next| cursor::encode(Log::Events, next)),
        }
    }
}

/// A deployment that is not told yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundView {
    /// The id that it will have.
    pub id: Uuid,
    /// Where to.
    #[schema(max_length = 63, example = "production")]
    pub environment: String,
    /// The commit; null where Azure DevOps has to be asked for it.
    #[schema(max_length = 64)]
    pub revision: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub at: Timestamp,
    /// The event that makes it one.
    pub event: Option<Uuid>,
}

impl From<domain::Deployment> for FoundView {
    fn from(own: domain::Deployment) -> Self {
        let revision = Some(own.revision).filter(|revision| !revision.is_empty());
        Self { id: own.id, environment: own.environment.to_string(), revision, at: own.at, event: own.cause.event }
    }
}
