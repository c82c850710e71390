//! Each way in which hooks lose what happened ends with every fact once.

use super::{bound, equal::everything_happens, lines, swept};
use crate::real::{Real, SHOP};
use hookwell::{
    config::Settings,
    domain::Recovered,
    recover::{Depth, Mending, Report, Request, recover},
    simulator::{Odds, Options},
};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

pub(crate) const CLOSELY: Request = Request { since: None, closely: true };

/// What was lost and came back.
pub(super) struct Ended {
    /// Events by id.
    lines: BTreeMap<Uuid, String>,
    /// By way; what a hook delivered is under `hook`.
    pub(super) ways: BTreeMap<&'static str, usize>,
    report: Report,
}

impl Ended {
    fn has(&self, kind: &str) -> bool {
        self.lines.values().any(|line| line.contains(kind))
    }
}

/// Looks until there is nothing to find, and holds everything against Azure's own records.
pub(super) async fn made_good(real: &Real, from: jiff::Timestamp) -> Ended {
    let (app, id) = (&real.gateway.app, real.connection);
    let report = recover(app, id, CLOSELY).await.unwrap();
    assert!(!report.failed && report.troubles.is_empty(), "{:?}", report.troubles);
    let events = real.events().await;
    let mut ways = BTreeMap::new();
    for event in &events {
        *ways.entry(event.header.recovered.map_or("hook", Recovered::word)).or_default() += 1;
    }
    let tally = swept(&real.gateway, id, from, Depth::Everything, Mending::Look).await;
    assert_eq!((tally.total.unexplained, &tally.missing), (0, &Vec::new()));
    assert!(tally.total.expected > 80, "{:?}", tally.total);
    // The journal's keys are the events' ids: once each. Looking again finds nothing new.
    let before = real.notifications().await.len();
    let again = recover(app, id, CLOSELY).await.unwrap();
    assert_eq!((again.history.recovered, again.tally.total.unexplained), (0, 0));
    assert_eq!(real.notifications().await.len(), before, "nothing is appended twice");
    Ended { lines: lines(&events), ways, report }
}

/// Without what happened before there were bindings.
pub(crate) async fn unfilled() -> Real {
    let settings = Settings { backfill: Duration::ZERO, ..Settings::default() };
    Real::with(settings, Options::services("fabrikam")).await
}

/// A day on which this is wrong, and then no more.
async fn day(wrong: impl AsyncFn(&Real), right: impl AsyncFn(&Real)) -> Ended {
    let real = unfilled().await;
    bound(&real).await;
    let from = real.gateway.app.clock.now();
    wrong(&real).await;
    everything_happens(&real).await;
    right(&real).await;
    real.pass(Duration::from_mins(10)).await;
    made_good(&real, from).await
}

#[tokio::test]
async fn what_no_notification_was_made_for_comes_back_from_the_records() {
    let lose = async |real: &Real| real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(1.0));
    let ended = day(lose, async |_| {}).await;
    assert_eq!(ended.ways.keys().collect::<Vec<_>>(), [&"rest"]);
    assert!(!ended.has("change.reviewed"), "a vote has no identity in the records");
}

#[tokio::test]
async fn what_is_lost_now_and_then_comes_back_without_the_rest() {
    let lose = async |real: &Real| real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(0.3));
    // Hooks are translated before anybody looks for what is lost.
    let ended = day(lose, async |real| real.translate().await).await;
    assert!(ended.ways["hook"] > 60 && ended.ways["rest"] > 20, "{:?}", ended.ways);
}

#[tokio::test]
async fn what_is_stuck_comes_back_from_the_history_votes_and_all() {
    let stick = async |real: &Real| real.simulator().fail(|faults| faults.hooks.stuck = Odds::probability(1.0));
    let ended = day(stick, async |_| {}).await;
    // What it shows of a run's beginning is the run as it is now: that it began, the records have to say.
    assert!(!ended.ways.contains_key("hook") && ended.ways["history"] > ended.ways["rest"], "{:?}", ended.ways);
    assert!(ended.has("change.reviewed") && ended.has("workitem.deleted") && ended.has("approval"));
}

#[tokio::test]
async fn what_failed_for_good_comes_back_from_the_history_before_its_subscription_is_deleted() {
    // Each hook fails once, is restricted, and says nothing of what follows.
    let misdirect = async |real: &Real| {
        for hook in real.ours() {
            let id = hook.id.parse().unwrap();
            real.simulator().hooks().edit(id, |draft| {
                let url = draft.consumer_inputs.get_mut("url").unwrap();
                *url = url.replace("/hooks/", "/nowhere/");
            });
        }
    };
    let real = unfilled().await;
    bound(&real).await;
    let from = real.gateway.app.clock.now();
    misdirect(&real).await;
    everything_happens(&real).await;
    let failed: usize = real.ours().len();
    let report = real.run().await;
    assert!(report.troubles.is_empty(), "{report:?}");
    let by_history = real.notifications().await.iter().filter(|own| own.recovered == Some(Recovered::History)).count();
    assert!(by_history > 0 && by_history <= failed, "{by_history}");
    real.pass(Duration::from_mins(10)).await;
    let ended = made_good(&real, from).await;
    assert!(ended.ways["history"] > 10 && ended.ways["rest"] > 60, "{:?}", ended.ways);
    assert_eq!(ended.report.history.recovered, 0, "it was taken over when the subscriptions were replaced");
}

