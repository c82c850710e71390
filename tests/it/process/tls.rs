//! https by certificate files, and their renewal without a restart.

use super::{ADMIN_TOKEN, Process};
use hookwell::serve::Certificates;
use std::path::Path;
use tempfile::TempDir;

pub(super) fn write_certificate(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

pub(super) fn files(folder: &TempDir) -> [String; 2] {
    ["cert.pem", "key.pem"].map(|name| folder.path().join(name).to_str().unwrap().to_owned())
}

#[tokio::test]
async fn with_a_certificate_it_speaks_https_only() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path(), "localhost");
    let [cert, key] = files(&folder);
    let process = Process::start(&folder.path().join("data"), &["--tls-cert", &cert, "--tls-key", &key]);
    assert!(process.base.starts_with("https://"));
    let answer = process.client.get(format!("{}/v1/connections", process.base)).bearer_auth(ADMIN_TOKEN).send().await;
    assert_eq!(answer.unwrap().status(), 200);
    let plain = process.base.replace("https://", "http://");
    assert!(process.client.get(format!("{plain}/healthz")).send().await.is_err());
    let listen = process.base.trim_start_matches("https://").to_owned();
    let data = folder.path().join("data");
    let check = super::hookwell(&["check", "--listen", &listen, "--data-dir", data.to_str().unwrap()])
        .args(["--tls-cert", &cert, "--tls-key", &key])
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(0), "{}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn a_certificate_that_cannot_be_used_is_told_with_its_setting() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path(), "localhost");
    let [cert, key] = files(&folder);
    let data = folder.path().join("data");
    for (given, option) in
        [([cert.as_str(), "/nowhere/key.pem"], "--tls-key: /nowhere/key.pem"), ([&key, &key], "--tls-cert: ")]
    {
        let output = super::hookwell(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()])
            .args(["--tls-cert", given[0], "--tls-key", given[1]])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(option), "{said}");
    }
}

#[test]
fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path(), "before");
    let [cert, key] = files(&folder);
    let certificates = Certificates::load(cert.clone().into(), key.into()).unwrap();
    write_certificate(folder.path(), "after");
    certificates.reload().unwrap();
    std::fs::write(&cert, "no certificate").unwrap();
    let error = certificates.reload().unwrap_err().to_string();
    assert!(error.contains(&cert), "{error}");
}
