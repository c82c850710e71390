//! Facts and members that one of the ways cannot know, each with why. Nothing else is left out of the comparison.

use super::Way::{self, Filtered, History, Mixed, Records, Shuffled, Slowly};
use serde_json::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Whether an event is one of those that a way does not tell; the other facts are beside it.
type When = fn(&Value, &BTreeMap<Uuid, Value>) -> bool;

/// A fact that a way does not tell.
pub(super) struct Untold {
    pub(super) ways: &'static [Way],
    /// A part of the type's name.
    pub(super) kind: &'static str,
    /// Which of them.
    pub(super) when: When,
    /// Why it cannot be known, with the source.
    #[expect(dead_code, reason = "it is for whoever reads the table")]
    pub(super) why: &'static str,
}

/// A member that a way tells otherwise.
pub(super) struct Otherwise {
    pub(super) ways: &'static [Way],
    /// A part of the type's name.
    pub(super) kind: &'static str,
    /// Which of them.
    pub(super) when: When,
    /// Where in the event.
    pub(super) pointer: &'static str,
    /// Why it cannot be known, with the source.
    #[expect(dead_code, reason = "it is for whoever reads the table")]
    pub(super) why: &'static str,
}

fn azure<'a>(event: &'a Value, name: &str) -> &'a Value {
    &event["data"]["customData"]["azuredevops"][name]
}

fn always(_: &Value, _: &BTreeMap<Uuid, Value>) -> bool {
    true
}

fn is_no_push(event: &Value, _: &BTreeMap<Uuid, Value>) -> bool {
    azure(event, "updateReason") != "push"
}

fn is_of_no_filter(event: &Value, _: &BTreeMap<Uuid, Value>) -> bool {
    azure(event, "updateReason").is_null()
        || ["retitled", "retargeted"].iter().any(|reason| azure(event, "updateReason") == *reason)
}

/// Whether what was changed is known by comparing, or not at all.
fn is_compared(event: &Value, _: &BTreeMap<Uuid, Value>) -> bool {
    azure(event, "updateReasonFrom") == "comparison" || azure(event, "updateReason").is_null()
}

const fn compared(pointer: &'static str) -> Otherwise {
    Otherwise { when: is_compared, ..otherwise(&[Mixed, Slowly], "cdevents.change.updated", pointer, BY_COMPARING) }
}

/// Whether it was taken up again, or ended again, later.
fn is_followed(event: &Value, all: &BTreeMap<Uuid, Value>) -> bool {
    all.values().any(|other| {
        let ends = ["reactivated"].iter().any(|word| azure(other, "updateReason") == *word)
            || other["type"].as_str().is_some_and(|kind| kind.contains("change.merged"));
        other["subject"] == event["subject"] && ends && other["time"].as_str() >= event["time"].as_str()
    })
}

/// Whether its run began once more, after this: of all beginnings records tell the first and the last, of all ends the last.
fn is_run_again(event: &Value, all: &BTreeMap<Uuid, Value>) -> bool {
    let begins = |other: &&Value| {
        let begins = other["type"].as_str().is_some_and(|kind| kind.contains("pipelinerun.started"));
        begins && other["subject"] == event["subject"]
    };
    let times: Vec<&str> = all.values().filter(begins).filter_map(|other| other["time"].as_str()).collect();
    let (last, own) = (times.iter().max(), event["time"].as_str());
    // A run can begin again in the second in which it ended.
    times.len() > 1 && (last > own.as_ref() || (!begins(&event) && last == own.as_ref()))
}

/// Whether its run was canceled in the very moment in which it began.
fn is_canceled_at_once(event: &Value, all: &BTreeMap<Uuid, Value>) -> bool {
    all.values().any(|other| {
        let ends = other["type"].as_str().is_some_and(|kind| kind.contains("pipelinerun.finished"));
        let at_once = azure(other, "result") == "canceled" && azure(other, "startTime") == azure(other, "finishTime");
        ends && at_once && other["subject"] == event["subject"]
    })
}

/// Whether its item lies in the bin in the end.
fn is_in_bin(event: &Value, all: &BTreeMap<Uuid, Value>) -> bool {
    let turned = all.values().filter(|other| {
        let kind = other["type"].as_str().unwrap_or_default();
        other["subject"] == event["subject"] && kind.contains("azuredevops-workitem.")
    });
    let last = turned.max_by_key(|other| azure(other, "rev").as_i64());
    last.is_some_and(|last| last["type"].as_str().is_some_and(|kind| kind.contains("workitem.deleted")))
}

