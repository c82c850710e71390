//! Pull requests as kept events say them: which act an event tells, and how the request stood.
//! Pure.
//!
//! A `git.pullrequest.updated` does not say what was changed. A subscription's filter does (`notificationType`), and an
//! unfiltered subscription delivers the same act once more without the word. Both have Azure's id of the event, so one is
//! known to be the other's twin; the richer one is told. What no filter names (a draft published, another title or target)
//! is found by comparing the request with how it stood before.

use super::identity::fact;
use crate::event::{Event, kept::Kept};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;
use uuid::Uuid;

const UPDATED: &str = "dev.cdevents.change.updated.0.0.0";
const REVIEWED: &str = "dev.cdevents.change.reviewed.0.0.0";
const MERGED: &str = "dev.cdevents.change.merged.0.0.0";
const ABANDONED: &str = "dev.cdevents.change.abandoned.0.0.0";
const COMMENTED: &str = "dev.cdeventsx.azuredevops-change.commented.0.0.0";
const PUSHED: &str = "push";
const STATUS: &str = "status";
/// Reasons that can be behind a change of the status.
const OF_STATUS: [&str; 3] = ["published", "drafted", "reactivated"];
/// How much later than the push its notification may be made: Azure was behind by minutes on bad days.
const TOLD_LATE: SignedDuration = SignedDuration::from_mins(10);
/// The most by which the clocks of Azure's parts are taken to differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_secs(5);

/// How a pull request stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The title.
    pub title: Option<String>,
    /// Whether it was a draft.
    pub is_draft: Option<bool>,
    /// Into which branch.
    pub target: Option<String>,
    /// active, abandoned, completed.
    pub status: Option<String>,
    /// The head of its source branch.
    pub head: Option<String>,
    /// Votes by the id of who votes.
    pub votes: Option<BTreeMap<String, i64>>,
}

/// An event of a pull request, as far as acts are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The event.
    pub id: Uuid,
    /// The first event of its fact: another one, where it tells that once more.
    fact: Uuid,
    /// Where.
    pub source: String,
    /// `git/repositories/{guid}/pullRequests/{number}`.
    pub subject: String,
    /// When.
    pub time: Option<Timestamp>,
    /// How it stood, where it says so.
    pub standing: Option<Standing>,
    /// Of an update: what was changed, in our word.
    reason: Option<String>,
    /// Whether a subscription's filter says so: nothing is surer.
    is_filtered: bool,
    /// Azure's id of the event, where it is an update.
    occasion: Option<String>,
    /// Whether it says whose vote it is, if it is one.
    names_the_voter: bool,
    /// Of a push that was made from Azure's record: its number there; 0 where that is not known.
    iteration: Option<i64>,
    /// Whether it has a date of its own, which an end and a comment have.
    is_dated: bool,
}

/// Reads an event of a pull request; `None` of other events.
pub fn seen(event: &Event) -> Option<Seen> {
    const KINDS: [&str; 3] =
        ["dev.cdevents.change.", "dev.cdeventsx.azuredevops-change.", "dev.cdeventsx.azuredevops-mergeattempt."];
    let kind = &event.header.kind;
    if !KINDS.iter().any(|known| kind.starts_with(known)) {
        return None;
    }
    let kept = Kept::<Azure>::read(event)?;
    if !kept.subject.contains("/pullRequests/") {
        return None;
    }
    let azure = kept.azure;
    let is_update = [UPDATED, REVIEWED].iter().any(|own| same_type(own, kind));
    let occasion = azure.event_type.zip(azure.event_id).map(|(kind, id)| format!("{kind}:{id}"));
    let is_vote = same_type(REVIEWED, kind);
    let votes = azure.reviewers.into_iter().filter_map(|own| Some((own.reviewer.id?, own.vote?))).collect();
    // A record says how the request stands long after; what was composed of it, what was certain then.
    let is_then = occasion.is_some();
    let standing = azure.status.is_some().then_some(Standing {
        title: azure.title.filter(|_| is_then),
        is_draft: azure.is_draft.filter(|_| is_then),
        target: azure.target_ref_name.filter(|_| is_then),
        status: azure.status,
        head: azure.source_commit,
        votes: is_then.then_some(votes),
    });
    Some(Seen {
        id: event.id,
        fact: kept.fact.unwrap_or(event.id),
        source: kept.source,
        subject: kept.subject,
        time: kept.time.parse().ok(),
        standing,
        is_filtered: azure.update_reason_from.as_deref() == Some("subscription"),
        reason: azure.update_reason.filter(|_| is_update),
        occasion: occasion.filter(|_| is_update),
        names_the_voter: !is_vote || azure.review.is_some(),
        iteration: azure.iteration_id,
        is_dated: [MERGED, ABANDONED, COMMENTED].iter().any(|own| same_type(own, kind)),
    })
}

impl Seen {
    /// The ids under which this act is told: by who does not know that it was a vote, and by who does. `None` of what is
    /// no update, or of what Azure gave no id.
    pub fn twins(&self) -> Option<[Uuid; 2]> {
        let occasion = self.occasion.as_ref()?;
        Some([UPDATED, REVIEWED].map(|kind| fact(kind, &self.source, &self.subject, occasion)))
    }

    /// Whether it is an update that does not know what was changed.
    pub fn is_vague(&self) -> bool {
        self.occasion.is_some() && self.reason.is_none()
    }

