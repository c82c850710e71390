//! The doctor: what is wrong with a connection, and the one thing to do.

use super::{
    extract::{Call, Segment},
    problem::Problem,
    reply::json,
};
use crate::{
    app::checks::advice::Advice,
    doctor::{self, Report, Step, StepName, Verdict},
};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use warp::reply::Response;

/// How it is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoctorState {
    /// In order.
    Ok,
    /// In order, but something is to be known.
    Warning,
    /// Not in order.
    Failed,
    /// Not looked at: `because` says why.
    Skipped,
}

/// Everything that has to hold for what happens at Azure DevOps to become an event here, in the order of its way.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoctorStepName {
    /// The gateway knows its public URL, and Azure DevOps sends credentials there.
    PublicUrl,
    /// The name in it has an address.
    Name,
    /// Somebody listens there.
    Port,
    /// The certificate there is good.
    Certificate,
    /// It is this gateway that answers.
    Gateway,
    /// What stands before it passes the header `Authorization` on.
    Authorization,
    /// The gateway's clock is right.
    Clock,
    /// Azure DevOps is reached and takes the credential.
    AzureDevops,
    /// Project and team (Read).
    ScopeProjectAndTeam,
    /// Code (Read).
    ScopeCode,
    /// Build (Read).
    ScopeBuild,
    /// Work items (Read).
    ScopeWorkItems,
    /// Release (Read).
    ScopeRelease,
    /// View and Edit Subscriptions of the service hooks.
    ScopeServiceHooks,
    /// The subscriptions that the bindings want are there and deliver.
    Subscriptions,
    /// The store takes notifications.
    Store,
    /// Notifications become events soon.
    Translation,
    /// A test notification comes all the way.
    RoundTrip,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoctorStep {
    /// What has to hold.
    pub name: DoctorStepName,
    /// How it is.
    pub state: DoctorState,
    /// What was found, where it is in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub found: Option<String>,
    /// Why it is not in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub cause: Option<String>,
    /// The one thing to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 2000)]
    pub remedy: Option<String>,
    /// The step that has to hold before this one can be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<DoctorStepName>,
}

/// What the doctor found.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoctorReport {
    /// The connection.
    pub connection: Uuid,
    /// What people call it.
    #[schema(max_length = 200)]
    pub connection_name: String,
    /// The worst of its steps.
    pub state: DoctorState,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub examined_at: jiff::Timestamp,
    /// The steps, each resting on those before it.
    #[schema(max_items = 30)]
    pub steps: Vec<DoctorStep>,
}

impl From<StepName> for DoctorStepName {
    fn from(name: StepName) -> Self {
        use crate::domain::AzureScope;
        match name {
            StepName::PublicUrl => Self::PublicUrl,
            StepName::Name => Self::Name,
            StepName::Port => Self::Port,
            StepName::Certificate => Self::Certificate,
            StepName::Gateway => Self::Gateway,
            StepName::Authorization => Self::Authorization,
            StepName::Clock => Self::Clock,
            StepName::AzureDevops => Self::AzureDevops,
            StepName::Scope(AzureScope::ProjectAndTeam) => Self::ScopeProjectAndTeam,
            StepName::Scope(AzureScope::Code) => Self::ScopeCode,
            StepName::Scope(AzureScope::Build) => Self::ScopeBuild,
            StepName::Scope(AzureScope::WorkItems) => Self::ScopeWorkItems,
            StepName::Scope(AzureScope::Release) => Self::ScopeRelease,
            StepName::Scope(AzureScope::ServiceHooks) => Self::ScopeServiceHooks,
            StepName::Subscriptions => Self::Subscriptions,
            StepName::Store => Self::Store,
            StepName::Translation => Self::Translation,
            StepName::RoundTrip => Self::RoundTrip,
        }
    }
}

impl From<Step> for DoctorStep {
    fn from(step: Step) -> Self {
        let (state, advice, because) = match step.verdict {
            Verdict::Ok => (DoctorState::Ok, None, None),
            Verdict::Warning(advice) => (DoctorState::Warning, Some(advice), None),
            Verdict::Failed(advice) => (DoctorState::Failed, Some(advice), None),
            Verdict::Skipped(because) => (DoctorState::Skipped, None, because),
        };
        let (cause, remedy) = advice.map(|Advice { cause, remedy }| (cause, remedy)).unzip();
        let found = Some(step.found).filter(|found| !found.is_empty());
        Self { name: step.name.into(), state, found, cause, remedy, because: because.map(Into::into) }
    }
}

impl From<Report> for DoctorReport {
    fn from(report: Report) -> Self {
        Self {
            connection: report.connection.0,
            state: match (report.has_failed(), report.has_warnings()) {
                (true, _) => DoctorState::Failed,
                (false, true) => DoctorState::Warning,
                (false, false) => DoctorState::Ok,
            },
            connection_name: report.name,
            examined_at: report.at,
            steps: report.steps.into_iter().map(DoctorStep::from).collect(),
        }
    }
}

/// Examine a connection.
///
/// From the public URL to the events, step by step, in at most 60 seconds: name, certificate and who answers there; the
/// clock; credential, scopes and rights; the subscriptions; the store and the translation; and a test notification that
/// Azure DevOps is asked to send, and that is awaited here. For each step: in order, or why not and the one thing to do.
/// The test notification is kept as one (`/v1/notifications?state=test`) and becomes no event.
#[utoipa::path(post, path = "/v1/connections/{id}/doctor", tag = "connections", operation_id = "examine_connection",
    params(("id" = Uuid, Path, description = "The connection's id.")),
    responses((status = 200, description = "What was found, in order or not.", body = DoctorReport)))]
pub async fn examine(id: Segment, call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    let report = Box::pin(doctor::examine(call.app(), id.names("connection")?)).await?;
    Ok(json(&DoctorReport::from(report)))
}
