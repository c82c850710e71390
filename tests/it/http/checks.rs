//! What a check finds, what people are told, and that it is done again by itself.

use super::scripted::{Script, Scripted, gateway};
use crate::harness::{Gateway, Reply};
use futures_util::FutureExt as _;
use hookwell::{
    app::checks::watch::{self, Watch},
    azure::client::{ApiVersion, Failure, Permission, Unreachable},
    store::Registry as _,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const URL: &str = "https://dev.azure.com/fabrikam";
/// For what must happen, and is waited for on a condition.
const BACKSTOP: Duration = Duration::from_secs(20);

fn body() -> Value {
    json!({ "name": "Fabrikam", "url": URL, "token": "pat-secret" })
}

fn id(reply: &Reply) -> String {
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// Status, cause and remedy, with the connection's id taken out.
fn told(view: &Value) -> (String, String, String) {
    let id = view["id"].as_str().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().replace(id, "ID");
    (text(&view["status"]), text(&view["check"]["cause"]), text(&view["check"]["remedy"]))
}

#[tokio::test]
async fn a_new_connection_says_who_we_are_and_what_we_may() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let made = gateway.post("/v1/connections", body()).await;
    let view = made.json();
    assert_eq!((made.status.as_u16(), &view["status"]), (201, &json!("enabled")));
    let check = &view["check"];
    assert_eq!((&check["deployment"], &check["api_version"]), (&json!("services"), &json!("7.1")));
    assert_eq!(check["identity"], json!({ "display_name": "Hook Well", "account": "hookwell@fabrikam.example" }));
    assert_eq!((&check["cause"], &check["remedy"]), (&Value::Null, &Value::Null));
    let scopes: Vec<_> = check["scopes"].as_array().unwrap().iter().collect();
    let names: Vec<_> = scopes.iter().map(|found| found["scope"].as_str().unwrap()).collect();
    assert_eq!(names, ["project_and_team", "code", "build", "work_items", "release", "service_hooks"]);
    for found in &scopes {
        assert_eq!(found["result"], "ok", "{found}");
        assert!(
            !found["needed_for"].as_str().unwrap().is_empty() && !found["how_to_grant"].as_str().unwrap().is_empty()
        );
    }
    let required: Vec<_> = scopes.iter().map(|found| found["required"].as_bool().unwrap()).collect();
    assert_eq!(required, [true, true, false, false, false, true], "nothing is bound yet");
    let calls = azure.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("connection_data")).count(), 1);
    assert!(!calls.iter().any(|call| call == "repositories" || call == "subscriptions"), "nothing large: {calls:?}");
    assert_eq!(gateway.get("/v1/integration").await.json()["attention"], json!([]));
    let read = gateway.get(made.header("location")).await;
    assert_eq!((read.etag(), &read.json()["check"]), (made.etag(), check));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table of failures")]
