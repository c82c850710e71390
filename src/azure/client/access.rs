//! How one organization or collection is reached: everything that a connection says about it, opened.

use crate::azure::CollectionUrl;
use std::fmt;
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
        /// Its secret.
        client_secret: Zeroizing<String>,
        /// Where tokens come from: `https://login.microsoftonline.com`, or a national cloud's.
        authority: Url,
    },
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
