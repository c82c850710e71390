//! Events as they are kept, for whoever looks at a few of Azure's members again. Events that other mappings made are read,
//! too: nobody relies on a member.

use super::Event;
use serde::Deserialize;
use uuid::Uuid;

/// An event's attributes, and the members `A` of `data.customData.azuredevops`.
pub struct Kept<A> {
    /// The event's source.
    pub source: String,
    /// The event's subject.
    pub subject: String,
    /// The event's time, as text.
    pub time: String,
    /// The members of Azure's part.
    pub azure: A,
    /// The first event of its fact, where it tells that once more.
    pub fact: Option<Uuid>,
}

impl<A: for<'de> Deserialize<'de> + Default> Kept<A> {
    /// `None` where the event has another shape.
    pub fn read(event: &Event) -> Option<Self> {
        let Wire { source, subject, time, data } = serde_json::from_slice(&event.json).ok()?;
        let CustomData { azuredevops, hookwell } = data.custom_data;
        Some(Self { source, subject, time, azure: azuredevops, fact: hookwell.fact })
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "A: Deserialize<'de> + Default"))]
struct Wire<A> {
    source: String,
    subject: String,
    #[serde(default)]
    time: String,
    #[serde(default)]
    data: Data<A>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "A: Deserialize<'de> + Default"))]
struct Data<A> {
    custom_data: CustomData<A>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "A: Deserialize<'de> + Default"))]
struct CustomData<A> {
    azuredevops: A,
    hookwell: Own,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Own {
    fact: Option<Uuid>,
}
