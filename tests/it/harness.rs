//! A gateway in the test's own process. Every reply is held against the OpenAPI document, and what was exercised is
//! remembered.

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use hookwell::{
    app::{App, tokens},
    azure::client::{Access, AzureDevOps, Dial, Failure, Unreachable},
    clock::{Clock, ManualClock},
    config::Settings,
    domain::{ConnectionId, NotificationId, Scope, Slug},
    event::{Event, Header},
    http::{Peer, openapi_json, tower_service},
    secrets::Keys,
    store::{Entry, Journal as _, Log, MemoryStore, Store},
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};
use uuid::Uuid;

/// The document, as served.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&openapi_json()).unwrap());
/// (operation id, status) pairs that any test of this process has seen.
pub(crate) static EXERCISED: Mutex<BTreeSet<(String, u16)>> = Mutex::new(BTreeSet::new());
static VALIDATORS: Mutex<BTreeMap<String, Arc<jsonschema::Validator>>> = Mutex::new(BTreeMap::new());

/// A request's body: whole, or in pieces, or broken.
pub(crate) type Body = BoxBody<Bytes, io::Error>;
type Answer = Pin<Box<dyn Future<Output = warp::reply::Response> + Send>>;

/// A clock on which nobody waits: whoever sleeps moves it on for all.
pub(crate) struct Hasty(pub(crate) Arc<ManualClock>);

impl Hasty {
    /// With a clock of its own.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()))))
    }
}

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
        tokio::task::yield_now().await;
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// An Azure DevOps that nobody reaches: for tests that are not about it.
struct Nowhere;

impl Dial for Nowhere {
    fn dial(&self, _: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        Err(Failure::Unreachable { at: Unreachable::Connect, detail: "there is no network in this test".to_owned() })
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) app: Arc<App>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    /// A token of scope `admin`, and one of scope `read`.
    pub(crate) admin: String,
    pub(crate) read: String,
    answer: Arc<dyn Fn(Request<Body>) -> Answer + Send + Sync>,
    /// What it is put together from again.
    keys: String,
    dial: Arc<dyn Dial>,
}

/// A reply that was held against the document.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    pub(crate) fn etag(&self) -> &str {
        self.header("etag")
    }

    /// The `type` of a problem, without its beginning.
    pub(crate) fn problem(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().trim_start_matches("urn:hookwell:problem:").to_owned()
    }

    /// The members and parameters that a problem finds wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let name = |error: &Value| error["pointer"].as_str().or(error["parameter"].as_str()).unwrap_or("?").to_owned();
        self.json()["errors"].as_array().map(|all| all.iter().map(name).collect()).unwrap_or_default()
    }
}

