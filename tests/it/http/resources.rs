//! Connections, projects, bindings and tokens.

use super::{relations, scripted};
use crate::harness::{EXERCISED, Gateway};
use hookwell::app::{
    first_token,
    idempotency::{REPLIES_OF_TOKEN_MAX, Slot},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

#[tokio::test]
async fn the_life_of_a_connection() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.get("/v1/integration").await.json()["enabled"], false);
    let headers = "CF-Access-Client-Id: abc-header, CF-Access-Client-Secret: def-header";
    let body = json!({ "name": "Fabrikam", "url": "https://fabrikam.visualstudio.com/x", "token": "pat-secret", "headers": headers });
    let made = gateway.ask("POST", "/v1/connections").header("host", "hooks.example:8443").json(&body).send().await;
    let view = made.json();
    let id = view["id"].as_str().unwrap();
    let path = format!("/v1/connections/{id}");
    assert_eq!((made.status.as_u16(), made.header("location")), (201, &*path));
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(view["url"], "https://dev.azure.com/fabrikam");
    assert_eq!(view["status"], "unreachable");
    assert_eq!(view["header_names"], json!(["CF-Access-Client-Id", "CF-Access-Client-Secret"]));
    assert_eq!(view["hook"]["url"], format!("http://hooks.example:8443/hooks/azure-devops/{id}"));
    assert_eq!(view["hook"]["password"].as_str().unwrap().len(), 43);

    let read = gateway.get(&path).await;
    assert_eq!((read.etag(), &read.json()["hook"]["password"]), (made.etag(), &Value::Null));
    assert_eq!(gateway.ask("GET", &path).header("if-none-match", read.etag()).send().await.status, 304);

    let change = json!({ "name": "Other", "description": "For QA", "headers": null });
    let reply = gateway.ask("PATCH", &path).json(&change).send().await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (428, "precondition-required"));
    let reply = gateway.ask("PATCH", &path).header("if-match", "\"999\"").json(&change).send().await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (412, "precondition-failed"));
    let changed = gateway.ask("PATCH", &path).header("if-match", read.etag()).json(&change).send().await;
    assert_eq!((&changed.json()["name"], &changed.json()["token_set"]), (&json!("Other"), &json!(true)));
    assert_eq!(changed.json()["header_names"], json!([]));
    assert_eq!(gateway.ask("GET", &path).header("if-none-match", read.etag()).send().await.status, 200);

    // A token goes to the server that it was given for and to no other.
    let moved = json!({ "url": "https://other.example/Collection" });
    let reply = gateway.ask("PATCH", &path).header("if-match", "*").json(&moved).send().await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (409, vec!["/token".to_owned()]));
    let moved = json!({ "url": "https://other.example/Collection", "token": null });
    let reply = gateway.ask("PATCH", &path).header("if-match", "*").json(&moved).send().await;
    assert_eq!(reply.json()["token_set"], false);
    assert_eq!(gateway.get("/v1/integration").await.json()["connections"], 1);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_connection_is_said_at_once() {
    let gateway = Gateway::start().await;
    let body =
        json!({ "url": "https://dev.azure.com/", "token": "a b", "headers": "x", "collection_id": 7, "nmae": "x" });
    let reply = gateway.post("/v1/connections", body).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (422, "invalid-body"));
    assert_eq!(reply.wrong(), ["/name", "/url", "/token", "/headers", "/collection_id", "/nmae"]);
    let errors = reply.json()["errors"].clone();
    assert!(errors[1]["detail"].as_str().unwrap().contains("https://dev.azure.com/your-organization"), "{errors}");
    assert!(errors[5]["detail"].as_str().unwrap().contains("name, url, description"), "{errors}");
}

