//! Breaks: something is here that something else must have come before, and that is not here. Each is looked at at once.
//!
//! A bounded queue with one entry an entity. What does not fit is not lost: what waits reports its break with every look.

use super::order::Head;
use crate::{
    domain::{ConnectionId, Slug},
    translate::order::Entity,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use uuid::Uuid;

/// Breaks that are kept at once.
const BREAKS_MAX: usize = 10_000;
/// Before the first look: what was only reordered is here by then.
const SETTLING: Duration = Duration::from_secs(2);
/// After a look that failed; doubled with each further one.
const RETRY_MIN: Duration = Duration::from_secs(5);
const RETRY_MAX: Duration = Duration::from_mins(2);

/// A break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Where.
    pub connection: ConnectionId,
    /// Of what: the event that waits.
    pub entity: Entity,
    /// The Azure project's GUID.
    pub project: Option<Uuid>,
    /// The projects of ours that the waiting event belongs to.
    pub projects: Vec<Slug>,
    /// Names what is missing, to waive it.
    pub need: Uuid,
    /// The ids that what is missing may have; empty of a ref.
    pub missing: Vec<Uuid>,
    /// When the waiting event happened.
    pub time: Option<Timestamp>,
    /// When its entity began, as far as the event says that.
    pub begun: Option<Timestamp>,
    /// Of a ref: where it is as far as is known.
    pub head: Option<Head>,
}

#[derive(Debug)]
struct Kept {
    found: Break,
    due: Duration,
    failures: u32,
    /// Taken by a worker and not yet given back.
    taken: bool,
}

/// All that wait to be looked at.
#[derive(Debug, Default)]
pub struct Breaks {
    kept: Mutex<BTreeMap<(ConnectionId, String), Kept>>,
    /// Something may be due earlier than before.
    pub wake: Notify,
    gaps_due: Mutex<Duration>,
}

impl Breaks {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(ConnectionId, String), Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one up, unless its entity's is already; of a work item the earliest. `now` is the clock's monotonic time.
    pub fn report(&self, found: Break, now: Duration) {
        let mut kept = self.lock();
        let key = (found.connection, found.entity.subject());
        if let Some(own) = kept.get_mut(&key) {
            if earlier(&found.entity, &own.found.entity) {
                own.found = found;
            }
        } else if kept.len() < BREAKS_MAX {
            kept.insert(key, Kept { found, due: now + SETTLING, failures: 0, taken: false });
            self.wake.notify_one();
        }
    }

    /// The due one that has waited longest, which nobody else gets until it is given back.
    pub fn take(&self, now: Duration) -> Option<Break> {
        let mut kept = self.lock();
        let due = kept.values_mut().filter(|own| !own.taken && own.due <= now).min_by_key(|own| own.due)?;
        due.taken = true;
        Some(due.found.clone())
    }

    /// It was looked at, and there is nothing more to do.
    pub fn done(&self, found: &Break) {
        self.lock().remove(&(found.connection, found.entity.subject()));
    }

    /// It could not be looked at: again later, not before `wait` where Azure asked for that.
    pub fn failed(&self, found: &Break, wait: Option<Duration>, now: Duration) {
        if let Some(own) = self.lock().get_mut(&(found.connection, found.entity.subject())) {
            let pause = RETRY_MIN.saturating_mul(1 << own.failures.min(10)).min(RETRY_MAX);
            own.due = now + pause.max(wait.unwrap_or_default());
            own.failures += 1;
            own.taken = false;
        }
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Duration> {
        self.lock().values().filter(|own| !own.taken).map(|own| own.due).min()
    }

    /// Whether it is time to look whether gaps were filled; then not again for `period`.
    pub fn may_look_at_gaps(&self, now: Duration, period: Duration) -> bool {
        let mut due = self.gaps_due.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = now >= *due;
        if is_due {
            *due = now + period;
        }
        is_due
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn earlier(one: &Entity, other: &Entity) -> bool {
    match (one, other) {
        (Entity::WorkItem { rev: one, .. }, Entity::WorkItem { rev: other, .. })
        | (Entity::Ref { push: one, .. }, Entity::Ref { push: other, .. }) => one < other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(number: i64, rev: i64) -> Break {
        Break {
            connection: ConnectionId(Uuid::nil()),
            entity: Entity::WorkItem { number, rev },
            project: None,
            projects: Vec::new(),
            need: Uuid::nil(),
            missing: Vec::new(),
            time: None,
            begun: None,
            head: None,
        }
    }

    #[test]
    fn an_entity_has_one_break_and_the_earliest_counts() {
        let (breaks, now) = (Breaks::default(), Duration::ZERO);
        for rev in [7, 5, 9] {
            breaks.report(found(1, rev), now);
        }
        assert_eq!(breaks.take(now), None, "it may be on its way");
        assert_eq!(breaks.take(SETTLING), Some(found(1, 5)));
        assert_eq!(breaks.take(SETTLING), None, "somebody is at it");
        breaks.done(&found(1, 5));
        assert!(breaks.is_empty());
    }

    #[test]
    fn a_look_that_failed_is_tried_again_later_and_later() {
        let breaks = Breaks::default();
        breaks.report(found(1, 5), Duration::ZERO);
        let (mut now, mut pauses) = (SETTLING, Vec::new());
        for _ in 0..8 {
            let taken = breaks.take(now).unwrap();
            breaks.failed(&taken, None, now);
            let next = breaks.next().unwrap();
            pauses.push(next.saturating_sub(now).as_secs());
            now = next;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 120, 120, 120]);
        let taken = breaks.take(now).unwrap();
        breaks.failed(&taken, Some(Duration::from_mins(10)), now);
        assert_eq!(breaks.next(), Some(now + Duration::from_mins(10)));
    }

    #[test]
    fn what_does_not_fit_is_left_to_be_reported_again() {
        let breaks = Breaks::default();
        for number in 0..=i64::try_from(BREAKS_MAX).unwrap() {
            breaks.report(found(number, 2), Duration::ZERO);
        }
        assert_eq!(breaks.len(), BREAKS_MAX);
    }
}
