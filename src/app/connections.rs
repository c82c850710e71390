//! Connections: made, changed, rotated, and removed only when somebody has seen what goes with them.

use super::{
    App, Directory,
    change::{Precondition, Refusal, Wrong, delete, put},
    directory::Kept,
    kind, subscriptions,
};
use crate::{
    azure::CollectionUrl,
    domain::{
        Binding, Connection, ConnectionId, Header, HookGeneration, HookMode, Role, Sealed, SignatureCheck, Slug,
        Subscription,
    },
    intake::{MANUAL_SUBSCRIPTION_KEY, USER_NAME_PREFIX},
    store::{Change, Expected},
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fmt::Write as _};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Most connections of one gateway.
pub const CONNECTIONS_MAX: usize = 1_000;

/// A secret that a client gave, until it is sealed.
pub type Secret = Zeroizing<String>;

/// What a new connection is made of. Several may have the same URL: two tokens with different rights are two connections.
pub struct NewConnection {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The organization or collection.
    pub url: CollectionUrl,
    /// The personal access token.
    pub token: Option<Secret>,
    /// Extra headers, by name.
    pub headers: Vec<(String, Secret)>,
    /// The collection's GUID.
    pub collection_id: Option<Uuid>,
    /// The relay's signature secret.
    pub signature_secret: Option<Secret>,
}

/// What is changed; `None` leaves it, `Some(None)` takes it away.
#[derive(Default)]
pub struct ConnectionChange {
    /// What people call it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<Option<String>>,
    /// The organization or collection.
    pub url: Option<CollectionUrl>,
    /// The personal access token.
    pub token: Option<Option<Secret>>,
    /// All extra headers.
    pub headers: Option<Vec<(String, Secret)>>,
    /// The collection's GUID.
    pub collection_id: Option<Option<Uuid>>,
    /// The relay's signature secret; the one before it is accepted for the overlap.
    pub signature_secret: Option<Option<Secret>>,
}

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
    pub bindings: Vec<Binding>,
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

/// Makes a connection. `also` gives a change for the same commit, made from the record.
pub async fn create(
    app: &App,
    new: NewConnection,
    also: impl FnOnce(&Connection) -> Vec<Change>,
) -> Result<Kept<Connection>, Refusal> {
    let _changing = app.changing.lock().await;
    if app.directory().connections.len() >= CONNECTIONS_MAX {
        return Err(Refusal::Full { what: "connections", max: CONNECTIONS_MAX });
    }
    let (id, now) = (ConnectionId::random(), app.clock.now());
    let signature = new.signature_secret.map(|secret| SignatureCheck {
        secret: seal(app, id, "signature", &secret),
        previous: None,
        previous_until: None,
    });
    let record = Connection {
        id,
        name: new.name,
        description: new.description,
        url: new.url,
        token: new.token.map(|token| seal(app, id, "token", &token)),
        service_principal: None,
        headers: sealed_headers(app, id, new.headers),
        ca_bundle: None,
        proxy: None,
        hooks: HookMode::Managed,
        collection_id: new.collection_id,
        hook: HookGeneration { current: 1, previous_until: None },
        signature,
        created_at: now,
        updated_at: now,
    };
    let mut changes = vec![put(kind::CONNECTION, &id, Expected::Absent, &record)];
    changes.extend(also(&record));
    let versions = app.change(changes).await?;
    Ok(Kept { version: versions[0], record })
}

/// Changes a connection.
pub async fn edit(
    app: &App,
    id: ConnectionId,
    precondition: &Precondition,
    change: ConnectionChange,
) -> Result<Kept<Connection>, Refusal> {
    let _changing = app.changing.lock().await;
    let Kept { version, mut record } = find(&app.directory(), id)?;
    precondition.check(version)?;
    if let Some(url) = change.url {
        let moved = authority(&url) != authority(&record.url);
        let wrong = unmoved_secrets(moved, &record, change.token.is_some(), change.headers.is_some());
        if !wrong.is_empty() {
            return Err(Refusal::Invalid(wrong));
        }
        record.url = url;
    }
    if let Some(name) = change.name {
        record.name = name;
    }
    if let Some(description) = change.description {
        record.description = description;
    }
    if let Some(token) = change.token {
        record.token = token.map(|token| seal(app, id, "token", &token));
    }
    if let Some(headers) = change.headers {
        record.headers = sealed_headers(app, id, headers);
    }
    if let Some(collection_id) = change.collection_id {
        record.collection_id = collection_id;
    }
    if let Some(secret) = change.signature_secret {
        let sealed = secret.map(|secret| seal(app, id, "signature", &secret));
        record.signature = sealed.map(|secret| rotated_signature(app, record.signature.take(), secret));
    }
    update(app, version, record).await
}

