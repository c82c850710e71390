//! Replies kept for a repeated `Idempotency-Key`.
//!
//! The reply is kept in the same commit as what the request made, so there is no moment at which a crash could separate
//! the two: either both are there and the repeat gets the first reply, or neither is and the repeat is the first.
//!
//! A reply is kept for its whole time. Where there is no room for another one the new request is refused: forgetting one
//! that was promised would make the thing a second time, and nobody would notice.

use super::{App, kind};
use crate::{
    domain::{Sealed, TokenId},
    store::{Change, Expected, Versioned},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How long a reply is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Replies kept for one token at most, so that no other one's requests are refused for it.
pub const REPLIES_OF_TOKEN_MAX: usize = 5_000;
/// Replies kept at most, of a few KiB each; they are in memory.
pub const REPLIES_MAX: usize = 10_000;

/// Expired replies that are let go of with one that is kept: a commit stays small.
const EXPIRED_AT_ONCE_MAX: usize = 100;

/// One request under its key: the same token, operation and key are the same slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    id: String,
    caller: TokenId,
    /// Of the body, keyed: bodies hold secrets.
    fingerprint: String,
}

/// A reply as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct KeptReply {
    /// Whose; absent in those of a version that did not note it.
    #[serde(default)]
    caller: Option<TokenId>,
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
        Self { id: hex(&digest.finalize()), caller, fingerprint }
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

    /// How long it takes until there is room for another reply of this caller; `None` when there is.
    pub fn wait(&self, app: &App) -> Option<Duration> {
        let now = app.clock.now();
        let index = app.replies.read(app);
        let kept = || index.0.iter().filter(|(id, kept)| **id != self.id && kept.expires_at > now);
        let of_caller = || kept().filter(|(_, kept)| kept.caller == Some(self.caller));
        // With what runs now it may be a few more: they were let in while there was room.
        let first = if of_caller().count() >= REPLIES_OF_TOKEN_MAX {
            of_caller().map(|(_, kept)| kept.expires_at).min()
        } else if kept().count() >= REPLIES_MAX {
            kept().map(|(_, kept)| kept.expires_at).min()
        } else {
            None
        };
        first.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default())
    }

    /// The changes that keep `body`, and let go of what has expired.
    pub fn keep(&self, app: &App, body: &[u8]) -> Vec<Change> {
        let now = app.clock.now();
        let kept = KeptReply {
            caller: Some(self.caller),
            fingerprint: self.fingerprint.clone(),
            expires_at: now.checked_add(KEPT_FOR).unwrap_or(Timestamp::MAX),
            body: app.keys.seal(&self.purpose(), body),
        };
        let index = app.replies.read(app);
        let expired = index.0.iter().filter(|(id, kept)| **id != self.id && kept.expires_at <= now);
        let gone = expired.take(EXPIRED_AT_ONCE_MAX).map(|(id, _)| Change {
            kind: kind::IDEMPOTENCY,
            id: id.clone(),
            expected: Expected::Any,
            value: None,
        });
        let mut changes: Vec<Change> = gone.collect();
        changes.push(super::change::put(kind::IDEMPOTENCY, &self.id, Expected::Any, &kept));
        changes
    }
}

/// Whose each kept reply is and until when, so that nothing is decoded to count them.
#[derive(Debug, Default)]
pub(super) struct Replies(Mutex<(u64, Arc<Index>)>);

/// Of one revision of the kind.
#[derive(Debug, Default)]
struct Index(BTreeMap<String, Brief>);

/// The parts of a kept reply that are counted.
#[derive(Debug, Clone, Copy)]
struct Brief {
    version: u64,
    caller: Option<TokenId>,
    expires_at: Timestamp,
}

impl Replies {
    fn read(&self, app: &App) -> Arc<Index> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the records: what is committed in between is read the next time.
        let revision = app.store.revision_of(kind::IDEMPOTENCY);
        if known.0 != revision {
            let read = |(id, kept): (String, Versioned)| {
                let before = known.1.0.get(&id).filter(|brief| brief.version == kept.version);
                let brief = before.copied().unwrap_or_else(|| Brief::read(&kept));
                (id, brief)
            };
            let index = Index(app.store.list(kind::IDEMPOTENCY).into_iter().map(read).collect());
            *known = (revision, Arc::new(index));
        }
        Arc::clone(&known.1)
    }
}

impl Brief {
    /// A record that cannot be read is as good as expired.
    fn read(kept: &Versioned) -> Self {
        let read = serde_json::from_slice::<KeptReply>(&kept.value).ok();
        let (caller, expires_at) = read.map_or((None, Timestamp::MIN), |read| (read.caller, read.expires_at));
        Self { version: kept.version, caller, expires_at }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
