//! Pushes to a pull request, composed from Azure's record of them, under the ids of the events that tell them or will: one head
//! can have come several times.

use super::compose::Composed;
use crate::{
    app::App,
    event::Event,
    store::Error,
    translate::{
        push::{self, Push, VISITS_MAX, visited},
        request::{Seen, seen},
        step::Requests,
    },
};
use jiff::Timestamp;
use std::collections::HashMap;
use uuid::Uuid;

/// A composed push.
pub(super) struct Read {
    push: Push,
    act: Seen,
    composed: Composed,
}

impl Read {
    /// `events` are what becomes of it; `None` where that is no push.
    pub(super) fn new(composed: Composed, events: &[Event]) -> Option<Self> {
        let event = events.first()?;
        Some(Self { push: Push::read(event)?, act: seen(event)?, composed })
    }
}

/// A composed push with the id of its event.
pub(super) struct Numbered {
    pub(super) composed: Composed,
    /// Whether the log tells it.
    pub(super) is_told: bool,
    /// The question of what waits and tells it; the id that this will have, where nothing is asked.
    pub(super) asked: Option<Uuid>,
}

/// Numbers the pushes to one pull request: `records` are all of its since `from`.
///
/// The number stays with what was composed: another push of the same head that is told meanwhile takes the next.
///
/// # Errors
/// The store's.
pub(super) async fn numbered(app: &App, mut records: Vec<Read>, from: Timestamp) -> Result<Vec<Numbered>, Error> {
    records.sort_by_key(|own| own.push.time);
    let (mut requests, mut known, mut visits) = (Requests::new(app), Vec::new(), HashMap::new());
    // One that was told before its reason was known has an id of its own.
    if let Some(first) = records.first() {
        known.extend(requests.pushes(&first.act).await?);
    }
    for own in &records {
        if !visits.contains_key(&own.push.head) {
            let told = requests.visits(&own.act).await?;
            visits.insert(own.push.head.clone(), told.iter().map(|visit| visit.number).max().unwrap_or_default());
            let told = told.iter().filter_map(|visit| Push::of(&visit.seen));
            known.extend(told.filter(|own| !known.iter().any(|known| known.id == own.id)).collect::<Vec<_>>());
        }
    }
    let (mut waiting, put_off) = match records.first() {
        Some(own) => app.order.memory().waiting(own.act.request()),
        None => (Vec::new(), Vec::new()),
    };
    for own in &records {
        // A push that waits for what comes before it has the number that it will be told with.
        let number = |push: &Push| (1..=VISITS_MAX).find(|number| visited(&own.act, *number) == Some(push.id));
        let taken = put_off.iter().filter(|push| push.head == own.push.head).filter_map(number).max();
        let told = visits.entry(own.push.head.clone()).or_default();
        *told = taken.unwrap_or_default().max(*told);
    }
    let is_put_off = |id: Uuid| put_off.iter().any(|own| own.id == id);
    waiting.extend(put_off.iter().cloned());
    let pushes: Vec<Push> = records.iter().map(|own| own.push.clone()).collect();
    let mut twins = push::told(&pushes, &known, from);
    // An event counts before a hook that waits: the record can be that of a hook that was rendered late.
    let (left, rest): (Vec<usize>, Vec<Push>) =
        pushes.into_iter().enumerate().filter(|(at, _)| twins[*at].is_none()).unzip();
    for (at, twin) in left.into_iter().zip(push::told(&rest, &waiting, from)) {
        twins[at] = twin;
    }
    let mut numbered = Vec::new();
    for (own, twin) in records.into_iter().zip(twins) {
        let asked = twin.filter(|id| waiting.iter().any(|own| own.id == *id));
        if let Some(id) = twin.filter(|_| asked.is_none()) {
            numbered.push(Numbered { composed: own.composed.told_by(id), is_told: true, asked });
            continue;
        }
        if let Some(id) = asked.filter(|id| is_put_off(*id)) {
            numbered.push(Numbered { composed: own.composed.told_by(id), is_told: false, asked });
            continue;
        }
        let told = visits.entry(own.push.head.clone()).or_default();
        *told = told.saturating_add(1);
        let next = *told;
        if let Some(id) = visited(&own.act, next).filter(|_| next <= VISITS_MAX) {
            numbered.push(Numbered { composed: own.composed.visit(next).told_by(id), is_told: false, asked });
        }
    }
    Ok(numbered)
}
