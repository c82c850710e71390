//! What a check found, as the API shows it.

use crate::{
    app::checks::advice,
    azure::client::{Deployment, Identity},
    domain::{AzureScope, Connection, Grant, Health, ScopeHealth},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Somebody at Azure DevOps.
#[derive(Debug, Serialize, ToSchema)]
pub struct IdentityView {
    /// Their name for people.
    #[schema(max_length = 1000)]
    pub display_name: Option<String>,
    /// Their account.
    #[schema(max_length = 1000)]
    pub account: Option<String>,
}

/// Services or Server.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentView {
    /// Azure DevOps Services.
    Services,
    /// Azure DevOps Server.
    Server,
}

/// What a credential may be allowed to do.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AzureScopeView {
    /// Project and team (Read).
    ProjectAndTeam,
    /// Code (Read).
    Code,
    /// Build (Read).
    Build,
    /// Work items (Read).
    WorkItems,
    /// Release (Read).
    Release,
    /// View and Edit Subscriptions of the service hooks: a permission, not a scope of a token.
    ServiceHooks,
}

/// Whether it is allowed.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantView {
    /// It is: it was tried.
    Ok,
    /// It is not.
    Missing,
    /// Azure DevOps did not say.
    Unknown,
    /// It was not tried, because nothing needs it.
    NotNeeded,
}

/// One scope as the check found it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ScopeCheckView {
    /// Which.
    pub scope: AzureScopeView,
    /// Whether it is allowed.
    pub result: GrantView,
    /// Whether the connection needs attention without it.
    pub required: bool,
    /// What we do with it.
    #[schema(max_length = 500)]
    pub needed_for: &'static str,
    /// How to grant it, and whom to ask where it is not ours to click.
    #[schema(max_length = 2000)]
    pub how_to_grant: String,
    /// What Azure DevOps said.
    #[schema(max_length = 2000)]
    pub detail: Option<String>,
}

/// What the last check found.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckView {
    /// When; while nothing changes, to within ten minutes.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub checked_at: jiff::Timestamp,
    /// Why it is not enabled.
    #[schema(max_length = 2000)]
    pub cause: Option<String>,
    /// The one thing to do about it.
    #[schema(max_length = 2000)]
    pub remedy: Option<String>,
    /// Services or Server.
    pub deployment: Option<DeploymentView>,
    /// The version of the API that is spoken with it.
    #[schema(max_length = 20, example = "7.1")]
    pub api_version: Option<String>,
    /// Who we are there.
    pub identity: Option<IdentityView>,
    /// The organization's or collection's GUID.
    pub instance_id: Option<Uuid>,
    /// Each scope tried by itself; empty where it did not come to that.
    #[schema(max_items = 10)]
    pub scopes: Vec<ScopeCheckView>,
}

impl CheckView {
    pub(super) fn new(record: &Connection, health: &Health) -> Self {
        let identity = |identity: &Identity| IdentityView {
            display_name: identity.display_name.as_deref().map(short),
            account: identity.account.as_deref().map(short),
        };
        Self {
            checked_at: health.checked_at,
            cause: health.cause.clone(),
            remedy: health.remedy.clone(),
            deployment: health.deployment.map(|deployment| match deployment {
                Deployment::Services => DeploymentView::Services,
                Deployment::Server => DeploymentView::Server,
            }),
            api_version: health.api_version.map(|version| version.to_string()),
            identity: health.identity.as_ref().map(identity),
            instance_id: health.instance_id,
            scopes: health.scopes.iter().map(|found| scope(record, found)).collect(),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(1_000).collect()
}

fn scope(record: &Connection, found: &ScopeHealth) -> ScopeCheckView {
    ScopeCheckView {
        scope: match found.scope {
            AzureScope::ProjectAndTeam => AzureScopeView::ProjectAndTeam,
            AzureScope::Code => AzureScopeView::Code,
            AzureScope::Build => AzureScopeView::Build,
            AzureScope::WorkItems => AzureScopeView::WorkItems,
            AzureScope::Release => AzureScopeView::Release,
            AzureScope::ServiceHooks => AzureScopeView::ServiceHooks,
        },
        result: match found.grant {
            Grant::Ok => GrantView::Ok,
            Grant::Missing => GrantView::Missing,
            Grant::Unknown => GrantView::Unknown,
            Grant::NotNeeded => GrantView::NotNeeded,
        },
        required: found.required,
        needed_for: advice::needed_for(found.scope),
        how_to_grant: advice::how_to_grant(found.scope, record),
        detail: found.detail.clone(),
    }
}
