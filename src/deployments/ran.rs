//! The sources of a run, as far as events name them, and which of them a rule takes: pure.

use super::paths;
use crate::{
    azure::client::RunPipeline,
    domain::{AzureRef, BranchRule, Deployment, Revision},
};

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
const PULLS: &str = "refs/pull/";
/// Why a run began that stands for the code that it checked out, whatever artifacts it takes besides.
///
/// Source: `BuildReason` of Build 7.2.
const BY_CODE: [&str; 5] = ["individualCI", "batchedCI", "pullRequest", "checkInShelveset", "validateShelveset"];

/// One state of one repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// Id and name of the repository.
    pub(super) repository: [Option<String>; 2],
    /// The full name of the ref.
    pub(super) reference: Option<String>,
    /// The commit.
    pub(super) commit: Option<String>,
}

/// A run of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ran {
    /// The project.
    pub(super) project: String,
    /// The number; nothing where no run deployed.
    pub(super) number: Option<i64>,
    /// The number of its pipeline.
    pub(super) pipeline: Option<String>,
    /// Why it began, where that is told.
    pub(super) reason: Option<String>,
    /// The repository of the pipeline.
    pub(super) own: Source,
    /// The repositories that the run checked out besides.
    pub(super) others: Vec<Source>,
    /// Project and number of the run that started it.
    pub(super) trigger: Option<(Option<String>, i64)>,
    /// Runs whose artifacts it takes.
    pub(super) taken: Vec<RunPipeline>,
}

/// Which runs a rule takes, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// All of which must allow the branch.
    pub(super) branches: Vec<BranchRule>,
    /// Tags that are taken, too: a glob.
    pub(super) tags: Option<String>,
    /// Whether validations of pull requests are taken, too.
    pub(super) pull_requests: bool,
    /// The source that is deployed.
    pub(super) revision: Revision,
}

/// A question that only Azure DevOps can answer: whether a part of a run is the one of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Whether the job of this id is called so in the pipeline's text.
    Job { id: String, wanted: String },
    /// Whether a job of the stage deployed to an environment of this name.
    Environment { stage: [String; 2], attempt: Option<i64>, wanted: String },
}

/// The answer to a wish that needs no call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// The wish is not fulfilled.
    No,
    /// The wish is fulfilled, by this source.
    Yes(Source),
    /// Azure DevOps has to be asked; it is this if the run stands alone.
    Perhaps(Option<Source>),
}

impl Source {
    /// By the repository's id or name.
    pub(super) fn is_of(&self, repository: &AzureRef) -> bool {
        self.repository.iter().flatten().any(|own| repository.names(own))
    }

    fn is_whole(&self) -> bool {
        self.reference.is_some() && self.commit.as_ref().is_some_and(|commit| !commit.is_empty())
    }

    /// The short name of the branch. A ref of no kind is one: releases name branches in full or so, by what was recorded.
    fn branch(&self) -> Option<&str> {
        let reference = self.reference.as_deref()?;
        reference.strip_prefix(HEADS).or_else(|| Some(reference).filter(|own| !own.starts_with("refs/")))
    }

    fn tag(&self) -> Option<&str> {
        self.reference.as_deref()?.strip_prefix(TAGS)
    }

    /// The number of the pull request that is tried.
    fn pull_request(&self) -> Option<i64> {
        self.reference.as_deref()?.strip_prefix(PULLS)?.split('/').next()?.parse().ok()
    }

    fn is_validation(&self) -> bool {
        self.reference.as_deref().is_some_and(|reference| reference.starts_with(PULLS))
    }

    /// Has the deployment be one of this.
    pub(super) fn fill(&self, deployment: &mut Deployment) {
        deployment.revision = self.commit.as_deref().unwrap_or_default().to_ascii_lowercase();
        deployment.branch = self.branch().map(str::to_owned);
        deployment.cause.tag = self.tag().map(str::to_owned);
        deployment.cause.pull_request = self.pull_request();
    }
}

impl Ran {
    /// The commit of this repository that the run itself checked out.
    pub(super) fn checked_out(&self, repository: &AzureRef) -> Option<&Source> {
        [&self.own].into_iter().chain(&self.others).find(|source| source.is_of(repository))
    }

    /// Whether it was begun by the code that it checked out.
    pub(super) fn is_by_code(&self) -> bool {
        self.reason.as_ref().is_some_and(|reason| BY_CODE.iter().any(|own| own.eq_ignore_ascii_case(reason)))
    }
}

