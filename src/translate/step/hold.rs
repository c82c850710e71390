//! Which notifications of a batch are early: their events must wait for what comes before them.
//!
//! Azure reorders what it delivers, and after an outage what is new arrives before what was missed is recovered. So what is
//! provably early is put off, for [`Settings::order_wait`](crate::config::Settings::order_wait) at most; meanwhile the
//! missing is looked for. Nothing else waits for it: only what the same rule holds back, and that is what follows it.
//!
//! Not asked of connections that cannot ask Azure DevOps, since what a hook lost stays lost there; and not of events that
//! belong to no project of ours.

use crate::{
    app::order::{Head, Memory, is_late},
    domain::{Connection, HookMode, NotificationId, Recovered},
    event::Event,
    translate::order::{Before, Move, Place, place},
};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use uuid::Uuid;

/// The first wait; doubled with each further one.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Looks after which it passes whatever its age: a gateway that is restarted all the time begins to count anew each time.
pub(super) const ATTEMPTS_MAX: u32 = 100;

/// How long one more wait is.
pub(super) fn wait(attempt: u32) -> Duration {
    WAIT_MIN.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(WAIT_MAX)
}

/// Whether the order of this connection's events is looked after.
pub(super) fn is_ordered(connection: &Connection) -> bool {
    let has_credential = connection.token.is_some() || connection.service_principal.is_some();
    has_credential && connection.hooks == HookMode::Managed
}

/// The places of events that may have to wait; `runs_are_told` is whether anything of the connection tells that a run began.
pub(super) fn places(events: &[Event], runs_are_told: impl Fn() -> bool) -> Vec<Place> {
    let ours = events.iter().filter(|event| !event.header.projects.is_empty());
    let is_run = |event: &Event| event.header.kind.starts_with("dev.cdevents.pipelinerun.");
    ours.filter(|event| !is_run(event) || runs_are_told()).filter_map(place).collect()
}

/// What a notification does when what comes before it is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It waits.
    Waits,
    /// It waits only for what is here and waits itself.
    WaitsForHeld,
    /// It waits for nothing.
    Passes,
}

/// How patient a notification is that has waited so long, by its attempt and since it first had to.
pub(super) fn patience(recovered: Option<Recovered>, attempt: u32, waited: Duration, wait_max: Duration) -> Patience {
    if attempt > ATTEMPTS_MAX || waited >= wait_max.saturating_mul(2) {
        return Patience::Passes;
    }
    // What is found in Azure's records is found in order: what is not there before it is nowhere.
    let is_composed = recovered == Some(Recovered::Rest);
    if is_composed || waited >= wait_max { Patience::WaitsForHeld } else { Patience::Waits }
}

/// A translated notification.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) notification: NotificationId,
    /// What is there once it is told: its events, and the places that refs have come to.
    pub(super) tells: Vec<Uuid>,
    /// Those of them that have a place in an order.
    pub(super) places: Vec<Place>,
    pub(super) patience: Patience,
    /// Whether it was put off before.
    pub(super) has_waited: bool,
}

impl Candidate {
    /// How this event of it moves a ref.
    pub(super) fn moved_by(&self, event: Uuid) -> Option<Move> {
        self.places.iter().find(|place| place.id == event)?.moved
    }
}

/// What becomes of each candidate, by its number.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sorted {
    /// In the order in which their events are appended.
    pub(super) passing: Vec<usize>,
    /// Those that wait.
    pub(super) waiting: Vec<usize>,
    /// Candidate and place of what needs something that is neither there nor here and waiting.
    pub(super) broken: Vec<(usize, usize)>,
    /// How many of those that pass waited for something that did not come.
    pub(super) in_vain: u64,
}

/// What the log must be asked for: whether these ids are in it. What could not be translated is no candidate.
pub(super) fn asked(candidates: &[Option<&Candidate>], memory: &mut Memory) -> Vec<Uuid> {
    let mut ids = HashSet::new();
    for place in candidates.iter().flatten().flat_map(|candidate| &candidate.places) {
        match (&place.before, place.moved) {
            (Before::OneOf(before), _) => {
                ids.insert(place.id);
                ids.extend(before);
                ids.extend(place.root);
            }
            (Before::Head, Some(moved)) if !follows(moved, memory.head(moved.reference)) => {
                ids.insert(place.id);
            }
            _ => {}
        }
    }
    ids.into_iter().collect()
}

/// Whether the ref is where the move begins. Of a ref that nobody has heard of yet, only its making does: whatever else
/// happened to it before may have been lost.
fn follows(moved: Move, head: Option<Head>) -> bool {
    head.map_or(moved.makes, |head| head.at == moved.from)
}

