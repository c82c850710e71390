//! The calls themselves, one after the other.
//!
//! Source: Azure DevOps REST API reference 7.1 (core, git, build, release, wit, hooks, security), and
//! azure-devops-docs, "Security namespace and permission reference".

use super::{
    ApiVersion, AzureDevOps, BuildDefinition, ConnectionData, EventType, Failure, GitRef, GitRepository, Host, Page,
    PageRequest, PageToken, Permission, Priority, ReleaseDefinition, Spent, Subscription, SubscriptionDraft,
    TeamProject, WorkItemType,
    decode::{List, Object},
    place::Path,
    session::{Call, Session},
};
use async_trait::async_trait;
use http::HeaderMap;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// The security namespace `ServiceHooks`.
const SERVICE_HOOKS: &str = "cb594ebe-87dd-4fc9-ac2c-6a10a4c92046";
/// Listing all subscriptions of a big organization takes more than a minute and 13 MB.
const LISTING_TIMEOUT: Duration = Duration::from_mins(2);
const LISTING_BYTES_MAX: usize = 64 << 20;
/// Most work item types whose states are asked for one by one.
const STATES_ASKED_MAX: usize = 100;
/// Before a token that Azure gave in a header, and before a number of items to skip.
const CONTINUE: &str = "t:";
const SKIP: &str = "s:";

/// One client at one priority.
pub(super) struct Client {
    session: Arc<Session>,
    priority: Priority,
}

impl Client {
    pub(super) fn new(session: Arc<Session>) -> Self {
        Self { session, priority: Priority::Interactive }
    }

    async fn list<T>(&self, call: Call<'_>, read: fn(&Object) -> Option<T>) -> Result<Vec<T>, Failure> {
        let list: List<Object> = self.session.ask(&call, self.priority).await?;
        all(&list, &call, read)
    }

    async fn page<T>(
        &self,
        path: Path<'_>,
        page: &PageRequest,
        read: fn(&Object) -> Option<T>,
    ) -> Result<Page<T>, Failure> {
        let mut path = path.with("$top", page.items_max.to_string());
        let mut skipped: u64 = 0;
        match page.from.as_ref().map(|token| token.0.as_str()) {
            None => {}
            Some(token) if token.starts_with(CONTINUE) => {
                path = path.with("continuationToken", &token[CONTINUE.len()..]);
            }
            Some(token) => {
                skipped = token
                    .strip_prefix(SKIP)
                    .and_then(|n| n.parse().ok())
                    .ok_or_else(|| Failure::Refused { kind: None, detail: Some("there is no such page".to_owned()) })?;
                path = path.with("$skip", skipped.to_string());
            }
        }
        let call = Call::get(path);
        let (list, headers): (List<Object>, _) = self.session.ask_with_headers(&call, self.priority).await?;
        let items = all(&list, &call, read)?;
        let next = match continuation(&headers) {
            Some(token) => {
                let next = PageToken(format!("{CONTINUE}{token}"));
                if Some(&next) == page.from.as_ref() {
                    return Err(unexpected(&call, "a page that is followed by itself"));
                }
                Some(next)
            }
            // Without a token a full page may still be followed by another, where Azure pages by counting.
            None if page.from.as_ref().is_none_or(|token| token.0.starts_with(SKIP))
                && list.value.len() as u64 >= u64::from(page.items_max) =>
            {
                Some(PageToken(format!("{SKIP}{}", skipped + list.value.len() as u64)))
            }
            None => None,
        };
        Ok(Page { items, next })
    }
}

#[async_trait]
impl AzureDevOps for Client {
    fn at(&self, priority: Priority) -> Arc<dyn AzureDevOps> {
        Arc::new(Self { session: Arc::clone(&self.session), priority })
    }

    fn spent(&self) -> Spent {
        self.session.spent()
    }

    async fn connection_data(&self) -> Result<ConnectionData, Failure> {
        let call = Call::get(Path::new(&["_apis", "connectionData"]).preview());
        let object: Object = self.session.ask(&call, self.priority).await?;
        let data = object.connection_data().ok_or_else(|| unexpected(&call, "no authenticatedUser"))?;
        if !data.is_anonymous {
            self.session.is(data.instance_id, data.user.id);
        }
        Ok(data)
    }

    async fn api_version(&self) -> Result<ApiVersion, Failure> {
        self.session.version(self.priority).await
    }

    async fn projects(&self, page: PageRequest) -> Result<Page<TeamProject>, Failure> {
        self.page(Path::new(&["_apis", "projects"]), &page, Object::project).await
    }

    async fn project(&self, project: &str) -> Result<TeamProject, Failure> {
        let call = Call::get(Path::new(&["_apis", "projects", project]));
        let object: Object = self.session.ask(&call, self.priority).await?;
        object.project().ok_or_else(|| unexpected(&call, "a project without id or name"))
    }

    async fn repositories(&self, project: Option<&str>) -> Result<Vec<GitRepository>, Failure> {
        let path = match project {
            Some(project) => Path::new(&[project, "_apis", "git", "repositories"]),
            None => Path::new(&["_apis", "git", "repositories"]),
        };
        self.list(Call::get(path), Object::repository).await
    }

