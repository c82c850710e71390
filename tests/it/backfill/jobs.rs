//! One job and several: what they make good, how they stop, go on and take turns.

use super::{after_days, begin, bind_builds, done, job, shown, sum};
use crate::real::{SHOP, events};
use hookwell::{
    backfill::{work::work, worker},
    domain::{BackfillState, BindingId},
    ledger::{Verdict, verify},
    simulator::{TokenState, tokens},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

#[tokio::test]
async fn a_new_binding_is_filled_by_itself_and_a_second_time_finds_everything_there() {
    let real = after_days(4).await;
    let binding = bind_builds(&real, "shop").await;
    let job = done(&real, binding).await;
    assert_eq!(job.state, BackfillState::Done, "{job:?}");
    let (found, repaired, unexplained) = sum(&job);
    assert!(found >= 80, "each of 40 builds began and ended: {job:?}");
    assert_eq!((repaired, unexplained), (found, 0), "{job:?}");
    let made = events(&real.gateway).await;
    assert_eq!(made.len() as u64, found);
    assert!(made.iter().all(|event| event.header.recovered.is_some()));
    // The ledger has its hours, and the binding is complete from the beginning of the job on.
    let query = format!("/v1/completeness?binding={binding}&from={}", job.from);
    let complete = real.gateway.get(&query).await.json()["data"][0].clone();
    let hours = complete["streams"][0]["hours"].as_array().unwrap();
    let expected: u64 = hours.iter().map(|hour| hour["expected"].as_u64().unwrap()).sum();
    assert_eq!((expected, hours.len()), (found, 95), "the first and the last hour are not whole");
    assert_eq!(complete["complete_from"], json!(job.from));
    assert_eq!((&complete["is_complete"], &complete["unexplained"]), (&json!(true), &json!(0)), "{complete}");
    assert_eq!(verify(&real.gateway.app).await.unwrap().verdict, Verdict::Intact);

    assert_eq!(begin(&real, binding, json!({})).await.status, 202);
    let again = done(&real, binding).await;
    assert_eq!((again.state.clone(), sum(&again).0), (BackfillState::Done, found), "{again:?}");
    assert_eq!(events(&real.gateway).await.len() as u64, found, "nothing came twice");
}

/// Lets a job come as far as its first slices.
async fn some_way(real: &crate::real::Real, binding: BindingId) {
    while job(real, binding).streams.iter().all(|stream| stream.until == job(real, binding).from) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cancelled_job_stops_and_goes_on_where_it_was() {
    let real = after_days(4).await;
    let binding = bind_builds(&real, "shop").await;
    let app = Arc::clone(&real.gateway.app);
    let working = tokio::spawn(async move { work(&app, binding).await });
    some_way(&real, binding).await;
    let path = format!("/v1/bindings/{binding}/backfill");
    assert_eq!(real.gateway.ask("DELETE", &path).send().await.status, 204);
    working.await.unwrap();
    let stopped = job(&real, binding);
    assert_eq!(stopped.state, BackfillState::Cancelled);
    let seen = shown(&real, binding).await;
    assert_eq!((&seen["state"], seen.get("seconds_left")), (&json!("cancelled"), None));
    assert!(0.0 < stopped.share() && stopped.share() < 1.0, "{stopped:?}");
    assert_eq!(real.gateway.ask("DELETE", &path).send().await.status, 204, "it does not run");

    let resumed = begin(&real, binding, json!({})).await;
    assert_eq!((resumed.status.as_u16(), &resumed.json()["state"]), (202, &json!("queued")));
    assert_eq!(resumed.json()["streams"], seen["streams"], "it goes on where it was");
    let ended = done(&real, binding).await;
    assert_eq!(ended.state, BackfillState::Done);
    let (found, repaired, _) = sum(&ended);
    let made = events(&real.gateway).await.len() as u64;
    assert_eq!((found, repaired), (made, made), "no slice is counted twice and none is left out");
}

#[tokio::test]
async fn what_dies_in_the_middle_of_a_slice_does_it_again_and_makes_nothing_twice() {
    let real = after_days(4).await;
    let binding = bind_builds(&real, "shop").await;
    for _ in 0..3 {
        let app = Arc::clone(&real.gateway.app);
        let working = tokio::spawn(async move { work(&app, binding).await });
        let before = real.simulator().calls().len();
        while real.simulator().calls().len() < before + 6 {
            tokio::task::yield_now().await;
        }
        working.abort();
        assert!(working.await.is_err());
        assert_eq!(job(&real, binding).state, BackfillState::Running);
    }
    let ended = done(&real, binding).await;
    assert_eq!(ended.state, BackfillState::Done);
    let made = events(&real.gateway).await.len() as u64;
    assert_eq!(sum(&ended), (made, made, 0));
    assert_eq!(verify(&real.gateway.app).await.unwrap().verdict, Verdict::Intact);
}

#[tokio::test]
async fn a_credential_that_is_refused_fails_it_with_the_reason_and_a_new_one_lets_it_go_on() {
    let real = after_days(4).await;
    let binding = bind_builds(&real, "shop").await;
    real.simulator().set_token(tokens::FULL, TokenState::Revoked);
    let failed = done(&real, binding).await;
    let BackfillState::Failed { reason } = &failed.state else { panic!("{failed:?}") };
    assert!(!reason.is_empty() && !reason.contains(tokens::FULL), "{reason}");
    let seen = shown(&real, binding).await;
    assert_eq!((&seen["state"], &seen["reason"]), (&json!("failed"), &json!(reason)));
    real.simulator().set_token(tokens::FULL, TokenState::Live);
    real.pass(Duration::from_mins(2)).await;
    assert_eq!(begin(&real, binding, json!({})).await.status, 202);
    assert_eq!(done(&real, binding).await.state, BackfillState::Done);
}

#[tokio::test]
async fn jobs_of_one_connection_take_turns_and_a_removed_binding_takes_its_job_along() {
    let real = after_days(4).await;
    let first = bind_builds(&real, "shop").await;
    // Who is older must be told by the clock.
    real.gateway.advance(Duration::from_secs(1));
    let second: BindingId =
        real.bind("web", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await.parse().unwrap();
    let third: BindingId = real.bind("work", SHOP, json!({ "role": "issue_provider" })).await.parse().unwrap();
    real.run().await;
    real.unbind(&third.to_string()).await;
    let working = tokio::spawn(worker::run(Arc::clone(&real.gateway.app)));
    let mut seen = Vec::new();
    loop {
        let states = [shown(&real, first).await["state"].clone(), shown(&real, second).await["state"].clone()];
        let at_work = states.iter().filter(|state| **state == "running").count();
        assert!(at_work <= 1, "{states:?}");
        if states == ["done", "done"] {
            break;
        }
        seen.push(states);
        // Waiting for the translation takes time.
        real.gateway.advance(Duration::from_millis(200));
        tokio::task::yield_now().await;
    }
    assert!(seen.contains(&[json!("running"), json!("queued")]), "the older goes first: {seen:?}");
    assert!(seen.contains(&[json!("done"), json!("running")]), "{seen:?}");
    assert!(hookwell::backfill::control::find(&real.gateway.app, third).is_none());
    real.gateway.app.stop();
    working.await.unwrap();
}

#[tokio::test]
async fn work_items_are_filled_by_their_revisions() {
    let real = after_days(4).await;
    let binding: BindingId = real.bind("work", SHOP, json!({ "role": "issue_provider" })).await.parse().unwrap();
    real.run().await;
    let ended = done(&real, binding).await;
    assert_eq!(ended.state, BackfillState::Done);
    let (found, repaired, unexplained) = sum(&ended);
    assert!(found >= 60 && repaired == found && unexplained == 0, "{ended:?}");
    assert_eq!(events(&real.gateway).await.len() as u64, found);
}

#[tokio::test]
async fn where_new_bindings_are_not_filled_none_begins_by_itself() {
    let real = after_days(0).await;
    let binding = bind_builds(&real, "shop").await;
    let path = format!("/v1/bindings/{binding}/backfill");
    assert_eq!(real.gateway.get(&path).await.status, 404);
    let refused = begin(&real, binding, json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.wrong()), (422, vec!["/from".to_owned()]));
    let from = real.gateway.app.clock.now() - Duration::from_hours(24);
    assert_eq!(begin(&real, binding, json!({ "from": from.to_string() })).await.status, 202);
    assert_eq!(done(&real, binding).await.state, BackfillState::Done);
}

#[tokio::test]
async fn a_binding_that_selects_something_else_is_filled_anew() {
    let real = after_days(4).await;
    let binding = bind_builds(&real, "shop").await;
    let before = done(&real, binding).await;
    assert_eq!(before.state, BackfillState::Done);
    real.pass(Duration::from_mins(1)).await;
    let path = format!("/v1/bindings/{binding}");
    let change = async |body: serde_json::Value| {
        let reply = real.gateway.ask("PATCH", &path).header("if-match", "*").json(&body).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
    };
    change(json!({ "name": "Builds" })).await;
    assert_eq!(job(&real, binding), before, "a name has no past");
    change(json!({ "pipelines": ["web shop CI"] })).await;
    assert_eq!(job(&real, binding).state, BackfillState::Running);
}
