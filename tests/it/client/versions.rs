//! Speaking the api-version that a server takes.

use super::{
    access, client, first,
    scripted::{Asked, Say, Scripted, connection_data, reply, said, usual},
};
use hookwell::azure::client::{ApiVersion, Failure};
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A refusal as Azure words it, by the highest version that is taken.
fn out_of_range(highest: &str) -> Say {
    let message = format!(
        "The requested REST API version is out of range for this server. The latest REST API version this server \
         supports is {highest}."
    );
    let body = json!({ "message": message, "typeKey": "VssVersionOutOfRangeException" });
    reply(400, &[("content-type", "application/json")], body.to_string())
}

fn no_projects() -> Say {
    said(&json!({ "count": 0, "value": [] }))
}

#[tokio::test]
async fn the_version_is_asked_once_and_sent_with_every_call() {
    let server = Scripted::all(|asked| usual(asked, "6.0").unwrap_or_else(no_projects)).await;
    let client = client(&access(&server.origin));
    client.projects(first(10)).await.unwrap();
    client.repositories(None).await.unwrap();
    client.connection_data().await.unwrap();
    assert_eq!(client.api_version().await.unwrap(), ApiVersion { major: 6, minor: 0 });
    let sent: Vec<String> =
        server.asked().iter().map(|asked| format!("{} {}", asked.method, asked.parameter("api-version"))).collect();
    assert_eq!(sent, ["OPTIONS ", "GET 6.0", "GET 6.0", "GET 6.0-preview"]);
}

#[tokio::test]
async fn many_callers_wait_for_one_negotiation() {
    let server = Scripted::all(|asked| usual(asked, "7.1").unwrap_or_else(no_projects)).await;
    let client = client(&access(&server.origin));
    let calls = (0..8).map(|_| client.api_version());
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn where_options_does_not_get_through_the_refusal_names_the_version() {
    for (status, body) in [(405, "<title>Method not allowed</title>"), (403, "<title>WAF</title>"), (200, "")] {
        let server = Scripted::all(move |asked| match asked.method.as_str() {
            "OPTIONS" => reply(status, &[("content-type", "text/html")], body),
            _ if !asked.parameter("api-version").starts_with("5.1") => out_of_range("5.1"),
            _ => no_projects(),
        })
        .await;
        let client = client(&access(&server.origin));
        client.projects(first(10)).await.unwrap();
        assert_eq!(client.api_version().await.unwrap(), ApiVersion { major: 5, minor: 1 });
    }
}

#[tokio::test]
async fn a_server_that_became_older_is_spoken_to_in_its_version() {
    let old = Arc::new(AtomicBool::new(false));
    let is_old = Arc::clone(&old);
    let script = move |asked: &Asked| {
        let older = is_old.load(Ordering::SeqCst);
        if older && asked.parameter("api-version").starts_with("7.1") {
            return out_of_range("7.0");
        }
        usual(asked, if older { "7.0" } else { "7.1" }).unwrap_or_else(no_projects)
    };
    let server = Scripted::all(script).await;
    let client = client(&access(&server.origin));
    client.projects(first(10)).await.unwrap();
    old.store(true, Ordering::SeqCst);
    client.projects(first(10)).await.unwrap();
    assert_eq!(client.api_version().await.unwrap(), ApiVersion { major: 7, minor: 0 });
}

#[tokio::test]
async fn a_server_that_takes_no_version_is_not_asked_for_ever() {
    let server = Scripted::all(|asked| usual(asked, "7.1").unwrap_or_else(|| out_of_range("7.1"))).await;
    let failure = client(&access(&server.origin)).projects(first(10)).await.unwrap_err();
    assert!(matches!(failure, Failure::Refused { kind: Some(kind), .. } if kind == "VssVersionOutOfRangeException"));
    assert!(server.asked().len() <= 4, "{}", server.asked().len());
}

#[tokio::test]
async fn what_is_in_preview_there_is_asked_for_as_such_from_then_on() {
    let script = |asked: &Asked| {
        let preview = asked.parameter("api-version").ends_with("-preview");
        if asked.path.contains("/_apis/permissions/") && !preview {
            let message = "The requested version \"5.0\" of the resource is under preview. The -preview flag must be \
                           supplied in the api-version for such requests.";
            let body = json!({ "message": message, "typeKey": "VssInvalidPreviewVersionException" });
            return reply(400, &[("content-type", "application/json")], body.to_string());
        }
        usual(asked, "5.0").unwrap_or_else(|| said(&json!({ "count": 1, "value": [true] })))
    };
    let server = Scripted::all(script).await;
    let client = client(&access(&server.origin));
    let edit = hookwell::azure::client::Permission::EditSubscriptions;
    assert!(client.may(edit, None).await.unwrap());
    assert!(client.may(edit, None).await.unwrap());
    let sent: Vec<String> = server.asked().iter().map(|asked| asked.parameter("api-version").to_owned()).collect();
    assert_eq!(sent, ["", "5.0", "5.0-preview", "5.0-preview"]);
}

#[tokio::test]
async fn an_old_server_that_does_not_say_what_it_is_is_a_server() {
    let server = Scripted::all(|asked| {
        if asked.is("GET", "/connectionData") { connection_data("", 7) } else { usual(asked, "5.0").unwrap() }
    })
    .await;
    let data = client(&access(&server.origin)).connection_data().await.unwrap();
    assert_eq!(data.deployment, hookwell::azure::client::Deployment::Server);
}
