//! Giving space back: a segment of which nothing is kept is removed; one of which little is kept, because logs are kept
//! for different times, has that copied to the end of the journal first.

use super::{
    Shared,
    block::Packed,
    catalog::Segment,
    fault::Fault,
    reading::{self, open},
};
use crate::store::Log;
use std::{collections::BTreeSet, fs, sync::Arc};

/// A segment is emptied when at most this share of its entries is kept: one part in so many.
const KEPT_SHARE: u64 = 4;
/// Bodies copied by one commit that others wait for.
const BYTES_PER_COMMIT: usize = 256 << 10;

/// Entries that move, under the positions they have.
pub(super) struct Carry {
    pub(super) log: Log,
    pub(super) first: u64,
    pub(super) entries: Vec<Packed>,
}

/// Where reclaiming stands; all of it can be forgotten.
#[derive(Debug)]
pub(super) struct Reclaimer {
    /// Whether something was trimmed since it last looked.
    is_due: bool,
    /// Segments that cannot be emptied: part of what they keep cannot be read. What says so is reported where it is read.
    stuck: BTreeSet<u64>,
}

impl Default for Reclaimer {
    fn default() -> Self {
        Self { is_due: true, stuck: BTreeSet::new() }
    }
}

impl Reclaimer {
    /// Something was trimmed.
    pub(super) fn look_again(&mut self) {
        self.is_due = true;
    }

    /// Whether an idle writer should call [`Self::next`].
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Removes what is empty, and gives what to copy next. `active` and the one before it stay: opening reads them.
    pub(super) fn next(&mut self, shared: &Shared, active: u64) -> Vec<Carry> {
        if !self.is_due {
            return Vec::new();
        }
        let segments: Vec<_> = {
            let catalog = shared.catalog();
            catalog.segments.values().filter(|segment| segment.number + 1 < active).cloned().collect()
        };
        for segment in segments {
            if !segment.is_sealed() || self.stuck.contains(&segment.number) {
                continue;
            }
            let live = shared.catalog().live(segment.number);
            if live.is_empty() {
                remove(shared, &segment);
                continue;
            }
            let kept: u64 = live.iter().map(|run| run.last - run.first + 1).sum();
            if kept * KEPT_SHARE > segment.entries() {
                continue;
            }
            match carries(shared, &segment, &live) {
                Ok(carries) => return carries,
                Err(fault) => {
                    tracing::warn!(segment = %segment.path.display(), reason = fault.text(), "a segment is not given back");
                    self.stuck.insert(segment.number);
                }
            }
        }
        self.is_due = false;
        Vec::new()
    }
}

fn carries(shared: &Shared, segment: &Arc<Segment>, live: &[super::index::Run]) -> Result<Vec<Carry>, Fault> {
    let file = open(segment)?;
    let (mut carries, mut bytes) = (Vec::new(), 0);
    for run in live {
        let mut position = run.first;
        while position <= run.last && bytes < BYTES_PER_COMMIT {
            let reference = shared.with_index(segment, |segment| segment.block(run.log, position))?;
            let reference = reference.ok_or_else(|| Fault::Damaged("its index leaves positions out".into()))?;
            let records = reading::read_block(&file, segment, &reference)?.records();
            let records = records.ok_or_else(|| Fault::Damaged("a block cannot be decompressed".into()))?;
            let kept = records.into_iter().filter(|record| (position..=run.last).contains(&record.position.0));
            let entries: Vec<_> = kept
                .map(|record| Packed { key: record.key, time: record.time.as_millisecond(), body: record.body })
                .collect();
            bytes += entries.iter().map(Packed::raw_bytes).sum::<usize>();
            carries.push(Carry { log: run.log, first: position, entries });
            position = reference.last() + 1;
        }
    }
    Ok(carries)
}

/// Takes a segment out of the catalog, then off the disk: a reader that no longer finds it looks there again. A file that
/// cannot be removed is harmless: opening finds nothing in it that is kept.
fn remove(shared: &Shared, segment: &Segment) {
    let oldest = {
        let mut catalog = shared.catalog_mut();
        catalog.remove(segment.number);
        catalog.segments.keys().next().copied().unwrap_or(0)
    };
    shared.keys_mut().drop_before(oldest);
    for path in [&super::index::path(&shared.journal, segment.number), &segment.path] {
        if let Err(error) = fs::remove_file(path)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a segment of which nothing is kept cannot be removed");
        }
    }
}
