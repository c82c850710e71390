//! Pushes to a pull request whose branch is set back: each is told once, whatever was lost, rendered late, asked or replayed in
//! between.

use super::{
    acts::{PUSH, azure},
    pushed::{MINUTE, Pushed, facts, reasons},
};
use crate::real::Real;
use hookwell::{
    config::Settings,
    simulator::{Failing, Options, RefChange, Rule, When},
    store::{Journal as _, Log},
};
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;

const ALL: &str = "2020-11-01T00:00:00Z";

#[tokio::test]
async fn a_push_that_was_lost_comes_back_though_its_head_came_again() {
    let pushed = Pushed::begin().await;
    pushed.lose(1.0);
    pushed.push().await;
    pushed.push().await;
    pushed.lose(0.0);
    pushed.back().await;
    assert_eq!(pushed.heads().await, "a");
    for _ in 0..2 {
        pushed.sweep().await;
        assert_eq!(pushed.heads().await, "aba");
    }
}

#[tokio::test]
async fn a_branch_that_is_set_back_again_and_again_is_told_each_time() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    pushed.push().await;
    pushed.back().await;
    pushed.back().await;
    pushed.back().await;
    assert_eq!(pushed.heads().await, "ababa");
    pushed.sweep().await;
    assert_eq!(pushed.heads().await, "ababa");
}

#[tokio::test]
async fn a_notification_that_is_rendered_late_tells_no_push_again() {
    let pushed = Pushed::begin().await;
    let push = || pushed.real.simulator().push_commit(pushed.web, "feature/9", "More", &["/a"]).unwrap();
    // Nothing is delivered before both were made, so both notifications have the second head.
    push();
    pushed.real.gateway.advance(MINUTE * 20);
    push();
    pushed.real.pass(MINUTE).await;
    for _ in 0..2 {
        pushed.real.events().await;
        pushed.sweep().await;
        let heads = pushed.heads().await;
        assert!(["ab", "ba"].contains(&heads.as_str()), "{heads}");
    }
}

#[tokio::test]
async fn a_pull_request_of_more_events_than_are_remembered_has_no_push_twice() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    for n in 0..210 {
        pushed.real.simulator().comment_pull_request(pushed.number, &format!("{n}")).unwrap();
        if n % 30 == 0 {
            pushed.real.pass(Duration::from_secs(10)).await;
        }
    }
    pushed.sweep().await;
    assert_eq!(pushed.heads().await, "a");
    assert!(pushed.real.events().await.len() > 210);
}

#[tokio::test]
async fn two_lost_pushes_before_one_that_is_heard_with_the_same_head() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    pushed.push().await;
    assert_eq!(pushed.heads().await, "ab");
    pushed.lose(1.0);
    pushed.back().await;
    pushed.back().await;
    pushed.lose(0.0);
    pushed.back().await;
    for _ in 0..2 {
        assert_eq!(pushed.heads().await, "ababa");
        pushed.sweep().await;
    }
}

#[tokio::test]
async fn a_lost_push_back_to_a_head_that_a_look_asked_about_before_is_found_by_the_next_look() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    pushed.look().await;
    pushed.push().await;
    pushed.lose(1.0);
    pushed.back().await;
    pushed.lose(0.0);
    pushed.look().await;
    let heads = pushed.heads().await;
    pushed.sweep().await;
    assert_eq!((heads.as_str(), pushed.heads().await.as_str()), ("aba", "aba"), "second: by a backfill");
}

#[tokio::test]
async fn the_same_without_the_look_before() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    pushed.push().await;
    pushed.lose(1.0);
    pushed.back().await;
    pushed.lose(0.0);
    pushed.look().await;
    assert_eq!(pushed.heads().await, "aba");
}

