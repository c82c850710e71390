//! Gaps: what must have happened and nobody can tell. Each is written down, and closed when it is filled after all.

use super::mend::Mender;
use crate::{
    app::{
        App,
        breaks::Break,
        change::{delete, put},
        kind,
    },
    domain::Gap,
    recover::sweep::Stopped,
    store::{Change, Error, Expected, Log},
};
use std::time::Duration;

/// Gaps that are kept; a gateway with more of them has one cause for all.
const GAPS_MAX: usize = 1_000;
/// How often the log is asked whether a gap was filled.
const CLOSE_PERIOD: Duration = Duration::from_mins(1);

/// Writes a gap down, under the name of what is missing: once, however often it is found.
pub(super) async fn open(app: &App, found: &Break, mender: &Mender<'_>) -> Result<(), Stopped> {
    let (id, gap) = (found.need, mender.gap());
    let (entity, what) = (gap.entity.as_str(), gap.what.as_str());
    tracing::warn!(connection = %gap.connection, entity, what, "something is missing that neither hooks nor Azure's records tell");
    if app.store.get(kind::GAP, &id.to_string()).is_some() || app.store.list(kind::GAP).len() >= GAPS_MAX {
        return Ok(());
    }
    match app.store.commit(vec![put(kind::GAP, &id, Expected::Absent, &gap)]).await {
        Ok(_) | Err(Error::Conflict) => Ok(()),
        Err(error) => Err(Stopped::Store(error.to_string())),
    }
}

/// Closes what was filled, and forgets what is older than what is kept. At most once a minute.
pub(super) async fn close(app: &App) {
    if !app.breaks.may_look_at_gaps(app.clock.monotonic(), CLOSE_PERIOD) {
        return;
    }
    let mut changes = Vec::new();
    let kept_from = app.clock.now().checked_sub(app.settings.retention).unwrap_or(jiff::Timestamp::MIN);
    let connections = app.directory();
    for (id, kept) in app.store.list(kind::GAP) {
        let gap: Option<Gap> = serde_json::from_slice(&kept.value).ok();
        let is_over = match gap {
            Some(gap) => {
                gap.before < kept_from
                    || !connections.connections.contains_key(&gap.connection)
                    || is_filled(app, &gap).await
            }
            None => true,
        };
        if is_over {
            changes.push(delete(kind::GAP, &id, kept.version));
        }
    }
    let closed = changes.len();
    if let Err(error) = commit(app, changes).await {
        tracing::warn!(%error, "gaps are closed later: the store cannot be written");
    } else if closed > 0 {
        tracing::info!(closed, "gaps were filled or are older than what is kept");
    }
}

async fn commit(app: &App, changes: Vec<Change>) -> Result<(), Error> {
    if !changes.is_empty() {
        app.store.commit(changes).await?;
    }
    Ok(())
}

/// Whether one of what would fill it is here.
async fn is_filled(app: &App, gap: &Gap) -> bool {
    let kept = app.store.contains(Log::Events, &gap.filled_by).await.unwrap_or_default();
    kept.contains(&true) || gap.filled_by.iter().any(|id| app.order.was_met(*id))
}
