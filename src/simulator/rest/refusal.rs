//! Errors as Azure DevOps says them.

use super::Answer;
use http::StatusCode;
use serde_json::json;

/// What a handler gives; both sides are answers.
pub(crate) type Outcome<T = Answer> = Result<T, Refusal>;

/// An error with Azure's own body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// `typeKey`.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: &str) -> Self {
        Self { status, kind, message: message.to_owned() }
    }

    /// The request is not one that this server takes.
    pub(crate) fn bad_request(kind: &'static str, message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, message)
    }

    /// There is no such thing, or the caller may not see it.
    pub(crate) fn not_found(kind: &'static str, message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, kind, message)
    }

    /// The caller's permissions do not reach so far.
    pub(crate) fn forbidden(kind: &'static str, message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, kind, message)
    }

    /// No such project.
    pub(crate) fn project(name: &str) -> Self {
        Self::not_found(
            "ProjectDoesNotExistWithNameException",
            &format!(
                "TF200016: The following project does not exist: {name}. Verify that the name of the project is \
                 correct and that the project exists on the specified Azure DevOps Server."
            ),
        )
    }

    /// No such repository.
    pub(crate) fn repository(name: &str) -> Self {
        Self::not_found(
            "GitRepositoryNotFoundException",
            &format!(
                "TF401019: The Git repository with name or identifier {name} does not exist or you do not have \
                 permissions for the operation you are attempting."
            ),
        )
    }

    /// No such work item.
    pub(crate) fn work_item(number: u32) -> Self {
        Self::not_found(
            "WorkItemUnauthorizedAccessException",
            &format!("TF401232: Work item {number} does not exist, or you do not have permissions to read it."),
        )
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::json(json!({
            "$id": "1",
            "innerException": null,
            "message": refusal.message,
            "typeName": format!("Microsoft.TeamFoundation.Framework.Server.{}, Microsoft.TeamFoundation.Framework.Server", refusal.kind),
            "typeKey": refusal.kind,
            "errorCode": 0,
            "eventId": 3000,
        }))
        .with_status(refusal.status)
    }
}
