//! Classic releases, on the release host.

use super::{
    Answer, Call, InProject, Listing, Outcome, RELEASE, Refusal, Route,
    locations::{DEPLOYMENTS, RELEASE_DEFINITIONS, RELEASES},
};
use crate::simulator::{Simulator, payload, world::Release};
use serde_json::Value;
use std::collections::BTreeMap;

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
    Ok(Listing::of(call, DEFINITIONS_MAX, DEFINITIONS_MAX)?
        .answer(shown, |own| payload::release::definition(view, own)))
}

/// Where a page of a list begins whose continuation token is the id of the next item, and how much is on it.
struct Numbered {
    first: u32,
    last: u32,
    ascends: bool,
    items_max: usize,
}

impl Numbered {
    fn of(call: &Call) -> Outcome<Self> {
        let from: Option<u32> = call.query_as("continuationToken")?;
        let top: Option<usize> = call.query_as("$top")?;
        let ascends = call.query("queryOrder").is_some_and(|order| order.eq_ignore_ascii_case("ascending"));
        let (first, last) = match from {
            Some(from) if ascends => (from, u32::MAX),
            Some(from) => (0, from),
            None => (0, u32::MAX),
        };
        Ok(Self { first, last, ascends, items_max: top.unwrap_or(PAGE).clamp(1, PAGE_MAX) })
    }

    /// The page of what is wanted; only that is rendered.
    fn answer<'a, T>(
        &self,
        all: &'a BTreeMap<u32, T>,
        wanted: impl Fn(&'a T) -> bool,
        render: impl Fn(&'a T) -> Option<Value>,
    ) -> Answer {
        let some = all.range(self.first..=self.last);
        let (up, down) = if self.ascends { (Some(some), None) } else { (None, Some(some.rev())) };
        let mut rest = up.into_iter().flatten().chain(down.into_iter().flatten()).filter(|(_, own)| wanted(own));
        let page: Vec<&T> = rest.by_ref().take(self.items_max).map(|(_, own)| own).collect();
        let next = rest.next().map(|(id, _)| id.to_string());
        Answer::list(page.into_iter().filter_map(render).collect()).continued(next)
    }
}

/// Whether one of the words that a parameter lists is this; none and `all` are every one.
fn says(call: &Call, name: &str, word: &str) -> bool {
    call.query(name).is_none_or(|all| {
        all.split(',').map(str::trim).any(|one| one.eq_ignore_ascii_case(word) || one.eq_ignore_ascii_case("all"))
    })
}

fn releases(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (from, to) = (call.time("minCreatedTime")?, call.time("maxCreatedTime")?);
    let definition: Option<u32> = call.query_as("definitionId")?;
    let expand = call.query("$expand").unwrap_or_default().to_lowercase();
    let fits = |own: &Release| {
        from.is_none_or(|from| own.created >= from)
            && to.is_none_or(|to| own.created <= to)
            && definition.is_none_or(|id| own.definition == id)
            && says(call, "statusFilter", own.status)
            && payload::release::around(&world, own.id)
                .is_some_and(|around| call.project.is_none_or(|project| around.project.id == project))
    };
    let view = world.view(&call.place);
    let item = |own: &Release| {
        let known = call.forgotten.release(own)?;
        let around = payload::release::Around { release: &known, ..payload::release::around(&world, own.id)? };
        let mut value = payload::release::release(view, around);
        let members = value.as_object_mut().expect("a release is an object");
        for part in ["environments", "artifacts", "variables"].into_iter().filter(|part| !expand.contains(part)) {
            members.remove(part);
        }
        Some(value)
    };
    let is_known = |own: &Release| fits(own) && call.forgotten.release(own).is_some();
    Ok(Numbered::of(call)?.answer(&world.releases, is_known, item))
}

fn release(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let id: u32 = call.parameter_as("release")?;
    let absent = || {
        let message = format!("VS402881: Release with ID {id} does not exist.");
        Refusal::not_found("ReleaseNotFoundException", &message)
    };
    let around = payload::release::around(&world, id)
        .filter(|around| call.project.is_none_or(|project| around.project.id == project))
        .ok_or_else(absent)?;
    let known = call.forgotten.release(around.release).ok_or_else(absent)?;
    let around = payload::release::Around { release: &known, ..around };
    Ok(Answer::json(payload::release::release(world.view(&call.place), around)))
}

fn deployments(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (modified_from, modified_to) = (call.time("minModifiedTime")?, call.time("maxModifiedTime")?);
    let (started_from, started_to) = (call.time("minStartedTime")?, call.time("maxStartedTime")?);
    let definition: Option<u32> = call.query_as("definitionId")?;
    let environment: Option<u32> = call.query_as("definitionEnvironmentId")?;
    let view = world.view(&call.place);
    let found = |(release, environment, at): &(u32, usize, usize)| {
        let around = payload::release::around(&world, *release)?;
        let environment = around.release.environments.get(*environment)?;
        let own = call.forgotten.deployment(environment.deployments.get(*at)?, around.release)?;
        Some((around, environment, own))
    };
    let fits = |place: &(u32, usize, usize)| {
        found(place).is_some_and(|(around, of, own)| {
            call.project.is_none_or(|project| around.project.id == project)
                && definition.is_none_or(|id| around.definition.id == id)
                && environment.is_none_or(|id| of.definition_environment == id)
                && modified_from.is_none_or(|from| own.changed >= from)
                && modified_to.is_none_or(|to| own.changed <= to)
                && started_from.is_none_or(|from| own.started >= from)
                && started_to.is_none_or(|to| own.started <= to)
                && says(call, "deploymentStatus", own.status)
                && says(call, "operationStatus", payload::release::operation(&own))
        })
    };
    let item = |place: &(u32, usize, usize)| {
        let (around, environment, own) = found(place)?;
        Some(payload::release::deployment(view, around, environment, &own))
    };
    Ok(Numbered::of(call)?.answer(&world.deployments, fits, item))
}
