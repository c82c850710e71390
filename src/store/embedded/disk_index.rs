//! Reading the index of a sealed segment: see [`super::index`] for the file.

use super::{
    bytes::Reader,
    fault::Fault,
    index::{
        BLOCK_BYTES, BlockRef, FORMAT, HEAD_BYTES, KEY_BYTES, KEYS_PER_CHUNK, MAGIC, MemoryIndex, RUN_BYTES, Run, hash,
        path,
    },
};
use crate::store::Log;
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};
use uuid::Uuid;

/// The index of a sealed segment: opened with little in memory, read where something is looked for.
#[derive(Debug)]
pub(super) struct DiskIndex {
    path: PathBuf,
    pub(super) valid_bytes: u64,
    pub(super) runs: Vec<Run>,
    keys: usize,
    chunks: Vec<u32>,
    keys_at: u64,
    blocks: Section,
    /// Where each 64th block begins; read when first needed.
    fences: OnceLock<Vec<(Log, u64)>>,
}

#[derive(Debug)]
struct Section {
    at: u64,
    count: usize,
    crc: u32,
}

/// Blocks between two fences.
const BLOCKS_PER_FENCE: usize = 64;

impl DiskIndex {
    /// Writes the index of a segment and opens it.
    pub(super) fn make(memory: &MemoryIndex, journal: &Path, segment: u64, valid_bytes: u64) -> Result<Self, Fault> {
        memory.write(journal, segment, valid_bytes)?;
        let missing =
            || Fault::Io(format!("{}: it does not hold what was written to it", path(journal, segment).display()));
        Self::open(journal, segment, Some(valid_bytes))?.ok_or_else(missing)
    }

    /// Opens the index of a segment. `None` when there is none, or none that can be used: not whole, or not of so many
    /// bytes of the segment.
    pub(super) fn open(journal: &Path, segment: u64, valid_bytes: Option<u64>) -> Result<Option<Self>, Fault> {
        let path = path(journal, segment);
        let io = Fault::io(&path);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let len = file.metadata().map_err(&io)?.len();
        let Some(head) = read(&file, 0, HEAD_BYTES, len).map_err(&io)? else { return Ok(None) };
        let Some(mut index) = Self::head(path.clone(), &head, segment) else { return Ok(None) };
        if valid_bytes.is_some_and(|valid_bytes| valid_bytes != index.valid_bytes) {
            return Ok(None);
        }
        let runs = usize::try_from(Reader(&head[36..]).u32().unwrap_or(0)).unwrap_or(usize::MAX);
        let chunks = index.keys.div_ceil(KEYS_PER_CHUNK);
        let Some(middle_bytes) = runs.checked_mul(RUN_BYTES).and_then(|bytes| bytes.checked_add(chunks * 4)) else {
            return Ok(None);
        };
        index.keys_at = (HEAD_BYTES + middle_bytes + index.keys * 8) as u64;
        index.blocks.at = index.keys_at + (index.keys * KEY_BYTES) as u64;
        if index.blocks.at + (index.blocks.count * BLOCK_BYTES) as u64 != len {
            return Ok(None);
        }
        let Some(middle) = read(&file, HEAD_BYTES as u64, middle_bytes, len).map_err(&io)? else { return Ok(None) };
        if Reader(&head[48..]).u32() != Some(crc32fast::hash(&middle)) {
            return Ok(None);
        }
        let mut reader = Reader(&middle);
        for _ in 0..runs {
            let Some(run) = run(&mut reader) else { return Ok(None) };
            index.runs.push(run);
        }
        for _ in 0..chunks {
            index.chunks.extend(reader.u32());
        }
        Ok(Some(index))
    }

