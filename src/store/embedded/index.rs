//! Where the entries of one segment are: in memory while it is written, in a file beside it afterwards.
//!
//! ```text
//! head      "HKWINDEX" · format u32 · segment u64 · bytes of it that count u64 · blocks u32 · keys u32 · runs u32 ·
//!           crc32 of blocks u32 · crc32 of hashes u32 · crc32 of runs and chunks u32 · crc32 of the above u32
//! runs      runs × (log u8 · first u64 · last u64)
//! chunks    crc32 of each 512 keys u32
//! hashes    keys × u64, ascending: what opening needs to know which keys there are
//! keys      keys × (key 16 · log u8, position u56), in the order of their hashes
//! blocks    blocks × (log u8 · first u64 · count u32 · offset u64 · length u32 · time i64), by log and first
//! ```
//! The file is derived: when it is missing, older or damaged it is made again from its segment.

use super::{block::Block, bytes::number, fault::Fault};
use crate::store::Log;
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use uuid::Uuid;

pub(super) const MAGIC: &[u8; 8] = b"HKWINDEX";
pub(super) const FORMAT: u32 = 2;
pub(super) const HEAD_BYTES: usize = 56;
pub(super) const RUN_BYTES: usize = 17;
pub(super) const KEY_BYTES: usize = 24;
pub(super) const KEYS_PER_CHUNK: usize = 512;
pub(super) const BLOCK_BYTES: usize = 33;

/// Where a block is in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockRef {
    pub(super) log: Log,
    pub(super) first: u64,
    pub(super) count: u32,
    /// Of its item's head.
    pub(super) offset: u64,
    /// With its item's head.
    pub(super) len: u32,
    /// The time of its first entry, in milliseconds since 1970.
    pub(super) time: i64,
}

impl BlockRef {
    /// Of a block whose item lies here.
    pub(super) fn of(block: &Block, offset: u64, len: usize) -> Self {
        let time = block.heads.first().map_or(0, |head| head.time);
        let count = number(block.heads.len());
        Self { log: block.log, first: block.first, count, offset, len: number(len), time }
    }

    pub(super) fn last(&self) -> u64 {
        self.first + u64::from(self.count) - 1
    }
}

/// Positions without a gap that lie in one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) log: Log,
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Where the index of a segment is.
pub(super) fn path(journal: &Path, segment: u64) -> PathBuf {
    journal.join(format!("{segment:012}.index"))
}

/// The hash by which tables tell keys apart: both halves and the log, mixed so that every bit depends on all.
pub(super) fn hash(log: Log, key: Uuid) -> u64 {
    let (high, low) = key.as_u64_pair();
    let mut mixed = high ^ low.rotate_left(32) ^ (u64::from(log as u8) << 56);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The index of a segment that is not sealed.
#[derive(Debug, Default)]
pub(super) struct MemoryIndex {
    blocks: BTreeMap<(Log, u64), BlockRef>,
    keys: HashMap<(Log, Uuid), u64>,
}

impl MemoryIndex {
    /// Adds a block with the keys of its entries.
    pub(super) fn add(&mut self, block: BlockRef, keys: impl Iterator<Item = Uuid>) {
        self.blocks.insert((block.log, block.first), block);
        for (position, key) in (block.first..).zip(keys) {
            self.keys.insert((block.log, key), position);
        }
    }

    pub(super) fn position(&self, log: Log, key: Uuid) -> Option<u64> {
        self.keys.get(&(log, key)).copied()
    }

    pub(super) fn block(&self, log: Log, position: u64) -> Option<BlockRef> {
        let (_, block) = self.blocks.range((log, 0)..=(log, position)).next_back()?;
        (position <= block.last()).then_some(*block)
    }

    pub(super) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Positions without gaps, by log.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for block in self.blocks.values() {
            match runs.last_mut() {
                Some(run) if run.log == block.log && run.last + 1 == block.first => run.last = block.last(),
                _ => runs.push(Run { log: block.log, first: block.first, last: block.last() }),
            }
        }
        runs
    }

    /// Writes the file.
    pub(super) fn write(&self, journal: &Path, segment: u64, valid_bytes: u64) -> Result<(), Fault> {
        let path = path(journal, segment);
        let io = Fault::io(&path);
        let bytes = self.encode(segment, valid_bytes);
        let draft = path.with_extension("index-new");
        let write = || {
            let mut options = File::options();
            let file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
            file.write_all_at(&bytes, 0)?;
            // Not synced: it is derived, and its checksums tell whether it arrived.
            fs::rename(&draft, &path)
        };
        if let Err(error) = write() {
            let _ = fs::remove_file(&draft);
            return Err(io(error));
        }
        Ok(())
    }

    fn encode(&self, segment: u64, valid_bytes: u64) -> Vec<u8> {
        let mut keys: Vec<_> =
            self.keys.iter().map(|((log, key), position)| (hash(*log, *key), *key, *log, *position)).collect();
        keys.sort_unstable();
        let runs = self.runs();
        let (mut hashes, mut records) = (Vec::new(), Vec::new());
        for (hash, key, log, position) in &keys {
            hashes.extend(hash.to_be_bytes());
            records.extend(key.as_bytes());
            records.extend((position | (u64::from(*log as u8) << 56)).to_be_bytes());
        }
        let mut middle = Vec::new();
        for run in &runs {
            middle.push(run.log as u8);
            middle.extend(run.first.to_be_bytes());
            middle.extend(run.last.to_be_bytes());
        }
        for chunk in records.chunks(KEYS_PER_CHUNK * KEY_BYTES) {
            middle.extend(crc32fast::hash(chunk).to_be_bytes());
        }
        let mut blocks = Vec::new();
        for block in self.blocks.values() {
            blocks.push(block.log as u8);
            blocks.extend(block.first.to_be_bytes());
            blocks.extend(block.count.to_be_bytes());
            blocks.extend(block.offset.to_be_bytes());
            blocks.extend(block.len.to_be_bytes());
            blocks.extend(block.time.to_be_bytes());
        }
        let mut out = MAGIC.to_vec();
        out.extend(FORMAT.to_be_bytes());
        for number in [segment, valid_bytes] {
            out.extend(number.to_be_bytes());
        }
        for count in [self.blocks.len(), keys.len(), runs.len()] {
            out.extend(number(count).to_be_bytes());
        }
        for part in [&blocks, &hashes, &middle] {
            out.extend(crc32fast::hash(part).to_be_bytes());
        }
        out.extend(crc32fast::hash(&out).to_be_bytes());
        for part in [middle, hashes, records, blocks] {
            out.extend(part);
        }
        out
    }
}
