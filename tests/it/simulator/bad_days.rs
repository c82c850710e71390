//! What goes wrong on purpose.

use super::Asker;
use hookwell::simulator::{Failing, RateLimit, Rule, Throttle, When};
use http::Method;

const PROJECTS: &str = "_apis/projects";

async fn failing(answer: Failing) -> Asker {
    let asker = Asker::new().await;
    asker.azure.simulator.fail(|faults| faults.rules.push(Rule::new("GET", "/_apis/PROJECTS", When::Next(1), answer)));
    asker
}

#[tokio::test]
async fn each_failure_is_as_the_real_one_is_known_to_fail() {
    for (answer, status, text) in [
        (Failing::Unavailable, 503, "\u{feff}{\"$id\":\"1\""),
        (Failing::BadGateway, 502, "<html>"),
        (Failing::Internal, 500, "{\"$id\":\"1\""),
        (Failing::Forbidden, 403, "{\"$id\":\"1\""),
        (Failing::NotFound, 404, "{\"$id\":\"1\""),
        (Failing::Html, 200, "<!DOCTYPE html>"),
        (Failing::OtherShape, 200, "{\"count\":\"many\""),
        (Failing::Throttled(Throttle::Block { retry_after_seconds: Some(7) }), 429, "{\"$id\":\"1\""),
    ] {
        let asker = failing(answer).await;
        let got = asker.get(PROJECTS).await;
        assert_eq!(got.status, status, "{answer:?}");
        assert!(got.text.starts_with(text), "{got:?}");
        if status == 429 {
            assert_eq!(got.header("retry-after"), Some("7"));
            assert!(got.text.contains("TF400733"), "{got:?}");
        }
        assert_eq!(asker.get(PROJECTS).await.status, 200, "only the next one");
    }
    let asker = failing(Failing::Broken).await;
    let got = asker.get(PROJECTS).await;
    assert!(serde_json::from_str::<serde_json::Value>(&got.text).is_err(), "{got:?}");
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_work_is_done() {
    let asker = failing(Failing::Throttled(Throttle::Cut)).await;
    assert!(asker.try_send(Method::GET, PROJECTS, &[], None).await.is_err());
    assert_eq!(asker.azure.simulator.calls().last().unwrap().status, 0);
    let asker = failing(Failing::CutAfter).await;
    assert!(asker.try_send(Method::GET, PROJECTS, &[], None).await.is_err());
    // It was answered by its row, and paid for.
    assert!(asker.azure.simulator.calls().last().unwrap().tstu > 0.0);
}

#[tokio::test]
async fn every_third_one_and_by_dice() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    simulator.fail(|faults| faults.rules.push(Rule::new("GET", "projects", When::Every(3), Failing::Internal)));
    let mut failed = Vec::new();
    for n in 1..=9 {
        if asker.get(PROJECTS).await.status == 500 {
            failed.push(n);
        }
    }
    assert_eq!(failed, [3, 6, 9]);
    let rule = Rule::new("GET", "projects", When::Probability(0.5), Failing::Internal);
    simulator.fail(|faults| faults.rules = vec![rule]);
    let mut count = 0;
    for _ in 0..60 {
        count += u32::from(asker.get(PROJECTS).await.status == 500);
    }
    assert!((15..=45).contains(&count), "{count} of 60");
}

#[tokio::test]
async fn whoever_uses_too_much_is_told_then_slowed_or_stopped() {
    let asker = Asker::new().await;
    let simulator = &asker.azure.simulator;
    let then = Throttle::Delay { seconds: 12, milliseconds: 1 };
    simulator.fail(|faults| faults.rate_limit = Some(RateLimit { tstu: 1.0, then }));
    let mut remaining = Vec::new();
    let slowed = loop {
        let got = asker.get(PROJECTS).await;
        assert_eq!(got.status, 200);
        if got.header("retry-after").is_some() {
            break got;
        }
        remaining.extend(got.header("x-ratelimit-remaining").map(str::to_owned));
        assert!(simulator.calls().len() < 100, "never slowed");
    };
    assert!(!remaining.is_empty(), "it was not told that the limit is near");
    assert_eq!((slowed.header("retry-after"), slowed.header("x-ratelimit-delay")), (Some("12"), Some("12.000")));
    assert_eq!(slowed.header("x-ratelimit-limit"), Some("1"));
    simulator.fail(|faults| {
        let then = Throttle::Block { retry_after_seconds: None };
        faults.rate_limit = Some(RateLimit { tstu: 1.0, then });
    });
    assert_eq!(asker.get(PROJECTS).await.status, 429);
    // The window is five minutes long.
    asker.clock.advance(std::time::Duration::from_secs(301));
    assert_eq!(asker.get(PROJECTS).await.status, 200);
}

#[tokio::test]
async fn calls_are_remembered_with_their_price() {
    let asker = Asker::new().await;
    asker.get(PROJECTS).await;
    asker.get("_apis/nothing").await;
    let calls = asker.azure.simulator.calls();
    let seen: Vec<(&str, u16)> = calls.iter().map(|call| (call.target.as_str(), call.status)).collect();
    assert_eq!(seen, [("/fabrikam/_apis/projects", 200), ("/fabrikam/_apis/nothing", 404)]);
    assert_eq!(calls[0].account.as_deref(), Some("ana@fabrikam.example"));
    assert_eq!(asker.azure.simulator.totals().0, 2);
    assert!(asker.azure.simulator.totals().1 > 0.04);
}

#[tokio::test]
async fn what_is_no_route_is_answered_as_the_web_server_does() {
    let asker = Asker::new().await;
    for path in ["_apis/nothing", "/elsewhere/_apis/projects", "Fiber"] {
        let got = asker.get(path).await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (404, Some("text/plain; charset=utf-8")));
        assert!(got.text.starts_with("The controller for path"), "{got:?}");
        assert!(got.header("x-tfs-serviceerror").is_some());
    }
    let got = asker.get("Nowhere/_apis/build/builds").await;
    assert_eq!((got.status.as_u16(), got.kind().as_str()), (404, "ProjectDoesNotExistWithNameException"));
    assert!(got.header("activityid").is_some() && got.header("x-vss-e2eid").is_some(), "{got:?}");
    let got = asker.send(Method::DELETE, "_apis/projects", &[], None).await;
    assert_eq!(got.status, 405);
}
