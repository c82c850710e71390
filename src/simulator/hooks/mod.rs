//! The service hooks: who subscribed to what, and the delivery of what happened, with everything that is known to go
//! wrong with it.
//!
//! Loopback targets and Basic credentials over plain http are taken unless the switches say otherwise: a walkthrough on
//! one machine needs both. The real cloud refuses them.

mod agenda;
mod catalogue;
mod control;
mod delivery;
mod describe;
mod draft;
mod envelope;
mod history;
mod history_routes;
mod matching;
mod misbehaviour;
mod post;
mod query;
mod ruling;
mod sample;
mod state;
mod subscription;
mod subscription_routes;
mod table;
mod values;

pub(super) use self::table::ROUTES;
pub use self::{
    draft::{Draft, Inputs},
    history::{Notification, NotificationResult, NotificationStatus},
    misbehaviour::{Misbehaviour, Odds, OnProbation, Oversized, Silence, UnknownPublisher, Unviewed},
    state::Totals,
};

use self::{post::Poster, state::State};
use super::{
    instance::{Instance, locked},
    occurrence::Occurrence,
};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

/// The hooks of one simulated Azure DevOps; clones are the same ones.
#[derive(Clone)]
pub struct Hooks(Arc<Shared>);

struct Shared {
    instance: Arc<Instance>,
    /// Held for a moment, never across an await, and never while another lock of the simulator is asked for.
    state: Mutex<State>,
    poster: Poster,
    /// Raised whenever there may be something to do, or something is done.
    changed: watch::Sender<u64>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hooks").field(&self.totals()).finish()
    }
}

impl Hooks {
    pub(super) fn new(instance: &Arc<Instance>) -> Self {
        Self(Arc::new(Shared {
            instance: Arc::clone(instance),
            state: Mutex::default(),
            poster: Poster::default(),
            changed: watch::Sender::new(0),
            worker: Mutex::default(),
        }))
    }

    /// Something happened; whoever subscribed to it is told.
    pub(super) fn occurred(&self, occurrence: Occurrence) {
        let (instance, switches) = (&self.0.instance, self.0.switches());
        let mut state = self.0.state();
        state.occurred(occurrence, &switches, instance.now(), || instance.dice());
        drop(state);
        self.stir();
    }
}

impl Shared {
    /// The state, after those were disabled whose owner is gone.
    fn state(&self) -> MutexGuard<'_, State> {
        let active: BTreeSet<Uuid> = self.instance.world().people.active().collect();
        let mut state = locked(&self.state);
        state.disable_orphans(&active);
        state
    }

    fn switches(&self) -> Misbehaviour {
        self.instance.faults().hooks.clone()
    }
}
