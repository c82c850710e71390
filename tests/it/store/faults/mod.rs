//! Errors of the operating system at every call: for each kind of call and each n, a process uses a store while its n-th
//! call fails (once, for a second, for ever) or kills it. Afterwards what was acknowledged is there once, nothing else is,
//! and the process went on by itself or ended with a clear line.
//!
//! ```text
//! this file     which call fails how, and what the process may make of it
//! shim          the library between the process and its system calls
//! worker        the process
//! witness       what the store told it
//! inspection    what is there afterwards
//! ```
//!
//! `cargo test` tries one n of each, `HOOKWELL_FAULTS=20` so many, `HOOKWELL_FAULTS=all` (`make faults`) every one.
//! `HOOKWELL_FAULTS_ONLY="Used, rename"` tries those whose description has this text.

mod inspection;
mod shim;
mod witness;
mod worker;

use self::{
    shim::{Effect, KINDS, Shim, effects},
    witness::Witness,
    worker::End,
};
use hookwell::store::{
    Page, Record,
    embedded::{EmbeddedStore as Engine, Options},
};
use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

/// A worker that takes longer than this hangs.
const WORKER_SECONDS_MAX: u64 = 60;
/// How long a worker tries again where the disk gets well, and where it never does.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_IN_VAIN: Duration = Duration::from_millis(1_200);
/// The first failures are told; where there are more, they are of the same kind.
const FAILURES_TOLD_MAX: usize = 60;

fn engine_options() -> Options {
    let sync_data = std::env::var_os(worker::UNSYNCED).is_none();
    Options { free_bytes_min: 0, segment_bytes: 16 << 10, sync_data, ..Options::default() }
}

/// A page that left nothing out.
fn records(page: Page) -> Result<Vec<Record>, End> {
    match page.left_out.first() {
        None => Ok(page.records),
        Some(damage) => Err(End::Wrong(format!("left out: {damage}"))),
    }
}

/// The directory that the worker begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scenario {
    /// No directory.
    Nothing,
    /// The directory of a killed process.
    Used,
    /// The same, everything in it damaged or gone that is made again from the journal.
    Rebuilt,
}

/// One call that fails.
#[derive(Debug, Clone, Copy)]
struct Case {
    scenario: Scenario,
    kind: &'static str,
    effect: Effect,
    n: u64,
}

/// A folder with a store that a process left in the middle, and its witness.
struct Seed(tempfile::TempDir);

impl Seed {
    fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path(), PATIENCE);
        let (status, output) = run(command.env(worker::LEAVE, "1")).unwrap();
        assert!(status.success(), "without any fault: {output}");
        Self(folder)
    }

    fn put(&self, scenario: Scenario, into: &Path) {
        match scenario {
            Scenario::Nothing => {}
            Scenario::Used | Scenario::Rebuilt => {
                super::embedded::copy(&self.0.path().join("data"), &into.join("data"));
                fs::copy(self.0.path().join("witness"), into.join("witness")).unwrap();
            }
        }
        if scenario == Scenario::Rebuilt {
            damage_what_is_derived(&into.join("data"));
        }
    }
}

/// The registry's copy becomes noise, indexes go.
fn damage_what_is_derived(data: &Path) {
    for file in super::damage::files(data) {
        let len = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        if file.starts_with(data.join("state")) {
            fs::write(&file, super::embedded::noise(7, len)).unwrap();
        } else if file.extension().is_some_and(|extension| extension == "index") {
            fs::remove_file(&file).unwrap();
        }
    }
}

fn command(folder: &Path, patience: Duration) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // The name with the modules above, whichever they are.
    let name = format!("{}::{}", module_path!().split_once("::").unwrap().1.trim_end_matches("::faults"), worker::NAME);
    command
        .args(["--exact", &name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(worker::DIR, folder.join("data"))
        .env(worker::WITNESS, folder.join("witness"))
        .env(worker::PATIENCE_MS, patience.as_millis().to_string())
        .env("RUST_BACKTRACE", "0");
    command
}

/// Runs it; gives back how it ended and what it printed, or nothing when it hangs.
fn run(command: &mut Command) -> Option<(ExitStatus, String)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (told, ended) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        // The end of it is the end of the process.
        let _ = stderr.read_to_end(&mut text);
        let _ = told.send(String::from_utf8_lossy(&text).into_owned());
    });
    let Ok(text) = ended.recv_timeout(Duration::from_secs(WORKER_SECONDS_MAX)) else {
        child.kill().unwrap();
        child.wait().unwrap();
        return None;
    };
    reader.join().unwrap();
    Some((child.wait().unwrap(), text))
}

