//! How far it is known to be complete: kept in the registry, and forgotten with what they are of.

use crate::{
    app::{App, Directory, change::put, kind},
    domain::{Binding, BindingId, ConnectionId, Stream, Watermark},
    store::{Change, Error, Expected, Versioned},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// As kept in the registry under kind `look`, by connection: up to when the history of its subscriptions was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    connection: ConnectionId,
    until: Timestamp,
}

fn read<T: DeserializeOwned>(kept: &Versioned) -> Option<T> {
    serde_json::from_slice(&kept.value).ok()
}

/// How far a stream of a binding was compared, since it selects what it selects.
pub fn watermark(app: &App, binding: &Binding, stream: Stream) -> Option<Watermark> {
    let kept = app.store.get(kind::WATERMARK, &Watermark::id(binding.id, stream))?;
    read::<Watermark>(&kept).filter(|mark| mark.updated_at >= binding.updated_at)
}

/// Writes down that a stream of these bindings was compared within a window. What joins what was compared before, extends it;
/// else the later of the two stays.
///
/// # Errors
/// The store's: nothing was written.
pub async fn compared(
    app: &App,
    bindings: impl Iterator<Item = &Binding>,
    stream: Stream,
    (from, until): (Timestamp, Timestamp),
    bookmark: Option<&str>,
) -> Result<(), Error> {
    let changes: Vec<Change> = bindings
        .filter_map(|binding| {
            let before = watermark(app, binding, stream);
            let mark = extended(before, binding.id, stream, (from, until), bookmark, app.clock.now())?;
            Some(put(kind::WATERMARK, &Watermark::id(binding.id, stream), Expected::Any, &mark))
        })
        .collect();
    if changes.is_empty() {
        return Ok(());
    }
    app.store.commit(changes).await.map(drop)
}

/// The new watermark; `None` where the window says nothing that is worth it.
fn extended(
    before: Option<Watermark>,
    binding: BindingId,
    stream: Stream,
    (from, until): (Timestamp, Timestamp),
    bookmark: Option<&str>,
    now: Timestamp,
) -> Option<Watermark> {
    let new = Watermark {
        binding,
        stream,
        complete_from: from,
        complete_until: until,
        bookmark: bookmark.map(str::to_owned),
        updated_at: now,
    };
    let Some(before) = before else { return Some(new) };
    let joins = from <= before.complete_until && before.complete_from <= until;
    if !joins {
        return (until > before.complete_until).then_some(new);
    }
    let moved = Watermark {
        complete_from: from.min(before.complete_from),
        complete_until: until.max(before.complete_until),
        bookmark: new.bookmark.or_else(|| before.bookmark.clone()),
        updated_at: now,
        ..before.clone()
    };
    let same = Watermark { updated_at: before.updated_at, ..moved.clone() } == before;
    (!same).then_some(moved)
}

/// Up to when the history was looked at.
pub(super) fn looked_until(app: &App, connection: ConnectionId) -> Option<Timestamp> {
    read::<Look>(&app.store.get(kind::LOOK, &connection.to_string())?).map(|look| look.until)
}

/// Writes down up to when the history was looked at.
pub(super) async fn looked(app: &App, connection: ConnectionId, until: Timestamp) -> Result<(), Error> {
    let look = Look { connection, until };
    app.store.commit(vec![put(kind::LOOK, &connection, Expected::Any, &look)]).await.map(drop)
}

/// Forgets what is of bindings and connections that are no more.
pub(super) async fn forget_orphans(app: &App, directory: &Directory) -> Result<(), Error> {
    let marks =
        app.store.list(kind::WATERMARK).into_iter().filter(|(_, kept)| {
            read::<Watermark>(kept).is_none_or(|mark| !directory.bindings.contains_key(&mark.binding))
        });
    let looks = app.store.list(kind::LOOK).into_iter().filter(|(_, kept)| {
        read::<Look>(kept).is_none_or(|look| !directory.connections.contains_key(&look.connection))
    });
    let gone = |kind| move |(id, kept): (String, Versioned)| crate::app::change::delete(kind, &id, kept.version);
    let changes: Vec<Change> = marks.map(gone(kind::WATERMARK)).chain(looks.map(gone(kind::LOOK))).collect();
    if changes.is_empty() { Ok(()) } else { app.store.commit(changes).await.map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(hour * 3_600).unwrap()
    }

    fn after(before: Option<(i64, i64)>, window: (i64, i64)) -> Option<(Timestamp, Timestamp)> {
        let (binding, stream, now) = (BindingId::random(), Stream::Builds, at(100));
        let mark = |(from, until): (i64, i64), bookmark: &str| Watermark {
            binding,
            stream,
            complete_from: at(from),
            complete_until: at(until),
            bookmark: Some(bookmark.to_owned()),
            updated_at: at(1),
        };
        let before = before.map(|before| mark(before, "old"));
        let (from, until) = window;
        let mark = extended(before, binding, stream, (at(from), at(until)), None, now)?;
        Some((mark.complete_from, mark.complete_until))
    }

    #[test]
    fn what_joins_extends_and_what_does_not_begins_anew() {
        assert_eq!(after(None, (2, 3)), Some((at(2), at(3))));
        assert_eq!(after(Some((2, 3)), (3, 5)), Some((at(2), at(5))));
        assert_eq!(after(Some((2, 3)), (1, 2)), Some((at(1), at(3))));
        assert_eq!(after(Some((2, 9)), (3, 5)), None, "it was known");
        assert_eq!(after(Some((2, 3)), (5, 7)), Some((at(5), at(7))), "between them nobody looked");
        assert_eq!(after(Some((5, 7)), (1, 2)), None);
    }

    #[test]
    fn a_bookmark_stays_until_there_is_another() {
        let (binding, stream) = (BindingId::random(), Stream::WorkItems);
        let first = extended(None, binding, stream, (at(1), at(2)), Some("a"), at(2)).unwrap();
        let second = extended(Some(first), binding, stream, (at(2), at(3)), None, at(3)).unwrap();
        assert_eq!(second.bookmark.as_deref(), Some("a"));
        let third = extended(Some(second), binding, stream, (at(3), at(4)), Some("b"), at(4)).unwrap();
        assert_eq!(third.bookmark.as_deref(), Some("b"));
    }
}
