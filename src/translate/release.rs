//! Classic releases: a release is a pipeline run, each of its environments a task run.

use super::{
    binding::{About, Family},
    build::{errors, outcome as of_word},
    frame::{Fact, Frame, moment, person},
};
use crate::{
    azure::{
        lenient::Text,
        resource::{
            Identity,
            release::{Artifact, Release, ReleaseEvent},
        },
    },
    domain::Partial,
    event::{
        Event,
        cdevents::{Content, Link, LinkKind, Outcome, Reference, Run},
        members::Members,
    },
};
use jiff::Timestamp;
use std::borrow::Cow;

const NO_RELEASE: &str = "the resource names no release";

/// `release-created-event`.
pub(super) fn created(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(event) = frame.resource::<ReleaseEvent<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &event);
    let Some(number) = number(&event) else { return frame.received(&about, Some(NO_RELEASE)) };
    let subject = subject(number);
    let mut fact = Fact::new(Content::PipelineRunQueued(run(&frame, &event, number)), &subject, "queued");
    fact.time = moment(event.release.created_on.as_str());
    fact.actor = event.release.created_by.handle();
    vec![told(&frame, &about, &event, fact)]
}

/// `release-abandoned-event`.
pub(super) fn abandoned(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(event) = frame.resource::<ReleaseEvent<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &event);
    let Some(number) = number(&event) else { return frame.received(&about, Some(NO_RELEASE)) };
    let run = Run { outcome: Some(Outcome::Cancel), ..run(&frame, &event, number) };
    let subject = subject(number);
    // An abandoned release stays so: no date is needed to tell two of them apart.
    let mut fact = Fact::new(Content::PipelineRunFinished(run), &subject, "abandoned");
    fact.time = moment(event.release.modified_on.as_str());
    fact.actor = event.release.modified_by.handle();
    vec![told(&frame, &about, &event, fact)]
}

/// `deployment-started-event`.
pub(super) fn deployment_started(frame: Frame<'_>) -> Vec<Event> {
    deployment(frame, |event, task, _| {
        // A hook's body has no deployment; its environment was last changed when it went on.
        let time = moment(event.deployment.started_on.as_str()).or(moment(event.environment.modified_on.as_str()));
        (Content::TaskRunStarted(task), time)
    })
}

/// `deployment-completed-event`.
pub(super) fn deployment_completed(frame: Frame<'_>) -> Vec<Event> {
    deployment(frame, |event, task, partial| {
        let (own, environment) = (&event.deployment, &event.environment);
        let dates = [&own.completed_on, &own.last_modified_on, &environment.modified_on];
        let result = [environment.status.as_str(), own.deployment_status.as_str()];
        let errors = result.into_iter().find_map(|word| errors(word, partial));
        let outcome = Some(outcome(&environment.status, &own.deployment_status, partial));
        let time = dates.into_iter().find_map(|date| moment(date.as_str()));
        (Content::TaskRunFinished(Run { outcome, errors, ..task }), time)
    })
}

fn deployment(
    mut frame: Frame<'_>,
    tell: impl for<'b> FnOnce(&'b ReleaseEvent<'_>, Run<'b>, Partial) -> (Content<'b>, Option<Timestamp>),
) -> Vec<Event> {
    let Some(event) = frame.resource::<ReleaseEvent<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &event);
    let environment = &event.environment;
    let Some((release, id)) = number(&event).zip(environment.id.positive()) else {
        return frame.received(&about, Some("the resource names no release environment"));
    };
    let (home, name) = (subject(release), environment.name.as_str().or(event.stage_name.as_str()));
    let task = Run {
        task_name: name,
        uri: Some(Cow::Owned(page(&frame, release))),
        pipeline_run: Some(Reference { id: Cow::Owned(home.clone()) }),
        ..Run::default()
    };
    let (content, time) = tell(&event, task, about.partial(frame.context.bindings));
    let subject = format!("{home}/environments/{id}");
    let attempt = attempt(&event);
    let discriminator = match attempt {
        Some(attempt) => format!("attempt:{attempt}"),
        None => frame.occasion(),
    };
    let mut fact = Fact::new(content, &subject, &discriminator);
    fact.entity = Some(&home);
    fact.time = time;
    fact.actor = [&event.deployment.requested_for, &event.deployment.requested_by]
        .into_iter()
        .find_map(Identity::handle)
        .or_else(|| release_of(&event).created_by.handle());
    let members = Members::new()
        .int("id", Some(id))
        .text("name", name)
        .text("status", environment.status.as_str())
        .int("definitionEnvironmentId", environment.definition_environment_id.positive());
    let own = &event.deployment;
    let deployment = Members::new()
        .int("id", own.id.positive())
        .int("attempt", attempt)
        .text("deploymentStatus", own.deployment_status.as_str())
        .text("operationStatus", own.operation_status.as_str())
        .object("requestedFor", person(&own.requested_for))
        .object("requestedBy", person(&own.requested_by))
        .time("queuedOn", moment(own.queued_on.as_str()))
        .time("startedOn", moment(own.started_on.as_str()))
        .time("completedOn", moment(own.completed_on.as_str()));
    fact.extras = Members::new()
        .object("environment", members)
        .object("deployment", deployment)
        .text("comment", event.comment.as_str());
    vec![told(&frame, &about, &event, fact)]
}

