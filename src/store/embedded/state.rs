//! The registry once more, in sled, under `state/`: it follows the journal, and nothing waits for it.
//!
//! Two engines, because each covers the other's loss: sled's copy is made again from the journal whenever it is damaged,
//! older, empty or gone, and a journal that lost part of the registry takes it from here. sled 0.34 takes read errors
//! for a torn end and zeroes it, opens a shortened file as an empty tree, and panics when a sync fails: so it is called
//! in one thread of its own, every call is caught, and nothing that was acknowledged rests on it alone.

use super::{
    bytes::{Reader, put_short_text},
    item::Item,
    mirror::Mirror,
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock},
    thread,
    time::Duration,
};
use uuid::Uuid;

/// The name of the thread: whoever reports panics knows by it that this one was caught.
pub const THREAD: &str = "store-state";
const CACHE_BYTES: u64 = 4 << 20;
/// Changes that wait; beyond, everything is compared instead.
const WAITING_MAX: usize = 10_000;
/// First and longest wait before sled is tried again.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(200), Duration::from_mins(1));
/// Key of the revision; records begin with their kind's length, which is never 0.
const REVISION: &[u8] = &[0];

/// The thread that follows.
#[derive(Debug)]
pub(super) struct State {
    waiting: Arc<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    changes: Mutex<Changes>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Changes {
    items: Vec<Item>,
    /// Whether more changed than `items` says.
    is_cut: bool,
    /// Whether it may make the folder.
    may_begin: bool,
    is_closing: bool,
    /// Why the copy is not there right now.
    trouble: Option<String>,
}

/// Kind and id, version and value.
type Record = ((String, String), (u64, Bytes));
/// The revision and the records.
type Contents = (u64, BTreeMap<(String, String), (u64, Bytes)>);

impl State {
    /// Nothing follows: for a directory that is only read.
    pub(super) fn idle() -> Self {
        Self { waiting: Arc::default() }
    }

    /// Starts following the mirror in a folder. A thread that cannot be started is a remark, not an error.
    pub(super) fn start(folder: PathBuf, mirror: Arc<RwLock<Mirror>>) -> (Self, Option<thread::JoinHandle<()>>) {
        let waiting = Arc::new(Waiting::default());
        let follower = Follower { folder, mirror, waiting: Arc::clone(&waiting), tree: None };
        let thread = thread::Builder::new().name(THREAD.into()).spawn(|| follower.run());
        if let Err(error) = &thread {
            waiting.lock().trouble = Some(format!("the thread that keeps state/ could not be started: {error}"));
        }
        (Self { waiting }, thread.ok())
    }

    /// From now on it may make the folder: a folder says that there was a store, so the first opening waits until there is.
    pub(super) fn begin(&self) {
        self.waiting.lock().may_begin = true;
        self.waiting.wake.notify_all();
    }

    /// The registry changed like this.
    pub(super) fn changed(&self, items: impl Iterator<Item = Item>) {
        let mut changes = self.waiting.lock();
        changes.items.extend(items);
        if changes.items.len() > WAITING_MAX {
            changes.items.clear();
            changes.is_cut = true;
        }
        drop(changes);
        self.waiting.wake.notify_all();
    }

    /// Why the copy is not there right now, if it is not.
    pub(super) fn trouble(&self) -> Option<String> {
        self.waiting.lock().trouble.clone()
    }

