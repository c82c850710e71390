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
    recent: BTreeMap<String, VecDeque<(Timestamp, f64)>>,
}

impl Ledger {
    pub(super) fn record(&mut self, call: Recorded) {
        self.count += 1;
        self.tstu += call.tstu;
        if let Some(account) = &call.account {
            self.recent.entry(account.clone()).or_default().push_back((call.at, call.tstu));
        }
        self.calls.push_back(call);
        while self.calls.len() > CALLS_MAX {
            self.calls.pop_front();
        }
    }

    /// What an account used within the window that ends now.
    pub(super) fn used(&mut self, account: &str, now: Timestamp) -> f64 {
        let Some(recent) = self.recent.get_mut(account) else { return 0.0 };
        while recent.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            recent.pop_front();
        }
        recent.iter().map(|(_, tstu)| tstu).sum()
    }

    pub(super) fn calls(&self) -> Vec<Recorded> {
        self.calls.iter().cloned().collect()
    }

    /// Calls and throughput units so far.
    pub(super) fn totals(&self) -> (u64, f64) {
        (self.count, self.tstu)
    }
}
