//! The few forms of a good reply.

use super::{
    extract::Call,
    problem::{Kind, Problem},
};
use crate::{
    app::change::Precondition,
    store::{Log, Position},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::fmt::Write as _;
use warp::{Reply as _, reply::Response};

/// Longest list of entity tags.
const TAGS_CHARS_MAX: usize = 1_000;

/// 200 with JSON.
pub fn json(body: &impl Serialize) -> Response {
    warp::reply::json(body).into_response()
}

/// JSON bytes that are already there.
pub fn raw_json(body: Vec<u8>, media_type: &'static str) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// 201, with where it is; not to be kept by anybody on the way, because it may show a secret.
pub fn created(location: &str, body: Vec<u8>, version: Option<u64>) -> Response {
    let mut response = raw_json(body, "application/json");
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    match version {
        Some(version) => tagged(version, response),
        None => response,
    }
}

/// 201 with a view that shows no secret.
pub fn made(location: &str, version: u64, view: &impl Serialize) -> Response {
    let mut response = tagged(version, json(view));
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// Not to be kept by anybody on the way.
pub fn secret(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 204.
pub fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

/// With the resource's strong `ETag`.
pub fn tagged(version: u64, mut response: Response) -> Response {
    response.headers_mut().insert(header::ETAG, etag(version));
    response
}

/// The resource, or 304 when the client has this version.
pub fn resource(call: &Call, version: u64, body: &impl Serialize) -> Result<Response, Problem> {
    let current = etag(version);
    let known = match tags(call, header::IF_NONE_MATCH)? {
        None => false,
        Some(Tags::Any) => true,
        // Compared weakly, as RFC 9110 wants it here.
        Some(Tags::These(tags)) => tags.iter().any(|tag| tag.trim_start_matches("W/").as_bytes() == current.as_bytes()),
    };
    let response = if known { StatusCode::NOT_MODIFIED.into_response() } else { json(body) };
    Ok(tagged(version, response))
}

/// What a header of entity tags says.
enum Tags<'a> {
    Any,
    These(Vec<&'a str>),
}

fn tags(call: &Call, name: HeaderName) -> Result<Option<Tags<'_>>, Problem> {
    let Some(value) = call.headers.get(&name) else { return Ok(None) };
    let is_tag = |tag: &&str| {
        let quoted = tag.trim_start_matches("W/").strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        quoted.is_some_and(|inner| inner.bytes().all(|b| b.is_ascii_graphic() && b != b'"'))
    };
    match value.to_str().map(str::trim) {
        Ok("*") => Ok(Some(Tags::Any)),
        Ok(text) if text.len() <= TAGS_CHARS_MAX && text.split(',').map(str::trim).all(|tag| is_tag(&tag)) => {
            Ok(Some(Tags::These(text.split(',').map(str::trim).collect())))
        }
        _ => Err(Problem::because(
            Kind::BadRequest,
            format!("{name} must be * or ETags in quotes, at most {TAGS_CHARS_MAX} characters"),
        )),
    }
}

fn etag(version: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).expect("a quoted number is a header value")
}

/// `If-Match`; `*` means any version. A tag that is not one of ours matches nothing.
pub fn if_match(call: &Call) -> Result<Option<Precondition>, Problem> {
    let version = |tag: &&str| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Ok(tags(call, header::IF_MATCH)?.map(|tags| match tags {
        Tags::Any => Precondition::None,
        Tags::These(tags) => Precondition::Versions(tags.iter().filter_map(version).collect()),
    }))
}

/// `If-Match` where a change without it would overwrite somebody else's.
pub fn if_match_required(call: &Call) -> Result<Precondition, Problem> {
    if_match(call)?.ok_or_else(|| {
        Problem::because(Kind::PreconditionRequired, "send If-Match with the ETag that GET gave, or If-Match: *")
    })
}

/// With `Link: <…>; rel="next"`: the same request, going on after `next`.
pub fn linked(call: &Call, log: Log, next: Position, mut response: Response) -> Response {
    let mut target = format!("{}?after={}", call.path, super::cursor::encode(log, next));
    for (name, value) in call.parameters().filter(|(name, _)| name != "after" && name != "wait") {
        let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let _ = write!(target, "&{name}={value}");
    }
    if let Ok(link) = HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}
