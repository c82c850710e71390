//! Rebuilding everything in memory from what is on disk, at opening. Writes nothing but missing indexes.
//!
//! The newest segment that tells the state is read, and those after it; of older ones only the indexes. What is not as it
//! was written is no reason not to open: it is reported, position by position, and work goes on behind it. The exception
//! is a registry of which nothing is left, because a gateway without its keys would refuse authentic deliveries.

use super::{
    catalog::{Catalog, Index, Segment, at},
    consumers::Readers,
    disk_index::DiskIndex,
    fault::Fault,
    files::DataDir,
    frame::Signature,
    item::{self, Item},
    keys::Keys,
    marks::{self, Marks},
    mirror::Mirror,
    reading::moment,
    replay::{Replay, Replayed, index_of},
    segment::{self, Found, Head, Walk},
    state,
};
use crate::store::{Damage, Log, Position};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

/// Entries are appended nearly in the order of their times: two that come together may change places.
const OUT_OF_ORDER: Duration = Duration::from_mins(1);

/// For a store that lost what a gateway cannot do without.
const REMEDY: &str = "restore the directory from a backup, or move it aside to start empty";

/// The contents of the directory.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The first bytes of every frame.
    pub(super) signature: Signature,
    pub(super) catalog: Catalog,
    pub(super) keys: Keys,
    pub(super) readers: Readers,
    pub(super) mirror: Mirror,
    pub(super) damage: Vec<Damage>,
    /// Losses and repairs that an operator should know of.
    pub(super) remarks: Vec<String>,
    /// Segments whose index is to be written, with how much of them counts.
    pub(super) unsealed: Vec<(Arc<Segment>, u64)>,
    /// The segment to go on with, and how far it counts; `None` when a new one has to be made.
    pub(super) active: Option<(Arc<Segment>, u64)>,
    /// The newest segment and how much of it counts.
    pub(super) newest: (u64, u64),
    /// The segment of the newest acknowledged commit, and how much of it there was then.
    pub(super) acknowledged: (u64, u64),
    /// How many bytes of a segment count, where the one after it says so.
    pub(super) counts: BTreeMap<u64, u64>,
    pub(super) next_segment: u64,
    pub(super) next_frame: u64,
    pub(super) marks_count: u64,
    /// The time of the newest entry, in milliseconds since 1970.
    pub(super) time: i64,
}

/// Reads it all. Nothing in it is written when there is a folder aside, for copies of what cannot be read without.
pub(super) fn load(dir: &DataDir, leases: u64, aside: Option<&Path>) -> Result<Loaded, Fault> {
    let may_write = aside.is_none();
    let journal = dir.journal();
    let (marks, marks_count) = marks::read(dir.path())?.unzip();
    let numbers = segment::list(&journal)?;
    let mut heads = BTreeMap::new();
    for number in &numbers {
        heads.insert(*number, segment::read_head(&journal, *number)?);
    }
    let valid_bytes = valid_bytes(&heads);
    let limit = |number: u64| valid_bytes.get(&number).copied().unwrap_or(u64::MAX);
    let of_heads = heads.values().flatten().map(|head| head.signature).next();
    let of_marks = marks.map(|marks| marks.signature);
    let signature = of_heads.or(of_marks).unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().1.to_be_bytes());
    let base = base(&journal, &numbers, limit, signature)?;
    let mut replay = Replay::new(leases, signature);
    let mut loaded = Loaded {
        signature,
        catalog: Catalog::default(),
        keys: Keys::default(),
        readers: Readers::new(leases),
        mirror: Mirror::default(),
        damage: Vec::new(),
        remarks: Vec::new(),
        unsealed: Vec::new(),
        active: None,
        newest: (0, 0),
        acknowledged: marks.map_or((0, 0), |marks| (marks.segment, marks.segment_bytes)),
        counts: valid_bytes.clone(),
        next_segment: numbers.last().map_or(1, |newest| newest + 1),
        next_frame: 1,
        marks_count: marks_count.unwrap_or(0),
        time: 0,
    };
    let mut is_suspect = false;
    for number in &numbers {
        let time = heads.get(number).and_then(|head| head.map(|head| head.time)).unwrap_or(replay.time);
        if base.is_none_or(|base| *number < base) {
            loaded.older(&journal, *number, time, limit(*number), may_write)?;
            continue;
        }
        let replayed = replay.segment(&journal, *number, limit(*number))?;
        is_suspect |= replayed.damaged_at.is_some() && replayed.is_damaged_inside;
        loaded.newer(&journal, *number, time, replayed, marks.as_ref());
    }
    let newest_frame = replay.newest_frame.max(marks.map_or(0, |marks| marks.frame));
    loaded.next_frame = newest_frame + 1;
    loaded.time = replay.time.max(marks.map_or(0, |marks| marks.time));
    for log in Log::ALL {
        let places = loaded.catalog.log_mut(log);
        places.last = places.last.max(replay.last[at(log)]);
        places.trim(replay.trimmed[at(log)]);
    }
    loaded.readers = replay.readers;
    loaded.mirror = replay.mirror;
    if let Some(cursors) = replay.at_damage.filter(|_| is_suspect) {
        // Retries and records that were given up may have been told there: everything since is gone through
        // once more, and keys and ids make that harmless.
        loaded.readers.rewind(&cursors);
        loaded.remarks.push(
            "part of the newest segment of the journal could not be read: what was settled since is worked on again, and \
             what was given up then may be tried again"
                .into(),
        );
        loaded.renew();
    }
    loaded.compare(marks.as_ref(), replay.time);
    let is_older = marks.is_some_and(|marks| marks.revision > loaded.mirror.revision);
    let is_gone = numbers.is_empty() && !dir.is_new();
    let has_something = loaded.mirror.revision > 0 || Log::ALL.iter().any(|log| loaded.catalog.log(*log).last > 0);
    let is_unmarked = marks.is_none() && (has_something || is_gone);
    if is_unmarked {
        loaded.remarks.push(
            "the file marks is missing or damaged, so that nobody can tell whether the journal lost its end; it is written \
             anew"
                .into(),
        );
    }
    if is_suspect || is_older || is_gone || is_unmarked {
        let copy = aside.map_or_else(|| Ok(state::read(&dir.state())), |aside| state::peek(&dir.state(), aside));
        let copy = copy.unwrap_or_else(|reason| {
            loaded.remarks.push(format!("{} could not be looked at: {reason}", dir.state().display()));
            None
        });
        loaded.rescue(dir, copy, marks.as_ref(), is_suspect, is_gone)?;
    }
    Ok(loaded)
}

