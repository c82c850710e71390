//! Every call for Azure's records, each with its path, its window and its bounds.
//!
//! Windows are asked for in whole seconds around ours, and what lies outside is left out here; so a server that takes no
//! notice of one costs more and says nothing wrong. Not promised: what Azure itself has deleted since (builds, releases).

use super::{
    ApiVersion, AzureDevOps, BuildDate, BuildRecord, CommentRecord, DeploymentRecord, Failure, History, HistoryQuery,
    Host, Iteration, NotificationRecord, Page, PageRequest, PullRequestDate, PullRequestRecord, PushRecord, Records,
    ReleaseRecord, Revisions, RevisionsFrom, SubscriptionDraft, TimelineRecord, UpdateRecord, Window,
    call::{Call, Reply},
    calls::{api, posted},
    engine::{Client, Paging, Part},
    notification_shapes::Notified,
    records_shapes as shapes, wire,
};
use async_trait::async_trait;
use http::Method;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

/// Most commits of a push that are asked for.
const PUSH_COMMITS_MAX: &str = "100";
/// Most releases and deployments of a page: the server's own limit.
const RELEASES_MAX: u32 = 100;
/// Open pull requests that may be closed between two pages without hiding another one.
const CLOSED_BETWEEN_PAGES: u32 = 10;
/// From this version on pull requests can be asked for by time.
const TIME_RANGE_SINCE: ApiVersion = ApiVersion { major: 7, minor: 1 };
/// Revisions of a page: those of the running hour are read again with each look, so few calls matter. Each has all fields
/// of its work item, and those may be long, so the page may be a big one.
const REVISIONS_MAX: &str = "500";
/// Updates that are asked for at a time, and most that are given.
const UPDATES_MAX: usize = 200;
/// Pages of updates that are read for those wanted: an item may have more updates than revisions.
const UPDATE_PAGES_MAX: usize = 20;

impl Client {
    /// In a repository.
    pub(super) fn git(
        &self,
        name: &'static str,
        (project, repository): (&str, &str),
        segments: &[&str],
    ) -> Result<Call, Failure> {
        let path: Vec<&str> = ["git", "repositories", repository].into_iter().chain(segments.iter().copied()).collect();
        api(name, self.base(), Some(project), &path)
    }

    /// On the release host.
    async fn releasing(&self, name: &'static str, project: &str, segments: &[&str]) -> Result<Call, Failure> {
        let root: Url = self.root(Host::Release).await?;
        api(name, &root, Some(project), segments)
    }
}

/// Of a list that goes by a date, what lies within; `newest_first` lists are over when nothing on a page is young enough,
/// which spares reading on where the server took no notice of the window.
pub(super) fn within<T>(
    wire::Listed { items, listed }: wire::Listed<T>,
    window: Window,
    newest_first: bool,
    date: impl Fn(&T) -> Option<jiff::Timestamp>,
) -> Part<T> {
    let is_last = newest_first && !items.is_empty() && items.iter().filter_map(&date).all(|at| at < window.from);
    let items = items.into_iter().filter(|item| date(item).is_some_and(|at| window.holds(at))).collect();
    Part { items, listed, is_last }
}

fn capped(page: PageRequest) -> PageRequest {
    PageRequest { items_max: page.items_max.min(RELEASES_MAX), ..page }
}

#[async_trait]
impl Records for Client {
    async fn pushes(
        &self,
        project: &str,
        repository: &str,
        reference: Option<&str>,
        window: Window,
        page: PageRequest,
    ) -> Result<Page<PushRecord>, Failure> {
        let (from, to) = window.asked();
        let call = self.git("pushes", (project, repository), &["pushes"])?.with("searchCriteria.fromDate", &from);
        let call = call.with("searchCriteria.toDate", &to).with("searchCriteria.includeRefUpdates", "true");
        let call = reference.into_iter().fold(call, |call, name| call.with("searchCriteria.refName", name));
        let read = |reply: &Reply| {
            let pushes = wire::records::<shapes::Push<'_>>(reply, "pushes")?;
            Ok(within(pushes, window, true, |push| Some(push.date)))
        };
        self.parts(call, page, Paging::TokenOrSkip, read).await
    }

