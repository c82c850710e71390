//! Every way in which Azure DevOps, and what stands before it, says no: what the user is told, and what nobody is.

use super::{
    PAT, access, client, first,
    scripted::{Asked, Say, Scripted, connection_data, reply, usual},
    secret,
};
use hookwell::azure::client::{Credential, Failure};
use std::collections::BTreeMap;

type Headers = &'static [(&'static str, &'static str)];

const JSON: Headers = &[("content-type", "application/json; charset=utf-8; api-version=7.1")];
const HTML: Headers = &[("content-type", "text/html; charset=utf-8"), ("x-tfs-processid", "1")];
const PROXY: Headers = &[("content-type", "text/html"), ("server", "cloudflare"), ("cf-ray", "1")];
const TEXT: Headers = &[("content-type", "text/plain; charset=utf-8")];
const CHALLENGE: Headers =
    &[("www-authenticate", "Bearer"), ("www-authenticate", "Basic realm=\"https://tfsprod.example/\"")];

/// (what it is, status, headers, body, variant, what the message contains)
type Case = (&'static str, u16, Headers, &'static str, &'static str, &'static str);

const ANSWERS: [Case; 26] = [
    (
        "a project that is not there",
        404,
        JSON,
        r#"{"message":"TF200016: The following project does not exist: X.","typeKey":"ProjectDoesNotExistWithNameException"}"#,
        "NotFound",
        "TF200016",
    ),
    (
        "a route that is not there",
        404,
        TEXT,
        "The controller for path '/x' was not found.",
        "NotFound",
        "The controller",
    ),
    (
        "a web server that is no Azure DevOps",
        404,
        &[("content-type", "text/html")],
        "<title>404</title>",
        "NotFound",
        "is the URL right?",
    ),
    (
        "a right that is missing",
        403,
        JSON,
        r#"{"message":"Access Denied: dev needs the following permission(s) on the resource PublisherSecurity/1 to perform this action: Edit Subscription"}"#,
        "Forbidden",
        "Edit Subscription",
    ),
    (
        "a proxy that wants its own headers",
        403,
        PROXY,
        "<title>Forbidden ・ Cloudflare Access</title>",
        "Forbidden",
        "a proxy in front of it",
    ),
    (
        "a proxy that wants a sign-in",
        302,
        &[("location", "https://team.cloudflareaccess.com/cdn-cgi/access/login/tfs.example")],
        "",
        "Forbidden",
        "a proxy in front of it wants a sign-in at team.cloudflareaccess.com",
    ),
    (
        "an unknown input",
        400,
        JSON,
        r#"{"message":"Unknown input.","typeKey":"SubscriptionInputException"}"#,
        "Refused",
        "Unknown input.",
    ),
    ("a method that is not taken", 405, JSON, r#"{"message":"No POST."}"#, "Refused", "No POST."),
    ("a conflict", 409, JSON, "{}", "Refused", "refuses the request"),
    (
        "too much is asked",
        429,
        &[("retry-after", "33"), ("content-type", "application/json")],
        r#"{"message":"TF400733: The request has been canceled: Request was blocked due to exceeding usage."}"#,
        "Throttled",
        "33 s",
    ),
    ("too much is asked, without a time", 429, &[], "", "Throttled", "120 s"),
    (
        "an organization that is stopped",
        503,
        JSON,
        "\u{feff}{\"message\":\"TF24668: The collection is stopped.\"}",
        "Unavailable",
        "TF24668",
    ),
    ("a gateway without its server", 502, HTML, "<title>502 Bad Gateway</title>", "Unavailable", "502 Bad Gateway"),
    ("maintenance", 503, HTML, "<title>We'll be back soon</title>", "Unavailable", "back soon"),
    ("a gateway that waited", 504, &[], "", "Unavailable", "504"),
    ("an error inside", 500, JSON, r#"{"message":"An internal error has occurred."}"#, "Unavailable", "internal error"),
    ("a server that gave up", 408, &[], "", "Unavailable", "gave up"),
    (
        "another address",
        301,
        &[("location", "https://tfs.example/Coll/_apis/projects")],
        "",
        "Unexpected",
        "redirects to https://tfs.example, which is another server",
    ),
    ("a body that is cut", 200, JSON, r#"{"count":2,"value":[{"id":"#, "Unexpected", "no JSON"),
    ("no body", 200, JSON, "", "Unexpected", "no JSON"),
    ("no list", 200, JSON, r#"{"count":0,"value":{}}"#, "Unexpected", "value is not a list"),
    ("another shape", 200, JSON, r#"{"count":"many","value":{"surprise":true}}"#, "Unexpected", "value is not a list"),
    (
        "ten without an id",
        200,
        JSON,
        r#"{"value":[{},{},{},{},{},{},{},{},{},{}]}"#,
        "Unexpected",
        "id is missing in each",
    ),
    ("text", 200, TEXT, "hello", "Unexpected", "text/plain"),
    ("no type at all", 200, &[], "hello", "Unexpected", "without a content type"),
    ("a page with an error status", 418, HTML, "<title>Teapot</title>", "Unexpected", "Teapot"),
];

/// How a credential is refused, and by which words it can be told.
const REFUSALS: [Case; 9] = [
    ("the sign-in page", 203, HTML, "<title>Azure DevOps Services | Sign In</title>", "Unauthorized", ""),
    (
        "the sign-in page as a good answer",
        200,
        HTML,
        "<title>Sign in to your account</title>",
        "Unauthorized",
        "Sign in",
    ),
    ("a page that says nothing", 200, &[("content-type", "text/html")], "Hello.", "Unauthorized", "web page"),
    (
        "the way to the sign-in page",
        302,
        &[("location", "https://spsprodeus1.vssps.visualstudio.com/_signin?realm=dev.azure.com")],
        "",
        "Unauthorized",
        "",
    ),
    ("a way to nowhere", 302, &[], "", "Unauthorized", ""),
    ("a bare 401", 401, CHALLENGE, "", "Unauthorized", ""),
    ("a 401 with an empty list", 401, JSON, r#"{"count":0,"value":[]}"#, "Unauthorized", ""),
    (
        "a 401 of a Server",
        401,
        &[("content-type", "text/html"), ("www-authenticate", "Negotiate")],
        "401",
        "Unauthorized",
        "",
    ),
    (
        "an expired token",
        401,
        &[("x-tfs-serviceerror", "Access%20Denied%3A%20The%20Personal%20Access%20Token%20used%20has%20expired.")],
        "",
        "Unauthorized",
        "has expired",
    ),
];

fn variant(failure: &Failure) -> String {
    format!("{failure:?}").split([' ', '{', '(']).next().unwrap().to_owned()
}

fn check(case: &Case, failure: &Failure) {
    let (what, _, _, _, expected, words) = case;
    assert_eq!(variant(failure), *expected, "{what}: {failure:?}");
    assert!(failure.to_string().contains(words), "{what}: {failure}");
    assert!(!failure.to_string().contains('\n') && failure.to_string().chars().count() < 500, "{what}: {failure}");
}

#[tokio::test]
async fn each_answer_is_told_as_what_it_is() {
    for case in &ANSWERS {
        let (_, status, headers, body, ..) = *case;
        let server = Scripted::start(move |_| reply(status, headers, body)).await;
        let failure = client(&access(&server.origin)).projects(first(10)).await.unwrap_err();
        check(case, &failure);
        let attempts = server.count("GET", "/_apis/projects");
        let again = failure.to_string().contains("cannot answer now") && !failure.to_string().contains("TF24668");
        assert_eq!(attempts, if again { 3 } else { 1 }, "{}", case.0);
    }
}

#[tokio::test]
async fn a_refused_credential_is_told_and_not_repeated() {
    for case in &REFUSALS {
        let (what, status, headers, body, ..) = *case;
        let server = Scripted::all(move |_| reply(status, headers, body)).await;
        let failure = client(&access(&server.origin)).projects(first(10)).await.unwrap_err();
        check(case, &failure);
        assert_eq!(server.asked().len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_refusal_while_the_credential_is_good_is_one_of_its_scopes() {
    for case in &REFUSALS {
        let (what, status, headers, body, ..) = *case;
        if what == "an expired token" {
            continue;
        }
        let server = Scripted::start(move |_| reply(status, headers, body)).await;
        let failure = client(&access(&server.origin)).pipelines("Fabrikam", first(10)).await.unwrap_err();
        assert_eq!(variant(&failure), "Forbidden", "{what}: {failure}");
        assert!(failure.to_string().contains("its scopes do not cover pipelines"), "{what}: {failure}");
    }
}

#[tokio::test]
async fn a_token_that_is_taken_for_nobodys_is_refused() {
    let anonymous = |asked: &Asked| {
        if asked.is("GET", "/_apis/connectionData") {
            connection_data("hosted", 0xaaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa_aaaa)
        } else {
            usual(asked, "7.1").unwrap()
        }
    };
    let server = Scripted::all(anonymous).await;
    let failure = client(&access(&server.origin)).connection_data().await.unwrap_err();
    assert_eq!(variant(&failure), "Unauthorized");
    let nobody = hookwell::azure::client::Access { credential: None, ..access(&server.origin) };
    assert!(client(&nobody).connection_data().await.unwrap().is_anonymous);
}

#[tokio::test]
async fn without_a_credential_the_failure_says_so() {
    let server = Scripted::all(|_| reply(401, &[], "")).await;
    let nobody = hookwell::azure::client::Access { credential: None, ..access(&server.origin) };
    let failure = client(&nobody).projects(first(10)).await.unwrap_err();
    assert!(failure.to_string().contains("none was sent"), "{failure}");
}

#[tokio::test]
async fn an_activity_id_is_kept_to_find_the_call_at_azure() {
    let id = "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c";
    let headers = [("content-type", "application/json"), ("activityid", id)];
    let server = Scripted::start(move |_| reply(200, &headers, "{}")).await;
    let failure = client(&access(&server.origin)).projects(first(10)).await.unwrap_err();
    let Failure::Unexpected { activity_id, .. } = failure else { panic!("{failure:?}") };
    assert_eq!(activity_id.as_deref(), Some(id));
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_read_to_its_end() {
    let server = Scripted::start(|_| {
        let body = format!("{{\"value\":[\"{}\"]}}", "x".repeat(17 * 1024 * 1024));
        reply(200, JSON, body)
    })
    .await;
    let failure = client(&access(&server.origin)).projects(first(10)).await.unwrap_err();
    assert!(failure.to_string().contains("more than 16 MiB"), "{failure}");
}

#[tokio::test]
async fn no_failure_repeats_what_we_sent() {
    // Every answer has everything in it that came with the request, in every place that a failure is made from.
    let echo = |asked: &Asked| -> Say {
        let sent: BTreeMap<&str, &str> =
            asked.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let all = format!("{sent:?} {}", asked.body).replace(['"', '\\'], "'");
        let status: u16 = asked.path.rsplit('/').next().unwrap().parse().unwrap_or(500);
        let title = format!("<title>{all}</title>");
        match status {
            302 => {
                let location = format!("https://sso.example/login/{}", asked.header("x-secret"));
                reply(302, &[("location", location.as_str())], "")
            }
            301 => reply(301, &[("location", &format!("https://{}.example/", asked.header("x-secret")))], ""),
            418 | 200 | 203 => reply(status, HTML, title),
            404 => reply(404, &[("x-tfs-serviceerror", all.as_str())], ""),
            405 => reply(405, TEXT, all),
            _ => reply(status, JSON, serde_json::json!({ "message": all, "typeKey": all }).to_string()),
        }
    };
    let server = Scripted::start(echo).await;
    let access = hookwell::azure::client::Access {
        headers: vec![("X-Secret".to_owned(), secret("planted-header"))],
        ..access(&server.origin)
    };
    let client = client(&access);
    for status in [200, 203, 301, 302, 400, 401, 403, 404, 405, 409, 418, 500, 502, 503] {
        let failure = client.project(&status.to_string()).await.unwrap_err();
        let text = format!("{failure:?} {failure}");
        assert!(!text.contains("planted"), "{status}: {text}");
        assert!(!text.contains("OnBsYW50ZWQt"), "{status}: {text}");
    }
    let draft = hookwell::azure::client::SubscriptionDraft {
        publisher: "tfs".into(),
        event_type: "git.push".into(),
        resource_version: "1.0".into(),
        publisher_inputs: BTreeMap::new(),
        consumer_inputs: BTreeMap::new(),
        password: secret("planted-password"),
    };
    let failure = client.create_subscription(&draft).await.unwrap_err();
    assert!(format!("{failure}").contains("[hidden]"), "{failure}");
    let all = format!("{failure:?} {failure} {draft:?} {access:?} {:?}", Credential::Pat(secret(PAT)));
    assert!(!all.contains("planted"), "{all}");
}
