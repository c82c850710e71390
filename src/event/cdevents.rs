//! `CDEvents` 0.5.1 inside structured `CloudEvents` 1.0.
//!
//! Source: the JSON schemas of the release, which are closed and stricter than the prose; cloudevents-binding.md.
//! Own types because the SDK cannot set links or chain ids and writes another specversion.

pub use super::link::{Link, LinkKind};

use super::{members::Members, text};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use uuid::Uuid;

/// The release whose schemas the events hold against. No schema pins it, so a test does.
pub const SPEC_VERSION: &str = "0.5.1";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
    /// Somebody stopped it.
    Cancel,
    /// It could not, or did not say.
    Error,
}

/// Another subject of the same source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reference<'a> {
    /// Its subject id.
    pub id: Cow<'a, str>,
}

/// What a ticket event says; `summary` and `creator` are required of created, `resolution` of closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket<'a> {
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Cow<'a, str>>,
    /// bug, enhancement, incident, task, question, or the tracker's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_type: Option<&'a str>,
    /// Where it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<&'a str>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<&'a str>,
    /// Who has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assignees: Vec<&'a str>,
    /// low, medium, high, or the tracker's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<&'a str>,
    /// Its labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<&'a str>,
    /// For when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milestone: Option<&'a str>,
    /// Where it is.
    pub uri: Cow<'a, str>,
    /// completed, withdrawn, duplicate, or the tracker's own word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<&'a str>,
    /// Who changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<&'a str>,
}

/// A repository as the repository events describe it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository<'a> {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// Its project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<&'a str>,
    /// Where it is cloned from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<Cow<'a, str>>,
    /// Where people look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_url: Option<Cow<'a, str>>,
}

/// A pipeline run or a task run (which says `taskName` and names its run); the kinds know which members they may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run<'a> {
    /// Of pipeline runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_name: Option<Cow<'a, str>>,
    /// Of task runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_name: Option<&'a str>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<Cow<'a, str>>,
    /// Of task runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline_run: Option<Reference<'a>>,
    /// Of finished ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Of finished ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Cow<'a, str>>,
}

/// What an incident event says; `ticket_uri` is required of reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incident<'a> {
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    /// Where.
    pub environment: Reference<'a>,
    /// Where the ticket is.
    #[serde(rename = "ticketURI", skip_serializing_if = "Option::is_none")]
    pub ticket_uri: Option<&'a str>,
}

/// An event of our own, `dev.cdeventsx.azuredevops-…`.
#[derive(Debug, Clone, PartialEq)]
pub struct Custom<'a> {
    /// Its type, with version; letters only in subject and predicate, one digit per number.
    pub kind: &'static str,
    /// What it says.
    pub content: Members<'a>,
}

impl Serialize for Custom<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.content.serialize(serializer)
    }
}

