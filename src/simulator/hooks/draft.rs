//! What a client says of a subscription, and whether Azure takes it.

use super::{
    Misbehaviour,
    catalogue::{self, EventType, Takes},
};
use crate::simulator::{
    instance::Instance,
    rest::{Outcome, Refusal},
    site::Site,
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr},
};
use url::Url;
use uuid::Uuid;

/// Inputs by id.
pub type Inputs = BTreeMap<String, String>;

/// The only inputs that Azure does not show again.
const CONFIDENTIAL: [&str; 1] = ["basicAuthPassword"];
/// What is shown instead.
const MASK: &str = "********";
/// Longest user name and password, in bytes.
const CREDENTIAL_BYTES_MAX: usize = 256;
const INPUT_REFUSED: &str = "SubscriptionInputException";
const MESSAGES: [&str; 6] = ["", "all", "text", "html", "markdown", "none"];
/// Inputs of the web hook: id, and the values that it is limited to.
const CONSUMER_INPUTS: [(&str, Option<&[&str]>); 9] = [
    ("url", None),
    ("acceptUntrustedCerts", Some(&["", "true", "false"])),
    ("basicAuthUsername", None),
    ("basicAuthPassword", None),
    ("httpHeaders", None),
    ("resourceDetailsToSend", Some(&["", "all", "minimal", "none"])),
    ("messagesToSend", Some(&MESSAGES)),
    ("detailedMessagesToSend", Some(&MESSAGES)),
    ("businessJustification", None),
];
/// Publisher inputs besides an event type's own; the server adds the last three itself and takes them back.
const COMMON_INPUTS: [&str; 5] = ["projectId", "teamId", "hostId", "tfsSubscriptionId", "subscriberId"];

/// What a client says of a subscription.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// `tfs`, `pipelines`, `rm`.
    pub publisher: String,
    /// `git.push` and the like.
    pub event_type: String,
    /// `None` leaves it to the server.
    pub resource_version: Option<String>,
    /// `webHooks`; subscriptions of other consumers are there, and deliver nothing.
    pub consumer: String,
    /// `httpRequest`.
    pub action: String,
    /// Filters.
    pub publisher_inputs: Inputs,
    /// Where and how it delivers; the password in clear.
    pub consumer_inputs: Inputs,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("publisher", &self.publisher)
            .field("event_type", &self.event_type)
            .field("resource_version", &self.resource_version)
            .field("consumer", &self.consumer)
            .field("action", &self.action)
            .field("publisher_inputs", &self.publisher_inputs)
            .field("consumer_inputs", &masked(&self.consumer_inputs))
            .finish()
    }
}

/// A body as sent; whatever else a subscription shows is ignored when it comes back.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Sent {
    #[serde(default)]
    publisher_id: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    resource_version: Option<String>,
    #[serde(default)]
    consumer_id: String,
    #[serde(default)]
    consumer_action_id: String,
    #[serde(default)]
    publisher_inputs: BTreeMap<String, Option<String>>,
    #[serde(default)]
    consumer_inputs: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub(super) status: Option<String>,
}

impl From<Sent> for Draft {
    fn from(sent: Sent) -> Self {
        let inputs = |sent: BTreeMap<String, Option<String>>| {
            sent.into_iter().map(|(id, value)| (id, value.unwrap_or_default())).collect()
        };
        Self {
            publisher: sent.publisher_id,
            event_type: sent.event_type,
            resource_version: sent.resource_version.filter(|version| !version.is_empty()),
            consumer: sent.consumer_id,
            action: sent.consumer_action_id,
            publisher_inputs: inputs(sent.publisher_inputs),
            consumer_inputs: inputs(sent.consumer_inputs),
        }
    }
}

/// As they are shown.
pub(super) fn masked(inputs: &Inputs) -> Inputs {
    let shown = |(id, value): (&String, &String)| {
        let hidden = CONFIDENTIAL.contains(&id.as_str()) && !value.is_empty();
        (id.clone(), if hidden { MASK.to_owned() } else { value.clone() })
    };
    inputs.iter().map(shown).collect()
}

