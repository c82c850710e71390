//! One commit in a segment: all of it counts or none.
//!
//! ```text
//! signature 8 · length of payload u32 · number u64 · time i64 · crc32 of payload u32 · crc32 of the above u32 · payload
//! ```
//! The head has a checksum of its own, so that a reader who met damage finds where the next frame begins. The signature is
//! random and the store's own: nobody can put into a body what that reader would take for a frame.

use super::bytes::{Reader, number};

pub(super) const HEADER_BYTES: usize = 36;

/// The first bytes of every frame of one store, made with its first segment.
pub(super) type Signature = [u8; 8];

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
pub(super) fn finish(out: &mut [u8], signature: Signature, frame: u64, time: i64) {
    let (head, payload) = out.split_at_mut(HEADER_BYTES);
    head[..8].copy_from_slice(&signature);
    head[8..12].copy_from_slice(&number(payload.len()).to_be_bytes());
    head[12..20].copy_from_slice(&frame.to_be_bytes());
    head[20..28].copy_from_slice(&time.to_be_bytes());
    head[28..32].copy_from_slice(&crc32fast::hash(payload).to_be_bytes());
    let crc = crc32fast::hash(&head[..32]);
    head[32..36].copy_from_slice(&crc.to_be_bytes());
}

/// The head at the beginning of `bytes`, if there is one.
pub(super) fn header(bytes: &[u8], signature: Signature) -> Option<Header> {
    let mut reader = Reader(bytes);
    if reader.array()? != signature {
        return None;
    }
    let header = Header {
        payload_bytes: usize::try_from(reader.u32()?).ok()?,
        number: reader.u64()?,
        time: reader.i64()?,
        payload_crc: reader.u32()?,
    };
    (reader.u32()? == crc32fast::hash(&bytes[..32])).then_some(header)
}

impl Header {
    /// Whether the payload is what was written.
    pub(super) fn is_of(&self, payload: &[u8]) -> bool {
        payload.len() == self.payload_bytes && crc32fast::hash(payload) == self.payload_crc
    }
}

/// Where the next head may begin, after `from`.
pub(super) fn next(bytes: &[u8], signature: Signature, from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes.get(at..)?.windows(signature.len()).position(|window| window == signature) {
        if header(&bytes[at + found..], signature).is_some() {
            return Some(at + found);
        }
        at += found + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_another_store_is_no_frame_of_this_one() {
        let mut forged = Vec::new();
        begin(&mut forged);
        forged.extend(b"payload");
        finish(&mut forged, *b"another ", 7, 1);
        let mut body = b"a body with a frame in it: ".to_vec();
        let at = body.len();
        body.extend(&forged);
        assert_eq!(next(&body, *b"another ", 0), Some(at));
        assert_eq!(next(&body, *b"this one", 0), None);
    }
}
