//! What is remembered so that events are appended in order: where each ref was last, what need not be waited for, and what
//! waits.
//!
//! In memory and bounded, because all of it can be lost: refs are read again from the newest events, what waits is in the
//! journal and waits anew, and what was waived is looked at once more. What falls out of a full memory is only unknown, and
//! what is unknown holds nothing back.

mod recent;

use self::recent::Recent;
use crate::{
    domain::NotificationId,
    event::Event,
    store::{Consumer, Error, Log, PageLimit, Position, Store},
    translate::{
        order::{self, Move},
        push::Push,
    },
};
use jiff::Timestamp;
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};
use uuid::Uuid;

/// Refs whose last place is remembered.
const REFS_MAX: usize = 50_000;
/// Acts of pull requests that are remembered.
const ACTS_MAX: usize = 50_000;
/// Waivers that are remembered, and answers.
const WAIVED_MAX: usize = 50_000;
/// Notifications that are known to wait; more wait too, but begin their waiting anew with every look.
const HELD_MAX: usize = 50_000;
/// How many of the newest events are read at start to learn where the refs are.
const READ_AT_START: u64 = 50_000;
/// How many positions of what waits are asked for at once.
const WAITING_PAGE: usize = 1_000;
const READ: PageLimit = PageLimit { records_max: 1_000, body_bytes_max: 4 << 20 };

/// Where a ref is, as far as the log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The object.
    pub at: Uuid,
    /// The push that left it there; 0 where it is not known.
    pub push: i64,
    /// When that was.
    pub time: Option<Timestamp>,
}

/// The memory of the order.
#[derive(Debug, Default)]
pub struct Order(Mutex<Memory>);

/// What is inside; held while a batch is sorted, never across an await.
#[derive(Debug, Default)]
pub struct Memory {
    heads: Recent<Uuid, Head>,
    waived: Recent<Uuid, ()>,
    /// Pushes that wait: until Azure was asked, or for what comes before them.
    pushes: HashMap<NotificationId, Waiting>,
    verdicts: Recent<Uuid, Verdict>,
    /// As which facts acts of pull requests were told lately.
    acts: Recent<Uuid, Uuid>,
    /// The places that refs were brought to lately.
    met: Recent<Uuid, ()>,
    held: HashMap<NotificationId, Held>,
    /// What is told by what waits, with how many tell it.
    untold: HashMap<Uuid, u32>,
    /// The notifications that waited when the process began and were not looked at since: nobody knows what they tell.
    unseen: HashSet<Position>,
    is_read: bool,
}

/// The answer of Azure's record about a push of a known head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The push is one of its own, with this id.
    Own(Uuid),
    /// No record is its own: the notification of an earlier push has its head.
    Late,
    /// Azure does not have the record.
    Unknown,
}

/// A push to a pull request that waits.
#[derive(Debug)]
struct Waiting {
    request: Uuid,
    push: Push,
    /// Whether its number is asked for; the push has the id of the question then, else the one that it will have.
    is_asked: bool,
}

#[derive(Debug)]
struct Held {
    since: Timestamp,
    tells: Vec<Uuid>,
    moves: Vec<Move>,
}

impl Order {
    /// The memory, locked.
    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on these needs count as met.
    pub fn waive(&self, needs: impl IntoIterator<Item = Uuid>) {
        let mut memory = self.memory();
        for need in needs {
            memory.waived.insert(need, (), WAIVED_MAX);
        }
    }

    /// Whether something brought a ref there lately.
    pub fn was_met(&self, need: Uuid) -> bool {
        self.memory().met.get(&need, REFS_MAX).is_some()
    }

    /// Whether a notification waits for what comes before it.
    pub fn is_held(&self, notification: NotificationId) -> bool {
        self.memory().since(notification).is_some()
    }

    /// How many notifications wait.
    pub fn holding(&self) -> usize {
        self.memory().held.len()
    }

