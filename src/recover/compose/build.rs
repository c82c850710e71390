//! Builds: begun, over, and their stages and jobs.

use super::{Composed, Home, Kind, object};
use crate::azure::client::{BuildRecord, TimelineRecord};
use jiff::Timestamp;
use serde_json::{Value, json};

const COMPLETE: Kind = Kind { event_type: "build.complete", publisher: "tfs", version: "2.0" };
const RUN: Kind = pipelines("ms.vss-pipelines.run-state-changed-event");
const STAGE: Kind = pipelines("ms.vss-pipelines.stage-state-changed-event");
const JOB: Kind = pipelines("ms.vss-pipelines.job-state-changed-event");

const fn pipelines(event_type: &'static str) -> Kind {
    Kind { event_type, publisher: "pipelines", version: "5.1-preview.1" }
}

fn entity(record: &BuildRecord) -> String {
    format!("build/builds/{}", record.id)
}

/// `build.complete`: that the run is over is the same fact, whichever of the two events tells it.
pub(crate) fn finished(home: Home<'_>, record: &BuildRecord) -> Option<Composed> {
    Some(home.compose(COMPLETE, record.finished?, entity(record), &record.json))
}

/// The run's state `inProgress`; nothing of a build that was canceled in the moment it began: it was while it waited.
pub(crate) fn started(home: Home<'_>, record: &BuildRecord) -> Option<Composed> {
    let build = object(&record.json);
    let is_canceled = build["result"].as_str().is_some_and(|word| word.eq_ignore_ascii_case("canceled"));
    let at = record.started.filter(|at| !is_canceled || record.finished.is_none_or(|end| *at < end))?;
    let mut resource = head(home, record);
    resource["run"]["state"] = "inProgress".into();
    resource["repositories"] = json!([]);
    // At its beginning a run knew everything that its record has, but for its end.
    resource["build"] = build;
    Some(home.compose(RUN, at, entity(record), resource))
}

/// That the run began once more, after some of its stages were over: told by stages that have further attempts. Of several
/// such beginnings the last is told: which attempts of which stages belonged to an earlier one, no record says.
fn started_again(home: Home<'_>, record: &BuildRecord, timeline: &[TimelineRecord]) -> Option<(Timestamp, Composed)> {
    let is_last = |own: &&TimelineRecord| {
        let name = |part: &TimelineRecord| part.identifier.clone().unwrap_or_else(|| part.id.clone());
        let same = timeline.iter().filter(|part| part.kind == "Stage" && name(part) == name(own));
        own.kind == "Stage" && same.map(|part| part.attempt).max() == Some(own.attempt)
    };
    let stages = || timeline.iter().filter(is_last);
    let latest = stages().map(|stage| stage.attempt).max().filter(|latest| *latest > 1)?;
    let at = stages().filter(|stage| stage.attempt == latest).filter_map(|stage| stage.started).min()?;
    // While another stage still ran, the run had not ended, and did not begin anew.
    let earlier =
        timeline.iter().filter(|part| part.kind == "Stage" && part.started.is_some_and(|started| started < at));
    if earlier.into_iter().any(|part| part.finished.is_none_or(|end| end > at)) {
        return None;
    }
    let mut resource = head(home, record);
    resource["run"]["state"] = "inProgress".into();
    resource["repositories"] = json!([]);
    resource["build"] = object(&record.json);
    resource["stages"] = stages()
        .map(|stage| json!({"id": stage.id, "name": stage.identifier, "attempt": stage.attempt, "startTime": stage.started}))
        .collect();
    Some((at, home.compose(RUN, at, entity(record), resource)))
}

/// What the timeline tells of stages and jobs, oldest first. What they waited for is no longer in it.
pub(crate) fn parts(home: Home<'_>, record: &BuildRecord, timeline: &[TimelineRecord]) -> Vec<Composed> {
    let mut all: Vec<(Timestamp, u8, Composed)> = Vec::new();
    all.extend(started_again(home, record, timeline).map(|(at, again)| (at, 0, again)));
    for part in timeline {
        let kind = match part.kind.as_str() {
            "Stage" => STAGE,
            "Job" => JOB,
            _ => continue,
        };
        let skipped = part.result.as_deref().is_some_and(|word| word.eq_ignore_ascii_case("skipped"));
        let over = part.state.eq_ignore_ascii_case("completed");
        if let Some(at) = part.started.filter(|_| !skipped) {
            let resource = part_state(home, record, part, timeline, "running");
            all.push((at, 0, home.compose(kind, at, entity(record), resource)));
        }
        if over && let Some(at) = part.finished.or(part.started).or(record.finished) {
            let resource = part_state(home, record, part, timeline, "completed");
            all.push((at, 1, home.compose(kind, at, entity(record), resource)));
        }
    }
    all.sort_by_key(|(at, step, _)| (*at, *step));
    all.into_iter().map(|(.., composed)| composed).collect()
}

