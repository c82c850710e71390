//! The library that makes calls of the operating system fail, and its orders. The other half is `shim.c` and `device.c`.
//!
//! Orders are environment variables: `FAULTS_DIR` (only files below it), `FAULTS_KIND` and `FAULTS_N` (the n-th call of
//! this kind), `FAULTS_ERRNO`, `FAULTS_MS` (how long calls of the kind fail from then on: 0 for that one, -1 for ever),
//! `FAULTS_KILL` (the process dies there instead), `FAULTS_SHORT` (a write stores its first half, then it begins),
//! `FAULTS_DEVICE` (a folder in which a power cut can be looked at, see `device.c`), `FAULTS_AFTER` (the call happens and is called failed), `FAULTS_COUNTS` (a file that is told at the orderly end how many
//! calls of each kind there were), `FAULTS_FIRED` (a file that is told when and at which path it began).

use rustix::io::Errno;
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The kinds of calls, as `shim.c` names them.
pub(super) const KINDS: [&str; 11] =
    ["open", "read", "write", "rename", "sync", "truncate", "close", "unlink", "mkdir", "list", "stat"];
/// These are what a full disk refuses.
const GROWING: [&str; 6] = ["open", "write", "rename", "sync", "truncate", "mkdir"];
/// These may have happened although they are said to have failed.
const UNCERTAIN: [&str; 5] = ["write", "rename", "sync", "truncate", "unlink"];

const SECOND_MS: i64 = 1_000;
const FOR_EVER: i64 = -1;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) name: &'static str,
    errno: Errno,
    /// 0 for one call alone.
    lasts_ms: i64,
    pub(super) kills: bool,
    is_short: bool,
    is_after: bool,
}

impl Effect {
    const fn new(name: &'static str, errno: Errno, lasts_ms: i64) -> Self {
        Self { name, errno, lasts_ms, kills: false, is_short: false, is_after: false }
    }

    pub(super) fn lasts_for_ever(self) -> bool {
        self.lasts_ms == FOR_EVER
    }
}

/// Everything that may happen to a call of this kind.
pub(super) fn effects(kind: &str) -> Vec<Effect> {
    let mut effects = vec![
        Effect::new("EIO once", Errno::IO, 0),
        Effect::new("EIO for a second", Errno::IO, SECOND_MS),
        Effect::new("EIO for ever", Errno::IO, FOR_EVER),
        Effect { kills: true, ..Effect::new("killed", Errno::IO, 0) },
    ];
    if GROWING.contains(&kind) {
        effects.push(Effect::new("ENOSPC once", Errno::NOSPC, 0));
        effects.push(Effect::new("ENOSPC for a second", Errno::NOSPC, SECOND_MS));
        effects.push(Effect::new("ENOSPC for ever", Errno::NOSPC, FOR_EVER));
    }
    if UNCERTAIN.contains(&kind) {
        effects.push(Effect { is_after: true, ..Effect::new("done but called failed", Errno::IO, 0) });
    }
    if kind == "write" {
        let short = |effect| Effect { is_short: true, ..effect };
        effects.push(short(Effect::new("half, then EIO once", Errno::IO, 0)));
        effects.push(short(Effect::new("half, then ENOSPC for a second", Errno::NOSPC, SECOND_MS)));
        effects.push(short(Effect { kills: true, ..Effect::new("half, then killed", Errno::IO, 0) }));
    }
    effects
}

/// The compiled library.
#[derive(Debug)]
pub(super) struct Shim {
    library: PathBuf,
    _folder: tempfile::TempDir,
}

impl Shim {
    /// Compiles it, once per process. The reason why not, where there is no compiler for it.
    pub(super) fn get() -> Result<&'static Self, String> {
        static SHIM: OnceLock<Result<Shim, String>> = OnceLock::new();
        SHIM.get_or_init(Self::compile).as_ref().map_err(Clone::clone)
    }

    fn compile() -> Result<Self, String> {
        if cfg!(not(target_os = "linux")) {
            return Err("LD_PRELOAD is Linux's".to_owned());
        }
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("shim.c"), folder.path().join("shim.so"));
        fs::write(&source, include_str!("shim.c")).unwrap();
        fs::write(folder.path().join("device.h"), include_str!("device.h")).unwrap();
        fs::write(folder.path().join("device.c"), include_str!("device.c")).unwrap();
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .arg(folder.path().join("device.c"))
            .args(["-ldl", "-lpthread"])
            .output();
        match compiled {
            Ok(output) if output.status.success() => Ok(Self { library, _folder: folder }),
            // A compiler that is there and refuses is our mistake, not the machine's.
            Ok(output) => panic!("shim.c: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => Err(format!("cc: {error}")),
        }
    }

    /// Lets a process run under it, without any fault yet. `device` is what a power cut would leave of `dir`.
    pub(super) fn watch<'a>(&self, command: &'a mut Command, dir: &Path, device: &Path) -> &'a mut Command {
        fs::create_dir_all(device).unwrap();
        command.env("LD_PRELOAD", &self.library).env("FAULTS_DIR", dir).env("FAULTS_DEVICE", device)
    }
}

/// Orders the n-th call of a kind to fail; `fired` becomes a file when it did.
pub(super) fn order<'a>(command: &'a mut Command, kind: &str, n: u64, effect: Effect, fired: &Path) -> &'a mut Command {
    command
        .env("FAULTS_KIND", kind)
        .env("FAULTS_N", n.to_string())
        .env("FAULTS_ERRNO", effect.errno.raw_os_error().to_string())
        .env("FAULTS_MS", effect.lasts_ms.to_string())
        .env("FAULTS_FIRED", fired);
    for (name, is_set) in
        [("FAULTS_KILL", effect.kills), ("FAULTS_SHORT", effect.is_short), ("FAULTS_AFTER", effect.is_after)]
    {
        if is_set {
            command.env(name, "1");
        }
    }
    command
}

/// Makes what a power cut would have left of `dir`: names and bytes that were synced.
pub(super) fn power_cut(dir: &Path, device: &Path, into: &Path) {
    fs::create_dir_all(into).unwrap();
    let Ok(found) = fs::metadata(dir) else { return };
    let born =
        found.created().ok().and_then(|born| born.duration_since(std::time::UNIX_EPOCH).ok()).unwrap_or_default();
    copy_names(device, &format!("{}-{}-{}", found.ino(), born.as_secs(), born.subsec_nanos()), dir, into);
}

fn copy_names(device: &Path, key: &str, dir: &Path, into: &Path) {
    let names = fs::read_to_string(device.join(key)).unwrap_or_default();
    for (key, name) in names.lines().filter_map(|line| line.split_once(' ')) {
        let (there, to) = (dir.join(name), into.join(name));
        // A name that is gone meanwhile was a directory when its file has lines of names alone; ours never go.
        if there.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy_names(device, key, &there, &to);
        } else {
            // A file that was never synced has its name and nothing in it.
            fs::write(to, fs::read(device.join(key)).unwrap_or_default()).unwrap();
        }
    }
}
