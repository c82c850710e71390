//! Translating again what is kept, with today's mapping, settings and bindings.
//!
//! What says the same has the same id and is left alone, so nothing is doubled, and a replay that is repeated appends
//! nothing. What says something else is appended as a new revision: an event of its own, under an id that is made of the
//! first one's and a number, which says which event it replaces. Those before it stay as they were: they were handed on.
//!
//! Everything that an event says counts, the projects that it belongs to included, but for ids and the number of the
//! mapping. A fact belongs to the notification that told it first: others that told it too say the same of the fact and
//! something else of themselves, and are left alone. What today's mapping does not tell any more stays; only where it is
//! known to have been told otherwise (a work item that was closed or only changed, by the settings) is it replaced.

mod difference;

use super::{
    App,
    attention::translator,
    events::SCANNED_RECORDS_MAX,
    notifications::{self, Seen},
    otherwise::otherwise,
    revisions::{latest, read},
};
use crate::{
    domain::{ConnectionId, Disposition, Notification, NotificationId},
    event::Event,
    relations,
    store::{Appended, Entry, Error, Log, PageLimit, Position},
    translate::{
        order::otherwise_told,
        push::Push,
        request, revision_id,
        step::{self, Requests},
        union::{again, is_told_in_parts},
    },
};
use jiff::Timestamp;
use std::time::Duration;
use uuid::Uuid;

/// The journal's times are in order but for what was under way at once.
const SLACK: Duration = Duration::from_mins(5);
/// Bytes of bodies per read of the store.
const READ_BYTES_MAX: usize = 4 << 20;

/// What became of an event that is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// There was none.
    New,
    /// It says the same.
    Unchanged,
    /// It says something else, at these JSON pointers: a new revision.
    Changed(Vec<String>),
    /// The fact belongs to another notification, which told it first; at these JSON pointers it told it otherwise. Two event
    /// types tell one fact in words of their own, so a difference alone is no reason to disbelieve either.
    ToldByAnother(NotificationId, Vec<String>),
}

/// One event that is told again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its id: of the revision, where there is a new one.
    pub id: Uuid,
    /// Its type.
    pub kind: String,
    /// What became of it.
    pub became: Became,
    /// The event that it replaces.
    pub replaces: Option<Uuid>,
}

/// A notification that was translated again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Which.
    pub notification: NotificationId,
    /// Its events.
    pub events: Vec<Told>,
    /// Why nothing comes of it, where that is so.
    pub nothing: Option<String>,
}

/// Which notifications are translated again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Received from this time on.
    pub from: Timestamp,
    /// And before this one.
    pub to: Timestamp,
    /// Through this connection.
    pub connection: Option<ConnectionId>,
    /// Whether nothing is appended.
    pub dry_run: bool,
}

/// A stretch of the journal that was translated again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The wanted ones in it, oldest first.
    pub replayed: Vec<Replayed>,
    /// Where to go on; `None` at the end.
    pub next: Option<Position>,
}

/// Translates one notification again; `None` when it is not kept.
///
/// # Errors
/// The store's; what was appended until then is found to be there the next time.
pub async fn replay(app: &App, id: NotificationId, dry_run: bool) -> Result<Option<Replayed>, Error> {
    let Some(seen) = notifications::find(app, id).await? else { return Ok(None) };
    Ok(Some(one(app, &seen.notification, seen.settled, dry_run).await?))
}

/// The events that one notification tells, without appending anything.
///
/// # Errors
/// The store's.
pub async fn seen(app: &App, seen: &Seen) -> Result<Replayed, Error> {
    one(app, &seen.notification, seen.settled, true).await
}

