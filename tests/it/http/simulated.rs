//! Connections and discovery against the simulated Azure DevOps, through the API and a real socket.

use crate::{
    azure::Azure,
    harness::{Gateway, Reply},
};
use hookwell::{
    app::checks,
    azure::client::{Dialer, Priority},
    clock::SystemClock,
    config::Settings,
    simulator::{Options, Refusal, Scope, ScopeRefusal, ServerVersion, TokenState, tokens},
    store::MemoryStore,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

async fn gateway() -> Gateway {
    let store = Arc::new(MemoryStore::new());
    let dialer = Arc::new(Dialer::new(Arc::new(SystemClock::default())));
    Gateway::reaching(Settings::default(), Arc::<MemoryStore>::clone(&store), store, dialer).await
}

async fn azure(options: Options) -> Azure {
    Azure::start(options, Arc::new(SystemClock::default())).await
}

async fn connect(gateway: &Gateway, azure: &Azure, token: &str) -> Reply {
    gateway.post("/v1/connections", json!({ "name": "Fabrikam", "url": azure.url(), "token": token })).await
}

fn word(view: &Value, pointer: &str) -> String {
    view.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The scopes with this result.
fn with_result(view: &Value, result: &str) -> Vec<String> {
    let scopes = view["check"]["scopes"].as_array().unwrap().iter();
    scopes.filter(|found| found["result"] == result).map(|found| word(found, "/scope")).collect()
}

#[tokio::test]
async fn a_full_token_is_enabled_in_every_edition() {
    let gateway = gateway().await;
    for (options, deployment, version) in [
        (Options::services("fabrikam"), "services", "7.1"),
        (Options::server("Coll", ServerVersion::V2022_1), "server", "7.1"),
        (Options::server("Coll", ServerVersion::V2020), "server", "6.0"),
        (
            Options { virtual_directory: Some("tfs".to_owned()), ..Options::server("Coll", ServerVersion::V2019) },
            "server",
            "5.0",
        ),
    ] {
        let azure = azure(options).await;
        let made = connect(&gateway, &azure, tokens::FULL).await.json();
        let found = ["/status", "/check/deployment", "/check/api_version"].map(|pointer| word(&made, pointer));
        assert_eq!(found, ["enabled", deployment, version], "{made}");
        assert_eq!(with_result(&made, "ok").len(), 6, "{made}");
        assert!(!word(&made, "/check/identity/display_name").is_empty());
    }
}

#[tokio::test]
async fn a_token_with_too_little_says_what_is_missing() {
    let (gateway, azure) = (gateway().await, azure(Options::services("fabrikam")).await);
    for refusal in [ScopeRefusal::Unauthorized, ScopeRefusal::Forbidden, ScopeRefusal::SignInPage] {
        azure.simulator.fail(|faults| faults.scope_refusal = refusal);
        let made = connect(&gateway, &azure, tokens::WORK_ONLY).await.json();
        assert_eq!(word(&made, "/status"), "needs_attention");
        let missing = with_result(&made, "missing");
        assert!(missing.contains(&"code".to_owned()) && !missing.contains(&"work_items".to_owned()), "{made}");
        assert!(word(&made, "/check/cause").contains("Code (Read)"), "{made}");
        let made = connect(&gateway, &azure, tokens::WITHOUT_RELEASE).await.json();
        assert_eq!(
            (word(&made, "/status").as_str(), with_result(&made, "missing")),
            ("enabled", vec!["release".to_owned()])
        );
    }
    let made = connect(&gateway, &azure, tokens::WITHOUT_EDIT).await;
    assert_eq!(with_result(&made.json(), "missing"), ["service_hooks"]);
    assert!(word(&made.json(), "/check/remedy").starts_with("Ask a Project Collection Administrator"));
    let manual = gateway.ask("PATCH", made.header("location")).header("if-match", "*");
    assert_eq!(word(&manual.json(&json!({ "hooks": "manual" })).send().await.json(), "/status"), "enabled");
}

#[tokio::test]
async fn a_token_that_dies_is_seen_and_its_successor_takes_over() {
    let (gateway, azure) = (gateway().await, azure(Options::services("fabrikam")).await);
    let made = connect(&gateway, &azure, tokens::FULL).await;
    let path = made.header("location").to_owned();
    let check = || async { gateway.ask("POST", &format!("{path}/check")).send().await.json() };
    for refusal in [Refusal::SignInPage, Refusal::Redirect, Refusal::Unauthorized] {
        azure.simulator.fail(|faults| (faults.refusal, faults.suppress_is_ignored) = (refusal, true));
        azure.simulator.set_token(tokens::FULL, TokenState::Expired);
        let checked = check().await;
        assert_eq!(word(&checked, "/status"), "needs_attention", "{refusal:?} {checked}");
        assert!(word(&checked, "/check/cause").starts_with("Azure DevOps does not accept the token"), "{checked}");
        azure.simulator.set_token(tokens::FULL, TokenState::Live);
        assert_eq!(word(&check().await, "/status"), "enabled");
    }
    let change = async |token: &str| {
        let request = gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "token": token }));
        request.send().await
    };
    assert_eq!(change(tokens::EXPIRED).await.wrong(), ["/token"]);
    assert_eq!(word(&check().await, "/status"), "enabled", "the old one is still in use");
    assert_eq!(word(&change(tokens::WITHOUT_RELEASE).await.json(), "/status"), "enabled");
    assert_eq!(with_result(&check().await, "missing"), ["release"], "the new one is in use");
}

