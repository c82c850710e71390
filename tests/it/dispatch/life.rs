//! The life of deliveries: they arrive, wait, are tried again, die, and are sent once more.

use super::{BUILD, CHANGE, Receiver, Running, append, event, fate, receiver::Answer, sink, until, until_state};
use crate::harness::Gateway;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookwell::{
    app::retention,
    config::Settings,
    dispatch,
    store::{Consumers as _, Journal as _, Log, Position, Wanted},
};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{sync::Arc, time::Duration};

fn signed(secret: &str, got: &super::receiver::Got) -> String {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.", got.header("webhook-id"), got.header("webhook-timestamp")).as_bytes());
    mac.update(&got.body);
    format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn an_event_arrives_once_signed_and_as_the_api_serves_it() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let _running = Running::of(&gateway);
    let made = sink(&gateway, &receiver, json!({ "settings": { "headers": { "X-Team": "shop" } } })).await;
    let (id, secret) = (made.json()["id"].as_str().unwrap().to_owned(), made.json()["secret"].clone());
    let event = event(7, CHANGE, "a");
    append(&gateway, &event).await;
    let got = receiver.next().await;
    assert_eq!(got.header("webhook-id"), event.id.to_string());
    assert_eq!(got.header("webhook-timestamp"), gateway.app.clock.now().as_second().to_string());
    assert_eq!(got.header("webhook-signature"), signed(secret.as_str().unwrap(), &got));
    assert_eq!(got.header("content-type"), "application/cloudevents+json; charset=utf-8");
    assert_eq!(got.header("x-team"), "shop");
    assert_eq!(got.body, gateway.get(&format!("/v1/events/{}", event.id)).await.body);
    until_state(&gateway, &id, &event, "delivered").await;
    let (_, told) = fate(&gateway, &id, &event).await;
    assert_eq!((&told["attempts"][0]["status"], &told["attempts"][0]["answer"]), (&json!(204), &json!(null)));
    assert!(receiver.rest().await.is_empty());

    // Rotated: both secrets sign.
    let rotated = gateway.ask("POST", &format!("/v1/sinks/{id}/rotate-secret")).send().await;
    let fresh = rotated.json()["secret"].as_str().unwrap().to_owned();
    assert_ne!(fresh, secret.as_str().unwrap());
    append(&gateway, &super::event(8, CHANGE, "a")).await;
    let got = receiver.next().await;
    let both = format!("{} {}", signed(&fresh, &got), signed(secret.as_str().unwrap(), &got));
    assert_eq!(got.header("webhook-signature"), both);
    let shown = gateway.get(&format!("/v1/sinks/{id}")).await;
    assert_eq!((shown.json()["secret"].clone(), shown.json()["status"].clone()), (json!(null), json!("enabled")));
}

#[tokio::test]
async fn a_failed_delivery_holds_back_its_entity_and_no_other_and_is_tried_on_schedule() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let made = sink(&gateway, &receiver, json!({ "in_flight_max": 1 })).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let (a1, b, a2) = (event(1, CHANGE, "a"), event(2, CHANGE, "b"), event(3, CHANGE, "a"));
    receiver.plan([Answer::status(500)]);
    for event in [&a1, &b, &a2] {
        append(&gateway, event).await;
    }
    let _running = Running::of(&gateway);
    assert_eq!((receiver.next().await.number(), receiver.next().await.number()), (1, 2));
    until_state(&gateway, &id, &b, "delivered").await;
    until_state(&gateway, &id, &a1, "waiting").await;
    let (state, told) = fate(&gateway, &id, &a2).await;
    assert_eq!((state.as_str(), &told["reason"]), ("waiting", &json!("an older event of the same entity waits")));
    assert!(receiver.rest().await.is_empty());
    gateway.advance(Duration::from_secs(3));
    tokio::task::yield_now().await;
    assert!(receiver.rest().await.is_empty(), "not before its time");
    gateway.advance(Duration::from_secs(4));
    assert_eq!((receiver.next().await.number(), receiver.next().await.number()), (1, 3));
    until_state(&gateway, &id, &a2, "delivered").await;
    let (_, told) = fate(&gateway, &id, &a1).await;
    let numbers: Vec<_> =
        told["attempts"].as_array().unwrap().iter().map(|a| (a["number"].clone(), a["status"].clone())).collect();
    assert_eq!(numbers, [(json!(1), json!(500)), (json!(2), json!(204))]);
}

