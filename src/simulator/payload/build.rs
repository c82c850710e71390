//! Builds.

use super::{View, git, present, project_ref};
use crate::simulator::world::{
    Build, BuildDefinition, Project, PullRequest, Repository, RunOf, Stage, StartedBy, Trigger, World,
    record_ids::phase_id,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// What belongs to a build.
pub(crate) struct Around<'a> {
    pub(crate) definition: &'a BuildDefinition,
    pub(crate) project: &'a Project,
    pub(crate) repository: &'a Repository,
    /// The one that it tries.
    pub(crate) pull_request: Option<&'a PullRequest>,
    /// Where other repositories and pipelines are.
    pub(crate) world: Option<&'a World>,
}

/// A build, and what belongs to it; `None` where its repository is gone.
pub(crate) fn around<'a>(world: &'a World, build: &Build) -> Option<Around<'a>> {
    let definition = world.definitions.get(&build.definition)?;
    let repository = world.repository_of(definition.repository)?;
    let tried = build.branch.strip_prefix("refs/pull/").and_then(|rest| rest.split('/').next()?.parse().ok());
    let pull_request = tried.and_then(|number: u32| world.pull_requests.get(&number));
    Some(Around {
        definition,
        project: world.project_of(definition.project),
        repository,
        pull_request,
        world: Some(world),
    })
}

/// The build of this number, as REST and as the hook's version 2.0.
pub(crate) fn of(view: View<'_>, world: &World, number: u32) -> Option<Value> {
    shown(view, world, world.builds.get(&number)?)
}

/// The same of one that is at hand.
pub(crate) fn shown(view: View<'_>, world: &World, own: &Build) -> Option<Value> {
    Some(build(view, own, &around(world, own)?))
}

/// The build of this number as the hook's version 1.0.
pub(crate) fn of_old(view: View<'_>, world: &World, number: u32) -> Option<Value> {
    let own = world.builds.get(&number)?;
    Some(build_old(view, own, &around(world, own)?))
}

/// Of a build the addresses.
fn urls(view: View<'_>, own: &Build, project: &Project) -> (String, String) {
    let url = format!("{}/{}/_apis/build/Builds/{}", view.base(), project.id, own.number);
    (url, format!("{}/{}/_build/results?buildId={}", view.base(), project.id, own.number))
}

pub(crate) fn build(view: View<'_>, own: &Build, around: &Around<'_>) -> Value {
    let Around { definition, project, repository, .. } = *around;
    let (url, web) = urls(view, own, project);
    let trigger = match own.reason {
        "individualCI" => json!({
            "ci.sourceBranch": own.branch, "ci.sourceSha": own.commit, "ci.message": own.comment,
            "ci.triggerRepository": repository.id,
        }),
        // Source: `triggerInfo` of recorded validation builds.
        "pullRequest" => match around.pull_request {
            Some(pull) => json!({
                "pr.number": pull.number.to_string(), "pr.sourceBranch": pull.source, "pr.sourceSha": pull.source_commit,
                "pr.isFork": "False", "pr.title": pull.title, "pr.triggerRepository": repository.id,
            }),
            None => json!({}),
        },
        // Source: builds that pipeline resources started, printed in public reports.
        "resourceTrigger" => match &own.trigger {
            Some(Trigger { run, .. }) => json!({
                "artifactType": "Pipeline", "alias": "app", "source": run.definition.1, "version": run.name,
                "definitionId": run.definition.0.to_string(), "projectId": run.project,
                "pipelineTriggerType": "PipelineCompletion", "pipelineId": run.number.to_string(),
            }),
            None => json!({}),
        },
        _ => json!({}),
    };
    let started_by = own.trigger.as_ref().filter(|trigger| trigger.how != StartedBy::ResourceInfo).map(|trigger| {
        let RunOf { number, name, definition, project } = &trigger.run;
        json!({
            "id": number, "buildNumber": name, "definition": {"id": definition.0, "name": definition.1},
            "project": {"id": project},
        })
    });
    present(json!({
        "_links": {
            "self": {"href": url}, "web": {"href": web},
            "timeline": {"href": format!("{url}/Timeline")},
            "badge": {"href": format!("{}/{}/_apis/build/status/{}", view.base(), project.id, definition.id)},
        },
        "properties": {},
        "tags": [],
        "validationResults": [],
        "plans": [{"planId": project.id}],
        "triggerInfo": trigger,
        "id": own.number,
        "buildNumber": own.name(),
        "status": own.status(),
        "result": own.result,
        "queueTime": own.queued.to_string(),
        "startTime": own.started.map(|at| at.to_string()),
        "finishTime": own.finished.map(|at| at.to_string()),
        "url": url,
        "definition": definition_ref(view, definition, project),
        "project": project_ref(view, project),
        "uri": format!("vstfs:///Build/Build/{}", own.number),
        "sourceBranch": own.branch,
        "sourceVersion": own.commit,
        "queue": {"id": 9, "name": "Azure Pipelines", "pool": {"id": 9, "name": "Azure Pipelines", "isHosted": true}},
        "priority": "normal",
        "reason": own.reason,
        "requestedFor": view.person(own.by),
        "requestedBy": view.person(own.by),
        "lastChangedDate": own.finished.or(own.started).unwrap_or(own.queued).to_string(),
        "lastChangedBy": view.person(own.by),
        "repository": {
            "id": repository.id, "type": "TfsGit", "name": repository.name,
            "url": git::web_url(view, repository, project), "clean": null, "checkoutSubmodules": false,
        },
        "retainedByRelease": false,
        "triggeredByBuild": started_by,
        "appendCommitMessageToRunName": true,
    }))
}

