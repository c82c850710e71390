//! Trying a sink out: real events, the newest of each type that its filter wants, are sent at once and beside everything.
//! Nothing of it is kept, and nothing is moved.

use super::{died, open, parcel};
use crate::{
    app::App,
    domain::{ConnectionId, NotificationId, Sink, TypePattern},
    event::{Event, Header},
    sink::{Attempt, Outgoing, Unusable},
    store::{Error, Log, PAGE_RECORDS_MAX, PageLimit, Position, Record},
};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// Most events of one test.
pub const SAMPLES_MAX: usize = 10;
/// No event is sent later in a test than this: somebody waits.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many of the newest events are looked through.
const RECENT: u64 = 5_000;

/// One event that was sent, and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The event.
    pub event: Uuid,
    /// Its type.
    pub kind: String,
    /// How it went.
    pub attempt: Attempt,
}

/// Sends a sample of each type that `types` and the sink's filter want, at most [`SAMPLES_MAX`]. Where no event of them is
/// kept, one made up for the purpose is sent.
///
/// # Errors
/// The store's.
pub async fn test(app: &App, sink: &Sink, types: &[TypePattern]) -> Result<Result<Vec<Sample>, Unusable>, Error> {
    let samples = samples(app, sink, types).await?;
    let engine = match open(app, sink) {
        Ok(engine) => engine,
        Err(unusable) => return Ok(Err(unusable)),
    };
    let (mut sent, began) = (Vec::new(), app.clock.monotonic());
    for outgoing in samples {
        if app.clock.monotonic().saturating_sub(began) > PATIENCE {
            break;
        }
        let (event, kind) = (outgoing.id, outgoing.kind.clone());
        let attempts = engine.deliver(&[outgoing]).await;
        sent.extend(attempts.into_iter().map(|attempt| Sample { event, kind: kind.clone(), attempt }));
        // A sink that does not answer is not asked ten times with somebody waiting.
        if sent.last().is_some_and(|sample| sample.attempt.result.is_err() && sample.attempt.status.is_none()) {
            break;
        }
    }
    engine.close().await;
    Ok(Ok(sent))
}

async fn samples(app: &App, sink: &Sink, types: &[TypePattern]) -> Result<Vec<Outgoing>, Error> {
    let tail = app.store.tail(Log::Events).borrow().0;
    let mut after = Position(tail.saturating_sub(RECENT));
    let mut newest: BTreeMap<String, (Record, Event)> = BTreeMap::new();
    loop {
        let page = PageLimit { records_max: PAGE_RECORDS_MAX, body_bytes_max: 4 << 20 };
        let records = app.store.read(Log::Events, after, page).await?;
        if records.end == after {
            break;
        }
        after = records.end;
        for record in records {
            let Some(event) = parcel::event(&record) else { continue };
            let chosen = types.is_empty() || types.iter().any(|pattern| pattern.matches(&event.header.kind));
            if chosen && event.header.kind != died::KIND && parcel::unwanted(sink, &event).is_none() {
                newest.insert(event.header.kind.clone(), (record, event));
            }
        }
    }
    if newest.is_empty() {
        return Ok(vec![made_up(app, sink)]);
    }
    Ok(newest.into_values().take(SAMPLES_MAX).map(|(record, event)| parcel::outgoing(&record, event)).collect())
}

/// An event of our own, valid as all others, and about nothing.
fn made_up(app: &App, sink: &Sink) -> Outgoing {
    const KIND: &str = "dev.cdeventsx.hookwell-sink.tested.0.1.0";
    let (id, now) = (Uuid::new_v4(), app.clock.now());
    let source = format!("urn:hookwell:sink:{}", sink.id);
    let json = json!({
        "specversion": "1.0", "id": id, "source": source, "type": KIND, "subject": "tests", "time": now.to_string(),
        "datacontenttype": "application/json", "partitionkey": "tests",
        "data": {
            "context": {
                "specversion": crate::event::cdevents::SPEC_VERSION, "id": id, "source": source, "type": KIND,
                "timestamp": now.to_string(),
            },
            "subject": { "id": "tests", "content": { "sink": sink.id } },
        },
    });
    let header = Header {
        kind: KIND.to_owned(),
        connection: ConnectionId(Uuid::nil()),
        projects: Vec::new(),
        notification: NotificationId(Uuid::nil()),
        recovered: None,
        filled: std::collections::BTreeMap::new(),
    };
    let event = Event { id, header, json: json.to_string().into() };
    let record = Record { position: Position(0), key: id, time: now, body: event.to_stored() };
    parcel::outgoing(&record, event)
}
