//! What a connection is made of, and what a change makes of it. Here the client's secrets are sealed.

use crate::{
    app::{App, change::Wrong},
    azure::{CollectionUrl, GivenUrl},
    domain::{
        Connection, ConnectionId, Delivery, Header, HookGeneration, HookMode, ManagedIdentity, PrincipalProof, Sealed,
        ServicePrincipal, SignatureCheck,
    },
};
use jiff::Timestamp;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

/// A secret that a client gave, until it is sealed.
pub type Secret = Zeroizing<String>;

/// A service principal as a client gives it.
pub struct NewServicePrincipal {
    /// The Entra tenant.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// The proof of it.
    pub proof: NewProof,
    /// Where its tokens come from.
    pub authority: Option<Url>,
}

/// The proof of a service principal, as a client gives it.
pub enum NewProof {
    /// A client secret.
    ClientSecret(Secret),
    /// A private key and its certificate, in PEM.
    Certificate(Secret),
    /// A federated token, which the machine has in a file.
    FederatedToken,
}

/// What a new connection is made of. Several may have the same URL: two tokens with different rights are two connections.
pub struct NewConnection {
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The organization or collection.
    pub url: GivenUrl,
    /// The personal access token; not together with a service principal.
    pub token: Option<Secret>,
    /// Instead of the token.
    pub service_principal: Option<NewServicePrincipal>,
    /// Instead of both.
    pub managed_identity: Option<ManagedIdentity>,
    /// Extra headers, by name.
    pub headers: Vec<(String, Secret)>,
    /// Certificates in PEM.
    pub ca_bundle: Option<String>,
    /// The proxy's URL.
    pub proxy: Option<Secret>,
    /// Who makes the hooks.
    pub hooks: HookMode,
    /// Whether hooks accept untrusted certificates.
    pub accept_untrusted_certs: Option<bool>,
    /// How we hear of what happens.
    pub delivery: Delivery,
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
    pub url: Option<GivenUrl>,
    /// The personal access token; takes the place of another credential, as each of the two after it does.
    pub token: Option<Option<Secret>>,
    /// A service principal.
    pub service_principal: Option<Option<NewServicePrincipal>>,
    /// The machine's identity.
    pub managed_identity: Option<Option<ManagedIdentity>>,
    /// All extra headers.
    pub headers: Option<Vec<(String, Secret)>>,
    /// Certificates in PEM.
    pub ca_bundle: Option<Option<String>>,
    /// The proxy's URL.
    pub proxy: Option<Option<Secret>>,
    /// Who makes the hooks.
    pub hooks: Option<HookMode>,
    /// Whether hooks accept untrusted certificates.
    pub accept_untrusted_certs: Option<Option<bool>>,
    /// How we hear of what happens.
    pub delivery: Option<Delivery>,
    /// The collection's GUID.
    pub collection_id: Option<Option<Uuid>>,
    /// The relay's signature secret; the one before it is accepted for the overlap.
    pub signature_secret: Option<Option<Secret>>,
}

impl ConnectionChange {
    /// The member that brings another credential.
    pub(super) fn credential(&self) -> Option<&'static str> {
        match (&self.token, &self.service_principal, &self.managed_identity) {
            (Some(Some(_)), ..) => Some("/token"),
            (_, Some(Some(_)), _) => Some("/service_principal"),
            (_, _, Some(Some(_))) => Some("/managed_identity"),
            _ => None,
        }
    }

    /// Whether what the last check found may be otherwise now.
    pub(super) fn concerns_health(&self) -> bool {
        self.url.is_some()
            || self.token.is_some()
            || self.service_principal.is_some()
            || self.managed_identity.is_some()
            || self.headers.is_some()
            || self.ca_bundle.is_some()
            || self.proxy.is_some()
            || self.hooks.is_some()
            || self.delivery.is_some()
    }

    /// The record as it will be.
    pub(super) fn apply(self, app: &App, record: &Connection) -> Result<Connection, Vec<Wrong>> {
        let wrong = unfollowed_secrets(app, &self, record);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let (id, mut record) = (record.id, record.clone());
        if self.credential().is_some() {
            (record.token, record.service_principal, record.managed_identity) = (None, None, None);
        }
        record.name = self.name.unwrap_or(record.name);
        record.description = self.description.unwrap_or(record.description);
        record.url = self.url.map_or(record.url, |url| url.taken);
        record.ca_bundle = self.ca_bundle.unwrap_or(record.ca_bundle);
        record.hooks = self.hooks.unwrap_or(record.hooks);
        record.accept_untrusted_certs = self.accept_untrusted_certs.unwrap_or(record.accept_untrusted_certs);
        record.delivery = self.delivery.unwrap_or(record.delivery);
        record.collection_id = self.collection_id.unwrap_or(record.collection_id);
        if let Some(token) = self.token {
            record.token = token.map(|token| seal(app, id, "token", &token));
        }
        if let Some(principal) = self.service_principal {
            record.service_principal = principal.map(|principal| sealed_principal(app, id, principal));
        }
        record.managed_identity = self.managed_identity.unwrap_or(record.managed_identity);
        if let Some(headers) = self.headers {
            record.headers = sealed_headers(app, id, headers);
        }
        if let Some(proxy) = self.proxy {
            record.proxy = proxy.map(|proxy| seal(app, id, "proxy", &proxy));
        }
        if let Some(secret) = self.signature_secret {
            let sealed = secret.map(|secret| seal(app, id, "signature", &secret));
            record.signature = sealed.map(|secret| rotated_signature(app, record.signature.take(), secret));
        }
        record.updated_at = app.clock.now();
        Ok(record)
    }
}

