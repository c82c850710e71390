//! Names in bindings that Azure DevOps does not have, and rules that can match nothing: said when they are made, and afterwards.

use super::{bind, deploying, unfilled};
use crate::real::{Real, SHOP};
use hookwell::{
    reconcile::{Mode, reconcile},
    simulator::{Failing, Rule, When},
};
use serde_json::{Value, json};
use std::time::Duration;

fn rules(builds: Value) -> Value {
    json!({ "tracking": "build", "environments": [{ "environment": "production", "builds": builds }] })
}

/// A shop whose pipeline has run, with a code deployment by these rules.
async fn shop(builds: Value) -> (Real, String) {
    let real = unfilled().await;
    let simulator = real.simulator();
    let ci = simulator.definition(simulator.project(SHOP).unwrap(), "web shop CI").unwrap();
    simulator.run_build(ci, "main", "succeeded").unwrap();
    let binding = deploying(&real, rules(builds)).await;
    (real, binding)
}

fn words(reply: &Value) -> Vec<(String, String)> {
    let word = |own: &Value, name: &str| own[name].as_str().unwrap().to_owned();
    let all = reply["warnings"].as_array().into_iter().flatten();
    all.map(|own| (word(own, "pointer"), word(own, "detail"))).collect()
}

async fn attention(real: &Real) -> Vec<String> {
    let all = real.gateway.get("/v1/integration").await.json();
    let own = all["attention"].as_array().unwrap().iter().filter(|own| own["kind"] == "rule_matches_nothing");
    own.map(|own| own["detail"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn report_17_a_rule_that_can_never_match_is_named_when_it_is_made_and_afterwards() {
    let fine = json!([{ "pipeline": "web shop CI", "stage": "Deploy*" }, { "pipeline": "Web shop CD" }]);
    let (real, binding) = shop(fine.clone()).await;
    let change = async |builds: Value, strict: &str| {
        let path = format!("/v1/bindings/{binding}{strict}");
        let body = json!({ "deploys": rules(builds) });
        real.gateway.ask("PATCH", &path).header("if-match", "*").json(&body).send().await
    };
    let reply = change(fine.clone(), "?strict=true").await;
    assert_eq!((reply.status.as_u16(), words(&reply.json())), (200, Vec::new()), "{reply:?}");
    assert!(attention(&real).await.is_empty());
    for (rule, named) in [
        (json!({ "pipeline": "web shop CD (renamed)" }), ["web shop CD (renamed)", "nightly"]),
        (json!({ "pipeline": "web shop CI", "stage": "Deploy prod" }), ["stage Deploy prod", "Deploy to production"]),
        (json!({ "pipeline": "web shop CI", "job": "ship" }), ["job ship", "Deploy to production job"]),
        (json!({ "pipeline": "web shop CI", "azure_environment": "moon" }), ["environment moon", "production"]),
    ] {
        let mut builds = fine.clone();
        builds.as_array_mut().unwrap().push(rule);
        let refused = change(builds.clone(), "?strict=true").await;
        assert_eq!(
            (refused.status.as_u16(), refused.wrong()),
            (409, vec!["/deploys/environments".to_owned()]),
            "{refused:?}"
        );
        let reply = change(builds, "").await;
        let warned = words(&reply.json());
        assert_eq!((reply.status.as_u16(), warned.len()), (200, 1), "{reply:?}");
        assert!(named.iter().all(|name| warned[0].1.contains(name)), "{warned:?}");
        let said = attention(&real).await;
        assert!(said.len() == 1 && said[0].contains(&warned[0].1), "{said:?}");
    }
    change(fine, "").await;
    assert!(attention(&real).await.is_empty(), "it goes with its cause");
}

#[tokio::test]
async fn a_pipeline_that_is_of_another_repository_is_said_to_deploy_nothing_until_it_does() {
    let (real, _) = shop(json!([{ "pipeline": "web shop CI" }])).await;
    let body = json!({ "role": "code_deployment", "repository": "röstplan", "deploys": rules(json!([{ "pipeline": "web shop CI" }])) });
    let (status, made) = bind(&real, body).await;
    let warned = words(&made);
    assert_eq!((status, warned.len()), (201, 1), "{made}");
    assert!(warned[0].1.contains("web shop CI") && warned[0].1.contains("nothing of this repository"), "{warned:?}");
    assert_eq!(attention(&real).await.len(), 1);
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let run = simulator.queue_build(simulator.definition(project, "web shop CI").unwrap(), "main").unwrap();
    simulator.checks_out(run, simulator.repository(project, "röstplan").unwrap(), "main").unwrap();
    real.pass(Duration::from_mins(1)).await;
    simulator.start_build(run).unwrap();
    simulator.finish_build(run, "succeeded").unwrap();
    reconcile(&real.gateway.app, real.connection, Mode::Mend).await.unwrap();
    assert_eq!(attention(&real).await.len(), 1, "it is not asked again at once");
    real.gateway.advance(Duration::from_hours(2));
    reconcile(&real.gateway.app, real.connection, Mode::Mend).await.unwrap();
    assert!(attention(&real).await.is_empty());
}

#[tokio::test]
async fn report_16_that_states_are_guessed_is_said_until_they_are_known() {
    let (real, _) = shop(json!([{ "pipeline": "web shop CI" }])).await;
    let denied = Rule::new("GET", "workitemtypes", When::Always, Failing::Forbidden);
    real.simulator().fail(|faults| faults.rules.push(denied));
    assert_eq!(bind(&real, json!({ "role": "issue_provider" })).await.0, 201);
    let said = async || {
        real.gateway.advance(Duration::from_mins(20));
        reconcile(&real.gateway.app, real.connection, Mode::MendAnew).await.unwrap();
        let all = real.gateway.get("/v1/integration").await.json();
        all["attention"].as_array().unwrap().iter().filter(|own| own["kind"] == "states_unknown").count()
    };
    assert_eq!(said().await, 1);
    real.simulator().fail(|faults| faults.rules.clear());
    assert_eq!(said().await, 0);
}

#[tokio::test]
async fn a_project_a_repository_and_a_pipeline_that_are_not_there_are_named_in_the_reply() {
    let (real, _) = shop(json!([{ "pipeline": "web shop CI" }])).await;
    for (role, mut body, pointer, named) in [
        ("code_deployment", json!({ "repository": "web-shop" }), "/repository", "web shop"),
        ("code_deployment", json!({ "repository": "web shop", "azure_project": "Fibre" }), "/azure_project", "Fibre"),
        ("issue_provider", json!({ "azure_project": "Fibre" }), "/azure_project", "Fibre"),
    ] {
        body["role"] = json!(role);
        body["connection"] = json!(real.connection.0);
        if body["azure_project"].is_null() {
            body["azure_project"] = json!(SHOP);
        }
        let refused = real.gateway.post("/v1/projects/web/bindings?strict=true", body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (409, vec![pointer.to_owned()]), "{refused:?}");
        let made = real.gateway.post("/v1/projects/web/bindings", body).await;
        let warned = words(&made.json());
        assert_eq!((made.status.as_u16(), warned.len(), warned[0].0.as_str()), (201, 1, pointer), "{made:?}");
        assert!(warned[0].1.contains(named), "{warned:?}");
    }
}
