//! An act that is told again, otherwise, late, or together with what is told of others, is told once; and none is lost for it.

use super::acts::{PROJECT, PUSH, REPOSITORY, REVIEWERS, STATUS, There, VOTE, azure, envelope, sha, updated};
use crate::{
    real::{Real, SHOP, bind},
    recover::{losses::unfilled, swept},
};
use hookwell::{
    event::Event,
    recover::{Depth, Mending},
    simulator::{Odds, RefChange},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

const ALL: &str = "2020-11-01T00:00:00Z";
const MINUTE: Duration = Duration::from_mins(1);

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

/// The facts, each as it was told last, by the id of its first telling.
fn facts(events: &[Value]) -> BTreeMap<String, &Value> {
    let fact = |event: &Value| event["data"]["customData"]["hookwell"]["fact"].as_str().map(str::to_owned);
    let own = |event: &Value| event["id"].as_str().unwrap().to_owned();
    events.iter().map(|event| (fact(event).unwrap_or_else(|| own(event)), event)).collect()
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

#[tokio::test]
async fn a_pull_request_explains_its_push_though_the_translation_is_late() {
    let mut there = There::start().await;
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

/// A pull request from `feature/9`, whose pushes this gateway is told of.
struct Pushed {
    real: Real,
    web: Uuid,
    number: u32,
    before: Vec<Event>,
    from: jiff::Timestamp,
}

impl Pushed {
    async fn begin() -> Self {
        let real = unfilled().await;
        let binding = json!({ "role": "code_deployment", "repository": "web shop", "branch": null });
        bind(&real.gateway, real.connection, "web", SHOP, binding).await;
        real.settle().await;
        let from = real.gateway.app.clock.now();
        let simulator = real.simulator().clone();
        let web = simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
        simulator.push_commit(web, "feature/9", "Nine", &["/a"]).unwrap();
        real.pass(MINUTE).await;
        let number = simulator.create_pull_request(web, "feature/9", "main", "Ninth").unwrap();
        real.pass(MINUTE).await;
        let before = real.events().await;
        Self { real, web, number, before, from }
    }

    fn lose(&self, share: f64) {
        self.real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(share));
    }

    /// Pushes a commit.
    async fn push(&self) {
        self.real.simulator().push_commit(self.web, "feature/9", "More", &["/a"]).unwrap();
        self.real.pass(MINUTE).await;
    }

    /// Sets the branch back to where it was before.
    async fn back(&self) {
        let change = RefChange::Back { branch: "feature/9".to_owned() };
        self.real.simulator().push(self.web, "", &[change]).unwrap();
        self.real.pass(MINUTE).await;
    }

    async fn sweep(&self) {
        self.real.pass(MINUTE * 10).await;
        swept(&self.real.gateway, self.real.connection, self.from, Depth::Everything, Mending::Mend).await;
    }

    /// The heads that were pushed to the request, in the order of their times: a letter each.
    async fn heads(&self) -> String {
        let all: Vec<Value> = self.real.events().await[self.before.len()..].iter().map(super::json).collect();
        let mut pushes: Vec<_> =
            facts(&all).into_values().filter(|event| azure(event, "updateReason") == "push").collect();
        pushes.sort_by_key(|event| event["time"].as_str().unwrap().to_owned());
        let heads: Vec<&str> = pushes.iter().map(|event| azure(event, "sourceCommit").as_str().unwrap()).collect();
        let first = |head: &&str| heads.iter().position(|own| own == head).unwrap();
        heads.iter().map(|head| char::from(b'a' + u8::try_from(first(head)).unwrap())).collect()
    }
}

#[tokio::test]
async fn a_push_that_was_lost_comes_back_though_its_head_came_again() {
    let pushed = Pushed::begin().await;
    pushed.lose(1.0);
    pushed.push().await;
    pushed.push().await;
    pushed.lose(0.0);
    pushed.back().await;
    assert_eq!(pushed.heads().await, "a");
    for _ in 0..2 {
        pushed.sweep().await;
        assert_eq!(pushed.heads().await, "aba");
    }
}

#[tokio::test]
async fn a_branch_that_is_set_back_again_and_again_is_told_each_time() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    pushed.push().await;
    pushed.back().await;
    pushed.back().await;
    pushed.back().await;
    assert_eq!(pushed.heads().await, "ababa");
    pushed.sweep().await;
    assert_eq!(pushed.heads().await, "ababa");
}

#[tokio::test]
async fn a_notification_that_is_rendered_late_tells_no_push_again() {
    let pushed = Pushed::begin().await;
    let push = || pushed.real.simulator().push_commit(pushed.web, "feature/9", "More", &["/a"]).unwrap();
    // Nothing is delivered before both were made, so both notifications have the second head.
    push();
    pushed.real.gateway.advance(MINUTE * 20);
    push();
    pushed.real.pass(MINUTE).await;
    for _ in 0..2 {
        pushed.real.events().await;
        pushed.sweep().await;
        let heads = pushed.heads().await;
        assert!(["ab", "ba"].contains(&heads.as_str()), "{heads}");
    }
}

#[tokio::test]
async fn a_pull_request_of_more_events_than_are_remembered_has_no_push_twice() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    for n in 0..210 {
        pushed.real.simulator().comment_pull_request(pushed.number, &format!("{n}")).unwrap();
        if n % 30 == 0 {
            pushed.real.pass(Duration::from_secs(10)).await;
        }
    }
    pushed.sweep().await;
    assert_eq!(pushed.heads().await, "a");
    assert!(pushed.real.events().await.len() > 210);
}
