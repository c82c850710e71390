//! Everything of Azure DevOps that nobody could tell, or that is told in two ways, is a switch of the simulator. Here are the
//! other sides of all of them; the weeks and the story pass on each side.

use hookwell::simulator::{
    CommitsPagedBy, Faults, OnProbation, Oversized, Refusal, ScopeRefusal, Silence, UnknownPublisher, Unviewed,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// Turns a switch.
pub(crate) type Turn = fn(&mut Faults);

/// A switch by its field, with another side than the default one.
pub(crate) type Side = (&'static str, Turn);

/// Switches whose sides hide one another stand in one list, all others in lists of their own.
const LISTS: [&[Side]; 22] = [
    &[
        ("refusal", |it| it.refusal = Refusal::Redirect),
        ("refusal", |it| it.refusal = Refusal::Unauthorized),
        ("suppress_is_ignored", |it| it.suppress_is_ignored = true),
    ],
    &[
        ("scope_refusal", |it| it.scope_refusal = ScopeRefusal::Forbidden),
        ("scope_refusal", |it| it.scope_refusal = ScopeRefusal::SignInPage),
    ],
    &[("permissions_need_full_access", |it| it.permissions_need_full_access = true)],
    &[
        ("commits_paged_by", |it| it.commits_paged_by = CommitsPagedBy::Query),
        ("commits_paged_by", |it| it.commits_paged_by = CommitsPagedBy::Body),
    ],
    &[("build_tokens_say_nothing", |it| it.build_tokens_say_nothing = true)],
    &[("audit_log_is_below_value", |it| it.audit_log_is_below_value = true)],
    &[("hooks.on_probation", |it| it.hooks.on_probation = OnProbation::Everything)],
    &[("hooks.silence", |it| it.hooks.silence = Silence::Enduring)],
    &[("hooks.an_id_per_subscription", |it| it.hooks.an_id_per_subscription = true)],
    &[("hooks.without_trace_headers", |it| it.hooks.without_trace_headers = true)],
    &[
        ("hooks.history_without_events", |it| it.hooks.history_without_events = true),
        ("hooks.history_resources_are_words", |it| it.hooks.history_resources_are_words = true),
        ("hooks.history_requests_without_body", |it| it.hooks.history_requests_without_body = true),
        ("hooks.history_results_max", |it| it.hooks.history_results_max = Some(100)),
        ("hooks.history_oldest_first", |it| {
            (it.hooks.history_oldest_first, it.hooks.history_results_max) = (true, Some(100));
        }),
    ],
    &[("hooks.history_days", |it| it.hooks.history_days = Some(14))],
    &[
        ("hooks.oversized", |it| (it.hooks.oversized, it.hooks.payload_bytes_max) = (Oversized::IsSent, Some(1))),
        ("hooks.push_commits_max", |it| it.hooks.push_commits_max = Some(1)),
    ],
    &[("hooks.pull_refs_fire_push", |it| it.hooks.pull_refs_fire_push = true)],
    &[("hooks.drafts_pass_no_filter", |it| it.hooks.drafts_pass_no_filter = true)],
    &[("hooks.comments_tell_the_latest_revision", |it| it.hooks.comments_tell_the_latest_revision = true)],
    &[("hooks.first_attempts_ids_stay", |it| it.hooks.first_attempts_ids_stay = true)],
    &[("hooks.runs_end_later_milliseconds", |it| it.hooks.runs_end_later_milliseconds = 2_300)],
    &[("hooks.started_deployments_have_steps", |it| it.hooks.started_deployments_have_steps = true)],
    &[
        ("hooks.unviewed", |it| it.hooks.unviewed = Unviewed::Absent),
        ("hooks.unviewed", |it| it.hooks.unviewed = Unviewed::Own),
        ("hooks.delete_needs_its_own_right", |it| it.hooks.delete_needs_its_own_right = true),
    ],
    &[
        ("hooks.listed_late_seconds", |it| it.hooks.listed_late_seconds = Some(120)),
        ("hooks.known_late_seconds", |it| {
            (it.hooks.known_late_seconds, it.hooks.listed_late_seconds) = (Some(60), Some(120));
        }),
    ],
    &[
        ("hooks.unknown_publisher", |it| it.hooks.unknown_publisher = UnknownPublisher::NotFound),
        ("hooks.unknown_publisher", |it| it.hooks.unknown_publisher = UnknownPublisher::BadRequest),
        ("hooks.unknown_publisher", |it| it.hooks.unknown_publisher = UnknownPublisher::Internal),
    ],
];

/// Every side, in as few rounds as there are sides in the longest list: a round turns one of each list. Each is a round of its
/// own where `HOOKWELL_SWITCHES` is `all`, and one alone where it is its name (`make switches`).
pub(crate) fn rounds() -> Vec<Vec<Side>> {
    let alone = |side: &Side| vec![*side];
    let every = LISTS.iter().flat_map(|list| list.iter());
    match std::env::var("HOOKWELL_SWITCHES").ok().as_deref() {
        Some("all") => every.map(alone).collect(),
        Some(only) => every.filter(|(name, _)| *name == only).map(alone).collect(),
        None => {
            let rounds = LISTS.iter().map(|list| list.len()).max().unwrap_or_default();
            (0..rounds).map(|at| LISTS.iter().filter_map(|list| list.get(at).copied()).collect()).collect()
        }
    }
}

/// Turns all switches of a round.
pub(crate) fn turn(round: &[Side], faults: &mut Faults) {
    for (_, turn) in round {
        turn(faults);
    }
}

/// Their names, for whoever reads of a failure.
pub(crate) fn named(round: &[Side]) -> String {
    round.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Switches that are no question of how the real one is, but a bad day of it, which the weeks have by themselves or other tests.
const BAD_DAYS: [&str; 13] = [
    "credentials_dead",
    "delay_milliseconds",
    "rate_limit",
    "subscription_listing_delay_milliseconds",
    "rules",
    "forget",
    "hooks.duplicate",
    "hooks.reorder",
    "hooks.stuck",
    "hooks.lose",
    "hooks.latency_milliseconds",
    // Of real time.
    "hooks.timeout_milliseconds",
    // Documented: what happens beyond it is the switch.
    "hooks.payload_bytes_max",
];

/// Switches that would refuse any gateway of a test, which stands on this machine: `simulator::hooks::subscriptions` turns them.
const ELSEWHERE: [&str; 2] = ["hooks.basic_needs_https", "hooks.private_targets_refused"];

#[test]
fn every_switch_of_the_simulator_has_its_other_side_in_the_table_or_is_a_bad_day() {
    let all = serde_json::to_value(Faults::default()).unwrap();
    let mut names: Vec<String> = Vec::new();
    for (name, value) in all.as_object().unwrap() {
        match (name.as_str(), value) {
            ("hooks", Value::Object(own)) => names.extend(own.keys().map(|name| format!("hooks.{name}"))),
            _ => names.push(name.clone()),
        }
    }
    let sides: Vec<Side> = LISTS.iter().flat_map(|list| list.iter().copied()).collect();
    let switches: BTreeSet<&str> = sides.iter().map(|(name, _)| *name).collect();
    let known: Vec<&str> = switches.into_iter().chain(BAD_DAYS).chain(ELSEWHERE).collect();
    for name in &names {
        assert!(known.contains(&name.as_str()), "{name} is in no table");
    }
    assert_eq!(names.len(), known.len());
    for side in &sides {
        let mut turned = Faults::default();
        turn(&[*side], &mut turned);
        assert_ne!(turned, Faults::default(), "{}", side.0);
    }
    let of_rounds: usize = rounds().iter().map(Vec::len).sum();
    assert!(std::env::var_os("HOOKWELL_SWITCHES").is_some() || of_rounds == sides.len());
}
