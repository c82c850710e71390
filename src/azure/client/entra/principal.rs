//! An application of Microsoft Entra, and how it asks for a token.
//!
//! Source: entra-docs, "OAuth 2.0 client credentials flow": a secret, or an assertion that the application signed or that
//! somebody whom Entra was told to believe did.

use super::{
    super::access::{Machine, Proof},
    certificate::Signer,
};
use crate::azure::client::Failure;
use jiff::Timestamp;
use std::path::PathBuf;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

/// The kind of an assertion, as the form names it.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest token in a file, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// A request for a token: the application, the directory, and the proof.
pub(super) struct Principal {
    pub(super) endpoint: Url,
    client_id: String,
    evidence: Evidence,
}

enum Evidence {
    Secret(Zeroizing<String>),
    Certificate(Signer),
    File(PathBuf),
}

impl Principal {
    pub(super) fn new(endpoint: Url, client_id: &str, proof: &Proof, machine: &Machine) -> Result<Self, Failure> {
        let evidence = match proof {
            Proof::Secret(secret) => Evidence::Secret(secret.clone()),
            Proof::Certificate(pem) => Evidence::Certificate(
                Signer::read(pem)
                    .map_err(|why| Failure::Settings(format!("the service principal's certificate {why}")))?,
            ),
            Proof::FederatedToken => Evidence::File(machine.federated_token_file.clone().ok_or_else(|| {
                Failure::Settings(
                    "the service principal's federated token: AZURE_FEDERATED_TOKEN_FILE of the gateway's process names no \
                     file; with workload identity the pod has the label azure.workload.identity/use and its service account"
                        .to_owned(),
                )
            })?),
        };
        Ok(Self { endpoint, client_id: client_id.to_owned(), evidence })
    }

    /// The body of the request, and what of it must not be said again. A file is read each time: what it holds ends within
    /// hours, and is written anew before.
    pub(super) async fn form(&self, now: Timestamp) -> Result<(Zeroizing<String>, Zeroizing<String>), Failure> {
        let proof = match &self.evidence {
            Evidence::Secret(secret) => secret.clone(),
            Evidence::Certificate(signer) => signer
                .assertion(&self.client_id, self.endpoint.as_str(), now)
                .map_err(|why| Failure::Settings(format!("the service principal's certificate {why}")))?,
            Evidence::File(path) => token_in(path).await.map_err(|why| {
                Failure::Settings(format!("the service principal's federated token ({}): {why}", path.display()))
            })?,
        };
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials").append_pair("client_id", &self.client_id);
        match &self.evidence {
            Evidence::Secret(_) => form.append_pair("client_secret", &proof),
            Evidence::Certificate(_) | Evidence::File(_) => {
                form.append_pair("client_assertion_type", ASSERTION).append_pair("client_assertion", &proof)
            }
        };
        let form = form.append_pair("scope", &format!("{}/.default", super::AZURE_DEVOPS)).finish();
        Ok((Zeroizing::new(form), proof))
    }
}

/// The one token in a file.
pub(super) async fn token_in(path: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let told = |error: std::io::Error| format!("cannot be read: {}", error.kind());
    let length = tokio::fs::metadata(path).await.map_err(told)?.len();
    if length > TOKEN_BYTES_MAX {
        return Err("is longer than any token".to_owned());
    }
    let text = Zeroizing::new(tokio::fs::read_to_string(path).await.map_err(told)?);
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("holds no token".to_owned());
    }
    Ok(Zeroizing::new(token.to_owned()))
}
