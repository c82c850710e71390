//! The levers over HTTP, as the README's lines pull them.

use super::{Asker, CAFE};
use hookwell::simulator::ADMIN_ROUTES;
use http::Method;
use serde_json::json;

#[tokio::test]
async fn every_lever_makes_something_happen() {
    let asker = Asker::new().await.with_token(None);
    asker.azure.simulator.wind(asker.clock.clone());
    let mut number = json!(null);
    for (route, _) in ADMIN_ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path.trim().replace("{number}", &number.to_string());
        let body = match (method, path.as_str()) {
            ("GET", _) => None,
            (_, "/_simulator/clock") => Some(json!({"advance_seconds": 60})),
            (_, path) if path.contains("/work-item/") => Some(json!({"state": "Active", "comment": "Soon."})),
            // The one before it is completed.
            (_, path) if path.ends_with("/abandon") => {
                number = asker.post("/_simulator/pull-request", "{}").await.json()["number"].clone();
                let path = format!("/_simulator/pull-request/{number}/abandon");
                assert_eq!(asker.post(&path, "").await.status, 200);
                continue;
            }
            _ => Some(json!({})),
        };
        let body = body.map(|body| body.to_string());
        let method = Method::from_bytes(method.trim().as_bytes()).unwrap();
        let got = asker.send(method, &path, &[], body.as_deref()).await;
        assert_eq!(got.status, 200, "{route}: {got:?}");
        if let Some(made) = got.json().get("number") {
            number = made.clone();
        }
    }
    let state = asker.get("/_simulator/state").await.json();
    assert_eq!(state["now"], "2026-11-04T08:01:00Z");
    let statuses: Vec<&str> =
        state["pull_requests"].as_array().unwrap().iter().map(|own| own["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["completed", "active", "completed", "abandoned"]);
}

#[tokio::test]
async fn faults_are_set_by_http_and_a_misspelt_one_is_refused() {
    let asker = Asker::new().await;
    let set = async |body: &str| asker.send(Method::PUT, "/_simulator/faults", &[], Some(body)).await;
    assert_eq!(set(r#"{"credentials_dead":true,"refusal":"unauthorized"}"#).await.status, 200);
    assert_eq!(asker.get("_apis/projects").await.status, 401);
    assert_eq!(set(r#"{"credential_dead":true}"#).await.status, 400);
    assert_eq!(asker.get("/_simulator/faults").await.json()["credentials_dead"], true);
    assert_eq!(
        set(r#"{"rules":[{"contains":"projects","answer":"bad_gateway","when":{"next":1}}]}"#).await.status,
        200
    );
    assert_eq!(asker.get("_apis/projects").await.status, 502);
    assert_eq!(asker.get("_apis/projects").await.status, 200);
}

#[tokio::test]
async fn a_lever_that_cannot_be_pulled_says_why() {
    let asker = Asker::new().await;
    let got = asker.post("/_simulator/push", r#"{"repository":"attic"}"#).await;
    assert_eq!(got.status, 400);
    assert!(got.text.contains("disabled"), "{got:?}");
    let got = asker.post("/_simulator/clock", r#"{"advance_seconds":1}"#).await;
    assert!(got.text.contains("--manual-clock"), "{got:?}");
    assert_eq!(asker.post("/_simulator/nothing", "{}").await.status, 404);
}

#[tokio::test]
async fn a_busy_day_goes_on_and_on() {
    let asker = Asker::new().await;
    for turn in 1..=60 {
        asker.azure.simulator.do_something(turn).unwrap();
    }
    let done = asker.read(&format!("{CAFE}/_apis/git/pullrequests?searchCriteria.status=completed")).await;
    assert!(done["count"].as_u64().unwrap() >= 8, "{}", done["count"]);
}

#[tokio::test]
async fn somebody_who_leaves_takes_their_hooks_along_and_thousands_can_be_made() {
    let asker = Asker::new().await;
    let list = async || asker.get("/fabrikam/_apis/hooks/subscriptions?api-version=7.1").await.json()["value"].clone();
    assert_eq!(asker.post("/_simulator/subscriptions", r#"{"count":1200}"#).await.json()["count"], 1200);
    assert_eq!(list().await.as_array().unwrap().len(), 1200);
    let ana = r#"{"account":"ana@fabrikam.example"}"#;
    assert_eq!(asker.post("/_simulator/person/dismiss", ana).await.status, 200);
    assert_ne!(asker.get("/fabrikam/_apis/projects?api-version=7.1").await.status, 200, "her token is nobody's now");
    assert_eq!(asker.post("/_simulator/person/reinstate", ana).await.status, 200);
    assert_eq!(asker.get("/fabrikam/_apis/projects?api-version=7.1").await.status, 200);
}