    fn head(path: PathBuf, head: &[u8], segment: u64) -> Option<Self> {
        let mut reader = Reader(head);
        if reader.bytes(8)? != MAGIC || reader.u32()? != FORMAT || reader.u64()? != segment {
            return None;
        }
        let valid_bytes = reader.u64()?;
        let (blocks, keys, _runs) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let blocks = Section { at: 0, count: usize::try_from(blocks).ok()?, crc: reader.u32()? };
        let keys = usize::try_from(keys).ok()?;
        reader.bytes(8)?;
        if reader.u32()? != crc32fast::hash(&head[..HEAD_BYTES - 4]) {
            return None;
        }
        let (runs, chunks, fences) = (Vec::new(), Vec::new(), OnceLock::new());
        Some(Self { path, valid_bytes, runs, keys, chunks, keys_at: 0, blocks, fences })
    }

    /// The hashes of all keys; `None` when they are damaged.
    pub(super) fn hashes(&self) -> Result<Option<Vec<u64>>, Fault> {
        let io = Fault::io(&self.path);
        let file = File::open(&self.path).map_err(&io)?;
        let at = self.keys_at - (self.keys * 8) as u64;
        let mut head = [0; HEAD_BYTES];
        file.read_exact_at(&mut head, 0).map_err(&io)?;
        let mut bytes = vec![0; self.keys * 8];
        file.read_exact_at(&mut bytes, at).map_err(&io)?;
        if Reader(&head[44..]).u32() != Some(crc32fast::hash(&bytes)) {
            return Ok(None);
        }
        let (hashes, _) = bytes.as_chunks::<8>();
        Ok(Some(hashes.iter().map(|hash| u64::from_be_bytes(*hash)).collect()))
    }

    /// The position of a key. Hashes are spread evenly, so the place is guessed and hit with one read or two.
    pub(super) fn position(&self, log: Log, key: Uuid) -> Result<Option<u64>, Fault> {
        if self.keys == 0 {
            return Ok(None);
        }
        let file = self.file()?;
        let wanted = (hash(log, key), key, log);
        let guess = (u128::from(wanted.0) * self.keys as u128) >> 64;
        let mut chunk = usize::try_from(guess).unwrap_or(0) / KEYS_PER_CHUNK;
        let (mut below, mut above) = (0, self.chunks.len());
        loop {
            let keys = self.chunk(&file, chunk)?;
            if let Ok(found) = keys.binary_search_by(|(hash, key, log, _)| (*hash, *key, *log).cmp(&wanted)) {
                return Ok(Some(keys[found].3));
            }
            let is_before = keys.first().is_some_and(|(hash, key, log, _)| wanted < (*hash, *key, *log));
            let is_behind = keys.last().is_some_and(|(hash, key, log, _)| wanted > (*hash, *key, *log));
            if is_before {
                above = chunk;
            } else if is_behind {
                below = chunk + 1;
            } else {
                return Ok(None);
            }
            if below >= above {
                return Ok(None);
            }
            // A neighbour is the likely one; when it is not, halving bounds the number of reads.
            chunk = if is_before { above - 1 } else { below };
            if above - below > 8 && chunk.abs_diff(usize::try_from(guess).unwrap_or(0) / KEYS_PER_CHUNK) > 2 {
                chunk = below.midpoint(above);
            }
        }
    }

    fn chunk(&self, file: &File, chunk: usize) -> Result<Vec<(u64, Uuid, Log, u64)>, Fault> {
        let first = chunk * KEYS_PER_CHUNK;
        let count = KEYS_PER_CHUNK.min(self.keys - first);
        let mut bytes = vec![0; count * KEY_BYTES];
        self.read_exact(file, &mut bytes, self.keys_at + (first * KEY_BYTES) as u64)?;
        if self.chunks.get(chunk) != Some(&crc32fast::hash(&bytes)) {
            return Err(self.damaged());
        }
        let mut reader = Reader(&bytes);
        let mut next = || {
            let (key, place) = (Uuid::from_bytes(reader.array()?), reader.u64()?);
            let log = Log::ALL.into_iter().find(|log| u64::from(*log as u8) == place >> 56)?;
            Some((hash(log, key), key, log, place & ((1 << 56) - 1)))
        };
        (0..count).map(|_| next().ok_or_else(|| self.damaged())).collect()
    }

