//! One commit being put together: jobs are staged against what is durable plus what is staged already, then everything
//! is written as one frame, and only then published and answered.

use super::{
    Shared,
    block::{self, Packed},
    catalog::{Segment, at},
    consumers::{Retry, Settled, millisecond_not_before},
    fault::Fault,
    index::{BlockRef, Run},
    item::{self, Item},
    marks::Marks,
    mirror::Overlay,
    queue::{Job, Reply, Settle},
    reading::LogReader,
    reclaim::Carry,
    trim::{self, Trim},
};
use crate::store::{Appended, Consumer, Error, Log, Position, Settlement};
use std::{collections::HashMap, sync::Arc};
use uuid::Uuid;

/// A commit in the making.
pub(super) struct Draft<'a> {
    pub(super) shared: &'a Shared,
    items: Vec<Item>,
    logs: [StagedLog; Log::ALL.len()],
    overlay: Overlay,
    leases: Vec<(Consumer, u64)>,
    introduced: Vec<Consumer>,
    redone: Vec<Consumer>,
    forgotten: Vec<Consumer>,
    trims: Vec<Trim>,
    carries: Vec<Carry>,
    answers: Vec<Answer>,
}

#[derive(Default)]
struct StagedLog {
    entries: Vec<Packed>,
    keys: HashMap<Uuid, u64>,
}

/// Where the blocks of a frame are, counted from its beginning, with the keys of their entries.
pub(super) struct Written {
    blocks: Vec<(BlockRef, Vec<Uuid>)>,
}

/// The reply that a waiter gets once the commit is durable.
enum Answer {
    Append(Reply<Appended>, Appended),
    Commit(Reply<Vec<u64>>, Vec<u64>),
    Settle(Reply<Vec<Appended>>, Vec<Appended>),
    Trim(Reply<u64>, u64),
    Again(Reply<usize>, usize),
    Done(Reply<()>),
}

