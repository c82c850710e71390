//! The directory of a sink's files. Every name is looked up in the opened directory and taken for itself: no link is
//! followed, nothing but a plain file with one name is opened, and nothing is waited for (a pipe, another's lock).

use super::Current;
use rustix::fs::{self, AtFlags, FlockOperation, Mode, OFlags};
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

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
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
        let safe = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
        let opened = fs::openat(&folder, name, flags | safe, mode);
        let opened = opened.map_err(|error| match error {
            rustix::io::Errno::LOOP => io::Error::other("it is a link, and links are not followed"),
            error => error.into(),
        })?;
        let mut file = File::from(opened);
        let metadata = file.metadata()?;
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(io::Error::other("it is no plain file with one name"));
        }
        fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => io::Error::other("another sink or process writes to it"),
            error => error.into(),
        })?;
        let mut bytes = metadata.len();
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
