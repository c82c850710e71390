//! Which failure an answer is: pure, and the one place that knows how Azure DevOps, and what stands before it, say no.
//!
//! Source: the contract's §f.1, §g.2, §g.3. Status codes alone do not do: a dead token is a 203 with a web page, a
//! redirect or a 401; a stopped organization is a 503 with a BOM; a proxy refuses in its own words.

use super::{
    Failure, Unreachable,
    answer::{Answer, EXPIRED, activity_id},
};
use http::{StatusCode, header};
use std::time::Duration;
use url::{Host, Url};

/// The wait after a 429 that names none.
const WAIT_UNSAID: Duration = Duration::from_mins(2);
/// The code of a request that was blocked for asking too much.
const BLOCKED: &str = "TF400733";
/// Words of Azure's sign-in pages, in lower case.
const SIGN_IN: [&str; 6] = [
    "_signin",
    "login.microsoftonline.com",
    "login.live.com",
    "sign in to your",
    "azure devops services | sign in",
    "/_login",
];

/// The failure that an answer is; `None` for one whose body can be read.
pub(super) fn classify(answer: &Answer<'_>) -> Option<Failure> {
    let status = answer.status;
    if status.is_success() && status != StatusCode::NON_AUTHORITATIVE_INFORMATION && answer.is_json_or_empty() {
        return None;
    }
    let (kind, detail) = answer.error();
    let says = |word: &str| detail.as_deref().is_some_and(|detail| detail.contains(word));
    if says(BLOCKED) || status == StatusCode::TOO_MANY_REQUESTS {
        return Some(Failure::Throttled { wait: answer.retry_after.unwrap_or(WAIT_UNSAID) });
    }
    if says(EXPIRED) {
        return Some(Failure::Unauthorized { detail });
    }
    Some(match status.as_u16() {
        203 | 401 => answer.unauthorized(detail),
        200..=299 => answer.not_json(),
        300..=399 => answer.redirect(),
        403 => answer.forbidden(detail),
        404 => answer.not_found(detail),
        407 => Failure::Unreachable {
            at: Unreachable::Proxy,
            detail: "the proxy wants to know who we are; give its URL with user name and password".to_owned(),
        },
        408 => {
            Failure::Unavailable { detail: detail.or_else(|| Some("it gave up waiting for the request".to_owned())) }
        }
        400..=499 if answer.is_html() => answer.unexpected(&answer.page("answers")),
        400..=499 | 501 | 505 => Failure::Refused { kind, detail },
        _ => Failure::Unavailable { detail: Some(answer.later(detail)) },
    })
}

impl Answer<'_> {
    fn unexpected(&self, detail: &str) -> Failure {
        let detail = self.redaction.said(detail).unwrap_or_default();
        Failure::Unexpected { detail, activity_id: activity_id(self.headers) }
    }

    fn unauthorized(&self, detail: Option<String>) -> Failure {
        let none = (!self.had_credential).then(|| "none was sent, and this is not public".to_owned());
        Failure::Unauthorized { detail: none.or(detail) }
    }

    /// A sign-in of something that stands before Azure DevOps.
    fn gate(&self) -> Failure {
        let detail = format!(
            "a proxy in front of it does: {}; give the headers that it wants with the connection",
            self.page("answered")
        );
        Failure::Forbidden { permission: None, detail: Some(detail) }
    }

    fn not_json(&self) -> Failure {
        if !self.is_html() {
            let media_type = self.media_type();
            let named = if media_type.is_empty() { "without a content type" } else { media_type };
            return self.unexpected(&format!("a body that is no JSON, but {named}"));
        }
        let text = String::from_utf8_lossy(self.head).to_ascii_lowercase();
        let signs_in = SIGN_IN.iter().any(|word| text.contains(word));
        if self.is_cloudflare() && !self.is_azures() && !signs_in {
            return self.gate();
        }
        // Azure answers a dead token with a page and 200 too; what other pages say, their title tells best.
        self.unauthorized(Some(self.page("answered")))
    }

    fn redirect(&self) -> Failure {
        let Some(location) = self.header(header::LOCATION.as_str()) else { return self.unauthorized(None) };
        let Ok(url) = Url::parse(location) else { return self.unauthorized(None) };
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let path = url.path().to_ascii_lowercase();
        if is_of_azure(&host) || path.contains("_signin") || path.contains("/_login") {
            return self.unauthorized(None);
        }
        if path.contains("login") || path.contains("access") || path.contains("auth") || path.contains("sso") {
            let host = self.redaction.said(&host).unwrap_or_default();
            let detail = format!(
                "a proxy in front of it wants a sign-in at {host}; give the headers that it wants with the connection"
            );
            return Failure::Forbidden { permission: None, detail: Some(detail) };
        }
        let to = url.origin().ascii_serialization();
        if is_at_home(self.asked, &url) {
            return self.unexpected(&format!("it redirects to {to}; give that as the URL"));
        }
        // Whoever answers may send anywhere, and who follows such advice takes the token along.
        self.unexpected(&format!(
            "it redirects to {to}, which is another server; it was not followed, and no credential was sent there"
        ))
    }

    fn forbidden(&self, detail: Option<String>) -> Failure {
        if detail.is_none() && !self.is_azures() {
            return self.gate();
        }
        let permission = detail.as_deref().and_then(permission);
        let page = || self.is_html().then(|| self.page("answered"));
        Failure::Forbidden { permission, detail: detail.or_else(page) }
    }

    fn not_found(&self, detail: Option<String>) -> Failure {
        let page = || self.is_html().then(|| format!("{}; is the URL right?", self.page("answered")));
        Failure::NotFound { detail: detail.or_else(page) }
    }

    fn later(&self, detail: Option<String>) -> String {
        let status = self.status.as_u16();
        let said = detail.or_else(|| self.is_html().then(|| self.page("answered")));
        let said = said.unwrap_or_else(|| format!("status {status}"));
        match self.retry_after {
            Some(wait) => format!("{said} (it asks to wait {} s)", wait.as_secs()),
            None => said,
        }
    }
}

