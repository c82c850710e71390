//! Breaks are looked at at once: something waits in the translation for what must come before it, so Azure is asked for
//! the records of that one entity, and what is missing is appended.
//!
//! What Azure's records do not tell either need not be waited for. If it happened while we were to hear of it, that is a
//! [`Gap`](crate::domain::Gap), which is kept and shown; if it happened before that, nobody has asked for it. While Azure
//! cannot be asked, everything waits on: the look is tried again, and the translation's own patience has an end.
//!
//! Not a sweep: a sweep compares a window and costs by its length; this costs a call or two an entity, and comes first.

mod entity;
pub mod gap;
mod mend;

use self::{
    entity::{Answer, ask},
    mend::{Mended, Mender},
};
use super::sweep::Stopped;
use crate::{
    app::{App, Kept, breaks::Break, order::Verdict},
    azure::client::{Failure, Priority},
    domain::Connection,
    store::Log,
    translate::order::Entity,
};
use std::{sync::Arc, time::Duration};

/// Breaks that are looked at at once, over all connections.
const LOOKS_MAX: usize = 4;
/// When to look again without being woken.
const IDLE: Duration = Duration::from_mins(1);

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// It is there by now.
    Came,
    /// It was appended, and becomes events before what waits for it.
    Appended,
    /// It need not be there: nobody was to hear of it, or Azure says that there is none.
    Waived,
    /// Nobody can tell it.
    Gap,
    /// Azure could not be asked; it is looked at again.
    Later,
}

/// Looks at everything that is due; answers how much that was.
pub async fn step(app: &App) -> usize {
    let mut looked = 0;
    let look_on = || async {
        let mut count = 0;
        while let Some(found) = app.breaks.take(app.clock.monotonic()) {
            look_at(app, &found).await;
            count += 1;
            if *app.stopping().borrow() {
                break;
            }
        }
        count
    };
    let all: [_; LOOKS_MAX] = std::array::from_fn(|_| look_on());
    for count in futures_util::future::join_all(all).await {
        looked += count;
    }
    gap::close(app).await;
    looked
}

/// Looks until the gateway stops.
pub async fn run(app: Arc<App>) {
    let mut stopping = app.stopping();
    while !*stopping.borrow() {
        tokio::select! {
            _ = step(&app) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let pause = app.breaks.next().map_or(IDLE, |due| due.saturating_sub(app.clock.monotonic()).min(IDLE));
        tokio::select! {
            () = app.clock.sleep(pause) => {}
            () = app.breaks.wake.notified() => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// One look, with what it means for the queue.
async fn look_at(app: &App, found: &Break) -> Looked {
    let now = || app.clock.monotonic();
    let entity = found.entity.subject();
    match look(app, found).await {
        Ok(looked) => {
            app.breaks.done(found);
            tracing::info!(connection = %found.connection, entity, ?looked, "looked at what is missing before an event");
            looked
        }
        Err(Stopped::Gone) => {
            app.breaks.done(found);
            Looked::Waived
        }
        Err(stopped) => {
            let wait = match &stopped {
                Stopped::Azure(Failure::Throttled { wait }) => Some(*wait),
                _ => None,
            };
            app.breaks.failed(found, wait, now());
            tracing::info!(connection = %found.connection, entity, %stopped, "what is missing before an event cannot be looked for now");
            Looked::Later
        }
    }
}

async fn look(app: &App, found: &Break) -> Result<Looked, Stopped> {
    if came(app, found).await? {
        return Ok(Looked::Came);
    }
    let directory = app.directory();
    let kept: &Kept<Connection> = directory.connections.get(&found.connection).ok_or(Stopped::Gone)?;
    let mender = Mender::new(app, Connection::clone(&kept.record), found);
    if mender.is_before_us() {
        return Ok(waived(app, found));
    }
    let azure = app.azure(kept, Priority::Repair)?;
    let outcome = match ask(&mender, &*azure).await? {
        Answer::Records(composed) => mender.mend(composed).await?,
        Answer::Pushes(composed) => mender.number(composed).await?,
        Answer::NothingBefore => Mended::NotOurs,
        Answer::Unknown => Mended::Missing,
    };
    match outcome {
        Mended::Here => {
            waived(app, found);
            Ok(Looked::Came)
        }
        Mended::Appended => Ok(Looked::Appended),
        Mended::NotOurs => Ok(waived(app, found)),
        Mended::Missing => {
            // First the gap: what is let go must not be forgotten by a crash in between.
            gap::open(app, found, &mender).await?;
            waived(app, found);
            Ok(Looked::Gap)
        }
    }
}

fn waived(app: &App, found: &Break) -> Looked {
    app.order.waive([found.need]);
    if matches!(found.entity, Entity::Iterations { .. }) {
        let mut memory = app.order.memory();
        if memory.verdict(found.need).is_none() {
            memory.decide(found.need, Verdict::Unknown);
        }
    }
    Looked::Waived
}

/// Whether it came by itself.
async fn came(app: &App, found: &Break) -> Result<bool, Stopped> {
    let is_there = |kept: Vec<bool>| kept.contains(&true);
    let kept = app.store.contains(Log::Events, &found.missing).await;
    kept.map(is_there).map_err(|error| Stopped::Store(error.to_string()))
}
