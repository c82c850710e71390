//! A whole gateway: opened, running, stopped. What `serve` and `demo` share.

pub mod watchdog;

use crate::{
    app::{App, StartError, checks, first_token, open_keys, retention},
    azure::client::{Dialer, use_ring},
    backfill,
    clock::{Clock, SystemClock},
    config::{Environment, Options, machine, temporary_directory},
    deployments, dispatch, reconcile, recover, relations,
    secrets::{KeyError, Keys},
    serve::{self, Certificates, TlsError},
    store::{
        Journal as _, OpenError, Status, Store,
        embedded::{self, EmbeddedStore},
    },
    survey,
    translate::step,
};
use std::{future::Future, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinSet,
};
use zeroize::Zeroizing;

/// Connections that wait in the kernel to be accepted; it makes of it what `net.core.somaxconn` allows.
const QUEUE_MAX: u32 = 4_096;
/// How long the workers may take to finish their batch once the gateway stops.
const WORKERS_TIMEOUT: Duration = Duration::from_secs(5);

/// Most places of damage, and most stretches of records, that a check names.
const SHOWN_MAX: usize = 20;

/// Why a gateway did not start: one clear line each, for the process's last words.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The data directory.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The master keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// What is in the data directory.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The first token.
    #[error(transparent)]
    Token(#[from] first_token::FirstTokenError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The operating system's word.
        reason: io::Error,
    },
    /// The gateway ran, and cannot go on in this process.
    #[error("{0}")]
    Failed(String),
}

/// A gateway that listens, and does nothing yet.
pub struct Gateway {
    /// The state that handlers and workers share.
    pub app: Arc<App>,
    /// The address it really listens on.
    pub address: SocketAddr,
    /// The admin token that was made because there was none; shown once.
    pub new_token: Option<Zeroizing<String>>,
    listener: TcpListener,
    listen: crate::config::Listen,
    certificates: Option<Arc<Certificates>>,
}

