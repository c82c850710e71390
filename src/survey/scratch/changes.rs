//! Something for hooks to tell: a push, a pull request that is a draft at first, work items with a comment and a link.
//!
//! Source: Azure DevOps REST API 7.1, `Pushes - Create`, `Pull Requests - Create` and `Update`, `Work Items - Create` and
//! `Update` (JSON Patch), `Comments - Add Comment`.

use super::{BRANCH, HTTPS, Hook, NEVER, NOTHING, Scratch, Thing};
use crate::{
    azure::client::Host,
    survey::{
        ask::Ask,
        asker::{Asker, Ended},
        history::{is_quiet, query, results},
        place::Repository,
        question::Finding,
        seen::{document, id, items, status, text},
    },
};
use http::Method;
use serde_json::json;
use std::time::Duration;

/// How long notifications are waited for after the last change.
const WAIT_MAX: Duration = Duration::from_secs(45);
const LOOK: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_secs(8);
/// So that no pipeline begins because of a push.
///
/// Source: azure-devops-docs, "Skipping CI for individual pushes".
const COMMENT: &str = "Hookwell's survey: this may be deleted [skip ci]";
const TITLE: &str = "Hookwell's survey: this may be deleted";
const PATCH: &str = "application/json-patch+json";
const FILTERS: [&str; 4] =
    ["PushNotification", "ReviewersUpdateNotification", "StatusUpdateNotification", "ReviewerVoteNotification"];

pub(super) async fn make(scratch: &mut Scratch, asker: &mut Asker<'_>) -> Result<(), Ended> {
    let repository = scratch.repository.clone();
    let mut hooks: Vec<(&'static str, Vec<(&'static str, &str)>)> = Vec::new();
    if let Some(Repository { id, .. }) = &repository {
        let of = || ("repository", id.as_str());
        // Two of the same, to see whether they get one event under one id; and one that it does not pass.
        hooks.extend([("git.push", vec![of()]), ("git.push", vec![of()])]);
        hooks.push(("git.push", vec![of(), ("branch", NEVER)]));
        hooks.push(("git.pullrequest.created", vec![of()]));
        hooks.push(("git.pullrequest.updated", vec![of()]));
        hooks.extend(FILTERS.map(|filter| ("git.pullrequest.updated", vec![of(), ("notificationType", filter)])));
    }
    for event_type in ["workitem.created", "workitem.updated", "workitem.commented"] {
        hooks.push((event_type, Vec::new()));
    }
    for (event_type, inputs) in hooks {
        let is_unmatched = inputs.contains(&("branch", NEVER));
        let made = scratch.make_hook(asker, &Hook { event_type, url: HTTPS, inputs }).await?;
        let made = id(&document(&made)["id"]);
        if is_unmatched {
            scratch.own.unmatched.clone_from(&made);
        }
        let is_filtered = is_unmatched || event_type == "git.pullrequest.updated" && scratch.own.expects(event_type);
        scratch.own.expected.extend(made.iter().filter(|_| !is_filtered).map(|made| (event_type, made.clone())));
        scratch.own.subscriptions.extend(made);
    }
    let mut told = Vec::new();
    if let Some(repository) = &repository {
        told.extend(code(scratch, asker, repository).await?);
    }
    told.extend(work_items(scratch, asker).await?);
    wait(scratch, asker, &told).await
}

/// The events that are to be told.
async fn code(
    scratch: &mut Scratch,
    asker: &mut Asker<'_>,
    repository: &Repository,
) -> Result<Vec<&'static str>, Ended> {
    let project = scratch.project.clone();
    let short = repository.branch.trim_start_matches("refs/");
    let tip = Ask::get("branches", "git/repositories/{repository}/refs", &[&repository.id]).within(&project);
    let tip = asker.see(&tip.with("filter", short)).await?;
    let at = items(&tip).iter().find(|own| text(own, "name") == repository.branch).map(|own| text(own, "objectId"));
    let Some(base) = at.filter(|at| !at.is_empty()) else { return Ok(Vec::new()) };
    let name = format!("refs/heads/{BRANCH}{}", asker.now().as_second());
    let content = json!({ "content": TITLE, "contentType": "rawtext" });
    let change = json!({ "changeType": "add", "item": { "path": "/hookwell-survey.txt" }, "newContent": content });
    let push = json!({
        "refUpdates": [{ "name": name, "oldObjectId": base }],
        "commits": [{ "comment": COMMENT, "changes": [change] }],
    });
    // The new branch begins where the old one ends, with a commit more: a pull request wants something to merge.
    let path = "git/repositories/{repository}/pushes";
    let push = Ask::change("a push", Method::POST, path, &[&repository.id], Some(push)).within(&project);
    let branch = name.clone();
    let pushed = scratch
        .make(asker, push, "a branch", |made| {
            let object = made["refUpdates"][0]["newObjectId"].as_str().filter(|object| *object != NOTHING)?;
            Some(Thing::Branch { name: branch, object: object.to_owned() })
        })
        .await?;
    if document(&pushed)["refUpdates"].as_array().is_none() {
        return Ok(Vec::new());
    }
    let draft = json!({
        "sourceRefName": name, "targetRefName": repository.branch, "title": TITLE, "description": TITLE, "isDraft": true,
    });
    let path = "git/repositories/{repository}/pullrequests";
    let draft = Ask::change("a draft", Method::POST, path, &[&repository.id], Some(draft)).within(&project);
    let made = scratch.make(asker, draft, "a pull request", |made| id(&made["pullRequestId"]).map(Thing::PullRequest));
    let made = made.await?;
    let Some(number) = id(&document(&made)["pullRequestId"]) else { return Ok(vec!["git.push"]) };
    // That it was made is told first: what is told of it at once could be of the draft.
    wait(scratch, asker, &["git.push", "git.pullrequest.created"]).await?;
    let path = "git/repositories/{repository}/pullrequests/{number}";
    let body = Some(json!({ "isDraft": false }));
    let publish = Ask::change("a draft that is published", Method::PATCH, path, &[&repository.id, &number], body);
    asker.see(&publish.within(&project)).await?;
    scratch.own.pull_request = Some(number.clone());
    let thread = json!({ "comments": [{ "parentCommentId": 0, "content": TITLE, "commentType": 1 }], "status": 1 });
    let path = "git/repositories/{repository}/pullRequests/{number}/threads";
    let thread = Ask::change("a thread", Method::POST, path, &[&repository.id, &number], Some(thread));
    asker.see(&thread.within(&project)).await?;
    Ok(vec!["git.push", "git.pullrequest.created", "git.pullrequest.updated"])
}

