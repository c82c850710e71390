//! Pull requests, their commits, threads, iterations and work items.

use super::{
    Answer, CODE, Call, InProject, Listing, Outcome, Refusal, Route, git,
    locations::{
        ITERATIONS, PROJECT_PULL_REQUESTS, PULL_REQUEST, PULL_REQUEST_COMMITS, PULL_REQUEST_WORK_ITEMS, PULL_REQUESTS,
        THREADS,
    },
};
use crate::{
    azure::client::ApiVersion,
    simulator::{
        Simulator, payload,
        world::{PullRequest, World},
    },
};
use serde_json::json;
use std::borrow::Cow;

/// What a list has where nothing is asked.
const PAGE: usize = 101;
const PAGE_MAX: usize = 1_000;
/// Before this version nobody asks for a range of time: the parameters are not known, and taken no notice of.
const TIME_RANGE_SINCE: ApiVersion = ApiVersion { major: 7, minor: 1 };

pub(super) const ROUTES: &[Route] = &[
    row("git/pullrequests", &PROJECT_PULL_REQUESTS, list).costs(0.1),
    row("git/pullrequests/{number}", &PULL_REQUEST, show),
    row("git/repositories/{repository}/pullrequests", &PULL_REQUESTS, list).costs(0.1),
    row("git/repositories/{repository}/pullrequests/{number}", &PULL_REQUESTS, show),
    row("git/repositories/{repository}/pullrequests/{number}/commits", &PULL_REQUEST_COMMITS, commits),
    row("git/repositories/{repository}/pullrequests/{number}/threads", &THREADS, threads),
    row("git/repositories/{repository}/pullrequests/{number}/iterations", &ITERATIONS, iterations),
    row("git/repositories/{repository}/pullrequests/{number}/workitems", &PULL_REQUEST_WORK_ITEMS, work_items),
];

const fn row(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Maybe, path, location, CODE, handler)
}

/// Newest first; those that are open, where nothing is asked.
fn list(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let of_path = if call.parameter("repository").is_empty() { None } else { Some(git::found(&world, call)?.0.id) };
    let status = call.query("searchCriteria.status").unwrap_or("active").to_ascii_lowercase();
    let (from, to) = (call.time("searchCriteria.minTime")?, call.time("searchCriteria.maxTime")?);
    let knows_time = call.version >= TIME_RANGE_SINCE;
    let by_closing =
        call.query("searchCriteria.queryTimeRangeType").is_some_and(|by| by.eq_ignore_ascii_case("closed"));
    let is_named = |name: &str, value: &str| {
        call.query(&format!("searchCriteria.{name}")).is_none_or(|asked| asked.eq_ignore_ascii_case(value))
    };
    let fits = |own: &Cow<'_, PullRequest>| {
        let at = if by_closing { own.closed.map(|(at, _)| at) } else { Some(own.created) };
        let in_time = match at {
            _ if !knows_time => true,
            Some(at) => from.is_none_or(|from| at >= from) && to.is_none_or(|to| at <= to),
            None => from.is_none() && to.is_none(),
        };
        let project = world.repository_of(own.repository).map(|repository| repository.project);
        (status == "all" || own.status == status)
            && project.is_some()
            && call.project.is_none_or(|wanted| Some(wanted) == project)
            && of_path.is_none_or(|id| own.repository == id)
            && is_named("repositoryId", &own.repository.to_string())
            && is_named("creatorId", &own.by.to_string())
            && is_named("sourceRefName", &own.source)
            && is_named("targetRefName", &own.target)
            && in_time
    };
    let view = world.view(&call.place);
    let known = world.pull_requests.values().rev().filter_map(|own| call.forgotten.pull_request(own));
    let shown = known.filter(fits);
    let render = |own: Cow<'_, PullRequest>| payload::pull_request::shown(view, &world, &own).unwrap_or_default();
    Ok(Listing::of(call, PAGE, PAGE_MAX)?.silent_answer(shown, render))
}

fn found<'a>(world: &'a World, call: &Call) -> Outcome<Cow<'a, PullRequest>> {
    let number: u32 = call.parameter_as("number")?;
    let own = world.pull_requests.get(&number).filter(|own| {
        let repository = world.repository_of(own.repository);
        repository.is_some_and(|repository| {
            !repository.is_disabled && call.project.is_none_or(|project| repository.project == project)
        })
    });
    own.and_then(|own| call.forgotten.pull_request(own)).ok_or_else(|| {
        let message = format!("TF401180: The requested pull request {number} was not found.");
        Refusal::not_found("GitPullRequestNotFoundException", &message)
    })
}

fn show(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let value = payload::pull_request::shown(world.view(&call.place), &world, &own);
    value.map(Answer::json).ok_or_else(|| Refusal::repository(&own.repository.to_string()))
}

fn commits(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let (own, (repository, _)) = (found(&world, call)?, git::found(&world, call)?);
    let view = world.view(&call.place);
    let new = repository.ahead(&own.source_commit, &own.target_commit);
    let render = |commit| payload::git::short_commit(view, commit, repository);
    Ok(Listing::of(call, PAGE, PAGE_MAX)?.answer(new, render))
}

fn threads(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let view = world.view(&call.place);
    Ok(Answer::list(own.comments.iter().map(|comment| payload::pull_request::thread(view, comment)).collect()))
}

fn iterations(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let view = world.view(&call.place);
    let iteration = |(id, (commit, at)): (u32, &(String, jiff::Timestamp))| {
        json!({
            "id": id, "description": "", "author": view.person(own.by), "createdDate": at.to_string(),
            "updatedDate": at.to_string(), "sourceRefCommit": {"commitId": commit},
            "targetRefCommit": {"commitId": own.target_commit}, "commonRefCommit": {"commitId": own.target_commit},
            "hasMoreCommits": false, "reason": if id == 1 { "create" } else { "push" },
        })
    };
    Ok(Answer::list((1..).zip(&own.iterations).map(iteration).collect()))
}

fn work_items(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    let item = |number: &u32| {
        let url = format!("{}/_apis/wit/workItems/{number}", call.place.base);
        json!({"id": number.to_string(), "url": url})
    };
    Ok(Answer::list(own.work_items.iter().map(item).collect()))
}
