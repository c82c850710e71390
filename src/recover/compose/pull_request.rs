//! Pull requests: opened, pushed to, commented, completed, abandoned.

use super::{Composed, Home, Kind, object};
use crate::{
    azure::client::{CommentRecord, Iteration, PullRequestRecord},
    domain::UpdateReason,
};
use serde_json::{Value, json};

const CREATED: Kind = Kind { event_type: "git.pullrequest.created", publisher: "tfs", version: "1.0" };
const UPDATED: Kind = Kind { event_type: "git.pullrequest.updated", publisher: "tfs", version: "1.0" };
const COMMENTED: Kind =
    Kind { event_type: "ms.vss-code.git-pullrequest-comment-event", publisher: "tfs", version: "2.0" };

fn entity(record: &PullRequestRecord) -> String {
    format!("git/repositories/{}/pullRequests/{}", record.repository, record.id)
}

/// Members that the record has as they are now; nobody knows them as they were before the request ended.
///
/// Source: `GitPullRequest` (Git 7.1): one state, and no history of it.
const LATER: [&str; 7] = [
    "closedDate",
    "closedBy",
    "lastMergeCommit",
    "lastMergeSourceCommit",
    "lastMergeTargetCommit",
    "mergeStatus",
    "reviewers",
];

/// The pull request as it was while it was open, as far as that is known.
fn while_open(record: &PullRequestRecord) -> Value {
    let mut resource = object(&record.json);
    if let Value::Object(members) = &mut resource {
        members.retain(|name, _| !LATER.contains(&name.as_str()));
    }
    resource["status"] = "active".into();
    resource
}

/// The head that was proposed when the request was opened.
pub(crate) fn proposed(iterations: &[Iteration]) -> Option<String> {
    iterations.iter().find(|iteration| iteration.id == 1).map(|first| first.source_commit.clone())
}

/// `git.pullrequest.created`; `head` is what was proposed, where that is known.
pub(crate) fn opened(home: Home<'_>, record: &PullRequestRecord, head: Option<&str>) -> Composed {
    let mut resource = while_open(record);
    if let Some(head) = head {
        resource["lastMergeSourceCommit"] = json!({"commitId": head});
    }
    home.compose(CREATED, record.created, entity(record), resource)
}

/// `git.pullrequest.updated`, of one that was completed or abandoned.
pub(crate) fn closed(home: Home<'_>, record: &PullRequestRecord) -> Option<Composed> {
    let at = record.closed?;
    let is_over = ["completed", "abandoned"].iter().any(|word| record.status.eq_ignore_ascii_case(word));
    let composed = is_over.then(|| home.compose(UPDATED, at, entity(record), &record.json))?;
    Some(Composed { reason: Some(UpdateReason::StatusUpdateNotification), ..composed })
}

/// `git.pullrequest.updated`, of a push to its source branch: the pull request as it was then, as far as that is known.
pub(crate) fn pushed(home: Home<'_>, record: &PullRequestRecord, iteration: &Iteration) -> Composed {
    let mut resource = while_open(record);
    resource["lastMergeSourceCommit"] = json!({"commitId": iteration.source_commit});
    // Azure sends none; it is all that tells this push from another one of the same commit.
    resource["iterationId"] = iteration.id.into();
    let composed = home.compose(UPDATED, iteration.created, entity(record), resource);
    Composed { reason: Some(UpdateReason::PushNotification), ..composed }
}

/// The comment's event; what Azure says itself in a thread (that somebody voted) is no comment.
pub(crate) fn commented(home: Home<'_>, record: &PullRequestRecord, comment: &CommentRecord) -> Option<Composed> {
    if comment.comment_type.eq_ignore_ascii_case("system") {
        return None;
    }
    let mut own = object(&comment.json);
    if !own["_links"].is_object() {
        own["_links"] = json!({});
    }
    // A hook names the thread nowhere but here.
    let thread = home.address(&format!("_apis/{}/threads/{}", entity(record), comment.thread));
    own["_links"]["self"] = json!({"href": format!("{thread}/comments/{}", comment.id)});
    own["_links"]["threads"] = json!({"href": thread});
    // A request can be commented before and after its end.
    let mut pull = while_open(record);
    pull["status"] = Value::Null;
    let resource = json!({"comment": own, "pullRequest": pull});
    Some(home.compose(COMMENTED, comment.last_updated, entity(record), resource))
}
