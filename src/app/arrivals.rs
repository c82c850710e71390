//! When notifications last arrived, so that a subscription's health can be told from our side too.

use crate::domain::{ConnectionId, UpdateReason};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
};

/// Most places that are remembered.
const PLACES_MAX: usize = 50_000;

/// The last arrival of each place: connection, subscription key, event type, reason. In memory only; the reconciler
/// writes it down now and then.
///
/// Kept under hashes, so that a delivery allocates nothing here. Two places with one hash would show each other's time,
/// which with 64 bits nobody will live to see.
#[derive(Debug, Default)]
pub struct Arrivals {
    hasher: RandomState,
    milliseconds: RwLock<HashMap<u64, AtomicI64>>,
}

impl Arrivals {
    /// Notes an arrival. The lock is shared but for the first one of a place.
    pub fn saw(
        &self,
        connection: ConnectionId,
        key: &str,
        event_type: Option<&str>,
        reason: Option<UpdateReason>,
        at: Timestamp,
    ) {
        let event_type = event_type.unwrap_or_default();
        let (place, at) = (self.place(connection, key, event_type, reason), at.as_millisecond());
        if let Some(last) = self.milliseconds.read().unwrap_or_else(PoisonError::into_inner).get(&place) {
            last.fetch_max(at, Ordering::Relaxed);
            return;
        }
        let mut milliseconds = self.milliseconds.write().unwrap_or_else(PoisonError::into_inner);
        if milliseconds.len() >= PLACES_MAX {
            // Unknown event types are the only way to get here. What is ours comes again with its next delivery.
            milliseconds.clear();
        }
        milliseconds.entry(place).or_default().fetch_max(at, Ordering::Relaxed);
    }

    /// The last one since the process began.
    pub fn last(
        &self,
        connection: ConnectionId,
        key: &str,
        event_type: &str,
        reason: Option<UpdateReason>,
    ) -> Option<Timestamp> {
        let place = self.place(connection, key, event_type, reason);
        let milliseconds = self.milliseconds.read().unwrap_or_else(PoisonError::into_inner);
        let last = milliseconds.get(&place)?.load(Ordering::Relaxed);
        Timestamp::from_millisecond(last).ok()
    }

    fn place(&self, connection: ConnectionId, key: &str, event_type: &str, reason: Option<UpdateReason>) -> u64 {
        self.hasher.hash_one((connection, key, event_type, reason.map(UpdateReason::word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_arrival_of_each_place_is_known() {
        let (arrivals, connection) = (Arrivals::default(), ConnectionId::random());
        let at = |second| Timestamp::from_second(second).unwrap();
        let saw = |reason, second| arrivals.saw(connection, "manual", Some("git.push"), reason, at(second));
        let last = |key, kind, reason| arrivals.last(connection, key, kind, reason);
        assert_eq!(last("manual", "git.push", None), None);
        saw(None, 20);
        saw(None, 10);
        saw(Some(UpdateReason::PushNotification), 30);
        assert_eq!(last("manual", "git.push", None), Some(at(20)), "an older one does not count");
        assert_eq!(last("manual", "git.push", Some(UpdateReason::PushNotification)), Some(at(30)));
        assert_eq!(last("manual", "git.pull", None), None);
        assert_eq!(last("other", "git.push", None), None);
        assert_eq!(arrivals.last(ConnectionId::random(), "manual", "git.push", None), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (arrivals, connection) = (Arrivals::default(), ConnectionId::random());
        for n in 0..=PLACES_MAX {
            arrivals.saw(connection, "manual", Some(&n.to_string()), None, Timestamp::UNIX_EPOCH);
        }
        assert_eq!(arrivals.milliseconds.read().unwrap().len(), 1);
    }
}
