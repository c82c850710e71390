//! How Azure DevOps is reached: the members of a connection, and what the client is given of them.

use super::scripted::{Scripted, gateway};
use hookwell::azure::client::Credential;
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
            "authority": "https://login.microsoftonline.us/" })
    );
    assert_eq!((&view["proxy_set"], &view["proxy_host"]), (&json!(true), &json!("proxy.example:3128")));
    assert_eq!((&view["ca_bundle_set"], &view["hooks"]), (&json!(true), &json!("manual")));
    let access = azure.access();
    assert_eq!(access.url.as_str(), "https://devops.example:8443/tfs/Coll");
    assert_eq!(access.proxy.unwrap().as_str(), "http://me:proxy-secret-1@proxy.example:3128");
    assert_eq!(access.ca_bundle.unwrap(), pem);
    let Some(Credential::ServicePrincipal { client_secret, authority, .. }) = access.credential else { panic!() };
    assert_eq!((client_secret.as_str(), authority.as_str()), ("client-secret-1", "https://login.microsoftonline.us/"));
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
