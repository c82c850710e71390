//! An hour in which the gateway is not reached and ten thousand things happen.

use super::{
    bound,
    losses::{CLOSELY, unfilled},
    swept,
};
use crate::real::{Real, SHOP};
use hookwell::{
    recover::{Depth, Mending, recover},
    simulator::Edit,
};
use std::time::{Duration, Instant};

/// Steps of the hour; what happens in each.
const STEPS: u64 = 80;
const BUILDS: u64 = 5;
const PUSHES: u64 = 10;
const TICKETS: u64 = 60;
/// Of a build: the run's beginning and end, the build's end, and beginning and end of two stages with a job each.
const EVENTS_OF_A_BUILD: u64 = 11;
const MISSED: u64 = STEPS * (BUILDS * EVENTS_OF_A_BUILD + PUSHES + TICKETS);
/// One for each missed push (its commits) and each missed build (its timeline), and the listings.
const CALLS_MAX: u64 = STEPS * (BUILDS + PUSHES) + 100;
/// When nothing is missing: the listings of the last day, and the open pull requests one by one.
const IDLE_CALLS_MAX: u64 = 40;

async fn hour(real: &Real) {
    let simulator = real.simulator();
    let project = simulator.project(SHOP).unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    let ci = simulator.definition(project, "web shop CI").unwrap();
    let mut running: Vec<u32> = Vec::new();
    for step in 0..=STEPS {
        for build in running.drain(..) {
            for stage in ["Build", "Deploy to production"] {
                simulator.finish_stage(build, stage, "succeeded").unwrap();
            }
            simulator.finish_build(build, "succeeded").unwrap();
        }
        for n in 0..if step == STEPS { 0 } else { TICKETS } {
            let edit = ("System.Title".to_owned(), Edit::Set(format!("{step} {n}").into()));
            simulator.update_work_item(u32::try_from(n % 3 + 1).unwrap(), "", &[edit]).unwrap();
            if n < PUSHES {
                simulator.push_commit(web, "main", &format!("{step} {n}"), &["/src/prices.rs"]).unwrap();
            }
            if n < BUILDS {
                let build = simulator.queue_build(ci, "main").unwrap();
                simulator.start_build(build).unwrap();
                for stage in ["Build", "Deploy to production"] {
                    simulator.start_stage(build, stage).unwrap();
                }
                running.push(build);
            }
        }
        real.pass(Duration::from_secs(45)).await;
    }
}

#[tokio::test]
async fn an_hour_and_ten_thousand_missed_events_cost_a_stated_number_of_calls() {
    assert_eq!(MISSED, 10_000);
    let real = unfilled().await;
    bound(&real).await;
    real.close_door().await;
    let from = real.gateway.app.clock.now();
    hour(&real).await;
    real.open_door().await;
    real.pass(Duration::from_mins(6)).await;

    let (before, began) = (real.simulator().totals().0, Instant::now());
    let report = recover(&real.gateway.app, real.connection, CLOSELY).await.unwrap();
    assert!(!report.failed, "{:?}", report.troubles);
    let all = real.events().await;
    let mut again = std::collections::BTreeMap::<&str, u64>::new();
    for event in all.iter().filter(|event| event.json.starts_with(b"{\"replaces\"")) {
        *again.entry(&event.header.kind).or_default() += 1;
    }
    // That a run began the history tells as hooks do, without its moment, which the records have.
    assert!(again.keys().all(|kind| kind.starts_with("dev.cdevents.pipelinerun.started.")), "{again:?}");
    // Each beginning once more at most.
    let beginnings =
        all.iter().filter(|event| event.header.kind.starts_with("dev.cdevents.pipelinerun.started.")).count() as u64;
    let again = again.values().sum::<u64>();
    assert!(again * 2 <= beginnings, "{again} of {beginnings}");
    let events = all.len() as u64 - again;
    let (calls, took) = (real.simulator().totals().0 - before, began.elapsed());
    eprintln!("{events} events after {calls} calls in {took:?}");
    assert_eq!(events, MISSED);
    assert!(calls <= CALLS_MAX, "{calls}");

    let tally = swept(&real.gateway, real.connection, from, Depth::Everything, Mending::Look).await;
    assert_eq!((tally.total.expected, tally.total.unexplained), (MISSED, 0));
    let (journal, before) = (real.notifications().await.len(), real.simulator().totals().0);
    recover(&real.gateway.app, real.connection, CLOSELY).await.unwrap();
    let calls = real.simulator().totals().0 - before;
    assert!(calls <= IDLE_CALLS_MAX, "{calls}");
    assert_eq!(real.notifications().await.len(), journal);
}
