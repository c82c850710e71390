//! `hookwell simulate` as a person starts it.

use super::BACKSTOP;
use hookwell::gateway::loopback_client;
use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

/// Killed when the test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it on a port of its own; what it says until it has said the URL and the token.
fn start(arguments: &[&str]) -> (Running, String, String, impl Iterator<Item = String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookwell"));
    command.args(["simulate", "--listen", "127.0.0.1:0", "--log", "warn"]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut named = |name: &str| {
        let line = lines.by_ref().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.trim().strip_prefix(name).unwrap().trim().to_owned()
    };
    let (url, token) = (named("URL"), named("PAT"));
    (Running(child), url, token, lines)
}

#[tokio::test]
async fn it_says_what_to_connect_to_and_what_it_is_asked() {
    let (_running, url, token, mut lines) = start(&[]);
    assert!(url.ends_with("/fabrikam"), "{url}");
    let client = loopback_client(BACKSTOP).unwrap();
    let projects = client.get(format!("{url}/_apis/projects")).basic_auth("", Some(&token)).send().await.unwrap();
    assert_eq!(projects.status(), 200);
    assert!(lines.any(|line| line.starts_with("GET /fabrikam/_apis/projects") && line.ends_with("200")));
    let lever = url.replace("/fabrikam", "/_simulator/push");
    assert_eq!(client.post(lever).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_server_lies_below_its_virtual_directory_and_wants_its_headers() {
    let arguments = ["--server", "--version", "2020", "--virtual-directory", "tfs", "--require-header", "X-Door: 7"];
    let (_running, url, token, _lines) = start(&arguments);
    assert!(url.ends_with("/tfs/DefaultCollection"), "{url}");
    let client = loopback_client(BACKSTOP).unwrap();
    let path = format!("{url}/_apis/connectionData?api-version=6.0-preview");
    let get = || client.get(&path).basic_auth("", Some(&token));
    assert_eq!(get().send().await.unwrap().status(), 403);
    assert_eq!(get().header("x-door", "7").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_busy_one_works_by_itself() {
    let (_running, url, _token, _lines) = start(&["--busy"]);
    let state = url.replace("/fabrikam", "/_simulator/state");
    let client = loopback_client(BACKSTOP).unwrap();
    let deadline = std::time::Instant::now() + BACKSTOP;
    loop {
        let text = client.get(&state).send().await.unwrap().text().await.unwrap();
        if text.contains("busy/0") {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "nobody works there: {text}");
        tokio::task::yield_now().await;
    }
}

#[test]
fn its_help_lists_the_levers() {
    let help = Command::new(env!("CARGO_BIN_EXE_hookwell")).args(["simulate", "--help"]).output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    for (route, _) in hookwell::simulator::ADMIN_ROUTES {
        assert!(text.contains(route), "{route}");
    }
}
