//! The engines of sinks, each against what it speaks to: receivers written from the documentation of Sleuth and DevLake,
//! a real NATS server, and other people's readers of webhooks.
// clippy.toml allows both in test functions; what they call is test code just as well.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod credentials;
mod devlake;
mod nats;
mod oracles;
mod page;
mod settings;
mod sleuth;

use crate::{client::scripted::Asked, translate::corpus::Schemas};
use hookwell::{
    clock::SystemClock,
    domain::{ConnectionId, Sink, SinkFilter, SinkId, SinkStart, SinkState, Target},
    sink::{self, Attempt, Error, Outgoing, Secrets, Tools, Unusable, wire::Timeouts},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use uuid::Uuid;
use zeroize::Zeroizing;

/// A sink that may speak to this machine.
fn local(target: Target) -> Sink {
    Sink {
        id: SinkId(Uuid::from_u128(1)),
        name: "a sink".to_owned(),
        description: None,
        target,
        secrets: std::collections::BTreeMap::new(),
        previous_secret_until: None,
        filter: SinkFilter::default(),
        filter_since: 0,
        state: SinkState::Enabled,
        start: SinkStart(0),
        in_flight_max: 8,
        per_second_max: None,
        allow_private: true,
        allow_http: true,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

fn secrets(all: &[(&str, &str)]) -> Secrets {
    all.iter().map(|(name, secret)| ((*name).to_owned(), Zeroizing::new((*secret).to_owned()))).collect()
}

fn open(sink: &Sink, all: &[(&str, &str)]) -> Result<Arc<dyn sink::Sink>, Unusable> {
    let clock = Arc::new(SystemClock::default());
    let timeouts = Timeouts::default();
    sink::open(sink, &secrets(all), &Tools { clock, directory: None, origin: "hooks.example.com".to_owned(), timeouts })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn outgoing(event: &Value) -> Outgoing {
    let text = |member: &str| event[member].as_str().unwrap_or_default().to_owned();
    let hookwell = &event["data"]["customData"]["hookwell"];
    let projects = hookwell["projects"].as_array().into_iter().flatten();
    Outgoing {
        id: event["id"].as_str().unwrap().parse().unwrap(),
        position: 1,
        kind: text("type"),
        projects: projects.map(|slug| slug.as_str().unwrap().parse().unwrap()).collect(),
        connection: ConnectionId(hookwell["connection"].as_str().unwrap().parse().unwrap()),
        time: "2025-03-14T09:27:00Z".parse().unwrap(),
        entity: text("partitionkey"),
        json: event.to_string().into(),
    }
}

fn read(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

/// The events that nothing translates into yet, by name.
fn own_events() -> Vec<(String, Value)> {
    let folder = root().join("fixtures/sinks/events");
    let mut all: Vec<(String, Value)> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read(&path)))
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// Events that a notification became, by the notification's name.
fn translated(name: &str) -> Vec<(String, Value)> {
    let Value::Array(events) = read(&root().join("fixtures/events").join(format!("{name}.json"))) else {
        panic!("{name}")
    };
    let named = |(at, event)| (format!("{}-{at}", name.replace('/', "-")), event);
    events.into_iter().enumerate().map(named).collect()
}

fn verdict(attempt: &Attempt) -> Value {
    match &attempt.result {
        Ok(()) => json!({"delivered": attempt.answer}),
        Err(Error::Permanent { said }) => json!({"dead": said}),
        Err(Error::Transient { said, .. }) => json!({"again": said}),
        Err(other) => json!({"other": other.to_string()}),
    }
}

/// What a golden file has of an exchange. `hidden` is the key, wherever it is.
fn exchange(asked: &[Asked], attempt: &Attempt, hidden: &str) -> Value {
    let request = |asked: &Asked| {
        let body = serde_json::from_str(&asked.body).unwrap_or(Value::Null);
        json!({"path": asked.path.replace(hidden, "{key}"), "body": body})
    };
    json!({"asked": asked.iter().map(request).collect::<Vec<_>>(), "attempt": verdict(attempt)})
}

/// Holds against `fixtures/sinks/{sink}/{case}.json`; `UPDATE=1` rewrites it.
fn golden(sink: &str, case: &str, found: &Value) -> Option<String> {
    let path = root().join("fixtures/sinks").join(sink).join(format!("{case}.json"));
    let found = serde_json::to_string_pretty(found).unwrap() + "\n";
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &found).unwrap();
    }
    (fs::read_to_string(&path).unwrap_or_default() != found).then(|| format!("{}\n{found}", path.display()))
}

#[test]
fn the_events_of_these_tests_are_valid_cdevents() {
    let Some(schemas) = Schemas::of_the_corpus() else { return };
    for (name, event) in own_events() {
        schemas.check(&name, &event);
    }
}
