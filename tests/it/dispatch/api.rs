//! Sinks as a resource.

use super::{Receiver, sink};
use crate::harness::Gateway;
use serde_json::json;

#[tokio::test]
async fn what_is_wrong_with_a_sink_is_said_at_once() {
    let gateway = Gateway::start().await;
    for (body, wrong) in [
        (json!({}), vec!["/name", "/kind"]),
        (json!({ "name": "a", "kind": "pigeon", "settings": {} }), vec!["/kind"]),
        (json!({ "name": "a", "kind": "webhook" }), vec!["/settings"]),
        (
            json!({ "name": "a", "kind": "webhook", "settings": { "url": "ftp://x", "mode": "loud", "secret": "whsec_x", "what": 1 } }),
            vec!["/settings/url", "/settings/mode", "/settings/secret", "/settings/what"],
        ),
        (
            json!({ "name": "a", "kind": "webhook", "settings": { "url": "https://a.example/", "headers": { "a": "b\r\nc: d" } } }),
            vec!["/settings/headers"],
        ),
        (
            json!({ "name": "a", "kind": "webhook", "settings": { "url": "https://a.example/" }, "start": "soon", "in_flight_max": 0 }),
            vec!["/start", "/in_flight_max"],
        ),
    ] {
        let reply = gateway.post("/v1/sinks", body.clone()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.wrong()),
            (422, wrong.into_iter().map(str::to_owned).collect()),
            "{body}"
        );
    }
    let ours = json!({ "name": "a", "kind": "webhook", "settings": { "url": "https://a.example/", "headers": { "Webhook-Id": "x" } } });
    assert_eq!(gateway.post("/v1/sinks", ours).await.status, 409);
    let identity =
        json!({ "name": "a", "kind": "webhook", "settings": { "url": "https://a.example/", "identity": "no PEM" } });
    assert_eq!(gateway.post("/v1/sinks", identity).await.status, 409);
}

#[tokio::test]
async fn a_sink_is_changed_under_its_version_and_its_secrets_do_not_follow_it_elsewhere() {
    let (gateway, receiver) = (Gateway::start().await, Receiver::start().await);
    let made =
        sink(&gateway, &receiver, json!({ "settings": { "headers": { "Authorization": "Bearer planted" } } })).await;
    let path = format!("/v1/sinks/{}", made.json()["id"].as_str().unwrap());
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let edit = |body, etag: &str| gateway.ask("PATCH", &path).header("if-match", etag).json(&body).send();
    assert_eq!(gateway.ask("PATCH", &path).json(&json!({})).send().await.status, 428);
    assert_eq!(edit(json!({ "name": "b" }), "\"1\"").await.status, 412);
    let renamed = edit(json!({ "name": "b", "per_second_max": 3 }), made.etag()).await;
    assert_eq!((&renamed.json()["name"], &renamed.json()["per_second_max"]), (&json!("b"), &json!(3)));
    let moved = edit(json!({ "settings": { "url": "https://elsewhere.example/" } }), "*").await;
    assert_eq!(moved.status, 409, "{moved:?}");
    let moved = edit(json!({ "settings": { "url": "https://elsewhere.example/", "headers": {} } }), "*").await;
    assert_eq!(moved.json()["settings"]["url"], "https://elsewhere.example/");
    assert_eq!(moved.json()["secrets_set"], json!(["signing"]));
    for reply in [moved, gateway.get(&path).await, gateway.get("/v1/sinks").await] {
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        assert!(!text.contains("planted") && !text.contains(&secret), "{text}");
    }
    let given = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let changed = edit(json!({ "settings": { "secret": given } }), "*").await;
    assert!(changed.json()["previous_secret_until"].is_string(), "{changed:?}");
    assert_eq!(gateway.ask("DELETE", &path).send().await.status, 204);
    assert_eq!(gateway.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_repeated_creation_makes_one_sink_and_shows_the_same_secret() {
    let gateway = Gateway::start().await;
    let body = json!({ "name": "a", "kind": "webhook", "settings": { "url": "https://a.example/" } });
    let ask = || gateway.ask("POST", "/v1/sinks").header("idempotency-key", "one").json(&body).send();
    let (first, again) = (ask().await, ask().await);
    assert_eq!((first.status.as_u16(), &first.body), (201, &again.body));
    assert_eq!(gateway.get("/v1/sinks").await.json()["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_filter_looks_at_what_an_event_is_about() {
    let gateway = Gateway::start().await;
    let make = async |filter: serde_json::Value| {
        let settings = json!({ "url": "https://a.example/" });
        gateway
            .post("/v1/sinks", json!({ "name": "a", "kind": "webhook", "settings": settings, "filter": filter }))
            .await
    };
    let filter = json!({
        "types": [], "projects": [], "connections": [], "environments": [], "work_item_types": ["Bug"],
        "state_changes": [{ "from": null, "to": "Resolved" }, { "from": null, "to": null }],
        "branches": ["main", "release/*"], "outcomes": ["failure"], "drafts": false,
    });
    let sink = make(filter.clone()).await;
    assert_eq!((sink.status.as_u16(), &sink.json()["filter"]), (201, &filter));
    let long = make(json!({ "branches": ["refs/heads/main"], "state_changes": [{}] })).await.json();
    assert_eq!(long["filter"]["branches"], json!(["main"]));
    assert_eq!(long["filter"]["drafts"], json!(null));
    for (filter, wrong) in [
        (json!({ "outcomes": ["great"] }), "/filter/outcomes/0"),
        (json!({ "branches": ["a b"] }), "/filter/branches/0"),
        (json!({ "state_changes": ["Resolved"] }), "/filter/state_changes/0"),
        (json!({ "state_changes": [{ "into": "Resolved" }] }), "/filter/state_changes/0/into"),
        (json!({ "drafts": "no" }), "/filter/drafts"),
    ] {
        assert_eq!(make(filter.clone()).await.wrong(), [wrong], "{filter}");
    }
}
