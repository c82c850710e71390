//! Deliveries on their way from the body to the event.

use super::{
    hooks::{Hook, hook, push},
    scripted::{self, Scripted},
};
use crate::harness::{Gateway, Reply};
use bytes::Bytes;
use hookwell::{config::Settings, simulator::Organization, translate::step::step};
use hyper::body::{Body, Frame};
use serde_json::{Value, json};
use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Piece = io::Result<Bytes>;

/// A body that comes as the test sends it, and ends with its sender.
struct Pieces(UnboundedReceiver<Piece>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

fn pieces() -> (UnboundedSender<Piece>, Pieces) {
    let (sender, receiver) = unbounded_channel();
    (sender, Pieces(receiver))
}

/// A delivery that has sent `part` of its body, and the way to go on.
type Open<'a> = (UnboundedSender<Piece>, Pin<Box<dyn Future<Output = Reply> + 'a>>);

/// Returns when `part` has been read.
async fn held_open<'a>(gateway: &'a Gateway, hook: &Hook, part: &Bytes) -> Open<'a> {
    let (sender, body) = pieces();
    sender.send(Ok(part.clone())).unwrap();
    let mut reply: Pin<Box<dyn Future<Output = Reply> + 'a>> = Box::pin(hook.ask(gateway, "").pieces(body).send());
    let answered = poll_fn(|context| Poll::Ready(reply.as_mut().poll(context).is_ready())).await;
    assert!(!answered, "a body that has not ended has no answer");
    (sender, reply)
}

fn office() -> Organization {
    Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap())
}

async fn started() -> (Gateway, Hook) {
    let gateway = Gateway::start().await;
    let hook = hook(&gateway.connection().await.1.json());
    (gateway, hook)
}

async fn list(gateway: &Gateway, path: &str) -> Vec<Value> {
    gateway.get(path).await.json()["data"].as_array().unwrap().clone()
}

fn notification(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["notification"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing_although_what_came_of_it_is_whole() {
    let (gateway, hook) = started().await;
    let (sender, body) = pieces();
    sender.send(Ok(push(1).into())).unwrap();
    sender.send(Err(io::ErrorKind::ConnectionReset.into())).unwrap();
    let reply = hook.ask(&gateway, "").pieces(body).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "2"));
    assert!(list(&gateway, "/v1/notifications").await.is_empty());
    let reply = hook.ask(&gateway, push(1)).send().await;
    assert_eq!(reply.json()["outcome"], "accepted", "sent again it is new");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole_and_of_one_byte_more_is_not() {
    let gateway = Gateway::with(Settings { body_bytes_max: 100_000, ..Settings::default() }).await;
    let hook = hook(&gateway.connection().await.1.json());
    let sized = |number: u32, size: usize| push(number) + &" ".repeat(size - push(number).len());
    let whole = hook.ask(&gateway, sized(1, 100_000)).send().await;
    assert_eq!(whole.json()["outcome"], "accepted");
    let kept = gateway.get(&format!("/v1/notifications/{}?body=true", notification(&whole))).await.json();
    assert_eq!((&kept["size_bytes"], &kept["body"]["truncated"]), (&json!(100_000), &json!(false)));
    assert_eq!(kept["body"]["content"], sized(1, 100_000));
    let cut = hook.ask(&gateway, sized(2, 100_001)).send().await;
    assert_eq!(cut.json()["outcome"], "quarantined");
    let kept = gateway.get(&format!("/v1/notifications/{}", notification(&cut))).await.json();
    assert_eq!((&kept["size_bytes"], &kept["trouble"]["reason"]), (&json!(100_001), &json!("too_large")));
    // The limit counts what came, in however many pieces.
    let (sender, body) = pieces();
    for piece in sized(3, 100_000).into_bytes().chunks(999) {
        sender.send(Ok(Bytes::copy_from_slice(piece))).unwrap();
    }
    drop(sender);
    assert_eq!(hook.ask(&gateway, "").pieces(body).send().await.json()["outcome"], "accepted");
}

#[tokio::test]
async fn when_large_bodies_fill_the_room_of_a_connection_its_next_large_one_is_503_all_others_are_not_and_it_recovers()
{
    let (gateway, hook) = started().await;
    // One connection gets half of the 128 MiB, and 6 bodies of 10 MiB leave it less than 10.
    let part = Bytes::from(vec![b' '; 10 << 20]);
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(held_open(&gateway, &hook, &part).await);
    }
    let other = super::hooks::hook(&gateway.connection().await.1.json());
    let large = || hook.ask(&gateway, part.clone()).send();
    let refused = large().await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "2"));
    assert_eq!(hook.ask(&gateway, push(1)).send().await.json()["outcome"], "accepted");
    assert_eq!(other.ask(&gateway, part.clone()).send().await.status, 200, "another connection has room of its own");
    // One ends, and is answered; its room is free again.
    let (sender, reply) = open.pop().unwrap();
    drop(sender);
    assert_eq!(reply.await.status, 200);
    assert_eq!(large().await.status, 200);
    // The room of one that hangs up is free too.
    let _last = held_open(&gateway, &hook, &part).await;
    assert_eq!(large().await.status, 503);
    drop(open.pop());
    assert_eq!(large().await.status, 200);
}

