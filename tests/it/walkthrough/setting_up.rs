//! "Setting up the integration", steps 1 to 6.

use super::{each, word};
use crate::{
    azure::Azure,
    harness::{Gateway, Reply},
    real::strangers,
};
use hookwell::simulator::{Options, Scope, ServerVersion, tokens};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ANA: &str = "ana@fabrikam.example";

async fn connect(gateway: &Gateway, azure: &Azure, token: &str) -> Reply {
    gateway.post("/v1/connections", json!({ "name": "Fabrikam", "url": azure.url(), "token": token })).await
}

/// The findings of a check, by scope.
fn scopes(view: &Value) -> BTreeMap<String, Value> {
    let all = view["check"]["scopes"].as_array().unwrap().iter();
    all.map(|found| (word(found, "/scope").to_owned(), found.clone())).collect()
}

#[tokio::test]
async fn step_1_add_an_integration_it_is_there_and_not_enabled_yet() {
    let (gateway, _azure) = strangers(Options::services("fabrikam")).await;
    let view = gateway.get("/v1/integration").await.json();
    assert_eq!((&view["enabled"], &view["connections"], &view["bindings"]), (&json!(false), &json!(0), &json!(0)));
    assert_eq!(gateway.get("/v1/connections").await.json()["data"], json!([]));
    // Who only reads sees it as well, and who is nobody does not.
    assert_eq!(gateway.ask("GET", "/v1/integration").token(gateway.read.clone()).send().await.status, 200);
    assert_eq!(gateway.ask("GET", "/v1/integration").token(None).send().await.status, 401);
}

#[tokio::test]
async fn step_2_select_code_it_is_one_of_the_three_things_that_a_project_can_take_from_it() {
    let (gateway, azure) = strangers(Options::services("fabrikam")).await;
    let id = connect(&gateway, &azure, tokens::FULL).await.json()["id"].clone();
    gateway.project("shop").await;
    let bind = async |role: &str| {
        let body = json!({ "role": role, "connection": id, "azure_project": "Fiber Café", "repository": "web shop" });
        gateway.post("/v1/projects/shop/bindings", body).await
    };
    assert_eq!(word(&bind("code_deployment").await.json(), "/role"), "code_deployment");
    let other = bind("chat").await;
    assert_eq!((other.status.as_u16(), other.wrong()), (422, vec!["/role".to_owned()]));
    let detail = other.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
    for role in ["code_deployment", "build_provider", "issue_provider"] {
        assert!(detail.contains(role), "{detail}");
    }
}

#[tokio::test]
async fn step_3_enable_what_has_to_be_entered_is_asked_for_by_name() {
    let (gateway, _azure) = strangers(Options::services("fabrikam")).await;
    let empty = gateway.post("/v1/connections", json!({})).await;
    assert_eq!((empty.status.as_u16(), empty.wrong()), (422, vec!["/name".to_owned(), "/url".to_owned()]));
    assert_eq!(gateway.get("/v1/integration").await.json()["enabled"], false, "nothing was made of it");
    let read = gateway.ask("POST", "/v1/connections").token(gateway.read.clone());
    let refused = read.json(&json!({ "name": "x", "url": "https://dev.azure.com/x" })).send().await;
    assert_eq!(refused.status, 403, "who only reads enables nothing");
}

#[tokio::test]
async fn step_4_enter_the_account_and_choose_repositories_later() {
    let server = Options { virtual_directory: Some("tfs".to_owned()), ..Options::server("Coll", ServerVersion::V2022) };
    for (options, deployment) in [(Options::services("fabrikam"), "services"), (server, "server")] {
        let (gateway, azure) = strangers(options).await;
        let entered = format!("{}/", azure.url().trim_end_matches('/'));
        let body = json!({ "name": "Fabrikam", "url": entered, "token": tokens::FULL });
        let made = gateway.post("/v1/connections", body).await.json();
        assert_eq!((word(&made, "/status"), word(&made, "/check/deployment")), ("enabled", deployment), "{made}");
        assert_eq!(word(&made, "/url"), entered.trim_end_matches('/'), "in its canonical form");
        assert!(!word(&made, "/check/identity/display_name").is_empty());
        assert_eq!(gateway.get("/v1/integration").await.json()["bindings"], 0, "no repository was asked for");
        let found = format!("/v1/connections/{}/azure/repositories", word(&made, "/id"));
        let found = gateway.get(&format!("{found}?azure_project=Fiber%20Caf%C3%A9")).await;
        assert!(each(&found, "name").contains(&"web shop".to_owned()), "{found:?}");
    }
}

