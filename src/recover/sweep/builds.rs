//! Builds, with the stages and jobs of their runs.
//!
//! Runs and builds come by two listings a window. What happened within a run is only in its timeline, which costs a call
//! for each build. So it is asked, at the least, where anything of the build is missing here or came otherwise than by a
//! hook; and where a stage is missing that the hook's own word at the run's beginning names. A job alone, or a second attempt
//! of a stage alone, leaves no such trace: it is found when every build's timeline is asked once.

use super::{Depth, SINGLY_MAX, Stopped, page, scale::Scale};
use crate::{
    azure::client::{AzureDevOps, BuildDate, BuildRecord, Page, TimelineRecord, Window},
    domain::{Notification, NotificationId},
    event::Event,
    recover::{compose, desk::Asked, in_order::in_order, place::What},
    store::Log,
};
use serde::Deserialize;
use std::collections::HashSet;

/// Builds whose timelines are held at once.
const STRETCH: usize = 32;

const RUN: &str = "ms.vss-pipelines.run-state-changed-event";
const STAGE: &str = "ms.vss-pipelines.stage-state-changed-event";

pub(super) async fn sweep(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    what: &What,
    window: Window,
) -> Result<(), Stopped> {
    let definitions = what.definitions().unwrap_or_default();
    if definitions.is_empty() && *what != What::AllPipelines {
        // Only classic releases are selected.
        return Ok(());
    }
    let project = scale.order.place.project.to_string();
    // Begun before over: both may be of one build.
    let dates =
        if scale.is_told(RUN) { &[BuildDate::Started, BuildDate::Finished][..] } else { &[BuildDate::Finished] };
    for by in dates {
        let mut from = None;
        loop {
            let listing = azure.builds(&project, &definitions, *by, window, page(from));
            let Page { items, next } = scale.ask(listing).await?;
            match by {
                BuildDate::Finished => over(scale, azure, &items).await?,
                BuildDate::Queued | BuildDate::Started => begun(scale, azure, &items).await?,
            }
            from = next;
            if from.is_none() {
                break;
            }
        }
    }
    Ok(())
}

async fn begun(scale: &mut Scale<'_>, azure: &dyn AzureDevOps, records: &[BuildRecord]) -> Result<(), Stopped> {
    let composed = records.iter().filter_map(|record| compose::started(scale.home(), record)).collect();
    scale.take(composed).await?;
    if !scale.is_told(STAGE) || scale.order.depth == Depth::Evidence {
        return Ok(());
    }
    // Of one that still runs, the timeline may be another with every look.
    let running: Vec<&BuildRecord> = records.iter().filter(|record| record.finished.is_none()).collect();
    for stretch in running.chunks(STRETCH) {
        let mut parts = Vec::new();
        for (record, timeline) in timelines(scale, azure, stretch).await? {
            parts.extend(compose::parts(scale.home(), record, &timeline));
        }
        scale.take(parts).await?;
    }
    Ok(())
}

async fn over(scale: &mut Scale<'_>, azure: &dyn AzureDevOps, records: &[BuildRecord]) -> Result<(), Stopped> {
    let over: Vec<&BuildRecord> = records.iter().filter(|record| record.finished.is_some()).collect();
    let composed = over.iter().filter_map(|record| compose::finished(scale.home(), record)).collect();
    let weighed = scale.weigh(composed).await?;
    let mut wanted = HashSet::new();
    if scale.is_told(STAGE) {
        for (record, weighed) in over.iter().zip(&weighed) {
            let asked = Asked::Timeline(record.id, record.finished);
            let once = weighed.is_missing() || scale.is_new(&asked);
            // What was asked and made good since it ended says the same today.
            let doubt = !once && !scale.app.recover.was_asked(scale.connection(), &asked);
            if once || (doubt && (weighed.is_suspicious() || has_traces(scale, record).await?)) {
                wanted.insert(record.id);
            }
        }
    }
    // In stretches, so that timelines are held only of a few. The end of a run comes after what happened within it.
    let mut ends = weighed.into_iter();
    for stretch in over.chunks(STRETCH) {
        let asked: Vec<&BuildRecord> = stretch.iter().filter(|record| wanted.contains(&record.id)).copied().collect();
        let mut parts = Vec::new();
        for (record, timeline) in timelines(scale, azure, &asked).await? {
            let at = record.finished.unwrap_or_default();
            parts.extend(compose::parts(scale.home(), record, &timeline).into_iter().map(|part| part.counted(at)));
        }
        scale.take(parts).await?;
        scale.settle(ends.by_ref().take(stretch.len()).collect()).await?;
        for record in asked {
            scale.remember(&Asked::Timeline(record.id, record.finished));
        }
    }
    Ok(())
}

