//! Standard Webhooks' symmetric signature: HMAC-SHA256 over `id.timestamp.body`, by each secret that is valid now.

use super::super::{Secrets, Unusable};
use crate::domain::secret;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const PREFIX: &str = "whsec_";
/// Bytes of a secret of ours, and the bounds for one that is given.
const SECRET_BYTES: usize = 32;
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;

type Key = Zeroizing<Vec<u8>>;

/// What signs the deliveries of one sink.
pub(super) struct Signer {
    current: Key,
    previous: Option<(Key, Timestamp)>,
}

/// A new secret, as it is shown to people.
pub fn new_secret() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    getrandom::fill(&mut *bytes).expect("the operating system has randomness once it has booted");
    Zeroizing::new(format!("{PREFIX}{}", BASE64_STANDARD.encode(*bytes)))
}

/// Whether a text is a secret: `whsec_` and 24 to 64 bytes in base64 with padding.
pub fn secret_is_good(text: &str) -> bool {
    key(text).is_some()
}

fn key(text: &str) -> Option<Key> {
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?);
    (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()).then_some(bytes)
}

impl Signer {
    /// Signs with the secret before the current one too, until `previous_until`.
    pub(super) fn new(secrets: &Secrets, previous_until: Option<Timestamp>) -> Result<Self, Unusable> {
        let unusable = || Unusable("the signing secret cannot be used; rotate it".to_owned());
        let current = secrets.text(secret::SIGNING).and_then(key).ok_or_else(unusable)?;
        let previous = secrets.text(secret::SIGNING_PREVIOUS).and_then(key);
        Ok(Self { current, previous: previous.zip(previous_until) })
    }

    /// Puts the three headers in. The timestamp is that of the attempt: a receiver refuses old ones.
    pub(super) fn sign(&self, id: Uuid, now: Timestamp, body: &Bytes, headers: &mut HeaderMap) {
        let seconds = now.as_second();
        // An id has no dot in it, so what is signed can be taken apart in one way only.
        let beginning = format!("{id}.{seconds}.");
        let mut signatures = signature(&self.current, &beginning, body);
        if let Some((previous, until)) = &self.previous
            && now < *until
        {
            signatures.push(' ');
            signatures.push_str(&signature(previous, &beginning, body));
        }
        headers.insert(ID, ascii(&id.to_string()));
        headers.insert(TIMESTAMP, HeaderValue::from(seconds));
        headers.insert(SIGNATURE, ascii(&signatures));
    }
}

fn signature(key: &Key, beginning: &str, body: &Bytes) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(beginning.as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("UUIDs and base64 are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the specification's own example.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn secrets(previous: bool) -> Secrets {
        let mut all = vec![(secret::SIGNING.to_owned(), Zeroizing::new(SECRET.to_owned()))];
        let other = format!("{PREFIX}{}", BASE64_STANDARD.encode([7; 24]));
        all.extend(previous.then(|| (secret::SIGNING_PREVIOUS.to_owned(), Zeroizing::new(other))));
        all.into_iter().collect()
    }

    fn signed(previous: bool, until: Option<i64>, now: i64) -> String {
        let at = |second| Timestamp::from_second(second).unwrap();
        let signer = Signer::new(&secrets(previous), until.map(at)).unwrap();
        let mut headers = HeaderMap::new();
        signer.sign(Uuid::from_u128(1), at(now), &Bytes::from_static(b"{\"test\": 2432232314}"), &mut headers);
        assert_eq!(headers[TIMESTAMP], now.to_string().as_str());
        assert_eq!(headers[ID], "00000000-0000-0000-0000-000000000001");
        headers[SIGNATURE].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_signature_is_over_id_timestamp_and_body() {
        // From: printf '00000000-0000-0000-0000-000000000001.1614265330.{"test": 2432232314}' | openssl dgst -sha256
        //       -mac HMAC -macopt hexkey:$(printf MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | xxd -p) -binary | base64
        assert_eq!(signed(false, None, 1_614_265_330), "v1,iCxWDzOB1td6pu5wFuJotaWTEKkcYodMae2NqIIaffg=");
        assert_ne!(signed(false, None, 1_614_265_330), signed(false, None, 1_614_265_331));
    }

    #[test]
    fn two_secrets_sign_until_the_overlap_ends() {
        assert_eq!(signed(true, Some(100), 99).split(' ').count(), 2);
        assert_eq!(signed(true, Some(100), 99).split(' ').next().unwrap(), signed(false, None, 99));
        assert_eq!(signed(true, Some(100), 100), signed(false, None, 100));
        assert_eq!(signed(true, None, 99), signed(false, None, 99));
    }

    #[test]
    fn a_secret_is_whsec_and_24_to_64_bytes() {
        assert!(secret_is_good(SECRET) && secret_is_good(&new_secret()));
        assert_ne!(new_secret(), new_secret());
        for bad in
            ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"]
        {
            assert!(!secret_is_good(bad), "{bad}");
        }
        assert!(!secret_is_good(&format!("{PREFIX}{}", BASE64_STANDARD.encode([1; 65]))));
    }
}
