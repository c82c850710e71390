//! The front door over real sockets: every row of the answer table, and senders that misbehave.
//!
//! Azure DevOps retries 408, 502, 503 and 504 and gives a subscription up for almost everything else, so the answer to
//! each situation is part of the promise.

use super::{ADMIN_TOKEN, BACKSTOP, Hook, Mount, Process, may_mount, outcome};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::simulator::{Delivery, Organization};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn office() -> Organization {
    Organization::new("fabrikam", 1, "2026-11-04T08:00:00Z".parse().unwrap())
}

async fn start(flags: &[&str]) -> (tempfile::TempDir, Process, Hook) {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), flags);
    let hook = process.connect().await;
    (folder, process, hook)
}

async fn kept(process: &Process) -> usize {
    process.json("/v1/notifications?limit=100").await["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn whatever_is_authentic_is_answered_200_once_it_is_kept() {
    let (_folder, process, hook) = start(&[]).await;
    let mut office = office();
    let push = office.push("main");
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("new", push.body.clone(), "accepted"),
        ("the same again", push.body.clone(), "duplicate"),
        ("the Test button", office.test_button().body, "test"),
        ("an unknown type", office.unknown().body, "accepted"),
        ("cut in half", office.broken().body, "quarantined"),
        ("no JSON", b"hello".to_vec(), "quarantined"),
        ("JSON, but a list", b"[1,2]".to_vec(), "quarantined"),
        ("no bytes at all", Vec::new(), "quarantined"),
        ("not UTF-8", vec![b'{', 0xff, 0xfe, b'}'], "quarantined"),
        ("an empty object", b"{}".to_vec(), "accepted"),
        (
            "nulls everywhere",
            br#"{"eventType":null,"resource":null,"id":null,"subscriptionId":null}"#.to_vec(),
            "accepted",
        ),
        ("brackets without end", "[".repeat(100_000).into_bytes(), "quarantined"),
    ];
    let count = rows.len();
    for (what, body, expected) in rows {
        let (status, outcome) = outcome(hook.post(&process, body).await.unwrap()).await;
        assert_eq!((status, outcome.as_str()), (200, expected), "{what}");
    }
    assert_eq!(kept(&process).await, count - 1, "all but the duplicate are there to be seen");
    process.idle().await;
    let page = process.json("/v1/events?limit=100").await;
    assert_eq!(page["data"].as_array().unwrap().len(), 4, "what was accepted became one event each");
}

#[tokio::test]
async fn a_body_of_40_mib_is_answered_200_and_its_head_is_quarantined() {
    let (_folder, process, hook) = start(&[]).await;
    let body = format!("{{\"eventType\":\"git.push\",\"x\":\"{}\"}}", "y".repeat(40 << 20));
    let size = body.len();
    let (status, outcome) = outcome(hook.post(&process, body).await.unwrap()).await;
    assert_eq!((status, outcome.as_str()), (200, "quarantined"));
    let page = process.json("/v1/notifications?state=quarantined").await;
    assert_eq!(page["data"][0]["size_bytes"], json!(size));
}

#[tokio::test]
async fn a_chunked_body_is_as_good_as_any() {
    let (_folder, process, hook) = start(&[]).await;
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password));
    let mut request = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\ntransfer-encoding: chunked\r\n\
         connection: close\r\n\r\n",
        hook.path
    )
    .into_bytes();
    for chunk in office().push("main").body.chunks(100) {
        request.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    let mut stream = TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"accepted\""), "{answer}");
}

#[tokio::test]
async fn chunks_that_are_none_are_answered_400_and_nothing_of_them_is_kept() {
    let (_folder, process, hook) = start(&[]).await;
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password));
    for chunks in
        ["zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}--\r\n0\r\n\r\n", "2\r\n{}\r\n-1\r\n\r\n", "ffffffffffffffffff\r\n{}"]
    {
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\ntransfer-encoding: chunked\r\n\
             connection: close\r\n\r\n{chunks}",
            hook.path
        );
        let answer = answer_to(&process, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answer}");
    }
    assert_eq!(kept(&process).await, 0);
}

