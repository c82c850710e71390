//! What a connection can see: paging, searching, the cache, and what is said when Azure DevOps does not answer.

use super::scripted::{Scripted, gateway};
use crate::harness::{Gateway, Reply};
use hookwell::azure::client::{Failure, Unreachable};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

async fn start() -> (Arc<Scripted>, Gateway, String) {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let body = json!({ "name": "Fabrikam", "url": "https://dev.azure.com/fabrikam", "token": "pat-secret" });
    let path = gateway.post("/v1/connections?check=false", body).await.header("location").to_owned();
    (azure, gateway, path + "/azure")
}

fn names(reply: &Reply) -> Vec<String> {
    let name = |item: &Value| item["name"].as_str().unwrap().to_owned();
    reply.json()["data"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn a_list_is_read_whole_once_and_paged_and_searched_here() {
    let (azure, gateway, path) = start().await;
    azure.with(|script| script.more_projects = 6);
    let mut all = Vec::new();
    let mut next = format!("{path}/projects?limit=3");
    for expected in [3, 3, 1] {
        let reply = gateway.get(&next).await;
        assert_eq!(names(&reply).len(), expected);
        all.extend(names(&reply));
        match reply.json()["next"].as_str() {
            Some(cursor) => {
                next = format!("{path}/projects?limit=3&after={cursor}");
                let link = reply.header("link");
                assert!(link.contains(cursor) && link.contains("limit=3") && link.ends_with("rel=\"next\""), "{link}");
            }
            None => assert_eq!(expected, 1, "the last page"),
        }
    }
    assert!(all.is_sorted() && all.len() == 7 && all[0] == "Fiber", "{all:?}");
    assert_eq!(azure.calls(), ["projects"; 4], "Azure's four pages, once");
    assert_eq!(names(&gateway.get(&format!("{path}/projects?search=FIB")).await), ["Fiber"]);
    assert_eq!(names(&gateway.get(&format!("{path}/projects?search=0003")).await), ["Project 0003"]);
    assert_eq!(names(&gateway.get(&format!("{path}/projects?search=nothing")).await), Vec::<String>::new());
    assert_eq!(azure.calls(), Vec::<String>::new());

    gateway.get(&format!("{path}/projects?refresh=true")).await;
    assert_eq!(azure.calls().len(), 4, "asked for anew");
    gateway.advance(Duration::from_mins(5));
    gateway.get(&format!("{path}/projects")).await;
    assert_eq!(azure.calls().len(), 4, "five minutes later");
    let connection = path.trim_end_matches("/azure");
    let change = gateway.ask("PATCH", &format!("{connection}?check=false")).header("if-match", "*");
    change.json(&json!({ "token": "other" })).send().await;
    gateway.get(&format!("{path}/projects")).await;
    assert_eq!(azure.calls().len(), 4, "another credential may see something else");
    gateway.ask("POST", &format!("{connection}/sync")).send().await;
    azure.calls();
    gateway.get(&format!("{path}/projects")).await;
    assert_eq!(azure.calls().len(), 4, "a sync forgets");
}

#[tokio::test]
async fn a_cursor_holds_when_the_list_grows_before_it() {
    let (azure, gateway, path) = start().await;
    azure.with(|script| script.more_projects = 2);
    let first = gateway.get(&format!("{path}/projects?limit=2")).await;
    assert_eq!(names(&first), ["Fiber", "Project 0001"]);
    azure.with(|script| script.more_projects = 3);
    let cursor = first.json()["next"].as_str().unwrap().to_owned();
    let rest = gateway.get(&format!("{path}/projects?limit=2&refresh=true&after={cursor}")).await;
    assert_eq!(names(&rest), ["Project 0002", "Project 0003"]);
    let other = gateway.get(&format!("{path}/repositories?after={cursor}")).await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (400, "invalid-cursor"), "of another list");
}

#[tokio::test]
async fn everything_that_a_binding_names_can_be_found() {
    let (azure, gateway, path) = start().await;
    let all = gateway.get(&format!("{path}/repositories")).await;
    assert_eq!(names(&all), ["api", "web", "Web.Tests"], "by name, whatever its case");
    assert_eq!(all.json()["data"][1]["azure_project_name"], "Fiber");
    assert_eq!(
        names(&gateway.get(&format!("{path}/repositories?azure_project=Fiber&search=web")).await),
        ["web", "Web.Tests"]
    );
    let pipelines = gateway.get(&format!("{path}/pipelines?azure_project=Fiber")).await;
    assert_eq!(pipelines.json()["data"], json!([{ "id": 12, "name": "CI", "path": "\\" }]));
    let types = gateway.get(&format!("{path}/work-item-types?azure_project=A%20B")).await;
    assert_eq!(types.json()["data"][0]["states"][0], json!({ "name": "New", "category": "Proposed" }));
    assert_eq!(azure.calls(), ["repositories", "repositories Fiber", "pipelines Fiber", "work_item_types A B"]);
    for list in ["pipelines", "work-item-types", "branches?azure_project=x"] {
        let reply = gateway.get(&format!("{path}/{list}")).await;
        let missing = if list.contains('?') { "repository" } else { "azure_project" };
        assert_eq!((reply.status.as_u16(), reply.wrong()), (400, vec![missing.to_owned()]));
    }
    assert_eq!(
        gateway.get(&format!("{path}/projects?limit=0&search=&refresh=1")).await.wrong(),
        ["search", "limit", "refresh"]
    );
    let nowhere = format!("/v1/connections/{}/azure/projects", uuid::Uuid::nil());
    assert_eq!(gateway.get(&nowhere).await.problem(), "not-found");
}

#[tokio::test]
async fn branches_are_paged_and_searched_by_azure() {
    let (azure, gateway, path) = start().await;
    let first = format!("{path}/branches?azure_project=Fiber&repository=web&search=m&limit=1");
    let reply = gateway.get(&first).await;
    assert_eq!(names(&reply), ["main"]);
    let cursor = reply.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(names(&gateway.get(&format!("{first}&after={cursor}")).await), ["topic"]);
    assert_eq!(azure.calls(), ["branches Fiber/web m 1", "branches Fiber/web m 1 azure's own/token="]);
    assert_eq!(gateway.get(&format!("{first}&after=nonsense")).await.problem(), "invalid-cursor");
}

#[tokio::test]
async fn what_azure_does_not_answer_is_a_problem_that_says_what_to_do() {
    let (azure, gateway, path) = start().await;
    let unreachable = Failure::Unreachable { at: Unreachable::Name, detail: "no such host".to_owned() };
    for (failure, status, kind, part, retry) in [
        (Failure::Settings("x".to_owned()), 424, "azure-settings", "PATCH /v1/connections/", None),
        (Failure::Unauthorized { detail: None }, 424, "azure-unauthorized", "Make a new one at", None),
        (
            Failure::Forbidden { permission: None, detail: None },
            424,
            "azure-forbidden",
            "Build (Read) is missing. https://dev.azure.com/fabrikam/_usersSettings/tokens",
            None,
        ),
        (Failure::NotFound { detail: None }, 404, "azure-not-found", "/azure/projects lists the projects", None),
        (Failure::Refused { kind: None, detail: None }, 502, "azure-refused", "refuses", None),
        (unreachable, 502, "azure-unreachable", "Check the spelling", None),
        (
            Failure::Unexpected { detail: "HTML".to_owned(), activity_id: None },
            502,
            "azure-unexpected",
            "in a browser",
            None,
        ),
        (Failure::Throttled { wait: Duration::from_secs(17) }, 503, "azure-throttled", "wait 17 seconds", Some("17")),
        (Failure::Unavailable { detail: None }, 503, "azure-unavailable", "cannot answer now", Some("60")),
    ] {
        azure.with(|script| script.failing = [("pipelines", failure)].into());
        let reply = gateway.get(&format!("{path}/pipelines?azure_project=Fiber")).await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (status, kind));
        assert!(reply.json()["detail"].as_str().unwrap().contains(part), "{reply:?}");
        assert_eq!(reply.headers.get("retry-after").map(|value| value.to_str().unwrap()), retry);
    }
    azure.with(|script| script.failing.clear());
    let mended = gateway.get(&format!("{path}/pipelines?azure_project=Fiber")).await;
    assert_eq!(mended.status, 200, "a failure is not kept");
}