    /// Learns from the newest events where the refs are, and what waits for its translation; once.
    ///
    /// # Errors
    /// The store's; it is tried again with the next batch.
    pub async fn read(&self, store: &dyn Store, translation: &Consumer) -> Result<(), Error> {
        if self.memory().is_read {
            return Ok(());
        }
        let mut waits = HashSet::new();
        let mut after = Position(0);
        while waits.len() < HELD_MAX {
            let page = store.waiting(translation, after, WAITING_PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            waits.extend(page.iter().map(|waiting| waiting.position));
        }
        self.memory().unseen = waits;
        let mut after = Position(store.tail(Log::Events).borrow().0.saturating_sub(READ_AT_START));
        loop {
            let records = store.read(Log::Events, after, READ).await?;
            if records.end == after {
                break;
            }
            after = records.end;
            let mut memory = self.memory();
            for record in records {
                let event = Event::from_stored(record.key, &record.body);
                let moving = event.filter(|event| order::moves_a_ref(&event.header.kind));
                let moved = moving.and_then(|event| order::place(&event)?.moved);
                if let Some(moved) = moved {
                    memory.moved(moved);
                }
            }
        }
        self.memory().is_read = true;
        Ok(())
    }
}

impl Memory {
    /// Whether it is known what waits, but for these.
    pub fn knows_all_but(&self, positions: &[Position]) -> bool {
        self.unseen.len() <= positions.len() && self.unseen.iter().all(|own| positions.contains(own))
    }

    /// These were looked at.
    pub fn saw(&mut self, positions: &[Position]) {
        if !self.unseen.is_empty() {
            self.unseen.retain(|own| !positions.contains(own));
        }
    }

    /// Where the ref is.
    pub fn head(&mut self, reference: Uuid) -> Option<Head> {
        self.heads.get(&reference, REFS_MAX).copied()
    }

    /// Whether a need counts as met.
    pub fn is_waived(&mut self, need: Uuid) -> bool {
        self.waived.get(&need, WAIVED_MAX).is_some()
    }

    /// An event of this move is in the log. One that comes late tells nothing of where the ref is now.
    pub fn moved(&mut self, moved: Move) {
        self.met.insert(moved.meets(), (), REFS_MAX);
        if !self.head(moved.reference).is_some_and(|head| is_late(moved, head)) {
            self.heads.insert(moved.reference, Head { at: moved.to, push: moved.push, time: moved.time }, REFS_MAX);
        }
    }

    /// A push waits until Azure was asked; `request` names its pull request, and the push has the id that the question has.
    pub fn ask(&mut self, notification: NotificationId, request: Uuid, push: Push) {
        self.keep(notification, Waiting { request, push, is_asked: true });
    }

    /// A push waits for what comes before it.
    pub fn put_off(&mut self, notification: NotificationId, request: Uuid, push: Push) {
        if !self.pushes.contains_key(&notification) {
            self.keep(notification, Waiting { request, push, is_asked: false });
        }
    }

    fn keep(&mut self, notification: NotificationId, waiting: Waiting) {
        if self.pushes.len() < HELD_MAX {
            self.pushes.insert(notification, waiting);
        }
    }

    /// The pushes to a pull request that wait until Azure was asked, and those that wait for what comes before them.
    pub fn waiting(&self, request: Uuid) -> (Vec<Push>, Vec<Push>) {
        let own = |is_asked| {
            let of_request = self.pushes.values().filter(move |own| own.request == request && own.is_asked == is_asked);
            of_request.map(|own| own.push.clone()).collect()
        };
        (own(true), own(false))
    }

    /// Whether the push of this question waits.
    pub fn is_asking(&self, question: Uuid) -> bool {
        self.pushes.values().any(|own| own.is_asked && own.push.id == question)
    }

    /// Azure was asked.
    pub fn decide(&mut self, question: Uuid, verdict: Verdict) {
        self.verdicts.insert(question, verdict, WAIVED_MAX);
    }

    /// The answer of Azure, if it was asked.
    pub fn verdict(&mut self, question: Uuid) -> Option<Verdict> {
        self.verdicts.get(&question, WAIVED_MAX).copied()
    }

    /// An act was told as this fact.
    pub fn told(&mut self, act: Uuid, fact: Uuid) {
        self.acts.insert(act, fact, ACTS_MAX);
    }

    /// As which fact an act was told lately.
    pub fn telling(&mut self, act: Uuid) -> Option<Uuid> {
        self.acts.get(&act, ACTS_MAX).copied()
    }

    /// Whether something that waits tells this.
    pub fn is_held(&self, told: Uuid) -> bool {
        self.untold.contains_key(&told)
    }

