//! An Azure DevOps in memory, behind the trait: one project, its repositories, its subscriptions, and failures on demand.

use async_trait::async_trait;
use hookwell::azure::client::{
    Access, ApiVersion, AzureDevOps, BuildDefinition, ConnectionData, Deployment, Dial, EventType, Failure, GitRef,
    GitRepository, Host, Identity, Page, PageRequest, Permission, Priority, ReleaseDefinition, Spent, Subscription,
    SubscriptionDraft, SubscriptionStatus, TeamProject, WorkItemType,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};
use uuid::Uuid;

pub(crate) const PROJECT: Uuid = Uuid::from_u128(0xa0);
pub(crate) const PROJECT_NAME: &str = "Fabrikam Fiber";

/// What is there.
pub(crate) struct World {
    pub(crate) hooks: BTreeMap<String, Subscription>,
    /// The password that each was made with.
    pub(crate) passwords: BTreeMap<String, String>,
    pub(crate) identity: Uuid,
    pub(crate) repositories: Vec<(Uuid, String)>,
    pub(crate) releases: bool,
    pub(crate) catalogue: BTreeMap<String, Vec<(String, Vec<String>)>>,
    /// Every call by name, since the test began.
    pub(crate) calls: BTreeMap<&'static str, u32>,
    /// What the next calls meet, one after the other.
    pub(crate) fate: Vec<Fate>,
    /// What the next calls meet that make or delete something; before the others.
    pub(crate) fate_of_changes: Vec<Fate>,
    /// What all calls of this name meet.
    pub(crate) always: BTreeMap<&'static str, Failure>,
    /// Calls of these names are never answered.
    pub(crate) hangs: BTreeSet<&'static str>,
    /// Looks on when a hook is deleted.
    pub(crate) witness: Option<Witness>,
    made: u64,
}

/// Sees what is there after a hook was deleted, and the hook.
pub(crate) type Witness = Box<dyn Fn(&World, &Subscription) + Send>;

/// What a call meets.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    Well,
    /// It fails and nothing happens.
    Fails(Failure),
    /// It happens, and the answer is lost.
    Unheard,
}

pub(crate) fn unavailable() -> Failure {
    Failure::Unavailable { detail: None }
}

pub(crate) fn forbidden() -> Failure {
    Failure::Forbidden { permission: Some("Edit Subscription".to_owned()), detail: None }
}

/// As many as are alive, all of the same world.
#[derive(Clone)]
pub(crate) struct FakeAzure {
    world: Arc<Mutex<World>>,
    /// Somebody who makes a binding asks: that is answered nothing, and is no part of what is tested here.
    is_interactive: bool,
}

