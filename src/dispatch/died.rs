//! The operational event that a delivery has died, so that whoever follows the events learns that one of them did not
//! reach a sink.
//!
//! It never goes to the sink it is about, and its own death makes no other one: two broken sinks would otherwise tell each
//! other of their broken deliveries for ever.

use crate::{
    domain::{NotificationId, SinkId},
    event::{Event, Header},
    sink::Outgoing,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// Its type. No hyphen in the tool, letters only, one digit a part: the rules of `CDEvents` for custom events.
pub const KIND: &str = "dev.cdeventsx.hookwell-delivery.died.0.1.0";
/// Never changes: ids are made in it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6a3c_95f0_57d2_4b7e_9d0c_1f2e_8a41_77b3);

/// The members of what died that name its thing.
#[derive(Default, Deserialize)]
#[serde(default)]
struct About {
    source: Option<String>,
    subject: Option<String>,
}

/// The event, for the log; nothing where the delivery of such an event died. `last` is the number of the last attempt and the
/// status that answered it, if one did.
pub(super) fn event(
    sink: SinkId,
    outgoing: &Outgoing,
    last: (u32, Option<u16>),
    said: &str,
    now: Timestamp,
) -> Option<Event> {
    if outgoing.kind == KIND {
        return None;
    }
    let ((attempt, status), about) = (last, serde_json::from_slice::<About>(&outgoing.json).unwrap_or_default());
    let source = format!("urn:hookwell:sink:{sink}");
    let subject = format!("deliveries/{}", outgoing.id);
    let id = Uuid::new_v5(&NAMESPACE, format!("{sink}\u{1f}{}\u{1f}{attempt}", outgoing.id).as_bytes());
    let json = json!({
        "specversion": "1.0", "id": id, "source": source, "type": KIND, "subject": subject, "time": now.to_string(),
        "datacontenttype": "application/json", "partitionkey": subject,
        "data": {
            "context": {
                "specversion": crate::event::cdevents::SPEC_VERSION, "id": id, "source": source, "type": KIND,
                "timestamp": now.to_string(),
            },
            "subject": { "id": subject, "content": {
                "sink": sink, "event": outgoing.id, "eventType": outgoing.kind, "eventSource": about.source,
                "eventSubject": about.subject, "projects": outgoing.projects,
                "attempts": super::schedule::step(attempt), "status": status, "reason": said,
            } },
        },
    });
    let header = Header {
        kind: KIND.to_owned(),
        connection: outgoing.connection,
        projects: outgoing.projects.clone(),
        // Of none: the gateway tells it itself.
        notification: NotificationId(Uuid::nil()),
        recovered: None,
        filled: std::collections::BTreeMap::new(),
    };
    Some(Event { id, header, json: json.to_string().into() })
}

/// Whether an event tells that a delivery to this sink has died.
pub(super) fn is_about(event: &Event, sink: SinkId) -> bool {
    if event.header.kind != KIND {
        return false;
    }
    let json: Value = serde_json::from_slice(&event.json).unwrap_or_default();
    json.pointer("/data/subject/content/sink").and_then(Value::as_str) == Some(&sink.to_string())
}
