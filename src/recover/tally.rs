//! What a sweep found, by binding and hour.

use crate::domain::{BindingId, Recovered};
use jiff::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Most facts that are named; there may be more of them.
const NAMED_MAX: usize = 1_000;
const HOUR_SECONDS: i64 = 3_600;

/// Facts, by what became of them. `expected` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// What Azure's records tell.
    pub expected: u64,
    /// Of those, what a hook delivered.
    pub received: u64,
    /// What came back by the history of notifications.
    pub history: u64,
    /// What came back from the records themselves, also in this very sweep.
    pub rest: u64,
    /// What is not an event here: not made good, or not to be made.
    pub unexplained: u64,
}

impl Counts {
    /// Adds one fact.
    pub fn count(&mut self, fate: Fate) {
        self.expected += 1;
        *match fate {
            Fate::Received => &mut self.received,
            Fate::Recovered(Recovered::History) => &mut self.history,
            Fate::Recovered(Recovered::Rest) => &mut self.rest,
            Fate::Unexplained => &mut self.unexplained,
        } += 1;
    }

    /// The sum.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            received: self.received + other.received,
            history: self.history + other.history,
            rest: self.rest + other.rest,
            unexplained: self.unexplained + other.unexplained,
        }
    }
}

/// What became of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// A hook delivered it.
    Received,
    /// It came back.
    Recovered(Recovered),
    /// It is not here.
    Unexplained,
}

/// A fact that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The id that its event would have.
    pub event: Uuid,
    /// What it is about, such as `build/builds/12`.
    pub entity: String,
    /// When it happened.
    pub at: Timestamp,
}

/// What a sweep found. A fact counts for each binding whose project it belongs to; what no binding of the place selects
/// (another branch, another area) counts in `total` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// By binding and the beginning of the hour, in UTC.
    pub hours: BTreeMap<(BindingId, Timestamp), Counts>,
    /// Everything that was compared.
    pub total: Counts,
    /// What stayed unexplained: the first thousand.
    pub missing: Vec<Missing>,
    /// Calls that were made for it, as far as they are ours: pages, and records one by one.
    pub calls: u64,
}

impl Tally {
    /// Adds a fact for these bindings.
    pub(super) fn count(&mut self, bindings: impl Iterator<Item = BindingId>, at: Timestamp, fate: Fate) {
        self.total.count(fate);
        for binding in bindings {
            self.hours.entry((binding, hour(at))).or_default().count(fate);
        }
    }

    /// Names a fact that is not here.
    pub(super) fn miss(&mut self, missing: Missing) {
        if self.missing.len() < NAMED_MAX {
            self.missing.push(missing);
        }
    }

    /// Takes in what another sweep found.
    pub fn add(&mut self, other: Self) {
        for (hour, counts) in other.hours {
            let own = self.hours.entry(hour).or_default();
            *own = own.and(counts);
        }
        self.total = self.total.and(other.total);
        self.calls += other.calls;
        for missing in other.missing {
            self.miss(missing);
        }
    }
}

/// The beginning of the hour, in UTC.
pub fn hour(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(HOUR_SECONDS)).unwrap_or(at)
}
