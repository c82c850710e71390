//! The pull requests of one batch, as the log tells them and as the batch goes on: each is read once.

use crate::{
    app::{App, revisions::latest},
    event::Event,
    relations::{self, thing::Thing},
    store::{Error, Log},
    translate::{
        push::{Push, VISITS_MAX, visited},
        request::{Seen, Standing, seen},
    },
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Finds the events that tell of pull requests.
pub(crate) struct Requests<'a> {
    app: &'a App,
    /// Whether it waits until the log was read on, however long.
    is_patient: bool,
    /// Those that were read, by source and subject.
    read: HashMap<(String, String), Vec<Seen>>,
    /// Events that are about to be appended, each with the number of its revision.
    fresh: Vec<(Seen, u32)>,
    /// Ids that were asked for, and those of them that are in the log.
    asked: HashSet<Uuid>,
    kept: HashSet<Uuid>,
}

impl<'a> Requests<'a> {
    /// Looks requests up only where the log was read on.
    pub(super) fn quick(app: &'a App) -> Self {
        Self { is_patient: false, ..Self::new(app) }
    }

    /// Waits until the log was read on, which takes some minutes after the start of a gateway with a long one.
    pub(crate) fn new(app: &'a App) -> Self {
        let (asked, kept) = (HashSet::new(), HashSet::new());
        Self { app, is_patient: true, read: HashMap::new(), fresh: Vec::new(), asked, kept }
    }