/// How many calls of each kind a worker makes that nothing disturbs.
fn count(shim: &Shim, seed: &Seed, scenario: Scenario) -> BTreeMap<String, u64> {
    let folder = tempfile::tempdir().unwrap();
    seed.put(scenario, folder.path());
    let counts = folder.path().join("counts");
    let mut command = command(folder.path(), PATIENCE);
    let (data, device) = (folder.path().join("data"), folder.path().join("device"));
    shim.watch(&mut command, &data, &device).env("FAULTS_COUNTS", &counts);
    let (status, output) = run(&mut command).expect("a worker that nothing disturbs ends");
    let witness = Witness::read(&folder.path().join("witness"));
    assert!(status.success() && witness.end.as_deref() == Some(End::WHOLE), "{:?}: {output}", witness.end);
    assert_eq!(inspection::inspect(&data, &witness), Vec::<String>::new());
    let text = fs::read_to_string(counts).unwrap();
    let counts = text.lines().filter_map(|line| line.split_once(' '));
    counts.map(|(kind, count)| (kind.to_owned(), count.parse().unwrap())).collect()
}

/// The outcome of a failing call.
enum Verdict {
    /// There is no such call.
    NeverCame,
    Good,
    Bad(String),
}

fn judge(shim: &Shim, seed: &Seed, case: Case) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    seed.put(case.scenario, folder.path());
    let (data, fired) = (folder.path().join("data"), folder.path().join("fired"));
    let patience = if case.effect.lasts_for_ever() { PATIENCE_IN_VAIN } else { PATIENCE };
    let mut command = command(folder.path(), patience);
    let device = folder.path().join("device");
    shim::order(shim.watch(&mut command, &data, &device), case.kind, case.n, case.effect, &fired);
    let ended = run(&mut command);
    let Ok(place) = fs::read_to_string(&fired) else { return Verdict::NeverCame };
    let place = place.trim().rsplit_once("/data").map_or("the directory", |(_, place)| place).to_owned();
    let Some((status, output)) = ended else { return Verdict::Bad(format!("{place}: the process hangs")) };
    let witness = Witness::read(&folder.path().join("witness"));
    let end = witness.end.as_deref();
    let mut wrong = Vec::new();
    let is_well = match end {
        // The worker died before it could say anything, as it was told to.
        None => case.effect.kills && status.signal() == Some(9),
        Some(End::WHOLE) => status.success(),
        // Whoever restarts it finds a disk that is well; damage it must not be called.
        Some(end) if end.starts_with(End::REFUSED) => !end.contains("damaged") && end.len() > End::REFUSED.len() + 10,
        Some(end) if end.starts_with(End::UNAVAILABLE) => case.effect.lasts_for_ever() && !end.contains("damaged"),
        Some(_) => false,
    };
    if !is_well {
        let panic = output.lines().find(|line| line.contains("panicked")).unwrap_or_default();
        wrong.push(format!("ended {status}, {end:?} {panic}"));
    }
    // First the directory as a power cut at the end of the process leaves it; the other inspection goes on with it.
    let after_power_cut = folder.path().join("after-power-cut");
    shim::power_cut(&data, &device, &after_power_cut);
    let inspected = inspection::inspect(&after_power_cut, &witness);
    wrong.extend(inspected.into_iter().map(|what| format!("after a power cut: {what}")));
    wrong.extend(inspection::inspect(&data, &witness));
    if wrong.is_empty() { Verdict::Good } else { Verdict::Bad(format!("{place}: {}", wrong.join("; "))) }
}

