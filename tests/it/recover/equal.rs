//! What is composed from Azure's records becomes exactly the events that the hooks' payloads become.

use super::{bind_all, bound, events, lines, swept};
use crate::real::{Real, SHOP};
use hookwell::{
    event::Event,
    reconcile::{Mode, reconcile},
    recover::{Depth, Mending},
    simulator::{Edit, RefChange, Simulator},
};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// What has no identity in Azure's records that equals a hook's.
const BY_HOOK_ALONE: [&str; 9] = [
    "azuredevops-mergeattempt.finished",
    "change.reviewed",
    "reviewers",
    "reactivated",
    "status",
    "azuredevops-stage.waiting",
    "azuredevops-job.waiting",
    "azuredevops-approval",
    "azuredevops-repository",
];

/// Lets everything be delivered as it is now, not as it will be after the next change.
async fn minute(real: &Real) {
    real.pass(Duration::from_mins(1)).await;
}

/// Everything that can happen to what is bound, each thing by itself.
pub(super) async fn everything_happens(real: &Real) {
    let simulator = real.simulator().clone();
    let project = simulator.project(SHOP).unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    code(real, &simulator, web).await;
    builds(real, &simulator, project).await;
    releases(real, &simulator, project).await;
    tickets(real, &simulator, project).await;
}

async fn code(real: &Real, simulator: &Simulator, web: Uuid) {
    let commit = |branch: &str, comment: &str| RefChange::Commit {
        branch: branch.to_owned(),
        comment: comment.to_owned(),
        paths: vec!["/src/nine.rs".to_owned()],
    };
    simulator.push(web, "", &[commit("main", "One")]).unwrap();
    minute(real).await;
    simulator.push(web, "", &[commit("feature/9", "Nine"), RefChange::Tag { tag: "v9".to_owned() }]).unwrap();
    minute(real).await;
    let number = simulator.create_pull_request(web, "feature/9", "main", "Ninth").unwrap();
    minute(real).await;
    for comment in ["Better", "Best"] {
        simulator.push(web, "", &[commit("feature/9", comment)]).unwrap();
        minute(real).await;
    }
    simulator.comment_pull_request(number, "Is it?").unwrap();
    minute(real).await;
    simulator.set_reviewers(number, &["juergen@fabrikam.example"]).unwrap();
    minute(real).await;
    simulator.vote(number, "juergen@fabrikam.example", 10).unwrap();
    minute(real).await;
    simulator.complete_pull_request(number, true).unwrap();
    minute(real).await;
    simulator.comment_pull_request(number, "It was.").unwrap();
    minute(real).await;
    let other = simulator.create_pull_request(web, "feature/3", "main", "Third").unwrap();
    minute(real).await;
    simulator.push(web, "", &[commit("feature/3", "Still open")]).unwrap();
    minute(real).await;
    let last = simulator.create_pull_request(web, "feature/3", "feature/2", "Never").unwrap();
    minute(real).await;
    simulator.abandon_pull_request(last).unwrap();
    minute(real).await;
    simulator.comment_pull_request(other, "Open").unwrap();
    minute(real).await;
}

async fn builds(real: &Real, simulator: &Simulator, project: Uuid) {
    let ci = simulator.definition(project, "web shop CI").unwrap();
    for (stages, result) in [(2, "succeeded"), (1, "failed"), (0, "canceled"), (2, "partiallySucceeded")] {
        let build = simulator.queue_build(ci, "main").unwrap();
        minute(real).await;
        simulator.start_build(build).unwrap();
        minute(real).await;
        for stage in ["Build", "Deploy to production"].into_iter().take(stages) {
            simulator.start_stage(build, stage).unwrap();
            minute(real).await;
            simulator.finish_stage(build, stage, if result == "failed" { "failed" } else { "succeeded" }).unwrap();
            minute(real).await;
        }
        simulator.finish_build(build, result).unwrap();
        minute(real).await;
    }
    let build = simulator.queue_build(ci, "main").unwrap();
    simulator.start_build(build).unwrap();
    minute(real).await;
    let asked = simulator.request_approval(build, "Build", "production", "juergen@fabrikam.example").unwrap();
    minute(real).await;
    simulator.decide_approval(build, asked, true).unwrap();
    minute(real).await;
}

