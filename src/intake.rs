//! The front door: authenticate before the body is read, then make durable what was read, whatever it is.
//!
//! Azure DevOps disables a subscription for almost every answer that is not 2xx, and retries only 408, 502, 503 and 504.
//! So what is authentic is accepted once it is durable, also when we cannot make sense of it; and the only other answers
//! are 401 for wrong credentials and 503 while nothing can be stored.
//! Source: azure-devops-docs, "Troubleshoot service hooks".

use crate::{
    app::App,
    domain::{ConnectionId, NotificationId, UpdateReason, Verified},
};
use bytes::Bytes;
use std::time::Duration;

/// A sender that knows the connection's hook credential. Only [`authenticate`] makes one, and only it can be accepted
/// from: unverified bytes cannot be journalled by mistake.
#[derive(Debug)]
pub struct Authentic {
    connection: ConnectionId,
    verified: Verified,
}

/// The credentials do not hold. It is not said which part: an unknown connection looks like a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hook's user name or password is wrong")]
pub struct Unauthentic;

/// The body as it was read.
#[derive(Debug, Clone)]
pub struct Received {
    /// The body, or its head when it was over the limit.
    pub body: Bytes,
    /// How many bytes were sent.
    pub size_bytes: u64,
    /// Whether `body` is only the head.
    pub truncated: bool,
}

/// What became of it; durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its id in our journal.
    pub notification: NotificationId,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// New, and on its way to become events.
    Accepted,
    /// It was there before.
    Duplicate,
    /// The Test button's sample.
    Test,
    /// Kept for the operator to look at.
    Quarantined,
}

/// Why it was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The connection wants signed bodies and this signature does not hold.
    #[error("the body's signature is missing or wrong")]
    Signature,
    /// Nothing can be stored now: the sender must try again.
    #[error("notifications cannot be stored now: {reason}")]
    Unavailable {
        /// Why, for the operator.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
}

/// Checks the Basic credentials of a delivery to `connection` (the path segment as sent).
pub fn authenticate(app: &App, connection: &str, headers: &http::HeaderMap) -> Result<Authentic, Unauthentic> {
    let _ = (app, connection, headers);
    Err(Unauthentic)
}

/// Makes it durable. The last await is the append: a caller that is cancelled has either stored it or not.
pub async fn accept(
    app: &App,
    sender: Authentic,
    headers: &http::HeaderMap,
    reason: Option<UpdateReason>,
    received: Received,
) -> Result<Receipt, Refused> {
    let _ = (app, sender.connection, sender.verified, headers, reason, received);
    Err(Refused::Signature)
}
