//! A past in bulk, and stretches of it that nobody remembers.

use super::{Asker, CAFE};
use hookwell::{
    clock::Clock as _,
    domain::Stream,
    simulator::{Edit, Entity, Fill, Forget, Impossible, Options},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::time::Duration;

const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);
const MINUTE: Duration = Duration::from_mins(1);

fn some_past(now: Timestamp) -> Fill {
    Fill { pushes: 300, builds: 1_000, revisions: 500, from: now - MONTH, to: now }
}

async fn old() -> Asker {
    Asker::at(Options { age_days: 31, ..Options::services("fabrikam") }).await
}

/// Each item of a list that is paged by a token in a header.
async fn all(asker: &Asker, path: &str) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        let from = token.map(|token| format!("&continuationToken={token}")).unwrap_or_default();
        let got = asker.get(&format!("{path}{from}")).await;
        assert_eq!(got.status, 200, "{got:?}");
        found.extend(got.json()["value"].as_array().unwrap().iter().cloned());
        match got.header("x-ms-continuationtoken") {
            Some(next) => token = Some(next.to_owned()),
            None => return found,
        }
    }
}

fn ids(found: &[Value], key: &str) -> Vec<u64> {
    found.iter().map(|own| own[key].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_past_is_written_as_it_might_have_been_and_the_same_for_the_same_seed() {
    let (asker, other) = (old().await, old().await);
    let fill = some_past(asker.clock.now());
    for asker in [&asker, &other] {
        asker.azure.simulator.fill(&fill).unwrap();
    }
    let (from, to) = (fill.from, fill.to);
    let path = |order: &str| {
        format!("{CAFE}/_apis/build/builds?minTime={from}&maxTime={to}&queryOrder={order}&$top=90&api-version=7.1")
    };
    let builds = all(&asker, &path("finishTimeAscending")).await;
    assert_eq!(builds.len(), 1_000);
    assert!(builds.is_sorted_by_key(|own| own["finishTime"].as_str().unwrap().parse::<Timestamp>().unwrap()));
    let mut by_queue = ids(&all(&asker, &path("queueTimeDescending")).await, "id");
    assert!(by_queue.is_sorted_by(|a, b| a > b), "numbers grow with time");
    by_queue.dedup();
    assert_eq!(by_queue.len(), 1_000);
    let word = |own: &Value, name: &str| own[name].as_str().unwrap().to_owned();
    let results: std::collections::BTreeSet<String> = builds.iter().map(|own| word(own, "result")).collect();
    assert_eq!(results.into_iter().collect::<Vec<_>>(), ["canceled", "failed", "partiallySucceeded", "succeeded"]);
    let same = all(&other, &path("finishTimeAscending")).await;
    let told = |all: &[Value]| -> Vec<_> {
        all.iter().map(|own| (word(own, "finishTime"), word(own, "sourceVersion"), word(own, "result"))).collect()
    };
    assert_eq!(told(&same), told(&builds));

    let timeline = asker.read(&format!("{CAFE}/_apis/build/builds/{}/timeline", builds[500]["id"])).await;
    assert!(timeline["records"].as_array().unwrap().iter().all(|own| own["state"] == "completed"));
    let pushes = asker.read(&format!("{CAFE}/_apis/git/repositories/web%20shop/pushes?$top=400")).await;
    let pushes = pushes["value"].as_array().unwrap();
    assert!(pushes.len() > 300 && ids(pushes, "pushId").is_sorted_by(|a, b| a > b));
    assert!(
        pushes.is_sorted_by_key(|own| std::cmp::Reverse(own["date"].as_str().unwrap().parse::<Timestamp>().unwrap()))
    );
    let path = format!("{CAFE}/_apis/wit/reporting/workitemrevisions?startDateTime={from}&$maxPageSize=1000");
    let revisions = asker.read(&path).await;
    let revisions = revisions["values"].as_array().unwrap();
    assert_eq!(revisions.len(), 500);
    assert!(revisions.iter().all(|own| own["rev"].as_u64().unwrap() <= 10));
}

#[tokio::test]
async fn a_past_is_told_to_nobody_and_written_once_only() {
    let asker = old().await;
    let simulator = &asker.azure.simulator;
    let draft = hookwell::simulator::Draft {
        publisher: "tfs".to_owned(),
        event_type: "git.push".to_owned(),
        resource_version: Some("1.0".to_owned()),
        consumer: "webHooks".to_owned(),
        action: "httpRequest".to_owned(),
        publisher_inputs: [].into(),
        consumer_inputs: [("url".to_owned(), "http://127.0.0.1:1/".to_owned())].into(),
    };
    simulator.hooks().create_foreign(draft, "");
    let fill = some_past(asker.clock.now());
    simulator.fill(&fill).unwrap();
    assert_eq!(simulator.hooks().totals().notifications, 0);
    assert!(matches!(simulator.fill(&fill), Err(Impossible::State(_))));
    let tomorrow = Fill { from: fill.to, to: fill.to + SignedDuration::from_hours(24), ..fill };
    assert!(matches!(simulator.fill(&tomorrow), Err(Impossible::State(_))), "it has not been yet");
    asker.clock.advance(Duration::from_hours(24));
    simulator.fill(&tomorrow).unwrap();
}

/// The numbers of each kind of record that anybody can read.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Known {
    pushes: Vec<u64>,
    opened: Vec<u64>,
    closed: Vec<u64>,
    builds: Vec<u64>,
    releases: Vec<u64>,
    deployments: Vec<u64>,
    revisions: Vec<(u64, u64)>,
    updates: Vec<u64>,
}

async fn known(asker: &Asker, from: Timestamp, item: u32) -> Known {
    let web = format!("{CAFE}/_apis/git/repositories/web%20shop");
    let list = async |path: String, key: &str| {
        let mut ids = ids(&all(asker, &path).await, key);
        ids.sort_unstable();
        ids
    };
    let requests = |by: &str| {
        format!(
            "{web}/pullrequests?searchCriteria.status=all&searchCriteria.minTime={from}\
             &searchCriteria.queryTimeRangeType={by}&api-version=7.1"
        )
    };
    let vsrm = format!("/_vsrm/fabrikam/{CAFE}/_apis/release");
    let revisions =
        asker.read(&format!("{CAFE}/_apis/wit/reporting/workitemrevisions?startDateTime={from}")).await["values"]
            .take();
    let revisions = revisions.as_array().unwrap();
    Known {
        pushes: list(
            format!("{web}/pushes?searchCriteria.fromDate={from}&searchCriteria.refName=refs/heads/main"),
            "pushId",
        )
        .await,
        opened: list(requests("created"), "pullRequestId").await,
        closed: list(requests("closed"), "pullRequestId").await,
        builds: list(
            format!("{CAFE}/_apis/build/builds?minTime={from}&queryOrder=finishTimeAscending&statusFilter=completed"),
            "id",
        )
        .await,
        releases: list(format!("{vsrm}/releases?minCreatedTime={from}"), "id").await,
        deployments: list(format!("{vsrm}/deployments?minModifiedTime={from}"), "id").await,
        revisions: revisions.iter().map(|own| (own["id"].as_u64().unwrap(), own["rev"].as_u64().unwrap())).collect(),
        updates: list(format!("{CAFE}/_apis/wit/workItems/{item}/updates?x"), "rev").await,
    }
}

#[tokio::test]
async fn of_a_forgotten_hour_no_record_knows_and_of_what_is_around_it_all_do() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let project = simulator.project("Fiber Café").unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    let ci = simulator.definition(project, "web shop CI").unwrap();
    asker.clock.advance(MINUTE);
    let from = asker.clock.now();
    let item = simulator.create_work_item(project, "Bug", "Cold").unwrap();
    let release = simulator.create_release(1, simulator.run_build(ci, "main", "succeeded").unwrap()).unwrap();
    let pull = |branch: &str| {
        simulator.push_commit(web, branch, "An idea", &["/idea"]).unwrap();
        simulator.create_pull_request(web, branch, "main", "An idea").unwrap()
    };
    let open = pull("before");
    asker.clock.advance(MINUTE);

    // Everything once, and then once more: the first time is forgotten.
    let round = |n: u32| {
        simulator.push_commit(web, "main", &format!("Step {n}"), &["/a"]).unwrap();
        let number = pull(&format!("round/{n}"));
        let build = simulator.run_build(ci, "main", "failed").unwrap();
        simulator.create_release(1, build).unwrap();
        simulator.start_deployment(release, "Staging", None).unwrap();
        simulator.finish_deployment(release, "Staging", "succeeded").unwrap();
        simulator.update_work_item(item, "", &[("Custom.N".to_owned(), Edit::Set(n.into()))]).unwrap();
        (number, build)
    };
    let began = asker.clock.now();
    let waiting = simulator.queue_build(ci, "main").unwrap();
    asker.clock.advance(MINUTE);
    let lost_from = asker.clock.now();
    let (lost_pull, lost_build) = round(1);
    simulator.start_build(waiting).unwrap();
    simulator.finish_build(waiting, "succeeded").unwrap();
    simulator.abandon_pull_request(open).unwrap();
    simulator.comment_pull_request(lost_pull, "Lost").unwrap();
    asker.clock.advance(MINUTE);
    let lost_to = asker.clock.now();
    let (kept_pull, kept_build) = round(2);
    let before = known(&asker, from, item).await;

    simulator.forget(Forget { from: lost_from, to: lost_to, stream: None, of: None });
    let after = known(&asker, from, item).await;
    assert_eq!(before.pushes.len() - after.pushes.len(), 1);
    assert_eq!((&after.opened, &after.closed), (&vec![u64::from(open), u64::from(kept_pull)], &vec![]));
    assert_eq!(before.closed, [u64::from(open)]);
    let build = |number: u32| u64::from(number);
    assert!(before.builds.contains(&build(lost_build)) && before.builds.contains(&build(waiting)));
    assert!(!after.builds.contains(&build(lost_build)) && !after.builds.contains(&build(waiting)));
    assert!(after.builds.contains(&build(kept_build)));
    assert_eq!(before.releases.len() - after.releases.len(), 1);
    assert_eq!(before.deployments.len() - after.deployments.len(), 1);
    assert_eq!((before.revisions.len(), before.updates.clone()), (3, vec![1, 2, 3]));
    assert_eq!((after.revisions.len(), after.updates.clone()), (2, vec![1, 3]));
    // What was there before and ended within is still under way, by all that can be read.
    let shown = asker.read(&format!("{CAFE}/_apis/build/builds/{waiting}")).await;
    assert_eq!((&shown["status"], &shown["queueTime"]), (&"notStarted".into(), &began.to_string().into()));
    let shown = asker.read(&format!("{CAFE}/_apis/git/pullrequests/{open}")).await;
    assert_eq!((&shown["status"], shown.get("closedDate")), (&"active".into(), None));
    assert_eq!(asker.get(&format!("{CAFE}/_apis/git/pullrequests/{lost_pull}")).await.status, 404);
    assert_eq!(asker.get(&format!("{CAFE}/_apis/build/builds/{lost_build}")).await.status, 404);

    // Of one stream, or of one thing alone.
    let only = |stream, of| {
        simulator.fail(|faults| faults.forget = vec![Forget { from: lost_from, to: lost_to, stream, of }]);
    };
    only(Some(Stream::WorkItems), None);
    let some = known(&asker, from, item).await;
    assert_eq!(some, Known { revisions: after.revisions.clone(), updates: after.updates.clone(), ..before.clone() });
    only(None, Some(Entity::Build(lost_build)));
    let some = known(&asker, from, item).await;
    let builds = before.builds.iter().copied().filter(|own| *own != build(lost_build)).collect();
    assert_eq!(some, Known { builds, ..before.clone() });
    only(None, Some(Entity::WorkItem(item + 1)));
    assert_eq!(known(&asker, from, item).await, before);
}
