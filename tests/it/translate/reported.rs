//! Inputs that people reported and audits found, each with the right value. Other tests hold the kinds that they are
//! examples of; here is what no other test names.

use super::{acts::There, cases, events, json};
use serde_json::{Value, json as literal};

const FABRIKAM: &str = "https://dev.azure.com/fabrikam";
const PROJECT: &str = "0f3d2c1b-7a6e-4d5c-8b4a-392817060504";

/// A fixture's body, and the reason in its name.
fn body(name: &str) -> (Value, Option<String>) {
    let case = cases().into_iter().find(|case| case.name == format!("{name}.json")).unwrap_or_else(|| panic!("{name}"));
    let reason = name.split_once("@reason=").map(|(_, reason)| reason.to_owned());
    (serde_json::from_slice(&case.body).unwrap(), reason)
}

/// The events of an input.
fn told(name: &str) -> Vec<Value> {
    let case = cases().into_iter().find(|case| case.name == format!("{name}.json")).unwrap_or_else(|| panic!("{name}"));
    events(&case.name, &case.body).unwrap().iter().map(json).collect()
}

fn says(what: &str, event: &Value, wanted: &[(&str, Value)]) {
    for (pointer, value) in wanted {
        let full = match pointer.strip_prefix('~') {
            Some(rest) => format!("/data/customData/azuredevops/{rest}"),
            None => format!("/{pointer}"),
        };
        let found = event.pointer(&full).cloned().unwrap_or_default();
        assert_eq!(&found, value, "{what}: {pointer} of {event:#}");
    }
}

fn links(event: &Value) -> Vec<String> {
    let all = event["data"]["context"]["links"].as_array().cloned().unwrap_or_default();
    let one = |link: &Value| {
        format!("{} {}", link["linkKind"].as_str().unwrap(), link["target"]["domainId"].as_str().unwrap())
    };
    all.iter().map(|link| one(link).replace("cdevents:v0:azure-devops:dev.azure.com:fabrikam:", "")).collect()
}

#[test]
fn a_sentinel_date_beside_the_push_is_no_date_of_it() {
    let [event] = &told("git.push/sentinel-date-in-project")[..] else { panic!("it is one push of one ref") };
    let repository = "5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c01";
    says(
        "01",
        event,
        &[
            ("time", literal!("2026-11-28T08:08:48Z")),
            ("source", literal!(format!("{FABRIKAM}/{PROJECT}"))),
            ("subject", literal!(format!("git/repositories/{repository}/refs/heads/production"))),
            ("~timeUnknown", Value::Null),
            ("~actor", literal!("ada@example.com")),
            ("~commits/0/comment", literal!("try")),
            ("~repository/webUrl", literal!(format!("{FABRIKAM}/{PROJECT}/_git/{repository}"))),
            ("~repository/remoteUrl", literal!(format!("{FABRIKAM}/Fabrikam/_git/control"))),
        ],
    );
    assert_eq!(links(event), [format!("COMMIT {PROJECT}/{repository}:commit:{}", "b".repeat(40))]);
}

#[test]
fn a_build_that_never_had_a_commit_names_none() {
    let page = |number: i64| literal!(format!("{FABRIKAM}/{PROJECT}/_build/results?buildId={number}"));
    for (name, number, time, started) in [
        ("2.0-without-commit", 77, "2026-11-28T09:50:10.5Z", literal!("2026-11-28T09:50:10Z")),
        ("2.0-without-commit-and-dates", 78, "2026-11-28T10:00:05.1234567Z", Value::Null),
    ] {
        let events = told(&format!("build.complete/{name}"));
        assert_eq!(events.len(), 2);
        for event in &events {
            assert_eq!(links(event), Vec::<String>::new(), "{name}");
            says(
                name,
                event,
                &[
                    ("time", literal!(time)),
                    ("subject", literal!(format!("build/builds/{number}"))),
                    ("~actor", literal!("ada@example.com")),
                    ("~queueTime", literal!("2026-11-28T09:50:00.1Z")),
                    ("~startTime", started.clone()),
                    ("~sourceVersion", Value::Null),
                    ("~result", literal!("failed")),
                ],
            );
        }
        let content = &events[0]["data"]["subject"]["content"];
        assert_eq!((&content["outcome"], &content["uri"]), (&literal!("failure"), &page(number)), "{name}");
    }
}

