//! A measurement, not a check: `cargo test --release -- --ignored --nocapture translations_per_second`.

use super::{bindings, cases, connection};
use hookwell::{
    azure::CollectionUrl,
    domain::NotificationId,
    translate::{Context, Settings, translate},
};
use std::time::{Duration, Instant};

#[test]
#[ignore = "a measurement"]
fn translations_per_second() {
    let (source, bindings, settings) =
        (CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap(), bindings(), Settings::default());
    let context = Context {
        connection: connection(),
        source: &source,
        notification: NotificationId(uuid::Uuid::nil()),
        reason: None,
        bindings: &bindings,
        settings: &settings,
    };
    for name in [
        "git.push/branch-updated.json",
        "build.complete/2.0-succeeded.json",
        "git.pullrequest.updated/completed.json",
        "workitem.updated/closed-5.1.json",
        "ms.vss-pipelines.run-state-changed-event/completed-succeeded.json",
    ] {
        let body = cases().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("{name}")).body;
        let (mut done, started) = (0_u32, Instant::now());
        while started.elapsed() < Duration::from_secs(2) {
            for _ in 0..100 {
                std::hint::black_box(translate(&body, &context).unwrap());
            }
            done += 100;
        }
        println!("{name}: {} bytes, {:.0}/s", body.len(), f64::from(done) / started.elapsed().as_secs_f64());
    }
}
