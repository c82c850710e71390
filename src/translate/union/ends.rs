//! Ends of runs: when two of them are one.

use super::fact;
use crate::event::Event;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

/// The most by which the state of a run and its build are taken to differ in when it ended.
///
/// Our choice, since nothing promises that both have one date: a run that is run again takes longer.
const ENDS_DIFFER_SECONDS: i64 = 5;

/// The ids that the same end of a run has where its moment was another one; [`is_one_end`] says whether it is the same.
pub fn near(event: &Event) -> Option<Vec<Uuid>> {
    let (value, at) = ended(event)?;
    let (source, subject) = (value["source"].as_str()?, value["subject"].as_str()?);
    let id = |apart: i64| {
        let other = Timestamp::from_second(at.as_second() + apart).ok()?;
        Some(fact(&event.header.kind, source, subject, &format!("finished:{other}")))
    };
    Some((1..=ENDS_DIFFER_SECONDS).flat_map(|apart| [-apart, apart]).filter_map(id).collect())
}

/// Whether an end of a run is the one that is kept: told within some milliseconds, or one of them to the second alone, or within
/// some seconds by the one of the two event types that did not tell that yet.
///
/// Source: dates of a SQL Server are rounded to three hundredths of a second, and what two event types tell of one moment
/// need not have gone the same way. Nothing says that one of them is not rounded to the second, or later than the other.
pub fn is_one_end(told: &Event, kept: &Event) -> bool {
    const ROUNDED_MAX: SignedDuration = SignedDuration::from_millis(10);
    let (Some((one, at)), Some((other, then))) = (ended(told), ended(kept)) else { return false };
    let (apart, is_whole) = (at.duration_since(then).abs(), |time: Timestamp| time.subsec_nanosecond() == 0);
    let kind = |value: &Value| value.pointer("/data/customData/azuredevops/eventType").cloned();
    let is_other_half = kept.header.filled.is_empty() && kind(&one) != kind(&other);
    apart <= ROUNDED_MAX
        || (apart < SignedDuration::from_secs(1) && is_whole(at) != is_whole(then))
        || (apart <= SignedDuration::from_secs(ENDS_DIFFER_SECONDS) && is_other_half)
}

fn ended(event: &Event) -> Option<(Value, Timestamp)> {
    let ends = ["dev.cdevents.pipelinerun.finished.", "dev.cdevents.build.finished."];
    if !ends.iter().any(|kind| event.header.kind.starts_with(kind)) {
        return None;
    }
    let value: Value = serde_json::from_slice(&event.json).ok()?;
    let at = value.pointer("/data/customData/azuredevops/finishTime")?.as_str()?.parse().ok()?;
    Some((value, at))
}
