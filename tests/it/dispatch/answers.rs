//! The webhook engine against receivers that answer in every way, and addresses that are not to be reached.

use super::{CHANGE, Receiver, Running, append, event, receiver::Answer, sink, until_state};
use crate::harness::Gateway;
use hookwell::config::Settings;
use serde_json::{Value, json};
use std::time::Duration;

/// How the test of a sink went, for its first event.
async fn tried(gateway: &Gateway, sink: &str) -> Value {
    let reply = gateway.post(&format!("/v1/sinks/{sink}/test"), json!({})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["data"][0].clone()
}

async fn impatient() -> Gateway {
    Gateway::with(Settings { sink_timeout: Duration::from_millis(600), ..Settings::default() }).await
}

#[tokio::test]
async fn each_answer_is_told_as_what_it_is_and_no_redirect_is_followed() {
    let (gateway, receiver) = (impatient().await, Receiver::start().await);
    let elsewhere = Receiver::start().await;
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    append(&gateway, &event(1, CHANGE, "a")).await;
    let location = |url: String| Answer::Status(302, vec![("location", url)]);
    for (answer, delivered, status, said) in [
        (Answer::status(200), true, json!(200), ""),
        (Answer::status(202), true, json!(202), ""),
        (Answer::status(400), false, json!(400), "it answered 400"),
        (Answer::status(410), false, json!(410), "wants no more events"),
        (Answer::status(500), false, json!(500), "it answered 500"),
        (location("http://169.254.169.254/latest/meta-data/".to_owned()), false, json!(302), "redirect"),
        (location(elsewhere.url()), false, json!(302), "redirect"),
        (Answer::Cut, false, json!(null), "cannot be reached"),
        (Answer::Hang, false, json!(null), "within"),
    ] {
        receiver.plan([answer.clone()]);
        let told = tried(&gateway, &id).await;
        assert_eq!((&told["delivered"], &told["status"]), (&json!(delivered), &status), "{answer:?}: {told}");
        assert!(told["detail"].as_str().unwrap_or_default().contains(said), "{answer:?}: {told}");
    }
    assert!(elsewhere.rest().await.is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn private_addresses_are_refused_however_they_are_written() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    append(&gateway, &event(1, CHANGE, "a")).await;
    let port = receiver.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0", "127.1"] {
        let settings = json!({ "url": format!("http://{host}:{port}/") });
        let made = sink(&gateway, &receiver, json!({ "settings": settings, "allow_private": false })).await;
        let told = tried(&gateway, made.json()["id"].as_str().unwrap()).await;
        let said = told["detail"].as_str().unwrap();
        assert!(said.contains("an admin can allow private addresses"), "{host}: {told}");
    }
    assert!(receiver.rest().await.is_empty());
}

#[tokio::test]
async fn http_is_refused_until_an_admin_allows_it() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let url = format!("http://localhost:{}/events", receiver.port());
    let webhook = |allow_http: bool| json!({ "name": "s", "kind": "webhook", "settings": { "url": url }, "allow_private": true, "allow_http": allow_http });
    let refused = gateway.post("/v1/sinks", webhook(false)).await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (409, vec!["/settings/url".to_owned()]), "{refused:?}");
    let made = gateway.post("/v1/sinks", webhook(true)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let edit =
        gateway.ask("PATCH", &format!("/v1/sinks/{}", made.json()["id"].as_str().unwrap())).header("if-match", "*");
    let refused = edit.json(&json!({ "allow_http": false })).send().await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (409, vec!["/settings/url".to_owned()]), "{refused:?}");
    let file = json!({ "name": "f", "kind": "file", "settings": { "name": "events.jsonl" } });
    let refused = gateway.post("/v1/sinks", file).await;
    assert!(refused.json()["detail"].as_str().unwrap().contains("--sink-dir"), "{refused:?}");
}

#[tokio::test]
async fn binary_mode_and_batches_say_the_same() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let batched = Receiver::start().await;
    for number in 1..=5 {
        append(&gateway, &event(number, CHANGE, "a b")).await;
    }
    let start = json!("beginning");
    sink(&gateway, &receiver, json!({ "settings": { "mode": "binary" }, "start": start })).await;
    let made =
        sink(&gateway, &batched, json!({ "settings": { "mode": "batch", "batch_events_max": 3 }, "start": start }));
    let id = made.await.json()["id"].as_str().unwrap().to_owned();
    let _running = Running::of(&gateway);
    for number in 1..=5_u128 {
        let got = receiver.next().await;
        assert_eq!((got.header("ce-id"), got.header("ce-type")), (got.header("webhook-id"), CHANGE));
        assert_eq!((got.header("ce-subject"), got.header("content-type")), ("a%20b", "application/json"));
        assert_eq!(got.json(), json!({ "number": number.to_string() }));
    }
    let (first, second) = (batched.next().await, batched.next().await);
    assert_eq!(first.header("content-type"), "application/cloudevents-batch+json; charset=utf-8");
    let numbers = |got: &super::receiver::Got| -> Vec<String> {
        got.json()
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["data"]["number"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        (numbers(&first), numbers(&second)),
        (vec!["1".into(), "2".into(), "3".into()], vec!["4".into(), "5".into()])
    );
    until_state(&gateway, &id, &event(5, CHANGE, "a b"), "delivered").await;
}

