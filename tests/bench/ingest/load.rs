//! The sender: keep-alive connections that each post one notification after the other, every one unique.

use crate::server::{Server, Usage};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::simulator::Organization;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};

/// Stands wherever a payload must be unique; ten digits, so that it can be patched in place.
const SENTINEL: u64 = 7_777_777_777;
/// Of the first notification that a gateway gets.
pub(crate) const FIRST_NUMBER: u64 = 1_000_000_000;
/// Far above any answer.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// What was measured.
pub(crate) struct Report {
    pub(crate) accepted: u64,
    pub(crate) errors: u64,
    elapsed: Duration,
    /// Sorted, in microseconds.
    latencies_us: Vec<u32>,
    sent_bytes: u64,
    cpu: Option<Duration>,
    written_bytes: Option<u64>,
}

impl Report {
    pub(crate) const HEAD: &str =
        "what          conns  accepted/s   p50 ms   p99 ms  errors  CPU µs each  written/received";

    pub(crate) fn new(elapsed: Duration, mut latencies_us: Vec<u32>, errors: u64, sent_bytes: u64) -> Self {
        latencies_us.sort_unstable();
        let accepted = latencies_us.len() as u64;
        Self { accepted, errors, elapsed, latencies_us, sent_bytes, cpu: None, written_bytes: None }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.elapsed.as_secs_f64()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.accepted as f64 / self.seconds()
    }

    pub(crate) fn spent(&mut self, before: &Usage, after: &Usage) {
        self.cpu = Some(after.cpu.saturating_sub(before.cpu));
        self.written_bytes = Some(after.written_bytes.saturating_sub(before.written_bytes));
    }

    pub(crate) fn wrote(&mut self, bytes: u64) {
        self.written_bytes = Some(bytes);
    }

    fn quantile_ms(&self, quantile: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
        let at = ((self.latencies_us.len() as f64 * quantile) as usize).min(self.latencies_us.len().saturating_sub(1));
        self.latencies_us.get(at).map_or(0.0, |us| f64::from(*us) / 1e3)
    }

    pub(crate) fn line(&self, what: &str, concurrency: usize) -> String {
        let or_dash = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let cpu = self.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / self.accepted.max(1) as f64);
        let written = self.written_bytes.map(|bytes| bytes as f64 / self.sent_bytes.max(1) as f64);
        format!(
            "{what:<13} {concurrency:>5} {:>11.0} {:>8.2} {:>8.2} {:>7} {:>12} {:>17}",
            self.per_second(),
            self.quantile_ms(0.50),
            self.quantile_ms(0.99),
            self.errors,
            or_dash(cpu),
            or_dash(written),
        )
    }
}

/// Stands for a hex digit that is another one in every payload: a payload that is all alike would be compressed away, and
/// the figures would say nothing. What is new in a real one (object names, ids, what people wrote) is new here.
const NEW_DIGIT: char = '^';
/// New digits in what a person wrote, in words of ten.
const NEW_WORDS: usize = 24;

/// A payload with the places that make it unique.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) bytes: Vec<u8>,
    /// Where the number stands.
    places: Vec<usize>,
    /// Where new digits stand.
    digits: Vec<usize>,
}

impl Template {
    /// Pushes of 4 KiB and builds of 5, behind `head` (which may name the body's length as `LENGTH`).
    pub(crate) fn all(head: &str) -> Vec<Self> {
        let mut office = Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().expect("a timestamp"));
        let sha = format!("{}{SENTINEL}", "^".repeat(30));
        let words = format!("{} ", "^".repeat(10)).repeat(NEW_WORDS);
        let mut push: Value = serde_json::from_slice(&office.push("main").body).expect("JSON");
        push["resource"]["refUpdates"][0]["newObjectId"] = json!(sha);
        push["resource"]["commits"][0]["commitId"] = json!(sha);
        push["resource"]["pushId"] = json!(SENTINEL);
        push["resource"]["commits"][0]["comment"] = json!(words);
        let mut build: Value = serde_json::from_slice(&office.build(1, "succeeded").body).expect("JSON");
        build["resource"]["id"] = json!(SENTINEL);
        build["resource"]["sourceVersion"] = json!(sha);
        build["resource"]["triggerInfo"]["ci.message"] = json!(words);
        let mut templates = Vec::new();
        for mut payload in [push, build] {
            payload["notificationId"] = json!(SENTINEL);
            payload["id"] = json!(format!("^^^^^^^^-^^^^-4^^^-8^^^-00{SENTINEL}"));
            let body = payload.to_string();
            assert!((2_000..=6_144).contains(&body.len()), "{} bytes", body.len());
            let text = head.replace("LENGTH", &body.len().to_string()) + &body;
            let places = text.match_indices(&SENTINEL.to_string()).map(|(at, _)| at).collect();
            let digits = text.match_indices(NEW_DIGIT).map(|(at, _)| at).collect();
            templates.push(Self { bytes: text.into_bytes(), places, digits });
        }
        templates
    }

    /// Makes it the payload with this number.
    pub(crate) fn number(&mut self, number: u64) {
        let digits = format!("{number:010}");
        // A JSON number does not begin with 0.
        let digits = digits.replacen('0', "1", usize::from(digits.starts_with('0')));
        for place in &self.places {
            self.bytes[*place..*place + digits.len()].copy_from_slice(digits.as_bytes());
        }
        // Any mixing will do: a digit must not be foreseeable by a compressor, that is all.
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for place in &self.digits {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            self.bytes[*place] = b"0123456789abcdef"[usize::try_from(state >> 60).expect("four bits")];
        }
    }
}

