//! Replies that Microsoft documents are read, and requests are made as documented.

use super::{
    access, client,
    scripted::{Scripted, reply, said},
};
use hookwell::azure::client::{
    Host, PageRequest, PullRequestDate, RevisionsFrom, SubscriptionDraft, SubscriptionStatus, Window,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf};

/// A documented example, or `None` where the corpus is not.
fn example(name: &str) -> Option<Value> {
    let folder = PathBuf::from(std::env::var_os("HOOKWELL_CORPUS")?).join("azure-rest");
    Some(serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap())
}

fn body(name: &str) -> Option<Value> {
    Some(example(name)?["responses"]["200"]["body"].clone())
}

const PAGE: PageRequest = PageRequest { items_max: 100, from: None };

#[tokio::test]
async fn the_documented_replies_are_read_whole() {
    let Some(_) = example("spec--projects.json") else {
        eprintln!("SKIPPED, not tested here for want of HOOKWELL_CORPUS: the documented replies");
        return;
    };
    let server = Scripted::start(|seen| {
        let name = match seen.path.trim_start_matches("/Coll") {
            "/_apis/projects" => "spec--projects.json",
            "/p/_apis/git/repositories/r/refs" => "spec--refs-list.json",
            "/p/_apis/wit/workitemtypes" => "spec--workitem-types.json",
            "/_apis/hooks/publishers/tfs/eventtypes" => "spec--hooks-eventtypes.json",
            "/_apis/hooks/subscriptions" if seen.method == "POST" => "spec--hooks-subscription-create.json",
            "/_apis/hooks/subscriptions" => "spec--hooks-subscriptions-list.json",
            states if states.ends_with("/states") => "spec--workitem-type-states.json",
            other => panic!("{other}"),
        };
        said(&body(name).unwrap())
    })
    .await;
    let azure = client(&access(&server.origin));
    let count = |name: &str| body(name).unwrap()["value"].as_array().unwrap().len();

    assert_eq!(azure.projects(PAGE).await.unwrap().items.len(), count("spec--projects.json"));
    let branches = azure.branches("p", "r", None, PAGE).await.unwrap().items;
    assert_eq!(branches.len(), count("spec--refs-list.json"));
    let types = azure.work_item_types("p").await.unwrap();
    assert_eq!(types.len(), count("spec--workitem-types.json"));
    assert!(types.iter().all(|kind| kind.states.iter().any(|(_, category)| category.as_deref() == Some("Completed"))));
    let events = azure.event_types("tfs").await.unwrap();
    assert_eq!(events.len(), count("spec--hooks-eventtypes.json"));
    assert!(events.iter().all(|event| !event.resource_versions.is_empty()));
    let all = azure.subscriptions(Host::Main).await.unwrap();
    let documented = body("spec--hooks-subscriptions-list.json").unwrap();
    let of_ours = |one: &&Value| one["consumerId"] == "webHooks";
    assert_eq!(all.len(), documented["value"].as_array().unwrap().iter().filter(of_ours).count());
    assert!(all.iter().all(|one| one.created_by.is_some() && !one.publisher_inputs.is_empty()));
    let made = azure.create_subscription(&draft()).await.unwrap();
    assert_eq!((made.event_type.as_str(), made.status), ("build.complete", SubscriptionStatus::Enabled));
}

#[tokio::test]
async fn the_recorded_resources_say_which_version_is_spoken() {
    let Some(recorded) = example("real--options-apis.json") else {
        eprintln!("SKIPPED, not tested here for want of HOOKWELL_CORPUS: the recorded resources");
        return;
    };
    // Of the Servers nobody has published a recording: theirs are these, as far as they knew them.
    for (latest, spoken) in [("7.2", (7, 1)), ("7.1", (7, 1)), ("7.0", (7, 0)), ("6.0", (6, 0)), ("5.0", (5, 0))] {
        let mut known = recorded.clone();
        for own in known["value"].as_array_mut().unwrap() {
            for name in ["maxVersion", "releasedVersion"] {
                let cut = own[name].as_str().unwrap().min(latest).to_owned();
                own[name] = cut.into();
            }
        }
        let server = Scripted::all(move |asked| {
            if asked.method == "OPTIONS" { said(&known) } else { said(&json!({ "count": 0, "value": [] })) }
        })
        .await;
        let azure = client(&access(&server.origin));
        azure.projects(PAGE).await.unwrap();
        let version = azure.api_version().await.unwrap();
        assert_eq!((version.major, version.minor), spoken, "{latest}");
    }
}

#[tokio::test]
async fn a_documented_subscription_is_read_and_deleted() {
    let Some(_) = example("spec--hooks-subscription-get.json") else {
        eprintln!("SKIPPED, not tested here for want of HOOKWELL_CORPUS: the documented reply of one subscription");
        return;
    };
    let server = Scripted::start(|seen| {
        assert!(
            seen.path.ends_with("/_apis/hooks/subscriptions/8dea9aba-3a9a-4ad0-860f-2a5c7379e3eb"),
            "{}",
            seen.path
        );
        if seen.method == "DELETE" {
            // Documented: 204, and nothing.
            return reply(204, &[], "");
        }
        // The example's consumer is another one, whose hooks are nobody's business here.
        let mut own = body("spec--hooks-subscription-get.json").unwrap();
        own["consumerId"] = json!("webHooks");
        said(&own)
    })
    .await;
    let azure = client(&access(&server.origin));
    let id = "8dea9aba-3a9a-4ad0-860f-2a5c7379e3eb";
    let read = azure.subscription(Host::Main, id).await.unwrap().unwrap();
    let documented = body("spec--hooks-subscription-get.json").unwrap();
    assert_eq!((read.id.as_str(), read.event_type.as_str()), (id, "build.complete"));
    let inputs: serde_json::Map<_, _> =
        read.publisher_inputs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    assert_eq!(Value::Object(inputs), documented["publisherInputs"]);
    azure.delete_subscription(Host::Main, id).await.unwrap();
}

