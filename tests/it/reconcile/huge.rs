//! In an organization with thousands of subscriptions, of which listing is slow and dear.

use crate::real::{Real, SHOP, listing};
use hookwell::simulator::Recorded;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// Subscriptions of others.
const FOREIGN: usize = 5_000;
/// What a listing takes, in real time.
const LISTING_MILLISECONDS: u64 = 300;
/// What Azure lets one user spend in 5 minutes.
const TSTU_MAX: f64 = 200.0;

/// How often each host was listed. The cloud has releases on a host of their own.
fn listings(calls: &[Recorded]) -> BTreeMap<&str, u32> {
    let mut counts = BTreeMap::new();
    for host in calls.iter().filter_map(listing) {
        *counts.entry(host).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn among_thousands_of_hooks_ours_are_made_and_looked_after_with_one_listing_per_host() {
    let real = Real::start().await;
    real.simulator().hooks().add_bulk(FOREIGN);
    real.simulator().fail(|faults| faults.subscription_listing_delay_milliseconds = LISTING_MILLISECONDS);
    real.bind("shop", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
    real.bind("shop-builds", SHOP, json!({ "role": "build_provider" })).await;
    real.bind("shop-issues", SHOP, json!({ "role": "issue_provider" })).await;
    let once = BTreeMap::from([("/_vsrm/fabrikam", 1), ("/fabrikam", 1)]);

    let (before, (_, spent)) = (real.simulator().calls().len(), real.simulator().totals());
    let report = real.run().await;
    assert!(report.troubles.is_empty(), "{report:?}");
    let calls = real.calls_since(before);
    assert_eq!(listings(&calls), once);
    let listed = calls.iter().filter(|call| listing(call).is_some());
    assert!(listed.clone().all(|call| call.target.contains("consumerId=webHooks")), "{:?}", listed.collect::<Vec<_>>());
    assert_eq!((real.ours().len(), real.simulator().hooks().subscriptions().len()), (28, FOREIGN + 28));
    let (_, now) = real.simulator().totals();
    assert!(now - spent < TSTU_MAX, "{}", now - spent);

    real.pass(Duration::from_mins(5)).await;
    let (before, (_, spent)) = (real.simulator().calls().len(), real.simulator().totals());
    let report = real.run().await;
    assert!(report.troubles.is_empty() && report.steps.is_empty(), "{report:?}");
    let calls = real.calls_since(before);
    assert_eq!(listings(&calls), once);
    assert!(calls.iter().all(|call| call.method == "GET"), "nothing is made or removed: {calls:?}");
    let (_, now) = real.simulator().totals();
    assert!(now - spent < TSTU_MAX / 4.0, "{}", now - spent);
}
