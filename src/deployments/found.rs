//! What Azure DevOps knows of a deployment: asked once, and kept with it.

use super::{code::Code, paths::Scope};
use crate::{
    app::App,
    azure::client::{AzureDevOps, CommitRecord, Failure, PullRequestDetail, WorkItemRecord},
    domain::{
        Deployment, Issues,
        mentions::{Texts, mentioned},
    },
    relations,
    store::Error,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Most commits that are kept with a deployment; their number is kept beside them.
pub(super) const COMMITS_MAX: usize = 500;
/// Most changed files that are kept with a deployment; their number is kept beside them.
pub(super) const FILES_MAX: usize = 1_000;

/// Most pull requests that are asked about: two calls each.
pub(super) const PULL_REQUESTS_MAX: usize = 100;
/// Most work items that are kept with a deployment.
pub(super) const WORK_ITEMS_MAX: usize = 400;

/// A pull request that came with a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PullRequest {
    pub(super) detail: PullRequestDetail,
    /// The commits of the request, where they are others than those that it was merged as; the newest first.
    pub(super) commits: Vec<CommitRecord>,
    /// When somebody other than its author first said something to it.
    pub(super) first_review: Option<Timestamp>,
    /// Numbers of its work items.
    pub(super) work_items: Vec<i64>,
}

/// A build of the revision, as it was when that was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Its number.
    pub number: String,
    /// Its pipeline's name.
    pub pipeline: Option<String>,
    /// Where it is.
    pub uri: Option<String>,
    /// `queued`, `running`, `finished`.
    pub state: &'static str,
    /// Of a finished one.
    pub outcome: Option<String>,
}

/// What came with a deployment, beside the one before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Newest first, at most [`COMMITS_MAX`].
    pub(super) commits: Vec<CommitRecord>,
    /// How many there are, as far as they were counted.
    pub(super) commits_count: usize,
    /// At most [`FILES_MAX`].
    pub(super) files: Vec<String>,
    /// How many there are, as far as they were counted.
    pub(super) files_count: usize,
    /// By number, at most [`PULL_REQUESTS_MAX`].
    pub(super) pull_requests: Vec<PullRequest>,
    /// By number, at most [`WORK_ITEMS_MAX`].
    pub(super) work_items: Vec<WorkItemRecord>,
    /// When the first of them entered a state that lead time is counted from.
    pub(super) work_started: Option<Timestamp>,
    /// Builds of the revision by then, the newest first.
    pub(super) builds: Vec<Build>,
    /// Whether there are more than were counted.
    pub(super) is_cut: bool,
    /// Why something is not here.
    pub(super) missing: Vec<String>,
}

impl Found {
    /// Nothing, because nobody could be asked for too long.
    pub(super) fn nothing(why: String) -> Self {
        Self { missing: vec![why], ..Self::default() }
    }
}

/// Whether the revision touches anything that counts: by the push that brought it, else by the commit itself, which of a
/// merge is all that was merged. Not by what was deployed before: that can turn out to be something else later.
pub(super) async fn is_in_scope(code: &Code<'_>, base: Option<&str>, scope: &Scope) -> Result<bool, Failure> {
    if scope.is_all() {
        return Ok(true);
    }
    let paths = code.paths(base).await?;
    // More than anybody can look through touches everything.
    Ok(paths.cut || paths.paths.iter().any(|path| scope.counts(path)))
}

/// How what came with a deployment is looked at.
pub(super) struct Manner {
    /// Strictly, work items are mentioned only by title and branch.
    pub(super) is_strict: bool,
    /// Those whose reviews are none.
    pub(super) bots: Vec<String>,
}

impl Manner {
    /// As its binding and the project's issue provider have it.
    pub(super) fn of(app: &App, deployment: &Deployment, issues: Option<&Issues>) -> Self {
        let directory = app.directory();
        let deploys = directory.bindings.get(&deployment.binding).and_then(|kept| kept.record.deploys.as_ref());
        Self {
            is_strict: issues.is_some_and(|issues| issues.strict_mentions),
            bots: deploys.map(|deploys| deploys.ignored.reviewers.clone()).unwrap_or_default(),
        }
    }
}

