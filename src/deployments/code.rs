//! What lies between two commits can never change: it is asked of Azure DevOps once, and remembered for the other code
//! deployments and environments that reach the same.

use crate::{
    azure::client::{AzureDevOps, Commits, Failure, Paths},
    domain::{ConnectionId, Deployment},
};
use quick_cache::{Weighter, sync::Cache};
use std::{fmt, sync::Arc};

/// Most memory for all that is remembered, about.
const MEMORY_BYTES_MAX: u64 = 32 << 20;
/// So many answers are expected in it: a guess, which limits nothing.
const ANSWERS: usize = 4_096;

/// Commits by their names, which are hashes of all that is behind them; and who was asked, since not everybody may see
/// everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    connection: ConnectionId,
    repository: String,
    base: Option<String>,
    target: String,
}

/// By key, of two kinds.
pub(super) struct Remembered {
    commits: Cache<Key, Arc<Commits>, Bytes>,
    paths: Cache<Key, Arc<Paths>, Bytes>,
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("commits", &self.commits.len()).field("paths", &self.paths.len()).finish()
    }
}

impl Default for Remembered {
    fn default() -> Self {
        let half = MEMORY_BYTES_MAX / 2;
        Self { commits: Cache::with_weighter(ANSWERS, half, Bytes), paths: Cache::with_weighter(ANSWERS, half, Bytes) }
    }
}

/// About what an answer takes in memory.
#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Commits>> for Bytes {
    fn weight(&self, _: &Key, commits: &Arc<Commits>) -> u64 {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let one = |own: &crate::azure::client::CommitRecord| {
            300 + own.comment.len() + text(&own.author) + text(&own.author_email)
        };
        400 + commits.commits.iter().map(one).sum::<usize>() as u64
    }
}

impl Weighter<Key, Arc<Paths>> for Bytes {
    fn weight(&self, _: &Key, paths: &Arc<Paths>) -> u64 {
        400 + paths.paths.iter().map(|path| 40 + path.len()).sum::<usize>() as u64
    }
}

/// The code of a deployment, as its connection sees it.
pub(super) struct Code<'a> {
    azure: &'a dyn AzureDevOps,
    remembered: &'a Remembered,
    deployment: &'a Deployment,
}

impl<'a> Code<'a> {
    pub(super) fn new(azure: &'a dyn AzureDevOps, remembered: &'a Remembered, deployment: &'a Deployment) -> Self {
        Self { azure, remembered, deployment }
    }

    fn key(&self, base: Option<&str>) -> Key {
        Key {
            connection: self.deployment.connection,
            repository: self.deployment.repository.to_lowercase(),
            base: base.map(str::to_owned),
            target: self.deployment.revision.clone(),
        }
    }

    /// The commits of the revision that `base` does not have, newest first; without a base the revision's own commit.
    pub(super) async fn commits(&self, base: Option<&str>) -> Result<Arc<Commits>, Failure> {
        let (project, repository) = (&self.deployment.azure_project, &self.deployment.repository);
        let revision = &self.deployment.revision;
        let key = self.key(base);
        if let Some(commits) = self.remembered.commits.get(&key) {
            return Ok(commits);
        }
        let commits = if base.is_some() {
            self.azure.commits_between(project, repository, base, revision).await?
        } else {
            let own = self.azure.commit(project, repository, revision).await?;
            // One that is not there yet can be there later.
            let Some(own) = own else { return Ok(Arc::new(Commits::default())) };
            Commits { commits: vec![own], cut: false }
        };
        let commits = Arc::new(commits);
        self.remembered.commits.insert(key, Arc::clone(&commits));
        Ok(commits)
    }

    /// The paths that changed on the way from `base` to the revision; without a base those that its own commit changed.
    pub(super) async fn paths(&self, base: Option<&str>) -> Result<Arc<Paths>, Failure> {
        let (project, repository) = (&self.deployment.azure_project, &self.deployment.repository);
        let revision = &self.deployment.revision;
        let key = self.key(base);
        if let Some(paths) = self.remembered.paths.get(&key) {
            return Ok(paths);
        }
        let paths = Arc::new(match base {
            Some(base) => self.azure.diff_paths(project, repository, base, revision).await?,
            None => self.azure.changed_paths(project, repository, revision).await?,
        });
        self.remembered.paths.insert(key, Arc::clone(&paths));
        Ok(paths)
    }
}
