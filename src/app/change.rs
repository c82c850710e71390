//! What every change of a resource has in common: its precondition, its refusals, its lock.

use super::{App, kind};
use crate::store::{Change, Error, Expected};
use serde::Serialize;

/// Which versions of a resource a change may meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// Whatever is there.
    None,
    /// One of these.
    Versions(Vec<u64>),
}

impl Precondition {
    /// Whether this version may be changed.
    pub fn check(&self, version: u64) -> Result<(), Refusal> {
        match self {
            Self::None => Ok(()),
            Self::Versions(versions) if versions.contains(&version) => Ok(()),
            Self::Versions(_) => Err(Refusal::Changed),
        }
    }
}

/// One wrong member of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which, as a JSON Pointer.
    pub pointer: &'static str,
    /// Why, and what to give instead.
    pub detail: String,
}

/// Why a change was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The precondition does not hold.
    #[error("it was changed in the meantime")]
    Changed,
    /// It contradicts another record.
    #[error("{0}")]
    Contradicts(String),
    /// The most there may be.
    #[error("there may be at most {max} {what}")]
    Full {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// A removal without its confirmation.
    #[error("{0}")]
    Unconfirmed(String),
    /// Members are wrong in a way that only the registry's content shows.
    #[error("members are wrong")]
    Invalid(Vec<Wrong>),
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
}

/// The change that puts `record` at `id`.
///
/// # Panics
/// Never for our records: plain structs with string keys.
pub fn put(kind: &'static str, id: &impl ToString, expected: Expected, record: &impl Serialize) -> Change {
    let value = serde_json::to_vec(record).expect("a record is plain data with string keys");
    Change { kind, id: id.to_string(), expected, value: Some(value.into()) }
}

/// The change that deletes `id` at exactly this version.
pub fn delete(kind: &'static str, id: &impl ToString, version: u64) -> Change {
    Change { kind, id: id.to_string(), expected: Expected::Version(version), value: None }
}

impl App {
    /// Commits; a conflict means that somebody was faster between our reading and our writing.
    pub(super) async fn change(&self, changes: Vec<Change>) -> Result<Vec<u64>, Refusal> {
        let wakes = changes.iter().any(|change| [kind::CONNECTION, kind::BINDING].contains(&change.kind));
        let sinks = changes.iter().any(|change| change.kind == kind::SINK);
        let versions = self.store.commit(changes).await.map_err(|e| match e {
            Error::Conflict => Refusal::Changed,
            other => Refusal::Store(other),
        })?;
        if wakes {
            self.reconcile.notify_one();
            self.recover.wake();
        }
        if sinks {
            self.dispatch.changed();
        }
        Ok(versions)
    }
}
