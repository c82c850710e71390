//! Names in a binding that Azure DevOps does not have: the reply that makes or changes the binding lists them.

use super::super::{
    extract::Call,
    problem::{FieldError, Kind, Problem},
};
use crate::{
    app::{App, Kept, change::Wrong, discovery},
    azure::client::Priority,
    deployments::doubts::{self, WAIT, doubts as looked},
    domain::{AzureScope, Binding, HealthState},
};

/// The doubts; nothing where nobody could be asked.
pub(in super::super) struct Doubts(Option<Vec<Wrong>>);

/// Whether it is refused for its doubts.
pub(super) fn strict(call: &Call) -> Result<bool, Problem> {
    let mut query = call.query(&["strict"])?;
    let strict = query.parsed("strict", "true or false").unwrap_or_default();
    query.finish()?;
    Ok(strict)
}

/// Asks, where it is known that there is an answer: nobody waits for a connection that does not work.
pub(super) async fn of(app: &App, binding: &Binding, strict: bool) -> Result<Doubts, Problem> {
    let directory = app.directory();
    let Some(connection) = directory.connections.get(&binding.connection) else { return Ok(Doubts(None)) };
    let health = directory.health.get(&binding.connection).map(|kept| kept.record.state);
    if !strict && health != Some(HealthState::Enabled) {
        return Ok(Doubts(None));
    }
    match app.in_time(WAIT, looked(app, binding, Priority::Interactive)).await {
        Ok(found) if strict && !found.is_empty() => {
            Err(Problem::listing(Kind::Conflict, found.iter().map(said).collect()))
        }
        Ok(found) => Ok(Doubts(Some(found))),
        Err(failure) if strict => Err(discovery::failed(connection, AzureScope::ProjectAndTeam, failure).into()),
        Err(_) => Ok(Doubts(None)),
    }
}

fn said(wrong: &Wrong) -> FieldError {
    FieldError::member(wrong.pointer, wrong.detail.clone())
}

impl Doubts {
    /// For attention, until somebody looks again.
    pub(super) fn note(&self, app: &App, kept: &Kept<Binding>) {
        if let Some(found) = &self.0 {
            doubts::note(app, kept.record.id, kept.version, found);
        }
    }

    pub(in super::super) fn errors(&self) -> Vec<FieldError> {
        self.0.iter().flatten().map(said).collect()
    }
}