async fn every_failure_is_told_with_the_one_thing_to_do() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let unreachable = |at, detail: &str| Failure::Unreachable { at, detail: detail.to_owned() };
    let table = [
        (
            Failure::Settings("X-Key is no header".to_owned()),
            "needs_attention",
            "a setting of the connection cannot be used: X-Key is no header",
            "Give it again with PATCH /v1/connections/ID.",
        ),
        (
            Failure::Unauthorized { detail: Some("The Personal Access Token used has expired.".to_owned()) },
            "needs_attention",
            "Azure DevOps does not accept the token: it has expired, and cannot be extended any more: The Personal Access Token used has expired.",
            "Make a new one at https://dev.azure.com/fabrikam/_usersSettings/tokens with the scopes Code (Read), Build (Read), Work items (Read), Project and team (Read), and Release (Read) for classic releases, and send it as token with PATCH /v1/connections/ID. Choose this organization alone for it: tokens for all accessible organizations do not work from 1 December 2026 on. Where the organization lets nobody make tokens (new ones do not), ask an administrator or give a service principal.",
        ),
        (
            Failure::Unavailable {
                detail: Some("This Azure DevOps organization has been deactivated due to inactivity.".to_owned()),
            },
            "unreachable",
            "Azure DevOps is there but cannot answer now: This Azure DevOps organization has been deactivated due to inactivity.",
            "Its owner has to sign in to it in a browser and activate it again; it is asked again by itself.",
        ),
        (
            Failure::Forbidden { permission: None, detail: Some("TF400813".to_owned()) },
            "needs_attention",
            "Azure DevOps knows who we are but does not let us in: TF400813",
            "Ask a Project Collection Administrator (https://dev.azure.com/fabrikam/_settings/groups lists them; in an organization of your own, that is you) to add the identity to https://dev.azure.com/fabrikam with Basic access, and whether a policy refuses it (addresses, conditional access, personal access tokens).",
        ),
        (
            Failure::NotFound { detail: None },
            "needs_attention",
            "there is no organization or collection at https://dev.azure.com/fabrikam, or it is not shown to us",
            "Open https://dev.azure.com/fabrikam in a browser; if that fails too, send the right url with PATCH /v1/connections/ID, else ask a Project Collection Administrator (https://dev.azure.com/fabrikam/_settings/groups lists them; in an organization of your own, that is you) for access.",
        ),
        (
            Failure::Refused { kind: Some("VssVersionOutOfRangeException".to_owned()), detail: None },
            "needs_attention",
            "the server is older than Azure DevOps Server 2019",
            "Update it to Azure DevOps Server 2019 or newer, which speaks version 5.0 of the API.",
        ),
        (
            Failure::Refused { kind: None, detail: Some("no".to_owned()) },
            "needs_attention",
            "Azure DevOps refuses the request: no",
            "Check that https://dev.azure.com/fabrikam is the organization or collection itself; PATCH /v1/connections/ID changes it.",
        ),
        (
            Failure::Throttled { wait: Duration::from_secs(30) },
            "unreachable",
            "Azure DevOps asks us to wait 30 seconds: this identity has used up its share",
            "Nothing: it is asked again by itself. If it goes on, give Hookwell an identity of its own, because all that use the same one share the limit.",
        ),
        (
            Failure::Unavailable { detail: Some("TF24668".to_owned()) },
            "unreachable",
            "Azure DevOps is there but cannot answer now: TF24668",
            "Nothing: it is asked again by itself. https://status.dev.azure.com says whether it is Azure's trouble; an organization that was stopped has to be started by its owner.",
        ),
        (
            unreachable(Unreachable::Name, "no such host"),
            "unreachable",
            "the name of the server in https://dev.azure.com/fabrikam is not known here: no such host",
            "Check the spelling, and that the gateway's machine can resolve it; PATCH /v1/connections/ID changes url.",
        ),
        (
            unreachable(Unreachable::Connect, "refused"),
            "unreachable",
            "nothing answers at https://dev.azure.com/fabrikam: refused",
            "Check that the server runs and that no firewall is between the gateway and it; if the way leads through a proxy, set proxy with PATCH /v1/connections/ID.",
        ),
        (
            unreachable(Unreachable::Tls, "UnknownIssuer"),
            "unreachable",
            "no trusted TLS connection to https://dev.azure.com/fabrikam could be made: UnknownIssuer",
            "If the server's certificate is signed by an authority of your own, send that authority's certificate (PEM) as ca_bundle with PATCH /v1/connections/ID.",
        ),
        (
            unreachable(Unreachable::Proxy, "407"),
            "unreachable",
            "the proxy on the way to https://dev.azure.com/fabrikam refused or failed: 407",
            "Check its address, user name and password, and send proxy again with PATCH /v1/connections/ID.",
        ),
        (
            unreachable(Unreachable::Silent, "cut"),
            "unreachable",
            "https://dev.azure.com/fabrikam did not answer in time: cut",
            "Check the network and whether the server is overloaded; it is asked again by itself.",
        ),
        (
            Failure::Unexpected { detail: "HTML".to_owned(), activity_id: Some("a-1".to_owned()) },
            "needs_attention",
            "what answers at https://dev.azure.com/fabrikam does not answer as Azure DevOps does: HTML (activity a-1)",
            "Open https://dev.azure.com/fabrikam/_apis/projects in a browser: if that is not Azure DevOps, send the right url with PATCH /v1/connections/ID.",
        ),
    ];
    for (failure, status, cause, remedy) in table {
        azure.with(|script| {
            *script = Script { failing: [("connection_data", failure.clone())].into(), ..Script::default() }
        });
        let made = gateway.post("/v1/connections", body()).await;
        assert_eq!(made.status, 201, "it is made all the same");
        assert_eq!(told(&made.json()), (status.to_owned(), cause.to_owned(), remedy.to_owned()), "{failure:?}");
        assert_eq!(azure.calls(), ["connection_data"], "nothing more is asked");
    }
}