#[tokio::test]
async fn a_connection_is_removed_with_what_was_seen_and_nothing_else() {
    let gateway = Gateway::start().await;
    let (connection, _) = gateway.connection().await;
    gateway.project("shop").await;
    let bind = |role: &'static str| {
        let body = json!({ "role": role, "connection": connection, "azure_project": "p" });
        let gateway = &gateway;
        async move { gateway.post("/v1/projects/shop/bindings", body).await.json()["id"].clone() }
    };
    let builds = bind("build_provider").await;
    let path = format!("/v1/connections/{connection}");
    let preview = gateway.get(&format!("{path}/removal")).await.json();
    assert_eq!(preview["projects_without_build_provider"], json!(["shop"]));
    assert_eq!(preview["projects_without_issue_provider"], json!([]));
    assert_eq!(preview["disables_integration"], true);
    let reply = gateway.ask("DELETE", &path).send().await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (409, "confirmation-required"));
    let issues = bind("issue_provider").await;
    let confirmed = |preview: &Value| format!("{path}?confirm={}", preview["confirmation"].as_str().unwrap());
    let reply = gateway.ask("DELETE", &confirmed(&preview)).send().await;
    assert_eq!(reply.status, 409);
    assert!(reply.json()["detail"].as_str().unwrap().contains("changed since"));
    let preview = gateway.get(&format!("{path}/removal")).await.json();
    let reply = gateway.ask("DELETE", &confirmed(&preview)).header("if-match", "\"1\"").send().await;
    assert_eq!(reply.status, 412);
    let reply = gateway.ask("DELETE", &confirmed(&preview)).send().await;
    let mut removed: Vec<Value> = reply.json()["removed_bindings"].as_array().unwrap().clone();
    let mut expected = vec![builds, issues];
    let text = |value: &Value| value.to_string();
    removed.sort_by_key(text);
    expected.sort_by_key(text);
    assert_eq!(removed, expected);
    assert_eq!(gateway.get(&path).await.status, 404);
    assert_eq!(gateway.get(&format!("{path}/removal")).await.status, 404);
    assert_eq!(gateway.ask("DELETE", &path).send().await.status, 404);
    assert_eq!(gateway.get("/v1/projects/shop/bindings").await.json()["data"], json!([]));
}

#[tokio::test]
async fn the_life_of_a_project() {
    let gateway = Gateway::start().await;
    let path = "/v1/projects/web-shop";
    let body = json!({ "name": "Web shop", "environments": [{ "slug": "qa", "name": "QA" }, { "slug": "prod", "name": "Production" }] });
    let put = || gateway.ask("PUT", path).json(&body);
    let made = put().header("if-none-match", "*").send().await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, path));
    assert_eq!(put().send().await.status, 428);
    assert_eq!(put().header("if-none-match", "*").send().await.status, 412);
    assert_eq!(put().header("if-match", "\"77\"").send().await.status, 412);
    let replaced = put().header("if-match", made.etag()).send().await;
    assert_eq!((replaced.status.as_u16(), &replaced.json()["environments"][1]["slug"]), (200, &json!("prod")));
    assert_ne!(replaced.etag(), made.etag());
    assert_eq!(gateway.ask("PUT", "/v1/projects/new").header("if-match", "*").json(&body).send().await.status, 412);
    assert_eq!(gateway.ask("GET", path).header("if-none-match", replaced.etag()).send().await.status, 304);
    assert_eq!(gateway.get("/v1/projects").await.json()["data"][0]["name"], "Web shop");
    assert_eq!(gateway.ask("PUT", "/v1/projects/Not-A-Slug").json(&body).send().await.status, 404);
    let twice = json!({ "environments": [{ "slug": "qa", "name": "QA" }, { "slug": "qa" }, 7] });
    let reply = gateway.ask("PUT", "/v1/projects/x").json(&twice).send().await;
    assert_eq!(reply.wrong(), ["/name", "/environments/1/name", "/environments/1/slug", "/environments/2"]);
    let (connection, _) = gateway.connection().await;
    let binding = json!({ "role": "build_provider", "connection": connection, "azure_project": "p" });
    let binding = gateway.post("/v1/projects/web-shop/bindings", binding).await.json()["id"].clone();
    assert_eq!(gateway.ask("DELETE", path).header("if-match", made.etag()).send().await.status, 412);
    let removed = gateway.ask("DELETE", path).header("if-match", replaced.etag()).send().await;
    assert_eq!(removed.json()["removed_bindings"], json!([binding]));
    assert_eq!(gateway.get(&format!("/v1/bindings/{}", binding.as_str().unwrap())).await.status, 404);
    assert_eq!(gateway.get(path).await.status, 404);
    assert_eq!(gateway.ask("DELETE", path).send().await.status, 404);
}

