//! What is on disk: keys by prefix in one tree, and the envelope around every value.
//!
//! ```text
//! 01 log                          → trimmed position (also keeps positions from being reused)
//! 02                              → registry revision
//! 10 log first                    → index of a block: keys and times of its entries
//! 20 log first                    → block: the entries themselves
//! 30 log position chunk           → part of an entry too big for a block
//! 40 log name                     → cursor of a consumer
//! 50 log len name position        → retry
//! 51 log len name position        → dead
//! 60 len kind len id chunk        → registry record
//! ```
//! Numbers in keys are big-endian, so that order in the tree is order in the log.
//! Every value is `version, crc32 of key and rest, rest`: a value under a foreign key is damage too.

use super::db::{Fault, SEGMENT_BYTES};
use crate::store::{Consumer, Log};

/// sled writes a leaf as one item and moves items over a quarter of a segment into files of their own, which no sync of
/// ours reaches. A leaf splits at 17 values and may hold a few more after a merge: 32 of this size still fit.
pub(super) const VALUE_BYTES_MAX: usize = 15 << 10;
const _: () = assert!(32 * (VALUE_BYTES_MAX + 256) < SEGMENT_BYTES / 4 - 64);

const VERSION: u8 = 1;
const ENVELOPE_BYTES: usize = 5;
/// What is left of a value for its content.
pub(super) const CONTENT_BYTES_MAX: usize = VALUE_BYTES_MAX - ENVELOPE_BYTES;

pub(super) const REVISION_KEY: &[u8] = &[0x02];
pub(super) const CURSORS: &[u8] = &[0x40];
pub(super) const RETRIES: &[u8] = &[0x50];
pub(super) const DEADS: &[u8] = &[0x51];
pub(super) const RECORDS: &[u8] = &[0x60];

pub(super) fn trimmed_key(log: Log) -> Vec<u8> {
    vec![0x01, log as u8]
}

pub(super) fn index_prefix(log: Log) -> Vec<u8> {
    vec![0x10, log as u8]
}

pub(super) fn index_key(log: Log, first: u64) -> Vec<u8> {
    numbered(vec![0x10, log as u8], first)
}

pub(super) fn block_key(log: Log, first: u64) -> Vec<u8> {
    numbered(vec![0x20, log as u8], first)
}

pub(super) fn chunk_key(log: Log, position: u64, chunk: u32) -> Vec<u8> {
    let mut key = numbered(vec![0x30, log as u8], position);
    key.extend(chunk.to_be_bytes());
    key
}

pub(super) fn cursor_key(consumer: &Consumer) -> Vec<u8> {
    let mut key = vec![0x40, consumer.log as u8];
    key.extend(consumer.name.as_bytes());
    key
}

pub(super) fn retry_key(consumer: &Consumer, position: u64) -> Vec<u8> {
    numbered(of_consumer(0x50, consumer), position)
}

pub(super) fn dead_key(consumer: &Consumer, position: u64) -> Vec<u8> {
    numbered(of_consumer(0x51, consumer), position)
}

/// Kind and id are at most 32 and 200 bytes: a byte holds their length.
pub(super) fn record_key(kind: &str, id: &str, chunk: u8) -> Vec<u8> {
    let mut key = vec![0x60];
    for part in [kind, id] {
        key.push(u8::try_from(part.len()).expect("checked when the change was submitted"));
        key.extend(part.as_bytes());
    }
    key.push(chunk);
    key
}

fn of_consumer(prefix: u8, consumer: &Consumer) -> Vec<u8> {
    let len = u8::try_from(consumer.name.len()).expect("a consumer's name is at most 100 bytes");
    let mut key = vec![prefix, consumer.log as u8, len];
    key.extend(consumer.name.as_bytes());
    key
}

fn numbered(mut key: Vec<u8>, number: u64) -> Vec<u8> {
    key.extend(number.to_be_bytes());
    key
}

/// The log of a number found in a key.
pub(super) fn log_of(number: u8) -> Option<Log> {
    Log::ALL.into_iter().find(|log| *log as u8 == number)
}

/// Puts content into its envelope.
pub(super) fn seal(key: &[u8], content: &[u8]) -> Vec<u8> {
    assert!(content.len() <= CONTENT_BYTES_MAX, "a value over the limit would become a file of its own");
    let mut value = Vec::with_capacity(ENVELOPE_BYTES + content.len());
    value.push(VERSION);
    value.extend(checksum(key, content).to_le_bytes());
    value.extend(content);
    value
}

/// Takes content out of its envelope.
pub(super) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Fault> {
    let (envelope, content) =
        value.split_at_checked(ENVELOPE_BYTES).ok_or_else(|| damaged_key(key, "is shorter than its envelope"))?;
    if envelope[0] != VERSION {
        return Err(damaged_key(key, "has an unknown version"));
    }
    if envelope[1..] != checksum(key, content).to_le_bytes() {
        return Err(damaged_key(key, "does not match its checksum"));
    }
    Ok(content)
}

/// The fault of one key, with the remedy.
pub(super) fn damaged_key(key: &[u8], what: &str) -> Fault {
    Fault::Corrupt(format!(
        "key {key:02x?} {what}; restore the data directory from a backup, or move it aside to start empty"
    ))
}

fn checksum(key: &[u8], content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(content);
    crc.finalize()
}

/// Reads numbers and slices off the front of content; `None` when it ends too early.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }
}
