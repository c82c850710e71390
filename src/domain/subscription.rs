//! A service-hook subscription that the bindings want, and what is known of it at Azure DevOps.

use super::{BindingId, ConnectionId, UpdateReason};
use crate::azure::client::Host;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    str::FromStr,
};
use uuid::Uuid;

/// Characters of a key.
const KEY_CHARS: usize = 16;

/// What tells one wanted subscription of a connection from another: 16 lower-case hexadecimal digits, part of the hook's
/// user name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubscriptionKey(String);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 16 of 0-9 and a-f")]
pub struct SubscriptionKeyError;

impl SubscriptionKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SubscriptionKey {
    type Error = SubscriptionKeyError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && text.len() == KEY_CHARS { Ok(Self(text)) } else { Err(SubscriptionKeyError) }
    }
}

impl FromStr for SubscriptionKey {
    type Err = SubscriptionKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<SubscriptionKey> for String {
    fn from(key: SubscriptionKey) -> Self {
        key.0
    }
}

impl fmt::Display for SubscriptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a subscription is to deliver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// `tfs`, `pipelines`, `rm`.
    pub publisher: String,
    /// `git.push` and the like.
    pub event_type: String,
    /// The version of its resource.
    pub resource_version: String,
    /// The Azure project's GUID.
    pub project: Uuid,
    /// The publisher's inputs besides `projectId`.
    pub filters: BTreeMap<String, String>,
    /// What a `git.pullrequest.updated` is filtered on, as the hook's URL says it.
    pub reason: Option<UpdateReason>,
}

impl Spec {
    /// Its key: everything but the version, so that another version is a drift of the same subscription.
    pub fn key(&self, connection: ConnectionId) -> SubscriptionKey {
        let project = self.project.to_string();
        let mut digest = Sha256::new();
        digest.update(connection.0.as_bytes());
        let reason = self.reason.map(UpdateReason::word).unwrap_or_default();
        let filters = self.filters.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        for part in [self.publisher.as_str(), &self.event_type, &project, reason].into_iter().chain(filters) {
            digest.update(part.as_bytes());
            digest.update([0x1f]);
        }
        SubscriptionKey(short_hex(digest))
    }

    /// The host that it is made on.
    pub fn host(&self) -> Host {
        Host::of(&self.publisher)
    }
}

/// The first 16 hexadecimal digits.
pub fn short_hex(digest: Sha256) -> String {
    digest.finalize()[..KEY_CHARS / 2].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// How a subscription is, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// It is there and delivers.
    Active,
    /// It is not there yet.
    Pending,
    /// Azure restricts it after failures.
    OnProbation,
    /// A person switched it off at Azure; it is left so.
    DisabledByUser,
    /// Azure switched it off after failures.
    DisabledBySystem,
    /// Its owner is gone.
    DisabledByInactiveIdentity,
    /// It could not be made or mended.
    Failing,
    /// We made it, and Azure does not show it to us, so nothing is known of how it is.
    NotShown,
    /// The server does not know this event type.
    NotOffered,
    /// No binding wants it any more, and it could not be removed yet.
    Unwanted,
    /// A person is to make it; nothing has arrived yet.
    ManualExpected,
    /// A person is to make it, and notifications arrive.
    ManualReceiving,
}

impl SubscriptionState {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Active,
        Self::Pending,
        Self::OnProbation,
        Self::DisabledByUser,
        Self::DisabledBySystem,
        Self::DisabledByInactiveIdentity,
        Self::Failing,
        Self::NotShown,
        Self::NotOffered,
        Self::Unwanted,
        Self::ManualExpected,
        Self::ManualReceiving,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::OnProbation => "on_probation",
            Self::DisabledByUser => "disabled_by_user",
            Self::DisabledBySystem => "disabled_by_system",
            Self::DisabledByInactiveIdentity => "disabled_by_inactive_identity",
            Self::Failing => "failing",
            Self::NotShown => "not_shown",
            Self::NotOffered => "not_offered",
            Self::Unwanted => "unwanted",
            Self::ManualExpected => "manual_expected",
            Self::ManualReceiving => "manual_receiving",
        }
    }

    /// From its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// Why something was done to a subscription, or is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A binding wants it and it was not there.
    Missing,
    /// It was there without a record of ours, or under another id than recorded.
    Found,
    /// It delivered to another URL.
    Url,
    /// Its filters or consumer inputs were others.
    Inputs,
    /// Its resource version was another.
    Version,
    /// Its password is of another generation than the current one.
    Generation,
    /// Somebody else than our current identity made it.
    Owner,
    /// Azure restricted it after failures.
    OnProbation,
    /// Azure switched it off after failures.
    DisabledBySystem,
    /// Its owner is gone.
    DisabledByInactiveIdentity,
    /// A person switched it off.
    DisabledByUser,
    /// Another one does the same.
    Duplicate,
    /// No binding wants it any more.
    Undesired,
}

