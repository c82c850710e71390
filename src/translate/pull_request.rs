//! Pull requests: opened, changed, voted on, completed, abandoned, merge attempted, commented.

use super::{
    binding::{About, branch},
    frame::{Fact, Frame, custom, first_uri, moment, person, repository, to_second},
};
use crate::{
    azure::resource::pull_request::{Comment, CommentEvent, PullRequest, Reviewer},
    domain::UpdateReason,
    event::{
        Event,
        cdevents::{Content, LinkKind, Reference},
        members::Members,
    },
};
use std::borrow::Cow;

const NO_NUMBER: &str = "the resource names no pull request";

/// A pull request in its place.
struct Change<'b> {
    frame: &'b Frame<'b>,
    pull: &'b PullRequest<'b>,
    about: About<'b>,
    repository: String,
    subject: String,
}

/// `git.pullrequest.created`.
pub(super) fn created(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |change| {
        let pull = change.pull;
        let description = pull.description.as_str().or(pull.title.as_str());
        let content = Content::ChangeCreated { description, repository: change.reference() };
        let mut fact = change.fact(content, "");
        fact.time = moment(pull.creation_date.as_str());
        vec![change.event(fact)]
    })
}

/// `git.pullrequest.updated`. The payload does not say what changed, so in this order: the hint of the subscription's
/// filter, the status of a closed pull request, the message's words.
///
/// The pull request is rendered when it is delivered: a vote can arrive with one that is completed by then. Both are
/// facts, and both are told; the second has the id it has anyway.
pub(super) fn updated(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |change| {
        let closed = change.closed();
        let hint = change.frame.context.reason;
        let reason = match hint {
            Some(UpdateReason::StatusUpdateNotification) | None if closed.is_some() => None,
            Some(hint) => Some(Reason::hinted(hint)),
            None => Some(Reason::worded(change.frame.notification.message().unwrap_or_default())),
        };
        let changed = reason.map(|reason| change.changed(reason, hint.is_some()));
        changed.into_iter().chain(closed).collect()
    })
}

/// `git.pullrequest.merged`: Azure tried a merge, as it does on every push to either branch; only a completed pull
/// request was merged.
pub(super) fn merge_attempted(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |change| {
        let pull = change.pull;
        if pull.status.is("completed") {
            return change.closed().into_iter().collect();
        }
        let content = Members::new()
            .text("mergeStatus", pull.merge_status.as_str())
            .text("sourceCommit", pull.last_merge_source_commit.commit_id.as_str())
            .text("targetCommit", pull.last_merge_target_commit.commit_id.as_str())
            .text("mergeCommit", pull.last_merge_commit.commit_id.as_str());
        let commits =
            (pull.last_merge_source_commit.commit_id.as_str(), pull.last_merge_target_commit.commit_id.as_str());
        let discriminator = match commits {
            // One merge is tried once; its status tells a second try of the same two commits.
            (Some(source), Some(target)) => {
                format!("{source}:{target}:{}", pull.merge_status.as_str().unwrap_or_default().to_ascii_lowercase())
            }
            _ => change.frame.occasion(),
        };
        let content = custom("dev.cdeventsx.azuredevops-mergeattempt.finished.0.1.0", content);
        vec![change.event(change.fact(content, &discriminator))]
    })
}

/// `ms.vss-code.git-pullrequest-comment-event`: a comment written, edited or deleted. At resource version 1.0 the pull
/// request is only in the comment's own address.
pub(super) fn commented(mut frame: Frame<'_>) -> Vec<Event> {
    let Some(event) = frame.resource::<CommentEvent<'_>>() else { return frame.unread() };
    let pull = &event.pull_request;
    frame.within(pull.repository.project.id.as_str());
    let links = &event.comment.links;
    let address = [&links.itself, &links.threads].into_iter().find_map(|link| Address::read(link.href.as_str()?));
    let about = About { branch: branch(pull.target_ref_name.as_str()), ..About::repository(&frame, &pull.repository) };
    let place = pull.repository.id.as_str().zip(pull.pull_request_id.positive());
    let place = place.or_else(|| address.as_ref().map(|address| (address.repository, address.pull_request)));
    let Some((repository, number)) = place else {
        return frame.received(&about, Some("the comment names no pull request"));
    };
    let about = About { repository: [Some(repository), about.repository[1]], ..about };
    let thread = address.as_ref().and_then(|address| address.thread);
    let subject = format!("git/repositories/{repository}/pullRequests/{number}");
    vec![comment_event(&frame, &about, &subject, &event, thread)]
}

