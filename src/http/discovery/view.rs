//! What can be chosen, as the API shows it. The texts are Azure's own, so their bounds are Azure's too.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A project of Azure DevOps.
#[derive(Debug, Serialize, ToSchema)]
pub struct AzureProjectView {
    /// Its GUID, which survives renames: the best `azure_project` for a binding.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// `wellFormed`, unless it is being made or deleted.
    pub state: String,
}

/// A Git repository.
#[derive(Debug, Serialize, ToSchema)]
pub struct RepositoryView {
    /// Its GUID, which survives renames.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The GUID of the project that holds it.
    pub azure_project_id: Uuid,
    /// The name of that project.
    pub azure_project_name: String,
    /// Its default branch, by short name; null while it is empty.
    pub default_branch: Option<String>,
    /// Its page for a browser.
    pub web_url: Option<String>,
    /// Whether it is disabled: nothing in it can be read then.
    pub is_disabled: bool,
}

/// A branch.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchView {
    /// Its short name.
    pub name: String,
    /// The commit that it points to.
    pub commit: String,
}

/// A pipeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct PipelineView {
    /// Its number, unique in the collection.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The folder that it lies in.
    pub path: String,
}

/// A state of a work item type.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkItemStateView {
    /// Its name.
    pub name: String,
    /// `Proposed`, `InProgress`, `Resolved`, `Completed` or `Removed`.
    pub category: Option<String>,
}

/// A work item type.
#[derive(Debug, Serialize, ToSchema)]
pub struct WorkItemTypeView {
    /// Its name.
    pub name: String,
    /// Its name for machines.
    pub reference_name: Option<String>,
    /// Its states, in order.
    #[schema(max_items = 1000)]
    pub states: Vec<WorkItemStateView>,
}
