//! The envelope of a service-hook notification, read once and borrowed, before anything is known about the resource.
//!
//! Source: azure-devops-docs, "Service hooks events".

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
