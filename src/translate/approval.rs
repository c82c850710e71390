//! Approvals of pipelines and of releases, and the checks behind them. The content has the member names of the
//! approval events in the draft of `CDEvents` 0.6, so that a consumer need change only the type later.

use super::{
    binding::{About, Family},
    frame::{Fact, Frame, custom, moment, person},
    release,
};
use crate::{
    azure::{
        lenient::Text,
        resource::{
            Identity,
            pipeline::{ApprovalEvent, CheckUpdate},
            release::ReleaseEvent,
        },
    },
    event::{Event, cdevents::LinkKind, members::Members},
};

const CREATED: &str = "dev.cdeventsx.azuredevops-approval.created.0.1.0";
const CLOSED: &str = "dev.cdeventsx.azuredevops-approval.closed.0.1.0";

/// `approval-pending`.
pub(super) fn pending(frame: Frame<'_>) -> Vec<Event> {
    of_pipeline(frame, CREATED)
}

/// `approval-completed`.
pub(super) fn completed(frame: Frame<'_>) -> Vec<Event> {
    of_pipeline(frame, CLOSED)
}

/// `deployment-approval-pending-event`.
pub(super) fn release_pending(frame: Frame<'_>) -> Vec<Event> {
    of_release(frame, CREATED)
}

/// `deployment-approval-completed-event`.
pub(super) fn release_completed(frame: Frame<'_>) -> Vec<Event> {
    of_release(frame, CLOSED)
}

fn of_pipeline(mut frame: Frame<'_>, kind: &'static str) -> Vec<Event> {
    let Some(event) = frame.resource::<ApprovalEvent<'_>>() else { return frame.unread() };
    frame.within(event.project_id.as_str());
    let (approval, of_approval) = (&event.approval, &event.approval.pipeline);
    let about = About {
        family: Family::Run,
        pipeline: [
            event.pipeline.id.as_str().or(of_approval.id.as_str()),
            event.pipeline.name.as_str().or(of_approval.name.as_str()),
        ],
        ..About::project(&frame)
    };
    let Some(id) = approval.id.as_str().or(event.approval_id.as_str()) else {
        return frame.received(&about, Some("the resource names no approval"));
    };
    let subject = format!("pipelines/approvals/{id}");
    let run =
        [event.run.id, event.run_id, of_approval.owner.id].into_iter().find_map(crate::azure::lenient::Int::positive);
    let run_path = run.map(|run| format!("build/builds/{run}"));
    // The run's page is where it is approved. Without a run all that is left is the pipeline's, or the list of them.
    let page = frame.page(&match (run, about.pipeline[0]) {
        (Some(run), _) => format!("_build/results?buildId={run}"),
        (None, Some(pipeline)) => format!("_build?definitionId={pipeline}"),
        (None, None) => "_build".to_owned(),
    });
    let asking = [&event.requested_by, &event.run.requested_for];
    let requestor = asking.into_iter().find_map(|person| urn(person));
    let steps = || approval.steps.iter();
    let answered = steps().find(|step| step.actual_approver.handle().is_some());
    let responder = steps().find_map(|step| urn(&step.actual_approver).or_else(|| urn(&step.assigned_approver)));
    let content = Members::new()
        .text("approvalDetailsUrl", Some(page.clone()))
        .text("resourceTargetUrl", Some(page))
        .text("requestor", requestor)
        .and(if kind == CLOSED { closing(&approval.status, responder) } else { Members::new() });
    let status = approval.status.as_str().unwrap_or_default().to_ascii_lowercase();
    let mut fact = Fact::new(custom(kind, content), &subject, &status);
    fact.entity = run_path.as_deref();
    fact.time = moment(if kind == CREATED { approval.created_on.as_str() } else { approval.last_modified_on.as_str() });
    fact.actor = match kind {
        CREATED => asking.into_iter().find_map(Identity::handle),
        _ => answered.and_then(|step| step.actual_approver.handle()),
    };
    let run_number = run.map(|run| run.to_string());
    fact.links.extend(run_number.iter().map(|run| frame.link_here(LinkKind::Gates, "execution", run)));
    fact.extras = pipeline_extras(&event).text("apiUrl", Some(frame.address(&subject)));
    vec![frame.event(&about, fact)]
}

fn pipeline_extras<'b>(event: &'b ApprovalEvent<'_>) -> Members<'b> {
    let approval = &event.approval;
    let steps = approval.steps.iter().map(|step| {
        Members::new()
            .object("assignedApprover", person(&step.assigned_approver))
            .object("actualApprover", person(&step.actual_approver))
            .text("status", step.status.as_str())
            .text("comment", step.comment.as_str())
            .time("lastModifiedOn", moment(step.last_modified_on.as_str()))
    });
    let resource = Members::new()
        .text("type", event.resource.kind.as_str().or(event.resource.resource_type.as_str()))
        .text("id", event.resource.id.as_str())
        .text("name", event.resource.name.as_str());
    let pipeline = Members::new().text("id", event.pipeline.id.as_str()).text("name", event.pipeline.name.as_str());
    Members::new()
        .text("status", approval.status.as_str())
        .text("instructions", approval.instructions.as_str())
        .int("minRequiredApprovers", approval.min_required_approvers.0)
        .int("attempt", event.attempt_id.positive())
        .text("stage", event.stage_name.as_str().or(event.stage.name.as_str()))
        .object("resource", resource)
        .object("pipeline", pipeline)
        .text("run", event.run.name.as_str())
        .objects("steps", steps)
}

