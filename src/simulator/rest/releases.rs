//! Classic releases, on the release host.

use super::{
    Answer, Call, InProject, Listing, Outcome, RELEASE, Refusal, Route,
    locations::{DEPLOYMENTS, RELEASE_DEFINITIONS, RELEASES},
};
use crate::simulator::{Simulator, payload, world::Release};
use serde_json::Value;

const PAGE: usize = 50;
const PAGE_MAX: usize = 100;
const DEFINITIONS_MAX: usize = 10_000;

pub(super) const ROUTES: &[Route] = &[
    row("release/definitions", &RELEASE_DEFINITIONS, definitions).costs(0.1),
    row("release/releases", &RELEASES, releases).costs(0.1),
    row("release/releases/{release}", &RELEASES, release),
    row("release/deployments", &DEPLOYMENTS, deployments).costs(0.1),
];

const fn row(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Maybe, path, location, RELEASE, handler).on_release_host()
}

fn definitions(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let view = world.view(&call.place);
    let text = call.query("searchText").unwrap_or_default().to_lowercase();
    let shown = world.release_definitions.values().filter(|own| {
        call.project.is_none_or(|project| own.project == project) && own.name.to_lowercase().contains(&text)
    });
    let items = shown.map(|own| payload::release::definition(view, own)).collect();
    Ok(Listing::of(call, DEFINITIONS_MAX, DEFINITIONS_MAX)?.answer(items))
}

/// A list whose continuation token is the id of the next item.
fn by_id(call: &Call, mut items: Vec<(u32, Value)>, ascending: bool) -> Outcome {
    items.sort_by_key(|(id, _)| *id);
    if !ascending {
        items.reverse();
    }
    let from: Option<u32> = call.query_as("continuationToken")?;
    let from = from.unwrap_or(if ascending { 0 } else { u32::MAX });
    let items: Vec<_> = items.into_iter().filter(|(id, _)| if ascending { *id >= from } else { *id <= from }).collect();
    let top: Option<usize> = call.query_as("$top")?;
    let most = top.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let next = items.get(most).map(|(id, _)| id.to_string());
    Ok(Answer::list(items.into_iter().take(most).map(|(_, item)| item).collect()).continued(next))
}

fn is_ascending(call: &Call) -> bool {
    call.query("queryOrder").is_some_and(|order| order.eq_ignore_ascii_case("ascending"))
}

fn releases(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (from, to) = (call.time("minCreatedTime")?, call.time("maxCreatedTime")?);
    let definition: Option<u32> = call.query_as("definitionId")?;
    let expand = call.query("$expand").unwrap_or_default().to_lowercase();
    let fits = |own: &&Release| {
        from.is_none_or(|from| own.created >= from)
            && to.is_none_or(|to| own.created <= to)
            && definition.is_none_or(|id| own.definition == id)
            && payload::release::around(&world, own.id)
                .is_some_and(|around| call.project.is_none_or(|project| around.project.id == project))
    };
    let view = world.view(&call.place);
    let item = |own: &Release| {
        let mut value = payload::release::release(view, payload::release::around(&world, own.id)?);
        let members = value.as_object_mut().expect("a release is an object");
        for part in ["environments", "artifacts", "variables"].into_iter().filter(|part| !expand.contains(part)) {
            members.remove(part);
        }
        Some((own.id, value))
    };
    by_id(call, world.releases.values().filter(fits).filter_map(item).collect(), is_ascending(call))
}

fn release(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let id: u32 = call.parameter_as("release")?;
    let around = payload::release::around(&world, id)
        .filter(|around| call.project.is_none_or(|project| around.project.id == project))
        .ok_or_else(|| {
            let message = format!("VS402881: Release with ID {id} does not exist.");
            Refusal::not_found("ReleaseNotFoundException", &message)
        })?;
    Ok(Answer::json(payload::release::release(world.view(&call.place), around)))
}

fn deployments(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (modified_from, modified_to) = (call.time("minModifiedTime")?, call.time("maxModifiedTime")?);
    let (started_from, started_to) = (call.time("minStartedTime")?, call.time("maxStartedTime")?);
    let definition: Option<u32> = call.query_as("definitionId")?;
    let status = call.query("deploymentStatus").map(str::to_lowercase);
    let view = world.view(&call.place);
    let mut items = Vec::new();
    for release in world.releases.values() {
        let Some(around) = payload::release::around(&world, release.id) else { continue };
        if call.project.is_some_and(|project| around.project.id != project)
            || definition.is_some_and(|id| release.definition != id)
        {
            continue;
        }
        for environment in &release.environments {
            for own in &environment.deployments {
                let fits = modified_from.is_none_or(|from| own.changed >= from)
                    && modified_to.is_none_or(|to| own.changed <= to)
                    && started_from.is_none_or(|from| own.started >= from)
                    && started_to.is_none_or(|to| own.started <= to)
                    && status.as_ref().is_none_or(|status| {
                        status == "all" || status.split(',').any(|one| one.eq_ignore_ascii_case(own.status))
                    });
                if fits {
                    items.push((own.id, payload::release::deployment(view, around, environment, own)));
                }
            }
        }
    }
    by_id(call, items, is_ascending(call))
}