    /// Asks for the ids of these acts at once.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn ask<'b>(&mut self, acts: impl Iterator<Item = &'b Seen>) -> Result<(), Error> {
        let visits = |act: &'b Seen| (1..=ASKED).filter_map(|number| visited(act, number));
        let ids = acts.flat_map(|act| act.twins().into_iter().flatten().chain(visits(act)));
        let asked: Vec<Uuid> = ids.filter(|id| self.asked.insert(*id)).collect();
        if !asked.is_empty() {
            let kept = self.app.store.contains(Log::Events, &asked).await?;
            self.kept.extend(asked.into_iter().zip(kept).filter_map(|(id, is_kept)| is_kept.then_some(id)));
        }
        Ok(())
    }

    /// This is about to be appended.
    pub(super) fn append(&mut self, event: &Event, revision: u32) {
        let Some(own) = seen(event) else { return };
        if let Some(act) = own.act() {
            self.app.order.memory().told(act, own.fact());
        }
        self.fresh.push((own, revision));
    }

    /// The last telling of an act, with the number of its revision, whichever notification told it and under whichever id.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn telling(&mut self, act: &Seen) -> Result<Option<(Seen, u32)>, Error> {
        if act.occasion().is_none() {
            return Ok(None);
        }
        if let Some(found) = self.fresh.iter().rev().find(|(own, _)| own.is_same_act(act)) {
            return Ok(Some(found.clone()));
        }
        self.ask(std::iter::once(act)).await?;
        for id in act.twins().into_iter().flatten() {
            if self.kept.contains(&id)
                && let Some((number, event, _)) = latest(self.app, id).await?
            {
                return Ok(seen(&event).map(|own| (own, number)));
            }
        }
        for visit in self.visits(act).await? {
            if visit.seen.is_same_act(act) {
                return Ok(Some((visit.seen, visit.revision)));
            }
        }
        // Another rendering of it had another head, and was taken for a push of that.
        let mut told = act.act().and_then(|own| self.app.order.memory().telling(own));
        if told.is_none() && act.is_vague() {
            told = self.of(act).await?.iter().find(|own| own.is_same_act(act)).map(Seen::fact);
        }
        let Some(fact) = told else { return Ok(None) };
        let found = latest(self.app, fact).await?;
        Ok(found.and_then(|(number, event, _)| Some((seen(&event)?, number))))
    }

    /// The times that the head of an act came, as each was told last.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn visits(&mut self, act: &Seen) -> Result<Vec<Visit>, Error> {
        let mut visits: Vec<Visit> = Vec::new();
        self.ask(std::iter::once(act)).await?;
        for first in (1..=VISITS_MAX).step_by(PROBED as usize) {
            let last = first.saturating_add(PROBED - 1).min(VISITS_MAX);
            let ids: Vec<(u32, Uuid)> =
                (first..=last).filter_map(|number| Some((number, visited(act, number)?))).collect();
            let fresh = |id: Uuid| self.fresh.iter().rev().find(move |(own, _)| own.fact() == id);
            // Most heads come once, and whether they did was asked for the whole batch.
            let is_there = |(_, id): &(u32, Uuid)| self.kept.contains(id) || fresh(*id).is_some();
            if first == 1 && !ids.iter().take(ASKED as usize).any(is_there) {
                break;
            }
            let asked: Vec<Uuid> = ids.iter().map(|(_, id)| *id).collect();
            let (kept, before) = (self.app.store.contains(Log::Events, &asked).await?, visits.len());
            for ((number, id), is_kept) in ids.into_iter().zip(kept) {
                if let Some((seen, revision)) = fresh(id).cloned() {
                    visits.push(Visit { number, id, seen, revision });
                } else if is_kept
                    && let Some((revision, event, _)) = latest(self.app, id).await?
                    && let Some(seen) = seen(&event)
                {
                    visits.push(Visit { number, id, seen, revision });
                }
            }
            // One can be told before the one before it, which is composed and on its way.
            if visits.len() == before {
                break;
            }
        }
        Ok(visits)
    }

    /// The pushes to the request of an act that are remembered, as each was told last.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn pushes(&mut self, act: &Seen) -> Result<Vec<Push>, Error> {
        let mut pushes: Vec<Push> = self.of(act).await?.iter().filter_map(Push::of).collect();
        pushes.extend(self.fresh.iter().filter(|(own, _)| own.is_of(act)).filter_map(|(own, _)| Push::of(own)));
        Ok(pushes)
    }

    /// Updates of the request of an act that were told without their reason, and so may be pushes.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn vague(&mut self, act: &Seen) -> Result<Vec<Push>, Error> {
        let supposed = |own: &Seen| Push::supposed(own).filter(|_| own.is_vague());
        let mut all: Vec<Push> = self.of(act).await?.iter().filter_map(supposed).collect();
        all.extend(self.fresh.iter().filter(|(own, _)| own.is_of(act)).filter_map(|(own, _)| supposed(own)));
        Ok(all)
    }

    /// How the request stood before an act.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn before(&mut self, act: &Seen) -> Result<Option<Standing>, Error> {
        self.of(act).await?;
        let known = self.read.get(&key(act)).into_iter().flatten();
        let all = known.chain(self.fresh.iter().map(|(own, _)| own).filter(|own| own.is_of(act)));
        let earlier = all.filter(|own| own.id != act.id && own.is_before(act) && own.standing.is_some());
        let mut earlier: Vec<&Seen> = earlier.collect();
        earlier.sort_by_key(|own| std::cmp::Reverse(own.time));
        // A record says less of how it stood then than the hook before it.
        let standings = earlier.into_iter().filter_map(|own| own.standing.clone());
        Ok(standings.reduce(Standing::or))
    }

    /// Whether the log is read on so far that a request can be looked up without reading all of it.
    pub(super) fn is_ready(&self) -> bool {
        relations::is_near(self.app)
    }

    /// The newest events of a request: of each fact its last telling.
    async fn of(&mut self, act: &Seen) -> Result<&[Seen], Error> {
        if !self.read.contains_key(&key(act)) {
            let thing = Thing::of_subject(&act.source, &act.subject);
            let found = match thing.filter(|_| self.is_patient || self.is_ready()) {
                Some(thing) => relations::events(self.app, &thing).await?.events,
                None => Vec::new(),
            };
            let mut facts = HashSet::new();
            let own = found.iter().filter_map(seen).filter(|own| own.is_of(act) && facts.insert(own.fact()));
            self.read.insert(key(act), own.collect());
        }
        Ok(self.read.get(&key(act)).map(Vec::as_slice).unwrap_or_default())
    }
}

/// Times that a head came that are looked for at once.
const PROBED: u32 = 8;
/// The first of them, which are looked for for a whole batch: what waits can leave so many out.
const ASKED: u32 = 4;

/// One time that a head came.
pub(crate) struct Visit {
    /// Which, from 1.
    pub(crate) number: u32,
    /// The first event of it.
    pub(crate) id: Uuid,
    /// The last telling.
    pub(crate) seen: Seen,
    /// The number of that.
    pub(crate) revision: u32,
}

fn key(act: &Seen) -> (String, String) {
    (act.source.clone(), act.subject.clone())
}
