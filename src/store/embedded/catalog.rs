//! The engine knows its logs without asking the disk: which segments there are and which positions lie where.
//! Only durable things are in it.

use super::{
    disk_index::DiskIndex,
    fault::Fault,
    index::{BlockRef, MemoryIndex, Run},
    segment,
};
use crate::store::Log;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use uuid::Uuid;

/// A segment and where its entries are.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) path: PathBuf,
    /// When it was made, in milliseconds since 1970.
    pub(super) time: i64,
    index: RwLock<Index>,
}

#[derive(Debug)]
pub(super) enum Index {
    Memory(MemoryIndex),
    Disk(DiskIndex),
}

impl Segment {
    pub(super) fn new(journal: &Path, number: u64, time: i64, index: Index) -> Self {
        Self { number, path: segment::path(journal, number), time, index: RwLock::new(index) }
    }

    pub(super) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block that holds a position.
    pub(super) fn block(&self, log: Log, position: u64) -> Result<Option<BlockRef>, Fault> {
        match &*self.index() {
            Index::Memory(index) => Ok(index.block(log, position)),
            Index::Disk(index) => index.block(log, position),
        }
    }

    /// The position of a key, if its index is in memory.
    pub(super) fn in_memory(&self, log: Log, key: Uuid) -> Option<u64> {
        match &*self.index() {
            Index::Memory(index) => index.position(log, key),
            Index::Disk(_) => None,
        }
    }

    /// The position of a key, if its index is on disk.
    pub(super) fn on_disk(&self, log: Log, key: Uuid) -> Result<Option<u64>, Fault> {
        match &*self.index() {
            Index::Memory(_) => Ok(None),
            Index::Disk(index) => index.position(log, key),
        }
    }

    /// How many entries it has, kept or not.
    pub(super) fn entries(&self) -> u64 {
        match &*self.index() {
            Index::Memory(index) => index.keys() as u64,
            Index::Disk(index) => index.entries(),
        }
    }

    pub(super) fn is_sealed(&self) -> bool {
        matches!(&*self.index(), Index::Disk(_))
    }
}

/// All segments and logs.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) segments: BTreeMap<u64, Arc<Segment>>,
    /// Those whose index is in memory.
    unsealed: Vec<Arc<Segment>>,
    logs: [Places; Log::ALL.len()],
}

/// Where the entries of one log are.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By first position: the last one and the segment.
    runs: BTreeMap<u64, (u64, u64)>,
    pub(super) trimmed: u64,
    pub(super) last: u64,
}

/// The finding at a position.
#[derive(Debug)]
pub(super) enum Place {
    /// A record that lies in this segment.
    In(Arc<Segment>),
    /// Nothing: the record is missing, and so is everything up to here.
    Missing { to: u64 },
    /// Nothing: the position was trimmed, or was never given out.
    Absent,
}

impl Catalog {
    pub(super) fn log(&self, log: Log) -> &Places {
        &self.logs[at(log)]
    }

    pub(super) fn log_mut(&mut self, log: Log) -> &mut Places {
        &mut self.logs[at(log)]
    }

    /// Adds a segment with the positions in it; where an older one has the same ones, this one counts.
    pub(super) fn add(&mut self, segment: &Arc<Segment>, runs: &[Run]) {
        self.segments.insert(segment.number, Arc::clone(segment));
        if !segment.is_sealed() {
            self.unsealed.push(Arc::clone(segment));
        }
        for run in runs {
            self.place(*run, segment.number);
        }
    }

    /// These positions lie in this segment now.
    pub(super) fn place(&mut self, run: Run, segment: u64) {
        self.logs[at(run.log)].place(run.first, run.last, segment);
    }

    /// After its index was written.
    pub(super) fn sealed(&mut self, segment: u64) {
        self.unsealed.retain(|unsealed| unsealed.number != segment);
    }

    pub(super) fn unsealed(&self) -> &[Arc<Segment>] {
        &self.unsealed
    }

    /// Takes a segment out, with the positions that only it had.
    pub(super) fn remove(&mut self, segment: u64) {
        self.segments.remove(&segment);
        self.sealed(segment);
        for places in &mut self.logs {
            places.runs.retain(|_, (_, of)| *of != segment);
        }
    }

