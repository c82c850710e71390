//! What hooks lose comes back: once each, whichever way.

mod closed;
mod equal;
pub(crate) mod losses;
mod outage;
mod polled;
mod process;
mod work_items;
mod worker;

use crate::{
    harness::Gateway,
    real::{Real, SHOP, bind, events},
};
use hookwell::{
    azure::client::{Priority, Window},
    domain::ConnectionId,
    event::Event,
    recover::{Depth, Mending, Order, Tally, places, sweep},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use uuid::Uuid;

/// Binds repository, pipelines and work items of the shop, and has everything made.
async fn bound(real: &Real) {
    bind_all(&real.gateway, real.connection).await;
    real.settle().await;
}

async fn bind_all(gateway: &Gateway, connection: ConnectionId) {
    for (project, body) in [
        ("web", json!({ "role": "code_deployment", "repository": "web shop", "branch": null })),
        ("builds", json!({ "role": "build_provider" })),
        ("tickets", json!({ "role": "issue_provider" })),
    ] {
        bind(gateway, connection, project, SHOP, body).await;
    }
}

/// Sweeps all places of a gateway from `from` until now.
pub(crate) async fn swept(
    gateway: &Gateway,
    connection: ConnectionId,
    from: jiff::Timestamp,
    depth: Depth,
    mending: Mending,
) -> Tally {
    let (app, directory) = (&gateway.app, gateway.app.directory());
    let kept = directory.connections[&connection].clone();
    let azure = app.azure(&kept, Priority::Repair).unwrap();
    let mut tally = Tally::default();
    for (place, bindings) in places(&directory, connection) {
        let window = Window { from, to: app.clock.now() + Duration::from_secs(1) };
        let grace = Duration::ZERO;
        let order = Order { place, bindings, window, grace, depth, mending, bookmark: None };
        tally.add(sweep(app, &kept, &*azure, &order).await.unwrap().tally);
    }
    tally
}

/// Events by id, each as its type, subject and what updated it.
fn lines(events: &[Event]) -> BTreeMap<Uuid, String> {
    let line = |event: &Event| {
        let json: Value = serde_json::from_slice(&event.json).unwrap();
        let reason = json["data"]["customData"]["azuredevops"]["updateReason"].as_str().unwrap_or_default().to_owned();
        (event.id, format!("{} {} {reason}", event.header.kind, json["subject"].as_str().unwrap()))
    };
    events.iter().map(line).collect()
}