/// Which attempt it is: of the deployment, of the event (a started one has no deployment), of the steps.
fn attempt(event: &ReleaseEvent<'_>) -> Option<i64> {
    let steps = || event.environment.deploy_steps.iter().filter_map(|step| step.attempt.positive()).max();
    event.deployment.attempt.positive().or(event.attempt_id.positive()).or_else(steps)
}

/// The environment's status has no word for "failed": it says rejected, of a deployment that failed as of one that an
/// approver refused. The deployment's own status is finer where there is one.
fn outcome(environment: &Text<'_>, deployment: &Text<'_>, partial: Partial) -> Outcome {
    match environment.as_str() {
        Some(word) if word.eq_ignore_ascii_case("rejected") => Outcome::Failure,
        Some(word) if ["succeeded", "partiallySucceeded", "canceled"].iter().any(|own| environment.is(own)) => {
            of_word(Some(word), partial)
        }
        _ if deployment.is("notDeployed") => Outcome::Error,
        _ => of_word(deployment.as_str(), partial),
    }
}

/// The project, and what bindings look at. A release pipeline is matched by its name alone: release and build
/// definitions are counted apart, so one number means two pipelines.
pub(super) fn about<'a: 'b, 'b>(frame: &mut Frame<'a>, event: &'b ReleaseEvent<'_>) -> About<'b> {
    frame.within(event.project.id.as_str());
    let names = [
        &event.release.release_definition,
        &event.approval.release_definition,
        &event.environment.release_definition,
        &event.deployment.release_definition,
    ];
    let name = names.into_iter().find_map(|definition| definition.name.as_str());
    About { pipeline: [None, name], ..About::within(frame, Family::Release, &event.project) }
}

/// The release's number; in the samples `environment.releaseId` is 0, and the release inside it is right.
pub(super) fn number(event: &ReleaseEvent<'_>) -> Option<i64> {
    let named = |text: &Text<'_>| text.as_str()?.parse().ok().filter(|number: &i64| *number > 0);
    event
        .release
        .id
        .positive()
        .or_else(|| named(&event.environment.release.id))
        .or_else(|| event.environment.release_id.positive())
        .or_else(|| named(&event.approval.release.id))
        .or_else(|| event.deployment.release.id.positive())
}

/// A release's subject.
pub(super) fn subject(number: i64) -> String {
    format!("release/releases/{number}")
}

/// A release's page; what happens to its environments and approvals is seen there.
///
/// Source: `_links.web` of recorded releases.
pub(super) fn page(frame: &Frame<'_>, number: i64) -> String {
    frame.page(&format!("_release?releaseId={number}&_a=release-summary"))
}

/// The release: an event of its own kind has it on top, that of a completed deployment within the deployment.
fn release_of<'b, 'e>(event: &'b ReleaseEvent<'e>) -> &'b Release<'e> {
    let is_named = event.release.id.positive().is_some() || event.release.name.as_str().is_some();
    if is_named { &event.release } else { &event.deployment.release }
}

fn run<'b>(frame: &Frame<'_>, event: &'b ReleaseEvent<'_>, number: i64) -> Run<'b> {
    Run {
        pipeline_name: release_of(event).release_definition.name.as_str().map(Cow::Borrowed),
        uri: Some(Cow::Owned(page(frame, number))),
        ..Run::default()
    }
}

fn told<'b>(frame: &Frame<'_>, about: &About<'_>, event: &'b ReleaseEvent<'_>, mut fact: Fact<'b>) -> Event {
    let before = std::mem::take(&mut fact.extras);
    fact.links.extend(links(frame, event));
    fact.extras = before.and(extras(frame, event));
    frame.event(about, fact)
}