#[tokio::test]
async fn only_wrong_credentials_are_answered_401_and_nothing_of_them_is_kept() {
    let (_folder, process, hook) = start(&[]).await;
    let body = office().push("main").body;
    let wrong = |path: &str, user_name: &str, password: &str| Hook {
        path: path.to_owned(),
        user_name: user_name.to_owned(),
        password: password.to_owned(),
    };
    let elsewhere = "/hooks/azure-devops/00000000-0000-4000-8000-000000000000";
    for (what, hook) in [
        ("a wrong password", wrong(&hook.path, &hook.user_name, "wrong")),
        ("a cut password", wrong(&hook.path, &hook.user_name, &hook.password[1..])),
        ("another subscription's", wrong(&hook.path, "hookwell.other.1", &hook.password)),
        ("another generation's", wrong(&hook.path, "hookwell.manual.2", &hook.password)),
        ("a strange user name", wrong(&hook.path, "admin", &hook.password)),
        ("an unknown connection", wrong(elsewhere, &hook.user_name, &hook.password)),
        ("no connection", wrong("/hooks/azure-devops/%00", &hook.user_name, &hook.password)),
    ] {
        let response = hook.post(&process, body.clone()).await.unwrap();
        assert_eq!(response.status(), 401, "{what}");
        assert_eq!(response.headers()["www-authenticate"], "Basic realm=\"hookwell\"", "{what}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{what}");
    }
    let bare = process.client.post(format!("{}{}", process.base, hook.path)).body(body.clone()).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    for _ in 0..40 {
        assert_eq!(wrong(&hook.path, &hook.user_name, "x").post(&process, body.clone()).await.unwrap().status(), 401);
    }
    let (status, outcome) = outcome(hook.post(&process, body).await.unwrap()).await;
    assert_eq!((status, outcome.as_str()), (200, "accepted"), "the authentic sender does not pay for a stranger");
    assert_eq!(kept(&process).await, 1);
}

#[tokio::test]
async fn after_a_rotation_the_old_password_holds_until_the_overlap_ends() {
    for (hours, status) in [("1", 200), ("0", 401)] {
        let (_folder, process, hook) = start(&["--hook-overlap-hours", hours]).await;
        let id = hook.path.rsplit('/').next().unwrap();
        let request = process.client.post(format!("{}/v1/connections/{id}/rotate-hook-secret", process.base));
        let answer: Value = request.bearer_auth(ADMIN_TOKEN).send().await.unwrap().json().await.unwrap();
        let fresh = Hook {
            user_name: answer["hook"]["user_name"].as_str().unwrap().to_owned(),
            password: answer["hook"]["password"].as_str().unwrap().to_owned(),
            ..hook.clone()
        };
        assert_ne!(fresh.password, hook.password);
        let mut office = office();
        assert_eq!(fresh.deliver(&process, &office.push("main")).await.unwrap().status(), 200);
        assert_eq!(hook.deliver(&process, &office.push("main")).await.unwrap().status(), status, "{hours} h");
    }
}

#[tokio::test]
async fn slow_headers_are_closed_by_the_timeout() {
    let (_folder, process, _hook) = start(&["--header-timeout-seconds", "1"]).await;
    let mut stream = TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"POST /hooks/azure-devops/x HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(BACKSTOP, stream.read_to_end(&mut rest)).await;
    read.expect("the connection is closed").unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 2"));
}

#[tokio::test]
async fn a_sender_that_hangs_up_in_the_middle_leaves_nothing() {
    let (_folder, process, hook) = start(&[]).await;
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password));
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\ncontent-length: 100000\r\n\r\n{{\"id\":",
        hook.path
    );
    let mut stream = TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    drop(stream);
    let (status, _) = outcome(hook.deliver(&process, &office().push("main")).await.unwrap()).await;
    assert_eq!((status, kept(&process).await), (200, 1), "only the whole one");
}

