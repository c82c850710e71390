//! Subscriptions as the API shows them.

use super::{
    reconcile_views::ConnectionSubscriptions,
    subscription_words::{DeedView, SubscriptionStateView, WhyView},
};
use crate::{
    app::{
        App,
        subscriptions::{last_arrival, state},
    },
    domain::{Connection, HookMode, Subscription, UpdateReason},
    reconcile::by_hand::{self, by_hand},
};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use uuid::Uuid;

/// What was done last.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionView {
    /// When.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub at: jiff::Timestamp,
    /// What.
    pub what: DeedView,
    /// Why.
    pub why: WhyView,
}

/// What could not be done last.
#[derive(Debug, Serialize, ToSchema)]
pub struct MishapView {
    /// When.
    #[schema(value_type = String, format = DateTime, max_length = 40)]
    pub at: jiff::Timestamp,
    /// What happened.
    #[schema(max_length = 4000)]
    pub detail: String,
}

/// A filter as Azure's pages have it.
#[derive(Debug, Serialize, ToSchema)]
pub struct HookFilterView {
    /// What the field is called.
    #[schema(max_length = 100, example = "Repository")]
    pub name: String,
    /// What to choose there.
    #[schema(max_length = 400)]
    pub value: String,
}

/// What a person makes who makes this hook by hand. Everything that is not named here stays as Azure's pages propose it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ByHandView {
    /// The service: *Project settings*, *Service hooks*, *Create subscription*, then this.
    #[schema(max_length = 100, example = "Web Hooks")]
    pub service: &'static str,
    /// *Trigger on this type of event*.
    #[schema(max_length = 200, example = "Code pushed")]
    pub event: String,
    /// *Filters*; all others stay at `Any`.
    #[schema(max_items = 20)]
    pub filters: Vec<HookFilterView>,
    /// *URL*.
    #[schema(format = "uri", max_length = 2200)]
    pub url: String,
    /// *Basic authentication username*.
    #[schema(max_length = 100, example = "hookwell.manual.1")]
    pub user_name: String,
    /// *Basic authentication password*.
    #[schema(max_length = 200)]
    pub password: &'static str,
    /// *Resource details to send*, and both *messages to send*.
    #[schema(max_length = 20, example = "All")]
    pub details_to_send: &'static str,
    /// Instead of all that: where to POST `body`.
    #[schema(format = "uri", max_length = 2200)]
    pub api_url: String,
    /// What to post there, with the password in its place.
    pub body: serde_json::Value,
}

/// A subscription.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// Its key, part of the hook's user name; it stays the same when the subscription is made anew.
    #[schema(max_length = 16, example = "0123456789abcdef")]
    pub key: String,
    /// The connection that it is of.
    pub connection: Uuid,
    /// How it is.
    pub state: SubscriptionStateView,
    /// More words on the state.
    #[schema(max_length = 4000)]
    pub detail: Option<String>,
    /// `tfs`, `pipelines` or `rm`.
    #[schema(max_length = 100, example = "tfs")]
    pub publisher: String,
    /// What it is about.
    #[schema(max_length = 200, example = "git.push")]
    pub event_type: String,
    /// The version of the payload's resource.
    #[schema(max_length = 40, example = "1.0")]
    pub resource_version: String,
    /// The Azure DevOps project.
    pub azure_project: Uuid,
    /// What it is called.
    #[schema(max_length = 256)]
    pub azure_project_name: String,
    /// What it is filtered by.
    pub filters: BTreeMap<String, String>,
    /// What an update of a pull request is filtered on, in Azure's word; also in the hook's URL.
    #[schema(max_length = 40, example = "PushNotification")]
    pub reason: Option<&'static str>,
    /// The bindings that want it.
    #[schema(max_items = 5000)]
    pub bindings: Vec<Uuid>,
    /// Its id at Azure DevOps.
    #[schema(max_length = 100)]
    pub azure_id: Option<String>,
    /// When it was made there.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub created_at: Option<jiff::Timestamp>,
    /// When it last delivered, by Azure's word; not every server says so.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub last_success: Option<jiff::Timestamp>,
    /// When a notification of it last arrived here.
    #[schema(value_type = Option<String>, format = DateTime, max_length = 40)]
    pub last_arrival: Option<jiff::Timestamp>,
    /// What was done last.
    pub last_action: Option<ActionView>,
    /// What could not be done last.
    pub last_failure: Option<MishapView>,
    /// Where hooks are made by hand: what to make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_hand: Option<ByHandView>,
}

impl SubscriptionView {
    /// `gateway` is where the gateway is reached.
    pub fn new(app: &App, connection: &Connection, record: &Subscription, gateway: &str) -> Self {
        let (spec, azure) = (&record.spec, record.azure.as_ref());
        Self {
            key: record.key.to_string(),
            connection: record.connection.0,
            state: state(app, record).into(),
            detail: record.detail.clone(),
            publisher: spec.publisher.clone(),
            event_type: spec.event_type.clone(),
            resource_version: spec.resource_version.clone(),
            azure_project: spec.project,
            azure_project_name: record.project_name.clone(),
            filters: spec.filters.clone(),
            reason: spec.reason.map(UpdateReason::word),
            bindings: record.bindings.iter().map(|binding| binding.0).collect(),
            azure_id: azure.map(|azure| azure.id.clone()),
            created_at: azure.and_then(|azure| azure.created_at),
            last_success: azure.and_then(|azure| azure.last_success.as_ref()?.parse().ok()),
            last_arrival: last_arrival(app, record),
            last_action: record.last_action.as_ref().map(|action| ActionView {
                at: action.at,
                what: action.what.into(),
                why: action.why.into(),
            }),
            last_failure: record
                .last_error
                .as_ref()
                .map(|mishap| MishapView { at: mishap.at, detail: mishap.detail.clone() }),
            by_hand: (connection.hooks == HookMode::Manual).then(|| by_hand(record, connection, gateway).into()),
        }
    }
}

impl From<by_hand::ByHand> for ByHandView {
    fn from(hook: by_hand::ByHand) -> Self {
        Self {
            service: "Web Hooks",
            event: hook.event,
            filters: hook.filters.into_iter().map(|(name, value)| HookFilterView { name, value }).collect(),
            url: hook.url,
            user_name: hook.user_name,
            password: "as shown when the connection was made, or when its hook secret was rotated last",
            details_to_send: "All",
            api_url: hook.api_url,
            body: hook.body,
        }
    }
}

/// Subscriptions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionList {
    /// By connection and key.
    #[schema(max_items = 20000)]
    pub data: Vec<SubscriptionView>,
    /// How the connections that were asked for are doing.
    #[schema(max_items = 1000)]
    pub connections: Vec<ConnectionSubscriptions>,
}
