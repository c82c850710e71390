//! The OpenAPI document: what the rows give, and what all of them share.

use super::{
    auth::Access, backfill, bindings, connections, deployments, links, problem::ProblemBody, projects, replay, routes,
    sinks, survey, tokens,
};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::{OpenApi as _, PartialSchema as _, ToSchema as _};

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let document = serde_json::to_string_pretty(&document()).expect("a JSON value can be written");
    document + "\n"
});

/// The document as it is served and checked in.
pub fn openapi_json() -> String {
    DOCUMENT.clone()
}

/// As a value and not through utoipa's `Modify`: half of what is added here (exclusive members, shared headers and
/// responses by reference) its types cannot say.
fn document() -> Value {
    let mut document = serde_json::to_value(routes::ApiDoc::openapi()).expect("the document is plain data");
    document["info"] = json!({
        "title": "Hookwell",
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Every push, build and work-item event of Azure DevOps exactly once, in a standard form",
        "description": DESCRIPTION,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        "contact": { "name": "The Hookwell project" },
    });
    document["servers"] = json!([{ "url": "/", "description": "This gateway" }]);
    document["tags"] = TAGS.iter().map(|(name, text)| json!({ "name": name, "description": text })).collect();
    document["security"] = json!([{ "bearer": [] }]);
    let components = &mut document["components"];
    components["schemas"]["Problem"] = serde_json::to_value(ProblemBody::schema()).expect("a schema is plain data");
    let mut inner = Vec::new();
    ProblemBody::schemas(&mut inner);
    for (name, schema) in inner {
        components["schemas"][name] = serde_json::to_value(schema).expect("a schema is plain data");
    }
    for (name, schema) in [
        ("NewConnectionBody", connections::new_schema()),
        ("ConnectionChangeBody", connections::change_schema()),
        ("ProjectBody", projects::schema()),
        ("NewBindingBody", bindings::new_schema()),
        ("BindingChangeBody", bindings::change_schema()),
        ("BackfillBody", backfill::schema()),
        ("NewDeploymentBody", deployments::schema()),
        ("NewTokenBody", tokens::schema()),
        ("NewSinkBody", sinks::new_schema()),
        ("SinkChangeBody", sinks::change_schema()),
        ("SinkTestBody", sinks::test_schema()),
        ("SinkReplayBody", sinks::replay_schema()),
        ("ReplayBody", replay::schema()),
        ("SurveyBody", survey::schema()),
    ] {
        components["schemas"][name] = schema;
    }
    components["securitySchemes"] = json!({
        "bearer": { "type": "http", "scheme": "bearer", "description": "An API token, `hw_…`; scope `read` for GET, `admin` for everything." },
        "hook": { "type": "http", "scheme": "basic", "description": "The user name and password of a connection's hook." },
    });
    components["headers"] = headers();
    components["responses"] = responses();
    for pattern in routes::PATTERNS {
        let paths = document["paths"].as_object_mut().expect("there are paths");
        let path = paths.iter_mut().find(|(path, _)| blank(path) == pattern.template()).map(|(_, item)| item);
        if let Some(operation) = path.and_then(|item| item.get_mut(pattern.method)) {
            complete(operation, pattern.access, pattern.method);
        }
    }
    document
}

/// A path template with every parameter's name taken out.
pub fn blank(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "{}".to_owned() } else { part.to_owned() };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// What every operation of this access has.
fn complete(operation: &mut Value, access: Access, method: &str) {
    match access {
        Access::Public => operation["security"] = json!([]),
        Access::Hook => {
            operation["security"] = json!([{ "hook": [] }]);
            // An authentic sender hears 200 also for nothing at all.
            operation["requestBody"]["required"] = false.into();
        }
        Access::Read | Access::Admin => {}
    }
    if operation.get("description").is_none() {
        operation["description"] = format!("{}.", operation["summary"].as_str().unwrap_or_default()).into();
    }
    operation["parameters"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .for_each(|parameter| not_null(&mut parameter["schema"]));
    if operation["parameters"].is_null() {
        operation.as_object_mut().expect("an operation is an object").remove("parameters");
    }
    links::add(operation);
    let mut names: Vec<(&str, &str)> = vec![("503", "Unavailable"), ("default", "Other")];
    if access != Access::Hook {
        names.push(("400", "BadRequest"));
    }
    match access {
        Access::Public => {}
        Access::Hook => names.push(("401", "HookUnauthenticated")),
        Access::Read | Access::Admin => names.extend([("401", "Unauthenticated"), ("429", "TooManyFailures")]),
    }
    if access == Access::Admin {
        names.push(("403", "Forbidden"));
    }
    if operation
        .get("parameters")
        .is_some_and(|all| all.as_array().is_some_and(|all| all.iter().any(|p| p["in"] == "path")))
        && access != Access::Hook
    {
        names.push(("404", "NotFound"));
    }
    if operation.get("requestBody").is_some() && access != Access::Hook {
        names.extend([("413", "BodyTooLarge"), ("415", "UnsupportedMedia"), ("422", "InvalidBody")]);
    }
    if operation["operationId"].as_str().is_some_and(|id| id.starts_with("discover_")) {
        names.extend([("424", "FailedDependency"), ("502", "BadGateway")]);
    }
    let conditional = header_parameter(operation, "If-Match");
    if conditional {
        names.push(("412", "PreconditionFailed"));
        if matches!(method, "patch" | "put") {
            names.push(("428", "PreconditionRequired"));
        }
    }
    if header_parameter(operation, "Idempotency-Key") {
        names.push(("409", "Conflict"));
    }
    let versioned = method != "delete" && (conditional || header_parameter(operation, "If-None-Match"));
    let responses = operation["responses"].as_object_mut().expect("an operation has responses");
    for response in responses.values_mut().filter(|response| response.get("$ref").is_none()) {
        let given = response.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut headers =
            Map::from_iter([("X-Request-Id".to_owned(), json!({ "$ref": "#/components/headers/X-Request-Id" }))]);
        headers.extend(given);
        if versioned && response.get("content").is_none_or(|content| content.get(super::problem::MEDIA_TYPE).is_none())
        {
            headers.insert("ETag".to_owned(), json!({ "$ref": "#/components/headers/ETag" }));
        }
        response["headers"] = headers.into();
    }
    for (status, response) in responses.iter_mut() {
        if status.starts_with('4') && response.get("content").is_none() && response.get("$ref").is_none() {
            response["content"] = problem_content();
        }
    }
    for (status, name) in names {
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.entry(status).or_insert(reference);
    }
}

/// A parameter is there or not: what utoipa makes of `Option` would let clients send the word `null`.
fn not_null(schema: &mut Value) {
    if let Some(kinds) = schema["type"].as_array() {
        let kind = kinds.iter().find(|kind| *kind != "null").cloned();
        schema["type"] = kind.unwrap_or_default();
    }
    if let Some(forms) = schema["oneOf"].as_array() {
        *schema = forms.iter().find(|form| form["type"] != "null").cloned().unwrap_or_default();
    }
}

fn header_parameter(operation: &Value, name: &str) -> bool {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters.is_some_and(|all| all.iter().any(|parameter| parameter["in"] == "header" && parameter["name"] == name))
}

fn problem_content() -> Value {
    json!({ super::problem::MEDIA_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } })
}

