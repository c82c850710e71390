//! What is done to a pull request, told by a subscription for each reason and by one for none: each act is one event.

use crate::real::{Real, SHOP};
use serde_json::{Value, json};
use std::time::Duration;

async fn told(real: &Real) -> Vec<(String, Value)> {
    let events = real.events().await;
    let updates = events
        .iter()
        .filter(|event| ["change.updated", "change.reviewed"].iter().any(|kind| event.header.kind.contains(kind)));
    let of = |event: &hookwell::event::Event| {
        let body: Value = serde_json::from_slice(&event.json).unwrap();
        let kind = event.header.kind.split('.').nth(3).unwrap().to_owned();
        (kind, body["data"]["customData"]["azuredevops"]["updateReason"].clone())
    };
    updates.map(of).collect()
}

#[tokio::test]
async fn edits_and_drafts_are_told_and_everything_is_told_once_whatever_azure_calls_it() {
    for (an_id_per_subscription, drafts_pass_no_filter) in [(false, false), (true, false), (false, true), (true, true)]
    {
        let real = Real::start().await;
        real.simulator().fail(|faults| {
            faults.hooks.an_id_per_subscription = an_id_per_subscription;
            faults.hooks.drafts_pass_no_filter = drafts_pass_no_filter;
        });
        real.bind("shop", SHOP, json!({ "role": "code_deployment", "repository": "web shop" })).await;
        real.settle().await;
        let simulator = real.simulator();
        let repository = simulator.repository(simulator.project(SHOP).unwrap(), "web shop").unwrap();
        simulator.push_commit(repository, "topic", "A change", &["/a"]).unwrap();
        let number = simulator.create_pull_request(repository, "topic", "main", "A change").unwrap();
        let acts: [(&dyn Fn(), &str, &str); 6] = [
            (&|| simulator.vote(number, "ana@fabrikam.example", 10).unwrap(), "reviewed", "vote"),
            (&|| simulator.edit_pull_request(number, "Another title").unwrap(), "updated", "retitled"),
            (&|| simulator.set_draft(number, true).unwrap(), "updated", "drafted"),
            (&|| simulator.set_draft(number, false).unwrap(), "updated", "published"),
            (&|| assert!(simulator.push_commit(repository, "topic", "More", &["/b"]).is_ok()), "updated", "push"),
            (&|| simulator.set_reviewers(number, &["juergen@fabrikam.example"]).unwrap(), "updated", "reviewers"),
        ];
        for (count, (act, kind, reason)) in acts.into_iter().enumerate() {
            real.pass(Duration::from_mins(1)).await;
            act();
            real.pass(Duration::from_secs(10)).await;
            let all = told(&real).await;
            let case = format!("{an_id_per_subscription} {drafts_pass_no_filter} {reason}: {all:?}");
            assert_eq!(all.len(), count + 1, "{case}");
            assert_eq!(all.last(), Some(&(kind.to_owned(), json!(reason))), "{case}");
        }
    }
}
