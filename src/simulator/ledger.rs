//! What was asked, and what it cost.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Most calls that are remembered; the oldest are forgotten first, and counted all the same.
const CALLS_MAX: usize = 10_000;
/// The window of Azure's limit.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recorded {
    /// When.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The caller's account, where it has one.
    pub account: Option<String>,
    /// The answer's status; 0 where the connection was cut.
    pub status: u16,
    /// In throughput units.
    pub tstu: f64,
}

/// All calls.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    calls: VecDeque<Recorded>,
    count: u64,
    tstu: f64,
    /// By account, when and what, within the window.
    recent: BTreeMap<String, Recent>,
}

/// What one account used within the window, and the sum of it.
#[derive(Debug, Default)]
struct Recent {
    calls: VecDeque<(Timestamp, f64)>,
    tstu: f64,
}

impl Recent {
    fn forget(&mut self, now: Timestamp) {
        while let Some((_, tstu)) = self.calls.pop_front_if(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.tstu -= tstu;
        }
        if self.calls.is_empty() {
            self.tstu = 0.0;
        }
    }
}

impl Ledger {
    pub(super) fn record(&mut self, call: Recorded) {
        self.count += 1;
        self.tstu += call.tstu;
        if let Some(account) = &call.account {
            let recent = self.recent.entry(account.clone()).or_default();
            recent.calls.push_back((call.at, call.tstu));
            recent.tstu += call.tstu;
            recent.forget(call.at);
        }
        self.calls.push_back(call);
        while self.calls.len() > CALLS_MAX {
            self.calls.pop_front();
        }
    }

    /// What an account used within the window that ends now.
    pub(super) fn used(&mut self, account: &str, now: Timestamp) -> f64 {
        let Some(recent) = self.recent.get_mut(account) else { return 0.0 };
        recent.forget(now);
        recent.tstu
    }

    pub(super) fn calls(&self) -> Vec<Recorded> {
        self.calls.iter().cloned().collect()
    }

    /// Calls and throughput units so far.
    pub(super) fn totals(&self) -> (u64, f64) {
        (self.count, self.tstu)
    }
}
