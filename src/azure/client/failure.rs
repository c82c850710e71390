//! Why a call to Azure DevOps gave no answer, by what its caller can do about it.
//!
//! No variant carries a body or a header of the exchange as it was: what is kept are Azure's own message (bounded, one
//! line), and words of ours.

use std::time::Duration;

/// Why the server could not be spoken with at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// Its name is not known.
    Name,
    /// Nothing listens there, or a firewall is between.
    Connect,
    /// Its certificate is not trusted, or TLS failed otherwise.
    Tls,
    /// The proxy refused or failed.
    Proxy,
    /// Nobody was asked: there is no file descriptor left to ask with.
    Descriptors,
    /// It did not answer in time, or the connection was cut, again and again.
    Silent,
}

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The access settings cannot be used: a CA bundle that is no PEM, a header value that is none.
    #[error("{0}")]
    Settings(String),
    /// The credential is missing, wrong, expired or revoked: 401, or Azure's sign-in page as 203, 3xx or HTML.
    #[error("Azure DevOps does not accept the credential{}", said(detail.as_deref()))]
    Unauthorized {
        /// Azure's words, where it said any.
        detail: Option<String>,
    },
    /// The credential is good, but the identity or the token's scopes do not allow this.
    #[error("Azure DevOps does not allow this{}", said(detail.as_deref()))]
    Forbidden {
        /// The permission or scope that Azure names, such as `Edit Subscription`.
        permission: Option<String>,
        /// Azure's words, where it said any.
        detail: Option<String>,
    },
    /// There is no such thing, or we may not see it: Azure does not tell the two apart.
    #[error("Azure DevOps does not know this, or does not show it{}", said(detail.as_deref()))]
    NotFound {
        /// Azure's words, where it said any.
        detail: Option<String>,
    },
    /// The request is not one that this server takes: an unknown event type or input, an api-version out of range.
    #[error("Azure DevOps refuses the request{}", said(detail.as_deref()))]
    Refused {
        /// Azure's `typeKey`, such as `VssVersionOutOfRangeException`.
        kind: Option<String>,
        /// Azure's words, where it said any.
        detail: Option<String>,
    },
    /// We ask too much; nothing more is sent before the wait is over.
    #[error("Azure DevOps asks to wait {} s", wait.as_secs())]
    Throttled {
        /// How long to wait.
        wait: Duration,
    },
    /// It is there, but does not work now: 5xx, maintenance, an organization that is stopped.
    #[error("Azure DevOps cannot answer now{}", said(detail.as_deref()))]
    Unavailable {
        /// Azure's words, where it said any.
        detail: Option<String>,
    },
    /// It cannot be spoken with.
    #[error("{detail}")]
    Unreachable {
        /// Where it failed.
        at: Unreachable,
        /// What happened, in words, without secrets.
        detail: String,
    },
    /// Something else: an answer that is no Azure DevOps answer, or not in the documented shape.
    #[error("the answer is not what Azure DevOps documents: {detail}")]
    Unexpected {
        /// What was not as documented.
        detail: String,
        /// `ActivityId` or `X-VSS-E2EID`, to find it on Azure's side.
        activity_id: Option<String>,
    },
}

impl Failure {
    /// Whether it is of the one thing that was asked for: others may well be answered.
    pub fn is_of_the_thing(&self) -> bool {
        match self {
            Self::Forbidden { .. } | Self::NotFound { .. } | Self::Refused { .. } | Self::Unexpected { .. } => true,
            Self::Settings(_)
            | Self::Unauthorized { .. }
            | Self::Throttled { .. }
            | Self::Unavailable { .. }
            | Self::Unreachable { .. } => false,
        }
    }
}

fn said(detail: Option<&str>) -> String {
    detail.map(|detail| format!(": {detail}")).unwrap_or_default()
}
