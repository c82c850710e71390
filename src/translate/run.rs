//! Runs, by whichever event: a build and a run of a pipeline are one thing that Azure tells in two
//! forms. Read into one shape here, so that a fact has the same content by either.
//!
//! Source of the correspondences: Pipelines 7.2 and Build 7.2 of vsts-rest-api-specs. `run.id` is the build's number, `name`
//! its build number, `pipeline.id` its definition, `createdDate` its queue time (captured runs of 2025: created 17:39:26,
//! begun 17:39:35), `finishedDate` its finish time. A run has no word for "partially succeeded": it says succeeded.

mod resources;

use self::resources::Resources;
use super::{
    binding::branch,
    frame::{Frame, first_uri, moment, person},
};
use crate::{
    azure::{
        RepositoryUrl,
        guid::guid,
        lenient::{Int, Text},
        resource::{
            Identity,
            build::Build,
            pipeline::{Checkout, RepositoryResource, StateChange},
        },
        whose::of_address,
    },
    event::{
        cdevents::{Link, LinkKind},
        members::Members,
    },
};
use jiff::Timestamp;
use std::borrow::Cow;
use uuid::Uuid;

/// A run as far as it is told.
#[derive(Debug, Clone, Default)]
pub(super) struct Said<'a> {
    /// 0 where it is not told: then there is nothing to tell of it either, but to whom.
    pub(super) number: i64,
    /// The name that people see.
    pub(super) name: Option<&'a str>,
    pub(super) result: Option<&'a str>,
    pub(super) reason: Option<&'a str>,
    /// The full name of the ref.
    pub(super) reference: Option<&'a str>,
    pub(super) commit: Option<&'a str>,
    /// Id and name of the pipeline.
    pub(super) definition: [Option<&'a str>; 2],
    /// The name of its own project.
    pub(super) project_name: Option<&'a str>,
    pub(super) repository: Origin<'a>,
    pub(super) pull_request: PullRequest<'a>,
    pub(super) requested_for: Option<&'a Identity<'a>>,
    pub(super) queued: Option<Timestamp>,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    /// Project and number of the build that started it.
    pub(super) trigger: Option<(Option<&'a str>, i64)>,
    pub(super) tags: Vec<&'a str>,
    pub(super) resources: Resources<'a>,
}

/// The repository that was checked out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin<'a> {
    /// A GUID for Azure's own, `owner/name` for GitHub's.
    pub(super) id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    kind: Option<&'a str>,
    url: Option<&'a str>,
}

/// The pull request that a run tries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PullRequest<'a> {
    pub(super) number: Option<i64>,
    /// The commit that somebody pushed: what is built is the server's own merge of it, which nobody knows.
    head: Option<&'a str>,
    source: Option<&'a str>,
    /// Whether it comes from a fork: its head is not in the repository then.
    is_fork: bool,
}

