//! A week from hell: a busy organization for seven days, and everything that can go wrong with a gateway, its network, its
//! disk, its token and its hooks. At the end each fact that Azure's records tell is one event, in the order of its entity.
//!
//! Time is moved by hand; every seed is another week, and the seed of a failure brings it back.

mod dice;
mod misery;
mod order;
mod organization;
mod truth;

use self::{
    dice::Dice,
    organization::{Organization, REPOSITORIES},
};
use crate::real::{Real, SHOP};
use serde_json::json;
use std::time::Duration;

/// Between two looks at the world.
const TURN: Duration = Duration::from_mins(15);

/// Binds all that the organization works on.
async fn bind(real: &Real) {
    for (at, (project, repository)) in REPOSITORIES.iter().enumerate() {
        let body = json!({ "role": "code_deployment", "repository": repository });
        real.bind(&format!("code-{at}"), project, body).await;
    }
    for (at, project) in [SHOP, "Tools"].into_iter().enumerate() {
        real.bind(&format!("builds-{at}"), project, json!({ "role": "build_provider" })).await;
        real.bind(&format!("issues-{at}"), project, json!({ "role": "issue_provider" })).await;
    }
}

#[tokio::test]
async fn a_quiet_day_is_told_by_hooks_alone() {
    let real = Real::start().await;
    bind(&real).await;
    real.settle().await;
    let since = real.gateway.app.clock.now();
    let (mut organization, mut dice) = (Organization::new(real.simulator()), Dice::new(1));
    for _ in 0..96 {
        for _ in 0..1 + dice.roll(4) {
            organization.work(&mut dice);
            real.pass(Duration::from_secs(20)).await;
        }
        real.pass(TURN).await;
    }
    while organization.wind_down(&mut dice) {
        real.pass(Duration::from_secs(20)).await;
    }
    let events = real.events().await;
    truth::each_is_one_event(&truth::happened(&real, since).await, &events, 1);
    order::holds(&events, 1);
}
