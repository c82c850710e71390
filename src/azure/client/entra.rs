//! Bearer tokens of a Microsoft Entra service principal: fetched once for all who wait, renewed before they end.
//!
//! Source: azure-devops-docs, "Use service principals and managed identities".

use super::{Failure, access::Credential, redaction::Redaction, settings::secret, unreachable::unreachable};
use crate::{
    azure::lenient::{Int, Object, Text},
    clock::Clock,
};
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;
use url::{Host, Url, form_urlencoded};
use zeroize::Zeroizing;

/// What is asked for: Azure DevOps as a whole, by its application id.
const SCOPE: &str = "499b84ac-1321-427f-aa17-267ca6975798/.default";
/// A token is renewed this long before its end.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);
/// A token that is refused at this age is refused for another reason than its age.
const YOUNG: Duration = Duration::from_secs(60);
/// How long a token is good when Entra does not say it.
const LIFETIME_UNSAID: Duration = Duration::from_secs(600);
const TIMEOUT: Duration = Duration::from_secs(30);
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The wait when Entra is asked too much and names none.
const WAIT_UNSAID: Duration = Duration::from_secs(60);

/// A service principal and its token.
pub(super) struct Entra {
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
    endpoint: Url,
    form: Zeroizing<String>,
    by_proxy: bool,
    /// Ends of attempts, to tell whether one ended while we waited.
    attempts: AtomicU64,
    state: Mutex<Option<Result<Bearer, Failed>>>,
}

/// A token, as it is sent.
#[derive(Clone)]
pub(super) struct Bearer {
    pub(super) header: HeaderValue,
    /// Which attempt fetched it.
    pub(super) number: u64,
    fetched_at: Duration,
    renew_at: Duration,
}

/// Why there is none.
#[derive(Clone)]
struct Failed {
    failure: Failure,
    /// When Entra may be asked again.
    until: Duration,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TokenAnswer<'a> {
    #[serde(borrow)]
    access_token: Text<'a>,
    expires_in: Int,
    #[serde(borrow)]
    error: Text<'a>,
    #[serde(borrow)]
    error_description: Text<'a>,
}