impl FakeAzure {
    pub(crate) fn new() -> Self {
        let offer = |publisher: &str, types: &[(&str, &[&str])]| {
            let types = types.iter().map(|(id, versions)| {
                ((*id).to_owned(), versions.iter().map(|version| (*version).to_owned()).collect::<Vec<_>>())
            });
            (publisher.to_owned(), types.collect::<Vec<_>>())
        };
        let (git, repo, work) = (&["1.0"][..], &["1.0-preview.1"][..], &["1.0", "5.1-preview.3"][..]);
        let (runs, releases) = (&["5.1-preview.1"][..], &["3.0-preview.1"][..]);
        let catalogue = [
            offer(
                "tfs",
                &[
                    ("build.complete", &["1.0", "2.0"]),
                    ("git.push", git),
                    ("git.pullrequest.created", git),
                    ("git.pullrequest.updated", git),
                    ("git.pullrequest.merged", git),
                    ("ms.vss-code.git-pullrequest-comment-event", &["1.0", "2.0"]),
                    ("git.repo.renamed", repo),
                    ("git.repo.deleted", repo),
                    ("git.repo.statuschanged", repo),
                    ("workitem.created", work),
                    ("workitem.updated", work),
                    ("workitem.commented", work),
                    ("workitem.deleted", work),
                    ("workitem.restored", work),
                ],
            ),
            offer(
                "pipelines",
                &[
                    ("ms.vss-pipelines.run-state-changed-event", runs),
                    ("ms.vss-pipelines.stage-state-changed-event", runs),
                    ("ms.vss-pipelinechecks-events.approval-pending", runs),
                    ("ms.vss-pipelinechecks-events.approval-completed", runs),
                ],
            ),
            offer(
                "rm",
                &[
                    ("ms.vss-release.release-created-event", releases),
                    ("ms.vss-release.release-abandoned-event", releases),
                    ("ms.vss-release.deployment-started-event", releases),
                    ("ms.vss-release.deployment-completed-event", releases),
                    ("ms.vss-release.deployment-approval-pending-event", releases),
                    ("ms.vss-release.deployment-approval-completed-event", releases),
                ],
            ),
        ];
        let world = Arc::new(Mutex::new(World {
            hooks: BTreeMap::new(),
            passwords: BTreeMap::new(),
            identity: Uuid::from_u128(1),
            repositories: (0..4).map(|n| (Uuid::from_u128(0xb0 + n), format!("repo-{n}"))).collect(),
            releases: true,
            catalogue: catalogue.into(),
            calls: BTreeMap::new(),
            fate: Vec::new(),
            fate_of_changes: Vec::new(),
            always: BTreeMap::new(),
            hangs: BTreeSet::new(),
            witness: None,
            made: 0,
        }));
        Self { world, is_interactive: false }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Counts a call; `Ok(false)` when it happens and nobody hears of it.
    fn call(&self, name: &'static str) -> Result<(MutexGuard<'_, World>, bool), Failure> {
        if self.is_interactive {
            return Err(Failure::Forbidden { permission: None, detail: None });
        }
        let mut world = self.world();
        *world.calls.entry(name).or_default() += 1;
        if let Some(failure) = world.always.get(name) {
            return Err(failure.clone());
        }
        let changes = matches!(name, "create" | "delete");
        let of_changes = if changes { world.fate_of_changes.pop() } else { None };
        match of_changes.or_else(|| world.fate.pop()) {
            None | Some(Fate::Well) => Ok((world, true)),
            Some(Fate::Unheard) => Ok((world, false)),
            Some(Fate::Fails(failure)) => Err(failure),
        }
    }

    async fn hang(&self, name: &'static str) {
        if self.world().hangs.contains(name) {
            std::future::pending::<()>().await;
        }
    }

    /// Reading changes nothing: unheard is failed.
    fn read(&self, name: &'static str) -> Result<MutexGuard<'_, World>, Failure> {
        match self.call(name)? {
            (world, true) => Ok(world),
            (_, false) => Err(unavailable()),
        }
    }
}

impl World {
    /// Adds a hook as the server would.
    pub(crate) fn add(&mut self, draft: &SubscriptionDraft) -> Subscription {
        self.made += 1;
        let id = Uuid::from_u128(0xf000_0000 + u128::from(self.made)).to_string();
        let mut publisher_inputs = draft.publisher_inputs.clone();
        publisher_inputs.insert("tfsSubscriptionId".to_owned(), Uuid::from_u128(0xee).to_string());
        let mut consumer_inputs = draft.consumer_inputs.clone();
        consumer_inputs.insert("basicAuthPassword".to_owned(), "********".to_owned());
        let hook = Subscription {
            id: id.clone(),
            publisher: draft.publisher.clone(),
            event_type: draft.event_type.clone(),
            resource_version: Some(draft.resource_version.clone()),
            status: SubscriptionStatus::Enabled,
            publisher_inputs,
            consumer_inputs,
            created_by: Some(self.identity),
            created_date: Some(format!("2026-11-22T10:{:02}:{:02}Z", self.made / 60 % 60, self.made % 60)),
            modified_by: None,
            modified_date: None,
            unknown_status: None,
            last_success: None,
            probation_retries: None,
        };
        self.passwords.insert(id.clone(), draft.password.to_string());
        self.hooks.insert(id, hook.clone());
        hook
    }
}

fn page<T>(items: Vec<T>) -> Page<T> {
    Page { items, next: None }
}

impl Dial for FakeAzure {
    fn dial(&self, _: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        Ok(Arc::new(self.clone()))
    }
}

crate::without_records::without_records!(FakeAzure);

#[async_trait]
impl AzureDevOps for FakeAzure {
    fn at(&self, priority: Priority) -> Arc<dyn AzureDevOps> {
        assert_ne!(priority, Priority::Bulk, "what repairs goes first");
        Arc::new(Self { is_interactive: priority == Priority::Interactive, ..self.clone() })
    }

    fn spent(&self) -> Spent {
        Spent::default()
    }

    async fn connection_data(&self) -> Result<ConnectionData, Failure> {
        let world = self.read("connection_data")?;
        let user = Identity { id: world.identity, display_name: None, account: None };
        let (deployment, instance_id) = (Deployment::Services, Uuid::from_u128(0xc0));
        Ok(ConnectionData { deployment, instance_id, user, is_anonymous: false })
    }

    async fn api_version(&self) -> Result<ApiVersion, Failure> {
        Ok(ApiVersion { major: 7, minor: 1 })
    }

    async fn projects(&self, _: PageRequest) -> Result<Page<TeamProject>, Failure> {
        Ok(page(vec![]))
    }

    async fn project(&self, project: &str) -> Result<TeamProject, Failure> {
        let _world = self.read("project")?;
        let fits = project.eq_ignore_ascii_case(PROJECT_NAME) || project.eq_ignore_ascii_case(&PROJECT.to_string());
        let found = TeamProject {
            id: PROJECT,
            name: PROJECT_NAME.to_owned(),
            description: None,
            state: "wellFormed".to_owned(),
        };
        fits.then_some(found).ok_or(Failure::NotFound { detail: None })
    }

    async fn repositories(&self, _: Option<&str>) -> Result<Vec<GitRepository>, Failure> {
        let world = self.read("repositories")?;
        let repository = |(id, name): &(Uuid, String)| GitRepository {
            id: *id,
            name: name.clone(),
            project_id: PROJECT,
            project_name: PROJECT_NAME.to_owned(),
            default_branch: None,
            web_url: None,
            is_disabled: false,
        };
        Ok(world.repositories.iter().map(repository).collect())
    }

    async fn branches(&self, _: &str, _: &str, _: Option<&str>, _: PageRequest) -> Result<Page<GitRef>, Failure> {
        Ok(page(vec![]))
    }

    async fn pipelines(&self, _: &str, _: PageRequest) -> Result<Page<BuildDefinition>, Failure> {
        let _world = self.read("pipelines")?;
        let definition = |id: i64| BuildDefinition { id, name: format!("pipeline-{id}"), path: "\\".to_owned() };
        Ok(page((1..=3).map(definition).collect()))
    }

    async fn release_definitions(&self, _: &str, _: PageRequest) -> Result<Page<ReleaseDefinition>, Failure> {
        let world = self.read("release_definitions")?;
        if !world.releases {
            return Err(forbidden());
        }
        Ok(page(vec![ReleaseDefinition { id: 1, name: "rollout".to_owned(), path: "\\".to_owned() }]))
    }

    async fn work_item_types(&self, _: &str) -> Result<Vec<WorkItemType>, Failure> {
        Ok(vec![])
    }

    async fn may(&self, _: Permission, _: Option<Uuid>) -> Result<bool, Failure> {
        Ok(true)
    }

    async fn event_types(&self, publisher: &str) -> Result<Vec<EventType>, Failure> {
        let world = self.read("event_types")?;
        let failure = world.always.get(format!("event_types of {publisher}").as_str());
        if let Some(failure) = failure {
            return Err(failure.clone());
        }
        if publisher == "rm" && !world.releases {
            return Err(forbidden());
        }
        let types = world.catalogue.get(publisher).cloned().ok_or(Failure::NotFound { detail: None })?;
        Ok(types.into_iter().map(|(id, resource_versions)| EventType { id, resource_versions }).collect())
    }

    async fn subscriptions(&self, host: Host) -> Result<Vec<Subscription>, Failure> {
        let name = if host == Host::Main { "list main" } else { "list release" };
        self.hang(name).await;
        let world = self.read(name)?;
        Ok(world.hooks.values().filter(|hook| Host::of(&hook.publisher) == host).cloned().collect())
    }

    async fn subscription(&self, host: Host, id: &str) -> Result<Option<Subscription>, Failure> {
        let world = self.read("one")?;
        Ok(world.hooks.get(id).filter(|hook| Host::of(&hook.publisher) == host).cloned())
    }

    async fn create_subscription(&self, draft: &SubscriptionDraft) -> Result<Subscription, Failure> {
        let (hook, heard) = {
            let (mut world, heard) = self.call("create")?;
            (world.add(draft), heard)
        };
        // It has happened; its answer is on the way until somebody lets it go.
        while self.world().hangs.contains("create once") {
            tokio::task::yield_now().await;
        }
        if heard { Ok(hook) } else { Err(unavailable()) }
    }

    async fn delete_subscription(&self, host: Host, id: &str) -> Result<(), Failure> {
        self.hang("delete").await;
        let (mut world, heard) = self.call("delete")?;
        if let Some(gone) = world.hooks.remove(id) {
            assert_eq!(Host::of(&gone.publisher), host, "a subscription is deleted on its publisher's host");
            if let Some(witness) = &world.witness {
                witness(&world, &gone);
            }
        }
        if heard { Ok(()) } else { Err(unavailable()) }
    }
}
