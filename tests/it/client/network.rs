//! What networks do: names that do not resolve, ports nobody listens on, certificates nobody knows, proxies, silence.

use super::{Scripted, Seen, TOKEN, access, dial, reply, serve};
use hookwell::{
    azure::client::{Access, Credential, Dial as _, Dialer, Failure, PageRequest, Unreachable},
    clock::SystemClock,
};
use serde_json::json;
use std::{
    io,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

const PAGE: PageRequest = PageRequest { items_max: 1, from: None };

async fn failure(access: &Access) -> Failure {
    dial(access, Arc::new(SystemClock::default())).projects(PAGE).await.unwrap_err()
}

fn unreachable_at(failure: &Failure) -> Unreachable {
    let Failure::Unreachable { at, detail } = failure else { panic!("{failure:?}") };
    assert!(!detail.contains(TOKEN) && !detail.is_empty(), "{detail}");
    *at
}

/// A certificate for 127.0.0.1, and the authority that nobody knows.
fn private_authority() -> (String, Arc<ServerConfig>) {
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let own = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(tokio_rustls::rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    (certificate.pem(), Arc::new(config))
}

#[tokio::test]
async fn where_it_fails_is_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let refused = failure(&access(&format!("http://127.0.0.1:{port}/Coll"))).await;
    assert_eq!(unreachable_at(&refused), Unreachable::Connect);
    let unknown = failure(&access("http://no-such-host.invalid/Coll")).await;
    assert_eq!(unreachable_at(&unknown), Unreachable::Name);

    let hangs_up = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = hangs_up.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = hangs_up.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
        }
    });
    let cut = failure(&access(&format!("http://{address}/Coll"))).await;
    assert_eq!(unreachable_at(&cut), Unreachable::Silent);
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_its_certificate_is_given_and_not_before() {
    let (pem, config) = private_authority();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/tfs/Coll", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = TlsAcceptor::from(Arc::clone(&config));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let answer = |_: &Seen| reply(200, &json!({"count": 0, "value": []}));
                serve(stream, Arc::new(answer), Arc::new(Mutex::default())).await;
            });
        }
    });
    let stranger = access(&url);
    assert_eq!(unreachable_at(&failure(&stranger).await), Unreachable::Tls);
    let known = Access { ca_bundle: Some(pem), ..stranger };
    let azure = dial(&known, Arc::new(SystemClock::default()));
    assert!(azure.projects(PAGE).await.unwrap().items.is_empty());
}

/// A forward proxy that wants a password; it speaks plain HTTP only, which is all that is needed here.
async fn proxy(listener: TcpListener) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.read_u8().await?);
            }
            let head = String::from_utf8(head).unwrap();
            if !head.to_ascii_lowercase().contains("proxy-authorization: basic bwu6c2vjcmv0") {
                return client
                    .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                    .await;
            }
            let (method, rest) = head.split_once(" http://").unwrap();
            let (authority, rest) = rest.split_once('/').unwrap();
            let mut server = TcpStream::connect(authority).await?;
            server.write_all(format!("{method} /{rest}").as_bytes()).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
        });
    }
}

#[tokio::test]
async fn a_proxy_is_used_with_its_password_and_its_refusal_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(proxy(listener));
    let server = Scripted::start(|_| reply(200, &json!({"count": 0, "value": []}))).await;
    let through = |password: &str| Access {
        proxy: Some(format!("http://me:{password}@{address}").into()),
        ..access(&server.base)
    };
    assert!(dial(&through("secret"), Arc::new(SystemClock::default())).projects(PAGE).await.is_ok());
    let refused = failure(&through("wrong")).await;
    assert!(refused.to_string().contains("proxy") && !refused.to_string().contains("wrong"), "{refused}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_named_before_anything_is_sent() {
    let dialer = Dialer::new(Arc::new(SystemClock::default()));
    let base = access("https://dev.azure.com/fabrikam");
    for (access, named) in [
        (Access { ca_bundle: Some("no certificate".to_owned()), ..base.clone() }, "ca_bundle"),
        (Access { proxy: Some("::".to_owned().into()), ..base.clone() }, "proxy"),
        (Access { headers: vec![("X-Bad".to_owned(), "line\nbreak".to_owned().into())], ..base.clone() }, "X-Bad"),
    ] {
        let Err(Failure::Settings(detail)) = dialer.dial(&access).map(drop) else { panic!("{named}") };
        assert!(detail.contains(named) && !detail.contains("line"), "{detail}");
    }
}

