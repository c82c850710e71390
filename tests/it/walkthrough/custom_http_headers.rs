//! "Custom HTTP headers", steps 1 and 2. The simulated Azure DevOps is behind a proxy that lets nothing through without them.

use super::word;
use crate::real::strangers;
use hookwell::simulator::{Options, Recorded, Simulator, tokens};
use serde_json::{Value, json};

const ID: &str = "CF-Access-Client-Id";
const SECRET: &str = "CF-Access-Client-Secret";
const ID_VALUE: &str = "3f8a.access";
const SECRET_VALUE: &str = "c5e1b7";

fn behind_a_proxy() -> Options {
    let required = [(ID, ID_VALUE), (SECRET, SECRET_VALUE)];
    let required_headers = required.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).to_vec();
    Options { required_headers, ..Options::services("fabrikam") }
}

/// The calls since there were so many, of which the proxy let through all or none.
fn through(simulator: &Simulator, before: usize, all: bool) -> Vec<Recorded> {
    let calls = simulator.calls().split_off(before);
    // Who got through has an account there.
    assert!(!calls.is_empty() && calls.iter().all(|call| call.account.is_some() == all), "{calls:?}");
    calls
}

#[tokio::test]
async fn step_1_advanced_setting_without_the_headers_nothing_gets_through_and_with_them_everything_does() {
    let (gateway, azure) = strangers(behind_a_proxy()).await;
    let body = json!({ "name": "Fabrikam", "url": azure.url(), "token": tokens::FULL });
    let made = gateway.post("/v1/connections", body).await;
    through(&azure.simulator, 0, false);
    assert_eq!(word(&made.json(), "/status"), "needs_attention", "{made:?}");
    assert!(word(&made.json(), "/check/remedy").contains("headers"), "{made:?}");

    let before = azure.simulator.calls().len();
    let headers = json!({ ID: ID_VALUE, SECRET: SECRET_VALUE });
    let change = gateway.ask("PATCH", made.header("location")).header("if-match", "*");
    let changed = change.json(&json!({ "headers": headers })).send().await;
    assert_eq!(word(&changed.json(), "/status"), "enabled", "{changed:?}");
    through(&azure.simulator, before, true);
}

#[tokio::test]
async fn step_2_a_comma_separated_list_of_headers_is_sent_with_each_request_and_never_shown() {
    let (gateway, azure) = strangers(behind_a_proxy()).await;
    let headers = format!("{ID}: {ID_VALUE}, {SECRET}: {SECRET_VALUE}");
    let body = json!({ "name": "Fabrikam", "url": azure.url(), "token": tokens::FULL, "headers": headers });
    let made = gateway.post("/v1/connections", body).await;
    assert_eq!(word(&made.json(), "/status"), "enabled", "{made:?}");
    assert_eq!(made.json()["header_names"], json!([ID, SECRET]));

    // Whatever is asked: the check, discovery, both hosts of the hooks.
    let path = made.header("location").to_owned();
    let mut replies: Vec<Value> = vec![made.json()];
    for what in
        ["projects", "repositories?azure_project=Fiber%20Caf%C3%A9", "pipelines?azure_project=Fiber%20Caf%C3%A9"]
    {
        replies.push(gateway.get(&format!("{path}/azure/{what}")).await.json());
    }
    gateway.project("shop").await;
    let binding = json!({ "role": "code_deployment", "connection": made.json()["id"], "azure_project": "Fiber Café",
        "repository": "web shop" });
    replies.push(gateway.post("/v1/projects/shop/bindings", binding).await.json());
    replies.push(gateway.ask("POST", "/v1/subscriptions/reconcile").send().await.json());
    let calls = through(&azure.simulator, 0, true);
    for part in
        ["/_apis/connectionData", "/_apis/projects", "/git/repositories", "/build/definitions", "/hooks/subscriptions"]
    {
        assert!(calls.iter().any(|call| call.target.contains(part)), "{part} was never asked for: {calls:?}");
    }

    replies.push(gateway.get(&path).await.json());
    replies.push(gateway.get("/v1/connections").await.json());
    for reply in replies.iter().map(Value::to_string) {
        assert!(!reply.contains(ID_VALUE) && !reply.contains(SECRET_VALUE), "{reply}");
    }

    // What is no list of headers is said, and nothing is changed by it.
    let change = gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "headers": "no colon" }));
    let refused = change.send().await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec!["/headers".to_owned()]));
    assert_eq!(gateway.get(&path).await.json()["header_names"], json!([ID, SECRET]));
}