/// All of time that Azure writes.
fn always() -> Window {
    Window { from: "2000-01-01T00:00:00Z".parse().unwrap(), to: "2100-01-01T00:00:00Z".parse().unwrap() }
}

/// The examples were not asked for refs; the calls are.
fn with_refs(mut push: Value) -> Value {
    push["refUpdates"] = json!([{ "name": "refs/heads/master", "oldObjectId": "0".repeat(40), "newObjectId": "a1" }]);
    push
}

#[tokio::test]
async fn the_documented_records_are_read_whole() {
    let Some(_) = example("spec--pushes-list.json") else {
        eprintln!("SKIPPED, not tested here for want of HOOKWELL_CORPUS: the documented records");
        return;
    };
    let server = Scripted::start(|seen| {
        let name = match seen.path.trim_start_matches("/Coll/p/_apis") {
            "/git/repositories/r/pushes" => {
                let mut pushes = body("spec--pushes-list.json").unwrap();
                for push in pushes["value"].as_array_mut().unwrap() {
                    *push = with_refs(push.take());
                }
                return said(&pushes);
            }
            "/git/repositories/r/pushes/23" => return said(&with_refs(body("spec--push-get.json").unwrap())),
            "/git/repositories/r/pullrequests" => "spec--pullrequest-list.json",
            "/release/releases/18" => "spec--releases.json",
            "/release/deployments" => "spec--deployments.json",
            "/wit/reporting/workitemrevisions" => "spec--reporting-revisions.json",
            "/wit/workItems/1/updates" => "spec--workitem-updates.json",
            area if area.contains("/_apis/resourceAreas/") => {
                return said(&json!({ "locationUrl": format!("http://{}/Coll/", seen.header("host")) }));
            }
            other => panic!("{other}"),
        };
        said(&body(name).unwrap())
    })
    .await;
    let azure = client(&access(&server.origin));
    let count = |name: &str, list: &str| body(name).unwrap()[list].as_array().unwrap().len();

    let pushes = azure.pushes("p", "r", None, always(), PAGE).await.unwrap().items;
    assert_eq!((pushes.len(), pushes[0].id), (count("spec--pushes-list.json", "value"), 23));
    assert_eq!(pushes[0].date, "2014-06-30T18:11:18.0929091Z".parse().unwrap());
    assert_eq!(azure.push("p", "r", 23).await.unwrap().date, pushes[0].date);
    let found = azure.pull_requests("p", "r", PullRequestDate::Created, always(), PAGE).await.unwrap().items;
    assert_eq!(found.len(), count("spec--pullrequest-list.json", "value"));
    assert_eq!(azure.active_pull_requests("p", "r", PAGE).await.unwrap().items.len(), found.len());
    let release = azure.release("p", 18).await.unwrap();
    assert_eq!((release.id, release.status.as_str()), (18, "abandoned"));
    assert!(release.created < release.modified);
    let deployments = azure.deployments("p", always(), PAGE).await.unwrap().items;
    assert_eq!(deployments.len(), count("spec--deployments.json", "value"));
    assert!(deployments.iter().all(|one| one.started.is_some() && one.attempt == 1));
    let revisions = azure.revisions("p", &RevisionsFrom::Time(always().from)).await.unwrap();
    assert_eq!(revisions.values.len(), count("spec--reporting-revisions.json", "values"));
    // It is in the link alone there.
    assert_eq!((revisions.next.as_str(), revisions.is_last), ("3;2;1", true));
    assert!(revisions.values.iter().all(|one| one.changed.is_some()));
    let updates = azure.updates("p", 1, 0).await.unwrap();
    assert_eq!(updates.len(), count("spec--workitem-updates.json", "value"));
    // The updates 2 to 5 are of revision 2: a link leaves the number as it is.
    let of_two = updates.iter().filter(|update| update.rev == 2).count();
    assert_eq!((of_two, updates.last().unwrap().rev), (4, 9));
}

fn draft() -> SubscriptionDraft {
    let inputs = |all: &[(&str, &str)]| -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    SubscriptionDraft {
        publisher: "tfs".to_owned(),
        event_type: "build.complete".to_owned(),
        resource_version: "1.0-preview.1".to_owned(),
        publisher_inputs: inputs(&[
            ("buildStatus", "Failed"),
            ("definitionName", "MyWebSite CI"),
            ("projectId", "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"),
        ]),
        consumer_inputs: inputs(&[("url", "https://myservice/myhookeventreceiver")]),
        password: "planted-password".to_owned().into(),
    }
}

#[tokio::test]
async fn a_subscription_is_asked_for_as_documented() {
    let Some(example) = example("spec--hooks-subscription-create.json") else {
        eprintln!("SKIPPED, not tested here for want of HOOKWELL_CORPUS: the documented request");
        return;
    };
    let answer = example["responses"]["200"]["body"].clone();
    let server = Scripted::start(move |_| said(&answer)).await;
    client(&access(&server.origin)).create_subscription(&draft()).await.unwrap();
    let asked = server.asked();
    let asked = asked.iter().find(|asked| asked.method == "POST").unwrap();
    let mut sent: Value = serde_json::from_str(&asked.body).unwrap();
    let password = sent["consumerInputs"].as_object_mut().unwrap().remove("basicAuthPassword");
    assert_eq!(password, Some(json!("planted-password")));
    assert_eq!(sent, example["parameters"]["body"]);
    assert!(asked.path.ends_with("/_apis/hooks/subscriptions"), "{}", asked.path);
}
