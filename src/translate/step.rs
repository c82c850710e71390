//! The consumer that turns notifications into events: claim a batch, translate each, settle with what they became.
//!
//! Events and cursor move in one commit, so there is no moment at which a crash could lose or repeat one; and the fact
//! keys make even a repeat harmless. One batch at a time: order in the journal is order in the events. What cannot be
//! translated is settled as dead with its reason and shown to the operator; it never holds up what comes behind it. What
//! is early is put off ([`hold`]) and holds up nothing but what must come after it.

mod acts;
mod direct;
mod hold;
mod requests;
mod translator;
mod whole;

pub(crate) use self::requests::Requests;
use self::{
    acts::Acts,
    hold::Sorted,
    translator::{Translated, Translator},
};

use super::{
    Settings,
    order::{Before, Move},
    push::Push,
    request::{Seen, acts},
};
use crate::{
    app::{App, breaks::Break},
    clock::Clock,
    domain::{Notification, NotificationId},
    event::Event,
    store::{Appended, Claimed, Consumer, Entry, Error, Log, PageLimit, Position, Settlement},
};
use std::{collections::HashSet, sync::Arc, time::Duration};
use uuid::Uuid;

/// How much is translated in one commit.
const BATCH: PageLimit = PageLimit { records_max: 128, body_bytes_max: 1 << 20 };
/// How long a batch may take before it is given to somebody else.
const LEASE: Duration = Duration::from_mins(1);
/// How long to wait after the store could not be used.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// While more deliveries than this arrive in a second, translation yields to them: answering comes first, and what is
/// late here is only late. Far above what an organization sends day by day.
const BUSY_PER_SECOND: u64 = 2_000;
/// Then it pauses this many times as long as it worked, and so takes a twentieth of one core.
const BUSY_PAUSE_FACTOR: u32 = 19;
/// One such pause at most.
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often to look whether what waits for its order may go.
const HOLDING_LOOK: Duration = Duration::from_millis(500);
/// It yields no longer than until events are this late: under an overload that lasts, both get their share.
const BUSY_LAG_MAX: Duration = Duration::from_secs(20);

/// The consumer's name on disk.
pub fn consumer() -> Consumer {
    Consumer { name: "translate".to_owned(), log: Log::Notifications }
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// How many notifications were settled; 0 when none was due.
    pub count: usize,
    /// How long the oldest of them had waited, by the wall clock.
    pub lag: Duration,
}

/// Translates one batch.
///
/// # Errors
/// The store's; the batch will be claimed again.
pub async fn step(app: &Arc<App>) -> Result<Settled, Error> {
    let claim = app.store.claim(&consumer(), app.clock.now(), LEASE, BATCH).await?;
    let Some(oldest) = claim.records.first() else { return Ok(Settled::default()) };
    let lag = Duration::try_from(app.clock.now().duration_since(oldest.record.time)).unwrap_or_default();
    let records: Vec<Claimed> = claim.records.clone();
    let (worker, now) = (Arc::clone(app), app.clock.now());
    // Off the async workers: answering a delivery must not wait for a batch of somebody else's JSON.
    let translated = tokio::task::spawn_blocking(move || {
        let translator = Translator::new(&worker);
        records.iter().map(|claimed| translator.one(claimed)).collect::<Vec<_>>()
    });
    let mut translated = translated.await.expect("translating catches its panics");
    let ids: Vec<NotificationId> = claim.records.iter().map(|claimed| NotificationId(claimed.record.key)).collect();
    let positions: Vec<Position> = claim.records.iter().map(|claimed| claimed.record.position).collect();
    let attempts: Vec<u32> = claim.records.iter().map(|claimed| claimed.attempt).collect();
    // Which events are told, and under which ids, depends on the log: nobody else may append to a fact meanwhile.
    let _alone = app.telling.lock().await;
    let mut acts = Acts::of(app, &translated).await?;
    let mut sorted = sort(app, &translated, &positions).await?;
    let mut breaks = breaks(app, &translated, &sorted);

    let count = translated.len();
    let mut settlements: Vec<Settlement> = translated
        .iter()
        .map(|result| match result {
            Ok(_) => Settlement::Done,
            Err(reason) => Settlement::Dead { reason: reason.clone() },
        })
        .collect();
    let (mut told, mut moves, mut put_off) = (Vec::with_capacity(count * 2), Vec::new(), Vec::new());
    for at in std::mem::take(&mut sorted.passing) {
        let Ok(own) = &mut translated[at] else {
            sorted.passing.push(at);
            continue;
        };
        match acts.tell(own, attempts[at]).await? {
            Some(events) => {
                sorted.passing.push(at);
                for (event, moved) in events {
                    moves.push(moved);
                    told.push(event);
                }
            }
            None => sorted.waiting.push(at),
        }
    }
    breaks.append(&mut acts.breaks);
    for at in &sorted.waiting {
        let wait = hold::wait(claim.records[*at].attempt);
        settlements[*at] = Settlement::Retry { at: now.checked_add(wait).unwrap_or(now) };
    }
    for at in &sorted.passing {
        let Ok(translated) = &translated[*at] else { continue };
        if translated.direct.is_empty() {
            continue;
        }
        match direct::look(app, translated, attempts[*at], &told).await? {
            direct::Fate::Told(merged) => told.extend(merged),
            direct::Fate::Waits => {
                let again = now.checked_add(hold::wait(attempts[*at])).unwrap_or(now);
                settlements[*at] = Settlement::Retry { at: again };
                put_off.push(ids[*at]);
            }
        }
    }
    whole::make(app, &mut told).await?;
    let entry = |event: &Event| (Log::Events, Entry { key: event.id, time: now, body: event.to_stored() });
    let appends = told.iter().map(entry).collect();
    let appended = app.store.settle(claim, settlements, appends).await?;
    let is_new = |appended: &Appended| matches!(appended, Appended::New(_));
    app.metrics.events.inc_by(appended.iter().filter(|appended| is_new(appended)).count() as u64);
    app.metrics.dead.inc_by(translated.iter().filter(|result| result.is_err()).count() as u64);
    app.metrics.order_waits_exceeded.inc_by(sorted.in_vain);
    let moves = moves.into_iter().zip(&appended).filter(|(_, appended)| is_new(appended));
    sorted.passing.retain(|at| !put_off.contains(&ids[*at]));
    remember(app, &ids, &translated, &sorted, breaks, moves.filter_map(|(moved, _)| moved));
    let mut memory = app.order.memory();
    memory.saw(&positions);
    for id in put_off {
        memory.hold(id, &[], Vec::new(), now);
    }
    drop(memory);
    Ok(Settled { count, lag })
}

