//! A gateway and a simulated Azure DevOps, each on a socket of its own and each reaching the other, on one clock.

use crate::{
    azure::Azure,
    harness::{Gateway, Hasty},
};
use hookwell::{
    azure::client::{Access, AzureDevOps, Dial, Dialer, Failure, Subscription},
    clock::Clock,
    config::{Listen, Settings},
    domain::{ConnectionId, Notification, NotificationId},
    event::Event,
    http::tower_service,
    reconcile::{Mode, Report, reconcile},
    recover::breaks,
    serve,
    simulator::{Options, Recorded, Simulator, tokens},
    store::{Journal as _, Log, MemoryStore, PageLimit, Position, Record},
    translate::step::step,
};
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The project that most of it is about.
pub(super) const SHOP: &str = "Fiber Café";
/// What a user name of a hook that we made begins with.
const OURS: &str = "hookwell.";

/// The real dialer, which wants the clock of a gateway that is not there before it.
#[derive(Default)]
struct Later(OnceLock<Dialer>);

impl Dial for Later {
    fn dial(&self, access: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        self.0.get().expect("it is set before anything is dialled").dial(access)
    }
}

/// Both of them.
pub(super) struct Real {
    pub(super) gateway: Gateway,
    pub(super) azure: Azure,
    pub(super) connection: ConnectionId,
    /// Where hooks of ours deliver, without a reason.
    pub(super) url: String,
    door: JoinHandle<()>,
}

impl Drop for Real {
    fn drop(&mut self) {
        self.door.abort();
    }
}

impl Real {
    /// In the cloud.
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let public_url = Some(format!("http://{address}").parse().unwrap());
        let (store, dial) = (Arc::new(MemoryStore::new()), Arc::new(Later::default()));
        let engine = Arc::<MemoryStore>::clone(&store);
        let settings = Settings { public_url, ..Settings::default() };
        let gateway = Gateway::reaching(settings, engine, store, Arc::<Later>::clone(&dial)).await;
        assert!(dial.0.set(Dialer::new(Arc::new(Hasty(Arc::clone(&gateway.clock))))).is_ok());
        let service = tower_service(Arc::clone(&gateway.app));
        let listen = Listen { address, tls: None, connections_max: 256, header_timeout: Duration::from_secs(30) };
        let door = tokio::spawn(async move {
            serve::serve(service, listener, &listen, None, Gauge::default(), std::future::pending()).await;
        });
        let azure = Azure::start(Options::services("fabrikam"), Arc::clone(&gateway.clock) as Arc<dyn Clock>).await;
        let body = json!({ "name": "Fabrikam", "url": azure.url(), "token": tokens::FULL });
        let reply = gateway.post("/v1/connections", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let connection = reply.json()["id"].as_str().unwrap().parse().unwrap();
        let url = format!("http://{address}/hooks/azure-devops/{connection}");
        Self { gateway, azure, connection: ConnectionId(connection), url, door }
    }

    pub(super) fn simulator(&self) -> &Simulator {
        &self.azure.simulator
    }

