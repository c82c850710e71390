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
const BATCH: PageLimit = PageLimit { records_max: 128, body_bytes_max: 1 << 20 };
/// How long a batch may take before it is given to somebody else.
const LEASE: Duration = Duration::from_mins(1);
/// How long to wait after the store could not be used.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// While more deliveries than this arrive in a second, translation yields to them: answering comes first, and what is
/// late here is only late. Far above what an organization sends day by day.
const BUSY_PER_SECOND: u64 = 2_000;
/// Then it pauses this many times as long as it worked, and so takes a twentieth of one core.
const BUSY_PAUSE_FACTOR: u32 = 19;
/// One such pause at most.
const BUSY_PAUSE_MAX: Duration = Duration::from_millis(250);
/// It yields no longer than until events are this late: under an overload that lasts, both get their share.
const BUSY_LAG_MAX: Duration = Duration::from_secs(20);

/// The consumer's name on disk.
pub fn consumer() -> Consumer {
    Consumer { name: "translate".to_owned(), log: Log::Notifications }
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// How many notifications were settled; 0 when none was due.
    pub count: usize,
    /// How long the oldest of them had waited, by the wall clock.
    pub lag: Duration,
}

/// Translates one batch.
///
/// # Errors
/// The store's; the batch will be claimed again.
pub async fn step(app: &Arc<App>) -> Result<Settled, Error> {
    let claim = app.store.claim(&consumer(), app.clock.now(), LEASE, BATCH).await?;
    let Some(oldest) = claim.records.first() else { return Ok(Settled::default()) };
    let lag = Duration::try_from(app.clock.now().duration_since(oldest.record.time)).unwrap_or_default();
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
    Ok(Settled { count, lag })
}

/// What is chosen for translating here.
pub fn settings(app: &App) -> Settings {
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
        recovered: notification.recovered,
        bindings: directory.selecting(notification.connection),
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
        let (began, before) = (app.clock.monotonic(), *tail.borrow_and_update());
        let pause = match step(&app).await {
            Ok(Settled { count: 0, .. }) => None,
            Ok(settled) => {
                let (worked, arrived) = (app.clock.monotonic().saturating_sub(began), tail.borrow().0 - before.0);
                app.clock.sleep(busy_pause(worked, arrived, settled.lag)).await;
                continue;
            }
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

/// How long to let the front door have the machine after a batch that took `worked`, while `arrived` came in.
fn busy_pause(worked: Duration, arrived: u64, lag: Duration) -> Duration {
    let busy = u128::from(arrived) * 1_000 > worked.as_millis() * u128::from(BUSY_PER_SECOND);
    if busy && lag < BUSY_LAG_MAX { (worked * BUSY_PAUSE_FACTOR).min(BUSY_PAUSE_MAX) } else { Duration::ZERO }
}

/// Without a pause: until something else happens, or a minute, for what is due again by then.
async fn sleep(clock: &dyn Clock, pause: Option<Duration>) {
    clock.sleep(pause.unwrap_or(Duration::from_mins(1))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translation_yields_to_a_flood_until_events_are_late() {
        let (worked, now) = (Duration::from_millis(10), Duration::ZERO);
        assert_eq!(busy_pause(worked, 5, now), Duration::ZERO, "500 a second is an ordinary day");
        assert_eq!(busy_pause(worked, 200, now), worked * BUSY_PAUSE_FACTOR);
        assert_eq!(busy_pause(worked * 100, 100_000, now), BUSY_PAUSE_MAX);
        assert_eq!(busy_pause(worked, 200, BUSY_LAG_MAX), Duration::ZERO);
    }
}
