//! How Azure DevOps is reached: the members of a connection, and what the client is given of them.

use super::scripted::{Scripted, gateway};
use hookwell::azure::client::{Credential, Proof};
use serde_json::{Value, json};
use std::sync::Arc;

fn certificate() -> String {
    rcgen::generate_simple_self_signed(vec!["devops.example".to_owned()]).unwrap().cert.pem()
}

fn principal() -> Value {
    json!({
        "tenant": "fabrikam.example", "client_id": "00000000-0000-4000-8000-00000000dead",
        "client_secret": "client-secret-1", "authority": "https://login.microsoftonline.us",
    })
}

#[tokio::test]
async fn everything_about_reaching_it_gets_to_the_client_and_no_secret_of_it_comes_back() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let pem = certificate();
    let body = json!({
        "name": "x", "url": "https://devops.example:8443/tfs/Coll", "service_principal": principal(),
        "ca_bundle": pem, "proxy": "http://me:proxy-secret-1@proxy.example:3128", "hooks": "manual",
    });
    let made = gateway.post("/v1/connections", body).await;
    let view = made.json();
    assert_eq!(
        view["service_principal"],
        json!({ "tenant": "fabrikam.example", "client_id": "00000000-0000-4000-8000-00000000dead",
            "proof": "client_secret", "authority": "https://login.microsoftonline.us/" })
    );
    assert_eq!((&view["proxy_set"], &view["proxy_host"]), (&json!(true), &json!("proxy.example:3128")));
    assert_eq!((&view["ca_bundle_set"], &view["hooks"]), (&json!(true), &json!("manual")));
    let access = azure.access();
    assert_eq!(access.url.as_str(), "https://devops.example:8443/tfs/Coll");
    assert_eq!(access.proxy.unwrap().as_str(), "http://me:proxy-secret-1@proxy.example:3128");
    assert_eq!(access.ca_bundle.unwrap(), pem);
    let Some(Credential::ServicePrincipal { proof: Proof::Secret(secret), authority, .. }) = access.credential else {
        panic!()
    };
    assert_eq!(
        (secret.as_str(), authority.unwrap().as_str()),
        ("client-secret-1", "https://login.microsoftonline.us/")
    );
    let path = made.header("location");
    for text in
        [made.json().to_string(), gateway.get(path).await.json().to_string(), format!("{:?}", gateway.app.directory())]
    {
        for secret in ["client-secret-1", "proxy-secret-1"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    let change = json!({ "service_principal": null, "ca_bundle": null, "proxy": null, "hooks": "managed" });
    let changed = gateway.ask("PATCH", path).header("if-match", "*").json(&change).send().await.json();
    assert_eq!((&changed["service_principal"], &changed["proxy_host"]), (&Value::Null, &Value::Null));
    assert_eq!((&changed["ca_bundle_set"], &changed["proxy_set"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn every_way_to_prove_who_we_are_gets_to_the_client_and_takes_the_place_of_the_one_before() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let (pem, id) = (crate::client::identity::PRINCIPAL, "00000000-0000-4000-8000-00000000dead");
    let key = pem.lines().nth(3).unwrap();
    let with = |proof: &str, value: Value| {
        let mut principal = principal();
        principal.as_object_mut().unwrap().remove("client_secret");
        principal[proof] = value;
        json!({ "service_principal": principal })
    };
    let made =
        gateway.post("/v1/connections", json!({ "name": "x", "url": "https://dev.azure.com/x", "token": "t" })).await;
    let path = made.header("location");
    for (change, shown, expected) in [
        (with("certificate", json!(pem)), "/service_principal/proof", json!("certificate")),
        (with("federated_token", json!(true)), "/service_principal/proof", json!("federated_token")),
        (json!({ "managed_identity": { "client_id": id } }), "/managed_identity", json!({ "client_id": id })),
        (json!({ "managed_identity": {} }), "/managed_identity", json!({ "client_id": null })),
        (json!({ "token": "another" }), "/token_set", json!(true)),
    ] {
        let changed = gateway.ask("PATCH", path).header("if-match", "*").json(&change).send().await;
        let view = changed.json();
        assert_eq!((changed.status.as_u16(), view.pointer(shown)), (200, Some(&expected)), "{view}");
        let kept =
            [view["token_set"] == true, !view["service_principal"].is_null(), !view["managed_identity"].is_null()];
        assert_eq!(kept.iter().filter(|kept| **kept).count(), 1, "{view}");
        let text = format!("{view} {:?}", gateway.app.directory());
        assert!(!text.contains(key) && !text.contains("PRIVATE KEY"), "{text}");
        let credential = azure.access().credential.unwrap();
        assert!(!format!("{credential:?}").contains(key), "{credential:?}");
        match (shown, credential) {
            ("/token_set", Credential::Pat(_))
            | (_, Credential::ServicePrincipal { proof: Proof::FederatedToken, .. }) => {}
            ("/managed_identity", Credential::ManagedIdentity { client_id }) => {
                assert_eq!(json!(client_id), expected["client_id"]);
            }
            (_, Credential::ServicePrincipal { proof: Proof::Certificate(given), .. }) => {
                assert_eq!(given.as_str(), pem);
            }
            (_, other) => panic!("{shown}: {other:?}"),
        }
    }
    let cut = pem.split_once("-----BEGIN CERTIFICATE").unwrap().0;
    let other = format!("{cut}{}", certificate());
    let curve = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (change, pointer, part) in [
        (with("certificate", json!(cut)), "/service_principal/certificate", "no certificate in PEM"),
        (with("certificate", json!(other)), "/service_principal/certificate", "no certificate of the private key"),
        (with("certificate", json!(certificate())), "/service_principal/certificate", "no private key in PEM"),
        (with("certificate", json!(curve)), "/service_principal/certificate", "not one of RSA"),
        (with("federated_token", json!(false)), "/service_principal/federated_token", "must be true"),
        (with("authority", json!(null)), "/service_principal/client_secret", "is required"),
        (with("client_secret", json!(null)), "/service_principal/client_secret", "is required"),
        (json!({ "managed_identity": { "client_id": "x" } }), "/managed_identity/client_id", "a GUID"),
        (json!({ "managed_identity": {}, "token": "t" }), "/managed_identity", "excludes token"),
    ] {
        let reply = gateway.ask("PATCH", path).header("if-match", "*").json(&change).send().await;
        assert_eq!((reply.status.as_u16(), reply.wrong()), (422, vec![pointer.to_owned()]), "{reply:?}");
        let said = reply.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(said.contains(part) && !reply.json().to_string().contains(key), "{said}");
    }
    let mut both = with("certificate", json!(pem));
    both["service_principal"]["client_secret"] = json!("s");
    let reply = gateway.ask("PATCH", path).header("if-match", "*").json(&both).send().await;
    assert_eq!(reply.wrong(), ["/service_principal/client_secret"]);
}

#[tokio::test]
async fn what_cannot_be_used_is_said_when_it_is_given() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let with = |member: &str, value: Value| {
        let mut body = json!({ "name": "x", "url": "https://dev.azure.com/x" });
        body[member] = value;
        body
    };
    let cut = certificate().replace("END CERTIFICATE", "END");
    let false_one = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (body, pointers, part) in [
        (with("ca_bundle", json!("hello")), vec!["/ca_bundle"], "has no certificate in it"),
        (with("ca_bundle", json!(cut)), vec!["/ca_bundle"], "not PEM"),
        (
            with("ca_bundle", json!(format!("{}{false_one}", certificate()))),
            vec!["/ca_bundle"],
            "section 2 that is not a certificate",
        ),
        (with("ca_bundle", json!(key)), vec!["/ca_bundle"], "private key"),
        (with("ca_bundle", json!(certificate().repeat(101))), vec!["/ca_bundle"], "at most 100 certificates"),
        (with("proxy", json!("proxy.example:3128")), vec!["/proxy"], "a URL like http://user:password@"),
        (with("proxy", json!("socks5://proxy.example")), vec!["/proxy"], "a URL like"),
        (with("proxy", json!("http://proxy.example/path")), vec!["/proxy"], "without a path"),
        (with("hooks", json!("both")), vec!["/hooks"], "managed or manual"),
        (with("hooks", json!(null)), vec!["/hooks"], "cannot be null"),
        (with("service_principal", json!("x")), vec!["/service_principal"], "must be an object"),
        (
            with(
                "service_principal",
                json!({ "tenant": "a b", "client_id": "x", "authority": "https://x/y", "more": 1 }),
            ),
            vec![
                "/service_principal/tenant",
                "/service_principal/client_id",
                "/service_principal/client_secret",
                "/service_principal/authority",
                "/service_principal/more",
            ],
            "a tenant's GUID or domain",
        ),
        (
            json!({ "name": "x", "url": "https://dev.azure.com/x", "token": "t", "service_principal": principal() }),
            vec!["/service_principal"],
            "excludes token",
        ),
    ] {
        let reply = gateway.post("/v1/connections", body.clone()).await;
        assert_eq!(
            (reply.status.as_u16(), reply.wrong()),
            (422, pointers.iter().map(|p| (*p).to_owned()).collect()),
            "{body}"
        );
        assert!(reply.json()["errors"][0]["detail"].as_str().unwrap().contains(part), "{reply:?}");
    }
    assert_eq!(azure.calls(), Vec::<String>::new(), "nobody is asked before all is in order");
    let reply = gateway.post("/v1/connections?check=perhaps", with("hooks", json!("manual"))).await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (400, vec!["check".to_owned()]));
}

#[tokio::test]
async fn secrets_go_to_the_place_that_they_were_given_for_and_to_no_other() {
    let azure = Arc::new(Scripted::default());
    let gateway = gateway(&azure).await;
    let all = ["/service_principal", "/headers", "/proxy"].map(str::to_owned).to_vec();
    let body = json!({
        "name": "x", "url": "https://dev.azure.com/x", "service_principal": principal(),
        "headers": { "X-Key": "header-secret" }, "proxy": "http://me:secret@proxy.example:3128",
    });
    let made = gateway.post("/v1/connections", body).await;
    let patch = async |body: Value| {
        gateway.ask("PATCH", made.header("location")).header("if-match", "*").json(&body).send().await
    };
    let reply = patch(json!({ "url": "https://elsewhere.example/Coll" })).await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (409, all.clone()));
    assert_eq!(patch(json!({ "url": "https://dev.azure.com/y" })).await.status, 200, "the same server");
    let reply = patch(json!({ "proxy": "http://elsewhere.example" })).await;
    assert_eq!((reply.status.as_u16(), reply.wrong()), (409, all[..2].to_vec()), "a proxy sees what passes");
    let same = json!({ "proxy": "http://me:another@proxy.example:3128" });
    assert_eq!(patch(same).await.status, 200, "another password for the same proxy");
    assert_eq!(patch(json!({ "proxy": null })).await.status, 200, "none sees nothing");
    let token = json!({ "url": "https://elsewhere.example/Coll", "token": "t", "headers": null });
    let moved = patch(token).await;
    assert_eq!((moved.status.as_u16(), &moved.json()["service_principal"]), (200, &Value::Null));
}
