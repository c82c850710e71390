//! One act of a pull request, told by several subscriptions in any order and again, is one event and says what is known.

use super::json;
use crate::harness::Gateway;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{
    event::Event,
    store::{Journal as _, Log, PageLimit, Position},
    translate::step::step,
};
use serde_json::{Value, json as literal};
use std::time::Duration;
use uuid::Uuid;

pub(super) const PROJECT: &str = "0f3d2c1b-7a6e-4d5c-8b4a-392817060504";
pub(super) const REPOSITORY: &str = "5d7b4a52-0b1c-4a0e-9d55-6f0a3f5e1c01";

/// A gateway with a connection that people make hooks for.
pub(super) struct There {
    pub(super) gateway: Gateway,
    path: String,
    basic: String,
    pub(super) connection: String,
    delivered: u32,
}

impl There {
    pub(super) async fn start() -> Self {
        let gateway = Gateway::start().await;
        let body = literal!({ "name": "Fabrikam", "url": "https://dev.azure.com/fabrikam", "hooks": "manual" });
        let reply = gateway.post("/v1/connections", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let view = reply.json();
        let connection = view["id"].as_str().unwrap().to_owned();
        let hook = |name: &str| view["hook"][name].as_str().unwrap().to_owned();
        let url = hook("url");
        let basic = BASE64_STANDARD.encode(format!("{}:{}", hook("user_name"), hook("password")));
        let path = url[url.find("/hooks").unwrap()..].to_owned();
        Self { gateway, path, basic: format!("Basic {basic}"), connection, delivered: 0 }
    }

    /// Delivers by a subscription that is filtered by this reason, or by none.
    pub(super) async fn deliver(&mut self, body: &Value, reason: Option<&str>) {
        assert_eq!(self.send(body, reason).await, "accepted", "{body}");
    }

    /// Sends a body and returns the answer.
    pub(super) async fn send(&mut self, body: &Value, reason: Option<&str>) -> String {
        self.delivered += 1;
        let mut body = body.clone();
        body["notificationId"] = self.delivered.into();
        body["subscriptionId"] = literal!(Uuid::new_v5(&Uuid::NAMESPACE_URL, reason.unwrap_or_default().as_bytes()));
        let path = reason.map_or_else(|| self.path.clone(), |reason| format!("{}?reason={reason}", self.path));
        let ask = self.gateway.ask("POST", &path).token(None).header("authorization", &self.basic);
        let reply = ask.body(body.to_string()).send().await;
        assert_eq!(reply.status, 200, "{body}");
        reply.json()["outcome"].as_str().unwrap().to_owned()
    }

    pub(super) async fn translate(&self) {
        while step(&self.gateway.app).await.unwrap().count > 0 {}
    }

    /// Everything is translated, and nothing waits any more.
    pub(super) async fn settle(&self) {
        self.translate().await;
        while self.gateway.app.order.holding() > 0 {
            self.gateway.advance(Duration::from_secs(10));
            self.translate().await;
        }
    }

    pub(super) async fn events(&self) -> Vec<Value> {
        self.settle().await;
        let limit = PageLimit { records_max: 1_000, body_bytes_max: 64 << 20 };
        let records = self.gateway.store.read(Log::Events, Position(0), limit).await.unwrap();
        records.iter().map(|record| json(&Event::from_stored(record.key, &record.body).unwrap())).collect()
    }
}

pub(super) fn sha(digit: char) -> String {
    digit.to_string().repeat(40)
}

pub(super) fn envelope(kind: &str, occasion: u128, second: u32, resource: Value) -> Value {
    literal!({
        "id": Uuid::from_u128(occasion), "eventType": kind, "publisherId": "tfs", "message": { "text": kind },
        "resource": resource, "resourceVersion": "1.0", "resourceContainers": { "project": { "id": PROJECT } },
        "createdDate": format!("2026-11-22T09:{:02}:{:02}Z", second / 60, second % 60),
    })
}

/// An update of the pull request as it is then.
pub(super) fn updated(occasion: u128, second: u32, change: &Value) -> Value {
    let mut resource = literal!({
        "pullRequestId": 31, "status": "active", "title": "Cart", "isDraft": false,
        "repository": { "id": REPOSITORY, "name": "storefront", "project": { "id": PROJECT, "name": "Fabrikam" } },
        "creationDate": "2026-11-22T08:00:00Z", "sourceRefName": "refs/heads/topic", "targetRefName": "refs/heads/main",
        "lastMergeSourceCommit": { "commitId": sha('a') },
    });
    for (name, value) in change.as_object().unwrap() {
        resource[name] = value.clone();
    }
    envelope("git.pullrequest.updated", occasion, second, resource)
}

pub(super) fn azure<'a>(event: &'a Value, member: &str) -> &'a Value {
    &event["data"]["customData"]["azuredevops"][member]
}