/// Whether a redirect stays with whom the credential was given for: the same host or one below it, and not without the
/// encryption that it was asked with. Hosts beside it are others': without a list of public suffixes nobody can tell
/// `tfs.example.com` and `www.example.com` from `one.github.io` and `other.github.io`.
fn is_at_home(asked: &Url, to: &Url) -> bool {
    let stays = match (asked.host(), to.host()) {
        (Some(Host::Domain(asked)), Some(Host::Domain(to))) => is_within(to, asked),
        (asked, to) => asked.is_some() && asked == to,
    };
    stays && matches!((asked.scheme(), to.scheme()), ("http" | "https", "https") | ("http", "http"))
}

/// Whether it is one of the hosts at which Azure DevOps has people sign in.
fn is_of_azure(host: &str) -> bool {
    let azures = ["visualstudio.com", "dev.azure.com", "microsoftonline.com", "live.com", "microsoftonline.us"];
    azures.iter().any(|domain| is_within(host, domain))
}

/// Whether a host is this domain or below it.
pub(super) fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// The permission that a refusal names.
fn permission(message: &str) -> Option<String> {
    let quoted = |text: &str| text.split('\'').nth(1).map(str::to_owned);
    let named = match message.split_once("to perform this action:") {
        Some((_, action)) => Some(action.trim().trim_end_matches('.').to_owned()),
        // TF401027: You need the Git 'GenericContribute' permission to perform this action.
        None => message.split_once("You need the ").and_then(|(_, rest)| quoted(rest)),
    };
    named.filter(|name| !name.is_empty() && name.len() <= 100)
}

#[cfg(test)]
mod tests {
    use super::{super::redaction::Redaction, *};

    type Headers = &'static [(&'static str, &'static str)];

    const JSON: Headers = &[("content-type", "application/json; charset=utf-8; api-version=7.1")];
    const HTML: Headers = &[("content-type", "text/html; charset=utf-8"), ("x-tfs-processid", "1")];
    const STRANGERS: Headers = &[("content-type", "text/html"), ("server", "cloudflare"), ("cf-ray", "1")];
    const TEXT: Headers = &[("content-type", "text/plain; charset=utf-8")];

    fn failure(status: u16, headers: Headers, body: &str) -> Option<Failure> {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let mut redaction = Redaction::default();
        redaction.add("planted-secret");
        let retry_after = super::super::limits::Limits::read(&headers, jiff::Timestamp::UNIX_EPOCH).retry_after;
        classify(&Answer {
            status: StatusCode::from_u16(status).unwrap(),
            asked: &Url::parse("https://tfs.example/Coll/_apis/projects").unwrap(),
            headers: &headers,
            head: body.as_bytes(),
            had_credential: true,
            retry_after,
            redaction: &redaction,
        })
    }

