//! What the levers move.

mod code;
mod hooks;
mod items;
mod people;
mod runs;

pub(super) use self::hooks::all as hooks;

use super::{Answer, Outcome, Refusal, admin::no_lever};
use crate::simulator::{Impossible, MergeStrategy, Scope, Simulator};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

/// What bodies say. One type for all: a lever takes no notice of what is for another one.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Wish {
    project: Option<String>,
    repository: Option<String>,
    branch: Option<String>,
    message: Option<String>,
    paths: Option<Vec<String>>,
    source: Option<String>,
    target: Option<String>,
    title: Option<String>,
    delete_source: bool,
    strategy: Option<MergeStrategy>,
    text: Option<String>,
    pipeline: Option<String>,
    result: Option<String>,
    environment: Option<String>,
    status: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    state: Option<String>,
    comment: Option<String>,
    pub(super) advance_seconds: Option<u64>,
    account: Option<String>,
    count: Option<usize>,
    stage: Option<String>,
    approved: Option<bool>,
    url: Option<String>,
    severity: Option<String>,
    name: Option<String>,
    bits: Option<u32>,
    token: Option<String>,
    scopes: Option<Vec<Scope>>,
    expires: Option<Timestamp>,
    certificate: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    pull_request: Option<u32>,
    tag: Option<String>,
    started_by: Option<u32>,
    takes: Option<u32>,
}

/// Pulls one.
pub(super) fn pull(simulator: &Simulator, lever: &str, rest: &[&str], wish: &Wish) -> Outcome {
    match lever {
        "push" | "pull-request" | "alert" => code::pull(simulator, lever, rest, wish),
        "build" | "release" => runs::pull(simulator, lever, rest, wish),
        "work-item" => items::pull(simulator, rest, wish),
        "person" | "token" | "principal" => people::pull(simulator, lever, rest, wish),
        "subscriptions" | "hook" => hooks::pull(simulator, lever, rest, wish),
        _ => Err(no_lever(lever)),
    }
}

fn number(text: &str) -> Outcome<u32> {
    text.parse().map_err(|_| no_lever(text))
}

fn done<T>(number: u32, result: Result<T, Impossible>) -> Outcome {
    result?;
    Ok(Answer::json(json!({"number": number})))
}

/// What must be said.
fn needed<'a>(value: Option<&'a String>, name: &str) -> Outcome<&'a str> {
    let missing = || Refusal::bad_request("SimulatorBody", &format!("say {name}"));
    value.map(String::as_str).ok_or_else(missing)
}

fn project(simulator: &Simulator, wish: &Wish) -> Outcome<Uuid> {
    let name = wish.project.as_deref().unwrap_or("Fiber Café");
    Ok(simulator.project(name).ok_or_else(|| Impossible::Absent(format!("project {name}")))?)
}

/// By GUID, or by name in any project.
fn repository(simulator: &Simulator, wish: &Wish) -> Outcome<Uuid> {
    let name = wish.repository.as_deref().unwrap_or("web shop");
    let world = simulator.instance.world();
    let is_it = |id: Uuid, own: &str| own.eq_ignore_ascii_case(name) || name.parse() == Ok(id);
    let found = world.repositories.iter().find(|own| is_it(own.id, &own.name)).map(|own| own.id);
    Ok(found.ok_or_else(|| Impossible::Absent(format!("repository {name}")))?)
}

/// The word among those that there are; the first where none is said.
fn one_of(word: Option<&str>, known: &[&'static str]) -> Outcome<&'static str> {
    let Some(word) = word else { return Ok(known[0]) };
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(word)).copied();
    found.ok_or_else(|| Refusal::bad_request("SimulatorBody", &format!("{word} is none of {}", known.join(", "))))
}