impl Gateway {
    /// Opens everything that can fail before anything runs: settings, address, certificate, store, keys.
    pub async fn open(options: &Options, environment: &Environment) -> Result<Self, GatewayError> {
        let (settings, mut listen) = (options.settings()?, options.listen()?);
        let possible = serve::connections_within(listen.connections_max);
        listen.connections_per_address_max =
            (listen.connections_per_address_max * possible / listen.connections_max).max(1);
        listen.connections_max = possible;
        let certificates = listen.tls.clone().map(|(cert, key)| Certificates::load(cert, key)).transpose()?;
        let listen_error = |reason| GatewayError::Listen { address: listen.address, reason };
        let listener = bound(listen.address).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;

        let store: Arc<dyn Store> = Arc::new(open_store(options).await?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let opened = async {
            let keys = keys(options, environment, &*store)?;
            let dialer = Dialer::pacing(Arc::clone(&clock), settings.azure_bulk_calls_max).on(machine());
            let app = Arc::new(App::start(settings, Arc::clone(&store), clock, keys, Arc::new(dialer)).await?);
            let new_token = first_token::ensure(&app, environment.admin_token.as_deref().map(String::as_str)).await?;
            Ok::<_, GatewayError>((app, new_token))
        };
        match opened.await {
            Ok((app, new_token)) => {
                Ok(Self { app, address, new_token, listener, listen, certificates: certificates.map(Arc::new) })
            }
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Runs until `stop` is ready: then takes nothing new, finishes what it accepted, and closes the store. Bounded.
    ///
    /// # Errors
    /// `Failed` when it cannot go on in this process: what it accepted is kept, and a restart goes on.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), GatewayError> {
        let mut workers = JoinSet::new();
        let app = || Arc::clone(&self.app);
        workers.spawn(watchdog::watched(app(), "translate", step::run));
        workers.spawn(watchdog::watched(app(), "deployments", deployments::step::run));
        workers.spawn(watchdog::watched(app(), "dispatch", dispatch::run));
        workers.spawn(watchdog::watched(app(), "retention", retention::run));
        workers.spawn(watchdog::watched(app(), "reconcile", reconcile::worker::run));
        workers.spawn(watchdog::watched(app(), "recover", recover::worker::run));
        workers.spawn(watchdog::watched(app(), "backfill", backfill::worker::run));
        workers.spawn(watchdog::watched(app(), "checks", checks::watch::run));
        workers.spawn(watchdog::watched(app(), "breaks", recover::breaks::run));
        workers.spawn(watchdog::watched(app(), "quiet", recover::quiet::run));
        workers.spawn(watchdog::watched(app(), "relations", relations::run));
        workers.spawn(watchdog::watched(app(), "survey", survey::job::run));
        let reloading = self.certificates.clone().map(|certificates| tokio::spawn(certificates.watch()));
        let mut failure = self.app.store.failure();
        let stop = async {
            tokio::select! {
                () = stop => {}
                Ok(_) = failure.wait_for(Option::is_some) => {}
            }
        };
        serve::run(Arc::clone(&self.app), self.listener, &self.listen, self.certificates, stop).await;
        if let Some(reloading) = reloading {
            reloading.abort();
        }
        let finished = async { while workers.join_next().await.is_some() {} };
        if tokio::time::timeout(WORKERS_TIMEOUT, finished).await.is_err() {
            tracing::warn!(
                "the workers did not finish in time; what they had not settled is done again at the next start"
            );
        }
        self.app.store.close().await;
        let failed = self.app.store.failure().borrow().clone();
        failed.map_or(Ok(()), |reason| Err(GatewayError::Failed(reason)))
    }
}

/// With as long a queue before our accepting as the kernel allows: a sender that finds it full tries again after a second.
fn bound(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the connections of the process before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE_MAX)
}

fn store_options(options: &Options) -> Result<embedded::Options, GatewayError> {
    let (limits, defaults) = (options.store()?, embedded::Options::default());
    Ok(embedded::Options {
        queue_entries_max: limits.queue_entries_max.unwrap_or(defaults.queue_entries_max),
        free_bytes_min: limits.free_bytes_min.unwrap_or(defaults.free_bytes_min),
        ..defaults
    })
}

async fn open_store(options: &Options) -> Result<EmbeddedStore, GatewayError> {
    let (directory, options) = (options.data_dir(), store_options(options)?);
    let opening = tokio::task::spawn_blocking(move || EmbeddedStore::open(Path::new(&directory), options));
    Ok(opening.await.expect("opening does not panic: every read is checked before it is used")?)
}

/// The master keys. New ones are made only beside a store that holds nothing yet: any other was sealed under keys that
/// must be given.
fn keys(options: &Options, environment: &Environment, store: &dyn Store) -> Result<Keys, KeyError> {
    match &environment.master_key {
        Some(text) => Keys::parse(text, "HOOKWELL_MASTER_KEY"),
        None if store.revision() == 0 => Keys::load_or_make(&options.master_key_file()),
        None => Keys::load(&options.master_key_file()),
    }
}

/// Reads everything that a gateway would open, but for the address, and changes nothing. Answers what is wrong with it and
/// no reason not to start. `tell` hears how many bytes of the journal were read, and of how many.
///
/// # Errors
/// The first thing that a gateway could not start with.
pub async fn check(
    options: &Options,
    environment: &Environment,
    tell: impl FnMut(u64, u64) + Send + 'static,
) -> Result<Vec<String>, GatewayError> {
    options.settings()?;
    let tls = options.listen()?.tls;
    let (directory, limits) = (options.data_dir(), store_options(options)?);
    let reading = tokio::task::spawn_blocking(move || {
        let store = EmbeddedStore::examine(Path::new(&directory), limits, &temporary_directory())?;
        let flaws = store.verify(tell)?;
        Ok::<_, GatewayError>((store, flaws))
    });
    let (store, flaws) = reading.await.expect("reading does not panic: every read is checked before it is used")?;
    let keys = keys(options, environment, &store)?;
    open_keys(&store, &keys)?;
    tls.map(|(cert, key)| Certificates::load(cert, key)).transpose()?;
    let (mut wrong, damage) = (store.remarks(), store.damage());
    if let Status::NotReady(reason) = store.status() {
        wrong.push(format!("nothing could be stored: {reason}"));
    }
    let shown = flaws.iter().take(SHOWN_MAX).map(ToString::to_string);
    wrong.extend(shown.chain(damage.iter().take(SHOWN_MAX).map(ToString::to_string)));
    let more = flaws.len().saturating_sub(SHOWN_MAX) + damage.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        wrong.push(format!("and {more} more such places"));
    }
    if !damage.is_empty() {
        wrong.push(
            "`hookwell backfill` over those times, beside the running gateway, brings back what Azure DevOps still has; \
             the rest is in a backup or gone"
                .into(),
        );
    } else if !flaws.is_empty() {
        wrong.push("no record that is kept lies there; the disk may be failing".into());
    }
    Ok(wrong)
}

/// For asking a gateway on this machine, whatever name its certificate has.
///
/// # Errors
/// The TLS library could not be set up.
pub fn loopback_client(timeout: Duration) -> reqwest::Result<reqwest::Client> {
    use_ring();
    reqwest::Client::builder().timeout(timeout).no_proxy().danger_accept_invalid_certs(true).build()
}
