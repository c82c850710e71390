//! Whether the chain holds. Pure: it is given the entries one after the other and says the first place that is wrong.
//!
//! What it proves: that no entry between the oldest that is kept and the head was changed, taken away, put in between or
//! moved since the head was written down. What it does not: retention takes the oldest entries away, and then the oldest
//! that is kept is believed about what came before it; and whoever can write to the store can write all of the chain anew
//! and the head with it. Against that helps only a head noted elsewhere: the audit prints it. Signing the head was not
//! done: the key would lie beside what it signs.

use super::entry::{Entry, Hash};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The newest entry. Kept in the registry too, so that taking the newest entries away shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its number; 0 before the first.
    pub number: u64,
    /// Its hash.
    pub hash: Hash,
}

impl Head {
    /// Before the first entry.
    pub const NONE: Self = Self { number: 0, hash: Hash::NONE };
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The entry is not what was written: what comes after it names another hash, or it cannot be read.
    Changed,
    /// It should be here and is not.
    Removed,
    /// It stands where another one should: put in, or moved.
    OutOfPlace,
    /// The registry does not know the head any more.
    HeadLost,
}

/// The first place where the chain does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// The number of the entry that is wrong or missing.
    pub number: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

/// A walk along the chain, oldest entry first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// Whether retention has taken entries away: the first one need not be number 1 then.
    trimmed: bool,
    last: Option<Head>,
    count: u64,
}

impl Walk {
    /// At the oldest entry that is kept.
    pub fn new(trimmed: bool) -> Self {
        Self { trimmed, last: None, count: 0 }
    }

    /// How many entries held so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The entry that was walked over last.
    pub fn last(&self) -> Option<Head> {
        self.last
    }

    /// Goes on to an entry. `head` is what the registry says.
    ///
    /// # Errors
    /// The chain does not hold here; the walk stays where it was.
    pub fn step(&mut self, key: Uuid, body: &[u8], head: Head) -> Result<(), Break> {
        let due = self.last.map_or(1, |last| last.number + 1);
        let unreadable = Break { number: due, fault: Fault::Changed };
        let entry = Entry::from_stored(body).filter(|entry| entry.key() == key).ok_or(unreadable)?;
        let before = match self.last {
            Some(last) => last,
            None if self.trimmed && entry.number > 0 => Head { number: entry.number - 1, hash: entry.previous },
            None => Head::NONE,
        };
        let due = before.number + 1;
        if entry.number > due {
            return Err(Break { number: due, fault: Fault::Removed });
        }
        if entry.number < due {
            return Err(Break { number: entry.number, fault: Fault::OutOfPlace });
        }
        if entry.previous != before.hash {
            // One of the two is not what it was. The registry knows which, if the head is the one before.
            let number = if before == head || before.number == 0 { due } else { before.number };
            return Err(Break { number, fault: Fault::Changed });
        }
        let this = Head { number: entry.number, hash: Hash::of(body) };
        // The first that is kept is believed about the one before it, but not where the registry knows better.
        let known = [before, this].into_iter().find(|link| link.number == head.number);
        if let Some(link) = known.filter(|link| link.hash != head.hash) {
            return Err(Break { number: link.number, fault: Fault::Changed });
        }
        (self.last, self.count) = (Some(this), self.count + 1);
        Ok(())
    }

    /// At `count` entries that cannot be read. `next` is the number of the one behind them.
    pub fn unreadable(&self, count: u64, next: u64) -> Break {
        let number = match self.last {
            Some(last) => last.number + 1,
            None if self.trimmed => next.saturating_sub(count).max(1),
            None => 1,
        };
        Break { number, fault: Fault::Changed }
    }

    /// At the end of what is kept.
    ///
    /// # Errors
    /// The newest entries are not there.
    pub fn finish(&self, head: Head) -> Result<(), Break> {
        let removed = |number| Err(Break { number, fault: Fault::Removed });
        match self.last {
            Some(last) if last.number < head.number => removed(last.number + 1),
            // Everything may have passed its retention.
            None if head.number > 0 && !self.trimmed => removed(1),
            _ => Ok(()),
        }
    }
}
