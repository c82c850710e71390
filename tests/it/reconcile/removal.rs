//! Removing a connection takes its hooks along, or says which it left.

use super::{Pair, azure::unavailable};
use crate::harness::Reply;
use hookwell::azure::client::Subscription;
use serde_json::{Value, json};
use std::time::Duration;

impl Pair {
    async fn confirmed(&self) -> String {
        let path = format!("/v1/connections/{}", self.connection);
        let preview = self.gateway.get(&format!("{path}/removal")).await.json();
        format!("{path}?confirm={}", preview["confirmation"].as_str().unwrap())
    }

    async fn remove(&self) -> Reply {
        let path = self.confirmed().await;
        self.gateway.ask("DELETE", &path).send().await
    }

    /// Somebody's own hook that delivers here too.
    fn made_by_hand(&self) -> Subscription {
        let mut hook = self.hook("git.push");
        "by-hand".clone_into(&mut hook.id);
        hook.consumer_inputs.insert("basicAuthUsername".to_owned(), "hookwell.manual.1".to_owned());
        self.azure.world().hooks.insert(hook.id.clone(), hook.clone());
        hook
    }
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["azure_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_hooks_go_with_the_connection_and_other_peoples_stay() {
    let pair = Pair::start().await;
    let binding = pair.bind_repository("repo-0").await;
    pair.run().await;
    let by_hand = pair.made_by_hand();
    // One that no record knows of.
    let orphan = Subscription { id: "orphan".to_owned(), ..pair.hook("git.repo.renamed") };
    pair.azure.world().hooks.insert(orphan.id.clone(), orphan);
    let preview = pair.gateway.get(&format!("/v1/connections/{}/removal", pair.connection)).await.json();
    assert_eq!(preview["subscriptions"].as_array().unwrap().len(), 11);
    let reply = pair.remove().await.json();
    assert_eq!(reply["removed_bindings"], json!([binding]));
    assert_eq!(reply["deleted_subscriptions"].as_array().unwrap().len(), 12);
    assert!(ids(&reply["deleted_subscriptions"]).contains(&"orphan"));
    assert_eq!((&reply["left_subscriptions"], &reply["unverified"]), (&json!([]), &Value::Null));
    assert_eq!(pair.hooks(), [by_hand]);
    assert_eq!(pair.list().await["data"], json!([]));
    assert_eq!(pair.gateway.get("/v1/integration").await.json()["enabled"], false);
    assert_eq!(pair.gateway.get("/v1/projects/shop/bindings").await.json()["data"], json!([]));
}

#[tokio::test]
async fn what_could_not_be_deleted_is_left_to_a_person_by_id_and_address() {
    let pair = Pair::start().await;
    pair.bind("shop", json!({ "role": "build_provider" })).await;
    pair.run().await;
    pair.azure.world().always.insert("delete", unavailable());
    let reply = pair.remove().await.json();
    let left = reply["left_subscriptions"].as_array().unwrap();
    assert_eq!((left.len(), pair.hooks().len()), (11, 11));
    for row in left {
        let (id, event_type) = (row["azure_id"].as_str().unwrap(), row["event_type"].as_str().unwrap());
        let host = if event_type.starts_with("ms.vss-release.") { "vsrm.dev.azure.com" } else { "dev.azure.com" };
        assert_eq!(row["url"], format!("https://{host}/fabrikam/_apis/hooks/subscriptions/{id}"));
        assert!(row["detail"].as_str().unwrap().contains("cannot answer now"), "{row}");
    }
    assert_eq!(pair.gateway.get(&format!("/v1/connections/{}", pair.connection)).await.status, 404, "it is gone here");
}

#[tokio::test]
async fn without_a_listing_the_remembered_ones_are_deleted() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    pair.azure.world().always.insert("list main", unavailable());
    let reply = pair.remove().await.json();
    assert_eq!(reply["deleted_subscriptions"].as_array().unwrap().len(), 11);
    assert!(reply["unverified"].as_str().unwrap().contains("could not be listed"), "{reply}");
    assert!(pair.hooks().is_empty());
}

#[tokio::test]
async fn a_silent_azure_does_not_hold_up_the_removal() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    pair.run().await;
    pair.azure.world().hangs.extend(["list main", "delete"]);
    let path = pair.confirmed().await;
    let removing = pair.gateway.ask("DELETE", &path).send();
    let moving = async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
            pair.advance(Duration::from_millis(100));
        }
        std::future::pending::<Reply>().await
    };
    let reply = tokio::select! { reply = removing => reply, never = moving => never }.json();
    assert_eq!(reply["left_subscriptions"].as_array().unwrap().len(), 11);
    assert!(reply["left_subscriptions"][0]["detail"].as_str().unwrap().contains("20 s"), "{reply}");
}

#[tokio::test]
async fn a_run_under_way_makes_nothing_for_a_connection_that_is_gone() {
    let pair = Pair::start().await;
    pair.bind_repository("repo-0").await;
    let path = pair.confirmed().await;
    // The connection is removed exactly while its first hook is being made.
    let (app, connection) = (std::sync::Arc::clone(&pair.gateway.app), pair.connection);
    pair.azure.world().hangs.insert("create once");
    let running =
        tokio::spawn(
            async move { hookwell::reconcile::reconcile(&app, connection, hookwell::reconcile::Mode::Mend).await },
        );
    let waiting = async {
        while !pair.azure.world().calls.contains_key("create") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("the run gets there");
    let removing = async { pair.gateway.ask("DELETE", &path).send().await };
    let letting_go = async {
        while pair.gateway.app.directory().connections.contains_key(&pair.connection) {
            tokio::task::yield_now().await;
        }
        pair.azure.world().hangs.clear();
    };
    let (reply, ()) = tokio::time::timeout(Duration::from_secs(10), async { tokio::join!(removing, letting_go) })
        .await
        .expect("both end");
    running.await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(pair.hooks().is_empty(), "{:?}", pair.hooks());
    assert_eq!(pair.list().await["data"], json!([]));
}
