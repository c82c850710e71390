//! The way to our own door, walked from here: name, connection, certificate, and who answers.
//!
//! No secret goes this way. Whoever answers at the public URL may be somebody else, so what is sent is random, and only this
//! gateway's key can say what of it was heard ([`DerivingKey::echo`](crate::secrets::DerivingKey::echo)).
//! Not promised: that Azure DevOps goes the same way. It may know another address for the name, trust others, and not be
//! able to reach what we reach, or the other way round; the round trip is for that.

use super::certificate::Certificate;
use crate::{
    app::App,
    azure::client::{
        DESCRIPTORS_USED_UP, Unreachable, ahead, descriptors_used_up, page_title, tls_error, use_ring, why_unreachable,
    },
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, header};
use jiff::SignedDuration;
use reqwest::{Client, Response, redirect, tls::TlsInfo};
use serde::Deserialize;
use std::{collections::BTreeSet, error::Error as _, net::IpAddr, time::Duration};
use url::Url;
use uuid::Uuid;

/// For the name servers.
const NAME_TIMEOUT: Duration = Duration::from_secs(5);
/// For connecting, TLS and the answer together; in real time, because sockets are.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// Most of an answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Most of what somebody else says that is repeated.
const WORD_CHARS_MAX: usize = 100;
/// Most addresses that are named.
const ADDRESSES_MAX: usize = 8;
/// Where the gateway says that it is itself, below the public URL.
pub const WHO_PATH: &str = "/hooks/azure-devops/who";

/// What was found on the way.
#[derive(Debug)]
pub(super) struct Way {
    /// The addresses of the name, or why there are none.
    pub(super) addresses: Result<Vec<IpAddr>, String>,
    /// What happened then; absent where there was no address.
    pub(super) arrival: Option<Arrival>,
}

/// What happened at the address.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Why this machine does not trust the certificate; `None` when it does, and without TLS.
    pub(super) distrust: Option<Distrust>,
    /// The certificate, as far as it was understood.
    pub(super) certificate: Option<Certificate>,
    /// Who answered.
    pub(super) answer: Answer,
    /// How far the clock of whoever answered is ahead of ours.
    pub(super) ahead: Option<SignedDuration>,
}

/// Why TLS did not come about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Distrust {
    /// Nobody that is trusted here issued it.
    Issuer,
    /// Something else: the certificate itself says what where it is its time or its names.
    Other(String),
}

/// Who answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nobody.
    Nobody(Unreachable, String),
    /// This gateway, with or without the header `Authorization` that was sent.
    Ours {
        /// Whether it was heard.
        authorization: bool,
    },
    /// A gateway with another key.
    OtherGateway,
    /// Something else.
    Somebody {
        /// Its status.
        status: u16,
        /// The host that it sends to.
        to: Option<String>,
        /// The title of its page.
        title: Option<String>,
        /// What it calls itself.
        server: Option<String>,
    },
}

/// The answer of [`WHO_PATH`], as far as it is read.
#[derive(Deserialize)]
struct Who {
    echo: String,
}

/// Walks it.
pub(super) async fn walk(app: &App, public_url: &Url) -> Way {
    let addresses = addresses(public_url).await;
    let arrival = match &addresses {
        Ok(_) => Some(arrive(app, public_url).await),
        Err(_) => None,
    };
    Way { addresses, arrival }
}

async fn addresses(url: &Url) -> Result<Vec<IpAddr>, String> {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let looking = tokio::net::lookup_host((host, url.port_or_known_default().unwrap_or(443)));
    match tokio::time::timeout(NAME_TIMEOUT, looking).await {
        Ok(Ok(found)) => {
            let found: BTreeSet<IpAddr> = found.map(|address| address.ip()).collect();
            if found.is_empty() {
                return Err("it has no address".to_owned());
            }
            Ok(found.into_iter().take(ADDRESSES_MAX).collect())
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the name servers did not answer within {} seconds", NAME_TIMEOUT.as_secs())),
    }
}

fn client(trusts_everybody: bool) -> reqwest::Result<Client> {
    use_ring();
    Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .tls_info(true)
        .tls_danger_accept_invalid_certs(trusts_everybody)
        .build()
}

async fn arrive(app: &App, public_url: &Url) -> Arrival {
    let question = Question::new(public_url);
    let (distrust, asked) = match question.ask(false).await {
        Err(error) if tls_error(&error).is_some() || error.is_builder() => {
            // To see what the certificate is and who is behind it. Nothing that is sent is secret.
            (Some(distrust(&error)), question.ask(true).await)
        }
        other => (None, other),
    };
    let host = public_url.host_str().unwrap_or_default();
    match asked {
        Err(error) => {
            let (at, words) = why_unreachable(&error, false);
            Arrival { distrust, certificate: None, answer: Answer::Nobody(at, words), ahead: None }
        }
        Ok((headers, status, certificate, body)) => Arrival {
            distrust,
            certificate: certificate.and_then(|der| Certificate::read(&der, host)),
            answer: question.answer(app, &headers, status, &body),
            ahead: ahead(&headers, app.clock.now()),
        },
    }
}

fn distrust(error: &reqwest::Error) -> Distrust {
    use rustls::CertificateError::UnknownIssuer;
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(UnknownIssuer)) => Distrust::Issuer,
        Some(other) => Distrust::Other(other.to_string()),
        None if descriptors_used_up(error.source()) => Distrust::Other(DESCRIPTORS_USED_UP.to_owned()),
        None => Distrust::Other("this machine has no list of certificate authorities".to_owned()),
    }
}

