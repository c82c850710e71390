//! `hookwell demo`: a gateway in a temporary directory, and a day at the office that is sent to it over HTTP.
//!
//! Everything goes through the same doors as in life: the API to set up, the hook's URL and Basic credential to deliver,
//! `GET /v1/events` to read. Only waiting until a notification has been translated looks inside, to print in order.

mod day;

use crate::{
    cli::stop_signal,
    config::{self, Environment, Options},
    gateway::{self, Gateway, GatewayError},
    simulator::{Delivery, Organization},
    store::Log,
    translate::step,
};
use jiff::Timestamp;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

/// Between two notifications once the day is over.
const GENTLE_PACE: Duration = Duration::from_secs(3);
/// For one request to our own gateway.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Events asked for at once.
const PAGE: u32 = 100;

/// Why the demo stopped early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The gateway did not start.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// The gateway did not answer, or not what it should.
    #[error("the gateway did not answer as it should: {0}")]
    Answer(String),
    /// The sums do not add up: an event was lost or doubled.
    #[error("the sums do not add up: {0}")]
    Sums(String),
}

impl From<reqwest::Error> for DemoError {
    fn from(error: reqwest::Error) -> Self {
        Self::Answer(error.to_string())
    }
}

/// Runs the day; with `once` stops after it, else stays up and keeps sending until it is told to stop.
pub async fn run(once: bool) -> Result<(), DemoError> {
    let folder = Folder::new();
    let options = Options {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        data_dir: Some(folder.0.clone()),
        ..Options::default()
    };
    let token = crate::secrets::new_token();
    let environment = Environment { admin_token: Some(token.clone()), master_key: None, token: None };
    let gateway = Gateway::open(&options, &environment).await?;
    let (app, address) = (Arc::clone(&gateway.app), gateway.address);
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(gateway.run(async {
        let _ = stopped.await;
    }));

    let shown = async {
        let mut demo = Demo::set_up(app, address, token).await?;
        demo.day().await?;
        demo.check().await?;
        if !once {
            demo.stay().await?;
        }
        Ok(())
    };
    let result = shown.await;
    let _ = stop.send(());
    let _ = running.await;
    result
}

/// The temporary directory, gone when the demo is.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(config::temporary_directory().join(format!("hookwell-demo-{}", uuid::Uuid::new_v4())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What was sent, and what the gateway said of it.
#[derive(Debug, Default)]
struct Sums {
    sent: u64,
    accepted: u64,
    duplicates: u64,
    refused: u64,
    tests: u64,
    quarantined: u64,
    events: BTreeMap<String, u64>,
}

struct Demo {
    app: Arc<crate::app::App>,
    client: Client,
    base: String,
    token: Zeroizing<String>,
    hook: Hook,
    organization: Organization,
    cursor: Option<String>,
    sums: Sums,
}

/// The hook block of a connection's reply.
#[derive(Deserialize)]
struct Hook {
    url: String,
    user_name: String,
    password: String,
}

impl Demo {
    /// A connection, a project, and a binding of each kind, through the API.
    async fn set_up(
        app: Arc<crate::app::App>,
        address: SocketAddr,
        token: Zeroizing<String>,
    ) -> Result<Self, DemoError> {
        let client = gateway::loopback_client(REQUEST_TIMEOUT)?;
        let base = format!("http://{address}");
        let organization = Organization::new("fabrikam", 1, Timestamp::now());
        let send = async |request: RequestBuilder, body: Value| {
            let response = request.bearer_auth(&*token).json(&body).send().await?;
            let (status, answer) = (response.status(), response.json::<Value>().await?);
            if status.is_success() { Ok(answer) } else { Err(DemoError::Answer(format!("{status}: {answer}"))) }
        };
        // Without a token: there is no such organization that could be asked, and its hooks are this program's.
        let connection = json!({"name": "Fabrikam", "url": organization.url(), "hooks": "manual"});
        let connection = send(client.post(format!("{base}/v1/connections")), connection).await?;
        send(client.put(format!("{base}/v1/projects/web-shop")), json!({"name": "Web shop"})).await?;
        let (id, project) = (&connection["id"], organization.project());
        for binding in [
            json!({"role": "code_deployment", "connection": id, "azure_project": project,
                "repository": organization.repository(), "branch": "main"}),
            json!({"role": "build_provider", "connection": id, "azure_project": project}),
            json!({"role": "issue_provider", "connection": id, "azure_project": project}),
        ] {
            send(client.post(format!("{base}/v1/projects/web-shop/bindings")), binding).await?;
        }
        let hook = serde_json::from_value(connection["hook"].clone()).map_err(|e| DemoError::Answer(e.to_string()))?;
        say(&format!(
            "A gateway listens on {base}, with a connection to {} and the project web-shop.\n",
            organization.url()
        ));
        Ok(Self { app, client, base, token, hook, organization, cursor: None, sums: Sums::default() })
    }

    async fn day(&mut self) -> Result<(), DemoError> {
        for step in day::steps(&mut self.organization) {
            let password = if step.wrong_password { "not the password" } else { &self.hook.password }.to_owned();
            self.deliver(&step.delivery, &password).await?;
        }
        Ok(())
    }

