//! What the workers tell about their sinks, for the API; in memory only.

use crate::domain::SinkId;
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// How a sink is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doing {
    /// Its settings cannot be used, and why.
    pub unusable: Option<String>,
    /// It fails and is left alone until then.
    pub open_until: Option<Timestamp>,
    /// It has asked to be left alone until then.
    pub held_until: Option<Timestamp>,
    /// When something last arrived.
    pub delivered_at: Option<Timestamp>,
    /// When something last failed, and how.
    pub failed: Option<(Timestamp, String)>,
    /// Events that wait to be tried (again).
    pub waiting: usize,
    /// The events given up because they had passed their retention, since the process began.
    pub expired: u64,
}

/// All of them, and the way to tell their workers.
#[derive(Debug, Default)]
pub struct Board {
    doing: Mutex<BTreeMap<SinkId, Doing>>,
    reload: Mutex<BTreeMap<SinkId, u64>>,
    changed: watch::Sender<u64>,
}

impl Board {
    /// How a sink is doing.
    pub fn of(&self, sink: SinkId) -> Doing {
        self.doing().get(&sink).cloned().unwrap_or_default()
    }

    /// Something about sinks has changed: their workers look.
    pub fn changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    /// Events of the sink were made to wait from outside: its worker looks what waits.
    pub fn requeued(&self, sink: SinkId) {
        *self.reload.lock().unwrap_or_else(PoisonError::into_inner).entry(sink).or_default() += 1;
        self.changed();
    }

    /// Becomes changed when something has.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// How often events were made to wait from outside.
    pub(super) fn requeues(&self, sink: SinkId) -> u64 {
        self.reload.lock().unwrap_or_else(PoisonError::into_inner).get(&sink).copied().unwrap_or_default()
    }

    pub(super) fn tell(&self, sink: SinkId, tell: impl FnOnce(&mut Doing)) {
        tell(self.doing().entry(sink).or_default());
    }

    pub(super) fn forget(&self, sink: SinkId) {
        self.doing().remove(&sink);
        self.reload.lock().unwrap_or_else(PoisonError::into_inner).remove(&sink);
    }

    fn doing(&self) -> MutexGuard<'_, BTreeMap<SinkId, Doing>> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
