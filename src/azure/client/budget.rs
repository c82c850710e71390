//! What an identity may spend: Azure limits 200 throughput units in any 5 minutes, first by delaying and then by refusing
//! everything that the identity asks, whichever tool asks it.
//!
//! So there is one budget per identity, shared by all clients of it. It sends a few calls at a time, the important ones
//! first, nothing while Azure asks to wait, and bulk reading only at a pace that leaves most of the limit to others.
//! Source: azure-devops-docs, "Rate and usage limits".

use super::{Failure, Priority, Spent, classify::retry_after};
use crate::clock::Clock;
use http::HeaderMap;
use jiff::Timestamp;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::Notify;
use uuid::Uuid;

/// The window that Azure limits.
const WINDOW: Duration = Duration::from_mins(5);
/// Calls of one identity at the same time.
const CALLS_AT_ONCE_MAX: usize = 4;
/// Bulk calls within the window: at about 0.1 throughput units each, a third of Azure's limit.
const BULK_CALLS_PER_WINDOW_MAX: usize = 600;
/// Below this share of what Azure says is the limit, bulk reading waits.
const BULK_SHARE_MIN: f64 = 0.25;
/// After a refusal of the credential nobody but a person tries it again so soon: an account can be locked by trying.
const REFUSED_PAUSE: Duration = Duration::from_mins(1);

/// How long a call may wait for its turn before it is told to come again.
fn patience(priority: Priority) -> Duration {
    match priority {
        Priority::Bulk => Duration::from_mins(10),
        Priority::Interactive => Duration::from_secs(10),
        Priority::Repair => Duration::from_secs(30),
    }
}

/// One identity's budget.
#[derive(Default)]
pub(super) struct Budget {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    running: usize,
    /// How many wait, by priority.
    waiting: [usize; 3],
    /// When the calls of the last window were sent.
    sent: VecDeque<Timestamp>,
    /// The bulk ones among them.
    sent_in_bulk: VecDeque<Timestamp>,
    waiting_until: Option<Timestamp>,
    refused_until: Option<Timestamp>,
    remaining_tstu: Option<f64>,
    limit_tstu: Option<f64>,
    resets_at: Option<Timestamp>,
}

/// What a call that wants to go has to do.
enum Turn {
    Go,
    /// Until somebody is done.
    Wait,
    /// This long.
    Sleep(Duration),
    Refused(Failure),
}

impl State {
    fn forget(&mut self, now: Timestamp) {
        for sent in [&mut self.sent, &mut self.sent_in_bulk] {
            while sent.front().is_some_and(|at| now.duration_since(*at).unsigned_abs() >= WINDOW) {
                sent.pop_front();
            }
        }
    }

    fn turn(&mut self, priority: Priority, now: Timestamp) -> Turn {
        self.forget(now);
        if priority != Priority::Interactive && self.refused_until.is_some_and(|until| now < until) {
            let detail = Some("it was refused a moment ago and is not tried again yet".to_owned());
            return Turn::Refused(Failure::Unauthorized { detail });
        }
        if let Some(until) = self.waiting_until.filter(|until| now < *until) {
            return Turn::Sleep(until.duration_since(now).unsigned_abs());
        }
        if priority == Priority::Bulk
            && let Some(wait) = self.bulk_wait(now)
        {
            return Turn::Sleep(wait);
        }
        let before_us = self.waiting.iter().skip(priority as usize + 1).any(|waiting| *waiting > 0);
        if self.running >= CALLS_AT_ONCE_MAX || before_us { Turn::Wait } else { Turn::Go }
    }

    fn bulk_wait(&self, now: Timestamp) -> Option<Duration> {
        if self.sent_in_bulk.len() >= BULK_CALLS_PER_WINDOW_MAX {
            let oldest = self.sent_in_bulk.front()?;
            return Some(WINDOW.saturating_sub(now.duration_since(*oldest).unsigned_abs()));
        }
        let (remaining, limit) = (self.remaining_tstu?, self.limit_tstu?);
        let until = self.resets_at.filter(|at| now < *at)?;
        (remaining < limit * BULK_SHARE_MIN).then(|| until.duration_since(now).unsigned_abs())
    }
}

