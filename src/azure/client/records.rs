//! Azure's own records of what happened: what no hook delivered is found by them.
//!
//! What is listed comes with its JSON as Azure wrote it, because that is what a hook's payload holds as its resource.

use super::{Failure, Host, Page, PageRequest, SubscriptionDraft};
use crate::azure::time;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::value::RawValue;
use uuid::Uuid;

/// A stretch of time: from its beginning, up to but not including its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

impl Window {
    /// Whether it holds this moment.
    pub fn holds(&self, moment: Timestamp) -> bool {
        self.from <= moment && moment < self.to
    }

    /// What Azure is asked for. Its own windows are closed at both ends, and nobody knows how finely it compares: so it
    /// is asked for whole seconds around this one, and what lies outside is left out here.
    pub(super) fn asked(&self) -> (String, String) {
        let whole = time::second(self.to);
        let to = if whole < self.to { whole.saturating_add(SignedDuration::from_secs(1)) } else { Ok(whole) };
        (time::second(self.from).to_string(), to.unwrap_or(self.to).to_string())
    }
}

/// Which of a pull request's dates a listing goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestDate {
    /// `creationDate`.
    Created,
    /// `closedDate`: completed or abandoned.
    Closed,
}

/// Which of a build's dates a listing goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildDate {
    /// `queueTime`.
    Queued,
    /// `startTime`.
    Started,
    /// `finishTime`: builds that are over.
    Finished,
}

/// One ref of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// Full name, `refs/heads/…`.
    pub name: String,
    /// 40 zeros for a new ref.
    pub old_object_id: String,
    /// 40 zeros for a deleted ref.
    pub new_object_id: String,
}

/// A push.
#[derive(Debug)]
pub struct PushRecord {
    /// Its number, unique in the repository and growing.
    pub id: i64,
    /// When.
    pub date: Timestamp,
    /// The refs that it moved.
    pub ref_updates: Vec<RefUpdate>,
    /// As a hook's resource has it; a listing's is without `commits`.
    pub json: Box<RawValue>,
}

/// A pull request.
#[derive(Debug)]
pub struct PullRequestRecord {
    /// Its number, unique in the collection.
    pub id: i64,
    /// The repository's GUID.
    pub repository: Uuid,
    /// `active`, `completed`, `abandoned`.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was completed or abandoned.
    pub closed: Option<Timestamp>,
    /// As a hook's resource has it.
    pub json: Box<RawValue>,
}

/// A push to the source branch of a pull request, as its iterations tell it; the first is the one that it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Iteration {
    /// From 1.
    pub id: i64,
    /// The head of the source branch then.
    pub source_commit: String,
    /// When.
    pub created: Timestamp,
}

/// A comment of a pull request.
#[derive(Debug)]
pub struct CommentRecord {
    /// Its thread.
    pub thread: i64,
    /// Counted in the thread.
    pub id: i64,
    /// When it was last written.
    pub last_updated: Timestamp,
    /// `text`, or `system` for what Azure says itself.
    pub comment_type: String,
    /// As a hook's `resource.comment` has it.
    pub json: Box<RawValue>,
}

/// A build, that is a run of a pipeline.
#[derive(Debug)]
pub struct BuildRecord {
    /// Its number, unique in the collection; the run's too.
    pub id: i64,
    /// The number of its pipeline.
    pub definition: i64,
    /// The GUID or name of its repository, whatever kind that is.
    pub repository: Option<String>,
    /// When it was queued.
    pub queued: Option<Timestamp>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub finished: Option<Timestamp>,
    /// As a hook's resource has it at version 2.0.
    pub json: Box<RawValue>,
}

/// A part of a run's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineRecord {
    /// Its GUID: the stage's or the job's.
    pub id: String,
    /// The GUID of what it is a part of.
    pub parent_id: Option<String>,
    /// `Stage`, `Phase`, `Job`, `Task`, `Checkpoint`.
    pub kind: String,
    /// Its name for people.
    pub name: String,
    /// Its name in the pipeline's text.
    pub identifier: Option<String>,
    /// `pending`, `inProgress`, `completed`.
    pub state: String,
    /// `succeeded` and the like, once it is completed.
    pub result: Option<String>,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub finished: Option<Timestamp>,
    /// From 1.
    pub attempt: i64,
}

