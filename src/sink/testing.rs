//! Events for the tests of engines.

use super::Outgoing;
use crate::domain::ConnectionId;
use uuid::Uuid;

/// A small event that says its position.
pub(super) fn outgoing(position: u64) -> Outgoing {
    Outgoing {
        id: Uuid::from_u128(position.into()),
        position,
        kind: "dev.cdevents.service.deployed.0.3.0".to_owned(),
        projects: vec!["shop".parse().expect("it is a slug")],
        connection: ConnectionId(Uuid::from_u128(7)),
        time: jiff::Timestamp::UNIX_EPOCH,
        entity: "storefront".to_owned(),
        json: format!("{{\"position\":{position},\"text\":\"an event of some bytes, as events are\"}}").into(),
    }
}
