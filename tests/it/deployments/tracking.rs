//! Each way of tracking, from what Azure DevOps says to the event.

use super::{bind, deploying, deployment, kept, line, told, unfilled};
use crate::{
    real::{Real, SHOP},
    recover::losses::CLOSELY,
};
use hookwell::{
    app::retention::trim,
    deployments::{Book, PATIENCE, step::consumer},
    recover::recover,
    simulator::{Edit, Odds, RefChange, TokenState, tokens},
    store::{Consumers as _, Position},
};
use serde_json::json;
use std::time::Duration;
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
    let json: serde_json::Value = serde_json::from_slice(&events.last().unwrap().json).unwrap();
    let related = json["data"]["context"]["links"].as_array().unwrap();
    let run = related.iter().find(|link| link["linkKind"] == "RUN").unwrap();
    assert_eq!(run["target"]["contextId"], last["cause"]["event"], "the event that made it a deployment");
    assert!(related.iter().all(|link| link["target"]["domainId"].is_string()), "{related:?}");
    let built = &last["builds"][0];
    assert_eq!(
        (built["pipeline"].as_str(), built["state"].as_str()),
        (Some("web shop CI"), Some("finished")),
        "{last}"
    );
    assert!(last["missing"].is_null(), "{last}");
}

/// A run of everything, deployed at its end.
fn deploy(real: &Real, build: u32) {
    let simulator = real.simulator();
    simulator.start_build(build).unwrap();
    for stage in ["Build", "Deploy to production"] {
        simulator.start_stage(build, stage).unwrap();
        simulator.finish_stage(build, stage, "succeeded").unwrap();
    }
    simulator.finish_build(build, "succeeded").unwrap();
}

fn to_production() -> serde_json::Value {
    json!({ "tracking": "build", "environments": [
        { "environment": "production", "builds": [{ "pipeline": "web shop CI", "stage": "Deploy*" }] },
    ] })
}

#[tokio::test]
async fn one_that_no_hook_told_comes_late_between_the_others_and_the_next_is_told_once_more() {
    let real = unfilled().await;
    let binding = deploying(&real, to_production()).await;
    let (web, ci) = shop(&real);
    for message in ["one", "two", "three"] {
        real.simulator().push_commit(web, "main", message, &["/a"]).unwrap();
        if message == "two" {
            told(&real).await;
            real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(1.0));
        }
        deploy(&real, real.simulator().queue_build(ci, "main").unwrap());
        told(&real).await;
        real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(0.0));
    }
    let before = told(&real).await;
    assert_eq!(before.iter().map(line).collect::<Vec<_>>(), ["production first one 1", "production forward three 2"]);
    real.pass(Duration::from_mins(10)).await;
    recover(&real.gateway.app, real.connection, CLOSELY).await.unwrap();
    let after = told(&real).await;
    let lines: Vec<String> = after[2..].iter().map(line).collect();
    assert_eq!(lines, ["production forward two 1", "production forward three 1"]);
    let again = String::from_utf8_lossy(&after[3].json).into_owned();
    assert!(again.contains(&format!("\"replaces\":\"{}\"", before[1].id)), "{again}");
    assert_eq!(deployment(&after[3])["id"], deployment(&before[1])["id"]);
    assert_eq!(kept(&real, &binding).len(), 3);
    let live = real.gateway.app.deployments.memory().clone();
    let book = Book::default();
    book.read(&*real.gateway.store).await.unwrap();
    assert_eq!(*book.memory(), live, "read from the log it is what was kept in memory");
}

