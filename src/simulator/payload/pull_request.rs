//! Pull requests and their comments.

use super::{View, git, present};
use crate::simulator::world::{Comment, PullRequest, Repository, Reviewer, Vote, World};
use serde_json::{Value, json};

/// The pull request of this number, if its repository is still there.
pub(crate) fn of(view: View<'_>, world: &World, number: u32) -> Option<Value> {
    shown(view, world, world.pull_requests.get(&number)?)
}

/// The same of one that is at hand.
pub(crate) fn shown(view: View<'_>, world: &World, own: &PullRequest) -> Option<Value> {
    let repository = world.repository_of(own.repository)?;
    let project = world.project_of(repository.project);
    let page = git::web_url(view, repository, project);
    let mut shown = pull_request(view, own, repository, git::repository(view, repository, project), &page);
    if let Some(fork) = own.fork.and_then(|fork| world.repository_of(fork)) {
        let of = git::repository(view, fork, world.project_of(fork.project));
        shown["forkSource"] = json!({"name": own.source, "objectId": own.source_commit, "repository": of});
    }
    Some(shown)
}

/// A pull request; `of` is its repository's JSON, `page` the repository's page.
pub(crate) fn pull_request(view: View<'_>, own: &PullRequest, repository: &Repository, of: Value, page: &str) -> Value {
    let base = git::url(view, repository);
    let url = format!("{base}/pullRequests/{}", own.number);
    let commit = |id: &str| json!({"commitId": id, "url": format!("{base}/commits/{id}")});
    present(json!({
        "repository": of,
        "pullRequestId": own.number,
        "codeReviewId": own.number,
        "status": own.status,
        "createdBy": view.person(own.by),
        "creationDate": own.created.to_string(),
        "closedDate": own.closed.map(|(at, _)| at.to_string()),
        "closedBy": own.closed.map(|(_, by)| view.person(by)),
        "title": own.title,
        "description": own.description,
        "sourceRefName": own.source,
        "targetRefName": own.target,
        "mergeStatus": own.merge_status,
        "isDraft": own.is_draft,
        "mergeId": own.merge_id,
        "lastMergeSourceCommit": commit(&own.source_commit),
        "lastMergeTargetCommit": commit(&own.target_commit),
        "lastMergeCommit": own.merge_commit.as_deref().map(commit),
        "reviewers": own.reviewers.iter().map(|reviewer| self::reviewer(view, reviewer, &url)).collect::<Vec<_>>(),
        "url": url,
        "_links": {
            "web": {"href": format!("{page}/pullrequest/{}", own.number)},
            "statuses": {"href": format!("{url}/statuses")},
        },
        "completionOptions": own.strategy.map(|own| json!({"mergeStrategy": own.word()})),
        "supportsIterations": true,
        "artifactId": artifact(own, repository),
    }))
}

/// What work items are linked with it by.
pub(crate) fn artifact(own: &PullRequest, repository: &Repository) -> String {
    format!("vstfs:///Git/PullRequestId/{}%2f{}%2f{}", repository.project, repository.id, own.number)
}

pub(crate) fn reviewer(view: View<'_>, reviewer: &Reviewer, url: &str) -> Value {
    let mut value = view.person(reviewer.person);
    value["reviewerUrl"] = format!("{url}/reviewers/{}", reviewer.person).into();
    value["vote"] = reviewer.vote.into();
    value["isRequired"] = reviewer.is_required.into();
    value["isContainer"] = false.into();
    value["hasDeclined"] = false.into();
    value["isFlagged"] = false.into();
    value
}

/// A comment as threads have it.
pub(crate) fn comment(view: View<'_>, comment: &Comment) -> Value {
    let at = comment.at.to_string();
    json!({
        "id": 1,
        "parentCommentId": 0,
        "author": view.person(comment.by),
        "content": comment.text,
        "publishedDate": at,
        "lastUpdatedDate": at,
        "lastContentUpdatedDate": at,
        "commentType": "text",
        "usersLiked": [],
    })
}

/// A comment as the hook has it: its thread is only in a link.
pub(crate) fn hook_comment(view: View<'_>, own: &PullRequest, comment: &Comment) -> Value {
    let repository = format!("{}/_apis/git/repositories/{}", view.base(), own.repository);
    let thread = format!("{repository}/pullRequests/{}/threads/{}", own.number, comment.thread);
    let mut value = self::comment(view, comment);
    value["_links"] = json!({
        "self": {"href": format!("{thread}/comments/1")},
        "repository": {"href": repository},
        "threads": {"href": thread},
        "pullRequests": {"href": format!("{}/_apis/git/pullRequests/{}", view.base(), own.number)},
    });
    value
}

/// A thread of one comment.
pub(crate) fn thread(view: View<'_>, own: &Comment) -> Value {
    let at = own.at.to_string();
    json!({
        "id": own.thread,
        "publishedDate": at,
        "lastUpdatedDate": at,
        "comments": [comment(view, own)],
        "status": "active",
        "threadContext": null,
        "isDeleted": false,
    })
}

/// The thread that Azure writes of a vote.
pub(crate) fn vote_thread(view: View<'_>, own: &Vote) -> Value {
    let word = |value: String| json!({"$type": "System.String", "$value": value});
    let said = Comment { thread: own.thread, by: own.by, text: format!("voted {}", own.value), at: own.at };
    let mut value = thread(view, &said);
    value["comments"][0]["commentType"] = "system".into();
    value["properties"] = json!({
        "CodeReviewThreadType": word("VoteUpdate".to_owned()),
        "CodeReviewVotedByTfId": word(own.by.to_string()),
        "CodeReviewVoteResult": word(own.value.to_string()),
    });
    value
}
