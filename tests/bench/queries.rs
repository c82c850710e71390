//! Looking at a big deployment in a big store, and reading anew what is only in memory: `cargo bench --bench queries`.
//!
//! The store has a million events; the deployment has 300 commits and 40 pull requests. Its page, through the whole HTTP
//! stack, is measured as a ratio to reading the same record raw. `-- quick` fills a tenth.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use async_trait::async_trait;
use bytes::Bytes;
use hookwell::{
    app::{App, tokens},
    azure::{
        CollectionUrl,
        client::{Access, AzureDevOps, Dial, Failure, Unreachable},
    },
    clock::SystemClock,
    config::Settings,
    domain::{BindingId, Cause, ConnectionId, Deployment, NotificationId, Scope, Step, Telling, join},
    http::tower_service,
    secrets::Keys,
    store::{
        Claim, Consumers as _, Entry, Journal as _, Log, Store,
        embedded::{EmbeddedStore, Options},
    },
    translate::{self, Context, translate},
};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tower::Service as _;
use uuid::Uuid;

const EVENTS: usize = 1_000_000;
const BATCH: usize = 1_000;
const DEPLOYMENTS: u128 = 5_000;
const ASKED: u32 = 300;
/// Of the fixture.
const PROJECT: &str = "0f3d2c1b-7a6e-4d5c-8b4a-392817060504";

struct Nowhere;

#[async_trait]
impl Dial for Nowhere {
    fn dial(&self, _: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        Err(Failure::Unreachable { at: Unreachable::Connect, detail: "nobody is asked here".to_owned() })
    }
}

fn main() {
    let events = if std::env::args().any(|argument| argument == "quick") { EVENTS / 10 } else { EVENTS };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(events));
}

async fn run(events: usize) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let store = Arc::new(EmbeddedStore::open(folder.path(), Options::default()).expect("a store"));
    let began = Instant::now();
    fill(&store, events).await;
    let big = deployments(&store).await;
    println!("{events} events, {DEPLOYMENTS} deployments written in {:.1?}", began.elapsed());

    let engine: Arc<dyn Store> = Arc::<EmbeddedStore>::clone(&store);
    let keys = Keys::parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE", "the benchmark").expect("a key");
    let app = App::start(Settings::default(), engine, Arc::new(SystemClock::default()), keys, Arc::new(Nowhere)).await;
    let app = Arc::new(app.expect("it starts"));
    let began = Instant::now();
    app.deployments.read(&*store).await.expect("they are read");
    println!("the book of {DEPLOYMENTS} deployments is read in {:.1?}", began.elapsed());
    let began = Instant::now();
    while !hookwell::relations::catch_up(&app).await.expect("they are read") {}
    let took = began.elapsed();
    println!("the relations of {events} events are read in {took:.1?}, {:.1?} for 200000", per(took, events));

    let raw = timed(async || {
        store.find(Log::Deployments, big).await.expect("it is read").expect("it is there");
    })
    .await;
    let made = tokens::create(&app, "bench".into(), Scope::Admin, |_, _| Vec::new()).await.expect("a token");
    let (token, mut service) = (made.1.to_string(), tower_service(Arc::clone(&app)));
    let mut ask = async |method: &str, path: &str, body: Value| {
        let request =
            http::Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json");
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let reply = service.call(request.body(Full::new(body)).expect("a request")).await.expect("a reply");
        let status = reply.status();
        let body = reply.into_body().collect().await.expect("a body").to_bytes();
        assert!(status.is_success(), "{status} {}", String::from_utf8_lossy(&body));
        body
    };
    let environments = json!([{ "slug": "production", "name": "Production" }]);
    ask("PUT", "/v1/projects/web", json!({ "name": "Web", "environments": environments })).await;
    let body = json!({ "name": "Fabrikam", "url": "https://dev.azure.com/fabrikam", "token": "a-token-of-the-bench" });
    let made: Value = serde_json::from_slice(&ask("POST", "/v1/connections?check=false", body).await).expect("JSON");
    let body = json!({ "role": "build_provider", "connection": made["id"], "azure_project": PROJECT });
    ask("POST", "/v1/projects/web/bindings", body).await;
    let page = timed(async || {
        let body = ask("GET", &format!("/v1/projects/web/deployments/{big}"), Value::Null).await;
        let builds = body.windows(12).any(|part| part == b"\"builds\":[{\"");
        assert!(body.len() > 50_000 && builds, "{} bytes, builds: {builds}", body.len());
    })
    .await;
    println!(
        "a page of 300 commits and 40 pull requests: {page:.1?}, {:.1} times reading it raw ({raw:.1?})",
        ratio(page, raw)
    );
    store.close().await;
}

