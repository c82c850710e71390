//! Whatever comes late, twice or not at all: the events of one entity are in order, and what is missing is found or named.

use crate::real::{Real, SHOP};
use hookwell::{
    app::kind,
    domain::{Gap, Recovered},
    event::Event,
    recover::{Request, breaks, quiet, recover},
    simulator::{Failing, Forget, Odds, Rule, When},
    store::Registry as _,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

const REPOSITORY: &str = "web shop";
const PIPELINE: &str = "web shop CI";

/// Everything of one project, bound.
struct Shop {
    real: Real,
    project: Uuid,
    repository: Uuid,
}

impl Shop {
    async fn start() -> Self {
        let real = Real::start().await;
        real.bind("code", SHOP, json!({ "role": "code_deployment", "repository": REPOSITORY })).await;
        real.bind("items", SHOP, json!({ "role": "issue_provider" })).await;
        real.bind("builds", SHOP, json!({ "role": "build_provider", "pipelines": [PIPELINE] })).await;
        real.settle().await;
        let project = real.simulator().project(SHOP).unwrap();
        let repository = real.simulator().repository(project, REPOSITORY).unwrap();
        Self { real, project, repository }
    }

    fn lose(&self, probability: f64) {
        self.real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(probability));
    }

    /// Time goes on, and what is due is delivered and translated.
    async fn pass(&self, seconds: u64) {
        self.real.pass(Duration::from_secs(seconds)).await;
        self.real.translate().await;
    }

    async fn push(&self, number: usize) {
        let comment = format!("change {number}");
        self.real.simulator().push_commit(self.repository, "main", &comment, &["/a"]).unwrap();
        self.pass(1).await;
    }

    async fn build(&self) {
        let simulator = self.real.simulator();
        let definition = simulator.definition(self.project, PIPELINE).unwrap();
        let build = simulator.queue_build(definition, "main").unwrap();
        self.pass(1).await;
        simulator.start_build(build).unwrap();
        self.pass(20).await;
        simulator.finish_build(build, "succeeded").unwrap();
        self.pass(1).await;
    }

    async fn create_item(&self) -> u32 {
        let item = self.real.simulator().create_work_item(self.project, "Bug", "It is slow").unwrap();
        self.pass(1).await;
        item
    }

    async fn revise(&self, item: u32, text: &str) {
        self.real.simulator().comment_work_item(item, text).unwrap();
        self.pass(1).await;
    }

    fn gaps(&self) -> Vec<Gap> {
        let all = self.real.gateway.store.list(kind::GAP);
        all.into_iter().map(|(_, kept)| serde_json::from_slice(&kept.value).unwrap()).collect()
    }

    /// Looks at what is missing until there is nothing more to look at.
    async fn look(&self) {
        for _ in 0..10 {
            self.pass(30).await;
            if breaks::step(&self.real.gateway.app).await == 0 && self.real.gateway.app.order.holding() == 0 {
                return;
            }
        }
    }

    async fn metric(&self, name: &str) -> u64 {
        let text = String::from_utf8(self.real.gateway.get("/metrics").await.body.to_vec()).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    }
}

fn json_of(event: &Event) -> Value {
    serde_json::from_slice(&event.json).unwrap()
}

/// The revisions of a work item in the order of their events.
fn revisions(events: &[Event], item: u32) -> Vec<i64> {
    let subject = format!("wit/workItems/{item}");
    let of = events.iter().map(json_of).filter(|event| event["subject"] == *subject);
    of.map(|event| event["data"]["customData"]["azuredevops"]["rev"].as_i64().unwrap()).collect()
}

/// Where a branch was and came to, in the order of its events.
fn moves(events: &[Event]) -> Vec<(String, String)> {
    let of = events.iter().map(json_of).filter(|event| {
        event["type"].as_str().unwrap().contains("branch.updated")
            && event["subject"].as_str().unwrap().ends_with("/refs/heads/main")
    });
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of.map(|event| {
        let content = &event["data"]["subject"]["content"];
        (text(&content["oldObjectId"]), text(&content["newObjectId"]))
    })
    .collect()
}

