//! Work items whose hooks are lost or overtake each other: the same facts, saying the same, in the same order.

use super::{bind_all, bound, events, losses::unfilled, swept};
use crate::real::{Real, SHOP, bind};
use hookwell::{
    event::Event,
    reconcile::{Mode, reconcile},
    recover::{Depth, Mending, Request, recover},
    simulator::{Edit, Odds},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

fn of_items(events: &[Event]) -> Vec<(String, Value)> {
    let json = |event: &Event| serde_json::from_slice::<Value>(&event.json).unwrap();
    let kind = |json: &Value| json["type"].as_str().unwrap().rsplitn(4, '.').nth(3).unwrap().to_owned();
    let items = events.iter().map(json).filter(|json| json["subject"].as_str().unwrap().starts_with("wit/"));
    items.map(|json| (kind(&json), json)).collect()
}

fn lose(real: &Real, odds: f64) {
    real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(odds));
}

#[tokio::test]
async fn what_a_deleted_item_lost_is_told_before_its_deletion() {
    let real = unfilled().await;
    bound(&real).await;
    let simulator = real.simulator().clone();
    let project = simulator.project(SHOP).unwrap();
    lose(&real, 1.0);
    let gone = simulator.create_work_item(project, "Bug", "Gone soon").unwrap();
    real.pass(Duration::from_mins(1)).await;
    lose(&real, 0.0);
    simulator.move_work_item(gone, "Active").unwrap();
    simulator.delete_work_item(gone).unwrap();
    real.pass(Duration::from_secs(30)).await;
    let told = of_items(&real.events().await);
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        ["dev.cdevents.ticket.created", "dev.cdevents.ticket.updated", "dev.cdeventsx.azuredevops-workitem.deleted"]
    );
    assert!(real.gateway.app.store.list("gap").is_empty(), "nothing is missing");
}

#[tokio::test]
async fn a_deletion_that_is_lost_comes_back_from_the_records_once() {
    let real = unfilled().await;
    bound(&real).await;
    let (simulator, from) = (real.simulator().clone(), real.gateway.app.clock.now());
    let project = simulator.project(SHOP).unwrap();
    lose(&real, 1.0);
    let item = simulator.create_work_item(project, "Bug", "Away and back").unwrap();
    real.pass(Duration::from_mins(1)).await;
    simulator.delete_work_item(item).unwrap();
    real.pass(Duration::from_mins(1)).await;
    simulator.restore_work_item(item).unwrap();
    real.pass(Duration::from_mins(1)).await;
    lose(&real, 0.0);
    for _ in 0..2 {
        swept(&real.gateway, real.connection, from, Depth::Everything, Mending::Mend).await;
        let told = of_items(&real.events().await);
        let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.rsplit('.').next().unwrap()).collect();
        assert_eq!(kinds, ["created", "deleted", "restored"]);
    }
}

#[tokio::test]
async fn what_is_imported_with_a_date_of_long_ago_comes_back_from_the_records() {
    let real = unfilled().await;
    bound(&real).await;
    let (simulator, app) = (real.simulator().clone(), &real.gateway.app);
    let item = simulator.create_work_item(simulator.project(SHOP).unwrap(), "Bug", "From elsewhere").unwrap();
    real.pass(Duration::from_mins(1)).await;
    let then = real.gateway.app.clock.now();
    // Longer than the journal keeps anything.
    real.gateway.advance(Duration::from_hours(40 * 24));
    let look = async || {
        let report = recover(app, real.connection, Request { since: None, closely: false }).await.unwrap();
        assert!(!report.failed && report.troubles.is_empty(), "{:?}", report.troubles);
        of_items(&real.events().await)
    };
    let before = look().await.len();
    lose(&real, 1.0);
    let set = |name: &str, value: String| (name.to_owned(), Edit::Set(value.into()));
    let imported = [set("System.Title", "As it was".to_owned()), set("System.ChangedDate", then.to_string())];
    simulator.update_work_item(item, "", &imported).unwrap();
    real.pass(Duration::from_mins(30)).await;
    lose(&real, 0.0);
    let told = look().await;
    assert_eq!(told.len(), before + 1, "{told:#?}");
    let (kind, last) = told.last().unwrap();
    assert_eq!((kind.as_str(), &last["time"]), ("dev.cdevents.ticket.updated", &json!(then.to_string())));
    assert_eq!(look().await.len(), before + 1, "it is told once");
}

