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

/// `git.pullrequest.created`.
pub(crate) fn opened(home: Home<'_>, record: &PullRequestRecord) -> Composed {
    home.compose(CREATED, record.created, entity(record), &record.json)
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
    let mut resource = object(&record.json);
    if let Value::Object(members) = &mut resource {
        for later in ["closedDate", "closedBy", "lastMergeCommit", "mergeStatus"] {
            members.remove(later);
        }
    }
    resource["status"] = "active".into();
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
    let resource = json!({"comment": own, "pullRequest": object(&record.json)});
    Some(home.compose(COMMENTED, comment.last_updated, entity(record), resource))
}
