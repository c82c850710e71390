//! Pull requests and their comments. Source: captured pull requests; Git 7.2 of vsts-rest-api-specs.

use super::{
    Identity, Links,
    git::{Commit, Repository},
};
use crate::azure::lenient::{Flag, Int, List, Object, Text};
use serde::Deserialize;

/// `git.pullrequest.*`. Rendered when it is delivered: it may already be further on than the event.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct PullRequest<'a> {
    /// Unique in the collection.
    pub pull_request_id: Int,
    /// active, abandoned, completed.
    pub status: Text<'a>,
    /// Who opened it.
    pub created_by: Identity<'a>,
    /// When.
    pub creation_date: Text<'a>,
    /// Who completed or abandoned it; not always there.
    pub closed_by: Identity<'a>,
    /// When; not always there.
    pub closed_date: Text<'a>,
    /// Title.
    pub title: Text<'a>,
    /// Description.
    pub description: Text<'a>,
    /// From which branch.
    pub source_ref_name: Text<'a>,
    /// Into which branch.
    pub target_ref_name: Text<'a>,
    /// queued, conflicts, succeeded, rejectedByPolicy, failure.
    pub merge_status: Text<'a>,
    /// Whether it is a draft.
    pub is_draft: Flag,
    /// Head of the source branch.
    pub last_merge_source_commit: Object<Commit<'a>>,
    /// Head of the target branch.
    pub last_merge_target_commit: Object<Commit<'a>>,
    /// The merge, or the try of it.
    pub last_merge_commit: Object<Commit<'a>>,
    /// The try of the merge that these are of.
    pub merge_id: Text<'a>,
    /// Of one from a fork: where its source branch is.
    pub fork_source: Object<ForkSource<'a>>,
    /// Of one that was composed from a record: which push to its source branch this tells. Azure sends none.
    pub iteration_id: Int,
    /// Of the same: for which time its head was pushed, from 1. Azure sends none.
    pub visit: Int,
    /// Reviewers and their votes.
    pub reviewers: List<Object<Reviewer<'a>>>,
    /// Labels.
    pub labels: List<Object<super::Named<'a>>>,
    /// The repository.
    pub repository: Object<Repository<'a>>,
}

/// `forkSource`. Source: `GitForkRef`, Git 7.1 of vsts-rest-api-specs.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct ForkSource<'a> {
    /// The fork.
    pub repository: Object<Repository<'a>>,
}

/// A reviewer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Reviewer<'a> {
    /// Identity's GUID.
    pub id: Text<'a>,
    /// What people call it.
    pub display_name: Text<'a>,
    /// Account.
    pub unique_name: Text<'a>,
    /// 10 approved, 5 with suggestions, 0 none, -5 waits for the author, -10 rejected.
    pub vote: Int,
    /// Whether the vote counts.
    pub is_required: Flag,
    /// Whether it is a group: its vote is that of whoever votes for it.
    pub is_container: Flag,
}

/// `ms.vss-code.git-pullrequest-comment-event` at resource version 2.0; at 1.0 the resource is the comment itself
/// (go-azuredevops has one that was captured).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct CommentEvent<'a> {
    /// The comment.
    pub comment: Object<Comment<'a>>,
    /// What it is about.
    pub pull_request: Object<PullRequest<'a>>,
}

/// A comment; new, edited or deleted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Comment<'a> {
    /// Counted in its thread.
    pub id: Int,
    /// The comment it answers.
    pub parent_comment_id: Int,
    /// Who.
    pub author: Identity<'a>,
    /// The text.
    pub content: Text<'a>,
    /// When it was written.
    pub published_date: Text<'a>,
    /// When it was last changed.
    pub last_updated_date: Text<'a>,
    /// text, system, codeChange.
    pub comment_type: Text<'a>,
    /// Whether it was deleted.
    pub is_deleted: Flag,
    /// The only place that names the thread.
    #[serde(rename = "_links")]
    pub links: Object<Links<'a>>,
}
