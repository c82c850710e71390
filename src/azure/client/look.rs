//! A request and what came back of it, as it is: for who wants to know what the service does, and not what it says.
//!
//! The other calls here take an answer for what Microsoft documents, or for a failure. A survey of a real organization asks
//! where the two differ, so it sees statuses, names of headers and bodies. What holds for every call holds for a look: the
//! connection's origin alone learns the credential, the budget pays, time and size have limits, and a throttled identity
//! waits. It is sent once: that a second attempt would have gone well is not what the service did.

use super::{Failure, Host, call::Call, calls::api, engine::Client, line::Raw, version::not_released_in};
use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::Value;

/// With which api-version something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    /// With the one that is spoken with the server; its preview, where it is only there in preview.
    Agreed,
    /// With none.
    None,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Look {
    /// A name of it for people.
    pub name: &'static str,
    /// How.
    pub method: Method,
    /// On which host.
    pub host: Host,
    /// In which project.
    pub project: Option<String>,
    /// Behind `_apis`.
    pub path: Vec<String>,
    /// Behind the question mark.
    pub query: Vec<(&'static str, String)>,
    /// The body that is sent along.
    pub body: Option<Value>,
    /// The media type of that body.
    pub media_type: &'static str,
    /// With which api-version.
    pub spoken: Spoken,
    /// Without a credential.
    pub as_nobody: bool,
    /// Whether it is a listing that may take a server long.
    pub is_big: bool,
}

/// The form of the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// There is none.
    Empty,
    /// JSON.
    Json,
    /// A web page.
    Page,
    /// Anything else.
    Other,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The status.
    pub status: StatusCode,
    /// The names of the headers, in lower case.
    pub headers: Vec<String>,
    /// `x-ms-continuationtoken`.
    pub continuation: Option<String>,
    /// The form of the body.
    pub media: Media,
    /// The body, where it is JSON.
    pub body: Option<Value>,
}

impl Client {
    pub(super) async fn looked(&self, look: &Look) -> Result<Seen, Failure> {
        let root = self.root(look.host).await?;
        let path: Vec<&str> = look.path.iter().map(String::as_str).collect();
        let call = api(look.name, &root, look.project.as_deref(), &path)?;
        let body = look.body.as_ref().map(|body| Bytes::from(body.to_string()));
        let call = Call { method: look.method.clone(), body, media_type: look.media_type, repeatable: false, ..call };
        let call = look.query.iter().fold(call, |call, (name, value)| call.with(name, value));
        let call = if look.is_big { call.big() } else { call };
        let line = &self.shared.line;
        let version = match look.spoken {
            Spoken::Agreed => Some(self.shared.speech.version(line, self.priority).await?.to_string()),
            Spoken::None => None,
        };
        let raw = line.look(&call, version.as_deref(), self.priority, look.as_nobody).await?;
        let Some(version) = version.filter(|_| raw.status == StatusCode::BAD_REQUEST && not_released_in(&raw.body))
        else {
            return Ok(seen(raw));
        };
        // Refused for its version, it has changed nothing.
        line.look(&call, Some(&format!("{version}-preview")), self.priority, look.as_nobody).await.map(seen)
    }
}

fn seen(raw: Raw) -> Seen {
    let text = |name: &str| raw.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let body = raw.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&raw.body);
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let is_page = text(header::CONTENT_TYPE.as_str()).is_some_and(|media| media.contains("html"));
    let media = match &json {
        _ if body.is_empty() => Media::Empty,
        Some(_) => Media::Json,
        None if is_page => Media::Page,
        None => Media::Other,
    };
    Seen {
        status: raw.status,
        headers: raw.headers.keys().map(|name| name.as_str().to_owned()).collect(),
        continuation: text("x-ms-continuationtoken").filter(|token| !token.is_empty()).map(str::to_owned),
        media,
        body: json,
    }
}
