//! Everything secret: the master keys, what they seal, and what is derived so that it need not be stored.
//!
//! Sealing is XChaCha20-Poly1305 under the current master key, with the purpose as associated data, so that a sealed
//! value moved to another place does not open. Several master keys may be given: the first seals, all of them open.

mod key_file;

pub use self::key_file::KeyError;

use crate::domain::{ConnectionId, Sealed};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use zeroize::Zeroizing;

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;
/// Bytes of an XChaCha20 nonce.
const NONCE_BYTES: usize = 24;
/// First part of every sealed value: its format.
const SEALED_VERSION: &str = "v1";
/// Fewest characters of an API token that a user chooses.
pub const TOKEN_CHARS_MIN: usize = 16;
/// Most characters of an API token.
pub const TOKEN_CHARS_MAX: usize = 512;

/// A sealed value did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret was sealed under a master key that is not there any more; give the old key after the new one")]
pub struct Unopenable;

type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The master keys.
pub struct Keys {
    /// Never empty; the first one seals.
    masters: Vec<Master>,
}

struct Master {
    /// The first bytes of the key's hash: tells which key opens a value without trying all.
    id: String,
    key: Key,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("count", &self.masters.len()).finish_non_exhaustive()
    }
}

impl Keys {
    /// From a text of keys in base64url, separated by commas or white space; the first one seals.
    pub fn parse(text: &str, origin: &str) -> Result<Self, KeyError> {
        let malformed = || KeyError::Malformed { origin: origin.to_owned() };
        let masters = text
            .split([',', '\n', '\r', ' ', '\t'])
            .filter(|part| !part.is_empty())
            .map(|part| {
                let bytes = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?);
                let key: [u8; KEY_BYTES] = bytes.as_slice().try_into().ok()?;
                Some(Master::new(Zeroizing::new(key)))
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(malformed)?;
        if masters.is_empty() { Err(malformed()) } else { Ok(Self { masters }) }
    }

    /// One new random key; for gateways that keep nothing.
    pub fn random() -> Self {
        Self { masters: vec![Master::new(random_key())] }
    }

    /// Encrypts under the current key. The same purpose must be given to open it.
    ///
    /// # Panics
    /// Never: the cipher fails only beyond 256 GiB.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Sealed {
        let master = self.masters.first().expect("there is always a key");
        let nonce: [u8; NONCE_BYTES] = random_bytes();
        let cipher = XChaCha20Poly1305::new((&*master.key).into());
        let payload = Payload { msg: plain, aad: purpose.as_bytes() };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload).expect("far below the cipher's limit");
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        Sealed(format!("{SEALED_VERSION}.{}.{}", master.id, BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Decrypts what [`Self::seal`] made for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Unopenable> {
        let mut parts = sealed.0.split('.');
        let (Some(SEALED_VERSION), Some(id), Some(text), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Unopenable);
        };
        let master = self.masters.iter().find(|master| master.id == id).ok_or(Unopenable)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Unopenable)?;
        let (nonce, message) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(Unopenable)?;
        let cipher = XChaCha20Poly1305::new((&*master.key).into());
        let payload = Payload { msg: message, aad: purpose.as_bytes() };
        cipher.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| Unopenable)
    }
}

impl Master {
    fn new(key: Key) -> Self {
        let digest = Sha256::digest(*key);
        Self { id: hex(&digest[..4]), key }
    }
}

/// A key that lives sealed in the registry, because rotating the master key must not change what it derives.
pub struct DerivingKey(Key);

impl fmt::Debug for DerivingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl DerivingKey {
    /// A new random one.
    pub fn random() -> Self {
        Self(random_key())
    }

    /// From its bytes; `None` when they are not 32.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Its bytes, to be sealed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac
    }

    /// The Basic password of one subscription's hook: base64url(HMAC-SHA256(key, connection ‖ subscription key ‖ 0x1f ‖
    /// generation)), 43 characters. Nothing about it is stored.
    pub fn hook_password(&self, connection: ConnectionId, subscription_key: &str, generation: u32) -> String {
        let mac = self.hook_mac(connection, subscription_key, generation);
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }

    /// Whether `password` is that password, in constant time.
    pub fn hook_password_holds(
        &self,
        connection: ConnectionId,
        subscription_key: &str,
        generation: u32,
        password: &str,
    ) -> bool {
        let given = BASE64_URL_SAFE_NO_PAD.decode(password).unwrap_or_default();
        self.hook_mac(connection, subscription_key, generation).verify_slice(&given).is_ok()
    }

    fn hook_mac(&self, connection: ConnectionId, subscription_key: &str, generation: u32) -> Hmac<Sha256> {
        self.mac(&[connection.0.as_bytes(), subscription_key.as_bytes(), &[0x1f], &generation.to_be_bytes()])
    }

    /// What shows that the gateway with this key heard `nonce`, and this `Authorization` or none with it: base64url of a
    /// MAC, 43 characters. It is good for nothing else: no hook's password is one over these words, since they begin where
    /// those have a connection's id, and are no random UUID.
    pub fn echo(&self, nonce: &str, authorization: Option<&[u8]>) -> String {
        let heard = authorization.map_or([0], |_| [1]);
        let parts =
            [b"hookwell echoes\x1f".as_slice(), &heard, nonce.as_bytes(), &[0x1f], authorization.unwrap_or_default()];
        BASE64_URL_SAFE_NO_PAD.encode(self.mac(&parts).finalize().into_bytes())
    }

    /// What is kept of an API token: lower-case hex of HMAC-SHA256(key, token).
    pub fn token_hash(&self, token: &str) -> String {
        hex(&self.mac(&[token.as_bytes()]).finalize().into_bytes())
    }
}

