//! How a pull request is completed: in each of the ways that Azure DevOps offers.

use super::{
    Commit, GitRef, Impossible, RefChange, World,
    git::RefUpdate,
    pull_request::{MERGED, PullRequest, UPDATED},
};
use serde::Deserialize;
use std::collections::BTreeSet;
use uuid::Uuid;

/// How a pull request is merged. Source: `GitPullRequestMergeStrategy` of the REST reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MergeStrategy {
    /// A merge of two parents; nothing else is changed.
    #[default]
    NoFastForward,
    /// One commit with everything; the source's own commits stay outside.
    Squash,
    /// The source's commits are written once more on top of the target.
    Rebase,
    /// The same, and a merge of two parents over them.
    RebaseMerge,
}

impl MergeStrategy {
    /// Azure's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoFastForward => "noFastForward",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
            Self::RebaseMerge => "rebaseMerge",
        }
    }
}

impl World {
    /// Merges it: a push to the target, and the pull request is completed.
    pub(crate) fn complete(
        &mut self,
        number: u32,
        by: Uuid,
        strategy: MergeStrategy,
        deletes_source: bool,
    ) -> Result<(), Impossible> {
        let own = self.active(number)?.clone();
        let now = self.now;
        let repository = self.repository_mut(own.repository)?;
        let target = repository.tip(&own.target).map(str::to_owned);
        let old = target.ok_or_else(|| Impossible::Absent(format!("ref {}", own.target)))?;
        let merge = self.merge(&own, by, strategy, &old)?;
        let repository = self.repository_mut(own.repository)?;
        repository.refs.insert(own.target.clone(), GitRef { object: merge.clone(), creator: by });
        let brought = repository.ahead(&merge, &old).into_iter().map(|commit| commit.id.clone()).collect();
        let own = self.active(number)?;
        (own.status, own.closed, own.strategy) = ("completed", Some((now, by)), Some(strategy));
        (own.merge_status, own.merge_commit) = ("succeeded", Some(merge.clone()));
        let (id, source, target) = (own.fork.unwrap_or(own.repository), own.source.clone(), own.target.clone());
        let into = own.repository;
        own.target_commit.clone_from(&old);
        self.pushed(into, by, vec![RefUpdate { name: target, old, new: merge }], brought);
        self.pull_request_event(MERGED, number, "merged", &[("mergeResult", "Succeeded")]);
        self.pull_request_event(UPDATED, number, "completed", &[("notificationType", "StatusUpdateNotification")]);
        if deletes_source {
            self.push(id, by, &[RefChange::Delete { name: source }])?;
        }
        Ok(())
    }

    /// What the target points to then.
    fn merge(&mut self, own: &PullRequest, by: Uuid, strategy: MergeStrategy, old: &str) -> Result<String, Impossible> {
        let comment = format!("Merged PR {}: {}", own.number, own.title);
        let repository = self.repository_mut(own.repository)?;
        let mut new: Vec<_> = repository.ahead(&own.source_commit, old).into_iter().cloned().collect();
        new.reverse();
        let is_merge = |commit: &Commit| commit.parents.len() > 1;
        let of = |changes: &[(String, &'static str)]| -> Vec<String> {
            changes.iter().map(|(path, _)| path.clone()).collect()
        };
        let all: BTreeSet<String> = new.iter().flat_map(|commit| of(&commit.changes)).collect();
        let all: Vec<String> = all.into_iter().collect();
        let mut tip = old.to_owned();
        if matches!(strategy, MergeStrategy::Rebase | MergeStrategy::RebaseMerge) {
            for commit in new.iter().filter(|commit| !is_merge(commit)) {
                let again =
                    self.commit(own.repository, commit.author, &commit.comment, &of(&commit.changes), vec![tip])?;
                if let Some(made) = self.repository_mut(own.repository)?.commits.get_mut(&again) {
                    made.authored = commit.authored;
                }
                tip = again;
            }
        }
        let parents = match strategy {
            MergeStrategy::Rebase => return Ok(tip),
            MergeStrategy::NoFastForward => vec![old.to_owned(), own.source_commit.clone()],
            MergeStrategy::Squash => vec![old.to_owned()],
            MergeStrategy::RebaseMerge => vec![old.to_owned(), tip],
        };
        self.commit(own.repository, by, &comment, &all, parents)
    }
}
