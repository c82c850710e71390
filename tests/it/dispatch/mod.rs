//! Handing on: what reaches a receiver on a real socket, when, in which order, and what is said about what does not.

mod answers;
mod api;
mod books;
mod life;
mod limits;
pub(crate) mod receiver;
mod reported;
mod tls;
mod weather;

use self::receiver::Receiver;
use crate::harness::{Gateway, Reply};
use hookwell::{
    dispatch,
    domain::ConnectionId,
    event::{Event, Header},
    store::{Entry, Journal as _, Log},
};
use serde_json::{Value, json};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use uuid::Uuid;

const CHANGE: &str = "dev.cdevents.change.merged.0.3.0";
const BUILD: &str = "dev.cdevents.build.finished.0.3.0";

/// Runs the workers for as long as it lives.
struct Running(JoinHandle<()>);

impl Running {
    fn of(gateway: &Gateway) -> Self {
        Self(tokio::spawn(dispatch::run(Arc::clone(&gateway.app))))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An event of an entity, as the translation would write it.
fn event(number: u128, kind: &str, entity: &str) -> Event {
    let id = Uuid::from_u128(number);
    let header = Header {
        kind: kind.into(),
        connection: ConnectionId(Uuid::from_u128(1)),
        projects: vec!["shop".parse().unwrap()],
        notification: hookwell::domain::NotificationId(Uuid::nil()),
        recovered: None,
        filled: std::collections::BTreeMap::new(),
    };
    let json = json!({
        "specversion": "1.0", "id": id, "source": "https://dev.azure.com/fabrikam", "type": kind, "subject": entity,
        "partitionkey": entity, "datacontenttype": "application/json", "data": { "number": number.to_string() },
    });
    Event { id, header, json: json.to_string().into() }
}

async fn append(gateway: &Gateway, event: &Event) {
    let entry = Entry { key: event.id, time: gateway.app.clock.now(), body: event.to_stored() };
    gateway.store.append(Log::Events, entry).await.unwrap();
}

/// A webhook at the receiver, with other members put in.
async fn sink(gateway: &Gateway, receiver: &Receiver, more: Value) -> Reply {
    let mut body = json!({
        "name": "receiver", "kind": "webhook", "settings": { "url": receiver.url() }, "allow_private": true,
        "allow_http": true,
    });
    for (name, value) in more.as_object().unwrap() {
        if name == "settings" {
            body["settings"].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        } else {
            body[name] = value.clone();
        }
    }
    let reply = gateway.post("/v1/sinks", body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply
}

/// The state and the whole of what became of an event at a sink.
async fn fate(gateway: &Gateway, sink: &str, event: &Event) -> (String, Value) {
    let reply = gateway.get(&format!("/v1/sinks/{sink}/deliveries?event={}", event.id)).await;
    let delivery = reply.json()["data"][0].clone();
    (delivery["state"].as_str().unwrap().to_owned(), delivery)
}

/// Waits for what the workers do by themselves; whatever takes longer never comes.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(3), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

async fn until_state(gateway: &Gateway, sink: &str, event: &Event, state: &str) {
    until(state, || async { fate(gateway, sink, event).await.0 == state }).await;
}
