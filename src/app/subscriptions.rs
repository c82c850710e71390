//! The records of subscriptions: kept, and read together with what arrived.

use super::{
    App,
    change::{Refusal, put},
    directory::Kept,
    kind,
};
use crate::{
    domain::{ConnectionId, Subscription, SubscriptionState},
    intake::MANUAL_SUBSCRIPTION_KEY,
    store::{Change, Expected},
};
use jiff::Timestamp;

/// Most subscriptions of one connection.
pub const SUBSCRIPTIONS_MAX: usize = 5_000;
/// Most subscriptions of one gateway.
const SUBSCRIPTIONS_OF_ALL_MAX: usize = 20_000;

/// Writes records of one connection, each at the version it was read at (0 for a new one), and takes away others, all or
/// nothing; answers the new versions.
///
/// # Errors
/// [`Refusal::NotFound`] when the connection is gone: nothing of it is written any more.
pub async fn keep(
    app: &App,
    connection: ConnectionId,
    records: &[Kept<Subscription>],
    gone: &[Kept<Subscription>],
) -> Result<Vec<u64>, Refusal> {
    let _changing = app.changing.lock().await;
    let directory = app.directory();
    if !directory.connections.contains_key(&connection) {
        return Err(Refusal::NotFound("connection"));
    }
    let new = records.iter().filter(|kept| kept.version == 0).count();
    if directory.subscriptions_len() + new > SUBSCRIPTIONS_OF_ALL_MAX {
        return Err(Refusal::Full { what: "subscriptions", max: SUBSCRIPTIONS_OF_ALL_MAX });
    }
    let expected = |version| if version == 0 { Expected::Absent } else { Expected::Version(version) };
    let written =
        records.iter().map(|kept| put(kind::SUBSCRIPTION, &kept.record.id(), expected(kept.version), &kept.record));
    let mut versions = app.change(written.chain(gone.iter().map(removal)).collect()).await?;
    versions.truncate(records.len());
    Ok(versions)
}

/// The change that takes a record away.
pub(super) fn removal(kept: &Kept<Subscription>) -> Change {
    super::change::delete(kind::SUBSCRIPTION, &kept.record.id(), kept.version)
}

/// When a notification of it last arrived here.
pub fn last_arrival(app: &App, record: &Subscription) -> Option<Timestamp> {
    let last = |key: &str| app.arrivals.last(record.connection, key, &record.spec.event_type, record.spec.reason);
    let by_hand = matches!(record.state, SubscriptionState::ManualExpected | SubscriptionState::ManualReceiving);
    // A hook made by hand has one user name for all: what arrives tells its event type and its reason, not its filters.
    let manual = by_hand.then(|| last(MANUAL_SUBSCRIPTION_KEY)).flatten();
    [record.last_arrival, last(record.key.as_str()), manual].into_iter().flatten().max()
}

/// How it is, with what has arrived since it was written down.
pub fn state(app: &App, record: &Subscription) -> SubscriptionState {
    match record.state {
        SubscriptionState::ManualExpected if last_arrival(app, record).is_some() => SubscriptionState::ManualReceiving,
        state => state,
    }
}
