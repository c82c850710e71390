//! Which key is where: in memory, rebuilt at opening from the blocks' indexes.
//!
//! A tree entry per key was not taken: keys are random, so each append would page in a leaf of a million cold ones.
//! Here a key costs about 25 bytes. A slot holds 64 bits of the key, so whoever finds one compares the whole key with
//! the stored one; a key whose slot belongs to another one lives in `spilled`.

use std::collections::HashMap;
use uuid::Uuid;

/// Growing one table of a million moves it at once; growing these moves a little at a time.
const SHARDS: usize = 64;

/// The positions of the keys of one log.
#[derive(Debug)]
pub(super) struct Keys {
    shards: Vec<HashMap<u64, u64>>,
    spilled: HashMap<Uuid, u64>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { shards: vec![HashMap::new(); SHARDS], spilled: HashMap::new() }
    }
}

impl Keys {
    /// The places where the key may be: the caller compares.
    pub(super) fn candidates(&self, key: Uuid) -> impl Iterator<Item = u64> + use<> {
        let slot = slot(key);
        let first = self.shards[shard(slot)].get(&slot).copied();
        first.into_iter().chain(self.spilled.get(&key).copied())
    }

    /// Adds a key that is not there yet.
    pub(super) fn insert(&mut self, key: Uuid, position: u64) {
        let slot = slot(key);
        let taken = *self.shards[shard(slot)].entry(slot).or_insert(position);
        if taken != position {
            self.spilled.insert(key, position);
        }
    }

    /// Removes a key from its position.
    pub(super) fn remove(&mut self, key: Uuid, position: u64) {
        let slot = slot(key);
        let shard = &mut self.shards[shard(slot)];
        if shard.get(&slot) == Some(&position) {
            shard.remove(&slot);
        } else {
            self.spilled.remove(&key);
        }
    }
}

fn slot(key: Uuid) -> u64 {
    let (high, low) = key.as_u64_pair();
    high ^ low
}

fn shard(slot: u64) -> usize {
    usize::try_from(slot % SHARDS as u64).expect("less than the number of shards")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_share_a_slot_are_kept_apart() {
        let (one, two) = (Uuid::from_u64_pair(1, 2), Uuid::from_u64_pair(2, 1));
        let mut keys = Keys::default();
        keys.insert(one, 10);
        keys.insert(two, 20);
        assert!(keys.candidates(two).any(|position| position == 20));
        keys.remove(one, 10);
        assert_eq!(keys.candidates(two).collect::<Vec<_>>(), [20]);
        keys.remove(two, 20);
        assert_eq!(keys.candidates(two).count(), 0);
    }
}
