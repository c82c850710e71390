//! Which sealed segment may have a key: in memory, about 5 bytes a key, so that an absent key costs no read.
//!
//! Each table has 2^20 slots of 4 bytes: 16 bits of the key's hash, and the segment. Whoever finds one looks into the
//! segment's index. Tables are filled one after the other, so that one whose segments are all gone goes as a whole; a
//! table that grows was not taken, because it needs the whole hash of every key. Whole keys in memory were not taken
//! either: they are 24 bytes each.

/// Slots of a table: 4 MiB.
const SLOTS: usize = 1 << 20;
/// Fuller ones make long chains.
const USED_MAX: usize = SLOTS / 4 * 3;

/// The tables, oldest first.
#[derive(Debug, Default)]
pub(super) struct Keys {
    tables: Vec<Table>,
}

#[derive(Debug)]
struct Table {
    /// The number of its first segment.
    base: u64,
    newest: u64,
    used: usize,
    slots: Vec<u32>,
}

impl Keys {
    /// Adds a key of a segment.
    pub(super) fn insert(&mut self, hash: u64, segment: u64) {
        let fits = |table: &Table| {
            table.used < USED_MAX && segment >= table.base && segment - table.base < u64::from(u16::MAX)
        };
        if !self.tables.last().is_some_and(fits) {
            self.tables.push(Table { base: segment, newest: segment, used: 0, slots: vec![0; SLOTS] });
        }
        if let Some(table) = self.tables.last_mut() {
            table.insert(hash, segment);
        }
    }

    /// The segments that may have the key, newest first.
    pub(super) fn candidates(&self, hash: u64) -> Vec<u64> {
        let mut found = Vec::new();
        for table in self.tables.iter().rev() {
            table.candidates(hash, &mut found);
        }
        found
    }

    /// Drops the tables of which no segment is left.
    pub(super) fn drop_before(&mut self, oldest_segment: u64) {
        self.tables.retain(|table| table.newest >= oldest_segment);
    }
}

impl Table {
    fn insert(&mut self, hash: u64, segment: u64) {
        let Ok(ordinal) = u16::try_from(segment - self.base + 1) else { return };
        let entry = (tag(hash) << 16) | u32::from(ordinal);
        let mut at = slot(hash);
        while self.slots[at] != 0 {
            if self.slots[at] == entry {
                return;
            }
            at = (at + 1) % SLOTS;
        }
        self.slots[at] = entry;
        self.used += 1;
        self.newest = self.newest.max(segment);
    }

    fn candidates(&self, hash: u64, found: &mut Vec<u64>) {
        let mut at = slot(hash);
        while self.slots[at] != 0 {
            if self.slots[at] >> 16 == tag(hash) {
                let segment = self.base + u64::from(self.slots[at] & 0xffff) - 1;
                if !found.contains(&segment) {
                    found.push(segment);
                }
            }
            at = (at + 1) % SLOTS;
        }
    }
}

fn slot(hash: u64) -> usize {
    usize::try_from(hash % SLOTS as u64).expect("less than the number of slots")
}

fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 48).expect("16 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number << 17)
    }

    #[test]
    fn every_key_is_found_in_its_segment_and_few_others_are() {
        let mut keys = Keys::default();
        for number in 0..1_000_000 {
            keys.insert(hash(number), number / 100_000);
        }
        assert_eq!(keys.tables.len(), 2);
        for number in 0..1_000_000 {
            assert!(keys.candidates(hash(number)).contains(&(number / 100_000)), "{number}");
        }
        let wrong = (2_000_000..2_100_000).filter(|number| !keys.candidates(hash(*number)).is_empty()).count();
        assert!(wrong < 1_000, "{wrong} of 100,000 absent keys look present");
    }

    #[test]
    fn a_table_goes_when_its_segments_have() {
        let mut keys = Keys::default();
        keys.insert(hash(1), 5);
        keys.insert(hash(2), 5 + u64::from(u16::MAX));
        keys.drop_before(6);
        assert_eq!((keys.candidates(hash(1)), keys.candidates(hash(2))), (vec![], vec![5 + u64::from(u16::MAX)]));
    }
}
