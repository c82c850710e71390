//! GUIDs in Azure's bodies.

use uuid::Uuid;

/// A GUID; the samples write all zeros for "none".
pub fn guid(text: Option<&str>) -> Option<Uuid> {
    text.and_then(|text| Uuid::try_parse(text).ok()).filter(|guid| !guid.is_nil())
}
