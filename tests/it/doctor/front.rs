//! What stands at the public URL.

use hookwell::{
    app::App,
    config::Listen,
    http::tower_service,
    serve::{self, Certificates},
};
use http::{Request, header};
use jiff::Timestamp;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tower::ServiceBuilder;
use url::Url;

/// What stands there.
pub(super) enum Front {
    /// The gateway, over http.
    Itself,
    /// The gateway, over https as `localhost`, with a certificate for this name that is good until so many days from now.
    Tls { name: &'static str, days: i64 },
    /// Nobody.
    Nobody,
    /// A name that nobody gave out.
    Nowhere,
    /// Nothing was said.
    Unsaid,
    /// Another server, which answers everything so.
    Other(&'static str),
    /// A proxy that passes everything on but `Authorization`.
    Stripping,
}

/// The same with its sockets.
pub(super) struct Listening {
    front: Front,
    listener: Option<TcpListener>,
}

impl Front {
    /// Opens it, and says how the gateway is told of it.
    pub(super) async fn listen(self) -> (Listening, Option<Url>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match self {
            Self::Unsaid => None,
            Self::Nowhere => Some("https://hookwell-doctor.invalid".to_owned()),
            Self::Tls { .. } => Some(format!("https://localhost:{port}")),
            _ => Some(format!("http://127.0.0.1:{port}")),
        };
        let listener = (!matches!(self, Self::Nobody | Self::Nowhere | Self::Unsaid)).then_some(listener);
        (Listening { front: self, listener }, url.map(|url| url.parse().unwrap()))
    }
}

impl Listening {
    /// Answers from now on.
    pub(super) fn serve(self, app: &Arc<App>) -> Option<JoinHandle<()>> {
        let listener = self.listener?;
        let address = listener.local_addr().unwrap();
        let service = tower_service(Arc::clone(app));
        Some(match self.front {
            Front::Other(answer) => tokio::spawn(always(listener, answer)),
            Front::Tls { name, days } => {
                let (folder, certificates) = certificates(name, days);
                tokio::spawn(async move {
                    let _kept = folder;
                    let (listen, gauge) = (listen(address), hookwell::metrics::Doors::default());
                    serve::serve(service, listener, &listen, Some(certificates), gauge, std::future::pending()).await;
                })
            }
            Front::Stripping => {
                let stripping = ServiceBuilder::new().map_request(|mut request: Request<_>| {
                    request.headers_mut().remove(header::AUTHORIZATION);
                    request
                });
                let service = stripping.service(service);
                tokio::spawn(async move {
                    let (listen, gauge) = (listen(address), hookwell::metrics::Doors::default());
                    serve::serve(service, listener, &listen, None, gauge, std::future::pending()).await;
                })
            }
            _ => tokio::spawn(async move {
                let (listen, gauge) = (listen(address), hookwell::metrics::Doors::default());
                serve::serve(service, listener, &listen, None, gauge, std::future::pending()).await;
            }),
        })
    }
}

fn listen(address: SocketAddr) -> Listen {
    Listen {
        address,
        tls: None,
        connections_max: 64,
        connections_per_address_max: 64,
        header_timeout: Duration::from_secs(30),
    }
}

fn certificates(name: &str, days: i64) -> (TempDir, Arc<Certificates>) {
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let until = Timestamp::now() + jiff::SignedDuration::from_hours(days * 24);
    let until = until.to_string();
    let part = |range: std::ops::Range<usize>| until[range].parse().unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(until[..4].parse().unwrap(), part(5..7), part(8..10));
    let key = rcgen::KeyPair::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert_file, parameters.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let certificates = Certificates::load(cert_file, key_file).unwrap();
    (folder, Arc::new(certificates))
}

/// Reads each request to its end and answers all the same way.
async fn always(listener: TcpListener, answer: &'static str) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(answer_one(stream, answer));
    }
}

async fn answer_one(mut stream: TcpStream, answer: &str) -> Option<()> {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&piece[..read]);
    }
    stream.write_all(answer.as_bytes()).await.ok()
}
