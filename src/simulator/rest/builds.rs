//! Build definitions and builds.

use super::{
    Answer, BUILD, Call, InProject, Listing, Outcome, Refusal, Route,
    locations::{BUILD_CHANGES, BUILDS, DEFINITIONS, TIMELINE},
};
use crate::simulator::{
    Simulator, payload,
    world::{Build, BuildDate, BuildDefinition, Commit, World},
};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

const PAGE: usize = 1_000;
const PAGE_MAX: usize = 5_000;

pub(super) const ROUTES: &[Route] = &[
    row("build/definitions", &DEFINITIONS, definitions).costs(0.1),
    row("build/definitions/{definition}", &DEFINITIONS, definition),
    row("build/builds", &BUILDS, builds).costs(0.1),
    row("build/builds/{build}", &BUILDS, build),
    row("build/builds/{build}/timeline", &TIMELINE, timeline),
    row("build/builds/{build}/timeline/{timeline}", &TIMELINE, earlier_timeline),
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
    let render = |own: &BuildDefinition| payload::build::definition(view, own, world.project_of(own.project));
    Ok(Listing::of(call, PAGE, PAGE_MAX)?.answer(shown, render))
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
fn date(order: &str) -> BuildDate {
    match order {
        order if order.starts_with("finishtime") => BuildDate::Finished,
        order if order.starts_with("starttime") => BuildDate::Started,
        _ => BuildDate::Queued,
    }
}

/// What a listing is limited to. Lists are written with commas; statuses and results also, though they are flags.
struct Wanted<'a> {
    call: &'a Call,
    definitions: Option<BTreeSet<u32>>,
    ids: Option<BTreeSet<u32>>,
}

impl<'a> Wanted<'a> {
    fn of(call: &'a Call) -> Self {
        let numbers = |name: &str| {
            Some(call.query(name)?.split(',').filter_map(|one| one.trim().parse().ok()).collect::<BTreeSet<u32>>())
        };
        Self { call, definitions: numbers("definitions"), ids: numbers("buildIds") }
    }

    fn any(&self, name: &str, value: impl FnOnce() -> Option<String>) -> bool {
        let Some(all) = self.call.query(name) else { return true };
        value().is_some_and(|value| all.split(',').any(|one| one.trim().eq_ignore_ascii_case(&value)))
    }

    fn has(&self, world: &World, build: &Build) -> bool {
        let Some(definition) = world.definitions.get(&build.definition) else { return false };
        let text = |text: &str| Some(text.to_owned());
        Some(definition.project) == self.call.project
            && self.definitions.as_ref().is_none_or(|all| all.contains(&build.definition))
            && self.ids.as_ref().is_none_or(|all| all.contains(&build.number))
            && (self.call.query("statusFilter").is_some_and(|all| all.eq_ignore_ascii_case("all"))
                || self.any("statusFilter", || text(build.status())))
            && self.any("resultFilter", || text(build.result?))
            && self.any("branchName", || text(&build.branch))
            && self.any("reasonFilter", || text(build.reason))
            && self.any("repositoryId", || Some(definition.repository.to_string()))
            && self.any("buildNumber", || Some(build.name()))
    }
}

/// In the order of one of their dates; the token is that date and the number of the next one, so that a page costs what is
/// on it, however far back it lies.
fn builds(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let order = call.query("queryOrder").unwrap_or("queueTimeDescending").to_lowercase();
    let date = date(&order);
    let (from, to) = (call.time("minTime")?, call.time("maxTime")?);
    let wanted = Wanted::of(call);
    let per_definition: Option<usize> = call.query_as("maxBuildsPerDefinition")?;
    let token = call.query("continuationToken").map(read_token).transpose()?;
    let token = token.filter(|_| !simulator.instance.faults().build_tokens_say_nothing);
    let ascends = order.ends_with("ascending");
    let (mut first, mut last) = ((from.unwrap_or(Timestamp::MIN), 0), (to.unwrap_or(Timestamp::MAX), u32::MAX));
    // Who counts by definition counts from the beginning.
    if let Some(token) = token.filter(|_| per_definition.is_none()) {
        if ascends {
            first = first.max(token);
        } else {
            last = last.min(token);
        }
    }
    let in_time = world.builds_by(date, first, last, ascends);
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    let known = in_time.filter_map(|(key, build)| {
        let known = call.forgotten.build(build, world.repository_of_build(build))?;
        // By a date that is forgotten it is not found.
        known.date(date).map(|_| (key, known))
    });
    let shown = known.filter(|(_, build)| wanted.has(&world, build)).filter(|(_, build)| {
        let count = seen.entry(build.definition).or_default();
        *count += 1;
        per_definition.is_none_or(|most| *count <= most)
    });
    let mut shown =
        shown.skip_while(|(key, _)| token.is_some_and(|from| if ascends { *key < from } else { *key > from }));
    let top: Option<usize> = call.query_as("$top")?;
    let page: Vec<Cow<'_, Build>> =
        shown.by_ref().take(top.unwrap_or(PAGE).clamp(1, PAGE_MAX)).map(|(_, build)| build).collect();
    let next = shown.next().map(|((at, number), _)| format!("{}.{number}", at.as_microsecond()));
    let view = world.view(&call.place);
    let items = page.iter().filter_map(|own| payload::build::shown(view, &world, own)).collect();
    Ok(Answer::list(items).continued(next))
}

fn read_token(token: &str) -> Outcome<(Timestamp, u32)> {
    let read = || {
        let (at, number) = token.split_once('.')?;
        Some((Timestamp::from_microsecond(at.parse().ok()?).ok()?, number.parse().ok()?))
    };
    read().ok_or_else(|| {
        Refusal::bad_request("InvalidContinuationTokenException", "The continuation token is not valid.")
    })
}

pub(super) fn found<'a>(world: &'a World, call: &Call) -> Outcome<Cow<'a, Build>> {
    let number: u32 = call.parameter_as("build")?;
    let of_project = |build: &&Build| {
        world.definitions.get(&build.definition).is_some_and(|definition| Some(definition.project) == call.project)
    };
    let known = world.builds.get(&number).filter(of_project);
    known.and_then(|own| call.forgotten.build(own, world.repository_of_build(own))).ok_or_else(|| {
        Refusal::not_found("BuildNotFoundException", &format!("The requested build {number} could not be found."))
    })
}

fn build(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let value = payload::build::shown(world.view(&call.place), &world, &own);
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
    Ok(Answer::json(payload::build::timeline(world.view(&call.place), &own, project)))
}

/// Of an attempt of a stage that was run again later.
fn earlier_timeline(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let project = world.project_of(world.definitions[&own.definition].project);
    let id = call.parameter_as("timeline")?;
    let told = payload::build::earlier(world.view(&call.place), &own, project, id);
    Ok(told.map_or_else(|| Answer::empty(StatusCode::NO_CONTENT), Answer::json))
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
    let view = world.view(&call.place);
    let change = |commit: &Commit| {
        json!({
            "id": commit.id, "message": commit.comment, "type": "TfsGit", "author": view.person(commit.author),
            "timestamp": commit.at.to_string(),
            "location": format!("{}/commits/{}", payload::git::url(view, repository), commit.id),
        })
    };
    let new = repository.ahead(&own.commit, earlier.map_or("", |build| &build.commit));
    Ok(Listing::of(call, 50, PAGE)?.answer(new, change))
}
