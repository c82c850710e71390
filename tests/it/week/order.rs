//! The order of one thing's events in the log is the order in which it happened.

use super::truth::told;
use hookwell::event::Event;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where in its thing's life a fact is; `None` where nothing can be said.
fn place(kind: &str, mark: &str) -> Option<i64> {
    match kind {
        _ if matches!(kind, "ticket" | "comment") || kind.contains("branch.") || kind.contains("-tag.") => {
            mark.parse().ok()
        }
        "dev.cdevents.change.created" | "dev.cdevents.pipelinerun.queued" => Some(0),
        "dev.cdevents.pipelinerun.started" => Some(1),
        "dev.cdevents.change.merged"
        | "dev.cdevents.change.abandoned"
        | "dev.cdevents.pipelinerun.finished"
        | "dev.cdevents.build.finished" => Some(i64::MAX),
        "dev.cdevents.taskrun.started" => Some(mark.parse::<i64>().ok()? * 2),
        "dev.cdevents.taskrun.finished" => Some(mark.parse::<i64>().ok()? * 2 + 1),
        _ => None,
    }
}

/// What a later telling knew besides comes when it is known.
fn is_revision(event: &Event) -> bool {
    serde_json::from_slice::<Value>(&event.json).unwrap()["replaces"].is_string()
}

/// Asserts it of all of them, but for revisions.
pub(super) fn holds(events: &[Event], seed: u64) {
    let mut last: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for (kind, subject, mark) in events.iter().filter(|event| !is_revision(event)).filter_map(told) {
        let Some(place) = place(&kind, &mark) else { continue };
        let said = format!("{kind} {mark}");
        if let Some((before, what)) = last.get(&subject) {
            assert!(*before <= place, "seed {seed}: of {subject}, {said} came after {what}");
        }
        last.insert(subject, (place, said));
    }
}
