//! The ways to prove who we are without a secret: a certificate, a token that the machine has in a file, and the identity
//! that Azure gave the machine.

use super::{
    Hasty, access, first,
    scripted::{Asked, Say, Scripted, reply, said, usual},
    secret,
};
use crate::azure::Azure;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hookwell::{
    azure::{
        CollectionUrl,
        client::{Access, AzureDevOps, Credential, Dial as _, Dialer, Failure, Machine, Proof, check_certificate},
    },
    clock::Clock as _,
    simulator::{Options, tokens},
};
use rustls::{
    SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc, time::Duration};
use url::Url;

/// Keys of nobody: they were made for these tests, and open nothing.
pub(crate) const PRINCIPAL: &str = include_str!("../../../fixtures/entra/principal.pem");
pub(crate) const ISSUER: &str = include_str!("../../../fixtures/entra/issuer.pem");

/// Whom the token of a federated credential is for.
const EXCHANGE: &str = "api://AzureADTokenExchange";
/// Whose token it believes.
const WHOSE: (&str, &str) = ("https://oidc.cluster.example/", "system:serviceaccount:tools:hookwell");

fn origin(azure: &Azure) -> Url {
    azure.url().rsplit_once('/').unwrap().0.parse().unwrap()
}

fn principal(azure: &Azure, proof: Proof) -> Access {
    let credential = Credential::ServicePrincipal {
        tenant: tokens::TENANT.into(),
        client_id: tokens::CLIENT_ID.into(),
        proof,
        authority: Some(origin(azure)),
    };
    Access {
        url: CollectionUrl::parse(&azure.url()).unwrap(),
        credential: Some(credential),
        ..access("http://x.example")
    }
}

fn managed(url: &str, client_id: Option<&str>) -> Access {
    let credential = Credential::ManagedIdentity { client_id: client_id.map(str::to_owned) };
    Access { url: CollectionUrl::parse(url).unwrap(), credential: Some(credential), ..access("http://x.example") }
}

/// A token as a cluster signs one for a service account.
pub(crate) fn signed_token(pem: &str, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT", "kid": "1" })), part(claims));
    let key = any_supported_type(&PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let hand = key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(hand.sign(signed.as_bytes()).unwrap()))
}

async fn who(client: &Arc<dyn AzureDevOps>) -> Result<Option<String>, String> {
    client.connection_data().await.map(|data| data.user.display_name).map_err(|failure| failure.to_string())
}

#[tokio::test]
async fn a_certificate_signs_for_the_principal_and_its_key_goes_nowhere() {
    let azure = Azure::start(Options::services("fabrikam"), Hasty::new()).await;
    let client = |pem: &str| super::client(&principal(&azure, Proof::Certificate(secret(pem))));
    let said = who(&client(PRINCIPAL)).await.unwrap_err();
    assert!(said.contains("AADSTS700027") && said.contains("not registered"), "{said}");
    azure.simulator.believe(PRINCIPAL, None).unwrap();
    assert_eq!(who(&client(PRINCIPAL)).await.unwrap().as_deref(), Some("Gateway"));
    let said = who(&client(ISSUER)).await.unwrap_err();
    assert!(said.contains("AADSTS700027"), "{said}");
    // Somebody who has the certificate, which is no secret, and another key.
    let thumbprint_of_ours = PRINCIPAL.split_once("-----BEGIN CERTIFICATE").unwrap().1;
    let key_of_theirs = ISSUER.split_once("-----BEGIN CERTIFICATE").unwrap().0;
    let forged = format!("{key_of_theirs}-----BEGIN CERTIFICATE{thumbprint_of_ours}");
    assert!(check_certificate(&forged).unwrap_err().contains("no certificate of the private key"));
    let with_chain = format!("{ISSUER}{PRINCIPAL}").replace(key_of_theirs, "");
    assert_eq!(check_certificate(&with_chain), Ok(()), "the key's own certificate among others");
}

