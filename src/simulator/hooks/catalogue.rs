//! Which events there are, on which edition: publishers, event types, resource versions, filters.
//!
//! Source: Microsoft's service-hook events page and the REST examples of `hooks/publishers`. Which Server release brought
//! what is inferred from them.

use crate::simulator::{
    options::{Edition, ServerVersion},
    site::Site,
};

/// What an input takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Guid,
    /// One of these, or nothing for any; letters' case does not matter.
    Words(&'static [&'static str]),
    /// A path of TFVC, which must be there.
    ServerPath,
}

/// A filter of an event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) takes: Takes,
}

/// An event type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventType {
    pub(super) publisher: &'static str,
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// Newest first.
    versions: &'static [&'static str],
    pub(super) inputs: &'static [Input],
    /// The first Server that has it; `None` is the cloud only.
    since: Option<ServerVersion>,
}

/// The publishers: id, name, description.
pub(super) const PUBLISHERS: [(&str, &str, &str); 4] = [
    ("tfs", "Azure DevOps Server", "Publishes Azure DevOps Server events"),
    ("pipelines", "Pipelines", "Publishes pipelines events"),
    ("rm", "Release Management", "Publishes release management events"),
    ("advsec", "Advanced Security", "Publishes Advanced Security events"),
];

const fn text(id: &'static str, name: &'static str) -> Input {
    Input { id, name, takes: Takes::Text }
}

const fn words(id: &'static str, name: &'static str, words: &'static [&'static str]) -> Input {
    Input { id, name, takes: Takes::Words(words) }
}

const REPOSITORY: Input = Input { id: "repository", name: "Repository", takes: Takes::Guid };
const BRANCH: Input = text("branch", "Branch");
const TARGET: Input = text("branch", "Target branch");
const CREATED_BY: Input = text("pullrequestCreatedBy", "Requested by a member of group");
const REVIEWERS: Input = text("pullrequestReviewersContains", "Reviewer includes group");
const AREA: Input = text("areaPath", "Area path");
const KIND: Input = text("workItemType", "Work item type");
const TAG: Input = text("tag", "Tag");
const LINKS: Input = words("linksChanged", "Links are added or removed", &["true", "false"]);
const PIPELINE: Input = text("pipelineId", "Pipeline");
const STAGE: Input = text("stageNameId", "Stage");
const STAGE_STATES: &[&str] = &["NotStarted", "Waiting", "Running", "Completed"];
const RESULTS: &[&str] = &["Canceled", "Failed", "Rejected", "Skipped", "Succeeded"];
const DEFINITION: Input = text("releaseDefinitionId", "Release pipeline name");
const ENVIRONMENT: Input = text("releaseEnvironmentId", "Stage name");
const APPROVAL_KIND: Input = words("releaseApprovalType", "Approval type", &["1", "2", "PreDeploy", "PostDeploy"]);

const ALERT_KIND: Input = text("alertType", "Alert type");
const SEVERITY: Input = text("severity", "Severity");
const ALERTS: &[&str] = &["1.0"];

const GIT: &[&str] = &["1.0", "1.0-preview.1"];
const GIT_LONG: &[&str] = &["3.0-preview.1", "1.0", "1.0-preview.1"];
const PREVIEW: &[&str] = &["1.0-preview.1"];
const WORK: &[&str] = &["5.1-preview.3", "3.1-preview.3", "1.0"];
const PIPELINES: &[&str] = &["5.1-preview.1"];
const RELEASES: &[&str] = &["3.0-preview.1"];

const fn row(
    (publisher, id): (&'static str, &'static str),
    name: &'static str,
    versions: &'static [&'static str],
    inputs: &'static [Input],
    since: Option<ServerVersion>,
) -> EventType {
    EventType { publisher, id, name, versions, inputs, since }
}

const V2019: Option<ServerVersion> = Some(ServerVersion::V2019);
const V2020: Option<ServerVersion> = Some(ServerVersion::V2020);
const V2022: Option<ServerVersion> = Some(ServerVersion::V2022);
const V2022_1: Option<ServerVersion> = Some(ServerVersion::V2022_1);

