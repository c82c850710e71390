//! Who failed to authenticate lately, by address.
//!
//! Right credentials are never refused for what others at the address did: behind a proxy all have one address. What is
//! limited is the answer to wrong ones, so that whoever guesses hears early that it is noticed.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Failures of one address in one window before it must wait.
const FAILURES_PER_WINDOW_MAX: u32 = 20;
/// Length of the window.
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses remembered at most; when full, the oldest window goes.
const ADDRESSES_MAX: usize = 10_000;

/// Failure counts by address, in fixed windows.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<HashMap<IpAddr, Window>>);

#[derive(Debug, Clone, Copy)]
struct Window {
    began: Duration,
    failures: u32,
}

impl Strangers {
    /// Counts one failure; `now` is [`crate::clock::Clock::monotonic`].
    pub fn failed(&self, address: IpAddr, now: Duration) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= ADDRESSES_MAX && !windows.contains_key(&address) {
            windows.retain(|_, window| now < window.began + WINDOW);
            if windows.len() >= ADDRESSES_MAX
                && let Some(oldest) = windows.iter().min_by_key(|(_, window)| window.began).map(|(address, _)| *address)
            {
                windows.remove(&oldest);
            }
        }
        let window = windows.entry(address).or_insert(Window { began: now, failures: 0 });
        if now >= window.began + WINDOW {
            *window = Window { began: now, failures: 0 };
        }
        window.failures = window.failures.saturating_add(1);
    }

    /// How long the address must wait, if it is over the limit.
    pub fn wait(&self, address: IpAddr, now: Duration) -> Option<Duration> {
        let windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&address)?;
        let end = window.began + WINDOW;
        end.checked_sub(now).filter(|wait| window.failures >= FAILURES_PER_WINDOW_MAX && !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_over_the_limit_waits_for_the_rest_of_its_window_and_others_do_not() {
        let strangers = Strangers::default();
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        for _ in 0..FAILURES_PER_WINDOW_MAX {
            assert_eq!(strangers.wait(one, Duration::ZERO), None);
            strangers.failed(one, Duration::ZERO);
        }
        assert_eq!(strangers.wait(one, Duration::from_secs(10)), Some(Duration::from_secs(50)));
        assert_eq!(strangers.wait(other, Duration::from_secs(10)), None);
        assert_eq!(strangers.wait(one, WINDOW), None);
    }

    #[test]
    fn the_number_of_remembered_addresses_is_bounded() {
        let strangers = Strangers::default();
        for n in 0..u32::try_from(ADDRESSES_MAX).unwrap() + 100 {
            strangers.failed(IpAddr::from(n.to_be_bytes()), Duration::ZERO);
        }
        assert_eq!(strangers.0.lock().unwrap().len(), ADDRESSES_MAX);
    }
}