fn per(took: Duration, events: usize) -> Duration {
    took.mul_f64(200_000.0 / events as f64)
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// The middle of many.
async fn timed(mut once: impl AsyncFnMut()) -> Duration {
    let mut all = Vec::new();
    for _ in 0..ASKED {
        let began = Instant::now();
        once().await;
        all.push(began.elapsed());
    }
    all.sort_unstable();
    all[all.len() / 2]
}

/// Builds that end, each of a commit of its own.
async fn fill(store: &EmbeddedStore, events: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/azure/build.complete/2.0-succeeded.json");
    let body = std::fs::read_to_string(path).expect("a fixture");
    let source = CollectionUrl::parse("https://dev.azure.com/fabrikam").expect("an organization");
    let settings = translate::Settings::default();
    let mut number = 0_usize;
    while number < events {
        let mut appends = Vec::with_capacity(BATCH + 2);
        while appends.len() < BATCH {
            let commit = format!("{number:040x}");
            let body = body.replace("4711", &(100_000 + number).to_string());
            let body = body.replace("e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98", &commit);
            let context = Context {
                connection: ConnectionId(Uuid::nil()),
                source: &source,
                notification: NotificationId(Uuid::from_u128(number as u128)),
                received_at: Timestamp::UNIX_EPOCH,
                reason: None,
                recovered: None,
                bindings: &[],
                processes: &[],
                settings: &settings,
            };
            for event in translate(body.as_bytes(), &context).expect("it translates") {
                let entry = Entry { key: event.id, time: Timestamp::UNIX_EPOCH, body: event.to_stored() };
                appends.push((Log::Events, entry));
                number += 1;
            }
        }
        store.settle(Claim::of_nothing(Log::Events), Vec::new(), appends).await.expect("it is stored");
    }
}

/// Small ones, and a big one in the middle, whose event is answered.
async fn deployments(store: &EmbeddedStore) -> Uuid {
    let big = Uuid::from_u128(DEPLOYMENTS / 2);
    let entry = |number: u128| {
        let (commits, pulls) = if number == DEPLOYMENTS / 2 { (300, 40) } else { (3, 1) };
        let person = json!({ "name": "Ada Byron", "email": "ada@example.com" });
        let commit = |at: u32| {
            json!({ "revision": format!("{at:040x}"), "message": format!("Cart: keep the prices of visit {at}\n\nFixes #{at}"),
                "author": person, "date": "2026-11-22T10:00:00Z", "url": format!("https://dev.azure.com/o/p/_git/r/commit/{at:040x}") })
        };
        let pull = |at: u32| {
            json!({ "id": at, "title": format!("Cart: keep the prices of visit {at}"), "author": "ada@example.com",
                "url": format!("https://dev.azure.com/o/p/_git/r/pullrequest/{at}"), "workItems": [at] })
        };
        let details = json!({ "commits": (0..commits).map(commit).collect::<Vec<_>>(),
            "files": (0..commits).map(|at| json!({ "path": format!("/src/cart/visit{at}.rs") })).collect::<Vec<_>>(),
            "pullRequests": (0..pulls).map(pull).collect::<Vec<_>>(), "size": { "commits": commits, "files": commits } });
        let event = json!({ "data": { "customData": { "hookwell": { "deployment": details } } } });
        let body = join(&telling(Uuid::from_u128(number), number), event.to_string().as_bytes());
        (Log::Deployments, Entry { key: Uuid::from_u128(number), time: Timestamp::UNIX_EPOCH, body })
    };
    let all: Vec<_> = (1..=DEPLOYMENTS).map(entry).collect();
    store.settle(Claim::of_nothing(Log::Events), Vec::new(), all).await.expect("it is stored");
    big
}

fn telling(id: Uuid, number: u128) -> Telling {
    let deployment = Deployment {
        id,
        project: "web".parse().expect("a slug"),
        binding: BindingId(Uuid::nil()),
        name: "shop".to_owned(),
        connection: ConnectionId(Uuid::nil()),
        environment: "production".parse().expect("a slug"),
        revision: format!("{number:040x}"),
        branch: Some("main".to_owned()),
        at: Timestamp::from_second(1_750_000_000 + i64::try_from(number).expect("a small number")).expect("a time"),
        cause: Cause { kind: "push".to_owned(), ..Cause::default() },
        source: "https://dev.azure.com/o/p".to_owned(),
        azure_project: "p".to_owned(),
        repository: "r".to_owned(),
        links: Vec::new(),
        tags: Vec::new(),
    };
    Telling { event: id, number: 0, previous: None, step: Step::Forward, commits: 300, deployment }
}
