//! Reports of users of other gateways, as deliveries.

use super::{all_told as told, bind, deploying, deployment, kept, unfilled};
use crate::real::{Real, SHOP};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use hookwell::{
    app::connections::hook_credentials,
    domain::ConnectionId,
    simulator::{MergeStrategy, RefChange},
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

fn shop(real: &Real) -> (Uuid, Uuid) {
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    (project, simulator.repository(project, "web shop").unwrap())
}

fn pushed(real: &Real, branch: &str, message: &str) -> String {
    let (_, web) = shop(real);
    real.simulator().push_commit(web, branch, message, &["/a"]).unwrap();
    real.simulator().head(web, branch).unwrap()
}

/// Delivers a resource through a connection, as a hook that somebody made by hand.
async fn deliver(real: &Real, connection: ConnectionId, kind: &str, version: &str, resource: Value) {
    let (project, _) = shop(real);
    let publisher = if kind.contains("pipelines") { "pipelines" } else { "tfs" };
    let publisher = if kind.contains("release") { "rm" } else { publisher };
    let body = json!({
        "subscriptionId": "3b9f1e20-6c1d-4f3a-9b7e-2d4c6a8e0f12", "notificationId": Uuid::new_v4().as_u128() % 1_000_000, "id": Uuid::new_v4(),
        "eventType": kind, "publisherId": publisher, "message": { "text": kind }, "resource": resource,
        "resourceVersion": version, "resourceContainers": { "project": { "id": project } },
        "createdDate": real.gateway.app.clock.now(),
    });
    let kept = real.gateway.app.directory().connections[&connection].clone();
    let hook = hook_credentials(&real.gateway.app, &kept.record);
    let basic = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password.as_str()));
    let path = format!("/hooks/azure-devops/{connection}");
    let ask = real.gateway.ask("POST", &path).token(None).header("authorization", &format!("Basic {basic}"));
    let reply = ask.json(&body).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// A run of the web shop CI as the state of its stage tells it.
fn stage(real: &Real, run: i64, reference: &str, sha: &str) -> Value {
    let (project, web) = shop(real);
    json!({
        "projectId": project,
        "stage": { "id": Uuid::new_v4(), "name": "Deploy", "displayName": "Deploy to production", "attempt": 1,
            "state": "completed", "result": "succeeded", "finishTime": real.gateway.app.clock.now() },
        "run": { "id": run, "name": format!("20261128.{run}"), "state": "inProgress",
            "pipeline": { "id": 12, "name": "web shop CI" },
            "resources": { "repositories": { "self": {
                "repository": { "id": web, "type": "azureReposGit" }, "refName": reference, "version": sha } } } },
        "pipeline": { "id": 12, "name": "web shop CI" }, "runId": run, "stageName": "Deploy", "repositories": [],
    })
}

fn build(real: &Real, number: i64, reference: &str, sha: &str) -> Value {
    let (project, web) = shop(real);
    let now = real.gateway.app.clock.now();
    json!({
        "id": number, "buildNumber": number.to_string(), "status": "completed", "result": "succeeded",
        "reason": "individualCI", "queueTime": now, "startTime": now, "finishTime": now, "sourceBranch": reference,
        "sourceVersion": sha, "definition": { "id": 12, "name": "web shop CI" },
        "project": { "id": project, "name": SHOP }, "repository": { "id": web, "type": "TfsGit", "name": "web shop" },
        "requestedFor": { "displayName": "Ada Byron", "uniqueName": "ada@example.com" },
    })
}

const STAGE: &str = "ms.vss-pipelines.stage-state-changed-event";

#[tokio::test]
async fn report_37_runs_that_azure_does_not_know_any_more_deploy_by_what_they_say_themselves() {
    let real = unfilled().await;
    let rules = json!({ "tracking": "build", "environments": [
        { "environment": "staging", "builds": [{ "pipeline": "web shop CI" }] },
        { "environment": "production", "builds": [{ "pipeline": "web shop CI", "stage": "Deploy", "match_branch": true }] },
    ] });
    let binding = deploying(&real, rules).await;
    let change = real.gateway.ask("PATCH", &format!("/v1/bindings/{binding}")).header("if-match", "*");
    assert_eq!(change.json(&json!({ "branch": "main" })).send().await.status, 200);
    real.settle().await;
    let refs = ["refs/heads/main", "refs/pull/2/merge", "refs/heads/feature/3", "refs/tags/v1.3.0"];
    for (run, reference) in (9301..).zip(refs) {
        let sha = format!("{run:040}");
        deliver(&real, real.connection, STAGE, "5.1-preview.1", stage(&real, run, reference, &sha)).await;
        deliver(&real, real.connection, "build.complete", "2.0", build(&real, run, reference, &sha)).await;
    }
    told(&real).await;
    assert_eq!(kept(&real, &binding), ["production first 00000000", "staging first 00000000"]);
}

