//! Pushes.

use super::{Composed, Home, Kind};
use crate::azure::client::PushRecord;
use uuid::Uuid;

const PUSH: Kind = Kind { event_type: "git.push", publisher: "tfs", version: "1.0" };

/// `git.push`; with its commits where the record was read by itself, which changes no id.
pub(crate) fn push(home: Home<'_>, repository: Uuid, record: &PushRecord) -> Composed {
    home.compose(PUSH, record.date, format!("git/repositories/{repository}"), &record.json)
}