#[tokio::test]
async fn what_is_told_fits_the_kind_of_connection() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let principal = json!({ "tenant": "t", "client_id": uuid::Uuid::nil(), "client_secret": "s" });
    let unauthorized = || Failure::Unauthorized { detail: None };
    for (more, part) in [
        (json!({ "headers": { "CF-Access-Client-Id": "x" } }), "refuses the extra headers: send headers again."),
        (json!({ "url": "https://devops.example/tfs/Coll" }), "that wants headers: send them as headers."),
        (json!({ "token": null, "service_principal": principal }), "whether its secret has expired"),
    ] {
        azure.with(|script| script.failing = [("connection_data", unauthorized())].into());
        let mut body = body();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, _, remedy) = told(&gateway.post("/v1/connections", body).await.json());
        assert_eq!(status, "needs_attention");
        assert!(remedy.contains(part), "{remedy}");
    }
    for (script, cause) in [
        (
            Script { speaks: Some(ApiVersion { major: 4, minor: 1 }), ..Script::default() },
            "the server is older than Azure DevOps Server 2019 (it speaks 4.1)",
        ),
        (
            Script { anonymous: true, ..Script::default() },
            "Azure DevOps does not accept the token: it is wrong, has expired or was revoked: it treats us as nobody",
        ),
    ] {
        azure.with(|current| *current = script);
        let (status, said, _) = told(&gateway.post("/v1/connections", body()).await.json());
        assert_eq!((status.as_str(), said.as_str()), ("needs_attention", cause));
    }
    for (hooks, status, part) in [
        ("manual", "unchecked", "there is no credential, so Azure DevOps is not asked"),
        ("managed", "needs_attention", "there is no credential, so the service hooks cannot be made"),
    ] {
        azure.calls();
        let body = json!({ "name": "x", "url": URL, "hooks": hooks });
        let (said, cause, _) = told(&gateway.post("/v1/connections", body).await.json());
        assert!(said == status && cause.starts_with(part), "{said} {cause}");
        assert_eq!(azure.calls(), Vec::<String>::new(), "nobody is asked");
    }
}

/// The results and which of them are required, by scope.
fn scopes(view: &Value) -> Vec<(String, String, bool)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let scope = |found: &Value| (text(&found["scope"]), text(&found["result"]), found["required"].as_bool().unwrap());
    view["check"]["scopes"].as_array().unwrap().iter().map(scope).collect()
}

fn scope(view: &Value, name: &str) -> (String, bool) {
    let found = scopes(view).into_iter().find(|(scope, ..)| scope == name).unwrap();
    (found.1, found.2)
}

#[tokio::test]
async fn a_scope_counts_only_where_something_needs_it() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let missing = || Failure::Unauthorized { detail: None };
    azure.with(|script| {
        script.failing =
            [("pipelines", missing()), ("work_item_types", missing()), ("release_definitions", missing())].into();
    });
    let made = gateway.post("/v1/connections", body()).await;
    let path = made.header("location").to_owned();
    assert_eq!(made.json()["status"], "enabled", "nothing is bound that would need builds or work items");
    assert_eq!(scope(&made.json(), "build"), ("missing".to_owned(), false));
    gateway.project("shop").await;
    let check = || async { gateway.ask("POST", &format!("{path}/check")).send().await };
    let bind = async |role: &str, project: &str| {
        let body = json!({ "role": role, "connection": id(&made), "azure_project": project });
        assert_eq!(gateway.post("/v1/projects/shop/bindings", body).await.status, 201);
    };
    bind("build_provider", "fiber").await;
    azure.calls();
    let checked = check().await;
    assert_eq!(scope(&checked.json(), "build"), ("missing".to_owned(), true));
    let (status, cause, remedy) = told(&checked.json());
    assert_eq!(status, "needs_attention");
    assert_eq!(
        cause,
        "what is needed is not allowed: Build (Read) (in project Fiber: Azure DevOps does not accept the credential)"
    );
    assert!(
        remedy.starts_with(
            "https://dev.azure.com/fabrikam/_usersSettings/tokens, the token, Edit, tick Build: Read, Save."
        )
    );
    assert!(remedy.contains("ask a Project Administrator"), "{remedy}");
    assert!(azure.calls().contains(&"pipelines Fiber".to_owned()), "tried where it is needed");

    azure.with(|script| script.failing.clear());
    assert_eq!(check().await.json()["status"], "enabled", "clears when it passes");

    // A project that a binding names and nobody finds is no scope that is missing.
    azure.with(|script| script.failing = [("work_item_types", Failure::NotFound { detail: None })].into());
    bind("issue_provider", "Gone").await;
    let checked = check().await.json();
    assert_eq!((&checked["status"], &checked["check"]["remedy"]), (&json!("enabled"), &Value::Null), "{checked}");
    assert_eq!(scope(&checked, "work_items"), ("unknown".to_owned(), true));
}

