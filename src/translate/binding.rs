//! Which projects an event belongs to: those with a binding that selects it.

use super::frame::Frame;
use crate::{
    azure::resource::{Project, git::Repository},
    domain::{AzureRef, Binding, BranchRule, Selection, Slug},
};

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
    /// Ids and name of the Azure project.
    pub(super) project: [Option<&'a str>; 3],
    /// Id and name of the repository.
    pub(super) repository: [Option<&'a str>; 2],
    /// The short name of the branch, when the event has one.
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
        Self { project: [frame.notification.project(), None, None], ..Self::default() }
    }

    /// Of a family in a project that the resource names too.
    pub(super) fn within(frame: &Frame<'a>, family: Family, project: &'a Project<'_>) -> Self {
        let project = [frame.notification.project(), project.id.as_str(), project.name.as_str()];
        Self { family, project, ..Self::default() }
    }

    /// Of a repository.
    pub(super) fn repository(frame: &Frame<'a>, repository: &'a Repository<'_>) -> Self {
        let about = Self::within(frame, Family::Code, &repository.project);
        Self { repository: [repository.id.as_str(), repository.name.as_str()], ..about }
    }

    /// The projects whose bindings select it, each once, sorted.
    pub(super) fn projects(&self, bindings: &[Binding]) -> Vec<Slug> {
        let mut slugs: Vec<Slug> = bindings
            .iter()
            .filter(|binding| self.selected_by(&binding.selection))
            .map(|binding| binding.project.clone())
            .collect();
        slugs.sort_unstable();
        slugs.dedup();
        slugs
    }

    fn selected_by(&self, selection: &Selection) -> bool {
        match selection {
            Selection::CodeDeployment { azure_project, repository, branch } => {
                matches!(self.family, Family::Code | Family::Run)
                    && self.in_repository(azure_project, repository)
                    && self.on(branch)
            }
            Selection::BuildProvider { azure_project, pipelines } => {
                matches!(self.family, Family::Run | Family::Release)
                    && any(azure_project, &self.project)
                    && (pipelines.is_empty() || pipelines.iter().any(|pipeline| any(pipeline, &self.pipeline)))
            }
            Selection::IssueProvider { azure_project, area_paths, work_item_types } => {
                self.family == Family::WorkItem
                    && any(azure_project, &self.project)
                    && (area_paths.is_empty() || area_paths.iter().any(|area| self.below(area)))
                    && (work_item_types.is_empty() || work_item_types.iter().any(|kind| self.of_type(kind)))
            }
        }
    }

    /// A pipeline can build a repository of another project, so a run's project says nothing of its repository's. That
    /// one is named by its GUID alone, which is enough: no two repositories share one.
    fn in_repository(&self, azure_project: &AzureRef, repository: &AzureRef) -> bool {
        let [id, _] = self.repository;
        let by_id = id.is_some_and(|id| same(repository, id));
        any(repository, &self.repository)
            && (any(azure_project, &self.project) || (by_id && self.family == Family::Run))
    }

    /// What has no branch (a tag, the repository itself, the build of a pull request's merge) is every branch's.
    /// Branch names are compared exactly, as Git does.
    fn on(&self, rule: &BranchRule) -> bool {
        let Some(branch) = self.branch else { return true };
        match rule {
            BranchRule::Any => true,
            BranchRule::Exact(name) => branch == name,
            BranchRule::Prefix(prefix) => branch.starts_with(prefix.as_str()),
        }
    }

    fn below(&self, area: &str) -> bool {
        let area = area.trim_end_matches('\\');
        let Some(path) = self.area_path else { return false };
        let Some(head) = path.get(..area.len()) else { return false };
        head.eq_ignore_ascii_case(area) && matches!(path.as_bytes().get(area.len()), None | Some(b'\\'))
    }

    fn of_type(&self, kind: &str) -> bool {
        self.work_item_type.is_some_and(|own| own.eq_ignore_ascii_case(kind))
    }
}

/// The branch of a ref, by its short name; a tag or anything else has none.
pub(super) fn branch(reference: Option<&str>) -> Option<&str> {
    reference?.strip_prefix("refs/heads/")
}

fn any(reference: &AzureRef, candidates: &[Option<&str>]) -> bool {
    candidates.iter().flatten().any(|candidate| same(reference, candidate))
}

fn same(AzureRef(reference): &AzureRef, candidate: &str) -> bool {
    // ASCII first: it is nearly always enough, and ids are nothing else.
    reference.eq_ignore_ascii_case(candidate)
        || (!reference.is_ascii() && reference.to_lowercase() == candidate.to_lowercase())
}
