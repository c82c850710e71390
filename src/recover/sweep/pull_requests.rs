//! Pull requests of a repository.
//!
//! They are listed by when they were opened and when they were closed, but not by when they were changed. Who was pushed to
//! is known from the pushes to their source branches, and confirmed by a call for each only where an event is missing. Pushes
//! from forks and comments leave no trace in any listing: they cost a call for each pull request, and are asked for when
//! more than evidence is wanted.

use super::{Depth, Mending, Stopped, page, scale::Scale};
use crate::{
    azure::client::{ApiVersion, AzureDevOps, Failure, Iteration, PullRequestDate, PullRequestRecord, Window},
    recover::{
        closed,
        compose::{self, Composed},
        desk::Asked,
    },
};
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use uuid::Uuid;

const COMMENTED: &str = "ms.vss-code.git-pullrequest-comment-event";
/// From this version on the server lists pull requests by date.
const BY_DATE_SINCE: ApiVersion = ApiVersion { major: 7, minor: 1 };

/// The pushes of the window: when each branch became which commit.
type Moved = HashMap<String, Vec<(Timestamp, String)>>;

/// Where to ask.
struct Asking<'a> {
    azure: &'a dyn AzureDevOps,
    project: String,
    repository: String,
    window: Window,
    moved: Moved,
}

/// What of a pull request is not among what the listing is read for.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Branches {
    source_ref_name: String,
    last_merge_source_commit: Commit,
    last_merge_commit: Commit,
    fork_source: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Commit {
    commit_id: String,
}

pub(super) async fn sweep(
    scale: &mut Scale<'_>,
    azure: &dyn AzureDevOps,
    repository: Uuid,
    window: Window,
) -> Result<(), Stopped> {
    let (project, id) = (scale.order.place.project.to_string(), repository.to_string());
    let mut asking = Asking { azure, project, repository: id, window, moved: Moved::new() };
    let opened = asking.opened(scale).await?;
    asking.read_pushes(scale).await?;
    // The version is remembered, so this is no call.
    let version = azure.api_version().await?;
    let is_wanted = !asking.moved.is_empty() || scale.order.depth != Depth::Evidence;
    if version >= BY_DATE_SINCE {
        drop(asking.closed(scale).await?);
        if is_wanted {
            drop(asking.active(scale).await?);
        }
        return Ok(());
    }
    asking.remembered(scale, repository, &opened, is_wanted).await
}

/// Azure's answer about one pull request; `None` where it lists the request and does not find it, which must not keep the others.
fn there<T>(answer: Result<T, Stopped>) -> Result<Option<T>, Stopped> {
    match answer {
        Err(Stopped::Azure(Failure::NotFound { .. })) => Ok(None),
        answer => answer.map(Some),
    }
}