#[tokio::test]
async fn an_assertion_says_for_whom_and_until_when_it_is_and_each_is_another_one() {
    let server = Scripted::all(|asked| {
        if asked.is("POST", "/token") {
            return said(&json!({ "expires_in": 3_599, "access_token": "a-bearer" }));
        }
        usual(asked, "7.1").unwrap_or_else(|| said(&json!({ "value": [] })))
    })
    .await;
    let clock = Hasty::new();
    let credential = Credential::ServicePrincipal {
        tenant: "contoso.example".into(),
        client_id: "an-application".into(),
        proof: Proof::Certificate(secret(PRINCIPAL)),
        authority: Some(server.origin.parse().unwrap()),
    };
    let access = Access { credential: Some(credential), ..access(&server.origin) };
    let client = Dialer::new(Arc::<Hasty>::clone(&clock)).dial(&access).unwrap();
    client.projects(first(10)).await.unwrap();
    clock.0.advance(Duration::from_hours(1));
    client.projects(first(10)).await.unwrap();
    let asked: Vec<Asked> = server.asked().into_iter().filter(|asked| asked.is("POST", "/token")).collect();
    assert_eq!(asked.len(), 2);
    let assertions: Vec<String> = asked
        .iter()
        .map(|asked| {
            let form: Vec<(String, String)> = url::form_urlencoded::parse(asked.body.as_bytes()).into_owned().collect();
            let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            assert_eq!(
                field("client_assertion_type").as_deref(),
                Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            );
            assert_eq!(field("client_secret"), None);
            field("client_assertion").unwrap()
        })
        .collect();
    let part = |at: usize, nth: usize| -> Value {
        let text = assertions[at].split('.').nth(nth).unwrap();
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    };
    assert_eq!((&part(0, 0)["alg"], &part(0, 0)["typ"]), (&json!("PS256"), &json!("JWT")));
    assert!(part(0, 0)["x5t#S256"].as_str().is_some_and(|text| text.len() == 43));
    let claims = part(1, 1);
    assert_eq!(claims["aud"], format!("{}/contoso.example/oauth2/v2.0/token", server.origin));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("an-application"), &json!("an-application")));
    let now = clock.now().as_second();
    assert!((now..=now + 660).contains(&claims["exp"].as_i64().unwrap()), "{claims}");
    assert_ne!(claims["jti"], part(0, 1)["jti"]);
}

