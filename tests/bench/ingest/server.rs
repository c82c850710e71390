//! The servers under load, each a process of its own, and what the operating system says of them.

use crate::{
    load::{FIRST_NUMBER, Load},
    store_alone::notification,
};
use hookwell::{
    gateway::loopback_client,
    store::{
        Entry, Journal as _, Log,
        embedded::{EmbeddedStore, Options},
    },
};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use warp::Filter as _;

/// Tells this program to be bare warp, and bare warp that also stores.
pub(crate) const BARE: &str = "serve-bare-warp";
pub(crate) const BARE_WITH_STORE: &str = "serve-bare-warp-with-store";
const TOKEN: &str = "an-admin-token-for-the-benchmark";
/// Of Linux on every platform we run on.
const CLOCK_TICKS_PER_SECOND: u64 = 100;
const COSTS_TAKEN: usize = 100;

/// What a process has used so far.
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) written_bytes: u64,
    pub(crate) resident_bytes: u64,
}

impl Usage {
    /// What a process has used until now.
    pub(crate) fn of(process: u32) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).expect("Linux");
        let number = |text: &str, name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).expect("a line of the kernel's");
            line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
        };
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
        let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
        Self {
            cpu: Duration::from_millis(ticks * 1_000 / CLOCK_TICKS_PER_SECOND),
            written_bytes: number(&read("io"), "write_bytes:"),
            resident_bytes: number(&read("status"), "VmRSS:") << 10,
        }
    }
}

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Path, user name and password.
    pub(crate) hook: (String, String, String),
    /// Numbers handed out to senders from [`FIRST_NUMBER`] on, so that no two notifications are alike.
    pub(crate) sent: Arc<AtomicU64>,
    folder: Option<tempfile::TempDir>,
    client: reqwest::Client,
}

/// Reads a body and answers 200: the least that a server of ours could do.
pub(crate) async fn serve_bare() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    eprintln!("listening; http://{}/docs", listener.local_addr().expect("an address"));
    let route = warp::post().and(warp::body::bytes()).map(|_| warp::reply());
    warp::serve(route).incoming(listener).run().await;
}

