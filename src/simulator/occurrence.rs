//! What happened in the simulated organization, as its service hooks see it.

use super::forget::Of;
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One event of one type: the model says that it happened, the hooks match it with subscriptions and deliver it.
///
/// The resource is not in here: Azure renders it when it delivers, and so does the model ([`Rendering`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// The envelope's `id`: one per event, whatever number of subscriptions it has.
    pub(crate) id: Uuid,
    pub(crate) event_type: &'static str,
    /// `tfs`, `pipelines`, `rm`.
    pub(crate) publisher: &'static str,
    pub(crate) project: Uuid,
    /// What happened, in a few words for people.
    pub(crate) title: String,
    /// What publisher inputs are compared with, by input id (`repository`, `branch`, `pipelineId`, `notificationType`,
    /// `buildStatus` …): the subscription matches when each of its non-empty inputs is one of these, without regard to
    /// case. An area path matches what lies below it.
    pub(crate) facts: BTreeMap<&'static str, Vec<String>>,
    /// What it belongs to, by which it is forgotten.
    pub(crate) of: Of,
    /// What it is about, for the model to render.
    pub(crate) subject: Subject,
}

/// What an occurrence is about, by the model's own ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Push {
        repository: Uuid,
        push: u32,
    },
    PullRequest {
        number: u32,
    },
    PullRequestComment {
        number: u32,
        comment: u32,
    },
    Repository {
        repository: Uuid,
        change: Value,
    },
    Fork {
        fork: Uuid,
        of: Uuid,
        change: Value,
    },
    Build {
        number: u32,
    },
    Run {
        number: u32,
    },
    Stage {
        run: u32,
        stage: String,
    },
    Job {
        run: u32,
        stage: String,
        job: String,
    },
    Approval {
        run: u32,
        approval: Uuid,
    },
    Release {
        number: u32,
    },
    Deployment {
        release: u32,
        environment: u32,
    },
    WorkItem {
        number: u32,
        rev: u32,
        update: u32,
    },
    /// As it was when it happened.
    Frozen {
        resource: Value,
    },
}

/// An occurrence's resource, as it is when it is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendering {
    pub(crate) resource: Value,
    /// The text of `message` and `detailedMessage`.
    pub(crate) message: String,
}
