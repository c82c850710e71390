//! Deployments through the API: told by hand, listed, looked at.

use super::{bind, deploying, line, told, unfilled};
use crate::real::{Real, SHOP};
use hookwell::{
    app::retention::trim,
    deployments::Book,
    simulator::{TokenState, tokens},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::time::Duration;

const DEPLOYMENTS: &str = "/v1/projects/web/deployments";

fn by_hand() -> Value {
    json!({ "tracking": "manual", "environments": [{ "environment": "staging" }, { "environment": "production" }] })
}

async fn register(real: &Real, body: Value) -> (u16, Value) {
    let reply = real.gateway.post(DEPLOYMENTS, body).await;
    (reply.status.as_u16(), reply.json())
}

/// Pushes to the shop's main branch.
fn push(real: &Real, message: &str) {
    let simulator = real.simulator();
    let web = simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
    simulator.push_commit(web, "main", message, &["/src/prices.rs"]).unwrap();
}

#[tokio::test]
async fn a_deployment_is_told_by_hand_with_its_commits_and_the_same_one_is_not_told_twice() {
    let real = unfilled().await;
    deploying(&real, by_hand()).await;
    push(&real, "one");
    let fits = json!({ "branch": "main", "environment": "production" });
    let path = format!("{DEPLOYMENTS}?dry_run=true");
    assert_eq!(real.gateway.post(&path, fits).await.status, 204);
    assert!(told(&real).await.is_empty(), "a dry run tells nothing");
    let body = json!({ "branch": "main", "environment": "production", "author": "Ana",
        "links": [{ "name": "Run 7", "url": "https://ci.example/runs/7" }], "tags": ["cart"] });
    let (status, made) = register(&real, body.clone()).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((made["step"].as_str(), made["commits"][0]["message"].as_str()), (Some("first"), Some("one")), "{made}");
    assert_eq!(made["links"]["Run 7"], "https://ci.example/runs/7", "{made}");
    assert_eq!(made["cause"]["by"]["name"], "Ana", "{made}");
    assert_eq!(register(&real, body).await.0, 409);
    let sha = made["revision"].as_str().unwrap();
    let again = json!({ "sha": sha, "environment": "production", "if_duplicate": "ignore" });
    let (status, there) = register(&real, again).await;
    assert_eq!((status, &there["id"]), (200, &made["id"]));
    let again = json!({ "sha": sha, "environment": "production", "if_duplicate": "again" });
    real.gateway.advance(Duration::from_secs(1));
    let (status, told_again) = register(&real, again).await;
    assert_eq!((status, told_again["step"].as_str()), (201, Some("again")), "{told_again}");
    assert_eq!(told(&real).await.len(), 2);
}

#[tokio::test]
async fn what_does_not_fit_the_project_or_its_repository_is_refused_by_name() {
    let real = unfilled().await;
    let wrong = async |body: Value| {
        let reply = real.gateway.post(DEPLOYMENTS, body).await;
        (reply.status.as_u16(), reply.wrong())
    };
    let only = |pointer: &str| (409, vec![pointer.to_owned()]);
    assert_eq!(wrong(json!({ "branch": "main", "environment": "production" })).await.0, 404);
    deploying(&real, by_hand()).await;
    assert_eq!(wrong(json!({ "branch": "main", "environment": "moon" })).await, only("/environment"));
    assert_eq!(wrong(json!({ "branch": "nothing", "environment": "production" })).await, only("/branch"));
    assert_eq!(wrong(json!({ "tag": "nothing", "environment": "production" })).await, only("/tag"));
    assert_eq!(wrong(json!({ "sha": "0".repeat(40), "environment": "production" })).await, only("/sha"));
    let future = json!({ "branch": "main", "environment": "production", "date": "2999-01-01T00:00:00Z" });
    assert_eq!(wrong(future).await, only("/date"));
    assert_eq!(wrong(json!({ "environment": "production" })).await, (422, vec!["/sha".to_owned()]));
    assert_eq!(wrong(json!({ "sha": "abc", "tag": "v1", "environment": "production" })).await.0, 422);
    let other = json!({ "role": "code_deployment", "repository": "web shop", "name": "other", "branch": "main", "deploys": by_hand() });
    assert_eq!(bind(&real, other).await.0, 201);
    assert_eq!(wrong(json!({ "branch": "main", "environment": "production" })).await, only("/binding"));
    assert!(told(&real).await.is_empty());
}

#[tokio::test]
async fn environments_say_what_is_there_and_how_far_they_are_behind() {
    let real = unfilled().await;
    let binding = deploying(&real, by_hand()).await;
    for (n, message) in ["one", "two", "three"].into_iter().enumerate() {
        push(&real, message);
        let reply = register(&real, json!({ "branch": "main", "environment": "staging" })).await;
        assert_eq!(reply.0, 201, "{reply:?}");
        if n == 0 {
            assert_eq!(register(&real, json!({ "branch": "main", "environment": "production" })).await.0, 201);
        }
        real.gateway.advance(Duration::from_hours(12));
    }
    let states = real.gateway.get("/v1/projects/web/environments").await.json();
    let production = &states["data"][1];
    assert_eq!(
        (states["data"][0]["environment"].as_str(), production["environment"].as_str()),
        (Some("staging"), Some("production"))
    );
    assert!(states["data"][0]["current"][0]["drift"].is_null(), "{states}");
    assert_eq!(
        production["current"][0]["drift"],
        json!({ "behind": "staging", "commits": 2, "deployments": 2, "days": 1.0 }),
        "{states}"
    );
    let page = real.gateway.get(&format!("{DEPLOYMENTS}?environment=staging&limit=2")).await.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 2, "{page}");
    let next = page["next"].as_str().unwrap();
    let rest = real
        .gateway
        .get(&format!("{DEPLOYMENTS}?environment=staging&limit=2&after={next}&binding={binding}"))
        .await
        .json();
    assert_eq!((rest["data"].as_array().unwrap().len(), rest["next"].is_null()), (1, true), "{rest}");
    let id = page["data"][0]["id"].as_str().unwrap();
    let shown = real.gateway.get(&format!("{DEPLOYMENTS}/{id}")).await;
    assert_eq!(shown.json()["files"][0]["path"], "/src/prices.rs", "{shown:?}");
    assert_eq!(real.gateway.get(&format!("{DEPLOYMENTS}/{}", real.connection)).await.status, 404);
}

