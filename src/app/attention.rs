//! How the gateway is doing: gauges, and what an operator should look at.

use super::{
    App, Directory,
    collections::Foreign,
    global_tokens::global_tokens,
    notifications::{Filter, State, page},
    subscriptions,
};
use crate::{
    azure::client::OddRecords,
    deployments,
    dispatch::{self, Doing},
    domain::{
        Binding, BindingId, ConnectionId, Health, HealthState, Role, SinkId, SinkState, Slug, SubscriptionState, Why,
    },
    ledger, metrics,
    reconcile::{Trouble, TroubleKind},
    store::{Consumer, Damage, Error, Log, Position, Status},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// The consumer that turns notifications into events.
pub fn translator() -> Consumer {
    Consumer { name: "translate".to_owned(), log: Log::Notifications }
}

/// Sets the gauges that are read from the store and not counted along the way.
pub async fn refresh_gauges(app: &App) -> Result<(), Error> {
    let (figures, usage) = (&app.metrics, app.store.usage());
    let gauge = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
    figures.store_bytes.set(gauge(usage.disk_bytes));
    figures.store_queued.set(gauge(usage.queued));
    figures.store_commits.set(gauge(usage.commits));
    let mut states: BTreeMap<SubscriptionState, u64> = SubscriptionState::ALL.map(|state| (state, 0)).into();
    let directory = app.directory();
    for kept in directory.subscriptions() {
        *states.entry(subscriptions::state(app, &kept.record)).or_default() += 1;
    }
    for (state, count) in states {
        figures.subscriptions.get_or_create(&metrics::State { state: state.word() }).set(gauge(count));
    }
    for state in HealthState::ALL {
        let is = |id: &ConnectionId| {
            let health = directory.health.get(id);
            health.map_or(HealthState::Unchecked, |kept| kept.record.state) == state
        };
        let count = directory.connections.keys().filter(|id| is(id)).count();
        figures
            .connection_status
            .get_or_create(&metrics::ConnectionStatus { status: state.word() })
            .set(gauge(count as u64));
    }
    for (id, kept) in &*directory.sinks {
        let (label, doing) = (metrics::SinkLabel { sink: id.to_string() }, app.dispatch.of(*id));
        let lag = dispatch::lag(app, &kept.record).await?;
        figures.sink_lag_events.get_or_create(&label).set(gauge(lag.events));
        figures.sink_lag_seconds.get_or_create(&label).set(gauge(lag.age.as_secs()));
        figures.sink_waiting.get_or_create(&label).set(gauge(doing.waiting as u64));
        let up = kept.record.state == SinkState::Enabled && doing.unusable.is_none() && doing.open_until.is_none();
        figures.sink_up.get_or_create(&label).set(i64::from(up));
    }
    completeness_gauges(app);
    figures.ready.set(i64::from(app.store.status() == Status::Ready));
    figures.backlog.set(gauge(backlog(app).await?));
    Ok(())
}

/// How complete each binding is. Those of removed bindings go: a number that stands still would be taken for one.
fn completeness_gauges(app: &App) {
    let (figures, directory, gaps) = (&app.metrics, app.directory(), ledger::gaps(app));
    figures.gaps.set(i64::try_from(gaps.len()).unwrap_or(i64::MAX));
    figures.complete_until.clear();
    figures.unexplained.clear();
    for binding in directory.bindings.values().map(|kept| &kept.record) {
        let of = metrics::OfBinding { binding: binding.id.to_string(), project: binding.project.to_string() };
        let reach = ledger::reach(app, binding, &gaps);
        let unexplained = i64::try_from(reach.unexplained).unwrap_or(i64::MAX);
        figures.unexplained.get_or_create(&of).set(unexplained);
        if let Some(until) = reach.until {
            figures.complete_until.get_or_create(&of).set(until.as_second());
        }
    }
}

/// Notifications accepted but not yet translated.
pub async fn backlog(app: &App) -> Result<u64, Error> {
    let translated = app.store.cursor(&translator()).await?;
    let translated = translated.max(app.store.trimmed(Log::Notifications));
    Ok(app.store.tail(Log::Notifications).borrow().0.saturating_sub(translated.0))
}

/// How many of the newest notifications are looked at for quarantined ones.
const RECENT_RECORDS: u64 = 500;
/// How many given-up notifications are counted before it is "at least".
const DEAD_COUNTED_MAX: usize = 1_000;
/// Notifications waiting for translation before it is worth saying.
const BACKLOG_NOTABLE: u64 = 10_000;
/// Most connections that are named; a gateway with more broken ones has one cause for all.
const CONNECTIONS_SHOWN_MAX: usize = 50;
/// Most things that are said about bindings; a gateway with more has one cause for all.
const BINDINGS_SHOWN_MAX: usize = 30;

/// So long nobody is told that the states of a new issue provider are not known yet.
const STATES_SOON: Duration = Duration::from_mins(10);

/// Most stretches of damage that are named: a broken disk has one cause for all.
const DAMAGE_SHOWN_MAX: usize = 20;

/// Most things that are said at once.
const ATTENTION_MAX: usize = 100;
/// How long it is worth saying that subscriptions were healed: what made them fail may come back.
const HEALED_NOTABLE: Duration = Duration::from_hours(24);
const HEALING: [Why; 3] = [Why::OnProbation, Why::DisabledBySystem, Why::DisabledByInactiveIdentity];
const NOTABLE_STATES: [SubscriptionState; 6] = [
    SubscriptionState::OnProbation,
    SubscriptionState::DisabledByUser,
    SubscriptionState::DisabledBySystem,
    SubscriptionState::DisabledByInactiveIdentity,
    SubscriptionState::Failing,
    SubscriptionState::NotShown,
];

/// Something for the operator to look at. It goes away by itself with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attention {
    /// Notifications cannot be stored.
    StoreNotReady(String),
    /// Records that were stored cannot be read any more.
    Damaged(Damage),
    /// So many more stretches of such records.
    MoreDamaged(usize),
    /// Some of the newest notifications are in quarantine.
    Quarantined(usize),
    /// Notifications through a connection speak of another collection than its check found.
    Collection(ConnectionId, Foreign),
    /// The translation of some was given up.
    Dead(usize),
    /// Translation is behind.
    Backlog(u64),
    /// The subscriptions of a connection cannot be looked after.
    Subscriptions(ConnectionId, Trouble),
    /// So many subscriptions of a connection are in a state that somebody should know of.
    SubscriptionsAre(ConnectionId, SubscriptionState, usize),
    /// So many subscriptions of a connection were made anew lately, because Azure restricted them or had switched them off.
    SubscriptionsHealed(ConnectionId, usize),
    /// A sink takes no events, and why.
    Sink(SinkId, String, SinkTrouble),
    /// So many deliveries to a sink were given up.
    SinkDead(SinkId, String, usize),
    /// So many facts of a binding are unexplained, or so many gaps are in it.
    Incomplete {
        /// Which.
        binding: BindingId,
        /// Its project.
        project: Slug,
        /// Up to when it is complete.
        until: Option<Timestamp>,
        /// Facts that Azure's records tell.
        unexplained: u64,
        /// What must have happened and nobody tells.
        gaps: usize,
    },
    /// A binding was not compared with Azure's records lately: last up to then, or never.
    Late(BindingId, Slug, Option<Timestamp>),
    /// The states of the process of an issue provider's project are not known: the usual names are taken.
    StatesUnknown(BindingId, Slug),
    /// A binding names something that is not there, or that Azure DevOps does not show us.
    Unresolved(BindingId, Slug, String),
    /// Records that Azure DevOps lists through a connection cannot be read, and are left out.
    Unreadable(ConnectionId, Vec<OddRecords>),
    /// One token opens several organizations: these connections.
    GlobalToken(Vec<(ConnectionId, String)>),
    /// A rule of a binding can match nothing as things are.
    Doubtful(BindingId, Slug, String),
    /// A connection does not work.
    Connection {
        /// Which.
        id: ConnectionId,
        /// What people call it.
        name: String,
        /// What its last check found.
        health: Box<Health>,
    },
}

