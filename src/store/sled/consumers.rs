//! Who reads what: cursors, retries and leases, all in memory; what must survive is written by the draft.

use super::reading::Budget;
use crate::store::{Consumer, Error, Log, Position, Settlement, Waiting, Wanted};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// All consumers and the leases they hold. Leases do not survive: whoever holds one of an earlier opening has lost it.
#[derive(Debug)]
pub(super) struct Readers {
    readers: BTreeMap<Consumer, Reader>,
    leases: u64,
}

#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) cursor: u64,
    retries: BTreeMap<u64, Retry>,
    due: BTreeSet<(i64, u64)>,
    dead: BTreeSet<u64>,
    leases: BTreeMap<u64, Lease>,
}

/// A record that is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retry {
    pub(super) attempt: u32,
    /// Milliseconds since 1970.
    pub(super) at: i64,
}

#[derive(Debug)]
struct Lease {
    until: Timestamp,
    holds_fresh: bool,
    retries: Vec<u64>,
    /// With the writer: it cannot run out any more.
    settling: bool,
}

/// What a claim may read: due retries and, unless they are leased, the records after the cursor.
pub(super) struct Reservation {
    pub(super) lease: u64,
    pub(super) retries: Vec<(u64, u32)>,
    pub(super) fresh_after: Option<u64>,
}

/// A settled record as the writer sees it.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) position: u64,
    pub(super) key: uuid::Uuid,
    pub(super) attempt: u32,
    pub(super) settlement: Settlement,
}

impl Readers {
    /// `leases` starts where no earlier opening of this process was, so that an old claim is never taken for a new one.
    pub(super) fn new(readers: BTreeMap<Consumer, Reader>, leases: u64) -> Self {
        Self { readers, leases }
    }

    pub(super) fn leases(&self) -> u64 {
        self.leases
    }

    pub(super) fn reader(&self, consumer: &Consumer) -> Option<&Reader> {
        self.readers.get(consumer)
    }

    /// Leases everything of what is wanted that may be claimed now; the caller reads it and keeps what fits, see [`Self::keep`].
    pub(super) fn reserve(
        &mut self,
        consumer: &Consumer,
        wanted: &Wanted,
        now: Timestamp,
        lease: Duration,
        budget: &Budget,
    ) -> Reservation {
        self.leases += 1;
        let id = self.leases;
        let reader = self.readers.entry(consumer.clone()).or_default();
        reader.leases.retain(|_, lease| lease.settling || lease.until > now);
        let leased: BTreeSet<u64> = reader.leases.values().flat_map(|lease| &lease.retries).copied().collect();
        let mut retries: Vec<u64> = match wanted {
            Wanted::Due => {
                reader.due.range(..=(now.as_millisecond(), u64::MAX)).map(|(_, position)| *position).collect()
            }
            Wanted::Fresh => Vec::new(),
            Wanted::These(these) => {
                let these: BTreeSet<u64> = these.iter().map(|position| position.0).collect();
                these.into_iter().filter(|position| reader.retries.contains_key(position)).collect()
            }
        };
        retries.retain(|position| !leased.contains(position));
        retries.truncate(budget.records());
        let fresh_is_free =
            !matches!(wanted, Wanted::These(_)) && !reader.leases.values().any(|lease| lease.holds_fresh);
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        let lease = Lease { until, holds_fresh: fresh_is_free, retries: retries.clone(), settling: false };
        reader.leases.insert(id, lease);
        Reservation {
            lease: id,
            retries: retries.into_iter().map(|position| (position, reader.retries[&position].attempt)).collect(),
            fresh_after: fresh_is_free.then_some(reader.cursor),
        }
    }

    /// Narrows a lease to what was claimed in the end; nothing at all ends it.
    pub(super) fn keep(&mut self, consumer: &Consumer, lease: u64, retries: Vec<u64>, holds_fresh: bool) {
        let Some(reader) = self.readers.get_mut(consumer) else { return };
        if retries.is_empty() && !holds_fresh {
            reader.leases.remove(&lease);
        } else if let Some(lease) = reader.leases.get_mut(&lease) {
            (lease.retries, lease.holds_fresh) = (retries, holds_fresh);
        }
    }

    /// Takes the lease to the writer: from here it is either settled or released.
    pub(super) fn begin_settling(&mut self, consumer: &Consumer, lease: u64) -> Result<(), Error> {
        let lease = self.readers.get_mut(consumer).and_then(|reader| reader.leases.get_mut(&lease));
        match lease {
            Some(lease) if !lease.settling => {
                lease.settling = true;
                Ok(())
            }
            _ => Err(Error::LeaseLost),
        }
    }

    /// Ends a lease without settling: the batch is claimed again.
    pub(super) fn release(&mut self, consumer: &Consumer, lease: u64) {
        if let Some(reader) = self.readers.get_mut(consumer) {
            reader.leases.remove(&lease);
        }
    }

