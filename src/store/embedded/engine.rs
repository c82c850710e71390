//! The traits of the seam, told in terms of the queue and the readers.

use super::{
    EmbeddedStore, Shared,
    block::Packed,
    consumers::{Retry, Settled, millisecond_not_before},
    fault::Fault,
    queue::{Job, Reply, Settle},
    reading::{Budget, Found, LogReader},
};
use crate::store::{
    Appended, Change, Claim, Claimed, Consumer, Consumers, Damage, Dead, ENTRY_BYTES_MAX, Entry, Error, Journal, Log,
    PAGE_RECORDS_MAX, Page, PageLimit, Position, REGISTRY_VALUE_BYTES_MAX, Record, Registry, Settlement, Status, Store,
    Usage, Versioned, Waiting, Wanted,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

const CONSUMER_NAME_BYTES_MAX: usize = 100;
const KIND_BYTES_MAX: usize = 32;
const ID_BYTES_MAX: usize = 200;

impl EmbeddedStore {
    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        if let Err((job, error)) = self.shared.queue.submit(job(reply)) {
            self.shared.fail(job, error.clone());
            return Err(error);
        }
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Reads on a thread that may block.
    async fn read_blocking<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        self.not_closed()?;
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || read(&shared).map_err(Error::from));
        reading.await.unwrap_or_else(|_| Err(closed()))
    }

    fn not_closed(&self) -> Result<(), Error> {
        if self.shared.queue.is_closing() { Err(closed()) } else { Ok(()) }
    }
}

#[async_trait]
impl Journal for EmbeddedStore {
    async fn append(&self, log: Log, entry: Entry) -> Result<Appended, Error> {
        let entry = packed(entry)?;
        self.ask(|reply| Job::Append { log, entry, reply }).await
    }

    async fn read(&self, log: Log, after: Position, limit: PageLimit) -> Result<Page, Error> {
        self.read_blocking(move |shared| LogReader::new(shared, log).page(after.0, &mut Budget::new(limit))).await
    }

    async fn find(&self, log: Log, key: Uuid) -> Result<Option<Record>, Error> {
        self.not_closed()?;
        if !self.shared.may_have(log, key) {
            return Ok(None);
        }
        self.read_blocking(move |shared| {
            let mut record = LogReader::new(shared, log).find(key)?;
            if let Some(record) = &mut record {
                // A copy: a slice would keep the whole block in memory.
                record.body = record.body.to_vec().into();
            }
            Ok(record)
        })
        .await
    }

    async fn contains(&self, log: Log, keys: &[Uuid]) -> Result<Vec<bool>, Error> {
        self.not_closed()?;
        if !keys.iter().any(|key| self.shared.may_have(log, *key)) {
            return Ok(vec![false; keys.len()]);
        }
        let keys = keys.to_vec();
        self.read_blocking(move |shared| {
            let mut reader = LogReader::new(shared, log);
            keys.into_iter().map(|key| Ok(reader.find(key)?.is_some())).collect()
        })
        .await
    }

    async fn trim(&self, log: Log, before: Timestamp) -> Result<u64, Error> {
        self.ask(|reply| Job::Trim { log, before, reply }).await
    }

    fn tail(&self, log: Log) -> watch::Receiver<Position> {
        self.shared.tails.of(log)
    }

    fn trimmed(&self, log: Log) -> Position {
        Position(self.shared.catalog().log(log).trimmed)
    }

    fn damage(&self) -> Vec<Damage> {
        self.shared.reports()
    }
}

