//! Which key is where: in memory, rebuilt at opening from the blocks' indexes.
//!
//! A tree entry per key was not taken: keys are random, so each append would page in a leaf of a million cold ones.
//! Here a key costs about 13 bytes: 32 bits of it and 32 bits of its position, in one of 64 tables. Whoever finds one
//! compares the whole key with the stored one; a key whose slot belongs to another one lives in `spilled`.

use std::collections::HashMap;
use uuid::Uuid;

/// Growing one table of a million moves it at once; growing these moves a little at a time.
const SHARDS: usize = 64;

/// The positions of the keys of one log.
#[derive(Debug)]
pub(super) struct Keys {
    shards: Vec<HashMap<u32, u32>>,
    spilled: HashMap<Uuid, u64>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { shards: vec![HashMap::new(); SHARDS], spilled: HashMap::new() }
    }
}

impl Keys {
    /// The places up to `last` where the key may be: the caller compares.
    pub(super) fn candidates(&self, key: Uuid, last: u64) -> impl Iterator<Item = u64> + use<> {
        let (shard, slot) = place(key);
        let first = self.shards[shard].get(&slot).map(|low| unfold(*low, last));
        first.into_iter().chain(self.spilled.get(&key).copied())
    }

    /// Adds a key that is not there yet.
    pub(super) fn insert(&mut self, key: Uuid, position: u64) {
        let (shard, slot) = place(key);
        let low = fold(position);
        if *self.shards[shard].entry(slot).or_insert(low) != low {
            self.spilled.insert(key, position);
        }
    }

    /// Removes a key from its position.
    pub(super) fn remove(&mut self, key: Uuid, position: u64) {
        let (shard, slot) = place(key);
        let shard = &mut self.shards[shard];
        if shard.get(&slot) == Some(&fold(position)) {
            shard.remove(&slot);
        } else {
            self.spilled.remove(&key);
        }
    }
}

fn place(key: Uuid) -> (usize, u32) {
    let (high, low) = key.as_u64_pair();
    let mixed = high ^ low;
    let shard = usize::try_from(mixed % SHARDS as u64).expect("less than the number of shards");
    (shard, fold(mixed >> 16))
}

/// The low half. The other half of a position follows from the newest one: no log keeps four billion entries.
fn fold(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).expect("masked to 32 bits")
}

fn unfold(low: u32, last: u64) -> u64 {
    let position = (last & !u64::from(u32::MAX)) | u64::from(low);
    if position > last { position.saturating_sub(1 << 32) } else { position }
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
        assert!(keys.candidates(two, 100).any(|position| position == 20));
        keys.remove(one, 10);
        assert_eq!(keys.candidates(two, 100).collect::<Vec<_>>(), [20]);
        keys.remove(two, 20);
        assert_eq!(keys.candidates(two, 100).count(), 0);
    }

    #[test]
    fn positions_beyond_32_bits_come_back_whole() {
        let mut keys = Keys::default();
        let (old, new) = ((7_u64 << 32) - 3, (7_u64 << 32) + 5);
        keys.insert(Uuid::from_u128(1), old);
        keys.insert(Uuid::from_u128(2 << 32), new);
        assert_eq!(keys.candidates(Uuid::from_u128(1), new).collect::<Vec<_>>(), [old]);
        assert_eq!(keys.candidates(Uuid::from_u128(2 << 32), new).collect::<Vec<_>>(), [new]);
    }
}