/// A candidate and its number.
type Numbered<'a> = (usize, &'a Candidate);

/// Sorts a batch. `kept` has those of the [`asked`] ids that are in the log.
pub(super) fn sort(candidates: &[Option<&Candidate>], kept: &HashSet<Uuid>, memory: &mut Memory) -> Sorted {
    let mut batch = Batch { memory, kept, told: HashSet::new(), heads: HashMap::new() };
    let numbered = candidates.iter().enumerate().filter_map(|(at, candidate)| Some((at, (*candidate)?)));
    let (mut sorted, mut pending) = (Sorted::default(), numbered.collect::<Vec<Numbered<'_>>>());
    loop {
        let before = pending.len();
        pending.retain(|(at, candidate)| {
            let may_pass = candidate.places.iter().all(|place| batch.has_before(place));
            if may_pass {
                batch.tell(candidate);
                sorted.passing.push(*at);
            }
            !may_pass
        });
        if pending.len() < before {
            continue;
        }
        // Nothing more comes by itself: what waits for nothing that is here goes next, the oldest first.
        let next = pending.iter().position(|(_, candidate)| batch.gives_up(candidate, &pending));
        let Some((at, candidate)) = next.map(|next| pending.remove(next)) else { break };
        if !candidate.has_waited {
            // What the records do not have before it is looked for, or named: a gap in them is one, too.
            for (number, place) in candidate.places.iter().enumerate() {
                if !batch.has_before(place) && batch.has_beginning(place) {
                    sorted.broken.push((at, number));
                }
            }
        }
        sorted.in_vain += u64::from(candidate.has_waited);
        batch.tell(candidate);
        sorted.passing.push(at);
    }
    for (at, candidate) in &pending {
        for (number, place) in candidate.places.iter().enumerate() {
            if !batch.has_before(place) && !batch.waits_here(place, &pending) {
                sorted.broken.push((*at, number));
            }
        }
    }
    sorted.waiting = pending.into_iter().map(|(at, _)| at).collect();
    sorted
}

/// The log as it will be once the batch is appended.
struct Batch<'a> {
    memory: &'a mut Memory,
    kept: &'a HashSet<Uuid>,
    told: HashSet<Uuid>,
    heads: HashMap<Uuid, Head>,
}

