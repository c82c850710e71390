//! What is told of deliveries stays true when filters change, and a replay sends what it says.

use super::{CHANGE, Receiver, Running, append, event, fate, receiver::Answer, sink, until, until_state};
use crate::harness::{Gateway, Reply};
use hookwell::app::retention;
use serde_json::{Value, json};
use std::time::Duration;

async fn filter(gateway: &Gateway, sink: &str, types: &[&str]) {
    let patch = gateway.ask("PATCH", &format!("/v1/sinks/{sink}")).header("if-match", "*");
    let changed = patch.json(&json!({ "filter": { "types": types } })).send().await;
    assert_eq!(changed.status, 200, "{changed:?}");
}

async fn replay(gateway: &Gateway, sink: &str, what: Value) -> Reply {
    gateway.post(&format!("/v1/sinks/{sink}/replay"), what).await
}

#[tokio::test]
async fn what_failed_and_is_wanted_no_more_is_filtered_and_not_delivered() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let _running = Running::of(&gateway);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    receiver.plan([Answer::status(500)]);
    let event = event(1, CHANGE, "a");
    append(&gateway, &event).await;
    until_state(&gateway, &id, &event, "waiting").await;
    filter(&gateway, &id, &["another.type"]).await;
    gateway.advance(Duration::from_secs(10));
    until_state(&gateway, &id, &event, "filtered").await;
    let (_, told) = fate(&gateway, &id, &event).await;
    assert_eq!((&told["reason"], &told["attempts"][0]["status"]), (&json!("filter.types"), &json!(500)));
    filter(&gateway, &id, &[]).await;
    assert_eq!(fate(&gateway, &id, &event).await.0, "other_filter");
    assert_eq!(receiver.rest().await.len(), 1, "it never arrived");
}

#[tokio::test]
async fn a_replay_of_what_the_filter_does_not_want_is_refused_or_left_as_it_is() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let _running = Running::of(&gateway);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    receiver.plan(vec![Answer::status(422); 10]);
    let event = event(1, CHANGE, "a");
    append(&gateway, &event).await;
    for attempt in 1..=10 {
        receiver.next().await;
        let written = || async { fate(&gateway, &id, &event).await.1["attempts"].as_array().unwrap().len() == attempt };
        until("the attempt is written down", written).await;
        gateway.advance(Duration::from_hours(30));
    }
    assert_eq!(fate(&gateway, &id, &event).await.0, "dead");
    filter(&gateway, &id, &["another.type"]).await;
    let refused = replay(&gateway, &id, json!({ "event": event.id })).await;
    assert_eq!(refused.status, 409);
    assert!(refused.json()["detail"].as_str().unwrap().contains("filter.types"), "{refused:?}");
    assert_eq!(replay(&gateway, &id, json!({ "dead": true })).await.json()["replayed"], 0);
    assert_eq!(fate(&gateway, &id, &event).await.0, "dead");
    filter(&gateway, &id, &[]).await;
    assert_eq!(replay(&gateway, &id, json!({ "dead": true })).await.json()["replayed"], 1);
    until_state(&gateway, &id, &event, "delivered").await;
}

#[tokio::test]
async fn a_state_and_an_event_are_asked_for_together() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let _running = Running::of(&gateway);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    let event = event(1, CHANGE, "a");
    append(&gateway, &event).await;
    until_state(&gateway, &id, &event, "delivered").await;
    for (state, found) in [("delivered", 1), ("dead", 0), ("waiting", 0)] {
        let reply = gateway.get(&format!("/v1/sinks/{id}/deliveries?event={}&state={state}", event.id)).await;
        assert_eq!(reply.json()["data"].as_array().unwrap().len(), found, "{state}");
    }
}

#[tokio::test]
async fn what_a_replay_brought_is_told_when_the_first_attempts_are_kept_no_longer() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let _running = Running::of(&gateway);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    let event = event(1, CHANGE, "a");
    append(&gateway, &event).await;
    let runs = || async {
        let told = fate(&gateway, &id, &event).await.1;
        let runs: Vec<_> = told["attempts"].as_array().unwrap().iter().map(|one| one["replay"].clone()).collect();
        (told["state"].clone(), runs)
    };
    until_state(&gateway, &id, &event, "delivered").await;
    gateway.advance(Duration::from_hours(24 * 5));
    replay(&gateway, &id, json!({ "event": event.id })).await;
    until("it is replayed", || async { runs().await == (json!("delivered"), vec![json!(0), json!(1)]) }).await;
    gateway.advance(Duration::from_hours(24 * 3));
    retention::trim(&gateway.app).await.unwrap();
    assert_eq!(runs().await, (json!("delivered"), vec![json!(1)]));
    replay(&gateway, &id, json!({ "event": event.id })).await;
    until("it is replayed again", || async { runs().await == (json!("delivered"), vec![json!(1), json!(2)]) }).await;
}
