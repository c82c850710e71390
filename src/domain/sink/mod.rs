//! A sink: where events are pushed, which of them, and what is kept of it.

mod filter;
mod target;

pub use self::{
    filter::{SinkFilter, StateChange, Traits, Unwanted},
    target::{DevLake, FileLog, Mode, Nats, Sleuth, SleuthImpact, Target, Webhook, secret},
};

use super::{Sealed, SinkId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether events go to a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum SinkState {
    /// They do.
    Enabled,
    /// Somebody said that they wait. They are kept for it, but no longer than events are kept.
    Paused {
        /// When.
        since: Timestamp,
    },
    /// The sink itself said that it wants none any more (410): somebody has to resume it. Events wait as while paused.
    Gone {
        /// When.
        since: Timestamp,
        /// What it said.
        said: String,
    },
}

/// Where in the log a sink began: events up to here never were for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SinkStart(pub u64);

/// As kept in the registry under kind `sink`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sink {
    /// Its id; the consumer's name is made of it.
    pub id: SinkId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it is, and where.
    pub target: Target,
    /// Everything secret about it, by the names in [`secret`]; sealed for the purpose `sink/{id}/{name}`.
    pub secrets: BTreeMap<String, Sealed>,
    /// Until when the signing secret before the current one signs too.
    #[serde(default)]
    pub previous_secret_until: Option<Timestamp>,
    /// Which events it wants.
    pub filter: SinkFilter,
    /// The end of the log when the filter was last changed: up to here another one decided.
    pub filter_since: u64,
    /// Whether events go to it.
    pub state: SinkState,
    /// Where it began.
    pub start: SinkStart,
    /// Deliveries under way at once, at most.
    pub in_flight_max: u32,
    /// Deliveries begun per second, at most.
    #[serde(default)]
    pub per_second_max: Option<u32>,
    /// Whether addresses in private networks may be reached.
    #[serde(default)]
    pub allow_private: bool,
    /// Whether it may be reached without TLS.
    #[serde(default)]
    pub allow_http: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Sink {
    /// What a secret of this sink is sealed for.
    pub fn purpose(id: SinkId, name: &str) -> String {
        format!("sink/{id}/{name}")
    }
}
