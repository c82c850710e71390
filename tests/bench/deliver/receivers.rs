//! Receivers of webhooks on this machine: one that takes everything, one that never answers.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use warp::Filter as _;

pub(crate) struct Receivers {
    address: SocketAddr,
    taken: Arc<AtomicU64>,
}

impl Receivers {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (address, taken) = (listener.local_addr().expect("an address"), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&taken);
        let taking = warp::path("taking").and(warp::body::bytes()).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            warp::reply()
        });
        let hanging = warp::path("hanging").and(warp::body::bytes()).and_then(|_| async {
            std::future::pending::<()>().await;
            Ok::<_, Infallible>(warp::reply())
        });
        tokio::spawn(warp::serve(taking.or(hanging)).incoming(listener).run());
        Self { address, taken }
    }

    pub(crate) fn taking(&self) -> String {
        format!("http://{}/taking", self.address)
    }

    pub(crate) fn hanging(&self) -> String {
        format!("http://{}/hanging", self.address)
    }

    /// Deliveries so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}