/// Which n of so many are tried, at most `wanted` of them.
fn sample(count: u64, salt: usize, wanted: u64) -> Vec<u64> {
    if wanted >= count {
        // A few more: tasks that wait for each other do not make the same calls each time.
        return (1..=count + u64::from(wanted == u64::MAX) * 3).collect();
    }
    // Spread over the whole life, others for each effect.
    let start = (salt as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % count;
    (0..wanted).map(|step| 1 + (start + step * count / wanted) % count).collect()
}

fn cases(shim: &Shim, seed: &Seed) -> Vec<Case> {
    let wanted = match std::env::var("HOOKWELL_FAULTS").as_deref() {
        Ok("all") => u64::MAX,
        Ok(text) => text.parse().expect("HOOKWELL_FAULTS is a number of calls to try for each effect, or all"),
        Err(_) => 1,
    };
    let only = std::env::var("HOOKWELL_FAULTS_ONLY").unwrap_or_default();
    let mut cases = Vec::new();
    for scenario in [Scenario::Nothing, Scenario::Used, Scenario::Rebuilt] {
        let counts = count(shim, seed, scenario);
        eprintln!("{scenario:?}: {counts:?}");
        for kind in ["open", "read", "write", "sync", "close"] {
            assert!(counts[kind] > 0, "no {kind} is seen: this tests nothing");
        }
        for kind in KINDS {
            for effect in effects(kind).into_iter().filter(|_| counts[kind] > 0) {
                let numbers = sample(counts[kind], cases.len(), wanted);
                cases.extend(numbers.into_iter().map(|n| Case { scenario, kind, effect, n }));
            }
        }
    }
    cases.retain(|case| describe(case).contains(&only));
    cases
}

fn describe(case: &Case) -> String {
    format!("{:?}, {} {} {}", case.scenario, case.kind, case.n, case.effect.name)
}

#[test]
fn no_failing_call_loses_doubles_or_condemns_what_was_acknowledged() {
    let shim = match Shim::get() {
        Ok(shim) => shim,
        Err(hindrance) => {
            eprintln!("NOT TESTED: failing system calls, since they cannot be put in the way here ({hindrance})");
            return;
        }
    };
    let seed = Seed::make();
    let started = Instant::now();
    let cases = cases(shim, &seed);
    let (next, fired) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures: Mutex<Vec<String>> = Mutex::default();
    // Most of them wait for a disk that gets well.
    let workers = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match judge(shim, &seed, *case) {
                        Verdict::NeverCame => {}
                        Verdict::Good => _ = fired.fetch_add(1, Ordering::Relaxed),
                        Verdict::Bad(what) => {
                            fired.fetch_add(1, Ordering::Relaxed);
                            failures.lock().unwrap().push(format!("{}: {what}", describe(case)));
                        }
                    }
                }
            });
        }
    });
    let (fired, failures) = (fired.into_inner(), failures.into_inner().unwrap());
    eprintln!("{fired} of {} calls failed in {:.0?}", cases.len(), started.elapsed());
    let told = failures.iter().take(FAILURES_TOLD_MAX).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {fired} went wrong:\n{told}", failures.len());
    // Not all: no two runs make quite the same calls, and of every call there are a few more tries than there were calls.
    assert!(fired * 3 >= cases.len(), "only {fired} of {} faults were met", cases.len());
}

#[test]
fn a_power_cut_takes_what_was_not_synced() {
    let Ok(shim) = Shim::get() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (data, device, after) =
        (folder.path().join("data"), folder.path().join("device"), folder.path().join("after-power-cut"));
    let mut command = command(folder.path(), PATIENCE);
    // In the middle, since an orderly end syncs.
    command.env(worker::UNSYNCED, "1").env(worker::LEAVE, "1");
    let (status, output) = run(shim.watch(&mut command, &data, &device)).unwrap();
    assert!(status.success(), "{output}");
    shim::power_cut(&data, &device, &after);
    let wrong = inspection::inspect(&after, &Witness::read(&folder.path().join("witness")));
    assert!(!wrong.is_empty(), "nothing was lost without syncing: the other tests of this file see no power cut");
}
