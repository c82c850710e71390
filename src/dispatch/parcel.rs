//! One event of the log, looked at for one sink: whether it is wanted, and what is handed to the engine. Pure.

use super::died;
use crate::{
    domain::{Sink, Traits, Unwanted},
    event::Event,
    sink::Outgoing,
    store::Record,
};
use serde::Deserialize;
use std::borrow::Cow;

/// The members that tell which entity an event belongs to.
#[derive(Deserialize)]
struct Peek<'a> {
    #[serde(borrow, default)]
    source: Cow<'a, str>,
    #[serde(borrow, default)]
    subject: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    partitionkey: Option<Cow<'a, str>>,
}

/// An event of the log.
pub fn event(record: &Record) -> Option<Event> {
    Event::from_stored(record.key, &record.body)
}

/// Which part of the sink's filter an event does not pass.
pub fn unwanted(sink: &Sink, event: &Event) -> Option<Unwanted> {
    if died::is_about(event, sink.id) {
        return Some(Unwanted::AboutItself);
    }
    let header = &event.header;
    sink.filter.unwanted(&header.kind, &header.projects, header.connection, || traits(event))
}

/// The traits by which a sink's filter chooses events, as the vocabulary and our part of it name them.
fn traits(event: &Event) -> Traits {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(&event.json) else { return Traits::default() };
    let (content, azure) = (&json["data"]["subject"]["content"], &json["data"]["customData"]["azuredevops"]);
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let environment = content.get("environment").and_then(|named| named.get("id").unwrap_or(named).as_str());
    Traits {
        environment: environment.map(|id| id.rsplit('/').next().unwrap_or(id).to_owned()),
        work_item_type: text(&azure["workItemType"]),
        states: text(&azure["previousState"]).zip(text(&azure["state"])),
        branch: branch(&json["subject"], azure).map(str::to_owned),
        outcome: text(&content["outcome"]),
        is_draft: azure["isDraft"] == true,
    }
}

/// The branch that an event is about: the ref that it is the event of or that was pushed, else the one that its pull request
/// goes to, else the one that was built. Tags and the merges of pull requests are no branches.
fn branch<'a>(subject: &'a serde_json::Value, azure: &'a serde_json::Value) -> Option<&'a str> {
    let of_subject = || subject.as_str()?.strip_prefix("git/repositories/")?.split_once('/').map(|(_, name)| name);
    let own = of_subject().filter(|name| name.starts_with("refs/"));
    let name = own.or_else(|| ["ref", "targetRefName", "sourceBranch"].iter().find_map(|name| azure[*name].as_str()));
    name?.strip_prefix("refs/heads/")
}

/// What stays in order: the event's partition key in its source; else its subject; else it is alone.
pub fn entity(event: &Event) -> String {
    let alone = || event.id.to_string();
    let Ok(peek) = serde_json::from_slice::<Peek<'_>>(&event.json) else { return alone() };
    match peek.partitionkey.or(peek.subject) {
        Some(key) => format!("{}\u{1f}{key}", peek.source),
        None => alone(),
    }
}

/// As the engine gets it.
pub fn outgoing(record: &Record, event: Event) -> Outgoing {
    Outgoing {
        id: event.id,
        position: record.position.0,
        time: record.time,
        entity: entity(&event),
        json: event.served(record.position.0, record.time).into(),
        kind: event.header.kind,
        projects: event.header.projects,
        connection: event.header.connection,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ConnectionId, NotificationId},
        event::Header,
    };
    use uuid::Uuid;

    fn event(json: &'static str) -> Event {
        let header = Header {
            kind: "a".to_owned(),
            connection: ConnectionId(Uuid::nil()),
            projects: Vec::new(),
            notification: NotificationId(Uuid::nil()),
            recovered: None,
            filled: std::collections::BTreeMap::new(),
        };
        Event { id: Uuid::from_u128(7), header, json: json.into() }
    }

    #[test]
    fn an_entity_is_the_partition_key_in_its_source() {
        for (json, key) in [
            (r#"{"source":"s","subject":"b","partitionkey":"k"}"#, "s\u{1f}k"),
            (r#"{"source":"s","subject":"b"}"#, "s\u{1f}b"),
            (r#"{"source":"s"}"#, "00000000-0000-0000-0000-000000000007"),
            ("[", "00000000-0000-0000-0000-000000000007"),
        ] {
            assert_eq!(entity(&event(json)), key, "{json}");
        }
    }

    #[test]
    fn an_environment_is_the_last_part_of_what_the_content_names() {
        for (json, name) in [
            (r#"{"data":{"subject":{"content":{"environment":{"id":"production"}}}}}"#, Some("production")),
            (r#"{"data":{"subject":{"content":{"environment":{"id":"shop/production"}}}}}"#, Some("production")),
            (r#"{"data":{"subject":{"content":{"environment":"test"}}}}"#, Some("test")),
            (r#"{"data":{"subject":{"content":{"environment":{}}}}}"#, None),
            (r#"{"data":{}}"#, None),
        ] {
            assert_eq!(traits(&event(json)).environment.as_deref(), name, "{json}");
        }
    }

    #[test]
    fn a_branch_is_the_refs_own_or_where_a_pull_request_goes_or_what_was_built() {
        for (json, name) in [
            (r#"{"subject":"git/repositories/r/refs/heads/a/b"}"#, Some("a/b")),
            (r#"{"subject":"git/repositories/r/refs/tags/a"}"#, None),
            (
                r#"{"subject":"git/repositories/r/commits/c","data":{"customData":{"azuredevops":{"ref":"refs/heads/main"}}}}"#,
                Some("main"),
            ),
            (
                r#"{"subject":"git/repositories/r/pullRequests/7","data":{"customData":{"azuredevops":{"sourceRefName":"refs/heads/x","targetRefName":"refs/heads/main","isDraft":true}}}}"#,
                Some("main"),
            ),
            (
                r#"{"subject":"build/builds/7","data":{"customData":{"azuredevops":{"sourceBranch":"refs/heads/main"}}}}"#,
                Some("main"),
            ),
            (
                r#"{"subject":"build/builds/7","data":{"customData":{"azuredevops":{"sourceBranch":"refs/pull/7/merge"}}}}"#,
                None,
            ),
            ("[", None),
        ] {
            assert_eq!(traits(&event(json)).branch.as_deref(), name, "{json}");
        }
        let ticket = r#"{"data":{"customData":{"azuredevops":{"workItemType":"Bug","previousState":"New","state":"Active"}},"subject":{"content":{"outcome":"failure"}}}}"#;
        let traits = traits(&event(ticket));
        assert_eq!((traits.work_item_type.as_deref(), traits.outcome.as_deref()), (Some("Bug"), Some("failure")));
        assert_eq!((traits.states, traits.is_draft), (Some(("New".to_owned(), "Active".to_owned())), false));
    }
}