/// A check of `sha256=` and the lower-case hex of HMAC-SHA256(secret, body) that goes along while the body is read, so that
/// it covers also what of a large body is not kept.
///
/// Source: the scheme that GitHub made common as `X-Hub-Signature-256`.
pub struct BodySignature {
    /// One for each secret that is valid now.
    candidates: Vec<Hmac<Sha256>>,
    given: Vec<u8>,
}

impl fmt::Debug for BodySignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl BodySignature {
    /// Of a body still to come; `header` is what its sender says.
    pub fn new(secrets: &[Zeroizing<Vec<u8>>], header: Option<&str>) -> Self {
        let mac = |secret: &Zeroizing<Vec<u8>>| {
            Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length")
        };
        let given = header.and_then(|header| header.strip_prefix("sha256=")).and_then(unhex).unwrap_or_default();
        Self { candidates: secrets.iter().map(mac).collect(), given }
    }

    /// The next bytes of the body.
    pub fn update(&mut self, piece: &[u8]) {
        self.candidates.iter_mut().for_each(|candidate| candidate.update(piece));
    }

    /// Whether one of the secrets signed what was read, in constant time for each.
    pub fn holds(self) -> bool {
        self.candidates.into_iter().any(|candidate| candidate.verify_slice(&self.given).is_ok())
    }
}

/// A new API token: `hw_` and 32 random bytes in base64url.
pub fn new_token() -> Zeroizing<String> {
    Zeroizing::new(format!("hw_{}", BASE64_URL_SAFE_NO_PAD.encode(*random_key())))
}

fn random_key() -> Key {
    Zeroizing::new(random_bytes())
}

fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has randomness once it has booted");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(not(unix))]
fn readable_by_others(_path: &Path) -> std::io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_for_its_purpose_and_under_a_key_that_is_there() {
        let old = BASE64_URL_SAFE_NO_PAD.encode([1; KEY_BYTES]);
        let new = BASE64_URL_SAFE_NO_PAD.encode([2; KEY_BYTES]);
        let before = Keys::parse(&old, "test").unwrap();
        let after = Keys::parse(&format!("{new}\n{old}\n"), "test").unwrap();
        let only_new = Keys::parse(&new, "test").unwrap();
        let sealed = before.seal("a", b"pat");
        assert_eq!(before.open("a", &sealed).unwrap().as_slice(), b"pat");
        assert_eq!(after.open("a", &sealed).unwrap().as_slice(), b"pat");
        assert_eq!(before.open("b", &sealed), Err(Unopenable));
        assert_eq!(only_new.open("a", &sealed), Err(Unopenable));
        assert_eq!(format!("{sealed:?} {before:?}"), "[sealed] Keys { count: 1, .. }");
    }

    #[test]
    fn the_key_file_is_made_once_private_and_refused_when_exposed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(matches!(Keys::load(&path), Err(KeyError::Missing { .. })));
        let sealed = Keys::load_or_make(&path).unwrap().seal("a", b"x");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Keys::load_or_make(&path).unwrap().open("a", &sealed).unwrap().as_slice(), b"x");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Keys::load(&path), Err(KeyError::Exposed { .. })));
    }

    #[test]
    fn a_hook_password_holds_for_its_connection_subscription_and_generation_only() {
        let key = DerivingKey::from_bytes(&[7; KEY_BYTES]).unwrap();
        let connection = ConnectionId(uuid::Uuid::from_u128(1));
        let password = key.hook_password(connection, "manual", 1);
        assert!(key.hook_password_holds(connection, "manual", 1, &password));
        assert!(!key.hook_password_holds(connection, "manual", 2, &password));
        assert!(!key.hook_password_holds(connection, "other", 1, &password));
        assert!(!key.hook_password_holds(ConnectionId(uuid::Uuid::from_u128(2)), "manual", 1, &password));
        assert!(!key.hook_password_holds(connection, "manual", 1, ""));
    }

    #[test]
    fn an_echo_tells_what_was_heard() {
        let [key, other] = [7, 8].map(|byte| DerivingKey::from_bytes(&[byte; KEY_BYTES]).unwrap());
        let echo = key.echo("nonce", None);
        assert!(
            echo == key.echo("nonce", None) && echo != key.echo("other", None) && echo != other.echo("nonce", None)
        );
        assert!(echo != key.echo("nonce", Some(b"")) && key.echo("nonce", Some(b"a")) != key.echo("nonce", Some(b"b")));
    }

    #[test]
    fn a_signature_is_over_the_exact_bytes() {
        // From: printf '{"a":1}' | openssl dgst -sha256 -hmac secret
        let header = "sha256=aa9e2e3575f5d7098b6caccd790888c36d5fdb63342a73bada2d6a51747a8494";
        let holds = |secret: &[u8], body: &[u8], header: Option<&str>| {
            let mut signature =
                BodySignature::new(&[Zeroizing::new(b"old".to_vec()), Zeroizing::new(secret.to_vec())], header);
            body.chunks(3).for_each(|piece| signature.update(piece));
            signature.holds()
        };
        assert!(holds(b"secret", b"{\"a\":1}", Some(header)));
        assert!(!holds(b"secret", b"{\"a\": 1}", Some(header)));
        assert!(!holds(b"other", b"{\"a\":1}", Some(header)));
        assert!(!holds(b"secret", b"{\"a\":1}", Some("sha256=zz")));
        assert!(!holds(b"secret", b"{\"a\":1}", None));
    }
}