#[tokio::test]
async fn after_the_last_attempt_it_is_dead_kept_said_and_can_be_sent_once_more() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let witness = Receiver::start().await;
    let made = sink(&gateway, &receiver, json!({ "filter": { "types": [CHANGE] } })).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    sink(&gateway, &witness, json!({ "filter": { "types": ["dev.cdeventsx.hookwell-delivery.died"] } })).await;
    let _running = Running::of(&gateway);
    // Statuses that are about the event: the breaker stays closed.
    receiver.plan(vec![Answer::status(422); 10]);
    let event = event(1, CHANGE, "a");
    append(&gateway, &event).await;
    for attempt in 1..=10 {
        receiver.next().await;
        let state = if attempt < 10 { "waiting" } else { "dead" };
        until("the attempt is written down", || async {
            let (now, told) = fate(&gateway, &id, &event).await;
            now == state && told["attempts"].as_array().unwrap().len() == attempt
        })
        .await;
        gateway.advance(Duration::from_hours(30));
    }
    let died = witness.next().await.json();
    assert_eq!(died["data"]["subject"]["content"]["event"], json!(event.id));
    assert_eq!(died["data"]["subject"]["content"]["attempts"], 10);
    assert_eq!(died["data"]["subject"]["content"]["status"], 422);
    let about: Value = serde_json::from_slice(&event.json).unwrap();
    assert_eq!(died["data"]["subject"]["content"]["eventSubject"], about["subject"]);
    assert!(died["data"]["subject"]["content"]["projects"].is_array());
    let integration = gateway.get("/v1/integration").await.json();
    let kinds: Vec<_> = integration["attention"].as_array().unwrap().iter().map(|a| a["kind"].clone()).collect();
    assert!(kinds.contains(&json!("deliveries_dead")), "{integration}");
    let dead = gateway.get(&format!("/v1/sinks/{id}/deliveries?state=dead")).await.json();
    assert_eq!((dead["data"][0]["event"].clone(), dead["next"].clone()), (json!(event.id), json!(null)));
    let metrics = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains(&format!("hookwell_deliveries_total{{sink=\"{id}\",outcome=\"dead\"}} 1")), "{metrics}");

    let replayed = gateway.post(&format!("/v1/sinks/{id}/replay"), json!({ "dead": true })).await;
    assert_eq!(replayed.json(), json!({ "replayed": 1, "next": null }));
    assert_eq!(receiver.next().await.header("webhook-id"), event.id.to_string());
    until_state(&gateway, &id, &event, "delivered").await;
    let (_, told) = fate(&gateway, &id, &event).await;
    assert_eq!(told["attempts"].as_array().unwrap().len(), 11);
    assert_eq!((told["attempts"][10]["replay"].clone(), told["attempts"][10]["number"].clone()), (json!(1), json!(1)));
}

#[tokio::test]
async fn a_sink_that_says_gone_gets_nothing_until_it_is_resumed() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let _running = Running::of(&gateway);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    receiver.plan([Answer::status(410)]);
    let (first, second) = (event(1, CHANGE, "a"), event(2, CHANGE, "b"));
    append(&gateway, &first).await;
    receiver.next().await;
    until("it is gone", || async { gateway.get(&format!("/v1/sinks/{id}")).await.json()["status"] == "gone" }).await;
    append(&gateway, &second).await;
    gateway.advance(Duration::from_hours(48));
    let (state, told) = fate(&gateway, &id, &second).await;
    assert_eq!((state.as_str(), &told["reason"]), ("to_come", &json!("the sink wants no more events")));
    assert!(receiver.rest().await.is_empty());
    let resumed = gateway.ask("POST", &format!("/v1/sinks/{id}/resume")).send().await;
    assert_eq!(resumed.json()["status"], "enabled");
    let mut numbers = [receiver.next().await.number(), receiver.next().await.number()];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
    until_state(&gateway, &id, &second, "delivered").await;
}

