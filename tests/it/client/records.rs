//! Azure's own records as the simulated Azure DevOps keeps them: every call, pages, windows, old Servers, bad days.

use super::{client, first, secret};
use crate::azure::Azure;
use hookwell::{
    azure::{
        CollectionUrl,
        client::{
            Access, AzureDevOps, BuildDate, Credential, Failure, HistoryQuery, Host, Page, PageRequest,
            PullRequestDate, PullRequestRecord, RevisionsFrom, SubscriptionDraft, Window,
        },
    },
    clock::{Clock as _, ManualClock},
    simulator::{Failing, Options, RefChange, Rule, ServerVersion, Throttle, When, tokens},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use uuid::Uuid;

const PROJECT: &str = "Fiber Café";
const SHOP: &str = "web shop";
const MINUTE: Duration = Duration::from_mins(1);

/// An Azure DevOps whose clock is moved by hand, and a client with full access.
struct Kept {
    azure: Azure,
    clock: Arc<ManualClock>,
    client: Arc<dyn AzureDevOps>,
    project: Uuid,
    repository: Uuid,
    begun: Timestamp,
}

impl Kept {
    async fn at(options: Options) -> Self {
        let begun: Timestamp = "2026-11-04T08:00:00Z".parse().unwrap();
        let clock = Arc::new(ManualClock::new(begun));
        let azure = Azure::start(options, Arc::clone(&clock) as Arc<_>).await;
        let client = client(&Access {
            url: CollectionUrl::parse(&azure.url()).unwrap(),
            credential: Some(Credential::Pat(secret(tokens::FULL))),
            headers: Vec::new(),
            ca_bundle: None,
            proxy: None,
        });
        let project = azure.simulator.project(PROJECT).unwrap();
        let repository = azure.simulator.repository(project, SHOP).unwrap();
        clock.advance(MINUTE);
        Self { azure, clock, client, project, repository, begun }
    }

    async fn new() -> Self {
        Self::at(Options::services("fabrikam")).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// From the beginning until now.
    fn today(&self) -> Window {
        Window { from: self.begun, to: self.now() + Duration::from_secs(1) }
    }

    fn push(&self, comment: &str) -> (u32, Timestamp) {
        let push = self.azure.simulator.push_commit(self.repository, "main", comment, &["/a"]).unwrap();
        let at = self.now();
        self.clock.advance(MINUTE);
        (push, at)
    }

    fn pull_request(&self, n: usize) -> u32 {
        let (simulator, branch) = (&self.azure.simulator, format!("topic/{n}"));
        simulator.push_commit(self.repository, &branch, "An idea", &["/idea"]).unwrap();
        let number = simulator.create_pull_request(self.repository, &branch, "main", "An idea").unwrap();
        self.clock.advance(MINUTE);
        number
    }

    fn build(&self, result: &'static str) -> u32 {
        let simulator = &self.azure.simulator;
        let definition = simulator.definition(self.project, "web shop CI").unwrap();
        let number = simulator.queue_build(definition, "main").unwrap();
        self.clock.advance(MINUTE);
        simulator.start_build(number).unwrap();
        self.clock.advance(MINUTE);
        for stage in ["Build", "Deploy to production"] {
            simulator.start_stage(number, stage).unwrap();
            simulator.finish_stage(number, stage, "succeeded").unwrap();
        }
        simulator.finish_build(number, result).unwrap();
        self.clock.advance(MINUTE);
        number
    }

    fn asked(&self, path: &str) -> usize {
        self.azure.simulator.calls().iter().filter(|call| call.target.contains(path)).count()
    }
}

/// All pages of a list, and how many there were.
async fn all<T>(items_max: u32, mut page: impl AsyncFnMut(PageRequest) -> Result<Page<T>, Failure>) -> (Vec<T>, usize) {
    let (mut from, mut found, mut pages) = (None, Vec::new(), 0);
    loop {
        let got = page(PageRequest { items_max, from }).await.unwrap();
        pages += 1;
        found.extend(got.items);
        from = got.next;
        if from.is_none() {
            return (found, pages);
        }
    }
}

fn numbers(found: &[PullRequestRecord]) -> Vec<i64> {
    let mut numbers: Vec<i64> = found.iter().map(|one| one.id).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[tokio::test]
async fn pushes_come_with_what_they_moved_and_as_azure_wrote_them() {
    let kept = Kept::new().await;
    let made: Vec<(u32, Timestamp)> = (0..5).map(|n| kept.push(&format!("Step {n}"))).collect();
    let ask = async |page| kept.client.pushes(PROJECT, SHOP, None, kept.today(), page).await;
    let (found, pages) = all(2, ask).await;
    assert_eq!(pages, 3);
    let expected: Vec<i64> = made.iter().rev().map(|(push, _)| i64::from(*push)).collect();
    assert_eq!(found.iter().map(|push| push.id).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|push| push.ref_updates[0].name == "refs/heads/main"));
    assert_eq!(found[0].ref_updates[0].old_object_id, found[1].ref_updates[0].new_object_id);
    assert_eq!(found[0].date, made[4].1);

    let one = kept.client.push(PROJECT, SHOP, found[0].id).await.unwrap();
    assert_eq!((one.id, &one.ref_updates), (found[0].id, &found[0].ref_updates));
    let json: serde_json::Value = serde_json::from_str(one.json.get()).unwrap();
    assert_eq!(json["commits"][0]["comment"], "Step 4");
    // Not one byte of it is ours.
    let raw = |json: &str| json.contains(&format!(r#""pushId":{}"#, one.id));
    assert!(raw(one.json.get()) && raw(found[0].json.get()), "{}", found[0].json.get());
}

#[tokio::test]
async fn a_window_holds_its_beginning_and_not_its_end() {
    let kept = Kept::new().await;
    let made: Vec<(u32, Timestamp)> = (0..4).map(|n| kept.push(&format!("Step {n}"))).collect();
    let second = Duration::from_micros(1);
    for (from, to, expected) in [
        (made[1].1, made[3].1, &made[1..3]),
        (made[1].1 + second, made[3].1 + second, &made[2..4]),
        (made[1].1 - second, made[2].1 - second, &made[1..2]),
        (made[1].1, made[1].1, &[]),
    ] {
        let found = kept.client.pushes(PROJECT, SHOP, None, Window { from, to }, first(10)).await.unwrap();
        let found: Vec<i64> = found.items.iter().rev().map(|push| push.id).collect();
        assert_eq!(found, expected.iter().map(|(push, _)| i64::from(*push)).collect::<Vec<_>>(), "{from} {to}");
    }
}

#[tokio::test]
async fn what_is_pushed_between_two_pages_hides_nothing() {
    let kept = Kept::new().await;
    let made: Vec<i64> = (0..6).map(|n| i64::from(kept.push(&format!("Step {n}")).0)).collect();
    let window = Window { to: kept.now() + Duration::from_hours(1), ..kept.today() };
    let ask = async |page| {
        let got = kept.client.pushes(PROJECT, SHOP, None, window, page).await;
        kept.push("Meanwhile");
        got
    };
    let (found, _) = all(2, ask).await;
    assert!(made.iter().all(|push| found.iter().any(|found| found.id == *push)), "{made:?} {found:?}");
}

#[tokio::test]
async fn pull_requests_are_found_by_either_date_on_every_server() {
    for (options, knows_time) in [
        (Options::services("fabrikam"), true),
        (Options::server("Coll", ServerVersion::V2019), false),
        (Options::server("Coll", ServerVersion::V2022), false),
        (Options::server("Coll", ServerVersion::V2022_1), true),
    ] {
        let kept = Kept::at(options).await;
        let old = kept.pull_request(0);
        let from = kept.now();
        let made: Vec<u32> = (1..5).map(|n| kept.pull_request(n)).collect();
        kept.azure.simulator.complete_pull_request(old, true).unwrap();
        kept.azure.simulator.abandon_pull_request(made[1]).unwrap();
        kept.clock.advance(MINUTE);
        let window = Window { from, to: kept.now() };
        let list = async |by| {
            let ask = async |page| kept.client.pull_requests(PROJECT, SHOP, by, window, page).await;
            numbers(&all(2, ask).await.0)
        };
        let expected: Vec<i64> = made.iter().copied().map(i64::from).collect();
        assert_eq!(list(PullRequestDate::Created).await, expected, "{knows_time}");
        assert_eq!(list(PullRequestDate::Closed).await, [i64::from(old), i64::from(made[1])], "{knows_time}");
        assert_eq!(kept.asked("queryTimeRangeType") > 0, knows_time);
    }
}

#[tokio::test]
async fn a_server_that_knows_no_dates_is_not_paged_through_beyond_the_window() {
    let kept = Kept::at(Options::server("Coll", ServerVersion::V2022)).await;
    for n in 0..12 {
        kept.pull_request(n);
    }
    let window = Window { from: kept.now(), to: kept.now() + Duration::from_hours(1) };
    let new = kept.pull_request(12);
    let before = kept.asked("/pullrequests?");
    let ask = async |page| kept.client.pull_requests(PROJECT, SHOP, PullRequestDate::Created, window, page).await;
    assert_eq!(numbers(&all(2, ask).await.0), [i64::from(new)]);
    assert_eq!(kept.asked("/pullrequests?") - before, 2, "one page with it, one of those before");
}

#[tokio::test]
async fn a_pull_request_is_told_with_its_pushes_and_comments() {
    let kept = Kept::new().await;
    let simulator = &kept.azure.simulator;
    let number = kept.pull_request(1);
    simulator.push_commit(kept.repository, "topic/1", "Once more", &["/idea"]).unwrap();
    let again = kept.now();
    kept.clock.advance(MINUTE);
    simulator.comment_pull_request(number, "Why not?").unwrap();
    let commented = kept.now();
    let number = i64::from(number);

    let one = kept.client.pull_request(PROJECT, number).await.unwrap();
    assert_eq!((one.id, one.repository, one.status.as_str(), one.closed), (number, kept.repository, "active", None));
    let iterations = kept.client.iterations(PROJECT, SHOP, number).await.unwrap();
    assert_eq!(iterations.iter().map(|one| one.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((iterations[0].created, iterations[1].created), (one.created, again));
    assert!(one.json.get().contains(&iterations[1].source_commit));
    let comments = kept.client.comments(PROJECT, SHOP, number).await.unwrap();
    let told: Vec<_> = comments.iter().map(|one| (one.thread, one.id, one.last_updated)).collect();
    assert_eq!(told, [(1, 1, commented)]);
    assert_eq!(comments[0].comment_type, "text");
    assert!(comments[0].json.get().contains(r#""content":"Why not?""#));

    let missing = kept.client.pull_request(PROJECT, 4_711).await.unwrap_err();
    assert!(matches!(missing, Failure::NotFound { .. }), "{missing:?}");
}

#[tokio::test]
async fn one_that_is_closed_between_two_pages_hides_no_open_one() {
    let kept = Kept::new().await;
    let open: Vec<u32> = (0..6).map(|n| kept.pull_request(n)).collect();
    let mut closed = open.clone();
    let ask = async |page| {
        let got = kept.client.active_pull_requests(PROJECT, SHOP, page).await;
        // The newest one: those after it move up.
        if let Some(newest) = closed.pop().filter(|_| closed.len() > 4) {
            kept.azure.simulator.abandon_pull_request(newest).unwrap();
        }
        got
    };
    let found = numbers(&all(2, ask).await.0);
    assert!(open.iter().all(|number| found.contains(&i64::from(*number))), "{open:?} {found:?}");
}

#[tokio::test]
async fn builds_come_oldest_first_by_any_of_their_dates() {
    let kept = Kept::new().await;
    let made: Vec<i64> = ["succeeded", "failed", "canceled"].map(|result| i64::from(kept.build(result))).to_vec();
    let simulator = &kept.azure.simulator;
    let nightly = simulator.definition(kept.project, "nightly").unwrap();
    let other = i64::from(simulator.run_build(nightly, "main", "succeeded").unwrap());
    let ci = i64::from(simulator.definition(kept.project, "web shop CI").unwrap());
    let waiting = i64::from(simulator.queue_build(u32::try_from(ci).unwrap(), "main").unwrap());
    let list = async |definitions: &[i64], by| {
        let ask = async |page| kept.client.builds(PROJECT, definitions, by, kept.today(), page).await;
        let (found, pages) = all(2, ask).await;
        (found.iter().map(|build| build.id).collect::<Vec<_>>(), pages)
    };
    assert_eq!(list(&[ci], BuildDate::Finished).await, (made.clone(), 2));
    let finished: Vec<i64> = made.iter().copied().chain([other]).collect();
    assert_eq!(list(&[], BuildDate::Finished).await.0, finished);
    assert_eq!(list(&[], BuildDate::Started).await.0, finished);
    let queued: Vec<i64> = finished.iter().copied().chain([waiting]).collect();
    assert_eq!(list(&[], BuildDate::Queued).await.0, queued);
    // Where Azure's own token for the next page does not help.
    simulator.fail(|faults| faults.build_tokens_say_nothing = true);
    assert_eq!(list(&[], BuildDate::Finished).await.0, finished);
    assert_eq!(list(&[], BuildDate::Queued).await.0, queued);
    simulator.fail(|faults| faults.build_tokens_say_nothing = false);
    // More pipelines than a URL holds: picked here.
    let many: Vec<i64> = (1_000..1_200).chain([ci]).collect();
    assert_eq!(list(&many, BuildDate::Finished).await.0, made);

    let one = kept.client.build(PROJECT, made[1]).await.unwrap();
    assert_eq!(
        (one.id, one.definition, one.repository.as_deref()),
        (made[1], ci, Some(kept.repository.to_string().as_str()))
    );
    assert!(one.queued < one.started && one.started < one.finished, "{one:?}");
    assert!(one.json.get().contains(r#""result":"failed""#));
}

#[tokio::test]
async fn a_timeline_has_stages_and_their_jobs_and_what_never_began_has_none() {
    let kept = Kept::new().await;
    let number = i64::from(kept.build("succeeded"));
    let timeline = kept.client.timeline(PROJECT, number).await.unwrap();
    let stage = timeline.iter().find(|one| one.kind == "Stage" && one.name == "Build").unwrap();
    assert_eq!((stage.state.as_str(), stage.result.as_deref(), stage.attempt), ("completed", Some("succeeded"), 1));
    assert!(stage.started.is_some() && stage.finished.is_some() && stage.identifier.is_some());
    let job = timeline.iter().find(|one| one.kind == "Job" && one.name == "Build job").unwrap();
    assert!(timeline.iter().any(|one| Some(&one.id) == job.parent_id.as_ref()), "{timeline:?}");
    let ci = kept.azure.simulator.definition(kept.project, "web shop CI").unwrap();
    let waiting = kept.azure.simulator.queue_build(ci, "main").unwrap();
    assert_eq!(kept.client.timeline(PROJECT, waiting.into()).await.unwrap(), []);
    let missing = kept.client.timeline(PROJECT, 4_711).await.unwrap_err();
    assert!(matches!(missing, Failure::NotFound { .. }), "{missing:?}");
}

#[tokio::test]
async fn releases_and_deployments_are_read_from_their_host() {
    for options in [Options::services("fabrikam"), Options::server("Coll", ServerVersion::V2020)] {
        let kept = Kept::at(options).await;
        let simulator = &kept.azure.simulator;
        let build = kept.build("succeeded");
        let from = kept.now();
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(simulator.create_release(1, build).unwrap());
            kept.clock.advance(MINUTE);
        }
        let middle = kept.now();
        simulator.start_deployment(made[0], "Staging", None).unwrap();
        kept.clock.advance(MINUTE);
        simulator.finish_deployment(made[0], "Staging", "rejected").unwrap();
        simulator.start_deployment(made[0], "Staging", None).unwrap();
        simulator.abandon_release(made[2]).unwrap();
        let abandoned = kept.now();
        kept.clock.advance(MINUTE);

        let window = Window { from, to: kept.now() };
        let releases = all(2, async |page| kept.client.releases(PROJECT, window, page).await).await.0;
        let told: Vec<_> = releases.iter().map(|one| (one.id, one.status.as_str())).collect();
        let number = |at: usize| i64::from(made[at]);
        assert_eq!(told, [(number(0), "active"), (number(1), "active"), (number(2), "abandoned")]);
        assert_eq!((releases[2].modified, releases[2].definition), (abandoned, 1));
        assert!(releases[0].json.get().contains(r#""environments":["#));
        let one = kept.client.release(PROJECT, number(2)).await.unwrap();
        assert_eq!((one.status.as_str(), one.created), ("abandoned", releases[2].created));

        let deployments = all(1, async |page| kept.client.deployments(PROJECT, window, page).await).await.0;
        let told: Vec<_> = deployments.iter().map(|one| (one.release, one.attempt, one.status.as_str())).collect();
        assert_eq!(told, [(number(0), 1, "failed"), (number(0), 2, "inProgress")]);
        assert_eq!((deployments[0].started, deployments[1].completed), (Some(middle), None));
        assert!(deployments[0].completed.is_some() && deployments[0].definition == 1);
        let before = Window { from, to: middle };
        assert_eq!(kept.client.deployments(PROJECT, before, first(9)).await.unwrap().items.len(), 0);
    }
}

#[tokio::test]
async fn revisions_are_read_on_from_where_they_ended_also_of_what_was_deleted() {
    let kept = Kept::new().await;
    let simulator = &kept.azure.simulator;
    let from = kept.now();
    let kept_item = simulator.create_work_item(kept.project, "Bug", "The espresso is cold").unwrap();
    simulator.move_work_item(kept_item, "Active").unwrap();
    let gone = simulator.create_work_item(kept.project, "Task", "Heat it").unwrap();
    simulator.delete_work_item(gone).unwrap();
    let got = kept.client.revisions(PROJECT, &RevisionsFrom::Time(from)).await.unwrap();
    let told: Vec<_> = got.values.iter().map(|one| (one.id, one.rev)).collect();
    let (a, b) = (i64::from(kept_item), i64::from(gone));
    assert_eq!((told, got.is_last), (vec![(a, 1), (a, 2), (b, 1), (b, 2)], true));
    assert!(got.values.iter().all(|one| one.changed.is_some_and(|at| at >= from)));
    assert!(got.values[0].json.get().contains(r#""uniqueName":"ana@fabrikam.example""#), "{}", got.values[0].json);

    simulator.comment_work_item(kept_item, "Still cold").unwrap();
    let bookmark = RevisionsFrom::Bookmark(got.next);
    let told = kept.client.revisions(PROJECT, &bookmark).await.unwrap();
    assert!(told.values[0].json.get().contains(r#""System.History":"Still cold""#), "{}", told.values[0].json);

    let bookmark = RevisionsFrom::Bookmark(told.next);
    let none = kept.client.revisions(PROJECT, &bookmark).await.unwrap();
    assert!(none.values.is_empty() && none.is_last);
    for n in 0..550 {
        let edit = hookwell::simulator::Edit::Set(n.into());
        simulator.update_work_item(kept_item, "", &[("Custom.Count".to_owned(), edit)]).unwrap();
    }
    let first = kept.client.revisions(PROJECT, &bookmark).await.unwrap();
    assert_eq!((first.values.len(), first.is_last, first.values[0].rev), (500, false, 4));
    let rest = kept.client.revisions(PROJECT, &RevisionsFrom::Bookmark(first.next)).await.unwrap();
    assert_eq!((rest.values.len(), rest.is_last, rest.values[49].rev), (50, true, 553));

    let updates = kept.client.updates(PROJECT, a, 1).await.unwrap();
    assert_eq!((updates.len(), updates[0].rev), (200, 2));
    assert!(updates[0].json.get().contains(r#""System.State":{"newValue":"Active","oldValue":"New"}"#));
    let rest = kept.client.updates(PROJECT, a, updates[199].rev).await.unwrap();
    assert_eq!((rest.len(), rest.first().unwrap().rev, rest.last().unwrap().rev), (200, 202, 401));
    let rest = kept.client.updates(PROJECT, a, 401).await.unwrap();
    assert_eq!((rest.len(), rest.first().unwrap().rev, rest.last().unwrap().rev), (152, 402, 553));
    assert!(kept.client.updates(PROJECT, a, 553).await.unwrap().is_empty());
}

fn hook(project: Uuid, url: &str) -> SubscriptionDraft {
    let inputs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    SubscriptionDraft {
        publisher: "tfs".into(),
        event_type: "git.push".into(),
        resource_version: "1.0".into(),
        publisher_inputs: inputs(&[("projectId", &project.to_string())]),
        consumer_inputs: inputs(&[("url", url), ("basicAuthUsername", "a-hook")]),
        password: secret("hook-password"),
    }
}

#[tokio::test]
async fn the_history_says_what_failed_and_what_it_would_have_been() {
    let kept = Kept::new().await;
    let simulator = &kept.azure.simulator;
    // Nobody listens there: it fails, and counts as something that passes.
    simulator.fail(|faults| faults.hooks.silence = hookwell::simulator::Silence::Enduring);
    let made = kept.client.create_subscription(&hook(kept.project, "http://127.0.0.1:1/hooks")).await.unwrap();
    let foreign = kept.client.create_subscription(&hook(kept.project, "http://127.0.0.1:1/other")).await.unwrap();
    simulator.fail(|faults| faults.hooks.on_probation = hookwell::simulator::OnProbation::Everything);
    let from = kept.now();
    let pushes: Vec<(u32, Timestamp)> = (0..3).map(|n| kept.push(&format!("Step {n}"))).collect();
    simulator.hooks().settle().await;
    let query = HistoryQuery {
        subscriptions: vec![made.id.clone()],
        within: Window { from, to: kept.now() },
        result: Some("failed"),
        results_max: 100,
        with_details: true,
    };
    let found = kept.client.history(Host::Main, &query).await.unwrap().values;
    let told: Vec<_> = found.iter().map(|one| (one.id, one.created, one.status.as_str())).collect();
    let expected: Vec<_> = pushes.iter().zip(1..).map(|((_, at), n)| (n, *at, "completed")).collect();
    assert_eq!(told, expected);
    assert!(found.iter().all(|one| one.subscription == made.id && one.error.is_some()));
    let event: serde_json::Value = serde_json::from_str(found[0].event.as_ref().unwrap().get()).unwrap();
    assert_eq!(event["resource"]["pushId"], pushes[0].0);
    assert_eq!(found[0].event_id.as_deref(), event["id"].as_str());

    let narrow = Window { from: pushes[1].1, to: pushes[2].1 };
    let plain = HistoryQuery { within: narrow, with_details: false, result: None, ..query.clone() };
    let some = kept.client.history(Host::Main, &plain).await.unwrap().values;
    assert_eq!(some.iter().map(|one| (one.id, one.event.is_some())).collect::<Vec<_>>(), [(2, false)]);
    let both = HistoryQuery { subscriptions: vec![made.id.clone(), foreign.id], ..query.clone() };
    assert_eq!(kept.client.history(Host::Main, &both).await.unwrap().values.len(), 6);
    let none = HistoryQuery { result: Some("succeeded"), ..query };
    assert_eq!(kept.client.history(Host::Main, &none).await.unwrap().values.len(), 0);

    let one = kept.client.notification(Host::Main, &made.id, 2).await.unwrap();
    assert_eq!((one.id, one.result.as_str()), (2, "failed"));
    assert_eq!(one.event_id, found[1].event_id);
    simulator.fail(|faults| faults.hooks.history_without_events = true);
    let bare = kept.client.notification(Host::Main, &made.id, 2).await.unwrap();
    assert!(bare.event.is_none() && bare.error.is_some());
}

#[tokio::test]
async fn a_test_notification_is_asked_for_and_followed() {
    let kept = Kept::new().await;
    kept.azure.simulator.fail(|faults| faults.hooks.silence = hookwell::simulator::Silence::Enduring);
    let draft = hook(kept.project, "http://127.0.0.1:1/hooks");
    let number = kept.client.send_test(&draft).await.unwrap();
    kept.azure.simulator.hooks().settle().await;
    let told = kept.client.test(Host::Main, number).await.unwrap();
    assert_eq!((told.id, told.result.as_str(), told.status.as_str()), (number, "failed", "completed"));
    assert!(told.error.is_some() && told.event.is_some());
    let wrong = SubscriptionDraft { event_type: "git.shove".into(), ..draft };
    let failure = kept.client.send_test(&wrong).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused { .. } | Failure::NotFound { .. }), "{failure:?}");
}

#[tokio::test]
async fn no_record_is_taken_from_an_answer_that_is_none() {
    let kept = Kept::new().await;
    kept.push("Step");
    let pushes = || kept.client.pushes(PROJECT, SHOP, None, kept.today(), first(10));
    for (failing, expected) in [
        (Failing::Html, "web page"),
        (Failing::OtherShape, "value is not a list"),
        (Failing::Broken, "no JSON"),
        (Failing::Throttled(Throttle::Block { retry_after_seconds: Some(40) }), "asks to wait 40 s"),
    ] {
        kept.azure.simulator.fail(|faults| {
            faults.rules = vec![Rule::new("GET", "/pushes", When::Always, failing)];
        });
        let failure = pushes().await.unwrap_err();
        assert!(failure.to_string().contains(expected), "{failing:?}: {failure}");
    }
    let kept = Kept::new().await;
    kept.client.pushes(PROJECT, SHOP, None, kept.today(), first(10)).await.unwrap();
    kept.azure.simulator.fail(|faults| {
        (faults.credentials_dead, faults.suppress_is_ignored) = (true, true);
    });
    let failure = kept.client.builds(PROJECT, &[], BuildDate::Finished, kept.today(), first(10)).await.unwrap_err();
    assert!(matches!(failure, Failure::Unauthorized { .. }), "a 203 page: {failure:?}");
}

#[tokio::test]
async fn every_record_is_read_on_the_oldest_server() {
    let kept = Kept::at(Options::server("Coll", ServerVersion::V2019)).await;
    let branch = RefChange::Create { branch: "old".to_owned() };
    kept.azure.simulator.push(kept.repository, "", &[branch]).unwrap();
    let build = i64::from(kept.build("succeeded"));
    let item = i64::from(kept.azure.simulator.create_work_item(kept.project, "Bug", "Old").unwrap());
    let today = kept.today();
    assert_eq!(kept.client.pushes(PROJECT, SHOP, None, today, first(9)).await.unwrap().items.len(), 1);
    let builds = kept.client.builds(PROJECT, &[], BuildDate::Finished, today, first(9)).await.unwrap();
    assert_eq!(builds.items.iter().map(|own| own.id).collect::<Vec<_>>(), [build]);
    assert!(!kept.client.timeline(PROJECT, build).await.unwrap().is_empty());
    let revisions = kept.client.revisions(PROJECT, &RevisionsFrom::Time(today.from)).await.unwrap();
    assert_eq!(revisions.values.iter().map(|own| own.id).collect::<Vec<_>>(), [item]);
    assert_eq!(kept.client.updates(PROJECT, item, 0).await.unwrap().len(), 1);
    assert!(kept.azure.simulator.calls().iter().all(|call| call.status < 400 || call.target.ends_with("OPTIONS")));
}