impl<'a> Origin<'a> {
    /// One of Azure's own, by its GUID: nothing else is named by one.
    pub(super) fn own(&self) -> Option<&'a str> {
        let is_own = self.kind.is_none_or(|kind| kind.eq_ignore_ascii_case("TfsGit"));
        self.id.filter(|id| is_own && guid(Some(id)).is_some())
    }

    /// The repository that a stage or job checked out. The `TfsGit` of builds is `Git` there, as any repository elsewhere is; that
    /// has no GUID.
    ///
    /// Source: captured stages and jobs of 2025 (`repositories[]` with `type: Git`, a GUID and `change.version`).
    fn of_checkout(checkout: &'a Checkout<'_>) -> Self {
        let (id, word) = (checkout.id.as_str(), checkout.kind.as_str());
        let is_own = guid(id).is_some() && checkout.kind.is("Git");
        let kind = if is_own { Some("TfsGit") } else { word.map(kind_of) };
        Self { id, name: None, kind, url: checkout.url.as_str() }
    }

    /// `owner` and `name` at GitHub, and the host where it is a GitHub of one's own.
    fn at_github(&self) -> Option<[&'a str; 3]> {
        let kind = self.kind?;
        let is_enterprise = kind.eq_ignore_ascii_case("GitHubEnterprise");
        if !is_enterprise && !kind.eq_ignore_ascii_case("GitHub") {
            return None;
        }
        let address = self.url.and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
        let (place, path) = address.and_then(|rest| rest.split_once('/')).unzip();
        // One of one's own whose host is not told is not the public one.
        let host = if is_enterprise { place?.rsplit('@').next()? } else { "" };
        let path = path.map(|path| path.trim_end_matches('/')).map(|path| path.strip_suffix(".git").unwrap_or(path));
        let mut names = [self.id, self.name, path].into_iter().flatten();
        let parted = |text: &'a str| text.split_once('/').filter(|(owner, name)| !owner.is_empty() && is_name(name));
        let (owner, name) = names.find_map(parted)?;
        Some([host, owner, name])
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

/// The pipelines' words for kinds of repositories, by the builds' words.
fn kind_of(word: &str) -> &str {
    const WORDS: [(&str, &str); 3] =
        [("azureReposGit", "TfsGit"), ("gitHub", "GitHub"), ("gitHubEnterprise", "GitHubEnterprise")];
    WORDS.iter().find(|(own, _)| own.eq_ignore_ascii_case(word)).map_or(word, |(_, ours)| ours)
}

impl<'a> Said<'a> {
    /// Reads a build.
    pub(super) fn of_build(build: &'a Build<'_>) -> Self {
        // `LG:refs/heads/main:<commit>`: from the right, since a ref can hold colons and other kinds have no commit.
        let legacy = build.source_get_version.as_str().and_then(|text| text.strip_prefix("LG:"));
        let (reference, commit) = legacy.and_then(|text| text.rsplit_once(':')).unzip();
        let repository = Origin {
            id: build.repository.id.as_str(),
            name: build.repository.name.as_str(),
            kind: build.repository.kind.as_str().map(kind_of),
            url: build.repository.url.as_str(),
        };
        let reference = build.source_branch.as_str().or(reference);
        // 1.0 has one request for each that it was built for.
        let asked = build.requests.iter().map(|request| &request.requested_for);
        let requested_for = [&build.requested_for].into_iter().chain(asked).find(|own| own.handle().is_some());
        Self {
            number: build.id.positive().unwrap_or_default(),
            name: build.build_number.as_str(),
            result: result(build),
            reason: build.reason.as_str(),
            reference,
            commit: build.source_version.as_str().or(commit).filter(|commit| !commit.is_empty()),
            definition: [build.definition.id.as_str(), build.definition.name.as_str()],
            project_name: build.project.name.as_str(),
            repository,
            pull_request: PullRequest::of(build, reference),
            requested_for,
            queued: moment(build.queue_time.as_str()),
            started: moment(build.start_time.as_str()),
            finished: moment(build.finish_time.as_str()),
            trigger: build.trigger(),
            tags: build.tags.iter().filter_map(Text::as_str).collect(),
            ..Self::default()
        }
    }

    /// Reads the run of a state of a run, stage or job.
    pub(super) fn of_state(change: &'a StateChange<'_>) -> Self {
        let (run, pipeline, own) = (&change.run, &change.pipeline, &change.run.pipeline);
        let origin = own_repository(change);
        let checkout = change.repositories.iter().find(|checkout| checkout.alias.is("self"));
        let checkout = checkout.or_else(|| change.repositories.first());
        let repository = match origin {
            Some(origin) => Origin {
                id: origin.repository.id.as_str().or(origin.repository.full_name.as_str()),
                name: origin.repository.full_name.as_str(),
                kind: origin.repository.kind.as_str().map(kind_of),
                url: None,
            },
            None => checkout.map(|own| Origin::of_checkout(own)).unwrap_or_default(),
        };
        let reference = origin.and_then(|origin| origin.ref_name.as_str());
        let checked_out = checkout.and_then(|own| own.change.version.as_str());
        let told = Self {
            number: run_id(change).unwrap_or_default(),
            name: run.name.as_str(),
            result: run.result.as_str(),
            reference,
            commit: origin.and_then(|origin| origin.version.as_str()).or(checked_out),
            definition: [pipeline.id.as_str().or(own.id.as_str()), pipeline.name.as_str().or(own.name.as_str())],
            repository,
            pull_request: PullRequest { number: tried(reference), ..PullRequest::default() },
            requested_for: Some(&change.requested_for).filter(|own| own.handle().is_some()),
            queued: moment(run.created_date.as_str()),
            finished: moment(run.finished_date.as_str()),
            resources: Resources::of(change, repository.id),
            ..Self::default()
        };
        // Where the record of the build is at hand, it says the rest.
        let build = Self::of_build(&change.build);
        if build.number > 0 { build.or(told) } else { told }
    }

    /// This, and what another telling of the run knows besides.
    fn or(self, other: Self) -> Self {
        let same_place = self.repository.id.is_some();
        Self {
            number: self.number,
            name: self.name.or(other.name),
            result: self.result.or(other.result),
            reason: self.reason.or(other.reason),
            reference: self.reference.or(other.reference),
            commit: self.commit.or(other.commit),
            definition: [0, 1].map(|at: usize| self.definition[at].or(other.definition[at])),
            project_name: self.project_name.or(other.project_name),
            repository: if same_place { self.repository } else { other.repository },
            pull_request: if self.pull_request.number.is_some() { self.pull_request } else { other.pull_request },
            requested_for: self.requested_for.or(other.requested_for),
            queued: self.queued.or(other.queued),
            started: self.started.or(other.started),
            finished: self.finished.or(other.finished),
            trigger: self.trigger.or(other.trigger),
            tags: self.tags,
            resources: if self.resources.is_empty() { other.resources } else { self.resources },
        }
    }

    /// The run's subject.
    pub(super) fn subject(&self) -> String {
        format!("build/builds/{}", self.number)
    }

    /// The run's page, below the project.
    ///
    /// Source: `_links.web` of captured builds and runs.
    pub(super) fn page(&self, frame: &Frame<'_>) -> String {
        frame.page(&format!("_build/results?buildId={}", self.number))
    }

    /// The name of its branch.
    pub(super) fn branch(&self) -> Option<&'a str> {
        branch(self.reference)
    }

    /// For whom it ran.
    pub(super) fn actor(&self) -> Option<&'a str> {
        self.requested_for.and_then(Identity::handle)
    }

    /// The chain of the change that it tries.
    pub(super) fn chain(&self, frame: &Frame<'_>) -> Option<Uuid> {
        let (number, repository) = self.pull_request.number.zip(self.repository.own())?;
        let change = format!("git/repositories/{repository}/pullRequests/{number}");
        match (self.project(frame), frame.project) {
            (Some(project), _) => Some(frame.chain_of(project, &change)),
            (None, Some(_)) => None,
            (None, None) => Some(frame.chain(&change)),
        }
    }

    /// The project of the repository. It can be another one than the run's, and the repository's address says so: by a GUID, or
    /// by a name, which leads to nothing where it is not the run's project.
    fn project(&self, frame: &Frame<'_>) -> Option<Uuid> {
        let named = || self.repository.url.and_then(RepositoryUrl::parse).map(|url| url.project);
        let is_elsewhere = || {
            let pair = self.project_name.map(str::to_lowercase).zip(named().map(|name| name.to_lowercase()));
            pair.is_some_and(|(own, named)| own != named)
        };
        self.repository.url.and_then(of_address).or_else(|| frame.project.filter(|_| !is_elsewhere()))
    }

    /// Links to the commit, to the change that it tries, and to the run that started it.
    pub(super) fn links(&self, frame: &Frame<'_>) -> Vec<Link> {
        let (own, github) = (self.repository.own(), self.repository.at_github());
        let (is_told, project) = (self.project(frame).is_some(), self.project(frame));
        let own = own.filter(|_| is_told || frame.project.is_none());
        let project = project.map(|project| project.to_string()).unwrap_or_default();
        // A commit has one name, with its repository in it: where that is not told, there is none to be made up.
        let commit = |sha: &str| match (own, github) {
            (Some(repository), _) => Some(frame.link(LinkKind::Commit, &[&project, repository], "commit", sha)),
            (None, Some(place)) => Some(Frame::link_at_github(LinkKind::Commit, place, "commit", sha)),
            (None, None) => None,
        };
        let mut links: Vec<Link> = self.commit.and_then(commit).into_iter().collect();
        // A fork's head is not in the repository that its test merge is in, and nothing in a build names the fork; at GitHub
        // the commits of a fork are found in what it was forked from.
        let is_here = !self.pull_request.is_fork || (own.is_none() && github.is_some());
        let head = self.pull_request.head.filter(|head| is_here && Some(*head) != self.commit);
        links.extend(head.and_then(commit));
        if let Some(number) = self.pull_request.number.map(|number| number.to_string()) {
            links.extend(own.map(|own| frame.link(LinkKind::Change, &[&project, own], "pr", &number)));
            let elsewhere = github.filter(|_| own.is_none());
            links.extend(elsewhere.map(|place| Frame::link_at_github(LinkKind::Change, place, "pr", &number)));
        }
        if let Some((project, number)) = self.trigger {
            let number = number.to_string();
            links.push(match project {
                Some(project) => frame.link(LinkKind::Trigger, &[project], "execution", &number),
                None => frame.link_here(LinkKind::Trigger, "execution", &number),
            });
        }
        links
    }

    /// Everything else, by the builds' words.
    pub(super) fn members(&self, frame: &Frame<'_>) -> Members<'a> {
        let [id, name] = self.definition;
        let Origin { id: repository, name: repository_name, kind, url } = self.repository;
        let github = self.repository.at_github();
        let of_github = github.filter(|_| repository_name.is_none()).map(|[_, owner, name]| format!("{owner}/{name}"));
        let repository = Members::new()
            .text("id", repository)
            .text("name", repository_name.map(Cow::Borrowed).or(of_github.map(Cow::Owned)))
            .text("type", kind)
            .text("url", url.and_then(|url| first_uri([Some(url)])));
        let PullRequest { number, head, source, is_fork } = self.pull_request;
        let pull_request = Members::new()
            .int("id", number)
            .text("head", head)
            .text("sourceBranch", source)
            .flag("isFork", is_fork.then_some(true));
        Members::new()
            .int("buildId", Some(self.number))
            .text("buildNumber", self.name)
            .text("result", self.result)
            .text("reason", self.reason)
            .text("sourceBranch", self.reference)
            .text("sourceVersion", self.commit)
            .object("pullRequest", pull_request)
            .object("definition", Members::new().text("id", id).text("name", name))
            .object("repository", repository)
            .object("requestedFor", self.requested_for.map(person).unwrap_or_default())
            .time("queueTime", self.queued)
            .time("startTime", self.started)
            .time("finishTime", self.finished)
            .texts("tags", self.tags.iter().copied())
            .object("resources", self.resources.members())
            .text("apiUrl", Some(frame.address(&self.subject())))
    }
}