    pub(super) fn place_of(&self, log: Log, position: u64) -> Place {
        let places = self.log(log);
        if position <= places.trimmed || position > places.last {
            return Place::Absent;
        }
        if let Some((_, (last, segment))) = places.runs.range(..=position).next_back()
            && position <= *last
            && let Some(segment) = self.segments.get(segment)
        {
            return Place::In(Arc::clone(segment));
        }
        let next = places.runs.range(position..).next();
        Place::Missing { to: next.map_or(places.last, |(first, _)| first - 1) }
    }

    /// Kept positions of a segment, by log.
    pub(super) fn live(&self, segment: u64) -> Vec<Run> {
        let mut live = Vec::new();
        for log in Log::ALL {
            let places = self.log(log);
            for (first, (last, of)) in &places.runs {
                if *of == segment && *last > places.trimmed {
                    live.push(Run { log, first: (*first).max(places.trimmed + 1), last: *last });
                }
            }
        }
        live
    }
}

impl Places {
    fn place(&mut self, first: u64, last: u64, segment: u64) {
        self.last = self.last.max(last);
        let is_free = self.runs.range(first..=last).next().is_none();
        if let Some((_, (end, of))) = self.runs.range_mut(..first).next_back()
            && *end + 1 == first
            && *of == segment
            && is_free
        {
            *end = last;
            return;
        }
        // The runs of older segments lose these positions.
        if let Some((start, (end, of))) = self.runs.range(..first).next_back().map(|(start, run)| (*start, *run))
            && end >= first
        {
            self.runs.insert(start, (first - 1, of));
            if end > last {
                self.runs.insert(last + 1, (end, of));
            }
        }
        let covered: Vec<_> = self.runs.range(first..=last).map(|(start, run)| (*start, *run)).collect();
        for (start, (end, of)) in covered {
            self.runs.remove(&start);
            if end > last {
                self.runs.insert(last + 1, (end, of));
            }
        }
        self.runs.insert(first, (last, segment));
    }

    /// Forgets the runs that were trimmed.
    pub(super) fn trim(&mut self, to: u64) {
        self.trimmed = self.trimmed.max(to);
        self.last = self.last.max(to);
        self.runs.retain(|_, (last, _)| *last > to);
    }

    /// Positions that are kept and lie nowhere.
    pub(super) fn missing(&self) -> Vec<(u64, u64)> {
        let mut missing = Vec::new();
        let mut next = self.trimmed + 1;
        for (first, (last, _)) in &self.runs {
            if *first > next {
                missing.push((next, first - 1));
            }
            next = next.max(last + 1);
        }
        if next <= self.last {
            missing.push((next, self.last));
        }
        missing
    }

    /// The positions next to one that is missing, and the segments that they lie in.
    pub(super) fn around(&self, position: u64) -> [Option<(u64, u64)>; 2] {
        let before = self.runs.range(..=position).next_back().map(|(_, (last, segment))| (*last, *segment));
        [before, self.runs.range(position..).next().map(|(first, (_, segment))| (*first, *segment))]
    }
}

/// Where a log is in arrays over all logs.
pub(super) fn at(log: Log) -> usize {
    log as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_newest_segment_counts_for_every_position(placed in prop::collection::vec((1..60_u64, 1..20_u64), 1..20)) {
            let mut places = Places::default();
            let mut model = BTreeMap::new();
            for (segment, (first, len)) in (1_u64..).zip(&placed) {
                places.place(*first, first + len - 1, segment);
                for position in *first..first + len {
                    model.insert(position, segment);
                }
            }
            for position in 1..=80 {
                let found = places.runs.range(..=position).next_back().filter(|(_, (last, _))| position <= *last);
                prop_assert_eq!(found.map(|(_, (_, segment))| segment), model.get(&position), "position {}", position);
            }
            let missing: u64 = places.missing().iter().map(|(first, last)| last - first + 1).sum();
            prop_assert_eq!(missing, places.last - model.len() as u64);
        }
    }
}
