//! The envelope of a service-hook notification, read once and borrowed, before anything is known about the resource.
//!
//! Source: azure-devops-docs, "Service hooks events".

use super::lenient::{Int, Object, Text};
use serde::Deserialize;
use std::borrow::Cow;

/// What intake looks at: enough for the keys and the quarantine, nothing of the resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Envelope<'a> {
    /// `subscriptionId`.
    pub subscription_id: Option<Cow<'a, str>>,
    /// `notificationId`, counted per subscription.
    pub notification_id: Option<i64>,
    /// `id`: the event's, kept over retries.
    pub id: Option<Cow<'a, str>>,
    /// `eventType`.
    pub event_type: Option<Cow<'a, str>>,
    /// `resourceContainers.collection.id`.
    pub collection_id: Option<Cow<'a, str>>,
}

/// Why a body is no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON at all; line and column, never the body's text.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON, but not an object.
    #[error("the body is JSON but not an object")]
    NotAnObject,
}

/// The `subscriptionId` of a delivery that the Test button or `testnotifications` made for no stored subscription.
const NO_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

/// The envelope ids that Microsoft's own samples carry and the Test button posts, also with a real `subscriptionId`
/// (runatlantis/atlantis#2809). One per event type, all created 2016-09-19, sorted.
///
/// Source: azure-devops-docs, "Service hooks events", the text of 2018. The `a0a0a0a0-…` of the 2024 rewrite is a
/// placeholder that never was on the wire and is not among them.
pub const SAMPLE_IDS: [&str; 18] = [
    "03c164c2-8912-4d5e-8009-3707d5f83734",
    "055285c7-9d7a-4ca0-bbfe-5eb0529d312e",
    "106acb39-c61e-4efd-995e-a9f5e71ba3cd",
    "1ca023d6-6cff-49dd-b3d1-302b69311810",
    "27646e0e-b520-4d2b-9411-bba7524947cd",
    "2ab4e3d3-b7a6-425e-92b1-5a9982c1269e",
    "4a5d99d6-1c75-4e53-91b9-ee80057d4ce3",
    "6872ee8c-b333-4eff-bfb9-0d5274943566",
    "72da0ade-0709-40ee-beb7-104287bf7e84",
    "a73e7272-e96d-4249-93ac-7404eacd6801",
    "af07be1b-f3ad-44c8-a7f1-c4835f2df06b",
    "b0497ad3-50c9-4722-96da-a8fa5b80d77f",
    "c3e52c57-187a-45c4-abe2-184a48291bad",
    "d2d46fb1-dba5-403c-9373-427583f19e8c",
    "d4d69db4-18d4-413e-bc43-07f56b531160",
    "daae438c-296b-4512-b08e-571910874e9b",
    "f9b4c23e-88dd-4516-b04d-849787304e32",
    "fb2617ed-60df-4518-81fa-749faa6c5cd6",
];

impl Envelope<'_> {
    /// Whether this is the Test button's canned sample and speaks of nothing that happened: the subscription is all
    /// zeros, or there is a subscription and the event id is one of [`SAMPLE_IDS`]. A sample without any subscription
    /// is somebody's own replay of the documentation and an ordinary notification.
    pub fn is_test(&self) -> bool {
        let Some(subscription) = self.subscription_id.as_deref() else { return false };
        let sample = |id: &str| SAMPLE_IDS.binary_search(&id.to_ascii_lowercase().as_str()).is_ok();
        subscription == NO_SUBSCRIPTION || self.id.as_deref().is_some_and(sample)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Peeked<'a> {
    subscription_id: Text<'a>,
    notification_id: Int,
    id: Text<'a>,
    event_type: Text<'a>,
    resource_containers: Object<Containers<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Containers<'a> {
    collection: Object<Container<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Container<'a> {
    id: Text<'a>,
}

/// Reads the envelope in one pass; the resource is skipped, only its syntax is checked.
pub fn peek(body: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    let peeked: Peeked<'_> = object(text(body)?)?;
    let Object(Containers { collection: Object(collection) }) = peeked.resource_containers;
    Ok(Envelope {
        subscription_id: peeked.subscription_id.into_inner(),
        notification_id: peeked.notification_id.0,
        id: peeked.id.into_inner(),
        event_type: peeked.event_type.into_inner(),
        collection_id: collection.id.into_inner(),
    })
}

