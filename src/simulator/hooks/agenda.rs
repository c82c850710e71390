//! What is to be sent when. One subscription's notifications go one after the other, different ones side by side.

use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Most requests that are under way at a time.
const UNDER_WAY_MAX: usize = 64;

/// One request to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Job {
    /// All zeros is a test notification.
    pub(super) subscription: Uuid,
    pub(super) notification: u32,
    /// The retry of a subscription on probation.
    pub(super) is_probe: bool,
}

/// What goes one after the other: a subscription, or one test notification.
type Lane = (Uuid, u32);

/// Everything that is to be sent.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    lanes: BTreeMap<Lane, BTreeMap<(Timestamp, u64), Job>>,
    under_way: BTreeSet<Lane>,
    added: u64,
}

impl Job {
    fn lane(&self) -> Lane {
        (self.subscription, if self.subscription.is_nil() { self.notification } else { 0 })
    }
}

impl Agenda {
    /// At a time; jobs of the same time go in the order in which they were added.
    pub(super) fn add(&mut self, at: Timestamp, job: Job) {
        self.added += 1;
        self.lanes.entry(job.lane()).or_default().insert((at, self.added), job);
    }

    /// The job that has been due for longest and that nothing is in the way of. It is under way until [`Self::done`].
    pub(super) fn take(&mut self, now: Timestamp) -> Option<Job> {
        if self.under_way.len() >= UNDER_WAY_MAX {
            return None;
        }
        let free = self.lanes.iter().filter(|(lane, _)| !self.under_way.contains(lane));
        let firsts = free.filter_map(|(lane, jobs)| jobs.first_key_value().map(|(key, _)| (*key, *lane)));
        let (key, lane) = firsts.filter(|((at, _), _)| *at <= now).min()?;
        let jobs = self.lanes.get_mut(&lane)?;
        let job = jobs.remove(&key);
        if jobs.is_empty() {
            self.lanes.remove(&lane);
        }
        self.under_way.insert(lane);
        job
    }

    pub(super) fn done(&mut self, job: &Job) {
        self.under_way.remove(&job.lane());
    }

    /// Forgets what a subscription still had to send.
    pub(super) fn forget(&mut self, subscription: Uuid) {
        self.lanes.remove(&(subscription, 0));
    }

    /// Forgets the retries of a subscription on probation.
    pub(super) fn forget_probes(&mut self, subscription: Uuid) {
        if let Some(jobs) = self.lanes.get_mut(&(subscription, 0)) {
            jobs.retain(|_, job| !job.is_probe);
        }
    }

    /// When the next job is due; perhaps it is overdue.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.lanes.values().filter_map(|jobs| jobs.first_key_value()).map(|((at, _), _)| *at).min()
    }

    /// Whether nothing is under way, and nothing is due.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.under_way.is_empty() && self.next().is_none_or(|at| now < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(subscription: u128, notification: u32) -> Job {
        Job { subscription: Uuid::from_u128(subscription), notification, is_probe: false }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn one_subscription_goes_in_order_and_others_beside_it() {
        let mut agenda = Agenda::default();
        agenda.add(at(2), job(1, 2));
        agenda.add(at(1), job(1, 1));
        agenda.add(at(3), job(2, 1));
        assert_eq!(agenda.take(at(0)), None);
        assert_eq!(agenda.take(at(5)), Some(job(1, 1)));
        assert_eq!(agenda.take(at(5)), Some(job(2, 1)), "the first one is still under way");
        assert_eq!(agenda.take(at(5)), None);
        agenda.done(&job(1, 1));
        assert_eq!(agenda.take(at(5)), Some(job(1, 2)));
        assert!(!agenda.is_idle(at(5)));
    }

    #[test]
    fn test_notifications_do_not_wait_for_each_other() {
        let mut agenda = Agenda::default();
        agenda.add(at(1), job(0, 1));
        agenda.add(at(1), job(0, 2));
        assert_eq!((agenda.take(at(1)), agenda.take(at(1))), (Some(job(0, 1)), Some(job(0, 2))));
    }
}
