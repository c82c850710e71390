//! The reference model of the Store seam: the same promises in the fewest words, without a disk.
//!
//! It is what the embedded engine is compared with, so it shares no code with it; it is slow and keeps everything.

use super::{
    Appended, Change, Claim, Claimed, Consumer, Consumers, Damage, Dead, ENTRY_BYTES_MAX, Entry, Error, Expected,
    Journal, Log, PAGE_RECORDS_MAX, Page, PageLimit, Position, REGISTRY_VALUE_BYTES_MAX, Record, Registry, Settlement,
    Status, Store, Usage, Versioned, Waiting, Wanted,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use uuid::Uuid;

/// Everything in memory behind one lock. Nothing survives it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    logs: [LogState; Log::ALL.len()],
    readers: BTreeMap<Consumer, Reader>,
    records: BTreeMap<(String, String), Versioned>,
    revision: u64,
    /// By kind, as of the last commit that touched it.
    revisions: BTreeMap<&'static str, u64>,
    leases: u64,
    commits: u64,
    closed: bool,
}

#[derive(Debug)]
struct LogState {
    entries: BTreeMap<Position, Record>,
    keys: HashMap<Uuid, Position>,
    trimmed: Position,
    tail: watch::Sender<Position>,
}

impl Default for LogState {
    fn default() -> Self {
        let (tail, _) = watch::channel(Position(0));
        Self { entries: BTreeMap::new(), keys: HashMap::new(), trimmed: Position(0), tail }
    }
}

#[derive(Debug, Default)]
struct Reader {
    cursor: Position,
    retries: BTreeMap<Position, (u32, i64)>,
    dead: BTreeMap<Position, Dead>,
    leases: Vec<Lease>,
}

