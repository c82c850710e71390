//! What belongs together: the events around an event, and the builds of a revision.

use crate::{
    harness::Gateway,
    real::{Real, SHOP},
};
use hookwell::{
    domain::{ConnectionId, NotificationId},
    event::{Event, Header},
    store::{Entry, Journal as _, Log},
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const SLUG: &str = "shop";
const SOURCE: &str = "https://dev.azure.com/fabrikam/0f3d2c1b-7a6e-4d5c-8b4a-392817060504";

fn word<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn rows(list: &Value) -> &[Value] {
    list["data"].as_array().unwrap()
}

/// A gateway with both providers and the repository of one project, and the hooks for them.
async fn bound(pipelines: &[&str]) -> Real {
    let real = Real::start().await;
    real.bind(SLUG, SHOP, json!({ "role": "build_provider", "pipelines": pipelines })).await;
    for body in [json!({ "role": "issue_provider" }), json!({ "role": "code_deployment", "repository": "web shop" })] {
        let mut body = body;
        (body["connection"], body["azure_project"]) = (real.connection.to_string().into(), SHOP.into());
        assert_eq!(real.gateway.post(&format!("/v1/projects/{SLUG}/bindings"), body).await.status, 201);
    }
    real.settle().await;
    real
}

/// The events so far, as JSON.
async fn told(real: &Real) -> Vec<Value> {
    real.events().await.iter().map(|event| serde_json::from_slice(&event.json).unwrap()).collect()
}

/// The newest event of that kind whose subject ends so: what was there before the hooks is told of as well.
fn newest<'a>(events: &'a [Value], kind: &str, subject: &str) -> &'a Value {
    let found = events.iter().filter(|event| word(event, "/type").contains(kind));
    let found = found.filter(|event| word(event, "/subject").ends_with(subject));
    found.max_by_key(|event| word(event, "/time")).unwrap_or_else(|| panic!("no {kind} {subject}"))
}

