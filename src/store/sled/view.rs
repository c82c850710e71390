//! What the engine knows of its logs without asking the disk: which blocks there are, which keys, how far it goes.

use super::{block::Extent, keys::Keys};
use crate::store::{Log, Position};
use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};
use tokio::sync::watch;
use uuid::Uuid;

/// One log, shared between the writer and all readers. Only durable things are in it.
#[derive(Debug)]
pub(super) struct LogView {
    contents: RwLock<Contents>,
    tail: watch::Sender<Position>,
}

#[derive(Debug, Default)]
pub(super) struct Contents {
    /// By first position, without gaps from `trimmed` to `last`; the first one may begin before `trimmed`.
    pub(super) blocks: BTreeMap<u64, Extent>,
    pub(super) keys: Keys,
    pub(super) trimmed: u64,
    pub(super) last: u64,
}

impl LogView {
    pub(super) fn new(contents: Contents) -> Self {
        let (tail, _) = watch::channel(Position(contents.last));
        Self { contents: RwLock::new(contents), tail }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the writer alone.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells everybody how far the log goes now. Never goes back.
    pub(super) fn publish_tail(&self) {
        let last = Position(self.read().last);
        self.tail.send_if_modified(|tail| {
            let grown = last > *tail;
            *tail = last.max(*tail);
            grown
        });
    }

    pub(super) fn tail(&self) -> watch::Receiver<Position> {
        self.tail.subscribe()
    }

    pub(super) fn published(&self) -> u64 {
        self.tail.borrow().0
    }
}

impl Contents {
    /// The block that holds a position.
    pub(super) fn block_of(&self, position: u64) -> Option<(u64, Extent)> {
        let (first, extent) = self.blocks.range(..=position).next_back()?;
        (position < first + u64::from(extent.count)).then_some((*first, *extent))
    }

    /// The kept positions where the key may be.
    pub(super) fn candidates(&self, key: Uuid) -> Vec<u64> {
        self.keys.candidates(key, self.last).filter(|position| *position > self.trimmed).collect()
    }
}

/// Where a log is in arrays over all logs.
pub(super) fn at(log: Log) -> usize {
    log as usize - 1
}
