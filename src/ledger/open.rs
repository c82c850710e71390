//! How far a binding is complete: its watermarks, pulled back to before what is known to be missing.

use super::entry::Entry;
use crate::{
    app::{App, change::put, kind},
    domain::{Binding, BindingId, Gap, Role, Stream, Watermark},
    recover,
    store::{Change, Expected},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Most hours with something unexplained that are remembered per binding and stream; the oldest count.
const OPEN_HOURS_MAX: usize = 1_000;

/// How long a binding may go without being compared before somebody should know.
const LATE: Duration = Duration::from_hours(2);

/// As kept in the registry under kind `unexplained`, by binding and stream: the hours with something unexplained and how
/// much, so that nobody has to read the ledger to know how far it is complete.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Open {
    hours: BTreeMap<Timestamp, u64>,
}

/// How far a binding is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// From when on all its streams were compared.
    pub from: Option<Timestamp>,
    /// Up to here everything that is known to have happened is an event; `None` while a stream was never compared.
    pub until: Option<Timestamp>,
    /// Up to here all its streams were compared, whatever was found.
    pub compared_until: Option<Timestamp>,
    /// Facts that are unexplained, of those that are still kept.
    pub unexplained: u64,
    /// Gaps in it.
    pub gaps: usize,
}

/// The streams that a role is about.
pub fn streams(role: Role) -> &'static [Stream] {
    match role {
        Role::CodeDeployment => &[Stream::Pushes, Stream::PullRequests],
        Role::BuildProvider => &[Stream::Builds, Stream::Releases],
        Role::IssueProvider => &[Stream::WorkItems],
    }
}

/// Whether a role's streams all have to be compared: an Azure DevOps without releases has none to compare.
fn is_required(stream: Stream) -> bool {
    stream != Stream::Releases
}

/// How far a binding is complete, `gaps` being all that are known.
///
/// What is unexplained from before the retention of events holds nothing back any more: its events would not be kept either.
pub fn reach(app: &App, binding: &Binding, gaps: &[Gap]) -> Reach {
    let marks = streams(binding.selection.role()).iter().filter_map(|stream| {
        let mark = recover::watermark(app, binding, *stream);
        if mark.is_none() && !is_required(*stream) { None } else { Some(mark) }
    });
    let marks: Option<Vec<Watermark>> = marks.collect();
    let marks = marks.unwrap_or_default();
    let compared_until = marks.iter().map(|mark| mark.complete_until).min();
    let kept_from = app.clock.now().checked_sub(app.settings.retention).unwrap_or(Timestamp::MIN);
    let (mut unexplained, mut held_back) = (0, Vec::new());
    for stream in streams(binding.selection.role()) {
        let open: Open = record(app, kind::UNEXPLAINED, &Watermark::id(binding.id, *stream)).unwrap_or_default();
        for (hour, count) in open.hours.range(kept_from..) {
            unexplained += count;
            held_back.push(*hour);
        }
    }
    let of_binding = gaps.iter().filter(|gap| gap.bindings.contains(&binding.id) && gap.before >= kept_from);
    let after: Vec<Timestamp> = of_binding.map(|gap| gap.after).collect();
    let until = compared_until.map(|until| held_back.iter().chain(&after).copied().fold(until, Timestamp::min));
    Reach {
        from: marks.iter().map(|mark| mark.complete_from).max(),
        until,
        compared_until,
        unexplained,
        gaps: after.len(),
    }
}

/// Whether a binding that was made then is late: not compared for two hours.
pub fn is_late(app: &App, compared_until: Option<Timestamp>, created_at: Timestamp) -> bool {
    let since = compared_until.unwrap_or(created_at);
    app.clock.now().duration_since(since) > LATE.try_into().unwrap_or_default()
}

/// All gaps that are known.
pub fn gaps(app: &App) -> Vec<Gap> {
    let kept = app.store.list(kind::GAP).into_iter();
    kept.filter_map(|(_, kept)| serde_json::from_slice(&kept.value).ok()).collect()
}

/// What these entries change about the hours with something unexplained.
pub(super) fn change(app: &App, (binding, stream): (BindingId, Stream), entries: &[Entry]) -> Option<Change> {
    let id = Watermark::id(binding, stream);
    let kept: Option<Open> = record(app, kind::UNEXPLAINED, &id);
    let was_there = kept.is_some();
    let mut open = kept.unwrap_or_default();
    let before = open.hours.clone();
    for entry in entries {
        match entry.account.unexplained {
            0 => open.hours.remove(&entry.hour),
            count => open.hours.insert(entry.hour, count),
        };
    }
    let kept_from = app.clock.now().checked_sub(app.settings.retention).unwrap_or(Timestamp::MIN);
    open.hours = open.hours.split_off(&kept_from);
    while open.hours.len() > OPEN_HOURS_MAX {
        open.hours.pop_last();
    }
    if open.hours == before {
        return None;
    }
    Some(match open.hours.is_empty() {
        true if !was_there => return None,
        true => Change { kind: kind::UNEXPLAINED, id, expected: Expected::Any, value: None },
        false => put(kind::UNEXPLAINED, &id, Expected::Any, &open),
    })
}

fn record<T: serde::de::DeserializeOwned>(app: &App, kind: &str, id: &str) -> Option<T> {
    let kept = app.store.get(kind, id)?;
    serde_json::from_slice(&kept.value).ok()
}