fn comment_event(
    frame: &Frame<'_>,
    about: &About<'_>,
    subject: &str,
    event: &CommentEvent<'_>,
    thread: Option<i64>,
) -> Event {
    let comment: &Comment<'_> = &event.comment;
    let written = moment(comment.last_updated_date.as_str()).or_else(|| moment(comment.published_date.as_str()));
    let discriminator = match (comment.id.0, written) {
        // Comments are counted per thread; an edit is the same comment at another time.
        (Some(id), Some(written)) => format!("{}:{id}:{written}", thread.unwrap_or_default()),
        _ => frame.occasion(),
    };
    let content = Members::new()
        .int("threadId", thread)
        .int("commentId", comment.id.0)
        .int("parentCommentId", comment.parent_comment_id.positive())
        .object("author", person(&comment.author))
        .text("content", comment.content.as_str())
        .text("commentType", comment.comment_type.as_str())
        .flag("isDeleted", comment.is_deleted.0)
        .time("publishedDate", moment(comment.published_date.as_str()))
        .time("lastUpdatedDate", moment(comment.last_updated_date.as_str()));
    let content = custom("dev.cdeventsx.azuredevops-change.commented.0.1.0", content);
    let mut fact = Fact::new(content, subject, &discriminator);
    fact.time = written;
    fact.chain = Some(frame.chain(subject));
    if event.pull_request.pull_request_id.positive().is_some() {
        fact.extras = extras(&event.pull_request);
    }
    frame.event(about, fact)
}

fn told(mut frame: Frame<'_>, tell: impl FnOnce(&Change<'_>) -> Vec<Event>) -> Vec<Event> {
    let Some(pull) = frame.resource::<PullRequest<'_>>() else { return frame.unread() };
    frame.within(pull.repository.project.id.as_str());
    let about = About { branch: branch(pull.target_ref_name.as_str()), ..About::repository(&frame, &pull.repository) };
    let Some((repository, number)) = pull.repository.id.as_str().zip(pull.pull_request_id.positive()) else {
        return frame.received(&about, Some(NO_NUMBER));
    };
    let repository = format!("git/repositories/{repository}");
    let subject = format!("{repository}/pullRequests/{number}");
    tell(&Change { frame: &frame, pull: &pull, about, repository, subject })
}

impl<'b> Change<'b> {
    fn reference(&self) -> Reference<'_> {
        Reference { id: Cow::Borrowed(&self.repository) }
    }

    fn fact<'f>(&'f self, content: Content<'f>, discriminator: &'f str) -> Fact<'f> {
        let mut fact = Fact::new(content, &self.subject, discriminator);
        fact.chain = Some(self.frame.chain(&self.subject));
        fact.extras = extras(self.pull);
        let head = self.pull.last_merge_source_commit.commit_id.as_str();
        fact.links.extend(head.map(|head| self.link(LinkKind::Commit, head)));
        fact
    }

    fn link(&self, kind: LinkKind, commit: &str) -> crate::event::cdevents::Link {
        self.frame.link_here(kind, self.pull.repository.id.as_str(), "commit", commit)
    }

    fn event(&self, fact: Fact<'_>) -> Event {
        self.frame.event(&self.about, fact)
    }

    /// The end of the pull request, if it has come.
    fn closed(&self) -> Option<Event> {
        let pull = self.pull;
        let time = moment(pull.closed_date.as_str());
        if pull.status.is("completed") {
            let mut fact = self.fact(Content::ChangeMerged { repository: Some(self.reference()) }, "");
            fact.time = time;
            let merge = pull.last_merge_commit.commit_id.as_str();
            fact.links.extend(merge.map(|merge| self.link(LinkKind::MergeCommit, merge)));
            return Some(self.event(fact));
        }
        if !pull.status.is("abandoned") {
            return None;
        }
        // It can be reactivated and abandoned again.
        let discriminator = time.map_or_else(|| self.frame.occasion(), to_second);
        let mut fact = self.fact(Content::ChangeAbandoned { repository: self.reference() }, &discriminator);
        fact.time = time;
        Some(self.event(fact))
    }

    fn changed(&self, reason: Reason, hinted: bool) -> Event {
        let occasion = self.frame.occasion();
        let head = self.pull.last_merge_source_commit.commit_id.as_str();
        let discriminator = match (reason, head) {
            (Reason::Push, Some(head)) => format!("push:{head}"),
            _ => occasion,
        };
        let content = match reason {
            Reason::Vote => Content::ChangeReviewed { repository: self.reference() },
            _ => Content::ChangeUpdated { repository: self.reference() },
        };
        let mut fact = self.fact(content, &discriminator);
        let source = if hinted { "subscription" } else { "message" };
        fact.extras =
            fact.extras.text("updateReason", reason.word()).text("updateReasonFrom", reason.word().map(|_| source));
        if reason == Reason::Vote {
            fact.extras = fact.extras.object("review", self.voter().map(review).unwrap_or_default());
        }
        self.event(fact)
    }

    /// Who voted: the message begins with their name; without it, whoever is the only one with a vote.
    fn voter(&self) -> Option<&Reviewer<'b>> {
        let message = self.frame.notification.message().unwrap_or_default();
        let mut reviewers = self.pull.reviewers.iter().map(|reviewer| &reviewer.0);
        let named =
            |reviewer: &&Reviewer<'_>| reviewer.display_name.as_str().is_some_and(|name| message.starts_with(name));
        let voted = |reviewer: &&Reviewer<'_>| reviewer.vote.0.is_some_and(|vote| vote != 0);
        let mut voters = reviewers.clone().filter(voted);
        let only = voters.next().filter(|_| voters.next().is_none());
        reviewers.find(named).or(only)
    }
}

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    Push,
    Reviewers,
    Reactivated,
    Vote,
    /// A title, a description, a draft published: neither a filter nor a stable word tells them apart.
    Unknown,
}

