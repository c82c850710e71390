//! The past of a binding of a big project is fetched by a real process that is killed on the way: it goes on where it was,
//! and its memory does not grow with what it has fetched.

use super::{ADMIN_TOKEN, Process, hookwell, simulated::Simulation};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Builds in the suite, and revisions of work items; `make backfill` asks for 50,000 and 20,000.
const BUILDS: u64 = 100;
/// For each two of five builds there is a revision.
const REVISIONS_OF_BUILDS: (u64, u64) = (2, 5);
/// It is killed when so much of the builds' way is done, in percent.
const KILLED_AT: f64 = 30.0;
/// So much more than at a quarter of the way the process may hold at its end, in KiB: keys and pages of the store's cache,
/// which is bounded, and the allocator's slack.
const GROWTH_KIB_MAX: u64 = 96 << 10;

/// It asks as fast as it can: what Azure DevOps allows is another matter, and takes hours.
const FLAGS: [&str; 4] = ["--log", "warn,hookwell=info", "--azure-bulk-calls-max", "1000000"];

#[tokio::test(flavor = "multi_thread")]
async fn a_long_past_is_filled_across_a_kill_with_flat_memory() {
    let builds = std::env::var("HOOKWELL_BACKFILL_BUILDS").ok().map_or(BUILDS, |text| text.parse().unwrap());
    let revisions = builds * REVISIONS_OF_BUILDS.0 / REVISIONS_OF_BUILDS.1;
    let simulation = Simulation::start(&["--age-days", "31"]);
    let now = Timestamp::now();
    let (from, to) = (now - Duration::from_hours(24 * 29), now - Duration::from_hours(1));
    let fill = json!({ "pushes": 0, "builds": builds, "revisions": revisions, "from": from, "to": to });
    simulation.make_happen("fill", &fill).await;

    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), &FLAGS);
    let connection = json!({ "name": "Fabrikam", "url": simulation.url, "token": simulation.token, "hooks": "manual" });
    let connection = put(&process, "POST", "/v1/connections", &connection).await["id"].clone();
    let mut jobs = Vec::new();
    for role in ["build_provider", "issue_provider"] {
        put(&process, "PUT", &format!("/v1/projects/{}", role.replace('_', "-")), &json!({ "name": role })).await;
        let binding = json!({ "role": role, "connection": connection, "azure_project": "Fiber Café" });
        let path = format!("/v1/projects/{}/bindings", role.replace('_', "-"));
        jobs.push(put(&process, "POST", &path, &binding).await["id"].as_str().unwrap().to_owned());
    }
    let began = std::time::Instant::now();
    let killed_at = moves_to(&process, &jobs[0], KILLED_AT, &mut Vec::new()).await;
    process.kill();
    process = Process::start(folder.path(), &FLAGS);
    let resumed = process.json(&format!("/v1/bindings/{}/backfill", jobs[0])).await;
    assert!(until(&resumed) >= until(&killed_at), "it goes on where it was: {resumed} after {killed_at}");
    let mut held = Vec::new();
    let mut ended = Vec::new();
    for job in &jobs {
        ended.push(moves_to(&process, job, 100.0, &mut held).await);
    }
    let took = began.elapsed();
    process.idle().await;

    for (job, name) in ended.iter().zip(["builds", "revisions"]) {
        let sum = |member: &str| -> u64 {
            job["streams"].as_array().unwrap().iter().map(|stream| stream[member].as_u64().unwrap()).sum()
        };
        let (found, calls, unexplained) = (sum("found"), sum("calls"), sum("unexplained"));
        eprintln!("{name}: {found} facts, {calls} calls, {} facts a second", job["facts_per_second"]);
        assert_eq!((&job["state"], unexplained), (&json!("done"), 0), "{job}");
        let least = if name == "builds" { builds * 2 } else { revisions };
        assert!(found >= least, "{name}: {found} of at least {least}");
    }
    let (early, late) = (held[held.len() / 4], *held.iter().max().unwrap());
    eprintln!(
        "{builds} builds and {revisions} revisions in {took:?}; resident: {early} KiB at a quarter, {late} KiB at most"
    );
    assert!(late <= early + GROWTH_KIB_MAX, "memory grows: {early} KiB, then {late} KiB");
    audit(&process, folder.path());
}

/// Watches a job until so much of it is done; its progress never goes back. Notes what the process holds on the way.
async fn moves_to(process: &Process, binding: &str, percent: f64, held: &mut Vec<u64>) -> Value {
    let mut last = -1.0;
    loop {
        let job = process.json(&format!("/v1/bindings/{binding}/backfill")).await;
        let done = job["percent"].as_f64().unwrap();
        assert!(done >= last, "it went back from {last} to {done}");
        assert!(job["state"] != "failed", "{job}");
        held.push(resident_kib(process));
        if done >= percent && (percent < 100.0 || job["state"] == "done") {
            return job;
        }
        last = done;
        // Whoever watches should not take the time of whoever works.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn until(job: &Value) -> Timestamp {
    job["streams"][0]["until"].as_str().unwrap().parse().unwrap()
}

/// What the process holds in memory; 0 where the system does not say.
fn resident_kib(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// The commands say the same.
fn audit(process: &Process, folder: &Path) {
    let run = |arguments: &[&str]| {
        let mut command = hookwell(arguments);
        command.args(["--gateway", &process.base, "--data-dir", folder.to_str().unwrap(), "--log", "error"]);
        command.env("HOOKWELL_TOKEN", ADMIN_TOKEN).output().unwrap()
    };
    let audit = run(&["audit"]);
    let text = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(text.contains("ledger: intact"), "{audit:?}");
    assert!(text.contains("builds ") && text.contains("work_items "), "{text}");
    assert_eq!(audit.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&audit.stderr));
    let nothing = run(&["audit", "--project", "nothing"]);
    assert_eq!(nothing.status.code(), Some(2), "{}", String::from_utf8_lossy(&nothing.stderr));
    let early = Timestamp::now() - Duration::from_hours(24 * 30);
    let incomplete = run(&["audit", "--from", &early.to_string()]);
    assert_eq!(incomplete.status.code(), Some(1), "it begins before what was compared");
}

async fn put(process: &Process, method: &str, path: &str, body: &Value) -> Value {
    let url = format!("{}{path}", process.base);
    let request = process.client.request(method.parse().unwrap(), url).bearer_auth(ADMIN_TOKEN).json(body);
    request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
}
