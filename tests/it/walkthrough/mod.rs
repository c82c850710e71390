//! The page of the integration, step by step: what a user does there, done through the API, with a simulated Azure DevOps
//! at the other end. A module for each of its sections, a test for each of its steps.

mod configuring;
mod custom_http_headers;
mod removing;
mod setting_up;

use crate::harness::Reply;
use serde_json::Value;

/// The member of a view, as a text.
fn word<'a>(view: &'a Value, pointer: &str) -> &'a str {
    view.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} of {view}"))
}

/// What a list's rows have as this member.
fn each(list: &Reply, member: &str) -> Vec<String> {
    list.json()["data"].as_array().unwrap().iter().map(|row| word(row, &format!("/{member}")).to_owned()).collect()
}
