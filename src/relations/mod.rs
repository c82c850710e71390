//! What belongs together: commits, pull requests, work items, runs and deployments, through the events that tell of them.
//!
//! ```text
//! log "events" ─▶ follow ─▶ index: thing ⇄ places of events ─▶ walk: GET /v1/events/{id}/related
//!                                                           ├▶ builds: GET /v1/projects/{slug}/builds?sha=
//!                                                           └▶ work_item: GET /v1/projects/{slug}/work-items/{number}
//! ```
//!
//! [`thing`] and [`index`] are pure. The index is in memory and bounded; it is the log's and can be lost: rebuilt from the
//! journal it is what it was kept live. No event is changed for a relation that became known later.

mod builds;
mod events;
mod follow;
pub mod index;
pub mod thing;
pub mod told;
mod walk;
mod work_item;

pub use self::{
    builds::{Builds, HAPPENINGS_MAX, Happening, RUNS_MAX, Run, RunState, builds},
    events::events,
    follow::{catch_up, is_near, run},
    index::{Cut, Index, PAIRS_MAX, THING_EVENTS_MAX},
    walk::{Near, Related, related},
    work_item::{Transition, WORK_ITEM_EVENTS_MAX, WorkItem, work_item},
};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the process remembers of it.
#[derive(Debug, Default)]
pub struct Relations {
    index: Mutex<Index>,
    /// Held while the log is read on, so that it is read once.
    reading: tokio::sync::Mutex<()>,
}

impl Relations {
    /// The index, locked; never across an await.
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