#[tokio::test]
async fn a_federated_token_is_read_anew_each_time() {
    let clock = Hasty::new();
    let azure = Azure::start(Options::services("fabrikam"), Arc::<Hasty>::clone(&clock)).await;
    azure.simulator.believe(ISSUER, Some((WHOSE.0.into(), WHOSE.1.into()))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("azure-identity-token");
    let machine =
        |authority: Option<Url>| Machine { federated_token_file: Some(file.clone()), authority, ..Machine::default() };
    let here = Dialer::new(Arc::<Hasty>::clone(&clock)).on(machine(Some(origin(&azure))));
    let access = principal(&azure, Proof::FederatedToken);
    let client = here.dial(&access).unwrap();
    let claims = |subject: &str, audience: &str| {
        let until = clock.now().as_second() + 3_600;
        json!({ "iss": WHOSE.0, "sub": subject, "aud": audience, "exp": until })
    };
    let said = who(&client).await.unwrap_err();
    assert!(said.contains("cannot be read") && said.contains("azure-identity-token"), "{said}");
    let write = |pem: &str, claims: &Value| std::fs::write(&file, signed_token(pem, claims) + "\n").unwrap();
    for (pem, claims, code) in [
        (ISSUER, claims("system:serviceaccount:tools:other", EXCHANGE), "AADSTS700213"),
        (ISSUER, claims(WHOSE.1, "https://elsewhere.example"), "AADSTS700023"),
        (PRINCIPAL, claims(WHOSE.1, EXCHANGE), "AADSTS700027"),
    ] {
        write(pem, &claims);
        // A refusal is remembered for a minute.
        clock.0.advance(Duration::from_mins(2));
        let said = who(&client).await.unwrap_err();
        assert!(said.contains(code), "{said}");
        assert!(!said.contains(&signed_token(pem, &claims)), "{said}");
    }
    for _ in 0..2 {
        write(ISSUER, &claims(WHOSE.1, EXCHANGE));
        clock.0.advance(Duration::from_hours(2));
        write(ISSUER, &claims(WHOSE.1, EXCHANGE));
        assert_eq!(who(&client).await.unwrap().as_deref(), Some("Gateway"));
    }
    // An authority that only the connection names would get the machine's token.
    let failure = Dialer::new(Arc::<Hasty>::clone(&clock)).on(machine(None)).dial(&access).err().unwrap();
    assert!(matches!(&failure, Failure::Settings(said) if said.contains("Microsoft's authorities")), "{failure:?}");
    let Some(Credential::ServicePrincipal { tenant, client_id, proof, .. }) = access.credential.clone() else {
        panic!()
    };
    let credential = Some(Credential::ServicePrincipal { tenant, client_id, proof, authority: None });
    let failure = Dialer::new(clock).dial(&Access { credential, ..access }).err().unwrap();
    assert!(matches!(&failure, Failure::Settings(said) if said.contains("AZURE_FEDERATED_TOKEN_FILE")), "{failure:?}");
}

#[tokio::test]
async fn the_machine_is_asked_for_its_identity_as_each_kind_of_machine_wants_it() {
    let azure = Azure::start(Options::services("fabrikam"), Hasty::new()).await;
    let metadata = Machine { metadata: Some(origin(&azure)), ..Machine::default() };
    let endpoint = origin(&azure).join("/metadata/identity/oauth2/token").unwrap();
    let app_service = Machine {
        identity_endpoint: Some(endpoint),
        identity_header: Some(secret(tokens::IDENTITY_HEADER)),
        ..Machine::default()
    };
    for machine in [metadata, app_service] {
        let dialer = Dialer::new(Hasty::new()).on(machine);
        for client_id in [None, Some(tokens::CLIENT_ID)] {
            let client = dialer.dial(&managed(&azure.url(), client_id)).unwrap();
            assert_eq!(who(&client).await.unwrap().as_deref(), Some("Gateway"));
        }
        let other = dialer.dial(&managed(&azure.url(), Some("00000000-0000-4000-8000-00000000dead"))).unwrap();
        let said = who(&other).await.unwrap_err();
        assert!(said.contains("Identity not found"), "{said}");
    }
}

/// A machine with Azure Arc: it gives a token to whoever can read the file that it names.
async fn arc(named: String, key: &'static str) -> Scripted {
    Scripted::all(move |asked| -> Say {
        if !asked.is("GET", "/metadata/identity/oauth2/token") {
            return usual(asked, "7.1").unwrap_or_else(|| said(&json!({ "value": [] })));
        }
        assert_eq!((asked.header("metadata"), asked.parameter("api-version")), ("true", "2020-06-01"));
        if asked.header("authorization") == format!("Basic {key}") {
            return said(&json!({ "access_token": "a-bearer", "expires_in": "3599" }));
        }
        reply(401, &[("www-authenticate", &format!("Basic realm={named}"))], "")
    })
    .await
}

#[tokio::test]
async fn arc_is_shown_the_key_of_its_own_directory_and_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("tokens");
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("1.key"), "the-key").unwrap();
    std::fs::write(keys.join("1.txt"), "planted").unwrap();
    std::fs::write(folder.path().join("2.key"), "planted").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    for (named, works) in [
        (path(&keys.join("1.key")), true),
        (path(&keys.join("1.txt")), false),
        (path(&folder.path().join("2.key")), false),
        (path(&keys.join("../2.key")), false),
        (path(&keys.join("none.key")), false),
        (String::new(), false),
    ] {
        let server = arc(named.clone(), "the-key").await;
        let machine = Machine {
            identity_endpoint: Some(format!("{}/metadata/identity/oauth2/token", server.origin).parse().unwrap()),
            is_arc: true,
            arc_keys: keys.clone(),
            ..Machine::default()
        };
        let dialer = Dialer::new(Hasty::new()).on(machine);
        let client = dialer.dial(&managed(&format!("{}/Coll", server.origin), None)).unwrap();
        let asked = client.projects(first(10)).await;
        assert_eq!(asked.is_ok(), works, "{named}: {asked:?}");
        assert!(!format!("{:?}", server.asked()).contains("planted"), "{named}");
        let refused = dialer.dial(&managed(&format!("{}/Coll", server.origin), Some(tokens::CLIENT_ID))).err();
        assert!(matches!(refused, Some(Failure::Settings(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_machine_that_is_busy_or_has_no_identity_is_told_from_one_that_refuses() {
    for (status, body, is_expected) in [
        (404, "", (|failure: &Failure| matches!(failure, Failure::Unavailable { .. })) as fn(&Failure) -> bool),
        (410, "", |failure| matches!(failure, Failure::Unavailable { .. })),
        (500, "<html>", |failure| matches!(failure, Failure::Unavailable { .. })),
        (429, "", |failure| matches!(failure, Failure::Throttled { .. })),
        (400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#, |failure| {
            matches!(failure, Failure::Unauthorized { .. })
        }),
    ] {
        let server = Scripted::all(move |_| reply(status, &[], body)).await;
        let machine = Machine { metadata: Some(server.origin.parse().unwrap()), ..Machine::default() };
        let client =
            Dialer::new(Hasty::new()).on(machine).dial(&managed(&format!("{}/Coll", server.origin), None)).unwrap();
        let failure = client.projects(first(10)).await.unwrap_err();
        assert!(is_expected(&failure), "{status}: {failure:?}");
    }
    // Nobody listens there: a machine that is none of Azure's.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let machine = Machine { metadata: Some(url.parse().unwrap()), ..Machine::default() };
    let client = Dialer::new(Hasty::new()).on(machine).dial(&managed(&format!("{url}/Coll"), None)).unwrap();
    let failure = client.projects(first(10)).await.unwrap_err();
    assert!(matches!(&failure, Failure::Settings(said) if said.contains("outside Azure")), "{failure:?}");
}

#[test]
fn what_the_machine_proves_is_shown_to_azure_devops_services_alone() {
    let machine = || Machine {
        federated_token_file: Some("/nowhere/token".into()),
        authority: Some("https://login.microsoftonline.com".parse().unwrap()),
        ..Machine::default()
    };
    let federated = |url: &str| Access {
        credential: Some(Credential::ServicePrincipal {
            tenant: tokens::TENANT.into(),
            client_id: tokens::CLIENT_ID.into(),
            proof: Proof::FederatedToken,
            authority: None,
        }),
        ..managed(url, None)
    };
    let dialed = |access: &Access| Dialer::new(Hasty::new()).on(machine()).dial(access).err();
    let ca = rcgen::generate_simple_self_signed(vec!["proxy.example".to_owned()]).unwrap().cert.pem();
    for make in [&federated as &dyn Fn(&str) -> Access, &|url| managed(url, None)] {
        assert_eq!(dialed(&make("https://dev.azure.com/fabrikam")), None);
        assert_eq!(dialed(&make("https://fabrikam.visualstudio.com")), None);
        for access in [
            make("https://elsewhere.example/Coll"),
            make("http://10.0.0.1/Coll"),
            Access { ca_bundle: Some(ca.clone()), ..make("https://dev.azure.com/fabrikam") },
        ] {
            let failure = dialed(&access).unwrap();
            assert!(matches!(failure, Failure::Settings(_)), "{access:?}: {failure:?}");
        }
    }
}
