//! One act of a pull request that several notifications tell: by a filtered subscription, which knows what was changed, by
//! an unfiltered one, which does not, by Azure's record of a push, which has another name for it.
//!
//! The poorer waits a moment for the richer and is left out once that is told. Where it went alone because the richer came
//! later still, the richer is its revision. Nothing else waits with it.

use super::translator::Translated;
use crate::{
    app::{App, revisions::latest},
    event::Event,
    relations::{self, thing::Thing},
    store::{Error, Log},
    translate::{
        request::{Push, Seen, Standing, seen},
        revision_id,
    },
};
use jiff::Timestamp;
use std::{collections::HashSet, time::Duration};
use uuid::Uuid;

/// How long an update that does not know what was changed waits for one that does: both are delivered at once.
const WAIT: Duration = Duration::from_secs(3);
/// Looks after which it passes, whatever the memory of its waiting became.
const ATTEMPTS_MAX: u32 = 3;
/// Times that one head is pushed to one pull request; what comes more often is taken for the last time.
const VISITS_MAX: u32 = 100;

/// The fate of one event that has a twin.
enum Fate {
    /// The event is told.
    Told,
    /// The event waits.
    Waits,
    /// The event is left out, because its act is told already.
    Left,
    /// The event replaces what was told of its act, because it knows more.
    Revises(Uuid),
}

/// Looks for the twins of a batch: what is told already is left out, what knows more is made a revision. The numbers of
/// those that wait.
pub(super) async fn look(
    app: &App,
    translated: &mut [Result<Translated, String>],
    attempts: &[u32],
) -> Result<HashSet<usize>, Error> {
    let acts: Vec<(usize, Seen)> = translated
        .iter()
        .enumerate()
        .flat_map(|(at, own)| own.iter().flat_map(|own| &own.acts).map(move |act| (at, act.clone())))
        .collect();
    let asked: HashSet<Uuid> =
        acts.iter().flat_map(|(_, act)| act.twins().into_iter().flatten().chain(act.visit(1))).collect();
    let asked: Vec<Uuid> = asked.into_iter().collect();
    let kept = if asked.is_empty() { Vec::new() } else { app.store.contains(Log::Events, &asked).await? };
    let kept: HashSet<Uuid> = asked.into_iter().zip(kept).filter_map(|(id, is_kept)| is_kept.then_some(id)).collect();
    // The telling that knows the reason may have come just as the other had waited enough.
    let sure: HashSet<[Uuid; 2]> =
        acts.iter().filter(|(_, act)| !act.is_vague()).filter_map(|(_, act)| act.twins()).collect();
    let mut waiting = HashSet::new();
    let mut held: Vec<Seen> = Vec::new();
    for (at, act) in &acts {
        let at = *at;
        let Ok(own) = &mut translated[at] else { continue };
        if act.is_vague() && act.twins().is_some_and(|twins| sure.contains(&twins)) {
            own.leave_out(act.id);
            continue;
        }
        let patient = attempts[at] <= ATTEMPTS_MAX && own.waited < WAIT;
        match fate(app, act, &kept, patient).await? {
            Fate::Told => {}
            Fate::Waits => {
                held.push(act.clone());
                waiting.insert(at);
            }
            Fate::Left => own.leave_out(act.id),
            Fate::Revises(of) => own.revise(act.id, revision_id(of, 1), of),
        }
    }
    // An act that is told better beside the act before it waits with that one.
    for (at, act) in acts.iter().filter(|(_, act)| act.is_open()) {
        let is_after =
            |held: &Seen| (&held.source, &held.subject) == (&act.source, &act.subject) && held.time < act.time;
        let is_patient = translated[*at].as_ref().is_ok_and(|own| attempts[*at] <= ATTEMPTS_MAX && own.waited < WAIT);
        if is_patient && held.iter().any(is_after) {
            waiting.insert(*at);
        }
    }
    Ok(waiting)
}

async fn fate(app: &App, act: &Seen, kept: &HashSet<Uuid>, patient: bool) -> Result<Fate, Error> {
    let Some(told) = told(app, act, kept).await? else {
        return Ok(if act.is_vague() && patient { Fate::Waits } else { Fate::Told });
    };
    // Comparing may give an act another type, and so another id.
    let fate = if told.id == act.id && !act.is_open() { Fate::Told } else { Fate::Left };
    if !act.corrects(&told) || app.store.contains(Log::Events, &[revision_id(told.id, 1)]).await?.contains(&true) {
        return Ok(fate);
    }
    Ok(Fate::Revises(told.id))
}