#[tokio::test]
async fn bindings_of_the_three_roles() {
    let gateway = Gateway::start().await;
    let (connection, _) = gateway.connection().await;
    gateway.project("shop").await;
    let path = "/v1/projects/shop/bindings";
    let body = |more: Value| {
        let mut body = json!({ "connection": connection, "azure_project": "Web" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let code = body(
        json!({ "role": "code_deployment", "repository": "Web.git", "branch": "refs/heads/main", "name": "Main" }),
    );
    let made = gateway.post(path, code.clone()).await;
    assert_eq!((made.status.as_u16(), &made.json()["branch"]), (201, &json!("main")));
    assert_eq!(gateway.post(path, code).await.problem(), "conflict", "the same once more");
    let prefix = body(json!({ "role": "code_deployment", "repository": "Web.git", "branch_prefix": "release/" }));
    assert_eq!(gateway.post(path, prefix).await.status, 201, "several code deployments");
    let builds = body(json!({ "role": "build_provider", "pipelines": ["CI", "CD"] }));
    let builds = gateway.post(path, builds).await;
    let second = gateway.post(path, body(json!({ "role": "build_provider" }))).await;
    assert_eq!(second.status, 409);
    assert!(
        second.json()["detail"].as_str().unwrap().contains(builds.json()["id"].as_str().unwrap()),
        "names the other"
    );
    let issues = body(json!({ "role": "issue_provider", "area_paths": ["Web\\Shop"], "work_item_types": ["Bug"] }));
    assert_eq!(gateway.post(path, issues).await.status, 201);
    assert_eq!(gateway.get(path).await.json()["data"].as_array().unwrap().len(), 4);
    assert_eq!(gateway.post("/v1/projects/none/bindings", body(json!({ "role": "build_provider" }))).await.status, 404);

    for (wrong, pointers) in [
        (json!({}), vec!["/role", "/connection", "/azure_project"]),
        (
            json!({ "role": "code_deployment", "bogus": 1 }),
            vec!["/connection", "/repository", "/azure_project", "/bogus"],
        ),
        (
            body(json!({ "role": "code_deployment", "repository": "r", "branch": "a", "branch_prefix": "b" })),
            vec!["/branch_prefix"],
        ),
        (body(json!({ "role": "code_deployment", "repository": "r", "branch": "a b" })), vec!["/branch"]),
        (body(json!({ "role": "build_provider", "repository": "r" })), vec!["/repository"]),
        (
            body(json!({ "role": "issue_provider", "area_paths": ["a", "a", ""] })),
            vec!["/area_paths/1", "/area_paths/2"],
        ),
    ] {
        let reply = gateway.post(path, wrong.clone()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.wrong()),
            (422, pointers.iter().map(|p| (*p).to_owned()).collect()),
            "{wrong}"
        );
    }

    let dangling = json!({ "role": "issue_provider", "azure_project": "p", "connection": uuid::Uuid::nil() });
    let reply = gateway.post(path, dangling).await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (409, vec!["/connection".to_owned()]));

    let one = format!("/v1/bindings/{}", made.json()["id"].as_str().unwrap());
    let read = gateway.get(&one).await;
    assert_eq!(gateway.ask("GET", &one).header("if-none-match", read.etag()).send().await.status, 304);
    let change = |body: Value| gateway.ask("PATCH", &one).json(&body);
    assert_eq!(change(json!({})).send().await.status, 428);
    assert_eq!(change(json!({})).header("if-match", "\"0\"").send().await.status, 412);
    let changed =
        change(json!({ "branch_prefix": "rel/", "name": null })).header("if-match", read.etag()).send().await.json();
    assert_eq!(
        (&changed["branch"], &changed["branch_prefix"], &changed["name"]),
        (&Value::Null, &json!("rel/"), &Value::Null)
    );
    let all =
        change(json!({ "branch_prefix": null, "repository": "Other" })).header("if-match", "*").send().await.json();
    assert_eq!((&all["branch_prefix"], &all["repository"]), (&Value::Null, &json!("Other")));
    let reply = change(json!({ "pipelines": [], "azure_project": null })).header("if-match", "*").send().await;
    assert_eq!(reply.wrong(), ["/azure_project", "/pipelines"]);
    let clash = json!({ "repository": "Web.git", "branch_prefix": "release/" });
    assert_eq!(change(clash).header("if-match", "*").send().await.status, 409);
    assert_eq!(gateway.ask("DELETE", &one).header("if-match", "\"0\"").send().await.status, 412);
    assert_eq!(gateway.ask("DELETE", &one).send().await.status, 204);
    assert_eq!(gateway.ask("DELETE", &one).send().await.status, 404);
}

#[tokio::test]
async fn the_last_admin_token_stays() {
    let gateway = Gateway::start().await;
    let made = gateway.post("/v1/tokens", json!({ "name": "CI", "scope": "admin" })).await;
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("hw_"));
    let tokens = gateway.ask("GET", "/v1/tokens").token(token.clone()).send().await.json();
    let admins = tokens["data"].as_array().unwrap().iter().filter(|token| token["scope"] == "admin");
    let ids: Vec<String> = admins.map(|token| token["id"].as_str().unwrap().to_owned()).collect();
    let mine = made.json()["id"].as_str().unwrap().to_owned();
    let other = ids.iter().find(|id| **id != mine).unwrap();
    assert_eq!(gateway.ask("DELETE", &format!("/v1/tokens/{other}")).send().await.status, 204);
    assert_eq!(gateway.get("/v1/tokens").await.status, 401, "it is refused from now on");
    let refused = gateway.ask("DELETE", &format!("/v1/tokens/{mine}")).token(token.clone()).send().await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "conflict"));
    let none = gateway.ask("DELETE", &format!("/v1/tokens/{other}")).token(token).send().await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn a_token_that_would_be_back_at_the_next_start_is_not_removed() {
    let mut gateway = Gateway::start().await;
    let given = "a-token-of-the-environment";
    assert!(first_token::ensure(&gateway.app, Some(given)).await.unwrap().is_none());
    let tokens = gateway.get("/v1/tokens").await.json();
    let of_environment = |token: &&Value| token["name"] == "HOOKWELL_ADMIN_TOKEN";
    let id = tokens["data"].as_array().unwrap().iter().find(of_environment).unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/tokens/{id}");
    let refused = gateway.ask("DELETE", &path).send().await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "conflict"));
    assert!(refused.json()["detail"].as_str().unwrap().contains("HOOKWELL_ADMIN_TOKEN"), "{}", refused.json());
    assert_eq!(gateway.ask("GET", "/v1/tokens").token(given.to_owned()).send().await.status, 200);

    // Started again without it, it can be removed.
    let store = gateway.store.clone();
    gateway.restart(store).await;
    assert_eq!(gateway.ask("DELETE", &path).send().await.status, 204);
    assert_eq!(gateway.ask("GET", "/v1/tokens").token(given.to_owned()).send().await.status, 401);
}

