//! Events that another mapping or body told of the same change: which states mean "done" can have been something else then,
//! and the type of an event is a part of its id; and a hook can name another revision for a deletion than the records do.

use crate::{
    event::Event,
    store::{Error, Log, Record, Store},
    translate::order::{changes_fields, is_turned, otherwise_told},
};

/// The event in the log that told this change of a work item in another word. A comment or a link of the same revision is no
/// such event: both are told beside the change.
///
/// # Errors
/// The store's.
pub(crate) async fn otherwise(store: &dyn Store, event: &Event) -> Result<Option<Record>, Error> {
    let is_turned = is_turned(event);
    if !is_turned && !changes_fields(event) {
        return Ok(None);
    }
    for id in otherwise_told(event) {
        if let Some(record) = store.find(Log::Events, id).await?.filter(|record| is_turned || is_change(record)) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

/// Whether what is kept tells what a revision changed.
pub(crate) fn is_change(record: &Record) -> bool {
    Event::from_stored(record.key, &record.body).is_some_and(|event| changes_fields(&event))
}