fn part_state(
    home: Home<'_>,
    record: &BuildRecord,
    part: &TimelineRecord,
    timeline: &[TimelineRecord],
    state: &str,
) -> Value {
    let mut resource = head(home, record);
    // A hook says of a part not who asked for the run: what is composed must not be another telling for that.
    resource["requestedFor"] = Value::Null;
    let shown = |part: &TimelineRecord, state: &str| {
        let over = state == "completed";
        // A hook's job has one name, which is the one for people; a stage has both, and by that of the YAML file it stays the
        // same over attempts. Source: captured stage and job events of 2025.
        let identifier = part.identifier.as_deref();
        let is_stage = part.kind == "Stage";
        let name = identifier.filter(|_| is_stage).unwrap_or(&part.name);
        json!({
            "id": part.id, "name": name, "displayName": is_stage.then_some(&part.name), "identifier": identifier,
            "attempt": part.attempt, "state": state, "result": part.result.as_deref().filter(|_| over),
            "startTime": part.started, "finishTime": part.finished.filter(|_| over),
        })
    };
    let is_stage = part.kind == "Stage";
    let own_stage = if is_stage { Some(part) } else { stage_of(part, timeline) };
    if let Some(part) = own_stage {
        resource["stage"] = shown(part, if is_stage { state } else { "running" });
        resource["stageName"] = resource["stage"]["name"].clone();
    }
    if !is_stage {
        resource["job"] = shown(part, state);
    }
    resource
}

/// The stage of a job; phases lie between.
fn stage_of<'t>(job: &TimelineRecord, timeline: &'t [TimelineRecord]) -> Option<&'t TimelineRecord> {
    const LEVELS_MAX: usize = 4;
    let parent = |part: &TimelineRecord| {
        let mut parents = timeline.iter().filter(|own| part.parent_id.as_deref() == Some(&own.id));
        let any = parents.clone().next();
        parents.find(|own| own.attempt == part.attempt).or(any)
    };
    std::iter::successors(parent(job), |part| parent(part)).take(LEVELS_MAX).find(|part| part.kind == "Stage")
}

/// What all events of a run have.
fn head(home: Home<'_>, record: &BuildRecord) -> Value {
    let build = object(&record.json);
    let (definition, repository) = (&build["definition"], &build["repository"]);
    let url = home.project_address(&format!("_apis/pipelines/{}/runs/{}", record.definition, record.id));
    let web = home.project_address(&format!("_build/results?buildId={}", record.id));
    let pipeline = json!({
        "id": record.definition, "name": definition["name"], "folder": definition["path"],
        "revision": definition["revision"],
        "url": home.project_address(&format!("_apis/pipelines/{}", record.definition)),
    });
    let kind = match repository["type"].as_str() {
        Some(own) if own.eq_ignore_ascii_case("TfsGit") => "azureReposGit",
        Some(other) => other,
        None => "unknown",
    };
    let run = json!({
        "id": record.id, "name": build["buildNumber"], "state": if record.finished.is_some() { "completed" } else { "inProgress" },
        "createdDate": record.queued.or(record.started), "finishedDate": record.finished, "url": url, "pipeline": pipeline,
        "resources": {"repositories": {"self": {
            "repository": {"id": repository["id"], "type": kind},
            "refName": build["sourceBranch"], "version": build["sourceVersion"],
        }}},
        "_links": {"self": {"href": url}, "web": {"href": web}},
    });
    json!({
        "projectId": home.project, "runId": record.id, "runUrl": web, "pipeline": pipeline, "run": run,
        "requestedFor": build["requestedFor"],
        "repositories": [{"alias": "self", "id": repository["id"], "type": repository["type"]}],
    })
}
