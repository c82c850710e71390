//! One client per connection, made again when the connection changes.

use super::{App, directory::Kept};
use crate::{
    azure::client::{Access, AzureDevOps, Credential, Dial, Failure, OddRecords, Priority, Proof, Unreachable},
    domain::{Connection, ConnectionId, PrincipalProof, Sealed},
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use zeroize::Zeroizing;

/// How long one request of the API waits for Azure DevOps in all: attempts, pages, waits for its turn and for others that
/// ask the same. Proxies and browsers give up after 30 seconds, and what comes then nobody reads. What works in the
/// background has the patience of each call instead.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);

type Client = Arc<dyn AzureDevOps>;

/// The clients that were made so far.
pub(super) struct Clients {
    dial: Arc<dyn Dial>,
    made: Mutex<HashMap<ConnectionId, (u64, Client)>>,
}

impl Clients {
    pub(super) fn new(dial: Arc<dyn Dial>) -> Self {
        Self { dial, made: Mutex::default() }
    }
}

impl App {
    /// The client of a connection, at this priority.
    ///
    /// # Errors
    /// [`Failure::Settings`] when a secret does not open under the master key, or a setting cannot be used.
    pub fn azure(&self, connection: &Kept<Connection>, priority: Priority) -> Result<Client, Failure> {
        let (id, version) = (connection.record.id, connection.version);
        let mut made = self.clients.made.lock().unwrap_or_else(PoisonError::into_inner);
        // Removed connections are few; their clients go when the next one is made.
        match made.get(&id) {
            Some((of, client)) if *of == version => Ok(client.at(priority)),
            _ => {
                let client = self.clients.dial.dial(&self.access(&connection.record)?)?;
                let directory = self.directory();
                made.retain(|id, _| directory.connections.contains_key(id));
                made.insert(id, (version, Arc::clone(&client)));
                Ok(client.at(priority))
            }
        }
    }

    /// Records that could not be read lately in lists of Azure DevOps, by connection.
    pub(super) fn odd_records(&self) -> Vec<(ConnectionId, Vec<OddRecords>)> {
        let made = self.clients.made.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = self.directory();
        let all = made.iter().filter(|(id, _)| directory.connections.contains_key(*id));
        let mut odd: Vec<_> = all.map(|(id, (_, client))| (*id, client.odd_records())).collect();
        odd.retain(|(_, odd)| !odd.is_empty());
        odd.sort_by_key(|(id, _)| *id);
        odd
    }

    /// A client that belongs to no kept connection: to try settings before they are kept.
    pub fn azure_unkept(&self, connection: &Connection) -> Result<Client, Failure> {
        self.clients.dial.dial(&self.access(connection)?)
    }

    /// A digest of the token that a connection has, for comparison with others'.
    pub(super) fn token_digest(&self, connection: &Connection) -> Option<[u8; 32]> {
        match self.access(connection).ok()?.credential? {
            Credential::Pat(token) => Some(Sha256::digest(token.as_bytes()).into()),
            Credential::ServicePrincipal { .. } | Credential::ManagedIdentity { .. } => None,
        }
    }

    /// Whether a connection shows Azure DevOps who asks.
    pub fn has_credential(&self, id: ConnectionId) -> bool {
        self.directory()
            .connections
            .get(&id)
            .is_some_and(|kept| kept.record.has_credential() || !kept.record.headers.is_empty())
    }

    /// Whether waiting makes nothing better of a failure: the connection has no credential, and what it asks for wants one, or
    /// is out of its reach.
    pub fn is_hopeless(&self, id: ConnectionId, failure: &Failure) -> bool {
        let is_for_good =
            matches!(failure, Failure::Unauthorized { .. } | Failure::Settings(_) | Failure::Unreachable { .. });
        is_for_good && !self.has_credential(id)
    }

    /// The answer of Azure DevOps, unless that takes longer than this on the gateway's clock. The question is dropped then:
    /// a caller that must not be cut off asks for that part alone.
    pub async fn in_time<T>(
        &self,
        limit: Duration,
        asking: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            answer = asking => answer,
            () = self.clock.sleep(limit) => {
                let detail = format!("there was no answer within {} seconds", limit.as_secs());
                Err(Failure::Unreachable { at: Unreachable::Silent, detail })
            }
        }
    }

    /// What a connection says about reaching its server, opened.
    fn access(&self, connection: &Connection) -> Result<Access, Failure> {
        let open = |what: &str, sealed: &Sealed| {
            let bytes = self
                .keys
                .open(&format!("connection/{}/{what}", connection.id), sealed)
                .map_err(|error| Failure::Settings(format!("the connection's {what} cannot be opened: {error}")))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok::<_, Failure>(Zeroizing::new(text))
        };
        let credential = match (&connection.service_principal, &connection.managed_identity, &connection.token) {
            (Some(principal), ..) => Some(Credential::ServicePrincipal {
                tenant: principal.tenant.clone(),
                client_id: principal.client_id.clone(),
                proof: match &principal.proof {
                    PrincipalProof::ClientSecret(sealed) => Proof::Secret(open("client_secret", sealed)?),
                    PrincipalProof::Certificate(sealed) => Proof::Certificate(open("certificate", sealed)?),
                    PrincipalProof::FederatedToken {} => Proof::FederatedToken,
                },
                authority: principal.authority.clone(),
            }),
            (None, Some(identity), _) => Some(Credential::ManagedIdentity { client_id: identity.client_id.clone() }),
            (None, None, Some(token)) => Some(Credential::Pat(open("token", token)?)),
            (None, None, None) => None,
        };
        let headers = connection
            .headers
            .iter()
            .map(|header| Ok((header.name.clone(), open(&format!("header/{}", header.name), &header.value)?)));
        Ok(Access {
            url: connection.url.clone(),
            credential,
            headers: headers.collect::<Result<_, Failure>>()?,
            ca_bundle: connection.ca_bundle.clone(),
            proxy: connection.proxy.as_ref().map(|proxy| open("proxy", proxy)).transpose()?,
        })
    }
}
