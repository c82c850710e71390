//! Which api-version a server takes, from its own words.
//!
//! Source: the contract's §e.3 and §e.4.

use super::{ApiVersion, Failure};
use crate::azure::lenient::{List, Object, Text};
use serde::Deserialize;

/// The newest that we know the shapes of; a newer server takes it as well.
pub(super) const NEWEST: ApiVersion = ApiVersion { major: 7, minor: 1 };

/// Azure's name for a version that is too new for it.
const OUT_OF_RANGE: &str = "VssVersionOutOfRangeException";
/// Azure's name for a resource that is in preview there.
const NOT_RELEASED: &str = "VssInvalidPreviewVersionException";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Routes<'a> {
    #[serde(borrow)]
    value: List<Object<Route<'a>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Route<'a> {
    #[serde(borrow)]
    area: Text<'a>,
    #[serde(borrow)]
    resource_name: Text<'a>,
    #[serde(borrow)]
    released_version: Text<'a>,
    #[serde(borrow)]
    max_version: Text<'a>,
}

/// The version to speak, from the answer to `OPTIONS _apis`: that of the hook subscriptions, which are what we are here
/// for; all areas of a release are versioned together.
pub(super) fn of_routes(body: &[u8]) -> Option<ApiVersion> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let routes: Object<Routes<'_>> = serde_json::from_slice(body).ok()?;
    let hooks = routes.value.iter().find(|route| route.area.is("hooks") && route.resource_name.is("subscriptions"))?;
    let read = |text: &Text<'_>| text.as_str().and_then(parse).filter(|version| version.major > 0);
    read(&hooks.released_version).or_else(|| read(&hooks.max_version)).map(|version| version.min(NEWEST))
}

/// A refusal of a version that the server does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfRange {
    /// The version to speak instead, where the server says it.
    pub(super) taken: Option<ApiVersion>,
}

/// Whether the failure says that our version is out of range.
pub(super) fn out_of_range(failure: &Failure) -> Option<OutOfRange> {
    let Failure::Refused { kind, detail } = failure else { return None };
    let detail = detail.as_deref().unwrap_or_default();
    if kind.as_deref() != Some(OUT_OF_RANGE) && !detail.contains("out of range for this server") {
        return None;
    }
    let said = detail.split_once("this server supports is").and_then(|(_, rest)| parse(rest));
    Some(OutOfRange { taken: said.map(|version| version.min(NEWEST)) })
}

/// Whether the body of a refusal says that the resource is only in preview.
pub(super) fn not_released_in(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains(NOT_RELEASED) || text.contains("-preview flag must be supplied")
}

/// Whether the failure says that the resource is only in preview.
pub(super) fn not_released(failure: &Failure) -> bool {
    let Failure::Refused { kind, detail } = failure else { return false };
    kind.as_deref() == Some(NOT_RELEASED)
        || detail.as_deref().is_some_and(|detail| detail.contains("-preview flag must be supplied"))
}

/// `7.1`, also with something behind it.
fn parse(text: &str) -> Option<ApiVersion> {
    let (major, rest) = text.trim().split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(ApiVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn version(major: u16, minor: u16) -> ApiVersion {
        ApiVersion { major, minor }
    }

    #[test]
    fn the_version_is_the_released_one_of_the_hooks_up_to_what_we_know() {
        let routes = |released: &str, max: &str| {
            let hooks = json!({ "area": "hooks", "resourceName": "Subscriptions",
                "releasedVersion": released, "maxVersion": max, "minVersion": "1.0" });
            let body = json!({ "count": 2, "value": [{ "area": "git", "releasedVersion": "9.9" }, hooks] });
            of_routes(format!("\u{feff}{body}").as_bytes())
        };
        assert_eq!(routes("7.1", "7.2"), Some(version(7, 1)));
        assert_eq!(routes("8.0", "8.1"), Some(version(7, 1)));
        assert_eq!(routes("5.0", "5.1"), Some(version(5, 0)));
        assert_eq!(routes("0.0", "6.0"), Some(version(6, 0)));
        assert_eq!(of_routes(br#"{"value":[]}"#), None);
        assert_eq!(of_routes(b"<html>"), None);
    }

    #[test]
    fn a_server_that_is_older_says_what_it_takes() {
        let refused = |kind: Option<&str>, detail: &str| Failure::Refused {
            kind: kind.map(str::to_owned),
            detail: Some(detail.to_owned()),
        };
        let said = "The requested REST API version of 7.1 is out of range for this server. The latest REST API version \
                    this server supports is 6.0.";
        assert_eq!(out_of_range(&refused(Some(OUT_OF_RANGE), said)), Some(OutOfRange { taken: Some(version(6, 0)) }));
        assert_eq!(out_of_range(&refused(None, said)), Some(OutOfRange { taken: Some(version(6, 0)) }));
        assert_eq!(out_of_range(&refused(Some(OUT_OF_RANGE), "Die Version …")), Some(OutOfRange { taken: None }));
        assert_eq!(out_of_range(&refused(Some("Other"), "no")), None);
        assert!(not_released(&refused(Some(NOT_RELEASED), "")));
        assert!(not_released(&refused(
            None,
            "… is under preview. The -preview flag must be supplied in the api-version"
        )));
        assert!(!not_released(&Failure::NotFound { detail: None }));
    }
}
