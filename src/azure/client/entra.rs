//! Bearer tokens of a Microsoft Entra service principal: asked for with its secret, kept until shortly before they end.
//!
//! Source: azure-devops-docs, "Use service principals and managed identities"; Microsoft identity platform, "The OAuth 2.0
//! client credentials grant flow".

use super::{
    Credential, Failure,
    wire::{Body, NoAnswer, Request, Wire},
};
use crate::clock::Clock;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use serde::Deserialize;
use std::time::Duration;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

/// Azure DevOps, as Entra names it.
const SCOPE: &str = "499b84ac-1321-427f-aa17-267ca6975798/.default";
/// A token is renewed so long before it ends.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);
const TIMEOUT: Duration = Duration::from_secs(20);
const ANSWER_BYTES_MAX: usize = 64 << 10;
const DETAIL_CHARS_MAX: usize = 200;

/// The token that is in use.
#[derive(Default)]
pub(super) struct Bearer {
    /// Held while one is asked for: many calls need it, one asks.
    current: Mutex<Option<(HeaderValue, Timestamp)>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Zeroizing<String>,
    expires_in: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: Option<String>,
    error_description: Option<String>,
}

impl Bearer {
    /// `Bearer …`, from before or new.
    pub(super) async fn header(
        &self,
        credential: &Credential,
        wire: &Wire,
        clock: &dyn Clock,
    ) -> Result<HeaderValue, Failure> {
        let mut current = self.current.lock().await;
        if let Some((header, until)) = current.as_ref()
            && clock.now() < *until
        {
            return Ok(header.clone());
        }
        let granted = ask(credential, wire).await?;
        let mut header = HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", *granted.access_token)))
            .map_err(|_| unexpected("an access token that cannot be sent"))?;
        header.set_sensitive(true);
        let lifetime = Duration::from_secs(granted.expires_in).saturating_sub(RENEWED_BEFORE);
        *current = Some((header.clone(), clock.now() + lifetime));
        Ok(header)
    }

    /// It was refused: the next call asks for another.
    pub(super) async fn forget(&self) {
        *self.current.lock().await = None;
    }
}

async fn ask(credential: &Credential, wire: &Wire) -> Result<Granted, Failure> {
    let Credential::ServicePrincipal { tenant, client_id, client_secret, authority } = credential else {
        unreachable!("only a service principal has bearer tokens");
    };
    let url = token_url(authority, tenant)?;
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client_id)
        .append_pair("client_secret", client_secret)
        .append_pair("scope", SCOPE)
        .finish();
    let form = Zeroizing::new(form);
    let request = Request {
        method: Method::POST,
        url,
        authorization: None,
        body: Some(Body::Form(&form)),
        timeout: TIMEOUT,
        body_bytes_max: ANSWER_BYTES_MAX,
    };
    let answer = wire.send_elsewhere(request).await.map_err(|NoAnswer { failure, .. }| failure)?;
    match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|_| unexpected("a grant in another shape")),
        400..=499 => {
            let denied: Denied = serde_json::from_slice(&answer.body).unwrap_or_default();
            // The first line has the AADSTS code; the others are trace ids.
            let said = denied.error_description.or(denied.error).unwrap_or_default();
            let line: String = said.lines().next().unwrap_or_default().chars().take(DETAIL_CHARS_MAX).collect();
            Err(Failure::Unauthorized { detail: Some(format!("Entra grants no token: {line}")) })
        }
        status => Err(Failure::Unavailable { detail: Some(format!("Entra answers {status}")) }),
    }
}

fn token_url(authority: &Url, tenant: &str) -> Result<Url, Failure> {
    let mut url = authority.clone();
    url.path_segments_mut()
        .map_err(|()| Failure::Settings("service_principal.authority is no http(s) URL".to_owned()))?
        .pop_if_empty()
        .extend([tenant, "oauth2", "v2.0", "token"]);
    Ok(url)
}

fn unexpected(what: &str) -> Failure {
    Failure::Unexpected { detail: format!("Entra gave {what}"), activity_id: None }
}
