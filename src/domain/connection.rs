//! A connection: one organization or collection of Azure DevOps, and how we reach each other.

use super::ConnectionId;
use crate::azure::CollectionUrl;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use url::Url;
use uuid::Uuid;

/// A secret as it lies on disk: encrypted under the master key, base64. `secrets` opens it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

/// An extra HTTP header for every request to Azure DevOps, as proxies like Cloudflare Access want it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// As the user wrote it.
    pub name: String,
    /// Always secret: such headers carry credentials.
    pub value: Sealed,
}

/// Which generation of derived hook passwords is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookGeneration {
    /// The current one, from 1.
    pub current: u32,
    /// Until when `current - 1` is accepted too.
    pub previous_until: Option<Timestamp>,
}

/// `X-Hub-Signature-256` over the raw body, for hooks that reach us through a relay that can sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureCheck {
    /// The relay's secret.
    pub secret: Sealed,
    /// The secret before it, while the relay is being changed over.
    pub previous: Option<Sealed>,
    /// Until when `previous` is accepted too.
    pub previous_until: Option<Timestamp>,
}

/// A Microsoft Entra service principal, which proves us to Services instead of a personal access token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePrincipal {
    /// The Entra tenant, by id or domain.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// The proof of it.
    #[serde(flatten)]
    pub proof: PrincipalProof,
    /// Where its tokens come from, when not `https://login.microsoftonline.com`.
    pub authority: Option<Url>,
}

/// The proof of a service principal. On disk it is a member of the principal, named for its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalProof {
    /// A client secret.
    ClientSecret(Sealed),
    /// A private key and its certificate, in PEM.
    Certificate(Sealed),
    /// A token that the gateway's machine has in a file; nothing of it is kept.
    FederatedToken {},
}

/// The identity that Azure gave the gateway's machine; nothing of it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedIdentity {
    /// Which, where the machine has several.
    pub client_id: Option<String>,
}

/// Who makes the service hooks at Azure DevOps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookMode {
    /// We do, from the bindings, and look after them.
    #[default]
    Managed,
    /// A person does, because our credential must not; we say what is needed and watch what arrives.
    Manual,
}

/// How we hear of what happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// By service hooks; what they lose is made good from the history and Azure's records.
    #[default]
    Hooks,
    /// We ask Azure's records: for a gateway that Azure cannot reach.
    Poll,
}

/// As kept in the registry under kind `connection`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id, part of the hook's URL.
    pub id: ConnectionId,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The organization or collection, canonical.
    pub url: CollectionUrl,
    /// The personal access token.
    pub token: Option<Sealed>,
    /// Instead of the token.
    #[serde(default)]
    pub service_principal: Option<ServicePrincipal>,
    /// Instead of both.
    #[serde(default)]
    pub managed_identity: Option<ManagedIdentity>,
    /// Extra headers for our requests.
    pub headers: Vec<Header>,
    /// Certificates in PEM that are trusted besides the system's, for a server with a private CA.
    #[serde(default)]
    pub ca_bundle: Option<String>,
    /// The HTTP proxy on the way there; sealed, since it may have a password in it.
    #[serde(default)]
    pub proxy: Option<Sealed>,
    /// Who makes the hooks.
    #[serde(default)]
    pub hooks: HookMode,
    /// Whether Azure DevOps is to deliver to a certificate that it does not trust; `None` leaves each hook as it is.
    #[serde(default)]
    pub accept_untrusted_certs: Option<bool>,
    /// How we hear of what happens.
    #[serde(default)]
    pub delivery: Delivery,
    /// The collection's GUID once known; a notification of another collection is then quarantined.
    pub collection_id: Option<Uuid>,
    /// The hook password's generation.
    pub hook: HookGeneration,
    /// When set, a hook without a valid signature is refused.
    pub signature: Option<SignatureCheck>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Connection {
    /// Whether it says who we are to Azure DevOps.
    pub fn has_credential(&self) -> bool {
        self.token.is_some() || self.service_principal.is_some() || self.managed_identity.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_proves_a_principal_is_kept_under_its_kind_and_older_records_are_read() {
        for (proof, text) in [
            (PrincipalProof::ClientSecret(Sealed("s".into())), r#""client_secret":"s""#),
            (PrincipalProof::Certificate(Sealed("c".into())), r#""certificate":"c""#),
            (PrincipalProof::FederatedToken {}, r#""federated_token":{}"#),
        ] {
            let principal = ServicePrincipal { tenant: "t".into(), client_id: "c".into(), proof, authority: None };
            let kept = serde_json::to_string(&principal).unwrap();
            assert_eq!(kept, format!(r#"{{"tenant":"t","client_id":"c",{text},"authority":null}}"#));
            assert_eq!(serde_json::from_str::<ServicePrincipal>(&kept).unwrap(), principal);
        }
    }
}
