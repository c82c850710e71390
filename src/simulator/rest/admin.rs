//! The levers behind the stage: routes that no Azure DevOps has, under `/_simulator`, without credentials.

use super::{Answer, Outcome, Refusal, Request, levers, levers::Wish};
use crate::simulator::{Faults, Fill, Forget, Impossible, Simulator};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// The routes, with what a body may say and what it is otherwise.
pub const ADMIN_ROUTES: [(&str, &str); 44] = [
    ("POST /_simulator/push", r#"{"repository":"web shop","branch":"main","message":"…","paths":["/a"]}"#),
    ("POST /_simulator/pull-request", r#"{"repository":"web shop","source":"…","target":"main","title":"…"}"#),
    ("POST /_simulator/pull-request/{number}/complete", r#"{"delete_source":false,"strategy":"squash"}"#),
    ("POST /_simulator/pull-request/{number}/abandon", ""),
    ("POST /_simulator/pull-request/{number}/comment", r#"{"text":"…"}"#),
    ("POST /_simulator/build", r#"{"pipeline":"web shop CI","branch":"main","result":"succeeded"}: from queue to end"#),
    ("POST /_simulator/build/queue", r#"{"pipeline":"web shop CI","branch":"main"}"#),
    ("POST /_simulator/build/{number}/start", ""),
    (
        "POST /_simulator/build/{number}/stage",
        r#"{"stage":"Build","state":"running"}, or completed with a result, or retry"#,
    ),
    (
        "POST /_simulator/build/{number}/ask",
        r#"{"stage":"Deploy to production","environment":"production","account":"…"}"#,
    ),
    ("POST /_simulator/build/{number}/decide", r#"{"approved":true}: the approval that was asked for last"#),
    ("POST /_simulator/build/{number}/finish", r#"{"result":"succeeded"}"#),
    (
        "POST /_simulator/release",
        r#"{"environment":"Production","status":"succeeded"}: of the last build, and deployed"#,
    ),
    ("POST /_simulator/release/create", "of the last build, and nothing more"),
    ("POST /_simulator/release/{number}/deploy", r#"{"environment":"Staging","account":"who is asked first"}"#),
    ("POST /_simulator/release/{number}/decide", r#"{"environment":"Staging","approved":true}"#),
    ("POST /_simulator/release/{number}/finish", r#"{"environment":"Staging","status":"succeeded"}"#),
    ("POST /_simulator/release/{number}/abandon", ""),
    ("POST /_simulator/work-item", r#"{"project":"Fiber Café","type":"Bug","title":"…"}"#),
    ("POST /_simulator/work-item/{number}", r#"{"state":"Active"} or {"title":"…"} or {"comment":"…"}"#),
    ("POST /_simulator/work-item/{number}/link", r#"{"url":"vstfs:///…","type":"ArtifactLink"}"#),
    ("POST /_simulator/work-item/{number}/unlink", r#"{"url":"vstfs:///…"}"#),
    ("POST /_simulator/work-item/{number}/delete", ""),
    ("POST /_simulator/work-item/{number}/restore", ""),
    ("POST /_simulator/alert", r#"{"repository":"web shop","title":"…","severity":"high"}"#),
    ("POST /_simulator/alert/{number}", r#"{"state":"fixed"}; without a state it is only seen again"#),
    ("POST /_simulator/person", r#"{"account":"eve@fabrikam.example","name":"Eve"}: somebody new"#),
    ("POST /_simulator/person/dismiss", r#"{"account":"ana@fabrikam.example"}: gone, and with them what they own"#),
    ("POST /_simulator/person/reinstate", r#"{"account":"ana@fabrikam.example"}"#),
    (
        "POST /_simulator/person/allow",
        r#"{"account":"mei@fabrikam.example","bits":7}: rights on hooks; in a "project" or in all"#,
    ),
    (
        "POST /_simulator/token",
        r#"{"token":"…","account":"…","scopes":["code"],"expires":"2026-12-01T00:00:00Z"} or {"state":"revoked"}"#,
    ),
    (
        "POST /_simulator/principal",
        r#"{"certificate":"PEM"}: of the service principal; with "issuer" and "subject" somebody whom Entra believes"#,
    ),
    ("POST /_simulator/subscriptions", r#"{"count":5000}: so many of somebody else's"#),
    ("GET  /_simulator/hooks", "all subscriptions, of whatever host"),
    (
        "POST /_simulator/hook/{id}",
        r#"{"state":"enabled"}, disabledByUser, disabledBySystem, onProbation; {"url":"…"}"#,
    ),
    ("POST /_simulator/hook/{id}/duplicate", ""),
    ("POST /_simulator/hook/{id}/delete", ""),
    (
        "POST /_simulator/fill",
        r#"{"pushes":100,"builds":500,"revisions":200,"from":"…","to":"…"}: a past, with --age-days"#,
    ),
    ("POST /_simulator/forget", r#"{"from":"…","to":"…","stream":"builds"}: nothing remembers what happened then"#),
    ("GET  /_simulator/state", "what there is"),
    ("GET  /_simulator/calls", "what was asked, and what it cost"),
    ("GET  /_simulator/faults", "what goes wrong on purpose"),
    ("PUT  /_simulator/faults", r#"such as {"credentials_dead":true}; {} is a good day again"#),
    ("POST /_simulator/clock", r#"{"advance_seconds":60}, with --manual-clock"#),
];

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
        ("GET", ["hooks"]) => Ok(Answer::json(levers::hooks(simulator))),
        ("POST", ["fill"]) => {
            let fill: Fill = serde_json::from_slice(&request.body).map_err(|error| unreadable(&error))?;
            simulator.fill(&fill)?;
            Ok(Answer::json(json!({"pushes": fill.pushes, "builds": fill.builds, "revisions": fill.revisions})))
        }
        ("POST", ["forget"]) => {
            let forget: Forget = serde_json::from_slice(&request.body).map_err(|error| unreadable(&error))?;
            simulator.forget(forget);
            Ok(Answer::json(json!(simulator.instance.faults().forget)))
        }
        ("POST", [lever, rest @ ..]) => levers::pull(simulator, lever, rest, &read(request)?),
        _ => Err(no_lever(path)),
    }
}

pub(super) fn no_lever(path: &str) -> Refusal {
    Refusal::not_found("SimulatorNoSuchRoute", &format!("there is no lever {path}"))
}

/// No body is an empty one.
fn read<T: DeserializeOwned + Default>(request: &Request) -> Outcome<T> {
    if request.body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(&request.body).map_err(|error| unreadable(&error))
}

fn unreadable(error: &serde_json::Error) -> Refusal {
    Refusal::bad_request("SimulatorBody", &format!("the body: {error}"))
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
