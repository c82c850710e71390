//! Acts of pull requests, which several notifications tell: by a filtered subscription, which knows what was changed, by an
//! unfiltered one, which does not, by Azure's record of a push, which has another name for it.
//!
//! Acts are told one after the other, in the order in which they happened. Each is held against what the log and the batch tell
//! of it already. The poorer waits a moment for the richer and is left out once that is told. Where it went alone because the
//! richer came later still, the richer is its revision. Nothing else waits with it but the end of its request.
//!
//! A push of a head that is told already is either another push, after the branch was set back, or the notification of an
//! earlier push that Azure rendered late. The payload does not say which. So where Azure can be asked, its record of the
//! pushes decides: a hook without a record of its own is left out, because its own push is composed from its record. Where
//! Azure cannot be asked for a day, or does not have the records, the hook is told, since nobody else would tell its push.

use super::{
    hold,
    requests::Requests,
    translator::{Translated, Translator},
};
use crate::{
    app::{App, breaks::Break, order::Verdict},
    event::Event,
    store::Error,
    translate::{
        order::{Entity, Move},
        push::{Push, VISITS_MAX, visited},
        request::{Seen, acts},
        revision_id,
    },
};
use std::time::Duration;
use uuid::Uuid;

/// How long an update that does not know what was changed waits for one that does: both are delivered at once.
const WAIT: Duration = Duration::from_secs(3);
/// Looks after which it passes, whatever the memory of its waiting became.
const ATTEMPTS_MAX: u32 = 3;
/// How long what must be compared waits until the log was read on after a start: some minutes for ten million events.
pub(super) const READING_WAIT_MAX: Duration = Duration::from_mins(10);

/// How long a push of a known head waits until Azure was asked for the pushes.
const ASKING_WAIT_MAX: Duration = Duration::from_hours(24);

/// The acts of one batch.
pub(super) struct Acts<'a> {
    app: &'a App,
    requests: Requests<'a>,
    all: Vec<Seen>,
    /// Those that wait.
    held: Vec<Seen>,
    /// Questions for Azure.
    pub(super) breaks: Vec<Break>,
}

impl<'a> Acts<'a> {
    /// # Errors
    /// The store's.
    pub(super) async fn of(app: &'a App, translated: &[Result<Translated, String>]) -> Result<Self, Error> {
        let all: Vec<Seen> = translated.iter().flatten().flat_map(|own| own.acts.iter().cloned()).collect();
        let mut requests = Requests::quick(app);
        requests.ask(all.iter()).await?;
        Ok(Self { app, requests, all, held: Vec::new(), breaks: Vec::new() })
    }

