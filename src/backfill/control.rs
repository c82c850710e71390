//! Beginning, resuming and cancelling.

use crate::{
    app::{
        App, Kept, bindings,
        change::{Refusal, put},
        kind,
    },
    domain::{Backfill, BackfillState, BackfillStream, Binding, BindingId},
    ledger::streams,
    store::{Change, Expected},
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// So much less than what is kept is filled: what happened at the very edge may be forgotten before it is compared.
const MARGIN: Duration = Duration::from_hours(1);

/// From when on events are kept, and so from when on a backfill may begin.
pub fn oldest(app: &App) -> Timestamp {
    let kept = app.settings.retention.saturating_sub(MARGIN);
    app.clock.now().checked_sub(kept).unwrap_or(Timestamp::MIN)
}

/// The job that a new binding begins with, if new bindings are filled.
pub fn first(app: &App, binding: &Binding) -> Option<Change> {
    let back = app.settings.backfill;
    (!back.is_zero()).then(|| {
        let job = job(app, binding, None, None);
        put(kind::BACKFILL, &binding.id, Expected::Any, &job)
    })
}

/// The last job of a binding.
pub fn find(app: &App, binding: BindingId) -> Option<Kept<Backfill>> {
    let kept = app.store.get(kind::BACKFILL, &binding.to_string())?;
    let record = serde_json::from_slice(&kept.value).ok()?;
    Some(Kept::new(kept.version, record))
}

/// Begins a job over this window. Without one, a cancelled or failed job goes on where it was, and where there is none the
/// window is the one that new bindings are filled with. The caller has checked that `from` is kept and before `to`.
///
/// # Errors
/// [`Refusal::NotFound`], and [`Refusal::Contradicts`] while one runs.
pub async fn begin(
    app: &App,
    id: BindingId,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Backfill, Refusal> {
    let binding = bindings::find(&app.directory(), id)?.record;
    let there = find(app, id);
    let expected = there.as_ref().map_or(Expected::Absent, |kept| Expected::Version(kept.version));
    let begun = match there.map(|kept| Arc::unwrap_or_clone(kept.record)) {
        Some(Backfill { state: BackfillState::Running, .. }) => {
            return Err(Refusal::Contradicts("a backfill of this binding is running; DELETE cancels it".to_owned()));
        }
        Some(job) if from.is_none() && to.is_none() && job.state != BackfillState::Done => {
            Backfill { state: BackfillState::Running, updated_at: app.clock.now(), ..job }
        }
        _ => job(app, &binding, from, to),
    };
    app.store.commit(vec![put(kind::BACKFILL, &id, expected, &begun)]).await.map_err(refusal)?;
    app.backfills.changed();
    Ok(begun)
}

/// Cancels the job of a binding; one that does not run stays as it is.
///
/// # Errors
/// [`Refusal::NotFound`] when there is no job.
pub async fn cancel(app: &App, id: BindingId) -> Result<(), Refusal> {
    bindings::find(&app.directory(), id)?;
    loop {
        let Kept { version, record } = find(app, id).ok_or(Refusal::NotFound("backfill"))?;
        if record.state != BackfillState::Running {
            return Ok(());
        }
        let cancelled =
            Backfill { state: BackfillState::Cancelled, updated_at: app.clock.now(), ..Arc::unwrap_or_clone(record) };
        let change = put(kind::BACKFILL, &id, Expected::Version(version), &cancelled);
        match app.store.commit(vec![change]).await.map_err(refusal) {
            // Its progress was written in between.
            Err(Refusal::Changed) => {}
            done => {
                done?;
                app.backfills.changed();
                return Ok(());
            }
        }
    }
}

fn job(app: &App, binding: &Binding, from: Option<Timestamp>, to: Option<Timestamp>) -> Backfill {
    let now = app.clock.now();
    let to = to.unwrap_or(now);
    let default = || now.checked_sub(app.settings.backfill).unwrap_or(Timestamp::MIN);
    let from = from.unwrap_or_else(default).max(oldest(app)).min(to);
    let streams = streams(binding.selection.role()).iter().map(|stream| BackfillStream::new(*stream, from));
    Backfill {
        binding: binding.id,
        connection: binding.connection,
        from,
        to,
        state: BackfillState::Running,
        streams: streams.collect(),
        worked: Duration::ZERO,
        started_at: now,
        updated_at: now,
    }
}

fn refusal(error: crate::store::Error) -> Refusal {
    match error {
        crate::store::Error::Conflict => Refusal::Changed,
        other => Refusal::Store(other),
    }
}