fn is_link_in_bin(event: &Value, all: &BTreeMap<Uuid, Value>) -> bool {
    azure(event, "updateNumber").is_number() && is_in_bin(event, all)
}

const fn untold(ways: &'static [Way], kind: &'static str, when: When, why: &'static str) -> Untold {
    Untold { ways, kind, when, why }
}

pub(super) const UNTOLD: &[Untold] = &[
    untold(
        &[Filtered],
        "cdevents.change.updated",
        is_of_no_filter,
        "the filter notificationType has four words, none of which is for a title or a target (service hooks events, \
         git.pullrequest.updated): only an unfiltered subscription tells them",
    ),
    untold(
        &[Records],
        "cdevents.change.updated",
        is_no_push,
        "GitPullRequest is one state without a history, and the threads that Azure writes of an act have no id of the event \
         (Git 7.1, Pull Requests, Pull Request Threads)",
    ),
    untold(
        &[Records],
        "cdevents.change.reviewed",
        always,
        "IdentityRefWithVote is the vote of now without a date; the thread of a vote has no id of the event (Git 7.1)",
    ),
    untold(
        &[Records],
        "cdevents.change.abandoned",
        is_followed,
        "closedDate is that of the last end, and gone while it is active (Git 7.1, GitPullRequest)",
    ),
    untold(
        &[Records],
        "mergeattempt.finished",
        always,
        "mergeId and lastMergeCommit are those of the last attempt (Git 7.1, GitPullRequest)",
    ),
    untold(
        &[Records],
        "cdevents.repository.modified",
        always,
        "GitRepository is the name and the switch of now, without a date (Git 7.1)",
    ),
    untold(
        &[Records],
        "azuredevops-approval.",
        always,
        "approvals are asked for by ids that only their events name (Approvals And Checks 7.1, Approvals - Query)",
    ),
    untold(
        &[Records],
        "azuredevops-stage.waiting",
        always,
        "a TimelineRecord has the dates of its beginning and end alone (Build 7.1)",
    ),
    untold(&[Records], "cdevents.ticket.updated", is_link_in_bin, IN_BIN),
    untold(&[Records], "cdevents.pipelinerun.finished", is_run_again, RUN_AGAIN),
    untold(&[Records], "cdevents.build.finished", is_run_again, RUN_AGAIN),
    untold(&[Records], "cdevents.pipelinerun.started", is_run_again, RUN_AGAIN),
    untold(
        &[Records],
        "cdevents.pipelinerun.started",
        is_canceled_at_once,
        "a run that was canceled while it waited has a startTime that is its finishTime, and never began (Build 7.2)",
    ),
];

const RUN_AGAIN: &str = "a Build has one finishTime, that of its last end; and which of several further attempts of its stages \
                         were begun together no TimelineRecord says (Build 7.2)";
const IN_BIN: &str = "the updates of an item that lies in the bin are not found: of links only they tell (Work Item Tracking 7.1, \
                      Recyclebin; Updates - List)";

const fn otherwise(ways: &'static [Way], kind: &'static str, pointer: &'static str, why: &'static str) -> Otherwise {
    Otherwise { ways, kind, when: always, pointer, why }
}

const AS_OF_NOW: &str = "GitPullRequest is how it stands now, without a history (Git 7.1): what is composed of it leaves out what \
                         surely became otherwise, and has the title, target and draft of now";
const BY_COMPARING: &str = "git.pullrequest.updated says neither what was changed nor by whom (service hooks events): it is found by \
                            comparing with what is told by then, and what was before it comes later here, or waits \
                            some seconds for who knows its reason";
const OF_A_PUSH: &str = "a hook has the date of its notification and not that of the push, which only the iteration has, with its \
                         number (Git 7.1, Pull Request Iterations)";
const OF_A_RUN: &str = "run-state-changed has neither the date of the beginning nor the name of the repository (captured run \
                        events of 2025); the record of the build has both (Build 7.1)";
const OF_A_DEPLOYMENT: &str = "deployment-started has no deployment, and so not who asked for it (azure-devops-node-api, \
                               DeploymentStartedEvent); the record has, and not the whole release";

