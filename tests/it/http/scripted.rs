//! An Azure DevOps that answers as a test tells it: for what we do with its answers, not for what it answers.

use crate::harness::Gateway;
use async_trait::async_trait;
use hookwell::{
    azure::client::{
        Access, ApiVersion, AzureDevOps, BuildDefinition, ConnectionData, Deployment, Dial, EventType, Failure, GitRef,
        GitRepository, Host, Identity, Page, PageRequest, PageToken, Permission, Priority, ReleaseDefinition, Spent,
        Subscription, SubscriptionDraft, TeamProject, WorkItemType,
    },
    config::Settings,
    store::MemoryStore,
};
use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;
use uuid::Uuid;

/// What it answers; everything works unless a call is named here.
#[derive(Default)]
pub(crate) struct Script {
    /// Calls by name that fail.
    pub(crate) failing: BTreeMap<&'static str, Failure>,
    /// Calls that are never answered.
    pub(crate) silent: Vec<&'static str>,
    /// The right that we do not hold.
    pub(crate) denied: Option<Permission>,
    /// The api-version that it speaks, when not 7.1.
    pub(crate) speaks: Option<ApiVersion>,
    /// Items on each page of projects and pipelines, of which there is always another.
    pub(crate) endless: Option<usize>,
    /// Projects besides the first.
    pub(crate) more_projects: usize,
    /// Whether it takes us for nobody.
    pub(crate) anonymous: bool,
    /// The calls that were made.
    pub(crate) calls: Vec<String>,
    /// With what it was dialled last.
    pub(crate) access: Option<Access>,
}

/// The double and its script.
#[derive(Default)]
pub(crate) struct Scripted {
    script: Mutex<Script>,
    /// Told when a call waits that is never answered.
    pub(crate) waits: Notify,
}

impl Scripted {
    pub(crate) fn with(self: &Arc<Self>, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
    }

    /// The calls since the last time.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.script.lock().unwrap().calls)
    }

    pub(crate) fn access(&self) -> Access {
        self.script.lock().unwrap().access.clone().expect("it was dialled")
    }

    async fn called(&self, name: &'static str, arguments: &str) -> Result<(), Failure> {
        let silent = {
            let mut script = self.script.lock().unwrap();
            script.calls.push(format!("{name} {arguments}").trim_end().to_owned());
            if let Some(failure) = script.failing.get(name) {
                return Err(failure.clone());
            }
            script.silent.contains(&name)
        };
        if silent {
            self.waits.notify_one();
            pending::<()>().await;
        }
        Ok(())
    }
}

/// As `App::start` takes it.
pub(crate) struct Door(pub(crate) Arc<Scripted>);

impl Dial for Door {
    fn dial(&self, access: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        self.0.with(|script| script.access = Some(access.clone()));
        Ok(Arc::new(Client(Arc::clone(&self.0))))
    }
}

struct Client(Arc<Scripted>);

pub(crate) fn project(n: usize) -> TeamProject {
    let name = if n == 0 { "Fiber".to_owned() } else { format!("Project {n:04}") };
    TeamProject { id: Uuid::from_u128(n as u128 + 1), name, description: None, state: "wellFormed".to_owned() }
}

fn whole<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: None }
}

crate::without_records::without_records!(Client);

#[async_trait]
impl AzureDevOps for Client {
    fn at(&self, _: Priority) -> Arc<dyn AzureDevOps> {
        Arc::new(Self(Arc::clone(&self.0)))
    }

    fn spent(&self) -> Spent {
        Spent::default()
    }

    async fn connection_data(&self) -> Result<ConnectionData, Failure> {
        self.0.called("connection_data", "").await?;
        let user = Identity {
            id: Uuid::from_u128(7),
            display_name: Some("Hook Well".to_owned()),
            account: Some("hookwell@fabrikam.example".to_owned()),
        };
        let is_anonymous = self.0.script.lock().unwrap().anonymous;
        Ok(ConnectionData { deployment: Deployment::Services, instance_id: Uuid::from_u128(9), user, is_anonymous })
    }

    async fn api_version(&self) -> Result<ApiVersion, Failure> {
        self.0.called("api_version", "").await?;
        Ok(self.0.script.lock().unwrap().speaks.unwrap_or(ApiVersion { major: 7, minor: 1 }))
    }