#[tokio::test]
async fn step_5_a_token_needs_work_items_and_build_only_for_issues_and_builds_and_is_never_shown() {
    let (gateway, azure) = strangers(Options::services("fabrikam")).await;
    azure.simulator.issue_token("codeandprojects", ANA, Some(&[Scope::Code, Scope::Project]));
    let made = connect(&gateway, &azure, "codeandprojects").await;
    let view = made.json();
    assert_eq!(word(&view, "/status"), "enabled", "enough for a code deployment: {view}");
    let found = scopes(&view);
    for (scope, scope_words, purpose) in
        [("work_items", "Work items: Read", "issue"), ("build", "Build: Read", "build")]
    {
        let own = &found[scope];
        assert_eq!((word(own, "/result"), &own["required"]), ("missing", &json!(false)), "{own}");
        assert!(word(own, "/needed_for").contains(purpose), "{own}");
        assert!(word(own, "/how_to_grant").contains(scope_words), "{own}");
    }
    assert_eq!(word(&found["code"], "/result"), "ok");

    // With a build provider and an issue provider it is not enough any more, and with those scopes it is again.
    gateway.project("shop").await;
    for role in ["build_provider", "issue_provider"] {
        let body = json!({ "role": role, "connection": view["id"], "azure_project": "Fiber Café" });
        assert_eq!(gateway.post("/v1/projects/shop/bindings", body).await.status, 201);
    }
    let path = made.header("location").to_owned();
    let checked = gateway.ask("POST", &format!("{path}/check")).send().await.json();
    assert_eq!(word(&checked, "/status"), "needs_attention", "{checked}");
    let cause = word(&checked, "/check/cause");
    assert!(cause.contains("Work items (Read)") && cause.contains("Build (Read)"), "{cause}");
    let all = Some(&[Scope::Code, Scope::Project, Scope::Work, Scope::Build][..]);
    azure.simulator.issue_token("withthemtoo", ANA, all);
    let change = gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "token": "withthemtoo" }));
    let changed = change.send().await;
    assert_eq!(word(&changed.json(), "/status"), "enabled", "{changed:?}");

    let seen =
        [view, checked, changed.json(), gateway.get(&path).await.json(), gateway.get("/v1/connections").await.json()];
    for reply in seen.iter().map(Value::to_string) {
        assert!(!reply.contains("codeandprojects") && !reply.contains("withthemtoo"), "{reply}");
    }
}

#[tokio::test]
async fn step_6_it_is_enabled_and_all_its_connections_are_listed() {
    let (gateway, cloud) = strangers(Options::services("fabrikam")).await;
    let clock = std::sync::Arc::clone(&gateway.clock);
    let server = Azure::start(Options::server("Coll", ServerVersion::V2022), clock).await;
    for (name, azure) in [("Fabrikam", &cloud), ("On premises", &server)] {
        let body = json!({ "name": name, "url": azure.url(), "token": tokens::FULL });
        assert_eq!(gateway.post("/v1/connections", body).await.status, 201);
    }
    let list = gateway.get("/v1/connections").await;
    let mut names = each(&list, "name");
    names.sort_unstable();
    assert_eq!(names, ["Fabrikam", "On premises"]);
    assert_eq!(each(&list, "status"), ["enabled", "enabled"]);
    let view = gateway.get("/v1/integration").await.json();
    assert_eq!((&view["enabled"], &view["connections"]), (&json!(true), &json!(2)));
}
