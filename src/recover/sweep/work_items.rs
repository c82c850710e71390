//! Revisions of work items, in the order in which they were made, with a bookmark to go on from.
//!
//! The order is that of their making, not of their dates: whoever imports with `bypassRules` may give a revision the date that it
//! had elsewhere, but for that the dates of an item increase.
//!
//! Source: REST "Reporting Work Item Revisions" (`startDateTime`: all revisions will occur after it);
//! Azure/azure-devops-cli-extension#1070 (`System.ChangedDate` in 2010 under `bypassRules`);
//! solidify/jira-azuredevops-migrator#628 (`VS402625`, "Dates must be increasing with each revision").
//!
//! A revision has all fields and not what it changed. Where the one before it is in the same batch, that is computed. Else it
//! is enough that an event of any of its kinds is here; only where none is, Azure is asked what changed, once for each item.

use super::{Mending, Stopped, scale::Scale};
use crate::{
    azure::client::{AzureDevOps, RevisionRecord, Revisions, RevisionsFrom, UpdateRecord, Window},
    recover::compose::{self, Change},
};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// Answers the new bookmark. It stays before the first batch with a revision that is younger than the window, so that no
/// revision is read too early and then never again.
pub(super) async fn sweep(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    bookmark: Option<String>,
    window: Window,
) -> Result<Option<String>, Stopped> {
    let project = scale.order.place.project.to_string();
    let mut kept = bookmark.clone();
    let mut from = bookmark.map_or(RevisionsFrom::Time(window.from), RevisionsFrom::Bookmark);
    let (mut before, oldest) = (Before::new(), scale.oldest());
    // A bookmark may be from before what the journal keeps; one from where the last look ended, within it, is not.
    let mut is_kept = matches!(from, RevisionsFrom::Time(_)) || oldest < window.from;
    loop {
        let Revisions { values, next, is_last } = scale.ask(azure.revisions(&project, &from)).await?;
        let whole = values.iter().all(|record| record.changed.is_none_or(|at| at < window.to));
        // They come in the order in which they were made: behind one of the time that is kept, one with an older date was
        // imported with it.
        let mut holds = |at: Timestamp| {
            is_kept |= oldest <= at;
            is_kept && at < window.to
        };
        let within: Vec<&RevisionRecord> =
            values.iter().filter(|record| record.changed.is_none_or(&mut holds)).collect();
        batch(scale, azure, &project, &within, &mut before, window.from).await?;
        if !whole {
            return Ok(kept);
        }
        kept = Some(next.clone());
        let stands = from == RevisionsFrom::Bookmark(next.clone());
        if is_last || stands {
            return Ok(kept);
        }
        from = RevisionsFrom::Bookmark(next);
    }
}

/// The last revision of each item in a batch, for the next one.
type Before = HashMap<i64, (i64, Value)>;

fn fields(record: &RevisionRecord) -> Value {
    let mut whole: Value = serde_json::from_str(record.json.get()).unwrap_or_default();
    whole["fields"].take()
}

async fn batch(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    project: &str,
    records: &[&RevisionRecord],
    before: &mut Before,
    listed: Timestamp,
) -> Result<(), Stopped> {
    let mut changes: Vec<Option<Change>> = Vec::with_capacity(records.len());
    let mut now = Before::new();
    for record in records {
        let last = now.get(&record.id).or_else(|| before.get(&record.id));
        let known = last.filter(|(rev, _)| *rev == record.rev - 1).map(|(_, fields)| fields);
        changes.push(known.map(|fields| compose::after(fields, record)));
        now.insert(record.id, (record.rev, fields(record)));
    }
    // The last batch is enough: an item that is changed at two ends of a window costs a call.
    *before = now;
    let asked = unknown(scale, records, &mut changes).await?;
    // What is only looked at needs no words, and an item that is gone has none.
    let mut said: BTreeMap<(i64, i64), Change> = BTreeMap::new();
    for (item, first) in asked {
        let mut after = first - 1;
        loop {
            let updates = match scale.ask(azure.updates(project, item, after)).await {
                Err(Stopped::Azure(crate::azure::client::Failure::NotFound { .. })) => break,
                updates => updates?,
            };
            let Some(UpdateRecord { rev, .. }) = updates.last() else { break };
            after = *rev;
            for update in &updates {
                // A link that leaves the revision as it is comes after what made the revision.
                said.entry((item, update.rev)).or_insert_with(|| compose::written_as(update));
            }
            if records.iter().all(|record| record.id != item || record.rev <= after) {
                break;
            }
        }
    }
    let mut composed = Vec::with_capacity(records.len());
    for (record, change) in records.iter().zip(changes) {
        let change = said.remove(&(record.id, record.rev)).or(change).unwrap_or_else(Change::unknown);
        let told = compose::revised(scale.home(), record, &change).into_iter();
        // An import with a date of long ago counts where it was listed.
        let is_old = record.changed.is_some_and(|at| at < scale.oldest());
        composed.extend(told.map(|own| if is_old { own.counted(listed) } else { own }));
    }
    scale.take(composed).await
}

/// The first revision of each item of which Azure has to be asked what changed.
async fn unknown(
    scale: &Scale<'_>,
    records: &[&RevisionRecord],
    changes: &mut [Option<Change>],
) -> Result<BTreeMap<i64, i64>, Stopped> {
    let mut asked = BTreeMap::new();
    for (record, change) in records.iter().zip(changes) {
        if record.rev == 1 || compose::deletes(record) {
            continue;
        }
        if change.as_ref().is_some_and(|change| !change.is_noise() && !change.counts_links()) {
            continue;
        }
        // It is what it is here as.
        match here_as(scale, record).await? {
            Some(candidate) => *change = Some(candidate),
            None if scale.order.mending != Mending::Look => drop(asked.entry(record.id).or_insert(record.rev)),
            None => {}
        }
    }
    Ok(asked)
}

/// As which kind of change a revision is here, if it is.
async fn here_as(scale: &Scale<'_>, record: &RevisionRecord) -> Result<Option<Change>, Stopped> {
    let fields = fields(record);
    let kind = fields["System.WorkItemType"].as_str().unwrap_or_default();
    for candidate in Change::candidates(scale.done_state(kind)) {
        let composed = compose::updated(scale.home(), record, &candidate);
        if scale.knows_change(&scale.ids(&composed)).await? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}
