//! The embedded engine: one sled tree, one writer thread, group commits that are synced before anybody is told.
//!
//! ```text
//! callers ─▶ queue (front: appends, registry · back: settlements, trims) ─▶ writer ─▶ draft ─▶ db (one batch, synced)
//! callers ◀── answers ◀─────────────────────────────────────────────────── publish to views, consumers, mirror
//! readers ─▶ views (what is durable) ─▶ db
//! ```
//!
//! Absent on purpose: sled outside `db.rs`; writes outside the writer; a record anybody can read before it is durable;
//! a value large enough for sled to put into a file of its own.

mod block;
mod compact;
mod consumers;
mod db;
mod draft;
mod engine;
mod files;
mod keys;
mod layout;
mod load;
mod mirror;
mod queue;
mod reading;
mod repack;
mod trim;
mod view;
mod writer;

pub use self::compact::{Compacted, compact};

use self::{
    consumers::Readers,
    db::Db,
    files::DataDir,
    load::Loaded,
    mirror::Mirror,
    queue::{Job, Limits, Queue},
    view::LogView,
    writer::{Writer, open_error},
};
use super::Log;
use super::{Error, OpenError, Status};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::sync::watch;

/// How long dropping an open store waits for its writer.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// What an operator or a test may choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// Pages kept in memory, in bytes.
    pub cache_bytes: u64,
    /// Most appends waiting for the writer; more are answered `Full`.
    pub queue_entries_max: usize,
    /// Most bytes waiting for the writer.
    pub queue_bytes_max: usize,
    /// Appends are refused while the disk has less than this free.
    pub free_bytes_min: u64,
    /// Whether commits are synced to the device. Only the power-cut test turns it off, to prove that it sees the loss.
    pub sync_data: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 32 << 20,
            queue_entries_max: 4096,
            queue_bytes_max: 64 << 20,
            free_bytes_min: 64 << 20,
            sync_data: true,
        }
    }
}

/// The store in a data directory, for one process at a time.
#[derive(Debug)]
pub struct SledStore {
    shared: Arc<Shared>,
    closed: watch::Receiver<()>,
    writer: Option<thread::JoinHandle<()>>,
}

/// What callers and the writer share.
#[derive(Debug)]
struct Shared {
    options: Options,
    path: PathBuf,
    queue: Queue,
    logs: [LogView; Log::ALL.len()],
    readers: Mutex<Readers>,
    mirror: RwLock<Mirror>,
    db: RwLock<Option<Arc<Db>>>,
    status: RwLock<Status>,
    commits: AtomicU64,
    written_bytes: AtomicU64,
}

impl SledStore {
    /// Opens a data directory, or makes a new one. Blocks, for about a second per million entries.
    ///
    /// # Errors
    /// Every variant of [`OpenError`]; nothing was changed that a second attempt could miss.
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let dir = DataDir::open(dir)?;
        let path = dir.store();
        let io_or_damage = |fault| open_error(&path, fault);
        let db = Db::open(&path, options.cache_bytes, options.sync_data).map_err(io_or_damage)?;
        dir.sync()?;
        let loaded = Loaded::read(&db).map_err(io_or_damage)?;
        dir.write_format()?;
        let status = files::shortage(&path, options.free_bytes_min).map_or(Status::Ready, Status::NotReady);
        let limits = Limits { entries_max: options.queue_entries_max, bytes_max: options.queue_bytes_max };
        let shared = Arc::new(Shared {
            options,
            path: path.clone(),
            queue: Queue::new(limits),
            logs: loaded.logs.map(LogView::new),
            // An arbitrary start: a claim of an earlier opening must not pass for one of this.
            readers: Mutex::new(Readers::new(loaded.consumers, uuid::Uuid::new_v4().as_u64_pair().0 >> 1)),
            mirror: RwLock::new(loaded.mirror),
            db: RwLock::new(Some(Arc::new(db))),
            status: RwLock::new(status),
            commits: AtomicU64::new(0),
            written_bytes: AtomicU64::new(0),
        });
        let (closing, closed) = watch::channel(());
        let writer = Writer::new(Arc::clone(&shared), dir, loaded.leftovers, closing);
        let writer = thread::Builder::new().name("store-writer".into()).spawn(|| writer.run());
        let writer = writer.map_err(files::unusable(&path))?;
        Ok(Self { shared, closed, writer: Some(writer) })
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.shared.queue.close();
        let Some(writer) = self.writer.take() else { return };
        let started = std::time::Instant::now();
        while !writer.is_finished() && started.elapsed() < DROP_PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Shared {
    fn db(&self) -> Option<Arc<Db>> {
        self.db.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_db(&self, db: Option<Arc<Db>>) {
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = db;
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mirror(&self) -> RwLockReadGuard<'_, Mirror> {
        self.mirror.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn mirror_mut(&self) -> RwLockWriteGuard<'_, Mirror> {
        self.mirror.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> Status {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_status(&self, status: Status) {
        if self.status() != status {
            *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
        }
    }

    fn is_short(&self) -> bool {
        self.status() != Status::Ready
    }

    /// Answers a job that will not be done, and gives its lease back.
    fn fail(&self, job: Job, error: Error) {
        if let Job::Settle { settle, .. } = &job {
            self.readers().release(&settle.consumer, settle.lease);
        }
        job.fail(error);
    }

    /// Takes over what was read from disk; gives back the keys to remove.
    fn adopt(&self, loaded: Loaded) -> Vec<Vec<u8>> {
        for (view, contents) in self.logs.iter().zip(loaded.logs) {
            *view.write() = contents;
        }
        // Before the cursors, as with every commit.
        for view in &self.logs {
            view.publish_tail();
        }
        let mut readers = self.readers();
        *readers = Readers::new(loaded.consumers, readers.leases());
        drop(readers);
        *self.mirror_mut() = loaded.mirror;
        loaded.leftovers
    }

    fn disk_bytes(&self) -> u64 {
        files::disk_bytes(&self.path)
    }

    fn figures(&self) -> super::Usage {
        super::Usage {
            disk_bytes: self.disk_bytes(),
            queued: self.queue.waiting() as u64,
            commits: self.commits.load(Ordering::Relaxed),
            written_bytes: self.written_bytes.load(Ordering::Relaxed),
        }
    }
}
