//! Strangers that hold connections in every way that costs them nothing: Azure DevOps gets in all the while, and the
//! gateway's memory stays what ARCHITECTURE.md says.
//!
//! In the suite they are few, and the gateway takes no more connections than there are strangers; `make strangers` asks
//! for 4,096 of each kind and holds them for longer than any wait may last.

use super::{BACKSTOP, Hook, Process, holding::Way, tls};
use hookwell::{azure::client::use_ring, simulator::Organization};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::Barrier,
    task::JoinSet,
};

/// Strangers of one kind in the suite.
const STRANGERS: usize = 256;
/// Deliveries while they hold their connections; at full length for so long.
const DELIVERIES: usize = 10;
const FULL_LENGTH: Duration = Duration::from_secs(45);
/// The addresses that they come from: more than one, because no address may have all the connections.
const ADDRESSES: usize = 8;
/// The bounds that ARCHITECTURE.md states: of the process, and of each hostile connection.
const OWN_BYTES: usize = 80 << 20;
const CONNECTION_BYTES: usize = 80 << 10;
/// How long Azure DevOps may have to wait. A second is promised; the suite's machine may be busy with other tests.
const LATENCY_MAX: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_keeps_nobody_out() {
    besieged(Way::Nothing, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_to_speak_http_2_and_stops_keeps_nobody_out() {
    besieged(Way::HalfAPreface, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_half_a_request_line_keeps_nobody_out() {
    besieged(Way::HalfALine, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_large_header_slowly_keeps_nobody_out() {
    besieged(Way::SlowHeader, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_drips_an_authentic_body_keeps_nobody_out() {
    besieged(Way::DrippingBody, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_a_large_reply_keeps_nobody_out() {
    besieged(Way::NotReading, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_no_window_for_many_replies_keeps_nobody_out() {
    besieged(Way::NoWindow, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_pings_keeps_nobody_out() {
    besieged(Way::Pinging, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_finish_the_handshake_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    tls::write_certificate(folder.path(), "localhost");
    let [cert, key] = tls::files(&folder);
    for way in [Way::Nothing, Way::HalfAHandshake] {
        besieged(way, &["--tls-cert", &cert, "--tls-key", &key]).await;
    }
}

/// Whoever makes the gateway wait for longer than it may is closed, also while there is room for all.
#[tokio::test(flavor = "multi_thread")]
async fn every_wait_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["--header-timeout-seconds", "1"]);
    let hook = process.connect().await;
    let address = address(&process);
    let (mut strangers, here) = (JoinSet::new(), Arc::new(Barrier::new(Way::PLAIN.len() + 1)));
    for way in Way::PLAIN {
        let (hook, here) = (hook.clone(), Arc::clone(&here));
        strangers.spawn(async move {
            let stream = connect(address, 0).await.unwrap();
            here.wait().await;
            way.hold(stream, &hook).await;
        });
    }
    here.wait().await;
    let closed = async {
        // The one that is left is ours, which asks.
        while open_connections(&process).await > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BACKSTOP, closed).await.expect("all of them are closed");
    let closed = figure(&process, "hookwell_http_connections_closed_total{why=\"waited\"} ").await;
    assert!(
        closed >= u64::try_from(Way::PLAIN.len()).unwrap() - 1,
        "all but the body that drips are counted: {closed}"
    );
}

#[tokio::test]
async fn as_many_files_may_be_open_as_the_connections_need_or_it_says_how_many_it_takes() {
    for (limits, warning) in [("ulimit -Sn 256", None), ("ulimit -n 300", Some("so at most 152 are taken"))] {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{limits} && exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \"$1\"")]);
        shell.arg(env!("CARGO_BIN_EXE_hookwell")).arg(folder.path());
        let process = Process::run(shell);
        let files = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
        let line = files.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let soft: u64 = line.split_whitespace().nth(3).unwrap().parse().unwrap();
        assert_eq!(soft, if warning.is_some() { 300 } else { 4_096 + 512 + 128 });
        let (_, log) = process.stop_with_log();
        assert_eq!(log.contains("open files"), warning.is_some(), "{log}");
        assert!(warning.is_none_or(|warning| log.contains(warning)), "{log}");
    }
}

/// So many strangers, and Azure DevOps among them.
async fn besieged(way: Way, flags: &[&str]) {
    let full = std::env::var("HOOKWELL_STRANGERS").ok().map(|text| text.parse().unwrap());
    let count: usize = full.unwrap_or(STRANGERS);
    allow_descriptors(u64::try_from(count).unwrap() * 2 + 1_000);
    let folder = tempfile::tempdir().unwrap();
    let max = count.to_string();
    let process = Arc::new(Process::start(folder.path(), &[flags, &["--connections-max", &max]].concat()));
    // With a credential one can use up its own connection's share: the others must not notice.
    let (known, hook) = (process.connect().await, process.connect().await);
    let before = resident_bytes(&process);

    let (address, held) = (address(&process), Arc::new(AtomicUsize::new(0)));
    let mut strangers = JoinSet::new();
    for number in 0..count {
        let (known, held) = (known.clone(), Arc::clone(&held));
        strangers.spawn(async move {
            // Whoever is closed comes back: that is the least that a hostile one does.
            loop {
                if let Ok(stream) = connect(address, number).await {
                    held.fetch_add(1, Ordering::Relaxed);
                    way.hold(stream, &known).await;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    let all = async {
        while held.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BACKSTOP, all).await.expect("all of them have connected once");

    let (began, mut office) =
        (Instant::now(), Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap()));
    let (mut made, mut slowest, mut most) = (0, Duration::ZERO, 0);
    while made < DELIVERIES || (full.is_some() && began.elapsed() < FULL_LENGTH) {
        let asked = Instant::now();
        let answer = fresh(&process, &hook).deliver(&office.push("main").body).await;
        assert_eq!(answer, Some(200), "{way:?}, after {:?}", began.elapsed());
        slowest = slowest.max(asked.elapsed());
        most = most.max(resident_bytes(&process));
        made += 1;
        if full.is_some() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let per_connection = most.saturating_sub(before) / count;
    eprintln!(
        "{way:?}{}: {count} strangers, {made} deliveries, slowest {slowest:?}, resident {} MiB before, {} MiB at most, \
         {per_connection} bytes each",
        if flags.is_empty() { "" } else { " (TLS)" },
        before >> 20,
        most >> 20,
    );
    assert!(slowest < LATENCY_MAX, "{way:?}: {slowest:?}");
    assert!(most <= OWN_BYTES + count * CONNECTION_BYTES, "{way:?}: {} MiB resident", most >> 20);
}

/// Azure DevOps with a connection of its own for each delivery.
struct Fresh<'a> {
    client: reqwest::Client,
    process: &'a Process,
    hook: &'a Hook,
}

fn unpooled() -> reqwest::Client {
    use_ring();
    let client = reqwest::Client::builder().timeout(BACKSTOP).no_proxy().danger_accept_invalid_certs(true);
    client.pool_max_idle_per_host(0).build().unwrap()
}

fn fresh<'a>(process: &'a Process, hook: &'a Hook) -> Fresh<'a> {
    Fresh { client: unpooled(), process, hook }
}

impl Fresh<'_> {
    async fn deliver(&self, body: &[u8]) -> Option<u16> {
        let request = self.client.post(format!("{}{}", self.process.base, self.hook.path)).body(body.to_vec());
        let sent = request.basic_auth(&self.hook.user_name, Some(&self.hook.password)).send().await;
        sent.inspect_err(|error| eprintln!("{error:?}")).ok().map(|reply| reply.status().as_u16())
    }
}

fn address(process: &Process) -> SocketAddr {
    process.base.rsplit('/').next().unwrap().parse().unwrap()
}

/// From another address than Azure DevOps, with as little room for what it is sent as the system allows.
async fn connect(to: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    let host = 2 + u8::try_from(number % ADDRESSES).unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    socket.connect(to).await
}

async fn open_connections(process: &Process) -> u64 {
    figure(process, "hookwell_http_connections ").await
}

/// Over a connection of its own: those that a client keeps would be counted too.
async fn figure(process: &Process, name: &str) -> u64 {
    let request = unpooled().get(format!("{}/metrics", process.base)).bearer_auth(super::ADMIN_TOKEN);
    let text = request.send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

fn resident_bytes(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// The strangers' own ends are descriptors of this process.
fn allow_descriptors(count: u64) {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_some_and(|current| current < count) {
        assert!(now.maximum.is_none_or(|maximum| maximum >= count), "the tests may not open {count} files");
        setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum: now.maximum }).unwrap();
    }
}
