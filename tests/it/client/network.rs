//! Certificates, proxies, and servers that are not there.

use super::{
    Hasty, access, client, first,
    scripted::{Scripted, said},
    secret,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::azure::client::{Access, Credential, Dial as _, Dialer, Failure, Unreachable};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// An acceptor with a certificate for `localhost`, and in PEM the authority that issued it.
fn private_ca() -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    hookwell::azure::client::use_ring();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.der().clone()], private);
    (TlsAcceptor::from(Arc::new(config.unwrap())), authority.pem())
}

fn failed(result: Result<impl std::fmt::Debug, Failure>) -> (Unreachable, String) {
    match result.unwrap_err() {
        Failure::Unreachable { at, detail } => (at, detail),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_given() {
    let (acceptor, ca) = private_ca();
    let server = Scripted::start_tls(acceptor, |_| said(&json!({ "value": [] }))).await;
    let (at, detail) = failed(client(&access(&server.origin)).projects(first(10)).await);
    assert_eq!(at, Unreachable::Tls, "{detail}");
    assert!(detail.contains("give its CA"), "{detail}");
    let trusting = Access { ca_bundle: Some(ca), ..access(&server.origin) };
    client(&trusting).projects(first(10)).await.unwrap();
    let (_, another) = private_ca();
    let wrong = Access { ca_bundle: Some(another), ..access(&server.origin) };
    assert_eq!(failed(client(&wrong).projects(first(10)).await).0, Unreachable::Tls);
    let by_address = server.origin.replace("localhost", "127.0.0.1");
    let (at, detail) = failed(client(&Access { url: access(&by_address).url, ..trusting }).projects(first(10)).await);
    assert!(at == Unreachable::Tls && detail.contains("another name"), "{detail}");
}

#[tokio::test]
async fn who_is_not_there_is_told_from_who_has_no_name() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (at, detail) = failed(client(&access(&format!("http://127.0.0.1:{port}"))).projects(first(10)).await);
    assert_eq!(at, Unreachable::Connect);
    assert!(detail.contains("127.0.0.1") && detail.contains("refused"), "{detail}");
    let (at, detail) = failed(client(&access("http://nobody.invalid")).projects(first(10)).await);
    assert_eq!(at, Unreachable::Name, "{detail}");
    assert!(detail.contains("nobody.invalid"), "{detail}");
    let server = Scripted::start(|_| said(&json!({}))).await;
    let (at, _) = failed(client(&access(&server.origin.replace("http://", "https://"))).projects(first(10)).await);
    assert_eq!(at, Unreachable::Tls);
}

/// A proxy that wants `user:pass`, for both of its ways; remembers the first line of each request.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&lines);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(pass(socket, Arc::clone(&seen)));
        }
    });
    (address, lines)
}

async fn pass(mut socket: TcpStream, seen: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let line = head.lines().next()?.to_owned();
    seen.lock().unwrap().push(line.clone());
    let wanted = format!("proxy-authorization: basic {}", BASE64_STANDARD.encode("user:pass").to_lowercase());
    if !head.to_lowercase().contains(&wanted) {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        socket.write_all(refusal.as_bytes()).await.ok()?;
        return None;
    }
    let (method, target) = (line.split(' ').next()?, line.split(' ').nth(1)?);
    if method == "CONNECT" {
        let mut server = TcpStream::connect(target).await.ok()?;
        socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        copy_bidirectional(&mut socket, &mut server).await.ok()?;
    } else {
        let authority = target.strip_prefix("http://")?.split('/').next()?;
        let mut server = TcpStream::connect(authority).await.ok()?;
        server.write_all(head.replacen(&format!("http://{authority}"), "", 1).as_bytes()).await.ok()?;
        copy_bidirectional(&mut socket, &mut server).await.ok()?;
    }
    Some(())
}

#[tokio::test]
async fn a_proxy_is_used_when_it_is_given() {
    let (address, lines) = proxy().await;
    let through =
        |origin: &str, who: &str| Access { proxy: Some(secret(&format!("http://{who}{address}"))), ..access(origin) };

    let plain = Scripted::start(|_| said(&json!({ "value": [] }))).await;
    client(&through(&plain.origin, "user:pass@")).connection_data().await.unwrap();
    assert!(lines.lock().unwrap()[0].starts_with(&format!("OPTIONS {}/Coll/_apis", plain.origin)), "{lines:?}");

    let (acceptor, ca) = private_ca();
    let sealed = Scripted::start_tls(acceptor, |_| said(&json!({ "value": [] }))).await;
    let access = Access { ca_bundle: Some(ca), ..through(&sealed.origin, "user:pass@") };
    client(&access).projects(first(10)).await.unwrap();
    assert!(lines.lock().unwrap().iter().any(|line| line.starts_with("CONNECT localhost:")), "{lines:?}");
}

#[tokio::test]
async fn a_proxy_that_refuses_or_is_not_there_is_told_and_its_password_is_not() {
    let (address, _) = proxy().await;
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (acceptor, ca) = private_ca();
    let sealed = Scripted::start_tls(acceptor, |_| said(&json!({}))).await;
    let plain = Scripted::start(|_| said(&json!({}))).await;
    for origin in [&plain.origin, &sealed.origin] {
        for place in [address.clone(), gone.to_string()] {
            let proxy = Some(secret(&format!("http://user:planted-password@{place}")));
            let access = Access { proxy, ca_bundle: Some(ca.clone()), ..access(origin) };
            let (at, detail) = failed(client(&access).projects(first(10)).await);
            assert_eq!(at, Unreachable::Proxy, "{detail}");
            assert!(!detail.contains("planted") && !format!("{access:?}").contains("planted"), "{detail}");
            assert!(detail.contains(if place == address { "who we are" } else { "refused" }), "{detail}");
        }
    }
    assert!(plain.asked().is_empty() && sealed.asked().is_empty());
}

#[test]
fn what_cannot_be_used_is_said_before_anything_is_sent() {
    let dial = |access: Access| match Dialer::new(Hasty::new()).dial(&access).err() {
        Some(Failure::Settings(said)) => said,
        other => panic!("{other:?}"),
    };
    let plain = || access("http://127.0.0.1:1");
    let said = dial(Access { headers: vec![("X-A".into(), secret("planted\n"))], ..plain() });
    assert!(said.contains("X-A") && !said.contains("planted"), "{said}");
    let said = dial(Access { ca_bundle: Some("planted".into()), ..plain() });
    assert!(said.contains("CA bundle") && !said.contains("planted"), "{said}");
    let said = dial(Access { proxy: Some(secret("planted")), ..plain() });
    assert!(said.contains("proxy") && !said.contains("planted"), "{said}");
    let said = dial(Access { credential: Some(Credential::Pat(secret("planted\r\n"))), ..plain() });
    assert!(said.contains("token") && !said.contains("planted"), "{said}");
}