#[tokio::test]
async fn one_token_for_several_organizations_is_said_before_it_ends() {
    let gateway = gateway(&Arc::new(Scripted::default())).await;
    let add = async |name: &str, url: &str, token: &str| {
        let made = gateway.post("/v1/connections", json!({ "name": name, "url": url, "token": token })).await;
        assert_eq!(made.status, 201, "{made:?}");
        id(&made)
    };
    let said = async || {
        let all = gateway.get("/v1/integration").await.json();
        let of = |own: &&Value| own["kind"] == "token_for_all_organizations";
        all["attention"].as_array().unwrap().iter().filter(of).cloned().collect::<Vec<_>>()
    };
    add("One", URL, "pat-secret").await;
    add("Same organization", "https://dev.azure.com/Fabrikam", "pat-secret").await;
    add("A Server", "https://azure.example/tfs/Coll", "pat-secret").await;
    add("Another token", "https://dev.azure.com/contoso", "of-its-own").await;
    assert_eq!(said().await, Vec::<Value>::new());
    let other = add("Two", "https://dev.azure.com/adventure", "pat-secret").await;
    let all = said().await;
    let detail = all[0]["detail"].as_str().unwrap();
    assert!(all.len() == 1 && ["One", "Two", "1 December 2026"].iter().all(|word| detail.contains(word)), "{all:?}");
    let path = format!("/v1/connections/{other}");
    let change = gateway.ask("PATCH", &path).header("if-match", "*").json(&json!({ "token": "its-own" }));
    assert_eq!(change.send().await.status, 200);
    assert_eq!(said().await, Vec::<Value>::new(), "it goes with its cause");
}

#[tokio::test]
async fn the_right_to_make_hooks_is_asked_for_and_only_a_no_is_a_no() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    azure.with(|script| script.denied = Some(Permission::EditSubscriptions));
    let made = gateway.post("/v1/connections", body()).await;
    let (status, cause, remedy) = told(&made.json());
    assert_eq!(status, "needs_attention");
    assert!(cause.ends_with("(in project Fiber: the permission Edit Subscription is missing)"), "{cause}");
    assert!(remedy.starts_with("Ask a Project Collection Administrator"), "{remedy}");
    assert!(remedy.contains("or set hooks to manual with PATCH /v1/connections/ID"), "{remedy}");
    let path = made.header("location").to_owned();
    let change = |body: Value| gateway.ask("PATCH", &path).header("if-match", "*").json(&body);
    let manual = change(json!({ "hooks": "manual" })).send().await.json();
    assert_eq!((&manual["status"], &manual["hooks"]), (&json!("enabled"), &json!("manual")));
    assert_eq!(scope(&manual, "service_hooks"), ("not_needed".to_owned(), false));
    azure.with(|script| {
        *script = Script { failing: [("may", Failure::NotFound { detail: None })].into(), ..Script::default() };
    });
    let managed = change(json!({ "hooks": "managed" })).send().await.json();
    assert_eq!(
        (&managed["status"], scope(&managed, "service_hooks")),
        (&json!("enabled"), ("unknown".to_owned(), true))
    );
}

