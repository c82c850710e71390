//! One attempt as the log of deliveries keeps it.

use super::schedule::{ATTEMPTS_PER_RUN, step};
use crate::{
    domain::SinkId,
    sink::{Attempt, Outgoing},
    store::{Entry, Record},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What an attempt left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Left {
    /// The event has arrived.
    Delivered,
    /// It is tried again.
    Waiting,
    /// It was given up.
    Dead,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// To which sink.
    pub sink: SinkId,
    /// Of which event.
    pub event: Uuid,
    /// Its type.
    pub kind: String,
    /// Its place in the log.
    pub position: u64,
    /// Numbered through, a replay from the next hundred on.
    pub attempt: u32,
    /// When it had ended.
    pub at: Timestamp,
    /// How long it took.
    pub took_ms: u64,
    /// What it left.
    pub left: Left,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Timestamp>,
    /// The status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The beginning of the answer, without secrets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

impl AttemptRecord {
    /// Of an attempt that was made.
    pub fn new(sink: SinkId, outgoing: &Outgoing, number: u32, made: &Attempt, left: Left, at: Timestamp) -> Self {
        Self {
            sink,
            event: outgoing.id,
            kind: outgoing.kind.clone(),
            position: outgoing.position,
            attempt: number,
            at,
            took_ms: u64::try_from(made.took.as_millis()).unwrap_or(u64::MAX),
            left,
            next: None,
            status: made.status,
            said: made.result.as_ref().err().map(ToString::to_string),
            answer: made.answer.clone(),
        }
    }

    /// The key of an attempt: one is kept once, however often its settlement is repeated.
    pub fn key(sink: SinkId, event: Uuid, attempt: u32) -> Uuid {
        Uuid::new_v5(&sink.0, format!("{event}\u{1f}{attempt}").as_bytes())
    }

    /// Which run of attempts it belongs to, from 0.
    pub fn run(&self) -> u32 {
        (self.attempt.max(1) - 1) / ATTEMPTS_PER_RUN
    }

    /// Which attempt of its run it is, from 1.
    pub fn step(&self) -> u32 {
        step(self.attempt)
    }

    /// For the log.
    ///
    /// # Panics
    /// Never: it is plain data.
    pub fn entry(&self) -> Entry {
        let body = serde_json::to_vec(self).expect("an attempt is plain data with string keys");
        Entry { key: Self::key(self.sink, self.event, self.attempt), time: self.at, body: body.into() }
    }

    /// From the log.
    pub fn from_record(record: &Record) -> Option<Self> {
        serde_json::from_slice(&record.body).ok()
    }
}
