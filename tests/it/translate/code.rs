//! Pushes, pull requests, comments and repositories, kind by kind: what is one fact, what is two, and what is said of it.

use super::{cases, connection, events, json};
use hookwell::{
    azure::CollectionUrl,
    domain::NotificationId,
    event::Event,
    translate::{Context, Settings, compared, merged_directly, request},
};
use serde_json::{Value, json as literal};
use std::{collections::BTreeSet, sync::Arc};
use uuid::Uuid;

const PROJECT: &str = "0f3d2c1b-7a6e-4d5c-8b4a-392817060504";
const REPOSITORY: &str = "5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c01";
const PAGE: &str =
    "https://dev.azure.com/fabrikam/0f3d2c1b-7a6e-4d5c-8b4a-392817060504/_git/5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c01";
const NAMED: &str = "cdevents:v0:azure-devops:dev.azure.com:fabrikam:0f3d2c1b-7a6e-4d5c-8b4a-392817060504/5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c01";
const KIND: &str = "ms.vss-code.git-pullrequest-comment-event";
const NONE: &str = "0000000000000000000000000000000000000000";

/// Forty times the same digit: a commit.
fn sha(digit: char) -> String {
    digit.to_string().repeat(40)
}

fn envelope(kind: &str, id: u128, resource: Value) -> Value {
    literal!({
        "subscriptionId": Uuid::from_u128(1), "notificationId": 1, "id": Uuid::from_u128(id), "eventType": kind,
        "publisherId": "tfs", "message": { "text": kind }, "resource": resource, "resourceVersion": "1.0",
        "resourceContainers": { "project": { "id": PROJECT } }, "createdDate": "2026-11-28T10:00:05Z",
    })
}

/// As another organization calls it: nothing of these addresses may come out as ours.
fn repository() -> Value {
    literal!({
        "id": REPOSITORY, "name": "storefront", "project": { "id": PROJECT, "name": "Fabrikam" },
        "url": "https://elsewhere.example/x/_apis/git/repositories/1", "webUrl": "https://elsewhere.example/x/_git/y",
        "remoteUrl": "https://elsewhere.example/x/_git/y",
    })
}

fn told(name: &str, body: &Value) -> Vec<Event> {
    events(name, &serde_json::to_vec(body).unwrap()).unwrap()
}

fn ids(name: &str, bodies: &[Value]) -> BTreeSet<Uuid> {
    bodies.iter().flat_map(|body| told(name, body)).map(|event| event.id).collect()
}

/// The events of a fixture.
fn fixture(name: &str) -> Vec<Value> {
    let case = cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name}"));
    events(&case.name, &case.body).unwrap().iter().map(json).collect()
}

fn azure(event: &Value) -> &Value {
    &event["data"]["customData"]["azuredevops"]
}

fn links(event: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = event["data"]["context"]["links"].as_array().cloned().unwrap_or_default();
    all.iter().map(|link| (text(&link["linkKind"]), text(&link["target"]["domainId"]))).collect()
}

fn push(number: Option<i64>, refs: &[(&str, &str, &str)], commits: &[&str]) -> Value {
    let refs: Vec<Value> = refs
        .iter()
        .map(|(name, old, new)| literal!({ "name": name, "oldObjectId": old, "newObjectId": new }))
        .collect();
    let commits: Vec<Value> = commits.iter().map(|id| literal!({ "commitId": id, "comment": "c" })).collect();
    let mut resource = literal!({
        "refUpdates": refs, "commits": commits, "repository": repository(), "date": "2026-11-28T10:00:00Z",
        "pushedBy": { "id": "1", "displayName": "Ada Byron", "uniqueName": "ada@example.com" },
    });
    if let Some(number) = number {
        resource["pushId"] = number.into();
    }
    envelope("git.push", u128::try_from(number.unwrap_or(99)).unwrap(), resource)
}