#[tokio::test]
async fn a_stage_that_is_run_again_for_an_older_build_is_a_rollback() {
    let real = unfilled().await;
    deploying(&real, to_production()).await;
    let (web, ci) = shop(&real);
    let mut builds = Vec::new();
    for message in ["one", "two"] {
        real.simulator().push_commit(web, "main", message, &["/a"]).unwrap();
        builds.push(real.simulator().queue_build(ci, "main").unwrap());
        deploy(&real, builds[builds.len() - 1]);
        told(&real).await;
    }
    let simulator = real.simulator();
    simulator.retry_stage(builds[0], "Deploy to production").unwrap();
    simulator.start_stage(builds[0], "Deploy to production").unwrap();
    simulator.finish_stage(builds[0], "Deploy to production", "succeeded").unwrap();
    let events = told(&real).await;
    let last = events.last().unwrap();
    assert_eq!(last.header.kind, "dev.cdevents.service.rolledback.0.3.0");
    let told = deployment(last);
    assert_eq!((told["step"].as_str(), told["size"]["commits"].as_u64()), (Some("back"), Some(0)), "{told}");
    assert_eq!(told["previousRevision"], deployment(&events[1])["revision"]);
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

#[tokio::test]
async fn a_completed_pull_request_deploys_its_merge_with_its_reviews_and_work_items() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "pull_request", "environments": [{ "environment": "production", "branch": "main" }],
            "ignore": { "titles": ["[[]skip]*"] } }),
    )
    .await;
    let (web, _) = shop(&real);
    let simulator = real.simulator();
    for title in ["Cart: keep prices, AB#2", "[skip] typo", "Cart: lose prices"] {
        let topic = format!("topic/{}", title.len());
        simulator.push_commit(web, &topic, title, &["/src/cart.rs"]).unwrap();
        let number = simulator.create_pull_request(web, &topic, "main", title).unwrap();
        simulator.comment_pull_request(number, "why?").unwrap();
        if title.contains("lose") {
            simulator.abandon_pull_request(number).unwrap();
        } else {
            simulator.complete_pull_request(number, true).unwrap();
        }
        told(&real).await;
    }
    let events = told(&real).await;
    assert_eq!(events.len(), 1, "{:?}", events.iter().map(line).collect::<Vec<_>>());
    let told = deployment(&events[0]);
    assert_eq!(told["pullRequests"][0]["title"], "Cart: keep prices, AB#2", "{told}");
    assert_eq!(told["pullRequests"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["workItems"][0]["id"], 2, "{told}");
    assert_eq!(told["cause"]["pull_request"], told["pullRequests"][0]["id"], "{told}");
    assert!(told["leadTime"]["lastMerge"].is_string() && told["missing"].is_null(), "{told}");
}

#[tokio::test]
async fn a_tag_that_fits_deploys_the_commit_that_it_marks() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "tag", "environments": [{ "environment": "production", "tags": "v[0-9]*" }] }),
    )
    .await;
    let (web, _) = shop(&real);
    let simulator = real.simulator();
    simulator.push_commit(web, "main", "one", &["/a"]).unwrap();
    for tag in ["v1.0", "nightly"] {
        simulator.push(web, "", &[RefChange::Tag { tag: tag.to_owned() }]).unwrap();
    }
    let events = told(&real).await;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["production first one 1"]);
    assert_eq!(deployment(&events[0])["cause"]["tag"], "v1.0");
}

#[tokio::test]
async fn of_a_monorepo_each_deployable_is_deployed_by_what_it_is_made_of() {
    let real = unfilled().await;
    let of = |folder: &str| {
        json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }],
            "include_paths": [format!("services/{folder}"), "shared/**"], "exclude_paths": ["**/*.md"] })
    };
    let cart = deploying(&real, of("cart")).await;
    let mut bindings = vec![cart];
    for folder in ["price", "mail"] {
        let body =
            json!({ "role": "code_deployment", "repository": "web shop", "name": folder, "deploys": of(folder) });
        let (status, made) = bind(&real, body).await;
        assert_eq!(status, 201, "{made}");
        bindings.push(made["id"].as_str().unwrap().to_owned());
    }
    let (web, _) = shop(&real);
    for (n, paths) in [
        &["/services/cart/main.rs"][..],
        &["/services/cart/README.md"],
        &["/services/price/main.rs", "/services/mail/main.rs"],
        &["/shared/log.rs"],
        &["/elsewhere"],
    ]
    .into_iter()
    .enumerate()
    {
        real.simulator().push_commit(web, "main", &n.to_string(), paths).unwrap();
        told(&real).await;
    }
    let counts: Vec<usize> = bindings.iter().map(|binding| kept(&real, binding).len()).collect();
    assert_eq!(counts, [2, 2, 2]);
}

#[tokio::test]
async fn what_is_delayed_is_told_when_it_is_so() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "push", "delay_minutes": 30,
            "environments": [{ "environment": "production", "branch": "main" }] }),
    )
    .await;
    let (web, _) = shop(&real);
    real.simulator().push_commit(web, "main", "one", &["/a"]).unwrap();
    let pushed = real.gateway.app.clock.now();
    assert!(told(&real).await.is_empty());
    real.gateway.advance(Duration::from_mins(30));
    let events = told(&real).await;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["production first one 1"]);
    let at: jiff::Timestamp = deployment(&events[0])["finishTime"].as_str().unwrap().parse().unwrap();
    assert!(at >= pushed + Duration::from_mins(30), "{at} {pushed}");
}

