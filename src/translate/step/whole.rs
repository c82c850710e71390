//! A fact that several notifications tell is told whole: what a later one knows besides becomes a revision, and of two in one
//! batch one event is made.

use crate::{
    app::{App, otherwise::is_change, revisions::latest},
    domain::without_version,
    event::Event,
    store::{Error, Log},
    translate::{
        order::{changes_fields, is_turned, otherwise_told, turned_before},
        revision_id,
        union::{is_one_end, near, shared, union},
    },
};
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// A fact as the log will have it.
struct Standing {
    /// The last telling.
    event: Event,
    /// The one before it that is in the log, with its number.
    kept: Option<(u32, Uuid)>,
    /// Where in the batch it is, once it is there.
    at: Option<usize>,
}

/// Makes of the events of a batch what is appended: in their places, so that what follows from a place still holds. What adds
/// nothing stays as it is: its id is in the log already.
///
/// # Errors
/// The store's.
pub(super) async fn make(app: &App, events: &mut [Event]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let mut ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    let others: Vec<Vec<Uuid>> = events.iter().map(others).collect();
    ids.extend(others.iter().flatten());
    let kept = app.store.contains(Log::Events, &ids).await?;
    let kept: HashSet<Uuid> = ids.into_iter().zip(kept).filter_map(|(id, is_kept)| is_kept.then_some(id)).collect();
    let mut standing: HashMap<Uuid, Standing> = HashMap::new();
    for (at, others) in others.into_iter().enumerate() {
        let is_there = |id: &Uuid| kept.contains(id) || standing.contains_key(id);
        let others = others.into_iter().filter(|other| !is_there(&events[at].id) && is_there(other));
        for other in others.collect::<Vec<_>>() {
            if is_same(app, &events[at], other, &standing).await? {
                events[at] = events[at].clone().under(other);
                break;
            }
        }
        let fact = events[at].id;
        if kept.contains(&fact)
            && !standing.contains_key(&fact)
            && let Some((number, event, _)) = latest(app, fact).await?
        {
            let kept = Some((number, event.id));
            standing.insert(fact, Standing { event, kept, at: None });
        }
        let Some(before) = standing.get_mut(&fact) else {
            standing.insert(fact, Standing { event: events[at].clone(), kept: None, at: Some(at) });
            continue;
        };
        // A revision that is told in another word, as the settings are now, is told: only a replay tells it anew.
        let is_same_kind = without_version(&before.event.header.kind) == without_version(&events[at].header.kind);
        let put_together = if is_same_kind { union } else { shared };
        let Some(whole) = put_together(fact, &before.event, &events[at]) else { continue };
        let whole = match before.kept {
            Some((number, replaced)) => whole.replacing(revision_id(fact, number + 1), replaced, fact),
            None => whole,
        };
        let place = *before.at.get_or_insert(at);
        events[place] = whole.clone();
        before.event = whole;
    }
    Ok(())
}

/// Ids under which the same fact can be told already: its moment was rounded, another mapping had another word for it, or
/// another body another revision.
fn others(event: &Event) -> Vec<Uuid> {
    near(event).into_iter().flatten().chain(otherwise_told(event)).collect()
}

/// Whether what is told under the id `other` is this fact. A comment or a link of a revision is told beside what that changed.
async fn is_same(app: &App, event: &Event, other: Uuid, standing: &HashMap<Uuid, Standing>) -> Result<bool, Error> {
    if let Some((_, between)) = turned_before(event).filter(|(before, _)| *before == other) {
        return Ok(
            !standing.contains_key(&between) && !app.store.contains(Log::Events, &[between]).await?.contains(&true)
        );
    }
    if is_turned(event) {
        return Ok(true);
    }
    if near(event).is_some_and(|near| near.contains(&other)) {
        let told = match standing.get(&other) {
            Some(standing) => Some(standing.event.clone()),
            None => latest(app, other).await?.map(|(_, told, _)| told),
        };
        return Ok(told.is_some_and(|told| is_one_end(event, &told)));
    }
    if !changes_fields(event) {
        return Ok(false);
    }
    Ok(match standing.get(&other) {
        Some(standing) => changes_fields(&standing.event),
        None => app.store.find(Log::Events, other).await?.is_some_and(|record| is_change(&record)),
    })
}
