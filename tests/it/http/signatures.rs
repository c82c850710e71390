//! Deliveries that a relay signs.

use super::hooks::{Hook, hook, push};
use crate::harness::{Gateway, Reply};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookwell::{
    app::kind,
    store::{Change, Expected, Registry as _},
};
use serde_json::json;
use sha2::Sha256;
use std::{fmt::Write as _, time::Duration};

const FIRST: &str = "the-first-signature-secret";
const SECOND: &str = "the-second-signature-secret";

pub(crate) fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

async fn signing() -> (Gateway, String, Hook) {
    let gateway = Gateway::start().await;
    let body = json!({ "name": "x", "url": "https://dev.azure.com/fabrikam", "signature_secret": FIRST });
    let made = gateway.post("/v1/connections", body).await;
    let hook = hook(&made.json());
    (gateway, format!("/v1/connections/{}", made.json()["id"].as_str().unwrap()), hook)
}

async fn deliver(gateway: &Gateway, hook: &Hook, number: u32, secret: &str) -> Reply {
    let body = push(number);
    hook.ask(gateway, body.clone()).header("x-hub-signature-256", &signature(secret, &body)).send().await
}

async fn change(gateway: &Gateway, path: &str, secret: &str) {
    let change = json!({ "signature_secret": secret });
    assert_eq!(gateway.ask("PATCH", path).header("if-match", "*").json(&change).send().await.status, 200);
}

async fn kept(gateway: &Gateway) -> usize {
    gateway.get("/v1/notifications").await.json()["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_is_signed_is_taken_and_known_as_signed() {
    let (gateway, _, hook) = signing().await;
    let reply = deliver(&gateway, &hook, 1, FIRST).await;
    assert_eq!((reply.status.as_u16(), reply.json()["outcome"].as_str()), (200, Some("accepted")));
    let id = reply.json()["notification"].as_str().unwrap().to_owned();
    let seen = gateway.get(&format!("/v1/notifications/{id}")).await.json();
    assert_eq!(seen["verification"]["signature"], true);
}

#[tokio::test]
async fn what_is_unsigned_or_signed_wrong_is_401_and_nothing_of_it_is_kept() {
    let (gateway, _, hook) = signing().await;
    let right = signature(FIRST, &push(1));
    let bare = right.trim_start_matches("sha256=");
    for (what, header) in [
        ("none", None),
        ("empty", Some(String::new())),
        ("another secret's", Some(signature(SECOND, &push(1)))),
        ("another body's", Some(signature(FIRST, &push(2)))),
        ("without its scheme", Some(bare.to_owned())),
        ("with another scheme", Some(format!("sha1={bare}"))),
        ("cut", Some(right[..right.len() - 2].to_owned())),
        ("no hex", Some(format!("sha256={}", "z".repeat(64)))),
    ] {
        let ask = hook.ask(&gateway, push(1));
        let ask = if let Some(header) = &header { ask.header("x-hub-signature-256", header) } else { ask };
        let reply = ask.send().await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (401, "unauthenticated"), "{what}");
    }
    assert_eq!(kept(&gateway).await, 0);
    assert_eq!(hook.ask(&gateway, push(1)).header("x-hub-signature-256", &right).send().await.status, 200);
}

#[tokio::test]
async fn a_signature_over_a_body_over_the_limit_covers_also_what_is_not_kept() {
    let (gateway, _, hook) = signing().await;
    let body = "x".repeat((10 << 20) + 1);
    let head = signature(FIRST, &body[..64 << 10]);
    let reply = hook.ask(&gateway, body.clone()).header("x-hub-signature-256", &head).send().await;
    assert_eq!((reply.status.as_u16(), kept(&gateway).await), (401, 0), "of its head alone it is no signature");
    let whole = signature(FIRST, &body);
    let reply = hook.ask(&gateway, body).header("x-hub-signature-256", &whole).send().await;
    assert_eq!((reply.status.as_u16(), kept(&gateway).await), (200, 1));
}

#[tokio::test]
async fn after_a_change_of_the_secret_both_hold_until_the_overlap_ends() {
    let (gateway, path, hook) = signing().await;
    change(&gateway, &path, SECOND).await;
    assert_eq!(deliver(&gateway, &hook, 1, FIRST).await.status, 200);
    assert_eq!(deliver(&gateway, &hook, 2, SECOND).await.status, 200);
    gateway.advance(Duration::from_hours(7 * 24) - Duration::from_secs(1));
    assert_eq!(deliver(&gateway, &hook, 3, FIRST).await.status, 200);
    gateway.advance(Duration::from_secs(1));
    assert_eq!(deliver(&gateway, &hook, 4, FIRST).await.status, 401);
    assert_eq!(deliver(&gateway, &hook, 5, SECOND).await.status, 200);
    assert_eq!(kept(&gateway).await, 4);
}

#[tokio::test]
async fn a_second_change_ends_the_overlap_of_the_first_and_none_asks_for_no_signature() {
    let (gateway, path, hook) = signing().await;
    change(&gateway, &path, SECOND).await;
    change(&gateway, &path, "the-third-signature-secret").await;
    assert_eq!(deliver(&gateway, &hook, 1, FIRST).await.status, 401);
    assert_eq!(deliver(&gateway, &hook, 1, SECOND).await.status, 200);
    let none = json!({ "signature_secret": null });
    assert_eq!(gateway.ask("PATCH", &path).header("if-match", "*").json(&none).send().await.status, 200);
    assert_eq!(hook.ask(&gateway, push(2)).send().await.status, 200);
}

#[tokio::test]
async fn a_signature_secret_that_does_not_open_is_our_trouble_and_costs_no_subscription() {
    let (gateway, path, hook) = signing().await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let stored = gateway.store.get(kind::CONNECTION, &id).unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&stored.value).unwrap();
    record["signature"]["secret"] = json!("v1.00000000.AAAA");
    let value = Some(record.to_string().into_bytes().into());
    let change = Change { kind: kind::CONNECTION, id, expected: Expected::Any, value };
    gateway.store.commit(vec![change]).await.unwrap();
    let body = push(1);
    let signed = signature(FIRST, &body);
    let reply = hook.ask(&gateway, body).header("x-hub-signature-256", &signed).send().await;
    assert_eq!((reply.status.as_u16(), kept(&gateway).await), (503, 0));
    assert!(!reply.header("retry-after").is_empty());
}
