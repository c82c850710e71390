//! The directory of a sink's files. Every name is looked up in the opened directory and taken for itself: no link is
//! followed, nothing but a plain file with one name is opened, and nothing is waited for without a limit.

use super::Current;
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// How often and how long a file that another writer holds is waited for: a write takes milliseconds.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Where files are.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// The administrator's own path may have links in it.
    fn opened(&self) -> io::Result<OwnedFd> {
        std::fs::create_dir_all(&self.0)?;
        Ok(fs::open(&self.0, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    /// The current file, made if there is none; a line that was torn is ended.
    pub(super) fn current(&self, name: &str) -> io::Result<Current> {
        let folder = self.opened()?;
        let mut file = locked(&folder, name)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                bytes += 1;
            }
        } else {
            // A new name is on the disk only with its directory.
            fs::fsync(&folder)?;
        }
        Ok(Current { file, bytes })
    }

    /// Counts every file up by one, the current one to `.1`; what is beyond `kept` is deleted.
    pub(super) fn rotate(&self, name: &str, kept: u32) -> io::Result<()> {
        let folder = self.opened()?;
        let numbered = |number: u32| if number == 0 { name.to_owned() } else { format!("{name}.{number}") };
        let absent = |result: rustix::io::Result<()>| match result {
            Err(rustix::io::Errno::NOENT) => Ok(()),
            result => result,
        };
        absent(fs::unlinkat(&folder, numbered(kept), AtFlags::empty()))?;
        for number in (0..kept).rev() {
            absent(fs::renameat(&folder, numbered(number), &folder, numbered(number + 1)))?;
        }
        Ok(fs::fsync(&folder)?)
    }
}

/// Opened and locked, and still the file of that name: another writer may have put it aside in between.
fn locked(folder: &OwnedFd, name: &str) -> io::Result<File> {
    for _ in 0..LOCK_TRIES {
        let file = opened(folder, name)?;
        match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let (ours, named) = (file.metadata()?, fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW));
                if named.is_ok_and(|named| (named.st_dev, named.st_ino) == (ours.dev(), ours.ino())) {
                    return Ok(file);
                }
            }
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_PAUSE),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other("another process has it locked"))
}

fn opened(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
    let safe = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = fs::openat(folder, name, flags | safe, Mode::RUSR | Mode::WUSR | Mode::RGRP);
    let file = File::from(opened.map_err(|error| match error {
        rustix::io::Errno::LOOP => io::Error::other("it is a link, and links are not followed"),
        error => error.into(),
    })?);
    let metadata = file.metadata()?;
    // Of two names the other may be anywhere; none at all is a file that was just put aside.
    if !metadata.is_file() || metadata.nlink() > 1 {
        return Err(io::Error::other("it is no plain file with one name"));
    }
    Ok(file)
}