/// Translates the next of those that are asked for again, at most `limit` of them.
///
/// # Errors
/// The store's.
pub async fn page(app: &App, asked: &Asked, after: Option<Position>, limit: usize) -> Result<Page, Error> {
    let mut reached = match after {
        Some(after) => after,
        None => before(app, asked.from.checked_sub(SLACK).unwrap_or(Timestamp::MIN)).await?,
    };
    let settled_to = app.store.cursor(&translator()).await?;
    let until = asked.to.checked_add(SLACK).unwrap_or(Timestamp::MAX);
    let (mut replayed, mut scanned) = (Vec::new(), 0);
    while replayed.len() < limit && scanned < SCANNED_RECORDS_MAX {
        let read = PageLimit { records_max: limit - replayed.len(), body_bytes_max: READ_BYTES_MAX };
        let records = app.store.read(Log::Notifications, reached, read).await?;
        let end = records.end;
        if end == reached {
            return Ok(Page { replayed, next: None });
        }
        for record in records {
            if record.time >= until {
                return Ok(Page { replayed, next: None });
            }
            (reached, scanned) = (record.position, scanned + 1);
            let id = NotificationId(record.key);
            let notification = Notification::from_stored(id, &record.body)
                .ok_or_else(|| Error::Corrupt { what: format!("notification {id} at {reached}") })?;
            let is_wanted = (asked.from..asked.to).contains(&notification.received_at)
                && asked.connection.is_none_or(|connection| connection == notification.connection);
            if is_wanted {
                replayed.push(one(app, &notification, reached <= settled_to, asked.dry_run).await?);
            }
        }
        reached = end;
    }
    Ok(Page { replayed, next: Some(reached) })
}

/// The last position whose record is older than this, found by halving.
async fn before(app: &App, time: Timestamp) -> Result<Position, Error> {
    let (mut low, mut high) = (app.store.trimmed(Log::Notifications).0, app.store.tail(Log::Notifications).borrow().0);
    while low < high {
        let middle = low + (high - low) / 2;
        let one = PageLimit { records_max: 1, body_bytes_max: 1 };
        match app.store.read(Log::Notifications, Position(middle), one).await?.first() {
            Some(record) if record.time < time => low = record.position.0,
            _ => high = middle,
        }
    }
    Ok(Position(low))
}

async fn one(app: &App, notification: &Notification, is_settled: bool, dry_run: bool) -> Result<Replayed, Error> {
    let nothing = |why: String| Replayed { notification: notification.id, events: Vec::new(), nothing: Some(why) };
    match &notification.disposition {
        Disposition::Accepted => {}
        Disposition::Test => return Ok(nothing("it is the sample of the Test button, which is no event".to_owned())),
        Disposition::Quarantined { detail, .. } => return Ok(nothing(format!("it is in quarantine: {detail}"))),
    }
    if !is_settled || app.order.is_held(notification.id) {
        return Ok(nothing("it was not translated for the first time yet".to_owned()));
    }
    let events = match step::again(app, notification).await {
        Ok(events) => events,
        Err(why) => return Ok(nothing(why)),
    };
    let today: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    // A read of the log under the lock would keep the translation waiting.
    while events.iter().any(|event| request::seen(event).is_some()) && !relations::catch_up(app).await? {}
    let _alone = app.telling.lock().await;
    let mut told = Vec::new();
    for event in events {
        let (told_again, append) = weigh(app, event, &today).await?;
        told.push(told_again);
        if let Some(event) = append.filter(|_| !dry_run) {
            let entry = Entry { key: event.id, time: app.clock.now(), body: event.to_stored() };
            if let Appended::New(_) = app.store.append(Log::Events, entry).await? {
                app.metrics.events.inc();
            }
        }
    }
    // Nobody tells them anew: whether a push was a direct one was decided once.
    for event in step::direct(app, notification).unwrap_or_default() {
        if app.store.contains(Log::Events, &[event.id]).await?.contains(&true) {
            told.push(Told { id: event.id, kind: event.header.kind, became: Became::Unchanged, replaces: None });
        }
    }
    Ok(Replayed { notification: notification.id, events: told, nothing: None })
}

