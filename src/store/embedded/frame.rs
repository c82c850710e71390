//! One commit in a segment: all of it counts or none.
//!
//! ```text
//! magic u32 · length of payload u32 · number u64 · time i64 · crc32 of payload u32 · crc32 of the above u32 · payload
//! ```
//! The head has a checksum of its own, so that a reader who met damage finds where the next frame begins.

use super::bytes::{Reader, number};

pub(super) const HEADER_BYTES: usize = 32;
const MAGIC: [u8; 4] = *b"HkwF";

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) payload_bytes: usize,
    /// Counts all frames of the journal from 1.
    pub(super) number: u64,
    /// The time of the newest entry by then, in milliseconds since 1970: it tells a person about when it was committed.
    pub(super) time: i64,
    payload_crc: u32,
}

/// Makes `out` an empty frame: [`finish`] completes it when the payload is appended.
pub(super) fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.extend([0; HEADER_BYTES]);
}

/// Writes the head of a frame that [`begin`] began.
pub(super) fn finish(out: &mut [u8], frame: u64, time: i64) {
    let (head, payload) = out.split_at_mut(HEADER_BYTES);
    head[..4].copy_from_slice(&MAGIC);
    head[4..8].copy_from_slice(&number(payload.len()).to_be_bytes());
    head[8..16].copy_from_slice(&frame.to_be_bytes());
    head[16..24].copy_from_slice(&time.to_be_bytes());
    head[24..28].copy_from_slice(&crc32fast::hash(payload).to_be_bytes());
    let crc = crc32fast::hash(&head[..28]);
    head[28..32].copy_from_slice(&crc.to_be_bytes());
}

/// The head at the beginning of `bytes`, if there is one.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let mut reader = Reader(bytes);
    if reader.bytes(4)? != MAGIC {
        return None;
    }
    let header = Header {
        payload_bytes: usize::try_from(reader.u32()?).ok()?,
        number: reader.u64()?,
        time: reader.i64()?,
        payload_crc: reader.u32()?,
    };
    (reader.u32()? == crc32fast::hash(&bytes[..28])).then_some(header)
}

impl Header {
    /// Whether the payload is what was written.
    pub(super) fn is_of(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes && crc32fast::hash(payload) == self.payload_crc
    }
}

/// Where the next head may begin, after `from`.
pub(super) fn next(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes.get(at..)?.windows(MAGIC.len()).position(|window| window == MAGIC) {
        if header(&bytes[at + found..]).is_some() {
            return Some(at + found);
        }
        at += found + 1;
    }
    None
}
