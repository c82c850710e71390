//! The order of one thing's events in the log is the order in which it happened.

use super::truth::told;
use hookwell::event::Event;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

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

/// The event that this one replaces.
fn replaced(event: &Event) -> Option<String> {
    serde_json::from_slice::<Value>(&event.json).unwrap()["replaces"].as_str().map(str::to_owned)
}

/// Asserts it of all facts. What a later telling knew besides cannot take its fact's place: the log is not written again. It
/// comes when it is known, after what it replaces.
pub(super) fn holds(events: &[Event], seed: u64) {
    let mut last: BTreeMap<String, (i64, String)> = BTreeMap::new();
    let mut before = BTreeSet::new();
    for event in events {
        let own = event.id.to_string();
        if let Some(replaced) = replaced(event) {
            assert!(before.contains(&replaced), "seed {seed}: {own} came before {replaced}, which it replaces");
        } else if let Some((kind, subject, mark)) = told(event)
            && let Some(place) = place(&kind, &mark)
        {
            let said = format!("{kind} {mark}");
            if let Some((before, what)) = last.get(&subject)
                && *before > place
            {
                let own = |event: &&Event| told(event).is_some_and(|(_, own, _)| own == subject);
                for event in events.iter().filter(own) {
                    eprintln!("in this order: {:?} {}", event.header, String::from_utf8_lossy(&event.json));
                }
                panic!("seed {seed}: of {subject}, {said} came after {what}");
            }
            last.insert(subject, (place, said));
        }
        before.insert(own);
    }
}