impl Budget {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of a call.
    ///
    /// # Errors
    /// [`Failure::Throttled`] when it would wait too long, [`Failure::Unauthorized`] soon after a refusal.
    pub(super) async fn enter(self: &Arc<Self>, priority: Priority, clock: &dyn Clock) -> Result<Permit, Failure> {
        let began = clock.monotonic();
        let _queued = Queued::new(self, priority);
        loop {
            // Enabled before the look, so that a change in between wakes us.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let turn = {
                let mut state = self.state();
                let now = clock.now();
                let turn = state.turn(priority, now);
                if matches!(turn, Turn::Go) {
                    state.running += 1;
                    state.sent.push_back(now);
                    if priority == Priority::Bulk {
                        state.sent_in_bulk.push_back(now);
                    }
                }
                turn
            };
            let left = patience(priority).saturating_sub(clock.monotonic().saturating_sub(began));
            match turn {
                Turn::Go => return Ok(Permit(Arc::clone(self))),
                Turn::Refused(failure) => return Err(failure),
                Turn::Sleep(wait) if wait > left => return Err(Failure::Throttled { wait }),
                Turn::Sleep(wait) => tokio::select! { () = clock.sleep(wait) => {}, () = changed => {} },
                Turn::Wait if left.is_zero() => return Err(Failure::Throttled { wait: Duration::from_secs(1) }),
                Turn::Wait => tokio::select! { () = clock.sleep(left) => {}, () = changed => {} },
            }
        }
    }

    /// Reads what an answer says about the limit.
    pub(super) fn observe(&self, headers: &HeaderMap, now: Timestamp) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
        let mut state = self.state();
        if let Some(wait) = retry_after(headers) {
            state.waiting_until = state.waiting_until.max(Some(now + wait));
        }
        if let Some(limit) = number("x-ratelimit-limit") {
            state.limit_tstu = Some(limit);
        }
        if let Some(remaining) = number("x-ratelimit-remaining") {
            state.remaining_tstu = Some(remaining);
            #[expect(clippy::cast_possible_truncation, reason = "seconds since 1970 are far below 2^53")]
            let reset = number("x-ratelimit-reset").and_then(|at| Timestamp::from_second(at as i64).ok());
            state.resets_at = reset.or(Some(now + WINDOW));
        }
    }

    /// Nothing more before `wait` is over.
    pub(super) fn pause(&self, wait: Duration, now: Timestamp) {
        let mut state = self.state();
        state.waiting_until = state.waiting_until.max(Some(now + wait));
    }

    /// The credential was refused, or taken.
    pub(super) fn credential_holds(&self, holds: bool, now: Timestamp) {
        self.state().refused_until = (!holds).then(|| now + REFUSED_PAUSE);
    }

    pub(super) fn spent(&self, now: Timestamp) -> Spent {
        let mut state = self.state();
        state.forget(now);
        Spent {
            calls: u32::try_from(state.sent.len()).unwrap_or(u32::MAX),
            remaining_tstu: state.remaining_tstu,
            limit_tstu: state.limit_tstu,
            waiting_until: state.waiting_until.filter(|until| now < *until),
        }
    }
}

/// One among the waiting, until it goes or gives up.
struct Queued<'a>(&'a Budget, Priority);

impl<'a> Queued<'a> {
    fn new(budget: &'a Budget, priority: Priority) -> Self {
        budget.state().waiting[priority as usize] += 1;
        Self(budget, priority)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.state().waiting[self.1 as usize] -= 1;
        self.0.changed.notify_waiters();
    }
}

/// One call under way.
pub(super) struct Permit(Arc<Budget>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state().running -= 1;
        self.0.changed.notify_waiters();
    }
}

/// All budgets that are in use.
#[derive(Default)]
pub(super) struct Budgets {
    known: Mutex<HashMap<Owner, Weak<Budget>>>,
}

/// Whose a budget is: first the credential's, as soon as it is known the identity's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// A digest of origin and credential.
    Credential([u8; 32]),
    /// Instance and user.
    Identity(Uuid, Uuid),
}

