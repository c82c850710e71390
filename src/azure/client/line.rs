//! The line to one server: sends calls as one identity, paid from its budget, and says how they failed.

use super::{
    Access, Failure, Machine, Priority, Unreachable,
    accounts::{Account, Accounts},
    answer::{Answer, activity_id},
    budget::Pass,
    call::{Call, Reply},
    classify::classify,
    entra::Entra,
    limits::{self, Limits},
    odd::Odd,
    redaction::Redaction,
    settings, shapes,
    unreachable::unreachable,
};
use crate::clock::Clock;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::SignedDuration;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use url::Url;

/// Attempts of a call that may be repeated.
const ATTEMPTS_MAX: u32 = 3;
/// Before the second attempt, and doubled before the third; up to half as much is added by chance.
const BACKOFF: Duration = Duration::from_millis(500);
/// Most of an answer that is no good, in bytes: enough for Azure's message or a page's title.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The code of an organization that is stopped: it is for hours, so asking again at once does not help.
const STOPPED: &str = "TF24668";

/// Who we say we are.
enum Proof {
    Nobody,
    Token(HeaderValue),
    Principal(Box<Entra>),
}

/// One server as one identity.
pub(super) struct Line {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) base: Url,
    pub(super) accounts: Arc<Accounts>,
    pub(super) account: Account,
    http: reqwest::Client,
    headers: HeaderMap,
    proof: Proof,
    by_proxy: bool,
    redaction: Redaction,
    ahead: Mutex<Option<SignedDuration>>,
    pub(super) odd: Arc<Odd>,
}

/// An answer as it came; of one that is no good the beginning of the body.
pub(super) struct Raw {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    retry_after: Option<Duration>,
}

/// The version's query value, `None` for the call that asks for versions.
pub(super) type Spoken<'a> = Option<&'a str>;

impl Line {
    pub(super) fn new(
        access: &Access,
        clock: &Arc<dyn Clock>,
        accounts: &Arc<Accounts>,
        machine: &Machine,
    ) -> Result<Self, Failure> {
        let base = Url::parse(access.url.as_str()).expect("a CollectionUrl is a URL");
        let http = settings::http_client(access, &base)?;
        let by_proxy = access.proxy.is_some();
        let proof = match &access.credential {
            None => Proof::Nobody,
            Some(super::Credential::Pat(token)) => Proof::Token(settings::basic(token)?),
            Some(_) => Entra::new(access, &base, &http, clock, machine)?
                .map_or(Proof::Nobody, |entra| Proof::Principal(Box::new(entra))),
        };
        Ok(Self {
            headers: settings::headers(access)?,
            redaction: settings::redaction(access),
            account: accounts.account(&base, access.credential.as_ref()),
            accounts: Arc::clone(accounts),
            clock: Arc::clone(clock),
            base,
            http,
            proof,
            by_proxy,
            ahead: Mutex::default(),
            odd: Odd::new(clock),
        })
    }

