//! A connection as the API shows it, with how it is doing.

use super::check_view::CheckView;
use crate::{
    app::{
        App,
        connections::{HookCredentials, hook_user_name, proxy_host},
    },
    domain::{Connection, Delivery, Health, HealthState, HookMode, PrincipalProof},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// How a connection to Azure DevOps is doing.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionStatus {
    /// Azure DevOps was not asked.
    Unchecked,
    /// Everything that is needed works.
    Enabled,
    /// Somebody has to do something: `check` says why and what.
    NeedsAttention,
    /// It cannot be spoken with now; it is tried again by itself.
    Unreachable,
}

impl From<HealthState> for ConnectionStatus {
    fn from(state: HealthState) -> Self {
        match state {
            HealthState::Unchecked => Self::Unchecked,
            HealthState::Enabled => Self::Enabled,
            HealthState::NeedsAttention => Self::NeedsAttention,
            HealthState::Unreachable => Self::Unreachable,
        }
    }
}

/// Who makes the service hooks.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HooksView {
    /// Hookwell, from the bindings.
    Managed,
    /// A person.
    Manual,
}

/// How events come.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryModeView {
    /// Service hooks deliver them.
    Hooks,
    /// Azure DevOps is asked every minute.
    Poll,
}

/// What a service hook that is made by hand is given.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookView {
    /// The URL.
    #[schema(format = "uri", max_length = 2100)]
    pub url: String,
    /// The Basic user name; its last part is the password's generation.
    #[schema(max_length = 100, example = "hookwell.manual.1")]
    pub user_name: String,
    /// The Basic password. Only in the reply to creating the connection and to rotating its hook secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 100)]
    pub password: Option<String>,
    /// Until when the password before it is accepted too.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub previous_password_until: Option<jiff::Timestamp>,
}

/// The proof of a service principal.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalProofView {
    /// A secret.
    ClientSecret,
    /// A certificate and its private key.
    Certificate,
    /// A token that the gateway's machine has in a file.
    FederatedToken,
}

/// The identity that Azure gave the gateway's machine.
#[derive(Debug, Serialize, ToSchema)]
pub struct ManagedIdentityView {
    /// Which, where the machine has several.
    #[schema(max_length = 36)]
    pub client_id: Option<String>,
}

/// A service principal, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServicePrincipalView {
    /// The Entra tenant.
    #[schema(max_length = 253)]
    pub tenant: String,
    /// The application's id.
    #[schema(max_length = 36)]
    pub client_id: String,
    /// The proof of it, which is never shown.
    pub proof: PrincipalProofView,
    /// Where its tokens come from, when not `https://login.microsoftonline.com`.
    #[schema(format = "uri", max_length = 500)]
    pub authority: Option<String>,
}

/// A connection.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "one for each secret that is kept and not shown")]
pub struct ConnectionView {
    /// Its id, part of the hook's URL.
    pub id: Uuid,
    /// What people call it.
    #[schema(max_length = 100)]
    pub name: String,
    /// What it is for.
    #[schema(max_length = 2000)]
    pub description: Option<String>,
    /// The organization or collection, in its canonical form.
    #[schema(format = "uri", max_length = 2048, example = "https://dev.azure.com/fabrikam")]
    pub url: String,
    /// How it is doing.
    pub status: ConnectionStatus,
    /// What the last check found; null before the first.
    pub check: Option<CheckView>,
    /// Whether a personal access token is kept. It is never shown.
    pub token_set: bool,
    /// The service principal that is used instead of a token.
    pub service_principal: Option<ServicePrincipalView>,
    /// The identity of the gateway's machine that is used instead of both.
    pub managed_identity: Option<ManagedIdentityView>,
    /// The names of the extra headers. Their values are never shown.
    #[schema(max_items = 20)]
    pub header_names: Vec<String>,
    /// Whether certificates are kept that are trusted besides the system's.
    pub ca_bundle_set: bool,
    /// Whether a proxy is on the way.
    pub proxy_set: bool,
    /// Its host and port.
    #[schema(max_length = 300)]
    pub proxy_host: Option<String>,
    /// Who makes the service hooks.
    pub hooks: HooksView,
    /// Whether service hooks accept a certificate that Azure DevOps does not trust; null leaves each as it is.
    pub accept_untrusted_certs: Option<bool>,
    /// How events come: by hooks within seconds, or asked for every minute.
    pub delivery: DeliveryModeView,
    /// The collection's GUID; a notification of another collection is quarantined.
    pub collection_id: Option<Uuid>,
    /// Whether deliveries must be signed by a relay.
    pub signature_secret_set: bool,
    /// Until when the signature secret before it is accepted too.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub previous_signature_secret_until: Option<jiff::Timestamp>,
    /// What a service hook is given.
    pub hook: HookView,
    /// When it was made.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub created_at: jiff::Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub updated_at: jiff::Timestamp,
}

impl ConnectionView {
    /// Without any secret; `gateway` is where the gateway is reached, without trailing slash.
    pub fn new(app: &App, gateway: &str, record: &Connection, health: Option<&Health>) -> Self {
        let principal = |principal: &crate::domain::ServicePrincipal| ServicePrincipalView {
            tenant: principal.tenant.clone(),
            client_id: principal.client_id.clone(),
            proof: match principal.proof {
                PrincipalProof::ClientSecret(_) => PrincipalProofView::ClientSecret,
                PrincipalProof::Certificate(_) => PrincipalProofView::Certificate,
                PrincipalProof::FederatedToken {} => PrincipalProofView::FederatedToken,
            },
            authority: principal.authority.as_ref().map(ToString::to_string),
        };
        Self {
            id: record.id.0,
            name: record.name.clone(),
            description: record.description.clone(),
            url: record.url.to_string(),
            status: health.map_or(ConnectionStatus::Unchecked, |health| health.state.into()),
            check: health.map(|health| CheckView::new(record, health)),
            token_set: record.token.is_some(),
            service_principal: record.service_principal.as_ref().map(principal),
            managed_identity: record
                .managed_identity
                .as_ref()
                .map(|identity| ManagedIdentityView { client_id: identity.client_id.clone() }),
            header_names: record.headers.iter().map(|header| header.name.clone()).collect(),
            ca_bundle_set: record.ca_bundle.is_some(),
            proxy_set: record.proxy.is_some(),
            proxy_host: proxy_host(app, record),
            hooks: match record.hooks {
                HookMode::Managed => HooksView::Managed,
                HookMode::Manual => HooksView::Manual,
            },
            accept_untrusted_certs: record.accept_untrusted_certs,
            delivery: match record.delivery {
                Delivery::Hooks => DeliveryModeView::Hooks,
                Delivery::Poll => DeliveryModeView::Poll,
            },
            collection_id: record.collection_id,
            signature_secret_set: record.signature.is_some(),
            previous_signature_secret_until: record.signature.as_ref().and_then(|check| check.previous_until),
            hook: HookView {
                url: format!("{gateway}/hooks/azure-devops/{}", record.id),
                user_name: hook_user_name(record),
                password: None,
                previous_password_until: record.hook.previous_until,
            },
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }

    /// With the hook's password, this once.
    #[must_use]
    pub fn showing(mut self, credentials: &HookCredentials) -> Self {
        self.hook.password = Some(credentials.password.to_string());
        self
    }
}

/// All connections.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionList {
    /// By id.
    #[schema(max_items = 1000)]
    pub data: Vec<ConnectionView>,
}