#[tokio::test]
async fn a_key_is_refused_rather_than_another_one_forgotten() {
    let gateway = Gateway::start().await;
    let app = &gateway.app;
    let caller = app.directory().tokens.values().find(|kept| kept.record.name == "tests").unwrap().record.id;
    let post = |key: &str| {
        let body = json!({ "name": "CI", "scope": "admin" });
        gateway.ask("POST", "/v1/tokens").header("idempotency-key", key).json(&body)
    };
    let first = post("first").send().await;
    let fillers = (1..REPLIES_OF_TOKEN_MAX).flat_map(|number| {
        let slot = Slot::new(app, caller, "POST /v1/sinks", &number.to_string(), b"");
        slot.keep(app, b"/v1/sinks/x\n{}")
    });
    let fillers: Vec<_> = fillers.collect();
    app.store.commit(fillers).await.unwrap();

    let refused = post("another").send().await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "limit-reached"));
    assert_eq!(refused.header("retry-after"), "86400");
    let again = post("first").send().await;
    assert_eq!((again.status.as_u16(), &again.body), (201, &first.body), "what was promised is kept");
    let plain = gateway.post("/v1/tokens", json!({ "name": "CI", "scope": "admin" })).await;
    assert_eq!(plain.status.as_u16(), 201, "without a key nothing is to be kept");
    let other = plain.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(post("another").token(other).send().await.status, 201, "another token has room of its own");

    gateway.advance(Duration::from_hours(24));
    assert_eq!(post("another").send().await.status, 201);
    let kept = app.store.list("idempotency").len();
    assert!(kept < REPLIES_OF_TOKEN_MAX, "what has expired goes by and by: {kept}");
}