    async fn branches(
        &self,
        project: &str,
        repository: &str,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<GitRef>, Failure> {
        let mut path =
            Path::new(&[project, "_apis", "git", "repositories", repository, "refs"]).with("filter", "heads/");
        if let Some(search) = search {
            path = path.with("filterContains", search);
        }
        let mut found = self.page(path, &page, Object::branch).await?;
        if let Some(search) = search.map(str::to_lowercase) {
            // Servers before 2020 do not know filterContains; a page may then hold few, and more follow.
            found.items.retain(|branch| branch.name.to_lowercase().contains(&search));
        }
        Ok(found)
    }

    async fn pipelines(&self, project: &str, page: PageRequest) -> Result<Page<BuildDefinition>, Failure> {
        let path = Path::new(&[project, "_apis", "build", "definitions"]).with("queryOrder", "definitionNameAscending");
        self.page(path, &page, Object::pipeline).await
    }

    async fn release_definitions(&self, project: &str, page: PageRequest) -> Result<Page<ReleaseDefinition>, Failure> {
        let path = Path::new(&[project, "_apis", "release", "definitions"]).on(Host::Release);
        self.page(path, &page, Object::release_definition).await
    }

    async fn work_item_types(&self, project: &str) -> Result<Vec<WorkItemType>, Failure> {
        let types = ["_apis", "wit", "workitemtypes"];
        let path = |rest: &[&'_ str]| {
            [&[project][..], &types, rest].concat().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let listed = path(&[]);
        let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
        let mut all = self.list(Call::get(Path::new(&listed)), Object::work_item_type).await?;
        for kind in all.iter_mut().filter(|kind| kind.states.is_empty()).take(STATES_ASKED_MAX) {
            let states = path(&[&kind.name, "states"]);
            let states: Vec<&str> = states.iter().map(String::as_str).collect();
            kind.states = self.list(Call::get(Path::new(&states)), Object::state).await?;
        }
        Ok(all)
    }

    async fn may(&self, permission: Permission, project: Option<Uuid>) -> Result<bool, Failure> {
        let bit = match permission {
            Permission::ViewSubscriptions => "1",
            Permission::EditSubscriptions => "2",
            Permission::DeleteSubscriptions => "4",
        };
        let token = match project {
            Some(project) => format!("PublisherSecurity/{project}"),
            None => "PublisherSecurity".to_owned(),
        };
        let call = Call::get(Path::new(&["_apis", "permissions", SERVICE_HOOKS, bit]).with("tokens", token));
        let list: List<bool> = self.session.ask(&call, self.priority).await?;
        list.value.first().copied().ok_or_else(|| unexpected(&call, "no answer to one question"))
    }

    async fn event_types(&self, publisher: &str) -> Result<Vec<EventType>, Failure> {
        let path = Path::new(&["_apis", "hooks", "publishers", publisher, "eventtypes"]).on(Host::of(publisher));
        self.list(Call::get(path), Object::event_type).await
    }

    async fn subscriptions(&self, host: Host) -> Result<Vec<Subscription>, Failure> {
        let mut path = Path::new(&["_apis", "hooks", "subscriptions"])
            .on(host)
            .with("consumerId", "webHooks")
            .with("consumerActionId", "httpRequest");
        if host == Host::Release {
            path = path.with("publisherId", "rm");
        }
        let call = Call { timeout: LISTING_TIMEOUT, answer_bytes_max: LISTING_BYTES_MAX, ..Call::get(path) };
        self.list(call, Object::subscription).await
    }

    async fn create_subscription(&self, draft: &SubscriptionDraft) -> Result<Subscription, Failure> {
        let mut consumer_inputs = json!(draft.consumer_inputs);
        consumer_inputs["basicAuthPassword"] = json!(*draft.password);
        let body = json!({
            "publisherId": draft.publisher,
            "eventType": draft.event_type,
            "resourceVersion": draft.resource_version,
            "consumerId": "webHooks",
            "consumerActionId": "httpRequest",
            "publisherInputs": draft.publisher_inputs,
            "consumerInputs": consumer_inputs,
        });
        let path = Path::new(&["_apis", "hooks", "subscriptions"]).on(Host::of(&draft.publisher));
        let call = Call::create(path, &body);
        let object: Object = self.session.ask(&call, self.priority).await?;
        object.subscription().ok_or_else(|| unexpected(&call, "a subscription without id or status"))
    }

    async fn delete_subscription(&self, host: Host, id: &str) -> Result<(), Failure> {
        let call = Call::delete(Path::new(&["_apis", "hooks", "subscriptions", id]).on(host));
        match self.session.run(&call, self.priority).await {
            Ok(_) | Err(Failure::NotFound { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}

/// Every item, or a failure: a list with holes would be taken for complete.
fn all<T>(list: &List<Object>, call: &Call<'_>, read: fn(&Object) -> Option<T>) -> Result<Vec<T>, Failure> {
    let items: Option<Vec<T>> = list.value.iter().map(read).collect();
    items.ok_or_else(|| unexpected(call, "an item without what names it"))
}

fn unexpected(call: &Call<'_>, what: &str) -> Failure {
    Failure::Unexpected { detail: format!("{what} in /{}", call.path.segments.join("/")), activity_id: None }
}

fn continuation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-ms-continuationtoken")?.to_str().ok().filter(|token| !token.is_empty())
}
