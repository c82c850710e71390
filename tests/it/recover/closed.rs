//! Pull requests that were closed, at a server that does not list them by date.

use crate::real::{Real, SHOP};
use hookwell::{
    config::Settings,
    recover::{Request, recover},
    simulator::{Odds, Options, ServerVersion},
};
use serde_json::json;
use std::time::Duration;
use uuid::Uuid;

/// More than three calls list.
const OLD_ONES: usize = 1_700;

/// The calls of a look for pull requests: listings of all, and single ones.
async fn look(real: &Real, closely: bool) -> (usize, usize) {
    let before = real.simulator().calls().len();
    let report = recover(&real.gateway.app, real.connection, Request { since: None, closely }).await.unwrap();
    assert!(!report.failed && report.troubles.is_empty(), "{:?}", report.troubles);
    let calls = real.calls_since(before);
    let of = |part: &str| calls.iter().filter(|call| call.target.contains(part)).count();
    (of("searchCriteria.status=all"), of("/_apis/git/pullrequests/"))
}

/// How many ends of pull requests are told.
async fn ended(real: &Real) -> usize {
    let is_end = |kind: &str| kind.contains("change.abandoned") || kind.contains("change.merged");
    real.events().await.iter().filter(|event| is_end(&event.header.kind)).count()
}

#[tokio::test]
async fn an_old_server_is_not_read_through_with_each_look() {
    let settings = Settings { backfill: Duration::ZERO, ..Settings::default() };
    let real = Real::with(settings, Options::server("Coll", ServerVersion::V2022)).await;
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let repository: Uuid = simulator.repository(project, "web shop").unwrap();
    simulator.push_commit(repository, "idea", "An idea", &["/idea"]).unwrap();
    let open = || simulator.create_pull_request(repository, "idea", "main", "An idea").unwrap();
    for _ in 0..OLD_ONES {
        simulator.abandon_pull_request(open()).unwrap();
    }
    let (first, second) = (open(), {
        simulator.push_commit(repository, "other", "Another", &["/other"]).unwrap();
        simulator.create_pull_request(repository, "other", "main", "Another").unwrap()
    });
    real.pass(Duration::from_hours(2)).await;
    // No hook delivers: what is told comes of the records.
    simulator.fail(|faults| faults.hooks.lose = Odds::probability(1.0));
    real.bind("shop", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
    real.settle().await;
    let (all, _) = look(&real, false).await;
    assert!(all > 4, "{all}: all are read once");
    simulator.abandon_pull_request(first).unwrap();
    let third = open();
    simulator.abandon_pull_request(third).unwrap();
    real.pass(Duration::from_mins(20)).await;
    let mut asked = Vec::new();
    for _ in 0..6 {
        asked.push(look(&real, false).await);
        real.pass(Duration::from_mins(15)).await;
    }
    assert_eq!(ended(&real).await, 2, "{asked:?}");
    // The window of a look may begin before that of the first one, which is not remembered then.
    assert!(asked[2..].iter().all(|(all, _)| *all <= 2), "{asked:?}: those that were opened, and no more");
    assert!(asked.iter().map(|(_, single)| single).sum::<usize>() <= 4, "{asked:?}");
    // One that was closed while nobody looked, and a look of another kind.
    simulator.abandon_pull_request(second).unwrap();
    real.pass(Duration::from_mins(20)).await;
    look(&real, true).await;
    assert_eq!(ended(&real).await, 3);
    // Opened again and closed within one look: it is found when all are read, once a day.
    simulator.reactivate_pull_request(first).unwrap();
    simulator.abandon_pull_request(first).unwrap();
    let mut most = 0;
    for _ in 0..27 {
        real.pass(Duration::from_hours(1)).await;
        most = most.max(look(&real, false).await.0);
    }
    assert!(most > 4, "{most}: all are read once a day");
}