#[test]
fn what_was_built_of_which_ref_is_what_a_stage_says() {
    let (project, repository) = ("203fc8bd-8679-5f0b-8e6a-ce8337075461", "4c6e087c-38d9-5b5e-b405-b37df58ddc0b");
    let at = |what: &str| format!("{project}/{repository}:{what}");
    for (name, number, reference, commit, change) in [
        ("of-main", 9301, "refs/heads/main", "c2c899ce6d9759858db871adcbb2cf72bdc8faf2", None),
        ("of-pull-request", 9302, "refs/pull/2/merge", "83e54d202b515707a0d698afc020bfe96a8be029", Some("pr:2")),
        ("of-topic-branch", 9303, "refs/heads/feature/3", "2f9dec33f1e45156a5c895d56a8a5d307ef69995", None),
        ("of-tag", 9304, "refs/tags/v1.3.0", "9222a652902854b4a29f94e5b8465db40386609f", None),
    ] {
        let [event] = &told(&format!("ms.vss-pipelines.stage-state-changed-event/{name}"))[..] else {
            panic!("{name}")
        };
        says(
            name,
            event,
            &[
                ("subject", literal!(format!("build/builds/{number}/stages/Deploy to production"))),
                ("data/subject/content/outcome", literal!("success")),
                ("~sourceBranch", literal!(reference)),
                ("~sourceVersion", literal!(commit)),
                ("~stage/identifier", literal!("Deploy to production")),
            ],
        );
        let mut wanted = vec![format!("COMMIT {}", at(&format!("commit:{commit}")))];
        wanted.extend(change.map(|change| format!("CHANGE {}", at(change))));
        assert_eq!(links(event), wanted, "{name}");
        assert_eq!(event["data"]["context"]["chainId"].is_string(), change.is_some(), "{name}");
    }
}

#[test]
fn a_run_that_a_pipeline_started_says_which_one() {
    let project = "203fc8bd-8679-5f0b-8e6a-ce8337075461";
    let repository = format!("{project}/4c6e087c-38d9-5b5e-b405-b37df58ddc0b");
    let commit = |sha: &str| format!("COMMIT {repository}:commit:{sha}");
    let page = |number: i64| literal!(format!("{FABRIKAM}/{project}/_build/results?buildId={number}"));
    for (name, number, wanted) in [
        ("2.0-without-addresses", 9101, vec![commit(&"e".repeat(40))]),
        (
            "2.0-triggered-by-pipeline",
            9200,
            vec![commit("c2c899ce6d9759858db871adcbb2cf72bdc8faf2"), format!("TRIGGER {project}:execution:106")],
        ),
    ] {
        let event = &told(&format!("build.complete/{name}"))[0];
        assert_eq!(links(event), wanted, "{name}");
        says(name, event, &[("data/subject/content/uri", page(number))]);
    }
}

#[test]
fn a_draft_is_told_as_one_until_it_is_published() {
    for (name, draft, reason, target) in [
        ("git.pullrequest.created/draft", true, Value::Null, "refs/heads/main"),
        ("git.pullrequest.updated/published-by-message", false, literal!("published"), "refs/heads/main"),
        ("git.pullrequest.updated/retargeted-by-message", false, literal!("retargeted"), "refs/heads/release/1"),
    ] {
        let [event] = &told(name)[..] else { panic!("{name}") };
        says(
            name,
            event,
            &[
                ("~isDraft", literal!(draft)),
                ("~updateReason", reason.clone()),
                ("~targetRefName", literal!(target)),
                ("~actor", literal!("ada@example.com")),
            ],
        );
        assert_eq!(event["data"]["customData"]["azuredevops"]["message"].is_string(), !reason.is_null(), "{name}");
    }
}

