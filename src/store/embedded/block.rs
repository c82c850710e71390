//! Entries of one log in one block: keys and times in front, readable by themselves, the bodies compressed together.
//!
//! ```text
//! log u8 · first position u64 · count u32 · codec u8 · bytes of all bodies u32
//! count × (key 16 · time i64 · length u32)
//! bodies
//! ```
//! Bodies of one commit are compressed together because JSON of the same kind shrinks to a third that way and to half
//! alone.

use super::bytes::{Reader, number};
use crate::store::{Log, Position, Record};
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

/// Aimed at: whoever reads one entry decompresses this much.
const RAW_BYTES_TARGET: usize = 40 << 10;
/// Most entries of one block.
const ENTRIES_MAX: usize = 256;
const HEAD_BYTES: usize = 28;
/// The highest position: the index writes the log into the byte above it.
const POSITION_MAX: u64 = (1 << 56) - 1;
/// Below this, compression gains nothing.
const COMPRESSED_BYTES_MIN: usize = 64;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// An entry on its way to the disk.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) key: Uuid,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    pub(super) body: Bytes,
}

impl Packed {
    pub(super) fn raw_bytes(&self) -> usize {
        HEAD_BYTES + self.body.len()
    }
}

/// The key, time and length of an entry, without its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) key: Uuid,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    len: u32,
}

/// A block that was read.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) log: Log,
    pub(super) first: u64,
    pub(super) heads: Vec<Head>,
    codec: u8,
    raw_bytes: usize,
    payload: Bytes,
}

/// Appends a block to `out`.
pub(super) fn encode(log: Log, first: u64, entries: &[Packed], scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    scratch.clear();
    for entry in entries {
        scratch.extend_from_slice(&entry.body);
    }
    out.push(log as u8);
    out.extend(first.to_be_bytes());
    out.extend(number(entries.len()).to_be_bytes());
    let codec_at = out.len();
    out.push(PLAIN);
    out.extend(number(scratch.len()).to_be_bytes());
    for entry in entries {
        out.extend(entry.key.as_bytes());
        out.extend(entry.time.to_be_bytes());
        out.extend(number(entry.body.len()).to_be_bytes());
    }
    let payload_at = out.len();
    if scratch.len() >= COMPRESSED_BYTES_MIN {
        out.resize(payload_at + lz4_flex::block::get_maximum_output_size(scratch.len()), 0);
        let compressed = lz4_flex::block::compress_into(scratch, &mut out[payload_at..]);
        if let Ok(len) = compressed
            && len < scratch.len()
        {
            out.truncate(payload_at + len);
            out[codec_at] = LZ4;
            return;
        }
        out.truncate(payload_at);
    }
    out.extend_from_slice(scratch);
}

/// Reads what [`encode`] wrote; `None` when it is not a block. The bodies are decompressed by [`Block::records`].
pub(super) fn decode(content: &Bytes) -> Option<Block> {
    let mut reader = Reader(content);
    let log = reader.u8()?;
    let log = Log::ALL.into_iter().find(|known| *known as u8 == log)?;
    let (first, count, codec, raw_bytes) = (reader.u64()?, reader.u32()?, reader.u8()?, reader.u32()?);
    let mut heads = Vec::new();
    let mut total = 0_u64;
    for _ in 0..count {
        let head = Head { key: Uuid::from_bytes(reader.array()?), time: reader.i64()?, len: reader.u32()? };
        total += u64::from(head.len);
        heads.push(head);
    }
    let is_placed = first > 0 && first.checked_add(count.into()).is_some_and(|end| end <= POSITION_MAX);
    let is_whole = count > 0 && is_placed && total == u64::from(raw_bytes) && matches!(codec, PLAIN | LZ4);
    let payload = content.slice_ref(reader.0);
    is_whole.then_some(Block { log, first, heads, codec, raw_bytes: usize::try_from(raw_bytes).ok()?, payload })
}

impl Block {
    /// The newest position in it.
    pub(super) fn last(&self) -> u64 {
        self.first + self.heads.len() as u64 - 1
    }

    /// All its records, or `None` when the bodies are not what the head says.
    pub(super) fn records(&self) -> Option<Vec<Record>> {
        let raw = match self.codec {
            PLAIN => self.payload.clone(),
            // Nothing is compressed to less than a 255th, so that damage cannot ask for more memory than that.
            _ if self.raw_bytes > self.payload.len().saturating_mul(255) => return None,
            _ => Bytes::from(lz4_flex::block::decompress(&self.payload, self.raw_bytes).ok()?),
        };
        if raw.len() != self.raw_bytes {
            return None;
        }
        let mut offset = 0;
        let record = |(position, head): (u64, &Head)| {
            let len = usize::try_from(head.len).ok()?;
            let body = raw.slice(offset..offset + len);
            offset += len;
            let time = Timestamp::from_millisecond(head.time).ok()?;
            Some(Record { position: Position(position), key: head.key, time, body })
        };
        (self.first..).zip(&self.heads).map(record).collect()
    }
}

/// Splits entries into runs for blocks of about equal size.
pub(super) fn runs(entries: &[Packed]) -> Vec<&[Packed]> {
    let total: usize = entries.iter().map(Packed::raw_bytes).sum();
    let target = total / total.div_ceil(RAW_BYTES_TARGET).max(1);
    let mut runs = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        bytes += entry.raw_bytes();
        if bytes >= target || at + 1 - start == ENTRIES_MAX {
            runs.push(&entries[start..=at]);
            (start, bytes) = (at + 1, 0);
        }
    }
    if start < entries.len() {
        runs.push(&entries[start..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(number: u64, body: Vec<u8>) -> Packed {
        Packed { key: Uuid::from_u64_pair(number, 1), time: i64::try_from(number).unwrap(), body: body.into() }
    }

    #[test]
    fn a_block_gives_back_what_was_put_in_and_nothing_from_any_shorter_one() {
        let entries = [packed(1, b"a".repeat(500)), packed(2, Vec::new()), packed(3, vec![7; 3])];
        let mut out = Vec::new();
        encode(Log::Events, 9, &entries, &mut Vec::new(), &mut out);
        let block = decode(&out.clone().into()).unwrap();
        assert_eq!((block.log, block.first, block.last()), (Log::Events, 9, 11));
        let records = block.records().unwrap();
        assert_eq!(
            records.iter().map(|record| record.body.clone()).collect::<Vec<_>>(),
            [entries[0].body.clone(), entries[1].body.clone(), entries[2].body.clone()]
        );
        for len in 0..out.len() {
            let cut = decode(&out[..len].to_vec().into());
            assert!(cut.is_none_or(|block| block.records().is_none()), "cut at {len}");
        }
    }
}