/// Why a sink takes no events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTrouble {
    /// Its settings cannot be used.
    Unusable(String),
    /// It said that it wants no more.
    Gone(String),
    /// It fails.
    Failing(String),
}

/// Sinks that take nothing, and those that have lost something.
async fn sinks_attention(app: &App, all: &mut Vec<Attention>) -> Result<(), Error> {
    for (id, kept) in &*app.directory().sinks {
        let (doing, name) = (app.dispatch.of(*id), || kept.record.name.clone());
        let trouble = match (&kept.record.state, doing) {
            (SinkState::Gone { said, .. }, _) => Some(SinkTrouble::Gone(said.clone())),
            (_, Doing { unusable: Some(why), .. }) => Some(SinkTrouble::Unusable(why)),
            (_, Doing { open_until: Some(_), failed, .. }) => {
                Some(SinkTrouble::Failing(failed.map(|(_, said)| said).unwrap_or_default()))
            }
            _ => None,
        };
        all.extend(trouble.map(|trouble| Attention::Sink(*id, name(), trouble)));
        let dead = app.store.dead(&dispatch::consumer(*id), Position(0), DEAD_COUNTED_MAX).await?;
        if !dead.is_empty() {
            all.push(Attention::SinkDead(*id, name(), dead.len()));
        }
    }
    Ok(())
}