/// The store alone behind the same connections: reads a body, appends what the gateway would keep of it, and answers 200
/// once it is durable. No gateway on this store can be faster.
pub(crate) async fn serve_bare_with_store() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let store = Arc::new(EmbeddedStore::open(folder.path(), Options::default()).expect("a store"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    eprintln!("listening; http://{}/docs", listener.local_addr().expect("an address"));
    let next = Arc::new(AtomicU64::new(0));
    let route = warp::post().and(warp::body::bytes()).then(move |body: bytes::Bytes| {
        let (store, number) = (Arc::clone(&store), next.fetch_add(1, Ordering::Relaxed));
        async move {
            let notification = notification(number, body);
            let entry =
                Entry { key: notification.id.0, time: notification.received_at, body: notification.to_stored() };
            store.append(Log::Notifications, entry).await.expect("it is stored");
            warp::reply()
        }
    });
    warp::serve(route).incoming(listener).run().await;
}

impl Server {
    pub(crate) fn bare() -> Self {
        Self::ourselves(BARE)
    }

    pub(crate) fn bare_with_store() -> Self {
        Self::ourselves(BARE_WITH_STORE)
    }

    fn ourselves(role: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("our own path"));
        command.arg(role);
        Self::start(command, None)
    }

    /// With a connection to post to.
    pub(crate) async fn gateway() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let mut server = Self::start(gateway_command(folder.path()), Some(folder));
        let body = json!({"name": "Fabrikam", "url": "https://dev.azure.com/fabrikam", "hooks": "manual"});
        let answer = server.post("/v1/connections", &body).await;
        let text = |member: &str| answer["hook"][member].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        let path = text("url").split_once("/hooks/").expect("a hook's URL").1.to_owned();
        server.hook = (format!("/hooks/{path}"), text("user_name"), text("password"));
        server
    }

    fn start(mut command: Command, folder: Option<tempfile::TempDir>) -> Self {
        let (child, address) = spawn(&mut command);
        let client = loopback_client(Duration::from_mins(1)).expect("a client");
        // Ten digits from the start: the payloads keep their length.
        let sent = Arc::new(AtomicU64::new(FIRST_NUMBER));
        Self { child, address, hook: Default::default(), sent, folder, client }
    }

    /// Stops it as an operator would and starts it again; how long the start took.
    pub(crate) fn restart(&mut self) -> Duration {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        self.child.wait().expect("the process ends");
        let folder: PathBuf = self.folder.as_ref().expect("a gateway").path().to_owned();
        let began = Instant::now();
        (self.child, self.address) = spawn(&mut gateway_command(&folder));
        began.elapsed()
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of(self.child.id())
    }

    pub(crate) fn disk_bytes(&self) -> u64 {
        let folder = self.folder.as_ref().expect("a gateway").path().join("journal");
        let files = std::fs::read_dir(folder).expect("a store");
        files.map(|file| file.and_then(|file| file.metadata()).map_or(0, |file| file.len())).sum()
    }

    async fn metric(&self, name: &str) -> u64 {
        let request = self.client.get(self.url("/metrics")).bearer_auth(TOKEN);
        let text = request.send().await.expect("an answer").text().await.expect("a text");
        let line =
            text.lines().find(|line| line.split([' ', '{']).next() == Some(name)).unwrap_or_else(|| panic!("{text}"));
        line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// The reply to a POST as administrator.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(self.url(path)).bearer_auth(TOKEN).json(body);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    /// Events published so far.
    pub(crate) async fn events(&self) -> u64 {
        self.metric("hookwell_events_total").await
    }

    /// Waits until every notification has become its events.
    pub(crate) async fn drained(&self) -> Duration {
        let began = Instant::now();
        while self.metric("hookwell_translate_backlog").await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    }

    /// Half are pushes (one event), half are builds (two): the sums must add up, or the figures mean nothing.
    pub(crate) async fn holds(&self, accepted: u64) {
        let events = self.events().await;
        let expected = accepted + accepted / 2;
        assert!(events.abs_diff(expected) <= 512, "{accepted} accepted became {events} events, not about {expected}");
        assert_eq!(self.metric("hookwell_notifications_dead_total").await, 0);
        assert!(self.sent.load(Ordering::Relaxed) > accepted);
    }

    /// The median costs of what readers and senders ask of a log of any length.
    pub(crate) async fn costs(&self, again: &Load) -> Vec<(&'static str, Duration)> {
        let (_, first, _) = self.page("/v1/events", None, 1_000).await;
        let (mut last, mut ends) = (first.clone(), vec![first.clone()]);
        loop {
            let (_, next, count) = self.page("/v1/events", Some(&last), 1_000).await;
            if count < 1_000 {
                break;
            }
            ends.push(next.clone());
            last = next;
        }
        // A whole page before the end.
        let last = ends[ends.len().saturating_sub(3)].clone();
        let (_, _, notifications) = self.ids("/v1/notifications?limit=100").await;
        let mut costs: [(&str, Vec<Duration>); 5] =
            ["first page", "last page", "key that is there", "key that is not", "duplicate"]
                .map(|what| (what, Vec::new()));
        for round in 0..COSTS_TAKEN {
            let known = &notifications[round % notifications.len()];
            let known = format!("/v1/notifications/{known}");
            let absent = format!("/v1/notifications/00000000-0000-8000-8000-{round:012}");
            costs[0].1.push(self.page("/v1/events", Some(&first), 100).await.0);
            costs[1].1.push(self.page("/v1/events", Some(&last), 100).await.0);
            costs[2].1.push(self.read(&known, 200).await);
            costs[3].1.push(self.read(&absent, 404).await);
            costs[4].1.push(again.duplicate(round as u64).await);
        }
        costs
            .map(|(what, mut costs)| {
                costs.sort_unstable();
                (what, costs[costs.len() / 2])
            })
            .to_vec()
    }

    /// Reads something by its key.
    async fn read(&self, path: &str, status: u16) -> Duration {
        let began = Instant::now();
        let reply = self.client.get(self.url(path)).bearer_auth(TOKEN).send().await.expect("an answer");
        assert_eq!(reply.status(), status, "{path}");
        reply.bytes().await.expect("a body");
        began.elapsed()
    }

    async fn page(&self, path: &str, after: Option<&str>, limit: usize) -> (Duration, String, usize) {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let (cost, next, ids) = self.ids(&format!("{path}?limit={limit}{after}")).await;
        (cost, next, ids.len())
    }

    async fn ids(&self, path: &str) -> (Duration, String, Vec<String>) {
        let began = Instant::now();
        let request = self.client.get(self.url(path)).bearer_auth(TOKEN);
        let bytes = request.send().await.expect("an answer").bytes().await.expect("a body");
        let cost = began.elapsed();
        let page: Value = serde_json::from_slice(&bytes).expect("JSON");
        let next = page["next"].as_str().unwrap_or_else(|| panic!("{page}")).to_owned();
        let ids = page["data"].as_array().into_iter().flatten();
        (cost, next, ids.map(|one| one["id"].as_str().expect("an id").to_owned()).collect())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn gateway_command(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn,hookwell::cli=info", "--data-dir"]).arg(folder);
    command.env("HOOKWELL_ADMIN_TOKEN", TOKEN);
    command
}

fn spawn(command: &mut Command) -> (Child, SocketAddr) {
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    let address = lines
        .find_map(|line| {
            line.split_once("http://").map(|(_, rest)| rest.split("/docs").next().unwrap_or(rest).to_owned())
        })
        .expect("it says where it listens");
    std::thread::spawn(move || lines.for_each(|line| eprintln!("server: {line}")));
    (child, address.parse().expect("an address"))
}
