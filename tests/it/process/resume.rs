//! Readers go on where they were, across restarts and kills of the gateway, without gap or repeat.

use super::{ADMIN_TOKEN, Hook, Process};
use hookwell::simulator::Organization;
use reqwest::Response;
use serde_json::Value;

/// One event as the stream gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    cursor: String,
    data: String,
}

/// A stream and what came of it so far.
struct Stream {
    response: Response,
    bytes: Vec<u8>,
}

impl Stream {
    async fn open(process: &Process, last_seen: Option<&str>) -> Self {
        let request = process.client.get(format!("{}/v1/events/stream", process.base)).bearer_auth(ADMIN_TOKEN);
        let request = if let Some(id) = last_seen { request.header("last-event-id", id) } else { request };
        Self { response: request.send().await.unwrap().error_for_status().unwrap(), bytes: Vec::new() }
    }

    /// The whole frames so far that are events; a heartbeat has no data, and what a cut left over is none.
    fn frames(&self) -> Vec<Frame> {
        let text = String::from_utf8_lossy(&self.bytes);
        let whole = text.rsplit_once("\n\n").map_or("", |(whole, _)| whole);
        let field = |frame: &str, name: &str| frame.lines().find_map(|line| Some(line.strip_prefix(name)?.to_owned()));
        let frame = |text: &str| Some(Frame { cursor: field(text, "id: ")?, data: field(text, "data: ")? });
        whole.split("\n\n").filter_map(frame).collect()
    }

    /// Reads until there are so many events.
    async fn read(&mut self, count: usize) -> Vec<Frame> {
        while self.frames().len() < count {
            let piece = self.response.chunk().await.unwrap().expect("a stream does not end by itself");
            self.bytes.extend_from_slice(&piece);
        }
        self.frames()
    }

    /// Reads to a proper end: a cut would be an error.
    async fn rest(mut self) -> Vec<Frame> {
        while let Some(piece) = self.response.chunk().await.expect("the stream ends and is not cut") {
            self.bytes.extend_from_slice(&piece);
        }
        self.frames()
    }
}

struct Sender {
    hook: Hook,
    office: Organization,
    /// The head of each push, in the order of delivery.
    heads: Vec<String>,
}

impl Sender {
    async fn new(process: &Process) -> Self {
        let office = Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap());
        Self { hook: process.connect().await, office, heads: Vec::new() }
    }

    async fn deliver(&mut self, process: &Process, count: usize) {
        for _ in 0..count {
            let delivery = self.office.push("main");
            assert_eq!(self.hook.deliver(process, &delivery).await.unwrap().status(), 200);
            let body: Value = serde_json::from_slice(&delivery.body).unwrap();
            self.heads.push(body["resource"]["refUpdates"][0]["newObjectId"].as_str().unwrap().to_owned());
        }
    }

    /// Every delivery's event, once, in the order of delivery, and nothing else.
    fn assert_told(&self, events: &[String]) {
        assert_eq!(events.len(), self.heads.len());
        for (event, head) in events.iter().zip(&self.heads) {
            assert!(event.contains(head.as_str()), "{head} is not in its turn: {event}");
        }
    }
}

fn assert_ended_well((code, log): (Option<i32>, String)) {
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("did not finish"), "something had to be cut:\n{log}");
}

#[tokio::test]
async fn a_stream_goes_on_after_its_last_id_across_a_stop_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let mut sender = Sender::new(&process).await;
    let mut seen: Vec<Frame> = Vec::new();

    sender.deliver(&process, 5).await;
    let mut stream = Stream::open(&process, None).await;
    let frames = stream.read(5).await;
    // The gateway sent more than the reader came to look at.
    seen.extend_from_slice(&frames[..3]);
    assert_ended_well(process.stop_with_log());
    assert_eq!(stream.rest().await, frames, "the stream ends with the gateway and says nothing more");

    let process = Process::start(folder.path(), &[]);
    let mut stream = Stream::open(&process, Some(&seen[2].cursor)).await;
    sender.deliver(&process, 4).await;
    seen.extend(stream.read(6).await);
    process.kill();

    let process = Process::start(folder.path(), &[]);
    sender.deliver(&process, 3).await;
    let last_seen = seen[seen.len() - 1].cursor.clone();
    let mut stream = Stream::open(&process, Some(&last_seen)).await;
    stream.read(3).await;
    process.idle().await;
    assert_ended_well(process.stop_with_log());
    seen.extend(stream.rest().await);

    let events: Vec<String> = seen.iter().map(|frame| frame.data.clone()).collect();
    sender.assert_told(&events);
}

#[tokio::test]
async fn paging_goes_on_after_next_across_a_stop_and_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let mut sender = Sender::new(&process).await;
    let (mut seen, mut next) = (Vec::new(), String::new());
    let page = async |process: &Process, next: &mut String, limit: usize| {
        let after = if next.is_empty() { String::new() } else { format!("&after={next}") };
        let page = process.json(&format!("/v1/events?limit={limit}{after}")).await;
        page["next"].as_str().unwrap().clone_into(next);
        page["data"].as_array().unwrap().iter().map(Value::to_string).collect::<Vec<_>>()
    };

    sender.deliver(&process, 5).await;
    process.idle().await;
    seen.extend(page(&process, &mut next, 3).await);
    assert_ended_well(process.stop_with_log());

    let process = Process::start(folder.path(), &[]);
    sender.deliver(&process, 4).await;
    process.idle().await;
    seen.extend(page(&process, &mut next, 4).await);
    process.kill();

    let process = Process::start(folder.path(), &[]);
    sender.deliver(&process, 3).await;
    process.idle().await;
    seen.extend(page(&process, &mut next, 1_000).await);
    assert_eq!(page(&process, &mut next, 1_000).await, Vec::<String>::new(), "the end is the end");
    sender.assert_told(&seen);
}