#[tokio::test]
async fn report_39_a_deployment_pipelines_own_checkout_is_not_what_it_deployed() {
    let real = unfilled().await;
    let rules = json!({ "tracking": "build", "environments": [
        { "environment": "production", "builds": [{ "pipeline": "nightly" }] },
    ] });
    deploying(&real, rules).await;
    let (project, _) = shop(&real);
    let simulator = real.simulator();
    let ci = simulator.definition(project, "web shop CI").unwrap();
    let released = pushed(&real, "release/7", "fix");
    let main = pushed(&real, "main", "other");
    let built = simulator.run_build(ci, "release/7", "succeeded").unwrap();
    let mut deploys = build(&real, 9200, "refs/heads/main", &main);
    deploys["definition"] = json!({ "id": 13, "name": "nightly" });
    deploys["reason"] = json!("resourceTrigger");
    deploys["triggeredByBuild"] = json!({ "id": built, "project": { "id": project } });
    deliver(&real, real.connection, "build.complete", "2.0", deploys.clone()).await;
    let events = told(&real).await;
    let first = deployment(&events[0]);
    assert_eq!((events.len(), &first["revision"], &first["branch"]), (1, &json!(released), &json!("release/7")));
    // Azure has forgotten the run that started it, and so has the log: nothing is guessed.
    (deploys["id"], deploys["triggeredByBuild"]["id"]) = (json!(9201), json!(4711));
    deliver(&real, real.connection, "build.complete", "2.0", deploys.clone()).await;
    assert_eq!(told(&real).await.len(), 1);
    // The log remembers what Azure has forgotten.
    deliver(
        &real,
        real.connection,
        "build.complete",
        "2.0",
        build(&real, 4712, "refs/heads/release/7", &"c".repeat(40)),
    )
    .await;
    told(&real).await;
    (deploys["id"], deploys["triggeredByBuild"]["id"]) = (json!(9202), json!(4712));
    deliver(&real, real.connection, "build.complete", "2.0", deploys).await;
    let all: Vec<Value> = told(&real).await.iter().map(deployment).collect();
    let own = all.iter().find(|told| told["cause"]["build"] == 9202).unwrap();
    assert_eq!(own["revision"], json!("c".repeat(40)), "{own}");
}

#[tokio::test]
async fn report_50_of_a_classic_release_of_two_builds_the_applications_is_deployed() {
    for application_first in [true, false] {
        let real = unfilled().await;
        let rules = json!({ "tracking": "build", "environments": [
            { "environment": "production", "builds": [{ "pipeline": "web shop release", "stage": "Production" }] },
        ] });
        deploying(&real, rules).await;
        let (project, web) = shop(&real);
        let named = |id: Value, name: &str| json!({ "id": id, "name": name });
        let artifact = |alias: &str, number: &str, repository: Uuid, sha: String, is_primary: bool| {
            json!({ "type": "Build", "alias": alias, "isPrimary": is_primary, "definitionReference": {
                "version": named(json!(number), number), "project": named(json!(project), SHOP),
                "repository": named(json!(repository), ""), "sourceVersion": named(json!(sha), ""),
                "branch": named(json!("refs/heads/main"), "refs/heads/main"), "definition": named(json!("12"), "CI") } })
        };
        // The application's is not the primary one.
        let mut artifacts = vec![
            artifact("_infra", "9001", Uuid::from_u128(7), "1".repeat(40), true),
            artifact("_web", "9002", web, "2".repeat(40), false),
        ];
        if application_first {
            artifacts.reverse();
        }
        let definition = json!({ "id": 1, "name": "web shop release" });
        let now = real.gateway.app.clock.now();
        let resource = json!({
            "environment": { "id": 71, "name": "Production", "status": "succeeded", "releaseId": 7, "definitionEnvironmentId": 1,
                "release": { "id": 7, "name": "Release-7" }, "releaseDefinition": definition },
            "deployment": { "id": 70, "attempt": 1, "deploymentStatus": "succeeded", "completedOn": now,
                "release": { "id": 7, "name": "Release-7", "artifacts": artifacts }, "releaseDefinition": definition },
            "project": { "id": project, "name": SHOP },
        });
        deliver(&real, real.connection, "ms.vss-release.deployment-completed-event", "3.0-preview.1", resource).await;
        let events = told(&real).await;
        assert_eq!(events.len(), 1, "application first: {application_first}");
        let first = deployment(&events[0]);
        assert_eq!((&first["revision"], &first["cause"]["build"]), (&json!("2".repeat(40)), &json!(9002)), "{first}");
    }
}

