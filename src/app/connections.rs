//! Connections: made, changed, rotated, and removed only when somebody has seen what goes with them.

mod ca_bundle;
mod fields;
mod place;

pub use self::{
    ca_bundle::{CA_BUNDLE_BYTES_MAX, check as check_ca_bundle},
    fields::{ConnectionChange, NewConnection, NewProof, NewServicePrincipal, Secret, proxy_host},
};

use self::fields::overlap_end;
use super::{
    App, Directory, bindings,
    change::{Precondition, Refusal, Wrong, delete, put},
    checks,
    directory::Kept,
    kind, subscriptions,
};
use crate::{
    azure::GivenUrl,
    domain::{Binding, Connection, ConnectionId, Health, HealthState, HookGeneration, Role, Slug, Subscription},
    intake::{MANUAL_SUBSCRIPTION_KEY, USER_NAME_PREFIX},
    store::{Change, Expected},
};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};
use zeroize::Zeroizing;

/// Most connections of one gateway.
pub const CONNECTIONS_MAX: usize = 1_000;

/// The credentials of a hook that is made by hand.
pub struct HookCredentials {
    /// The Basic user name.
    pub user_name: String,
    /// The Basic password; derived, never stored.
    pub password: Secret,
}

/// What goes with a connection when it is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Its bindings.
    pub bindings: Vec<Arc<Binding>>,
    /// What we know of its subscriptions, which are then deleted at Azure DevOps.
    pub subscriptions: Vec<Subscription>,
    /// Projects that are left without a build provider.
    pub without_build_provider: BTreeSet<Slug>,
    /// Projects that are left without an issue provider.
    pub without_issue_provider: BTreeSet<Slug>,
    /// Whether it is the last one, so that the integration is gone.
    pub is_last: bool,
    /// What confirms exactly this removal; another change of the connection or its bindings makes another one.
    pub confirmation: String,
}

/// A connection and how it is doing.
#[derive(Debug, Clone)]
pub struct Known {
    /// The connection.
    pub connection: Kept<Connection>,
    /// What its last check found, where it was checked.
    pub health: Option<Kept<Health>>,
}

/// Makes a connection, checked first unless `check` is false; it is made whatever the check finds. `also` gives changes
/// for the same commit, made from the record.
pub async fn create(
    app: &App,
    new: NewConnection,
    check: bool,
    also: impl FnOnce(&Connection, Option<&Health>) -> Vec<Change>,
) -> Result<Known, Refusal> {
    fits(&app.directory())?;
    let may_be = new.url.may_be.clone();
    // Before the lock: Azure DevOps may take its time, and nobody else should wait for it.
    let record = place::settled(app, new.record(app), if check { &may_be } else { &[] }).await;
    let health = if check { Some(checks::examine(app, &record, &[], None).await) } else { None };
    let _changing = app.changing.lock().await;
    fits(&app.directory())?;
    let mut changes = vec![put(kind::CONNECTION, &record.id, Expected::Absent, &record)];
    changes.extend(health.as_ref().map(|health| put(kind::HEALTH, &record.id, Expected::Any, health)));
    changes.extend(also(&record, health.as_ref()));
    let versions = app.change(changes).await?;
    Ok(known(&versions, record, health))
}

fn fits(directory: &Directory) -> Result<(), Refusal> {
    let full = directory.connections.len() >= CONNECTIONS_MAX;
    if full { Err(Refusal::Full { what: "connections", max: CONNECTIONS_MAX }) } else { Ok(()) }
}

/// The record was the first of the commit's changes, its health the second.
fn known(versions: &[u64], record: Connection, health: Option<Health>) -> Known {
    let health = health.map(|health| Kept::new(versions[1], health));
    Known { connection: Kept::new(versions[0], record), health }
}

