//! The account of one hour of a stream: what comparing it with Azure's own records gave.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most unexplained entities of an hour that are named; the rest are counted.
pub const UNEXPLAINED_NAMED_MAX: usize = 20;
/// Longest name that is kept of one.
const NAME_CHARS_MAX: usize = 200;
const HOUR_SECONDS: i64 = 3_600;

/// One hour's facts: `expected` is the sum of the four others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Facts that Azure's own records tell.
    pub expected: u64,
    /// Of those, here because a hook delivered them.
    pub received: u64,
    /// Here because the history of our subscriptions had them.
    pub history: u64,
    /// Here because Azure's records had them.
    pub rest: u64,
    /// Not here: something happened, and what is known of it does not make an event.
    pub unexplained: u64,
    /// The subjects of unexplained facts, such as `git/repositories/shop/pushes/12`, at most [`UNEXPLAINED_NAMED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
}

impl Account {
    /// One more fact that is not here, of this entity.
    pub fn miss(&mut self, entity: &str) {
        self.expected += 1;
        self.unexplained += 1;
        self.name(entity);
    }

    /// What another look counted of the same hour, of other facts.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.received += other.received;
        self.history += other.history;
        self.rest += other.rest;
        self.unexplained += other.unexplained;
        other.entities.iter().for_each(|entity| self.name(entity));
    }

    /// Names an entity of which something is unexplained, once.
    pub fn name(&mut self, entity: &str) {
        let entity: String = entity.chars().take(NAME_CHARS_MAX).collect();
        if self.entities.len() < UNEXPLAINED_NAMED_MAX && !self.entities.contains(&entity) {
            self.entities.push(entity);
        }
    }
}

/// The beginning of the hour of a moment, in UTC.
///
/// # Panics
/// Never: a moment's hour begins within what a timestamp holds.
pub fn hour_of(at: Timestamp) -> Timestamp {
    let second = at.as_second().div_euclid(HOUR_SECONDS) * HOUR_SECONDS;
    Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
}

/// The beginning of the next hour.
pub fn hour_after(hour: Timestamp) -> Timestamp {
    Timestamp::from_second(hour.as_second() + HOUR_SECONDS).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_at_its_full_hour_also_before_1970() {
        for (at, hour) in [
            ("2026-11-22T10:59:59.9Z", "2026-11-22T10:00:00Z"),
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z"),
        ] {
            assert_eq!(hour_of(at.parse().unwrap()), hour.parse().unwrap(), "{at}");
        }
        assert_eq!(hour_after("2026-11-22T23:00:00Z".parse().unwrap()), "2026-11-23T00:00:00Z".parse().unwrap());
    }

    #[test]
    fn entities_are_named_once_and_only_so_many() {
        let mut account = Account::default();
        for number in 0..30 {
            account.miss(&format!("wit/workItems/{}", number / 2));
        }
        assert_eq!((account.expected, account.unexplained, account.entities.len()), (30, 30, 15));
        let mut sum = account.clone();
        for number in 100..110 {
            sum.miss(&format!("wit/workItems/{number}"));
        }
        sum.add(&account);
        assert_eq!((sum.expected, sum.unexplained, sum.entities.len()), (70, 70, UNEXPLAINED_NAMED_MAX));
    }
}
