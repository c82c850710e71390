//! Walking over the chain as the store has it.
//!
//! What held once since the start is not read again: while the gateway runs it alone has the store. So a request costs what
//! was written since the last one, but for the first ones after a start, which read all of it, so much at a time.

use super::{
    chain::{Break, Fault, Head, Walk},
    entry::Entry,
    write::kept_head,
};
use crate::{
    app::App,
    store::{Error, Log, PAGE_RECORDS_MAX, PageLimit, Position},
};

/// Most entries that one call walks over.
const LOOK_ENTRIES_MAX: u64 = 200_000;
const READ: PageLimit = PageLimit { records_max: PAGE_RECORDS_MAX, body_bytes_max: 4 << 20 };

/// How far the walk has come.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    at: Position,
    walk: Walk,
}

/// Whether the chain holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// From the oldest entry that is kept to the head.
    Intact,
    /// Not yet known: it holds as far as it was walked over. Ask again.
    Unfinished,
    /// It does not hold, here first.
    Broken(Break),
}

/// What is known of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Whether it holds.
    pub verdict: Verdict,
    /// How many of the entries that are kept hold, from the oldest on.
    pub entries: u64,
    /// The newest of them.
    pub head: Head,
}

/// Walks over the chain, or over what was added to it since the last call.
///
/// # Errors
/// The store's.
pub async fn verify(app: &App) -> Result<Verified, Error> {
    let mut walked = app.ledger.walked.lock().await;
    let kept = kept_head(app);
    let head = kept.unwrap_or(Head::NONE);
    let trimmed = app.store.trimmed(Log::Ledger);
    let progress = walked.take().filter(|progress| progress.at >= trimmed);
    let mut progress = progress.unwrap_or_else(|| Progress { at: trimmed, walk: Walk::new(trimmed > Position(0)) });
    let began = progress.walk.count();
    let verdict = loop {
        let records = app.store.read(Log::Ledger, progress.at, READ).await?;
        if records.end == progress.at {
            break end(&progress.walk, kept);
        }
        let lost = records.left_out.first();
        let (readable, behind) = records.split_at(match lost {
            Some(lost) => records.partition_point(|record| record.position < lost.first),
            None => records.len(),
        });
        let stepped = readable.iter().try_for_each(|record| {
            progress.walk.step(record.key, &record.body, head)?;
            progress.at = record.position;
            Ok(())
        });
        // The disk lost some: the chain cannot be followed over them.
        let stepped = stepped.and_then(|()| {
            let Some(lost) = lost else { return Ok(()) };
            let next = behind.iter().find_map(|record| Some(Entry::from_stored(&record.body)?.number));
            Err(progress.walk.unreadable(lost.count(), next.unwrap_or(head.number + 1)))
        });
        if stepped.is_ok() {
            progress.at = records.end;
        }
        match stepped {
            Err(broken) => break Verdict::Broken(broken),
            Ok(()) if progress.walk.count() - began >= LOOK_ENTRIES_MAX => break Verdict::Unfinished,
            Ok(()) => {}
        }
    };
    let entries = progress.at.0.saturating_sub(trimmed.0);
    let newest = progress.walk.last().unwrap_or(head);
    *walked = Some(progress);
    Ok(Verified { verdict, entries, head: newest })
}

fn end(walk: &Walk, kept: Option<Head>) -> Verdict {
    let ended = match (kept, walk.last()) {
        (Some(head), _) => walk.finish(head),
        (None, None) => Ok(()),
        (None, Some(last)) => Err(Break { number: last.number, fault: Fault::HeadLost }),
    };
    ended.map_or_else(Verdict::Broken, |()| Verdict::Intact)
}
