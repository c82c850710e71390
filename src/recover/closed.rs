//! Which pull requests of a repository were closed lately, at a server that does not list them by date.
//!
//! Servers before 7.1 list pull requests by their number alone, and an old one may be closed at any time: all would have to be
//! read with each look, 200 calls of 20,000. But what was closed since was open before or was opened since: whoever remembers
//! what was open asks only for what is not open any more. What that does not see, one that was opened again and closed within
//! one look, is found once a day, when all are read.
//!
//! Source: `Pull Requests - Get Pull Requests`, whose `searchCriteria.minTime` is of version 7.1
//! (vsts-rest-api-specs, git 7.0 and 7.1).

use crate::domain::ConnectionId;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};
use uuid::Uuid;

/// Repositories that are remembered; of one that falls out all are read once more.
const REPOSITORIES_MAX: usize = 5_000;
/// How often all are read.
const ALL_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// How long one that is closed is remembered: looks reach back a day and to the beginning of an hour.
const KEPT: SignedDuration = SignedDuration::from_hours(26);
/// So many calls for all of them are no more than what is remembered saves.
pub(super) const CALLS_FEW: u64 = 3;

/// Of one repository, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// Everything closed from then on is known.
    since: Timestamp,
    /// When all were read.
    all_at: Timestamp,
    /// When the open ones were read.
    at: Timestamp,
    /// The pull requests that were open at any time since, and when each was closed, once that is known.
    known: BTreeMap<i64, Option<Timestamp>>,
}

impl Seen {
    /// After all were read: those that are open and those that were closed since.
    pub(super) fn all(
        since: Timestamp,
        now: Timestamp,
        open: &BTreeSet<i64>,
        closed: BTreeMap<i64, Timestamp>,
    ) -> Self {
        let known = open.iter().map(|id| (*id, None)).chain(closed.into_iter().map(|(id, at)| (id, Some(at))));
        Self { since, all_at: now, at: now, known: known.collect() }
    }

    /// Whether it says all of what was closed since.
    pub(super) fn says(&self, since: Timestamp, now: Timestamp) -> bool {
        self.since <= since && since <= self.at && now.duration_since(self.all_at) < ALL_EVERY
    }

    /// Those that may have been closed since, besides those that are open.
    pub(super) fn candidates(&self, since: Timestamp, opened: &BTreeSet<i64>, open: &BTreeSet<i64>) -> Vec<i64> {
        let known = self.known.iter().filter(|(_, closed)| closed.is_none_or(|at| at >= since)).map(|(id, _)| *id);
        known.chain(opened.iter().copied()).collect::<BTreeSet<_>>().difference(open).copied().collect()
    }

    /// Takes over what was found out since.
    pub(super) fn learns(&mut self, now: Timestamp, open: &BTreeSet<i64>, closed: BTreeMap<i64, Timestamp>) {
        self.at = now;
        self.known.extend(open.iter().map(|id| (*id, None)));
        self.known.extend(closed.into_iter().map(|(id, at)| (id, Some(at))));
        self.known.retain(|_, closed| closed.is_none_or(|at| now.duration_since(at) < KEPT));
    }

    /// One that is not there any more.
    pub(super) fn forgets(&mut self, id: i64) {
        self.known.remove(&id);
    }
}

/// The repositories of all connections whose servers do not list by date.
#[derive(Debug, Default)]
pub(super) struct Closed(Mutex<BTreeMap<(ConnectionId, Uuid), Seen>>);

impl Closed {
    /// The memory of a repository.
    pub(super) fn seen(&self, connection: ConnectionId, repository: Uuid) -> Option<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(connection, repository)).cloned()
    }

    /// Remembers it, or nothing of it any more.
    pub(super) fn remember(&self, connection: ConnectionId, repository: Uuid, seen: Option<Seen>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Some(seen) => drop(all.insert((connection, repository), seen)),
            None => drop(all.remove(&(connection, repository))),
        }
        while all.len() > REPOSITORIES_MAX {
            all.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3_600).unwrap()
    }

    #[test]
    fn what_is_not_open_any_more_is_asked_for_and_what_was_closed_before_is_not() {
        let open = BTreeSet::from([1, 2, 3]);
        let mut seen = Seen::all(at(0), at(1), &open, BTreeMap::from([(9, at(0))]));
        assert!(seen.says(at(0), at(2)) && seen.says(at(1), at(2)));
        assert!(!seen.says(at(-1), at(2)), "before what was read");
        assert!(!seen.says(at(2), at(3)), "one may have been opened and closed between");
        assert!(!seen.says(at(1), at(25)), "all are read once a day");
        let (opened, now) = (BTreeSet::from([4, 5]), BTreeSet::from([1, 3, 4]));
        assert_eq!(seen.candidates(at(0), &opened, &now), [2, 5, 9]);
        seen.learns(at(2), &now, BTreeMap::from([(2, at(1)), (5, at(1))]));
        assert_eq!(seen.candidates(at(1), &BTreeSet::new(), &now), [2, 5]);
        assert_eq!(seen.candidates(at(2), &BTreeSet::new(), &BTreeSet::from([3])), [1, 4]);
        seen.forgets(4);
        assert_eq!(seen.candidates(at(2), &BTreeSet::new(), &BTreeSet::from([3])), [1]);
        seen.learns(at(40), &BTreeSet::from([7]), BTreeMap::new());
        assert_eq!(seen.known.len(), 3, "{seen:?}");
    }
}
