//! The real binary: started, spoken to over sockets, stopped, killed.

mod backfill;
mod command_line;
mod corpus;
mod crash;
mod damaged;
mod doctor;
mod doors;
mod gone;
mod holding;
mod package;
mod replay;
mod resume;
mod secrets;
mod simulate;
mod simulated;
mod sinks;
mod strangers;
mod survey;
mod tls;
mod walkthrough;

use hookwell::{
    gateway::loopback_client,
    simulator::{Delivery, Organization},
};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread::JoinHandle,
    time::Duration,
};

/// The token that every process here is started with.
pub(crate) const ADMIN_TOKEN: &str = "an-admin-token-for-the-tests";
/// A backstop for what must not hang; no test waits for it when all is well.
const BACKSTOP: Duration = Duration::from_mins(1);

/// `hookwell` with nothing of this environment's settings.
pub(crate) fn hookwell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKWELL_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A `hookwell serve` that listens.
pub(crate) struct Process {
    child: Child,
    /// Everything it logs, once it has ended.
    log: Option<JoinHandle<String>>,
    pub(crate) base: String,
    pub(crate) client: Client,
}

impl Process {
    /// Starts it on `data_dir` and waits until it says where it listens.
    pub(crate) fn start(data_dir: &Path, flags: &[&str]) -> Self {
        Self::start_in(data_dir, flags, &[])
    }

    /// The same with more in its environment.
    pub(crate) fn start_in(data_dir: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = hookwell(&["serve", "--data-dir", data_dir.to_str().unwrap()]);
        if !flags.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args(flags).envs(environment.iter().copied());
        Self::run(command)
    }

    /// Runs the command, and waits until it says where it listens.
    pub(crate) fn run(mut command: Command) -> Self {
        command.env("HOOKWELL_ADMIN_TOKEN", ADMIN_TOKEN);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut seen = String::new();
        let base = loop {
            let Some(Ok(line)) = lines.next() else { panic!("it did not start:\n{seen}") };
            seen.push_str(&line);
            seen.push('\n');
            if let Some((_, rest)) = line.split_once("listening; ") {
                break rest.split("/docs").next().unwrap().to_owned();
            }
        };
        // Whoever fills a pipe that nobody reads is stuck.
        let log = std::thread::spawn(move || lines.map_while(Result::ok).fold(seen, |log, line| log + &line + "\n"));
        Self { child, log: Some(log), base, client: loopback_client(BACKSTOP).unwrap() }
    }

    /// SIGTERM; answers the exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        self.stop_with_log().0
    }

    /// SIGTERM; answers the exit code and everything that was logged.
    pub(crate) fn stop_with_log(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        (code, self.log.take().unwrap().join().unwrap())
    }

    /// SIGKILL: it has no time for anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let request = self.client.get(format!("{}{path}", self.base)).bearer_auth(ADMIN_TOKEN);
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Waits until every notification has been translated.
    pub(crate) async fn idle(&self) {
        let backlog = async || {
            let request = self.client.get(format!("{}/metrics", self.base)).bearer_auth(ADMIN_TOKEN);
            let text = request.send().await.unwrap().text().await.unwrap();
            let line = text.lines().find(|line| line.starts_with("hookwell_translate_backlog ")).unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        };
        let waiting = async {
            while backlog().await != "0" {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BACKSTOP, waiting).await.expect("translation catches up");
    }

    /// Makes a connection to the simulated organization.
    pub(crate) async fn connect(&self) -> Hook {
        let body = json!({"name": "Fabrikam", "url": Organization::new("fabrikam", 0, jiff::Timestamp::UNIX_EPOCH).url(), "hooks": "manual"});
        let request = self.client.post(format!("{}/v1/connections", self.base)).bearer_auth(ADMIN_TOKEN).json(&body);
        let answer: Value = request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap();
        let text = |member: &str| answer["hook"][member].as_str().unwrap().to_owned();
        let path = text("url").split_once("/hooks/").unwrap().1.to_owned();
        Hook { path: format!("/hooks/{path}"), user_name: text("user_name"), password: text("password") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where and how a hook delivers.
#[derive(Clone)]
pub(crate) struct Hook {
    pub(crate) path: String,
    pub(crate) user_name: String,
    pub(crate) password: String,
}

impl Hook {
    pub(crate) async fn deliver(&self, process: &Process, delivery: &Delivery) -> reqwest::Result<Response> {
        self.post(process, delivery.body.clone()).await
    }

    pub(crate) async fn post(&self, process: &Process, body: impl Into<reqwest::Body>) -> reqwest::Result<Response> {
        let request = process.client.post(format!("{}{}", process.base, self.path));
        request.basic_auth(&self.user_name, Some(&self.password)).body(body).send().await
    }
}

/// What a reply to a delivery says.
pub(crate) async fn outcome(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let answer: Value = response.json().await.unwrap();
    (status, answer["outcome"].as_str().unwrap_or_default().to_owned())
}

/// Whether this machine lets us mount; says loudly what is not tested when it does not.
pub(crate) fn may_mount(what: &str) -> bool {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !root {
        eprintln!("SKIPPED, not tested here for want of root: {what}");
    }
    root
}

/// A file system of its own, gone with the value.
pub(crate) struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    pub(crate) fn new(arguments: &[&str], at: &'a Path) -> Self {
        assert!(Command::new("mount").args(arguments).arg(at).status().unwrap().success());
        Self(at)
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", "-q"]).arg(self.0).status();
    }
}
