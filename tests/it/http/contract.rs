//! What holds for every operation.

use crate::harness::{DOCUMENT, Gateway, resolve};
use hookwell::http::{auth::Access, openapi::blank, openapi_json, routes::PATTERNS};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

fn operations() -> impl Iterator<Item = (&'static String, &'static String, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (path, method, operation))
    })
}

/// A path with every parameter filled in with something that does not exist.
fn nowhere(path: &str) -> String {
    path.split('/')
        .map(|part| match part {
            "{slug}" => "nothing",
            "{file}" => "nothing.css",
            part if part.starts_with('{') => "00000000-0000-4000-8000-00000000dead",
            part => part,
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[test]
fn the_document_lists_the_routes_and_no_others() {
    let documented: BTreeSet<_> = operations().map(|(path, method, _)| format!("{method} {}", blank(path))).collect();
    let routed: BTreeSet<_> = PATTERNS.iter().map(|row| format!("{} {}", row.method, row.template())).collect();
    assert_eq!(documented, routed);
    assert_eq!(routed.len(), PATTERNS.len());
}

#[test]
fn the_checked_in_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, openapi_json()).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == openapi_json(), "openapi/openapi.json is stale: run UPDATE=1 cargo test");
}

#[test]
fn every_reference_resolves() {
    fn walk(value: &Value) {
        if value["$ref"].is_string() {
            assert!(!resolve(value).is_null(), "{value}");
        }
        value
            .as_object()
            .into_iter()
            .flat_map(|o| o.values())
            .chain(value.as_array().into_iter().flatten())
            .for_each(walk);
    }
    walk(&DOCUMENT);
}

#[test]
fn every_operation_has_a_summary_a_tag_an_id_and_a_problem() {
    let mut ids = BTreeSet::new();
    let tags: Vec<&Value> = DOCUMENT["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in operations() {
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{method} {path} has no summary");
        assert!(tags.contains(&&operation["tags"][0]), "{method} {path} has no known tag");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path} has another's id");
        let problem = &resolve(&operation["responses"]["default"])["content"]["application/problem+json"];
        assert!(problem.is_object(), "{method} {path} has no problem");
    }
}

#[tokio::test]
async fn every_operation_refuses_strangers() {
    let gateway = Gateway::start().await;
    for row in PATTERNS {
        let path = nowhere(&row.template().replace("/{}", "/{id}"));
        let ask = || gateway.ask(row.method, &path);
        match row.access {
            Access::Public => continue,
            Access::Hook => {
                let reply = ask().token(None).send().await;
                assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (401, "unauthenticated"), "{path}");
                assert_eq!(reply.header("www-authenticate"), "Basic realm=\"hookwell\"");
                continue;
            }
            Access::Read | Access::Admin => {}
        }
        // Each from an address of its own, so that the limit per address does not answer in its place.
        for token in [None, Some("hw_wrong".to_owned()), Some(String::new())] {
            let peer = IpAddr::from(u32::to_be_bytes(rand_of(row.method, &path)));
            let reply = ask().peer(peer).token(token).send().await;
            assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (401, "unauthenticated"), "{path}");
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"hookwell\"");
        }
        if row.access == Access::Admin {
            let reply = ask().token(gateway.read.clone()).send().await;
            assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (403, "forbidden"), "{path}");
        }
    }
}

fn rand_of(method: &str, path: &str) -> u32 {
    method.bytes().chain(path.bytes()).fold(17, |hash: u32, byte| hash.wrapping_mul(31).wrapping_add(byte.into()))
}

