//! Every call that we make, each with its path.

use super::{
    ApiVersion, AuditEntry, AzureDevOps, BuildDefinition, ConnectionData, EventType, Failure, GitRef, GitRepository,
    Host, Look, OddRecords, Page, PageRequest, Permission, Priority, ReleaseDefinition, Seen, Spent, Subscription,
    SubscriptionDraft, TeamProject, Window, WorkItemType,
    call::Call,
    engine::{Client, Paging},
    shapes::{Branch, Catalogued, ItemType, OfBuilds, OfReleases, Project, Repository, State, Subscribed},
    wire,
};
use async_trait::async_trait;
use http::Method;
use jiff::SignedDuration;
use serde_json::json;
use std::sync::Arc;
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The security namespace `ServiceHooks`.
const SERVICE_HOOKS: &str = "cb594ebe-87dd-4fc9-ac2c-6a10a4c92046";
/// Types of work items whose states are asked for one by one, where the list does not have them.
const ITEM_TYPES_MAX: usize = 100;

/// `{root}[/{project}]/_apis/{segments}`.
pub(super) fn api(name: &'static str, root: &Url, project: Option<&str>, segments: &[&str]) -> Result<Call, Failure> {
    let path: Vec<&str> = project.into_iter().chain(["_apis"]).chain(segments.iter().copied()).collect();
    Call::get(name, root, &path)
}

/// A question that is posted: it changes nothing, so it may be sent again.
pub(super) fn posted(call: Call, body: &serde_json::Value) -> Call {
    Call { method: Method::POST, body: Some(body.to_string().into()), ..call }
}

#[async_trait]
impl AzureDevOps for Client {
    fn at(&self, priority: Priority) -> Arc<dyn AzureDevOps> {
        Arc::new(Self { shared: Arc::clone(&self.shared), priority })
    }

    fn spent(&self) -> Spent {
        self.shared.line.account.budget().spent()
    }

    fn clock_ahead(&self) -> Option<SignedDuration> {
        self.shared.line.ahead()
    }

    fn odd_records(&self) -> Vec<OddRecords> {
        self.shared.line.odd.told()
    }

    async fn connection_data(&self) -> Result<ConnectionData, Failure> {
        self.connected().await
    }

    async fn api_version(&self) -> Result<ApiVersion, Failure> {
        self.shared.speech.version(&self.shared.line, self.priority).await
    }

