//! When a failed delivery is tried again. Pure.
//!
//! Source: the schedule that Standard Webhooks 1.0.0 recommends.

use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
/// Seconds before each attempt, counted from the failure of the one before it.
const WAITS_SECONDS: [u64; 10] =
    [0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// Attempts of one delivery; after the last it is dead.
pub const ATTEMPTS_MAX: u32 = 10;
/// Attempts are numbered through for as long as they are kept: a replay goes on at the next hundred.
pub const ATTEMPTS_PER_RUN: u32 = 100;

/// Which attempt of its run a numbered attempt is, from 1.
pub(super) fn step(attempt: u32) -> u32 {
    (attempt.max(1) - 1) % ATTEMPTS_PER_RUN + 1
}

/// When the attempt after this failed one comes; `None` when it was the last. Spread by a fifth in both directions, so that
/// what failed together does not come back together: by the event's id, so that it is the same after a restart.
pub(super) fn next(attempt: u32, event: Uuid, now: Timestamp, after: Option<Duration>) -> Option<Timestamp> {
    let wait = *WAITS_SECONDS.get(step(attempt) as usize)?;
    let spread = event.as_u64_pair().1.wrapping_add(u64::from(attempt)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54;
    let milliseconds = wait * 1_000 / 10 * 8 + wait * 1_000 * 4 / 10 * spread / 1_024;
    let wait = Duration::from_millis(milliseconds).max(after.unwrap_or_default());
    Some(now.checked_add(wait).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_attempts_over_three_days_spread_by_a_fifth() {
        let (now, mut at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        for attempt in 1..ATTEMPTS_MAX {
            let wait = i64::try_from(WAITS_SECONDS[attempt as usize] * 1_000).unwrap();
            let of_event = |number| next(attempt, Uuid::from_u128(number), now, None).unwrap().as_millisecond();
            let waits: Vec<i64> = (0..200).map(of_event).collect();
            assert!(
                waits.iter().all(|spread| (wait * 8 / 10..=wait * 12 / 10).contains(spread)),
                "{attempt} {waits:?}"
            );
            let (low, high) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*low < wait * 9 / 10 && *high > wait * 11 / 10, "they are spread: {low} {high}");
            at = next(attempt, Uuid::nil(), at, None).unwrap();
        }
        assert_eq!(next(ATTEMPTS_MAX, Uuid::nil(), now, None), None);
        assert!((60..100).contains(&(at.as_second() / 3_600)), "{at}");
    }

    #[test]
    fn a_sink_that_asks_to_wait_is_obeyed_and_a_replay_begins_anew() {
        let minute = Duration::from_mins(1);
        let at = next(1, Uuid::nil(), Timestamp::UNIX_EPOCH, Some(minute)).unwrap();
        assert_eq!(at.as_second(), 60);
        assert_eq!((step(1), step(10), step(101), step(110)), (1, 10, 1, 10));
        assert!(next(101, Uuid::nil(), Timestamp::UNIX_EPOCH, None).unwrap().as_second() < 7);
        assert_eq!(next(110, Uuid::nil(), Timestamp::UNIX_EPOCH, None), None);
    }
}
