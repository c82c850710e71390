//! One exchange over the network: sent, bounded in time and size, and what failed in words.

use super::{Access, Credential, Failure, Unreachable};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::{Certificate, Proxy, redirect::Policy};
use serde_json::Value;
use std::{error::Error as _, time::Duration};
use url::Url;
use zeroize::Zeroizing;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Idle connections kept per host.
const IDLE_CONNECTIONS_MAX: usize = 4;
/// How long they are kept.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// Most characters of the operating system's word that are shown.
const REASON_CHARS_MAX: usize = 200;

/// Shown instead of a secret that an answer repeats.
const HIDDEN: &str = "[hidden]";

/// A request.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: Option<Body<'a>>,
    pub(super) timeout: Duration,
    pub(super) body_bytes_max: usize,
}

/// What a request carries.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    Json(&'a Value),
    /// `application/x-www-form-urlencoded`, encoded.
    Form(&'a str),
}

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer, and whether the request may have arrived.
pub(super) struct NoAnswer {
    pub(super) failure: Failure,
    pub(super) may_have_arrived: bool,
}

/// Speaks HTTP as one access wants it: its headers, certificates and proxy.
pub(super) struct Wire {
    http: reqwest::Client,
    /// For people: `host:port`.
    has_proxy: bool,
    /// Extra headers, which go to Azure DevOps and nobody else.
    headers: HeaderMap,
    /// Whatever must not be shown, should an answer repeat it.
    secrets: Vec<Zeroizing<String>>,
}

impl Wire {
    /// # Errors
    /// [`Failure::Settings`], naming what cannot be used.
    pub(super) fn new(access: &Access) -> Result<Self, Failure> {
        // reqwest takes the process's provider; that it is set already is no failure.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = |what: &str| Failure::Settings(what.to_owned());
        // Proxies come from the connection, not from the environment: what is configured is what happens.
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("hookwell/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .pool_idle_timeout(IDLE_TIMEOUT);
        if let Some(pem) = &access.ca_bundle {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes());
            let certificates = certificates.ok().filter(|all| !all.is_empty());
            builder =
                builder.tls_certs_merge(certificates.ok_or_else(|| settings("ca_bundle holds no certificate in PEM"))?);
        }
        if let Some(proxy) = &access.proxy {
            builder =
                builder.proxy(Proxy::all(proxy.as_str()).map_err(|_| settings("proxy is not the URL of a proxy"))?);
        }
        let http = builder.build().map_err(|_| settings("ca_bundle or proxy cannot be used"))?;
        let mut secrets: Vec<_> = access.headers.iter().map(|(_, value)| value.clone()).collect();
        match &access.credential {
            Some(Credential::Pat(token)) => {
                secrets.push(token.clone());
                secrets.push(basic(token));
            }
            Some(Credential::ServicePrincipal { client_secret, .. }) => secrets.push(client_secret.clone()),
            None => {}
        }
        secrets.retain(|secret| !secret.is_empty());
        Ok(Self { http, has_proxy: access.proxy.is_some(), headers: headers(access)?, secrets })
    }

    /// To Azure DevOps, with the access's headers.
    pub(super) async fn send(&self, request: Request<'_>) -> Result<Answer, NoAnswer> {
        let mut headers = self.headers.clone();
        headers.insert("x-tfs-fedauthredirect", HeaderValue::from_static("Suppress"));
        self.exchange(request, headers).await
    }

    /// To somebody else: without the access's headers.
    pub(super) async fn send_elsewhere(&self, request: Request<'_>) -> Result<Answer, NoAnswer> {
        self.exchange(request, HeaderMap::new()).await
    }

