//! How one organization or collection is reached: everything that a connection says about it, opened.

use crate::azure::CollectionUrl;
use std::{fmt, path::PathBuf};
use url::Url;
use zeroize::Zeroizing;

/// What proves who we are.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A personal access token: `Authorization: Basic base64(":" + token)`.
    Pat(Zeroizing<String>),
    /// A Microsoft Entra service principal (Services only): client credentials, then a bearer token.
    ServicePrincipal {
        /// The Entra tenant, by id or domain.
        tenant: String,
        /// The application's id.
        client_id: String,
        /// The proof of it.
        proof: Proof,
        /// Where tokens come from, when not `https://login.microsoftonline.com` or where the machine says.
        authority: Option<Url>,
    },
    /// The identity that Azure gave the machine (Services only).
    ManagedIdentity {
        /// Which, where the machine has several.
        client_id: Option<String>,
    },
}

/// The proof of a service principal.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// A client secret.
    Secret(Zeroizing<String>),
    /// A private key and its certificate, in PEM.
    Certificate(Zeroizing<String>),
    /// The content of the file that [`Machine::federated_token_file`] names.
    FederatedToken,
}

impl Proof {
    /// The part of it that is secret.
    pub(super) fn secret(&self) -> &str {
        match self {
            Self::Secret(text) | Self::Certificate(text) => text,
            Self::FederatedToken => "",
        }
    }
}

/// The machine's knowledge of its own identity, by the variables that Azure and its clients agree on.
#[derive(Clone, PartialEq, Eq)]
pub struct Machine {
    /// `AZURE_FEDERATED_TOKEN_FILE`: a file with a token of somebody whom Entra believes.
    pub federated_token_file: Option<PathBuf>,
    /// `AZURE_AUTHORITY_HOST`: where that token is shown.
    pub authority: Option<Url>,
    /// `IDENTITY_ENDPOINT`: where App Service, Container Apps and Arc give tokens.
    pub identity_endpoint: Option<Url>,
    /// `IDENTITY_HEADER`: what App Service and Container Apps want to hear.
    pub identity_header: Option<Zeroizing<String>>,
    /// `IMDS_ENDPOINT` is there: with it and without the header, it is Arc.
    pub is_arc: bool,
    /// `IDENTITY_SERVER_THUMBPRINT` is there.
    pub is_service_fabric: bool,
    /// `AZURE_POD_IDENTITY_AUTHORITY_HOST`: instead of `http://169.254.169.254`.
    pub metadata: Option<Url>,
    /// Where Arc keeps its keys.
    pub arc_keys: PathBuf,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            federated_token_file: None,
            authority: None,
            identity_endpoint: None,
            identity_header: None,
            is_arc: false,
            is_service_fabric: false,
            metadata: None,
            arc_keys: PathBuf::from("/var/opt/azcmagent/tokens"),
        }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pat(_) => f.write_str("Pat([hidden])"),
            Self::ServicePrincipal { tenant, client_id, .. } => f
                .debug_struct("ServicePrincipal")
                .field("tenant", tenant)
                .field("client_id", client_id)
                .finish_non_exhaustive(),
            Self::ManagedIdentity { client_id } => {
                f.debug_struct("ManagedIdentity").field("client_id", client_id).finish()
            }
        }
    }
}

/// How to reach it.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// The organization or collection.
    pub url: CollectionUrl,
    /// Who we are; `None` asks as nobody.
    pub credential: Option<Credential>,
    /// Extra headers of every request, as proxies like Cloudflare Access want them.
    pub headers: Vec<(String, Zeroizing<String>)>,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca_bundle: Option<String>,
    /// An HTTP proxy, perhaps with user name and password in it.
    pub proxy: Option<Zeroizing<String>>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Access")
            .field("url", &self.url)
            .field("credential", &self.credential)
            .field("headers", &names)
            .field("ca_bundle", &self.ca_bundle.is_some())
            .field("proxy", &self.proxy.is_some())
            .finish()
    }
}
