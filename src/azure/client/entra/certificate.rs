//! The certificate by which a service principal signs instead of sending a secret.
//!
//! Source: entra-docs, "Microsoft identity platform application authentication certificate credentials": `alg` PS256, the
//! certificate's SHA-256 thumbprint as `x5t#S256`, `aud` the address that is asked, `iss` and `sub` the application.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rustls::{
    Error, InconsistentKeys, SignatureAlgorithm, SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::{CertifiedKey, SigningKey},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Longest text of a key and its certificates, in bytes.
pub const CERTIFICATE_BYTES_MAX: usize = 16 << 10;
/// How long an assertion is good: it is made anew for each token.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(10);
/// An assertion is good from a little earlier on, for clocks that are not alike.
const GOOD_BEFORE: SignedDuration = SignedDuration::from_mins(5);

/// A certificate and its private key.
pub(super) struct Signer {
    key: Arc<dyn SigningKey>,
    thumbprint: String,
}

impl Signer {
    /// From one text in PEM, or what is wrong with it.
    pub(super) fn read(pem: &str) -> Result<Self, String> {
        if pem.contains("BEGIN ENCRYPTED PRIVATE KEY-----") {
            return Err("has a private key under a password; give it without one (openssl pkey -in key.pem)".to_owned());
        }
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "has no private key in PEM in it; give the key and its certificate in one text")?;
        let key = any_supported_type(&key).ok().filter(|key| key.algorithm() == SignatureAlgorithm::RSA).ok_or(
            "has a private key that is not one of RSA with 2048 bits or more: Microsoft Entra takes no others",
        )?;
        let mut found = false;
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|_| "has a section that is not PEM")?;
            found = true;
            let pair = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&key));
            // A certificate of an old form cannot be compared, and is not wrong for that.
            if matches!(pair.keys_match(), Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown))) {
                let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate));
                return Ok(Self { key, thumbprint });
            }
        }
        Err(if found { "has no certificate of the private key in it" } else { "has no certificate in PEM in it" }
            .to_owned())
    }

    /// Proves the application to `audience` for some minutes.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, String> {
        let seconds = |at: Result<Timestamp, jiff::Error>| at.unwrap_or(now).as_second();
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": Uuid::new_v4(), "iat": now.as_second(),
            "nbf": seconds(now.checked_sub(GOOD_BEFORE)), "exp": seconds(now.checked_add(GOOD_FOR)),
        });
        let part = |value: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let hand = self.key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256]).ok_or("has a key that cannot sign")?;
        let signature = hand.sign(text.as_bytes()).map_err(|_| "has a key that cannot sign")?;
        Ok(Zeroizing::new(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Says what is wrong with a certificate and its key, if anything.
///
/// # Errors
/// In words that go on behind the member's name, without anything of the key.
pub fn check_certificate(pem: &str) -> Result<(), String> {
    Signer::read(pem).map(|_| ())
}