#[tokio::test]
async fn a_server_behind_a_proxy_with_an_authority_of_its_own_is_reached_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(&cert, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let options = Options {
        virtual_directory: Some("tfs".to_owned()),
        required_headers: vec![("cf-access-client-id".to_owned(), "abc".to_owned())],
        ..Options::server("Coll", ServerVersion::V2022)
    };
    let azure = Azure::start_tls(options, Arc::new(SystemClock::default()), cert, key).await;
    let gateway = gateway().await;
    let made = connect(&gateway, &azure, tokens::FULL).await;
    assert_eq!(word(&made.json(), "/status"), "unreachable");
    assert!(word(&made.json(), "/check/remedy").contains("as ca_bundle with PATCH"), "{made:?}");
    let change = async |body: Value| {
        gateway.ask("PATCH", made.header("location")).header("if-match", "*").json(&body).send().await.json()
    };
    let trusted = change(json!({ "ca_bundle": own.cert.pem() })).await;
    assert_eq!(word(&trusted, "/status"), "needs_attention", "{trusted}");
    assert!(word(&trusted, "/check/remedy").contains("that wants headers: send them as headers"), "{trusted}");
    let through = change(json!({ "headers": "CF-Access-Client-Id: abc" })).await;
    assert_eq!(word(&through, "/status"), "enabled", "{through}");
}

#[tokio::test]
async fn what_is_not_there_is_told_from_what_is_not_azure_devops() {
    let (gateway, azure) = (gateway().await, azure(Options::services("fabrikam")).await);
    let elsewhere = azure.url().replace("fabrikam", "nobody");
    let body = |url: &str| json!({ "name": "x", "url": url, "token": tokens::FULL });
    let wrong = gateway.post("/v1/connections", body(&elsewhere)).await.json();
    assert_eq!(word(&wrong, "/status"), "needs_attention");
    assert!(word(&wrong, "/check/cause").starts_with("there is no organization or collection at"), "{wrong}");
    let url = azure.url();
    drop(azure);
    let gone = gateway.post("/v1/connections", body(&url)).await.json();
    assert_eq!(word(&gone, "/status"), "unreachable", "{gone}");
}

#[tokio::test]
async fn a_server_in_a_virtual_directory_of_any_name_and_depth_is_found_from_any_link_into_it() {
    let gateway = gateway().await;
    for directory in ["AzureDevOps", "a/b", "tfs/x"] {
        let options =
            Options { virtual_directory: Some(directory.to_owned()), ..Options::server("Coll", ServerVersion::V2022) };
        let azure = azure(options).await;
        for page in
            ["", "/", "/Tools", "/Fiber%20Caf%C3%A9/_git/web%20shop", "/Tools/A%20team/_workitems/edit/1", "/_apis"]
        {
            let body = json!({ "name": "x", "url": format!("{}{page}", azure.url()), "token": tokens::FULL });
            let made = gateway.post("/v1/connections", body).await;
            let view = made.json();
            assert_eq!(
                (word(&view, "/status"), word(&view, "/url")),
                ("enabled".into(), azure.url()),
                "{page}: {view}"
            );
            // And a change does not cut it.
            let again = json!({ "url": azure.url() });
            let path = made.header("location");
            let changed = gateway.ask("PATCH", path).header("if-match", "*").json(&again).send().await.json();
            assert_eq!(
                (word(&changed, "/status"), word(&changed, "/url")),
                ("enabled".into(), azure.url()),
                "{changed}"
            );
        }
        // Where nobody is let in, what was given stays until somebody is.
        let given = format!("{}/Tools", azure.url());
        let body = json!({ "name": "x", "url": given, "token": "wrong" });
        let made = gateway.post("/v1/connections", body).await;
        assert_eq!(word(&made.json(), "/status"), "needs_attention");
        let token = json!({ "token": tokens::FULL });
        let path = made.header("location");
        let changed = gateway.ask("PATCH", path).header("if-match", "*").json(&token).send().await.json();
        let is_tfs = directory.starts_with("tfs");
        assert!(is_tfs || word(&changed, "/url") == azure.url(), "{changed}");
        let body = json!({ "name": "x", "url": azure.url() });
        let unchecked = gateway.post("/v1/connections?check=false", body).await.json();
        assert!(is_tfs || word(&unchecked, "/url") == azure.url(), "{unchecked}");
    }
}

