//! The audit log.
//!
//! Source: REST "Audit Log - Query" of audit 7.1, with its sample.
#![expect(clippy::unnecessary_wraps, reason = "every handler has the type of its row")]

use super::{Answer, Call, InProject, Outcome, Route, locations::AUDIT_LOG};
use crate::simulator::{Simulator, people::Scope, site::Site};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[Route {
    host: Some(Site::Audit),
    ..Route::new("GET", InProject::Never, "audit/auditlog", &AUDIT_LOG, &[Scope::AuditLog], log)
}];

fn log(simulator: &Simulator, call: &Call) -> Outcome {
    let world = simulator.instance.world();
    let time = |name: &str| call.query(name).and_then(|text| text.parse::<Timestamp>().ok());
    let (from, to) = (time("startTime"), time("endTime"));
    let size = call.query("batchSize").and_then(|text| text.parse().ok()).unwrap_or(200_usize).max(1);
    let start = call.query("continuationToken").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let all: Vec<Value> = world
        .audit
        .iter()
        .rev()
        .filter(|own| from.is_none_or(|from| own.at >= from) && to.is_none_or(|to| own.at <= to))
        .map(|own| {
            json!({
                "id": format!("{};{}", own.at.as_second(), own.about), "timestamp": own.at.to_string(),
                "actorDisplayName": own.who, "actorUPN": null, "actionId": own.action, "details": own.details,
                "data": {"SubscriptionId": own.about}, "area": "Service hooks", "category": "modify",
            })
        })
        .collect();
    let end = (start + size).min(all.len());
    let body = json!({
        "decoratedAuditLogEntries": all.get(start..end).unwrap_or_default(),
        "continuationToken": end.to_string(), "hasMore": end < all.len(),
    });
    let is_below_value = simulator.instance.faults().audit_log_is_below_value;
    Ok(Answer::json(if is_below_value { json!({"value": body}) } else { body }))
}
