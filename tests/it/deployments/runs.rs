//! Which runs deploy, and what: of branches, tags and pull requests, started by others, of several repositories.

use super::{all_told as told, bind, deploying, deployment, kept, unfilled};
use crate::{
    real::{Real, SHOP},
    recover::losses::CLOSELY,
};
use hookwell::{
    recover::recover,
    simulator::{Odds, RefChange, StartedBy},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

fn shop(real: &Real) -> (Uuid, Uuid, u32) {
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    (project, simulator.repository(project, "web shop").unwrap(), simulator.definition(project, "web shop CI").unwrap())
}

/// Runs all stages of a build.
fn run(real: &Real, build: u32, stages: &[&str]) {
    let simulator = real.simulator();
    simulator.start_build(build).unwrap();
    for stage in stages {
        simulator.start_stage(build, stage).unwrap();
        simulator.finish_stage(build, stage, "succeeded").unwrap();
    }
    simulator.finish_build(build, "succeeded").unwrap();
}

const CI: &[&str] = &["Build", "Deploy to production"];

/// The whole run deploys to staging, its stage to production.
fn rules(pipeline: &str, more: &Value) -> Value {
    let rule = |mut own: Value| {
        own["pipeline"] = json!(pipeline);
        own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([own])
    };
    json!({ "tracking": "build", "environments": [
        { "environment": "staging", "builds": rule(json!({})) },
        { "environment": "production", "builds": rule(json!({ "stage": "Deploy*" })) },
    ] })
}

/// Environments and revisions of what was told after so many, by environment.
async fn lines(real: &Real, after: usize) -> Vec<(String, String)> {
    let word = |told: &Value, name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let events = told(real).await;
    let new = events[after..].iter().map(deployment);
    let mut lines: Vec<_> = new.map(|told| (word(&told, "environment"), word(&told, "revision"))).collect();
    lines.sort();
    // Those of one moment can be told once more, for their order.
    lines.dedup();
    lines
}

/// The head of a branch of the web shop.
fn head(real: &Real, branch: &str, message: &str) -> String {
    let (_, web, _) = shop(real);
    pushed(real, web, branch, message)
}

fn pushed(real: &Real, repository: Uuid, branch: &str, message: &str) -> String {
    real.simulator().push_commit(repository, branch, message, &["/src/cart.rs"]).unwrap();
    real.simulator().head(repository, branch).unwrap()
}

async fn changed(real: &Real, binding: &str, change: Value) {
    let change = real.gateway.ask("PATCH", &format!("/v1/bindings/{binding}")).header("if-match", "*").json(&change);
    let reply = change.send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn both(sha: &str) -> Vec<(String, String)> {
    ["production", "staging"].map(|environment| (environment.to_owned(), sha.to_owned())).to_vec()
}

#[tokio::test]
async fn runs_of_pull_requests_tags_and_other_branches_deploy_only_where_a_rule_asks_for_them() {
    let real = unfilled().await;
    let binding = deploying(&real, rules("web shop CI", &json!({}))).await;
    changed(&real, &binding, json!({ "branch": "main" })).await;
    real.settle().await;
    let (_, web, ci) = shop(&real);
    let simulator = real.simulator();
    let main = head(&real, "main", "one");
    head(&real, "feature/3", "three");
    let pull_request = simulator.create_pull_request(web, "feature/3", "main", "Three").unwrap();
    simulator.push(web, "", &[RefChange::Tag { tag: "v1.3.0".to_owned() }]).unwrap();
    let all = || {
        run(&real, simulator.queue_validation(ci, pull_request).unwrap(), CI);
        run(&real, simulator.queue_tag_build(ci, "v1.3.0").unwrap(), CI);
        run(&real, simulator.queue_build(ci, "feature/3").unwrap(), CI);
        run(&real, simulator.queue_build(ci, "main").unwrap(), CI);
    };
    for match_branch in [false, true] {
        changed(&real, &binding, json!({ "deploys": rules("web shop CI", &json!({ "match_branch": match_branch })) }))
            .await;
        all();
        let told = lines(&real, if match_branch { 2 } else { 0 }).await;
        assert_eq!(told, both(&main), "match_branch {match_branch}");
    }
    let asking = json!({ "tags": "v*", "pull_requests": true });
    changed(&real, &binding, json!({ "deploys": rules("web shop CI", &asking) })).await;
    let new = [
        simulator.queue_validation(ci, pull_request).unwrap(),
        simulator.queue_tag_build(ci, "v1.3.0").unwrap(),
        simulator.queue_build(ci, "feature/3").unwrap(),
    ];
    for build in new {
        run(&real, build, CI);
    }
    // Those of one moment can be told once more, for their order.
    let events = told(&real).await;
    let is_new = |told: &Value| new.iter().any(|build| told["cause"]["build"] == *build);
    let each: BTreeMap<String, Value> =
        events.iter().map(deployment).filter(is_new).map(|told| (told["id"].to_string(), told)).collect();
    let cause = |told: &Value| (told["cause"]["pull_request"].clone(), told["cause"]["tag"].clone());
    let mut causes: Vec<(Value, Value)> = each.values().map(cause).collect();
    let (tried, marked) = ((json!(pull_request), Value::Null), (Value::Null, json!("v1.3.0")));
    causes.sort_by_key(|(number, _)| number.is_null());
    assert_eq!(causes, [tried.clone(), tried, marked.clone(), marked]);
}

#[tokio::test]
async fn a_run_that_another_one_started_deploys_what_that_one_was_built_of() {
    for how in [StartedBy::Resource, StartedBy::ResourceInfo, StartedBy::Completion] {
        let real = unfilled().await;
        let binding = deploying(&real, rules("CD", &json!({}))).await;
        let (project, web, ci) = shop(&real);
        let simulator = real.simulator();
        let ops = simulator.create_repository(project, "ops");
        simulator.push_commit(ops, "main", "yaml", &["/azure-pipelines.yml"]).unwrap();
        for (n, home) in [web, ops].into_iter().enumerate() {
            let cd = simulator.create_definition(home, "CD", &["Deploy to production"]).unwrap();
            let released = head(&real, "release/7", &format!("fix {n}"));
            let main = head(&real, "main", &format!("other {n}"));
            let built = simulator.queue_build(ci, "release/7").unwrap();
            run(&real, built, CI);
            let deploys = simulator.queue_started(cd, "main", built, how).unwrap();
            run(&real, deploys, &["Deploy to production"]);
            assert_eq!(lines(&real, 2 * n).await, both(&released), "{how:?}, home {n}, and not main's {main}");
        }
        // The run that was started is of no branch of the binding.
        changed(&real, &binding, json!({ "branch": "main" })).await;
        let built = simulator.queue_build(ci, "release/7").unwrap();
        run(&real, built, CI);
        let cd = simulator.create_definition(web, "CD", &["Deploy to production"]).unwrap();
        run(&real, simulator.queue_started(cd, "main", built, how).unwrap(), &["Deploy to production"]);
        assert_eq!(lines(&real, 0).await.len(), 4, "{how:?}");
    }
}

#[tokio::test]
async fn a_rule_says_whether_a_run_deploys_its_own_revision_or_that_of_the_run_that_started_it() {
    let real = unfilled().await;
    let binding = deploying(&real, rules("CD", &json!({ "revision": "own" }))).await;
    let (_, web, ci) = shop(&real);
    let simulator = real.simulator();
    let cd = simulator.create_definition(web, "CD", &["Deploy to production"]).unwrap();
    let released = head(&real, "release/7", "fix");
    let main = head(&real, "main", "other");
    let built = simulator.queue_build(ci, "release/7").unwrap();
    run(&real, built, CI);
    let started = || {
        run(&real, simulator.queue_started(cd, "main", built, StartedBy::Resource).unwrap(), &["Deploy to production"]);
    };
    started();
    assert_eq!(lines(&real, 0).await, both(&main));
    changed(&real, &binding, json!({ "deploys": rules("CD", &json!({ "revision": "triggering_build" })) })).await;
    run(&real, simulator.queue_build(cd, "main").unwrap(), &["Deploy to production"]);
    assert_eq!(lines(&real, 0).await.len(), 2, "nobody started it");
    started();
    assert_eq!(lines(&real, 2).await, both(&released));
    let shown = real.gateway.get(&format!("/v1/bindings/{binding}")).await.json();
    assert_eq!(shown["deploys"]["environments"][0]["builds"][0]["revision"], "triggering_build", "{shown}");
}

#[tokio::test]
async fn a_run_by_hand_deploys_the_run_whose_artifacts_it_takes() {
    let real = unfilled().await;
    deploying(&real, rules("CD", &json!({}))).await;
    let (_, web, ci) = shop(&real);
    let simulator = real.simulator();
    let cd = simulator.create_definition(web, "CD", &["Deploy to production"]).unwrap();
    let old = head(&real, "main", "one");
    let built = simulator.queue_build(ci, "main").unwrap();
    run(&real, built, CI);
    let new = head(&real, "main", "two");
    let by_hand = simulator.queue_by_hand(cd, "main").unwrap();
    simulator.takes(by_hand, built).unwrap();
    run(&real, by_hand, &["Deploy to production"]);
    assert_eq!(lines(&real, 0).await, both(&old));
    run(&real, simulator.queue_by_hand(cd, "main").unwrap(), &["Deploy to production"]);
    assert_eq!(lines(&real, 2).await, both(&new), "it takes nobody's, and deploys what it checked out");
}

#[tokio::test]
async fn a_pipeline_deploys_each_repository_that_it_checks_out_told_by_hooks_or_recovered() {
    let real = unfilled().await;
    let web_shop = deploying(&real, rules("train", &json!({}))).await;
    let body = json!({ "role": "code_deployment", "repository": "röstplan", "deploys": rules("train", &json!({})) });
    let (status, plan) = bind(&real, body).await;
    assert_eq!(status, 201, "{plan}");
    real.settle().await;
    let (project, web, _) = shop(&real);
    let simulator = real.simulator();
    let ops = simulator.create_repository(project, "ops");
    simulator.push_commit(ops, "main", "yaml", &["/azure-pipelines.yml"]).unwrap();
    let train = simulator.create_definition(ops, "train", &["Deploy to production"]).unwrap();
    let other = simulator.repository(project, "röstplan").unwrap();
    for lost in [false, true] {
        simulator.fail(|faults| faults.hooks.lose = Odds::probability(if lost { 1.0 } else { 0.0 }));
        let cart = pushed(&real, web, "main", &format!("cart {lost}"));
        let roast = pushed(&real, other, "main", &format!("roast {lost}"));
        let build = simulator.queue_build(train, "main").unwrap();
        for repository in [web, other] {
            simulator.checks_out(build, repository, "main").unwrap();
        }
        run(&real, build, &["Deploy to production"]);
        told(&real).await;
        if lost {
            simulator.fail(|faults| faults.hooks.lose = Odds::probability(0.0));
            real.pass(Duration::from_mins(10)).await;
            recover(&real.gateway.app, real.connection, CLOSELY).await.unwrap();
            told(&real).await;
        }
        for (binding, sha) in [(web_shop.as_str(), &cart), (plan["id"].as_str().unwrap(), &roast)] {
            let all = kept(&real, binding);
            let newest: Vec<&String> = all.iter().filter(|line| line.ends_with(&sha[..8])).collect();
            assert_eq!(newest.len(), 2, "lost {lost}: {all:?}");
        }
    }
}

#[tokio::test]
async fn a_job_is_the_one_of_a_rule_by_each_of_its_names() {
    let real = unfilled().await;
    let rule = |job: &str| {
        json!({ "tracking": "build", "environments": [
            { "environment": "production", "builds": [{ "pipeline": "web shop CI", "job": job }] },
        ] })
    };
    let binding = deploying(&real, rule("Deploy to production job")).await;
    let (.., ci) = shop(&real);
    let names = [
        "Deploy to production job",
        "deploy_to_production_job",
        "Deploy_to_production.deploy_to_production_job",
        "Deploy_to_production.deploy_to_production_job.__default",
        "deploy_to*",
    ];
    for (n, name) in names.into_iter().enumerate() {
        changed(&real, &binding, json!({ "deploys": rule(name) })).await;
        head(&real, "main", name);
        run(&real, real.simulator().queue_build(ci, "main").unwrap(), CI);
        assert_eq!(told(&real).await.len(), n + 1, "{name}");
    }
    changed(&real, &binding, json!({ "deploys": rule("deploy") })).await;
    run(&real, real.simulator().queue_build(ci, "main").unwrap(), CI);
    assert_eq!(told(&real).await.len(), names.len());
}

#[tokio::test]
async fn a_stage_deploys_where_a_job_of_it_deploys_to_the_azure_environment_of_a_rule() {
    let real = unfilled().await;
    let rule = |name: &str| {
        json!({ "tracking": "build", "environments": [
            { "environment": "production", "builds": [{ "pipeline": "web shop CI", "azure_environment": name }] },
        ] })
    };
    let binding = deploying(&real, rule("production")).await;
    let (.., ci) = shop(&real);
    let main = head(&real, "main", "one");
    run(&real, real.simulator().queue_build(ci, "main").unwrap(), CI);
    assert_eq!(lines(&real, 0).await, [("production".to_owned(), main)]);
    changed(&real, &binding, json!({ "deploys": rule("test*") })).await;
    run(&real, real.simulator().queue_build(ci, "main").unwrap(), CI);
    assert_eq!(lines(&real, 0).await.len(), 1);
    let shown = real.gateway.get(&format!("/v1/bindings/{binding}")).await.json();
    assert_eq!(shown["deploys"]["environments"][0]["builds"][0]["azure_environment"], "test*", "{shown}");
    let two = json!([{ "pipeline": "web shop CI", "stage": "a", "azure_environment": "b" }]);
    let wrong = json!({ "deploys": { "environments": [{ "environment": "production", "builds": two }] } });
    let reply = real.gateway.ask("PATCH", &format!("/v1/bindings/{binding}")).header("if-match", "*").json(&wrong);
    assert_eq!(reply.send().await.wrong(), ["/deploys/environments/0/builds/0/azure_environment"]);
}

#[tokio::test]
async fn a_preview_finds_no_run_that_only_another_branch_would_want() {
    let real = unfilled().await;
    let binding =
        deploying(&real, json!({ "tracking": "manual", "environments": [{ "environment": "production" }] })).await;
    let (.., ci) = shop(&real);
    let main = head(&real, "main", "one");
    head(&real, "feature/3", "three");
    for branch in ["main", "feature/3"] {
        run(&real, real.simulator().queue_build(ci, branch).unwrap(), CI);
    }
    assert!(told(&real).await.is_empty());
    let path = format!("/v1/bindings/{binding}/deployments/preview");
    let body = json!({ "branch": "main", "deploys": rules("web shop CI", &json!({})) });
    let looked = real.gateway.post(&path, body).await.json();
    let found: Vec<&Value> = looked["data"].as_array().unwrap().iter().map(|own| &own["revision"]).collect();
    assert_eq!(found, [&json!(main), &json!(main)], "{looked}");
}
