//! Microsoft's own Python package takes the simulated Azure DevOps for a real one.

use super::simulated::Simulation;
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command};

/// Where `make test` puts the package; a machine without Python has none.
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/azure-devops/bin/python");
    let works = Command::new(&python).args(["-c", "import azure.devops"]).output().is_ok_and(|it| it.status.success());
    if !works {
        eprintln!(
            "SKIPPED, not tested here for want of the Python package azure-devops: `make test` installs it where Python is"
        );
    }
    works.then_some(python)
}

#[test]
fn the_python_package_lists_and_subscribes_as_at_the_real_one() {
    let Some(python) = python() else { return };
    for arguments in [&[][..], &["--server", "--virtual-directory", "tfs"][..]] {
        let simulation = Simulation::start(arguments);
        let cache = tempfile::tempdir().unwrap();
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/process/package.py");
        let mut command = Command::new(&python);
        command.arg(script).args([&simulation.url, &simulation.token, "https://hooks.example.com/x"]);
        // It remembers what a server of this address offered, which another test's server may not.
        let output = command.env("AZURE_DEVOPS_CACHE_DIR", cache.path()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}\n{}", simulation.said());
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(seen["projects"].as_array().unwrap().contains(&json!("Fiber Café")), "{seen}");
        assert!(seen["repositories"]["Fiber Café"].as_array().unwrap().contains(&json!("web shop")), "{seen}");
        let builds = seen["builds"]["Fiber Café"].as_array().unwrap();
        assert!(builds.iter().any(|build| build["definition"] == "web shop CI"), "{seen}");
        assert!(!seen["work_items"]["Fiber Café"].as_object().unwrap().is_empty(), "{seen}");
        let subscription = &seen["subscription"];
        assert_eq!((&subscription["status"], &subscription["is_listed"]), (&json!("enabled"), &json!(true)), "{seen}");
        assert_eq!(subscription["password"], "********");
        assert_eq!(subscription["added"], json!(["hostId", "tfsSubscriptionId"]));
        assert_ne!(seen["deleted"], false, "{seen}");
    }
}
