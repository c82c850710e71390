//! Whatever is sent: no panic, at least one event, closed schemas kept, the same bytes every time.

use super::{Case, cases, events, json};
use proptest::prelude::*;
use serde_json::{Map, Value, json as literal};

/// The places of a document, depth first.
fn places(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    let mut step = |key: String, inner: &Value, path: &mut Vec<String>| {
        path.push(key);
        out.push(path.clone());
        places(inner, path, out);
        path.pop();
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, inner)| step(key.clone(), inner, path)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, inner)| step(at.to_string(), inner, path)),
        _ => {}
    }
}

fn damage(document: &mut Value, seed: usize, kind: usize) {
    let mut all = Vec::new();
    places(document, &mut Vec::new(), &mut all);
    if all.is_empty() {
        return;
    }
    let path = &all[seed % all.len()];
    let (last, parents) = path.split_last().unwrap();
    let mut at = document;
    for key in parents {
        at = match at {
            Value::Object(members) => &mut members[key.as_str()],
            Value::Array(items) => &mut items[key.parse::<usize>().unwrap()],
            _ => return,
        };
    }
    let odd = [
        Value::Null,
        literal!(""),
        literal!(" "),
        literal!(0),
        literal!(-1),
        literal!(1.5e300),
        literal!(u64::MAX),
        literal!(true),
        literal!([]),
        literal!({}),
        literal!([[{"id": [null]}]]),
        literal!("0001-01-01T00:00:00"),
        literal!("https://a b/\u{1f}|%zz#x#y"),
        literal!("\u{0}\u{1f}\u{2028}ß:/%"),
        literal!("00000000-0000-0000-0000-000000000000"),
        literal!("completed"),
        literal!("12"),
    ];
    match (at, kind.checked_sub(1)) {
        (Value::Object(members), None) => drop(members.remove(last)),
        (Value::Object(members), Some(kind)) => {
            members.insert(last.clone(), odd[kind % odd.len()].clone());
        }
        (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
        (Value::Array(items), Some(kind)) => items[last.parse::<usize>().unwrap()] = odd[kind % odd.len()].clone(),
        _ => {}
    }
}

/// What the closed schemas ask of every event, without the schemas.
fn well_formed(event: &Value) {
    fn nothing_empty(at: &str, value: &Value) {
        match value {
            Value::Null => panic!("null at {at}"),
            Value::String(text) => assert!(!text.is_empty(), "empty text at {at}"),
            Value::Array(items) => items.iter().for_each(|item| nothing_empty(at, item)),
            Value::Object(members) => {
                members.iter().for_each(|(key, value)| nothing_empty(&format!("{at}/{key}"), value));
            }
            _ => {}
        }
    }
    nothing_empty("", event);
    let data = &event["data"];
    assert!(data["customData"]["hookwell"]["projects"].is_array());
    assert_eq!(data["customData"]["azuredevops"]["mapping"], hookwell::translate::MAPPING_VERSION);
    let known = |value: &Value, names: &[&str]| {
        let unknown: Vec<_> = value.as_object().unwrap().keys().filter(|key| !names.contains(&key.as_str())).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    };
    known(data, &["context", "subject", "customData"]);
    known(&data["context"], &["specversion", "id", "source", "type", "timestamp", "chainId", "links"]);
    known(&data["subject"], &["id", "content"]);
    assert!(data["subject"]["content"].is_object());
    let time = data["context"]["timestamp"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    assert!(!time.contains('.') || !time.ends_with("0Z"), "{time}");
    if let Some(uri) = data["subject"]["content"]["uri"].as_str() {
        assert!(url::Url::parse(uri).is_ok() && uri.is_ascii() && !uri.contains(' '), "{uri}");
    }
}

fn translated(name: &str, body: &[u8]) -> Vec<Value> {
    let first = events(name, body).unwrap();
    assert!(!first.is_empty());
    assert_eq!(first, events(name, body).unwrap(), "the same input, the same bytes");
    let documents: Vec<Value> = first.iter().map(json).collect();
    documents.iter().for_each(well_formed);
    documents
}

/// The same document with every object's members the other way round.
fn reversed(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push('{');
            for (at, (key, inner)) in members.iter().rev().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push(':');
                reversed(inner, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, inner) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                reversed(inner, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn case(at: usize, all: &[Case]) -> &Case {
    &all[at % all.len()]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_notification_still_becomes_events(at in any::<usize>(), wounds in prop::collection::vec((any::<usize>(), 0_usize..30), 1..6)) {
        thread_local!(static ALL: Vec<Case> = cases());
        ALL.with(|all| {
            let case = case(at, all);
            let mut document: Value = serde_json::from_slice(case.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&case.body)).unwrap();
            for (seed, kind) in wounds {
                damage(&mut document, seed, kind);
            }
            translated(&case.name, &serde_json::to_vec(&document).unwrap());
        });
    }

    #[test]
    fn a_cut_or_garbled_body_never_panics(at in any::<usize>(), cut in any::<usize>(), byte in any::<u8>()) {
        thread_local!(static ALL: Vec<Case> = cases());
        ALL.with(|all| {
            let case = case(at, all);
            let mut body = case.body.clone();
            let cut = cut % body.len();
            body[cut] = byte;
            let garbled = events(&case.name, &body);
            prop_assert!(garbled.map_or(true, |events| !events.is_empty()));
            body.truncate(cut);
            let truncated = events(&case.name, &body);
            prop_assert!(truncated.map_or(true, |events| !events.is_empty()));
            Ok(())
        })?;
    }

    #[test]
    fn any_object_becomes_an_event(keys in prop::collection::vec(("[a-zA-Z]{0,12}", "\\PC{0,20}"), 0..6)) {
        let members: Map<String, Value> = keys.into_iter().map(|(key, text)| (key, Value::String(text))).collect();
        translated("any", &serde_json::to_vec(&members).unwrap());
    }
}

#[test]
fn the_order_of_members_does_not_matter() {
    for case in cases() {
        let document: Value = serde_json::from_slice(&case.body).unwrap();
        let mut other = String::new();
        reversed(&document, &mut other);
        let ids = |body: &[u8]| events(&case.name, body).unwrap().iter().map(|event| event.id).collect::<Vec<_>>();
        assert_eq!(ids(&serde_json::to_vec(&document).unwrap()), ids(other.as_bytes()), "{}", case.name);
    }
}

#[test]
fn what_is_no_object_is_untranslatable() {
    for body in ["", "x", "[]", "null", "12", "{", "{}x"] {
        assert!(events("any", body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn half_a_surrogate_pair_costs_nothing_but_itself() {
    let push = cases().into_iter().find(|case| case.name == "git.push/branch-updated.json").unwrap();
    let body = String::from_utf8(push.body).unwrap().replacen("Fix the cart", "Fix the \\ud83d", 1);
    let found = translated(&push.name, body.as_bytes());
    assert_eq!(found[0]["data"]["customData"]["azuredevops"]["commits"][0]["comment"], "Fix the \u{fffd}");
}

#[test]
fn an_envelope_that_cannot_be_read_whole_still_says_who_it_is() {
    let body = r#"{"id":"i","eventType":"git.push","createdDate":1e999,"resource":{"pushId":1}}"#;
    let found = translated("any", body.as_bytes());
    assert_eq!(found[0]["data"]["subject"]["content"]["eventType"], "git.push");
    assert_eq!(found[0]["subject"], "hooks/events/i");
}

#[test]
fn depth_is_no_danger() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for body in [
        format!("{{\"eventType\":\"git.push\",\"resource\":{deep}}}"),
        format!(
            "{{\"eventType\":\"git.push\",\"resource\":{{\"refUpdates\":{deep},\"repository\":{{\"id\":{deep}}}}}}}"
        ),
        format!("{{\"eventType\":{deep}}}"),
    ] {
        assert!(events("any", body.as_bytes()).map_or(true, |events| !events.is_empty()));
    }
}
