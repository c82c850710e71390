//! Runs, stages, jobs and approvals of pipelines.

use super::{
    View,
    build::{Around, around},
    present,
};
use crate::simulator::world::{Approval, Build, Stage, World};
use serde_json::{Value, json};
use uuid::Uuid;

/// A run and what belongs to it.
pub(crate) fn found(world: &World, number: u32) -> Option<(&Build, Around<'_>)> {
    let own = world.builds.get(&number)?;
    Some((own, around(world, own)?))
}

/// `run-state-changed`.
pub(crate) fn run_state(view: View<'_>, own: &Build, around: &Around<'_>) -> Value {
    let mut resource = head(view, own, around);
    resource["run"] = run(view, own, around);
    resource["stages"] = own.stages.iter().map(stage).collect::<Vec<_>>().into();
    resource["requestedBy"] = view.person(own.by);
    resource["requestedFor"] = view.person(own.by);
    resource["queue"] =
        json!({"id": 9, "name": "Azure Pipelines", "pool": {"id": 9, "name": "Azure Pipelines", "isHosted": true}});
    // Until it has finished, the sources are only in the run itself.
    if own.finished.is_none() {
        resource["repositories"] = json!([]);
    }
    resource
}

/// `stage-state-changed`: it does not say who asked for the run.
pub(crate) fn stage_state(view: View<'_>, own: &Build, around: &Around<'_>, name: &str) -> Option<Value> {
    let mut resource = head(view, own, around);
    resource["stage"] = stage(own.stages.iter().find(|stage| stage.name == name)?);
    resource["run"] = run(view, own, around);
    resource["stageName"] = name.into();
    Some(resource)
}

/// `job-state-changed`.
pub(crate) fn job_state(view: View<'_>, own: &Build, around: &Around<'_>, name: &str, job: &str) -> Option<Value> {
    let of = own.stages.iter().find(|stage| stage.name == name)?;
    let job = of.jobs.iter().find(|own| own.name == job)?;
    let mut resource = stage_state(view, own, around, name)?;
    resource["job"] = present(json!({
        "id": job.id, "name": job.name, "attempt": of.attempt, "state": of.state, "result": of.result,
        "startTime": of.started.map(|at| at.to_string()), "finishTime": of.finished.map(|at| at.to_string()),
    }));
    Some(resource)
}

/// `approval-pending` and `approval-completed`.
pub(crate) fn approval(view: View<'_>, own: &Build, around: &Around<'_>, id: Uuid) -> Option<Value> {
    let approval = own.approvals.iter().find(|own| own.id == id)?;
    let mut resource = stage_state(view, own, around, &approval.stage)?;
    resource["approval"] = asked(view, own, approval);
    resource["approvalId"] = id.to_string().into();
    resource["attemptId"] = 1.into();
    resource["resource"] = json!({"id": "1", "name": approval.environment, "type": "environment"});
    resource["requestedBy"] = view.person(own.by);
    resource["run"] = json!({
        "id": own.number, "name": own.name(), "runReason": own.reason, "requestedFor": null,
        "_links": run(view, own, around)["_links"],
    });
    Some(resource)
}

fn asked(view: View<'_>, own: &Build, approval: &Approval) -> Value {
    let at = approval.decided.unwrap_or(approval.created).to_string();
    let actual = approval.decided.map(|_| view.person(approval.approver));
    json!({
        "id": approval.id, "status": approval.status, "instructions": "", "minRequiredApprovers": 1,
        "executionOrder": "anyOrder", "blockedApprovers": [], "createdOn": approval.created.to_string(),
        "lastModifiedOn": at,
        "steps": [present(json!({
            "assignedApprover": view.person(approval.approver), "actualApprover": actual, "status": approval.status,
            "initiatedOn": approval.created.to_string(), "lastModifiedOn": at,
        }))],
        "pipeline": {"owner": {"id": own.number, "name": own.name()}},
        "_links": {},
    })
}

