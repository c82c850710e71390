//! Classic releases: a release is a pipeline run, each of its environments a task run.

use super::{
    binding::{About, Family},
    frame::{Fact, Frame, first_uri, moment, person},
};
use crate::{
    azure::{
        lenient::Text,
        resource::release::{Release, ReleaseEvent},
    },
    event::{
        Event,
        cdevents::{Content, Link, LinkKind, Outcome, Reference, Run},
        members::Members,
    },
};
use std::borrow::Cow;

const NO_RELEASE: &str = "the resource names no release";

/// `release-created-event`.
pub(super) fn created(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(event) = frame.resource::<ReleaseEvent<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &event);
    let Some(subject) = subject(&event) else { return frame.received(&about, Some(NO_RELEASE)) };
    let content = Content::PipelineRunQueued(run(&event.release));
    let mut fact = Fact::new(content, &subject, "queued");
    fact.time = moment(event.release.created_on.as_str());
    vec![told(&frame, &about, &event, fact)]
}

/// `release-abandoned-event`.
pub(super) fn abandoned(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(event) = frame.resource::<ReleaseEvent<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &event);
    let Some(subject) = subject(&event) else { return frame.received(&about, Some(NO_RELEASE)) };
    let run = Run { outcome: Some(Outcome::Cancel), ..run(&event.release) };
    // An abandoned release stays so: no date is needed to tell two of them apart.
    let mut fact = Fact::new(Content::PipelineRunFinished(run), &subject, "abandoned");
    fact.time = moment(event.release.modified_on.as_str());
    vec![told(&frame, &about, &event, fact)]
}

/// `deployment-started-event`.
pub(super) fn deployment_started(frame: Frame<'_>) -> Vec<Event> {
    deployment(frame, |event, task, _| (Content::TaskRunStarted(task), moment(event.deployment.started_on.as_str())))
}

/// `deployment-completed-event`.
pub(super) fn deployment_completed(frame: Frame<'_>) -> Vec<Event> {
    deployment(frame, |event, task, frame| {
        let time = moment(event.deployment.completed_on.as_str()).or(moment(event.environment.modified_on.as_str()));
        let outcome = Some(outcome(&event.environment.status, &event.deployment.deployment_status, frame));
        (Content::TaskRunFinished(Run { outcome, ..task }), time)
    })
}

fn deployment(
    mut frame: Frame<'_>,
    tell: impl for<'b> FnOnce(&'b ReleaseEvent<'_>, Run<'b>, &Frame<'_>) -> (Content<'b>, Option<jiff::Timestamp>),
) -> Vec<Event> {
    let Some(event) = frame.resource::<ReleaseEvent<'_>>() else { return frame.unread() };
    let about = about(&mut frame, &event);
    let environment = &event.environment;
    let Some((release, number)) = subject(&event).zip(environment.id.positive()) else {
        return frame.received(&about, Some("the resource names no release environment"));
    };
    let task = Run {
        task_name: environment.name.as_str(),
        pipeline_run: Some(Reference { id: Cow::Owned(release.clone()) }),
        ..Run::default()
    };
    let (content, time) = tell(&event, task, &frame);
    let subject = format!("{release}/environments/{number}");
    let steps = environment.deploy_steps.iter().filter_map(|step| step.attempt.positive()).max();
    let discriminator = match event.deployment.attempt.positive().or(steps) {
        Some(attempt) => format!("attempt:{attempt}"),
        None => frame.occasion(),
    };
    let mut fact = Fact::new(content, &subject, &discriminator);
    fact.entity = Some(&release);
    fact.time = time;
    let members = Members::new()
        .int("id", Some(number))
        .text("name", environment.name.as_str())
        .text("status", environment.status.as_str())
        .int("definitionEnvironmentId", environment.definition_environment_id.positive());
    let deployment = Members::new()
        .int("id", event.deployment.id.positive())
        .int("attempt", event.deployment.attempt.positive().or(steps))
        .text("deploymentStatus", event.deployment.deployment_status.as_str())
        .text("operationStatus", event.deployment.operation_status.as_str())
        .time("startedOn", moment(event.deployment.started_on.as_str()))
        .time("completedOn", moment(event.deployment.completed_on.as_str()));
    fact.extras = Members::new()
        .object("environment", members)
        .object("deployment", deployment)
        .text("comment", event.comment.as_str());
    vec![told(&frame, &about, &event, fact)]
}

