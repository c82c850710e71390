//! HTTP as sinks speak it: every engine that makes requests makes them here, so that what is refused, bounded and hidden
//! is so for all of them.
//!
//! Absent on purpose: redirects, proxies of the environment, cookies, answers read to their end, secrets in what is said.

mod address;
mod answer;
mod resolver;

pub use self::{address::not_public, answer::Answer};

use super::{Attempt, Error, Unusable};
use crate::{
    azure::client::{
        DESCRIPTORS_USED_UP, Redaction, descriptors_used_up, retry_after, tls_error, unreachable_words, use_ring,
    },
    clock::Clock,
};
use http::{HeaderMap, Method};
use reqwest::{Certificate, ClientBuilder, Identity, redirect};
use resolver::{PublicOnly, Refused, check_literal};
use rustls::AlertDescription;
use std::{error::Error as _, sync::Arc, time::Duration};
use url::Url;

/// What is read of an answer; the rest is not waited for.
const ANSWER_READ_BYTES_MAX: usize = 16 << 10;
/// How long the rest of an answer is waited for once its head is there: the status says what it means, the rest is words.
const ANSWER_REST_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that idle longer are closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("hookwell/", env!("CARGO_PKG_VERSION"));

/// How long one request may take, in real time: sockets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection.
    pub connect: Duration,
    /// Until the answer begins, connecting included.
    pub first_byte: Duration,
    /// From there on, until the answer has ended; it need not.
    pub rest: Duration,
    /// Until all has ended, where an engine waits for more than one answer.
    pub whole: Duration,
}

impl Timeouts {
    /// Of a request that may take so long: a third of it for the connection (at most 10 s), two for the beginning.
    pub fn within(whole: Duration) -> Self {
        let rest = ANSWER_REST_TIMEOUT.min(whole / 3);
        Self { connect: Duration::from_secs(10).min(whole / 3), first_byte: whole / 3 * 2, rest, whole }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self::within(Duration::from_secs(30))
    }
}

/// What a sink is reached with.
#[derive(Default)]
pub struct Settings<'a> {
    /// Whether addresses in private networks may be reached.
    pub allow_private: bool,
    /// Whether it may be reached without TLS.
    pub allow_http: bool,
    /// Certificates in PEM that are trusted besides the system's.
    pub ca_bundle: Option<&'a str>,
    /// Certificate and key in PEM with which we prove ourselves.
    pub identity: Option<&'a str>,
    /// Requests at once, for the connections that are kept.
    pub in_flight_max: usize,
    /// What must never be seen in what is said about an answer.
    pub secrets: Vec<&'a str>,
    /// How long it may take.
    pub timeouts: Timeouts,
}

/// A client for one sink.
pub struct Wire {
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    redaction: Redaction,
    timeouts: Timeouts,
    allow_private: bool,
    allow_http: bool,
}

