//! How the gateway is doing: gauges, and what an operator should look at.

use super::App;
use crate::store::{Consumer, Error, Log, Status};

/// The consumer that turns notifications into events.
pub fn translator() -> Consumer {
    Consumer { name: "translate".to_owned(), log: Log::Notifications }
}

/// Sets the gauges that are read from the store and not counted along the way.
pub async fn refresh_gauges(app: &App) -> Result<(), Error> {
    let (metrics, usage) = (&app.metrics, app.store.usage());
    let gauge = |figure: u64| i64::try_from(figure).unwrap_or(i64::MAX);
    metrics.store_bytes.set(gauge(usage.disk_bytes));
    metrics.store_queued.set(gauge(usage.queued));
    metrics.store_commits.set(gauge(usage.commits));
    metrics.ready.set(i64::from(app.store.status() == Status::Ready));
    metrics.backlog.set(gauge(backlog(app).await?));
    Ok(())
}

/// Notifications accepted but not yet translated.
pub async fn backlog(app: &App) -> Result<u64, Error> {
    let translated = app.store.cursor(&translator()).await?;
    let translated = translated.max(app.store.trimmed(Log::Notifications));
    Ok(app.store.tail(Log::Notifications).borrow().0.saturating_sub(translated.0))
}
