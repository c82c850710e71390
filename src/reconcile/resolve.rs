//! From what bindings say (ids or names) to Azure's ids.

use super::desired::{Pipeline, Selected};
use crate::{
    app::Directory,
    azure::client::{AzureDevOps, Failure, GitRepository, Page, PageRequest, WorkItemType},
    domain::{AzureRef, Binding, BindingId, ItemType, PROCESS_BYTES_MAX, Selection},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    sync::Arc,
};
use uuid::Uuid;

/// Definitions on one page.
const PAGE_ITEMS: u32 = 1_000;
/// Most pages of definitions that are read of one project.
const PAGES_MAX: usize = 20;

/// What the bindings of a connection select.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resolution {
    /// Those that could be resolved, at least in part.
    pub selected: Vec<(BindingId, Selected)>,
    /// Those that could not be, at least in part, with the reason.
    pub unresolved: BTreeMap<BindingId, String>,
    /// Those of which not everything is known, be it only their releases: what serves them is not taken away.
    pub uncertain: BTreeSet<BindingId>,
    /// The types of work items in the processes of the projects of issue providers, as far as Azure says.
    pub processes: BTreeMap<Uuid, Vec<ItemType>>,
    /// What the Azure projects are called.
    pub project_names: BTreeMap<Uuid, String>,
    /// What repositories and pipelines are called, by filter and value.
    pub names: BTreeMap<(&'static str, String), String>,
}

/// Resolves bindings, each thing asked for once. A project that is not found by its name, and was once, is asked for by its
/// id: renamed and deleted are two things.
///
/// # Errors
/// What concerns all of them: a wrong credential, a server that cannot be reached, throttling. That one thing is not
/// there or may not be seen is said of its binding.
pub(super) async fn resolve(
    azure: &dyn AzureDevOps,
    bindings: &[Arc<Binding>],
    directory: &Directory,
) -> Result<Resolution, Failure> {
    let mut names = Names {
        azure,
        projects: HashMap::new(),
        repositories: HashMap::new(),
        pipelines: HashMap::new(),
        called: BTreeMap::new(),
        processes: BTreeMap::new(),
    };
    let mut resolution = Resolution::default();
    for binding in bindings {
        match names.select(&binding.selection).await? {
            Ok((selected, Gap { missing, releases_unknown })) => {
                resolution.selected.push((binding.id, selected));
                resolution.unresolved.extend(missing.map(|why| (binding.id, why)));
                resolution.uncertain.extend(releases_unknown.then_some(binding.id));
            }
            Err(why) => {
                let now = names.now(&binding.selection, directory.meaning(binding)).await?;
                resolution.unresolved.insert(binding.id, now.unwrap_or(why));
            }
        }
    }
    resolution.uncertain.extend(resolution.unresolved.keys());
    resolution.names = names.called;
    resolution.processes = names.processes;
    resolution.project_names = names.projects.into_values().filter_map(Result::ok).collect();
    Ok(resolution)
}

/// `Err` outside is everybody's trouble, inside it is one binding's.
type Found<T> = Result<Result<T, String>, Failure>;

/// A failure that is one binding's: it is not there, or we may not see it.
fn own<T>(result: Result<T, Failure>, what: &str) -> Found<T> {
    match result {
        Ok(found) => Ok(Ok(found)),
        Err(failure @ (Failure::NotFound { .. } | Failure::Forbidden { .. } | Failure::Refused { .. })) => {
            Ok(Err(format!("{what}: {failure}")))
        }
        Err(failure) => Err(failure),
    }
}

struct Definitions {
    builds: Vec<Pipeline>,
    /// Releases are optional: without their scope a listed pipeline is looked for among the builds alone.
    releases: Option<Vec<Pipeline>>,
}

/// What of a binding is not known.
#[derive(Default)]
struct Gap {
    missing: Option<String>,
    releases_unknown: bool,
}

