//! Merging small blocks. At a low rate every commit makes a block of one entry; left alone they would cost a page for
//! every ten entries, in memory and at every opening.
//!
//! A merge writes the long block over the first short one and publishes it; the other short ones are removed by a later
//! commit, so that no reader misses them. A crash in between leaves blocks inside another one: opening removes them.

use super::{
    Shared,
    block::{self, ENTRIES_MAX, Extent, RAW_BYTES_TARGET},
    db::{Db, Fault, Write},
    draft::Draft,
    layout::{self, CONTENT_BYTES_MAX},
    reading,
    view::{Contents, at},
};
use crate::store::Log;

/// Merges in one commit that others wait for.
const MERGES_PER_COMMIT: usize = 2;

/// Where merging stands; all of it can be forgotten.
#[derive(Debug, Default)]
pub(super) struct Repacker {
    /// Blocks before these positions need no merging.
    packed: [u64; Log::ALL.len()],
    /// Short blocks that a published merge has replaced.
    replaced: Vec<Vec<u8>>,
}

/// A run of blocks that became one.
pub(super) struct Merge {
    log: Log,
    first: u64,
    extent: Extent,
    others: Vec<u64>,
}

impl Repacker {
    /// Starts with leftovers that opening found.
    pub(super) fn new(replaced: Vec<Vec<u8>>) -> Self {
        Self { packed: [0; Log::ALL.len()], replaced }
    }

    /// Whether there is a run to merge, so that an idle writer does it.
    pub(super) fn has_work(&mut self, shared: &Shared) -> bool {
        Log::ALL.into_iter().any(|log| self.next_run(&shared.logs[at(log)].read(), log).is_some())
    }

    /// Adds merges and pending removals to a commit.
    pub(super) fn stage(&mut self, draft: &mut Draft<'_>) {
        draft.writes.extend(self.removals());
        let mut left = MERGES_PER_COMMIT;
        for log in Log::ALL {
            while left > 0 && !draft.trims(log) {
                let run = self.next_run(&draft.shared.logs[at(log)].read(), log);
                let Some(run) = run else { break };
                left -= 1;
                let end = run.last().map_or(0, |(first, extent)| first + u64::from(extent.count) - 1);
                // A run that cannot be read or does not fit stays as it is: reading it will say what is wrong.
                self.packed[at(log)] = end;
                if let Ok(Some(merge)) = merge(draft, log, &run) {
                    draft.merges.push(merge);
                }
            }
        }
    }

    /// After the commit: the merged blocks are published, what they replace goes with the next commit.
    pub(super) fn published(&mut self, merges: Vec<(Log, Vec<u64>)>) {
        for (log, others) in merges {
            for first in others {
                self.replaced.extend([layout::index_key(log, first), layout::block_key(log, first)]);
            }
        }
    }

    /// What a last commit has to remove.
    pub(super) fn removals(&mut self) -> impl Iterator<Item = Write> + use<> {
        std::mem::take(&mut self.replaced).into_iter().map(|key| (key, None))
    }

    /// The next run of at least two small neighbours that fills a block or ends at a full one.
    fn next_run(&mut self, contents: &Contents, log: Log) -> Option<Vec<(u64, Extent)>> {
        let mut run = Vec::new();
        let (mut raw_bytes, mut stored_bytes, mut entries) = (0, 0, 0);
        for (first, extent) in contents.blocks.range(self.packed[at(log)] + 1..) {
            let (raw, stored, count) = (extent.raw_bytes as usize, extent.stored_bytes as usize, extent.count as usize);
            // Together they never compress worse than apart: what fits by its sum fits.
            let is_over = raw_bytes + raw > RAW_BYTES_TARGET
                || stored_bytes + stored > CONTENT_BYTES_MAX
                || entries + count > ENTRIES_MAX;
            if is_full(*extent) || is_over {
                if run.len() > 1 {
                    return Some(run);
                }
                run.clear();
                (raw_bytes, stored_bytes, entries) = (0, 0, 0);
            }
            if is_full(*extent) {
                self.packed[at(log)] = first + u64::from(extent.count) - 1;
                continue;
            }
            (raw_bytes, stored_bytes, entries) = (raw_bytes + raw, stored_bytes + stored, entries + count);
            run.push((*first, *extent));
        }
        None
    }
}

fn is_full(extent: Extent) -> bool {
    extent.chunks > 0
        || extent.raw_bytes as usize > RAW_BYTES_TARGET / 2
        || extent.stored_bytes as usize > CONTENT_BYTES_MAX / 2
        || extent.count as usize > ENTRIES_MAX / 2
}

fn merge(draft: &mut Draft<'_>, log: Log, run: &[(u64, Extent)]) -> Result<Option<Merge>, Fault> {
    let first = run[0].0;
    let mut entries = Vec::new();
    for (first, extent) in run {
        match read(draft.db, log, *first)? {
            Some(block) if block.len() == extent.count as usize => entries.extend(block),
            _ => return Ok(None),
        }
    }
    let Some(encoded) = block::encode(&entries) else { return Ok(None) };
    draft.put_block(log, first, &encoded);
    let others = run[1..].iter().map(|(first, _)| *first).collect();
    Ok(Some(Merge { log, first, extent: encoded.extent, others }))
}

fn read(db: &Db, log: Log, first: u64) -> Result<Option<Vec<block::Packed>>, Fault> {
    reading::read_block(db, log, first)
}

impl Merge {
    pub(super) fn replaced(&self) -> (Log, Vec<u64>) {
        (self.log, self.others.clone())
    }

    pub(super) fn publish(&self, shared: &Shared) {
        let mut contents = shared.logs[at(self.log)].write();
        for other in &self.others {
            contents.blocks.remove(other);
        }
        contents.blocks.insert(self.first, self.extent);
    }
}
