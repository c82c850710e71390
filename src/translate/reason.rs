//! The reason of a pull request's update, and its author: read from the subscription's filter, the message, or the difference.

use super::request::Standing;
use crate::{
    azure::resource::pull_request::{PullRequest, Reviewer},
    domain::UpdateReason,
    event::members::Members,
};
use std::collections::BTreeSet;

/// A reason of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Push,
    Reviewers,
    /// The status changed, and nothing says how: of an open one it can be that it was reactivated or published.
    Status,
    Reactivated,
    Vote,
    Published,
    /// Made a draft again.
    Drafted,
    Retargeted,
    Retitled,
    Unknown,
}

/// How that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    Subscription,
    Message,
    Comparison,
}

/// A reason, and how it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) reason: Reason,
    pub(super) from: From,
}

impl From {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Subscription => "subscription",
            Self::Message => "message",
            Self::Comparison => "comparison",
        }
    }
}

impl Told {
    /// The reason of what only a request tells that has ended.
    pub(super) const END: Self = Self { reason: Reason::Status, from: From::Subscription };

    /// The filter's word is sure, but for a status: publishing a draft is one too. The message's are English and not
    /// stable. What differs can be what was changed since, as the request is rendered when it is delivered.
    pub(super) fn by(
        hint: Option<UpdateReason>,
        message: &str,
        pull: &PullRequest<'_>,
        before: Option<&Standing>,
    ) -> Self {
        let hinted = hint.map(Reason::hinted);
        if let Some(reason) = hinted.filter(|reason| *reason != Reason::Status) {
            return Self { reason, from: From::Subscription };
        }
        let fits = |reason: &Reason| hinted.is_none() || reason.is_of_status();
        let worded = Some(Reason::worded(message, pull.title.as_str())).filter(|own| *own != Reason::Unknown);
        if let Some(reason) = worded.filter(fits) {
            return Self { reason, from: From::Message };
        }
        if let Some(reason) = before.and_then(|before| Reason::compared(pull, before)).filter(fits) {
            return Self { reason, from: From::Comparison };
        }
        Self { reason: hinted.unwrap_or(Reason::Unknown), from: From::Subscription }
    }
}

impl Reason {
    fn hinted(hint: UpdateReason) -> Self {
        match hint {
            UpdateReason::PushNotification => Self::Push,
            UpdateReason::ReviewersUpdateNotification => Self::Reviewers,
            UpdateReason::StatusUpdateNotification => Self::Status,
            UpdateReason::ReviewerVoteNotification => Self::Vote,
        }
    }

    pub(super) fn is_of_status(self) -> bool {
        matches!(self, Self::Reactivated | Self::Published | Self::Drafted)
    }

    /// The words of Azure's English messages. What they do not tell stays unknown. Titles say anything, so the request's
    /// own is left out: it stands behind what was done.
    fn worded(message: &str, title: Option<&str>) -> Self {
        let parts = title.filter(|title| !title.is_empty()).and_then(|title| message.rsplit_once(title));
        let message = parts.map_or_else(|| message.to_owned(), |(before, after)| format!("{before}{after}"));
        let words = [
            ("updated the source branch", Self::Push),
            ("updated the target branch", Self::Retargeted),
            ("changed the target branch", Self::Retargeted),
            ("has approved", Self::Vote),
            ("has rejected", Self::Vote),
            ("is waiting for the author", Self::Vote),
            ("has reset", Self::Vote),
            ("reviewer list", Self::Reviewers),
            ("reactivated", Self::Reactivated),
            ("published the pull request", Self::Published),
            ("as a draft", Self::Drafted),
        ];
        words.into_iter().find(|(word, _)| message.contains(word)).map_or(Self::Unknown, |(_, reason)| reason)
    }