#[tokio::test]
async fn while_azure_does_not_answer_a_deployment_waits_an_hour_and_then_says_what_is_missing() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }] }),
    )
    .await;
    let (web, _) = shop(&real);
    real.simulator().push_commit(web, "main", "one", &["/a"]).unwrap();
    real.simulator().set_token(tokens::FULL, TokenState::Expired);
    assert!(told(&real).await.is_empty());
    real.gateway.advance(Duration::from_mins(10));
    assert!(told(&real).await.is_empty());
    real.gateway.advance(PATIENCE);
    let events = told(&real).await;
    assert_eq!(events.len(), 1);
    let missing = deployment(&events[0])["missing"].to_string();
    assert!(missing.contains("does not accept the credential"), "{missing}");
}

#[tokio::test]
async fn a_build_is_shown_as_it_had_ended_by_then_and_not_as_it_ended_when_it_was_run_again() {
    let real = unfilled().await;
    deploying(&real, json!({ "tracking": "tag", "environments": [{ "environment": "production" }] })).await;
    let (web, ci) = shop(&real);
    let simulator = real.simulator();
    simulator.push_commit(web, "main", "one", &["/a"]).unwrap();
    let build = simulator.queue_build(ci, "main").unwrap();
    simulator.start_build(build).unwrap();
    let stage = |stage: &str, result| {
        simulator.start_stage(build, stage).unwrap();
        simulator.finish_stage(build, stage, result).unwrap();
    };
    stage("Build", "succeeded");
    stage("Deploy to production", "failed");
    simulator.finish_build(build, "failed").unwrap();
    real.pass(Duration::from_mins(1)).await;
    simulator.push(web, "", &[RefChange::Tag { tag: "v1".to_owned() }]).unwrap();
    let id = deployment(&told(&real).await[0])["id"].as_str().unwrap().to_owned();
    let outcome = async || {
        let shown = real.gateway.get(&format!("/v1/projects/web/deployments/{id}")).await.json();
        (shown["builds"][0]["state"].clone(), shown["builds"][0]["outcome"].clone())
    };
    assert_eq!(outcome().await, (json!("finished"), json!("failure")));
    simulator.retry_stage(build, "Deploy to production").unwrap();
    stage("Deploy to production", "succeeded");
    simulator.finish_build(build, "succeeded").unwrap();
    told(&real).await;
    assert_eq!(outcome().await, (json!("finished"), json!("failure")), "that is what it was deployed with");
}

#[tokio::test]
async fn after_an_hour_of_silence_everything_that_waits_is_told_at_once() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }] }),
    )
    .await;
    assert_eq!(bind(&real, json!({ "role": "issue_provider", "lead_time_states": ["Active"] })).await.0, 201);
    let (web, _) = shop(&real);
    real.simulator().push_commit(web, "main", "zero", &["/a"]).unwrap();
    assert_eq!(told(&real).await.len(), 1);
    real.simulator().set_token(tokens::FULL, TokenState::Expired);
    for message in ["one", "two", "three"] {
        real.gateway.advance(Duration::from_secs(1));
        real.simulator().push_commit(web, "main", message, &["/a"]).unwrap();
    }
    assert_eq!(told(&real).await.len(), 1);
    real.gateway.advance(PATIENCE + Duration::from_mins(10));
    assert_eq!(told(&real).await.len(), 4);
}

#[tokio::test]
async fn a_repository_of_the_same_name_in_another_project_deploys_nothing() {
    let real = unfilled().await;
    deploying(
        &real,
        json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }] }),
    )
    .await;
    let simulator = real.simulator();
    let tools = simulator.project("Tools").unwrap();
    let other = simulator.create_repository(tools, "web shop");
    let body = json!({ "role": "code_deployment", "repository": other, "azure_project": "Tools", "name": "other" });
    real.bind("elsewhere", "Tools", body).await;
    real.settle().await;
    simulator.push_commit(other, "main", "one", &["/a"]).unwrap();
    assert!(told(&real).await.is_empty());
}

