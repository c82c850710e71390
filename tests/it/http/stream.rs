//! The stream: what comes, resuming, its end.

use crate::harness::Gateway;
use http_body_util::BodyExt as _;
use std::time::Duration;
use uuid::Uuid;
use warp::reply::Response;

const MERGED: &str = "dev.cdevents.change.merged.0.3.0";

/// The next piece of a stream; `None` at its end.
async fn piece(stream: &mut Response) -> Option<String> {
    let frame = stream.body_mut().frame().await?.unwrap();
    Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
}

fn fields<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
}

async fn open(gateway: &Gateway, query: &str, last_seen: Option<&str>) -> Response {
    let ask = gateway.ask("GET", &format!("/v1/events/stream{query}"));
    let ask = if let Some(id) = last_seen { ask.header("last-event-id", id) } else { ask };
    let mut stream = ask.open().await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    assert_eq!(piece(&mut stream).await.unwrap(), "retry: 5000\n\n");
    stream
}

#[tokio::test]
async fn it_resumes_after_the_last_id_without_gap_or_repeat() {
    let gateway = Gateway::start().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.push(gateway.event(MERGED, Uuid::nil(), &[]).await);
    }
    let mut stream = open(&gateway, "", None).await;
    let text = piece(&mut stream).await.unwrap();
    assert_eq!(fields(&text, "event"), ["cdevent"; 3]);
    let cursors: Vec<String> = fields(&text, "id").into_iter().map(str::to_owned).collect();
    assert!(fields(&text, "data").iter().zip(&made).all(|(data, id)| data.contains(&id.to_string())));
    drop(stream);
    // Cut after the first: the second is the next, by header and by parameter, and the header wins.
    for (query, header) in [
        (String::new(), Some(&cursors[0])),
        (format!("?after={}", cursors[0]), None),
        (format!("?after={}", cursors[2]), Some(&cursors[0])),
    ] {
        let mut stream = open(&gateway, &query, header.map(String::as_str)).await;
        assert_eq!(fields(&piece(&mut stream).await.unwrap(), "id"), cursors[1..], "{query}");
    }
    // What is appended while the stream is open comes too.
    let mut stream = open(&gateway, "", Some(&cursors[2])).await;
    let (text, id) = tokio::join!(piece(&mut stream), gateway.event(MERGED, Uuid::nil(), &[]));
    assert!(text.unwrap().contains(&id.to_string()));
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives_and_keeps_its_cursor_moving() {
    let gateway = Gateway::start().await;
    gateway.event("dev.cdeventsx.other.0.1.0", Uuid::nil(), &[]).await;
    let mut stream = open(&gateway, "?type=dev.cdevents.*&timeout=40", None).await;
    let pass = |seconds| {
        let gateway = &gateway;
        async move {
            tokio::task::yield_now().await;
            gateway.advance(Duration::from_secs(seconds));
        }
    };
    let (text, ()) = tokio::join!(piece(&mut stream), pass(15));
    let text = text.unwrap();
    assert!(text.starts_with(": alive\nid: ") && text.ends_with("\n\n"), "{text}");
    let id = fields(&text, "id")[0].to_owned();
    let end = gateway.get("/v1/events").await.json()["next"].as_str().unwrap().to_owned();
    assert_eq!(id, end);
    let (text, ()) = tokio::join!(piece(&mut stream), pass(15));
    assert!(text.is_some());
    let (text, ()) = tokio::join!(piece(&mut stream), pass(10));
    assert!(text.is_some());
    assert_eq!(piece(&mut stream).await, None, "its time is over");
}

#[tokio::test]
async fn it_ends_within_seconds_when_its_token_is_deleted_and_tells_nothing_more() {
    let gateway = Gateway::start().await;
    let made = gateway.post("/v1/tokens", serde_json::json!({ "name": "reader", "scope": "read" })).await.json();
    let ask = gateway.ask("GET", "/v1/events/stream").token(made["token"].as_str().unwrap().to_owned());
    let mut stream = ask.open().await;
    assert_eq!(piece(&mut stream).await.unwrap(), "retry: 5000\n\n");
    let delete = async {
        tokio::task::yield_now().await;
        let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(gateway.ask("DELETE", &path).send().await.status, 204);
        gateway.event(MERGED, Uuid::nil(), &[]).await;
    };
    let (told, ()) = tokio::join!(piece(&mut stream), delete);
    assert_eq!(told, None);
    // Where nothing happens it ends too.
    let made = gateway.post("/v1/tokens", serde_json::json!({ "name": "reader", "scope": "read" })).await.json();
    let mut stream = gateway
        .ask("GET", "/v1/events/stream?type=none")
        .token(made["token"].as_str().unwrap().to_owned())
        .open()
        .await;
    assert_eq!(piece(&mut stream).await.unwrap(), "retry: 5000\n\n");
    let delete = async {
        tokio::task::yield_now().await;
        let path = format!("/v1/tokens/{}", made["id"].as_str().unwrap());
        assert_eq!(gateway.ask("DELETE", &path).send().await.status, 204);
        gateway.advance(Duration::from_secs(5));
    };
    let (told, ()) = tokio::join!(piece(&mut stream), delete);
    assert_eq!(told, None);
}

#[tokio::test]
async fn it_ends_when_the_gateway_stops() {
    let gateway = Gateway::start().await;
    let mut stream = open(&gateway, "", None).await;
    let stop = async {
        tokio::task::yield_now().await;
        gateway.app.stop();
    };
    let (told, ()) = tokio::join!(piece(&mut stream), stop);
    assert_eq!(told, None);
}

#[tokio::test]
async fn there_are_at_most_256_at_once() {
    let gateway = Gateway::start().await;
    let mut streams = Vec::new();
    for _ in 0..256 {
        streams.push(open(&gateway, "", None).await);
    }
    let reply = gateway.get("/v1/events/stream").await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "10"));
    streams.pop();
    open(&gateway, "", None).await;
}

#[tokio::test]
async fn bad_parameters_are_problems_before_it_begins() {
    let gateway = Gateway::start().await;
    for query in ["?timeout=0", "?timeout=3601", "?limit=1", "?after=x", "?type="] {
        assert_eq!(gateway.get(&format!("/v1/events/stream{query}")).await.status, 400, "{query}");
    }
    let reply = gateway.ask("GET", "/v1/events/stream").header("last-event-id", "x").send().await;
    assert_eq!(reply.problem(), "invalid-cursor");
    let reply = gateway.ask("HEAD", "/v1/events/stream").send().await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
}
