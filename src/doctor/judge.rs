//! From what was found to steps. Pure: the same findings give the same words.

mod way;

use self::way::{FROM_HERE, clock, on_the_way, without_public_url};
use super::{
    Findings, Subscriptions, Translation,
    heard::heard,
    report::{Step, StepName, Verdict},
    round_trip::{Fate, RoundTrip},
    words,
};
use crate::{
    app::checks::advice::{self, Advice},
    azure::client::{Deployment, Failure},
    domain::{AzureScope, Connection, Delivery, Grant, Health, HealthState, HookMode, ScopeHealth, Why},
    reconcile::{Report as Reconciled, TroubleKind},
    store::Status,
};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use url::Url;

/// Notifications that wait longer than this are late.
const LATE: SignedDuration = SignedDuration::from_secs(60);

const SCOPES: [AzureScope; 6] = [
    AzureScope::ProjectAndTeam,
    AzureScope::Code,
    AzureScope::Build,
    AzureScope::WorkItems,
    AzureScope::Release,
    AzureScope::ServiceHooks,
];
/// Every step but the last.
pub(super) fn before_the_round_trip(
    public_url: Option<&Url>,
    connection: &Connection,
    findings: &Findings,
) -> Vec<Step> {
    let mut steps = match (public_url, &findings.way) {
        _ if connection.delivery == Delivery::Poll => FROM_HERE.map(polled).to_vec(),
        (Some(url), Some(way)) => on_the_way(url, is_services(connection, &findings.health), way, findings.began),
        _ => without_public_url(),
    };
    steps.push(clock(findings));
    steps.extend(at_azure(connection, &findings.health));
    steps.push(subscriptions(connection, &steps, findings.subscriptions.as_ref()));
    steps.extend(here(findings));
    steps
}

/// A step that only deliveries need.
pub(super) fn polled(name: StepName) -> Step {
    Step::new(name, Verdict::Skipped(None), "not needed: this connection is polled")
}

fn is_services(connection: &Connection, health: &Health) -> bool {
    health.deployment.map_or_else(|| advice::is_services(connection), |found| found == Deployment::Services)
}

