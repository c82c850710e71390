//! The report: what may leave the organization.
//!
//! No name, id, address or text of anybody's: requests are their templates, answers their status, the names of Azure's own
//! headers and their shape, findings words of ours and numbers that count. `faults` is what the simulator takes
//! (`PUT /_simulator/faults`) to do the same.

use super::{
    ask::Ask,
    question::{Finding, QUESTIONS, Verdict},
    shape::shape,
};
use crate::azure::client::{ApiVersion, Deployment, Failure, Host, Media, Seen, Unreachable};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Headers that are Azure's own.
const HEADERS: [&str; 16] = [
    "activityid",
    "content-disposition",
    "content-type",
    "location",
    "p3p",
    "retry-after",
    "www-authenticate",
    "x-ms-continuationtoken",
    "x-ratelimit-delay",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-resource",
    "x-tfs-serviceerror",
    "x-tfs-session",
    "x-vss-e2eid",
];
/// The form of this report.
const FORM: u32 = 1;

/// One answer, as far as it may be told.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sighting(Value);

impl Sighting {
    pub(super) fn seen(ask: &Ask, seen: &Seen) -> Self {
        let mut told = asked(ask);
        told["status"] = seen.status.as_u16().into();
        told["media"] = match seen.media {
            Media::Empty => "empty",
            Media::Json => "json",
            Media::Page => "page",
            Media::Other => "other",
        }
        .into();
        told["headers"] = HEADERS.iter().filter(|own| seen.headers.iter().any(|name| name == *own)).copied().collect();
        if let Some(body) = &seen.body {
            told["shape"] = shape(body);
        }
        Self(told)
    }

    /// How many it takes in the report.
    pub(super) fn bytes(&self) -> usize {
        self.0.to_string().len()
    }

    pub(super) fn failed(ask: &Ask, failure: &Failure) -> Self {
        let mut told = asked(ask);
        told["failure"] = word(failure).into();
        Self(told)
    }
}

fn asked(ask: &Ask) -> Value {
    let look = &ask.look;
    let project = if look.project.is_some() { "{project}/" } else { "" };
    let slash = if ask.template.is_empty() { "" } else { "/" };
    let mut query: Vec<&str> = look.query.iter().map(|(name, _)| *name).collect();
    query.dedup();
    let mut told = json!({
        "name": look.name,
        "request": format!("{} {project}_apis{slash}{}", look.method, ask.template),
        "query": query,
    });
    if look.host == Host::Release {
        told["host"] = "release".into();
    }
    if let Some(body) = &look.body {
        told["body"] = shape(body);
    }
    if look.as_nobody {
        told["credential"] = false.into();
    }
    told
}

/// The kind of a failure: its words may have a name in them.
pub(super) fn word(failure: &Failure) -> &'static str {
    match failure {
        Failure::Settings(_) => "settings",
        Failure::Unauthorized { .. } => "unauthorized",
        Failure::Forbidden { .. } => "forbidden",
        Failure::NotFound { .. } => "not_found",
        Failure::Refused { .. } => "refused",
        Failure::Throttled { .. } => "throttled",
        Failure::Unavailable { .. } => "unavailable",
        Failure::Unreachable { at: Unreachable::Silent, .. } => "silent",
        Failure::Unreachable { .. } => "unreachable",
        Failure::Unexpected { .. } => "unexpected",
    }
}

/// Where the survey was made, as far as it may be told.
pub(super) struct Where {
    pub(super) deployment: Deployment,
    pub(super) api_version: Option<ApiVersion>,
    pub(super) is_scratch: bool,
}

/// A finding for each question; of what was not asked, why.
pub(super) fn lines(mut found: BTreeMap<&'static str, Finding>, otherwise: &str) -> Vec<Finding> {
    let mut line = |key| found.remove(key).unwrap_or_else(|| Finding::unsettled(key, otherwise));
    QUESTIONS.iter().map(|question| line(question.key)).collect()
}

pub(super) fn report(place: &Where, lines: &[Finding], sightings: Vec<Sighting>, left: usize) -> Value {
    let line = |finding: &Finding| {
        let assumed = QUESTIONS.iter().find(|own| own.key == finding.key).map(|own| own.assumed);
        json!({ "question": finding.key, "verdict": finding.verdict.word(), "did": finding.did, "assumed": assumed })
    };
    json!({
        "form": FORM,
        "hookwell": env!("CARGO_PKG_VERSION"),
        "deployment": match place.deployment {
            Deployment::Services => "services",
            Deployment::Server => "server",
        },
        "api_version": place.api_version.map(|version| version.to_string()),
        "scratch": place.is_scratch,
        "left_behind": left,
        "settled": lines.iter().filter(|line| line.verdict != Verdict::Unsettled).count(),
        "lines": lines.iter().map(line).collect::<Vec<_>>(),
        "faults": faults(lines),
        "looks": sightings.into_iter().map(|sighting| sighting.0).collect::<Vec<_>>(),
    })
}

/// The switches as the simulator takes them.
fn faults(lines: &[Finding]) -> Value {
    let mut faults = Map::new();
    for (switch, value) in lines.iter().flat_map(|line| &line.switches) {
        match switch.split_once('.') {
            None => drop(faults.insert((*switch).to_owned(), value.clone())),
            Some((group, name)) => {
                let group = faults.entry(group).or_insert_with(|| json!({}));
                group[name] = value.clone();
            }
        }
    }
    faults.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_nested_as_the_simulator_has_them() {
        let lines = [
            Finding::otherwise("nobody", "").with("refusal", "redirect"),
            Finding::otherwise("known", "").with("hooks.known_late_seconds", 3),
            Finding::otherwise("listed", "").with("hooks.listed_late_seconds", 4),
        ];
        let expected = json!({ "refusal": "redirect", "hooks": { "known_late_seconds": 3, "listed_late_seconds": 4 } });
        assert_eq!(faults(&lines), expected);
    }

    #[test]
    fn a_request_is_told_by_its_template() {
        let ask = Ask::get("the push", "git/repositories/{repository}/pushes/{push}", &["web shop", "7"]);
        let told = asked(&ask.within("Fiber Café").with("$top", 3));
        assert_eq!(told["request"], "GET {project}/_apis/git/repositories/{repository}/pushes/{push}");
        assert!(!told.to_string().contains("shop") && !told.to_string().contains("Fiber"), "{told}");
    }

    #[test]
    fn what_was_not_asked_is_a_line_as_well() {
        let found = BTreeMap::from([("routes", Finding::as_assumed("routes", "yes"))]);
        let lines = lines(found, "it was stopped");
        assert_eq!(lines.len(), QUESTIONS.len());
        assert_eq!(lines.iter().filter(|line| line.did == "it was stopped").count(), QUESTIONS.len() - 1);
    }
}
