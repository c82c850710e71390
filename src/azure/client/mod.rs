//! The calls that we make to Azure DevOps, typed, over any form of its URL, Services and Server alike.
//!
//! [`AzureDevOps`] is the seam; the engine speaks HTTP over a real socket. Every call is bounded in time and retries,
//! every failure is a [`Failure`] that its caller can branch on, and every call is paid from the budget of the identity
//! that makes it.
//!
//! Source: the Azure DevOps REST API reference, versions 5.0 to 7.1.

mod access;
mod accounts;
mod answer;
mod audit;
mod budget;
mod builds;
mod call;
mod calls;
mod classify;
mod code;
mod code_calls;
mod descriptors;
mod dialer;
mod engine;
mod entra;
mod failure;
mod ledger;
mod limits;
mod line;
mod links;
mod links_calls;
mod look;
mod model;
mod notification_shapes;
mod odd;
mod page;
mod records;
mod records_calls;
mod records_shapes;
mod redaction;
mod runs;
mod runs_calls;
mod settings;
mod shapes;
mod speech;
mod target;
mod timeline;
mod tls;
mod unreachable;
mod version;
mod wire;

pub use self::{
    access::{Access, Credential, Machine, Proof},
    answer::page_title,
    audit::AuditEntry,
    code::{COMMITS_MAX, Code, CommitRecord, Commits, PATHS_MAX, Paths, Version},
    dialer::Dialer,
    entra::{CERTIFICATE_BYTES_MAX, check_certificate},
    failure::{Failure, Unreachable},
    limits::ahead,
    links::{LinkRecord, LinkRecords, Links, PullRequestDetail, Reviewer, WorkItemRecord},
    look::{Look, Media, Seen, Spoken},
    model::{
        ApiVersion, BuildDefinition, ConnectionData, Deployment, EventType, GitRef, GitRepository, Host, Identity,
        Permission, ReleaseDefinition, Subscription, SubscriptionDraft, SubscriptionStatus, TeamProject, WorkItemType,
    },
    odd::OddRecords,
    page::{Page, PageRequest, PageToken},
    records::{
        BuildDate, BuildRecord, CommentRecord, DeploymentRecord, History, HistoryQuery, Iteration, NotificationRecord,
        PullRequestDate, PullRequestRecord, PushRecord, Records, RefUpdate, ReleaseRecord, RevisionRecord, Revisions,
        RevisionsFrom, TimelineRecord, UpdateRecord, Window,
    },
    runs::{Environment, EnvironmentDeployment, RunPipeline, RunRepository, RunResources, Runs},
    tls::use_ring,
    unreachable::{place as why_unreachable, tls_error},
};

// What any speaker of HTTP needs: the sinks are others.
pub(crate) use self::{
    descriptors::{USED_UP as DESCRIPTORS_USED_UP, used_up as descriptors_used_up},
    limits::retry_after,
    redaction::Redaction,
    unreachable::unreachable_words,
};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use uuid::Uuid;

/// What a call is for. While the identity's budget is short, what repairs goes before what somebody waits for, and that
/// before what merely reads in bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Reading much, with nobody waiting.
    Bulk,
    /// Somebody waits for the answer.
    Interactive,
    /// Hooks and what they lost.
    Repair,
}

/// What an identity has spent, as far as we and the server's headers know.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spent {
    /// Calls of the last 5 minutes, the window that Azure limits.
    pub calls: u32,
    /// What Azure says is left (`X-RateLimit-Remaining`), in TSTU; it says so only near the limit.
    pub remaining_tstu: Option<f64>,
    /// What Azure says is the limit (`X-RateLimit-Limit`), in TSTU.
    pub limit_tstu: Option<f64>,
    /// Nothing is sent before this time, because Azure asked to wait.
    pub waiting_until: Option<Timestamp>,
}

/// Makes clients; how the gateway gets at Azure DevOps, and the one place where a test puts another one in.
pub trait Dial: Send + Sync {
    /// A client for this access. Clients of one identity share its budget, whatever else differs.
    ///
    /// # Errors
    /// [`Failure::Settings`] for a CA bundle, proxy or header that cannot be used; nothing is sent yet.
    fn dial(&self, access: &Access) -> Result<Arc<dyn AzureDevOps>, Failure>;
}

