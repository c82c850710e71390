//! What a person makes who makes a hook by hand: what to click, or what to post.

use super::hook;
use crate::{
    app::connections::hook_user_name,
    domain::{Connection, Spec, Subscription, UpdateReason},
};
use serde_json::{Value, json};

/// Stands where the password belongs.
pub const PASSWORD_PLACEHOLDER: &str = "THE-PASSWORD";

/// One hook to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// The event, as Azure's pages call it.
    pub event: String,
    /// The filters to set, as Azure's pages call them; all others stay at "Any".
    pub filters: Vec<(String, String)>,
    /// The URL.
    pub url: String,
    /// The Basic user name.
    pub user_name: String,
    /// Where the API takes it: POST.
    pub api_url: String,
    /// What to post there, with [`PASSWORD_PLACEHOLDER`] in the password's place.
    pub body: Value,
}

/// Events as Azure's pages call them. Source: azure-devops-docs, "Service hooks events", and the publishers' catalogue.
const EVENTS: [(&str, &str); 25] = [
    ("build.complete", "Build completed"),
    ("git.push", "Code pushed"),
    ("git.pullrequest.created", "Pull request created"),
    ("git.pullrequest.updated", "Pull request updated"),
    ("git.pullrequest.merged", "Pull request merge attempted"),
    ("ms.vss-code.git-pullrequest-comment-event", "Pull request commented on"),
    ("git.repo.renamed", "Repository renamed"),
    ("git.repo.deleted", "Repository deleted"),
    ("git.repo.statuschanged", "Repository status changed"),
    ("workitem.created", "Work item created"),
    ("workitem.updated", "Work item updated"),
    ("workitem.commented", "Work item commented on"),
    ("workitem.deleted", "Work item deleted"),
    ("workitem.restored", "Work item restored"),
    ("ms.vss-pipelines.run-state-changed-event", "Run state changed"),
    ("ms.vss-pipelines.stage-state-changed-event", "Run stage state changed"),
    ("ms.vss-pipelines.job-state-changed-event", "Run job state changed"),
    ("ms.vss-pipelinechecks-events.approval-pending", "Run stage waiting for approval"),
    ("ms.vss-pipelinechecks-events.approval-completed", "Run stage approval completed"),
    ("ms.vss-release.release-created-event", "Release created"),
    ("ms.vss-release.release-abandoned-event", "Release abandoned"),
    ("ms.vss-release.deployment-started-event", "Release deployment started"),
    ("ms.vss-release.deployment-completed-event", "Release deployment completed"),
    ("ms.vss-release.deployment-approval-pending-event", "Release deployment approval pending"),
    ("ms.vss-release.deployment-approval-completed-event", "Release deployment approval completed"),
];

const FILTERS: [(&str, &str); 5] = [
    ("repository", "Repository"),
    ("notificationType", "Change"),
    ("definitionName", "Build pipeline"),
    ("pipelineId", "Pipeline"),
    ("releaseDefinitionId", "Release pipeline name"),
];

/// What to make for this one. `gateway` is where the gateway is reached.
pub fn by_hand(record: &Subscription, connection: &Connection, gateway: &str) -> ByHand {
    let Subscription { spec, names, .. } = record;
    let (url, user_name) = (hook::url(gateway, connection.id, spec.reason), hook_user_name(connection));
    let mut consumer = hook::consumer_inputs(url.clone(), user_name.clone(), connection.accept_untrusted_certs);
    consumer.insert("basicAuthPassword".to_owned(), PASSWORD_PLACEHOLDER.to_owned());
    let body = json!({
        "publisherId": spec.publisher,
        "eventType": spec.event_type,
        "resourceVersion": spec.resource_version,
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": hook::publisher_inputs(spec),
        "consumerInputs": consumer,
    });
    let filters = spec.filters.iter().map(|(name, value)| {
        let label = FILTERS.iter().find(|(id, _)| id == name).map_or(name.as_str(), |(_, label)| label);
        (label.to_owned(), shown(spec, name, names.get(name).unwrap_or(value)))
    });
    let event = EVENTS.iter().find(|(id, _)| *id == spec.event_type).map_or(spec.event_type.as_str(), |(_, name)| name);
    ByHand {
        event: event.to_owned(),
        filters: filters.collect(),
        url,
        user_name,
        api_url: hook::api_url(&connection.url, spec.host()),
        body,
    }
}

fn shown(spec: &Spec, filter: &str, value: &str) -> String {
    let change = spec.reason.filter(|_| filter == "notificationType").map(|reason| match reason {
        UpdateReason::PushNotification => "Source branch updated",
        UpdateReason::ReviewersUpdateNotification => "Reviewers changed",
        UpdateReason::StatusUpdateNotification => "Status changed",
        UpdateReason::ReviewerVoteNotification => "Votes score changed",
    });
    change.unwrap_or(value).to_owned()
}
