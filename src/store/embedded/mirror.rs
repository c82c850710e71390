//! The registry in memory, and its changes on their way to the journal.

use super::item::{self, Item};
use crate::store::{Change, Error, Expected, Versioned};
use bytes::Bytes;
use std::collections::BTreeMap;

/// All durable records.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    pub(super) revision: u64,
    /// By kind: the newest version, of records that were deleted too.
    revisions: BTreeMap<String, u64>,
    records: BTreeMap<String, BTreeMap<String, Versioned>>,
}

/// Changes on their way: what readers do not see yet and the next change of the same commit must.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    changed: BTreeMap<(&'static str, String), Changed>,
    /// The revision after these changes.
    revision: u64,
}

/// A record as it will be, and the revision that its change makes.
#[derive(Debug, Clone)]
struct Changed {
    version: u64,
    value: Option<Bytes>,
}

impl Mirror {
    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Versioned> {
        self.records.get(kind)?.get(id)
    }

    pub(super) fn revision_of(&self, kind: &str) -> u64 {
        self.revisions.get(kind).copied().unwrap_or_default()
    }

    pub(super) fn list(&self, kind: &str) -> Vec<(String, Versioned)> {
        let records = self.records.get(kind).into_iter().flatten();
        records.map(|(id, record)| (id.clone(), record.clone())).collect()
    }

    /// Every record by kind and id.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str, &Versioned)> {
        let of_kind = |(kind, records)| -> Box<dyn Iterator<Item = (&str, &str, &Versioned)>> {
            let records: &BTreeMap<String, Versioned> = records;
            let kind: &String = kind;
            Box::new(records.iter().map(move |(id, record)| (kind.as_str(), id.as_str(), record)))
        };
        self.records.iter().flat_map(of_kind)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.values().all(BTreeMap::is_empty)
    }

    /// Takes up one change.
    pub(super) fn apply(&mut self, kind: &str, id: &str, version: u64, value: Option<Bytes>) {
        self.revision = self.revision.max(version);
        match self.revisions.get_mut(kind) {
            Some(newest) => *newest = version.max(*newest),
            None => {
                self.revisions.insert(kind.to_owned(), version);
            }
        }
        match value {
            Some(value) => {
                self.records.entry(kind.to_owned()).or_default().insert(id.to_owned(), Versioned { version, value });
            }
            None => {
                self.records.get_mut(kind).and_then(|records| records.remove(id));
            }
        }
    }

    /// Makes a commit's changes visible, after they are durable.
    pub(super) fn publish(&mut self, overlay: &Overlay) {
        for ((kind, id), changed) in &overlay.changed {
            self.apply(kind, id, changed.version, changed.value.clone());
        }
        self.revision = self.revision.max(overlay.revision);
    }

    /// Everything, as items that tell it anew.
    pub(super) fn items(&self) -> Vec<Item> {
        let records = self.all().map(|(kind, id, record)| item::record(kind, id, record));
        records.chain([Item::Revision(self.revision)]).collect()
    }
}

impl Overlay {
    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// The revision after these changes; 0 when there are none.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// Stages one commit: all of it or nothing.
    pub(super) fn stage(&mut self, mirror: &Mirror, changes: Vec<Change>) -> Result<Vec<u64>, Error> {
        let mut staged = Self { changed: BTreeMap::new(), revision: self.revision.max(mirror.revision) };
        let mut versions = Vec::with_capacity(changes.len());
        for Change { kind, id, expected, value } in changes {
            let key = (kind, id);
            let found = match staged.changed.get(&key).or_else(|| self.changed.get(&key)) {
                Some(pending) => pending.value.is_some().then_some(pending.version),
                None => mirror.get(kind, &key.1).map(|record| record.version),
            };
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
            staged.changed.insert(key, Changed { version, value });
        }
        self.revision = staged.revision;
        self.changed.extend(staged.changed);
        Ok(versions)
    }

    /// The staged changes, as items.
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        self.changed.iter().map(|((kind, id), Changed { version, value })| Item::Record {
            kind: (*kind).to_owned(),
            id: id.clone(),
            version: *version,
            value: value.clone(),
        })
    }
}
