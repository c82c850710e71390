//! One commit being put together: jobs are staged against what is durable plus what is staged already, then everything
//! is written as one batch, and only then published and answered.

use super::{
    Shared,
    block::{self, Encoded, Extent, Packed},
    consumers::{Retry, Settled, millisecond_not_before},
    db::{Db, Fault, Write},
    layout,
    mirror::Overlay,
    queue::{Job, Reply, Settle},
    reading, repack,
    trim::{self, Trim},
    view::at,
};
use crate::store::{Appended, Consumer, Error, Log, Position, Settlement};
use std::collections::HashMap;
use uuid::Uuid;

/// A commit in the making.
pub(super) struct Draft<'a> {
    pub(super) shared: &'a Shared,
    pub(super) db: &'a Db,
    pub(super) writes: Vec<Write>,
    logs: [StagedLog; Log::ALL.len()],
    overlay: Overlay,
    settled: Vec<(Consumer, u64, Vec<Settled>)>,
    introduced: Vec<(Consumer, u64)>,
    redone: Vec<(Consumer, Vec<(u64, Retry)>)>,
    forgotten: Vec<Consumer>,
    trims: Vec<Trim>,
    pub(super) merges: Vec<repack::Merge>,
    answers: Vec<Answer>,
}

#[derive(Default)]
struct StagedLog {
    entries: Vec<Packed>,
    keys: HashMap<Uuid, u64>,
    blocks: Vec<(u64, Extent)>,
}

/// What a waiter is told once the commit is durable.
enum Answer {
    Append(Reply<Appended>, Appended),
    Commit(Reply<Vec<u64>>, Vec<u64>),
    Settle(Reply<Vec<Appended>>, Vec<Appended>),
    Trim(Reply<u64>, u64),
    Again(Reply<usize>, usize),
    Done(Reply<()>),
}

