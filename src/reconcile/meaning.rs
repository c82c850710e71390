//! What the names in a binding mean: the same selection in ids. Events of runs and stages name their project by id alone,
//! and a renamed project stays the one that was bound.

use super::{desired::Selected, resolve::Resolution};
use crate::domain::{AzureRef, Binding, Meaning, Selection};
use std::sync::Arc;
use uuid::Uuid;

/// The meanings of these bindings, as far as they were resolved.
pub(super) fn meanings(bindings: &[Arc<Binding>], resolution: &Resolution) -> Vec<Meaning> {
    let of = |binding: &Arc<Binding>| {
        let (_, selected) = resolution.selected.iter().find(|(id, _)| *id == binding.id)?;
        let ids = in_ids(&binding.selection, selected)?;
        let process = match selected {
            Selected::WorkItems { project } => resolution.processes.get(project).cloned().unwrap_or_default(),
            _ => Vec::new(),
        };
        Some(Meaning { binding: binding.id, of: binding.selection.clone(), ids, process })
    };
    bindings.iter().filter_map(of).collect()
}

fn in_ids(selection: &Selection, selected: &Selected) -> Option<Selection> {
    let id = |id: &Uuid| AzureRef(id.to_string());
    Some(match (selection, selected) {
        (Selection::CodeDeployment { branch, .. }, Selected::Repository { project, repository }) => {
            Selection::CodeDeployment { azure_project: id(project), repository: id(repository), branch: branch.clone() }
        }
        (Selection::BuildProvider { .. }, Selected::AllPipelines { project }) => {
            Selection::BuildProvider { azure_project: id(project), pipelines: Vec::new() }
        }
        (Selection::BuildProvider { pipelines, .. }, Selected::Pipelines { project, builds, .. }) => {
            // The names stay: numbers of release pipelines are others than those of builds, so releases match by name.
            let numbers = builds.iter().map(|build| AzureRef(build.id.to_string()));
            let pipelines = pipelines.iter().cloned().chain(numbers).collect();
            Selection::BuildProvider { azure_project: id(project), pipelines }
        }
        (Selection::IssueProvider { area_paths, work_item_types, .. }, Selected::WorkItems { project }) => {
            Selection::IssueProvider {
                azure_project: id(project),
                area_paths: area_paths.clone(),
                work_item_types: work_item_types.clone(),
            }
        }
        // The binding was changed while its names were looked up; the next run looks again.
        _ => return None,
    })
}
