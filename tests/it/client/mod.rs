//! The client over real sockets: against what Microsoft documents, and against what networks do.

mod documented;
mod network;
mod simulated;
mod waits;

use bytes::Bytes;
use hookwell::{
    azure::{
        CollectionUrl,
        client::{Access, AzureDevOps, Credential, Dial as _, Dialer},
    },
    clock::Clock,
};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::{Value, json};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

/// A token that must not be found where it does not belong.
pub(crate) const TOKEN: &str = "planted-personal-access-token";

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    /// Path and query.
    target: String,
    headers: http::HeaderMap,
    body: Bytes,
}

type Reply = Response<Full<Bytes>>;

/// Answers by a function and remembers what it was asked.
struct Scripted {
    base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Listens on this machine; `answer` is asked for everything but the OPTIONS of the versions.
    async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/fabrikam", listener.local_addr().unwrap());
        let (seen, answer) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::new(answer));
        let (kept, asked) = (Arc::clone(&seen), answer);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&asked), Arc::clone(&kept)));
            }
        });
        Self { base, seen }
    }

    /// Without the OPTIONS.
    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.method != "OPTIONS").cloned().collect()
    }
}

async fn serve<A>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answer: Arc<A>,
    kept: Arc<Mutex<Vec<Seen>>>,
) where
    A: Fn(&Seen) -> Reply + Send + Sync + 'static,
{
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (answer, kept) = (Arc::clone(&answer), Arc::clone(&kept));
        async move {
            let (parts, body) = request.into_parts();
            let seen = Seen {
                method: parts.method.to_string(),
                target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
                headers: parts.headers,
                body: body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default(),
            };
            kept.lock().unwrap().push(seen.clone());
            let reply = if seen.method == "OPTIONS" { versions("7.1") } else { answer(&seen) };
            Ok::<_, Infallible>(reply)
        }
    });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// The OPTIONS of a server whose newest version is this.
fn versions(released: &str) -> Reply {
    reply(
        200,
        &json!({"count": 1, "value": [{"area": "hooks", "resourceName": "Subscriptions", "minVersion": "1.0",
            "maxVersion": released, "releasedVersion": released}]}),
    )
}

fn reply(status: u16, body: &Value) -> Reply {
    let reply = Response::builder().status(status).header("content-type", "application/json; charset=utf-8");
    reply.body(Full::new(body.to_string().into())).unwrap()
}

fn access(url: &str) -> Access {
    Access {
        url: CollectionUrl::parse(url).unwrap(),
        credential: Some(Credential::Pat(TOKEN.to_owned().into())),
        headers: Vec::new(),
        ca_bundle: None,
        proxy: None,
    }
}

fn dial(access: &Access, clock: Arc<dyn Clock>) -> Arc<dyn AzureDevOps> {
    Dialer::new(clock).dial(access).unwrap()
}
