//! Resources as the API shows them. Records say what is kept; views say what may be seen: no secret has a member here.

use super::{
    bindings::{deploys::DeploysView, doubts::Doubts, issues::IncidentRuleView},
    problem::FieldError,
    reconcile_views::HookAtAzureView,
};
use crate::{
    app::{Kept, connections::Removal},
    domain::{self, Binding, BranchRule, Environment, Project, Scope, Selection, Token},
    reconcile::removal::Hook,
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What removing a connection takes along.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovalView {
    /// Its bindings, which go with it.
    #[schema(max_items = 5000)]
    pub bindings: Vec<BindingView>,
    /// Projects that are left without a build provider.
    #[schema(max_items = 1000)]
    pub projects_without_build_provider: Vec<String>,
    /// Projects that are left without an issue provider.
    #[schema(max_items = 1000)]
    pub projects_without_issue_provider: Vec<String>,
    /// The subscriptions that are then deleted at Azure DevOps, as far as they are known; hooks made by hand are not.
    #[schema(max_items = 20000)]
    pub subscriptions: Vec<HookAtAzureView>,
    /// Whether it is the last connection: the integration is then gone for all projects.
    pub disables_integration: bool,
    /// Send it as `?confirm=` to remove exactly this; it changes with whatever would go.
    #[schema(max_length = 100, example = "remove-0123456789abcdef")]
    pub confirmation: String,
}

impl RemovalView {
    /// What goes here, and what goes at Azure DevOps.
    pub fn new(removal: Removal, hooks: Vec<Hook>) -> Self {
        Self {
            subscriptions: hooks.into_iter().map(HookAtAzureView::from).collect(),
            bindings: removal.bindings.iter().map(|binding| BindingView::from(&**binding)).collect(),
            projects_without_build_provider: removal.without_build_provider.iter().map(ToString::to_string).collect(),
            projects_without_issue_provider: removal.without_issue_provider.iter().map(ToString::to_string).collect(),
            disables_integration: removal.is_last,
            confirmation: removal.confirmation,
        }
    }
}

/// What went with the thing that was removed.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedView {
    /// The bindings that were removed too.
    #[schema(max_items = 5000)]
    pub removed_bindings: Vec<Uuid>,
}

/// An environment of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvironmentView {
    /// Unique in the project.
    #[schema(max_length = 63, example = "production")]
    pub slug: String,
    /// What people call it.
    #[schema(max_length = 100, example = "Production")]
    pub name: String,
}

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectView {
    /// Its name in URLs and events.
    #[schema(max_length = 63, example = "web-shop")]
    pub slug: String,
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: String,
    /// What it is.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// In order of promotion.
    #[schema(max_items = 50)]
    pub environments: Vec<EnvironmentView>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub created_at: jiff::Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub updated_at: jiff::Timestamp,
}

