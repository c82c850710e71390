//! The events that can make a revision a deployed one, as our own translation wrote them. Other types are not read.

use crate::{domain::Person, event::Event};
use jiff::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

/// Whether an event of this type can make a deployment.
pub(super) fn can_deploy(kind: &str) -> bool {
    const KINDS: [&str; 6] = [
        "dev.cdevents.pipelinerun.finished.",
        "dev.cdevents.taskrun.finished.",
        "dev.cdevents.change.merged.",
        "dev.cdevents.branch.created.",
        "dev.cdeventsx.azuredevops-branch.updated.",
        "dev.cdeventsx.azuredevops-tag.created.",
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
    release: Run,
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
}

impl Named {
    fn id(&self) -> Option<&str> {
        self.id.as_str()
    }
}

/// A finished run, or a part of one.
pub(super) struct Finished<'a> {
    /// The project and number of the build.
    pub(super) build: Option<(&'a str, i64)>,
    /// What people call it.
    pub(super) number: Option<&'a str>,
    /// Id and name of the pipeline.
    pub(super) pipeline: [Option<&'a str>; 2],
    /// Which part it is.
    pub(super) part: Which,
    /// The full name of the ref.
    pub(super) branch: Option<&'a str>,
    /// What was built.
    pub(super) commit: Option<&'a str>,
    /// The id of its repository.
    pub(super) repository: Option<&'a str>,
}

/// Which part of a run it is, by its names; what has none has empty ones.
pub(super) enum Which {
    Run,
    Stage([String; 2]),
    Job([String; 2]),
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
        let both = |part: &'_ Named| [part.name.clone(), part.display_name.clone()].map(Option::unwrap_or_default);
        let part = match (&azure.stage, &azure.job, &azure.environment) {
            (Some(stage), ..) => Which::Stage(both(stage)),
            (_, Some(job), _) => Which::Job(both(job)),
            (_, _, Some(environment)) => Which::Stage(both(environment)),
            _ => Which::Run,
        };
        let pipelines = [&azure.definition, &azure.pipeline, &azure.release_definition];
        let pipeline = pipelines.into_iter().find(|named| named.name.is_some() || named.id().is_some());
        let is_release = azure.environment.is_some();
        let own = azure.build_id.or(azure.run.id).zip(self.project());
        Finished {
            build: own.map(|(id, project)| (project, id)).or_else(|| self.deployed_build()),
            number: azure.build_number.as_deref().or(azure.run.name.as_deref()).or(azure.release.name.as_deref()),
            // Release and build pipelines are counted apart: one number means two.
            pipeline: pipeline.map_or([None; 2], |named| [named.id().filter(|_| !is_release), named.name.as_deref()]),
            part,
            branch: azure.source_branch.as_deref(),
            commit: azure.source_version.as_deref(),
            repository: azure.repository.id.as_deref().or(azure.repository_id.as_deref()),
        }
    }

    /// Project and number of the first build that a release deploys.
    fn deployed_build(&self) -> Option<(&str, i64)> {
        let link = self.data.context.links.iter().find(|link| link.kind == "RUN")?;
        let (before, number) = link.target.domain_id.rsplit_once(':')?;
        let (_, project) = before.strip_suffix(":execution")?.rsplit_once(':')?;
        Some((project, number.parse().ok()?))
    }
}