    async fn push(&self, project: &str, repository: &str, push: i64) -> Result<PushRecord, Failure> {
        let call = self
            .git("the push", (project, repository), &["pushes", &push.to_string()])?
            .with("includeCommits", PUSH_COMMITS_MAX)
            .with("includeRefUpdates", "true");
        wire::one_record::<shapes::Push<'_>>(&self.ask(&call).await?, call.name)
    }

    async fn pull_requests(
        &self,
        project: &str,
        repository: &str,
        by: PullRequestDate,
        window: Window,
        page: PageRequest,
    ) -> Result<Page<PullRequestRecord>, Failure> {
        let mut call =
            self.git("pull requests", (project, repository), &["pullrequests"])?.with("searchCriteria.status", "all");
        if self.api_version().await? >= TIME_RANGE_SINCE {
            let ((from, to), kind) = (
                window.asked(),
                match by {
                    PullRequestDate::Created => "created",
                    PullRequestDate::Closed => "closed",
                },
            );
            call = call
                .with("searchCriteria.minTime", &from)
                .with("searchCriteria.maxTime", &to)
                .with("searchCriteria.queryTimeRangeType", kind);
        }
        let read = |reply: &Reply| {
            let found = wire::records::<shapes::PullRequest<'_>>(reply, "pull requests")?;
            Ok(match by {
                PullRequestDate::Created => within(found, window, true, |one| Some(one.created)),
                // They come by number, and an old one may be closed at any time.
                PullRequestDate::Closed => within(found, window, false, |one| one.closed),
            })
        };
        self.parts(call, page, Paging::TokenOrSkip, read).await
    }

    async fn active_pull_requests(
        &self,
        project: &str,
        repository: &str,
        page: PageRequest,
    ) -> Result<Page<PullRequestRecord>, Failure> {
        let call = self
            .git("open pull requests", (project, repository), &["pullrequests"])?
            .with("searchCriteria.status", "active");
        self.page(call, page, Paging::Overlapping(CLOSED_BETWEEN_PAGES), |reply| {
            wire::records::<shapes::PullRequest<'_>>(reply, "open pull requests")
        })
        .await
    }

    async fn pull_request(&self, project: &str, number: i64) -> Result<PullRequestRecord, Failure> {
        let path = ["git", "pullrequests", &number.to_string()];
        let call = api("the pull request", self.base(), Some(project), &path)?;
        wire::one_record::<shapes::PullRequest<'_>>(&self.ask(&call).await?, call.name)
    }