fn headers() -> Value {
    let text =
        |description: &str| json!({ "description": description, "schema": { "type": "string", "maxLength": 1000 } });
    json!({
        "X-Request-Id": text("The request's id: the one that was sent, or a new one. The gateway's log knows it."),
        "Retry-After": { "description": "Seconds to wait before trying again.", "schema": { "type": "integer", "minimum": 1, "maximum": 86400 } },
        "WWW-Authenticate": text("How to authenticate."),
        "ETag": text("The resource's version; send it as If-Match."),
    })
}

fn responses() -> Value {
    let all = [
        ("BadRequest", "The request cannot be read: its query, its headers or its JSON.", &[][..]),
        ("Unauthenticated", "The token is missing or wrong.", &["WWW-Authenticate"]),
        (
            "HookUnauthenticated",
            "The hook's user name, password or signature is wrong.",
            &["WWW-Authenticate", "Retry-After"],
        ),
        ("Forbidden", "The token's scope does not allow this.", &[]),
        ("NotFound", "There is no such thing.", &[]),
        ("Conflict", "It contradicts what is there.", &[]),
        ("PreconditionFailed", "It was changed in the meantime.", &[]),
        ("BodyTooLarge", "The body is larger than 1 MiB.", &[]),
        ("UnsupportedMedia", "The body is not JSON by its Content-Type.", &[]),
        ("InvalidBody", "Members of the body are wrong; errors lists all of them.", &[]),
        ("PreconditionRequired", "If-Match is required.", &[]),
        ("FailedDependency", "The connection has to be mended first: its credential, its rights or its settings.", &[]),
        ("BadGateway", "Azure DevOps cannot be reached, or what answers is not Azure DevOps.", &[]),
        ("TooManyFailures", "Too many wrong tokens came from this address.", &["Retry-After"]),
        ("Unavailable", "The gateway cannot do this now; try again.", &["Retry-After"]),
        ("Other", "Any other problem.", &[]),
    ];
    let response = |description: &str, more: &[&str]| {
        let names = std::iter::once(&"X-Request-Id").chain(more);
        let headers: Map<String, Value> =
            names.map(|name| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }))).collect();
        json!({
            "description": description,
            "headers": headers,
            "content": problem_content(),
        })
    };
    all.into_iter()
        .map(|(name, description, more)| (name.to_owned(), response(description, more)))
        .collect::<Map<_, _>>()
        .into()
}

const DESCRIPTION: &str = "\
Hookwell receives the service hooks of Azure DevOps, keeps them, turns them into CDEvents inside CloudEvents, each fact \
exactly once, and hands them on.

**Errors** are problem details (RFC 9457); `type` is `urn:hookwell:problem:` and a word, and `errors` lists everything \
that is wrong with a request at once. Members and query parameters that are not known are errors.

**Changes** of a resource need `If-Match` with the `ETag` that reading it gave. `Idempotency-Key` makes a POST that \
creates something safe to repeat for 24 hours. 5000 keys of one token and 10000 in all are kept; while there is no room, \
a new key is refused with 409 `limit-reached` and `Retry-After`, and none that was taken is forgotten.

**Lists** of events and notifications go on after a cursor (`after`, `next`); a cursor is opaque and good for its own \
list only. A cursor whose successors have passed their retention answers 410.";

const TAGS: &[(&str, &str)] = &[
    ("hooks", "Where Azure DevOps delivers."),
    ("events", "What was received, in a standard form."),
    ("sinks", "Where events are pushed, and what became of each there."),
    ("notifications", "What was received, as it came, and what became of it."),
    ("integration", "Azure DevOps as a whole."),
    ("connections", "Organizations and collections of Azure DevOps."),
    ("discovery", "What a connection can see, to choose from."),
    ("projects", "Our projects: what connections are bound to."),
    ("bindings", "What a project takes from a connection."),
    ("deployments", "What was deployed where, and what came with it."),
    ("subscriptions", "Service hooks at Azure DevOps: made from the bindings, and looked after."),
    ("completeness", "Whether anything is missing."),
    ("tokens", "Who may call this API."),
    ("operation", "Running the gateway."),
];