/// Finds the changes of a deployment that follows `previous`. Changes that Azure does not give are noted and left out; only what can be asked
/// for again later is a failure.
pub(super) async fn found(
    azure: &dyn AzureDevOps,
    code: &Code<'_>,
    deployment: &Deployment,
    previous: Option<&str>,
    manner: &Manner,
) -> Result<Found, Failure> {
    let mut found = Found::default();
    if previous == Some(&deployment.revision) {
        return Ok(found);
    }
    let commits = code.commits(previous).await;
    let commits = noted(&mut found, "commits", commits)?.unwrap_or_default();
    found.is_cut |= commits.cut;
    found.commits_count = commits.commits.len();
    found.commits = commits.commits.iter().take(COMMITS_MAX).cloned().collect();
    let paths = code.paths(previous).await;
    if let Some(paths) = noted(&mut found, "files", paths)? {
        found.is_cut |= paths.cut;
        found.files_count = paths.paths.len();
        found.files = paths.paths.iter().take(FILES_MAX).cloned().collect();
    }
    pull_requests(azure, deployment, manner, &mut found).await?;
    work_items(azure, manner.is_strict, &mut found).await?;
    Ok(found)
}

/// The builds of the revision that its build provider has, as they were when it was deployed, as far as events tell of them
/// by now; and whether there are newer events that were not looked at yet.
///
/// # Errors
/// The store's.
pub(super) async fn builds(app: &App, deployment: &Deployment) -> Result<(Vec<Build>, bool), Error> {
    let directory = app.directory();
    let provider = directory.build_provider(&deployment.project, Some(deployment.binding));
    let Some(provider) = provider else { return Ok((Vec::new(), false)) };
    let known = relations::builds(app, &provider.record, &deployment.revision).await?;
    let then = |run: relations::Run| {
        let by_then: Vec<&relations::Happening> =
            run.happenings.iter().filter(|happening| happening.time <= Some(deployment.at)).collect();
        let whole = by_then.iter().filter(|happening| happening.subject.matches('/').count() == 2);
        let said = whole.filter_map(|own| Some((state(&own.kind)?, own.outcome.clone())));
        // Of several ends the last by then: they are in order of time.
        let ((_, said), outcome) = said.max_by_key(|((rank, _), _)| *rank)?;
        let end = if said == "finished" { Some(outcome) } else { ended_before(&run, &by_then).map(Some) };
        let (state, outcome) = end.map_or((said, None), |outcome| ("finished", outcome));
        Some(Build { number: run.number, pipeline: run.pipeline, uri: run.uri, state, outcome })
    };
    Ok((known.runs.into_iter().filter_map(then).collect(), known.is_behind))
}

/// How a run had ended by then that was run again later: when all stages that it ever had were over, as the worst of them.
/// Azure's records have its last end alone. Of one that has not ended yet nobody knows what stages will come.
fn ended_before(run: &relations::Run, by_then: &[&relations::Happening]) -> Option<String> {
    let is_stage =
        |own: &&relations::Happening| own.subject.contains("/stages/") && own.subject.matches('/').count() == 4;
    // A stage that was skipped is over, and nothing was wrong with it.
    let is_skipped = |own: &relations::Happening| own.kind.starts_with("dev.cdeventsx.azuredevops-stage.skipped.");
    let is_end =
        |own: &&relations::Happening| is_skipped(own) || own.kind.starts_with("dev.cdevents.taskrun.finished.");
    if !run.happenings.iter().any(|own| own.kind.starts_with("dev.cdevents.pipelinerun.finished.")) {
        return None;
    }
    let all: BTreeSet<&str> = run.happenings.iter().filter(is_stage).map(|own| own.subject.as_str()).collect();
    let ends = by_then.iter().copied().filter(is_stage).filter(is_end);
    let over: BTreeMap<&str, &str> = ends
        .map(|own| {
            (
                own.subject.as_str(),
                own.outcome.as_deref().unwrap_or_else(|| if is_skipped(own) { "success" } else { "" }),
            )
        })
        .collect();
    let worst = over.values().find(|outcome| **outcome != "success").copied().unwrap_or("success");
    (!all.is_empty() && all.iter().all(|stage| over.contains_key(stage))).then(|| worst.to_owned())
}

