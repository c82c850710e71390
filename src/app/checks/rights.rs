//! Which rights on service hooks our identity has, as far as the server says.
//!
//! No scope of a token is documented for `GET _apis/permissions/…` (vsts-rest-api-specs, security), so a token with the
//! scopes that we need may well be refused there. The refusal is remembered: each one costs the call and those that it is
//! held against, and says nothing new until the connection is another one.

use crate::{
    app::App,
    azure::client::{AzureDevOps, Failure, Permission},
    domain::{Connection, ConnectionId},
};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use uuid::Uuid;

/// How long a server that does not say is not asked again.
const REMEMBERED: Duration = Duration::from_hours(24);

/// The rights that a server does not name, by connection.
#[derive(Debug, Default)]
pub struct Rights(Mutex<HashMap<ConnectionId, Unsaid>>);

#[derive(Debug)]
struct Unsaid {
    /// Of the connection that was refused: when it was last changed.
    changed_at: Timestamp,
    at: Duration,
    failure: Failure,
}

impl Rights {
    fn unsaid(&self) -> MutexGuard<'_, HashMap<ConnectionId, Unsaid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks again next time: somebody wants to know.
    pub fn forget(&self, connection: ConnectionId) {
        self.unsaid().remove(&connection);
    }
}

/// Whether we hold a right, in a project or in the whole collection.
///
/// # Errors
/// That the server does not say, now or lately.
pub async fn may(
    app: &App,
    connection: &Connection,
    client: &dyn AzureDevOps,
    permission: Permission,
    project: Option<Uuid>,
) -> Result<bool, Failure> {
    let (id, changed_at, now) = (connection.id, connection.updated_at, app.clock.monotonic());
    if let Some(unsaid) = app.rights.unsaid().get(&id)
        && unsaid.changed_at == changed_at
        && now.saturating_sub(unsaid.at) < REMEMBERED
    {
        return Err(unsaid.failure.clone());
    }
    let said = client.may(permission, project).await;
    if let Err(failure) = &said
        && (failure.is_of_the_thing() || matches!(failure, Failure::Unauthorized { .. }))
    {
        let directory = app.directory();
        let mut all = app.rights.unsaid();
        all.retain(|id, _| directory.connections.contains_key(id));
        all.insert(id, Unsaid { changed_at, at: now, failure: failure.clone() });
    }
    said
}
