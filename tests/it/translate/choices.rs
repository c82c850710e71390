//! Which events a binding selects, and who their actor is: the same for every kind, version and place.

use super::{
    json,
    places::{Body, PLACES, bindings},
};
use hookwell::{
    domain::{Binding, Partial, Selection},
    translate::union::union,
};
use serde_json::{Value, json as literal};
use std::sync::Arc;

/// The bindings of all of the project, changed.
fn chosen(change: impl Fn(&mut Binding)) -> Vec<Arc<Binding>> {
    let changed = |own: Arc<Binding>| {
        let mut own = Binding::clone(&own);
        change(&mut own);
        Arc::new(own)
    };
    bindings().into_iter().map(changed).collect()
}

fn azure(event: &Value) -> &Value {
    &event["data"]["customData"]["azuredevops"]
}

#[test]
fn what_succeeded_in_part_is_what_is_chosen_wherever_it_is_told() {
    let within = |what: &'static str, path: &'static [&'static str], word: &'static str| (what, path, word);
    for place in PLACES {
        for (partial, outcome, has_errors) in [
            (Partial::Success, "success", false),
            (Partial::Failure, "failure", false),
            (Partial::AsAzureSays, "success", true),
        ] {
            let bindings = chosen(|binding| {
                if matches!(binding.selection, Selection::BuildProvider { .. }) {
                    binding.partial = partial;
                }
            });
            for (what, path, word) in [
                within("build 1.0", &["status"], "partiallySucceeded"),
                within("build 2.0", &["result"], "partiallySucceeded"),
                within("build 2.0", &["result"], "PartiallySucceeded"),
                within("stage", &["stage", "result"], "succeededWithIssues"),
                within("job", &["job", "result"], "succeededWithIssues"),
                within("deployment", &["environment", "status"], "partiallySucceeded"),
            ] {
                let mut body = Body::named(place, what);
                *path.iter().fold(&mut body["resource"], |at, name| &mut at[*name]) = word.into();
                let event = json(&place.told_to(&body, None, &bindings)[0]);
                let content = &event["data"]["subject"]["content"];
                assert_eq!(content["outcome"], outcome, "{what} {partial:?} at {}", place.url);
                let errors = if has_errors { literal!(word) } else { Value::Null };
                assert_eq!(content["errors"], errors, "{what} {partial:?} at {}", place.url);
            }
            // A run has no word for it: its build has, whichever is told first.
            let mut build = Body::named(place, "build 2.0");
            build["resource"]["result"] = "partiallySucceeded".into();
            let [run, build] =
                [Body::named(place, "run"), build].map(|body| place.told_to(&body, None, &bindings).remove(0));
            assert_eq!(run.id, build.id);
            for (first, then) in [(&run, &build), (&build, &run)] {
                let both = union(first.id, first, then).unwrap_or_else(|| first.clone());
                assert_eq!(json(&both)["data"]["subject"]["content"]["outcome"], outcome, "{partial:?}");
            }
        }
    }
}

#[test]
fn fields_that_are_asked_for_are_carried_at_every_version_and_by_every_event_of_the_item() {
    let bindings = chosen(|binding| {
        if matches!(binding.selection, Selection::IssueProvider { .. }) {
            let names = ["Custom.pressure", "Custom.Owner", "Custom.Absent", "System.Description"];
            binding.issues.carried_fields = names.map(str::to_owned).into();
        }
    });
    let long = "pump ".repeat(1_000);
    for place in PLACES {
        for (what, owner) in [
            ("work item 1.0", literal!("Mei Chen <mei@corp.example>")),
            ("work item 3.1", literal!({ "displayName": "Mei Chen", "uniqueName": "Mei Chen <mei@corp.example>" })),
            ("work item 5.1", literal!({ "displayName": "Mei Chen", "uniqueName": "mei@corp.example", "id": "m" })),
            ("work item moved", literal!({ "displayName": "Mei Chen", "uniqueName": "mei@corp.example", "id": "m" })),
            ("work item linked", literal!({ "displayName": "Mei Chen", "uniqueName": "mei@corp.example", "id": "m" })),
        ] {
            let mut body = Body::named(place, what);
            let resource = &mut body["resource"];
            let is_update = !resource["revision"].is_null();
            let fields = if is_update { &mut resource["revision"]["fields"] } else { &mut resource["fields"] };
            fields["Custom.Pressure"] = literal!(1.5);
            fields["Custom.Owner"] = owner;
            fields["System.Description"] = literal!(long);
            let event = json(&place.told_to(&body, None, &bindings)[0]);
            let carried = &azure(&event)["fields"];
            assert_eq!(carried["Custom.pressure"], 1.5, "{what}: {carried}");
            assert_eq!(carried["Custom.Owner"], "mei@corp.example", "{what}");
            assert_eq!(carried["System.Description"].as_str().unwrap().len(), 2_000, "{what}");
            assert_eq!(azure(&event)["fieldsCut"], literal!(["System.Description"]), "{what}");
            assert!(carried["Custom.Absent"].is_null(), "{what}");
        }
    }
}

/// Every identity of a body in another form.
fn masked(value: &mut Value, form: &Value) {
    match value {
        Value::Object(members) if members.get("uniqueName") == Some(&literal!("CORP\\ada")) => *value = form.clone(),
        Value::Object(members) => members.values_mut().for_each(|value| masked(value, form)),
        Value::Array(items) => items.iter_mut().for_each(|value| masked(value, form)),
        Value::String(text) if text == "Ada Byron <CORP\\ada>" => *value = form.clone(),
        _ => {}
    }
}

#[test]
fn whoever_did_it_goes_by_one_word_in_whichever_form_their_identity_is() {
    for place in PLACES {
        for (form, word) in [
            (
                literal!({ "id": "a1", "displayName": "Ada Byron", "uniqueName": "CORP\\ada", "descriptor": "win.x" }),
                "CORP\\ada",
            ),
            (literal!({ "displayName": "Ada Byron", "uniqueName": "Ada Byron <CORP\\ada>" }), "CORP\\ada"),
            (literal!({ "displayName": "Ada Byron <CORP\\ada>", "uniqueName": "CORP\\ada" }), "CORP\\ada"),
            (literal!({ "id": "a1", "name": "Ada Byron <CORP\\ada>", "displayName": "Ada Byron" }), "CORP\\ada"),
            (literal!("Ada Byron <CORP\\ada>"), "CORP\\ada"),
            (literal!({ "id": "a1", "displayName": "Ada Byron" }), "Ada Byron"),
            (literal!("Ada Byron"), "Ada Byron"),
        ] {
            for body in Body::all(place).into_iter().filter(|body| body.what != "vote") {
                let mut value = body.value.clone();
                masked(&mut value, &form);
                for event in place.told(&value, body.reason) {
                    let event = json(&event);
                    assert_eq!(azure(&event)["actor"], word, "{} of {form} at {}", body.what, place.url);
                }
            }
        }
    }
}

#[test]
fn no_control_character_reaches_an_attribute_whatever_the_payload_holds() {
    for place in PLACES {
        for wrong in ["a\u{0}b", "line\r\nline", "\u{1b}[31mred", "\u{85}next", "bell\u{7}"] {
            for body in Body::all(place) {
                let mut value = body.value.clone();
                value["id"] = wrong.into();
                value["message"] = literal!({ "text": wrong });
                spoil(&mut value["resource"], wrong);
                for event in place.told(&value, body.reason) {
                    let event = json(&event);
                    for attribute in ["id", "source", "type", "subject", "time", "partitionkey", "datacontenttype"] {
                        let text = event[attribute].as_str().unwrap();
                        assert!(!text.chars().any(char::is_control), "{} {attribute}: {text:?}", body.what);
                    }
                    assert_eq!(event["subject"], event["data"]["subject"]["id"], "{}", body.what);
                }
            }
        }
    }
}

/// Names in it end otherwise.
fn spoil(value: &mut Value, wrong: &str) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if ["name", "displayName", "title", "comment"].contains(&name.as_str()) => {
                        text.push_str(wrong);
                    }
                    value => spoil(value, wrong),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|value| spoil(value, wrong)),
        _ => {}
    }
}