impl Draft {
    /// An input that is there and not empty.
    pub(super) fn publisher_input(&self, id: &str) -> Option<&str> {
        self.publisher_inputs.get(id).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The same of the consumer.
    pub(super) fn consumer_input(&self, id: &str) -> Option<&str> {
        self.consumer_inputs.get(id).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The project it is about; `None` is the whole organization.
    pub(super) fn project(&self) -> Option<Uuid> {
        self.publisher_input("projectId")?.parse().ok()
    }

    /// Whether it is a web hook, which is all that this simulation delivers to.
    pub(super) fn is_web_hook(&self) -> bool {
        self.consumer == "webHooks" && self.action == "httpRequest"
    }

    /// What Azure refuses.
    pub(super) fn check(&self, instance: &Instance, host: Site, switches: &Misbehaviour) -> Outcome<()> {
        let edition = instance.options.edition;
        if !catalogue::serves(edition, host, &self.publisher) {
            let message = format!("The publisher \"{}\" does not exist.", self.publisher);
            return Err(Refusal::not_found("PublisherNotFoundException", &message));
        }
        let event = catalogue::event_type(edition, host, &self.publisher, &self.event_type).ok_or_else(|| {
            let message = format!(
                "The event type \"{}\" does not exist for the publisher \"{}\".",
                self.event_type, self.publisher
            );
            Refusal::bad_request("EventTypeNotFoundException", &message)
        })?;
        if !self.is_web_hook() {
            let message = format!("The consumer action \"{}/{}\" does not exist.", self.consumer, self.action);
            return Err(Refusal::bad_request("ConsumerActionNotFoundException", &message));
        }
        self.check_publisher_inputs(event)?;
        if let Some(project) = self.project()
            && !instance.world().projects.iter().any(|own| own.id == project)
        {
            return Err(Refusal::project(&project.to_string()));
        }
        self.check_consumer_inputs(switches)
    }

    fn check_publisher_inputs(&self, event: &EventType) -> Outcome<()> {
        for (id, value) in &self.publisher_inputs {
            if COMMON_INPUTS.contains(&id.as_str()) {
                if !value.is_empty() && value.parse::<Uuid>().is_err() {
                    return Err(wrong(id, "is not a valid GUID"));
                }
                continue;
            }
            let Some(input) = event.inputs.iter().find(|input| input.id == id) else {
                return Err(wrong(id, &format!("is not an input of the event type {}", event.id)));
            };
            let is_fine = match input.takes {
                Takes::Text => true,
                Takes::Guid => value.is_empty() || value.parse::<Uuid>().is_ok(),
                Takes::Words(words) => value.is_empty() || words.iter().any(|word| word.eq_ignore_ascii_case(value)),
                Takes::ServerPath => value.starts_with("$/"),
            };
            if !is_fine {
                return Err(wrong(id, &format!("does not take the value \"{value}\"")));
            }
        }
        let missing = |takes| event.inputs.iter().find(|input| input.takes == takes).map(|input| input.id);
        match missing(Takes::ServerPath) {
            Some(id) if !self.publisher_inputs.contains_key(id) => Err(wrong(id, "is required")),
            _ => Ok(()),
        }
    }

    fn check_consumer_inputs(&self, switches: &Misbehaviour) -> Outcome<()> {
        for (id, value) in &self.consumer_inputs {
            let Some((_, limits)) = CONSUMER_INPUTS.iter().find(|(own, _)| own == id) else {
                return Err(wrong(id, "is not an input of the consumer action httpRequest"));
            };
            if limits.is_some_and(|limits| !limits.iter().any(|limit| limit.eq_ignore_ascii_case(value))) {
                return Err(wrong(id, &format!("does not take the value \"{value}\"")));
            }
        }
        for id in ["basicAuthUsername", "basicAuthPassword"] {
            let value = self.consumer_inputs.get(id).map_or("", String::as_str);
            if value.len() > CREDENTIAL_BYTES_MAX || value.contains(char::is_whitespace) {
                return Err(wrong(id, "is too long, or contains a blank"));
            }
        }
        let headers = self.consumer_input("httpHeaders").unwrap_or_default();
        if headers.lines().any(|line| !line.trim().is_empty() && !line.contains(':')) {
            return Err(wrong("httpHeaders", "has a line without a colon"));
        }
        let text = self.consumer_input("url").ok_or_else(|| wrong("url", "is required"))?;
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| wrong("url", "is not an absolute http or https URL"))?;
        if switches.private_targets_refused && is_private(&url) {
            return Err(wrong("url", "names an address in a special range"));
        }
        let has_credentials = self.consumer_input("basicAuthPassword").is_some();
        if switches.basic_needs_https && has_credentials && url.scheme() == "http" {
            return Err(wrong("url", "must begin with https where basic authentication is used"));
        }
        Ok(())
    }
}

fn wrong(id: &str, what: &str) -> Refusal {
    Refusal::bad_request(INPUT_REFUSED, &format!("Subscription input '{id}' {what}."))
}

/// By the URL alone: what a name resolves to is not asked.
fn is_private(url: &Url) -> bool {
    let special = |ip: Ipv4Addr| ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified();
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => special(ip),
        Ok(IpAddr::V6(ip)) => {
            let local = ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local();
            local || ip.to_ipv4_mapped().is_some_and(special)
        }
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_known_in_every_form() {
        let is = |text: &str| is_private(&Url::parse(text).unwrap());
        for text in [
            "http://localhost:1",
            "http://127.0.0.1",
            "https://10.1.2.3/x",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254",
        ] {
            assert!(is(text), "{text}");
        }
        assert!(!is("https://gateway.example/hooks") && !is("https://20.1.2.3/"));
    }

    #[test]
    fn only_the_password_is_masked_and_no_debug_output_shows_it() {
        let inputs: Inputs = [("basicAuthPassword", "s3cret"), ("httpHeaders", "X-Key:open"), ("url", "https://x")]
            .map(|(id, value)| (id.to_owned(), value.to_owned()))
            .into();
        let shown = masked(&inputs);
        assert_eq!((shown["basicAuthPassword"].as_str(), shown["httpHeaders"].as_str()), ("********", "X-Key:open"));
        let draft = Draft {
            publisher: "tfs".to_owned(),
            event_type: "git.push".to_owned(),
            resource_version: None,
            consumer: "webHooks".to_owned(),
            action: "httpRequest".to_owned(),
            publisher_inputs: Inputs::new(),
            consumer_inputs: inputs,
        };
        assert!(!format!("{draft:?}").contains("s3cret"));
    }
}
