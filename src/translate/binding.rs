//! Which projects an event belongs to: those with a binding that selects it.

use super::frame::Frame;
use crate::{
    azure::resource::{Project, git::Repository},
    domain::{AzureRef, Binding, BranchRule, Partial, Selection, Slug},
};
use std::sync::Arc;
use uuid::Uuid;

/// What kind of thing an event is about, as roles divide it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Family {
    /// Refs, pull requests, repositories: `code_deployment`.
    Code,
    /// Builds, runs, stages, jobs, approvals: `build_provider`, and `code_deployment` by what was built.
    Run,
    /// Releases, their deployments and approvals: `build_provider`.
    Release,
    /// Work items: `issue_provider`.
    WorkItem,
    /// Anything else: no role.
    #[default]
    Other,
}

/// What an event is about, as bindings see it. Ids and names are compared without regard to case, as Azure does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    pub(super) family: Family,
    /// The Azure project's GUID, from wherever it stands.
    pub(super) guid: Option<Uuid>,
    /// Other names of the project: an id as the envelope or the resource has it, or its name.
    pub(super) project: [Option<&'a str>; 2],
    /// Id and name of the repository.
    pub(super) repository: [Option<&'a str>; 2],
    /// The short name of the branch, when the event has one; a pull request's is the one it goes into.
    pub(super) branch: Option<&'a str>,
    /// Id and name of the pipeline.
    pub(super) pipeline: [Option<&'a str>; 2],
    /// `Project\Area\…`.
    pub(super) area_path: Option<&'a str>,
    /// `Bug` and the like.
    pub(super) work_item_type: Option<&'a str>,
}

impl<'a> About<'a> {
    /// Of a project, and no more is known.
    pub(super) fn project(frame: &Frame<'a>) -> Self {
        Self { guid: frame.project, ..Self::default() }
    }

    /// Of a family in a project that the resource names too.
    pub(super) fn within(frame: &Frame<'a>, family: Family, project: &'a Project<'_>) -> Self {
        Self { family, project: [project.id.as_str(), project.name.as_str()], ..Self::project(frame) }
    }

    /// Whether a binding of this project means this one. Events come without the project's name, and bindings have either.
    fn is_in(&self, project: &AzureRef) -> bool {
        let mut buffer = Uuid::encode_buffer();
        let guid = self.guid.map(|guid| &*guid.hyphenated().encode_lower(&mut buffer));
        guid.is_some_and(|guid| project.names(guid)) || any(project, &self.project)
    }

    /// Of a repository.
    pub(super) fn repository(frame: &Frame<'a>, repository: &'a Repository<'_>) -> Self {
        let about = Self::within(frame, Family::Code, &repository.project);
        Self { repository: [repository.id.as_str(), repository.name.as_str()], ..about }
    }

    /// The projects whose bindings select it, each once, sorted.
    pub(super) fn projects(&self, bindings: &[Arc<Binding>]) -> Vec<Slug> {
        self.projects_with(bindings, |_| true)
    }

    /// The same of those bindings that ask for something more.
    pub(super) fn projects_with(&self, bindings: &[Arc<Binding>], asks: impl Fn(&Binding) -> bool) -> Vec<Slug> {
        let mut slugs: Vec<Slug> = bindings
            .iter()
            .filter(|binding| asks(binding) && self.selected_by(&binding.selection))
            .map(|binding| binding.project.clone())
            .collect();
        slugs.sort_unstable();
        slugs.dedup();
        slugs
    }

    /// The outcome of a partly succeeded run: by the strictest of the build providers that select it. One event is
    /// told to all of them.
    pub(super) fn partial(&self, bindings: &[Arc<Binding>]) -> Partial {
        let providers = bindings.iter().filter(|binding| matches!(binding.selection, Selection::BuildProvider { .. }));
        let selecting = providers.filter(|binding| self.selected_by(&binding.selection));
        selecting.map(|binding| binding.partial).max().unwrap_or_default()
    }

    pub(super) fn selected_by(&self, selection: &Selection) -> bool {
        match selection {
            Selection::CodeDeployment { azure_project, repository, branch } => {
                matches!(self.family, Family::Code | Family::Run)
                    && self.in_repository(azure_project, repository)
                    && self.on(branch)
            }
            Selection::BuildProvider { azure_project, pipelines } => {
                matches!(self.family, Family::Run | Family::Release)
                    && self.is_in(azure_project)
                    && (pipelines.is_empty() || pipelines.iter().any(|pipeline| any(pipeline, &self.pipeline)))
            }
            Selection::IssueProvider { azure_project, area_paths, work_item_types } => {
                self.family == Family::WorkItem
                    && self.is_in(azure_project)
                    && (area_paths.is_empty() || area_paths.iter().any(|area| self.below(area)))
                    && (work_item_types.is_empty() || work_item_types.iter().any(|kind| self.of_type(kind)))
            }
        }
    }

    /// A pipeline can build a repository of another project, so a run's project says nothing of its repository's. That
    /// one is named by its GUID alone, which is enough: no two repositories share one.
    fn in_repository(&self, azure_project: &AzureRef, repository: &AzureRef) -> bool {
        let [id, _] = self.repository;
        let by_id = id.is_some_and(|id| repository.names(id));
        any(repository, &self.repository) && (self.is_in(azure_project) || (by_id && self.family == Family::Run))
    }

    /// What has no branch (a tag, the repository itself, the build of a pull request's merge) is every branch's.
    fn on(&self, rule: &BranchRule) -> bool {
        self.branch.is_none_or(|branch| rule.allows(branch))
    }

    pub(super) fn below(&self, area: &str) -> bool {
        let area = area.trim_end_matches('\\');
        let Some(path) = self.area_path else { return false };
        let Some(head) = path.get(..area.len()) else { return false };
        head.eq_ignore_ascii_case(area) && matches!(path.as_bytes().get(area.len()), None | Some(b'\\'))
    }

    pub(super) fn of_type(&self, kind: &str) -> bool {
        self.work_item_type.is_some_and(|own| own.eq_ignore_ascii_case(kind))
    }
}

/// The branch of a ref, by its short name; a tag or anything else has none.
pub(super) fn branch(reference: Option<&str>) -> Option<&str> {
    reference?.strip_prefix("refs/heads/")
}

fn any(reference: &AzureRef, candidates: &[Option<&str>]) -> bool {
    candidates.iter().flatten().any(|candidate| reference.names(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> AzureRef {
        AzureRef(text.to_owned())
    }

    fn code(project: &str, repository: &str, branch: BranchRule) -> Selection {
        Selection::CodeDeployment { azure_project: reference(project), repository: reference(repository), branch }
    }

    fn main_branch() -> BranchRule {
        BranchRule::Exact("main".to_owned())
    }

    const PUSH: About<'_> = About {
        family: Family::Code,
        guid: None,
        project: [Some("p-1"), Some("Größe")],
        repository: [Some("r-1"), Some("Shop")],
        branch: Some("main"),
        pipeline: [None; 2],
        area_path: None,
        work_item_type: None,
    };

    #[test]
    fn a_repository_is_selected_by_id_or_name_whatever_their_case() {
        for (project, repository, selected) in [
            ("P-1", "R-1", true),
            ("GRÖSSE", "r-1", false),
            ("GRÖßE", "shop", true),
            ("p-2", "r-1", false),
            ("p-1", "r-2", false),
        ] {
            let selection = code(project, repository, BranchRule::Any);
            assert_eq!(PUSH.selected_by(&selection), selected, "{project} {repository}");
        }
    }

    #[test]
    fn a_branch_rule_asks_only_events_that_have_a_branch() {
        let on = |branch, rule| About { branch, ..PUSH }.selected_by(&code("p-1", "r-1", rule));
        assert!(on(Some("main"), main_branch()));
        assert!(!on(Some("Main"), main_branch()));
        assert!(!on(Some("main2"), main_branch()));
        assert!(on(None, main_branch()));
        assert!(on(Some("release/2"), BranchRule::Prefix("release/".to_owned())));
        assert!(!on(Some("rel"), BranchRule::Prefix("release/".to_owned())));
        assert_eq!(branch(Some("refs/heads/a/b")), Some("a/b"));
        assert_eq!(branch(Some("refs/tags/a")), None);
    }

    #[test]
    fn a_run_belongs_to_its_repository_even_from_another_project() {
        let run = About { family: Family::Run, project: [Some("p-2"), None], ..PUSH };
        assert!(run.selected_by(&code("p-1", "r-1", main_branch())));
        assert!(!run.selected_by(&code("p-1", "Shop", main_branch())), "a name alone is not unique");
    }

    #[test]
    fn pipelines_are_selected_by_number_or_name_and_none_means_all() {
        let select = |pipelines: &[&str]| Selection::BuildProvider {
            azure_project: reference("p-1"),
            pipelines: pipelines.iter().map(|name| reference(name)).collect(),
        };
        let run = About { family: Family::Run, pipeline: [Some("12"), Some("shop-ci")], ..PUSH };
        assert!(run.selected_by(&select(&[])));
        assert!(run.selected_by(&select(&["7", "12"])));
        assert!(run.selected_by(&select(&["Shop-CI"])));
        assert!(!run.selected_by(&select(&["1", "shop"])));
        assert!(!PUSH.selected_by(&select(&[])), "a push is no build");
    }

    #[test]
    fn work_items_are_selected_by_area_with_all_below_and_type() {
        let select = |areas: &[&str], types: &[&str]| Selection::IssueProvider {
            azure_project: reference("p-1"),
            area_paths: areas.iter().map(ToString::to_string).collect(),
            work_item_types: types.iter().map(ToString::to_string).collect(),
        };
        let item = About {
            family: Family::WorkItem,
            area_path: Some("Größe\\Shop\\Cart"),
            work_item_type: Some("Bug"),
            ..PUSH
        };
        for (areas, types, selected) in [
            (vec![], vec![], true),
            (vec!["Größe"], vec![], true),
            (vec!["Größe\\shop\\"], vec!["bug"], true),
            (vec!["Größe\\Shop\\Cart"], vec!["Task", "Bug"], true),
            (vec!["Größe\\Sho"], vec![], false),
            (vec!["Größe\\Shop\\Cart\\Deep"], vec![], false),
            (vec![], vec!["Task"], false),
        ] {
            assert_eq!(item.selected_by(&select(&areas, &types)), selected, "{areas:?} {types:?}");
        }
    }
}