async fn work_items(scratch: &mut Scratch, asker: &mut Asker<'_>) -> Result<Vec<&'static str>, Ended> {
    let project = scratch.project.clone();
    let types = asker.see(&Ask::get("work item types", "wit/workitemtypes", &[]).within(&project)).await?;
    // Each of Microsoft's processes has one of these.
    let known = ["Task", "Issue", "Bug"];
    let kind = known.into_iter().find(|kind| items(&types).iter().any(|own| text(own, "name") == *kind));
    let Some(kind) = kind else { return Ok(Vec::new()) };
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let title = json!([{ "op": "add", "path": "/fields/System.Title", "value": TITLE }]);
        let kind = format!("${kind}");
        let ask = Ask::change("a work item", Method::POST, "wit/workitems/{type}", &[&kind], Some(title));
        let ask = patched(ask).within(&project);
        let made = scratch.make(asker, ask, "a work item", |made| id(&made["id"]).map(Thing::WorkItem)).await?;
        numbers.extend(id(&document(&made)["id"]).map(|number| (number, text(document(&made), "url").to_owned())));
    }
    let [(first, _), (_, url)] = &numbers[..] else { return Ok(Vec::new()) };
    // Twice in a row: revisions that are rendered late would be the same.
    for comment in ["one", "two"] {
        let body = json!([{ "op": "add", "path": "/fields/System.History", "value": comment }]);
        let ask = Ask::change("a comment", Method::PATCH, "wit/workitems/{number}", &[first], Some(body));
        asker.see(&patched(ask).within(&project)).await?;
    }
    let finding = edited(asker, &project, first).await?;
    asker.found(finding);
    let relation = json!({ "rel": "System.LinkTypes.Related", "url": url });
    let link = json!([{ "op": "add", "path": "/relations/-", "value": relation }]);
    let link = Ask::change("a link", Method::PATCH, "wit/workitems/{number}", &[first], Some(link));
    asker.see(&patched(link).within(&project)).await?;
    Ok(vec!["workitem.created", "workitem.updated", "workitem.commented"])
}

/// A comment of its own is made and edited; what that does to the work item's revision.
async fn edited(asker: &mut Asker<'_>, project: &str, number: &str) -> Result<Finding, Ended> {
    let key = "comment_edit";
    let item = || Ask::get("the work item", "wit/workitems/{number}", &[number]).within(project);
    let comment = |text: &str| Some(json!({ "text": text }));
    let path = "wit/workItems/{number}/comments";
    let new = Ask::change("a comment", Method::POST, path, &[number], comment("three")).within(project);
    let new = asker.see(&new).await?;
    let Some(own) = id(&document(&new)["id"]) else {
        return Ok(Finding::unsettled(key, format!("a comment is answered with status {}", status(&new))));
    };
    let before = document(&asker.see(&item()).await?)["rev"].as_u64();
    let path = "wit/workItems/{number}/comments/{comment}";
    let edit = Ask::change("an edited comment", Method::PATCH, path, &[number, &own], comment("four")).within(project);
    let edit = asker.see(&edit).await?;
    let after = document(&asker.see(&item()).await?)["rev"].as_u64();
    Ok(match (before, after, status(&edit)) {
        (Some(before), Some(after), 200..=299) => {
            let said = format!("it makes {} revisions", after.saturating_sub(before));
            Finding::told(key, after > before, said)
        }
        (.., status) => Finding::unsettled(key, format!("editing is answered with status {status}")),
    })
}

fn patched(mut ask: Ask) -> Ask {
    ask.look.media_type = PATCH;
    ask
}

/// Until each hook that asks for one of these has told something, and nothing new came after that.
async fn wait(scratch: &Scratch, asker: &mut Asker<'_>, told: &[&str]) -> Result<(), Ended> {
    let expected: Vec<&String> =
        scratch.own.expected.iter().filter(|(event, _)| told.contains(event)).map(|(_, hook)| hook).collect();
    let (began, mut pause, mut before) = (asker.monotonic(), LOOK, 0);
    while !expected.is_empty() && asker.monotonic().saturating_sub(began) < WAIT_MAX {
        asker.pause(pause).await?;
        pause = (pause * 2).min(LOOK_MAX);
        let ask = query(Host::Main, &scratch.own.subscriptions, json!({ "maxResults": 100 }));
        let seen = asker.see(&ask).await?;
        let heard = |hook: &&String| results(&seen).iter().any(|one| text(one, "subscriptionId") == hook.as_str());
        let count = results(&seen).len();
        if count == before && is_quiet(&seen) && expected.iter().all(heard) {
            break;
        }
        before = count;
    }
    Ok(())
}
