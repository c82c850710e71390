//! What the process says, and how it ends, when it cannot do what it was told.

use super::{ADMIN_TOKEN, Mount, Process, hookwell, may_mount};
use std::{
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Output, Stdio},
};

fn serve(data_dir: &Path, flags: &[&str]) -> Output {
    let mut command = hookwell(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir.to_str().unwrap()]);
    command.args(flags).env("HOOKWELL_ADMIN_TOKEN", ADMIN_TOKEN).output().unwrap()
}

/// One line, with a reason, without a panic.
fn assert_one_clear_line(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    let last: Vec<&str> = text.lines().filter(|line| line.starts_with("hookwell: ")).collect();
    assert_eq!(last.len(), 1, "{text}");
    for word in words {
        assert!(last[0].contains(word), "{word} is not in: {}", last[0]);
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let output = hookwell(&["serve", "--listen", &address, "--data-dir", folder.path().to_str().unwrap()]).output();
    assert_one_clear_line(&output.unwrap(), 1, &["cannot listen on", &address]);
}

#[test]
fn a_data_directory_in_use_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let _process = Process::start(folder.path(), &[]);
    assert_one_clear_line(
        &serve(folder.path(), &[]),
        1,
        &["in use by another hookwell", folder.path().to_str().unwrap()],
    );
}

#[test]
fn a_data_directory_of_a_newer_release_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Process::start(folder.path(), &[]).stop(), Some(0));
    std::fs::write(folder.path().join("format"), "999\n").unwrap();
    assert_one_clear_line(&serve(folder.path(), &[]), 1, &["newer hookwell", "999"]);
}

#[test]
fn a_data_directory_that_is_a_file_or_damaged_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert_one_clear_line(&serve(&file, &[]), 1, &[file.to_str().unwrap()]);

    let damaged = folder.path().join("damaged");
    assert_eq!(Process::start(&damaged, &[]).stop(), Some(0));
    for part in ["journal", "state"] {
        std::fs::remove_dir_all(damaged.join(part)).unwrap();
    }
    assert_one_clear_line(&serve(&damaged, &[]), 1, &["damaged", "backup"]);
}

#[test]
fn a_missing_or_other_master_key_is_one_clear_line_and_no_new_one_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("master.key");
    assert_eq!(Process::start(folder.path(), &[]).stop(), Some(0));
    let text = std::fs::read_to_string(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    assert_one_clear_line(&serve(folder.path(), &[]), 1, &["master.key", "missing", "put it back"]);
    assert!(!key.exists());
    let other = hookwell(&["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()])
        .env("HOOKWELL_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
        .output();
    assert_one_clear_line(&other.unwrap(), 1, &["sealed under a master key that is not there", "give the old key"]);
    std::fs::write(&key, text).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(Process::start(folder.path(), &[]).stop(), Some(0));
}

#[test]
fn check_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let check = || hookwell(&["check", "--listen", "127.0.0.1:1", "--data-dir", data.to_str().unwrap()]).output();
    assert_one_clear_line(&check().unwrap(), 1, &["no store", data.to_str().unwrap()]);
    assert!(!data.exists());
    assert_eq!(Process::start(&data, &[]).stop(), Some(0));
    let key = data.join("master.key");
    std::fs::remove_file(&key).unwrap();
    assert_one_clear_line(&check().unwrap(), 1, &["master.key", "missing"]);
    assert!(!key.exists());
}

#[test]
fn a_read_only_data_directory_is_one_clear_line() {
    if !may_mount("a read-only data directory") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Process::start(folder.path(), &[]).stop(), Some(0));
    let path = folder.path().to_str().unwrap();
    let _bound = Mount::new(&["--bind", path], folder.path());
    let _read_only = Mount::new(&["-o", "remount,ro,bind"], folder.path());
    assert_one_clear_line(&serve(folder.path(), &[]), 1, &[path]);
}

#[test]
fn wrong_settings_are_one_clear_line_that_names_them() {
    let folder = tempfile::tempdir().unwrap();
    assert_one_clear_line(&serve(folder.path(), &["--retention-days", "0"]), 1, &["retention_days"]);
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "listne = \"127.0.0.1:1\"\n").unwrap();
    let output = serve(folder.path(), &["--config", file.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("listne") && text.contains("`listen`") && text.contains("`data_dir`"), "{text}");
    let output = hookwell(&["serve"]).env("HOOKWELL_LISTNE", "x").output().unwrap();
    assert_one_clear_line(&output, 1, &["HOOKWELL_LISTNE", "HOOKWELL_LISTEN"]);
    let output = hookwell(&["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()])
        .env("HOOKWELL_ADMIN_TOKEN", "short")
        .output();
    assert_one_clear_line(&output.unwrap(), 1, &["HOOKWELL_ADMIN_TOKEN", "16"]);
}

#[test]
fn the_first_token_is_printed_once_and_never_logged() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command =
            hookwell(&["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut log, mut byte) = (Vec::new(), [0]);
        while !String::from_utf8_lossy(&log).contains("/docs") {
            std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut byte).unwrap();
            log.push(byte[0]);
        }
        let pid = child.id().to_string();
        // The token is printed right after that line and before anything is served; the signal is handled after it.
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        log.extend(&output.stderr);
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(log).unwrap())
    };
    let (first, log) = start();
    let token = first.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(first.starts_with("Admin token") && token.starts_with("hw_"), "{first}");
    assert!(!log.contains(&token));
    let (second, _) = start();
    assert_eq!(second, "");
}

#[test]
fn translate_prints_events_one_a_line_and_exits_2_on_bad_input() {
    let translate = |arguments: &[&str], input: &[u8]| {
        let mut command = hookwell(&["translate"]);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that refuses its flags ends without having read anything.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    };
    let mut office = hookwell::simulator::Organization::new("fabrikam", 1, jiff::Timestamp::UNIX_EPOCH);
    let output = translate(&["--source", "https://fabrikam.visualstudio.com"], &office.push_tags("a", "b").body);
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["source"].as_str().unwrap().starts_with("https://dev.azure.com/fabrikam/"));
    assert_one_clear_line(&translate(&[], b"{\"eventType\":"), 2, &["JSON"]);
    assert_one_clear_line(&translate(&[], b""), 2, &["JSON"]);
    assert_one_clear_line(&translate(&["--source", "fabrikam"], b"{}"), 2, &["--source", "https://dev.azure.com"]);
    assert_one_clear_line(&translate(&["--reason", "x"], b"{}"), 2, &["--reason", "ReviewerVoteNotification"]);
}

