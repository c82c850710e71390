//! Sending events to a sink once more: by event, not by delivery, so that it works for what was never attempted too.

use super::find;
use crate::{
    app::{App, change::Refusal},
    dispatch::{self, ATTEMPTS_PER_RUN, AttemptRecord},
    domain::{Sink, SinkId},
    store::{Error, Log, PAGE_RECORDS_MAX, PageLimit, Position, Record},
};
use uuid::Uuid;

/// Most events that one replay looks at.
pub const REPLAY_EVENTS_MAX: usize = 10_000;

/// What is sent once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// This event.
    Event(Uuid),
    /// Everything after the first and up to the second place that the filter wants.
    Range(Position, Position),
    /// Everything that was given up and is kept.
    Dead,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// So many events wait once more.
    pub count: usize,
    /// There is more after this place.
    pub next: Option<Position>,
}

/// Lets events wait to be sent once more. What the sink has yet to get, and what waits already, is left as it is.
pub async fn replay(app: &App, id: SinkId, what: Replay) -> Result<Replayed, Refusal> {
    let sink = find(&app.directory(), id)?.record;
    let (records, next) = match what {
        Replay::Event(event) => {
            let record = app.store.find(Log::Events, event).await?.ok_or(Refusal::NotFound("event"))?;
            if let Some(unwanted) = dispatch::event(&record).and_then(|event| dispatch::unwanted(&sink, &event)) {
                return Err(Refusal::Contradicts(format!("the sink does not want this event: {}", unwanted.words())));
            }
            (vec![record], None)
        }
        Replay::Range(after, until) => range(app, &sink, after, until).await?,
        Replay::Dead => dead(app, &sink).await?,
    };
    let mut positions = Vec::with_capacity(records.len());
    for record in records {
        positions.push((record.position, next_run(app, id, record.key).await?));
    }
    let count = app.store.again(&dispatch::consumer(id), positions, app.clock.now()).await?;
    app.dispatch.requeued(id);
    Ok(Replayed { count, next })
}

async fn range(
    app: &App,
    sink: &Sink,
    after: Position,
    until: Position,
) -> Result<(Vec<Record>, Option<Position>), Error> {
    let (mut after, mut looked_at, mut wanted) = (after, 0, Vec::new());
    while looked_at < REPLAY_EVENTS_MAX {
        let page = PageLimit { records_max: PAGE_RECORDS_MAX, body_bytes_max: 4 << 20 };
        let records = app.store.read(Log::Events, after, page).await?;
        let end = records.end;
        if end == after {
            return Ok((wanted, None));
        }
        for record in records {
            if record.position > until {
                return Ok((wanted, None));
            }
            looked_at += 1;
            wanted.extend(Some(record).filter(|record| wants(sink, record)).map(without_body));
        }
        after = end;
    }
    Ok((wanted, (after < until).then_some(after)))
}

/// What the filter does not want any more stays dead.
async fn dead(app: &App, sink: &Sink) -> Result<(Vec<Record>, Option<Position>), Error> {
    let (consumer, mut after, mut looked_at, mut records) = (dispatch::consumer(sink.id), Position(0), 0, Vec::new());
    while looked_at < REPLAY_EVENTS_MAX {
        let page = app.store.dead(&consumer, after, PAGE_RECORDS_MAX).await?;
        let Some(last) = page.last() else { return Ok((records, None)) };
        (after, looked_at) = (last.position, looked_at + page.len());
        for dead in page {
            let record = app.store.find(Log::Events, dead.key).await?;
            records.extend(record.filter(|record| wants(sink, record)).map(without_body));
        }
    }
    Ok((records, Some(after)))
}

fn wants(sink: &Sink, record: &Record) -> bool {
    dispatch::event(record).is_some_and(|event| dispatch::unwanted(sink, &event).is_none())
}

/// The body is not needed again, and ten thousand of them are many.
fn without_body(record: Record) -> Record {
    Record { body: bytes::Bytes::new(), ..record }
}

/// The number of the first attempt of the run after all that are kept.
async fn next_run(app: &App, sink: SinkId, event: Uuid) -> Result<u32, Error> {
    let last = dispatch::attempts(app, sink, event).await?.last().map(AttemptRecord::run);
    Ok(last.map_or(0, |run| run + 1) * ATTEMPTS_PER_RUN + 1)
}