/// Connections that do not work, those first for which somebody has to do something.
fn ailing(directory: &Directory) -> Vec<Attention> {
    let of = |state: HealthState| {
        let ailing = directory.health.iter().filter(move |(_, kept)| kept.record.state == state);
        ailing.filter_map(|(id, kept)| {
            let name = directory.connections.get(id)?.record.name.clone();
            Some(Attention::Connection { id: *id, name, health: Box::new(Health::clone(&kept.record)) })
        })
    };
    of(HealthState::NeedsAttention).chain(of(HealthState::Unreachable)).take(CONNECTIONS_SHOWN_MAX).collect()
}

/// Bindings in which something is missing, and those of which it is not known.
fn incomplete(app: &App) -> Vec<Attention> {
    let (directory, gaps) = (app.directory(), ledger::gaps(app));
    let mut all = Vec::new();
    for binding in directory.bindings.values().map(|kept| &kept.record) {
        let ledger::Reach { until, compared_until, unexplained, gaps, .. } = ledger::reach(app, binding, &gaps);
        let project = || binding.project.clone();
        if unexplained > 0 || gaps > 0 {
            all.push(Attention::Incomplete { binding: binding.id, project: project(), until, unexplained, gaps });
        }
        if ledger::is_late(app, compared_until, binding.created_at) {
            all.push(Attention::Late(binding.id, project(), compared_until));
        }
        if all.len() >= BINDINGS_SHOWN_MAX {
            break;
        }
    }
    all
}

/// Bindings whose rules can match nothing.
fn doubtful(app: &App) -> Vec<Attention> {
    let directory = app.directory();
    let known = deployments::doubts::known(app).into_iter();
    let of = |(id, detail): (BindingId, String)| {
        let project = directory.bindings.get(&id)?.record.project.clone();
        Some(Attention::Doubtful(id, project, detail))
    };
    known.filter_map(of).take(BINDINGS_SHOWN_MAX).collect()
}

/// Issue providers whose states are guessed.
fn guessing(app: &App) -> Vec<Attention> {
    let directory = app.directory();
    if app.settings.completed_states.is_some() {
        return Vec::new();
    }
    let guesses = |binding: &&Arc<Binding>| {
        let meaning = directory.meanings.get(&binding.id).map(|kept| &kept.record);
        let is_new = app.clock.now().duration_since(binding.created_at).unsigned_abs() < STATES_SOON;
        let is_known = meaning.is_some_and(|meaning| !meaning.process.is_empty());
        binding.selection.role() == Role::IssueProvider && !is_known && !is_new
    };
    let all = directory.bindings.values().map(|kept| &kept.record);
    let guessing = all.filter(guesses).take(BINDINGS_SHOWN_MAX);
    guessing.map(|binding| Attention::StatesUnknown(binding.id, binding.project.clone())).collect()
}

