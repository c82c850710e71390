//! The Basic header of a hook, as its sender wrote it: nothing in it is proved yet.

use super::USER_NAME_PREFIX;
use base64::{Engine as _, prelude::BASE64_STANDARD};

/// Subscription, generation and password that a Basic header claims. No `Debug`: the password is a secret.
#[derive(PartialEq, Eq)]
pub(crate) struct Claimed {
    pub(crate) subscription_key: String,
    pub(crate) generation: u32,
    pub(crate) password: String,
}

impl Claimed {
    /// `None` where it is no Basic header with a user name as hooks of ours have it.
    pub(crate) fn read(header: &[u8]) -> Option<Self> {
        let (scheme, encoded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user_name, password) = decoded.split_once(':')?;
        let rest = user_name.strip_prefix(USER_NAME_PREFIX)?.strip_prefix('.')?;
        let (subscription_key, generation) = rest.rsplit_once('.')?;
        Some(Self {
            subscription_key: subscription_key.to_owned(),
            generation: generation.parse().ok()?,
            password: password.to_owned(),
        })
    }
}