    /// Whether it knows surely what another telling of the act did not know, or took for something else.
    pub fn corrects(&self, told: &Self) -> bool {
        let is_sure = |own: &Self| own.is_filtered && own.reason.is_some();
        // That a status was changed says less than a guess of how, and more than one that it was something else.
        let is_of_status = told.reason.as_deref().is_some_and(|own| OF_STATUS.contains(&own));
        let says_more = self.reason.as_deref() != Some(STATUS) || !is_of_status;
        is_sure(self) && !is_sure(told) && self.reason != told.reason && says_more
    }

    /// Whether it knows more when it is told how the request stood before.
    pub fn is_open(&self) -> bool {
        self.is_vague() || !self.names_the_voter || self.reason.as_deref() == Some(STATUS)
    }

    /// The head that was pushed, if it is a push.
    pub fn pushed(&self) -> Option<&str> {
        let is_push = self.reason.as_deref() == Some(PUSHED);
        self.standing.as_ref().filter(|_| is_push)?.head.as_deref()
    }

    /// The id under which the head that it has came for the `visit`th time, from 1.
    pub fn visit(&self, visit: u32) -> Option<Uuid> {
        let head = self.standing.as_ref()?.head.as_deref()?;
        Some(fact(UPDATED, &self.source, &self.subject, &push(head, visit)))
    }

    /// Whether it was surely before that one: some have their own date, of all else it is that of the notification.
    ///
    /// Source: captured events of 2019 to 2025, whose `createdDate` is 1 to 12 seconds after what they tell.
    pub fn is_before(&self, other: &Self) -> bool {
        const NOTIFIED_LATE: SignedDuration = SignedDuration::from_secs(12);
        let time = self.time.map(|time| if self.is_dated { later(time, NOTIFIED_LATE) } else { time });
        time < other.time
    }

    /// Azure's id of the event, of an update.
    pub fn occasion(&self) -> Option<&str> {
        self.occasion.as_deref()
    }
}

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
    /// The iteration's number, where a record told it.
    iteration: Option<i64>,
}

impl Push {
    /// From an event.
    pub fn read(event: &Event) -> Option<Self> {
        let own = seen(event)?;
        let (head, time) = (own.pushed()?.to_owned(), own.time?);
        Some(Self { id: own.fact, head, time, occasion: own.occasion, iteration: own.iteration })
    }

    /// The push among these that tells this one.
    pub fn told_by<'a>(&self, others: &'a [Self], until: Option<Timestamp>) -> Option<&'a Self> {
        let is_same = |own: &&Self| own.iteration.is_some_and(|number| number > 0 && self.iteration == Some(number));
        others.iter().find(is_same).or_else(|| self.twin(others, until)).or_else(|| self.recorded(others))
    }

    /// The push among these that is the same one, told the other way: of the same head, not long apart, and with no push of
    /// another head between the two. `until` is when the next push of this head was made, where that is known.
    fn twin<'a>(&self, others: &'a [Self], until: Option<Timestamp>) -> Option<&'a Self> {
        let between = |record: &Self, hook: &Self| {
            let early = earlier(hook.time, CLOCKS_DIFFER);
            others.iter().any(|own| own.head != self.head && record.time < own.time && own.time < early)
        };
        let is_other = |own: &&Self| own.head == self.head && own.iteration.is_some() != self.iteration.is_some();
        others.iter().filter(is_other).find(|own| {
            let (record, hook) = if self.iteration.is_some() { (self, *own) } else { (*own, self) };
            let latest = record.time.saturating_add(TOLD_LATE).unwrap_or(Timestamp::MAX);
            let next = until.map_or(Timestamp::MAX, |until| later(until, CLOCKS_DIFFER));
            (earlier(record.time, CLOCKS_DIFFER)..=latest.min(next)).contains(&hook.time) && !between(record, hook)
        })
    }
}

impl Push {
    /// Whether this is that one, told again; `others` are the pushes that are known.
    pub fn is(&self, other: &Self, others: &[Self]) -> bool {
        // A mark that both have is surest.
        if let (Some(one), Some(other)) = (&self.occasion, &other.occasion) {
            return one == other;
        }
        match (self.iteration, other.iteration) {
            (None, None) => self.occasion == other.occasion,
            (Some(one), Some(other)) => one == other,
            _ => self.twin(others, None).is_some_and(|twin| twin.id == other.id),
        }
    }

    /// The record among these that is of the same push, for one whose number is not known: a push to the branch.
    fn recorded<'a>(&self, others: &'a [Self]) -> Option<&'a Self> {
        let same = |own: &&Self| own.iteration.is_some() && self.iteration == Some(0) && own.head == self.head;
        let near = earlier(self.time, CLOCKS_DIFFER)..=later(self.time, CLOCKS_DIFFER);
        others.iter().filter(same).find(|own| near.contains(&own.time))
    }
}

fn earlier(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The mark of a push to a pull request: its head, and which visit of that head it is.
pub(super) fn push(head: &str, visit: u32) -> String {
    if visit == 1 { format!("push:{head}") } else { format!("push:{head}:{visit}") }
}

fn same_type(one: &str, other: &str) -> bool {
    let bare = |kind: &str| kind.rsplitn(4, '.').nth(3).map(str::to_owned);
    bare(one) == bare(other)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Azure {
    event_type: Option<String>,
    event_id: Option<String>,
    update_reason: Option<String>,
    update_reason_from: Option<String>,
    title: Option<String>,
    is_draft: Option<bool>,
    target_ref_name: Option<String>,
    status: Option<String>,
    source_commit: Option<String>,
    iteration_id: Option<i64>,
    review: Option<Vote>,
    reviewers: Vec<Vote>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Vote {
    reviewer: Reviewer,
    vote: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Reviewer {
    id: Option<String>,
}
