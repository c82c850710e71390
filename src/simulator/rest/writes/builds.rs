//! Builds and runs are queued and canceled.

use super::{refused, row, word};
use crate::simulator::{
    Simulator, payload,
    rest::{
        Answer, BUILD, Call, InProject, Outcome, Refusal, Route,
        builds::found,
        locations::{BUILDS, RUNS},
        pipelines,
    },
};
use serde::Deserialize;
use serde_json::Value;

const STATUSES: [&str; 5] = ["none", "inProgress", "completed", "", "cancelling"];

pub(super) const ROUTES: &[Route] = &[
    row("POST", InProject::Always, "build/builds", &BUILDS, BUILD, queue),
    row("PATCH", InProject::Always, "build/builds/{build}", &BUILDS, BUILD, cancel),
    row("POST", InProject::Always, "pipelines/{pipeline}/runs", &RUNS, BUILD, run),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    definition: Definition,
    #[serde(default)]
    source_branch: Option<String>,
}

#[derive(Deserialize)]
struct Definition {
    id: u32,
}

/// Queues a build of a definition of this project by hand, of its default branch where none is said.
fn queued(simulator: &Simulator, call: &Call, definition: u32, branch: Option<&str>) -> Outcome<u32> {
    let branch = {
        let world = simulator.instance.world();
        let own = world.definitions.get(&definition).filter(|own| Some(own.project) == call.project);
        let own = own.ok_or_else(|| {
            let message = format!("The build definition {definition} was not found.");
            Refusal::not_found("DefinitionNotFoundException", &message)
        })?;
        let of_repository = || world.repository_of(own.repository)?.default_branch.clone();
        branch.map(str::to_owned).or_else(of_repository).unwrap_or_default()
    };
    let by = call.caller.person.id;
    let number = simulator.change(|world| world.queue_build(definition, &branch, "manual", by));
    number.map_err(|impossible| refused(&impossible, "BuildRequestValidationFailedException"))
}

fn queue(simulator: &Simulator, call: &Call) -> Outcome {
    let New { definition, source_branch } = call.json()?;
    let number = queued(simulator, call, definition.id, source_branch.as_deref())?;
    let world = simulator.instance.world();
    let shown = payload::build::of(world.view(&call.place), &world, number);
    Ok(Answer::json(shown.unwrap_or_default()))
}

#[derive(Deserialize)]
struct Patch {
    status: Value,
}

/// A build is over after the reply, which says that it is about to be.
fn cancel(simulator: &Simulator, call: &Call) -> Outcome {
    let Patch { status } = call.json()?;
    if word(&status, &STATUSES)? != "cancelling" {
        return Err(Refusal::bad_request("InvalidArgumentException", "A build can be canceled, and nothing else."));
    }
    let (number, mut shown) = {
        let world = simulator.instance.world();
        let own = found(&world, call)?;
        let shown = payload::build::shown(world.view(&call.place), &world, &own);
        (own.number, shown.unwrap_or_default())
    };
    let done = simulator.change(|world| world.finish_build(number, "canceled"));
    done.map_err(|impossible| refused(&impossible, "InvalidBuildUpdateException"))?;
    shown["status"] = "cancelling".into();
    Ok(Answer::json(shown))
}

/// The pipeline and branch of a run, where the body says them.
#[derive(Default, Deserialize)]
#[serde(default)]
struct NewRun {
    resources: Value,
}

fn run(simulator: &Simulator, call: &Call) -> Outcome {
    let NewRun { resources } = call.json()?;
    let number =
        queued(simulator, call, call.parameter_as("pipeline")?, resources["repositories"]["self"]["refName"].as_str())?;
    let world = simulator.instance.world();
    let around = pipelines::found(&world, call)?;
    Ok(Answer::json(payload::pipeline::run(world.view(&call.place), &world.builds[&number], &around)))
}
