//! Azure counts the notifications of each subscription. A number that is left out was to be delivered and was not.
//!
//! In memory: at start it is not known which number was last, and the first one that comes is where counting begins. What
//! was left out before that is the history's and the sweeps' to find.

use crate::domain::ConnectionId;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Subscriptions that are counted; of more, the counting of all begins anew.
const SUBSCRIPTIONS_MAX: usize = 50_000;
/// How long a number may be late: Azure tries to deliver for 183 seconds.
const SETTLING: Duration = Duration::from_mins(4);
/// Numbers above a gap that are remembered; a subscription with more is counted anew from its newest.
const ABOVE_MAX: usize = 2_000;

/// A subscription: its connection, and Azure's id of it in lower case.
pub type Whose = (ConnectionId, String);

/// What one subscription has delivered.
#[derive(Debug, Default)]
struct Count {
    /// Up to here nothing is left to be found.
    settled: i64,
    /// What came beyond a gap, and when.
    above: BTreeMap<i64, Timestamp>,
}

/// The counts of all subscriptions.
#[derive(Debug, Default)]
pub struct Numbers(Mutex<HashMap<Whose, Count>>);

impl Count {
    fn saw(&mut self, number: i64, at: Timestamp) {
        if number <= self.settled {
            return;
        }
        self.above.insert(number, at);
        self.close_up();
        if self.above.len() > ABOVE_MAX {
            self.settled = self.above.last_key_value().map_or(self.settled, |(newest, _)| *newest);
            self.above.clear();
        }
    }

    fn close_up(&mut self) {
        while let Some(next) = self.above.first_entry().filter(|first| *first.key() == self.settled + 1) {
            self.settled = *next.key();
            next.remove();
        }
    }

    /// The numbers that were left out before something that came at least [`SETTLING`] ago; from now on they are settled.
    fn left_out(&mut self, now: Timestamp, most: usize) -> Vec<i64> {
        let is_old = |at: &Timestamp| now.duration_since(*at).unsigned_abs() >= SETTLING;
        let Some(horizon) = self.above.iter().rev().find(|(_, at)| is_old(at)).map(|(number, _)| *number) else {
            return Vec::new();
        };
        let mut missing = Vec::new();
        while self.settled < horizon && missing.len() < most {
            missing.push(self.settled + 1);
            self.settled += 1;
            self.close_up();
        }
        missing
    }
}

impl Numbers {
    /// A subscription delivered this number.
    pub fn saw(&self, whose: Whose, number: i64, at: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&whose) {
            count.saw(number, at);
            return;
        }
        if counts.len() >= SUBSCRIPTIONS_MAX {
            counts.clear();
        }
        counts.insert(whose, Count { settled: number, above: BTreeMap::new() });
    }

    /// Whose numbers were left out and which, at most `most` in all; each is told once.
    pub fn left_out(&self, now: Timestamp, most: usize) -> Vec<(Whose, Vec<i64>)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut all, mut left) = (Vec::new(), most);
        for (whose, count) in counts.iter_mut().filter(|(_, count)| !count.above.is_empty()) {
            let missing = count.left_out(now, left);
            left -= missing.len();
            if !missing.is_empty() {
                all.push((whose.clone(), missing));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn whose() -> Whose {
        (ConnectionId(uuid::Uuid::nil()), "s".to_owned())
    }

    fn saw(numbers: &Numbers, all: &[(i64, i64)]) {
        for (number, second) in all {
            numbers.saw(whose(), *number, at(*second));
        }
    }

    fn left_out(numbers: &Numbers, second: i64) -> Vec<i64> {
        numbers.left_out(at(second), 100).into_iter().flat_map(|(_, missing)| missing).collect()
    }

    #[test]
    fn what_is_only_late_is_not_left_out() {
        let numbers = Numbers::default();
        saw(&numbers, &[(7, 0), (9, 1), (8, 60), (12, 61), (11, 200), (10, 239)]);
        assert_eq!(left_out(&numbers, 1_000), [0; 0]);
    }

    #[test]
    fn what_is_left_out_is_told_once_when_it_could_have_come() {
        let numbers = Numbers::default();
        saw(&numbers, &[(7, 0), (10, 10), (12, 100)]);
        assert_eq!(left_out(&numbers, 249), [0; 0]);
        assert_eq!(left_out(&numbers, 250), [8, 9]);
        assert_eq!(left_out(&numbers, 339), [0; 0]);
        assert_eq!(left_out(&numbers, 340), [11]);
        saw(&numbers, &[(8, 400), (13, 400)]);
        assert_eq!(left_out(&numbers, 10_000), [0; 0]);
    }

    #[test]
    fn many_are_told_bit_by_bit_and_a_flood_beyond_a_gap_begins_anew() {
        let numbers = Numbers::default();
        saw(&numbers, &[(1, 0), (11, 0)]);
        let bits: Vec<usize> =
            (0..4).map(|_| numbers.left_out(at(1_000), 4).iter().map(|(_, all)| all.len()).sum()).collect();
        assert_eq!(bits, [4, 4, 1, 0]);
        let flood: Vec<(i64, i64)> = (0..3_000).map(|number| (20 + number, 2_000)).collect();
        saw(&numbers, &flood);
        assert!(left_out(&numbers, 10_000).len() < 20);
        assert!(numbers.0.lock().unwrap()[&whose()].above.len() <= ABOVE_MAX);
    }
}
