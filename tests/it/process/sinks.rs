//! Handing on under kill -9: what a sink wants reaches it at least once, of each entity in order, under one id.

use super::{ADMIN_TOKEN, Hook, Process};
use crate::dispatch::receiver::{Answer, Got, Receiver};
use hookwell::simulator::Organization;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use uuid::Uuid;

/// Rounds in the suite; `make crash` asks for 20.
const ROUNDS: usize = 4;
const PUSHES: usize = 40;
const BRANCHES: usize = 5;

/// What the receiver does until the next kill.
#[derive(Default)]
struct Mood {
    /// So many requests are answered yet, then all are held open.
    answers: usize,
    /// The next request that was not cut before is cut, so that something waits to be tried again over each kill.
    cuts: bool,
    cut: BTreeSet<String>,
}

impl Mood {
    fn begin(&mut self, answers: usize) {
        (self.answers, self.cuts) = (answers, true);
    }

    fn answer(&mut self, got: &Got) -> Answer {
        let Some(answers) = self.answers.checked_sub(1) else { return Answer::Hang };
        self.answers = answers;
        // Twice for the same would be minutes until the next attempt.
        if self.cuts && self.cut.insert(got.header("webhook-id").to_owned()) {
            self.cuts = false;
            return Answer::Cut;
        }
        Answer::status(204)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_gets_every_event_in_order_under_one_id_whenever_kill_9_comes() {
    let rounds = std::env::var("HOOKWELL_CRASH_ROUNDS").ok().map_or(ROUNDS, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mood: Arc<Mutex<Mood>> = Arc::default();
    let decided = Arc::clone(&mood);
    let receiver = Receiver::deciding(move |got| decided.lock().unwrap().answer(got)).await;
    let mut process = Process::start(folder.path(), &[]);
    let hook = process.connect().await;
    let secret = sink(&process, &receiver).await;
    let mut office = Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap());

    let mut got = Vec::new();
    for round in 0..rounds {
        // The moment is the test's input: the request after so many is under way when it is killed.
        let answers = usize::from(Uuid::new_v4().as_bytes()[0]) % (PUSHES - BRANCHES);
        mood.lock().unwrap().begin(answers);
        for push in 0..PUSHES {
            deliver(&process, &hook, &mut office, push % BRANCHES).await;
        }
        for _ in 0..=answers {
            got.push(receiver.next().await);
        }
        process.kill();
        eprintln!("round {round}: killed at the request after {answers}");
        process = Process::start(folder.path(), &[]);
    }
    mood.lock().unwrap().answers = usize::MAX;
    process.idle().await;
    let events = journal(&process).await;
    assert_eq!(events.len(), rounds * PUSHES);
    while taken(&got) < events.len() {
        got.push(receiver.next().await);
    }
    holds(&events, &got, &secret);
    assert!(got.len() >= events.len() + rounds, "what was under way is repeated");
}

/// How many events the receiver has taken.
fn taken(got: &[Got]) -> usize {
    let ids = got.iter().filter(|got| got.taken).map(|got| got.header("webhook-id"));
    ids.collect::<BTreeSet<_>>().len()
}

/// A webhook at the receiver; answers what it is signed with.
async fn sink(process: &Process, receiver: &Receiver) -> String {
    let body = json!({
        "name": "receiver", "kind": "webhook", "settings": { "url": receiver.url() }, "allow_private": true,
        "allow_http": true, "start": "beginning", "in_flight_max": 3,
    });
    let request = process.client.post(format!("{}/v1/sinks", process.base)).bearer_auth(ADMIN_TOKEN).json(&body);
    let made: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
    made["secret"].as_str().unwrap().to_owned()
}

async fn deliver(process: &Process, hook: &Hook, office: &mut Organization, branch: usize) {
    let delivery = office.push(&format!("branch-{branch}"));
    assert_eq!(hook.deliver(process, &delivery).await.unwrap().status(), 200);
}

/// All events as they are kept, by id.
async fn journal(process: &Process) -> BTreeMap<String, Value> {
    let (mut all, mut path) = (BTreeMap::new(), "/v1/events?limit=100".to_owned());
    loop {
        let page = process.json(&path).await;
        let data = page["data"].as_array().unwrap();
        all.extend(data.iter().map(|event| (event["id"].as_str().unwrap().to_owned(), event.clone())));
        match page["next"].as_str() {
            Some(next) if !data.is_empty() => path = format!("/v1/events?limit=100&after={next}"),
            _ => return all,
        }
    }
}

/// Each request is an event as it is kept, signed under its id, and not before all older ones of its entity were taken.
fn holds(events: &BTreeMap<String, Value>, got: &[Got], secret: &str) {
    let signature = standardwebhooks::Webhook::new(secret).unwrap();
    let sequence = |event: &Value| event["sequence"].as_str().unwrap().parse::<u64>().unwrap();
    let mut due: BTreeMap<&str, BTreeMap<u64, &str>> = BTreeMap::new();
    for (id, event) in events {
        due.entry(event["partitionkey"].as_str().unwrap()).or_default().insert(sequence(event), id);
    }
    assert_eq!(due.len(), BRANCHES, "a branch is an entity");
    for request in got {
        signature.verify(&request.body, &request.headers).unwrap();
        let (id, event) = (request.header("webhook-id"), request.json());
        assert_eq!(events.get(id), Some(&event), "an event as it is kept");
        let entity = due.get_mut(event["partitionkey"].as_str().unwrap()).unwrap();
        let oldest = entity.first_key_value().map_or(u64::MAX, |(sequence, _)| *sequence);
        assert!(sequence(&event) <= oldest, "{id} came before the {oldest}th had been taken");
        if request.taken {
            entity.remove(&sequence(&event));
        }
    }
    assert!(due.values().all(BTreeMap::is_empty), "something was skipped: {due:?}");
}
