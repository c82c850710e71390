//! Files that the engine did not write, with checksums that hold: damage that a checksum tells is tried elsewhere, by
//! flipping and cutting.

use super::{
    EmbeddedStore, Options, block,
    disk_index::DiskIndex,
    files::DataDir,
    frame,
    index::{self, HEAD_BYTES},
    item::{self, Item},
    marks,
    segment::{self, Head},
};
use crate::store::{Journal as _, Log, PageLimit, Position, Registry as _};
use bytes::Bytes;
use std::{fs, path::Path};
use uuid::Uuid;

/// Between two items of a segment.
const BETWEEN: &[u8] = b"\xff\xfe\xfd";
/// More pages than any input has entries.
const PAGES_MAX: usize = 100_000;
const SIGNATURE: frame::Signature = *b"a store ";

/// The first byte says what the rest is.
pub(crate) fn read(data: &[u8], folder: &Path) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 5 {
        0 => an_item(rest),
        1 => a_block(rest),
        2 => an_index(rest, folder),
        3 => marks_file(rest, folder),
        _ => a_store(rest, folder),
    }
}

fn an_item(data: &[u8]) {
    let Some((kind, content)) = data.split_first() else { return };
    if let Some(read) = Item::decode(*kind, &Bytes::copy_from_slice(content)) {
        let mut out = Vec::new();
        read.encode(&mut out);
        let (kind, content, len) = item::take(&out.clone().into()).expect("what is written can be taken");
        assert_eq!((Item::decode(kind, &content), len), (Some(read), out.len()));
    }
}

fn a_block(data: &[u8]) {
    if let Some(block) = block::decode(&Bytes::copy_from_slice(data)) {
        assert!(block.last() >= block.first);
        if let Some(records) = block.records() {
            assert_eq!(records.len(), block.heads.len());
            assert_eq!(records.last().map(|record| record.position), Some(Position(block.last())));
        }
    }
}

fn an_index(data: &[u8], folder: &Path) {
    let mut bytes = index::MAGIC.to_vec();
    bytes.extend(index::FORMAT.to_be_bytes());
    bytes.extend(1_u64.to_be_bytes());
    bytes.extend(data);
    if bytes.len() < HEAD_BYTES {
        return;
    }
    // The checksum of the middle, then that of the head.
    let runs = u32::from_be_bytes([bytes[36], bytes[37], bytes[38], bytes[39]]) as usize;
    let keys = u32::from_be_bytes([bytes[32], bytes[33], bytes[34], bytes[35]]) as usize;
    let middle_bytes = runs.saturating_mul(index::RUN_BYTES).saturating_add(keys.div_ceil(index::KEYS_PER_CHUNK) * 4);
    let middle = &bytes[HEAD_BYTES..HEAD_BYTES.saturating_add(middle_bytes).min(bytes.len())];
    let crc = crc32fast::hash(middle);
    bytes[48..52].copy_from_slice(&crc.to_be_bytes());
    let crc = crc32fast::hash(&bytes[..HEAD_BYTES - 4]);
    bytes[HEAD_BYTES - 4..HEAD_BYTES].copy_from_slice(&crc.to_be_bytes());
    fs::write(index::path(folder, 1), &bytes).expect("the folder can be written");
    if let Some(index) = DiskIndex::open(folder, 1, None).expect("the file can be read") {
        let _ = (index.hashes(), index.entries());
        for log in Log::ALL {
            let _ = (index.position(log, Uuid::nil()), index.position(log, Uuid::max()));
            for position in [1, 2, u64::MAX] {
                let _ = index.block(log, position);
            }
        }
    }
}

fn marks_file(data: &[u8], folder: &Path) {
    fs::write(folder.join("marks"), marks::sealed(data)).expect("the folder can be written");
    let _ = marks::read(folder).expect("the file can be read");
}

/// One segment of well-formed frames with any items in them.
fn a_store(data: &[u8], folder: &Path) {
    let dir = DataDir::open(folder).expect("the folder can be used");
    dir.write_format().expect("the folder can be written");
    drop(dir);
    let head = Head { signature: SIGNATURE, number: 1, first_frame: 1, before: (0, 0), time: 0 };
    let (mut bytes, mut rest, mut number) = (head.encode(), data, 0);
    while !rest.is_empty() {
        let end = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN);
        let content = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or(&[], |end| &rest[end + BETWEEN.len()..]);
        let Some((kind, content)) = content.split_first() else { continue };
        let mut out = Vec::new();
        number += 1;
        frame::begin(&mut out);
        item::put(*kind, &mut out, |out| out.extend(content));
        frame::finish(&mut out, SIGNATURE, number, 0);
        bytes.extend(out);
    }
    let _ = (fs::remove_file(folder.join("marks")), fs::remove_file(index::path(&folder.join("journal"), 1)));
    fs::write(segment::path(&folder.join("journal"), 1), &bytes).expect("the folder can be written");
    let Ok(store) = EmbeddedStore::examine(folder, Options::default(), folder) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime needs nothing but memory");
    runtime.block_on(async {
        let limit = PageLimit { records_max: 64, body_bytes_max: 1 << 20 };
        for log in Log::ALL {
            let mut after = Position(0);
            for page in 0.. {
                assert!(page < PAGES_MAX, "reading a log comes to an end");
                let Ok(page) = store.read(log, after, limit).await else { break };
                assert!(page.end >= after, "reading goes on");
                if page.end == after {
                    break;
                }
                after = page.end;
            }
        }
        let _ = (store.list("connection"), store.damage());
    });
}