#[tokio::test]
async fn whoever_waits_for_azure_is_answered_in_half_a_minute() {
    let (azure, gateway, path) = start().await;
    azure.with(|script| script.silent = vec!["projects", "repositories", "branches", "pipelines", "work_item_types"]);
    for list in [
        "projects",
        "repositories",
        "repositories?azure_project=Fiber",
        "branches?azure_project=Fiber&repository=web",
        "pipelines?azure_project=Fiber",
        "work-item-types?azure_project=Fiber",
    ] {
        let list = format!("{path}/{list}");
        let late = async {
            azure.waits.notified().await;
            gateway.advance(Duration::from_secs(25));
        };
        // A caller that waits for another one's reading waits no longer than for its own.
        let (reply, ()) = tokio::join!(gateway.get(&list), late);
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (502, "azure-unreachable"), "{list}");
        assert!(reply.json()["detail"].as_str().unwrap().contains("no answer within 25 seconds"), "{list}");
    }
    azure.with(|script| script.silent.clear());
    assert_eq!(gateway.get(&format!("{path}/projects")).await.status.as_u16(), 200, "nothing of it stays");
}

#[tokio::test]
async fn a_list_that_does_not_end_is_cut_or_a_failure_and_never_whole() {
    let (azure, gateway, path) = start().await;
    azure.with(|script| script.endless = Some(0));
    let reply = gateway.get(&format!("{path}/projects")).await;
    assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (502, "azure-unexpected"));
    assert_eq!(azure.calls().len(), 1);

    azure.with(|script| script.endless = Some(1));
    let reply = gateway.get(&format!("{path}/projects?limit=200")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["is_cut"]), (200, &json!(true)));
    assert_eq!((names(&reply).len(), azure.calls().len()), (100, 100), "a call for each");

    azure.with(|script| script.endless = Some(1_000));
    let reply = gateway.get(&format!("{path}/projects?refresh=true")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["is_cut"]), (200, &json!(true)));
    assert_eq!(azure.calls().len(), 11);
}

