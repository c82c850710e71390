//! What of one sink waits to be tried (again), by entity. Pure.
//!
//! This is where order is kept: of an entity only the oldest event that waits may be tried, and what comes later waits
//! behind it. The store keeps the same facts durably ([`crate::store::Waiting`]), so this is rebuilt from it at a start;
//! what waits behind another event is parked there at a time that never comes.

use crate::store::{Position, Waiting};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The events of one sink that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entities: HashMap<String, BTreeMap<u64, Timestamp>>,
    /// The entities by when their oldest event is due.
    due: BTreeSet<(Timestamp, String)>,
    positions: BTreeMap<u64, String>,
}

/// Parked: as soon as nothing older of the entity waits.
pub(super) const PARKED: Timestamp = Timestamp::MAX;

impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether something of the entity waits.
    pub(super) fn blocks(&self, entity: &str) -> bool {
        self.entities.contains_key(entity)
    }

    /// Whether this one waits.
    pub(super) fn holds(&self, position: Position) -> bool {
        self.positions.contains_key(&position.0)
    }

    /// One more, or another time for one that is there.
    pub(super) fn put(&mut self, entity: &str, waiting: Waiting) {
        self.change(entity, |events| {
            events.insert(waiting.position.0, waiting.at);
        });
        self.positions.insert(waiting.position.0, entity.to_owned());
    }

    /// It waits no more.
    pub(super) fn remove(&mut self, position: Position) {
        if let Some(entity) = self.positions.remove(&position.0) {
            self.change(&entity, |events| {
                events.remove(&position.0);
            });
        }
    }

    /// Everything that waits is due: the sink has come back.
    pub(super) fn hasten(&mut self) {
        self.due = std::mem::take(&mut self.due).into_iter().map(|(_, entity)| (Timestamp::MIN, entity)).collect();
        for events in self.entities.values_mut() {
            for at in events.values_mut() {
                *at = PARKED;
            }
        }
    }

    /// The oldest events of the entities that are due, each followed by what waits behind it, at most `max` in all.
    pub(super) fn pick(&self, now: Timestamp, max: usize) -> Vec<Position> {
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        let events = due.filter_map(|(_, entity)| self.entities.get(entity));
        events.flat_map(|events| events.keys().map(|position| Position(*position))).take(max).collect()
    }

    /// When the next entity is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    fn change(&mut self, entity: &str, change: impl FnOnce(&mut BTreeMap<u64, Timestamp>)) {
        let events = self.entities.entry(entity.to_owned()).or_default();
        if let Some(at) = head(events) {
            self.due.remove(&(at, entity.to_owned()));
        }
        change(events);
        match head(events) {
            Some(at) => drop(self.due.insert((at, entity.to_owned()))),
            None => drop(self.entities.remove(entity)),
        }
    }
}

/// When an entity is due: with its oldest event, and at once where that is parked behind nothing.
fn head(events: &BTreeMap<u64, Timestamp>) -> Option<Timestamp> {
    events.values().next().map(|at| if *at == PARKED { Timestamp::MIN } else { *at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn waiting(position: u64, at: Timestamp) -> Waiting {
        Waiting { position: Position(position), attempt: 1, at }
    }

    fn picked(queue: &Queue, now: i64, max: usize) -> Vec<u64> {
        queue.pick(at(now), max).into_iter().map(|position| position.0).collect()
    }

    #[test]
    fn of_an_entity_the_oldest_comes_first_and_holds_back_the_rest() {
        let mut queue = Queue::default();
        for (entity, position, at) in
            [("a", 1, at(10)), ("a", 3, PARKED), ("b", 2, at(5)), ("a", 4, at(0)), ("c", 5, PARKED)]
        {
            queue.put(entity, waiting(position, at));
        }
        assert!(queue.blocks("a") && !queue.blocks("d"));
        assert_eq!(queue.len(), 5);
        assert_eq!(picked(&queue, 0, 9), [5], "parked behind nothing is due at once");
        assert_eq!(picked(&queue, 5, 9), [5, 2]);
        assert_eq!(picked(&queue, 10, 9), [5, 2, 1, 3, 4], "what waits behind goes along");
        assert_eq!(picked(&queue, 10, 3), [5, 2, 1]);
        queue.remove(Position(5));
        queue.remove(Position(5));
        assert_eq!(queue.next(), Some(at(5)));
        queue.put("b", waiting(2, at(20)));
        assert_eq!(queue.next(), Some(at(10)));
        queue.remove(Position(1));
        assert_eq!(picked(&queue, 0, 9), [3, 4], "the next one is the oldest now");
        queue.hasten();
        let mut all = picked(&queue, -1_000, 9);
        all.sort_unstable();
        assert_eq!(all, [2, 3, 4]);
        for position in 0..9 {
            queue.remove(Position(position));
        }
        assert_eq!((queue.len(), queue.next()), (0, None));
        assert!(!queue.blocks("a"));
    }
}
