//! A connection that is asked, and that no hook tells anything.

use super::{
    bound,
    equal::everything_happens,
    losses::{made_good, unfilled},
};
use crate::real::Real;
use serde_json::json;

async fn deliver(real: &Real, delivery: &str) {
    let path = format!("/v1/connections/{}?check=false", real.connection);
    let ask = real.gateway.ask("PATCH", &path).header("if-match", "*");
    let reply = ask.json(&json!({ "delivery": delivery })).send().await;
    assert_eq!((reply.status.as_u16(), reply.json()["delivery"].as_str()), (200, Some(delivery)));
}

#[tokio::test]
async fn where_azure_is_asked_no_hooks_are_left_and_everything_comes_at_once() {
    let real = unfilled().await;
    bound(&real).await;
    assert!(!real.ours().is_empty());
    deliver(&real, "poll").await;
    real.settle().await;
    assert!(real.ours().is_empty(), "they are removed");
    assert!(real.listed().await.is_empty());
    let from = real.gateway.app.clock.now();
    everything_happens(&real).await;
    let ended = made_good(&real, from).await;
    assert_eq!(ended.ways.keys().collect::<Vec<_>>(), [&"rest"]);
    deliver(&real, "hooks").await;
    real.settle().await;
    assert!(!real.ours().is_empty(), "they are made again");
}

#[tokio::test]
async fn how_events_come_is_one_of_two_words() {
    let real = unfilled().await;
    let path = format!("/v1/connections/{}?check=false", real.connection);
    let ask = real.gateway.ask("PATCH", &path).header("if-match", "*");
    let reply = ask.json(&json!({ "delivery": "pigeon" })).send().await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (422, vec!["/delivery".to_owned()]));
}
