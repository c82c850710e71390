//! Sinks: made, changed, paused, resumed, removed; their secrets rotated; events sent to them once more.

pub mod deliveries;
mod fields;
mod replay;

pub use self::{
    fields::{NewSink, SinkChange, Start, TargetChange},
    replay::{REPLAY_EVENTS_MAX, Replay, Replayed, replay},
};

use super::{
    App, Directory,
    change::{Precondition, Refusal, Wrong, delete, put},
    connections::Secret,
    directory::Kept,
    kind,
};
use crate::{
    dispatch,
    domain::{Sink, SinkId, SinkState, Target, secret},
    sink::new_secret,
    store::{Change, Expected, REGISTRY_VALUE_BYTES_MAX},
};
use jiff::Timestamp;
use std::sync::Arc;

/// Most sinks of one gateway.
pub const SINKS_MAX: usize = 200;

/// Largest record of a sink. The rest of what the store takes is room for what the gateway puts in itself.
const SINK_BYTES_MAX: usize = REGISTRY_VALUE_BYTES_MAX - (32 << 10);

/// Makes a sink. `also` gives changes for the same commit, made from the record and its signing secret, which is shown this
/// once.
pub async fn create(
    app: &App,
    new: NewSink,
    also: impl FnOnce(&Sink, Option<&Secret>) -> Vec<Change>,
) -> Result<Kept<Sink>, Refusal> {
    let start = new.start.position(app).await?;
    let _changing = app.changing.lock().await;
    if app.directory().sinks.len() >= SINKS_MAX {
        return Err(Refusal::Full { what: "sinks", max: SINKS_MAX });
    }
    let (record, signing) = new.record(app, start);
    usable(app, &record)?;
    let mut changes = vec![put(kind::SINK, &record.id, Expected::Absent, &record)];
    changes.extend(also(&record, signing.as_ref()));
    let versions = app.change(changes).await?;
    Ok(Kept::new(versions[0], record))
}

/// Changes a sink.
pub async fn edit(
    app: &App,
    id: SinkId,
    precondition: &Precondition,
    change: SinkChange,
) -> Result<Kept<Sink>, Refusal> {
    let _changing = app.changing.lock().await;
    let Kept { version, record } = find(&app.directory(), id)?;
    precondition.check(version)?;
    let record = change.apply(app, Arc::unwrap_or_clone(record)).map_err(Refusal::Invalid)?;
    usable(app, &record)?;
    kept(app, version, record).await
}

/// What cannot be opened is refused when it is given, and not when the first event is to go there. So is what would be too
/// large to be kept after the next change of its state.
fn usable(app: &App, record: &Sink) -> Result<(), Refusal> {
    let size_bytes = serde_json::to_vec(record).map_or(usize::MAX, |json| json.len());
    if size_bytes > SINK_BYTES_MAX {
        let detail = format!(
            "with its filter must take at most {} KiB as they are kept, and take {}: shorten certificates, headers or filter",
            SINK_BYTES_MAX >> 10,
            size_bytes.div_ceil(1 << 10)
        );
        return Err(Refusal::Invalid(vec![Wrong { pointer: "/settings", detail }]));
    }
    if !record.allow_http && record.target.url().is_some_and(|url| url.scheme() == "http") {
        let detail = "is http, where everybody on the way reads what is sent: give https, or set allow_http to true";
        return Err(Refusal::Invalid(vec![Wrong { pointer: "/settings/url", detail: detail.to_owned() }]));
    }
    dispatch::open(app, record).map(drop).map_err(|unusable| Refusal::Contradicts(unusable.0))
}

/// Removes a sink. What it had not got it never gets; the attempts stay for their time.
pub async fn remove(app: &App, id: SinkId, precondition: &Precondition) -> Result<(), Refusal> {
    let _changing = app.changing.lock().await;
    let Kept { version, .. } = find(&app.directory(), id)?;
    precondition.check(version)?;
    // The consumer goes with the worker, which sees that its sink is not there any more, or at the next start.
    app.change(vec![delete(kind::SINK, &id, version)]).await?;
    Ok(())
}

