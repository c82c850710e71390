//! An act that is told again, otherwise, late, or together with what is told of others, is told once; and none is lost for it.

use super::{
    acts::{PROJECT, PUSH, REPOSITORY, REVIEWERS, STATUS, There, VOTE, azure, envelope, sha, updated},
    pushed::{MINUTE, facts, reasons},
};
use serde_json::{Value, json};
use std::time::Duration;

const ALL: &str = "2020-11-01T00:00:00Z";

async fn created(there: &mut There) {
    let mut body = updated(1, 0, &json!({}));
    body["eventType"] = "git.pullrequest.created".into();
    there.deliver(&body, None).await;
    there.settle().await;
}

async fn replayed(there: &There) -> Value {
    let reply = there.gateway.post("/v1/replay", json!({ "from": ALL, "to": "2036-12-01T00:00:00Z" })).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

fn mei(vote: i64) -> Value {
    json!({ "reviewers": [{ "id": "m", "displayName": "Mei", "vote": vote }] })
}

#[tokio::test]
async fn two_unfiltered_tellings_of_one_act_with_other_dates_are_one_event() {
    for apart in [false, true] {
        let mut there = There::start().await;
        created(&mut there).await;
        let one = updated(7, 10, &mei(10));
        let mut two = one.clone();
        two["createdDate"] = "2026-11-22T09:00:10.5Z".into();
        there.deliver(&one, None).await;
        if apart {
            there.settle().await;
        }
        there.deliver(&two, None).await;
        let all = there.events().await;
        assert_eq!(all.len(), 2, "created and one vote: {all:#?}");
        assert_eq!(azure(&all[1], "updateReason"), "vote");
    }
}

#[tokio::test]
async fn two_renderings_of_one_push_with_other_heads_are_one_event() {
    let mut there = There::start().await;
    created(&mut there).await;
    for head in ['b', 'c'] {
        there.deliver(&updated(7, 10, &json!({ "lastMergeSourceCommit": { "commitId": sha(head) } })), None).await;
        there.settle().await;
    }
    assert_eq!(there.events().await.len(), 2);
}

#[tokio::test]
async fn a_telling_that_knows_the_reason_and_comes_as_the_other_has_waited_enough_is_told_alone() {
    for reason in [VOTE, PUSH, REVIEWERS, STATUS] {
        let mut there = There::start().await;
        let body = updated(7, 5, &json!({}));
        there.deliver(&body, None).await;
        there.translate().await;
        there.gateway.advance(Duration::from_secs(4));
        there.deliver(&body, Some(reason)).await;
        let all = there.events().await;
        assert_eq!(all.len(), 1, "{reason}: {all:#?}");
        assert!(azure(&all[0], "updateReason").is_string());
    }
}

#[tokio::test]
async fn a_replay_tells_no_act_again_whoever_told_it() {
    // The heads of one pull request, each pushed by a filtered subscription and by one without a filter.
    for heads in ["b", "aba", "ababa"] {
        let mut there = There::start().await;
        for (head, at) in heads.chars().zip(0_u32..) {
            let change = json!({ "lastMergeSourceCommit": { "commitId": sha(head) } });
            let body = updated(u128::from(at) + 10, at * 10, &change);
            there.deliver(&body, Some(PUSH)).await;
            there.deliver(&body, None).await;
            there.settle().await;
        }
        let before = there.events().await;
        assert_eq!(before.len(), heads.len());
        let said = replayed(&there).await;
        assert_eq!(there.events().await, before, "{heads}: {said:#}");
    }
}

#[tokio::test]
async fn a_reason_that_comes_late_is_told_though_a_replay_told_the_act_anew_meanwhile() {
    for reason in [VOTE, REVIEWERS, PUSH, STATUS] {
        let mut there = There::start().await;
        let body = updated(7, 5, &json!({}));
        there.deliver(&body, None).await;
        there.settle().await;
        there.gateway.project("web").await;
        let binding = json!({ "role": "code_deployment", "connection": there.connection, "azure_project": "Fabrikam",
            "repository": "storefront", "branch": "main" });
        assert_eq!(there.gateway.post("/v1/projects/web/bindings", binding).await.status, 201);
        replayed(&there).await;
        let before = there.events().await;
        assert_eq!(before.len(), 2, "the act, and the same for a project: {before:#?}");
        there.gateway.advance(MINUTE);
        there.deliver(&body, Some(reason)).await;
        let after = there.events().await;
        assert_eq!(after.len(), 3, "{reason}: {after:#?}");
        assert_eq!(after[2]["replaces"], before[1]["id"], "{reason}: the last that was told of it");
        assert!(azure(&after[2], "updateReason").is_string());
        assert_eq!(facts(&after).len(), 1);
        replayed(&there).await;
        there.deliver(&body, Some(reason)).await;
        assert_eq!(there.events().await.len(), 3, "{reason}");
    }
}

#[tokio::test]
async fn a_late_reason_is_told_once_though_it_is_replayed() {
    for reason in [VOTE, PUSH, STATUS] {
        let mut there = There::start().await;
        let body = updated(7, 5, &json!({}));
        there.deliver(&body, None).await;
        there.settle().await;
        there.gateway.advance(MINUTE);
        there.deliver(&body, Some(reason)).await;
        let before = there.events().await;
        let said = replayed(&there).await;
        assert_eq!(there.events().await, before, "{reason}: {said:#}");
    }
}

#[tokio::test]
async fn the_end_of_a_pull_request_comes_after_a_vote_that_waits() {
    for apart in [false, true] {
        let mut there = There::start().await;
        created(&mut there).await;
        there.deliver(&updated(7, 10, &mei(10)), None).await;
        if apart {
            there.translate().await;
        }
        let mut end = mei(10);
        end["status"] = "completed".into();
        end["closedDate"] = "2026-11-22T09:00:12Z".into();
        there.deliver(&updated(8, 12, &end), None).await;
        let all = there.events().await;
        let kinds: Vec<&str> =
            all.iter().map(|event| event["type"].as_str().unwrap().split('.').nth(3).unwrap()).collect();
        assert_eq!(kinds, ["created", "reviewed", "merged"], "{apart}");
    }
}

/// A push to the bound branch, of which the project wants to hear as a merged change.
async fn pushed_directly(there: &mut There) {
    there.gateway.project("web").await;
    let binding = json!({ "role": "code_deployment", "connection": there.connection, "azure_project": "Fabrikam",
        "repository": "storefront", "branch": "main", "direct_pushes": true });
    assert_eq!(there.gateway.post("/v1/projects/web/bindings", binding).await.status, 201);
    let pushed = json!({
        "pushId": 4, "date": "2026-11-22T09:00:00Z", "commits": [{ "commitId": sha('c'), "comment": "Cart" }],
        "refUpdates": [{ "name": "refs/heads/main", "oldObjectId": sha('a'), "newObjectId": sha('c') }],
        "repository": { "id": REPOSITORY, "name": "storefront", "project": { "id": PROJECT, "name": "Fabrikam" } },
    });
    there.deliver(&envelope("git.push", 90, 0, pushed), None).await;
}

#[tokio::test]
async fn a_pull_request_explains_its_push_though_the_translation_is_late() {
    let mut there = There::start().await;
    pushed_directly(&mut there).await;
    // More than one batch is before the end of the request.
    for at in 0..130_u32 {
        there.deliver(&envelope("some.other", 1_000 + u128::from(at), 1, json!({ "at": at })), None).await;
    }
    let end = json!({ "status": "completed", "closedDate": "2026-11-22T09:00:00Z",
        "lastMergeCommit": { "commitId": sha('c') } });
    there.deliver(&updated(91, 1, &end), Some(STATUS)).await;
    there.gateway.advance(Duration::from_secs(61));
    let all = there.events().await;
    let merged: Vec<_> = all.iter().filter(|event| event["type"].as_str().unwrap().contains("change.merged")).collect();
    assert_eq!(merged.len(), 1, "{merged:#?}");
    assert_ne!(azure(merged[0], "directPush"), true);
}

#[tokio::test]
async fn a_deletion_whose_bodies_name_either_revision_is_one_event() {
    let item = |rev: u32| {
        let fields = json!({ "System.TeamProject": "Fabrikam", "System.WorkItemType": "Bug", "System.Title": "x",
            "System.IsDeleted": rev == 8 });
        let mut body = envelope(
            "workitem.deleted",
            u128::from(rev),
            5,
            json!({ "id": 7, "rev": rev, "fields": fields,
            "url": format!("https://dev.azure.com/fabrikam/{PROJECT}/_apis/wit/workItems/7") }),
        );
        body["resourceVersion"] = "5.1-preview.3".into();
        body
    };
    for order in [[8, 7], [7, 8]] {
        for batch in [true, false] {
            let mut there = There::start().await;
            for rev in order {
                there.deliver(&item(rev), None).await;
                if !batch {
                    there.settle().await;
                }
            }
            let before = there.events().await;
            assert_eq!(before.len(), 1, "{order:?} {batch}: {before:#?}");
            let said = replayed(&there).await;
            assert_eq!(there.events().await.len(), 1, "{order:?} {batch}: {said:#}");
        }
    }
}

fn at(head: char) -> Value {
    json!({ "lastMergeSourceCommit": { "commitId": sha(head) } })
}

#[tokio::test]
async fn a_filtered_telling_of_one_push_that_has_another_head_is_no_other_push() {
    for (what, first, second) in [
        ("both filtered", Some(PUSH), Some(PUSH)),
        ("a guess, then a filtered one", None, Some(PUSH)),
        ("a filtered one, then a guess", Some(PUSH), None),
    ] {
        let mut there = There::start().await;
        created(&mut there).await;
        for (head, reason) in [('b', first), ('c', second)] {
            there.deliver(&updated(7, 10, &at(head)), reason).await;
            there.settle().await;
        }
        let all = there.events().await;
        assert_eq!(facts(&all).len(), 2, "{what}: {:?}", reasons(&all));
    }
}

#[tokio::test]
async fn a_filtered_vote_that_has_another_head_than_the_guess_of_a_push_corrects_that() {
    for reason in [VOTE, REVIEWERS, STATUS] {
        let mut there = There::start().await;
        created(&mut there).await;
        there.deliver(&updated(7, 10, &at('b')), None).await;
        there.settle().await;
        there.deliver(&updated(7, 10, &at('c')), Some(reason)).await;
        let all = there.events().await;
        assert_eq!(facts(&all).len(), 2, "{reason}: {:?}", reasons(&all));
    }
}

#[tokio::test]
async fn pushes_without_an_envelope_id_are_told_each_time() {
    let mut there = There::start().await;
    created(&mut there).await;
    for (head, second) in [('b', 10), ('c', 20), ('b', 30)] {
        let mut body = updated(7, second, &at(head));
        body.as_object_mut().unwrap().remove("id");
        there.deliver(&body, Some(PUSH)).await;
        there.settle().await;
    }
    let all = there.events().await;
    assert_eq!(facts(&all).len(), 4, "{:?}", reasons(&all));
}

#[tokio::test]
async fn a_direct_push_that_nobody_explains_is_told_after_a_minute() {
    let mut there = There::start().await;
    pushed_directly(&mut there).await;
    let mut seconds = 0;
    there.translate().await;
    while there.gateway.app.order.holding() > 0 {
        there.gateway.advance(Duration::from_secs(1));
        seconds += 1;
        there.translate().await;
    }
    let all = there.events().await;
    assert!(all.iter().any(|event| azure(event, "directPush") == true));
    assert!(seconds <= 95, "it was told after {seconds} s");
}

#[tokio::test]
async fn an_item_that_is_deleted_restored_and_deleted_again_is_told_each_time() {
    let item = |kind: &str, rev: u32, occasion: u128| {
        let fields = json!({ "System.TeamProject": "Fabrikam", "System.WorkItemType": "Bug", "System.Title": "x" });
        let mut body = envelope(
            kind,
            occasion,
            5,
            json!({ "id": 7, "rev": rev, "fields": fields,
            "url": format!("https://dev.azure.com/fabrikam/{PROJECT}/_apis/wit/workItems/7") }),
        );
        body["resourceVersion"] = "5.1-preview.3".into();
        body
    };
    // Revision 8 deletes, 9 restores, 10 deletes, 11 restores; all bodies of one type have their own revision or the one before.
    for late in [0b0000_u32, 0b0101, 0b1010, 0b1111] {
        let mut there = There::start().await;
        for (at, kind) in ["deleted", "restored", "deleted", "restored"].into_iter().enumerate() {
            let rev = 8 + u32::try_from(at).unwrap() - ((late >> at) & 1);
            there.deliver(&item(&format!("workitem.{kind}"), rev, at as u128 + 1), None).await;
            there.settle().await;
        }
        let all = there.events().await;
        assert_eq!(all.len(), 4, "bodies with the revision before: {late:04b} (the last bit is the first body)");
    }
}
