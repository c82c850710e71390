//! Time as a value that the caller owns: the only file that asks the operating system what time it is.

use async_trait::async_trait;
use jiff::Timestamp;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// What the program knows of time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Timestamp;

    /// Returns when `duration` has passed on this clock.
    async fn sleep(&self, duration: Duration);

    /// Time since some fixed moment that never goes back; for rate limits and measurements.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A clock that moves only when it is told to: for tests and for the simulator.
#[derive(Debug)]
pub struct ManualClock {
    start: Timestamp,
    elapsed: watch::Sender<Duration>,
    moving: Mutex<()>,
}

impl ManualClock {
    /// Stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self { start, elapsed: watch::Sender::new(Duration::ZERO), moving: Mutex::new(()) }
    }

    /// Moves forward and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Duration) {
        let _moving = self.moving.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.start + *self.elapsed.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let until = *self.elapsed.borrow() + duration;
        let mut elapsed = self.elapsed.subscribe();
        // The sender lives as long as `self`, which this future borrows, so the wait cannot fail.
        let _ = elapsed.wait_for(|elapsed| *elapsed >= until).await;
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }
}
