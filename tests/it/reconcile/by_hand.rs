//! Hooks that people make.

use super::Pair;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::reconcile::by_hand::PASSWORD_PLACEHOLDER;
use serde_json::{Value, json};

async fn rows(pair: &Pair) -> Vec<Value> {
    pair.list().await["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_person_is_told_what_to_click_and_sees_when_it_arrives() {
    let pair = Pair::start().await;
    pair.by_hand().await;
    pair.bind_repository("repo-2").await;
    let report = pair.run().await;
    assert!(report.steps.is_empty() && report.troubles.is_empty(), "{report:?}");
    let calls = pair.azure.world().calls.clone();
    assert!(!calls.contains_key("create") && !calls.contains_key("list main"), "{calls:?}");
    assert_eq!(pair.list().await["connections"][0]["hooks"], "manual");
    let all = rows(&pair).await;
    assert_eq!(all.len(), 11);
    assert!(all.iter().all(|row| row["state"] == "manual_expected"), "{all:?}");
    let find = |all: &[Value], reason: &str| all.iter().find(|row| row["reason"] == reason).unwrap().clone();
    let row = find(&all, "ReviewerVoteNotification");
    let hook = &row["by_hand"];
    assert_eq!((&hook["service"], &hook["event"]), (&json!("Web Hooks"), &json!("Pull request updated")));
    let filters =
        json!([{ "name": "Change", "value": "Votes score changed" }, { "name": "Repository", "value": "repo-2" }]);
    assert_eq!(hook["filters"], filters);
    assert_eq!(hook["url"], format!("{}?reason=ReviewerVoteNotification", pair.url));
    assert_eq!(hook["user_name"], "hookwell.manual.1");
    assert_eq!(hook["api_url"], "https://dev.azure.com/fabrikam/_apis/hooks/subscriptions");
    let body = &hook["body"];
    assert_eq!(body["consumerInputs"]["basicAuthPassword"], PASSWORD_PLACEHOLDER);
    assert_eq!(body["publisherInputs"]["notificationType"], "ReviewerVoteNotification");
    assert_eq!((&body["consumerId"], &body["resourceVersion"]), (&json!("webHooks"), &json!("1.0")));
    assert_eq!(hook["filters"].as_array().unwrap().len() + 1, body["publisherInputs"].as_object().unwrap().len());

    // The Test button is enough.
    let credentials = hookwell::app::connections::hook_credentials(
        &pair.gateway.app,
        &pair.gateway.app.directory().connections[&pair.connection].record,
    );
    let basic = BASE64_STANDARD.encode(format!("{}:{}", credentials.user_name, &*credentials.password));
    let path = hook["url"].as_str().unwrap().strip_prefix("https://hooks.example.com").unwrap();
    let test = json!({ "subscriptionId": uuid::Uuid::nil(), "id": "x", "eventType": "git.pullrequest.updated" });
    let ask = pair.gateway.ask("POST", path).token(None).header("authorization", &format!("Basic {basic}"));
    assert_eq!(ask.body(test.to_string()).send().await.json()["outcome"], "test");
    let all = rows(&pair).await;
    assert_eq!(find(&all, "ReviewerVoteNotification")["state"], "manual_receiving");
    assert_eq!(all.iter().filter(|row| row["state"] == "manual_expected").count(), 10);
}

#[tokio::test]
async fn hooks_that_were_managed_stay_when_people_take_over_and_are_taken_back() {
    let pair = Pair::start().await;
    let binding = pair.bind_repository("repo-0").await;
    pair.run().await;
    pair.by_hand().await;
    pair.run().await;
    assert_eq!(pair.hooks().len(), 11);
    assert!(rows(&pair).await.iter().all(|row| row["state"] == "manual_expected" && row["azure_id"].is_string()));
    pair.change(|connection| connection.hooks = hookwell::domain::HookMode::Managed).await;
    assert!(pair.run().await.steps.is_empty());
    assert!(rows(&pair).await.iter().all(|row| row["state"] == "active"));
    pair.by_hand().await;
    pair.unbind(&binding).await;
    pair.run().await;
    assert_eq!(pair.hooks().len(), 11, "nothing is deleted by a gateway that people asked to keep its hands off");
}
