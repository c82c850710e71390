//! Every call about runs.
//!
//! Source: Build 7.1 (`Builds - List`: `definitions`, `buildNumber`, `queryOrder`, `statusFilter`), Pipelines 7.1 (`Runs - Get`)
//! and distributedtask 7.1 (`Environments - List`: `name`; `Environmentdeployment Records - List`: `top` without a dollar and
//! `continuationToken`; both with the scope `vso.environment_manage`).

use super::{
    BuildRecord, Environment, EnvironmentDeployment, Failure, PageRequest, RunPipeline, RunRepository, RunResources,
    Runs,
    calls::api,
    engine::{Client, Paging},
    records_shapes::{self as shapes, needed, raw, text},
    wire::{self, Model},
};
use crate::azure::{
    lenient::{Int, Object, Text},
    resource::pipeline::Run,
};
use async_trait::async_trait;
use serde::Deserialize;
use uuid::Uuid;

/// Environments of a project whose names have something in them.
const ENVIRONMENTS_MAX: u32 = 1_000;
/// Deployments of an environment that are asked for at a time, and how often for the next.
const DEPLOYMENTS_ASKED: &str = "200";
const DEPLOYMENTS_PAGES_MAX: usize = 5;

impl<'a> Model<'a> for Run<'a> {
    type Into = RunResources;

    fn model(self) -> Result<RunResources, &'static str> {
        let repositories = self.resources.repositories.0.iter().map(|(alias, own)| RunRepository {
            alias: text(alias).unwrap_or_default(),
            id: text(&own.repository.id).or_else(|| text(&own.repository.full_name)),
            reference: text(&own.ref_name),
            version: text(&own.version),
        });
        let pipelines = self.resources.pipelines.0.iter().filter_map(|(_, own)| {
            let project = own.pipeline.url.as_str().and_then(|url| url.split_once("/_apis/")?.0.rsplit('/').next());
            Some(RunPipeline {
                id: text(&own.pipeline.id),
                project: project.filter(|id| Uuid::try_parse(id).is_ok()).map(str::to_owned),
                version: text(&own.version)?,
            })
        });
        Ok(RunResources { repositories: repositories.collect(), pipelines: pipelines.collect() })
    }
}

raw!(Named<'a> { id: Int, #[serde(borrow)] name: Text<'a>, });

impl<'a> Model<'a> for Named<'a> {
    type Into = Environment;

    fn model(self) -> Result<Environment, &'static str> {
        Ok(Environment { id: self.id.positive().ok_or("id")?, name: needed(&self.name, "name")? })
    }
}

raw!(Owner<'a> { #[serde(borrow)] id: Text<'a>, });

// Source: `EnvironmentDeploymentExecutionRecord` of azure-devops-extension-api (`owner` is the run).
raw!(Deployed<'a> {
    #[serde(borrow)] owner: Object<Owner<'a>>,
    #[serde(borrow)] stage_name: Text<'a>,
    stage_attempt: Int,
    #[serde(borrow)] result: Text<'a>,
});

impl<'a> Model<'a> for Deployed<'a> {
    /// The run's number beside it.
    type Into = (Option<i64>, EnvironmentDeployment);

    fn model(self) -> Result<Self::Into, &'static str> {
        let own = EnvironmentDeployment {
            stage: text(&self.stage_name),
            stage_attempt: self.stage_attempt.positive(),
            result: text(&self.result),
        };
        Ok((self.owner.id.as_str().and_then(|id| id.parse().ok()), own))
    }
}

impl Client {
    async fn one_build(&self, project: &str, asked: &[(&str, &str)]) -> Result<Option<BuildRecord>, Failure> {
        let call = api("builds", self.base(), Some(project), &["build", "builds"])?.with("$top", "1");
        let call = asked.iter().fold(call, |call, (name, value)| call.with(name, value));
        let reply = self.ask(&call).await?;
        Ok(wire::records::<shapes::Build<'_>>(&reply, call.name)?.into_iter().next())
    }
}

#[async_trait]
impl Runs for Client {
    async fn run_resources(&self, project: &str, pipeline: &str, run: i64) -> Result<RunResources, Failure> {
        let path = ["pipelines", pipeline, "runs", &run.to_string()];
        let call = api("the run", self.base(), Some(project), &path)?;
        wire::one::<Run<'_>>(&self.ask(&call).await?, call.name)
    }

    async fn build_called(&self, project: &str, pipeline: &str, number: &str) -> Result<Option<i64>, Failure> {
        let asked = [("definitions", pipeline), ("buildNumber", number), ("queryOrder", "queueTimeDescending")];
        Ok(self.one_build(project, &asked).await?.map(|build| build.id))
    }

    async fn newest_build(&self, project: &str, pipeline: &str) -> Result<Option<BuildRecord>, Failure> {
        let asked = [("definitions", pipeline), ("queryOrder", "finishTimeDescending"), ("statusFilter", "completed")];
        self.one_build(project, &asked).await
    }

    async fn environments(&self, project: &str, name: &str) -> Result<Vec<Environment>, Failure> {
        let call = api("environments", self.base(), Some(project), &["distributedtask", "environments"])?;
        let call = if name.is_empty() { call } else { call.with("name", name) };
        let page = PageRequest { items_max: ENVIRONMENTS_MAX, from: None };
        let read = |reply: &super::call::Reply| Ok(wire::list::<Named<'_>>(reply, "environments")?.into());
        Ok(self.parts(call, page, Paging::Token, read).await?.items)
    }

    async fn deployed_to(
        &self,
        project: &str,
        environment: i64,
        build: i64,
    ) -> Result<Vec<EnvironmentDeployment>, Failure> {
        let id = environment.to_string();
        let path = ["distributedtask", "environments", &id, "environmentdeploymentrecords"];
        let call = api("deployments of the environment", self.base(), Some(project), &path)?;
        let call = call.with("top", DEPLOYMENTS_ASKED);
        let (mut found, mut token) = (Vec::new(), None::<String>);
        for _ in 0..DEPLOYMENTS_PAGES_MAX {
            let call = match &token {
                Some(token) => call.clone().with("continuationToken", token),
                None => call.clone(),
            };
            let reply = self.ask(&call).await?;
            let page = wire::list::<Deployed<'_>>(&reply, call.name)?;
            // Their order is not documented. Those of one run follow each other by any: after them there are none.
            let before = found.len();
            found.extend(page.into_iter().filter(|(run, _)| *run == Some(build)).map(|(_, own)| own));
            let is_past = before > 0 && found.len() == before;
            let next = reply.continuation.clone();
            if next.is_none() || next == token || is_past {
                break;
            }
            token = next;
        }
        Ok(found)
    }
}
