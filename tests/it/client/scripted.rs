//! A server that answers as a test tells it to, and remembers what it was asked.

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// As it was sent, still encoded.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn is(&self, method: &str, ending: &str) -> bool {
        self.method == method && self.path.ends_with(ending)
    }

    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// An answer.
pub(crate) enum Say {
    Reply(Response<Full<Bytes>>),
    /// The connection is closed without one.
    Cut,
}

pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Say {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Say::Reply(response.body(Full::new(body.into())).unwrap())
}

pub(crate) fn said(body: &Value) -> Say {
    reply(200, &[("content-type", "application/json; charset=utf-8")], body.to_string())
}

/// What a healthy server of that version answers to the calls that every client begins with.
pub(crate) fn usual(asked: &Asked, version: &str) -> Option<Say> {
    if asked.is("OPTIONS", "/_apis") {
        let hooks = json!({ "id": "fc50d02a-849f-41fb-8af1-0a5216103269", "area": "hooks",
            "resourceName": "subscriptions", "minVersion": "1.0", "maxVersion": version, "releasedVersion": version });
        return Some(said(&json!({ "count": 1, "value": [hooks] })));
    }
    asked.is("GET", "/_apis/connectionData").then(|| connection_data("hosted", 7))
}

pub(crate) fn connection_data(deployment: &str, user: u128) -> Say {
    let id = uuid::Uuid::from_u128(user);
    said(&json!({
        "authenticatedUser": { "id": id, "providerDisplayName": "Ada", "descriptor": "aad.x",
            "properties": { "Account": { "$type": "System.String", "$value": "ada@example.org" } } },
        "instanceId": uuid::Uuid::from_u128(1), "deploymentType": deployment,
    }))
}

/// The server, until it is dropped.
pub(crate) struct Scripted {
    pub(crate) origin: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: JoinHandle<()>,
}

type Script = Arc<dyn Fn(&Asked) -> Say + Send + Sync>;

impl Scripted {
    /// Answers everything by the script.
    pub(crate) async fn all(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        Self::listen(Arc::new(script), None).await
    }

    /// Answers what a client begins with as Services do, and the rest by the script.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        Self::all(move |asked| usual(asked, "7.1").unwrap_or_else(|| script(asked))).await
    }

    /// Over https, as `localhost`.
    pub(crate) async fn start_tls(
        acceptor: TlsAcceptor,
        script: impl Fn(&Asked) -> Say + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Arc::new(move |asked| usual(asked, "7.1").unwrap_or_else(|| script(asked))), Some(acceptor)).await
    }

    async fn listen(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let origin =
            if tls.is_some() { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let server = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (script, seen, tls) = (Arc::clone(&script), Arc::clone(&seen), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(socket, script, seen).await,
                        Some(acceptor) => {
                            if let Ok(socket) = acceptor.accept(socket).await {
                                serve(socket, script, seen).await;
                            }
                        }
                    }
                });
            }
        });
        Self { origin, asked, server }
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How often that was asked.
    pub(crate) fn count(&self, method: &str, ending: &str) -> usize {
        self.asked().iter().filter(|asked| asked.is(method, ending)).count()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve<S>(socket: S, script: Script, seen: Arc<Mutex<Vec<Asked>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
            let asked = Asked {
                method: parts.method.to_string(),
                path: parts.uri.path().to_owned(),
                query: query.into_owned().collect(),
                headers: parts.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            let answer = script(&asked);
            seen.lock().unwrap().push(asked);
            match answer {
                Say::Reply(response) => Ok(response),
                Say::Cut => Err(io::Error::other("cut")),
            }
        }
    });
    // A connection that a test cut ends with an error.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
}
