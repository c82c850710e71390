//! The identity that Azure gave the machine, asked for at the machine itself.
//!
//! Sources: entra-docs, "How to use managed identities for Azure resources on an Azure VM to acquire an access token" (the
//! instance metadata service, 404, 410 and 429 for what passes); azure-docs, "How to use managed identities for App Service"
//! (`IDENTITY_ENDPOINT`, `IDENTITY_HEADER`, version 2019-08-01, also Container Apps); azure-docs, "Authenticate against Azure
//! resources with Azure Arc-enabled servers" (a challenge that names a file which only members of its group read).

use super::{AZURE_DEVOPS, Exchange, Said, principal::token_in};
use crate::azure::client::{Failure, access::Machine, descriptors, unreachable::unreachable_words};
use http::{HeaderMap, StatusCode, header};
use std::path::{Path, PathBuf};
use url::Url;
use zeroize::Zeroizing;

/// Where a virtual machine, and what runs on one, asks.
const METADATA: &str = "http://169.254.169.254";
/// Most of the file that Arc names, in bytes.
const KEY_BYTES_MAX: usize = 4_096;

/// Where tokens come from, and how.
pub(super) struct Identity {
    http: reqwest::Client,
    place: Place,
    client_id: Option<String>,
}

enum Place {
    Metadata(Url),
    AppService { endpoint: Url, header: Zeroizing<String> },
    Arc { endpoint: Url, keys: PathBuf },
}

fn unusable(why: &str) -> Failure {
    Failure::Settings(format!("the managed identity {why}"))
}

impl Identity {
    /// By what the environment says, as Microsoft's own clients decide.
    pub(super) fn new(client_id: Option<&str>, machine: &Machine) -> Result<Self, Failure> {
        let place = match (&machine.identity_endpoint, &machine.identity_header) {
            _ if machine.is_service_fabric => {
                return Err(unusable("of Service Fabric is not known here; give a service principal"));
            }
            (Some(endpoint), Some(header)) => Place::AppService { endpoint: endpoint.clone(), header: header.clone() },
            (Some(endpoint), None) if machine.is_arc => {
                if client_id.is_some() {
                    return Err(unusable("of a machine with Azure Arc is the machine's own: leave out client_id"));
                }
                Place::Arc { endpoint: endpoint.clone(), keys: machine.arc_keys.clone() }
            }
            _ => {
                let root = match &machine.metadata {
                    Some(root) => root.clone(),
                    None => Url::parse(METADATA).expect("the constant is a URL"),
                };
                Place::Metadata(
                    super::super::target::below(&root, &["metadata", "identity", "oauth2", "token"])
                        .ok_or_else(|| unusable("cannot be asked for where AZURE_POD_IDENTITY_AUTHORITY_HOST says"))?,
                )
            }
        };
        let endpoint = match &place {
            Place::Metadata(url) | Place::AppService { endpoint: url, .. } | Place::Arc { endpoint: url, .. } => url,
        };
        if endpoint.scheme() != "http" {
            return Err(unusable("is asked for over http on the machine itself, and IDENTITY_ENDPOINT says otherwise"));
        }
        super::super::tls::use_ring();
        // Never through a proxy: the address is the machine's own.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .tls_certs_only([])
            .connect_timeout(std::time::Duration::from_secs(5))
            .build()
            .map_err(|_| unusable("cannot be asked for: no HTTP client could be made"))?;
        Ok(Self { http, place, client_id: client_id.map(str::to_owned) })
    }

    pub(super) async fn ask(&self) -> Result<Said, Failure> {
        match &self.place {
            Place::Metadata(url) => {
                let said = self.send(url, "2018-02-01", |request| request.header("metadata", "true")).await?;
                Ok(said.passing_when(|status| matches!(status.as_u16(), 404 | 410)))
            }
            Place::AppService { endpoint, header } => {
                self.send(endpoint, "2019-08-01", |request| request.header("x-identity-header", header.as_str())).await
            }
            Place::Arc { endpoint, keys } => {
                let first = self.send(endpoint, "2020-06-01", |request| request.header("metadata", "true")).await?;
                if first.status != StatusCode::UNAUTHORIZED {
                    return Ok(first);
                }
                let key = named_key(&first.headers, keys).await?;
                let basic = Zeroizing::new(format!("Basic {}", key.as_str()));
                self.send(endpoint, "2020-06-01", |request| {
                    request.header("metadata", "true").header(header::AUTHORIZATION, basic.as_str())
                })
                .await
            }
        }
    }

    async fn send(
        &self,
        endpoint: &Url,
        version: &str,
        with: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Result<Said, Failure> {
        let mut url = endpoint.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("api-version", version).append_pair("resource", AZURE_DEVOPS);
            if let Some(client_id) = &self.client_id {
                query.append_pair("client_id", client_id);
            }
        }
        let host = endpoint.host_str().unwrap_or_default();
        let failed = |error: reqwest::Error| {
            let words = unreachable_words(&error, host);
            if words == descriptors::USED_UP {
                return Failure::Unreachable { at: crate::azure::client::Unreachable::Descriptors, detail: words };
            }
            if error.is_connect() {
                return unusable(&format!(
                    "cannot be asked for: {words}. A machine outside Azure has none without Azure Arc"
                ));
            }
            Failure::Unavailable { detail: Some(format!("the managed identity cannot be asked for: {words}")) }
        };
        Exchange { http: &self.http }.send(with(self.http.get(url)), failed).await
    }
}

/// Reads the file that the challenge names, which proves that we may read it. Only a key where Arc keeps its keys is
/// read: the name comes out of a reply.
async fn named_key(headers: &HeaderMap, keys: &Path) -> Result<Zeroizing<String>, Failure> {
    let challenge = headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let named = challenge.split_once("realm=").map(|(_, path)| Path::new(path.trim().trim_matches('"')));
    let path = named
        .filter(|path| path.parent() == Some(keys) && path.extension().is_some_and(|ending| ending == "key"))
        .ok_or_else(|| unusable("of Azure Arc names no key of its own to read"))?;
    match token_in(path).await {
        Ok(key) if key.len() <= KEY_BYTES_MAX => Ok(key),
        Ok(_) => Err(unusable("of Azure Arc names a key that is none")),
        Err(why) => Err(unusable(&format!(
            "of Azure Arc: its key {why}; the gateway's user has to be in the group himds to read it"
        ))),
    }
}