#[tokio::test]
async fn how_revisions_get_to_environments_is_checked_when_it_is_set_and_changed_in_parts() {
    let real = unfilled().await;
    let binding = deploying(&real, by_hand()).await;
    let new = async |deploys: Value| {
        let body = json!({ "role": "code_deployment", "repository": "web shop", "branch": "main", "deploys": deploys });
        bind(&real, body).await
    };
    let pointers = |reply: &Value| -> Vec<String> {
        reply["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    let (status, reply) = new(json!({ "tracking": "push", "environments": [{ "environment": "moon" }] })).await;
    assert_eq!((status, pointers(&reply)), (409, vec!["/deploys/environments".to_owned()]));
    let (_, reply) =
        new(json!({ "tracking": "build", "environments": [{ "environment": "staging", "tags": "v*" }] })).await;
    assert_eq!(pointers(&reply), ["/deploys/environments/0/builds"]);
    let (_, reply) = new(json!({ "tracking": "push", "environments": [{ "environment": "staging", "branch": "a", "branch_prefix": "b" }] })).await;
    assert_eq!(pointers(&reply), ["/deploys/environments/0/branch_prefix"]);
    let (_, reply) =
        new(json!({ "tracking": "wish", "environments": [], "include_paths": ["[a"], "delay_minutes": -1 })).await;
    let expected = ["/deploys/tracking", "/deploys/environments", "/deploys/include_paths/0", "/deploys/delay_minutes"];
    assert_eq!(pointers(&reply), expected);

    let path = format!("/v1/bindings/{binding}");
    let change = json!({ "deploys": { "delay_minutes": 5 } });
    let changed = real.gateway.ask("PATCH", &path).header("if-match", "*").json(&change).send().await.json();
    assert_eq!(
        (changed["deploys"]["delay_minutes"].as_u64(), changed["deploys"]["tracking"].as_str()),
        (Some(5), Some("manual")),
        "{changed}"
    );
    let body = json!({ "name": "Web", "environments": [{ "slug": "staging", "name": "Staging" }] });
    let reply = real.gateway.ask("PUT", "/v1/projects/web").header("if-match", "*").json(&body).send().await;
    assert_eq!(reply.wrong(), ["/environments"], "{reply:?}");
}

#[tokio::test]
async fn a_code_deployment_that_is_new_finds_what_was_deployed_before_it_was_there() {
    let real = unfilled().await;
    deploying(&real, by_hand()).await;
    for message in ["one", "two"] {
        push(&real, message);
        told(&real).await;
    }
    let deploys = json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }] });
    let body = json!({ "role": "code_deployment", "repository": "web shop", "name": "late", "deploys": deploys });
    let (_, binding) = bind(&real, body).await;
    assert!(told(&real).await.is_empty());
    let look = async |dry_run: bool| {
        let path = format!("/v1/bindings/{}/deployments?dry_run={dry_run}", binding["id"].as_str().unwrap());
        let found = real.gateway.ask("POST", &path).send().await.json();
        (found["data"].as_array().unwrap().len(), found["told"].as_u64().unwrap())
    };
    assert_eq!(look(true).await, (2, 0));
    assert!(told(&real).await.is_empty(), "a dry run tells nothing");
    assert_eq!(look(false).await, (2, 0));
    let events = told(&real).await;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["production first one 1", "production forward two 1"]);
    assert_eq!(look(false).await, (0, 2));
    assert_eq!(told(&real).await.len(), 2);
}