/// The incidents that are told: type, environment, projects.
async fn incidents(real: &Real) -> Vec<String> {
    let line = |event: &hookwell::event::Event| {
        let json: serde_json::Value = serde_json::from_slice(&event.json).unwrap();
        let environment = &json["data"]["subject"]["content"]["environment"]["id"];
        format!("{} {environment} {:?}", event.header.kind, event.header.projects)
    };
    let events = real.events_so_far().await;
    events.iter().filter(|event| event.header.kind.contains(".incident.")).map(line).collect()
}

#[tokio::test]
async fn a_work_item_that_a_rule_calls_an_incident_is_reported_once_and_resolved_when_it_is_closed() {
    let real = unfilled().await;
    deploying(&real, to_production()).await;
    let rules = json!([{ "environment": "production", "work_item_types": ["Bug"], "tags": ["outage"] }]);
    let (status, bound) = bind(&real, json!({ "role": "issue_provider", "incidents": rules })).await;
    assert_eq!(status, 201, "{bound}");
    assert_eq!(bound["incidents"][0]["tags"], json!(["outage"]));
    real.settle().await;
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let bug = simulator.create_work_item(project, "Bug", "Cart is empty").unwrap();
    simulator.create_work_item(project, "Task", "Water the plants").unwrap();
    told(&real).await;
    let tags = ("System.Tags".to_owned(), Edit::Set("cart; Outage".into()));
    simulator.update_work_item(bug, "", &[tags]).unwrap();
    told(&real).await;
    simulator.comment_work_item(bug, "looking").unwrap();
    simulator.move_work_item(bug, "Closed").unwrap();
    told(&real).await;
    let incidents = incidents(&real).await;
    let line = |kind: &str| format!("dev.cdevents.incident.{kind}.0.3.0 \"production\" [Slug(\"web\")]");
    assert_eq!(incidents, [line("reported"), line("resolved")]);
}

#[tokio::test]
async fn what_nobody_can_be_asked_about_does_not_keep_the_journal_from_being_trimmed() {
    let real = unfilled().await;
    deploying(&real, json!({ "tracking": "tag", "environments": [{ "environment": "production" }] })).await;
    let (web, _) = shop(&real);
    real.simulator().push(web, "", &[RefChange::Tag { tag: "v1".to_owned() }]).unwrap();
    real.simulator().set_token(tokens::FULL, TokenState::Expired);
    assert!(told(&real).await.is_empty());
    let store = &real.gateway.store;
    let waiting = async || store.waiting(&consumer(), Position(0), 9).await.unwrap().len();
    real.gateway.advance(Duration::from_hours(24 * 29));
    assert!(told(&real).await.is_empty());
    assert_eq!(waiting().await, 1, "the tag may still be asked about");
    real.gateway.advance(Duration::from_hours(48));
    assert!(told(&real).await.is_empty());
    assert_eq!(waiting().await, 0);
    assert_eq!(store.dead(&consumer(), Position(0), 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_incident_is_reported_when_it_becomes_one_and_by_no_later_edit() {
    let real = unfilled().await;
    deploying(&real, to_production()).await;
    let rules = json!([{ "environment": "production", "work_item_types": ["Bug"] }]);
    assert_eq!(bind(&real, json!({ "role": "issue_provider", "incidents": rules })).await.0, 201);
    real.settle().await;
    let simulator = real.simulator();
    let bug = simulator.create_work_item(simulator.project(SHOP).unwrap(), "Bug", "Cart is empty").unwrap();
    told(&real).await;
    assert_eq!(incidents(&real).await.len(), 1);
    // Its report has passed its retention: the journal knows its key no more.
    real.gateway.advance(Duration::from_hours(24 * 31));
    trim(&real.gateway.app).await.unwrap();
    assert!(incidents(&real).await.is_empty());
    let title = ("System.Title".to_owned(), Edit::Set("Cart is really empty".into()));
    simulator.update_work_item(bug, "", &[title]).unwrap();
    told(&real).await;
    assert!(incidents(&real).await.is_empty(), "{:?}", incidents(&real).await);
    for state in ["Closed", "Active", "Closed"] {
        simulator.move_work_item(bug, state).unwrap();
        told(&real).await;
    }
    let told: Vec<String> = incidents(&real).await;
    let words: Vec<&str> = told.iter().map(|line| line.split('.').nth(3).unwrap()).collect();
    assert_eq!(words, ["resolved", "reported", "resolved"], "{told:?}");
}
