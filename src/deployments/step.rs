//! The consumer that turns events into deployments: claim a batch, see which of it the rules call deployed, ask Azure DevOps
//! what came with each, settle with the events that tell them.
//!
//! Connections work beside each other, and each in order. While one cannot be asked, what it deployed waits, at most
//! [`PATIENCE`](super::PATIENCE); then it is told with what is known. What is told of an environment out of order is put
//! right by telling what comes after it once more.

use super::{
    code::Code,
    found::is_in_scope,
    paths::Scope,
    retell::{Patience, Silent, tell},
    revision::{Asked, revision},
    rules::{Candidate, Origin, candidates},
};
use crate::{
    app::{ANSWER_TIMEOUT, App},
    azure::client::{AzureDevOps, Failure, Priority},
    domain::{ConnectionId, Deployment, NotificationId, Telling, join},
    event::Event,
    store::{Appended, Claimed, Consumer, Entry, Error, Log, PageLimit, Position, Settlement},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// How much is looked at in one commit.
const BATCH: PageLimit = PageLimit { records_max: 256, body_bytes_max: 4 << 20 };
/// How long a batch may take before it is given to somebody else.
const LEASE: Duration = Duration::from_mins(5);
/// What was not asked for by then is left for the next batch, so that no connection holds up another for longer.
const ASKING_MAX: Duration = Duration::from_secs(20);
/// How long to wait before the same is asked again: doubled with each attempt.
const RETRY_FIRST: Duration = Duration::from_secs(10);
const RETRY_MAX: Duration = Duration::from_mins(5);
/// How often to look whether something that waits is due, and how long to wait after the store could not be used.
const LOOK: Duration = Duration::from_secs(1);
/// How often to look when nothing waits.
const IDLE_LOOK: Duration = Duration::from_mins(1);

/// The consumer's name on disk.
pub fn consumer() -> Consumer {
    Consumer { name: "deployments".to_owned(), log: Log::Events }
}

/// An event that deploys something.
struct Item {
    /// Where it is in the claim.
    at: usize,
    attempt: u32,
    /// Which told the event.
    connection: ConnectionId,
    /// When the event was appended.
    since: Timestamp,
    notification: NotificationId,
    candidates: Vec<Candidate>,
}

impl Item {
    /// The connections that are asked for it.
    fn concerns(&self) -> BTreeSet<ConnectionId> {
        let codes = self.candidates.iter().map(|candidate| candidate.deployment.connection);
        codes.chain([self.connection]).collect()
    }
}

/// What became of some events.
#[derive(Default)]
struct Worked {
    settlements: Vec<(usize, Settlement)>,
    made: Vec<(Telling, Event)>,
}

/// The clients of a batch, each made once; nothing of a connection that is gone.
#[derive(Default)]
struct Lines(BTreeMap<ConnectionId, Arc<dyn AzureDevOps>>);

impl Lines {
    fn to(&mut self, app: &App, connection: ConnectionId) -> Result<Option<Arc<dyn AzureDevOps>>, Silent> {
        if let Some(azure) = self.0.get(&connection) {
            return Ok(Some(Arc::clone(azure)));
        }
        let directory = app.directory();
        let Some(kept) = directory.connections.get(&connection) else { return Ok(None) };
        let azure = app.azure(kept, Priority::Repair).map_err(Silent::on(connection))?;
        Ok(Some(Arc::clone(self.0.entry(connection).or_insert(azure))))
    }
}

/// Looks at one batch; answers how many events were settled, 0 when none was due.
///
/// # Errors
/// The store's; the batch will be claimed again.
pub async fn step(app: &Arc<App>) -> Result<usize, Error> {
    let claim = app.store.claim(&consumer(), app.clock.now(), LEASE, BATCH).await?;
    let count = claim.records.len();
    if count == 0 {
        return Ok(0);
    }
    let mut settlements = vec![Settlement::Done; count];
    let mut items: Vec<Item> = Vec::new();
    for (at, claimed) in claim.records.iter().enumerate() {
        match item(app, at, claimed) {
            Ok(Some(item)) => items.push(item),
            Ok(None) => {}
            Err(reason) => settlements[at] = Settlement::Dead { reason },
        }
    }
    // What is told of one environment is told by one at a time: see [`super::register`].
    let telling = app.deployments.telling(&*app.store).await?;
    let made = work(app, grouped(items), &mut settlements).await;
    let appended = app.store.settle(claim, settlements, entries(&made, app.clock.now())).await;
    // What was told is in memory already: without the log it is not so.
    let appended = appended.inspect_err(|_| app.deployments.forget())?;
    drop(telling);
    count_new(app, &appended);
    Ok(count)
}

fn item(app: &App, at: usize, claimed: &Claimed) -> Result<Option<Item>, String> {
    let record = &claimed.record;
    let event = Event::from_stored(record.key, &record.body).ok_or_else(|| "it is no event of ours".to_owned())?;
    let connection = event.header.connection;
    let candidates = candidates(&event, app.directory().deploying(connection));
    let (attempt, notification) = (claimed.attempt, event.header.notification);
    let item = Item { at, attempt, connection, since: record.time, notification, candidates };
    Ok((!item.candidates.is_empty()).then_some(item))
}

/// What has a connection in common goes in order, one after the other: nothing of one environment is told at once by two.
fn grouped(items: Vec<Item>) -> Vec<Vec<Item>> {
    let mut groups: Vec<(BTreeSet<ConnectionId>, Vec<Item>)> = Vec::new();
    for item in items {
        let mut concerns = item.concerns();
        let touches = |(of, _): &(BTreeSet<ConnectionId>, Vec<Item>)| !of.is_disjoint(&concerns);
        let (touching, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(touches);
        let mut together = Vec::new();
        for (of, items) in touching {
            concerns.extend(of);
            together.extend(items);
        }
        together.push(item);
        together.sort_by_key(|item| item.at);
        groups = apart;
        groups.push((concerns, together));
    }
    groups.into_iter().map(|(_, items)| items).collect()
}

/// Every group beside the others.
async fn work(app: &Arc<App>, groups: Vec<Vec<Item>>, settlements: &mut [Settlement]) -> Vec<(Telling, Event)> {
    let (mut working, mut made) = (JoinSet::new(), Vec::new());
    for items in groups {
        // Until it says otherwise; a task that panics has said nothing.
        for item in &items {
            settlements[item.at] = Settlement::Retry { at: later(app, RETRY_MAX) };
        }
        let app = Arc::clone(app);
        working.spawn(async move { of_group(&app, items).await });
    }
    while let Some(worked) = working.join_next().await {
        match worked {
            Ok(worked) => {
                worked.settlements.into_iter().for_each(|(at, settlement)| settlements[at] = settlement);
                made.extend(worked.made);
            }
            Err(error) => tracing::error!(%error, "telling the deployments of a connection failed"),
        }
    }
    made
}

async fn of_group(app: &App, items: Vec<Item>) -> Worked {
    let (mut worked, mut lines) = (Worked::default(), Lines::default());
    let (began, mut stuck) = (app.clock.monotonic(), BTreeMap::<ConnectionId, Timestamp>::new());
    for item in items {
        let is_late = app.clock.monotonic().saturating_sub(began) > ASKING_MAX;
        let waits = item.concerns().iter().filter_map(|connection| stuck.get(connection)).max().copied();
        let settlement = match waits.or_else(|| is_late.then(|| app.clock.now())) {
            Some(at) => Settlement::Wait { at },
            None => match one(app, &mut lines, &item, &mut worked.made).await {
                Ok(told) => told.map_or(Settlement::Done, |at| Settlement::Wait { at }),
                Err(silent) => {
                    let settlement = retry(app, &item, &silent);
                    if let Settlement::Retry { at } = &settlement {
                        stuck.insert(silent.connection, *at);
                    }
                    settlement
                }
            },
        };
        worked.settlements.push((item.at, settlement));
    }
    worked
}

fn retry(app: &App, item: &Item, Silent { connection, failure }: &Silent) -> Settlement {
    app.deployments.silent_since(*connection, app.clock.now());
    let waited = app.clock.now().duration_since(item.since);
    if waited > app.settings.retention.try_into().unwrap_or(SignedDuration::MAX) {
        // What waits is not trimmed: nothing may wait for ever.
        let reason = format!("nobody could be asked what it deployed before it passed its retention: {failure}");
        tracing::warn!(%connection, %failure, "a deployment is given up");
        return Settlement::Dead { reason };
    }
    tracing::debug!(%connection, %failure, "a deployment waits for Azure DevOps");
    let doubled = RETRY_FIRST.saturating_mul(1 << item.attempt.saturating_sub(1).min(8)).min(RETRY_MAX);
    let wait = if let Failure::Throttled { wait } = failure { doubled.max(*wait) } else { doubled };
    Settlement::Retry { at: later(app, wait) }
}

fn later(app: &App, wait: Duration) -> Timestamp {
    app.clock.now().checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Tells what an event deployed; answers when to look again, if something of it is not so yet.
async fn one(
    app: &App,
    lines: &mut Lines,
    item: &Item,
    made: &mut Vec<(Telling, Event)>,
) -> Result<Option<Timestamp>, Silent> {
    let mut wait: Option<Timestamp> = None;
    for candidate in &item.candidates {
        let deployment = &candidate.deployment;
        if app.deployments.memory().knows(deployment.id) {
            continue;
        }
        if deployment.at > app.clock.now() {
            wait = Some(wait.map_or(deployment.at, |at| at.min(deployment.at)));
            continue;
        }
        let Some(azure) = lines.to(app, item.connection)? else { continue };
        let asked = Asked { app, connection: item.connection, azure: &*azure };
        let revised = match revision(&asked, candidate).await {
            Err(failure) if failure.is_of_the_thing() || app.is_hopeless(item.connection, &failure) => {
                tracing::warn!(deployment = %deployment.id, %failure, "nobody knows what was deployed");
                None
            }
            other => other.map_err(Silent::on(item.connection))?,
        };
        if candidate.origin != Origin::Commit {
            app.deployments.answers(item.connection);
        }
        let Some(deployment) = revised else { continue };
        // The code can be seen through another connection than its builds.
        let Some(azure) = lines.to(app, deployment.connection)? else { continue };
        let code = Code::new(&*azure, &app.deployments.code, &deployment);
        let of = deployment.connection;
        let scope = scope(app, &deployment);
        let looking = is_in_scope(&code, candidate.base.as_deref(), &scope);
        let looked = if app.has_credential(of) { looking.await } else { app.in_time(ANSWER_TIMEOUT, looking).await };
        match looked {
            Ok(false) => continue,
            // Better told than missed.
            Err(failure) if !failure.is_of_the_thing() && !app.is_hopeless(of, &failure) => {
                return Err(Silent::on(of)(failure));
            }
            Ok(true) | Err(_) => {}
        }
        tell(app, &*azure, &deployment, item.notification, Patience::Ends, made).await?;
    }
    Ok(wait)
}

fn scope(app: &App, deployment: &Deployment) -> Scope {
    let directory = app.directory();
    let deploys = directory.bindings.get(&deployment.binding).and_then(|kept| kept.record.deploys.as_ref());
    deploys.map_or_else(|| Scope::new(&[], &[]), |own| Scope::new(&own.include_paths, &own.exclude_paths))
}

/// What is appended for tellings: to the log of events, and to the log that remembers deployments.
pub(super) fn entries(made: &[(Telling, Event)], now: Timestamp) -> Vec<(Log, Entry)> {
    let both = |(telling, event): &(Telling, Event)| {
        let entry = |body| Entry { key: event.id, time: now, body };
        [(Log::Events, entry(event.to_stored())), (Log::Deployments, entry(join(telling, &event.json)))]
    };
    made.iter().flat_map(both).collect()
}

pub(super) fn count_new(app: &App, appended: &[Appended]) {
    let events = appended.iter().step_by(2).filter(|appended| matches!(appended, Appended::New(_))).count();
    app.metrics.events.inc_by(events as u64);
}

/// Steps until the gateway stops.
pub async fn run(app: Arc<App>) {
    let (mut tail, mut stopping) = (app.store.tail(Log::Events), app.stopping());
    while !*stopping.borrow() {
        tail.borrow_and_update();
        let pause = match step(&app).await {
            Ok(0) => match app.store.waiting(&consumer(), Position(0), 1).await {
                Ok(waiting) if waiting.is_empty() => IDLE_LOOK,
                _ => LOOK,
            },
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(%error, "telling deployments waits for the store");
                app.clock.sleep(LOOK).await;
                continue;
            }
        };
        tokio::select! {
            () = app.clock.sleep(pause) => {}
            changed = tail.changed() => if changed.is_err() { return },
            () = app.deployments.changed.notified() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}
