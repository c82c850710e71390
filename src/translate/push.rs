//! Pushes to pull requests as events tell them: which tellings are of one push. Pure.
//!
//! A hook has Azure's id of the event and the time of its notification; a record, which Azure calls an iteration, has its
//! number and the time of the push. Both have the head. One head can be pushed several times, where another was pushed in
//! between; and a hook that is rendered late has the head of a later push.

use super::request::{Seen, seen};
use crate::event::Event;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Times that one head is pushed to one pull request; what comes more often is taken for the last time.
pub const VISITS_MAX: u32 = 100;
/// How much later than the push its notification may be made.
///
/// Our choice: captured events of 2019 to 2025 are 1 to 12 seconds late, and no page of Microsoft's promises a limit.
const TOLD_LATE: SignedDuration = SignedDuration::from_mins(10);
/// The same of an update whose reason nobody knows: after that it is taken for something else than the push.
const SUPPOSED_LATE: SignedDuration = SignedDuration::from_secs(30);
/// The most by which the clocks of Azure's parts are taken to differ.
///
/// Our choice, since nothing is promised: a push that is taken for another one for that is asked for once more.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);

/// A push to a pull request, as an event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The first event that tells it.
    pub id: Uuid,
    /// The head that was pushed.
    pub head: String,
    /// When: of a hook's word, when Azure made the notification, some seconds later.
    pub time: Timestamp,
    /// Azure's id of the event, where a hook or the history told it.
    occasion: Option<String>,
    /// The iteration's number, where a record told it; 0 of a push to the branch, whose number is not known.
    iteration: Option<i64>,
}

impl Push {
    /// From an event; `None` of what is no push.
    pub fn read(event: &Event) -> Option<Self> {
        Self::of(&seen(event)?)
    }

    /// From an event that was read.
    pub fn of(own: &Seen) -> Option<Self> {
        own.pushed().and_then(|_| Self::supposed(own))
    }

    /// An act that may be a push: its head is the one that it was rendered with.
    pub fn supposed(own: &Seen) -> Option<Self> {
        let (head, time) = (own.head()?.to_owned(), own.time?);
        Some(Self {
            id: own.fact(),
            head,
            time,
            occasion: own.occasion().map(str::to_owned),
            iteration: own.iteration(),
        })
    }

    /// Whether only a record told it.
    pub fn is_composed(&self) -> bool {
        self.occasion.is_none() && self.iteration.is_some()
    }

    /// The same under another id.
    #[must_use]
    pub fn under(self, id: Uuid) -> Self {
        Self { id, ..self }
    }

    /// Whether this is that one, told again; `others` are the pushes that are known.
    pub fn is(&self, other: &Self, others: &[Self]) -> bool {
        // A mark that both have is surest.
        if let (Some(one), Some(other)) = (&self.occasion, &other.occasion) {
            return one == other;
        }
        match (self.iteration, other.iteration) {
            // An envelope can have no id.
            (None, None) => (&self.head, self.time) == (&other.head, other.time),
            (Some(one), Some(other)) => one == other,
            _ => self.is_twin(other, others, None),
        }
    }

    /// Whether one of them, whose reason nobody knows, may be the other: it was made right after the push.
    pub fn may_be(&self, other: &Self) -> bool {
        self.is(other, &[]) && self.time.duration_since(other.time).abs() <= SUPPOSED_LATE
    }

