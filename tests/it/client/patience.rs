//! How often, how soon and for whom it asks again.

use super::{
    Hasty, access, client, first,
    scripted::{Asked, Say, Scripted, reply, said, usual},
};
use futures_util::FutureExt as _;
use hookwell::{
    azure::client::{Dial as _, Dialer, Failure, Host, Priority, SubscriptionDraft, Unreachable},
    clock::{Clock as _, ManualClock},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Fails that often, and then has no project.
fn after(failures: usize, failing: fn() -> Say) -> impl Fn(&Asked) -> Say {
    let asked = AtomicUsize::new(0);
    move |_| if asked.fetch_add(1, Ordering::SeqCst) < failures { failing() } else { said(&json!({ "value": [] })) }
}

fn draft() -> SubscriptionDraft {
    SubscriptionDraft {
        publisher: "tfs".into(),
        event_type: "git.push".into(),
        resource_version: "1.0".into(),
        publisher_inputs: BTreeMap::new(),
        consumer_inputs: BTreeMap::new(),
        password: super::secret("hook-password"),
    }
}

#[tokio::test]
async fn what_passes_by_itself_is_asked_again_twice() {
    let bad_days: [fn() -> Say; 3] = [|| Say::Cut, || reply(502, &[], ""), || reply(503, &[], "")];
    for failing in bad_days {
        let server = Scripted::start(after(2, failing)).await;
        assert!(client(&access(&server.origin)).projects(first(10)).await.is_ok());
        assert_eq!(server.count("GET", "/_apis/projects"), 3);
        let server = Scripted::start(after(3, failing)).await;
        assert!(client(&access(&server.origin)).projects(first(10)).await.is_err());
        assert_eq!(server.count("GET", "/_apis/projects"), 3);
    }
}

#[tokio::test]
async fn a_subscription_is_not_made_again_when_nobody_knows_whether_it_was() {
    let server = Scripted::start(after(1, || Say::Cut)).await;
    let failure = client(&access(&server.origin)).create_subscription(&draft()).await.unwrap_err();
    assert!(matches!(failure, Failure::Unreachable { at: Unreachable::Silent, .. }), "{failure:?}");
    assert_eq!(server.count("POST", "/_apis/hooks/subscriptions"), 1);
}

#[tokio::test]
async fn deleting_what_is_gone_is_as_good_as_deleting() {
    let server = Scripted::start(after(1, || Say::Cut)).await;
    let client = client(&access(&server.origin));
    client.delete_subscription(Host::Main, "one").await.unwrap();
    assert_eq!(server.count("DELETE", "/_apis/hooks/subscriptions/one"), 2);
    let server = Scripted::start(|_| reply(404, &[], "")).await;
    super::client(&access(&server.origin)).delete_subscription(Host::Main, "one").await.unwrap();
}

#[tokio::test]
async fn a_server_that_asks_for_more_patience_than_a_call_has_gets_it() {
    let server = Scripted::start(|_| reply(503, &[("retry-after", "300")], "")).await;
    let failure = client(&access(&server.origin)).projects(first(10)).await.unwrap_err();
    assert!(matches!(&failure, Failure::Unavailable { detail: Some(said) } if said.contains("300 s")), "{failure:?}");
    assert_eq!(server.count("GET", "/_apis/projects"), 1);
}

#[tokio::test]
async fn a_refused_credential_is_tried_again_by_people_only() {
    let server = Scripted::all(|_| reply(401, &[], "")).await;
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let dialer = Dialer::new(Arc::<ManualClock>::clone(&clock));
    let one = dialer.dial(&access(&server.origin)).unwrap();
    let two = dialer.dial(&access(&server.origin)).unwrap().at(Priority::Repair);
    assert!(one.connection_data().await.is_err());
    let asked = server.asked().len();
    for call in [two.connection_data().await.err(), two.at(Priority::Bulk).projects(first(10)).await.err()] {
        assert!(matches!(call, Some(Failure::Unauthorized { .. })));
    }
    assert_eq!(server.asked().len(), asked);
    assert!(one.connection_data().await.is_err());
    assert_eq!(server.asked().len(), asked + 1);
    clock.advance(Duration::from_mins(1));
    assert!(two.connection_data().await.is_err());
    assert_eq!(server.asked().len(), asked + 2);
}

#[tokio::test]
async fn a_good_answer_that_asks_to_wait_is_obeyed_by_all_clients_of_the_identity() {
    let delayed = [
        ("content-type", "application/json"),
        ("retry-after", "12"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-limit", "200"),
    ];
    let server = Scripted::start(move |_| reply(200, &delayed, r#"{"value":[]}"#)).await;
    let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
    let dialer = Dialer::new(Arc::<ManualClock>::clone(&clock));
    let client = dialer.dial(&access(&server.origin)).unwrap();
    client.projects(first(10)).await.unwrap();
    let other = dialer.dial(&access(&server.origin)).unwrap();
    let spent = other.spent();
    assert_eq!((spent.calls, spent.remaining_tstu, spent.limit_tstu), (2, Some(0.0), Some(200.0)));
    assert_eq!(spent.waiting_until, Some(clock.now() + Duration::from_secs(12)));
    let asked = server.asked().len();
    let failure = other.projects(first(10)).await.unwrap_err();
    assert_eq!(failure, Failure::Throttled { wait: Duration::from_secs(12) });
    let repair = other.at(Priority::Repair);
    let mut waiting = Box::pin(repair.connection_data());
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(server.asked().len(), asked);
    clock.advance(Duration::from_secs(12));
    waiting.await.unwrap();
}

#[tokio::test]
async fn a_blocked_identity_asks_nothing_before_its_time() {
    let server = Scripted::start(|_| reply(429, &[("retry-after", "60")], "")).await;
    let client = client(&access(&server.origin));
    for _ in 0..3 {
        let failure = client.projects(first(10)).await.unwrap_err();
        assert_eq!(failure, Failure::Throttled { wait: Duration::from_mins(1) });
    }
    assert_eq!(server.count("GET", "/_apis/projects"), 1);
}

#[tokio::test]
async fn tokens_of_one_user_share_what_they_may_spend() {
    let server = Scripted::start(|_| reply(429, &[("retry-after", "60")], "")).await;
    let dialer = Dialer::new(Hasty::new());
    let one = dialer.dial(&access(&server.origin)).unwrap();
    let credential = Some(hookwell::azure::client::Credential::Pat(super::secret("another-token")));
    let two = dialer.dial(&hookwell::azure::client::Access { credential, ..access(&server.origin) }).unwrap();
    one.connection_data().await.unwrap();
    two.connection_data().await.unwrap();
    one.projects(first(10)).await.unwrap_err();
    assert!(two.spent().waiting_until.is_some());
    assert_eq!(two.spent().calls, 5);
}

#[tokio::test]
async fn bulk_reading_is_paced() {
    let server = Scripted::all(|asked| usual(asked, "7.1").unwrap_or_else(|| said(&json!({ "value": [] })))).await;
    let clock = Hasty::new();
    let client = Dialer::new(Arc::<Hasty>::clone(&clock)).dial(&access(&server.origin)).unwrap().at(Priority::Bulk);
    let started = clock.monotonic();
    for _ in 0..320 {
        client.projects(first(10)).await.unwrap();
    }
    assert!(clock.monotonic().checked_sub(started).unwrap() >= Duration::from_mins(5));
}
