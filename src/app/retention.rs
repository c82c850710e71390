//! Trimming by age. The space comes back by itself, segment by segment.

use super::App;
use crate::store::{Error, Log};
use std::{sync::Arc, time::Duration};

/// How often the logs are trimmed.
const PERIOD: Duration = Duration::from_mins(10);

/// How long the attempts to deliver are kept: as long as Azure DevOps keeps its own history of hooks.
pub const DELIVERIES_KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// Removes everything older than its retention from all logs; answers how many records went.
///
/// # Errors
/// The store's; what was trimmed until then is gone, the rest goes next time.
pub async fn trim(app: &App) -> Result<u64, Error> {
    let mut removed = 0;
    for log in Log::ALL {
        let kept = match log {
            Log::Notifications | Log::Events => app.settings.retention,
            Log::Ledger | Log::Deployments => app.settings.ledger_retention,
            Log::Deliveries => DELIVERIES_KEPT_FOR,
        };
        let before = app.clock.now().checked_sub(kept).unwrap_or(jiff::Timestamp::MIN);
        loop {
            let count = app.store.trim(log, before).await?;
            removed += count;
            if log == Log::Deployments && count > 0 {
                app.deployments.trimmed().await;
            }
            if count == 0 || *app.stopping().borrow() {
                break;
            }
        }
    }
    Ok(removed)
}

/// Trims until the gateway stops.
pub async fn run(app: Arc<App>) {
    let mut stopping = app.stopping();
    while !*stopping.borrow() {
        match trim(&app).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "trimmed what is older than the retention"),
            Err(error) => tracing::warn!(%error, "trimming waits for the store"),
        }
        tokio::select! {
            () = app.clock.sleep(PERIOD) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}