    async fn projects(&self, page: PageRequest) -> Result<Page<TeamProject>, Failure> {
        let call = api("projects", self.base(), None, &["projects"])?;
        self.page(call, page, Paging::TokenOrSkip, |reply| wire::list::<Project<'_>>(reply, "projects")).await
    }

    async fn project(&self, project: &str) -> Result<TeamProject, Failure> {
        let call = api("the project", self.base(), None, &["projects", project])?;
        wire::one::<Project<'_>>(&self.ask(&call).await?, call.name)
    }

    async fn repositories(&self, project: Option<&str>) -> Result<Vec<GitRepository>, Failure> {
        let call = api("repositories", self.base(), project, &["git", "repositories"])?;
        Ok(wire::list::<Repository<'_>>(&self.ask(&call).await?, call.name)?.items)
    }

    async fn branches(
        &self,
        project: &str,
        repository: &str,
        search: Option<&str>,
        page: PageRequest,
    ) -> Result<Page<GitRef>, Failure> {
        let path = ["git", "repositories", repository, "refs"];
        let mut call = api("branches", self.base(), Some(project), &path)?.with("filter", "heads/");
        if let Some(search) = search {
            call = call.with("filterContains", search);
        }
        // Servers before 5.0 do not know the parameter, and ignore it.
        let wanted = search.unwrap_or_default().to_lowercase();
        self.page(call, page, Paging::Token, |reply| {
            let mut branches = wire::list::<Branch<'_>>(reply, "branches")?;
            branches.items.retain(|branch| branch.name.to_lowercase().contains(&wanted));
            Ok(branches)
        })
        .await
    }

    async fn pipelines(&self, project: &str, page: PageRequest) -> Result<Page<BuildDefinition>, Failure> {
        let call = api("pipelines", self.base(), Some(project), &["build", "definitions"])?
            .with("queryOrder", "definitionNameAscending");
        self.page(call, page, Paging::Token, |reply| wire::list::<OfBuilds<'_>>(reply, "pipelines")).await
    }

    async fn release_definitions(&self, project: &str, page: PageRequest) -> Result<Page<ReleaseDefinition>, Failure> {
        let root = self.root(Host::Release).await?;
        let call = api("release pipelines", &root, Some(project), &["release", "definitions"])?;
        self.page(call, page, Paging::Token, |reply| wire::list::<OfReleases<'_>>(reply, "release pipelines")).await
    }

    async fn work_item_types(&self, project: &str) -> Result<Vec<WorkItemType>, Failure> {
        let call = api("work item types", self.base(), Some(project), &["wit", "workitemtypes"])?;
        let mut types = wire::list::<ItemType<'_>>(&self.ask(&call).await?, call.name)?.items;
        // Old servers list types without their states.
        for item_type in types.iter_mut().filter(|item_type| item_type.states.is_empty()).take(ITEM_TYPES_MAX) {
            let path = ["wit", "workitemtypes", &item_type.name, "states"];
            let call = api("states of work items", self.base(), Some(project), &path)?;
            item_type.states = wire::list::<State<'_>>(&self.ask(&call).await?, call.name)?.items;
        }
        Ok(types)
    }

    async fn may(&self, permission: Permission, project: Option<Uuid>) -> Result<bool, Failure> {
        let bit = match permission {
            Permission::ViewSubscriptions => "1",
            Permission::EditSubscriptions => "2",
        };
        let token = match project {
            Some(project) => format!("PublisherSecurity/{project}"),
            None => "PublisherSecurity".to_owned(),
        };
        let call = api("permissions", self.base(), None, &["permissions", SERVICE_HOOKS, bit])?.with("tokens", &token);
        wire::first_flag(&self.ask(&call).await?, call.name)
    }

    async fn event_types(&self, publisher: &str) -> Result<Vec<EventType>, Failure> {
        let root = self.root(Host::of(publisher)).await?;
        let call = api("event types", &root, None, &["hooks", "publishers", publisher, "eventtypes"])?;
        Ok(wire::list::<Catalogued<'_>>(&self.ask(&call).await?, call.name)?.items)
    }

    async fn subscriptions(&self, host: Host) -> Result<Vec<Subscription>, Failure> {
        let root = self.root(host).await?;
        // By consumer and not by publisher: one listing is dear, and this is one for all publishers of the host.
        let call = api("subscriptions", &root, None, &["hooks", "subscriptions"])?
            .with("consumerId", "webHooks")
            .with("consumerActionId", "httpRequest")
            .big();
        let listed = wire::complete_list::<Subscribed<'_>>(&self.ask(&call).await?, call.name)?;
        Ok(listed.into_iter().flatten().collect())
    }

    async fn subscription(&self, host: Host, id: &str) -> Result<Option<Subscription>, Failure> {
        let root = self.root(host).await?;
        let call = api("the subscription", &root, None, &["hooks", "subscriptions", id])?;
        match self.ask(&call).await {
            Ok(reply) => wire::one::<Subscribed<'_>>(&reply, call.name),
            Err(Failure::NotFound { .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn create_subscription(&self, draft: &SubscriptionDraft) -> Result<Subscription, Failure> {
        let root = self.root(Host::of(&draft.publisher)).await?;
        let call = api("the new subscription", &root, None, &["hooks", "subscriptions"])?;
        let call = Call { method: Method::POST, body: Some(body(draft)), repeatable: false, ..call };
        let call = call.hiding(&draft.password);
        let reply = self.ask(&call).await?;
        let made = wire::one::<Subscribed<'_>>(&reply, call.name)?;
        made.ok_or_else(|| reply.unexpected(call.name, "consumerId is not webHooks"))
    }

    async fn audit_log(&self, within: Window) -> Result<(Vec<AuditEntry>, bool), Failure> {
        self.audited(within).await
    }

    async fn delete_subscription(&self, host: Host, id: &str) -> Result<(), Failure> {
        let root = self.root(host).await?;
        let call = api("the subscription", &root, None, &["hooks", "subscriptions", id])?;
        match self.ask(&Call { method: Method::DELETE, ..call }).await {
            Ok(_) | Err(Failure::NotFound { .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn look(&self, look: &Look) -> Result<Seen, Failure> {
        self.looked(look).await
    }
}

/// The body that makes a subscription.
fn body(draft: &SubscriptionDraft) -> bytes::Bytes {
    let mut body = json!({
        "publisherId": draft.publisher,
        "eventType": draft.event_type,
        "resourceVersion": draft.resource_version,
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": draft.publisher_inputs,
        "consumerInputs": draft.consumer_inputs,
    });
    body["consumerInputs"]["basicAuthPassword"] = draft.password.as_str().into();
    let text = Zeroizing::new(body.to_string());
    bytes::Bytes::copy_from_slice(text.as_bytes())
}
