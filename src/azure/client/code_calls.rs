//! Every call for what is in a repository, and what is read of its answer.
#![expect(clippy::struct_field_names, reason = "members are named as Azure names them")]

use super::{
    Code, CommitRecord, Commits, Failure, PageRequest, Paths, Version,
    call::Reply,
    calls::posted,
    code::{COMMITS_MAX, PATHS_MAX},
    engine::{Client, Paging, Part, SURELY_GIVEN},
    records_shapes::{date, needed, raw, text},
    wire::{self, Model},
};
use crate::azure::lenient::{Flag, List, Object, Text};
use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;

/// Refs of a page; those of the name's beginning are listed.
const REFS_MAX: u32 = 1_000;
/// Changed files of a page.
const CHANGES_MAX: usize = 1_000;

raw!(Signature<'a> {
    #[serde(borrow)] name: Text<'a>,
    #[serde(borrow)] email: Text<'a>,
    #[serde(borrow)] date: Text<'a>,
});

raw!(Commit<'a> {
    #[serde(borrow)] commit_id: Text<'a>,
    #[serde(borrow)] author: Object<Signature<'a>>,
    #[serde(borrow)] committer: Object<Signature<'a>>,
    #[serde(borrow)] comment: Text<'a>,
    comment_truncated: Flag,
    #[serde(borrow)] parents: List<Text<'a>>,
});

impl<'a> Model<'a> for Commit<'a> {
    type Into = CommitRecord;

    fn model(self) -> Result<CommitRecord, &'static str> {
        Ok(CommitRecord {
            id: needed(&self.commit_id, "commitId")?,
            author: text(&self.author.name),
            author_email: text(&self.author.email),
            authored: date(&self.author.date),
            committed: date(&self.committer.date),
            comment: text(&self.comment).unwrap_or_default(),
            is_comment_cut: self.comment_truncated.0.unwrap_or_default(),
            parents: self.parents.iter().filter_map(text).collect(),
        })
    }
}

raw!(Ref<'a> {
    #[serde(borrow)] name: Text<'a>,
    #[serde(borrow)] object_id: Text<'a>,
    #[serde(borrow)] peeled_object_id: Text<'a>,
});

impl<'a> Model<'a> for Ref<'a> {
    /// Its full name, and the commit.
    type Into = (String, String);

    fn model(self) -> Result<Self::Into, &'static str> {
        let object = text(&self.peeled_object_id).map_or_else(|| needed(&self.object_id, "objectId"), Ok)?;
        Ok((needed(&self.name, "name")?, object))
    }
}

raw!(Item<'a> {
    #[serde(borrow)] path: Text<'a>,
    #[serde(borrow)] git_object_type: Text<'a>,
    is_folder: Flag,
});

raw!(Change<'a> {
    #[serde(borrow)] item: Object<Item<'a>>,
    #[serde(borrow)] source_server_item: Text<'a>,
});

raw!(Changes<'a> {
    all_changes_included: Flag,
    #[serde(borrow)] changes: Option<List<Object<Change<'a>>>>,
});

/// Puts the changed files of an answer to the others. How many changes it listed, and whether Azure says that it has all.
fn gather(reply: &Reply, name: &'static str, found: &mut BTreeSet<String>) -> Result<(usize, bool), Failure> {
    let answer = wire::object::<Changes<'_>>(reply, name)?;
    let changes = answer.changes.ok_or_else(|| reply.unexpected(name, "changes is not a list"))?;
    for change in changes.iter() {
        let is_tree = change.item.is_folder.0 == Some(true) || change.item.git_object_type.as_str() == Some("tree");
        if !is_tree {
            found.extend([&change.item.path, &change.source_server_item].into_iter().filter_map(text));
        }
    }
    Ok((changes.len(), answer.all_changes_included.0 == Some(true)))
}

fn paths(found: BTreeSet<String>, is_rest_unread: bool) -> Paths {
    let cut = is_rest_unread || found.len() > PATHS_MAX;
    Paths { paths: found.into_iter().take(PATHS_MAX).collect(), cut }
}

impl Client {
    /// The object that a ref of this full name, less `refs/`, points to.
    async fn object_of(&self, at: (&str, &str), name: &str) -> Result<Option<String>, Failure> {
        let call = self.git("refs", at, &["refs"])?.with("filter", name).with("peelTags", "true");
        let full = format!("refs/{name}");
        let read = |reply: &Reply| {
            let refs = wire::list::<Ref<'_>>(reply, "refs")?;
            let listed = refs.listed;
            let items: Vec<String> =
                refs.into_iter().filter(|(name, _)| *name == full).map(|(_, object)| object).collect();
            Ok(Part { is_last: !items.is_empty(), items, listed })
        };
        let page = PageRequest { items_max: REFS_MAX, from: None };
        let found = self.parts(call, page, Paging::TokenOrSkip, read).await;
        Ok(if_there(found)?.and_then(|page| page.items.into_iter().next()))
    }
}