#[tokio::test]
async fn a_push_that_a_record_told_is_not_told_again_by_an_unfiltered_hook_that_comes_late() {
    let mut pushed = Pushed::begin().await;
    pushed.push().await;
    let mut body = pushed.last_push().await;
    pushed.lose(1.0);
    pushed.push().await;
    pushed.lose(0.0);
    pushed.sweep().await;
    let told = pushed.told().await;
    let last = told.iter().rev().find(|event| azure(event, "updateReason") == "push").unwrap().clone();
    body["id"] = json!(Uuid::from_u128(77));
    body["resource"]["lastMergeSourceCommit"]["commitId"] = azure(&last, "sourceCommit").clone();
    let at: jiff::Timestamp = last["time"].as_str().unwrap().parse().unwrap();
    body["createdDate"] = (at + Duration::from_secs(3)).to_string().into();
    pushed.by_hand(&body, None).await;
    let after = pushed.told().await;
    assert_eq!(facts(&after).len(), facts(&told).len(), "{:#?}", after.last());
}

#[tokio::test]
async fn a_push_that_waits_for_what_comes_before_it_is_not_taken_for_an_earlier_one_of_its_head() {
    let pushed = Pushed::unheard().await;
    pushed.push().await;
    pushed.push().await;
    pushed.lose(0.0);
    pushed.back().await;
    // The push waits for the creation of its request.
    pushed.real.translate().await;
    for _ in 0..2 {
        pushed.sweep().await;
        assert_eq!(pushed.heads().await, "aba");
    }
}

#[tokio::test]
async fn a_push_that_a_hook_told_without_its_reason_is_told_no_second_time_by_the_record_which_knows_it() {
    let mut pushed = Pushed::begin().await;
    pushed.push().await;
    let mut body = pushed.last_push().await;
    pushed.real.events().await;
    // Of the request nothing is known any more.
    pushed.real.gateway.advance(MINUTE);
    let app = &pushed.real.gateway.app;
    pushed.real.gateway.store.trim(Log::Events, app.clock.now()).await.unwrap();
    pushed.before.clear();
    pushed.lose(1.0);
    let at = pushed.real.gateway.app.clock.now();
    pushed.push().await;
    pushed.lose(0.0);
    body["id"] = json!(Uuid::from_u128(78));
    body["resource"]["lastMergeSourceCommit"]["commitId"] = json!(pushed.head());
    body["createdDate"] = (at + Duration::from_secs(3)).to_string().into();
    pushed.by_hand(&body, None).await;
    let updates = async |pushed: &Pushed| {
        let all = pushed.told().await;
        let is_update = |event: &&Value| event["type"].as_str().unwrap().contains("change.updated");
        let last = |event: &Value| (azure(event, "sourceCommit").clone(), azure(event, "updateReason").clone());
        facts(&all).into_values().filter(is_update).map(last).collect::<Vec<_>>()
    };
    assert_eq!(updates(&pushed).await, [(json!(pushed.head()), Value::Null)]);
    for reason in [None, Some(PUSH)] {
        if let Some(reason) = reason {
            pushed.by_hand(&body, Some(reason)).await;
        }
        pushed.from = at;
        pushed.sweep().await;
        assert_eq!(updates(&pushed).await, [(json!(pushed.head()), json!("push"))], "{reason:?}");
    }
}

#[tokio::test]
async fn a_branch_that_is_set_back_is_told_where_nothing_waits_for_its_order() {
    let settings = Settings { order_wait: Duration::ZERO, backfill: Duration::ZERO, ..Settings::default() };
    let pushed = Pushed::on(Real::with(settings, Options::services("fabrikam")).await).await;
    pushed.push().await;
    pushed.push().await;
    pushed.back().await;
    let heads = pushed.heads().await;
    pushed.look().await;
    assert_eq!((heads.as_str(), pushed.heads().await.as_str()), ("aba", "aba"), "second: after a look");
}

#[tokio::test]
async fn a_branch_that_is_set_back_is_told_where_azure_does_not_show_its_iterations() {
    for answer in [Failing::NotFound, Failing::Forbidden, Failing::Unavailable] {
        let pushed = Pushed::begin().await;
        pushed.push().await;
        pushed.push().await;
        let rule = Rule::new("GET", "/iterations", When::Always, answer);
        pushed.real.simulator().fail(|faults| faults.rules = vec![rule]);
        pushed.back().await;
        let heads = pushed.heads().await;
        assert_eq!(heads, "aba", "{answer:?}");
    }
}

