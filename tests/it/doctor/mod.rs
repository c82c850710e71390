//! The doctor over real sockets: a gateway, what stands before it, and a simulated Azure DevOps that delivers to it.

mod faults;
mod front;
mod well;

use self::front::Front;
use crate::{azure::Azure, harness::Gateway, http::faulty::Faulty};
use async_trait::async_trait;
use hookwell::{
    azure::client::Dialer,
    clock::{Clock, SystemClock},
    config::Settings,
    domain::ConnectionId,
    reconcile::{Mode, reconcile},
    simulator::{Options, Simulator, tokens},
    store::MemoryStore,
    translate::step,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

/// The operating system's clock, set wrong by so much.
struct Wrong(SystemClock, SignedDuration);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        self.0.now() + self.1
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// What a world begins with; everything is well in the default one.
struct Plan {
    front: Front,
    /// How far our clock is ahead of Azure's.
    ahead: SignedDuration,
    azure: Options,
    token: &'static str,
    /// Whether the translation runs.
    translates: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            front: Front::Itself,
            ahead: SignedDuration::ZERO,
            azure: Options::services("fabrikam"),
            token: tokens::FULL,
            translates: true,
        }
    }
}

/// A gateway that works, and its Azure DevOps.
struct World {
    gateway: Gateway,
    azure: Azure,
    faulty: Arc<Faulty>,
    connection: ConnectionId,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    async fn start(plan: Plan) -> Self {
        let (listening, public_url) = plan.front.listen().await;
        let store = Arc::new(MemoryStore::new());
        let faulty = Faulty::new(Arc::clone(&store));
        let clock: Arc<dyn Clock> = Arc::new(Wrong(SystemClock::default(), plan.ahead));
        let dial = Arc::new(Dialer::new(Arc::clone(&clock)));
        let settings = Settings { public_url, ..Settings::default() };
        let gateway = Gateway::going_by(clock, settings, Arc::<Faulty>::clone(&faulty), store, dial).await;
        let mut tasks: Vec<JoinHandle<()>> = listening.serve(&gateway.app).into_iter().collect();
        if plan.translates {
            tasks.push(tokio::spawn(step::run(Arc::clone(&gateway.app))));
        }
        let azure = Azure::start(plan.azure, Arc::new(SystemClock::default())).await;
        let body = json!({ "name": "Fabrikam", "url": azure.url(), "token": plan.token });
        let reply = gateway.post("/v1/connections", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let connection = ConnectionId(reply.json()["id"].as_str().unwrap().parse().unwrap());
        Self { gateway, azure, faulty, connection, tasks }
    }

    fn simulator(&self) -> &Simulator {
        &self.azure.simulator
    }

    /// Binds a repository, without making the hooks.
    async fn bind(&self) {
        self.gateway.project("web-shop").await;
        let body = json!({
            "role": "code_deployment",
            "connection": self.connection.to_string(),
            "azure_project": "Fiber Café",
            "repository": "web shop",
        });
        let reply = self.gateway.post("/v1/projects/web-shop/bindings", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }

    /// Makes the hooks.
    async fn reconcile(&self) {
        reconcile(&self.gateway.app, self.connection, Mode::Mend).await.unwrap();
    }

    /// Asks the doctor, over the API.
    async fn examine(&self) -> Examined {
        let path = format!("/v1/connections/{}/doctor", self.connection);
        let reply = self.gateway.ask("POST", &path).send().await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        for secret in [tokens::FULL, &self.gateway.admin, "Basic "] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        Examined(reply.json())
    }
}

/// What the doctor said.
struct Examined(Value);

impl Examined {
    fn step(&self, name: &str) -> &Value {
        let steps = self.0["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("no {name} in {:#}", self.0))
    }

    /// The names of the steps in this state.
    fn are(&self, state: &str) -> Vec<&str> {
        let steps = self.0["steps"].as_array().unwrap().iter();
        steps.filter(|step| step["state"] == state).map(|step| step["name"].as_str().unwrap()).collect()
    }

    /// Exactly these failed, and this one for this cause with this remedy, of both a part.
    fn fails(&self, all: &[&str], name: &str, cause: &str, remedy: &str) {
        assert_eq!(self.are("failed"), all, "{:#}", self.0);
        assert_eq!(self.0["state"], "failed");
        self.says(name, cause, remedy);
    }

    fn says(&self, name: &str, cause: &str, remedy: &str) {
        let step = self.step(name);
        let has = |member: &str, part: &str| step[member].as_str().is_some_and(|text| text.contains(part));
        assert!(has("cause", cause), "{cause:?} is not the cause of {step:#}");
        assert!(has("remedy", remedy), "{remedy:?} is not the remedy of {step:#}");
    }

    fn skips(&self, name: &str, because: &str) {
        let step = self.step(name);
        assert_eq!((&step["state"], &step["because"]), (&json!("skipped"), &json!(because)), "{step:#}");
    }
}
