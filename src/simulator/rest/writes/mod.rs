//! Changes of clients by REST, made as the levers make them: work items, pushes and refs, pull requests, builds and runs.
//!
//! Sources: the REST reference of 7.1 for the bodies; the replies and statuses as they are recorded in Microsoft's
//! azure-devops-cli-extension.

mod builds;
mod git;
mod pull_requests;
mod work_items;

use super::{Handler, InProject, Location, Outcome, Refusal, Route};
use crate::simulator::{people::Scope, world::Impossible};
use http::StatusCode;
use serde_json::Value;

/// Rows of the table of routes.
pub(super) const ROUTES: [&[Route]; 4] = [builds::ROUTES, git::ROUTES, pull_requests::ROUTES, work_items::ROUTES];

const fn row(
    method: &'static str,
    in_project: InProject,
    path: &'static str,
    location: &'static Location,
    scopes: &'static [Scope],
    handler: Handler,
) -> Route {
    Route::new(method, in_project, path, location, scopes, handler).costs(0.1)
}

/// A change that cannot be made, as Azure DevOps refuses it.
fn refused(impossible: &Impossible, kind: &'static str) -> Refusal {
    let status = match impossible {
        Impossible::Absent(_) => StatusCode::NOT_FOUND,
        Impossible::State(_) => StatusCode::CONFLICT,
    };
    Refusal::new(status, kind, &impossible.to_string())
}

/// A word of an enumeration: most clients send the word, azure-devops-node-api the number. `words` are those of the numbers
/// from 0 on.
fn word(sent: &Value, words: &[&'static str]) -> Outcome<&'static str> {
    let found = match sent {
        Value::Number(number) => number.as_u64().and_then(|at| words.get(usize::try_from(at).ok()?)),
        Value::String(text) => words.iter().find(|own| own.eq_ignore_ascii_case(text)),
        _ => None,
    };
    found.copied().ok_or_else(|| {
        let message = format!("The value {sent} is not valid; known are {}.", words.join(", "));
        Refusal::bad_request("VssPropertyValidationException", &message)
    })
}
