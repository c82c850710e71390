//! The levers behind the stage: routes that no Azure DevOps has, under `/_simulator`, without credentials.

use super::{Answer, Outcome, Refusal, Request};
use crate::simulator::{Edit, Faults, Impossible, RefChange, Simulator, people::ANA};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

/// The routes, with what a body may say and what it is otherwise.
pub const ADMIN_ROUTES: [(&str, &str); 17] = [
    ("POST /_simulator/push", r#"{"repository":"web shop","branch":"main","message":"…","paths":["/a"]}"#),
    ("POST /_simulator/pull-request", r#"{"repository":"web shop","source":"…","target":"main","title":"…"}"#),
    ("POST /_simulator/pull-request/{number}/complete", r#"{"delete_source":false}"#),
    ("POST /_simulator/pull-request/{number}/abandon", ""),
    ("POST /_simulator/pull-request/{number}/comment", r#"{"text":"…"}"#),
    ("POST /_simulator/build", r#"{"pipeline":"web shop CI","branch":"main","result":"succeeded"}"#),
    ("POST /_simulator/release", r#"{"environment":"Production","status":"succeeded"}"#),
    ("POST /_simulator/work-item", r#"{"project":"Fiber Café","type":"Bug","title":"…"}"#),
    ("POST /_simulator/work-item/{number}", r#"{"state":"Active"} or {"title":"…"} or {"comment":"…"}"#),
    ("POST /_simulator/person/dismiss", r#"{"account":"ana@fabrikam.example"}: gone, and with them what they own"#),
    ("POST /_simulator/person/reinstate", r#"{"account":"ana@fabrikam.example"}"#),
    ("POST /_simulator/subscriptions", r#"{"count":5000}: so many of somebody else's"#),
    ("GET  /_simulator/state", "what there is"),
    ("GET  /_simulator/calls", "what was asked, and what it cost"),
    ("GET  /_simulator/faults", "what goes wrong on purpose"),
    ("PUT  /_simulator/faults", r#"such as {"credentials_dead":true}; {} is a good day again"#),
    ("POST /_simulator/clock", r#"{"advance_seconds":60}, with --manual-clock"#),
];

/// Most subscriptions that one call makes.
const SUBSCRIPTIONS_AT_ONCE_MAX: usize = 10_000;

/// What bodies say. One type for all: a lever takes no notice of what is for another one.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    project: Option<String>,
    repository: Option<String>,
    branch: Option<String>,
    message: Option<String>,
    paths: Option<Vec<String>>,
    source: Option<String>,
    target: Option<String>,
    title: Option<String>,
    delete_source: bool,
    text: Option<String>,
    pipeline: Option<String>,
    result: Option<String>,
    environment: Option<String>,
    status: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    state: Option<String>,
    comment: Option<String>,
    advance_seconds: Option<u64>,
    account: Option<String>,
    count: Option<usize>,
}

impl From<Impossible> for Refusal {
    fn from(impossible: Impossible) -> Self {
        let kind = match impossible {
            Impossible::Absent(_) => "SimulatorAbsent",
            Impossible::State(_) => "SimulatorState",
        };
        Self::bad_request(kind, &impossible.to_string())
    }
}

pub(super) fn answer(simulator: &Simulator, path: &str, request: &Request) -> Outcome {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (request.method.as_str(), &parts[..]) {
        ("GET", ["state"]) => Ok(Answer::json(state(simulator))),
        ("GET", ["calls"]) => {
            let (count, tstu) = simulator.totals();
            Ok(Answer::json(json!({"count": count, "tstu": tstu, "calls": simulator.calls()})))
        }
        ("GET", ["faults"]) => Ok(Answer::json(json!(*simulator.instance.faults()))),
        ("PUT", ["faults"]) => {
            *simulator.instance.faults() = read::<Faults>(request)?;
            Ok(Answer::json(json!(*simulator.instance.faults())))
        }
        ("POST", ["clock"]) => clock(simulator, &read(request)?),
        ("POST", [lever, rest @ ..]) => pull(simulator, lever, rest, &read(request)?),
        _ => Err(no_lever(path)),
    }
}

fn no_lever(path: &str) -> Refusal {
    Refusal::not_found("SimulatorNoSuchRoute", &format!("there is no lever {path}"))
}

/// No body is an empty one.
fn read<T: DeserializeOwned + Default>(request: &Request) -> Outcome<T> {
    if request.body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::bad_request("SimulatorBody", &format!("the body: {error}")))
}

fn clock(simulator: &Simulator, wish: &Wish) -> Outcome {
    let Some(seconds) = wish.advance_seconds else {
        return Err(Refusal::bad_request("SimulatorBody", "say how far: {\"advance_seconds\": 60}"));
    };
    if !simulator.instance.advance(Duration::from_secs(seconds)) {
        let message = "time goes by itself here: start with --manual-clock to move it";
        return Err(Refusal::bad_request("SimulatorState", message));
    }
    Ok(Answer::json(json!({"now": simulator.instance.now().to_string()})))
}

fn pull(simulator: &Simulator, lever: &str, rest: &[&str], wish: &Wish) -> Outcome {
    let number = |text: &str| text.parse::<u32>().map_err(|_| no_lever(text));
    match (lever, rest) {
        ("push", []) => push(simulator, wish),
        ("pull-request", []) => pull_request(simulator, wish),
        ("pull-request", [n, "complete"]) => {
            done(number(n)?, simulator.complete_pull_request(number(n)?, wish.delete_source))
        }
        ("pull-request", [n, "abandon"]) => done(number(n)?, simulator.abandon_pull_request(number(n)?)),
        ("pull-request", [n, "comment"]) => {
            let text = wish.text.as_deref().unwrap_or("Looks good.");
            done(number(n)?, simulator.comment_pull_request(number(n)?, text))
        }
        ("build", []) => build(simulator, wish),
        ("release", []) => release(simulator, wish),
        ("work-item", []) => {
            let project = project(simulator, wish)?;
            let (kind, title) = (wish.kind.as_deref().unwrap_or("Bug"), wish.title.as_deref());
            let made = simulator.create_work_item(project, kind, title.unwrap_or("The espresso is cold"))?;
            Ok(Answer::json(json!({"number": made})))
        }
        ("work-item", [n]) => work_item(simulator, number(n)?, wish),
        ("person", [whether @ ("dismiss" | "reinstate")]) => {
            let account = wish.account.as_deref().unwrap_or(ANA);
            if *whether == "dismiss" {
                simulator.dismiss(account);
            } else {
                simulator.reinstate(account);
            }
            Ok(Answer::json(json!({"account": account})))
        }
        ("subscriptions", []) => {
            let count = wish.count.unwrap_or(1).min(SUBSCRIPTIONS_AT_ONCE_MAX);
            simulator.hooks().add_bulk(count);
            Ok(Answer::json(json!({"count": count})))
        }
        _ => Err(no_lever(lever)),
    }
}

fn done<T>(number: u32, result: Result<T, Impossible>) -> Outcome {
    result?;
    Ok(Answer::json(json!({"number": number})))
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

fn push(simulator: &Simulator, wish: &Wish) -> Outcome {
    let repository = repository(simulator, wish)?;
    let change = RefChange::Commit {
        branch: wish.branch.clone().unwrap_or_else(|| "main".to_owned()),
        comment: wish.message.clone().unwrap_or_else(|| "Roast a little longer".to_owned()),
        paths: wish.paths.clone().unwrap_or_else(|| vec!["/src/roast.rs".to_owned()]),
    };
    let push = simulator.push(repository, "", &[change])?;
    Ok(Answer::json(json!({"number": push})))
}

/// The source branch is made if it is not there.
fn pull_request(simulator: &Simulator, wish: &Wish) -> Outcome {
    let repository = repository(simulator, wish)?;
    let (count, target) = (simulator.totals().0, wish.target.as_deref().unwrap_or("main"));
    let source = wish.source.clone().unwrap_or_else(|| format!("feature/idea-{count}"));
    let title = wish.title.as_deref().unwrap_or("An idea");
    let is_there = {
        let world = simulator.instance.world();
        world.repository_of(repository).is_some_and(|own| own.tip(&format!("refs/heads/{source}")).is_some())
    };
    if !is_there {
        simulator.push_commit(repository, &source, title, &["/src/idea.rs"])?;
    }
    let number = simulator.create_pull_request(repository, &source, target, title)?;
    Ok(Answer::json(json!({"number": number, "source": source})))
}

/// A whole build: queued, started, its stages run, finished.
fn build(simulator: &Simulator, wish: &Wish) -> Outcome {
    let name = wish.pipeline.as_deref().unwrap_or("web shop CI");
    let definition = {
        let world = simulator.instance.world();
        let found = world.definitions.values().find(|own| own.name == name || own.id.to_string() == name);
        found.map(|own| own.id).ok_or_else(|| Impossible::Absent(format!("pipeline {name}")))?
    };
    let result = one_of(wish.result.as_deref(), &["succeeded", "partiallySucceeded", "failed", "canceled"])?;
    let number = simulator.run_build(definition, wish.branch.as_deref().unwrap_or("main"), result)?;
    Ok(Answer::json(json!({"number": number, "result": result})))
}

/// A release of the last build, deployed to one environment.
fn release(simulator: &Simulator, wish: &Wish) -> Outcome {
    let environment = wish.environment.as_deref().unwrap_or("Production");
    let status = one_of(wish.status.as_deref(), &["succeeded", "partiallySucceeded", "rejected", "canceled"])?;
    let (definition, build) = {
        let world = simulator.instance.world();
        let definition = world.release_definitions.keys().next().copied();
        let done = world.builds.values().rev().find(|build| build.finished.is_some()).map(|build| build.number);
        (definition.unwrap_or_default(), done.unwrap_or_default())
    };
    let number = simulator.create_release(definition, build)?;
    simulator.start_deployment(number, environment, None)?;
    simulator.finish_deployment(number, environment, status)?;
    Ok(Answer::json(json!({"number": number, "status": status})))
}

fn work_item(simulator: &Simulator, number: u32, wish: &Wish) -> Outcome {
    let fields = [("System.State", &wish.state), ("System.Title", &wish.title)];
    let edits: Vec<(String, Edit)> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Edit::Set(value.clone()?.into()))))
        .collect();
    if edits.is_empty() && wish.comment.is_none() {
        return Err(Refusal::bad_request("SimulatorBody", "say what changes: state, title or comment"));
    }
    if !edits.is_empty() {
        simulator.update_work_item(number, "", &edits)?;
    }
    if let Some(text) = &wish.comment {
        simulator.comment_work_item(number, text)?;
    }
    Ok(Answer::json(json!({"number": number})))
}

/// The word among those that there are; the first where none is said.
fn one_of(word: Option<&str>, known: &[&'static str]) -> Outcome<&'static str> {
    let Some(word) = word else { return Ok(known[0]) };
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(word)).copied();
    found.ok_or_else(|| Refusal::bad_request("SimulatorBody", &format!("{word} is none of {}", known.join(", "))))
}

fn state(simulator: &Simulator) -> Value {
    let world = simulator.instance.world();
    let repository = |own: &crate::simulator::world::Repository| {
        json!({
            "id": own.id, "name": own.name, "project": world.project_of(own.project).name,
            "branches": own.refs.keys().collect::<Vec<_>>(), "pushes": own.pushes.len(), "is_disabled": own.is_disabled,
        })
    };
    json!({
        "url": simulator.url(),
        "now": simulator.instance.now().to_string(),
        "projects": world.projects.iter().map(|own| json!({"id": own.id, "name": own.name})).collect::<Vec<_>>(),
        "repositories": world.repositories.iter().map(repository).collect::<Vec<_>>(),
        "pipelines": world.definitions.values().map(|own| json!({"id": own.id, "name": own.name})).collect::<Vec<_>>(),
        "pull_requests": world.pull_requests.values().map(|own| {
            json!({"number": own.number, "status": own.status, "title": own.title})
        }).collect::<Vec<_>>(),
        "builds": world.builds.values().map(|own| {
            json!({"number": own.number, "status": own.status(), "result": own.result})
        }).collect::<Vec<_>>(),
        "work_items": world.work_items.values().filter(|own| !own.is_deleted).map(|own| {
            json!({"number": own.number, "type": own.kind, "state": own.last().text("System.State")})
        }).collect::<Vec<_>>(),
    })
}
