//! The Store seam: a journal, its consumers and a registry, in verbs that an embedded tree and NATS `JetStream` both have.
//!
//! Three promises carry everything above this floor:
//! - what [`Journal::append`] acknowledged survives `kill -9` and a power cut;
//! - one key is one entry for as long as the entry is kept;
//! - [`Consumers::settle`] appends what a batch became and moves the consumer past the batch in one commit,
//!   so a crash between the two cannot be seen.
//!
//! Not promised: order between two logs, and keys of entries that [`Journal::trim`] has removed.
//! A lease-queue or key-value seam was not taken: the one is an emulation on a log, the other an insult to `JetStream`.

mod damage;
pub mod embedded;
mod memory;

pub use self::{
    damage::{Damage, Page},
    memory::MemoryStore,
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use std::{fmt, time::Duration};
use tokio::sync::watch;
use uuid::Uuid;

/// Largest body of one journal entry. Larger ones are the caller's to cut: a notification keeps its head.
pub const ENTRY_BYTES_MAX: usize = 32 << 20;
/// Largest value of one registry record.
pub const REGISTRY_VALUE_BYTES_MAX: usize = 256 << 10;
/// What is kept of the reason for giving up on a record.
pub const REASON_BYTES_MAX: usize = 1_000;
/// Most records one [`Journal::read`] or [`Consumers::claim`] returns, whatever was asked for.
pub const PAGE_RECORDS_MAX: usize = 1_000;

/// Which journal. The numbers are on disk: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Log {
    /// What Azure DevOps delivered: raw bytes and how they were verified.
    Notifications = 1,
    /// What the notifications became.
    Events = 2,
    /// Hour by hour, how complete both are; each entry names the hash of the one before it.
    Ledger = 3,
    /// The attempts to deliver events to sinks.
    Deliveries = 4,
    /// The events that tell deployments, once more: these are wanted for longer than events are kept.
    Deployments = 5,
}

impl Log {
    /// Every log, in the order of its number.
    pub const ALL: [Self; 5] = [Self::Notifications, Self::Events, Self::Ledger, Self::Deliveries, Self::Deployments];
}

/// A place in one log. Entries are numbered from 1 without reuse, also after trimming; 0 is before all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to be appended. `key` decides whether it is already there; `time` decides when it may be trimmed
/// (kept to the millisecond).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The same key is the same entry, whatever else differs; the first one wins.
    pub key: Uuid,
    /// When it was received, by our clock.
    pub time: Timestamp,
    /// At most [`ENTRY_BYTES_MAX`].
    pub body: Bytes,
}

/// An entry as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log.
    pub position: Position,
    /// The key it was appended under.
    pub key: Uuid,
    /// The time it was appended with, to the millisecond.
    pub time: Timestamp,
    /// The body as appended.
    pub body: Bytes,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable now, here.
    New(Position),
    /// The key was there before, at this place, and can be read; nothing changed.
    Duplicate(Position),
}

/// How much one read may return: whichever is reached first, but always at least one record where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    /// At most this many records (and at most [`PAGE_RECORDS_MAX`]).
    pub records_max: usize,
    /// Stop after the record that reaches this many bytes of bodies.
    pub body_bytes_max: usize,
}

/// Why the store could not do it: each variant is a branch of the caller.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The queue to the writer is at its limit: nothing was stored; try again in a second.
    #[error("the queue to the journal is full")]
    Full,
    /// The disk is full, read-only or failing, or the store is closing: nothing was acknowledged. It recovers by
    /// itself when the cause goes; `reason` is for the operator.
    #[error("the journal cannot be written: {reason}")]
    Unavailable {
        /// What is wrong and what to do, in one line.
        reason: String,
    },
    /// What is stored is not what was written. `what` names the file or key and what to do.
    #[error("stored data is damaged: {what}")]
    Corrupt {
        /// The place and the remedy, in one line.
        what: String,
    },
    /// A registry record has another version than the change expected.
    #[error("the record was changed by someone else")]
    Conflict,
    /// The claim's lease ran out and somebody else holds it: nothing of the settlement was stored.
    #[error("the lease of this claim ran out")]
    LeaseLost,
    /// An entry or record over its limit.
    #[error("{what} is larger than {bytes_max} bytes")]
    TooLarge {
        /// What was too large.
        what: &'static str,
        /// The limit.
        bytes_max: usize,
    },
}