/// One organization or collection, as one identity sees it.
///
/// Projects and repositories are named by GUID or name, as Azure takes both; names may have spaces and any script.
#[async_trait]
pub trait AzureDevOps: Records + Code + Links + Runs {
    /// The same, with its calls made at another priority. A new client is [`Priority::Interactive`].
    fn at(&self, priority: Priority) -> Arc<dyn AzureDevOps>;

    /// What the identity has spent of its budget.
    fn spent(&self) -> Spent;

    /// How far the server's clock is ahead of ours, by its last answer; `None` before it said.
    fn clock_ahead(&self) -> Option<SignedDuration> {
        None
    }

    /// The records of lists that could not be read in the last 24 hours, and were left out.
    fn odd_records(&self) -> Vec<OddRecords> {
        Vec::new()
    }

    /// Which deployment it is and who we are there. The cheapest call that needs a valid credential.
    async fn connection_data(&self) -> Result<ConnectionData, Failure>;

    /// The api-version that is spoken with it: negotiated once, then remembered.
    async fn api_version(&self) -> Result<ApiVersion, Failure>;

    /// Projects, by name; needs scope Project and team (Read).
    async fn projects(&self, page: PageRequest) -> Result<Page<TeamProject>, Failure>;

    /// One project.
    async fn project(&self, project: &str) -> Result<TeamProject, Failure>;

    /// Repositories of a project, or of all; unpaged at Azure. Needs scope Code (Read).
    async fn repositories(&self, project: Option<&str>) -> Result<Vec<GitRepository>, Failure>;

    /// Branches of a repository whose names contain `search`. Needs scope Code (Read).
    async fn branches(
        &self,
        project: &str,
        repository: &str,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<GitRef>, Failure>;

    /// Pipelines (build definitions) of a project. Needs scope Build (Read).
    async fn pipelines(&self, project: &str, page: PageRequest) -> Result<Page<BuildDefinition>, Failure>;

    /// Classic release pipelines of a project, on the release host. Needs scope Release (Read).
    async fn release_definitions(&self, project: &str, page: PageRequest) -> Result<Page<ReleaseDefinition>, Failure>;

    /// Work item types of a project with their states. Needs scope Work items (Read).
    async fn work_item_types(&self, project: &str) -> Result<Vec<WorkItemType>, Failure>;

    /// Whether our identity holds a right on the hooks of a project, or of the collection.
    async fn may(&self, permission: Permission, project: Option<Uuid>) -> Result<bool, Failure>;

    /// The event types that a publisher of this very server knows.
    async fn event_types(&self, publisher: &str) -> Result<Vec<EventType>, Failure>;

    /// All webhook subscriptions on a host: complete, or a failure. One call, never paged at Azure.
    async fn subscriptions(&self, host: Host) -> Result<Vec<Subscription>, Failure>;

    /// One subscription; `None` where it is not there or not shown: Azure does not tell the two apart.
    async fn subscription(&self, host: Host, id: &str) -> Result<Option<Subscription>, Failure>;

    /// Makes a subscription on its publisher's host. Azure makes another one each time it is asked, so it is not retried
    /// where the first attempt may have arrived.
    async fn create_subscription(&self, draft: &SubscriptionDraft) -> Result<Subscription, Failure>;

    /// The entries of the audit log within the window, and whether those are all. Services of organizations of Microsoft Entra have
    /// one; needs scope Audit Log (Read), which nothing else does.
    async fn audit_log(&self, within: Window) -> Result<(Vec<AuditEntry>, bool), Failure> {
        let _ = within;
        Err(Failure::NotFound { detail: Some("there is no audit log here".to_owned()) })
    }

    /// Deletes a subscription; one that is gone already is as good as deleted.
    async fn delete_subscription(&self, host: Host, id: &str) -> Result<(), Failure>;

    /// One request, once, and what came back of it as it is.
    async fn look(&self, look: &Look) -> Result<Seen, Failure> {
        let detail = Some(format!("{}: nobody looks here", look.name));
        Err(Failure::Refused { kind: None, detail })
    }
}
