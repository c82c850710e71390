//! What may be asked of backfills.

use crate::harness::Gateway;
use hookwell::config::Settings;
use serde_json::{Value, json};
use std::time::Duration;

async fn bound() -> (Gateway, String) {
    let gateway = Gateway::with(Settings { backfill: Duration::from_hours(48), ..Settings::default() }).await;
    gateway.project("shop").await;
    let (connection, _) = gateway.connection().await;
    let body = json!({ "role": "build_provider", "connection": connection, "azure_project": "Fiber" });
    let made = gateway.post("/v1/projects/shop/bindings", body).await;
    let path = format!("/v1/bindings/{}/backfill", made.json()["id"].as_str().unwrap());
    (gateway, path)
}

#[tokio::test]
async fn a_new_binding_has_one_that_waits_over_the_days_that_are_filled() {
    let (gateway, path) = bound().await;
    let job = gateway.get(&path).await.json();
    assert_eq!((&job["state"], &job["percent"]), (&json!("queued"), &json!(0.0)));
    assert_eq!((&job["from"], &job["to"]), (&json!("2026-11-20T10:00:00Z"), &json!("2026-11-22T10:00:00Z")));
    let streams: Vec<&Value> = job["streams"].as_array().unwrap().iter().map(|stream| &stream["stream"]).collect();
    assert_eq!(streams, ["builds", "releases"]);
    let running = gateway.post(&path, json!({})).await;
    assert_eq!((running.status.as_u16(), running.problem().as_str()), (409, "conflict"));
    assert_eq!(gateway.ask("DELETE", &path).send().await.status, 204);
    assert_eq!(gateway.get(&path).await.json()["state"], "cancelled");
}

#[tokio::test]
async fn a_stretch_has_to_lie_within_what_is_kept() {
    let (gateway, path) = bound().await;
    assert_eq!(gateway.ask("DELETE", &path).send().await.status, 204);
    for (body, wrong) in [
        (json!({ "from": "2026-10-22T10:00:00Z" }), "/from"),
        (json!({ "from": "2026-11-22T10:00:01Z" }), "/from"),
        (json!({ "from": "2026-11-22T09:00:00Z", "to": "2026-11-22T08:00:00Z" }), "/from"),
        (json!({ "to": "2026-11-22T10:00:01Z" }), "/to"),
        (json!({ "to": "2026-10-22T10:00:00Z" }), "/to"),
        (json!({ "from": "yesterday, at noon or so" }), "/from"),
        (json!({ "form": "2026-11-22T09:00:00Z" }), "/form"),
    ] {
        let reply = gateway.post(&path, body.clone()).await;
        assert_eq!((reply.status.as_u16(), reply.wrong()), (422, vec![wrong.to_owned()]), "{body}");
    }
    let detail = gateway.post(&path, json!({ "from": "2026-10-22T10:00:00Z" })).await.json();
    let detail = detail["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("2026-10-23T11:00:00Z") && detail.contains("retention_days"), "{detail}");
    let begun = gateway.post(&path, json!({ "from": "2026-10-23T11:00:00Z", "to": "2026-11-01T00:00:00+01:00" })).await;
    assert_eq!(begun.status, 202, "{begun:?}");
    assert_eq!((&begun.json()["to"], &begun.json()["state"]), (&json!("2026-10-31T23:00:00Z"), &json!("queued")));
}

#[tokio::test]
async fn there_is_none_of_a_binding_that_is_not_there() {
    let (gateway, path) = bound().await;
    let nowhere = "/v1/bindings/00000000-0000-4000-8000-00000000dead/backfill";
    assert_eq!(gateway.get(nowhere).await.status, 404);
    assert_eq!(gateway.post(nowhere, json!({})).await.status, 404);
    assert_eq!(gateway.ask("DELETE", nowhere).send().await.status, 404);
    assert_eq!(gateway.ask("POST", &path).token(gateway.read.clone()).json(&json!({})).send().await.status, 403);
}
