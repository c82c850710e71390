//! The running gateway: its store, its secrets, its clock, and decoded copies of what the registry holds.

mod arrivals;
pub mod attention;
pub mod bindings;
pub mod breaks;
pub mod change;
pub mod checks;
mod clients;
pub mod collections;
pub mod connections;
mod directory;
pub mod discovery;
pub mod events;
pub mod first_token;
mod global_tokens;
pub mod idempotency;
pub mod notifications;
pub mod numbers;
pub mod order;
pub(crate) mod otherwise;
pub mod projects;
pub mod replay;
pub mod retention;
pub(crate) mod revisions;
pub mod rhythm;
pub mod sinks;
mod strangers;
pub mod subscriptions;
pub mod tokens;
mod workers;

pub use self::{
    arrivals::Arrivals,
    clients::ANSWER_TIMEOUT,
    directory::{Directory, Kept},
    strangers::Strangers,
    workers::Workers,
};

use crate::{
    azure::client::Dial,
    backfill::Backfills,
    clock::Clock,
    config::Settings,
    deployments::Book as Deployments,
    dispatch::Board,
    ledger::Book,
    metrics::Metrics,
    reconcile::Upkeep,
    recover::Desk,
    relations::Relations,
    secrets::{DerivingKey, Keys, Unopenable},
    store::{Change, Error, Expected, Store},
    survey::job::Surveys,
};
use std::sync::{Arc, OnceLock, RwLock};
use tokio::sync::{Notify, watch};

/// Registry kinds. They are on disk: never rename one.
pub mod kind {
    /// [`crate::domain::Connection`] by id.
    pub const CONNECTION: &str = "connection";
    /// [`crate::domain::Project`] by slug.
    pub const PROJECT: &str = "project";
    /// [`crate::domain::Binding`] by id.
    pub const BINDING: &str = "binding";
    /// [`crate::domain::Token`] by id.
    pub const TOKEN: &str = "token";
    /// [`crate::domain::Subscription`] by connection and key.
    pub const SUBSCRIPTION: &str = "subscription";
    /// [`crate::domain::Meaning`] by binding.
    pub const MEANING: &str = "meaning";
    /// Sealed keys by name.
    pub const SECRET: &str = "secret";
    /// [`crate::domain::Health`] by the connection's id.
    pub const HEALTH: &str = "health";
    /// [`crate::domain::Watermark`] by binding and stream.
    pub const WATERMARK: &str = "watermark";
    /// Up to when the history of a connection's subscriptions was looked at, by the connection's id.
    pub const LOOK: &str = "look";
    /// [`crate::domain::Gap`] by an id made of what is missing.
    pub const GAP: &str = "gap";
    /// [`crate::domain::Sink`] by id.
    pub const SINK: &str = "sink";
    /// What each subscription is used to, by subscription key, by connection and the first character of the keys.
    pub const RHYTHM: &str = "rhythm";
    /// [`crate::domain::Backfill`] by binding.
    pub const BACKFILL: &str = "backfill";
    /// The ledger's newest entry.
    pub const LEDGER: &str = "ledger";
    /// Hours of the ledger with something unexplained, by binding and stream.
    pub const UNEXPLAINED: &str = "unexplained";
    /// Replies kept for a repeated `Idempotency-Key`.
    pub const IDEMPOTENCY: &str = "idempotency";
}

