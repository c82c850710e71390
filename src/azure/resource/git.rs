//! Pushes and repositories. Source: captured pushes; the page "Service hooks events" for the repository events.

use super::{Identity, Project};
use crate::azure::lenient::{Flag, Int, List, Object, Text};
use serde::Deserialize;

/// A Git repository.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Repository<'a> {
    /// Its GUID.
    pub id: Text<'a>,
    /// Its name, which can change.
    pub name: Text<'a>,
    /// Its REST address.
    pub url: Text<'a>,
    /// Where it is.
    pub project: Object<Project<'a>>,
    /// With `refs/heads/`.
    pub default_branch: Text<'a>,
    /// Where it is cloned from.
    pub remote_url: Text<'a>,
    /// The page for people.
    pub web_url: Text<'a>,
}

/// `git.push`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Push<'a> {
    /// Newest first; absent when the push brought no new ones, of all refs together, and not all of a big push.
    pub commits: List<Object<Commit<'a>>>,
    /// May be empty (argo-cd's advisory GHSA-gpx4-37g2-c8pv).
    pub ref_updates: List<Object<RefUpdate<'a>>>,
    /// The repository.
    pub repository: Object<Repository<'a>>,
    /// Who.
    pub pushed_by: Identity<'a>,
    /// Unique in the repository.
    pub push_id: Int,
    /// When.
    pub date: Text<'a>,
}

/// One ref of a push.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct RefUpdate<'a> {
    /// `refs/heads/…`, `refs/tags/…`.
    pub name: Text<'a>,
    /// All zeros for a new ref.
    pub old_object_id: Text<'a>,
    /// All zeros for a deleted ref; the tag object's id for an annotated tag.
    pub new_object_id: Text<'a>,
    /// Whether it was forced: seen in a test's payload alone (zulip), so that its absence says nothing.
    pub forced: Flag,
}

/// A commit.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Commit<'a> {
    /// Its hash.
    pub commit_id: Text<'a>,
    /// Who wrote it.
    pub author: Object<Signature<'a>>,
    /// Its message.
    pub comment: Text<'a>,
}

/// Who and when, as Git has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Signature<'a> {
    /// Name.
    pub name: Text<'a>,
    /// Mail address.
    pub email: Text<'a>,
    /// When.
    pub date: Text<'a>,
}

/// `git.repo.*`: one struct for the five, since they share most members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct RepositoryChange<'a> {
    /// Not of deleted and forked.
    pub repository: Object<Repository<'a>>,
    /// Of forked: the fork.
    pub target_repository: Object<Repository<'a>>,
    /// Of forked: what it was forked from.
    pub source_repository: Object<Repository<'a>>,
    /// Of deleted.
    pub project: Object<Project<'a>>,
    /// Of deleted.
    pub repository_id: Text<'a>,
    /// Of deleted.
    pub repository_name: Text<'a>,
    /// Of deleted: not even in the recycle bin.
    pub is_hard_delete: Flag,
    /// Of renamed.
    pub old_name: Text<'a>,
    /// Of renamed.
    pub new_name: Text<'a>,
    /// Of statuschanged.
    pub disabled: Flag,
    /// Who.
    pub initiated_by: Identity<'a>,
    /// When.
    pub utc_timestamp: Text<'a>,
}

/// `tfvc.checkin`; no project anywhere.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Checkin<'a> {
    /// The changeset's number, unique in the collection.
    pub changeset_id: Int,
    /// Who wrote it.
    pub author: Identity<'a>,
    /// Who checked it in.
    pub checked_in_by: Identity<'a>,
    /// When.
    pub created_date: Text<'a>,
    /// The message.
    pub comment: Text<'a>,
}