/// What is asked, and with it what a right answer is.
struct Question {
    url: String,
    nonce: String,
    /// Shaped as a hook's, and nobody's.
    authorization: String,
}

type Asked = (HeaderMap, u16, Option<Vec<u8>>, Bytes);

impl Question {
    fn new(public_url: &Url) -> Self {
        let (nonce, password) = (Uuid::new_v4().simple().to_string(), Uuid::new_v4());
        let credentials = BASE64_STANDARD.encode(format!("hookwell.doctor.0:{}", password.simple()));
        let url = format!("{}{WHO_PATH}?nonce={nonce}", public_url.as_str().trim_end_matches('/'));
        Self { url, nonce, authorization: format!("Basic {credentials}") }
    }

    async fn ask(&self, trusts_everybody: bool) -> reqwest::Result<Asked> {
        let client = client(trusts_everybody)?;
        let request = client.get(&self.url).header(header::AUTHORIZATION, &self.authorization);
        let mut response = request.header(header::ACCEPT, "application/json").send().await?;
        let certificate =
            response.extensions().get::<TlsInfo>().and_then(|info| info.peer_certificate().map(<[u8]>::to_vec));
        let body = head(&mut response).await;
        Ok((response.headers().clone(), response.status().as_u16(), certificate, body))
    }

    fn answer(&self, app: &App, headers: &HeaderMap, status: u16, body: &[u8]) -> Answer {
        if let Ok(Who { echo }) = serde_json::from_slice(body) {
            let heard = |authorization| echo == app.hook_key.echo(&self.nonce, authorization);
            return match (heard(Some(self.authorization.as_bytes())), heard(None)) {
                (true, _) => Answer::Ours { authorization: true },
                (_, true) => Answer::Ours { authorization: false },
                _ => Answer::OtherGateway,
            };
        }
        let header = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        // Of where it sends to only the host: the rest may hold a secret.
        let host = |text: &str| Url::parse(text).ok()?.host_str().map(word);
        Answer::Somebody {
            status,
            to: header(header::LOCATION).and_then(host),
            title: page_title(body).map(|title| word(&title)).filter(|title| !title.is_empty()),
            server: header(header::SERVER).map(word).filter(|word| !word.is_empty()),
        }
    }
}

/// The body or its beginning: one that breaks off is as good.
async fn head(response: &mut Response) -> Bytes {
    let mut head = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        let room = ANSWER_BYTES_MAX - head.len();
        head.extend_from_slice(&piece[..piece.len().min(room)]);
        if head.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    head.into()
}

/// Somebody else's words in one short line.
fn word(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(WORD_CHARS_MAX).collect()
}

/// Whether an address is one that the cloud does not deliver to, because it means this machine or a network of one's own.
pub(super) fn is_private(address: &IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_unspecified(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_the_cloud_cannot_reach_are_known() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_private(&private.parse().unwrap()), "{private}");
        }
        for public in ["20.1.2.3", "172.32.0.1", "100.128.0.1", "2603:1030::1", "::ffff:20.1.2.3"] {
            assert!(!is_private(&public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn what_others_say_is_short_and_one_line() {
        let title = page_title(b"<html><TITLE lang=en>Sign in\n to\x07 us</title>").unwrap();
        assert_eq!(word(&title), "Sign in to us");
        assert_eq!(word(&"x".repeat(500)).len(), WORD_CHARS_MAX);
    }
}