#[tokio::test]
async fn looking_after_subscriptions_is_answered_in_half_a_minute_and_goes_on() {
    let (azure, gateway, path) = start().await;
    let connection = path.trim_start_matches("/v1/connections/").trim_end_matches("/azure").to_owned();
    gateway.project("web-shop").await;
    let binding =
        json!({ "role": "code_deployment", "connection": connection, "azure_project": "Fiber", "repository": "web" });
    assert_eq!(gateway.post("/v1/projects/web-shop/bindings", binding).await.status.as_u16(), 201);
    azure.with(|script| script.silent = vec!["project", "projects", "repositories", "connection_data"]);
    for (query, words) in [("?dry_run=true", "was not found out within 25 s"), ("", "goes on")] {
        let late = async {
            azure.waits.notified().await;
            gateway.advance(Duration::from_secs(25));
        };
        let (reply, ()) =
            tokio::join!(gateway.ask("POST", &format!("/v1/subscriptions/reconcile{query}")).send(), late);
        let trouble = &reply.json()["connections"][0]["troubles"][0];
        assert_eq!((reply.status.as_u16(), &trouble["kind"]), (200, &json!("unfinished")), "{query}");
        assert!(trouble["detail"].as_str().unwrap().contains(words), "{trouble}");
    }
}
