//! The events that can make a revision a deployed one, as our own translation wrote them. Other types are not read.

mod release;

use self::release::{Artifact, Release};
use super::ran::{Ran, Source};
use crate::{
    azure::client::RunPipeline,
    domain::{AzureRef, Person},
    event::Event,
};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// Whether an event of this type can make a deployment.
pub(super) fn can_deploy(kind: &str) -> bool {
    const KINDS: [&str; 7] = [
        "dev.cdevents.pipelinerun.finished.",
        "dev.cdevents.taskrun.finished.",
        "dev.cdevents.change.merged.",
        "dev.cdevents.branch.created.",
        "dev.cdeventsx.azuredevops-branch.updated.",
        "dev.cdeventsx.azuredevops-tag.created.",
        "dev.cdeventsx.azuredevops-tag.updated.",
    ];
    KINDS.iter().any(|known| kind.starts_with(known))
}

/// What of it matters here. Every member may be missing: what an event lacks it does not say.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    pub(super) source: String,
    pub(super) time: Option<Timestamp>,
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    context: Context,
    subject: Subject,
    #[serde(rename = "customData")]
    custom: Custom,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    links: Vec<Link>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    #[serde(rename = "linkKind")]
    kind: String,
    target: Target,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    #[serde(rename = "domainId")]
    domain_id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subject {
    content: Content,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Content {
    pub(super) outcome: Option<String>,
    #[serde(flatten)]
    pub(super) moved: Moved,
}

/// A ref that was moved; in the content of custom events, in the extras of others.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Moved {
    #[serde(rename = "ref")]
    pub(super) name: Option<String>,
    pub(super) old_object_id: Option<String>,
    pub(super) new_object_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Custom {
    azuredevops: Azure,
    hookwell: Own,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Own {
    fact: Option<Uuid>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Azure {
    #[serde(flatten)]
    moved: Moved,
    pub(super) repository: Repository,
    repository_id: Option<String>,
    pub(super) pushed_by: Option<Identity>,
    pub(super) pull_request_id: Option<i64>,
    pub(super) title: Option<String>,
    pub(super) target_ref_name: Option<String>,
    pub(super) target_commit: Option<String>,
    pub(super) merge_commit: Option<String>,
    pub(super) created_by: Option<Identity>,
    pub(super) labels: Vec<String>,
    pub(super) is_draft: bool,
    pub(super) build_id: Option<i64>,
    pub(super) build_number: Option<String>,
    definition: Named,
    pub(super) source_branch: Option<String>,
    pub(super) source_version: Option<String>,
    pub(super) requested_for: Option<Identity>,
    run: Run,
    pipeline: Named,
    stage: Option<Named>,
    job: Option<Named>,
    release_definition: Named,
    environment: Option<Named>,
    release: Release,
    reason: Option<String>,
    resources: Resources,
}

/// The sources of a run besides its own repository.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    repositories: Vec<CheckedOut>,
    pipelines: Vec<Taken>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CheckedOut {
    id: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Taken {
    id: Option<String>,
    project: Option<String>,
    version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) project: NamedProject,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NamedProject {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Identity {
    display_name: Option<String>,
    unique_name: Option<String>,
}

impl From<Identity> for Person {
    fn from(identity: Identity) -> Self {
        Self { name: identity.display_name, account: identity.unique_name }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    id: Option<i64>,
    name: Option<String>,
}

/// Something with an id and a name; the ids of pipelines are texts in our events.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Named {
    id: serde_json::Value,
    pub(super) name: Option<String>,
    pub(super) display_name: Option<String>,
    identifier: Option<String>,
    attempt: Option<i64>,
}

impl Named {
    fn id(&self) -> Option<&str> {
        self.id.as_str()
    }
}

/// A finished run, or a part of one.
pub(super) struct Finished<'a> {
    /// What people call it.
    pub(super) number: Option<&'a str>,
    /// Id and name of the pipeline.
    pub(super) pipeline: [Option<&'a str>; 2],
    /// Which part it is.
    pub(super) part: Which<'a>,
}

/// Which part of a run it is.
pub(super) enum Which<'a> {
    Run,
    Stage(Part<'a>),
    Job(Part<'a>),
}

/// A stage or a job, or the environment of a classic release.
pub(super) struct Part<'a> {
    /// The id in the run.
    pub(super) id: Option<&'a str>,
    /// The name, and the display name; empty where there is none.
    pub(super) names: [&'a str; 2],
    /// Where it stands in the pipeline's text.
    pub(super) identifier: Option<&'a str>,
    pub(super) attempt: Option<i64>,
}

impl<'a> Part<'a> {
    fn of(named: &'a Named) -> Self {
        Self {
            id: named.id(),
            names: [&named.name, &named.display_name].map(|name| name.as_deref().unwrap_or_default()),
            identifier: named.identifier.as_deref(),
            attempt: named.attempt,
        }
    }
}

impl Seen {
    /// From an event; nothing when it is none that can deploy.
    pub(super) fn read(event: &Event) -> Option<Self> {
        can_deploy(&event.header.kind).then(|| serde_json::from_slice(&event.json).unwrap_or_default())
    }

    /// The fact that it tells, where it tells it once more: what is counted by facts counts once.
    pub(super) fn fact(&self) -> Option<Uuid> {
        self.data.custom.hookwell.fact
    }

    pub(super) fn azure(&self) -> &Azure {
        &self.data.custom.azuredevops
    }

    pub(super) fn content(&self) -> &Content {
        &self.data.subject.content
    }

    /// The ref that it moved.
    pub(super) fn moved(&self) -> &Moved {
        let own = &self.content().moved;
        if own.name.is_some() { own } else { &self.azure().moved }
    }

    /// The Azure project that it happened in.
    pub(super) fn project(&self) -> Option<&str> {
        self.source.rsplit_once('/').map(|(_, project)| project)
    }

    /// What ran.
    pub(super) fn finished(&self) -> Finished<'_> {
        let azure = self.azure();
        let part = match (&azure.stage, &azure.job, &azure.environment) {
            (Some(stage), ..) => Which::Stage(Part::of(stage)),
            (_, Some(job), _) => Which::Job(Part::of(job)),
            (_, _, Some(environment)) => Which::Stage(Part::of(environment)),
            _ => Which::Run,
        };
        let pipeline = self.pipeline();
        let is_release = azure.environment.is_some();
        Finished {
            number: azure.build_number.as_deref().or(azure.run.name.as_deref()).or(azure.release.name.as_deref()),
            // Release and build pipelines are counted apart: one number means two.
            pipeline: pipeline.map_or([None; 2], |named| [named.id().filter(|_| !is_release), named.name.as_deref()]),
            part,
        }
    }

    fn pipeline(&self) -> Option<&Named> {
        let azure = self.azure();
        let pipelines = [&azure.definition, &azure.pipeline, &azure.release_definition];
        pipelines.into_iter().find(|named| named.name.is_some() || named.id().is_some())
    }

    /// The run that it tells of; of a classic release the one whose artifact is deployed as this repository.
    pub(super) fn ran(&self, repository: &AzureRef) -> Option<Ran> {
        let azure = self.azure();
        if azure.environment.is_some() {
            return self.deployed(repository);
        }
        let named = |id: &Option<String>, name: &Option<String>| [id.clone(), name.clone()];
        let own = Source {
            repository: named(
                azure.repository.id.as_ref().map_or(&azure.repository_id, |_| &azure.repository.id),
                &azure.repository.name,
            ),
            reference: azure.source_branch.clone(),
            commit: azure.source_version.clone(),
        };
        let others = azure.resources.repositories.iter().map(|own| Source {
            repository: named(&own.id, &None),
            reference: own.reference.clone(),
            commit: own.version.clone(),
        });
        let taken = azure.resources.pipelines.iter().filter_map(|own| {
            let version = own.version.clone()?;
            Some(RunPipeline { id: own.id.clone(), project: own.project.clone(), version })
        });
        Some(Ran {
            project: self.project().unwrap_or_default().to_owned(),
            number: azure.build_id.or(azure.run.id),
            pipeline: self.pipeline().and_then(Named::id).map(str::to_owned),
            reason: azure.reason.clone(),
            own,
            others: others.collect(),
            trigger: self.executions("TRIGGER").next().map(|(project, number)| (Some(project.to_owned()), number)),
            taken: taken.collect(),
        })
    }

    /// The artifact that is of this repository, else the primary one, else the first: one of those that are code.
    fn deployed(&self, repository: &AzureRef) -> Option<Ran> {
        let artifacts = &self.azure().release.artifacts;
        let is = |artifact: &Artifact, kind: &str| artifact.kind.eq_ignore_ascii_case(kind);
        let mut linked = self.executions("RUN");
        let of = |artifact: &Artifact| {
            // In the order of the artifacts there is a link for each build.
            let link = if is(artifact, "Build") { linked.next() } else { None };
            let told = artifact.version_id.as_deref().filter(|_| is(artifact, "Build"));
            let build = told.and_then(|id| id.parse().ok()).zip(artifact.project_id.clone());
            let build = build.or(link.map(|(project, number)| (number, project.to_owned())));
            let commit = if is(artifact, "Git") { &artifact.version_id } else { &artifact.source_version };
            let own = Source {
                repository: [artifact.repository_id.clone(), artifact.repository.clone()],
                reference: artifact.branch.clone(),
                commit: commit.clone(),
            };
            let (number, project) = build.unzip();
            let ran = Ran { project: project.unwrap_or_default(), number, own, ..Ran::default() };
            let is_code = number.is_some() || is(artifact, "Git");
            (!is_code, !ran.own.is_of(repository), !artifact.is_primary, ran)
        };
        let of: Vec<(bool, bool, bool, Ran)> = artifacts.iter().map(of).collect();
        let best =
            of.into_iter().filter(|(no_code, ..)| !no_code).min_by_key(|(_, other, second, _)| (*other, *second));
        best.map(|(.., ran)| ran).or_else(|| {
            let (project, number) = self.executions("RUN").next()?;
            Some(Ran { project: project.to_owned(), number: Some(number), ..Ran::default() })
        })
    }

    /// Projects and numbers of the builds that links of this kind name.
    fn executions(&self, kind: &'static str) -> impl Iterator<Item = (&str, i64)> {
        self.data.context.links.iter().filter(move |link| link.kind == kind).filter_map(|link| {
            let (before, number) = link.target.domain_id.rsplit_once(':')?;
            let (_, project) = before.strip_suffix(":execution")?.rsplit_once(':')?;
            Some((project, number.parse().ok()?))
        })
    }
}