impl<'a> Draft<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            items: Vec::new(),
            logs: Default::default(),
            overlay: Overlay::default(),
            leases: Vec::new(),
            introduced: Vec::new(),
            redone: Vec::new(),
            forgotten: Vec::new(),
            trims: Vec::new(),
            carries: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Adds one job, or answers it with what stands against it. Gives back what must wait for the next commit.
    pub(super) fn stage(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Append { log, entry, reply } => match self.kept(log, entry.key) {
                Ok(kept) => {
                    let appended = self.stage_entry(log, entry, kept);
                    self.answers.push(Answer::Append(reply, appended));
                }
                Err(fault) => drop(reply.send(Err(fault.into()))),
            },
            Job::Commit { changes, reply } => match self.overlay.stage(&self.shared.mirror(), changes) {
                Ok(versions) => self.answers.push(Answer::Commit(reply, versions)),
                Err(error) => drop(reply.send(Err(error))),
            },
            Job::Settle { settle, reply } => self.stage_settle(settle, reply),
            Job::Trim { log, before, reply } => {
                // A record that is to wait once more must not go in the same commit.
                if self.trims(log) || self.redone.iter().any(|consumer| consumer.log == log) {
                    return Some(Job::Trim { log, before, reply });
                }
                match trim::plan(self.shared, log, before.as_millisecond()) {
                    Ok(trim) => self.stage_trim(trim, reply),
                    Err(fault) => drop(reply.send(Err(fault.into()))),
                }
            }
            // Being forgotten and anything else of the same consumer do not mix in one commit.
            Job::Introduce { consumer, after, reply } if self.forgotten.contains(&consumer) => {
                return Some(Job::Introduce { consumer, after, reply });
            }
            Job::Skip { consumer, to, over, reply } if self.forgotten.contains(&consumer) => {
                return Some(Job::Skip { consumer, to, over, reply });
            }
            Job::Again { consumer, retries, reply } if self.mixes_with_again(&consumer) => {
                return Some(Job::Again { consumer, retries, reply });
            }
            Job::Forget { consumer, reply } if self.touches(&consumer) => {
                return Some(Job::Forget { consumer, reply });
            }
            Job::Introduce { consumer, after, reply } => {
                // Two who introduce it at once: the first says where it begins.
                let is_new = self.shared.readers().reader(&consumer).is_none() && !self.introduced.contains(&consumer);
                if is_new {
                    self.items.push(Item::Cursor { consumer: consumer.clone(), position: after });
                    self.introduced.push(consumer);
                }
                self.answers.push(Answer::Done(reply));
            }
            Job::Skip { consumer, to, over, reply } => {
                if self.shared.readers().reader(&consumer).is_some() {
                    let of = || consumer.clone();
                    self.items.extend(over.into_iter().map(|position| Item::Over { consumer: of(), position }));
                    self.items.extend(to.map(|position| Item::Cursor { consumer: of(), position }));
                }
                self.answers.push(Answer::Done(reply));
            }
            Job::Again { consumer, retries, reply } => self.stage_again(consumer, retries, reply),
            Job::Forget { consumer, reply } => {
                self.items.push(Item::Forgotten { consumer: consumer.clone() });
                self.forgotten.push(consumer);
                self.answers.push(Answer::Done(reply));
            }
        }
        None
    }

    /// Adds entries that move here from a segment that is to go.
    pub(super) fn carry(&mut self, carry: Carry) {
        self.carries.push(carry);
    }

    /// Whether this commit trims the log.
    pub(super) fn trims(&self, log: Log) -> bool {
        self.trims.iter().any(|trim| trim.log == log)
    }

    /// Whether it trims any log.
    pub(super) fn has_trimmed(&self) -> bool {
        !self.trims.is_empty()
    }

    /// Completes marks by what will be durable with this commit.
    pub(super) fn marks(&self, mut marks: Marks) -> Marks {
        let catalog = self.shared.catalog();
        for log in Log::ALL {
            marks.last[at(log)] = catalog.log(log).last + self.logs[at(log)].entries.len() as u64;
        }
        marks.revision = self.overlay.revision().max(self.shared.mirror().revision);
        marks
    }

    /// Whether there is anything to write.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
            && self.carries.is_empty()
            && self.overlay.is_empty()
            && self.logs.iter().all(|log| log.entries.is_empty())
    }

    /// Adds an entry whose key is kept at a position, or nowhere.
    fn stage_entry(&mut self, log: Log, entry: Packed, kept: Option<u64>) -> Appended {
        if let Some(position) = self.logs[at(log)].keys.get(&entry.key).copied().or(kept) {
            return Appended::Duplicate(Position(position));
        }
        let last = self.shared.catalog().log(log).last;
        let staged = &mut self.logs[at(log)];
        let position = last + 1 + staged.entries.len() as u64;
        staged.keys.insert(entry.key, position);
        staged.entries.push(entry);
        Appended::New(Position(position))
    }

    /// Where a key is kept already, as far as that has to be looked up.
    fn kept(&self, log: Log, key: Uuid) -> Result<Option<u64>, Fault> {
        if self.logs[at(log)].keys.contains_key(&key) {
            return Ok(None);
        }
        LogReader::new(self.shared, log).position_of(key)
    }

    /// The same for each of these entries. What was written together is mostly told together again, so that one reader for
    /// each log reads its block once.
    fn all_kept(&self, appends: &[(Log, Packed)]) -> Result<Vec<Option<u64>>, Fault> {
        let mut readers = Log::ALL.map(|log| LogReader::new(self.shared, log));
        let kept = |(log, entry): &(Log, Packed)| readers[at(*log)].position_of(entry.key);
        appends.iter().map(kept).collect()
    }

    fn touches(&self, consumer: &Consumer) -> bool {
        self.introduced.contains(consumer)
            || self.redone.contains(consumer)
            || self.leases.iter().any(|(settled, _)| settled == consumer)
    }

    fn mixes_with_again(&self, consumer: &Consumer) -> bool {
        self.forgotten.contains(consumer) || self.touches(consumer) || self.trims(consumer.log)
    }

    fn stage_trim(&mut self, trim: Trim, reply: Reply<u64>) {
        self.answers.push(Answer::Trim(reply, trim.count()));
        if trim.count() > 0 {
            self.items.push(Item::Trimmed { log: trim.log, position: trim.to });
            self.trims.push(trim);
        }
    }

    fn stage_again(&mut self, consumer: Consumer, mut retries: Vec<(u64, Retry)>, reply: Reply<usize>) {
        {
            let (catalog, readers) = (self.shared.catalog(), self.shared.readers());
            let (places, reader) = (catalog.log(consumer.log), readers.reader(&consumer));
            retries.retain(|(position, _)| {
                let kept = *position > places.trimmed && *position <= places.last;
                kept && reader.is_some_and(|reader| reader.is_over(*position))
            });
        }
        retries.sort_by_key(|(position, _)| *position);
        retries.dedup_by_key(|(position, _)| *position);
        for (position, Retry { attempt, at }) in &retries {
            let (consumer, position, attempt, at) = (consumer.clone(), *position, *attempt, *at);
            self.items.push(Item::Waits { consumer, position, attempt, at });
        }
        self.answers.push(Answer::Again(reply, retries.len()));
        self.redone.push(consumer);
    }

    fn stage_settle(&mut self, settle: Settle, reply: Reply<Vec<Appended>>) {
        let Settle { consumer, lease, records, appends } = settle;
        if self.forgotten.contains(&consumer) {
            drop(reply.send(Err(Error::LeaseLost)));
            return;
        }
        // Everything that can fail comes first, so that nothing of a failed settlement is in the commit.
        let kept = match self.all_kept(&appends) {
            Ok(kept) => kept,
            Err(fault) => {
                self.shared.readers().release(&consumer, lease);
                drop(reply.send(Err(fault.into())));
                return;
            }
        };
        let staged = |((log, entry), kept)| self.stage_entry(log, entry, kept);
        let appended = appends.into_iter().zip(kept).map(staged).collect();
        let cursor = self.shared.readers().reader(&consumer).map_or(0, |reader| reader.cursor);
        if let Some(newest) = records.iter().map(|record| record.position).max().filter(|newest| *newest > cursor) {
            self.items.push(Item::Cursor { consumer: consumer.clone(), position: newest });
        }
        self.items.extend(records.into_iter().filter_map(|record| settled(&consumer, record, cursor)));
        self.leases.push((consumer, lease));
        self.answers.push(Answer::Settle(reply, appended));
    }

    /// Appends everything to a frame that was begun.
    pub(super) fn encode(&mut self, scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> Written {
        self.items.extend(self.overlay.items());
        for item in &self.items {
            item.encode(out);
        }
        let mut blocks = Vec::new();
        let mut put = |log, first, entries: &[Packed]| {
            let at = item::put(item::ENTRIES, out, |out| block::encode(log, first, entries, scratch, out));
            let reference = BlockRef {
                log,
                first,
                count: super::bytes::number(entries.len()),
                offset: at as u64,
                len: super::bytes::number(out.len() - at),
                time: entries.first().map_or(0, |entry| entry.time),
            };
            blocks.push((reference, entries.iter().map(|entry| entry.key).collect()));
        };
        for log in Log::ALL {
            let mut first = self.shared.catalog().log(log).last + 1;
            for run in block::runs(&self.logs[at(log)].entries) {
                put(log, first, run);
                first += run.len() as u64;
            }
        }
        for carry in &self.carries {
            put(carry.log, carry.first, &carry.entries);
        }
        Written { blocks }
    }

    /// Shows everybody what is durable now, then answers. The frame begins at `offset` of the segment.
    pub(super) fn publish(self, written: Written, segment: &Arc<Segment>, offset: u64) {
        {
            let mut catalog = self.shared.catalog_mut();
            let mut index = segment.index_mut();
            for (mut reference, keys) in written.blocks {
                reference.offset += offset;
                catalog
                    .place(Run { log: reference.log, first: reference.first, last: reference.last() }, segment.number);
                if let super::catalog::Index::Memory(index) = &mut *index {
                    index.add(reference, keys.into_iter());
                }
            }
            for trim in &self.trims {
                catalog.log_mut(trim.log).trim(trim.to);
            }
        }
        if !self.overlay.is_empty() {
            self.shared.mirror_mut().publish(&self.overlay);
            self.shared.state.changed(self.overlay.items());
        }
        // Before the cursors: who sees one at the tail takes it that nothing is left to do.
        self.shared.publish_tails();
        let mut readers = self.shared.readers();
        for item in &self.items {
            readers.apply(item);
        }
        for (consumer, lease) in &self.leases {
            readers.settled(consumer, *lease);
        }
        drop(readers);
        for answer in self.answers {
            answer.give(None);
        }
    }

    /// Answers without having written: nothing changes.
    pub(super) fn answer(self) {
        self.end(None);
    }

    /// Nothing of it was stored, as far as anybody may rely on.
    pub(super) fn fail(self, error: &Error) {
        self.end(Some(error));
    }

    fn end(self, error: Option<&Error>) {
        let mut readers = self.shared.readers();
        for (consumer, lease) in &self.leases {
            readers.release(consumer, *lease);
        }
        drop(readers);
        for answer in self.answers {
            answer.give(error.cloned());
        }
    }
}