#[tokio::test]
async fn a_sink_that_fails_is_left_alone_and_a_trial_brings_it_back() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let other = Receiver::start().await;
    let _running = Running::of(&gateway);
    let id = sink(&gateway, &receiver, json!({ "in_flight_max": 1 })).await.json()["id"].as_str().unwrap().to_owned();
    sink(&gateway, &other, json!({})).await;
    receiver.plan(vec![Answer::status(503); 5]);
    let events: Vec<_> = (1..=20).map(|number| event(number, CHANGE, &format!("entity {number}"))).collect();
    for event in &events {
        append(&gateway, event).await;
    }
    for _ in 0..20 {
        other.next().await;
    }
    for _ in 0..5 {
        receiver.next().await;
    }
    until("it fails", || async { gateway.get(&format!("/v1/sinks/{id}")).await.json()["status"] == "failing" }).await;
    let failing = gateway.get("/v1/integration").await.json();
    assert_eq!(failing["attention"][0]["kind"], "sink_not_taking", "{failing}");
    assert!(receiver.rest().await.is_empty(), "it is left alone");
    gateway.advance(Duration::from_secs(31));
    let mut numbers = Vec::new();
    for _ in 0..20 {
        numbers.push(receiver.next().await.number());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "what waited for its time is tried as soon as it is back");
    until("it is up", || async { gateway.get(&format!("/v1/sinks/{id}")).await.json()["status"] == "enabled" }).await;
    assert!(receiver.rest().await.is_empty());
}

#[tokio::test]
async fn retry_after_leaves_the_whole_sink_alone() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let _running = Running::of(&gateway);
    let made = sink(&gateway, &receiver, json!({ "in_flight_max": 1 })).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    receiver.plan([Answer::Status(429, vec![("retry-after", "120".to_owned())])]);
    let (first, second) = (event(1, CHANGE, "a"), event(2, CHANGE, "b"));
    append(&gateway, &first).await;
    receiver.next().await;
    until_state(&gateway, &id, &first, "waiting").await;
    append(&gateway, &second).await;
    gateway.advance(Duration::from_secs(100));
    tokio::task::yield_now().await;
    assert!(receiver.rest().await.is_empty());
    let (_, told) = fate(&gateway, &id, &second).await;
    assert_eq!(told["reason"], "the sink has asked to be left alone");
    gateway.advance(Duration::from_secs(21));
    let mut numbers = [receiver.next().await.number(), receiver.next().await.number()];
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test]
async fn filters_pauses_and_starts_are_told_per_event() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    gateway.project("shop").await;
    let before = event(1, CHANGE, "a");
    append(&gateway, &before).await;
    let _running = Running::of(&gateway);
    let id =
        sink(&gateway, &receiver, json!({ "filter": { "types": ["dev.cdevents.build.*"], "projects": ["shop"] } }))
            .await
            .json()["id"]
            .as_str()
            .unwrap()
            .to_owned();
    let (change, build) = (event(2, CHANGE, "a"), event(3, BUILD, "a"));
    append(&gateway, &change).await;
    append(&gateway, &build).await;
    assert_eq!(receiver.next().await.number(), 3);
    until_state(&gateway, &id, &build, "delivered").await;
    assert_eq!(fate(&gateway, &id, &before).await.0, "before_start");
    let (state, told) = fate(&gateway, &id, &change).await;
    assert_eq!((state.as_str(), &told["reason"]), ("filtered", &json!("filter.types")));

    gateway.ask("POST", &format!("/v1/sinks/{id}/pause")).send().await;
    let late = event(4, BUILD, "b");
    append(&gateway, &late).await;
    let trace = gateway.get(&format!("/v1/events/{}/deliveries", late.id)).await.json();
    assert_eq!(
        (&trace["data"][0]["state"], &trace["data"][0]["reason"]),
        (&json!("to_come"), &json!("the sink is paused"))
    );
    let shown = gateway.get(&format!("/v1/sinks/{id}")).await;
    assert_eq!((&shown.json()["status"], &shown.json()["lag_events"]), (&json!("paused"), &json!(1)));

    // What another filter had kept out can be sent afterwards, what came before the sink too.
    let etag = shown.etag().to_owned();
    let patch = gateway.ask("PATCH", &format!("/v1/sinks/{id}")).header("if-match", &etag);
    let changed = patch.json(&json!({ "filter": {} })).send().await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(fate(&gateway, &id, &change).await.0, "other_filter");
    gateway.ask("POST", &format!("/v1/sinks/{id}/resume")).send().await;
    assert_eq!(receiver.next().await.number(), 4);
    until_state(&gateway, &id, &late, "delivered").await;
    let replay = json!({ "from": "beginning", "to": "now" });
    let replayed = gateway.post(&format!("/v1/sinks/{id}/replay"), replay).await.json();
    assert_eq!(replayed, json!({ "replayed": 4, "next": null }));
    let mut numbers = Vec::new();
    for _ in 0..4 {
        numbers.push(receiver.next().await.number());
    }
    numbers.retain(|number| *number < 4);
    assert_eq!(numbers, [1, 2, 3], "one entity, in order");
}