/// The shape of XAML days, which version 1.0 has also for pipelines of today: the status is the result, and the branch is
/// within `sourceGetVersion`.
fn build_old(view: View<'_>, own: &Build, around: &Around<'_>) -> Value {
    let Around { definition, project, .. } = *around;
    let (url, _) = urls(view, own, project);
    let time = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
    json!({
        "uri": format!("vstfs:///Build/Build/{}", own.number),
        "id": own.number,
        "buildNumber": own.name(),
        "url": url,
        "startTime": time(own.started),
        "finishTime": time(own.finished),
        "reason": own.reason,
        "status": if own.result == Some("canceled") { Some("stopped") } else { own.result },
        "drop": {},
        "log": {"type": "container", "url": format!("{}/_apis/resources/Containers/{}/logs", view.base(), own.number)},
        "sourceGetVersion": format!("LG:{}:{}", own.branch, own.commit),
        "lastChangedBy": view.person(own.by),
        "retainIndefinitely": false,
        "hasDiagnostics": true,
        "definition": {
            "batchSize": 1, "triggerType": "none", "definitionType": "xaml", "id": definition.id,
            "name": definition.name,
            "url": format!("{}/{}/_apis/build/Definitions/{}", view.base(), project.id, definition.id),
        },
        "queue": {"queueType": "buildController", "id": 9, "name": "Azure Pipelines"},
        "requests": [{"id": own.number, "url": url, "requestedFor": view.person(own.by)}],
    })
}

pub(crate) fn definition_ref(view: View<'_>, own: &BuildDefinition, project: &Project) -> Value {
    json!({
        "drafts": [],
        "id": own.id,
        "name": own.name,
        "url": format!("{}/{}/_apis/build/Definitions/{}?revision=3", view.base(), project.id, own.id),
        "uri": format!("vstfs:///Build/Definition/{}", own.id),
        "path": own.path,
        "type": "build",
        "queueStatus": "enabled",
        "revision": 3,
        "project": project_ref(view, project),
    })
}

/// A definition as lists have it.
pub(crate) fn definition(view: View<'_>, own: &BuildDefinition, project: &Project) -> Value {
    let mut value = definition_ref(view, own, project);
    value["quality"] = "definition".into();
    value["authoredBy"] = view.person(own.by);
    value["createdDate"] = own.created.to_string().into();
    value
}

