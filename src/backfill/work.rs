//! One job, from where it is to its end.

use super::{control, slice};
use crate::{
    app::{App, Kept, change::put, kind},
    azure::client::{AzureDevOps, Failure, Priority, Window},
    domain::{Backfill, BackfillState, Binding, BindingId, Connection},
    ledger,
    recover::{Depth, GRACE, Mending, Order, Place, Stopped, compared, places, sweep},
    store::{Error, Expected},
};
use futures_util::FutureExt as _;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// After the first failure in a row that may pass by itself; doubled with each further one.
const RETRY_MIN: Duration = Duration::from_secs(30);
const RETRY_MAX: Duration = Duration::from_mins(30);
/// So many failures in a row, more than half a day, and a person has to look.
const FAILURES_MAX: u32 = 32;
/// How long to wait for the reconciler to find out what the names in a binding mean.
const UNRESOLVED: Duration = Duration::from_secs(10);

/// Why a slice is not done.
enum Undone {
    /// It may be the next time; not before so long.
    Later(String, Duration),
    /// Only when somebody has done something.
    Never(String),
    /// Nobody wants it any more, or the gateway stops.
    Unwanted,
}

/// Works until the job is done, cancelled or failed, or the gateway stops.
pub async fn work(app: &App, binding: BindingId) {
    let mut failures = 0_u32;
    while let Some(job) = running(app, binding) {
        let (mut stopping, mut changed) = (app.stopping(), app.backfills.changed.subscribe());
        if *stopping.borrow() {
            return;
        }
        changed.borrow_and_update();
        // What is left of a slice that is cut off here is found by the next one: it appends under the same keys.
        tokio::select! {
            ended = step(app, &job, &mut failures) => if ended { return },
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = until_unwanted(app, binding, changed) => return,
        }
    }
}

/// One slice, and the wait after a failure; answers whether there is nothing more to do.
async fn step(app: &App, job: &Kept<Backfill>, failures: &mut u32) -> bool {
    let binding = job.record.binding;
    match one(app, job).await {
        Ok(()) => *failures = 0,
        Err(Undone::Unwanted) => return true,
        Err(Undone::Never(reason)) => fail(app, binding, reason).await,
        Err(Undone::Later(reason, wait)) => {
            *failures += 1;
            if *failures >= FAILURES_MAX {
                fail(app, binding, reason).await;
                return false;
            }
            tracing::warn!(%binding, reason, failures, "a backfill waits");
            let pause = RETRY_MIN.saturating_mul(1 << (*failures - 1).min(10)).min(RETRY_MAX);
            app.clock.sleep(if wait.is_zero() { pause } else { wait }).await;
        }
    }
    false
}

fn running(app: &App, binding: BindingId) -> Option<Kept<Backfill>> {
    control::find(app, binding).filter(|job| job.record.state == BackfillState::Running)
}

/// Ready when the job does not run any more.
async fn until_unwanted(app: &App, binding: BindingId, mut changed: tokio::sync::watch::Receiver<u64>) {
    while changed.changed().await.is_ok() {
        if running(app, binding).is_none() {
            return;
        }
    }
    // The sender lives as long as the app.
    std::future::pending::<()>().await;
}

/// The next slice of a job.
struct Slice {
    /// Of which of its streams.
    at: usize,
    window: Window,
    binding: Binding,
    connection: Kept<Connection>,
    azure: Arc<dyn AzureDevOps>,
    /// What is swept; `None` where there is no such kind of record, as with classic releases.
    order: Option<Order>,
}

