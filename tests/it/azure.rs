//! A simulated Azure DevOps on a real socket, for every test that needs one.

use hookwell::{
    clock::Clock,
    config::Listen,
    serve::{self, Certificates},
    simulator::{self, Options, Simulator},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// One that listens on a port of its own until it is dropped.
pub(crate) struct Azure {
    pub(crate) simulator: Simulator,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Azure {
    /// Over plain http.
    pub(crate) async fn start(options: Options, clock: Arc<dyn Clock>) -> Self {
        Self::listen(options, clock, None).await
    }

    /// Over https, with certificate and key from these files.
    pub(crate) async fn start_tls(options: Options, clock: Arc<dyn Clock>, cert: PathBuf, key: PathBuf) -> Self {
        Self::listen(options, clock, Some((cert, key))).await
    }

    async fn listen(options: Options, clock: Arc<dyn Clock>, tls: Option<(PathBuf, PathBuf)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let certificates = tls.clone().map(|(cert, key)| Arc::new(Certificates::load(cert, key).unwrap()));
        let simulator = Simulator::new(options, clock);
        // By name, because a certificate is for a name.
        let host = if tls.is_some() { format!("localhost:{}", address.port()) } else { address.to_string() };
        simulator.moved_to(&format!("{scheme}://{host}"));
        let service = simulator::tower_service(simulator.clone());
        let (stop, stopped) = oneshot::channel();
        let listen = Listen {
            address,
            tls,
            connections_max: 256,
            connections_per_address_max: 256,
            header_timeout: Duration::from_secs(30),
        };
        let server = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            serve::serve(service, listener, &listen, certificates, hookwell::metrics::Doors::default(), stopped).await;
        });
        Self { simulator, stop: Some(stop), server }
    }

    /// Its address, as a connection takes it.
    pub(crate) fn url(&self) -> String {
        self.simulator.url()
    }
}

impl Drop for Azure {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.server.abort();
    }
}
