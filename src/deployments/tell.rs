//! A deployment as an event: pure.

use super::{
    found::{Build, Found, PullRequest},
    series::Place,
};
use crate::{
    azure::client::{CommitRecord, WorkItemRecord},
    domain::{Cause, Deployment, NotificationId, Slug, Step, Telling},
    event::{
        Event, Header,
        cdevents::{CdEvent, Content, Link, LinkKind, Reference},
    },
    translate::{MAPPING_VERSION, domain_id, revision_id},
};
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};
use uuid::Uuid;

/// What a package URL takes as it is. Source: the purl specification, "Character encoding".
const PURL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What belongs to a telling besides the deployment.
pub(super) struct Beside<'a> {
    /// Where it comes.
    pub(super) place: Place,
    /// The revision that was there before.
    pub(super) previous_revision: Option<&'a str>,
    /// What was found.
    pub(super) found: &'a Found,
    /// The telling that this one replaces.
    pub(super) replaces: Option<&'a Telling>,
    /// The notification that it goes back to.
    pub(super) notification: NotificationId,
}

/// The event, and what is kept of it beside it.
pub(super) fn told(deployment: &Deployment, beside: &Beside<'_>) -> (Telling, Event) {
    let Beside { place, found, replaces, .. } = beside;
    let number = replaces.map_or(0, |telling| telling.number + 1);
    let event = event(deployment, beside);
    let event = match replaces {
        Some(telling) => event.replacing(revision_id(deployment.id, number), telling.event, deployment.id),
        None => event,
    };
    let telling = Telling {
        event: event.id,
        number,
        previous: place.previous,
        step: place.step,
        commits: u32::try_from(found.commits_count).unwrap_or(u32::MAX),
        deployment: deployment.clone(),
    };
    (telling, event)
}

fn event(deployment: &Deployment, beside: &Beside<'_>) -> Event {
    let subject = format!("{}/{}", deployment.project, deployment.binding);
    let (environment, artifact) = (deployment.environment.as_str(), artifact(deployment));
    let environment = Reference { id: Cow::Borrowed(environment) };
    let content = match beside.place.step {
        Step::Back => Content::ServiceRolledBack { environment, artifact_id: &artifact },
        Step::First | Step::Forward | Step::Again => Content::ServiceDeployed { environment, artifact_id: &artifact },
    };
    let json = CdEvent {
        id: deployment.id,
        source: &deployment.source,
        timestamp: deployment.at,
        chain: None,
        links: &links(deployment, beside.found),
        subject: &subject,
        content: &content,
        custom_data: custom_data(deployment, beside),
        partition_key: &subject,
    }
    .to_json();
    let header = Header {
        kind: content.kind().to_owned(),
        connection: deployment.connection,
        projects: vec![deployment.project.clone()],
        notification: beside.notification,
        recovered: None,
        filled: std::collections::BTreeMap::new(),
    };
    Event { id: deployment.id, header, json }
}

/// The collection of a source, and the project in it.
fn place(source: &str) -> (&str, &str) {
    source.rsplit_once('/').unwrap_or((source, ""))
}

fn repository_url(deployment: &Deployment) -> String {
    let (collection, _) = place(&deployment.source);
    let part = |text: &str| utf8_percent_encode(text, PURL).to_string();
    format!("{collection}/{}/_git/{}", part(&deployment.azure_project), part(&deployment.repository))
}

/// `pkg:generic/{project}/{name}@{version}?vcs_url=git+{repository}@{commit}`: what was built, where a build is known.
fn artifact(deployment: &Deployment) -> String {
    let encode = |text: &str| utf8_percent_encode(text, PURL).to_string();
    let Cause { pipeline, build_number, tag, .. } = &deployment.cause;
    let name = pipeline.as_deref().unwrap_or(&deployment.repository);
    let version = build_number.as_deref().or(tag.as_deref()).unwrap_or(&deployment.revision);
    let origin = format!("git+{}@{}", repository_url(deployment), deployment.revision);
    let parts = [&deployment.azure_project, name, version, &origin].map(encode);
    format!("pkg:generic/{}/{}@{}?vcs_url={}", parts[0], parts[1], parts[2], parts[3])
}

fn links(deployment: &Deployment, found: &Found) -> Vec<Link> {
    let (collection, project) = place(&deployment.source);
    let within = [deployment.azure_project.as_str(), deployment.repository.as_str()];
    let link = |kind, groups: &[&str], thing, id: &str| {
        let event = deployment.cause.event.filter(|_| match kind {
            LinkKind::Run => deployment.cause.build.is_some(),
            LinkKind::Change => deployment.cause.pull_request.is_some_and(|number| number.to_string() == id),
            _ => false,
        });
        Link { kind, domain_id: domain_id(collection, groups, thing, id), event }
    };
    let mut links = vec![link(LinkKind::Commit, &within, "commit", &deployment.revision)];
    let own = found.pull_requests.iter().map(|pull| pull.detail.number);
    let mut changes: Vec<i64> = deployment.cause.pull_request.into_iter().chain(own).collect();
    changes.sort_unstable();
    changes.dedup();
    links.extend(changes.iter().map(|number| link(LinkKind::Change, &within, "pr", &number.to_string())));
    let items = found.work_items.iter();
    links.extend(items.map(|item| link(LinkKind::Issue, &[], "issue", &item.id.to_string())));
    let run = deployment.cause.build.map(|number| number.to_string());
    links.extend(run.map(|number| link(LinkKind::Run, &[project], "execution", &number)));
    links
}

