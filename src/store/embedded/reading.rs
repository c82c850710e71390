//! Reading records: always through the catalog, so that nothing is seen before it is durable.
//!
//! A block that is not what was written is left out and reported, and reading goes on behind it. An error of the
//! operating system is never taken for that: it is for the caller to try again.

use super::{
    Shared,
    block::{self, Block},
    catalog::{Place, Segment},
    fault::Fault,
    index::BlockRef,
    item,
};
use crate::store::{Damage, Log, PAGE_RECORDS_MAX, Page, PageLimit, Position, Record};
use bytes::Bytes;
use jiff::Timestamp;
use std::{fs::File, io, os::unix::fs::FileExt as _, sync::Arc};
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

/// The finding at a position.
pub(super) enum Found {
    Record(Record),
    /// Trimmed, or never given out.
    Absent,
    /// Damage: the record cannot be read any more, nor those that follow up to the end of this.
    LeftOut(Damage),
}

/// Reads one log; keeps the block it read last.
pub(super) struct LogReader<'a> {
    shared: &'a Shared,
    log: Log,
    file: Option<(u64, File)>,
    block: Option<(u64, Vec<Record>)>,
}

impl<'a> LogReader<'a> {
    pub(super) fn new(shared: &'a Shared, log: Log) -> Self {
        Self { shared, log, file: None, block: None }
    }

    /// The records after a position until the budget is spent or the log ends.
    pub(super) fn page(&mut self, after: u64, budget: &mut Budget) -> Result<Page, Fault> {
        let mut page = Page { records: Vec::new(), end: Position(after), left_out: Vec::new() };
        let mut position = after;
        while !budget.is_spent() {
            let (trimmed, last) = {
                let catalog = self.shared.catalog();
                (catalog.log(self.log).trimmed, catalog.log(self.log).last)
            };
            position = position.max(trimmed).saturating_add(1);
            if position > last {
                break;
            }
            match self.look(position)? {
                Found::Record(record) => {
                    budget.spend(&record);
                    page.records.push(record);
                }
                Found::Absent => {}
                Found::LeftOut(damage) => {
                    position = damage.last.0;
                    if !page.left_out.last_mut().is_some_and(|last| last.join(&damage)) {
                        page.left_out.push(damage);
                    }
                }
            }
            page.end = Position(position);
        }
        page.left_out.iter().for_each(|damage| self.shared.report(damage));
        Ok(page)
    }

    /// The finding at a position; damage is reported.
    pub(super) fn record(&mut self, position: u64) -> Result<Found, Fault> {
        let found = self.look(position)?;
        if let Found::LeftOut(damage) = &found {
            self.shared.report(damage);
        }
        Ok(found)
    }

    fn look(&mut self, position: u64) -> Result<Found, Fault> {
        if let Some(record) = self.cached(position) {
            return Ok(Found::Record(record));
        }
        let place = self.shared.catalog().place_of(self.log, position);
        let segment = match place {
            Place::Absent => return Ok(Found::Absent),
            Place::Missing { to } => return Ok(Found::LeftOut(self.shared.missing(self.log, position, to))),
            Place::In(segment) => segment,
        };
        let left_out = |range, cause: &str| Found::LeftOut(self.shared.unreadable(&segment, self.log, range, cause));
        let reference = match self.reference(&segment, position) {
            Ok(Some(reference)) => reference,
            Ok(None) => return Ok(left_out((position, position), &left_out_of_index(&segment))),
            Err(Fault::Io(error)) => return Err(Fault::Io(error)),
            // Neither the index nor the segment that it is made from.
            Err(Fault::Damaged(what)) => return Ok(left_out((position, position), &what)),
        };
        match self.read(&segment, &reference) {
            Ok(records) => {
                self.block = Some((reference.first, records));
                Ok(self.cached(position).map_or(Found::Absent, Found::Record))
            }
            Err(Fault::Io(error)) => Err(Fault::Io(error)),
            // Removed meanwhile: it was trimmed, or lies elsewhere now.
            Err(Fault::Damaged(_)) if !self.shared.catalog().segments.contains_key(&segment.number) => {
                self.look(position)
            }
            Err(Fault::Damaged(what)) => {
                let trimmed = self.shared.catalog().log(self.log).trimmed;
                let range = (reference.first.max(trimmed + 1), reference.last());
                Ok(Found::LeftOut(self.shared.unreadable(&segment, self.log, range, &what)))
            }
        }
    }

