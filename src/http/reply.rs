//! The few forms of a good reply.

use super::{
    extract::Call,
    problem::{Kind, Problem},
};
use crate::app::change::Precondition;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use std::{fmt::Write as _, time::Duration};
use warp::{Reply as _, reply::Response};

/// All replies of lists, and pieces of streams, that are in memory because nobody took them yet.
pub(super) const REPLIES_BYTES_MAX: usize = 64 << 20;
/// When a reader should try again that found no room for its reply.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Longest list of entity tags.
const TAGS_CHARS_MAX: usize = 1_000;

/// 200 with JSON.
pub fn json(body: &impl Serialize) -> Response {
    warp::reply::json(body).into_response()
}

/// JSON that may be large, as long as readers leave room for it.
pub fn large_json(call: &Call, body: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|error| Problem::internal(error.to_string()))?;
    large_raw_json(call, bytes, "application/json")
}

/// The same of bytes that are already there.
pub fn large_raw_json(call: &Call, bytes: Vec<u8>, media_type: &'static str) -> Result<Response, Problem> {
    let kept = call.surface.replies.keep(call.reader(), bytes);
    let no_room = |_| {
        let detail = "too much that was asked for is not taken yet; take it, or ask for less and again";
        Problem::unavailable(detail, RETRY_AFTER)
    };
    Ok(raw_json(kept.map_err(no_room)?, media_type))
}

/// JSON bytes that are already there.
pub fn raw_json(body: impl Into<Bytes>, media_type: &'static str) -> Response {
    let mut response = Response::new(body.into().into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// What an entity tag says: the resource's version, and that of what is shown beside it.
///
/// `If-Match` compares the first alone. That a background check found something else is no reason to refuse a change of
/// the resource, but a reader who asks with `If-None-Match` wants to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    version: u64,
    beside: u64,
}

impl From<u64> for Tag {
    fn from(version: u64) -> Self {
        Self { version, beside: 0 }
    }
}

impl Tag {
    /// With something beside the resource that changes by itself.
    pub fn beside(version: u64, beside: Option<u64>) -> Self {
        Self { version, beside: beside.unwrap_or(0) }
    }

    fn value(self) -> HeaderValue {
        let Self { version, beside } = self;
        let text = if beside == 0 { format!("\"{version}\"") } else { format!("\"{version}.{beside}\"") };
        HeaderValue::from_str(&text).expect("quoted numbers are a header value")
    }
}

/// 201, with where it is; not to be kept by anybody on the way, because it may show a secret.
pub fn created(location: &str, body: Vec<u8>, tag: Option<Tag>) -> Response {
    let mut response = raw_json(body, "application/json");
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(header::LOCATION, location);
    }
    match tag {
        Some(tag) => tagged(tag, response),
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

/// 202: it is begun, and can be watched.
pub fn accepted(view: &impl Serialize) -> Response {
    let mut response = json(view);
    *response.status_mut() = StatusCode::ACCEPTED;
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
pub fn tagged(tag: impl Into<Tag>, mut response: Response) -> Response {
    response.headers_mut().insert(header::ETAG, tag.into().value());
    response
}

/// The resource, or 304 when the client has this version.
pub fn resource(call: &Call, tag: impl Into<Tag>, body: &impl Serialize) -> Result<Response, Problem> {
    let tag = tag.into();
    let known = none_match(call)?.is_some_and(|tags| tags.name(tag));
    let response = if known { StatusCode::NOT_MODIFIED.into_response() } else { json(body) };
    Ok(tagged(tag, response))
}

/// `If-None-Match`.
pub fn none_match(call: &Call) -> Result<Option<Tags<'_>>, Problem> {
    tags(call, header::IF_NONE_MATCH)
}

/// What a header of entity tags says.
pub enum Tags<'a> {
    /// `*`.
    Any,
    /// A list.
    These(Vec<&'a str>),
}

impl Tags<'_> {
    /// Whether this version is among them, compared weakly, as RFC 9110 wants it for `If-None-Match`.
    pub fn name(&self, tag: impl Into<Tag>) -> bool {
        match self {
            Self::Any => true,
            Self::These(tags) => {
                let current = tag.into().value();
                tags.iter().any(|tag| tag.trim_start_matches("W/").as_bytes() == current.as_bytes())
            }
        }
    }
}

/// Lenient about what is between the commas: what is not one of our tags matches nothing, which is an answer too.
fn tags(call: &Call, name: HeaderName) -> Result<Option<Tags<'_>>, Problem> {
    let Some(value) = call.headers.get(&name) else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    if !(1..=TAGS_CHARS_MAX).contains(&text.chars().count()) {
        let detail = format!("{name} must be * or ETags, 1 to {TAGS_CHARS_MAX} characters");
        return Err(Problem::because(Kind::BadRequest, detail));
    }
    Ok(Some(match value.to_str().unwrap_or_default().trim() {
        "*" => Tags::Any,
        text => Tags::These(text.split(',').map(str::trim).collect()),
    }))
}

/// `If-Match`; `*` means any version. A tag that is not one of ours matches nothing.
pub fn if_match(call: &Call) -> Result<Option<Precondition>, Problem> {
    let version = |tag: &&str| {
        let text = tag.strip_prefix('"')?.strip_suffix('"')?;
        text.split_once('.').map_or(text, |(version, _)| version).parse().ok()
    };
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

/// With `Link: <…>; rel="next"`: the same request, going on after the cursor `next`.
pub fn linked(call: &Call, next: &str, mut response: Response) -> Response {
    let mut target = format!("{}?after={next}", call.path);
    for (name, value) in call.parameters().filter(|(name, _)| !matches!(&**name, "after" | "wait" | "refresh")) {
        let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let _ = write!(target, "&{name}={value}");
    }
    if let Ok(link) = HeaderValue::from_str(&format!("<{target}>; rel=\"next\"")) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}
