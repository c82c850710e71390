//! Microsoft's documented payloads through the front door: each answered 200, and one fact is one event however often and
//! by whichever subscription it is told. (That the events are valid is `translate::corpus`.)

use super::{Process, outcome};
use serde_json::{Value, json};
use std::path::PathBuf;

#[tokio::test]
async fn every_documented_payload_is_answered_200_and_told_again_adds_no_event() {
    let Some(corpus) = std::env::var_os("HOOKWELL_CORPUS").map(PathBuf::from) else {
        eprintln!("SKIPPED, HOOKWELL_CORPUS names no folder: Microsoft's documented payloads were not posted");
        return;
    };
    let mut files: Vec<_> =
        std::fs::read_dir(corpus.join("azure-devops")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 30);
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]);
    let hook = process.connect().await;

    for path in &files {
        let body = std::fs::read(path).unwrap();
        let answer = outcome(hook.post(&process, body.clone()).await.unwrap()).await;
        assert_eq!(answer, (200, "accepted".to_owned()), "{}", path.display());
        let answer = outcome(hook.post(&process, body).await.unwrap()).await;
        assert_eq!(answer, (200, "duplicate".to_owned()), "{}", path.display());
    }
    process.idle().await;
    let events = count(&process).await;
    assert!(events >= files.len(), "every payload became an event");

    for (number, path) in files.iter().enumerate() {
        for subscription in ["5b1d7fd6-0f0e-4f8a-9a51-0c3a4a2d7b10", "5b1d7fd6-0f0e-4f8a-9a51-0c3a4a2d7b11"] {
            let mut body: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            body["subscriptionId"] = json!(subscription);
            body["notificationId"] = json!(number + 1_000);
            let (status, outcome) = outcome(hook.post(&process, body.to_string()).await.unwrap()).await;
            assert_eq!(status, 200, "{}", path.display());
            // With a subscription, Microsoft's own samples are what the Test button sends.
            assert!(["accepted", "test"].contains(&outcome.as_str()), "{}: {outcome}", path.display());
        }
    }
    process.idle().await;
    assert_eq!(count(&process).await, events, "a fact told again is no new event");
}

async fn count(process: &Process) -> usize {
    process.json("/v1/events?limit=1000").await["data"].as_array().unwrap().len()
}
