//! Builds with their stages and approvals, releases with their deployments.

use super::{Wish, done, needed, no_lever, number, one_of};
use crate::simulator::{
    Impossible, Simulator, StartedBy,
    people::JUERGEN,
    rest::{Answer, Outcome},
};
use serde_json::json;

const RESULTS: [&str; 4] = ["succeeded", "partiallySucceeded", "failed", "canceled"];
const STAGE_RESULTS: [&str; 5] = ["succeeded", "failed", "canceled", "skipped", "rejected"];
const STATUSES: [&str; 4] = ["succeeded", "partiallySucceeded", "rejected", "canceled"];

pub(super) fn pull(simulator: &Simulator, lever: &str, rest: &[&str], wish: &Wish) -> Outcome {
    match (lever, rest) {
        ("build", []) => build(simulator, wish),
        ("build", ["queue"]) => {
            let queued = queued(simulator, wish)?;
            if let Some(from) = wish.takes {
                simulator.takes(queued, from)?;
            }
            if wish.repository.is_some() {
                let branch = wish.source.as_deref().unwrap_or("main");
                simulator.checks_out(queued, super::repository(simulator, wish)?, branch)?;
            }
            Ok(Answer::json(json!({"number": queued})))
        }
        ("build", [n, "start"]) => done(number(n)?, simulator.start_build(number(n)?)),
        ("build", [n, "stage"]) => stage(simulator, number(n)?, wish),
        ("build", [n, "ask"]) => {
            let stage = needed(wish.stage.as_ref(), "which stage")?;
            let (environment, account) = (wish.environment.as_deref(), wish.account.as_deref());
            let environment = environment.unwrap_or("production");
            let asked = simulator.request_approval(number(n)?, stage, environment, account.unwrap_or(JUERGEN))?;
            Ok(Answer::json(json!({"number": number(n)?, "approval": asked})))
        }
        ("build", [n, "decide"]) => decide(simulator, number(n)?, wish),
        ("build", [n, "finish"]) => {
            let result = one_of(wish.result.as_deref(), &RESULTS)?;
            done(number(n)?, simulator.finish_build(number(n)?, result))
        }
        ("release", []) => release(simulator, wish),
        ("release", ["create"]) => {
            let (definition, build) = newest(simulator);
            Ok(Answer::json(json!({"number": simulator.create_release(definition, build)?})))
        }
        ("release", [n, "deploy"]) => {
            let environment = environment(wish);
            done(number(n)?, simulator.start_deployment(number(n)?, environment, wish.account.as_deref()))
        }
        ("release", [n, "decide"]) => {
            let approved = wish.approved.unwrap_or(true);
            done(number(n)?, simulator.decide_deployment(number(n)?, environment(wish), approved))
        }
        ("release", [n, "finish"]) => {
            let status = one_of(wish.status.as_deref(), &STATUSES)?;
            done(number(n)?, simulator.finish_deployment(number(n)?, environment(wish), status))
        }
        ("release", [n, "abandon"]) => done(number(n)?, simulator.abandon_release(number(n)?)),
        _ => Err(no_lever(lever)),
    }
}

/// A build: of a pull request, of a tag, started by another one, or of a branch.
fn queued(simulator: &Simulator, wish: &Wish) -> Outcome<u32> {
    let (pipeline, branch) = (pipeline(simulator, wish)?, wish.branch.as_deref().unwrap_or("main"));
    let queued = match wish {
        Wish { pull_request: Some(number), .. } => simulator.queue_validation(pipeline, *number),
        Wish { tag: Some(tag), .. } => simulator.queue_tag_build(pipeline, tag),
        Wish { started_by: Some(number), .. } => {
            simulator.queue_started(pipeline, branch, *number, StartedBy::Resource)
        }
        Wish { takes: Some(_), .. } => simulator.queue_by_hand(pipeline, branch),
        _ => simulator.queue_build(pipeline, branch),
    };
    Ok(queued?)
}

fn environment(wish: &Wish) -> &str {
    wish.environment.as_deref().unwrap_or("Staging")
}

/// By name or number.
fn pipeline(simulator: &Simulator, wish: &Wish) -> Outcome<u32> {
    let name = wish.pipeline.as_deref().unwrap_or("web shop CI");
    let world = simulator.instance.world();
    let found = world.definitions.values().find(|own| own.name == name || own.id.to_string() == name);
    Ok(found.map(|own| own.id).ok_or_else(|| Impossible::Absent(format!("pipeline {name}")))?)
}

/// A whole build: queued, started, its stages run, finished.
fn build(simulator: &Simulator, wish: &Wish) -> Outcome {
    let result = one_of(wish.result.as_deref(), &RESULTS)?;
    let branch = wish.branch.as_deref().unwrap_or("main");
    let number = simulator.run_build(pipeline(simulator, wish)?, branch, result)?;
    Ok(Answer::json(json!({"number": number, "result": result})))
}

fn stage(simulator: &Simulator, number: u32, wish: &Wish) -> Outcome {
    let stage = needed(wish.stage.as_ref(), "which stage")?;
    let moved = match one_of(wish.state.as_deref(), &["running", "completed", "retry"])? {
        "running" => simulator.start_stage(number, stage),
        "completed" => simulator.finish_stage(number, stage, one_of(wish.result.as_deref(), &STAGE_RESULTS)?),
        _ => simulator.retry_stage(number, stage),
    };
    done(number, moved)
}

/// The approval that was asked for last.
fn decide(simulator: &Simulator, number: u32, wish: &Wish) -> Outcome {
    let asked = {
        let world = simulator.instance.world();
        let pending =
            world.builds.get(&number).and_then(|own| own.approvals.iter().rev().find(|own| own.decided.is_none()));
        pending.map(|own| own.id)
    };
    let asked = asked.ok_or_else(|| Impossible::State(format!("nobody is asked about build {number}")))?;
    done(number, simulator.decide_approval(number, asked, wish.approved.unwrap_or(true)))
}

/// The release pipeline, and the last build that is over.
fn newest(simulator: &Simulator) -> (u32, u32) {
    let world = simulator.instance.world();
    let definition = world.release_definitions.keys().next().copied();
    let done = world.builds.values().rev().find(|build| build.finished.is_some()).map(|build| build.number);
    (definition.unwrap_or_default(), done.unwrap_or_default())
}

/// A release of the last build, deployed to one environment.
fn release(simulator: &Simulator, wish: &Wish) -> Outcome {
    let environment = wish.environment.as_deref().unwrap_or("Production");
    let status = one_of(wish.status.as_deref(), &STATUSES)?;
    let (definition, build) = newest(simulator);
    let number = simulator.create_release(definition, build)?;
    simulator.start_deployment(number, environment, None)?;
    simulator.finish_deployment(number, environment, status)?;
    Ok(Answer::json(json!({"number": number, "status": status})))
}
