//! The traits of the seam, told in terms of the queue and the readers.

use super::{
    Shared, SledStore,
    block::Packed,
    consumers::{Retry, Settled, millisecond_not_before},
    db::{Db, Fault},
    layout,
    queue::{Job, Reply, Settle},
    reading::{Budget, IndexReader, LogReader},
    view::at,
};
use crate::store::{
    Appended, Change, Claim, Claimed, Consumer, Consumers, Dead, ENTRY_BYTES_MAX, Entry, Error, Journal, Log,
    PAGE_RECORDS_MAX, PageLimit, Position, REGISTRY_VALUE_BYTES_MAX, Record, Registry, Settlement, Status, Store,
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

impl SledStore {
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
        read: impl FnOnce(&Shared, &Db) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = Arc::clone(&self.shared);
        let reading = tokio::task::spawn_blocking(move || {
            let Some(db) = shared.db() else { return Err(not_open(&shared)) };
            read(&shared, &db).map_err(Error::from)
        });
        reading.await.unwrap_or_else(|_| Err(closed()))
    }
}

#[async_trait]
impl Journal for SledStore {
    async fn append(&self, log: Log, entry: Entry) -> Result<Appended, Error> {
        let entry = packed(entry)?;
        self.ask(|reply| Job::Append { log, entry, reply }).await
    }

    async fn read(&self, log: Log, after: Position, limit: PageLimit) -> Result<Vec<Record>, Error> {
        self.read_blocking(move |shared, db| {
            let mut records = Vec::new();
            LogReader::new(shared, db, log).page(after.0, &mut Budget::new(limit), &mut records)?;
            Ok(records)
        })
        .await
    }

    async fn find(&self, log: Log, key: Uuid) -> Result<Option<Record>, Error> {
        let candidates = self.shared.logs[at(log)].read().candidates(key);
        if candidates.is_empty() && self.shared.db().is_some() {
            return Ok(None);
        }
        self.read_blocking(move |shared, db| {
            let mut reader = LogReader::new(shared, db, log);
            for position in candidates {
                if let Some(mut record) = reader.find(position, key)? {
                    // A copy: a slice would keep the whole block in memory.
                    record.body = record.body.to_vec().into();
                    return Ok(Some(record));
                }
            }
            Ok(None)
        })
        .await
    }

    async fn contains(&self, log: Log, keys: &[Uuid]) -> Result<Vec<bool>, Error> {
        let candidates: Vec<_> = {
            let contents = self.shared.logs[at(log)].read();
            keys.iter().map(|key| (*key, contents.candidates(*key))).collect()
        };
        if candidates.iter().all(|(_, positions)| positions.is_empty()) && self.shared.db().is_some() {
            return Ok(vec![false; keys.len()]);
        }
        self.read_blocking(move |shared, db| {
            let mut reader = IndexReader::new(shared, db, log);
            let mut is_kept = |(key, positions): (Uuid, Vec<u64>)| {
                positions.into_iter().try_fold(false, |found, position| Ok(found || reader.is_at(position, key)?))
            };
            candidates.into_iter().map(&mut is_kept).collect()
        })
        .await
    }

    async fn trim(&self, log: Log, before: Timestamp) -> Result<u64, Error> {
        self.ask(|reply| Job::Trim { log, before, reply }).await
    }

    fn tail(&self, log: Log) -> watch::Receiver<Position> {
        self.shared.logs[at(log)].tail()
    }

    fn trimmed(&self, log: Log) -> Position {
        Position(self.shared.logs[at(log)].read().trimmed)
    }
}