impl Asking<'_> {
    /// Answers which.
    async fn opened(&self, scale: &mut Scale<'_>) -> Result<BTreeSet<i64>, Stopped> {
        let (by, mut from) = (PullRequestDate::Created, None);
        let mut opened = BTreeSet::new();
        loop {
            let listing = self.azure.pull_requests(&self.project, &self.repository, by, self.window, page(from));
            let listed = scale.ask(listing).await?;
            opened.extend(listed.items.iter().map(|own| own.id));
            let composed = listed.items.iter().map(|own| compose::opened(scale.home(), own, None)).collect();
            let mut weighed = scale.weigh(composed).await?;
            for (at, own) in listed.items.iter().enumerate().filter(|_| scale.order.mending != Mending::Look) {
                if weighed[at].is_missing() {
                    // Only the first iteration says the first head: a call for each missing creation, for no other.
                    let head = self.proposed(scale, own).await?;
                    let composed = compose::opened(scale.home(), own, head.as_deref());
                    weighed.splice(at..=at, scale.weigh(vec![composed]).await?);
                }
            }
            scale.settle(weighed).await?;
            from = listed.next;
            if from.is_none() {
                return Ok(opened);
            }
        }
    }

    /// The head that it was opened with.
    async fn proposed(&self, scale: &mut Scale<'_>, own: &PullRequestRecord) -> Result<Option<String>, Stopped> {
        let iterations = scale.ask(self.azure.iterations(&self.project, &self.repository, own.id)).await;
        Ok(compose::proposed(&there(iterations)?.unwrap_or_default()))
    }

    async fn read_pushes(&mut self, scale: &mut Scale<'_>) -> Result<(), Stopped> {
        let mut from = None;
        loop {
            let listing = self.azure.pushes(&self.project, &self.repository, None, self.window, page(from));
            let listed = scale.ask(listing).await?;
            for push in listed.items {
                for update in push.ref_updates.into_iter().filter(|update| update.name.starts_with("refs/heads/")) {
                    self.moved.entry(update.name).or_default().push((push.date, update.new_object_id));
                }
            }
            from = listed.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// Those closed since the window began: what was open within it is among them or open now. Answers when.
    async fn closed(&self, scale: &mut Scale<'_>) -> Result<BTreeMap<i64, Timestamp>, Stopped> {
        let mut closed = BTreeMap::new();
        let since = Window { from: self.window.from, to: scale.app.clock.now() };
        let (by, mut from) = (PullRequestDate::Closed, None);
        loop {
            let listing = self.azure.pull_requests(&self.project, &self.repository, by, since, page(from));
            let listed = scale.ask(listing).await?;
            for own in &listed.items {
                closed.extend(own.closed.map(|at| (own.id, at)));
                self.one(scale, own).await?;
            }
            from = listed.next;
            if from.is_none() {
                return Ok(closed);
            }
        }
    }

    /// Those closed since the window began, and those open now where they are wanted, at a server that does not list by date.
    async fn remembered(
        &self,
        scale: &mut Scale<'_>,
        repository: Uuid,
        opened: &BTreeSet<i64>,
        is_wanted: bool,
    ) -> Result<(), Stopped> {
        let (connection, now, since) = (scale.connection(), scale.app.clock.now(), self.window.from);
        let seen = scale.app.recover.closed.seen(connection, repository).filter(|seen| seen.says(since, now));
        // The open ones first: what is closed between the two calls is then among both.
        let open = if is_wanted { self.active(scale).await? } else { self.active_ids(scale).await? };
        let Some(mut seen) = seen else {
            let before = scale.tally.calls;
            let closed = self.closed(scale).await?;
            let is_dear = scale.tally.calls - before > closed::CALLS_FEW;
            let seen = is_dear.then(|| closed::Seen::all(since, now, &open, closed));
            scale.app.recover.closed.remember(connection, repository, seen);
            return Ok(());
        };
        let mut closed = BTreeMap::new();
        for id in seen.candidates(since, opened, &open) {
            match there(scale.ask(self.azure.pull_request(&self.project, id)).await)? {
                // The request is open again, or was closed a moment ago.
                Some(own) => {
                    if let Some(at) = own.closed {
                        closed.insert(id, at);
                        if at >= since {
                            self.one(scale, &own).await?;
                        }
                    }
                }
                None => seen.forgets(id),
            }
        }
        seen.learns(now, &open, closed);
        scale.app.recover.closed.remember(connection, repository, Some(seen));
        Ok(())
    }

    async fn active_ids(&self, scale: &mut Scale<'_>) -> Result<BTreeSet<i64>, Stopped> {
        let (mut from, mut ids) = (None, BTreeSet::new());
        loop {
            let listing = self.azure.active_pull_requests(&self.project, &self.repository, page(from));
            let listed = scale.ask(listing).await?;
            ids.extend(listed.items.iter().map(|own| own.id));
            from = listed.next;
            if from.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Answers which.
    async fn active(&self, scale: &mut Scale<'_>) -> Result<BTreeSet<i64>, Stopped> {
        let (mut from, mut ids) = (None, BTreeSet::new());
        loop {
            let listing = self.azure.active_pull_requests(&self.project, &self.repository, page(from));
            let listed = scale.ask(listing).await?;
            for own in &listed.items {
                ids.insert(own.id);
                self.one(scale, own).await?;
            }
            from = listed.next;
            if from.is_none() {
                return Ok(ids);
            }
        }
    }

    /// Everything of one pull request that is not its beginning, oldest first.
    async fn one(&self, scale: &mut Scale<'_>, own: &PullRequestRecord) -> Result<(), Stopped> {
        let (mut composed, mut suspicious) = self.pushed(scale, own).await?;
        let end = own.closed.filter(|at| self.window.holds(*at)).and_then(|_| compose::closed(scale.home(), own));
        if let Some(end) = end {
            let weighed = scale.weigh(vec![end.clone()]).await?;
            suspicious |= weighed.iter().any(super::scale::Weighed::is_suspicious);
            composed.push(end);
        }
        if (suspicious || scale.order.depth != Depth::Evidence) && scale.is_told(COMMENTED) {
            let comments = scale.ask(self.azure.comments(&self.project, &self.repository, own.id)).await;
            let comments = there(comments)?.unwrap_or_default();
            let within = comments.iter().filter(|comment| self.window.holds(comment.last_updated));
            composed.extend(within.filter_map(|comment| compose::commented(scale.home(), own, comment)));
        }
        composed.sort_by_key(|composed| composed.at);
        scale.take(composed).await
    }

    /// The pushes to its source branch within the window, and whether any is missing.
    async fn pushed(&self, scale: &mut Scale<'_>, own: &PullRequestRecord) -> Result<(Vec<Composed>, bool), Stopped> {
        let branches: Branches = serde_json::from_str(own.json.get()).unwrap_or_default();
        let (head, open_until) = (branches.last_merge_source_commit.commit_id, own.closed);
        let while_open = |(at, _): &&(Timestamp, String)| own.created < *at && open_until.is_none_or(|end| *at <= end);
        let moved = self.moved.get(&branches.source_ref_name).map(Vec::as_slice).unwrap_or_default();
        let supposed = moved.iter().filter(while_open).map(|(at, commit)| {
            let iteration = Iteration { id: 0, source_commit: commit.clone(), created: *at };
            compose::pushed(scale.home(), own, &iteration)
        });
        let supposed: Vec<Composed> = scale.numbered(supposed.collect(), self.window.from).await?;
        let weighed = scale.weigh(supposed.clone()).await?;
        let missing = weighed.iter().any(super::scale::Weighed::is_missing);
        let last = moved.iter().filter(while_open).map(|(at, _)| *at).max();
        let merge = branches.fork_source.map(|_| branches.last_merge_commit.commit_id);
        let asked = Asked::Iterations(own.id, head, last, merge);
        let unasked = missing && !scale.app.recover.was_asked(scale.connection(), &asked);
        if !unasked && !scale.is_new(&asked) {
            let here = weighed.into_iter().filter(|weighed| !weighed.is_missing()).map(|weighed| weighed.composed);
            return Ok((here.collect(), false));
        }
        let iterations = scale.ask(self.azure.iterations(&self.project, &self.repository, own.id)).await;
        let Some(iterations) = there(iterations)? else {
            tracing::warn!(pull_request = own.id, "Azure DevOps lists it and knows no pushes to it; it is left out");
            return Ok((weighed.into_iter().filter(|one| !one.is_missing()).map(|one| one.composed).collect(), true));
        };
        // What is asked once is taken whole, whichever window asked; only what is counted must be the window's.
        let from = if scale.order.depth == Depth::Everything { self.window.from } else { scale.oldest() };
        let holds = |at: Timestamp| from <= at && at < self.window.to;
        let later = iterations.iter().filter(|iteration| iteration.id > 1);
        let told = later.map(|iteration| compose::pushed(scale.home(), own, iteration)).collect();
        let mut told = scale.numbered(told, Timestamp::MIN).await?;
        told.retain(|composed| holds(composed.at));
        let suspicious = scale.weigh(told.clone()).await?.iter().any(super::scale::Weighed::is_suspicious);
        if iterations.iter().all(|iteration| iteration.created < self.window.to) {
            scale.remember(&asked);
        }
        Ok((told, suspicious))
    }
}
