//! Each switch of the simulator that a survey can see, both ways: the report says how the simulator is set.

use super::World;
use hookwell::{
    simulator::{
        CommitsPagedBy, Faults, Options, Refusal, ScopeRefusal, ServerVersion, UnknownPublisher, Unviewed, tokens,
    },
    survey::QUESTIONS,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Switches whose judgement is tested alone: what shows them is made by a scratch project's pull request, or takes many
/// seconds of silence.
const JUDGED_ALONE: [&str; 2] = ["hooks.drafts_pass_no_filter", "hooks.timeout_milliseconds"];

/// Switches, how they are set, and how the report says it.
type Row = (&'static str, fn(&mut Faults), Value);

fn dotted(faults: &Value) -> BTreeSet<String> {
    let members = faults.as_object().unwrap();
    let named = |(name, value): (&String, &Value)| match value {
        Value::Object(inner) => inner.keys().map(|own| format!("{name}.{own}")).collect(),
        _ => vec![name.clone()],
    };
    members.iter().flat_map(named).collect()
}

/// The report says this of these switches and of no others, and the simulator takes it.
fn says(survey: &Value, expected: &Value, switches: &str) {
    assert_eq!(survey["state"], "done", "{switches}: {survey:#}");
    let told = &survey["report"]["faults"];
    let names: BTreeSet<String> = switches.split_whitespace().map(str::to_owned).collect();
    assert_eq!(dotted(told), names, "{:#}", survey["lines"]);
    // How late something is depends on the machine.
    if !switches.contains("late_seconds") {
        assert_eq!(told, expected, "{:#}", survey["lines"]);
    }
    let taken: Result<Faults, _> = serde_json::from_value(told.clone());
    assert!(taken.is_ok(), "{taken:?}");
}

fn entry() -> Vec<Row> {
    vec![
        ("", |_| {}, json!({})),
        (
            "suppress_is_ignored refusal",
            |faults| (faults.suppress_is_ignored, faults.refusal) = (true, Refusal::SignInPage),
            json!({ "suppress_is_ignored": true, "refusal": "sign_in_page" }),
        ),
        (
            "suppress_is_ignored refusal",
            |faults| (faults.suppress_is_ignored, faults.refusal) = (true, Refusal::Redirect),
            json!({ "suppress_is_ignored": true, "refusal": "redirect" }),
        ),
        (
            "permissions_need_full_access",
            |faults| faults.permissions_need_full_access = true,
            json!({ "permissions_need_full_access": true }),
        ),
        (
            "scope_refusal",
            |faults| faults.scope_refusal = ScopeRefusal::Forbidden,
            json!({ "scope_refusal": "forbidden" }),
        ),
        (
            "scope_refusal",
            |faults| faults.scope_refusal = ScopeRefusal::SignInPage,
            json!({ "scope_refusal": "sign_in_page" }),
        ),
        (
            "commits_paged_by",
            |faults| faults.commits_paged_by = CommitsPagedBy::Query,
            json!({ "commits_paged_by": "query" }),
        ),
        (
            "commits_paged_by",
            |faults| faults.commits_paged_by = CommitsPagedBy::Body,
            json!({ "commits_paged_by": "body" }),
        ),
        (
            "hooks.unknown_publisher",
            |faults| faults.hooks.unknown_publisher = UnknownPublisher::BadRequest,
            json!({ "hooks": { "unknown_publisher": "bad_request" } }),
        ),
        (
            "hooks.unknown_publisher",
            |faults| faults.hooks.unknown_publisher = UnknownPublisher::Internal,
            json!({ "hooks": { "unknown_publisher": "internal" } }),
        ),
    ]
}

fn history() -> Vec<Row> {
    vec![
        ("", |_| {}, json!({})),
        (
            "hooks.history_without_events",
            |faults| faults.hooks.history_without_events = true,
            json!({ "hooks": { "history_without_events": true } }),
        ),
        (
            "hooks.history_resources_are_words",
            |faults| faults.hooks.history_resources_are_words = true,
            json!({ "hooks": { "history_resources_are_words": true } }),
        ),
        (
            "hooks.history_requests_without_body",
            |faults| faults.hooks.history_requests_without_body = true,
            json!({ "hooks": { "history_requests_without_body": true } }),
        ),
        (
            "hooks.history_days",
            |faults| faults.hooks.history_days = Some(14),
            json!({ "hooks": { "history_days": 11 } }),
        ),
        (
            "hooks.history_results_max",
            |faults| faults.hooks.history_results_max = Some(3),
            json!({ "hooks": { "history_results_max": 3 } }),
        ),
        (
            "hooks.history_oldest_first",
            |faults| faults.hooks.history_oldest_first = true,
            json!({ "hooks": { "history_oldest_first": true } }),
        ),
        (
            "hooks.an_id_per_subscription",
            |faults| faults.hooks.an_id_per_subscription = true,
            json!({ "hooks": { "an_id_per_subscription": true } }),
        ),
        (
            "hooks.without_trace_headers",
            |faults| faults.hooks.without_trace_headers = true,
            json!({ "hooks": { "without_trace_headers": true } }),
        ),
        (
            "hooks.pull_refs_fire_push",
            |faults| faults.hooks.pull_refs_fire_push = true,
            json!({ "hooks": { "pull_refs_fire_push": true } }),
        ),
        (
            "hooks.push_commits_max hooks.history_days",
            |faults| (faults.hooks.push_commits_max, faults.hooks.history_days) = (Some(1), Some(14)),
            json!({ "hooks": { "push_commits_max": 1, "history_days": 11 } }),
        ),
    ]
}

fn scratch() -> Vec<(Option<u32>, Row)> {
    const ALL: Option<u32> = None;
    // View 1, Edit 2, Delete 4.
    let (unseen, no_delete) = (Some(6), Some(3));
    vec![
        (ALL, ("", |_| {}, json!({}))),
        (unseen, ("", |_| {}, json!({}))),
        (no_delete, ("", |_| {}, json!({}))),
        (
            ALL,
            (
                "hooks.known_late_seconds",
                |faults| faults.hooks.known_late_seconds = Some(1),
                json!({ "hooks": { "known_late_seconds": 2 } }),
            ),
        ),
        (
            ALL,
            (
                "hooks.listed_late_seconds",
                |faults| faults.hooks.listed_late_seconds = Some(1),
                json!({ "hooks": { "listed_late_seconds": 2 } }),
            ),
        ),
        (
            unseen,
            (
                "hooks.unviewed",
                |faults| faults.hooks.unviewed = Unviewed::Absent,
                json!({ "hooks": { "unviewed": "absent" } }),
            ),
        ),
        (
            unseen,
            (
                "hooks.unviewed",
                |faults| faults.hooks.unviewed = Unviewed::Own,
                json!({ "hooks": { "unviewed": "own" } }),
            ),
        ),
        (
            ALL,
            (
                "hooks.basic_needs_https",
                |faults| faults.hooks.basic_needs_https = true,
                json!({ "hooks": { "basic_needs_https": true } }),
            ),
        ),
        (
            ALL,
            (
                "hooks.private_targets_refused",
                |faults| faults.hooks.private_targets_refused = true,
                json!({ "hooks": { "private_targets_refused": true } }),
            ),
        ),
        (
            no_delete,
            (
                "hooks.delete_needs_its_own_right",
                |faults| faults.hooks.delete_needs_its_own_right = true,
                json!({ "hooks": { "delete_needs_its_own_right": true } }),
            ),
        ),
    ]
}

#[tokio::test]
async fn a_switch_of_the_way_in_shows_in_the_report() {
    for (switches, set, expected) in entry() {
        let world = World::start(Options::services("fabrikam"), tokens::WITHOUT_RELEASE).await;
        world.fail(set);
        says(&world.survey(None).await, &expected, switches);
    }
    // Where all publishers are on one host, one that is not known is known not to be.
    let world = World::start(Options::server("Coll", ServerVersion::V2019), tokens::FULL).await;
    world.fail(|faults| faults.hooks.unknown_publisher = UnknownPublisher::NotFound);
    let expected = json!({ "hooks": { "unknown_publisher": "not_found" } });
    says(&world.survey(None).await, &expected, "hooks.unknown_publisher");
}

#[tokio::test]
async fn a_switch_of_the_history_shows_in_the_report() {
    for (switches, set, expected) in history() {
        let mut world = World::in_the_past(Options::services("fabrikam"), tokens::FULL).await;
        world.fail(set);
        world.busy().await;
        says(&world.survey(None).await, &expected, switches);
    }
}

#[tokio::test]
async fn a_switch_of_new_hooks_shows_in_the_report() {
    for (bits, (switches, set, expected)) in scratch() {
        let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
        if let Some(bits) = bits {
            world.simulator().allow_hooks("ana@fabrikam.example", None, bits);
        }
        world.fail(set);
        says(&world.survey(Some("Fiber Café")).await, &expected, switches);
    }
}

#[test]
fn each_switch_that_a_survey_can_see_is_in_a_table() {
    let rows: Vec<Row> =
        entry().into_iter().chain(history()).chain(scratch().into_iter().map(|(_, row)| row)).collect();
    let tested: BTreeSet<&str> =
        rows.iter().flat_map(|(switches, ..)| switches.split_whitespace()).chain(JUDGED_ALONE).collect();
    let seen: BTreeSet<&str> = QUESTIONS.iter().flat_map(|question| question.switches).copied().collect();
    assert_eq!(tested, seen);
    for name in seen {
        let all = json!(Faults::default());
        let found = all.pointer(&format!("/{}", name.replace('.', "/")));
        assert!(found.is_some(), "{name} is no switch of the simulator");
    }
}
