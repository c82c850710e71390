//! One event of the log, looked at for one sink: whether it is wanted, and what is handed to the engine. Pure.

use super::died;
use crate::{
    domain::{Sink, Unwanted},
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
    sink.filter.unwanted(&header.kind, &header.projects, header.connection, || environment(event))
}

/// The environment that an event is about, as the vocabulary has it: its subject's content names it.
fn environment(event: &Event) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&event.json).ok()?;
    let named = json.pointer("/data/subject/content/environment")?;
    let id = named.get("id").or(Some(named))?.as_str()?;
    Some(id.rsplit('/').next().unwrap_or(id).to_owned())
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
            (r#"{"data":{"subject":{"content":{"environment":{}}}}}"#, None),
            (r#"{"data":{}}"#, None),
        ] {
            assert_eq!(environment(&event(json)).as_deref(), name, "{json}");
        }
    }
}
