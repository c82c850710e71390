//! What recovery is asked for, and what it remembers while the process runs. Nothing of it needs to survive: after a start
//! everything is looked at.

use super::closed::Closed;
use crate::domain::ConnectionId;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
};
use tokio::sync::Notify;

/// Most answers that are remembered; then all are forgotten, and asked for once more.
const ASKED_MAX: usize = 200_000;

/// What costs a call for each record, and what would make the answer another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    /// The timeline of a build that ended then.
    Timeline(i64, Option<Timestamp>),
    /// The pushes to a pull request whose head is this, and what changes where that head comes again: when its branch was pushed
    /// to last, or of a fork, whose pushes no listing has, the try of its merge.
    Iterations(i64, String, Option<Timestamp>, Option<String>),
    /// The updates of a work item whose links were changed last then.
    Links(i64, Option<Timestamp>),
}

/// What is to be looked at out of turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// From when on; `None` is from where it is known to be complete.
    pub since: Option<Timestamp>,
    /// Also what leaves no trace in a listing.
    pub closely: bool,
}

impl Request {
    /// What both ask for.
    pub(super) fn and(self, other: Self) -> Self {
        let since = match (self.since, other.since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { since, closely: self.closely || other.closely }
    }
}

/// Where recovery is asked for things.
#[derive(Debug, Default)]
pub struct Desk {
    /// Wakes the worker.
    pub(super) called: Notify,
    requests: Mutex<BTreeMap<ConnectionId, Request>>,
    asked: Mutex<HashSet<u64>>,
    /// Which pull requests were open, by repository, where the server does not list by date.
    pub(super) closed: Closed,
    hasher: RandomState,
}

impl Desk {
    /// Has a connection looked at as soon as there are hands; requests that wait become one.
    pub fn ask(&self, connection: ConnectionId, request: Request) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let before = requests.get(&connection).copied();
        requests.insert(connection, before.map_or(request, |before| before.and(request)));
        drop(requests);
        self.called.notify_one();
    }

    /// Has it looked around whether something is new.
    pub(crate) fn wake(&self) {
        self.called.notify_one();
    }

    /// Whether somebody asked for this connection.
    pub fn is_asked_for(&self, connection: ConnectionId) -> bool {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&connection)
    }

    /// What was asked for this connection; now it is somebody's.
    pub fn take(&self, connection: ConnectionId) -> Option<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).remove(&connection)
    }

    pub(super) fn was_asked(&self, connection: ConnectionId, asked: &Asked) -> bool {
        let hash = self.hasher.hash_one((connection, asked));
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).contains(&hash)
    }

    pub(super) fn asked(&self, connection: ConnectionId, asked: &Asked) {
        let hash = self.hasher.hash_one((connection, asked));
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ASKED_MAX {
            all.clear();
        }
        all.insert(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_wait_become_one() {
        let (desk, connection) = (Desk::default(), ConnectionId::random());
        let at = |second| Timestamp::from_second(second).unwrap();
        desk.ask(connection, Request { since: Some(at(20)), closely: false });
        desk.ask(connection, Request { since: None, closely: true });
        desk.ask(connection, Request { since: Some(at(10)), closely: false });
        assert!(desk.is_asked_for(connection));
        assert_eq!(desk.take(connection), Some(Request { since: Some(at(10)), closely: true }));
        assert_eq!(desk.take(connection), None);
        assert!(!desk.is_asked_for(connection));
    }

    #[test]
    fn what_was_asked_is_remembered_by_connection() {
        let (desk, connection) = (Desk::default(), ConnectionId::random());
        let asked = Asked::Timeline(7, None);
        assert!(!desk.was_asked(connection, &asked));
        desk.asked(connection, &asked);
        assert!(desk.was_asked(connection, &asked));
        assert!(!desk.was_asked(ConnectionId::random(), &asked));
    }
}