    /// Two to a page, to have pages.
    async fn projects(&self, page: PageRequest) -> Result<Page<TeamProject>, Failure> {
        self.0.called("projects", "").await?;
        let (all, endless) = {
            let script = self.0.script.lock().unwrap();
            (1 + script.more_projects, script.endless)
        };
        let from: usize = page.from.map_or(0, |token| token.to_string().parse().unwrap());
        if let Some(items) = endless {
            let next = PageToken::read(&(from + items.max(1)).to_string());
            return Ok(Page { items: (from..from + items).map(project).collect(), next });
        }
        let next = (from + 2 < all).then(|| PageToken::read(&(from + 2).to_string()).unwrap());
        // Not in the order that we list them in.
        Ok(Page { items: (from..all.min(from + 2)).map(|n| project(all - 1 - n)).collect(), next })
    }

    async fn project(&self, named: &str) -> Result<TeamProject, Failure> {
        self.0.called("project", named).await?;
        Ok(project(0))
    }

    async fn repositories(&self, of: Option<&str>) -> Result<Vec<GitRepository>, Failure> {
        self.0.called("repositories", of.unwrap_or_default()).await?;
        let repository = |n: u128, name: &str| GitRepository {
            id: Uuid::from_u128(100 + n),
            name: name.to_owned(),
            project_id: project(0).id,
            project_name: project(0).name,
            default_branch: Some("main".to_owned()),
            web_url: Some("https://dev.azure.com/fabrikam/Fiber/_git/web".to_owned()),
            is_disabled: false,
        };
        Ok(vec![repository(1, "web"), repository(2, "Web.Tests"), repository(3, "api")])
    }

    async fn branches(
        &self,
        of: &str,
        repository: &str,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<GitRef>, Failure> {
        let from = page.from.map(|token| token.to_string()).unwrap_or_default();
        let arguments = format!("{of}/{repository} {} {} {from}", search.unwrap_or("-"), page.items_max);
        self.0.called("branches", &arguments).await?;
        let branch = |name: &str| GitRef { name: name.to_owned(), object_id: "0".repeat(40) };
        Ok(match from.as_str() {
            "" => Page { items: vec![branch("main")], next: PageToken::read("azure's own/token=") },
            _ => whole(vec![branch("topic")]),
        })
    }

    async fn pipelines(&self, of: &str, _: PageRequest) -> Result<Page<BuildDefinition>, Failure> {
        self.0.called("pipelines", of).await?;
        Ok(whole(vec![BuildDefinition { id: 12, name: "CI".to_owned(), path: "\\".to_owned() }]))
    }

    async fn release_definitions(&self, of: &str, _: PageRequest) -> Result<Page<ReleaseDefinition>, Failure> {
        self.0.called("release_definitions", of).await?;
        Ok(whole(Vec::new()))
    }

    async fn work_item_types(&self, of: &str) -> Result<Vec<WorkItemType>, Failure> {
        self.0.called("work_item_types", of).await?;
        let states = vec![("New".to_owned(), Some("Proposed".to_owned())), ("Done".to_owned(), None)];
        Ok(vec![WorkItemType { name: "Bug".to_owned(), reference_name: None, states }])
    }

    async fn may(&self, permission: Permission, project: Option<Uuid>) -> Result<bool, Failure> {
        self.0.called("may", &format!("{permission:?} {}", project.unwrap_or_default())).await?;
        Ok(self.0.script.lock().unwrap().denied != Some(permission))
    }

    async fn event_types(&self, _: &str) -> Result<Vec<EventType>, Failure> {
        Ok(Vec::new())
    }

    async fn subscriptions(&self, _: Host) -> Result<Vec<Subscription>, Failure> {
        self.0.called("subscriptions", "").await?;
        Ok(Vec::new())
    }

    async fn subscription(&self, _: Host, _: &str) -> Result<Option<Subscription>, Failure> {
        self.0.called("subscription", "").await?;
        Ok(None)
    }

    async fn create_subscription(&self, _: &SubscriptionDraft) -> Result<Subscription, Failure> {
        Err(Failure::Unavailable { detail: Some("this double makes none".to_owned()) })
    }

    async fn delete_subscription(&self, _: Host, _: &str) -> Result<(), Failure> {
        Ok(())
    }
}

/// A gateway that reaches this Azure DevOps.
pub(crate) async fn gateway(azure: &Arc<Scripted>) -> Gateway {
    let store = Arc::new(MemoryStore::new());
    let door = Arc::new(Door(Arc::clone(azure)));
    Gateway::reaching(Settings::default(), Arc::<MemoryStore>::clone(&store), store, door).await
}
