//! What an answer means: pure, from its status, headers and body.
//!
//! Azure DevOps says "sign in" in four ways (401, 203, a redirect, a page with 200), "too much" in three, and has errors in
//! JSON, plain text and HTML, some behind a byte order mark.
//! Source: azure-devops-docs, "Rate and usage limits"; recorded answers of Services and Server.

use super::Failure;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::time::Duration;

/// Most characters that are kept of what Azure said.
const DETAIL_CHARS_MAX: usize = 300;
/// How long to wait when Azure wants us to and does not say how long: beyond the window that it limits.
const THROTTLED_WAIT: Duration = Duration::from_mins(6);
/// Longest wait that is believed.
const WAIT_MAX: Duration = Duration::from_hours(1);
/// Before the action that a permission allows.
const ACTION: &str = "to perform this action: ";

/// Azure's error body; every member can be missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ErrorBody {
    message: Option<String>,
    type_key: Option<String>,
}

/// Why this answer is none, or `None` when it is one: 2xx and JSON, or 2xx without a body.
pub(super) fn classify(status: u16, headers: &HeaderMap, body: &[u8]) -> Option<Failure> {
    let is_json = is_json(headers);
    let error: ErrorBody =
        if is_json { serde_json::from_slice(without_mark(body)).unwrap_or_default() } else { ErrorBody::default() };
    let detail = error.message.clone().or_else(|| service_error(headers)).or_else(|| plain_text(headers, body));
    let detail = detail.as_deref().and_then(one_line);
    Some(match status {
        200..=299 if status != 203 && (is_json || body.is_empty()) => return None,
        // A page where JSON was asked for is the sign-in page, whatever its status.
        200..=399 | 401 => Failure::Unauthorized { detail },
        403 if is_json || service_error(headers).is_some() => {
            Failure::Forbidden { permission: detail.as_deref().and_then(permission), detail }
        }
        403 => Failure::Forbidden {
            permission: None,
            detail: Some("403 and a page that is not Azure DevOps's: something in front of it refuses".to_owned()),
        },
        404 | 410 => Failure::NotFound { detail },
        429 => Failure::Throttled { wait: retry_after(headers).unwrap_or(THROTTLED_WAIT) },
        407 => Failure::Unavailable { detail: Some("the proxy wants other credentials (407)".to_owned()) },
        408 | 500..=599 => Failure::Unavailable { detail: detail.or_else(|| Some(format!("status {status}"))) },
        400..=499 => Failure::Refused { kind: error.type_key, detail },
        _ => Failure::Unexpected { detail: format!("status {status}"), activity_id: activity_id(headers) },
    })
}

/// `Retry-After` in seconds; Azure sends it with delayed 200s too.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(WAIT_MAX.as_secs_f64())))
}

/// What finds this exchange on Azure's side.
pub(super) fn activity_id(headers: &HeaderMap) -> Option<String> {
    let one = |name| headers.get(name).and_then(|value| value.to_str().ok()).and_then(one_line);
    one("activityid").or_else(|| one("x-vss-e2eid"))
}