#[test]
fn check_tells_an_idle_directory_from_a_running_gateway_and_from_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let check = |listen: &str| {
        hookwell(&["check", "--listen", listen, "--data-dir", folder.path().to_str().unwrap()]).output().unwrap()
    };
    assert_eq!(Process::start(folder.path(), &[]).stop(), Some(0));
    let output = check("127.0.0.1:0");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let process = Process::start(folder.path(), &[]);
    let output = check(process.base.trim_start_matches("http://"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the gateway is running and ready\n");
    assert_eq!(process.stop(), Some(0));
    std::fs::write(folder.path().join("master.key"), "x").unwrap();
    assert_one_clear_line(&check("127.0.0.1:0"), 1, &["master.key"]);
}

#[test]
fn check_beside_a_gateway_that_listens_elsewhere_says_that_one_is_running() {
    let folder = tempfile::tempdir().unwrap();
    let _process = Process::start(folder.path(), &[]);
    let output =
        hookwell(&["check", "--listen", "127.0.0.1:1", "--data-dir", folder.path().to_str().unwrap()]).output();
    assert_one_clear_line(&output.unwrap(), 1, &["a gateway is running on the data directory", "--listen"]);
}

#[tokio::test]
async fn a_full_disk_is_told_by_check_and_by_the_running_gateway_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Process::start(folder.path(), &[]).stop(), Some(0));
    let full = ["--store-free-bytes-min", "1000000000000000"];
    let output = hookwell(&["check", "--data-dir", folder.path().to_str().unwrap()]).args(full).output().unwrap();
    assert_one_clear_line(&output, 1, &["a gateway would start"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("free some space"), "{output:?}");
    let process = Process::start(folder.path(), &full);
    let integration = process.json("/v1/integration").await;
    let item =
        integration["attention"].as_array().unwrap().iter().find(|item| item["kind"] == "store_not_ready").unwrap();
    assert!(item["remedy"].as_str().unwrap().contains("Free space"), "{item}");
    assert_eq!(process.stop(), Some(0));
}

#[test]
fn the_help_of_a_command_without_settings_shows_its_own_options_only() {
    let help = |command: &str| {
        let output = hookwell(&[command, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for (command, own) in [("translate", "--source"), ("demo", "--once"), ("openapi", "--help")] {
        let text = help(command);
        assert!(text.contains(own), "{text}");
        for foreign in ["--listen", "--data-dir", "--config"] {
            assert!(!text.contains(foreign), "{foreign} is in the help of {command}:\n{text}");
        }
    }
    assert!(help("serve").contains("--listen"));
    assert!(
        hookwell(&["openapi", "--data-dir", "/nowhere"]).output().unwrap().status.success(),
        "it is taken all the same"
    );
}

#[tokio::test]
async fn the_doctor_tells_a_wrong_token_and_a_wrong_address_apart() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let doctor =
        |url: &str, token: &str| hookwell(&["doctor", "--gateway", url]).env("HOOKWELL_TOKEN", token).output().unwrap();
    assert_eq!(doctor(&process.base, ADMIN_TOKEN).status.code(), Some(0));
    assert_one_clear_line(&doctor(&process.base, "another-token-of-nobody"), 1, &["check HOOKWELL_TOKEN"]);
    for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", "HTTP/1.1 404 No\r\ncontent-length: 2\r\n\r\nno"] {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", other.local_addr().unwrap());
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let output = doctor(&url, ADMIN_TOKEN);
        answering.join().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("is a gateway of Hookwell there?"), "{said}");
    }
}

#[test]
fn the_demo_shows_a_day_and_its_sums_add_up() {
    let output = hookwell(&["demo", "--once"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for words in ["duplicate", "quarantined", "401 refused", "200 test", "dev.cdevents.change.merged.0.3.0", "Sent "] {
        assert!(text.contains(words), "{words} is not in:\n{text}");
    }
    let merged = text.lines().filter(|line| line.contains("← dev.cdevents.change.merged")).count();
    assert_eq!(merged, 1, "two notifications of one merge are one event");
}