#[derive(Debug)]
struct Lease {
    id: u64,
    until: Timestamp,
    positions: Vec<Position>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.lock();
        if state.closed {
            return Err(Error::Unavailable { reason: "the store is closed".into() });
        }
        Ok(state)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryStore {
    async fn append(&self, log: Log, entry: Entry) -> Result<Appended, Error> {
        check_entry(&entry)?;
        let mut state = self.state()?;
        state.commits += 1;
        Ok(state.log(log).append(entry))
    }

    async fn read(&self, log: Log, after: Position, limit: PageLimit) -> Result<Page, Error> {
        let mut state = self.state()?;
        let mut page = Filling::new(limit);
        for record in state.log(log).entries.range(Position(after.0.saturating_add(1))..).map(|(_, record)| record) {
            if !page.take(record.body.len()) {
                break;
            }
            page.records.push(record.clone());
        }
        let end = page.records.last().map_or(after, |record| record.position);
        Ok(Page { records: page.records, end, left_out: Vec::new() })
    }

    async fn find(&self, log: Log, key: Uuid) -> Result<Option<Record>, Error> {
        let mut state = self.state()?;
        let log = state.log(log);
        Ok(log.keys.get(&key).and_then(|position| log.entries.get(position)).cloned())
    }

    async fn contains(&self, log: Log, keys: &[Uuid]) -> Result<Vec<bool>, Error> {
        let mut state = self.state()?;
        let log = state.log(log);
        Ok(keys.iter().map(|key| log.keys.contains_key(key)).collect())
    }

    async fn trim(&self, log: Log, before: Timestamp) -> Result<u64, Error> {
        let mut state = self.state()?;
        let readers = state.readers.iter().filter(|(consumer, _)| consumer.log == log);
        let keep_after = readers.map(|(_, reader)| reader.settled_to()).min().unwrap_or(Position(u64::MAX));
        let log_state = state.log(log);
        let mut removed = 0;
        while let Some(oldest) = log_state.entries.first_entry() {
            let position = *oldest.key();
            if position > keep_after || oldest.get().time >= before {
                break;
            }
            let record = oldest.remove();
            log_state.keys.remove(&record.key);
            log_state.trimmed = position;
            removed += 1;
        }
        let trimmed = log_state.trimmed;
        for (_, reader) in state.readers.iter_mut().filter(|(consumer, _)| consumer.log == log) {
            reader.dead.retain(|position, _| *position > trimmed);
        }
        Ok(removed)
    }

    fn tail(&self, log: Log) -> watch::Receiver<Position> {
        self.lock().log(log).tail.subscribe()
    }

    fn trimmed(&self, log: Log) -> Position {
        self.lock().log(log).trimmed
    }

    fn damage(&self) -> Vec<Damage> {
        Vec::new()
    }
}

#[async_trait]
impl Consumers for MemoryStore {
    async fn claim_of(
        &self,
        consumer: &Consumer,
        wanted: &Wanted,
        now: Timestamp,
        lease: Duration,
        limit: PageLimit,
    ) -> Result<Claim, Error> {
        let mut state = self.state()?;
        let State { logs, readers, leases, .. } = &mut *state;
        let entries = &logs[index(consumer.log)].entries;
        let reader = readers.entry(consumer.clone()).or_default();
        reader.leases.retain(|lease| lease.until > now);
        let mut page = Filling::new(limit);

        let all = reader.retries.iter().map(|(position, (attempt, at))| (*at, *position, *attempt));
        let mut due: Vec<_> = match wanted {
            Wanted::Due => all.filter(|(at, ..)| *at <= now.as_millisecond()).collect(),
            Wanted::Fresh => Vec::new(),
            Wanted::These(these) => {
                let these = all.filter(|(_, position, _)| these.contains(position));
                these.map(|(_, position, attempt)| (0, position, attempt)).collect()
            }
        };
        due.retain(|(_, position, _)| !reader.is_leased(*position));
        due.sort_unstable();
        for (_, position, attempt) in due {
            if !page.take(entries[&position].body.len()) {
                break;
            }
            page.records.push(Claimed { record: entries[&position].clone(), attempt });
        }
        page.records.sort_by_key(|claimed| claimed.record.position);

        let cursor = reader.cursor;
        let fresh_is_leased = reader.leases.iter().any(|lease| lease.positions.last() > Some(&cursor));
        for (_, record) in entries.range(Position(cursor.0 + 1)..) {
            if fresh_is_leased || matches!(wanted, Wanted::These(_)) || !page.take(record.body.len()) {
                break;
            }
            page.records.push(Claimed { record: record.clone(), attempt: 1 });
        }

        *leases += 1;
        let positions: Vec<_> = page.records.iter().map(|claimed| claimed.record.position).collect();
        let until = now.checked_add(lease).unwrap_or(Timestamp::MAX);
        if !positions.is_empty() {
            reader.leases.push(Lease { id: *leases, until, positions });
        }
        Ok(Claim { consumer: consumer.clone(), records: page.records, lease: *leases })
    }

    async fn settle(
        &self,
        claim: Claim,
        settlements: Vec<Settlement>,
        appends: Vec<(Log, Entry)>,
    ) -> Result<Vec<Appended>, Error> {
        assert_eq!(claim.records.len(), settlements.len(), "one settlement per claimed record");
        let mut state = self.state()?;
        if !claim.records.is_empty() {
            let Some(reader) = state.readers.get_mut(&claim.consumer) else { return Err(Error::LeaseLost) };
            let held = reader.leases.iter().position(|lease| lease.id == claim.lease);
            let Some(held) = held else { return Err(Error::LeaseLost) };
            reader.leases.remove(held);
        }
        appends.iter().try_for_each(|(_, entry)| check_entry(entry))?;
        state.commits += 1;
        for (claimed, settlement) in claim.records.into_iter().zip(settlements) {
            let Some(reader) = state.readers.get_mut(&claim.consumer) else { return Err(Error::LeaseLost) };
            let (position, key) = (claimed.record.position, claimed.record.key);
            reader.cursor = reader.cursor.max(position);
            reader.retries.remove(&position);
            match settlement.within_limits() {
                Settlement::Done => {}
                Settlement::Retry { at } => {
                    reader.retries.insert(position, (claimed.attempt + 1, millisecond_not_before(at)));
                }
                Settlement::Wait { at } => {
                    reader.retries.insert(position, (claimed.attempt, millisecond_not_before(at)));
                }
                Settlement::Dead { reason } => {
                    reader.dead.insert(position, Dead { position, key, reason });
                }
            }
        }
        Ok(appends.into_iter().map(|(log, entry)| state.log(log).append(entry)).collect())
    }

