//! A notification decoded: its envelope, and its resource still as text, to be read once its type is known.

use super::{
    envelope::{self, EnvelopeError},
    guid::guid,
    lenient::{Object, Text},
    surrogate, time, whose,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// The body as text that can be read: UTF-8, without byte order mark and half surrogate pairs.
pub fn readable(body: &[u8]) -> Result<Cow<'_, str>, EnvelopeError> {
    envelope::text(body).map(surrogate::mended)
}

/// Everything around the resource.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Notification<'a> {
    /// `id`: the event's, kept over retries.
    pub id: Text<'a>,
    event_type: Text<'a>,
    /// What a sample of `manualintervention.pending` has instead of `eventType`.
    event_id: Text<'a>,
    /// `subscriptionId`.
    pub subscription_id: Text<'a>,
    /// `resourceVersion`.
    pub resource_version: Text<'a>,
    created_date: Text<'a>,
    message: Object<Message<'a>>,
    resource_containers: Object<Containers<'a>>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Message<'a> {
    text: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Containers<'a> {
    project: Object<Container<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Container<'a> {
    id: Text<'a>,
    base_url: Text<'a>,
}

impl<'a> Notification<'a> {
    /// Reads what [`readable`] returned. An envelope that is JSON but cannot be read whole (a member twice, a number
    /// beyond all bounds) is one without a resource: what says who it is, is enough not to lose it.
    pub fn read(text: &'a str) -> Result<Self, EnvelopeError> {
        envelope::object(text).or_else(|error| {
            let envelope = envelope::peek(text.as_bytes()).map_err(|_| error)?;
            Ok(Self {
                id: envelope.id.into(),
                event_type: envelope.event_type.into(),
                subscription_id: envelope.subscription_id.into(),
                ..Self::default()
            })
        })
    }

    /// `eventType`.
    pub fn event_type(&self) -> Option<&str> {
        self.event_type.as_str().or(self.event_id.as_str())
    }

    /// `message.text`, for people: its words are not stable, and it is null when the subscription asks for none.
    pub fn message(&self) -> Option<&str> {
        self.message.text.as_str()
    }

    /// `createdDate`: when Azure made the notification, some seconds after the fact itself.
    pub fn created(&self) -> Option<Timestamp> {
        self.created_date.as_str().and_then(time::timestamp)
    }

    /// What it says, whoever it is delivered to and however it is written: type and resource, with members in the
    /// order of their names. For events that Azure gives no id; `None` when there is no resource to tell them apart.
    pub fn canonical(&self) -> Option<String> {
        let resource: serde_json::Value = serde_json::from_str(self.resource?.get()).ok()?;
        Some(format!("{:?} {resource}", self.event_type()))
    }

    /// `resourceContainers.project.id`.
    pub fn project(&self) -> Option<&str> {
        self.resource_containers.project.id.as_str()
    }

    /// The project's GUID: of the container, else of the resource, wherever it stands there.
    pub fn project_guid(&self) -> Option<Uuid> {
        let of_container = || self.resource_containers.project.base_url.as_str().and_then(whose::of_address);
        let of_resource = || whose::project(&serde_json::from_str(self.resource?.get()).ok()?);
        guid(self.project()).or_else(of_container).or_else(of_resource)
    }

    /// The resource as a `T`; nothing when it is absent, null, no object, or an object that cannot be read as `T`.
    pub fn resource<T: Deserialize<'a> + Default>(&self) -> Option<T> {
        let text = self.resource?.get();
        if !text.starts_with('{') {
            return None;
        }
        serde_json::from_str(text).ok()
    }
}