impl NewConnection {
    /// The record, under a new id.
    pub(super) fn record(self, app: &App) -> Connection {
        let (id, now) = (ConnectionId::random(), app.clock.now());
        let signature = self.signature_secret.map(|secret| SignatureCheck {
            secret: seal(app, id, "signature", &secret),
            previous: None,
            previous_until: None,
        });
        Connection {
            id,
            name: self.name,
            description: self.description,
            url: self.url.taken,
            token: self.token.map(|token| seal(app, id, "token", &token)),
            service_principal: self.service_principal.map(|principal| sealed_principal(app, id, principal)),
            managed_identity: self.managed_identity,
            headers: sealed_headers(app, id, self.headers),
            ca_bundle: self.ca_bundle,
            proxy: self.proxy.map(|proxy| seal(app, id, "proxy", &proxy)),
            hooks: self.hooks,
            accept_untrusted_certs: self.accept_untrusted_certs,
            delivery: self.delivery,
            collection_id: self.collection_id,
            hook: HookGeneration { current: 1, previous_until: None },
            signature,
            created_at: now,
            updated_at: now,
        }
    }
}

/// Host and port of the proxy, without the credentials that its URL may hold.
pub fn proxy_host(app: &App, record: &Connection) -> Option<String> {
    let proxy = record.proxy.as_ref()?;
    let opened = app.keys.open(&format!("connection/{}/proxy", record.id), proxy).ok()?;
    host_of(std::str::from_utf8(&opened).ok()?)
}

fn host_of(proxy: &str) -> Option<String> {
    let url = Url::parse(proxy).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}{port}", url.host_str()?))
}

fn seal(app: &App, id: ConnectionId, what: &str, plain: &str) -> Sealed {
    app.keys.seal(&format!("connection/{id}/{what}"), plain.as_bytes())
}

fn sealed_principal(app: &App, id: ConnectionId, principal: NewServicePrincipal) -> ServicePrincipal {
    ServicePrincipal {
        tenant: principal.tenant,
        client_id: principal.client_id,
        proof: match principal.proof {
            NewProof::ClientSecret(secret) => PrincipalProof::ClientSecret(seal(app, id, "client_secret", &secret)),
            NewProof::Certificate(pem) => PrincipalProof::Certificate(seal(app, id, "certificate", &pem)),
            NewProof::FederatedToken => PrincipalProof::FederatedToken {},
        },
        authority: principal.authority,
    }
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

/// Until when what was rotated is still accepted.
pub(super) fn overlap_end(app: &App) -> Timestamp {
    app.clock.now().checked_add(app.settings.hook_overlap).unwrap_or(Timestamp::MAX)
}

/// Where our requests go, and with them the token.
fn authority(url: &CollectionUrl) -> Option<url::Origin> {
    Url::parse(url.as_str()).ok().map(|url| url.origin())
}

/// Secrets were given for one server. Another server, or another proxy on the way, gets them only from somebody who has
/// them: otherwise whoever may change a URL could have a token sent to a place of their own.
fn unfollowed_secrets(app: &App, change: &ConnectionChange, record: &Connection) -> Vec<Wrong> {
    let moved = change.url.as_ref().is_some_and(|url| authority(&url.taken) != authority(&record.url));
    let detour = match &change.proxy {
        Some(Some(proxy)) => host_of(proxy) != proxy_host(app, record),
        _ => false,
    };
    let again = |pointer| Wrong {
        pointer,
        detail: "must be given again (or null) when url moves to another server or proxy to another host: secrets do \
                 not follow by themselves"
            .to_owned(),
    };
    let credential = change.credential().is_some();
    [
        ("/token", record.token.is_some() && change.token.is_none() && !credential, moved || detour),
        (
            "/service_principal",
            record.service_principal.is_some() && change.service_principal.is_none() && !credential,
            moved || detour,
        ),
        ("/headers", !record.headers.is_empty() && change.headers.is_none(), moved || detour),
        ("/proxy", record.proxy.is_some() && change.proxy.is_none(), moved),
    ]
    .into_iter()
    .filter(|(_, stays, elsewhere)| *stays && *elsewhere)
    .map(|(pointer, ..)| again(pointer))
    .collect()
}