/// The slice of the stream that is furthest behind; `None` at the end.
fn planned(app: &App, job: &Backfill) -> Result<Option<Slice>, Undone> {
    let next = job.streams.iter().enumerate().filter_map(|(at, stream)| Some((at, slice::next(stream, job.to)?)));
    let Some((at, window)) = next.min_by_key(|(_, window)| window.from) else { return Ok(None) };
    let directory = app.directory();
    let binding = directory.bindings.get(&job.binding).ok_or(Undone::Unwanted)?;
    let connection = directory.connections.get(&binding.record.connection).ok_or(Undone::Unwanted)?;
    if directory.meaning(&binding.record).is_none() {
        let reason = "it is not known yet what the names in the binding mean at Azure DevOps";
        return Err(Undone::Later(reason.to_owned(), UNRESOLVED));
    }
    let azure = app.azure(connection, Priority::Bulk).map_err(undone)?;
    let stream = &job.streams[at];
    let of_binding =
        |(place, of): &(Place, BTreeSet<BindingId>)| place.stream == stream.stream && of.contains(&job.binding);
    let place = places(&directory, binding.record.connection).into_iter().find(of_binding);
    let order = place.map(|(place, _)| Order {
        place,
        bindings: BTreeSet::from([job.binding]),
        window,
        grace: GRACE,
        depth: Depth::Everything,
        mending: Mending::MendAndWait,
        bookmark: stream.bookmark.clone(),
    });
    let (binding, connection) = (Binding::clone(&binding.record), connection.clone());
    Ok(Some(Slice { at, window, binding, connection, azure, order }))
}

/// One slice, or the end.
async fn one(app: &App, job: &Kept<Backfill>) -> Result<(), Undone> {
    let (mut made, began) = (Backfill::clone(&job.record), app.clock.monotonic());
    let Some(Slice { at, window, binding, connection, azure, order }) = planned(app, &made)? else {
        made.state = BackfillState::Done;
        made.updated_at = app.clock.now();
        tracing::info!(binding = %made.binding, "a backfill is done");
        return keep(app, job, made).await;
    };
    let stream = made.streams[at].stream;
    if let Some(order) = &order {
        // Boxed: a future as deep as this one is too much for the compiler's proof that it is `Send`.
        let swept = sweep(app, &connection, &*azure, order).boxed().await.map_err(stopped)?;
        ledger::note_sweep(app, stream, &order.bindings, &swept).await.map_err(store)?;
        let reached = (made.from, swept.window.to);
        slice::taken(&mut made.streams[at], made.binding, window, &swept.tally, swept.bookmark);
        if made.streams[at].until >= made.to {
            // Where it reaches what was compared since the binding is there, that is complete from the job's beginning on.
            compared(app, std::iter::once(&binding), stream, reached, None).await.map_err(store)?;
        }
    } else {
        made.streams[at].until = made.to;
    }
    made.worked += app.clock.monotonic().saturating_sub(began);
    made.updated_at = app.clock.now();
    keep(app, job, made).await
}

fn stopped(stopped: Stopped) -> Undone {
    match stopped {
        Stopped::Azure(failure) => undone(failure),
        Stopped::Store(reason) => Undone::Later(reason, Duration::ZERO),
        Stopped::Gone | Stopped::Stopping => Undone::Unwanted,
    }
}

/// What passes by itself is tried again; what only somebody can mend is not.
fn undone(failure: Failure) -> Undone {
    match &failure {
        Failure::Throttled { wait } => Undone::Later(failure.to_string(), *wait),
        Failure::Unreachable { .. } | Failure::Unavailable { .. } | Failure::Unexpected { .. } => {
            Undone::Later(failure.to_string(), Duration::ZERO)
        }
        Failure::Settings(_)
        | Failure::Unauthorized { .. }
        | Failure::Forbidden { .. }
        | Failure::NotFound { .. }
        | Failure::Refused { .. } => Undone::Never(failure.to_string()),
    }
}

fn store(error: Error) -> Undone {
    Undone::Later(error.to_string(), Duration::ZERO)
}

/// Writes progress. A job that was changed meanwhile is read again.
async fn keep(app: &App, job: &Kept<Backfill>, made: Backfill) -> Result<(), Undone> {
    let change = put(kind::BACKFILL, &made.binding, Expected::Version(job.version), &made);
    match app.store.commit(vec![change]).await {
        Ok(_) | Err(Error::Conflict) => Ok(()),
        Err(error) => Err(store(error)),
    }
}

async fn fail(app: &App, binding: BindingId, reason: String) {
    let Some(job) = running(app, binding) else { return };
    tracing::warn!(%binding, reason, "a backfill failed; it goes on where it was when it is begun again");
    let failed = Backfill {
        state: BackfillState::Failed { reason },
        updated_at: app.clock.now(),
        ..Backfill::clone(&job.record)
    };
    // Where even this cannot be written it is tried again, and fails again.
    let _ = keep(app, &job, failed).await;
}
