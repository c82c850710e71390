//! What is told of deliveries stays true when filters change, and a replay sends what it says.

use super::{CHANGE, Receiver, Running, append, event, fate, receiver::Answer, sink, until, until_state};
use crate::harness::{Gateway, Reply};
use hookwell::app::retention;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

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

#[tokio::test]
async fn a_sink_begins_and_a_replay_ends_where_they_are_told_to() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let mut times = Vec::new();
    for number in 1..=4 {
        gateway.advance(Duration::from_mins(10));
        times.push(gateway.app.clock.now().to_string());
        append(&gateway, &event(number, CHANGE, "a")).await;
    }
    let cursor = gateway.get("/v1/events?limit=2").await.json()["next"].as_str().unwrap().to_owned();
    let _running = Running::of(&gateway);
    let mut last = String::new();
    for (start, numbers) in
        [("beginning", &[1, 2, 3, 4][..]), (&cursor, &[3, 4]), (&times[1], &[2, 3, 4]), ("now", &[])]
    {
        let made = sink(&gateway, &receiver, json!({ "start": start })).await;
        last = made.json()["id"].as_str().unwrap().to_owned();
        for number in numbers {
            assert_eq!(receiver.next().await.number(), *number, "from {start}");
        }
        until("it has got all", || async { gateway.get(&format!("/v1/sinks/{last}")).await.json()["lag_events"] == 0 })
            .await;
        assert!(receiver.rest().await.is_empty(), "from {start}");
    }
    for (from, to, numbers) in [
        (&*times[1], &*times[3], &[2, 3][..]),
        ("beginning", &cursor, &[1, 2]),
        (&cursor, "now", &[3, 4]),
        (&times[3], &times[3], &[]),
    ] {
        let replayed = replay(&gateway, &last, json!({ "from": from, "to": to })).await.json();
        assert_eq!(replayed, json!({ "replayed": numbers.len(), "next": null }));
        for number in numbers {
            assert_eq!(receiver.next().await.number(), *number, "from {from} to {to}");
        }
        until("all is sent", || async { gateway.get(&format!("/v1/sinks/{last}")).await.json()["waiting"] == 0 }).await;
    }
    for wrong in
        [json!({ "from": "now" }), json!({ "event": Uuid::nil(), "dead": true }), json!({ "from": "x", "to": "now" })]
    {
        assert_eq!(replay(&gateway, &last, wrong.clone()).await.status, 422, "{wrong}");
    }
    assert_eq!(replay(&gateway, &last, json!({ "event": Uuid::nil() })).await.status, 404);
}