struct Names<'a> {
    azure: &'a dyn AzureDevOps,
    projects: HashMap<String, Result<(Uuid, String), String>>,
    repositories: HashMap<Uuid, Result<Vec<GitRepository>, String>>,
    pipelines: HashMap<Uuid, Result<Definitions, String>>,
    called: BTreeMap<(&'static str, String), String>,
    processes: BTreeMap<Uuid, Vec<ItemType>>,
}

impl Names<'_> {
    /// What is selected, and what of it is missing.
    async fn select(&mut self, selection: &Selection) -> Found<(Selected, Gap)> {
        let project = match self.project(selection.azure_project()).await? {
            Ok(project) => project,
            Err(why) => return Ok(Err(why)),
        };
        match selection {
            Selection::CodeDeployment { repository, .. } => {
                let found = self.repository(project, repository).await?;
                Ok(found.map(|repository| (Selected::Repository { project, repository }, Gap::default())))
            }
            Selection::BuildProvider { pipelines, .. } if pipelines.is_empty() => {
                Ok(Ok((Selected::AllPipelines { project }, Gap::default())))
            }
            Selection::BuildProvider { pipelines, .. } => self.pipelines(project, pipelines).await,
            Selection::IssueProvider { .. } => {
                self.process(project).await?;
                Ok(Ok((Selected::WorkItems { project }, Gap::default())))
            }
        }
    }

    async fn project(&mut self, AzureRef(name): &AzureRef) -> Found<Uuid> {
        let key = name.to_lowercase();
        if !self.projects.contains_key(&key) {
            let found = own(self.azure.project(name).await, &format!("project {name}"))?;
            self.projects.insert(key.clone(), found.map(|project| (project.id, project.name)));
        }
        Ok(self.projects[&key].clone().map(|(id, _)| id))
    }

    /// The fate of a project that a binding names and that was there before; nothing where it is there.
    async fn now(&mut self, of: &Selection, meant: Option<&Selection>) -> Result<Option<String>, Failure> {
        let AzureRef(named) = of.azure_project();
        let is_missing = matches!(self.projects.get(&named.to_lowercase()), Some(Err(_)));
        let Some(AzureRef(id)) = meant.map(Selection::azure_project).filter(|id| is_missing && id.0 != *named) else {
            return Ok(None);
        };
        Ok(Some(match own(self.azure.project(id).await, named)? {
            Ok(project) => format!(
                "project {named} is called {} now: give the binding that name as azure_project, or the id {id}, which survives \
                 renames",
                project.name
            ),
            Err(_) => format!(
                "project {named} (its id was {id}) does not exist any more, or is not shown to us any more: change the binding \
                 or remove it"
            ),
        }))
    }

    /// Looked up, or left out: without it the usual names of states are taken.
    async fn process(&mut self, project: Uuid) -> Result<(), Failure> {
        if !self.processes.contains_key(&project) {
            let types = match self.azure.work_item_types(&project.to_string()).await {
                Err(failure @ Failure::Throttled { .. }) => return Err(failure),
                types => types.unwrap_or_default(),
            };
            self.processes.insert(project, within_bounds(types));
        }
        Ok(())
    }

    async fn repository(&mut self, project: Uuid, name: &AzureRef) -> Found<Uuid> {
        if !self.repositories.contains_key(&project) {
            let listed = self.azure.repositories(Some(&project.to_string())).await;
            self.repositories.insert(project, own(listed, "the project's repositories")?);
        }
        let all = match &self.repositories[&project] {
            Ok(all) => all,
            Err(why) => return Ok(Err(why.clone())),
        };
        // An id before a name: a repository may be called like another one's id.
        let by_id = all.iter().find(|repository| name.names(&repository.id.to_string()));
        let found = by_id.or_else(|| all.iter().find(|repository| name.names(&repository.name)));
        self.called.extend(found.map(|found| (("repository", found.id.to_string()), found.name.clone())));
        Ok(found.map(|repository| repository.id).ok_or_else(|| format!("the project has no repository {}", name.0)))
    }

    async fn pipelines(&mut self, project: Uuid, names: &[AzureRef]) -> Found<(Selected, Gap)> {
        if !self.pipelines.contains_key(&project) {
            let read = self.definitions(project).await?;
            self.pipelines.insert(project, read);
        }
        let all = match &self.pipelines[&project] {
            Ok(all) => all,
            Err(why) => return Ok(Err(why.clone())),
        };
        let (mut builds, mut releases, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            // Several may have one name, in different folders.
            let fitting = |all: &[Pipeline]| -> Vec<Pipeline> {
                let fits = |pipeline: &&Pipeline| name.names(&pipeline.id.to_string()) || name.names(&pipeline.name);
                all.iter().filter(fits).cloned().collect()
            };
            let (build, release) = (fitting(&all.builds), fitting(all.releases.as_deref().unwrap_or_default()));
            if build.is_empty() && release.is_empty() {
                missing.push(name.0.as_str());
            }
            let called = |filter, all: &[Pipeline]| -> Vec<_> {
                all.iter().map(|found| ((filter, found.id.to_string()), found.name.clone())).collect()
            };
            self.called.extend(called("pipelineId", &build));
            self.called.extend(called("releaseDefinitionId", &release));
            builds.extend(build);
            releases.extend(release.into_iter().map(|pipeline| pipeline.id));
        }
        let missing = (!missing.is_empty()).then(|| format!("the project has no pipeline {}", missing.join(", ")));
        let gap = Gap { missing, releases_unknown: all.releases.is_none() };
        Ok(Ok((Selected::Pipelines { project, builds, releases }, gap)))
    }

    async fn definitions(&self, project: Uuid) -> Found<Definitions> {
        let (azure, name) = (self.azure, project.to_string());
        let name = name.as_str();
        let read = all_pages(|page| async move {
            let page = azure.pipelines(name, page).await?;
            let items = page.items.into_iter().map(|found| Pipeline { id: found.id, name: found.name }).collect();
            Ok(Page { items, next: page.next })
        });
        let builds = match own(read.await, "the project's pipelines")? {
            Ok(builds) => builds,
            Err(why) => return Ok(Err(why)),
        };
        let read = all_pages(|page| async move {
            let page = azure.release_definitions(name, page).await?;
            let items = page.items.into_iter().map(|found| Pipeline { id: found.id, name: found.name }).collect();
            Ok(Page { items, next: page.next })
        });
        let releases = match read.await {
            Err(failure @ Failure::Throttled { .. }) => return Err(failure),
            read => read.ok(),
        };
        Ok(Ok(Definitions { builds, releases }))
    }
}

/// The types as they are kept: nothing at all of a process that is too large, rather than a part of it.
fn within_bounds(types: Vec<WorkItemType>) -> Vec<ItemType> {
    let bytes = |kind: &ItemType| kind.name.len() + kind.states.iter().map(|(name, _)| name.len() + 32).sum::<usize>();
    let kept = types.into_iter().map(|kind| ItemType { name: kind.name, states: kind.states });
    let kept: Vec<ItemType> = kept.collect();
    if kept.iter().map(bytes).sum::<usize>() > PROCESS_BYTES_MAX { Vec::new() } else { kept }
}

async fn all_pages<T, F>(read: impl Fn(PageRequest) -> F) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<Page<T>, Failure>>,
{
    let (mut all, mut from) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = read(PageRequest { items_max: PAGE_ITEMS, from }).await?;
        all.extend(page.items);
        from = page.next;
        if from.is_none() {
            return Ok(all);
        }
    }
    // A name that was not read may still be there.
    let detail = format!("the list of pipelines does not end after {PAGES_MAX} pages of {PAGE_ITEMS}");
    Err(Failure::Unexpected { detail, activity_id: None })
}