    /// Binds a thing in Azure DevOps to a project of ours; the binding's id.
    pub(super) async fn bind(&self, project: &str, azure_project: &str, mut body: Value) -> String {
        self.gateway.project(project).await;
        body["connection"] = self.connection.to_string().into();
        body["azure_project"] = azure_project.into();
        let reply = self.gateway.post(&format!("/v1/projects/{project}/bindings"), body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn unbind(&self, binding: &str) {
        let reply = self.gateway.ask("DELETE", &format!("/v1/bindings/{binding}")).send().await;
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    pub(super) async fn rotate(&self) {
        let precondition = hookwell::app::change::Precondition::None;
        hookwell::app::connections::rotate_hook_secret(&self.gateway.app, self.connection, &precondition)
            .await
            .unwrap();
    }

    /// Gives the connection a token of somebody new, also on a day on which it cannot be checked.
    pub(super) async fn change_token(&self, number: usize) {
        let (account, token) = (format!("new{number}@fabrikam.example"), format!("token{number}"));
        self.simulator().hire(&format!("New {number}"), &account, true);
        self.simulator().issue_token(&token, &account, None);
        let path = format!("/v1/connections/{}?check=false", self.connection);
        let ask = self.gateway.ask("PATCH", &path).header("if-match", "*");
        let reply = ask.json(&json!({ "token": token })).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    pub(super) async fn run(&self) -> Report {
        reconcile(&self.gateway.app, self.connection, Mode::Mend).await.unwrap()
    }

    /// Runs until nothing is left to do, with so much time between the runs that nothing holds them up.
    pub(super) async fn settle(&self) {
        let mut report = Report::default();
        for _ in 0..6 {
            self.pass(Duration::from_mins(15)).await;
            report = self.run().await;
            if report.troubles.is_empty() && report.steps.iter().all(|step| step.what == "leave") {
                return;
            }
        }
        panic!("it never settles: {report:?}");
    }

    /// Time passes, and what was due by then is delivered.
    pub(super) async fn pass(&self, by: Duration) {
        self.gateway.advance(by);
        self.simulator().hooks().settle().await;
    }

    /// The subscriptions there that say they are ours.
    pub(super) fn ours(&self) -> Vec<Subscription> {
        let name = |hook: &Subscription| hook.consumer_inputs.get("basicAuthUsername").cloned().unwrap_or_default();
        let ours = |hook: &Subscription| {
            let name = name(hook);
            name.starts_with(OURS) && !name.starts_with("hookwell.manual.")
        };
        self.simulator().hooks().subscriptions().into_iter().filter(ours).collect()
    }

    /// What our own API lists.
    pub(super) async fn listed(&self) -> Vec<Value> {
        let list = self.gateway.get("/v1/subscriptions").await.json();
        list["data"].as_array().unwrap().clone()
    }

    /// The journal of deliveries.
    pub(super) async fn notifications(&self) -> Vec<Notification> {
        let of = |record: Record| Notification::from_stored(NotificationId(record.key), &record.body).unwrap();
        self.journal(Log::Notifications).await.into_iter().map(of).collect()
    }

    /// The events that all deliveries so far became, when nothing waits for its order any more.
    pub(super) async fn events(&self) -> Vec<Event> {
        self.translate().await;
        while self.gateway.app.order.holding() > 0 {
            self.gateway.advance(Duration::from_secs(30));
            breaks::step(&self.gateway.app).await;
            self.translate().await;
        }
        self.events_so_far().await
    }

    /// Translates what is due.
    pub(super) async fn translate(&self) {
        while step(&self.gateway.app).await.unwrap().count > 0 {}
    }

    /// The events that there are.
    pub(super) async fn events_so_far(&self) -> Vec<Event> {
        let of = |record: Record| Event::from_stored(record.key, &record.body).unwrap();
        self.journal(Log::Events).await.into_iter().map(of).collect()
    }

    async fn journal(&self, log: Log) -> Vec<Record> {
        let (mut all, mut after) = (Vec::new(), Position(0));
        loop {
            let limit = PageLimit { records_max: 1_000, body_bytes_max: 64 << 20 };
            let read = self.gateway.store.read(log, after, limit).await.unwrap();
            let Some(last) = read.last() else { return all };
            after = last.position;
            all.extend(read);
        }
    }

    /// The calls since there were `before` of them.
    pub(super) fn calls_since(&self, before: usize) -> Vec<Recorded> {
        self.simulator().calls().split_off(before)
    }
}

/// Whether a call is a listing of all subscriptions of a host, and of which: by its path.
pub(super) fn listing(call: &Recorded) -> Option<&str> {
    let path = call.target.split('?').next().unwrap();
    let host = path.strip_suffix("/_apis/hooks/subscriptions")?;
    (call.method == "GET").then_some(host)
}
