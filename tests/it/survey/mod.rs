//! A survey of a simulated Azure DevOps over real sockets: what it says, what it leaves behind, and what it gives away.

mod anonymous;
mod scratch;
mod switches;

use crate::{azure::Azure, harness::Gateway};
use hookwell::{
    azure::client::{Dialer, use_ring},
    clock::{Clock, ManualClock, SystemClock},
    config::Settings,
    simulator::{Faults, Options, RefChange, Simulator, tokens},
    store::MemoryStore,
    survey,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};

/// For what must come at once.
const BACKSTOP: Duration = Duration::from_mins(1);
/// How long ago the past of a busy organization began.
const PAST: SignedDuration = SignedDuration::from_hours(10 * 24);

/// A gateway whose surveys are worked on, and its Azure DevOps.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) azure: Azure,
    /// The simulator's own clock, where it does not go by itself.
    clock: Arc<ManualClock>,
    connection: String,
    token: &'static str,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.gateway.app.stop();
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl World {
    /// The simulator's time goes by itself.
    pub(crate) async fn start(options: Options, token: &'static str) -> Self {
        let unused = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        Self::going_by(Arc::new(SystemClock::default()), unused, options, token).await
    }

    /// The simulator's time begins in the past and is moved.
    async fn in_the_past(options: Options, token: &'static str) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::now() - PAST));
        Self::going_by(Arc::<ManualClock>::clone(&clock), clock, options, token).await
    }

    async fn going_by(theirs: Arc<dyn Clock>, manual: Arc<ManualClock>, options: Options, token: &'static str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let store = Arc::new(MemoryStore::new());
        let dial = Arc::new(Dialer::new(Arc::clone(&clock)));
        let engine = Arc::<MemoryStore>::clone(&store);
        let gateway = Gateway::going_by(clock, Settings::default(), engine, store, dial).await;
        let azure = Azure::start(options, theirs).await;
        let body = json!({ "name": "Fabrikam", "url": azure.url(), "token": token });
        let reply = gateway.post("/v1/connections?check=false", body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let connection = reply.json()["id"].as_str().unwrap().to_owned();
        let tasks = vec![tokio::spawn(survey::job::run(Arc::clone(&gateway.app)))];
        Self { gateway, azure, clock: manual, connection, token, tasks }
    }

    fn simulator(&self) -> &Simulator {
        &self.azure.simulator
    }

    fn fail(&self, change: impl FnOnce(&mut Faults)) {
        self.simulator().fail(change);
    }

    fn path(&self) -> String {
        format!("/v1/connections/{}/survey", self.connection)
    }

    async fn begin(&self, scratch: Option<&str>) {
        let body = scratch.map_or(json!({}), |name| json!({ "scratch_project": name }));
        let reply = self.gateway.post(&self.path(), body).await;
        assert_eq!(reply.status, 202, "{reply:?}");
    }

    /// The survey once it has ended.
    async fn ended(&self) -> Value {
        let waiting = async {
            loop {
                let survey = self.gateway.get(&self.path()).await.json();
                if !matches!(survey["state"].as_str(), Some("queued" | "running")) {
                    break survey;
                }
                tokio::task::yield_now().await;
            }
        };
        in_time(waiting).await
    }

    async fn survey(&self, scratch: Option<&str>) -> Value {
        self.begin(scratch).await;
        self.ended().await
    }

    /// Hooks, and something that they told: over ten days, with an hour's quiet at the end.
    async fn busy(&mut self) {
        let simulator = self.simulator().clone();
        let shop = simulator.project("Fiber Café").unwrap();
        let web = simulator.repository(shop, "web shop").unwrap();
        let (receiver, task) = receiver().await;
        self.tasks.push(task);
        let (shop, of) = (shop.to_string(), web.to_string());
        let push = json!({ "projectId": shop, "repository": of });
        for (event, inputs) in [
            ("git.push", push.clone()),
            ("git.push", push.clone()),
            ("git.pullrequest.created", push),
            ("workitem.created", json!({ "projectId": shop })),
        ] {
            self.hook(event, inputs, &receiver).await;
        }
        let commit = |comment: &str| RefChange::Commit {
            branch: "main".to_owned(),
            comment: comment.to_owned(),
            paths: vec!["/README.md".to_owned()],
        };
        simulator.push(web, "", &[commit("one"), commit("two")]).unwrap();
        simulator.hooks().settle().await;
        // The history learns how long it keeps things when it is asked.
        self.ask("hooks/notificationsquery", &json!({})).await;
        self.clock.advance((PAST - SignedDuration::from_hours(4)).unsigned_abs());
        simulator.push(web, "", &[commit("three")]).unwrap();
        self.later().await;
        simulator.create_pull_request(web, "feature/3", "main", "Third idea").unwrap();
        self.later().await;
        simulator.create_work_item(simulator.project("Fiber Café").unwrap(), "Bug", "It is slow").unwrap();
        self.later().await;
        simulator.push(web, "", &[commit("four")]).unwrap();
        self.later().await;
    }

    async fn later(&self) {
        self.simulator().hooks().settle().await;
        self.clock.advance(Duration::from_mins(30));
    }

    async fn hook(&self, event: &str, inputs: Value, url: &str) {
        let body = json!({
            "publisherId": "tfs", "eventType": event, "resourceVersion": "1.0", "consumerId": "webHooks",
            "consumerActionId": "httpRequest", "publisherInputs": inputs, "consumerInputs": { "url": url },
        });
        self.ask("hooks/subscriptions", &body).await;
    }

    async fn ask(&self, path: &str, body: &Value) {
        use_ring();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/_apis/{path}?api-version=7.1", self.azure.url());
        let made = client.post(url).basic_auth("", Some(self.token)).json(body).send().await.unwrap();
        assert!(made.status().is_success(), "{:?}", made.text().await);
    }
}

pub(crate) async fn in_time<T>(doing: impl Future<Output = T>) -> T {
    tokio::time::timeout(BACKSTOP, doing).await.expect("it ends in time")
}

/// Whoever is told something, and says 200.
async fn receiver() -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = Vec::new();
                let mut piece = [0; 16 << 10];
                // Whole once the body is as long as its header says.
                loop {
                    let text = String::from_utf8_lossy(&heard).to_ascii_lowercase();
                    let length = text
                        .split_once("content-length:")
                        .and_then(|(_, rest)| rest.split("\r\n").next()?.trim().parse::<usize>().ok());
                    if let (Some(length), Some(head)) = (length, text.find("\r\n\r\n"))
                        && heard.len() >= head + 4 + length
                    {
                        break;
                    }
                    match socket.read(&mut piece).await {
                        Ok(count) if count > 0 => heard.extend_from_slice(&piece[..count]),
                        _ => return,
                    }
                }
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
            });
        }
    });
    (url, task)
}