#[tokio::test]
async fn what_happened_while_hooks_were_gone_or_off_comes_back() {
    let break_them = async |real: &Real| {
        for (n, hook) in real.ours().iter().enumerate() {
            let (hooks, id) = (real.simulator().hooks(), hook.id.parse().unwrap());
            match n % 3 {
                0 => assert!(hooks.delete(id)),
                1 => hooks.disable_by_system(id),
                _ => hooks.disable_by_user(id),
            }
        }
    };
    let ended = day(break_them, async |real| real.settle().await).await;
    assert_eq!(ended.ways.keys().collect::<Vec<_>>(), [&"rest"]);
}

#[tokio::test]
async fn what_happened_while_the_gateway_was_down_comes_back() {
    let ended = day(async |real| real.close_door().await, async |real| real.open_door().await).await;
    assert!(ended.ways.contains_key("rest") && ended.ways.contains_key("history"), "{:?}", ended.ways);
}

#[tokio::test]
async fn a_history_without_events_leaves_it_to_the_records() {
    let stick = async |real: &Real| {
        real.simulator().fail(|faults| {
            faults.hooks.stuck = Odds::probability(1.0);
            faults.hooks.history_without_events = true;
        });
    };
    let ended = day(stick, async |_| {}).await;
    assert_eq!(ended.ways.keys().collect::<Vec<_>>(), [&"rest"]);
    assert!(ended.report.history.unsaid_since.is_some());
}

#[tokio::test]
async fn where_the_history_has_words_for_a_resource_the_request_says_it_or_the_records_have_to() {
    for (without_body, without_events) in [(false, false), (false, true), (true, false)] {
        let close = async |real: &Real| {
            real.simulator().fail(|faults| {
                faults.hooks.history_resources_are_words = true;
                faults.hooks.history_without_events = without_events;
                faults.hooks.history_requests_without_body = without_body;
            });
            real.close_door().await;
        };
        let ended = day(close, async |real| real.open_door().await).await;
        assert_eq!(ended.ways.contains_key("history"), !without_body, "{without_events}: {:?}", ended.ways);
        assert!(!ended.has("event.received"), "an empty shell is no event: {without_body} {without_events}");
    }
}

#[tokio::test]
async fn what_azure_calls_filtered_is_counted_and_is_nobodys_loss() {
    let real = unfilled().await;
    bound(&real).await;
    let (app, id) = (&real.gateway.app, real.connection);
    let simulator = real.simulator();
    let repository = simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
    simulator.fail(|faults| faults.hooks.latency_milliseconds = 60_000);
    simulator.push_commit(repository, "main", "Filtered", &["/a"]).unwrap();
    let push = real.ours().into_iter().find(|hook| hook.event_type == "git.push").unwrap();
    simulator.hooks().disable_by_user(push.id.parse().unwrap());
    real.pass(Duration::from_mins(10)).await;
    let look = async || recover(app, id, Request { since: None, closely: false }).await.unwrap().history;
    let found = look().await;
    assert_eq!((found.filtered, found.recovered, found.unsaid_since), (1, 0, None));
    assert!(real.notifications().await.iter().all(|own| own.recovered != Some(Recovered::History)));
    // Of one that is known to be off it may have been ours: Azure's records are asked.
    real.run().await;
    let found = look().await;
    assert!(found.filtered == 1 && found.recovered == 0 && found.unsaid_since.is_some(), "{found:?}");
    let metrics = real.gateway.get("/metrics").await;
    assert!(String::from_utf8_lossy(&metrics.body).contains("hookwell_history_filtered_total 2"));
}

#[tokio::test]
async fn what_is_young_is_not_missing_yet() {
    let real = unfilled().await;
    bound(&real).await;
    real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(1.0));
    let project = real.simulator().project(crate::real::SHOP).unwrap();
    real.simulator().create_work_item(project, "Bug", "It is slow").unwrap();
    real.pass(Duration::from_mins(4)).await;
    let look = || async { drop(recover(&real.gateway.app, real.connection, CLOSELY).await.unwrap()) };
    look().await;
    assert_eq!(real.events().await.len(), 0);
    real.pass(Duration::from_mins(2)).await;
    look().await;
    assert_eq!(real.events().await.len(), 1);
}