/// What happened: the event's type and its subject's content, which belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Content<'a> {
    /// A repository, new: needs name and uri.
    RepositoryCreated(Repository<'a>),
    /// A repository, renamed or switched.
    RepositoryModified(Repository<'a>),
    /// A repository, gone.
    RepositoryDeleted(Repository<'a>),
    /// A branch, new.
    BranchCreated {
        /// Its repository.
        repository: Reference<'a>,
    },
    /// A branch, gone.
    BranchDeleted {
        /// Its repository.
        repository: Reference<'a>,
    },
    /// A pull request, new.
    ChangeCreated {
        /// What it is for.
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        /// Its repository.
        repository: Reference<'a>,
    },
    /// A pull request, changed.
    ChangeUpdated {
        /// Its repository.
        repository: Reference<'a>,
    },
    /// A pull request, voted on.
    ChangeReviewed {
        /// Its repository.
        repository: Reference<'a>,
    },
    /// A pull request, completed; or a changeset, which has no repository.
    ChangeMerged {
        /// Its repository.
        #[serde(skip_serializing_if = "Option::is_none")]
        repository: Option<Reference<'a>>,
    },
    /// A pull request, given up.
    ChangeAbandoned {
        /// Its repository.
        repository: Reference<'a>,
    },
    /// A run that waits.
    PipelineRunQueued(Run<'a>),
    /// A run that began: needs name and uri.
    PipelineRunStarted(Run<'a>),
    /// A run that ended.
    PipelineRunFinished(Run<'a>),
    /// A part of a run that began.
    TaskRunStarted(Run<'a>),
    /// A part of a run that ended.
    TaskRunFinished(Run<'a>),
    /// A build that ended; it cannot say how.
    BuildFinished {},
    /// A work item, new.
    TicketCreated(Ticket<'a>),
    /// A work item, changed.
    TicketUpdated(Ticket<'a>),
    /// A work item, done.
    TicketClosed(Ticket<'a>),
    /// Something is wrong in an environment, and there is a ticket for it.
    IncidentReported(Incident<'a>),
    /// It is not any more.
    IncidentResolved(Incident<'a>),
    /// A revision that reached an environment.
    #[serde(rename_all = "camelCase")]
    ServiceDeployed {
        /// Where to.
        environment: Reference<'a>,
        /// What, as a package URL.
        artifact_id: &'a str,
    },
    /// A revision that was there before, and is again.
    #[serde(rename_all = "camelCase")]
    ServiceRolledBack {
        /// Where to.
        environment: Reference<'a>,
        /// What, as a package URL.
        artifact_id: &'a str,
    },
    /// What the vocabulary has no word for.
    Custom(Custom<'a>),
}

impl Content<'_> {
    /// The event's type, with version.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RepositoryCreated(_) => "dev.cdevents.repository.created.0.3.0",
            Self::RepositoryModified(_) => "dev.cdevents.repository.modified.0.3.0",
            Self::RepositoryDeleted(_) => "dev.cdevents.repository.deleted.0.3.0",
            Self::BranchCreated { .. } => "dev.cdevents.branch.created.0.3.0",
            Self::BranchDeleted { .. } => "dev.cdevents.branch.deleted.0.3.0",
            Self::ChangeCreated { .. } => "dev.cdevents.change.created.0.4.0",
            Self::ChangeUpdated { .. } => "dev.cdevents.change.updated.0.3.0",
            Self::ChangeReviewed { .. } => "dev.cdevents.change.reviewed.0.3.0",
            Self::ChangeMerged { .. } => "dev.cdevents.change.merged.0.3.0",
            Self::ChangeAbandoned { .. } => "dev.cdevents.change.abandoned.0.3.0",
            Self::PipelineRunQueued(_) => "dev.cdevents.pipelinerun.queued.0.3.0",
            Self::PipelineRunStarted(_) => "dev.cdevents.pipelinerun.started.0.3.0",
            Self::PipelineRunFinished(_) => "dev.cdevents.pipelinerun.finished.0.3.0",
            Self::TaskRunStarted(_) => "dev.cdevents.taskrun.started.0.3.0",
            Self::TaskRunFinished(_) => "dev.cdevents.taskrun.finished.0.3.0",
            Self::BuildFinished {} => "dev.cdevents.build.finished.0.3.0",
            Self::TicketCreated(_) => "dev.cdevents.ticket.created.0.2.0",
            Self::TicketUpdated(_) => "dev.cdevents.ticket.updated.0.2.0",
            Self::TicketClosed(_) => "dev.cdevents.ticket.closed.0.2.0",
            Self::IncidentReported(_) => "dev.cdevents.incident.reported.0.3.0",
            Self::IncidentResolved(_) => "dev.cdevents.incident.resolved.0.3.0",
            Self::ServiceDeployed { .. } => "dev.cdevents.service.deployed.0.3.0",
            Self::ServiceRolledBack { .. } => "dev.cdevents.service.rolledback.0.3.0",
            Self::Custom(custom) => custom.kind,
        }
    }
}

/// One event before it is bytes.
#[derive(Debug)]
pub struct CdEvent<'a, D> {
    /// The fact key.
    pub id: Uuid,
    /// Where it happened.
    pub source: &'a str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// What belongs together from the first change to the deployment.
    pub chain: Option<Uuid>,
    /// Relations.
    pub links: &'a [Link],
    /// To whom; unique in the source.
    pub subject: &'a str,
    /// What.
    pub content: &'a Content<'a>,
    /// Everything else.
    pub custom_data: D,
    /// The entity whose events stay in order.
    pub partition_key: &'a str,
}

impl<D: Serialize> CdEvent<'_, D> {
    /// The structured-mode `CloudEvent`, one line.
    ///
    /// # Panics
    /// Never: the types are plain data with string keys, whose serialisation cannot fail.
    pub fn to_json(&self) -> Bytes {
        /// A push or build of the usual size needs no second allocation.
        const CAPACITY: usize = 2_048;
        let (time, partition_key) = (self.timestamp.to_string(), text::string(self.partition_key));
        let links: Vec<_> = self.links.iter().map(LinkOut::new).collect();
        let (kind, subject) = (self.content.kind(), text::string(self.subject));
        let out = CloudEventOut {
            specversion: "1.0",
            id: self.id,
            source: self.source,
            kind,
            subject: &subject,
            time: &time,
            datacontenttype: "application/json",
            partitionkey: &partition_key,
            data: DataOut {
                context: ContextOut {
                    specversion: SPEC_VERSION,
                    id: self.id,
                    source: self.source,
                    kind,
                    timestamp: &time,
                    chain_id: self.chain,
                    links: &links,
                },
                subject: SubjectOut { id: &subject, content: self.content },
                custom_data: &self.custom_data,
            },
        };
        let mut bytes = Vec::with_capacity(CAPACITY);
        serde_json::to_writer(&mut bytes, &out).expect("an event is plain data with string keys, written to memory");
        bytes.into()
    }
}

#[derive(Serialize)]
struct CloudEventOut<'a, D> {
    specversion: &'a str,
    id: Uuid,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    time: &'a str,
    datacontenttype: &'a str,
    partitionkey: &'a str,
    data: DataOut<'a, D>,
}

#[derive(Serialize)]
struct DataOut<'a, D> {
    context: ContextOut<'a>,
    subject: SubjectOut<'a>,
    #[serde(rename = "customData")]
    custom_data: &'a D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContextOut<'a> {
    specversion: &'a str,
    id: Uuid,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    chain_id: Option<Uuid>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    links: &'a [LinkOut<'a>],
}

#[derive(Serialize)]
struct SubjectOut<'a> {
    id: &'a str,
    content: &'a Content<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkOut<'a> {
    link_type: &'a str,
    link_kind: LinkKind,
    target: TargetOut<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TargetOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    context_id: Option<Uuid>,
    domain_id: &'a str,
}

impl<'a> LinkOut<'a> {
    fn new(link: &'a Link) -> Self {
        Self {
            link_type: "RELATION",
            link_kind: link.kind,
            target: TargetOut { context_id: link.event, domain_id: &link.domain_id },
        }
    }
}
