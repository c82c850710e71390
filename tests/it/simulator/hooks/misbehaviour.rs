use super::Stage;
use hookwell::simulator::{NotificationResult, NotificationStatus, Odds, Oversized, RefChange};
use std::time::Duration;

fn numbers(stage: &Stage) -> Vec<u64> {
    stage.receiver.got().iter().map(|own| own.body["notificationId"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_duplicate_is_the_same_notification_twice() {
    let stage = Stage::new().await;
    let (one, other) = (stage.subscribe().await, stage.subscribe().await);
    stage.simulator().fail(|faults| faults.hooks.duplicate = Odds::only(&[one]));
    stage.push().await;
    let got = stage.receiver.got();
    let of = |id: uuid::Uuid| got.iter().filter(|own| own.body["subscriptionId"] == id.to_string()).collect::<Vec<_>>();
    assert_eq!((of(one).len(), of(other).len()), (2, 1));
    assert_eq!(of(one)[0].body, of(one)[1].body);
}

#[tokio::test]
async fn what_is_reordered_comes_behind_what_happened_since() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.simulator().fail(|faults| faults.hooks.reorder = Odds::only(&[id]));
    stage.push().await;
    stage.simulator().fail(|faults| faults.hooks.reorder = Odds::default());
    stage.push().await;
    stage.advance(Duration::from_secs(30)).await;
    assert_eq!(numbers(&stage), [2, 1]);
}

#[tokio::test]
async fn what_is_stuck_stays_queued_and_the_history_has_it() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.simulator().fail(|faults| faults.hooks.stuck = Odds::only(&[id]));
    stage.push().await;
    stage.advance(Duration::from_hours(48)).await;
    assert!(stage.receiver.got().is_empty());
    assert_eq!(stage.notification(id, 1).status, NotificationStatus::Queued);
    let shown = stage.asker.read(&format!("_apis/hooks/subscriptions/{id}/notifications/1")).await;
    assert_eq!(shown["status"], "queued");
    assert!(shown["details"]["event"]["resource"]["refUpdates"].is_array());
}

#[tokio::test]
async fn what_is_lost_leaves_no_trace() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.simulator().fail(|faults| faults.hooks.lose = Odds::probability(1.0));
    stage.push().await;
    stage.simulator().fail(|faults| faults.hooks.lose = Odds::default());
    stage.push().await;
    assert_eq!((numbers(&stage), stage.hooks().notifications(id).len()), (vec![1], 1));
    assert_eq!(stage.hooks().totals().lost, 1);
}

#[tokio::test]
async fn dice_fall_the_same_way_for_the_same_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let stage = Stage::new().await;
        stage.subscribe().await;
        stage.simulator().fail(|faults| faults.hooks.lose = Odds::probability(0.5));
        let mut lost = Vec::new();
        for _ in 0..20 {
            stage.push().await;
            lost.push(stage.hooks().totals().lost);
        }
        runs.push(lost);
    }
    assert_eq!(runs[0], runs[1]);
    assert!((1..20).contains(runs[0].last().unwrap()), "{:?}", runs[0]);
}

#[tokio::test]
async fn latency_is_on_the_simulators_clock() {
    let stage = Stage::new().await;
    stage.subscribe().await;
    stage.simulator().fail(|faults| faults.hooks.latency_milliseconds = 7_000);
    stage.push().await;
    stage.advance(Duration::from_millis(6_999)).await;
    assert!(stage.receiver.got().is_empty());
    stage.advance(Duration::from_millis(1)).await;
    assert_eq!(numbers(&stage), [1]);
}

#[tokio::test]
async fn how_many_commits_a_push_tells_can_be_chosen() {
    let stage = Stage::new().await;
    stage.subscribe().await;
    for (most, told) in [(None, 3), (Some(2), 2), (Some(0), 0)] {
        stage.simulator().fail(|faults| faults.hooks.push_commits_max = most);
        let commit =
            |n: u32| RefChange::Commit { branch: "main".into(), comment: format!("{n}"), paths: vec!["/a".into()] };
        let commits: Vec<RefChange> = (0..3).map(commit).collect();
        stage.simulator().push(stage.repository(), "", &commits).unwrap();
        stage.simulator().hooks().settle().await;
        let last = stage.receiver.got().last().unwrap().body["resource"]["commits"].clone();
        assert_eq!(last.as_array().map_or(0, Vec::len), told, "{most:?}: {last}");
    }
}

#[tokio::test]
async fn a_tried_merge_is_a_push_in_the_list_and_told_as_one_only_when_it_is_wanted() {
    let stage = Stage::new().await;
    stage.subscribe().await;
    let simulator = stage.simulator();
    simulator.push_commit(stage.repository(), "idea", "Try it", &["/b"]).unwrap();
    let number = simulator.create_pull_request(stage.repository(), "idea", "main", "An idea").unwrap();
    let told = async || {
        simulator.attempt_merge(number, "succeeded").unwrap();
        simulator.hooks().settle().await;
        let names = stage.receiver.got().into_iter().map(|own| own.body["resource"]["refUpdates"][0]["name"].clone());
        names.filter(|name| *name == format!("refs/pull/{number}/merge")).count()
    };
    assert_eq!(told().await, 0);
    simulator.fail(|faults| faults.hooks.pull_refs_fire_push = true);
    assert_eq!(told().await, 1);
    let pushes = stage.asker.read(&format!("_apis/git/repositories/{}/pushes", stage.repository())).await;
    assert_eq!(
        pushes["value"].to_string().matches("/merge").count(),
        0,
        "updates are listed only where they are asked for"
    );
    let path = format!("_apis/git/repositories/{}/pushes?searchCriteria.includeRefUpdates=true", stage.repository());
    let pushes = stage.asker.get(&format!("{path}&api-version=7.1")).await.json();
    // The first was tried when the pull request was made.
    assert_eq!(pushes["value"].to_string().matches(&format!("refs/pull/{number}/merge")).count(), 3);
}

#[tokio::test]
async fn a_payload_over_the_limit_fails_or_is_sent_all_the_same() {
    let stage = Stage::new().await;
    let id = stage.subscribe().await;
    stage.push().await;
    let usual = serde_json::to_vec(&stage.receiver.take()[0].body).unwrap().len();
    stage.simulator().fail(|faults| faults.hooks.payload_bytes_max = Some(usual / 2));
    stage.push().await;
    assert!(stage.receiver.got().is_empty());
    let failed = stage.notification(id, 2);
    assert_eq!(failed.result, NotificationResult::Failed);
    assert!(failed.error.unwrap().contains("larger than"));
    stage.hooks().enable(id);
    stage.simulator().fail(|faults| faults.hooks.oversized = Oversized::IsSent);
    stage.push().await;
    assert_eq!(numbers(&stage), [3]);
}