#[tokio::test]
async fn report_49_work_that_was_squashed_began_with_its_own_first_commit_and_mentions_what_it_mentioned() {
    let real = unfilled().await;
    let rules =
        json!({ "tracking": "pull_request", "environments": [{ "environment": "production", "branch": "main" }] });
    deploying(&real, rules).await;
    let (_, web) = shop(&real);
    let simulator = real.simulator();
    for strategy in
        [MergeStrategy::Squash, MergeStrategy::NoFastForward, MergeStrategy::Rebase, MergeStrategy::RebaseMerge]
    {
        let topic = format!("topic/{strategy:?}");
        let began = real.gateway.app.clock.now();
        simulator.push_commit(web, &topic, "Keep prices, AB#1", &["/src/cart.rs"]).unwrap();
        real.pass(Duration::from_hours(1)).await;
        let number = simulator.create_pull_request(web, &topic, "main", "Prices").unwrap();
        real.pass(Duration::from_hours(1)).await;
        simulator.merge_pull_request(number, strategy, true).unwrap();
        let told = deployment(told(&real).await.last().unwrap());
        let first: jiff::Timestamp = told["leadTime"]["firstCommit"].as_str().unwrap().parse().unwrap();
        assert!(first.duration_since(began).as_secs() < 60, "{strategy:?} {told}");
        assert_eq!(told["workItems"][0]["id"], 1, "{strategy:?} {told}");
    }
}

