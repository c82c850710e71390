use super::Stage;
use hookwell::{
    clock::Clock as _,
    domain::Stream,
    simulator::{Entity, Forget},
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

fn numbers(listing: &Value) -> Vec<u64> {
    listing.as_array().unwrap().iter().map(|own| own["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn the_history_tells_what_was_sent_and_what_came_back() {
    let stage = Stage::new().await;
    let mut draft = stage.push_draft();
    draft["consumerInputs"]["httpHeaders"] = "X-Gateway-Key:open".into();
    draft["consumerInputs"]["basicAuthPassword"] = "s3cret".into();
    let id = stage.create(&draft).await;
    stage.receiver.script(&[503, 401]);
    stage.push().await;
    assert!(stage.next().await);
    let path = format!("_apis/hooks/subscriptions/{id}/notifications/1");
    let got = stage.asker.get(&format!("{path}?api-version=7.1")).await;
    assert!(!got.text.contains("s3cret") && !got.text.to_lowercase().contains("authorization"));
    let shown = got.json();
    let delivered = &stage.receiver.got()[0].body;
    assert_eq!((&shown["status"], &shown["result"]), (&json!("completed"), &json!("failed")));
    assert_eq!(shown["eventId"], delivered["id"]);
    let details = &shown["details"];
    assert_eq!(details["requestAttempts"], 2);
    for key in [
        "id",
        "eventType",
        "publisherId",
        "message",
        "resource",
        "resourceVersion",
        "resourceContainers",
        "createdDate",
    ] {
        assert_eq!(details["event"][key], delivered[key], "{key}");
    }
    assert!(details["event"].get("subscriptionId").is_none(), "that is the notification's");
    let request = details["request"].as_str().unwrap();
    assert!(request.starts_with("Method: POST\nURI: http://127.0.0.1"), "{request}");
    assert!(request.contains("X-Gateway-Key: open"), "own headers are not confidential: {request}");
    let response = details["response"].as_str().unwrap();
    assert!(response.starts_with("Status Code: 401\n") && response.ends_with("answer 401"), "{response}");
    assert_eq!(details["consumerInputs"]["basicAuthPassword"], "********");
    for date in ["queuedDate", "dequeuedDate", "processedDate", "completedDate"] {
        assert!(details[date].is_string(), "{date}");
    }
    assert_eq!(details["errorMessage"], "Unauthorized (401)");
    assert!(details.get("retryCount").is_none());
    let newest = stage.asker.get(&format!("{path}?api-version=7.2-preview.1")).await.json();
    assert_eq!(newest["details"]["retryCount"], 1);
}

#[tokio::test]
async fn the_history_can_be_without_events() {
    let stage = Stage::new().await;
    stage.simulator().fail(|faults| faults.hooks.history_without_events = true);
    let id = stage.subscribe().await;
    stage.push().await;
    let shown = stage.asker.read(&format!("_apis/hooks/subscriptions/{id}/notifications/1")).await;
    assert!(shown["details"].get("event").is_none() && shown["details"]["request"].is_string());
}

#[tokio::test]
async fn a_listing_is_filtered_and_limited_newest_first() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    let list = async |query: &str| {
        let path = format!("_apis/hooks/subscriptions/{id}/notifications{query}");
        numbers(&stage.asker.read(&path).await["value"])
    };
    stage.receiver.script(&[200, 503]);
    for _ in 0..3 {
        stage.push().await;
        stage.asker.clock.advance(Duration::from_millis(10));
    }
    assert_eq!(list("").await, [3, 2, 1]);
    assert_eq!(list("?maxResults=2").await, [3, 2]);
    assert_eq!(list("?status=queued").await, [2]);
    assert_eq!(list("?result=SUCCEEDED").await, [3, 1]);
    let waiting = |version: &str| format!("_apis/hooks/subscriptions/{id}/notifications/2?api-version={version}");
    assert_eq!(stage.asker.get(&waiting("7.1")).await.json()["status"], "queued");
    assert_eq!(stage.asker.get(&waiting("7.2-preview.1")).await.json()["status"], "queuedForRetry");
    for _ in 0..100 {
        stage.push().await;
    }
    assert_eq!(list("").await.len(), 100, "where it is not said how many");
}

#[tokio::test]
async fn a_query_asks_about_several_subscriptions_at_once() {
    let stage = Stage::new().await;
    let (one, other) = (stage.subscribe().await, stage.subscribe().await);
    stage.push().await;
    stage.asker.clock.advance(Duration::from_mins(5));
    stage.receiver.usually(500);
    stage.push().await;
    let query = async |body: Value| stage.post("_apis/hooks/notificationsquery", &body).await.json();
    let all = query(json!({})).await;
    assert_eq!(all["results"].as_array().unwrap().len(), 4);
    assert!(all["results"][0].get("details").is_none());
    let of_one = query(json!({"subscriptionIds": [one], "includeDetails": true})).await;
    assert_eq!(numbers(&of_one["results"]), [2, 1]);
    assert_eq!(of_one["results"][0]["details"]["event"]["eventType"], "git.push");
    let failed = query(json!({"resultType": "failed", "status": "completed"})).await;
    assert_eq!(numbers(&failed["results"]), [2, 2]);
    assert_eq!(failed["summary"].as_array().unwrap().len(), 2);
    assert_eq!(failed["summary"][0]["results"], json!([{"result": "failed", "notificationCount": 1}]));
    let old = query(json!({"minCreatedDate": "2026-11-04T07:00:00Z", "maxCreatedDate": "2026-11-04T08:00:01Z"})).await;
    assert_eq!(numbers(&old["results"]), [1, 1]);
    let few = query(json!({"maxResultsPerSubscription": 1})).await;
    assert_eq!(numbers(&few["results"]), [2, 2]);
    assert_eq!(query(json!({"maxResults": 3})).await["results"].as_array().unwrap().len(), 3);
    let unknown = query(json!({"subscriptionIds": [Uuid::from_u128(1)]})).await;
    assert_eq!(unknown["results"], json!([]));
    stage.hooks().delete(other);
    assert_eq!(query(json!({})).await["results"].as_array().unwrap().len(), 2, "the history goes with it");
}

#[tokio::test]
async fn after_seven_days_it_is_forgotten() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.push().await;
    stage.advance(Duration::from_hours(7 * 24)).await;
    let path = format!("_apis/hooks/subscriptions/{id}/notifications");
    assert_eq!(stage.asker.read(&path).await["count"], 1);
    stage.advance(Duration::from_secs(1)).await;
    assert_eq!(stage.asker.read(&path).await["count"], 0);
    let got = stage.asker.get(&format!("{path}/1?api-version=7.1")).await;
    assert_eq!((got.status.as_u16(), got.kind().as_str()), (404, "NotificationNotFoundException"));
    stage.push().await;
    assert_eq!(numbers(&stage.asker.read(&path).await["value"]), [2], "numbers go on");
}

fn test_of(stage: &Stage, draft: &Value) -> Value {
    json!({"details": {
        "publisherId": draft["publisherId"], "eventType": draft["eventType"], "consumerId": "webHooks",
        "consumerActionId": "httpRequest", "publisherInputs": {"projectId": stage.project()},
        "consumerInputs": {"url": format!("{}/test", stage.receiver.url), "basicAuthUsername": "gw", "basicAuthPassword": "s3cret"},
        "event": {"resourceVersion": draft["resourceVersion"]},
    }})
}

#[tokio::test]
async fn a_test_sends_the_canned_sample_of_every_event_type() {
    let stage = Stage::new().await;
    for publisher in ["tfs", "pipelines"] {
        let types = stage.asker.read(&format!("_apis/hooks/publishers/{publisher}/eventtypes")).await;
        for kind in types["value"].as_array().unwrap() {
            let draft = stage.draft(publisher, kind["id"].as_str().unwrap(), "1.0");
            let mut test = test_of(&stage, &draft);
            if kind["id"] == "tfvc.checkin" {
                test["details"]["publisherInputs"]["path"] = "$/Fabrikam".into();
            }
            let got = stage.post("_apis/hooks/testnotifications", &test).await;
            assert_eq!(got.status, 200, "{got:?}");
            stage.settle().await;
            let delivery = stage.receiver.take().remove(0);
            assert_eq!(delivery.uri, "/test");
            assert_eq!(delivery.headers["authorization"], "Basic Z3c6czNjcmV0");
            assert_eq!(delivery.body["subscriptionId"], Uuid::nil().to_string());
            assert_eq!(delivery.body["eventType"], kind["id"]);
            assert!(delivery.body["createdDate"].as_str().unwrap().starts_with("2016-"));
            assert!(delivery.body["resource"].is_object(), "{kind}");
            let number = got.json()["id"].as_u64().unwrap();
            assert_eq!(delivery.body["notificationId"], number);
            let shown = stage.asker.read(&format!("_apis/hooks/testnotifications/{number}")).await;
            assert_eq!((&shown["status"], &shown["result"]), (&json!("completed"), &json!("succeeded")));
            assert_eq!(shown["details"]["requestAttempts"], 1);
        }
    }
    assert_eq!(stage.hooks().totals().notifications, 0, "tests are not counted");
}

#[tokio::test]
async fn a_test_with_real_data_sends_the_last_event() {
    let stage = Stage::new().await;
    stage.push().await;
    let test = test_of(&stage, &stage.push_draft()).to_string();
    let path = "_apis/hooks/testnotifications?useRealData=true&api-version=7.1";
    assert_eq!(stage.asker.post(path, &test).await.status, 200);
    stage.settle().await;
    let body = stage.receiver.got()[0].body.clone();
    assert_eq!(body["resource"]["repository"]["id"], stage.repository().to_string());
    assert_eq!(body["subscriptionId"], Uuid::nil().to_string());
}

#[tokio::test]
async fn a_test_that_fails_is_not_retried_and_says_why() {
    let stage = Stage::new().await;
    stage.receiver.usually(503);
    let got = stage.post("_apis/hooks/testnotifications", &test_of(&stage, &stage.push_draft())).await.json();
    stage.settle().await;
    assert!(!stage.next().await);
    let shown = stage.asker.read(&format!("_apis/hooks/testnotifications/{}", got["id"])).await;
    assert_eq!(
        (&shown["result"], &shown["details"]["errorMessage"]),
        (&json!("failed"), &json!("Service Unavailable (503)"))
    );
    assert_eq!(stage.asker.get("_apis/hooks/testnotifications/99?api-version=7.1").await.status, 404);
}

#[tokio::test]
async fn how_long_the_history_goes_back_can_be_chosen() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.push().await;
    let path = format!("_apis/hooks/subscriptions/{id}/notifications");
    stage.simulator().fail(|faults| faults.hooks.history_days = Some(14));
    stage.advance(Duration::from_hours(13 * 24)).await;
    assert_eq!(numbers(&stage.asker.read(&path).await["value"]), [1]);
    stage.advance(Duration::from_hours(2 * 24)).await;
    assert_eq!(numbers(&stage.asker.read(&path).await["value"]), Vec::<u64>::new());
}

