//! The body of a notification: one event, cut down to what the subscription asks for.

use super::{
    catalogue::{self, EventType},
    draft::Draft,
    sample::{SAMPLE_DATE, sample, sample_id},
    subscription::date,
};
use crate::simulator::{
    instance::Instance,
    occurrence::{Occurrence, Rendering},
    site::Site,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// How far the date of an event trails what happened; in captures it is 1 to 12 seconds.
const TRAIL: SignedDuration = SignedDuration::new(1, 48_912_800);

/// The envelope of a notification. What happened is rendered now, not when it happened: two changes in a row may both
/// show the state after the second.
pub(super) fn envelope(
    instance: &Instance,
    (subscription, notification): (Uuid, u32),
    draft: &Draft,
    event_id: Uuid,
    occurrence: &Occurrence,
    occurred: Timestamp,
) -> Value {
    let version = version(draft, instance);
    // A version that there is not gives a null resource, not an error.
    let rendering = instance.render(occurrence, &version);
    let has_version = rendering.is_some();
    let Rendering { resource, message } =
        rendering.unwrap_or_else(|| Rendering { resource: Value::Null, message: occurrence.title.clone() });
    let is_check = occurrence.event_type.starts_with("ms.vss-pipelinechecks-events.");
    let event = json!({
        "subscriptionId": subscription,
        "notificationId": notification,
        "id": event_id,
        "eventType": occurrence.event_type,
        "publisherId": occurrence.publisher,
        "resource": resource,
        "resourceVersion": has_version.then_some(version),
        "resourceContainers": instance.containers((!is_check).then_some(occurrence.project)),
        "createdDate": date(occurred + TRAIL),
    });
    cut(event, &message, draft)
}

/// The envelope of a test with the canned sample.
pub(super) fn sample_envelope(notification: u32, draft: &Draft, event_type: &EventType) -> Value {
    let (message, resource) = sample(event_type.id);
    let container = |id: &str| json!({"id": id, "baseUrl": "https://dev.azure.com/fabrikam/"});
    let event = json!({
        "subscriptionId": Uuid::nil(),
        "notificationId": notification,
        "id": sample_id(event_type.id),
        "eventType": event_type.id,
        "publisherId": event_type.publisher,
        "resource": resource,
        "resourceVersion": draft.resource_version.as_deref().unwrap_or(event_type.default_version()),
        "resourceContainers": {
            "collection": container("c12d0eb8-e382-443b-9f9c-c52cba5014c2"),
            "account": container("f844ec47-a9db-4511-8281-8b63f4eaf94e"),
            "project": container("be9b3917-87e6-42a4-a549-2bc06a7a878f"),
        },
        "createdDate": SAMPLE_DATE,
    });
    cut(event, message, draft)
}

/// Cuts an event down to what is asked for.
fn cut(mut event: Value, message: &str, draft: &Draft) -> Value {
    event["message"] = messages(message, draft.consumer_input("messagesToSend"));
    event["detailedMessage"] = messages(message, draft.consumer_input("detailedMessagesToSend"));
    let details = details_to_send(draft);
    if let Value::Object(members) = &mut event {
        match details {
            "none" => {
                members.remove("resourceContainers");
                members.insert("resource".to_owned(), Value::Null);
            }
            "minimal" => drop(members.get_mut("resource").map(|resource| *resource = minimal(resource.take()))),
            _ => {}
        }
    }
    event
}

/// The version that was asked for; without one, the latest that is released.
fn version(draft: &Draft, instance: &Instance) -> String {
    let asked = draft.resource_version.as_deref().filter(|version| *version != "latest");
    let host = Site::of(&draft.publisher);
    let default = || {
        let own = catalogue::event_type(instance.options.edition, host, &draft.publisher, &draft.event_type);
        own.map_or("1.0", EventType::default_version)
    };
    asked.unwrap_or_else(default).to_owned()
}

/// An organization's pushes come without details unless all are asked for in so many words.
fn details_to_send(draft: &Draft) -> &str {
    match draft.consumer_input("resourceDetailsToSend") {
        Some(details) => details,
        None if draft.event_type == "git.push" && draft.project().is_none() => "minimal",
        None => "all",
    }
}

/// Ids, name and URL.
fn minimal(resource: Value) -> Value {
    let Value::Object(members) = resource else { return resource };
    let is_key = |name: &str| matches!(name, "id" | "url" | "name" | "rev" | "buildNumber") || name.ends_with("Id");
    let kept = members.into_iter().filter(|(name, value)| is_key(name) && !value.is_object() && !value.is_array());
    Value::Object(kept.collect::<Map<_, _>>())
}

fn messages(text: &str, asked: Option<&str>) -> Value {
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    match asked.unwrap_or("all") {
        "none" => Value::Null,
        "text" => json!({"text": text}),
        "html" => json!({"html": html}),
        "markdown" => json!({"markdown": text}),
        _ => json!({"text": text, "html": html, "markdown": text}),
    }
}
