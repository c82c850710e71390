//! What all parts of one simulated Azure DevOps share.

use super::{
    faults::Faults,
    ledger::Ledger,
    occurrence::{Occurrence, Rendering},
    options::{Edition, Options, Place},
    payload,
    world::World,
};
use crate::clock::{Clock, ManualClock};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;
use uuid::Uuid;

/// Where the lines about what happens go.
type Trace = Box<dyn Fn(&str) + Send + Sync>;

/// The shared state. Locks are held for a moment and never across an await.
pub(crate) struct Instance {
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    world: Mutex<World>,
    faults: Mutex<Faults>,
    ledger: Mutex<Ledger>,
    origin: RwLock<String>,
    throws: AtomicU64,
    trace: RwLock<Option<Trace>>,
    winder: RwLock<Option<Arc<ManualClock>>>,
}

/// A panic while a lock was held leaves plain data that is no worse than a fault.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As finely as Azure writes times down.
fn to_microseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

impl Instance {
    pub(super) fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        let world = World::new(&options, to_microseconds(clock.now()));
        Self {
            options,
            clock,
            world: Mutex::new(world),
            faults: Mutex::default(),
            ledger: Mutex::default(),
            origin: RwLock::new("https://dev.azure.com".to_owned()),
            throws: AtomicU64::new(0),
            trace: RwLock::new(None),
            winder: RwLock::new(None),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn is_server(&self) -> bool {
        matches!(self.options.edition, Edition::Server(_))
    }

    /// The world to read.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.world)
    }

    /// Changes the world now, and gives what happened by it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> (T, Vec<Occurrence>) {
        let pull_refs_fire_push = self.faults().hooks.pull_refs_fire_push;
        let mut world = self.world();
        world.now = to_microseconds(self.now());
        world.pull_refs_fire_push = pull_refs_fire_push;
        let value = change(&mut world);
        (value, world.happened())
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        locked(&self.faults)
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        locked(&self.ledger)
    }

    /// The addresses in payloads: the primary form of its URL, whatever form a request used.
    pub(crate) fn place(&self) -> Place {
        Place::new(&self.options, &self.origin())
    }

    pub(crate) fn origin(&self) -> String {
        self.origin.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn moved_to(&self, origin: &str) {
        origin.trim_end_matches('/').clone_into(&mut self.origin.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The resource and message of what happened, as they are by now, at a resource version; `None` where this event
    /// type does not have that version, or where the thing is gone without a trace.
    pub(crate) fn render(&self, occurrence: &Occurrence, resource_version: &str) -> Option<Rendering> {
        // Before the world is locked: no two locks at a time.
        let switches = self.faults().hooks.clone();
        payload::render(&self.world(), &self.place(), occurrence, resource_version, &switches)
    }

    /// `resourceContainers` of an envelope; events of no project have no `project`.
    pub(crate) fn containers(&self, project: Option<Uuid>) -> Value {
        let place = self.place();
        let base = format!("{}/", place.base);
        let mut containers = json!({"collection": {"id": place.collection, "baseUrl": base}});
        if self.is_server() {
            containers["server"] = json!({"id": self.options.server_id(), "baseUrl": format!("{}/", place.root)});
        } else {
            containers["account"] = json!({"id": place.collection, "baseUrl": base});
        }
        if let Some(project) = project {
            containers["project"] = json!({"id": project, "baseUrl": base});
        }
        containers
    }

    /// From 0 to 1, the next throw of this simulation's dice.
    pub(crate) fn dice(&self) -> f64 {
        let throw = self.throws.fetch_add(1, Ordering::Relaxed);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{}/{throw}", self.options.seed).as_bytes());
        let high = u32::from_be_bytes(id.as_bytes()[..4].try_into().expect("four bytes of sixteen"));
        f64::from(high) / f64::from(u32::MAX)
    }

    /// A line for people about what happens.
    pub(crate) fn say(&self, line: &str) {
        if let Some(trace) = &*self.trace.read().unwrap_or_else(PoisonError::into_inner) {
            trace(line);
        }
    }

    pub(super) fn trace(&self, trace: Trace) {
        *self.trace.write().unwrap_or_else(PoisonError::into_inner) = Some(trace);
    }

    pub(super) fn wind(&self, clock: Arc<ManualClock>) {
        *self.winder.write().unwrap_or_else(PoisonError::into_inner) = Some(clock);
    }

    /// Moves the clock; false where time goes by itself.
    pub(super) fn advance(&self, by: Duration) -> bool {
        let winder = self.winder.read().unwrap_or_else(PoisonError::into_inner);
        winder.as_ref().map(|clock| clock.advance(by)).is_some()
    }
}