#[tokio::test]
async fn an_endpoint_must_allow_deliveries_where_the_handshake_is_asked_for() {
    let gateway = Gateway::with(Settings {
        public_url: Some("https://hooks.example.com".parse().unwrap()),
        ..Settings::default()
    })
    .await;
    let receiver = Receiver::deciding(|got| {
        let allows = vec![("webhook-allowed-origin", "hooks.example.com".to_owned())];
        if got.method == http::Method::OPTIONS { Answer::Status(200, allows) } else { Answer::status(200) }
    })
    .await;
    append(&gateway, &event(1, CHANGE, "a")).await;
    let id = sink(&gateway, &receiver, json!({ "settings": { "handshake": true } })).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    receiver.plan([Answer::status(200)]);
    let told = tried(&gateway, &id).await;
    assert!(told["detail"].as_str().unwrap().contains("does not allow events from hooks.example.com"), "{told}");
    assert_eq!(tried(&gateway, &id).await["delivered"], true);
    let methods: Vec<_> = receiver.rest().await.into_iter().map(|got| got.method.to_string()).collect();
    assert_eq!(methods, ["OPTIONS", "OPTIONS", "POST"]);
}

#[tokio::test]
async fn a_rate_that_was_allowed_is_kept_from_the_first_delivery_on() {
    let (gateway, receiver) = (
        Gateway::start().await,
        Receiver::deciding(|got| {
            let allows = vec![("webhook-allowed-origin", "*".to_owned()), ("webhook-allowed-rate", "60".to_owned())];
            if got.method == http::Method::OPTIONS { Answer::Status(200, allows) } else { Answer::status(200) }
        })
        .await,
    );
    sink(&gateway, &receiver, json!({ "settings": { "handshake": true } })).await;
    for number in 1..=4 {
        append(&gateway, &event(number, CHANGE, &format!("entity {number}"))).await;
    }
    let _running = Running::of(&gateway);
    assert_eq!(receiver.next().await.method, http::Method::OPTIONS);
    let mut numbers = vec![receiver.next().await.number()];
    for _ in 2..=4 {
        gateway.advance(Duration::from_millis(990));
        tokio::task::yield_now().await;
        assert!(receiver.rest().await.is_empty(), "one a second is allowed");
        gateway.advance(Duration::from_millis(20));
        numbers.push(receiver.next().await.number());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(receiver.rest().await.is_empty());
}

#[tokio::test]
async fn an_endpoint_that_knows_no_handshake_is_left_alone() {
    let gateway = Gateway::start().await;
    let receiver = Receiver::deciding(|_| Answer::status(405)).await;
    let made = sink(&gateway, &receiver, json!({ "settings": { "handshake": true }, "in_flight_max": 1 })).await;
    let path = format!("/v1/sinks/{}", made.json()["id"].as_str().unwrap());
    for number in 1..=20 {
        append(&gateway, &event(number, CHANGE, &format!("entity {number}"))).await;
    }
    let _running = Running::of(&gateway);
    super::until("it is left alone", || async { gateway.get(&path).await.json()["status"] == "failing" }).await;
    let detail = gateway.get(&path).await.json()["detail"].to_string();
    assert!(detail.contains("OPTIONS answered 405"), "{detail}");
    assert_eq!(receiver.rest().await.len(), 5, "not once for each event");
}

#[tokio::test]
async fn one_event_that_a_receiver_does_not_take_holds_up_no_batch() {
    let gateway = Gateway::start().await;
    let receiver = Receiver::deciding(|got| {
        let refused = got.json().as_array().unwrap().iter().any(|event| event["data"]["number"] == "3");
        Answer::status(if refused { 400 } else { 200 })
    })
    .await;
    let made = sink(&gateway, &receiver, json!({ "settings": { "mode": "batch" }, "start": "beginning" })).await;
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let events: Vec<_> = (1..=6).map(|number| event(number, CHANGE, if number == 5 { "3" } else { "other" })).collect();
    for event in &events {
        append(&gateway, event).await;
    }
    let _running = Running::of(&gateway);
    until_state(&gateway, &id, &events[2], "waiting").await;
    for event in [&events[0], &events[1], &events[4]] {
        assert_eq!(super::fate(&gateway, &id, event).await.0, "delivered");
    }
    assert_eq!(super::fate(&gateway, &id, &events[3]).await.0, "waiting", "it is behind the third");
}

#[tokio::test]
async fn a_sink_without_events_is_tried_with_one_that_is_about_nothing() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let id = sink(&gateway, &receiver, json!({})).await.json()["id"].as_str().unwrap().to_owned();
    let told = tried(&gateway, &id).await;
    assert_eq!((&told["delivered"], &told["type"]), (&json!(true), &json!("dev.cdeventsx.hookwell-sink.tested.0.1.0")));
    assert_eq!(receiver.next().await.json()["id"], told["event"]);
}
