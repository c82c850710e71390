//! The keys of notifications: what makes a redelivery the entry that is there, and what looks like one and is none.

use super::Received;
use crate::{
    azure::envelope::{self, Envelope},
    domain::{ConnectionId, Disposition, KeySource, Notification, NotificationId},
};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use uuid::{Uuid, uuid};

/// Of the names under which notification keys are made. Fixed for ever: a redelivery must meet its first delivery.
const KEY_NAMESPACE: Uuid = uuid!("5ad7f9f4-5f0e-4a53-9d4e-3b7f0f1a6c52");

/// The notification key: what makes a redelivery one entry.
///
/// The envelope's id alone would not do: the documented samples share one id over many event types. A test delivery
/// has no identity of its own (every press of the button sends the same bytes), and each should be seen.
pub(super) fn key(
    connection: ConnectionId,
    disposition: &Disposition,
    envelope: &Envelope<'_>,
    received: &Received,
) -> (NotificationId, KeySource) {
    let connection = connection.0.as_bytes().as_slice();
    if *disposition == Disposition::Test {
        return (NotificationId::random(), KeySource::Delivery);
    }
    if let (Some(subscription), Some(number)) = (&envelope.subscription_id, envelope.notification_id) {
        let number = number.to_string();
        let parts = [connection, b"delivery", lower(subscription).as_bytes(), number.as_bytes()].join(&0x1f);
        return (NotificationId(Uuid::new_v5(&KEY_NAMESPACE, &parts)), KeySource::Delivery);
    }
    if let Some(id) = &envelope.id {
        let kind = envelope.event_type.as_deref().unwrap_or_default();
        let parts = [connection, b"envelope", kind.as_bytes(), lower(id).as_bytes()].join(&0x1f);
        return (NotificationId(Uuid::new_v5(&KEY_NAMESPACE, &parts)), KeySource::Envelope);
    }
    let (digest, size) = (Sha256::digest(&received.body), received.size_bytes.to_string());
    let parts = [connection, b"body", &digest, size.as_bytes()].join(&0x1f);
    (NotificationId(Uuid::new_v5(&KEY_NAMESPACE, &parts)), KeySource::Body)
}

/// GUIDs are the same in either case.
fn lower(guid: &str) -> Cow<'_, str> {
    if guid.bytes().any(|b| b.is_ascii_uppercase()) { guid.to_ascii_lowercase().into() } else { guid.into() }
}

/// The key of what tells these events.
pub(super) fn told(connection: ConnectionId, events: &[Uuid]) -> NotificationId {
    let events = events.iter().flat_map(Uuid::as_bytes).copied().collect::<Vec<u8>>();
    let parts = [connection.0.as_bytes().as_slice(), b"fact", &events].join(&0x1f);
    NotificationId(Uuid::new_v5(&KEY_NAMESPACE, &parts))
}

/// The key under which a delivery is kept that has the key of another and is not the same: nothing where it is. What was
/// recovered can be the same in other words (the history shortens what is big), so there only the envelope's id counts.
pub(super) fn beside(there: &Notification, own: &Notification) -> Option<NotificationId> {
    if own.key_source == KeySource::Fact {
        return None;
    }
    let id = |body: &Bytes| envelope::peek(body).ok()?.id.map(|id| id.to_ascii_lowercase());
    let (theirs, ours) = (id(&there.body), id(&own.body));
    let (mark, what) = match (&theirs, &ours) {
        (Some(theirs), Some(ours)) if theirs != ours => (&b"envelope"[..], ours.as_bytes().to_vec()),
        _ if there.recovered.is_some() || own.recovered.is_some() || says_the_same(there, own) => return None,
        _ => (&b"body"[..], Sha256::digest(&own.body).to_vec()),
    };
    let parts = [there.id.0.as_bytes().as_slice(), mark, &what].join(&0x1f);
    Some(NotificationId(Uuid::new_v5(&KEY_NAMESPACE, &parts)))
}

/// Whether two deliveries have one body, however it is written.
fn says_the_same(one: &Notification, other: &Notification) -> bool {
    let read = |own: &Notification| serde_json::from_slice::<serde_json::Value>(&own.body).ok();
    (one.body == other.body && one.size_bytes == other.size_bytes)
        || read(one).zip(read(other)).is_some_and(|(one, other)| one == other)
}