fn of_release(mut frame: Frame<'_>, kind: &'static str) -> Vec<Event> {
    let Some(event) = frame.resource::<ReleaseEvent<'_>>() else { return frame.unread() };
    let about = release::about(&mut frame, &event);
    let approval = &event.approval;
    let number = release::number(&event);
    let release = number.map(release::subject);
    // The samples count approvals from 0; the environment and the side of the deployment tell as much.
    let place = release.as_ref().map(|release| {
        let environment = approval.release_environment.id.as_str().unwrap_or("0");
        format!("{release}/environments/{environment}/approvals/{}", approval.approval_type.as_str().unwrap_or("any"))
    });
    let numbered = approval.id.positive().map(|id| format!("release/approvals/{id}"));
    let Some(subject) = numbered.clone().or(place) else {
        return frame.received(&about, Some("the resource names no approval"));
    };
    // Approvals have no page of their own, and those of releases no address below their release.
    let page = number.map_or_else(|| frame.page("_release"), |number| release::page(&frame, number));
    let responder = urn(&approval.approved_by).or_else(|| urn(&approval.approver));
    let content = Members::new()
        .text("approvalDetailsUrl", Some(page.clone()))
        .text("resourceTargetUrl", Some(page))
        .text("requestor", urn(&event.release.created_by))
        .and(if kind == CLOSED { closing(&approval.status, responder) } else { Members::new() });
    let status = approval.status.as_str().unwrap_or_default().to_ascii_lowercase();
    let discriminator = format!("{status}:{}", approval.attempt.positive().unwrap_or_default());
    let mut fact = Fact::new(custom(kind, content), &subject, &discriminator);
    fact.entity = release.as_deref();
    fact.time = moment(if kind == CREATED { approval.created_on.as_str() } else { approval.modified_on.as_str() });
    fact.actor = match kind {
        CREATED => event.release.created_by.handle(),
        _ => approval.approved_by.handle(),
    };
    // Releases and builds are counted apart, and a name must be of one thing.
    let gated = number.map(|number| format!("release/{number}"));
    fact.links.extend(gated.map(|gated| frame.link_here(LinkKind::Gates, "execution", &gated)));
    let environment = Members::new()
        .text("id", approval.release_environment.id.as_str())
        .text("name", approval.release_environment.name.as_str());
    fact.extras = Members::new()
        .text("status", approval.status.as_str())
        .text("approvalType", approval.approval_type.as_str())
        .int("attempt", approval.attempt.positive())
        .text("comments", approval.comments.as_str())
        .object("approver", person(&approval.approver))
        .object("approvedBy", person(&approval.approved_by))
        .object("environment", environment)
        .text("apiUrl", numbered.map(|path| frame.release_address(&path)))
        .and(release::extras(&frame, &event));
    vec![frame.event(&about, fact)]
}

/// What closed events add; a status for which the draft has no word is left to the custom data.
fn closing(status: &Text<'_>, responder: Option<String>) -> Members<'static> {
    let words = [
        ("approved", Some("approved"), Some("approved")),
        ("rejected", Some("rejected"), Some("rejected")),
        ("canceled", None, Some("cancelled")),
        ("timedOut", None, Some("expired")),
        ("reassigned", Some("delegate"), None),
        ("deferred", Some("deferred"), None),
    ];
    let (_, decision, status) = words.into_iter().find(|(word, ..)| status.is(word)).unwrap_or(("", None, None));
    Members::new().text("responder", responder).text("decision", decision).text("status", status)
}

/// A person as a URN, which the draft asks for.
fn urn(identity: &Identity<'_>) -> Option<String> {
    crate::azure::guid::guid(identity.id()).map(|id| id.urn().to_string())
}

/// `check-updated-event`: the configuration of a check changed; nothing was checked.
pub(super) fn check_updated(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(update) = frame.resource::<CheckUpdate<'_>>() else { return frame.unread() };
    frame.within(update.project_id.as_str());
    let about = About::project(&frame);
    let Some(id) = update.check_configuration_id.positive() else {
        return frame.received(&about, Some("the resource names no check"));
    };
    let resource = Members::new()
        .text("type", update.resource.kind.as_str())
        .text("id", update.resource.id.as_str())
        .text("name", update.resource.name.as_str());
    let content = Members::new().int("checkConfigurationId", Some(id)).object("resource", resource);
    let content = custom("dev.cdeventsx.azuredevops-check.updated.0.1.0", content);
    let (subject, occasion) = (format!("pipelines/checks/configurations/{id}"), frame.occasion());
    let mut fact = Fact::new(content, &subject, &occasion);
    let protected = Members::new()
        .text("type", update.resource.kind.as_str())
        .text("id", update.resource.id.as_str())
        .text("name", update.resource.name.as_str());
    fact.extras = Members::new()
        .int("checkConfigurationId", Some(id))
        .object("resource", protected)
        .text("apiUrl", Some(frame.address(&subject)));
    vec![frame.event(&about, fact)]
}