#[tokio::test]
async fn unfinished_small_bodies_of_one_connection_leave_room_for_those_of_another() {
    let (gateway, hook) = started().await;
    let other = super::hooks::hook(&gateway.connection().await.1.json());
    let part = Bytes::from(vec![b' '; 64 << 10]);
    let mut open = Vec::new();
    for _ in 0..512 {
        // Without a rest now and then the runtime lets nothing be read.
        tokio::task::yield_now().await;
        open.push(held_open(&gateway, &hook, &part).await);
    }
    assert_eq!(hook.ask(&gateway, push(1)).send().await.status, 503, "half of the 64 MiB is the share of one");
    assert_eq!(other.ask(&gateway, push(1)).send().await.json()["outcome"], "accepted");
    drop(open);
    assert_eq!(hook.ask(&gateway, push(1)).send().await.json()["outcome"], "accepted");
}

#[tokio::test]
async fn azure_s_own_headers_are_kept_and_no_others() {
    let (gateway, hook) = started().await;
    let ask = hook.ask(&gateway, push(1)).header("X-VSS-ActivityId", "an-activity").header("Request-Id", "|a.b.");
    let ask = ask.header("X-VSS-SubscriptionId", &"s".repeat(300)).header("user-agent", "VSServices/19");
    let id = notification(&ask.send().await);
    let kept = gateway.get(&format!("/v1/notifications/{id}")).await.json();
    let expected =
        json!({ "x-vss-activityid": "an-activity", "request-id": "|a.b.", "x-vss-subscriptionid": "s".repeat(256) });
    assert_eq!(kept["headers"], expected);
}

#[tokio::test]
async fn the_reason_in_the_hook_s_url_reaches_the_event_and_an_unknown_one_is_as_none() {
    let (gateway, hook) = started().await;
    let mut office = office();
    let mut types = Vec::new();
    for query in ["?reason=ReviewerVoteNotification", "?reason=Nonsense", ""] {
        let delivery = office.pull_request("updated", 7, "active", None);
        let asked = gateway.ask("POST", &format!("{}{query}", hook.path)).token(None);
        let asked = asked.header("authorization", hook.basic()).body(delivery.body).send().await;
        let id = notification(&asked);
        let reason = gateway.get(&format!("/v1/notifications/{id}")).await.json()["reason"].clone();
        assert_eq!(reason.as_str(), query.contains("Vote").then_some("ReviewerVoteNotification"), "{query}");
        let before = types.len();
        // An update without a reason waits a moment for a subscription that knows it.
        while step(&gateway.app).await.unwrap().count > 0 || gateway.app.order.holding() > 0 {
            gateway.advance(std::time::Duration::from_secs(1));
        }
        let events = list(&gateway, "/v1/events").await;
        types.extend(events[before..].iter().map(|event| event["type"].as_str().unwrap().to_owned()));
        assert_eq!(types.len(), before + 1, "{query}");
    }
    assert!(types[0].starts_with("dev.cdevents.change.reviewed."), "{types:?}");
    assert_eq!(types[1], types[2]);
    assert_ne!(types[0], types[1]);
}

