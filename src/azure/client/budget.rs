//! The queue before a server: one per identity, whatever number of clients asks with it.

use super::{
    Failure, Priority, Spent,
    ledger::{Ledger, Place, Verdict},
    limits::Limits,
};
use crate::clock::Clock;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// How long a call of each priority waits for its turn before it is told how long it would have to.
const INTERACTIVE_WAIT_MAX: Duration = Duration::from_secs(5);
const REPAIR_WAIT_MAX: Duration = Duration::from_secs(15);
const BULK_WAIT_MAX: Duration = Duration::from_mins(10);
/// What is said when only our own calls are in the way.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// One identity's budget.
pub(super) struct Budget {
    clock: Arc<dyn Clock>,
    ledger: Mutex<Ledger>,
    changed: Notify,
}

impl Budget {
    /// With the usual pace, or with this many calls in 5 minutes before bulk waits.
    pub(super) fn new(clock: Arc<dyn Clock>, bulk_calls_max: Option<u32>) -> Self {
        let ledger = bulk_calls_max.map_or_else(Ledger::default, Ledger::pacing);
        Self { clock, ledger: Mutex::new(ledger), changed: Notify::new() }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn, within bounds.
    ///
    /// # Errors
    /// [`Failure::Throttled`] when the turn is further off than this priority waits.
    pub(super) async fn enter(self: &Arc<Self>, priority: Priority) -> Result<Pass, Failure> {
        let deadline = self.clock.monotonic() + wait_max(priority);
        let place = self.ledger().queue(priority).ok_or(Failure::Throttled { wait: BUSY_WAIT })?;
        // Leaves the queue however this ends; a place that went is in it no more.
        let queued = Queued { budget: self, place };
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let now = self.clock.monotonic();
            let verdict = self.ledger().ask(queued.place, now);
            let until = match verdict {
                Verdict::Go => {
                    drop(queued);
                    return Ok(Pass { budget: Arc::clone(self), priority });
                }
                Verdict::Wait(Some(until)) if until > deadline => {
                    return Err(Failure::Throttled { wait: until.saturating_sub(now) });
                }
                Verdict::Wait(_) if now >= deadline => return Err(Failure::Throttled { wait: BUSY_WAIT }),
                Verdict::Wait(until) => until.unwrap_or(deadline),
            };
            tokio::select! {
                () = changed => {}
                () = self.clock.sleep(until.saturating_sub(now)) => {}
            }
        }
    }

    /// Takes over what another budget of the same identity knows.
    pub(super) fn absorb(&self, other: &Self) {
        if !std::ptr::eq(self, other) {
            // Never both at once: two that absorb each other must not wait for each other.
            let mut copy = Ledger::default();
            copy.absorb(&other.ledger());
            self.ledger().absorb(&copy);
            self.changed.notify_waiters();
        }
    }

    /// For people.
    pub(super) fn spent(&self) -> Spent {
        let now = self.clock.monotonic();
        let mut ledger = self.ledger();
        let (remaining_tstu, limit_tstu) = ledger.tstu();
        let waiting_until = ledger.hold_left(now).and_then(|left| self.clock.now().checked_add(left).ok());
        Spent { calls: ledger.spent(now), remaining_tstu, limit_tstu, waiting_until }
    }
}

fn wait_max(priority: Priority) -> Duration {
    match priority {
        Priority::Bulk => BULK_WAIT_MAX,
        Priority::Interactive => INTERACTIVE_WAIT_MAX,
        Priority::Repair => REPAIR_WAIT_MAX,
    }
}

struct Queued<'a> {
    budget: &'a Budget,
    place: Place,
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.budget.ledger().leave(self.place);
        self.budget.changed.notify_waiters();
    }
}

/// A call that is on its way; over when dropped.
pub(super) struct Pass {
    budget: Arc<Budget>,
    priority: Priority,
}

impl Pass {
    /// Obeys what the reply said.
    pub(super) fn obey(&self, limits: &Limits) {
        let now = self.budget.clock.monotonic();
        self.budget.ledger().obey(limits, now);
    }

    /// Lets nothing go for this long: the call was blocked.
    pub(super) fn hold(&self, wait: Duration) {
        let now = self.budget.clock.monotonic();
        self.budget.ledger().hold(wait, now);
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.budget.ledger().end(self.priority);
        self.budget.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::ledger::IN_FLIGHT_MAX, *};
    use crate::clock::ManualClock;
    use futures_util::FutureExt as _;

    fn budget() -> (Arc<ManualClock>, Arc<Budget>) {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        (Arc::clone(&clock), Arc::new(Budget::new(clock, None)))
    }

    async fn calls(budget: &Arc<Budget>, number: u32) -> Vec<Pass> {
        let mut passes = Vec::new();
        for _ in 0..number {
            passes.push(budget.enter(Priority::Repair).await.unwrap());
        }
        passes
    }

    #[tokio::test]
    async fn the_next_in_line_goes_when_a_call_ends() {
        let (_, budget) = budget();
        let mut passes = calls(&budget, IN_FLIGHT_MAX).await;
        let mut interactive = Box::pin(budget.enter(Priority::Interactive));
        assert!(interactive.as_mut().now_or_never().is_none());
        let mut repair = Box::pin(budget.enter(Priority::Repair));
        assert!(repair.as_mut().now_or_never().is_none());
        drop(passes.pop());
        assert!(interactive.as_mut().now_or_never().is_none());
        let pass = repair.as_mut().now_or_never().unwrap().unwrap();
        drop(pass);
        assert!(interactive.now_or_never().unwrap().is_ok());
        assert_eq!(budget.spent().calls, IN_FLIGHT_MAX + 2);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_line() {
        let (_, budget) = budget();
        let mut passes = calls(&budget, IN_FLIGHT_MAX).await;
        let mut first = Box::pin(budget.enter(Priority::Repair));
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(budget.enter(Priority::Interactive));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(passes.pop());
        assert!(second.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_their_priority_does() {
        let (clock, budget) = budget();
        budget.enter(Priority::Repair).await.unwrap().hold(Duration::from_secs(10));
        let denied = budget.enter(Priority::Interactive).await.err().unwrap();
        assert_eq!(denied, Failure::Throttled { wait: Duration::from_secs(10) });
        assert_eq!(budget.spent().waiting_until, Some("2026-11-22T10:00:10Z".parse().unwrap()));
        let mut repair = Box::pin(budget.enter(Priority::Repair));
        assert!(repair.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_secs(10));
        let pass = repair.now_or_never().unwrap().unwrap();
        assert_eq!(budget.spent().waiting_until, None);

        let others = calls(&budget, IN_FLIGHT_MAX - 1).await;
        let mut stuck = Box::pin(budget.enter(Priority::Interactive));
        assert!(stuck.as_mut().now_or_never().is_none());
        clock.advance(INTERACTIVE_WAIT_MAX);
        assert_eq!(stuck.now_or_never().unwrap().err().unwrap(), Failure::Throttled { wait: BUSY_WAIT });
        drop((pass, others));
    }

    #[tokio::test]
    async fn budgets_of_one_identity_share_what_azure_asked_for() {
        let (clock, one) = budget();
        let other = Arc::new(Budget::new(clock, None));
        other.enter(Priority::Bulk).await.unwrap().hold(Duration::from_mins(1));
        one.absorb(&other);
        one.absorb(&one);
        assert!(one.enter(Priority::Repair).await.is_err());
        assert_eq!(one.spent().calls, 1);
    }
}
