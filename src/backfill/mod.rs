//! Backfills: a binding is filled with what happened before it was there, or in a stretch that somebody names.
//!
//! A job goes through its window in slices, oldest first, each kind of record by itself; a slice is a sweep. After each
//! slice its progress is committed and the ledger gets its hours, so a killed gateway goes on where it was, at worst with
//! the same slice again, which finds what it had made good. One job of a connection runs at a time, at bulk priority: what
//! is current goes first on the identity's budget. Memory is that of a page: slices grow and shrink with what is in them.
//!
//! [`control`] begins, resumes and cancels; [`work`] is one job; [`worker`] runs them. Not promised: that a fact which
//! Azure's records have forgotten comes back, and the order in which events of different entities are appended.

pub mod control;
mod slice;
pub mod work;
pub mod worker;

use crate::domain::BindingId;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// What the process knows of the jobs.
#[derive(Debug, Default)]
pub struct Backfills {
    /// Counts the changes of jobs by people: wakes the worker, and a job that was cancelled.
    changed: watch::Sender<u64>,
    at_work: Mutex<BTreeSet<BindingId>>,
}

impl Backfills {
    /// Whether a job is being worked on; one that runs and is not waits for its turn.
    pub fn is_at_work(&self, binding: BindingId) -> bool {
        self.at_work().contains(&binding)
    }

    /// Says that jobs were begun or cancelled.
    pub fn changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn at_work(&self) -> MutexGuard<'_, BTreeSet<BindingId>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