    /// The record with a key, if it is kept. An index may tell of one that cannot be read any more: that one is not there,
    /// so that the same key again brings it back.
    pub(super) fn find(&mut self, key: Uuid) -> Result<Option<Record>, Fault> {
        let (shared, log) = (self.shared, self.log);
        shared.look_up(log, key, |position| match self.record(position)? {
            Found::Record(record) => Ok((record.key == key).then_some(record)),
            Found::Absent | Found::LeftOut(_) => Ok(None),
        })
    }

    /// The position of a key that is kept.
    pub(super) fn position_of(&mut self, key: Uuid) -> Result<Option<u64>, Fault> {
        Ok(self.find(key)?.map(|record| record.position.0))
    }

    fn cached(&self, position: u64) -> Option<Record> {
        let (first, records) = self.block.as_ref()?;
        records.get(usize::try_from(position.checked_sub(*first)?).ok()?).cloned()
    }

    fn reference(&self, segment: &Arc<Segment>, position: u64) -> Result<Option<BlockRef>, Fault> {
        self.shared.with_index(segment, |segment| segment.block(self.log, position))
    }

    fn read(&mut self, segment: &Segment, reference: &BlockRef) -> Result<Vec<Record>, Fault> {
        let file = match self.file.take().filter(|(number, _)| *number == segment.number) {
            Some((_, file)) => file,
            None => open(segment)?,
        };
        let block = read_block(&file, segment, reference);
        self.file = Some((segment.number, file));
        block?.records().ok_or_else(|| not_written(segment))
    }
}

/// Opens a segment to read it. One that is gone is damage, not an error that goes away.
pub(super) fn open(segment: &Segment) -> Result<File, Fault> {
    File::open(&segment.path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Fault::Damaged(format!("{} is missing", segment.path.display())),
        _ => Fault::io(&segment.path)(error),
    })
}

/// The block at a place. What does not match its checksum is read once more, from the device: memory may have been wrong.
pub(super) fn read_block(file: &File, segment: &Segment, reference: &BlockRef) -> Result<Block, Fault> {
    if let Some(block) = try_block(file, segment, reference)? {
        return Ok(block);
    }
    // Advice only: where it is refused, reading again is as good as it was.
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    try_block(file, segment, reference)?.ok_or_else(|| not_written(segment))
}

fn try_block(file: &File, segment: &Segment, reference: &BlockRef) -> Result<Option<Block>, Fault> {
    let mut bytes = vec![0; reference.len as usize];
    match file.read_exact_at(&mut bytes, reference.offset) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(Fault::io(&segment.path)(error)),
    }
    let Some((item::ENTRIES, content, _)) = item::take(&Bytes::from(bytes)) else { return Ok(None) };
    let is_it =
        |block: &Block| (block.log, block.first, block.last()) == (reference.log, reference.first, reference.last());
    Ok(block::decode(&content).filter(is_it))
}

/// Without the byte: what is said of the blocks of a segment that lie side by side is said once.
fn not_written(segment: &Segment) -> Fault {
    Fault::Damaged(format!("{} is not what was written to it", segment.path.display()))
}

fn left_out_of_index(segment: &Segment) -> String {
    format!("the index of {} leaves it out", segment.path.display())
}

/// A moment as the journal keeps it; 0 is that of a segment that was made before there was an entry.
pub(super) fn moment(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok().filter(|moment| *moment > Timestamp::UNIX_EPOCH)
}
