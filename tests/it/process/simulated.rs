//! A `hookwell simulate` in a process of its own.

use super::{BACKSTOP, hookwell};
use hookwell::gateway::loopback_client;
use reqwest::Client;
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{Arc, Mutex},
};

/// A simulated Azure DevOps that listens.
pub(crate) struct Simulation {
    child: Child,
    /// As a connection takes it.
    pub(crate) url: String,
    pub(crate) token: String,
    /// Scheme and authority, for the levers.
    origin: String,
    client: Client,
    said: Arc<Mutex<String>>,
}

impl Simulation {
    /// Starts it and waits until it says what to connect to.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_in(arguments, &[])
    }

    /// The same with more in its environment.
    pub(crate) fn start_in(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = hookwell(&["simulate", "--listen", "127.0.0.1:0"]);
        let mut child = command
            .args(arguments)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut after = |word: &str| {
            let found = lines.by_ref().find_map(|line| Some(line.trim().strip_prefix(word)?.trim().to_owned()));
            found.unwrap_or_else(|| panic!("it did not say its {word}"))
        };
        let (url, token) = (after("URL"), after("PAT"));
        let said = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&said);
        // Whoever fills a pipe that nobody reads is stuck.
        std::thread::spawn(move || lines.for_each(|line| kept.lock().unwrap().push_str(&(line + "\n"))));
        let origin = url::Url::parse(&url).unwrap().origin().ascii_serialization();
        Self { child, url, token, origin, client: loopback_client(BACKSTOP).unwrap(), said }
    }

    /// Pulls a lever: `POST /_simulator/{lever}`.
    pub(crate) async fn make_happen(&self, lever: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}/_simulator/{lever}", self.origin)).json(body);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Scheme and authority, for the levers.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// What it printed since it said what to connect to.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
