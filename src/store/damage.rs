//! A page of a log, and the records that it had to leave out.

use super::{Log, Position, Record};
use jiff::Timestamp;
use std::{fmt, ops::Deref};

/// Records of a log, and how far the engine looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Oldest first.
    pub records: Vec<Record>,
    /// The position up to which this page tells everything: the next one begins after it. Where nothing was left out this
    /// is the last record's, or where the reader began.
    pub end: Position,
    /// The records in between that cannot be read any more.
    pub left_out: Vec<Damage>,
}

impl Deref for Page {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        &self.records
    }
}

impl IntoIterator for Page {
    type Item = Record;
    type IntoIter = std::vec::IntoIter<Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.into_iter()
    }
}

impl<'a> IntoIterator for &'a Page {
    type Item = &'a Record;
    type IntoIter = std::slice::Iter<'a, Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.records.iter()
    }
}

/// Records that were stored and cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Of this log.
    pub log: Log,
    /// The first of them.
    pub first: Position,
    /// The last of them.
    pub last: Position,
    /// They were received at or after this time, as far as that is known.
    pub since: Option<Timestamp>,
    /// They were received at or before this time, as far as that is known.
    pub until: Option<Timestamp>,
    /// The place and its state.
    pub cause: String,
}

impl Damage {
    /// How many records.
    pub fn count(&self) -> u64 {
        self.last.0 - self.first.0 + 1
    }

    /// Takes in another one of the same place, unless there is something in between: what lies side by side is one stretch.
    pub fn join(&mut self, other: &Self) -> bool {
        let is_near = other.first.0 <= self.last.0 + 1 && self.first.0 <= other.last.0 + 1;
        if !is_near || (self.log, &self.cause) != (other.log, &other.cause) {
            return false;
        }
        if other.first < self.first {
            (self.first, self.since) = (other.first, other.since);
        }
        if other.last > self.last {
            (self.last, self.until) = (other.last, other.until);
        }
        true
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log, first, last, since, until, cause } = self;
        write!(f, "{log}: records {first} to {last}")?;
        match (since, until) {
            (Some(since), Some(until)) => write!(f, ", received between {since} and {until},")?,
            (Some(since), None) => write!(f, ", received from {since} on,")?,
            (None, Some(until)) => write!(f, ", received before {until},")?,
            (None, None) => {}
        }
        write!(f, " cannot be read: {cause}")
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Notifications => "notifications",
            Self::Events => "events",
            Self::Ledger => "ledger",
            Self::Deliveries => "deliveries",
            Self::Deployments => "deployments",
        })
    }
}