impl Wire {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// Certificates that cannot be used.
    pub fn new(settings: &Settings<'_>, clock: Arc<dyn Clock>) -> Result<Self, Unusable> {
        use_ring();
        let unusable = |what: &str| Unusable(format!("{what} cannot be used"));
        let mut builder = ClientBuilder::new()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(settings.timeouts.connect)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.in_flight_max.max(1));
        if !settings.allow_private {
            builder = builder.dns_resolver(PublicOnly);
        }
        if let Some(bundle) = settings.ca_bundle {
            let certificates = Certificate::from_pem_bundle(bundle.as_bytes());
            let certificates = certificates.map_err(|_| unusable("the CA bundle"))?;
            builder = builder.tls_certs_merge(certificates);
        }
        if let Some(identity) = settings.identity {
            let identity = Identity::from_pem(identity.as_bytes());
            builder = builder.identity(identity.map_err(|_| unusable("the client certificate"))?);
        }
        let client = builder.build().map_err(|error| {
            let used_up = descriptors_used_up(error.source());
            if used_up { Unusable(DESCRIPTORS_USED_UP.to_owned()) } else { unusable("the certificates") }
        })?;
        let mut redaction = Redaction::default();
        settings.secrets.iter().for_each(|secret| redaction.add(secret));
        let Settings { timeouts, allow_private, allow_http, .. } = *settings;
        Ok(Self { client, clock, redaction, timeouts, allow_private, allow_http })
    }

    /// One request and the beginning of its answer, or why there is none.
    ///
    /// # Errors
    /// The failed attempt; nobody knows whether the request arrived.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: bytes::Bytes,
    ) -> Result<Answer, Attempt> {
        let began = self.clock.monotonic();
        let took = || self.clock.monotonic().saturating_sub(began);
        let failed = |said: String| Attempt::failed(Error::transient(said), took());
        if url.scheme() != "https" && !self.allow_http {
            return Err(failed("the sink has no https; an admin can allow http for it".to_owned()));
        }
        if !self.allow_private
            && let Err(refused) = check_literal(url)
        {
            return Err(failed(refused.to_string()));
        }
        let request = self.client.request(method, url.clone()).headers(headers).body(body);
        let timeouts = self.timeouts;
        let exchange = async {
            let beginning = tokio::time::timeout(timeouts.first_byte, request.send()).await;
            let response = beginning.map_err(|_| said_too_late(timeouts.first_byte, "did not begin to answer"))?;
            let mut response = response.map_err(|error| self.words(&error, url))?;
            let mut head = Vec::new();
            // A body that breaks off, drips or never ends changes nothing of what the status said.
            let reading = async {
                while head.len() < ANSWER_READ_BYTES_MAX
                    && let Ok(Some(piece)) = response.chunk().await
                {
                    head.extend_from_slice(&piece);
                }
            };
            let _ = tokio::time::timeout(timeouts.rest, reading).await;
            head.truncate(ANSWER_READ_BYTES_MAX);
            Ok((response.status(), response.headers().clone(), head))
        };
        let (status, headers, head) = exchange.await.map_err(failed)?;
        let said = self.redaction.said(&String::from_utf8_lossy(&head)).unwrap_or_default();
        let after = retry_after(&headers, self.clock.now());
        Ok(Answer { status, headers, head, said, after, took: took() })
    }

    fn words(&self, error: &reqwest::Error, url: &Url) -> String {
        let mut cause = error.source();
        let mut refused = None;
        while let Some(error) = cause.filter(|_| refused.is_none()) {
            refused = error.downcast_ref::<Refused>();
            cause = error.source();
        }
        let mut words =
            refused.map_or_else(|| unreachable_words(error, url.host_str().unwrap_or_default()), ToString::to_string);
        if let Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) = tls_error(error) {
            words.push_str("; give one with its key as the sink's identity");
        }
        self.redaction.said(&words).unwrap_or_default()
    }
}

fn said_too_late(limit: Duration, what: &str) -> String {
    format!("it {what} within {} s", limit.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    /// The outcome of an attempt at a server that answers this, and then pours, drips, waits or cuts.
    async fn attempted(head: &'static str, then: &'static str) -> Attempt {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await.unwrap();
            socket.write_all(head.as_bytes()).await.unwrap();
            match then {
                "cuts" => {}
                "waits" => std::future::pending().await,
                "drips" => {
                    while socket.write_all(b"x").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                _ => while socket.write_all(&[b'x'; 4096]).await.is_ok() {},
            }
        });
        let timeouts = Timeouts { rest: Duration::from_millis(200), ..Timeouts::default() };
        let settings = Settings { allow_private: true, allow_http: true, timeouts, ..Settings::default() };
        let wire = Wire::new(&settings, Arc::new(SystemClock::default())).unwrap();
        let answer = wire.send(Method::POST, &url, HeaderMap::new(), bytes::Bytes::new()).await;
        server.abort();
        answer.map_or_else(|attempt| attempt, Answer::into_attempt)
    }

    #[tokio::test]
    async fn the_status_says_what_an_answer_means_whatever_becomes_of_its_body() {
        for then in ["pours", "drips", "waits", "cuts"] {
            for length in ["content-length: 100000\r\n", "transfer-encoding: chunked\r\n", ""] {
                let head = |status: &str| -> &'static str { format!("HTTP/1.1 {status}\r\n{length}\r\n").leak() };
                assert_eq!(attempted(head("200 OK"), then).await.result, Ok(()), "{then} {length}");
                let gone = attempted(head("410 Gone"), then).await.result;
                assert!(matches!(gone, Err(Error::Gone { .. })), "{then} {length}: {gone:?}");
                let later = attempted(head("503 No\r\nretry-after: 17"), then).await.result;
                let after = Some(Duration::from_secs(17));
                assert!(matches!(&later, Err(Error::Transient { after: said, .. }) if *said == after), "{later:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_whole_head_is_none() {
        let cut = attempted("HTTP/1.1 200", "cuts").await;
        assert!(matches!(cut.result, Err(Error::Transient { .. })), "{cut:?}");
    }
}
