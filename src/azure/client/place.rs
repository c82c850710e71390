//! Where a call goes: URLs on the connection's host and on the release host, and where a credential may go at all.

use super::{ApiVersion, Failure, Host};
use crate::azure::CollectionUrl;
use url::Url;

/// The resource area "Release Management". Source: recorded `resourceAreas` of Services.
pub(super) const RELEASE_AREA: &str = "efc2f575-36ef-48e9-b672-0c6fb4a48ac5";

/// A call's address below a base.
#[derive(Debug, Clone)]
pub(super) struct Path<'a> {
    /// Decoded segments; they are encoded one by one.
    pub(super) segments: Vec<&'a str>,
    /// Query parameters besides the version.
    pub(super) query: Vec<(&'static str, String)>,
    /// Whether the api-version needs its preview flag.
    pub(super) preview: bool,
    /// Which host.
    pub(super) host: Host,
}

impl<'a> Path<'a> {
    pub(super) fn new(segments: &[&'a str]) -> Self {
        Self { segments: segments.to_vec(), query: Vec::new(), preview: false, host: Host::Main }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn preview(mut self) -> Self {
        self.preview = true;
        self
    }

    pub(super) fn on(mut self, host: Host) -> Self {
        self.host = host;
        self
    }

    /// The whole URL, with the api-version that every call must say.
    pub(super) fn url(&self, base: &Url, version: Option<ApiVersion>) -> Url {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&self.segments);
        }
        if version.is_some() || !self.query.is_empty() {
            let mut query = url.query_pairs_mut();
            query.extend_pairs(self.query.iter().map(|(name, value)| (*name, value.as_str())));
            if let Some(version) = version {
                let flag = if self.preview { "-preview" } else { "" };
                query.append_pair("api-version", &format!("{version}{flag}"));
            }
        }
        url
    }
}

/// The connection's own base.
pub(super) fn base(url: &CollectionUrl) -> Result<Url, Failure> {
    Url::parse(url.as_str()).map_err(|_| Failure::Settings("url is not a URL".to_owned()))
}

/// The base of a sub-service that the server names, if our credential may go there: the same origin, or, from the cloud's
/// own host, another https host of the cloud. A server that names any other place does not get us to send a token there.
pub(super) fn trusted(base: &Url, location: &str) -> Option<Url> {
    let url = Url::parse(location).ok()?;
    let of_cloud = |url: &Url| {
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "https"
            && url.port().is_none()
            && (host == "dev.azure.com" || host.ends_with(".dev.azure.com") || host.ends_with(".visualstudio.com"))
    };
    (url.origin() == base.origin() || (of_cloud(base) && of_cloud(&url))).then_some(url)
}

/// The release host of an organization on `dev.azure.com`, should the server not say.
pub(super) fn release_of_cloud(base: &Url) -> Option<Url> {
    let mut url = base.clone();
    (base.host_str() == Some("dev.azure.com")).then_some(())?;
    url.set_host(Some("vsrm.dev.azure.com")).ok()?;
    Some(url)
}

/// `7.1`, or what begins so.
pub(super) fn version(text: &str) -> Option<ApiVersion> {
    let (major, rest) = text.trim().split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(ApiVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn names_of_any_script_become_segments() {
        let path = Path::new(&["Fiber Café/100%", "_apis", "git"]).with("$top", "5").preview();
        let version = Some(ApiVersion { major: 7, minor: 1 });
        assert_eq!(
            path.url(&url("https://host/tfs/Coll"), version).as_str(),
            "https://host/tfs/Coll/Fiber%20Caf%C3%A9%2F100%25/_apis/git?%24top=5&api-version=7.1-preview"
        );
    }

    #[test]
    fn a_credential_goes_only_where_it_belongs() {
        let (cloud, server) = (url("https://dev.azure.com/fabrikam"), url("https://tfs.corp:8443/tfs/Coll"));
        for (base, location, trusted_there) in [
            (&cloud, "https://vsrm.dev.azure.com/fabrikam/", true),
            (&cloud, "https://fabrikam.vsrm.visualstudio.com/", true),
            (&cloud, "http://vsrm.dev.azure.com/fabrikam/", false),
            (&cloud, "https://vsrm.dev.azure.com.evil.example/", false),
            (&cloud, "https://evildev.azure.com/", false),
            (&cloud, "https://vsrm.dev.azure.com:8443/fabrikam", false),
            (&server, "https://tfs.corp:8443/other", true),
            (&server, "https://tfs.corp/tfs/Coll", false),
            (&server, "https://vsrm.dev.azure.com/fabrikam", false),
            (&server, "nonsense", false),
        ] {
            assert_eq!(trusted(base, location).is_some(), trusted_there, "{base} {location}");
        }
        assert_eq!(release_of_cloud(&cloud).unwrap().as_str(), "https://vsrm.dev.azure.com/fabrikam");
        assert_eq!(release_of_cloud(&server), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("7.1"), Some(ApiVersion { major: 7, minor: 1 }));
        assert_eq!(version("7.1-preview.1"), Some(ApiVersion { major: 7, minor: 1 }));
        assert!(version("10.0") > version("9.2"));
        assert_eq!(version("seven"), None);
    }
}
