//! The simulated Azure DevOps: a model of an organization or collection that is changed by calls, answers REST, tells its
//! service hooks, and does wrong when it is told to.
//!
//! What happens is an [`occurrence::Occurrence`]; the model makes them, `hooks` deliver them, and what they show is
//! rendered when it is delivered, as Azure does.

mod busy;
mod changes;
mod faults;
mod forget;
mod hooks;
mod instance;
mod ledger;
mod occurrence;
mod options;
mod organization;
mod payload;
mod people;
mod rest;
mod runs;
mod site;
mod staff;
mod world;

pub use self::{
    faults::{CommitsPagedBy, Failing, Faults, RateLimit, Refusal, Rule, ScopeRefusal, Throttle, When},
    forget::{Entity, Forget},
    hooks::{
        Draft, Hooks, Inputs, Misbehaviour, Notification, NotificationResult, NotificationStatus, Odds, OnProbation,
        Oversized, Silence, Totals, UnknownPublisher, Unviewed,
    },
    ledger::Recorded,
    options::{Edition, Options, ServerVersion},
    organization::{Delivery, Organization},
    people::{Scope, TokenState, tokens},
    rest::{ADMIN_ROUTES, tower_service},
    world::{Edit, Fill, Impossible, MergeStrategy, RefChange, StartedBy},
};

/// Whether a query for work items can be read.
#[cfg(any(test, fuzzing))]
pub(crate) fn reads_wiql(query: &str) -> bool {
    rest::wiql::reads(query)
}

use self::instance::Instance;
use crate::clock::{Clock, ManualClock};
use std::sync::Arc;

/// A simulated Azure DevOps; clones are the same one.
#[derive(Clone)]
pub struct Simulator {
    pub(crate) instance: Arc<Instance>,
    pub(crate) hooks: Hooks,
}

impl Simulator {
    /// Populated, and on the way from `clock`'s now.
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        let instance = Arc::new(Instance::new(options, clock));
        let hooks = Hooks::new(&instance);
        Self { instance, hooks }
    }

    /// Says in replies and payloads that it is at `origin`, such as `http://127.0.0.1:9090`.
    pub fn moved_to(&self, origin: &str) {
        self.instance.moved_to(origin);
    }

    /// Its service hooks.
    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Lets a stretch of time be as if nothing had been written down in it.
    pub fn forget(&self, forget: Forget) {
        self.fail(|faults| faults.forget.push(forget));
    }

    /// Changes the switches for what goes wrong.
    pub fn fail(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.instance.faults());
    }

    /// The last calls, oldest first.
    pub fn calls(&self) -> Vec<Recorded> {
        self.instance.ledger().calls()
    }

    /// Where it is, as a connection takes it.
    pub fn url(&self) -> String {
        self.instance.place().base
    }

    /// Calls, and throughput units, since the beginning.
    pub fn totals(&self) -> (u64, f64) {
        self.instance.ledger().totals()
    }

    /// Lets `POST /_simulator/clock` move the clock that this simulation goes by.
    pub fn wind(&self, clock: Arc<ManualClock>) {
        self.instance.wind(clock);
    }

    /// Hands a line about each request and delivery to `trace`.
    pub fn trace(&self, trace: impl Fn(&str) + Send + Sync + 'static) {
        self.instance.trace(Box::new(trace));
    }

    /// Changes the model, and tells the hooks what happened.
    fn change<T>(&self, change: impl FnOnce(&mut world::World) -> T) -> T {
        let (value, happened) = self.instance.change(change);
        for occurrence in happened {
            self.hooks.occurred(occurrence);
        }
        value
    }
}