/// How many bytes of a segment count, where the one after it says so.
fn valid_bytes(heads: &BTreeMap<u64, Option<Head>>) -> BTreeMap<u64, u64> {
    heads.values().flatten().map(|head| head.before).filter(|(number, _)| *number > 0).collect()
}

/// The newest segment that begins with the state.
fn base(
    journal: &Path,
    numbers: &[u64],
    limit: impl Fn(u64) -> u64,
    signature: Signature,
) -> Result<Option<u64>, Fault> {
    for number in numbers.iter().rev() {
        let first = Walk::read(journal, *number, limit(*number), signature)?.next();
        if let Some(Found::Frame { payload, .. }) = first
            && let Some((kind, content, _)) = item::take(&payload)
            && matches!(Item::decode(kind, &content), Some(Item::State(_)))
        {
            return Ok(Some(*number));
        }
    }
    Ok(None)
}

impl Loaded {
    /// A segment of which the index is enough.
    fn older(&mut self, journal: &Path, number: u64, time: i64, limit: u64, may_write: bool) -> Result<(), Fault> {
        let known = (limit != u64::MAX).then_some(limit);
        let mut opened = DiskIndex::open(journal, number, known)?;
        let mut hashes = opened.as_ref().map(DiskIndex::hashes).transpose()?.flatten();
        if hashes.is_none() {
            let (memory, valid_bytes) = index_of(journal, number, limit, self.signature)?;
            opened = None;
            if may_write {
                match DiskIndex::make(&memory, journal, number, valid_bytes) {
                    Ok(index) => {
                        hashes = index.hashes()?;
                        opened = Some(index);
                    }
                    Err(fault) => tracing::warn!(reason = fault.text(), "an index stays in memory"),
                }
            }
            if opened.is_none() || hashes.is_none() {
                let runs = memory.runs();
                let segment = Arc::new(Segment::new(journal, number, time, Index::Memory(memory)));
                self.catalog.add(&segment, &runs);
                self.newest = (number, valid_bytes);
                self.unsealed.push((segment, valid_bytes));
                return Ok(());
            }
        }
        if let (Some(index), Some(hashes)) = (opened, hashes) {
            for hash in hashes {
                self.keys.insert(hash, number);
            }
            let runs = index.runs.clone();
            self.newest = (number, index.valid_bytes);
            self.catalog.add(&Arc::new(Segment::new(journal, number, time, Index::Disk(index))), &runs);
        }
        Ok(())
    }

    /// A segment that was read frame by frame.
    fn newer(&mut self, journal: &Path, number: u64, time: i64, replayed: Replayed, marks: Option<&Marks>) {
        let Replayed { index, valid_bytes, read_bytes, .. } = replayed;
        let runs = index.runs();
        let segment = Arc::new(Segment::new(journal, number, time, Index::Memory(index)));
        self.catalog.add(&segment, &runs);
        if let Some((before, before_bytes)) = self.active.take() {
            self.unsealed.push((before, before_bytes));
        }
        self.newest = (number, valid_bytes);
        let was_acknowledged = marks.is_some_and(|marks| marks.segment == number && marks.segment_bytes > valid_bytes);
        // A torn end that nobody was told of is cut off; any other is evidence, and stays as it is.
        if valid_bytes > segment::HEADER_BYTES as u64 && !(was_acknowledged && read_bytes > valid_bytes) {
            self.active = Some((segment, valid_bytes));
        } else {
            self.unsealed.push((segment, valid_bytes));
        }
    }