#[rustfmt::skip]
const EVENT_TYPES: &[EventType] = &[
    row(("tfs", "build.complete"), "Build completed", &["2.0", "1.0"], &[
        text("definitionName", "Build pipeline"),
        words("buildStatus", "Build Status", &["Succeeded", "PartiallySucceeded", "Failed", "Stopped"]),
    ], V2019),
    row(("tfs", "git.push"), "Code pushed", GIT_LONG, &[REPOSITORY, BRANCH, text("pushedBy", "Pushed by a member of group")], V2019),
    row(("tfs", "git.pullrequest.created"), "Pull request created", GIT, &[REPOSITORY, TARGET, CREATED_BY, REVIEWERS], V2019),
    row(("tfs", "git.pullrequest.updated"), "Pull request updated", GIT, &[
        REPOSITORY, TARGET, CREATED_BY, REVIEWERS,
        words("notificationType", "Change", &[
            "PushNotification", "ReviewersUpdateNotification", "StatusUpdateNotification", "ReviewerVoteNotification",
        ]),
    ], V2019),
    row(("tfs", "git.pullrequest.merged"), "Pull request merge attempted", GIT_LONG, &[
        REPOSITORY, TARGET, CREATED_BY, REVIEWERS,
        words("mergeResult", "Merge result", &["Succeeded", "Unsuccessful", "Conflicts", "Failure", "RejectedByPolicy"]),
    ], V2019),
    row(("tfs", "ms.vss-code.git-pullrequest-comment-event"), "Pull request commented on", &["2.0", "1.0"], &[REPOSITORY, TARGET], V2020),
    row(("tfs", "git.repo.created"), "Repository created", PREVIEW, &[], V2022),
    row(("tfs", "git.repo.deleted"), "Repository deleted", PREVIEW, &[REPOSITORY], V2022),
    row(("tfs", "git.repo.forked"), "Repository forked", PREVIEW, &[REPOSITORY], V2022),
    row(("tfs", "git.repo.renamed"), "Repository renamed", PREVIEW, &[REPOSITORY], V2022),
    row(("tfs", "git.repo.statuschanged"), "Repository status changed", PREVIEW, &[REPOSITORY], V2022),
    row(("tfs", "tfvc.checkin"), "Code checked in", GIT, &[Input { id: "path", name: "Under path", takes: Takes::ServerPath }], V2019),
    row(("tfs", "workitem.created"), "Work item created", WORK, &[AREA, KIND, TAG, LINKS], V2019),
    row(("tfs", "workitem.updated"), "Work item updated", WORK, &[AREA, KIND, TAG, text("changedFields", "Field"), LINKS], V2019),
    row(("tfs", "workitem.commented"), "Work item commented on", WORK, &[AREA, KIND, TAG, text("commentPattern", "Contains string")], V2019),
    row(("tfs", "workitem.deleted"), "Work item deleted", WORK, &[AREA, KIND, TAG], V2019),
    row(("tfs", "workitem.restored"), "Work item restored", WORK, &[AREA, KIND, TAG], V2019),
    row(("pipelines", "ms.vss-pipelines.run-state-changed-event"), "Run state changed", PIPELINES, &[
        PIPELINE,
        words("runStateId", "State", &["InProgress", "Canceling", "Completed"]),
        words("runResultId", "Result", &["Canceled", "Failed", "Succeeded"]),
    ], V2020),
    row(("pipelines", "ms.vss-pipelines.stage-state-changed-event"), "Run stage state changed", PIPELINES, &[
        PIPELINE, STAGE, words("stageStateId", "State", STAGE_STATES), words("stageResultId", "Result", RESULTS),
    ], V2020),
    row(("pipelines", "ms.vss-pipelines.job-state-changed-event"), "Run job state changed", PIPELINES, &[
        PIPELINE, STAGE, text("jobNameId", "Job"),
        words("jobStateId", "State", &["Waiting", "Running", "Completed"]), words("jobResultId", "Result", RESULTS),
    ], V2022_1),
    row(("pipelines", "ms.vss-pipelinechecks-events.approval-pending"), "Run stage waiting for approval", PIPELINES, &[
        PIPELINE, text("stageName", "Stage"), text("environmentName", "Environment"),
    ], V2022),
    row(("pipelines", "ms.vss-pipelinechecks-events.approval-completed"), "Run stage approval completed", PIPELINES, &[
        PIPELINE, text("stageName", "Stage"), text("environmentName", "Environment"),
    ], V2022),
    row(("pipelines", "ms.vss-pipelinechecks-events.check-updated-event"), "Check updated", PIPELINES, &[text("resourceType", "Resource type")], None),
    row(("rm", "ms.vss-release.release-created-event"), "Release created", RELEASES, &[DEFINITION], V2019),
    row(("rm", "ms.vss-release.release-abandoned-event"), "Release abandoned", RELEASES, &[DEFINITION], V2019),
    row(("rm", "ms.vss-release.deployment-started-event"), "Release deployment started", RELEASES, &[DEFINITION, ENVIRONMENT], V2019),
    row(("rm", "ms.vss-release.deployment-completed-event"), "Release deployment completed", RELEASES, &[
        DEFINITION, ENVIRONMENT, words("releaseEnvironmentStatus", "Status", &["4", "8", "16", "128"]),
    ], V2019),
    row(("rm", "ms.vss-release.deployment-approval-pending-event"), "Release deployment approval pending", RELEASES, &[
        DEFINITION, ENVIRONMENT, APPROVAL_KIND,
    ], V2019),
    row(("rm", "ms.vss-release.deployment-approval-completed-event"), "Release deployment approval completed", RELEASES, &[
        DEFINITION, ENVIRONMENT, APPROVAL_KIND, text("releaseApprovalStatus", "Status"),
    ], V2019),
    row(("advsec", "ms.vss-alerts.alert-created-event"), "Alert created", ALERTS, &[REPOSITORY, BRANCH, ALERT_KIND, SEVERITY], None),
    row(("advsec", "ms.vss-alerts.alert-updated-event"), "Alert updated", ALERTS, &[REPOSITORY, BRANCH, ALERT_KIND, SEVERITY], None),
    row(("advsec", "ms.vss-alerts.alert-state-changed-event"), "Alert state changed", ALERTS, &[
        REPOSITORY, BRANCH, ALERT_KIND, SEVERITY, text("state", "State"),
    ], None),
];

