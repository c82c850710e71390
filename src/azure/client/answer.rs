//! What came back of a call, and what can be seen of who wrote it.

use super::redaction::Redaction;
use crate::azure::lenient::{Object, Text};
use http::{HeaderMap, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// What an expired token is told.
pub(super) const EXPIRED: &str = "Personal Access Token used has expired";

/// What came back.
pub(super) struct Answer<'a> {
    pub(super) status: StatusCode,
    /// The server that was asked.
    pub(super) asked: &'a Url,
    pub(super) headers: &'a HeaderMap,
    /// The body, or its beginning.
    pub(super) head: &'a [u8],
    /// Whether we said who we are.
    pub(super) had_credential: bool,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    pub(super) redaction: &'a Redaction,
}

/// Azure's error body.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Error<'a> {
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow)]
    type_key: Text<'a>,
}

/// The title of a web page, as it stands there.
pub fn page_title(page: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(page);
    // Lower case in ASCII only, so that positions stay the same.
    let lower = text.to_ascii_lowercase();
    let start = lower.find("<title")?;
    let start = start + lower[start..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    Some(text[start..end].to_owned())
}

impl Answer<'_> {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn media_type(&self) -> &str {
        let text = self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim()
    }

    pub(super) fn is_html(&self) -> bool {
        let media_type = self.media_type();
        media_type.eq_ignore_ascii_case("text/html") || media_type.eq_ignore_ascii_case("application/xhtml+xml")
    }

    pub(super) fn is_json_or_empty(&self) -> bool {
        let media_type = self.media_type().to_ascii_lowercase();
        media_type.ends_with("/json") || media_type.ends_with("+json") || self.head.is_empty()
    }

    /// Whether Azure DevOps itself wrote it, as opposed to something on the way.
    pub(super) fn is_azures(&self) -> bool {
        let names = self.headers.keys().map(http::HeaderName::as_str);
        names.into_iter().any(|name| name == "activityid" || name.starts_with("x-vss-") || name.starts_with("x-tfs-"))
    }

    /// `typeKey` and message, without secrets, from the body or the header that old servers use.
    pub(super) fn error(&self) -> (Option<String>, Option<String>) {
        let body = self.head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self.head);
        let error: Object<Error<'_>> = serde_json::from_slice(body).unwrap_or_default();
        let kind = error.type_key.as_str().and_then(|kind| self.redaction.said(kind));
        let header = self
            .header("x-tfs-serviceerror")
            .map(|text| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned());
        let plain = || {
            let text = std::str::from_utf8(body).ok()?;
            self.media_type().eq_ignore_ascii_case("text/plain").then(|| text.to_owned())
        };
        // Of an expired token only the header says that it is, whatever the body is about.
        let expired = header.clone().filter(|text| text.contains(EXPIRED));
        let text = expired.or_else(|| error.message.as_str().map(str::to_owned)).or(header).or_else(plain);
        (kind, text.and_then(|text| self.redaction.said(&text)))
    }

    /// The title of a web page, which is for people.
    pub(super) fn title(&self) -> Option<String> {
        self.redaction.said(&page_title(self.head)?)
    }

    pub(super) fn page(&self, verb: &str) -> String {
        let title = self.title().map(|title| format!(" titled “{title}”")).unwrap_or_default();
        format!("something {verb} with a web page{title} and status {}", self.status.as_u16())
    }

    pub(super) fn is_cloudflare(&self) -> bool {
        self.headers.contains_key("cf-ray")
            || self.header("server").is_some_and(|s| s.eq_ignore_ascii_case("cloudflare"))
    }
}

/// What finds the call on Azure's side.
pub(super) fn activity_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("activityid").or_else(|| headers.get("x-vss-e2eid"))?.to_str().ok()?;
    // It is a GUID; anything else is not Azure's, and is not repeated.
    uuid::Uuid::try_parse(id).ok().map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_activity_id_is_a_guid() {
        let id =
            |text: &str| activity_id(&HeaderMap::from_iter([("activityid".parse().unwrap(), text.parse().unwrap())]));
        assert_eq!(id("6CE954B1-ce1f-45d1-b94d-e6bf2464ba2c").unwrap(), "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c");
        assert_eq!(id("planted-secret"), None);
    }
}