impl<'a> PullRequest<'a> {
    /// Of `triggerInfo`, and of the ref that is built.
    ///
    /// Source: `triggerInfo` of recorded validation builds (`pr.number`, `pr.sourceSha`, `pr.sourceBranch`, `pr.isFork`).
    fn of(build: &'a Build<'_>, reference: Option<&str>) -> Self {
        let info = |name: &str| build.trigger_info.member(name).and_then(Text::as_str);
        let by_info = || info("pr.number").and_then(|number| number.parse().ok()).filter(|number| *number > 0);
        Self {
            number: tried(reference).or_else(by_info),
            head: info("pr.sourceSha"),
            source: info("pr.sourceBranch"),
            is_fork: info("pr.isFork").is_some_and(|word| word.eq_ignore_ascii_case("true")),
        }
    }
}

/// The pull request whose test merge the ref is.
fn tried(reference: Option<&str>) -> Option<i64> {
    let number = reference?.strip_prefix("refs/pull/")?.strip_suffix("/merge")?;
    number.parse().ok().filter(|number| *number > 0)
}

/// 2.0 says `status: completed` and a result; 1.0 says the result as status, with a word of its own for one of them.
fn result<'b>(build: &'b Build<'_>) -> Option<&'b str> {
    let legacy = build.result.as_str().is_none() && !build.status.is("completed");
    let word = if legacy { build.status.as_str() } else { build.result.as_str() };
    word.map(|word| if word.eq_ignore_ascii_case("stopped") { "canceled" } else { word })
}

/// The run's number; the newest sample has it only at the end of the address.
fn run_id(change: &StateChange<'_>) -> Option<i64> {
    let run = &change.run;
    let of_address = |text: &Text<'_>| -> Option<i64> {
        let (_, number) = text.as_str()?.rsplit_once(['/', '='])?;
        number.parse().ok().filter(|number| *number > 0)
    };
    let addresses = [&run.url, &change.run_url, &run.links.itself.href, &run.links.web.href];
    [run.id, change.run_id].into_iter().find_map(Int::positive).or_else(|| addresses.into_iter().find_map(of_address))
}

fn own_repository<'b>(change: &'b StateChange<'_>) -> Option<&'b RepositoryResource<'b>> {
    change.run.resources.repositories.member("self").map(|own| &own.0)
}
