//! Each way of tracking, from what Azure DevOps says to the event.

use super::{deploying, deployment, line, told, unfilled};
use crate::real::{Real, SHOP};
use serde_json::json;
use uuid::Uuid;

fn shop(real: &Real) -> (Uuid, u32) {
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    (web, simulator.definition(project, "web shop CI").unwrap())
}

#[tokio::test]
async fn a_stage_that_succeeds_deploys_the_revision_that_was_built_and_one_that_fails_does_not() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "build", "environments": [
            { "environment": "production", "builds": [{ "pipeline": "web shop CI", "stage": "Deploy*" }] },
            { "environment": "staging", "builds": [{ "pipeline": "web shop CI", "stage": "build" }] },
        ] }),
    )
    .await;
    let (web, ci) = shop(&real);
    let simulator = real.simulator();
    for (message, result) in [("one", "succeeded"), ("two", "failed"), ("three", "succeeded")] {
        simulator.push_commit(web, "main", message, &["/src/prices.rs"]).unwrap();
        let build = simulator.queue_build(ci, "main").unwrap();
        simulator.start_build(build).unwrap();
        for (stage, result) in [("Build", "succeeded"), ("Deploy to production", result)] {
            simulator.start_stage(build, stage).unwrap();
            simulator.finish_stage(build, stage, result).unwrap();
        }
        simulator.finish_build(build, result).unwrap();
        told(&real).await;
    }
    let events = told(&real).await;
    let lines: Vec<String> = events.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "staging first one 1",
            "production first one 1",
            "staging forward two 1",
            "staging forward three 1",
            "production forward three 2",
        ]
    );
    let last = deployment(events.last().unwrap());
    assert_eq!(last["files"], json!([{ "path": "/src/prices.rs" }]), "{last}");
    assert_eq!(last["cause"]["part"], "Deploy to production", "{last}");
    assert!(last["missing"].is_null(), "{last}");
}

#[tokio::test]
async fn a_push_deploys_its_branch_and_going_back_is_told_as_that() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "push", "environments": [
            { "environment": "production", "branch": "main" }, { "environment": "staging", "branch_prefix": "release/" },
        ] }),
    )
    .await;
    let (web, _) = shop(&real);
    let simulator = real.simulator();
    simulator.push_commit(web, "main", "one", &["/a"]).unwrap();
    simulator.push_commit(web, "topic/x", "elsewhere", &["/a"]).unwrap();
    told(&real).await;
    simulator.push_commit(web, "main", "two", &["/b"]).unwrap();
    let events = told(&real).await;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["production first one 1", "production forward two 1"]);
}
