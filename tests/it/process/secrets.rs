//! Secrets are where they must be, and nowhere else: not in a reply, a figure, a log line or a file.

use super::{ADMIN_TOKEN, BACKSTOP, Process, crash::records, simulated::Simulation};
use crate::{client::identity, http::signature};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use hookwell::{
    simulator::tokens,
    store::{
        Log, Store as _,
        embedded::{EmbeddedStore, Options},
    },
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const TOKEN: &str = "personal-access-token-5f1c";
const NEXT_TOKEN: &str = "personal-access-token-next-77d0";
const HEADER: &str = "extra-header-value-91ab";
const SIGNATURE: &str = "signature-secret-one-c3d4";
const NEXT_SIGNATURE: &str = "signature-secret-two-e5f6";
const CLIENT_SECRET: &str = "client-secret-2b7e";
const PROXY_PASSWORD: &str = "proxy-password-4d90";
/// Nothing listens there: the check finds that out at once, and the secrets go nowhere.
const NOWHERE: &str = "http://127.0.0.1:9/fabrikam";
const URL_PASSWORD: &str = "url-password-0badcafe";
const GUESS: &str = "guessed-credential-600d";
/// No secret: it shows that what is looked for would be found.
const NAME: &str = "A perfectly visible name";
const PUSHED: &str = "pushed while watched";

/// The gateway, and everything it ever said.
struct Watched {
    process: Process,
    said: Vec<(String, String)>,
}

impl Watched {
    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        self.process.client.request(method, format!("{}{path}", self.process.base))
    }

    fn admin(&self, method: &str, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(ADMIN_TOKEN)
    }

    /// Sends it and remembers the reply, but for `shown`, which this reply and no other may hold.
    async fn send(&mut self, what: &str, request: RequestBuilder, shown: Option<&str>) -> (u16, Value) {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), format!("{:?}", response.headers()));
        let body = response.text().await.unwrap();
        let value: Value = serde_json::from_str(&body).unwrap_or_default();
        let body = match shown.and_then(|pointer| value.pointer(pointer)?.as_str()) {
            Some(secret) => body.replacen(secret, "", 1),
            None => body,
        };
        self.said.push((what.to_owned(), headers + &body));
        (status, value)
    }

    async fn get(&mut self, path: &str) -> Value {
        let (status, value) = self.send(path, self.admin("GET", path), None).await;
        assert_eq!(status, 200, "{path}");
        value
    }

    /// Stops, and looks for the secrets in everything that was said, logged and written.
    async fn holds_none_of(self, secrets: &[String], folder: &Path) {
        let Self { process, said } = self;
        let (code, log) = process.stop_with_log();
        assert_eq!(code, Some(0), "{log}");
        let mut files = files(folder);
        // The journal compresses bodies, so its files would not show a secret in one.
        let store = EmbeddedStore::open(folder, Options::default()).unwrap();
        for log in Log::ALL {
            files.extend(
                records(&store, log).await.into_iter().map(|record| (format!("{log:?}"), record.body.to_vec())),
            );
        }
        store.close().await;
        assert!(files.iter().any(|(_, bytes)| holds(bytes, NAME)), "files can be searched");
        assert!(said.iter().any(|(_, said)| said.contains(NAME)) && log.contains("listening"));
        for secret in secrets {
            for (what, said) in &said {
                assert!(!said.contains(secret.as_str()), "{secret} in the reply to {what}: {said}");
            }
            assert!(!log.contains(secret.as_str()), "{secret} in the log:\n{log}");
            for (path, bytes) in &files {
                assert!(!holds(bytes, secret), "{secret} in {path}");
            }
        }
    }

    /// Secrets where they are wrong: what is refused must not be quoted.
    async fn send_them_wrong(&mut self) {
        let repeated = TOKEN.repeat(1_000);
        for (what, body) in [
            ("cut JSON", format!("{{\"token\":\"{TOKEN}\",\"headers\":{{\"X\":\"{HEADER}")),
            ("a bare text", format!("\"{TOKEN}\"")),
            (
                "other types",
                json!({ "token": { TOKEN: 1 }, "headers": HEADER, "signature_secret": [SIGNATURE] }).to_string(),
            ),
            (
                "odd places",
                json!({ "name": "x", "url": NOWHERE, "proxy": format!("http://me:{PROXY_PASSWORD}@host/path"),
                    "service_principal": { "client_secret": CLIENT_SECRET }, "ca_bundle": TOKEN })
                .to_string(),
            ),
            ("too long", json!({ "token": repeated, "headers": { "X-Extra": repeated } }).to_string()),
            (
                "unfit",
                json!({ "token": format!("{TOKEN}\n"), "signature_secret": format!("{SIGNATURE} x") }).to_string(),
            ),
            ("misspelt", json!({ "tokn": TOKEN, "header": { "X-Extra": HEADER } }).to_string()),
            ("in an odd URL", json!({ "url": format!("ftp://me:{URL_PASSWORD}@[dev.azure.com/fabrikam") }).to_string()),
        ] {
            let request = self.admin("POST", "/v1/connections").header("content-type", "application/json").body(body);
            let (status, _) = self.send(what, request, None).await;
            assert!((400..500).contains(&status), "{what}: {status}");
        }
        let url = format!("https://me:{URL_PASSWORD}@dev.azure.com/fabrikam");
        let request = self.admin("POST", "/v1/connections").json(&json!({ "name": "u", "url": url }));
        self.send("in a URL", request, Some("/hook/password")).await;
        let request = self.admin("GET", &format!("/v1/events?access_token={GUESS}"));
        assert_eq!(self.send("in a query", request, None).await.0, 400);
        let request = self.request("GET", "/v1/tokens").bearer_auth(GUESS);
        assert_eq!(self.send("a wrong token", request, None).await.0, 401);
    }
}

