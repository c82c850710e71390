//! A memory of what was used last.

use std::{collections::HashMap, hash::Hash};

/// Remembers the entries used last, in two generations: when the young one is full, the old one is forgotten.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Hash + Eq + Copy, V> Recent<K, V> {
    pub(super) fn get(&mut self, key: &K, entries_max: usize) -> Option<&V> {
        if let Some(value) = self.old.remove(key) {
            self.insert(*key, value, entries_max);
        }
        self.young.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V, entries_max: usize) {
        self.old.remove(&key);
        if self.young.len() >= entries_max / 2 && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_is_remembered_and_the_rest_is_bounded() {
        let mut recent = Recent::default();
        for number in 0..1_000_u32 {
            recent.insert(number, number, 10);
            assert_eq!(recent.get(&0, 10), Some(&0), "it is asked for all the time");
        }
        assert!(recent.young.len() + recent.old.len() <= 10);
        assert_eq!(recent.get(&500, 10), None);
    }
}
