//! TLS by rustls, with certificates that are reloaded when their files change: a renewal must not need a restart.

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};
use tokio_rustls::TlsAcceptor;

/// How often the files are looked at.
const RELOAD_PERIOD: Duration = Duration::from_secs(10);

/// Why certificate and key cannot be used; each message names the setting and the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read, or holds no PEM of the kind.
    #[error("{option}: {path} cannot be used: {reason}")]
    File {
        /// The setting that names it.
        option: &'static str,
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// They do not belong together.
    #[error(
        "--tls-cert and --tls-key: the certificate in {cert} and the key in {key} cannot be used together: {reason}"
    )]
    Mismatch {
        /// The certificate's file.
        cert: String,
        /// The key's file.
        key: String,
        /// What rustls says.
        reason: String,
    },
}

/// The current certificate, and where to look for the next.
pub struct Certificates {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<TlsAcceptor>,
}

impl Certificates {
    /// Reads both files.
    pub fn load(cert: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        let current = RwLock::new(read(&cert, &key)?);
        Ok(Self { cert, key, current })
    }

    /// With what the next connection is accepted; connections that are open keep theirs.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files for ever. A half-written or wrong pair is logged and the old one kept.
    pub async fn watch(self: Arc<Self>) {
        let mut seen = self.changed_at();
        loop {
            tokio::time::sleep(RELOAD_PERIOD).await;
            let now = self.changed_at();
            if now == seen {
                continue;
            }
            match self.reload() {
                Ok(()) => {
                    seen = now;
                    tracing::info!("the TLS certificate was reloaded");
                }
                Err(error) => tracing::error!(%error, "the new TLS certificate cannot be used; the old one stays"),
            }
        }
    }

    /// Reads both files again.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.cert, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.cert, &self.key].map(|path| std::fs::metadata(path).and_then(|file| file.modified()).ok())
    }
}

fn read(cert: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let failed = |option, path: &Path, reason| TlsError::File { option, path: path.display().to_string(), reason };
    let (of_cert, of_key) = (|reason| failed("--tls-cert", cert, reason), |reason| failed("--tls-key", key, reason));
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| of_cert(e.to_string()))?;
    if chain.is_empty() {
        return Err(of_cert("it holds no certificate in PEM".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| of_key(e.to_string()))?;
    let mismatch = |e: rustls::Error| TlsError::Mismatch {
        cert: cert.display().to_string(),
        key: key.display().to_string(),
        reason: e.to_string(),
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(mismatch)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
