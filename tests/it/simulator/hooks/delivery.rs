use super::{Receiver, Stage};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{
    azure::client::SubscriptionStatus,
    simulator::{NotificationResult, NotificationStatus, Options, ServerVersion, Silence},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

fn with(mut draft: Value, inputs: &[(&str, &str)]) -> Value {
    for (id, value) in inputs {
        draft["consumerInputs"][*id] = (*value).into();
    }
    draft
}

#[tokio::test]
async fn a_push_arrives_as_azure_sends_it() {
    let stage = Stage::new().await;
    let inputs = [
        ("basicAuthUsername", "gw"),
        ("basicAuthPassword", "s3cret"),
        ("httpHeaders", "X-Gateway-Key:open\nX-Other: two words"),
    ];
    let id = stage.create(&with(stage.push_draft(), &inputs)).await;
    stage.push().await;
    let [delivery] = &stage.receiver.got()[..] else { panic!("{:?}", stage.receiver.got()) };
    assert_eq!(delivery.method, "POST");
    assert_eq!(delivery.uri, "/hooks?code=in%20the%20query");
    let header = |name: &str| delivery.headers.get(name).unwrap_or_else(|| panic!("{name}")).to_str().unwrap();
    assert_eq!(header("content-type"), "application/json; charset=utf-8");
    assert_eq!(header("authorization"), format!("Basic {}", BASE64_STANDARD.encode("gw:s3cret")));
    assert_eq!((header("x-gateway-key"), header("x-other")), ("open", "two words"));
    assert_eq!(header("x-vss-subscriptionid"), id.to_string());
    assert!(header("x-vss-activityid").parse::<Uuid>().is_ok());
    assert!(header("request-id").starts_with('|'));

    let body = &delivery.body;
    assert_eq!(body["subscriptionId"], id.to_string());
    assert_eq!((&body["notificationId"], &body["eventType"]), (&json!(1), &json!("git.push")));
    assert_eq!((&body["publisherId"], &body["resourceVersion"]), (&json!("tfs"), &json!("1.0")));
    assert_eq!(body["resource"]["refUpdates"][0]["name"], "refs/heads/main");
    assert_eq!(body["resource"]["repository"]["id"], stage.repository().to_string());
    assert!(body["message"]["text"].is_string() && body["detailedMessage"]["markdown"].is_string());
    let base = format!("{}/", stage.asker.azure.url());
    for container in ["collection", "account", "project"] {
        assert_eq!(body["resourceContainers"][container]["baseUrl"], base, "{container}");
    }
    assert_eq!(body["resourceContainers"]["project"]["id"], stage.project().to_string());
    let created = body["createdDate"].as_str().unwrap();
    assert_eq!(created.len(), "2026-11-04T08:00:01.0489128Z".len(), "seven digits of a second");
    let trail = created.parse::<Timestamp>().unwrap().duration_since(delivery.at);
    assert_eq!(trail.as_secs(), 1);
}

#[tokio::test]
async fn notifications_are_counted_per_subscription_and_events_over_all() {
    let stage = Stage::new().await;
    let one = stage.subscribe().await;
    stage.push().await;
    let other = stage.subscribe().await;
    stage.push().await;
    let mut seen: Vec<(String, u64, String)> = Vec::new();
    for own in stage.receiver.got() {
        let text = |name: &str| own.body[name].as_str().unwrap().to_owned();
        seen.push((text("subscriptionId"), own.body["notificationId"].as_u64().unwrap(), text("id")));
    }
    seen[1..].sort();
    let mut expected = [(one.to_string(), 2), (other.to_string(), 1)];
    expected.sort();
    assert_eq!((seen[0].0.as_str(), seen[0].1), (one.to_string().as_str(), 1));
    assert_eq!([(seen[1].0.clone(), seen[1].1), (seen[2].0.clone(), seen[2].1)], expected);
    assert_eq!(seen[1].2, seen[2].2, "one event, one id");
    assert_ne!(seen[0].2, seen[1].2);

    stage.simulator().fail(|faults| faults.hooks.an_id_per_subscription = true);
    stage.receiver.take();
    stage.push().await;
    let got = stage.receiver.got();
    assert_ne!(got[0].body["id"], got[1].body["id"]);
}

#[tokio::test]
async fn the_trace_headers_can_be_absent() {
    let stage = Stage::new().await;
    stage.simulator().fail(|faults| faults.hooks.without_trace_headers = true);
    stage.subscribe().await;
    stage.push().await;
    let got = stage.receiver.got();
    for name in ["x-vss-activityid", "x-vss-subscriptionid", "request-id"] {
        assert!(!got[0].headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_subscription_gets_as_many_details_as_it_asks_for() {
    let stage = Stage::new().await;
    let cases = [
        (vec![("messagesToSend", "text"), ("detailedMessagesToSend", "none")], true, true),
        (vec![("resourceDetailsToSend", "minimal")], true, true),
        (vec![("resourceDetailsToSend", "none")], false, false),
    ];
    for (inputs, has_resource, has_containers) in cases {
        let id = stage.create(&with(stage.push_draft(), &inputs)).await;
        stage.receiver.take();
        stage.push().await;
        let body = stage.receiver.got()[0].body.clone();
        assert_eq!(body["resource"].is_object(), has_resource, "{inputs:?}");
        assert_eq!(body["resourceContainers"].is_object(), has_containers, "{inputs:?}");
        match inputs[0] {
            ("messagesToSend", _) => {
                assert_eq!(body["message"].as_object().unwrap().keys().collect::<Vec<_>>(), ["text"]);
                assert_eq!(body["detailedMessage"], Value::Null);
            }
            (_, "minimal") => {
                assert!(body["resource"]["pushId"].is_number() && body["resource"]["url"].is_string());
                assert!(body["resource"].get("refUpdates").is_none() && body["resource"].get("repository").is_none());
            }
            _ => assert!(body.get("resource").is_some(), "null, not absent"),
        }
        stage.hooks().delete(id);
    }
}

#[tokio::test]
async fn a_subscription_of_the_whole_organization_hears_of_every_project_and_gets_pushes_in_full_only_if_it_says_all() {
    let stage = Stage::new().await;
    let mut draft = stage.push_draft();
    draft["publisherInputs"] = json!({});
    let id = stage.create(&draft).await;
    let tools = stage.simulator().project("Tools").unwrap();
    let builder = stage.simulator().repository(tools, "builder").unwrap();
    stage.simulator().push_commit(builder, "main", "Faster", &["/build.sh"]).unwrap();
    stage.push().await;
    let got = stage.receiver.take();
    assert_eq!(got[0].body["resourceContainers"]["project"]["id"], tools.to_string());
    assert_eq!(got[1].body["resourceContainers"]["project"]["id"], stage.project().to_string());
    assert!(got.iter().all(|own| own.body["resource"].get("refUpdates").is_none()));

    stage.hooks().edit(id, |draft| drop(draft.consumer_inputs.insert("resourceDetailsToSend".into(), "all".into())));
    stage.push().await;
    assert!(stage.receiver.got()[0].body["resource"]["refUpdates"].is_array());
}

#[tokio::test]
async fn a_server_says_that_it_is_one() {
    let mut options = Options::server("DefaultCollection", ServerVersion::V2022_1);
    options.virtual_directory = Some("tfs".to_owned());
    let stage = Stage::at(options).await;
    stage.subscribe().await;
    stage.push().await;
    let containers = stage.receiver.got()[0].body["resourceContainers"].clone();
    assert!(containers["server"]["baseUrl"].as_str().unwrap().ends_with("/tfs/"), "{containers}");
    assert!(containers["collection"]["baseUrl"].as_str().unwrap().ends_with("/tfs/DefaultCollection/"));
    assert!(containers.get("account").is_none());
}

#[tokio::test]
async fn filters_decide_who_is_told() {
    let stage = Stage::new().await;
    let mut told = Vec::new();
    for (branch, repository) in [("main", ""), ("refs/heads/main", ""), ("", "00000000-0000-0000-0000-000000000001")] {
        let mut draft = stage.push_draft();
        draft["publisherInputs"]["branch"] = branch.into();
        draft["publisherInputs"]["repository"] = repository.into();
        told.push(stage.create(&draft).await.to_string());
    }
    stage.push().await;
    let got: Vec<_> = stage.receiver.got().iter().map(|own| own.body["subscriptionId"].clone()).collect();
    assert_eq!(got, [json!(told[0])], "a branch is its short name, a repository its GUID");
}

#[tokio::test]
async fn a_version_that_there_is_not_gives_a_null_resource() {
    let stage = Stage::new().await;
    stage.create(&stage.draft("tfs", "git.push", "2.0")).await;
    stage.push().await;
    let body = &stage.receiver.got()[0].body;
    assert_eq!((&body["resource"], &body["resourceVersion"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[302]);
    stage.push().await;
    assert_eq!(stage.receiver.got().len(), 1);
    assert_eq!(stage.status(id), SubscriptionStatus::OnProbation);
}

#[tokio::test]
async fn silence_is_transient_or_enduring_as_the_switch_says() {
    for (silence, status) in
        [(Silence::Transient, SubscriptionStatus::Enabled), (Silence::Enduring, SubscriptionStatus::OnProbation)]
    {
        let stage = Stage::new().await;
        stage.simulator().fail(|faults| {
            faults.hooks.silence = silence;
            faults.hooks.timeout_milliseconds = Some(50);
        });
        let id = stage.subscribe().await;
        stage.receiver.script(&[0]);
        stage.push().await;
        assert_eq!(stage.status(id), status, "{silence:?}, no answer");
        assert!(stage.notification(id, 1).error.unwrap().contains("in time"));

        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let url = format!("http://{nobody}/?code=secret");
        let closed = stage.create(&with(stage.push_draft(), &[("url", &url)])).await;
        stage.push().await;
        assert_eq!(stage.status(closed), status, "{silence:?}, nobody there");
        assert!(!stage.notification(closed, 1).error.unwrap().contains("secret"));
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_taken_only_where_the_subscription_says_so() {
    let mut stage = Stage::new().await;
    stage.receiver = Receiver::start_tls(&stage.asker.clock).await;
    let strict = stage.subscribe().await;
    let trusting = stage.create(&with(stage.push_draft(), &[("acceptUntrustedCerts", "true")])).await;
    stage.push().await;
    assert_eq!(stage.receiver.got().len(), 1);
    assert_eq!(stage.status(strict), SubscriptionStatus::OnProbation, "TLS is no transient failure");
    assert_eq!(stage.notification(trusting, 1).result, NotificationResult::Succeeded);
}

#[tokio::test]
async fn while_a_receiver_takes_its_time_the_request_is_in_progress() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[0]);
    stage.simulator().push_commit(stage.repository(), "main", "Roast longer", &["/a"]).unwrap();
    let asked = async {
        while stage.receiver.got().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), asked).await.expect("the receiver is asked");
    let waiting = stage.notification(id, 1);
    assert_eq!((waiting.status, waiting.result), (NotificationStatus::RequestInProgress, NotificationResult::Pending));
}

#[tokio::test]
async fn deliveries_go_on_without_being_waited_for() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[503, 200]);
    stage.simulator().push_commit(stage.repository(), "main", "Roast longer", &["/a"]).unwrap();
    let soon = std::time::Duration::from_secs(20);
    let until = async |count: usize| {
        while stage.receiver.got().len() < count || stage.hooks().next_due().is_none() && count == 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(soon, until(1)).await.expect("the first attempt");
    stage.asker.clock.advance(std::time::Duration::from_secs(1));
    tokio::time::timeout(soon, until(2)).await.expect("the retry, by the worker alone");
    stage.settle().await;
    assert_eq!(stage.notification(id, 1).result, NotificationResult::Succeeded);
}
