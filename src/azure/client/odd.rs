//! Records that Azure lists and nobody can read: left out, so that one of them keeps nobody from the others, and counted, so
//! that somebody is told.

use crate::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

/// Records of a list that are told apart; of more, the oldest are forgotten.
const RECORDS_MAX: usize = 100;
/// How long they are told: what is listed again is read again.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The records of one list that could not be read lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddRecords {
    /// The things that are listed, in a word for people.
    pub list: &'static str,
    /// How many records, each counted once.
    pub count: usize,
    /// The member that the last of them lacks.
    pub lacks: String,
    /// The number or GUID of that record, where it has one.
    pub which: Option<String>,
    /// When it was last listed.
    pub last: Timestamp,
}

#[derive(Debug)]
struct One {
    key: String,
    lacks: String,
    which: Option<String>,
    last: Timestamp,
}

/// Those of one client.
pub(super) struct Odd {
    clock: Arc<dyn Clock>,
    lists: Mutex<BTreeMap<&'static str, VecDeque<One>>>,
}

impl Odd {
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock: Arc::clone(clock), lists: Mutex::default() })
    }

    /// One that was left out of a list, by its number where it has one.
    pub(super) fn note(&self, list: &'static str, lacks: &str, which: Option<String>) {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lists.entry(list).or_default();
        let key = which.clone().unwrap_or_else(|| lacks.to_owned());
        let before = known.iter().position(|one| one.key == key).and_then(|at| known.remove(at));
        if before.is_none() {
            tracing::warn!(list, lacks, which, "a record of Azure DevOps cannot be read and is left out");
        }
        if known.len() >= RECORDS_MAX {
            known.pop_front();
        }
        known.push_back(One { key, lacks: lacks.to_owned(), which, last: self.clock.now() });
    }

    /// Lists those that are to be told of.
    pub(super) fn told(&self) -> Vec<OddRecords> {
        let now = self.clock.now();
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|_, known| {
            known.retain(|one| now.duration_since(one.last) < TOLD_FOR);
            !known.is_empty()
        });
        let of = |(list, known): (&&'static str, &VecDeque<One>)| {
            let One { lacks, which, last, .. } = known.back()?;
            let (lacks, which) = (lacks.clone(), which.clone());
            Some(OddRecords { list, count: known.len(), lacks, which, last: *last })
        };
        lists.iter().filter_map(of).collect()
    }
}