pub(super) const VOTE: &str = "ReviewerVoteNotification";
pub(super) const PUSH: &str = "PushNotification";
pub(super) const REVIEWERS: &str = "ReviewersUpdateNotification";
pub(super) const STATUS: &str = "StatusUpdateNotification";

#[tokio::test]
async fn what_a_filtered_and_an_unfiltered_subscription_tell_is_one_event_that_knows_the_reason() {
    for (reason, kind, word) in [
        (VOTE, "change.reviewed", "vote"),
        (PUSH, "change.updated", "push"),
        (REVIEWERS, "change.updated", "reviewers"),
        (STATUS, "change.updated", "status"),
    ] {
        for order in [[Some(reason), None], [None, Some(reason)]] {
            for apart in [0, 1, 60] {
                let mut there = There::start().await;
                let body = updated(7, 5, &literal!({}));
                there.deliver(&body, order[0]).await;
                there.translate().await;
                there.gateway.advance(Duration::from_secs(apart));
                there.translate().await;
                there.deliver(&body, order[1]).await;
                // A third subscription, as poor as the second.
                let events = there.events().await;
                let last = events.last().unwrap();
                let what = format!("{reason} {order:?} {apart} s apart: {events:#?}");
                assert_eq!(azure(last, "updateReason"), word, "{what}");
                assert!(last["type"].as_str().unwrap().contains(kind), "{what}");
                // An act that went alone after its wait is replaced; all else is one from the start.
                let is_late = order[0].is_none() && apart > 3;
                assert_eq!(events.len(), if is_late { 2 } else { 1 }, "{what}");
                assert_eq!(last["replaces"].is_string(), is_late, "{what}");
                there.deliver(&body, None).await;
                there.deliver(&body, Some(reason)).await;
                assert_eq!(there.events().await.len(), events.len(), "told again: {what}");
            }
        }
    }
}

#[tokio::test]
async fn a_head_that_is_pushed_again_is_another_push() {
    for (what, heads, facts) in [
        ("set back", "aba", 3),
        ("to and fro", "ababab", 6),
        ("once each", "abc", 3),
        ("the same twice, which is two occasions", "aa", 2),
    ] {
        for batch in [true, false] {
            let mut there = There::start().await;
            for (head, at) in heads.chars().zip(0..) {
                let body = updated(
                    u128::from(at) + 10,
                    at * 10,
                    &literal!({ "lastMergeSourceCommit": { "commitId": sha(head) } }),
                );
                there.deliver(&body, Some(PUSH)).await;
                there.deliver(&body, None).await;
                if !batch {
                    there.settle().await;
                }
            }
            let events = there.events().await;
            assert_eq!(events.len(), facts, "{what}, {batch}: {events:#?}");
            let told: String = events
                .iter()
                .map(|event| azure(event, "sourceCommit").as_str().unwrap().chars().next().unwrap())
                .collect();
            assert_eq!(told, heads, "{what}");
        }
    }
}