    /// After the commit.
    pub(super) fn settled(&mut self, consumer: &Consumer, lease: u64, settled: &[Settled]) {
        let Some(reader) = self.readers.get_mut(consumer) else { return };
        reader.leases.remove(&lease);
        for record in settled {
            reader.cursor = reader.cursor.max(record.position);
            reader.end_retry(record.position);
            match &record.settlement {
                Settlement::Done => {}
                Settlement::Retry { at } => {
                    let retry = Retry { attempt: record.attempt + 1, at: millisecond_not_before(*at) };
                    reader.add_retry(record.position, retry);
                }
                Settlement::Wait { at } => {
                    let retry = Retry { attempt: record.attempt, at: millisecond_not_before(*at) };
                    reader.add_retry(record.position, retry);
                }
                Settlement::Dead { .. } => reader.add_dead(record.position),
            }
        }
    }

    /// After the commit that made it durable.
    pub(super) fn add(&mut self, consumer: Consumer, after: u64) {
        self.readers.entry(consumer).or_insert_with(|| Reader::at(after));
    }

    /// After the commit: these wait once more.
    pub(super) fn redone(&mut self, consumer: &Consumer, retries: &[(u64, Retry)]) {
        let Some(reader) = self.readers.get_mut(consumer) else { return };
        for (position, retry) in retries {
            reader.dead.remove(position);
            reader.add_retry(*position, *retry);
        }
    }

    /// Those of one log.
    pub(super) fn of(&self, log: Log) -> Vec<Consumer> {
        self.readers.keys().filter(|consumer| consumer.log == log).cloned().collect()
    }

    pub(super) fn forget(&mut self, consumer: &Consumer) {
        self.readers.remove(consumer);
    }

    /// Up to here no consumer of the log has anything left to do.
    pub(super) fn settled_to(&self, log: Log) -> u64 {
        let of_log = self.readers.iter().filter(|(consumer, _)| consumer.log == log);
        of_log.map(|(_, reader)| reader.settled_to()).min().unwrap_or(u64::MAX)
    }

    /// The dead up to a position, of all consumers of the log.
    pub(super) fn dead_to(&self, log: Log, position: u64) -> Vec<(&Consumer, u64)> {
        let of_log = self.readers.iter().filter(|(consumer, _)| consumer.log == log);
        of_log
            .flat_map(|(consumer, reader)| reader.dead.range(..=position).map(move |dead| (consumer, *dead)))
            .collect()
    }

    pub(super) fn trimmed(&mut self, log: Log, position: u64) {
        for (_, reader) in self.readers.iter_mut().filter(|(consumer, _)| consumer.log == log) {
            reader.dead.retain(|dead| *dead > position);
        }
    }
}

impl Reader {
    /// With nothing but a cursor.
    pub(super) fn at(cursor: u64) -> Self {
        Self { cursor, ..Self::default() }
    }

    pub(super) fn add_retry(&mut self, position: u64, retry: Retry) {
        self.retries.insert(position, retry);
        self.due.insert((retry.at, position));
    }

    pub(super) fn add_dead(&mut self, position: u64) {
        self.dead.insert(position);
    }

    fn end_retry(&mut self, position: u64) {
        if let Some(retry) = self.retries.remove(&position) {
            self.due.remove(&(retry.at, position));
        }
    }

    /// Positions with records of their own: those under retry, those given up.
    pub(super) fn recorded(&self) -> (impl Iterator<Item = u64>, impl Iterator<Item = u64>) {
        (self.retries.keys().copied(), self.dead.iter().copied())
    }

    pub(super) fn dead_after(&self, position: u64, records_max: usize) -> Vec<u64> {
        self.dead.range(position.saturating_add(1)..).take(records_max).copied().collect()
    }

    pub(super) fn waiting_after(&self, position: u64, records_max: usize) -> Vec<Waiting> {
        let newer = self.retries.range(position.saturating_add(1)..).take(records_max);
        let waiting = |(position, retry): (&u64, &Retry)| Waiting {
            position: Position(*position),
            attempt: retry.attempt,
            at: Timestamp::from_millisecond(retry.at).unwrap_or(Timestamp::MAX),
        };
        newer.map(waiting).collect()
    }

    /// Whether the record is behind the cursor and nothing is to be done about it.
    pub(super) fn is_over(&self, position: u64) -> bool {
        position <= self.cursor && !self.retries.contains_key(&position)
    }

    /// Whether a claim now could find anything, the log ending at `last`. Leases may hide it still.
    pub(super) fn may_have_work(&self, wanted: &Wanted, now: Timestamp, last: u64) -> bool {
        let is_due = || self.due.first().is_some_and(|(at, _)| *at <= now.as_millisecond());
        match wanted {
            Wanted::Due => self.cursor < last || is_due(),
            Wanted::Fresh => self.cursor < last,
            Wanted::These(_) => !self.retries.is_empty(),
        }
    }

    fn settled_to(&self) -> u64 {
        self.retries.keys().next().map_or(self.cursor, |first| self.cursor.min(first - 1))
    }
}

/// Rounded up: a retry never comes before its time.
pub(super) fn millisecond_not_before(at: Timestamp) -> i64 {
    let floor = at.as_millisecond();
    if Timestamp::from_millisecond(floor).is_ok_and(|rounded| rounded < at) { floor + 1 } else { floor }
}