fn pull_request(change: &Value) -> Value {
    let mut resource = literal!({
        "pullRequestId": 31, "status": "active", "title": "Cart", "isDraft": false, "repository": repository(),
        "creationDate": "2026-11-28T09:00:00Z", "sourceRefName": "refs/heads/topic", "targetRefName": "refs/heads/main",
        "createdBy": { "id": "a", "displayName": "Ada Byron" }, "mergeStatus": "succeeded", "mergeId": "m1",
        "lastMergeSourceCommit": { "commitId": sha('a') }, "lastMergeTargetCommit": { "commitId": sha('b') },
        "url": "https://elsewhere.example/_apis/git/pullRequests/31",
        "_links": { "web": { "href": "https://elsewhere.example/pullrequest/31" } },
    });
    for (name, value) in change.as_object().unwrap() {
        resource[name] = value.clone();
    }
    resource
}

#[test]
fn a_ref_that_is_unmade_and_made_again_is_told_each_time() {
    let (main, a, b) = ("refs/heads/main", sha('a'), sha('b'));
    let tag = "refs/tags/v1";
    let note = "refs/notes/x";
    for (what, pushes, facts) in [
        ("a branch", vec![(1, main, NONE, a.as_str()), (2, main, &a, NONE), (3, main, NONE, &a)], 3),
        ("a branch set back", vec![(1, main, &a, &b), (2, main, &b, &a), (3, main, &a, &b)], 3),
        ("a tag", vec![(1, tag, NONE, &a), (2, tag, &a, NONE), (3, tag, NONE, &a), (4, tag, &a, NONE)], 4),
        ("another ref", vec![(5, note, NONE, &a), (6, note, &a, NONE), (7, note, NONE, &a)], 3),
        ("one push told twice", vec![(1, main, &a, &b), (1, main, &a, &b)], 1),
    ] {
        let bodies: Vec<Value> =
            pushes.iter().map(|(number, name, old, new)| push(Some(*number), &[(name, old, new)], &[])).collect();
        assert_eq!(ids("git.push/x", &bodies).len(), facts, "{what}");
    }
    let mut unnumbered = [push(None, &[(main, &a, &b)], &[]), push(None, &[(main, &a, &b)], &[])];
    assert_eq!(ids("git.push/x", &unnumbered).len(), 1);
    unnumbered[1]["id"] = literal!(Uuid::from_u128(77));
    assert_eq!(ids("git.push/x", &unnumbered).len(), 2, "the occasion tells pushes apart that have no number");
}

#[test]
fn a_change_of_a_branch_says_the_same_in_the_same_place() {
    let (main, a, b) = ("refs/heads/main", sha('a'), sha('b'));
    let compare = format!("{PAGE}/branchCompare?baseVersion=GC{a}&targetVersion=GC{b}");
    for (old, new, kind, page) in [
        (NONE, a.as_str(), "dev.cdevents.branch.created.", format!("{PAGE}/commit/{a}")),
        (&a, &b, "dev.cdeventsx.azuredevops-branch.updated.", compare),
        (&a, NONE, "dev.cdevents.branch.deleted.", format!("{PAGE}/pushes/7?refName=refs%2Fheads%2Fmain")),
    ] {
        let commit = if new == NONE { &a } else { new };
        let [event] = &told("git.push/x", &push(Some(7), &[(main, old, new)], &[commit]))[..] else { panic!() };
        let (event, text) = (json(event), event.json.clone());
        assert!(event["type"].as_str().unwrap().starts_with(kind), "{event}");
        let content = &event["data"]["subject"]["content"];
        assert_eq!(content["repository"]["id"], format!("git/repositories/{REPOSITORY}"), "{kind}");
        let azure = azure(&event);
        assert_eq!((&azure["url"], &azure["ref"]), (&literal!(page), &literal!(main)), "{kind}");
        assert_eq!((&azure["oldObjectId"], &azure["newObjectId"]), (&literal!(old), &literal!(new)), "{kind}");
        assert_eq!(azure["commits"][0]["commitId"], *commit, "{kind}");
        assert_eq!(azure["actor"], "ada@example.com", "{kind}");
        assert!(content["uri"].is_null() || content["uri"] == page, "{kind}");
        assert!(!String::from_utf8_lossy(&text).contains("elsewhere.example"), "{kind}: an address of the payload");
    }
}