#[async_trait]
impl Consumers for EmbeddedStore {
    async fn claim_of(
        &self,
        consumer: &Consumer,
        wanted: &Wanted,
        now: Timestamp,
        lease: Duration,
        limit: PageLimit,
    ) -> Result<Claim, Error> {
        check_name(consumer)?;
        self.not_closed()?;
        let last = self.shared.catalog().log(consumer.log).last;
        let may_have_work =
            self.shared.readers().reader(consumer).map(|reader| reader.may_have_work(wanted, now, last));
        match may_have_work {
            Some(true) => {}
            Some(false) => return Ok(Claim { consumer: consumer.clone(), records: Vec::new(), lease: 0 }),
            // Durable before its first claim: from here on trimming waits for it.
            None => self.ask(|reply| Job::Introduce { consumer: consumer.clone(), after: 0, reply }).await?,
        }
        let claimed = {
            let (consumer, wanted) = (consumer.clone(), wanted.clone());
            self.read_blocking(move |shared| claim(shared, &consumer, &wanted, now, lease, limit)).await?
        };
        // Nothing but what cannot be read any more: the consumer goes on behind it, or it would stand here for ever.
        if claimed.skip_to.is_some() || !claimed.over.is_empty() {
            let (to, over) = (claimed.skip_to, claimed.over);
            self.ask(|reply| Job::Skip { consumer: consumer.clone(), to, over, reply }).await?;
        }
        Ok(claimed.claim)
    }

    async fn settle(
        &self,
        claim: Claim,
        settlements: Vec<Settlement>,
        appends: Vec<(Log, Entry)>,
    ) -> Result<Vec<Appended>, Error> {
        assert_eq!(claim.records.len(), settlements.len(), "one settlement per claimed record");
        let Claim { consumer, records, lease } = claim;
        if !records.is_empty() {
            self.shared.readers().begin_settling(&consumer, lease)?;
        }
        let appends = appends.into_iter().map(|(log, entry)| Ok((log, packed(entry)?))).collect::<Result<_, Error>>();
        let appends = appends.inspect_err(|_| self.shared.readers().release(&consumer, lease))?;
        let records = records.into_iter().zip(settlements).map(|(claimed, settlement)| Settled {
            position: claimed.record.position.0,
            key: claimed.record.key,
            attempt: claimed.attempt,
            settlement: settlement.within_limits(),
        });
        let settle = Settle { consumer, lease, records: records.collect(), appends };
        self.ask(|reply| Job::Settle { settle, reply }).await
    }

    async fn cursor(&self, consumer: &Consumer) -> Result<Position, Error> {
        Ok(Position(self.shared.readers().reader(consumer).map_or(0, |reader| reader.cursor)))
    }

