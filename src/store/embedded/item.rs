//! The items of a commit: entries, and changes of everything that is small enough to be kept in memory.
//!
//! ```text
//! item     kind u8 · length of content u32 · crc32 of all but itself u32 · content
//! ```
//! [`Item::State`] holds, compressed, items that tell everything small anew: every segment begins with one, so that
//! opening reads one segment, and older ones can go when their entries do.

use super::bytes::{Reader, number, put_short_text};
use crate::store::{Consumer, Log, Versioned};
use bytes::Bytes;
use uuid::Uuid;

/// Kind, length and checksum before the content.
pub(super) const HEADER_BYTES: usize = 9;
/// The kind of a block of entries, see [`super::block`].
pub(super) const ENTRIES: u8 = 1;
const TRIMMED: u8 = 2;
const LAST: u8 = 3;
const CURSOR: u8 = 4;
const WAITS: u8 = 5;
const OVER: u8 = 6;
const DEAD: u8 = 7;
const FORGOTTEN: u8 = 8;
const RECORD: u8 = 9;
const REVISION: u8 = 10;
const STATE: u8 = 11;

/// One change that is not an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Entries up to here are removed.
    Trimmed { log: Log, position: u64 },
    /// Positions up to here were given out.
    Last { log: Log, position: u64 },
    /// A consumer is there and has come this far.
    Cursor { consumer: Consumer, position: u64 },
    /// A record is to be tried (again), from `at` on, in milliseconds since 1970; it is not dead any more.
    Waits { consumer: Consumer, position: u64, attempt: u32, at: i64 },
    /// A record that waited is done.
    Over { consumer: Consumer, position: u64 },
    /// A record was given up.
    Dead { consumer: Consumer, position: u64, key: Uuid, reason: String },
    /// A consumer is gone with everything that was its own.
    Forgotten { consumer: Consumer },
    /// A registry record has this value now; `None` when it was deleted.
    Record { kind: String, id: String, version: u64, value: Option<Bytes> },
    /// The registry's revision is at least this.
    Revision(u64),
    /// Everything small, told anew.
    State(Vec<Item>),
}

/// Appends an item around whatever content `write` appends. Gives back where the item began.
pub(super) fn put(kind: u8, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> usize {
    let start = out.len();
    out.push(kind);
    out.extend([0; HEADER_BYTES - 1]);
    write(out);
    let content_bytes = number(out.len() - start - HEADER_BYTES);
    out[start + 1..start + 5].copy_from_slice(&content_bytes.to_be_bytes());
    let crc = checksum(&out[start..start + 5], &out[start + HEADER_BYTES..]);
    out[start + 5..start + HEADER_BYTES].copy_from_slice(&crc.to_be_bytes());
    start
}

fn checksum(head: &[u8], content: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(content);
    crc.finalize()
}

/// The first item of `bytes`: its kind, its content, and how many bytes it takes. `None` when it is not an item.
pub(super) fn take(bytes: &Bytes) -> Option<(u8, Bytes, usize)> {
    let mut reader = Reader(bytes);
    let (kind, len, crc) = (reader.u8()?, usize::try_from(reader.u32()?).ok()?, reader.u32()?);
    let content = bytes.slice_ref(reader.bytes(len)?);
    (checksum(&bytes[..5], &content) == crc).then_some((kind, content, HEADER_BYTES + len))
}

impl Item {
    /// Appends it to a commit.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self {
            Self::Trimmed { .. } => TRIMMED,
            Self::Last { .. } => LAST,
            Self::Cursor { .. } => CURSOR,
            Self::Waits { .. } => WAITS,
            Self::Over { .. } => OVER,
            Self::Dead { .. } => DEAD,
            Self::Forgotten { .. } => FORGOTTEN,
            Self::Record { .. } => RECORD,
            Self::Revision(_) => REVISION,
            Self::State(_) => STATE,
        };
        put(kind, out, |out| self.content(out));
    }

    fn content(&self, out: &mut Vec<u8>) {
        match self {
            Self::Trimmed { log, position } | Self::Last { log, position } => {
                out.push(*log as u8);
                out.extend(position.to_be_bytes());
            }
            Self::Cursor { consumer, position } | Self::Over { consumer, position } => {
                put_consumer(consumer, out);
                out.extend(position.to_be_bytes());
            }
            Self::Waits { consumer, position, attempt, at } => {
                put_consumer(consumer, out);
                out.extend(position.to_be_bytes());
                out.extend(attempt.to_be_bytes());
                out.extend(at.to_be_bytes());
            }
            Self::Dead { consumer, position, key, reason } => {
                put_consumer(consumer, out);
                out.extend(position.to_be_bytes());
                out.extend(key.as_bytes());
                out.extend(reason.as_bytes());
            }
            Self::Forgotten { consumer } => put_consumer(consumer, out),
            Self::Record { kind, id, version, value } => {
                put_short_text(kind, out);
                put_short_text(id, out);
                out.extend(version.to_be_bytes());
                out.push(u8::from(value.is_some()));
                out.extend(value.as_deref().unwrap_or_default());
            }
            Self::Revision(revision) => out.extend(revision.to_be_bytes()),
            Self::State(items) => {
                let mut plain = Vec::new();
                for item in items {
                    item.encode(&mut plain);
                }
                out.extend(lz4_flex::block::compress_prepend_size(&plain));
            }
        }
    }

    /// Reads what [`Self::encode`] wrote; `None` when it is not an item of this format.
    pub(super) fn decode(kind: u8, content: &Bytes) -> Option<Self> {
        let mut reader = Reader(content);
        let item = match kind {
            TRIMMED => Self::Trimmed { log: log(&mut reader)?, position: reader.u64()? },
            LAST => Self::Last { log: log(&mut reader)?, position: reader.u64()? },
            CURSOR => Self::Cursor { consumer: consumer(&mut reader)?, position: reader.u64()? },
            OVER => Self::Over { consumer: consumer(&mut reader)?, position: reader.u64()? },
            WAITS => Self::Waits {
                consumer: consumer(&mut reader)?,
                position: reader.u64()?,
                attempt: reader.u32()?,
                at: reader.i64()?,
            },
            DEAD => {
                let (consumer, position) = (consumer(&mut reader)?, reader.u64()?);
                let key = Uuid::from_bytes(reader.array()?);
                let reason = String::from_utf8(std::mem::take(&mut reader.0).to_vec()).ok()?;
                Self::Dead { consumer, position, key, reason }
            }
            FORGOTTEN => Self::Forgotten { consumer: consumer(&mut reader)? },
            RECORD => {
                let (kind, id, version) = (reader.short_text()?, reader.short_text()?, reader.u64()?);
                let is_there = reader.u8()? == 1;
                let value = std::mem::take(&mut reader.0);
                Self::Record { kind, id, version, value: is_there.then(|| Bytes::copy_from_slice(value)) }
            }
            REVISION => Self::Revision(reader.u64()?),
            STATE => {
                let packed = std::mem::take(&mut reader.0);
                // Nothing is compressed to less than a 255th, so that damage cannot ask for more memory than that.
                let (len, _) = lz4_flex::block::uncompressed_size(packed).ok()?;
                if len > packed.len().saturating_mul(255) {
                    return None;
                }
                let plain = lz4_flex::block::decompress_size_prepended(packed).ok()?;
                Self::State(decode_all(&plain.into())?)
            }
            _ => return None,
        };
        reader.0.is_empty().then_some(item)
    }
}

