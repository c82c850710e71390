mod acts;
mod audited;
mod azure;
mod by_hand;
mod huge;
mod life;
mod model;
mod named;
mod order;
mod refused;
mod removal;
mod replaced;
mod simulated;
mod trust;
mod unseen;
mod witness;

use self::azure::{FakeAzure, PROJECT_NAME};
use crate::harness::Gateway;
use hookwell::{
    app::change::Precondition,
    azure::client::{Subscription, SubscriptionStatus},
    config::Settings,
    domain::{Connection, ConnectionId, HookMode},
    reconcile::{Mode, Report, reconcile},
    store::{Change, Expected, MemoryStore, Registry as _},
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// A gateway, and an Azure DevOps that it reaches.
struct Pair {
    gateway: Gateway,
    azure: FakeAzure,
    connection: ConnectionId,
    url: String,
}

impl Pair {
    async fn start() -> Self {
        Self::with(Some("https://hooks.example.com")).await
    }

    async fn with(public_url: Option<&str>) -> Self {
        let azure = FakeAzure::new();
        let store = Arc::new(MemoryStore::new());
        let settings = Settings { public_url: public_url.map(|url| url.parse().unwrap()), ..Settings::default() };
        let engine = Arc::<MemoryStore>::clone(&store);
        let gateway = Gateway::reaching(settings, engine, store, Arc::new(azure.clone())).await;
        gateway.project("shop").await;
        let (connection, _) = gateway.connection().await;
        let url = format!("https://hooks.example.com/hooks/azure-devops/{connection}");
        Self { gateway, azure, connection: ConnectionId(connection.parse().unwrap()), url }
    }

    /// A new binding's id.
    async fn bind(&self, project: &str, mut body: Value) -> String {
        body["connection"] = self.connection.to_string().into();
        body.as_object_mut().unwrap().entry("azure_project").or_insert(PROJECT_NAME.into());
        let reply = self.gateway.post(&format!("/v1/projects/{project}/bindings"), body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    async fn bind_repository(&self, repository: &str) -> String {
        self.bind("shop", json!({ "role": "code_deployment", "repository": repository })).await
    }

    async fn unbind(&self, binding: &str) {
        let reply = self.gateway.ask("DELETE", &format!("/v1/bindings/{binding}")).send().await;
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    async fn run(&self) -> Report {
        reconcile(&self.gateway.app, self.connection, Mode::Mend).await.unwrap()
    }

    /// Rotates the hook's password, without the API's own reply.
    async fn rotate(&self) {
        let precondition = Precondition::None;
        hookwell::app::connections::rotate_hook_secret(&self.gateway.app, self.connection, &precondition)
            .await
            .unwrap();
    }

    /// Changes the record as the API will.
    async fn change(&self, change: impl FnOnce(&mut Connection)) {
        let kept = self.gateway.app.directory().connections[&self.connection].clone();
        let mut record = Connection::clone(&kept.record);
        change(&mut record);
        let value = Some(serde_json::to_vec(&record).unwrap().into());
        let id = self.connection.to_string();
        let change = Change { kind: "connection", id, expected: Expected::Version(kept.version), value };
        self.gateway.store.commit(vec![change]).await.unwrap();
    }

    async fn by_hand(&self) {
        self.change(|connection| connection.hooks = HookMode::Manual).await;
    }

    async fn list(&self) -> Value {
        self.gateway.get("/v1/subscriptions").await.json()
    }

    fn hooks(&self) -> Vec<Subscription> {
        self.azure.world().hooks.values().cloned().collect()
    }

    /// The first of this event type.
    fn hook(&self, event_type: &str) -> Subscription {
        self.hooks().into_iter().find(|hook| hook.event_type == event_type).unwrap()
    }

    fn edit(&self, id: &str, change: impl FnOnce(&mut Subscription)) {
        change(self.azure.world().hooks.get_mut(id).unwrap());
    }

    fn set_status(&self, id: &str, status: SubscriptionStatus) {
        self.edit(id, |hook| hook.status = status);
    }

    fn advance(&self, by: Duration) {
        self.gateway.advance(by);
    }
}

/// Each step of a report as "what why outcome".
fn lines(report: &Report) -> Vec<String> {
    let outcome = |step: &hookwell::reconcile::StepReport| match &step.outcome {
        hookwell::reconcile::Outcome::Planned => "planned",
        hookwell::reconcile::Outcome::Done(_) => "done",
        hookwell::reconcile::Outcome::Failed(_) => "failed",
        hookwell::reconcile::Outcome::Skipped(_) => "skipped",
    };
    report.steps.iter().map(|step| format!("{} {} {}", step.what, step.why.word(), outcome(step))).collect()
}
