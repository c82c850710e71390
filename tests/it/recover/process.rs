//! What the states of work items mean is the project's process's to say, and can be found out later than an item is closed.

use super::swept;
use crate::{
    deployments::unfilled,
    real::{Real, SHOP},
};
use hookwell::{
    reconcile::{Mode, reconcile},
    recover::{Depth, Mending},
    simulator::{Edit, Failing, Odds, Rule, When},
};
use serde_json::{Value, json};
use std::time::Duration;

/// The tickets that are told: type without version, and how one was resolved.
async fn tickets(real: &Real) -> Vec<String> {
    let line = |event: &hookwell::event::Event| {
        let json: Value = serde_json::from_slice(&event.json).unwrap();
        let resolution = json["data"]["subject"]["content"]["resolution"].as_str().unwrap_or_default();
        let kind = event.header.kind.split('.').nth(3).unwrap();
        format!("{kind} {resolution}").trim_end().to_owned()
    };
    let events = real.events().await;
    events.iter().filter(|event| event.header.kind.contains(".ticket.")).map(line).collect()
}

async fn following() -> Real {
    let real = unfilled().await;
    real.bind("web", SHOP, json!({ "role": "issue_provider" })).await;
    real.settle().await;
    real
}

/// Brings a new release note through these states, a minute each.
async fn moved(real: &Real, states: &[&str]) {
    let simulator = real.simulator();
    let note = simulator.create_work_item(simulator.project(SHOP).unwrap(), "Release Note", "Prices").unwrap();
    for state in states {
        real.pass(Duration::from_mins(1)).await;
        simulator.move_work_item(note, state).unwrap();
    }
    real.pass(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn an_item_is_closed_by_the_states_that_its_process_has_as_completed_or_removed() {
    let real = following().await;
    moved(&real, &["Closed", "Published", "Draft", "Dropped"]).await;
    assert_eq!(
        tickets(&real).await,
        ["created", "updated", "closed completed", "updated", "closed withdrawn"],
        "Closed is a step on the way in this process"
    );
}

#[tokio::test]
async fn what_was_told_before_the_process_was_known_is_not_told_again() {
    let real = unfilled().await;
    real.simulator().fail(|faults| {
        faults.rules.push(Rule::new("GET", "workitemtypes", When::Always, Failing::Forbidden));
    });
    real.bind("web", SHOP, json!({ "role": "issue_provider" })).await;
    real.settle().await;
    let from = real.gateway.app.clock.now();
    moved(&real, &["Closed", "Published"]).await;
    let before = tickets(&real).await;
    assert_eq!(before, ["created", "closed completed", "updated"], "by the usual names");
    real.simulator().fail(|faults| faults.rules.clear());
    reconcile(&real.gateway.app, real.connection, Mode::MendAnew).await.unwrap();
    assert!(!real.gateway.app.directory().processes(real.connection).is_empty());
    real.pass(Duration::from_mins(10)).await;
    let tally = swept(&real.gateway, real.connection, from, Depth::Everything, Mending::Mend).await;
    assert_eq!((tally.total.unexplained, tally.total.rest), (0, 0), "{tally:?}");
    assert_eq!(tickets(&real).await, before);
}

#[tokio::test]
async fn what_waits_for_the_revision_before_it_does_not_have_older_ones_told_again() {
    let real = unfilled().await;
    real.simulator().fail(|faults| {
        faults.rules.push(Rule::new("GET", "workitemtypes", When::Always, Failing::Forbidden));
    });
    real.bind("web", SHOP, json!({ "role": "issue_provider" })).await;
    real.settle().await;
    let simulator = real.simulator();
    let note = simulator.create_work_item(simulator.project(SHOP).unwrap(), "Release Note", "Prices").unwrap();
    simulator.move_work_item(note, "Closed").unwrap();
    real.pass(Duration::from_mins(1)).await;
    assert_eq!(tickets(&real).await, ["created", "closed completed"], "by the usual names");
    real.simulator().fail(|faults| faults.rules.clear());
    reconcile(&real.gateway.app, real.connection, Mode::MendAnew).await.unwrap();
    let title = |text: &str| [("System.Title".to_owned(), Edit::Set(text.into()))];
    real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(1.0));
    simulator.update_work_item(note, "", &title("lost")).unwrap();
    real.pass(Duration::from_secs(1)).await;
    real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(0.0));
    simulator.update_work_item(note, "", &title("Prices, again")).unwrap();
    real.pass(Duration::from_secs(1)).await;
    assert_eq!(tickets(&real).await, ["created", "closed completed", "updated", "updated"]);
}

#[tokio::test]
async fn another_selection_of_the_same_project_forgets_nothing_of_its_process() {
    let real = following().await;
    let bound = real.gateway.get("/v1/projects/web/bindings").await.json();
    let path = format!("/v1/bindings/{}", bound["data"][0]["id"].as_str().unwrap());
    let change = real.gateway.ask("PATCH", &path).header("if-match", "*");
    assert_eq!(change.json(&json!({ "area_paths": [SHOP] })).send().await.status, 200);
    moved(&real, &["Published"]).await;
    assert_eq!(tickets(&real).await, ["created", "closed completed"]);
}

#[tokio::test]
async fn that_an_item_was_closed_comes_back_although_its_comment_was_told() {
    let real = following().await;
    let from = real.gateway.app.clock.now();
    let updates: Vec<_> = real
        .simulator()
        .hooks()
        .subscriptions()
        .into_iter()
        .filter(|hook| hook.event_type == "workitem.updated")
        .map(|hook| hook.id.parse().unwrap())
        .collect();
    assert!(!updates.is_empty());
    real.simulator().fail(|faults| faults.hooks.lose = Odds::only(&updates));
    let (simulator, project) = (real.simulator(), real.simulator().project(SHOP).unwrap());
    let bug = simulator.create_work_item(project, "Bug", "Cold espresso").unwrap();
    let edits = [("System.State", "Closed"), ("System.History", "It was the cup.")];
    let edits = edits.map(|(name, value)| (name.to_owned(), Edit::Set(value.into())));
    simulator.update_work_item(bug, "", &edits).unwrap();
    real.pass(Duration::from_mins(10)).await;
    assert_eq!(tickets(&real).await, ["created", "updated"]);
    real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(0.0));
    swept(&real.gateway, real.connection, from, Depth::Everything, Mending::Mend).await;
    assert_eq!(tickets(&real).await, ["created", "updated", "closed completed"]);
}
