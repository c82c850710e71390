//! What is posted: the envelope around a resource, and Azure's words.

use super::{COLLECTION, Organization, PROJECT};
use serde_json::{Value, json};
use uuid::Uuid;

/// Every word of Azure's that a caller may name.
const WORDS: [&str; 16] = [
    "active",
    "completed",
    "abandoned",
    "succeeded",
    "partiallySucceeded",
    "failed",
    "canceled",
    "skipped",
    "rejected",
    "inProgress",
    "canceling",
    "notStarted",
    "waiting",
    "running",
    "queued",
    "conflicts",
];

/// One notification, ready to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What happened, in a few words for people.
    pub title: String,
    /// `notificationType` of the subscription it belongs to, for the hook's `?reason=`.
    pub reason: Option<&'static str>,
    /// The body as sent.
    pub body: Vec<u8>,
}

/// What an envelope is about.
pub(super) struct Kind {
    pub(super) event_type: &'static str,
    pub(super) publisher: &'static str,
    pub(super) version: &'static str,
    pub(super) subscription: u8,
    pub(super) reason: Option<&'static str>,
}

pub(super) const PUSH: Kind =
    Kind { event_type: "git.push", publisher: "tfs", version: "1.0", subscription: 1, reason: None };

impl Organization {
    pub(super) fn deliver(&self, title: &str, kind: &Kind, resource: &Value) -> Delivery {
        let name = self.people.find(self.who()).map_or("somebody", |own| own.name.as_str());
        let text = format!("{name}: {title}");
        let container = |id: Uuid| json!({"id": id, "baseUrl": format!("{}/", self.place.base)});
        let body = json!({
            "subscriptionId": Uuid::new_v5(&COLLECTION, &[kind.subscription]),
            "notificationId": self.changes,
            "id": Uuid::new_v5(&COLLECTION, format!("{}/{}", self.seed, self.changes).as_bytes()),
            "eventType": kind.event_type, "publisherId": kind.publisher,
            "message": {"text": text, "html": text, "markdown": text},
            "detailedMessage": {"text": text, "html": text, "markdown": text},
            "resource": resource, "resourceVersion": kind.version,
            "resourceContainers": {
                "collection": container(COLLECTION), "account": container(COLLECTION), "project": container(PROJECT),
            },
            "createdDate": self.now.to_string(),
        });
        Delivery { title: title.to_owned(), reason: kind.reason, body: to_vec(&body) }
    }
}

/// The word as Azure has it; one that it does not have is none.
pub(super) fn word(word: &str) -> &'static str {
    WORDS.into_iter().find(|known| *known == word).unwrap_or("none")
}

pub(super) fn to_vec(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value is always written")
}
