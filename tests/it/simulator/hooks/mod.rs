//! The simulated service hooks, from the subscription to what a receiver gets over a real socket.

mod delivery;
mod history;
mod misbehaviour;
mod probation;
mod shapes;
mod subscriptions;

use super::{Asker, Got};
use bytes::Bytes;
use hookwell::{
    azure::client::SubscriptionStatus,
    clock::{Clock, ManualClock},
    simulator::{Notification, Options},
};
use http::{HeaderMap, Method, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls};
use uuid::Uuid;

/// What a receiver was sent.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    /// On the simulator's clock.
    at: Timestamp,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Value,
}

/// Whoever is told; it answers 200 when its script is over.
#[derive(Clone)]
pub(super) struct Receiver {
    url: String,
    script: Arc<Mutex<VecDeque<u16>>>,
    /// What it answers when the script is over.
    usual: Arc<Mutex<u16>>,
    got: Arc<Mutex<Vec<Delivery>>>,
    clock: Arc<ManualClock>,
}

impl Receiver {
    async fn start(clock: &Arc<ManualClock>) -> Self {
        Self::listen(clock, None).await
    }

    /// With a certificate that nobody has signed.
    async fn start_tls(clock: &Arc<ManualClock>) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        Self::listen(clock, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(clock: &Arc<ManualClock>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = if tls.is_some() { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        let receiver = Self {
            url,
            script: Arc::default(),
            usual: Arc::new(Mutex::new(200)),
            got: Arc::default(),
            clock: Arc::clone(clock),
        };
        let own = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (own, tls) = (own.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => own.serve(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                own.serve(stream).await;
                            }
                        }
                    }
                });
            }
        });
        receiver
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let answer = move |request: Request<Incoming>| {
            let own = self.clone();
            async move { Ok::<_, Infallible>(own.answer(request).await) }
        };
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        let body = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        let (method, uri, headers) = (head.method, head.uri, head.headers);
        self.got.lock().unwrap().push(Delivery { at: self.clock.now(), method, uri, headers, body });
        let status = self.script.lock().unwrap().pop_front().unwrap_or(*self.usual.lock().unwrap());
        if status == 0 {
            // It never answers.
            std::future::pending::<()>().await;
        }
        let answer = Response::builder().status(status).header("x-receiver", "yes").header("location", "/elsewhere");
        answer.body(Full::new(Bytes::from(format!("answer {status}")))).unwrap()
    }

    /// Answers so, one after the other; 0 is silence.
    fn script(&self, statuses: &[u16]) {
        self.script.lock().unwrap().extend(statuses);
    }

    /// Answers so when the script is over.
    fn usually(&self, status: u16) {
        *self.usual.lock().unwrap() = status;
    }

    fn got(&self) -> Vec<Delivery> {
        self.got.lock().unwrap().clone()
    }

    /// What it was sent, and forgets it.
    fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.got.lock().unwrap())
    }

    /// Between what it was sent, in seconds.
    fn waits(&self) -> Vec<i64> {
        let at: Vec<Timestamp> = self.got().iter().map(|own| own.at).collect();
        at.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect()
    }
}

/// An organization, somebody who subscribes to it, and whoever is told.
pub(super) struct Stage {
    asker: Asker,
    receiver: Receiver,
}

impl Stage {
    async fn new() -> Self {
        Self::at(Options::services("fabrikam")).await
    }

    async fn at(options: Options) -> Self {
        let asker = Asker::at(options).await;
        let receiver = Receiver::start(&asker.clock).await;
        Self { asker, receiver }
    }

    fn simulator(&self) -> &hookwell::simulator::Simulator {
        &self.asker.azure.simulator
    }

    fn hooks(&self) -> &hookwell::simulator::Hooks {
        self.simulator().hooks()
    }

    fn project(&self) -> Uuid {
        self.simulator().project("Fiber Café").unwrap()
    }

    fn repository(&self) -> Uuid {
        self.simulator().repository(self.project(), "web shop").unwrap()
    }

    /// A web hook's body, for the project.
    fn draft(&self, publisher: &str, event_type: &str, version: &str) -> Value {
        json!({
            "publisherId": publisher, "eventType": event_type, "resourceVersion": version,
            "consumerId": "webHooks", "consumerActionId": "httpRequest",
            "publisherInputs": {"projectId": self.project()},
            "consumerInputs": {"url": format!("{}/hooks?code=in%20the%20query", self.receiver.url)},
        })
    }

    fn push_draft(&self) -> Value {
        self.draft("tfs", "git.push", "1.0")
    }

    async fn post(&self, path: &str, body: &Value) -> Got {
        self.asker.post(&format!("{path}?api-version=7.1"), &body.to_string()).await
    }

    async fn put(&self, id: Uuid, body: &Value) -> Got {
        let path = format!("_apis/hooks/subscriptions/{id}?api-version=7.1");
        self.asker.send(Method::PUT, &path, &[], Some(&body.to_string())).await
    }

    async fn create(&self, draft: &Value) -> Uuid {
        let got = self.post("_apis/hooks/subscriptions", draft).await;
        assert_eq!(got.status, 200, "{got:?}");
        got.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Subscribes to the project's pushes.
    async fn subscribe(&self) -> Uuid {
        self.create(&self.push_draft()).await
    }

    async fn read(&self, id: Uuid) -> Value {
        self.asker.read(&format!("_apis/hooks/subscriptions/{id}")).await
    }

    /// Something happens, and whoever is to be told now is told.
    async fn push(&self) {
        self.simulator().push_commit(self.repository(), "main", "Roast longer", &["/src/roast.rs"]).unwrap();
        self.settle().await;
    }

    async fn settle(&self) {
        tokio::time::timeout(Duration::from_secs(30), self.hooks().settle()).await.expect("it settles");
    }

    /// The clock goes on.
    async fn advance(&self, by: Duration) {
        self.asker.clock.advance(by);
        self.settle().await;
    }

    /// Time goes on to the next attempt. Whether there was one.
    async fn next(&self) -> bool {
        let Some(next) = self.hooks().next_due() else { return false };
        let wait = Duration::try_from(next.duration_since(self.asker.clock.now())).unwrap();
        self.advance(wait).await;
        true
    }

    fn status(&self, id: Uuid) -> SubscriptionStatus {
        let all = self.hooks().subscriptions();
        all.into_iter().find(|own| own.id == id.to_string()).expect("the subscription is there").status
    }

    fn notification(&self, id: Uuid, number: u32) -> Notification {
        self.hooks().notifications(id).into_iter().find(|own| own.id == number).expect("the notification is there")
    }
}
