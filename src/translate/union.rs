//! Two tellings of one fact as one: what either knows. Pure, and over events as they are kept, because the tellings come at
//! different times: a run's state and its build, a hook and the record that is found later.
//!
//! The richer telling is the base, whichever came first, and the other fills in what it lacks: so the result does not depend
//! on the order. What a telling says of itself (which delivery it was, of which event type) stays that of the base.

use super::identity::fact;
use crate::{azure::time, event::Event};
use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// Kinds of which one fact is told by event types that know different things of it.
const KINDS: [&str; 5] = [
    "dev.cdevents.pipelinerun.",
    "dev.cdevents.taskrun.",
    "dev.cdevents.build.",
    "dev.cdeventsx.azuredevops-stage.",
    "dev.cdeventsx.azuredevops-job.",
];

/// What a telling says of itself.
const OF_ITSELF: [&str; 5] = ["eventType", "eventId", "resourceVersion", "subscriptionId", "mapping"];
/// What marks a telling that knows no time: such a one is never the base beside one that does.
const UNKNOWN: &str = "timeUnknown";

/// Whether an event of this type may know only a part of what is told of its fact.
pub fn is_told_in_parts(kind: &str) -> bool {
    KINDS.iter().any(|known| kind.starts_with(known))
}

/// The id of the event that only a richer telling of the same end of a run makes: with it in the log, that telling was there.
/// Nothing for what is no such end, and for the richer telling itself.
pub fn richer(event: &Event) -> Option<Uuid> {
    if !event.header.kind.starts_with("dev.cdevents.pipelinerun.finished.") {
        return None;
    }
    let value: Value = serde_json::from_slice(&event.json).ok()?;
    let azure = &value["data"]["customData"]["azuredevops"];
    if !azure["eventType"].as_str()?.starts_with("ms.vss-pipelines.") {
        return None;
    }
    let finished: Timestamp = azure["finishTime"].as_str()?.parse().ok()?;
    let (source, subject) = (value["source"].as_str()?, value["subject"].as_str()?);
    let ended = format!("finished:{}", time::second(finished));
    Some(fact("dev.cdevents.build.finished.0.0.0", source, subject, &ended))
}

/// The id that the same end of a run has where its moment was rounded over the second: for one within some milliseconds of it.
///
/// Source: dates of a SQL Server are rounded to three hundredths of a second, and what two event types tell of one moment
/// need not have gone the same way.
pub fn near(event: &Event) -> Option<Uuid> {
    const ROUNDED_MAX: i32 = 10_000_000;
    let ends = ["dev.cdevents.pipelinerun.finished.", "dev.cdevents.build.finished."];
    if !ends.iter().any(|kind| event.header.kind.starts_with(kind)) {
        return None;
    }
    let value: Value = serde_json::from_slice(&event.json).ok()?;
    let at: Timestamp = value.pointer("/data/customData/azuredevops/finishTime")?.as_str()?.parse().ok()?;
    let part = at.subsec_nanosecond();
    let step = if part < ROUNDED_MAX { -1 } else { 1 };
    let other = Timestamp::from_second(at.as_second() + step).ok()?;
    let is_near = !(ROUNDED_MAX..=1_000_000_000 - ROUNDED_MAX).contains(&part);
    let (source, subject) = (value["source"].as_str()?, value["subject"].as_str()?);
    is_near.then(|| fact(&event.header.kind, source, subject, &format!("finished:{other}")))
}

/// The same event under another id.
#[must_use]
pub fn under(id: Uuid, event: &Event) -> Event {
    let text = String::from_utf8_lossy(&event.json);
    let text = text.replacen(&format!("\"id\":\"{}\"", event.id), &format!("\"id\":\"{id}\""), 2);
    Event { id, header: event.header.clone(), json: text.into_bytes().into() }
}

/// What `kept` and `told` know together, as an event of the fact `id`; nothing where `told` adds nothing to `kept`.
///
/// The header is that of `told`, by which what is new was learnt, and it belongs to the projects of both.
pub fn union(id: Uuid, kept: &Event, told: &Event) -> Option<Event> {
    let (before, now) = (read(kept)?, read(told)?);
    let (mut base, other) = if rank(&now) > rank(&before) { (now, &before) } else { (before.clone(), &now) };
    fill(&mut base, &of_the_fact(other));
    links(&mut base, other);
    let mut header = told.header.clone();
    header.projects.extend(kept.header.projects.iter().cloned());
    header.projects.sort_unstable();
    header.projects.dedup();
    let projects = header.projects.iter().map(|slug| Value::from(slug.as_str())).collect();
    if let Some(own) = base.pointer_mut("/data/customData/hookwell").and_then(Value::as_object_mut) {
        own.insert("projects".to_owned(), Value::Array(projects));
        own.remove("recovered");
        if let Some(recovered) = header.recovered {
            own.insert("recovered".to_owned(), recovered.word().into());
        }
    }
    if news(&base) == news(&before) {
        return None;
    }
    for pointer in ["/id", "/data/context/id"] {
        put(&mut base, pointer, Some(id.to_string().into()));
    }
    forget_revisions(&mut base);
    let json = serde_json::to_vec(&base).ok()?;
    Some(Event { id, header, json: json.into() })
}

