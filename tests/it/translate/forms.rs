//! Facts in other forms than the usual ones: closed requests by unfiltered hooks, two forms of one fact, a repository of another
//! project, an item that was moved.

use super::{
    acts::{PROJECT, PUSH, REPOSITORY, STATUS, There, azure, envelope, sha, updated},
    json, runs,
};
use crate::translate::events as translated;
use hookwell::translate::order::{Before, place};
use serde_json::{Value, json};
use std::time::Duration;

const OTHER: &str = "1a2b3c4d-0000-4000-8000-000000000001";

fn of_kind<'a>(all: &'a [Value], part: &str) -> Vec<&'a Value> {
    all.iter().filter(|event| event["type"].as_str().unwrap().contains(part)).collect()
}

fn with_message(mut body: Value, message: &str) -> Value {
    body["message"]["text"] = message.into();
    body
}

fn completed() -> Value {
    json!({ "status": "completed", "closedDate": "2026-11-22T09:00:00Z", "createdBy": { "displayName": "Max", "uniqueName": "max@x" },
        "reviewers": [{ "id": "m", "displayName": "Mei", "uniqueName": "mei@x", "vote": 10 },
            { "id": "u", "displayName": "Max Muster", "uniqueName": "muster@x", "vote": 0 }] })
}

#[tokio::test]
async fn an_act_that_is_rendered_when_its_request_has_ended_is_told_beside_the_end_once() {
    for (message, kind, actor) in [
        ("Mei has approved pull request 31 (Cart)", "change.reviewed", "mei@x"),
        ("Max Muster changed the reviewer list on pull request 31 (Cart)", "change.updated", "muster@x"),
        ("Max updated the source branch of pull request 31 (Cart)", "change.updated", "max@x"),
    ] {
        let mut there = There::start().await;
        let body = with_message(updated(7, 10, &completed()), message);
        there.deliver(&body, None).await;
        let ended = with_message(updated(8, 12, &completed()), "Max marked the pull request as completed");
        there.deliver(&ended, None).await;
        let all = there.events().await;
        assert_eq!(of_kind(&all, kind).len(), 1, "{message}: {all:#?}");
        assert_eq!(azure(of_kind(&all, kind)[0], "actor"), actor, "{message}");
        assert_eq!(of_kind(&all, "change.merged").len(), 1, "{message}");
    }
}

#[tokio::test]
async fn an_abandoned_request_without_its_date_ends_once_whatever_is_done_to_it_then() {
    let mut there = There::start().await;
    let mut abandoned = completed();
    abandoned["status"] = "abandoned".into();
    abandoned.as_object_mut().unwrap().remove("closedDate");
    there.deliver(&with_message(updated(7, 10, &abandoned), "Max abandoned pull request 31 (Cart)"), None).await;
    for (occasion, message) in [
        (8, "Mei has rejected pull request 31 (Cart)"),
        (9, "Max Muster changed the reviewer list on pull request 31 (Cart)"),
    ] {
        there.deliver(&with_message(updated(occasion, 20, &abandoned), message), None).await;
    }
    let all = there.events().await;
    let ends = of_kind(&all, "change.abandoned");
    assert_eq!(ends.len(), 1, "{all:#?}");
    assert_eq!(azure(ends[0], "actor"), "max@x", "by the words");
}

#[tokio::test]
async fn a_title_that_is_a_word_of_the_message_hides_no_reason() {
    let mut there = There::start().await;
    let body = updated(7, 10, &json!({ "title": "updated" }));
    there.deliver(&with_message(body, "Ada updated the source branch of pull request 31 (updated)"), None).await;
    assert_eq!(azure(&there.events().await[0], "updateReason"), "push");
}

/// The last telling of the only fact of a kind, after both bodies in this order.
async fn together(bodies: [&Value; 2], kind: &str, apart: bool) -> Value {
    let mut there = There::start().await;
    for body in bodies {
        there.deliver(body, None).await;
        if apart {
            there.settle().await;
        }
    }
    let all = there.events().await;
    let facts = super::pushed::facts(&all);
    let told: Vec<&&Value> = facts.values().filter(|event| event["type"].as_str().unwrap().contains(kind)).collect();
    assert_eq!(told.len(), 1, "{kind}: {all:#?}");
    (**told[0]).clone()
}