#[test]
fn commits_of_a_push_of_several_refs_are_kept_where_they_can_be_told_apart() {
    let (main, other, tag) = ("refs/heads/main", "refs/heads/other", "refs/tags/v1");
    let (a, b, c, t) = (sha('a'), sha('b'), sha('c'), sha('d'));
    // By ref: the commits it says, or how many the push has.
    for (what, refs, commits, expected) in [
        ("a branch and a tag", vec![(main, a.as_str(), b.as_str()), (tag, NONE, &t)], vec![b.as_str()], ["1", "-"]),
        ("a branch and a deletion", vec![(main, &a, &b), (other, &c, NONE)], vec![&b], ["1", "-"]),
        ("two branches, one head", vec![(main, &a, &b), (other, NONE, &b)], vec![&b, &c], ["2", "2"]),
        ("a branch and one that brings nothing", vec![(main, &a, &b), (other, NONE, &c)], vec![&b], ["1", "-"]),
        ("two branches with commits", vec![(main, &a, &b), (other, &a, &c)], vec![&c, &b], ["of 2", "of 2"]),
        ("two tags, one object", vec![(tag, NONE, &b), ("refs/tags/v2", NONE, &b)], vec![&b], ["1", "1"]),
        ("two deletions", vec![(main, &a, NONE), (other, &b, NONE)], vec![&b], ["-", "-"]),
    ] {
        let found: Vec<String> = told("git.push/x", &push(Some(1), &refs, &commits))
            .iter()
            .map(|event| {
                let event = json(event);
                match (azure(&event)["commits"].as_array(), azure(&event)["commitsInPush"].as_i64()) {
                    (Some(own), _) => own.len().to_string(),
                    (None, Some(count)) => format!("of {count}"),
                    (None, None) => "-".to_owned(),
                }
            })
            .collect();
        assert_eq!(found, expected, "{what}");
    }
    let many: Vec<String> = (0..25).map(|n| format!("{n:040}")).chain([b.clone()]).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let cut = told("git.push/x", &push(Some(1), &[(main, &a, &b), (other, &a, &c)], &many));
    assert_eq!(
        azure(&json(&cut[0]))["commitsInPush"],
        26,
        "a list that can be cut tells nothing of heads that it lacks"
    );
    for (count, may_be_cut) in [(1, Value::Null), (20, Value::Null), (21, literal!(true))] {
        let one = told("git.push/x", &push(Some(1), &[(main, &a, &b)], &many[..count]));
        assert_eq!(azure(&json(&one[0]))["commitsMayBeCut"], may_be_cut, "{count}");
    }
}

#[test]
fn a_ref_that_was_forced_says_so_where_the_payload_does() {
    let (main, a, b) = ("refs/heads/main", sha('a'), sha('b'));
    for (forced, wanted) in [
        (literal!(true), literal!(true)),
        (literal!("True"), literal!(true)),
        (literal!(false), Value::Null),
        (Value::Null, Value::Null),
    ] {
        let mut body = push(Some(1), &[(main, &a, &b)], &[]);
        body["resource"]["refUpdates"][0]["forced"] = forced;
        assert_eq!(azure(&json(&told("git.push/x", &body)[0]))["forced"], wanted);
    }
}

#[test]
fn a_tag_links_to_the_commit_that_the_push_shows_it_to_be_on_and_every_commit_has_one_name() {
    let (a, b) = (sha('a'), sha('b'));
    let upper = b.to_uppercase();
    let (main, tag) = ("refs/heads/main", "refs/tags/v1");
    for (refs, commits, linked) in [
        (vec![(tag, NONE, a.as_str())], vec![a.as_str()], Some(&a)),
        (vec![(tag, &a, &b)], vec![&a, &b], Some(&b)),
        (vec![(tag, NONE, &b), (main, &a, &b)], vec![], Some(&b)),
        (vec![(tag, NONE, &upper), (main, &b, &a)], vec![], Some(&b)),
        // The object is an annotation, or a commit that was there before: nobody can tell.
        (vec![(tag, NONE, &a)], vec![], None),
        (vec![(tag, NONE, &a), (main, NONE, &b)], vec![&b], None),
        (vec![(tag, &a, NONE)], vec![&a], None),
        (vec![(main, &a, &upper)], vec![], Some(&b)),
        (vec![("refs/notes/commits", NONE, &a)], vec![&a], None),
    ] {
        let name = format!("{refs:?} {commits:?}");
        let event = json(&told("git.push/x", &push(Some(1), &refs, &commits))[0]);
        let expected: Vec<_> =
            linked.iter().map(|sha| ("COMMIT".to_owned(), format!("{NAMED}:commit:{sha}"))).collect();
        assert_eq!(links(&event), expected, "{name}");
    }
    // Without a project there is no empty group.
    let mut body = push(Some(1), &[("refs/heads/main", &a, &b)], &[]);
    body["resourceContainers"] = Value::Null;
    body["resource"]["repository"]["project"] = Value::Null;
    let event = json(&told("git.push/x", &body)[0]);
    assert_eq!(links(&event)[0].1, format!("cdevents:v0:azure-devops:dev.azure.com:fabrikam:{REPOSITORY}:commit:{b}"));
}