    /// The events that a notification tells now, each with how it moves a ref; `None` where it waits.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn tell(
        &mut self,
        own: &mut Translated,
        attempt: u32,
    ) -> Result<Option<Vec<(Event, Option<Move>)>>, Error> {
        let mut revision = 0;
        if let Some(act) = own.acts.first().cloned() {
            if self.is_told_better(&act) {
                own.leave_out(act.id);
            } else if let Some((told, number)) = self.requests.telling(&act).await? {
                revision = repeat(own, &act, &told, number);
            } else if self.must_wait(&act, own, attempt) {
                own.candidate.tells.push(waiting(&act));
                self.held.push(act);
                return Ok(None);
            } else {
                self.compare(own, &act).await?;
                if !self.number(own, attempt).await? {
                    return Ok(None);
                }
            }
        } else if own.end.clone().is_some_and(|end| is_patient(own, attempt) && self.is_behind(&end)) {
            return Ok(None);
        }
        let mut told = Vec::with_capacity(own.events.len());
        for event in own.events.drain(..) {
            self.requests.append(&event, revision);
            let moved = own.candidate.moved_by(event.id);
            told.push((event, moved));
        }
        Ok(Some(told))
    }

    /// Whether another notification of the batch knows the act better: it may have come just as this one had waited enough.
    fn is_told_better(&self, act: &Seen) -> bool {
        let is_better = |other: &Seen| (act.is_vague() && !other.is_vague()) || other.corrects(act);
        self.all.iter().any(|other| other.is_same_act(act) && is_better(other) && other.is_for_all_of(act))
    }

    fn must_wait(&self, act: &Seen, own: &Translated, attempt: u32) -> bool {
        let is_compared = act.is_open() || act.iteration().is_some();
        if is_compared && own.waited < READING_WAIT_MAX && !self.requests.is_ready() {
            return true;
        }
        is_patient(own, attempt) && (act.is_vague() || (act.is_open() && self.is_behind(act)))
    }

    /// Whether an earlier act of its request waits.
    fn is_behind(&self, act: &Seen) -> bool {
        let is_earlier = |held: &Seen| held.is_of(act) && held.time <= act.time;
        self.held.iter().any(is_earlier) || self.app.order.memory().is_held(waiting(act))
    }

    /// Compares the request with how it stood before, where no filter says the reason.
    async fn compare(&mut self, own: &mut Translated, act: &Seen) -> Result<(), Error> {
        let Some(notification) = own.notification.as_ref().filter(|_| act.is_open()) else { return Ok(()) };
        let Some(before) = self.requests.before(act).await? else { return Ok(()) };
        if let Ok(events) = Translator::new(self.app).compared(notification, &before) {
            own.events = events;
        }
        Ok(())
    }

    /// Puts a push under the id of the time that its head came for; `false` where it waits until that is known.
    async fn number(&mut self, own: &mut Translated, attempt: u32) -> Result<bool, Error> {
        let told = acts(&own.events);
        if let Some(act) = told.iter().find(|act| act.is_vague()) {
            return self.recorded(own, act).await;
        }
        let pushed = told.into_iter().find_map(|act| Some((Push::of(&act)?, act)));
        let Some((push, act)) = pushed else { return Ok(true) };
        if push.is_composed()
            && let Some(vague) = push.nearest(self.requests.vague(&act).await?.iter().filter(|told| push.may_be(told)))
        {
            own.put(act.id, vague.id);
            return Ok(true);
        }
        let visits = self.requests.visits(&act).await?;
        // A record is composed with the number that it has.
        let is_free = !visits.iter().any(|visit| visit.id == act.id);
        if visits.is_empty() || (push.is_composed() && is_free) {
            return Ok(true);
        }
        let others = self.requests.pushes(&act).await?;
        let told: Vec<Push> = visits.iter().filter_map(|visit| Some(Push::of(&visit.seen)?.under(visit.id))).collect();
        if let Some(same) = push.nearest(told.iter().filter(|told| push.is(told, &others))) {
            own.put(act.id, same.id);
            return Ok(true);
        }
        let last = visits.iter().map(|visit| visit.number).max().unwrap_or_default();
        let Some(next) = visited(&act, last.saturating_add(1)).filter(|_| last < VISITS_MAX) else {
            own.leave_out(act.id);
            return Ok(true);
        };
        // A composed push has the number that was free then. A push that took it since can be the same one, rendered late.
        let Some(question) = act.act().or_else(|| act.numbered()).filter(|_| own.asks) else {
            own.put(act.id, next);
            return Ok(true);
        };
        let verdict = self.app.order.memory().verdict(question);
        let is_free = |id: &Uuid| !visits.iter().any(|visit| visit.id == *id);
        match verdict {
            Some(Verdict::Own(id)) if is_free(&id) => own.put(act.id, id),
            Some(Verdict::Late) => own.leave_out(act.id),
            None | Some(Verdict::Own(_))
                if own.waited < ASKING_WAIT_MAX && attempt <= hold::attempts_max(ASKING_WAIT_MAX) =>
            {
                own.candidate.tells.extend([question, waiting(&act)]);
                self.app.order.memory().ask(own.candidate.notification, act.request(), push.under(question));
                self.breaks.extend(asked(own, &act, question));
                self.held.push(act);
                return Ok(false);
            }
            // Nobody else would tell it.
            _ => own.put(act.id, next),
        }
        Ok(true)
    }

    /// Puts an update of which nothing is known, by comparing neither, under the id of the push that a record told, where that
    /// was just before it and its head is the same: of a push, its hook says no more.
    async fn recorded(&mut self, own: &mut Translated, act: &Seen) -> Result<bool, Error> {
        let Some(push) = Push::supposed(act) else { return Ok(true) };
        let visits = self.requests.visits(act).await?;
        let told: Vec<Push> = visits.iter().filter_map(|visit| Some(Push::of(&visit.seen)?.under(visit.id))).collect();
        if let Some(same) = push.nearest(told.iter().filter(|told| told.is_composed() && push.may_be(told))) {
            own.put(act.id, same.id);
        }
        Ok(true)
    }
}

/// Tells an act again that the log has: as a revision where this notification knows more, else not at all. Answers the number of that revision.
fn repeat(own: &mut Translated, act: &Seen, told: &Seen, number: u32) -> u32 {
    if act.corrects(told) {
        let revision = number.saturating_add(1);
        own.revise(act.id, revision_id(told.fact(), revision), told);
        return revision;
    }
    if !told.is_for_all_of(act) {
        own.put(act.id, told.fact());
    } else if told.fact() != act.id || act.is_open() {
        own.leave_out(act.id);
    }
    0
}

fn is_patient(own: &Translated, attempt: u32) -> bool {
    attempt <= ATTEMPTS_MAX && own.waited < WAIT
}

/// Names what waits of a request.
fn waiting(act: &Seen) -> Uuid {
    act.update("waits")
}

/// The question for Azure: all pushes to the request.
fn asked(own: &Translated, act: &Seen, need: Uuid) -> Option<Break> {
    let mut segments = act.subject.split('/').skip(2);
    let (repository, number) = (segments.next()?.to_owned(), segments.nth(1)?.parse().ok()?);
    let header = own.events.iter().find(|event| event.id == act.id).map(|event| &event.header)?;
    Some(Break {
        connection: own.connection,
        entity: Entity::Iterations { repository, number },
        project: act.source.rsplit('/').next().and_then(|project| project.parse().ok()),
        projects: header.projects.clone(),
        need,
        missing: Vec::new(),
        time: act.time,
        begun: None,
        head: None,
    })
}
