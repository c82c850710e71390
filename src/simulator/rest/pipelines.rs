//! Pipelines and their runs: the same things as definitions and builds, under other names.

use super::{
    Answer, BUILD, Call, InProject, Listing, Outcome, Refusal, Route,
    locations::{PIPELINES, RUNS},
};
use crate::simulator::{
    Simulator, payload,
    payload::build::Around,
    world::{BuildDefinition, World},
};

const PAGE: usize = 1_000;
/// Runs are not paged: the server stops at so many.
const RUNS_MAX: usize = 10_000;

pub(super) const ROUTES: &[Route] = &[
    row("pipelines", &PIPELINES, pipelines),
    row("pipelines/{pipeline}", &PIPELINES, pipeline),
    row("pipelines/{pipeline}/runs", &RUNS, runs).costs(0.1),
    row("pipelines/{pipeline}/runs/{run}", &RUNS, run),
];

const fn row(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Always, path, location, BUILD, handler)
}

fn around<'a>(world: &'a World, definition: &'a BuildDefinition) -> Option<Around<'a>> {
    let repository = world.repository_of(definition.repository)?;
    Some(Around {
        definition,
        project: world.project_of(definition.project),
        repository,
        pull_request: None,
        world: Some(world),
    })
}

fn pipelines(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let view = world.view(&call.place);
    let of_project = world.definitions.values().filter(|own| Some(own.project) == call.project);
    let visible = of_project.filter_map(|own| around(&world, own));
    Ok(Listing::of(call, PAGE, RUNS_MAX)?.answer(visible, |own| payload::pipeline::pipeline(view, &own)))
}

pub(super) fn found<'a>(world: &'a World, call: &Call) -> Outcome<Around<'a>> {
    let id: u32 = call.parameter_as("pipeline")?;
    let own = world.definitions.get(&id).filter(|own| Some(own.project) == call.project);
    own.and_then(|own| around(world, own)).ok_or_else(|| {
        Refusal::not_found("PipelineNotFoundException", &format!("Pipeline with id {id} does not exist."))
    })
}

fn pipeline(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    Ok(Answer::json(payload::pipeline::pipeline(world.view(&call.place), &found(&world, call)?)))
}

fn runs(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let around = found(&world, call)?;
    let view = world.view(&call.place);
    let own = world.builds.values().rev().filter(|build| build.definition == around.definition.id).take(RUNS_MAX);
    let without_sources = |mut run: serde_json::Value| {
        run.as_object_mut().expect("a run is an object").remove("resources");
        run
    };
    let known = own.filter_map(|own| call.forgotten.build(own, around.repository.id));
    Ok(Answer::list(known.map(|build| without_sources(payload::pipeline::run(view, &build, &around))).collect()))
}

fn run(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let around = found(&world, call)?;
    let number: u32 = call.parameter_as("run")?;
    let own = world.builds.get(&number).filter(|build| build.definition == around.definition.id);
    let own = own
        .and_then(|own| call.forgotten.build(own, around.repository.id))
        .ok_or_else(|| Refusal::not_found("RunNotFoundException", &format!("Run with id {number} does not exist.")))?;
    Ok(Answer::json(payload::pipeline::run(world.view(&call.place), &own, &around)))
}
