//! Where is looked: what the bindings of a connection select, each thing once however many bindings select it.

use crate::{
    app::Directory,
    domain::{AzureRef, BindingId, ConnectionId, Selection, Stream},
};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// One kind of record of one repository or project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The project's GUID.
    pub project: Uuid,
    /// What of it.
    pub what: What,
    /// Which kind of record.
    pub stream: Stream,
}

/// What of a project.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// A repository, by its GUID.
    Repository(Uuid),
    /// All pipelines, builds and classic releases alike.
    AllPipelines,
    /// Some pipelines, by number or name in lower case. A number is a build's; classic releases are counted apart and may
    /// be named by theirs.
    Pipelines(Vec<String>),
    /// Its work items.
    WorkItems,
}

impl What {
    /// The numbers of the pipelines whose builds are looked at; `None` is all of them.
    pub(super) fn definitions(&self) -> Option<Vec<i64>> {
        match self {
            Self::Pipelines(names) => Some(names.iter().filter_map(|name| name.parse().ok()).collect()),
            Self::Repository(_) | Self::AllPipelines | Self::WorkItems => None,
        }
    }

    /// Whether classic releases of this pipeline are looked at.
    pub(super) fn has_release(&self, definition: i64, name: Option<&str>) -> bool {
        let Self::Pipelines(names) = self else { return true };
        let name = name.map(str::to_lowercase);
        names.iter().any(|own| *own == definition.to_string() || name.as_ref() == Some(own))
    }
}

/// All places of a connection with the bindings that select them. A binding of which it is not known yet what its names
/// mean is not among them: the reconciler finds out.
pub fn places(directory: &Directory, connection: ConnectionId) -> BTreeMap<Place, BTreeSet<BindingId>> {
    let mut places: BTreeMap<Place, BTreeSet<BindingId>> = BTreeMap::new();
    for binding in directory.bindings_of(connection) {
        let Some(selection) = directory.meaning(binding) else { continue };
        for place in of(selection) {
            places.entry(place).or_default().insert(binding.id);
        }
    }
    places
}

/// The places of one selection in ids.
fn of(selection: &Selection) -> Vec<Place> {
    let guid = |AzureRef(id): &AzureRef| Uuid::parse_str(id).ok();
    let found = match selection {
        Selection::CodeDeployment { azure_project, repository, .. } => guid(azure_project)
            .zip(guid(repository))
            .map(|(project, id)| (project, What::Repository(id), [Stream::Pushes, Stream::PullRequests].as_slice())),
        Selection::BuildProvider { azure_project, pipelines } => guid(azure_project).map(|project| {
            let mut names: Vec<String> = pipelines.iter().map(|name| name.0.to_lowercase()).collect();
            names.sort_unstable();
            names.dedup();
            let what = if names.is_empty() { What::AllPipelines } else { What::Pipelines(names) };
            (project, what, [Stream::Builds, Stream::Releases].as_slice())
        }),
        Selection::IssueProvider { azure_project, .. } => {
            guid(azure_project).map(|project| (project, What::WorkItems, [Stream::WorkItems].as_slice()))
        }
    };
    let Some((project, what, streams)) = found else { return Vec::new() };
    streams.iter().map(|stream| Place { project, what: what.clone(), stream: *stream }).collect()
}
