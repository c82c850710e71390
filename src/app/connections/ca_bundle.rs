//! Certificates that a connection trusts besides the system's: read when they are given, so that what is wrong with them
//! is said then and not by a failed handshake.

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Largest bundle.
pub const CA_BUNDLE_BYTES_MAX: usize = 64 << 10;
/// Most certificates in one.
const CERTIFICATES_MAX: usize = 100;

/// What is wrong with a bundle, if anything.
pub fn check(pem: &str) -> Result<(), String> {
    if pem.len() > CA_BUNDLE_BYTES_MAX {
        return Err(format!("must be at most {CA_BUNDLE_BYTES_MAX} bytes"));
    }
    if pem.contains("PRIVATE KEY-----") {
        return Err(
            "has a private key in it, which nobody but its server should have; give certificates only".to_owned()
        );
    }
    let mut roots = RootCertStore::empty();
    for (at, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let nth = at + 1;
        if nth > CERTIFICATES_MAX {
            return Err(format!("must have at most {CERTIFICATES_MAX} certificates"));
        }
        let certificate = certificate.map_err(|_| format!("has a section {nth} that is not PEM"))?;
        roots.add(certificate).map_err(|_| format!("has a section {nth} that is not a certificate"))?;
    }
    if roots.is_empty() {
        return Err("has no certificate in it; give PEM, which begins with -----BEGIN CERTIFICATE-----".to_owned());
    }
    Ok(())
}
