//! A subscription, and how Azure shows it.

use super::draft::{Draft, masked};
use crate::{
    azure::client::{self, ApiVersion, SubscriptionStatus},
    simulator::{
        options::Place,
        payload::{View, present},
        site::Site,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

/// What only the newest versions show.
pub(super) const V7_2: ApiVersion = ApiVersion { major: 7, minor: 2 };

/// A subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) id: Uuid,
    pub(super) host: Site,
    pub(super) draft: Draft,
    pub(super) status: SubscriptionStatus,
    /// With whose rights it runs.
    pub(super) created_by: Uuid,
    pub(super) created: Timestamp,
    pub(super) modified_by: Uuid,
    pub(super) modified: Timestamp,
    pub(super) probation: Option<Probation>,
    pub(super) last_success: Option<Timestamp>,
    /// How many notifications it has had; their numbers begin with 1.
    pub(super) notifications: u32,
    pub(super) tracing: bool,
}

/// Of a subscription on probation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probation {
    pub(super) probes: usize,
    pub(super) last: Option<Timestamp>,
    /// The time of a probe has come and there was nothing to repeat: the next event is it.
    pub(super) is_due: bool,
}

/// Azure's word for a status.
pub(super) fn status_word(status: SubscriptionStatus) -> &'static str {
    match status {
        SubscriptionStatus::Enabled => "enabled",
        SubscriptionStatus::OnProbation => "onProbation",
        SubscriptionStatus::DisabledByUser => "disabledByUser",
        SubscriptionStatus::DisabledBySystem => "disabledBySystem",
        SubscriptionStatus::DisabledByInactiveIdentity => "disabledByInactiveIdentity",
        SubscriptionStatus::Unknown => "unknown",
    }
}

/// A moment as Azure writes it: seven digits of a second.
pub(super) fn date(moment: Timestamp) -> String {
    format!("{moment:.7}")
}

impl Subscription {
    /// Whether anything is sent for it at all.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.status, SubscriptionStatus::Enabled | SubscriptionStatus::OnProbation)
    }

    /// As a REST reply shows it.
    pub(super) fn json(&self, place: &Place, view: View<'_>, version: ApiVersion) -> Value {
        let hooks = format!("{}/_apis/hooks", place.base_of(self.host));
        let (draft, own) = (&self.draft, format!("{hooks}/subscriptions/{}", self.id));
        let consumer = format!("{hooks}/consumers/{}", draft.consumer);
        let probes = self.probation.map(|probation| probation.probes);
        let mut shown = present(json!({
            "id": self.id,
            "url": own,
            "status": status_word(self.status),
            "publisherId": draft.publisher,
            "eventType": draft.event_type,
            "subscriber": null,
            "eventDescription": self.event_description(),
            "consumerId": draft.consumer,
            "consumerActionId": draft.action,
            "actionDescription": self.action_description(),
            "probationRetries": probes,
            "lastProbationRetryDate": self.probation.and_then(|probation| probation.last).map(date),
            "lastSuccessfulAttemptDate": self.last_success.filter(|_| version >= V7_2).map(date),
            "createdBy": view.person(self.created_by),
            "createdDate": date(self.created),
            "modifiedBy": view.person(self.modified_by),
            "modifiedDate": date(self.modified),
            "publisherInputs": draft.publisher_inputs,
            "consumerInputs": masked(&draft.consumer_inputs),
            "_links": {
                "self": {"href": own},
                "consumer": {"href": consumer},
                "actions": {"href": format!("{consumer}/actions")},
                "notifications": {"href": format!("{own}/notifications")},
                "publisher": {"href": format!("{hooks}/publishers/{}", draft.publisher)},
            },
        }));
        // Null where the server chose, as the documented replies have it.
        shown["resourceVersion"] = draft.resource_version.clone().into();
        shown
    }

    fn event_description(&self) -> String {
        let filters: Vec<String> = self
            .draft
            .publisher_inputs
            .iter()
            .filter(|(id, value)| {
                !value.is_empty() && !matches!(id.as_str(), "projectId" | "hostId" | "tfsSubscriptionId")
            })
            .map(|(id, value)| format!("{id} {value}"))
            .collect();
        if filters.is_empty() { "Any".to_owned() } else { filters.join(", ") }
    }

    fn action_description(&self) -> String {
        let url = self.draft.consumer_input("url").and_then(|url| Url::parse(url).ok());
        url.and_then(|url| url.host_str().map(|host| format!("To host {host}"))).unwrap_or_default()
    }

    /// The same as clients of ours read it.
    pub(super) fn to_client(&self) -> client::Subscription {
        client::Subscription {
            id: self.id.to_string(),
            publisher: self.draft.publisher.clone(),
            event_type: self.draft.event_type.clone(),
            resource_version: self.draft.resource_version.clone(),
            status: self.status,
            publisher_inputs: self.draft.publisher_inputs.clone(),
            consumer_inputs: masked(&self.draft.consumer_inputs),
            created_by: Some(self.created_by),
            created_date: Some(date(self.created)),
            modified_by: None,
            modified_date: Some(date(self.modified)),
            unknown_status: None,
            last_success: self.last_success.map(date),
            probation_retries: self.probation.and_then(|probation| u32::try_from(probation.probes).ok()),
        }
    }
}
