//! Replies that Microsoft documents are read, and requests are made as documented.

use super::{Reply, Scripted, access, dial, reply};
use hookwell::{
    azure::client::{Host, PageRequest, Permission, SubscriptionDraft, SubscriptionStatus},
    clock::SystemClock,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

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
        let path = seen.target.split('?').next().unwrap();
        let name = match path.trim_start_matches("/fabrikam") {
            "/_apis/projects" => "spec--projects.json",
            "/p/_apis/git/repositories/r/refs" => "spec--refs-list.json",
            "/p/_apis/wit/workitemtypes" => "spec--workitem-types.json",
            "/_apis/hooks/publishers/tfs/eventtypes" => "spec--hooks-eventtypes.json",
            "/_apis/hooks/subscriptions" if seen.method == "POST" => "spec--hooks-subscription-create.json",
            "/_apis/hooks/subscriptions" => "spec--hooks-subscriptions-list.json",
            states if states.ends_with("/states") => "spec--workitem-type-states.json",
            other => panic!("{other}"),
        };
        reply(200, &body(name).unwrap())
    })
    .await;
    let azure = dial(&access(&server.base), Arc::new(SystemClock::default()));
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
    assert_eq!(all.len(), count("spec--hooks-subscriptions-list.json"));
    assert!(all.iter().all(|one| one.created_by.is_some() && !one.publisher_inputs.is_empty()));
    let made = azure.create_subscription(&draft()).await.unwrap();
    // The example is older than the member `status`.
    assert_eq!((made.event_type.as_str(), made.status), ("build.complete", SubscriptionStatus::Unknown));
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
    let server = Scripted::start(move |_| reply(200, &answer)).await;
    dial(&access(&server.base), Arc::new(SystemClock::default())).create_subscription(&draft()).await.unwrap();
    let seen = server.seen();
    let mut sent: Value = serde_json::from_slice(&seen[0].body).unwrap();
    let password = sent["consumerInputs"].as_object_mut().unwrap().remove("basicAuthPassword");
    assert_eq!(password, Some(json!("planted-password")));
    assert_eq!(sent, example["parameters"]["body"]);
    assert!(seen[0].target.ends_with("/_apis/hooks/subscriptions?api-version=7.1"), "{}", seen[0].target);
}

#[tokio::test]
async fn every_request_says_its_version_and_wants_no_sign_in_page() {
    let server = Scripted::start(|seen| match seen.target.contains("permissions") {
        true => reply(200, &json!({"count": 1, "value": [true]})),
        false => reply(200, &json!({"count": 0, "value": []})),
    })
    .await;
    let azure = dial(&access(&server.base), Arc::new(SystemClock::default()));
    azure.projects(PAGE).await.unwrap();
    azure.repositories(Some("Fiber Café")).await.unwrap();
    azure.pipelines("p", PAGE).await.unwrap();
    assert!(azure.may(Permission::EditSubscriptions, None).await.unwrap());
    for seen in server.seen() {
        assert!(seen.target.contains("api-version=7.1"), "{}", seen.target);
        assert_eq!(seen.headers["x-tfs-fedauthredirect"], "Suppress");
        assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("hookwell/"));
    }
    assert!(server.seen()[1].target.starts_with("/fabrikam/Fiber%20Caf%C3%A9/_apis/git/repositories"));
}

#[tokio::test]
async fn a_list_goes_on_while_azure_says_so_by_token_or_by_a_full_page() {
    let project =
        |n: u32| json!({"id": uuid::Uuid::from_u128(u128::from(n)), "name": format!("p{n}"), "state": "wellFormed"});
    let page = move |from: u32, to: u32, token: Option<&str>| -> Reply {
        let value: Vec<Value> = (from..to).map(project).collect();
        let mut reply = reply(200, &json!({"count": value.len(), "value": value}));
        if let Some(token) = token {
            reply.headers_mut().insert("x-ms-continuationtoken", token.parse().unwrap());
        }
        reply
    };
    let by_token = Scripted::start(move |seen| match seen.target.contains("continuationToken=2%2F+%C3") {
        false if !seen.target.contains("continuationToken") => page(0, 2, Some("2/ x")),
        _ => page(2, 3, None),
    })
    .await;
    let by_count = Scripted::start(move |seen| match seen.target.contains("skip=2") {
        false => page(0, 2, None),
        true => page(2, 3, None),
    })
    .await;
    let endless = Scripted::start(move |_| page(0, 1, Some("again"))).await;
    for server in [&by_token, &by_count] {
        let azure = dial(&access(&server.base), Arc::new(SystemClock::default()));
        let (mut from, mut names) = (None, Vec::new());
        loop {
            let page = azure.projects(PageRequest { items_max: 2, from }).await.unwrap();
            names.extend(page.items.into_iter().map(|project| project.name));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        assert_eq!(names, ["p0", "p1", "p2"]);
    }
    let azure = dial(&access(&endless.base), Arc::new(SystemClock::default()));
    let first = azure.projects(PageRequest { items_max: 2, from: None }).await.unwrap();
    assert!(azure.projects(PageRequest { items_max: 2, from: first.next }).await.is_err(), "it would never end");
}
