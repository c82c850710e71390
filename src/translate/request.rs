//! Pull requests as kept events say them: which act an event tells, and how the request stood.
//! Pure.
//!
//! A `git.pullrequest.updated` does not say what was changed. A subscription's filter does (`notificationType`), and an
//! unfiltered subscription delivers the same act once more without the word. Both have Azure's id of the event, so one is
//! known to be the other's twin; the richer one is told. What no filter names (a draft published, another title or target)
//! is found by comparing the request with how it stood before.

use super::identity::fact;
use crate::{
    domain::{Slug, without_version},
    event::{Event, kept::Kept},
};
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

impl Standing {
    /// With the members of an earlier one that it lacks.
    #[must_use]
    pub fn or(self, earlier: Self) -> Self {
        Self {
            title: self.title.or(earlier.title),
            is_draft: self.is_draft.or(earlier.is_draft),
            target: self.target.or(earlier.target),
            status: self.status.or(earlier.status),
            head: self.head.or(earlier.head),
            votes: self.votes.or(earlier.votes),
        }
    }
}

/// An event of a pull request, as far as acts are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The event.
    pub id: Uuid,
    /// The first event of its fact: another one, where it tells that once more.
    fact: Uuid,
    /// Whose.
    pub projects: Vec<Slug>,
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
        projects: event.header.projects.clone(),
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

/// The acts of these events that other notifications may tell too, or that are told better when they are compared.
pub fn acts(events: &[Event]) -> Vec<Seen> {
    let is_update = |event: &&Event| [UPDATED, REVIEWED].iter().any(|own| same_type(own, &event.header.kind));
    events.iter().filter(is_update).filter_map(seen).collect()
}

/// The end of a pull request among these events.
pub fn end(events: &[Event]) -> Option<Seen> {
    let is_end = |event: &&Event| [MERGED, ABANDONED].iter().any(|own| same_type(own, &event.header.kind));
    events.iter().find(is_end).and_then(seen)
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
        self.head().filter(|_| is_push)
    }

    /// The head of its source branch, as far as it says.
    pub fn head(&self) -> Option<&str> {
        self.standing.as_ref()?.head.as_deref()
    }

    /// The id that an update of its request has by this mark.
    pub(super) fn update(&self, mark: &str) -> Uuid {
        fact(UPDATED, &self.source, &self.subject, mark)
    }

    /// Whether it was surely before that one: some have their own date, of all else it is that of the notification.
    ///
    /// Source: captured events of 2019 to 2025, whose `createdDate` is 1 to 12 seconds after what they tell.
    pub fn is_before(&self, other: &Self) -> bool {
        const NOTIFIED_LATE: SignedDuration = SignedDuration::from_secs(12);
        let late = |time: Timestamp| time.saturating_add(NOTIFIED_LATE).unwrap_or(Timestamp::MAX);
        let time = self.time.map(|time| if self.is_dated { late(time) } else { time });
        time < other.time
    }

    /// Azure's id of the event, of an update.
    pub fn occasion(&self) -> Option<&str> {
        self.occasion.as_deref()
    }

    /// Names the act: by Azure's id of its event.
    pub fn act(&self) -> Option<Uuid> {
        Some(self.update(&format!("act:{}", self.occasion()?)))
    }

    /// Names a push by the number of its record; `None` where that is not known.
    pub fn numbered(&self) -> Option<Uuid> {
        let number = self.iteration.filter(|number| *number > 0)?;
        Some(self.update(&format!("iteration:{number}")))
    }

    /// Names its pull request.
    pub fn request(&self) -> Uuid {
        self.update("request")
    }

    /// The first event of its fact: itself, where it does not tell that once more.
    pub fn fact(&self) -> Uuid {
        self.fact
    }

    /// Of a push that a record told: its number there; 0 where that is not known.
    pub fn iteration(&self) -> Option<i64> {
        self.iteration
    }

    /// Whether it is of this pull request.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.source, &self.subject) == (&other.source, &other.subject)
    }

    /// Whether another telling of the act is for each of its projects too: that of another connection need not be.
    pub fn is_for_all_of(&self, other: &Self) -> bool {
        other.projects.iter().all(|project| self.projects.contains(project))
    }

    /// Whether both tell one act: both have Azure's id of the event.
    pub fn is_same_act(&self, other: &Self) -> bool {
        self.is_of(other) && self.occasion.is_some() && self.occasion == other.occasion
    }
}

fn same_type(one: &str, other: &str) -> bool {
    without_version(one) == without_version(other)
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
