//! Pull requests are opened, reviewed, commented, changed and completed.

use super::{refused, row, word};
use crate::simulator::{
    MergeStrategy, Simulator, payload,
    rest::{
        Answer, CODE, Call, InProject, Outcome, Refusal, Route, git,
        locations::{PULL_REQUESTS, REVIEWERS, THREADS},
        pull_requests::{STATUSES, found},
    },
    world::{Impossible, PullRequest, Reviewer, World},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

const ALL: &str = "git/repositories/{repository}/pullrequests";
const ONE: &str = "git/repositories/{repository}/pullrequests/{number}";
const STRATEGIES: [&str; 5] = ["", "noFastForward", "squash", "rebase", "rebaseMerge"];
const THREADS_OF_ONE: &str = "git/repositories/{repository}/pullrequests/{number}/threads";
const REVIEWERS_OF_ONE: &str = "git/repositories/{repository}/pullrequests/{number}/reviewers";
const REVIEWER: &str = "git/repositories/{repository}/pullrequests/{number}/reviewers/{reviewer}";

pub(super) const ROUTES: &[Route] = &[
    row("POST", InProject::Maybe, ALL, &PULL_REQUESTS, CODE, create),
    row("PATCH", InProject::Maybe, ONE, &PULL_REQUESTS, CODE, change),
    row("POST", InProject::Maybe, THREADS_OF_ONE, &THREADS, CODE, comment),
    row("GET", InProject::Maybe, REVIEWERS_OF_ONE, &REVIEWERS, CODE, reviewers),
    row("PUT", InProject::Maybe, REVIEWER, &REVIEWERS, CODE, review),
];

#[derive(Deserialize)]
struct Named {
    id: Uuid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct New {
    source_ref_name: String,
    target_ref_name: String,
    title: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    is_draft: Option<bool>,
    #[serde(default)]
    reviewers: Option<Vec<Named>>,
}

fn short(name: &str) -> &str {
    name.strip_prefix("refs/heads/").unwrap_or(name)
}

fn conflict(impossible: &Impossible) -> Refusal {
    refused(impossible, "GitPullRequestUpdateRejectedException")
}

/// The merge is tried after the reply, which calls it queued.
fn create(simulator: &Simulator, call: &Call) -> Outcome {
    let new: New = call.json()?;
    let id = {
        let world = simulator.instance.world();
        let (own, _) = git::found(&world, call)?;
        let is_it = |other: &PullRequest| {
            let is_between = other.source == new.source_ref_name && other.target == new.target_ref_name;
            other.repository == own.id && other.status == "active" && is_between
        };
        if world.pull_requests.values().any(is_it) {
            let message = "TF401179: An active pull request for the source and target branch already exists.";
            return Err(Refusal::new(StatusCode::CONFLICT, "GitPullRequestExistsException", message));
        }
        own.id
    };
    let by = call.caller.person.id;
    let made = simulator.change(|world| {
        let ends = (short(&new.source_ref_name), short(&new.target_ref_name));
        let number = world.create_pull_request(id, by, (None, ends.0), ends.1, &new.title)?;
        if let Some(own) = world.pull_requests.get_mut(&number) {
            own.description = new.description.clone().unwrap_or_default();
            own.is_draft = new.is_draft.unwrap_or_default();
            let asked = new.reviewers.iter().flatten();
            own.reviewers = asked.map(|own| Reviewer { person: own.id, vote: 0, is_required: false }).collect();
        }
        Ok(number)
    });
    let world = simulator.instance.world();
    let number = made.map_err(|impossible| conflict(&impossible))?;
    Ok(Answer::json(queued(&world, call, &world.pull_requests[&number])).with_status(StatusCode::CREATED))
}

/// As it is between two tries to merge it.
fn queued(world: &World, call: &Call, own: &PullRequest) -> Value {
    let waiting = PullRequest { merge_status: "queued", merge_commit: None, ..own.clone() };
    payload::pull_request::shown(world.view(&call.place), world, &waiting).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Patch {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    target_ref_name: Option<String>,
    #[serde(default)]
    is_draft: Option<bool>,
    #[serde(default)]
    last_merge_source_commit: Option<CommitId>,
    #[serde(default)]
    completion_options: Option<Options>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitId {
    commit_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    #[serde(default)]
    merge_strategy: Value,
    #[serde(default)]
    delete_source_branch: Option<bool>,
    #[serde(default)]
    squash_merge: Option<bool>,
}

/// How it is to be merged, and whether its branch goes.
fn wished(options: Option<&Options>) -> Outcome<(MergeStrategy, bool)> {
    let Some(options) = options else { return Ok((MergeStrategy::default(), false)) };
    let strategy = match word_of(&options.merge_strategy, &STRATEGIES)? {
        Some("squash") => MergeStrategy::Squash,
        Some("rebase") => MergeStrategy::Rebase,
        Some("rebaseMerge") => MergeStrategy::RebaseMerge,
        None if options.squash_merge == Some(true) => MergeStrategy::Squash,
        _ => MergeStrategy::NoFastForward,
    };
    Ok((strategy, options.delete_source_branch.unwrap_or_default()))
}

fn word_of(sent: &Value, words: &[&'static str]) -> Outcome<Option<&'static str>> {
    if sent.is_null() { Ok(None) } else { word(sent, words).map(Some) }
}

/// A completed request is merged after the reply, which shows it as it was: active, and its merge queued.
fn change(simulator: &Simulator, call: &Call) -> Outcome {
    let patch: Patch = call.json()?;
    let status = word_of(&patch.status, &STATUSES)?;
    let (strategy, deletes_source) = wished(patch.completion_options.as_ref())?;
    let number = {
        let world = simulator.instance.world();
        let own = found(&world, call)?;
        let sent = patch.last_merge_source_commit.as_ref();
        if status == Some("completed") && sent.is_some_and(|sent| sent.commit_id != own.source_commit) {
            let message = "TF401192: The source branch has been modified since the last merge attempt. Please retry.";
            return Err(Refusal::new(StatusCode::CONFLICT, "GitPullRequestStaleException", message));
        }
        own.number
    };
    let by = call.caller.person.id;
    let done = simulator.change(|world| {
        if let Some(title) = patch.title.as_deref().filter(|title| world.pull_requests[&number].title != *title) {
            world.edit_pull_request(number, title)?;
        }
        if let Some(description) = &patch.description {
            world.describe_pull_request(number, description)?;
        }
        if let Some(target) = &patch.target_ref_name {
            world.retarget(number, short(target))?;
        }
        if let Some(is_draft) = patch.is_draft.filter(|wanted| world.pull_requests[&number].is_draft != *wanted) {
            world.set_draft(number, is_draft)?;
        }
        match status {
            Some("abandoned") => world.abandon(number, by)?,
            Some("active") if world.pull_requests[&number].status == "abandoned" => world.reactivate(number)?,
            Some("completed") => {
                let before = queued(world, call, &world.pull_requests[&number]);
                world.complete(number, by, strategy, deletes_source)?;
                return Ok(Some(before));
            }
            _ => {}
        }
        Ok(None)
    });
    let completed = done.map_err(|impossible| conflict(&impossible))?;
    let world = simulator.instance.world();
    let now = || payload::pull_request::of(world.view(&call.place), &world, number).unwrap_or_default();
    Ok(Answer::json(completed.unwrap_or_else(now)))
}

#[derive(Deserialize)]
struct Thread {
    comments: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    content: String,
}

fn comment(simulator: &Simulator, call: &Call) -> Outcome {
    let Thread { comments } = call.json()?;
    let text = comments.first().map(|own| own.content.as_str()).unwrap_or_default();
    let (number, by) = (found(&simulator.instance.world(), call)?.number, call.caller.person.id);
    let thread = simulator.change(|world| world.comment_pull_request(number, by, text))?;
    let world = simulator.instance.world();
    let made = world.pull_requests[&number].comments.iter().find(|own| own.thread == thread);
    let shown = made.map(|own| payload::pull_request::thread(world.view(&call.place), own));
    Ok(Answer::json(shown.unwrap_or_default()))
}

/// Reviewers as their own address shows them.
fn all_reviewers(world: &World, call: &Call, own: &PullRequest) -> Vec<Value> {
    let view = world.view(&call.place);
    let url = format!("{}/_apis/git/repositories/{}/pullRequests/{}", view.base(), own.repository, own.number);
    own.reviewers.iter().map(|reviewer| payload::pull_request::reviewer(view, reviewer, &url)).collect()
}

fn reviewers(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let own = found(&world, call)?;
    Ok(Answer::list(all_reviewers(&world, call, &own)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    vote: Option<i8>,
    #[serde(default)]
    is_required: Option<bool>,
}

/// Somebody reviews it from now on, or votes.
fn review(simulator: &Simulator, call: &Call) -> Outcome {
    let Review { vote, is_required } = call.json()?;
    let person: Uuid = call.parameter_as("reviewer")?;
    let number = {
        let world = simulator.instance.world();
        if world.people.find(person).is_none() {
            return Err(Refusal::not_found(
                "IdentityNotFoundException",
                &format!("The identity {person} was not found."),
            ));
        }
        found(&world, call)?.number
    };
    if !matches!(vote, None | Some(-10 | -5 | 0 | 5 | 10)) {
        let message = "A vote is 10, 5, 0, -5 or -10.";
        return Err(Refusal::bad_request("InvalidArgumentValueException", message));
    }
    let done = simulator.change(|world| {
        let votes = &world.pull_requests[&number].reviewers;
        let is_new = !votes.iter().any(|own| own.person == person);
        match vote {
            Some(vote) if vote != 0 || !is_new => world.vote(number, person, vote),
            _ => world.add_reviewer(number, person, is_required.unwrap_or_default()),
        }
    });
    done.map_err(|impossible| conflict(&impossible))?;
    let world = simulator.instance.world();
    let own = &world.pull_requests[&number];
    let at = own.reviewers.iter().position(|own| own.person == person).unwrap_or_default();
    Ok(Answer::json(all_reviewers(&world, call, own).into_iter().nth(at).unwrap_or_else(|| json!({}))))
}
