//! Pushes.

use super::{Composed, Home, Kind};
use crate::azure::client::PushRecord;
use uuid::Uuid;

const PUSH: Kind = Kind { event_type: "git.push", publisher: "tfs", version: "1.0" };

/// What the server merges for itself to try it: listed like pushes, and told by no hook.
const MERGE_TRIES: &str = "refs/pull/";

/// Whether a hook would tell of it.
pub(crate) fn is_pushed(record: &PushRecord) -> bool {
    !record.ref_updates.iter().all(|update| update.name.starts_with(MERGE_TRIES))
}

/// `git.push`; with its commits where the record was read by itself, which changes no id.
pub(crate) fn push(home: Home<'_>, repository: Uuid, record: &PushRecord) -> Composed {
    home.compose(PUSH, record.date, format!("git/repositories/{repository}"), &record.json)
}
