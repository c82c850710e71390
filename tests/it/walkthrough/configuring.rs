//! "Configuring the integration": its three points.

use super::word;
use crate::real::{Real, SHOP};
use hookwell::simulator::Simulator;
use serde_json::{Value, json};
use std::time::Duration;

const SLUG: &str = "shop";

/// The types of the events that this made, of which each must be of our project.
async fn types(real: &Real, act: impl FnOnce(&Simulator)) -> Vec<String> {
    real.settle().await;
    let before = real.events().await.len();
    real.pass(Duration::from_secs(1)).await;
    act(real.simulator());
    real.pass(Duration::ZERO).await;
    let made = real.events().await.split_off(before);
    assert!(!made.is_empty() && made.iter().all(|event| event.header.projects == [SLUG.parse().unwrap()]), "{made:?}");
    made.into_iter().map(|event| event.header.kind).collect()
}

fn has(types: &[String], part: &str) -> bool {
    types.iter().any(|kind| kind.contains(part))
}

/// What the project takes, as the page of the project shows it.
async fn bindings(real: &Real) -> Vec<Value> {
    let list = real.gateway.get(&format!("/v1/projects/{SLUG}/bindings")).await.json();
    list["data"].as_array().unwrap().clone()
}

/// The project has a provider of this role, and takes no second one.
async fn is_the_only_one(real: &Real, role: &str) {
    let [own] = &bindings(real).await[..] else { panic!("one binding") };
    assert_eq!((word(own, "/role"), word(own, "/project")), (role, SLUG));
    let body = json!({ "role": role, "connection": real.connection.to_string(), "azure_project": SHOP });
    let second = real.gateway.post(&format!("/v1/projects/{SLUG}/bindings"), body).await;
    assert_eq!(second.status, 409, "{second:?}");
    assert_eq!(bindings(real).await.len(), 1);
}

#[tokio::test]
async fn a_code_deployment_is_set_up_for_a_project_and_tells_of_its_branch_alone() {
    let real = Real::start().await;
    let body = json!({ "role": "code_deployment", "repository": "web shop", "branch": "main" });
    let id = real.bind(SLUG, SHOP, body).await;
    let [own] = &bindings(&real).await[..] else { panic!("one binding") };
    assert_eq!((word(own, "/id"), word(own, "/repository"), word(own, "/branch")), (&*id, "web shop", "main"));
    let repository =
        |simulator: &Simulator| simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
    let told = types(&real, |simulator| {
        simulator.push_commit(repository(simulator), "main", "Roast longer", &["/a"]).unwrap();
    })
    .await;
    assert!(has(&told, "branch.updated") || has(&told, "branch.created"), "{told:?}");
    let before = real.events().await.len();
    real.simulator().push_commit(repository(real.simulator()), "elsewhere", "Roast less", &["/a"]).unwrap();
    real.pass(Duration::ZERO).await;
    let other = real.events().await.split_off(before);
    assert!(other.iter().all(|event| event.header.projects.is_empty()), "{other:?}");
}

#[tokio::test]
async fn a_build_server_azure_devops_becomes_the_build_provider_of_a_project() {
    let real = Real::start().await;
    real.bind(SLUG, SHOP, json!({ "role": "build_provider" })).await;
    is_the_only_one(&real, "build_provider").await;
    let told = types(&real, |simulator| {
        let pipeline = simulator.definition(simulator.project(SHOP).unwrap(), "web shop CI").unwrap();
        simulator.run_build(pipeline, "main", "succeeded").unwrap();
    })
    .await;
    assert!(has(&told, "build.finished") && has(&told, "pipelinerun.finished"), "{told:?}");
}

#[tokio::test]
async fn an_issue_tracker_azure_devops_becomes_the_issue_provider_of_a_project() {
    let real = Real::start().await;
    real.bind(SLUG, SHOP, json!({ "role": "issue_provider" })).await;
    is_the_only_one(&real, "issue_provider").await;
    let told = types(&real, |simulator| {
        simulator.create_work_item(simulator.project(SHOP).unwrap(), "Bug", "Too dark").unwrap();
    })
    .await;
    assert!(has(&told, "ticket.created"), "{told:?}");
}
