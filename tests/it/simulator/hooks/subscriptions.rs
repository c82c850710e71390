use super::Stage;
use hookwell::{
    azure::client::SubscriptionStatus,
    simulator::{Draft, Options, ServerVersion, tokens},
};
use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const PATH: &str = "_apis/hooks/subscriptions";

#[tokio::test]
async fn what_is_created_comes_back_with_what_the_server_adds() {
    let stage = Stage::new().await;
    let mut draft = stage.push_draft();
    draft["consumerInputs"]["basicAuthPassword"] = "s3cret".into();
    let shown = stage.post(PATH, &draft).await.json();
    for id in ["tfsSubscriptionId", "hostId"] {
        assert!(shown["publisherInputs"][id].as_str().unwrap().parse::<Uuid>().is_ok(), "{id}");
    }
    assert_ne!(shown["publisherInputs"]["tfsSubscriptionId"], shown["id"]);
    assert_eq!(shown["status"], "enabled");
    assert_eq!(shown["createdBy"]["uniqueName"], "ana@fabrikam.example");
    assert_eq!(shown["consumerInputs"]["basicAuthPassword"], "********");
    assert_eq!(shown["createdDate"], "2026-11-04T08:00:00.0000000Z");
    let id = shown["id"].as_str().unwrap();
    assert!(shown["_links"]["notifications"]["href"].as_str().unwrap().ends_with(&format!("{id}/notifications")));
    assert_eq!(stage.read(id.parse().unwrap()).await, shown);
}

#[tokio::test]
async fn the_same_body_twice_makes_two() {
    let stage = Stage::new().await;
    assert_ne!(stage.subscribe().await, stage.subscribe().await);
    assert_eq!(stage.asker.read(PATH).await["count"], 2);
}

#[tokio::test]
async fn what_azure_does_not_know_is_refused_by_name() {
    let stage = Stage::new().await;
    let changed = |pointer: &str, value: Value| {
        let mut draft = stage.push_draft();
        *draft.pointer_mut(pointer).unwrap() = value;
        draft
    };
    let project = stage.project();
    let inputs = |more: Value| {
        let mut inputs = json!({"projectId": project});
        inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        changed("/publisherInputs", inputs)
    };
    let updated = |value: &str| {
        let mut draft = inputs(json!({"notificationType": value}));
        draft["eventType"] = "git.pullrequest.updated".into();
        draft
    };
    let url = |url: &str| changed("/consumerInputs", json!({"url": url}));
    let refused = [
        (changed("/publisherId", json!("next")), 404, "PublisherNotFoundException"),
        (changed("/publisherId", json!("rm")), 404, "PublisherNotFoundException"),
        (changed("/eventType", json!("git.pull")), 400, "EventTypeNotFoundException"),
        (changed("/consumerId", json!("carrierPigeon")), 400, "ConsumerActionNotFoundException"),
        (changed("/publisherInputs/projectId", json!("Fiber Café")), 400, "SubscriptionInputException"),
        (changed("/publisherInputs/projectId", json!(Uuid::from_u128(1))), 404, "ProjectDoesNotExistWithNameException"),
        (inputs(json!({"colour": "red"})), 400, "SubscriptionInputException"),
        (inputs(json!({"repository": "web shop"})), 400, "SubscriptionInputException"),
        (updated("MoodNotification"), 400, "SubscriptionInputException"),
        (changed("/consumerInputs", json!({})), 400, "SubscriptionInputException"),
        (url("/hooks"), 400, "SubscriptionInputException"),
        (url("ftp://gateway.example/"), 400, "SubscriptionInputException"),
        (
            changed("/consumerInputs", json!({"url": "http://x.example", "retries": "9"})),
            400,
            "SubscriptionInputException",
        ),
    ];
    for (draft, status, kind) in refused {
        let got = stage.post(PATH, &draft).await;
        assert_eq!((got.status.as_u16(), got.kind().as_str()), (status, kind), "{draft}");
    }
    assert_eq!(stage.post(PATH, &updated("pushnotification")).await.status, 200, "letters' case does not matter");
    let got = stage.asker.post(&format!("{PATH}?api-version=7.1"), "{").await;
    assert_eq!(got.status, 400, "{got:?}");
}

