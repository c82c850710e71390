//! The newest acknowledged positions, kept apart from the journal, so that a journal which ends early is known to.
//!
//! ```text
//! two slots of 512 bytes, written in turn:
//! "HKWMARKS" · signature of frames 8 · count u64 · frame u64 · segment u64 · its length u64 · revision u64 · time i64 · logs × position u64 ·
//! crc32 of the above u32
//! ```
//! They are written after every commit and synced now and then only: a crash of the process loses nothing of them, and a
//! power cut may leave older ones, which are true too. They are never ahead of the journal. Where they are missing or
//! damaged the journal is taken as it is.

use super::{bytes::Reader, fault::Fault, frame::Signature};
use crate::store::Log;
use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 8] = b"HKWMARKS";
const SLOT_BYTES: usize = 512;

/// The newest acknowledged state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// The first bytes of every frame, for a journal whose heads are damaged.
    pub(super) signature: Signature,
    /// The newest frame.
    pub(super) frame: u64,
    /// The segment it is in.
    pub(super) segment: u64,
    /// How far that segment counts.
    pub(super) segment_bytes: u64,
    /// The registry's revision.
    pub(super) revision: u64,
    /// Milliseconds since 1970.
    pub(super) time: i64,
    /// The newest position of each log.
    pub(super) last: [u64; Log::ALL.len()],
}

/// The file, being written.
#[derive(Debug)]
pub(super) struct MarksFile {
    path: PathBuf,
    file: Option<File>,
    count: u64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join("marks")
}

/// The newest marks and their count; `None` when there are none that can be read.
pub(super) fn read(dir: &Path) -> Result<Option<(Marks, u64)>, Fault> {
    let path = path(dir);
    let io = Fault::io(&path);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let mut newest: Option<(Marks, u64)> = None;
    for slot in [0, SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        match file.read_exact_at(&mut bytes, slot as u64) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => continue,
            Err(error) => return Err(io(error)),
        }
        if let Some((marks, count)) = decode(&bytes)
            && newest.is_none_or(|(_, newest)| newest < count)
        {
            newest = Some((marks, count));
        }
    }
    Ok(newest)
}

fn encode(marks: &Marks, count: u64) -> [u8; SLOT_BYTES] {
    let mut out = MAGIC.to_vec();
    out.extend(marks.signature);
    for number in [count, marks.frame, marks.segment, marks.segment_bytes, marks.revision] {
        out.extend(number.to_be_bytes());
    }
    out.extend(marks.time.to_be_bytes());
    for position in marks.last {
        out.extend(position.to_be_bytes());
    }
    out.extend(crc32fast::hash(&out).to_be_bytes());
    let mut slot = [0; SLOT_BYTES];
    slot[..out.len()].copy_from_slice(&out);
    slot
}

fn decode(bytes: &[u8]) -> Option<(Marks, u64)> {
    let mut reader = Reader(bytes);
    if reader.bytes(8)? != MAGIC {
        return None;
    }
    let (signature, count) = (reader.array()?, reader.u64()?);
    let (frame, segment, segment_bytes, revision) = (reader.u64()?, reader.u64()?, reader.u64()?, reader.u64()?);
    let time = reader.i64()?;
    let mut last = [0; Log::ALL.len()];
    for position in &mut last {
        *position = reader.u64()?;
    }
    let len = bytes.len() - reader.0.len();
    let marks = Marks { signature, frame, segment, segment_bytes, revision, time, last };
    (reader.u32()? == crc32fast::hash(&bytes[..len])).then_some((marks, count))
}

/// A file of marks with these contents and checksums that hold.
#[cfg(any(test, fuzzing))]
pub(super) fn sealed(contents: &[u8]) -> Vec<u8> {
    /// Signature, six numbers and a position for each log.
    const CONTENTS_BYTES: usize = 8 + 6 * 8 + Log::ALL.len() * 8;
    let mut file = Vec::new();
    for slot in contents.chunks(CONTENTS_BYTES) {
        let mut bytes = [MAGIC.as_slice(), slot].concat();
        bytes.resize(MAGIC.len() + CONTENTS_BYTES, 0);
        bytes.extend(crc32fast::hash(&bytes).to_be_bytes());
        bytes.resize(SLOT_BYTES, 0);
        file.extend(bytes);
    }
    file
}

impl MarksFile {
    /// Goes on after `count`. The file is made when it is first written.
    pub(super) fn new(dir: &Path, count: u64) -> Self {
        Self { path: path(dir), file: None, count }
    }

    /// Writes the next slot. A failure is no failure of the commit: older marks are true too.
    pub(super) fn write(&mut self, marks: &Marks) {
        let file = self.file.take().map_or_else(|| self.open(), Ok);
        let written = file.and_then(|file| {
            let slot = (self.count + 1) % 2 * SLOT_BYTES as u64;
            file.write_all_at(&encode(marks, self.count + 1), slot)?;
            Ok(file)
        });
        match written {
            Ok(file) => {
                self.count += 1;
                self.file = Some(file);
            }
            Err(error) => tracing::debug!(%error, path = %self.path.display(), "the marks could not be written"),
        }
    }

    /// Makes the newest marks outlive a power cut, as far as the disk lets us.
    pub(super) fn sync(&self) {
        if let Some(file) = &self.file {
            let _ = file.sync_data();
        }
    }

    fn open(&self) -> io::Result<File> {
        File::options().write(true).create(true).truncate(false).mode(0o600).open(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_slot_counts() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_none());
        let mut file = MarksFile::new(dir.path(), 0);
        for frame in 1..=3 {
            file.write(&Marks { frame, ..Marks::default() });
        }
        assert_eq!(read(dir.path()).unwrap().unwrap().0.frame, 3);
        let damaged = File::options().write(true).open(path(dir.path())).unwrap();
        damaged.write_all_at(&[0xff], SLOT_BYTES as u64 + 28).unwrap();
        assert_eq!(read(dir.path()).unwrap().unwrap().0.frame, 2, "the slot before is whole");
    }
}