#[tokio::test]
async fn a_push_that_was_left_out_in_an_outage_is_found_after_it() {
    for looked_before in [false, true] {
        let pushed = Pushed::begin().await;
        pushed.push().await;
        if looked_before {
            pushed.look().await;
        }
        pushed.push().await;
        let rule = Rule::new("GET", "/iterations", When::Always, Failing::Unavailable);
        pushed.real.simulator().fail(|faults| faults.rules = vec![rule]);
        pushed.back().await;
        let during = pushed.heads().await;
        pushed.real.simulator().fail(|faults| faults.rules.clear());
        pushed.look().await;
        assert_eq!(pushed.heads().await, "aba", "looked before: {looked_before}; in the outage: {during}");
    }
}

#[tokio::test]
async fn each_notification_tells_its_own_push_though_an_earlier_one_was_rendered_late() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    pushed.real.events().await;
    let simulator = pushed.real.simulator();
    simulator.push_commit(pushed.web, "feature/9", "More", &["/a"]).unwrap();
    pushed.real.gateway.advance(MINUTE * 20);
    let again = pushed.real.gateway.app.clock.now();
    let change = RefChange::Back { branch: "feature/9".to_owned() };
    simulator.push(pushed.web, "", &[change]).unwrap();
    pushed.real.pass(MINUTE).await;
    assert_eq!(pushed.heads().await, "aba");
    let last = pushed.pushes().await.pop().unwrap();
    let time: jiff::Timestamp = last["time"].as_str().unwrap().parse().unwrap();
    assert!(time >= again, "pushed at {again}, told as of {time}");
}

#[tokio::test]
async fn a_notification_that_is_rendered_late_and_waits_for_the_translation_tells_no_push_that_a_sweep_composed() {
    let mut pushed = Pushed::begin().await;
    pushed.push().await;
    let mut body = pushed.last_push().await;
    pushed.lose(1.0);
    let lost = pushed.real.gateway.app.clock.now();
    pushed.push().await;
    pushed.real.gateway.advance(MINUTE * 20);
    pushed.push().await;
    pushed.lose(0.0);
    body["id"] = json!(Uuid::from_u128(77));
    body["createdDate"] = json!((lost + Duration::from_secs(1)).to_string());
    body["resource"]["lastMergeSourceCommit"]["commitId"] = json!(pushed.head());
    pushed.real.events().await;
    pushed.by_hand(&body, Some(PUSH)).await;
    for _ in 0..2 {
        pushed.sweep().await;
        let heads = pushed.heads().await;
        assert!(["abc", "acb"].contains(&heads.as_str()), "{heads}");
    }
}

#[tokio::test]
async fn an_unfiltered_hook_of_a_push_back_is_not_replaced_by_the_poorer_record() {
    let mut pushed = Pushed::begin().await;
    pushed.push().await;
    let mut body = pushed.last_push().await;
    pushed.push().await;
    pushed.real.events().await;
    pushed.lose(1.0);
    pushed.back().await;
    pushed.lose(0.0);
    let now = pushed.real.gateway.app.clock.now();
    body["id"] = json!(Uuid::from_u128(79));
    body["createdDate"] = (now - MINUTE + Duration::from_secs(2)).to_string().into();
    pushed.by_hand(&body, None).await;
    let all = pushed.pushes().await;
    assert_eq!(pushed.heads().await, "aba");
    assert!(azure(&all[2], "eventId").is_string(), "the hook's word: {:#?}", all[2]);
}

#[tokio::test]
async fn a_vote_after_a_push_that_a_record_told_is_a_vote() {
    let mut pushed = Pushed::begin().await;
    pushed.push().await;
    let mut body = pushed.last_push().await;
    pushed.real.events().await;
    pushed.lose(1.0);
    pushed.push().await;
    pushed.lose(0.0);
    pushed.sweep().await;
    let head = azure(pushed.pushes().await.last().unwrap(), "sourceCommit").clone();
    body["id"] = json!(Uuid::from_u128(80));
    body["resource"]["lastMergeSourceCommit"]["commitId"] = head;
    body["resource"]["reviewers"] = json!([{ "id": "m", "displayName": "Mei", "vote": 10 }]);
    body["createdDate"] = pushed.real.gateway.app.clock.now().to_string().into();
    pushed.by_hand(&body, None).await;
    let last = pushed.told().await.pop().unwrap();
    assert_eq!(azure(&last, "updateReason"), "vote", "had the push's hook not been lost, it would be one");
}

