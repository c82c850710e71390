//! Runs that are of no branch, that other runs started, that take others' artifacts, and that check out several repositories.

use super::{Impossible, World};
use uuid::Uuid;

/// A run as others refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunOf {
    pub(crate) number: u32,
    /// The name that people see.
    pub(crate) name: String,
    /// Number and name of its pipeline.
    pub(crate) definition: (u32, String),
    pub(crate) project: Uuid,
}

/// The run that started another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub(crate) run: RunOf,
    pub(crate) how: StartedBy,
}

/// How a run starts another one. Not recorded is whether a build that a pipeline resource started names the other one in
/// `triggeredByBuild`, or in `triggerInfo` alone: it can be either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartedBy {
    /// A build completion trigger.
    Completion,
    /// A pipeline resource, and `triggeredByBuild` says so, too.
    Resource,
    /// A pipeline resource, which `triggerInfo` alone tells.
    ResourceInfo,
}

impl StartedBy {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Completion => "buildCompletion",
            Self::Resource | Self::ResourceInfo => "resourceTrigger",
        }
    }
}

/// A repository that a run checks out besides its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckedOut {
    pub(crate) alias: String,
    pub(crate) repository: Uuid,
    pub(crate) reference: String,
    pub(crate) commit: String,
}

impl World {
    /// The ref and the commit of a branch by its short name, of a tag by its full one, or of the test merge of a pull request
    /// as `refs/pull/N/merge`.
    pub(super) fn source_of(&mut self, repository: Uuid, name: &str) -> Result<(String, String), Impossible> {
        let full = if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") };
        let tried = full.strip_prefix("refs/pull/").and_then(|rest| rest.split('/').next()?.parse::<u32>().ok());
        let commit = match tried.and_then(|number| self.pull_requests.get(&number)) {
            // Until somebody has tried to merge it there is nothing but what it brings.
            Some(own) => Some(own.merge_commit.clone().unwrap_or_else(|| own.source_commit.clone())),
            None => self.repository_mut(repository)?.tip(&full).map(str::to_owned),
        };
        let commit = commit.ok_or_else(|| Impossible::Absent(format!("branch {name}")))?;
        Ok((full, commit))
    }

    fn run_of(&self, number: u32) -> Result<RunOf, Impossible> {
        let absent = || Impossible::Absent(format!("build {number}"));
        let build = self.builds.get(&number).ok_or_else(absent)?;
        let definition = self.definitions.get(&build.definition).ok_or_else(absent)?;
        Ok(RunOf {
            number,
            name: build.name(),
            definition: (definition.id, definition.name.clone()),
            project: definition.project,
        })
    }

    /// A build that another one starts, of a branch of its own pipeline.
    pub(crate) fn queue_started(
        &mut self,
        definition: u32,
        branch: &str,
        by: (u32, StartedBy),
        person: Uuid,
    ) -> Result<u32, Impossible> {
        let run = self.run_of(by.0)?;
        let number = self.queue_build(definition, branch, by.1.reason(), person)?;
        let build = self.build_mut(number)?;
        if by.1 != StartedBy::Completion {
            build.taken.push(("app".to_owned(), run.clone()));
        }
        build.trigger = Some(Trigger { run, how: by.1 });
        Ok(number)
    }

    /// A build takes what another one published.
    pub(crate) fn take(&mut self, number: u32, from: u32) -> Result<(), Impossible> {
        let run = self.run_of(from)?;
        let build = self.build_mut(number)?;
        build.taken.push((format!("app{}", build.taken.len() + 1), run));
        Ok(())
    }

    /// A build checks out another repository, too, as its branch or tag is now.
    pub(crate) fn check_out(&mut self, number: u32, repository: Uuid, name: &str) -> Result<(), Impossible> {
        let (reference, commit) = self.source_of(repository, name)?;
        let build = self.build_mut(number)?;
        let alias = format!("repository{}", build.others.len() + 1);
        build.others.push(CheckedOut { alias, repository, reference, commit });
        Ok(())
    }
}