/// What the events of each entity have to be, whatever came in which order.
fn in_order(events: &[Event]) {
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut seen: Vec<(String, String)> = Vec::new();
    for event in events.iter().map(json_of) {
        let (kind, subject) =
            (event["type"].as_str().unwrap().to_owned(), event["subject"].as_str().unwrap().to_owned());
        let extras = &event["data"]["customData"]["azuredevops"];
        if kind.starts_with("dev.cdevents.ticket.") {
            let rev = extras["rev"].as_i64().unwrap();
            let before = last.insert(subject.clone(), rev).unwrap_or(rev);
            assert!(rev == before || rev == before + 1, "{subject}: revision {rev} after {before}");
        }
        let told = |kind: &str| seen.iter().any(|(own, of)| own.starts_with(kind) && *of == subject);
        for (end, beginning) in [
            ("dev.cdevents.pipelinerun.finished", "dev.cdevents.pipelinerun.started"),
            ("dev.cdevents.taskrun.finished", "dev.cdevents.taskrun.started"),
            ("dev.cdevents.change.merged", "dev.cdevents.change.created"),
            ("dev.cdevents.change.reviewed", "dev.cdevents.change.created"),
        ] {
            assert!(!kind.starts_with(end) || told(beginning), "{subject}: {end} before {beginning}");
        }
        seen.push((kind, subject));
    }
    for pair in moves(events).windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "a push begins where the one before it ended");
    }
}

#[tokio::test]
async fn what_is_delivered_in_any_order_becomes_events_in_order() {
    let shop = Shop::start().await;
    shop.real.simulator().fail(|faults| {
        faults.hooks.reorder = Odds::probability(0.4);
        faults.hooks.duplicate = Odds::probability(0.2);
    });
    let item = shop.create_item().await;
    for number in 0..8 {
        shop.revise(item, &format!("comment {number}")).await;
        shop.push(number).await;
        if number % 3 == 0 {
            shop.build().await;
        }
    }
    shop.look().await;
    let events = shop.real.events().await;
    in_order(&events);
    assert_eq!(revisions(&events, item).len(), 9);
    assert_eq!(moves(&events).len(), 10, "with two that are older than the binding");
    assert_eq!((shop.gaps(), shop.metric("hookwell_order_waits_exceeded_total").await), (vec![], 0));
}

#[tokio::test]
async fn what_was_lost_in_the_middle_is_found_at_once_and_comes_before_what_follows_it() {
    let shop = Shop::start().await;
    let item = shop.create_item().await;
    shop.push(0).await;
    shop.lose(1.0);
    for number in 1..4 {
        shop.revise(item, &format!("lost {number}")).await;
        shop.push(number).await;
    }
    shop.lose(0.0);
    shop.revise(item, "heard").await;
    shop.push(9).await;
    assert_eq!(revisions(&shop.real.events_so_far().await, item), [1], "what follows waits");
    shop.look().await;
    let events = shop.real.events().await;
    in_order(&events);
    assert_eq!(revisions(&events, item), [1, 2, 3, 4, 5]);
    assert_eq!(moves(&events).len(), 7, "with two that are older than the binding");
    let recovered = events.iter().filter(|event| event.header.recovered == Some(Recovered::Rest)).count();
    assert_eq!((recovered, shop.gaps()), (9, vec![]), "with those two and the making of the branch");
}

#[tokio::test]
async fn what_was_lost_before_the_first_push_that_is_heard_of_comes_before_it() {
    let shop = Shop::start().await;
    shop.lose(1.0);
    shop.push(1).await;
    shop.push(2).await;
    shop.lose(0.0);
    shop.push(3).await;
    assert_eq!(moves(&shop.real.events_so_far().await).len(), 0, "it waits");
    let before = shop.real.simulator().calls().len();
    shop.look().await;
    let events = shop.real.events().await;
    in_order(&events);
    let recovered = events.iter().filter(|event| event.header.recovered == Some(Recovered::Rest)).count();
    // The branch was made and pushed to twice within the days that a new binding is filled with.
    assert_eq!((moves(&events).len(), recovered, shop.gaps()), (5, 5, vec![]));
    let asked = shop.real.calls_since(before).iter().filter(|call| call.target.contains("/pushes")).count();
    assert_eq!(asked, 1 + recovered, "the listing of one ref, and each lost one with its commits");
}