#[tokio::test]
async fn two_hooks_that_tell_one_fact_in_other_forms_say_the_same_of_it_in_any_order() {
    let item = |version: &str, by: Value| {
        let fields = json!({ "System.TeamProject": "Fabrikam", "System.WorkItemType": "Bug", "System.Title": "x",
            "System.State": "Closed", "System.ChangedBy": by, "System.ChangedDate": "2026-11-22T09:00:00Z" });
        let resource = json!({ "id": 12, "workItemId": 9, "rev": 5, "revisedDate": "2026-11-22T09:00:00Z",
            "fields": { "System.State": { "oldValue": "Active", "newValue": "Closed" }, "System.Rev": { "oldValue": 4, "newValue": 5 } },
            "revision": { "id": 9, "rev": 5, "fields": fields } });
        let mut body = envelope("workitem.updated", 5, 1, resource);
        body["resourceVersion"] = version.into();
        body["id"] = json!(uuid::Uuid::new_v4());
        body
    };
    let ada = json!({ "id": "a1", "displayName": "Ada", "uniqueName": "ada@x" });
    let comment = |version: &str, more: Value| {
        let own = json!({ "id": 3, "content": "Why?", "author": { "displayName": "Ada", "uniqueName": "ada@x" },
            "publishedDate": "2026-11-22T09:00:00Z", "lastUpdatedDate": "2026-11-22T09:00:00Z",
            "_links": { "self": { "href": format!("https://dev.azure.com/fabrikam/_apis/git/repositories/{REPOSITORY}/pullRequests/31/threads/7/comments/3") },
                "repository": { "href": format!("https://dev.azure.com/fabrikam/_apis/git/repositories/{REPOSITORY}") } } });
        let resource = if version == "2.0" { json!({ "comment": own, "pullRequest": more }) } else { own };
        let mut body = envelope("ms.vss-code.git-pullrequest-comment-event", 6, 1, resource);
        body["resourceVersion"] = version.into();
        body
    };
    let request = updated(1, 1, &completed())["resource"].clone();
    let merged = |kind: &str, occasion: u128, more: Value| {
        let mut change = completed();
        change.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let mut body = updated(occasion, 10, &change);
        body["eventType"] = kind.into();
        body
    };
    let tried = json!({ "mergeStatus": "succeeded", "lastMergeCommit": { "commitId": sha('c') } });
    let queued = json!({ "mergeStatus": "queued", "closedBy": { "displayName": "Mei", "uniqueName": "mei@x" } });
    for (one, other, kind, pointer) in [
        (item("1.0", json!("Ada <ada@x>")), item("5.1-preview.3", ada), "ticket.", "/changedBy/id"),
        (comment("1.0", Value::Null), comment("2.0", request), "change.commented", "/title"),
        (
            merged("git.pullrequest.updated", 7, queued.clone()),
            merged("git.pullrequest.merged", 8, tried.clone()),
            "change.merged",
            "/mergeCommit",
        ),
        (
            merged("git.pullrequest.merged", 8, tried),
            merged("git.pullrequest.updated", 7, queued),
            "change.merged",
            "/closedBy/displayName",
        ),
    ] {
        let mut told = Vec::new();
        for (first, second) in [(&one, &other), (&other, &one)] {
            for apart in [false, true] {
                told.push(together([first, second], kind, apart).await);
            }
        }
        for event in &told {
            let own = &event["data"]["customData"]["azuredevops"];
            assert!(own.pointer(pointer).is_some(), "{kind} {pointer}: {own:#}");
            let said = |event: &Value| {
                let mut own = event["data"].clone();
                own["context"].as_object_mut().unwrap().remove("id");
                own["customData"].as_object_mut().unwrap().remove("hookwell");
                let mut links = own["context"]["links"].as_array().cloned().unwrap_or_default();
                links.sort_by_key(Value::to_string);
                own["context"]["links"] = links.into();
                own
            };
            assert_eq!(said(event), said(&told[0]), "{kind}");
        }
    }
}

