//! A running gateway, asked over its API: what the commands use that need one.

use super::Failure;
use crate::{
    azure::client::why_unreachable,
    config::{Environment, Options},
    gateway::loopback_client,
};
use clap::Args;
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::{net::IpAddr, time::Duration};
use url::Url;
use zeroize::Zeroizing;

/// How long an answer may take from the first byte of the request to its own last one; what takes longer is begun by one
/// request and watched by others. The doctor's is the longest, with a minute.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);
/// For the connection, which is a part of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Most of an answer, in bytes: several times the largest page that a gateway gives.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// The characters that stand for themselves in a part of a path (RFC 3986, unreserved).
const PART: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which gateway.
#[derive(Debug, Args)]
// Flattened into arguments that are called the same.
#[group(skip)]
pub(super) struct Arguments {
    /// Where the running gateway is reached [default: where `serve` with the same settings listens]; its token is
    /// `HOOKWELL_TOKEN`, or `HOOKWELL_ADMIN_TOKEN`
    #[arg(long, env = "HOOKWELL_GATEWAY")]
    gateway: Option<Url>,
}

/// A gateway and a token for it.
pub(super) struct Remote {
    client: reqwest::Client,
    base: Url,
    token: Zeroizing<String>,
    answer_timeout: Duration,
    answer_bytes_max: usize,
}

impl Remote {
    pub(super) fn new(arguments: &Arguments, options: &Options, environment: &Environment) -> Result<Self, Failure> {
        let token = environment.token.clone().or_else(|| environment.admin_token.clone());
        let token = token.ok_or_else(|| Failure::input("set HOOKWELL_TOKEN to a token of the gateway"))?;
        // Only on this machine is a certificate that names something else beyond doubt.
        let (base, client) = match &arguments.gateway {
            Some(url) => {
                crate::azure::client::use_ring();
                (url.clone(), reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).build())
            }
            None => (here(options)?, loopback_client(ANSWER_TIMEOUT)),
        };
        let client = client.map_err(Failure::new)?;
        Ok(Self { client, base, token, answer_timeout: ANSWER_TIMEOUT, answer_bytes_max: ANSWER_BYTES_MAX })
    }

    /// One request; its JSON, or its problem as a failure. `path` begins with a slash and may have a query.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let (status, value) = self.send(method, path, body).await?;
        if status.is_success() { Ok(value) } else { Err(self.problem(path, status, &value)) }
    }

    /// One request; its status and its JSON. What a good status comes with is JSON or nothing: an answer that is neither,
    /// does not end or is too long is a failure, not an empty one.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Failure> {
        let failed = |reason: String| Failure::new(format!("{} {path}: {reason}", self.base));
        let url = self.base.join(path).map_err(|error| failed(error.to_string()))?;
        let mut request = self.client.request(method, url).bearer_auth(self.token.as_str());
        if let Some(body) = body {
            request = request.json(body);
        }
        let exchange = tokio::time::timeout(self.answer_timeout, self.answer(request)).await;
        let (status, body) = exchange.unwrap_or_else(|_| Err(self.too_late())).map_err(failed)?;
        if body.is_empty() {
            return Ok((status, Value::Null));
        }
        match serde_json::from_slice(&body) {
            Ok(value) => Ok((status, value)),
            Err(_) if !status.is_success() => Ok((status, Value::Null)),
            Err(_) => Err(failed(format!("it answers {status} and no JSON; is a gateway of Hookwell there?"))),
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<(StatusCode, Vec<u8>), String> {
        let cut = |error: reqwest::Error| {
            if error.is_timeout() && !error.is_connect() { self.too_late() } else { why_unreachable(&error, false).1 }
        };
        let mut response = request.send().await.map_err(cut)?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(cut)? {
            if body.len() + piece.len() > self.answer_bytes_max {
                let most = self.answer_bytes_max;
                return Err(format!(
                    "the answer has more than {most} bytes, which no gateway sends; check the address, and ask for less at a \
                     time if it is right"
                ));
            }
            body.extend_from_slice(&piece);
        }
        Ok((response.status(), body))
    }

    fn too_late(&self) -> String {
        let limit = self.answer_timeout.as_secs_f64();
        format!("there was no whole answer within {limit} s; check the address, and whether the gateway is overloaded")
    }

    /// What a reply says is wrong; it is the input where the request is.
    pub(super) fn problem(&self, path: &str, status: StatusCode, value: &Value) -> Failure {
        let said = |value: &Value, member: &str| value[member].as_str().map(str::to_owned);
        let wrong = |error: &Value| {
            let name = said(error, "parameter").or_else(|| said(error, "pointer")).unwrap_or_default();
            format!("{} {}", name.trim_start_matches('/'), said(error, "detail").unwrap_or_default())
        };
        let errors: Vec<String> = value["errors"].as_array().into_iter().flatten().map(wrong).collect();
        let mut message = if errors.is_empty() {
            let said = said(value, "detail").or_else(|| said(value, "title"));
            said.unwrap_or_else(|| format!("it answers {status}; is a gateway of Hookwell there?"))
        } else {
            errors.join("; ")
        };
        match status {
            StatusCode::UNAUTHORIZED => {
                message.push_str("; check HOOKWELL_TOKEN: this gateway does not know that token");
            }
            StatusCode::FORBIDDEN => message.push_str("; check HOOKWELL_TOKEN: this needs an admin's"),
            _ => {}
        }
        let message = format!("{} {path}: {message}", self.base);
        match status {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                Failure::input(message)
            }
            _ => Failure::new(message),
        }
    }
}