/// How far a run is that an event of this type tells of, with a rank.
fn state(kind: &str) -> Option<(u8, &'static str)> {
    let words = [("queued", (0, "queued")), ("started", (1, "running")), ("finished", (2, "finished"))];
    let word = kind.strip_prefix("dev.cdevents.pipelinerun.")?.split('.').next()?;
    words.into_iter().find(|(known, _)| *known == word).map(|(_, state)| state)
}

/// Those that brought the commits.
async fn pull_requests(
    azure: &dyn AzureDevOps,
    deployment: &Deployment,
    manner: &Manner,
    found: &mut Found,
) -> Result<(), Failure> {
    let (project, repository) = (&deployment.azure_project, &deployment.repository);
    let mut shas: Vec<String> = found.commits.iter().map(|commit| commit.id.clone()).collect();
    if shas.is_empty() {
        shas.push(deployment.revision.clone());
    }
    let of_commits = azure.pull_requests_of(project, repository, &shas).await;
    let of_commits = noted(found, "pull requests", of_commits)?.unwrap_or_default();
    let mut by_number: BTreeMap<i64, PullRequestDetail> =
        of_commits.into_values().flatten().map(|detail| (detail.number, detail)).collect();
    found.is_cut |= by_number.len() > PULL_REQUESTS_MAX;
    while by_number.len() > PULL_REQUESTS_MAX {
        by_number.pop_first();
    }
    for (number, detail) in by_number {
        let author = detail.author.as_deref();
        let first_review = azure.first_review(project, repository, number, author, &manner.bots).await;
        let first_review = noted(found, "first review", first_review)?.flatten();
        let work_items = azure.pull_request_work_items(project, repository, number).await;
        let mut work_items = noted(found, "work items", work_items)?.unwrap_or_default();
        // Squashed or rebased it was merged as other commits than were worked on.
        let is_there = |source: &String| shas.iter().any(|sha| sha.eq_ignore_ascii_case(source));
        let commits = if detail.source_commit.as_ref().is_some_and(is_there) {
            Vec::new()
        } else {
            let commits = azure.pull_request_commits(project, repository, number).await;
            noted(found, "commits of pull requests", commits)?.unwrap_or_default()
        };
        let messages: Vec<&str> = commits.iter().map(|commit| commit.comment.as_str()).collect();
        work_items.extend(mentioned(
            &Texts {
                title: &detail.title,
                description: detail.description.as_deref().unwrap_or_default(),
                branch: detail.source.as_deref().unwrap_or_default(),
                messages: &messages,
            },
            manner.is_strict,
        ));
        work_items.sort_unstable();
        work_items.dedup();
        found.pull_requests.push(PullRequest { detail, commits, first_review, work_items });
    }
    Ok(())
}

/// Those that belong to the pull requests, or are mentioned by the commits.
async fn work_items(azure: &dyn AzureDevOps, is_strict: bool, found: &mut Found) -> Result<(), Failure> {
    let messages: Vec<&str> = found.commits.iter().map(|commit| commit.comment.as_str()).collect();
    let mut ids: Vec<i64> =
        mentioned(&Texts { messages: &messages, ..Texts::default() }, is_strict).into_iter().collect();
    ids.extend(found.pull_requests.iter().flat_map(|pull| pull.work_items.iter().copied()));
    ids.sort_unstable();
    ids.dedup();
    found.is_cut |= ids.len() > WORK_ITEMS_MAX;
    ids.truncate(WORK_ITEMS_MAX);
    if !ids.is_empty() {
        let items = azure.work_items(&ids).await;
        found.work_items = noted(found, "work items", items)?.unwrap_or_default();
    }
    Ok(())
}

pub(super) fn noted<T>(found: &mut Found, what: &str, result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_of_the_thing() => {
            let note = format!("{what}: {failure}");
            if !found.missing.contains(&note) {
                found.missing.push(note);
            }
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}
