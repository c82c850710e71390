//! When everything is well, and what the doctor leaves behind.

use super::{Front, Plan, World};
use hookwell::simulator::{Options, ServerVersion};
use serde_json::json;

#[tokio::test]
async fn when_all_is_well_a_test_notification_comes_the_whole_way_and_becomes_no_event() {
    let world = World::start(Plan { azure: Options::server("Coll", ServerVersion::V2022_1), ..Plan::default() }).await;
    world.bind().await;
    world.reconcile().await;
    let said = world.examine().await;
    assert_eq!(said.are("failed"), [""; 0], "{:#}", said.0);
    // Over http a server sends no credentials to a real one.
    assert_eq!(said.are("warning"), ["public_url"], "{:#}", said.0);
    assert_eq!(said.are("skipped"), ["certificate"], "{:#}", said.0);
    assert_eq!(said.0["steps"].as_array().unwrap().len(), 18);
    let found = said.step("round_trip")["found"].as_str().unwrap();
    assert!(found.contains("kept as a test, which becomes no event"), "{found}");
    let kept = world.gateway.get("/v1/notifications").await.json();
    let kept = kept["data"].as_array().unwrap();
    assert_eq!((kept.len(), &kept[0]["state"]), (1, &json!("test")), "{kept:?}");
    assert_eq!(world.gateway.get("/v1/events").await.json()["data"], json!([]));
}

#[tokio::test]
async fn in_the_cloud_http_and_a_private_address_are_warnings_while_the_round_trip_succeeds() {
    let world = World::start(Plan::default()).await;
    let said = world.examine().await;
    assert_eq!((said.are("failed"), said.are("warning")), (vec![], vec!["public_url", "name"]), "{:#}", said.0);
    said.says("public_url", "arrived all the same", "as long as the round trip succeeds");
    said.says("name", "127.0.0.1", "public address");
    assert_eq!(said.0["state"], "warning");
}

#[tokio::test]
async fn without_a_public_url_what_needs_none_is_looked_at() {
    let world = World::start(Plan { front: Front::Unsaid, ..Plan::default() }).await;
    let said = world.examine().await;
    said.fails(&["public_url"], "public_url", "not told where", "--public-url");
    for name in ["name", "port", "certificate", "gateway", "authorization", "round_trip"] {
        said.skips(name, "public_url");
    }
    assert_eq!(said.step("azure_devops")["state"], "ok");
}

#[tokio::test]
async fn hooks_that_a_person_makes_are_asked_for_and_not_made() {
    let world = World::start(Plan::default()).await;
    let path = format!("/v1/connections/{}", world.connection);
    let changed = world.gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "hooks": "manual" }));
    assert_eq!(changed.send().await.status, 200);
    world.bind().await;
    world.reconcile().await;
    let said = world.examine().await;
    said.says("subscriptions", "nothing has arrived through", "See that they are made");
    assert_eq!(said.step("round_trip")["state"], "ok", "{:#}", said.0);
}

#[tokio::test]
async fn a_connection_that_is_polled_needs_no_door() {
    let world = World::start(Plan { front: Front::Nobody, ..Plan::default() }).await;
    let path = format!("/v1/connections/{}", world.connection);
    let changed = world.gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "delivery": "poll" }));
    assert_eq!(changed.send().await.status, 200);
    world.bind().await;
    world.reconcile().await;
    let said = world.examine().await;
    assert_eq!((said.are("failed"), said.are("warning")), (vec![], vec![]), "{:#}", said.0);
    let skipped =
        ["public_url", "name", "port", "certificate", "gateway", "authorization", "subscriptions", "round_trip"];
    assert_eq!(said.are("skipped"), skipped);
    assert_eq!(said.step("round_trip")["found"], "not needed: this connection is polled");
    assert_eq!(said.step("scope_code")["state"], "ok");
}

#[tokio::test]
async fn a_connection_that_is_not_there_is_not_examined() {
    let world = World::start(Plan::default()).await;
    let path = "/v1/connections/00000000-0000-4000-8000-00000000dead/doctor";
    assert_eq!(world.gateway.ask("POST", path).send().await.status, 404);
    let read = world.gateway.ask("POST", path).token(world.gateway.read.clone()).send().await;
    assert_eq!(read.status, 403);
}

#[tokio::test]
async fn the_door_says_whose_it_is_only_to_who_has_its_key() {
    let (one, other) = (World::start(Plan::default()).await, World::start(Plan::default()).await);
    let path = "/hooks/azure-devops/who?nonce=abc";
    let ask = async |world: &World| world.gateway.ask("GET", path).token(None).send().await.json()["echo"].clone();
    assert_eq!(ask(&one).await, one.gateway.app.hook_key.echo("abc", None));
    assert_ne!(ask(&one).await, ask(&other).await);
    let heard = one.gateway.ask("GET", path).token("x".to_owned()).send().await.json();
    assert_eq!(heard["echo"], one.gateway.app.hook_key.echo("abc", Some(b"Bearer x")));
    let long = one.gateway.ask("GET", &format!("/hooks/azure-devops/who?nonce={}", "n".repeat(9_000))).send().await;
    assert_eq!(long.status, 200);
}
