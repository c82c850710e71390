//! What a sink may be burdened with, and what it may burden others with: nothing.

use super::{CHANGE, Receiver, Running, append, event, receiver::Answer, sink, until_state};
use crate::harness::Gateway;
use serde_json::json;
use std::time::Duration;

/// Events of as many entities.
async fn events(gateway: &Gateway, count: u128) {
    for number in 1..=count {
        append(gateway, &event(number, CHANGE, &format!("entity {number}"))).await;
    }
}

#[tokio::test]
async fn no_more_are_under_way_than_allowed_and_a_sink_that_hangs_holds_up_no_other() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let hanging = Receiver::deciding(|_| Answer::Hang).await;
    sink(&gateway, &hanging, json!({ "in_flight_max": 3 })).await;
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    events(&gateway, 10).await;
    let _running = Running::of(&gateway);
    for _ in 0..3 {
        hanging.next().await;
    }
    for _ in 0..10 {
        receiver.next().await;
    }
    for number in 1..=10 {
        until_state(&gateway, &id, &event(number, CHANGE, ""), "delivered").await;
    }
    assert!(hanging.rest().await.is_empty(), "a fourth was begun");
}

#[tokio::test]
async fn deliveries_begin_no_faster_than_allowed() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    sink(&gateway, &receiver, json!({ "per_second_max": 2 })).await;
    let witness = Receiver::start().await;
    sink(&gateway, &witness, json!({})).await;
    events(&gateway, 4).await;
    let _running = Running::of(&gateway);
    for _ in 0..4 {
        witness.next().await;
    }
    receiver.next().await;
    for _ in 2..=4 {
        gateway.advance(Duration::from_millis(490));
        tokio::task::yield_now().await;
        assert!(receiver.rest().await.is_empty(), "two a second are allowed");
        gateway.advance(Duration::from_millis(20));
        receiver.next().await;
    }
}

#[tokio::test]
async fn a_sink_is_kept_small_enough_to_be_changed_later() {
    let gateway = Gateway::start().await;
    let many = |count: usize, one: &str| -> Vec<String> { (0..count).map(|at| format!("{one}{at}")).collect() };
    let headers: serde_json::Map<_, _> =
        (0..10).map(|at| (format!("X-Header-{at}"), json!("v".repeat(4_000)))).collect();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let make = async |ca_bundle_bytes: usize| {
        let padded = |text: String, bytes: usize| text.clone() + &"\n".repeat(bytes - text.len());
        let body = json!({
            "name": "large", "kind": "webhook",
            "settings": {
                "url": "https://receiver.example/", "headers": headers,
                "ca_bundle": padded(certificate.clone(), ca_bundle_bytes),
                "identity": padded(certificate.clone() + &key, 65_000),
            },
            "filter": { "types": many(100, &"t".repeat(190)), "environments": many(100, &"e".repeat(90)) },
        });
        gateway.post("/v1/sinks", body).await
    };
    let mut bytes = 65_000;
    let mut reply = make(bytes).await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (409, vec!["/settings".to_owned()]), "{reply:?}");
    // A large one that is taken can be changed by whatever happens to it.
    while reply.status == 409 {
        bytes -= 2_000;
        reply = make(bytes).await;
    }
    assert_eq!(reply.status, 201, "{reply:?}");
    let path = format!("/v1/sinks/{}", reply.json()["id"].as_str().unwrap());
    for way in ["rotate-secret", "pause", "resume"] {
        assert_eq!(gateway.ask("POST", &format!("{path}/{way}")).send().await.status, 200, "{way}");
    }
}
