//! From an event to those that it belongs together with.

use super::{
    follow::catch_up,
    index::Cut,
    thing::{self, Thing},
    told::Told,
};
use crate::{
    app::App,
    event::Event,
    store::{Error, Log, PageLimit, Position, Record},
};
use jiff::Timestamp;
use uuid::Uuid;

const ONE: PageLimit = PageLimit { records_max: 1, body_bytes_max: 1 };

/// An event that belongs together with another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// Its id.
    pub id: Uuid,
    /// Its type, with version.
    pub kind: String,
    /// Where it happened.
    pub source: String,
    /// To whom.
    pub subject: String,
    /// When, as it says.
    pub time: String,
    /// Its place in the log.
    pub position: Position,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// How many things lie between.
    pub distance: usize,
    /// The domain id of the last of them.
    pub through: String,
}

/// What belongs together with an event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Related {
    /// Nearer ones first, and of as near ones the newer.
    pub events: Vec<Near>,
    /// What was not gone into.
    pub cut: Cut,
    /// Whether newer events were not looked at yet.
    pub is_behind: bool,
    /// Whether events are kept that are too many to be remembered here.
    pub is_forgetful: bool,
}

/// What belongs together with the event of this id; `None` if there is no such event.
pub async fn related(app: &App, id: Uuid, depth: usize, limit: usize) -> Result<Option<Related>, Error> {
    let Some(record) = app.store.find(Log::Events, id).await? else { return Ok(None) };
    let is_behind = !catch_up(app).await?;
    let things: Vec<_> = read(&record, thing::things).iter().map(Thing::key).collect();
    let (steps, cut, forgotten) = {
        let index = app.relations.index();
        let (steps, cut) = index.walk(record.position, &things, depth, limit);
        (steps, cut, index.forgotten())
    };
    let is_forgetful = forgotten > app.store.trimmed(Log::Events);
    let mut related = Related { events: Vec::with_capacity(steps.len()), cut, is_behind, is_forgetful };
    for step in steps {
        // It may have been trimmed since.
        let Some(record) = at(app, step.position).await? else { continue };
        let near = read(&record, |told| {
            let through = thing::things(told).into_iter().find(|thing| thing.key() == step.through)?;
            Some(Near {
                id: record.key,
                kind: told.kind.to_string(),
                source: told.source.to_string(),
                subject: told.subject.to_string(),
                time: told.time.to_string(),
                position: record.position,
                recorded: record.time,
                distance: step.distance,
                through: through.as_str().to_owned(),
            })
        });
        related.events.extend(near);
    }
    Ok(Some(related))
}

/// What is at a place of the log.
pub(super) async fn at(app: &App, position: Position) -> Result<Option<Record>, Error> {
    let read = app.store.read(Log::Events, Position(position.0.saturating_sub(1)), ONE).await?;
    Ok(read.into_iter().next().filter(|record| record.position == position))
}

/// What is read of an event.
pub(super) fn read<T: Default>(record: &Record, of: impl FnOnce(&Told<'_>) -> T) -> T {
    Event::from_stored(record.key, &record.body).map(|event| of(&Told::read(&event.json))).unwrap_or_default()
}
