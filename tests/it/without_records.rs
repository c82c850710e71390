//! For stand-ins of Azure DevOps that keep no records: every listing is one of nothing that can be seen, and so is every repository.

/// Implements `Records`, `Code` and `Links` so.
macro_rules! without_records {
    ($name:ty) => {
        #[async_trait::async_trait]
        impl hookwell::azure::client::Code for $name {
            async fn commit(
                &self,
                _project: &str,
                _repository: &str,
                _sha: &str,
            ) -> Result<Option<hookwell::azure::client::CommitRecord>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn resolve(
                &self,
                _project: &str,
                _repository: &str,
                _version: &hookwell::azure::client::Version,
            ) -> Result<Option<String>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn commits_between(
                &self,
                _project: &str,
                _repository: &str,
                _base: Option<&str>,
                _target: &str,
            ) -> Result<hookwell::azure::client::Commits, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn changed_paths(
                &self,
                _project: &str,
                _repository: &str,
                _sha: &str,
            ) -> Result<hookwell::azure::client::Paths, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn diff_paths(
                &self,
                _project: &str,
                _repository: &str,
                _base: &str,
                _target: &str,
            ) -> Result<hookwell::azure::client::Paths, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }
        }

        #[async_trait::async_trait]
        impl hookwell::azure::client::Runs for $name {
            async fn run_resources(
                &self,
                _project: &str,
                _pipeline: &str,
                _run: i64,
            ) -> Result<hookwell::azure::client::RunResources, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn build_called(
                &self,
                _project: &str,
                _pipeline: &str,
                _number: &str,
            ) -> Result<Option<i64>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn newest_build(
                &self,
                _project: &str,
                _pipeline: &str,
            ) -> Result<Option<hookwell::azure::client::BuildRecord>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn environments(
                &self,
                _project: &str,
                _name: &str,
            ) -> Result<Vec<hookwell::azure::client::Environment>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn deployed_to(
                &self,
                _project: &str,
                _environment: i64,
                _build: i64,
            ) -> Result<Vec<hookwell::azure::client::EnvironmentDeployment>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }
        }

        #[async_trait::async_trait]
        impl hookwell::azure::client::Links for $name {
            async fn pull_requests_of(
                &self,
                _project: &str,
                _repository: &str,
                _shas: &[String],
            ) -> Result<
                std::collections::BTreeMap<String, Vec<hookwell::azure::client::PullRequestDetail>>,
                hookwell::azure::client::Failure,
            > {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn first_review(
                &self,
                _project: &str,
                _repository: &str,
                _number: i64,
                _author: Option<&str>,
                _bots: &[String],
            ) -> Result<Option<jiff::Timestamp>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn pull_request_commits(
                &self,
                _project: &str,
                _repository: &str,
                _number: i64,
            ) -> Result<Vec<hookwell::azure::client::CommitRecord>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn pull_request_work_items(
                &self,
                _project: &str,
                _repository: &str,
                _number: i64,
            ) -> Result<Vec<i64>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn work_items(
                &self,
                _ids: &[i64],
            ) -> Result<Vec<hookwell::azure::client::WorkItemRecord>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn work_item_links(
                &self,
                _project: &str,
                _from: &hookwell::azure::client::RevisionsFrom,
            ) -> Result<hookwell::azure::client::LinkRecords, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }
        }

        #[async_trait::async_trait]
        impl hookwell::azure::client::Records for $name {
            async fn pushes(
                &self,
                _project: &str,
                _repository: &str,
                _reference: Option<&str>,
                _within: hookwell::azure::client::Window,
                _page: hookwell::azure::client::PageRequest,
            ) -> Result<
                hookwell::azure::client::Page<hookwell::azure::client::PushRecord>,
                hookwell::azure::client::Failure,
            > {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn push(
                &self,
                _project: &str,
                _repository: &str,
                _push: i64,
            ) -> Result<hookwell::azure::client::PushRecord, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn pull_requests(
                &self,
                _project: &str,
                _repository: &str,
                _by: hookwell::azure::client::PullRequestDate,
                _within: hookwell::azure::client::Window,
                _page: hookwell::azure::client::PageRequest,
            ) -> Result<
                hookwell::azure::client::Page<hookwell::azure::client::PullRequestRecord>,
                hookwell::azure::client::Failure,
            > {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn active_pull_requests(
                &self,
                _project: &str,
                _repository: &str,
                _page: hookwell::azure::client::PageRequest,
            ) -> Result<
                hookwell::azure::client::Page<hookwell::azure::client::PullRequestRecord>,
                hookwell::azure::client::Failure,
            > {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn pull_request(
                &self,
                _project: &str,
                _number: i64,
            ) -> Result<hookwell::azure::client::PullRequestRecord, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn iterations(
                &self,
                _project: &str,
                _repository: &str,
                _number: i64,
            ) -> Result<Vec<hookwell::azure::client::Iteration>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn comments(
                &self,
                _project: &str,
                _repository: &str,
                _number: i64,
            ) -> Result<Vec<hookwell::azure::client::CommentRecord>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn builds(
                &self,
                _project: &str,
                _definitions: &[i64],
                _by: hookwell::azure::client::BuildDate,
                _within: hookwell::azure::client::Window,
                _page: hookwell::azure::client::PageRequest,
            ) -> Result<
                hookwell::azure::client::Page<hookwell::azure::client::BuildRecord>,
                hookwell::azure::client::Failure,
            > {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn build(
                &self,
                _project: &str,
                _number: i64,
            ) -> Result<hookwell::azure::client::BuildRecord, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn timeline(
                &self,
                _project: &str,
                _build: i64,
            ) -> Result<Vec<hookwell::azure::client::TimelineRecord>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn releases(
                &self,
                _project: &str,
                _within: hookwell::azure::client::Window,
                _page: hookwell::azure::client::PageRequest,
            ) -> Result<
                hookwell::azure::client::Page<hookwell::azure::client::ReleaseRecord>,
                hookwell::azure::client::Failure,
            > {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn release(
                &self,
                _project: &str,
                _number: i64,
            ) -> Result<hookwell::azure::client::ReleaseRecord, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn deployments(
                &self,
                _project: &str,
                _within: hookwell::azure::client::Window,
                _page: hookwell::azure::client::PageRequest,
            ) -> Result<
                hookwell::azure::client::Page<hookwell::azure::client::DeploymentRecord>,
                hookwell::azure::client::Failure,
            > {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn revisions(
                &self,
                _project: &str,
                _from: &hookwell::azure::client::RevisionsFrom,
            ) -> Result<hookwell::azure::client::Revisions, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn updates(
                &self,
                _project: &str,
                _work_item: i64,
                _after_rev: i64,
            ) -> Result<Vec<hookwell::azure::client::UpdateRecord>, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn history(
                &self,
                _host: hookwell::azure::client::Host,
                _query: &hookwell::azure::client::HistoryQuery,
            ) -> Result<hookwell::azure::client::History, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn notification(
                &self,
                _host: hookwell::azure::client::Host,
                _subscription: &str,
                _number: i64,
            ) -> Result<hookwell::azure::client::NotificationRecord, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn send_test(
                &self,
                _draft: &hookwell::azure::client::SubscriptionDraft,
            ) -> Result<i64, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }

            async fn test(
                &self,
                _host: hookwell::azure::client::Host,
                _number: i64,
            ) -> Result<hookwell::azure::client::NotificationRecord, hookwell::azure::client::Failure> {
                Err(hookwell::azure::client::Failure::NotFound { detail: None })
            }
        }
    };
}

pub(crate) use without_records;
