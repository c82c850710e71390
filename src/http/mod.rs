//! The HTTP surface: the only place that knows warp.
//!
//! A request meets, in this order: its row of the [`routes`] table (path, then method), [`auth::admit`], its handler, and
//! [`finish`], which gives every reply its request id, renders problems and counts. No filter rejects for any other
//! reason than "not this row", there is no `recover`, and the type of [`service`] says that every request is answered.
//!
//! Handlers are a sentence: unwrap what was extracted, one call into `app`, reply.

pub mod auth;
pub mod backfill;
pub mod bindings;
mod complaints;
pub mod completeness;
pub mod completeness_views;
pub mod connections;
pub mod cursor;
pub mod deployments;
pub mod discovery;
pub mod docs;
pub mod doctor;
pub mod events;
pub mod extract;
pub mod fields;
mod fit;
pub mod headers;
pub mod health;
pub mod hooks;
pub mod idempotency;
pub mod integration;
pub mod left_out;
mod links;
pub mod members;
pub mod notifications;
pub mod openapi;
pub mod problem;
pub mod projects;
pub mod reconcile_views;
pub mod relations;
pub mod replay;
pub mod reply;
mod room;
pub mod routes;
pub mod sinks;
pub mod stream;
pub mod subscription_views;
pub mod subscription_words;
pub mod subscriptions;
pub mod survey;
pub mod tokens;
mod uncut;
pub mod views;
pub mod work_items;

pub use self::{extract::Peer, openapi::openapi_json};

use self::{
    complaints::Complaints,
    fit::Fit,
    problem::{Logged, Problem},
    room::Room,
    uncut::Uncut,
};
use crate::{app::App, metrics::Answer};
use http::{HeaderName, HeaderValue, Method, header};
use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tokio::sync::Semaphore;
use uuid::Uuid;
use warp::{Filter, Reply, reply::Response};

const REQUEST_ID: HeaderName = HeaderName::from_static(REQUEST_ID_NAME);
const REQUEST_ID_NAME: &str = "x-request-id";
/// Longest request id that is taken over from a client.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// What all requests share.
pub struct Surface {
    /// The gateway.
    pub app: Arc<App>,
    /// One permit per open stream.
    streams: Arc<Semaphore>,
    /// Room for the beginnings of notifications' bodies, so that the usual small ones never wait for the rare large ones.
    heads: Arc<Room>,
    /// Room for the rest of them.
    bodies: Arc<Room>,
    /// Room for replies that are not taken yet, by token.
    replies: Arc<Room>,
    /// The complaints that are not to be logged too often.
    complaints: Complaints,
    /// The idempotency slots whose request is running.
    making: Mutex<HashSet<String>>,
}

/// Every row, behind what all have in common.
fn service(surface: Arc<Surface>) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let sent_id = warp::header::value(REQUEST_ID_NAME).map(Some).or(warp::any().map(|| None)).unify();
    warp::method()
        .and(sent_id)
        .and(routes::routes(&surface))
        .map(move |method, sent_id: Option<HeaderValue>, reply| finish(&surface, &method, sent_id.as_ref(), reply))
}

/// The whole surface as what a server calls: the accept loop above this floor knows no warp. Whoever accepts the connections
/// puts a [`Peer`] into each request's extensions, and answers a panic with [`panicked`].
pub fn tower_service<B>(
    app: Arc<App>,
) -> impl tower::Service<http::Request<B>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
where
    B: hyper::body::Body<Data: Send, Error: Into<tower::BoxError>> + Send + Sync + 'static,
{
    let surface = Arc::new(Surface {
        app,
        streams: Arc::new(Semaphore::new(stream::STREAMS_MAX)),
        heads: Arc::new(Room::new(hooks::HEADS_BYTES_MAX)),
        bodies: Arc::new(Room::new(hooks::BODIES_BYTES_MAX)),
        replies: Arc::new(Room::new(reply::REPLIES_BYTES_MAX)),
        complaints: Complaints::default(),
        making: Mutex::default(),
    });
    Fit { surface: Arc::clone(&surface), inner: Uncut(warp::service(service(surface))) }
}

/// The reply to a request whose handler panicked.
///
/// # Panics
/// Never: a UUID is a header value.
pub fn panicked() -> Response {
    let id = Uuid::new_v4().to_string();
    let problem = Problem::internal("a handler panicked");
    problem.log(&id, 0);
    let mut response = problem.into_reply(&id);
    response.headers_mut().insert(REQUEST_ID, HeaderValue::from_str(&id).expect("a UUID is a header value"));
    response
}

/// What every reply has in common.
fn finish(surface: &Surface, method: &Method, sent_id: Option<&HeaderValue>, reply: Response) -> Response {
    let (id, id_value) = request_id(sent_id);
    let mut response = reply;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        log(surface, &problem, &id);
        response = problem.into_reply(&id);
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id_value);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    let answer = Answer { method: known_method(method), status: response.status().as_u16() };
    surface.app.metrics.replies.get_or_create(&answer).inc();
    if method == Method::HEAD {
        let (parts, _) = response.into_parts();
        return Response::from_parts(parts, None.into());
    }
    response
}

/// Our own failures are logged each; what we cannot do for a while, once and then now and then.
fn log(surface: &Surface, problem: &Problem, id: &str) {
    match problem.is_logged() {
        Logged::Not => {}
        Logged::Each => problem.log(id, 0),
        Logged::NowAndThen(what) => {
            if let Some(unsaid) = surface.complaints.say(what, surface.app.clock.monotonic()) {
                problem.log(id, unsaid);
            }
        }
    }
}

/// The client's own id when it can be logged and quoted as it is; otherwise a new one.
fn request_id(sent: Option<&HeaderValue>) -> (String, HeaderValue) {
    let harmless = |id: &&str| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&b))
    };
    let id = sent
        .and_then(|value| value.to_str().ok())
        .filter(harmless)
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    let value = HeaderValue::from_str(&id).expect("visible ASCII is a header value");
    (id, value)
}

/// The method as a metric's label: one of few, whatever a client makes up.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
