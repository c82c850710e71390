//! Checks again in the background: what broke is seen, and what was mended is cleared without anybody asking.

use super::{
    super::App,
    check,
    schedule::{Plan, Seen},
};
use crate::{
    azure::client::Priority,
    domain::{ConnectionId, HealthState},
};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How often it is looked who is due.
const TICK: Duration = Duration::from_secs(5);
/// Connections checked at once: most of a check is waiting.
const CHECKS_AT_ONCE_MAX: usize = 8;

/// Checks whoever is due, until the gateway stops.
pub async fn run(app: Arc<App>) {
    let mut stopping = app.stopping();
    let mut watch = Watch::new(&app);
    loop {
        tokio::select! {
            // First, so that a full list of connections does not keep it from stopping.
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = watch.round(&app) => {}
        }
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = app.clock.sleep(TICK) => {}
        }
    }
}

/// What is planned.
pub struct Watch {
    started_at: Timestamp,
    plans: BTreeMap<ConnectionId, Plan>,
}

impl Watch {
    /// With nothing planned: everything is due.
    pub fn new(app: &App) -> Self {
        Self { started_at: app.clock.now(), plans: BTreeMap::new() }
    }

    /// Checks all that are due now.
    pub async fn round(&mut self, app: &App) {
        let (directory, now) = (app.directory(), app.clock.monotonic());
        self.plans.retain(|id, _| directory.connections.contains_key(id));
        let mut due = Vec::new();
        for (id, connection) in &*directory.connections {
            let seen = Seen { connection: connection.version, bindings: directory.bindings_of(*id).len() };
            let plan = self.plans.get(id);
            if plan.is_none_or(|plan| plan.seen.connection != seen.connection)
                && let Some(health) = directory.health.get(id)
                && health.record.checked_at >= connection.record.updated_at
                && health.record.checked_at > self.started_at
            {
                // Whoever made or changed it has just had it checked.
                self.plans.insert(*id, Plan::after(None, *id, seen, health.record.state, now));
            } else if Plan::is_due(plan, seen, now) {
                due.push((*id, seen));
            }
        }
        let mut checks = stream::iter(due)
            .map(|(id, seen)| async move { (id, seen, state(app, id).await) })
            .buffer_unordered(CHECKS_AT_ONCE_MAX);
        while let Some((id, seen, state)) = checks.next().await {
            let plan = Plan::after(self.plans.get(&id), id, seen, state, app.clock.monotonic());
            self.plans.insert(id, plan);
        }
    }
}

/// A check that could not be kept is one that failed: it is tried again soon.
async fn state(app: &App, id: ConnectionId) -> HealthState {
    match check(app, id, Priority::Repair).await {
        Ok(known) => known.health.map_or(HealthState::Unchecked, |health| health.record.state),
        Err(refusal) => {
            tracing::warn!(connection = %id, error = %refusal, "a check could not be kept");
            HealthState::Unreachable
        }
    }
}
