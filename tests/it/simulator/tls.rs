//! The same over https.

use super::MORNING;
use crate::azure::Azure;
use hookwell::{clock::ManualClock, simulator::Options};
use std::sync::Arc;

#[tokio::test]
async fn with_a_certificate_it_speaks_https_and_says_so_in_its_urls() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let clock = Arc::new(ManualClock::new(MORNING.parse().unwrap()));
    let azure = Azure::start_tls(Options::services("fabrikam"), clock, cert, key).await;
    assert!(azure.url().starts_with("https://localhost:"), "{}", azure.url());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
    let path = format!("{}/_apis/resourceAreas?api-version=7.1-preview", azure.url());
    let areas: serde_json::Value = client.get(path).send().await.unwrap().json().await.unwrap();
    assert_eq!(areas["value"][0]["locationUrl"], format!("{}/", azure.url()));
}