#[tokio::test]
async fn what_a_new_rule_finds_in_old_events_waits_for_azure_as_long_as_what_is_new() {
    let real = unfilled().await;
    deploying(&real, by_hand()).await;
    push(&real, "old");
    told(&real).await;
    real.gateway.advance(Duration::from_hours(48));
    let deploys = json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }] });
    let body = json!({ "role": "code_deployment", "repository": "web shop", "name": "late", "deploys": deploys });
    let (_, binding) = bind(&real, body).await;
    real.simulator().set_token(tokens::FULL, TokenState::Expired);
    let path = format!("/v1/bindings/{}/deployments", binding["id"].as_str().unwrap());
    assert_eq!(real.gateway.ask("POST", &path).send().await.status, 200);
    assert!(told(&real).await.is_empty());
    real.simulator().set_token(tokens::FULL, TokenState::Live);
    real.gateway.advance(Duration::from_mins(10));
    let events = told(&real).await;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["production first old 1"]);
}

#[tokio::test]
async fn a_deployment_that_has_passed_its_retention_is_gone() {
    let real = unfilled().await;
    deploying(&real, by_hand()).await;
    push(&real, "one");
    let (_, made) = register(&real, json!({ "branch": "main", "environment": "production" })).await;
    let path = format!("{DEPLOYMENTS}/{}", made["id"].as_str().unwrap());
    real.gateway.advance(Duration::from_hours(24 * 399));
    trim(&real.gateway.app).await.unwrap();
    assert_eq!(real.gateway.get(&path).await.status, 200, "it is kept longer than events");
    real.gateway.advance(Duration::from_hours(48));
    trim(&real.gateway.app).await.unwrap();
    assert_eq!(real.gateway.get(&path).await.status, 404);
    let page = real.gateway.get(DEPLOYMENTS).await.json();
    assert!(page["data"].as_array().unwrap().is_empty(), "{page}");
}

