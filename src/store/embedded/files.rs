//! The data directory: its format, its lock, and the names in it made durable. Everything in it is its owner's alone.
//!
//! ```text
//! format      2
//! lock        held for as long as the store is open
//! journal/    segments and their indexes
//! marks       the newest acknowledged positions
//! state/      the registry once more, in sled
//! ```

use super::segment;
use crate::store::OpenError;
use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The newest format this release reads, and the one it writes.
const FORMAT: u32 = segment::FORMAT;
/// A child between fork and exec holds its parent's locks: one that is gone in this time was nobody's.
const LOCK_PATIENCE: Duration = Duration::from_millis(250);

/// A locked data directory. Dropping it unlocks it.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    is_new: bool,
    _lock: Option<File>,
}

impl DataDir {
    /// Creates it where it is absent, locks it and checks its format.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.try_exists().map_err(unusable(path))? {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable(path))?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_dir(parent).map_err(unusable(parent))?;
            }
        }
        let lock_path = path.join("lock");
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&lock_path).map_err(unusable(&lock_path))?;
        take_lock(&lock, path)?;
        let mut dir = Self { path: path.to_owned(), is_new: false, _lock: Some(lock) };
        dir.is_new = !dir.check_format()? && !dir.has_store();
        let journal = dir.journal();
        if !journal.try_exists().map_err(unusable(&journal))? {
            let mut builder = DirBuilder::new();
            builder.mode(0o700).create(&journal).map_err(unusable(&journal))?;
            dir.sync()?;
        }
        Ok(dir)
    }

    /// Only to read it: creates nothing.
    pub(super) fn examine(path: &Path) -> Result<Self, OpenError> {
        let nothing = || OpenError::Io {
            path: path.display().to_string(),
            reason: "there is no store in it yet; `hookwell serve` makes one, or check the path".into(),
        };
        let lock = match File::open(path.join("lock")) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(unusable(path)(error)),
        };
        if let Some(lock) = &lock {
            take_lock(lock, path)?;
        }
        let dir = Self { path: path.to_owned(), is_new: false, _lock: lock };
        let has_format = dir.check_format()?;
        if has_format || dir.has_store() { Ok(dir) } else { Err(nothing()) }
    }

    /// Whether nothing was ever stored in it.
    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// The last step of the first opening, and again when the file is gone.
    pub(super) fn write_format(&self) -> Result<(), OpenError> {
        let path = self.path.join("format");
        if path.exists() {
            return Ok(());
        }
        let write = || {
            let draft = self.path.join("format.new");
            fs::write(&draft, format!("{FORMAT}\n"))?;
            fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
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
        let path = self.path.display().to_string();
        match text.trim().parse() {
            Ok(FORMAT) => Ok(true),
            Ok(found) if found > FORMAT => Err(OpenError::Newer { path, found, known: FORMAT }),
            Ok(found) => Err(OpenError::Older { path, found, known: FORMAT }),
            // The segments tell their format too.
            Err(_) if self.has_store() => Ok(true),
            Err(_) => Err(OpenError::Corrupt {
                path: self.path.join("format").display().to_string(),
                what: format!("it does not hold a format number; if nothing else is damaged, write {FORMAT} into it"),
            }),
        }
    }

    /// Whether something of a store is there, whatever became of its format file.
    fn has_store(&self) -> bool {
        let has_segments = || segment::list(&self.journal()).is_ok_and(|numbers| !numbers.is_empty());
        // The first opening makes it last of all.
        let has_state = || fs::read_dir(self.state()).is_ok_and(|mut entries| entries.next().is_some());
        self.path.join("marks").exists() || has_segments() || has_state()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.path.join("state")
    }

    /// Makes the names in it durable.
    pub(super) fn sync(&self) -> Result<(), OpenError> {
        sync_dir(&self.path).map_err(unusable(&self.path))
    }
}

fn take_lock(lock: &File, path: &Path) -> Result<(), OpenError> {
    let started = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_PATIENCE => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => return Err(unusable(path)(error)),
        }
    }
}

/// Bytes of all files in a folder.
pub(super) fn disk_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let files = entries.flatten().filter_map(|entry| entry.metadata().ok()).filter(fs::Metadata::is_file);
    files.map(|file| file.len()).sum()
}

/// Why not to write, when less than the minimum is free.
pub(super) fn shortage(folder: &Path, free_bytes_min: u64) -> Option<String> {
    match rustix::fs::statvfs(folder) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            (free < free_bytes_min).then(|| {
                let path = folder.display();
                format!("{path} has {free} bytes free, {free_bytes_min} are needed; free some space")
            })
        }
        Err(error) => Some(format!("{} cannot be examined: {error}", folder.display())),
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