#[tokio::test]
async fn a_service_principal_asks_for_a_token_once_and_for_another_when_it_is_refused() {
    let asked = Arc::new(Mutex::new(0_u32));
    let count = Arc::clone(&asked);
    let server = Scripted::start(move |seen| {
        if seen.target == "/tenant-1/oauth2/v2.0/token" {
            *count.lock().unwrap() += 1;
            assert!(!seen.headers.contains_key("x-extra"), "a header for Azure DevOps is not Entra's");
            let form = String::from_utf8(seen.body.to_vec()).unwrap();
            assert!(form.contains("client_id=app-1") && form.contains("client_secret=planted-client-secret"), "{form}");
            let token = format!("bearer-{}", count.lock().unwrap());
            return reply(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token}));
        }
        match seen.headers["authorization"].to_str().unwrap() {
            "Bearer bearer-1" if seen.target.contains("repositories") => reply(401, &json!({})),
            _ => reply(200, &json!({"count": 0, "value": []})),
        }
    })
    .await;
    let principal = Credential::ServicePrincipal {
        tenant: "tenant-1".to_owned(),
        client_id: "app-1".to_owned(),
        client_secret: "planted-client-secret".to_owned().into(),
        authority: server.base.trim_end_matches("/fabrikam").parse().unwrap(),
    };
    let headers = vec![("X-Extra".to_owned(), "planted-header".to_owned().into())];
    let access = Access { credential: Some(principal), headers, ..access(&server.base) };
    let azure = dial(&access, Arc::new(SystemClock::default()));
    let (one, other) = tokio::join!(azure.projects(PAGE), azure.projects(PAGE));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(*asked.lock().unwrap(), 1);
    azure.repositories(None).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), 2);
    let shown = format!("{access:?}");
    assert!(!shown.contains("planted"), "{shown}");
}

#[tokio::test]
async fn an_answer_that_repeats_our_secrets_does_not_get_them_shown() {
    let server = Scripted::start(|seen| {
        let ours = seen.headers["authorization"].to_str().unwrap();
        reply(400, &json!({"message": format!("bad {ours} and planted-header and {TOKEN}"), "typeKey": "X"}))
    })
    .await;
    let headers = vec![("X-Extra".to_owned(), "planted-header".to_owned().into())];
    let failure = failure(&Access { headers, ..access(&server.base) }).await;
    let shown = format!("{failure} {failure:?}");
    assert!(!shown.contains("planted") && !shown.contains("Basic O"), "{shown}");
}

#[tokio::test]
async fn a_server_cannot_send_our_credential_elsewhere() {
    let elsewhere = Scripted::start(|_| reply(200, &json!({"count": 0, "value": []}))).await;
    let there = elsewhere.base.clone();
    let server = Scripted::start(move |seen| match seen.target.contains("resourceAreas") {
        true => reply(200, &json!({"id": "efc2f575-36ef-48e9-b672-0c6fb4a48ac5", "locationUrl": there})),
        false => {
            let mut redirect = reply(302, &json!({}));
            redirect.headers_mut().insert("location", there.parse().unwrap());
            redirect
        }
    })
    .await;
    let azure = dial(&access(&server.base), Arc::new(SystemClock::default()));
    assert!(matches!(azure.release_definitions("p", PAGE).await, Err(Failure::Unexpected { .. })));
    assert!(matches!(azure.projects(PAGE).await, Err(Failure::Unauthorized { .. })));
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());
}

#[tokio::test]
async fn an_endless_answer_is_cut() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                stream.read(&mut [0; 4096]).await?;
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999999999\r\n\r\n";
                stream.write_all(head).await?;
                let piece = vec![b' '; 1 << 20];
                loop {
                    stream.write_all(&piece).await?;
                }
                #[expect(unreachable_code, reason = "says the block's type")]
                io::Result::Ok(())
            });
        }
    });
    let failure = failure(&access(&format!("http://{address}/Coll"))).await;
    assert!(matches!(failure, Failure::Unexpected { .. }), "{failure:?}");
    Ok(())
}
