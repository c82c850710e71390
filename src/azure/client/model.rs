//! What the calls take and give: Azure's own words, reduced to what is used.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Azure DevOps in the cloud, or on somebody's own machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deployment {
    /// Azure DevOps Services (`deploymentType` `hosted`).
    Services,
    /// Azure DevOps Server (`onPremises`).
    Server,
}

/// An api-version, such as 7.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ApiVersion {
    /// 7 of 7.1.
    pub major: u16,
    /// 1 of 7.1.
    pub minor: u16,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Somebody at Azure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Their GUID there.
    pub id: Uuid,
    /// Their name for people.
    pub display_name: Option<String>,
    /// Their account, usually a mail address.
    pub account: Option<String>,
}

/// `connectionData`, reduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionData {
    /// Where it runs.
    pub deployment: Deployment,
    /// The organization's or collection's GUID as the host sees it (`instanceId`).
    pub instance_id: Uuid,
    /// Who we are.
    pub user: Identity,
    /// Whether we are nobody: without a credential, a public organization answers even so.
    pub is_anonymous: bool,
}

/// A project of Azure's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamProject {
    /// Its GUID.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// `wellFormed`, or on its way to be or not to be.
    pub state: String,
}

/// A Git repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRepository {
    /// Its GUID.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The project's GUID.
    pub project_id: Uuid,
    /// The project's name.
    pub project_name: String,
    /// Short name of its default branch; an empty repository has none.
    pub default_branch: Option<String>,
    /// Its page in a browser.
    pub web_url: Option<String>,
    /// Whether it is disabled: listed, but everything in it answers 404.
    pub is_disabled: bool,
}

/// A branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitRef {
    /// Short name, without `refs/heads/`.
    pub name: String,
    /// The commit it points to.
    pub object_id: String,
}

/// A pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDefinition {
    /// Its number, unique in the collection.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The folder it lies in, `\` for none.
    pub path: String,
}

/// A classic release pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseDefinition {
    /// Its number; numbers of build definitions are others.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The folder it lies in.
    pub path: String,
}

/// A type of work item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkItemType {
    /// `Bug` and the like.
    pub name: String,
    /// `Microsoft.VSTS.WorkItemTypes.Bug`.
    pub reference_name: Option<String>,
    /// Its states: name and category (`Proposed`, `InProgress`, `Resolved`, `Completed`, `Removed`), in order.
    pub states: Vec<(String, Option<String>)>,
}

/// Which host of the deployment serves a publisher. A Server serves all on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// `dev.azure.com`: publishers `tfs` and `pipelines`.
    Main,
    /// `vsrm.dev.azure.com`: publisher `rm`.
    Release,
}

impl Host {
    /// The host of a publisher.
    pub fn of(publisher: &str) -> Self {
        if publisher == "rm" { Self::Release } else { Self::Main }
    }
}

/// A right in the security namespace `ServiceHooks`. Its third bit, `DeleteSubscriptions` (4), is not used any more: to
/// delete takes `EditSubscriptions`. Source: azure-devops-docs, "Security namespaces and permissions".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// View Subscriptions (bit 1).
    ViewSubscriptions,
    /// Edit Subscription (bit 2).
    EditSubscriptions,
}

/// An event type of a publisher's catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// `git.push` and the like.
    pub id: String,
    /// The versions of its resource that can be asked for.
    pub resource_versions: Vec<String>,
}

/// Azure's word for how a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// It delivers.
    Enabled,
    /// Restricted after failures: it tries now and then.
    OnProbation,
    /// A person switched it off.
    DisabledByUser,
    /// Azure switched it off after failures.
    DisabledBySystem,
    /// Its owner is gone.
    DisabledByInactiveIdentity,
    /// A word that we do not know.
    Unknown,
}

/// A subscription as Azure lists it. Secrets come masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its GUID.
    pub id: String,
    /// `tfs`, `pipelines`, `rm`.
    pub publisher: String,
    /// `git.push` and the like.
    pub event_type: String,
    /// The version that was asked for; absent where the server chose.
    pub resource_version: Option<String>,
    /// How it is.
    pub status: SubscriptionStatus,
    /// Filters, with what the server added (`tfsSubscriptionId`, `hostId`).
    pub publisher_inputs: BTreeMap<String, String>,
    /// Where it delivers, with masked secrets.
    pub consumer_inputs: BTreeMap<String, String>,
    /// Who made it and with whose rights it runs.
    pub created_by: Option<Uuid>,
    /// When, as Azure wrote it.
    pub created_date: Option<String>,
    /// The name of the person who changed it last: of a subscription that is off, most likely the person who switched it off.
    pub modified_by: Option<String>,
    /// When, as Azure wrote it.
    pub modified_date: Option<String>,
    /// Azure's own word for its status, where it is none that we know.
    pub unknown_status: Option<String>,
    /// When it last delivered, where the server says.
    pub last_success: Option<String>,
    /// How often it was tried while on probation.
    pub probation_retries: Option<u32>,
}

/// A subscription to be made: always consumer `webHooks`, action `httpRequest`.
#[derive(Clone, PartialEq, Eq)]
pub struct SubscriptionDraft {
    /// `tfs`, `pipelines`, `rm`.
    pub publisher: String,
    /// `git.push` and the like.
    pub event_type: String,
    /// The version of its resource; always said, never left to the server.
    pub resource_version: String,
    /// Filters.
    pub publisher_inputs: BTreeMap<String, String>,
    /// `url`, `basicAuthUsername`, `resourceDetailsToSend` and the like; not the password.
    pub consumer_inputs: BTreeMap<String, String>,
    /// `basicAuthPassword`.
    pub password: Zeroizing<String>,
}

impl fmt::Debug for SubscriptionDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionDraft")
            .field("publisher", &self.publisher)
            .field("event_type", &self.event_type)
            .field("resource_version", &self.resource_version)
            .field("publisher_inputs", &self.publisher_inputs)
            .field("consumer_inputs", &self.consumer_inputs)
            .finish_non_exhaustive()
    }
}