#[tokio::test]
async fn a_ref_of_which_something_came_meanwhile_is_read_back_to_that_and_what_no_record_tells_is_a_gap() {
    for forgotten in [false, true] {
        let shop = Shop::start().await;
        let (app, simulator) = (&shop.real.gateway.app, shop.real.simulator());
        shop.lose(1.0);
        shop.push(1).await;
        shop.pass(60).await;
        let from = app.clock.now();
        shop.push(2).await;
        let to = app.clock.now();
        shop.pass(60).await;
        if forgotten {
            simulator.forget(Forget { from, to, stream: None, of: None });
        }
        shop.lose(0.0);
        shop.push(3).await;
        // What is young may be on its way, and is not missing yet.
        shop.pass(600).await;
        let request = Request { since: None, closely: true };
        let report = recover(app, shop.real.connection, request).await.unwrap();
        assert!(!report.failed, "{:?}", report.troubles);
        shop.real.translate().await;
        shop.pass(5).await;
        let before = simulator.calls().len();
        breaks::step(app).await;
        let asked = shop.real.calls_since(before).iter().filter(|call| call.target.contains("/pushes")).count();
        assert_eq!(asked, 1, "what is in the log is not read again");
        let events = shop.real.events().await;
        let gaps: Vec<String> = shop.gaps().into_iter().map(|gap| gap.what).collect();
        let last = moves(&events).pop().unwrap();
        if forgotten {
            assert_eq!(gaps, [format!("the push that left refs/heads/main at {}", last.0)]);
        } else {
            in_order(&events);
            assert_eq!(gaps, Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn the_beginning_of_a_run_and_of_a_pull_request_is_found_when_its_end_is_here() {
    let shop = Shop::start().await;
    let simulator = shop.real.simulator();
    shop.lose(1.0);
    let definition = simulator.definition(shop.project, PIPELINE).unwrap();
    let build = simulator.queue_build(definition, "main").unwrap();
    simulator.start_build(build).unwrap();
    shop.pass(20).await;
    simulator.push_commit(shop.repository, "topic", "on the side", &["/b"]).unwrap();
    let pull = simulator.create_pull_request(shop.repository, "topic", "main", "Merge me").unwrap();
    shop.pass(5).await;
    shop.lose(0.0);
    simulator.finish_build(build, "succeeded").unwrap();
    simulator.complete_pull_request(pull, false).unwrap();
    shop.pass(1).await;
    shop.look().await;
    let events = shop.real.events().await;
    in_order(&events);
    let count = |kind: &str| events.iter().filter(|event| event.header.kind.starts_with(kind)).count();
    assert_eq!(count("dev.cdevents.pipelinerun.started"), 1);
    assert_eq!(count("dev.cdevents.pipelinerun.finished"), 1);
    assert_eq!(count("dev.cdevents.change.created"), 1);
    assert_eq!(count("dev.cdevents.change.merged"), 1);
    assert_eq!(shop.gaps(), []);
}

#[tokio::test]
async fn what_is_older_than_what_we_were_to_hear_of_is_not_waited_for() {
    let real = Real::start().await;
    let project = real.simulator().project(SHOP).unwrap();
    let item = real.simulator().create_work_item(project, "Bug", "It is old").unwrap();
    // As far back as a new binding is filled, and one day more.
    real.pass(Duration::from_hours(24 * 31)).await;
    real.bind("items", SHOP, json!({ "role": "issue_provider" })).await;
    real.settle().await;
    real.simulator().comment_work_item(item, "after years").unwrap();
    real.pass(Duration::from_secs(1)).await;
    real.translate().await;
    assert_eq!(real.events_so_far().await.len(), 0);
    real.pass(Duration::from_secs(5)).await;
    breaks::step(&real.gateway.app).await;
    real.translate().await;
    assert_eq!(revisions(&real.events_so_far().await, item), [2]);
    assert_eq!(real.gateway.store.list(kind::GAP).len(), 0);
}

#[tokio::test]
async fn what_nobody_can_tell_is_a_gap_until_it_is_told_after_all() {
    let shop = Shop::start().await;
    let item = shop.create_item().await;
    shop.lose(1.0);
    shop.revise(item, "lost").await;
    shop.lose(0.0);
    let forgets =
        ["/updates", "/workitemrevisions"].map(|path| Rule::new("GET", path, When::Always, Failing::NotFound));
    shop.real.simulator().fail(|faults| faults.rules = forgets.into());
    shop.revise(item, "heard").await;
    shop.look().await;
    assert_eq!(revisions(&shop.real.events_so_far().await, item), [1, 3]);
    let gaps = shop.gaps();
    let entity = format!("wit/workItems/{item}");
    assert_eq!((gaps.len(), gaps[0].entity.as_str(), gaps[0].what.as_str()), (1, entity.as_str(), "revision 2"));
    assert_eq!((gaps[0].bindings.len(), gaps[0].after < gaps[0].before), (1, true));
    // What was known to be missing comes: the next one of the same item asks for all of it.
    shop.real.simulator().fail(|faults| faults.rules.clear());
    shop.lose(1.0);
    shop.revise(item, "lost again").await;
    shop.lose(0.0);
    shop.revise(item, "heard again").await;
    shop.look().await;
    assert_eq!(revisions(&shop.real.events_so_far().await, item), [1, 3, 2, 4, 5], "late, but there");
    shop.pass(120).await;
    breaks::step(&shop.real.gateway.app).await;
    assert_eq!(shop.gaps(), []);
}

#[tokio::test]
async fn while_azure_cannot_be_asked_what_is_early_waits_but_not_for_ever() {
    let shop = Shop::start().await;
    let item = shop.create_item().await;
    shop.lose(1.0);
    shop.revise(item, "lost").await;
    shop.lose(0.0);
    let down = Rule::new("GET", "/updates", When::Always, Failing::Unavailable);
    shop.real.simulator().fail(|faults| faults.rules = vec![down]);
    shop.revise(item, "heard").await;
    let other = shop.create_item().await;
    for _ in 0..20 {
        shop.pass(30).await;
        breaks::step(&shop.real.gateway.app).await;
    }
    let events = shop.real.events_so_far().await;
    assert_eq!((revisions(&events, item), revisions(&events, other)), (vec![1], vec![1]), "nobody else waits");
    for _ in 0..12 {
        shop.pass(30).await;
    }
    assert_eq!(revisions(&shop.real.events_so_far().await, item), [1, 3]);
    assert_eq!((shop.metric("hookwell_order_waits_exceeded_total").await, shop.gaps()), (1, vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_lost_late_or_twice_ends_in_order(
        lost in prop::collection::vec(prop::bool::weighted(0.3), 12),
        late in 0.0..0.6_f64,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let shop = Shop::start().await;
            shop.real.simulator().fail(|faults| faults.hooks.reorder = Odds::probability(late));
            let item = shop.create_item().await;
            for (number, lost) in lost.into_iter().enumerate() {
                shop.lose(f64::from(u8::from(lost)));
                if number % 2 == 0 { shop.push(number).await } else { shop.revise(item, &format!("{number}")).await }
            }
            shop.lose(0.0);
            shop.revise(item, "the last").await;
            shop.push(99).await;
            shop.look().await;
            let events = shop.real.events().await;
            in_order(&events);
            let all: Vec<i64> = (1..=8).collect();
            assert_eq!(revisions(&events, item), all);
            assert_eq!(shop.gaps(), []);
        });
    }
}

#[tokio::test]
async fn a_number_that_is_left_out_comes_back_by_the_history() {
    let shop = Shop::start().await;
    let (app, mut watch) = (&shop.real.gateway.app, quiet::Watch::default());
    let before = shop.create_item().await;
    shop.real.simulator().fail(|faults| faults.hooks.stuck = Odds::probability(1.0));
    let stuck = shop.create_item().await;
    shop.real.simulator().fail(|faults| faults.hooks.stuck = Odds::probability(0.0));
    let after = shop.create_item().await;
    quiet::step(app, &mut watch).await;
    let there = |events: &[Event]| [before, stuck, after].map(|item| revisions(events, item).len());
    assert_eq!(there(&shop.real.events().await), [1, 0, 1], "it may be on its way");
    shop.pass(300).await;
    quiet::step(app, &mut watch).await;
    let events = shop.real.events().await;
    assert_eq!(there(&events), [1, 1, 1]);
    let found = events.iter().find(|event| event.header.recovered.is_some()).unwrap();
    assert_eq!(found.header.recovered, Some(Recovered::History));
}

#[tokio::test]
async fn a_subscription_that_falls_silent_is_looked_at_and_its_rhythm_survives_a_start() {
    let shop = Shop::start().await;
    let (app, mut watch) = (&shop.real.gateway.app, quiet::Watch::default());
    for _ in 0..10 {
        shop.create_item().await;
        shop.pass(600).await;
        quiet::step(app, &mut watch).await;
    }
    assert!(!app.recover.is_asked_for(shop.real.connection));
    assert!(!shop.real.gateway.store.list(kind::RHYTHM).is_empty());
    shop.pass(3_000).await;
    quiet::step(app, &mut watch).await;
    assert!(app.recover.is_asked_for(shop.real.connection));
}