#[tokio::test]
async fn the_end_of_a_request_comes_after_a_push_that_azure_is_asked_for() {
    let pushed = Pushed::begin().await;
    pushed.push().await;
    pushed.push().await;
    pushed.real.events().await;
    pushed.back().await;
    pushed.real.simulator().complete_pull_request(pushed.number, false).unwrap();
    pushed.real.pass(MINUTE).await;
    let all = pushed.told().await;
    let merged = all.iter().position(|event| event["type"].as_str().unwrap().contains("change.merged"));
    let last = all.iter().rposition(|event| azure(event, "updateReason") == "push");
    assert!(last < merged, "{:?}", reasons(&all));
}

/// Sets a branch back, lets something happen at each point until that is told, and wants each push once.
async fn at_any_point(what: &str, happens: impl AsyncFn(&mut Pushed)) {
    for point in 0..6_u32 {
        let mut pushed = Pushed::begin().await;
        pushed.push().await;
        pushed.push().await;
        pushed.real.events().await;
        pushed.back().await;
        for at in 0..6_u32 {
            if at == point {
                happens(&mut pushed).await;
            }
            pushed.real.translate().await;
            if at % 2 == 1 {
                hookwell::recover::breaks::step(&pushed.real.gateway.app).await;
            }
            pushed.real.gateway.advance(Duration::from_secs(2));
        }
        assert_eq!(pushed.heads().await, "aba", "{what} at {point}");
        pushed.sweep().await;
        assert_eq!(pushed.heads().await, "aba", "{what} at {point}, swept");
        assert_eq!(pushed.real.gateway.app.order.holding(), 0);
    }
}

#[tokio::test]
async fn a_push_back_is_told_once_though_the_gateway_is_restarted_at_any_point() {
    at_any_point("restarted", async |pushed| {
        pushed.real.close_door().await;
        pushed.real.restart().await;
        pushed.real.open_door().await;
    })
    .await;
}

#[tokio::test]
async fn a_replay_at_any_point_tells_no_push_twice() {
    at_any_point("replayed", async |pushed| {
        let asked = json!({ "from": ALL, "to": "2036-12-01T00:00:00Z" });
        assert_eq!(pushed.real.gateway.post("/v1/replay", asked).await.status, 200);
    })
    .await;
}

/// Heads that come and go, hooks lost by dice, looks and sweeps in between: in the end each push once.
#[tokio::test]
async fn pushes_to_and_fro_with_lost_hooks_are_each_told_once_in_the_end() {
    let mut wrong = Vec::new();
    for seed in 0..24_u32 {
        let pushed = Pushed::begin().await;
        let mut dice = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
        let mut roll = |sides: u32| {
            dice ^= dice << 13;
            dice ^= dice >> 17;
            dice ^= dice << 5;
            dice % sides
        };
        pushed.push().await;
        pushed.push().await;
        let (mut what, mut expected) = (String::from("ab"), String::from("ab"));
        for _ in 0..6 {
            let is_lost = roll(2) == 0;
            pushed.lose(if is_lost { 1.0 } else { 0.0 });
            pushed.back().await;
            expected.push(if expected.ends_with('a') { 'b' } else { 'a' });
            what.push(if is_lost { '-' } else { '+' });
            match roll(4) {
                0 => {
                    what.push('e');
                    pushed.real.events().await;
                }
                1 => {
                    what.push('s');
                    pushed.sweep().await;
                }
                2 => {
                    what.push('t');
                    pushed.real.translate().await;
                }
                _ => {}
            }
        }
        pushed.lose(0.0);
        pushed.real.events().await;
        pushed.sweep().await;
        pushed.real.events().await;
        pushed.sweep().await;
        let heads = pushed.heads().await;
        if heads != expected {
            wrong.push(format!("{seed} {what}: {heads} for {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