/// What a notification tells by the mapping, the settings and the bindings of this moment.
///
/// # Errors
/// Why it tells nothing, in words.
pub async fn again(app: &App, notification: &Notification) -> Result<Vec<Event>, String> {
    let translator = Translator::new(app);
    let events = translator.events(notification)?;
    let Some(act) = acts(&events).into_iter().find(Seen::is_open) else { return Ok(events) };
    match Requests::new(app).before(&act).await.map_err(|error| error.to_string())? {
        Some(before) => translator.compared(notification, &before),
        None => Ok(events),
    }
}

/// The merged changes that a notification tells by the bindings of this moment, if its pushes are direct ones.
///
/// # Errors
/// Why it tells nothing, in words.
pub fn direct(app: &App, notification: &Notification) -> Result<Vec<Event>, String> {
    Translator::new(app).direct(notification)
}

/// What is chosen for translating here.
pub fn settings(app: &App) -> Settings {
    Settings { completed_states: app.settings.completed_states.clone() }
}

/// The notifications that may go, in order: acts that are compared in the order in which they happened, and the ends of their
/// requests after them.
async fn sort(app: &App, translated: &[Result<Translated, String>], positions: &[Position]) -> Result<Sorted, Error> {
    let mut sorted = in_order(app, translated, positions).await?;
    let own = |at: &usize| translated[*at].as_ref().ok();
    let open = |at: &usize| own(at).and_then(Translated::open);
    let mut compared: Vec<usize> = sorted.passing.extract_if(.., |at| open(at).is_some()).collect();
    compared.sort_by_key(|at| open(at).and_then(|act| act.time));
    let is_ended = |end: &Seen| compared.iter().filter_map(open).any(|act| act.is_of(end));
    let ends: Vec<usize> =
        sorted.passing.extract_if(.., |at| own(at).and_then(|own| own.end.as_ref()).is_some_and(is_ended)).collect();
    sorted.passing.extend(compared.into_iter().chain(ends));
    Ok(sorted)
}

/// The same without looking at acts.
async fn in_order(
    app: &App,
    translated: &[Result<Translated, String>],
    positions: &[Position],
) -> Result<Sorted, Error> {
    let is_ordered = |result: &Result<Translated, String>| {
        result.as_ref().is_ok_and(|translated| !translated.candidate.places.is_empty())
    };
    if !translated.iter().any(is_ordered) {
        return Ok(Sorted { passing: (0..translated.len()).collect(), ..Sorted::default() });
    }
    app.order.read(&*app.store, &consumer()).await?;
    let candidates: Vec<_> = translated.iter().map(|own| own.as_ref().ok().map(|own| &own.candidate)).collect();
    let asked = hold::asked(&candidates, &mut app.order.memory());
    let kept = if asked.is_empty() { Vec::new() } else { app.store.contains(Log::Events, &asked).await? };
    let kept: HashSet<Uuid> = asked.into_iter().zip(kept).filter_map(|(id, is_kept)| is_kept.then_some(id)).collect();
    let mut memory = app.order.memory();
    let knows_held = memory.knows_all_but(positions);
    Ok(hold::sort(&candidates, &kept, &mut memory, knows_held))
}

