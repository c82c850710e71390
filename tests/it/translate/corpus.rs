//! Microsoft's documented payloads, and the schemas of `CDEvents` 0.5.1, where `HOOKWELL_CORPUS` names them.

use super::{cases, events, json};
use cdevents_sdk::CDEvent;
use jsonschema::{Registry, Validator};
use serde_json::{Value, json as literal};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

fn corpus() -> Option<PathBuf> {
    let corpus = env::var_os("HOOKWELL_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        eprintln!("SKIPPED: HOOKWELL_CORPUS is not set; no payload and no schema was held against the translation");
    }
    corpus
}

/// The names and bodies of the documented payloads, where there is a corpus.
pub(super) fn documented() -> Vec<(String, Vec<u8>)> {
    let Some(corpus) = corpus() else { return Vec::new() };
    let files = fs::read_dir(corpus.join("azure-devops")).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

fn documents(folder: &Path) -> Vec<Value> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
    files.map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
}

/// A validator per event type; custom events share one, under "".
pub(crate) struct Schemas(BTreeMap<String, Validator>);

impl Schemas {
    /// Where there is a corpus.
    pub(crate) fn of_the_corpus() -> Option<Self> {
        corpus().map(|corpus| Self::read(&corpus))
    }

    fn read(corpus: &Path) -> Self {
        let root = corpus.join("cdevents-0.5.1");
        let links = documents(&root.join("schemas/links"));
        let id = |schema: &Value| schema["$id"].as_str().unwrap().to_owned();
        let registry = Registry::new().extend(links.iter().map(|link| (id(link), link.clone()))).unwrap();
        let registry = registry.prepare().unwrap();
        let validator = |schema: &Value| {
            let options = jsonschema::options().with_registry(&registry).should_validate_formats(true);
            options.build(schema).unwrap()
        };
        let kind = |schema: &Value| {
            let kinds = &schema["properties"]["context"]["properties"]["type"]["enum"];
            kinds[0].as_str().unwrap_or_default().to_owned()
        };
        let mut schemas = documents(&root.join("schemas"));
        schemas.push(serde_json::from_slice(&fs::read(root.join("custom/schema.json")).unwrap()).unwrap());
        Self(schemas.iter().map(|schema| (kind(schema), validator(schema))).collect())
    }

    fn errors(&self, data: &Value) -> Vec<String> {
        let kind = data["context"]["type"].as_str().unwrap();
        let custom = kind.starts_with("dev.cdeventsx.");
        let schema = self.0.get(if custom { "" } else { kind }).unwrap_or_else(|| panic!("no schema for {kind}"));
        schema.iter_errors(data).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// The event holds against its schema and survives the SDK; the `CloudEvent` around it agrees with it.
    pub(crate) fn check(&self, name: &str, event: &Value) {
        let data = &event["data"];
        let errors = self.errors(data);
        assert!(errors.is_empty(), "{name}: {errors:?}\n{event:#}");
        assert_eq!(data["context"]["specversion"], "0.5.1", "{name}");
        let parsed: CDEvent = serde_json::from_value(data.clone()).unwrap_or_else(|e| panic!("{name}: {e}\n{data:#}"));
        assert_eq!(&serde_json::to_value(&parsed).unwrap(), data, "{name}");
        for (outer, inner) in [("id", "id"), ("source", "source"), ("type", "type"), ("time", "timestamp")] {
            assert_eq!(event[outer], data["context"][inner], "{name}: {outer}");
        }
        assert_eq!((&event["specversion"], &event["subject"]), (&literal!("1.0"), &data["subject"]["id"]), "{name}");
    }
}

#[test]
fn every_event_of_the_fixtures_is_valid() {
    let Some(corpus) = corpus() else { return };
    let schemas = Schemas::read(&corpus);
    for case in cases() {
        for event in events(&case.name, &case.body).unwrap() {
            schemas.check(&case.name, &json(&event));
        }
    }
}

#[test]
fn every_documented_payload_becomes_valid_events() {
    let Some(corpus) = corpus() else { return };
    let schemas = Schemas::read(&corpus);
    let mut told = BTreeMap::<String, usize>::new();
    for file in fs::read_dir(corpus.join("azure-devops")).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let events = events(&name, &fs::read(&file).unwrap()).unwrap();
        assert!(!events.is_empty(), "{name}");
        for event in &events {
            schemas.check(&name, &json(event));
            *told.entry(event.header.kind.clone()).or_default() += 1;
            let received = event.header.kind.contains("event.received");
            let reason = &json(event)["data"]["subject"]["content"]["reason"];
            assert!(!received || reason.is_null(), "{name} became event.received for {reason}");
        }
    }
    eprintln!("{told:#?}");
}

/// Overlapping subscriptions deliver one fact with other numbers around it; its id must not see them.
#[test]
fn ids_do_not_depend_on_the_delivery() {
    let Some(corpus) = corpus() else { return };
    let folder = corpus.join("azure-devops");
    let bodies = fs::read_dir(folder).unwrap().map(|file| {
        let path = file.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    });
    let own = cases().into_iter().map(|case| (case.name, case.body));
    for (name, body) in bodies.chain(own) {
        let Ok(mut other) = serde_json::from_slice::<Value>(&body) else { continue };
        other["notificationId"] = literal!(987_654);
        other["subscriptionId"] = literal!("11111111-2222-4333-8444-555555555555");
        other["createdDate"] = literal!("2031-01-02T03:04:05Z");
        other["message"] = Value::Null;
        other["detailedMessage"] = literal!({ "text": "other" });
        let ids = |body: &[u8]| events(&name, body).unwrap().iter().map(|event| event.id).collect::<Vec<_>>();
        let hinted = name.contains("@reason=") || !name.contains("git.pullrequest.updated");
        if hinted {
            assert_eq!(ids(&body), ids(&serde_json::to_vec(&other).unwrap()), "{name}");
        }
    }
}

/// Formats are only notes unless a validator is told to assert them; then the whole check would be worth little.
#[test]
fn the_schemas_assert_formats() {
    let Some(corpus) = corpus() else { return };
    let schemas = Schemas::read(&corpus);
    let event = |timestamp: &str, uri: &str| {
        literal!({
            "context": {
                "specversion": "0.5.1", "id": "i", "source": "https://dev.azure.com/o", "timestamp": timestamp,
                "type": "dev.cdevents.pipelinerun.started.0.3.0"
            },
            "subject": { "id": "s", "content": { "pipelineName": "n", "uri": uri } }
        })
    };
    assert_eq!(schemas.errors(&event("2024-01-01T00:00:00Z", "https://h/x%20y")), Vec::<String>::new());
    assert_eq!(schemas.errors(&event("2024-01-01T00:00:00", "https://h/x")).len(), 1);
    assert_eq!(schemas.errors(&event("yesterday", "https://h/x")).len(), 1);
    assert_eq!(schemas.errors(&event("2024-01-01T00:00:00Z", "https://h/x y")).len(), 1);
}
