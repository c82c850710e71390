//! A fact that several notifications tell is told whole: what a later one knows besides becomes a revision, and of two in one
//! batch one event is made.

use crate::{
    app::{App, revisions::latest},
    event::Event,
    store::{Error, Log},
    translate::{
        revision_id,
        union::{near, union},
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
    let near: Vec<Option<Uuid>> = events.iter().map(near).collect();
    ids.extend(near.iter().flatten());
    let kept = app.store.contains(Log::Events, &ids).await?;
    let kept: HashSet<Uuid> = ids.into_iter().zip(kept).filter_map(|(id, is_kept)| is_kept.then_some(id)).collect();
    let mut standing: HashMap<Uuid, Standing> = HashMap::new();
    for (at, near) in near.into_iter().enumerate() {
        let is_there = |id: &Uuid| kept.contains(id) || standing.contains_key(id);
        if let Some(near) = near.filter(|near| !is_there(&events[at].id) && is_there(near)) {
            events[at] = events[at].clone().under(near);
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
        let Some(whole) = union(fact, &before.event, &events[at]) else { continue };
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
