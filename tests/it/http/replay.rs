//! Translating again: the same is left alone, what is different says what it replaces.

use super::hooks::{Hook, hook};
use crate::harness::Gateway;
use hookwell::{
    config::Settings,
    store::{
        Change, Consumers as _, Expected, Journal as _, Log, MemoryStore, PageLimit, Position, Registry as _,
        Settlement,
    },
    translate::step::{consumer, step},
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc, time::Duration};

const ALL: PageLimit = PageLimit { records_max: 1_000, body_bytes_max: 64 << 20 };

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/azure").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The closing of a work item, as this notification.
fn closing(number: u32) -> String {
    let mut body = fixture("workitem.updated/closed-5.1.json");
    body["notificationId"] = number.into();
    body.to_string()
}

async fn started() -> (Gateway, Hook) {
    let gateway = Gateway::start().await;
    let hook = hook(&gateway.connection().await.1.json());
    (gateway, hook)
}

/// Delivers and translates; the notification's id.
async fn delivered(gateway: &Gateway, hook: &Hook, body: impl Into<bytes::Bytes>) -> String {
    let reply = hook.ask(gateway, body).send().await;
    while step(&gateway.app).await.unwrap().count > 0 {}
    reply.json()["notification"].as_str().unwrap().to_owned()
}

/// The same data under other settings, as after a restart.
async fn restarted(gateway: &Gateway, completed_states: &[&str]) -> Gateway {
    // The harness has new master keys each time; what they sealed is made anew.
    let forget = |id: &str| Change { kind: "secret", id: id.to_owned(), expected: Expected::Any, value: None };
    gateway.store.commit(vec![forget("hook"), forget("token")]).await.unwrap();
    let completed_states = Some(completed_states.iter().map(ToString::to_string).collect());
    let settings = Settings { completed_states, ..Settings::default() };
    let store = Arc::clone(&gateway.store);
    Gateway::on(settings, Arc::<MemoryStore>::clone(&store), store).await
}