/// The timelines of these builds, in their order.
async fn timelines<'r>(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    records: &[&'r BuildRecord],
) -> Result<Vec<(&'r BuildRecord, Vec<TimelineRecord>)>, Stopped> {
    let project = scale.order.place.project.to_string();
    let Some(more) = records.len().checked_sub(1) else { return Ok(Vec::new()) };
    scale.tally.calls += more as u64;
    scale.app.metrics.recovery_calls.inc_by(more as u64);
    let reading: Vec<_> = records.iter().map(|record| azure.timeline(&project, record.id)).collect();
    let read = scale.ask(in_order(reading, SINGLY_MAX)).await?;
    Ok(records.iter().copied().zip(read).collect())
}

/// What a run's hooks say of its stages.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    resource: SaidResource,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SaidResource {
    stages: Vec<SaidStage>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SaidStage {
    id: String,
    name: String,
    attempt: i64,
}

/// Whether something of a finished build is missing that was announced when it began: by our own journal alone.
async fn has_traces(scale: &Scale<'_>, record: &BuildRecord) -> Result<bool, Stopped> {
    if !scale.is_told(RUN) {
        return Ok(false);
    }
    let Some(started) = compose::started(scale.home(), record) else { return Ok(false) };
    let Some(id) = scale.ids(&started).first().copied() else { return Ok(false) };
    let Some(event) = scale.find(id).await?.and_then(|kept| Event::from_stored(kept.key, &kept.body)) else {
        // It began before the journal does, or its beginning is missing too.
        return Ok(record.started.is_some_and(|at| at >= scale.oldest()));
    };
    if event.header.recovered.is_some() {
        return Ok(true);
    }
    let NotificationId(key) = event.header.notification;
    let kept =
        scale.app.store.find(Log::Notifications, key).await.map_err(|error| Stopped::Store(error.to_string()))?;
    let Some(kept) = kept.and_then(|kept| Notification::from_stored(NotificationId(key), &kept.body)) else {
        return Ok(false);
    };
    let said: Said = serde_json::from_slice(&kept.body).unwrap_or_default();
    for stage in said.resource.stages.into_iter().filter(|stage| !stage.id.is_empty() && stage.attempt > 0) {
        let ends = ["succeeded", "skipped"].into_iter().flat_map(|result| {
            let end = end_of(record, &stage, result);
            compose::parts(scale.home(), record, &[end]).iter().flat_map(|part| scale.ids(part)).collect::<Vec<_>>()
        });
        if !scale.knows_any(&ends.collect::<Vec<_>>()).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A stage that ended; how it began and how well it ended is in no id.
fn end_of(record: &BuildRecord, stage: &SaidStage, result: &str) -> TimelineRecord {
    TimelineRecord {
        id: stage.id.clone(),
        parent_id: None,
        kind: "Stage".to_owned(),
        name: String::new(),
        identifier: Some(stage.name.clone()).filter(|name| !name.is_empty()),
        state: "completed".to_owned(),
        result: Some(result.to_owned()),
        started: None,
        finished: record.finished,
        attempt: stage.attempt,
    }
}
