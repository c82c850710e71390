//! Which subscriptions the bindings want: pure, and as few as possible.
//!
//! Filters are as wide as the promise needs:
//! - Code is filtered by repository and never by branch: tags, renamed branches and an unbroken chain of pushes need
//!   every ref.
//! - Work items are not filtered within their project: one that moves out of a filtered area would vanish without a word.
//! - Builds are filtered only by the pipelines that a binding lists. `build.complete` knows a pipeline by its name alone,
//!   so a renamed one is missed until the next time that names are looked up.
//!
//! What a binding selects more narrowly than that is decided when the notification is translated.

use super::catalogue::Catalogue;
use crate::domain::{BindingId, ConnectionId, Spec, SubscriptionKey, UpdateReason};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A pipeline, as the filters name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pipeline {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
}

/// What a binding selects, by Azure's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selected {
    /// A repository.
    Repository {
        /// Its project.
        project: Uuid,
        /// Itself.
        repository: Uuid,
    },
    /// All pipelines of a project, builds and releases.
    AllPipelines {
        /// The project.
        project: Uuid,
    },
    /// Some pipelines.
    Pipelines {
        /// Their project.
        project: Uuid,
        /// Those that build.
        builds: Vec<Pipeline>,
        /// The numbers of classic release pipelines.
        releases: Vec<i64>,
    },
    /// The work items of a project.
    WorkItems {
        /// The project.
        project: Uuid,
    },
}

/// A subscription and who wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What it is to deliver.
    pub spec: Spec,
    /// The bindings that want it.
    pub bindings: BTreeSet<BindingId>,
}

/// All that is wanted of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Desired {
    /// What is to be there.
    pub wanted: BTreeMap<SubscriptionKey, Wanted>,
    /// What would be, if the server offered it, and why it cannot.
    pub not_offered: BTreeMap<SubscriptionKey, (Wanted, String)>,
}

const GIT: &[&str] = &["1.0", "1.0-preview.1"];
const REPO: &[&str] = &["1.0-preview.1"];
// Version 1.0 lacks the pull request; better than nothing on a server that has no other.
const COMMENT: &[&str] = &["2.0", "1.0"];
// Version 1.0 is the shape of XAML builds: without branch and commit in members of their own.
const BUILD: &[&str] = &["2.0", "1.0", "1.0-preview.1"];
const PIPELINES: &[&str] = &["5.1-preview.1"];
const RELEASE: &[&str] = &["3.0-preview.1"];
const WORK_ITEM: &[&str] = &["5.1-preview.3", "1.0", "1.0-preview.2", "1.0-preview.1"];

/// Event types by the one filter that they are narrowed with. Source: azure-devops-docs, "Service hooks events", and the
/// descriptors of the publishers.
const OF_REPOSITORY: [(&str, &[&str]); 7] = [
    ("git.push", GIT),
    ("git.pullrequest.created", GIT),
    ("git.pullrequest.merged", GIT),
    ("ms.vss-code.git-pullrequest-comment-event", COMMENT),
    ("git.repo.renamed", REPO),
    ("git.repo.deleted", REPO),
    ("git.repo.statuschanged", REPO),
];
const PULL_REQUEST_UPDATED: &str = "git.pullrequest.updated";
const BUILD_COMPLETE: &str = "build.complete";
const OF_PIPELINE: [&str; 5] = [
    "ms.vss-pipelines.run-state-changed-event",
    "ms.vss-pipelines.stage-state-changed-event",
    "ms.vss-pipelines.job-state-changed-event",
    "ms.vss-pipelinechecks-events.approval-pending",
    "ms.vss-pipelinechecks-events.approval-completed",
];
const OF_RELEASE: [&str; 6] = [
    "ms.vss-release.release-created-event",
    "ms.vss-release.release-abandoned-event",
    "ms.vss-release.deployment-started-event",
    "ms.vss-release.deployment-completed-event",
    "ms.vss-release.deployment-approval-pending-event",
    "ms.vss-release.deployment-approval-completed-event",
];
const OF_WORK_ITEMS: [&str; 5] =
    ["workitem.created", "workitem.updated", "workitem.commented", "workitem.deleted", "workitem.restored"];