    /// A change that a person meant comes before one that comes with it: a new target brings other reviewers, and a push
    /// resets votes.
    fn compared(pull: &PullRequest<'_>, before: &Standing) -> Option<Self> {
        let differs =
            |now: Option<&str>, then: &Option<String>| now.zip(then.as_deref()).is_some_and(|(now, then)| now != then);
        let was_abandoned = before.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("abandoned"));
        let ids = |votes: &mut dyn Iterator<Item = String>| votes.collect::<BTreeSet<_>>();
        let reviewers = || ids(&mut pull.reviewers.iter().filter_map(|own| own.id.as_str().map(str::to_owned)));
        match (before.is_draft, pull.is_draft.0) {
            (Some(true), Some(false)) => return Some(Self::Published),
            (Some(false), Some(true)) => return Some(Self::Drafted),
            _ => {}
        }
        if was_abandoned && pull.status.is("active") {
            Some(Self::Reactivated)
        } else if differs(pull.target_ref_name.as_str(), &before.target) {
            Some(Self::Retargeted)
        } else if differs(pull.title.as_str(), &before.title) {
            Some(Self::Retitled)
        } else if before.votes.is_none() {
            // Of how it stood only a record is known: another head does not say that nothing else was changed since.
            None
        } else if differs(pull.last_merge_source_commit.commit_id.as_str(), &before.head) {
            Some(Self::Push)
        } else if !changed_votes(pull, before).is_empty() {
            Some(Self::Vote)
        } else if before.votes.as_ref().is_some_and(|votes| reviewers() != ids(&mut votes.keys().cloned())) {
            Some(Self::Reviewers)
        } else {
            None
        }
    }

    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Push => Some("push"),
            Self::Reviewers => Some("reviewers"),
            Self::Status => Some("status"),
            Self::Reactivated => Some("reactivated"),
            Self::Vote => Some("vote"),
            Self::Published => Some("published"),
            Self::Drafted => Some("drafted"),
            Self::Retargeted => Some("retargeted"),
            Self::Retitled => Some("retitled"),
            Self::Unknown => None,
        }
    }
}

/// Members that differ from before, as `{member: {from, to}}`.
pub(super) fn changes<'a>(pull: &'a PullRequest<'_>, before: &Standing) -> Members<'a> {
    let text = |members: Members<'a>, name: &'static str, from: &Option<String>, to: Option<&'a str>| {
        let differs = from.is_some() && from.as_deref() != to && to.is_some();
        let change = Members::new().text("from", from.clone()).text("to", to);
        members.object(name, if differs { change } else { Members::new() })
    };
    let draft = Members::new().flag("from", before.is_draft).flag("to", pull.is_draft.0);
    let is_turned = before.is_draft.is_some() && pull.is_draft.0.is_some() && before.is_draft != pull.is_draft.0;
    let members = text(Members::new(), "title", &before.title, pull.title.as_str());
    let members = text(members, "targetRefName", &before.target, pull.target_ref_name.as_str());
    let members = text(members, "status", &before.status, pull.status.as_str());
    members.object("isDraft", if is_turned { draft } else { Members::new() })
}

/// The voter: the message begins with their name; without it, the one whose vote is another than before; else the
/// only one with a vote, or the only one who could have.
pub(super) fn voter<'a, 'b>(
    pull: &'a PullRequest<'b>,
    message: &str,
    before: Option<&Standing>,
) -> Option<&'a Reviewer<'b>> {
    let all = || pull.reviewers.iter().map(|reviewer| &reviewer.0);
    let people = || all().filter(|reviewer| reviewer.is_container.0 != Some(true));
    let by_name = named(message, people().map(|reviewer| (reviewer.display_name.as_str(), reviewer)));
    let by_change = || only(before.into_iter().flat_map(|before| changed_votes(pull, before)));
    let voted = || only(people().filter(|reviewer| reviewer.vote.0.is_some_and(|vote| vote != 0)));
    let alone = || only(people());
    by_name.or_else(by_change).or_else(|| if before.is_some() { None } else { voted() }).or_else(alone)
}

/// People whose vote is another than before; whoever was no reviewer had none.
fn changed_votes<'a, 'b>(pull: &'a PullRequest<'b>, before: &Standing) -> Vec<&'a Reviewer<'b>> {
    let Some(votes) = &before.votes else { return Vec::new() };
    let people = pull.reviewers.iter().map(|reviewer| &reviewer.0);
    let changed = |reviewer: &&Reviewer<'_>| {
        let then = reviewer.id.as_str().and_then(|id| votes.get(id)).copied().unwrap_or_default();
        reviewer.vote.0.is_some_and(|vote| vote != then)
    };
    people.filter(|reviewer| reviewer.is_container.0 != Some(true)).filter(changed).collect()
}

fn only<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}

/// The one whose name the message begins with; of two the longer, since one name can begin another.
pub(super) fn named<'n, T>(message: &str, all: impl Iterator<Item = (Option<&'n str>, T)>) -> Option<T> {
    let begins = |name: &str| {
        let rest = message.strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let fitting = all.filter_map(|(name, own)| Some((name.filter(|name| begins(name))?.len(), own)));
    fitting.max_by_key(|(length, _)| *length).map(|(_, own)| own)
}
