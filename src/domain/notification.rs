//! A notification: what a service hook delivered, as the journal keeps it.

use super::{ConnectionId, NotificationId, Recovered, framing};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is to be done with a notification; decided once, when it is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Disposition {
    /// It is translated.
    Accepted,
    /// The Test button's canned sample: kept and shown, never an event.
    Test,
    /// Kept and shown to the operator, never an event.
    Quarantined {
        /// The kind of trouble.
        reason: QuarantineReason,
        /// What exactly, in one line, without quoting the body.
        detail: String,
    },
}

/// Why a notification is in quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineReason {
    /// The body is not JSON.
    NotJson,
    /// The body is JSON but no service-hook envelope.
    NotAnEnvelope,
    /// The body was over the limit; only its head is kept.
    TooLarge,
    /// It speaks of another collection than the connection's.
    ForeignCollection,
}

/// What the notification's key was made of: which redeliveries it can recognise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// Connection, subscriptionId and notificationId.
    Delivery,
    /// Connection and the envelope's id.
    Envelope,
    /// Connection and the hash of the body.
    Body,
    /// Connection and the ids of the events that it tells, where we composed it ourselves.
    Fact,
}

/// How the sender proved itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The subscription key in the Basic user name; `manual` for a hook made by hand.
    pub subscription_key: String,
    /// The generation of the password that was used.
    pub generation: u32,
    /// Whether the body's signature was checked too.
    pub signature: bool,
}

/// Which change a `git.pullrequest.updated` subscription is filtered on (its `notificationType`), as the hook's URL
/// carries it in `?reason=`. The payload itself does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateReason {
    /// The source branch was pushed.
    PushNotification,
    /// Reviewers were added or removed.
    ReviewersUpdateNotification,
    /// Completed, abandoned, reactivated.
    StatusUpdateNotification,
    /// Somebody voted.
    ReviewerVoteNotification,
}

impl UpdateReason {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::PushNotification,
        Self::ReviewersUpdateNotification,
        Self::StatusUpdateNotification,
        Self::ReviewerVoteNotification,
    ];

    /// From Azure's word for it.
    pub fn from_word(word: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
    }

    /// Azure's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::PushNotification => "PushNotification",
            Self::ReviewersUpdateNotification => "ReviewersUpdateNotification",
            Self::StatusUpdateNotification => "StatusUpdateNotification",
            Self::ReviewerVoteNotification => "ReviewerVoteNotification",
        }
    }
}

/// One journal entry of the notifications log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Its journal key.
    #[serde(skip, default = "nil")]
    pub id: NotificationId,
    /// Through which connection it came.
    pub connection: ConnectionId,
    /// When we received it.
    pub received_at: Timestamp,
    /// What is to be done with it.
    pub disposition: Disposition,
    /// How it was verified.
    pub verified: Verified,
    /// How we came by it, where no hook delivered it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
    /// What its key was made of.
    pub key_source: KeySource,
    /// `eventType`, at most 200 characters of it.
    pub event_type: Option<String>,
    /// `subscriptionId`.
    pub subscription_id: Option<String>,
    /// `notificationId`.
    pub notification_id: Option<i64>,
    /// The reason from the hook's URL.
    pub reason: Option<UpdateReason>,
    /// Azure's `X-VSS-*` and `Request-Id` headers, lower-case names.
    pub headers: BTreeMap<String, String>,
    /// How many bytes were sent; more than `body` holds when it was over the limit.
    pub size_bytes: u64,
    /// The raw body, or its head when it was over the limit.
    #[serde(skip)]
    pub body: Bytes,
}

fn nil() -> NotificationId {
    NotificationId(uuid::Uuid::nil())
}

impl Notification {
    /// As a journal body.
    pub fn to_stored(&self) -> Bytes {
        framing::join(self, &self.body)
    }

    /// From a journal key and body; `None` when the body is not one of ours.
    pub fn from_stored(id: NotificationId, stored: &Bytes) -> Option<Self> {
        let (header, body) = framing::split::<Self>(stored)?;
        Some(Self { id, body, ..header })
    }
}
