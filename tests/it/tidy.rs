//! House rules that a machine can keep: the floors, who may name which crate, and what must stand beside what.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The floor of each module; imports go down only, and siblings on floor 1 do not import each other.
/// `translate::step` is a floor above the pure translation beside it.
const FLOORS: [(&str, u8); 32] = [
    ("cli", 4),
    ("demo", 4),
    ("fuzzing", 4),
    ("gateway", 4),
    ("serve", 4),
    ("telemetry", 4),
    ("http", 3),
    ("simulator", 3),
    ("app", 2),
    ("dispatch", 2),
    ("backfill", 2),
    ("deployments", 2),
    ("doctor", 2),
    ("intake", 2),
    ("ledger", 2),
    ("reconcile", 2),
    ("recover", 2),
    ("relations", 2),
    ("survey", 2),
    ("translate::step", 2),
    ("store", 1),
    ("translate", 1),
    ("secrets", 1),
    ("sink", 1),
    ("config", 1),
    ("metrics", 1),
    ("clock", 0),
    ("domain", 0),
    ("event", 0),
    ("azure", 0),
    ("lib", 5),
    ("main", 5),
];

/// Who may name a crate or a word; everybody else must go through them.
const OWNERS: [(&str, &[&str]); 8] = [
    ("warp::", &["http", "simulator"]),
    ("sled::Db", &["store::embedded::state"]),
    ("async_nats::", &["sink::nats"]),
    ("reqwest::", &["azure::client", "doctor::reach", "simulator", "gateway", "demo", "cli::remote", "sink"]),
    ("Timestamp::now()", &["clock", "demo"]),
    // The store waits for a lock that a dying process still holds: no clock of ours makes that faster.
    ("Instant::now()", &["clock", "store::embedded"]),
    ("std::env::", &["config"]),
    ("SystemTime::now()", &[]),
];

/// Words that the pure translation has no use for.
const IMPURE: [&str; 6] = ["async ", ".await", "tokio", "tracing", "crate::clock", "std::fs"];

/// A file over this many lines argues for itself in [`LONG_FILES`].
const FILE_LINES_MAX: usize = 400;
const LONG_FILES: [(&str, &str); 5] = [
    ("src/store/memory.rs", "the reference model on one page, so that it can be compared with the seam"),
    ("src/store/mod.rs", "the whole seam on one page, more than half of it documentation"),
    (
        "src/simulator/world/build.rs",
        "the life of a run in one place: queued, begun, its stages, its approvals, its end",
    ),
    ("src/translate/order.rs", "each family's rule beside the others, so that they can be compared"),
    ("src/config.rs", "one struct is flags, variables and file; splitting it would split the one list"),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(under: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `src/store/embedded/mod.rs` is `store::embedded`.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(root().join("src")).unwrap().with_extension("");
    let text = relative.to_str().unwrap().replace('/', "::");
    text.strip_suffix("::mod").unwrap_or(&text).to_owned()
}

fn belongs(module: &str, owner: &str) -> bool {
    module == owner || module.starts_with(&format!("{owner}::"))
}

fn floor(module: &str) -> (u8, &'static str) {
    let found = FLOORS.iter().filter(|(owner, _)| belongs(module, owner)).max_by_key(|(owner, _)| owner.len());
    let (owner, floor) = found.unwrap_or_else(|| panic!("{module} has no floor: put it into the table"));
    (*floor, owner)
}

/// The code without its tests and comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("\n#[cfg(test)]").next().unwrap().to_owned();
    text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//")).collect()
}

/// Every module that a text names after `crate::`, also in braces.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let word =
            |text: &str| text.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap().to_owned();
        if let Some(group) = rest.strip_prefix('{') {
            let (mut depth, mut item) = (0, String::new());
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut item)),
                    _ => {}
                }
                if c != ',' || depth > 0 {
                    item.push(c);
                }
            }
            found.push(item);
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == ':').collect());
        }
        for item in &mut found {
            let step = item.trim().starts_with("translate::step") || item.contains("translate::{step");
            *item = if step { "translate::step".to_owned() } else { word(item) };
        }
    }
    found.retain(|item| !item.is_empty());
    found
}

#[test]
fn imports_go_down_the_floors_only() {
    let mut wrong = Vec::new();
    for path in files(&root().join("src"), ".rs") {
        let module = module(&path);
        let (from, owner) = floor(&module);
        for import in imports(&code(&path)) {
            if !FLOORS.iter().any(|(name, _)| *name == import) || import == owner {
                continue;
            }
            let (to, target) = floor(&import);
            let sibling = from == 1 && to == 1 && owner != target;
            if to > from || sibling {
                wrong.push(format!("{module} (floor {from}) imports {import} (floor {to})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_imports_sees_groups_and_paths() {
    let code = "use crate::{\n    app::{App, kind},\n    store::Log,\n    translate::step,\n};\nfn f() { crate::clock::now() }\nmacrocrate::x";
    assert_eq!(imports(code), ["app", "store", "translate::step", "clock"]);
}

#[test]
fn each_engine_is_named_by_its_owner_only() {
    for path in files(&root().join("src"), ".rs") {
        let (module, code) = (module(&path), code(&path));
        for (word, owners) in OWNERS {
            let own = owners.iter().any(|owner| belongs(&module, owner));
            assert!(own || !code.contains(word), "{module} names {word}");
        }
    }
}

#[test]
fn translation_is_pure() {
    for path in files(&root().join("src/translate"), ".rs") {
        let module = module(&path);
        if belongs(&module, "translate::step") {
            continue;
        }
        let code = code(&path);
        for word in IMPURE {
            assert!(!code.contains(word), "{module} says {word}");
        }
    }
}

#[test]
fn a_long_file_argues_for_itself() {
    let long: BTreeMap<&str, &str> = LONG_FILES.into();
    for path in files(&root().join("src"), ".rs") {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= FILE_LINES_MAX || long.contains_key(name.as_str()), "{name} has {lines} lines");
    }
}

#[test]
fn the_architecture_fits_on_a_few_screens_and_names_every_module() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 175);
    for (module, _) in FLOORS.iter().filter(|(_, floor)| *floor < 5) {
        assert!(text.contains(&format!("`{module}`")), "{module}");
    }
}

#[test]
fn there_is_nothing_on_the_top_level_that_does_not_belong_there() {
    const KNOWN: [&str; 18] = [
        ".ci",
        ".dockerignore",
        ".git",
        ".gitignore",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Dockerfile",
        "LICENSE",
        "Makefile",
        "README.md",
        "clippy.toml",
        "deny.toml",
        "fixtures",
        "openapi",
        "rustfmt.toml",
        "src",
    ];
    for entry in std::fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let local = ["tests", "target", "hookwell-data", ".redocly.yaml", ".spectral.yaml", "hookwell.toml"];
        assert!(KNOWN.contains(&name.as_str()) || local.contains(&name.as_str()), "{name}");
    }
}
