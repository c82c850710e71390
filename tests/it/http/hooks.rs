//! The answers of the receiver.

use crate::harness::Gateway;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{config::Settings, store::Store as _};
use serde_json::{Value, json};
use std::{net::IpAddr, time::Duration};

pub(super) struct Hook {
    pub(super) path: String,
    basic: String,
}

pub(super) fn hook(connection: &Value) -> Hook {
    let text = |name: &str| connection["hook"][name].as_str().unwrap().to_owned();
    let url = text("url");
    let path = url[url.find("/hooks").unwrap()..].to_owned();
    Hook {
        path,
        basic: format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", text("user_name"), text("password")))),
    }
}

impl Hook {
    pub(super) fn basic(&self) -> &str {
        &self.basic
    }

    pub(super) fn ask<'a>(&self, gateway: &'a Gateway, body: impl Into<bytes::Bytes>) -> crate::harness::Ask<'a> {
        gateway.ask("POST", &self.path).token(None).header("authorization", &self.basic).body(body)
    }
}

pub(super) fn push(n: u32) -> String {
    json!({ "subscriptionId": "00000000-0000-0000-0000-000000000001", "notificationId": n, "id": uuid::Uuid::from_u128(n.into()),
        "eventType": "git.push", "resource": {} })
    .to_string()
}

#[tokio::test]
async fn what_is_authentic_is_answered_200_whatever_it_is() {
    let gateway = Gateway::start().await;
    let hook = hook(&gateway.connection().await.1.json());
    for (body, outcome) in [
        (push(1), "accepted"),
        (push(1), "duplicate"),
        (push(2), "accepted"),
        ("{".to_owned(), "quarantined"),
        ("[]".to_owned(), "quarantined"),
        (String::new(), "quarantined"),
    ] {
        let reply = hook.ask(&gateway, body.clone()).send().await;
        assert_eq!((reply.status.as_u16(), reply.json()["outcome"].as_str()), (200, Some(outcome)), "{body}");
    }
    let list = gateway.get("/v1/notifications").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 5);
    let quarantined = gateway.get("/v1/notifications?state=quarantined&limit=1").await;
    assert_eq!(quarantined.json()["data"][0]["trouble"]["reason"], "not_json");
    assert!(quarantined.header("link").contains("state=quarantined&limit=1"));
    let id = list["data"][0]["id"].as_str().unwrap();
    let one = gateway.get(&format!("/v1/notifications/{id}?body=true")).await.json();
    assert_eq!(
        (one["body"]["content"].as_str(), &one["verification"]["subscription_key"]),
        (Some(&*push(1)), &json!("manual"))
    );
    assert_eq!(gateway.get(&format!("/v1/notifications/{id}")).await.json()["body"], Value::Null);
    let types = gateway.get("/v1/notifications?type=git.push").await.json();
    assert_eq!(types["data"].as_array().unwrap().len(), 2);
    let attention = gateway.get("/v1/integration").await.json();
    assert_eq!(attention["attention"][0]["kind"], "notifications_quarantined");
}

#[tokio::test]
async fn an_unknown_parameter_or_reason_never_costs_a_delivery() {
    let gateway = Gateway::start().await;
    let mut hook = hook(&gateway.connection().await.1.json());
    hook.path += "?reason=PushNotification&x=1&x=2&%zz";
    let id = hook.ask(&gateway, push(1)).send().await.json()["notification"].as_str().unwrap().to_owned();
    assert_eq!(gateway.get(&format!("/v1/notifications/{id}")).await.json()["reason"], "PushNotification");
    hook.path = hook.path.replace("PushNotification", "Other");
    assert_eq!(hook.ask(&gateway, push(2)).send().await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_cut_kept_and_answered_200() {
    let gateway = Gateway::with(Settings { body_bytes_max: 100_000, ..Settings::default() }).await;
    let hook = hook(&gateway.connection().await.1.json());
    let reply = hook.ask(&gateway, vec![b'x'; 3 << 20]).send().await;
    assert_eq!((reply.status.as_u16(), reply.json()["outcome"].as_str()), (200, Some("quarantined")));
    let id = reply.json()["notification"].as_str().unwrap().to_owned();
    let kept = gateway.get(&format!("/v1/notifications/{id}?body=true")).await.json();
    assert_eq!((&kept["size_bytes"], &kept["body"]["truncated"]), (&json!(3 << 20), &json!(true)));
    assert_eq!(kept["body"]["content"].as_str().unwrap().len(), 65_536);
    assert_eq!(kept["trouble"]["reason"], "too_large");
}

#[tokio::test]
async fn wrong_credentials_are_401_and_an_address_that_guesses_is_asked_to_go() {
    let gateway = Gateway::start().await;
    let right = hook(&gateway.connection().await.1.json());
    let peer = IpAddr::from([10, 0, 0, 9]);
    let wrong = Hook {
        path: right.path.clone(),
        basic: format!("Basic {}", BASE64_STANDARD.encode("hookwell.manual.1:wrong")),
    };
    for n in 1..=20 {
        let reply = wrong.ask(&gateway, push(1)).peer(peer).send().await;
        assert_eq!((reply.status.as_u16(), reply.headers.contains_key("connection")), (401, n == 20), "{n}");
    }
    assert_eq!(right.ask(&gateway, push(1)).peer(peer).send().await.status, 200, "the right password is never refused");
    let elsewhere = Hook { path: "/hooks/azure-devops/nothing".into(), basic: right.basic };
    assert_eq!(elsewhere.ask(&gateway, push(1)).send().await.status, 401);
}

#[tokio::test]
async fn after_a_rotation_both_passwords_hold_until_the_overlap_ends() {
    let gateway = Gateway::start().await;
    let (id, made) = gateway.connection().await;
    let old = hook(&made.json());
    let reply = gateway.ask("POST", &format!("/v1/connections/{id}/rotate-hook-secret")).send().await;
    assert_eq!(reply.json()["hook"]["user_name"], "hookwell.manual.2");
    let new = hook(&reply.json());
    assert_eq!(old.ask(&gateway, push(1)).send().await.status, 200);
    assert_eq!(new.ask(&gateway, push(2)).send().await.status, 200);
    gateway.advance(Duration::from_hours(7 * 24));
    assert_eq!(old.ask(&gateway, push(3)).send().await.status, 401);
    assert_eq!(new.ask(&gateway, push(3)).send().await.status, 200);
}

#[tokio::test]
async fn a_store_that_takes_nothing_is_503_with_retry_after() {
    let gateway = Gateway::start().await;
    let hook = hook(&gateway.connection().await.1.json());
    gateway.store.close().await;
    let reply = hook.ask(&gateway, push(1)).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "2"));
}

#[tokio::test]
async fn a_relay_s_signature_is_checked_where_a_secret_is_set() {
    let gateway = Gateway::start().await;
    let (id, made) = gateway.connection().await;
    let hook = hook(&made.json());
    let change = json!({ "signature_secret": "0123456789abcdef" });
    let path = format!("/v1/connections/{id}");
    let reply = gateway.ask("PATCH", &path).header("if-match", made.etag()).json(&change).send().await;
    assert_eq!(reply.json()["signature_secret_set"], true);
    let reply = hook.ask(&gateway, push(1)).send().await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (401, "unauthenticated"));
    let change = json!({ "signature_secret": null });
    let reply = gateway.ask("PATCH", &path).header("if-match", "*").json(&change).send().await;
    assert_eq!(reply.json()["signature_secret_set"], false);
    assert_eq!(hook.ask(&gateway, push(1)).send().await.status, 200);
}