#[tokio::test]
async fn a_delay_that_is_changed_tells_nothing_twice() {
    let real = unfilled().await;
    let deploys = json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": "main" }] });
    let binding = deploying(&real, deploys).await;
    push(&real, "one");
    assert_eq!(told(&real).await.len(), 1);
    let path = format!("/v1/bindings/{binding}");
    let change = json!({ "deploys": { "delay_minutes": 5 } });
    assert_eq!(real.gateway.ask("PATCH", &path).header("if-match", "*").json(&change).send().await.status, 200);
    real.gateway.advance(Duration::from_hours(1));
    let found = real.gateway.ask("POST", &format!("{path}/deployments")).send().await.json();
    assert_eq!((found["data"].as_array().unwrap().len(), found["told"].as_u64()), (0, Some(1)), "{found}");
    assert_eq!(told(&real).await.len(), 1);
    let live = real.gateway.app.deployments.memory().clone();
    let book = Book::default();
    book.read(&*real.gateway.store).await.unwrap();
    assert_eq!(*book.memory(), live);
}

#[tokio::test]
async fn a_preview_of_another_branch_knows_the_builds_of_the_same_repository() {
    let real = unfilled().await;
    let rules = json!({ "tracking": "build", "environments": [
        { "environment": "production", "builds": [{ "pipeline": "web shop CI" }] },
    ] });
    let id = deploying(&real, rules).await;
    let simulator = real.simulator();
    let ci = simulator.definition(simulator.project(SHOP).unwrap(), "web shop CI").unwrap();
    simulator.run_build(ci, "main", "succeeded").unwrap();
    assert_eq!(told(&real).await.len(), 1);
    let path = format!("/v1/bindings/{id}/deployments/preview");
    let looked = real.gateway.post(&path, json!({ "branch": "main" })).await.json();
    assert_eq!((&looked["told"], &looked["untold"]), (&json!(1), &json!([])), "{looked}");
}

#[tokio::test]
async fn before_a_rule_is_changed_it_can_be_seen_what_it_would_tell_and_what_it_would_not() {
    let real = unfilled().await;
    let rules = |branch: &str| json!({ "tracking": "push", "environments": [{ "environment": "production", "branch": branch }] });
    let id = deploying(&real, rules("main")).await;
    push(&real, "one");
    told(&real).await;
    let simulator = real.simulator();
    let web = simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
    simulator.push_commit(web, "release", "two", &["/src/prices.rs"]).unwrap();
    let events = told(&real).await;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["production first one 1"]);
    let path = format!("/v1/bindings/{id}/deployments");
    let preview = async |body: Value| real.gateway.post(&format!("{path}/preview"), body).await;
    let counts = |looked: &Value| {
        let len = |name: &str| looked[name].as_array().unwrap().len();
        (len("data"), looked["told"].as_u64().unwrap(), len("untold"))
    };
    assert_eq!(counts(&preview(json!({})).await.json()), (0, 1, 0));
    let moved = preview(json!({ "deploys": rules("release") })).await.json();
    assert_eq!((counts(&moved), &moved["dry_run"]), ((1, 0, 1), &json!(true)), "{moved}");
    assert_eq!(moved["untold"][0]["id"], json!(events[0].id), "{moved}");
    assert_eq!(counts(&preview(json!({ "deploys": null })).await.json()), (0, 0, 1));
    let wrong = preview(json!({ "deploys": { "environments": [{ "environment": "moon" }] } })).await;
    assert_eq!((wrong.status.as_u16(), wrong.wrong()), (409, vec!["/deploys/environments".to_owned()]));
    assert_eq!(told(&real).await.len(), 1, "nothing was told");

    let change = real.gateway.ask("PATCH", &format!("/v1/bindings/{id}")).header("if-match", "*");
    assert_eq!(change.json(&json!({ "deploys": rules("release") })).send().await.status, 200);
    let looked = real.gateway.post(&path, json!({})).await.json();
    assert_eq!(counts(&looked), (1, 0, 1), "{looked}");
    let events = told(&real).await;
    assert_eq!(events.iter().map(line).collect::<Vec<_>>(), ["production first one 1", "production forward two 1"]);
}

