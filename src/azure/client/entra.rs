//! Bearer tokens of a Microsoft Entra identity: fetched once for all who wait, renewed before they end.
//!
//! Source: azure-devops-docs, "Use service principals and managed identities".

mod certificate;
mod machine;
mod principal;

pub use self::certificate::{CERTIFICATE_BYTES_MAX, check_certificate};

use self::{machine::Identity, principal::Principal};
use super::{
    Access, Failure,
    access::{Credential, Machine, Proof},
    redaction::Redaction,
    settings::secret,
    target::{below, is_services},
    unreachable::unreachable,
};
use crate::{
    azure::lenient::{Int, Object, Text},
    clock::Clock,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::Mutex;
use url::{Host, Url};
use zeroize::Zeroizing;

/// What is asked for: Azure DevOps as a whole, by its application id.
const AZURE_DEVOPS: &str = "499b84ac-1321-427f-aa17-267ca6975798";
/// Where tokens come from unless somebody says otherwise.
const AUTHORITY: &str = "https://login.microsoftonline.com";
/// The authorities of Microsoft's clouds: what the machine alone knows is sent to no others, but where the machine says so.
///
/// Source: entra-docs, "National clouds".
const AUTHORITIES: [&str; 3] =
    [AUTHORITY, "https://login.microsoftonline.us", "https://login.partner.microsoftonline.cn"];
/// A token is renewed this long before its end.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);
/// A token that is refused at this age is refused for another reason than its age.
const YOUNG: Duration = Duration::from_mins(1);
/// How long a token is good when Entra does not say it.
const LIFETIME_UNSAID: Duration = Duration::from_mins(10);
const TIMEOUT: Duration = Duration::from_secs(30);
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The wait when Entra is asked too much and names none.
const WAIT_UNSAID: Duration = Duration::from_mins(1);

/// An identity and its token.
pub(super) struct Entra {
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
    source: Source,
    by_proxy: bool,
    /// Ends of attempts, to tell whether one ended while we waited.
    attempts: AtomicU64,
    state: Mutex<Option<Result<Bearer, Failed>>>,
}

/// Where its tokens come from.
enum Source {
    Principal(Box<Principal>),
    Machine(Identity),
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
    /// A date in seconds: all that App Service says.
    expires_on: Int,
    #[serde(borrow)]
    error: Text<'a>,
    #[serde(borrow)]
    error_description: Text<'a>,
}

/// An answer as it came.
struct Said {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    /// Whether the status is one of those that pass here.
    passes: bool,
}

impl Said {
    fn passing_when(mut self, passes: impl Fn(StatusCode) -> bool) -> Self {
        self.passes = passes(self.status);
        self
    }
}

/// One request for a token.
struct Exchange<'a> {
    http: &'a reqwest::Client,
}