/// A request being put together.
pub(crate) struct Ask<'a> {
    gateway: &'a Gateway,
    request: http::request::Builder,
    body: Body,
    token: Option<String>,
    path: String,
    method: Method,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let store = Arc::new(MemoryStore::new());
        Self::on(settings, Arc::<MemoryStore>::clone(&store), store).await
    }

    /// On an engine around `store`.
    pub(crate) async fn on(settings: Settings, engine: Arc<dyn Store>, store: Arc<MemoryStore>) -> Self {
        Self::reaching(settings, engine, store, Arc::new(Nowhere)).await
    }

    /// With an Azure DevOps that is reached by `dial`.
    pub(crate) async fn reaching(
        settings: Settings,
        engine: Arc<dyn Store>,
        store: Arc<MemoryStore>,
        dial: Arc<dyn Dial>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let by = Arc::<ManualClock>::clone(&clock);
        Self { clock, ..Self::going_by(by, settings, engine, store, dial).await }
    }

    /// On a clock that moves by itself: the manual one here moves nothing.
    pub(crate) async fn going_by(
        by: Arc<dyn Clock>,
        settings: Settings,
        engine: Arc<dyn Store>,
        store: Arc<MemoryStore>,
        dial: Arc<dyn Dial>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(by.now()));
        let keys = BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes().repeat(2));
        let app = Self::app(settings, engine, by, &keys, &dial).await;
        let (_, admin) = tokens::create(&app, "tests".into(), Scope::Admin, |_, _| Vec::new()).await.unwrap();
        let (_, read) = tokens::create(&app, "readers".into(), Scope::Read, |_, _| Vec::new()).await.unwrap();
        let (admin, read, answer) = (admin.to_string(), read.to_string(), Self::service(&app));
        Self { app, store, clock, admin, read, answer, keys, dial }
    }

    async fn app(
        settings: Settings,
        engine: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        keys: &str,
        dial: &Arc<dyn Dial>,
    ) -> Arc<App> {
        let keys = Keys::parse(keys, "the test").unwrap();
        Arc::new(App::start(settings, engine, clock, keys, Arc::clone(dial)).await.unwrap())
    }

    fn service(app: &Arc<App>) -> Arc<dyn Fn(Request<Body>) -> Answer + Send + Sync> {
        let service = TowerToHyperService::new(tower_service(Arc::clone(app)));
        Arc::new(move |request| -> Answer {
            let answer = service.call(request);
            Box::pin(async move { answer.await.unwrap_or_else(|never| match never {}) })
        })
    }

    /// As after a kill: all that was only in memory is gone, what was durable is there.
    pub(crate) async fn restart(&mut self, engine: Arc<dyn Store>) {
        self.app.stop();
        self.app =
            Self::app(self.app.settings.clone(), engine, Arc::clone(&self.app.clock), &self.keys, &self.dial).await;
        self.answer = Self::service(&self.app);
    }

    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        let method: Method = method.parse().unwrap();
        let request = Request::builder().method(method.clone()).uri(path).header("host", "gateway.example");
        let ask = Ask {
            gateway: self,
            request,
            body: Body::default(),
            token: Some(self.admin.clone()),
            path: path.into(),
            method,
        };
        ask.body(Bytes::new())
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path).json(&body).send().await
    }

    /// A new connection's id and the whole reply.
    pub(crate) async fn connection(&self) -> (String, Reply) {
        let body = json!({ "name": "Fabrikam", "url": "https://dev.azure.com/fabrikam", "token": "pat-secret" });
        let reply = self.post("/v1/connections", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        (reply.json()["id"].as_str().unwrap().to_owned(), reply)
    }

    pub(crate) async fn project(&self, slug: &str) -> Reply {
        let reply = self.ask("PUT", &format!("/v1/projects/{slug}")).json(&json!({ "name": slug })).send().await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply
    }

    /// Appends an event; answers its id.
    pub(crate) async fn event(&self, kind: &str, connection: Uuid, projects: &[&str]) -> Uuid {
        self.event_with(kind, connection, projects, &Value::Null).await
    }

    /// Appends an event with these data.
    pub(crate) async fn event_with(&self, kind: &str, connection: Uuid, projects: &[&str], data: &Value) -> Uuid {
        let id = Uuid::new_v4();
        let projects: Vec<Slug> = projects.iter().map(|slug| slug.parse().unwrap()).collect();
        let header = Header {
            kind: kind.into(),
            connection: ConnectionId(connection),
            projects,
            notification: NotificationId(Uuid::nil()),
            recovered: None,
            filled: std::collections::BTreeMap::new(),
        };
        let mut json =
            json!({ "specversion": "1.0", "id": id, "source": "https://dev.azure.com/fabrikam", "type": kind });
        if !data.is_null() {
            json["data"] = data.clone();
        }
        let event = Event { id, header, json: json.to_string().into() };
        let entry = Entry { key: id, time: self.app.clock.now(), body: event.to_stored() };
        self.store.append(Log::Events, entry).await.unwrap();
        id
    }

    /// How much later it is here than there.
    pub(crate) fn clock_ahead_of(&self, other: &Self) -> Duration {
        self.clock.now().duration_since(other.clock.now()).unsigned_abs()
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if name == "host" {
            self.request.headers_mut().unwrap().remove(name);
        }
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn token(mut self, token: impl Into<Option<String>>) -> Self {
        self.token = token.into();
        self
    }

    pub(crate) fn peer(mut self, peer: IpAddr) -> Self {
        self.request = self.request.extension(Peer(peer));
        self
    }

    pub(crate) fn body(self, body: impl Into<Bytes>) -> Self {
        self.pieces(Full::new(body.into()).map_err(|never| match never {}))
    }

    pub(crate) fn pieces(
        mut self,
        body: impl hyper::body::Body<Data = Bytes, Error = io::Error> + Send + Sync + 'static,
    ) -> Self {
        self.body = body.boxed();
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// The reply with its body still to come; not held against the document.
    pub(crate) async fn open(self) -> warp::reply::Response {
        let mut request = self.request;
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        (self.gateway.answer)(request.body(self.body).unwrap()).await
    }

    pub(crate) async fn send(self) -> Reply {
        let (method, path) = (self.method.clone(), self.path.clone());
        let response = self.open().await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let reply = Reply { status: parts.status, headers: parts.headers, body };
        check(&method, &path, &reply);
        reply
    }
}

/// Holds a reply against the document, and remembers that it was seen.
fn check(method: &Method, target: &str, reply: &Reply) {
    let path = target.split('?').next().unwrap();
    assert!(reply.headers.contains_key("x-request-id"), "no request id: {reply:?}");
    let Some((template, operation)) = operation(method, path) else {
        assert!(matches!(reply.status.as_u16(), 404 | 405) || method == Method::HEAD, "{method} {path}: {reply:?}");
        return;
    };
    let status = reply.status.as_u16();
    let id = operation["operationId"].as_str().unwrap().to_owned();
    // What no request can bring about by itself is documented once, as what else there may be.
    let documented = if status == 500 { "default".to_owned() } else { status.to_string() };
    let response = resolve(&operation["responses"][documented]);
    assert!(!response.is_null(), "{id}: {status} is not documented: {reply:?}");
    EXERCISED.lock().unwrap().insert((id.clone(), status));
    let Some(content) = response["content"].as_object() else {
        assert!(reply.body.is_empty(), "{id}: {status} is documented without a body: {reply:?}");
        return;
    };
    let media_type = reply.header("content-type");
    let bare = |text: &str| text.split(';').next().unwrap().trim().to_owned();
    let documented = content.iter().find(|(name, _)| bare(name) == bare(media_type));
    let (_, media) = documented.unwrap_or_else(|| panic!("{id}: {status} as {media_type} is not documented"));
    if bare(media_type).ends_with("json") {
        let validator = validator(&format!("{template} {method} {status} {media_type}"), &media["schema"]);
        let value = reply.json();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{id}: {status}: {errors:?} in {value}");
    }
}

fn validator(name: &str, schema: &Value) -> Arc<jsonschema::Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    let make = || {
        let whole = json!({ "allOf": [schema], "components": { "schemas": DOCUMENT["components"]["schemas"] } });
        Arc::new(jsonschema::options().should_validate_formats(true).build(&whole).unwrap())
    };
    Arc::clone(validators.entry(name.to_owned()).or_insert_with(make))
}

/// What a `$ref` refers to, or the value itself.
pub(crate) fn resolve(value: &Value) -> &Value {
    match value["$ref"].as_str() {
        Some(reference) => DOCUMENT.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => value,
    }
}

/// The operation that a request belongs to: a path without parameters before one with.
fn operation(method: &Method, path: &str) -> Option<(String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &&String| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == parts.len() && template.iter().zip(&parts).all(|(t, p)| t.starts_with('{') || t == p)
    };
    let template = paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())?;
    let operation = &paths[template][method.as_str().to_lowercase()];
    operation.is_object().then(|| (template.clone(), operation))
}
