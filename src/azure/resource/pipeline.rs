//! Runs, stages, jobs and their approvals. Source: captured run and stage events of 2019 and 2025; Pipelines 7.2 of
//! vsts-rest-api-specs; the page's samples for approvals, in which nearly everything is null.

use super::{Identity, Links, Named, build::Build, git::Signature};
use crate::azure::lenient::{Int, List, Object, Pairs, Text};
use serde::Deserialize;

/// `ms.vss-pipelines.run-`, `stage-` and `job-state-changed-event`: one struct, since each adds to the one before.
/// In 2019 a run event had only `run` and `pipeline`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct StateChange<'a> {
    /// The project's GUID.
    pub project_id: Text<'a>,
    /// The run.
    pub run: Object<Run<'a>>,
    /// The run's number.
    pub run_id: Int,
    /// The run's address.
    pub run_url: Text<'a>,
    /// The pipeline.
    pub pipeline: Object<Named<'a>>,
    /// Of stage and job events.
    pub stage: Object<Record<'a>>,
    /// Of stage events.
    pub stage_name: Text<'a>,
    /// Of job events.
    pub job: Object<Record<'a>>,
    /// What was checked out; without commit ids.
    pub repositories: List<Object<Checkout<'a>>>,
    /// For whom.
    pub requested_for: Identity<'a>,
    /// The run's stages as they are now; of run events.
    pub stages: List<Object<Record<'a>>>,
    /// The record of its build: not in what hooks send, but in what is composed of the record.
    pub build: Object<Build<'a>>,
}

/// A run; its number is the build's.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Run<'a> {
    /// Missing in the newest sample.
    pub id: Int,
    /// The build number.
    pub name: Text<'a>,
    /// inProgress, canceling, completed.
    pub state: Text<'a>,
    /// succeeded, failed, canceled.
    pub result: Text<'a>,
    /// When it was made.
    pub created_date: Text<'a>,
    /// When it finished.
    pub finished_date: Text<'a>,
    /// REST address.
    pub url: Text<'a>,
    /// The pipeline.
    pub pipeline: Object<Named<'a>>,
    /// What it runs on.
    pub resources: Object<Resources<'a>>,
    /// Links.
    #[serde(rename = "_links")]
    pub links: Object<Links<'a>>,
}

/// What a run runs on.
///
/// Source: `RunResources` of Pipelines 7.2, with the pages on repository and pipeline resources.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Resources<'a> {
    /// By alias; `self` is the pipeline's own.
    pub repositories: Pairs<'a, Object<RepositoryResource<'a>>>,
    /// Other pipelines whose artifacts it takes, by alias.
    pub pipelines: Pairs<'a, Object<PipelineResource<'a>>>,
}

/// A run of another pipeline whose artifacts a run takes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct PipelineResource<'a> {
    /// Which pipeline.
    pub pipeline: Object<PipelineRef<'a>>,
    /// The number that people call the run by.
    pub version: Text<'a>,
}

/// A pipeline as runs refer to it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct PipelineRef<'a> {
    /// The number.
    pub id: Text<'a>,
    /// The name.
    pub name: Text<'a>,
    /// REST address, with its project in it.
    pub url: Text<'a>,
}

/// A repository that a run runs on.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct RepositoryResource<'a> {
    /// Which.
    pub repository: Object<RepositoryRef<'a>>,
    /// Its branch.
    pub ref_name: Text<'a>,
    /// Its commit.
    pub version: Text<'a>,
}

/// A repository by id.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct RepositoryRef<'a> {
    /// GUID, for Azure's own.
    pub id: Text<'a>,
    /// `owner/name`, for GitHub's.
    pub full_name: Text<'a>,
    /// `azureReposGit`, `gitHub`, …
    #[serde(rename = "type")]
    pub kind: Text<'a>,
}

/// A stage or a job.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Record<'a> {
    /// GUID.
    pub id: Text<'a>,
    /// As in the YAML; `__default` when it names none.
    pub name: Text<'a>,
    /// What people call it.
    pub display_name: Text<'a>,
    /// The name that stays the same over attempts, unlike the id. Only records have it.
    pub identifier: Text<'a>,
    /// From 1; counts repeats of the same stage or job in one run.
    pub attempt: Int,
    /// notStarted, waiting, running, completed.
    pub state: Text<'a>,
    /// succeeded, failed, canceled, rejected, skipped.
    pub result: Text<'a>,
    /// When it started.
    pub start_time: Text<'a>,
    /// When it finished.
    pub finish_time: Text<'a>,
    /// Links.
    #[serde(rename = "_links")]
    pub links: Object<Links<'a>>,
}