    /// Writes what waits and ends.
    pub(super) fn close(&self) {
        self.waiting.lock().is_closing = true;
        self.waiting.wake.notify_all();
    }
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Follower {
    folder: PathBuf,
    mirror: Arc<RwLock<Mirror>>,
    waiting: Arc<Waiting>,
    tree: Option<sled::Db>,
}

impl Follower {
    fn run(mut self) {
        let (mut pause, longest) = AGAIN_AFTER;
        let waits = |changes: &mut Changes| !changes.may_begin && !changes.is_closing;
        let changes = self.waiting.wake.wait_while(self.waiting.lock(), waits);
        let may_begin = changes.unwrap_or_else(PoisonError::into_inner).may_begin;
        if !may_begin {
            return;
        }
        loop {
            let done = if self.tree.is_none() { self.begin() } else { self.follow() };
            match done {
                Ok(true) => {
                    pause = AGAIN_AFTER.0;
                }
                Ok(false) => break,
                Err(trouble) => {
                    tracing::warn!(reason = trouble, "the copy of the registry in state/ failed; it is made again");
                    self.let_go();
                    let mut changes = self.waiting.lock();
                    changes.trouble =
                        Some(format!("the copy of the registry in state/ is being made again: {trouble}"));
                    let idle = |changes: &mut Changes| !changes.is_closing;
                    let waited = self.waiting.wake.wait_timeout_while(changes, pause, idle);
                    if waited.unwrap_or_else(PoisonError::into_inner).0.is_closing {
                        break;
                    }
                    pause = longest.min(pause * 2);
                }
            }
        }
        self.let_go();
    }

    /// Opens the copy and makes it equal to the mirror.
    fn begin(&mut self) -> Result<bool, String> {
        let is_there = self.folder.exists();
        let opened = open(&self.folder).and_then(|tree| Ok((contents(&tree)?, tree)));
        let wanted = self.wanted();
        if let Ok((found, tree)) = opened {
            if found == wanted {
                self.tree = Some(tree);
                self.waiting.lock().trouble = None;
                return Ok(true);
            }
            discard(tree);
        }
        if is_there {
            let count = wanted.1.len();
            tracing::warn!(count, "state/ is not what the journal says; its records are written anew");
        }
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).map_err(|error| format!("{}: {error}", self.folder.display()))?;
        }
        let tree = open(&self.folder)?;
        let mut batch = sled::Batch::default();
        for ((kind, id), (version, value)) in &wanted.1 {
            batch.insert(key(kind, id), value_of(*version, value));
        }
        batch.insert(REVISION, &wanted.0.to_be_bytes());
        let written = commit(&tree, batch);
        self.tree = Some(tree);
        written?;
        self.waiting.lock().trouble = None;
        Ok(true)
    }

    /// Writes the next changes. `false` when there are no more and there never will be.
    fn follow(&mut self) -> Result<bool, String> {
        let mut changes = self.waiting.lock();
        let is_idle = |changes: &mut Changes| changes.items.is_empty() && !changes.is_cut && !changes.is_closing;
        changes = self.waiting.wake.wait_while(changes, is_idle).unwrap_or_else(PoisonError::into_inner);
        if changes.is_cut {
            drop(changes);
            self.let_go();
            return Ok(true);
        }
        let items = std::mem::take(&mut changes.items);
        let is_closing = changes.is_closing;
        drop(changes);
        if items.is_empty() {
            return Ok(!is_closing);
        }
        let mut batch = sled::Batch::default();
        let mut revision = 0;
        for item in items {
            if let Item::Record { kind, id, version, value } = item {
                revision = version.max(revision);
                match value {
                    Some(value) => batch.insert(key(&kind, &id), value_of(version, &value)),
                    None => batch.remove(key(&kind, &id)),
                }
            }
        }
        batch.insert(REVISION, &revision.to_be_bytes());
        let Some(tree) = &self.tree else { return Ok(true) };
        commit(tree, batch)?;
        Ok(true)
    }

    /// The records that the copy should hold, with all changes that wait.
    fn wanted(&self) -> Contents {
        {
            let mut changes = self.waiting.lock();
            changes.items.clear();
            changes.is_cut = false;
        }
        let mirror = self.mirror.read().unwrap_or_else(PoisonError::into_inner);
        let record = |(kind, id, record): (&str, &str, &crate::store::Versioned)| {
            ((kind.to_owned(), id.to_owned()), (record.version, record.value.clone()))
        };
        (mirror.revision, mirror.all().map(record).collect())
    }

