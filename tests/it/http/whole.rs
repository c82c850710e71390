//! A fact that several deliveries tell is told whole; a delivery that is not the one before it is not taken for it.

use super::hooks::{Hook, hook, push};
use crate::harness::Gateway;
use hookwell::{
    event::Event,
    store::{Journal as _, Log, PageLimit, Position},
    translate::step::step,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};

const ALL: PageLimit = PageLimit { records_max: 1_000, body_bytes_max: 64 << 20 };

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/azure").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

async fn delivered(gateway: &Gateway, hook: &Hook, body: &Value) -> (String, String) {
    let reply = hook.ask(gateway, body.to_string()).send().await.json();
    while step(&gateway.app).await.unwrap().count > 0 {}
    (reply["outcome"].as_str().unwrap().to_owned(), reply["notification"].as_str().unwrap().to_owned())
}

async fn events(gateway: &Gateway) -> Vec<Value> {
    let records = gateway.store.read(Log::Events, Position(0), ALL).await.unwrap();
    let json = |event: Event| serde_json::from_slice::<Value>(&event.json).unwrap();
    records.into_iter().map(|record| json(Event::from_stored(record.key, &record.body).unwrap())).collect()
}

/// The last telling of each fact, without what it says of itself.
async fn told(gateway: &Gateway) -> BTreeMap<String, Value> {
    let mut last = BTreeMap::new();
    for mut event in events(gateway).await {
        let own = event["data"]["customData"]["hookwell"].take();
        let fact = own["fact"].as_str().or(event["id"].as_str()).unwrap().to_owned();
        let outer = event.as_object_mut().unwrap();
        outer.remove("id");
        outer.remove("replaces");
        event["data"]["context"]["id"] = Value::Null;
        let azure = event["data"]["customData"]["azuredevops"].as_object_mut().unwrap();
        azure.retain(|name, _| !["eventType", "eventId", "resourceVersion", "subscriptionId"].contains(&name.as_str()));
        last.insert(fact, event);
    }
    last
}

async fn started() -> (Gateway, Hook) {
    let gateway = Gateway::start().await;
    let hook = hook(&gateway.connection().await.1.json());
    (gateway, hook)
}

#[tokio::test]
async fn a_run_and_its_build_are_one_telling_in_any_order() {
    let run = "ms.vss-pipelines.run-state-changed-event";
    for names in [
        vec![format!("{run}/completed-succeeded"), "build.complete/2.0-succeeded".to_owned()],
        vec![
            format!("{run}/completed-succeeded"),
            "build.complete/1.0-succeeded".to_owned(),
            "build.complete/2.0-succeeded".to_owned(),
        ],
        vec![
            format!("{run}/form-of-2019-started"),
            "build.complete/1.0-of-github".to_owned(),
            format!("{run}/form-of-2019-completed"),
        ],
        vec![
            format!("{run}/other-organization-started"),
            format!("{run}/other-organization-completed"),
            "build.complete/2.0-other-organization".to_owned(),
        ],
    ] {
        let mut orders = Vec::new();
        for turn in 0..names.len() * 2 {
            let mut order = names.clone();
            order.rotate_left(turn / 2);
            if turn % 2 == 1 {
                order.reverse();
            }
            let (gateway, hook) = started().await;
            for (number, name) in order.iter().chain(&order).enumerate() {
                let mut body = fixture(&format!("{name}.json"));
                body["subscriptionId"] = json!("00000000-0000-0000-0000-000000000001");
                body["notificationId"] = number.into();
                delivered(&gateway, &hook, &body).await;
            }
            orders.push((order, told(&gateway).await));
        }
        let (_, first) = &orders[0];
        for (order, told) in &orders {
            assert_eq!(told, first, "{order:?}");
        }
        let ends = first.values().filter(|event| event["type"].as_str().unwrap().contains("pipelinerun.finished"));
        assert_eq!(ends.count(), 1, "{names:?}");
    }
}

#[tokio::test]
async fn an_end_that_was_rounded_over_the_second_is_the_same_end() {
    for (of_run, of_build, ends) in [
        ("2025-03-14T09:26:48.9999999Z", "2025-03-14T09:26:49Z", 1),
        ("2025-03-14T09:26:49.0033333Z", "2025-03-14T09:26:48.9970001Z", 1),
        ("2025-03-14T09:26:49.0000001Z", "2025-03-14T09:26:49.0066667Z", 1),
        ("2025-03-14T09:26:49Z", "2025-03-14T09:26:48.7Z", 1),
        ("2025-03-14T09:26:49.4Z", "2025-03-14T09:26:50Z", 1),
        ("2025-03-14T09:26:48.5Z", "2025-03-14T09:26:49.5Z", 1),
        ("2025-03-14T09:26:48Z", "2025-03-14T09:26:51Z", 1),
        ("2025-03-14T09:26:48.5Z", "2025-03-14T09:26:54.5Z", 2),
    ] {
        for turned in [false, true] {
            let (gateway, hook) = started().await;
            let mut run = fixture("ms.vss-pipelines.run-state-changed-event/completed-succeeded.json");
            run["resource"]["run"]["finishedDate"] = of_run.into();
            let mut build = fixture("build.complete/2.0-succeeded.json");
            build["resource"]["finishTime"] = of_build.into();
            for body in if turned { [&build, &run] } else { [&run, &build] } {
                delivered(&gateway, &hook, body).await;
            }
            let told = told(&gateway).await;
            let found = told.values().filter(|event| event["type"].as_str().unwrap().contains("pipelinerun.finished"));
            assert_eq!(found.count(), ends, "{of_run} {of_build} {turned}");
        }
    }
}