/// What a stage or job checked out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Checkout<'a> {
    /// `self` or the alias.
    pub alias: Text<'a>,
    /// Which repository.
    pub id: Text<'a>,
    /// `Git`, `GitHub`, …
    #[serde(rename = "type")]
    pub kind: Text<'a>,
    /// The newest change.
    pub change: Object<Change<'a>>,
    /// Where it is.
    pub url: Text<'a>,
}

/// The newest change of a checkout.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Change<'a> {
    /// Who.
    pub author: Object<Signature<'a>>,
    /// Its message.
    pub message: Text<'a>,
    /// The commit, since 2025.
    pub version: Text<'a>,
}

/// `ms.vss-pipelinechecks-events.approval-pending` and `-completed`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct ApprovalEvent<'a> {
    /// The approval.
    pub approval: Object<Approval<'a>>,
    /// Its GUID once more.
    pub approval_id: Text<'a>,
    /// The stage's attempt; 0 in the samples.
    pub attempt_id: Int,
    /// The project's GUID; there is no project container.
    pub project_id: Text<'a>,
    /// The pipeline.
    pub pipeline: Object<Named<'a>>,
    /// The stage.
    pub stage: Object<Record<'a>>,
    /// The name.
    pub stage_name: Text<'a>,
    /// The run.
    pub run: Object<ApprovalRun<'a>>,
    /// The run's number.
    pub run_id: Int,
    /// The run's address.
    pub run_url: Text<'a>,
    /// What is protected, such as an environment.
    pub resource: Object<Protected<'a>>,
    /// For whom the run runs.
    pub requested_by: Identity<'a>,
}

/// An approval.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Approval<'a> {
    /// GUID.
    pub id: Text<'a>,
    /// pending, approved, rejected, canceled, timedOut, skipped.
    pub status: Text<'a>,
    /// For the approvers.
    pub instructions: Text<'a>,
    /// How many must approve.
    pub min_required_approvers: Int,
    /// Who is to approve, and who did.
    pub steps: List<Object<ApprovalStep<'a>>>,
    /// When it was asked for.
    pub created_on: Text<'a>,
    /// When it was last changed.
    pub last_modified_on: Text<'a>,
    /// Whose it is.
    pub pipeline: Object<ApprovalPipeline<'a>>,
}

/// Whose an approval is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct ApprovalPipeline<'a> {
    /// Its id is the run's.
    pub owner: Object<ApprovalRun<'a>>,
    /// The pipeline's id, where given.
    pub id: Text<'a>,
    /// The pipeline's name, where given.
    pub name: Text<'a>,
}

/// One approver's part.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct ApprovalStep<'a> {
    /// Who was asked.
    pub assigned_approver: Identity<'a>,
    /// Who answered.
    pub actual_approver: Identity<'a>,
    /// As the approval's.
    pub status: Text<'a>,
    /// What they wrote.
    pub comment: Text<'a>,
    /// When they answered.
    pub last_modified_on: Text<'a>,
}

/// A run as approvals name it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct ApprovalRun<'a> {
    /// The run's number.
    pub id: Int,
    /// The build number.
    pub name: Text<'a>,
    /// A name or an identity.
    pub requested_for: Identity<'a>,
}

/// What an approval or check protects.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Protected<'a> {
    /// Its id.
    pub id: Text<'a>,
    /// The name.
    pub name: Text<'a>,
    /// environment, queue, endpoint, …
    #[serde(rename = "type")]
    pub kind: Text<'a>,
    /// The same under another name.
    pub resource_type: Text<'a>,
}

/// `ms.vss-pipelinechecks-events.check-updated-event`: a check's configuration changed.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct CheckUpdate<'a> {
    /// What the check protects.
    pub resource: Object<Protected<'a>>,
    /// Which check.
    pub check_configuration_id: Int,
    /// The project's GUID.
    pub project_id: Text<'a>,
}
