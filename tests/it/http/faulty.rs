//! A store that fails or waits when it is told to.

use async_trait::async_trait;
use hookwell::store::{
    Appended, Change, Claim, Consumer, Consumers, Damage, Dead, Entry, Error, Journal, Log, MemoryStore, Page,
    PageLimit, Position, Record, Registry, Settlement, Status, Store, Usage, Versioned, Waiting, Wanted,
};
use jiff::Timestamp;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{OwnedMutexGuard, watch};
use uuid::Uuid;

pub(crate) struct Faulty {
    inner: Arc<MemoryStore>,
    fault: Mutex<Option<Error>>,
    panics: AtomicBool,
    writer: Arc<tokio::sync::Mutex<()>>,
    /// Commits that were ever asked for.
    commits: watch::Sender<usize>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<MemoryStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fault: Mutex::default(),
            panics: AtomicBool::default(),
            writer: Arc::default(),
            commits: watch::Sender::new(0),
        })
    }

    /// From now on everything that can fail fails so; `None`: nothing does.
    pub(crate) fn fail(&self, fault: impl Into<Option<Error>>) {
        *self.fault.lock().unwrap() = fault.into();
    }

    /// From now on, or no longer, what can fail panics instead: a bug of ours.
    pub(crate) fn panic(&self, panics: bool) {
        self.panics.store(panics, Ordering::SeqCst);
    }

    /// Commits wait while the guard lives.
    pub(crate) async fn hold(&self) -> OwnedMutexGuard<()> {
        self.commits.send_replace(0);
        Arc::clone(&self.writer).lock_owned().await
    }

    /// Until so many commits have been asked for since [`Self::hold`].
    pub(crate) async fn asked(&self, commits: usize) {
        self.commits.subscribe().wait_for(|asked| *asked >= commits).await.unwrap();
    }

    fn works(&self) -> Result<(), Error> {
        assert!(!self.panics.load(Ordering::SeqCst), "a planned panic");
        self.fault.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Journal for Faulty {
    async fn append(&self, log: Log, entry: Entry) -> Result<Appended, Error> {
        self.works()?;
        self.inner.append(log, entry).await
    }

    async fn read(&self, log: Log, after: Position, limit: PageLimit) -> Result<Page, Error> {
        self.works()?;
        self.inner.read(log, after, limit).await
    }

    async fn find(&self, log: Log, key: Uuid) -> Result<Option<Record>, Error> {
        self.works()?;
        self.inner.find(log, key).await
    }

    async fn contains(&self, log: Log, keys: &[Uuid]) -> Result<Vec<bool>, Error> {
        self.works()?;
        self.inner.contains(log, keys).await
    }

    async fn trim(&self, log: Log, before: Timestamp) -> Result<u64, Error> {
        self.works()?;
        self.inner.trim(log, before).await
    }

    fn tail(&self, log: Log) -> watch::Receiver<Position> {
        self.inner.tail(log)
    }

    fn trimmed(&self, log: Log) -> Position {
        self.inner.trimmed(log)
    }

    fn damage(&self) -> Vec<Damage> {
        self.inner.damage()
    }
}

#[async_trait]
impl Consumers for Faulty {
    async fn claim_of(
        &self,
        consumer: &Consumer,
        wanted: &Wanted,
        now: Timestamp,
        lease: Duration,
        limit: PageLimit,
    ) -> Result<Claim, Error> {
        self.works()?;
        self.inner.claim_of(consumer, wanted, now, lease, limit).await
    }

    async fn settle(
        &self,
        claim: Claim,
        settlements: Vec<Settlement>,
        appends: Vec<(Log, Entry)>,
    ) -> Result<Vec<Appended>, Error> {
        self.works()?;
        self.inner.settle(claim, settlements, appends).await
    }

    async fn cursor(&self, consumer: &Consumer) -> Result<Position, Error> {
        self.works()?;
        self.inner.cursor(consumer).await
    }

    async fn dead(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Dead>, Error> {
        self.works()?;
        self.inner.dead(consumer, after, records_max).await
    }

    async fn waiting(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Waiting>, Error> {
        self.works()?;
        self.inner.waiting(consumer, after, records_max).await
    }

    async fn again(&self, consumer: &Consumer, records: Vec<(Position, u32)>, at: Timestamp) -> Result<usize, Error> {
        self.works()?;
        self.inner.again(consumer, records, at).await
    }

    async fn begin(&self, consumer: &Consumer, after: Position) -> Result<(), Error> {
        self.works()?;
        self.inner.begin(consumer, after).await
    }

    async fn consumers(&self, log: Log) -> Result<Vec<Consumer>, Error> {
        self.works()?;
        self.inner.consumers(log).await
    }

    async fn forget(&self, consumer: &Consumer) -> Result<(), Error> {
        self.works()?;
        self.inner.forget(consumer).await
    }
}

#[async_trait]
impl Registry for Faulty {
    fn get(&self, kind: &str, id: &str) -> Option<Versioned> {
        self.inner.get(kind, id)
    }

    fn list(&self, kind: &str) -> Vec<(String, Versioned)> {
        self.inner.list(kind)
    }

    /// Like the queue of an engine's writer: what was asked for is done, in order, also when nobody waits any more.
    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<u64>, Error> {
        self.works()?;
        let (inner, writer) = (Arc::clone(&self.inner), Arc::clone(&self.writer));
        self.commits.send_modify(|commits| *commits += 1);
        let commit = async move {
            let _turn = writer.lock().await;
            inner.commit(changes).await
        };
        tokio::spawn(commit).await.unwrap()
    }

    fn revision(&self) -> u64 {
        self.inner.revision()
    }

    fn revision_of(&self, kind: &str) -> u64 {
        self.inner.revision_of(kind)
    }
}

#[async_trait]
impl Store for Faulty {
    fn status(&self) -> Status {
        match self.works() {
            Err(Error::Unavailable { reason }) => Status::NotReady(reason),
            _ => self.inner.status(),
        }
    }

    fn remarks(&self) -> Vec<String> {
        self.inner.remarks()
    }

    fn failure(&self) -> watch::Receiver<Option<String>> {
        self.inner.failure()
    }

    fn usage(&self) -> Usage {
        self.inner.usage()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