/// A classic release.
#[derive(Debug)]
pub struct ReleaseRecord {
    /// Its number.
    pub id: i64,
    /// The number of its release pipeline.
    pub definition: i64,
    /// `draft`, `active`, `abandoned`.
    pub status: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed; for an abandoned one, when it was abandoned or later.
    pub modified: Timestamp,
    /// As a hook's `resource.release` has it.
    pub json: Box<RawValue>,
}

/// A deployment of a classic release to one of its environments.
#[derive(Debug)]
pub struct DeploymentRecord {
    /// Its number, growing.
    pub id: i64,
    /// The number of its release.
    pub release: i64,
    /// The number of its release pipeline.
    pub definition: i64,
    /// From 1, for each environment of a release.
    pub attempt: i64,
    /// When it began.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub completed: Option<Timestamp>,
    /// `succeeded`, `partiallySucceeded`, `failed`, `inProgress`, `notDeployed`.
    pub status: String,
    /// As Azure wrote it: `releaseEnvironment`, `release`, `releaseDefinition`, `attempt` and the dates.
    pub json: Box<RawValue>,
}

/// A revision of a work item with all its fields.
#[derive(Debug)]
pub struct RevisionRecord {
    /// The work item's number.
    pub id: i64,
    /// From 1.
    pub rev: i64,
    /// `System.ChangedDate`.
    pub changed: Option<Timestamp>,
    /// As a hook's resource has it: `id`, `rev`, `fields`.
    pub json: Box<RawValue>,
}

/// A stretch of all revisions.
#[derive(Debug)]
pub struct Revisions {
    /// In the order in which they were made.
    pub values: Vec<RevisionRecord>,
    /// Where to read on, now or another day: it stays good.
    pub next: String,
    /// Whether there was no more when it was read.
    pub is_last: bool,
}

/// Where reading revisions begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevisionsFrom {
    /// At those changed from this time on.
    Time(Timestamp),
    /// Where a batch ended.
    Bookmark(String),
}

/// An update of a work item: what one revision changed.
#[derive(Debug)]
pub struct UpdateRecord {
    /// The revision that it made.
    pub rev: i64,
    /// As a hook's resource of `workitem.updated` has it, but for `revision`.
    pub json: Box<RawValue>,
}

/// Which notifications of the history are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of these subscriptions, all on one host; at least one.
    pub subscriptions: Vec<String>,
    /// Created within.
    pub within: Window,
    /// `failed`, `succeeded`, `pending`, `filtered`; `None` is any.
    pub result: Option<&'static str>,
    /// At most this many; there may be more when as many come.
    pub results_max: u32,
    /// With the event that was or was to be delivered.
    pub with_details: bool,
}

/// A notification as the history has it.
#[derive(Debug)]
pub struct NotificationRecord {
    /// Counted in its subscription.
    pub id: i64,
    /// Its subscription.
    pub subscription: String,
    /// The envelope's `id`.
    pub event_id: Option<String>,
    /// `queued`, `processing`, `requestInProgress`, `completed`.
    pub status: String,
    /// `pending`, `succeeded`, `failed`, `filtered`.
    pub result: String,
    /// When it was made.
    pub created: Timestamp,
    /// What the receiver answered, or why it was not reached, in words.
    pub error: Option<String>,
    /// `details.event`: the envelope, but for `subscriptionId` and `notificationId`; absent where not asked for or kept.
    pub event: Option<Box<RawValue>>,
    /// The body of the last request, with everything that was sent; absent where it is not asked for, not kept, or cut.
    pub sent: Option<Box<RawValue>>,
}

/// A stretch of the history.
#[derive(Debug)]
pub struct History {
    /// Oldest first.
    pub values: Vec<NotificationRecord>,
    /// As many came as were asked for: there may be more, and which of them came is the server's choice.
    pub is_cut: bool,
}

/// Reading Azure's records. Every listing is ordered by what its window goes by, oldest first where Azure can, and a page is
/// complete or a failure. A page may be empty and have a next one.
///
/// What holds while things happen between two pages: what was within the window when the first page was asked for, and
/// still is, comes at least once. Lists that are paged by `$skip` and grow at their beginning (pushes, pull requests) may
/// say something twice. What enters the window meanwhile may be missed: whoever ends a window at a moment that is past
/// has all of it.
#[async_trait]
pub trait Records: Send + Sync {
    /// Pushes to a repository, or to one ref of it by its full name, newest first, as Azure lists them; without their
    /// commits. Those of the server to `refs/pull/…/merge` are among them. Scope Code (Read).
    async fn pushes(
        &self,
        project: &str,
        repository: &str,
        reference: Option<&str>,
        within: Window,
        page: PageRequest,
    ) -> Result<Page<PushRecord>, Failure>;

