//! Two weeks of a shop, deployed in every way that can be tracked: told by hooks as it happened, and once more by a gateway
//! that no hook reached and that has it all from Azure's records. Both must have the same table, which was checked
//! by hand.

use super::{deployment, unfilled};
use crate::{
    harness::Gateway,
    real::{Real, SHOP},
    recover::swept,
};
use hookwell::{
    deployments::step,
    domain::{ConnectionId, Slug},
    reconcile::{Mode, reconcile},
    recover::{Depth, Mending},
    simulator::{RefChange, Simulator},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// What is followed, by name.
fn followed() -> Vec<(&'static str, Value)> {
    let both = |staging: Value, production: Value| {
        let mut all = vec![staging, production];
        for (reach, environment) in all.iter_mut().zip(["staging", "production"]) {
            reach["environment"] = json!(environment);
        }
        all
    };
    let on_main = || both(json!({ "branch": "main" }), json!({ "branch_prefix": "release/" }));
    let stage = |name: &str| json!({ "builds": [{ "pipeline": "web shop CI", "stage": name }] });
    let of_folder = |folder: &str| json!({ "tracking": "push", "environments": on_main(), "include_paths": [format!("services/{folder}")] });
    vec![
        ("build", json!({ "tracking": "build", "environments": both(stage("Build"), stage("Deploy*")) })),
        ("cart", of_folder("cart")),
        ("mail", of_folder("mail")),
        ("price", of_folder("price")),
        ("pull request", json!({ "tracking": "pull_request", "environments": on_main() })),
        ("push", json!({ "tracking": "push", "environments": on_main() })),
        ("tag", json!({ "tracking": "tag", "environments": both(json!({ "tags": "rc*" }), json!({ "tags": "v*" })) })),
    ]
}

/// Binds all of it.
async fn follow(gateway: &Gateway, connection: ConnectionId, repository: &str) {
    let environments =
        json!([{ "slug": "staging", "name": "Staging" }, { "slug": "production", "name": "Production" }]);
    let body = json!({ "name": "Web", "environments": environments });
    assert_eq!(gateway.ask("PUT", "/v1/projects/web").json(&body).send().await.status, 201);
    let code = followed().into_iter().map(|(name, deploys)| {
        json!({ "role": "code_deployment", "repository": repository, "name": name, "deploys": deploys })
    });
    for mut body in [json!({ "role": "build_provider" }), json!({ "role": "issue_provider" })].into_iter().chain(code) {
        body["connection"] = json!(connection.0);
        body["azure_project"] = json!(SHOP);
        let reply = gateway.post("/v1/projects/web/bindings", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }
}

/// A run that is deployed where `stages` says.
fn run(simulator: &Simulator, pipeline: u32, stages: &[(&str, &'static str)]) -> u32 {
    let build = simulator.queue_build(pipeline, "main").unwrap();
    simulator.start_build(build).unwrap();
    for (stage, result) in stages {
        simulator.start_stage(build, stage).unwrap();
        simulator.finish_stage(build, stage, result).unwrap();
    }
    simulator.finish_build(build, stages.last().unwrap().1).unwrap();
    build
}

/// What happens, a step a day; `day` lets one pass.
async fn two_weeks(simulator: &Simulator, mut day: impl AsyncFnMut()) {
    const BUILT: (&str, &str) = ("Build", "succeeded");
    const DEPLOYED: (&str, &str) = ("Deploy to production", "succeeded");
    let project = simulator.project(SHOP).unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    let ci = simulator.definition(project, "web shop CI").unwrap();
    let push =
        |branch: &str, message: &str, paths: &[&str]| simulator.push_commit(web, branch, message, paths).unwrap();
    let merge = |topic: &str, title: &str, path: &str| {
        push(topic, title, &[path]);
        let number = simulator.create_pull_request(web, topic, "main", title).unwrap();
        simulator.comment_pull_request(number, "Looks good").unwrap();
        simulator.complete_pull_request(number, true).unwrap();
    };
    push("main", "cart begins", &["/services/cart/main.rs"]);
    day().await;
    let first = run(simulator, ci, &[BUILT, DEPLOYED]);
    day().await;
    merge("topic/price", "Price list, AB#1", "/services/price/main.rs");
    day().await;
    run(simulator, ci, &[BUILT, ("Deploy to production", "failed")]);
    day().await;
    merge("topic/both", "Mail and more, AB#2", "/services/mail/main.rs");
    day().await;
    run(simulator, ci, &[BUILT, DEPLOYED]);
    simulator.push(web, "", &[RefChange::Tag { tag: "rc1".to_owned() }]).unwrap();
    day().await;
    // It was not good: back to the first.
    simulator.retry_stage(first, "Deploy to production").unwrap();
    simulator.start_stage(first, "Deploy to production").unwrap();
    simulator.finish_stage(first, "Deploy to production", "succeeded").unwrap();
    day().await;
    simulator.rename_repository(web, "storefront").unwrap();
    day().await;
    push("release/1", "hotfix", &["/services/cart/main.rs"]);
    day().await;
    merge("topic/revert", "Revert \"Mail and more\"", "/services/mail/main.rs");
    day().await;
    run(simulator, ci, &[BUILT, DEPLOYED]);
    simulator.push(web, "", &[RefChange::Tag { tag: "v1".to_owned() }]).unwrap();
    push("main", "only words", &["/docs/read.me"]);
    day().await;
}

/// Everything that waits is translated and told.
async fn settle(gateway: &Gateway) {
    loop {
        crate::real::events(gateway).await;
        while gateway.app.order.holding() > 0 {
            gateway.advance(Duration::from_secs(30));
            hookwell::recover::breaks::step(&gateway.app).await;
            crate::real::events(gateway).await;
        }
        if step::step(&gateway.app).await.unwrap() == 0 {
            return;
        }
    }
}

/// Name, environment, step, newest commit, commits, pull requests, work items: in order of time.
async fn table(gateway: &Gateway) -> Vec<String> {
    let project: Slug = "web".parse().unwrap();
    let told: BTreeMap<Uuid, Value> = crate::real::events(gateway)
        .await
        .iter()
        .filter(|event| event.header.kind.contains(".service."))
        .map(|event| (event.id, deployment(event)))
        .collect();
    let mut lines = Vec::new();
    let memory = gateway.app.deployments.memory();
    for (_, series) in memory.of(&project) {
        for telling in series.all() {
            let (own, event) = (&telling.deployment, &told[&telling.event]);
            let numbers = |list: &str| -> Vec<i64> {
                event[list].as_array().unwrap().iter().map(|own| own["id"].as_i64().unwrap()).collect()
            };
            let message = event["commits"][0]["message"].as_str().unwrap_or("-").lines().next().unwrap_or_default();
            let (pulls, items) = (numbers("pullRequests"), numbers("workItems"));
            let step = json!(telling.step);
            lines.push(format!(
                "{}, {}: {} {message}, {} commits, PR {pulls:?}, AB {items:?}",
                own.name,
                own.environment,
                step.as_str().unwrap(),
                telling.commits
            ));
        }
    }
    lines.sort();
    lines
}

#[tokio::test]
async fn two_weeks_are_the_same_table_whether_hooks_told_them_or_azures_records() {
    let real: Real = unfilled().await;
    follow(&real.gateway, real.connection, "web shop").await;
    real.settle().await;
    let from = real.gateway.app.clock.now();
    two_weeks(real.simulator(), async || {
        settle(&real.gateway).await;
        real.pass(Duration::from_hours(24)).await;
    })
    .await;
    real.pass(Duration::from_mins(1)).await;
    settle(&real.gateway).await;
    let live = table(&real.gateway).await;
    assert_eq!(live, TABLE, "{live:#?}");

    let (beside, connection) = real.beside().await;
    beside.clock.advance(real.gateway.app.clock.now().duration_since(beside.app.clock.now()).try_into().unwrap());
    follow(&beside, connection, "storefront").await;
    reconcile(&beside.app, connection, Mode::Mend).await.unwrap();
    swept(&beside, connection, from, Depth::Everything, Mending::Mend).await;
    settle(&beside).await;
    assert_eq!(table(&beside).await, live);
}

/// Checked by hand against the story. Of a merge and what it merged, both of one moment, either is listed first.
const TABLE: &[&str] = &[
    "build, production: back -, 0 commits, PR [], AB []",
    "build, production: first cart begins, 1 commits, PR [], AB []",
    "build, production: forward Mail and more, AB#2, 4 commits, PR [3, 4], AB [1, 2]",
    "build, production: forward Merged PR 5: Revert \"Mail and more\", 6 commits, PR [3, 4, 5], AB [1, 2]",
    "build, staging: first cart begins, 1 commits, PR [], AB []",
    "build, staging: forward Mail and more, AB#2, 2 commits, PR [4], AB [2]",
    "build, staging: forward Merged PR 3: Price list, AB#1, 2 commits, PR [3], AB [1]",
    "build, staging: forward Merged PR 5: Revert \"Mail and more\", 2 commits, PR [5], AB []",
    "cart, production: first hotfix, 1 commits, PR [], AB []",
    "cart, staging: first cart begins, 1 commits, PR [], AB []",
    "mail, staging: first Merged PR 4: Mail and more, AB#2, 1 commits, PR [4], AB [2]",
    "mail, staging: forward Merged PR 5: Revert \"Mail and more\", 2 commits, PR [5], AB []",
    "price, staging: first Merged PR 3: Price list, AB#1, 1 commits, PR [3], AB [1]",
    "pull request, staging: first Merged PR 3: Price list, AB#1, 1 commits, PR [3], AB [1]",
    "pull request, staging: forward Mail and more, AB#2, 2 commits, PR [4], AB [2]",
    "pull request, staging: forward Merged PR 5: Revert \"Mail and more\", 2 commits, PR [5], AB []",
    "push, production: first hotfix, 1 commits, PR [], AB []",
    "push, staging: first cart begins, 1 commits, PR [], AB []",
    "push, staging: forward Mail and more, AB#2, 2 commits, PR [4], AB [2]",
    "push, staging: forward Merged PR 3: Price list, AB#1, 2 commits, PR [3], AB [1]",
    "push, staging: forward Merged PR 5: Revert \"Mail and more\", 2 commits, PR [5], AB []",
    "push, staging: forward only words, 1 commits, PR [], AB []",
    "tag, production: first Merged PR 5: Revert \"Mail and more\", 1 commits, PR [5], AB []",
    "tag, staging: first Merged PR 4: Mail and more, AB#2, 1 commits, PR [4], AB [2]",
];
