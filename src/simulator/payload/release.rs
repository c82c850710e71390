//! Classic releases and their deployments.

use super::{View, git, present};
use crate::simulator::world::{Deployment, Project, Release, ReleaseDefinition, ReleaseEnvironment, World};
use serde_json::{Value, json};

/// A release and what belongs to it.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub(crate) world: &'a World,
    pub(crate) release: &'a Release,
    pub(crate) definition: &'a ReleaseDefinition,
    pub(crate) project: &'a Project,
}

pub(crate) fn around(world: &World, number: u32) -> Option<Around<'_>> {
    let release = world.releases.get(&number)?;
    let definition = world.release_definitions.get(&release.definition)?;
    Some(Around { world, release, definition, project: world.project_of(definition.project) })
}

/// `release-created` and `release-abandoned`.
pub(crate) fn released(view: View<'_>, world: &World, number: u32) -> Option<Value> {
    let around = around(world, number)?;
    Some(json!({"release": release(view, around), "project": project(around.project)}))
}

/// Which event of a deployment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// Somebody is asked, or answered.
    Asks,
    /// The deployment began: told without `deployment`, and perhaps with its steps.
    Started { steps: bool },
    /// The deployment is over: told without a release but the deployment's.
    Completed,
}

/// The events of a deployment.
///
/// Source: azure-devops-node-api, `ReleaseInterfaces.ts`: `DeploymentStartedEvent` and `DeploymentCompletedEvent`.
pub(crate) fn deployed(view: View<'_>, world: &World, number: u32, id: u32, telling: Telling) -> Option<Value> {
    let around = around(world, number)?;
    let own = around.release.environment(id)?;
    let last = own.deployments.last()?;
    if telling == Telling::Asks {
        let approval = approval(view, around, own, last);
        return Some(
            json!({"approval": approval, "release": release(view, around), "project": project(around.project)}),
        );
    }
    let mut resource = json!({
        "environment": environment(view, around, own),
        "project": project(around.project),
        "stageName": own.name,
        "attemptId": last.attempt,
        "id": own.id,
    });
    if let Telling::Started { steps } = telling {
        resource["release"] = release(view, around);
        if !steps {
            resource["environment"]["deploySteps"] = json!([]);
        }
    } else {
        resource["deployment"] = deployment(view, around, own, last);
        resource["comment"] = Value::Null;
        resource["data"] = json!({"releaseProperties": null});
    }
    Some(resource)
}

fn project(own: &Project) -> Value {
    json!({"id": own.id, "name": own.name})
}

fn url(view: View<'_>, around: Around<'_>) -> String {
    format!("{}/{}/_apis/Release/releases/{}", view.place.release_base, around.project.id, around.release.id)
}

fn links(view: View<'_>, around: Around<'_>) -> Value {
    let web =
        format!("{}/{}/_release?releaseId={}&_a=release-summary", view.base(), around.project.id, around.release.id);
    json!({"self": {"href": url(view, around)}, "web": {"href": web}})
}

fn release_ref(view: View<'_>, around: Around<'_>) -> Value {
    let own = around.release;
    json!({"id": own.id, "name": own.name(), "url": url(view, around), "_links": links(view, around)})
}

pub(crate) fn definition_url(view: View<'_>, own: &ReleaseDefinition) -> String {
    format!("{}/{}/_apis/Release/definitions/{}", view.place.release_base, own.project, own.id)
}

fn definition_ref(view: View<'_>, around: Around<'_>) -> Value {
    let own = around.definition;
    let url = definition_url(view, own);
    let web = format!("{}/{}/_release?definitionId={}", view.base(), own.project, own.id);
    json!({
        "id": own.id, "name": own.name, "path": own.path, "projectReference": null, "url": url,
        "_links": {"self": {"href": url}, "web": {"href": web}},
    })
}

/// A definition as lists have it.
pub(crate) fn definition(view: View<'_>, own: &ReleaseDefinition) -> Value {
    let web = format!("{}/{}/_release?definitionId={}", view.base(), own.project, own.id);
    let at = own.created.to_string();
    json!({
        "source": "userInterface", "revision": 4, "description": null, "createdBy": view.person(own.by),
        "createdOn": at, "modifiedBy": view.person(own.by), "modifiedOn": at, "isDeleted": false, "isDisabled": false,
        "variableGroups": null, "releaseNameFormat": "Release-$(rev:r)", "properties": {}, "id": own.id,
        "name": own.name, "path": own.path, "projectReference": null, "url": definition_url(view, own),
        "_links": {"self": {"href": definition_url(view, own)}, "web": {"href": web}},
    })
}

