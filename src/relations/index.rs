//! Which events have which things, in memory: two orders of the same pairs. Pure.

use super::thing::Key;
use crate::store::Position;
use std::collections::{BTreeSet, HashSet, VecDeque};

/// Most pairs of an event and a thing that are remembered, about 50 bytes each; the oldest events are forgotten first.
pub const PAIRS_MAX: usize = 2_000_000;
/// Most events of one thing that a walk goes through, the newest.
pub const THING_EVENTS_MAX: usize = 200;

/// The pairs of the newest events.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Index {
    by_thing: BTreeSet<(Key, Position)>,
    by_event: VecDeque<(Position, Key)>,
    reached: Position,
    forgotten: Position,
}

/// What a walk did not go into.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// There is more, further away than was asked for.
    pub depth: bool,
    /// There are more events than were asked for.
    pub limit: bool,
    /// Some thing has more events than are gone through.
    pub thing: bool,
}

/// An event that a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Where it is.
    pub position: Position,
    /// How many things lie between.
    pub distance: usize,
    /// The last of them.
    pub through: Key,
}

impl Index {
    /// Up to where the log was read.
    pub fn reached(&self) -> Position {
        self.reached
    }

    /// Up to where events are not known any more.
    pub fn forgotten(&self) -> Position {
        self.forgotten
    }

    /// Everything up to here was read, with or without something to know.
    pub fn reach(&mut self, position: Position) {
        self.reached = self.reached.max(position);
    }

    /// The next event of the log, at most `pairs_max` pairs of it and those before it are kept.
    pub fn add(&mut self, position: Position, things: &[Key], pairs_max: usize) {
        for key in things {
            if self.by_thing.insert((*key, position)) {
                self.by_event.push_back((position, *key));
            }
        }
        self.reached = self.reached.max(position);
        while self.by_event.len() > pairs_max {
            let oldest = self.by_event[0].0;
            self.trim(oldest);
        }
    }

    /// Forgets the events up to here.
    pub fn trim(&mut self, to: Position) {
        while let Some((position, key)) = self.by_event.pop_front_if(|(position, _)| *position <= to) {
            self.by_thing.remove(&(key, position));
        }
        self.forgotten = self.forgotten.max(to);
        self.reached = self.reached.max(to);
    }

    /// The newest events of a thing, newest first.
    pub fn events(&self, thing: Key) -> impl Iterator<Item = Position> {
        let own = (thing, Position(0))..=(thing, Position(u64::MAX));
        self.by_thing.range(own).rev().map(|(_, position)| *position)
    }

    fn things(&self, event: Position) -> impl Iterator<Item = Key> {
        let from = self.by_event.partition_point(|(position, _)| *position < event);
        self.by_event.range(from..).take_while(move |(position, _)| *position == event).map(|(_, key)| *key)
    }

