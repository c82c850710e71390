//! What the README walks through, in two processes: connect, discover, bind, make something happen, read the event.

use super::{ADMIN_TOKEN, BACKSTOP, Process, simulated::Simulation};
use reqwest::Method;
use serde_json::{Value, json};
use std::{net::TcpListener, path::Path};

/// A gateway that knows where it is reached.
fn gateway(folder: &Path) -> Process {
    // Told to the gateway before it listens, so it is chosen here; nobody else takes it in between.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    Process::start(folder, &["--listen", &address, "--public-url", &format!("http://{address}")])
}

async fn ask(process: &Process, method: Method, path: &str, body: &Value) -> Value {
    let request = process.client.request(method, format!("{}{path}", process.base)).bearer_auth(ADMIN_TOKEN);
    let response = request.json(body).send().await.unwrap();
    let (status, answer) = (response.status(), response.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {answer}");
    serde_json::from_str(&answer).unwrap_or_default()
}

pub(super) async fn post(process: &Process, path: &str, body: Value) -> Value {
    ask(process, Method::POST, path, &body).await
}

/// Asks until the answer is as wanted.
pub(super) async fn until(process: &Process, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let answer = process.json(path).await;
            if wanted(&answer) {
                break answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BACKSTOP, asking).await.unwrap_or_else(|_| panic!("{path} never is as wanted"))
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// From a connection to events, and back to nothing.
async fn walk(simulation: &Simulation, process: &Process, mut connection: Value) {
    connection["name"] = "Fabrikam".into();
    connection["url"] = simulation.url.clone().into();
    connection["token"] = simulation.token.clone().into();
    let made = post(process, "/v1/connections", connection).await;
    assert_eq!(made["status"], "enabled", "{made}");
    let id = made["id"].as_str().unwrap();

    let azure = format!("/v1/connections/{id}/azure");
    assert!(names(&process.json(&format!("{azure}/projects")).await).contains(&"Fiber Café"));
    let repositories = process.json(&format!("{azure}/repositories?azure_project=Fiber%20Caf%C3%A9&search=WEB")).await;
    assert_eq!(names(&repositories), ["web shop"]);

    ask(process, Method::PUT, "/v1/projects/web-shop", &json!({"name": "Web shop"})).await;
    for mut binding in [
        json!({"role": "code_deployment", "repository": "web shop", "branch": "main"}),
        json!({"role": "build_provider"}),
        json!({"role": "issue_provider"}),
    ] {
        (binding["connection"], binding["azure_project"]) = (id.into(), "Fiber Café".into());
        post(process, "/v1/projects/web-shop/bindings", binding).await;
    }
    let all_active = |list: &Value| {
        let all = list["data"].as_array().unwrap();
        all.len() >= 20 && all.iter().all(|one| one["state"] == "active" || one["state"] == "not_offered")
    };
    until(process, "/v1/subscriptions", all_active).await;

    simulation.make_happen("push", &json!({"repository": "web shop", "branch": "main", "message": "Faster"})).await;
    simulation.make_happen("build", &json!({"pipeline": "web shop CI", "branch": "main", "result": "succeeded"})).await;
    simulation.make_happen("work-item", &json!({"project": "Fiber Café", "type": "Bug", "title": "It blinks"})).await;
    let types = ["branch.updated", "build.finished", "pipelinerun.finished", "ticket.created"];
    let has_all = |list: &Value| {
        let said = list["data"].to_string();
        types.iter().all(|kind| said.contains(kind))
    };
    let events = until(process, "/v1/events?limit=100", has_all).await;
    for event in events["data"].as_array().unwrap() {
        let projects = &event["data"]["customData"]["hookwell"]["projects"];
        assert_eq!(projects, &json!(["web-shop"]), "{event}");
    }
    let quarantined = process.json("/v1/notifications?state=quarantined").await;
    assert_eq!(quarantined["data"], json!([]));

    let removal = process.json(&format!("/v1/connections/{id}/removal")).await;
    let confirm = removal["confirmation"].as_str().unwrap();
    ask(process, Method::DELETE, &format!("/v1/connections/{id}?confirm={confirm}"), &json!(null)).await;
    assert_eq!(process.json("/v1/integration").await["enabled"], false);
    assert_eq!(process.json("/v1/projects/web-shop/bindings").await["data"], json!([]));
}

#[tokio::test]
async fn services_from_a_connection_to_events_and_back_to_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::start(&[]);
    let process = gateway(folder.path());
    walk(&simulation, &process, json!({})).await;
    let said = simulation.said();
    let (made, deleted) =
        (said.matches("POST /fabrikam/_apis/hooks/subscriptions?").count(), said.matches("DELETE ").count());
    assert!(made > 0 && deleted >= made, "every hook that was made is gone again:\n{said}");
    assert_eq!(process.stop(), Some(0));
}

#[tokio::test]
async fn a_server_behind_a_proxy_with_a_private_authority_and_a_virtual_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (ca, cert, key) = private_authority(folder.path());
    let simulation = Simulation::start(&[
        "--server",
        "--virtual-directory",
        "tfs",
        "--name",
        "Coll",
        "--require-header",
        "CF-Access-Client-Id: abc",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ]);
    assert!(simulation.url.starts_with("https://") && simulation.url.ends_with("/tfs/Coll"), "{}", simulation.url);
    let process = gateway(&folder.path().join("data"));

    let refused = json!({"name": "x", "url": simulation.url, "token": simulation.token});
    let unknown = post(&process, "/v1/connections", refused.clone()).await;
    assert_eq!(unknown["status"], "unreachable", "{unknown}");
    assert!(unknown["check"]["remedy"].as_str().unwrap().contains("ca_bundle"), "{unknown}");
    let mut known = refused;
    known["ca_bundle"] = ca.clone().into();
    let no_header = post(&process, "/v1/connections", known).await;
    assert_eq!(no_header["status"], "needs_attention", "{no_header}");
    assert!(no_header["check"]["remedy"].as_str().unwrap().contains("header"), "{no_header}");
    for connection in [unknown, no_header] {
        let path = format!("/v1/connections/{}", connection["id"].as_str().unwrap());
        let removal = process.json(&format!("{path}/removal")).await;
        let confirm = removal["confirmation"].as_str().unwrap();
        ask(&process, Method::DELETE, &format!("{path}?confirm={confirm}"), &json!(null)).await;
    }

    walk(&simulation, &process, json!({"ca_bundle": ca, "headers": "CF-Access-Client-Id: abc"})).await;
    assert_eq!(process.stop(), Some(0));
}

/// The authority's certificate, and files with a certificate of it for 127.0.0.1 and its key.
pub(super) fn private_authority(folder: &Path) -> (String, String, String) {
    let mut authority = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let ca = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
    let cert = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    (ca, file("server.pem", cert.pem()), file("server.key", key.serialize_pem()))
}
