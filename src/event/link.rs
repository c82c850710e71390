//! Relations of an event to things that it is not about, by their domain ids.

use serde::Serialize;
use uuid::Uuid;

/// What a link says, from the fixed list of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LinkKind {
    /// It started this.
    Trigger,
    /// The commit this is about.
    Commit,
    /// The commit that a completed change made.
    MergeCommit,
    /// The change this is about.
    Change,
    /// The work item this is about.
    Issue,
    /// The run this is about.
    Run,
    /// What a release deploys.
    Deploys,
    /// What it was forked from.
    ForkOf,
    /// What an approval holds back.
    Gates,
}

/// A relation to something known by its domain id; the event that told of it may be unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it says.
    pub kind: LinkKind,
    /// `cdevents:v0:…`, see the identity of the translation.
    pub domain_id: String,
    /// The event that told of it, where that is known: a translated notification knows of no other event.
    pub event: Option<Uuid>,
}
