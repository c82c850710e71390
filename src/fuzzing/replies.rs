//! Replies of an Azure DevOps that says whatever it likes, to the real client over a real socket.

use crate::{
    azure::{
        CollectionUrl,
        client::{
            Access, AzureDevOps, BuildDate, Credential, Dial as _, Dialer, Failure, HistoryQuery, Host, PageRequest,
            Permission, Priority, PullRequestDate, RevisionsFrom, Version, Window,
        },
    },
    clock::{Clock, ManualClock},
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::{
    cell::OnceCell,
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Between two replies of an input.
const BETWEEN: &[u8] = b"\n---\n";
/// No call asks more often than this, whatever it is told: pages and attempts are counted.
const REQUESTS_MAX: usize = 1_500;
/// To `OPTIONS _apis`: that it speaks version 7.1.
const ROUTES: &str = r#"{"count":1,"value":[{"id":"e81700f7-3be2-46de-8624-2eb35882fcaa","area":"Location","resourceName":"ResourceAreas","routeTemplate":"_apis/{resource}/{areaId}","resourceVersion":1,"minVersion":"3.2","maxVersion":"7.1","releasedVersion":"7.1"}]}"#;
const STATUSES: [&str; 16] = [
    "200 OK",
    "200 OK",
    "200 OK",
    "200 OK",
    "201 Created",
    "203 Non-Authoritative Information",
    "204 No Content",
    "302 Found",
    "400 Bad Request",
    "401 Unauthorized",
    "403 Forbidden",
    "404 Not Found",
    "409 Conflict",
    "429 Too Many Requests",
    "500 Internal Server Error",
    "503 Service Unavailable",
];
const HEADERS: [&str; 8] = [
    "",
    "content-type: application/json\r\n",
    "content-type: text/html\r\n",
    "x-ms-continuationtoken: more\r\n",
    "retry-after: 5\r\n",
    "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1\r\nx-ratelimit-limit: 200\r\n",
    "location: /_signin\r\n",
    "x-tfs-serviceerror: TF400813\r\n",
];

/// The first byte says which call is made. Each reply that follows begins with a letter for its status and one for its
/// headers. When none is left, the last one is given again.
pub fn replies(data: &[u8]) {
    thread_local!(static STAGE: OnceCell<Stage> = const { OnceCell::new() });
    let Some((call, script)) = data.split_first() else { return };
    STAGE.with(|stage| stage.get_or_init(Stage::new).play(usize::from(*call), script));
}

struct Stage {
    runtime: Runtime,
    url: CollectionUrl,
    script: Arc<Mutex<VecDeque<Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
}

impl Stage {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime needs nothing but memory");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("there is a port");
        let port = listener.local_addr().expect("it listens").port();
        let url = CollectionUrl::parse(&format!("http://127.0.0.1:{port}/fabrikam")).expect("it is a collection's URL");
        let (script, asked) = (Arc::<Mutex<VecDeque<Vec<u8>>>>::default(), Arc::<AtomicUsize>::default());
        let (lines, count) = (Arc::clone(&script), Arc::clone(&asked));
        runtime.spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&lines), Arc::clone(&count)));
            }
        });
        Self { runtime, url, script, asked }
    }

    fn play(&self, call: usize, script: &[u8]) {
        *self.script.lock().expect("nobody panics with it") = split(script);
        self.asked.store(0, Ordering::SeqCst);
        let clock: Arc<dyn Clock> = Arc::new(Hasty(ManualClock::new(Timestamp::UNIX_EPOCH)));
        let access = Access {
            url: self.url.clone(),
            credential: Some(Credential::Pat(Zeroizing::new("a-token".into()))),
            headers: Vec::new(),
            ca_bundle: None,
            proxy: None,
        };
        let client = Dialer::new(clock).dial(&access).expect("the access is well-formed").at(Priority::Repair);
        // A failure is as good as a result; what matters is that it ends.
        let _ = self.runtime.block_on(make(client.as_ref(), call));
        let asked = self.asked.load(Ordering::SeqCst);
        assert!(asked <= REQUESTS_MAX, "call {call} asked {asked} times");
    }
}

fn split(script: &[u8]) -> VecDeque<Vec<u8>> {
    let mut replies = VecDeque::new();
    let mut rest = script;
    while let Some(at) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        replies.push_back(rest[..at].to_vec());
        rest = &rest[at + BETWEEN.len()..];
    }
    replies.push_back(rest.to_vec());
    replies
}