#[tokio::test]
async fn of_too_many_the_oldest_are_left_out_or_the_newest() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    for _ in 0..5 {
        stage.push().await;
        stage.advance(Duration::from_mins(1)).await;
    }
    let ask = async |max: usize, from: &str| {
        let query = json!({"subscriptionIds": [id], "maxResults": max, "minCreatedDate": from, "includeDetails": true});
        let got = stage.post("_apis/hooks/notificationsquery", &query).await.json();
        assert!(got["results"].as_array().unwrap().iter().all(|own| own["details"]["event"]["resource"].is_object()));
        numbers(&got["results"])
    };
    let always = "2026-11-04T08:00:00Z";
    assert_eq!(ask(3, always).await, [5, 4, 3]);
    assert_eq!(ask(100, "2026-11-04T08:03:00Z").await, [5, 4], "from a time on, which is in it");
    stage.simulator().fail(|faults| faults.hooks.history_oldest_first = true);
    assert_eq!(ask(3, always).await, [1, 2, 3]);
    stage.simulator().fail(|faults| faults.hooks.history_results_max = Some(2));
    assert_eq!(ask(100, always).await, [1, 2]);
    let path = format!("_apis/hooks/subscriptions/{id}/notifications");
    assert_eq!(numbers(&stage.asker.read(&path).await["value"]), [1, 2]);
}

#[tokio::test]
async fn the_history_forgets_what_it_is_told_to() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    let mut times = Vec::new();
    for _ in 0..3 {
        times.push(stage.asker.clock.now());
        stage.push().await;
        stage.advance(Duration::from_mins(1)).await;
    }
    let forget = |stream, of| Forget { from: times[1], to: times[2], stream, of };
    let listed = async || {
        let query = json!({"subscriptionIds": [id]});
        let all = numbers(&stage.post("_apis/hooks/notificationsquery", &query).await.json()["results"]);
        let one = stage.asker.get(&format!("_apis/hooks/subscriptions/{id}/notifications/2")).await.status.as_u16();
        (all, one)
    };
    stage.simulator().forget(forget(Some(Stream::Builds), None));
    assert_eq!(listed().await, (vec![3, 2, 1], 200));
    stage.simulator().forget(forget(None, Some(Entity::Repository(stage.repository()))));
    assert_eq!(listed().await, (vec![3, 1], 404));
    assert_eq!(stage.receiver.got().len(), 3, "what was delivered was delivered");
}