/// One wish, before it is known whether the server can fulfil it.
struct Wish {
    publisher: &'static str,
    event_type: &'static str,
    versions: &'static [&'static str],
    project: Uuid,
    filters: BTreeMap<String, String>,
    reason: Option<UpdateReason>,
}

/// What these bindings want of this connection.
pub(super) fn desired(connection: ConnectionId, bindings: &[(BindingId, Selected)], catalogue: &Catalogue) -> Desired {
    let mut all: Vec<(Wish, BindingId)> = Vec::new();
    for (binding, selected) in bindings {
        all.extend(wishes(selected).into_iter().map(|wish| (wish, *binding)));
    }
    let unfiltered: BTreeSet<(&str, Uuid)> = all
        .iter()
        .filter(|(wish, _)| wish.filters.is_empty())
        .map(|(wish, _)| (wish.event_type, wish.project))
        .collect();
    let mut desired = Desired::default();
    for (wish, binding) in &all {
        // What is not filtered delivers what the filtered one would.
        let filters =
            if unfiltered.contains(&(wish.event_type, wish.project)) { BTreeMap::new() } else { wish.filters.clone() };
        let version = catalogue.version(wish.publisher, wish.event_type, wish.versions);
        let spec = Spec {
            publisher: wish.publisher.to_owned(),
            event_type: wish.event_type.to_owned(),
            resource_version: version.clone().unwrap_or_else(|_| wish.versions[0].to_owned()),
            project: wish.project,
            filters,
            reason: wish.reason,
        };
        let key = spec.key(connection);
        let wanted = Wanted { spec, bindings: BTreeSet::new() };
        let entry = match version {
            Ok(_) => desired.wanted.entry(key).or_insert(wanted),
            Err(why) => &mut desired.not_offered.entry(key).or_insert((wanted, why)).0,
        };
        entry.bindings.insert(*binding);
    }
    desired
}

fn wishes(selected: &Selected) -> Vec<Wish> {
    match selected {
        Selected::Repository { project, repository } => of_repository(*project, *repository),
        Selected::AllPipelines { project } => {
            let mut all = of_builds(*project, None);
            all.extend(of_releases(*project, None));
            all
        }
        Selected::Pipelines { project, builds, releases } => {
            let builds = builds.iter().flat_map(|pipeline| of_builds(*project, Some(pipeline)));
            builds.chain(releases.iter().flat_map(|id| of_releases(*project, Some(*id)))).collect()
        }
        Selected::WorkItems { project } => OF_WORK_ITEMS
            .iter()
            .map(|event_type| wish("tfs", event_type, WORK_ITEM, *project, BTreeMap::new()))
            .collect(),
    }
}

fn of_repository(project: Uuid, repository: Uuid) -> Vec<Wish> {
    let filters = || filter("repository", repository.to_string());
    let mut all: Vec<Wish> = OF_REPOSITORY
        .iter()
        .map(|(event_type, versions)| wish("tfs", event_type, versions, project, filters()))
        .collect();
    // The payload does not say what was updated: one subscription for each reason does.
    all.extend(UpdateReason::ALL.map(|reason| {
        let mut filters = filters();
        filters.insert("notificationType".to_owned(), reason.word().to_owned());
        Wish { reason: Some(reason), ..wish("tfs", PULL_REQUEST_UPDATED, GIT, project, filters) }
    }));
    all
}

