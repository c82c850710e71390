//! The data directory around the tree: its format, its lock, and the names in it made durable.
//!
//! ```text
//! format      1
//! lock        held for as long as the store is open
//! store/      the tree
//! store.new/  a compaction under way; store.old/ what it replaced
//! ```

use crate::store::OpenError;
use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The newest format this release reads, and the one it writes.
const FORMAT: u32 = 1;
/// A child between fork and exec holds its parent's locks: one that is gone in this time was nobody's.
const LOCK_PATIENCE: Duration = Duration::from_millis(250);

/// A locked data directory. Dropping it unlocks it.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates it where it is absent, locks it, checks its format and repairs an interrupted compaction.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable(path))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_dir(parent).map_err(unusable(parent))?;
            }
        }
        let lock_path = path.join("lock");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&lock_path).map_err(unusable(&lock_path))?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path: path.display().to_string() }),
                Err(TryLockError::Error(error)) => return Err(unusable(&lock_path)(error)),
            }
        }
        let dir = Self { path: path.to_owned(), _lock: lock };
        let has_format = dir.check_format()?;
        dir.repair().map_err(unusable(path))?;
        if has_format && !dir.store().join("db").exists() {
            let what =
                "the store in it is missing; restore it from a backup, or move the directory aside to start empty";
            return Err(OpenError::Corrupt { path: path.display().to_string(), what: what.into() });
        }
        Ok(dir)
    }

    /// The last step of the first opening: from here on a missing store is damage, not a beginning.
    pub(super) fn write_format(&self) -> Result<(), OpenError> {
        let path = self.path.join("format");
        if path.exists() {
            return Ok(());
        }
        let write = || {
            let draft = self.path.join("format.new");
            fs::write(&draft, format!("{FORMAT}\n"))?;
            File::open(&draft)?.sync_all()?;
            fs::rename(&draft, &path)?;
            sync_dir(&self.path)
        };
        write().map_err(unusable(&path))
    }

    fn check_format(&self) -> Result<bool, OpenError> {
        let path = self.path.join("format");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unusable(&path)(error)),
        };
        match text.trim().parse() {
            Ok(FORMAT) => Ok(true),
            Ok(found) if found > FORMAT => {
                Err(OpenError::Newer { path: self.path.display().to_string(), found, known: FORMAT })
            }
            _ => Err(OpenError::Corrupt {
                path: path.display().to_string(),
                what: format!(
                    "it does not hold a known format number; if nothing else is damaged, write {FORMAT} into it"
                ),
            }),
        }
    }

    /// Finishes or undoes a compaction that a crash interrupted: whichever tree is the whole one becomes `store`.
    fn repair(&self) -> io::Result<()> {
        let (store, new, old) = (self.store(), self.new_store(), self.old_store());
        if !store.exists() && old.exists() {
            // The old tree is moved away only when the new one is whole.
            fs::rename(if new.exists() { &new } else { &old }, &store)?;
            sync_dir(&self.path)?;
        }
        for leftover in [new, old] {
            if store.exists() && leftover.exists() {
                fs::remove_dir_all(&leftover)?;
                sync_dir(&self.path)?;
            }
        }
        Ok(())
    }

    /// Puts the new tree in place of the old one. Each step is durable before the next; see [`Self::repair`].
    pub(super) fn swap(&self) -> Result<(), OpenError> {
        let steps = || {
            fs::rename(self.store(), self.old_store())?;
            sync_dir(&self.path)?;
            fs::rename(self.new_store(), self.store())?;
            sync_dir(&self.path)?;
            fs::remove_dir_all(self.old_store())?;
            sync_dir(&self.path)
        };
        steps().map_err(unusable(&self.path))
    }

    pub(super) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    pub(super) fn new_store(&self) -> PathBuf {
        self.path.join("store.new")
    }

    fn old_store(&self) -> PathBuf {
        self.path.join("store.old")
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        sync_dir(&self.path).map_err(unusable(&self.path))
    }
}

/// Bytes of all files of a tree.
pub(super) fn disk_bytes(store: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(store) else { return 0 };
    let files = entries.flatten().filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file);
    files.map(|file| file.len()).sum()
}

/// Why not to write, when less than the minimum is free.
pub(super) fn shortage(store: &Path, free_bytes_min: u64) -> Option<String> {
    match rustix::fs::statvfs(store) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            (free < free_bytes_min).then(|| {
                let path = store.display();
                format!("{path} has {free} bytes free, {free_bytes_min} are needed; free some space or run compact")
            })
        }
        Err(error) => Some(format!("{} cannot be examined: {error}", store.display())),
    }
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// An error of the operating system about a path, with the usual remedy.
pub(super) fn unusable(path: &Path) -> impl Fn(io::Error) -> OpenError {
    let path = path.display().to_string();
    move |error| OpenError::Io {
        path: path.clone(),
        reason: format!("{error}; it must be a writable directory of the user hookwell runs as, on a disk with space"),
    }
}
