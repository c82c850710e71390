//! Bytes of anybody given to everything that reads them: one function a fuzz target, each with the properties that hold
//! whatever the bytes are. `make fuzz` runs them guided by coverage; the tests below run what that has found before.
//!
//! Only in tests and under the fuzzer (`cfg(fuzzing)`): nothing of the program uses this.

mod replies;

pub use self::replies::replies;
use crate::{
    azure::{CollectionUrl, RepositoryUrl, envelope},
    domain::{ConnectionId, NotificationId, UpdateReason},
    event::Event,
    intake::{Claimed, USER_NAME_PREFIX},
    simulator, store,
    translate::{Context, Settings, translate as events_of},
};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, path::Path};
use uuid::Uuid;

/// A delivery's body is translated: the same events each time, each with an id of its own, and each a `CloudEvent` whose
/// attributes a receiver can take.
pub fn translate(body: &[u8]) {
    let source = CollectionUrl::parse("https://dev.azure.com/fabrikam").expect("it is the URL of an organization");
    let settings = Settings::default();
    let reasons = UpdateReason::ALL.map(Some);
    for reason in reasons.into_iter().chain([None]) {
        let context = Context {
            connection: ConnectionId(Uuid::from_u128(1)),
            source: &source,
            notification: NotificationId(Uuid::from_u128(2)),
            received_at: jiff::Timestamp::UNIX_EPOCH,
            reason,
            recovered: None,
            bindings: &[],
            processes: &[],
            settings: &settings,
        };
        let Ok(events) = events_of(body, &context) else { return };
        assert!(!events.is_empty(), "what can be read tells something");
        assert_eq!(Ok(&events), events_of(body, &context).as_ref(), "the same body tells the same");
        let ids: BTreeSet<Uuid> = events.iter().map(|event| event.id).collect();
        assert_eq!(ids.len(), events.len(), "each event of a body has an id of its own");
        events.iter().for_each(is_taken);
    }
}

/// Whether an event is kept as it is, and has the attributes that `CloudEvents` demands.
fn is_taken(event: &Event) {
    assert_eq!(Event::from_stored(event.id, &event.to_stored()).as_ref(), Some(event));
    let json: Map<String, Value> = serde_json::from_slice(&event.json).expect("an event is a JSON object");
    for name in ["specversion", "id", "type", "source", "subject", "time"] {
        let text = json.get(name).and_then(Value::as_str).unwrap_or_default();
        assert!(!text.is_empty(), "{name} is there: {json:?}");
    }
    for (name, value) in json.iter().filter(|(name, _)| *name != "data") {
        assert!(
            name.chars().all(|own| own.is_ascii_lowercase() || own.is_ascii_digit()),
            "{name} is an attribute's name"
        );
        let text = value.as_str().unwrap_or_default();
        assert!(!text.chars().any(char::is_control), "{name} has a control character: {text:?}");
    }
    let time = json["time"].as_str().unwrap_or_default();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time} is a time");
}

/// The envelope is read in one pass, and as a reader of the whole body would read it.
pub fn envelope(body: &[u8]) {
    let peeked = envelope::peek(body);
    if let Ok(envelope) = &peeked {
        let _ = envelope.is_test();
    }
    let whole = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if let Ok(object) = serde_json::from_slice::<Map<String, Value>>(whole) {
        // A member that is there twice is refused: readers disagree which of them counts.
        let once = serde_json::to_vec(&object).expect("a JSON object can be written");
        let envelope = peeked.or_else(|_| envelope::peek(&once)).expect("what is a JSON object has an envelope");
        if let Some(Value::String(kind)) = object.get("eventType") {
            // An empty one says nothing.
            assert_eq!(envelope.event_type.as_deref(), Some(kind.as_str()).filter(|kind| !kind.is_empty()));
        }
    }
}

/// What a Basic header claims is what it says: written again, it claims the same.
pub fn basic(header: &[u8]) {
    if let Some(claimed) = Claimed::read(header) {
        use base64::{Engine as _, prelude::BASE64_STANDARD};
        let Claimed { subscription_key, generation, password } = &claimed;
        let user = format!("{USER_NAME_PREFIX}.{subscription_key}.{generation}");
        let again = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        assert!(Claimed::read(again.as_bytes()) == Some(claimed), "written again, it claims the same");
    }
}

/// The address of a repository names the same one when it is written in the form that is said to be canonical.
pub fn repository_url(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let collection = CollectionUrl::parse("https://dev.azure.com/fabrikam").expect("it is the URL of an organization");
    if let Some(url) = RepositoryUrl::parse(text) {
        assert!(url.is_beside(&url) && !url.project.is_empty() && !url.repository.is_empty());
        let _ = url.is_in(&collection);
    }
    if let Ok(url) = CollectionUrl::parse(text) {
        assert_eq!(CollectionUrl::parse(url.as_str()).as_ref(), Ok(&url), "its own text is read as the same");
    }
}

/// The simulator reads a query for work items, or refuses it.
pub fn wiql(query: &[u8]) {
    if let Ok(query) = std::str::from_utf8(query) {
        let _ = simulator::reads_wiql(query);
    }
}

/// The embedded store reads files that it did not write, in this folder, which belongs to the caller.
pub fn store(data: &[u8], folder: &Path) {
    store::embedded::fuzzing::read(data, folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each file below a folder of the fixtures.
    fn kept(folder: &Path) -> Vec<Vec<u8>> {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let paths = entries.map(|entry| entry.unwrap().path());
        let kept = paths.flat_map(|path| if path.is_dir() { kept(&path) } else { vec![std::fs::read(path).unwrap()] });
        let kept: Vec<_> = kept.collect();
        assert!(!kept.is_empty(), "{} has inputs", folder.display());
        kept
    }

    #[test]
    fn whatever_the_fuzzers_found_is_read_or_refused() {
        let (fixtures, folder) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures"), tempfile::tempdir().unwrap());
        let read = |target: &str, data: &[u8]| match target {
            "basic" => basic(data),
            "envelope" => envelope(data),
            "replies" => replies(data),
            "repository_url" => repository_url(data),
            "store" => store(data, folder.path()),
            "translate" => translate(data),
            "wiql" => wiql(data),
            other => panic!("{other} is no target"),
        };
        for target in ["basic", "envelope", "replies", "repository_url", "store", "translate", "wiql"] {
            let bodies = matches!(target, "envelope" | "translate").then(|| kept(&fixtures.join("azure")));
            for data in kept(&fixtures.join("fuzz").join(target)).into_iter().chain(bodies.into_iter().flatten()) {
                read(target, &data);
            }
        }
    }
}
