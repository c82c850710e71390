//! Which notifications of a batch are early: their events must wait for what comes before them.
//!
//! Azure reorders what it delivers, and after an outage what is new arrives before what was missed is recovered. So what is
//! provably early is put off, and so is the first push that is heard of to a ref, until it is known that none came before
//! it; for [`Settings::order_wait`](crate::config::Settings::order_wait) at most. Meanwhile the missing is looked for. Nothing
//! else waits for it: only what the same rule holds back, and that is what follows it.
//!
//! The poorer of two tellings of one fact waits too, some seconds, for the richer one: so that the fact is told once and whole.
//!
//! Not asked of connections that cannot ask Azure DevOps, since what a hook lost stays lost there; and not of events that
//! belong to no project of ours.

use crate::{
    app::order::{Head, Memory, is_late},
    domain::{Connection, HookMode, NotificationId, Recovered},
    event::Event,
    translate::{
        order::{Before, Move, Place, place},
        union,
    },
};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};
use uuid::Uuid;

/// The first wait; doubled with each further one.
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Looks beyond those that fit into the longest wait: a gateway that is restarted all the time begins to measure anew each
/// time, and has counted.
const ATTEMPTS_MORE: u32 = 100;

/// How long the poorer of two tellings waits for the richer one: Azure sends the state of a run and its build within seconds
/// of each other, in either order.
///
/// Source: captured run events of 2025, some nine seconds younger than what they tell.
const RICHER_WAIT_MAX: Duration = Duration::from_secs(20);

/// The richer telling that this waits for, and for how long it has.
pub(super) fn richer(events: &[Event], waited: Duration, attempt: u32) -> Option<Uuid> {
    let is_worth = waited < RICHER_WAIT_MAX && attempt <= attempts_max(RICHER_WAIT_MAX);
    events.iter().filter(|_| is_worth).find_map(union::richer)
}

/// How long one more wait is.
pub(super) fn wait(attempt: u32) -> Duration {
    WAIT_MIN.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(WAIT_MAX)
}

/// Whether the order of this connection's events is looked after.
pub(super) fn is_ordered(connection: &Connection) -> bool {
    connection.has_credential() && connection.hooks == HookMode::Managed
}

/// Looks after which it passes whatever its age.
pub(super) fn attempts_max(wait_max: Duration) -> u32 {
    let fit = wait_max.as_secs() / WAIT_MAX.as_secs();
    u32::try_from(fit).unwrap_or(u32::MAX).saturating_add(ATTEMPTS_MORE)
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
    /// Waits only for what is here and waits itself: after a start, until it is known what that tells.
    WaitsForHeld,
    /// It waits for nothing.
    Passes,
}

/// How patient a notification is that has waited so long, by its attempt and since it first had to.
pub(super) fn patience(recovered: Option<Recovered>, attempt: u32, waited: Duration, wait_max: Duration) -> Patience {
    let longest = wait_max.saturating_mul(2);
    if attempt > attempts_max(longest) || waited >= longest {
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
    /// The event with which a richer telling of the same fact is in the log, while it is worth waiting for that.
    pub(super) richer: Option<Uuid>,
    /// Whether it was put off before, and what it waits for was looked for.
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
    let mut ids: HashSet<Uuid> = candidates.iter().flatten().filter_map(|candidate| candidate.richer).collect();
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

/// Sorts a batch. `kept` has those of the [`asked`] ids that are in the log; `knows_held` is whether it is known of all that
/// waits what it tells.
pub(super) fn sort(
    candidates: &[Option<&Candidate>],
    kept: &HashSet<Uuid>,
    memory: &mut Memory,
    knows_held: bool,
) -> Sorted {
    let mut batch = Batch { memory, kept, told: HashSet::new(), heads: HashMap::new(), knows_held };
    let numbered = candidates.iter().enumerate().filter_map(|(at, candidate)| Some((at, (*candidate)?)));
    let (mut sorted, mut pending) = (Sorted::default(), numbered.collect::<Vec<Numbered<'_>>>());
    loop {
        let before = pending.len();
        pending.retain(|(at, candidate)| {
            let may_pass = candidate.places.iter().all(|place| batch.has_before(place))
                && candidate.richer.is_none_or(|richer| batch.is_there(richer));
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
        if candidate.patience == Patience::WaitsForHeld && !knows_held {
            continue;
        }
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
    knows_held: bool,
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
            Patience::WaitsForHeld => {
                self.knows_held && !candidate.places.iter().any(|place| self.waits_for_earlier(place, pending))
            }
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
mod tests;
