//! The answers that a worker got from the store, one line each in a file outside of the store's directory. A line is written
//! before anything else happens, and survives the worker.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    fs::{self, File},
    io::Write as _,
    path::Path,
};

/// Everything that the store said, and what it was asked.
#[derive(Debug, Default, Clone)]
pub(super) struct Witness {
    /// Notifications that it was asked to append.
    pub(super) tried: BTreeSet<u64>,
    /// Notifications that it acknowledged, and where.
    pub(super) appended: BTreeMap<u64, u64>,
    /// Positions whose settlement it acknowledged; `true` when an event came of it.
    pub(super) settled: BTreeMap<u64, bool>,
    /// Notifications before this second may have been trimmed.
    pub(super) trim_tried: u64,
    /// The newest acknowledged end of what is trimmed.
    pub(super) trimmed: u64,
    /// Commits of the registry that it was asked for, by number; the newest is the last.
    pub(super) commits_tried: BTreeSet<u64>,
    /// The newest that it acknowledged.
    pub(super) committed: Option<u64>,
    /// The revision it had then.
    pub(super) revision: u64,
    /// The last line of a worker that came to its end by itself.
    pub(super) end: Option<String>,
}

impl Witness {
    pub(super) fn read(path: &Path) -> Self {
        let mut witness = Self::default();
        let Ok(text) = fs::read_to_string(path) else { return witness };
        // A line without its end was never finished: the worker was killed while it wrote.
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            witness.hear(line);
        }
        witness
    }

    fn hear(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let numbers: Vec<u64> = rest.split(' ').map_while(|number| number.parse().ok()).collect();
        match (word, numbers.as_slice()) {
            ("appending", [number]) => _ = self.tried.insert(*number),
            ("appended", [number, position]) => _ = self.appended.insert(*number, *position),
            ("settled", [position, told]) => _ = self.settled.insert(*position, *told == 1),
            ("trimming", [before]) => self.trim_tried = self.trim_tried.max(*before),
            ("trimmed", [position]) => self.trimmed = self.trimmed.max(*position),
            ("committing", [number]) => _ = self.commits_tried.insert(*number),
            ("committed", [number, revision]) => {
                self.committed = Some(*number);
                self.revision = *revision;
            }
            ("end", _) => self.end = Some(rest.to_owned()),
            _ => panic!("a witness says: {line}"),
        }
    }
}

/// Writes what happens, and keeps it.
#[derive(Debug)]
pub(super) struct Notes {
    file: File,
    pub(super) so_far: Witness,
}

impl Notes {
    /// Goes on with what is there.
    pub(super) fn open(path: &Path) -> Self {
        let so_far = Witness { end: None, ..Witness::read(path) };
        let file = File::options().append(true).create(true).open(path).unwrap();
        Self { file, so_far }
    }

    pub(super) fn say(&mut self, line: impl Display) {
        let line = line.to_string().replace('\n', " ");
        self.file.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.so_far.hear(&line);
    }
}
