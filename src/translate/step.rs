//! The consumer that turns notifications into events: claim a batch, translate each, settle with what they became.
//!
//! Events and cursor move in one commit, so there is no moment at which a crash could lose or repeat one; and the fact
//! keys make even a repeat harmless. One batch at a time: order in the journal is order in the events. What cannot be
//! translated is settled as dead with its reason and shown to the operator; it never holds up what comes behind it.

use super::{Context, Settings, translate};
use crate::{
    app::{App, Directory},
    clock::Clock,
    domain::{Disposition, Notification, NotificationId},
    event::Event,
    store::{Appended, Consumer, Entry, Error, Log, PageLimit, Record, Settlement},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

/// How much is translated in one commit.
const BATCH: PageLimit = PageLimit { records_max: 256, body_bytes_max: 2 << 20 };
/// How long a batch may take before it is given to somebody else.
const LEASE: Duration = Duration::from_mins(1);
/// How long to wait after the store could not be used.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The consumer's name on disk.
pub fn consumer() -> Consumer {
    Consumer { name: "translate".to_owned(), log: Log::Notifications }
}

/// Translates one batch; answers how many notifications were settled, 0 when none was due.
///
/// # Errors
/// The store's; the batch will be claimed again.
pub async fn step(app: &Arc<App>) -> Result<usize, Error> {
    let claim = app.store.claim(&consumer(), app.clock.now(), LEASE, BATCH).await?;
    if claim.records.is_empty() {
        return Ok(0);
    }
    let records: Vec<Record> = claim.records.iter().map(|claimed| claimed.record.clone()).collect();
    let (worker, now) = (Arc::clone(app), app.clock.now());
    // Off the async workers: answering a delivery must not wait for a batch of somebody else's JSON.
    let translated = tokio::task::spawn_blocking(move || {
        let (directory, settings) = (worker.directory(), settings(&worker));
        records.iter().map(|record| one(&directory, &settings, record)).collect::<Vec<_>>()
    });
    let translated = translated.await.expect("translating catches its panics");

    let count = translated.len();
    let (mut settlements, mut appends) = (Vec::with_capacity(count), Vec::with_capacity(count * 2));
    for result in translated {
        match result {
            Ok(events) => {
                settlements.push(Settlement::Done);
                let entry = |event: Event| Entry { key: event.id, time: now, body: event.to_stored() };
                appends.extend(events.into_iter().map(|event| (Log::Events, entry(event))));
            }
            Err(reason) => {
                app.metrics.dead.inc();
                settlements.push(Settlement::Dead { reason });
            }
        }
    }
    let appended = app.store.settle(claim, settlements, appends).await?;
    let new = appended.iter().filter(|appended| matches!(appended, Appended::New(_))).count();
    app.metrics.events.inc_by(new as u64);
    Ok(count)
}

fn settings(app: &App) -> Settings {
    Settings { completed_states: app.settings.completed_states.clone(), ..Settings::default() }
}

/// Pure, but for catching a panic: one body that we misjudged must not stop all others.
fn one(directory: &Directory, settings: &Settings, record: &Record) -> Result<Vec<Event>, String> {
    let id = NotificationId(record.key);
    let notification =
        Notification::from_stored(id, &record.body).ok_or("the journal entry is not a notification of this release")?;
    if notification.disposition != Disposition::Accepted {
        return Ok(Vec::new());
    }
    let connection = directory.connections.get(&notification.connection).ok_or("its connection was removed")?;
    let context = Context {
        connection: notification.connection,
        source: &connection.record.url,
        notification: id,
        reason: notification.reason,
        bindings: directory.bindings_of(notification.connection),
        settings,
    };
    catch_unwind(AssertUnwindSafe(|| translate(&notification.body, &context)))
        .map_err(|_| "translating it panicked; please report the notification".to_owned())?
        .map_err(|error| error.to_string())
}

/// Steps until the gateway stops.
pub async fn run(app: Arc<App>) {
    let (mut tail, mut stopping) = (app.store.tail(Log::Notifications), app.stopping());
    while !*stopping.borrow() {
        tail.mark_unchanged();
        let pause = match step(&app).await {
            Ok(0) => None,
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(%error, "translating waits for the store");
                Some(STORE_RETRY)
            }
        };
        tokio::select! {
            () = sleep(&*app.clock, pause) => {}
            changed = tail.changed(), if pause.is_none() => if changed.is_err() { return },
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// Without a pause: until something else happens, or a minute, for what is due again by then.
async fn sleep(clock: &dyn Clock, pause: Option<Duration>) {
    clock.sleep(pause.unwrap_or(Duration::from_mins(1))).await;
}
