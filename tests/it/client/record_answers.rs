//! Answers about records that are short, long, or lack what cannot be missing.

use super::{
    access, client, first,
    scripted::{Asked, Say, Scripted, reply, said},
};
use hookwell::azure::client::{
    BuildDate, Failure, HistoryQuery, Host, PageRequest, PullRequestDate, RevisionsFrom, Window,
};
use serde_json::{Value, json};

const AT: &str = "2026-11-04T08:00:00Z";

fn window(from: &str, to: &str) -> Window {
    Window { from: from.parse().unwrap(), to: to.parse().unwrap() }
}

fn day() -> Window {
    window("2026-11-04T00:00:00Z", "2026-11-05T00:00:00Z")
}

fn push(id: usize) -> Value {
    json!({ "pushId": id, "date": "2026-11-04T08:00:00.123Z",
        "refUpdates": [{ "name": "refs/heads/main", "oldObjectId": "a", "newObjectId": "b" }] })
}

fn list(asked: &Asked, all: usize, most: usize) -> Value {
    let number = |name: &str| asked.parameter(name).parse::<usize>().unwrap_or_default();
    let value: Vec<Value> =
        (0..all).map(|n| push(all - n)).skip(number("$skip")).take(number("$top").min(most)).collect();
    json!({ "count": value.len(), "value": value })
}

#[tokio::test]
async fn a_server_that_gives_fewer_than_asked_is_asked_on() {
    let server = Scripted::start(|asked| said(&list(asked, 250, 100))).await;
    let client = client(&access(&server.origin));
    let (mut from, mut found) = (None, Vec::new());
    loop {
        let page = client.pushes("p", "r", None, day(), PageRequest { items_max: 1_000, from }).await.unwrap();
        found.extend(page.items.into_iter().map(|push| push.id));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found, (1..=250).rev().collect::<Vec<i64>>());
    assert_eq!(server.count("GET", "/pushes"), 3);
}