#[tokio::test]
async fn a_key_makes_a_thing_once() {
    let gateway = Gateway::start().await;
    let post = |key: &str, name: &str| {
        let body = json!({ "name": name, "url": "https://dev.azure.com/x" });
        gateway.ask("POST", "/v1/connections").header("idempotency-key", key).json(&body)
    };
    let (first, again) = (post("\"k1\"", "A").send().await, post("k1", "A").send().await);
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!((&first.body, first.header("location")), (&again.body, again.header("location")));
    assert!(!again.headers.contains_key("etag"), "the thing may have changed since");
    let other = post("k1", "B").send().await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "idempotency-key-reused"));
    assert_ne!(post("k2", "A").send().await.json()["id"], first.json()["id"]);
    // At once: one makes it, the other is told to wait or gets the same.
    let (one, two) = tokio::join!(post("k3", "C").send(), post("k3", "C").send());
    assert!(one.status == 201 && (two.status == 409 || two.body == one.body), "{two:?}");
    assert_eq!(gateway.get("/v1/connections").await.json()["data"].as_array().unwrap().len(), 3);
    // A wrong request is not remembered: the mended one may use the same key.
    assert_eq!(post("k4", "").send().await.status, 422);
    assert_eq!(post("k4", "D").send().await.status, 201);
    assert_eq!(post(&"k".repeat(256), "E").send().await.status, 400);
    let token = || {
        gateway.ask("POST", "/v1/tokens").header("idempotency-key", "k1").json(&json!({ "name": "x", "scope": "read" }))
    };
    assert_eq!(token().send().await.body, token().send().await.body, "the secret that is shown once is shown again");
    let made = token().send().await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(gateway.ask("DELETE", &format!("/v1/tokens/{made}")).send().await.status, 204);
    assert_eq!(token().send().await.problem(), "conflict", "what was removed is not said to be there");
    gateway.advance(std::time::Duration::from_hours(24));
    assert_ne!(post("k1", "A").send().await.json()["id"], first.json()["id"], "kept for a day");
}

