//! Cursors, retries and leases of the consumers, all in memory. The draft writes those that must survive.

use super::{item::Item, reading::Budget};
use crate::store::{Consumer, Dead, Error, Log, Position, Settlement, Waiting, Wanted};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use uuid::Uuid;

/// All consumers and the leases they hold. Leases do not survive: whoever holds one of an earlier opening has lost it.
#[derive(Debug)]
pub(super) struct Readers {
    all: BTreeMap<Consumer, Reader>,
    /// Thousands die of the same reason: each text is kept once.
    reasons: BTreeSet<Arc<str>>,
    leases: u64,
}

#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) cursor: u64,
    retries: BTreeMap<u64, Retry>,
    due: BTreeSet<(i64, u64)>,
    dead: BTreeMap<u64, Gone>,
    leases: BTreeMap<u64, Lease>,
}

/// A record that was given up.
#[derive(Debug, Clone)]
struct Gone {
    key: Uuid,
    reason: Arc<str>,
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

/// The records that a claim may read: due retries and, unless they are leased, those after the cursor.
pub(super) struct Reservation {
    pub(super) lease: u64,
    pub(super) retries: Vec<(u64, u32)>,
    pub(super) fresh_after: Option<u64>,
}

/// A settled record as the writer sees it.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) position: u64,
    pub(super) key: Uuid,
    pub(super) attempt: u32,
    pub(super) settlement: Settlement,
}

impl Readers {
    /// `leases` starts where no earlier opening was, so that an old claim is never taken for a new one.
    pub(super) fn new(leases: u64) -> Self {
        Self { all: BTreeMap::new(), reasons: BTreeSet::new(), leases }
    }

    pub(super) fn reader(&self, consumer: &Consumer) -> Option<&Reader> {
        self.all.get(consumer)
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
        let reader = self.all.entry(consumer.clone()).or_default();
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
        let Some(reader) = self.all.get_mut(consumer) else { return };
        if retries.is_empty() && !holds_fresh {
            reader.leases.remove(&lease);
        } else if let Some(lease) = reader.leases.get_mut(&lease) {
            (lease.retries, lease.holds_fresh) = (retries, holds_fresh);
        }
    }

    /// Takes the lease to the writer: from here it is either settled or released.
    pub(super) fn begin_settling(&mut self, consumer: &Consumer, lease: u64) -> Result<(), Error> {
        let lease = self.all.get_mut(consumer).and_then(|reader| reader.leases.get_mut(&lease));
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
        if let Some(reader) = self.all.get_mut(consumer) {
            reader.leases.remove(&lease);
        }
    }

    /// After the commit.
    pub(super) fn settled(&mut self, consumer: &Consumer, lease: u64) {
        if let Some(reader) = self.all.get_mut(consumer) {
            reader.leases.remove(&lease);
        }
    }

    /// Takes up a change of a consumer; others are none of its business.
    pub(super) fn apply(&mut self, item: &Item) {
        match item {
            Item::Cursor { consumer, position } => {
                let reader = self.all.entry(consumer.clone()).or_default();
                reader.cursor = reader.cursor.max(*position);
            }
            Item::Waits { consumer, position, attempt, at } => {
                let reader = self.all.entry(consumer.clone()).or_default();
                reader.dead.remove(position);
                reader.end_retry(*position);
                reader.add_retry(*position, Retry { attempt: *attempt, at: *at });
            }
            Item::Over { consumer, position } => {
                if let Some(reader) = self.all.get_mut(consumer) {
                    reader.end_retry(*position);
                }
            }
            Item::Dead { consumer, position, key, reason } => {
                let reason = self.reason(reason);
                let reader = self.all.entry(consumer.clone()).or_default();
                reader.end_retry(*position);
                reader.dead.insert(*position, Gone { key: *key, reason });
            }
            Item::Forgotten { consumer } => {
                self.all.remove(consumer);
            }
            Item::Trimmed { log, position } => self.trimmed(*log, *position),
            Item::Last { .. } | Item::Record { .. } | Item::Revision(_) | Item::State(_) => {}
        }
    }

    /// Where each consumer is.
    pub(super) fn cursors(&self) -> BTreeMap<Consumer, u64> {
        self.all.iter().map(|(consumer, reader)| (consumer.clone(), reader.cursor)).collect()
    }

    /// Puts each consumer back to where it was, or to the beginning when it was not there.
    pub(super) fn rewind(&mut self, cursors: &BTreeMap<Consumer, u64>) {
        for (consumer, reader) in &mut self.all {
            reader.cursor = cursors.get(consumer).copied().unwrap_or_default().min(reader.cursor);
        }
    }

    /// Forgets them all, before they are told anew.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    fn reason(&mut self, text: &str) -> Arc<str> {
        if let Some(kept) = self.reasons.get(text) {
            return Arc::clone(kept);
        }
        let reason: Arc<str> = text.into();
        self.reasons.insert(Arc::clone(&reason));
        reason
    }

    /// Everything, as items that tell it anew.
    pub(super) fn items(&mut self) -> Vec<Item> {
        self.reasons.retain(|reason| Arc::strong_count(reason) > 1);
        let mut items = Vec::new();
        for (consumer, reader) in &self.all {
            let consumer = || consumer.clone();
            items.push(Item::Cursor { consumer: consumer(), position: reader.cursor });
            items.extend(reader.retries.iter().map(|(position, Retry { attempt, at })| Item::Waits {
                consumer: consumer(),
                position: *position,
                attempt: *attempt,
                at: *at,
            }));
            items.extend(reader.dead.iter().map(|(position, Gone { key, reason })| Item::Dead {
                consumer: consumer(),
                position: *position,
                key: *key,
                reason: reason.to_string(),
            }));
        }
        items
    }

    /// Those of one log.
    pub(super) fn of(&self, log: Log) -> Vec<Consumer> {
        self.all.keys().filter(|consumer| consumer.log == log).cloned().collect()
    }

    /// Up to here no consumer of the log has anything left to do.
    pub(super) fn settled_to(&self, log: Log) -> u64 {
        let of_log = self.all.iter().filter(|(consumer, _)| consumer.log == log);
        of_log.map(|(_, reader)| reader.settled_to()).min().unwrap_or(u64::MAX)
    }

    fn trimmed(&mut self, log: Log, position: u64) {
        for (_, reader) in self.all.iter_mut().filter(|(consumer, _)| consumer.log == log) {
            reader.dead.retain(|dead, _| *dead > position);
        }
    }
}

impl Reader {
    fn add_retry(&mut self, position: u64, retry: Retry) {
        self.retries.insert(position, retry);
        self.due.insert((retry.at, position));
    }

    fn end_retry(&mut self, position: u64) {
        if let Some(retry) = self.retries.remove(&position) {
            self.due.remove(&(retry.at, position));
        }
    }

    pub(super) fn dead_after(&self, position: u64, records_max: usize) -> Vec<Dead> {
        let newer = self.dead.range(position.saturating_add(1)..).take(records_max);
        let dead = |(position, gone): (&u64, &Gone)| Dead {
            position: Position(*position),
            key: gone.key,
            reason: gone.reason.to_string(),
        };
        newer.map(dead).collect()
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
