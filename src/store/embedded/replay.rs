//! Going through the frames of a segment: what they tell, where their blocks are, and what is damaged.

use super::{
    block,
    catalog::at,
    consumers::Readers,
    fault::Fault,
    frame::{self, Signature},
    index::{BlockRef, MemoryIndex},
    item::{self, Item},
    mirror::Mirror,
    segment::{Found, Walk},
};
use crate::store::{Consumer, Log};
use bytes::Bytes;
use std::{collections::BTreeMap, path::Path};

/// Everything that frames tell, in order.
pub(super) struct Replay {
    signature: Signature,
    pub(super) readers: Readers,
    pub(super) mirror: Mirror,
    pub(super) trimmed: [u64; Log::ALL.len()],
    pub(super) last: [u64; Log::ALL.len()],
    pub(super) newest_frame: u64,
    pub(super) time: i64,
    /// Where each consumer was when damage was first met.
    pub(super) at_damage: Option<BTreeMap<Consumer, u64>>,
}

/// A segment that was read frame by frame.
pub(super) struct Replayed {
    pub(super) index: MemoryIndex,
    pub(super) valid_bytes: u64,
    pub(super) read_bytes: u64,
    /// Where damage was met, and whether whole frames followed it.
    pub(super) damaged_at: Option<u64>,
    pub(super) is_damaged_inside: bool,
}

/// The index of a segment, made from the segment, and how much of it counts.
pub(super) fn index_of(
    journal: &Path,
    number: u64,
    limit: u64,
    signature: Signature,
) -> Result<(MemoryIndex, u64), Fault> {
    let mut walk = Walk::read(journal, number, limit, signature)?;
    let mut index = MemoryIndex::default();
    for found in &mut walk {
        if let Found::Frame { payload_at, payload, .. } = found {
            each_item(&payload, payload_at, |kind, content, offset, len| {
                if kind == item::ENTRIES
                    && let Some(block) = block::decode(&content)
                {
                    index.add(BlockRef::of(&block, offset, len), block.heads.iter().map(|head| head.key));
                }
                Ok(())
            })?;
        }
    }
    Ok((index, walk.valid_bytes))
}

/// Calls `each` with kind, content, place and length of every item of a frame.
fn each_item(
    payload: &Bytes,
    payload_at: u64,
    mut each: impl FnMut(u8, Bytes, u64, usize) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut offset = 0;
    while offset < payload.len() {
        let Some((kind, content, len)) = item::take(&payload.slice(offset..)) else {
            return Err(Fault::Damaged(
                "a whole frame holds something that is no item; a newer hookwell wrote it".into(),
            ));
        };
        each(kind, content, payload_at + offset as u64, len)?;
        offset += len;
    }
    Ok(())
}

impl Replay {
    /// Before the first frame.
    pub(super) fn new(leases: u64, signature: Signature) -> Self {
        Self {
            signature,
            readers: Readers::new(leases),
            mirror: Mirror::default(),
            trimmed: Default::default(),
            last: Default::default(),
            newest_frame: 0,
            time: 0,
            at_damage: None,
        }
    }

    /// Reads a segment frame by frame.
    pub(super) fn segment(&mut self, journal: &Path, number: u64, limit: u64) -> Result<Replayed, Fault> {
        let mut walk = Walk::read(journal, number, limit, self.signature)?;
        let mut index = MemoryIndex::default();
        let (mut damaged_at, mut is_damaged_inside) = (None, false);
        for found in &mut walk {
            match found {
                Found::Frame { header, payload_at, payload } => {
                    is_damaged_inside |= damaged_at.is_some();
                    self.frame(&header, payload_at, &payload, &mut index)?;
                }
                Found::Damage { from, to, frame } => {
                    damaged_at.get_or_insert(from);
                    self.at_damage.get_or_insert_with(|| self.readers.cursors());
                    let frame = frame.map(|frame| frame.number);
                    tracing::warn!(segment = number, from, to, ?frame, "bytes of the journal are not what was written");
                }
            }
        }
        let read_bytes = walk.len();
        // Whole frames behind damage count as well.
        let valid_bytes = walk.valid_bytes;
        Ok(Replayed { index, valid_bytes, read_bytes, damaged_at, is_damaged_inside })
    }

    fn frame(
        &mut self,
        header: &frame::Header,
        payload_at: u64,
        payload: &Bytes,
        index: &mut MemoryIndex,
    ) -> Result<(), Fault> {
        self.newest_frame = self.newest_frame.max(header.number);
        self.time = self.time.max(header.time);
        each_item(payload, payload_at, |kind, content, offset, len| {
            if kind != item::ENTRIES {
                let item = Item::decode(kind, &content).ok_or_else(newer_format)?;
                self.apply(item);
                return Ok(());
            }
            let block = block::decode(&content).ok_or_else(newer_format)?;
            let last = &mut self.last[at(block.log)];
            *last = block.last().max(*last);
            index.add(BlockRef::of(&block, offset, len), block.heads.iter().map(|head| head.key));
            Ok(())
        })
    }

    fn apply(&mut self, item: Item) {
        self.readers.apply(&item);
        match item {
            Item::Trimmed { log, position } => self.trimmed[at(log)] = position.max(self.trimmed[at(log)]),
            Item::Last { log, position } => self.last[at(log)] = position.max(self.last[at(log)]),
            Item::Record { kind, id, version, value } => self.mirror.apply(&kind, &id, version, value),
            Item::Revision(revision) => self.mirror.revision = revision.max(self.mirror.revision),
            Item::State(items) => {
                self.readers.clear();
                self.mirror = Mirror::default();
                for item in items {
                    self.apply(item);
                }
            }
            Item::Cursor { .. }
            | Item::Waits { .. }
            | Item::Over { .. }
            | Item::Dead { .. }
            | Item::Forgotten { .. } => {}
        }
    }
}

fn newer_format() -> Fault {
    Fault::Damaged(
        "a whole frame holds something that this release does not know; use the release that wrote it".into(),
    )
}
