//! What the reconciler did, would do or could not do, as the API shows it.

use super::subscription_words::{TroubleKindView, WhyView};
use crate::{
    domain::{Connection, HookMode, UpdateReason},
    reconcile::{LastRun, Outcome, StepReport, Trouble, removal},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// Something that is not in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionTroubleView {
    /// Its kind.
    pub kind: TroubleKindView,
    /// The binding that it is about.
    pub binding: Option<Uuid>,
    /// What is going on and what to do.
    #[schema(max_length = 4000)]
    pub detail: String,
}

impl From<&Trouble> for SubscriptionTroubleView {
    fn from(trouble: &Trouble) -> Self {
        Self {
            kind: trouble.kind.into(),
            binding: trouble.binding.map(|binding| binding.0),
            detail: trouble.detail.chars().take(4_000).collect(),
        }
    }
}

/// Who makes the hooks of a connection.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HooksMadeView {
    /// The gateway does.
    Managed,
    /// People do.
    Manual,
}

/// How the last run of a connection went.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionSubscriptions {
    /// The connection.
    pub connection: Uuid,
    /// Who makes its hooks.
    pub hooks: HooksMadeView,
    /// When its subscriptions were last looked after; since the gateway was started.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub last_run: Option<jiff::Timestamp>,
    /// What was not in order then.
    #[schema(max_items = 6000)]
    pub troubles: Vec<SubscriptionTroubleView>,
}

impl ConnectionSubscriptions {
    /// From what the reconciler remembers.
    pub fn new(connection: &Connection, last: &LastRun) -> Self {
        let hooks = match connection.hooks {
            HookMode::Managed => HooksMadeView::Managed,
            HookMode::Manual => HooksMadeView::Manual,
        };
        let troubles = last.troubles.iter().map(SubscriptionTroubleView::from).collect();
        Self { connection: connection.id.0, hooks, last_run: last.at, troubles }
    }
}

/// What is done in a step.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeWord {
    /// It would be done.
    Planned,
    /// Done.
    Done,
    /// It failed.
    Failed,
    /// It was not tried.
    Skipped,
}

/// One step.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// `create`, `adopt`, `replace`, `remove_duplicate`, `remove_undesired` or `leave`.
    #[schema(max_length = 20, example = "create")]
    pub step: &'static str,
    /// Why.
    pub why: WhyView,
    /// What became of it.
    pub outcome: OutcomeWord,
    /// Why it failed or was not tried.
    #[schema(max_length = 4000)]
    pub detail: Option<String>,
    /// The subscription's key.
    #[schema(max_length = 16)]
    pub key: String,
    /// The publisher.
    #[schema(max_length = 100)]
    pub publisher: String,
    /// What it is about.
    #[schema(max_length = 200)]
    pub event_type: String,
    /// The Azure DevOps project, by id.
    #[schema(max_length = 100)]
    pub azure_project: String,
    /// What it is filtered by.
    pub filters: BTreeMap<String, String>,
    /// What an update of a pull request is filtered on, in Azure's word; also in the hook's URL.
    #[schema(max_length = 40, example = "PushNotification")]
    pub reason: Option<&'static str>,
    /// The subscription at Azure DevOps that it is about.
    #[schema(max_length = 100)]
    pub azure_id: Option<String>,
}

impl From<StepReport> for StepView {
    fn from(step: StepReport) -> Self {
        let (outcome, detail) = match step.outcome {
            Outcome::Planned => (OutcomeWord::Planned, None),
            Outcome::Done(said) => (OutcomeWord::Done, said),
            Outcome::Failed(why) => (OutcomeWord::Failed, Some(why)),
            Outcome::Skipped(why) => (OutcomeWord::Skipped, Some(why)),
        };
        Self {
            step: step.what,
            why: step.why.into(),
            outcome,
            detail,
            key: step.key.to_string(),
            publisher: step.publisher,
            event_type: step.event_type,
            azure_project: step.azure_project,
            filters: step.filters,
            reason: step.reason.map(UpdateReason::word),
            azure_id: step.azure_id,
        }
    }
}

/// One connection's run.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionRun {
    /// The connection.
    pub connection: Uuid,
    /// The steps, in their order; none when all is as it should be.
    #[schema(max_items = 20000)]
    pub steps: Vec<StepView>,
    /// How many are left to the next run, which comes by itself.
    #[schema(maximum = 20000)]
    pub deferred: usize,
    /// What is not in order.
    #[schema(max_items = 6000)]
    pub troubles: Vec<SubscriptionTroubleView>,
}

/// What was done, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReconcileView {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Each connection.
    #[schema(max_items = 1000)]
    pub connections: Vec<ConnectionRun>,
}

/// A subscription at Azure DevOps that goes with its connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookAtAzureView {
    /// Its id there.
    #[schema(max_length = 100)]
    pub azure_id: String,
    /// What it is about.
    #[schema(max_length = 200)]
    pub event_type: String,
    /// The Azure DevOps project, by id.
    #[schema(max_length = 100)]
    pub azure_project: String,
    /// Where the API has it.
    #[schema(max_length = 2300)]
    pub url: String,
}

impl From<removal::Hook> for HookAtAzureView {
    fn from(hook: removal::Hook) -> Self {
        Self { azure_id: hook.id, event_type: hook.event_type, azure_project: hook.azure_project, url: hook.url }
    }
}

/// A subscription at Azure DevOps that could not be deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookLeftView {
    /// The subscription.
    #[serde(flatten)]
    pub hook: HookAtAzureView,
    /// Why it is still there.
    #[schema(max_length = 4000)]
    pub detail: String,
}

/// What went with a connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct RemovedConnectionView {
    /// The bindings that were removed too.
    #[schema(max_items = 5000)]
    pub removed_bindings: Vec<Uuid>,
    /// The subscriptions that were deleted at Azure DevOps.
    #[schema(max_items = 20000)]
    pub deleted_subscriptions: Vec<HookAtAzureView>,
    /// Those that are still there, for a person to delete: their deliveries are refused from now on.
    #[schema(max_items = 20000)]
    pub left_subscriptions: Vec<HookLeftView>,
    /// Why there may be others.
    #[schema(max_length = 4000)]
    pub unverified: Option<String>,
}

impl RemovedConnectionView {
    /// What was removed here and there.
    pub fn new(removed_bindings: Vec<Uuid>, cleared: removal::Cleared) -> Self {
        let left = |(hook, detail): (removal::Hook, String)| HookLeftView { hook: hook.into(), detail };
        Self {
            removed_bindings,
            deleted_subscriptions: cleared.deleted.into_iter().map(Into::into).collect(),
            left_subscriptions: cleared.left.into_iter().map(left).collect(),
            unverified: cleared.unverified,
        }
    }
}