/// What is kept of the fact `id`, after `told` was told once more; nothing where it is what is kept. Where it is the base of
/// what is kept, today's word counts, with what others knew besides.
pub fn again(id: Uuid, kept: &Event, told: Event) -> Option<Event> {
    let (mut now, before) = (read(&told)?, read(kept)?);
    let of_itself = |event: &Value| OF_ITSELF.map(|name| event["data"]["customData"]["azuredevops"][name].clone());
    // The mapping is the last of them, and another is no other telling.
    if of_itself(&now)[..OF_ITSELF.len() - 1] != of_itself(&before)[..OF_ITSELF.len() - 1] {
        return union(id, kept, &told);
    }
    fill(&mut now, &of_the_fact(&before));
    links(&mut now, &before);
    forget_revisions(&mut now);
    let json = serde_json::to_vec(&now).ok()?;
    Some(Event { json: json.into(), ..told })
}

fn read(event: &Event) -> Option<Value> {
    serde_json::from_slice::<Value>(&event.json).ok().filter(Value::is_object)
}

/// Which of two tellings is the richer: that of the build, which has words that a run has not; else the one that knows the
/// beginning; else the one that says more. Of equals it does not matter, but must be the same one each time.
fn rank(event: &Value) -> (bool, bool, bool, usize, String) {
    let azure = &event["data"]["customData"]["azuredevops"];
    let of_build = azure["eventType"] == "build.complete";
    let begun = ["/startTime", "/stage/startTime", "/job/startTime", "/deployment/startedOn"];
    let knows_beginning = begun.iter().any(|pointer| azure.pointer(pointer).is_some());
    (!is_unknown(event), of_build, knows_beginning, leaves(&said(event)), said(event).to_string())
}

fn is_unknown(event: &Value) -> bool {
    event["data"]["customData"]["azuredevops"][UNKNOWN] == true
}

/// What an event says that others would be told anew for. What a job is called in the timeline only records know; it comes
/// along where there is more to tell.
fn news(event: &Value) -> Value {
    let mut said = said(event);
    if let Some(job) = said.pointer_mut("/data/customData/azuredevops/job").and_then(Value::as_object_mut) {
        job.remove("identifier");
    }
    said
}

/// What an event says of its fact.
fn said(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(azure) = azure(&mut event) {
        azure.retain(|name, _| !OF_ITSELF.contains(&name.as_str()));
    }
    forget_revisions(&mut event);
    if let Some(own) = event.pointer_mut("/data/customData/hookwell").and_then(Value::as_object_mut) {
        own.remove("recovered");
    }
    for pointer in ["/id", "/data/context/id"] {
        put(&mut event, pointer, Some(Value::Null));
    }
    event
}

/// The same without what it says of itself, to fill in with.
fn of_the_fact(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(azure) = azure(&mut event) {
        azure.retain(|name, _| !OF_ITSELF.contains(&name.as_str()) && name != UNKNOWN);
    }
    if let Some(custom) = event.pointer_mut("/data/customData").and_then(Value::as_object_mut) {
        custom.remove("hookwell");
    }
    if let Some(outer) = event.as_object_mut() {
        outer.remove("replaces");
    }
    event
}

fn forget_revisions(event: &mut Value) {
    if let Some(outer) = event.as_object_mut() {
        outer.remove("replaces");
    }
    if let Some(own) = event.pointer_mut("/data/customData/hookwell").and_then(Value::as_object_mut) {
        own.retain(|name, _| name != "replaces" && name != "fact");
    }
}

fn azure(event: &mut Value) -> Option<&mut Map<String, Value>> {
    event.pointer_mut("/data/customData/azuredevops")?.as_object_mut()
}

fn put(event: &mut Value, pointer: &str, value: Option<Value>) {
    if let (Some(place), Some(value)) = (event.pointer_mut(pointer), value) {
        *place = value;
    }
}

/// Members that the base lacks. Lists are whole: of two, the base's counts.
fn fill(base: &mut Value, other: &Value) {
    let (Value::Object(own), Value::Object(theirs)) = (base, other) else { return };
    for (name, value) in theirs {
        match own.get_mut(name) {
            Some(mine) => fill(mine, value),
            None => drop(own.insert(name.clone(), value.clone())),
        }
    }
}

/// Links of both, each once: the base's first.
fn links(base: &mut Value, other: &Value) {
    const LINKS: &str = "/data/context/links";
    let Some(theirs) = other.pointer(LINKS).and_then(Value::as_array) else { return };
    if let Some(own) = base.pointer_mut(LINKS).and_then(Value::as_array_mut) {
        let more: Vec<Value> = theirs.iter().filter(|link| !own.contains(link)).cloned().collect();
        own.extend(more);
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.values().map(leaves).sum(),
        Value::Array(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}