/// Raises the generation of the hook's password; the one before it is accepted for the overlap.
pub async fn rotate_hook_secret(
    app: &App,
    id: ConnectionId,
    precondition: &Precondition,
) -> Result<Kept<Connection>, Refusal> {
    let _changing = app.changing.lock().await;
    let Kept { version, mut record } = find(&app.directory(), id)?;
    precondition.check(version)?;
    record.hook =
        HookGeneration { current: record.hook.current.saturating_add(1), previous_until: Some(overlap_end(app)) };
    update(app, version, record).await
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
    let bindings = directory.bindings.values().filter(|binding| binding.record.connection == id);
    changes.extend(bindings.map(|binding| delete(kind::BINDING, &binding.record.id, binding.version)));
    changes.extend(directory.subscriptions_of(id).map(subscriptions::removal));
    app.change(changes).await?;
    Ok(removal)
}

/// The connection with this id.
pub fn find(directory: &Directory, id: ConnectionId) -> Result<Kept<Connection>, Refusal> {
    directory.connections.get(&id).cloned().ok_or(Refusal::NotFound("connection"))
}

async fn update(app: &App, version: u64, mut record: Connection) -> Result<Kept<Connection>, Refusal> {
    record.updated_at = app.clock.now();
    let versions = app.change(vec![put(kind::CONNECTION, &record.id, Expected::Version(version), &record)]).await?;
    Ok(Kept { version: versions[0], record })
}

fn seal(app: &App, id: ConnectionId, what: &str, plain: &str) -> Sealed {
    app.keys.seal(&format!("connection/{id}/{what}"), plain.as_bytes())
}

fn sealed_headers(app: &App, id: ConnectionId, headers: Vec<(String, Secret)>) -> Vec<Header> {
    let sealed = |(name, value): (String, Secret)| {
        let value = seal(app, id, &format!("header/{name}"), &value);
        Header { name, value }
    };
    headers.into_iter().map(sealed).collect()
}

fn rotated_signature(app: &App, before: Option<SignatureCheck>, secret: Sealed) -> SignatureCheck {
    match before {
        None => SignatureCheck { secret, previous: None, previous_until: None },
        Some(before) => {
            SignatureCheck { secret, previous: Some(before.secret), previous_until: Some(overlap_end(app)) }
        }
    }
}

fn overlap_end(app: &App) -> Timestamp {
    app.clock.now().checked_add(app.settings.hook_overlap).unwrap_or(Timestamp::MAX)
}

/// Where our requests go, and with them the token.
fn authority(url: &CollectionUrl) -> Option<url::Origin> {
    Url::parse(url.as_str()).ok().map(|url| url.origin())
}

/// Secrets were given for one server. Another server gets them only from somebody who has them: otherwise whoever may
/// change a URL could have a token sent to a place of their own.
fn unmoved_secrets(moved: bool, record: &Connection, token_given: bool, headers_given: bool) -> Vec<Wrong> {
    let again = |pointer| Wrong {
        pointer,
        detail: "must be given again (or null) when url moves to another server: secrets do not follow by themselves"
            .to_owned(),
    };
    let token = (moved && record.token.is_some() && !token_given).then(|| again("/token"));
    let headers = (moved && !record.headers.is_empty() && !headers_given).then(|| again("/headers"));
    token.into_iter().chain(headers).collect()
}

fn removal_of(directory: &Directory, kept: &Kept<Connection>) -> Removal {
    let id = kept.record.id;
    let mut digest = Sha256::new();
    digest.update(id.0.as_bytes());
    digest.update(kept.version.to_be_bytes());
    let (mut bindings, mut builds, mut issues) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for binding in directory.bindings.values().filter(|binding| binding.record.connection == id) {
        digest.update(binding.record.id.0.as_bytes());
        digest.update(binding.version.to_be_bytes());
        match binding.record.selection.role() {
            Role::CodeDeployment => {}
            Role::BuildProvider => drop(builds.insert(binding.record.project.clone())),
            Role::IssueProvider => drop(issues.insert(binding.record.project.clone())),
        }
        bindings.push(binding.record.clone());
    }
    let confirmation = digest.finalize()[..8].iter().fold("remove-".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Removal {
        bindings,
        // Not in the confirmation: they are looked after by themselves and may change while somebody reads.
        subscriptions: directory.subscriptions_of(id).map(|kept| kept.record.clone()).collect(),
        without_build_provider: builds,
        without_issue_provider: issues,
        is_last: directory.connections.len() == 1,
        confirmation,
    }
}