#[tokio::test]
async fn an_address_that_guesses_has_to_wait_and_others_do_not() {
    let gateway = Gateway::start().await;
    let (guesser, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
    for _ in 0..19 {
        let reply = gateway.ask("GET", "/v1/projects").peer(guesser).token("hw_guess".to_owned()).send().await;
        assert_eq!(reply.status, 401);
    }
    let reply = gateway.ask("GET", "/v1/projects").peer(guesser).token("hw_guess".to_owned()).send().await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (429, "60"));
    let right = gateway.ask("GET", "/v1/projects").peer(guesser).send().await;
    assert_eq!(right.status, 200, "others behind the same proxy do not pay for it");
    assert_eq!(gateway.ask("GET", "/v1/projects").peer(other).send().await.status, 200);
    gateway.advance(Duration::from_mins(1));
    let reply = gateway.ask("GET", "/v1/projects").peer(guesser).token("hw_guess".to_owned()).send().await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn an_unknown_query_parameter_is_an_error_everywhere_but_at_the_hooks() {
    let gateway = Gateway::start().await;
    for (path, method, operation) in operations().filter(|(path, ..)| !path.starts_with("/hooks")) {
        let reply = gateway.ask(method, &format!("{}?nonsense=1", nowhere(path))).json(&json!({})).send().await;
        assert_eq!((reply.status.as_u16(), reply.problem().as_str()), (400, "invalid-parameter"), "{method} {path}");
        assert!(reply.wrong().contains(&"nonsense".to_owned()), "{}: {reply:?}", operation["operationId"]);
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_problems_that_say_so() {
    let gateway = Gateway::start().await;
    for (method, path, status, allow) in [
        ("GET", "/", 404, None),
        ("GET", "/v1/nothing", 404, None),
        ("GET", "/v1/connections/x/y", 404, None),
        ("DELETE", "/v1/connections", 405, Some("GET, POST, HEAD")),
        ("POST", "/healthz", 405, Some("GET, HEAD")),
        ("GET", "/hooks/azure-devops/x", 405, Some("POST")),
        ("PUT", "/v1/connections/x", 405, Some("GET, PATCH, DELETE, HEAD")),
    ] {
        let reply = gateway.ask(method, path).send().await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert_eq!(reply.headers.get("allow").map(|allow| allow.to_str().unwrap()), allow, "{method} {path}");
        assert_eq!(reply.header("content-type"), "application/problem+json");
    }
    let reply = gateway.ask("HEAD", "/healthz").send().await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
}

#[tokio::test]
async fn a_request_keeps_its_id_or_gets_one() {
    let gateway = Gateway::start().await;
    let reply = gateway.ask("GET", "/v1/nothing").header("x-request-id", "abc-1").send().await;
    assert_eq!((reply.header("x-request-id"), &reply.json()["request_id"]), ("abc-1", &json!("abc-1")));
    for odd in ["", "a b", &"x".repeat(129), "<script>"] {
        let reply = gateway.ask("GET", "/v1/nothing").header("x-request-id", odd).send().await;
        assert_eq!(reply.header("x-request-id").len(), 36, "{odd}");
    }
}

#[tokio::test]
async fn the_documentation_needs_no_other_server() {
    let gateway = Gateway::start().await;
    let page = gateway.get("/docs").await;
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("\"//"), "{text}");
    let names = text.split(['"', '\'']).filter_map(|part| part.strip_prefix("/docs/"));
    let names: BTreeSet<&str> = names.collect();
    assert!(names.contains("swagger-ui-bundle.js") && names.len() >= 5, "{names:?}");
    for name in names {
        assert_eq!(gateway.get(&format!("/docs/{name}")).await.status, 200, "{name}");
    }
    assert_eq!(gateway.get("/docs/index.html").await.status, 404);
    assert_eq!(gateway.get("/docs/..%2fCargo.toml").await.status, 404);
    let initializer = gateway.get("/docs/swagger-initializer.js").await;
    let text = String::from_utf8_lossy(&initializer.body).into_owned();
    assert!(text.contains("/openapi.json") && !text.contains("http"), "{text}");
    assert_eq!(gateway.get("/openapi.json").await.json(), *DOCUMENT);
}

#[tokio::test]
async fn health_readiness_and_figures() {
    use hookwell::store::Store as _;
    let gateway = Gateway::start().await;
    assert_eq!(gateway.ask("GET", "/healthz").token(None).send().await.status, 200);
    assert_eq!(gateway.ask("GET", "/readyz").token(None).send().await.status, 200);
    let metrics = gateway.get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    assert!(text.contains("hookwell_http_replies_total{method=\"GET\",status=\"200\"} 2"), "{text}");
    assert!(text.contains("hookwell_ready 1") && text.ends_with("# EOF\n"), "{text}");
    gateway.store.close().await;
    let reply = gateway.get("/readyz").await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "5"));
    assert_eq!(reply.json()["detail"], "the store is closed");
    assert_eq!(gateway.get("/healthz").await.status, 200);
    // Whatever needs the store says so in the same way, without the store's own words.
    for path in ["/v1/events", "/v1/notifications", "/metrics"] {
        let reply = gateway.get(path).await;
        assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "2"), "{path}");
        assert!(!reply.json().to_string().contains("is closed"), "{path}");
    }
    let reply = gateway.post("/v1/tokens", json!({ "name": "x", "scope": "read" })).await;
    assert_eq!(reply.status, 503);
}

