//! What one identity has spent, and who may go next: pure, told the time by its caller.
//!
//! Azure counts 200 TSTU in any 5 minutes; a usual call costs a small part of one. What is left is said only near the
//! end, so bulk reading is paced beforehand, and every hint in a reply is obeyed. What repairs and what somebody waits
//! for is not paced: it is little, and is worth the last of the budget.
//!
//! Source: azure-devops-docs, "Rate and usage limits".

use super::{Priority, limits::Limits};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

/// The window that Azure limits.
const WINDOW: Duration = Duration::from_mins(5);
/// Calls are counted by slots of this many seconds, which bounds what is remembered.
const SLOT_SECONDS: u64 = 5;
/// Bulk calls wait once this many calls of any kind were made in the window, unless the gateway's settings say otherwise: at
/// a tenth of a TSTU for a usual call a sixth of the budget.
const BULK_CALLS_MAX: u32 = 300;
/// Calls that wait for their turn.
const WAITING_CALLS_MAX: usize = 1_000;
/// Calls at a time.
pub(super) const IN_FLIGHT_MAX: u32 = 4;
/// Bulk calls at a time: the others always find a free place.
const BULK_IN_FLIGHT_MAX: u32 = 2;
/// Bulk calls wait while less than this part of the limit is left.
const RESERVE: f64 = 0.25;
/// Azure's limit where it does not say it.
const LIMIT_TSTU: f64 = 200.0;

/// A place in the queue: by priority, then by when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    rank: std::cmp::Reverse<Priority>,
    number: u64,
}

impl Place {
    pub(super) fn priority(self) -> Priority {
        self.rank.0
    }
}

/// Whether a call may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It went; it is counted.
    Go,
    /// Not yet: not before this time, or not before another call ends.
    Wait(Option<Duration>),
}

/// One identity's account. Times are of a monotonic clock.
#[derive(Debug)]
pub(super) struct Ledger {
    bulk_calls_max: u32,
    /// (slot, calls), oldest first.
    calls: VecDeque<(u64, u32)>,
    waiting: BTreeSet<Place>,
    places: u64,
    in_flight: u32,
    bulk_in_flight: u32,
    /// Nothing goes before this.
    held_until: Duration,
    /// No bulk goes before this.
    bulk_held_until: Duration,
    remaining_tstu: Option<f64>,
    limit_tstu: Option<f64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::pacing(BULK_CALLS_MAX)
    }
}

impl Ledger {
    /// Bulk calls wait once so many calls of any kind were made in 5 minutes.
    pub(super) fn pacing(bulk_calls_max: u32) -> Self {
        Self {
            bulk_calls_max,
            calls: VecDeque::new(),
            waiting: BTreeSet::new(),
            places: 0,
            in_flight: 0,
            bulk_in_flight: 0,
            held_until: Duration::ZERO,
            bulk_held_until: Duration::ZERO,
            remaining_tstu: None,
            limit_tstu: None,
        }
    }

    /// Takes a place in the queue; `None` when it is full.
    pub(super) fn queue(&mut self, priority: Priority) -> Option<Place> {
        if self.waiting.len() >= WAITING_CALLS_MAX {
            return None;
        }
        self.places += 1;
        let place = Place { rank: std::cmp::Reverse(priority), number: self.places };
        self.waiting.insert(place);
        Some(place)
    }