#[tokio::test]
async fn a_richer_telling_is_a_revision_that_names_what_it_replaces_and_each_notification_has_its_event() {
    let (gateway, hook) = started().await;
    let run = fixture("ms.vss-pipelines.run-state-changed-event/completed-succeeded.json");
    let (_, poor) = delivered(&gateway, &hook, &run).await;
    let (_, rich) = delivered(&gateway, &hook, &fixture("build.complete/2.0-succeeded.json")).await;
    let all = events(&gateway).await;
    let kinds: Vec<_> = all.iter().map(|event| event["type"].as_str().unwrap().split('.').nth(3).unwrap()).collect();
    assert_eq!(kinds, ["finished", "finished", "finished"]);
    let (first, revision) = (&all[0], &all[1]);
    assert_eq!(revision["replaces"], first["id"]);
    assert_eq!(revision["data"]["customData"]["hookwell"]["fact"], first["id"]);
    assert!(!revision["data"]["customData"]["azuredevops"]["startTime"].is_null());
    for (notification, event) in [(&poor, first), (&rich, revision)] {
        let detail = gateway.get(&format!("/v1/notifications/{notification}")).await.json();
        let told = detail["events"].as_array().unwrap();
        assert!(told.iter().any(|told| told["id"] == event["id"] && told["became"] == "unchanged"), "{detail:#}");
    }
    // Told again, nothing comes of it.
    for notification in [&poor, &rich, &poor] {
        gateway.ask("POST", &format!("/v1/notifications/{notification}/replay?dry_run=false")).send().await;
    }
    assert_eq!(events(&gateway).await.len(), all.len());
}

#[tokio::test]
async fn a_number_that_was_seen_with_another_envelope_is_another_delivery() {
    let (gateway, hook) = started().await;
    let with = |more: Value| {
        let mut body: Value = serde_json::from_str(&push(7)).unwrap();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let other = uuid::Uuid::from_u128(99).to_string();
    for (name, body, outcome) in [
        ("the first", with(json!({})), "accepted"),
        ("it again", with(json!({})), "duplicate"),
        (
            "it again, written otherwise",
            serde_json::from_str(&with(json!({})).to_string().replace(',', " , ")).unwrap(),
            "duplicate",
        ),
        ("another with its number", with(json!({ "id": other })), "accepted"),
        ("that again", with(json!({ "id": other })), "duplicate"),
        ("the first once more", with(json!({})), "duplicate"),
        ("the first, saying something else", with(json!({ "resource": { "pushId": 4 } })), "accepted"),
        ("and that again", with(json!({ "resource": { "pushId": 4 } })), "duplicate"),
    ] {
        let (said, id) = delivered(&gateway, &hook, &body).await;
        assert_eq!(said, outcome, "{name}");
        let detail = gateway.get(&format!("/v1/notifications/{id}")).await.json();
        let told = detail["events"].as_array().unwrap();
        assert!(!told.is_empty() || detail["nothing"].is_string(), "{name}: {detail:#}");
    }
    let list = gateway.get("/v1/notifications").await.json();
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_build_provider_chooses_what_success_in_part_is() {
    for (chosen, outcome, errors) in [
        (None, "success", Value::Null),
        (Some("success"), "success", Value::Null),
        (Some("failure"), "failure", Value::Null),
        (Some("as_azure_says"), "success", json!("partiallySucceeded")),
    ] {
        let gateway = Gateway::start().await;
        let (connection, reply) = gateway.connection().await;
        let hook = hook(&reply.json());
        gateway.project("web").await;
        let mut binding = json!({ "role": "build_provider", "connection": connection, "azure_project": "0f3d2c1b-7a6e-4d5c-8b4a-392817060504" });
        if let Some(chosen) = chosen {
            binding["partially_succeeded"] = chosen.into();
        }
        let made = gateway.post("/v1/projects/web/bindings", binding).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.json()["partially_succeeded"], chosen.unwrap_or("success"));
        delivered(&gateway, &hook, &fixture("build.complete/2.0-partiallySucceeded.json")).await;
        let event = events(&gateway).await.remove(0);
        let content = &event["data"]["subject"]["content"];
        assert_eq!((&content["outcome"], &content["errors"]), (&json!(outcome), &errors), "{chosen:?}");
    }
    let gateway = Gateway::start().await;
    let (connection, _) = gateway.connection().await;
    gateway.project("web").await;
    let wrong = json!({ "role": "build_provider", "connection": connection, "azure_project": "p", "partially_succeeded": "maybe" });
    let reply = gateway.post("/v1/projects/web/bindings", wrong).await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (422, vec!["/partially_succeeded".to_owned()]));
}
