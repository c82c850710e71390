//! What is read of the answers, in the shapes that are documented and in those that are met.

use super::{
    access, client, first,
    scripted::{Asked, Scripted, said},
    secret,
};
use hookwell::azure::client::{Deployment, Host, Permission, SubscriptionDraft, SubscriptionStatus};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::{Uuid, uuid};

const PROJECT: Uuid = uuid!("6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c");

async fn answering(value: Value) -> Scripted {
    Scripted::start(move |_| said(&value)).await
}

#[tokio::test]
async fn who_we_are_and_where() {
    let server = answering(json!({})).await;
    let data = client(&access(&server.origin)).connection_data().await.unwrap();
    assert_eq!((data.deployment, data.is_anonymous), (Deployment::Services, false));
    assert_eq!(data.instance_id, Uuid::from_u128(1));
    assert_eq!(data.user.display_name.as_deref(), Some("Ada"));
    assert_eq!(data.user.account.as_deref(), Some("ada@example.org"));
}

#[tokio::test]
async fn projects_and_repositories_also_with_members_missing() {
    let full = json!({ "id": PROJECT, "name": "Fabrikam", "description": "d", "state": "wellFormed" });
    let server =
        answering(json!({ "count": 2, "value": [full, { "id": PROJECT, "name": "B", "description": null }] })).await;
    let page = client(&access(&server.origin)).projects(first(10)).await.unwrap();
    assert_eq!(page.items[0].description.as_deref(), Some("d"));
    assert_eq!((page.items[1].name.as_str(), &page.items[1].description), ("B", &None));

    let project = json!({ "id": PROJECT, "name": "Fabrikam" });
    let server = answering(json!({ "value": [
        { "id": PROJECT, "name": "code", "project": project, "defaultBranch": "refs/heads/main", "webUrl": "https://x/" },
        { "id": PROJECT, "name": "empty", "project": project, "isDisabled": true, "size": 0 },
    ] }))
    .await;
    let found = client(&access(&server.origin)).repositories(Some("Fabrikam")).await.unwrap();
    assert_eq!((found[0].default_branch.as_deref(), found[0].is_disabled), (Some("main"), false));
    assert_eq!((&found[1].default_branch, found[1].is_disabled), (&None, true));
}

#[tokio::test]
async fn pipelines_of_both_kinds() {
    let server =
        answering(json!({ "value": [{ "id": 12, "name": "CI", "path": "\\team" }, { "id": "13", "name": "CD" }] }))
            .await;
    let page = client(&access(&server.origin)).pipelines("Fabrikam", first(10)).await.unwrap();
    assert_eq!((page.items[0].id, page.items[0].path.as_str()), (12, "\\team"));
    assert_eq!((page.items[1].id, page.items[1].path.as_str()), (13, "\\"));
}

#[tokio::test]
async fn states_of_work_items_are_in_the_list_or_asked_for_by_type() {
    let states = |asked: &Asked| -> Value {
        if asked.path.ends_with("/workitemtypes/User%20Story/states") {
            return json!({ "value": [{ "name": "New", "category": "Proposed" }, { "name": "Done" }] });
        }
        json!({ "value": [
            { "name": "Bug", "referenceName": "Microsoft.VSTS.WorkItemTypes.Bug",
              "states": [{ "name": "Active", "category": "InProgress" }] },
            { "name": "User Story", "referenceName": null },
        ] })
    };
    let server = Scripted::start(move |asked| said(&states(asked))).await;
    let types = client(&access(&server.origin)).work_item_types("Fabrikam").await.unwrap();
    assert_eq!(types[0].states, [("Active".to_owned(), Some("InProgress".to_owned()))]);
    assert_eq!(types[1].states, [("New".to_owned(), Some("Proposed".to_owned())), ("Done".to_owned(), None)]);
    assert_eq!(server.count("GET", "/states"), 1);
}

#[tokio::test]
async fn rights_are_asked_by_bit_and_token() {
    let server = answering(json!({ "count": 1, "value": [false] })).await;
    let client = client(&access(&server.origin));
    assert!(!client.may(Permission::EditSubscriptions, Some(PROJECT)).await.unwrap());
    assert!(!client.may(Permission::ViewSubscriptions, None).await.unwrap());
    let asked = server.asked();
    assert!(asked[1].path.ends_with("/permissions/cb594ebe-87dd-4fc9-ac2c-6a10a4c92046/2"), "{}", asked[1].path);
    assert_eq!(asked[1].parameter("tokens"), format!("PublisherSecurity/{PROJECT}"));
    assert!(asked[2].path.ends_with("/1") && asked[2].parameter("tokens") == "PublisherSecurity");
}

