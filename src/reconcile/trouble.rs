//! What keeps the subscriptions of a connection from being as they should, and what to do about it.

use crate::{azure::client::Failure, domain::BindingId};

/// The kinds of trouble, by who can end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TroubleKind {
    /// The gateway was not told where it is reached.
    NoPublicUrl,
    /// The connection's settings cannot be used.
    Settings,
    /// The credential is missing or not accepted.
    Unauthorized,
    /// The credential may not do this.
    Forbidden,
    /// Azure DevOps asks to wait.
    Throttled,
    /// Azure DevOps cannot be reached or does not answer as it should.
    Unreachable,
    /// What a binding selects is not there or may not be seen.
    Unresolved,
    /// A subscription could not be made, mended or removed.
    Failing,
    /// There are more subscriptions than there may be.
    TooMany,
    /// Azure DevOps does not show us the subscriptions that were made, so nothing more is made.
    NotShown,
    /// Events of classic releases are not available; they are optional.
    NoReleases,
    /// The work takes longer than somebody waits.
    Unfinished,
}

/// One trouble of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its kind.
    pub kind: TroubleKind,
    /// The binding that it is about, if it is about one.
    pub binding: Option<BindingId>,
    /// What is going on and what to do.
    pub detail: String,
}

impl Trouble {
    /// About the whole connection.
    pub fn new(kind: TroubleKind, detail: impl Into<String>) -> Self {
        Self { kind, binding: None, detail: detail.into() }
    }

    /// About one binding.
    pub fn of(binding: BindingId, detail: impl Into<String>) -> Self {
        Self { kind: TroubleKind::Unresolved, binding: Some(binding), detail: detail.into() }
    }

    /// What a failed call means; `doing` says what it was for.
    pub fn from_failure(doing: &str, failure: &Failure) -> Self {
        let (kind, advice) = match failure {
            Failure::Settings(_) => (TroubleKind::Settings, "; change the connection's settings"),
            Failure::Unauthorized { .. } => {
                (TroubleKind::Unauthorized, "; give the connection a valid token, or set its hooks to manual")
            }
            Failure::Forbidden { .. } => return Self::forbidden(doing, failure),
            Failure::Throttled { .. } => (TroubleKind::Throttled, "; it goes on by itself"),
            Failure::Unavailable { .. } | Failure::Unreachable { .. } => {
                (TroubleKind::Unreachable, "; it is tried again by itself")
            }
            Failure::NotFound { .. } | Failure::Refused { .. } | Failure::Unexpected { .. } => {
                (TroubleKind::Failing, "; it is tried again by itself")
            }
        };
        Self::new(kind, format!("{doing}: {failure}{advice}"))
    }

    /// Both ways out of a missing right.
    fn forbidden(doing: &str, failure: &Failure) -> Self {
        let permission = match failure {
            Failure::Forbidden { permission: Some(permission), .. } => permission.as_str(),
            _ => "Edit Subscription",
        };
        let detail = format!(
            "{doing}: {failure}; either let a Project Collection Administrator give the token's owner the permission \
             {permission} on service hooks, or set the connection's hooks to manual: GET /v1/subscriptions then says what an \
             administrator has to make"
        );
        Self::new(TroubleKind::Forbidden, detail)
    }
}
