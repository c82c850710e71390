//! Runs, stages, jobs, builds and classic deployments: what is one fact, what is two, and that a fact says the same whichever
//! event tells it.

use super::{cases, events, json};
use hookwell::{
    event::Event,
    translate::union::{richer, union},
};
use serde_json::{Value, json as literal};
use uuid::Uuid;

pub(super) const PROJECT: &str = "0f3d2c1b-7a6e-4d5c-8b4a-392817060504";
const REPOSITORY: &str = "5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c01";
const SHA: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const HEAD: &str = "cccccccccccccccccccccccccccccccccccccccc";

pub(super) fn body_of(name: &str) -> Value {
    let case = cases().into_iter().find(|case| case.name == format!("{name}.json")).unwrap_or_else(|| panic!("{name}"));
    serde_json::from_slice(&case.body).unwrap()
}

pub(super) fn told(body: &Value) -> Vec<Event> {
    events("", body.to_string().as_bytes()).unwrap()
}

/// The event of this kind.
pub(super) fn one(body: &Value, kind: &str) -> Event {
    let events = told(body);
    let kinds: Vec<_> = events.iter().map(|event| event.header.kind.clone()).collect();
    events.into_iter().find(|event| event.header.kind.contains(kind)).unwrap_or_else(|| panic!("{kind}: {kinds:?}"))
}

pub(super) fn azure(event: &Event) -> Value {
    json(event)["data"]["customData"]["azuredevops"].clone()
}

pub(super) fn links(event: &Event, kind: &str) -> Vec<String> {
    let event = json(event);
    let links = event["data"]["context"]["links"].as_array().cloned().unwrap_or_default();
    let of_kind = links.iter().filter(|link| link["linkKind"] == kind);
    of_kind.map(|link| link["target"]["domainId"].as_str().unwrap().to_owned()).collect()
}

fn envelope(kind: &str, version: &str, resource: &Value) -> Value {
    literal!({"id": Uuid::new_v5(&Uuid::nil(), resource.to_string().as_bytes()), "eventType": kind, "resource": resource,
        "resourceVersion": version, "resourceContainers": {"project": {"id": PROJECT}}, "createdDate": "2026-11-28T10:00:05Z"})
}

fn run(state: &str, more: Value) -> Value {
    let mut resource = literal!({
        "run": {"id": 9012, "name": "20261128.4", "state": state, "createdDate": "2026-11-28T09:50:00.1Z",
            "resources": {"repositories": {"self": {"repository": {"id": REPOSITORY, "type": "azureReposGit"},
                "refName": "refs/heads/main", "version": SHA}}}},
        "pipeline": {"id": 12, "name": "storefront-ci"}, "runId": 9012,
        "requestedFor": {"id": "a63472b0-a053-5c05-a7e6-582ae2e0bd53", "displayName": "Ada Byron", "uniqueName": "ada@example.com"},
    });
    merge(&mut resource, more);
    envelope("ms.vss-pipelines.run-state-changed-event", "5.1-preview.1", &resource)
}

fn build(more: Value) -> Value {
    let mut resource = literal!({
        "id": 9012, "buildNumber": "20261128.4", "status": "completed", "result": "succeeded",
        "queueTime": "2026-11-28T09:50:00.1Z", "startTime": "2026-11-28T09:50:10Z", "finishTime": "2026-11-28T09:59:00.2Z",
        "sourceBranch": "refs/heads/main", "sourceVersion": SHA, "definition": {"id": 12, "name": "storefront-ci"},
        "repository": {"id": REPOSITORY, "type": "TfsGit", "name": "storefront"},
        "requestedFor": {"id": "a63472b0-a053-5c05-a7e6-582ae2e0bd53", "displayName": "Ada Byron", "uniqueName": "ada@example.com"},
    });
    merge(&mut resource, more);
    envelope("build.complete", "2.0", &resource)
}

pub(super) fn merge(there: &mut Value, more: Value) {
    match (there, more) {
        (Value::Object(there), Value::Object(more)) => {
            for (name, value) in more {
                merge(there.entry(name).or_insert(Value::Null), value);
            }
        }
        (there, more) => *there = more,
    }
}

/// Everything that it says but which delivery it was.
fn fact(event: &Event) -> Value {
    let mut value = json(event);
    let azure = value["data"]["customData"]["azuredevops"].as_object_mut().unwrap();
    for own in ["eventType", "eventId", "resourceVersion", "subscriptionId"] {
        azure.remove(own);
    }
    value["data"]["customData"]["hookwell"] = Value::Null;
    value
}

