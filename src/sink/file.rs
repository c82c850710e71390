//! Events as JSON lines in a file, rotated by size: `events.jsonl`, `events.jsonl.1` the one before, and so on.
//!
//! A call that went well is on the disk. A line that a crash tore stays where it is, ends with its line and is followed
//! by the same event whole. The file is opened by its name below the configured directory alone, and never through a
//! link: whoever may make sinks may write nowhere else. It is open and locked for the length of a call, so several sinks
//! may write to one file, and whoever rotates files on their own does no harm.

mod folder;

use self::folder::Folder;
use super::{Attempt, Error, Outgoing, Sink, Tools, Unusable, judged::alike};
use crate::{clock::Clock, domain::FileLog};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    fs::File,
    io::{self, Write as _},
    sync::Arc,
    time::Duration,
};

/// Most lines that are written and synced at once.
const BATCH_EVENTS_MAX: usize = 500;
/// How long the disk may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Most characters of a file's name.
const NAME_CHARS_MAX: usize = 100;
/// Smallest size at which a file is put aside: below it rotation is all that would be done.
pub(super) const ROTATE_BYTES_MIN: u64 = 4 << 10;
/// Most files that are kept beside the current one.
pub(super) const FILES_KEPT_MAX: u32 = 1_000;

/// A file and those before it.
pub(super) struct Files {
    place: Arc<Place>,
    clock: Arc<dyn Clock>,
}

/// Which file, and when it is put aside.
struct Place {
    folder: Folder,
    settings: FileLog,
}

/// The file that is written to: open, locked, ending with a whole line of this many bytes in all.
struct Current {
    file: File,
    bytes: u64,
}

impl Files {
    /// Nothing is opened before there is something to write.
    pub(super) fn open(settings: &FileLog, tools: &Tools) -> Result<Self, Unusable> {
        let unusable = |said: &str| Err(Unusable(said.to_owned()));
        let Some(directory) = &tools.directory else {
            return unusable("this gateway has no directory for files of sinks; start it with --sink-dir");
        };
        if !plain(&settings.name) {
            return unusable(
                "the file's name must be of letters, figures, dots, dashes and underscores, and begin with none of the signs",
            );
        }
        if settings.rotate_bytes < ROTATE_BYTES_MIN || settings.files_kept > FILES_KEPT_MAX {
            return unusable("a file is put aside at 4096 bytes or more, and at most 1000 are kept");
        }
        let place = Place { folder: Folder::at(directory), settings: settings.clone() };
        Ok(Self { place: Arc::new(place), clock: Arc::clone(&tools.clock) })
    }
}

/// Nothing that is a path, hidden, or that a shell or a rotation would take for something else.
fn plain(name: &str) -> bool {
    name.len() <= NAME_CHARS_MAX
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

impl Place {
    fn write(&self, lines: &[Bytes]) -> io::Result<()> {
        let Self { folder, settings } = self;
        let mut current = folder.current(&settings.name)?;
        let mut unwritten = Vec::new();
        for line in lines {
            let bytes = (unwritten.len() + line.len() + 1) as u64;
            if current.bytes + bytes > settings.rotate_bytes && current.bytes + unwritten.len() as u64 > 0 {
                current.append(&std::mem::take(&mut unwritten))?;
                folder.rotate(&settings.name, settings.files_kept)?;
                current = folder.current(&settings.name)?;
            }
            unwritten.extend_from_slice(line);
            unwritten.push(b'\n');
        }
        current.append(&unwritten)
    }
}

impl Current {
    /// All of the lines, synced, or none: what a full disk cut off is taken back.
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(lines).and_then(|()| self.file.sync_data());
        if written.is_err() {
            let _ = self.file.set_len(self.bytes);
        }
        self.bytes += lines.len() as u64;
        written
    }
}

#[async_trait]
impl Sink for Files {
    fn batch_events_max(&self) -> usize {
        BATCH_EVENTS_MAX
    }

    async fn deliver(&self, batch: &[Outgoing]) -> Vec<Attempt> {
        let begun = self.clock.monotonic();
        let lines: Vec<_> = batch.iter().map(|event| event.json.clone()).collect();
        let place = Arc::clone(&self.place);
        let write = move || place.write(&lines);
        let written = tokio::time::timeout(WRITE_TIMEOUT, tokio::task::spawn_blocking(write)).await;
        let written = match written {
            Ok(done) => done.unwrap_or_else(|error| Err(io::Error::other(error))),
            Err(_) => Err(io::Error::other("the disk takes too long")),
        };
        let result = written.map_err(|error| Error::transient(format!("the file cannot be written: {error}")));
        alike(batch, result, self.clock.monotonic().saturating_sub(begun))
    }
}

#[cfg(test)]
mod tests;