fn build(url: Option<&str>) -> Value {
    let mut body = runs::body_of("build.complete/2.0-succeeded");
    let resource = &mut body["resource"];
    resource["sourceBranch"] = "refs/pull/7/merge".into();
    resource["sourceVersion"] = sha('b').into();
    resource["repository"] = json!({ "id": REPOSITORY, "type": "TfsGit" });
    resource["project"] = json!({ "id": PROJECT, "name": "Fabrikam" });
    if let Some(url) = url {
        resource["repository"]["url"] = url.into();
    }
    body
}

#[test]
fn a_run_in_another_project_than_its_repository_joins_the_request_and_commits_of_that() {
    let mut request = updated(7, 5, &json!({ "pullRequestId": 7 }));
    request["resource"]["repository"]["project"]["id"] = OTHER.into();
    request["resourceContainers"]["project"]["id"] = OTHER.into();
    let request = json(&translated("", request.to_string().as_bytes()).unwrap()[0]);
    let by_guid = build(Some(&format!("https://dev.azure.com/fabrikam/{OTHER}/_git/web")));
    let run = runs::one(&by_guid, "pipelinerun.finished");
    assert_eq!(json(&run)["data"]["context"]["chainId"], request["data"]["context"]["chainId"]);
    for (url, named) in [
        (Some("https://dev.azure.com/fabrikam/Fabrikam/_git/storefront"), Some(PROJECT)),
        (Some("https://fabrikam.visualstudio.com/DefaultCollection/fabrikam/_git/storefront"), Some(PROJECT)),
        (Some("https://dev.azure.com/fabrikam/Shop/_git/web"), None),
        (None, Some(PROJECT)),
    ] {
        let run = runs::one(&build(url), "pipelinerun.finished");
        let commits = runs::links(&run, "COMMIT");
        let expected: Vec<String> = named
            .map(|project| {
                let commit = sha('b');
                format!("cdevents:v0:azure-devops:dev.azure.com:fabrikam:{project}/{REPOSITORY}:commit:{commit}")
            })
            .into_iter()
            .collect();
        assert_eq!(commits, expected, "{url:?}");
        assert_eq!(json(&run)["data"]["context"]["chainId"].is_string(), named.is_some(), "{url:?}");
    }
}

#[tokio::test]
async fn a_run_whose_state_does_not_say_the_project_of_its_repository_names_each_commit_once() {
    let mut state = runs::body_of("ms.vss-pipelines.run-state-changed-event/completed-succeeded");
    let rich = build(Some(&format!("https://dev.azure.com/fabrikam/{OTHER}/_git/web")));
    let number = rich["resource"]["id"].clone();
    let resource = &mut state["resource"];
    resource["run"]["id"] = number.clone();
    resource["runId"] = number;
    resource["run"]["finishedDate"] = rich["resource"]["finishTime"].clone();
    resource["run"]["resources"]["repositories"]["self"] = json!({
        "repository": { "id": REPOSITORY, "type": "azureReposGit" }, "refName": "refs/pull/7/merge", "version": sha('b') });
    for pair in [[&state, &rich], [&rich, &state]] {
        for apart in [false, true] {
            let told = together(pair, "pipelinerun.finished", apart).await;
            let links = told["data"]["context"]["links"].as_array().unwrap();
            let domains: Vec<&str> = links.iter().map(|link| link["target"]["domainId"].as_str().unwrap()).collect();
            let of = |thing: &str| domains.iter().filter(|domain| domain.contains(thing)).count();
            assert_eq!((of(":commit:"), of(":pr:")), (1, 1), "{domains:?}");
            assert!(domains.iter().all(|domain| !domain.contains(&format!("{PROJECT}/{REPOSITORY}"))), "{domains:?}");
        }
    }
}

