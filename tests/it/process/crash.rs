//! The promise under kill -9: what was answered 200 is there and its events exist exactly once; what was refused is not.

use super::{Hook, Process};
use hookwell::{
    domain::{Notification, NotificationId},
    event::Event,
    simulator::Organization,
    store::{self, Journal as _, Log, PageLimit, Position, Record, Store as _, embedded::EmbeddedStore},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use uuid::Uuid;

/// Rounds in the suite; `make crash` asks for 20.
const ROUNDS: u32 = 3;
const CONNECTIONS: u32 = 64;
/// Every so many deliveries of a connection, one has the wrong password.
const STRANGER_EVERY: u32 = 10;

/// What the senders know at the end.
#[derive(Default)]
struct Books {
    /// Answered 200, by id.
    accepted: BTreeSet<Uuid>,
    /// The deliveries that were answered 401, by the head of their push.
    refused: BTreeSet<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_200_survives_kill_9_and_becomes_events_exactly_once() {
    let rounds = std::env::var("HOOKWELL_CRASH_ROUNDS").ok().map_or(ROUNDS, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let hook = process.connect().await;
    assert_eq!(process.stop(), Some(0));

    let mut books = Books::default();
    for round in 0..rounds {
        let process = Arc::new(Process::start(folder.path(), &[]));
        let killed = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..CONNECTIONS)
            .map(|sender| {
                let (process, hook, killed) = (Arc::clone(&process), hook.clone(), Arc::clone(&killed));
                tokio::spawn(async move { send(&process, &hook, &killed, 1 + round * CONNECTIONS + sender).await })
            })
            .collect();
        // The moment is the test's input, not a wait for something: any moment will do.
        let moment = Duration::from_millis(150 + u64::from(Uuid::new_v4().as_bytes()[0]) * 5);
        tokio::time::sleep(moment).await;
        kill(&process);
        killed.store(true, Ordering::SeqCst);
        for sender in senders {
            let told = sender.await.unwrap();
            books.accepted.extend(told.accepted);
            books.refused.extend(told.refused);
        }
        eprintln!("round {round}: killed after {moment:?}, {} accepted so far", books.accepted.len());
    }

    let process = Process::start(folder.path(), &[]);
    process.idle().await;
    assert_eq!(process.stop(), Some(0));
    assert!(!books.accepted.is_empty() && !books.refused.is_empty());
    holds(folder.path(), &books).await;
}

fn kill(process: &Process) {
    let pid = process.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
}

/// Sends until the gateway is gone.
async fn send(process: &Process, hook: &Hook, killed: &AtomicBool, seed: u32) -> Books {
    let mut office = Organization::new("fabrikam", seed.into(), "2026-11-04T08:00:00Z".parse().unwrap());
    let stranger = Hook { password: "wrong".to_owned(), ..hook.clone() };
    let mut books = Books::default();
    for number in 1.. {
        let mut delivery = office.push("main");
        // The simulated subscriptions are the same for every seed; these are different ones.
        delivery.body = String::from_utf8(delivery.body)
            .unwrap()
            .replace("\"notificationId\":", &format!("\"notificationId\":{seed}0"))
            .into();
        let sender = if number % STRANGER_EVERY == 0 { &stranger } else { hook };
        let Ok(response) = sender.deliver(process, &delivery).await else { break };
        let status = response.status().as_u16();
        let Ok(answer) = response.json::<serde_json::Value>().await else { break };
        match status {
            200 => {
                books.accepted.insert(answer["notification"].as_str().unwrap().parse().unwrap());
            }
            401 => {
                let body: serde_json::Value = serde_json::from_slice(&delivery.body).unwrap();
                books.refused.insert(body["resource"]["refUpdates"][0]["newObjectId"].as_str().unwrap().to_owned());
            }
            503 => {}
            other => panic!("{other}: {answer}"),
        }
        if killed.load(Ordering::SeqCst) {
            break;
        }
    }
    books
}

/// Reads the data directory itself: the API could only repeat what the journal says.
async fn holds(data_dir: &Path, books: &Books) {
    let store = EmbeddedStore::open(data_dir, store::embedded::Options::default()).unwrap();
    let mut kept: BTreeMap<Uuid, u32> = BTreeMap::new();
    for record in records(&store, Log::Notifications).await {
        let notification = Notification::from_stored(NotificationId(record.key), &record.body).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&notification.body).unwrap();
        let head = body["resource"]["refUpdates"][0]["newObjectId"].as_str().unwrap();
        assert!(!books.refused.contains(head), "a refused delivery is in the journal");
        assert!(kept.insert(record.key, 0).is_none(), "a notification is there twice");
    }
    let mut ids = BTreeSet::new();
    for record in records(&store, Log::Events).await {
        assert!(ids.insert(record.key), "an event is there twice");
        let event = Event::from_stored(record.key, &record.body).unwrap();
        *kept.get_mut(&event.header.notification.0).expect("an event of a kept notification") += 1;
    }
    let missing: Vec<_> = books.accepted.iter().filter(|id| !kept.contains_key(id)).collect();
    assert!(missing.is_empty(), "{} acknowledged notifications are missing", missing.len());
    let wrong: Vec<_> = kept.iter().filter(|(_, events)| **events != 1).collect();
    assert!(wrong.is_empty(), "{} of {} notifications have not exactly one event", wrong.len(), kept.len());
    store.close().await;
}

/// All that a log has.
pub(super) async fn records(store: &EmbeddedStore, log: Log) -> Vec<Record> {
    let (mut all, mut after) = (Vec::new(), Position(0));
    loop {
        let limit = PageLimit { records_max: 1_000, body_bytes_max: 16 << 20 };
        let page = store.read(log, after, limit).await.unwrap();
        let Some(last) = page.last() else { return all };
        after = last.position;
        all.extend(page);
    }
}
