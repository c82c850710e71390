//! What happens there is to be read there.

use super::{Asker, CAFE};
use hookwell::simulator::{Edit, RefChange};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

pub(super) async fn shop() -> (Asker, Uuid, Uuid) {
    let asker = Asker::new().await;
    let project = asker.azure.simulator.project("Fiber Café").unwrap();
    let web = asker.azure.simulator.repository(project, "web shop").unwrap();
    (asker, project, web)
}

#[tokio::test]
async fn one_push_of_several_refs_is_one_push_with_its_commits() {
    let (asker, _, web) = shop().await;
    let commit = |comment: &str| RefChange::Commit {
        branch: "main".to_owned(),
        comment: comment.to_owned(),
        paths: vec!["/src/checkout.rs".to_owned(), format!("/{comment}")],
    };
    let changes = [commit("one"), commit("two"), RefChange::Tag { tag: "v2".to_owned() }];
    let number = asker.azure.simulator.push(web, "sam@fabrikam.example", &changes).unwrap();
    let base = format!("_apis/git/repositories/{web}");
    let push = asker.read(&format!("{base}/pushes/{number}?includeRefUpdates=true")).await;
    assert_eq!(push["pushedBy"]["displayName"], "Sam Okafor");
    let names: Vec<&str> =
        push["refUpdates"].as_array().unwrap().iter().map(|own| own["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["refs/heads/main", "refs/tags/v2"]);
    let comments: Vec<&str> =
        push["commits"].as_array().unwrap().iter().map(|own| own["comment"].as_str().unwrap()).collect();
    assert_eq!(comments, ["two", "one"], "newest first");
    let head = push["commits"][0]["commitId"].as_str().unwrap();
    assert_eq!(push["refUpdates"][0]["newObjectId"], head);
    let changes = asker.read(&format!("{base}/commits/{head}/changes")).await;
    let kinds: Vec<(&str, &str)> = changes["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| (own["item"]["path"].as_str().unwrap(), own["changeType"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, [("/src/checkout.rs", "edit"), ("/two", "add")]);
    let old = push["refUpdates"][0]["oldObjectId"].as_str().unwrap();
    let path = format!(
        "{base}/diffs/commits?baseVersion={old}&baseVersionType=commit&targetVersion={head}&targetVersionType=commit"
    );
    let diff = asker.read(&path).await;
    assert_eq!((&diff["aheadCount"], diff["changes"].as_array().unwrap().len()), (&2.into(), 3));
}

#[tokio::test]
async fn an_empty_repository_has_no_default_branch_and_a_disabled_one_shows_nothing() {
    let (asker, project, _) = shop().await;
    let all = asker.read(&format!("{CAFE}/_apis/git/repositories")).await;
    let named = |name: &str| {
        let found = all["value"].as_array().unwrap().iter().find(|own| own["name"] == name);
        found.unwrap_or_else(|| panic!("{name}")).clone()
    };
    assert!(named("empty").get("defaultBranch").is_none());
    assert_eq!(named("attic")["isDisabled"], true);
    let attic = asker.azure.simulator.repository(project, "attic").unwrap();
    let got = asker.get(&format!("_apis/git/repositories/{attic}/refs")).await;
    assert_eq!((got.status.as_u16(), got.kind().as_str()), (404, "GitRepositoryNotFoundException"));
    assert!(asker.azure.simulator.push_commit(attic, "main", "No", &["/x"]).is_err());
    asker.azure.simulator.disable_repository(attic, false).unwrap();
    assert_eq!(asker.get(&format!("_apis/git/repositories/{attic}/refs")).await.status, 200);
}

#[tokio::test]
async fn a_pull_request_goes_its_way_and_the_target_gets_its_commits() {
    let (asker, _, web) = shop().await;
    let simulator = &asker.azure.simulator;
    simulator.push_commit(web, "feature/9", "Ninth idea", &["/src/nine.rs"]).unwrap();
    let number = simulator.create_pull_request(web, "feature/9", "main", "Ninth").unwrap();
    simulator.push_commit(web, "feature/9", "Better", &["/src/nine.rs"]).unwrap();
    let path = format!("_apis/git/repositories/{web}/pullRequests/{number}");
    assert_eq!(asker.read(&format!("{path}/iterations")).await["count"], 2);
    assert_eq!(asker.read(&format!("{path}/commits")).await["count"], 2);
    asker.clock.advance(Duration::from_mins(1));
    simulator.complete_pull_request(number, true).unwrap();
    let own = asker.read(&path).await;
    assert_eq!((&own["status"], &own["closedDate"]), (&"completed".into(), &"2026-11-04T08:01:00Z".into()));
    let main = asker.read(&format!("_apis/git/repositories/{web}/refs?filter=heads/main")).await;
    assert_eq!(main["value"][0]["objectId"], own["lastMergeCommit"]["commitId"]);
    let gone = asker.read(&format!("_apis/git/repositories/{web}/refs?filter=heads/feature/9")).await;
    assert_eq!(gone["count"], 0);
    assert!(simulator.complete_pull_request(number, false).is_err(), "it is completed");
}

#[tokio::test]
async fn builds_are_found_by_the_time_that_they_are_ordered_by() {
    let (asker, project, _) = shop().await;
    let simulator = &asker.azure.simulator;
    let ci = simulator.definition(project, "web shop CI").unwrap();
    asker.clock.advance(Duration::from_hours(1));
    let early = simulator.queue_build(ci, "main").unwrap();
    simulator.start_build(early).unwrap();
    asker.clock.advance(Duration::from_hours(1));
    let late = simulator.run_build(ci, "main", "partiallySucceeded").unwrap();
    asker.clock.advance(Duration::from_mins(1));
    simulator.finish_build(early, "canceled").unwrap();
    let base = format!("{CAFE}/_apis/build/builds?minTime=2026-11-04T09:30:00Z");
    let ids = |value: serde_json::Value| -> Vec<u64> {
        value["value"].as_array().unwrap().iter().map(|own| own["id"].as_u64().unwrap()).collect()
    };
    let finished = ids(asker.read(&format!("{base}&queryOrder=finishTimeAscending")).await);
    assert_eq!(finished, [u64::from(late), u64::from(early)]);
    assert_eq!(ids(asker.read(&format!("{base}&queryOrder=queueTimeDescending")).await), [u64::from(late)]);
    let canceled = ids(asker.read(&format!("{base}&queryOrder=finishTimeAscending&resultFilter=canceled")).await);
    assert_eq!(canceled, [u64::from(early)]);
    let run = asker.read(&format!("{CAFE}/_apis/pipelines/{ci}/runs/{late}")).await;
    assert_eq!(run["result"], "succeeded", "a run knows no partial success");
    // One that was queued and never started.
    let waiting = simulator.queue_build(ci, "main").unwrap();
    assert_eq!(asker.get(&format!("{CAFE}/_apis/build/builds/{waiting}/timeline")).await.status, 204);
    let records = asker.read(&format!("{CAFE}/_apis/build/builds/{late}/timeline")).await;
    assert_eq!(records["records"][0]["result"], "succeeded");
}

#[tokio::test]
async fn a_release_is_deployed_or_refused() {
    let (asker, project, _) = shop().await;
    let simulator = &asker.azure.simulator;
    let ci = simulator.definition(project, "web shop CI").unwrap();
    let build = simulator.run_build(ci, "main", "succeeded").unwrap();
    let release = simulator.create_release(1, build).unwrap();
    asker.clock.advance(Duration::from_mins(1));
    simulator.start_deployment(release, "Staging", None).unwrap();
    simulator.finish_deployment(release, "Staging", "succeeded").unwrap();
    simulator.start_deployment(release, "Production", Some("juergen@fabrikam.example")).unwrap();
    simulator.decide_deployment(release, "Production", false).unwrap();
    let path = format!(
        "/_vsrm/fabrikam/{CAFE}/_apis/release/deployments?minModifiedTime=2026-11-04T08:00:30Z&queryOrder=ascending"
    );
    let deployments = asker.read(&path).await;
    let status: Vec<&str> =
        deployments["value"].as_array().unwrap().iter().map(|own| own["deploymentStatus"].as_str().unwrap()).collect();
    assert_eq!(status, ["succeeded", "failed"]);
    let own = asker.read(&format!("/_vsrm/fabrikam/{CAFE}/_apis/release/releases/{release}")).await;
    assert_eq!(own["environments"][1]["status"], "rejected");
    assert_eq!(own["artifacts"][0]["definitionReference"]["version"]["id"], build.to_string());
}

#[tokio::test]
async fn a_work_item_has_a_revision_for_each_change() {
    let (asker, project, _) = shop().await;
    let simulator = &asker.azure.simulator;
    let number = simulator.create_work_item(project, "Bug", "Cold espresso").unwrap();
    asker.clock.advance(Duration::from_mins(1));
    simulator.move_work_item(number, "Active").unwrap();
    simulator.comment_work_item(number, "It was the cup.").unwrap();
    simulator.link_work_item(number, "ArtifactLink", "vstfs:///Git/PullRequestId/1").unwrap();
    let clear = [("Microsoft.VSTS.Common.Priority".to_owned(), Edit::Clear)];
    simulator.update_work_item(number, "mei@fabrikam.example", &clear).unwrap();
    let updates = asker.read(&format!("_apis/wit/workItems/{number}/updates")).await;
    let all = updates["value"].as_array().unwrap();
    assert_eq!(all.len(), 5);
    assert_eq!(all[1]["fields"]["System.State"], json!({"oldValue": "New", "newValue": "Active"}));
    assert_eq!(all[2]["fields"]["System.History"], json!({"newValue": "It was the cup."}));
    assert_eq!(all[3]["relations"]["added"][0]["rel"], "ArtifactLink");
    assert_eq!(all[4]["fields"]["Microsoft.VSTS.Common.Priority"], json!({"oldValue": 2}));
    assert_eq!(all[4]["revisedBy"]["displayName"], "Mei Chen");
    let past = asker.read(&format!("_apis/wit/workItems/{number}?asOf=2026-11-04T08:00:30Z")).await;
    assert_eq!(past["fields"]["System.State"], "New");
    assert!(simulator.move_work_item(number, "On fire").is_err(), "no state of a bug");

    simulator.delete_work_item(number).unwrap();
    assert_eq!(asker.get(&format!("_apis/wit/workItems/{number}")).await.status, 404);
    let path = "_apis/wit/workitemsbatch?api-version=7.1";
    let got = asker.post(path, &json!({"ids": [1, number]}).to_string()).await;
    assert_eq!(got.status, 404, "one that is missing spoils all");
    let got = asker.post(path, &json!({"ids": [1, number], "errorPolicy": "omit"}).to_string()).await.json();
    assert_eq!((&got["value"][0]["id"], &got["value"][1]), (&1.into(), &serde_json::Value::Null));
    let got = asker.post(path, &json!({"ids": [1], "fields": ["System.Id"], "$expand": "Relations"}).to_string()).await;
    assert_eq!(got.status, 400);
    simulator.restore_work_item(number).unwrap();
    assert_eq!(asker.get(&format!("_apis/wit/workItems/{number}")).await.status, 200);
}

#[tokio::test]
async fn a_link_between_work_items_is_an_update_of_both_and_no_revision() {
    let (asker, project, _) = shop().await;
    let simulator = &asker.azure.simulator;
    let [child, parent] = ["Child", "Parent"].map(|title| simulator.create_work_item(project, "Task", title).unwrap());
    simulator.move_work_item(child, "Active").unwrap();
    asker.clock.advance(Duration::from_mins(1));
    let url = format!("https://dev.azure.com/fabrikam/_apis/wit/workItems/{parent}");
    simulator.link_work_item(child, "System.LinkTypes.Hierarchy-Reverse", &url).unwrap();
    simulator.move_work_item(child, "Closed").unwrap();
    simulator.unlink_work_item(child, &url).unwrap();
    let updates =
        async |number: u32| asker.read(&format!("_apis/wit/workItems/{number}/updates")).await["value"].clone();
    let (own, other) = (updates(child).await, updates(parent).await);
    let seen = |all: &serde_json::Value| -> Vec<(u64, u64, bool)> {
        let one = |it: &serde_json::Value| {
            (it["id"].as_u64().unwrap(), it["rev"].as_u64().unwrap(), it["fields"].is_object())
        };
        all.as_array().unwrap().iter().map(one).collect()
    };
    assert_eq!(seen(&own), [(1, 1, true), (2, 2, true), (3, 2, false), (4, 3, true), (5, 3, false)]);
    assert_eq!(seen(&other), [(1, 1, true), (2, 1, false), (3, 1, false)]);
    assert_eq!(own[3].get("relations"), None, "the link came before it");
    assert_eq!(other[1]["relations"]["added"][0]["rel"], "System.LinkTypes.Hierarchy-Forward");
    assert_eq!(own[2]["revisedDate"], other[1]["revisedDate"]);
    let links = asker.read(&format!("{CAFE}/_apis/wit/reporting/workitemlinks")).await;
    let ends = json!([links["values"][0]["attributes"]["sourceId"], links["values"][0]["attributes"]["targetId"]]);
    assert_eq!((links["values"].as_array().unwrap().len(), ends), (2, json!([child, parent])));
    assert_eq!((&links["isLastBatch"], &links["values"][1]["attributes"]["isActive"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn queries_compare_days_unless_they_are_asked_to_be_precise() {
    let (asker, project, _) = shop().await;
    let simulator = &asker.azure.simulator;
    asker.clock.advance(Duration::from_hours(1));
    let number = simulator.create_work_item(project, "Task", "Later").unwrap();
    let ask = async |precise: bool, when: &str| {
        let query = format!(
            "SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project AND [System.ChangedDate] >= '{when}'"
        );
        asker
            .post(&format!("{CAFE}/_apis/wit/wiql?timePrecision={precise}"), &json!({"query": query}).to_string())
            .await
    };
    let got = ask(true, "2026-11-04T08:30:00Z").await.json();
    assert_eq!(got["workItems"].as_array().unwrap().len(), 1);
    assert_eq!(got["workItems"][0]["id"], number);
    assert_eq!(ask(false, "2026-11-04T08:30:00Z").await.status, 400);
    assert!(!ask(false, "2026-11-04").await.json()["workItems"].as_array().unwrap().is_empty());
    let missing = asker.post("_apis/wit/wiql", r#"{"query":"SELECT [System.Id] FROM WorkItemLinks"}"#).await;
    assert_eq!(missing.status, 400);
}