/// Every text, list and number of a request has the bound that the document says.
#[tokio::test]
async fn every_documented_bound_of_a_body_is_enforced() {
    let gateway = Gateway::start().await;
    gateway.project("shop").await;
    let (connection, made) = gateway.connection().await;
    let binding = |role: &str| json!({ "role": role, "connection": connection, "azure_project": "p" });
    let sink = json!({ "name": "s", "kind": "webhook", "settings": { "url": "https://receiver.example/" } });
    let sink_path = gateway.post("/v1/sinks", sink.clone()).await.header("location").to_owned();
    let bodies = [
        (
            "POST",
            "/v1/connections".to_owned(),
            "NewConnectionBody",
            json!({ "name": "x", "url": "https://dev.azure.com/x" }),
        ),
        ("PATCH", format!("/v1/connections/{connection}"), "ConnectionChangeBody", json!({})),
        ("PUT", "/v1/projects/shop".to_owned(), "ProjectBody", json!({ "name": "x" })),
        ("POST", "/v1/projects/shop/bindings".to_owned(), "NewBindingBody/oneOf/1", binding("build_provider")),
        ("POST", "/v1/projects/shop/bindings".to_owned(), "NewBindingBody/oneOf/2", binding("issue_provider")),
        ("POST", "/v1/tokens".to_owned(), "NewTokenBody", json!({ "name": "x", "scope": "read" })),
        ("POST", "/v1/sinks".to_owned(), "NewSinkBody/oneOf/0", sink.clone()),
        ("PATCH", sink_path.clone(), "SinkChangeBody", json!({})),
        ("POST", format!("{sink_path}/test"), "SinkTestBody", json!({})),
        ("POST", format!("{sink_path}/replay"), "SinkReplayBody/oneOf/1", json!({ "from": "beginning", "to": "now" })),
    ];
    assert_eq!(made.status, 201);
    for (method, path, schema, base) in bodies {
        let schema = DOCUMENT.pointer(&format!("/components/schemas/{schema}")).unwrap();
        for (name, property) in schema["properties"].as_object().unwrap() {
            let mut wrong: BTreeMap<&str, Value> = BTreeMap::new();
            if let Some(max) = property["maxLength"].as_u64() {
                wrong.insert("too long", "x".repeat(usize::try_from(max).unwrap() + 1).into());
            }
            if property["pattern"].is_string() {
                wrong.insert("unfit", "\u{7}".into());
            }
            if let Some(max) = property["maxItems"].as_u64() {
                wrong.insert("too many", (0..=max).map(|n| Value::from(n.to_string())).collect());
                wrong.insert("not strings", json!([7]));
            }
            wrong.insert("another type", json!(7.5));
            for (what, value) in wrong {
                let mut body = base.clone();
                body[name] = value;
                let reply = gateway.ask(method, &path).header("if-match", "*").json(&body).send().await;
                assert_eq!(reply.status, 422, "{method} {path} {name} {what}: {reply:?}");
                assert!(reply.wrong()[0].starts_with(&format!("/{name}")), "{name} {what}: {reply:?}");
            }
        }
        let mut body = base.clone();
        body["unknown~/member"] = json!(1);
        let reply = gateway.ask(method, &path).header("if-match", "*").json(&body).send().await;
        assert_eq!((reply.status.as_u16(), reply.wrong()), (422, vec!["/unknown~0~1member".to_owned()]), "{path}");
        for (content_type, body, status) in [
            ("text/plain", "{}", 415),
            ("application/json", "{", 400),
            ("application/json", "[]", 422),
            ("application/json", &*format!("\"{}\"", "x".repeat(1 << 20)), 413),
        ] {
            let ask = gateway.ask(method, &path).header("if-match", "*").header("content-type", content_type);
            assert_eq!(ask.body(body.to_owned()).send().await.status, status, "{path} {content_type}");
        }
    }
}
