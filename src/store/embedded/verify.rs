//! Reading all that opening only looks at: every segment from end to end, against the checksums of its frames.

use super::{
    EmbeddedStore, Shared,
    catalog::{Index, Segment},
    fault::Fault,
    files::DataDir,
    load::Loaded,
    reading::LogReader,
    segment::{self, Found, Walk},
};
use crate::store::OpenError;
use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

/// A directory that is only read: its lock, and how many bytes of its segments count.
#[derive(Debug)]
pub(super) struct Examined {
    dir: DataDir,
    counts: BTreeMap<u64, u64>,
}

/// Bytes of a file that are not what was written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    file: PathBuf,
    from: u64,
    to: u64,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, from, to } = self;
        write!(f, "{}: bytes {from} to {to} are not what was written there", file.display())
    }
}

impl Examined {
    pub(super) fn new(dir: DataDir, loaded: &Loaded) -> Self {
        let mut counts = loaded.counts.clone();
        for (segment, bytes) in loaded.unsealed.iter().chain(&loaded.active) {
            counts.entry(segment.number).or_insert(*bytes);
        }
        let (newest, acknowledged) = loaded.acknowledged;
        counts.entry(newest).and_modify(|bytes| *bytes = acknowledged.max(*bytes));
        Self { dir, counts }
    }

    pub(super) fn dir(&self) -> &DataDir {
        &self.dir
    }
}

impl EmbeddedStore {
    /// Reads every segment that is not written to any more. What cannot be read of the records in it is reported by
    /// [`crate::store::Journal::damage`] too. Blocks; `tell` hears how many bytes were read, and of how many.
    ///
    /// # Errors
    /// `Io`: the operating system could not read a file.
    pub fn verify(&self, mut tell: impl FnMut(u64, u64)) -> Result<Vec<Flaw>, OpenError> {
        let segments: Vec<_> = self.shared.catalog().segments.values().cloned().collect();
        let segments: Vec<_> = segments.into_iter().map(|segment| (self.count(&segment), segment)).collect();
        let (mut done, total) = (0, segments.iter().map(|(count, _)| count).sum());
        let mut flaws = Vec::new();
        for (count, segment) in &segments {
            let found = self.shared.flaws(segment, *count).map_err(|fault| fault.of_opening(&self.shared.dir))?;
            flaws.extend(found);
            done += count;
            tell(done, total);
        }
        Ok(flaws)
    }

    /// How many bytes of a segment count.
    fn count(&self, segment: &Segment) -> u64 {
        let known = self.examined.as_ref().and_then(|examined| examined.counts.get(&segment.number));
        match &*segment.index() {
            Index::Disk(index) => known.map_or(index.valid_bytes, |known| index.valid_bytes.max(*known)),
            Index::Memory(_) => known.copied().unwrap_or_default(),
        }
    }
}

impl Shared {
    /// The flaws in the first `count` bytes of a segment.
    fn flaws(&self, segment: &Arc<Segment>, count: u64) -> Result<Vec<Flaw>, Fault> {
        let mut flaws: Vec<Flaw> = Vec::new();
        let mut add = |from: u64, to: u64| match flaws.last_mut() {
            Some(last) if last.to == from => last.to = to,
            _ => flaws.push(Flaw { file: segment.path.clone(), from, to }),
        };
        if segment.path.try_exists().map_err(Fault::io(&segment.path))? {
            let mut walk = Walk::read(&self.journal, segment.number, count, self.signature)?;
            if segment::read_head(&self.journal, segment.number)?.is_none() {
                add(0, walk.len().min(segment::HEADER_BYTES as u64));
            }
            for found in &mut walk {
                if let Found::Damage { from, to, .. } = found {
                    add(from, to);
                }
            }
            if walk.len() < count {
                add(walk.len(), count);
            }
        } else if count > 0 {
            add(0, count);
        }
        if !flaws.is_empty() {
            self.report_lost(segment, &flaws)?;
        }
        Ok(flaws)
    }

    /// Looks at every record of a segment that lies where something is wrong; what cannot be read is reported.
    fn report_lost(&self, segment: &Arc<Segment>, flaws: &[Flaw]) -> Result<(), Fault> {
        let live = self.catalog().live(segment.number);
        for run in live {
            let mut reader = LogReader::new(self, run.log);
            let mut position = run.first;
            while position <= run.last {
                let block = match self.with_index(segment, |segment| segment.block(run.log, position)) {
                    Err(Fault::Io(error)) => return Err(Fault::Io(error)),
                    Err(Fault::Damaged(_)) => None,
                    Ok(block) => block,
                };
                let lies_there = |flaw: &Flaw| {
                    block.is_none_or(|block| block.offset < flaw.to && flaw.from < block.offset + u64::from(block.len))
                };
                if flaws.iter().any(lies_there) {
                    reader.record(position)?;
                }
                position = block.map_or(position, |block| block.last()) + 1;
            }
        }
        Ok(())
    }
}
