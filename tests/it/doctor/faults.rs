//! Planted faults, each found by name, with its cause and the one thing to do.

use super::{Front, Plan, World};
use bytes::Bytes;
use hookwell::{
    domain::{Disposition, KeySource, Notification, NotificationId, Verified},
    simulator::{Scope, TokenState, tokens},
    store::{Entry, Error, Journal as _, Log},
};
use jiff::SignedDuration;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

async fn behind(front: Front) -> World {
    World::start(Plan { front, ..Plan::default() }).await
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let said = behind(Front::Nowhere).await.examine().await;
    let cause = "the name hookwell-doctor.invalid of the public URL has no address here";
    said.fails(&["name", "round_trip"], "name", cause, "make an entry for hookwell-doctor.invalid in the DNS");
    said.says("round_trip", "could not deliver", "in the DNS that Azure DevOps asks");
    said.skips("port", "name");
}

#[tokio::test]
async fn a_certificate_that_has_expired() {
    let said = behind(Front::Tls { name: "localhost", days: -2 }).await.examine().await;
    let cause = "the certificate of localhost has expired: it was good until";
    said.fails(&["certificate", "round_trip"], "certificate", cause, "Renew it");
    said.says("round_trip", "could not deliver", "not expired");
    assert_eq!(said.step("gateway")["state"], "ok", "who is behind it is seen all the same");
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts() {
    let said = behind(Front::Tls { name: "localhost", days: 90 }).await.examine().await;
    let cause = "the certificate of localhost is not trusted: nobody that is trusted here issued it";
    said.fails(&["certificate", "round_trip"], "certificate", cause, "one of a public authority");
}

#[tokio::test]
async fn a_certificate_for_another_name() {
    let said = behind(Front::Tls { name: "intranet.example", days: 90 }).await.examine().await;
    let cause = "the certificate is not for the name localhost, but for";
    said.fails(&["certificate", "round_trip"], "certificate", cause, "Get one that names localhost");
    said.says("certificate", "intranet.example", "--public-url");
}

#[tokio::test]
async fn nobody_who_listens() {
    let said = behind(Front::Nobody).await.examine().await;
    let failed = ["public_url", "port", "round_trip"];
    said.fails(&failed, "port", "nothing answers at http://127.0.0.1", "open the firewall");
    said.says("round_trip", "could not deliver", "Open the way from Azure DevOps to the gateway");
    said.skips("gateway", "port");
}

#[tokio::test]
async fn another_server_at_the_public_url() {
    const PAGE: &str = "HTTP/1.1 200 OK\r\nserver: nginx\r\ncontent-type: text/html\r\ncontent-length: 39\r\nconnection: close\r\n\r\n<html><title>Welcome to nginx!</title>\n";
    let said = behind(Front::Other(PAGE)).await.examine().await;
    let cause = "it is not this gateway that answers at http://127.0.0.1";
    said.fails(&["public_url", "gateway", "round_trip"], "gateway", cause, "Point --public-url to where");
    said.says("gateway", "page “Welcome to nginx!”, server nginx", "pass /hooks/ on to the gateway");
    said.says("round_trip", "says that it delivered", "another server behind that name");
    said.skips("authorization", "gateway");
}

#[tokio::test]
async fn a_proxy_with_a_sign_in_page() {
    const SIGN_IN: &str = "HTTP/1.1 302 Found\r\nlocation: https://login.example.com/?secret=planted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let said = behind(Front::Other(SIGN_IN)).await.examine().await;
    let failed = ["public_url", "gateway", "round_trip"];
    said.fails(&failed, "gateway", "(status 302, sends to login.example.com)", "out of the redirect or sign-in");
    said.says("round_trip", "302", "Azure DevOps follows none");
    assert!(!said.0.to_string().contains("planted"), "{:#}", said.0);
}

#[tokio::test]
async fn a_proxy_that_takes_the_credentials_away() {
    let said = behind(Front::Stripping).await.examine().await;
    let cause = "does not pass the header Authorization on";
    let failed = ["public_url", "authorization", "round_trip"];
    said.fails(&failed, "authorization", cause, "proxy_set_header Authorization $http_authorization");
    said.says("round_trip", "401", "pass the header Authorization on unchanged");
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_ten_minutes() {
    for (ahead, way) in [(-600, "behind"), (600, "ahead of")] {
        let world = World::start(Plan { ahead: SignedDuration::from_secs(ahead), ..Plan::default() }).await;
        let said = world.examine().await;
        assert_eq!(said.are("failed"), ["clock"], "{:#}", said.0);
        let step = said.step("clock");
        let cause = step["cause"].as_str().unwrap();
        let minutes = cause.contains(&format!("10 minutes {way} that of Azure DevOps"))
            || cause.contains(&format!("9 minutes {way} that of Azure DevOps"));
        assert!(minutes && step["remedy"].as_str().unwrap().contains("NTP"), "{step:#}");
    }
}

#[tokio::test]
async fn a_dead_token() {
    let world = World::start(Plan::default()).await;
    world.simulator().set_token(tokens::FULL, TokenState::Expired);
    let said = world.examine().await;
    let cause = "Azure DevOps does not accept the token: it has expired, and cannot be extended any more";
    said.fails(&["public_url", "azure_devops"], "azure_devops", cause, "/_usersSettings/tokens");
    for name in ["scope_code", "scope_service_hooks", "subscriptions", "round_trip"] {
        said.skips(name, "azure_devops");
    }
}

#[tokio::test]
async fn a_scope_that_is_missing() {
    let world = World::start(Plan::default()).await;
    world.simulator().hire("Somebody", "somebody@fabrikam.example", true);
    let scopes = [Scope::Project, Scope::Build, Scope::Work, Scope::Release];
    world.simulator().issue_token("lacksscopecode", "somebody@fabrikam.example", Some(&scopes));
    let path = format!("/v1/connections/{}", world.connection);
    let ask = world.gateway.ask("PATCH", &path).header("if-match", "*");
    assert_eq!(ask.json(&json!({ "token": "lacksscopecode" })).send().await.status, 200);
    let said = world.examine().await;
    said.fails(&["scope_code"], "scope_code", "Code (Read) is missing", "tick Code: Read, Save");
    assert_eq!(said.step("scope_build")["state"], "ok", "{:#}", said.0);
}

#[tokio::test]
async fn no_right_on_the_service_hooks() {
    let world = World::start(Plan { token: tokens::WITHOUT_EDIT, ..Plan::default() }).await;
    let said = world.examine().await;
    let failed = ["public_url", "scope_service_hooks"];
    said.fails(
        &failed,
        "scope_service_hooks",
        "the permission Edit Subscription is missing",
        "View and Edit Subscriptions",
    );
    said.skips("subscriptions", "scope_service_hooks");
    said.skips("round_trip", "scope_service_hooks");
}

#[tokio::test]
async fn hooks_that_are_missing() {
    let world = World::start(Plan::default()).await;
    world.bind().await;
    let said = world.examine().await;
    let remedy = format!("POST /v1/subscriptions/reconcile?connection={}", world.connection);
    said.fails(&["subscriptions"], "subscriptions", "missing (", &remedy);
    said.says("subscriptions", "git.p", &remedy);
    assert!(world.simulator().hooks().subscriptions().is_empty(), "looking makes none");
}

#[tokio::test]
async fn hooks_that_azure_devops_or_a_person_switched_off() {
    let world = World::start(Plan::default()).await;
    world.bind().await;
    world.reconcile().await;
    let hooks = world.simulator().hooks();
    let ids: Vec<Uuid> = hooks.subscriptions().iter().map(|hook| hook.id.parse().unwrap()).collect();
    hooks.disable_by_system(ids[0]);
    let said = world.examine().await;
    let cause = "1 disabled by Azure DevOps after failures (";
    said.fails(&["subscriptions"], "subscriptions", cause, "Mend what the steps above and the round trip find");
    hooks.disable_by_user(ids[1]);
    let said = world.examine().await;
    said.fails(&["subscriptions"], "subscriptions", "1 disabled by a person (", "Enable what a person switched off");
}

#[tokio::test]
async fn a_store_that_is_full() {
    let world = World::start(Plan::default()).await;
    world.faulty.fail(Error::Unavailable { reason: "the disk is full".to_owned() });
    let said = world.examine().await;
    said.fails(
        &["public_url", "store"],
        "store",
        "answered 503: the disk is full",
        "Make room on the data directory's disk",
    );
    said.skips("translation", "store");
    said.skips("round_trip", "store");
    assert_eq!(said.step("azure_devops")["state"], "ok", "what cannot be kept is said all the same");
}

#[tokio::test]
async fn a_translation_that_stands_still() {
    let world = World::start(Plan { translates: false, ..Plan::default() }).await;
    let at = world.gateway.app.clock.now() - SignedDuration::from_mins(10);
    let waiting = Notification {
        id: NotificationId(Uuid::new_v4()),
        connection: world.connection,
        received_at: at,
        disposition: Disposition::Accepted,
        verified: Verified { subscription_key: "manual".to_owned(), generation: 1, signature: false },
        recovered: None,
        key_source: KeySource::Body,
        event_type: None,
        subscription_id: None,
        notification_id: None,
        reason: None,
        headers: BTreeMap::new(),
        size_bytes: 2,
        body: Bytes::from_static(b"{}"),
    };
    let entry = Entry { key: waiting.id.0, time: at, body: waiting.to_stored() };
    world.gateway.store.append(Log::Notifications, entry).await.unwrap();
    let said = world.examine().await;
    let cause = "the translation stands still: 1 notifications wait, the oldest for 10 minutes";
    said.fails(&["translation", "round_trip"], "translation", cause, "Restart the gateway");
    said.says("round_trip", "arrived and is kept", "Restart the gateway");
}