#[tokio::test]
async fn what_speaks_of_another_collection_is_quarantined_and_becomes_no_event() {
    let gateway = Gateway::start().await;
    let ours = "2f0dd4c5-8a3c-4a52-9a3d-000000000001";
    let body = json!({ "name": "x", "url": "https://dev.azure.com/fabrikam", "collection_id": ours });
    let made = gateway.post("/v1/connections", body).await;
    let hook = hook(&made.json());
    let speaking_of = |number: u32, collection: &str| {
        let mut body: Value = serde_json::from_str(&push(number)).unwrap();
        body["resourceContainers"] = json!({ "collection": { "id": collection } });
        body.to_string()
    };
    let theirs = "99999999-0000-4000-8000-000000000009";
    let foreign = hook.ask(&gateway, speaking_of(1, theirs)).send().await;
    assert_eq!(foreign.json()["outcome"], "quarantined");
    let seen = gateway.get(&format!("/v1/notifications/{}", notification(&foreign))).await.json();
    assert_eq!((&seen["state"], &seen["trouble"]["reason"]), (&json!("quarantined"), &json!("foreign_collection")));
    let detail = seen["trouble"]["detail"].as_str().unwrap();
    assert!(detail.contains(theirs) && detail.contains(ours), "{detail}");
    for (number, own) in [(2, ours.to_uppercase()), (3, "not a guid".to_owned())] {
        let reply = hook.ask(&gateway, speaking_of(number, &own)).send().await;
        assert_eq!(reply.json()["outcome"], "accepted", "{own}");
    }
    step(&gateway.app).await.unwrap();
    assert_eq!(list(&gateway, "/v1/events").await.len(), 2);
    assert_eq!(list(&gateway, "/v1/notifications?state=quarantined").await.len(), 1);
}

#[tokio::test]
async fn a_notification_says_what_came_of_it_and_where_another_one_told_the_fact_otherwise() {
    let (gateway, hook) = started().await;
    let told = office().push("main").body;
    let forged = |number: u64, who: &str| {
        let mut body: Value = serde_json::from_slice(&told).unwrap();
        body["id"] = json!(uuid::Uuid::from_u128(u128::from(number)));
        body["notificationId"] = json!(number);
        body["resource"]["pushedBy"] = json!({ "displayName": who, "uniqueName": format!("{who}@example.org") });
        body.to_string()
    };
    let mut ids = Vec::new();
    for (number, who) in [(101, "MALLORY"), (102, "Ada"), (103, "MALLORY")] {
        let id = notification(&hook.ask(&gateway, forged(number, who)).send().await);
        if ids.is_empty() {
            let waiting = gateway.get(&format!("/v1/notifications/{id}")).await.json();
            assert_eq!(waiting["events"], json!([]));
            assert!(waiting["nothing"].as_str().unwrap().contains("not translated"), "{waiting}");
        }
        ids.push(id);
    }
    step(&gateway.app).await.unwrap();
    assert_eq!(list(&gateway, "/v1/events").await.len(), 1);
    let mut seen = Vec::new();
    for id in &ids {
        seen.push(gateway.get(&format!("/v1/notifications/{id}")).await.json()["events"][0].clone());
    }
    assert_eq!((&seen[0]["became"], &seen[0]["differences"]), (&json!("unchanged"), &Value::Null));
    assert_eq!((&seen[1]["became"], &seen[1]["told_by"]), (&json!("told_by_another"), &json!(ids[0])));
    let differences = seen[1]["differences"].to_string();
    assert!(differences.contains("/data/customData/azuredevops/"), "{differences}");
    assert_eq!(seen[2]["became"], "told_by_another");
    assert!(!seen[2]["differences"].to_string().contains("ushed"), "who pushed is told the same: {}", seen[2]);
}