impl From<&Project> for ProjectView {
    fn from(record: &Project) -> Self {
        let environment = |environment: &Environment| EnvironmentView {
            slug: environment.slug.to_string(),
            name: environment.name.clone(),
        };
        Self {
            slug: record.slug.to_string(),
            name: record.name.clone(),
            description: record.description.clone(),
            environments: record.environments.iter().map(environment).collect(),
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

/// What a binding makes of its connection for the project.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleView {
    /// A repository and branches whose revisions are deployed; several per project.
    CodeDeployment,
    /// Where builds come from: one per project, and one per code deployment that has its own.
    BuildProvider,
    /// Where the project's work items come from; one per project.
    IssueProvider,
}

/// A binding. Which of the last members are there depends on the role.
#[derive(Debug, Serialize, ToSchema)]
pub struct BindingView {
    /// Its id.
    pub id: Uuid,
    /// The project it belongs to.
    #[schema(max_length = 63)]
    pub project: String,
    /// What it makes of the connection.
    pub role: RoleView,
    /// Where it selects.
    pub connection: Uuid,
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: Option<String>,
    /// The Azure DevOps project that holds what it selects, by id or name.
    #[schema(max_length = 256)]
    pub azure_project: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub created_at: jiff::Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub updated_at: jiff::Timestamp,
    /// `code_deployment`: the repository, by id or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 256)]
    pub repository: Option<String>,
    /// `code_deployment`: exactly this branch. Without it and `branch_prefix`: all branches.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 250)]
    pub branch: Option<String>,
    /// `code_deployment`: branches that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 250)]
    pub branch_prefix: Option<String>,
    /// `code_deployment`: how its revisions get to environments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploys: Option<DeploysView>,
    /// `code_deployment`: whether a push that no pull request explains is a change that was merged, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direct_pushes: Option<bool>,
    /// `build_provider`: the pipelines, by id or name; empty means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 100)]
    pub pipelines: Option<Vec<String>>,
    /// `build_provider`: the code deployment that it serves alone; without it, it is the project's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_deployment: Option<Uuid>,
    /// `build_provider`: what a partly succeeded run counts as: `success`, `failure` or `as_azure_says`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 20, example = "success")]
    pub partially_succeeded: Option<&'static str>,
    /// `issue_provider`: area paths, each with all below it; empty means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 100)]
    pub area_paths: Option<Vec<String>>,
    /// `issue_provider`: work item types; empty means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 100)]
    pub work_item_types: Option<Vec<String>>,
    /// `issue_provider`: which work items are incidents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 50)]
    pub incidents: Option<Vec<IncidentRuleView>>,
    /// `issue_provider`: whether work items are mentioned only by title and branch of a pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strict_mentions: Option<bool>,
    /// `issue_provider`: the states that lead time is counted from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 50)]
    pub lead_time_states: Option<Vec<String>>,
    /// `issue_provider`: fields that events of its work items carry besides, by reference name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_items = 50)]
    pub carried_fields: Option<Vec<String>>,
    /// Of one that was made or changed just now: what it names and is not there, and rules that can match nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 20)]
    pub warnings: Vec<FieldError>,
}

impl BindingView {
    /// With what is in doubt about it.
    #[must_use]
    pub(super) fn with(self, doubts: &Doubts) -> Self {
        Self { warnings: doubts.errors(), ..self }
    }
}

impl From<&Binding> for BindingView {
    fn from(record: &Binding) -> Self {
        let (Selection::CodeDeployment { azure_project, .. }
        | Selection::BuildProvider { azure_project, .. }
        | Selection::IssueProvider { azure_project, .. }) = &record.selection;
        let mut view = Self {
            id: record.id.0,
            project: record.project.to_string(),
            role: match record.selection.role() {
                domain::Role::CodeDeployment => RoleView::CodeDeployment,
                domain::Role::BuildProvider => RoleView::BuildProvider,
                domain::Role::IssueProvider => RoleView::IssueProvider,
            },
            connection: record.connection.0,
            name: record.name.clone(),
            azure_project: azure_project.0.clone(),
            created_at: record.created_at,
            updated_at: record.updated_at,
            repository: None,
            branch: None,
            branch_prefix: None,
            deploys: record.deploys.as_ref().map(DeploysView::from),
            direct_pushes: None,
            pipelines: None,
            code_deployment: record.code_deployment.map(|id| id.0),
            partially_succeeded: None,
            area_paths: None,
            work_item_types: None,
            incidents: None,
            strict_mentions: None,
            lead_time_states: None,
            carried_fields: None,
            warnings: Vec::new(),
        };
        match &record.selection {
            Selection::CodeDeployment { repository, branch, .. } => {
                view.repository = Some(repository.0.clone());
                view.direct_pushes = Some(record.direct_pushes);
                match branch {
                    BranchRule::Any => {}
                    BranchRule::Exact(branch) => view.branch = Some(branch.clone()),
                    BranchRule::Prefix(prefix) => view.branch_prefix = Some(prefix.clone()),
                }
            }
            Selection::BuildProvider { pipelines, .. } => {
                view.pipelines = Some(pipelines.iter().map(|pipeline| pipeline.0.clone()).collect());
                view.partially_succeeded = Some(record.partial.word());
            }
            Selection::IssueProvider { area_paths, work_item_types, .. } => {
                view.area_paths = Some(area_paths.clone());
                view.work_item_types = Some(work_item_types.clone());
                view.incidents = Some(record.issues.incidents.iter().map(IncidentRuleView::from).collect());
                view.strict_mentions = Some(record.issues.strict_mentions);
                view.lead_time_states = Some(record.issues.lead_time_states.clone());
                view.carried_fields = Some(record.issues.carried_fields.clone());
            }
        }
        view
    }
}

/// What a token may do.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeView {
    /// Reading.
    Read,
    /// Everything.
    Admin,
}

/// A token. Itself it is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id; not the token itself.
    pub id: Uuid,
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: String,
    /// What it may do.
    pub scope: ScopeView,
    /// The token. Only in the reply to making it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 512)]
    pub token: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub created_at: jiff::Timestamp,
}

impl TokenView {
    /// With the token itself where it has just been made.
    pub fn new(record: &Token, token: Option<&str>) -> Self {
        Self {
            id: record.id.0,
            name: record.name.clone(),
            scope: match record.scope {
                Scope::Read => ScopeView::Read,
                Scope::Admin => ScopeView::Admin,
            },
            token: token.map(str::to_owned),
            created_at: record.created_at,
        }
    }
}

/// All projects.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectList {
    /// By slug.
    #[schema(max_items = 1000)]
    pub data: Vec<ProjectView>,
}

/// All bindings of a project.
#[derive(Debug, Serialize, ToSchema)]
pub struct BindingList {
    /// By id.
    #[schema(max_items = 5000)]
    pub data: Vec<BindingView>,
}

/// All tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenList {
    /// By id.
    #[schema(max_items = 1000)]
    pub data: Vec<TokenView>,
}

/// The views of kept records.
pub fn all<'a, R: 'a, V>(kept: impl IntoIterator<Item = &'a Kept<R>>, view: impl Fn(&R) -> V) -> Vec<V> {
    kept.into_iter().map(|kept| view(&kept.record)).collect()
}