/// What keeps us out, where something does; that a scope is missing does not.
pub(super) fn entry(health: &Health) -> Option<Advice> {
    let lacks = |found: &ScopeHealth| found.required && found.grant == Grant::Missing;
    if health.state == HealthState::Enabled || health.scopes.iter().any(lacks) {
        return None;
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(Advice { cause: text(&health.cause), remedy: text(&health.remedy) })
}

fn at_azure(connection: &Connection, health: &Health) -> Vec<Step> {
    let name = StepName::AzureDevops;
    if let Some(advice) = entry(health) {
        let verdict = match health.state {
            HealthState::Unchecked => Verdict::Warning(advice),
            _ => Verdict::Failed(advice),
        };
        let scopes = SCOPES.map(|scope| Step::skipped(StepName::Scope(scope), name));
        return std::iter::once(Step::new(name, verdict, "")).chain(scopes).collect();
    }
    let identity = health.identity.as_ref().and_then(|own| own.account.as_ref().or(own.display_name.as_ref()));
    let us = identity.map_or_else(|| "it is reached".to_owned(), |who| format!("we are {who} there"));
    let version = health.api_version.map(|version| format!(", version {version} of the API")).unwrap_or_default();
    let entered = Step::ok(name, format!("{us}: {}{version}", connection.url));
    std::iter::once(entered).chain(health.scopes.iter().map(|found| scope(connection, found))).collect()
}

fn scope(connection: &Connection, found: &ScopeHealth) -> Step {
    let (name, called) = (StepName::Scope(found.scope), advice::name(found.scope));
    let is_of_hooks = found.scope == AzureScope::ServiceHooks;
    let detail = found.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let missing = || Advice::new(format!("{called} is missing{detail}"), advice::how_to_grant(found.scope, connection));
    match found.grant {
        Grant::Ok => Step::ok(name, format!("{called} is there")),
        Grant::NotNeeded => Step::ok(name, format!("{called} is not needed")),
        Grant::Missing if found.required && !(is_of_hooks && connection.delivery == Delivery::Poll) => {
            Step::failed(name, missing())
        }
        Grant::Missing => Step::warning(name, missing()),
        Grant::Unknown => Step::warning(name, words::scope_unknown(called, &detail, advice::needed_for(found.scope))),
    }
}

fn subscriptions(connection: &Connection, steps: &[Step], found: Option<&Subscriptions>) -> Step {
    let name = StepName::Subscriptions;
    let (report, known, expected) = match found {
        Some(Subscriptions::Looked { report, known, expected }) => (report, *known, *expected),
        Some(Subscriptions::Unanswered) => return Step::failed(name, words::not_compared()),
        None => {
            let entered = steps.iter().any(|step| step.name == StepName::AzureDevops && step.verdict == Verdict::Ok);
            let because = if entered { StepName::Scope(AzureScope::ServiceHooks) } else { StepName::AzureDevops };
            return Step::skipped(name, because);
        }
    };
    let wrong = wrong(report);
    if !wrong.is_empty() {
        return Step::failed(name, words::subscriptions_wrong(connection.id, &wrong));
    }
    // What a binding selects and nobody finds is not polled either.
    let hard = report.troubles.iter().find(|trouble| trouble.kind != TroubleKind::NoReleases);
    if let Some(trouble) = hard {
        return Step::failed(name, words::trouble(connection.id, &trouble.detail));
    }
    if connection.delivery == Delivery::Poll {
        return polled(name);
    }
    if connection.hooks == HookMode::Manual && expected > 0 {
        return Step::warning(name, words::manual_silent(connection.id, expected, known));
    }
    if let Some(trouble) = report.troubles.first() {
        return Step::warning(name, words::trouble(connection.id, &trouble.detail));
    }
    let spare = report.steps.len();
    if spare > 0 {
        return Step::warning(name, words::subscriptions_untidy(connection.id, spare));
    }
    match known {
        0 => Step::ok(name, "nothing is bound, so none are wanted"),
        known => Step::ok(name, format!("all {known} are as they should be")),
    }
}

/// What is wrong with how many that are wanted, by Azure's event types.
fn wrong(report: &Reconciled) -> BTreeMap<Why, Vec<&str>> {
    let mut wrong: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for step in report.steps.iter().filter(|step| matches!(step.what, "create" | "replace" | "leave")) {
        wrong.entry(step.why).or_default().push(&step.event_type);
    }
    wrong
}

fn here(findings: &Findings) -> [Step; 2] {
    let store = match &findings.store {
        Status::Ready => Step::ok(StepName::Store, "it takes notifications"),
        Status::NotReady(reason) => Step::failed(StepName::Store, words::store(reason)),
    };
    let name = StepName::Translation;
    let translation = match &findings.translation {
        _ if store.verdict != Verdict::Ok => Step::skipped(name, StepName::Store),
        Translation::Unknown(reason) => Step::failed(name, words::store(reason)),
        known @ Translation::Known { waiting, oldest: Some(oldest), .. } if known.stands_still() => {
            Step::failed(name, words::stands_still(*waiting, *oldest))
        }
        Translation::Known { dead, .. } if *dead > 0 => Step::warning(name, words::dead(*dead)),
        Translation::Known { waiting, oldest: Some(oldest), .. } if *oldest > LATE => {
            Step::warning(name, words::late(*waiting, *oldest))
        }
        Translation::Known { waiting, .. } => Step::ok(name, format!("{waiting} notifications wait")),
    };
    [store, translation]
}

/// What keeps a test notification from being sent or kept.
pub(super) fn hindrance(steps: &[Step]) -> Option<StepName> {
    let hinders = |step: &&Step| match (step.name, &step.verdict) {
        (StepName::AzureDevops, verdict) => *verdict != Verdict::Ok,
        (StepName::Scope(AzureScope::ServiceHooks) | StepName::Store, verdict) => matches!(verdict, Verdict::Failed(_)),
        _ => false,
    };
    steps.iter().find(hinders).map(|step| step.name)
}

/// A test notification arrived: what failed on the way from here does not for Azure DevOps.
pub(super) fn believe(steps: &mut [Step]) {
    for step in steps.iter_mut().filter(|step| FROM_HERE.contains(&step.name)) {
        if let Verdict::Failed(advice) = &step.verdict {
            step.verdict = Verdict::Warning(words::only_from_here(advice));
        }
    }
}

/// The last step.
pub(super) fn round_trip(connection: &Connection, url: &Url, went: &RoundTrip) -> Step {
    let name = StepName::RoundTrip;
    let advice = match went {
        RoundTrip::Arrived { took, translated: true, unreadable: None } => {
            let seconds = took.as_secs_f64();
            return Step::ok(name, words::arrived(seconds));
        }
        RoundTrip::Arrived { unreadable: Some(reason), .. } => words::events_unreadable(reason),
        RoundTrip::Arrived { translated: false, .. } => words::untranslated(),
        RoundTrip::Lost(Fate::Delivered) => words::delivered_elsewhere(url),
        RoundTrip::Lost(Fate::Unsaid) => words::lost(url, connection),
        RoundTrip::Lost(Fate::Failed(said)) => words::not_delivered(url, said, heard(said), connection),
        RoundTrip::NotSent(Failure::Forbidden { .. }) if connection.hooks == HookMode::Manual => {
            return Step::warning(name, words::press_test());
        }
        RoundTrip::NotSent(Failure::Forbidden { detail, .. }) => words::may_not_test(detail.as_deref(), connection),
        RoundTrip::NotSent(Failure::Refused { detail, .. }) => words::not_taken(url, detail.as_deref()),
        RoundTrip::NotSent(failure) => advice::on(failure, connection),
        RoundTrip::NoProject(failure) => return Step::warning(name, words::no_project(failure.as_ref())),
        RoundTrip::Unreadable(reason) => words::store(reason),
    };
    Step::failed(name, advice)
}
