//! What people are told: why a step failed, and the one thing to do about it. Words only; no decision is made here.

mod delivery;

pub(super) use self::delivery::{delivered_elsewhere, lost, not_delivered};
use crate::{
    app::checks::advice::{Advice, how_to_grant},
    azure::client::Failure,
    domain::{AzureScope, Connection, ConnectionId, Why},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// Most event types that are named.
const TYPES_NAMED_MAX: usize = 3;
const RESTART: &str = "Restart the gateway: nothing is lost by it. If it stands still again, its log says at what.";
const NO_REDIRECT: &str = "Take the path /hooks/ out of the redirect or sign-in of what stands before the gateway: Azure DevOps follows none.";

pub(super) fn no_public_url() -> Advice {
    Advice::new(
        "the gateway was not told where Azure DevOps reaches it",
        "Start it with --public-url (HOOKWELL_PUBLIC_URL), such as https://hooks.example.com.",
    )
}

pub(super) fn plain(url: &Url) -> Advice {
    Advice::new(
        format!("the public URL {url} is http, and Azure DevOps sends credentials over https only"),
        "Put a certificate before the gateway (a proxy that has one, or --tls-cert and --tls-key), and start it with the https \
         URL as --public-url.",
    )
}

pub(super) fn no_such_name(host: &str, why: &str) -> Advice {
    Advice::new(
        format!("the name {host} of the public URL has no address here: {why}"),
        format!(
            "Correct --public-url if it is misspelt; else make an entry for {host} in the DNS that Azure DevOps asks."
        ),
    )
}

pub(super) fn private(address: &str) -> Advice {
    Advice::new(
        format!("{address} is an address within a network of your own, where the cloud does not deliver to"),
        "See that the name has a public address outside, at which a proxy or a tunnel leads to the gateway, and give that name \
         as --public-url.",
    )
}

pub(super) fn nobody_listens(url: &Url, why: &str) -> Advice {
    Advice::new(
        format!("nothing answers at {url}: {why}"),
        "Start what stands before the gateway (proxy, load balancer, port forwarding), or open the firewall for its port.",
    )
}

pub(super) fn no_tls(url: &Url, why: &str) -> Advice {
    Advice::new(
        format!("no TLS connection to {url} comes about: {why}"),
        "See that what listens there speaks https: give it a certificate, or the gateway itself with --tls-cert and --tls-key.",
    )
}

pub(super) fn expired(host: &str, until: Timestamp) -> Advice {
    Advice::new(
        format!("the certificate of {host} has expired: it was good until {until}"),
        "Renew it, and see that it is renewed by itself from then on.",
    )
}

pub(super) fn not_yet(host: &str, from: Timestamp) -> Advice {
    Advice::new(
        format!("the certificate of {host} is not good yet, by the clock of this machine: it is from {from} on"),
        "Set this machine's clock right if it is wrong; else put the certificate in place that is good today.",
    )
}

pub(super) fn expires_soon(host: &str, until: Timestamp) -> Advice {
    Advice::new(format!("the certificate of {host} expires soon: it is good until {until}"), "Renew it before.")
}

pub(super) fn for_others(host: &str, names: &[String]) -> Advice {
    let listed = if names.is_empty() { String::new() } else { format!(", but for {}", names.join(", ")) };
    Advice::new(
        format!("the certificate is not for the name {host}{listed}"),
        format!("Get one that names {host}, or start the gateway with a name of the certificate as --public-url."),
    )
}

pub(super) fn untrusted(host: &str, why: &str, services: bool) -> Advice {
    let cause = format!("the certificate of {host} is not trusted: {why}");
    if services {
        Advice::new(
            cause,
            "Use one of a public authority, such as Let's Encrypt, with its intermediate certificates in the chain: the cloud \
             trusts no other.",
        )
    } else {
        Advice::new(
            cause,
            "If the round trip fails for it, import the authority's certificate on the Azure DevOps Server (Trusted Root \
             Certification Authorities), or set accept_untrusted_certs of the connection to true; in a hook that is made by \
             hand, tick Accept untrusted SSL certificates.",
        )
    }
}

pub(super) fn somebody_else(
    url: &Url,
    status: u16,
    to: Option<&str>,
    title: Option<&str>,
    server: Option<&str>,
) -> Advice {
    let to = to.map(|host| format!(", sends to {host}")).unwrap_or_default();
    let title = title.map(|title| format!(", page “{title}”")).unwrap_or_default();
    let server = server.map(|server| format!(", server {server}")).unwrap_or_default();
    let cause = format!("it is not this gateway that answers at {url} (status {status}{to}{title}{server})");
    let remedy = match status {
        300..=399 => NO_REDIRECT,
        401 | 403 => {
            "Let requests to /hooks/ pass without a sign-in of what stands before the gateway: the gateway checks them itself."
        }
        502..=504 => "Point what stands before the gateway to the address that the gateway listens on.",
        _ => {
            "Point --public-url to where the gateway is reached, or have what stands there pass /hooks/ on to the gateway with \
             its path unchanged."
        }
    };
    Advice::new(cause, remedy)
}

pub(super) fn other_gateway(url: &Url) -> Advice {
    Advice::new(
        format!("at {url} answers a Hookwell with other keys than this one"),
        "Stop the other one or give each a public URL of its own; if it is to be this one, see that it runs on the same data \
         directory.",
    )
}

pub(super) fn stripped() -> Advice {
    Advice::new(
        "what stands before the gateway does not pass the header Authorization on, so every delivery is answered 401",
        "Have it pass Authorization on for /hooks/ (nginx: proxy_set_header Authorization $http_authorization; no auth_basic \
         there).",
    )
}

fn off(ahead: SignedDuration) -> String {
    let way = if ahead.is_negative() { "ahead of" } else { "behind" };
    let seconds = ahead.abs().as_secs();
    if seconds < 120 { format!("{seconds} seconds {way}") } else { format!("{} minutes {way}", seconds / 60) }
}

pub(super) fn clock(whose: &str, ahead: SignedDuration) -> Advice {
    Advice::new(
        format!("this machine's clock is {} that of {whose}", off(ahead)),
        "Have it set by NTP (timedatectl set-ntp true).",
    )
}

pub(super) fn door_clock(ahead: SignedDuration) -> Advice {
    Advice::new(
        format!(
            "this machine's clock agrees with that of Azure DevOps, but is {} that of what stands before the gateway",
            off(ahead)
        ),
        "Have the clock of that machine set by NTP.",
    )
}

pub(super) fn scope_unknown(called: &str, detail: &str, needed_for: &str) -> Advice {
    Advice::new(
        format!("whether {called} is there could not be found out{detail}. {needed_for}"),
        "Nothing now: it is tried again by itself.",
    )
}

pub(super) fn not_compared() -> Advice {
    Advice::new(
        "the subscriptions could not be compared in time: Azure DevOps is slow, or they are being looked after just now",
        "Ask again in a minute.",
    )
}

/// What is wrong, and of which event types.
pub(super) fn subscriptions_wrong(connection: ConnectionId, wrong: &BTreeMap<Why, Vec<&str>>) -> Advice {
    let named = |(why, types): (&Why, &Vec<&str>)| {
        let different: BTreeSet<&str> = types.iter().copied().collect();
        let more = different.len().saturating_sub(TYPES_NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let listed = different.into_iter().take(TYPES_NAMED_MAX).collect::<Vec<_>>().join(", ");
        format!("{} {} ({listed}{more})", types.len(), ailment(*why))
    };
    let cause =
        format!("of the subscriptions that are wanted, {}", wrong.iter().map(named).collect::<Vec<_>>().join("; "));
    let restricted = [Why::OnProbation, Why::DisabledBySystem];
    let now = format!("POST /v1/subscriptions/reconcile?connection={connection}");
    let remedy = if wrong.contains_key(&Why::DisabledByUser) {
        "Enable what a person switched off again, in the project's settings at Azure DevOps under Service hooks: it is not \
         touched for them."
            .to_owned()
    } else if restricted.iter().any(|why| wrong.contains_key(why)) {
        format!(
            "Mend what the steps above and the round trip find, for deliveries failed; then {now} makes them anew, as happens \
             by itself within minutes."
        )
    } else {
        format!("{now} makes them right at once and says what hinders it; it happens by itself within minutes.")
    };
    Advice::new(cause, remedy)
}

fn ailment(why: Why) -> &'static str {
    match why {
        Why::Missing => "missing",
        Why::Found => "not recorded",
        Why::Url => "delivering to another URL",
        Why::Inputs => "filtered in another way",
        Why::Version => "of another resource version",
        Why::Generation => "with the password of another generation",
        Why::Owner => "made by somebody else",
        Why::OnProbation => "on probation after failures",
        Why::DisabledBySystem => "disabled by Azure DevOps after failures",
        Why::DisabledByInactiveIdentity => "disabled because their owner is gone",
        Why::DisabledByUser => "disabled by a person",
        Why::Duplicate => "there twice",
        Why::Undesired => "not wanted any more",
    }
}

pub(super) fn trouble(connection: ConnectionId, detail: &str) -> Advice {
    Advice::new(
        detail,
        format!("Do what it says; GET /v1/subscriptions?connection={connection} has it for each of them."),
    )
}

pub(super) fn manual_silent(connection: ConnectionId, silent: usize, known: usize) -> Advice {
    Advice::new(
        format!(
            "of {known} hooks that a person is to make, nothing has arrived through {silent} since they are expected"
        ),
        format!("See that they are made: GET /v1/subscriptions?connection={connection} says how each of them is."),
    )
}

pub(super) fn subscriptions_untidy(connection: ConnectionId, steps: usize) -> Advice {
    Advice::new(
        format!("all that are wanted deliver, but {steps} are to be recorded or removed"),
        format!(
            "Nothing: it happens by itself; POST /v1/subscriptions/reconcile?connection={connection} does it at once."
        ),
    )
}

pub(super) fn store(reason: &str) -> Advice {
    Advice::new(
        format!("notifications cannot be stored, so Azure DevOps is answered 503: {reason}"),
        "Make room on the data directory's disk, or make it writable again; the gateway goes on by itself.",
    )
}

pub(super) fn stands_still(waiting: u64, oldest: SignedDuration) -> Advice {
    Advice::new(
        format!(
            "the translation stands still: {waiting} notifications wait, the oldest for {} minutes",
            oldest.as_mins()
        ),
        RESTART,
    )
}

pub(super) fn late(waiting: u64, oldest: SignedDuration) -> Advice {
    Advice::new(
        format!("the translation is late: {waiting} notifications wait, the oldest for {} seconds", oldest.as_secs()),
        "Nothing, if much arrives just now; else give the gateway more of a processor.",
    )
}

pub(super) fn dead(count: usize) -> Advice {
    Advice::new(
        format!("{count} notifications could not be translated"),
        "GET /v1/notifications?state=dead says why each of them; they are kept, and a newer release may understand them.",
    )
}

pub(super) fn arrived(seconds: f64) -> String {
    format!(
        "a test notification of Azure DevOps arrived after {seconds:.1} s, was kept as a test, which becomes no event, and \
         passed the translation; the events can be read up to the newest"
    )
}

pub(super) fn events_unreadable(reason: &str) -> Advice {
    Advice::new(
        format!("a test notification arrived, but the events cannot be read: {reason}"),
        "Look at the gateway's disk and log; what is kept is not touched.",
    )
}

pub(super) fn untranslated() -> Advice {
    Advice::new("a test notification arrived and is kept, but the translation does not get to it", RESTART)
}

pub(super) fn press_test() -> Advice {
    Advice::new(
        "the credential may not ask Azure DevOps for a test notification, and with hooks manual it need not",
        "Press Test at one of the hooks in Azure DevOps: GET /v1/notifications?state=test shows whether it arrived.",
    )
}

pub(super) fn may_not_test(detail: Option<&str>, connection: &Connection) -> Advice {
    let said = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    Advice::new(
        format!("the credential may not ask Azure DevOps for a test notification{said}"),
        how_to_grant(AzureScope::ServiceHooks, connection),
    )
}

pub(super) fn not_taken(url: &Url, detail: Option<&str>) -> Advice {
    let said = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    Advice::new(
        format!("Azure DevOps does not take {url} as somewhere to deliver to{said}"),
        "Give the gateway a public name over https, and start it with that as --public-url.",
    )
}

pub(super) fn no_project(failure: Option<&Failure>) -> Advice {
    let said = failure.map(|failure| format!(": {failure}")).unwrap_or_default();
    Advice::new(
        format!("a test notification has to be of an Azure project, and none is shown to us{said}"),
        "Bind something of a project, or let the identity see one.",
    )
}

/// A test notification of Azure DevOps arrived all the same.
pub(super) fn only_from_here(advice: &Advice) -> Advice {
    let Advice { cause, remedy } = advice;
    Advice::new(
        format!("{cause} (a test notification of Azure DevOps arrived all the same)"),
        format!("Nothing, as long as the round trip succeeds. Otherwise: {remedy}"),
    )
}