#[async_trait]
impl Consumers for SledStore {
    async fn claim_of(
        &self,
        consumer: &Consumer,
        wanted: &Wanted,
        now: Timestamp,
        lease: Duration,
        limit: PageLimit,
    ) -> Result<Claim, Error> {
        check_name(consumer)?;
        if self.shared.db().is_none() {
            return Err(not_open(&self.shared));
        }
        let last = self.shared.logs[at(consumer.log)].read().last;
        let may_have_work =
            self.shared.readers().reader(consumer).map(|reader| reader.may_have_work(wanted, now, last));
        match may_have_work {
            Some(true) => {}
            Some(false) => return Ok(Claim { consumer: consumer.clone(), records: Vec::new(), lease: 0 }),
            // Durable before its first claim: from here on trimming waits for it.
            None => self.ask(|reply| Job::Introduce { consumer: consumer.clone(), after: 0, reply }).await?,
        }
        let (consumer, wanted) = (consumer.clone(), wanted.clone());
        self.read_blocking(move |shared, db| claim(shared, db, &consumer, &wanted, now, lease, limit)).await
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
        let positions = self.shared.readers().reader(consumer).map(|reader| reader.dead_after(after.0, records_max));
        let positions = positions.unwrap_or_default();
        if positions.is_empty() && self.shared.db().is_some() {
            return Ok(Vec::new());
        }
        let consumer = consumer.clone();
        self.read_blocking(move |_, db| {
            let dead = positions.into_iter().map(|position| dead(db, &consumer, position));
            dead.filter_map(Result::transpose).collect()
        })
        .await
    }

    async fn waiting(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Waiting>, Error> {
        if self.shared.db().is_none() {
            return Err(not_open(&self.shared));
        }
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
        if self.shared.db().is_none() {
            return Err(not_open(&self.shared));
        }
        Ok(self.shared.readers().of(log))
    }

    async fn forget(&self, consumer: &Consumer) -> Result<(), Error> {
        self.ask(|reply| Job::Forget { consumer: consumer.clone(), reply }).await
    }
}

#[async_trait]
impl Registry for SledStore {
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
impl Store for SledStore {
    fn status(&self) -> Status {
        if self.shared.queue.is_closing() {
            return Status::NotReady("the store is closed".into());
        }
        self.shared.status()
    }

    fn usage(&self) -> Usage {
        self.shared.figures()
    }

    async fn close(&self) {
        self.shared.queue.close();
        // It only ever changes by its sender going away, and that is the end of the writer.
        let _ = self.closed.clone().changed().await;
    }
}

fn claim(
    shared: &Shared,
    db: &Db,
    consumer: &Consumer,
    wanted: &Wanted,
    now: Timestamp,
    lease: Duration,
    limit: PageLimit,
) -> Result<Claim, Fault> {
    let mut budget = Budget::new(limit);
    let reserved = shared.readers().reserve(consumer, wanted, now, lease, &budget);
    let read = || {
        let mut reader = LogReader::new(shared, db, consumer.log);
        let mut records = Vec::new();
        for (position, attempt) in reserved.retries {
            if budget.is_spent() {
                break;
            }
            if let Some(record) = reader.record(position)? {
                budget.spend(&record);
                records.push(Claimed { record, attempt });
            }
        }
        records.sort_by_key(|claimed| claimed.record.position);
        let retries = records.len();
        if let Some(after) = reserved.fresh_after {
            let mut fresh = Vec::new();
            reader.page(after, &mut budget, &mut fresh)?;
            records.extend(fresh.into_iter().map(|record| Claimed { record, attempt: 1 }));
        }
        Ok((records, retries))
    };
    let (records, retries) = read().inspect_err(|_| shared.readers().release(consumer, reserved.lease))?;
    let positions = records[..retries].iter().map(|claimed| claimed.record.position.0).collect();
    shared.readers().keep(consumer, reserved.lease, positions, records.len() > retries);
    Ok(Claim { consumer: consumer.clone(), records, lease: reserved.lease })
}

fn dead(db: &Db, consumer: &Consumer, position: u64) -> Result<Option<Dead>, Fault> {
    let key = layout::dead_key(consumer, position);
    // Trimmed meanwhile.
    let Some(value) = db.value(&key)? else { return Ok(None) };
    let mut reader = layout::Reader(layout::unseal(&key, &value)?);
    let id = reader.array().map(Uuid::from_bytes).ok_or_else(|| layout::damaged_key(&key, "is too short"))?;
    let reason = String::from_utf8_lossy(reader.0).into_owned();
    Ok(Some(Dead { position: Position(position), key: id, reason }))
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

fn not_open(shared: &Shared) -> Error {
    match shared.status() {
        Status::NotReady(reason) => Error::Unavailable { reason },
        Status::Ready => closed(),
    }
}

fn closed() -> Error {
    Error::Unavailable { reason: "the store is closed".into() }
}