#[tokio::test]
async fn secrets_are_in_no_reply_and_in_no_debug_output() {
    let gateway = Gateway::start().await;
    let secrets = ["pat-secret-1", "header-secret-1", "signature-secret-1"];
    let body = json!({ "name": "x", "url": "https://dev.azure.com/x", "token": secrets[0], "headers": { "X-Key": secrets[1] }, "signature_secret": secrets[2] });
    let made = gateway.post("/v1/connections", body).await;
    let password = made.json()["hook"]["password"].as_str().unwrap().to_owned();
    let path = format!("/v1/connections/{}", made.json()["id"].as_str().unwrap());
    let change = json!({ "name": "y" });
    let mut texts = vec![String::from_utf8(made.body.to_vec()).unwrap().replace(&password, "")];
    for reply in [
        gateway.get("/v1/connections").await,
        gateway.get(&path).await,
        gateway.get(&format!("{path}/removal")).await,
        gateway.ask("PATCH", &path).header("if-match", "*").json(&change).send().await,
        gateway.get("/v1/tokens").await,
    ] {
        texts.push(String::from_utf8(reply.body.to_vec()).unwrap());
    }
    texts.push(format!("{:?}", gateway.app.directory()));
    for text in texts {
        for secret in secrets.iter().copied().chain([&*password, &*gateway.admin, &*gateway.read]) {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// The process of this binary runs the tests in any order, so the operations are exercised here once more, each for its
/// good reply; what the other tests saw is in [`EXERCISED`] too.
#[tokio::test]
async fn every_operation_is_exercised() {
    let gateway = scripted::gateway(&Arc::default()).await;
    let (connection, made) = gateway.connection().await;
    gateway.project("shop").await;
    let binding = json!({ "role": "build_provider", "connection": connection, "azure_project": "p" });
    let binding = gateway.post("/v1/projects/shop/bindings", binding).await.json()["id"].as_str().unwrap().to_owned();
    let event = gateway.event("dev.cdevents.change.merged.0.3.0", uuid::Uuid::nil(), &["shop"]).await;
    let token = gateway.post("/v1/tokens", json!({ "name": "x", "scope": "read" })).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let password = made.json()["hook"]["password"].as_str().unwrap().to_owned();
    let basic = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("hookwell.manual.1:{password}"));
    let hook = gateway.ask("POST", &format!("/hooks/azure-devops/{connection}")).token(None);
    let receipt = hook.header("authorization", &format!("Basic {basic}")).body("{}").send().await;
    let notification = receipt.json()["notification"].as_str().unwrap().to_owned();
    for path in [
        "/healthz".to_owned(),
        "/readyz".into(),
        "/metrics".into(),
        "/openapi.json".into(),
        "/docs".into(),
        "/docs/swagger-ui.css".into(),
        "/v1/integration".into(),
        "/v1/connections".into(),
        format!("/v1/connections/{connection}"),
        format!("/v1/connections/{connection}/removal"),
        format!("/v1/connections/{connection}/azure/projects"),
        format!("/v1/connections/{connection}/azure/repositories"),
        format!("/v1/connections/{connection}/azure/branches?azure_project=p&repository=r"),
        format!("/v1/connections/{connection}/azure/pipelines?azure_project=p"),
        format!("/v1/connections/{connection}/azure/work-item-types?azure_project=p"),
        "/v1/projects".into(),
        "/v1/projects/shop".into(),
        "/v1/projects/shop/bindings".into(),
        format!("/v1/bindings/{binding}"),
        "/v1/subscriptions".into(),
        "/v1/notifications".into(),
        format!("/v1/notifications/{notification}"),
        "/v1/events".into(),
        format!("/v1/events/{event}"),
        "/v1/tokens".into(),
    ] {
        assert_eq!(gateway.get(&path).await.status, 200, "{path}");
    }
    let change = |path: String| gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "name": "n" }));
    assert_eq!(change(format!("/v1/connections/{connection}")).send().await.status, 200);
    assert_eq!(change(format!("/v1/bindings/{binding}")).send().await.status, 200);
    for (call, status) in [("check", 200), ("sync", 202)] {
        let path = format!("/v1/connections/{connection}/{call}");
        assert_eq!(gateway.ask("POST", &path).send().await.status, status, "{call}");
    }
    let survey = format!("/v1/connections/{connection}/survey");
    assert_eq!(gateway.post(&survey, json!({})).await.status, 202);
    for (method, status) in [("GET", 200), ("DELETE", 202)] {
        assert_eq!(gateway.ask(method, &survey).send().await.status, status, "{method}");
    }
    let rotate = format!("/v1/connections/{connection}/rotate-hook-secret");
    assert_eq!(gateway.ask("POST", &rotate).send().await.status, 200);
    assert_eq!(gateway.ask("POST", "/v1/subscriptions/reconcile").send().await.status, 200);
    let replay = format!("/v1/notifications/{notification}/replay");
    assert_eq!(gateway.ask("POST", &replay).send().await.status, 200);
    let stretch = json!({ "from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z" });
    assert_eq!(gateway.post("/v1/replay", stretch).await.status, 200);
    let put = gateway.ask("PUT", "/v1/projects/shop").header("if-match", "*").json(&json!({ "name": "n" }));
    assert_eq!(put.send().await.status, 200);
    sinks_are_exercised(&gateway, event).await;
    relations::are_exercised(&gateway, &connection).await;
    assert_eq!(gateway.ask("DELETE", &format!("/v1/tokens/{token}")).send().await.status, 204);
    assert_eq!(gateway.ask("DELETE", &format!("/v1/bindings/{binding}")).send().await.status, 204);
    assert_eq!(gateway.ask("DELETE", "/v1/projects/shop").send().await.status, 200);
    let removal = gateway.get(&format!("/v1/connections/{connection}/removal")).await.json();
    let path = format!("/v1/connections/{connection}?confirm={}", removal["confirmation"].as_str().unwrap());
    assert_eq!(gateway.ask("DELETE", &path).send().await.status, 200);
    let stream = gateway.ask("GET", "/v1/events/stream").open().await;
    assert_eq!(stream.status(), 200);
    EXERCISED.lock().unwrap().insert(("stream_events".to_owned(), 200));

    let good: BTreeSet<String> =
        EXERCISED.lock().unwrap().iter().filter(|(_, status)| *status < 300).map(|(id, _)| id.clone()).collect();
    let paths = crate::harness::DOCUMENT["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
    let all: BTreeSet<String> =
        operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(good, all);
}

/// Towards a port where nobody listens: what the sink would get is the subject of other tests.
async fn sinks_are_exercised(gateway: &Gateway, event: uuid::Uuid) {
    let settings = json!({ "url": "http://127.0.0.1:9/" });
    let body =
        json!({ "name": "s", "kind": "webhook", "settings": settings, "allow_private": true, "allow_http": true });
    let sink = gateway.post("/v1/sinks", body).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/sinks/{sink}");
    for path in
        ["/v1/sinks".to_owned(), path.clone(), format!("{path}/deliveries"), format!("/v1/events/{event}/deliveries")]
    {
        assert_eq!(gateway.get(&path).await.status, 200, "{path}");
    }
    let change = gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "name": "n" }));
    assert_eq!(change.send().await.status, 200);
    for call in ["pause", "resume", "rotate-secret"] {
        assert_eq!(gateway.ask("POST", &format!("{path}/{call}")).send().await.status, 200, "{call}");
    }
    for (call, body) in [("test", json!({})), ("replay", json!({ "dead": true }))] {
        assert_eq!(gateway.post(&format!("{path}/{call}"), body).await.status, 200, "{call}");
    }
    assert_eq!(gateway.ask("DELETE", &path).send().await.status, 204);
}
