//! Replies kept for a repeated `Idempotency-Key`.
//!
//! The reply is kept in the same commit as what the request made, so there is no moment at which a crash could separate
//! the two: either both are there and the repeat gets the first reply, or neither is and the repeat is the first.

use super::{App, kind};
use crate::{
    domain::{Sealed, TokenId},
    store::{Change, Expected},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// How long a reply is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Replies kept at most; when there are more, the oldest go.
const REPLIES_MAX: usize = 1_000;

/// One request under its key: the same token, operation and key are the same slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    id: String,
    /// Of the body, keyed: bodies hold secrets.
    fingerprint: String,
}

/// A reply as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptReply {
    fingerprint: String,
    expires_at: Timestamp,
    /// Sealed: a reply may show a password or token once.
    body: Sealed,
}

/// What a slot holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: the request is new.
    Nothing,
    /// The reply to the same request.
    Reply(Vec<u8>),
    /// The reply to another request.
    Other,
}

impl Slot {
    /// The slot of a request.
    pub fn new(app: &App, caller: TokenId, operation: &str, key: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        for part in [caller.to_string().as_str(), operation, key] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let fingerprint = app.token_key.token_hash(&format!("idempotency:{}", hex(&Sha256::digest(body))));
        Self { id: hex(&digest.finalize()), fingerprint }
    }

    /// Its name among the slots.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn purpose(&self) -> String {
        format!("idempotency/{}", self.id)
    }

    /// What it holds.
    pub fn find(&self, app: &App) -> Found {
        let kept = app.store.get(kind::IDEMPOTENCY, &self.id);
        let Some(kept) = kept.and_then(|kept| serde_json::from_slice::<KeptReply>(&kept.value).ok()) else {
            return Found::Nothing;
        };
        if kept.expires_at <= app.clock.now() {
            return Found::Nothing;
        }
        if kept.fingerprint != self.fingerprint {
            return Found::Other;
        }
        // A reply sealed under a master key that is gone cannot be repeated, and making the thing twice would be worse.
        app.keys.open(&self.purpose(), &kept.body).map_or(Found::Other, |body| Found::Reply(body.to_vec()))
    }

    /// The changes that keep `body`, and let go of what has expired or is too much.
    pub fn keep(&self, app: &App, body: &[u8]) -> Vec<Change> {
        let now = app.clock.now();
        let kept = KeptReply {
            fingerprint: self.fingerprint.clone(),
            expires_at: now.checked_add(KEPT_FOR).unwrap_or(Timestamp::MAX),
            body: app.keys.seal(&self.purpose(), body),
        };
        let mut others: Vec<(Timestamp, String)> = app
            .store
            .list(kind::IDEMPOTENCY)
            .into_iter()
            .filter(|(id, _)| *id != self.id)
            .map(|(id, kept)| {
                let kept = serde_json::from_slice::<KeptReply>(&kept.value);
                (kept.map_or(Timestamp::MIN, |kept| kept.expires_at), id)
            })
            .collect();
        others.sort_unstable();
        let surplus = (others.len() + 1).saturating_sub(REPLIES_MAX);
        let expired = others.iter().filter(|(expires_at, _)| *expires_at <= now).count();
        let gone = others.drain(..surplus.max(expired)).map(|(_, id)| Change {
            kind: kind::IDEMPOTENCY,
            id,
            expected: Expected::Any,
            value: None,
        });
        let mut changes: Vec<Change> = gone.collect();
        changes.push(super::change::put(kind::IDEMPOTENCY, &self.id, Expected::Any, &kept));
        changes
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
