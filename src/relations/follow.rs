//! Keeps the index beside the log: from its oldest event at start, and after each new one.

use super::{index::PAIRS_MAX, thing, told::Told};
use crate::{
    app::App,
    event::Event,
    store::{Error, Log, PageLimit},
};
use std::{sync::Arc, time::Duration};

/// Events that one request reads to catch up; the worker reads on.
const REQUEST_EVENTS_MAX: usize = 10_000;
/// Events of one read, and bytes.
const READ: PageLimit = PageLimit { records_max: 1_000, body_bytes_max: 4 << 20 };
/// How long the worker waits after the store could not be read.
const PAUSE: Duration = Duration::from_secs(5);

/// Follows the log until the gateway stops.
pub async fn run(app: Arc<App>) {
    let (mut tail, mut stopping) = (app.store.tail(Log::Events), app.stopping());
    while !*stopping.borrow() {
        tail.borrow_and_update();
        let pause = async {
            match catch_up(&app).await {
                Ok(true) => {
                    if tail.changed().await.is_err() {
                        app.clock.sleep(PAUSE).await;
                    }
                }
                Ok(false) => tokio::task::yield_now().await,
                Err(error) => {
                    tracing::warn!(%error, "the events could not be read for their relations; it is tried again");
                    app.clock.sleep(PAUSE).await;
                }
            }
        };
        tokio::select! {
            () = pause => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// Whether one request may read what is left: not for a while after a start with a long log.
pub fn is_near(app: &App) -> bool {
    let (reached, end) = (app.relations.index().reached(), *app.store.tail(Log::Events).borrow());
    let begun = reached.max(app.store.trimmed(Log::Events));
    end.0.saturating_sub(begun.0) <= REQUEST_EVENTS_MAX as u64
}

/// Reads on, at most as much as a request may; whether the end of the log was reached.
pub async fn catch_up(app: &App) -> Result<bool, Error> {
    let _alone = app.relations.reading.lock().await;
    app.relations.index().trim(app.store.trimmed(Log::Events));
    let mut read = 0;
    while read < REQUEST_EVENTS_MAX {
        let after = app.relations.index().reached();
        let records = app.store.read(Log::Events, after, READ).await?;
        let end = records.end;
        if end == after {
            return Ok(true);
        }
        read += records.len();
        let known = records.iter().map(|record| {
            let event = Event::from_stored(record.key, &record.body);
            let things = event.map(|event| thing::things(&Told::read(&event.json))).unwrap_or_default();
            (record.position, things.iter().map(thing::Thing::key).collect::<Vec<_>>())
        });
        let known: Vec<_> = known.collect();
        let mut index = app.relations.index();
        for (position, things) in known {
            index.add(position, &things, PAIRS_MAX);
        }
        index.reach(end);
    }
    Ok(false)
}
