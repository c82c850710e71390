//! NATS, against a real server where there is one.

use super::{local, open, outgoing, own_events, translated};
use async_nats::jetstream::{self, stream::Config};
use hookwell::{
    domain::{Nats, Sink, Target, secret},
    sink::Error,
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

const PASSWORD: &str = "a-planted-password-of-nats";
/// A backstop for what must not hang; no test waits for it when all is well.
const BACKSTOP: Duration = Duration::from_secs(30);

/// A server with JetStream on a port of its own, until it is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) port: u16,
}

impl Server {
    /// `None`, said loudly, where there is no server. The folder is its memory over a restart.
    pub(super) fn start(folder: &Path, port: u16, more: &str) -> Option<Self> {
        let store = folder.join("store");
        let config = folder.join("server.conf");
        let listen = if port == 0 { "-1".to_owned() } else { port.to_string() };
        let text =
            format!("listen: \"127.0.0.1:{listen}\"\njetstream {{ store_dir: \"{}\" }}\n{more}\n", store.display());
        fs::write(&config, text).unwrap();
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&config).arg("--ports_file_dir").arg(folder);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = spawned else {
            eprintln!("SKIPPED, not tested here for want of nats-server: `make test` installs it where it may");
            return None;
        };
        let file = folder.join(format!("nats-server_{}.ports", child.id()));
        let begun = std::time::Instant::now();
        let ports = loop {
            if let Ok(ports) =
                fs::read(&file).map_err(drop).and_then(|text| serde_json::from_slice::<Value>(&text).map_err(drop))
            {
                break ports;
            }
            assert!(begun.elapsed() < BACKSTOP, "nats-server did not start");
            std::thread::yield_now();
        };
        let address = ports["nats"][0].as_str().or_else(|| ports["tls"][0].as_str()).unwrap();
        let port = address.rsplit(':').next().unwrap().parse().unwrap();
        Some(Self { child, port })
    }

    /// Somebody who looks into the stream.
    async fn stream(&self, subjects: &[&str]) -> (jetstream::Context, jetstream::stream::Stream) {
        let options = async_nats::ConnectOptions::new().user_and_password("ada".to_owned(), PASSWORD.to_owned());
        self.stream_as(options, subjects).await
    }

    pub(super) async fn stream_as(
        &self,
        options: async_nats::ConnectOptions,
        subjects: &[&str],
    ) -> (jetstream::Context, jetstream::stream::Stream) {
        let client = options.connect(format!("nats://127.0.0.1:{}", self.port)).await.unwrap();
        let context = jetstream::new(client);
        let subjects = subjects.iter().map(|subject| (*subject).to_owned()).collect();
        let config = Config { name: "HOOKWELL".to_owned(), subjects, ..Config::default() };
        let stream = context.get_or_create_stream(config).await.unwrap();
        (context, stream)
    }

    fn sink(&self, subject: &str) -> Sink {
        sink(&format!("nats://127.0.0.1:{}", self.port), subject)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sink(server: &str, subject: &str) -> Sink {
    let servers = vec![server.parse().unwrap()];
    local(Target::Nats(Nats { servers, subject: subject.to_owned(), user: Some("ada".to_owned()), ca_bundle: None }))
}

fn users() -> String {
    format!("authorization {{ users = [ {{ user: ada, password: {PASSWORD:?} }} ] }}\nmax_payload: 65536")
}

const SECRETS: &[(&str, &str)] = &[(secret::PASSWORD, PASSWORD)];

#[tokio::test]
async fn an_event_is_in_the_stream_once_with_its_attributes_and_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path(), 0, &users()) else { return };
    let (_context, mut stream) = server.stream(&["hookwell.>"]).await;
    let engine = open(&server.sink("hookwell.{project}.{type}"), SECRETS).unwrap();
    let mut events: Vec<Value> = own_events().into_iter().map(|(_, event)| event).collect();
    events.extend(translated("git.push/spaces-and-letters").into_iter().map(|(_, event)| event));
    for event in &events {
        let attempt = engine.deliver(&[outgoing(event)]).await.remove(0);
        assert_eq!(attempt.result, Ok(()));
    }
    let again = engine.deliver(&[outgoing(&events[0])]).await.remove(0);
    assert_eq!((again.result, again.answer.as_str()), (Ok(()), "stream HOOKWELL at 1, where it was already"));
    assert_eq!(stream.info().await.unwrap().state.messages, events.len() as u64);
    for (at, event) in events.iter().enumerate() {
        let message = stream.get_raw_message(at as u64 + 1).await.unwrap();
        let header = |name: &str| message.headers.get(name).map(|value| decoded(value.as_str()));
        let kind = event["type"].as_str().unwrap().rsplitn(4, '.').nth(3).unwrap();
        let project = event["data"]["customData"]["hookwell"]["projects"][0].as_str().unwrap_or("_");
        assert_eq!(message.subject.as_str(), format!("hookwell.{project}.{kind}"));
        assert_eq!(header("Nats-Msg-Id").as_deref(), event["id"].as_str());
        for (name, value) in event.as_object().unwrap().iter().filter(|(name, _)| *name != "data") {
            assert_eq!(header(&format!("ce-{name}")).as_deref(), value.as_str(), "{name}");
        }
        assert_eq!(serde_json::from_slice::<Value>(&message.payload).unwrap(), event["data"]);
    }
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

