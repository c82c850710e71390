//! Entries packed into blocks, since a tree entry per log entry costs a page for every ten of them.
//!
//! A block is readable by itself; its index repeats keys and times, so that opening and trimming read no bodies.

use super::layout::{CONTENT_BYTES_MAX, Reader};
use crate::store::{Position, Record};
use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

/// Aimed at: JSON shrinks to a third, and then this fills a value.
pub(super) const RAW_BYTES_TARGET: usize = 40 << 10;
/// Most entries of one block, so that an index fits a value too.
pub(super) const ENTRIES_MAX: usize = 256;
const HEADER_BYTES: usize = 9;
const INDEX_HEADER_BYTES: usize = 16;
const INDEX_ENTRY_BYTES: usize = 24;
const _: () = assert!(INDEX_HEADER_BYTES + ENTRIES_MAX * INDEX_ENTRY_BYTES <= CONTENT_BYTES_MAX);
/// Key, time and length of an entry before its body.
const ENTRY_HEADER_BYTES: usize = 28;

const PLAIN: u8 = 0;
const LZ4: u8 = 1;
const CHUNKED: u8 = 2;

/// An entry as blocks hold it.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    pub(super) key: Uuid,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    pub(super) body: Bytes,
}

impl Packed {
    pub(super) fn raw_bytes(&self) -> usize {
        ENTRY_HEADER_BYTES + self.body.len()
    }

    pub(super) fn into_record(self, position: u64) -> Option<Record> {
        let time = Timestamp::from_millisecond(self.time).ok()?;
        Some(Record { position: Position(position), key: self.key, time, body: self.body })
    }
}

/// What is known of a block without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) count: u32,
    pub(super) raw_bytes: u32,
    /// As it is in the tree.
    pub(super) stored_bytes: u32,
    /// More than 0 for a single entry that is kept in chunks.
    pub(super) chunks: u32,
}

/// A block ready to be written.
pub(super) struct Encoded {
    pub(super) extent: Extent,
    pub(super) content: Vec<u8>,
    pub(super) index: Vec<u8>,
    pub(super) chunks: Vec<Vec<u8>>,
}

/// Encodes entries as one block; `None` when they do not fit and are more than one.
pub(super) fn encode(entries: &[Packed]) -> Option<Encoded> {
    let raw = raw(entries);
    let compressed = lz4_flex::block::compress(&raw);
    let (codec, payload) = if compressed.len() < raw.len() { (LZ4, compressed) } else { (PLAIN, raw.clone()) };
    let stored_bytes = number(HEADER_BYTES + payload.len());
    let mut extent = Extent { count: number(entries.len()), raw_bytes: number(raw.len()), stored_bytes, chunks: 0 };
    if HEADER_BYTES + payload.len() <= CONTENT_BYTES_MAX {
        let content = content(codec, extent, &payload);
        return Some(Encoded { extent, content, index: index(extent, entries), chunks: Vec::new() });
    }
    if entries.len() > 1 {
        return None;
    }
    let chunks: Vec<_> = payload.chunks(CONTENT_BYTES_MAX).map(<[u8]>::to_vec).collect();
    extent.chunks = number(chunks.len());
    let mut head = vec![codec];
    head.extend(extent.chunks.to_be_bytes());
    Some(Encoded { extent, content: content(CHUNKED, extent, &head), index: index(extent, entries), chunks })
}

/// Decodes a block; `chunk` fetches the chunks of a big entry. `None` when it is not a block.
pub(super) fn decode<E>(
    content: &[u8],
    mut chunk: impl FnMut(u32) -> Result<Vec<u8>, E>,
) -> Result<Option<Vec<Packed>>, E> {
    let mut reader = Reader(content);
    let (Some(codec), Some(count), Some(raw_bytes)) = (reader.u8(), reader.u32(), reader.u32()) else {
        return Ok(None);
    };
    if codec != CHUNKED {
        return Ok(unpack(codec, reader.0, count, raw_bytes));
    }
    let (Some(codec), Some(chunks)) = (reader.u8(), reader.u32()) else { return Ok(None) };
    let mut payload = Vec::new();
    for number in 0..chunks {
        payload.extend(chunk(number)?);
    }
    Ok(unpack(codec, &payload, count, raw_bytes))
}

fn unpack(codec: u8, payload: &[u8], count: u32, raw_bytes: u32) -> Option<Vec<Packed>> {
    let raw_bytes = usize::try_from(raw_bytes).ok()?;
    let raw = match codec {
        PLAIN => payload.to_vec(),
        LZ4 => lz4_flex::block::decompress(payload, raw_bytes).ok()?,
        _ => return None,
    };
    let raw = Bytes::from(raw);
    let mut reader = Reader(&raw);
    let mut entries = Vec::new();
    for _ in 0..count {
        let (key, time, len) = (Uuid::from_bytes(reader.array()?), reader.i64()?, reader.u32()?);
        let body = raw.slice_ref(reader.bytes(usize::try_from(len).ok()?)?);
        entries.push(Packed { key, time, body });
    }
    (raw.len() == raw_bytes && reader.0.is_empty()).then_some(entries)
}

/// Reads an index: what the block holds, and key and time of each entry.
pub(super) fn decode_index(content: &[u8]) -> Option<(Extent, Vec<(Uuid, i64)>)> {
    let mut reader = Reader(content);
    let extent =
        Extent { count: reader.u32()?, raw_bytes: reader.u32()?, stored_bytes: reader.u32()?, chunks: reader.u32()? };
    let mut entries = Vec::new();
    for _ in 0..extent.count {
        entries.push((Uuid::from_bytes(reader.array()?), reader.i64()?));
    }
    (reader.0.is_empty() && extent.count > 0).then_some((extent, entries))
}

fn raw(entries: &[Packed]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(entries.iter().map(Packed::raw_bytes).sum());
    for entry in entries {
        raw.extend(entry.key.as_bytes());
        raw.extend(entry.time.to_be_bytes());
        raw.extend(number(entry.body.len()).to_be_bytes());
        raw.extend(&entry.body);
    }
    raw
}

fn content(codec: u8, extent: Extent, payload: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(HEADER_BYTES + payload.len());
    content.push(codec);
    content.extend(extent.count.to_be_bytes());
    content.extend(extent.raw_bytes.to_be_bytes());
    content.extend(payload);
    content
}

fn index(extent: Extent, entries: &[Packed]) -> Vec<u8> {
    let mut index = Vec::with_capacity(INDEX_HEADER_BYTES + entries.len() * INDEX_ENTRY_BYTES);
    index.extend(extent.count.to_be_bytes());
    index.extend(extent.raw_bytes.to_be_bytes());
    index.extend(extent.stored_bytes.to_be_bytes());
    index.extend(extent.chunks.to_be_bytes());
    for entry in entries {
        index.extend(entry.key.as_bytes());
        index.extend(entry.time.to_be_bytes());
    }
    index
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

fn number(len: usize) -> u32 {
    u32::try_from(len).expect("an entry is at most 32 MiB and a block one entry or 256 small ones")
}
