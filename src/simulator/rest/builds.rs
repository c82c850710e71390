//! Build definitions and builds.

use super::{
    Answer, BUILD, Call, InProject, Listing, Outcome, Refusal, Route,
    locations::{BUILD_CHANGES, BUILDS, DEFINITIONS, TIMELINE},
};
use crate::simulator::{
    Simulator, payload,
    world::{Build, World},
};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

const PAGE: usize = 1_000;
const PAGE_MAX: usize = 5_000;

pub(super) const ROUTES: &[Route] = &[
    row("build/definitions", &DEFINITIONS, definitions).costs(0.1),
    row("build/definitions/{definition}", &DEFINITIONS, definition),
    row("build/builds", &BUILDS, builds).costs(0.1),
    row("build/builds/{build}", &BUILDS, build),
    row("build/builds/{build}/timeline", &TIMELINE, timeline),
    row("build/builds/{build}/changes", &BUILD_CHANGES, changes),
];

const fn row(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Always, path, location, BUILD, handler)
}

fn definitions(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let view = world.view(&call.place);
    let repository = call.query("repositoryId").map(str::to_lowercase);
    let name = call.query("name").map(str::to_lowercase);
    let fits = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
        Some(head) => name.starts_with(head),
        None => name == pattern,
    };
    let mut shown: Vec<_> = world
        .definitions
        .values()
        .filter(|own| {
            Some(own.project) == call.project
                && repository.as_ref().is_none_or(|id| own.repository.to_string() == *id)
                && name.as_ref().is_none_or(|name| fits(name, &own.name.to_lowercase()))
        })
        .collect();
    shown.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
    let items = shown.into_iter().map(|own| payload::build::definition(view, own, world.project_of(own.project)));
    Ok(Listing::of(call, PAGE, PAGE_MAX)?.answer(items.collect()))
}

fn definition(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let id: u32 = call.parameter_as("definition")?;
    let own = world.definitions.get(&id).filter(|own| Some(own.project) == call.project).ok_or_else(|| {
        Refusal::not_found("DefinitionNotFoundException", &format!("The build definition {id} was not found."))
    })?;
    let view = world.view(&call.place);
    let mut value = payload::build::definition(view, own, world.project_of(own.project));
    if let Some(repository) = world.repository_of(own.repository) {
        value["repository"] = json!({"id": repository.id, "type": "TfsGit", "name": repository.name, "defaultBranch": repository.default_branch});
        value["process"] = json!({"yamlFilename": "azure-pipelines.yml", "type": 2});
    }
    Ok(Answer::json(value))
}

/// The time that an order goes by, which is also the one that `minTime` and `maxTime` are about.
fn ordering(order: &str) -> fn(&Build) -> Option<Timestamp> {
    match order {
        order if order.starts_with("finishtime") => |build| build.finished,
        order if order.starts_with("starttime") => |build| build.started,
        _ => |build| Some(build.queued),
    }
}

fn builds(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let order = call.query("queryOrder").unwrap_or("queueTimeDescending").to_lowercase();
    let time = ordering(&order);
    let (from, to) = (call.time("minTime")?, call.time("maxTime")?);
    // Lists are written with commas; statuses and results also, though they are flags.
    let any = |name: &str, value: &str| {
        call.query(name).is_none_or(|all| all.split(',').any(|one| one.trim().eq_ignore_ascii_case(value)))
    };
    let status = |build: &Build| call.query("statusFilter") == Some("all") || any("statusFilter", build.status());
    let fits = |build: &&Build| {
        let Some(definition) = world.definitions.get(&build.definition) else { return false };
        let at = time(build);
        let in_time = from.is_none_or(|from| at.is_some_and(|at| at >= from))
            && to.is_none_or(|to| at.is_some_and(|at| at <= to));
        Some(definition.project) == call.project
            && in_time
            && (!order.starts_with("finishtime") || at.is_some())
            && status(build)
            && any("definitions", &build.definition.to_string())
            && any("buildIds", &build.number.to_string())
            && any("branchName", &build.branch)
            && any("reasonFilter", build.reason)
            && any("repositoryId", &definition.repository.to_string())
            && any("buildNumber", &build.name())
            && call.query("resultFilter").is_none_or(|_| build.result.is_some_and(|result| any("resultFilter", result)))
    };
    let mut shown: Vec<&Build> = world.builds.values().filter(fits).collect();
    shown.sort_by_key(|build| (time(build), build.number));
    if !order.ends_with("ascending") {
        shown.reverse();
    }
    let per_definition: Option<usize> = call.query_as("maxBuildsPerDefinition")?;
    if let Some(most) = per_definition {
        let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
        shown.retain(|build| {
            let count = seen.entry(build.definition).or_default();
            *count += 1;
            *count <= most
        });
    }
    let view = world.view(&call.place);
    let items = shown.iter().filter_map(|build| payload::build::of(view, &world, build.number)).collect();
    Ok(Listing::of(call, PAGE, PAGE_MAX)?.answer(items))
}

fn found<'a>(world: &'a World, call: &Call) -> Outcome<&'a Build> {
    let number: u32 = call.parameter_as("build")?;
    let of_project = |build: &&Build| {
        world.definitions.get(&build.definition).is_some_and(|definition| Some(definition.project) == call.project)
    };
    world.builds.get(&number).filter(of_project).ok_or_else(|| {
        Refusal::not_found("BuildNotFoundException", &format!("The requested build {number} could not be found."))
    })
}

fn build(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let value = payload::build::of(world.view(&call.place), &world, own.number);
    value.map(Answer::json).ok_or_else(|| Refusal::repository("of the build"))
}

/// A build that never started has none.
fn timeline(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    if own.started.is_none() {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    let project = world.project_of(world.definitions[&own.definition].project);
    Ok(Answer::json(payload::build::timeline(world.view(&call.place), own, project)))
}

/// Commits that the build before did not have.
fn changes(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let Some(repository) = world.repository_of(world.definitions[&own.definition].repository) else {
        return Ok(Answer::list(Vec::new()));
    };
    let mut earlier = world.builds.range(..own.number).rev().map(|(_, build)| build);
    let earlier = earlier.find(|build| build.definition == own.definition && build.branch == own.branch);
    let before = earlier.map(|build| repository.history(&build.commit)).unwrap_or_default();
    let view = world.view(&call.place);
    let items = repository.history(&own.commit).into_iter().filter(|commit| !before.contains(commit)).map(|commit| {
        json!({
            "id": commit.id, "message": commit.comment, "type": "TfsGit", "author": view.person(commit.author),
            "timestamp": commit.at.to_string(),
            "location": format!("{}/commits/{}", payload::git::url(view, repository), commit.id),
        })
    });
    Ok(Listing::of(call, 50, PAGE)?.answer(items.collect()))
}
