//! Reading the events log: filters, bounded pages, waiting for more.

use super::App;
use crate::{
    domain::{ConnectionId, Slug, TypePattern},
    event::{Event, Header},
    store::{Damage, Error, Log, PAGE_RECORDS_MAX, PageLimit, Position},
};
use jiff::Timestamp;
use std::time::Duration;

/// Most records that one request looks at: a filter that matches nothing must not read the whole log in one go.
pub const SCANNED_RECORDS_MAX: usize = 10_000;
/// Most stretches of damage on one page.
pub const LEFT_OUT_MAX: usize = 1_000;
/// Bytes of events on one page; the event that reaches it is the last.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// Which events are wanted; everything that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One of these types; none means all.
    pub types: Vec<TypePattern>,
    /// Of this project.
    pub project: Option<Slug>,
    /// From this connection.
    pub connection: Option<ConnectionId>,
}

impl Filter {
    fn wants(&self, header: &Header) -> bool {
        (self.types.is_empty() || self.types.iter().any(|pattern| pattern.matches(&header.kind)))
            && self.project.as_ref().is_none_or(|project| header.projects.contains(project))
            && self.connection.is_none_or(|connection| header.connection == connection)
    }
}

/// An event with its place, as the bytes that are handed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Its place in the log.
    pub position: Position,
    /// The `CloudEvent`.
    pub json: Vec<u8>,
}

/// A stretch of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The wanted ones in it, oldest first.
    pub events: Vec<Served>,
    /// Everything up to here was looked at.
    pub reached: Position,
    /// Whether the log ended here when it was read.
    pub at_end: bool,
    /// The records of this stretch that cannot be read any more.
    pub left_out: Vec<Damage>,
}

/// How much a page may have: whichever is reached first, but always at least one event where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Most events.
    pub events_max: usize,
    /// The event that reaches this many bytes is the last.
    pub bytes_max: usize,
}

/// The wanted events after a position within the limit, having looked at no more than [`SCANNED_RECORDS_MAX`].
pub async fn page(app: &App, filter: &Filter, after: Position, limit: Limit) -> Result<Page, Error> {
    let mut page = Page { events: Vec::new(), reached: after, at_end: false, left_out: Vec::new() };
    let (mut scanned, mut bytes) = (0, 0);
    while scanned < SCANNED_RECORDS_MAX {
        // Without a filter every record counts, so no more is read than is wanted.
        let wanted = if *filter == Filter::default() { limit.events_max - page.events.len() } else { PAGE_RECORDS_MAX };
        let read =
            PageLimit { records_max: wanted.min(SCANNED_RECORDS_MAX - scanned), body_bytes_max: limit.bytes_max };
        let records = app.store.read(Log::Events, page.reached, read).await?;
        let end = records.end;
        if end == page.reached {
            page.at_end = true;
            break;
        }
        let left_out = records.left_out.clone();
        for record in records {
            scanned += 1;
            page.reached = record.position;
            let Some(event) = Event::from_stored(record.key, &record.body) else {
                return Err(Error::Corrupt { what: format!("event {} at {}", record.key, record.position) });
            };
            if filter.wants(&event.header) {
                let json = event.served(record.position.0, record.time);
                bytes += json.len();
                page.events.push(Served { position: record.position, json });
            }
            if page.events.len() >= limit.events_max || bytes >= limit.bytes_max {
                page.left_out.extend(left_out.into_iter().filter(|damage| damage.last < page.reached));
                return Ok(page);
            }
        }
        (page.reached, scanned) = (end, scanned + left_out.len());
        page.left_out.extend(left_out);
        if page.left_out.len() >= LEFT_OUT_MAX {
            break;
        }
    }
    Ok(page)
}

/// Like [`page`], but at the end of the log it waits up to `wait` for a wanted event to be appended.
pub async fn page_or_wait(
    app: &App,
    filter: &Filter,
    after: Position,
    limit: Limit,
    wait: Duration,
) -> Result<Page, Error> {
    let mut stopping = app.stopping();
    let mut tail = app.store.tail(Log::Events);
    let patience = app.clock.sleep(wait);
    tokio::pin!(patience);
    let mut after = after;
    loop {
        // Marked as seen before reading: what is appended in between wakes us again.
        tail.borrow_and_update();
        let page = page(app, filter, after, limit).await?;
        if !page.events.is_empty() || !page.left_out.is_empty() || !page.at_end || wait.is_zero() {
            return Ok(page);
        }
        after = page.reached;
        tokio::select! {
            changed = tail.changed() => if changed.is_err() { return Ok(page) },
            () = &mut patience => return Ok(page),
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(page),
        }
    }
}

/// The place before the first event that was recorded at this time or later. Times grow with places but for a clock that
/// was set back, and then the place is near.
pub async fn before(app: &App, time: Timestamp) -> Result<Position, Error> {
    let (mut low, mut high) = (app.store.trimmed(Log::Events).0, app.store.tail(Log::Events).borrow().0);
    let one = PageLimit { records_max: 1, body_bytes_max: 1 };
    while low < high {
        let middle = low + (high - low) / 2;
        let record = app.store.read(Log::Events, Position(middle), one).await?;
        match record.first() {
            Some(record) if record.time < time => low = record.position.0,
            _ => high = middle,
        }
    }
    Ok(Position(low))
}