/// Events without what is the delivery's and not the fact's.
fn said(events: &[Event]) -> BTreeMap<Uuid, Value> {
    // The number of a comment is in no revision.
    let of_delivery = ["eventId", "subscriptionId", "eventType", "resourceVersion", "commentId"];
    let clean = |(_, mut json): (String, Value)| {
        let data = json["data"]["customData"].as_object_mut().unwrap();
        data.remove("hookwell");
        let azure = data["azuredevops"].as_object_mut().unwrap();
        azure.retain(|name, _| !of_delivery.contains(&name.as_str()));
        // Deleting and restoring are of the time that the delivery says, seconds after.
        if json["type"].as_str().unwrap().contains("azuredevops-workitem") {
            json["time"] = Value::Null;
            json["data"]["context"]["timestamp"] = Value::Null;
        }
        (json["id"].as_str().unwrap().parse().unwrap(), json)
    };
    of_items(events).into_iter().map(clean).collect()
}

#[tokio::test]
async fn hooks_and_records_tell_the_same_facts_and_say_the_same_of_them() {
    let real = unfilled().await;
    bound(&real).await;
    let (simulator, from) = (real.simulator().clone(), real.gateway.app.clock.now());
    let minute = async || real.pass(Duration::from_mins(1)).await;
    minute().await;
    let project = simulator.project(SHOP).unwrap();
    let [one, other] = [("Bug", "One"), ("Task", "Other")]
        .map(|(kind, title)| simulator.create_work_item(project, kind, title).unwrap());
    minute().await;
    let set = |name: &str, value: &str| (name.to_owned(), Edit::Set(value.into()));
    let url = format!("{}/_apis/wit/workItems/{other}", real.url);
    for turn in 0..5 {
        let edits = [
            set("System.Title", &format!("Turn {turn}")),
            set("System.History", "Why not"),
            set("Custom.Team", "Blue"),
        ];
        simulator.update_work_item(one, "mei@fabrikam.example", &edits[..=turn % 3]).unwrap();
        minute().await;
        simulator.link_work_item(one, "System.LinkTypes.Related", &url).unwrap();
        minute().await;
        simulator.unlink_work_item(one, &url).unwrap();
        minute().await;
        simulator.move_work_item(one, ["Active", "Resolved", "Closed"][turn % 3]).unwrap();
        minute().await;
    }
    simulator.link_work_item(other, "ArtifactLink", "vstfs:///Git/Commit/a%2Fb%2Fc").unwrap();
    minute().await;
    simulator.delete_work_item(other).unwrap();
    minute().await;
    simulator.restore_work_item(other).unwrap();
    minute().await;
    let by_hooks = said(&real.events().await);

    let (beside, connection) = real.beside().await;
    bind_all(&beside, connection).await;
    beside.advance(real.gateway.clock_ahead_of(&beside));
    reconcile(&beside.app, connection, Mode::Mend).await.unwrap();
    swept(&beside, connection, from, Depth::Everything, Mending::Mend).await;
    let by_records = said(&events(&beside).await);
    assert_eq!(by_hooks.keys().collect::<Vec<_>>(), by_records.keys().collect::<Vec<_>>());
    for (id, said) in &by_hooks {
        assert_eq!(said, &by_records[id], "{id}");
    }
    assert!(by_hooks.len() > 30, "{}", by_hooks.len());
}

#[tokio::test]
async fn an_issue_provider_has_its_fields_carried() {
    let real = unfilled().await;
    let body = json!({ "role": "issue_provider", "carried_fields": ["Custom.Team", "microsoft.vsts.common.priority"] });
    let binding = bind(&real.gateway, real.connection, "tickets", SHOP, body).await;
    real.settle().await;
    let shown = real.gateway.get(&format!("/v1/bindings/{binding}")).await.json();
    assert_eq!(shown["carried_fields"], json!(["Custom.Team", "microsoft.vsts.common.priority"]));
    let simulator = real.simulator().clone();
    let item = simulator.create_work_item(simulator.project(SHOP).unwrap(), "Bug", "Blue").unwrap();
    real.pass(Duration::from_mins(1)).await;
    simulator.update_work_item(item, "", &[("Custom.Team".to_owned(), Edit::Set("Blue".into()))]).unwrap();
    real.pass(Duration::from_mins(1)).await;
    let told = of_items(&real.events().await);
    let fields: Vec<&Value> =
        told.iter().map(|(_, json)| &json["data"]["customData"]["azuredevops"]["fields"]).collect();
    assert_eq!(fields[0], &json!({"microsoft.vsts.common.priority": 2}));
    assert_eq!(fields[1], &json!({"Custom.Team": "Blue", "microsoft.vsts.common.priority": 2}));
    let wrong = json!({ "carried_fields": ["a b"] });
    let reply = real.gateway.ask("PATCH", &format!("/v1/bindings/{binding}")).header("if-match", "*").json(&wrong);
    assert_eq!(reply.send().await.wrong(), ["/carried_fields/0"]);
}