/// The environment's status has no word for "failed": it says rejected, of a deployment that failed as of one that an
/// approver refused. The deployment's own status is finer where there is one.
fn outcome(environment: &Text<'_>, deployment: &Text<'_>, frame: &Frame<'_>) -> Outcome {
    match environment {
        word if word.is("succeeded") => Outcome::Success,
        word if word.is("partiallySucceeded") => frame.context.settings.partially_succeeded_is,
        word if word.is("rejected") => Outcome::Failure,
        word if word.is("canceled") => Outcome::Cancel,
        _ if deployment.is("succeeded") => Outcome::Success,
        _ if deployment.is("partiallySucceeded") => frame.context.settings.partially_succeeded_is,
        _ if deployment.is("failed") => Outcome::Failure,
        _ => Outcome::Error,
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

/// `release/releases/{n}`; in the samples `environment.releaseId` is 0, and the release inside it is right.
pub(super) fn subject(event: &ReleaseEvent<'_>) -> Option<String> {
    let named = |text: &Text<'_>| text.as_str()?.parse().ok().filter(|number: &i64| *number > 0);
    let number = event
        .release
        .id
        .positive()
        .or_else(|| named(&event.environment.release.id))
        .or_else(|| event.environment.release_id.positive())
        .or_else(|| named(&event.approval.release.id))
        .or_else(|| named(&event.deployment.release.id))?;
    Some(format!("release/releases/{number}"))
}

fn run<'b>(release: &'b Release<'_>) -> Run<'b> {
    Run {
        pipeline_name: release.release_definition.name.as_str().map(Cow::Borrowed),
        uri: first_uri([release.links.web.href.as_str(), release.url.as_str()]),
        ..Run::default()
    }
}

fn told<'b>(frame: &Frame<'_>, about: &About<'_>, event: &'b ReleaseEvent<'_>, mut fact: Fact<'b>) -> Event {
    let before = std::mem::take(&mut fact.extras);
    fact.links.extend(links(frame, event));
    fact.extras = before.and(extras(event));
    frame.event(about, fact)
}

/// What the release deploys: the builds, and their commits.
fn links(frame: &Frame<'_>, event: &ReleaseEvent<'_>) -> Vec<Link> {
    let mut links = Vec::new();
    for artifact in event.release.artifacts.iter().filter(|artifact| artifact.kind.is("Build")) {
        let member = |name: &str| artifact.definition_reference.member(name).and_then(|named| named.id.as_str());
        let project = member("project").map(str::to_owned).or_else(|| frame.project.map(|id| id.to_string()));
        let groups: Vec<&str> = project.iter().map(String::as_str).collect();
        links.extend(member("version").map(|build| frame.link(LinkKind::Run, &groups, "execution", build)));
        links.extend(member("sourceVersion").map(|commit| frame.link(LinkKind::Commit, &groups, "commit", commit)));
    }
    links
}

pub(super) fn extras<'b>(event: &'b ReleaseEvent<'_>) -> Members<'b> {
    let release = &event.release;
    let artifacts = release.artifacts.iter().map(|artifact| {
        let name = |member: &str| artifact.definition_reference.member(member).and_then(|named| named.name.as_str());
        Members::new()
            .text("type", artifact.kind.as_str())
            .text("alias", artifact.alias.as_str())
            .text("definition", name("definition"))
            .text("version", name("version"))
            .text("branch", name("branch"))
    });
    let definition = [
        &release.release_definition,
        &event.approval.release_definition,
        &event.environment.release_definition,
        &event.deployment.release_definition,
    ]
    .into_iter()
    .find(|definition| definition.id.as_str().is_some());
    let definition = definition
        .map(|definition| Members::new().text("id", definition.id.as_str()).text("name", definition.name.as_str()));
    let members = Members::new()
        .int("id", release.id.positive())
        .text("name", release.name.as_str().or(event.environment.release.name.as_str()))
        .text("status", release.status.as_str())
        .text("reason", release.reason.as_str())
        .text("description", release.description.as_str())
        .object("createdBy", person(&release.created_by))
        .object("modifiedBy", person(&release.modified_by))
        .objects("artifacts", artifacts);
    Members::new().object("release", members).object("releaseDefinition", definition.unwrap_or_default())
}
