//! From what was found to steps. Pure: the same findings give the same words.

use super::{
    Findings, Subscriptions, Translation,
    certificate::Certificate,
    reach::{Answer, Arrival, Distrust, Way, is_private},
    report::{Step, StepName, Verdict},
    round_trip::{Fate, RoundTrip},
    words,
};
use crate::{
    app::checks::advice::{self, Advice},
    azure::client::{Deployment, Failure, Unreachable},
    domain::{AzureScope, Connection, Grant, Health, HealthState, HookMode, ScopeHealth},
    reconcile::{Report as Reconciled, TroubleKind},
    store::Status,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use url::Url;

/// A certificate that is good for less than this is to be renewed.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A clock that is off by more than this is to be set right.
const CLOCK_WARNING: SignedDuration = SignedDuration::from_secs(60);
/// A clock that is off by more than this makes tokens and times wrong.
const CLOCK_FAILURE: SignedDuration = SignedDuration::from_secs(300);
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
/// What is seen from here, and may be otherwise for Azure DevOps.
const FROM_HERE: [StepName; 6] = [
    StepName::PublicUrl,
    StepName::Name,
    StepName::Port,
    StepName::Certificate,
    StepName::Gateway,
    StepName::Authorization,
];

/// Every step but the last.
pub(super) fn before_the_round_trip(
    public_url: Option<&Url>,
    connection: &Connection,
    findings: &Findings,
) -> Vec<Step> {
    let mut steps = match (public_url, &findings.way) {
        (Some(url), Some(way)) => on_the_way(url, is_services(connection, &findings.health), way, findings.began),
        _ => without_public_url(),
    };
    steps.push(clock(findings));
    steps.extend(at_azure(connection, &findings.health));
    steps.push(subscriptions(connection, &steps, findings.subscriptions.as_ref()));
    steps.extend(here(findings));
    steps
}

fn is_services(connection: &Connection, health: &Health) -> bool {
    health.deployment.map_or_else(|| advice::is_services(connection), |found| found == Deployment::Services)
}

fn without_public_url() -> Vec<Step> {
    let (first, others) = (StepName::PublicUrl, FROM_HERE.into_iter().skip(1));
    let others = others.map(|name| Step::skipped(name, first));
    std::iter::once(Step::failed(first, words::no_public_url())).chain(others).collect()
}

fn on_the_way(url: &Url, services: bool, way: &Way, now: Timestamp) -> Vec<Step> {
    let public_url = match (url.scheme(), services) {
        ("https", _) => Step::ok(StepName::PublicUrl, format!("it is {url}")),
        (_, true) => Step::failed(StepName::PublicUrl, words::plain(url)),
        (_, false) => Step::warning(StepName::PublicUrl, words::plain(url)),
    };
    let host = url.host_str().unwrap_or_default();
    let name = match &way.addresses {
        Err(why) => Step::failed(StepName::Name, words::no_such_name(host, why)),
        Ok(all) => {
            let listed = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            if services && all.iter().any(is_private) {
                Step::warning(StepName::Name, words::private(host, &listed))
            } else {
                Step::ok(StepName::Name, format!("{host} is {listed}"))
            }
        }
    };
    let mut steps = vec![public_url, name];
    match &way.arrival {
        None => steps.extend(FROM_HERE[2..].iter().map(|step| Step::skipped(*step, StepName::Name))),
        Some(arrival) => steps.extend(at_the_door(url, services, arrival, now)),
    }
    steps
}

fn at_the_door(url: &Url, services: bool, arrival: &Arrival, now: Timestamp) -> [Step; 4] {
    use StepName::{Authorization, Certificate, Gateway, Port};
    if let Answer::Nobody(at, why) = &arrival.answer {
        return match at {
            Unreachable::Tls => [
                Step::ok(Port, "somebody listens there"),
                Step::failed(Certificate, words::no_tls(url, why)),
                Step::skipped(Gateway, Certificate),
                Step::skipped(Authorization, Certificate),
            ],
            _ => [
                Step::failed(Port, words::nobody_listens(url, why)),
                Step::skipped(Certificate, Port),
                Step::skipped(Gateway, Port),
                Step::skipped(Authorization, Port),
            ],
        };
    }
    let gateway = match &arrival.answer {
        Answer::Somebody { status, to, title, server } => Step::failed(
            Gateway,
            words::somebody_else(url, *status, to.as_deref(), title.as_deref(), server.as_deref()),
        ),
        Answer::OtherGateway => Step::failed(Gateway, words::other_gateway(url)),
        _ => Step::ok(Gateway, "this gateway answers there"),
    };
    let authorization = match &arrival.answer {
        Answer::Ours { authorization: true } => Step::ok(Authorization, "the header Authorization arrives"),
        Answer::Ours { authorization: false } => Step::failed(Authorization, words::stripped()),
        _ => Step::skipped(Authorization, Gateway),
    };
    [Step::ok(Port, "somebody listens there"), certificate(url, services, arrival, now), gateway, authorization]
}

fn certificate(url: &Url, services: bool, arrival: &Arrival, now: Timestamp) -> Step {
    let (name, host) = (StepName::Certificate, url.host_str().unwrap_or_default());
    if url.scheme() != "https" {
        return Step::new(name, Verdict::Skipped(Some(StepName::PublicUrl)), "");
    }
    match (&arrival.certificate, &arrival.distrust) {
        (Some(Certificate { until, .. }), _) if *until < now => Step::failed(name, words::expired(host, *until)),
        (Some(Certificate { from, .. }), _) if *from > now => Step::failed(name, words::not_yet(host, *from)),
        (Some(Certificate { for_others: Some(names), .. }), _) => Step::failed(name, words::for_others(host, names)),
        (_, Some(distrust)) => {
            let why = match distrust {
                Distrust::Issuer => "nobody that is trusted here issued it",
                Distrust::Other(why) => why,
            };
            let advice = words::untrusted(host, why, services);
            if services { Step::failed(name, advice) } else { Step::warning(name, advice) }
        }
        (Some(Certificate { until, .. }), None) if until.duration_since(now) < EXPIRES_SOON => {
            Step::warning(name, words::expires_soon(host, *until))
        }
        (Some(Certificate { until, .. }), None) => Step::ok(name, format!("it is trusted here and good until {until}")),
        (None, None) => Step::ok(name, "it is trusted here"),
    }
}

fn clock(findings: &Findings) -> Step {
    let name = StepName::Clock;
    let door = findings.way.as_ref().and_then(|way| way.arrival.as_ref()?.ahead);
    let (whose, ahead) = match (findings.ahead, door) {
        (Some(ahead), Some(door)) if ahead.abs() <= CLOCK_WARNING && door.abs() > CLOCK_WARNING => {
            return Step::warning(name, words::door_clock(door));
        }
        (Some(ahead), _) => ("Azure DevOps", ahead),
        (None, Some(door)) => ("whoever answers at the public URL", door),
        (None, None) => return Step::skipped(name, StepName::AzureDevops),
    };
    match ahead.abs() {
        off if off > CLOCK_FAILURE => Step::failed(name, words::clock(whose, ahead)),
        off if off > CLOCK_WARNING => Step::warning(name, words::clock(whose, ahead)),
        _ => Step::ok(name, format!("it agrees with that of {whose} to within a minute")),
    }
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
    let detail = found.detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let missing = || Advice::new(format!("{called} is missing{detail}"), advice::how_to_grant(found.scope, connection));
    match found.grant {
        Grant::Ok => Step::ok(name, format!("{called} is there")),
        Grant::NotNeeded => Step::ok(name, format!("{called} is not needed")),
        Grant::Missing if found.required => Step::failed(name, missing()),
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
            let failed = |step: &&Step| step.name == StepName::AzureDevops && step.verdict == Verdict::Ok;
            let entered = steps.iter().any(|step| failed(&step));
            let because = if entered { StepName::Scope(AzureScope::ServiceHooks) } else { StepName::AzureDevops };
            return Step::skipped(name, because);
        }
    };
    // What a person has to switch on, what did not deliver, what is not there: the first of them is what to do.
    let wrong = wrong(report);
    if !wrong.is_empty() {
        return Step::failed(name, words::subscriptions_wrong(connection.id, &wrong));
    }
    let hard = report.troubles.iter().find(|trouble| trouble.kind != TroubleKind::NoReleases);
    if let Some(trouble) = hard {
        return Step::failed(name, words::trouble(connection.id, &trouble.detail));
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
fn wrong(report: &Reconciled) -> BTreeMap<crate::domain::Why, Vec<&str>> {
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
        RoundTrip::Lost(Fate::Unsaid) => words::lost(url),
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

/// What Azure's text about a delivery that failed comes down to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// This status was answered.
    Status(u16),
    /// The certificate was not accepted.
    Tls,
    /// The name was not known.
    Name,
    /// There was no answer in time.
    Silence,
    /// No connection.
    Connect,
    /// Something else.
    Other,
}

/// The text is .NET's and in the server's language; what is not understood is repeated as it is.
fn heard(text: &str) -> Heard {
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if let Some(status) = status(text) {
        Heard::Status(status)
    } else if says(&["certificate", "ssl", "tls", "trust relationship", "secure channel"]) {
        Heard::Tls
    } else if says(&[
        "could not be resolved",
        "no such host",
        "name or service not known",
        "dns error",
        "name resolution",
    ]) {
        Heard::Name
    } else if says(&["in time", "timed out", "timeout", "was canceled"]) {
        Heard::Silence
    } else if says(&["refused", "unable to connect", "could not be reached", "unreachable"]) {
        Heard::Connect
    } else {
        Heard::Other
    }
}

/// A number of three digits from 300 to 599 that stands alone: a port has a colon before it.
fn status(text: &str) -> Option<u16> {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !":.-_/".contains(c));
    let digits = text.char_indices().filter(|(_, c)| c.is_ascii_digit());
    digits.map(|(at, _)| at).find_map(|at| {
        let number = text.get(at..at + 3)?;
        let alone = is_edge(text[..at].chars().next_back()) && is_word_end(&text[at + 3..]);
        number.parse().ok().filter(|status| alone && (300..600).contains(status))
    })
}

fn is_word_end(rest: &str) -> bool {
    rest.chars().next().is_none_or(|c| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_azure_says_of_a_failed_delivery_is_understood() {
        for (text, meaning) in [
            ("Unauthorized (401)", Heard::Status(401)),
            ("Response status code does not indicate success: 404 (Not Found).", Heard::Status(404)),
            ("Found (302)", Heard::Status(302)),
            ("The remote name could not be resolved: 'hooks.example.com'", Heard::Name),
            ("Could not establish trust relationship for the SSL/TLS secure channel.", Heard::Tls),
            (
                "the receiver could not be reached: client error (Connect): invalid peer certificate: Expired",
                Heard::Tls,
            ),
            ("the receiver could not be reached: tcp connect error: Connection refused (os error 111)", Heard::Connect),
            ("No connection could be made because the target machine actively refused it 10.0.0.1:443", Heard::Connect),
            ("The operation has timed out.", Heard::Silence),
            ("Etwas anderes ging schief", Heard::Other),
            ("12345 and 4015", Heard::Other),
        ] {
            assert_eq!(heard(text), meaning, "{text}");
        }
    }
}