/// One after the other, and the other way round.
pub(super) fn both_orders(one: &Event, other: &Event) -> [Value; 2] {
    assert_eq!(one.id, other.id);
    [(one, other), (other, one)]
        .map(|(first, then)| fact(&union(first.id, first, then).unwrap_or_else(|| first.clone())))
}

#[test]
fn a_fact_of_a_run_has_what_either_knows_in_either_order() {
    let over = literal!({"run": {"result": "succeeded", "finishedDate": "2026-11-28T09:59:00.2000001Z"}});
    let with = |mut base: Value, more: Value| {
        merge(&mut base, more);
        base
    };
    let validation = literal!({"run": {"resources": {"repositories": {"self": {"refName": "refs/pull/77/merge"}}}}});
    let tried =
        literal!({"sourceBranch": "refs/pull/77/merge", "triggerInfo": {"pr.number": "77", "pr.sourceSha": HEAD}});
    let old = literal!({"id": 9012, "buildNumber": "20261128.4", "status": "succeeded", "startTime": "2026-11-28T09:50:10Z",
        "finishTime": "2026-11-28T09:59:00.2Z", "sourceGetVersion": format!("LG:refs/heads/main:{SHA}"),
        "definition": {"id": 12, "name": "storefront-ci"},
        "requests": [{"requestedFor": {"displayName": "Ada Byron", "uniqueName": "ada@example.com"}}]});
    for (name, poor, rich) in [
        ("a plain run", run("completed", over.clone()), build(literal!({}))),
        ("a validation", run("completed", with(over.clone(), validation)), build(tried)),
        ("partly", run("completed", over.clone()), build(literal!({"result": "partiallySucceeded"}))),
        ("by another word", run("completed", over.clone()), envelope("build.complete", "1.0", &old)),
        ("builds of two versions", envelope("build.complete", "1.0", &old), build(literal!({}))),
        (
            "as it was captured",
            body_of("ms.vss-pipelines.run-state-changed-event/validation-completed"),
            body_of("build.complete/2.0-validation"),
        ),
    ] {
        let (poor, rich) = (one(&poor, "pipelinerun.finished"), one(&rich, "pipelinerun.finished"));
        if name == "as it was captured" {
            // The two samples were rewritten with GUIDs of different projects; the rest is what it was.
            assert_eq!(json(&poor)["subject"], json(&rich)["subject"]);
            continue;
        }
        let [one, other] = both_orders(&poor, &rich);
        assert_eq!(one, other, "{name}");
        let whole = &one["data"]["customData"]["azuredevops"];
        for member in [
            "buildId",
            "buildNumber",
            "result",
            "sourceBranch",
            "sourceVersion",
            "definition",
            "requestedFor",
            "startTime",
            "finishTime",
            "actor",
        ] {
            assert!(!whole[member].is_null(), "{name}: {member} of {whole:#}");
        }
        // The poorer adds nothing to the richer of version 2.0: then there is no revision either.
        let adds = union(rich.id, &rich, &poor).is_some();
        assert_eq!(adds, name == "by another word", "{name}");
        assert_eq!(richer(&poor).is_some(), azure(&poor)["eventType"] != "build.complete", "{name}");
        assert_eq!(richer(&rich), None);
        if richer(&poor).is_some() {
            let bodies = match name {
                "by another word" => envelope("build.complete", "1.0", &old),
                _ => build(literal!({})),
            };
            assert_eq!(richer(&poor), Some(self::one(&bodies, "build.finished").id), "{name}");
        }
    }
}

#[test]
fn a_build_of_a_pull_request_is_found_by_what_was_pushed() {
    for (name, is_fork) in [("of Azure", false), ("of a fork", true), ("case", false)] {
        let body = match name {
            "case" => body_of("build.complete/2.0-validation-of-a-head"),
            _ => build(
                literal!({"sourceBranch": "refs/pull/7/merge", "triggerInfo": {"pr.number": "7", "pr.sourceSha": HEAD,
                "pr.isFork": if is_fork { "True" } else { "False" }}}),
            ),
        };
        let event = one(&body, "pipelinerun.finished");
        let commits = links(&event, "COMMIT");
        assert_eq!(
            commits.iter().any(|link| link.ends_with(&format!("{PROJECT}/{REPOSITORY}:commit:{HEAD}"))),
            !is_fork,
            "{commits:?}"
        );
        assert_eq!(azure(&event)["pullRequest"]["head"], HEAD, "{name}");
        assert_eq!(azure(&event)["pullRequest"]["isFork"] == true, is_fork);
        assert!(!json(&event)["data"]["context"]["chainId"].is_null());
    }
}