#[tokio::test]
async fn a_paused_sink_holds_back_trimming_no_longer_than_the_retention() {
    let retention = Duration::from_hours(48);
    let gateway = Gateway::with(Settings { retention, ..Settings::default() }).await;
    let receiver = Receiver::start().await;
    let made = sink(&gateway, &receiver, json!({ "paused": true, "filter": { "types": [CHANGE] } })).await;
    let id: hookwell::domain::SinkId = made.json()["id"].as_str().unwrap().parse().unwrap();
    let running = Running::of(&gateway);
    for (number, kind) in [(1, CHANGE), (2, BUILD), (3, CHANGE)] {
        append(&gateway, &event(number, kind, "a")).await;
    }
    let consumer = dispatch::consumer(id);
    until("it has begun", || async { !gateway.store.consumers(Log::Events).await.unwrap().is_empty() }).await;
    gateway.advance(Duration::from_hours(47));
    append(&gateway, &event(4, CHANGE, "a")).await;
    assert_eq!(retention::trim(&gateway.app).await.unwrap(), 0, "nothing is old yet");
    gateway.advance(Duration::from_hours(2));
    until("what is old was given up", || async { gateway.store.cursor(&consumer).await.unwrap() == Position(3) }).await;
    let dead = gateway.store.dead(&consumer, Position(0), 9).await.unwrap();
    assert_eq!(dead.iter().map(|dead| dead.position.0).collect::<Vec<_>>(), [1, 3], "2 was not for it");
    assert_eq!(gateway.app.dispatch.of(id).expired, 2);
    assert_eq!(retention::trim(&gateway.app).await.unwrap(), 3);
    assert_eq!(gateway.store.trimmed(Log::Events), Position(3));
    drop(running);
}

#[tokio::test]
async fn what_was_claimed_when_the_gateway_died_is_sent_again_under_the_same_id() {
    let (mut gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    receiver.plan([Answer::Hang]);
    let (first, second) = (event(1, CHANGE, "a"), event(2, CHANGE, "a"));
    append(&gateway, &first).await;
    append(&gateway, &second).await;
    let running = Running::of(&gateway);
    assert_eq!(receiver.next().await.number(), 1);
    drop(running);
    let store = Arc::clone(&gateway.store);
    gateway.restart(store).await;
    // The store is the one before, so the lease of the dead has to run out.
    gateway.advance(Duration::from_mins(6));
    let _running = Running::of(&gateway);
    assert_eq!((receiver.next().await.number(), receiver.next().await.number()), (1, 2));
    until_state(&gateway, &id, &second, "delivered").await;
    let consumer = dispatch::consumer(id.parse().unwrap());
    let nothing = gateway.store.claim_of(
        &consumer,
        &Wanted::Due,
        gateway.app.clock.now(),
        Duration::from_secs(1),
        hookwell::store::PageLimit { records_max: 9, body_bytes_max: 9 },
    );
    assert!(nothing.await.unwrap().records.is_empty());
}

#[tokio::test]
async fn a_removed_sink_holds_nothing_back_also_when_the_gateway_died_just_then() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    let running = Running::of(&gateway);
    until("it has begun", || async { !gateway.store.consumers(Log::Events).await.unwrap().is_empty() }).await;
    drop(running);
    let removed = gateway.ask("DELETE", &format!("/v1/sinks/{id}")).send().await;
    assert_eq!(removed.status, 204);
    assert_eq!(gateway.store.consumers(Log::Events).await.unwrap().len(), 1);
    let _running = Running::of(&gateway);
    until("it is forgotten", || async { gateway.store.consumers(Log::Events).await.unwrap().is_empty() }).await;
}