impl Reason {
    fn hinted(hint: UpdateReason) -> Self {
        match hint {
            UpdateReason::PushNotification => Self::Push,
            UpdateReason::ReviewersUpdateNotification => Self::Reviewers,
            UpdateReason::StatusUpdateNotification => Self::Reactivated,
            UpdateReason::ReviewerVoteNotification => Self::Vote,
        }
    }

    /// The last resort: words of Azure's English messages. What they do not tell stays unknown.
    fn worded(message: &str) -> Self {
        let words = [
            ("updated the source branch", Self::Push),
            ("has approved", Self::Vote),
            ("has rejected", Self::Vote),
            ("is waiting for the author", Self::Vote),
            ("has reset", Self::Vote),
            ("reviewer list", Self::Reviewers),
            ("reactivated", Self::Reactivated),
        ];
        words.into_iter().find(|(word, _)| message.contains(word)).map_or(Self::Unknown, |(_, reason)| reason)
    }

    fn word(self) -> Option<&'static str> {
        match self {
            Self::Push => Some("push"),
            Self::Reviewers => Some("reviewers"),
            Self::Reactivated => Some("reactivated"),
            Self::Vote => Some("vote"),
            Self::Unknown => None,
        }
    }
}

/// `…/repositories/{guid}/pullRequests/{n}/threads/{t}/comments/{c}`, as the links of a comment have it.
struct Address<'a> {
    repository: &'a str,
    pull_request: i64,
    thread: Option<i64>,
}

impl<'a> Address<'a> {
    fn read(href: &'a str) -> Option<Self> {
        let after = |name: &str| {
            let mut segments = href.split('/');
            segments.find(|segment| segment.eq_ignore_ascii_case(name))?;
            segments.next().filter(|segment| !segment.is_empty())
        };
        Some(Self {
            repository: after("repositories")?,
            pull_request: after("pullRequests")?.parse().ok().filter(|number| *number > 0)?,
            thread: after("threads").and_then(|thread| thread.parse().ok()),
        })
    }
}

fn extras<'a>(pull: &'a PullRequest<'_>) -> Members<'a> {
    Members::new()
        .int("pullRequestId", pull.pull_request_id.0)
        .text("title", pull.title.as_str())
        .text("status", pull.status.as_str())
        .flag("isDraft", pull.is_draft.0)
        .text("sourceRefName", pull.source_ref_name.as_str())
        .text("targetRefName", pull.target_ref_name.as_str())
        .text("mergeStatus", pull.merge_status.as_str())
        .text("sourceCommit", pull.last_merge_source_commit.commit_id.as_str())
        .text("targetCommit", pull.last_merge_target_commit.commit_id.as_str())
        .text("mergeCommit", pull.last_merge_commit.commit_id.as_str())
        .object("createdBy", person(&pull.created_by))
        .time("creationDate", moment(pull.creation_date.as_str()))
        .object("closedBy", person(&pull.closed_by))
        .objects("reviewers", pull.reviewers.iter().map(|reviewer| review(reviewer)))
        .texts("labels", pull.labels.iter().filter_map(|label| label.name.as_str()))
        .text("url", first_uri([pull.links.web.href.as_str(), pull.url.as_str()]))
        .object("repository", repository(&pull.repository))
}

fn review<'a>(reviewer: &'a Reviewer<'_>) -> Members<'a> {
    let person = Members::new()
        .text("id", reviewer.id.as_str())
        .text("displayName", reviewer.display_name.as_str())
        .text("uniqueName", reviewer.unique_name.as_str());
    Members::new().object("reviewer", person).int("vote", reviewer.vote.0).flag("isRequired", reviewer.is_required.0)
}