    /// The variant and what a person would read.
    fn read(status: u16, headers: Headers, body: &str) -> String {
        let failure = failure(status, headers, body).unwrap();
        let debug = format!("{failure:?}");
        assert!(!debug.contains("planted-secret"), "{debug}");
        let variant = debug.split([' ', '{', '(']).next().unwrap().to_owned();
        format!("{variant}: {failure}")
    }

    #[test]
    fn an_answer_in_json_or_without_a_body_is_no_failure() {
        for (status, headers, body) in
            [(200, JSON, "{}"), (201, JSON, "{}"), (204, &[], ""), (200, &[("content-type", "text/json")], "[]")]
        {
            assert_eq!(failure(status, headers, body), None, "{status}");
        }
    }

    #[test]
    fn every_way_to_refuse_a_credential_is_unauthorized() {
        let expired = r#"{"$id":"1","message":"Access Denied: The Personal Access Token used has expired.",
            "typeKey":"AccessCheckException"}"#;
        let service_error: Headers =
            &[("x-tfs-serviceerror", "Access+Denied%3A+The+Personal+Access+Token+used+has+expired.")];
        for (status, headers, body) in [
            (203, HTML, "<html><title>Azure DevOps Services | Sign In</title>"),
            (302, &[("location", "https://spsprodeus1.vssps.visualstudio.com/_signin?realm=dev.azure.com")], ""),
            (302, &[("location", "/_signin?targetUrl=x")], ""),
            (302, &[], ""),
            (401, &[], ""),
            (401, JSON, r#"{"count":0,"value":[]}"#),
            (401, JSON, expired),
            (403, JSON, expired),
            (401, service_error, ""),
            (200, HTML, "<html><head><title>Sign in to your account</title>"),
        ] {
            let read = read(status, headers, body);
            assert!(read.starts_with("Unauthorized: "), "{status} {body}: {read}");
            assert_eq!(
                read.contains("has expired"),
                body == expired || !headers.is_empty() && headers == service_error
            );
        }
    }

    #[test]
    fn what_is_forbidden_says_by_whom_and_names_the_permission() {
        let denied = r#"{"message":"Access Denied: dev needs the following permission(s) on the resource PublisherSecurity/6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c to perform this action: Edit Subscription"}"#;
        let Some(Failure::Forbidden { permission, detail }) = failure(403, JSON, denied) else { panic!() };
        assert_eq!(permission.as_deref(), Some("Edit Subscription"));
        assert!(detail.unwrap().contains("PublisherSecurity/6ce954b1"));
        let git = r#"{"message":"TF401027: You need the Git 'GenericContribute' permission to perform this action."}"#;
        let Some(Failure::Forbidden { permission, .. }) = failure(403, JSON, git) else { panic!() };
        assert_eq!(permission.as_deref(), Some("GenericContribute"));
        for (status, headers, body) in [
            (403, STRANGERS, "<title>Attention Required! | Cloudflare</title>"),
            (200, STRANGERS, "<title>Sign in ・ Cloudflare Access</title>"),
            (302, &[("location", "https://team.cloudflareaccess.com/cdn-cgi/access/login/x?kid=planted-secret")], ""),
        ] {
            let read = read(status, headers, body);
            assert!(read.starts_with("Forbidden: ") && read.contains("a proxy in front of it"), "{read}");
        }
    }

