//! How a journal body is laid out: a small JSON header, then raw bytes that nobody re-encodes.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

/// Length prefix of the header, big endian.
const PREFIX_BYTES: usize = 4;

/// Header and payload as one body.
///
/// # Panics
/// Never for our headers: they are plain structs, whose serialisation cannot fail.
pub fn join(header: &impl Serialize, payload: &[u8]) -> Bytes {
    let header = serde_json::to_vec(header).expect("a header is plain data with string keys");
    let length = u32::try_from(header.len()).expect("a header is far below 4 GiB");
    let mut body = Vec::with_capacity(PREFIX_BYTES + header.len() + payload.len());
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(&header);
    body.extend_from_slice(payload);
    body.into()
}

/// The header and the payload (sharing the body's memory), or `None` when the body was not made by [`join`].
pub fn split<H: DeserializeOwned>(body: &Bytes) -> Option<(H, Bytes)> {
    let (prefix, rest) = body.split_first_chunk::<PREFIX_BYTES>()?;
    let header_bytes = usize::try_from(u32::from_be_bytes(*prefix)).ok()?;
    let header = serde_json::from_slice(rest.get(..header_bytes)?).ok()?;
    Some((header, body.slice(PREFIX_BYTES + header_bytes..)))
}
