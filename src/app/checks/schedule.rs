//! When a connection is checked again. Pure: time comes in as a number.

use crate::domain::{ConnectionId, HealthState};
use std::time::Duration;

/// Between two checks of a connection that works.
const PERIOD: Duration = Duration::from_mins(10);
/// After the first check that failed; it doubles with each further one, up to [`PERIOD`].
const FIRST_RETRY: Duration = Duration::from_mins(1);
/// By how much a wait is longer for some connections than for others, in percent, so that they do not all come at once.
const SPREAD_PERCENT: u32 = 20;

/// What the plan of a connection was made for; when it is otherwise, it is checked anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The connection's version.
    pub connection: u64,
    /// How many bindings it has: a binding may need what was not needed before.
    pub bindings: usize,
}

/// What is known of a connection's next check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// What it was made for.
    pub seen: Seen,
    /// When, on the monotonic clock.
    pub at: Duration,
    /// How many checks in a row did not find it enabled.
    pub failures: u32,
}

impl Plan {
    /// Whether it is time; a connection without a plan is due at once.
    pub fn is_due(plan: Option<&Self>, seen: Seen, now: Duration) -> bool {
        plan.is_none_or(|plan| plan.seen != seen || plan.at <= now)
    }

    /// The plan after a check that ended `now` and found `state`.
    pub fn after(before: Option<&Self>, id: ConnectionId, seen: Seen, state: HealthState, now: Duration) -> Self {
        let failures = match state {
            HealthState::Enabled | HealthState::Unchecked => 0,
            HealthState::NeedsAttention | HealthState::Unreachable => {
                before.filter(|before| before.seen == seen).map_or(0, |before| before.failures).saturating_add(1)
            }
        };
        Self { seen, at: now + wait(id, failures), failures }
    }
}

/// How long until the next check, after this many failures in a row.
pub fn wait(id: ConnectionId, failures: u32) -> Duration {
    let base = match failures {
        0 => PERIOD,
        n => FIRST_RETRY.saturating_mul(1 << (n - 1).min(8)).min(PERIOD),
    };
    // The id is random, so it spreads as well as a random number and the same connection keeps its rhythm.
    let share = u32::try_from(id.0.as_u128() % 1_000).unwrap_or_default();
    base + base * SPREAD_PERCENT * share / 100_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const SEEN: Seen = Seen { connection: 1, bindings: 0 };
    const ID: ConnectionId = ConnectionId(Uuid::nil());

    #[test]
    fn a_failing_connection_is_asked_soon_then_ever_later() {
        let minutes: Vec<u64> = (0..8).map(|failures| wait(ID, failures).as_secs() / 60).collect();
        assert_eq!(minutes, [10, 1, 2, 4, 8, 10, 10, 10]);
        assert_eq!(wait(ID, u32::MAX), PERIOD);
    }

    #[test]
    fn connections_are_spread_and_none_comes_early() {
        let waits: Vec<Duration> = (0..1_000).map(|n| wait(ConnectionId(Uuid::from_u128(n)), 0)).collect();
        assert_eq!((waits.iter().min(), waits.iter().max()), (Some(&PERIOD), Some(&Duration::from_millis(719_880))));
    }

    #[test]
    fn what_recovers_has_no_failures_and_what_changes_is_due_at_once() {
        let now = Duration::from_secs(5);
        assert!(Plan::is_due(None, SEEN, now), "never checked since the start");
        let failed = Plan::after(None, ID, SEEN, HealthState::Unreachable, now);
        let again = Plan::after(Some(&failed), ID, SEEN, HealthState::NeedsAttention, now);
        assert_eq!((failed.failures, again.failures), (1, 2));
        assert!(!Plan::is_due(Some(&again), SEEN, again.at.saturating_sub(Duration::from_nanos(1))));
        assert!(Plan::is_due(Some(&again), SEEN, again.at));
        let recovered = Plan::after(Some(&again), ID, SEEN, HealthState::Enabled, now);
        assert_eq!((recovered.failures, recovered.at), (0, now + PERIOD));
        for other in [Seen { connection: 2, ..SEEN }, Seen { bindings: 1, ..SEEN }] {
            assert!(Plan::is_due(Some(&recovered), other, now), "{other:?}");
            assert_eq!(Plan::after(Some(&again), ID, other, HealthState::Unreachable, now).failures, 1);
        }
    }
}