impl Entra {
    /// For this principal; `None` when the credential is none.
    pub(super) fn new(
        credential: &Credential,
        http: &reqwest::Client,
        by_proxy: bool,
        clock: &Arc<dyn Clock>,
    ) -> Result<Option<Self>, Failure> {
        let Credential::ServicePrincipal { tenant, client_id, client_secret, authority } = credential else {
            return Ok(None);
        };
        let unusable = |what: &str| Failure::Settings(format!("the service principal's {what}"));
        if !is_safe(authority) {
            return Err(unusable("authority must begin with https://, since the client secret is sent there"));
        }
        let endpoint = super::target::below(authority, &[tenant, "oauth2", "v2.0", "token"])
            .ok_or_else(|| unusable("tenant is not the id or domain of one"))?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client_id)
            .append_pair("client_secret", client_secret)
            .append_pair("scope", SCOPE)
            .finish();
        let (clock, http) = (Arc::clone(clock), http.clone());
        let (attempts, state) = (AtomicU64::new(0), Mutex::default());
        Ok(Some(Self { clock, http, endpoint, form: Zeroizing::new(form), by_proxy, attempts, state }))
    }

    /// Whether another token may do where this one was refused: not when it has only just been made.
    pub(super) fn may_be_stale(&self, bearer: &Bearer) -> bool {
        self.clock.monotonic() >= bearer.fetched_at + YOUNG
    }

    /// A token that is good for some minutes yet; not the one of attempt `refused`, which did not do.
    pub(super) async fn bearer(&self, refused: Option<u64>, redaction: &Redaction) -> Result<Bearer, Failure> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        match state.as_ref() {
            Some(Ok(bearer)) if Some(bearer.number) != refused && self.clock.monotonic() < bearer.renew_at => {
                return Ok(bearer.clone());
            }
            // Somebody's attempt ended while we waited; a second one would end the same.
            Some(Err(failed)) if self.attempts.load(Ordering::Acquire) != seen => return Err(failed.failure.clone()),
            Some(Err(failed)) if self.clock.monotonic() < failed.until => {
                return Err(Failure::Throttled { wait: failed.until.saturating_sub(self.clock.monotonic()) });
            }
            _ => {}
        }
        let number = self.attempts.load(Ordering::Acquire) + 1;
        let fetched = self.fetch(number, redaction).await;
        self.attempts.store(number, Ordering::Release);
        let kept = fetched.clone().map_err(|failure| {
            let wait = if let Failure::Throttled { wait } = failure { wait } else { Duration::ZERO };
            Failed { failure, until: self.clock.monotonic() + wait }
        });
        *state = Some(kept);
        fetched
    }

    async fn fetch(&self, number: u64, redaction: &Redaction) -> Result<Bearer, Failure> {
        let asked_at = self.clock.monotonic();
        let host = self.endpoint.host_str().unwrap_or_default();
        let failed = |error: reqwest::Error| unreachable(&error, host, self.by_proxy);
        let request = self
            .http
            .post(self.endpoint.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .timeout(TIMEOUT)
            .body(self.form.to_string());
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        let limits = super::limits::Limits::read(response.headers(), self.clock.now());
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(unexpected("its answer has more than 64 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Object<TokenAnswer<'_>> = serde_json::from_slice(&body).unwrap_or_default();
        if !status.is_success() {
            return Err(refusal(status, &answer, limits.retry_after, redaction));
        }
        let token = answer.access_token.as_str().ok_or_else(|| unexpected("it answers without access_token"))?;
        let header = Zeroizing::new(format!("Bearer {token}"));
        let header = secret(&header).map_err(|()| unexpected("its access_token cannot be sent"))?;
        let seconds = answer.expires_in.positive().and_then(|seconds| u64::try_from(seconds).ok());
        let lifetime = seconds.map_or(LIFETIME_UNSAID, Duration::from_secs);
        // A token shorter than the margin is used for half of its life.
        let used = lifetime.checked_sub(RENEWED_BEFORE).unwrap_or(lifetime / 2);
        Ok(Bearer { header, number, fetched_at: asked_at, renew_at: asked_at + used })
    }
}

fn unexpected(detail: &str) -> Failure {
    Failure::Unexpected { detail: format!("Microsoft Entra: {detail}"), activity_id: None }
}

/// What Entra's no means. Its first line has the code; the others are ids and a time.
fn refusal(
    status: StatusCode,
    answer: &TokenAnswer<'_>,
    retry_after: Option<Duration>,
    redaction: &Redaction,
) -> Failure {
    let words = answer.error_description.as_str().or(answer.error.as_str());
    let first = words.and_then(|words| redaction.said(words.lines().next().unwrap_or_default()));
    let said = first.as_deref().unwrap_or("no reason given");
    let detail = Some(format!("Microsoft Entra gives no token: {said}"));
    match status.as_u16() {
        429 => Failure::Throttled { wait: retry_after.unwrap_or(WAIT_UNSAID) },
        500.. => Failure::Unavailable { detail },
        _ => Failure::Unauthorized { detail },
    }
}

/// Whether a secret may be sent there: encrypted, or not over a network at all.
fn is_safe(authority: &Url) -> bool {
    let local = match authority.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    authority.scheme() == "https" && authority.host().is_some() || authority.scheme() == "http" && local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_secret_is_not_sent_in_the_clear() {
        for (authority, safe) in [
            ("https://login.microsoftonline.com", true),
            ("http://login.microsoftonline.com", false),
            ("http://127.0.0.1:8080", true),
            ("http://10.0.0.1", false),
            ("ftp://localhost", false),
        ] {
            assert_eq!(is_safe(&Url::parse(authority).unwrap()), safe, "{authority}");
        }
    }

    #[test]
    fn a_refusal_keeps_the_code_and_not_the_secret() {
        let mut redaction = Redaction::default();
        redaction.add("planted-secret");
        let body = r#"{"error":"invalid_client","error_description":
            "AADSTS7000215: Invalid client secret planted-secret provided.\r\nTrace ID: 1\r\nTimestamp: 2"}"#;
        let answer: Object<TokenAnswer<'_>> = serde_json::from_str(body).unwrap();
        let refused = |status| refusal(StatusCode::from_u16(status).unwrap(), &answer, None, &redaction);
        let said = "Microsoft Entra gives no token: AADSTS7000215: Invalid client secret [hidden] provided.";
        assert_eq!(refused(401), Failure::Unauthorized { detail: Some(said.to_owned()) });
        assert_eq!(refused(400), refused(401));
        assert_eq!(refused(503), Failure::Unavailable { detail: Some(said.to_owned()) });
        assert_eq!(refused(429), Failure::Throttled { wait: WAIT_UNSAID });
    }
}