async fn releases(real: &Real, simulator: &Simulator, project: Uuid) {
    let ci = simulator.definition(project, "web shop CI").unwrap();
    // One of the past: all that happens at one moment would be delivered as it was after it.
    let build = 103;
    let cd = simulator.create_release_definition(project, "CD", ci, &["Staging", "Production"]);
    for statuses in [["succeeded", "canceled"], ["partiallySucceeded", "rejected"]] {
        let release = simulator.create_release(cd, build).unwrap();
        minute(real).await;
        for (environment, status) in ["Staging", "Production"].into_iter().zip(statuses) {
            simulator.start_deployment(release, environment, None).unwrap();
            minute(real).await;
            simulator.finish_deployment(release, environment, status).unwrap();
            minute(real).await;
        }
        simulator.start_deployment(release, "Staging", Some("juergen@fabrikam.example")).unwrap();
        minute(real).await;
        simulator.decide_deployment(release, "Staging", statuses[0] == "succeeded").unwrap();
        minute(real).await;
    }
    let given_up = simulator.create_release(cd, build).unwrap();
    minute(real).await;
    simulator.abandon_release(given_up).unwrap();
    minute(real).await;
}

async fn tickets(real: &Real, simulator: &Simulator, project: Uuid) {
    let bug = simulator.create_work_item(project, "Bug", "It is slow").unwrap();
    minute(real).await;
    let set = |name: &str, value: &str| (name.to_owned(), Edit::Set(value.into()));
    simulator.update_work_item(bug, "", &[set("System.Title", "It is too slow")]).unwrap();
    minute(real).await;
    simulator.comment_work_item(bug, "How slow?").unwrap();
    minute(real).await;
    for state in ["Active", "Closed", "Active", "Closed"] {
        simulator.move_work_item(bug, state).unwrap();
        minute(real).await;
    }
    let old = 1;
    simulator.update_work_item(old, "", &[("System.AssignedTo".to_owned(), Edit::Clear)]).unwrap();
    minute(real).await;
    let url = "vstfs:///Git/Commit/a%2Fb%2Fc";
    simulator.link_work_item(old, "ArtifactLink", url).unwrap();
    minute(real).await;
    simulator.unlink_work_item(old, url).unwrap();
    minute(real).await;
    // Links between items make no revision, at either end.
    let parent = format!("https://dev.azure.com/fabrikam/_apis/wit/workItems/{bug}");
    simulator.link_work_item(old, "System.LinkTypes.Hierarchy-Reverse", &parent).unwrap();
    minute(real).await;
    simulator.unlink_work_item(old, &parent).unwrap();
    minute(real).await;
    simulator.move_work_item(3, "Closed").unwrap();
    minute(real).await;
    let gone = simulator.create_work_item(project, "Task", "Never mind").unwrap();
    minute(real).await;
    simulator.delete_work_item(gone).unwrap();
    minute(real).await;
    simulator.restore_work_item(gone).unwrap();
    minute(real).await;
}

#[tokio::test]
async fn what_is_composed_from_records_becomes_the_events_that_hooks_become() {
    let real = Real::start().await;
    bound(&real).await;
    let from = real.gateway.app.clock.now();
    minute(&real).await;
    everything_happens(&real).await;
    let hooked: Vec<Event> = real.events().await;
    // What a break made us look at came by another way, and from before.
    let hooked = lines(&hooked.into_iter().filter(|event| event.header.recovered.is_none()).collect::<Vec<_>>());
    let (other, connection) = real.beside().await;
    bind_all(&other, connection).await;
    other.advance(real.gateway.clock_ahead_of(&other));
    reconcile(&other.app, connection, Mode::Mend).await.unwrap();
    let tally = swept(&other, connection, from, Depth::Everything, Mending::Mend).await;
    let all = events(&other).await;
    let composed = lines(&all);

    let missing = |from: &BTreeMap<Uuid, String>, other: &BTreeMap<Uuid, String>| -> Vec<String> {
        from.iter().filter(|(id, _)| !other.contains_key(id)).map(|(_, line)| line.clone()).collect()
    };
    assert_eq!(missing(&composed, &hooked), Vec::<String>::new(), "composed, and told by no hook");
    let lost = missing(&hooked, &composed);
    let lost: Vec<&String> =
        lost.iter().filter(|line| !BY_HOOK_ALONE.iter().any(|known| line.contains(known))).collect();
    assert!(lost.is_empty(), "told by a hook, and not composed: {lost:#?}");
    assert!(composed.len() > 80, "{}", composed.len());
    assert_eq!((tally.total.expected, tally.total.rest), (composed.len() as u64, composed.len() as u64));
    assert!(all.iter().all(|event| event.header.recovered.is_some() && !event.header.projects.is_empty()));

    // Where they were delivered, nothing is missing, and nothing is appended.
    let before = real.notifications().await.len();
    let tally = swept(&real.gateway, real.connection, from, Depth::Everything, Mending::Mend).await;
    assert_eq!((tally.total.received, tally.total.expected), (composed.len() as u64, composed.len() as u64));
    assert_eq!(real.notifications().await.len(), before);
}
