//! What an answer means for a notification and for its subscription: Azure's own failure rules, as a pure function.
//!
//! Source: Microsoft's "Troubleshoot service hooks": failure types, the eight retries, the seven of probation.

use std::time::Duration;

/// Waits before the retries of one notification, in seconds.
pub(super) const RETRIES_SECONDS: [u64; 8] = [1, 2, 4, 8, 16, 32, 60, 60];
/// Waits before the retries of a subscription on probation, in minutes; 36 hours in all.
pub(super) const PROBES_MINUTES: [u64; 7] = [20, 40, 80, 160, 320, 640, 900];

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answered {
    /// 2xx.
    Well,
    /// 408, 502, 503, 504: perhaps later.
    Later,
    /// 410: never again.
    Never,
    /// Anything else.
    Badly,
}

impl Answered {
    pub(super) fn with(status: u16) -> Self {
        match status {
            200..=299 => Self::Well,
            408 | 502 | 503 | 504 => Self::Later,
            410 => Self::Never,
            _ => Self::Badly,
        }
    }
}

/// What was attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attempted {
    /// A notification, after so many retries.
    Event { retries: usize, on_probation: bool },
    /// The notification that put the subscription on probation, for the so-many-th time since, from 1.
    Probe { number: usize },
}

/// What becomes of the notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Delivered,
    RetryAfter(Duration),
    Failed,
}

/// What becomes of the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    AsBefore,
    Enabled,
    /// After so many probes, with the next one after a wait.
    OnProbation {
        probes: usize,
        next: Duration,
    },
    Disabled,
}

/// What follows from an answer.
pub(super) fn ruling(attempted: Attempted, answered: Answered) -> (Fate, Standing) {
    match (attempted, answered) {
        (Attempted::Event { on_probation: false, .. }, Answered::Well) => (Fate::Delivered, Standing::AsBefore),
        (_, Answered::Well) => (Fate::Delivered, Standing::Enabled),
        (_, Answered::Never) => (Fate::Failed, Standing::Disabled),
        (Attempted::Event { retries, .. }, Answered::Later) if retries < RETRIES_SECONDS.len() => {
            (Fate::RetryAfter(Duration::from_secs(RETRIES_SECONDS[retries])), Standing::AsBefore)
        }
        (Attempted::Event { on_probation: true, .. }, _) => (Fate::Failed, Standing::AsBefore),
        (Attempted::Event { .. }, _) => (Fate::Failed, on_probation(0)),
        (Attempted::Probe { number }, _) => (Fate::Failed, on_probation(number)),
    }
}

fn on_probation(probes: usize) -> Standing {
    match PROBES_MINUTES.get(probes) {
        Some(minutes) => Standing::OnProbation { probes, next: Duration::from_mins(*minutes) },
        None => Standing::Disabled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Attempted = Attempted::Event { retries: 0, on_probation: false };

    #[test]
    fn statuses_fall_into_the_four_documented_classes() {
        let of = |statuses: &[u16]| statuses.iter().map(|status| Answered::with(*status)).collect::<Vec<_>>();
        assert_eq!(of(&[200, 202, 204]), [Answered::Well; 3]);
        assert_eq!(of(&[408, 502, 503, 504]), [Answered::Later; 4]);
        assert_eq!(of(&[410]), [Answered::Never]);
        assert_eq!(of(&[301, 302, 400, 401, 403, 404, 413, 422, 429, 500, 501]), [Answered::Badly; 11]);
    }

    #[test]
    fn a_transient_failure_is_retried_eight_times_in_183_seconds_and_then_endures() {
        let mut waits = Vec::new();
        loop {
            let attempted = Attempted::Event { retries: waits.len(), on_probation: false };
            match ruling(attempted, Answered::Later) {
                (Fate::RetryAfter(wait), Standing::AsBefore) => waits.push(wait.as_secs()),
                end => {
                    let next = Duration::from_mins(20);
                    assert_eq!(end, (Fate::Failed, Standing::OnProbation { probes: 0, next }));
                    break;
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(waits.iter().sum::<u64>(), 183);
    }

    #[test]
    fn probation_ends_after_seven_probes_in_36_hours() {
        let (mut minutes, mut standing) = (0, ruling(FRESH, Answered::Badly).1);
        while let Standing::OnProbation { probes, next } = standing {
            minutes += next.as_secs() / 60;
            standing = ruling(Attempted::Probe { number: probes + 1 }, Answered::Badly).1;
        }
        assert_eq!((minutes, standing), (36 * 60, Standing::Disabled));
    }

    #[test]
    fn a_good_answer_lifts_probation_and_gone_disables_at_once() {
        for attempted in [Attempted::Probe { number: 7 }, Attempted::Event { retries: 3, on_probation: true }] {
            assert_eq!(ruling(attempted, Answered::Well), (Fate::Delivered, Standing::Enabled));
            assert_eq!(ruling(attempted, Answered::Never), (Fate::Failed, Standing::Disabled));
        }
        assert_eq!(ruling(FRESH, Answered::Well), (Fate::Delivered, Standing::AsBefore));
        assert_eq!(ruling(FRESH, Answered::Never), (Fate::Failed, Standing::Disabled));
    }
}
