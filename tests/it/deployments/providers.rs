//! Where a deployment's builds and work items come from.

use super::{bind, deploying, deployment, told, unfilled};
use crate::real::{Real, SHOP, connect};
use hookwell::{
    reconcile::{Mode, reconcile},
    simulator::Edit,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;

fn web_shop(real: &Real) -> (Uuid, Uuid) {
    let project = real.simulator().project(SHOP).unwrap();
    (project, real.simulator().repository(project, "web shop").unwrap())
}

fn by_pull_request() -> Value {
    json!({ "tracking": "pull_request", "environments": [{ "environment": "production", "branch": "main" }] })
}

/// Merges a change of this message and title into main.
fn merge(real: &Real, topic: &str, message: &str, title: &str) {
    let (_, web) = web_shop(real);
    let simulator = real.simulator();
    simulator.push_commit(web, topic, message, &["/src/cart.rs"]).unwrap();
    let number = simulator.create_pull_request(web, topic, "main", title).unwrap();
    simulator.complete_pull_request(number, true).unwrap();
}

fn numbers(told: &Value) -> Vec<i64> {
    told["workItems"].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn strictly_work_items_are_mentioned_by_title_and_branch_alone() {
    let real = unfilled().await;
    deploying(&real, by_pull_request()).await;
    let (status, provider) = bind(&real, json!({ "role": "issue_provider" })).await;
    assert_eq!((status, &provider["strict_mentions"]), (201, &json!(false)), "{provider}");
    merge(&real, "topic/zero", "Begin", "Begin");
    told(&real).await;
    merge(&real, "topic/one", "Keep prices, AB#2", "Cart AB#1");
    assert_eq!(numbers(&deployment(told(&real).await.last().unwrap())), [1, 2]);
    let path = format!("/v1/bindings/{}", provider["id"].as_str().unwrap());
    let change = real.gateway.ask("PATCH", &path).header("if-match", "*");
    let reply = change.json(&json!({ "strict_mentions": true })).send().await;
    assert_eq!((reply.status.as_u16(), &reply.json()["strict_mentions"]), (200, &json!(true)), "{reply:?}");
    merge(&real, "topic/AB#3-two", "Keep prices, AB#2", "Cart AB#1");
    assert_eq!(numbers(&deployment(told(&real).await.last().unwrap())), [1, 3]);
}

#[tokio::test]
async fn lead_time_is_counted_from_when_a_work_item_first_entered_a_chosen_state() {
    let real = unfilled().await;
    deploying(&real, by_pull_request()).await;
    let body = json!({ "role": "issue_provider", "lead_time_states": ["active"] });
    assert_eq!(bind(&real, body).await.0, 201);
    real.settle().await;
    let simulator = real.simulator();
    let (project, _) = web_shop(&real);
    let [story, bug, late] =
        ["User Story", "Bug", "Bug"].map(|kind| simulator.create_work_item(project, kind, "Prices").unwrap());
    let mut began = Vec::new();
    for (item, state) in [(story, "Active"), (bug, "Active"), (story, "Resolved"), (story, "Active")] {
        real.pass(Duration::from_hours(1)).await;
        began.push(real.gateway.app.clock.now());
        simulator.move_work_item(item, state).unwrap();
    }
    merge(&real, "topic/one", "Keep prices", &format!("Cart AB#{story} AB#{bug} AB#{late}"));
    real.pass(Duration::from_secs(1)).await;
    simulator.move_work_item(late, "Active").unwrap();
    let first = deployment(told(&real).await.last().unwrap());
    assert_eq!(first["leadTime"]["workStarted"], json!(began[0]), "{first}");
    merge(&real, "topic/two", "Keep prices", &format!("Cart AB#{bug}"));
    let second = deployment(told(&real).await.last().unwrap());
    assert_eq!(second["leadTime"]["workStarted"], json!(began[1]), "{second}");
    merge(&real, "topic/three", "Keep prices", "Cart AB#1");
    let third = deployment(told(&real).await.last().unwrap());
    assert!(third["leadTime"]["workStarted"].is_null() && third["missing"].is_null(), "{third}");
    let shown = real.gateway.get(&format!("/v1/projects/web/deployments/{}", first["id"].as_str().unwrap())).await;
    assert_eq!(shown.json()["lead_time"]["work_started"], json!(began[0]), "{shown:?}");
}

#[tokio::test]
async fn a_work_item_that_became_another_type_keeps_the_beginning_that_it_had() {
    let real = unfilled().await;
    deploying(&real, by_pull_request()).await;
    let body = json!({ "role": "issue_provider", "lead_time_states": ["Active"] });
    assert_eq!(bind(&real, body).await.0, 201);
    real.settle().await;
    let (simulator, (project, _)) = (real.simulator(), web_shop(&real));
    let item = simulator.create_work_item(project, "Task", "Prices").unwrap();
    real.pass(Duration::from_hours(1)).await;
    let began = real.gateway.app.clock.now();
    simulator.move_work_item(item, "Active").unwrap();
    real.pass(Duration::from_hours(1)).await;
    simulator.update_work_item(item, "", &[("System.WorkItemType".to_owned(), Edit::Set("Bug".into()))]).unwrap();
    merge(&real, "topic/one", "Keep prices", &format!("Cart AB#{item}"));
    let first = deployment(told(&real).await.last().unwrap());
    assert_eq!((&first["workItems"][0]["type"], &first["leadTime"]["workStarted"]), (&json!("Bug"), &json!(began)));
}

/// What each deployment is listed with: its builds' pipelines.
fn pipelines(told: &Value) -> Vec<&str> {
    told["builds"].as_array().unwrap().iter().map(|build| build["pipeline"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_code_deployment_can_have_a_build_provider_of_its_own() {
    let real = unfilled().await;
    let rules = |pipeline: &str| {
        json!({ "tracking": "build", "environments": [
            { "environment": "production", "builds": [{ "pipeline": pipeline }] },
        ] })
    };
    let code = deploying(&real, rules("web shop CI")).await;
    let (_, web) = web_shop(&real);
    let simulator = real.simulator();
    let other = simulator.create_definition(web, "web shop nightly", &["Build"]).unwrap();
    let ci = simulator.definition(web_shop(&real).0, "web shop CI").unwrap();

    let own = json!({ "role": "build_provider", "pipelines": ["web shop nightly"], "code_deployment": code });
    let elsewhere = json!({ "role": "build_provider", "pipelines": ["x"], "code_deployment": Uuid::from_u128(7) });
    let (status, refused) = bind(&real, elsewhere).await;
    assert_eq!((status, &refused["errors"][0]["pointer"]), (409, &json!("/code_deployment")), "{refused}");
    // Through a connection of its own, as with a token that sees builds alone.
    let builds = connect(&real.gateway, &real.azure, json!({ "name": "Builds" })).await;
    let mut body = own.clone();
    body["connection"] = json!(builds.0);
    body["azure_project"] = json!(SHOP);
    let reply = real.gateway.post("/v1/projects/web/bindings", body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.json()["code_deployment"], json!(code));
    assert_eq!(bind(&real, own).await.0, 409, "it has one already");
    let second = json!({ "role": "code_deployment", "repository": "web shop", "name": "second" });
    let (_, second) = bind(&real, second).await;
    let mut body = json!({ "role": "build_provider", "pipelines": ["web shop nightly"], "azure_project": SHOP });
    (body["connection"], body["code_deployment"]) = (json!(builds.0), second["id"].clone());
    assert_eq!(real.gateway.post("/v1/projects/web/bindings", body).await.status, 201, "two can have equal ones");
    real.unbind(second["id"].as_str().unwrap()).await;
    let path = format!("/v1/bindings/{code}");
    let change = real.gateway.ask("PATCH", &path).header("if-match", "*");
    assert_eq!(change.json(&json!({ "deploys": rules("web shop nightly") })).send().await.status, 200);
    real.settle().await;
    for _ in 0..2 {
        reconcile(&real.gateway.app, builds, Mode::Mend).await.unwrap();
    }

    simulator.push_commit(web, "main", "one", &["/a"]).unwrap();
    for pipeline in [ci, other] {
        simulator.run_build(pipeline, "main", "succeeded").unwrap();
        real.pass(Duration::from_secs(1)).await;
    }
    let events = told(&real).await;
    assert_eq!(events.len(), 1, "{events:?}");
    let first = deployment(&events[0]);
    assert_eq!(
        (&first["cause"]["pipeline"], pipelines(&first)),
        (&json!("web shop nightly"), vec!["web shop nightly"])
    );
    let sha = first["revision"].as_str().unwrap();
    let listed = async |more: &str| {
        let reply = real.gateway.get(&format!("/v1/projects/web/builds?sha={sha}{more}")).await.json();
        let runs = reply["data"].as_array().unwrap();
        runs.iter().map(|run| run["pipeline"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(listed(&format!("&code_deployment={code}")).await, BTreeSet::from(["web shop nightly".to_owned()]));
    let stranger = format!("/v1/projects/web/builds?sha={sha}&code_deployment={}", Uuid::from_u128(7));
    assert_eq!(real.gateway.get(&stranger).await.status, 404);
    assert_eq!(listed("").await.len(), 2, "the project's provider has all pipelines");

    real.unbind(&code).await;
    let left = real.gateway.get("/v1/projects/web/bindings").await.json();
    let left = left["data"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["role"]), (1, &json!("build_provider")), "its own provider went with it");
    assert!(left[0]["code_deployment"].is_null(), "{left:?}");
}

#[tokio::test]
async fn builds_can_come_through_another_connection_than_the_code() {
    let real = unfilled().await;
    let by_hand = json!({ "tracking": "manual", "environments": [{ "environment": "production" }] });
    let code = deploying(&real, by_hand).await;
    let bound = real.gateway.get("/v1/projects/web/bindings").await.json();
    let provider = bound["data"].as_array().unwrap().iter().find(|binding| binding["role"] == "build_provider");
    real.unbind(provider.unwrap()["id"].as_str().unwrap()).await;
    let builds = connect(&real.gateway, &real.azure, json!({ "name": "Builds" })).await;
    let body =
        json!({ "role": "build_provider", "code_deployment": code, "connection": builds.0, "azure_project": SHOP });
    assert_eq!(real.gateway.post("/v1/projects/web/bindings", body).await.status, 201);
    let rules = json!({ "tracking": "build", "environments": [
        { "environment": "production", "builds": [{ "pipeline": "web shop CI", "stage": "Deploy*" }] },
    ] });
    let change = real.gateway.ask("PATCH", &format!("/v1/bindings/{code}")).header("if-match", "*");
    assert_eq!(change.json(&json!({ "deploys": rules })).send().await.status, 200);
    real.settle().await;
    for _ in 0..2 {
        reconcile(&real.gateway.app, builds, Mode::Mend).await.unwrap();
    }
    let (project, web) = web_shop(&real);
    let simulator = real.simulator();
    simulator.push_commit(web, "main", "one", &["/a"]).unwrap();
    simulator.run_build(simulator.definition(project, "web shop CI").unwrap(), "main", "succeeded").unwrap();
    let events = told(&real).await;
    let runs = real.events_so_far().await;
    let through: Vec<_> = runs.iter().filter(|event| event.header.kind.contains("run.finished")).collect();
    assert!(!through.is_empty() && through.iter().all(|event| event.header.connection == builds), "{through:?}");
    assert_eq!((events.len(), events[0].header.connection), (1, real.connection));
    let first = deployment(&events[0]);
    assert_eq!((&first["commits"][0]["message"], pipelines(&first)), (&json!("one"), vec!["web shop CI"]), "{first}");
}

#[tokio::test]
async fn what_lies_between_two_commits_is_asked_once_however_many_deployments_it_is_in() {
    let real = unfilled().await;
    let by_push = || json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }] });
    deploying(&real, by_push()).await;
    for (name, paths) in [("cart", &["src"][..]), ("mail", &["src", "docs"])] {
        let mut deploys = by_push();
        deploys["include_paths"] = json!(paths);
        let body = json!({ "role": "code_deployment", "repository": "web shop", "name": name, "deploys": deploys });
        assert_eq!(bind(&real, body).await.0, 201);
    }
    real.settle().await;
    let (_, web) = web_shop(&real);
    real.simulator().push_commit(web, "main", "one", &["/src/a"]).unwrap();
    assert_eq!(told(&real).await.len(), 3);
    let before = real.simulator().calls().len();
    real.simulator().push_commit(web, "main", "two", &["/src/b"]).unwrap();
    assert_eq!(told(&real).await.len(), 6);
    let calls = real.calls_since(before);
    let asked = |part: &str| calls.iter().filter(|call| call.target.contains(part)).count();
    assert_eq!((asked("/diffs/commits"), asked("/commitsbatch")), (1, 1), "{calls:?}");
}
