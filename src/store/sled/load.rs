//! Rebuilding everything in memory from what is on disk: at opening, and after the disk failed.

use super::{
    block,
    consumers::{Reader as Consuming, Retry},
    db::{Db, Fault},
    layout::{self, Reader},
    mirror::Mirror,
    view::Contents,
};
use crate::store::{Consumer, Log};
use std::collections::BTreeMap;

/// What the tree holds.
pub(super) struct Loaded {
    pub(super) logs: [Contents; Log::ALL.len()],
    pub(super) consumers: BTreeMap<Consumer, Consuming>,
    pub(super) mirror: Mirror,
    /// Keys that nothing refers to: a crash came between a merge and its removals.
    pub(super) leftovers: Vec<Vec<u8>>,
}

impl Loaded {
    /// Reads it all.
    pub(super) fn read(db: &Db) -> Result<Self, Fault> {
        let mut leftovers = Vec::new();
        let mut load = |log| load_log(db, log, &mut leftovers);
        let logs = [
            load(Log::Notifications)?,
            load(Log::Events)?,
            load(Log::Ledger)?,
            load(Log::Deliveries)?,
            load(Log::Deployments)?,
        ];
        let consumers = load_consumers(db, &mut leftovers)?;
        Ok(Self { logs, consumers, mirror: load_mirror(db)?, leftovers })
    }
}

fn load_log(db: &Db, log: Log, leftovers: &mut Vec<Vec<u8>>) -> Result<Contents, Fault> {
    let mut contents = Contents { trimmed: number(db, &layout::trimmed_key(log))?, ..Contents::default() };
    // Entries up to here are accounted for: by a block or by having been trimmed.
    let mut end = None;
    db.scan(&layout::index_prefix(log), |key, value| {
        let content = layout::unseal(key, value)?;
        let (extent, entries) =
            block::decode_index(content).ok_or_else(|| layout::damaged_key(key, "is not an index"))?;
        let first = Reader(&key[2..]).u64().ok_or_else(|| layout::damaged_key(key, "is not the key of an index"))?;
        let last = first + u64::from(extent.count) - 1;
        let covered = end.unwrap_or(contents.trimmed);
        if last <= covered {
            leftovers.extend([key.to_vec(), layout::block_key(log, first)]);
            return Ok(());
        }
        // Only the first block may begin among the trimmed.
        if first > covered + 1 || (end.is_some() && first != covered + 1) {
            return Err(layout::damaged_key(key, "does not follow the block before it"));
        }
        for (position, (key, _)) in (first..).zip(entries) {
            if position > contents.trimmed {
                contents.keys.insert(key, position);
            }
        }
        contents.blocks.insert(first, extent);
        end = Some(last);
        Ok(())
    })?;
    contents.last = end.unwrap_or(contents.trimmed);
    Ok(contents)
}

fn load_consumers(db: &Db, leftovers: &mut Vec<Vec<u8>>) -> Result<BTreeMap<Consumer, Consuming>, Fault> {
    let mut consumers = BTreeMap::<Consumer, Consuming>::new();
    db.scan(layout::CURSORS, |key, value| {
        let damaged = || layout::damaged_key(key, "is not a cursor");
        let mut content = Reader(layout::unseal(key, value)?);
        let log = key.get(1).and_then(|log| layout::log_of(*log)).ok_or_else(damaged)?;
        let name = String::from_utf8(key[2..].to_vec()).map_err(|_| damaged())?;
        let cursor = content.u64().ok_or_else(damaged)?;
        consumers.insert(Consumer { name, log }, Consuming::at(cursor));
        Ok(())
    })?;
    db.scan(layout::RETRIES, |key, value| {
        let mut content = Reader(layout::unseal(key, value)?);
        let (Some((consumer, position)), Some(attempt), Some(at)) = (owner(key), content.u32(), content.i64()) else {
            return Err(layout::damaged_key(key, "is not a retry"));
        };
        match consumers.get_mut(&consumer) {
            Some(reader) => reader.add_retry(position, Retry { attempt, at }),
            None => leftovers.push(key.to_vec()),
        }
        Ok(())
    })?;
    db.scan(layout::DEADS, |key, value| {
        layout::unseal(key, value)?;
        let (consumer, position) = owner(key).ok_or_else(|| layout::damaged_key(key, "is not a dead record"))?;
        match consumers.get_mut(&consumer) {
            Some(reader) => reader.add_dead(position),
            None => leftovers.push(key.to_vec()),
        }
        Ok(())
    })?;
    Ok(consumers)
}

fn load_mirror(db: &Db) -> Result<Mirror, Fault> {
    let mut mirror = Mirror::at(number(db, layout::REVISION_KEY)?);
    db.scan(layout::RECORDS, |key, value| mirror.load(key, layout::unseal(key, value)?))?;
    Ok(mirror)
}

/// The consumer and position in the key of a retry or dead record.
fn owner(key: &[u8]) -> Option<(Consumer, u64)> {
    let mut reader = Reader(&key[1..]);
    let log = layout::log_of(reader.u8()?)?;
    let len = reader.u8()?;
    let name = String::from_utf8(reader.bytes(usize::from(len))?.to_vec()).ok()?;
    Some((Consumer { name, log }, reader.u64()?))
}

/// A single number, 0 when it was never written.
fn number(db: &Db, key: &[u8]) -> Result<u64, Fault> {
    let Some(value) = db.value(key)? else { return Ok(0) };
    Reader(layout::unseal(key, &value)?).u64().ok_or_else(|| layout::damaged_key(key, "is not a number"))
}
