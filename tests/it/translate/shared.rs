//! Two connections of one organization, whose projects differ: each project hears of what either connection was told.

use super::acts::{PUSH, STATUS, There, VOTE, updated};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use uuid::Uuid;

/// Another connection of the same organization, and what delivers to it.
async fn second(there: &There) -> (String, String) {
    let other = json!({ "name": "Second", "url": "https://dev.azure.com/fabrikam", "hooks": "manual" });
    let reply = there.gateway.post("/v1/connections", other).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let view = reply.json();
    let hook = |name: &str| view["hook"][name].as_str().unwrap().to_owned();
    let basic = BASE64_STANDARD.encode(format!("{}:{}", hook("user_name"), hook("password")));
    let url = hook("url");
    (url[url.find("/hooks").unwrap()..].to_owned(), format!("Basic {basic}"))
}

async fn bind(there: &There, project: &str, connection: &Value) {
    there.gateway.project(project).await;
    let binding = json!({ "role": "code_deployment", "connection": connection,
        "azure_project": "Fabrikam", "repository": "storefront", "branch": "main" });
    let reply = there.gateway.post(&format!("/v1/projects/{project}/bindings"), binding).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

/// The projects that the last telling of the last fact is for.
fn projects(all: &[Value]) -> &Value {
    &all.last().unwrap()["data"]["customData"]["hookwell"]["projects"]
}

#[tokio::test]
async fn a_fact_is_for_the_projects_of_both_connections_whichever_told_it_first_and_better() {
    let reasons = [PUSH, VOTE, STATUS].map(Some);
    let pairs = reasons.into_iter().flat_map(|own| [(own, own), (own, None), (None, own)]);
    for (first, then) in pairs.chain([(None, None)]) {
        for kind in ["git.pullrequest.created", "git.pullrequest.updated", "git.push"] {
            for together in [true, false] {
                let said = format!("{kind} {first:?} {then:?} {together}");
                let mut there = There::start().await;
                let (path, basic) = second(&there).await;
                bind(&there, "web", &json!(there.connection)).await;
                let connections = there.gateway.get("/v1/connections").await.json();
                let other = connections["data"].as_array().unwrap().iter().find(|own| own["name"] == "Second").unwrap();
                bind(&there, "beside", &other["id"]).await;
                let mut body = updated(
                    7,
                    5,
                    &json!({ "pushId": 3, "refUpdates": [{ "name": "refs/heads/main",
                    "oldObjectId": "a".repeat(40), "newObjectId": "b".repeat(40) }] }),
                );
                body["eventType"] = kind.into();
                body["notificationId"] = 1.into();
                body["subscriptionId"] = json!(Uuid::from_u128(5));
                let path = first.map_or_else(|| path.clone(), |reason| format!("{path}?reason={reason}"));
                let ask = there.gateway.ask("POST", &path).token(None).header("authorization", &basic);
                assert_eq!(ask.body(body.to_string()).send().await.status, 200);
                if !together {
                    there.settle().await;
                }
                there.deliver(&body, then).await;
                there.settle().await;
                let all = there.events().await;
                assert_eq!(projects(&all), &json!(["beside", "web"]), "{said}: {all:#?}");
            }
        }
    }
}