#[tokio::test]
async fn a_thousand_idle_connections_keep_nobody_out() {
    let (_folder, process, hook) = start(&[]).await;
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        idle.push(TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap());
    }
    let mut office = office();
    for _ in 0..50 {
        assert_eq!(hook.deliver(&process, &office.push("main")).await.unwrap().status(), 200);
    }
    for stream in &idle {
        let read = stream.try_read(&mut [0; 1]);
        assert!(read.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock), "still open");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_answered_503_and_what_is_sent_again_is_kept_once() {
    let (_folder, process, hook) = start(&["--store-queue-entries-max", "1"]).await;
    let mut office = office();
    let deliveries: Vec<Delivery> = (0..300).map(|_| office.push("main")).collect();
    let answers = futures_util::future::join_all(deliveries.iter().map(|delivery| hook.deliver(&process, delivery)));
    let mut again = Vec::new();
    for (answer, delivery) in answers.await.into_iter().zip(&deliveries) {
        let answer = answer.unwrap();
        match answer.status().as_u16() {
            200 => {}
            503 => {
                assert!(answer.headers().contains_key("retry-after"));
                again.push(delivery);
            }
            other => panic!("{other}"),
        }
    }
    assert!(!again.is_empty(), "a queue of one was never full under 300 senders");
    for delivery in again {
        assert_eq!(hook.deliver(&process, delivery).await.unwrap().status(), 200, "once drained");
    }
    process.idle().await;
    let mut ids = BTreeSet::new();
    let mut next = String::new();
    loop {
        let page = process.json(&format!("/v1/events?limit=100{next}")).await;
        let data = page["data"].as_array().unwrap();
        if data.is_empty() {
            break;
        }
        ids.extend(data.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        next = format!("&after={}", page["next"].as_str().unwrap());
    }
    assert_eq!(ids.len(), 300);
}

#[tokio::test]
async fn a_full_disk_is_answered_503_readyz_says_why_and_it_recovers_by_itself() {
    if !may_mount("a full disk") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let _small = Mount::new(&["-t", "tmpfs", "-o", "size=64m", "none"], folder.path());
    let data_dir = folder.path().join("data");
    let process = Process::start(&data_dir, &["--store-free-bytes-min", "20000000"]);
    let hook = process.connect().await;
    let mut office = office();
    assert_eq!(hook.deliver(&process, &office.push("main")).await.unwrap().status(), 200);

    let ballast = folder.path().join("ballast");
    std::fs::write(&ballast, vec![0; 50_000_000]).unwrap();
    let refused = office.push("main");
    let response = hook.deliver(&process, &refused).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let ready = process.client.get(format!("{}/readyz", process.base)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let reason = ready.text().await.unwrap();
    assert!(reason.contains("space") || reason.contains("free"), "{reason}");

    for _ in 0..100 {
        assert_eq!(hook.deliver(&process, &refused).await.unwrap().status(), 503);
    }
    std::fs::remove_file(&ballast).unwrap();
    let recovered = async {
        while hook.deliver(&process, &refused).await.unwrap().status() != 200 {
            tokio::task::yield_now().await;
        }
        while process.client.get(format!("{}/readyz", process.base)).send().await.unwrap().status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BACKSTOP, recovered).await.expect("it recovers without a restart");
    assert_eq!(kept(&process).await, 2);
    let (_, log) = process.stop_with_log();
    let lines = log.lines().filter(|line| line.contains("cannot be stored now")).count();
    assert!((1..=3).contains(&lines), "it is said, and not each time:\n{log}");
}

/// The answer to a request that is sent as it stands, up to the end of the connection.
async fn answer_to(process: &Process, request: &str) -> String {
    let mut stream = TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(BACKSTOP, stream.read_to_end(&mut answer)).await;
    read.expect("the connection is closed").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn requests_whose_form_is_in_doubt_are_problems_that_are_counted_and_not_logged() {
    let (_folder, process, _hook) = start(&[]).await;
    for (status, request) in [
        (405, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n"),
        (400, "GET a:80 HTTP/1.1\r\nHost: a:80\r\nConnection: close\r\n\r\n"),
        (400, "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"),
        (400, "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n"),
        (501, "POST /hooks/azure-devops/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ] {
        let answer = answer_to(&process, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("urn:hookwell:problem:"), "{answer}");
    }
    let request = process.client.get(format!("{}/metrics", process.base)).bearer_auth(ADMIN_TOKEN);
    let figures = request.send().await.unwrap().text().await.unwrap();
    assert!(figures.contains("hookwell_http_replies_total{method=\"other\",status=\"405\"} 1"), "{figures}");
    assert!(figures.contains("{method=\"GET\",status=\"400\"} 3"), "{figures}");
    assert!(figures.contains("{method=\"POST\",status=\"501\"} 1"), "{figures}");
    let (_, log) = process.stop_with_log();
    for word in ["WARN", "ERROR", "panicked"] {
        assert!(!log.contains(word), "{log}");
    }
}

/// RFC 9112, 6.1: the coding overrides the length, and the connection must be closed after such a request.
#[tokio::test]
async fn a_length_beside_a_coding_hides_no_second_request() {
    let (_folder, process, _hook) = start(&[]).await;
    let hidden = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    let body = format!("0\r\n\r\n{hidden}");
    for framing in
        ["Content-Length: 44\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 44"]
    {
        let request = format!("POST /healthz HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}");
        let answer = answer_to(&process, &request).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_drips_is_answered_503_when_the_patience_is_over() {
    let (_folder, process, hook) = start(&["--header-timeout-seconds", "2"]).await;
    let credentials = BASE64_STANDARD.encode(format!("{}:{}", hook.user_name, hook.password));
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\ncontent-length: 100000\r\n\r\n",
        hook.path
    );
    let stream = TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    write.write_all(head.as_bytes()).await.unwrap();
    let dripping = async {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    };
    let mut answer = vec![0; 12];
    tokio::select! {
        read = tokio::time::timeout(BACKSTOP, read.read_exact(&mut answer)) => drop(read.expect("it is answered").unwrap()),
        () = dripping => panic!("it was closed without a word"),
    }
    assert_eq!(answer, b"HTTP/1.1 503");
}

/// One reset in the middle of an HTTP/2 connection was a warning each.
#[tokio::test]
async fn a_stranger_that_resets_its_connection_writes_nothing_into_the_log() {
    let (_folder, process, _hook) = start(&[]).await;
    for _ in 0..20 {
        let mut stream = TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap();
        // A preface, SETTINGS, and an answer to a ping that nobody sent.
        let mut wire = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        wire.extend([0, 0, 0, 4, 0, 0, 0, 0, 0]);
        wire.extend([0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        // RST_STREAM for a stream that was never opened ends the connection.
        wire.extend([0, 0, 4, 3, 0, 0, 0, 0, 9, 0, 0, 0, 8]);
        stream.write_all(&wire).await.unwrap();
        let _ = tokio::time::timeout(BACKSTOP, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    }
    let (_, log) = process.stop_with_log();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[tokio::test]
async fn a_stop_finishes_what_was_accepted_and_exits_0() {
    let (folder, process, hook) = start(&[]).await;
    let mut office = office();
    for _ in 0..20 {
        assert_eq!(hook.deliver(&process, &office.push("main")).await.unwrap().status(), 200);
    }
    let idle = TcpStream::connect(process.base.trim_start_matches("http://")).await.unwrap();
    assert_eq!(process.stop(), Some(0), "an idle connection does not hold it up");
    drop(idle);
    let process = Process::start(folder.path(), &[]);
    process.idle().await;
    assert_eq!(kept(&process).await, 20);
}
