//! Credentials: the ways in which a dead one is refused, scopes, permissions, the service principal.

use super::{Asker, CAFE};
use hookwell::simulator::{Options, Refusal, ScopeRefusal, ServerVersion, TokenState, tokens};
use http::Method;
use std::time::Duration;

const SUPPRESS: [(&str, &str); 1] = [("x-tfs-fedauthredirect", "Suppress")];

#[tokio::test]
async fn a_dead_token_is_a_sign_in_page_and_not_a_401() {
    for token in [Some("nobodys"), None] {
        let asker = Asker::new().await.with_token(token);
        let got = asker.get("_apis/projects").await;
        assert_eq!((got.status.as_u16(), got.header("content-type")), (203, Some("text/html; charset=utf-8")));
        assert!(got.text.contains("Sign in"), "{got:?}");
        // What changes something is refused plainly.
        let got = asker.send(Method::PATCH, "_apis/projects", &[], Some("{}")).await;
        assert_eq!((got.status.as_u16(), got.kind().as_str()), (401, "UnauthorizedRequestException"));
        // And so is everything, if that is asked for.
        let got = asker.send(Method::GET, "_apis/projects", &SUPPRESS, None).await;
        assert_eq!(got.status, 401);
        asker.azure.simulator.fail(|faults| faults.suppress_is_ignored = true);
        assert_eq!(asker.send(Method::GET, "_apis/projects", &SUPPRESS, None).await.status, 203);
        asker.azure.simulator.fail(|faults| faults.refusal = Refusal::Redirect);
        let got = asker.get("_apis/projects").await;
        assert_eq!(got.status, 302);
        assert!(got.header("location").unwrap().contains("/_signin"), "{got:?}");
        asker.azure.simulator.fail(|faults| faults.refusal = Refusal::Unauthorized);
        assert_eq!(asker.get("_apis/projects").await.status, 401);
    }
}

#[tokio::test]
async fn a_server_refuses_with_windows_authentication() {
    let asker = Asker::at(Options::server("DefaultCollection", ServerVersion::V2022_1)).await.with_token(None);
    let got = asker.get("_apis/projects").await;
    assert_eq!(got.status, 401);
    let ways: Vec<_> = got.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(ways, ["Negotiate", "NTLM"]);
}

#[tokio::test]
async fn a_token_expires_is_revoked_and_dies_with_its_owner() {
    let asker = Asker::new().await.with_token(Some(tokens::EXPIRED));
    let got = asker.send(Method::GET, "_apis/projects", &SUPPRESS, None).await;
    assert_eq!(got.json()["message"], "Access Denied: The Personal Access Token used has expired.");
    assert!(got.header("x-tfs-serviceerror").unwrap().contains("expired"));

    let asker = Asker::new().await;
    let simulator = asker.azure.simulator.clone();
    assert_eq!(asker.get("_apis/projects").await.status, 200);
    simulator.set_token(tokens::FULL, TokenState::Revoked);
    assert_eq!(asker.get("_apis/projects").await.status, 203);
    simulator.set_token(tokens::FULL, TokenState::Live);
    simulator.dismiss("ana@fabrikam.example");
    assert_eq!(asker.get("_apis/projects").await.status, 203);
}

#[tokio::test]
async fn scopes_limit_what_a_token_reads() {
    let paths = [
        ("code", format!("{CAFE}/_apis/git/repositories")),
        ("build", format!("{CAFE}/_apis/build/definitions")),
        ("work", format!("{CAFE}/_apis/wit/workitemtypes")),
        ("release", format!("/_vsrm/fabrikam/{CAFE}/_apis/release/definitions")),
    ];
    for (token, allowed) in [
        (tokens::FULL, &["code", "build", "work", "release"][..]),
        (tokens::CODE_ONLY, &["code"]),
        (tokens::BUILD_ONLY, &["build"]),
        (tokens::WORK_ONLY, &["work"]),
        (tokens::WITHOUT_RELEASE, &["code", "build", "work"]),
    ] {
        let asker = Asker::new().await.with_token(Some(token));
        for (scope, path) in &paths {
            let expected = if allowed.contains(scope) { 200 } else { 401 };
            assert_eq!(asker.get(path).await.status, expected, "{token} {scope}");
        }
        asker.azure.simulator.fail(|faults| faults.scope_refusal = ScopeRefusal::Forbidden);
        for (scope, path) in &paths {
            let expected = if allowed.contains(scope) { 200 } else { 403 };
            assert_eq!(asker.get(path).await.status, expected, "{token} {scope}");
        }
    }
}

#[tokio::test]
async fn permissions_on_hooks_are_told_bit_by_bit_and_project_by_project() {
    let asker = Asker::new().await.with_token(Some(tokens::WITHOUT_EDIT));
    let project = asker.azure.simulator.project("Fiber Café").unwrap();
    let namespace = "_apis/permissions/cb594ebe-87dd-4fc9-ac2c-6a10a4c92046";
    let path = |bits: u32| format!("{namespace}/{bits}?tokens=PublisherSecurity,PublisherSecurity/{project}");
    assert_eq!(asker.read(&path(1)).await["value"].to_string(), "[true,true]");
    assert_eq!(asker.read(&path(2)).await["value"].to_string(), "[false,false]");
    asker.azure.simulator.allow_hooks("mei@fabrikam.example", Some(project), 3);
    assert_eq!(asker.read(&path(2)).await["value"].to_string(), "[false,true]");
    assert_eq!(asker.read(&path(6)).await["value"].to_string(), "[false,false]");
}

#[tokio::test]
async fn a_service_principal_gets_a_bearer_token_that_ends() {
    let asker = Asker::new().await.with_token(None);
    let path = format!("/{}/oauth2/v2.0/token", tokens::TENANT);
    let form = |secret: &str| {
        format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}\
             &scope=499b84ac-1321-427f-aa17-267ca6975798%2F.default",
            tokens::CLIENT_ID
        )
    };
    let got = asker.post(&path, &form("wrong")).await;
    assert_eq!((got.status.as_u16(), got.json()["error"].clone()), (401, "invalid_client".into()));
    assert!(got.json()["error_description"].as_str().unwrap().starts_with("AADSTS7000215"));
    let got = asker.post(&path, &form(tokens::CLIENT_SECRET)).await.json();
    assert_eq!((&got["token_type"], &got["expires_in"]), (&"Bearer".into(), &3599.into()));
    let bearer = format!("Bearer {}", got["access_token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let got = asker.send(Method::GET, "_apis/connectionData?api-version=7.1-preview", &headers, None).await;
    assert_eq!(got.json()["authenticatedUser"]["providerDisplayName"], "Gateway");
    asker.clock.advance(Duration::from_hours(1));
    assert_eq!(asker.send(Method::GET, "_apis/projects", &headers, None).await.status, 203);
    assert_eq!(asker.post("/elsewhere/oauth2/v2.0/token", &form(tokens::CLIENT_SECRET)).await.status, 400);
}

#[tokio::test]
async fn a_proxy_in_front_wants_its_headers() {
    let required_headers = vec![("cf-access-client-id".to_owned(), "gate".to_owned())];
    let asker = Asker::at(Options { required_headers, ..Options::services("fabrikam") }).await;
    let got = asker.get("_apis/projects").await;
    assert_eq!((got.status.as_u16(), got.header("content-type")), (403, Some("text/html; charset=utf-8")));
    let with = [("CF-Access-Client-Id", "gate")];
    assert_eq!(asker.send(Method::GET, "_apis/projects", &with, None).await.status, 200);
}
