//! Which api-version a request asks for, and whether it gets it.

use super::{Location, Outcome, Refusal};
use crate::{azure::client::ApiVersion, simulator::options::Edition};
use http::{HeaderMap, header};

/// What a request says: in the query, or in `Accept`.
pub(super) fn asked(query: &[(String, String)], headers: &HeaderMap) -> Option<String> {
    let in_query = query.iter().find(|(name, _)| name.eq_ignore_ascii_case("api-version"));
    in_query.map(|(_, version)| version.clone()).or_else(|| {
        let accept = headers.get(header::ACCEPT)?.to_str().ok()?;
        let part = accept.split(';').map(str::trim).find_map(|part| part.strip_prefix("api-version="))?;
        Some(part.split(',').next().unwrap_or(part).trim().to_owned())
    })
}

/// The version that is spoken. Who asks for none gets the oldest, as the real one does.
pub(super) fn agreed(asked: Option<&str>, location: &Location, edition: Edition) -> Outcome<ApiVersion> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Ok(location.min()) };
    let (number, is_preview) = match asked.split_once("-preview") {
        Some((number, _)) => (number, true),
        None => (asked, false),
    };
    let Some(version) = read(number) else {
        let message =
            format!("The api-version {asked} is not valid. The format is {{major}}.{{minor}}[-preview[.{{n}}]].");
        return Err(Refusal::bad_request("VssInvalidApiResourceVersionException", &message));
    };
    let latest = location.max(edition);
    if version > latest || version < location.min() {
        let message = format!(
            "The requested REST API version of {version} is out of range for this server. The latest REST API version \
             this server supports is {latest}."
        );
        return Err(Refusal::bad_request("VssVersionOutOfRangeException", &message));
    }
    if version > location.released(edition) && !is_preview {
        let message = format!(
            "The requested version \"{version}\" of the resource is under preview. The -preview flag must be supplied \
             in the api-version for such requests. For example: \"{version}-preview\""
        );
        return Err(Refusal::bad_request("VssInvalidPreviewVersionException", &message));
    }
    Ok(version)
}

fn read(text: &str) -> Option<ApiVersion> {
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    Some(ApiVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{options::ServerVersion, rest::locations};

    #[test]
    fn versions_are_refused_as_the_real_one_refuses_them() {
        let (cloud, server) = (Edition::Services, Edition::Server(ServerVersion::V2022));
        let kind = |asked, location, edition| agreed(Some(asked), location, edition).map_err(|refusal| refusal.kind);
        let ok = |major, minor| Ok(ApiVersion { major, minor });
        assert_eq!(kind("7.1", &locations::PROJECTS, cloud), ok(7, 1));
        assert_eq!(kind("7.2-preview.1", &locations::PROJECTS, cloud), ok(7, 2));
        assert_eq!(kind("7.2", &locations::PROJECTS, cloud), Err("VssInvalidPreviewVersionException"));
        assert_eq!(kind("7.1", &locations::CONNECTION_DATA, cloud), Err("VssInvalidPreviewVersionException"));
        assert_eq!(kind("7.1-preview", &locations::CONNECTION_DATA, cloud), ok(7, 1));
        assert_eq!(kind("8.0", &locations::PROJECTS, cloud), Err("VssVersionOutOfRangeException"));
        assert_eq!(kind("7.1", &locations::PROJECTS, server), Err("VssVersionOutOfRangeException"));
        assert_eq!(kind("7.0", &locations::PROJECTS, server), ok(7, 0));
        assert_eq!(kind("six", &locations::PROJECTS, server), Err("VssInvalidApiResourceVersionException"));
        assert_eq!(agreed(None, &locations::PROJECTS, server).unwrap(), ApiVersion { major: 1, minor: 0 });
    }
}
