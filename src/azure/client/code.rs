//! What is in a repository: commits, what a name means there, what two revisions differ by.

use super::Failure;
use async_trait::async_trait;
use jiff::Timestamp;

/// Most commits between two revisions that are given.
pub const COMMITS_MAX: usize = 1_000;
/// Most paths of one commit, or between two revisions, that are given.
pub const PATHS_MAX: usize = 5_000;

/// What names a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// A branch by its short name: where it is now.
    Branch(String),
    /// A tag by its short name: the commit that it marks, through an annotation if it has one.
    Tag(String),
    /// A commit by its whole id.
    Commit(String),
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRecord {
    /// 40 hexadecimal digits.
    pub id: String,
    /// Who wrote it, as Git says.
    pub author: Option<String>,
    /// The author's mail address.
    pub author_email: Option<String>,
    /// When it was written.
    pub authored: Option<Timestamp>,
    /// When it came into this history: later than `authored` after a rebase.
    pub committed: Option<Timestamp>,
    /// The message; lists have only its beginning, and say so by `is_comment_cut`.
    pub comment: String,
    /// Whether the message goes on.
    pub is_comment_cut: bool,
    /// Ids of its parents; Azure's lists do not say them, so they are empty there.
    pub parents: Vec<String>,
}

/// Commits, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Commits {
    /// At most [`COMMITS_MAX`].
    pub commits: Vec<CommitRecord>,
    /// Whether there are older ones that are not given.
    pub cut: bool,
}

/// Changed files, sorted, each once; of a renamed file the old path too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    /// At most [`PATHS_MAX`], each beginning with `/`.
    pub paths: Vec<String>,
    /// Whether there are others that are not given.
    pub cut: bool,
}

/// Calls for what is in a repository, a part of [`AzureDevOps`](super::AzureDevOps); all need scope Code (Read).
#[async_trait]
pub trait Code: Send + Sync {
    /// The commit of this id. `None` also if the repository is not there: Azure answers both alike.
    async fn commit(&self, project: &str, repository: &str, sha: &str) -> Result<Option<CommitRecord>, Failure>;

    /// The commit that a name means now; `None` if it means none.
    async fn resolve(&self, project: &str, repository: &str, version: &Version) -> Result<Option<String>, Failure>;

    /// Commits that are reachable from `target` and not from `base`; without a base, all that are reachable.
    async fn commits_between(
        &self,
        project: &str,
        repository: &str,
        base: Option<&str>,
        target: &str,
    ) -> Result<Commits, Failure>;

    /// What one commit changed.
    async fn changed_paths(&self, project: &str, repository: &str, sha: &str) -> Result<Paths, Failure>;

    /// What changed on the way from `base` to `target`: since their common ancestor if they have parted.
    async fn diff_paths(&self, project: &str, repository: &str, base: &str, target: &str) -> Result<Paths, Failure>;
}