/// A release.
pub(crate) fn release(view: View<'_>, around: Around<'_>) -> Value {
    let own = around.release;
    json!({
        "id": own.id,
        "name": own.name(),
        "status": own.status,
        "createdOn": own.created.to_string(),
        "modifiedOn": own.changed.to_string(),
        "modifiedBy": view.person(own.by),
        "createdBy": view.person(own.by),
        "environments": own.environments.iter().map(|own| environment(view, around, own)).collect::<Vec<_>>(),
        "variables": {},
        "variableGroups": [],
        "artifacts": artifacts(view, around),
        "releaseDefinition": definition_ref(view, around),
        "description": "",
        "reason": "manual",
        "releaseNameFormat": "Release-$(rev:r)",
        "keepForever": false,
        "definitionSnapshotRevision": 1,
        "logsContainerUrl": format!("{}/logs", url(view, around)),
        "url": url(view, around),
        "_links": links(view, around),
        "tags": [],
        "projectReference": {"id": around.project.id, "name": around.project.name},
        "properties": {},
    })
}

/// The build that is released.
fn artifacts(view: View<'_>, around: Around<'_>) -> Value {
    let Some(build) = around.world.builds.get(&around.release.build) else { return json!([]) };
    let Some(of) = super::build::around(around.world, build) else { return json!([]) };
    let named = |id: String, name: &str| json!({"id": id, "name": name});
    let branch = build.branch.clone();
    json!([{
        "sourceId": format!("{}:{}", of.project.id, of.definition.id),
        "type": "Build",
        "alias": format!("_{}", of.definition.name),
        "definitionReference": {
            "artifactSourceDefinitionUrl": named(git::web_url(view, of.repository, of.project), ""),
            "branch": named(branch.clone(), &branch),
            "defaultVersionType": named("latestType".to_owned(), "Latest"),
            "definition": named(of.definition.id.to_string(), &of.definition.name),
            "project": named(of.project.id.to_string(), &of.project.name),
            "repository": named(of.repository.id.to_string(), &of.repository.name),
            "requestedFor": named(build.by.to_string(), ""),
            "sourceVersion": named(build.commit.clone(), ""),
            "version": named(build.number.to_string(), &build.name()),
        },
        "isPrimary": true,
        "isRetained": false,
    }])
}

fn environment(view: View<'_>, around: Around<'_>, own: &ReleaseEnvironment) -> Value {
    let approvals: Vec<Value> = own.deployments.iter().map(|last| approval(view, around, own, last)).collect();
    let steps: Vec<Value> = own.deployments.iter().map(|deployment| step(view, deployment)).collect();
    let first = own.deployments.first();
    let took =
        own.deployments.last().and_then(|last| Some(last.completed?.duration_since(last.started).as_secs_f64() / 60.0));
    let snapshot = json!({
        "approvals": [{"rank": 1, "isAutomated": true, "isNotificationOn": false, "id": 0}],
        "approvalOptions": {"requiredApproverCount": 0, "releaseCreatorCanBeApprover": true},
    });
    present(json!({
        "id": own.id,
        "releaseId": around.release.id,
        "name": own.name,
        "status": own.status,
        "variables": {},
        "preDeployApprovals": approvals,
        "postDeployApprovals": [],
        "preApprovalsSnapshot": snapshot,
        "postApprovalsSnapshot": {"approvals": [{"rank": 1, "isAutomated": true, "isNotificationOn": false, "id": 0}]},
        "deploySteps": steps,
        "rank": own.definition_environment,
        "definitionEnvironmentId": own.definition_environment,
        "environmentOptions": {
            "emailNotificationType": "OnlyOnFailure", "emailRecipients": "release.environment.owner;release.creator",
            "skipArtifactsDownload": false, "timeoutInMinutes": 0, "enableAccessToken": false,
            "publishDeploymentStatus": true,
        },
        "demands": [],
        "conditions": [{"name": "ReleaseStarted", "conditionType": "event", "value": "", "result": true}],
        "createdOn": first.map(|first| first.queued.to_string()),
        "modifiedOn": around.release.changed.to_string(),
        "timeToDeploy": took,
        "workflowTasks": [],
        "deployPhasesSnapshot": [],
        "owner": view.person(around.definition.by),
        "schedules": [],
        "release": release_ref(view, around),
        "releaseDefinition": definition_ref(view, around),
        "releaseCreatedBy": view.person(around.release.by),
        "triggerReason": "Manual",
    }))
}

