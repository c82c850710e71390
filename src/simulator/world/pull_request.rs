//! Pull requests.

use super::{
    Facts, Impossible, World,
    git::{NO_OBJECT, RefUpdate},
    merge::MergeStrategy,
    next,
};
use crate::{
    domain::Stream,
    simulator::{
        forget::{Entity, Of},
        occurrence::Subject,
    },
};
use jiff::Timestamp;
use uuid::Uuid;

/// The event types by what happened.
const CREATED: &str = "git.pullrequest.created";
pub(super) const UPDATED: &str = "git.pullrequest.updated";
/// No filter of Azure's: what says that a draft was made or published.
pub(crate) const DRAFT_CHANGED: &str = "draftChanged";
pub(super) const MERGED: &str = "git.pullrequest.merged";
const COMMENTED: &str = "ms.vss-code.git-pullrequest-comment-event";

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullRequest {
    /// Unique in the collection.
    pub(crate) number: u32,
    pub(crate) repository: Uuid,
    /// `active`, `completed`, `abandoned`.
    pub(crate) status: &'static str,
    pub(crate) by: Uuid,
    pub(crate) created: Timestamp,
    pub(crate) closed: Option<(Timestamp, Uuid)>,
    pub(crate) title: String,
    pub(crate) description: String,
    /// Where the source is, if it is a fork.
    pub(crate) fork: Option<Uuid>,
    /// Full name of a ref.
    pub(crate) source: String,
    /// Full name of a ref.
    pub(crate) target: String,
    /// `queued`, `succeeded`, `conflicts`, `rejectedByPolicy`, `failure`.
    pub(crate) is_draft: bool,
    pub(crate) merge_status: &'static str,
    pub(crate) merge_id: Uuid,
    pub(crate) source_commit: String,
    pub(crate) target_commit: String,
    pub(crate) merge_commit: Option<String>,
    /// How it was merged.
    pub(crate) strategy: Option<MergeStrategy>,
    pub(crate) reviewers: Vec<Reviewer>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) votes: Vec<Vote>,
    /// Each push to the source.
    pub(crate) iterations: Vec<(String, Timestamp)>,
}

impl PullRequest {
    /// What it belongs to.
    pub(crate) fn of(&self) -> Of {
        Of::new(Stream::PullRequests, &[Entity::PullRequest(self.number), Entity::Repository(self.repository)])
    }

    /// The number of the next thread.
    fn next_thread(&self) -> u32 {
        let threads = self.comments.iter().map(|own| own.thread).chain(self.votes.iter().map(|own| own.thread));
        threads.max().unwrap_or_default() + 1
    }
}

/// Who reviews it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reviewer {
    pub(crate) person: Uuid,
    /// 10, 5, 0, -5 or -10.
    pub(crate) vote: i8,
    pub(crate) is_required: bool,
}

/// A comment; each begins a thread of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    /// Of the thread; within it the comment is 1.
    pub(crate) thread: u32,
    pub(crate) by: Uuid,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

/// A vote that was cast; Azure tells of it by a thread of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Vote {
    pub(crate) thread: u32,
    pub(crate) by: Uuid,
    pub(crate) value: i8,
    pub(crate) at: Timestamp,
}

impl World {
    /// A pull request from one branch to another, both there; its number.
    pub(crate) fn create_pull_request(
        &mut self,
        repository: Uuid,
        by: Uuid,
        (fork, source): (Option<Uuid>, &str),
        target: &str,
        title: &str,
    ) -> Result<u32, Impossible> {
        let full = |short: &str| format!("refs/heads/{short}");
        let mut tip = |id: Uuid, short: &str| {
            let found = self.repository_mut(id)?.tip(&full(short)).map(str::to_owned);
            found.ok_or_else(|| Impossible::Absent(format!("branch {short}")))
        };
        let (source_commit, target_commit) = (tip(fork.unwrap_or(repository), source)?, tip(repository, target)?);
        if let Some(fork) = fork {
            self.fetch(repository, fork, &source_commit)?;
        }
        let number = next(&self.pull_requests, 1);
        let pull_request = PullRequest {
            number,
            repository,
            status: "active",
            by,
            created: self.now,
            closed: None,
            title: title.to_owned(),
            description: format!("{title}.\r\n\r\nAs agreed."),
            fork,
            source: full(source),
            target: full(target),
            is_draft: false,
            merge_status: "queued",
            merge_id: self.new_id("merge"),
            iterations: vec![(source_commit.clone(), self.now)],
            source_commit,
            target_commit,
            merge_commit: None,
            strategy: None,
            reviewers: Vec::new(),
            comments: Vec::new(),
            votes: Vec::new(),
        };
        self.pull_requests.insert(number, pull_request);
        self.pull_request_event(CREATED, number, "created", &[]);
        self.attempt_merge(number, "succeeded")?;
        Ok(number)
    }

