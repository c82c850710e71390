//! Reading the notifications log, with what became of each.

use super::{
    App,
    attention::translator,
    events::{LEFT_OUT_MAX, SCANNED_RECORDS_MAX},
};
use crate::{
    domain::{ConnectionId, Disposition, Notification, NotificationId},
    store::{Damage, Error, Log, PAGE_RECORDS_MAX, PageLimit, Position},
};
use std::collections::BTreeMap;

/// Bytes of bodies per read of the store: a list shows none of them, so they are only passed through.
const READ_BYTES_MAX: usize = 4 << 20;

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is or will be translated.
    Accepted,
    /// The Test button's sample.
    Test,
    /// Kept for the operator, never an event.
    Quarantined,
    /// Its translation was given up.
    Dead,
}

/// A notification with its place and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Itself.
    pub notification: Notification,
    /// Whether the translation is through with it.
    pub settled: bool,
    /// Why the translation was given up, if it was.
    pub dead: Option<String>,
}

impl Seen {
    /// What became of it.
    pub fn state(&self) -> State {
        match (&self.dead, &self.notification.disposition) {
            (Some(_), _) => State::Dead,
            (None, Disposition::Accepted) => State::Accepted,
            (None, Disposition::Test) => State::Test,
            (None, Disposition::Quarantined { .. }) => State::Quarantined,
        }
    }
}

/// Which notifications are wanted; everything that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Through this connection.
    pub connection: Option<ConnectionId>,
    /// Of this event type.
    pub event_type: Option<String>,
}

impl Filter {
    fn wants(&self, seen: &Seen) -> bool {
        self.state.is_none_or(|state| seen.state() == state)
            && self.connection.is_none_or(|connection| seen.notification.connection == connection)
            && self.event_type.as_ref().is_none_or(|wanted| seen.notification.event_type.as_ref() == Some(wanted))
    }
}

/// A stretch of the log.
#[derive(Debug)]
pub struct Page {
    /// The wanted ones in it, oldest first.
    pub seen: Vec<Seen>,
    /// Everything up to here was looked at.
    pub reached: Position,
    /// The records of this stretch that cannot be read any more.
    pub left_out: Vec<Damage>,
}

/// At most `limit` of the wanted ones after a position, oldest first, and how far was looked.
pub async fn page(app: &App, filter: &Filter, after: Position, limit: usize) -> Result<Page, Error> {
    let (mut wanted, mut left_out, mut reached, mut scanned) = (Vec::new(), Vec::new(), after, 0);
    let settled_to = app.store.cursor(&translator()).await?;
    while scanned < SCANNED_RECORDS_MAX {
        let read = PageLimit { records_max: PAGE_RECORDS_MAX, body_bytes_max: READ_BYTES_MAX };
        let records = app.store.read(Log::Notifications, reached, read).await?;
        let (end, damage) = (records.end, records.left_out.clone());
        if end == reached {
            break;
        }
        // As many as there can be among these records.
        let dead = app.store.dead(&translator(), reached, records.len()).await?;
        let mut dead: BTreeMap<Position, String> = dead.into_iter().map(|dead| (dead.position, dead.reason)).collect();
        for record in records {
            scanned += 1;
            reached = record.position;
            let id = NotificationId(record.key);
            let mut notification = Notification::from_stored(id, &record.body)
                .ok_or_else(|| Error::Corrupt { what: format!("notification {id} at {reached}") })?;
            // A list must not hold on to bodies of megabytes.
            notification.body = bytes::Bytes::new();
            let settled = reached <= settled_to && !app.order.is_held(id);
            let seen = Seen { notification, settled, dead: dead.remove(&reached) };
            if filter.wants(&seen) {
                wanted.push(seen);
            }
            if wanted.len() >= limit {
                left_out.extend(damage.into_iter().filter(|damage| damage.last < reached));
                return Ok(Page { seen: wanted, reached, left_out });
            }
        }
        (reached, scanned) = (end, scanned + damage.len());
        left_out.extend(damage);
        if left_out.len() >= LEFT_OUT_MAX {
            break;
        }
    }
    Ok(Page { seen: wanted, reached, left_out })
}

/// The notification with this id, with its body.
pub async fn find(app: &App, id: NotificationId) -> Result<Option<Seen>, Error> {
    let Some(record) = app.store.find(Log::Notifications, id.0).await? else { return Ok(None) };
    let notification = Notification::from_stored(id, &record.body)
        .ok_or_else(|| Error::Corrupt { what: format!("notification {id} at {}", record.position) })?;
    let before = Position(record.position.0.saturating_sub(1));
    let dead = app.store.dead(&translator(), before, 1).await?;
    let dead = dead.into_iter().find(|dead| dead.position == record.position).map(|dead| dead.reason);
    let settled = record.position <= app.store.cursor(&translator()).await? && !app.order.is_held(id);
    Ok(Some(Seen { notification, settled, dead }))
}
