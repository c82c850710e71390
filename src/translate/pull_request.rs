//! Pull requests: opened, changed, voted on, completed, abandoned, merge attempted.

use super::{
    binding::{About, branch},
    frame::{Fact, Frame, custom, moment, person, to_second},
    place::{Place, repository},
    push,
    reason::{From, Reason, Told, changes, named, voter},
    request::Standing,
};
use crate::{
    azure::resource::{
        bare_account,
        pull_request::{PullRequest, Reviewer},
    },
    domain::{Recovered, UpdateReason},
    event::{
        Event,
        cdevents::{Content, Link, LinkKind, Reference},
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
    place: Place,
    repository: String,
    subject: String,
    /// The request's page.
    page: String,
}

/// `git.pullrequest.created`.
pub(super) fn created(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |change| {
        let pull = change.pull;
        let description = pull.description.as_str().or(pull.title.as_str());
        let content = Content::ChangeCreated { description, repository: change.reference() };
        let mut fact = change.fact(content, "");
        fact.time = moment(pull.creation_date.as_str());
        fact.actor = pull.created_by.handle();
        vec![change.event(fact)]
    })
}

/// `git.pullrequest.updated`. The payload does not say what changed, so in this order: the hint of the subscription's
/// filter, the status of a closed pull request, the message's words, and what differs from how it stood before.
///
/// The pull request is rendered when it is delivered: a vote can arrive with one that is completed by then. Both are
/// facts, and both are told; the second has the id it has anyway.
pub(super) fn updated(frame: Frame<'_>, before: Option<&Standing>) -> Vec<Event> {
    told(frame, |change| {
        let hint = change.frame.context.reason;
        let message = change.frame.notification.message().unwrap_or_default();
        let told = Told::by(hint, message, change.pull, before);
        let closed = change.closed(told);
        // An update that no filter names is the end of a closed one, unless the words say that it was something else.
        let is_end = match hint {
            Some(UpdateReason::StatusUpdateNotification) => closed.is_some(),
            Some(_) => false,
            None => closed.is_some() && (told.from != From::Message || told.reason.is_of_status()),
        };
        let changed = (!is_end).then(|| change.changed(told, before));
        changed.into_iter().chain(closed).collect()
    })
}

/// `git.pullrequest.merged`: Azure tried a merge, as it does on every push to either branch; only a completed pull
/// request was merged.
pub(super) fn merge_attempted(frame: Frame<'_>) -> Vec<Event> {
    told(frame, |change| {
        let pull = change.pull;
        if pull.status.is("completed") {
            return change.closed(Told::END).into_iter().collect();
        }
        let (source, target, merge) = change.heads();
        let content = Members::new()
            .text("uri", Some(change.page.as_str()))
            .text("mergeStatus", pull.merge_status.as_str())
            .text("sourceCommit", source)
            .text("targetCommit", target)
            .text("mergeCommit", merge);
        let discriminator = match (source, target) {
            // The same two commits are tried again when a branch is set back, and the try has a name of its own.
            (Some(source), Some(target)) => {
                let status = pull.merge_status.as_str().unwrap_or_default().to_ascii_lowercase();
                format!("{source}:{target}:{status}:{}", pull.merge_id.as_str().or(merge).unwrap_or_default())
            }
            _ => change.frame.occasion(),
        };
        let content = custom("dev.cdeventsx.azuredevops-mergeattempt.finished.0.1.0", content);
        vec![change.event(change.fact(content, &discriminator))]
    })
}

fn told(mut frame: Frame<'_>, tell: impl FnOnce(&Change<'_>) -> Vec<Event>) -> Vec<Event> {
    let Some(pull) = frame.resource::<PullRequest<'_>>() else { return frame.unread() };
    frame.within(pull.repository.project.id.as_str());
    let about = About { branch: branch(pull.target_ref_name.as_str()), ..About::repository(&frame, &pull.repository) };
    let Some((id, number)) = pull.repository.id.as_str().zip(pull.pull_request_id.positive()) else {
        return frame.received(&about, Some(NO_NUMBER));
    };
    let place = Place::here(&frame, id, &pull.repository.project);
    let (repository, page) = (format!("git/repositories/{id}"), place.pull_request(number));
    let subject = format!("{repository}/pullRequests/{number}");
    tell(&Change { frame: &frame, pull: &pull, about, place, repository, subject, page })
}