#[tokio::test]
async fn one_odd_subscription_does_not_hide_the_others() {
    let hook = json!({ "id": "8dea9aba", "publisherId": "tfs", "eventType": "git.push", "consumerId": "webHooks" });
    let odd = json!({ "id": "9dea9aba", "consumerId": "webHooks" });
    let server = answering(json!({ "count": 2, "value": [hook, odd] })).await;
    let listed = client(&access(&server.origin)).subscriptions(Host::Main).await.unwrap();
    assert_eq!(listed.iter().map(|hook| hook.id.as_str()).collect::<Vec<_>>(), ["8dea9aba"]);
    let server = answering(json!({ "count": 1, "value": [odd] })).await;
    let none = client(&access(&server.origin)).subscriptions(Host::Main).await.unwrap_err();
    assert!(none.to_string().contains("publisherId is missing"), "{none}");
}

#[tokio::test]
async fn subscriptions_of_other_consumers_are_left_out_and_words_unknown_are_kept_so() {
    let hook = |status: Value| {
        json!({ "id": "8dea9aba", "publisherId": "tfs", "eventType": "git.push", "resourceVersion": null,
            "consumerId": "webHooks", "consumerActionId": "httpRequest", "status": status,
            "publisherInputs": { "branch": "main", "tfsSubscriptionId": "x", "pushedBy": null },
            "consumerInputs": { "url": "https://gw.example/", "basicAuthPassword": "********" },
            "createdBy": { "id": PROJECT }, "createdDate": "2014-05-20T19:47:15.247Z", "probationRetries": 3 })
    };
    let statuses =
        [json!("enabled"), json!("OnProbation"), json!("disabledByInactiveIdentity"), json!("later"), Value::Null];
    let mut value: Vec<Value> = statuses.into_iter().map(hook).collect();
    value.push(json!({ "id": "1", "publisherId": "tfs", "eventType": "build.complete", "consumerId": "jenkins" }));
    let server = answering(json!({ "count": value.len(), "value": value })).await;
    let found = client(&access(&server.origin)).subscriptions(Host::Main).await.unwrap();
    let words: Vec<SubscriptionStatus> = found.iter().map(|found| found.status).collect();
    assert_eq!(
        words,
        [
            SubscriptionStatus::Enabled,
            SubscriptionStatus::OnProbation,
            SubscriptionStatus::DisabledByInactiveIdentity,
            SubscriptionStatus::Unknown,
            SubscriptionStatus::Enabled,
        ]
    );
    let first = &found[0];
    assert_eq!((first.created_by, first.probation_retries, &first.resource_version), (Some(PROJECT), Some(3), &None));
    assert_eq!(first.publisher_inputs["branch"], "main");
    assert_eq!(first.consumer_inputs["basicAuthPassword"], "********");
    assert_eq!(first.created_date.as_deref(), Some("2014-05-20T19:47:15.247Z"));
}

#[tokio::test]
async fn an_inventory_that_is_not_complete_is_a_failure() {
    let server = answering(json!({ "count": 2, "value": [] })).await;
    let failure = client(&access(&server.origin)).subscriptions(Host::Main).await.unwrap_err();
    assert!(failure.to_string().contains("count is 2"), "{failure}");
}

#[tokio::test]
async fn a_subscription_is_made_as_drafted() {
    let draft = SubscriptionDraft {
        publisher: "tfs".into(),
        event_type: "git.push".into(),
        resource_version: "1.0".into(),
        publisher_inputs: BTreeMap::from([("projectId".to_owned(), PROJECT.to_string())]),
        consumer_inputs: BTreeMap::from([("url".to_owned(), "https://gw.example/".to_owned())]),
        password: secret("hook-password"),
    };
    let server = Scripted::start(|asked| {
        let mut made: Value = serde_json::from_str(&asked.body).unwrap();
        made["id"] = "fd672255".into();
        made["consumerInputs"]["basicAuthPassword"] = "********".into();
        said(&made)
    })
    .await;
    let made = client(&access(&server.origin)).create_subscription(&draft).await.unwrap();
    assert_eq!(
        (made.id.as_str(), made.publisher_inputs["projectId"].as_str()),
        ("fd672255", PROJECT.to_string().as_str())
    );
    let sent: Value = serde_json::from_str(&server.asked().last().unwrap().body).unwrap();
    assert_eq!(sent["consumerId"], "webHooks");
    assert_eq!(sent["consumerInputs"]["basicAuthPassword"], "hook-password");
    assert_eq!(sent["resourceVersion"], "1.0");
}

#[tokio::test]
async fn the_catalogue_says_which_versions_there_are() {
    let server = answering(json!({ "count": 2, "value": [
        { "id": "build.complete", "supportedResourceVersions": ["1.0", "2.0"] }, { "id": "git.push" },
    ] }))
    .await;
    let types = client(&access(&server.origin)).event_types("tfs").await.unwrap();
    assert_eq!(types[0].resource_versions, ["1.0", "2.0"]);
    assert!(types[1].resource_versions.is_empty());
}
