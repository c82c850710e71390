//! Classic releases. Source: the page "Service hooks events" and Release 7.2 of vsts-rest-api-specs; azure-devops-node-api,
//! `ReleaseInterfaces.ts`: a started deployment is told as `{environment, project, release}` and a completed one as `{comment,
//! data, deployment, environment, project}`, both with `{attemptId, stageName}`.

use super::{Identity, Named, Project};
use crate::azure::lenient::{Flag, Int, List, Object, Pairs, Text};
use serde::Deserialize;

/// All of `ms.vss-release.*`: one struct, since they share most members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct ReleaseEvent<'a> {
    /// The release.
    pub release: Object<Release<'a>>,
    /// Of deployment events.
    pub environment: Object<Environment<'a>>,
    /// Of deployment events, newer ones.
    pub deployment: Object<Deployment<'a>>,
    /// Of approval events.
    pub approval: Object<ReleaseApproval<'a>>,
    /// Its id is all zeros in samples.
    pub project: Object<Project<'a>>,
    /// What was written when it was deployed.
    pub comment: Text<'a>,
    /// Of deployment events: which attempt, from 1.
    pub attempt_id: Int,
    /// Of deployment events: the environment's name.
    pub stage_name: Text<'a>,
}

/// A release.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Release<'a> {
    /// Its number.
    pub id: Int,
    /// Its name.
    pub name: Text<'a>,
    /// draft, active, abandoned.
    pub status: Text<'a>,
    /// When it was made.
    pub created_on: Text<'a>,
    /// When it was last changed.
    pub modified_on: Text<'a>,
    /// Who made it.
    pub created_by: Identity<'a>,
    /// Who last changed it.
    pub modified_by: Identity<'a>,
    /// What it deploys.
    pub artifacts: List<Object<Artifact<'a>>>,
    /// Its pipeline.
    pub release_definition: Object<Named<'a>>,
    /// Description.
    pub description: Text<'a>,
    /// manual, continuousIntegration, …
    pub reason: Text<'a>,
}

/// What a release deploys.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Artifact<'a> {
    /// `Build`, `Git`, …
    #[serde(rename = "type")]
    pub kind: Text<'a>,
    /// Its name in the release.
    pub alias: Text<'a>,
    /// Whether the release is named after it.
    pub is_primary: Flag,
    /// `version`, `branch`, `project`, `definition`, `sourceVersion`, …; upper-case in old samples.
    pub definition_reference: Pairs<'a, Object<Named<'a>>>,
}

/// One environment (stage) of a release.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Environment<'a> {
    /// Its number.
    pub id: Int,
    /// May be 0: see `release`.
    pub release_id: Int,
    /// Its name.
    pub name: Text<'a>,
    /// notStarted, inProgress, succeeded, canceled, rejected, queued, scheduled, partiallySucceeded.
    pub status: Text<'a>,
    /// Its place in the definition.
    pub definition_environment_id: Int,
    /// When it was last changed.
    pub modified_on: Text<'a>,
    /// One per attempt.
    pub deploy_steps: List<Object<DeployStep>>,
    /// The release.
    pub release: Object<Named<'a>>,
    /// Its pipeline.
    pub release_definition: Object<Named<'a>>,
}

/// One attempt.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeployStep {
    /// From 1.
    pub attempt: Int,
}

/// A deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Deployment<'a> {
    /// Its number.
    pub id: Int,
    /// From 1.
    pub attempt: Int,
    /// notDeployed, inProgress, succeeded, partiallySucceeded, failed.
    pub deployment_status: Text<'a>,
    /// Finer than the status.
    pub operation_status: Text<'a>,
    /// When it started.
    pub started_on: Text<'a>,
    /// When it finished.
    pub completed_on: Text<'a>,
    /// When its turn came to wait.
    pub queued_on: Text<'a>,
    /// When it was last changed: when it finished, where nothing says so.
    pub last_modified_on: Text<'a>,
    /// For whom.
    pub requested_for: Identity<'a>,
    /// By whom, which can be the service itself.
    pub requested_by: Identity<'a>,
    /// The release, with what it deploys: of completed ones, whose event has no release of its own.
    pub release: Object<Release<'a>>,
    /// Its pipeline.
    pub release_definition: Object<Named<'a>>,
}

/// An approval before or after a deployment.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct ReleaseApproval<'a> {
    /// Its number; 0 in samples.
    pub id: Int,
    /// preDeploy, postDeploy.
    pub approval_type: Text<'a>,
    /// pending, approved, rejected, reassigned, canceled, skipped.
    pub status: Text<'a>,
    /// From 1; 0 in samples.
    pub attempt: Int,
    /// Who was asked.
    pub approver: Identity<'a>,
    /// Who answered.
    pub approved_by: Identity<'a>,
    /// What they wrote.
    pub comments: Text<'a>,
    /// When it was asked for.
    pub created_on: Text<'a>,
    /// When it was last changed.
    pub modified_on: Text<'a>,
    /// REST address.
    pub url: Text<'a>,
    /// The release.
    pub release: Object<Named<'a>>,
    /// Its pipeline.
    pub release_definition: Object<Named<'a>>,
    /// The environment.
    pub release_environment: Object<Named<'a>>,
}