#[test]
fn what_is_built_at_github_has_the_names_of_github() {
    let at = |host: &str| format!("cdevents:v0:github:{host}:fabrikam:lib:commit:{SHA}");
    for (repository, name) in [
        (literal!({"id": "fabrikam/lib", "type": "GitHub"}), Some(at(""))),
        (
            literal!({"id": "fabrikam/lib", "type": "GitHub", "url": "https://github.com/fabrikam/lib.git"}),
            Some(at("")),
        ),
        (
            literal!({"id": "x", "type": "GitHubEnterprise", "url": "https://git.example/fabrikam/lib.git"}),
            Some(at("git.example")),
        ),
        (literal!({"id": "https://bitbucket.org/a/b", "type": "Git"}), None),
        (literal!({"id": null, "type": "GitHub"}), None),
    ] {
        let mut body = build(literal!({}));
        body["resource"]["repository"] = repository.clone();
        let event = one(&body, "pipelinerun.finished");
        assert_eq!(links(&event, "COMMIT"), name.into_iter().collect::<Vec<_>>(), "{repository}");
        assert_eq!(azure(&event)["sourceVersion"], SHA);
    }
    let started = one(&body_of("ms.vss-pipelines.run-state-changed-event/form-of-2019-started"), "pipelinerun.started");
    assert_eq!(
        links(&started, "COMMIT"),
        ["cdevents:v0:github::fabrikam:spartan-app:commit:0ffb2ba5cefa3facdbb2c30df42fdb40afd294d8"]
    );
    // A build of version 1.0 names no repository: there is no commit of Azure's to be made up.
    assert_eq!(links(&one(&body_of("build.complete/1.0-of-github"), "build.finished"), "COMMIT"), Vec::<String>::new());
}

#[test]
fn a_run_has_one_source_and_one_end_whatever_its_bodies_lack() {
    let names = ["form-of-2019-started", "form-of-2019-completed"]
        .map(|name| format!("ms.vss-pipelines.run-state-changed-event/{name}"));
    let [started, ended] = names.map(|name| told(&body_of(&name)).remove(0));
    let built = one(&body_of("build.complete/1.0-of-github"), "pipelinerun.finished");
    assert_eq!(ended.id, built.id);
    assert_eq!(
        (&json(&started)["source"], &json(&started)["subject"]),
        (&json(&built)["source"], &json(&built)["subject"])
    );
    // The same of others: the project from wherever it stands.
    let whole = one(&run("inProgress", literal!({})), "pipelinerun.started");
    for (name, place) in [
        ("the resource", literal!({"projectId": PROJECT})),
        ("the list of projects", literal!({"teamProjectIds": [PROJECT]})),
        (
            "the run's page",
            literal!({"run": {"_links": {"web": {"href": format!("https://else.example/o/{PROJECT}/_build/results?buildId=9012")}}}}),
        ),
        (
            "the pipeline's address",
            literal!({"pipeline": {"url": format!("https://dev.azure.com/fabrikam/{PROJECT}/_apis/pipelines/12")}}),
        ),
        (
            "the run's address",
            literal!({"runUrl": format!("https://dev.azure.com/fabrikam/{PROJECT}/_apis/pipelines/12/runs/9012")}),
        ),
    ] {
        let mut body = run("inProgress", place);
        body.as_object_mut().unwrap().remove("resourceContainers");
        assert_eq!(one(&body, "pipelinerun.started").id, whole.id, "{name}");
    }
}

#[test]
fn the_page_is_at_the_connections_address_whatever_the_payload_names() {
    let page = format!("https://dev.azure.com/fabrikam/{PROJECT}/_build/results?buildId=9012");
    for name in
        ["run-state-changed-event/other-organization-started", "run-state-changed-event/other-organization-completed"]
    {
        let event = told(&body_of(&format!("ms.vss-pipelines.{name}"))).remove(0);
        assert_eq!(json(&event)["data"]["subject"]["content"]["uri"], page, "{name}");
    }
    let event = one(&body_of("build.complete/2.0-other-organization"), "pipelinerun.finished");
    assert_eq!(json(&event)["data"]["subject"]["content"]["uri"], page);
    // Whatever the fixture: what people are sent to is no API, and on the connection's host.
    for case in cases() {
        for event in events(&case.name, &case.body).unwrap().iter().map(json) {
            let family = event["subject"].as_str().unwrap();
            if !["build/", "release/", "pipelines/"].iter().any(|own| family.starts_with(own)) {
                continue;
            }
            let content = &event["data"]["subject"]["content"];
            for uri in
                ["uri", "approvalDetailsUrl", "resourceTargetUrl"].iter().filter_map(|name| content[*name].as_str())
            {
                let host = if case.name.contains("@server") {
                    "https://tfs.example.com/"
                } else {
                    "https://dev.azure.com/fabrikam/"
                };
                assert!(uri.starts_with(host) && !uri.contains("/_apis/"), "{}: {uri}", case.name);
            }
        }
    }
}

