//! Runs the jobs, one of each connection at a time.

use super::work::work;
use crate::{
    app::{App, change::delete, kind},
    domain::{Backfill, BackfillState, BindingId, ConnectionId},
    store::Change,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinSet;

/// How often it is looked for jobs that nobody said anything of.
const LOOK: Duration = Duration::from_mins(1);
/// Jobs at work at once, each of another connection.
const RUNNING_MAX: usize = 4;

/// Works until the gateway stops.
pub async fn run(app: Arc<App>) {
    let (mut stopping, mut changed) = (app.stopping(), app.backfills.changed.subscribe());
    let (mut running, mut busy) = (JoinSet::new(), BTreeMap::<tokio::task::Id, (ConnectionId, BindingId)>::new());
    while !*stopping.borrow() {
        changed.borrow_and_update();
        forget(&app).await;
        begin(&app, &mut running, &mut busy);
        let ended = tokio::select! {
            _ = changed.changed() => None,
            Some(ended) = running.join_next_with_id() => Some(ended),
            () = app.clock.sleep(LOOK) => None,
            _ = stopping.wait_for(|stopping| *stopping) => None,
        };
        let task = match ended {
            None => continue,
            Some(Ok((task, ()))) => task,
            Some(Err(error)) => {
                tracing::error!(%error, "a backfill broke off");
                error.id()
            }
        };
        if let Some((_, binding)) = busy.remove(&task) {
            app.backfills.at_work().remove(&binding);
        }
    }
    while running.join_next().await.is_some() {}
}

/// Begins the oldest job of each connection that has none at work.
fn begin(app: &Arc<App>, running: &mut JoinSet<()>, busy: &mut BTreeMap<tokio::task::Id, (ConnectionId, BindingId)>) {
    let directory = app.directory();
    let mut waiting: Vec<(Backfill, ConnectionId)> = jobs(app)
        .filter(|job| job.state == BackfillState::Running)
        .filter_map(|job| Some((directory.bindings.get(&job.binding)?.record.connection, job)))
        .map(|(connection, job)| (job, connection))
        .collect();
    waiting.sort_by_key(|(job, _)| job.started_at);
    let mut taken: BTreeSet<ConnectionId> = busy.values().map(|(connection, _)| *connection).collect();
    for (job, connection) in waiting {
        if busy.len() >= RUNNING_MAX {
            break;
        }
        if !taken.insert(connection) {
            continue;
        }
        app.backfills.at_work().insert(job.binding);
        let (worker, binding) = (Arc::clone(app), job.binding);
        let task = running.spawn(async move { work(&worker, binding).await });
        busy.insert(task.id(), (connection, binding));
    }
}

fn jobs(app: &App) -> impl Iterator<Item = Backfill> + use<> {
    let kept = app.store.list(kind::BACKFILL).into_iter();
    kept.filter_map(|(_, kept)| serde_json::from_slice(&kept.value).ok())
}

/// Takes away what is kept of bindings that are gone.
async fn forget(app: &App) {
    let directory = app.directory();
    let mut changes: Vec<Change> = Vec::new();
    for kind in [kind::BACKFILL, kind::UNEXPLAINED, kind::WATERMARK] {
        for (id, kept) in app.store.list(kind) {
            let binding = id.split('.').next().and_then(|id| id.parse::<BindingId>().ok());
            if binding.is_none_or(|binding| !directory.bindings.contains_key(&binding)) {
                changes.push(delete(kind, &id, kept.version));
            }
        }
    }
    if changes.is_empty() {
        return;
    }
    if let Err(error) = app.store.commit(changes).await {
        tracing::debug!(%error, "what is kept of removed bindings goes the next time");
    }
}
