//! "Removing the integration", steps 1 and 2, and what is then said to hold.

use super::{each, word};
use crate::{
    azure::Azure,
    real::{Real, SHOP},
};
use hookwell::simulator::{Options, ServerVersion, tokens};
use serde_json::{Value, json};
use std::sync::Arc;

/// A second connection, to a server of its own; its id.
async fn connect_another(real: &Real) -> (Azure, String) {
    let azure = Azure::start(Options::server("Coll", ServerVersion::V2022), Arc::clone(&real.gateway.clock) as _).await;
    let body = json!({ "name": "On premises", "url": azure.url(), "token": tokens::FULL });
    let id = word(&real.gateway.post("/v1/connections", body).await.json(), "/id").to_owned();
    (azure, id)
}

/// Both providers of one project and a repository of another, with their hooks at Azure DevOps.
async fn configured() -> Real {
    let real = Real::start().await;
    real.bind("shop", SHOP, json!({ "role": "build_provider" })).await;
    let body = json!({ "role": "issue_provider", "connection": real.connection.to_string(), "azure_project": SHOP });
    assert_eq!(real.gateway.post("/v1/projects/shop/bindings", body).await.status, 201);
    real.bind("front", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
    real.settle().await;
    assert!(!real.ours().is_empty());
    real
}

async fn bindings(real: &Real, project: &str) -> Value {
    real.gateway.get(&format!("/v1/projects/{project}/bindings")).await.json()["data"].clone()
}

#[tokio::test]
async fn step_1_the_integration_is_found_among_those_there_are_with_its_connections() {
    let real = configured().await;
    let (_azure, _) = connect_another(&real).await;
    let view = real.gateway.get("/v1/integration").await.json();
    assert_eq!((&view["enabled"], &view["connections"], &view["bindings"]), (&json!(true), &json!(2), &json!(3)));
    let list = real.gateway.get("/v1/connections").await;
    let mut names = each(&list, "name");
    names.sort_unstable();
    assert_eq!(names, ["Fabrikam", "On premises"]);
    for id in each(&list, "id") {
        assert_eq!(real.gateway.get(&format!("/v1/connections/{id}/removal")).await.status, 200, "each can be removed");
    }
}

#[tokio::test]
async fn step_2_removing_a_connection_warns_of_what_goes_and_wants_a_confirmation_of_exactly_that() {
    let real = configured().await;
    let (_azure, other) = connect_another(&real).await;
    let path = format!("/v1/connections/{}", real.connection);
    let preview = async || real.gateway.get(&format!("{path}/removal")).await.json();
    let warned = preview().await;
    assert_eq!(warned["bindings"].as_array().unwrap().len(), 3);
    assert_eq!(warned["subscriptions"].as_array().unwrap().len(), real.ours().len());
    assert_eq!(warned["projects_without_build_provider"], json!(["shop"]));
    assert_eq!(warned["projects_without_issue_provider"], json!(["shop"]));
    assert_eq!(warned["disables_integration"], false, "there is another one");

    let remove = async |path: &str| real.gateway.ask("DELETE", path).send().await;
    let unconfirmed = remove(&path).await;
    assert_eq!((unconfirmed.status.as_u16(), &*unconfirmed.problem()), (409, "confirmation-required"));
    let confirmed = |preview: &Value| format!("{path}?confirm={}", word(preview, "/confirmation"));
    // One more binding would go than what was confirmed.
    real.bind("back", SHOP, json!({ "role": "code_deployment", "repository": "web shop", "branch": "main" })).await;
    assert_eq!(remove(&confirmed(&warned)).await.problem(), "confirmation-required");
    assert_eq!(real.gateway.get(&path).await.status, 200, "nothing is gone yet");

    let hooks = real.ours().len();
    let gone = remove(&confirmed(&preview().await)).await.json();
    assert_eq!(gone["removed_bindings"].as_array().unwrap().len(), 4);
    assert_eq!((gone["deleted_subscriptions"].as_array().unwrap().len(), real.ours().len()), (hooks, 0));
    assert_eq!(real.gateway.get(&path).await.status, 404);
    assert_eq!(each(&real.gateway.get("/v1/connections").await, "id"), [other], "the other one stays");
    assert_eq!(real.gateway.get("/v1/integration").await.json()["enabled"], true);
}

#[tokio::test]
async fn after_all_connections_are_removed_it_is_disconnected_and_no_longer_available_for_any_projects() {
    let real = configured().await;
    let (_azure, other) = connect_another(&real).await;
    // Repeated for each connection, as the page says; only the last one takes the integration along.
    for (connection, is_last) in [(real.connection.to_string(), false), (other, true)] {
        let path = format!("/v1/connections/{connection}");
        let preview = real.gateway.get(&format!("{path}/removal")).await.json();
        assert_eq!(preview["disables_integration"], is_last, "{preview}");
        let confirmed = format!("{path}?confirm={}", word(&preview, "/confirmation"));
        assert_eq!(real.gateway.ask("DELETE", &confirmed).send().await.status, 200);
    }
    let view = real.gateway.get("/v1/integration").await.json();
    assert_eq!((&view["enabled"], &view["connections"], &view["bindings"]), (&json!(false), &json!(0), &json!(0)));
    for project in ["shop", "front"] {
        assert_eq!(bindings(&real, project).await, json!([]), "the project stays, without it");
        let body =
            json!({ "role": "build_provider", "connection": real.connection.to_string(), "azure_project": SHOP });
        let refused = real.gateway.post(&format!("/v1/projects/{project}/bindings"), body).await;
        assert_eq!((refused.status.as_u16(), refused.wrong()), (409, vec!["/connection".to_owned()]));
    }
    let delivery = real.gateway.post(&format!("/hooks/azure-devops/{}", real.connection), json!({})).await;
    assert!(matches!(delivery.status.as_u16(), 401 | 404), "{delivery:?}");
    assert!(real.ours().is_empty() && real.listed().await.is_empty());
}