impl EventType {
    fn is_there(&self, edition: Edition) -> bool {
        match edition {
            Edition::Services => true,
            Edition::Server(version) => self.since.is_some_and(|since| since <= version),
        }
    }

    /// Newest first. A Server of 2019 is older than the newest form of work items.
    pub(super) fn versions(&self, edition: Edition) -> Vec<&'static str> {
        let too_new = |version: &&&str| edition == Edition::Server(ServerVersion::V2019) && version.starts_with("5.1");
        self.versions.iter().filter(|version| !too_new(version)).copied().collect()
    }

    /// What who asks for no version gets: the latest that is no preview.
    pub(super) fn default_version(&self) -> &'static str {
        self.versions.iter().find(|version| !version.contains("preview")).unwrap_or(&self.versions[0])
    }
}

/// A host's event types.
pub(super) fn event_types(edition: Edition, host: Site) -> impl Iterator<Item = &'static EventType> {
    EVENT_TYPES.iter().filter(move |own| own.is_there(edition) && serves(edition, host, own.publisher))
}

/// One of them.
pub(super) fn event_type(edition: Edition, host: Site, publisher: &str, id: &str) -> Option<&'static EventType> {
    event_types(edition, host).find(|own| own.publisher == publisher && own.id == id)
}

/// Whether a host knows a publisher. In the cloud each host knows its own ones only.
pub(super) fn serves(edition: Edition, host: Site, publisher: &str) -> bool {
    let is_one = PUBLISHERS.iter().any(|(id, _, _)| *id == publisher);
    let site = Site::of(publisher);
    is_one && if edition == Edition::Services { site == host } else { site != Site::Security }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn older_servers_lack_what_came_later() {
        let has = |version, id: &str| event_types(Edition::Server(version), Site::Main).any(|own| own.id == id);
        assert!(
            has(ServerVersion::V2019, "git.push") && has(ServerVersion::V2019, "ms.vss-release.release-created-event")
        );
        let job = "ms.vss-pipelines.job-state-changed-event";
        assert!(!has(ServerVersion::V2022, job) && has(ServerVersion::V2022_1, job));
        assert!(!has(ServerVersion::V2020, "ms.vss-pipelinechecks-events.approval-pending"));
        let updated = event_type(Edition::Services, Site::Main, "tfs", "workitem.updated").unwrap();
        assert_eq!(updated.versions(Edition::Services), ["5.1-preview.3", "3.1-preview.3", "1.0"]);
        assert_eq!(updated.versions(Edition::Server(ServerVersion::V2019)), ["3.1-preview.3", "1.0"]);
    }

    #[test]
    fn releases_have_a_host_of_their_own_in_the_cloud_only() {
        let publishers = |edition, host| event_types(edition, host).map(|own| own.publisher).collect::<BTreeSet<_>>();
        assert_eq!(publishers(Edition::Services, Site::Main), ["pipelines", "tfs"].into());
        assert_eq!(publishers(Edition::Services, Site::Release), ["rm"].into());
        assert_eq!(publishers(Edition::Services, Site::Security), ["advsec"].into());
        let server = Edition::Server(ServerVersion::V2022);
        assert_eq!(publishers(server, Site::Main), ["pipelines", "rm", "tfs"].into());
    }
}
