//! Translations per second on one thread: `cargo bench --bench translate`. Of fixtures as they lie there, pretty-printed and
//! so larger than on the wire; the ratio to reading the same body into a `serde_json::Value` is what can be compared.
#![expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]

use hookwell::{
    azure::CollectionUrl,
    domain::{ConnectionId, NotificationId},
    translate::{Context, Settings, order, translate},
};
use std::{
    hint::black_box,
    path::Path,
    time::{Duration, Instant},
};
use uuid::Uuid;

const EACH: Duration = Duration::from_secs(2);
const CASES: [&str; 5] = [
    "git.push/branch-updated.json",
    "build.complete/2.0-succeeded.json",
    "git.pullrequest.updated/completed.json",
    "workitem.updated/closed-5.1.json",
    "ms.vss-pipelines.run-state-changed-event/completed-succeeded.json",
];

fn main() {
    let source = CollectionUrl::parse("https://dev.azure.com/fabrikam").expect("an organization");
    let settings = Settings::default();
    let context = Context {
        connection: ConnectionId(Uuid::nil()),
        source: &source,
        notification: NotificationId(Uuid::nil()),
        received_at: jiff::Timestamp::UNIX_EPOCH,
        reason: None,
        recovered: None,
        bindings: &[],
        processes: &[],
        settings: &settings,
    };
    for name in CASES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/azure").join(name);
        let body = std::fs::read(path).expect("a fixture");
        let translated = per_second(|| {
            black_box(translate(&body, &context).expect("it translates"));
        });
        let value = per_second(|| {
            black_box(serde_json::from_slice::<serde_json::Value>(&body).expect("JSON"));
        });
        let events = translate(&body, &context).expect("it translates");
        let placed = per_second(|| {
            black_box(events.iter().filter_map(order::place).count());
        });
        let (share, order) = (translated / value, translated / placed);
        println!(
            "{name}: {} bytes, {translated:.0}/s, {share:.2} of reading a Value; its order {order:.2} more",
            body.len()
        );
    }
}

fn per_second(mut once: impl FnMut()) -> f64 {
    let (mut done, began) = (0_u32, Instant::now());
    while began.elapsed() < EACH {
        for _ in 0..100 {
            once();
        }
        done += 100;
    }
    f64::from(done) / began.elapsed().as_secs_f64()
}
