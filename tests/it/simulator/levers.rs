//! The levers over HTTP, as the README's lines pull them.

use super::{Asker, CAFE};
use hookwell::simulator::ADMIN_ROUTES;
use http::Method;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// What a lever is told where nothing would not do.
fn told(route: &str) -> Value {
    match route {
        "clock" => json!({"advance_seconds": 60}),
        "work-item/{number}" => json!({"state": "Active", "comment": "Soon."}),
        "work-item/{number}/link" | "work-item/{number}/unlink" => json!({"url": "vstfs:///Git/Commit/1"}),
        "build/{number}/stage" => json!({"stage": "Build", "state": "running"}),
        "build/{number}/ask" => json!({"stage": "Deploy to production"}),
        "release/{number}/deploy" => json!({"account": "juergen@fabrikam.example"}),
        "token" => json!({"token": "a-new-one", "scopes": ["code", "work"], "expires": "2026-11-05T00:00:00Z"}),
        "principal" => json!({"certificate": crate::client::identity::PRINCIPAL}),
        "hook/{id}" => json!({"state": "onProbation", "url": "https://moved.example/"}),
        "fill" => json!({"builds": 3, "from": "2026-11-04T08:00:00Z", "to": "2026-11-04T09:00:00Z"}),
        "forget" => json!({"from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "of": {"pipeline": 12}}),
        _ => json!({}),
    }
}

#[tokio::test]
async fn every_lever_makes_something_happen() {
    let asker = Asker::new().await.with_token(None);
    asker.azure.simulator.wind(asker.clock.clone());
    let (mut numbers, mut hook) = (BTreeMap::new(), String::new());
    for (route, _) in ADMIN_ROUTES {
        let (method, path) = route.split_once(' ').unwrap();
        let route = path.trim().trim_start_matches("/_simulator/");
        let kind = route.split('/').next().unwrap();
        if route == "fill" {
            asker.clock.advance(Duration::from_hours(1));
        }
        // The one before it is completed.
        if route.ends_with("/abandon") {
            let made = asker.post(&format!("/_simulator/{}", kind.replace("release", "release/create")), "{}").await;
            numbers.insert(kind, made.json()["number"].to_string());
        }
        let number = numbers.get(kind).map_or("", String::as_str);
        let path = format!("/_simulator/{}", route.replace("{number}", number).replace("{id}", &hook));
        let body = (method != "GET").then(|| told(route).to_string());
        let method = Method::from_bytes(method.trim().as_bytes()).unwrap();
        let got = asker.send(method, &path, &[], body.as_deref()).await;
        assert_eq!(got.status, 200, "{route}: {got:?}");
        assert!(!got.text.contains("a-new-one"), "a token is not repeated");
        if let Some(made) = got.json().get("number") {
            numbers.insert(kind, made.to_string());
        }
        if route == "hooks" {
            hook = got.json()[0]["id"].as_str().unwrap().to_owned();
        }
    }
    let state = asker.get("/_simulator/state").await.json();
    assert_eq!(state["now"], "2026-11-04T09:01:00Z");
    let words = |list: &str, name: &str| -> Vec<String> {
        state[list].as_array().unwrap().iter().map(|own| own[name].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(words("pull_requests", "status"), ["completed", "active", "completed", "abandoned"]);
    assert!(!words("builds", "status").contains(&"inProgress".to_owned()));
    let hooks = asker.get("/_simulator/hooks").await.json();
    // The first one was deleted, and its double is as it had become.
    assert_eq!(hooks.as_array().unwrap().len(), 1);
    assert_eq!(
        (&hooks[0]["status"], &hooks[0]["consumer_inputs"]["url"]),
        (&json!("enabled"), &json!("https://moved.example/"))
    );
}

#[tokio::test]
async fn a_run_is_led_stage_by_stage_over_http() {
    let asker = Asker::new().await;
    let pull = async |path: &str, body: Value| {
        let got = asker.post(&format!("/_simulator/build/{path}"), &body.to_string()).await;
        assert_eq!(got.status, 200, "{path}: {got:?}");
        got.json()
    };
    let number = pull("queue", json!({})).await["number"].to_string();
    let records = async || {
        let shown = asker.read(&format!("{CAFE}/_apis/build/builds/{number}/timeline")).await;
        let all = shown["records"].as_array().unwrap().clone();
        let told = |own: &Value, name: &str| own[name].as_str().unwrap_or("-").to_owned();
        all.iter()
            .map(|own| (told(own, "type"), told(own, "name"), told(own, "state"), told(own, "result")))
            .collect::<Vec<_>>()
    };
    let row = |kind: &str, name: &str, state: &str, result: &str| {
        (kind.to_owned(), name.to_owned(), state.to_owned(), result.to_owned())
    };
    pull(&format!("{number}/start"), json!({})).await;
    pull(&format!("{number}/stage"), json!({"stage": "Build", "state": "running"})).await;
    pull(&format!("{number}/stage"), json!({"stage": "Build", "state": "completed", "result": "failed"})).await;
    assert!(records().await.contains(&row("Stage", "Build", "completed", "failed")));
    pull(&format!("{number}/stage"), json!({"stage": "Build", "state": "retry"})).await;
    assert!(records().await.contains(&row("Phase", "Build", "inProgress", "-")));
    pull(&format!("{number}/stage"), json!({"stage": "Build", "state": "completed"})).await;
    pull(&format!("{number}/ask"), json!({"stage": "Deploy to production"})).await;
    assert!(records().await.contains(&row("Checkpoint.Approval", "Checkpoint.Approval", "inProgress", "-")));
    pull(&format!("{number}/decide"), json!({"approved": false})).await;
    assert!(records().await.contains(&row("Stage", "Deploy to production", "completed", "rejected")));
    pull(&format!("{number}/finish"), json!({"result": "failed"})).await;
    let got = asker.post(&format!("/_simulator/build/{number}/decide"), "{}").await;
    assert!(got.status == 400 && got.text.contains("nobody is asked"), "{got:?}");
    let got = asker.post(&format!("/_simulator/build/{number}/stage"), "{}").await;
    assert!(got.status == 400 && got.text.contains("which stage"), "{got:?}");
}

#[tokio::test]
async fn tokens_end_by_the_clock_and_are_renewed() {
    let asker = Asker::new().await.with_token(Some("of-mei"));
    let set = async |body: Value| assert_eq!(asker.post("/_simulator/token", &body.to_string()).await.status, 200);
    let scopes = json!(["code"]);
    set(json!({"token": "of-mei", "account": "mei@fabrikam.example", "scopes": scopes, "expires": "2026-11-04T09:00:00Z"})).await;
    let repositories = async || asker.get("_apis/git/repositories").await.status.as_u16();
    assert_eq!(
        (repositories().await, asker.get(&format!("{CAFE}/_apis/build/builds")).await.status.as_u16()),
        (200, 401)
    );
    asker.clock.advance(Duration::from_hours(1));
    assert_eq!(repositories().await, 203);
    set(json!({"token": "of-mei", "expires": "2026-11-05T09:00:00Z"})).await;
    assert_eq!(repositories().await, 200);
    set(json!({"token": "of-mei", "state": "revoked"})).await;
    assert_eq!(repositories().await, 203);
    set(json!({"token": "of-mei"})).await;
    asker.clock.advance(Duration::from_hours(1_000));
    assert_eq!(repositories().await, 200, "without an end it is good for ever");
    // A right on hooks of one project.
    let permission = async || {
        let project = asker.azure.simulator.project("Fiber Café").unwrap();
        let path =
            format!("_apis/permissions/cb594ebe-87dd-4fc9-ac2c-6a10a4c92046/2?tokens=PublisherSecurity/{project}");
        asker.get(&path).await.json()["value"][0].clone()
    };
    assert_eq!(permission().await, false);
    let allow = json!({"account": "mei@fabrikam.example", "project": "Fiber Café", "bits": 7});
    assert_eq!(asker.post("/_simulator/person/allow", &allow.to_string()).await.status, 200);
    assert_eq!(permission().await, true);
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