/// Stages, their phases, jobs and checkpoints of a build that started; ids of stages, jobs and approvals are those of
/// their events.
pub(crate) fn timeline(view: View<'_>, own: &Build, project: &Project) -> Value {
    let (url, _) = urls(view, own, project);
    let mut records = Vec::new();
    for (order, stage) in (1_u32..).zip(&own.stages) {
        let job = stage.jobs.first().map(|job| job.name.as_str()).unwrap_or_default();
        let phase = phase_id(&stage.name, job, stage.attempt);
        records.push(record((own, stage), order, (stage.id, None), "Stage", &stage.name));
        records.push(record((own, stage), order, (phase, Some(stage.id)), "Phase", &stage.name));
        records.extend(stage.jobs.iter().map(|job| {
            let mut told = record((own, stage), order, (job.id, Some(phase)), "Job", &job.name);
            told["identifier"] = identifier(&stage.name, &job.name).into();
            told
        }));
        for approval in own.approvals.iter().filter(|approval| approval.stage == stage.name) {
            let checkpoint = Uuid::new_v5(&approval.id, b"checkpoint");
            let asked = [
                record((own, stage), order, (checkpoint, Some(stage.id)), "Checkpoint", "Checkpoint"),
                record(
                    (own, stage),
                    order,
                    (approval.id, Some(checkpoint)),
                    "Checkpoint.Approval",
                    "Checkpoint.Approval",
                ),
            ];
            records.extend(asked.into_iter().map(|mut record| {
                record["startTime"] = approval.created.to_string().into();
                record["finishTime"] = approval.decided.map(|at| at.to_string()).into();
                record["state"] = if approval.decided.is_some() { "completed" } else { "inProgress" }.into();
                record["result"] = match approval.status {
                    "approved" => "succeeded".into(),
                    "rejected" => "failed".into(),
                    _ => Value::Null,
                };
                record
            }));
        }
    }
    json!({
        "records": records, "lastChangedBy": view.person(own.by)["id"],
        "lastChangedOn": own.finished.or(own.started).unwrap_or(own.queued).to_string(),
        "id": project.id, "changeId": own.stages.len(), "url": format!("{url}/Timeline"),
    })
}

/// A stage as it was in an earlier attempt, by the timeline that later records name; nothing if there is none.
pub(crate) fn earlier(view: View<'_>, own: &Build, project: &Project, timeline: Uuid) -> Option<Value> {
    let stage = own.earlier.iter().find(|stage| attempt(own, &stage.name, stage.attempt) == timeline)?;
    let then = Build { stages: vec![stage.clone()], approvals: Vec::new(), ..own.clone() };
    let mut told = self::timeline(view, &then, project);
    told["id"] = timeline.to_string().into();
    Some(told)
}

/// The timeline of an earlier attempt of a stage.
fn attempt(of: &Build, stage: &str, attempt: u32) -> Uuid {
    Uuid::new_v5(&Uuid::nil(), format!("{}/{stage}/{attempt}", of.number).as_bytes())
}

/// Where a job stands in the pipeline's text, whose names have no letters but these.
///
/// Source: recorded timelines (`stage.job.instance`).
fn identifier(stage: &str, job: &str) -> String {
    let plain = |name: &str| name.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_");
    format!("{}.{}.__default", plain(stage), plain(job).to_ascii_lowercase())
}

/// One record, as its stage is; earlier attempts are referred to and not told.
fn record(
    (build, of): (&Build, &Stage),
    order: u32,
    (id, parent): (Uuid, Option<Uuid>),
    kind: &str,
    name: &str,
) -> Value {
    let state = match of.state {
        "running" => "inProgress",
        "completed" => "completed",
        _ => "pending",
    };
    let earlier = |number: u32| {
        let then = build.earlier.iter().find(|stage| stage.name == of.name && stage.attempt == number);
        let record = then.and_then(|then| match kind {
            "Stage" => Some(then.id),
            "Job" => then.jobs.iter().find(|job| job.name == name).map(|job| job.id),
            _ => None,
        });
        json!({"attempt": number, "timelineId": attempt(build, &of.name, number), "recordId": record.unwrap_or(id)})
    };
    json!({
        "previousAttempts": (1..of.attempt).map(earlier).collect::<Vec<_>>(),
        "id": id, "parentId": parent, "type": kind, "name": name,
        "identifier": name, "startTime": of.started.map(|at| at.to_string()),
        "finishTime": of.finished.map(|at| at.to_string()), "currentOperation": null,
        "percentComplete": null, "state": state, "result": of.result, "resultCode": null,
        "changeId": order, "lastModified": "0001-01-01T00:00:00", "workerName": null, "order": order,
        "details": null, "errorCount": 0, "warningCount": 0, "url": null, "log": null, "task": null,
        "attempt": of.attempt, "issues": [],
    })
}
