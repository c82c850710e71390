//! Hooks that Azure DevOps does not take, for reasons of which nobody knows whether a server has them: Basic credentials over
//! http, and addresses of private networks. Either way nothing is lost.

use crate::real::{Real, SHOP};
use hookwell::{
    config::Settings,
    domain::Recovered,
    recover::{Request, recover},
    simulator::{Misbehaviour, Options},
};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn what_is_refused_for_its_address_is_told_in_azures_words_and_the_records_are_asked() {
    for refuse in [(|hooks: &mut Misbehaviour| hooks.basic_needs_https = true) as fn(&mut Misbehaviour), |hooks| {
        hooks.private_targets_refused = true;
    }] {
        let settings = Settings { backfill: Duration::ZERO, ..Settings::default() };
        let real = Real::with(settings, Options::services("fabrikam")).await;
        real.simulator().fail(|faults| refuse(&mut faults.hooks));
        real.bind("shop", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
        let first = real.run().await;
        real.pass(Duration::from_mins(30)).await;
        let again = real.run().await;
        for report in [first, again] {
            assert!(report.failed && !report.troubles.is_empty(), "{report:?}");
            assert!(report.troubles.iter().all(|trouble| !trouble.detail.is_empty()), "{report:?}");
        }
        assert!(real.ours().is_empty());
        assert!(real.listed().await.iter().all(|row| row["state"] == "failing"), "{:?}", real.listed().await);
        let simulator = real.simulator();
        let repository = simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
        simulator.push_commit(repository, "main", "All the same", &["/a"]).unwrap();
        real.pass(Duration::from_mins(10)).await;
        recover(&real.gateway.app, real.connection, Request { since: None, closely: false }).await.unwrap();
        let events = real.events().await;
        assert!(events.iter().any(|event| event.header.recovered == Some(Recovered::Rest)), "{events:?}");
        // Once it takes them, they are made.
        real.simulator().fail(|faults| faults.hooks = Misbehaviour::default());
        real.pass(Duration::from_mins(30)).await;
        real.run().await;
        assert!(!real.ours().is_empty());
    }
}