/// Changes a connection, checked first unless `check` is false. A new credential that Azure DevOps does not accept is
/// refused and the old one stays in use; any other finding is kept with the change.
pub async fn edit(
    app: &App,
    id: ConnectionId,
    precondition: &Precondition,
    change: ConnectionChange,
    check: bool,
) -> Result<Known, Refusal> {
    let directory = app.directory();
    let Known { connection: Kept { version, record }, health: before } = find_known(&directory, id)?;
    precondition.check(version)?;
    let (credential, concerned) = (change.credential(), change.concerns_health());
    let works = before.as_ref().is_some_and(|kept| kept.record.state == HealthState::Enabled);
    let may_be = match &change.url {
        Some(url) => url.may_be.clone(),
        // While nobody was let in, the server could not be asked what the URL means.
        None if credential.is_some() && !works => {
            GivenUrl::parse(record.url.as_str()).map(|url| url.may_be).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let may_be = if check { may_be } else { Vec::new() };
    let record = change.apply(app, &record).map_err(Refusal::Invalid)?;
    let record = place::settled(app, record, &may_be).await;
    let health = if check {
        // What was found at another place, or as somebody else, says nothing about this one.
        let before = before.as_ref().filter(|_| !concerned).map(|kept| &*kept.record);
        let findings = checks::findings(app, &record, directory.bindings_of(id)).await;
        if let (Some(pointer), Some(detail)) = (credential, checks::refused_credential(&record, &findings)) {
            return Err(Refusal::Invalid(vec![Wrong { pointer, detail }]));
        }
        Some(checks::judge(&record, directory.bindings_of(id), before, &findings, app.clock.now()))
    } else {
        None
    };
    // What was checked is what is kept: who changed it in the meantime goes first, whatever the precondition was.
    let _changing = app.changing.lock().await;
    let mut changes = vec![put(kind::CONNECTION, &id, Expected::Version(version), &record)];
    match &health {
        Some(health) => changes.push(put(kind::HEALTH, &id, Expected::Any, health)),
        None if concerned => {
            changes.push(Change { kind: kind::HEALTH, id: id.to_string(), expected: Expected::Any, value: None });
        }
        None => {}
    }
    let versions = app.change(changes).await?;
    let mut known = known(&versions, record, health);
    if !check && !concerned {
        known.health = before;
    }
    Ok(known)
}

/// Raises the generation of the hook's password; the one before it is accepted for the overlap.
pub async fn rotate_hook_secret(app: &App, id: ConnectionId, precondition: &Precondition) -> Result<Known, Refusal> {
    let _changing = app.changing.lock().await;
    let Known { connection: Kept { version, record }, health } = find_known(&app.directory(), id)?;
    precondition.check(version)?;
    let mut record = Arc::unwrap_or_clone(record);
    record.hook =
        HookGeneration { current: record.hook.current.saturating_add(1), previous_until: Some(overlap_end(app)) };
    record.updated_at = app.clock.now();
    let versions = app.change(vec![put(kind::CONNECTION, &id, Expected::Version(version), &record)]).await?;
    Ok(Known { connection: Kept::new(versions[0], record), health })
}

/// The credentials of the hook that is made by hand.
pub fn hook_credentials(app: &App, connection: &Connection) -> HookCredentials {
    let generation = connection.hook.current;
    let password = app.hook_key.hook_password(connection.id, MANUAL_SUBSCRIPTION_KEY, generation);
    HookCredentials { user_name: hook_user_name(connection), password: Zeroizing::new(password) }
}

/// The user name alone, which is no secret.
pub fn hook_user_name(connection: &Connection) -> String {
    format!("{USER_NAME_PREFIX}.{MANUAL_SUBSCRIPTION_KEY}.{}", connection.hook.current)
}

/// What would go with it.
pub fn removal(app: &App, id: ConnectionId) -> Result<Removal, Refusal> {
    let directory = app.directory();
    find(&directory, id).map(|kept| removal_of(&directory, &kept))
}

/// Removes it and its bindings in one commit, when `confirmation` is the one that [`removal`] gave for what is there now.
pub async fn remove(
    app: &App,
    id: ConnectionId,
    precondition: &Precondition,
    confirmation: Option<&str>,
) -> Result<Removal, Refusal> {
    let _changing = app.changing.lock().await;
    let directory = app.directory();
    let kept = find(&directory, id)?;
    precondition.check(kept.version)?;
    let removal = removal_of(&directory, &kept);
    if confirmation != Some(removal.confirmation.as_str()) {
        let stale = if confirmation.is_some() { "what would go has changed since; " } else { "" };
        return Err(Refusal::Unconfirmed(format!(
            "{stale}read /v1/connections/{id}/removal, which says what would go, and send its confirmation as ?confirm="
        )));
    }
    let mut changes = vec![delete(kind::CONNECTION, &id, kept.version)];
    changes.push(Change { kind: kind::HEALTH, id: id.to_string(), expected: Expected::Any, value: None });
    let bindings = bindings::with_their_own(&directory, |binding| binding.connection == id);
    changes.extend(bindings.map(|binding| delete(kind::BINDING, &binding.record.id, binding.version)));
    changes.extend(directory.subscriptions_of(id).map(subscriptions::removal));
    app.change(changes).await?;
    Ok(removal)
}

/// The connection with this id and how it is doing.
pub fn find_known(directory: &Directory, id: ConnectionId) -> Result<Known, Refusal> {
    let connection = find(directory, id)?;
    Ok(Known { connection, health: directory.health.get(&id).cloned() })
}

/// The connection with this id.
pub fn find(directory: &Directory, id: ConnectionId) -> Result<Kept<Connection>, Refusal> {
    directory.connections.get(&id).cloned().ok_or(Refusal::NotFound("connection"))
}

fn removal_of(directory: &Directory, kept: &Kept<Connection>) -> Removal {
    let id = kept.record.id;
    let mut digest = Sha256::new();
    digest.update(id.0.as_bytes());
    digest.update(kept.version.to_be_bytes());
    let (mut bindings, mut builds, mut issues) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for binding in bindings::with_their_own(directory, |binding| binding.connection == id) {
        digest.update(binding.record.id.0.as_bytes());
        digest.update(binding.version.to_be_bytes());
        match binding.record.selection.role() {
            Role::BuildProvider if binding.record.code_deployment.is_some() => {}
            Role::CodeDeployment => {}
            Role::BuildProvider => drop(builds.insert(binding.record.project.clone())),
            Role::IssueProvider => drop(issues.insert(binding.record.project.clone())),
        }
        bindings.push(Arc::clone(&binding.record));
    }
    let confirmation = digest.finalize()[..8].iter().fold("remove-".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Removal {
        bindings,
        // Not in the confirmation: they are looked after by themselves and may change while somebody reads.
        subscriptions: directory.subscriptions_of(id).map(|kept| Subscription::clone(&kept.record)).collect(),
        without_build_provider: builds,
        without_issue_provider: issues,
        is_last: directory.connections.len() == 1,
        confirmation,
    }
}