#[test]
fn a_rerun_begins_and_ends_and_a_second_delivery_of_either_is_the_same() {
    let stages = |attempts: &[i64]| {
        let stage = |(at, attempt): (usize, &i64)| literal!({"id": Uuid::from_u128(at as u128), "name": format!("s{at}"), "attempt": attempt});
        literal!({"stages": attempts.iter().enumerate().map(stage).collect::<Vec<_>>()})
    };
    let begun = |attempts: &[i64]| one(&run("inProgress", stages(attempts)), "pipelinerun.started").id;
    let first = begun(&[1, 1]);
    assert_eq!(first, one(&run("inProgress", literal!({})), "pipelinerun.started").id, "with and without its stages");
    let all = [first, begun(&[2, 1]), begun(&[2, 2]), begun(&[3, 2])];
    assert_eq!(std::collections::BTreeSet::from(all).len(), 4);
    assert_eq!(begun(&[2, 1]), begun(&[2, 1]));
    let ended = |at: &str| one(&run("completed", literal!({"run": {"finishedDate": at}})), "pipelinerun.finished").id;
    assert_eq!(ended("2026-11-28T09:59:00.2Z"), ended("2026-11-28T09:59:00.2000009Z"));
    assert_ne!(ended("2026-11-28T09:59:00.2Z"), ended("2026-11-28T10:20:00.2Z"));
}

#[test]
fn a_beginning_is_when_it_began_and_not_when_it_was_queued() {
    let time = |body: &Value| json(&one(body, "pipelinerun.started"))["time"].as_str().unwrap().to_owned();
    // The hook's run has the date of queueing alone: the notification is nearer.
    assert_eq!(time(&run("inProgress", literal!({}))), "2026-11-28T10:00:05Z");
    let stage = literal!({"stages": [{"name": "a", "attempt": 1, "startTime": "2026-11-28T09:59:01Z"}, {"name": "b", "attempt": 1}]});
    assert_eq!(time(&run("inProgress", stage)), "2026-11-28T09:59:01Z");
    let record = literal!({"build": {"id": 9012, "queueTime": "2026-11-28T09:50:00.1Z", "startTime": "2026-11-28T09:58:10Z", "finishTime": "2026-11-28T10:58:10Z", "result": "failed"}});
    let by_record = one(&run("inProgress", record), "pipelinerun.started");
    assert_eq!(json(&by_record)["time"], "2026-11-28T09:58:10Z");
    let by_hook = one(&run("inProgress", literal!({})), "pipelinerun.started");
    let [one_way, other_way] = both_orders(&by_hook, &by_record);
    assert_eq!(one_way, other_way);
    assert_eq!(one_way["time"], "2026-11-28T09:58:10Z");
    let azure = &one_way["data"]["customData"]["azuredevops"];
    assert_eq!(
        (&azure["queueTime"], &azure["startTime"]),
        (&literal!("2026-11-28T09:50:00.1Z"), &literal!("2026-11-28T09:58:10Z"))
    );
    assert!(azure["finishTime"].is_null() && azure["result"].is_null(), "it had not ended then: {azure:#}");
}

#[test]
fn a_stage_is_one_over_its_attempts_and_each_attempt_is_told() {
    let stage = |id: &str, attempt: i64| {
        let mut body = run(
            "inProgress",
            literal!({"stageName": "Deploy", "stage": {"id": id, "name": "Deploy", "displayName": "Deploy to production",
            "attempt": attempt, "state": "completed", "result": "succeeded", "startTime": "2026-11-28T09:50:00Z", "finishTime": "2026-11-28T09:52:00Z"}}),
        );
        body["eventType"] = "ms.vss-pipelines.stage-state-changed-event".into();
        one(&body, "taskrun.finished")
    };
    // The ids are those that Azure makes of `Deploy` and `Deploy.2`.
    let (first, second) =
        (stage("d4a9a205-d52e-57fb-7b17-15a9d984af62", 1), stage("826fe661-88f0-511e-fb64-b4ffe8c2bca2", 2));
    assert_eq!(json(&first)["subject"], json(&second)["subject"]);
    assert_ne!(first.id, second.id);
    for (event, attempt) in [(&first, 1), (&second, 2)] {
        assert_eq!(
            (&azure(event)["stage"]["identifier"], &azure(event)["stage"]["attempt"]),
            (&literal!("Deploy"), &literal!(attempt))
        );
    }
    // Some servers keep the id: it is the same fact by either.
    assert_eq!(stage("d4a9a205-d52e-57fb-7b17-15a9d984af62", 2).id, second.id);
}
