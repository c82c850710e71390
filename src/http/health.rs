//! Whether the gateway lives, whether it takes notifications, and its figures.

use super::{
    extract::Call,
    problem::Problem,
    reply::{json, raw_json},
};
use crate::{app::attention, store::Status};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;
use warp::reply::Response;

/// What `prometheus-client` writes.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Most remarks in one reply.
const REMARKS_MAX: usize = 10;
/// When somebody who asked whether we are ready should ask again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`: otherwise there is no reply.
    #[schema(max_length = 10, example = "ok")]
    pub status: &'static str,
    /// Anything an operator should know although all is well: a copy that is being made again, a loss that was found at
    /// the start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 10)]
    pub remarks: Vec<String>,
}

/// Say that the process lives.
///
/// 200 for as long as it can answer at all; whether it takes notifications is `/readyz`.
#[utoipa::path(get, path = "/healthz", tag = "operation", operation_id = "healthz",
    responses((status = 200, description = "It lives.", body = Health)))]
pub async fn healthz(call: Result<Call, Problem>) -> Result<Response, Problem> {
    call?.query(&[])?;
    Ok(json(&Health { status: "ok", remarks: Vec::new() }))
}

/// Say whether notifications are taken.
///
/// 503 with the reason while the store cannot be written, a worker is gone or the gateway stops; it recovers by itself
/// when the cause goes.
#[utoipa::path(get, path = "/readyz", tag = "operation", operation_id = "readyz",
    responses((status = 200, description = "Notifications are taken.", body = Health)))]
pub async fn readyz(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    if *call.app().stopping().borrow() {
        return Err(Problem::unavailable("the gateway is stopping", RETRY_AFTER));
    }
    if let Some(trouble) = call.app().workers.trouble() {
        return Err(Problem::unavailable(trouble, RETRY_AFTER));
    }
    match call.app().store.status() {
        Status::Ready => {
            let remarks = call.app().store.remarks().into_iter().take(REMARKS_MAX).collect();
            Ok(json(&Health { status: "ok", remarks }))
        }
        Status::NotReady(reason) => Err(Problem::unavailable(reason, RETRY_AFTER)),
    }
}

/// Read the figures.
///
/// In the OpenMetrics text format, for Prometheus. Needs a token of any scope, because it tells how much is going on;
/// Prometheus sends one with `authorization: {credentials_file: …}`.
#[utoipa::path(get, path = "/metrics", tag = "operation", operation_id = "metrics",
    responses((status = 200, description = "The figures.", body = String, content_type = OPENMETRICS)))]
pub async fn metrics(call: Result<Call, Problem>) -> Result<Response, Problem> {
    let call = call?;
    call.query(&[])?;
    attention::refresh_gauges(call.app()).await?;
    Ok(raw_json(call.app().metrics.encode().into_bytes(), OPENMETRICS))
}
