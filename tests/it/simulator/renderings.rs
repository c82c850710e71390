//! What the hooks show of what happened, in every version, as the translation reads it.

use super::Asker;
use hookwell::{
    azure::CollectionUrl,
    domain::{ConnectionId, NotificationId},
    simulator::{Draft, Edit, RefChange, Simulator},
    translate::{Context, Settings, translate},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const CLOUD: &str = "https://dev.azure.com/fabrikam";
/// What an event type is that the translation has no words for.
const UNKNOWN: &str = "dev.cdeventsx.azuredevops-event.received.0.1.0";

/// Publisher, event type, versions.
const EVENTS: [(&str, &str, &[&str]); 24] = [
    ("tfs", "git.push", &["1.0"]),
    ("tfs", "git.pullrequest.created", &["1.0"]),
    ("tfs", "git.pullrequest.updated", &["1.0"]),
    ("tfs", "git.pullrequest.merged", &["1.0"]),
    ("tfs", "ms.vss-code.git-pullrequest-comment-event", &["1.0", "2.0"]),
    ("tfs", "git.repo.created", &["1.0-preview.1"]),
    ("tfs", "git.repo.renamed", &["1.0-preview.1"]),
    ("tfs", "git.repo.statuschanged", &["1.0-preview.1"]),
    ("tfs", "git.repo.deleted", &["1.0-preview.1"]),
    ("tfs", "build.complete", &["1.0", "2.0"]),
    ("tfs", "workitem.created", &["1.0", "3.1-preview.3", "5.1-preview.3"]),
    ("tfs", "workitem.updated", &["1.0", "3.1-preview.3", "5.1-preview.3"]),
    ("tfs", "workitem.commented", &["1.0", "3.1-preview.3", "5.1-preview.3"]),
    ("tfs", "workitem.deleted", &["1.0", "3.1-preview.3", "5.1-preview.3"]),
    ("tfs", "workitem.restored", &["1.0", "3.1-preview.3", "5.1-preview.3"]),
    ("pipelines", "ms.vss-pipelines.run-state-changed-event", &["5.1-preview.1"]),
    ("pipelines", "ms.vss-pipelines.stage-state-changed-event", &["5.1-preview.1"]),
    ("pipelines", "ms.vss-pipelines.job-state-changed-event", &["5.1-preview.1"]),
    ("pipelines", "ms.vss-pipelinechecks-events.approval-pending", &["5.1-preview.1"]),
    ("pipelines", "ms.vss-pipelinechecks-events.approval-completed", &["5.1-preview.1"]),
    ("rm", "ms.vss-release.release-created-event", &["3.0-preview.1"]),
    ("rm", "ms.vss-release.release-abandoned-event", &["3.0-preview.1"]),
    ("rm", "ms.vss-release.deployment-started-event", &["3.0-preview.1"]),
    ("rm", "ms.vss-release.deployment-completed-event", &["3.0-preview.1"]),
];

/// Nobody listens there: what would be delivered is in the history all the same.
fn draft(publisher: &str, event_type: &str, version: &str) -> Draft {
    let text = |text: &str| text.to_owned();
    Draft {
        publisher: text(publisher),
        event_type: text(event_type),
        resource_version: Some(text(version)),
        consumer: text("webHooks"),
        action: text("httpRequest"),
        publisher_inputs: BTreeMap::new(),
        consumer_inputs: BTreeMap::from([
            (text("url"), text("http://127.0.0.1:9/")),
            // A push for the whole organization is cut short unless all is asked for.
            (text("resourceDetailsToSend"), text("all")),
        ]),
    }
}

/// Everything, once.
fn happen(simulator: &Simulator) {
    let project = simulator.project("Fiber Café").unwrap();
    let web = simulator.repository(project, "web shop").unwrap();
    let ci = simulator.definition(project, "web shop CI").unwrap();
    simulator.push_commit(web, "feature/9", "Ninth idea", &["/src/nine.rs"]).unwrap();
    simulator.push(web, "", &[RefChange::Tag { tag: "v2".to_owned() }]).unwrap();
    let number = simulator.create_pull_request(web, "feature/9", "main", "Ninth").unwrap();
    simulator.comment_pull_request(number, "Why not?").unwrap();
    simulator.complete_pull_request(number, true).unwrap();
    let tea = simulator.create_repository(project, "tea");
    simulator.rename_repository(tea, "té").unwrap();
    simulator.disable_repository(tea, true).unwrap();
    simulator.fork_repository(web, "web shop of Mei").unwrap();
    let build = simulator.queue_build(ci, "main").unwrap();
    simulator.start_build(build).unwrap();
    simulator.start_stage(build, "Build").unwrap();
    simulator.finish_stage(build, "Build", "succeeded").unwrap();
    let (stage, approver) = ("Deploy to production", "juergen@fabrikam.example");
    let approval = simulator.request_approval(build, stage, "production", approver).unwrap();
    simulator.decide_approval(build, approval, true).unwrap();
    simulator.finish_stage(build, stage, "succeeded").unwrap();
    simulator.finish_build(build, "succeeded").unwrap();
    let release = simulator.create_release(1, build).unwrap();
    simulator.start_deployment(release, "Production", None).unwrap();
    simulator.finish_deployment(release, "Production", "succeeded").unwrap();
    simulator.abandon_release(release).unwrap();
    let item = simulator.create_work_item(project, "Bug", "Cold espresso").unwrap();
    let assigned = [("System.AssignedTo".to_owned(), Edit::Person("mei@fabrikam.example".to_owned()))];
    simulator.update_work_item(item, "", &assigned).unwrap();
    simulator.move_work_item(item, "Closed").unwrap();
    simulator.comment_work_item(item, "It was the cup.").unwrap();
    simulator.delete_work_item(item).unwrap();
    simulator.restore_work_item(item).unwrap();
}

fn translated(envelope: &Value) -> BTreeSet<String> {
    let context = Context {
        connection: ConnectionId(Uuid::from_u128(1)),
        source: &CollectionUrl::parse(CLOUD).unwrap(),
        notification: NotificationId(Uuid::from_u128(2)),
        received_at: jiff::Timestamp::UNIX_EPOCH,
        reason: None,
        recovered: None,
        bindings: &[],
        processes: &[],
        settings: &Settings::default(),
    };
    let events = translate(&serde_json::to_vec(envelope).unwrap(), &context).unwrap();
    let kind = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap()["type"].as_str().unwrap().to_owned();
    events.iter().map(|event| kind(&event.json)).collect()
}

#[tokio::test]
async fn every_event_in_every_version_is_one_that_the_translation_knows() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    simulator.moved_to("https://dev.azure.com");
    let mut subscribed = Vec::new();
    for (publisher, event, versions) in EVENTS {
        for version in versions {
            let id = simulator.hooks().create_foreign(draft(publisher, event, version), "");
            subscribed.push((event, *version, id));
        }
    }
    happen(simulator);
    simulator.hooks().settle().await;
    // Not before the others were sent: of what is gone nothing can be shown.
    let tea = simulator.repository(simulator.project("Fiber Café").unwrap(), "té").unwrap();
    simulator.delete_repository(tea).unwrap();
    simulator.hooks().settle().await;
    let mut seen: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (event, version, id) in subscribed {
        let notifications = simulator.hooks().notifications(id);
        assert!(!notifications.is_empty(), "{event}@{version} never happened");
        for notification in notifications {
            let envelope = notification.event.unwrap_or_else(|| panic!("{event}@{version} was never sent"));
            assert!(envelope["resource"].is_object(), "{event}@{version}: {envelope}");
            assert_eq!((&envelope["eventType"], &envelope["resourceVersion"]), (&event.into(), &version.into()));
            seen.entry(event).or_default().extend(translated(&envelope));
        }
    }
    let unknown: Vec<&&str> =
        seen.iter().filter(|(_, kinds)| kinds.contains(UNKNOWN)).map(|(event, _)| event).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// One resource of an event type in a version, after everything happened.
async fn last(event: (&str, &str), version: &str) -> Option<Value> {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let id = simulator.hooks().create_foreign(draft(event.0, event.1, version), "");
    happen(simulator);
    simulator.hooks().settle().await;
    let all = simulator.hooks().notifications(id);
    let envelope = all.last().expect("it happened").event.clone()?;
    Some(envelope["resource"].clone())
}

#[tokio::test]
async fn identities_of_work_items_have_the_form_of_their_version() {
    let assigned = async |version| {
        let resource = last(("tfs", "workitem.restored"), version).await.unwrap();
        resource["fields"]["System.AssignedTo"].clone()
    };
    assert_eq!(assigned("1.0").await, "Mei Chen <mei@fabrikam.example>");
    let middle = assigned("3.1-preview.3").await;
    assert_eq!((middle["uniqueName"].clone(), middle.get("descriptor")), ("mei@fabrikam.example".into(), None));
    assert!(assigned("5.1-preview.3").await["descriptor"].is_string());
}

#[tokio::test]
async fn an_old_build_says_its_result_as_its_status() {
    let build = last(("tfs", "build.complete"), "1.0").await.unwrap();
    assert_eq!((&build["status"], build.get("result")), (&"succeeded".into(), None));
    assert!(build["sourceGetVersion"].as_str().unwrap().starts_with("LG:refs/heads/main:"), "{build}");
    let build = last(("tfs", "build.complete"), "2.0").await.unwrap();
    assert_eq!((&build["status"], &build["result"]), (&"completed".into(), &"succeeded".into()));
}

#[tokio::test]
async fn a_version_that_an_event_type_does_not_have_is_answered_with_nothing() {
    assert_eq!(last(("tfs", "git.push"), "2.0").await, Some(Value::Null));
    let comment = last(("tfs", "ms.vss-code.git-pullrequest-comment-event"), "1.0").await.unwrap();
    assert!(comment.get("pullRequest").is_none(), "{comment}");
}

/// The pull request is active when it is said, and completed when it is shown.
#[tokio::test]
async fn a_resource_shows_what_is_when_it_is_sent() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let id = simulator.hooks().create_foreign(draft("tfs", "git.pullrequest.created", "1.0"), "");
    happen(simulator);
    simulator.hooks().settle().await;
    let all = simulator.hooks().notifications(id);
    assert_eq!(all[0].event.as_ref().unwrap()["resource"]["status"], json!("completed"));
}
