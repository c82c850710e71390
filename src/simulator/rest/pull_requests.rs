//! Pull requests, their commits, threads, iterations and work items.

use super::{
    Answer, CODE, Call, InProject, Listing, Outcome, Refusal, Route, git,
    locations::{
        ITERATIONS, PROJECT_PULL_REQUESTS, PULL_REQUEST, PULL_REQUEST_COMMITS, PULL_REQUEST_QUERY,
        PULL_REQUEST_WORK_ITEMS, PULL_REQUESTS, THREADS,
    },
};
use crate::{
    azure::client::ApiVersion,
    simulator::{
        Simulator, payload,
        world::{PullRequest, WorkItem, World},
    },
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// `PullRequestStatus`, in order.
pub(super) const STATUSES: [&str; 5] = ["notSet", "active", "abandoned", "completed", "all"];
/// What a list has where nothing is asked.
const PAGE: usize = 101;
const PAGE_MAX: usize = 1_000;
/// Lists of a question about commits, and commits of all of them.
const QUERIES_MAX: usize = 10;
const ASKED_MAX: usize = 1_000;
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
    Route::new(
        "POST",
        InProject::Maybe,
        "git/repositories/{repository}/pullrequestquery",
        &PULL_REQUEST_QUERY,
        CODE,
        of_commits,
    )
    .costs(0.1),
];

const fn row(path: &'static str, location: &'static super::Location, handler: super::Handler) -> Route {
    Route::new("GET", InProject::Maybe, path, location, CODE, handler)
}

/// Newest first; those that are open, where nothing is asked.
fn list(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let of_path = if call.parameter("repository").is_empty() { None } else { Some(git::found(&world, call)?.0.id) };
    let status = call.query("searchCriteria.status").map_or("active", |asked| {
        // azure-devops-node-api sends numbers.
        let number = asked.parse::<usize>().ok();
        number.and_then(|at| STATUSES.get(at).copied()).unwrap_or(asked)
    });
    let status = status.to_ascii_lowercase();
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

pub(super) fn found<'a>(world: &'a World, call: &Call) -> Outcome<Cow<'a, PullRequest>> {
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
    let comments = own.comments.iter().map(|comment| payload::pull_request::thread(view, comment));
    let votes = own.votes.iter().map(|vote| payload::pull_request::vote_thread(view, vote));
    Ok(Answer::list(comments.chain(votes).collect()))
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
    let (own, (repository, _)) = (found(&world, call)?, git::found(&world, call)?);
    let artifact = payload::pull_request::artifact(&own, repository);
    let item = |item: &WorkItem| {
        let url = format!("{}/_apis/wit/workItems/{}", call.place.base, item.number);
        json!({"id": item.number.to_string(), "url": url})
    };
    let is_linked = |item: &&WorkItem| {
        !item.is_deleted && item.last().relations.iter().any(|(_, url)| url.eq_ignore_ascii_case(&artifact))
    };
    Ok(Answer::list(world.work_items.values().filter(is_linked).map(item).collect()))
}

/// What is asked of commits: one kind of question, for some of them.
#[derive(Deserialize)]
struct Question {
    #[serde(rename = "type")]
    kind: String,
    items: Vec<String>,
}

#[derive(Deserialize)]
struct Questions {
    queries: Vec<Question>,
}

/// Which completed pull requests brought each commit, or which one's merge it is.
fn of_commits(simulator: &Simulator, call: &Call) -> Outcome {
    let questions: Questions = call.json()?;
    let asked: usize = questions.queries.iter().map(|question| question.items.len()).sum();
    if questions.queries.len() > QUERIES_MAX || asked > ASKED_MAX {
        let message = format!("A query takes at most {QUERIES_MAX} lists and {ASKED_MAX} commits.");
        return Err(Refusal::bad_request("ArgumentException", &message));
    }
    let world = simulator.instance.world();
    let (repository, _) = git::found(&world, call)?;
    let view = world.view(&call.place);
    let known = world.pull_requests.values().filter(|own| own.repository == repository.id);
    let known: Vec<Cow<'_, PullRequest>> = known.filter_map(|own| call.forgotten.pull_request(own)).collect();
    let brought = |own: &PullRequest, sha: &str| {
        own.status == "completed"
            && (repository.ahead(&own.source_commit, &own.target_commit).iter().any(|commit| commit.id == sha))
    };
    let answer = |question: &Question| {
        let of_commit = |sha: &String| {
            let is_wanted = |own: &&Cow<'_, PullRequest>| match question.kind.to_ascii_lowercase().as_str() {
                "lastmergecommit" => own.merge_commit.as_ref() == Some(sha),
                _ => brought(own, sha),
            };
            let shown = known.iter().filter(is_wanted);
            let shown: Vec<Value> = shown.filter_map(|own| payload::pull_request::shown(view, &world, own)).collect();
            (!shown.is_empty()).then(|| (sha.clone(), shown.into()))
        };
        Value::Object(question.items.iter().filter_map(of_commit).collect::<Map<_, _>>())
    };
    let results: Vec<Value> = questions.queries.iter().map(answer).collect();
    let queries = questions.queries.iter().map(|own| json!({"type": own.kind, "items": own.items}));
    Ok(Answer::json(json!({"queries": queries.collect::<Vec<_>>(), "results": results})))
}