    async fn cursor(&self, consumer: &Consumer) -> Result<Position, Error> {
        Ok(self.state()?.readers.get(consumer).map(|reader| reader.cursor).unwrap_or_default())
    }

    async fn dead(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Dead>, Error> {
        let state = self.state()?;
        let Some(reader) = state.readers.get(consumer) else { return Ok(Vec::new()) };
        let newer = reader.dead.range(Position(after.0.saturating_add(1))..);
        Ok(newer.take(records_max.min(PAGE_RECORDS_MAX)).map(|(_, dead)| dead.clone()).collect())
    }

    async fn waiting(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Waiting>, Error> {
        let state = self.state()?;
        let Some(reader) = state.readers.get(consumer) else { return Ok(Vec::new()) };
        let newer = reader.retries.range(Position(after.0.saturating_add(1))..).take(records_max.min(PAGE_RECORDS_MAX));
        let waiting = |(position, (attempt, at)): (&Position, &(u32, i64))| Waiting {
            position: *position,
            attempt: *attempt,
            at: Timestamp::from_millisecond(*at).unwrap_or(Timestamp::MAX),
        };
        Ok(newer.map(waiting).collect())
    }

    async fn again(&self, consumer: &Consumer, records: Vec<(Position, u32)>, at: Timestamp) -> Result<usize, Error> {
        let mut state = self.state()?;
        let State { logs, readers, .. } = &mut *state;
        let Some(reader) = readers.get_mut(consumer) else { return Ok(0) };
        let mut count = 0;
        for (position, attempt) in records {
            let kept = logs[index(consumer.log)].entries.contains_key(&position);
            if kept && position <= reader.cursor && !reader.retries.contains_key(&position) {
                reader.dead.remove(&position);
                reader.retries.insert(position, (attempt, millisecond_not_before(at)));
                count += 1;
            }
        }
        Ok(count)
    }

    async fn begin(&self, consumer: &Consumer, after: Position) -> Result<(), Error> {
        let at_the_cursor = || Reader { cursor: after, ..Reader::default() };
        self.state()?.readers.entry(consumer.clone()).or_insert_with(at_the_cursor);
        Ok(())
    }

    async fn consumers(&self, log: Log) -> Result<Vec<Consumer>, Error> {
        Ok(self.state()?.readers.keys().filter(|consumer| consumer.log == log).cloned().collect())
    }

    async fn forget(&self, consumer: &Consumer) -> Result<(), Error> {
        self.state()?.readers.remove(consumer);
        Ok(())
    }
}

#[async_trait]
impl Registry for MemoryStore {
    fn get(&self, kind: &str, id: &str) -> Option<Versioned> {
        self.lock().records.get(&(kind.to_owned(), id.to_owned())).cloned()
    }

    fn list(&self, kind: &str) -> Vec<(String, Versioned)> {
        let state = self.lock();
        let of_kind = state.records.iter().filter(|((its_kind, _), _)| its_kind == kind);
        of_kind.map(|((_, id), record)| (id.clone(), record.clone())).collect()
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<u64>, Error> {
        let mut state = self.state()?;
        let (mut records, mut revision) = (state.records.clone(), state.revision);
        let mut versions = Vec::with_capacity(changes.len());
        let kinds: Vec<&'static str> = changes.iter().map(|change| change.kind).collect();
        for Change { kind, id, expected, value } in changes {
            if value.as_ref().is_some_and(|value| value.len() > REGISTRY_VALUE_BYTES_MAX) {
                return Err(Error::TooLarge { what: "registry value", bytes_max: REGISTRY_VALUE_BYTES_MAX });
            }
            let key = (kind.to_owned(), id);
            let found = records.get(&key).map(|record| record.version);
            let holds = match expected {
                Expected::Any => true,
                Expected::Absent => found.is_none(),
                Expected::Version(version) => found == Some(version),
            };
            if !holds {
                return Err(Error::Conflict);
            }
            revision += 1;
            versions.push(value.as_ref().map_or(0, |_| revision));
            match value {
                Some(value) => records.insert(key, Versioned { version: revision, value }),
                None => records.remove(&key),
            };
        }
        (state.records, state.revision) = (records, revision);
        state.revisions.extend(kinds.into_iter().map(|kind| (kind, revision)));
        state.commits += 1;
        Ok(versions)
    }

    fn revision(&self) -> u64 {
        self.lock().revision
    }

    fn revision_of(&self, kind: &str) -> u64 {
        self.lock().revisions.get(kind).copied().unwrap_or_default()
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn status(&self) -> Status {
        if self.lock().closed { Status::NotReady("the store is closed".into()) } else { Status::Ready }
    }

    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    fn failure(&self) -> watch::Receiver<Option<String>> {
        watch::channel(None).1
    }

    fn usage(&self) -> Usage {
        Usage { commits: self.lock().commits, ..Usage::default() }
    }

    async fn close(&self) {
        self.lock().closed = true;
    }
}

impl State {
    fn log(&mut self, log: Log) -> &mut LogState {
        &mut self.logs[index(log)]
    }
}

impl LogState {
    fn append(&mut self, entry: Entry) -> Appended {
        if let Some(position) = self.keys.get(&entry.key) {
            return Appended::Duplicate(*position);
        }
        let position = Position(self.tail.borrow().0 + 1);
        let time = Timestamp::from_millisecond(entry.time.as_millisecond()).expect("a timestamp cut is a timestamp");
        self.keys.insert(entry.key, position);
        self.entries.insert(position, Record { position, key: entry.key, time, body: entry.body });
        self.tail.send_replace(position);
        Appended::New(position)
    }
}

impl Reader {
    /// Up to here nothing is left to do: trimming may go this far.
    fn settled_to(&self) -> Position {
        let before_retries = self.retries.keys().next().map_or(u64::MAX, |position| position.0 - 1);
        Position(self.cursor.0.min(before_retries))
    }

    fn is_leased(&self, position: Position) -> bool {
        self.leases.iter().any(|lease| lease.positions.contains(&position))
    }
}

/// Counts what a [`PageLimit`] allows.
struct Filling<T> {
    records: Vec<T>,
    left: usize,
    body_bytes_left: usize,
}

impl<T> Filling<T> {
    fn new(limit: PageLimit) -> Self {
        let left = limit.records_max.clamp(1, PAGE_RECORDS_MAX);
        Self { records: Vec::new(), left, body_bytes_left: limit.body_bytes_max.max(1) }
    }

    /// Whether one more record still fits. The one that reaches the byte limit is the last.
    fn take(&mut self, body_bytes: usize) -> bool {
        if self.left == 0 || self.body_bytes_left == 0 {
            return false;
        }
        self.left -= 1;
        self.body_bytes_left = self.body_bytes_left.saturating_sub(body_bytes);
        true
    }
}

fn index(log: Log) -> usize {
    log as usize - 1
}

/// Rounded up: a retry never comes before its time.
fn millisecond_not_before(at: Timestamp) -> i64 {
    let floor = at.as_millisecond();
    if Timestamp::from_millisecond(floor).is_ok_and(|rounded| rounded < at) { floor + 1 } else { floor }
}

fn check_entry(entry: &Entry) -> Result<(), Error> {
    if entry.body.len() > ENTRY_BYTES_MAX {
        return Err(Error::TooLarge { what: "entry", bytes_max: ENTRY_BYTES_MAX });
    }
    Ok(())
}
