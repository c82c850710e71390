//! Environments of pipelines, and what was deployed to them: a stage `Deploy to production` deploys to `production`.

use super::{
    Answer, BUILD, Call, InProject, Listing, Outcome, Refusal, Route,
    locations::{ENVIRONMENT_DEPLOYMENTS, ENVIRONMENTS},
};
use crate::simulator::{
    Simulator, payload,
    payload::View,
    world::{Build, Stage, World},
};
use serde_json::{Value, json};
use std::borrow::Cow;
use uuid::Uuid;

const PAGE: usize = 50;
const PAGE_MAX: usize = 1_000;
/// How stages that deploy are called.
const DEPLOYS_TO: &str = "Deploy to ";

pub(super) const ROUTES: &[Route] = &[
    row("pipelines/environments", &ENVIRONMENTS, environments),
    row("distributedtask/environments", &ENVIRONMENTS, environments),
    row("pipelines/environments/{environment}", &ENVIRONMENTS, environment),
    row("distributedtask/environments/{environment}", &ENVIRONMENTS, environment),
    row("pipelines/environments/{environment}/environmentdeploymentrecords", &ENVIRONMENT_DEPLOYMENTS, records)
        .costs(0.1),
    row("distributedtask/environments/{environment}/environmentdeploymentrecords", &ENVIRONMENT_DEPLOYMENTS, records)
        .costs(0.1),
];

const fn row(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Always, path, location, BUILD, handler)
}

/// Names of the environments of a project, in the order of the pipelines that know them; an id is a place among those of
/// all projects.
fn known(world: &World, project: Option<Uuid>) -> Vec<(usize, &str)> {
    let mut all: Vec<(Uuid, &str)> = Vec::new();
    for definition in world.definitions.values() {
        for name in definition.stages.iter().filter_map(|stage| stage.strip_prefix(DEPLOYS_TO)) {
            if !all.contains(&(definition.project, name)) {
                all.push((definition.project, name));
            }
        }
    }
    let of_project = (1..).zip(all).filter(|(_, (own, _))| Some(*own) == project);
    of_project.map(|(id, (_, name))| (id, name)).collect()
}

fn found<'a>(world: &'a World, call: &Call) -> Outcome<(usize, &'a str)> {
    let id: usize = call.parameter_as("environment")?;
    known(world, call.project).into_iter().find(|(own, _)| *own == id).ok_or_else(|| {
        let message = format!("Environment with ID {id} does not exist.");
        Refusal::not_found("EnvironmentNotFoundException", &message)
    })
}

fn shown(world: &World, call: &Call, (id, name): (usize, &str)) -> Value {
    let view = world.view(&call.place);
    let first = world.definitions.values().next();
    json!({
        "id": id, "name": name, "description": "",
        "createdBy": first.map(|own| view.person(own.by)), "createdOn": first.map(|own| own.created.to_string()),
        "lastModifiedBy": first.map(|own| view.person(own.by)),
        "lastModifiedOn": first.map(|own| own.created.to_string()),
        "project": {"id": call.project, "name": null},
    })
}

fn environments(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let asked = call.query("name").map(str::to_lowercase);
    let wanted = known(&world, call.project)
        .into_iter()
        .filter(|(_, name)| asked.as_ref().is_none_or(|asked| name.to_lowercase().contains(asked)));
    Ok(Listing::of(call, PAGE, PAGE_MAX)?.answer(wanted, |own| shown(&world, call, own)))
}

fn environment(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    Ok(Answer::json(shown(&world, call, own)))
}

/// Newest first; the token is the number of the next one's build.
fn records(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (id, name) = found(&world, call)?;
    let stage = format!("{DEPLOYS_TO}{name}");
    let from: Option<u32> = call.query_as("continuationToken")?;
    let top: Option<usize> = call.query_as("top")?.or(call.query_as("$top")?);
    let mut all = world.builds.range(..=from.unwrap_or(u32::MAX)).rev().filter_map(|(_, build)| {
        let of_project = world.definitions.get(&build.definition)?.project;
        let known = call.forgotten.build(build, world.repository_of_build(build))?;
        let place = known.stages.iter().position(|own| own.name == stage && own.started.is_some())?;
        (Some(of_project) == call.project).then_some((known, place))
    });
    let page: Vec<(Cow<'_, Build>, usize)> = all.by_ref().take(top.unwrap_or(PAGE).clamp(1, PAGE_MAX)).collect();
    let next = all.next().map(|(build, _)| build.number.to_string());
    let view = world.view(&call.place);
    let items = page.iter().map(|(build, place)| record(view, &world, call, id, build, &build.stages[*place]));
    Ok(Answer::list(items.collect()).continued(next))
}

fn record(view: View<'_>, world: &World, call: &Call, environment: usize, build: &Build, stage: &Stage) -> Value {
    let definition = &world.definitions[&build.definition];
    let project = world.project_of(definition.project);
    payload::present(json!({
        "id": build.number, "environmentId": environment, "requestIdentifier": stage.id, "serviceOwner": Uuid::nil(),
        "scopeId": project.id, "planType": "Build", "planId": Uuid::new_v5(&project.id, &build.number.to_be_bytes()),
        "definition": {"id": definition.id, "name": definition.name,
            "_links": {"self": {"href": format!("{}/{}/_apis/build/Definitions/{}", call.place.base, project.id, definition.id)}}},
        "owner": {"id": build.number, "name": build.name(),
            "_links": {"web": {"href": format!("{}/{}/_build/results?buildId={}", view.base(), project.id, build.number)}}},
        "stageName": stage.name, "jobName": stage.jobs.first().map(|job| job.name.clone()),
        "stageAttempt": stage.attempt, "jobAttempt": stage.attempt,
        "queueTime": build.queued.to_string(), "startTime": stage.started.map(|at| at.to_string()),
        "finishTime": stage.finished.map(|at| at.to_string()), "result": stage.result,
    }))
}
