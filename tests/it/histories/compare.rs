//! Compares two gateways' events. The comparison leaves out only rows of the tables, each with
//! its reason.

use super::{
    Way,
    tables::{OTHERWISE, UNTOLD},
};
use hookwell::event::Event;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Members of the telling and not of the fact: documented so in `translate::union`.
const OF_THE_TELLING: [&str; 4] = ["eventType", "eventId", "resourceVersion", "subscriptionId"];

/// The facts of a log from `began` on, each as it was told last; by the id of its first telling. Of what was before, some find
/// more than others: where a ref was is looked for when it is missing.
pub(super) fn facts(events: &[Event], began: Timestamp) -> BTreeMap<Uuid, Value> {
    let (mut all, mut acts, mut keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for event in events {
        let mut json: Value = serde_json::from_slice(&event.json).unwrap();
        if json["time"].as_str().unwrap().parse::<Timestamp>().unwrap() < began {
            continue;
        }
        let own = json["data"]["customData"]["hookwell"].take();
        let fact = own["fact"].as_str().map_or(event.id, |fact| fact.parse().unwrap());
        json["data"]["customData"]["hookwell"] = serde_json::json!({ "projects": own["projects"] });
        let azure = json["data"]["customData"]["azuredevops"].as_object_mut().unwrap();
        let occasion = azure.get("eventId").map(Value::to_string);
        azure.retain(|name, _| !OF_THE_TELLING.contains(&name.as_str()));
        json["data"]["context"].as_object_mut().unwrap().remove("id");
        if let Some(links) = json["data"]["context"]["links"].as_array_mut() {
            links.sort_by_key(Value::to_string);
        }
        let outer = json.as_object_mut().unwrap();
        outer.remove("id");
        outer.remove("replaces");
        // Of a vote the id depends on whether it was known to be one at first; Azure's id of the act is the same for all.
        let is_act = ["cdevents.change.updated", "cdevents.change.reviewed"].contains(&kind(&json).as_str());
        let act = occasion.filter(|_| is_act).map(|own| Uuid::new_v5(&Uuid::nil(), own.as_bytes()));
        let key = match act {
            Some(act) if acts.insert(act, fact).is_none_or(|other| other == fact) => act,
            _ => fact,
        };
        // An earlier telling of the fact does not count any more.
        if let Some(before) = keys.insert(fact, key) {
            all.remove(&before);
        }
        all.insert(key, json);
    }
    renamed(all)
}

/// Pushes of one head to one pull request by their order: which of them has which id is the order in which they were heard of,
/// since a hook has no number of a push and a record none of Azure's ids (`translate::identity`).
fn renamed(all: BTreeMap<Uuid, Value>) -> BTreeMap<Uuid, Value> {
    let (pushes, mut named): (BTreeMap<_, _>, BTreeMap<_, _>) = all.into_iter().partition(|(_, event)| is_push(event));
    let mut pushes: Vec<(Timestamp, Value)> =
        pushes.into_values().map(|event| (event["time"].as_str().unwrap().parse().unwrap(), event)).collect();
    pushes.sort_by_key(|(time, _)| *time);
    let mut visits: BTreeMap<String, u32> = BTreeMap::new();
    for (_, event) in pushes {
        let head = format!("{} {}", event["subject"], event["data"]["customData"]["azuredevops"]["sourceCommit"]);
        let visit = visits.entry(head.clone()).or_default();
        *visit += 1;
        named.insert(Uuid::new_v5(&Uuid::nil(), format!("{head} {visit}").as_bytes()), event);
    }
    named
}

fn is_push(event: &Value) -> bool {
    kind(event) == "cdevents.change.updated" && event["data"]["customData"]["azuredevops"]["updateReason"] == "push"
}

/// In a line, to be read by people.
fn line(event: &Value) -> String {
    let azure = &event["data"]["customData"]["azuredevops"];
    let marks = ["updateReason", "rev", "updateNumber", "pushId", "comment"].map(|name| azure[name].to_string());
    format!("{} {} {}", kind(event), event["subject"].as_str().unwrap_or_default(), marks.join(" "))
}

fn kind(event: &Value) -> String {
    let whole = event["type"].as_str().unwrap();
    whole.rsplitn(4, '.').nth(3).unwrap().trim_start_matches("dev.").to_owned()
}

/// The places at which two documents differ.
fn differences(one: &Value, other: &Value, at: &str, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(one_members), Value::Object(other_members)) => {
            let names: BTreeSet<&String> = one_members.keys().chain(other_members.keys()).collect();
            for name in names {
                differences(&one[name.as_str()], &other[name.as_str()], &format!("{at}/{name}"), found);
            }
        }
        _ if one == other => {}
        _ => drop(found.insert(at.to_owned())),
    }
}

/// Whether a row of a table is of this kind of event: a part of its name.
fn is_of(row: &str, kind: &str) -> bool {
    kind.contains(row)
}

/// Lines about what `way` tells otherwise than the hooks in order; none where it tells the same.
pub(super) fn compared(way: Way, wanted: &BTreeMap<Uuid, Value>, told: &BTreeMap<Uuid, Value>) -> Vec<String> {
    let untold = |event: &Value| {
        let row = |row: &&super::tables::Untold| row.ways.contains(&way) && is_of(row.kind, &kind(event));
        UNTOLD.iter().filter(row).any(|row| (row.when)(event, wanted))
    };
    let mut wrong = Vec::new();
    for (id, event) in wanted {
        let Some(own) = told.get(id) else {
            if !untold(event) {
                wrong.push(format!("{way:?} does not tell {} {id}", line(event)));
            }
            continue;
        };
        let mut found = BTreeSet::new();
        differences(event, own, "", &mut found);
        let is_known = |pointer: &String| {
            OTHERWISE.iter().any(|row| {
                row.ways.contains(&way)
                    && is_of(row.kind, &kind(event))
                    && (row.when)(event, wanted)
                    && pointer.starts_with(row.pointer)
            })
        };
        for pointer in found.into_iter().filter(|pointer| !is_known(pointer)) {
            let at = |event: &Value| event.pointer(&pointer).cloned().unwrap_or_default();
            wrong.push(format!(
                "{way:?} tells {} otherwise: {pointer} is {} and was {}",
                line(event),
                at(own),
                at(event)
            ));
        }
    }
    for (id, event) in told.iter().filter(|(id, _)| !wanted.contains_key(*id)) {
        wrong.push(format!("{way:?} tells besides {} {id}", line(event)));
    }
    if !wrong.is_empty() {
        // Which push is which is seen by all of them.
        for (what, all) in [("wanted", wanted), ("told", told)] {
            wrong.extend(all.values().filter(|event| is_push(event)).map(|event| {
                let azure = &event["data"]["customData"]["azuredevops"];
                let marks = ["iterationId", "sourceCommit", "message"].map(|name| azure[name].to_string());
                format!("{what}: {} {} {}", event["subject"], event["time"], marks.join(" "))
            }));
        }
    }
    wrong
}