impl Why {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Found => "found",
            Self::Url => "url",
            Self::Inputs => "inputs",
            Self::Version => "version",
            Self::Generation => "generation",
            Self::Owner => "owner",
            Self::OnProbation => "on_probation",
            Self::DisabledBySystem => "disabled_by_system",
            Self::DisabledByInactiveIdentity => "disabled_by_inactive_identity",
            Self::DisabledByUser => "disabled_by_user",
            Self::Duplicate => "duplicate",
            Self::Undesired => "undesired",
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Made at Azure.
    Created,
    /// Recorded as ours.
    Adopted,
    /// Made anew, then the old one deleted.
    Replaced,
}

/// The last thing that was done to a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Deed,
    /// Why.
    pub why: Why,
}

/// The last thing that could not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mishap {
    /// When.
    pub at: Timestamp,
    /// What happened, in words.
    pub detail: String,
}

/// What is known of it at Azure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtAzure {
    /// Its GUID there.
    pub id: String,
    /// The identity that we had when we made it; `None` for an adopted one. `createdBy` need not be that: it is what the
    /// server makes of it.
    pub made_as: Option<Uuid>,
    /// A digest of what was asked for when we made it.
    pub asked: Option<String>,
    /// What was different from that already in the reply. That is the server's doing, and asking the same once more
    /// would not help.
    pub tolerated: BTreeSet<Why>,
    /// When it was made, by us or, as far as Azure says, by somebody.
    pub created_at: Option<Timestamp>,
    /// When it last delivered, as Azure wrote it.
    pub last_success: Option<String>,
}

/// As kept in the registry under kind `subscription`. The record is written before the subscription is made, so that one
/// whose making nobody heard of is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Whose it is.
    pub connection: ConnectionId,
    /// Its key.
    pub key: SubscriptionKey,
    /// What it is to deliver.
    pub spec: Spec,
    /// What the Azure project is called.
    pub project_name: String,
    /// What is filtered by, as people call it, by filter.
    pub names: BTreeMap<String, String>,
    /// The bindings that want it.
    pub bindings: BTreeSet<BindingId>,
    /// What is known of it at Azure; `None` before it is there.
    pub azure: Option<AtAzure>,
    /// How often in a row it was asked for and the answer not heard, so that it may have been made.
    #[serde(default)]
    pub unheard: u32,
    /// How it is.
    pub state: SubscriptionState,
    /// More words on the state, such as why it is not offered.
    pub detail: Option<String>,
    /// What was done last.
    pub last_action: Option<Action>,
    /// What could not be done last.
    pub last_error: Option<Mishap>,
    /// When a notification of it last arrived here; written down now and then.
    pub last_arrival: Option<Timestamp>,
    /// When this was written.
    pub updated_at: Timestamp,
}

impl Subscription {
    /// Its id in the registry.
    pub fn id(&self) -> String {
        format!("{}.{}", self.connection, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec {
            publisher: "tfs".into(),
            event_type: "git.push".into(),
            resource_version: "1.0".into(),
            project: Uuid::from_u128(1),
            filters: BTreeMap::from([("repository".into(), Uuid::from_u128(2).to_string())]),
            reason: None,
        }
    }

    #[test]
    fn a_key_depends_on_all_but_the_version_and_never_changes() {
        let connection = ConnectionId(Uuid::from_u128(7));
        let key = spec().key(connection);
        // It is in the user names of hooks at Azure: another one would orphan them all.
        assert_eq!(key.as_str(), "99b62fa4279afe21");
        assert_eq!(Spec { resource_version: "2.0".into(), ..spec() }.key(connection), key);
        let others = [
            Spec { publisher: "rm".into(), ..spec() },
            Spec { event_type: "git.pull".into(), ..spec() },
            Spec { project: Uuid::from_u128(9), ..spec() },
            Spec { filters: BTreeMap::new(), ..spec() },
            Spec { reason: Some(UpdateReason::PushNotification), ..spec() },
        ];
        let keys: BTreeSet<_> = others.iter().map(|other| other.key(connection)).chain([key]).collect();
        assert_eq!(keys.len(), 6);
        assert!(!keys.contains(&spec().key(ConnectionId(Uuid::from_u128(8)))));
    }

    #[test]
    fn only_hexadecimal_digits_are_a_key() {
        for text in ["manual", "", "0123456789abcde", "0123456789abcdeg", "0123456789ABCDEF"] {
            assert!(text.parse::<SubscriptionKey>().is_err(), "{text}");
        }
        assert!("0123456789abcdef".parse::<SubscriptionKey>().is_ok());
    }

    #[test]
    fn a_state_is_found_by_its_word() {
        for state in SubscriptionState::ALL {
            assert_eq!(SubscriptionState::from_word(state.word()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }
}