/// The event that tells this act already, if there is one.
async fn told(app: &App, act: &Seen, kept: &HashSet<Uuid>) -> Result<Option<Seen>, Error> {
    for id in act.twins().into_iter().flatten().filter(|id| kept.contains(id)) {
        if let Some(record) = app.store.find(Log::Events, id).await? {
            return Ok(Event::from_stored(record.key, &record.body).and_then(|event| seen(&event)));
        }
    }
    if act.occasion().is_none() || !act.visit(1).is_some_and(|id| kept.contains(&id)) {
        return Ok(None);
    }
    for visit in 1..=VISITS_MAX {
        let Some(event) = kept_visit(app, act, visit, &[]).await? else { break };
        if let Some(own) = seen(&event).filter(|own| own.occasion() == act.occasion()) {
            return Ok(Some(own));
        }
    }
    Ok(None)
}

/// The event that tells the `visit`th time that the head came, if there is one.
async fn kept_visit(app: &App, act: &Seen, visit: u32, fresh: &[Event]) -> Result<Option<Event>, Error> {
    let Some(id) = act.visit(visit) else { return Ok(None) };
    if let Some(event) = fresh.iter().find(|event| event.id == id) {
        return Ok(Some(event.clone()));
    }
    // As it was told last: who told it again may have known more of it.
    Ok(latest(app, id).await?.map(|(_, event, _)| Event { id, ..event }))
}

/// The event under the id of the time that its head came for: of a push, which is another one if the same head was pushed
/// before and it is not that push told again.
pub(super) async fn counted(app: &App, event: Event, fresh: &[Event]) -> Result<Event, Error> {
    let Some(act) = acts(std::slice::from_ref(&event)).pop().filter(|act| act.visit(1) == Some(event.id)) else {
        return Ok(event);
    };
    let (Some(own), Some(first)) = (Push::read(&event), kept_visit(app, &act, 1, fresh).await?) else {
        return Ok(event);
    };
    let mut others = pushes(app, &act.source, &act.subject).await?.0;
    others.extend(fresh.iter().filter(|own| is_of(own, &act)).filter_map(Push::read));
    let (mut visit, mut known) = (1, Some(first));
    // The id may be that of an act that was taken for a push at first.
    while let Some(event) = &known {
        if Push::read(event).is_some_and(|told| own.is(&told, &others)) || visit == VISITS_MAX {
            break;
        }
        visit += 1;
        known = kept_visit(app, &act, visit, fresh).await?;
    }
    Ok(act.visit(visit).map_or_else(|| event.clone(), |id| event.clone().under(id)))
}

fn is_of(event: &Event, act: &Seen) -> bool {
    seen(event).is_some_and(|own| (own.source, own.subject) == (act.source.clone(), act.subject.clone()))
}

/// The pushes to a pull request that the log tells, and from when on it is known to tell all.
///
/// # Errors
/// The store's.
pub async fn pushes(app: &App, source: &str, subject: &str) -> Result<(Vec<Push>, Option<Timestamp>), Error> {
    let Some(thing) = Thing::of_subject(source, subject) else { return Ok((Vec::new(), None)) };
    let found = relations::events(app, &thing).await?;
    // As each was told last.
    let mut pushes: Vec<Push> = Vec::new();
    for push in found.events.iter().filter_map(Push::read) {
        match pushes.iter_mut().find(|own| own.id == push.id) {
            Some(own) => *own = push,
            None => pushes.push(push),
        }
    }
    Ok((pushes, found.since))
}

/// How the pull request stood before an event, by the log and by what is about to be appended to it.
pub(super) async fn before(app: &App, act: &Seen, fresh: &[Event]) -> Result<Option<Standing>, Error> {
    let Some(thing) = Thing::of_subject(&act.source, &act.subject) else { return Ok(None) };
    let found = relations::events(app, &thing).await?;
    let others = found.events.iter().chain(fresh).filter_map(seen);
    let earlier = others.filter(|own| {
        let is_same = (&own.source, &own.subject) == (&act.source, &act.subject);
        is_same && own.id != act.id && own.is_before(act) && own.standing.is_some()
    });
    Ok(earlier.max_by_key(|own| own.time).and_then(|own| own.standing))
}

/// The acts of these events that may have a twin, or know more when they are compared.
pub(super) fn acts(events: &[Event]) -> Vec<Seen> {
    let is_update = |event: &&Event| {
        ["dev.cdevents.change.updated.", "dev.cdevents.change.reviewed."]
            .iter()
            .any(|kind| event.header.kind.starts_with(kind))
    };
    events.iter().filter(is_update).filter_map(seen).collect()
}