fn files(under: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}")).to_owned()
}

#[tokio::test]
async fn no_secret_is_in_a_reply_a_figure_a_log_line_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut watched = Watched { process: Process::start(folder.path(), &["--log", "debug"]), said: Vec::new() };
    let mut secrets: Vec<String> = [
        ADMIN_TOKEN,
        TOKEN,
        NEXT_TOKEN,
        HEADER,
        SIGNATURE,
        NEXT_SIGNATURE,
        CLIENT_SECRET,
        PROXY_PASSWORD,
        URL_PASSWORD,
        GUESS,
    ]
    .map(str::to_owned)
    .to_vec();

    // Planted. The two that are made here are shown by the reply that makes them, and by its repeat under one key.
    let connection = json!({
        "name": NAME, "url": NOWHERE, "token": TOKEN,
        "headers": { "X-Extra": HEADER }, "signature_secret": SIGNATURE,
        "proxy": format!("http://me:{PROXY_PASSWORD}@127.0.0.1:9"),
    });
    let create =
        |watched: &Watched| watched.admin("POST", "/v1/connections").header("idempotency-key", "k1").json(&connection);
    let (status, made) = watched.send("create", create(&watched), Some("/hook/password")).await;
    assert_eq!(status, 201);
    let (_, again) = watched.send("repeat", create(&watched), Some("/hook/password")).await;
    assert_eq!(again["hook"]["password"], made["hook"]["password"]);
    let (path, user_name) = (format!("/v1/connections/{}", text(&made, "/id")), text(&made, "/hook/user_name"));
    let first_password = text(&made, "/hook/password");
    secrets.push(BASE64_STANDARD.encode(format!("{user_name}:{first_password}")));
    let rotate = watched.admin("POST", &format!("{path}/rotate-hook-secret"));
    let (_, rotated) = watched.send("rotate", rotate, Some("/hook/password")).await;
    let token = watched.admin("POST", "/v1/tokens").header("idempotency-key", "k2");
    let token = token.json(&json!({ "name": "reader", "scope": "read" }));
    let (_, token) = watched.send("token", token, Some("/token")).await;
    secrets.extend([first_password.clone(), text(&rotated, "/hook/password"), text(&token, "/token")]);
    let change = json!({ "token": NEXT_TOKEN, "signature_secret": NEXT_SIGNATURE });
    let change = watched.admin("PATCH", &path).header("if-match", "*").json(&change);
    assert_eq!(watched.send("change", change, None).await.0, 200);
    let principal = json!({ "tenant": "t.example", "client_id": uuid::Uuid::nil(), "client_secret": CLIENT_SECRET,
        "authority": "http://127.0.0.1:9" });
    let body = json!({ "name": "p", "url": NOWHERE, "service_principal": principal });
    let principal = watched.admin("POST", "/v1/connections").json(&body);
    assert_eq!(watched.send("a service principal", principal, Some("/hook/password")).await.0, 201);
    for call in ["check", "sync"] {
        let checked = watched.admin("POST", &format!("{path}/{call}"));
        assert!((200..300).contains(&watched.send(call, checked, None).await.0), "{call}");
    }
    let listed = watched.admin("GET", &format!("{path}/azure/projects"));
    assert_eq!(watched.send("discovery", listed, None).await.0, 502);

    watched.send_them_wrong().await;

    // Used.
    let hook = text(&made, "/hook/url").split_once("/hooks/").unwrap().1.to_owned();
    let hook = format!("/hooks/{hook}");
    let body = json!({ "eventType": "git.push", "id": "1", "resource": {} }).to_string();
    for (password, secret, expected) in [
        (first_password.as_str(), SIGNATURE, 200),
        (first_password.as_str(), NEXT_SIGNATURE, 200),
        (first_password.as_str(), GUESS, 401),
        (GUESS, SIGNATURE, 401),
    ] {
        let request = watched.request("POST", &hook).basic_auth(&user_name, Some(password));
        let request = request.header("x-hub-signature-256", signature(secret, &body)).body(body.clone());
        assert_eq!(watched.send("a delivery", request, None).await.0, expected);
    }
    watched.process.idle().await;

    // Everything there is to read.
    let paths = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/v1/integration",
        "/v1/connections",
        "/v1/projects",
        "/v1/events",
        "/v1/tokens",
        &path,
        &format!("{path}/removal"),
    ];
    for path in paths {
        watched.get(path).await;
    }
    for notification in watched.get("/v1/notifications").await["data"].as_array().unwrap() {
        watched.get(&format!("/v1/notifications/{}?body=true", text(notification, "/id"))).await;
    }

    watched.holds_none_of(&secrets, folder.path()).await;
}

