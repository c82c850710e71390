//! The events of one thing.

use super::{THING_EVENTS_MAX, follow::catch_up, thing::Thing, walk::at};
use crate::{app::App, event::Event, store::Error};
use jiff::Timestamp;

/// The events of a thing that are kept.
#[derive(Debug, Default)]
pub struct Events {
    /// The newest first, not all of a thing that has very many.
    pub events: Vec<Event>,
    /// Events that were recorded before this may be kept and not remembered.
    pub since: Option<Timestamp>,
}

/// The events of a thing, as the log has them now.
///
/// # Errors
/// The store's.
pub async fn events(app: &App, thing: &Thing) -> Result<Events, Error> {
    while !catch_up(app).await? {}
    let (positions, forgotten) = {
        let index = app.relations.index();
        (index.events(thing.key()).take(THING_EVENTS_MAX).collect::<Vec<_>>(), index.forgotten())
    };
    let mut found = Events::default();
    for position in positions {
        // The record may have been trimmed since.
        let Some(record) = at(app, position).await? else { continue };
        found.events.extend(Event::from_stored(record.key, &record.body));
    }
    if forgotten > app.store.trimmed(crate::store::Log::Events) {
        found.since = at(app, forgotten).await?.map(|record| record.time);
    }
    Ok(found)
}
