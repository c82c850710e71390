//! Which host is called, with what, and who never learns our credential.

use super::{
    PAT, access, client, first,
    scripted::{Asked, Say, Scripted, connection_data, reply, said, usual},
    secret,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::azure::client::{Access, Failure, Host};
use serde_json::json;

const RELEASES: &str = "/_apis/resourceAreas/efc2f575-36ef-48e9-b672-0c6fb4a48ac5";

fn area(location: &str) -> Say {
    said(&json!({ "id": "efc2f575-36ef-48e9-b672-0c6fb4a48ac5", "name": "Release", "locationUrl": location }))
}

fn nothing() -> Say {
    said(&json!({ "count": 0, "value": [] }))
}

#[tokio::test]
async fn every_request_says_who_and_what_it_is() {
    let server = Scripted::start(|_| nothing()).await;
    let headers = vec![("CF-Access-Client-Secret".to_owned(), secret("planted-header"))];
    let client = client(&Access { headers, ..access(&server.origin) });
    client.repositories(Some("My Project/日本")).await.unwrap();
    client.subscriptions(Host::Main).await.unwrap();
    let asked = server.asked();
    for asked in &asked {
        assert!(asked.header("user-agent").starts_with("hookwell/"), "{asked:?}");
        assert_eq!(asked.header("x-tfs-fedauthredirect"), "Suppress");
        assert_eq!(asked.header("cf-access-client-secret"), "planted-header");
        assert_eq!(asked.header("authorization"), format!("Basic {}", BASE64_STANDARD.encode(format!(":{PAT}"))));
        assert_eq!(asked.header("accept"), "application/json");
    }
    assert_eq!(asked[1].path, "/Coll/My%20Project%2F%E6%97%A5%E6%9C%AC/_apis/git/repositories");
    assert_eq!(asked[2].parameter("consumerId"), "webHooks");
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a_name_that_would_be_another_path_is_not_asked_for() {
    let server = Scripted::start(|_| nothing()).await;
    let client = client(&access(&server.origin));
    for name in ["", ".", ".."] {
        assert!(matches!(client.project(name).await, Err(Failure::NotFound { .. })), "{name:?}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn releases_are_asked_where_the_server_says_they_are() {
    let script = |asked: &Asked| {
        if asked.path.ends_with(RELEASES) {
            return area(&format!("http://{}/_vsrm/Coll/", asked.header("host")));
        }
        nothing()
    };
    let server = Scripted::start(script).await;
    let client = client(&access(&server.origin));
    client.release_definitions("Fabrikam", first(10)).await.unwrap();
    client.subscriptions(Host::Release).await.unwrap();
    client.event_types("rm").await.unwrap();
    assert_eq!(server.count("GET", RELEASES), 1);
    assert_eq!(server.count("GET", "/_vsrm/Coll/Fabrikam/_apis/release/definitions"), 1);
    assert_eq!(server.count("GET", "/_vsrm/Coll/_apis/hooks/subscriptions"), 1);
    assert_eq!(server.count("GET", "/_vsrm/Coll/_apis/hooks/publishers/rm/eventtypes"), 1);
}

#[tokio::test]
async fn a_host_that_is_not_azures_learns_nothing_though_the_server_names_it() {
    let stranger = Scripted::all(|_| nothing()).await;
    let location = stranger.origin.clone();
    let script = move |asked: &Asked| if asked.path.ends_with(RELEASES) { area(&location) } else { nothing() };
    let server = Scripted::start(script).await;
    client(&access(&server.origin)).release_definitions("Fabrikam", first(10)).await.unwrap();
    assert!(stranger.asked().is_empty(), "{:?}", stranger.asked());
    assert_eq!(server.count("GET", "/Coll/Fabrikam/_apis/release/definitions"), 1);
}

#[tokio::test]
async fn a_server_has_its_releases_where_it_has_everything() {
    let script = |asked: &Asked| {
        if asked.is("GET", "/connectionData") {
            return connection_data("onPremises", 7);
        }
        usual(asked, "7.0").unwrap_or_else(nothing)
    };
    let server = Scripted::all(script).await;
    let client = client(&access(&server.origin));
    client.subscriptions(Host::Release).await.unwrap();
    client.subscriptions(Host::Release).await.unwrap();
    assert_eq!(server.count("GET", "/Coll/_apis/hooks/subscriptions"), 2);
    assert_eq!((server.count("GET", RELEASES), server.count("GET", "/connectionData")), (0, 1));
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_credential() {
    let stranger = Scripted::all(|_| nothing()).await;
    let location = format!("{}/Coll/_apis/projects", stranger.origin);
    let server = Scripted::start(move |_| reply(307, &[("location", location.as_str())], "")).await;
    let failure = client(&access(&server.origin)).projects(first(10)).await.unwrap_err();
    assert!(matches!(failure, Failure::Unexpected { .. }), "{failure:?}");
    assert!(stranger.asked().is_empty());
}
