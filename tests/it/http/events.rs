//! Events by page: cursors, filters, waiting.

use crate::harness::Gateway;
use hookwell::store::{Journal as _, Log};
use serde_json::Value;
use std::time::Duration;
use uuid::Uuid;

fn ids(page: &Value) -> Vec<Uuid> {
    page["data"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let gateway = Gateway::start().await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(gateway.event("dev.cdevents.change.merged.0.3.0", Uuid::nil(), &[]).await);
    }
    let (mut seen, mut path) = (Vec::new(), "/v1/events?limit=3".to_owned());
    for _ in 0..4 {
        let reply = gateway.get(&path).await;
        seen.extend(ids(&reply.json()));
        let link = reply.header("link");
        path = link[1..link.find('>').unwrap()].to_owned();
    }
    assert_eq!(seen, made);
    let one = gateway.get(&format!("/v1/events/{}", made[3])).await;
    assert_eq!(one.header("content-type"), "application/cloudevents+json");
    assert_eq!(one.json()["sequence"], "00000000000000000004");
    assert_eq!(gateway.get(&format!("/v1/events/{}", Uuid::new_v4())).await.status, 404);
    assert_eq!(gateway.get("/v1/events/nonsense").await.status, 404);
}

#[tokio::test]
async fn filters_are_combined_and_an_empty_page_still_goes_on() {
    let gateway = Gateway::start().await;
    let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
    for slug in ["shop", "blog", "empty"] {
        gateway.project(slug).await;
    }
    let merged = gateway.event("dev.cdevents.change.merged.0.3.0", a, &["shop"]).await;
    let created = gateway.event("dev.cdevents.change.created.0.4.0", b, &["shop", "blog"]).await;
    let tag = gateway.event("dev.cdeventsx.azuredevops-tag.created.0.1.0", a, &[]).await;
    for (filter, wanted) in [
        (String::new(), vec![merged, created, tag]),
        ("type=dev.cdevents.change.merged".into(), vec![merged]),
        ("type=dev.cdevents.change.merged.0.3.0".into(), vec![merged]),
        ("type=dev.cdevents.*".into(), vec![merged, created]),
        ("type=dev.cdevents.change.created,dev.cdeventsx.*".into(), vec![created, tag]),
        ("project=shop".into(), vec![merged, created]),
        (format!("project=shop&connection={a}"), vec![merged]),
        ("project=empty".into(), vec![]),
    ] {
        let page = gateway.get(&format!("/v1/events?{filter}")).await.json();
        assert_eq!(ids(&page), wanted, "{filter}");
        let rest = gateway.get(&format!("/v1/events?after={}", page["next"].as_str().unwrap())).await.json();
        assert!(ids(&rest).is_empty() && rest["next"] == page["next"], "{filter}");
    }
}

#[tokio::test]
async fn a_project_that_is_none_is_named_and_not_an_empty_page() {
    let gateway = Gateway::start().await;
    gateway.project("shop").await;
    for path in ["/v1/events?project=shpo", "/v1/events/stream?project=shpo"] {
        let reply = gateway.get(path).await;
        assert_eq!((reply.status.as_u16(), reply.wrong()), (400, vec!["project".to_owned()]), "{path}");
    }
}

#[tokio::test]
async fn wrong_parameters_are_all_named() {
    let gateway = Gateway::start().await;
    let reply = gateway.get("/v1/events?limit=0&wait=31&project=No&connection=x&type=a**&more=1&limit=2").await;
    assert_eq!(reply.status, 400);
    let mut wrong = reply.wrong();
    wrong.sort();
    assert_eq!(wrong, ["connection", "limit", "limit", "more", "project", "type", "wait"]);
}

#[tokio::test]
async fn a_cursor_that_is_none_or_too_old_or_too_new_says_so() {
    let gateway = Gateway::start().await;
    for _ in 0..3 {
        gateway.event("dev.cdevents.change.merged.0.3.0", Uuid::nil(), &[]).await;
    }
    let page = gateway.get("/v1/events?limit=1").await.json();
    let first = page["next"].as_str().unwrap();
    let end = gateway.get("/v1/events").await.json()["next"].as_str().unwrap().to_owned();
    for (path, problem) in [
        ("/v1/events?after=nonsense".to_owned(), "invalid-cursor"),
        ("/v1/events?after=".to_owned(), "invalid-cursor"),
        (format!("/v1/notifications?after={first}"), "invalid-cursor"),
    ] {
        let reply = gateway.get(&path).await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (400, problem), "{path}");
    }
    gateway.advance(Duration::from_hours(1));
    gateway.store.trim(Log::Events, gateway.app.clock.now()).await.unwrap();
    for path in [format!("/v1/events?after={first}"), format!("/v1/events/stream?after={first}")] {
        let reply = gateway.get(&path).await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (410, "cursor-expired"), "{path}");
        assert_eq!(reply.json()["oldest"], *end);
    }
    assert_eq!(gateway.get(&format!("/v1/events?after={end}")).await.status, 200);
    let other = Gateway::start().await;
    assert_eq!(other.get(&format!("/v1/events?after={end}")).await.problem(), "invalid-cursor", "from beyond the end");
}

#[tokio::test]
async fn a_long_poll_waits_for_an_event_that_is_wanted_or_for_its_time() {
    let gateway = Gateway::start().await;
    let wait = gateway.get("/v1/events?type=dev.cdevents.*&wait=30");
    let append = async {
        gateway.event("dev.cdeventsx.other.0.1.0", Uuid::nil(), &[]).await;
        tokio::task::yield_now().await;
        gateway.event("dev.cdevents.change.merged.0.3.0", Uuid::nil(), &[]).await
    };
    let (reply, wanted) = tokio::join!(wait, append);
    assert_eq!(ids(&reply.json()), [wanted]);
    let next = reply.json()["next"].as_str().unwrap().to_owned();
    let path = format!("/v1/events?after={next}&wait=30");
    let pass = async {
        tokio::task::yield_now().await;
        gateway.advance(Duration::from_secs(30));
    };
    let (reply, ()) = tokio::join!(gateway.get(&path), pass);
    assert_eq!((reply.status.as_u16(), ids(&reply.json())), (200, vec![]));
    let stop = async {
        tokio::task::yield_now().await;
        gateway.app.stop();
    };
    let (reply, ()) = tokio::join!(gateway.get(&path), stop);
    assert_eq!(reply.status, 200);
    assert_eq!(gateway.get("/readyz").await.json()["detail"], "the gateway is stopping");
}