    #[test]
    fn a_redirect_is_named_and_nobody_is_invited_to_take_the_token_elsewhere() {
        let asked = |asked: &str, to: &str| {
            let headers = [(header::LOCATION, to.parse().unwrap())].into_iter().collect();
            let redaction = Redaction::default();
            let answer = Answer {
                status: StatusCode::FOUND,
                asked: &Url::parse(asked).unwrap(),
                headers: &headers,
                head: b"",
                had_credential: true,
                retry_after: None,
                redaction: &redaction,
            };
            classify(&answer).unwrap().to_string()
        };
        for (from, to) in [
            ("http://tfs.example/Coll", "https://tfs.example/tfs/Coll"),
            ("http://tfs.example:8080/Coll", "http://tfs.example/Coll"),
            ("https://example.com/Coll", "https://tfs.example.com/Coll"),
            ("http://10.0.0.1:8080/Coll", "https://10.0.0.1/Coll"),
        ] {
            let origin = Url::parse(to).unwrap().origin().ascii_serialization();
            assert!(
                asked(from, to).ends_with(&format!("it redirects to {origin}; give that as the URL")),
                "{from} {to}"
            );
        }
        for (from, to) in [
            ("https://tfs.example/Coll", "http://169.254.169.254/latest"),
            ("https://tfs.example/Coll", "http://tfs.example/Coll"),
            ("https://tfs.example/Coll", "https://tfs.example.evil.example/Coll"),
            ("https://tfs.example/Coll", "https://eviltfs.example/Coll"),
            ("https://tfs.example.com/Coll", "https://example.com/Coll"),
            ("https://tfs.example.com/Coll", "https://www.example.com/Coll"),
            ("http://10.0.0.1/Coll", "http://10.0.0.10/Coll"),
            ("https://tfs.example/Coll", "ftp://tfs.example/Coll"),
            ("https://dev.azure.com/x", "https://evildev.azure.com.example/x"),
        ] {
            let said = asked(from, to);
            let host = Url::parse(to).unwrap().host_str().unwrap().to_owned();
            assert!(said.contains(&host) && said.contains("another server"), "{said}");
            assert!(!said.contains("give"), "{said}");
        }
    }

    #[test]
    fn each_other_answer_has_its_failure() {
        let gone = r#"{"message":"TF200016: The following project does not exist: X.",
            "typeKey":"ProjectDoesNotExistWithNameException","errorCode":0,"eventId":3000}"#;
        let blocked = r#"{"message":"TF400733: The request has been canceled: Request was blocked."}"#;
        let stopped = "\u{feff}{\"message\":\"TF24668: The following team project collection is stopped.\"}";
        let echo = r#"{"message":"Bad header planted-secret","typeKey":"VssRequestException"}"#;
        let moved: Headers = &[("location", "https://tfs.example/tfs/Coll/_apis/projects")];
        for (status, headers, body, expected) in [
            (
                404,
                JSON,
                gone,
                "NotFound: Azure DevOps does not know this, or does not show it: TF200016: The following",
            ),
            (404, TEXT, "The controller for path '/x' was not found", "NotFound: Azure DevOps does not know this, or"),
            (
                404,
                HTML,
                "<title>404</title>",
                "NotFound: Azure DevOps does not know this, or does not show it: something",
            ),
            (400, JSON, echo, "Refused: Azure DevOps refuses the request: Bad header [hidden]"),
            (409, JSON, "{}", "Refused: Azure DevOps refuses the request"),
            (405, HTML, "<title>No</title>", "Unexpected: the answer is not what Azure DevOps documents: something"),
            (407, &[], "", "Unreachable: the proxy wants to know who we are"),
            (408, &[], "", "Unavailable: Azure DevOps cannot answer now: it gave up waiting"),
            (429, &[("retry-after", "17")], blocked, "Throttled: Azure DevOps asks to wait 17 s"),
            (429, &[], "", "Throttled: Azure DevOps asks to wait 120 s"),
            (503, JSON, blocked, "Throttled: Azure DevOps asks to wait 120 s"),
            (500, JSON, r#"{"message":"Oops"}"#, "Unavailable: Azure DevOps cannot answer now: Oops"),
            (501, &[], "", "Refused: "),
            (
                502,
                HTML,
                "<title>Bad Gateway</title>",
                "Unavailable: Azure DevOps cannot answer now: something answered",
            ),
            (503, JSON, stopped, "Unavailable: Azure DevOps cannot answer now: TF24668"),
            (
                503,
                &[("retry-after", "60")],
                "",
                "Unavailable: Azure DevOps cannot answer now: status 503 (it asks to wait 60",
            ),
            (504, &[], "", "Unavailable: Azure DevOps cannot answer now: status 504"),
            (
                301,
                moved,
                "",
                "Unexpected: the answer is not what Azure DevOps documents: it redirects to https://tfs.example;",
            ),
            (
                200,
                TEXT,
                "hello",
                "Unexpected: the answer is not what Azure DevOps documents: a body that is no JSON, but text",
            ),
        ] {
            let read = read(status, headers, body);
            assert!(read.starts_with(expected), "{status} {body}: {read}");
        }
    }
}