    async fn iterations(&self, project: &str, repository: &str, number: i64) -> Result<Vec<Iteration>, Failure> {
        let path = ["pullRequests", &number.to_string(), "iterations"];
        let call = self.git("iterations", (project, repository), &path)?;
        Ok(wire::list::<shapes::OneIteration<'_>>(&self.ask(&call).await?, call.name)?.items)
    }

    async fn comments(&self, project: &str, repository: &str, number: i64) -> Result<Vec<CommentRecord>, Failure> {
        let path = ["pullRequests", &number.to_string(), "threads"];
        let call = self.git("threads", (project, repository), &path)?;
        let reply = self.ask(&call).await?;
        let threads = wire::list::<shapes::Thread<'_>>(&reply, call.name)?;
        let mut comments = Vec::new();
        for comment in threads.into_iter().flatten() {
            match comment {
                Ok(comment) => comments.push(comment),
                Err((member, which)) => reply.odd.note("comments", &format!("{member} is missing"), which),
            }
        }
        Ok(comments)
    }

    async fn builds(
        &self,
        project: &str,
        definitions: &[i64],
        by: BuildDate,
        window: Window,
        page: PageRequest,
    ) -> Result<Page<BuildRecord>, Failure> {
        self.builds_by_date(project, definitions, by, window, page).await
    }

    async fn build(&self, project: &str, number: i64) -> Result<BuildRecord, Failure> {
        let call = api("the build", self.base(), Some(project), &["build", "builds", &number.to_string()])?;
        wire::one_record::<shapes::Build<'_>>(&self.ask(&call).await?, call.name)
    }

    async fn timeline(&self, project: &str, build: i64) -> Result<Vec<TimelineRecord>, Failure> {
        self.timeline_of(project, build).await
    }

    async fn releases(&self, project: &str, window: Window, page: PageRequest) -> Result<Page<ReleaseRecord>, Failure> {
        let (from, to) = window.asked();
        let call = self
            .releasing("releases", project, &["release", "releases"])
            .await?
            .with("minCreatedTime", &from)
            .with("maxCreatedTime", &to)
            .with("queryOrder", "ascending")
            .with("$expand", "environments,artifacts");
        let read = |reply: &Reply| {
            let releases = wire::records::<shapes::Release<'_>>(reply, "releases")?;
            Ok(within(releases, window, false, |release| Some(release.created)))
        };
        self.parts(call, capped(page), Paging::Token, read).await
    }

    async fn release(&self, project: &str, number: i64) -> Result<ReleaseRecord, Failure> {
        let call = self.releasing("the release", project, &["release", "releases", &number.to_string()]).await?;
        wire::one_record::<shapes::Release<'_>>(&self.ask(&call).await?, call.name)
    }

    async fn deployments(
        &self,
        project: &str,
        window: Window,
        page: PageRequest,
    ) -> Result<Page<DeploymentRecord>, Failure> {
        let (from, to) = window.asked();
        let call = self
            .releasing("deployments", project, &["release", "deployments"])
            .await?
            .with("minModifiedTime", &from)
            .with("maxModifiedTime", &to)
            .with("queryOrder", "ascending");
        let read = |reply: &Reply| {
            let deployments = wire::records::<shapes::Deployment<'_>>(reply, "deployments")?;
            let Part { items, listed, is_last } = within(deployments, window, false, |(modified, _)| Some(*modified));
            Ok(Part { items: items.into_iter().map(|(_, deployment)| deployment).collect(), listed, is_last })
        };
        self.parts(call, capped(page), Paging::Token, read).await
    }

    async fn revisions(&self, project: &str, from: &RevisionsFrom) -> Result<Revisions, Failure> {
        let call = api("revisions", self.base(), Some(project), &["wit", "reporting", "workitemrevisions"])?
            .with("includeIdentityRef", "true")
            // One that was made and deleted since is among what happened.
            .with("includeDeleted", "true")
            // With long texts (description, history), as hooks have them.
            .with("$expand", "fields")
            .with("$maxPageSize", REVISIONS_MAX)
            .big();
        let call = match from {
            RevisionsFrom::Time(time) => call.with("startDateTime", &crate::azure::time::second(*time).to_string()),
            RevisionsFrom::Bookmark(bookmark) => call.with("continuationToken", bookmark),
        };
        let reply = self.ask(&call).await?;
        let batch: shapes::Batch<'_> = wire::object(&reply, call.name)?;
        // Those with an older date than was asked for were made since, too: they were imported.
        let values = wire::records_in::<shapes::Revision<'_>>(batch.values, &reply, call.name, "values")?.items;
        let (next, is_last) = batch.place(&reply, call.name)?;
        Ok(Revisions { values, next, is_last })
    }

    async fn updates(&self, project: &str, work_item: i64, after_rev: i64) -> Result<Vec<UpdateRecord>, Failure> {
        let path = ["wit", "workItems", &work_item.to_string(), "updates"];
        let call = api("updates", self.base(), Some(project), &path)?.with("$top", &UPDATES_MAX.to_string());
        // There are at least as many updates as revisions, so that none after it is among the first so many.
        let mut skipped = usize::try_from(after_rev.max(0)).unwrap_or(usize::MAX);
        let mut found: Vec<UpdateRecord> = Vec::new();
        for _ in 0..UPDATE_PAGES_MAX {
            let reply = self.ask(&call.clone().with("$skip", &skipped.to_string())).await?;
            let updates = wire::records::<shapes::Update>(&reply, call.name)?;
            let listed = updates.listed;
            found.extend(updates.into_iter().filter(|update| update.rev > after_rev));
            if listed < UPDATES_MAX {
                found.truncate(whole_revisions(&found, UPDATES_MAX));
                return Ok(found);
            }
            if found.len() > UPDATES_MAX {
                break;
            }
            skipped = skipped.saturating_add(listed);
        }
        let Some(last) = found.len().checked_sub(1) else {
            let detail = format!("{}: too many of them come before the wanted ones", call.name);
            return Err(Failure::Unexpected { detail, activity_id: None });
        };
        found.truncate(whole_revisions(&found, UPDATES_MAX.min(last)));
        Ok(found)
    }

    async fn history(&self, host: Host, query: &HistoryQuery) -> Result<History, Failure> {
        let root = self.root(host).await?;
        let call = api("the history", &root, None, &["hooks", "notificationsquery"])?.big();
        let (from, to) = query.within.asked();
        let mut body = json!({
            "subscriptionIds": query.subscriptions,
            "minCreatedDate": from,
            "maxCreatedDate": to,
            "maxResults": query.results_max,
            "includeDetails": query.with_details,
        });
        if let Some(result) = query.result {
            body["resultType"] = result.into();
        }
        let reply = self.ask(&posted(call.clone(), &body)).await?;
        let found: shapes::Found<'_> = wire::object(&reply, call.name)?;
        let found = wire::records_in::<Notified<'_>>(found.results, &reply, call.name, "results")?;
        let wire::Listed { items: mut found, listed } = found;
        let is_cut = listed >= query.results_max as usize;
        found.retain(|one| {
            query.within.holds(one.created)
                && query.result.is_none_or(|result| one.result.eq_ignore_ascii_case(result))
                && query.subscriptions.iter().any(|id| id.eq_ignore_ascii_case(&one.subscription))
        });
        found.sort_by(|a, b| (a.created, &a.subscription, a.id).cmp(&(b.created, &b.subscription, b.id)));
        Ok(History { values: found, is_cut })
    }

    async fn notification(&self, host: Host, subscription: &str, number: i64) -> Result<NotificationRecord, Failure> {
        let root = self.root(host).await?;
        let path = ["hooks", "subscriptions", subscription, "notifications", &number.to_string()];
        let call = api("the notification", &root, None, &path)?;
        wire::one_record::<Notified<'_>>(&self.ask(&call).await?, call.name)
    }

    async fn send_test(&self, draft: &SubscriptionDraft) -> Result<i64, Failure> {
        let root = self.root(Host::of(&draft.publisher)).await?;
        let call = api("the test notification", &root, None, &["hooks", "testnotifications"])?;
        let call = Call { method: Method::POST, body: Some(test_body(draft)), repeatable: false, ..call };
        let call = call.hiding(&draft.password);
        let made = wire::one_record::<Notified<'_>>(&self.ask(&call).await?, call.name)?;
        Ok(made.id)
    }

    async fn test(&self, host: Host, number: i64) -> Result<NotificationRecord, Failure> {
        let root = self.root(host).await?;
        let call = api("the test notification", &root, None, &["hooks", "testnotifications", &number.to_string()])?;
        wire::one_record::<Notified<'_>>(&self.ask(&call).await?, call.name)
    }
}

/// How many of the first `most` updates are those of whole revisions; all of them where they are of one.
fn whole_revisions(updates: &[UpdateRecord], most: usize) -> usize {
    let Some(following) = updates.get(most) else { return updates.len() };
    let whole = updates[..most].iter().rposition(|update| update.rev != following.rev).map_or(0, |last| last + 1);
    if whole == 0 { updates.len() } else { whole }
}

/// The body that asks for a sample.
fn test_body(draft: &SubscriptionDraft) -> bytes::Bytes {
    let mut body = json!({ "details": {
        "publisherId": draft.publisher,
        "eventType": draft.event_type,
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": draft.publisher_inputs,
        "consumerInputs": draft.consumer_inputs,
        "event": { "resourceVersion": draft.resource_version },
    }});
    body["details"]["consumerInputs"]["basicAuthPassword"] = draft.password.as_str().into();
    let text = Zeroizing::new(body.to_string());
    bytes::Bytes::copy_from_slice(text.as_bytes())
}
