//! The registry in memory, and its records as values of the tree.

use super::{
    db::{Fault, Write},
    layout::{self, CONTENT_BYTES_MAX, Reader},
};
use crate::store::{Change, Error, Expected, Versioned};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Version, length of the whole value.
const HEADER_BYTES: usize = 12;
const PART_BYTES_MAX: usize = CONTENT_BYTES_MAX - HEADER_BYTES;

/// All durable records.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    pub(super) revision: u64,
    /// As it was loaded.
    loaded: u64,
    /// Of the kinds that were changed since.
    revisions: BTreeMap<&'static str, u64>,
    records: BTreeMap<String, BTreeMap<String, Versioned>>,
}

/// Changes on their way: what readers do not see yet and the next change of the same commit must.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    changed: BTreeMap<(&'static str, String), Option<Versioned>>,
    /// The revision after these changes.
    revision: u64,
}

impl Mirror {
    /// Without records yet, at a revision.
    pub(super) fn at(revision: u64) -> Self {
        Self { revision, loaded: revision, ..Self::default() }
    }

    pub(super) fn revision_of(&self, kind: &str) -> u64 {
        self.revisions.get(kind).copied().unwrap_or(self.loaded)
    }

    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Versioned> {
        self.records.get(kind)?.get(id)
    }

    pub(super) fn list(&self, kind: &str) -> Vec<(String, Versioned)> {
        let records = self.records.get(kind).into_iter().flatten();
        records.map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    /// Makes a commit's changes visible, after they are durable.
    pub(super) fn publish(&mut self, overlay: Overlay) {
        self.revision = self.revision.max(overlay.revision);
        for ((kind, id), record) in overlay.changed {
            self.revisions.insert(kind, overlay.revision);
            match record {
                Some(record) => self.records.entry(kind.to_owned()).or_default().insert(id, record),
                None => self.records.get_mut(kind).and_then(|records| records.remove(&id)),
            };
        }
    }

    /// Takes up one value found in the tree, in key order.
    pub(super) fn load(&mut self, key: &[u8], content: &[u8]) -> Result<(), Fault> {
        self.load_part(key, content).ok_or_else(|| layout::damaged_key(key, "is not a registry record"))
    }

    fn load_part(&mut self, key: &[u8], content: &[u8]) -> Option<()> {
        let (kind, id, part) = parts(key)?;
        let mut reader = Reader(content);
        let (version, len) = (reader.u64()?, usize::try_from(reader.u32()?).ok()?);
        let records = self.records.entry(kind).or_default();
        let mut value = match part {
            0 => Vec::with_capacity(len),
            _ => records.remove(&id).filter(|record| record.version == version)?.value.to_vec(),
        };
        let is_in_place = value.len() == usize::from(part) * PART_BYTES_MAX;
        value.extend(reader.0);
        let is_whole = value.len() == len || value.len() == (usize::from(part) + 1) * PART_BYTES_MAX;
        records.insert(id, Versioned { version, value: value.into() });
        (is_in_place && is_whole && version <= self.revision).then_some(())
    }
}

impl Overlay {
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// Stages one commit: all of it or nothing.
    pub(super) fn stage(&mut self, mirror: &Mirror, changes: Vec<Change>) -> Result<Vec<u64>, Error> {
        let mut staged = Self { changed: BTreeMap::new(), revision: self.revision.max(mirror.revision) };
        let mut versions = Vec::with_capacity(changes.len());
        for Change { kind, id, expected, value } in changes {
            let key = (kind, id);
            let pending = staged.changed.get(&key).or_else(|| self.changed.get(&key));
            let found = pending.map_or_else(|| mirror.get(kind, &key.1), Option::as_ref).map(|record| record.version);
            let holds = match expected {
                Expected::Any => true,
                Expected::Absent => found.is_none(),
                Expected::Version(version) => found == Some(version),
            };
            if !holds {
                return Err(Error::Conflict);
            }
            staged.revision += 1;
            let version = staged.revision;
            versions.push(value.as_ref().map_or(0, |_| version));
            staged.changed.insert(key, value.map(|value| Versioned { version, value }));
        }
        self.revision = staged.revision;
        self.changed.extend(staged.changed);
        Ok(versions)
    }

    /// The tree's writes for everything staged.
    pub(super) fn write(&self, mirror: &Mirror, writes: &mut Vec<Write>) {
        if self.is_empty() {
            return;
        }
        let revision = layout::seal(layout::REVISION_KEY, &self.revision.to_be_bytes());
        writes.push((layout::REVISION_KEY.to_vec(), Some(revision)));
        for ((kind, id), record) in &self.changed {
            let parts = record.as_ref().map_or(0, |record| part_count(&record.value));
            let stale = mirror.get(kind, id).map_or(0, |record| part_count(&record.value));
            for part in parts..stale {
                writes.push((layout::record_key(kind, id, part), None));
            }
            for part in 0..parts {
                let key = layout::record_key(kind, id, part);
                let content = record.as_ref().map_or_else(Vec::new, |record| part_content(record, part));
                writes.push((key.clone(), Some(layout::seal(&key, &content))));
            }
        }
    }
}

fn part_count(value: &Bytes) -> u8 {
    u8::try_from(value.len().div_ceil(PART_BYTES_MAX).max(1)).expect("a registry value is at most 256 KiB")
}

fn part_content(record: &Versioned, part: u8) -> Vec<u8> {
    let start = usize::from(part) * PART_BYTES_MAX;
    let end = record.value.len().min(start + PART_BYTES_MAX);
    let len = u32::try_from(record.value.len()).expect("a registry value is at most 256 KiB");
    let mut content = record.version.to_be_bytes().to_vec();
    content.extend(len.to_be_bytes());
    content.extend(&record.value[start..end]);
    content
}

fn parts(key: &[u8]) -> Option<(String, String, u8)> {
    let mut reader = Reader(key);
    reader.u8()?;
    let mut text = || {
        let len = reader.u8()?;
        String::from_utf8(reader.bytes(usize::from(len))?.to_vec()).ok()
    };
    let (kind, id) = (text()?, text()?);
    Some((kind, id, reader.u8()?))
}
