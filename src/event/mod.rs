//! What we say: a `CDEvent` inside a structured `CloudEvent`, as exact bytes.

pub mod cdevents;
pub mod kept;
mod link;
pub mod members;
mod text;
pub mod uri;

use crate::domain::{ConnectionId, NotificationId, Recovered, Slug, join, split};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// What filters look at without parsing the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The `CloudEvents` type, with version.
    #[serde(rename = "type")]
    pub kind: String,
    /// The connection whose notification it was made from.
    pub connection: ConnectionId,
    /// The projects whose bindings match.
    pub projects: Vec<Slug>,
    /// The notification it was made from.
    pub notification: NotificationId,
    /// How we came by that notification, where no hook delivered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
    /// Members that are the word of a poorer telling than the rest, by JSON pointer, with its rank: see `translate::union`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filled: BTreeMap<String, u8>,
}

/// One event, ready to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The fact key, a `UUIDv5`: one fact, one id, whichever way it came.
    pub id: Uuid,
    /// What filters look at.
    pub header: Header,
    /// The structured-mode `CloudEvent`: one line of JSON, a non-empty object, without `sequence` and `recordedtime`.
    pub json: Bytes,
}

impl Event {
    /// As a journal body.
    pub fn to_stored(&self) -> Bytes {
        join(&self.header, &self.json)
    }

    /// From a journal key and body; `None` when the body is not one of ours.
    pub fn from_stored(id: Uuid, stored: &Bytes) -> Option<Self> {
        let (header, json) = split(stored)?;
        Some(Self { id, header, json })
    }

    /// The same under the id `id`; spliced like [`Event::replacing`].
    #[must_use]
    pub fn under(self, id: Uuid) -> Self {
        let text = String::from_utf8_lossy(&self.json);
        let text = text.replacen(&format!("\"id\":\"{}\"", self.id), &format!("\"id\":\"{id}\""), 2);
        Self { id, header: self.header, json: text.into() }
    }

    /// The same under the id `id`, saying which event it replaces: by the extension `replaces`, and in its custom data, which
    /// says too of which fact it is a telling (the id of the first one), so that whoever counts facts counts it once.
    ///
    /// Spliced, because the bytes are ours: the id stands first and in the context, and our own custom data last.
    #[must_use]
    pub fn replacing(self, id: Uuid, replaces: Uuid, fact: Uuid) -> Self {
        let told = self.under(id);
        let text = String::from_utf8_lossy(&told.json);
        let text = text.replacen('{', &format!("{{\"replaces\":\"{replaces}\","), 1);
        let own = "\"hookwell\":{";
        let text = match text.rsplit_once(own) {
            Some((before, after)) => format!("{before}{own}\"replaces\":\"{replaces}\",\"fact\":\"{fact}\",{after}"),
            None => text,
        };
        Self { json: text.into(), ..told }
    }

    /// The bytes that are handed on: the kept ones, led by the `sequence` and `recordedtime` extensions, which are known
    /// only once the event has its place in the log. Spliced, not re-encoded: the same event is the same bytes for
    /// every reader, so signatures over it hold.
    ///
    /// Source: `CloudEvents` extensions `sequence` (fixed width, lexicographically ordered) and `recordedtime`.
    pub fn served(&self, position: u64, recorded: Timestamp) -> Vec<u8> {
        let mut bytes = format!("{{\"sequence\":\"{position:020}\",\"recordedtime\":\"{recorded}\",").into_bytes();
        bytes.extend_from_slice(self.json.get(1..).unwrap_or(b"}"));
        bytes
    }
}