#[test]
fn a_type_that_is_changed_later_is_told_as_it_was_when_it_was_made() {
    let [event] = &told("workitem.created/type-changed-1")[..] else { panic!("it is no incident") };
    assert!(event["type"].as_str().unwrap().starts_with("dev.cdevents.ticket.created."));
    says("33", event, &[("~rev", literal!(1)), ("data/subject/content/uri", literal!(page_of(event)))]);
}

fn page_of(event: &Value) -> String {
    let number = event["subject"].as_str().unwrap().rsplit('/').next().unwrap();
    format!("{}/_workitems/edit/{number}", event["source"].as_str().unwrap())
}

#[tokio::test]
async fn nothing_happened_when_somebody_pressed_the_test_button() {
    let mut there = There::start().await;
    let samples: Vec<_> =
        cases().into_iter().filter(|case| case.name.ends_with("/what-a-test-button-sends.json")).collect();
    assert_eq!(samples.len(), 12);
    for case in samples {
        let body: Value = serde_json::from_slice(&case.body).unwrap();
        assert_eq!(there.send(&body, None).await, "test", "{}", case.name);
    }
    assert_eq!(there.events().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_head_that_was_there_before_is_a_push_of_its_own() {
    let mut there = There::start().await;
    for number in 1..=3 {
        let (body, reason) = body(&format!("git.pullrequest.updated/set-back-{number}@reason=PushNotification"));
        there.deliver(&body, reason.as_deref()).await;
        there.deliver(&body, None).await;
    }
    let events = there.events().await;
    let heads: Vec<_> =
        events.iter().map(|event| &event["data"]["customData"]["azuredevops"]["sourceCommit"]).collect();
    assert_eq!(heads.len(), 3, "{events:#?}");
    assert_eq!(heads[0], heads[2]);
    assert_ne!(heads[0], heads[1]);
}

#[tokio::test]
async fn what_two_subscriptions_deliver_is_one_event_whichever_comes_first() {
    let pulled = "git.pullrequest.updated/one";
    for (one, other, kinds) in [
        ("git.push/one-push-first-subscription", "git.push/one-push-second-subscription", &["branch.updated"][..]),
        (
            "ms.vss-code.git-pullrequest-comment-event/2.0-one-comment-first-subscription",
            "ms.vss-code.git-pullrequest-comment-event/2.0-one-comment-second-subscription",
            &["change.commented"],
        ),
        (
            &format!("{pulled}-act-filtered@reason=ReviewerVoteNotification"),
            &format!("{pulled}-act-unfiltered"),
            &["change.reviewed"],
        ),
        (
            &format!("{pulled}-push-filtered@reason=PushNotification"),
            &format!("{pulled}-push-unfiltered"),
            &["change.updated"],
        ),
        (
            &format!("{pulled}-end-filtered@reason=StatusUpdateNotification"),
            &format!("{pulled}-end-unfiltered"),
            &["change.merged"],
        ),
        (
            "ms.vss-pipelines.stage-state-changed-event/one-end-first-subscription",
            "ms.vss-pipelines.stage-state-changed-event/one-end-second-subscription",
            &["taskrun.finished"],
        ),
    ] {
        let mut before: Option<Vec<Value>> = None;
        for order in [[one, other], [other, one]] {
            let mut there = There::start().await;
            for name in order {
                let (body, reason) = body(name);
                there.deliver(&body, reason.as_deref()).await;
            }
            let mut events = there.events().await;
            assert_eq!(events.len(), kinds.len(), "{order:?}: {events:#?}");
            for (event, kind) in events.iter_mut().zip(kinds) {
                assert!(event["type"].as_str().unwrap().contains(kind), "{order:?}: {event:#}");
                // Which of the two deliveries it was learnt from may differ, and each gateway has its own connection.
                event["data"]["customData"]["azuredevops"]["subscriptionId"] = Value::Null;
                event["data"]["customData"]["hookwell"] = Value::Null;
            }
            assert_eq!(before.get_or_insert_with(|| events.clone()), &events, "{order:?}");
        }
    }
}