/// What the batch that was settled means for those to come, and what was missing in it.
fn remember(
    app: &App,
    ids: &[NotificationId],
    translated: &[Result<Translated, String>],
    sorted: &Sorted,
    breaks: Vec<Break>,
    moves: impl Iterator<Item = Move>,
) {
    let (now, monotonic, mut memory) = (app.clock.now(), app.clock.monotonic(), app.order.memory());
    moves.for_each(|moved| memory.moved(moved));
    // What waited and is through, or was given up.
    let dead = translated.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(at, _)| at);
    sorted.passing.iter().copied().chain(dead).for_each(|at| memory.release(ids[at]));
    for own in sorted.waiting.iter().filter_map(|at| translated[*at].as_ref().ok()) {
        let candidate = &own.candidate;
        for (act, push) in own.acts.iter().filter_map(|act| Some((act, Push::of(act)?))) {
            memory.put_off(candidate.notification, act.request(), push.under(act.id));
        }
        let moves = candidate.places.iter().filter_map(|place| place.moved).collect();
        memory.hold(candidate.notification, &candidate.tells, moves, now);
    }
    for found in breaks {
        app.breaks.report(found, monotonic);
    }
}

/// What is missing before these. Found before anything of the batch is told: what passes without it moves its ref.
fn breaks(app: &App, translated: &[Result<Translated, String>], sorted: &Sorted) -> Vec<Break> {
    let mut memory = app.order.memory();
    let mut found = Vec::with_capacity(sorted.broken.len());
    for (at, place) in &sorted.broken {
        let Ok(own) = &translated[*at] else { continue };
        let place = &own.candidate.places[*place];
        let header = own.events.iter().find(|event| event.id == place.id).map(|event| &event.header);
        let head = place.moved.and_then(|moved| memory.head(moved.reference));
        found.push(Break {
            connection: own.connection,
            entity: place.entity.clone(),
            project: place.project,
            projects: header.map(|header| header.projects.clone()).unwrap_or_default(),
            need: place.need,
            missing: match &place.before {
                Before::OneOf(ids) => ids.clone(),
                Before::Head | Before::Nothing => Vec::new(),
            },
            time: place.time,
            begun: place.begun,
            head,
        });
    }
    found
}

/// Steps until the gateway stops.
pub async fn run(app: Arc<App>) {
    let (mut tail, mut stopping) = (app.store.tail(Log::Notifications), app.stopping());
    while !*stopping.borrow() {
        let (began, before) = (app.clock.monotonic(), *tail.borrow_and_update());
        let pause = match step(&app).await {
            Ok(Settled { count: 0, .. }) if app.order.holding() > 0 => Some(HOLDING_LOOK),
            Ok(Settled { count: 0, .. }) => None,
            Ok(settled) => {
                let (worked, arrived) = (app.clock.monotonic().saturating_sub(began), tail.borrow().0 - before.0);
                let pause = busy_pause(worked, arrived, settled.lag);
                tokio::select! {
                    () = app.clock.sleep(pause) => {}
                    _ = stopping.wait_for(|stopping| *stopping) => {}
                }
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "translating waits for the store");
                Some(STORE_RETRY)
            }
        };
        tokio::select! {
            () = sleep(&*app.clock, pause) => {}
            changed = tail.changed(), if pause != Some(STORE_RETRY) => if changed.is_err() { return },
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }
}

/// How long to let the front door have the machine after a batch that took `worked`, while `arrived` came in.
fn busy_pause(worked: Duration, arrived: u64, lag: Duration) -> Duration {
    let busy = u128::from(arrived) * 1_000 > worked.as_millis() * u128::from(BUSY_PER_SECOND);
    if busy && lag < BUSY_LAG_MAX { (worked * BUSY_PAUSE_FACTOR).min(BUSY_PAUSE_MAX) } else { Duration::ZERO }
}

/// Without a pause: until something else happens, or a minute, for what is due again by then.
async fn sleep(clock: &dyn Clock, pause: Option<Duration>) {
    clock.sleep(pause.unwrap_or(Duration::from_mins(1))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translation_yields_to_a_flood_until_events_are_late() {
        let (worked, now) = (Duration::from_millis(10), Duration::ZERO);
        assert_eq!(busy_pause(worked, 5, now), Duration::ZERO, "500 a second is an ordinary day");
        assert_eq!(busy_pause(worked, 200, now), worked * BUSY_PAUSE_FACTOR);
        assert_eq!(busy_pause(worked * 100, 100_000, now), BUSY_PAUSE_MAX);
        assert_eq!(busy_pause(worked, 200, BUSY_LAG_MAX), Duration::ZERO);
    }
}