    /// Of the pushes that this may be, the one that it is: of a hook the record that was made last before it, since heads can come
    /// back within the seconds by which a notification is late.
    pub fn nearest<'a>(&self, all: impl Iterator<Item = &'a Self>) -> Option<&'a Self> {
        all.min_by_key(|other| {
            let late = match (self.iteration, other.iteration) {
                (Some(_), None) => other.time.duration_since(self.time),
                _ => self.time.duration_since(other.time),
            };
            (late.is_negative(), late.abs())
        })
    }

    /// Whether one is a hook's word and the other a record of the same push: of the same head, not long apart, and with no
    /// push of another head between the two. `until` is when the next push of this head was made, where that is known.
    fn is_twin(&self, other: &Self, others: &[Self], until: Option<Timestamp>) -> bool {
        if other.head != self.head || other.iteration.is_some() == self.iteration.is_some() {
            return false;
        }
        let (record, hook) = if self.iteration.is_some() { (self, other) } else { (other, self) };
        let early = earlier(hook.time, CLOCKS_DIFFER);
        let is_between = |own: &Self| own.head != self.head && record.time < own.time && own.time < early;
        let latest = record.time.saturating_add(TOLD_LATE).unwrap_or(Timestamp::MAX);
        let next = until.map_or(Timestamp::MAX, |until| later(until, CLOCKS_DIFFER));
        (earlier(record.time, CLOCKS_DIFFER)..=latest.min(next)).contains(&hook.time) && !others.iter().any(is_between)
    }

    /// Whether the other is a record of the same push to the branch; the number of this one is not known.
    fn is_recorded(&self, other: &Self) -> bool {
        let near = earlier(self.time, CLOCKS_DIFFER)..=later(self.time, CLOCKS_DIFFER);
        self.iteration == Some(0) && other.iteration.is_some() && own_head(self, other) && near.contains(&other.time)
    }

    fn is_numbered_as(&self, other: &Self) -> bool {
        other.iteration.is_some_and(|number| number > 0 && self.iteration == Some(number))
    }
}

fn own_head(one: &Push, other: &Push) -> bool {
    one.head == other.head
}

