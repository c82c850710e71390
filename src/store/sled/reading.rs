//! Reading records: always through the view, so that nothing is seen before it is durable.
//!
//! The writer may merge or trim a block between our look at the view and our look at the tree. It publishes merges
//! before it removes what they replace, and trims before it removes anything; so when a block is not there, the view
//! has changed, and if it has not, the block is lost.

use super::{
    Shared,
    block::{self, Packed},
    db::{Db, Fault},
    layout,
    view::at,
};
use crate::store::{Log, PAGE_RECORDS_MAX, PageLimit, Record};
use uuid::Uuid;

/// Counts what a [`PageLimit`] still allows.
pub(super) struct Budget {
    records: usize,
    body_bytes: usize,
}

impl Budget {
    pub(super) fn new(limit: PageLimit) -> Self {
        Self { records: limit.records_max.clamp(1, PAGE_RECORDS_MAX), body_bytes: limit.body_bytes_max.max(1) }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.records == 0 || self.body_bytes == 0
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn spend(&mut self, record: &Record) {
        self.records -= 1;
        self.body_bytes = self.body_bytes.saturating_sub(record.body.len());
    }
}

/// Reads one log; keeps the block it read last.
pub(super) struct LogReader<'a> {
    shared: &'a Shared,
    db: &'a Db,
    log: Log,
    block: Option<(u64, Vec<Packed>)>,
}

impl<'a> LogReader<'a> {
    pub(super) fn new(shared: &'a Shared, db: &'a Db, log: Log) -> Self {
        Self { shared, db, log, block: None }
    }

    /// Adds the records after a position until the budget is spent or the log ends.
    pub(super) fn page(&mut self, after: u64, budget: &mut Budget, records: &mut Vec<Record>) -> Result<(), Fault> {
        let mut position = after;
        while !budget.is_spent() {
            let (trimmed, last) = {
                let contents = self.shared.logs[at(self.log)].read();
                (contents.trimmed, contents.last)
            };
            position = position.max(trimmed).saturating_add(1);
            if position > last {
                break;
            }
            if let Some(record) = self.record(position)? {
                budget.spend(&record);
                records.push(record);
            }
        }
        Ok(())
    }

    /// The record at a position; `None` when it is not kept.
    pub(super) fn record(&mut self, position: u64) -> Result<Option<Record>, Fault> {
        if let Some(entry) = self.cached(position) {
            return self.checked(entry, position).map(Some);
        }
        let mut missed = None;
        loop {
            let block = {
                let contents = self.shared.logs[at(self.log)].read();
                if position <= contents.trimmed || position > contents.last {
                    return Ok(None);
                }
                contents.block_of(position)
            };
            let key = layout::block_key(self.log, block.map_or(position, |(first, _)| first));
            let Some((first, extent)) = block.filter(|_| missed != block) else {
                return Err(layout::damaged_key(&key, "is missing"));
            };
            missed = Some((first, extent));
            let Some(entries) = read_block(self.db, self.log, first)? else { continue };
            self.block = Some((first, entries));
            match self.cached(position) {
                Some(entry) => return self.checked(entry, position).map(Some),
                // Merged after all: a longer block lies here than the one the view had.
                None => return Err(layout::damaged_key(&key, "is shorter than its index says")),
            }
        }
    }

    /// The record with a key, if it is at this position.
    pub(super) fn find(&mut self, position: u64, key: Uuid) -> Result<Option<Record>, Fault> {
        Ok(self.record(position)?.filter(|record| record.key == key))
    }

    fn cached(&self, position: u64) -> Option<Packed> {
        let (first, entries) = self.block.as_ref()?;
        let offset = usize::try_from(position.checked_sub(*first)?).ok()?;
        entries.get(offset).cloned()
    }

    fn checked(&self, entry: Packed, position: u64) -> Result<Record, Fault> {
        let key = layout::block_key(self.log, position);
        entry.into_record(position).ok_or_else(|| layout::damaged_key(&key, "holds a time that does not exist"))
    }
}

/// Compares keys with the indexes of blocks; keeps the index it read last.
pub(super) struct IndexReader<'a> {
    shared: &'a Shared,
    db: &'a Db,
    log: Log,
    index: Option<(u64, Vec<(Uuid, i64)>)>,
}

impl<'a> IndexReader<'a> {
    pub(super) fn new(shared: &'a Shared, db: &'a Db, log: Log) -> Self {
        Self { shared, db, log, index: None }
    }

    /// Whether the entry at a position has this key and is kept.
    pub(super) fn is_at(&mut self, position: u64, key: Uuid) -> Result<bool, Fault> {
        let mut missed = None;
        loop {
            let block = {
                let contents = self.shared.logs[at(self.log)].read();
                if position <= contents.trimmed || position > contents.last {
                    return Ok(false);
                }
                contents.block_of(position)
            };
            let tree_key = layout::index_key(self.log, block.map_or(position, |(first, _)| first));
            let Some((first, extent)) = block.filter(|_| missed != block) else {
                return Err(layout::damaged_key(&tree_key, "is missing"));
            };
            missed = Some((first, extent));
            if self.index.as_ref().is_none_or(|(own, entries)| *own != first || entries.len() < extent.count as usize) {
                let Some(entries) = index_of(self.db, self.log, first)? else { continue };
                self.index = Some((first, entries));
            }
            let entries = self.index.as_ref().map_or(&[][..], |(_, entries)| entries);
            let offset = usize::try_from(position - first).unwrap_or(usize::MAX);
            return match entries.get(offset) {
                Some((own, _)) => Ok(*own == key),
                None => Err(layout::damaged_key(&tree_key, "is shorter than its block")),
            };
        }
    }
}

/// All entries of a block, or `None` when it is not in the tree (any more).
pub(super) fn read_block(db: &Db, log: Log, first: u64) -> Result<Option<Vec<Packed>>, Fault> {
    let key = layout::block_key(log, first);
    let Some(value) = db.value(&key)? else { return Ok(None) };
    let mut gone = false;
    let entries = block::decode(layout::unseal(&key, &value)?, |number| {
        let key = layout::chunk_key(log, first, number);
        let chunk = db.value(&key)?;
        gone |= chunk.is_none();
        chunk.map_or(Ok(Vec::new()), |chunk| layout::unseal(&key, &chunk).map(<[u8]>::to_vec))
    })?;
    match entries {
        _ if gone => Ok(None),
        Some(entries) => Ok(Some(entries)),
        None => Err(layout::damaged_key(&key, "is not a block")),
    }
}

/// Keys and times of a block's entries.
pub(super) fn read_index(db: &Db, log: Log, first: u64) -> Result<Vec<(Uuid, i64)>, Fault> {
    index_of(db, log, first)?.ok_or_else(|| layout::damaged_key(&layout::index_key(log, first), "is missing"))
}

/// The same, or `None` when it is not in the tree (any more).
fn index_of(db: &Db, log: Log, first: u64) -> Result<Option<Vec<(Uuid, i64)>>, Fault> {
    let key = layout::index_key(log, first);
    let Some(value) = db.value(&key)? else { return Ok(None) };
    let (_, entries) = block::decode_index(layout::unseal(&key, &value)?)
        .ok_or_else(|| layout::damaged_key(&key, "is not an index"))?;
    Ok(Some(entries))
}