/// A push to `main` of `c`, and what explains it.
#[tokio::test]
async fn only_a_request_into_the_same_branch_explains_a_direct_push_whatever_its_words_say() {
    let merged = |number: i64, target: &str, commit: char| {
        updated(
            u128::try_from(number).unwrap(),
            1,
            &json!({ "pullRequestId": number, "status": "completed", "targetRefName": target,
            "closedDate": "2026-11-22T09:00:00Z", "lastMergeCommit": { "commitId": sha(commit) } }),
        )
    };
    let cases = [
        ("words, and nobody heard of it", "Merged PR 12: Fix", None, 0),
        ("words, and it came", "Merged PR 12: Fix", Some(merged(12, "refs/heads/main", 'c')), 0),
        ("picked from another branch", "Merged PR 12: Fix", Some(merged(12, "refs/heads/release/1", 'd')), 1),
        ("a head that was merged into another branch", "Fix", Some(merged(12, "refs/heads/release/1", 'c')), 1),
        ("merged here", "Fix", Some(merged(12, "refs/heads/main", 'c')), 0),
    ];
    for (what, message, request, direct) in cases {
        let mut there = There::start().await;
        there.gateway.project("web").await;
        let binding = json!({ "role": "code_deployment", "connection": there.connection, "azure_project": "Fabrikam",
            "repository": "storefront", "branch": null, "direct_pushes": true });
        let reply = there.gateway.post("/v1/projects/web/bindings", binding).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        if let Some(request) = &request {
            there.deliver(request, Some(STATUS)).await;
        }
        let pushed = json!({
            "pushId": 4, "date": "2026-11-22T09:00:00Z", "commits": [{ "commitId": sha('c'), "comment": message }],
            "refUpdates": [{ "name": "refs/heads/main", "oldObjectId": sha('a'), "newObjectId": sha('c') }],
            "repository": { "id": REPOSITORY, "name": "storefront", "project": { "id": PROJECT, "name": "Fabrikam" } },
        });
        there.deliver(&envelope("git.push", 90, 0, pushed), None).await;
        there.gateway.advance(Duration::from_secs(61));
        let all = there.events().await;
        let told: Vec<&Value> = all.iter().filter(|event| azure(event, "directPush") == true).collect();
        assert_eq!(told.len(), direct, "{what}: {all:#?}");
        let Some(own) = told.first() else { continue };
        // The notification says that it came of it.
        let list = there.gateway.get("/v1/notifications?limit=100").await.json();
        let id =
            list["data"].as_array().unwrap().iter().find(|own| own["event_type"] == "git.push").unwrap()["id"].clone();
        let view = there.gateway.get(&format!("/v1/notifications/{}", id.as_str().unwrap())).await.json();
        assert!(view["events"].as_array().unwrap().iter().any(|told| told["id"] == own["id"]), "{view:#}");
    }
}

fn item(resource: &Value) -> Value {
    let body = envelope("workitem.updated", 5, 1, resource.clone());
    json(&translated("", body.to_string().as_bytes()).unwrap()[0])
}

fn revision(number: i64, rev: i64, fields: Value, more: Value) -> Value {
    let now = json!({ "System.TeamProject": "Fabrikam", "System.WorkItemType": "Bug", "System.Title": "x",
        "System.State": "Active", "System.ChangedDate": "2026-11-22T09:00:00Z" });
    let mut own =
        json!({ "id": number, "workItemId": 9, "rev": rev, "revision": { "id": 9, "rev": rev, "fields": now } });
    if !fields.is_null() {
        own["fields"] = fields;
    }
    own.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    own
}

#[test]
fn a_link_whose_update_has_only_fields_that_always_change_is_a_link() {
    let parent = json!({ "relations": { "added": [{ "rel": "System.LinkTypes.Hierarchy-Reverse",
        "url": "https://dev.azure.com/fabrikam/_apis/wit/workItems/3" }] } });
    let noise = json!({ "System.Watermark": { "oldValue": 1, "newValue": 2 }, "System.AuthorizedDate": { "newValue": "2026-11-22T09:00:00Z" } });
    let with_rev = json!({ "System.Rev": { "oldValue": 1, "newValue": 2 }, "System.Watermark": { "newValue": 2 } });
    for (fields, number) in [(noise, Some(4)), (Value::Null, Some(4)), (with_rev, None)] {
        let told = item(&revision(4, 2, fields.clone(), parent.clone()));
        assert_eq!(azure(&told, "updateNumber").as_i64(), number, "{fields}");
    }
}