fn decode_all(bytes: &Bytes) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let (kind, content, len) = take(&rest)?;
        if kind == STATE {
            // A state in a state would be read as deep as it likes.
            return None;
        }
        items.push(Item::decode(kind, &content)?);
        rest = rest.slice(len..);
    }
    Some(items)
}

fn log(reader: &mut Reader<'_>) -> Option<Log> {
    let number = reader.u8()?;
    Log::ALL.into_iter().find(|log| *log as u8 == number)
}

fn consumer(reader: &mut Reader<'_>) -> Option<Consumer> {
    let log = log(reader)?;
    Some(Consumer { name: reader.short_text()?, log })
}

fn put_consumer(consumer: &Consumer, out: &mut Vec<u8>) {
    out.push(consumer.log as u8);
    put_short_text(&consumer.name, out);
}

/// A registry record as an item.
pub(super) fn record(kind: &str, id: &str, record: &Versioned) -> Item {
    Item::Record {
        kind: kind.to_owned(),
        id: id.to_owned(),
        version: record.version,
        value: Some(record.value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<Item> {
        let consumer = || Consumer { name: "reader".into(), log: Log::Events };
        let changes = vec![
            Item::Trimmed { log: Log::Ledger, position: 7 },
            Item::Last { log: Log::Deployments, position: u64::MAX },
            Item::Cursor { consumer: consumer(), position: 1 },
            Item::Waits { consumer: consumer(), position: 2, attempt: 3, at: -4 },
            Item::Over { consumer: consumer(), position: 2 },
            Item::Dead { consumer: consumer(), position: 9, key: Uuid::from_u128(5), reason: "no".into() },
            Item::Forgotten { consumer: consumer() },
            Item::Record { kind: "thing".into(), id: "a".into(), version: 8, value: Some("v".into()) },
            Item::Record { kind: "thing".into(), id: "b".into(), version: 9, value: None },
            Item::Revision(9),
        ];
        let mut all = changes.clone();
        all.push(Item::State(changes));
        all
    }

    #[test]
    fn every_item_comes_back_as_it_was_written() {
        for item in samples() {
            let mut out = Vec::new();
            item.encode(&mut out);
            let (kind, content, len) = take(&out.clone().into()).unwrap();
            assert_eq!((Item::decode(kind, &content), len), (Some(item), out.len()));
        }
    }

    #[test]
    fn a_flipped_byte_anywhere_is_seen() {
        for item in samples() {
            let mut out = Vec::new();
            item.encode(&mut out);
            for at in 0..out.len() {
                let mut flipped = out.clone();
                flipped[at] ^= 0x10;
                assert_eq!(take(&flipped.into()).map(|(kind, _, _)| kind), None, "byte {at} of {item:?}");
            }
        }
    }
}
