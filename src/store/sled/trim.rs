//! Removing the oldest records: exact for readers at once, block by block on disk.
//!
//! A block that is only partly trimmed stays until its last entry is; its trimmed entries and their keys are hidden.
//! Rewriting it was not taken: it would cost a write per call to save at most one block per log.

use super::{Shared, db::Db, db::Fault, db::Write, layout, reading, view::at};
use crate::store::Log;
use uuid::Uuid;

/// Blocks looked at by one call: about a thousand notifications, so that no append waits long behind it.
const BLOCKS_PER_CALL: usize = 64;

/// What one call removes.
pub(super) struct Trim {
    pub(super) log: Log,
    from: u64,
    /// The newest position it removes.
    pub(super) to: u64,
    keys: Vec<(Uuid, u64)>,
    /// First positions and chunks of the blocks that go as a whole.
    blocks: Vec<(u64, u32)>,
}

/// Looks how far the log may be trimmed, within the bounds of one call.
pub(super) fn plan(shared: &Shared, db: &Db, log: Log, before: i64) -> Result<Trim, Fault> {
    let settled_to = shared.readers().settled_to(log);
    let (trimmed, blocks) = {
        let contents = shared.logs[at(log)].read();
        let blocks: Vec<_> =
            contents.blocks.iter().take(BLOCKS_PER_CALL).map(|(first, extent)| (*first, *extent)).collect();
        (contents.trimmed, blocks)
    };
    let mut trim = Trim { log, from: trimmed, to: trimmed, keys: Vec::new(), blocks: Vec::new() };
    'blocks: for (first, extent) in blocks {
        for (position, (key, time)) in (first..).zip(reading::read_index(db, log, first)?) {
            if position <= trimmed {
                continue;
            }
            if position > settled_to || time >= before {
                break 'blocks;
            }
            trim.keys.push((key, position));
            trim.to = position;
        }
        trim.blocks.push((first, extent.chunks));
    }
    Ok(trim)
}

impl Trim {
    pub(super) fn count(&self) -> u64 {
        self.to - self.from
    }

    pub(super) fn write(&self, shared: &Shared, writes: &mut Vec<Write>) {
        if self.count() == 0 {
            return;
        }
        let key = layout::trimmed_key(self.log);
        let value = layout::seal(&key, &self.to.to_be_bytes());
        writes.push((key, Some(value)));
        for (first, chunks) in &self.blocks {
            writes.push((layout::index_key(self.log, *first), None));
            writes.push((layout::block_key(self.log, *first), None));
            writes.extend((0..*chunks).map(|chunk| (layout::chunk_key(self.log, *first, chunk), None)));
        }
        for (consumer, dead) in shared.readers().dead_to(self.log, self.to) {
            writes.push((layout::dead_key(consumer, dead), None));
        }
    }

    pub(super) fn publish(&self, shared: &Shared) {
        let mut contents = shared.logs[at(self.log)].write();
        contents.trimmed = self.to;
        for (first, _) in &self.blocks {
            contents.blocks.remove(first);
        }
        for (key, position) in &self.keys {
            contents.keys.remove(*key, *position);
        }
    }
}