/// A run as REST has it.
pub(crate) fn run(view: View<'_>, own: &Build, around: &Around<'_>) -> Value {
    let (project, id) = (around.project.id, around.definition.id);
    let url = format!("{}/{project}/_apis/pipelines/{id}/runs/{}", view.base(), own.number);
    let result = own.result.map(|result| match result {
        // A run knows no partial success.
        "partiallySucceeded" => "succeeded",
        other => other,
    });
    present(json!({
        "_links": {
            "self": {"href": url},
            "web": {"href": format!("{}/{project}/_build/results?buildId={}", view.base(), own.number)},
            "pipeline": {"href": pipeline_url(view, around)},
            "pipeline.web": {"href": format!("{}/{project}/_build/definition?definitionId={id}", view.base())},
        },
        "templateParameters": {},
        "pipeline": pipeline(view, around),
        "state": if own.finished.is_some() { "completed" } else { "inProgress" },
        "result": result,
        "createdDate": own.queued.to_string(),
        "finishedDate": own.finished.map(|at| at.to_string()),
        "url": url,
        "resources": resources(view, own, around),
        "id": own.number,
        "name": own.name(),
    }))
}

/// The sources of a run. Source: `RunResources` of Pipelines 7.2.
fn resources(view: View<'_>, own: &Build, around: &Around<'_>) -> Value {
    let repository = |id: Uuid, name: &str, commit: &str| json!({"repository": {"id": id, "type": "azureReposGit"}, "refName": name, "version": commit});
    let mut repositories = json!({"self": repository(around.repository.id, &own.branch, &own.commit)});
    for other in &own.others {
        repositories[&other.alias] = repository(other.repository, &other.reference, &other.commit);
    }
    let mut resources = json!({"repositories": repositories});
    for (alias, run) in &own.taken {
        let (id, name) = &run.definition;
        let url = format!("{}/{}/_apis/pipelines/{id}?revision=3", view.base(), run.project);
        let pipeline = json!({"url": url, "id": id, "revision": 3, "name": name, "folder": "\\"});
        resources["pipelines"][alias] = json!({"pipeline": pipeline, "version": run.name});
    }
    resources
}

/// A pipeline as REST has it.
pub(crate) fn pipeline(view: View<'_>, around: &Around<'_>) -> Value {
    let own = around.definition;
    json!({"url": pipeline_url(view, around), "id": own.id, "revision": 3, "name": own.name, "folder": own.path})
}

fn pipeline_url(view: View<'_>, around: &Around<'_>) -> String {
    format!("{}/{}/_apis/pipelines/{}?revision=3", view.base(), around.project.id, around.definition.id)
}

/// What all events of a run have.
fn head(view: View<'_>, own: &Build, around: &Around<'_>) -> Value {
    let repository = around.repository;
    let mut told = json!({
        "pipeline": pipeline(view, around),
        "runId": own.number,
        "runUrl": format!("{}/{}/_build/results?buildId={}", view.base(), around.project.id, own.number),
        "projectId": around.project.id,
        "repositories": [{
            "alias": "self", "id": repository.id, "type": "Git",
            "change": {"author": person(view, own.by), "message": own.comment, "version": own.commit},
            "url": super::git::web_url(view, repository, around.project),
        }],
    });
    for other in &own.others {
        let found = around.world.and_then(|world| Some((world, world.repository_of(other.repository)?)));
        let Some((world, repository)) = found else { continue };
        let project = world.project_of(repository.project);
        let message = repository.commits.get(&other.commit).map(|commit| commit.comment.clone());
        let checkout = json!({
            "alias": other.alias, "id": repository.id, "type": "Git",
            "change": {"author": person(view, own.by), "message": message, "version": other.commit},
            "url": super::git::web_url(view, repository, project),
        });
        told["repositories"].as_array_mut().expect("it is a list").push(checkout);
    }
    told
}

fn person(view: View<'_>, id: Uuid) -> Value {
    view.people.find(id).map_or(Value::Null, |own| json!({"name": own.name, "email": own.account}))
}

fn stage(own: &Stage) -> Value {
    present(json!({
        "id": own.id, "name": own.name, "displayName": own.name, "attempt": own.attempt, "state": own.state,
        "result": own.result, "startTime": own.started.map(|at| at.to_string()),
        "finishTime": own.finished.map(|at| at.to_string()),
    }))
}
