//! The sources of a run besides its pipeline's own repository: others that it checked out, and runs whose artifacts it took.

use super::kind_of;
use crate::{
    azure::{
        lenient::{Object, Text},
        resource::pipeline::{PipelineResource, StateChange},
    },
    event::members::Members,
};
use uuid::Uuid;

/// All of it.
#[derive(Debug, Clone, Default)]
pub(in crate::translate) struct Resources<'a> {
    repositories: Vec<CheckedOut<'a>>,
    pipelines: Vec<Taken<'a>>,
}

/// A repository that was checked out besides the pipeline's own.
#[derive(Debug, Clone, Copy, Default)]
struct CheckedOut<'a> {
    alias: Option<&'a str>,
    id: Option<&'a str>,
    kind: Option<&'a str>,
    reference: Option<&'a str>,
    commit: Option<&'a str>,
}

/// A run of another pipeline whose artifacts are taken.
#[derive(Debug, Clone, Copy, Default)]
struct Taken<'a> {
    alias: Option<&'a str>,
    /// Id and name of the pipeline.
    pipeline: [Option<&'a str>; 2],
    project: Option<&'a str>,
    number: Option<&'a str>,
}

impl<'a> Resources<'a> {
    /// As the state of a run, stage or job tells it, whose own repository has this id.
    pub(super) fn of(change: &'a StateChange<'_>, own: Option<&str>) -> Self {
        Self { repositories: checked_out(change, own), pipelines: taken(change) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.repositories.is_empty() && self.pipelines.is_empty()
    }

    /// By Azure's words.
    pub(in crate::translate) fn members(&self) -> Members<'a> {
        let repositories = self.repositories.iter().map(|own| {
            Members::new()
                .text("alias", own.alias)
                .text("id", own.id)
                .text("type", own.kind)
                .text("ref", own.reference)
                .text("version", own.commit)
        });
        let pipelines = self.pipelines.iter().map(|own| {
            Members::new()
                .text("alias", own.alias)
                .text("id", own.pipeline[0])
                .text("name", own.pipeline[1])
                .text("project", own.project)
                .text("version", own.number)
        });
        Members::new().objects("repositories", repositories).objects("pipelines", pipelines)
    }
}

/// The repositories of a run besides its own, which is `self` where aliases are told: named with their refs and commits by
/// the run, and by the event as they were checked out.
fn checked_out<'b>(change: &'b StateChange<'_>, own: Option<&str>) -> Vec<CheckedOut<'b>> {
    let named = change.run.resources.repositories.0.iter().filter(|(alias, _)| !alias.is("self"));
    let mut all: Vec<CheckedOut<'b>> = named
        .map(|(alias, resource)| CheckedOut {
            alias: alias.as_str(),
            id: resource.repository.id.as_str().or(resource.repository.full_name.as_str()),
            kind: resource.repository.kind.as_str().map(kind_of),
            reference: resource.ref_name.as_str(),
            commit: resource.version.as_str(),
        })
        .collect();
    let is_own = |id: &str| own.is_some_and(|own| own.eq_ignore_ascii_case(id));
    for checkout in change.repositories.iter().filter(|checkout| !checkout.alias.is("self")) {
        let Some(id) = checkout.id.as_str().filter(|id| !is_own(id)) else { continue };
        let known = all.iter_mut().find(|own| own.id.is_some_and(|own| own.eq_ignore_ascii_case(id)));
        let commit = checkout.change.version.as_str();
        match known {
            Some(known) => known.commit = known.commit.or(commit),
            None => all.push(CheckedOut {
                alias: checkout.alias.as_str(),
                id: Some(id),
                kind: checkout.kind.as_str(),
                reference: None,
                commit,
            }),
        }
    }
    all
}

/// The runs whose artifacts a run takes; the address of a pipeline names its project.
fn taken<'b>(change: &'b StateChange<'_>) -> Vec<Taken<'b>> {
    let of = |(alias, resource): &'b (Text<'_>, Object<PipelineResource<'_>>)| {
        let before = resource.pipeline.url.as_str().and_then(|url| url.split_once("/_apis/")).map(|(before, _)| before);
        Taken {
            alias: alias.as_str(),
            pipeline: [resource.pipeline.id.as_str(), resource.pipeline.name.as_str()],
            project: before.and_then(|before| before.rsplit('/').next()).filter(|id| Uuid::try_parse(id).is_ok()),
            number: resource.version.as_str(),
        }
    };
    change.run.resources.pipelines.0.iter().map(of).collect()
}