/// Answers the request of a connection with the next reply, and closes it.
async fn serve(
    mut connection: TcpStream,
    script: Arc<Mutex<VecDeque<Vec<u8>>>>,
    asked: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    // A body that follows at once is read with its head.
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if connection.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    asked.fetch_add(1, Ordering::SeqCst);
    let reply = if head.starts_with(b"OPTIONS") {
        [b"aa", ROUTES.as_bytes()].concat()
    } else {
        let mut script = script.lock().expect("nobody panics with it");
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }.unwrap_or_default()
    };
    let status = STATUSES[usize::from(reply.first().copied().unwrap_or(0)) % STATUSES.len()];
    let headers = HEADERS[usize::from(reply.get(1).copied().unwrap_or(0)) % HEADERS.len()];
    let body = if status.starts_with("204") { &[] } else { reply.get(2..).unwrap_or_default() };
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    connection.write_all(&[head.as_bytes(), body].concat()).await?;
    connection.shutdown().await
}

/// A clock on which nobody waits.
struct Hasty(ManualClock);

#[async_trait]
impl Clock for Hasty {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.advance(duration);
        tokio::task::yield_now().await;
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

async fn make(azure: &dyn AzureDevOps, call: usize) -> Result<(), Failure> {
    let page = || PageRequest { items_max: 100, from: None };
    let within = Window { from: Timestamp::UNIX_EPOCH, to: Timestamp::MAX };
    let (project, repository, sha) = ("p", "r", "8680684ab33e5ad2a4032dd1205e5dad6ddf8da9");
    let query =
        HistoryQuery { subscriptions: vec!["s".into()], within, result: None, results_max: 100, with_details: true };
    match call % 41 {
        0 => azure.connection_data().await.map(drop),
        1 => azure.projects(page()).await.map(drop),
        2 => azure.project(project).await.map(drop),
        3 => azure.repositories(None).await.map(drop),
        4 => azure.branches(project, repository, None, page()).await.map(drop),
        5 => azure.pipelines(project, page()).await.map(drop),
        6 => azure.release_definitions(project, page()).await.map(drop),
        7 => azure.work_item_types(project).await.map(drop),
        8 => azure.may(Permission::ViewSubscriptions, Some(Uuid::nil())).await.map(drop),
        9 => azure.event_types("tfs").await.map(drop),
        10 => azure.subscriptions(Host::Main).await.map(drop),
        11 => azure.delete_subscription(Host::Main, "s").await,
        12 => azure.pushes(project, repository, None, within, page()).await.map(drop),
        13 => azure.push(project, repository, 1).await.map(drop),
        14 => azure.pull_requests(project, repository, PullRequestDate::Closed, within, page()).await.map(drop),
        15 => azure.active_pull_requests(project, repository, page()).await.map(drop),
        16 => azure.pull_request(project, 1).await.map(drop),
        17 => azure.iterations(project, repository, 1).await.map(drop),
        18 => azure.comments(project, repository, 1).await.map(drop),
        19 => azure.builds(project, &[1], BuildDate::Finished, within, page()).await.map(drop),
        20 => azure.build(project, 1).await.map(drop),
        21 => azure.timeline(project, 1).await.map(drop),
        22 => azure.releases(project, within, page()).await.map(drop),
        23 => azure.deployments(project, within, page()).await.map(drop),
        24 => azure.revisions(project, &RevisionsFrom::Time(Timestamp::UNIX_EPOCH)).await.map(drop),
        25 => azure.updates(project, 1, 0).await.map(drop),
        26 => azure.history(Host::Main, &query).await.map(drop),
        27 => azure.commit(project, repository, sha).await.map(drop),
        28 => azure.resolve(project, repository, &Version::Tag("v1".into())).await.map(drop),
        29 => azure.commits_between(project, repository, Some(sha), sha).await.map(drop),
        30 => azure.diff_paths(project, repository, sha, sha).await.map(drop),
        31 => azure.pull_requests_of(project, repository, &[sha.to_owned()]).await.map(drop),
        32 => azure.first_review(project, repository, 1, Some("someone"), &[]).await.map(drop),
        33 => azure.work_item_links(project, &RevisionsFrom::Time(Timestamp::UNIX_EPOCH)).await.map(drop),
        34 => azure.pull_request_commits(project, repository, 1).await.map(drop),
        35 => azure.run_resources(project, "1", 1).await.map(drop),
        36 => azure.build_called(project, "1", "20260101.1").await.map(drop),
        37 => azure.newest_build(project, "1").await.map(drop),
        38 => azure.environments(project, "production").await.map(drop),
        39 => azure.deployed_to(project, 1, 1).await.map(drop),
        _ => azure.work_items(&[1, 2]).await.map(drop),
    }
}