/// A way to the gateway that remembers the Basic credentials which pass: those of hooks are made by the gateway and shown
/// to nobody.
async fn eavesdropper(listener: TcpListener, gateway: String, caught: Arc<Mutex<BTreeSet<String>>>) {
    while let Ok((mut hook, _)) = listener.accept().await {
        let (gateway, caught) = (gateway.clone(), Arc::clone(&caught));
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(hook.read_u8().await?);
            }
            let text = String::from_utf8_lossy(&head);
            if let Some(encoded) = text.lines().find_map(|line| line.strip_prefix("authorization: Basic ")) {
                let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap();
                let password = pair.split_once(':').unwrap().1.to_owned();
                caught.lock().unwrap().extend([encoded.to_owned(), password]);
            }
            // One request a connection: the head of a second one would pass unseen.
            head.truncate(head.len() - 2);
            head.extend(b"connection: close\r\n\r\n");
            let mut there = TcpStream::connect(gateway).await?;
            there.write_all(&head).await?;
            tokio::io::copy_bidirectional(&mut hook, &mut there).await.map(drop)
        });
    }
}

#[tokio::test]
async fn no_secret_that_is_used_at_azure_devops_is_anywhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::start(&["--require-header", &format!("X-Extra: {HEADER}")]);
    let way = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public_url = format!("http://{}", way.local_addr().unwrap());
    let flags = ["--log", "debug", "--public-url", &public_url];
    let mut watched = Watched { process: Process::start(folder.path(), &flags), said: Vec::new() };
    let heard = Arc::<Mutex<BTreeSet<String>>>::default();
    let gateway = watched.process.base.trim_start_matches("http://").to_owned();
    let listening = tokio::spawn(eavesdropper(way, gateway, Arc::clone(&heard)));

    // Both ways to prove who we are, right and wrong.
    let origin = simulation.url.trim_end_matches("/fabrikam");
    let principal = |secret: &str| json!({ "tenant": tokens::TENANT, "client_id": tokens::CLIENT_ID, "client_secret": secret, "authority": origin });
    let mut paths = Vec::new();
    for (credential, status) in [
        (json!({ "token": simulation.token }), "enabled"),
        (json!({ "service_principal": principal(tokens::CLIENT_SECRET) }), "enabled"),
        (json!({ "service_principal": principal(GUESS) }), "needs_attention"),
        (json!({ "token": NEXT_TOKEN }), "needs_attention"),
    ] {
        let mut body = json!({ "name": NAME, "url": simulation.url, "headers": { "X-Extra": HEADER } });
        body.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
        let request = watched.admin("POST", "/v1/connections").json(&body);
        let (_, made) = watched.send("connect", request, Some("/hook/password")).await;
        assert_eq!(made["status"], status, "{made}");
        paths.push(format!("/v1/connections/{}", text(&made, "/id")));
    }
    let request = watched.admin("PUT", "/v1/projects/shop").json(&json!({ "name": "Shop" }));
    watched.send("project", request, None).await;
    for connection in &paths {
        let id = connection.rsplit('/').next().unwrap();
        let body = json!({ "role": "code_deployment", "connection": id, "azure_project": "Fiber Café", "repository": "web shop" });
        let request = watched.admin("POST", "/v1/projects/shop/bindings").json(&body);
        watched.send("bind", request, None).await;
    }
    for request in ["/v1/subscriptions/reconcile?dry_run=true", "/v1/subscriptions/reconcile"] {
        let request = watched.admin("POST", request);
        assert_eq!(watched.send("reconcile", request, None).await.0, 200);
    }
    let push = json!({ "repository": "web shop", "branch": "main", "message": PUSHED });
    simulation.make_happen("push", &push).await;
    // One push, told by the hooks of two connections: two passwords, and one event.
    let both_delivered = async {
        while heard.lock().unwrap().len() < 4 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(BACKSTOP, both_delivered).await.expect("both hooks deliver");
    // Beside it there may be pushes of before: the first sweep brings them.
    let pushed = async {
        loop {
            let events = watched.get("/v1/events?limit=100").await;
            let told =
                events["data"].as_array().unwrap().iter().filter(|event| event.to_string().contains(PUSHED)).count();
            if told > 0 {
                break told;
            }
        }
    };
    assert_eq!(tokio::time::timeout(BACKSTOP, pushed).await.expect("the push is told"), 1);
    for path in &paths {
        for view in ["", "/removal", "/azure/projects"] {
            let request = watched.admin("GET", &format!("{path}{view}"));
            watched.send(view, request, None).await;
        }
        for act in ["/check", "/sync"] {
            let request = watched.admin("POST", &format!("{path}{act}"));
            watched.send(act, request, None).await;
        }
    }
    for path in ["/v1/subscriptions", "/v1/integration", "/v1/connections", "/v1/notifications", "/metrics"] {
        watched.get(path).await;
    }
    let mut secrets = vec![simulation.token.clone(), BASE64_STANDARD.encode(format!(":{}", simulation.token))];
    secrets.extend([tokens::CLIENT_SECRET, HEADER, NEXT_TOKEN, GUESS].map(str::to_owned));
    let heard = heard.lock().unwrap().clone();
    secrets.extend(heard);
    listening.abort();
    watched.holds_none_of(&secrets, folder.path()).await;
}