async fn replayed(gateway: &Gateway, notification: &str, dry_run: bool) -> Value {
    let path = format!("/v1/notifications/{notification}/replay?dry_run={dry_run}");
    let reply = gateway.ask("POST", &path).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn events(gateway: &Gateway) -> Vec<Value> {
    let records = gateway.store.read(Log::Events, Position(0), ALL).await.unwrap();
    let read = |record: hookwell::store::Record| {
        let event = hookwell::event::Event::from_stored(record.key, &record.body).unwrap();
        let json: Value = serde_json::from_slice(&event.json).unwrap();
        assert_eq!((&json["id"], &json["data"]["context"]["id"]), (&json!(record.key), &json!(record.key)));
        json
    };
    records.into_iter().map(read).collect()
}

fn kind(event: &Value) -> &str {
    event["type"].as_str().unwrap().trim_start_matches("dev.cdevents.").trim_end_matches(".0.2.0")
}

#[tokio::test]
async fn what_says_the_same_is_left_alone() {
    let (gateway, hook) = started().await;
    let id = delivered(&gateway, &hook, closing(1)).await;
    let before = events(&gateway).await;
    for dry_run in [true, false] {
        let told = replayed(&gateway, &id, dry_run).await;
        assert_eq!((&told["dry_run"], &told["notification"]), (&json!(dry_run), &json!(id)));
        assert_eq!(
            told["events"],
            json!([{ "id": before[0]["id"], "type": before[0]["type"], "became": "unchanged" }])
        );
    }
    assert_eq!(events(&gateway).await, before);
}

#[tokio::test]
async fn what_other_settings_tell_otherwise_replaces_what_was_told_and_back_again() {
    let (gateway, hook) = started().await;
    let id = delivered(&gateway, &hook, closing(1)).await;
    let closed = events(&gateway).await.remove(0);
    assert_eq!(kind(&closed), "ticket.closed");

    let gateway = restarted(&gateway, &["Done"]).await;
    let told = replayed(&gateway, &id, true).await["events"][0].clone();
    assert_eq!((&told["became"], &told["replaces"]), (&json!("changed"), &closed["id"]));
    let differences: Vec<&str> = told["differences"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    assert_eq!(differences, ["/data/context/type", "/data/subject/content/resolution", "/type"]);
    assert_eq!(events(&gateway).await.len(), 1, "a dry run appends nothing");

    for again in 0..2 {
        let told = replayed(&gateway, &id, false).await["events"][0].clone();
        assert_eq!(told["became"], if again == 0 { "changed" } else { "unchanged" });
    }
    let all = events(&gateway).await;
    let (updated, own) = (&all[1], &all[1]["data"]["customData"]["hookwell"]);
    assert_eq!((all.len(), kind(updated)), (2, "ticket.updated"));
    assert_eq!((&updated["replaces"], &own["replaces"]), (&closed["id"], &closed["id"]));
    assert_eq!(all[0], closed, "what was handed on stays as it was");

    let gateway = restarted(&gateway, &["Closed"]).await;
    for _ in 0..2 {
        replayed(&gateway, &id, false).await;
    }
    let all = events(&gateway).await;
    assert_eq!((all.len(), kind(&all[2]), &all[2]["replaces"]), (3, "ticket.closed", &all[1]["id"]));
    assert_ne!(all[2]["id"], closed["id"], "an id is one event");
}

#[tokio::test]
async fn a_project_that_was_bound_later_makes_revisions_of_what_belongs_to_it() {
    let (gateway, hook) = started().await;
    let id = delivered(&gateway, &hook, closing(1)).await;
    let connection = gateway.get("/v1/connections").await.json()["data"][0]["id"].clone();
    let mut ids = vec![events(&gateway).await[0]["id"].clone()];
    for slug in ["one", "two"] {
        gateway.project(slug).await;
        let binding = json!({ "role": "issue_provider", "connection": connection, "azure_project": "fabrikam" });
        assert_eq!(gateway.post(&format!("/v1/projects/{slug}/bindings"), binding).await.status, 201);
        let told = replayed(&gateway, &id, false).await["events"][0].clone();
        assert_eq!((&told["became"], &told["replaces"]), (&json!("changed"), ids.last().unwrap()));
        assert!(told["differences"][0].as_str().unwrap().starts_with("/data/customData/hookwell/projects"));
        ids.push(told["id"].clone());
    }
    let projects = |event: &Value| event["data"]["customData"]["hookwell"]["projects"].clone();
    let all = events(&gateway).await;
    assert_eq!(all.iter().map(projects).collect::<Vec<_>>(), [json!([]), json!(["one"]), json!(["one", "two"])]);
    let served = gateway.get("/v1/events?project=two").await.json();
    assert_eq!((served["data"].as_array().unwrap().len(), &served["data"][0]["id"]), (1, &ids[2]));
    assert_eq!(replayed(&gateway, &id, false).await["events"][0]["became"], "unchanged");
}

#[tokio::test]
async fn a_fact_belongs_to_the_notification_that_told_it_first() {
    let (gateway, hook) = started().await;
    let first = delivered(&gateway, &hook, closing(1)).await;
    let second = delivered(&gateway, &hook, closing(2)).await;
    let told = replayed(&gateway, &second, false).await["events"][0].clone();
    assert_eq!((&told["became"], &told["told_by"]), (&json!("told_by_another"), &json!(first)));
    assert_eq!(events(&gateway).await.len(), 1);
}

#[tokio::test]
async fn what_was_given_up_becomes_events_once_it_can() {
    let (gateway, hook) = started().await;
    let reply = hook.ask(&gateway, closing(1)).send().await;
    let id = reply.json()["notification"].as_str().unwrap().to_owned();
    assert_eq!(replayed(&gateway, &id, false).await["nothing"], "it was not translated for the first time yet");
    let claim = gateway.store.claim(&consumer(), gateway.app.clock.now(), Duration::from_mins(1), ALL).await.unwrap();
    let dead = vec![Settlement::Dead { reason: "a mapping of long ago".to_owned() }];
    gateway.store.settle(claim, dead, Vec::new()).await.unwrap();
    assert_eq!(replayed(&gateway, &id, true).await["events"][0]["became"], "new");
    replayed(&gateway, &id, false).await;
    assert_eq!(replayed(&gateway, &id, false).await["events"][0]["became"], "unchanged");
    assert_eq!(events(&gateway).await.len(), 1);
}

#[tokio::test]
async fn of_samples_and_of_what_is_in_quarantine_nothing_comes_and_it_is_said_why() {
    let (gateway, hook) = started().await;
    let mut sample = fixture("workitem.updated/closed-5.1.json");
    sample["subscriptionId"] = json!("00000000-0000-0000-0000-000000000000");
    for (body, why) in [(sample.to_string(), "the sample of the Test button"), ("[]".to_owned(), "in quarantine")] {
        let id = delivered(&gateway, &hook, body).await;
        let told = replayed(&gateway, &id, false).await;
        assert!(told["nothing"].as_str().unwrap().contains(why), "{told}");
    }
    let nobody = gateway.ask("POST", "/v1/notifications/00000000-0000-4000-8000-00000000dead/replay").send().await;
    assert_eq!(nobody.status, 404);
}

#[tokio::test]
async fn a_stretch_is_translated_again_a_page_at_a_time() {
    let (gateway, hook) = started().await;
    let mut ids = Vec::new();
    let mut body = fixture("workitem.updated/closed-5.1.json");
    for number in 0..30 {
        body["notificationId"] = number.into();
        body["resource"]["workItemId"] = (100 + number).into();
        ids.push(delivered(&gateway, &hook, body.to_string()).await);
        gateway.advance(Duration::from_mins(10));
    }
    let other = gateway.connection().await.0;
    let gateway = restarted(&gateway, &["Done"]).await;
    // From the tenth on, and without the last five.
    let mut asked = json!({
        "from": "2026-11-22T11:40:00Z", "to": "2026-11-22T14:10:00Z", "limit": 4, "dry_run": true,
    });
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = gateway.post("/v1/replay", asked.clone()).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        let of = |value: &Value| value["notification"].as_str().unwrap().to_owned();
        seen.extend(page["data"].as_array().unwrap().iter().map(of));
        assert_eq!(page["counts"]["changed"], page["counts"]["notifications"]);
        pages += 1;
        match page.get("next") {
            Some(next) => asked["after"] = next.clone(),
            None => break,
        }
    }
    assert_eq!((seen, events(&gateway).await.len()), (ids[10..25].to_vec(), 30));
    assert!((4..=8).contains(&pages), "{pages}");

    let whole = json!({ "from": "2026-11-22T00:00:00Z", "to": "2026-11-24T00:00:00Z" });
    let counts = gateway.post("/v1/replay", whole.clone()).await.json()["counts"].clone();
    assert_eq!((&counts["changed"], events(&gateway).await.len()), (&json!(30), 60));
    let again = gateway.post("/v1/replay", whole.clone()).await.json();
    assert_eq!((&again["counts"]["unchanged"], &again["data"]), (&json!(30), &json!([])));
    assert_eq!(events(&gateway).await.len(), 60);
    let mut of_other = whole;
    of_other["connection"] = other.into();
    assert_eq!(gateway.post("/v1/replay", of_other).await.json()["counts"]["notifications"], 0);
}

#[tokio::test]
async fn what_is_wrong_with_a_replay_is_said_all_at_once() {
    let (gateway, _) = started().await;
    let reply = gateway
        .post(
            "/v1/replay",
            json!({ "from": "yesterday", "limit": 0, "after": "?", "dry_run": 1, "connection": "x", "y": 1 }),
        )
        .await;
    assert_eq!(reply.status, 422);
    let mut wrong = reply.wrong();
    wrong.sort();
    assert_eq!(wrong, ["/after", "/connection", "/dry_run", "/from", "/limit", "/to", "/y"]);
    let backwards = json!({ "from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:00:00Z" });
    assert_eq!(gateway.post("/v1/replay", backwards).await.wrong(), ["/to"]);
    let body = json!({ "from": "2026-11-22T10:00:00Z", "to": "2026-11-22T11:00:00Z" });
    let reader = gateway.ask("POST", "/v1/replay").token(gateway.read.clone()).json(&body).send().await;
    assert_eq!(reader.status, 403);
}
