//! The rate limit of one sink: so many deliveries begun per second. Pure.

use std::time::Duration;

/// When the next delivery may begin.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// On the monotonic clock.
    next: Duration,
}

impl Pace {
    /// Takes a place, and answers how long to wait for it. Nothing is saved up: after a pause deliveries begin as evenly as
    /// ever, because a burst is what the limit is there to prevent.
    pub(super) fn take(&mut self, now: Duration, per_second: Option<u32>) -> Duration {
        let Some(per_second) = per_second.filter(|limit| *limit > 0) else { return Duration::ZERO };
        let begins = self.next.max(now);
        self.next = begins + Duration::from_secs(1) / per_second;
        begins.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_begin_evenly() {
        let millis = Duration::from_millis;
        let mut pace = Pace::default();
        let waits = [0, 0, 100, 5_000, 5_000].map(|now| pace.take(millis(now), Some(2)).as_millis());
        assert_eq!(waits, [0, 500, 900, 0, 500]);
        assert_eq!(pace.take(millis(5_000), None), Duration::ZERO);
    }
}
