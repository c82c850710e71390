use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};

/// `body` is the exact bytes, `now` in seconds since 1970.
pub fn verified(secret: &str, [id, at, signatures]: [&str; 3], body: &[u8], now: i64) -> bool {
    let fresh = at.parse().is_ok_and(|at: i64| now.abs_diff(at) <= 300);
    let Ok(key) = BASE64_STANDARD.decode(secret.trim_start_matches("whsec_")) else { return false };
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).expect("a key of any length");
    mac.update(format!("{id}.{at}.").as_bytes());
    mac.update(body);
    let given = signatures.split(' ').filter_map(|one| BASE64_STANDARD.decode(one.strip_prefix("v1,")?).ok());
    fresh && given.into_iter().any(|one| mac.clone().verify_slice(&one).is_ok())
}
