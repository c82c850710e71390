//! How a window is cut into slices. Pure.

use crate::{
    azure::client::Window,
    domain::{BackfillStream, BindingId, hour_after, hour_of},
    recover::{Counts, Tally},
};
use jiff::Timestamp;
use std::time::Duration;

/// Hours of the largest slice.
const HOURS_MAX: u32 = 24;
/// A slice with fewer facts than this is followed by a larger one, with more than four times as many by a smaller one.
const FACTS_AIM: u64 = 500;

/// The next slice; `None` when the stream is through. Slices end at full hours, so that the ledger gets whole ones.
pub(super) fn next(stream: &BackfillStream, to: Timestamp) -> Option<Window> {
    let from = stream.until;
    if from >= to {
        return None;
    }
    let end = hour_of(from).checked_add(Duration::from_hours(stream.slice_hours.into())).unwrap_or(to);
    Some(Window { from, to: end.max(hour_after(hour_of(from))).min(to) })
}

/// Takes in what a slice found for this binding.
pub(super) fn taken(
    stream: &mut BackfillStream,
    binding: BindingId,
    slice: Window,
    tally: &Tally,
    next: Option<String>,
) {
    let within = hour_of(slice.from)..slice.to;
    let hours = tally.hours.iter().filter(|((of, hour), _)| *of == binding && within.contains(hour));
    let Counts { expected, received, history, rest, unexplained } =
        hours.fold(Counts::default(), |sum, (_, counts)| sum.and(*counts));
    stream.until = slice.to;
    stream.found += expected;
    stream.already += received + history;
    stream.repaired += rest;
    stream.unexplained += unexplained;
    stream.calls += tally.calls;
    stream.bookmark = next;
    // What no binding selects was compared too, and costs as much.
    stream.slice_hours = match tally.total.expected {
        few if few < FACTS_AIM => stream.slice_hours.saturating_mul(2),
        many if many > FACTS_AIM * 4 => stream.slice_hours / 2,
        _ => stream.slice_hours,
    }
    .clamp(1, HOURS_MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Stream;
    use uuid::Uuid;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn tally(binding: BindingId, hour: &str, expected: u64) -> Tally {
        let counts = Counts { expected, received: expected / 2, rest: expected - expected / 2, ..Counts::default() };
        let mut tally = Tally { total: counts, calls: 3, ..Tally::default() };
        tally.hours.insert((binding, at(hour)), counts);
        tally
    }

    #[test]
    fn slices_follow_each_other_to_the_end_and_fit_what_is_in_them() {
        let (binding, to) = (BindingId(Uuid::nil()), at("2026-11-22T20:10:00Z"));
        let mut stream = BackfillStream::new(Stream::Builds, at("2026-11-22T00:30:00Z"));
        let mut ends = Vec::new();
        for found in [10, 10, 600, 9_000, 9_000, 9_000, 10, 10, 10, 10] {
            let Some(slice) = next(&stream, to) else { break };
            assert_eq!(slice.from, stream.until);
            let hour = hour_of(slice.from).to_string();
            taken(&mut stream, binding, slice, &tally(binding, &hour, found), None);
            ends.push(slice.to.to_string()[11..16].to_owned());
        }
        assert_eq!(ends, ["01:00", "03:00", "07:00", "11:00", "13:00", "14:00", "15:00", "17:00", "20:10"]);
        assert_eq!(next(&stream, to), None);
        assert_eq!((stream.found, stream.already + stream.repaired, stream.calls), (27_650, 27_650, 27));
    }

    #[test]
    fn what_is_read_again_from_before_the_slice_or_belongs_to_another_binding_is_not_counted_twice() {
        let (binding, other) = (BindingId(Uuid::nil()), BindingId(Uuid::from_u128(1)));
        let mut stream = BackfillStream::new(Stream::WorkItems, at("2026-11-22T05:00:00Z"));
        let slice = next(&stream, at("2026-11-23T00:00:00Z")).unwrap();
        let mut found = tally(binding, "2026-11-22T04:00:00Z", 7);
        found.add(tally(other, "2026-11-22T05:00:00Z", 8));
        found.add(tally(binding, "2026-11-22T05:00:00Z", 9));
        taken(&mut stream, binding, slice, &found, Some("bookmark".into()));
        assert_eq!((stream.found, stream.bookmark.as_deref()), (9, Some("bookmark")));
    }
}