#[tokio::test]
async fn what_azure_cannot_say_now_stays_as_it_was() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    azure.with(|script| {
        script.failing = [("repositories", Failure::Forbidden { permission: None, detail: None })].into();
    });
    let made = gateway.post("/v1/connections", body()).await;
    assert_eq!(scope(&made.json(), "code"), ("missing".to_owned(), true));
    let check = format!("{}/check", made.header("location"));
    azure.with(|script| script.failing = [("repositories", Failure::Unavailable { detail: None })].into());
    let checked = gateway.ask("POST", &check).send().await;
    assert_eq!(scope(&checked.json(), "code"), ("missing".to_owned(), true), "an outage grants nothing");
    azure.with(|script| script.failing.clear());
    assert_eq!(gateway.ask("POST", &check).send().await.json()["status"], "enabled");
    azure.with(|script| {
        script.failing = [("connection_data", Failure::Throttled { wait: Duration::from_secs(9) })].into();
    });
    assert_eq!(gateway.ask("POST", &check).send().await.json()["status"], "enabled", "asking too much breaks nothing");
}

#[tokio::test]
async fn an_azure_that_says_nothing_is_waited_for_at_most_20_seconds_and_nobody_else_waits() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    for (call, seconds, status) in
        [("connection_data", 8, "unreachable"), ("projects", 6, "enabled"), ("may", 6, "enabled")]
    {
        azure.with(|script| script.silent = vec![call]);
        let making = gateway.ask("POST", "/v1/connections").json(&body()).send();
        let meanwhile = async {
            azure.waits.notified().await;
            let other = json!({ "name": "other", "url": URL });
            assert_eq!(gateway.post("/v1/connections?check=false", other).await.status, 201, "in the meantime");
            gateway.advance(Duration::from_secs(seconds));
        };
        let made = tokio::time::timeout(BACKSTOP, async { tokio::join!(making, meanwhile).0 }).await.unwrap();
        assert_eq!((made.status.as_u16(), &made.json()["status"]), (201, &json!(status)), "{call}");
    }
}

#[tokio::test]
async fn a_new_token_that_is_not_accepted_leaves_the_old_one_in_use() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let made = gateway.post("/v1/connections", body()).await;
    let path = made.header("location").to_owned();
    let change =
        |query: &str, body: &Value| gateway.ask("PATCH", &format!("{path}{query}")).header("if-match", "*").json(body);
    let used = || async {
        gateway.ask("POST", &format!("{path}/check")).send().await;
        format!(
            "{:?}",
            azure.access().credential.map(|credential| match credential {
                hookwell::azure::client::Credential::Pat(token) => token.to_string(),
                hookwell::azure::client::Credential::ServicePrincipal { client_id, .. } => client_id,
                hookwell::azure::client::Credential::ManagedIdentity { client_id } => client_id.unwrap_or_default(),
            })
        )
    };
    azure.with(|script| script.failing = [("connection_data", Failure::Unauthorized { detail: None })].into());
    let refused = change("", &json!({ "name": "Other", "token": "pat-wrong" })).send().await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (409, vec!["/token".to_owned()]));
    assert!(refused.json()["errors"][0]["detail"].as_str().unwrap().contains("what was there before stays in use"));
    let principal = json!({ "tenant": "t", "client_id": "00000000-0000-4000-8000-00000000dead", "client_secret": "s" });
    let refused = change("", &json!({ "service_principal": principal })).send().await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (409, vec!["/service_principal".to_owned()]));
    let view = gateway.get(&path).await.json();
    assert_eq!((&view["name"], &view["status"]), (&json!("Fabrikam"), &json!("enabled")), "nothing of it was taken");
    azure.with(|script| script.failing.clear());
    assert_eq!(used().await, "Some(\"pat-secret\")");

    azure.with(|script| script.failing = [("connection_data", Failure::Unauthorized { detail: None })].into());
    let renamed = change("", &json!({ "name": "Other" })).send().await.json();
    assert_eq!(
        (&renamed["name"], &renamed["status"]),
        (&json!("Other"), &json!("needs_attention")),
        "no new credential"
    );
    let taken = change("?check=false", &json!({ "token": "pat-blind" })).send().await.json();
    assert_eq!((&taken["status"], &taken["check"]), (&json!("unchecked"), &Value::Null), "taken unseen");
    let unreachable = Failure::Unreachable { at: Unreachable::Connect, detail: "refused".to_owned() };
    azure.with(|script| script.failing = [("connection_data", unreachable)].into());
    let taken = change("", &json!({ "token": "pat-next" })).send().await.json();
    assert_eq!(taken["status"], "unreachable", "nobody could say that it is wrong");
    assert_eq!(used().await, "Some(\"pat-next\")");
    azure.with(|script| script.failing.clear());
    assert_eq!(change("", &json!({ "service_principal": principal })).send().await.json()["token_set"], false);
    assert_eq!(used().await, "Some(\"00000000-0000-4000-8000-00000000dead\")", "it takes the token's place");
}

