//! The circuit breaker of one sink: when everything fails, the sink is left alone but for a trial now and then. Pure.
//!
//! In memory only: after a restart the first failures open it again.

use std::time::Duration;

/// So many failures one after the other open it.
const FAILURES: u32 = 5;
/// How long it is open at first, and at most; it doubles with every trial that fails.
const OPEN_FIRST: Duration = Duration::from_secs(30);
const OPEN_MAX: Duration = Duration::from_mins(15);

/// Whether a sink is spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Breaker {
    /// It is; so many attempts failed since the last that went well.
    #[default]
    Closed,
    /// The same, after failures.
    Failing(u32),
    /// It is not.
    Open {
        /// Until then, on the monotonic clock; then one attempt is a trial.
        until: Duration,
        /// How long it was open for.
        wait: Duration,
    },
}

impl Breaker {
    /// Whether nothing is to be sent now.
    pub(super) fn is_open(self, now: Duration) -> bool {
        matches!(self, Self::Open { until, .. } if now < until)
    }

    /// Whether the next attempt is a trial: one at a time, and the last one if it fails.
    pub(super) fn is_trying(self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// When the trial comes.
    pub(super) fn until(self) -> Option<Duration> {
        match self {
            Self::Open { until, .. } => Some(until),
            _ => None,
        }
    }

    /// An attempt went well. Says whether the sink has come back.
    pub(super) fn went_well(&mut self) -> bool {
        matches!(std::mem::take(self), Self::Open { .. })
    }

    /// An attempt failed in a way that says that the sink does not work, and not that it does not like the event.
    pub(super) fn failed(&mut self, now: Duration) {
        *self = match *self {
            Self::Closed => Self::Failing(1),
            Self::Failing(failures) if failures + 1 < FAILURES => Self::Failing(failures + 1),
            Self::Failing(_) => Self::Open { until: now + OPEN_FIRST, wait: OPEN_FIRST },
            // What was under way when it opened is not a trial.
            Self::Open { until, .. } if now < until => return,
            Self::Open { wait, .. } => {
                let wait = OPEN_MAX.min(wait * 2);
                Self::Open { until: now + wait, wait }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_in_a_row_open_it_a_trial_decides() {
        let second = Duration::from_secs;
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(second(0));
        }
        assert!(!breaker.went_well() && breaker == Breaker::default(), "one that goes well begins anew");
        for _ in 0..5 {
            assert!(!breaker.is_open(second(0)) && !breaker.is_trying());
            breaker.failed(second(0));
        }
        assert!(breaker.is_open(second(29)) && breaker.is_trying());
        breaker.failed(second(1));
        assert_eq!(breaker.until(), Some(second(30)), "what was under way prolongs nothing");
        let mut now = second(30);
        for wait in [60, 120, 240, 480, 900, 900] {
            assert!(!breaker.is_open(now));
            breaker.failed(now);
            assert_eq!(breaker.until(), Some(now + second(wait)));
            now += second(wait);
        }
        assert!(breaker.went_well());
        assert_eq!(breaker, Breaker::Closed);
    }
}
