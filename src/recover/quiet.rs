//! What the hooks themselves tell of what they lost: numbers that are left out, and silence.
//!
//! A number that is left out is asked of the history by itself, which costs one call; a subscription that has fallen
//! silent has its connection looked at, which a healthy one survives for a handful of calls.

use super::{Request, history, sweep::Stopped};
use crate::{
    app::{
        App, Kept,
        change::put,
        kind,
        numbers::Whose,
        rhythm::{self, Rhythm},
    },
    azure::client::{Failure, Priority},
    domain::{ConnectionId, Recovered, Subscription},
    intake::Found,
    store::{Change, Expected},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How often it is looked.
const PERIOD: Duration = Duration::from_mins(1);
/// How often the rhythms are written down.
const WRITE_PERIOD: Duration = Duration::from_hours(1);
/// Numbers that are asked of the history in one look; the others wait for the next.
const ASKED_MAX: usize = 100;
/// Tries to ask for a number while Azure cannot be asked; then the connection is looked at as a whole.
const TRIES_MAX: u32 = 30;

/// What waits to be asked.
#[derive(Debug, Default)]
pub struct Watch {
    waiting: VecDeque<(Whose, i64, u32)>,
    written: Option<Duration>,
}

/// Looks until the gateway stops.
pub async fn run(app: Arc<App>) {
    let (mut watch, mut stopping) = (Watch::default(), app.stopping());
    while !*stopping.borrow() {
        tokio::select! {
            () = step(&app, &mut watch) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        tokio::select! {
            () = app.clock.sleep(PERIOD) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// One look.
pub async fn step(app: &App, watch: &mut Watch) {
    listen(app, watch).await;
    let (room, now) = (ASKED_MAX.saturating_sub(watch.waiting.len()), app.clock.now());
    for (whose, numbers) in app.numbers.left_out(now, room) {
        watch.waiting.extend(numbers.into_iter().map(|number| (whose.clone(), number, 0)));
    }
    let mut sick: BTreeSet<ConnectionId> = BTreeSet::new();
    for _ in 0..watch.waiting.len() {
        let Some((whose, number, tries)) = watch.waiting.pop_front() else { break };
        let connection = whose.0;
        // What cannot be asked now is not asked for each number.
        if sick.contains(&connection) {
            watch.waiting.push_back((whose, number, tries));
            continue;
        }
        match ask(app, &whose, number).await {
            Ok(()) | Err(Stopped::Gone) => {}
            Err(stopped) if tries < TRIES_MAX => {
                tracing::info!(%connection, number, %stopped, "a notification that was left out cannot be asked for now");
                sick.insert(connection);
                watch.waiting.push_back((whose, number, tries + 1));
            }
            Err(_) => app.recover.ask(connection, Request { since: None, closely: false }),
        }
    }
}

/// Asks the history for one number; appends what it was to deliver.
async fn ask(app: &App, whose: &Whose, number: i64) -> Result<(), Stopped> {
    let (connection, id) = whose;
    let directory = app.directory();
    let kept = directory.connections.get(connection).ok_or(Stopped::Gone)?;
    let azure_id =
        |own: &&Kept<Subscription>| own.record.azure.as_ref().is_some_and(|azure| azure.id.eq_ignore_ascii_case(id));
    let own = directory.subscriptions_of(*connection).find(azure_id).ok_or(Stopped::Gone)?;
    let azure = app.azure(kept, Priority::Repair)?;
    let record = match azure.notification(own.record.spec.host(), id, number).await {
        Ok(record) => record,
        // The history does not go back so far, or the number was never given.
        Err(Failure::NotFound { .. }) => return Ok(()),
        Err(failure) => return Err(failure.into()),
    };
    if record.result.eq_ignore_ascii_case("filtered") {
        app.metrics.history_filtered.inc();
        return Ok(());
    }
    let Some(body) = history::body(&record) else {
        // That there was something is known, and what it was only Azure's records can tell.
        app.recover.ask(*connection, Request { since: Some(record.created), closely: true });
        return Ok(());
    };
    if history::is_sample(&body) {
        return Ok(());
    }
    let found = Found {
        connection: *connection,
        way: Recovered::History,
        subscription_key: own.record.key.to_string(),
        reason: own.record.spec.reason,
        tells: Vec::new(),
        body: body.into(),
    };
    if history::append(app, found).await? {
        app.metrics.recovered(Recovered::History, 1);
        tracing::info!(%connection, number, "a notification that was left out came back by the history");
    }
    Ok(())
}

/// Has connections looked at that have fallen silent, and writes the rhythms down now and then.
async fn listen(app: &App, watch: &mut Watch) {
    let directory = app.directory();
    app.rhythms.read(|| read(app));
    let subscriptions: BTreeSet<(ConnectionId, String)> =
        directory.subscriptions().map(|kept| (kept.record.connection, kept.record.key.to_string())).collect();
    let is_there = |connection: ConnectionId, key: &str| subscriptions.contains(&(connection, key.to_owned()));
    let silent: BTreeMap<ConnectionId, usize> =
        app.rhythms.silent(app.clock.now(), is_there).into_iter().fold(BTreeMap::new(), |mut all, (connection, _)| {
            *all.entry(connection).or_default() += 1;
            all
        });
    for (connection, subscriptions) in silent {
        tracing::info!(%connection, subscriptions, "subscriptions are quiet for much longer than ever: their connection is looked at");
        app.recover.ask(connection, Request { since: None, closely: false });
    }
    let now = app.clock.monotonic();
    if watch.written.is_none_or(|written| now >= written + WRITE_PERIOD) {
        let changes = written(app);
        // Nothing is lost but the memory of the last hour.
        if !changes.is_empty()
            && let Err(error) = app.store.commit(changes).await
        {
            tracing::warn!(%error, "the rhythms of subscriptions are written down later");
        }
        watch.written = Some(now);
    }
}

/// A connection's rhythms are kept in sixteen records, by the first character of the keys: a record has a limit.
type Sixteenth = BTreeMap<String, Rhythm>;

fn read(app: &App) -> rhythm::Kept {
    let mut all = rhythm::Kept::new();
    for (id, kept) in app.store.list(kind::RHYTHM) {
        let Some(connection) = id.split_once('.').and_then(|(id, _)| id.parse().ok()).map(ConnectionId) else {
            continue;
        };
        let rhythms: Sixteenth = serde_json::from_slice(&kept.value).unwrap_or_default();
        all.extend(rhythms.into_iter().map(|(key, rhythm)| ((connection, key), rhythm)));
    }
    all
}

/// The changes that keep them as they are now.
fn written(app: &App) -> Vec<Change> {
    let mut records: BTreeMap<String, Sixteenth> = BTreeMap::new();
    for ((connection, key), rhythm) in app.rhythms.all() {
        let first = key.chars().next().unwrap_or('0');
        records.entry(format!("{connection}.{first}")).or_default().insert(key, rhythm);
    }
    let before: BTreeMap<_, _> = app.store.list(kind::RHYTHM).into_iter().collect();
    let gone = before.keys().filter(|id| !records.contains_key(*id));
    let gone = gone.map(|id| Change { kind: kind::RHYTHM, id: id.clone(), expected: Expected::Any, value: None });
    let changed = records.iter().map(|(id, rhythms)| put(kind::RHYTHM, id, Expected::Any, rhythms));
    let changed = changed.filter(|change| before.get(&change.id).map(|kept| &kept.value) != change.value.as_ref());
    gone.chain(changed).collect()
}
