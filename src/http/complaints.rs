//! A complaint that recurs is logged once and then counted.
//!
//! While nothing can be stored every sender is refused and tries again. A line for each would fill the disk whose being
//! full is the reason.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How often the same is said, at most.
const PERIOD: Duration = Duration::from_mins(1);
/// Different complaints that are remembered; when there are more, all are forgotten and said anew.
const COMPLAINTS_MAX: usize = 64;

/// The complaints, when each was logged, and how often it was not logged since.
#[derive(Debug, Default)]
pub(super) struct Complaints(Mutex<HashMap<String, Said>>);

#[derive(Debug)]
struct Said {
    at: Duration,
    unsaid: u64,
}

impl Complaints {
    /// Whether to say it now, and how often it was left out since it was said last. `now` is
    /// [`crate::clock::Clock::monotonic`].
    pub(super) fn say(&self, what: &str, now: Duration) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = said.get_mut(what) {
            if now < before.at + PERIOD {
                before.unsaid += 1;
                return None;
            }
            let unsaid = before.unsaid;
            *before = Said { at: now, unsaid: 0 };
            return Some(unsaid);
        }
        if said.len() >= COMPLAINTS_MAX {
            said.clear();
        }
        said.insert(what.to_owned(), Said { at: now, unsaid: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_the_others_are_counted_and_another_one_is_said_too() {
        let (complaints, minute) = (Complaints::default(), Duration::from_mins(1));
        assert_eq!(complaints.say("full", Duration::ZERO), Some(0));
        for _ in 0..500 {
            assert_eq!(complaints.say("full", minute / 2), None);
        }
        assert_eq!(complaints.say("queue", minute / 2), Some(0));
        assert_eq!(complaints.say("full", minute), Some(500));
        assert_eq!(complaints.say("full", minute), None);
    }

    #[test]
    fn the_number_of_remembered_ones_is_bounded() {
        let complaints = Complaints::default();
        for number in 0..1_000 {
            complaints.say(&number.to_string(), Duration::ZERO);
        }
        assert!(complaints.0.lock().unwrap().len() <= COMPLAINTS_MAX);
    }
}
