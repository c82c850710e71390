//! The embedded engine: a journal of segments, one writer thread, group commits that are synced before anybody is told.
//!
//! ```text
//! callers ─▶ queue (front: appends, registry · back: settlements, trims) ─▶ writer ─▶ draft ─▶ frame (synced) ─▶ marks
//! callers ◀── answers ◀──────────────────────────────────────────── publish to catalog, consumers, mirror ─▶ state/
//! readers ─▶ catalog (what is durable) ─▶ index ─▶ segment
//! ```
//!
//! Every commit is one frame, appended to the newest segment. Small things (cursors, retries, the registry) are in memory,
//! and each segment begins with all of them. Absent on purpose: sled outside `state.rs`; writes outside the writer; a
//! record anybody can read before it is durable; an error of the operating system that is taken for an end.

mod block;
mod bytes;
mod catalog;
mod consumers;
mod disk_index;
mod draft;
mod engine;
mod fault;
mod files;
mod frame;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod index;
mod item;
mod keys;
mod load;
mod marks;
mod mirror;
mod queue;
mod reading;
mod reclaim;
mod replay;
mod sealer;
mod segment;
mod state;
mod trim;
mod verify;
mod view;
mod writer;

pub use self::{state::THREAD as STATE_THREAD, verify::Flaw};

use self::{
    catalog::Catalog,
    consumers::Readers,
    files::DataDir,
    keys::Keys,
    mirror::Mirror,
    queue::Queue,
    sealer::Sealer,
    state::State,
    verify::Examined,
    view::Tails,
    writer::{Start, Writer},
};
use super::{Damage, OpenError, Status};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock, atomic::AtomicU64},
    thread,
    time::Duration,
};
use tokio::sync::watch;

/// How long dropping an open store waits for its threads.
const DROP_PATIENCE: Duration = Duration::from_secs(5);

/// Settings for an operator or a test.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most appends waiting for the writer; more are answered `Full`.
    pub queue_entries_max: usize,
    /// Most bytes waiting for the writer.
    pub queue_bytes_max: usize,
    /// Appends are refused while the disk has less than this free.
    pub free_bytes_min: u64,
    /// Size at which a segment is full. Opening reads the newest one whole, and space comes back by segments.
    pub segment_bytes: u64,
    /// Whether commits are synced to the device. Only the power-cut test turns it off, to prove that it sees the loss.
    pub sync_data: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            queue_entries_max: 4096,
            queue_bytes_max: 64 << 20,
            free_bytes_min: 64 << 20,
            segment_bytes: 32 << 20,
            sync_data: true,
        }
    }
}

/// The store in a data directory, for one process at a time.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    closed: watch::Receiver<()>,
    threads: Vec<thread::JoinHandle<()>>,
    /// Of a directory that is only read.
    examined: Option<Examined>,
}

/// Everything that callers and the writer share.
#[derive(Debug)]
struct Shared {
    options: Options,
    journal: PathBuf,
    signature: frame::Signature,
    dir: PathBuf,
    queue: Queue,
    catalog: RwLock<Catalog>,
    tails: Tails,
    keys: RwLock<Keys>,
    readers: Mutex<Readers>,
    mirror: Arc<RwLock<Mirror>>,
    state: State,
    status: RwLock<Status>,
    failure: watch::Sender<Option<String>>,
    damage: Mutex<Vec<Damage>>,
    remarks: Vec<String>,
    /// Whether nothing in the directory is to be written, not even what is derived.
    reads_only: bool,
    commits: AtomicU64,
    written_bytes: AtomicU64,
}

impl EmbeddedStore {
    /// Opens a data directory, or makes a new one. Blocks: reads the newest segment and of each older one the hashes of
    /// its keys.
    ///
    /// # Errors
    /// Every variant of [`OpenError`]; nothing was changed that a second attempt could miss. Damage is an error only where
    /// nothing is left of the registry; all other damage is reported by [`super::Journal::damage`].
    pub fn open(dir: &Path, options: Options) -> Result<Self, OpenError> {
        let path = dir.to_owned();
        let dir = DataDir::open(dir)?;
        let mut loaded = load::load(&dir, first_lease(), None).map_err(|fault| fault.of_opening(&path))?;
        load::tidy(&dir.journal());
        let start = Start::of(&mut loaded);
        let unsealed = std::mem::take(&mut loaded.unsealed);
        let mirror = Arc::new(RwLock::new(std::mem::take(&mut loaded.mirror)));
        let (state, following) = State::start(dir.state(), Arc::clone(&mirror));
        let shared = Arc::new(Shared::new(options, &dir, loaded, mirror, state, false));
        let unusable = |error| files::unusable(&path)(error);
        let (sealer, sealing) = Sealer::start(Arc::clone(&shared)).map_err(unusable)?;
        for (segment, valid_bytes) in unsealed {
            sealer.seal(segment, valid_bytes);
        }
        let (closing, closed) = watch::channel(());
        let is_new = dir.is_new();
        let mut writer = Writer::new(Arc::clone(&shared), dir, sealer, following, start, closing);
        // A first opening that cannot write says so; a later one serves what is there and goes on trying.
        if is_new && let Err(fault) = writer.begin() {
            shared.state.close();
            return Err(fault.of_opening(&path));
        }
        if let Err(error) = writer.write_format() {
            if is_new {
                shared.state.close();
                return Err(error);
            }
            tracing::warn!(%error, "the format file could not be written");
        }
        shared.state.begin();
        let writing = thread::Builder::new().name("store-writer".into()).spawn(|| writer.run());
        let writing = writing.map_err(unusable)?;
        let threads = vec![writing, sealing];
        Ok(Self { shared, closed, threads, examined: None })
    }

    /// Opens a data directory only to read it: creates and changes nothing, and every change is refused. What cannot be
    /// read without changing it is copied into a folder aside, for as long as this takes.
    ///
    /// # Errors
    /// As [`Self::open`]; `Io` also where there is no store.
    pub fn examine(dir: &Path, options: Options, aside: &Path) -> Result<Self, OpenError> {
        let path = dir.to_owned();
        let dir = DataDir::examine(dir)?;
        let mut loaded = load::load(&dir, first_lease(), Some(aside)).map_err(|fault| fault.of_opening(&path))?;
        let mirror = Arc::new(RwLock::new(std::mem::take(&mut loaded.mirror)));
        let examined = Examined::new(dir, &loaded);
        let shared = Arc::new(Shared::new(options, examined.dir(), loaded, mirror, State::idle(), true));
        shared.queue.refuse(Some("the directory was opened to be read only".into()));
        let (_, closed) = watch::channel(());
        Ok(Self { shared, closed, threads: Vec::new(), examined: Some(examined) })
    }
}

/// An arbitrary start: a claim of an earlier opening must not pass for one of this.
fn first_lease() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0 >> 1
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.shared.state.close();
        let started = std::time::Instant::now();
        while !self.threads.iter().all(thread::JoinHandle::is_finished) && started.elapsed() < DROP_PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
