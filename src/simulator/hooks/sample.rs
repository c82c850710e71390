//! The canned samples behind the Test button: Fabrikam, long ago, and ids that name nothing here.

use serde_json::{Value, json};
use uuid::Uuid;

/// When all samples happened.
pub(super) const SAMPLE_DATE: &str = "2016-09-19T13:03:27.0379153Z";

/// The `id` of an event type's sample: the same each time.
pub(super) fn sample_id(event_type: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("sample/{event_type}").as_bytes())
}

/// Message and resource of an event type's sample.
pub(super) fn sample(event_type: &str) -> (&'static str, Value) {
    let words: Vec<&str> = event_type.split('.').collect();
    match words.as_slice() {
        ["git", "push"] => ("Jamal Hartnett pushed updates to Fabrikam-Fiber-Git:master.", push()),
        ["git", "pullrequest", _] => ("Jamal Hartnett created a new pull request", pull_request()),
        ["git", "repo", _] => ("Jamal Hartnett changed the repository Fabrikam-Fiber-Git.", repository_event()),
        ["build", _] => ("Build ConsumerAddressModule_20150407.2 succeeded", build()),
        ["tfvc", _] => ("Jamal Hartnett checked in changeset 18: Dropping in new Java sample", checkin()),
        ["workitem", "updated"] => ("Bug #5 updated by Jamal Hartnett.", work_item_updated()),
        ["workitem", _] => ("Bug #5 (Some great new idea!) created by Jamal Hartnett.", work_item()),
        ["ms", "vss-code", _] => ("Jamal Hartnett has commented on a pull request", pull_request_comment()),
        ["ms", "vss-pipelinechecks-events", _] => ("Approval for stage Deploy", approval()),
        ["ms", "vss-alerts", _] => ("New alert is created", alert()),
        ["ms", "vss-pipelines", _] => ("Run 20200103.2 in progress.", run()),
        _ => ("Deployment on stage Dev Succeeded", release()),
    }
}

fn person() -> Value {
    json!({"id": "54d125f7-69f7-4191-904f-c5b96b6261c8", "displayName": "Jamal Hartnett", "uniqueName": "fabrikamfiber4@hotmail.com"})
}

fn project() -> Value {
    json!({"id": "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c", "name": "Fabrikam-Fiber-Git", "state": "wellFormed"})
}

fn repository() -> Value {
    json!({
        "id": "278d5cd2-584d-4b63-824a-2ba458937249", "name": "Fabrikam-Fiber-Git", "project": project(),
        "url": "https://dev.azure.com/fabrikam/_apis/git/repositories/278d5cd2-584d-4b63-824a-2ba458937249",
        "defaultBranch": "refs/heads/master", "remoteUrl": "https://dev.azure.com/fabrikam/Fabrikam-Fiber-Git/_git/Fabrikam-Fiber-Git",
    })
}

fn push() -> Value {
    let author =
        json!({"name": "Jamal Hartnett", "email": "fabrikamfiber4@hotmail.com", "date": "2015-02-25T19:01:00Z"});
    json!({
        "commits": [{"commitId": "33b55f7cb7e7e245323987634f960cf4a6e6bc74", "author": author, "committer": author, "comment": "Fixed bug in web.config file"}],
        "refUpdates": [{"name": "refs/heads/master", "oldObjectId": "aad331d8d3b131fa9ae03cf5e53965b51942618a", "newObjectId": "33b55f7cb7e7e245323987634f960cf4a6e6bc74"}],
        "repository": repository(), "pushedBy": person(), "pushId": 14, "date": "2014-05-02T19:17:13.3309587Z",
    })
}

fn pull_request() -> Value {
    json!({
        "repository": repository(), "pullRequestId": 1, "status": "active", "createdBy": person(),
        "creationDate": "2014-06-17T16:55:46.589889Z", "title": "my first pull request", "description": " - test2\r\n",
        "sourceRefName": "refs/heads/mytopic", "targetRefName": "refs/heads/master", "mergeStatus": "succeeded",
        "lastMergeSourceCommit": {"commitId": "53d54ac915144006c2c9e90d2c7d3880920db49c"},
        "lastMergeTargetCommit": {"commitId": "a511f535b1ea495ee0c903badb68fbc83772c882"},
        "reviewers": [],
    })
}

