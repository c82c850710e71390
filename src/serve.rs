//! The process's side of the network: accept, limit, encrypt, catch, drain.
//!
//! `warp::serve` has no limit on anything, no TLS and no bound on draining, so `warp::service` is served from a loop of
//! our own. The caller owns the listener and the stop signal. A connection costs at most what its protocol's limits below
//! allow; how long it may wait for its other side is [`turn`]'s, and who makes room for whom [`guests`]'.

mod accounted;
mod descriptors;
mod guests;
mod paced;
mod tls;
mod turn;

pub use self::{
    descriptors::connections_within,
    paced::Heard,
    tls::{Certificates, TlsError},
};

use self::{
    accounted::Accounted,
    guests::{Guests, Place},
    turn::{Over, Turn},
};
use crate::{app::App, clock::SystemClock, config::Listen, http, metrics::Doors};
use ::http::{Request, Response};
use bytes::Bytes;
use hyper::body::Body;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustix::net::sockopt;
use std::{
    any::Any, convert::Infallible, fmt::Display, future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

/// How long requests that were accepted may take to finish once the gateway stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait when the operating system has no descriptor for another connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// How often it is said that it has none.
const ACCEPT_COMPLAINT_PERIOD: u32 = 600;
/// How long a connection may take to end after it was asked to.
const GOODBYE: Duration = Duration::from_secs(1);
/// Most of an HTTP/1.1 connection in memory, for each direction. It also bounds the header of a request.
const HTTP1_BUFFER_BYTES_MAX: usize = 32 << 10;
/// Most requests of one HTTP/2 connection at once; a client waits with more by itself.
const HTTP2_STREAMS_MAX: u32 = 16;
/// Largest header of an HTTP/2 request, as its size is counted there.
const HTTP2_HEADER_BYTES_MAX: u32 = 16 << 10;
/// Most of a request's body over HTTP/2, and of all of one connection, that is sent before we read it.
const HTTP2_WINDOW_BYTES: u32 = 64 << 10;
/// Most of a reply over HTTP/2 that waits for its window.
const HTTP2_SEND_BYTES_MAX: usize = 32 << 10;
/// Bytes of replies that the kernel keeps for one connection; the kernel takes twice as much for itself. What thousands that
/// read nothing have of it is given back all at once when they are closed, and others are answered later meanwhile.
const KERNEL_SEND_BYTES: usize = 64 << 10;

/// Serves the gateway until `stop` is ready, then takes no more connections and waits, at most 10 seconds, for the
/// requests that were accepted.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    listen: &Listen,
    certificates: Option<Arc<Certificates>>,
    stop: impl Future<Output = ()>,
) {
    let (service, doors) = (http::tower_service(Arc::clone(&app)), app.metrics.doors.clone());
    let stopped = async {
        stop.await;
        app.stop();
    };
    serve(service, listener, listen, certificates, doors, stopped).await;
}

/// [`run`] for any service; `doors` counts connections.
pub async fn serve<S, B>(
    service: S,
    listener: TcpListener,
    listen: &Listen,
    certificates: Option<Arc<Certificates>>,
    doors: Doors,
    stop: impl Future<Output = ()>,
) where
    S: Service<Request<Heard>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Display> + Unpin + Send + 'static,
{
    let guests = Guests::new(listen.connections_max, listen.connections_per_address_max);
    let (stopping, stopped) = watch::channel(());
    let server = Server::new(service, listen.header_timeout, certificates, doors.clone(), stopped);
    let mut stop = pin!(stop);
    let mut failures = 0_u32;
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if failures.is_multiple_of(ACCEPT_COMPLAINT_PERIOD) {
                        tracing::warn!(%error, failures, "a connection could not be accepted; it is tried again");
                    }
                    failures += 1;
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let turn = Arc::new(Turn::new(server.clock.clone(), server.patience));
        // While there is no room the others wait in the kernel's queue.
        let place = tokio::select! {
            place = guests.admit(peer.ip(), &turn) => place,
            () = &mut stop => break,
        };
        match place {
            Ok(place) => drop(tokio::spawn(Arc::clone(&server).connection(stream, peer, turn, place))),
            Err(_over_share) => doors.closed("over_share"),
        }
    }
    drop((listener, server));
    stopping.send_replace(());
    if tokio::time::timeout(DRAIN_TIMEOUT, stopping.closed()).await.is_err() {
        tracing::warn!("some requests did not finish within {} s and are cut", DRAIN_TIMEOUT.as_secs());
    }
}