/// Where to send, and when to stop.
pub(crate) struct Load {
    address: std::net::SocketAddr,
    templates: Vec<Template>,
    next: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn bare(server: &Server) -> Self {
        Self::new(server, "POST / HTTP/1.1\r\nhost: x\r\n")
    }

    pub(crate) fn gateway(server: &Server) -> Self {
        let (path, user_name, password) = &server.hook;
        let credentials = BASE64_STANDARD.encode(format!("{user_name}:{password}"));
        Self::new(server, &format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\n"))
    }

    fn new(server: &Server, head: &str) -> Self {
        let head = format!("{head}content-type: application/json; charset=utf-8\r\ncontent-length: LENGTH\r\n\r\n");
        Self { address: server.address, templates: Template::all(&head), next: Arc::clone(&server.sent) }
    }

    /// Sends for `duration`.
    pub(crate) async fn run(&self, concurrency: usize, duration: Duration) -> Report {
        let until = Instant::now() + duration;
        self.go(concurrency, move |_| Instant::now() < until).await
    }

    /// Sends `count` notifications.
    pub(crate) async fn run_count(&self, concurrency: usize, count: u64) -> Report {
        let first = self.next.load(Ordering::Relaxed);
        self.go(concurrency, move |number| number < first + count).await
    }

    /// Sends one of the notifications from the first on again, over a connection of its own.
    pub(crate) async fn duplicate(&self, number: u64) -> Duration {
        let number = FIRST_NUMBER + number;
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a TCP option");
        let mut template =
            self.templates[usize::try_from(number).expect("a small number") % self.templates.len()].clone();
        template.number(number);
        let (mut answer, began) = (vec![0; ANSWER_BYTES_MAX], Instant::now());
        stream.write_all(&template.bytes).await.expect("the server reads");
        assert!(exchange(&mut stream, &mut answer).await, "a duplicate is accepted");
        let cost = began.elapsed();
        assert!(answer.windows(11).any(|text| text == b"\"duplicate\""), "it was there before");
        cost
    }

    async fn go(&self, concurrency: usize, more: impl Fn(u64) -> bool + Clone + Send + 'static) -> Report {
        let began = Instant::now();
        let senders: Vec<_> = (0..concurrency)
            .map(|_| {
                let (address, templates, next) = (self.address, self.templates.clone(), Arc::clone(&self.next));
                tokio::spawn(sender(address, templates, next, more.clone()))
            })
            .collect();
        let (mut latencies, mut errors, mut bytes) = (Vec::new(), 0, 0);
        for sender in senders {
            let (theirs, failed, sent) = sender.await.expect("a sender does not panic");
            latencies.extend(theirs);
            errors += failed;
            bytes += sent;
        }
        Report::new(began.elapsed(), latencies, errors, bytes)
    }
}

async fn sender(
    address: std::net::SocketAddr,
    mut templates: Vec<Template>,
    next: Arc<AtomicU64>,
    more: impl Fn(u64) -> bool,
) -> (Vec<u32>, u64, u64) {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("a TCP option");
    let (mut latencies, mut errors, mut bytes) = (Vec::new(), 0, 0);
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if !more(number) {
            return (latencies, errors, bytes);
        }
        let count = templates.len() as u64;
        let template = &mut templates[usize::try_from(number % count).expect("a small number")];
        template.number(number);
        let began = Instant::now();
        stream.write_all(&template.bytes).await.expect("the server reads");
        bytes += template.bytes.len() as u64;
        if exchange(&mut stream, &mut answer).await {
            latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        } else {
            errors += 1;
            time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Reads one answer; whether it was a 200.
async fn exchange(stream: &mut TcpStream, answer: &mut [u8]) -> bool {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut answer[filled..]).await.expect("the server answers");
        assert!(read > 0, "the server hung up");
        filled += read;
        let text = &answer[..filled];
        let Some(head) = text.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let headers = std::str::from_utf8(&text[..head]).expect("ASCII headers");
        let length = headers
            .lines()
            .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")))
            .map_or(0, |(_, value)| value.trim().parse::<usize>().expect("a length"));
        if filled >= head + 4 + length {
            return text.starts_with(b"HTTP/1.1 200");
        }
    }
}
