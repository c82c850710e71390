//! The way to our own door, as seen from here, and the clock.

use super::super::{
    Findings,
    certificate::Certificate,
    reach::{Answer, Arrival, Distrust, Way, is_private},
    report::{Step, StepName, Verdict},
    words,
};
use crate::azure::client::Unreachable;
use jiff::{SignedDuration, Timestamp};
use url::{Host, Url};

/// A certificate that is good for less than this is to be renewed.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);
/// A clock that is off by more than this is to be set right.
const CLOCK_WARNING: SignedDuration = SignedDuration::from_secs(60);
/// A clock that is off by more than this makes tokens and times wrong.
const CLOCK_FAILURE: SignedDuration = SignedDuration::from_secs(300);
/// What is seen from here, and may be otherwise for Azure DevOps.
pub(super) const FROM_HERE: [StepName; 6] = [
    StepName::PublicUrl,
    StepName::Name,
    StepName::Port,
    StepName::Certificate,
    StepName::Gateway,
    StepName::Authorization,
];

pub(super) fn without_public_url() -> Vec<Step> {
    let (first, others) = (StepName::PublicUrl, FROM_HERE.into_iter().skip(1));
    let others = others.map(|name| Step::skipped(name, first));
    std::iter::once(Step::failed(first, words::no_public_url())).chain(others).collect()
}

pub(super) fn on_the_way(url: &Url, services: bool, way: &Way, now: Timestamp) -> Vec<Step> {
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
            let is_address = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
            match (services && all.iter().any(is_private), is_address) {
                (true, true) => Step::warning(StepName::Name, words::private(&listed)),
                (true, false) => {
                    Step::warning(StepName::Name, words::private(&format!("{host} is {listed} here, which")))
                }
                (false, true) => Step::ok(StepName::Name, format!("{listed} is an address and needs no name")),
                (false, false) => Step::ok(StepName::Name, format!("{host} is {listed}")),
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

pub(super) fn clock(findings: &Findings) -> Step {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_not_told_to_be_itself() {
        for (url, services, words) in [
            ("http://127.0.0.1:8080", true, "127.0.0.1 is an address within a network of your own"),
            ("http://[::1]:8080", true, "::1 is an address within a network of your own"),
            ("http://127.0.0.1:8080", false, "127.0.0.1 is an address and needs no name"),
            ("http://localhost:8080", true, "localhost is 127.0.0.1 here, which is an address within"),
            ("http://localhost:8080", false, "localhost is 127.0.0.1"),
        ] {
            let url: Url = url.parse().unwrap();
            let address = if url.host_str() == Some("[::1]") { "::1" } else { "127.0.0.1" };
            let way = Way { addresses: Ok(vec![address.parse().unwrap()]), arrival: None };
            let steps = on_the_way(&url, services, &way, Timestamp::UNIX_EPOCH);
            let name = format!("{:?}", steps.iter().find(|step| step.name == StepName::Name).unwrap());
            assert!(name.contains(words), "{url}: {name}");
        }
    }
}