/// A line of a survey.
fn line<'a>(survey: &'a Value, question: &str) -> &'a Value {
    let lines = survey["lines"].as_array().unwrap();
    lines.iter().find(|line| line["question"] == question).unwrap_or_else(|| panic!("no {question} in {survey:#}"))
}

#[tokio::test]
async fn a_survey_reads_and_changes_nothing() {
    let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    let survey = world.survey(None).await;
    assert_eq!(survey["state"], "done", "{survey:#}");
    assert_eq!(survey["lines"].as_array().unwrap().len(), survey::QUESTIONS.len());
    for question in ["routes", "permissions", "nobody", "publishers", "commits_page", "run_end", "builds_page"] {
        assert_eq!(line(&survey, question)["verdict"], "as_assumed", "{survey:#}");
    }
    assert_eq!(line(&survey, "plain_http")["verdict"], "unsettled");
    assert_eq!(survey["report"]["faults"], json!({}));
    assert_eq!(survey["left_behind"], json!([]));
    let changes = world.simulator().calls().into_iter().filter(|call| {
        let asks = ["commitsbatch", "notificationsquery"].iter().any(|name| call.target.contains(name));
        !matches!(call.method.as_str(), "GET" | "OPTIONS") && !asks
    });
    assert_eq!(changes.count(), 0);
}

#[tokio::test]
async fn one_survey_of_a_connection_runs_at_a_time_and_can_be_stopped() {
    let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    assert_eq!(world.gateway.get(&world.path()).await.status, 404);
    world.fail(|faults| faults.delay_milliseconds = 200);
    world.begin(None).await;
    assert_eq!(world.gateway.post(&world.path(), json!({})).await.status, 409);
    assert_eq!(world.gateway.ask("DELETE", &world.path()).send().await.status, 202);
    let stopped = world.ended().await;
    assert_eq!(stopped["state"], "stopped", "{stopped:#}");
    world.fail(|faults| faults.delay_milliseconds = 0);
    assert_eq!(world.survey(None).await["state"], "done");
}

#[tokio::test]
async fn a_survey_that_gets_nowhere_says_why() {
    let world = World::start(Options::services("fabrikam"), tokens::EXPIRED).await;
    let survey = world.survey(None).await;
    assert_eq!((&survey["state"], &survey["lines"]), (&json!("failed"), &json!([])), "{survey:#}");
    assert!(survey["reason"].as_str().unwrap().contains("does not accept the credential"), "{survey:#}");
    let world = World::start(Options::services("fabrikam"), tokens::FULL).await;
    let survey = world.survey(Some("Nothing of this name")).await;
    assert_eq!(survey["state"], "failed", "{survey:#}");
    assert!(survey["reason"].as_str().unwrap().contains("nothing was made"), "{survey:#}");
    let unknown = "/v1/connections/00000000-0000-4000-8000-00000000dead/survey";
    assert_eq!(world.gateway.post(unknown, json!({})).await.status, 404);
    assert_eq!(world.gateway.ask("DELETE", unknown).send().await.status, 404);
    let wrong = world.gateway.post(&world.path(), json!({ "scratch_project": 7 })).await;
    assert_eq!((wrong.status.as_u16(), wrong.wrong()), (422, vec!["/scratch_project".to_owned()]));
}

#[tokio::test]
async fn servers_of_every_version_are_surveyed() {
    use hookwell::simulator::ServerVersion;
    for version in [ServerVersion::V2019, ServerVersion::V2020, ServerVersion::V2022, ServerVersion::Newer] {
        let world = World::start(Options::server("Coll", version), tokens::FULL).await;
        let survey = world.survey(None).await;
        assert_eq!(
            (&survey["state"], &survey["report"]["deployment"]),
            (&json!("done"), &json!("server")),
            "{survey:#}"
        );
        assert_eq!(survey["report"]["faults"], json!({}), "{survey:#}");
    }
}