impl<'b> Change<'b> {
    fn reference(&self) -> Reference<'_> {
        Reference { id: Cow::Borrowed(&self.repository) }
    }

    /// Source, target and merge.
    fn heads(&self) -> (Option<&'b str>, Option<&'b str>, Option<&'b str>) {
        let pull = self.pull;
        let commits = [&pull.last_merge_source_commit, &pull.last_merge_target_commit, &pull.last_merge_commit];
        let [source, target, merge] = commits.map(|commit| commit.commit_id.as_str());
        (source, target, merge)
    }

    fn fact<'f>(&'f self, content: Content<'f>, discriminator: &'f str) -> Fact<'f> {
        let mut fact = Fact::new(content, &self.subject, discriminator);
        fact.chain = Some(self.frame.chain(&self.subject));
        fact.extras = extras(self.frame, self.pull, &self.page);
        fact.links.extend(self.heads().0.map(|head| self.head(head)));
        fact
    }

    /// The head is where the source branch is: in the fork, if it comes from one.
    fn head(&self, commit: &str) -> Link {
        let fork = Place::of(self.frame, &self.pull.fork_source.repository);
        fork.as_ref().unwrap_or(&self.place).commit_link(self.frame, LinkKind::Commit, commit)
    }

    fn event(&self, fact: Fact<'_>) -> Event {
        self.frame.event(&self.about, fact)
    }

    /// The end of the pull request, if it has come. `told` is what the notification is about.
    fn closed(&self, told: Told) -> Option<Event> {
        let pull = self.pull;
        let time = moment(pull.closed_date.as_str());
        // Whoever's name the words of the end begin with: Microsoft's sample of a completed one has no `closedBy`.
        let message = self.frame.notification.message().unwrap_or_default();
        let ends = ["as completed", "abandoned", "completed pull request"].iter().any(|words| message.contains(words));
        let actor = || pull.closed_by.handle().or_else(|| self.actor(message).filter(|_| ends));
        if pull.status.is("completed") {
            let mut fact = self.fact(Content::ChangeMerged { repository: Some(self.reference()) }, "");
            fact.time = time;
            fact.actor = actor();
            let merge = self.heads().2;
            let link = |merge| self.place.commit_link(self.frame, LinkKind::MergeCommit, merge);
            fact.links.extend(merge.map(link));
            return Some(self.event(fact));
        }
        if !pull.status.is("abandoned") {
            return None;
        }
        // Without a date, only what tells the end itself can tell it: anything else would tell it once more.
        let is_about_it = matches!(told.reason, Reason::Status | Reason::Unknown);
        if time.is_none() && !is_about_it {
            return None;
        }
        // It can be reactivated and abandoned again.
        let discriminator = time.map_or_else(|| self.frame.occasion(), to_second);
        let mut fact = self.fact(Content::ChangeAbandoned { repository: self.reference() }, &discriminator);
        fact.time = time;
        fact.actor = actor();
        Some(self.event(fact))
    }

    fn changed(&self, told: Told, before: Option<&Standing>) -> Event {
        let (frame, pull, Told { reason, from }) = (self.frame, self.pull, told);
        let message = frame.notification.message();
        let discriminator = match (reason, self.heads().0) {
            (Reason::Push, Some(head)) => push::mark(head, self.visit()),
            _ => frame.occasion(),
        };
        let content = match reason {
            Reason::Vote => Content::ChangeReviewed { repository: self.reference() },
            _ => Content::ChangeUpdated { repository: self.reference() },
        };
        let mut fact = self.fact(content, &discriminator);
        fact.extras = fact
            .extras
            .text("updateReason", reason.word())
            .text("updateReasonFrom", reason.word().map(|_| from.word()))
            .text("message", message)
            .int("iterationId", pull.iteration_id.0)
            .object("changes", before.map(|before| changes(pull, before)).unwrap_or_default());
        if reason == Reason::Vote {
            let voter = voter(pull, message.unwrap_or_default(), before);
            fact.extras = fact.extras.object("review", voter.map(review).unwrap_or_default());
            fact.actor = voter.and_then(handle);
        } else {
            fact.actor = self.actor(message.unwrap_or_default());
        }
        self.event(fact)
    }

    /// For which time its head was pushed: only a record knows, which was composed with it.
    fn visit(&self) -> u32 {
        let own = self.pull.visit.positive().and_then(|visit| u32::try_from(visit).ok());
        own.filter(|_| self.frame.context.recovered == Some(Recovered::Rest)).unwrap_or(1)
    }

    /// Whoever's name the message begins with: the payload does not say otherwise who changed it.
    fn actor(&self, message: &str) -> Option<&'b str> {
        let pull = self.pull;
        let people = [&pull.created_by, &pull.closed_by].into_iter().map(|own| (own.name(), own.handle()));
        let reviewers = pull.reviewers.iter().map(|own| (own.display_name.as_str(), handle(own)));
        named(message, reviewers.chain(people)).flatten()
    }
}

/// Members of every event of a pull request; people see it at `page`.
pub(super) fn extras<'a>(frame: &Frame<'_>, pull: &'a PullRequest<'_>, page: &str) -> Members<'a> {
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
        .text("url", Some(page.to_owned()))
        .object("repository", repository(frame, &pull.repository))
        .object("forkSource", fork(frame, pull))
}

fn fork<'a>(frame: &Frame<'_>, pull: &'a PullRequest<'_>) -> Members<'a> {
    let of = &pull.fork_source.repository;
    of.id.as_str().map(|_| repository(frame, of)).unwrap_or_default()
}

/// A reviewer's one word, as [`Identity::handle`].
///
/// [`Identity::handle`]: crate::azure::resource::Identity::handle
fn handle<'a>(reviewer: &'a Reviewer<'_>) -> Option<&'a str> {
    reviewer.unique_name.as_str().map(bare_account).or(reviewer.display_name.as_str())
}

fn reviewer<'a>(reviewer: &'a Reviewer<'_>) -> Members<'a> {
    Members::new()
        .text("id", reviewer.id.as_str())
        .text("displayName", reviewer.display_name.as_str())
        .text("uniqueName", reviewer.unique_name.as_str())
}

fn review<'a>(own: &'a Reviewer<'_>) -> Members<'a> {
    Members::new().object("reviewer", reviewer(own)).int("vote", own.vote.0).flag("isRequired", own.is_required.0)
}