/// Status, and status of the operation, of an attempt.
fn statuses(own: &Deployment) -> (&'static str, &'static str) {
    let operation = match (own.status, own.approval, own.completed.is_some()) {
        ("notDeployed", Some(("pending", _)), false) => "Pending",
        (_, Some(("rejected", _)), _) => "Rejected",
        ("inProgress", ..) => "PhaseInProgress",
        ("succeeded", ..) => "Approved",
        ("partiallySucceeded", ..) => "PhasePartiallySucceeded",
        ("failed", ..) => "PhaseFailed",
        (_, _, true) => "Canceled",
        _ => "Queued",
    };
    (own.status, operation)
}

/// The status of an attempt's operation.
pub(crate) fn operation(own: &Deployment) -> &'static str {
    statuses(own).1
}

fn step(view: View<'_>, own: &Deployment) -> Value {
    let (status, operation) = statuses(own);
    json!({
        "id": own.id, "deploymentId": own.id, "attempt": own.attempt, "reason": "manual", "status": status,
        "operationStatus": operation, "requestedBy": view.person(own.by), "requestedFor": view.person(own.by),
        "queuedOn": own.queued.to_string(), "lastModifiedBy": view.person(own.by),
        "lastModifiedOn": own.changed.to_string(), "hasStarted": own.status != "notDeployed", "issues": [],
    })
}

/// An attempt as `deployments` has it.
pub(crate) fn deployment(
    view: View<'_>,
    around: Around<'_>,
    environment: &ReleaseEnvironment,
    own: &Deployment,
) -> Value {
    let (status, operation) = statuses(own);
    let mut release = release_ref(view, around);
    let web = links(view, around)["web"]["href"].clone();
    release["webAccessUri"] = web;
    release["artifacts"] = artifacts(view, around);
    release["description"] = Value::Null;
    release["releaseDefinition"] = Value::Null;
    release["createdOn"] = around.release.created.to_string().into();
    release["createdBy"] = Value::Null;
    release["modifiedBy"] = Value::Null;
    release["reason"] = "none".into();
    let mut value = json!({
        "id": own.id,
        "release": release,
        "releaseDefinition": definition_ref(view, around),
        "releaseEnvironment": {"id": environment.id, "name": environment.name, "_links": {}},
        "projectReference": null,
        "definitionEnvironmentId": environment.definition_environment,
        "attempt": own.attempt,
        "reason": "manual",
        "deploymentStatus": status,
        "operationStatus": operation,
        "requestedBy": view.person(own.by),
        "requestedFor": view.person(own.by),
        "queuedOn": own.queued.to_string(),
        "startedOn": own.started.to_string(),
        "lastModifiedOn": own.changed.to_string(),
        "lastModifiedBy": view.person(own.by),
        "conditions": [{"name": "ReleaseStarted", "conditionType": "event", "value": "", "result": true}],
        "preDeployApprovals": [approval(view, around, environment, own)],
        "postDeployApprovals": own.completed.map(|_| after(view, around, environment, own)).into_iter().collect::<Vec<_>>(),
        "_links": {},
        "scheduledDeploymentTime": own.queued.to_string(),
    });
    if let Some(at) = own.completed {
        value["completedOn"] = at.to_string().into();
    }
    value
}

/// Nobody is asked afterwards.
fn after(view: View<'_>, around: Around<'_>, environment: &ReleaseEnvironment, own: &Deployment) -> Value {
    let mut value = approval(view, around, environment, &Deployment { approval: None, ..own.clone() });
    value["approvalType"] = "postDeploy".into();
    value
}

/// Who was asked; nobody is an approval too, an automated one.
fn approval(view: View<'_>, around: Around<'_>, environment: &ReleaseEnvironment, own: &Deployment) -> Value {
    let (status, approver) = own.approval.unwrap_or(("approved", own.by));
    let decided = status != "pending";
    let mut value = json!({
        "id": own.id,
        "revision": 1,
        "approver": view.person(approver),
        "approvalType": "preDeploy",
        "createdOn": own.queued.to_string(),
        "modifiedOn": own.decided.unwrap_or(own.queued).to_string(),
        "status": status,
        "comments": "",
        "isAutomated": own.approval.is_none(),
        "isNotificationOn": own.approval.is_some(),
        "trialNumber": 1,
        "attempt": own.attempt,
        "rank": 1,
        "release": {"id": around.release.id, "name": around.release.name(), "url": url(view, around), "_links": {}},
        "releaseDefinition": {
            "id": around.definition.id, "name": around.definition.name,
            "url": definition_url(view, around.definition), "_links": {},
        },
        "releaseEnvironment": {
            "id": environment.id, "name": environment.name,
            "url": format!("{}/environments/{}", url(view, around), environment.id), "_links": {},
        },
        "url": format!("{}/{}/_apis/Release/approvals/{}", view.place.release_base, around.project.id, own.id),
    });
    if decided {
        value["approvedBy"] = view.person(approver);
    }
    value
}
