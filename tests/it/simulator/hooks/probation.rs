use super::Stage;
use hookwell::{
    azure::client::SubscriptionStatus,
    simulator::{NotificationResult, NotificationStatus, OnProbation},
};
use serde_json::json;
use std::time::Duration;

const MINUTE: i64 = 60;

#[tokio::test]
async fn a_transient_failure_is_retried_eight_times_at_the_documented_waits_and_then_endures() {
    for status in [408, 502, 503, 504] {
        let stage = Stage::new().await;
        let id = stage.subscribe().await;
        stage.receiver.script(&[status; 9]);
        stage.push().await;
        for attempt in 1..9 {
            assert_eq!(stage.status(id), SubscriptionStatus::Enabled);
            let waiting = stage.notification(id, 1);
            assert_eq!((waiting.attempts, waiting.status), (attempt, NotificationStatus::Queued));
            assert!(stage.next().await);
        }
        assert_eq!(stage.receiver.waits(), [1, 2, 4, 8, 16, 32, 60, 60], "{status}");
        let numbers: Vec<_> = stage.receiver.got().iter().map(|own| own.body["notificationId"].clone()).collect();
        assert_eq!(numbers, vec![json!(1); 9], "a retry is the same notification");
        let failed = stage.notification(id, 1);
        assert_eq!((failed.attempts, failed.result), (9, NotificationResult::Failed));
        assert_eq!(stage.status(id), SubscriptionStatus::OnProbation);
    }
}

#[tokio::test]
async fn a_retry_that_succeeds_leaves_the_subscription_as_it_was() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[503, 503]);
    stage.push().await;
    assert!(stage.next().await && stage.next().await);
    let delivered = stage.notification(id, 1);
    assert_eq!((delivered.attempts, delivered.result), (3, NotificationResult::Succeeded));
    assert_eq!(stage.status(id), SubscriptionStatus::Enabled);
    assert!(!stage.next().await, "nothing is left to do");
    let totals = stage.hooks().totals();
    assert_eq!((totals.notifications, totals.attempts, totals.delivered, totals.failed), (1, 3, 1, 0));
}

#[tokio::test]
async fn retries_let_later_events_pass() {
    let stage = Stage::new().await;
    stage.subscribe().await;
    stage.receiver.script(&[503]);
    stage.push().await;
    stage.push().await;
    assert!(stage.next().await);
    let numbers: Vec<_> = stage.receiver.got().iter().map(|own| own.body["notificationId"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 1]);
}

#[tokio::test]
async fn everything_else_is_not_retried_and_leads_to_probation() {
    for status in [301, 400, 401, 403, 404, 413, 422, 429, 500, 501] {
        let stage = Stage::new().await;
        let id = stage.subscribe().await;
        stage.receiver.script(&[status]);
        stage.push().await;
        assert_eq!(stage.receiver.got().len(), 1, "{status}");
        assert_eq!(stage.status(id), SubscriptionStatus::OnProbation, "{status}");
        assert_eq!(stage.notification(id, 1).result, NotificationResult::Failed);
    }
}

#[tokio::test]
async fn probation_ends_after_seven_probes_in_36_hours() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.usually(500);
    stage.push().await;
    for probes in 0..7 {
        assert_eq!(stage.status(id), SubscriptionStatus::OnProbation);
        assert_eq!(stage.read(id).await["probationRetries"], probes);
        assert!(stage.next().await);
    }
    assert_eq!(stage.receiver.waits(), [20, 40, 80, 160, 320, 640, 900].map(|minutes| minutes * MINUTE));
    assert_eq!(stage.status(id), SubscriptionStatus::DisabledBySystem);
    assert!(!stage.next().await);
    stage.push().await;
    assert_eq!(stage.receiver.got().len(), 8, "a disabled subscription is silent");
    let shown = stage.read(id).await;
    assert_eq!((&shown["status"], &shown["probationRetries"]), (&json!("disabledBySystem"), &json!(7)));
}

#[tokio::test]
async fn a_probe_that_succeeds_enables_and_what_happened_meanwhile_is_lost() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[500]);
    stage.push().await;
    stage.push().await;
    assert_eq!(stage.hooks().totals().lost, 1);
    assert!(stage.next().await);
    assert_eq!(stage.status(id), SubscriptionStatus::Enabled);
    stage.push().await;
    let numbers: Vec<_> = stage.receiver.got().iter().map(|own| own.body["notificationId"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 1, 2], "the probe repeats what failed; the history does not know of what was lost");
    assert_eq!(stage.notification(id, 1).result, NotificationResult::Succeeded);
    let totals = stage.hooks().totals();
    assert_eq!((totals.delivered, totals.failed), (2, 0));
}

#[tokio::test]
async fn with_the_switch_new_events_are_sent_on_probation_and_lift_it() {
    let stage = Stage::new().await;
    stage.simulator().fail(|faults| faults.hooks.on_probation = OnProbation::Everything);
    let id = stage.subscribe().await;
    stage.receiver.script(&[500, 500]);
    stage.push().await;
    stage.push().await;
    assert_eq!(stage.status(id), SubscriptionStatus::OnProbation);
    assert_eq!(stage.read(id).await["probationRetries"], 0, "an event is no probe");
    stage.push().await;
    assert_eq!(stage.status(id), SubscriptionStatus::Enabled);
    assert!(!stage.next().await, "no probe is left");
    assert_eq!(stage.receiver.got().len(), 3);
}

#[tokio::test]
async fn gone_disables_at_once() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[410]);
    stage.push().await;
    assert_eq!(stage.status(id), SubscriptionStatus::DisabledBySystem);
    assert!(!stage.next().await);
}

#[tokio::test]
async fn a_disabled_subscription_is_revived_by_a_put() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[410]);
    stage.push().await;
    let mut draft = stage.push_draft();
    draft["status"] = "enabled".into();
    let got = stage.put(id, &draft).await;
    assert_eq!((got.status.as_u16(), &got.json()["status"]), (200, &json!("enabled")));
    stage.push().await;
    assert_eq!(stage.receiver.got().len(), 2);
}

#[tokio::test]
async fn who_leaves_takes_the_subscriptions_along() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.simulator().dismiss("ana@fabrikam.example");
    assert_eq!(stage.status(id), SubscriptionStatus::DisabledByInactiveIdentity);
    stage.push().await;
    stage.simulator().reinstate("ana@fabrikam.example");
    stage.push().await;
    assert!(stage.receiver.got().is_empty(), "coming back does not enable them");
}

#[tokio::test]
async fn what_waits_when_a_person_disables_is_not_sent() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.receiver.script(&[503]);
    stage.push().await;
    stage.hooks().disable_by_user(id);
    assert!(stage.next().await);
    assert_eq!(stage.receiver.got().len(), 1);
    assert_eq!(stage.notification(id, 1).result, NotificationResult::Filtered);
    assert_eq!(stage.read(id).await["status"], "disabledByUser");
}

#[tokio::test]
async fn a_subscription_on_probation_that_has_sent_nothing_is_probed_by_the_next_event() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.hooks().put_on_probation(id);
    stage.push().await;
    assert!(stage.receiver.got().is_empty(), "its time has not come");
    stage.advance(Duration::from_mins(20)).await;
    assert_eq!(stage.status(id), SubscriptionStatus::OnProbation);
    stage.receiver.script(&[500]);
    stage.push().await;
    assert_eq!(stage.read(id).await["probationRetries"], 1);
    assert!(stage.next().await);
    assert_eq!(stage.receiver.waits(), [40 * MINUTE]);
    assert_eq!(stage.status(id), SubscriptionStatus::Enabled);
}
