//! As a Microsoft Entra service principal.

use super::{
    Hasty, access, client, first,
    scripted::{Asked, Say, Scripted, reply, said, usual},
    secret,
};
use hookwell::azure::client::{Access, Credential, Dial as _, Dialer, Failure, Priority, Proof};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

const TOKEN: &str = "/contoso.example/oauth2/v2.0/token";

fn principal(origin: &str, secret_text: &str) -> Access {
    let credential = Credential::ServicePrincipal {
        tenant: "contoso.example".into(),
        client_id: "an-application".into(),
        proof: Proof::Secret(secret(secret_text)),
        authority: Some(origin.parse().unwrap()),
    };
    Access { credential: Some(credential), ..access(origin) }
}

/// Entra and Azure DevOps in one: hands out numbered tokens, and takes those from `good` on.
async fn entra(good: Arc<AtomicU32>) -> Scripted {
    let made = AtomicU32::new(0);
    let token = move |asked: &Asked| -> Say {
        if asked.is("POST", TOKEN) {
            let number = made.fetch_add(1, Ordering::SeqCst) + 1;
            return said(
                &json!({ "token_type": "Bearer", "expires_in": 3_599, "access_token": format!("bearer-{number}") }),
            );
        }
        let number =
            asked.header("authorization").strip_prefix("Bearer bearer-").and_then(|number| number.parse().ok());
        if number.is_none_or(|number: u32| number < good.load(Ordering::SeqCst)) {
            return reply(401, &[], "");
        }
        usual(asked, "7.1").unwrap_or_else(|| said(&json!({ "value": [] })))
    };
    Scripted::all(token).await
}

#[tokio::test]
async fn a_token_is_fetched_once_for_all_who_wait_and_renewed_before_its_end() {
    let server = entra(Arc::default()).await;
    let clock = Hasty::new();
    let client = Dialer::new(Arc::<Hasty>::clone(&clock)).dial(&principal(&server.origin, "planted-secret")).unwrap();
    client.api_version().await.unwrap();
    let calls = futures_util::future::join_all((0..4).map(|_| client.projects(first(10)))).await;
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    assert_eq!(server.count("POST", TOKEN), 1);
    let form = &server.asked()[0].body;
    for part in [
        "grant_type=client_credentials",
        "client_id=an-application",
        "client_secret=planted-secret",
        "scope=499b84ac-1321-427f-aa17-267ca6975798%2F.default",
    ] {
        assert!(form.contains(part), "{form}");
    }
    clock.0.advance(Duration::from_secs(3_599 - 301));
    client.projects(first(10)).await.unwrap();
    assert_eq!(server.count("POST", TOKEN), 1);
    clock.0.advance(Duration::from_secs(2));
    client.projects(first(10)).await.unwrap();
    assert_eq!(server.count("POST", TOKEN), 2);
}

#[tokio::test]
async fn a_token_that_azure_no_longer_takes_is_renewed_once() {
    let good = Arc::new(AtomicU32::new(0));
    let server = entra(Arc::clone(&good)).await;
    let clock = Hasty::new();
    let client = Dialer::new(Arc::<Hasty>::clone(&clock)).dial(&principal(&server.origin, "planted-secret")).unwrap();
    client.projects(first(10)).await.unwrap();
    clock.0.advance(Duration::from_mins(2));
    good.store(2, Ordering::SeqCst);
    client.projects(first(10)).await.unwrap();
    assert_eq!(server.count("POST", TOKEN), 2);
    // A principal that is in no organization: a fresh token is refused like the one before.
    clock.0.advance(Duration::from_mins(2));
    good.store(99, Ordering::SeqCst);
    assert!(matches!(client.projects(first(10)).await, Err(Failure::Unauthorized { .. })));
    assert_eq!(server.count("POST", TOKEN), 3);
}

#[tokio::test]
async fn what_entra_refuses_is_told_by_its_code_and_not_asked_again() {
    let server = Scripted::all(|asked| {
        let description = format!("AADSTS7000215: Invalid client secret provided: {}.\r\nTrace ID: 1", asked.body);
        let body = json!({ "error": "invalid_client", "error_description": description });
        reply(401, &[("content-type", "application/json")], body.to_string())
    })
    .await;
    let client = client(&principal(&server.origin, "planted-secret"));
    let failure = client.projects(first(10)).await.unwrap_err();
    let text = format!("{failure:?} {failure}");
    assert!(matches!(failure, Failure::Unauthorized { .. }) && text.contains("AADSTS7000215"), "{text}");
    assert!(!text.contains("planted") && !text.contains("Trace"), "{text}");
    assert_eq!(server.asked().len(), 1);
    assert!(client.at(Priority::Repair).projects(first(10)).await.is_err());
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn entra_on_a_bad_day_is_not_a_bad_credential() {
    for (status, body) in [(503, "{}"), (500, "<html>")] {
        let server = Scripted::all(move |_| reply(status, &[], body)).await;
        let failure = client(&principal(&server.origin, "planted-secret")).projects(first(10)).await.unwrap_err();
        assert!(matches!(failure, Failure::Unavailable { .. }), "{failure:?}");
    }
    let server = Scripted::all(|_| reply(429, &[("retry-after", "30")], "")).await;
    let client = client(&principal(&server.origin, "planted-secret"));
    for _ in 0..2 {
        let failure = client.projects(first(10)).await.unwrap_err();
        assert_eq!(failure, Failure::Throttled { wait: Duration::from_secs(30) });
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn the_extra_headers_are_not_for_entra() {
    let server = entra(Arc::default()).await;
    let headers = vec![("X-Gate".to_owned(), secret("planted-header"))];
    client(&Access { headers, ..principal(&server.origin, "planted-secret") }).projects(first(10)).await.unwrap();
    for asked in server.asked() {
        assert_eq!(asked.header("x-gate").is_empty(), asked.is("POST", TOKEN), "{asked:?}");
    }
}

#[test]
fn an_authority_in_the_clear_is_refused() {
    let access =
        Access { url: access("http://127.0.0.1:1").url, ..principal("http://login.example", "planted-secret") };
    let failure = Dialer::new(Hasty::new()).dial(&access).err().unwrap();
    assert!(matches!(&failure, Failure::Settings(said) if said.contains("authority")), "{failure:?}");
}
