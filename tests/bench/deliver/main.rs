//! Handing on beside full intake, as ratios within one run: how many deliveries a second reach a local receiver with 1, 10
//! and 100 sinks, and what a sink that hangs costs the intake.
//!
//! `cargo bench --bench deliver` runs all of it (about three minutes); `-- quick` a shorter one. The gateway is a process of
//! its own; the load and the receivers are this one over loopback: on a small machine all share the cores, so read ratios,
//! not rates.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's output is its purpose")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

#[allow(dead_code, reason = "shared with the benchmark of the intake")]
#[path = "../ingest/load.rs"]
mod load;
mod receivers;
#[allow(dead_code, reason = "shared with the benchmark of the intake")]
#[path = "../ingest/server.rs"]
mod server;
#[allow(dead_code, reason = "shared with the benchmark of the intake")]
#[path = "../ingest/store_alone.rs"]
mod store_alone;

use self::{
    load::{Load, Report},
    receivers::Receivers,
    server::Server,
};
use serde_json::json;
use std::time::{Duration, Instant};

const CONCURRENCY: usize = 64;
const SINKS: [usize; 3] = [1, 10, 100];

struct Plan {
    /// How long each load lasts.
    load: Duration,
    /// How long deliveries are counted once it has ended.
    after: Duration,
    /// How often the hanging sink is measured between two baselines.
    pairs: usize,
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let seconds = Duration::from_secs;
    let plan = if quick {
        Plan { load: seconds(4), after: seconds(4), pairs: 2 }
    } else {
        Plan { load: seconds(10), after: seconds(10), pairs: 4 }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(&plan));
}

async fn run(plan: &Plan) {
    println!("{}", Report::HEAD);
    let alone = intake(plan, "no sink", None).await;
    for sinks in SINKS {
        beside(plan, sinks, alone).await;
    }
    hanging(plan).await;
}

/// Notifications accepted per second, with one hanging sink or none.
async fn intake(plan: &Plan, what: &str, hanging: Option<&Receivers>) -> f64 {
    let server = Server::gateway().await;
    if let Some(receivers) = hanging {
        sink(&server, &receivers.hanging()).await;
    }
    let report = Load::gateway(&server).run(CONCURRENCY, plan.load).await;
    println!("{}", report.line(what, CONCURRENCY));
    assert_eq!(report.errors, 0);
    report.per_second()
}

async fn beside(plan: &Plan, sinks: usize, alone: f64) {
    let (server, receivers) = (Server::gateway().await, Receivers::start().await);
    for _ in 0..sinks {
        sink(&server, &receivers.taking()).await;
    }
    let report = Load::gateway(&server).run(CONCURRENCY, plan.load).await;
    println!("{}", report.line(&format!("{sinks} sinks"), CONCURRENCY));
    let (during, began) = (receivers.taken(), Instant::now());
    tokio::time::sleep(plan.after).await;
    let after = (receivers.taken() - during) as f64 / began.elapsed().as_secs_f64();
    println!(
        "  deliveries/s {:.0} beside the intake, {after:.0} after it; the intake has {:.3} of its rate without sinks",
        during as f64 / report.seconds(),
        report.per_second() / alone
    );
}

/// What a sink that hangs costs the intake: in pairs, because the machine drifts.
async fn hanging(plan: &Plan) {
    let receivers = Receivers::start().await;
    let (mut with, mut without) = (0.0, intake(plan, "no sink", None).await / 2.0);
    for pair in 1..=plan.pairs {
        with += intake(plan, "hanging sink", Some(&receivers)).await;
        let baseline = intake(plan, "no sink", None).await;
        without += if pair == plan.pairs { baseline / 2.0 } else { baseline };
    }
    println!("  the intake beside a hanging sink has {:.3} of its rate without", with / without);
}

async fn sink(server: &Server, url: &str) {
    let settings = json!({ "url": url });
    let body =
        json!({ "name": "bench", "kind": "webhook", "settings": settings, "allow_private": true, "allow_http": true });
    let answer = server.post("/v1/sinks", &body).await;
    assert!(answer["id"].is_string(), "{answer}");
}
