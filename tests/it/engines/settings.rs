//! What a sink cannot be opened with is said in words, before anything is sent, and without its secrets.

use super::{local, open};
use hookwell::domain::{DevLake, Nats, Sink, Sleuth, SleuthImpact, Target, secret};
use std::collections::BTreeMap;

const SECRET: &str = "a-planted-secret\r\nX-Smuggled: yes";
const GOOD: &str = "a-planted-secret";

fn sleuth(impact: bool) -> Sink {
    let name = || "x".to_owned();
    let impact = impact.then(|| SleuthImpact { project: name(), environment: name(), source: name() });
    let url = "https://app.sleuth.io".parse().unwrap();
    local(Target::Sleuth(Sleuth {
        url,
        organization: name(),
        deployment: name(),
        environments: BTreeMap::new(),
        impact,
    }))
}

fn devlake(environment: &str) -> Sink {
    let environments = BTreeMap::from([("blue".to_owned(), environment.to_owned())]);
    let url = "https://devlake.example.com".parse().unwrap();
    local(Target::DevLake(DevLake { url, connection: 1, environments, pipelines: BTreeMap::new() }))
}

fn nats(server: &str, subject: &str) -> Sink {
    let servers = vec![server.parse().unwrap()];
    local(Target::Nats(Nats { servers, subject: subject.to_owned(), user: None, ca_bundle: None }))
}

#[tokio::test]
async fn a_sink_that_cannot_work_is_not_opened() {
    let strict = |mut sink: Sink| {
        sink.allow_http = false;
        sink
    };
    let broken_ca = |mut sink: Sink| {
        if let Target::Nats(settings) = &mut sink.target {
            settings.ca_bundle = Some("no certificate".to_owned());
        }
        sink
    };
    let with_user = |mut sink: Sink| {
        if let Target::Nats(settings) = &mut sink.target {
            settings.user = Some("ada".to_owned());
        }
        sink
    };
    let file = hookwell::domain::FileLog { name: "events.jsonl".to_owned(), rotate_bytes: 1 << 20, files_kept: 3 };
    for (sink, secrets) in [
        (sleuth(false), &[][..]),
        (sleuth(false), &[(secret::API_KEY, SECRET)]),
        (sleuth(true), &[(secret::TOKEN, GOOD)]),
        (devlake("PRODUCTION"), &[]),
        (devlake("PRODUCTION"), &[(secret::API_KEY, SECRET)]),
        (devlake("production"), &[(secret::API_KEY, GOOD)]),
        (strict(nats("nats://nats.example.com", "a")), &[]),
        (nats("https://nats.example.com", "a"), &[]),
        (nats("tls://ada:secret@nats.example.com", "a"), &[]),
        (nats("tls://nats.example.com", "$JS.API.STREAM.DELETE.x"), &[]),
        (nats("tls://nats.example.com", "a.>"), &[]),
        (broken_ca(nats("tls://nats.example.com", "a")), &[]),
        (with_user(nats("tls://nats.example.com", "a")), &[]),
        (nats("tls://nats.example.com", "a"), &[(secret::PASSWORD, GOOD)]),
        (local(Target::File(file)), &[]),
    ] {
        let Err(unusable) = open(&sink, secrets) else { panic!("{sink:?}") };
        assert!(!unusable.0.contains("planted") && !unusable.0.is_empty(), "{unusable:?}");
    }
    for (sink, secrets) in [
        (sleuth(false), &[(secret::TOKEN, GOOD)][..]),
        (sleuth(true), &[(secret::API_KEY, GOOD)]),
        (devlake("PRODUCTION"), &[(secret::API_KEY, GOOD)]),
        (strict(nats("tls://nats.example.com", "hookwell.{type}")), &[(secret::TOKEN, GOOD)]),
        (with_user(nats("tls://nats.example.com", "a")), &[(secret::PASSWORD, GOOD)]),
        (local(Target::Stdout), &[]),
    ] {
        assert!(open(&sink, secrets).is_ok(), "{sink:?}");
    }
}
