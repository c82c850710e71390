//! Not made yet.

use super::engine::Client;
use super::{
    BuildDate, BuildRecord, CommentRecord, DeploymentRecord, Failure, HistoryQuery, Host, Iteration,
    NotificationRecord, Page, PageRequest, PullRequestDate, PullRequestRecord, PushRecord, Records, ReleaseRecord,
    Revisions, RevisionsFrom, SubscriptionDraft, TimelineRecord, UpdateRecord, Window,
};
use async_trait::async_trait;

#[async_trait]
impl Records for Client {
    async fn pushes(
        &self,
        _project: &str,
        _repository: &str,
        _within: Window,
        _page: PageRequest,
    ) -> Result<Page<PushRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn push(&self, _project: &str, _repository: &str, _push: i64) -> Result<PushRecord, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn pull_requests(
        &self,
        _project: &str,
        _repository: &str,
        _by: PullRequestDate,
        _within: Window,
        _page: PageRequest,
    ) -> Result<Page<PullRequestRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn active_pull_requests(
        &self,
        _project: &str,
        _repository: &str,
        _page: PageRequest,
    ) -> Result<Page<PullRequestRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn pull_request(&self, _project: &str, _number: i64) -> Result<PullRequestRecord, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn iterations(&self, _project: &str, _repository: &str, _number: i64) -> Result<Vec<Iteration>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn comments(&self, _project: &str, _repository: &str, _number: i64) -> Result<Vec<CommentRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn builds(
        &self,
        _project: &str,
        _definitions: &[i64],
        _by: BuildDate,
        _within: Window,
        _page: PageRequest,
    ) -> Result<Page<BuildRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn build(&self, _project: &str, _number: i64) -> Result<BuildRecord, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn timeline(&self, _project: &str, _build: i64) -> Result<Vec<TimelineRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn releases(
        &self,
        _project: &str,
        _within: Window,
        _page: PageRequest,
    ) -> Result<Page<ReleaseRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn release(&self, _project: &str, _number: i64) -> Result<ReleaseRecord, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn deployments(
        &self,
        _project: &str,
        _within: Window,
        _page: PageRequest,
    ) -> Result<Page<DeploymentRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn revisions(&self, _project: &str, _from: &RevisionsFrom) -> Result<Revisions, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn updates(&self, _project: &str, _work_item: i64, _after_rev: i64) -> Result<Vec<UpdateRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn history(&self, _host: Host, _query: &HistoryQuery) -> Result<Vec<NotificationRecord>, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn notification(
        &self,
        _host: Host,
        _subscription: &str,
        _number: i64,
    ) -> Result<NotificationRecord, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn send_test(&self, _draft: &SubscriptionDraft) -> Result<i64, Failure> {
        Err(Failure::NotFound { detail: None })
    }

    async fn test(&self, _host: Host, _number: i64) -> Result<NotificationRecord, Failure> {
        Err(Failure::NotFound { detail: None })
    }
}