#[test]
fn a_pull_request_of_a_fork_links_into_the_fork() {
    let fork = literal!({ "name": "refs/heads/topic", "repository": {
        "id": "5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c99", "name": "fork", "project": { "id": "0f3d2c1b-7a6e-4d5c-8b4a-392817060599" } } });
    let place = "0f3d2c1b-7a6e-4d5c-8b4a-392817060599/5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c99";
    let at = format!("cdevents:v0:azure-devops:dev.azure.com:fabrikam:{place}:commit:{}", sha('a'));
    for kind in ["git.pullrequest.created", "git.pullrequest.updated", "git.pullrequest.merged"] {
        let body = envelope(kind, 1, pull_request(&literal!({ "forkSource": fork })));
        let event = json(&told(&format!("{kind}/x"), &body)[0]);
        assert_eq!(links(&event)[0], ("COMMIT".to_owned(), at.clone()), "{kind}");
        assert_eq!(azure(&event)["forkSource"]["name"], "fork", "{kind}");
        let own = json(&told(&format!("{kind}/x"), &envelope(kind, 1, pull_request(&literal!({}))))[0]);
        assert_eq!(links(&own)[0].1, format!("{NAMED}:commit:{}", sha('a')), "{kind}");
        assert_eq!(azure(&own)["url"], format!("{PAGE}/pullrequest/31"), "{kind}");
        assert!(!own.to_string().contains("elsewhere.example"), "{kind}");
    }
}

#[test]
fn a_merge_is_tried_again_when_the_branch_is_set_back() {
    let attempt = |id: u128, change: &Value| envelope("git.pullrequest.merged", id, pull_request(change));
    for (what, changes, facts) in [
        ("told twice", vec![literal!({}), literal!({})], 1),
        ("another try of the same", vec![literal!({}), literal!({ "mergeId": "m2" })], 2),
        ("it ended", vec![literal!({ "mergeStatus": "queued" }), literal!({})], 2),
        ("another commit", vec![literal!({}), literal!({ "lastMergeSourceCommit": { "commitId": sha('c') } })], 2),
        (
            "without a name, by what it made",
            vec![
                literal!({ "mergeId": null, "lastMergeCommit": { "commitId": sha('1') } }),
                literal!({ "mergeId": null, "lastMergeCommit": { "commitId": sha('2') } }),
            ],
            2,
        ),
    ] {
        let bodies: Vec<Value> = changes.iter().zip(1..).map(|(change, id)| attempt(id, change)).collect();
        assert_eq!(ids("git.pullrequest.merged/x", &bodies).len(), facts, "{what}");
    }
}

fn reviewer(id: &str, name: &str, vote: i64) -> Value {
    literal!({ "id": id, "displayName": name, "vote": vote })
}