    /// Posts one notification as Azure DevOps does, and prints what it became.
    async fn deliver(&mut self, delivery: &Delivery, password: &str) -> Result<(), DemoError> {
        let mut request = self.client.post(&self.hook.url).basic_auth(&self.hook.user_name, Some(password));
        if let Some(reason) = delivery.reason {
            request = request.query(&[("reason", reason)]);
        }
        let request = request
            .header("content-type", "application/json; charset=utf-8")
            .header("x-vss-activityid", uuid::Uuid::new_v4().to_string())
            .body(delivery.body.clone());
        let response = request.send().await?;
        let (status, answer) = (response.status(), response.json::<Value>().await?);
        self.sums.sent += 1;
        let outcome = answer["outcome"].as_str().unwrap_or("refused").to_owned();
        match (status.as_u16(), outcome.as_str()) {
            (200, "duplicate") => self.sums.duplicates += 1,
            (200, _) => self.sums.accepted += 1,
            _ => self.sums.refused += 1,
        }
        self.sums.tests += u64::from(outcome == "test");
        self.sums.quarantined += u64::from(outcome == "quarantined");
        say(&format!("→ {} · {} {outcome}", delivery.title, status.as_u16()));
        self.translated().await?;
        for event in self.new_events().await? {
            let (kind, subject) =
                (event["type"].as_str().unwrap_or_default(), event["subject"].as_str().unwrap_or_default());
            say(&format!("    ← {kind}  {subject}"));
            *self.sums.events.entry(kind.to_owned()).or_default() += 1;
        }
        Ok(())
    }

    /// Waits until everything accepted so far has been translated.
    async fn translated(&self) -> Result<(), DemoError> {
        let target = *self.app.store.tail(Log::Notifications).borrow();
        loop {
            let cursor =
                self.app.store.cursor(&step::consumer()).await.map_err(|e| DemoError::Answer(e.to_string()))?;
            if cursor >= target {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The events after those that were printed, by the pull API.
    async fn new_events(&mut self) -> Result<Vec<Value>, DemoError> {
        let mut events = Vec::new();
        loop {
            let mut request = self.client.get(format!("{}/v1/events", self.base)).query(&[("limit", PAGE)]);
            if let Some(cursor) = &self.cursor {
                request = request.query(&[("after", cursor)]);
            }
            let response = request.bearer_auth(&*self.token).send().await?.error_for_status()?;
            let mut page: Value = response.json().await?;
            self.cursor = page["next"].as_str().map(str::to_owned);
            let Value::Array(mut data) = page["data"].take() else {
                return Err(DemoError::Answer("a page of events without data".to_owned()));
            };
            if data.is_empty() {
                return Ok(events);
            }
            events.append(&mut data);
        }
    }

    /// Prints the summary and holds it against the journal.
    async fn check(&self) -> Result<(), DemoError> {
        let Sums { sent, accepted, duplicates, refused, tests, quarantined, events } = &self.sums;
        say(&format!(
            "\nSent {sent} = {accepted} accepted + {duplicates} duplicates + {refused} refused.\nOf the accepted, {tests} \
             were test deliveries and {quarantined} went to quarantine.\nThey became {} events:",
            events.values().sum::<u64>()
        ));
        for (kind, count) in events {
            say(&format!("{count:>5}  {kind}"));
        }
        let kept = self.app.store.tail(Log::Notifications).borrow().0;
        let published = self.app.store.tail(Log::Events).borrow().0;
        if *sent != accepted + duplicates + refused || kept != *accepted {
            return Err(DemoError::Sums(format!("{sent} sent, {kept} in the journal")));
        }
        if published != events.values().sum::<u64>() {
            return Err(DemoError::Sums(format!("{published} events in the journal, others were read")));
        }
        let dead = self.app.store.dead(&step::consumer(), crate::store::Position(0), 1).await;
        match dead.map_err(|e| DemoError::Answer(e.to_string()))?.first() {
            Some(dead) => Err(DemoError::Sums(format!("a notification was given up: {}", dead.reason))),
            None => Ok(()),
        }
    }

    /// Stays up, and keeps the organization busy.
    async fn stay(&mut self) -> Result<(), DemoError> {
        let (base, token) = (self.base.clone(), self.token.clone());
        say(&format!(
            "\nThe gateway stays up until Ctrl-C. Its API is described at {base}/docs\nAdmin token: {}\n\nTry:\n  curl -s \
             -H 'Authorization: Bearer {}' '{base}/v1/events?limit=3&type=dev.cdevents.*'\n  curl -sN -H 'Authorization: \
             Bearer {}' '{base}/v1/events/stream'\n  curl -s -H 'Authorization: Bearer {}' \
             '{base}/v1/notifications?state=quarantined'\n",
            *token, *token, *token, *token
        ));
        let stop = stop_signal().map_err(|e| DemoError::Answer(e.to_string()))?;
        tokio::pin!(stop);
        let password = self.hook.password.clone();
        loop {
            tokio::select! {
                () = &mut stop => return Ok(()),
                () = tokio::time::sleep(GENTLE_PACE) => {}
            }
            let delivery = self.organization.push("main");
            self.deliver(&delivery, &password).await?;
        }
    }
}

/// To standard output: the demo's own voice. A reader that has gone away does not stop it.
fn say(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}