#[tokio::test]
async fn what_no_stream_takes_waits_and_what_is_too_large_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path(), 0, &users()) else { return };
    let (_context, _stream) = server.stream(&["other.>"]).await;
    let engine = open(&server.sink("hookwell.{type}"), SECRETS).unwrap();
    let mut event = own_events().remove(0).1;
    let attempt = engine.deliver(&[outgoing(&event)]).await.remove(0);
    assert_eq!(attempt.result, Err(Error::transient("no stream takes the subject")));
    event["data"]["customData"]["raw"] = "x".repeat(100_000).into();
    let attempt = engine.deliver(&[outgoing(&event)]).await.remove(0);
    assert!(matches!(attempt.result, Err(Error::Permanent { .. })), "{attempt:?}");
}

#[tokio::test]
async fn a_server_that_was_away_is_connected_to_anew() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path(), 0, &users()) else { return };
    let port = server.port;
    let (context, stream) = server.stream(&["hookwell.>"]).await;
    drop((context, stream));
    let engine = open(&server.sink("hookwell.{type}"), SECRETS).unwrap();
    let events = own_events();
    assert_eq!(engine.deliver(&[outgoing(&events[0].1)]).await[0].result, Ok(()));
    drop(server);
    let attempt = engine.deliver(&[outgoing(&events[1].1)]).await.remove(0);
    assert!(matches!(attempt.result, Err(Error::Transient { .. })), "{attempt:?}");
    let server = Server::start(folder.path(), port, &users()).unwrap();
    // The first attempt may still find that the old connection is gone.
    let delivered = async {
        while engine.deliver(&[outgoing(&events[1].1)]).await[0].result.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BACKSTOP, delivered).await.unwrap();
    let (_context, mut stream) = server.stream(&["hookwell.>"]).await;
    assert_eq!(stream.info().await.unwrap().state.messages, 2);
}

#[tokio::test]
async fn a_wrong_password_and_a_private_address_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path(), 0, &users()) else { return };
    let event = outgoing(&own_events().remove(0).1);
    let wrong = [(secret::PASSWORD, "another-planted-password")];
    let attempt = open(&server.sink("a"), &wrong).unwrap().deliver(std::slice::from_ref(&event)).await.remove(0);
    assert_eq!(attempt.result, Err(Error::transient("the server does not accept the sink's user and password")));
    for place in ["127.0.0.1", "localhost", "[::1]", "169.254.169.254"] {
        let mut strict = sink(&format!("nats://{place}:{}", server.port), "a");
        strict.allow_private = false;
        let attempt = open(&strict, SECRETS).unwrap().deliver(std::slice::from_ref(&event)).await.remove(0);
        let said = attempt.result.unwrap_err().to_string();
        assert!(said.contains("an admin can allow private addresses"), "{place}: {said}");
    }
}

#[tokio::test]
async fn over_tls_a_server_shows_a_certificate_that_is_trusted_for_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.path().join(name));
    fs::write(&certificate, certified.cert.pem()).unwrap();
    fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let tls = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?} }}\n{}", users());
    let Some(server) = Server::start(folder.path(), 0, &tls) else { return };
    let event = outgoing(&own_events().remove(0).1);
    let said = async |host: &str, ca: Option<String>| {
        let mut sink = sink(&format!("tls://{host}:{}", server.port), "hookwell");
        sink.allow_http = false;
        let Target::Nats(settings) = &mut sink.target else { unreachable!() };
        settings.ca_bundle = ca;
        let attempts = open(&sink, SECRETS).unwrap().deliver(std::slice::from_ref(&event)).await;
        attempts[0].result.clone().unwrap_err().to_string()
    };
    // A stream is not needed to see that the server was believed and believed us.
    assert_eq!(said("localhost", Some(certified.cert.pem())).await, "no stream takes the subject");
    assert_ne!(said("localhost", None).await, "no stream takes the subject");
    assert_ne!(said("127.0.0.1", Some(certified.cert.pem())).await, "no stream takes the subject");
}
