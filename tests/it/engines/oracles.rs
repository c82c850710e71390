//! Other people's readers of what the webhook engine sends: `standardwebhooks` of crates.io, `PyPI` and npm accept every
//! signature and refuse what was tampered with; `cloudevents` of `PyPI` and npm read every mode. What they are given came
//! over a real socket.

use super::{local, open, outgoing, own_events, root, translated};
use crate::client::scripted::{Asked, Scripted, reply};
use hookwell::{
    domain::{Mode, Target, Webhook, secret},
    sink::{self, Outgoing},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// One delivery as it arrived, and what it should be.
pub(super) struct Delivered {
    pub(super) mode: &'static str,
    pub(super) secret: String,
    pub(super) asked: Asked,
    events: Vec<Value>,
}

impl Delivered {
    /// For a program in another language.
    pub(super) fn told(&self) -> Value {
        let headers: serde_json::Map<_, _> =
            self.asked.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect();
        json!({"mode": self.mode, "secret": self.secret, "headers": headers, "body": self.asked.body, "events": self.events})
    }
}

/// Every mode, events with odd names among them, and a secret that is being rotated.
pub(super) async fn deliveries() -> Vec<Delivered> {
    let mut events: Vec<Value> = own_events().into_iter().map(|(_, event)| event).collect();
    for name in ["git.push/spaces-and-letters", "git.push/several-refs", "workitem.updated/closed-5.1"] {
        events.extend(translated(name).into_iter().map(|(_, event)| event));
    }
    let [old, new] = [(); 2].map(|()| sink::new_secret().to_string());
    let mut all = Vec::new();
    for (word, mode) in [("structured", Mode::Structured), ("binary", Mode::Binary), ("batch", Mode::Batch)] {
        for rotating in [false, true] {
            let server = Scripted::all(|_| reply(202, &[], "")).await;
            let mut sink = local(Target::Webhook(Webhook {
                url: format!("{}/in", server.origin).parse().unwrap(),
                mode,
                batch_events_max: Some(1_000),
                header_names: Vec::new(),
                ca_bundle: None,
                handshake: false,
            }));
            sink.previous_secret_until = rotating.then_some(jiff::Timestamp::MAX);
            let secrets = [(secret::SIGNING, new.as_str()), (secret::SIGNING_PREVIOUS, old.as_str())];
            let engine = open(&sink, &secrets[..if rotating { 2 } else { 1 }]).unwrap();
            let outgoing: Vec<Outgoing> = events.iter().map(outgoing).collect();
            let attempts = engine.deliver(&outgoing).await;
            assert!(attempts.iter().all(|attempt| attempt.result.is_ok()), "{attempts:?}");
            let batches: Vec<Vec<Value>> = match mode {
                Mode::Batch => vec![events.clone()],
                _ => events.iter().map(|event| vec![event.clone()]).collect(),
            };
            let asked = server.asked();
            assert_eq!(asked.len(), batches.len());
            for (asked, events) in asked.into_iter().zip(batches) {
                // Whoever has not heard of the new secret yet verifies with the old one.
                for secret in if rotating { vec![&old, &new] } else { vec![&new] } {
                    let (secret, asked, events) = (secret.clone(), asked.clone(), events.clone());
                    all.push(Delivered { mode: word, secret, asked, events });
                }
            }
        }
    }
    all
}

/// What must be refused: a header or the body changed, or another secret asked.
pub(super) fn tampered(told: &Value) -> Vec<(&'static str, Value)> {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = told.clone();
        change(&mut changed);
        changed
    };
    let seconds: i64 = told["headers"]["webhook-timestamp"].as_str().unwrap().parse().unwrap();
    let at = |seconds: i64| with(&|it| it["headers"]["webhook-timestamp"] = seconds.to_string().into());
    let body = told["body"].as_str().unwrap();
    vec![
        (
            "body",
            with(&|it| it["body"] = body.replacen("Fabrikam", "Fabrikan", 1).replacen("mapping", "mapqing", 1).into()),
        ),
        ("body with a space", with(&|it| it["body"] = format!("{body} ").into())),
        ("id", with(&|it| it["headers"]["webhook-id"] = "another".into())),
        ("a second later", at(seconds + 1)),
        ("old", at(seconds - 301)),
        ("of tomorrow", at(seconds + 86_400)),
        ("no time", with(&|it| it["headers"]["webhook-timestamp"] = "now".into())),
        ("no signature", with(&|it| it["headers"]["webhook-signature"] = "v1,".into())),
        ("another secret", with(&|it| it["secret"] = sink::new_secret().as_str().into())),
    ]
}