#[test]
fn only_links_to_items_of_this_organization_are_links_to_issues() {
    for (rel, count) in [("System.LinkTypes.Related", 1), ("System.LinkTypes.Remote.Related", 0), ("Hyperlink", 0)] {
        let added = json!({ "relations": { "added": [{ "rel": rel, "url": "https://dev.azure.com/contoso/_apis/wit/workItems/3" }] } });
        let told = item(&revision(4, 2, Value::Null, added));
        let links = told["data"]["context"]["links"].as_array().cloned().unwrap_or_default();
        let issues = links.iter().filter(|link| link["linkKind"] == "ISSUE").count();
        assert_eq!(issues, count, "{rel}: {links:#?}");
    }
}

#[test]
fn people_in_fields_go_by_one_word_and_texts_stay_as_they_are() {
    let person = json!({ "id": "a", "displayName": "Ada", "uniqueName": "ada@x" });
    for (field, value, told) in [
        ("Custom.BlockedBy", json!("Waits for parser <vendor 7>"), "Waits for parser <vendor 7>"),
        ("Custom.Tester", json!("Ada <ada@x>"), "ada@x"),
        ("Custom.Tester", person, "ada@x"),
        ("Microsoft.VSTS.CMMI.RequiredAttendee1", json!("Ada <CORP\\ada>"), "CORP\\ada"),
        ("System.Title", json!("Mail to Ada <ada@x>"), "Mail to Ada <ada@x>"),
        ("System.AssignedTo", json!("Ada"), "Ada"),
    ] {
        let mut fields = json!({ "System.Rev": { "oldValue": 1, "newValue": 2 } });
        fields[field] = json!({ "oldValue": null, "newValue": value });
        let event = item(&revision(4, 2, fields, json!({})));
        assert_eq!(azure(&event, "changes")[field]["to"], told, "{field}");
    }
}

#[test]
fn what_moved_an_item_here_waits_for_nothing_that_is_another_projects() {
    for (field, waits) in [("System.TeamProject", false), ("System.State", true)] {
        let mut fields = json!({ "System.Rev": { "oldValue": 5, "newValue": 6 } });
        fields[field] = json!({ "oldValue": "Shop", "newValue": "Fabrikam" });
        let body = envelope("workitem.updated", 5, 1, revision(8, 6, fields, json!({})));
        let event = &translated("", body.to_string().as_bytes()).unwrap()[0];
        let own = place(event).unwrap();
        assert_eq!((own.before != Before::Nothing, own.root.is_some()), (waits, waits), "{field}");
    }
}

#[tokio::test]
async fn one_person_has_one_word_in_pushes_and_requests() {
    let mut there = There::start().await;
    let ada = "Windows Live ID\\ada@hotmail.com";
    let pushed = json!({
        "pushId": 4, "date": "2026-11-22T09:00:00Z", "pushedBy": { "displayName": "Ada", "uniqueName": ada },
        "refUpdates": [{ "name": "refs/heads/main", "oldObjectId": sha('a'), "newObjectId": sha('c') }],
        "repository": { "id": REPOSITORY, "name": "storefront", "project": { "id": PROJECT, "name": "Fabrikam" } },
    });
    there.deliver(&envelope("git.push", 90, 0, pushed), None).await;
    let by = json!({ "createdBy": { "displayName": "Ada", "uniqueName": "ada@hotmail.com" } });
    there.deliver(&with_message(updated(7, 5, &by), "Ada updated the source branch"), Some(PUSH)).await;
    let all = there.events().await;
    let actors: Vec<&Value> = all.iter().map(|event| azure(event, "actor")).collect();
    assert_eq!(actors, ["ada@hotmail.com", "ada@hotmail.com"]);
}