/// The body without a byte order mark.
pub(super) fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The newest version that a server names when it is asked for a newer one.
pub(super) fn latest_version(failure: &Failure) -> Option<&str> {
    let Failure::Refused { kind: Some(kind), detail: Some(detail) } = failure else { return None };
    let (_, rest) = detail.split_once("this server supports is ")?;
    (kind == "VssVersionOutOfRangeException").then(|| rest.trim_end_matches('.').trim())
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

/// `X-TFS-ServiceError`, which is URL-encoded.
fn service_error(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-tfs-serviceerror")?.to_str().ok()?.replace('+', " ");
    Some(percent_decode_str(&text).decode_utf8_lossy().into_owned())
}

fn plain_text(headers: &HeaderMap, body: &[u8]) -> Option<String> {
    let media_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    media_type.starts_with("text/plain").then(|| String::from_utf8_lossy(without_mark(body)).into_owned())
}

/// `Edit Subscription`, of what Azure says to somebody who lacks it.
fn permission(detail: &str) -> Option<String> {
    let (_, action) = detail.rsplit_once(ACTION)?;
    one_line(action.trim_end_matches('.'))
}

fn one_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let line: String = line.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
    const HTML: (&str, &str) = ("content-type", "text/html; charset=utf-8");

    fn failure(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Option<Failure> {
        let headers =
            headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        classify(status, &headers.collect(), body.as_bytes())
    }

    fn unauthorized(detail: Option<&str>) -> Option<Failure> {
        Some(Failure::Unauthorized { detail: detail.map(str::to_owned) })
    }

    #[test]
    fn what_azure_means_by_sign_in_is_unauthorized_however_it_says_it() {
        let expired = "Access Denied: The Personal Access Token used has expired.";
        let body = format!(r#"{{"message":"{expired}","typeKey":"AccessCheckException"}}"#);
        for (status, headers, body, detail) in [
            (203, &[HTML][..], "<html>Sign in</html>", None),
            (302, &[("location", "https://spsprod.vssps.visualstudio.com/_signin")][..], "", None),
            (200, &[HTML][..], "<html>Sign in</html>", None),
            (203, &[JSON][..], "{}", None),
            (401, &[][..], "", None),
            (401, &[JSON][..], r#"{"count":0,"value":[]}"#, None),
            (401, &[JSON][..], &body, Some(expired)),
            (
                401,
                &[HTML, ("x-tfs-serviceerror", "TF400813%3a+You+are+not+authorized")][..],
                "<html>",
                Some("TF400813: You are not authorized"),
            ),
        ] {
            assert_eq!(failure(status, headers, body), unauthorized(detail), "{status} {headers:?}");
        }
    }

    #[test]
    fn the_missing_permission_is_named() {
        let message = "Access Denied: Ana needs the following permission(s) on the resource PublisherSecurity/1 to perform this action: Edit Subscription";
        let body = format!(r#"{{"message":"{message}","typeKey":"AccessCheckException"}}"#);
        let expected =
            Failure::Forbidden { permission: Some("Edit Subscription".into()), detail: Some(message.into()) };
        assert_eq!(failure(403, &[JSON], &body), Some(expected));
        let Some(Failure::Forbidden { permission: None, detail: Some(detail) }) =
            failure(403, &[HTML], "<html>no</html>")
        else {
            panic!("a page of somebody else's");
        };
        assert!(detail.contains("in front of it"));
    }

    #[test]
    fn every_other_status_has_its_meaning() {
        let stopped = "\u{feff}{\"message\":\"TF24668: The following team project collection is stopped: X.\"}";
        let said = |detail: &str| Some(detail.to_owned());
        for (status, headers, body, expected) in [
            (
                404,
                &[JSON][..],
                r#"{"message":"TF200016: no project X"}"#,
                Failure::NotFound { detail: said("TF200016: no project X") },
            ),
            (
                404,
                &[("content-type", "text/plain")][..],
                "The controller for path '/x' was not found",
                Failure::NotFound { detail: said("The controller for path '/x' was not found") },
            ),
            (404, &[HTML][..], "<html>", Failure::NotFound { detail: None }),
            (
                400,
                &[JSON][..],
                r#"{"message":"m","typeKey":"SubscriptionInputException"}"#,
                Failure::Refused { kind: said("SubscriptionInputException"), detail: said("m") },
            ),
            (429, &[("retry-after", "17")][..], "", Failure::Throttled { wait: Duration::from_secs(17) }),
            (429, &[][..], "", Failure::Throttled { wait: THROTTLED_WAIT }),
            (
                503,
                &[JSON][..],
                stopped,
                Failure::Unavailable { detail: said("TF24668: The following team project collection is stopped: X.") },
            ),
            (502, &[HTML][..], "<html>", Failure::Unavailable { detail: said("status 502") }),
            (500, &[JSON][..], r#"{"message":"oops\r\nat line 3"}"#, Failure::Unavailable { detail: said("oops") }),
        ] {
            assert_eq!(failure(status, headers, body), Some(expected), "{status} {body}");
        }
        assert_eq!(failure(200, &[JSON], "{}"), None);
        assert_eq!(failure(204, &[], ""), None);
    }

    #[test]
    fn a_server_that_is_too_old_names_its_newest_version() {
        let message = "The requested REST API version of 7.2 is out of range for this server. The latest REST API version this server supports is 7.1.";
        let refused = |kind: &str| Failure::Refused { kind: Some(kind.into()), detail: Some(message.into()) };
        assert_eq!(latest_version(&refused("VssVersionOutOfRangeException")), Some("7.1"));
        assert_eq!(latest_version(&refused("Other")), None);
    }

    #[test]
    fn a_message_is_one_short_line() {
        let body = format!(r#"{{"message":"{}"}}"#, "x".repeat(5_000));
        let Some(Failure::Refused { detail: Some(detail), .. }) = failure(400, &[JSON], &body) else { panic!() };
        assert_eq!(detail.len(), DETAIL_CHARS_MAX);
    }
}