/// Why a data directory could not be opened: one clear line each, naming the path and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{path} is in use by another hookwell process; stop that one first")]
    Locked {
        /// The data directory.
        path: String,
    },
    /// A newer release wrote it.
    #[error(
        "{path} was written by a newer hookwell (format {found}, this one knows up to {known}); use that release or newer"
    )]
    Newer {
        /// The data directory.
        path: String,
        /// The format it has.
        found: u32,
        /// The newest format this release reads.
        known: u32,
    },
    /// An older release wrote it, in a format that this one does not read.
    #[error(
        "{path} was written by a hookwell from before 0.1.0 (format {found}, this one reads {known}); move it aside to start empty"
    )]
    Older {
        /// The data directory.
        path: String,
        /// The format it has.
        found: u32,
        /// The format this release reads.
        known: u32,
    },
    /// It is damaged.
    #[error("{path} is damaged: {what}")]
    Corrupt {
        /// The file or directory.
        path: String,
        /// What was found and what to do.
        what: String,
    },
    /// It cannot be read or written.
    #[error("{path} cannot be used: {reason}")]
    Io {
        /// The file or directory.
        path: String,
        /// The operating system's word and what to do.
        reason: String,
    },
}

/// Whether the store takes appends right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Ready,
    /// It does not, for this reason; it looks again by itself.
    NotReady(String),
}

/// Figures for `/metrics` and the operator. Bytes on disk include what trimming has not given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Size of the store on disk.
    pub disk_bytes: u64,
    /// Appends waiting for the writer.
    pub queued: u64,
    /// Commits since opening: each one frame and one sync.
    pub commits: u64,
    /// Bytes appended to the journal since opening.
    pub written_bytes: u64,
}

/// Append-only logs.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Durable when it returns `New`; the same key again is `Duplicate`, also against an append still in flight
    /// (then it returns only when that one is durable). Takes the front lane: never waits behind [`Consumers::settle`].
    ///
    /// # Errors
    /// `Full`, `Unavailable`, `TooLarge`: nothing was stored. Cancelling the future leaves the append to be stored or not.
    async fn append(&self, log: Log, entry: Entry) -> Result<Appended, Error>;

    /// The records after a position, oldest first, only durable ones. Costs the same anywhere in the log. Records that
    /// cannot be read any more are left out, and the page says which: go on after its `end`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn read(&self, log: Log, after: Position, limit: PageLimit) -> Result<Page, Error>;

    /// The record with this key, if it is still kept and can be read: one that cannot be any more is not there, and the
    /// same key appends it again.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn find(&self, log: Log, key: Uuid) -> Result<Option<Record>, Error>;

    /// Whether [`Self::find`] would find each of these keys, in their order. A key that is not there costs next to nothing:
    /// for whoever asks often and mostly hears no.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn contains(&self, log: Log, keys: &[Uuid]) -> Result<Vec<bool>, Error>;

    /// Removes the oldest records while their time is before `before`, with their keys, but none that a consumer of
    /// this log has yet to settle. Bounded work per call: call again while it returns more than 0.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn trim(&self, log: Log, before: Timestamp) -> Result<u64, Error>;

    /// The newest durable position; changes wake the receiver. Never goes back.
    fn tail(&self, log: Log) -> watch::Receiver<Position>;

    /// The position before the oldest record still kept: a cursor below it has missed what was trimmed.
    fn trimmed(&self, log: Log) -> Position;

    /// The records still kept that are known to be missing or unreadable: found at opening, and wherever a read met
    /// it. At most 1,000 reports.
    fn damage(&self) -> Vec<Damage>;
}

