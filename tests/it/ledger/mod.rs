//! The ledger of completeness: that it cannot be changed without showing, and what is read from it.

mod chain;
mod completeness;
mod damaged;

use crate::harness::Gateway;
use hookwell::{
    azure::client::Window,
    domain::{Account, BindingId, Stream, hour_after},
    ledger::note,
};
use jiff::Timestamp;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

/// Every test here begins with its clock at this full hour.
const NOON: &str = "2026-11-22T10:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hours_ago(hours: u64) -> Timestamp {
    at(NOON) - Duration::from_hours(hours)
}

fn received(count: u64) -> Account {
    Account { expected: count, received: count, ..Account::default() }
}

fn missing(entities: &[&str]) -> Account {
    let mut account = Account::default();
    for entity in entities {
        account.miss(entity);
    }
    account
}

/// A build provider of project `slug`; its connection and itself.
async fn build_provider(gateway: &Gateway, slug: &str) -> (String, BindingId) {
    gateway.project(slug).await;
    let (connection, _) = gateway.connection().await;
    let body = json!({ "role": "build_provider", "connection": connection, "azure_project": "Fiber" });
    let reply = gateway.post(&format!("/v1/projects/{slug}/bindings"), body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    (connection, reply.json()["id"].as_str().unwrap().parse().unwrap())
}

/// Notes that builds of these hours before noon were compared, one account each, the oldest first.
async fn compared(gateway: &Gateway, binding: BindingId, from_hours_ago: u64, accounts: &[Account]) {
    let (mut hour, mut hours) = (hours_ago(from_hours_ago), BTreeMap::new());
    let from = hour;
    for account in accounts {
        hours.insert(hour, account.clone());
        hour = hour_after(hour);
    }
    note(&gateway.app, (binding, Stream::Builds), Window { from, to: hour }, &hours).await.unwrap();
}