fn of_builds(project: Uuid, pipeline: Option<&Pipeline>) -> Vec<Wish> {
    let by = |name: &str, value: Option<String>| value.map(|value| filter(name, value)).unwrap_or_default();
    let complete = by("definitionName", pipeline.map(|pipeline| pipeline.name.clone()));
    let mut all = vec![wish("tfs", BUILD_COMPLETE, BUILD, project, complete)];
    all.extend(OF_PIPELINE.map(|event_type| {
        let filters = by("pipelineId", pipeline.map(|pipeline| pipeline.id.to_string()));
        wish("pipelines", event_type, PIPELINES, project, filters)
    }));
    all
}

fn of_releases(project: Uuid, definition: Option<i64>) -> Vec<Wish> {
    let filters = || definition.map(|id| filter("releaseDefinitionId", id.to_string())).unwrap_or_default();
    OF_RELEASE.map(|event_type| wish("rm", event_type, RELEASE, project, filters())).into()
}

fn filter(name: &str, value: String) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value)])
}

fn wish(
    publisher: &'static str,
    event_type: &'static str,
    versions: &'static [&'static str],
    project: Uuid,
    filters: BTreeMap<String, String>,
) -> Wish {
    Wish { publisher, event_type, versions, project, filters, reason: None }
}

/// A catalogue that offers everything in every version that is wanted first.
#[cfg(test)]
pub(super) fn everything() -> Catalogue {
    let mut catalogue = Catalogue::default();
    let mut offer = |publisher: &str, event_type: &str, versions: &[&str]| {
        let versions = versions.iter().map(|version| (*version).to_owned()).collect();
        catalogue.publishers.entry(publisher.to_owned()).or_default().insert(event_type.to_owned(), versions);
    };
    for (event_type, versions) in OF_REPOSITORY {
        offer("tfs", event_type, versions);
    }
    offer("tfs", PULL_REQUEST_UPDATED, GIT);
    offer("tfs", BUILD_COMPLETE, BUILD);
    for event_type in OF_WORK_ITEMS {
        offer("tfs", event_type, WORK_ITEM);
    }
    for event_type in OF_PIPELINE {
        offer("pipelines", event_type, PIPELINES);
    }
    for event_type in OF_RELEASE {
        offer("rm", event_type, RELEASE);
    }
    catalogue
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECTION: ConnectionId = ConnectionId(Uuid::from_u128(1));
    const PROJECT: Uuid = Uuid::from_u128(2);
    const REPOSITORY: Uuid = Uuid::from_u128(3);

    fn binding(n: u128) -> BindingId {
        BindingId(Uuid::from_u128(n))
    }

    fn of(all: &[Selected]) -> Desired {
        let bindings: Vec<_> = all.iter().enumerate().map(|(n, s)| (binding(n as u128), s.clone())).collect();
        desired(CONNECTION, &bindings, &everything())
    }

    /// Event type, version, filters and reason of each, sorted.
    fn lines(desired: &Desired) -> Vec<String> {
        let line = |Wanted { spec, .. }: &Wanted| {
            let filters: Vec<String> = spec.filters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let reason = spec.reason.map(UpdateReason::word).unwrap_or_default();
            format!("{} {} {} {} {reason}", spec.publisher, spec.event_type, spec.resource_version, filters.join("&"))
        };
        let mut lines: Vec<String> = desired.wanted.values().map(|wanted| line(wanted).trim_end().to_owned()).collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_repository_wants_all_its_refs_and_an_update_for_each_reason() {
        let desired = of(&[Selected::Repository { project: PROJECT, repository: REPOSITORY }]);
        let by = format!("repository={REPOSITORY}");
        let reasons = ["PushNotification", "ReviewerVoteNotification", "ReviewersUpdateNotification"];
        let updated = |reason: &str| format!("tfs git.pullrequest.updated 1.0 notificationType={reason}&{by} {reason}");
        let mut expected = vec![
            format!("tfs git.push 1.0 {by}"),
            format!("tfs git.pullrequest.created 1.0 {by}"),
            format!("tfs git.pullrequest.merged 1.0 {by}"),
            format!("tfs git.repo.deleted 1.0-preview.1 {by}"),
            format!("tfs git.repo.renamed 1.0-preview.1 {by}"),
            format!("tfs git.repo.statuschanged 1.0-preview.1 {by}"),
            format!("tfs ms.vss-code.git-pullrequest-comment-event 2.0 {by}"),
            updated("StatusUpdateNotification"),
        ];
        expected.extend(reasons.map(updated));
        expected.sort();
        assert_eq!(lines(&desired), expected);
        assert!(desired.not_offered.is_empty());
    }

    #[test]
    fn work_items_are_not_filtered_within_their_project() {
        let desired = of(&[Selected::WorkItems { project: PROJECT }]);
        let expected = ["commented", "created", "deleted", "restored", "updated"];
        assert_eq!(lines(&desired), expected.map(|kind| format!("tfs workitem.{kind} 5.1-preview.3")));
    }

    #[test]
    fn pipelines_are_filtered_only_where_a_binding_lists_them() {
        assert_eq!(of(&[Selected::AllPipelines { project: PROJECT }]).wanted.len(), 12);
        let builds = vec![Pipeline { id: 7, name: "CI".into() }];
        let desired = of(&[Selected::Pipelines { project: PROJECT, builds, releases: vec![9] }]);
        let lines = lines(&desired);
        assert_eq!(lines.len(), 12);
        assert!(lines.contains(&"tfs build.complete 2.0 definitionName=CI".to_owned()), "{lines:?}");
        let run = "pipelines ms.vss-pipelines.run-state-changed-event 5.1-preview.1 pipelineId=7";
        assert!(lines.contains(&run.to_owned()), "{lines:?}");
        let release = "rm ms.vss-release.release-created-event 3.0-preview.1 releaseDefinitionId=9";
        assert!(lines.contains(&release.to_owned()), "{lines:?}");
    }

    #[test]
    fn what_is_not_filtered_serves_those_who_want_it_filtered() {
        let builds = vec![Pipeline { id: 7, name: "CI".into() }];
        let listed = Selected::Pipelines { project: PROJECT, builds, releases: vec![] };
        let desired = of(&[listed.clone(), Selected::AllPipelines { project: PROJECT }]);
        assert_eq!(desired.wanted.len(), 12);
        let both = BTreeSet::from([binding(0), binding(1)]);
        let of_both = desired.wanted.values().filter(|wanted| wanted.bindings == both).count();
        assert_eq!(of_both, 6, "the six of builds serve both, the six of releases one");
        assert!(desired.wanted.values().all(|wanted| wanted.spec.filters.is_empty()));
        let elsewhere = of(&[listed, Selected::AllPipelines { project: Uuid::from_u128(8) }]);
        assert_eq!(elsewhere.wanted.len(), 18, "another project's do not");
    }

    #[test]
    fn two_bindings_of_one_repository_share_its_subscriptions() {
        let code = Selected::Repository { project: PROJECT, repository: REPOSITORY };
        let desired = of(&[code.clone(), code]);
        assert_eq!(desired.wanted.len(), 11);
        assert!(desired.wanted.values().all(|wanted| wanted.bindings.len() == 2));
    }

    #[test]
    fn what_the_server_does_not_offer_is_said_and_not_wanted() {
        let mut catalogue = everything();
        catalogue.publishers.get_mut("tfs").unwrap().remove("workitem.restored");
        catalogue.publishers.get_mut("tfs").unwrap().insert("workitem.created".into(), vec!["1.0".into()]);
        let bindings = [(binding(0), Selected::WorkItems { project: PROJECT })];
        let desired = desired(CONNECTION, &bindings, &catalogue);
        assert_eq!((desired.wanted.len(), desired.not_offered.len()), (4, 1));
        let created = desired.wanted.values().find(|wanted| wanted.spec.event_type == "workitem.created").unwrap();
        assert_eq!(created.spec.resource_version, "1.0");
    }
}
