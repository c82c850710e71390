//! What is tried again, what is not, and who waits: on a clock that the test moves.

use super::{Reply, Scripted, access, dial, reply};
use hookwell::{
    azure::client::{Failure, PageRequest, Priority, SubscriptionDraft},
    clock::{Clock as _, ManualClock},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

const PAGE: PageRequest = PageRequest { items_max: 1, from: None };

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-25T10:00:00Z".parse().unwrap()))
}

fn nothing() -> Reply {
    reply(200, &json!({"count": 0, "value": []}))
}

/// Moves the clock whenever the future waits for it.
async fn while_time_passes<T>(clock: &ManualClock, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    loop {
        tokio::select! {
            biased;
            value = &mut future => return value,
            () = tokio::task::yield_now() => clock.advance(Duration::from_millis(10)),
        }
    }
}

/// The first `n` answers are `bad`.
async fn failing_at_first(n: u32, bad: fn() -> Reply) -> (Scripted, Arc<AtomicU32>) {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let server = Scripted::start(move |_| if count.fetch_add(1, Ordering::SeqCst) < n { bad() } else { nothing() });
    (server.await, asked)
}

fn draft() -> SubscriptionDraft {
    SubscriptionDraft {
        publisher: "tfs".to_owned(),
        event_type: "git.push".to_owned(),
        resource_version: "1.0".to_owned(),
        publisher_inputs: BTreeMap::new(),
        consumer_inputs: BTreeMap::new(),
        password: String::new().into(),
    }
}

#[tokio::test]
async fn reading_is_tried_again_and_making_is_not() {
    let (clock, unavailable) = (clock(), || reply(500, &json!({"message": "a bad moment"})));
    let (server, asked) = failing_at_first(2, unavailable).await;
    let azure = dial(&access(&server.base), Arc::<ManualClock>::clone(&clock));
    assert!(while_time_passes(&clock, azure.projects(PAGE)).await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 3);

    let (server, asked) = failing_at_first(9, unavailable).await;
    let azure = dial(&access(&server.base), Arc::<ManualClock>::clone(&clock));
    let failed = while_time_passes(&clock, azure.projects(PAGE)).await;
    assert_eq!(failed.unwrap_err(), Failure::Unavailable { detail: Some("a bad moment".to_owned()) });
    assert_eq!(asked.load(Ordering::SeqCst), 3, "not for ever");
    let made = while_time_passes(&clock, azure.create_subscription(&draft())).await;
    assert!(matches!(made, Err(Failure::Unavailable { .. })));
    assert_eq!(asked.load(Ordering::SeqCst), 4, "it may have been made: whoever asks must look first");
}

#[tokio::test]
async fn a_wait_that_azure_asks_for_holds_for_every_call_of_the_identity() {
    let clock = clock();
    let (server, asked) = failing_at_first(1, || {
        let mut reply = nothing();
        reply.headers_mut().insert("retry-after", "25".parse().unwrap());
        reply
    })
    .await;
    let azure = dial(&access(&server.base), Arc::<ManualClock>::clone(&clock));
    assert!(azure.projects(PAGE).await.is_ok(), "delayed, and answered all the same");
    assert_eq!(azure.spent().waiting_until, Some(clock.now() + Duration::from_secs(25)));
    let told = azure.projects(PAGE).await.unwrap_err();
    assert_eq!(told, Failure::Throttled { wait: Duration::from_secs(25) });
    assert_eq!(asked.load(Ordering::SeqCst), 1, "it was not even asked");
    let repair = azure.at(Priority::Repair);
    assert!(while_time_passes(&clock, repair.projects(PAGE)).await.is_ok(), "what repairs waits longer");
}

#[tokio::test]
async fn a_blocked_call_waits_its_time_and_goes_again() {
    let clock = clock();
    let (server, asked) = failing_at_first(1, || {
        let mut reply = reply(429, &json!({"message": "TF400733: The request has been canceled"}));
        reply.headers_mut().insert("retry-after", "5".parse().unwrap());
        reply
    })
    .await;
    let azure = dial(&access(&server.base), Arc::<ManualClock>::clone(&clock));
    let began = clock.monotonic();
    let made = while_time_passes(&clock, azure.repositories(None)).await;
    assert!(made.is_ok() && clock.monotonic() - began >= Duration::from_secs(5));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_older_server_is_spoken_to_in_its_version_also_when_it_changes() {
    let server = Scripted::start(|seen| {
        if seen.target.contains("api-version=7.1") {
            let message = "The requested REST API version of 7.1 is out of range for this server. The latest REST API version this server supports is 6.0.";
            return reply(400, &json!({"message": message, "typeKey": "VssVersionOutOfRangeException"}));
        }
        nothing()
    })
    .await;
    let azure = dial(&access(&server.base), clock());
    assert!(azure.projects(PAGE).await.is_ok());
    assert_eq!(azure.api_version().await.unwrap().to_string(), "6.0");
    assert!(azure.projects(PAGE).await.is_ok());
    assert_eq!(server.seen().len(), 3, "the version is remembered");
}