impl<'a> Draft<'a> {
    pub(super) fn new(shared: &'a Shared, db: &'a Db) -> Self {
        Self {
            shared,
            db,
            writes: Vec::new(),
            logs: Default::default(),
            overlay: Overlay::default(),
            settled: Vec::new(),
            introduced: Vec::new(),
            redone: Vec::new(),
            forgotten: Vec::new(),
            trims: Vec::new(),
            merges: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Adds one job, or answers it with what stands against it. Gives back what must wait for the next commit.
    pub(super) fn stage(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Append { log, entry, reply } => match self.stage_entry(log, entry) {
                Ok(appended) => self.answers.push(Answer::Append(reply, appended)),
                Err(fault) => drop(reply.send(Err(fault.into()))),
            },
            Job::Commit { changes, reply } => match self.overlay.stage(&self.shared.mirror(), changes) {
                Ok(versions) => self.answers.push(Answer::Commit(reply, versions)),
                Err(error) => drop(reply.send(Err(error))),
            },
            Job::Settle { settle, reply } => self.stage_settle(settle, reply),
            Job::Trim { log, before, reply } => {
                // What is to wait once more must not go in the same commit.
                if self.trims(log) || self.redone.iter().any(|(consumer, _)| consumer.log == log) {
                    return Some(Job::Trim { log, before, reply });
                }
                match trim::plan(self.shared, self.db, log, before.as_millisecond()) {
                    Ok(trim) => {
                        self.answers.push(Answer::Trim(reply, trim.count()));
                        self.trims.push(trim);
                    }
                    Err(fault) => drop(reply.send(Err(fault.into()))),
                }
            }
            // Being forgotten and anything else of the same consumer do not mix in one batch.
            Job::Introduce { consumer, after, reply } if self.forgotten.contains(&consumer) => {
                return Some(Job::Introduce { consumer, after, reply });
            }
            Job::Again { consumer, retries, reply } if self.mixes_with_again(&consumer) => {
                return Some(Job::Again { consumer, retries, reply });
            }
            Job::Forget { consumer, reply } if self.touches(&consumer) => {
                return Some(Job::Forget { consumer, reply });
            }
            Job::Introduce { consumer, after, reply } => {
                // Two who introduce it at once: the first says where it begins.
                let is_new = self.shared.readers().reader(&consumer).is_none()
                    && !self.introduced.iter().any(|(introduced, _)| *introduced == consumer);
                if is_new {
                    self.put_cursor(&consumer, after);
                    self.introduced.push((consumer, after));
                }
                self.answers.push(Answer::Done(reply));
            }
            Job::Again { consumer, retries, reply } => self.stage_again(consumer, retries, reply),
            Job::Forget { consumer, reply } => {
                self.stage_forget(&consumer);
                self.forgotten.push(consumer);
                self.answers.push(Answer::Done(reply));
            }
        }
        None
    }

    /// Whether merging blocks of the log would touch what this commit trims.
    pub(super) fn trims(&self, log: Log) -> bool {
        self.trims.iter().any(|trim| trim.log == log)
    }

    fn stage_entry(&mut self, log: Log, entry: Packed) -> Result<Appended, Fault> {
        match self.position_of(log, entry.key)? {
            Some(position) => Ok(Appended::Duplicate(Position(position))),
            None => Ok(self.push(log, entry)),
        }
    }

    fn push(&mut self, log: Log, entry: Packed) -> Appended {
        let last = self.shared.logs[at(log)].read().last;
        let staged = &mut self.logs[at(log)];
        let position = last + 1 + staged.entries.len() as u64;
        staged.keys.insert(entry.key, position);
        staged.entries.push(entry);
        Appended::New(Position(position))
    }

    fn position_of(&self, log: Log, key: Uuid) -> Result<Option<u64>, Fault> {
        if let Some(position) = self.logs[at(log)].keys.get(&key) {
            return Ok(Some(*position));
        }
        let candidates = self.shared.logs[at(log)].read().candidates(key);
        for position in candidates {
            let block = self.shared.logs[at(log)].read().block_of(position);
            let Some((first, _)) = block else { continue };
            let entries = reading::read_index(self.db, log, first)?;
            let offset = usize::try_from(position - first).expect("a block has few entries");
            if entries.get(offset).is_some_and(|(found, _)| *found == key) {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    fn touches(&self, consumer: &Consumer) -> bool {
        self.introduced.iter().any(|(introduced, _)| introduced == consumer)
            || self.redone.iter().any(|(redone, _)| redone == consumer)
            || self.settled.iter().any(|(settled, _, _)| settled == consumer)
    }

    fn mixes_with_again(&self, consumer: &Consumer) -> bool {
        self.forgotten.contains(consumer) || self.touches(consumer) || self.trims(consumer.log)
    }

    fn stage_again(&mut self, consumer: Consumer, mut retries: Vec<(u64, Retry)>, reply: Reply<usize>) {
        {
            let (contents, readers) = (self.shared.logs[at(consumer.log)].read(), self.shared.readers());
            let reader = readers.reader(&consumer);
            retries.retain(|(position, _)| {
                let kept = *position > contents.trimmed && *position <= contents.last;
                kept && reader.is_some_and(|reader| reader.is_over(*position))
            });
        }
        retries.sort_by_key(|(position, _)| *position);
        retries.dedup_by_key(|(position, _)| *position);
        for (position, retry) in &retries {
            self.put_retry(&consumer, *position, *retry);
            self.writes.push((layout::dead_key(&consumer, *position), None));
        }
        self.answers.push(Answer::Again(reply, retries.len()));
        self.redone.push((consumer, retries));
    }

    fn put_retry(&mut self, consumer: &Consumer, position: u64, retry: Retry) {
        let mut content = retry.attempt.to_be_bytes().to_vec();
        content.extend(retry.at.to_be_bytes());
        self.put(layout::retry_key(consumer, position), &content);
    }

    fn stage_settle(&mut self, settle: Settle, reply: Reply<Vec<Appended>>) {
        let Settle { consumer, lease, records, appends } = settle;
        if self.forgotten.contains(&consumer) {
            drop(reply.send(Err(Error::LeaseLost)));
            return;
        }
        // What can fail comes first, so that nothing of a failed settlement is in the batch.
        for (log, entry) in &appends {
            if let Err(fault) = self.position_of(*log, entry.key) {
                self.shared.readers().release(&consumer, lease);
                drop(reply.send(Err(fault.into())));
                return;
            }
        }
        let appended = appends.into_iter().map(|(log, entry)| self.stage_entry(log, entry)).collect::<Result<_, _>>();
        let appended = match appended {
            Ok(appended) => appended,
            Err(fault) => {
                self.shared.readers().release(&consumer, lease);
                drop(reply.send(Err(fault.into())));
                return;
            }
        };
        let cursor = self.shared.readers().reader(&consumer).map_or(0, |reader| reader.cursor);
        if let Some(newest) = records.iter().map(|record| record.position).max().filter(|newest| *newest > cursor) {
            self.put_cursor(&consumer, newest);
        }
        for record in &records {
            let retry = layout::retry_key(&consumer, record.position);
            match &record.settlement {
                Settlement::Done if record.position > cursor => {}
                Settlement::Done => self.writes.push((retry, None)),
                Settlement::Retry { at } => {
                    let retry = Retry { attempt: record.attempt + 1, at: millisecond_not_before(*at) };
                    self.put_retry(&consumer, record.position, retry);
                }
                Settlement::Wait { at } => {
                    let retry = Retry { attempt: record.attempt, at: millisecond_not_before(*at) };
                    self.put_retry(&consumer, record.position, retry);
                }
                Settlement::Dead { reason } => {
                    let mut content = record.key.as_bytes().to_vec();
                    content.extend(reason.as_bytes());
                    self.put(layout::dead_key(&consumer, record.position), &content);
                    self.writes.push((retry, None));
                }
            }
        }
        self.settled.push((consumer, lease, records));
        self.answers.push(Answer::Settle(reply, appended));
    }

    fn stage_forget(&mut self, consumer: &Consumer) {
        let readers = self.shared.readers();
        self.writes.push((layout::cursor_key(consumer), None));
        if let Some(reader) = readers.reader(consumer) {
            let (retries, dead) = reader.recorded();
            self.writes.extend(retries.map(|position| (layout::retry_key(consumer, position), None)));
            self.writes.extend(dead.map(|position| (layout::dead_key(consumer, position), None)));
        }
    }

    fn put_cursor(&mut self, consumer: &Consumer, position: u64) {
        self.put(layout::cursor_key(consumer), &position.to_be_bytes());
    }

    pub(super) fn put(&mut self, key: Vec<u8>, content: &[u8]) {
        let value = layout::seal(&key, content);
        self.writes.push((key, Some(value)));
    }

    /// Turns what was staged into writes.
    pub(super) fn encode(&mut self) {
        for log in Log::ALL {
            let entries = std::mem::take(&mut self.logs[at(log)].entries);
            let mut first = self.shared.logs[at(log)].read().last + 1;
            for run in block::runs(&entries) {
                self.encode_run(log, first, run);
                first += run.len() as u64;
            }
        }
        self.overlay.write(&self.shared.mirror(), &mut self.writes);
        for trim in &self.trims {
            trim.write(self.shared, &mut self.writes);
        }
    }

    /// One block where it fits, else halves.
    fn encode_run(&mut self, log: Log, first: u64, run: &[Packed]) {
        let Some(encoded) = block::encode(run) else {
            let (head, tail) = run.split_at(run.len() / 2);
            self.encode_run(log, first, head);
            return self.encode_run(log, first + head.len() as u64, tail);
        };
        self.logs[at(log)].blocks.push((first, encoded.extent));
        self.put_block(log, first, &encoded);
    }

    pub(super) fn put_block(&mut self, log: Log, first: u64, encoded: &Encoded) {
        self.put(layout::block_key(log, first), &encoded.content);
        self.put(layout::index_key(log, first), &encoded.index);
        for (number, chunk) in (0..).zip(&encoded.chunks) {
            self.put(layout::chunk_key(log, first, number), chunk);
        }
    }

    /// Hides what is to be trimmed, before it is removed: a reader that no longer finds a block looks here again.
    pub(super) fn publish_trims(&self) {
        for trim in &self.trims {
            trim.publish(self.shared);
        }
    }

    /// Shows everybody what is durable now, then answers.
    pub(super) fn publish(self) {
        for (log, staged) in Log::ALL.into_iter().zip(self.logs) {
            let view = &self.shared.logs[at(log)];
            let mut contents = view.write();
            for (first, extent) in staged.blocks {
                contents.last = first + u64::from(extent.count) - 1;
                contents.blocks.insert(first, extent);
            }
            for (key, position) in staged.keys {
                contents.keys.insert(key, position);
            }
        }
        for merge in &self.merges {
            merge.publish(self.shared);
        }
        self.shared.mirror_mut().publish(self.overlay);
        // Before the cursors: who sees one at the tail takes it that nothing is left to do.
        for view in &self.shared.logs {
            view.publish_tail();
        }
        let mut readers = self.shared.readers();
        for (consumer, after) in self.introduced {
            readers.add(consumer, after);
        }
        for (consumer, retries) in &self.redone {
            readers.redone(consumer, retries);
        }
        for (consumer, lease, records) in &self.settled {
            readers.settled(consumer, *lease, records);
        }
        for trim in &self.trims {
            readers.trimmed(trim.log, trim.to);
        }
        for consumer in &self.forgotten {
            readers.forget(consumer);
        }
        drop(readers);
        for answer in self.answers {
            answer.give(None);
        }
    }

    /// Nothing of it was stored, as far as anybody may rely on.
    pub(super) fn fail(self, error: &Error) {
        let mut readers = self.shared.readers();
        for (consumer, lease, _) in &self.settled {
            readers.release(consumer, *lease);
        }
        drop(readers);
        for answer in self.answers {
            answer.give(Some(error.clone()));
        }
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