#[test]
fn a_vote_is_of_whoever_cast_it() {
    let (max, muster, group) = (reviewer("1", "Max", 10), reviewer("2", "Max Muster", 0), {
        let mut group = reviewer("3", "Team", 10);
        group["isContainer"] = true.into();
        group
    });
    let before = |votes: &[(&str, i64)]| request::Standing {
        votes: Some(votes.iter().map(|(id, vote)| ((*id).to_owned(), *vote)).collect()),
        ..request::Standing::default()
    };
    for (what, message, reviewers, then, voter) in [
        ("the longer name", "Max Muster has reset it", vec![max.clone(), muster.clone()], None, Some("2")),
        ("the shorter name", "Max has approved", vec![max.clone(), muster.clone()], None, Some("1")),
        ("no part of a name", "Maxime has approved", vec![max.clone(), reviewer("4", "Ada", 5)], None, None),
        ("not the group", "x", vec![max.clone(), group], None, Some("1")),
        ("a reset one, alone", "x", vec![muster.clone()], None, Some("2")),
        (
            "a reset one, by what it was",
            "x",
            vec![max.clone(), muster],
            Some(before(&[("1", 10), ("2", -5)])),
            Some("2"),
        ),
        ("one who was no reviewer", "x", vec![max, reviewer("5", "New", 5)], Some(before(&[("1", 10)])), Some("5")),
    ] {
        let mut body = envelope("git.pullrequest.updated", 1, pull_request(&literal!({ "reviewers": reviewers })));
        body["message"]["text"] = message.into();
        let name = "git.pullrequest.updated/x@reason=ReviewerVoteNotification.json";
        let event = match then {
            None => told(name, &body),
            Some(before) => with(name, &body, |bytes, context| compared(bytes, context, &before).unwrap()),
        };
        let event = json(&event[0]);
        assert_eq!(azure(&event)["review"]["reviewer"]["id"].as_str(), voter, "{what}");
        assert_eq!(azure(&event)["actor"], azure(&event)["review"]["reviewer"]["displayName"], "{what}");
    }
}

