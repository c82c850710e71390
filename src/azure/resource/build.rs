//! `build.complete`. Source: captured 1.0 payloads (the XAML-era shape, also for YAML pipelines); Build 7.2 of
//! vsts-rest-api-specs for 2.0.

use super::{Identity, Links, Named, Project};
use crate::azure::lenient::{Int, List, Object, Pairs, Text};
use serde::Deserialize;

/// A build.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Build<'a> {
    /// Unique in the collection; the same number as the pipeline run's.
    pub id: Int,
    /// What people call it.
    pub build_number: Text<'a>,
    /// 2.0: `completed`. 1.0: the result.
    pub status: Text<'a>,
    /// 2.0 only.
    pub result: Text<'a>,
    /// manual, individualCI, pullRequest, …
    pub reason: Text<'a>,
    /// 2.0: `refs/heads/…`, `refs/pull/N/merge`, `refs/tags/…`.
    pub source_branch: Text<'a>,
    /// 2.0: the commit.
    pub source_version: Text<'a>,
    /// 1.0: `LG:refs/heads/main:<commit>`.
    pub source_get_version: Text<'a>,
    /// When it was queued.
    pub queue_time: Text<'a>,
    /// When it started.
    pub start_time: Text<'a>,
    /// When it finished.
    pub finish_time: Text<'a>,
    /// The pipeline.
    pub definition: Object<Named<'a>>,
    /// 2.0 only.
    pub project: Object<Project<'a>>,
    /// 2.0 only.
    pub repository: Object<BuildRepository<'a>>,
    /// For whom.
    pub requested_for: Identity<'a>,
    /// 1.0: for whom, in a list.
    pub requests: List<Object<Request<'a>>>,
    /// Flat keys such as `ci.sourceSha` and `pr.number`.
    pub trigger_info: Pairs<'a, Text<'a>>,
    /// The build that started this one.
    pub triggered_by_build: Object<Trigger<'a>>,
    /// Tags.
    pub tags: List<Text<'a>>,
    /// REST address.
    pub url: Text<'a>,
    /// Links.
    #[serde(rename = "_links")]
    pub links: Object<Links<'a>>,
}

impl Build<'_> {
    /// Project and number of the build that started it.
    ///
    /// Source: `triggeredByBuild` of Build 7.2; `triggerInfo` of a run that a pipeline resource started has its `projectId` and
    /// `pipelineId`, which is the number of the run and not of its pipeline.
    pub fn trigger(&self) -> Option<(Option<&str>, i64)> {
        let own = &self.triggered_by_build;
        let info = |name: &str| self.trigger_info.member(name).and_then(Text::as_str);
        let by_info = || info("pipelineId")?.parse().ok().filter(|number| *number > 0);
        match own.id.positive() {
            Some(number) => Some((own.project.id.as_str(), number)),
            None => Some((info("projectId"), by_info()?)),
        }
    }
}

/// The repository of a build; not always one of Azure's.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct BuildRepository<'a> {
    /// A GUID for `TfsGit`, `owner/name` for GitHub.
    pub id: Text<'a>,
    /// `TfsGit`, `GitHub`, …
    #[serde(rename = "type")]
    pub kind: Text<'a>,
    /// Its name.
    pub name: Text<'a>,
    /// Where it is.
    pub url: Text<'a>,
}

/// One that a build was asked for by.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Request<'a> {
    /// For whom.
    pub requested_for: Identity<'a>,
}

/// Another build.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Trigger<'a> {
    /// Its number.
    pub id: Int,
    /// Where it ran.
    pub project: Object<Project<'a>>,
}
