//! A reply before it goes over the wire.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// A reply.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Body,
}

/// Its body.
#[derive(Debug)]
pub(crate) enum Body {
    /// Gets the content type with the api-version of the call.
    Json(Value),
    /// Anything else; the content type is among the headers.
    Raw(Bytes),
    /// The connection ends instead.
    Cut,
}

impl Answer {
    pub(crate) fn json(value: Value) -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Body::Json(value) }
    }

    /// `{"count": …, "value": […]}`.
    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::json(json!({"count": items.len(), "value": items}))
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Body::Raw(Bytes::new()) }
    }

    pub(crate) fn text(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { status, headers, body: Body::Raw(text.into()) }
    }

    pub(crate) fn html(status: StatusCode, page: &'static str) -> Self {
        Self::text(status, "text/html; charset=utf-8", page)
    }

    pub(crate) fn cut() -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: Body::Cut }
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With a header; a value that cannot be one is left out.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// With where the next page begins, where there is one.
    pub(crate) fn continued(self, token: Option<String>) -> Self {
        match token {
            Some(token) => self.with("x-ms-continuationtoken", &token),
            None => self,
        }
    }
}