/// Runs a program over the deliveries and answers what it says of each.
pub(super) fn ask(program: &Path, arguments: &[&Path], deliveries: &[Value]) -> Vec<Value> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It reads to the end before it writes, so neither waits for the other.
    child.stdin.take().unwrap().write_all(Value::from(deliveries).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every delivery, and each of what was tampered with of one per mode.
fn all_and_tampered(deliveries: &[Delivered]) -> (Vec<Value>, Vec<(&'static str, Value)>) {
    let good: Vec<Value> = deliveries.iter().map(Delivered::told).collect();
    let first = |mode: &str| good.iter().find(|one| one["mode"] == mode).unwrap();
    let bad = ["structured", "binary", "batch"].into_iter().flat_map(|mode| tampered(first(mode))).collect();
    (good, bad)
}

/// A reader of the kind that says for each delivery whether it accepted it and which events it read.
fn judge(program: &Path, script: &str, deliveries: &[Delivered]) {
    let (good, bad) = all_and_tampered(deliveries);
    let script = root().join("tests/it/process").join(script);
    let given: Vec<Value> = good.iter().chain(bad.iter().map(|(_, told)| told)).cloned().collect();
    let said = ask(program, &[&script], &given);
    assert_eq!(said.len(), given.len());
    for (told, said) in good.iter().zip(&said) {
        assert_eq!(said["accepted"], true, "{said} of {}", told["headers"]);
        let events = told["events"].as_array().unwrap();
        for (event, read) in events.iter().zip(said["events"].as_array().unwrap()) {
            for name in ["id", "source", "type", "subject", "partitionkey"] {
                assert_eq!(read[name], event[name], "{}: {name}", told["mode"]);
            }
            assert_eq!(read["data"]["subject"], event["data"]["subject"]);
            let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
            assert_eq!(time(&read["time"]), time(&event["time"]));
        }
        assert_eq!(said["events"].as_array().unwrap().len(), events.len());
    }
    for ((what, told), said) in bad.iter().zip(&said[good.len()..]) {
        assert_eq!(said["accepted"], false, "{what}: {}", told["mode"]);
    }
}

/// A program that `make test` puts into `target`; says loudly what is not tested without it.
fn installed(path: &str, probe: &[&str], what: &str) -> Option<PathBuf> {
    let program = if path.contains('/') { root().join(path) } else { PathBuf::from(path) };
    let works = Command::new(&program).args(probe).output().is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("SKIPPED, not tested here for want of {what}: `make test` installs it where it can");
    }
    works.then_some(program)
}

#[tokio::test]
async fn the_crate_accepts_every_signature_and_refuses_what_was_tampered_with() {
    let deliveries = deliveries().await;
    let (good, bad) = all_and_tampered(&deliveries);
    let accepts = |told: &Value| {
        let header = |(name, value): (&String, &Value)| {
            (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.as_str().unwrap()).unwrap())
        };
        let headers: HeaderMap = told["headers"].as_object().unwrap().iter().map(header).collect();
        let webhook = standardwebhooks::Webhook::new(told["secret"].as_str().unwrap()).unwrap();
        webhook.verify(told["body"].as_str().unwrap().as_bytes(), &headers).is_ok()
    };
    assert!(good.len() > 60 && good.iter().all(accepts));
    for (what, told) in bad {
        assert!(!accepts(&told), "{what}");
    }
}

#[tokio::test]
async fn the_packages_of_pypi_accept_and_read_every_delivery() {
    let probe = ["-c", "import standardwebhooks, cloudevents.core"];
    let Some(python) =
        installed("target/oracles-python/bin/python", &probe, "standardwebhooks and cloudevents of PyPI")
    else {
        return;
    };
    judge(&python, "oracle.py", &deliveries().await);
}

#[tokio::test]
async fn the_packages_of_npm_accept_and_read_every_delivery() {
    let module = root().join("target/oracles-node/node_modules/cloudevents/package.json");
    let probe = format!("require({:?})", module.to_str().unwrap());
    let Some(node) = installed("node", &["-e", &probe], "standardwebhooks and cloudevents of npm") else { return };
    judge(&node, "oracle.mjs", &deliveries().await);
}