#[tokio::test]
async fn what_an_unfiltered_subscription_alone_tells_is_compared_with_how_the_request_stood() {
    let mut there = There::start().await;
    let mut created = updated(1, 0, &literal!({ "isDraft": true }));
    created["eventType"] = "git.pullrequest.created".into();
    there.deliver(&created, None).await;
    there.settle().await;
    let mei = |vote: i64| literal!([{ "id": "m", "displayName": "Mei", "vote": vote }]);
    let mut now = literal!({});
    for (at, change, reason) in [
        (1_u32, literal!({ "title": "Basket", "isDraft": true }), "retitled"),
        (2, literal!({ "isDraft": false }), "published"),
        (3, literal!({ "targetRefName": "refs/heads/dev" }), "retargeted"),
        (4, literal!({ "reviewers": mei(0) }), "reviewers"),
        (5, literal!({ "reviewers": mei(10) }), "vote"),
        (6, literal!({ "reviewers": mei(0) }), "vote"),
        (7, literal!({ "lastMergeSourceCommit": { "commitId": sha('b') } }), "push"),
        (8, literal!({ "isDraft": true }), "drafted"),
    ] {
        for (name, value) in change.as_object().unwrap() {
            now[name] = value.clone();
        }
        there.deliver(&updated(u128::from(at) + 1, at * 10, &now), None).await;
        // All but two are translated at once with others.
        if at % 3 == 0 {
            there.settle().await;
        }
        let events = if at % 3 == 0 { there.events().await } else { continue };
        assert_eq!(azure(events.last().unwrap(), "updateReason"), reason, "{events:#?}");
    }
    let events = there.events().await;
    let reasons: Vec<_> = events.iter().map(|event| azure(event, "updateReason").as_str().unwrap_or("-")).collect();
    assert_eq!(reasons, ["-", "retitled", "published", "retargeted", "reviewers", "vote", "vote", "push", "drafted"]);
    assert_eq!(azure(&events[1], "changes")["title"], literal!({ "from": "Cart", "to": "Basket" }));
    assert_eq!(azure(&events[6], "review")["reviewer"]["id"], "m", "a vote that was reset is somebody's too");
    // Translating all of it again changes nothing.
    let reply = there
        .gateway
        .post("/v1/replay", literal!({ "from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z" }))
        .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(there.events().await.len(), events.len(), "{:?}", reply.json());
}

#[tokio::test]
async fn a_push_to_a_bound_branch_is_a_merged_change_unless_a_pull_request_explains_it() {
    let body = |direct: bool, connection: &str| {
        literal!({ "role": "code_deployment", "connection": connection, "azure_project": "Fabrikam",
            "repository": "storefront", "branch": "main", "direct_pushes": direct })
    };
    let pushed = envelope(
        "git.push",
        90,
        0,
        literal!({
            "pushId": 4, "date": "2026-11-22T09:00:00Z", "commits": [{ "commitId": sha('c'), "comment": "Cart" }],
            "refUpdates": [{ "name": "refs/heads/main", "oldObjectId": sha('a'), "newObjectId": sha('c') }],
            "repository": { "id": REPOSITORY, "name": "storefront", "project": { "id": PROJECT, "name": "Fabrikam" } },
        }),
    );
    let ended = literal!({ "status": "completed", "closedDate": "2026-11-22T09:00:00Z" });
    let merged = |commit: char| {
        let mut end = ended.clone();
        end["lastMergeCommit"] = literal!({ "commitId": sha(commit) });
        updated(91, 1, &end)
    };
    for (what, asks, before, after, direct) in [
        ("nobody asks", false, None, None, 0),
        ("nobody explains it", true, None, None, 1),
        ("its pull request came first", true, Some(merged('c')), None, 0),
        ("its pull request comes", true, None, Some(merged('c')), 0),
        ("another pull request comes", true, None, Some(merged('d')), 1),
    ] {
        let mut there = There::start().await;
        there.gateway.project("web").await;
        let reply = there.gateway.post("/v1/projects/web/bindings", body(asks, &there.connection)).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["direct_pushes"]), (201, &literal!(asks)), "{reply:?}");
        if let Some(other) = &before {
            there.deliver(other, Some(STATUS)).await;
        }
        there.deliver(&pushed, None).await;
        there.translate().await;
        let first = there.gateway.get("/v1/events").await.json();
        assert!(first.to_string().contains("azuredevops-branch.updated"), "the push itself waits for nothing: {what}");
        if let Some(other) = &after {
            there.deliver(other, Some(STATUS)).await;
        }
        let events = there.events().await;
        let of_pushes = events.iter().filter(|event| azure(event, "directPush") == true).count();
        assert_eq!(of_pushes, direct, "{what}: {events:#?}");
        there.deliver(&pushed, None).await;
        assert_eq!(there.events().await.len(), events.len(), "{what}: told again");
    }
}