#[tokio::test]
async fn no_proof_of_an_identity_is_anywhere_else() {
    const WHOSE: (&str, &str) = ("https://oidc.cluster.example/", "system:serviceaccount:tools:hookwell");
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let simulation = Simulation::start(&[]);
    let origin = simulation.url.trim_end_matches("/fabrikam").to_owned();
    simulation.make_happen("principal", &json!({ "certificate": identity::PRINCIPAL })).await;
    let believed = json!({ "certificate": identity::ISSUER, "issuer": WHOSE.0, "subject": WHOSE.1 });
    simulation.make_happen("principal", &believed).await;
    let until = jiff::Timestamp::now().as_second() + 3_600;
    let claims = json!({ "iss": WHOSE.0, "sub": WHOSE.1, "aud": "api://AzureADTokenExchange", "exp": until });
    let token = identity::signed_token(identity::ISSUER, &claims);
    let file = elsewhere.path().join("token");
    std::fs::write(&file, &token).unwrap();
    let environment = [
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
        ("AZURE_AUTHORITY_HOST", origin.as_str()),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", origin.as_str()),
    ];
    let process = Process::start_in(folder.path(), &["--log", "debug"], &environment);
    let mut watched = Watched { process, said: Vec::new() };
    let principal = |proof: &str, value: Value| {
        let mut principal = json!({ "tenant": tokens::TENANT, "client_id": tokens::CLIENT_ID, "authority": origin });
        principal[proof] = value;
        json!({ "service_principal": principal })
    };
    for (credential, status) in [
        (principal("certificate", json!(identity::PRINCIPAL)), "enabled"),
        (principal("certificate", json!(identity::ISSUER)), "needs_attention"),
        (principal("federated_token", json!(true)), "enabled"),
        (json!({ "managed_identity": {} }), "enabled"),
        (json!({ "managed_identity": { "client_id": uuid::Uuid::nil() } }), "needs_attention"),
    ] {
        let mut body = json!({ "name": NAME, "url": simulation.url, "hooks": "manual" });
        body.as_object_mut().unwrap().extend(credential.as_object().unwrap().clone());
        let request = watched.admin("POST", "/v1/connections").json(&body);
        let (_, made) = watched.send("connect", request, Some("/hook/password")).await;
        assert_eq!(made["status"], status, "{made}");
    }
    for path in ["/v1/connections", "/v1/integration", "/metrics"] {
        watched.get(path).await;
    }
    let keys = [identity::PRINCIPAL, identity::ISSUER].into_iter().flat_map(|pem| pem.lines().skip(1).take(5));
    let mut secrets: Vec<String> = keys.map(str::to_owned).collect();
    secrets.extend([token, "simulated-bearer".to_owned()]);
    watched.holds_none_of(&secrets, folder.path()).await;
}
