//! `hookwell doctor` beside a gateway with a certificate that is trusted, and an Azure DevOps to examine it with.

use super::{
    ADMIN_TOKEN, Process, hookwell,
    simulated::Simulation,
    walkthrough::{post, private_authority, until},
};
use serde_json::{Value, json};
use std::{net::TcpListener, process::Output};

/// With a token, and these authorities trusted.
fn doctor(arguments: &[&str], authorities: &str) -> Output {
    let mut command = hookwell(&["doctor"]);
    command.args(arguments).env("HOOKWELL_TOKEN", ADMIN_TOKEN).env("SSL_CERT_FILE", authorities).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn the_doctor_finds_nothing_when_all_is_well_and_says_what_is_wrong_when_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, cert, key) = private_authority(folder.path());
    let authorities = folder.path().join("ca.pem").to_str().unwrap().to_owned();
    std::fs::write(&authorities, ca).unwrap();
    let trusting = [("SSL_CERT_FILE", authorities.as_str())];
    let simulation = Simulation::start_in(&["--server"], &trusting);
    // Told to the gateway before it listens, so it is chosen here; nobody else takes it in between.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (address, public_url) = (format!("127.0.0.1:{port}"), format!("https://localhost:{port}"));
    let tls = ["--tls-cert", &cert, "--tls-key", &key];
    let flags = [&["--listen", &address, "--public-url", &public_url], tls.as_slice()].concat();
    let process = Process::start_in(&folder.path().join("data"), &flags, &trusting);

    let nothing = doctor(&["--gateway", &public_url], &authorities);
    assert_eq!(nothing.status.code(), Some(0), "{nothing:?}");
    assert!(said(&nothing).starts_with("there is no connection yet"), "{nothing:?}");

    let connection = json!({ "name": "Fabrikam", "url": simulation.url, "token": simulation.token });
    let made = post(&process, "/v1/connections", connection).await;
    let id = made["id"].as_str().unwrap();
    let request = process.client.put(format!("{}/v1/projects/web-shop", process.base)).bearer_auth(ADMIN_TOKEN);
    assert!(request.json(&json!({ "name": "Web shop" })).send().await.unwrap().status().is_success());
    let binding =
        json!({ "role": "code_deployment", "connection": id, "azure_project": "Fiber Café", "repository": "web shop" });
    post(&process, "/v1/projects/web-shop/bindings", binding).await;
    let all_active = |list: &Value| {
        let all = list["data"].as_array().unwrap();
        !all.is_empty() && all.iter().all(|one| one["state"] == "active" || one["state"] == "not_offered")
    };
    until(&process, "/v1/subscriptions", all_active).await;

    let well = doctor(&["--gateway", &public_url, "--connection", "Fabrikam"], &authorities);
    let text = said(&well);
    assert_eq!(well.status.code(), Some(0), "{well:?}");
    assert!(text.starts_with("Fabrikam\n"), "{text}");
    assert_eq!(text.lines().count(), 19, "{text}");
    assert!(text.lines().skip(1).all(|line| line.starts_with("  ok       ")), "{text}");
    assert!(text.contains("a test notification of Azure DevOps arrived"), "{text}");

    // Where the gateway listens is known from its own settings too.
    let as_json =
        doctor(&[&["--json", "--listen", &address, "--connection", id], tls.as_slice()].concat(), &authorities);
    let reports: Value = serde_json::from_slice(&as_json.stdout).unwrap();
    assert_eq!((as_json.status.code(), &reports[0]["state"]), (Some(0), &json!("ok")), "{reports:#}");

    drop(simulation);
    let wrong = doctor(&["--gateway", &public_url], &authorities);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    let line = said(&wrong).lines().find(|line| line.starts_with("  failed   azure_devops")).unwrap().to_owned();
    assert!(line.contains("nothing answers at") && line.contains(". → Check that the server runs"), "{line}");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("hookwell: something is wrong"), "{wrong:?}");

    let nobody = doctor(&["--gateway", &public_url, "--connection", "Contoso"], &authorities);
    assert_eq!(nobody.status.code(), Some(2), "{nobody:?}");
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("there are: Fabrikam"), "{nobody:?}");
    let (status, log) = process.stop_with_log();
    assert_eq!(status, Some(0));
    for text in [&log, &said(&well), &said(&wrong)] {
        assert!(!text.contains(made["hook"]["password"].as_str().unwrap()), "{text}");
    }
    assert_eq!(hookwell(&["doctor"]).output().unwrap().status.code(), Some(2), "without a token");
}
