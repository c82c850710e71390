//! What is answered while the store fails, and what becomes of requests that are cut off.

use super::{
    faulty::Faulty,
    hooks::{hook, push},
};
use crate::harness::{Ask, Gateway, Reply};
use hookwell::{
    config::Settings,
    store::{Error, MemoryStore},
};
use serde_json::json;
use std::{pin::pin, sync::Arc};

/// Words of the store's that are for the log only.
const INTERNAL: &str = "/var/lib/hookwell/store/db";

async fn start() -> (Arc<Faulty>, Gateway) {
    let memory = Arc::new(MemoryStore::new());
    let store = Faulty::new(Arc::clone(&memory));
    let gateway = Gateway::on(Settings::default(), Arc::<Faulty>::clone(&store), memory).await;
    (store, gateway)
}

fn faults() -> [(&'static str, Error); 3] {
    [
        ("full", Error::Full),
        ("unavailable", Error::Unavailable { reason: format!("no space left at {INTERNAL}") }),
        ("corrupt", Error::Corrupt { what: format!("a block in {INTERNAL}") }),
    ]
}

/// A problem that says how to find its cause in the log, and nothing of it.
fn assert_discreet(reply: &Reply, what: &str) {
    assert_eq!(reply.json()["request_id"], reply.header("x-request-id"), "{what}");
    assert!(!String::from_utf8_lossy(&reply.body).contains(INTERNAL), "{what}: {reply:?}");
}

#[tokio::test]
async fn a_delivery_that_cannot_be_stored_is_503_whatever_the_store_s_trouble_and_200_when_it_is_over() {
    let (store, gateway) = start().await;
    let hook = hook(&gateway.connection().await.1.json());
    for (what, fault) in faults() {
        store.fail(fault);
        let reply = hook.ask(&gateway, push(1)).send().await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "2"), "{what}");
        assert_discreet(&reply, what);
    }
    store.fail(None);
    let reply = hook.ask(&gateway, push(1)).send().await;
    assert_eq!((reply.status.as_u16(), reply.json()["outcome"].as_str()), (200, Some("accepted")), "kept once");
    assert_eq!(gateway.get("/v1/notifications").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_api_says_503_while_the_store_cannot_and_500_when_it_is_damaged() {
    let (store, gateway) = start().await;
    let id = gateway.event("dev.cdevents.change.merged.0.3.0", uuid::Uuid::nil(), &[]).await;
    let body = json!({ "name": "A", "url": "https://dev.azure.com/x" });
    for (what, fault) in faults() {
        store.fail(fault);
        let mut replies = vec![gateway.post("/v1/connections", body.clone()).await];
        for path in ["/v1/events", "/v1/notifications", "/metrics", &format!("/v1/events/{id}")] {
            replies.push(gateway.get(path).await);
        }
        for reply in replies {
            assert_discreet(&reply, what);
            if what == "corrupt" {
                assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (500, "internal"));
            } else {
                assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (503, "unavailable"), "{what}");
                assert_eq!(reply.header("retry-after"), "2", "{what}");
            }
        }
    }
    store.fail(None);
    assert_eq!(gateway.post("/v1/connections", body).await.status, 201);
    assert_eq!(gateway.get("/v1/events").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn readyz_and_the_integration_say_why_nothing_is_taken() {
    let (store, gateway) = start().await;
    store.fail(Error::Unavailable { reason: "the disk is full; make room".into() });
    let reply = gateway.ask("GET", "/readyz").token(None).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "5"));
    assert_eq!(reply.json()["detail"], "the disk is full; make room");
    let integration = gateway.get("/v1/integration").await;
    assert_eq!(integration.status, 200, "the way to find out must be open");
    assert!(integration.json()["attention"].to_string().contains("the disk is full; make room"), "{integration:?}");
    store.fail(None);
    assert_eq!(gateway.get("/readyz").await.status, 200);
}

fn keyed<'a>(gateway: &'a Gateway, key: &str) -> Ask<'a> {
    let body = json!({ "name": "A", "url": "https://dev.azure.com/x" });
    gateway.ask("POST", "/v1/connections").header("idempotency-key", key).json(&body)
}

#[tokio::test]
async fn while_a_request_runs_another_with_its_key_is_told_to_wait() {
    let (store, gateway) = start().await;
    let held = store.hold().await;
    let meanwhile = async {
        store.asked(1).await;
        let again = keyed(&gateway, "k").send().await;
        assert_eq!((again.status.as_u16(), again.problem().as_str()), (409, "request-in-flight"));
        assert_eq!(again.header("retry-after"), "1");
        drop(held);
    };
    let (first, ()) = tokio::join!(keyed(&gateway, "k").send(), meanwhile);
    assert_eq!(first.status, 201);
    assert_eq!(keyed(&gateway, "k").send().await.body, first.body);
}

#[tokio::test]
async fn a_key_makes_a_thing_once_also_when_the_first_request_is_cut_off_in_the_middle() {
    let (store, gateway) = start().await;
    let held = store.hold().await;
    {
        let cut_off = pin!(keyed(&gateway, "k").send());
        tokio::select! {
            reply = cut_off => panic!("{reply:?}"),
            () = store.asked(1) => {}
        }
    }
    tokio::select! {
        reply = keyed(&gateway, "k").send() => assert_eq!(reply.problem(), "request-in-flight"),
        () = store.asked(2) => panic!("it is being made a second time"),
    }
    drop(held);
    let again = loop {
        let again = keyed(&gateway, "k").send().await;
        if again.status != 409 {
            break again;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again.status, 201);
    let list = gateway.get("/v1/connections").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["data"][0]["id"], again.json()["id"]);
}

#[tokio::test]
async fn a_rule_over_several_records_holds_also_against_a_request_that_was_cut_off() {
    let (store, gateway) = start().await;
    gateway.project("shop").await;
    let (connection, _) = gateway.connection().await;
    let ask = || {
        let binding = json!({ "role": "issue_provider", "connection": connection, "azure_project": "p" });
        gateway.ask("POST", "/v1/projects/shop/bindings").json(&binding)
    };
    let held = store.hold().await;
    {
        let cut_off = pin!(ask().send());
        tokio::select! {
            reply = cut_off => panic!("{reply:?}"),
            () = store.asked(1) => {}
        }
    }
    let release = async {
        tokio::task::yield_now().await;
        drop(held);
    };
    let (reply, ()) = tokio::join!(ask().send(), release);
    assert_eq!(
        (reply.status.as_u16(), reply.problem().as_str()),
        (409, "conflict"),
        "a project has one issue provider"
    );
    let bindings = gateway.get("/v1/projects/shop/bindings").await.json();
    assert_eq!(bindings["data"].as_array().unwrap().len(), 1);
}