/// Everything that wants attention now.
pub async fn attention(app: &App) -> Result<Vec<Attention>, Error> {
    let mut all = Vec::new();
    if let Status::NotReady(reason) = app.store.status() {
        all.push(Attention::StoreNotReady(reason));
        // The log may not be readable either.
        return Ok(all);
    }
    let mut damage = app.store.damage();
    let more = damage.split_off(damage.len().min(DAMAGE_SHOWN_MAX)).len();
    all.extend(damage.into_iter().map(Attention::Damaged));
    all.extend((more > 0).then_some(Attention::MoreDamaged(more)));
    let tail = app.store.tail(Log::Notifications).borrow().0;
    let recent = Position(tail.saturating_sub(RECENT_RECORDS));
    let quarantined = Filter { state: Some(State::Quarantined), ..Filter::default() };
    let quarantined = page(app, &quarantined, recent, usize::MAX).await?.seen;
    if !quarantined.is_empty() {
        all.push(Attention::Quarantined(quarantined.len()));
    }
    let dead = app.store.dead(&translator(), Position(0), DEAD_COUNTED_MAX).await?;
    if !dead.is_empty() {
        all.push(Attention::Dead(dead.len()));
    }
    let backlog = backlog(app).await?;
    if backlog >= BACKLOG_NOTABLE {
        all.push(Attention::Backlog(backlog));
    }
    all.extend(ailing(&app.directory()));
    let odd = app.odd_records().into_iter().take(CONNECTIONS_SHOWN_MAX);
    all.extend(odd.map(|(id, odd)| Attention::Unreadable(id, odd)));
    all.extend(global_tokens(app).into_iter().take(CONNECTIONS_SHOWN_MAX).map(Attention::GlobalToken));
    let foreign = app.collections.said(&app.directory(), app.clock.now());
    all.extend(foreign.into_iter().take(CONNECTIONS_SHOWN_MAX).map(|(id, foreign)| Attention::Collection(id, foreign)));
    sinks_attention(app, &mut all).await?;
    all.extend(incomplete(app));
    all.extend(doubtful(app));
    all.extend(guessing(app));
    subscriptions_attention(app, &mut all);
    Ok(all)
}

/// Said once per connection and kind, and of each binding: /v1/subscriptions says the rest.
fn subscriptions_attention(app: &App, all: &mut Vec<Attention>) {
    let (directory, now) = (app.directory(), app.clock.now());
    let mut unresolved = 0;
    for id in directory.connections.keys() {
        let mut kinds = BTreeSet::new();
        for trouble in app.upkeep.of(*id).last().troubles {
            if let Some(binding) = trouble.binding {
                if let Some(kept) = directory.bindings.get(&binding).filter(|_| unresolved < BINDINGS_SHOWN_MAX) {
                    unresolved += 1;
                    all.push(Attention::Unresolved(binding, kept.record.project.clone(), trouble.detail));
                }
            } else if trouble.kind != TroubleKind::NoReleases && kinds.insert(trouble.kind) {
                all.push(Attention::Subscriptions(*id, trouble));
            }
        }
        let (mut states, mut healed) = (BTreeMap::<SubscriptionState, usize>::new(), 0);
        for record in directory.subscriptions_of(*id).map(|kept| &kept.record) {
            if NOTABLE_STATES.contains(&record.state) {
                *states.entry(record.state).or_default() += 1;
            }
            healed += usize::from(record.last_action.as_ref().is_some_and(|action| {
                HEALING.contains(&action.why) && now.duration_since(action.at).unsigned_abs() < HEALED_NOTABLE
            }));
        }
        all.extend(states.into_iter().map(|(state, count)| Attention::SubscriptionsAre(*id, state, count)));
        if healed > 0 {
            all.push(Attention::SubscriptionsHealed(*id, healed));
        }
    }
    all.truncate(ATTENTION_MAX);
}
