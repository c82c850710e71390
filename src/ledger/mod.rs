//! The ledger: hour by hour, what Azure's own records say happened and what of it is an event here, so written that it
//! cannot be changed afterwards without showing.
//!
//! ```text
//! a sweep's tally ─▶ note ─▶ entry (names the hash of the one before) ─▶ log "ledger" ─▶ completeness, audit
//!                                └─▶ registry: the head, and the hours with something unexplained
//! ```
//!
//! [`entry`] and [`chain`] are pure. An hour is written once it is over, and before that only when something in it is
//! unexplained; when a later look finds something else, a new entry with the next revision supersedes it, and the old one
//! stays. One writer at a time; the entries of one [`note`] are one commit.
//!
//! Not promised: that an hour without entry was looked at, and more than Azure's records tell: what they forgot before it was
//! compared, nobody expects. The alternative, a state per hour that is overwritten, would prove nothing.

pub mod chain;
mod completeness;
pub mod entry;
mod open;
mod swept;
mod verify;
mod write;

pub use self::{
    completeness::{Completeness, StreamHours, completeness},
    open::{Reach, gaps, is_late, reach, streams},
    swept::note_sweep,
    verify::{Verdict, Verified, verify},
    write::note,
};

use self::{chain::Head, entry::Hour, verify::Progress};
use crate::{
    app::App,
    store::{Error, Log},
};

/// What the process remembers of the ledger.
#[derive(Debug, Default)]
pub struct Book {
    /// The newest entry, once it is known; held while entries are written, because each names the one before it.
    writing: tokio::sync::Mutex<Option<Head>>,
    /// How far the chain was walked over since the start.
    walked: tokio::sync::Mutex<Option<Progress>>,
}

/// Most revisions of one hour that are looked for.
const REVISIONS_MAX: u32 = 1_000;

/// What was found of an hour.
pub(crate) struct Found {
    /// The newest of it.
    pub(crate) entry: entry::Entry,
    /// The highest revision that there is.
    pub(crate) revisions: u32,
}

/// What was found of an hour last.
///
/// Revisions are tried from the first on. Where retention has taken the first away already, the hour counts as not
/// compared, until it is compared again.
pub(crate) async fn newest(app: &App, hour: Hour) -> Result<Option<Found>, Error> {
    let mut found: Option<Found> = None;
    for revision in 1..=REVISIONS_MAX {
        let Some(record) = app.store.find(Log::Ledger, entry::key(hour, revision)).await? else { break };
        let entry = entry::Entry::from_stored(&record.body)
            .ok_or_else(|| Error::Corrupt { what: format!("ledger entry at {}", record.position) })?;
        found = Some(match found {
            Some(before) if before.entry.number > entry.number => Found { revisions: revision, ..before },
            _ => Found { entry, revisions: revision },
        });
    }
    Ok(found)
}
