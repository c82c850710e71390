//! The worker looks by itself: at start, when asked, and when a connection works again.

use super::{bound, losses::unfilled};
use crate::real::{Real, SHOP};
use hookwell::{
    app::checks,
    azure::client::Priority,
    recover::worker,
    simulator::Odds,
    store::{Journal as _, Log, Registry as _},
};
use std::{sync::Arc, time::Duration};

/// Lets everything that is under way go on until this is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..2_000_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never: {what}");
}

fn journal(real: &Real) -> u64 {
    real.gateway.store.tail(Log::Notifications).borrow().0
}

/// A new bug of which no hook tells.
async fn lost_bug(real: &Real) {
    let project = real.simulator().project(SHOP).unwrap();
    real.simulator().create_work_item(project, "Bug", "It is slow").unwrap();
    real.pass(Duration::from_mins(6)).await;
}

#[tokio::test]
async fn the_worker_looks_at_start_when_asked_and_when_a_connection_works_again() {
    let real = unfilled().await;
    bound(&real).await;
    real.simulator().fail(|faults| faults.hooks.lose = Odds::probability(1.0));
    lost_bug(&real).await;
    let working = tokio::spawn(worker::run(Arc::clone(&real.gateway.app)));
    until("it looks at start", || journal(&real) == 1).await;
    until("and writes down how far", || real.gateway.store.list("watermark").len() == 5).await;

    lost_bug(&real).await;
    let reply = real.gateway.post(&format!("/v1/connections/{}/sync", real.connection), serde_json::json!({})).await;
    assert_eq!(reply.status, 202);
    until("it looks when it is asked", || journal(&real) == 2).await;

    real.simulator().fail(|faults| faults.credentials_dead = true);
    checks::check(&real.gateway.app, real.connection, Priority::Repair).await.unwrap();
    // It is seen that the connection does not work.
    real.pass(Duration::from_secs(40)).await;
    lost_bug(&real).await;
    real.simulator().fail(|faults| faults.credentials_dead = false);
    real.pass(Duration::from_mins(2)).await;
    checks::check(&real.gateway.app, real.connection, Priority::Repair).await.unwrap();
    for _ in 0..10 {
        real.pass(Duration::from_mins(1)).await;
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
        }
    }
    until("it looks when the connection works again", || journal(&real) == 3).await;
    real.gateway.app.stop();
    working.await.unwrap();
}
