//! How often each subscription speaks: one that used to and does not any more may have been silenced.
//!
//! Its measure is its own: the longest that it was quiet lately, nights and weekends included once they were heard. What
//! has hardly spoken yet has no rhythm, and nothing follows from its silence.

use crate::domain::ConnectionId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Subscriptions whose rhythm is remembered; of more, only those that speak first.
const SUBSCRIPTIONS_MAX: usize = 50_000;
/// What is heard less often has no rhythm.
const HEARD_MIN: u32 = 8;
/// No silence that is shorter is worth a look.
const QUIET_MIN: Duration = Duration::from_mins(30);
/// How many times as long as ever lately is "much longer".
const MUCH_LONGER: u32 = 3;
/// "Lately" is the present stretch of this length and the one before it.
const STRETCH: Duration = Duration::from_hours(24 * 7);

/// The rhythm of one subscription, as it is kept in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// When it spoke last.
    pub last: Timestamp,
    /// How often it spoke, up to 1,000.
    pub heard: u32,
    /// The longest that it was quiet in this stretch and in the one before, in milliseconds.
    pub longest: [u64; 2],
    /// When this stretch began.
    pub since: Timestamp,
    /// How long it must be quiet until somebody looks again, in milliseconds; 0 is as its rhythm says.
    #[serde(default)]
    pub patience: u64,
}

impl Rhythm {
    fn new(at: Timestamp) -> Self {
        Self { last: at, heard: 1, longest: [0, 0], since: at, patience: 0 }
    }

    fn spoke(&mut self, at: Timestamp) {
        if at <= self.last {
            return;
        }
        let stretch = at.duration_since(self.since).unsigned_abs();
        if stretch >= STRETCH {
            // After a silence of several stretches, that silence is all that is known.
            let before = if stretch >= STRETCH * 2 { 0 } else { self.longest[0] };
            (self.longest, self.since) = ([0, before], at);
        }
        let quiet = at.duration_since(self.last).unsigned_abs().as_millis();
        self.longest[0] = self.longest[0].max(u64::try_from(quiet).unwrap_or(u64::MAX));
        (self.last, self.heard, self.patience) = (at, (self.heard + 1).min(1_000), 0);
    }

    /// How long it may be quiet.
    fn may_be_quiet(&self) -> Duration {
        let longest = Duration::from_millis(self.longest[0].max(self.longest[1]));
        (longest * MUCH_LONGER).max(QUIET_MIN).max(Duration::from_millis(self.patience))
    }

    /// Whether it has been quiet for much longer than ever; then not again until it is twice as long, or has spoken.
    fn is_silent(&mut self, now: Timestamp) -> bool {
        let quiet = Duration::try_from(now.duration_since(self.last)).unwrap_or_default();
        let is_silent = self.heard >= HEARD_MIN && quiet > self.may_be_quiet();
        if is_silent {
            self.patience = u64::try_from(quiet.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
        }
        is_silent
    }
}

/// Rhythms by connection and subscription key.
pub type Kept = BTreeMap<(ConnectionId, String), Rhythm>;

/// The rhythms of all subscriptions.
#[derive(Debug, Default)]
pub struct Rhythms(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kept: Kept,
    is_read: bool,
}

impl Rhythms {
    /// A subscription spoke.
    pub fn spoke(&self, connection: ConnectionId, key: &str, at: Timestamp) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (connection, key.to_owned());
        if let Some(rhythm) = inner.kept.get_mut(&id) {
            rhythm.spoke(at);
        } else if inner.kept.len() < SUBSCRIPTIONS_MAX {
            inner.kept.insert(id, Rhythm::new(at));
        }
    }

    /// Takes over what was kept, once; what was heard since the start goes on from there.
    pub fn read(&self, kept: impl FnOnce() -> Kept) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.is_read {
            return;
        }
        inner.is_read = true;
        for (id, mut rhythm) in kept() {
            if let Some(heard) = inner.kept.get(&id) {
                rhythm.spoke(heard.last);
            }
            inner.kept.insert(id, rhythm);
        }
    }

    /// The connections with a subscription that has fallen silent, of those that are still there; the others are forgotten.
    pub fn silent(&self, now: Timestamp, is_there: impl Fn(ConnectionId, &str) -> bool) -> Vec<(ConnectionId, String)> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.kept.retain(|(connection, key), _| is_there(*connection, key));
        let silent = inner.kept.iter_mut().filter_map(|(id, rhythm)| rhythm.is_silent(now).then(|| id.clone()));
        silent.collect()
    }

    /// All of them, to be kept.
    pub fn all(&self) -> Kept {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).kept.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Spoke every hour, for so many hours.
    fn hourly(hours: i64) -> Rhythm {
        let mut rhythm = Rhythm::new(at(0));
        (1..=hours).for_each(|hour| rhythm.spoke(at(hour * HOUR)));
        rhythm
    }

    #[test]
    fn silence_is_measured_by_the_own_rhythm() {
        let mut rhythm = hourly(20);
        assert!(!rhythm.is_silent(at(23 * HOUR)));
        assert!(rhythm.is_silent(at(23 * HOUR + 1)));
        let mut often = Rhythm::new(at(0));
        (1..=20).for_each(|second| often.spoke(at(second)));
        assert!(!often.is_silent(at(30 * MINUTE)), "half an hour is nothing");
        assert!(often.is_silent(at(31 * MINUTE)));
    }

    #[test]
    fn what_has_hardly_spoken_has_no_rhythm() {
        assert!(!hourly(6).is_silent(at(1_000 * HOUR)));
    }

    #[test]
    fn it_is_asked_again_only_when_it_is_twice_as_long_or_has_spoken() {
        let mut rhythm = hourly(20);
        let asked: Vec<i64> = (21..200).filter(|hour| rhythm.is_silent(at(hour * HOUR))).collect();
        assert_eq!(asked, [24, 29, 39, 59, 99, 179]);
        rhythm.spoke(at(200 * HOUR));
        assert!(!rhythm.is_silent(at(210 * HOUR)), "it has been quiet for longer than that now");
    }

    #[test]
    fn a_long_silence_is_forgotten_after_two_stretches() {
        let mut rhythm = hourly(20);
        rhythm.spoke(at(100 * HOUR));
        (101..=100 + 24 * 15).for_each(|hour| rhythm.spoke(at(hour * HOUR)));
        assert_eq!(rhythm.may_be_quiet(), Duration::from_hours(3));
    }

    #[test]
    fn what_was_kept_goes_on_after_a_start() {
        let (rhythms, connection) = (Rhythms::default(), ConnectionId(uuid::Uuid::nil()));
        rhythms.spoke(connection, "a", at(21 * HOUR));
        let kept =
            || Kept::from([((connection, "a".to_owned()), hourly(20)), ((connection, "b".to_owned()), hourly(20))]);
        rhythms.read(kept);
        rhythms.read(|| panic!("only once"));
        assert_eq!(rhythms.all()[&(connection, "a".to_owned())].last, at(21 * HOUR));
        let silent = rhythms.silent(at(24 * HOUR), |_, _| true);
        assert_eq!(silent, [(connection, "b".to_owned())]);
        rhythms.silent(at(24 * HOUR), |_, key| key == "a");
        assert_eq!(rhythms.all().len(), 1);
    }
}