    /// Whether an earlier push to the same ref waits.
    pub fn is_held_before(&self, moved: Move) -> bool {
        self.held.values().flat_map(|held| &held.moves).any(|other| other.is_before(moved))
    }

    /// Since when a notification waits, if it does.
    pub fn since(&self, notification: NotificationId) -> Option<Timestamp> {
        self.held.get(&notification).map(|held| held.since)
    }

    /// A notification waits, and so does what it tells.
    pub fn hold(&mut self, notification: NotificationId, tells: &[Uuid], moves: Vec<Move>, now: Timestamp) {
        let is_full = self.held.len() >= HELD_MAX;
        if is_full && !self.held.contains_key(&notification) {
            return;
        }
        let held = self.held.entry(notification).or_insert_with(|| Held { since: now, tells: Vec::new(), moves });
        // One notification can wait for several things in turn, and learns meanwhile which events it will tell.
        for id in tells {
            if !held.tells.contains(id) {
                held.tells.push(*id);
                *self.untold.entry(*id).or_default() += 1;
            }
        }
    }

    /// It waits no more.
    pub fn release(&mut self, notification: NotificationId) {
        self.pushes.remove(&notification);
        for id in self.held.remove(&notification).map(|held| held.tells).unwrap_or_default() {
            if let Some(count) = self.untold.get_mut(&id) {
                *count -= 1;
                if *count == 0 {
                    self.untold.remove(&id);
                }
            }
        }
    }
}

/// Whether this push is before the one that left the ref where it is.
pub fn is_late(moved: Move, head: Head) -> bool {
    moved.push > 0 && moved.push < head.push
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Consumers as _, Entry, Journal as _, MemoryStore, Settlement};
    use bytes::Bytes;
    use std::time::Duration;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    #[test]
    fn a_late_push_does_not_move_a_ref_back() {
        let mut memory = Memory::default();
        let moved =
            |push, from, to| Move { reference: id(1), from: id(from), to: id(to), push, time: None, makes: false };
        memory.moved(moved(7, 2, 3));
        memory.moved(moved(5, 1, 2));
        assert_eq!(memory.head(id(1)), Some(Head { at: id(3), push: 7, time: None }));
        memory.moved(moved(8, 3, 4));
        assert_eq!(memory.head(id(1)), Some(Head { at: id(4), push: 8, time: None }));
    }

    #[tokio::test]
    async fn what_waited_before_a_start_is_not_known_until_it_was_looked_at() {
        let (store, now) = (MemoryStore::new(), Timestamp::UNIX_EPOCH);
        let translation = Consumer { name: "translate".to_owned(), log: Log::Notifications };
        for number in 0..3 {
            let entry = Entry { key: id(number), time: now, body: Bytes::from_static(b"-") };
            store.append(Log::Notifications, entry).await.unwrap();
        }
        let claim = store.claim(&translation, now, Duration::from_mins(1), READ).await.unwrap();
        let at = now + Duration::from_secs(30);
        let retried = [Settlement::Retry { at }, Settlement::Done, Settlement::Retry { at }].to_vec();
        store.settle(claim, retried, Vec::new()).await.unwrap();
        let order = Order::default();
        order.read(&store, &translation).await.unwrap();
        let mut memory = order.memory();
        let [first, second] = [Position(1), Position(3)];
        assert!(!memory.knows_all_but(&[first]));
        assert!(memory.knows_all_but(&[first, Position(2), second]));
        memory.saw(&[first]);
        assert!(memory.knows_all_but(&[second]) && !memory.knows_all_but(&[]));
        memory.saw(&[second]);
        assert!(memory.knows_all_but(&[]));
    }

    #[test]
    fn what_is_told_by_two_that_wait_waits_until_both_are_released() {
        let (mut memory, now) = (Memory::default(), Timestamp::UNIX_EPOCH);
        let (one, two) = (NotificationId(id(1)), NotificationId(id(2)));
        memory.hold(one, &[id(9)], Vec::new(), now);
        memory.hold(two, &[id(9)], Vec::new(), now);
        memory.release(one);
        memory.release(one);
        assert!(memory.is_held(id(9)));
        memory.hold(two, &[id(9), id(10)], Vec::new(), now);
        assert!(memory.is_held(id(10)), "what became known later");
        memory.release(two);
        assert!(!memory.is_held(id(9)) && !memory.is_held(id(10)));
        assert_eq!(memory.since(two), None);
    }
}
