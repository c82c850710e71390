//! One file of the journal: a head and frames, appended to until it is full, then only read.
//!
//! ```text
//! "HOOKWELL" · format u32 · signature of the store's frames 8 · number u64 · first frame u64 · number of the segment before u64 · its length u64 ·
//! time i64 · crc32 of the above u32
//! ```
//! "Its length" is how far the segment before counts: frames beyond it were written and never acknowledged, because
//! the disk failed, and the journal went on here.

use super::{
    bytes::Reader,
    fault::Fault,
    frame::{self, Header, Signature},
};
use bytes::Bytes;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

/// The format of segments that this release writes.
pub(super) const FORMAT: u32 = 2;
pub(super) const HEADER_BYTES: usize = 64;
const MAGIC: &[u8; 8] = b"HOOKWELL";

/// The head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The same in all segments of a store.
    pub(super) signature: Signature,
    pub(super) number: u64,
    pub(super) first_frame: u64,
    /// The segment before and how many of its bytes count; 0 when this is the first.
    pub(super) before: (u64, u64),
    /// When it was made, in milliseconds since 1970.
    pub(super) time: i64,
}

impl Head {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(FORMAT.to_be_bytes());
        out.extend(self.signature);
        for number in [self.number, self.first_frame, self.before.0, self.before.1] {
            out.extend(number.to_be_bytes());
        }
        out.extend(self.time.to_be_bytes());
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out
    }

    /// `None` when it is not the head of a segment of this format.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..HEADER_BYTES)?;
        let mut reader = Reader(head);
        if reader.bytes(8)? != MAGIC || reader.u32()? != FORMAT {
            return None;
        }
        let signature = reader.array()?;
        let (number, first_frame) = (reader.u64()?, reader.u64()?);
        let (before, time) = ((reader.u64()?, reader.u64()?), reader.i64()?);
        (reader.u32()? == crc32fast::hash(&head[..HEADER_BYTES - 4])).then_some(Self {
            signature,
            number,
            first_frame,
            before,
            time,
        })
    }
}

/// Where a segment is.
pub(super) fn path(journal: &Path, number: u64) -> PathBuf {
    journal.join(format!("{number:012}.segment"))
}

/// The numbers of the segments in a folder, ascending; none where there is no folder.
pub(super) fn list(journal: &Path) -> Result<Vec<u64>, Fault> {
    let io = Fault::io(journal);
    let mut numbers = Vec::new();
    let entries = match fs::read_dir(journal) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
        Err(error) => return Err(io(error)),
    };
    for entry in entries {
        let name = entry.map_err(&io)?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".segment"));
        numbers.extend(stem.and_then(|stem| stem.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The head of a segment that is there; `None` when it is damaged or was never finished.
pub(super) fn read_head(journal: &Path, number: u64) -> Result<Option<Head>, Fault> {
    let path = path(journal, number);
    let io = Fault::io(&path);
    let file = File::open(&path).map_err(&io)?;
    let mut bytes = [0; HEADER_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => Ok(Head::decode(&bytes).filter(|head| head.number == number)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(io(error)),
    }
}

/// The findings of a walk over a segment, in order.
pub(super) enum Found {
    /// A whole frame, and where its payload begins.
    Frame { header: Header, payload_at: u64, payload: Bytes },
    /// Bytes that are no frame, from here to there; `frame` when their head could be read.
    Damage { from: u64, to: u64, frame: Option<Header> },
}

/// A segment read as a whole.
pub(super) struct Walk {
    bytes: Bytes,
    signature: Signature,
    at: usize,
    /// The end of the last whole frame so far.
    pub(super) valid_bytes: u64,
}

impl Walk {
    /// Reads a segment up to `bytes_max`. One read of everything: segments are bounded, and opening reads only those
    /// that have no index.
    pub(super) fn read(journal: &Path, number: u64, bytes_max: u64, signature: Signature) -> Result<Self, Fault> {
        let path = path(journal, number);
        let io = Fault::io(&path);
        let file = File::open(&path).map_err(&io)?;
        let len = file.metadata().map_err(&io)?.len().min(bytes_max);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, 0).map_err(&io)?;
        Ok(Self { bytes: bytes.into(), signature, at: HEADER_BYTES, valid_bytes: HEADER_BYTES as u64 })
    }

    /// How many bytes were read.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let at = self.at;
        let header = frame::header(&self.bytes[at..], self.signature);
        let payload_at = at + frame::HEADER_BYTES;
        if let Some(header) = header
            && let Some(end) = payload_at.checked_add(header.payload_bytes).filter(|end| *end <= self.bytes.len())
        {
            let payload = self.bytes.slice(payload_at..end);
            self.at = end;
            if header.is_of(&payload) {
                self.valid_bytes = end as u64;
                return Some(Found::Frame { header, payload_at: payload_at as u64, payload });
            }
            return Some(Found::Damage { from: at as u64, to: end as u64, frame: Some(header) });
        }
        self.at = frame::next(&self.bytes, self.signature, at + 1).unwrap_or(self.bytes.len());
        Some(Found::Damage { from: at as u64, to: self.at as u64, frame: header })
    }
}

/// The segment that is being written.
#[derive(Debug)]
pub(super) struct Appender {
    file: File,
    path: PathBuf,
    /// Everything before is durable.
    pub(super) len: u64,
    sync_data: bool,
}

impl Appender {
    /// Makes a new segment with its head and first frame, durable with its name.
    pub(super) fn create(journal: &Path, head: &Head, frame: &[u8], sync_data: bool) -> Result<Self, Fault> {
        let path = path(journal, head.number);
        let io = Fault::io(&path);
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(&path).map_err(&io)?;
        let mut appender = Self { file, path: path.clone(), len: 0, sync_data };
        let written = (|| {
            let mut bytes = head.encode();
            bytes.extend(frame);
            appender.file.write_all_at(&bytes, 0)?;
            appender.len = bytes.len() as u64;
            if sync_data {
                appender.file.sync_all()?;
                File::open(journal)?.sync_all()?;
            }
            Ok(())
        })();
        if let Err(error) = written {
            // Nobody was told of it; where it cannot be removed, opening sees that it was never finished.
            let _ = fs::remove_file(&path);
            return Err(io(error));
        }
        Ok(appender)
    }

    /// Goes on with a segment that counts up to `len`; what lies behind was never acknowledged and is cut off.
    pub(super) fn resume(journal: &Path, number: u64, len: u64, sync_data: bool) -> Result<Self, Fault> {
        let path = path(journal, number);
        let resume = || {
            let file = File::options().read(true).write(true).open(&path)?;
            if file.metadata()?.len() != len {
                file.set_len(len)?;
                file.sync_all()?;
            }
            Ok(file)
        };
        let file = resume().map_err(Fault::io(&path))?;
        Ok(Self { file, path, len, sync_data })
    }

    /// Appends a frame, durable when it returns. After an error the segment counts only up to the length before, and
    /// nothing is written to it any more.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), Fault> {
        let io = Fault::io(&self.path);
        self.file.write_all_at(frame, self.len).map_err(&io)?;
        if self.sync_data {
            self.file.sync_data().map_err(&io)?;
        }
        self.len += frame.len() as u64;
        Ok(())
    }
}