#[derive(Serialize)]
struct CustomData<'a> {
    hookwell: Own<'a>,
}

#[derive(Serialize)]
struct Own<'a> {
    connection: Uuid,
    projects: [&'a str; 1],
    mapping: u32,
    deployment: Details<'a>,
}

/// What is known of it. Read by the sinks (`sink::told`) and shown by the API: a member that changes its name changes it
/// in both.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    id: Uuid,
    name: &'a str,
    binding: Uuid,
    environment: &'a str,
    step: Step,
    revision: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    finish_time: Timestamp,
    cause: &'a Cause,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<Author<'a>>,
    repository: Repository<'a>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    size: Size,
    commits: Vec<Commit<'a>>,
    files: Vec<File<'a>>,
    pull_requests: Vec<Pull<'a>>,
    work_items: Vec<Item<'a>>,
    builds: Vec<Ran<'a>>,
    lead_time: LeadTime,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

#[derive(Serialize)]
struct Author<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

#[derive(Serialize)]
struct Repository<'a> {
    id: &'a str,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Size {
    commits: usize,
    files: usize,
    is_cut: bool,
}

#[derive(Serialize)]
struct Commit<'a> {
    revision: &'a str,
    message: &'a str,
    author: Author<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<Timestamp>,
    url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pull<'a> {
    id: i64,
    title: &'a str,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_review: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<Timestamp>,
    work_items: &'a [i64],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    id: i64,
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    assigned_to: Option<&'a str>,
    url: String,
}

#[derive(Serialize)]
struct Ran<'a> {
    number: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<&'a str>,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

/// The moments that lead time is counted from; the last one is the deployment's own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LeadTime {
    #[serde(skip_serializing_if = "Option::is_none")]
    work_started: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_commit: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_pull_request: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_review: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_merge: Option<Timestamp>,
}

impl LeadTime {
    fn of(found: &Found) -> Self {
        let pulls = || found.pull_requests.iter();
        let worked = || found.commits.iter().chain(pulls().flat_map(|pull| &pull.commits));
        Self {
            work_started: found.work_started,
            first_commit: worked().filter_map(|commit| commit.authored).min(),
            first_pull_request: pulls().filter_map(|pull| pull.detail.created).min(),
            first_review: pulls().filter_map(|pull| pull.first_review).min(),
            last_merge: pulls().filter_map(|pull| pull.detail.closed).max(),
        }
    }
}

#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
}

fn custom_data<'a>(deployment: &'a Deployment, beside: &Beside<'a>) -> CustomData<'a> {
    let (found, url) = (beside.found, repository_url(deployment));
    let author = deployment.cause.by.as_ref();
    let (collection, _) = place(&deployment.source);
    let pull = |pull: &'a PullRequest| Pull {
        id: pull.detail.number,
        title: &pull.detail.title,
        url: format!("{url}/pullrequest/{}", pull.detail.number),
        author: pull.detail.author.as_deref(),
        created: pull.detail.created,
        first_review: pull.first_review,
        merged: pull.detail.closed,
        work_items: &pull.work_items,
    };
    let ran = |build: &'a Build| Ran {
        number: &build.number,
        pipeline: build.pipeline.as_deref(),
        state: build.state,
        outcome: build.outcome.as_deref(),
        url: build.uri.as_deref(),
    };
    let item = |item: &'a WorkItemRecord| Item {
        id: item.id,
        kind: &item.item_type,
        title: &item.title,
        state: &item.state,
        assigned_to: item.assigned_to.as_deref(),
        url: format!("{collection}/_workitems/edit/{}", item.id),
    };
    let commit = |commit: &'a CommitRecord| Commit {
        revision: &commit.id,
        message: &commit.comment,
        author: Author { name: commit.author.as_deref(), email: commit.author_email.as_deref() },
        date: commit.authored,
        url: format!("{url}/commit/{}", commit.id),
    };
    let project: &'a Slug = &deployment.project;
    CustomData {
        hookwell: Own {
            connection: deployment.connection.0,
            projects: [project.as_str()],
            mapping: MAPPING_VERSION,
            deployment: Details {
                id: deployment.id,
                name: &deployment.name,
                binding: deployment.binding.0,
                environment: deployment.environment.as_str(),
                step: beside.place.step,
                revision: &deployment.revision,
                previous: beside.place.previous,
                previous_revision: beside.previous_revision,
                branch: deployment.branch.as_deref(),
                finish_time: deployment.at,
                cause: &deployment.cause,
                author: author.map(|by| Author { name: by.name.as_deref(), email: by.account.as_deref() }),
                repository: Repository { id: &deployment.repository, url: url.clone() },
                links: deployment.links.iter().map(|(name, address)| (name.as_str(), address.as_str())).collect(),
                tags: &deployment.tags,
                size: Size { commits: found.commits_count, files: found.files_count, is_cut: found.is_cut },
                commits: found.commits.iter().map(commit).collect(),
                files: found.files.iter().map(|path| File { path }).collect(),
                pull_requests: found.pull_requests.iter().map(pull).collect(),
                work_items: found.work_items.iter().map(item).collect(),
                builds: found.builds.iter().map(ran).collect(),
                lead_time: LeadTime::of(found),
                missing: &found.missing,
            },
        },
    }
}