#[tokio::test]
async fn azure_is_asked_for_whole_seconds_around_a_window() {
    let server = Scripted::start(|asked| said(&list(asked, 1, 1))).await;
    let client = client(&access(&server.origin));
    let narrow = window("2026-11-04T08:00:00.123Z", "2026-11-04T08:00:00.124Z");
    assert_eq!(client.pushes("p", "r", Some("refs/heads/a b&c"), narrow, first(9)).await.unwrap().items.len(), 1);
    let asked = server.asked().pop().unwrap();
    assert_eq!(asked.parameter("searchCriteria.fromDate"), "2026-11-04T08:00:00Z");
    assert_eq!(asked.parameter("searchCriteria.toDate"), "2026-11-04T08:00:01Z");
    assert_eq!(asked.parameter("searchCriteria.includeRefUpdates"), "true");
    assert_eq!(asked.parameter("searchCriteria.refName"), "refs/heads/a b&c");
    let after = window("2026-11-04T08:00:00.124Z", "2026-11-04T08:00:01Z");
    assert_eq!(client.pushes("p", "r", None, after, first(9)).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn a_record_without_what_is_needed_is_left_out_counted_and_named() {
    for (member, value, lacks) in [
        ("pushId", Value::Null, "pushId is missing"),
        ("date", json!("0001-01-01T00:00:00"), "date is missing"),
        ("refUpdates", Value::Null, "refUpdates is missing"),
        ("refUpdates", json!([{ "name": "x" }]), "refUpdates[].oldObjectId is missing"),
    ] {
        let mut odd = push(1);
        odd[member] = value;
        for others in [0, 1, 150] {
            let mut all: Vec<Value> = (0..others).map(|n| push(n + 2)).collect();
            all.insert(all.len() / 2, odd.clone());
            let server = Scripted::start(move |asked| {
                let skip: usize = asked.parameter("$skip").parse().unwrap_or_default();
                let page: Vec<&Value> = all.iter().skip(skip).take(100).collect();
                said(&json!({ "count": page.len(), "value": page }))
            })
            .await;
            let client = client(&access(&server.origin));
            let (mut read, mut from) = (0, None);
            loop {
                let page = PageRequest { items_max: 100, from };
                let page = client.pushes("p", "r", None, day(), page).await.unwrap();
                read += page.items.len();
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            assert_eq!(read, others, "a page with an odd one is not the last for that: {member}");
            let told = client.odd_records();
            assert_eq!((told.len(), told[0].list, told[0].count), (1, "pushes", 1), "{told:?}");
            assert_eq!(told[0].lacks, lacks);
        }
    }
}

/// Each list that recovery reads, with one record that nobody can read among those that can be.
#[tokio::test]
async fn one_odd_record_stops_no_list() {
    let (build, release) = (
        json!({ "id": 7, "definition": { "id": 1 }, "queueTime": AT }),
        json!({
            "id": 7, "releaseDefinition": { "id": 1 }, "status": "active", "createdOn": AT,
        }),
    );
    let pull_request = json!({
        "pullRequestId": 7, "repository": { "id": "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c" }, "status": "active",
        "creationDate": AT,
    });
    let answer = move |asked: &Asked| -> Say {
        let odd = json!({ "odd": true });
        let with = |good: &Value| json!([odd, good, { "id": "?" }]);
        let list = |good: &Value| said(&json!({ "count": 3, "value": with(good) }));
        match asked.path.rsplit('/').next().unwrap() {
            "pullrequests" => list(&pull_request),
            "builds" => list(&build),
            "releases" => list(&release),
            "deployments" => list(&json!({
                "id": 7, "release": { "id": 1 }, "releaseDefinition": { "id": 1 }, "attempt": 1,
                "deploymentStatus": "succeeded", "lastModifiedOn": AT,
            })),
            "iterations" => list(&json!({ "id": 7, "sourceRefCommit": { "commitId": "a" }, "createdDate": AT })),
            "threads" => {
                let comment = json!({ "id": 1, "lastUpdatedDate": AT });
                list(&json!({ "id": 7, "comments": [{ "id": 2 }, comment] }))
            }
            "timeline" => said(&json!({ "records": with(&json!({ "id": "a", "type": "Stage", "state": "pending" })) })),
            "updates" => list(&json!({ "id": 7, "rev": 1 })),
            "notificationsquery" => said(&json!({ "results": with(&json!({
                "id": 7, "subscriptionId": "x", "status": "completed", "result": "failed", "createdDate": AT,
            })) })),
            "workitemrevisions" => said(&json!({
                "values": with(&json!({ "id": 7, "rev": 1, "fields": { "System.ChangedDate": AT } })),
                "continuationToken": "7", "isLastBatch": true,
            })),
            _ => said(&json!({ "value": [] })),
        }
    };
    let server = Scripted::start(answer).await;
    let client = client(&access(&server.origin));
    let query = HistoryQuery {
        subscriptions: vec!["x".to_owned()],
        within: day(),
        result: None,
        results_max: 10,
        with_details: false,
    };
    let counts = [
        client.pull_requests("p", "r", PullRequestDate::Created, day(), first(9)).await.unwrap().items.len(),
        client.active_pull_requests("p", "r", first(9)).await.unwrap().items.len(),
        client.builds("p", &[], BuildDate::Queued, day(), first(9)).await.unwrap().items.len(),
        client.releases("p", day(), first(9)).await.unwrap().items.len(),
        client.deployments("p", day(), first(9)).await.unwrap().items.len(),
        client.iterations("p", "r", 1).await.unwrap().len(),
        client.comments("p", "r", 1).await.unwrap().len(),
        client.timeline("p", 1).await.unwrap().len(),
        client.updates("p", 1, 0).await.unwrap().len(),
        client.history(Host::Main, &query).await.unwrap().values.len(),
        client.revisions("p", &RevisionsFrom::Time(day().from)).await.unwrap().values.len(),
    ];
    assert_eq!(counts, [1; 11]);
    let told: Vec<&str> = client.odd_records().into_iter().map(|odd| odd.list).collect();
    for list in [
        "pull requests",
        "builds",
        "releases",
        "deployments",
        "iterations",
        "comments",
        "threads",
        "the timeline",
        "updates",
    ] {
        assert!(told.contains(&list), "{list} in {told:?}");
    }
}

#[tokio::test]
async fn a_push_that_moved_nothing_keeps_nobody_from_the_others() {
    let mut odd = push(1);
    odd["refUpdates"] = json!([]);
    let answer = json!({ "count": 2, "value": [push(2), odd] });
    let server = Scripted::start(move |_| said(&answer)).await;
    let pushes = client(&access(&server.origin)).pushes("p", "r", None, day(), first(9)).await.unwrap().items;
    assert_eq!(pushes.iter().map(|own| own.ref_updates.len()).collect::<Vec<_>>(), [1, 0]);
}

#[tokio::test]
async fn lists_that_are_not_there_are_not_empty_ones() {
    let server = Scripted::start(|_| said(&json!({ "values": null, "records": {}, "count": 1 }))).await;
    let client = client(&access(&server.origin));
    let query = HistoryQuery {
        subscriptions: vec!["x".to_owned()],
        within: day(),
        result: None,
        results_max: 10,
        with_details: false,
    };
    for (failure, expected) in [
        (client.revisions("p", &RevisionsFrom::Time(day().from)).await.err(), "revisions: values is not a list"),
        (client.timeline("p", 1).await.err(), "the timeline: records is not a list"),
        (client.history(Host::Main, &query).await.err(), "the history: results is not a list"),
        (client.builds("p", &[], BuildDate::Queued, day(), first(1)).await.err(), "builds: value is not a list"),
        (client.iterations("p", "r", 1).await.err(), "iterations: value is not a list"),
    ] {
        let Some(Failure::Unexpected { detail, .. }) = failure else { panic!("{failure:?}") };
        assert_eq!(detail, expected);
    }
}

#[tokio::test]
async fn a_batch_of_revisions_must_say_where_to_go_on_and_whether_it_is_the_last() {
    for (answer, expected) in [
        (json!({ "values": [], "isLastBatch": true }), "revisions: continuationToken is missing"),
        (json!({ "values": [], "continuationToken": "7" }), "revisions: isLastBatch is missing"),
        (json!({ "values": [{ "id": 1 }], "continuationToken": "7" }), "revisions: isLastBatch is missing"),
    ] {
        let server = Scripted::start(move |_| said(&answer)).await;
        let from = RevisionsFrom::Bookmark("a b&c".to_owned());
        let failure = client(&access(&server.origin)).revisions("p", &from).await.unwrap_err();
        assert!(matches!(&failure, Failure::Unexpected { detail, .. } if detail == expected), "{failure:?}");
        let asked = server.asked().pop().unwrap();
        assert_eq!((asked.parameter("continuationToken"), asked.parameter("startDateTime")), ("a b&c", ""));
        assert_eq!((asked.parameter("includeIdentityRef"), asked.parameter("$maxPageSize")), ("true", "500"));
    }
}

#[tokio::test]
async fn updates_of_one_revision_stay_together() {
    // Revision 1 has one update, revision 2 has 150, revision 3 has 120, revision 4 one.
    let revs: Vec<i64> = [(1, 1), (2, 150), (3, 120), (4, 1)].into_iter().flat_map(|(rev, n)| vec![rev; n]).collect();
    let server = Scripted::start(move |asked| {
        let skip: usize = asked.parameter("$skip").parse().unwrap();
        let value: Vec<Value> = revs.iter().skip(skip).take(200).map(|rev| json!({ "rev": rev })).collect();
        said(&json!({ "count": value.len(), "value": value }))
    })
    .await;
    let client = client(&access(&server.origin));
    let mut after = 0;
    let mut told = Vec::new();
    loop {
        let updates = client.updates("p", 1, after).await.unwrap();
        let Some(last) = updates.last() else { break };
        after = last.rev;
        told.push((updates.len(), updates[0].rev, last.rev));
    }
    assert_eq!(told, [(151, 1, 2), (121, 3, 4)]);
}

#[tokio::test]
async fn old_servers_are_not_asked_for_what_they_do_not_know() {
    for (version, is_asked) in [("7.0", false), ("7.1", true)] {
        let server = Scripted::all(move |asked| {
            super::scripted::usual(asked, version).unwrap_or_else(|| said(&json!({ "count": 0, "value": [] })))
        })
        .await;
        let client = client(&access(&server.origin));
        client.pull_requests("p", "r", PullRequestDate::Closed, day(), first(5)).await.unwrap();
        let asked = server.asked().pop().unwrap();
        assert_eq!(asked.parameter("searchCriteria.queryTimeRangeType"), if is_asked { "closed" } else { "" });
        assert_eq!(!asked.parameter("searchCriteria.minTime").is_empty(), is_asked);
        assert_eq!((asked.parameter("searchCriteria.status"), asked.parameter("$top")), ("all", "5"));
    }
}

#[tokio::test]
async fn a_timeline_of_204_is_none_at_all() {
    let server = Scripted::start(|_| reply(204, &[], "")).await;
    assert_eq!(client(&access(&server.origin)).timeline("p", 1).await.unwrap(), []);
}
