//! A binding: project + role + connection + what it selects there.

use super::{BindingId, ConnectionId, Deploys, Issues, ItemType, Partial, Slug};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a binding makes of the connection for the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A repository and branch whose revisions are deployed; several per project.
    CodeDeployment,
    /// Where builds come from: one per project, and one per code deployment that has its own.
    BuildProvider,
    /// Where the project's work items come from; one per project.
    IssueProvider,
}

/// An Azure DevOps thing by its id (GUID or number) or by its name; compared without regard to case, as Azure does.
/// An id survives renames, a name does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AzureRef(pub String);

impl AzureRef {
    /// Whether this is the id or the name that it is known by.
    pub fn names(&self, candidate: &str) -> bool {
        // ASCII first: it is nearly always enough, and ids are nothing else.
        self.0.eq_ignore_ascii_case(candidate)
            || (!self.0.is_ascii() && self.0.to_lowercase() == candidate.to_lowercase())
    }
}

/// Which branches a code deployment follows, by short name (without `refs/heads/`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BranchRule {
    /// Every branch.
    Any,
    /// Exactly this one.
    Exact(String),
    /// All whose name begins so.
    Prefix(String),
}

impl BranchRule {
    /// Whether it takes this branch, by its short name; compared exactly, as Git does.
    pub fn allows(&self, branch: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => branch == name,
            Self::Prefix(prefix) => branch.starts_with(prefix.as_str()),
        }
    }
}

/// What a binding selects, by role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Selection {
    /// A repository.
    CodeDeployment {
        /// The Azure project that holds it.
        azure_project: AzureRef,
        /// The repository.
        repository: AzureRef,
        /// Its branches.
        branch: BranchRule,
    },
    /// Pipelines.
    BuildProvider {
        /// The Azure project that holds them.
        azure_project: AzureRef,
        /// Which; empty means all.
        pipelines: Vec<AzureRef>,
    },
    /// Work items.
    IssueProvider {
        /// The Azure project that holds them.
        azure_project: AzureRef,
        /// Area paths, each with all below it; empty means all.
        area_paths: Vec<String>,
        /// Types such as `Bug`; empty means all.
        work_item_types: Vec<String>,
    },
}

impl Selection {
    /// The Azure project that holds it.
    pub fn azure_project(&self) -> &AzureRef {
        match self {
            Self::CodeDeployment { azure_project, .. }
            | Self::BuildProvider { azure_project, .. }
            | Self::IssueProvider { azure_project, .. } => azure_project,
        }
    }

    /// The role that this selection belongs to.
    pub fn role(&self) -> Role {
        match self {
            Self::CodeDeployment { .. } => Role::CodeDeployment,
            Self::BuildProvider { .. } => Role::BuildProvider,
            Self::IssueProvider { .. } => Role::IssueProvider,
        }
    }
}

/// As kept in the registry under kind `binding`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its id.
    pub id: BindingId,
    /// The project it belongs to.
    pub project: Slug,
    /// Where it selects.
    pub connection: ConnectionId,
    /// What people call it.
    pub name: Option<String>,
    /// What it selects.
    pub selection: Selection,
    /// Of a build provider: the code deployment that it serves alone; `None` is that it is the project's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_deployment: Option<BindingId>,
    /// Of a build provider: what a partly succeeded run counts as.
    #[serde(default, skip_serializing_if = "Partial::is_default")]
    pub partial: Partial,
    /// Of a code deployment: how its revisions get to environments; `None` is that nobody knows of deployments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploys: Option<Deploys>,
    /// Of a code deployment: whether a push that no pull request explains is a change that was merged, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct_pushes: bool,
    /// Of an issue provider: what it makes of its work items.
    #[serde(flatten)]
    pub issues: Issues,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What the names in a binding meant when Azure was last asked. As kept in the registry under kind `meaning`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// The binding.
    pub binding: BindingId,
    /// What it selected then; once the binding selects something else, this means nothing any more.
    pub of: Selection,
    /// The same in Azure's ids.
    pub ids: Selection,
    /// Of an issue provider: the types of work items in the project's process; empty while Azure does not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub process: Vec<ItemType>,
}
