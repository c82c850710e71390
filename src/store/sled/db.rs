//! The one place that calls sled: what it returns and what it throws becomes a [`Fault`] here and nowhere else.
//!
//! sled's own flush ends in `sync_file_range`, which promises nothing after a power cut, so every commit also syncs
//! the file through a handle of ours. sled panics on some kinds of damage: each call is caught, none ends the process.

use std::{
    any::Any,
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// sled's unit of writing and of cleaning. Four times its default: see [`super::layout::VALUE_BYTES_MAX`].
pub(super) const SEGMENT_BYTES: usize = 2 << 20;
/// How long opening waits for threads of an earlier sled in this process to let go of the file.
const LINGER_MAX: Duration = Duration::from_secs(5);
const REMEDY: &str = "restore the data directory from a backup, or move it aside to start empty";

/// What went wrong underneath.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// The operating system refused: it may work again later.
    Io(String),
    /// The file says something that was never written.
    Corrupt(String),
}

/// One change of the tree: `None` removes.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// An open tree and a second handle of its file.
#[derive(Debug)]
pub(super) struct Db {
    tree: sled::Db,
    file: File,
    path: PathBuf,
    sync_data: bool,
}

impl Db {
    /// Opens or creates the tree in `path`. Blocks; makes the names of the files durable too.
    pub(super) fn open(path: &Path, cache_bytes: u64, sync_data: bool) -> Result<Self, Fault> {
        let started = Instant::now();
        let tree = loop {
            let config = sled::Config::new()
                .path(path)
                .cache_capacity(cache_bytes)
                .segment_size(SEGMENT_BYTES)
                .flush_every_ms(None);
            match guarded(path, || config.open()) {
                // The directory's lock is ours: who holds the file is a dying thread of this process.
                Err(Fault::Io(what)) if what.contains("could not acquire lock") && started.elapsed() < LINGER_MAX => {
                    thread::sleep(Duration::from_millis(5));
                }
                opened => break opened?,
            }
        };
        let io = |error: io::Error| Fault::Io(error.to_string());
        let file = File::options().read(true).write(true).open(path.join("db")).map_err(io)?;
        let db = Self { tree, file, path: path.to_owned(), sync_data };
        db.sync_names().map_err(io)?;
        Ok(db)
    }

    /// The value of a key, its own copy.
    pub(super) fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        guarded(&self.path, || self.tree.get(key)).map(|value| value.map(|value| value.to_vec()))
    }

    /// Calls `each` with every key of a prefix and its value, in order, until it fails.
    pub(super) fn scan(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut pairs = self.tree.scan_prefix(prefix);
        while let Some((key, value)) = guarded(&self.path, || pairs.next().transpose())? {
            each(&key, &value)?;
        }
        Ok(())
    }

    /// All writes or none, durable when it returns.
    pub(super) fn commit(&self, writes: Vec<Write>) -> Result<(), Fault> {
        let mut batch = sled::Batch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        guarded(&self.path, || {
            self.tree.apply_batch(batch)?;
            self.tree.flush()
        })?;
        self.sync()
    }

    /// Syncs the file itself, which sled's flush does not.
    pub(super) fn sync(&self) -> Result<(), Fault> {
        if !self.sync_data {
            return Ok(());
        }
        self.file.sync_data().map_err(|error| Fault::Io(format!("sync of {}: {error}", self.path.display())))
    }

    /// Forgets what the page cache says the file holds. After a failed sync the kernel calls the lost pages clean, and
    /// only reading them from the device again tells what is really there.
    pub(super) fn distrust_page_cache(path: &Path) {
        if let Ok(file) = File::open(path.join("db")) {
            // Advice only: where it is refused, reading is as good as it was.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
    }

    fn sync_names(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            File::open(entry?.path())?.sync_all()?;
        }
        File::open(&self.path)?.sync_all()
    }
}

/// Runs one call of sled.
fn guarded<T>(path: &Path, call: impl FnOnce() -> sled::Result<T>) -> Result<T, Fault> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(sled::Error::Io(error))) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(Fault::Io(format!("{}: {error}", path.display())))
        }
        Ok(Err(error)) => Err(damaged(path, &error.to_string())),
        Err(panic) => Err(damaged(path, &panic_text(&*panic))),
    }
}

/// The fault of a file that is not what was written, with the remedy.
pub(super) fn damaged(path: &Path, what: &str) -> Fault {
    let what = what.lines().next().unwrap_or("no reason given");
    Fault::Corrupt(format!("{}: {what}; {REMEDY}", path.join("db").display()))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("the tree cannot be walked").to_owned()
}
