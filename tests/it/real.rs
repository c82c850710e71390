//! A gateway and a simulated Azure DevOps, each on a socket of its own and each reaching the other, on one clock.

use crate::{
    azure::Azure,
    harness::{Gateway, Hasty},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{
    app::connections::hook_credentials,
    azure::client::{Access, AzureDevOps, Dial, Dialer, Failure, Subscription},
    clock::Clock,
    config::{Listen, Settings},
    domain::{ConnectionId, Notification, NotificationId},
    event::Event,
    http::tower_service,
    reconcile::{Mode, Report, reconcile},
    recover, serve,
    simulator::{Options, Recorded, Simulator, tokens},
    store::{Journal as _, Log, MemoryStore, PageLimit, Position, Record, Store},
    translate::step::step,
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The project that most of it is about.
pub(crate) const SHOP: &str = "Fiber Café";
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

/// A gateway that reaches real sockets, and waits on its own clock without waiting.
async fn reaching(settings: Settings, engine: Arc<dyn Store>, store: Arc<MemoryStore>) -> Gateway {
    let dial = Arc::new(Later::default());
    let gateway = Gateway::reaching(settings, engine, store, Arc::<Later>::clone(&dial)).await;
    assert!(dial.0.set(Dialer::new(Arc::new(Hasty(Arc::clone(&gateway.clock))))).is_ok());
    gateway
}

/// An engine without a fault.
fn engine() -> (Arc<dyn Store>, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::new());
    (Arc::<MemoryStore>::clone(&store), store)
}

/// A gateway that has no connection yet, and an Azure DevOps that it reaches, on one clock.
pub(crate) async fn strangers(options: Options) -> (Gateway, Azure) {
    let (engine, store) = engine();
    let public_url = Some("https://hooks.example".parse().unwrap());
    let gateway = reaching(Settings { public_url, ..Settings::default() }, engine, store).await;
    let azure = Azure::start(options, Arc::clone(&gateway.clock) as Arc<dyn Clock>).await;
    (gateway, azure)
}

/// A connection to it, with these members more.
pub(crate) async fn connect(gateway: &Gateway, azure: &Azure, more: Value) -> ConnectionId {
    let mut body = json!({ "name": "Fabrikam", "url": azure.url(), "token": tokens::FULL });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reply = gateway.post("/v1/connections", body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    ConnectionId(reply.json()["id"].as_str().unwrap().parse().unwrap())
}

/// Both of them.
pub(crate) struct Real {
    pub(crate) gateway: Gateway,
    pub(crate) azure: Azure,
    pub(crate) connection: ConnectionId,
    /// Where hooks of ours deliver, without a reason.
    pub(crate) url: String,
    /// Where it listens, also after it was shut.
    address: SocketAddr,
    engine: Arc<dyn Store>,
    door: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Real {
    fn drop(&mut self) {
        self.door.lock().unwrap().take().unwrap().abort();
    }
}

/// Serves a gateway.
fn open(gateway: &Gateway, listener: TcpListener) -> JoinHandle<()> {
    let (service, address) = (tower_service(Arc::clone(&gateway.app)), listener.local_addr().unwrap());
    let listen = Listen {
        address,
        tls: None,
        connections_max: 256,
        connections_per_address_max: 256,
        header_timeout: Duration::from_secs(30),
    };
    tokio::spawn(async move {
        serve::serve(service, listener, &listen, None, hookwell::metrics::Doors::default(), std::future::pending())
            .await;
    })
}

impl Real {
    /// In the cloud.
    pub(crate) async fn start() -> Self {
        Self::with(Settings::default(), Options::services("fabrikam")).await
    }

    /// With these settings, at this Azure DevOps.
    pub(crate) async fn with(settings: Settings, options: Options) -> Self {
        Self::on(settings, options, engine()).await
    }

    /// On this engine around a store.
    pub(crate) async fn on(
        settings: Settings,
        options: Options,
        (engine, store): (Arc<dyn Store>, Arc<MemoryStore>),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let public_url = Some(format!("http://{address}").parse().unwrap());
        let gateway = reaching(Settings { public_url, ..settings }, Arc::clone(&engine), store).await;
        let door = Mutex::new(Some(open(&gateway, listener)));
        let azure = Azure::start(options, Arc::clone(&gateway.clock) as Arc<dyn Clock>).await;
        let connection = connect(&gateway, &azure, json!({})).await;
        let url = format!("http://{address}/hooks/azure-devops/{connection}");
        Self { gateway, azure, connection, url, address, engine, door }
    }

    /// As after a kill: a gateway on what was durable. Its door is as it was: shut it before, and open it after.
    pub(crate) async fn restart(&mut self) {
        self.gateway.restart(Arc::clone(&self.engine)).await;
    }

    /// Another gateway that reaches the same Azure DevOps and that no hook reaches, on a clock of its own.
    pub(crate) async fn beside(&self) -> (Gateway, ConnectionId) {
        let (engine, store) = engine();
        let gateway = reaching(Settings::default(), engine, store).await;
        let connection = connect(&gateway, &self.azure, json!({ "hooks": "manual" })).await;
        (gateway, connection)
    }

    /// Nobody reaches the gateway any more.
    pub(crate) async fn close_door(&self) {
        let door = self.door.lock().unwrap().take().unwrap();
        door.abort();
        assert!(door.await.unwrap_err().is_cancelled());
        *self.door.lock().unwrap() = Some(tokio::spawn(std::future::pending()));
    }

    /// It is reached again, at the same address.
    pub(crate) async fn open_door(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let before = self.door.lock().unwrap().replace(open(&self.gateway, listener));
        before.unwrap().abort();
    }

    pub(crate) fn simulator(&self) -> &Simulator {
        &self.azure.simulator
    }

    /// Binds a thing in Azure DevOps to a project of ours; the binding's id.
    pub(crate) async fn bind(&self, project: &str, azure_project: &str, body: Value) -> String {
        bind(&self.gateway, self.connection, project, azure_project, body).await
    }

    pub(crate) async fn unbind(&self, binding: &str) {
        let reply = self.gateway.ask("DELETE", &format!("/v1/bindings/{binding}")).send().await;
        assert_eq!(reply.status, 204, "{reply:?}");
    }

    pub(crate) async fn rotate(&self) {
        let precondition = hookwell::app::change::Precondition::None;
        hookwell::app::connections::rotate_hook_secret(&self.gateway.app, self.connection, &precondition)
            .await
            .unwrap();
    }

    /// Gives the connection a token of somebody new, also on a day on which it cannot be checked.
    pub(crate) async fn change_token(&self, number: usize) {
        let (account, token) = (format!("new{number}@fabrikam.example"), format!("token{number}"));
        self.simulator().hire(&format!("New {number}"), &account, true);
        self.simulator().issue_token(&token, &account, None);
        let path = format!("/v1/connections/{}?check=false", self.connection);
        let ask = self.gateway.ask("PATCH", &path).header("if-match", "*");
        let reply = ask.json(&json!({ "token": token })).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    pub(crate) async fn run(&self) -> Report {
        reconcile(&self.gateway.app, self.connection, Mode::Mend).await.unwrap()
    }

    /// Runs until nothing is left to do, with so much time between the runs that nothing holds them up.
    pub(crate) async fn settle(&self) {
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
    pub(crate) async fn pass(&self, by: Duration) {
        self.gateway.advance(by);
        self.simulator().hooks().settle().await;
    }

    /// The subscriptions there that say they are ours.
    pub(crate) fn ours(&self) -> Vec<Subscription> {
        let name = |hook: &Subscription| hook.consumer_inputs.get("basicAuthUsername").cloned().unwrap_or_default();
        let ours = |hook: &Subscription| {
            let name = name(hook);
            name.starts_with(OURS) && !name.starts_with("hookwell.manual.")
        };
        self.simulator().hooks().subscriptions().into_iter().filter(ours).collect()
    }

    /// What our own API lists.
    pub(crate) async fn listed(&self) -> Vec<Value> {
        let list = self.gateway.get("/v1/subscriptions").await.json();
        list["data"].as_array().unwrap().clone()
    }

    /// The journal of deliveries.
    pub(crate) async fn notifications(&self) -> Vec<Notification> {
        let of = |record: Record| Notification::from_stored(NotificationId(record.key), &record.body).unwrap();
        journal(&self.gateway, Log::Notifications).await.into_iter().map(of).collect()
    }

    /// The events that all deliveries so far became, when nothing waits for its order any more.
    pub(crate) async fn events(&self) -> Vec<Event> {
        self.translate().await;
        while self.gateway.app.order.holding() > 0 {
            self.gateway.advance(Duration::from_secs(30));
            recover::breaks::step(&self.gateway.app).await;
            self.translate().await;
        }
        self.events_so_far().await
    }

    /// Translates what is due.
    pub(crate) async fn translate(&self) {
        while step(&self.gateway.app).await.unwrap().count > 0 {}
    }

    /// The events that there are.
    pub(crate) async fn events_so_far(&self) -> Vec<Event> {
        events(&self.gateway).await
    }

    /// The calls since there were `before` of them.
    pub(crate) fn calls_since(&self, before: usize) -> Vec<Recorded> {
        self.simulator().calls().split_off(before)
    }
}

/// Binds a thing in Azure DevOps to a project of ours; the binding's id.
pub(crate) async fn bind(
    gateway: &Gateway,
    connection: ConnectionId,
    project: &str,
    azure_project: &str,
    mut body: Value,
) -> String {
    gateway.project(project).await;
    body["connection"] = connection.to_string().into();
    body["azure_project"] = azure_project.into();
    let reply = gateway.post(&format!("/v1/projects/{project}/bindings"), body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()["id"].as_str().unwrap().to_owned()
}

/// Delivers a notification as its hook did.
pub(crate) async fn deliver(gateway: &Gateway, connection: ConnectionId, notification: &Notification) {
    let kept = gateway.app.directory().connections[&connection].clone();
    let hook = hook_credentials(&gateway.app, &kept.record);
    let basic = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password.as_str()));
    let reason = notification.reason.map(|reason| format!("?reason={}", reason.word())).unwrap_or_default();
    let path = format!("/hooks/azure-devops/{connection}{reason}");
    let ask = gateway.ask("POST", &path).token(None).header("authorization", &format!("Basic {basic}"));
    let reply = ask.body(notification.body.clone()).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// The events that everything in a gateway's journal became.
pub(crate) async fn events(gateway: &Gateway) -> Vec<Event> {
    while step(&gateway.app).await.unwrap().count > 0 {}
    let of = |record: Record| Event::from_stored(record.key, &record.body).unwrap();
    journal(gateway, Log::Events).await.into_iter().map(of).collect()
}

async fn journal(gateway: &Gateway, log: Log) -> Vec<Record> {
    let (mut all, mut after) = (Vec::new(), Position(0));
    loop {
        let limit = PageLimit { records_max: 1_000, body_bytes_max: 64 << 20 };
        let read = gateway.store.read(log, after, limit).await.unwrap();
        let Some(last) = read.last() else { return all };
        after = last.position;
        all.extend(read);
    }
}

/// Whether a call is a listing of all subscriptions of a host, and of which: by its path.
pub(crate) fn listing(call: &Recorded) -> Option<&str> {
    let path = call.target.split('?').next().unwrap();
    let host = path.strip_suffix("/_apis/hooks/subscriptions")?;
    (call.method == "GET").then_some(host)
}
