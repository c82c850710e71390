//! Two weeks of five people at a shop, deployed in every way that can be tracked: told by hooks as it happened, told by the
//! same hooks in any order and twice, and recovered by a gateway that no hook reached. All must have the same table, which
//! was checked by hand.

mod table;
mod weeks;

use self::{
    table::{TABLE, table},
    weeks::{Story, two_weeks},
};
use super::unfilled;
use crate::{
    harness::Gateway,
    real::{Real, SHOP, deliver},
    recover::swept,
    switches::{named, rounds, turn},
};
use hookwell::{
    deployments::{Book, step},
    domain::{ConnectionId, Notification},
    reconcile::{Mode, reconcile},
    recover::{Depth, Mending},
    simulator::Faults,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// What is followed, by name.
fn followed() -> Vec<(&'static str, Value)> {
    let both = |staging: Value, production: Value| {
        let mut all = vec![staging, production];
        for (reach, environment) in all.iter_mut().zip(["staging", "production"]) {
            reach["environment"] = json!(environment);
        }
        all
    };
    let on_main = || both(json!({ "branch": "main" }), json!({ "branch_prefix": "release/" }));
    let stage = |name: &str| json!({ "builds": [{ "pipeline": "web shop CI", "stage": name }] });
    let of_folder = |folder: &str| json!({ "tracking": "push", "environments": on_main(), "include_paths": [format!("services/{folder}")] });
    vec![
        ("build", json!({ "tracking": "build", "environments": both(stage("Build"), stage("Deploy*")) })),
        ("cart", of_folder("cart")),
        ("mail", of_folder("mail")),
        ("price", of_folder("price")),
        ("pull request", json!({ "tracking": "pull_request", "environments": on_main() })),
        ("push", json!({ "tracking": "push", "environments": on_main() })),
        ("tag", json!({ "tracking": "tag", "environments": both(json!({ "tags": "rc*" }), json!({ "tags": "v*" })) })),
    ]
}

/// Binds all of it.
async fn follow(gateway: &Gateway, connection: ConnectionId, repository: &str) {
    let environments =
        json!([{ "slug": "staging", "name": "Staging" }, { "slug": "production", "name": "Production" }]);
    let body = json!({ "name": "Web", "environments": environments });
    assert_eq!(gateway.ask("PUT", "/v1/projects/web").json(&body).send().await.status, 201);
    let code = followed().into_iter().map(|(name, deploys)| {
        json!({ "role": "code_deployment", "repository": repository, "name": name, "deploys": deploys })
    });
    let issues = json!({ "role": "issue_provider", "lead_time_states": ["Active"] });
    for mut body in [json!({ "role": "build_provider" }), issues].into_iter().chain(code) {
        body["connection"] = json!(connection.0);
        body["azure_project"] = json!(SHOP);
        let reply = gateway.post("/v1/projects/web/bindings", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }
}

/// Everything that waits is translated and told.
async fn settle(gateway: &Gateway) {
    loop {
        crate::real::events(gateway).await;
        while gateway.app.order.holding() > 0 {
            gateway.advance(Duration::from_secs(30));
            hookwell::recover::breaks::step(&gateway.app).await;
            crate::real::events(gateway).await;
        }
        if step::step(&gateway.app).await.unwrap() == 0 {
            return;
        }
    }
}

/// The gateway that hooks told it as it happened, and when it began.
async fn lived() -> (Real, Timestamp) {
    lived_on(|_| {}).await
}

/// The same at an Azure DevOps with a switch turned.
async fn lived_on(turn: impl FnOnce(&mut Faults)) -> (Real, Timestamp) {
    let real: Real = unfilled().await;
    real.simulator().fail(turn);
    follow(&real.gateway, real.connection, "web shop").await;
    real.settle().await;
    let began = real.gateway.app.clock.now();
    let mut story = Story::new(real.simulator());
    two_weeks(&mut story, async |hours| {
        real.pass(Duration::from_mins(1)).await;
        settle(&real.gateway).await;
        let at = began + Duration::from_hours(hours);
        real.pass(at.duration_since(real.gateway.app.clock.now()).try_into().unwrap()).await;
    })
    .await;
    (real, began)
}

/// Another gateway afterwards, which follows the same and has heard of nothing.
async fn afterwards(real: &Real) -> (Gateway, ConnectionId) {
    let (beside, connection) = real.beside().await;
    beside.clock.advance(real.gateway.app.clock.now().duration_since(beside.app.clock.now()).try_into().unwrap());
    follow(&beside, connection, "storefront").await;
    reconcile(&beside.app, connection, Mode::Mend).await.unwrap();
    (beside, connection)
}

#[tokio::test]
async fn two_weeks_told_by_hooks_are_the_table_that_was_checked_by_hand() {
    let (real, began) = lived().await;
    let live = table(&real.gateway, began).await;
    assert_eq!(live, TABLE, "{}", live.join("\n"));
}

#[tokio::test]
async fn two_weeks_are_the_same_table_on_every_side_of_every_switch() {
    for round in rounds() {
        let (real, began) = lived_on(|faults| turn(&round, faults)).await;
        let live = table(&real.gateway, began).await;
        assert_eq!(live, TABLE, "{}\n{}", named(&round), live.join("\n"));
        let (beside, connection) = afterwards(&real).await;
        swept(&beside, connection, began, Depth::Everything, Mending::Mend).await;
        settle(&beside).await;
        let recovered = table(&beside, began).await;
        assert_eq!(recovered, TABLE, "{}, recovered\n{}", named(&round), recovered.join("\n"));
    }
}

#[tokio::test]
async fn two_weeks_of_which_no_hook_told_are_recovered_to_the_same_table() {
    let (real, began) = lived().await;
    let (beside, connection) = afterwards(&real).await;
    swept(&beside, connection, began, Depth::Everything, Mending::Mend).await;
    settle(&beside).await;
    let recovered = table(&beside, began).await;
    assert_eq!(recovered, TABLE, "{}", recovered.join("\n"));
}

#[tokio::test]
async fn two_weeks_told_twice_and_in_any_order_are_the_same_table() {
    let (real, began) = lived().await;
    let told = real.notifications().await;
    for seed in 1..=3_u64 {
        let (beside, connection) = afterwards(&real).await;
        let mut twice: Vec<(u64, &Notification)> = Vec::new();
        for (n, notification) in told.iter().chain(&told).enumerate() {
            // Of splitmix64: well mixed, and the same each time.
            let mut mixed = (seed << 32 | n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            twice.push((mixed ^ (mixed >> 27), notification));
        }
        twice.sort_unstable_by_key(|(place, _)| *place);
        for (n, (_, notification)) in twice.into_iter().enumerate() {
            deliver(&beside, connection, notification).await;
            // Now and then it is told what is known so far.
            if n % 97 == 96 {
                settle(&beside).await;
            }
        }
        settle(&beside).await;
        let shuffled = table(&beside, began).await;
        assert_eq!(shuffled, TABLE, "seed {seed}\n{}", shuffled.join("\n"));
        let (live, book) = (beside.app.deployments.memory().clone(), Book::default());
        book.read(&*beside.store).await.unwrap();
        assert_eq!(*book.memory(), live, "read from the log it is what was kept in memory, seed {seed}");
    }
}
