//! A receiver of webhooks that answers as it is told.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    collections::VecDeque,
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_rustls::TlsAcceptor;

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this status and these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// Never.
    Hang,
    /// By closing the connection.
    Cut,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether it was answered 2xx.
    pub(crate) taken: bool,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The number of the event in it.
    pub(crate) fn number(&self) -> u128 {
        self.json()["data"]["number"].as_str().unwrap().parse().unwrap()
    }
}

type Decide = dyn Fn(&Got) -> Answer + Send + Sync;

/// It listens for as long as it lives.
pub(crate) struct Receiver {
    address: SocketAddr,
    got: tokio::sync::Mutex<mpsc::UnboundedReceiver<Got>>,
    planned: Arc<Mutex<VecDeque<Answer>>>,
    serving: JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    /// That takes everything, but for what is planned.
    pub(crate) async fn start() -> Self {
        Self::deciding(|_| Answer::status(204)).await
    }

    pub(crate) async fn deciding(decide: impl Fn(&Got) -> Answer + Send + Sync + 'static) -> Self {
        Self::listening(None, decide).await
    }

    /// That takes everything from whoever comes to an end with TLS.
    pub(crate) async fn with_tls(acceptor: TlsAcceptor) -> Self {
        Self::listening(Some(acceptor), |_| Answer::status(204)).await
    }

    async fn listening(tls: Option<TlsAcceptor>, decide: impl Fn(&Got) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, got) = mpsc::unbounded_channel();
        let planned: Arc<Mutex<VecDeque<Answer>>> = Arc::default();
        let (plan, decide): (_, Arc<Decide>) = (Arc::clone(&planned), Arc::new(decide));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, plan, decide) = (sender.clone(), Arc::clone(&plan), Arc::clone(&decide));
                let service =
                    service_fn(move |request| answer(request, sender.clone(), Arc::clone(&plan), Arc::clone(&decide)));
                let (http, tls) = (hyper::server::conn::http1::Builder::new(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => drop(http.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            drop(http.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                });
            }
        });
        Self { address, got: tokio::sync::Mutex::new(got), planned, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// The next requests are answered so.
    pub(crate) fn plan(&self, answers: impl IntoIterator<Item = Answer>) {
        self.planned.lock().unwrap().extend(answers);
    }

    /// The next request.
    pub(crate) async fn next(&self) -> Got {
        let waiting = async { self.got.lock().await.recv().await.unwrap() };
        tokio::time::timeout(std::time::Duration::from_mins(1), waiting).await.expect("nothing came")
    }

    /// Everything that has come and was not asked for.
    pub(crate) async fn rest(&self) -> Vec<Got> {
        let (mut got, mut all) = (self.got.lock().await, Vec::new());
        while let Ok(one) = got.try_recv() {
            all.push(one);
        }
        all
    }
}

async fn answer(
    request: Request<Incoming>,
    sender: mpsc::UnboundedSender<Got>,
    plan: Arc<Mutex<VecDeque<Answer>>>,
    decide: Arc<Decide>,
) -> io::Result<Response<Full<Bytes>>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let mut got = Got { method: parts.method, headers: parts.headers, body, taken: false };
    let planned = plan.lock().unwrap().pop_front();
    let answer = planned.unwrap_or_else(|| decide(&got));
    got.taken = matches!(answer, Answer::Status(200..=299, _));
    let _ = sender.send(got);
    match answer {
        Answer::Hang => pending().await,
        Answer::Cut => Err(io::Error::other("cut")),
        Answer::Status(status, headers) => {
            let mut response = Response::new(Full::new(Bytes::from_static(b"said by the receiver")));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            Ok(response)
        }
    }
}
