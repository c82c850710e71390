//! The sources that a run was made of, and the environments that it deployed to.

use super::{BuildRecord, Failure};
use async_trait::async_trait;

/// The sources of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunResources {
    /// The repositories that the run checked out; the pipeline's own is among them.
    pub repositories: Vec<RunRepository>,
    /// Runs of other pipelines whose artifacts it took.
    pub pipelines: Vec<RunPipeline>,
}

/// A repository that a run checked out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunRepository {
    /// `self` is the pipeline's own.
    pub alias: String,
    /// The GUID; of a repository elsewhere, the full name.
    pub id: Option<String>,
    /// The full name of the ref.
    pub reference: Option<String>,
    /// The commit.
    pub version: Option<String>,
}

/// A run of another pipeline, by what people call it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPipeline {
    /// The pipeline's number.
    pub id: Option<String>,
    /// The project, where it is told.
    pub project: Option<String>,
    /// The name that people see.
    pub version: String,
}

/// An environment that deployment jobs deploy to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The number.
    pub id: i64,
    /// The name.
    pub name: String,
}

/// That a job deployed to an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentDeployment {
    /// The stage of the job.
    pub stage: Option<String>,
    /// Which attempt of the stage, from 1.
    pub stage_attempt: Option<i64>,
    /// How it ended; nothing while it goes on.
    pub result: Option<String>,
}

/// Calls about runs, a part of [`AzureDevOps`](super::AzureDevOps). Scope Build (Read), but for environments.
#[async_trait]
pub trait Runs: Send + Sync {
    /// The sources of a run of a pipeline.
    async fn run_resources(&self, project: &str, pipeline: &str, run: i64) -> Result<RunResources, Failure>;

    /// The number of the build of a pipeline that people call so.
    async fn build_called(&self, project: &str, pipeline: &str, number: &str) -> Result<Option<i64>, Failure>;

    /// The build of a pipeline that finished last.
    async fn newest_build(&self, project: &str, pipeline: &str) -> Result<Option<BuildRecord>, Failure>;

    /// The environments of a project whose names have this in them. Scope Environment (Read & manage).
    async fn environments(&self, project: &str, name: &str) -> Result<Vec<Environment>, Failure>;

    /// The jobs of a build that deployed to an environment, among the newest deployments. Scope Environment (Read & manage).
    async fn deployed_to(
        &self,
        project: &str,
        environment: i64,
        build: i64,
    ) -> Result<Vec<EnvironmentDeployment>, Failure>;
}