/// Lets events wait, or lets them go. Neither is an error where it is so already.
pub async fn pause(app: &App, id: SinkId, paused: bool, precondition: &Precondition) -> Result<Kept<Sink>, Refusal> {
    let _changing = app.changing.lock().await;
    let Kept { version, record } = find(&app.directory(), id)?;
    precondition.check(version)?;
    let mut record = Arc::unwrap_or_clone(record);
    record.state = match (paused, record.state) {
        (true, state @ SinkState::Paused { .. }) => state,
        (true, _) => SinkState::Paused { since: app.clock.now() },
        (false, _) => SinkState::Enabled,
    };
    kept(app, version, record).await
}

/// A new signing secret, shown this once; the one before it signs too, until the overlap ends.
pub async fn rotate_secret(
    app: &App,
    id: SinkId,
    precondition: &Precondition,
) -> Result<(Kept<Sink>, Secret), Refusal> {
    let _changing = app.changing.lock().await;
    let Kept { version, record } = find(&app.directory(), id)?;
    precondition.check(version)?;
    if !matches!(record.target, Target::Webhook(_)) {
        let word = record.target.word();
        return Err(Refusal::Contradicts(format!("a sink of kind {word} signs nothing; change its secret with PATCH")));
    }
    let fresh = new_secret();
    let mut record = Arc::unwrap_or_clone(record);
    rotate(app, &mut record, &fresh);
    Ok((kept(app, version, record).await?, fresh))
}

/// Puts a signing secret in the place of the current one, which moves to that of the one before.
fn rotate(app: &App, record: &mut Sink, fresh: &Secret) {
    let before = record.secrets.get(secret::SIGNING).and_then(|sealed| {
        let opened = app.keys.open(&Sink::purpose(record.id, secret::SIGNING), sealed).ok()?;
        Some(app.keys.seal(&Sink::purpose(record.id, secret::SIGNING_PREVIOUS), &opened))
    });
    record.secrets.remove(secret::SIGNING_PREVIOUS);
    record.previous_secret_until = before.as_ref().map(|_| overlap_end(app));
    record.secrets.extend(before.map(|sealed| (secret::SIGNING_PREVIOUS.to_owned(), sealed)));
    let sealed = app.keys.seal(&Sink::purpose(record.id, secret::SIGNING), fresh.as_bytes());
    record.secrets.insert(secret::SIGNING.to_owned(), sealed);
}

fn overlap_end(app: &App) -> Timestamp {
    app.clock.now().checked_add(app.settings.hook_overlap).unwrap_or(Timestamp::MAX)
}

/// The sink has said that it wants no more events. Nothing where somebody has removed it meanwhile.
pub(crate) async fn gone(app: &App, id: SinkId, said: &str) -> Result<(), crate::store::Error> {
    let _changing = app.changing.lock().await;
    let Ok(Kept { version, record }) = find(&app.directory(), id) else { return Ok(()) };
    if record.state != SinkState::Enabled {
        return Ok(());
    }
    let mut record = Arc::unwrap_or_clone(record);
    record.state = SinkState::Gone { since: app.clock.now(), said: said.to_owned() };
    tracing::error!(sink = %id, said, "a sink wants no more events; they wait until it is resumed");
    match kept(app, version, record).await {
        Err(Refusal::Store(error)) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

async fn kept(app: &App, version: u64, mut record: Sink) -> Result<Kept<Sink>, Refusal> {
    record.updated_at = app.clock.now();
    let versions = app.change(vec![put(kind::SINK, &record.id, Expected::Version(version), &record)]).await?;
    Ok(Kept::new(versions[0], record))
}

/// The sink with this id.
pub fn find(directory: &Directory, id: SinkId) -> Result<Kept<Sink>, Refusal> {
    directory.sinks.get(&id).cloned().ok_or(Refusal::NotFound("sink"))
}