    /// One push with its first 100 commits.
    async fn push(&self, project: &str, repository: &str, push: i64) -> Result<PushRecord, Failure>;

    /// Pull requests of a repository in any state. Servers before 7.1 cannot filter by date: they are paged through and
    /// filtered here; by [`PullRequestDate::Closed`] that is all of them, a call each 100. Scope Code (Read).
    async fn pull_requests(
        &self,
        project: &str,
        repository: &str,
        by: PullRequestDate,
        within: Window,
        page: PageRequest,
    ) -> Result<Page<PullRequestRecord>, Failure>;

    /// Pull requests of a repository that are open now. Pages overlap, so that up to ten that are closed between two pages
    /// hide no other one: some come twice.
    async fn active_pull_requests(
        &self,
        project: &str,
        repository: &str,
        page: PageRequest,
    ) -> Result<Page<PullRequestRecord>, Failure>;

    /// One pull request.
    async fn pull_request(&self, project: &str, number: i64) -> Result<PullRequestRecord, Failure>;

    /// The pushes to its source branch.
    async fn iterations(&self, project: &str, repository: &str, number: i64) -> Result<Vec<Iteration>, Failure>;

    /// The comments of its threads, deleted ones without content.
    async fn comments(&self, project: &str, repository: &str, number: i64) -> Result<Vec<CommentRecord>, Failure>;

    /// Builds of a project, oldest first; of these pipelines, or of all where none is named. More than 100 pipelines are
    /// not named in the call: then the builds of all are listed, and these are picked. Builds that were deleted since, by
    /// people or by retention, are not there. Scope Build (Read).
    async fn builds(
        &self,
        project: &str,
        definitions: &[i64],
        by: BuildDate,
        within: Window,
        page: PageRequest,
    ) -> Result<Page<BuildRecord>, Failure>;

    /// One build.
    async fn build(&self, project: &str, number: i64) -> Result<BuildRecord, Failure>;

    /// Its stages, jobs and tasks in each attempt, up to 20 earlier ones; none for one that never began.
    async fn timeline(&self, project: &str, build: i64) -> Result<Vec<TimelineRecord>, Failure>;

    /// Classic releases made within, oldest first. Scope Release (Read).
    async fn releases(&self, project: &str, within: Window, page: PageRequest) -> Result<Page<ReleaseRecord>, Failure>;

    /// One release.
    async fn release(&self, project: &str, number: i64) -> Result<ReleaseRecord, Failure>;

    /// Deployments of classic releases that were last changed within, oldest first by number. One that is changed again
    /// is in a later window then.
    async fn deployments(
        &self,
        project: &str,
        within: Window,
        page: PageRequest,
    ) -> Result<Page<DeploymentRecord>, Failure>;

    /// Revisions of all work items of a project, deleted ones too, at most 200 of them; long texts (description, history)
    /// are among their fields. Scope Work items (Read).
    async fn revisions(&self, project: &str, from: &RevisionsFrom) -> Result<Revisions, Failure>;

    /// What the revisions of one work item after `after_rev` changed, in order, at most 200. One revision may have several
    /// updates (a link leaves the number as it is); they come together. There may be more when there are any: ask on from
    /// the last revision until none comes.
    async fn updates(&self, project: &str, work_item: i64, after_rev: i64) -> Result<Vec<UpdateRecord>, Failure>;

    /// Notifications of our subscriptions, oldest first. Which are left out where there are more than `results_max` is
    /// not known of Azure: when as many come, ask for less time at once. Any of the scopes Code, Build, Work items.
    async fn history(&self, host: Host, query: &HistoryQuery) -> Result<History, Failure>;

    /// One notification with its details.
    async fn notification(&self, host: Host, subscription: &str, number: i64) -> Result<NotificationRecord, Failure>;

    /// Asks Azure to deliver a sample as this subscription would; the notification's number.
    async fn send_test(&self, draft: &SubscriptionDraft) -> Result<i64, Failure>;

    /// What became of a sample.
    async fn test(&self, host: Host, number: i64) -> Result<NotificationRecord, Failure>;
}