    async fn exchange(&self, request: Request<'_>, mut headers: HeaderMap) -> Result<Answer, NoAnswer> {
        let Request { method, url, authorization, body, timeout, body_bytes_max } = request;
        let host = url.host_str().unwrap_or_default().to_owned();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(value) = authorization {
            headers.insert(http::header::AUTHORIZATION, value);
        }
        let mut builder = self.http.request(method, url).headers(headers).timeout(timeout);
        builder = match body {
            None => builder,
            Some(Body::Json(value)) => builder.json(value),
            Some(Body::Form(text)) => {
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                builder.header(http::header::CONTENT_TYPE, form).body(text.to_owned())
            }
        };
        let no_answer = |error: reqwest::Error| NoAnswer {
            may_have_arrived: !error.is_connect() && !error.is_builder(),
            failure: self.unreachable(&error, &host),
        };
        let mut response = builder.send().await.map_err(no_answer)?;
        let (status, headers, mut kept) = (response.status().as_u16(), response.headers().clone(), Vec::new());
        while let Some(piece) = response.chunk().await.map_err(no_answer)? {
            if kept.len() + piece.len() > body_bytes_max {
                let detail = format!("the answer is larger than {body_bytes_max} bytes");
                let failure = Failure::Unexpected { detail, activity_id: super::classify::activity_id(&headers) };
                return Err(NoAnswer { failure, may_have_arrived: true });
            }
            kept.extend_from_slice(&piece);
        }
        Ok(Answer { status, headers, body: kept })
    }

    /// Where it failed, from the error and its causes. reqwest's own text would name the URL.
    fn unreachable(&self, error: &reqwest::Error, host: &str) -> Failure {
        let mut reasons = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            reasons.push(cause.to_string());
            source = cause.source();
        }
        let reason: String =
            reasons.last().map(|text| text.chars().take(REASON_CHARS_MAX).collect()).unwrap_or_default();
        let all = reasons.join(" ").to_ascii_lowercase();
        let (at, detail) = if error.is_connect() && self.has_proxy && (all.contains("proxy") || all.contains("tunnel"))
        {
            (Unreachable::Proxy, format!("the proxy on the way to {host} refuses or fails: {reason}"))
        } else if all.contains("dns") || all.contains("lookup address") {
            (Unreachable::Name, format!("the name {host} cannot be resolved here"))
        } else if all.contains("certificate") || all.contains("tls") || all.contains("handshake") {
            (Unreachable::Tls, format!("TLS with {host} fails: {reason}"))
        } else if error.is_connect() && !error.is_timeout() {
            (Unreachable::Connect, format!("{host} cannot be connected to: {reason}"))
        } else if error.is_connect() {
            (Unreachable::Connect, format!("{host} does not take the connection in time"))
        } else if error.is_timeout() {
            (Unreachable::Silent, format!("{host} did not answer in time"))
        } else {
            (Unreachable::Silent, format!("{host} cut the connection before its answer was whole"))
        };
        Failure::Unreachable { at, detail: self.hidden(detail) }
    }

    /// A failure without our secrets, should the other side repeat them.
    pub(super) fn without_secrets(&self, mut failure: Failure) -> Failure {
        match &mut failure {
            Failure::Unauthorized { detail }
            | Failure::Forbidden { detail, .. }
            | Failure::NotFound { detail }
            | Failure::Refused { detail, .. }
            | Failure::Unavailable { detail } => *detail = detail.take().map(|text| self.hidden(text)),
            Failure::Unreachable { detail, .. } | Failure::Unexpected { detail, .. } | Failure::Settings(detail) => {
                *detail = self.hidden(std::mem::take(detail));
            }
            Failure::Throttled { .. } => {}
        }
        failure
    }

    fn hidden(&self, text: String) -> String {
        let text = self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), HIDDEN));
        // Entra's tokens come and go; whatever follows the word is one.
        match text.split_once("Bearer ") {
            Some((before, _)) => format!("{before}Bearer {HIDDEN}"),
            None => text,
        }
    }
}

/// A personal access token as Basic credentials: any user name will do, none is usual.
pub(super) fn basic(token: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!(":{token}"));
    Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()))
}

/// The access's own headers, marked so that nothing prints them.
fn headers(access: &Access) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let settings = |what: &str| Failure::Settings(format!("the header {name} {what}"));
        let named = HeaderName::try_from(name.as_str()).map_err(|_| settings("has a name that cannot be sent"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| settings("has a value that cannot be sent"))?;
        value.set_sensitive(true);
        headers.append(named, value);
    }
    Ok(headers)
}
