//! One act of a pull request that several notifications tell: by a filtered subscription, which knows what was changed, by
//! an unfiltered one, which does not, by Azure's record of a push, which has another name for it.
//!
//! The poorer waits a moment for the richer and is left out once that is told. Where it went alone because the richer came
//! later still, the richer is its revision. Nothing else waits with it.

use super::translator::Translated;
use crate::{
    app::App,
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

/// What becomes of one event that has a twin.
enum Fate {
    /// It is told.
    Told,
    /// It waits.
    Waits,
    /// Its act is told already.
    Left,
    /// It knows more than what was told of its act, and replaces it.
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
    let mut waiting = HashSet::new();
    for (at, act) in acts.clone() {
        let Ok(own) = &mut translated[at] else { continue };
        let patient = attempts[at] <= ATTEMPTS_MAX && own.waited < WAIT;
        if patient && !act.is_sure() && acts.iter().any(|(_, other)| other.is_sure() && other.says_the_same(&act)) {
            waiting.insert(at);
            continue;
        }
        match fate(app, &act, &kept, patient).await? {
            Fate::Told => {}
            Fate::Waits => {
                waiting.insert(at);
            }
            Fate::Left => own.leave_out(act.id),
            Fate::Revises(of) => own.revise(act.id, revision_id(of, 1), of),
        }
    }
    Ok(waiting)
}

async fn fate(app: &App, act: &Seen, kept: &HashSet<Uuid>, patient: bool) -> Result<Fate, Error> {
    let Some(told) = told(app, act, kept).await? else {
        return Ok(if act.is_vague() && patient { Fate::Waits } else { Fate::Told });
    };
    let fate = if told.id == act.id { Fate::Told } else { Fate::Left };
    if !act.corrects(&told) || app.store.contains(Log::Events, &[revision_id(told.id, 1)]).await?.contains(&true) {
        return Ok(fate);
    }
    Ok(Fate::Revises(told.id))
}

/// What is told of this act already.
async fn told(app: &App, act: &Seen, kept: &HashSet<Uuid>) -> Result<Option<Seen>, Error> {
    for id in act.twins().into_iter().flatten().filter(|id| kept.contains(id)) {
        if let Some(record) = app.store.find(Log::Events, id).await? {
            return Ok(Event::from_stored(record.key, &record.body).and_then(|event| seen(&event)));
        }
    }
    if let Some(told) = told_otherwise(app, act).await? {
        return Ok(Some(told));
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

/// What is told of this act under another of Azure's ids.
async fn told_otherwise(app: &App, act: &Seen) -> Result<Option<Seen>, Error> {
    let Some(thing) = Thing::of_subject(&act.source, &act.subject).filter(|_| act.occasion().is_some()) else {
        return Ok(None);
    };
    let found = relations::events(app, &thing).await?;
    Ok(found.events.iter().filter_map(seen).find(|own| own.says_the_same(act)))
}

/// The event that tells the `visit`th time that the head came, if there is one.
async fn kept_visit(app: &App, act: &Seen, visit: u32, fresh: &[Event]) -> Result<Option<Event>, Error> {
    let Some(id) = act.visit(visit) else { return Ok(None) };
    if let Some(event) = fresh.iter().find(|event| event.id == id) {
        return Ok(Some(event.clone()));
    }
    let record = app.store.find(Log::Events, id).await?;
    Ok(record.and_then(|record| Event::from_stored(record.key, &record.body)))
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
    while let Some(told) = known.as_ref().and_then(Push::read) {
        if own.is(&told, &others) || visit == VISITS_MAX {
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
    Ok((found.events.iter().filter_map(Push::read).collect(), found.since))
}

/// How the pull request stood before an event, by the log and by what is about to be appended to it.
pub(super) async fn before(app: &App, act: &Seen, fresh: &[Event]) -> Result<Option<Standing>, Error> {
    let Some(thing) = Thing::of_subject(&act.source, &act.subject) else { return Ok(None) };
    let found = relations::events(app, &thing).await?;
    let others = found.events.iter().chain(fresh).filter_map(seen);
    let earlier = others.filter(|own| {
        let is_same = (&own.source, &own.subject) == (&act.source, &act.subject);
        is_same && own.id != act.id && own.time < act.time && own.standing.is_some()
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
