//! What a binding is swept for, how far it is known to be complete, and what is known to be missing.

use super::{BindingId, ConnectionId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One kind of Azure's records, listed and compared by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Pushes to a repository.
    Pushes,
    /// Pull requests of a repository: opened, pushed to, commented, completed, abandoned.
    PullRequests,
    /// Builds with their stages and jobs.
    Builds,
    /// Classic releases and their deployments.
    Releases,
    /// Revisions of work items.
    WorkItems,
}

impl Stream {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pushes, Self::PullRequests, Self::Builds, Self::Releases, Self::WorkItems];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pushes => "pushes",
            Self::PullRequests => "pull_requests",
            Self::Builds => "builds",
            Self::Releases => "releases",
            Self::WorkItems => "work_items",
        }
    }
}

/// As kept in the registry under kind `watermark`, by binding and stream: up to when everything that Azure's records say
/// happened is an event here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Whose.
    pub binding: BindingId,
    /// Of what.
    pub stream: Stream,
    /// From when on it was compared.
    pub complete_from: Timestamp,
    /// Up to when it was compared and what was missing repaired.
    pub complete_until: Timestamp,
    /// Where reading revisions goes on.
    pub bookmark: Option<String>,
    /// When this was written.
    pub updated_at: Timestamp,
}

impl Watermark {
    /// Its id in the registry.
    pub fn id(binding: BindingId, stream: Stream) -> String {
        format!("{binding}.{}", stream.word())
    }
}

/// As kept in the registry under kind `gap`: something that must have happened, because what came after it says so, and
/// that neither a hook nor the history nor Azure's records tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Where.
    pub connection: ConnectionId,
    /// The bindings that select it.
    pub bindings: Vec<BindingId>,
    /// Which kind of record is missing.
    pub stream: Stream,
    /// The subject of the missing events, such as `wit/workItems/12`.
    pub entity: String,
    /// What is missing, in words: `revisions 6 to 7`.
    pub what: String,
    /// It happened after this: the time of the last event of the entity before it.
    pub after: Timestamp,
    /// And before this: the time of the event that shows it.
    pub before: Timestamp,
    /// When it was found.
    pub found_at: Timestamp,
    /// Names what would fill it: ids of events, or of the places that they bring a ref to. One of them is enough.
    #[serde(default)]
    pub filled_by: Vec<Uuid>,
}
