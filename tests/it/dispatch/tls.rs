//! Who the receiver is, and who we are: certificates on both sides of a webhook.

use super::{CHANGE, Receiver, Running, append, event, fate, sink, until_state};
use crate::harness::Gateway;
use hookwell::azure::client::use_ring;
use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
        server::WebPkiClientVerifier,
    },
};

/// Somebody who issues certificates.
struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// Certificate and key of a client, in PEM.
    fn identity(&self) -> String {
        let (certificate, key) = self.issue("hookwell");
        certificate.pem() + &key.serialize_pem()
    }

    /// A receiver whose certificate it issued, and who demands one of `clients` where that is somebody.
    async fn receiver(&self, name: &str, clients: Option<&Self>) -> Receiver {
        use_ring();
        let (certificate, key) = self.issue(name);
        let builder = match clients {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.certificate.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                ServerConfig::builder().with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        Receiver::with_tls(TlsAcceptor::from(Arc::new(config))).await
    }
}

/// A sink for a receiver with TLS; `more` are settings.
async fn secure(gateway: &Gateway, receiver: &Receiver, mut more: Value) -> String {
    more["url"] = format!("https://localhost:{}/events", receiver.port()).into();
    let made = sink(gateway, receiver, json!({ "settings": more, "allow_http": false })).await;
    made.json()["id"].as_str().unwrap().to_owned()
}

/// Hands one event on and answers what the failed delivery says.
async fn refusal(gateway: &Gateway, sink: &str, number: u128) -> String {
    let event = event(number, CHANGE, &format!("entity {number}"));
    append(gateway, &event).await;
    until_state(gateway, sink, &event, "waiting").await;
    let (_, told) = fate(gateway, sink, &event).await;
    assert_eq!(told["attempts"][0]["status"], json!(null), "{told}");
    told["attempts"][0]["detail"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[tokio::test]
async fn a_receiver_of_an_authority_that_is_given_is_believed() {
    let (gateway, authority) = (Gateway::start().await, Authority::new("one"));
    let receiver = authority.receiver("localhost", None).await;
    let id = secure(&gateway, &receiver, json!({ "ca_bundle": authority.certificate.pem() })).await;
    let _running = Running::of(&gateway);
    let event = event(1, CHANGE, "a");
    append(&gateway, &event).await;
    assert_eq!(receiver.next().await.number(), 1);
    until_state(&gateway, &id, &event, "delivered").await;
}

#[tokio::test]
async fn a_receiver_that_cannot_prove_who_it_is_gets_nothing_and_the_delivery_says_what_to_do() {
    let (gateway, authority, other) = (Gateway::start().await, Authority::new("one"), Authority::new("other"));
    let renewed = Authority::new("one");
    let _running = Running::of(&gateway);
    let mut number = 0;
    for (name, ca, said) in [
        ("localhost", None, "nobody that is trusted here issued its certificate; give its CA as well"),
        ("localhost", Some(&other), "nobody that is trusted here issued its certificate; give its CA as well"),
        ("localhost", Some(&renewed), "its certificate is not signed by the CA of that name which is trusted here"),
        ("receiver.example", Some(&authority), "its certificate is for another name"),
    ] {
        let receiver = authority.receiver(name, None).await;
        let ca = ca.map(|authority| authority.certificate.pem());
        let id = secure(&gateway, &receiver, json!({ "ca_bundle": ca })).await;
        number += 1;
        let told = refusal(&gateway, &id, number).await;
        assert!(told.starts_with(&format!("localhost cannot be reached: {said}")), "{told}");
        assert!(receiver.rest().await.is_empty());
        gateway.ask("POST", &format!("/v1/sinks/{id}/pause")).send().await;
    }
}

#[tokio::test]
async fn a_receiver_that_demands_a_certificate_gets_the_sink_s_and_refuses_visibly_who_has_none() {
    let (gateway, authority, clients) = (Gateway::start().await, Authority::new("one"), Authority::new("clients"));
    let receiver = authority.receiver("localhost", Some(&clients)).await;
    let _running = Running::of(&gateway);
    let ca = authority.certificate.pem();
    let strangers = Authority::new("strangers").identity();
    let mut number = 0;
    for (identity, said) in [
        (None, "it demands a client certificate and was given none; give one with its key as the sink's identity"),
        (Some(strangers), "it does not accept our client certificate"),
    ] {
        let id = secure(&gateway, &receiver, json!({ "ca_bundle": ca, "identity": identity })).await;
        number += 1;
        let told = refusal(&gateway, &id, number).await;
        assert!(told.contains(said), "{told}");
        assert!(receiver.rest().await.is_empty());
        gateway.ask("POST", &format!("/v1/sinks/{id}/pause")).send().await;
    }
    let identity = clients.identity();
    let id = secure(&gateway, &receiver, json!({ "ca_bundle": ca, "identity": identity })).await;
    let shown = gateway.get(&format!("/v1/sinks/{id}")).await;
    assert_eq!(shown.json()["secrets_set"], json!(["identity", "signing"]));
    assert!(!String::from_utf8(shown.body.to_vec()).unwrap().contains("PRIVATE KEY"));
    let event = event(9, CHANGE, "a");
    append(&gateway, &event).await;
    assert_eq!(receiver.next().await.number(), 9);
    until_state(&gateway, &id, &event, "delivered").await;
}