/// A member of a reply that is a text; nothing where it is none.
pub(super) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// `/one/two`, with everything in a part encoded that would end it or mean something else there.
///
/// # Errors
/// A part of dots alone, or an empty one: as a part of a path it would name something else, encoded or not
/// (WHATWG URL, "double-dot URL path segment").
pub(super) fn path(parts: &[&str]) -> Result<String, Failure> {
    let mut path = String::new();
    for part in parts {
        if matches!(*part, "" | "." | "..") {
            return Err(Failure::input(format!("{part:?} is the name of nothing here")));
        }
        path.extend(["/", &utf8_percent_encode(part, &PART).to_string()]);
    }
    Ok(path)
}

/// Where `serve` listens with these settings, from this machine.
fn here(options: &Options) -> Result<Url, Failure> {
    let listen = options.listen().map_err(Failure::new)?;
    let mut address = listen.address;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    let scheme = if listen.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{address}").parse().map_err(Failure::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        task::JoinHandle,
    };

    /// The behaviour of a server after it has sent its beginning.
    #[derive(Clone, Copy)]
    enum Then {
        Close,
        Pour,
        Drip,
        Wait,
    }

    /// A server that answers everything with these bytes, and then does this; and somebody who asks it.
    async fn against(beginning: &'static str, then: Then) -> (Remote, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await.unwrap();
            socket.write_all(beginning.as_bytes()).await.unwrap();
            match then {
                Then::Close => {}
                Then::Pour => while socket.write_all(&[b' '; 4096]).await.is_ok() {},
                Then::Drip => {
                    while socket.write_all(b" ").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                Then::Wait => std::future::pending().await,
            }
        });
        let client = loopback_client(Duration::from_mins(1)).unwrap();
        let (token, answer_timeout) = (Zeroizing::new("a-token".to_owned()), Duration::from_millis(300));
        (Remote { client, base, token, answer_timeout, answer_bytes_max: 65_536 }, server)
    }

    async fn failure(beginning: &'static str, then: Then) -> String {
        let (remote, server) = against(beginning, then).await;
        let asked = remote.ask(Method::GET, "/v1/connections", None).await;
        server.abort();
        asked.expect_err("it fails").message
    }

    #[tokio::test]
    async fn an_answer_ends_in_bytes_and_in_time_or_is_a_failure_that_says_so() {
        const ENDLESS: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"data\":[";
        for (beginning, then, words) in [
            (ENDLESS, Then::Pour, "more than 65536 bytes"),
            ("HTTP/1.1 500 No\r\n\r\n", Then::Pour, "more than 65536 bytes"),
            (ENDLESS, Then::Drip, "no whole answer within 0.3 s"),
            (ENDLESS, Then::Wait, "no whole answer within 0.3 s"),
            ("HTTP/1.1 200", Then::Wait, "no whole answer within 0.3 s"),
            ("", Then::Wait, "no whole answer within 0.3 s"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{", Then::Close, "the connection was cut"),
            (ENDLESS, Then::Close, "200 OK and no JSON"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>", Then::Close, "is a gateway of Hookwell there?"),
            ("HTTP/1.1 404 No\r\ncontent-length: 6\r\n\r\n<html>", Then::Close, "is a gateway of Hookwell there?"),
            (
                "HTTP/1.1 401 No\r\ncontent-length: 20\r\n\r\n{\"detail\": \"unknown\"}",
                Then::Close,
                "check HOOKWELL_TOKEN",
            ),
        ] {
            let said = failure(beginning, then).await;
            assert!(said.contains(words) && said.contains("/v1/connections: "), "{beginning:?}: {said}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_body_or_with_a_problem_is_one() {
        let (remote, _server) = against("HTTP/1.1 204 No Content\r\n\r\n", Then::Close).await;
        let (status, value) = remote.send(Method::GET, "/", None).await.map_err(|failure| failure.message).unwrap();
        assert_eq!((status, value), (StatusCode::NO_CONTENT, Value::Null));
        let refused = "HTTP/1.1 404 No\r\ncontent-length: 21\r\n\r\n{\"detail\": \"nothing\"}";
        assert!(failure(refused, Then::Close).await.ends_with("/v1/connections: nothing"));
    }

    #[test]
    fn a_part_of_a_path_stays_one_part() {
        let made = |part: &str| path(&["v1", "projects", part]).map_err(|failure| failure.code);
        for (part, expected) in [
            ("web-shop", "/v1/projects/web-shop"),
            ("../../etc", "/v1/projects/..%2F..%2Fetc"),
            ("a b?c#d%2e", "/v1/projects/a%20b%3Fc%23d%252e"),
            ("ä\n", "/v1/projects/%C3%A4%0A"),
        ] {
            assert_eq!(made(part), Ok(expected.to_owned()));
            let url = Url::parse("http://gateway.example").unwrap().join(expected).unwrap();
            assert_eq!(url.path(), expected, "no reader of URLs takes it for something else");
        }
        for part in ["", ".", ".."] {
            assert_eq!(made(part), Err(2), "{part:?}");
        }
    }
}