#[tokio::test]
async fn whoever_changes_a_connection_while_it_is_checked_goes_first() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let path = gateway.post("/v1/connections", body()).await.header("location").to_owned();
    let change = |query: &str, name: &str| {
        gateway.ask("PATCH", &format!("{path}{query}")).header("if-match", "*").json(&json!({ "name": name }))
    };
    azure.with(|script| script.silent = vec!["connection_data"]);
    let meanwhile = async {
        azure.waits.notified().await;
        assert_eq!(change("?check=false", "fast").send().await.status, 200);
        gateway.advance(Duration::from_secs(8));
    };
    let (slow, ()) = tokio::join!(change("", "slow").send(), meanwhile);
    assert_eq!(slow.status, 412);
    assert_eq!(gateway.get(&path).await.json()["name"], "fast");

    // A check that ends after the connection was removed leaves nothing behind.
    let check = format!("{path}/check");
    let meanwhile = async {
        azure.waits.notified().await;
        let preview = gateway.get(&format!("{path}/removal")).await.json();
        let removal = format!("{path}?confirm={}", preview["confirmation"].as_str().unwrap());
        assert_eq!(gateway.ask("DELETE", &removal).send().await.status, 200);
        assert!(gateway.store.list("health").is_empty(), "gone in the same commit");
        gateway.advance(Duration::from_secs(8));
    };
    let (checked, ()) = tokio::join!(gateway.ask("POST", &check).send(), meanwhile);
    assert_eq!(checked.status, 404);
    assert!(gateway.store.list("health").is_empty());
}

#[tokio::test]
async fn a_change_of_status_is_seen_by_who_reads_again_and_refuses_nobodys_change() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let made = gateway.post("/v1/connections", body()).await;
    let path = made.header("location").to_owned();
    let again = || gateway.ask("GET", &path).header("if-none-match", made.etag()).send();
    assert_eq!(again().await.status, 304);
    azure.with(|script| script.failing = [("connection_data", Failure::NotFound { detail: None })].into());
    assert_eq!(gateway.ask("POST", &format!("{path}/check")).send().await.json()["status"], "needs_attention");
    assert_eq!(again().await.status, 200);
    let change = gateway.ask("PATCH", &path).header("if-match", made.etag()).json(&json!({ "name": "Other" }));
    assert_eq!(change.send().await.status, 200, "the connection itself is the same");
}

#[tokio::test]
async fn the_same_finding_is_not_written_again_within_ten_minutes() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    gateway.post("/v1/connections", body()).await;
    let mut watch = Watch::new(&gateway.app);
    watch.round(&gateway.app).await;
    let (revision, calls) = (gateway.store.revision(), azure.calls().len());
    assert!(calls > 0);
    let mut restarted = Watch::new(&gateway.app);
    gateway.advance(Duration::from_mins(1));
    restarted.round(&gateway.app).await;
    watch.round(&gateway.app).await;
    assert_eq!(gateway.store.revision(), revision);
    gateway.advance(Duration::from_mins(11));
    watch.round(&gateway.app).await;
    assert_eq!(gateway.store.revision(), revision + 1, "that it was looked at is worth keeping now");
}