    fn let_go(&mut self) {
        if let Some(tree) = self.tree.take() {
            discard(tree);
        }
    }
}

/// sled syncs when it is dropped and panics when that fails.
fn discard(tree: sled::Db) {
    let _ = catch_unwind(AssertUnwindSafe(move || drop(tree)));
}

fn open(folder: &Path) -> Result<sled::Db, String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    // sled reads a snapshot that was never finished like a finished one, and is damaged from then on.
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "generating") {
            let _ = fs::remove_file(entry.path());
        }
    }
    let config = sled::Config::new().path(folder).cache_capacity(CACHE_BYTES).flush_every_ms(None);
    guarded(|| config.open())
}

fn commit(tree: &sled::Db, batch: sled::Batch) -> Result<(), String> {
    guarded(|| {
        tree.apply_batch(batch)?;
        tree.flush().map(|_| ())
    })
}

/// All records of a tree, and its revision.
fn contents(tree: &sled::Db) -> Result<Contents, String> {
    let mut pairs = tree.iter();
    let mut records = BTreeMap::new();
    let mut revision = None;
    while let Some((key, value)) = guarded(|| pairs.next().transpose())? {
        if &*key == REVISION {
            revision = (*value).try_into().ok().map(u64::from_be_bytes);
            continue;
        }
        let (id, record) = record(&key, &value).ok_or("a record is not what was written")?;
        records.insert(id, record);
    }
    Ok((revision.ok_or("it has no revision")?, records))
}

/// The registry in the copy, for a journal that lost part of its own. `None` when the copy cannot be relied on.
pub(super) fn read(folder: &Path) -> Option<Mirror> {
    if !folder.exists() {
        return None;
    }
    let tree = open(folder).ok()?;
    let found = contents(&tree).ok();
    discard(tree);
    let (revision, records) = found?;
    let mut mirror = Mirror::default();
    for ((kind, id), (version, value)) in records {
        mirror.apply(&kind, &id, version, Some(value));
    }
    mirror.revision = mirror.revision.max(revision);
    Some(mirror)
}

/// The same without changing anything: opening sled changes its files, so a copy of them is opened in the folder `aside`.
pub(super) fn peek(folder: &Path, aside: &Path) -> Result<Option<Mirror>, String> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let copy = aside.join(format!("hookwell-{}", Uuid::new_v4()));
    let copied = copy_files(folder, &copy).map_err(|error| format!("{}: {error}", copy.display()));
    let found = copied.map(|()| read(&copy));
    let _ = fs::remove_dir_all(&copy);
    found
}

/// Of a folder and the folders in it, for its owner alone.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_files(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn key(kind: &str, id: &str) -> Vec<u8> {
    let mut key = Vec::new();
    put_short_text(kind, &mut key);
    put_short_text(id, &mut key);
    key
}

/// The version, a checksum of key-independent content, the value.
fn value_of(version: u64, value: &[u8]) -> Vec<u8> {
    let mut out = version.to_be_bytes().to_vec();
    let mut crc = crc32fast::Hasher::new();
    crc.update(&out);
    crc.update(value);
    out.extend(crc.finalize().to_be_bytes());
    out.extend(value);
    out
}

fn record(key: &[u8], value: &[u8]) -> Option<Record> {
    let mut reader = Reader(key);
    let id = (reader.short_text()?, reader.short_text()?);
    let mut reader = Reader(value);
    let (version, _crc) = (reader.u64()?, reader.u32()?);
    let record = Bytes::copy_from_slice(reader.0);
    (value_of(version, &record) == value).then_some((id, (version, record)))
}

/// Runs one call of sled: what it returns and what it throws is the same to us.
fn guarded<T>(call: impl FnOnce() -> sled::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it cannot be read");
            Err(text.lines().next().unwrap_or_default().to_owned())
        }
    }
}