    /// Leaves the queue without having gone.
    pub(super) fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
    }

    /// Whether it is this place's turn; if so, it leaves the queue and is on its way.
    pub(super) fn ask(&mut self, place: Place, now: Duration) -> Verdict {
        let bulk = place.priority() == Priority::Bulk;
        if let Some(until) = self.held(bulk, now) {
            return Verdict::Wait(Some(until));
        }
        // Bulk comes last in the queue, so what holds back only bulk holds back nobody behind it.
        let first = self.waiting.first() == Some(&place);
        if !first || self.in_flight >= IN_FLIGHT_MAX || bulk && self.bulk_in_flight >= BULK_IN_FLIGHT_MAX {
            return Verdict::Wait(None);
        }
        self.waiting.remove(&place);
        self.in_flight += 1;
        self.bulk_in_flight += u32::from(bulk);
        self.count(now);
        Verdict::Go
    }

    /// Until when calls of this kind are held back.
    fn held(&mut self, bulk: bool, now: Duration) -> Option<Duration> {
        let mut until = self.held_until;
        if bulk {
            until = until.max(self.bulk_held_until);
            if self.spent(now) >= self.bulk_calls_max {
                let oldest = self.calls.front().map_or(0, |(slot, _)| *slot);
                until = until.max(Duration::from_secs((oldest + 1) * SLOT_SECONDS) + WINDOW);
            }
        }
        (until > now).then_some(until)
    }

    /// Ends a call that went.
    pub(super) fn end(&mut self, priority: Priority) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if priority == Priority::Bulk {
            self.bulk_in_flight = self.bulk_in_flight.saturating_sub(1);
        }
    }

    /// Obeys what a reply said.
    pub(super) fn obey(&mut self, limits: &Limits, now: Duration) {
        if let Some(wait) = limits.retry_after {
            self.hold(wait, now);
        }
        self.limit_tstu = limits.limit_tstu.or(self.limit_tstu);
        // What it says of a limit it says of now: a reply without is a reply that is far from it.
        self.remaining_tstu = limits.remaining_tstu;
        let low = self.remaining_tstu.is_some_and(|left| left < RESERVE * self.limit_tstu.unwrap_or(LIMIT_TSTU));
        if low || limits.delay.is_some_and(|delay| !delay.is_zero()) {
            let wait = limits.reset.unwrap_or(WINDOW).min(WINDOW);
            self.bulk_held_until = self.bulk_held_until.max(now + wait);
        }
    }

    /// Lets nothing go for this long.
    pub(super) fn hold(&mut self, wait: Duration, now: Duration) {
        self.held_until = self.held_until.max(now + wait);
    }

    /// Takes over what another account of the same identity has come to know and spent.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.held_until = self.held_until.max(other.held_until);
        self.bulk_held_until = self.bulk_held_until.max(other.bulk_held_until);
        let mut calls: std::collections::BTreeMap<u64, u32> = self.calls.drain(..).collect();
        for (slot, count) in &other.calls {
            *calls.entry(*slot).or_default() += count;
        }
        self.calls = calls.into_iter().collect();
    }

    fn count(&mut self, now: Duration) {
        let slot = now.as_secs() / SLOT_SECONDS;
        match self.calls.back_mut() {
            Some((last, count)) if *last >= slot => *count += 1,
            _ => self.calls.push_back((slot, 1)),
        }
    }

    /// Calls of the last 5 minutes.
    pub(super) fn spent(&mut self, now: Duration) -> u32 {
        let first = now.saturating_sub(WINDOW).as_secs() / SLOT_SECONDS;
        while now >= WINDOW && self.calls.front().is_some_and(|(slot, _)| *slot < first) {
            self.calls.pop_front();
        }
        self.calls.iter().map(|(_, count)| count).sum()
    }

    /// What is left and what the limit is, in TSTU, as far as said.
    pub(super) fn tstu(&self) -> (Option<f64>, Option<f64>) {
        (self.remaining_tstu, self.limit_tstu)
    }

    /// How long nothing goes.
    pub(super) fn hold_left(&self, now: Duration) -> Option<Duration> {
        self.held_until.checked_sub(now).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn go(ledger: &mut Ledger, priority: Priority, now: Duration) -> bool {
        let place = ledger.queue(priority).unwrap();
        let went = ledger.ask(place, now) == Verdict::Go;
        ledger.leave(place);
        went
    }

    #[test]
    fn repair_goes_before_what_somebody_waits_for_and_that_before_bulk() {
        let mut ledger = Ledger::default();
        let places = [Priority::Bulk, Priority::Interactive, Priority::Repair, Priority::Interactive]
            .map(|priority| ledger.queue(priority).unwrap());
        let mut order = Vec::new();
        while order.len() < places.len() {
            let next = places.iter().position(|place| ledger.ask(*place, at(0)) == Verdict::Go).unwrap();
            order.push(next);
        }
        assert_eq!(order, [2, 1, 3, 0]);
    }

    #[test]
    fn four_calls_run_at_a_time_and_bulk_leaves_two_places_free() {
        let mut ledger = Ledger::default();
        assert!(go(&mut ledger, Priority::Bulk, at(0)) && go(&mut ledger, Priority::Bulk, at(0)));
        assert!(!go(&mut ledger, Priority::Bulk, at(0)));
        assert!(go(&mut ledger, Priority::Repair, at(0)) && go(&mut ledger, Priority::Interactive, at(0)));
        assert!(!go(&mut ledger, Priority::Repair, at(0)));
        ledger.end(Priority::Bulk);
        assert!(go(&mut ledger, Priority::Repair, at(0)));
    }

    #[test]
    fn retry_after_holds_everybody_also_on_a_reply_that_was_good() {
        let mut ledger = Ledger::default();
        ledger.obey(&Limits { retry_after: Some(at(30)), ..Limits::default() }, at(100));
        let place = ledger.queue(Priority::Repair).unwrap();
        assert_eq!(ledger.ask(place, at(129)), Verdict::Wait(Some(at(130))));
        assert_eq!(ledger.hold_left(at(129)), Some(at(1)));
        assert_eq!(ledger.ask(place, at(130)), Verdict::Go);
        assert_eq!(ledger.hold_left(at(130)), None);
    }

    #[test]
    fn bulk_is_paced_by_the_window_and_the_others_are_not() {
        let mut ledger = Ledger::default();
        for call in 0..u64::from(BULK_CALLS_MAX) {
            assert!(go(&mut ledger, Priority::Bulk, at(call / 10)), "{call}");
            ledger.end(Priority::Bulk);
        }
        let place = ledger.queue(Priority::Bulk).unwrap();
        let Verdict::Wait(Some(until)) = ledger.ask(place, at(60)) else { panic!() };
        assert!(until >= at(300) && until <= at(310), "{until:?}");
        assert!(go(&mut ledger, Priority::Interactive, at(60)));
        assert_eq!(ledger.spent(at(60)), BULK_CALLS_MAX + 1);
        assert_eq!(ledger.ask(place, until), Verdict::Go);
        assert_eq!(ledger.spent(at(2_000)), 0);
    }

    #[test]
    fn near_the_limit_bulk_waits_until_it_is_reset() {
        for limits in [
            Limits { remaining_tstu: Some(20.0), limit_tstu: Some(200.0), reset: Some(at(90)), ..Limits::default() },
            Limits { delay: Some(at(1)), reset: Some(at(90)), ..Limits::default() },
        ] {
            let mut ledger = Ledger::default();
            ledger.obey(&limits, at(0));
            assert!(!go(&mut ledger, Priority::Bulk, at(89)));
            assert!(go(&mut ledger, Priority::Interactive, at(0)));
            assert!(go(&mut ledger, Priority::Bulk, at(90)));
        }
        let mut ledger = Ledger::default();
        ledger.obey(&Limits { remaining_tstu: Some(150.0), limit_tstu: Some(200.0), ..Limits::default() }, at(0));
        assert!(go(&mut ledger, Priority::Bulk, at(0)));
        assert_eq!(ledger.tstu(), (Some(150.0), Some(200.0)));
    }

    #[test]
    fn accounts_of_one_identity_become_one() {
        let (mut one, mut other) = (Ledger::default(), Ledger::default());
        assert!(go(&mut one, Priority::Repair, at(7)) && go(&mut other, Priority::Repair, at(3)));
        assert!(go(&mut other, Priority::Repair, at(8)));
        other.hold(at(10), at(8));
        one.absorb(&other);
        assert_eq!(one.spent(at(9)), 3);
        assert_eq!(one.hold_left(at(9)), Some(at(9)));
    }

    #[test]
    fn a_full_queue_takes_nobody() {
        let mut ledger = Ledger::default();
        let places: Vec<Place> = std::iter::from_fn(|| ledger.queue(Priority::Bulk)).collect();
        assert_eq!(places.len(), WAITING_CALLS_MAX);
        ledger.leave(places[0]);
        assert!(ledger.queue(Priority::Repair).is_some());
    }
}