struct Server<S> {
    /// Made once: cloning it for a connection is cheap, making it is not.
    service: S,
    http: auto::Builder<TokioExecutor>,
    certificates: Option<Arc<Certificates>>,
    clock: SystemClock,
    /// How long a connection may wait for its other side.
    patience: Duration,
    doors: Doors,
    /// Changes when the server stops; closed when no connection is left.
    stopped: watch::Receiver<()>,
}

/// What the server needs of the service it wraps.
trait Handler: Service<Request<Heard>, Error = Infallible> + Clone + Send + Sync + 'static {}

impl<S: Service<Request<Heard>, Error = Infallible> + Clone + Send + Sync + 'static> Handler for S {}

impl<S, B> Server<S>
where
    S: Handler<Response = Response<B>, Future: Send>,
    B: Body<Data = Bytes, Error: Display> + Unpin + Send + 'static,
{
    fn new(
        service: S,
        patience: Duration,
        certificates: Option<Arc<Certificates>>,
        doors: Doors,
        stopped: watch::Receiver<()>,
    ) -> Arc<Self> {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1().max_buf_size(HTTP1_BUFFER_BYTES_MAX);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .max_header_list_size(HTTP2_HEADER_BYTES_MAX)
            .initial_stream_window_size(HTTP2_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_WINDOW_BYTES)
            .max_send_buf_size(HTTP2_SEND_BYTES_MAX)
            // A peer that is gone without a word in the middle of a long reply.
            .keep_alive_interval(patience)
            .keep_alive_timeout(patience);
        Arc::new(Self { service, http, certificates, clock: SystemClock::default(), patience, doors, stopped })
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, turn: Arc<Turn>, _place: Place) {
        self.doors.open.inc();
        self.limit_kernel(&stream);
        if let Err(over) = self.converse(stream, peer, turn).await {
            tracing::debug!(%peer, ?over, "a connection is closed");
            self.doors.closed(match over {
                Over::Waited => "waited",
                Over::MadeRoom => "made_room",
            });
        }
        self.doors.open.dec();
    }

    /// The kernel's buffers of a connection are not in the process's memory, but they are in the machine's. A peer that
    /// takes nothing would keep it there also after we have closed.
    fn limit_kernel(&self, stream: &TcpStream) {
        // Answers are small and complete: waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let _ = sockopt::set_socket_send_buffer_size(stream, KERNEL_SEND_BYTES);
        let milliseconds = u32::try_from(self.patience.as_millis()).unwrap_or(u32::MAX);
        let _ = sockopt::set_tcp_user_timeout(stream, milliseconds);
    }

    async fn converse(&self, stream: TcpStream, peer: SocketAddr, turn: Arc<Turn>) -> Result<(), Over> {
        let Some(certificates) = &self.certificates else { return self.requests(stream, peer, turn).await };
        let mut stopped = self.stopped.clone();
        let encrypted = tokio::select! {
            encrypted = certificates.acceptor().accept(stream) => encrypted,
            over = turn.over() => return Err(over),
            _ = stopped.changed() => return Ok(()),
        };
        match encrypted {
            Ok(stream) => self.requests(stream, peer, turn).await,
            Err(error) => {
                tracing::debug!(%peer, %error, "a TLS handshake failed");
                Ok(())
            }
        }
    }

    async fn requests(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: SocketAddr,
        turn: Arc<Turn>,
    ) -> Result<(), Over> {
        let accounted = Accounted {
            inner: self.service.clone(),
            turn: Arc::clone(&turn),
            peer: peer.ip(),
            clock: self.clock.clone(),
            patience: self.patience,
        };
        let service = ServiceBuilder::new().layer(CatchPanicLayer::custom(panicked)).service(accounted);
        let service = TowerToHyperService::new(service);
        let mut connection = pin!(self.http.serve_connection(TokioIo::new(stream), service).into_owned());
        let mut stopped = self.stopped.clone();
        let (mut stops, mut over) = (false, None);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%peer, error = &*error, "a connection ended early");
                    }
                    return over.map_or(Ok(()), Err);
                }
                _ = stopped.changed(), if !stops => stops = true,
                why = turn.over(), if over.is_none() => {
                    over = Some(why);
                    if !turn.has_asked() {
                        return Err(why);
                    }
                }
                () = tokio::time::sleep(GOODBYE), if over.is_some() => return over.map_or(Ok(()), Err),
            }
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// A panic is our bug, not the sender's; what it was goes to the log by the panic hook, never to the reply.
fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<impl Body<Data = Bytes, Error: Into<BoxError>> + Send> {
    http::panicked()
}
