//! Collections that notifications speak of where nobody said which one a connection is to.
//!
//! The check of a connection learns an instance id. That it is the id by which payloads name their collection is not
//! documented, so a notification is not refused for it: where the two differ, that is said (`attention`), and who knows
//! better sets `collection_id`, by which others are quarantined. Kept in memory alone: the next notification says it again.

use super::Directory;
use crate::{azure::envelope::Envelope, domain::ConnectionId};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use uuid::Uuid;

/// How long it is said after the last such notification.
const SAID_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The notes, one of each connection, of which there are at most [`super::connections::CONNECTIONS_MAX`].
#[derive(Debug, Default)]
pub struct Collections(Mutex<BTreeMap<ConnectionId, Foreign>>);

/// A collection that is not the one which the check of the connection found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The collection that the check found.
    pub ours: Uuid,
    /// The collection that the last notification of that kind spoke of.
    pub theirs: Uuid,
    /// How many there were since the gateway started.
    pub count: u64,
    /// When the last one came.
    pub at: Timestamp,
}

impl Collections {
    /// Notes what an authentic notification speaks of; `known` says whether a subscription is one that we made ourselves.
    pub fn note(
        &self,
        directory: &Directory,
        id: ConnectionId,
        envelope: &Envelope<'_>,
        known: impl Fn(&str) -> bool,
        now: Timestamp,
    ) {
        let Some(ours) = learnt(directory, id) else { return };
        let Some(theirs) = envelope.collection_id.as_deref().and_then(|text| Uuid::parse_str(text).ok()) else {
            return;
        };
        if ours == theirs
            || theirs.is_nil()
            || envelope.is_test()
            || envelope.subscription_id.as_deref().is_some_and(known)
        {
            return;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|id, _| directory.connections.contains_key(id));
        let count = noted.get(&id).map_or(0, |before| before.count).saturating_add(1);
        noted.insert(id, Foreign { ours, theirs, count, at: now });
    }

    /// The notes that are worth saying now: recent ones, of connections as they are.
    pub fn said(&self, directory: &Directory, now: Timestamp) -> Vec<(ConnectionId, Foreign)> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = |id: ConnectionId, foreign: &Foreign| {
            learnt(directory, id) == Some(foreign.ours) && now.duration_since(foreign.at) < SAID_FOR
        };
        noted.iter().filter(|(id, foreign)| holds(**id, foreign)).map(|(id, foreign)| (*id, *foreign)).collect()
    }
}

/// The collection that the check of a connection found, where nobody typed which one it is to.
fn learnt(directory: &Directory, id: ConnectionId) -> Option<Uuid> {
    let kept = directory.connections.get(&id)?;
    if kept.record.collection_id.is_some() {
        return None;
    }
    directory.health.get(&id)?.record.instance_id.filter(|instance| !instance.is_nil())
}