    /// How far the server's clock is ahead of ours, by the last answer that said so.
    pub(super) fn ahead(&self) -> Option<SignedDuration> {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call, again where that can help, within its bounds.
    pub(super) async fn persist(&self, call: &Call, spoken: Spoken<'_>, priority: Priority) -> Result<Reply, Failure> {
        let deadline = self.clock.monotonic() + call.bounds.attempts;
        let mut earlier: Option<Failure> = None;
        for attempt in 1..=ATTEMPTS_MAX {
            let left = deadline.saturating_sub(self.clock.monotonic());
            let failure = match (self.prove(call, spoken, priority, left).await, earlier.take()) {
                // The server asked to wait when it failed, and that is longer than this call does.
                (Err(Failure::Throttled { .. }), Some(earlier)) => return Err(earlier),
                (Err(failure), _) if call.repeatable && passes(&failure) => failure,
                (other, _) => return other,
            };
            let pause = backoff(attempt);
            if attempt == ATTEMPTS_MAX || self.clock.monotonic() + pause >= deadline {
                return Err(failure);
            }
            self.clock.sleep(pause).await;
            earlier = Some(failure);
        }
        Err(earlier.expect("the last attempt returns"))
    }

    /// Makes a call once, with a credential that is as good as can be, and finds out what a refusal means.
    async fn prove(
        &self,
        call: &Call,
        spoken: Spoken<'_>,
        priority: Priority,
        left: Duration,
    ) -> Result<Reply, Failure> {
        if let Some(failure) = self.account.refusal.holds()
            && priority != Priority::Interactive
        {
            return Err(failure);
        }
        let failure = match self.authorized(call, spoken, priority, left).await {
            Ok(reply) => {
                if self.has_credential() {
                    self.account.refusal.clear();
                }
                return Ok(reply);
            }
            Err(failure @ Failure::Unauthorized { .. }) if self.has_credential() => failure,
            Err(failure) => return Err(failure),
        };
        if call.proves {
            self.account.refusal.note(&failure);
            return Err(failure);
        }
        if self.account.refusal.holds().is_some() {
            // It was found out a moment ago, or Entra itself said no.
            return Err(failure);
        }
        // A missing scope looks like a dead token; the call that needs no scope tells them apart.
        let Ok(proof) = self.connection_data_call() else { return Err(failure) };
        let preview = spoken.map(|spoken| format!("{}-preview", spoken.trim_end_matches("-preview")));
        match self.authorized(&proof, preview.as_deref(), priority, left).await {
            Ok(reply) if shapes::connection_data(&reply, &self.base).is_ok_and(|data| !data.is_anonymous) => {
                let Failure::Unauthorized { detail } = failure else { return Err(failure) };
                let said = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
                let detail = format!("the credential is good, but its scopes do not cover {}{said}", call.name);
                Err(Failure::Forbidden { permission: None, detail: Some(detail) })
            }
            Ok(_) | Err(Failure::Unauthorized { .. }) => {
                self.account.refusal.note(&failure);
                Err(failure)
            }
            Err(_) => Err(failure),
        }
    }

    /// `connectionData`: needs a valid credential and nothing else.
    pub(super) fn connection_data_call(&self) -> Result<Call, Failure> {
        let call = Call::get("connectionData", &self.base, &["_apis", "connectionData"])?;
        Ok(Call { preview: true, proves: true, ..call })
    }

    pub(super) fn has_credential(&self) -> bool {
        !matches!(self.proof, Proof::Nobody)
    }

    /// Sends it; a bearer token that is refused is renewed once.
    async fn authorized(
        &self,
        call: &Call,
        spoken: Spoken<'_>,
        priority: Priority,
        left: Duration,
    ) -> Result<Reply, Failure> {
        let mut redaction = self.redaction.clone();
        redaction.add(call.secret.as_deref().map_or("", String::as_str));
        let entra = match &self.proof {
            Proof::Nobody => return self.send(call, spoken, priority, left, None, &redaction).await,
            Proof::Token(header) => return self.send(call, spoken, priority, left, Some(header), &redaction).await,
            Proof::Principal(entra) => entra,
        };
        let mut refused = None;
        loop {
            let bearer = match entra.bearer(refused, &self.redaction).await {
                Err(failure @ Failure::Unauthorized { .. }) => {
                    self.account.refusal.note(&failure);
                    return Err(failure);
                }
                other => other?,
            };
            let token = bearer.header.to_str().unwrap_or_default();
            redaction.add(token.trim_start_matches("Bearer "));
            match self.send(call, spoken, priority, left, Some(&bearer.header), &redaction).await {
                Err(Failure::Unauthorized { .. }) if refused.is_none() && entra.may_be_stale(&bearer) => {
                    refused = Some(bearer.number);
                }
                other => return other,
            }
        }
    }

    /// Sends it once, and gives what came back as it is; only to be asked to wait is a failure.
    pub(super) async fn look(
        &self,
        call: &Call,
        spoken: Spoken<'_>,
        priority: Priority,
        as_nobody: bool,
    ) -> Result<Raw, Failure> {
        let header = match &self.proof {
            Proof::Nobody => None,
            _ if as_nobody => None,
            Proof::Token(header) => Some(header.clone()),
            Proof::Principal(entra) => Some(entra.bearer(None, &self.redaction).await?.header.clone()),
        };
        let (pass, raw) = self.exchange(call, spoken, priority, call.bounds.attempt, header.as_ref()).await?;
        match raw.failure(call, header.is_some(), &self.redaction) {
            Some(failure @ Failure::Throttled { wait }) => {
                pass.hold(wait);
                Err(failure)
            }
            _ => Ok(raw),
        }
    }

    /// Sends it once.
    async fn send(
        &self,
        call: &Call,
        spoken: Spoken<'_>,
        priority: Priority,
        left: Duration,
        authorization: Option<&HeaderValue>,
        redaction: &Redaction,
    ) -> Result<Reply, Failure> {
        let (pass, raw) = self.exchange(call, spoken, priority, left, authorization).await?;
        let Some(failure) = raw.failure(call, authorization.is_some(), redaction) else {
            let (continuation, activity_id) = (continuation(&raw.headers), activity_id(&raw.headers));
            return Ok(Reply { odd: Arc::clone(&self.odd), continuation, activity_id, body: raw.body });
        };
        if let Failure::Throttled { wait } = &failure {
            pass.hold(*wait);
        }
        Err(failure)
    }

    async fn exchange(
        &self,
        call: &Call,
        spoken: Spoken<'_>,
        priority: Priority,
        left: Duration,
        authorization: Option<&HeaderValue>,
    ) -> Result<(Pass, Raw), Failure> {
        let pass = self.account.budget().enter(priority).await?;
        let mut url = call.url.clone();
        if let Some(version) = spoken {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        let host = call.url.host_str().unwrap_or_default();
        let failed = |error: reqwest::Error| unreachable(&error, host, self.by_proxy);
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .headers(self.headers.clone())
            .header(header::ACCEPT, "application/json")
            .header("x-tfs-fedauthredirect", "Suppress")
            .timeout(call.bounds.attempt.min(left).max(Duration::from_secs(1)));
        if let Some(value) = authorization {
            request = request.header(header::AUTHORIZATION, value.clone());
        }
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, call.media_type).body(body.clone());
        }
        let mut response = request.send().await.map_err(failed)?;
        let limits = Limits::read(response.headers(), self.clock.now());
        if let Some(ahead) = limits::ahead(response.headers(), self.clock.now()) {
            *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        pass.obey(&limits);
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let bytes_max = if status.is_success() { call.bounds.body_bytes } else { HEAD_BYTES_MAX };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = bytes_max - body.len();
            if chunk.len() > room && status.is_success() {
                let detail = format!("{}: the answer has more than {} MiB", call.name, bytes_max >> 20);
                return Err(Failure::Unexpected { detail, activity_id: activity_id(&headers) });
            }
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == bytes_max && !status.is_success() {
                break;
            }
        }
        Ok((pass, Raw { status, headers, body, retry_after: limits.retry_after }))
    }
}

impl Raw {
    /// Which failure it is, if it is one.
    fn failure(&self, call: &Call, had_credential: bool, redaction: &Redaction) -> Option<Failure> {
        classify(&Answer {
            status: self.status,
            asked: &call.url,
            headers: &self.headers,
            head: &self.body,
            had_credential,
            retry_after: self.retry_after,
            redaction,
        })
    }
}

fn continuation(headers: &HeaderMap) -> Option<String> {
    let token = headers.get("x-ms-continuationtoken")?.to_str().ok()?.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// Whether asking again soon can help.
fn passes(failure: &Failure) -> bool {
    match failure {
        Failure::Unavailable { detail } => !detail.as_deref().is_some_and(|detail| detail.contains(STOPPED)),
        Failure::Unreachable { at, .. } => *at == Unreachable::Silent,
        _ => false,
    }
}

fn backoff(attempt: u32) -> Duration {
    let pause = BACKOFF * 2_u32.pow(attempt - 1);
    let mut chance = [0_u8; 1];
    // Without randomness the pause is only less random.
    let _ = getrandom::fill(&mut chance);
    pause + pause.mul_f64(f64::from(chance[0]) / 512.0)
}
