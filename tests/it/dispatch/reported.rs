//! Reports about receivers that fail, from the deliveries on.

use super::{Running, append, receiver::Answer, receiver::Receiver, sink, until_state};
use crate::harness::Gateway;
use hookwell::{
    azure::CollectionUrl,
    domain::{ConnectionId, NotificationId},
    event::Event,
    translate::{Context, Settings, translate},
};
use serde_json::json;
use std::{fs, path::Path, time::Duration};
use uuid::Uuid;

/// The pushes of two branches, in turn: A, A, B, A, B.
fn pushes() -> Vec<Event> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/azure/git.push");
    let (source, settings) = (CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap(), Settings::default());
    let context = Context {
        connection: ConnectionId(Uuid::from_u128(1)),
        source: &source,
        notification: NotificationId(Uuid::nil()),
        received_at: jiff::Timestamp::UNIX_EPOCH,
        reason: None,
        recovered: None,
        bindings: &[],
        processes: &[],
        settings: &settings,
    };
    let told = |number: u32| {
        let body = fs::read(folder.join(format!("behind-a-failing-event-{number}.json"))).unwrap();
        translate(&body, &context).unwrap()
    };
    (1..=5).flat_map(told).collect()
}

#[tokio::test]
async fn a_push_that_a_receiver_does_not_take_holds_back_its_branch_alone_and_in_order() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let made = sink(&gateway, &receiver, json!({ "in_flight_max": 1 })).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let pushes = pushes();
    assert_eq!(pushes.len(), 5);
    receiver.plan([Answer::status(500)]);
    for event in &pushes {
        append(&gateway, event).await;
    }
    let _running = Running::of(&gateway);
    let next = async || {
        let got = receiver.next().await.json();
        1 + pushes.iter().position(|event| got["id"] == event.id.to_string()).expect("it is one of them")
    };
    assert_eq!([next().await, next().await, next().await], [1, 3, 5], "the other branch goes on");
    until_state(&gateway, &id, &pushes[4], "delivered").await;
    until_state(&gateway, &id, &pushes[0], "waiting").await;
    gateway.advance(Duration::from_secs(7));
    assert_eq!([next().await, next().await, next().await], [1, 2, 4], "in the order of their pushes");
    until_state(&gateway, &id, &pushes[3], "delivered").await;
}
