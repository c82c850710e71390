//! The process's side of the network: accept, limit, encrypt, catch, drain.
//!
//! `warp::serve` has no header time-out, no connection limit, no TLS and no bound on draining, so `warp::service` is
//! served from a loop of our own. The caller owns the listener and the stop signal.

mod tls;

pub use self::tls::{Certificates, TlsError};

use crate::{
    app::App,
    config::Listen,
    http::{self, Peer},
};
use ::http::{Request, Response};
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use prometheus_client::metrics::gauge::Gauge;
use std::{any::Any, convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::{
    catch_panic::CatchPanicLayer,
    timeout::{RequestBodyTimeoutLayer, TimeoutBody},
};

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a sender may be silent in the middle of a body.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests that were accepted may take to finish once the gateway stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when the operating system has no descriptor for another connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Most parts of one HTTP/2 connection in flight.
const STREAMS_PER_CONNECTION_MAX: u32 = 128;

/// Serves the gateway until `stop` is ready, then takes no more connections and waits, at most 10 seconds, for the
/// requests that were accepted.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    listen: &Listen,
    certificates: Option<Arc<Certificates>>,
    stop: impl Future<Output = ()>,
) {
    let (service, connections) = (http::tower_service(Arc::clone(&app)), app.metrics.connections.clone());
    let stopped = async {
        stop.await;
        app.stop();
    };
    serve(service, listener, listen, certificates, connections, stopped).await;
}

/// [`run`] for any service; `connections` counts those that are open.
pub async fn serve<S, B>(
    service: S,
    listener: TcpListener,
    listen: &Listen,
    certificates: Option<Arc<Certificates>>,
    connections: Gauge,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<TimeoutBody<Incoming>>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(listen.connections_max));
    let server = Server::new(service, listen.header_timeout, certificates);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, peer, permit)) = accepted else { continue };
        let connection = Arc::clone(&server).connection(stream, peer, graceful.watcher());
        let connections = connections.clone();
        tokio::spawn(async move {
            connections.inc();
            connection.await;
            connections.dec();
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish within {} s and are cut", DRAIN_TIMEOUT.as_secs());
    }
}

/// The next connection, once there is room for it. Waiting leaves the others in the kernel's queue: no one is refused.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are small and complete: waiting to fill a packet would only delay them.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, permit))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_RETRY).await;
            None
        }
    }
}

struct Server<S> {
    /// Made once: cloning it for a connection is cheap, making it is not.
    service: S,
    http: auto::Builder<TokioExecutor>,
    certificates: Option<Arc<Certificates>>,
}

/// What the server needs of the service it wraps.
trait Handler: Service<Request<TimeoutBody<Incoming>>, Error = Infallible> + Clone + Send + Sync + 'static {}

impl<S: Service<Request<TimeoutBody<Incoming>>, Error = Infallible> + Clone + Send + Sync + 'static> Handler for S {}

impl<S, B> Server<S>
where
    S: Handler<Response = Response<B>, Future: Send>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    fn new(service: S, header_timeout: Duration, certificates: Option<Arc<Certificates>>) -> Arc<Self> {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX)
            .keep_alive_interval(header_timeout)
            .keep_alive_timeout(header_timeout);
        Arc::new(Self { service, http, certificates })
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let Some(certificates) = &self.certificates else { return self.requests(stream, peer, watcher).await };
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, certificates.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.requests(stream, peer, watcher).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn requests(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        watcher: Watcher,
    ) {
        let service = ServiceBuilder::new()
            .map_request(move |mut request: Request<Incoming>| {
                request.extensions_mut().insert(Peer(peer.ip()));
                request
            })
            .layer(CatchPanicLayer::custom(panicked))
            .layer(RequestBodyTimeoutLayer::new(BODY_IDLE_TIMEOUT))
            .service(self.service.clone());
        let connection = self.http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        if let Err(error) = watcher.watch(connection.into_owned()).await {
            tracing::debug!(%peer, error = &*error, "a connection ended early");
        }
    }
}

/// A panic is our bug, not the sender's; what it was goes to the log by the panic hook, never to the reply.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<impl Body<Data = Bytes, Error: Into<BoxError>> + Send> {
    http::panicked()
}
