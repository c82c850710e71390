//! The cryptography that reqwest's TLS runs on.

/// Makes ring the process's provider: reqwest takes whichever is set and panics when none is. That it is set already is
/// no failure.
pub fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}