/// The body as text, without the byte order mark that some relays put before it.
pub(super) fn text(body: &[u8]) -> Result<&str, EnvelopeError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body)
        .map_err(|error| EnvelopeError::NotJson(format!("not UTF-8 at byte {}", error.valid_up_to())))
}

/// An object of `T`, or which of the two errors it is.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, EnvelopeError> {
    let not_json =
        |error: serde_json::Error| EnvelopeError::NotJson(format!("line {} column {}", error.line(), error.column()));
    if text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return serde_json::from_str(text).map_err(not_json);
    }
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(not_json)?;
    Err(EnvelopeError::NotAnObject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_read_whatever_surrounds_it() {
        let body = b"\xef\xbb\xbf {\"subscriptionId\":\"s\",\"notificationId\":\"12\",\"id\":\"a\\u0062c\",
            \"eventType\":\"git.push\",\"resource\":{\"deep\":[[{}]]},\"resourceVersion\":null,
            \"resourceContainers\":{\"collection\":{\"id\":\"c\",\"baseUrl\":\"https://x/\"}},\"new\":1}";
        let envelope = peek(body).unwrap();
        assert_eq!(envelope.subscription_id.as_deref(), Some("s"));
        assert_eq!(envelope.notification_id, Some(12));
        assert_eq!(envelope.id.as_deref(), Some("abc"));
        assert_eq!(envelope.event_type.as_deref(), Some("git.push"));
        assert_eq!(envelope.collection_id.as_deref(), Some("c"));
    }

    #[test]
    fn a_member_of_an_odd_type_is_absent_and_spoils_nothing() {
        for odd in ["null", "{}", "[1,[2]]", "true", "1.5", "{\"a\":{\"b\":1}}"] {
            let body = format!(
                "{{\"subscriptionId\":{odd},\"notificationId\":{odd},\"id\":\"i\",\"resourceContainers\":{odd}}}"
            );
            let envelope = peek(body.as_bytes()).unwrap();
            assert_eq!(envelope.notification_id, None, "{odd}");
            assert_eq!(envelope.id.as_deref(), Some("i"), "{odd}");
        }
    }

    #[test]
    fn what_is_no_envelope_says_why_without_quoting_it() {
        assert!(matches!(peek(b""), Err(EnvelopeError::NotJson(_))));
        assert!(matches!(peek(b"{\"id\":\"secret"), Err(EnvelopeError::NotJson(m)) if !m.contains("secret")));
        assert!(matches!(peek(b"{\"id\":\"\xff\"}"), Err(EnvelopeError::NotJson(_))));
        assert!(matches!(peek(b"{} x"), Err(EnvelopeError::NotJson(_))));
        for body in ["[]", "null", " 12", "\"text\""] {
            assert_eq!(peek(body.as_bytes()), Err(EnvelopeError::NotAnObject), "{body}");
        }
    }

    #[test]
    fn nesting_does_not_overflow_the_stack() {
        let deep = "[".repeat(1_000_000);
        assert!(peek(deep.as_bytes()).is_err());
        assert!(peek(format!("{{\"resource\":{deep}").as_bytes()).is_err());
        let closed = format!("{{\"id\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(peek(closed.as_bytes()), Ok(_) | Err(EnvelopeError::NotJson(_))));
    }

    #[test]
    fn a_test_is_told_from_a_sample_and_from_the_real_thing() {
        let peeked = |subscription: &str, id: &str| {
            let body = format!("{{\"subscriptionId\":{subscription},\"id\":\"{id}\"}}");
            peek(body.as_bytes()).unwrap().is_test()
        };
        let real = "\"8fd412f1-0000-4000-8000-000000000001\"";
        assert!(peeked("\"00000000-0000-0000-0000-000000000000\"", "anything"));
        assert!(peeked(real, "af07be1b-f3ad-44c8-a7f1-c4835f2df06b"));
        assert!(peeked(real, "AF07BE1B-f3ad-44c8-a7f1-c4835f2df06b"));
        assert!(!peeked(real, "a0a0a0a0-bbbb-cccc-dddd-e1e1e1e1e1e1"));
        assert!(!peeked(real, "09b0b950-0000-4000-8000-000000000001"));
        assert!(!peeked("null", "af07be1b-f3ad-44c8-a7f1-c4835f2df06b"));
        assert!(SAMPLE_IDS.is_sorted());
    }
}