impl Batch<'_> {
    fn is_there(&self, id: Uuid) -> bool {
        self.kept.contains(&id) || self.told.contains(&id)
    }

    fn head(&mut self, reference: Uuid) -> Option<Head> {
        self.heads.get(&reference).copied().or_else(|| self.memory.head(reference))
    }

    /// Whether what must come before it is there, or it is there itself.
    fn has_before(&mut self, place: &Place) -> bool {
        let is_met = match (&place.before, place.moved) {
            (Before::OneOf(before), _) => before.iter().any(|id| self.is_there(*id)),
            (Before::Head, Some(moved)) => {
                let head = self.head(moved.reference);
                follows(moved, head) || head.is_some_and(|head| is_late(moved, head))
            }
            _ => true,
        };
        is_met || self.is_there(place.id) || self.memory.is_waived(place.need)
    }

    /// Whether anything of its entity is known to be in the log: else what is before it may be older than what we were to
    /// hear of, and the sweep that found it goes on to where that begins.
    fn has_beginning(&mut self, place: &Place) -> bool {
        let is_known = place.moved.is_none_or(|moved| self.head(moved.reference).is_some());
        is_known && place.root.is_none_or(|root| self.is_there(root))
    }

    /// Whether it goes without what should be there.
    fn gives_up(&self, candidate: &Candidate, pending: &[Numbered<'_>]) -> bool {
        match candidate.patience {
            Patience::Waits => false,
            Patience::WaitsForHeld => !candidate.places.iter().any(|place| self.waits_for_earlier(place, pending)),
            Patience::Passes => true,
        }
    }

    /// Whether what must come before it is here and waits too.
    fn waits_here(&self, place: &Place, pending: &[Numbered<'_>]) -> bool {
        let waits = |id: Uuid| self.memory.is_held(id) || pending.iter().any(|(_, other)| other.tells.contains(&id));
        match &place.before {
            Before::OneOf(before) => before.iter().any(|id| waits(*id)),
            Before::Head => waits(place.need),
            Before::Nothing => false,
        }
    }

    /// The same, or an earlier push to the ref waits, whatever lies between them.
    fn waits_for_earlier(&self, place: &Place, pending: &[Numbered<'_>]) -> bool {
        let Some(moved) = place.moved else { return self.waits_here(place, pending) };
        let mut others = pending.iter().flat_map(|(_, other)| &other.places).filter_map(|place| place.moved);
        self.memory.is_held_before(moved) || others.any(|other| other.is_before(moved))
    }

    /// From here on it counts as there.
    fn tell(&mut self, candidate: &Candidate) {
        self.told.extend(&candidate.tells);
        for moved in candidate.places.iter().filter_map(|place| place.moved) {
            if !self.head(moved.reference).is_some_and(|head| is_late(moved, head)) {
                self.heads.insert(moved.reference, Head { at: moved.to, push: moved.push, time: moved.time });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::order::Entity;
    use jiff::Timestamp;
    use proptest::prelude::*;

    const ORDER_WAIT: Duration = Duration::from_mins(15);

    fn id(text: &str) -> Uuid {
        Uuid::new_v5(&Uuid::nil(), text.as_bytes())
    }

    fn candidate(name: &str, place: Place) -> Candidate {
        let mut tells = vec![place.id];
        tells.extend(place.moved.map(|moved| moved.meets()));
        let notification = NotificationId(id(&format!("notification {name}")));
        Candidate { notification, tells, places: vec![place], patience: Patience::Waits, has_waited: false }
    }

    /// A revision of a work item.
    fn revision(rev: i64) -> Candidate {
        let event = |rev: i64| id(&format!("rev {rev}"));
        let before = if rev > 1 { Before::OneOf(vec![id("other"), event(rev - 1)]) } else { Before::Nothing };
        let entity = Entity::WorkItem { number: 1, rev };
        let place = Place {
            id: event(rev),
            entity,
            project: None,
            time: None,
            begun: None,
            before,
            moved: None,
            need: id(&format!("before {rev}")),
            root: None,
        };
        candidate(&format!("rev {rev}"), place)
    }

    /// A push that goes from the place before to its own.
    fn push(number: i64) -> Candidate {
        let at = |number: i64| id(&format!("object {number}"));
        let moved =
            Move { reference: id("ref"), from: at(number - 1), to: at(number), push: number, time: None, makes: false };
        let entity = Entity::Ref { repository: String::new(), name: String::new(), from: String::new(), push: number };
        let (name, need) = (format!("push {number}"), moved.needs());
        let place = Place {
            id: id(&name),
            entity,
            project: None,
            time: None,
            begun: None,
            before: Before::Head,
            moved: Some(moved),
            need,
            root: None,
        };
        candidate(&name, place)
    }

    /// Delivers in this order, in batches of this size, until nothing is due any more; what became of it.
    fn delivered(arrivals: &[Candidate], batch: usize, memory: &mut Memory) -> Vec<Uuid> {
        let (mut log, mut waiting): (Vec<Uuid>, Vec<&Candidate>) = (Vec::new(), Vec::new());
        let mut fresh = arrivals.iter().collect::<Vec<_>>();
        for _ in 0..arrivals.len() * 2 {
            let count = batch.min(fresh.len());
            let due: Vec<&Candidate> = waiting.drain(..).chain(fresh.drain(..count)).collect();
            let candidates: Vec<_> = due.iter().map(|own| Some(*own)).collect();
            let kept: HashSet<Uuid> = asked(&candidates, memory).into_iter().filter(|id| log.contains(id)).collect();
            let sorted = sort(&candidates, &kept, memory);
            for own in sorted.passing.iter().map(|at| due[*at]) {
                log.extend(own.places.iter().map(|place| place.id));
                own.places.iter().filter_map(|place| place.moved).for_each(|moved| memory.moved(moved));
                memory.release(own.notification);
            }
            for own in sorted.waiting.iter().map(|at| due[*at]) {
                let moves = own.places.iter().filter_map(|place| place.moved).collect();
                memory.hold(own.notification, &own.tells, moves, Timestamp::UNIX_EPOCH);
                waiting.push(own);
            }
        }
        log
    }

    fn ids(candidates: &[Candidate]) -> Vec<Uuid> {
        candidates.iter().map(|own| own.places[0].id).collect()
    }

    proptest! {
        #[test]
        fn whatever_order_they_arrive_in_revisions_and_pushes_end_in_theirs(
            order in Just((0..20_usize).collect::<Vec<_>>()).prop_shuffle(),
            batch in 1..8_usize,
        ) {
            let numbers = || 1..=10_i64;
            let mut all: Vec<Candidate> = numbers().map(revision).chain(numbers().map(|number| push(number + 1))).collect();
            let (revisions, pushes) = (ids(&all[..10]), ids(&all[10..]));
            let mut memory = Memory::default();
            memory.moved(push(1).places[0].moved.unwrap());
            let mut arrivals: Vec<Option<Candidate>> = all.drain(..).map(Some).collect();
            let arrivals: Vec<Candidate> = order.iter().map(|at| arrivals[*at].take().unwrap()).collect();
            let log = delivered(&arrivals, batch, &mut memory);
            let of = |ids: &[Uuid]| log.iter().copied().filter(|id| ids.contains(id)).collect::<Vec<_>>();
            prop_assert_eq!(of(&revisions), revisions);
            prop_assert_eq!(of(&pushes), pushes);
            prop_assert_eq!(memory.is_held(id("rev 1")), false);
        }
    }

    #[test]
    fn only_the_first_link_that_is_missing_is_broken() {
        let all = [revision(1), revision(3), revision(4), revision(6)];
        let all: Vec<_> = all.iter().map(Some).collect();
        let sorted = sort(&all, &HashSet::new(), &mut Memory::default());
        assert_eq!((sorted.passing, sorted.waiting), (vec![0], vec![1, 2, 3]));
        assert_eq!(sorted.broken, [(1, 0), (3, 0)]);
    }

    #[test]
    fn what_is_waived_is_not_waited_for() {
        let order = crate::app::order::Order::default();
        order.waive([id("before 3")]);
        let sorted = sort(&[Some(&revision(3))], &HashSet::new(), &mut order.memory());
        assert_eq!((sorted.passing, sorted.in_vain), (vec![0], 0));
    }

    #[test]
    fn the_first_push_that_is_heard_of_waits_until_it_is_known_that_none_came_before_it() {
        let order = crate::app::order::Order::default();
        let arrivals = [push(7), push(9), push(8)];
        let sorted = sort(&arrivals.each_ref().map(Some), &HashSet::new(), &mut order.memory());
        assert_eq!((sorted.passing, sorted.broken), (vec![], vec![(0, 0)]), "only the first of a chain is looked for");
        order.waive([push(7).places[0].need]);
        assert_eq!(delivered(&arrivals, 1, &mut order.memory()), ids(&[push(7), push(8), push(9)]));
    }

    #[test]
    fn a_push_that_makes_its_ref_waits_for_nothing() {
        let mut made = push(7);
        made.places[0].moved.as_mut().unwrap().makes = true;
        assert_eq!(sort(&[Some(&made)], &HashSet::new(), &mut Memory::default()).passing, [0]);
    }

    #[test]
    fn what_the_records_tell_of_a_ref_begins_anywhere() {
        let composed = Candidate { patience: Patience::WaitsForHeld, ..push(7) };
        let sorted = sort(&[Some(&composed)], &HashSet::new(), &mut Memory::default());
        assert_eq!((sorted.passing, sorted.broken), (vec![0], vec![]));
    }

    #[test]
    fn a_push_that_comes_late_after_all_waits_for_nothing() {
        let mut memory = Memory::default();
        memory.moved(push(9).places[0].moved.unwrap());
        let sorted = sort(&[Some(&push(4))], &HashSet::new(), &mut memory);
        assert_eq!(sorted.passing, [0]);
        assert_eq!(memory.head(id("ref")).unwrap().push, 9);
    }

    #[test]
    fn what_is_composed_waits_only_for_what_waits_itself() {
        let composed = |own: Candidate| Candidate { patience: Patience::WaitsForHeld, ..own };
        let (early, six, seven) = (revision(5), composed(revision(6)), composed(revision(20)));
        let sorted = sort(&[Some(&early), Some(&six), Some(&seven)], &HashSet::new(), &mut Memory::default());
        assert_eq!((sorted.passing, sorted.waiting), (vec![2], vec![0, 1]));
        let (early, later) = (push(5), composed(push(8)));
        let mut memory = Memory::default();
        memory.moved(push(1).places[0].moved.unwrap());
        let sorted = sort(&[Some(&later), Some(&early)], &HashSet::new(), &mut memory);
        assert_eq!(sorted.waiting, [0, 1], "an earlier push to the ref waits");
    }

    #[test]
    fn patience_ends_after_the_wait_and_for_good_after_twice_that() {
        let of = |recovered, waited| patience(recovered, 3, waited, ORDER_WAIT);
        assert_eq!(of(None, Duration::ZERO), Patience::Waits);
        assert_eq!(of(Some(Recovered::History), Duration::ZERO), Patience::Waits);
        assert_eq!(of(Some(Recovered::Rest), Duration::ZERO), Patience::WaitsForHeld);
        assert_eq!(of(None, ORDER_WAIT), Patience::WaitsForHeld);
        assert_eq!(of(None, ORDER_WAIT * 2), Patience::Passes);
        assert_eq!(patience(None, ATTEMPTS_MAX + 1, Duration::ZERO, ORDER_WAIT), Patience::Passes);
        assert_eq!([1, 2, 3, 5, 6, 50].map(|attempt| wait(attempt).as_secs()), [1, 2, 4, 16, 30, 30]);
    }
}