#[tokio::test]
async fn plain_http_and_private_targets_are_refused_where_the_switches_say_so() {
    let stage = Stage::new().await;
    let mut draft = stage.push_draft();
    draft["consumerInputs"]["basicAuthPassword"] = "s3cret".into();
    stage.create(&draft).await;
    stage.simulator().fail(|faults| faults.hooks.basic_needs_https = true);
    assert_eq!(stage.post(PATH, &draft).await.status, 400);
    assert_eq!(stage.post(PATH, &stage.push_draft()).await.status, 200, "it has no credentials");
    stage.simulator().fail(|faults| faults.hooks.private_targets_refused = true);
    assert_eq!(stage.post(PATH, &stage.push_draft()).await.status, 400);
    draft["consumerInputs"]["url"] = "https://gateway.example/hooks".into();
    assert_eq!(stage.post(PATH, &draft).await.status, 200);
}

#[tokio::test]
async fn a_masked_secret_that_is_put_back_is_the_secret_from_then_on() {
    let stage = Stage::new().await;
    let mut draft = stage.push_draft();
    draft["consumerInputs"]["basicAuthUsername"] = "gw".into();
    draft["consumerInputs"]["basicAuthPassword"] = "s3cret".into();
    let id = stage.create(&draft).await;
    let shown = stage.read(id).await;
    let put = stage.put(id, &shown).await;
    assert_eq!(put.status, 200, "{put:?}");
    assert_eq!(put.json()["publisherInputs"], shown["publisherInputs"]);
    stage.push().await;
    // Basic gw:********
    assert_eq!(stage.receiver.got()[0].headers["authorization"], "Basic Z3c6KioqKioqKio=");
}

