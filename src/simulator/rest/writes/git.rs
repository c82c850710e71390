//! Pushes of commits, and refs that are put somewhere.

use super::{refused, row};
use crate::simulator::{
    RefChange, Simulator, payload,
    rest::{
        Answer, CODE, Call, InProject, Outcome, Refusal, Route, git,
        locations::{PUSHES, REFS},
    },
    world::NO_OBJECT,
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// Commits in the reply.
const COMMITS_MAX: usize = 100;

pub(super) const ROUTES: &[Route] = &[
    row("POST", InProject::Maybe, "git/repositories/{repository}/pushes", &PUSHES, CODE, push),
    row("POST", InProject::Maybe, "git/repositories/{repository}/refs", &REFS, CODE, update_refs),
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Update {
    name: String,
    old_object_id: String,
    #[serde(default)]
    new_object_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pushed {
    ref_updates: Vec<Update>,
    commits: Vec<NewCommit>,
}

#[derive(Deserialize)]
struct NewCommit {
    comment: String,
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    item: Item,
}

#[derive(Deserialize)]
struct Item {
    path: String,
}

/// A ref is somewhere else than the caller believes.
///
/// Source: TF401028 of Microsoft's documented errors of pushes.
fn stale(name: &str) -> Refusal {
    let message = format!(
        "TF401028: The reference '{name}' has already been updated by another client, so you cannot update it. Please try \
         again."
    );
    Refusal::new(StatusCode::CONFLICT, "GitReferenceStaleException", &message)
}

/// Commits on one branch. A new one names where it begins as its old object.
fn push(simulator: &Simulator, call: &Call) -> Outcome {
    let sent: Pushed = call.json()?;
    let [update] = &sent.ref_updates[..] else {
        let message = "A push by REST updates exactly one ref.";
        return Err(Refusal::bad_request("InvalidArgumentValueException", message));
    };
    let branch = update.name.strip_prefix("refs/heads/").unwrap_or(&update.name).to_owned();
    let mut changes = Vec::new();
    let id = {
        let world = simulator.instance.world();
        let (own, _) = git::found(&world, call)?;
        match own.tip(&update.name) {
            Some(tip) if tip != update.old_object_id => return Err(stale(&update.name)),
            None if own.commits.contains_key(&update.old_object_id) => {
                let (name, to) = (update.name.clone(), update.old_object_id.clone());
                changes.push(RefChange::Point { name, to });
            }
            None if update.old_object_id != NO_OBJECT => return Err(stale(&update.name)),
            _ => {}
        }
        own.id
    };
    let paths = |commit: &NewCommit| commit.changes.iter().map(|change| change.item.path.clone()).collect();
    changes.extend(sent.commits.iter().map(|commit| RefChange::Commit {
        branch: branch.clone(),
        comment: commit.comment.clone(),
        paths: paths(commit),
    }));
    let by = call.caller.person.id;
    let pushed = simulator.change(|world| world.push(id, by, &changes));
    let number = pushed.map_err(|impossible| refused(&impossible, "GitReferenceUpdateException"))?;
    let world = simulator.instance.world();
    let (own, project) = git::found(&world, call)?;
    let made = own.push(number).ok_or_else(|| Refusal::repository(&own.name))?;
    let shown = payload::git::push(world.view(&call.place), made, own, project, COMMITS_MAX);
    Ok(Answer::json(shown).with_status(StatusCode::CREATED))
}

/// Branches and tags are made, moved and deleted. One that is somewhere else than was said is left, and the reply says so.
fn update_refs(simulator: &Simulator, call: &Call) -> Outcome {
    let sent: Vec<Update> = call.json()?;
    let (id, fits) = {
        let world = simulator.instance.world();
        let (own, _) = git::found(&world, call)?;
        let is_there = |update: &Update| own.tip(&update.name).unwrap_or(NO_OBJECT) == update.old_object_id;
        let is_known = |id: &String| id == NO_OBJECT || own.commits.contains_key(id);
        let status = |update: &Update| match (is_there(update), is_known(&update.new_object_id)) {
            (false, _) => "staleOldObjectId",
            (_, false) => "unresolvableToCommit",
            _ => "succeeded",
        };
        (own.id, sent.iter().map(status).collect::<Vec<_>>())
    };
    let change = |update: &Update| match update.new_object_id.as_str() {
        NO_OBJECT => RefChange::Delete { name: update.name.clone() },
        to => RefChange::Point { name: update.name.clone(), to: to.to_owned() },
    };
    let wanted = sent.iter().zip(&fits).filter(|(_, status)| **status == "succeeded");
    let changes: Vec<RefChange> = wanted.map(|(update, _)| change(update)).collect();
    if !changes.is_empty() {
        let by = call.caller.person.id;
        simulator
            .change(|world| world.push(id, by, &changes))
            .map_err(|own| refused(&own, "GitReferenceUpdateException"))?;
    }
    let result = |(update, status): (&Update, &&str)| -> Value {
        json!({
            "repositoryId": id, "name": update.name, "oldObjectId": update.old_object_id,
            "newObjectId": update.new_object_id, "isLocked": false, "updateStatus": status,
            "success": *status == "succeeded",
        })
    };
    Ok(Answer::list(sent.iter().zip(&fits).map(result).collect()))
}