#[tokio::test]
async fn report_38_without_a_credential_it_is_told_at_once_with_what_is_missing() {
    let real = unfilled().await;
    let (_, web) = shop(&real);
    let body = json!({ "name": "By hand", "url": real.azure.url(), "hooks": "manual" });
    let made = real.gateway.post("/v1/connections", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    let blind = ConnectionId(made.json()["id"].as_str().unwrap().parse().unwrap());
    let environments = json!([{ "slug": "production", "name": "Production" }]);
    let project =
        real.gateway.ask("PUT", "/v1/projects/web").json(&json!({ "name": "Web", "environments": environments }));
    assert_eq!(project.send().await.status, 201);
    let rules = json!({ "tracking": "build", "environments": [
        { "environment": "production", "builds": [{ "pipeline": "web shop CI" }] },
    ] });
    for mut body in [
        json!({ "role": "build_provider" }),
        json!({ "role": "code_deployment", "repository": web, "branch": "main", "deploys": rules }),
    ] {
        (body["connection"], body["azure_project"]) = (json!(blind.0), json!(SHOP));
        let reply = real.gateway.post("/v1/projects/web/bindings", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    for (number, reference) in [(9101, "refs/heads/main"), (9102, "refs/pull/2/merge"), (9103, "refs/heads/topic")] {
        deliver(&real, blind, "build.complete", "2.0", build(&real, number, reference, &format!("{number:040}"))).await;
    }
    let events = told(&real).await;
    let all: Vec<Value> = events.iter().map(deployment).collect();
    assert_eq!(all.iter().map(|told| &told["cause"]["build"]).collect::<Vec<_>>(), [&json!(9101)]);
    assert!(all[0]["missing"].to_string().contains("no credential"), "{}", all[0]);
}

#[tokio::test]
async fn report_23_a_tag_that_is_moved_deploys_what_it_marks_now() {
    let real = unfilled().await;
    deploying(&real, json!({ "tracking": "tag", "environments": [{ "environment": "production", "tags": "v*" }] }))
        .await;
    let (project, web) = shop(&real);
    let simulator = real.simulator();
    let first = pushed(&real, "main", "one");
    simulator.push(web, "", &[RefChange::Tag { tag: "v1".to_owned() }]).unwrap();
    told(&real).await;
    let second = pushed(&real, "main", "two");
    let now = real.gateway.app.clock.now();
    let moved = json!({
        "pushId": 900, "date": now, "pushedBy": { "displayName": "Ada Byron", "uniqueName": "ada@example.com" },
        "refUpdates": [{ "name": "refs/tags/v1", "oldObjectId": first, "newObjectId": second }],
        "repository": { "id": web, "name": "web shop", "project": { "id": project, "name": SHOP } },
    });
    deliver(&real, real.connection, "git.push", "1.0", moved).await;
    let events = told(&real).await;
    let revisions: Vec<Value> = events.iter().map(|event| deployment(event)["revision"].clone()).collect();
    assert_eq!(revisions, [json!(first), json!(second)]);
}

#[tokio::test]
async fn a_deployment_that_is_registered_before_its_names_are_resolved_is_the_one_registered_after() {
    let real = unfilled().await;
    let environments = json!([{ "slug": "production", "name": "Production" }]);
    let project =
        real.gateway.ask("PUT", "/v1/projects/web").json(&json!({ "name": "Web", "environments": environments }));
    assert_eq!(project.send().await.status, 201);
    let by_hand = json!({ "tracking": "manual", "environments": [{ "environment": "production" }] });
    let (status, bound) =
        bind(&real, json!({ "role": "code_deployment", "repository": "web shop", "deploys": by_hand })).await;
    assert_eq!(status, 201, "{bound}");
    let at = real.gateway.app.clock.now();
    real.gateway.advance(Duration::from_mins(1));
    let register = async |more: Value| {
        let mut body = json!({ "branch": "main", "environment": "production", "date": at });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = real.gateway.post("/v1/projects/web/deployments", body).await;
        (reply.status.as_u16(), reply.json()["id"].clone())
    };
    let first = register(json!({})).await;
    assert_eq!(first.0, 201);
    real.settle().await;
    assert_eq!(register(json!({})).await.0, 409);
    for word in ["ignore", "again"] {
        assert_eq!(register(json!({ "if_duplicate": word })).await.1, first.1, "{word}");
    }
    assert_eq!(told(&real).await.len(), 1);
}

#[tokio::test]
async fn a_stage_that_was_skipped_is_over_for_how_a_run_had_ended_by_then() {
    let real = unfilled().await;
    deploying(&real, json!({ "tracking": "tag", "environments": [{ "environment": "production" }] })).await;
    let (project, web) = shop(&real);
    let simulator = real.simulator();
    simulator.push_commit(web, "main", "one", &["/a"]).unwrap();
    let run = simulator.queue_build(simulator.definition(project, "web shop CI").unwrap(), "main").unwrap();
    simulator.start_build(run).unwrap();
    let stage = |stage: &str, result| {
        simulator.start_stage(run, stage).unwrap();
        simulator.finish_stage(run, stage, result).unwrap();
    };
    stage("Build", "failed");
    simulator.finish_build(run, "failed").unwrap();
    real.pass(Duration::from_mins(1)).await;
    simulator.push(web, "", &[RefChange::Tag { tag: "v1".to_owned() }]).unwrap();
    let id = deployment(&told(&real).await[0])["id"].as_str().unwrap().to_owned();
    simulator.retry_stage(run, "Build").unwrap();
    stage("Build", "succeeded");
    // The stages that were skipped for it run again with it.
    simulator.retry_stage(run, "Deploy to production").unwrap();
    stage("Deploy to production", "succeeded");
    simulator.finish_build(run, "succeeded").unwrap();
    told(&real).await;
    let shown = real.gateway.get(&format!("/v1/projects/web/deployments/{id}")).await.json();
    assert_eq!(
        (&shown["builds"][0]["state"], &shown["builds"][0]["outcome"]),
        (&json!("finished"), &json!("failure")),
        "{shown}"
    );
}
