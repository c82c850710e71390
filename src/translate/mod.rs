//! Notifications into events. Pure: bytes and context in, events out; no clock, no I/O. The same notification gives the
//! same bytes, and a newer mapping gives the same ids.
//!
//! The whole table is in [`translate`]; one file per family of events. Nothing is dropped: what has no better word, is
//! unknown, or lacks what its event needs becomes `dev.cdeventsx.azuredevops-event.received`, with a `reason` if
//! something was missing.

mod approval;
mod binding;
mod build;
mod comment;
pub(crate) mod done;
mod frame;
mod git;
mod identity;
mod incident;
pub mod order;
mod other;
mod pipeline;
mod place;
mod pull_request;
pub mod push;
mod reason;
mod release;
mod repository;
pub mod request;
mod run;
pub mod step;
pub mod union;
mod work_item;

use self::frame::Frame;
use crate::{
    azure::{
        CollectionUrl,
        envelope::EnvelopeError,
        notification::{Notification, readable},
    },
    domain::{Binding, ConnectionId, NotificationId, Process, Recovered, UpdateReason},
    event::Event,
};
use jiff::Timestamp;
use std::{collections::BTreeSet, sync::Arc};

/// The version of this mapping, in every event's custom data. Raised when an event would say something else, not when
/// it would say more; ids never depend on it.
pub const MAPPING_VERSION: u32 = 2;

/// The id of the revision of an event: what it tells once more, when today's mapping says something else than yesterday's.
/// Numbers begin with 1; the event itself is before all of them.
pub fn revision_id(event: uuid::Uuid, number: u32) -> uuid::Uuid {
    identity::revision(event, number)
}

/// Whether a field of a work item says something of what was done, or changes with everything.
pub fn is_telling(field: &str) -> bool {
    work_item::is_telling(field)
}

/// The id of a fact that is not told by a notification but follows from events; as those of events.
pub fn fact_id(kind: &str, source: &str, subject: &str, discriminator: &str) -> uuid::Uuid {
    identity::fact(kind, source, subject, discriminator)
}

/// The name of a thing in a collection, as links have it; `groups` is the project and, for what is in one, the repository.
pub fn domain_id(collection: &str, groups: &[&str], thing: &str, id: &str) -> String {
    identity::domain(collection, groups, thing, id)
}

/// What is chosen per installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The states of work items that mean "done", compared without regard to case; `None` is those that the process of the
    /// project has as completed or removed, and the usual names while that is not known.
    pub completed_states: Option<Vec<String>>,
}

/// What a notification's body does not say.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Through which connection it came.
    pub connection: ConnectionId,
    /// The connection's organization or collection: the source of all its events, whatever host the payload names.
    pub source: &'a CollectionUrl,
    /// Its journal key.
    pub notification: NotificationId,
    /// When it was received: the time of what says no time of its own, which is told of it.
    pub received_at: Timestamp,
    /// Which change of a pull request its subscription is filtered on.
    pub reason: Option<UpdateReason>,
    /// How we came by it, where no hook delivered it.
    pub recovered: Option<Recovered>,
    /// The bindings of the connection.
    pub bindings: &'a [Arc<Binding>],
    /// The processes of its Azure projects, as far as they are known.
    pub processes: &'a [Arc<Process>],
    /// What is chosen.
    pub settings: &'a Settings,
}

/// The body says nothing at all: not JSON, or no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Untranslatable(#[from] pub EnvelopeError);

/// The same of a pull request that stood otherwise before: what its update changed is found by comparing.
pub fn compared(body: &[u8], context: &Context<'_>, before: &request::Standing) -> Result<Vec<Event>, Untranslatable> {
    let text = readable(body)?;
    let notification = Notification::read(&text)?;
    match notification.event_type() {
        Some("git.pullrequest.updated") => Ok(pull_request::updated(Frame::new(&notification, context), Some(before))),
        _ => translate(body, context),
    }
}

/// Events that bindings ask for besides, unless a pull request explains the push: that it is a
/// change that was merged.
pub fn merged_directly(body: &[u8], context: &Context<'_>) -> Result<Vec<Event>, Untranslatable> {
    let text = readable(body)?;
    let notification = Notification::read(&text)?;
    let is_push = notification.event_type() == Some("git.push");
    Ok(if is_push { git::merged_directly(Frame::new(&notification, context)) } else { Vec::new() })
}

/// The events that the notification tells of: at least one, in order.
pub fn translate(body: &[u8], context: &Context<'_>) -> Result<Vec<Event>, Untranslatable> {
    let text = readable(body)?;
    let notification = Notification::read(&text)?;
    let mut events = told(&notification, Frame::new(&notification, context));
    // A body that names one fact twice, as a push one of its refs, tells it once.
    let mut ids = BTreeSet::new();
    events.retain(|event| ids.insert(event.id));
    Ok(events)
}

fn told(notification: &Notification<'_>, frame: Frame<'_>) -> Vec<Event> {
    match notification.event_type().unwrap_or_default() {
        "git.push" => git::push(frame),
        "tfvc.checkin" => git::checkin(&frame),
        "git.pullrequest.created" => pull_request::created(frame),
        "git.pullrequest.updated" => pull_request::updated(frame, None),
        "git.pullrequest.merged" => pull_request::merge_attempted(frame),
        "ms.vss-code.git-pullrequest-comment-event" => comment::commented(frame),
        "git.repo.created" => repository::created(frame),
        "git.repo.renamed" => repository::renamed(frame),
        "git.repo.statuschanged" => repository::switched(frame),
        "git.repo.deleted" => repository::deleted(frame),
        "git.repo.forked" => repository::forked(frame),
        "build.complete" => build::completed(frame),
        "ms.vss-pipelines.run-state-changed-event" => pipeline::run(frame),
        "ms.vss-pipelines.stage-state-changed-event" => pipeline::stage(frame),
        "ms.vss-pipelines.job-state-changed-event" => pipeline::job(frame),
        "ms.vss-pipelinechecks-events.approval-pending" => approval::pending(frame),
        "ms.vss-pipelinechecks-events.approval-completed" => approval::completed(frame),
        "ms.vss-pipelinechecks-events.check-updated-event" => approval::check_updated(frame),
        "ms.vss-release.release-created-event" => release::created(frame),
        "ms.vss-release.release-abandoned-event" => release::abandoned(frame),
        "ms.vss-release.deployment-started-event" => release::deployment_started(frame),
        "ms.vss-release.deployment-completed-event" => release::deployment_completed(frame),
        "ms.vss-release.deployment-approval-pending-event" => approval::release_pending(frame),
        "ms.vss-release.deployment-approval-completed-event" => approval::release_completed(frame),
        "workitem.created" => work_item::created(frame),
        "workitem.updated" => work_item::updated(frame),
        "workitem.commented" => work_item::commented(frame),
        "workitem.deleted" => work_item::deleted(frame),
        "workitem.restored" => work_item::restored(frame),
        _ => other::received(&frame),
    }
}
