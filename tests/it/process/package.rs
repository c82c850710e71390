//! Microsoft's own packages for Python and for Node take the simulated Azure DevOps for a real one.

use super::simulated::Simulation;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Where `make test` put a package; a machine without its language has none.
fn installed(program: &Path, probe: &[&str], what: &str, language: &str) -> bool {
    let works = Command::new(program).args(probe).output().is_ok_and(|it| it.status.success());
    if !works {
        eprintln!("SKIPPED, not tested here for want of {what}: `make test` installs it where {language} is");
    }
    works
}

fn at(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The view of either client: each call, and of its reply what a person would look at.
fn expected() -> Vec<(&'static str, Value)> {
    vec![
        // 43 reads.
        ("projects", json!(["Fiber Café", "Museum", "Tools"])),
        ("projects_by_page", json!(1)),
        ("project", json!("Fiber Café")),
        ("repositories", json!(["attic", "empty", "röstplan", "web shop"])),
        ("repository", json!("refs/heads/main")),
        ("refs", json!(["refs/heads/feature/2", "refs/heads/feature/3", "refs/heads/main"])),
        ("commits", json!(["Merged PR 1: Faster checkout", "Try idea 1"])),
        ("commit", json!(2)),
        ("changes", json!(true)),
        ("commits_batch", json!(4)),
        ("pushes", json!(1)),
        ("push", json!("refs/heads/main")),
        ("pull_requests", json!(["Second idea", "Faster checkout"])),
        ("pull_requests_of_project", json!(1)),
        ("pull_request", json!("Faster checkout")),
        ("pull_request_by_id", json!("refs/heads/feature/2")),
        ("pull_request_commits", json!("Try idea 1")),
        ("pull_request_iterations", json!(1)),
        ("pull_request_work_items", json!(0)),
        ("threads", json!("Why not the third one?")),
        ("reviewers", json!(["Jürgen Weiß", 10])),
        ("definitions", json!(["nightly", "web shop CI"])),
        ("definition", json!("web shop CI")),
        ("builds", json!([105, 104, 103, 101, 100])),
        ("build", json!("refs/heads/main")),
        ("timeline", json!(["Build", "Deploy to production"])),
        ("build_changes", json!(true)),
        ("pipelines", json!(["nightly", "web shop CI"])),
        ("pipeline", json!("web shop CI")),
        ("runs", json!([105, 104, 103, 101, 100])),
        ("run", json!(100)),
        ("environments", json!(["production"])),
        ("release_definitions", json!(["Web shop CD"])),
        ("releases", json!(["Release-1"])),
        ("deployments", json!(2)),
        ("work_item", json!("Closed")),
        ("work_items", json!(["Pay with one click", "The checkout is slow"])),
        ("work_items_batch", json!(["Pay with one click", "Measure the checkout"])),
        ("updates", json!([1, 2, 3])),
        ("revisions", json!([1, 2, 3])),
        ("types", json!(["Bug", "Issue", "Release Note", "Task", "User Story"])),
        ("states", json!(["New", "Active", "Resolved", "Closed"])),
        ("wiql", json!([2])),
        // 17 writes, and what they came to. A link between two items leaves the revision as it is.
        ("create_work_item", json!([1, "The cup is empty"])),
        ("update_work_item", json!([2, "Active"])),
        ("link", json!([2, 1])),
        ("comment", json!("Who drank it?")),
        ("comments", json!(["Who drank it?"])),
        ("delete_work_item", json!(true)),
        ("create_branch", json!([true, "succeeded"])),
        ("push_commit", json!(["Count the cups", "refs/heads/topic/cups"])),
        ("create_pull_request", json!("Cups")),
        ("update_pull_request", json!("Cups, counted")),
        ("vote", json!(10)),
        ("comment_pull_request", json!("Two?")),
        // The request is merged after the reply.
        ("complete_pull_request", json!("queued")),
        ("completed_pull_request", json!("completed")),
        ("queue_build", json!("refs/heads/main")),
        ("cancel_build", json!("cancelling")),
        ("canceled_build", json!("canceled")),
        ("run_pipeline", json!("inprogress")),
        ("create_subscription", json!(["enabled", "********"])),
        ("subscriptions", json!(true)),
        ("subscription", json!(true)),
        ("delete_subscription", json!(true)),
    ]
}

/// The script sees at the cloud and at a Server what is there.
fn sees(program: &Path, script: &str) {
    for arguments in [&[][..], &["--server", "--virtual-directory", "tfs"][..]] {
        let simulation = Simulation::start(arguments);
        let cache = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command.arg(at("tests/it/process").join(script));
        command.args([&simulation.url, &simulation.token, "https://hooks.example.com/x"]);
        // The Python package remembers what a server of this address offered, which another test's server may not.
        let output = command.env("AZURE_DEVOPS_CACHE_DIR", cache.path()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}\n{}", simulation.said());
        let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected = expected();
        for (name, expected) in &expected {
            assert_eq!(seen[name], *expected, "{arguments:?}: {name}");
        }
        assert_eq!(seen.as_object().unwrap().len(), expected.len(), "{seen}");
    }
}

#[test]
fn the_python_package_reads_and_writes_as_at_the_real_one() {
    let python = at("target/azure-devops/bin/python");
    if installed(&python, &["-c", "import azure.devops"], "the Python package azure-devops", "Python") {
        sees(&python, "package.py");
    }
}

#[test]
fn the_node_package_reads_and_writes_as_at_the_real_one() {
    let module = at("target/azure-devops-node/node_modules/azure-devops-node-api/package.json");
    let probe = format!("require({:?})", module.to_str().unwrap());
    let node = PathBuf::from("node");
    if installed(&node, &["-e", &probe], "azure-devops-node-api of npm", "Node") {
        sees(&node, "package.mjs");
    }
}
