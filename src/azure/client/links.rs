//! Which things belong together: pull requests of commits, work items of pull requests, work items of each other.

use super::{CommitRecord, Failure, RevisionsFrom};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A pull request, with what its reviewers did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestDetail {
    /// Its number, unique in the collection.
    pub number: i64,
    /// Its title.
    pub title: String,
    /// Its description; lists have only its beginning.
    pub description: Option<String>,
    /// `active`, `completed`, `abandoned`.
    pub status: String,
    /// Whether it is not meant to be merged yet.
    pub is_draft: bool,
    /// Who made it: the account's name, else the one for people.
    pub author: Option<String>,
    /// Full name of the ref that it comes from.
    pub source: Option<String>,
    /// Full name of the ref that it goes to.
    pub target: Option<String>,
    /// The head of what it brings.
    pub source_commit: Option<String>,
    /// The commit that its merge made, or the last attempt at it.
    pub merge_commit: Option<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was completed or abandoned.
    pub closed: Option<Timestamp>,
    /// Its labels, in Azure's order.
    pub labels: Vec<String>,
    /// Who reviews it, people and groups.
    pub reviewers: Vec<Reviewer>,
}

/// A reviewer of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewer {
    /// The account's name, else the one for people.
    pub name: String,
    /// 10 approved, 5 with suggestions, 0 none, -5 waits for the author, -10 rejected.
    pub vote: i64,
}

/// A work item as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItemRecord {
    /// Its number, unique in the collection.
    pub id: i64,
    /// Its revision, from 1.
    pub rev: i64,
    /// `Bug` and the like.
    pub item_type: String,
    /// Its title.
    pub title: String,
    /// Its state, as the process names it.
    pub state: String,
    /// Whom it is assigned to: the account's name, else the one for people.
    pub assigned_to: Option<String>,
    /// Its area.
    pub area: Option<String>,
    /// Its tags, in Azure's order.
    pub tags: Vec<String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last changed.
    pub changed: Option<Timestamp>,
}

/// A link between two work items that came, went or got another comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkRecord {
    /// The numbers of both.
    pub ends: [i64; 2],
    /// When.
    pub changed: Option<Timestamp>,
}

/// A stretch of all links.
#[derive(Debug)]
pub struct LinkRecords {
    /// In the order in which they were changed.
    pub values: Vec<LinkRecord>,
    /// Where to read on.
    pub next: String,
    /// Whether there was no more when it was read.
    pub is_last: bool,
}

/// Calls for what belongs together, a part of [`AzureDevOps`](super::AzureDevOps).
#[async_trait]
pub trait Links: Send + Sync {
    /// The completed pull requests that brought each of these commits, and those whose merge made it; a commit without any
    /// is not named. Scope Code (Read).
    async fn pull_requests_of(
        &self,
        project: &str,
        repository: &str,
        shas: &[String],
    ) -> Result<BTreeMap<String, Vec<PullRequestDetail>>, Failure>;

    /// When somebody other than its author first voted on a pull request or wrote a comment; the author as
    /// [`PullRequestDetail::author`] has it. Services are nobody, nor are these bots, by account or name. Scope Code (Read).
    async fn first_review(
        &self,
        project: &str,
        repository: &str,
        number: i64,
        author: Option<&str>,
        bots: &[String],
    ) -> Result<Option<Timestamp>, Failure>;

    /// The commits that a pull request brings or brought, the newest first: also where they were squashed, and after its
    /// branch is gone. Messages can be cut. Scope Code (Read).
    async fn pull_request_commits(
        &self,
        project: &str,
        repository: &str,
        number: i64,
    ) -> Result<Vec<CommitRecord>, Failure>;

    /// Numbers of the work items that are linked with a pull request, as Azure lists them. Scope Code (Read).
    async fn pull_request_work_items(&self, project: &str, repository: &str, number: i64) -> Result<Vec<i64>, Failure>;

    /// Work items of any project, in the order asked for; those that are not there, or not to be seen, are left out.
    /// Scope Work items (Read).
    async fn work_items(&self, ids: &[i64]) -> Result<Vec<WorkItemRecord>, Failure>;

    /// Links between work items with an end in a project. They are in no revision and have no date there, at either end:
    /// only here is seen whose were changed. Scope Work items (Read).
    async fn work_item_links(&self, project: &str, from: &RevisionsFrom) -> Result<LinkRecords, Failure>;
}
