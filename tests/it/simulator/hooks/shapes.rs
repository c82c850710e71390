//! The hooks' replies against Microsoft's documented examples: every key that an example has, ours has too.

use super::Stage;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What examples have and we do not: members of one consumer or another, and links to pages.
const LEFT_OUT: [&str; 8] = [
    "externalConfiguration",
    "imageUrl",
    "hasDynamicValueInformation",
    "isReadOnly",
    "dependencyInputIds",
    "patternMismatchErrorMessage",
    "groupName",
    "subscriber",
];

fn example(corpus: &Path, name: &str) -> Value {
    let text = std::fs::read(corpus.join("azure-rest").join(name)).unwrap();
    let example: Value = serde_json::from_slice(&text).unwrap();
    let mut body = example["responses"]["200"]["body"].clone();
    if name == "spec--hooks-consumers.json" {
        body["value"].as_array_mut().unwrap().retain(|own| own["id"] == "webHooks");
    }
    body
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Keys by path with a kind; inputs' keys are data.
fn keys(value: &Value, at: &str, found: &mut BTreeMap<String, &'static str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| keys(item, &format!("{at}[]"), found)),
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| !LEFT_OUT.contains(&name.as_str())) {
                let path = format!("{at}.{name}");
                found.insert(path.clone(), kind(member));
                let is_data =
                    matches!(name.as_str(), "publisherInputs" | "consumerInputs" | "supportedResourceVersions");
                if !is_data || member.is_array() {
                    keys(member, &path, found);
                }
            }
        }
        _ => {}
    }
}

fn missing(example: &Value, ours: &Value) -> Vec<String> {
    let (mut theirs, mut own) = (BTreeMap::new(), BTreeMap::new());
    keys(example, "", &mut theirs);
    keys(ours, "", &mut own);
    let differs = |(path, kind): &(String, &str)| match own.get(path) {
        None => true,
        Some(own) => *own != *kind && *kind != "null" && *own != "null",
    };
    theirs.into_iter().filter(differs).map(|(path, kind)| format!("{path}: {kind}")).collect()
}

#[tokio::test]
async fn replies_about_hooks_have_the_shapes_of_the_documented_examples() {
    let Some(corpus) = std::env::var_os("HOOKWELL_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED: HOOKWELL_CORPUS is not set");
        return;
    };
    let stage = Stage::new().await;
    stage.receiver.usually(500);
    let id = stage.subscribe().await;
    stage.push().await;
    stage.next().await;
    let one = stage.read(id).await;
    let listing = stage.asker.read("_apis/hooks/subscriptions").await;
    let put = stage.put(id, &stage.push_draft()).await.json();
    let path = format!("_apis/hooks/subscriptions/{id}/diagnostics?api-version=7.1-preview.1");
    let mut ours = vec![
        (
            "spec--hooks-subscription-create.json",
            stage.post("_apis/hooks/subscriptions", &stage.push_draft()).await.json(),
        ),
        ("spec--hooks-subscription-get.json", one),
        ("spec--hooks-subscription-replace.json", put),
        ("spec--hooks-subscriptions-list.json", listing),
        ("spec--hooks-diagnostics.json", stage.asker.get(&path).await.json()),
    ];
    for (name, path) in [
        ("spec--hooks-publishers.json", "publishers"),
        ("spec--hooks-eventtypes.json", "publishers/tfs/eventtypes"),
        ("spec--hooks-consumers.json", "consumers"),
        ("spec--hooks-consumer-actions.json", "consumers/webHooks/actions"),
    ] {
        ours.push((name, stage.asker.read(&format!("_apis/hooks/{path}")).await));
    }
    let wrong: Vec<_> = ours
        .iter()
        .map(|(name, own)| (name, missing(&example(&corpus, name), own)))
        .filter(|(_, m)| !m.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_documented_filters_are_among_ours_and_so_are_the_documented_inputs_of_a_web_hook() {
    let Some(corpus) = std::env::var_os("HOOKWELL_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED: HOOKWELL_CORPUS is not set");
        return;
    };
    let stage = Stage::new().await;
    let ids = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|own| own["id"].as_str().unwrap().to_owned()).collect()
    };
    let types = stage.asker.read("_apis/hooks/publishers/tfs/eventtypes").await["value"].clone();
    for theirs in example(&corpus, "spec--hooks-eventtypes.json")["value"].as_array().unwrap() {
        // Team rooms are gone.
        if theirs["id"] == "message.posted" {
            continue;
        }
        let own = types.as_array().unwrap().iter().find(|own| own["id"] == theirs["id"]).unwrap();
        let own = ids(&own["inputDescriptors"]);
        for input in ids(&theirs["inputDescriptors"]) {
            assert!(own.contains(&input), "{}: {input}", theirs["id"]);
        }
    }
    let consumers = example(&corpus, "spec--hooks-consumers.json");
    let web = &consumers["value"][0];
    let own = stage.asker.read("_apis/hooks/consumers/webHooks/actions/httpRequest").await;
    for theirs in web["actions"][0]["inputDescriptors"].as_array().unwrap() {
        let found = own["inputDescriptors"].as_array().unwrap().iter().find(|own| own["id"] == theirs["id"]);
        let found = found.unwrap_or_else(|| panic!("{}", theirs["id"]));
        assert_eq!(found["isConfidential"], theirs["isConfidential"], "{}", theirs["id"]);
    }
}