/// The artifacts that the release deploys.
fn artifacts<'b, 'e>(event: &'b ReleaseEvent<'e>) -> impl Iterator<Item = &'b Artifact<'e>> {
    let own = &event.release.artifacts;
    let all = if own.is_empty() { &event.deployment.release.artifacts } else { own };
    all.iter().map(|artifact| &artifact.0)
}

/// Links to the builds that the release deploys, and to their commits. A commit is named with its repository, or not at all.
fn links(frame: &Frame<'_>, event: &ReleaseEvent<'_>) -> Vec<Link> {
    let mut links = Vec::new();
    for artifact in artifacts(event) {
        let member = |name: &str| artifact.definition_reference.member(name).and_then(|named| named.id.as_str());
        let project = member("project").map(str::to_owned).or_else(|| frame.project.map(|id| id.to_string()));
        let groups: Vec<&str> = project.iter().map(String::as_str).collect();
        let commit = |repository: Option<&str>, commit: Option<&str>| {
            let within = [groups.first().copied(), repository].into_iter().flatten().collect::<Vec<_>>();
            let is_guid = repository.is_some_and(|id| uuid::Uuid::try_parse(id).is_ok());
            commit.filter(|_| is_guid).map(|sha| frame.link(LinkKind::Commit, &within, "commit", sha))
        };
        let at_github = |repository: Option<&str>, commit: Option<&str>| {
            let (owner, name) = repository?.split_once('/')?;
            Some(Frame::link_at_github(LinkKind::Commit, ["", owner, name], "commit", commit?))
        };
        let is_of_github = member("repository.provider").is_some_and(|word| word.eq_ignore_ascii_case("GitHub"));
        match &artifact.kind {
            kind if kind.is("Build") => {
                links.extend(member("version").map(|build| frame.link(LinkKind::Run, &groups, "execution", build)));
                let (repository, sha) = (member("repository"), member("sourceVersion"));
                links.extend(if is_of_github { at_github(repository, sha) } else { commit(repository, sha) });
            }
            kind if kind.is("Git") => links.extend(commit(member("definition"), member("version"))),
            kind if kind.is("GitHub") => links.extend(at_github(member("definition"), member("version"))),
            _ => {}
        }
    }
    links
}

pub(super) fn extras<'b>(frame: &Frame<'_>, event: &'b ReleaseEvent<'_>) -> Members<'b> {
    let release = release_of(event);
    let artifacts = artifacts(event).map(|artifact| {
        let named = |member: &str| artifact.definition_reference.member(member);
        let name = |member: &str| named(member).and_then(|named| named.name.as_str());
        let id = |member: &str| named(member).and_then(|named| named.id.as_str());
        Members::new()
            .text("type", artifact.kind.as_str())
            .text("alias", artifact.alias.as_str())
            .text("definition", name("definition"))
            .text("version", name("version"))
            .text("branch", name("branch"))
            .text("sourceVersion", id("sourceVersion"))
            .text("versionId", id("version"))
            .text("projectId", id("project"))
            // Source: the pages on release variables: the "definition" of an artifact is its build pipeline, or its repository.
            .text("repositoryId", id(if artifact.kind.is("Git") { "definition" } else { "repository" }))
            .flag("isPrimary", artifact.is_primary.0)
    });
    let definition = [
        &event.release.release_definition,
        &event.approval.release_definition,
        &event.environment.release_definition,
        &event.deployment.release_definition,
    ]
    .into_iter()
    .find(|definition| definition.id.as_str().is_some());
    let definition = definition
        .map(|definition| Members::new().text("id", definition.id.as_str()).text("name", definition.name.as_str()));
    let number = number(event);
    // Of a deployment's own release everything is empty but its name and what it deploys: `reason` says "none".
    let reason = release.reason.as_str().filter(|word| !word.eq_ignore_ascii_case("none"));
    let members = Members::new()
        .int("id", number)
        .text("name", release.name.as_str().or(event.environment.release.name.as_str()))
        .text("status", release.status.as_str())
        .text("reason", reason)
        .text("description", release.description.as_str())
        .object("createdBy", person(&release.created_by))
        .object("modifiedBy", person(&release.modified_by))
        .text("apiUrl", number.map(|number| frame.release_address(&subject(number))))
        .objects("artifacts", artifacts);
    Members::new().object("release", members).object("releaseDefinition", definition.unwrap_or_default())
}
