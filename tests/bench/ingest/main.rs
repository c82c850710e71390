//! How fast the front door is, as ratios within one run: bare warp, the store alone, the whole gateway.
//!
//! `cargo bench --bench ingest` runs all of it (about four minutes); `-- quick` a shorter one; `-- burst` only 64 connections;
//! `-- memory [count]` posts 400,000 notifications, or as many, and looks at memory, reopening and what pages, look-ups and
//! duplicates cost. Servers are processes of their own, the load comes from this one over loopback: on a small machine both
//! share the cores, so read ratios, not rates.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's output is its purpose")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod load;
mod server;
mod store_alone;

use self::{
    load::{Load, Report},
    server::Server,
    store_alone::Work,
};
use std::time::Duration;

const CONCURRENCIES: [usize; 3] = [1, 64, 256];
/// With `memory`: the costs that those at the end are compared with.
const FEW: u64 = 10_000;

/// As the gateway has it: what is compared is not the allocator.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

struct Plan {
    baseline: Duration,
    burst: Duration,
    sustained: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if has(server::BARE) {
        return runtime.block_on(server::serve_bare());
    }
    if has(server::BARE_WITH_STORE) {
        return runtime.block_on(server::serve_bare_with_store());
    }
    if has("memory") {
        let total = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(400_000);
        return runtime.block_on(memory(total.max(2 * FEW)));
    }
    if has("burst") {
        return runtime.block_on(at(
            64,
            &Plan { baseline: Duration::from_secs(5), burst: Duration::from_secs(15), sustained: Duration::ZERO },
        ));
    }
    let seconds = Duration::from_secs;
    let plan = if has("quick") {
        Plan { baseline: seconds(3), burst: seconds(5), sustained: seconds(10) }
    } else {
        Plan { baseline: seconds(5), burst: seconds(15), sustained: seconds(60) }
    };
    runtime.block_on(run(&plan));
}

async fn run(plan: &Plan) {
    println!("{}", Report::HEAD);
    for concurrency in CONCURRENCIES {
        at(concurrency, plan).await;
    }
    sustained(plan).await;
}

async fn at(concurrency: usize, plan: &Plan) {
    let bare = baseline(&Server::bare(), "bare warp", concurrency, plan.baseline).await;
    let store = store_alone::run(Work::Appends, concurrency, plan.baseline).await;
    println!("{}", store.line("store alone", concurrency));
    let both = store_alone::run(Work::BothLogs, concurrency, plan.baseline).await;
    println!("{}", both.line("  both logs", concurrency));
    let behind = baseline(&Server::bare_with_store(), "store behind", concurrency, plan.baseline).await;
    let gateway = gateway(concurrency, plan.burst).await;
    // The machine drifts: the baseline is what it was just before and just after.
    let again = baseline(&Server::bare(), "bare warp", concurrency, plan.baseline).await;
    let around = f64::midpoint(bare.per_second(), again.per_second());
    println!(
        "  gateway / bare warp {:.3}   / store alone {:.2}   / store with both logs {:.2}   / store behind warp {:.2}\n",
        gateway.per_second() / around,
        gateway.per_second() / store.per_second(),
        gateway.per_second() / both.per_second(),
        gateway.per_second() / behind.per_second()
    );
}

async fn baseline(server: &Server, what: &str, concurrency: usize, duration: Duration) -> Report {
    let before = server.usage();
    let mut report = Load::bare(server).run(concurrency, duration).await;
    report.spent(&before, &server.usage());
    println!("{}", report.line(what, concurrency));
    report
}

async fn gateway(concurrency: usize, duration: Duration) -> Report {
    let server = Server::gateway().await;
    let before = server.usage();
    let mut report = Load::gateway(&server).run(concurrency, duration).await;
    let published = server.events().await;
    report.spent(&before, &server.usage());
    println!("{}", report.line("gateway", concurrency));
    println!("  published while accepting: {:.0} events/s", published as f64 / report.seconds());
    server.drained().await;
    server.holds(report.accepted).await;
    report
}

/// Until every event is published: what counts is the rate at which notifications become events for good.
async fn sustained(plan: &Plan) {
    const CONCURRENCY: usize = 64;
    let bare = baseline(&Server::bare(), "bare warp", CONCURRENCY, plan.baseline).await;
    let server = Server::gateway().await;
    let before = server.usage();
    let mut report = Load::gateway(&server).run(CONCURRENCY, plan.sustained).await;
    let drain = server.drained().await;
    report.spent(&before, &server.usage());
    let again = baseline(&Server::bare(), "bare warp", CONCURRENCY, plan.baseline).await;
    let around = f64::midpoint(bare.per_second(), again.per_second());
    println!("{}", report.line("sustained", CONCURRENCY));
    let for_good = report.accepted as f64 / (report.seconds() + drain.as_secs_f64());
    println!(
        "  every event published {:.1} s after the last answer: {for_good:.0} notifications/s for good\n  sustained / bare \
         warp: accepted {:.3}, published {:.3}",
        drain.as_secs_f64(),
        report.per_second() / around,
        for_good / around
    );
    server.holds(report.accepted).await;
}

/// Costs are taken after a few and at the end. Memory is said at half too, to tell what grows from what has a limit.
async fn memory(total: u64) {
    let mut server = Server::gateway().await;
    println!("resident at start: {} MiB", server.usage().resident_bytes >> 20);
    let mut sent = 0;
    for until in [FEW, total / 2, total] {
        let report = Load::gateway(&server).run_count(64, until - sent).await;
        let highest = server.usage().resident_bytes;
        let drain = server.drained().await;
        sent = until;
        println!(
            "after {sent} notifications ({:.0} accepted/s, {} errors, all published {:.1} s later): resident {} MiB when \
             accepted, {} MiB when published, store {} MiB",
            report.per_second(),
            report.errors,
            drain.as_secs_f64(),
            highest >> 20,
            server.usage().resident_bytes >> 20,
            server.disk_bytes() >> 20,
        );
        if until == FEW || until == total {
            for (what, cost) in server.costs(&Load::gateway(&server)).await {
                println!("  {what}: {:.3} ms", cost.as_secs_f64() * 1e3);
            }
        }
    }
    let reopened = server.restart();
    println!(
        "started again, data directory opened and listening after {:.2} s, resident {} MiB",
        reopened.as_secs_f64(),
        server.usage().resident_bytes >> 20
    );
}
