//! NATS that wants to know who we are: the real binary against a real server, with secrets that are nowhere to be read.

use super::nats::Server;
use crate::process::{ADMIN_TOKEN, Hook, Process};
use async_nats::ConnectOptions;
use hookwell::simulator::Organization;
use serde_json::{Value, json};

const PASSWORD: &str = "a-planted-password-of-nats";
const TOKEN: &str = "a-planted-token-of-nats";
const WRONG: &str = "a-planted-secret-that-is-wrong";

/// What is asked of a process, and every reply as it came.
struct Client<'a> {
    process: &'a Process,
    replies: String,
}

impl Client<'_> {
    async fn ask(&mut self, method: &str, path: &str, body: &Value) -> Value {
        let request = self.process.client.request(method.parse().unwrap(), format!("{}{path}", self.process.base));
        let request = request.bearer_auth(ADMIN_TOKEN).header("if-match", "*").json(body);
        let text = request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
        self.replies.push_str(&text);
        serde_json::from_str(&text).unwrap()
    }

    async fn look(&mut self, path: &str) -> Value {
        let text = self.process.json(path).await;
        self.replies.push_str(&text.to_string());
        text
    }

    /// Waits until the sink has an attempt for the event of this number, from 0; answers its last one.
    async fn attempt(&mut self, sink: &str, event: usize) -> Value {
        loop {
            let events = self.look("/v1/events?limit=100").await;
            if let Some(id) = events["data"][event]["id"].as_str() {
                let found = self.look(&format!("/v1/sinks/{sink}/deliveries?event={id}")).await;
                if let Some(attempt) = found["data"][0]["attempts"].as_array().unwrap().last() {
                    return attempt.clone();
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn push(process: &Process, hook: &Hook, office: &mut Organization) {
    assert_eq!(hook.deliver(process, &office.push("main")).await.unwrap().status(), 200);
}

/// With wrong credentials nothing arrives and it is said why; with right ones it does.
async fn holds(authorization: &str, owner: ConnectOptions, wrong: Value, right: Value, said: &str) {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path(), 0, authorization) else { return };
    let (_context, mut stream) = server.stream_as(owner, &["hookwell.>"]).await;
    let process = Process::start(&folder.path().join("data"), &["--log", "trace"]);
    let hook = process.connect().await;
    let mut office = Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap());
    let mut client = Client { process: &process, replies: String::new() };
    let mut settings =
        json!({ "servers": [format!("nats://127.0.0.1:{}", server.port)], "subject": "hookwell.{type}" });
    settings.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
    let body = json!({
        "name": "nats", "kind": "nats", "settings": settings, "allow_private": true, "allow_http": true,
    });
    let sink = client.ask("POST", "/v1/sinks", &body).await["id"].as_str().unwrap().to_owned();
    push(&process, &hook, &mut office).await;
    let attempt = client.attempt(&sink, 0).await;
    assert_eq!((&attempt["left"], &attempt["detail"]), (&json!("waiting"), &json!(said)), "{attempt}");
    let tried = client.ask("POST", &format!("/v1/sinks/{sink}/test"), &json!({})).await;
    assert_eq!((&tried["data"][0]["delivered"], &tried["data"][0]["detail"]), (&json!(false), &json!(said)), "{tried}");
    assert_eq!(stream.info().await.unwrap().state.messages, 0);

    client.ask("PATCH", &format!("/v1/sinks/{sink}"), &json!({ "settings": right })).await;
    push(&process, &hook, &mut office).await;
    assert_eq!(client.attempt(&sink, 1).await["left"], "delivered");
    assert_eq!(client.attempt(&sink, 0).await["left"], "delivered", "what waited is tried at once");
    assert_eq!(stream.info().await.unwrap().state.messages, 2);
    client.look(&format!("/v1/sinks/{sink}")).await;
    let (replies, (_, log)) = (client.replies, process.stop_with_log());
    for secret in [PASSWORD, TOKEN, WRONG] {
        assert!(!replies.contains(secret) && !log.contains(secret), "{secret} is to be read");
    }
    assert!(log.contains("event: connected"), "the client of NATS logs what it does");
}

#[tokio::test]
async fn a_user_and_password_are_what_lets_us_in_and_are_seen_nowhere() {
    let authorization = format!("authorization {{ users = [ {{ user: ada, password: {PASSWORD:?} }} ] }}");
    let owner = || ConnectOptions::new().user_and_password("ada".to_owned(), PASSWORD.to_owned());
    let right = json!({ "user": "ada", "password": PASSWORD });
    let said = "the server does not accept the sink's user and password";
    holds(&authorization, owner(), json!({ "user": "ada", "password": WRONG }), right.clone(), said).await;
    let said = "the server wants to know who we are; give the sink a user with password, or a token";
    holds(&authorization, owner(), json!({}), right, said).await;
}

#[tokio::test]
async fn a_token_is_what_lets_us_in_and_is_seen_nowhere() {
    let authorization = format!("authorization {{ token: {TOKEN:?} }}");
    let owner = ConnectOptions::new().token(TOKEN.to_owned());
    let said = "the server does not accept the sink's token";
    holds(&authorization, owner, json!({ "token": WRONG }), json!({ "token": TOKEN }), said).await;
}