fn repository_event() -> Value {
    json!({"repository": repository(), "initiatedBy": person(), "utcTimestamp": "2022-12-12T12:34:56.5498459Z"})
}

fn build() -> Value {
    json!({
        "id": 2, "buildNumber": "ConsumerAddressModule_20150407.2", "status": "succeeded", "reason": "manual",
        "uri": "vstfs:///Build/Build/2", "startTime": "2015-04-07T18:04:06.83Z", "finishTime": "2015-04-07T18:06:10.69Z",
        "definition": {"id": 2, "name": "ConsumerAddressModule", "definitionType": "xaml"}, "requests": [{"requestedFor": person()}],
    })
}

fn checkin() -> Value {
    json!({"changesetId": 18, "author": person(), "checkedInBy": person(), "createdDate": "2014-05-12T22:41:16Z", "comment": "Dropping in new Java sample"})
}

fn work_item() -> Value {
    json!({
        "id": 5, "rev": 1, "url": "https://dev.azure.com/fabrikam/_apis/wit/workItems/5",
        "fields": {
            "System.AreaPath": "FabrikamCloud", "System.TeamProject": "FabrikamCloud", "System.WorkItemType": "Bug",
            "System.State": "New", "System.Title": "Some great new idea!", "System.CreatedDate": "2014-07-15T17:42:44.663Z",
            "System.CreatedBy": "Jamal Hartnett", "System.History": "This is a great new idea",
        },
    })
}

/// The numbers are texts and the dates are none, as in the real sample.
fn work_item_updated() -> Value {
    json!({
        "id": 2, "workItemId": 0, "rev": 2, "revisedBy": null, "revisedDate": "0001-01-01T00:00:00",
        "fields": {"System.Rev": {"oldValue": "1", "newValue": "2"}, "System.State": {"oldValue": "New", "newValue": "Approved"}},
        "revision": work_item(),
    })
}

fn pull_request_comment() -> Value {
    json!({
        "comment": {"id": 2, "parentCommentId": 1, "author": person(), "content": "This is my comment", "commentType": "text"},
        "pullRequest": pull_request(),
    })
}

fn run() -> Value {
    json!({
        "run": {"id": 1125, "name": "20200103.2", "state": "inProgress", "createdDate": "2020-01-03T19:41:24.1661345Z", "pipeline": {"id": 1, "name": "Simple Hosted Pipeline"}},
        "pipeline": {"id": 1, "revision": 1, "name": "Simple Hosted Pipeline", "folder": "\\"},
        "stage": {"id": "00000000-0000-0000-0000-000000000000", "name": "Deploy", "state": "running"},
        "job": {"id": "00000000-0000-0000-0000-000000000000", "name": "Job", "state": "running"},
    })
}

/// Nothing but the approval: the rest is null, as in the real sample.
fn approval() -> Value {
    json!({
        "approval": {"id": "00000000-0000-0000-0000-000000000000", "status": "pending", "steps": [{"assignedApprover": person()}]},
        "projectId": "00000000-0000-0000-0000-000000000000", "pipeline": null, "stage": null, "run": null,
        "resource": null, "id": 0, "url": null, "stageName": null, "attemptId": 0,
    })
}

fn alert() -> Value {
    json!({
        "alertId": 1, "severity": "critical", "title": "Alert title", "alertType": "code", "state": "active",
        "tools": [{"name": "codeql", "rules": [{"opaqueId": null, "friendlyName": "codeql rule"}]}], "gitRef": "testRef",
        "repositoryUrl": "https://dev.azure.com/test/test/_git/test", "firstSeenDate": null, "lastSeenDate": null,
    })
}

fn release() -> Value {
    json!({
        "environment": {"id": 5, "releaseId": 0, "name": "Dev", "status": "succeeded", "definitionEnvironmentId": 1, "release": {"id": 1, "name": "Release-1"}},
        "release": {"id": 1, "name": "Release-1", "status": "active", "createdBy": person()},
        "project": {"id": "00000000-0000-0000-0000-000000000000", "name": "Test Project"},
    })
}