/// What becomes of an event, and what is appended for it; `today` is everything that its notification tells today.
async fn weigh(app: &App, event: Event, today: &[Uuid]) -> Result<(Told, Option<Event>), Error> {
    let (kind, mine) = (event.header.kind.clone(), event.header.notification);
    let told = |id, became, replaces| Told { id, kind: kind.clone(), became, replaces };
    let event = match fact(app, &event).await? {
        Some(fact) if fact != event.id => event.under(fact),
        _ => event,
    };
    let fact = event.id;
    let kept = latest(app, fact).await?;
    if let Some((number, kept, _)) = kept.as_ref().filter(|(_, kept, _)| kept.header.notification != mine) {
        // This one told it all the same, though another notification completed it later.
        if let Some(own) = telling_of(app, fact, *number, mine).await? {
            return Ok((told(own, Became::Unchanged, None), None));
        }
        let pointers = difference::between(&kept.json, &event.json);
        return Ok((told(fact, Became::ToldByAnother(kept.header.notification, pointers), None), None));
    }
    // Members that another telling knew stay.
    let event = match &kept {
        Some((_, kept, _)) if is_together(kept) => match again(fact, kept, event) {
            Some(event) => event,
            None => return Ok((told(kept.id, Became::Unchanged, None), None)),
        },
        _ => event,
    };
    // What the same notification told of it otherwise, if that is the last that was said.
    let mut other: Option<(Position, Event)> = None;
    for id in otherwise_told(&event).into_iter().filter(|id| !today.contains(id)) {
        let Some((_, found, position)) = latest(app, id).await? else { continue };
        let is_last = other.as_ref().is_none_or(|(last, _)| *last < position)
            && kept.as_ref().is_none_or(|(.., kept)| *kept < position);
        if found.header.notification == mine && is_last {
            other = Some((position, found));
        } else if kept.is_none() && otherwise(&*app.store, &event).await?.is_some_and(|own| own.key == id) {
            let pointers = difference::between(&found.json, &event.json);
            return Ok((told(id, Became::ToldByAnother(found.header.notification, pointers), None), None));
        }
    }
    let (replaced, pointers) = match (&other, &kept) {
        (Some((_, other)), _) => (Some(other.id), difference::between(&other.json, &event.json)),
        (None, Some((_, kept, _))) => (Some(kept.id), difference::between(&kept.json, &event.json)),
        (None, None) => (None, Vec::new()),
    };
    let Some(replaced) = replaced else { return Ok((told(fact, Became::New, None), Some(event))) };
    if other.is_none() && pointers.is_empty() {
        // Of a fact that is told in parts, this is the telling that came of it.
        let own = kept.as_ref().filter(|(_, kept, _)| is_together(kept)).map_or(fact, |(_, kept, _)| kept.id);
        return Ok((told(own, Became::Unchanged, None), None));
    }
    let id = kept.map_or(fact, |(number, ..)| revision_id(fact, number.saturating_add(1)));
    Ok((told(id, Became::Changed(pointers), Some(replaced)), Some(event.replacing(id, replaced, fact))))
}

/// Under which id the log tells an act of a pull request: as whatever, by whichever notification.
async fn fact(app: &App, event: &Event) -> Result<Option<Uuid>, Error> {
    let Some(act) = request::seen(event) else { return Ok(None) };
    let mut requests = Requests::new(app);
    if let Some((told, _)) = requests.telling(&act).await? {
        return Ok(Some(told.fact()));
    }
    // Of a push that a record told, the time that its head came for may have become another one since it was composed.
    let Some(push) = Push::of(&act).filter(Push::is_composed) else { return Ok(None) };
    let visits = requests.visits(&act).await?;
    let told = visits.iter().filter_map(|visit| Push::of(&visit.seen)).find(|told| push.is(told, &[]));
    Ok(told.map(|told| told.id))
}

/// Whether what is kept of a fact may be the word of several tellings.
fn is_together(kept: &Event) -> bool {
    is_told_in_parts(&kept.header.kind) || !kept.header.filled.is_empty()
}

/// The last telling of the fact that came of this notification; those before `number` are looked at.
async fn telling_of(app: &App, fact: Uuid, number: u32, mine: NotificationId) -> Result<Option<Uuid>, Error> {
    for number in (0..number).rev() {
        let id = if number == 0 { fact } else { revision_id(fact, number) };
        let Some(record) = app.store.find(Log::Events, id).await? else { continue };
        if read(&record)?.0.header.notification == mine {
            return Ok(Some(id));
        }
    }
    Ok(None)
}
