//! The revisions of a fact that the log has.

use super::App;
use crate::{
    event::Event,
    store::{Error, Log, Position, Record},
    translate::revision_id,
};
use uuid::Uuid;

/// Revisions of one event; no settings are changed so often.
const REVISIONS_MAX: u32 = 1_000;
/// Revisions that are looked for at once.
const PROBED: u32 = 8;

/// The last revision of a fact that is kept, with its number: 0 is the event itself.
pub(crate) async fn latest(app: &App, fact: Uuid) -> Result<Option<(u32, Event, Position)>, Error> {
    let Some(first) = app.store.find(Log::Events, fact).await? else { return Ok(None) };
    let (mut number, mut id) = (0, fact);
    while number < REVISIONS_MAX {
        let next: Vec<Uuid> = (number + 1..=number + PROBED).map(|number| revision_id(fact, number)).collect();
        let kept = app.store.contains(Log::Events, &next).await?;
        let found = kept.iter().take_while(|is_kept| **is_kept).count();
        if let Some(last) = found.checked_sub(1) {
            (number, id) = (number + u32::try_from(found).unwrap_or(PROBED), next[last]);
        }
        if found < next.len() {
            break;
        }
    }
    let record = if number == 0 { Some(first) } else { app.store.find(Log::Events, id).await? };
    Ok(record.map(|record| read(&record)).transpose()?.map(|(event, position)| (number, event, position)))
}

/// An event of a record.
///
/// # Errors
/// `Corrupt` where the record is none.
pub(super) fn read(record: &Record) -> Result<(Event, Position), Error> {
    let event = Event::from_stored(record.key, &record.body)
        .ok_or_else(|| Error::Corrupt { what: format!("event {} at {}", record.key, record.position) })?;
    Ok((event, record.position))
}
