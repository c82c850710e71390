//! A binding is filled with what happened before it was there.

mod api;
mod jobs;

use crate::real::{Real, SHOP};
use hookwell::{
    backfill::{control, work::work},
    config::Settings,
    domain::{Backfill, BindingId},
    simulator::{Fill, Options},
    translate::step,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const DAYS: u64 = 3;

/// An organization with three days behind it, and a gateway that fills so many of them.
async fn after_days(backfill_days: u32) -> Real {
    let settings = Settings { backfill: Duration::from_hours(24) * backfill_days, ..Settings::default() };
    let real = Real::with(settings, Options { age_days: 5, ..Options::services("fabrikam") }).await;
    let now = real.gateway.app.clock.now();
    let from = now - Duration::from_hours(24 * DAYS);
    real.simulator().fill(&Fill { pushes: 20, builds: 40, revisions: 60, from, to: now }).unwrap();
    // What happened in the last minutes counts as under way.
    real.pass(Duration::from_mins(10)).await;
    // A sweep waits until what it appended was translated.
    tokio::spawn(step::run(Arc::clone(&real.gateway.app)));
    real
}

/// Binds the shop's builds and lets the reconciler find out what that means.
async fn bind_builds(real: &Real, project: &str) -> BindingId {
    let id = real.bind(project, SHOP, json!({ "role": "build_provider" })).await;
    real.run().await;
    id.parse().unwrap()
}

fn job(real: &Real, binding: BindingId) -> Backfill {
    Backfill::clone(&control::find(&real.gateway.app, binding).unwrap().record)
}

async fn shown(real: &Real, binding: BindingId) -> Value {
    let reply = real.gateway.get(&format!("/v1/bindings/{binding}/backfill")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn begin(real: &Real, binding: BindingId, body: Value) -> crate::harness::Reply {
    real.gateway.post(&format!("/v1/bindings/{binding}/backfill"), body).await
}

async fn done(real: &Real, binding: BindingId) -> Backfill {
    work(&real.gateway.app, binding).await;
    job(real, binding)
}

fn sum(job: &Backfill) -> (u64, u64, u64) {
    let sum = |of: fn(&hookwell::domain::BackfillStream) -> u64| job.streams.iter().map(of).sum();
    (sum(|stream| stream.found), sum(|stream| stream.repaired), sum(|stream| stream.unexplained))
}