    /// From an event with these things to those that have one of them, and on from there: nearer ones first, and of as
    /// near ones the newer, of each event the first way that leads there.
    pub fn walk(&self, from: Position, things: &[Key], depth: usize, limit: usize) -> (Vec<Step>, Cut) {
        let (mut found, mut cut) = (Vec::new(), Cut::default());
        let mut events: HashSet<Position> = HashSet::from([from]);
        let mut known: HashSet<Key> = things.iter().copied().collect();
        let mut border: Vec<Key> = things.to_vec();
        for distance in 1..=depth {
            let mut met: Vec<(Position, Key)> = Vec::new();
            for thing in border {
                let mut own = self.events(thing);
                met.extend(
                    own.by_ref().take(THING_EVENTS_MAX).filter(|event| events.insert(*event)).map(|at| (at, thing)),
                );
                cut.thing |= own.next().is_some();
            }
            met.sort_by_key(|(position, _)| std::cmp::Reverse(*position));
            border = met.iter().flat_map(|(event, _)| self.things(*event)).filter(|key| known.insert(*key)).collect();
            for (position, through) in met {
                if found.len() == limit {
                    cut.limit = true;
                    return (found, cut);
                }
                found.push(Step { position, distance, through });
            }
        }
        cut.depth = border.iter().any(|thing| self.events(*thing).any(|event| !events.contains(&event)));
        (found, cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(events: &[&[u64]]) -> Index {
        let mut index = Index::default();
        for (at, things) in (1..).zip(events) {
            index.add(Position(at), &things.iter().map(|key| Key(*key)).collect::<Vec<_>>(), PAIRS_MAX);
        }
        index
    }

    fn places(found: &[Step]) -> Vec<(u64, usize, u64)> {
        found.iter().map(|step| (step.position.0, step.distance, step.through.0)).collect()
    }

    #[test]
    fn a_walk_goes_from_thing_to_thing_nearer_ones_first() {
        // 1 ─10─ 2 ─20─ 3 ─30─ 4, and 5 apart.
        let index = index(&[&[10], &[10, 20], &[20, 30], &[30], &[50]]);
        let walk = |depth, limit| index.walk(Position(1), &[Key(10)], depth, limit);
        assert_eq!(places(&walk(9, 9).0), [(2, 1, 10), (3, 2, 20), (4, 3, 30)]);
        assert_eq!(walk(3, 9).1, Cut::default());
        let (found, cut) = walk(2, 9);
        assert_eq!((places(&found), cut), (vec![(2, 1, 10), (3, 2, 20)], Cut { depth: true, ..Cut::default() }));
        let (found, cut) = walk(9, 1);
        assert_eq!((places(&found), cut), (vec![(2, 1, 10)], Cut { limit: true, ..Cut::default() }));
        assert_eq!(index.walk(Position(5), &[Key(50)], 9, 9), (Vec::new(), Cut::default()));
    }

    #[test]
    fn of_a_thing_that_everything_has_the_newest_events_are_gone_through_and_that_is_said() {
        let all: Vec<&[u64]> = vec![&[7]; THING_EVENTS_MAX + 1];
        let (found, cut) = index(&all).walk(Position(0), &[Key(7)], 1, 1_000);
        assert_eq!((found.len(), cut.thing), (THING_EVENTS_MAX, true));
        assert_eq!(found[0].position, Position(201));
        let (found, cut) = index(&all[1..]).walk(Position(0), &[Key(7)], 1, 1_000);
        assert_eq!((found.len(), cut), (THING_EVENTS_MAX, Cut::default()));
    }

    proptest! {
        #[test]
        fn rebuilt_from_the_journal_it_is_what_it_was_kept_live(
            events in prop::collection::vec(prop::collection::vec(0_u64..6, 0..5), 0..40),
            trims in prop::collection::vec((0_usize..40, 0_u64..40), 0..5),
            pairs_max in 4_usize..40,
        ) {
            let keys = |things: &[u64]| things.iter().map(|key| Key(*key)).collect::<Vec<_>>();
            let (mut live, mut trimmed) = (Index::default(), 0);
            for (at, things) in events.iter().enumerate() {
                let position = u64::try_from(at).unwrap() + 1;
                live.add(Position(position), &keys(things), pairs_max);
                for (_, to) in trims.iter().filter(|(after, _)| *after == at) {
                    trimmed = trimmed.max((*to).min(position));
                    live.trim(Position(trimmed));
                }
            }
            let mut rebuilt = Index::default();
            rebuilt.trim(Position(trimmed));
            for (position, things) in (1..).zip(&events).filter(|(position, _)| *position > trimmed) {
                rebuilt.add(Position(position), &keys(things), pairs_max);
            }
            prop_assert_eq!(&live.by_thing, &rebuilt.by_thing);
            prop_assert_eq!(&live.by_event, &rebuilt.by_event);
            prop_assert_eq!(live.reached, rebuilt.reached);
            prop_assert!(live.by_event.len() <= pairs_max && live.by_thing.len() == live.by_event.len());
            // And both orders are of the same pairs.
            let turned: BTreeSet<_> = live.by_event.iter().map(|(position, key)| (*key, *position)).collect();
            prop_assert_eq!(turned, live.by_thing);
        }
    }
}