impl Budgets {
    /// The budget of an owner; `or` becomes it when there is none yet.
    pub(super) fn of(&self, owner: Owner, or: Option<&Arc<Budget>>) -> Arc<Budget> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, budget| budget.strong_count() > 0);
        if let Some(budget) = known.get(&owner).and_then(Weak::upgrade) {
            return budget;
        }
        let budget = or.map_or_else(Arc::default, Arc::clone);
        known.insert(owner, Arc::downgrade(&budget));
        budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use futures_util::FutureExt as _;

    fn clock() -> ManualClock {
        ManualClock::new("2026-11-25T10:00:00Z".parse().unwrap())
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        all.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[tokio::test]
    async fn nothing_is_sent_while_azure_asks_to_wait() {
        let (clock, budget) = (clock(), Arc::new(Budget::default()));
        budget.observe(&headers(&[("retry-after", "20")]), clock.now());
        assert_eq!(budget.spent(clock.now()).waiting_until, Some(clock.now() + Duration::from_secs(20)));
        let refused = budget.enter(Priority::Interactive, &clock).await.err();
        assert_eq!(refused, Some(Failure::Throttled { wait: Duration::from_secs(20) }), "a person is told at once");
        let mut repair = std::pin::pin!(budget.enter(Priority::Repair, &clock));
        assert!(repair.as_mut().now_or_never().is_none());
        clock.advance(Duration::from_secs(20));
        assert!(repair.await.is_ok());
    }

    #[tokio::test]
    async fn what_repairs_goes_before_what_reads_in_bulk() {
        let (clock, budget) = (clock(), Arc::new(Budget::default()));
        let mut running = Vec::new();
        for _ in 0..CALLS_AT_ONCE_MAX {
            running.push(budget.enter(Priority::Bulk, &clock).await.ok().unwrap());
        }
        let mut bulk = Box::pin(budget.enter(Priority::Bulk, &clock));
        let mut repair = Box::pin(budget.enter(Priority::Repair, &clock));
        assert!(bulk.as_mut().now_or_never().is_none() && repair.as_mut().now_or_never().is_none());
        running.pop();
        assert!(bulk.as_mut().now_or_never().is_none(), "there is room, but not for it");
        assert!(repair.as_mut().now_or_never().is_some_and(|permit| permit.is_ok()));
        assert!(
            bulk.as_mut().now_or_never().is_some_and(|permit| permit.is_ok()),
            "its turn, since nobody is before it"
        );
    }

    #[tokio::test]
    async fn bulk_reading_keeps_its_pace_and_leaves_the_rest_to_others() {
        let (clock, budget) = (clock(), Arc::new(Budget::default()));
        for _ in 0..BULK_CALLS_PER_WINDOW_MAX {
            drop(budget.enter(Priority::Bulk, &clock).await.ok().unwrap());
        }
        let mut bulk = Box::pin(budget.enter(Priority::Bulk, &clock));
        assert!(bulk.as_mut().now_or_never().is_none());
        assert!(budget.enter(Priority::Interactive, &clock).await.is_ok());
        clock.advance(WINDOW);
        assert!(bulk.await.is_ok());
        assert!(budget.spent(clock.now()).calls <= 2);

        budget.observe(&headers(&[("x-ratelimit-limit", "200"), ("x-ratelimit-remaining", "40")]), clock.now());
        let mut bulk = Box::pin(budget.enter(Priority::Bulk, &clock));
        assert!(bulk.as_mut().now_or_never().is_none(), "less than a quarter is left");
        assert!(budget.enter(Priority::Repair, &clock).await.is_ok());
    }

    #[tokio::test]
    async fn a_refused_credential_is_tried_again_only_by_a_person() {
        let (clock, budget) = (clock(), Arc::new(Budget::default()));
        budget.credential_holds(false, clock.now());
        assert!(matches!(budget.enter(Priority::Repair, &clock).await.err(), Some(Failure::Unauthorized { .. })));
        assert!(budget.enter(Priority::Interactive, &clock).await.is_ok());
        clock.advance(REFUSED_PAUSE);
        assert!(budget.enter(Priority::Repair, &clock).await.is_ok());
    }

    #[test]
    fn one_identity_has_one_budget_whatever_its_tokens() {
        let budgets = Budgets::default();
        let (one, other) = (budgets.of(Owner::Credential([1; 32]), None), budgets.of(Owner::Credential([2; 32]), None));
        assert!(!Arc::ptr_eq(&one, &other));
        let who = || Owner::Identity(Uuid::from_u128(1), Uuid::from_u128(2));
        let (one, other) = (budgets.of(who(), Some(&one)), budgets.of(who(), Some(&other)));
        assert!(Arc::ptr_eq(&one, &other));
    }
}
