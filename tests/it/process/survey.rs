//! `hookwell survey` beside a gateway, of a simulated Azure DevOps.

use super::{ADMIN_TOKEN, BACKSTOP, Process, hookwell, simulated::Simulation, walkthrough::post};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Stdio},
};

/// Beside this gateway, with its report in this folder.
fn survey(process: &Process, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = hookwell(&["survey", "--gateway", &process.base, "--connection", "Fabrikam"]);
    command.args(arguments).env("HOOKWELL_TOKEN", ADMIN_TOKEN).current_dir(folder);
    command
}

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("survey.json")).unwrap()).unwrap()
}

/// The hooks of surveys that are there.
async fn hooks(process: &Process, simulation: &Simulation) -> usize {
    let url = format!("{}/_simulator/hooks", simulation.origin());
    let all: Value = process.client.get(url).send().await.unwrap().json().await.unwrap();
    all.as_array().unwrap().iter().filter(|own| own.to_string().contains("hookwell-survey")).count()
}

#[tokio::test]
async fn a_survey_prints_a_table_and_writes_a_report_and_leaves_nothing_also_when_it_is_broken_off() {
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::start(&[]);
    let process = Process::start(&folder.path().join("data"), &[]);
    let connection = json!({ "name": "Fabrikam", "url": simulation.url, "token": simulation.token });
    post(&process, "/v1/connections", connection).await;

    let read = survey(&process, folder.path(), &[]).output().unwrap();
    let said = String::from_utf8_lossy(&read.stdout).into_owned();
    assert_eq!(read.status.code(), Some(0), "{read:?}");
    assert!(said.contains("  as assumed routes           status 200"), "{said}");
    assert!(said.contains(" unsettled\n") && said.ends_with("which names nobody, is in survey.json\n"), "{said}");
    let told = report(folder.path());
    assert_eq!((&told["scratch"], &told["faults"]), (&json!(false), &json!({})), "{told:#}");
    for secret in [&simulation.token, ADMIN_TOKEN, "fabrikam", "Fiber", "127.0.0.1"] {
        assert!(!told.to_string().contains(secret) && !said.contains(secret), "{secret}");
    }

    let made = survey(&process, folder.path(), &["--scratch-project", "Fiber Café"]).output().unwrap();
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    assert_eq!((&report(folder.path())["scratch"], hooks(&process, &simulation).await), (&json!(true), 0));

    // A hook that is not listed is waited for, so that there is something to break off.
    let late = json!({ "hooks": { "listed_late_seconds": 600 } });
    let url = format!("{}/_simulator/faults", simulation.origin());
    assert!(process.client.put(url).json(&late).send().await.unwrap().status().is_success());
    std::fs::remove_file(folder.path().join("survey.json")).unwrap();
    let mut command = survey(&process, folder.path(), &["--scratch-project", "Fiber Café"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = async {
        while hooks(&process, &simulation).await == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BACKSTOP, begun).await.expect("it makes a hook");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let broken = child.wait_with_output().unwrap();
    assert_eq!(broken.status.code(), Some(1), "{broken:?}");
    assert!(String::from_utf8_lossy(&broken.stderr).contains("it is stopped: somebody stopped it"), "{broken:?}");
    assert_eq!(hooks(&process, &simulation).await, 0);
    assert_eq!(report(folder.path())["left_behind"], 0);

    for (arguments, code, words) in [
        (vec!["--scratch-project", "Nowhere"], 1, "nothing was made"),
        (vec!["--output", "no/such/folder.json"], 1, "no/such/folder.json"),
    ] {
        let failed = survey(&process, folder.path(), &arguments).output().unwrap();
        assert_eq!(failed.status.code(), Some(code), "{failed:?}");
        assert!(String::from_utf8_lossy(&failed.stderr).contains(words), "{failed:?}");
    }
    let nobody = hookwell(&["survey", "--gateway", &process.base, "--connection", "Contoso"])
        .env("HOOKWELL_TOKEN", ADMIN_TOKEN)
        .output()
        .unwrap();
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    assert_eq!(process.stop(), Some(0));
}