impl Exchange<'_> {
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        failed: impl Fn(reqwest::Error) -> Failure,
    ) -> Result<Said, Failure> {
        let request = request.header(header::ACCEPT, "application/json").timeout(TIMEOUT).build().map_err(&failed)?;
        let mut response = self.http.execute(request).await.map_err(&failed)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(&failed)? {
            if body.len() + chunk.len() > BODY_BYTES_MAX {
                return Err(unexpected("its answer has more than 64 KiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Said { status, headers, body, passes: false })
    }
}

impl Entra {
    /// For this identity; `None` when the credential is none of Entra.
    pub(super) fn new(
        access: &Access,
        base: &Url,
        http: &reqwest::Client,
        clock: &Arc<dyn Clock>,
        machine: &Machine,
    ) -> Result<Option<Self>, Failure> {
        let source = match &access.credential {
            None | Some(Credential::Pat(_)) => return Ok(None),
            Some(Credential::ManagedIdentity { client_id }) => {
                is_shown_to(access, base, "managed identity")?;
                Source::Machine(Identity::new(client_id.as_deref(), machine)?)
            }
            Some(Credential::ServicePrincipal { tenant, client_id, proof, authority }) => {
                let unusable = |what: &str| Failure::Settings(format!("the service principal's {what}"));
                let of_machine = matches!(proof, Proof::FederatedToken);
                if of_machine {
                    is_shown_to(access, base, "service principal's federated token")?;
                }
                let said = machine.authority.as_ref().filter(|_| of_machine);
                let authority = match authority.as_ref().or(said) {
                    Some(authority) => authority.clone(),
                    None => Url::parse(AUTHORITY).expect("the constant is a URL"),
                };
                if !is_safe(&authority) {
                    return Err(unusable("authority must begin with https://, since what proves us is sent there"));
                }
                let is_known = AUTHORITIES.iter().any(|known| authority.as_str().trim_end_matches('/') == *known);
                if of_machine && !is_known && said.is_none_or(|said| said.origin() != authority.origin()) {
                    return Err(unusable(
                        "federated token is sent to Microsoft's authorities alone, or where AZURE_AUTHORITY_HOST of the \
                         gateway's process says",
                    ));
                }
                let endpoint = below(&authority, &[tenant, "oauth2", "v2.0", "token"])
                    .ok_or_else(|| unusable("tenant is not the id or domain of one"))?;
                Source::Principal(Box::new(Principal::new(endpoint, client_id, proof, machine)?))
            }
        };
        let (clock, http, by_proxy) = (Arc::clone(clock), http.clone(), access.proxy.is_some());
        let (attempts, state) = (AtomicU64::new(0), Mutex::default());
        Ok(Some(Self { clock, http, source, by_proxy, attempts, state }))
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
        let mut redaction = redaction.clone();
        let said = match &self.source {
            Source::Machine(identity) => identity.ask().await?,
            Source::Principal(principal) => {
                let (form, proof) = principal.form(self.clock.now()).await?;
                redaction.add(&proof);
                let host = principal.endpoint.host_str().unwrap_or_default();
                let request = self
                    .http
                    .post(principal.endpoint.clone())
                    .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.to_string());
                let failed = |error: reqwest::Error| unreachable(&error, host, self.by_proxy);
                Exchange { http: &self.http }.send(request, failed).await?
            }
        };
        let answer: Object<TokenAnswer<'_>> = serde_json::from_slice(&said.body).unwrap_or_default();
        if !said.status.is_success() {
            let limits = super::limits::Limits::read(&said.headers, self.clock.now());
            return Err(refusal(said.status, said.passes, &answer, limits.retry_after, &redaction));
        }
        let token = answer.access_token.as_str().ok_or_else(|| unexpected("it answers without access_token"))?;
        let header = Zeroizing::new(format!("Bearer {token}"));
        let header = secret(&header).map_err(|()| unexpected("its access_token cannot be sent"))?;
        let left = |at: i64| at.saturating_sub(self.clock.now().as_second());
        let seconds = answer.expires_in.positive().or_else(|| answer.expires_on.positive().map(left));
        let seconds = seconds.filter(|seconds| *seconds > 0).and_then(|seconds| u64::try_from(seconds).ok());
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
    passes: bool,
    answer: &TokenAnswer<'_>,
    retry_after: Option<Duration>,
    redaction: &Redaction,
) -> Failure {
    let words = answer.error_description.as_str().or(answer.error.as_str());
    let first = words.and_then(|words| redaction.said(words.lines().next().unwrap_or_default()));
    let said = first.as_deref().unwrap_or("no reason given");
    let detail = Some(format!("Microsoft Entra gives no token: {said}"));
    match status.as_u16() {
        _ if passes => Failure::Unavailable { detail },
        429 => Failure::Throttled { wait: retry_after.unwrap_or(WAIT_UNSAID) },
        500.. => Failure::Unavailable { detail },
        _ => Failure::Unauthorized { detail },
    }
}

/// Whether a secret may be sent there: encrypted, or not over a network at all.
fn is_safe(authority: &Url) -> bool {
    authority.scheme() == "https" && authority.host().is_some() || is_local(authority)
}

/// Whether it does not leave this machine.
fn is_local(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && local
}

/// The proof of the machine, and not of whoever made the connection, is shown to Azure DevOps Services and to nobody else:
/// otherwise whoever may change a URL could have a token of the machine sent to a place of their own, or, with an authority
/// of their own, read it on the way. What runs on the machine itself can ask for one without us.
fn is_shown_to(access: &Access, base: &Url, what: &str) -> Result<(), Failure> {
    if !is_services(base) && !is_local(base) {
        let why = "is shown to Azure DevOps Services alone: url has to begin with https://dev.azure.com/";
        return Err(Failure::Settings(format!("the {what} {why}")));
    }
    if access.ca_bundle.is_some() {
        let why = "is shown under the system's certificates alone: take ca_bundle away (null)";
        return Err(Failure::Settings(format!("the {what} {why}")));
    }
    Ok(())
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
        let refused = |status| refusal(StatusCode::from_u16(status).unwrap(), false, &answer, None, &redaction);
        let said = "Microsoft Entra gives no token: AADSTS7000215: Invalid client secret [hidden] provided.";
        assert_eq!(refused(401), Failure::Unauthorized { detail: Some(said.to_owned()) });
        assert_eq!(refused(400), refused(401));
        assert_eq!(refused(503), Failure::Unavailable { detail: Some(said.to_owned()) });
        assert_eq!(refused(429), Failure::Throttled { wait: WAIT_UNSAID });
    }
}