#[tokio::test]
async fn a_repository_is_found_and_bound_by_any_address_that_it_has() {
    let real = unfilled().await;
    let search = async |text: &str| {
        let path = format!(
            "/v1/connections/{}/azure/repositories?search={}",
            real.connection,
            utf8_percent_encode(text, NON_ALPHANUMERIC)
        );
        let found = real.gateway.get(&path).await.json();
        let names = found["data"].as_array().unwrap().iter().map(|own| own["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let page = format!("{}/Fiber%20Caf%C3%A9/_git/web%20shop", real.azure.url());
    assert_eq!(search(&format!("{page}/pullrequest/1?_a=files")).await, ["web shop"]);
    assert_eq!(search(&page.replace("fabrikam", "contoso")).await, Vec::<String>::new());

    assert_eq!(real.gateway.project("web").await.status, 201);
    let create = async |repository: &str, more: Value| {
        let mut body = json!({ "role": "code_deployment", "connection": real.connection.0, "repository": repository });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        real.gateway.post("/v1/projects/web/bindings", body).await
    };
    let made = create(&page, json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let bound = made.json();
    assert_eq!((&bound["azure_project"], &bound["repository"]), (&json!(SHOP), &json!("web shop")), "{bound}");
    for (repository, more, pointer) in [
        (page.replace("fabrikam", "contoso"), json!({}), "/repository"),
        (page.clone(), json!({ "azure_project": "Tools" }), "/azure_project"),
        ("https://dev.azure.com/fabrikam".to_owned(), json!({ "azure_project": SHOP }), "/repository"),
        ("web shop".to_owned(), json!({}), "/azure_project"),
        (format!("{}%0Ab", page.replace("web%20shop", "a")), json!({}), "/repository"),
        (page.replace("web%20shop", &"n".repeat(300)), json!({}), "/repository"),
    ] {
        let refused = create(&repository, more).await;
        assert_eq!(
            (refused.status.as_u16(), refused.wrong()),
            (422, vec![pointer.to_owned()]),
            "{repository} {refused:?}"
        );
    }
    let change = real.gateway.ask("PATCH", &format!("/v1/bindings/{}", bound["id"].as_str().unwrap()));
    let other = page.replace("web%20shop", "r%C3%B6stplan");
    let changed = change.header("if-match", "*").json(&json!({ "repository": other })).send().await;
    assert_eq!((changed.status.as_u16(), &changed.json()["repository"]), (200, &json!("röstplan")), "{changed:?}");
}

#[tokio::test]
async fn of_one_repository_each_set_of_rules_is_bound_once() {
    let real = unfilled().await;
    deploying(&real, by_hand()).await;
    let rules = (0..5).map(|n| {
        let deploys = json!({ "tracking": "push", "include_paths": [format!("services/{n}")],
            "environments": [{ "environment": "production" }] });
        json!({ "role": "code_deployment", "repository": "web shop", "name": n.to_string(), "deploys": deploys })
    });
    let rules: Vec<Value> = rules.collect();
    for (body, status) in rules.iter().map(|body| (body, 201)).chain(rules.iter().map(|body| (body, 409))) {
        assert_eq!(bind(&real, body.clone()).await.0, status, "{body}");
    }
}

#[tokio::test]
async fn a_page_names_who_wrote_it_each_once() {
    let real = unfilled().await;
    deploying(&real, by_hand()).await;
    let of = |branch: &str| json!({ "branch": branch, "environment": "production" });
    assert_eq!(register(&real, of("main")).await.0, 201);
    for who in ["mei@fabrikam.example", "sam@fabrikam.example", "mei@fabrikam.example"] {
        real.simulator().acts(who);
        push(&real, who);
        real.gateway.advance(Duration::from_secs(1));
    }
    let (status, shown) = register(&real, of("main")).await;
    let authors = shown["authors"].as_array().unwrap().iter().map(|own| own["account"].as_str().unwrap());
    assert_eq!((status, authors.collect::<Vec<_>>()), (201, vec!["mei@fabrikam.example", "sam@fabrikam.example"]));
}
