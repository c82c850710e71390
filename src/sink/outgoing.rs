//! One event on its way out.

use crate::domain::{ConnectionId, Slug};
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

/// An event as an engine gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The event's id: the same however often it is delivered.
    pub id: Uuid,
    /// Its place in the log.
    pub position: u64,
    /// Its type, with version.
    pub kind: String,
    /// The projects it belongs to.
    pub projects: Vec<Slug>,
    /// The connection it came by.
    pub connection: ConnectionId,
    /// When it was recorded.
    pub time: Timestamp,
    /// What stays in order: events with the same text never overtake each other.
    pub entity: String,
    /// The structured `CloudEvent`, the very bytes that the API serves, with `sequence` and `recordedtime`.
    pub json: Bytes,
}