/// The change that a settlement makes for its consumer, beside the cursor.
fn settled(consumer: &Consumer, record: Settled, cursor: u64) -> Option<Item> {
    let Settled { position, key, attempt, settlement } = record;
    let consumer = || consumer.clone();
    let waits =
        |attempt, at| Some(Item::Waits { consumer: consumer(), position, attempt, at: millisecond_not_before(at) });
    match settlement {
        Settlement::Done if position > cursor => None,
        Settlement::Done => Some(Item::Over { consumer: consumer(), position }),
        Settlement::Retry { at } => waits(attempt + 1, at),
        Settlement::Wait { at } => waits(attempt, at),
        Settlement::Dead { reason } => Some(Item::Dead { consumer: consumer(), position, key, reason }),
    }
}

impl Answer {
    fn give(self, error: Option<Error>) {
        fn send<T>(reply: Reply<T>, error: Option<Error>, value: T) {
            // Nobody listening any more is no error: the caller was cancelled.
            drop(reply.send(error.map_or(Ok(value), Err)));
        }
        match self {
            Self::Append(reply, appended) => send(reply, error, appended),
            Self::Commit(reply, versions) => send(reply, error, versions),
            Self::Settle(reply, appended) => send(reply, error, appended),
            Self::Trim(reply, count) => send(reply, error, count),
            Self::Again(reply, count) => send(reply, error, count),
            Self::Done(reply) => send(reply, error, ()),
        }
    }
}