/// Why a gateway could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("the registry could not be read or written")]
    Store(#[source] Error),
    /// A key in the registry.
    #[error("the gateway's keys could not be opened: {0}")]
    Secret(#[source] Unopenable),
}

/// Everything that a handler or a worker needs. Shared as `Arc<App>`.
pub struct App {
    /// Plain settings.
    pub settings: Settings,
    /// The engine.
    pub store: Arc<dyn Store>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Which workers are at work.
    pub workers: Workers,
    /// What seals secrets at rest.
    pub keys: Keys,
    /// Derives the hooks' passwords.
    pub hook_key: DerivingKey,
    /// Hashes the API tokens.
    pub token_key: DerivingKey,
    /// Counts.
    pub metrics: Metrics,
    /// Who failed to authenticate, by address.
    pub strangers: Strangers,
    /// The same for hooks, apart: behind a proxy all have one address, and a hook with an old password must not lock the
    /// administrator out.
    pub hook_strangers: Strangers,
    /// Wakes the worker that looks after the subscriptions: connections or bindings have changed.
    pub reconcile: Notify,
    /// What that worker knows of each connection.
    pub upkeep: Upkeep,
    /// The rights on hooks that servers do not name.
    pub rights: checks::Rights,
    /// Where recovery is asked for things.
    pub recover: Desk,
    /// When notifications last arrived.
    pub arrivals: Arrivals,
    /// Collections that they spoke of and that are not the connection's.
    pub collections: collections::Collections,
    /// How the sinks are doing, and the way to tell their workers that something has changed.
    pub dispatch: Board,
    /// What is known of the backfills.
    pub backfills: Backfills,
    /// What is remembered of the ledger.
    pub ledger: Book,
    /// What was deployed where.
    pub deployments: Deployments,
    /// Which events have what in common.
    pub relations: Relations,
    /// The last survey of each connection.
    pub surveys: Surveys,
    /// What is remembered so that events are appended in order.
    pub order: order::Order,
    /// What is missing before something that is here.
    pub breaks: breaks::Breaks,
    /// Held while it is decided what events tell of facts that may be told already, and until they are appended: two that
    /// decide at once would choose one revision number, or tell one act twice.
    pub telling: tokio::sync::Mutex<()>,
    /// Which of their notifications the subscriptions delivered.
    pub numbers: numbers::Numbers,
    /// How often they speak.
    pub rhythms: rhythm::Rhythms,
    /// Held while a change of the registry is checked against other records and committed. Versions guard one record;
    /// rules over several (one build provider per project, bindings of a connection being removed) need this. One
    /// gateway owns the store, so a lock in its process is enough.
    changing: tokio::sync::Mutex<()>,
    /// The hash of the token that the process was started with.
    given_token: OnceLock<String>,
    replies: idempotency::Replies,
    discovery: discovery::Cache,
    clients: clients::Clients,
    stopping: watch::Sender<bool>,
    directory: RwLock<Arc<Directory>>,
}

impl App {
    /// Reads what the registry holds; makes the keys that are not there yet.
    pub async fn start(
        settings: Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        keys: Keys,
        dial: Arc<dyn Dial>,
    ) -> Result<Self, StartError> {
        let hook_key = kept_key(&*store, &keys, "hook").await?;
        let token_key = kept_key(&*store, &keys, "token").await?;
        let directory = RwLock::new(Arc::new(Directory::read(&*store, &Directory::default())));
        let (metrics, strangers, stopping) = (Metrics::default(), Strangers::default(), watch::Sender::new(false));
        let changing = tokio::sync::Mutex::default();
        Ok(Self {
            settings,
            store,
            clock,
            keys,
            hook_key,
            token_key,
            metrics,
            workers: Workers::default(),
            strangers,
            hook_strangers: Strangers::default(),
            reconcile: Notify::new(),
            upkeep: Upkeep::default(),
            rights: checks::Rights::default(),
            recover: Desk::default(),
            arrivals: Arrivals::default(),
            collections: collections::Collections::default(),
            dispatch: Board::default(),
            backfills: Backfills::default(),
            ledger: Book::default(),
            deployments: Deployments::default(),
            relations: Relations::default(),
            surveys: Surveys::default(),
            order: order::Order::default(),
            breaks: breaks::Breaks::default(),
            telling: tokio::sync::Mutex::default(),
            numbers: numbers::Numbers::default(),
            rhythms: rhythm::Rhythms::default(),
            changing,
            given_token: OnceLock::new(),
            replies: idempotency::Replies::default(),
            discovery: discovery::Cache::default(),
            clients: clients::Clients::new(dial),
            stopping,
            directory,
        })
    }

    /// What the registry holds, decoded; as fresh as the last commit that has returned.
    pub fn directory(&self) -> Arc<Directory> {
        let current = Arc::clone(&self.directory.read().unwrap_or_else(std::sync::PoisonError::into_inner));
        if current.revision == self.store.revision() {
            return current;
        }
        let fresh = Arc::new(Directory::read(&*self.store, &current));
        *self.directory.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Arc::clone(&fresh);
        fresh
    }

    /// Says that the gateway stops: streams end, workers finish their batch.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Becomes `true` once, when the gateway stops.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }
}

async fn kept_key(store: &dyn Store, keys: &Keys, name: &str) -> Result<DerivingKey, StartError> {
    let purpose = format!("secret/{name}");
    if store.get(kind::SECRET, name).is_none() {
        let sealed = keys.seal(&purpose, DerivingKey::random().as_bytes());
        let value = Some(sealed.0.into_bytes().into());
        let change = Change { kind: kind::SECRET, id: name.to_owned(), expected: Expected::Absent, value };
        match store.commit(vec![change]).await {
            // A conflict means that another gateway on the same store was first: its key is the one.
            Ok(_) | Err(Error::Conflict) => {}
            Err(e) => return Err(StartError::Store(e)),
        }
    }
    open_key(store, keys, name)
}

/// Whether these master keys open what the registry holds.
///
/// # Errors
/// `Secret` when they do not.
pub fn open_keys(store: &dyn Store, keys: &Keys) -> Result<(), StartError> {
    for name in ["hook", "token"] {
        if store.get(kind::SECRET, name).is_some() {
            open_key(store, keys, name)?;
        }
    }
    Ok(())
}

fn open_key(store: &dyn Store, keys: &Keys, name: &str) -> Result<DerivingKey, StartError> {
    let kept = store.get(kind::SECRET, name).ok_or(StartError::Secret(Unopenable))?;
    let sealed = crate::domain::Sealed(String::from_utf8_lossy(&kept.value).into_owned());
    let bytes = keys.open(&format!("secret/{name}"), &sealed).map_err(StartError::Secret)?;
    DerivingKey::from_bytes(&bytes).ok_or(StartError::Secret(Unopenable))
}