/// A named reader of one log that must see every record once.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Consumer {
    /// Unique; at most 100 bytes; it is on disk.
    pub name: String,
    /// What it reads.
    pub log: Log,
}

/// One record to work on.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The record.
    pub record: Record,
    /// 1 for the first try.
    pub attempt: u32,
}

/// A batch under lease. Not `Clone`: settling consumes it, so it cannot be settled twice.
#[derive(Debug)]
pub struct Claim {
    /// Who claimed.
    pub consumer: Consumer,
    /// Oldest first. Empty when nothing is due.
    pub records: Vec<Claimed>,
    /// The engine's own mark of this lease.
    pub(crate) lease: u64,
}

impl Claim {
    /// Of nothing: settling it appends several entries in one commit, and makes no consumer.
    pub fn of_nothing(log: Log) -> Self {
        Self { consumer: Consumer { name: String::new(), log }, records: Vec::new(), lease: 0 }
    }
}

/// How one claimed record ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// Never again.
    Done,
    /// Again, not before this time, with the next attempt number.
    Retry {
        /// When.
        at: Timestamp,
    },
    /// Again, not before this time, with the same attempt number: nothing was tried. At [`Timestamp::MAX`] it is never
    /// due by itself; see [`Wanted::These`].
    Wait {
        /// When.
        at: Timestamp,
    },
    /// Given up; kept for the operator while the record is kept.
    Dead {
        /// Why, in one line of at most [`REASON_BYTES_MAX`]; more is cut.
        reason: String,
    },
}

impl Settlement {
    /// Cuts a reason to [`REASON_BYTES_MAX`].
    pub(crate) fn within_limits(self) -> Self {
        match self {
            Self::Dead { mut reason } => {
                reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
                Self::Dead { reason }
            }
            other => other,
        }
    }
}

/// What a claim is to be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Due retries first, then the records after the cursor.
    Due,
    /// The records after the cursor alone.
    Fresh,
    /// These of the records that wait, due or not; others are passed over.
    These(Vec<Position>),
}

/// A record that is to be tried (again).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Where it is in the consumer's log.
    pub position: Position,
    /// The number of the attempt that comes next.
    pub attempt: u32,
    /// Not before this time.
    pub at: Timestamp,
}

/// A record given up on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dead {
    /// Where it is in the consumer's log.
    pub position: Position,
    /// Its key.
    pub key: Uuid,
    /// Why.
    pub reason: String,
}

/// Consumers: a cursor each, and records of their own only for what is retried or dead.
#[async_trait]
pub trait Consumers: Send + Sync {
    /// [`Self::claim_of`] what is due.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn claim(
        &self,
        consumer: &Consumer,
        now: Timestamp,
        lease: Duration,
        limit: PageLimit,
    ) -> Result<Claim, Error> {
        self.claim_of(consumer, &Wanted::Due, now, lease, limit).await
    }

    /// Leases the next batch of what is wanted. While a batch of fresh records is leased, no other claim gets fresh ones
    /// (order is worth more than width here). After `lease` without settlement the same records are claimed again. A new
    /// consumer starts at the beginning of its log.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn claim_of(
        &self,
        consumer: &Consumer,
        wanted: &Wanted,
        now: Timestamp,
        lease: Duration,
        limit: PageLimit,
    ) -> Result<Claim, Error>;

    /// Ends a claim with one settlement per record, in order, and appends what the batch became, absent keys only, all
    /// in one commit. (An engine without such a commit appends first, then settles: the keys make the repeat harmless.)
    /// Takes the back lane, behind every waiting [`Journal::append`].
    ///
    /// # Errors
    /// `LeaseLost`, `Unavailable`, `TooLarge`: nothing of it was stored, and the batch will be claimed again.
    ///
    /// # Panics
    /// When there is not one settlement per record: a bug of the caller.
    async fn settle(
        &self,
        claim: Claim,
        settlements: Vec<Settlement>,
        appends: Vec<(Log, Entry)>,
    ) -> Result<Vec<Appended>, Error>;

    /// The position up to which everything has been settled or has a record of its own; 0 for an unknown consumer.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn cursor(&self, consumer: &Consumer) -> Result<Position, Error>;

    /// What the consumer gave up on, after a position, oldest first, at most `records_max`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn dead(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Dead>, Error>;

    /// What waits to be tried (again), leased or not, after a position, oldest first, at most `records_max`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn waiting(&self, consumer: &Consumer, after: Position, records_max: usize) -> Result<Vec<Waiting>, Error>;

    /// Lets records that were done or given up wait once more, with these attempt numbers, from `at` on. Passed over are
    /// those that are not kept, that wait already, and that the consumer has not come to yet. Answers how many now wait.
    ///
    /// # Errors
    /// `Unavailable`: nothing was changed.
    async fn again(&self, consumer: &Consumer, records: Vec<(Position, u32)>, at: Timestamp) -> Result<usize, Error>;

    /// Makes a consumer that begins after this position; one that is there stays as it is. Durable when it returns.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn begin(&self, consumer: &Consumer, after: Position) -> Result<(), Error>;

    /// The consumers of a log by name.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn consumers(&self, log: Log) -> Result<Vec<Consumer>, Error>;

    /// Removes the consumer with its cursor, leases, retries and dead. Without this a removed sink would hold back
    /// [`Journal::trim`] for ever; the same name claims from the beginning again. Unknown consumers are no error.
    ///
    /// # Errors
    /// `Unavailable`: nothing was removed.
    async fn forget(&self, consumer: &Consumer) -> Result<(), Error>;
}

