//! Pages of large events: limited in bytes, and so is what is held of pages that nobody takes.

use crate::harness::Gateway;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;
use warp::reply::Response;

const MERGED: &str = "dev.cdevents.change.merged.0.3.0";
const MIB: usize = 1 << 20;
/// Stated in the document.
const PAGE_BYTES_MAX: usize = 4 * MIB;
/// All replies that are not taken; one token's are at most half of it.
const REPLIES_BYTES_MAX: usize = 64 * MIB;
const EVENT_BYTES: usize = 150 << 10;

async fn large(gateway: &Gateway, bytes: usize) -> Uuid {
    gateway.event_with(MERGED, Uuid::nil(), &[], &json!("x".repeat(bytes))).await
}

fn ids(page: &Value) -> Vec<Uuid> {
    page["data"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// The body of a reply is at hand, as it is to a connection whose other side takes nothing.
async fn unread(gateway: &Gateway, token: &str, path: &str) -> Response {
    gateway.ask("GET", path).token(token.to_owned()).open().await
}

#[tokio::test]
async fn a_page_ends_at_its_limit_of_bytes_and_the_next_one_goes_on_without_gap_or_double() {
    let gateway = Gateway::start().await;
    let mut made = Vec::new();
    for number in 0..120 {
        let bytes = if number == 70 { 2 * PAGE_BYTES_MAX } else { EVENT_BYTES };
        made.push(large(&gateway, bytes).await);
    }
    for filter in ["", "&type=dev.cdevents.*"] {
        let (mut seen, mut pages) = (Vec::new(), 0);
        let mut path = format!("/v1/events?limit=1000{filter}");
        loop {
            let reply = gateway.get(&path).await;
            let page = reply.json();
            let found = ids(&page);
            if found.is_empty() {
                break;
            }
            let last = page["data"].as_array().unwrap().last().unwrap().to_string().len();
            assert!(reply.body.len() - last <= PAGE_BYTES_MAX, "{} bytes, the last event {last}", reply.body.len());
            seen.extend(found);
            pages += 1;
            path = format!("/v1/events?limit=1000{filter}&after={}", page["next"].as_str().unwrap());
        }
        assert_eq!(seen, made);
        assert!((5..10).contains(&pages), "{pages} pages");
    }
}

#[tokio::test]
async fn what_readers_do_not_take_is_bounded_and_leaves_a_share_to_every_other_token() {
    let gateway = Gateway::start().await;
    for _ in 0..40 {
        large(&gateway, EVENT_BYTES).await;
    }
    let (admin, read) = (gateway.admin.clone(), gateway.read.clone());
    let (mut held, mut refused) = (Vec::new(), 0);
    for _ in 0..100 {
        let reply = unread(&gateway, &admin, "/v1/events?limit=1000").await;
        match reply.status().as_u16() {
            200 => held.push(reply),
            503 => {
                assert!(reply.headers().contains_key("retry-after"));
                refused += 1;
            }
            status => panic!("{status}"),
        }
    }
    let bytes = held.len() * PAGE_BYTES_MAX;
    assert!((REPLIES_BYTES_MAX / 4..=REPLIES_BYTES_MAX / 2).contains(&bytes), "{} held, {refused} refused", held.len());
    assert_eq!(unread(&gateway, &read, "/v1/events?limit=1000").await.status(), 200, "another token has a share");
    assert_eq!(unread(&gateway, &admin, "/v1/connections").await.status(), 200, "what is small needs none");
    drop(held);
    assert_eq!(unread(&gateway, &admin, "/v1/events?limit=1000").await.status(), 200);
}

#[tokio::test]
async fn a_stream_waits_for_room_and_misses_nothing() {
    let gateway = Gateway::start().await;
    let mut made = Vec::new();
    for _ in 0..40 {
        made.push(large(&gateway, EVENT_BYTES).await);
    }
    let admin = gateway.admin.clone();
    let mut stream = unread(&gateway, &admin, "/v1/events/stream").await;
    assert_eq!(stream.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "retry: 5000\n\n");
    let mut held = Vec::new();
    loop {
        let reply = unread(&gateway, &admin, "/v1/events?limit=3").await;
        if reply.status() != 200 {
            break;
        }
        held.push(reply);
    }
    let mut text = String::new();
    while text.matches("event: cdevent").count() < made.len() {
        let mut frame = Box::pin(stream.body_mut().frame());
        let waited = loop {
            tokio::select! {
                biased;
                frame = &mut frame => break frame,
                () = tokio::task::yield_now() => {
                    held.clear();
                    gateway.advance(Duration::from_secs(1));
                }
            }
        };
        let piece = waited.unwrap().unwrap().into_data().unwrap();
        assert!(piece.len() < MIB, "{}", piece.len());
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert!(told.iter().zip(&made).all(|(data, id)| data.contains(&id.to_string())));
    assert_eq!(told.len(), made.len());
}