#[tokio::test]
async fn a_put_replaces_everything_but_what_the_subscription_is() {
    let stage = Stage::new().await;
    let mut draft = stage.push_draft();
    draft["publisherInputs"]["branch"] = "main".into();
    draft["consumerInputs"]["httpHeaders"] = "X-Key:1".into();
    let id = stage.create(&draft).await;
    let before = stage.read(id).await;
    let after = stage.put(id, &stage.push_draft()).await.json();
    assert!(after["publisherInputs"].get("branch").is_none() && after["consumerInputs"].get("httpHeaders").is_none());
    for kept in ["id", "createdBy", "createdDate"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(after["publisherInputs"]["tfsSubscriptionId"], before["publisherInputs"]["tfsSubscriptionId"]);
    let mut other = stage.draft("pipelines", "ms.vss-pipelines.run-state-changed-event", "5.1-preview.1");
    assert_eq!(stage.put(id, &other).await.status, 400, "the publisher is fixed");
    other = stage.draft("tfs", "build.complete", "2.0");
    assert_eq!(stage.put(id, &other).await.json()["eventType"], "build.complete");
    other["status"] = "disabledBySystem".into();
    assert_eq!(stage.put(id, &other).await.status, 400);
    other["status"] = "disabledByUser".into();
    assert_eq!(stage.put(id, &other).await.json()["status"], "disabledByUser");
    other["status"] = Value::Null;
    assert_eq!(stage.put(id, &other).await.json()["status"], "disabledByUser", "no status is no change");
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    let path = format!("{PATH}/{id}?api-version=7.1");
    assert_eq!(stage.asker.send(Method::DELETE, &path, &[], None).await.status, 204);
    let got = stage.asker.send(Method::DELETE, &path, &[], None).await;
    assert_eq!((got.status.as_u16(), got.kind().as_str()), (404, "SubscriptionNotFoundException"));
    assert_eq!(stage.asker.get(&format!("{PATH}/no-guid?api-version=7.1")).await.status, 404);
    stage.push().await;
    assert!(stage.receiver.got().is_empty());
}

#[tokio::test]
async fn the_listing_is_the_whole_organization_and_can_be_filtered() {
    let stage = Stage::new().await;
    stage.subscribe().await;
    stage.create(&stage.draft("tfs", "build.complete", "2.0")).await;
    stage.create(&stage.draft("pipelines", "ms.vss-pipelines.run-state-changed-event", "5.1-preview.1")).await;
    let foreign = Draft {
        publisher: "tfs".to_owned(),
        event_type: "git.push".to_owned(),
        resource_version: None,
        consumer: "slack".to_owned(),
        action: "postMessageToChannel".to_owned(),
        publisher_inputs: [("projectId".to_owned(), stage.project().to_string())].into(),
        consumer_inputs: [("url".to_owned(), "https://hooks.slack.example/x".to_owned())].into(),
    };
    stage.hooks().create_foreign(foreign, "juergen@fabrikam.example");
    stage.hooks().add_bulk(1_000);
    let count = async |query: &str| stage.asker.read(&format!("{PATH}{query}")).await["count"].as_u64().unwrap();
    assert_eq!(count("").await, 1_004);
    assert_eq!(count("?publisherId=pipelines").await, 1);
    assert_eq!(count("?eventType=build.complete&consumerId=webHooks").await, 1);
    assert_eq!(count("?consumerId=slack&consumerActionId=postMessageToChannel").await, 1);
    stage.push().await;
    assert_eq!(stage.receiver.got().len(), 1, "nobody else's are delivered");
}

#[tokio::test]
async fn a_query_filters_by_inputs() {
    let stage = Stage::new().await;
    let mut draft = stage.push_draft();
    draft["publisherInputs"]["branch"] = "main".into();
    let id = stage.create(&draft).await;
    stage.subscribe().await;
    let condition = |input: &str, operator: &str, value: &str| json!({"conditions": [{"inputId": input, "operator": operator, "inputValue": value, "caseSensitive": false}]});
    let ids = async |query: Value| {
        let answer = stage.post("_apis/hooks/subscriptionsquery", &query).await.json();
        let results = answer["results"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
        results.iter().map(|own| own["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(json!({"publisherInputFilters": [condition("branch", "equals", "MAIN")]})).await, [json!(id)]);
    assert_eq!(ids(json!({"publisherInputFilters": [condition("branch", "notEquals", "main")]})).await.len(), 1);
    let url = condition("url", "equals", "https://elsewhere.example/");
    assert_eq!(ids(json!({"consumerInputFilters": [url]})).await.len(), 0);
    assert_eq!(ids(json!({"publisherId": "tfs", "consumerId": "webHooks"})).await.len(), 2);
}

#[tokio::test]
async fn who_may_not_edit_is_told_which_permission_is_missing() {
    let mut stage = Stage::new().await;
    let id = stage.subscribe().await;
    let project = stage.project();
    stage.asker = stage.asker.with_token(Some(tokens::WITHOUT_EDIT));
    let got = stage.post(PATH, &stage.push_draft()).await;
    assert_eq!(got.status, 403);
    assert_eq!(
        got.json()["message"],
        format!(
            "Access Denied: Mei Chen needs the following permission(s) on the resource PublisherSecurity/{project} to \
             perform this action: Edit Subscription"
        )
    );
    assert_eq!(stage.put(id, &stage.push_draft()).await.status, 403);
    let path = format!("{PATH}/{id}?api-version=7.1");
    assert_eq!(stage.asker.send(Method::DELETE, &path, &[], None).await.status, 403);
    assert_eq!(stage.read(id).await["id"], id.to_string(), "everybody may look");
    stage.simulator().allow_hooks("mei@fabrikam.example", Some(project), 7);
    assert_eq!(stage.post(PATH, &stage.push_draft()).await.status, 200);
    let mut whole = stage.push_draft();
    whole["publisherInputs"] = json!({});
    let got = stage.post(PATH, &whole).await;
    assert!(got.json()["message"].as_str().unwrap().contains("PublisherSecurity to perform"), "{got:?}");
}

#[tokio::test]
async fn who_may_not_look_sees_nothing() {
    let mut stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.simulator().allow_hooks("mei@fabrikam.example", None, 0);
    stage.asker = stage.asker.with_token(Some(tokens::WITHOUT_EDIT));
    assert_eq!(stage.asker.read(PATH).await["count"], 0);
    assert_eq!(stage.asker.get(&format!("{PATH}/{id}?api-version=7.1")).await.status, 403);
}

#[tokio::test]
async fn hooks_of_releases_are_on_the_release_host_of_the_cloud() {
    let mut stage = Stage::new().await;
    let draft = stage.draft("rm", "ms.vss-release.deployment-completed-event", "3.0-preview.1");
    assert_eq!(stage.post(PATH, &draft).await.status, 404);
    let other = format!("/_vsrm/fabrikam/{PATH}");
    let got = stage.post(&other, &draft).await;
    assert_eq!(got.status, 200, "{got:?}");
    let id = got.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.asker.read(PATH).await["count"], 0);
    assert_eq!(stage.asker.read(&other).await["value"][0]["id"], id);
    assert_eq!(stage.asker.get(&format!("{PATH}/{id}?api-version=7.1")).await.status, 404);
    assert_eq!(stage.post(&other, &stage.push_draft()).await.status, 404, "and nothing else is");
    stage.asker = stage.asker.with_token(Some(tokens::WITHOUT_RELEASE));
    assert_eq!(stage.asker.get(&format!("{other}?api-version=7.1")).await.status, 401);
    assert_eq!(stage.asker.get(&format!("{other}/{id}?api-version=7.1")).await.status, 401);
    assert_eq!(stage.asker.get(&format!("{PATH}?api-version=7.1")).await.status, 200);
}

#[tokio::test]
async fn a_server_has_one_host_and_only_the_events_of_its_release() {
    let stage = Stage::at(Options::server("DefaultCollection", ServerVersion::V2020)).await;
    let create = async |draft: Value| {
        stage.asker.post(&format!("{PATH}?api-version=6.0"), &draft.to_string()).await.status.as_u16()
    };
    assert_eq!(create(stage.draft("rm", "ms.vss-release.release-created-event", "3.0-preview.1")).await, 200);
    assert_eq!(create(stage.draft("tfs", "git.push", "1.0")).await, 200);
    assert_eq!(create(stage.draft("tfs", "git.repo.created", "1.0-preview.1")).await, 400);
    let job = stage.draft("pipelines", "ms.vss-pipelines.job-state-changed-event", "5.1-preview.1");
    assert_eq!(create(job).await, 400);
    let types = stage.asker.get("_apis/hooks/publishers/pipelines/eventtypes?api-version=6.0").await.json();
    let names: Vec<_> = types["value"].as_array().unwrap().iter().map(|own| own["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["ms.vss-pipelines.run-state-changed-event", "ms.vss-pipelines.stage-state-changed-event"]);
}

#[tokio::test]
async fn fate_and_people_change_subscriptions_behind_a_clients_back() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    let other = stage.hooks().duplicate(id).unwrap();
    assert_ne!(other, id);
    assert!(stage.hooks().edit(other, |draft| draft.event_type = "build.complete".to_owned()));
    assert_eq!(stage.read(other).await["eventType"], "build.complete");
    stage.hooks().disable_by_system(id);
    assert_eq!(stage.status(id), SubscriptionStatus::DisabledBySystem);
    stage.hooks().enable(id);
    assert_eq!(stage.status(id), SubscriptionStatus::Enabled);
    assert!(stage.hooks().delete(other) && !stage.hooks().delete(other));
    assert_eq!(stage.hooks().subscriptions().len(), 1);
}

#[tokio::test]
async fn delivery_tracing_is_switched_on_and_off() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    let path = format!("{PATH}/{id}/diagnostics?api-version=7.1-preview.1");
    assert_eq!(stage.asker.get(&path).await.json()["deliveryTracing"]["enabled"], false);
    let body = json!({"deliveryTracing": {"enabled": true}}).to_string();
    let got = stage.asker.send(Method::PUT, &path, &[], Some(&body)).await;
    assert_eq!(got.json()["deliveryTracing"]["enabled"], true);
    assert_eq!(stage.asker.get(&path).await.json()["deliveryTracing"]["enabled"], true);
}