    pub(super) fn active(&mut self, number: u32) -> Result<&mut PullRequest, Impossible> {
        let found = self.pull_requests.get_mut(&number);
        let found = found.ok_or_else(|| Impossible::Absent(format!("pull request {number}")))?;
        if found.status == "active" {
            return Ok(found);
        }
        Err(Impossible::State(format!("the pull request {number} is {}", found.status)))
    }

    /// The server tries the merge: Azure calls that "merged", and does it at every push.
    pub(crate) fn attempt_merge(&mut self, number: u32, status: &'static str) -> Result<(), Impossible> {
        let (merge, merge_id) = (self.new_object(), self.new_id("merge"));
        let own = self.active(number)?;
        (own.merge_status, own.merge_id) = (status, merge_id);
        let before = own.merge_commit.take();
        own.merge_commit = (status == "succeeded").then(|| merge.clone());
        let (repository, by) = (own.repository, own.by);
        if status == "succeeded" {
            // The server pushes what it merged, and lists that push among the others.
            let old = before.unwrap_or_else(|| NO_OBJECT.to_owned());
            let update = RefUpdate { name: format!("refs/pull/{number}/merge"), old, new: merge };
            self.pushed(repository, by, vec![update], Vec::new());
        }
        let result = match status {
            "succeeded" => "Succeeded",
            "conflicts" => "Conflicts",
            "rejectedByPolicy" => "RejectedByPolicy",
            _ => "Failure",
        };
        self.pull_request_event(MERGED, number, "merge attempted", &[("mergeResult", result)]);
        Ok(())
    }

    /// A branch has another tip: the pull requests from it notice.
    pub(super) fn branch_moved(&mut self, repository: Uuid, branch: &str) {
        let name = format!("refs/heads/{branch}");
        let Some(tip) = self.repository_of(repository).and_then(|own| own.tip(&name)).map(str::to_owned) else {
            return;
        };
        let concerned = |own: &&mut PullRequest| {
            let is_here = own.fork.unwrap_or(own.repository) == repository;
            own.status == "active" && is_here && own.source == name && own.source_commit != tip
        };
        let now = self.now;
        let mut moved = Vec::new();
        for own in self.pull_requests.values_mut().filter(concerned) {
            own.source_commit.clone_from(&tip);
            own.iterations.push((tip.clone(), now));
            own.merge_status = "queued";
            moved.push((own.number, own.repository, own.fork));
        }
        for (number, repository, fork) in moved {
            if let Some(fork) = fork {
                // The fork is there, since its branch moved; and so is what it was forked from, or nobody asks for it.
                let _ = self.fetch(repository, fork, &tip);
            }
            let kind = [("notificationType", "PushNotification")];
            self.pull_request_event(UPDATED, number, "source branch updated", &kind);
            // Active, as it was found: the attempt cannot be refused.
            let _ = self.attempt_merge(number, "succeeded");
        }
    }

    pub(crate) fn set_reviewers(&mut self, number: u32, people: &[Uuid]) -> Result<(), Impossible> {
        let own = self.active(number)?;
        own.reviewers = people.iter().map(|person| Reviewer { person: *person, vote: 0, is_required: true }).collect();
        let kind = [("notificationType", "ReviewersUpdateNotification")];
        self.pull_request_event(UPDATED, number, "reviewers changed", &kind);
        Ok(())
    }

    /// One reviewer more, who has not voted.
    pub(crate) fn add_reviewer(&mut self, number: u32, person: Uuid, is_required: bool) -> Result<(), Impossible> {
        let own = self.active(number)?;
        match own.reviewers.iter_mut().find(|reviewer| reviewer.person == person) {
            Some(reviewer) => reviewer.is_required = is_required,
            None => own.reviewers.push(Reviewer { person, vote: 0, is_required }),
        }
        let kind = [("notificationType", "ReviewersUpdateNotification")];
        self.pull_request_event(UPDATED, number, "reviewers changed", &kind);
        Ok(())
    }

    pub(crate) fn vote(&mut self, number: u32, person: Uuid, vote: i8) -> Result<(), Impossible> {
        let at = self.now;
        let own = self.active(number)?;
        own.votes.push(Vote { thread: own.next_thread(), by: person, value: vote, at });
        match own.reviewers.iter_mut().find(|reviewer| reviewer.person == person) {
            Some(reviewer) => reviewer.vote = vote,
            None => own.reviewers.push(Reviewer { person, vote, is_required: false }),
        }
        let kind = [("notificationType", "ReviewerVoteNotification")];
        self.pull_request_event(UPDATED, number, &format!("vote {vote}"), &kind);
        Ok(())
    }

    /// Title and description: an update without a `notificationType`.
    pub(crate) fn edit_pull_request(&mut self, number: u32, title: &str) -> Result<(), Impossible> {
        let own = self.active(number)?;
        if own.title == title {
            return Err(Impossible::State("that is its title".to_owned()));
        }
        title.clone_into(&mut own.title);
        self.pull_request_event(UPDATED, number, "edited", &[]);
        Ok(())
    }