pub(super) const OTHERWISE: &[Otherwise] = &[
    Otherwise {
        when: is_in_bin,
        ..otherwise(&[Records], "cdevents.ticket.updated", "/data/customData/azuredevops/relations", IN_BIN)
    },
    Otherwise { when: is_in_bin, ..otherwise(&[Records], "cdevents.ticket.updated", "/data/context/links", IN_BIN) },
    otherwise(&[Records], "cdevents.change.created", "/data/customData/azuredevops/isDraft", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.created", "/data/customData/azuredevops/title", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.created", "/data/customData/azuredevops/targetRefName", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.created", "/data/customData/azuredevops/targetCommit", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.created", "/data/customData/azuredevops/mergeCommit", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.created", "/data/customData/azuredevops/mergeStatus", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.created", "/data/customData/azuredevops/reviewers", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/isDraft", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/title", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/targetRefName", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/targetCommit", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/mergeCommit", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/mergeStatus", AS_OF_NOW),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/reviewers", AS_OF_NOW),
    otherwise(
        &[Records, Mixed, Slowly],
        "cdevents.change.",
        "/data/customData/azuredevops/updateReasonFrom",
        "how the reason is known is of the telling: one that knew it by comparing is not told anew for that",
    ),
    compared("/data/customData/azuredevops/updateReason"),
    compared("/data/customData/azuredevops/review"),
    compared("/data/customData/azuredevops/actor"),
    compared("/type"),
    compared("/data/context/type"),
    otherwise(
        &[Filtered, Shuffled, History, Mixed, Slowly],
        "cdevents.change.",
        "/data/customData/azuredevops/changes",
        BY_COMPARING,
    ),
    otherwise(&[Mixed, Slowly], "cdevents.change.reviewed", "/data/customData/azuredevops/review", BY_COMPARING),
    otherwise(&[Mixed, Slowly], "cdevents.change.reviewed", "/data/customData/azuredevops/actor", BY_COMPARING),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/message", "a record has no message"),
    otherwise(&[Records], "cdevents.change.updated", "/data/customData/azuredevops/changes", AS_OF_NOW),
    // Told slowly and in any order, a push can seem lost when Azure is asked for another one, and its record comes first.
    otherwise(
        &[Records, Mixed, Slowly],
        "cdevents.change.updated",
        "/data/customData/azuredevops/iterationId",
        OF_A_PUSH,
    ),
    otherwise(&[Records], "cdevents.change.updated", "/time", OF_A_PUSH),
    otherwise(&[Records], "cdevents.change.updated", "/data/context/timestamp", OF_A_PUSH),
    otherwise(&[Records, Mixed], "cdevents.pipelinerun.started", "/time", OF_A_RUN),
    otherwise(&[Records, Mixed], "cdevents.pipelinerun.started", "/data/context/timestamp", OF_A_RUN),
    otherwise(&[Records, Mixed], "cdevents.pipelinerun.started", "/data/customData/azuredevops/startTime", OF_A_RUN),
    otherwise(&[Records, Mixed], "cdevents.pipelinerun.started", "/data/customData/azuredevops/reason", OF_A_RUN),
    otherwise(&[Records, Mixed], "cdevents.pipelinerun.started", "/data/customData/azuredevops/repository", OF_A_RUN),
    otherwise(
        &[Records, Mixed],
        "",
        "/data/customData/azuredevops/job/identifier",
        "the name that stays over attempts is in the timeline alone (Build 7.2, TimelineRecord.identifier)",
    ),
    otherwise(&[Records, Mixed], "cdevents.taskrun.started", "/data/customData/azuredevops/actor", OF_A_DEPLOYMENT),
    otherwise(
        &[Records, Mixed],
        "cdevents.taskrun.started",
        "/data/customData/azuredevops/deployment",
        OF_A_DEPLOYMENT,
    ),
    otherwise(&[Records], "cdevents.taskrun.started", "/data/customData/azuredevops/release", OF_A_DEPLOYMENT),
    otherwise(
        &[Records],
        "cdevents.pipelinerun.finished",
        "/time",
        "a release has the date of its last change, not that of its abandoning (Release 7.1, modifiedOn)",
    ),
    otherwise(&[Records], "cdevents.pipelinerun.finished", "/data/context/timestamp", "the same"),
    otherwise(&[Records], "cdevents.pipelinerun.queued", "/data/customData/azuredevops/release/status", "the same"),
    otherwise(
        &[Records],
        "cdevents.ticket.updated",
        "/data/customData/azuredevops/commentId",
        "a revision has the comment's text and not its number (Work Item Tracking 7.1, Revisions)",
    ),
    otherwise(
        &[Records],
        "azuredevops-workitem.",
        "/time",
        "the body of workitem.deleted can have the date of the edit before, so a hook's is that of its notification",
    ),
    otherwise(&[Records], "azuredevops-workitem.", "/data/context/timestamp", "the same"),
    otherwise(
        &[Records],
        "change.commented",
        "/data/customData/azuredevops",
        "how the request stood when it was commented no record says (Git 7.1)",
    ),
];
