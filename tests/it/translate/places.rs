//! Every kind of notification from three places: an organization, the same by its old address, and a Server's collection in
//! a virtual directory. Whatever host a payload names, and whatever it lacks, source, pages and bindings are the same.

use super::{connection, json};
use hookwell::{
    azure::CollectionUrl,
    domain::{AzureRef, Binding, BindingId, BranchRule, Issues, Selection, UpdateReason},
    event::Event,
    translate::{Settings, translate},
};
use jiff::Timestamp;
use serde_json::{Value, json as literal};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

pub(super) const PROJECT: &str = "6d1f0b2a-93c4-4e57-8a1d-2f60b7c9e311";
pub(super) const REPOSITORY: &str = "b84c3e0d-5f6a-4b18-9c2e-7d1f40a6e522";

/// Where notifications come from.
pub(super) struct Place {
    /// As somebody gave it for a connection.
    pub(super) url: &'static str,
    /// The beginning of addresses in payloads.
    inside: &'static str,
    /// The beginning of source and pages in events.
    source: &'static str,
    /// The beginning of its names.
    pub(super) group: &'static str,
}

pub(super) const PLACES: &[Place] = &[
    Place {
        url: "https://dev.azure.com/Contoso-Labs/",
        inside: "https://dev.azure.com/Contoso-Labs",
        source: "https://dev.azure.com/contoso-labs",
        group: "cdevents:v0:azure-devops:dev.azure.com:contoso-labs",
    },
    Place {
        url: "https://contoso-labs.visualstudio.com",
        inside: "https://contoso-labs.visualstudio.com/DefaultCollection",
        source: "https://dev.azure.com/contoso-labs",
        group: "cdevents:v0:azure-devops:dev.azure.com:contoso-labs",
    },
    Place {
        url: "http://tfs.corp.example:8080/tfs/Research Lab",
        inside: "http://tfs:8080/tfs/Research%20Lab",
        source: "http://tfs.corp.example:8080/tfs/Research%20Lab",
        group: "cdevents:v0:azure-devops:tfs.corp.example%3A8080:tfs%2FResearch%2520Lab",
    },
];

impl Place {
    pub(super) fn told(&self, body: &Value, reason: Option<UpdateReason>) -> Vec<Event> {
        self.told_to(body, reason, &[])
    }

    pub(super) fn told_to(&self, body: &Value, reason: Option<UpdateReason>, bindings: &[Arc<Binding>]) -> Vec<Event> {
        let (source, settings) = (CollectionUrl::parse(self.url).unwrap(), Settings::default());
        translate(&serde_json::to_vec(body).unwrap(), &super::context(&source, reason, bindings, &settings)).unwrap()
    }
}

/// A notification of one kind.
pub(super) struct Body {
    pub(super) what: &'static str,
    pub(super) value: Value,
    pub(super) reason: Option<UpdateReason>,
    /// Whether it tells of the commit that all of them are about.
    pub(super) has_commit: bool,
    /// Members of the resource that alone name the project, where the envelope does not.
    names_the_project: Vec<Value>,
}

fn envelope(kind: &str, version: &str, resource: Value) -> Value {
    literal!({
        "subscriptionId": Uuid::from_u128(3), "notificationId": 12, "id": format!("{kind}-of-ours"), "eventType": kind,
        "resource": resource, "resourceVersion": version, "createdDate": "2026-10-02T08:00:09.5Z",
        "resourceContainers": { "project": { "id": PROJECT } },
    })
}