#[tokio::test]
async fn from_a_work_item_the_way_leads_over_its_pull_request_and_commit_to_the_run_and_what_it_was_deployed_by() {
    let real = bound(&[]).await;
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let repository = simulator.repository(project, "web shop").unwrap();
    let definition = simulator.definition(project, "web shop CI").unwrap();
    let second = || real.pass(Duration::from_secs(1));
    let item = simulator.create_work_item(project, "Bug", "Too dark").unwrap();
    let apart = simulator.create_work_item(project, "Bug", "Something else").unwrap();
    second().await;
    simulator.push_commit(repository, "topic", "Roast longer", &["/a"]).unwrap();
    second().await;
    let number = simulator.create_pull_request(repository, "topic", "main", "Roast longer").unwrap();
    second().await;
    let artifact = format!("vstfs:///Git/PullRequestId/{project}%2F{repository}%2F{number}");
    simulator.link_work_item(item, "ArtifactLink", &artifact).unwrap();
    second().await;
    simulator.complete_pull_request(number, false).unwrap();
    second().await;
    let build = simulator.run_build(definition, "main", "succeeded").unwrap();
    second().await;
    let release = simulator.create_release_definition(project, "web shop release", definition, &["Production"]);
    let release = simulator.create_release(release, build).unwrap();
    simulator.start_deployment(release, "Production", None).unwrap();
    second().await;
    simulator.finish_deployment(release, "Production", "succeeded").unwrap();
    second().await;
    let events = told(&real).await;

    let ticket = newest(&events, "ticket.created", &format!("/{item}"));
    let path = format!("/v1/events/{}/related", word(ticket, "/id"));
    let all = real.gateway.get(&format!("{path}?depth=6&limit=500")).await.json();
    assert_eq!(all["cut"], json!([]), "{all}");
    let near = |kind: &str, subject: &str| {
        let id = word(newest(&events, kind, subject), "/id");
        let row = rows(&all).iter().find(|row| word(row, "/id") == id);
        let row = row.unwrap_or_else(|| panic!("{kind} {subject} is not among {all:#}"));
        (row["distance"].as_u64().unwrap(), word(row, "/through").rsplit(':').nth(1).unwrap().to_owned())
    };
    let at = |distance, through: &str| (distance, through.to_owned());
    assert_eq!(near("ticket.updated", &format!("/{item}")), at(1, "issue"));
    assert_eq!(near("change.created", &format!("/{number}")), at(2, "pr"));
    assert_eq!(near("change.merged", &format!("/{number}")), at(2, "pr"));
    assert_eq!(near("branch.updated", "/refs/heads/main"), at(3, "commit"));
    assert_eq!(near("pipelinerun.finished", &format!("builds/{build}")), at(3, "commit"));
    let deployed: Vec<_> = rows(&all).iter().filter(|row| word(row, "/subject").starts_with("release/")).collect();
    assert!(!deployed.is_empty() && deployed.iter().all(|row| row["distance"].as_u64() >= Some(3)), "{all}");
    let other = newest(&events, "ticket.created", &format!("/{apart}"));
    assert!(rows(&all).iter().all(|row| row["id"] != other["id"] && row["id"] != ticket["id"]));
    let distances: Vec<u64> = rows(&all).iter().map(|row| row["distance"].as_u64().unwrap()).collect();
    assert!(distances.is_sorted(), "{distances:?}");

    // The way back, and less of it.
    let finished = word(newest(&events, "pipelinerun.finished", &format!("builds/{build}")), "/id");
    let back = real.gateway.get(&format!("/v1/events/{finished}/related?depth=6&limit=500")).await.json();
    assert!(rows(&back).iter().any(|row| row["id"] == ticket["id"]), "{back}");
    let step = real.gateway.get(&format!("{path}?depth=1")).await.json();
    assert_eq!(step["cut"], json!(["depth"]));
    assert!(rows(&step).iter().all(|row| row["distance"] == 1 && word(row, "/through").contains("::issue:")));
    let few = real.gateway.get(&format!("{path}?depth=6&limit=2")).await.json();
    assert_eq!((rows(&few), &few["cut"]), (&rows(&all)[..2], &json!(["limit"])));
    let alone = real.gateway.get(&format!("/v1/events/{}/related", word(other, "/id"))).await.json();
    assert_eq!((rows(&alone).len(), &alone["cut"]), (0, &json!([])));

    // What was only in memory is rebuilt from the journal.
    let mut real = real;
    real.restart().await;
    assert_eq!(real.gateway.get(&format!("{path}?depth=6&limit=500")).await.json(), all);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_named_and_what_is_not_there_is_said() {
    let gateway = Gateway::start().await;
    let id = append(&gateway, "wit/workItems/1", &[]).await;
    let wrong = gateway.get(&format!("/v1/events/{id}/related?depth=7&limit=0&deep=1")).await;
    assert_eq!((wrong.status.as_u16(), wrong.wrong()), (400, ["deep", "depth", "limit"].map(str::to_owned).to_vec()));
    assert_eq!(gateway.get(&format!("/v1/events/{}/related", Uuid::new_v4())).await.status, 404);
    let sha = "0".repeat(40);
    assert_eq!(gateway.get(&format!("/v1/projects/{SLUG}/builds?sha={sha}")).await.status, 404);
    gateway.project(SLUG).await;
    let unbound = gateway.get(&format!("/v1/projects/{SLUG}/builds?sha={sha}")).await;
    assert_eq!((unbound.status.as_u16(), &*unbound.problem()), (404, "not-found"));
    assert!(word(&unbound.json(), "/detail").contains("build provider"), "{unbound:?}");
    for query in ["", "?sha=abc", "?sha=zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"] {
        let wrong = gateway.get(&format!("/v1/projects/{SLUG}/builds{query}")).await;
        assert_eq!((wrong.status.as_u16(), wrong.wrong()), (400, vec!["sha".to_owned()]), "{query}");
    }
}

/// An event about a subject that links to these things; its id.
async fn append(gateway: &Gateway, subject: &str, links: &[&str]) -> Uuid {
    let link = |own: &&str| {
        let id = format!("cdevents:v0:azure-devops:dev.azure.com:fabrikam:p/r:{own}");
        json!({ "linkType": "RELATION", "linkKind": "COMMIT", "target": { "domainId": id } })
    };
    let (id, kind) = (Uuid::new_v4(), "dev.cdevents.ticket.updated.0.2.0");
    let json = json!({ "specversion": "1.0", "id": id, "source": SOURCE, "type": kind, "subject": subject,
        "time": "2026-11-22T09:00:00Z", "data": {
            "context": { "links": links.iter().map(link).collect::<Vec<_>>() },
            "customData": { "hookwell": { "projects": [SLUG] }, "azuredevops": { "rev": 1, "state": "New" } },
        } });
    let (connection, notification) = (ConnectionId(Uuid::nil()), NotificationId(Uuid::nil()));
    let header = Header {
        kind: kind.into(),
        connection,
        projects: Vec::new(),
        notification,
        recovered: None,
        filled: std::collections::BTreeMap::new(),
    };
    let event = Event { id, header, json: json.to_string().into() };
    let entry = Entry { key: id, time: gateway.app.clock.now(), body: event.to_stored() };
    gateway.store.append(Log::Events, entry).await.unwrap();
    id
}

/// Each operation once, for its good reply; the project has a build provider already.
pub(super) async fn are_exercised(gateway: &Gateway, connection: &str) {
    let body = json!({ "role": "issue_provider", "connection": connection, "azure_project": "p" });
    let binding = gateway.post(&format!("/v1/projects/{SLUG}/bindings"), body).await;
    let event = append(gateway, "wit/workItems/1", &[]).await;
    for path in [
        format!("/v1/events/{event}/related"),
        format!("/v1/projects/{SLUG}/builds?sha={}", "0".repeat(40)),
        format!("/v1/projects/{SLUG}/work-items/1"),
    ] {
        assert_eq!(gateway.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(gateway.ask("DELETE", binding.header("location")).send().await.status, 204);
}

#[tokio::test]
async fn what_the_journal_no_longer_keeps_relates_nothing_any_more() {
    let gateway = Gateway::start().await;
    append(&gateway, "wit/workItems/1", &["commit:aa"]).await;
    gateway.advance(Duration::from_hours(1));
    let second = append(&gateway, "wit/workItems/2", &["commit:AA", "pr:7"]).await;
    let third = append(&gateway, "git/repositories/r/pullRequests/7", &[]).await;
    let path = format!("/v1/events/{third}/related");
    let related = async || gateway.get(&path).await.json();
    assert_eq!(rows(&related().await).len(), 2, "over the commit to the first one");
    let before = gateway.app.clock.now().saturating_sub(jiff::SignedDuration::from_mins(1)).unwrap();
    assert_eq!(gateway.store.trim(Log::Events, before).await.unwrap(), 1);
    let left = related().await;
    assert_eq!((rows(&left).len(), word(&rows(&left)[0], "/id"), &left["cut"]), (1, &*second.to_string(), &json!([])));
}

#[tokio::test]
async fn the_builds_of_a_revision_are_those_of_the_build_provider_with_each_thing_that_happened() {
    let real = bound(&["web shop CI"]).await;
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let repository = simulator.repository(project, "web shop").unwrap();
    simulator.push_commit(repository, "main", "Roast longer", &["/a"]).unwrap();
    real.pass(Duration::from_secs(1)).await;
    let events = told(&real).await;
    let sha = word(newest(&events, "branch.updated", "/refs/heads/main"), "/data/subject/content/newObjectId");
    let path = format!("/v1/projects/{SLUG}/builds?sha={}", sha.to_uppercase());
    let builds = async || {
        real.pass(Duration::from_secs(1)).await;
        told(&real).await;
        let found = real.gateway.get(&path).await.json();
        assert_eq!(found["cut"], false);
        rows(&found).to_vec()
    };
    assert!(builds().await.is_empty());

    let selected = simulator.definition(project, "web shop CI").unwrap();
    let other = simulator.definition(project, "nightly").unwrap();
    let build = simulator.queue_build(selected, "main").unwrap();
    simulator.start_build(build).unwrap();
    simulator.run_build(other, "main", "succeeded").unwrap();
    let [running] = &builds().await[..] else { panic!("one build") };
    assert_eq!((word(running, "/number"), word(running, "/state")), (&*build.to_string(), "running"), "{running}");
    assert_eq!((word(running, "/pipeline"), &running["outcome"]), ("web shop CI", &Value::Null));

    simulator.finish_build(build, "failed").unwrap();
    let [finished] = &builds().await[..] else { panic!("one build") };
    assert_eq!((word(finished, "/state"), word(finished, "/outcome")), ("finished", "failure"), "{finished}");
    let happenings = finished["happenings"].as_array().unwrap();
    assert!(happenings.len() > running["happenings"].as_array().unwrap().len());
    let last = happenings.iter().rfind(|own| word(own, "/type").contains("pipelinerun.finished")).unwrap();
    assert_eq!(last["time"], finished["since"]);
    assert_eq!(real.gateway.get(&format!("/v1/events/{}", word(last, "/event"))).await.status, 200);
    let time = |own: &Value| word(own, "/time").parse::<jiff::Timestamp>().unwrap();
    assert!(happenings.is_sorted_by_key(time), "{happenings:?}");

    // The next revision has none of them.
    simulator.push_commit(repository, "main", "Roast less", &["/a"]).unwrap();
    real.pass(Duration::from_secs(1)).await;
    let again = simulator.run_build(selected, "main", "succeeded").unwrap();
    assert!(builds().await.iter().all(|own| word(own, "/number") != again.to_string()));
}