/// Translates otherwise than by `translate`.
fn with(name: &str, body: &Value, tell: impl FnOnce(&[u8], &Context<'_>) -> Vec<Event>) -> Vec<Event> {
    let (bindings, settings) = (super::bindings(), Settings::default());
    let bindings: Vec<_> = bindings
        .iter()
        .map(|own| {
            let mut own = hookwell::domain::Binding::clone(own);
            own.direct_pushes = own.project.as_str() == "web";
            Arc::new(own)
        })
        .collect();
    let source = CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap();
    let context = super::context(&source, super::reason(name), &bindings, &settings);
    assert_eq!(context.connection, connection());
    assert_ne!(context.notification, NotificationId(Uuid::nil()));
    tell(&serde_json::to_vec(body).unwrap(), &context)
}

#[test]
fn what_no_filter_names_is_found_by_comparing() {
    let status = "@reason=StatusUpdateNotification.json";
    let stood = |change: fn(&mut request::Standing)| {
        let mut standing = request::Standing {
            title: Some("Cart".to_owned()),
            is_draft: Some(false),
            target: Some("refs/heads/main".to_owned()),
            status: Some("active".to_owned()),
            head: Some(sha('a')),
            votes: Some(std::collections::BTreeMap::new()),
        };
        change(&mut standing);
        standing
    };
    for (what, hint, before, reason) in [
        ("published", "", stood(|own| own.is_draft = Some(true)), Some("published")),
        ("published, by the filter for states", status, stood(|own| own.is_draft = Some(true)), Some("published")),
        ("reactivated", status, stood(|own| own.status = Some("abandoned".to_owned())), Some("reactivated")),
        ("a status, nobody knows which", status, stood(|_| {}), Some("status")),
        ("retargeted", "", stood(|own| own.target = Some("refs/heads/dev".to_owned())), Some("retargeted")),
        ("retitled", "", stood(|own| own.title = Some("Basket".to_owned())), Some("retitled")),
        ("pushed", "", stood(|own| own.head = Some(sha('f'))), Some("push")),
        ("nothing that is known", "", stood(|_| {}), None),
    ] {
        let name = format!("git.pullrequest.updated/x{hint}");
        let body = envelope("git.pullrequest.updated", 1, pull_request(&literal!({})));
        let event = json(&with(&name, &body, |bytes, context| compared(bytes, context, &before).unwrap())[0]);
        assert_eq!(azure(&event)["updateReason"].as_str(), reason, "{what}");
        assert!(event["type"].as_str().unwrap().contains("change.updated"), "{what}");
    }
    let body = envelope("git.pullrequest.updated", 1, pull_request(&literal!({})));
    let before = stood(|own| own.title = Some("Basket".to_owned()));
    let event = json(&with("x", &body, |bytes, context| compared(bytes, context, &before).unwrap())[0]);
    assert_eq!(azure(&event)["changes"], literal!({ "title": { "from": "Basket", "to": "Cart" } }));
}

#[test]
fn what_the_message_says_is_believed_but_not_what_the_title_says() {
    for (message, title, reason) in [
        ("Ada Byron published the pull request 31 (Cart) in storefront", "Cart", Some("published")),
        ("Ada Byron updated the target branch of pull request 31 (Cart) in storefront", "Cart", Some("retargeted")),
        ("Ada Byron updated the source branch of pull request 31 (Cart)", "Cart", Some("push")),
        ("Ada Byron changed pull request 31 (Who has approved this)", "Who has approved this", None),
        ("Ada Byron hat etwas geändert", "Cart", None),
    ] {
        let mut body = envelope("git.pullrequest.updated", 1, pull_request(&literal!({ "title": title })));
        body["message"]["text"] = message.into();
        let event = json(&told("git.pullrequest.updated/x", &body)[0]);
        assert_eq!(azure(&event)["updateReason"].as_str(), reason, "{message}");
        assert_eq!(azure(&event)["message"], message);
        assert_eq!(azure(&event)["actor"], "Ada Byron", "{message}");
    }
}

#[test]
fn a_comment_is_one_at_every_resource_version() {
    let comment = |at: &str| {
        let thread =
            format!("https://elsewhere.example/x/_apis/git/repositories/{REPOSITORY}/pullRequests/31/threads/5");
        literal!({
            "id": 2, "parentCommentId": 1, "author": { "id": "m", "displayName": "Mei" }, "content": "Why?",
            "publishedDate": "2026-11-28T10:00:00Z", "lastUpdatedDate": at, "commentType": "text",
            "_links": { "self": { "href": format!("{thread}/comments/2") }, "threads": { "href": thread } },
        })
    };
    let (first, later) = (comment("2026-11-28T10:00:00Z"), comment("2026-11-28T10:05:00Z"));
    let mut deleted = first.clone();
    deleted["isDeleted"] = true.into();
    for (what, resources, facts) in [
        (
            "every form",
            vec![
                first.clone(),
                literal!({ "comment": first }),
                literal!({ "comment": first, "pullRequest": pull_request(&literal!({})) }),
            ],
            1,
        ),
        ("edited", vec![first.clone(), later], 2),
        ("deleted", vec![first.clone(), deleted], 2),
    ] {
        let bodies: Vec<Value> = resources.into_iter().zip(1..).map(|(own, id)| envelope(KIND, id, own)).collect();
        assert_eq!(ids(&format!("{KIND}/x"), &bodies).len(), facts, "{what}");
        for body in &bodies {
            let event = json(&told(&format!("{KIND}/x"), body)[0]);
            let content = &event["data"]["subject"]["content"];
            assert_eq!(content["uri"], format!("{PAGE}/pullrequest/31?discussionId=5"), "{what}");
            assert_eq!((&content["threadId"], &content["commentId"]), (&literal!(5), &literal!(2)), "{what}");
            assert_eq!(azure(&event)["actor"], "Mei", "{what}");
            assert_eq!(azure(&event)["pullRequestId"], 31, "{what}");
        }
    }
    let captured = &fixture(&format!("{KIND}/1.0-bare-comment.json"))[0];
    assert!(captured["type"].as_str().unwrap().contains("change.commented"), "{captured}");
    assert_eq!(captured["subject"], "git/repositories/4bc14d40-c903-45e2-872e-0462c7748079/pullRequests/1");
    let sample = &fixture(&format!("{KIND}/what-a-test-button-sends.json"))[0];
    assert!(sample["type"].as_str().unwrap().contains("event.received"), "it names no pull request: {sample}");
}

#[test]
fn what_is_done_to_a_repository_in_one_second_is_told_each() {
    let change = |kind: &str, at: &str, more: &Value| {
        let mut resource =
            literal!({ "repository": repository(), "utcTimestamp": at, "initiatedBy": { "displayName": "Ada" } });
        for (name, value) in more.as_object().unwrap() {
            resource[name] = value.clone();
        }
        envelope(kind, 1, resource)
    };
    let (renamed, switched) = ("git.repo.renamed", "git.repo.statuschanged");
    let (first, second) = ("2026-11-28T10:00:00.1000001Z", "2026-11-28T10:00:00.1000002Z");
    let to = |name: &str| literal!({ "oldName": "a", "newName": name });
    for (what, bodies, facts) in [
        ("told twice", vec![change(renamed, first, &to("b")), change(renamed, first, &to("b"))], 1),
        (
            "renamed and disabled",
            vec![change(renamed, first, &to("b")), change(switched, first, &literal!({ "disabled": true }))],
            2,
        ),
        ("renamed to and fro", vec![change(renamed, first, &to("b")), change(renamed, second, &to("b"))], 2),
        (
            "off and on",
            vec![
                change(switched, first, &literal!({ "disabled": true })),
                change(switched, first, &literal!({ "disabled": false })),
                change(switched, second, &literal!({ "disabled": true })),
            ],
            3,
        ),
    ] {
        assert_eq!(ids("git.repo.renamed/x", &bodies).len(), facts, "{what}");
        for body in &bodies {
            let event = json(&told("git.repo.renamed/x", body)[0]);
            let content = &event["data"]["subject"]["content"];
            assert_eq!((&content["uri"], &content["viewUrl"]), (&literal!(PAGE), &literal!(PAGE)), "{what}");
            assert_eq!(azure(&event)["actor"], "Ada", "{what}");
            assert!(!event.to_string().contains("elsewhere.example"), "{what}");
        }
    }
    let real = [
        fixture("git.repo.renamed/in-another-second-half.json"),
        fixture("git.repo.statuschanged/disabled-in-the-second-of-a-rename.json"),
    ];
    assert_ne!(real[0][0]["id"], real[1][0]["id"]);
}

#[test]
fn commits_without_mail_are_told_with_what_they_have() {
    let event = &fixture("git.push/commits-without-mail.json")[0];
    let commits = azure(event)["commits"].as_array().unwrap();
    assert_eq!(commits.len(), 3);
    assert_eq!(commits[0]["author"], literal!({ "name": "svc", "date": "2026-11-28T08:08:40Z" }));
    assert!(commits[1]["author"].is_null() && commits[2]["author"].is_null(), "{commits:?}");
    assert_eq!(azure(event)["actor"], "Ada Byron");
    let sentence = &fixture("git.push/resource-is-a-sentence.json")[0];
    assert!(sentence["type"].as_str().unwrap().contains("event.received"));
}

#[test]
fn a_push_is_a_merged_change_where_a_binding_asks_for_it() {
    let (a, b) = (sha('a'), sha('b'));
    let said = |message: &str| {
        let mut body = push(Some(4), &[("refs/heads/main", &a, &b)], &[&b]);
        body["resource"]["commits"][0]["comment"] = message.into();
        body
    };
    for (what, body, told) in [
        ("to the bound branch", push(Some(1), &[("refs/heads/main", &a, &b)], &[&b]), 1),
        ("to another branch", push(Some(1), &[("refs/heads/topic", &a, &b)], &[&b]), 0),
        ("of a tag", push(Some(1), &[("refs/tags/v1", NONE, &b)], &[&b]), 0),
        ("that deletes it", push(Some(1), &[("refs/heads/main", &a, NONE)], &[]), 0),
        ("that makes it", push(Some(1), &[("refs/heads/main", NONE, &b)], &[&b]), 1),
        ("by a pull request, as its words say, which a cherry-pick keeps", said("Merged PR 31: Cart"), 1),
        ("with a message of somebody's own", said("Cart"), 1),
    ] {
        let found = with("git.push/x", &body, |bytes, context| merged_directly(bytes, context).unwrap());
        assert_eq!(found.len(), told, "{what}");
        for event in &found {
            let event = json(event);
            assert!(event["type"].as_str().unwrap().starts_with("dev.cdevents.change.merged."), "{what}");
            assert_eq!(event["subject"], format!("git/repositories/{REPOSITORY}/commits/{b}"), "{what}");
            assert_eq!(event["data"]["customData"]["hookwell"]["projects"], literal!(["web"]), "{what}");
            let head = format!("{NAMED}:commit:{b}");
            assert_eq!(links(&event), [("COMMIT".into(), head.clone()), ("MERGE_COMMIT".into(), head)], "{what}");
        }
    }
}