fn merge(there: &mut Value, more: &Value) {
    match (there, more) {
        (Value::Object(there), Value::Object(more)) => {
            for (name, value) in more {
                merge(there.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (there, more) => *there = more.clone(),
    }
}

impl Body {
    /// The value of one.
    pub(super) fn named(place: &Place, what: &str) -> Value {
        Self::all(place).into_iter().find(|body| body.what == what).unwrap_or_else(|| panic!("{what}")).value
    }

    /// One of each.
    #[expect(clippy::too_many_lines, reason = "a table of bodies")]
    pub(super) fn all(place: &Place) -> Vec<Self> {
        let (at, sha, old) = (place.inside, "c".repeat(40), "b".repeat(40));
        let api = format!("{at}/{PROJECT}/_apis");
        let ada = literal!({ "id": "a1", "displayName": "Ada Byron", "uniqueName": "CORP\\ada" });
        let repository = literal!({ "id": REPOSITORY, "name": "Pump & Co", "url": format!("{at}/_apis/git/repositories/{REPOSITORY}"),
            "remoteUrl": format!("{at}/Labor%20%C3%84/_git/Pump") });
        let of_repository = || {
            vec![
                literal!({ "repository": { "project": { "id": PROJECT, "name": "Labor Ä" } } }),
                literal!({ "repository": { "project": { "url": format!("{at}/_apis/projects/{PROJECT}") } } }),
                literal!({ "repository": { "project": { "uri": format!("vstfs:///Classification/TeamProject/{PROJECT}") } } }),
            ]
        };
        let pull = literal!({ "pullRequestId": 31, "status": "active", "title": "Pumps", "repository": repository, "createdBy": ada,
            "creationDate": "2026-10-02T07:00:00Z", "sourceRefName": "refs/heads/pump", "targetRefName": "refs/heads/main",
            "lastMergeSourceCommit": { "commitId": sha } });
        let closed = literal!({ "status": "completed", "closedDate": "2026-10-02T07:30:00Z", "closedBy": ada,
            "lastMergeCommit": { "commitId": sha } });
        let comment = literal!({ "id": 4, "content": "Why?", "author": ada, "publishedDate": "2026-10-02T07:10:00Z",
            "lastUpdatedDate": "2026-10-02T07:10:00Z", "_links": {
                "self": { "href": format!("{at}/_apis/git/repositories/{REPOSITORY}/pullRequests/31/threads/6/comments/4") } } });
        let build = literal!({ "id": 712, "buildNumber": "20261002.1", "status": "completed", "result": "succeeded",
            "sourceBranch": "refs/pull/31/merge", "sourceVersion": sha, "queueTime": "2026-10-02T07:00:00Z",
            "startTime": "2026-10-02T07:01:00Z", "finishTime": "2026-10-02T07:05:00Z", "requestedFor": ada,
            "definition": { "id": 21, "name": "pump ci" }, "repository": { "id": REPOSITORY, "type": "TfsGit" } });
        let legacy = literal!({ "id": 712, "buildNumber": "20261002.1", "status": "succeeded", "sourceGetVersion": format!("LG:refs/heads/main:{sha}"),
            "startTime": "2026-10-02T07:01:00Z", "finishTime": "2026-10-02T07:05:00Z", "definition": { "id": 21, "name": "pump ci" },
            "requests": [{ "requestedFor": ada }] });
        let run = literal!({ "run": { "id": 712, "name": "20261002.1", "state": "completed", "result": "succeeded",
                "createdDate": "2026-10-02T07:00:00Z", "finishedDate": "2026-10-02T07:05:00Z", "resources": { "repositories": { "self": {
                    "repository": { "id": REPOSITORY, "type": "azureReposGit" }, "refName": "refs/pull/31/merge", "version": sha } } } },
            "pipeline": { "id": 21, "name": "pump ci" }, "requestedFor": ada });
        let part = |name: &str| {
            let own = literal!({ "id": "4d2c1b0a-1111-4222-8333-444455556666", "name": "Try", "attempt": 1, "state": "completed",
                "result": "succeeded", "startTime": "2026-10-02T07:01:00Z", "finishTime": "2026-10-02T07:04:00Z" });
            let mut resource = run.clone();
            resource[name] = own;
            resource
        };
        let of_run = || {
            vec![
                literal!({ "projectId": PROJECT }),
                literal!({ "pipeline": { "url": format!("{api}/pipelines/21?revision=3") } }),
                literal!({ "run": { "_links": { "web": { "href": format!("{at}/{PROJECT}/_build/results?buildId=712") } } } }),
                literal!({ "runUrl": format!("{api}/pipelines/21/runs/712") }),
            ]
        };
        let artifact = literal!({ "type": "Build", "alias": "pump", "isPrimary": true, "definitionReference": {
            "version": { "id": "712", "name": "20261002.1" }, "project": { "id": PROJECT }, "definition": { "id": "21" },
            "repository": { "id": REPOSITORY }, "repository.provider": { "id": "TfsGit" }, "sourceVersion": { "id": sha } } });
        let release = literal!({ "id": 55, "name": "Release-55", "status": "active", "createdOn": "2026-10-02T07:10:00Z", "createdBy": ada,
            "artifacts": [artifact], "releaseDefinition": { "id": 8, "name": "pump cd" } });
        let deployment = literal!({ "environment": { "id": 93, "name": "Prod", "status": "succeeded" }, "attemptId": 2,
            "deployment": { "id": 14, "attempt": 2, "deploymentStatus": "succeeded", "completedOn": "2026-10-02T07:20:00Z",
                "startedOn": "2026-10-02T07:15:00Z", "requestedFor": ada, "release": release } });
        let of_release = |home: &str| {
            let zeros = Uuid::nil();
            vec![
                literal!({ "project": { "id": PROJECT } }),
                literal!({ "project": { "id": zeros }, home: { "url": format!("{api}/Release/releases/55") } }),
                literal!({ "project": { "id": zeros }, home: { "_links": { "web": { "href": format!("{at}/{PROJECT}/_release?releaseId=55") } } } }),
            ]
        };
        let approval = literal!({ "approval": { "id": "4d2c1b0a-7777-4222-8333-444455556666", "status": "pending", "createdOn": "2026-10-02T07:01:00Z" },
            "run": { "id": 712, "requestedFor": ada }, "pipeline": { "id": 21, "name": "pump ci" } });
        let fields = literal!({ "System.WorkItemType": "Task", "System.State": "To Do", "System.Title": "Pump", "System.TeamProject": "Labor Ä",
            "System.CreatedDate": "2026-10-02T06:00:00Z", "System.ChangedDate": "2026-10-02T07:00:00Z", "System.ChangedBy": "Ada Byron <CORP\\ada>",
            "Custom.Link": format!("{at}/0b7385b4-0000-4000-8000-000000000001/_apis/x"),
            "Custom.Url": format!("{at}/0b7385b4-0000-4000-8000-000000000001/_apis/x") });
        let item = literal!({ "id": 87, "rev": 1, "fields": fields });
        let of_item = |path: &str| {
            vec![
                literal!({ "url": format!("{api}/wit/{path}") }),
                literal!({ "_links": { "self": { "href": format!("{api}/wit/{path}") } } }),
                literal!({ "_links": { "html": { "href": format!("{at}/{PROJECT}/_workitems/edit/87") } } }),
            ]
        };
        let update = |more: Value| {
            let mut resource =
                literal!({ "id": 5, "workItemId": 87, "rev": 2, "revision": { "id": 87, "rev": 2, "fields": fields } });
            merge(&mut resource, &more);
            resource
        };
        let moved = literal!({ "fields": { "System.Rev": { "oldValue": 1, "newValue": 2 }, "System.State": { "oldValue": "To Do", "newValue": "Doing" } } });
        let linked = literal!({ "relations": { "added": [
            { "rel": "System.LinkTypes.Related", "url": format!("{at}/_apis/wit/workItems/88") },
            { "rel": "ArtifactLink", "url": format!("vstfs:///Git/PullRequestId/{PROJECT}%2F{REPOSITORY}%2f31") },
            { "rel": "ArtifactLink", "url": format!("vstfs:///Git/Commit/{PROJECT}%2f{REPOSITORY}%2F{sha}") },
            { "rel": "ArtifactLink", "url": "vstfs:///Build/Build/712" }] } });
        let push = literal!({ "pushId": 61, "date": "2026-10-02T07:00:00Z", "pushedBy": ada, "repository": repository,
            "refUpdates": [{ "name": "refs/heads/main", "oldObjectId": old, "newObjectId": sha }] });
        let renamed = literal!({ "repository": repository, "oldName": "Pump", "newName": "Pump & Co", "initiatedBy": ada,
            "utcTimestamp": "2026-10-02T07:00:00.1234567Z" });
        let checkin =
            literal!({ "changesetId": 402, "author": ada, "checkedInBy": ada, "createdDate": "2026-10-02T07:00:00Z" });
        let reviewed = Some(UpdateReason::ReviewerVoteNotification);
        let with = |base: &Value, more: &Value| {
            let mut base = base.clone();
            merge(&mut base, more);
            base
        };
        let commented = "ms.vss-code.git-pullrequest-comment-event";
        let of_comment =
            literal!({ "_links": { "repository": { "href": format!("{api}/git/repositories/{REPOSITORY}") } } });
        let body = |what, kind: &str, version, resource: Value, has_commit, names_the_project| Self {
            what,
            value: envelope(kind, version, resource),
            reason: (what == "vote").then_some(reviewed).flatten(),
            has_commit,
            names_the_project,
        };
        let of_pull = || of_repository().into_iter().map(|own| literal!({ "pullRequest": own })).collect::<Vec<_>>();
        let run_state = "ms.vss-pipelines.run-state-changed-event";
        vec![
            body("push", "git.push", "1.0", push, true, of_repository()),
            body("pull request", "git.pullrequest.created", "1.0", pull.clone(), true, of_repository()),
            body("vote", "git.pullrequest.updated", "1.0", pull.clone(), true, of_repository()),
            body("merge", "git.pullrequest.merged", "1.0", with(&pull, &closed), true, of_repository()),
            body("comment 1.0", commented, "1.0", comment.clone(), false, vec![of_comment.clone()]),
            body(
                "comment 2.0",
                commented,
                "2.0",
                literal!({ "comment": comment, "pullRequest": pull }),
                false,
                of_pull(),
            ),
            body("repository", "git.repo.renamed", "1.0-preview.1", renamed, false, of_repository()),
            body("check-in", "tfvc.checkin", "1.0", checkin, false, vec![literal!({ "teamProjectIds": [PROJECT] })]),
            body(
                "build 1.0",
                "build.complete",
                "1.0",
                legacy,
                false,
                vec![literal!({ "url": format!("{api}/build/Builds/712") })],
            ),
            body(
                "build 2.0",
                "build.complete",
                "2.0",
                build,
                true,
                vec![
                    literal!({ "project": { "id": PROJECT } }),
                    literal!({ "definition": { "project": { "id": PROJECT } } }),
                    literal!({ "url": format!("{api}/build/Builds/712") }),
                ],
            ),
            body("run", run_state, "5.1-preview.1", run.clone(), true, of_run()),
            body("stage", "ms.vss-pipelines.stage-state-changed-event", "5.1-preview.1", part("stage"), true, of_run()),
            body("job", "ms.vss-pipelines.job-state-changed-event", "5.1-preview.1", part("job"), true, of_run()),
            body(
                "approval",
                "ms.vss-pipelinechecks-events.approval-pending",
                "5.1-preview.1",
                approval,
                false,
                of_run(),
            ),
            body(
                "release",
                "ms.vss-release.release-created-event",
                "3.0-preview.1",
                literal!({ "release": release }),
                true,
                of_release("release"),
            ),
            body(
                "deployment",
                "ms.vss-release.deployment-completed-event",
                "3.0-preview.1",
                deployment,
                true,
                of_release("environment"),
            ),
            body("work item 1.0", "workitem.created", "1.0", item.clone(), false, of_item("workItems/87")),
            body("work item 3.1", "workitem.restored", "3.1-preview.3", item.clone(), false, of_item("workItems/87")),
            body("work item 5.1", "workitem.deleted", "5.1-preview.3", item, false, of_item("recyclebin/87")),
            body("work item moved", "workitem.updated", "1.0", update(moved), false, of_item("workItems/87/updates/5")),
            body(
                "work item linked",
                "workitem.updated",
                "5.1-preview.3",
                update(linked),
                true,
                of_item("workItems/87/updates/5"),
            ),
        ]
    }
}

#[test]
fn one_project_is_one_source_and_its_pages_are_where_the_connection_is() {
    for place in PLACES {
        let source = format!("{}/{PROJECT}", place.source);
        for body in Body::all(place) {
            let what = format!("{} at {}", body.what, place.url);
            for event in place.told(&body.value, body.reason) {
                let event = json(&event);
                assert_eq!(event["source"], source, "{what}");
                let azure = &event["data"]["customData"]["azuredevops"];
                assert!(!event["type"].as_str().unwrap().contains("event.received"), "{what}: {event:#}");
                let content = &event["data"]["subject"]["content"];
                let pages = [&content["uri"], &content["viewUrl"], &content["approvalDetailsUrl"], &azure["url"]];
                let pages: Vec<&str> = pages.iter().filter_map(|page| page.as_str()).collect();
                let is_silent = event["type"].as_str().unwrap().contains("build.finished");
                assert!(is_silent || !pages.is_empty(), "{what}: {event:#}");
                for page in pages {
                    assert!(page.starts_with(&format!("{source}/_")) && !page.contains("_apis"), "{what}: {page}");
                }
                assert!(azure["timeUnknown"].is_null(), "{what}");
                if let Some(address) = azure["apiUrl"].as_str() {
                    assert!(address.contains("/_apis/") && address.contains(PROJECT), "{what}: {address}");
                }
                assert!(body.what == "vote" || azure["actor"] == "CORP\\ada", "{what}: {azure:#}");
            }
        }
    }
}

#[test]
fn one_organization_is_the_same_by_either_of_its_addresses() {
    let ids = |place: &Place| -> Vec<Vec<Uuid>> {
        let told = |body: &Body| place.told(&body.value, body.reason).iter().map(|event| event.id).collect();
        Body::all(place).iter().map(told).collect()
    };
    let [new, old, server] = [0, 1, 2].map(|at: usize| ids(&PLACES[at]));
    assert_eq!(new, old);
    let distinct = |all: &[&Vec<Vec<Uuid>>]| all.iter().copied().flatten().flatten().collect::<BTreeSet<_>>().len();
    assert_eq!(distinct(&[&new, &server]), 2 * distinct(&[&new]), "a Server's things are others");
}

#[test]
fn the_project_is_found_wherever_its_guid_stands_and_its_bindings_find_the_event() {
    for place in PLACES {
        for body in Body::all(place) {
            let whole: Vec<Uuid> = place.told(&body.value, body.reason).iter().map(|event| event.id).collect();
            assert!(!body.names_the_project.is_empty(), "{}", body.what);
            for more in &body.names_the_project {
                let what = format!("{} at {}, by {more}", body.what, place.url);
                let mut value = body.value.clone();
                merge(&mut value["resource"], more);
                for containers in [
                    Value::Null,
                    literal!({ "collection": { "id": Uuid::from_u128(9) }, "project": { "id": Uuid::nil() } }),
                    literal!({ "project": { "baseUrl": format!("{}/", place.inside) } }),
                ] {
                    value["resourceContainers"] = containers;
                    let told = place.told_to(&value, body.reason, &bindings());
                    assert_eq!(told.iter().map(|event| event.id).collect::<Vec<_>>(), whole, "{what}");
                    for event in &told {
                        let projects: Vec<_> =
                            event.header.projects.iter().map(hookwell::domain::Slug::as_str).collect();
                        // No role is about changesets.
                        let wanted = if body.what == "check-in" { vec![] } else { vec!["pumps"] };
                        assert_eq!(projects, wanted, "{what}");
                    }
                }
            }
        }
    }
}

/// All of one Azure project, which is bound by its GUID.
pub(super) fn bindings() -> Vec<Arc<Binding>> {
    let azure_project = || AzureRef(PROJECT.to_uppercase());
    let code = |repository: &str| Selection::CodeDeployment {
        azure_project: azure_project(),
        repository: AzureRef(repository.to_owned()),
        branch: BranchRule::Any,
    };
    let selections = [
        code(REPOSITORY),
        Selection::BuildProvider { azure_project: azure_project(), pipelines: Vec::new() },
        Selection::IssueProvider {
            azure_project: azure_project(),
            area_paths: Vec::new(),
            work_item_types: Vec::new(),
        },
    ];
    let binding = |selection| Binding {
        id: BindingId(Uuid::from_u128(1)),
        project: "pumps".parse().unwrap(),
        connection: connection(),
        name: None,
        selection,
        code_deployment: None,
        partial: hookwell::domain::Partial::default(),
        direct_pushes: false,
        deploys: None,
        issues: Issues::default(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    selections.into_iter().map(binding).map(Arc::new).collect()
}