    async fn dead(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Dead>, Error> {
        let records_max = records_max.min(PAGE_RECORDS_MAX);
        let readers = self.shared.readers();
        Ok(readers.reader(consumer).map_or_else(Vec::new, |reader| reader.dead_after(after.0, records_max)))
    }

    async fn waiting(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Waiting>, Error> {
        self.not_closed()?;
        let records_max = records_max.min(PAGE_RECORDS_MAX);
        let waiting = self.shared.readers().reader(consumer).map(|reader| reader.waiting_after(after.0, records_max));
        Ok(waiting.unwrap_or_default())
    }

    async fn again(&self, consumer: &Consumer, records: Vec<(Position, u32)>, at: Timestamp) -> Result<usize, Error> {
        let at = millisecond_not_before(at);
        let retry = |(position, attempt): (Position, u32)| (position.0, Retry { attempt, at });
        let retries = records.into_iter().map(retry).collect();
        self.ask(|reply| Job::Again { consumer: consumer.clone(), retries, reply }).await
    }

    async fn begin(&self, consumer: &Consumer, after: Position) -> Result<(), Error> {
        check_name(consumer)?;
        self.ask(|reply| Job::Introduce { consumer: consumer.clone(), after: after.0, reply }).await
    }

    async fn consumers(&self, log: Log) -> Result<Vec<Consumer>, Error> {
        self.not_closed()?;
        Ok(self.shared.readers().of(log))
    }

    async fn forget(&self, consumer: &Consumer) -> Result<(), Error> {
        self.ask(|reply| Job::Forget { consumer: consumer.clone(), reply }).await
    }
}

#[async_trait]
impl Registry for EmbeddedStore {
    fn get(&self, kind: &str, id: &str) -> Option<Versioned> {
        self.shared.mirror().get(kind, id).cloned()
    }

    fn list(&self, kind: &str) -> Vec<(String, Versioned)> {
        self.shared.mirror().list(kind)
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<u64>, Error> {
        for change in &changes {
            let value_bytes = change.value.as_ref().map_or(0, bytes::Bytes::len);
            for (what, bytes, bytes_max) in [
                ("registry kind", change.kind.len(), KIND_BYTES_MAX),
                ("registry id", change.id.len(), ID_BYTES_MAX),
                ("registry value", value_bytes, REGISTRY_VALUE_BYTES_MAX),
            ] {
                if bytes > bytes_max {
                    return Err(Error::TooLarge { what, bytes_max });
                }
            }
        }
        self.ask(|reply| Job::Commit { changes, reply }).await
    }

    fn revision(&self) -> u64 {
        self.shared.mirror().revision
    }

    fn revision_of(&self, kind: &str) -> u64 {
        self.shared.mirror().revision_of(kind)
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn status(&self) -> Status {
        if self.shared.queue.is_closing() {
            return Status::NotReady("the store is closed".into());
        }
        self.shared.status()
    }

    fn remarks(&self) -> Vec<String> {
        self.shared.remarks()
    }

    fn failure(&self) -> watch::Receiver<Option<String>> {
        self.shared.failure.subscribe()
    }

    fn usage(&self) -> Usage {
        self.shared.figures()
    }

    async fn close(&self) {
        self.shared.queue.close();
        // The channel only ever changes by its sender going away, and that is the end of the writer.
        let _ = self.closed.clone().changed().await;
    }
}

/// A claim, how far the consumer's cursor goes without it, and which records need not wait any more.
struct Claimable {
    claim: Claim,
    skip_to: Option<u64>,
    over: Vec<u64>,
}

fn claim(
    shared: &Shared,
    consumer: &Consumer,
    wanted: &Wanted,
    now: Timestamp,
    lease: Duration,
    limit: PageLimit,
) -> Result<Claimable, Fault> {
    let mut budget = Budget::new(limit);
    let reserved = shared.readers().reserve(consumer, wanted, now, lease, &budget);
    let read = || {
        let mut reader = LogReader::new(shared, consumer.log);
        let (mut records, mut over) = (Vec::new(), Vec::new());
        for (position, attempt) in reserved.retries {
            if budget.is_spent() {
                break;
            }
            match reader.record(position)? {
                Found::Record(record) => {
                    budget.spend(&record);
                    records.push(Claimed { record, attempt });
                }
                Found::Absent | Found::LeftOut(_) => over.push(position),
            }
        }
        records.sort_by_key(|claimed| claimed.record.position);
        let (retries, mut skip_to) = (records.len(), None);
        if let Some(after) = reserved.fresh_after {
            let fresh = reader.page(after, &mut budget)?;
            skip_to = (fresh.records.is_empty() && !fresh.left_out.is_empty()).then_some(fresh.end.0);
            records.extend(fresh.records.into_iter().map(|record| Claimed { record, attempt: 1 }));
        }
        Ok((records, retries, skip_to, over))
    };
    let (records, retries, skip_to, over) =
        read().inspect_err(|_| shared.readers().release(consumer, reserved.lease))?;
    let positions = records[..retries].iter().map(|claimed| claimed.record.position.0).collect();
    shared.readers().keep(consumer, reserved.lease, positions, records.len() > retries);
    Ok(Claimable { claim: Claim { consumer: consumer.clone(), records, lease: reserved.lease }, skip_to, over })
}

fn check_name(consumer: &Consumer) -> Result<(), Error> {
    let fits = consumer.name.len() <= CONSUMER_NAME_BYTES_MAX;
    if fits { Ok(()) } else { Err(Error::TooLarge { what: "consumer name", bytes_max: CONSUMER_NAME_BYTES_MAX }) }
}

fn packed(entry: Entry) -> Result<Packed, Error> {
    if entry.body.len() > ENTRY_BYTES_MAX {
        return Err(Error::TooLarge { what: "entry", bytes_max: ENTRY_BYTES_MAX });
    }
    Ok(Packed { key: entry.key, time: entry.time.as_millisecond(), body: entry.body })
}

fn closed() -> Error {
    Error::Unavailable { reason: "the store is closed".into() }
}