#[tokio::test]
async fn who_has_just_been_checked_is_not_checked_again() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let mut watch = Watch::new(&gateway.app);
    gateway.advance(Duration::from_secs(1));
    let path = gateway.post("/v1/connections", body()).await.header("location").to_owned();
    azure.calls();
    watch.round(&gateway.app).await;
    assert_eq!(azure.calls(), Vec::<String>::new());
    let change = gateway.ask("PATCH", &format!("{path}?check=false")).header("if-match", "*");
    assert_eq!(change.json(&json!({ "token": "pat-next" })).send().await.json()["status"], "unchecked");
    watch.round(&gateway.app).await;
    assert_eq!(gateway.get(&path).await.json()["status"], "enabled", "the check that was not waited for");
}

/// Forgets that who makes the hooks was woken before.
fn drain(gateway: &Gateway) {
    while gateway.app.reconcile.notified().now_or_never().is_some() {}
}

/// Runs the watch until `holds` does, moving the clock by one tick at a time; how often it was moved.
async fn until(gateway: &Gateway, what: &str, mut holds: impl AsyncFnMut() -> bool) -> u32 {
    let waiting = async {
        let mut ticks = 0;
        while !holds().await {
            gateway.advance(Duration::from_secs(5));
            ticks += 1;
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
        }
        ticks
    };
    tokio::time::timeout(BACKSTOP, waiting).await.unwrap_or_else(|_| panic!("{what}"))
}

#[tokio::test]
async fn what_breaks_is_seen_and_what_is_mended_clears_by_itself() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let path = gateway.post("/v1/connections", body()).await.header("location").to_owned();
    let watching = tokio::spawn(watch::run(Arc::clone(&gateway.app)));
    let status = async || gateway.get(&path).await.json()["status"].as_str().unwrap().to_owned();
    azure.with(|script| script.failing = [("connection_data", Failure::Unauthorized { detail: None })].into());
    until(&gateway, "the failure is seen", async || status().await == "needs_attention").await;
    let attention = gateway.get("/v1/integration").await.json()["attention"].clone();
    assert_eq!((&attention[0]["kind"], &attention[0]["link"]), (&json!("connection_needs_attention"), &json!(path)));
    assert!(attention[0]["detail"].as_str().unwrap().starts_with("Fabrikam: Azure DevOps does not accept the token"));
    assert!(attention[0]["remedy"].as_str().unwrap().starts_with("Make a new one at"));
    let metrics = String::from_utf8(gateway.get("/metrics").await.body.to_vec()).unwrap();
    assert!(metrics.contains("hookwell_connections{status=\"needs_attention\"} 1"), "{metrics}");
    assert!(metrics.contains("hookwell_connections{status=\"enabled\"} 0"), "{metrics}");

    azure.with(|script| script.failing.clear());
    drain(&gateway);
    let woken = gateway.app.reconcile.notified();
    let ticks = until(&gateway, "it clears", async || status().await == "enabled").await;
    assert!(ticks <= 40, "sooner than the ten minutes of a working one: {ticks} ticks of 5 s");
    tokio::time::timeout(BACKSTOP, woken).await.expect("what could not be made before is made now");
    assert_eq!(gateway.get("/v1/integration").await.json()["attention"], json!([]));
    gateway.app.stop();
    tokio::time::timeout(BACKSTOP, watching).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn the_watch_stops_in_the_middle_of_a_check() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    gateway.post("/v1/connections", body()).await;
    azure.with(|script| script.silent = vec!["connection_data"]);
    let watching = tokio::spawn(watch::run(Arc::clone(&gateway.app)));
    tokio::time::timeout(BACKSTOP, azure.waits.notified()).await.expect("it checks at the start");
    gateway.app.stop();
    tokio::time::timeout(BACKSTOP, watching).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn a_sync_checks_and_wakes_who_makes_the_hooks() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let path = gateway.post("/v1/connections", body()).await.header("location").to_owned();
    azure.calls();
    drain(&gateway);
    let woken = gateway.app.reconcile.notified();
    let reply = gateway.ask("POST", &format!("{path}/sync")).send().await;
    assert_eq!((reply.status.as_u16(), &reply.json()["status"]), (202, &json!("enabled")));
    assert!(azure.calls().contains(&"connection_data".to_owned()));
    tokio::time::timeout(BACKSTOP, woken).await.expect("it is woken");
    for call in ["check", "sync"] {
        assert_eq!(
            gateway.ask("POST", &format!("/v1/connections/{}/{call}", uuid::Uuid::nil())).send().await.status,
            404
        );
    }
}