#[tokio::test]
async fn a_repository_below_any_virtual_directory_is_found_and_bound_by_its_address() {
    let gateway = gateway().await;
    let options =
        Options { virtual_directory: Some("a/b".to_owned()), ..Options::server("Coll", ServerVersion::V2022) };
    let azure = azure(options).await;
    let made = connect(&gateway, &azure, tokens::FULL).await;
    let path = made.header("location").to_owned();
    gateway.ask("PUT", "/v1/projects/shop").json(&json!({ "name": "Shop" })).send().await;
    let address = format!("{}/Fiber%20Caf%C3%A9/_git/web%20shop", azure.url());
    let search: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
    let found = gateway.get(&format!("{path}/azure/repositories?search={search}")).await.json();
    assert_eq!(
        (found["data"].as_array().map(Vec::len), &found["data"][0]["name"]),
        (Some(1), &json!("web shop")),
        "{found}"
    );
    let id = path.rsplit('/').next().unwrap();
    let body = json!({ "role": "code_deployment", "connection": id, "repository": address });
    let bound = gateway.post("/v1/projects/shop/bindings", body).await;
    assert_eq!(bound.status, 201, "{bound:?}");
    assert_eq!(
        (&bound.json()["azure_project"], &bound.json()["repository"]),
        (&json!("Fiber Café"), &json!("web shop"))
    );
}

#[tokio::test]
async fn a_service_principal_is_enabled_and_a_wrong_secret_is_told() {
    let (gateway, azure) = (gateway().await, azure(Options::services("fabrikam")).await);
    let authority = azure.url().trim_end_matches("/fabrikam").to_owned();
    for (secret, status) in [(tokens::CLIENT_SECRET, "enabled"), ("wrong", "needs_attention")] {
        let principal = json!({ "tenant": tokens::TENANT, "client_id": tokens::CLIENT_ID, "client_secret": secret, "authority": authority });
        let body = json!({ "name": "x", "url": azure.url(), "service_principal": principal });
        let made = gateway.post("/v1/connections", body).await.json();
        assert_eq!(word(&made, "/status"), status, "{made}");
    }
}

#[tokio::test]
async fn what_a_binding_needs_is_discovered() {
    let (gateway, azure) = (gateway().await, azure(Options::services("fabrikam")).await);
    let path = connect(&gateway, &azure, tokens::FULL).await.header("location").to_owned() + "/azure";
    let first = async |list: &str| {
        let reply = gateway.get(&format!("{path}/{list}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["data"][0].clone()
    };
    let project = first("projects?search=CAF").await;
    assert_eq!(project["name"], "Fiber Café");
    let id = word(&project, "/id");
    let repository = first(&format!("repositories?azure_project={id}&search=shop")).await;
    assert_eq!((&repository["name"], &repository["azure_project_name"]), (&json!("web shop"), &json!("Fiber Café")));
    let branch =
        first(&format!("branches?azure_project={id}&repository={}&search=MAI", word(&repository, "/id"))).await;
    assert_eq!((&branch["name"], word(&branch, "/commit").len()), (&json!("main"), 40));
    assert!(first(&format!("pipelines?azure_project={id}")).await["id"].is_i64());
    let kind = first("work-item-types?azure_project=Fiber%20Caf%C3%A9&search=bug").await;
    assert!(kind["states"].as_array().unwrap().iter().any(|state| state["category"] == "Completed"), "{kind}");
    let reply = gateway.get(&format!("{path}/pipelines?azure_project=Nowhere")).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (404, "azure-not-found"));
}

/// The scopes that README names do not cover the call about permissions, by Microsoft's specifications.
#[tokio::test]
async fn a_server_that_does_not_say_what_we_may_is_not_asked_each_time() {
    const SCOPES: [Scope; 5] = [Scope::Code, Scope::Build, Scope::Work, Scope::Project, Scope::Release];
    let (gateway, azure) = (gateway().await, azure(Options::services("fabrikam")).await);
    azure.simulator.fail(|faults| faults.permissions_need_full_access = true);
    for token in ["one", "another"] {
        azure.simulator.issue_token(token, "ana@fabrikam.example", Some(&SCOPES));
    }
    let asked = || azure.simulator.calls().iter().filter(|call| call.target.contains("/permissions/")).count();
    let made = connect(&gateway, &azure, "one").await;
    assert_eq!((word(&made.json(), "/status").as_str(), asked()), ("enabled", 1), "one refusal answers for all rights");
    assert_eq!(with_result(&made.json(), "unknown"), ["service_hooks"]);
    let (path, id) = (made.header("location").to_owned(), made.json()["id"].as_str().unwrap().parse().unwrap());
    let check = || async { checks::check(&gateway.app, id, Priority::Repair).await.unwrap().health.unwrap().record };
    let first = check().await;
    for _ in 0..5 {
        gateway.advance(Duration::from_mins(10));
        assert!(check().await.agrees_with(&first), "{first:?}");
    }
    assert_eq!(asked(), 1);
    // Whoever asks is answered anew, and so is who has another token.
    gateway.ask("POST", &format!("{path}/check")).send().await;
    assert_eq!(asked(), 2);
    let change = gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "token": "another" })).send().await;
    assert_eq!((change.status.as_u16(), asked()), (200, 3));
    gateway.advance(Duration::from_hours(25));
    check().await;
    assert_eq!(asked(), 4, "a day later it may be otherwise");
}