    /// Reports the records that were acknowledged and are not there.
    fn compare(&mut self, marks: Option<&Marks>, time: i64) {
        for log in Log::ALL {
            let acknowledged = marks.map_or(0, |marks| marks.last[at(log)]);
            let last = self.catalog.log(log).last;
            if acknowledged > last {
                self.catalog.log_mut(log).last = acknowledged;
            }
            for (first, to) in self.catalog.log(log).missing() {
                let mut damage = missing(&self.catalog, log, first, to);
                if to == acknowledged {
                    // Nothing lies behind it. The newest that was acknowledged at all is not older.
                    damage.until = marks.and_then(|marks| moment(marks.time));
                }
                if to == acknowledged && acknowledged > last {
                    damage.since = damage.since.max(moment(time));
                }
                tracing::error!(%damage, "acknowledged entries are missing");
                self.damage.push(damage);
            }
        }
        if self.damage.iter().any(|damage| damage.last.0 == self.catalog.log(damage.log).last) {
            // New records must not be mistaken for those that are missing.
            self.renew();
        }
    }

    /// Has a new segment made, whose state tells what was found out here.
    fn renew(&mut self) {
        self.unsealed.extend(self.active.take());
    }

    /// Takes the registry from sled's copy where that has more than the journal.
    fn rescue(
        &mut self,
        dir: &DataDir,
        copy: Option<Mirror>,
        marks: Option<&Marks>,
        is_suspect: bool,
        is_gone: bool,
    ) -> Result<(), Fault> {
        if is_gone && marks.is_none() {
            // Where the positions went to is not known either, and readers' cursors must not be given out anew.
            let rest = copy.map_or_else(String::new, |copy| {
                format!(", while state/ has connections and keys of revision {}", copy.revision)
            });
            return Err(Fault::Damaged(format!(
                "the journal in it is missing, and so is the file marks that tells what was acknowledged{rest}; {REMEDY}"
            )));
        }
        let wanted = marks.map_or(0, |marks| marks.revision);
        let mut is_taken = false;
        // A copy of the same revision has what was lost between two commits that are whole.
        let has_more = |copy: &Mirror| {
            copy.revision > self.mirror.revision || (is_suspect && copy.revision == self.mirror.revision)
        };
        if let Some(copy) = copy.filter(has_more) {
            let remark = format!(
                "the journal's registry ended at revision {}; it was taken from {}, revision {}",
                self.mirror.revision,
                dir.state().display(),
                copy.revision
            );
            tracing::warn!(remark);
            self.remarks.push(remark);
            self.mirror = copy;
            self.renew();
            is_taken = true;
        }
        if self.mirror.is_empty() && (wanted > 0 || is_gone) {
            return Err(Fault::Damaged(format!(
                "the journal in it is missing or has lost the connections and keys; {REMEDY}"
            )));
        }
        if is_suspect && !is_taken {
            self.remarks.push(
                "changes of settings, connections or tokens may have been in a part of the journal that could not be read, \
                 and the copy in state/ has no more: compare them with what you expect"
                    .into(),
            );
        }
        if self.mirror.revision < wanted {
            let remark = format!(
                "changes of settings, connections or tokens after revision {} are missing; revision {wanted} was \
                 acknowledged: compare them with what you expect",
                self.mirror.revision
            );
            tracing::error!(remark);
            self.remarks.push(remark);
            self.mirror.revision = wanted;
        }
        Ok(())
    }
}

/// The report of positions that are kept and lie nowhere. Its times are those of the records on both sides.
pub(super) fn missing(catalog: &Catalog, log: Log, first: u64, last: u64) -> Damage {
    let [before, after] = catalog.log(log).around(first);
    let time = |side: Option<(u64, u64)>| {
        let (position, segment) = side?;
        let block = catalog.segments.get(&segment)?.block(log, position).ok().flatten()?;
        moment(block.time)
    };
    let since = time(before).and_then(|time| time.checked_sub(OUT_OF_ORDER).ok());
    let until = time(after).and_then(|time| time.checked_add(OUT_OF_ORDER).ok());
    let cause = match (before, after) {
        (_, Some((_, after))) => format!("what lay before {} is missing or damaged", segment_name(after)),
        (Some((_, before)), None) => format!("what lay in or after {} is missing or damaged", segment_name(before)),
        (None, None) => "the whole journal is missing".to_owned(),
    };
    Damage { log, first: Position(first), last: Position(last), since, until, cause }
}

fn segment_name(number: u64) -> String {
    segment::path(Path::new("journal"), number).display().to_string()
}

/// Removes indexes and drafts of indexes that belong to no segment.
pub(super) fn tidy(journal: &Path) {
    let Ok(entries) = std::fs::read_dir(journal) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        let is_orphan = number.is_some_and(|number| !segment::path(journal, number).exists());
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some("index-new") || (extension == Some("index") && is_orphan) {
            let _ = std::fs::remove_file(&path);
        }
    }
}