/// A registry value and its version. Versions grow with every change of the record and are never reused for an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// From 1.
    pub version: u64,
    /// At most [`REGISTRY_VALUE_BYTES_MAX`].
    pub value: Bytes,
}

/// What a change expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// No record.
    Absent,
    /// A record of exactly this version.
    Version(u64),
    /// Anything, or nothing.
    Any,
}

/// One change of one record; `value: None` deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind of record: a word of `[a-z-]`, at most 32 bytes.
    pub kind: &'static str,
    /// The record's id: 1 to 200 bytes without NUL.
    pub id: String,
    /// What must hold for the whole commit to happen.
    pub expected: Expected,
    /// The new value, or `None` to delete.
    pub value: Option<Bytes>,
}

/// Small versioned records: connections, projects, bindings, tokens. All of them are held in memory by the engine,
/// so reading one costs no I/O; the callers keep their number bounded.
#[async_trait]
pub trait Registry: Send + Sync {
    /// One record.
    fn get(&self, kind: &str, id: &str) -> Option<Versioned>;

    /// All records of a kind by id.
    fn list(&self, kind: &str) -> Vec<(String, Versioned)>;

    /// All changes or none, durable when it returns; answers the new versions in order (0 for a deleted record).
    ///
    /// # Errors
    /// `Conflict` when an expectation does not hold, `Full`, `Unavailable`, `TooLarge`: nothing was changed.
    async fn commit(&self, changes: Vec<Change>) -> Result<Vec<u64>, Error>;

    /// A number that grows with every commit: whoever keeps a decoded copy compares it.
    fn revision(&self) -> u64;

    /// The same of one kind: it grows with every commit that changed a record of that kind, and with no other one while the
    /// engine is open. Not promised: that it stays the same across an opening, or that it is the version of a record.
    fn revision_of(&self, kind: &str) -> u64;
}

/// A whole engine.
#[async_trait]
pub trait Store: Journal + Consumers + Registry {
    /// Whether it takes appends, for `readyz`.
    fn status(&self) -> Status;

    /// Facts that an operator should know while the store is ready: a copy that is made again, a loss that was found at opening.
    fn remarks(&self) -> Vec<String>;

    /// Why it cannot go on in this process, once that is so: whoever runs the process ends it, and a restart goes on.
    fn failure(&self) -> watch::Receiver<Option<String>>;

    /// Figures for metrics.
    fn usage(&self) -> Usage;

    /// Finishes what was queued, flushes and lets go of the data directory. Later calls answer `Unavailable`.
    async fn close(&self);
}
