//! The lines of the tables of keys (`translate::identity`) that no other test holds: which deliveries are one fact.

use super::{
    json,
    places::{Body, PLACES, Place},
};
use hookwell::domain::UpdateReason;
use serde_json::{Value, json as literal};
use std::collections::BTreeSet;
use uuid::Uuid;

/// A body of this kind with these members of its resource set; each is another delivery, at another time.
fn body(place: &Place, what: &str, changes: &[(&str, Value)]) -> Value {
    let mut body = Body::named(place, what);
    for (pointer, value) in changes {
        *slot(&mut body["resource"], pointer) = value.clone();
    }
    body
}

fn slot<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    pointer.split('/').fold(value, |at, name| match (name.parse::<usize>(), at.is_array()) {
        (Ok(number), true) => &mut at[number],
        _ => &mut at[name],
    })
}

/// How many facts all of them tell, of this kind.
fn facts(place: &Place, kind: &str, bodies: &[Value], reason: Option<UpdateReason>) -> usize {
    let ids: BTreeSet<Uuid> = bodies
        .iter()
        .flat_map(|body| place.told(body, reason))
        .filter(|event| event.header.kind.contains(kind))
        .map(|event| event.id)
        .collect();
    ids.len()
}

/// The same with other envelopes: nothing of one may make another fact of it.
fn again(body: &Value, number: u128) -> Value {
    let mut body = body.clone();
    body["id"] = literal!(Uuid::from_u128(number));
    body["subscriptionId"] = literal!(Uuid::from_u128(number + 1_000));
    body["createdDate"] = literal!("2026-10-03T00:00:00Z");
    body
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, a line for each of the other one's")]
fn what_tells_two_facts_apart_is_what_the_table_says() {
    let stages = |attempts: &[i64]| {
        let all: Vec<Value> = attempts.iter().map(|attempt| literal!({ "name": "s", "attempt": attempt })).collect();
        ("stages", Value::Array(all))
    };
    let state = |word: &str| ("run/state", literal!(word));
    let approval = |status: &str| ("approval/status", literal!(status));
    let job = |id: u128, attempt: i64, state: &str| {
        [("job/id", literal!(Uuid::from_u128(id))), ("job/attempt", literal!(attempt)), ("job/state", literal!(state))]
    };
    for place in PLACES {
        let of = |what: &str, all: &[&[(&str, Value)]]| -> Vec<Value> {
            all.iter().map(|changes| body(place, what, changes)).collect()
        };
        let at = |text: &str| literal!(text);
        for (line, kind, count, bodies) in [
            ("a run is stopped", "canceling", 1, of("run", &[&[state("canceling")], &[state("Canceling")]])),
            (
                "a run is stopped, run again and stopped again",
                "canceling",
                2,
                of("run", &[&[state("canceling"), stages(&[1, 1])], &[state("canceling"), stages(&[2, 1])]]),
            ),
            (
                "a job of two attempts, which have two ids",
                "taskrun",
                4,
                of(
                    "job",
                    &[
                        &job(1, 1, "running"),
                        &job(1, 1, "completed"),
                        &job(2, 2, "running"),
                        &job(2, 2, "completed"),
                        &job(2, 2, "completed"),
                    ],
                ),
            ),
            ("two jobs of one name", "taskrun", 2, of("job", &[&job(1, 1, "completed"), &job(2, 1, "completed")])),
            (
                "a job waits, in two ways",
                "job.waiting",
                2,
                of("job", &[&job(1, 1, "waiting"), &job(1, 1, "pending"), &job(1, 1, "notStarted")]),
            ),
            (
                "a release is made once",
                "pipelinerun.queued",
                1,
                of("release", &[&[], &[("release/modifiedOn", at("2026-10-02T09:00:00Z"))]]),
            ),
            (
                "an environment is deployed to twice",
                "taskrun.finished",
                2,
                of("deployment", &[&[], &[("deployment/attempt", literal!(3)), ("attemptId", literal!(3))]]),
            ),
            (
                "an attempt by its deployment and by its event",
                "taskrun.finished",
                1,
                of("deployment", &[&[], &[("deployment/attempt", Value::Null)]]),
            ),
            ("an approval is asked for once", "approval.created", 1, of("approval", &[&[], &[approval("Pending")]])),
            (
                "an approval of another run",
                "approval.created",
                2,
                of("approval", &[&[], &[("approval/id", literal!(Uuid::from_u128(5)))]]),
            ),
            (
                "one head reaches two branches",
                "branch.updated",
                2,
                of("push", &[&[], &[("refUpdates/0/name", literal!("refs/heads/next"))]]),
            ),
            (
                "a pull request is opened once",
                "change.created",
                1,
                of("pull request", &[&[], &[("title", literal!("Other")), ("status", literal!("completed"))]]),
            ),
            (
                "and merged once",
                "change.merged",
                1,
                of("merge", &[&[], &[("closedDate", Value::Null)], &[("lastMergeCommit", Value::Null)]]),
            ),
            (
                "abandoned, reactivated and abandoned again",
                "change.abandoned",
                2,
                of(
                    "vote",
                    &[
                        &[("status", literal!("abandoned")), ("closedDate", at("2026-10-02T07:40:00.1Z"))],
                        &[("status", literal!("abandoned")), ("closedDate", at("2026-10-02T07:40:00.9Z"))],
                        &[("status", literal!("abandoned")), ("closedDate", at("2026-10-02T07:50:00Z"))],
                    ],
                ),
            ),
            (
                "the same number in two threads",
                "change.commented",
                2,
                of(
                    "comment 1.0",
                    &[
                        &[],
                        &[("_links/self/href", {
                            let first = Body::named(place, "comment 1.0")["resource"]["_links"]["self"]["href"].clone();
                            literal!(first.as_str().unwrap().replace("threads/6", "threads/7"))
                        })],
                    ],
                ),
            ),
            (
                "a comment that is edited",
                "change.commented",
                2,
                of("comment 1.0", &[&[], &[("lastUpdatedDate", at("2026-10-02T07:12:00Z"))]]),
            ),
            ("a changeset is made once", "change.merged", 1, of("check-in", &[&[], &[("comment", literal!("x"))]])),
            ("two changesets", "change.merged", 2, of("check-in", &[&[], &[("changesetId", literal!(403))]])),
            (
                "a repository is renamed twice in one second",
                "repository.modified",
                2,
                of("repository", &[&[], &[("utcTimestamp", at("2026-10-02T07:00:00.1234568Z"))]]),
            ),
            (
                "a run ends twice, not within a second",
                "pipelinerun.finished",
                2,
                of(
                    "run",
                    &[
                        &[("run/finishedDate", at("2026-10-02T07:05:00.0000001Z"))],
                        &[("run/finishedDate", at("2026-10-02T07:05:00.9Z"))],
                        &[("run/finishedDate", at("2026-10-02T07:05:01Z"))],
                    ],
                ),
            ),
        ] {
            let reason = kind.contains("abandoned").then_some(UpdateReason::StatusUpdateNotification);
            assert_eq!(facts(place, kind, &bodies, reason), count, "{line} at {}", place.url);
            let twice: Vec<Value> =
                bodies.iter().zip(1..).flat_map(|(body, at)| [body.clone(), again(body, at)]).collect();
            assert_eq!(facts(place, kind, &twice, reason), count, "{line}, told again, at {}", place.url);
        }
    }
}

#[test]
fn what_nothing_tells_apart_is_told_apart_by_its_occasion() {
    let place = &PLACES[2];
    let repository = |hard: bool, at: Value| {
        let mut body = Body::named(place, "repository");
        body["eventType"] = "git.repo.deleted".into();
        body["resource"] = literal!({ "repositoryId": super::places::REPOSITORY, "repositoryName": "x", "utcTimestamp": at,
            "isHardDelete": hard, "project": { "id": super::places::PROJECT } });
        body
    };
    let check = |configuration: i64| {
        let mut body = Body::named(place, "approval");
        body["eventType"] = "ms.vss-pipelinechecks-events.check-updated-event".into();
        body["resource"] = literal!({ "checkConfigurationId": configuration, "projectId": super::places::PROJECT });
        body
    };
    let alert = |severity: &str| {
        let mut body = check(1);
        body["eventType"] = "ms.vss-alerts.alert-created-event".into();
        body["resource"] = literal!({ "alertId": 1, "severity": severity });
        body
    };
    let other = |body: &Value, id: &str| {
        let mut body = body.clone();
        body["id"] = id.into();
        body
    };
    let first = literal!("2026-10-02T07:00:00.1000000Z");
    for (what, kind, count, bodies) in [
        (
            "into the bin and out of it, and again",
            "repository.deleted",
            2,
            vec![repository(false, first.clone()), repository(false, literal!("2026-10-02T07:00:00.2000000Z"))],
        ),
        (
            "into the bin, and for good",
            "repository.deleted",
            2,
            vec![repository(false, first.clone()), repository(true, first)],
        ),
        (
            "a deletion without a date",
            "repository.deleted",
            2,
            vec![
                repository(false, Value::Null),
                repository(false, Value::Null),
                other(&repository(false, Value::Null), "another"),
            ],
        ),
        ("a check that changed twice", "check.updated", 2, vec![check(1), check(1), other(&check(1), "another")]),
        ("two checks", "check.updated", 2, vec![check(1), check(2)]),
        (
            "what nobody knows",
            "event.received",
            2,
            vec![alert("high"), alert("high"), other(&alert("high"), "another")],
        ),
        ("what has no id, by what it says", "event.received", 2, {
            let bare = |severity: &str| {
                let mut body = alert(severity);
                body["id"] = Value::Null;
                body
            };
            vec![bare("high"), bare("high"), bare("low")]
        }),
    ] {
        assert_eq!(facts(place, kind, &bodies, None), count, "{what}");
    }
    let event = &place.told(&alert("high"), None)[0];
    assert_eq!(json(event)["data"]["subject"]["content"]["eventType"], "ms.vss-alerts.alert-created-event");
}