/// Which of the pushes that are told tells which of the records: each at most one. `records` are in the order of their times,
/// and all that there are since `from`.
///
/// A hook that nothing else explains, of the head of a later record, was rendered late: it was made for an earlier push and
/// has the head of that later one. So it tells the later one, and the record of the earlier is left without. Of one that was
/// made soon after `from`, the push can be before that.
pub fn told(records: &[Push], told: &[Push], from: Timestamp) -> Vec<Option<Uuid>> {
    let mut left: Vec<&Push> = told.iter().collect();
    let mut found: Vec<Option<Uuid>> = vec![None; records.len()];
    let known: Vec<Push> = told.iter().chain(records).cloned().collect();
    // The newest first: it has the nearest word.
    for at in (0..records.len()).rev() {
        let own = &records[at];
        let until = records[at + 1..].iter().find(|next| own_head(next, own)).map(|next| next.time);
        let numbered = left.iter().position(|other| own.is_numbered_as(other));
        let twin = || left.iter().position(|other| own.is_twin(other, &known, until));
        let recorded = || left.iter().position(|other| own.is_recorded(other));
        found[at] = numbered.or_else(twin).or_else(recorded).map(|place| left.remove(place).id);
    }
    for at in (0..records.len()).rev().filter(|at| found[*at].is_none()).collect::<Vec<_>>() {
        let (own, first) = (&records[at], later(from, TOLD_LATE));
        let is_late =
            |other: &Push| own_head(own, other) && other.iteration.is_none() && (first..own.time).contains(&other.time);
        let latest = left.iter().enumerate().filter(|(_, other)| is_late(other)).max_by_key(|(_, other)| other.time);
        found[at] = latest.map(|(place, _)| place).map(|place| left.remove(place).id);
    }
    found
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The id under which the head that an act has came for the `visit`th time, from 1.
pub fn visited(act: &Seen, visit: u32) -> Option<Uuid> {
    Some(act.update(&mark(act.head()?, visit)))
}

/// The mark of a push to a pull request: its head, and which visit of that head it is, from 1.
pub(super) fn mark(head: &str, visit: u32) -> String {
    if visit == 1 { format!("push:{head}") } else { format!("push:{head}:{visit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn hook(number: u128, head: &str, second: i64) -> Push {
        let occasion = Some(format!("git.pullrequest.updated:{number}"));
        Push { id: id(number), head: head.to_owned(), time: at(second), occasion, iteration: None }
    }

    fn record(iteration: i64, head: &str, second: i64) -> Push {
        let own = u128::try_from(iteration).unwrap() + 1_000;
        Push { id: id(own), head: head.to_owned(), time: at(second), occasion: None, iteration: Some(iteration) }
    }

    fn pairs(records: &[Push], hooks: &[Push]) -> Vec<Option<u128>> {
        told(records, hooks, Timestamp::MIN).into_iter().map(|own| own.map(|id| id.as_u128())).collect()
    }

    #[test]
    fn each_record_is_told_by_the_hook_of_its_own_push() {
        let records = [record(2, "a", 0), record(3, "b", 60), record(4, "a", 120)];
        assert_eq!(
            pairs(&records, &[hook(1, "a", 2), hook(2, "b", 62), hook(3, "a", 122)]),
            [Some(1), Some(2), Some(3)]
        );
        assert_eq!(pairs(&records, &[hook(3, "a", 122)]), [None, None, Some(3)], "two were lost");
        assert_eq!(pairs(&records, &[hook(1, "a", 2)]), [Some(1), None, None], "the last two were lost");
        assert_eq!(pairs(&records, &[]), [None, None, None]);
    }

    #[test]
    fn a_hook_that_was_rendered_late_tells_the_push_whose_head_it_has() {
        // The notification of a is rendered when b is the head.
        let records = [record(2, "a", 0), record(3, "b", 9_000)];
        assert_eq!(pairs(&records, &[hook(1, "b", 2)]), [None, Some(1)]);
        assert_eq!(pairs(&records, &[hook(1, "b", 2), hook(2, "b", 9_002)]), [None, Some(2)], "its own word is nearer");
        let all = told(&records, &[hook(1, "b", 2)], at(60));
        assert_eq!(all, [None, None], "what is before the list may have another record");
    }

    #[test]
    fn a_record_is_known_again_by_its_number_and_a_push_to_the_branch_by_its_time() {
        let known = [record(2, "a", 0), record(4, "a", 120)];
        assert_eq!(pairs(&[record(2, "a", 0), record(4, "a", 120)], &known), [Some(1_002), Some(1_004)]);
        assert_eq!(pairs(&[record(0, "a", 1), record(0, "a", 121)], &known), [Some(1_002), Some(1_004)]);
        assert_eq!(pairs(&[record(0, "a", 300)], &known), [None]);
    }

    #[test]
    fn what_was_done_long_after_a_push_is_not_taken_for_it_where_nobody_knows_the_reason() {
        let push = record(2, "a", 0);
        assert_eq!([1, 12, 60].map(|second| hook(1, "a", second).may_be(&push)), [true, true, false]);
        assert_eq!([1, 12, 60].map(|second| push.may_be(&hook(1, "a", second))), [true, true, false]);
    }

    #[test]
    fn of_two_records_of_one_head_a_hook_tells_the_one_that_was_made_last_before_it() {
        let records = [record(2, "a", 0), record(4, "a", 4)];
        let nearest = |second| hook(1, "a", second).nearest(records.iter()).map(|own| own.iteration.unwrap());
        assert_eq!([1, 3, 5, 60].map(nearest), [2, 2, 4, 4].map(Some));
        let hooks = [hook(1, "a", 1), hook(2, "a", 5)];
        let told = |own: &Push| own.nearest(hooks.iter()).map(|own| own.id.as_u128());
        assert_eq!([told(&records[0]), told(&records[1])], [Some(1), Some(2)]);
    }

    #[test]
    fn two_tellings_are_of_one_push_by_a_mark_that_both_have_or_by_head_and_time() {
        let (one, other) = (hook(1, "a", 0), hook(2, "a", 0));
        assert!(one.is(&one, &[]) && !one.is(&other, &[]), "Azure's id of the event");
        assert!(record(2, "a", 0).is(&record(2, "a", 0), &[]) && !record(2, "a", 0).is(&record(4, "a", 0), &[]));
        assert!(hook(1, "a", 3).is(&record(2, "a", 0), &[]));
        assert!(!hook(1, "a", 3).is(&record(2, "b", 0), &[]), "another head");
        assert!(!hook(1, "a", 60 * 11).is(&record(2, "a", 0), &[]), "long after");
        assert!(!hook(1, "a", 0).is(&record(2, "a", 60), &[]), "before it was pushed");
        assert!(!hook(1, "a", 60).is(&record(2, "a", 0), &[hook(3, "b", 30)]), "another head between");
    }
}
