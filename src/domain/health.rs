//! How a connection is doing, as its last check found it.

use super::ConnectionId;
use crate::azure::client::{ApiVersion, Deployment, Identity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The sum of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Azure DevOps was not asked.
    Unchecked,
    /// Everything that is needed works.
    Enabled,
    /// Somebody has to do something; it does not mend itself.
    NeedsAttention,
    /// It cannot be spoken with now; that may mend itself.
    Unreachable,
}

impl HealthState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Unchecked, Self::Enabled, Self::NeedsAttention, Self::Unreachable];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Enabled => "enabled",
            Self::NeedsAttention => "needs_attention",
            Self::Unreachable => "unreachable",
        }
    }
}

/// What a credential may be allowed to do, by Azure's names for the scopes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AzureScope {
    /// Project and team (Read).
    ProjectAndTeam,
    /// Code (Read).
    Code,
    /// Build (Read).
    Build,
    /// Work items (Read).
    WorkItems,
    /// Release (Read).
    Release,
    /// The permissions View and Edit Subscriptions; no scope of a token that one could tick.
    ServiceHooks,
}

/// Whether something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// It is: it was tried.
    Ok,
    /// It is not: Azure refused.
    Missing,
    /// Azure did not say.
    Unknown,
    /// It was not tried, because nothing needs it.
    NotNeeded,
}

/// One scope as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeHealth {
    /// Which.
    pub scope: AzureScope,
    /// Whether it is allowed.
    pub grant: Grant,
    /// Whether the connection needs attention without it.
    pub required: bool,
    /// What Azure said, where it is not allowed or not known.
    pub detail: Option<String>,
}

/// As kept in the registry under kind `health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Whose.
    pub connection: ConnectionId,
    /// The sum.
    pub state: HealthState,
    /// Why it is not enabled.
    pub cause: Option<String>,
    /// The one thing to do about it.
    pub remedy: Option<String>,
    /// Services or Server.
    pub deployment: Option<Deployment>,
    /// The version of the API that is spoken with it.
    pub api_version: Option<ApiVersion>,
    /// Who we are there.
    pub identity: Option<Identity>,
    /// The organization's or collection's GUID.
    pub instance_id: Option<Uuid>,
    /// When it was found to be so. Kept to within ten minutes: what stays the same is not written anew each time.
    pub checked_at: Timestamp,
    /// The scopes, each tried by itself; empty where it did not come to that.
    pub scopes: Vec<ScopeHealth>,
}

impl Health {
    /// Whether the other says the same, apart from when.
    pub fn agrees_with(&self, other: &Self) -> bool {
        Self { checked_at: other.checked_at, ..self.clone() } == *other
    }

    /// A scope.
    pub fn scope(&self, scope: AzureScope) -> Option<&ScopeHealth> {
        self.scopes.iter().find(|found| found.scope == scope)
    }
}
