//! The cost of a small commit for whoever comes next, in a gateway with thousands of bindings: `cargo bench --bench registry`.
//!
//! Each figure is the median of some rounds, and a ratio to decoding everything anew on the same machine in the same run.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]

use async_trait::async_trait;
use bytes::Bytes;
use hookwell::{
    app::{App, kind, tokens},
    azure::client::{Access, AzureDevOps, Dial, Failure, Unreachable},
    clock::SystemClock,
    config::Settings,
    domain::{
        AzureRef, Binding, BindingId, BranchRule, ConnectionId, Deploys, Ignored, Issues, Meaning, Scope, Selection,
        Tracking,
    },
    http::tower_service,
    secrets::Keys,
    store::{
        Change, Expected, Registry as _, Store,
        embedded::{EmbeddedStore, Options},
    },
};
use http_body_util::{BodyExt as _, Full};
use jiff::Timestamp;
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tower::Service as _;
use uuid::Uuid;

const BINDINGS: u128 = 5_000;
const CONNECTIONS: u128 = 20;
const ROUNDS: usize = 51;

struct Nowhere;

#[async_trait]
impl Dial for Nowhere {
    fn dial(&self, _: &Access) -> Result<Arc<dyn AzureDevOps>, Failure> {
        Err(Failure::Unreachable { at: Unreachable::Connect, detail: "nobody is asked here".to_owned() })
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run());
}

fn selection(number: u128) -> Selection {
    Selection::CodeDeployment {
        azure_project: AzureRef(format!("Project {}", number / 5)),
        repository: AzureRef(format!("repository-{number}")),
        branch: BranchRule::Any,
    }
}

/// What the names of a binding mean, as it is known of every binding soon after it was made.
fn meaning(number: u128) -> Change {
    let binding = BindingId(Uuid::from_u128(number + 1));
    let ids = Selection::CodeDeployment {
        azure_project: AzureRef(Uuid::from_u128(number / 5).to_string()),
        repository: AzureRef(Uuid::from_u128(number).to_string()),
        branch: BranchRule::Any,
    };
    let record = Meaning { binding, of: selection(number), ids, process: Vec::new() };
    let value = serde_json::to_vec(&record).expect("plain data");
    Change { kind: kind::MEANING, id: binding.to_string(), expected: Expected::Any, value: Some(value.into()) }
}

fn binding(number: u128) -> Change {
    let id = BindingId(Uuid::from_u128(number + 1));
    let record = Binding {
        id,
        project: format!("project-{}", number / 5).parse().expect("a slug"),
        connection: ConnectionId(Uuid::from_u128(number % CONNECTIONS + 1)),
        name: Some(format!("Deployment {number}")),
        selection: selection(number),
        code_deployment: None,
        partial: hookwell::domain::Partial::default(),
        direct_pushes: false,
        deploys: Some(Deploys {
            tracking: Tracking::Push,
            reaches: Vec::new(),
            include_paths: Vec::new(),
            exclude_paths: Vec::new(),
            ignored: Ignored::default(),
            delay_minutes: 0,
        }),
        issues: Issues::default(),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    };
    let value = serde_json::to_vec(&record).expect("plain data");
    Change { kind: kind::BINDING, id: id.to_string(), expected: Expected::Any, value: Some(value.into()) }
}

async fn app(store: &Arc<EmbeddedStore>) -> App {
    let keys = Keys::parse("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE", "the benchmark").expect("a key");
    let (engine, clock): (Arc<dyn Store>, _) = (Arc::<EmbeddedStore>::clone(store), Arc::new(SystemClock::default()));
    App::start(Settings::default(), engine, clock, keys, Arc::new(Nowhere)).await.expect("it starts")
}

async fn run() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let store = Arc::new(EmbeddedStore::open(folder.path(), Options::default()).expect("a store"));
    let all: Vec<u128> = (0..BINDINGS).collect();
    for some in all.chunks(500) {
        store
            .commit(some.iter().flat_map(|number| [binding(*number), meaning(*number)]).collect())
            .await
            .expect("it is kept");
    }
    let app_here = Arc::new(app(&store).await);
    let whole = median(async || {
        let began = Instant::now();
        drop(app(&store).await);
        began.elapsed()
    })
    .await;
    println!("{BINDINGS} bindings decoded anew: {whole:.2?}");

    let say = |what: &str, took: Duration| {
        println!("{what}: {took:.3?}, {:.3} of decoding everything", took.as_secs_f64() / whole.as_secs_f64());
    };
    let committed = async |change: Change| {
        store.commit(vec![change]).await.expect("it is kept");
        let began = Instant::now();
        drop(app_here.directory());
        began.elapsed()
    };
    say(
        "the directory after a commit of something else",
        median(async || {
            let change =
                Change { kind: kind::LOOK, id: "x".to_owned(), expected: Expected::Any, value: Some("1".into()) };
            committed(change).await
        })
        .await,
    );
    say("the directory after a commit of a binding", median(async || committed(binding(7)).await).await);
    say("the directory after a commit of a meaning", median(async || committed(meaning(7)).await).await);

    let made = tokens::create(&app_here, "bench".into(), Scope::Admin, |_, _| Vec::new()).await.expect("a token");
    let (token, mut service) = (made.1.to_string(), tower_service(Arc::clone(&app_here)));
    let bare = median(async || {
        let began = Instant::now();
        let change = Change { kind: kind::LOOK, id: "x".to_owned(), expected: Expected::Any, value: Some("1".into()) };
        store.commit(vec![change]).await.expect("it is kept");
        began.elapsed()
    })
    .await;
    say("a commit alone, synced", bare);
    let posted = median(async || {
        let request = http::Request::post("/v1/tokens").header("authorization", format!("Bearer {token}"));
        let request = request.header("host", "localhost").header("content-type", "application/json");
        let body = Bytes::from(json!({ "name": "CI", "scope": "read" }).to_string());
        let began = Instant::now();
        let reply = service.call(request.body(Full::new(body)).expect("a request")).await;
        let reply = reply.unwrap_or_else(|never| match never {});
        assert_eq!(reply.status(), 201);
        reply.into_body().collect().await.expect("a body");
        began.elapsed()
    })
    .await;
    say("POST /v1/tokens, its commit included", posted);
}

async fn median(mut round: impl AsyncFnMut() -> Duration) -> Duration {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(round().await);
    }
    times.sort_unstable();
    times[ROUNDS / 2]
}