#[tokio::test]
async fn what_speaks_of_another_collection_than_the_check_found_is_taken_and_said() {
    let azure = Arc::new(Scripted::default());
    let gateway = scripted::gateway(&azure).await;
    let body = json!({ "name": "x", "url": "https://dev.azure.com/fabrikam", "token": "pat-secret" });
    let made = gateway.post("/v1/connections", body).await;
    let (path, hook) = (made.header("location").to_owned(), hook(&made.json()));
    // The scripted one's instance.
    let ours = uuid::Uuid::from_u128(9).to_string();
    let theirs = "99999999-0000-4000-8000-000000000009";
    let deliver = async |number: u32, collection: &str| {
        let mut body: Value = serde_json::from_str(&push(number)).unwrap();
        body["resourceContainers"] = json!({ "collection": { "id": collection } });
        let reply = hook.ask(&gateway, body.to_string()).send().await;
        assert_eq!(reply.json()["outcome"], "accepted", "{collection}");
        let attention = gateway.get("/v1/integration").await.json()["attention"].clone();
        let said = attention.as_array().unwrap().iter().find(|one| one["kind"] == "collection_differs").cloned();
        said.map(|said| said.to_string())
    };
    for (number, own) in [(1, ours.to_uppercase()), (2, "not a guid".to_owned()), (3, uuid::Uuid::nil().to_string())] {
        assert_eq!(deliver(number, &own).await, None, "{own}");
    }
    let said = deliver(4, theirs).await.unwrap();
    assert!(said.contains(theirs) && said.contains(&ours) && said.contains("\"remedy\""), "{said}");

    let change = gateway.ask("PATCH", &format!("{path}?check=false")).header("if-match", "*");
    assert_eq!(change.json(&json!({ "collection_id": theirs })).send().await.status, 200);
    assert_eq!(deliver(5, theirs).await, None, "who knows better has said so");
}

#[tokio::test]
async fn what_cannot_be_translated_is_dead_with_its_reason_and_holds_up_nothing() {
    let gateway = Gateway::start().await;
    let (gone, made) = gateway.connection().await;
    let (of_gone, of_other) = (hook(&made.json()), hook(&gateway.connection().await.1.json()));
    let mut office = office();
    let dead = notification(&of_gone.ask(&gateway, office.push("main").body).send().await);
    let preview = gateway.get(&format!("/v1/connections/{gone}/removal")).await.json();
    let confirmed = format!("/v1/connections/{gone}?confirm={}", preview["confirmation"].as_str().unwrap());
    assert_eq!(gateway.ask("DELETE", &confirmed).send().await.status, 200);
    let alive = notification(&of_other.ask(&gateway, office.push("main").body).send().await);
    let of = |id: &str| format!("/v1/notifications/{id}");
    assert_eq!(gateway.get(&of(&dead)).await.json()["settled"], false);

    assert_eq!(step(&gateway.app).await.unwrap().count, 2);
    let seen = gateway.get(&of(&dead)).await.json();
    assert_eq!((&seen["state"], &seen["settled"]), (&json!("dead"), &json!(true)));
    let trouble = json!({ "reason": "untranslatable", "detail": "its connection was removed" });
    assert_eq!(seen["trouble"], trouble);
    let listed = list(&gateway, "/v1/notifications?state=dead").await;
    assert_eq!((listed.len(), &listed[0]["id"], &listed[0]["trouble"]), (1, &json!(dead), &trouble));
    assert_eq!(gateway.get(&of(&alive)).await.json()["state"], "accepted");
    assert_eq!(list(&gateway, "/v1/events").await.len(), 1);
    let attention = gateway.get("/v1/integration").await.json()["attention"].to_string();
    assert!(attention.contains("notifications_dead"), "{attention}");
    assert_eq!(step(&gateway.app).await.unwrap().count, 0, "it is not tried again");
}