impl Wish {
    /// Whether a run of this ref is wanted. Of one that is no branch only where it was asked for; of one that is not told
    /// where every branch is.
    pub(super) fn allows(&self, source: &Source) -> bool {
        match (source.tag(), source.branch()) {
            (Some(tag), _) => self.tags.as_deref().is_some_and(|pattern| paths::matches(pattern, tag)),
            (None, _) if source.is_validation() => self.pull_requests,
            (None, Some(branch)) => self.branches.iter().all(|rule| rule.allows(branch)),
            (None, None) => self.branches.iter().all(|rule| *rule == BranchRule::Any),
        }
    }

    /// The answer that needs no call.
    pub(super) fn known(&self, ran: &Ran, repository: &AzureRef) -> Known {
        if ran.own.is_validation() && !self.pull_requests {
            return Known::No;
        }
        let checked_out = ran.checked_out(repository);
        let stands_alone = ran.trigger.is_none() && ran.taken.is_empty();
        let is_own = match self.revision {
            Revision::Own => true,
            Revision::Automatic => ran.trigger.is_none() && ran.is_by_code(),
            Revision::TriggeringBuild => false,
        };
        match checked_out {
            Some(source) if is_own && source.is_whole() => {
                if self.allows(source) {
                    Known::Yes(source.clone())
                } else {
                    Known::No
                }
            }
            // A run that another one starts in the same repository is of the same branch, unless it says who started it.
            Some(source)
                if stands_alone
                    && self.revision == Revision::Automatic
                    && source.reference.is_some()
                    && !self.allows(source) =>
            {
                Known::No
            }
            _ if ran.number.is_none() => match checked_out.filter(|source| source.is_whole() && self.allows(source)) {
                Some(source) if self.revision != Revision::TriggeringBuild => Known::Yes(source.clone()),
                _ => Known::No,
            },
            _ => {
                let is_likely = stands_alone && self.revision != Revision::TriggeringBuild;
                Known::Perhaps(
                    checked_out.filter(|source| is_likely && source.is_whole() && self.allows(source)).cloned(),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(repository: &str, reference: &str, commit: &str) -> Source {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Source { repository: [text(repository), None], reference: text(reference), commit: text(commit) }
    }

    fn wish() -> Wish {
        let branches = vec![BranchRule::Exact("main".to_owned())];
        Wish { branches, tags: None, pull_requests: false, revision: Revision::Automatic }
    }

    #[test]
    fn a_ref_that_is_no_branch_is_taken_only_where_it_was_asked_for() {
        let asks = Wish { tags: Some("v*".to_owned()), pull_requests: true, ..wish() };
        let any = Wish { branches: vec![BranchRule::Any, BranchRule::Any], ..wish() };
        for (reference, allowed) in [
            ("refs/heads/main", [true, true, true]),
            ("main", [true, true, true]),
            ("refs/heads/feature/3", [false, false, true]),
            ("refs/pull/2/merge", [false, true, false]),
            ("refs/pull/2/head", [false, true, false]),
            ("refs/tags/v1", [false, true, false]),
            ("refs/tags/nightly", [false, false, false]),
            ("refs/notes/commits", [false, false, true]),
            ("", [false, false, true]),
        ] {
            let own = source("r", reference, "c");
            assert_eq!([wish(), asks.clone(), any.clone()].map(|wish| wish.allows(&own)), allowed, "{reference}");
        }
    }

    #[test]
    fn nobody_is_asked_about_a_run_that_began_by_its_own_code() {
        let repository = AzureRef("r".to_owned());
        let run = |reason: Option<&str>, own: Source| Ran {
            number: Some(1),
            reason: reason.map(str::to_owned),
            own,
            ..Ran::default()
        };
        let main = || source("r", "refs/heads/main", "c");
        assert_eq!(wish().known(&run(Some("individualCI"), main()), &repository), Known::Yes(main()));
        assert_eq!(wish().known(&run(None, main()), &repository), Known::Perhaps(Some(main())));
        assert_eq!(wish().known(&run(None, source("r", "refs/heads/x", "c")), &repository), Known::No);
        assert_eq!(wish().known(&run(None, source("r", "refs/pull/2/merge", "c")), &repository), Known::No);
        let elsewhere = source("pipelines", "refs/heads/x", "c");
        assert_eq!(wish().known(&run(None, elsewhere), &repository), Known::Perhaps(None));
        let started = Ran { trigger: Some((None, 7)), ..run(Some("resourceTrigger"), main()) };
        assert_eq!(wish().known(&started, &repository), Known::Perhaps(None));
        let own = Wish { revision: Revision::Own, ..wish() };
        assert_eq!(own.known(&started, &repository), Known::Yes(main()));
    }
}