    /// The block that holds a position.
    pub(super) fn block(&self, log: Log, position: u64) -> Result<Option<BlockRef>, Fault> {
        let file = self.file()?;
        let fences = if let Some(fences) = self.fences.get() {
            fences
        } else {
            let read = self.read_fences(&file)?;
            self.fences.get_or_init(|| read)
        };
        let fence = fences.partition_point(|fence| *fence <= (log, position));
        let Some(first) = fence.checked_sub(1).map(|fence| fence * BLOCKS_PER_FENCE) else { return Ok(None) };
        let count = BLOCKS_PER_FENCE.min(self.blocks.count - first);
        let mut bytes = vec![0; count * BLOCK_BYTES];
        self.read_exact(&file, &mut bytes, self.blocks.at + (first * BLOCK_BYTES) as u64)?;
        let mut reader = Reader(&bytes);
        let mut found = None;
        for _ in 0..count {
            let block = block(&mut reader).ok_or_else(|| self.damaged())?;
            if (block.log, block.first) <= (log, position) {
                found = Some(block);
            }
        }
        Ok(found.filter(|block| block.log == log && position <= block.last()))
    }

    /// Reads all blocks once, to check them; keeps every 64th.
    fn read_fences(&self, file: &File) -> Result<Vec<(Log, u64)>, Fault> {
        let mut bytes = vec![0; self.blocks.count * BLOCK_BYTES];
        self.read_exact(file, &mut bytes, self.blocks.at)?;
        if crc32fast::hash(&bytes) != self.blocks.crc {
            return Err(self.damaged());
        }
        let mut reader = Reader(&bytes);
        let mut fences = Vec::new();
        for number in 0..self.blocks.count {
            let block = block(&mut reader).ok_or_else(|| self.damaged())?;
            if number % BLOCKS_PER_FENCE == 0 {
                fences.push((block.log, block.first));
            }
        }
        Ok(fences)
    }

    /// How many entries it tells of.
    pub(super) fn entries(&self) -> u64 {
        self.runs.iter().map(|run| run.last - run.first + 1).sum()
    }

    fn file(&self) -> Result<Arc<File>, Fault> {
        File::open(&self.path).map(Arc::new).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => self.damaged(),
            _ => Fault::io(&self.path)(error),
        })
    }

    fn read_exact(&self, file: &File, bytes: &mut [u8], at: u64) -> Result<(), Fault> {
        file.read_exact_at(bytes, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(),
            _ => Fault::io(&self.path)(error),
        })
    }

    fn damaged(&self) -> Fault {
        Fault::Damaged(format!("{} is not what was written; it is made again from its segment", self.path.display()))
    }
}

fn run(reader: &mut Reader<'_>) -> Option<Run> {
    let log = reader.u8()?;
    let log = Log::ALL.into_iter().find(|known| *known as u8 == log)?;
    let (first, last) = (reader.u64()?, reader.u64()?);
    (first > 0 && first <= last).then_some(Run { log, first, last })
}

fn block(reader: &mut Reader<'_>) -> Option<BlockRef> {
    let log = reader.u8()?;
    let log = Log::ALL.into_iter().find(|known| *known as u8 == log)?;
    let (first, count) = (reader.u64()?, reader.u32()?);
    let (offset, len, time) = (reader.u64()?, reader.u32()?, reader.i64()?);
    (count > 0).then_some(BlockRef { log, first, count, offset, len, time })
}

/// So many bytes from there, or `None` when the file is not that long.
fn read(file: &File, at: u64, len: usize, file_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    if at + len as u64 > file_bytes {
        return Ok(None);
    }
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, at)?;
    Ok(Some(bytes))
}