    /// Another description: the same.
    pub(crate) fn describe_pull_request(&mut self, number: u32, description: &str) -> Result<(), Impossible> {
        description.clone_into(&mut self.active(number)?.description);
        self.pull_request_event(UPDATED, number, "edited", &[]);
        Ok(())
    }

    /// Makes it a draft, or publishes it. Which filter that passes nobody has recorded; who wrote of it took it for a change
    /// of the status.
    pub(crate) fn set_draft(&mut self, number: u32, is_draft: bool) -> Result<(), Impossible> {
        let own = self.active(number)?;
        if own.is_draft == is_draft {
            return Err(Impossible::State("it is so already".to_owned()));
        }
        own.is_draft = is_draft;
        let what = if is_draft { "made a draft" } else { "published" };
        let facts = [("notificationType", "StatusUpdateNotification"), (DRAFT_CHANGED, "true")];
        self.pull_request_event(UPDATED, number, what, &facts);
        Ok(())
    }

    /// Another target: an update without a `notificationType`.
    pub(crate) fn retarget(&mut self, number: u32, target: &str) -> Result<(), Impossible> {
        let own = self.active(number)?;
        let target = format!("refs/heads/{target}");
        if own.target == target {
            return Err(Impossible::State("that is its target".to_owned()));
        }
        own.target = target;
        own.merge_status = "queued";
        self.pull_request_event(UPDATED, number, "target branch changed", &[]);
        Ok(())
    }

    pub(crate) fn abandon(&mut self, number: u32, by: Uuid) -> Result<(), Impossible> {
        let now = self.now;
        let own = self.active(number)?;
        (own.status, own.closed) = ("abandoned", Some((now, by)));
        self.pull_request_event(UPDATED, number, "abandoned", &[("notificationType", "StatusUpdateNotification")]);
        Ok(())
    }

    /// An abandoned one is open again, and its merge is tried anew. What was pushed meanwhile comes to it then; whether Azure
    /// tells that as a push nobody has recorded, here it does.
    ///
    /// Source: Pull Requests - Update (Git 7.1): `status` can be set to `active` as long as it was not completed; its filter
    /// is that of the status ("Service hooks events", `notificationType`).
    pub(crate) fn reactivate(&mut self, number: u32) -> Result<(), Impossible> {
        let found = self.pull_requests.get_mut(&number).filter(|own| own.status == "abandoned");
        let own = found.ok_or_else(|| Impossible::Absent(format!("abandoned pull request {number}")))?;
        (own.status, own.closed, own.merge_status) = ("active", None, "queued");
        let (repository, source) = (own.fork.unwrap_or(own.repository), own.source.clone());
        self.pull_request_event(UPDATED, number, "reactivated", &[("notificationType", "StatusUpdateNotification")]);
        self.branch_moved(repository, source.strip_prefix("refs/heads/").unwrap_or(&source));
        self.attempt_merge(number, "succeeded")
    }

    pub(crate) fn comment_pull_request(&mut self, number: u32, by: Uuid, text: &str) -> Result<u32, Impossible> {
        let now = self.now;
        let own = self.pull_requests.get_mut(&number);
        let own = own.ok_or_else(|| Impossible::Absent(format!("pull request {number}")))?;
        let thread = own.next_thread();
        own.comments.push(Comment { thread, by, text: text.to_owned(), at: now });
        let (project, facts) = self.facts_of(number);
        let subject = Subject::PullRequestComment { number, comment: thread };
        let title = format!("pull request {number}: comment");
        self.occur(("tfs", COMMENTED), project, title, facts, subject);
        Ok(thread)
    }

    fn facts_of(&self, number: u32) -> (Uuid, Facts) {
        let own = &self.pull_requests[&number];
        let project = self.repository_of(own.repository).map_or(Uuid::nil(), |repository| repository.project);
        let target = own.target.strip_prefix("refs/heads/").unwrap_or(&own.target);
        let facts = Facts::from([
            ("repository", vec![own.repository.to_string()]),
            ("branch", vec![target.to_owned()]),
            ("pullrequestCreatedBy", vec![own.by.to_string()]),
            ("pullrequestReviewersContains", own.reviewers.iter().map(|r| r.person.to_string()).collect()),
        ]);
        (project, facts)
    }

    pub(super) fn pull_request_event(
        &mut self,
        event: &'static str,
        number: u32,
        what: &str,
        more: &[(&'static str, &'static str)],
    ) {
        let (project, mut facts) = self.facts_of(number);
        facts.extend(more.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])));
        let title = format!("pull request {number}: {what}");
        self.occur(("tfs", event), project, title, facts, Subject::PullRequest { number });
    }
}
