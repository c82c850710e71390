//! What the reconciler knows of each connection while the process runs. Nothing of it needs to survive: the next run finds
//! it out again.

use super::{audit::Audited, catalogue::Catalogue, resolve::Resolution, trouble::Trouble};
use crate::{azure::client::Host, domain::ConnectionId};
use jiff::Timestamp;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What is looked up rarely, at the fingerprint of connection and bindings that it was looked up for.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// What the server offers.
    pub catalogue: Option<(u64, Duration, Catalogue)>,
    /// What the bindings select.
    pub resolution: Option<(u64, Duration, Resolution)>,
    /// The hosts whose last listing had any of ours. What was deleted is only gone when a listing no longer has it: a
    /// proxy's 404 to a DELETE looks like success, and the record that would have it looked for is no more.
    pub ours_on: BTreeSet<Host>,
    /// The knowledge from the audit log.
    pub audited: Audited,
}

/// How the last run went.
#[derive(Debug, Clone, Default)]
pub struct LastRun {
    /// When it ended.
    pub at: Option<Timestamp>,
    /// What was not in order.
    pub troubles: Vec<Trouble>,
}

/// One connection's.
#[derive(Debug, Default)]
pub struct Watched {
    /// Held by the run of this connection: two at once would make everything twice.
    pub(super) running: tokio::sync::Mutex<Remembered>,
    last: Mutex<LastRun>,
}

impl Watched {
    /// How the last run went.
    pub fn last(&self) -> LastRun {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes how a run went.
    pub(super) fn ended(&self, at: Timestamp, troubles: Vec<Trouble>) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = LastRun { at: Some(at), troubles };
    }
}

/// All connections'.
#[derive(Debug, Default)]
pub struct Upkeep {
    watched: Mutex<HashMap<ConnectionId, Arc<Watched>>>,
}

impl Upkeep {
    /// One connection's.
    pub fn of(&self, connection: ConnectionId) -> Arc<Watched> {
        Arc::clone(self.watched.lock().unwrap_or_else(PoisonError::into_inner).entry(connection).or_default())
    }

    /// Keeps only those connections.
    pub fn retain(&self, is_there: impl Fn(ConnectionId) -> bool) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).retain(|id, _| is_there(*id));
    }
}