/// What is not there is no failure here.
fn if_there<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Failure::NotFound { .. }) => Ok(None),
        Err(failure) => Err(failure),
    }
}

#[async_trait]
impl Code for Client {
    async fn commit(&self, project: &str, repository: &str, sha: &str) -> Result<Option<CommitRecord>, Failure> {
        let call = self.git("the commit", (project, repository), &["commits", sha])?;
        let reply = if_there(self.ask(&call).await)?;
        reply.map(|reply| wire::one::<Commit<'_>>(&reply, call.name)).transpose()
    }

    async fn resolve(&self, project: &str, repository: &str, version: &Version) -> Result<Option<String>, Failure> {
        let at = (project, repository);
        match version {
            Version::Branch(name) => self.object_of(at, &format!("heads/{name}")).await,
            Version::Tag(name) => self.object_of(at, &format!("tags/{name}")).await,
            Version::Commit(sha) => Ok(self.commit(project, repository, sha).await?.map(|commit| commit.id)),
        }
    }

    async fn commits_between(
        &self,
        project: &str,
        repository: &str,
        base: Option<&str>,
        target: &str,
    ) -> Result<Commits, Failure> {
        let version = |sha: &str| json!({"version": sha, "versionType": "commit"});
        let mut commits: Vec<CommitRecord> = Vec::new();
        loop {
            let mut criteria = match base {
                // Azure walks from the compared version and leaves out what the item's has: GitQueryCommitsCriteria says
                // that compareVersion is where the walk starts.
                Some(base) => json!({"itemVersion": version(base), "compareVersion": version(target)}),
                None => json!({"itemVersion": version(target)}),
            };
            // The specification has the page in the query, and what is asked by has members for it as well; which of the two
            // the service reads nobody has recorded. Source: `Commits - Get Commits Batch` and `GitQueryCommitsCriteria` of
            // Git 7.1.
            let (top, skip) = (SURELY_GIVEN, commits.len());
            criteria["$top"] = top.into();
            criteria["$skip"] = skip.into();
            let call = posted(self.git("commits", (project, repository), &["commitsbatch"])?, &criteria);
            let call = call.with("$top", &top.to_string()).with("$skip", &skip.to_string());
            let reply = self.ask(&call).await?;
            let wire::Listed { items: page, listed } = wire::list::<Commit<'_>>(&reply, call.name)?;
            if page.first().is_some_and(|first| commits.contains(first)) {
                return Err(reply.unexpected(call.name, "a page repeats, so the list would never end"));
            }
            if page.iter().any(|commit| Some(commit.id.as_str()) == base) {
                return Err(reply.unexpected(call.name, "what lies after a commit has the commit itself"));
            }
            let is_last = listed < SURELY_GIVEN;
            commits.extend(page);
            if is_last || commits.len() > COMMITS_MAX {
                let cut = commits.len() > COMMITS_MAX;
                commits.truncate(COMMITS_MAX);
                return Ok(Commits { commits, cut });
            }
        }
    }

    async fn changed_paths(&self, project: &str, repository: &str, sha: &str) -> Result<Paths, Failure> {
        let (mut found, mut skipped) = (BTreeSet::new(), 0);
        loop {
            let call = self
                .git("changes", (project, repository), &["commits", sha, "changes"])?
                .with("top", &CHANGES_MAX.to_string())
                .with("skip", &skipped.to_string());
            let (listed, _) = gather(&self.ask(&call).await?, call.name, &mut found)?;
            skipped += listed;
            let is_last = listed < SURELY_GIVEN;
            if is_last || skipped > PATHS_MAX {
                return Ok(paths(found, !is_last));
            }
        }
    }

    async fn diff_paths(&self, project: &str, repository: &str, base: &str, target: &str) -> Result<Paths, Failure> {
        let (mut found, mut skipped) = (BTreeSet::new(), 0);
        loop {
            let call = self
                .git("the difference", (project, repository), &["diffs", "commits"])?
                .with("baseVersion", base)
                .with("baseVersionType", "commit")
                .with("targetVersion", target)
                .with("targetVersionType", "commit")
                .with("diffCommonCommit", "true")
                .with("$top", &CHANGES_MAX.to_string())
                .with("$skip", &skipped.to_string());
            let (listed, is_all) = gather(&self.ask(&call).await?, call.name, &mut found)?;
            skipped += listed;
            let is_last = is_all || listed == 0;
            if is_last || skipped > PATHS_MAX {
                return Ok(paths(found, !is_last));
            }
        }
    }
}
