//! Every fixture against its golden file. `UPDATE=1` rewrites the golden files; read the diff, it is the contract.

use super::{cases, events, files, fixtures, json};
use std::{collections::BTreeSet, env, fs};

/// The event types that Azure DevOps has, by its own catalogue (contract §a.4).
const CATALOGUE: [&str; 38] = [
    "agentqueue.created",
    "agentqueue.updated",
    "build.complete",
    "elasticagentpool.resized",
    "git.pullrequest.created",
    "git.pullrequest.merged",
    "git.pullrequest.updated",
    "git.push",
    "git.repo.created",
    "git.repo.deleted",
    "git.repo.forked",
    "git.repo.renamed",
    "git.repo.statuschanged",
    "manualintervention.pending",
    "message.posted",
    "ms.vss-alerts.alert-created-event",
    "ms.vss-alerts.alert-state-changed-event",
    "ms.vss-alerts.alert-updated-event",
    "ms.vss-code.git-pullrequest-comment-event",
    "ms.vss-endpoint.endpoint-created",
    "ms.vss-endpoint.endpoint-updated",
    "ms.vss-pipelinechecks-events.approval-completed",
    "ms.vss-pipelinechecks-events.approval-pending",
    "ms.vss-pipelinechecks-events.check-updated-event",
    "ms.vss-pipelines.job-state-changed-event",
    "ms.vss-pipelines.run-state-changed-event",
    "ms.vss-pipelines.stage-state-changed-event",
    "ms.vss-release.deployment-approval-completed-event",
    "ms.vss-release.deployment-approval-pending-event",
    "ms.vss-release.deployment-completed-event",
    "ms.vss-release.deployment-started-event",
    "ms.vss-release.release-abandoned-event",
    "ms.vss-release.release-created-event",
    "tfvc.checkin",
    "workitem.commented",
    "workitem.created",
    "workitem.deleted",
    "workitem.restored",
];

#[test]
fn every_fixture_gives_its_golden_events() {
    let update = env::var_os("UPDATE").is_some();
    let mut differ = Vec::new();
    for case in cases() {
        let events = events(&case.name, &case.body).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let found: Vec<_> = events.iter().map(json).collect();
        let found = serde_json::to_string_pretty(&found).unwrap() + "\n";
        let golden = fixtures("events").join(&case.name);
        if update {
            fs::create_dir_all(golden.parent().unwrap()).unwrap();
            fs::write(&golden, &found).unwrap();
        } else if fs::read_to_string(&golden).unwrap_or_default() != found {
            differ.push(format!("{}\n{found}", case.path.display()));
        }
    }
    assert!(differ.is_empty(), "{} golden files differ (UPDATE=1 rewrites them):\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn every_fixture_has_a_golden_file_and_every_golden_file_a_fixture() {
    let (fixtures, goldens) = (files(&fixtures("azure")), files(&fixtures("events")));
    let [fixtures, goldens] = [fixtures, goldens].map(BTreeSet::from_iter);
    let lonely: Vec<&String> = fixtures.symmetric_difference(&goldens).collect();
    assert!(lonely.is_empty(), "{lonely:?}");
}

#[test]
fn every_event_type_of_the_catalogue_has_a_fixture() {
    let have: BTreeSet<String> = cases().iter().map(|case| case.name.split('/').next().unwrap().to_owned()).collect();
    let want = CATALOGUE.iter().chain(&["workitem.updated"]);
    let missing: Vec<_> = want.filter(|kind| !have.contains(**kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Two event types that tell one fact must give one id, or consumers see it twice.
#[test]
fn one_fact_told_twice_has_one_id() {
    for (one, other, kind) in [
        (
            "build.complete/2.0-succeeded",
            "ms.vss-pipelines.run-state-changed-event/completed-succeeded",
            "pipelinerun.finished",
        ),
        ("git.pullrequest.updated/completed", "git.pullrequest.merged/completed", "change.merged"),
        ("workitem.updated/commented", "workitem.commented/5.1-object-identities", "ticket.updated"),
        ("git.repo.forked/into-same-project", "git.repo.created/fork-as-created", "repository.created"),
        ("build.complete/2.0-succeeded", "build.complete/1.0-succeeded", "build.finished"),
    ] {
        let id = |name: &str| {
            let name = format!("{name}.json");
            let case = cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name}"));
            let events = events(&case.name, &case.body).unwrap();
            let event = events.iter().find(|event| event.header.kind.contains(kind));
            event.unwrap_or_else(|| panic!("{name} has no {kind}")).id
        };
        assert_eq!(id(one), id(other), "{one} and {other}");
    }
}
