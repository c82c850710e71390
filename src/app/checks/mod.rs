//! Checks of connections: whether Azure DevOps is reached, accepts us, and lets us do what we need.
//!
//! [`probe`] asks, [`judge()`] draws the conclusion, [`advice`] has the words, [`watch`] asks again in the background.

pub mod advice;
mod judge;
mod probe;
mod rights;
mod schedule;
pub mod watch;

pub use self::{
    judge::{judge, refused_credential},
    probe::{Entry, Findings, Probe},
    rights::{Rights, may},
    schedule::{Plan, Seen, wait},
};

use super::{
    App, Kept,
    change::{Refusal, put},
    connections::{Known, find_known},
    kind,
};
use crate::{
    azure::client::{Failure, Priority},
    domain::{Binding, Connection, ConnectionId, Health, HealthState},
    store::Expected,
};
use jiff::SignedDuration;
use std::sync::Arc;

/// A finding that stays the same is written again when the kept one is older than this, and not before: the store keeps
/// every version for a while.
const KEPT_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// Asks with settings that are not kept yet.
pub(super) async fn findings(app: &App, connection: &Connection, bindings: &[Arc<Binding>]) -> Findings {
    probe::findings(app, app.azure_unkept(connection), connection, bindings).await
}

/// The same, with the conclusion drawn.
pub async fn examine(app: &App, connection: &Connection, bindings: &[Arc<Binding>], before: Option<&Health>) -> Health {
    let findings = findings(app, connection, bindings).await;
    judge(connection, bindings, before, &findings, app.clock.now())
}

/// Checks a kept connection now, and keeps what was found.
pub async fn check(app: &App, id: ConnectionId, priority: Priority) -> Result<Known, Refusal> {
    let directory = app.directory();
    let Known { connection, health } = find_known(&directory, id)?;
    let bindings = directory.bindings_of(id);
    if priority == Priority::Interactive {
        app.rights.forget(id);
    }
    let findings = probe::findings(app, app.azure(&connection, priority), &connection.record, bindings).await;
    let before = health.map(|kept| kept.record);
    let found = if let (Entry::Failed(Failure::Throttled { .. }), Some(before)) = (&findings.entry, &before)
        && before.state == HealthState::Enabled
    {
        // That we ask too much says nothing new about the connection.
        Health::clone(before)
    } else {
        judge(&connection.record, bindings, before.as_deref(), &findings, app.clock.now())
    };
    if before.as_ref().is_none_or(|before| before.state != found.state) {
        tell(&connection.record, &found);
    }
    keep(app, &connection, found, priority == Priority::Interactive).await
}

/// Keeps it, unless the connection was changed or removed while it was being checked: then it speaks of another one.
/// Somebody who asked sees `anew` when it was.
async fn keep(app: &App, checked: &Kept<Connection>, found: Health, anew: bool) -> Result<Known, Refusal> {
    let _changing = app.changing.lock().await;
    let id = checked.record.id;
    let Known { connection, health: before } = find_known(&app.directory(), id)?;
    if connection.version != checked.version {
        return Ok(Known { connection, health: before });
    }
    if let Some(before) = before.as_ref().filter(|before| !anew && is_still_fresh(&before.record, &found)) {
        return Ok(Known { connection, health: Some(before.clone()) });
    }
    let recovered = found.state == HealthState::Enabled
        && before.as_ref().is_none_or(|before| before.record.state != HealthState::Enabled);
    let versions = app.change(vec![put(kind::HEALTH, &id, Expected::Any, &found)]).await?;
    if recovered {
        app.reconcile.notify_one();
    }
    Ok(Known { connection, health: Some(Kept::new(versions[0], found)) })
}

fn is_still_fresh(kept: &Health, found: &Health) -> bool {
    kept.agrees_with(found) && found.checked_at.duration_since(kept.checked_at) < KEPT_AGE_MAX
}

fn tell(connection: &Connection, found: &Health) {
    let (id, name, state) = (connection.id, &connection.name, found.state.word());
    let (cause, remedy) = (found.cause.as_deref().unwrap_or_default(), found.remedy.as_deref().unwrap_or_default());
    if matches!(found.state, HealthState::Enabled | HealthState::Unchecked) {
        tracing::info!(connection = %id, name, state, "a connection was checked");
    } else {
        tracing::warn!(connection = %id, name, state, cause, remedy, "a connection does not work");
    }
}
