//! Deliveries of one sink, page by page: what waits, what was given up, and the attempts in the order they were made.

use crate::{
    app::App,
    dispatch::{self, AttemptRecord, Fate},
    domain::Sink,
    store::{Error, Log, PAGE_RECORDS_MAX, PageLimit, Position, Record},
};

/// Most attempts that one request looks at: those of all sinks lie in one log.
const SCANNED_MAX: usize = 20_000;

/// Which deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// All attempts that are kept.
    Attempts,
    /// The attempts with which events arrived.
    Delivered,
    /// What waits to be tried (again).
    Waiting,
    /// What was given up.
    Dead,
}

impl Wanted {
    /// The log whose places are the cursors of this list.
    pub fn log(self) -> Log {
        match self {
            Self::Attempts | Self::Delivered => Log::Deliveries,
            Self::Waiting | Self::Dead => Log::Events,
        }
    }

    /// Whether what became of an event is one of these.
    pub fn takes(self, fate: &Fate) -> bool {
        match self {
            Self::Attempts => true,
            Self::Delivered => matches!(fate, Fate::Delivered),
            Self::Waiting => matches!(fate, Fate::Waiting(_)),
            Self::Dead => matches!(fate, Fate::Dead(_)),
        }
    }
}

/// One event at one sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event, as the log has it.
    pub event: Told,
    /// What became of it.
    pub fate: Fate,
    /// The attempts.
    pub attempts: Vec<AttemptRecord>,
}

/// What is shown of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its type.
    pub kind: String,
    /// Its place.
    pub position: Position,
}

/// What became of one event.
///
/// # Errors
/// The store's.
pub async fn of_event(app: &App, sink: &Sink, record: &Record) -> Result<Delivery, Error> {
    let (fate, attempts) = dispatch::fate(app, sink, record).await?;
    let kind = dispatch::event(record).map(|event| event.header.kind).unwrap_or_default();
    Ok(Delivery { event: Told { id: record.key, kind, position: record.position }, fate, attempts })
}

/// At most `limit` deliveries after a place, and where to go on; `None` at the end.
///
/// # Errors
/// The store's.
pub async fn page(
    app: &App,
    sink: &Sink,
    wanted: Wanted,
    after: Position,
    limit: usize,
) -> Result<(Vec<Delivery>, Option<Position>), Error> {
    let consumer = dispatch::consumer(sink.id);
    let positions: Vec<Position> = match wanted {
        Wanted::Attempts | Wanted::Delivered => return attempts(app, sink, wanted, after, limit).await,
        Wanted::Waiting => {
            app.store.waiting(&consumer, after, limit).await?.into_iter().map(|waiting| waiting.position).collect()
        }
        Wanted::Dead => app.store.dead(&consumer, after, limit).await?.into_iter().map(|dead| dead.position).collect(),
    };
    let mut deliveries = Vec::with_capacity(positions.len());
    for position in &positions {
        let one = PageLimit { records_max: 1, body_bytes_max: 1 };
        let records = app.store.read(Log::Events, Position(position.0 - 1), one).await?;
        if let Some(record) = records.first().filter(|record| record.position == *position) {
            deliveries.push(of_event(app, sink, record).await?);
        }
    }
    let next = (positions.len() == limit).then(|| positions.last().copied()).flatten();
    Ok((deliveries, next))
}

async fn attempts(
    app: &App,
    sink: &Sink,
    wanted: Wanted,
    after: Position,
    limit: usize,
) -> Result<(Vec<Delivery>, Option<Position>), Error> {
    let (mut after, mut looked_at, mut deliveries) = (after, 0, Vec::new());
    while looked_at < SCANNED_MAX {
        let page = PageLimit { records_max: PAGE_RECORDS_MAX, body_bytes_max: 4 << 20 };
        let records = app.store.read(Log::Deliveries, after, page).await?;
        let end = records.end;
        if end == after {
            return Ok((deliveries, None));
        }
        for record in records {
            (after, looked_at) = (record.position, looked_at + 1);
            let attempt = AttemptRecord::from_record(&record).filter(|attempt| attempt.sink == sink.id);
            deliveries.extend(attempt.filter(|attempt| wants(wanted, attempt)).map(delivery));
            if deliveries.len() == limit {
                return Ok((deliveries, Some(after)));
            }
        }
        after = end;
    }
    Ok((deliveries, Some(after)))
}

fn wants(wanted: Wanted, attempt: &AttemptRecord) -> bool {
    wanted == Wanted::Attempts || attempt.left == dispatch::Left::Delivered
}

/// What the attempt left; what came later is told by the later attempt.
fn delivery(attempt: AttemptRecord) -> Delivery {
    let fate = match attempt.left {
        dispatch::Left::Delivered => Fate::Delivered,
        dispatch::Left::Waiting => Fate::Waiting(attempt.next),
        dispatch::Left::Dead => Fate::Dead(attempt.said.clone().unwrap_or_default()),
    };
    let event = Told { id: attempt.event, kind: attempt.kind.clone(), position: Position(attempt.position) };
    Delivery { event, fate, attempts: vec![attempt] }
}
