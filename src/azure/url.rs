//! The URL of an organization or collection, in every form that people have it in.

use serde::{Deserialize, Serialize};
use std::fmt;
use url::{Host, Url};

/// Most bytes of a URL that we take.
const URL_BYTES_MAX: usize = 2_048;
/// Segments of a Server's path beyond the least that are tried as part of the virtual directory.
const SEGMENTS_MORE_MAX: usize = 7;

/// The canonical URL of one organization (Services) or collection (Server), without trailing slash:
/// `https://dev.azure.com/{org}` or `http[s]://{host}[:{port}][/{virtual directory}]/{collection}`.
///
/// Read from any URL into it, including links to a project, repository or sub-service copied from a browser.
/// `{org}.visualstudio.com` is the same organization as `dev.azure.com/{org}` and becomes it.
///
/// Sources: the Azure DevOps page "Work with URLs in extensions and integrations"; of a Server's virtual directory, which is
/// whatever was typed when it was set up, the page "Install Azure DevOps Server" (`tfs` before 2019, none since).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CollectionUrl(String);

/// Why a text is no such URL; each message says what to give instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Not an absolute URL.
    #[error("is not a URL; give one like https://dev.azure.com/your-organization")]
    NotAUrl,
    /// Neither http nor https.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// `dev.azure.com` alone.
    #[error("names no organization; give https://dev.azure.com/your-organization")]
    NoOrganization,
    /// A server without its collection.
    #[error(
        "names no collection; give one like https://your-server/DefaultCollection or, with a virtual directory, https://your-server/tfs/DefaultCollection"
    )]
    NoCollection,
    /// Over the limit.
    #[error("is longer than 2048 bytes")]
    TooLong,
}

impl CollectionUrl {
    /// Reads any of the forms; what the path of a Server leaves open is decided as [`Given::taken`] says.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        Given::parse(text).map(|given| given.taken)
    }

    /// A kept URL is read again after a restart, so it must be read as the same. A path may be longer than it was given,
    /// because it escapes what is not ASCII, and a host without its last dot may be none.
    fn canonical(text: String) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let is_same = Url::parse(&text).is_ok_and(|url| url.as_str() == text);
        if is_same { Ok(Self(text)) } else { Err(UrlError::NotAUrl) }
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A URL as somebody gave it, and what it may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The collection where the server cannot be asked: the second segment behind the virtual directory `tfs`; else the whole
    /// path where nothing in it is a page (`_git`), and its first segment where something is.
    pub taken: CollectionUrl,
    /// Everything that it may be, the longest first, where that is more than one: a virtual directory is called anything, so
    /// nobody can tell it from a collection that is followed by a project. The server can.
    pub may_be: Vec<CollectionUrl>,
}

impl Given {
    /// Reads any of the forms.
    ///
    /// # Errors
    /// That it names no organization or collection, in words that go on behind the member's name.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let url = Url::parse(text.trim()).map_err(|_| UrlError::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(UrlError::Scheme);
        }
        let host = match url.host() {
            Some(Host::Domain(domain)) => domain.trim_end_matches('.').to_ascii_lowercase(),
            Some(address) => address.to_string(),
            None => return Err(UrlError::NotAUrl),
        };
        let segments: Vec<&str> = url.path_segments().into_iter().flatten().filter(|s| !s.is_empty()).collect();
        let cloud = |organization: String| {
            let taken = CollectionUrl::canonical(format!("https://dev.azure.com/{organization}"))?;
            Ok(Self { taken, may_be: Vec::new() })
        };
        if host == "dev.azure.com" || host.ends_with(".dev.azure.com") {
            let organization = segments.first().filter(|s| !s.starts_with('_')).ok_or(UrlError::NoOrganization)?;
            return cloud(organization.to_ascii_lowercase());
        }
        if let Some(subdomains) = host.strip_suffix(".visualstudio.com") {
            // `org.vsrm.visualstudio.com` and the like are sub-services of the same organization.
            let organization =
                subdomains.split('.').next().filter(|s| !s.is_empty()).ok_or(UrlError::NoOrganization)?;
            // Once more: a host may have characters that a path writes otherwise.
            return Self::parse(&format!("https://dev.azure.com/{organization}"));
        }
        Self::server(&url, &host, &segments)
    }

    fn server(url: &Url, host: &str, segments: &[&str]) -> Result<Self, UrlError> {
        let page = segments.iter().position(|segment| segment.starts_with('_'));
        let path = &segments[..page.unwrap_or(segments.len())];
        let in_directory = path.first().is_some_and(|first| first.eq_ignore_ascii_case("tfs"));
        let least = if in_directory { 2 } else { 1 };
        if path.len() < least {
            return Err(UrlError::NoCollection);
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let origin = format!("{}://{host}{port}", url.scheme());
        let cut = |taken: usize| CollectionUrl::canonical(format!("{origin}/{}", path[..taken].join("/")));
        let taken = cut(if in_directory || page.is_some() { least } else { path.len() })?;
        // A project and a team may be behind the collection, and deeper than this is no virtual directory.
        let longest = path.len().min(least + SEGMENTS_MORE_MAX);
        let all = (least..=longest).rev().filter_map(|taken| cut(taken).ok());
        let may_be = if longest > least { all.collect() } else { Vec::new() };
        Ok(Self { taken, may_be })
    }
}

impl fmt::Display for CollectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for CollectionUrl {
    type Error = UrlError;

    /// A URL that was settled with the server is not decided again.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let given = Given::parse(&text)?;
        Ok(given.may_be.into_iter().find(|url| url.0 == text).unwrap_or(given.taken))
    }
}

impl From<CollectionUrl> for String {
    fn from(url: CollectionUrl) -> Self {
        url.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_one_organization_is_one_url() {
        for text in [
            "https://dev.azure.com/Fabrikam",
            "https://dev.azure.com/fabrikam/",
            "https://someone@dev.azure.com/fabrikam/My%20Project/_git/My%20Repo",
            "https://vsrm.dev.azure.com/fabrikam/_apis/release",
            "https://fabrikam.visualstudio.com",
            "https://fabrikam.visualstudio.com/DefaultCollection/",
            "https://fabrikam.vsrm.visualstudio.com/project",
            " HTTPS://DEV.AZURE.COM/fabrikam ",
        ] {
            assert_eq!(CollectionUrl::parse(text).unwrap().as_str(), "https://dev.azure.com/fabrikam", "{text}");
        }
    }

    #[test]
    fn the_canonical_text_is_read_as_the_same_url_or_was_refused() {
        let long = format!("https://server/{}", "é".repeat(600));
        for text in [
            "https://fabrik`m.visualstudio.com",
            "https://_x.visualstudio.com",
            "https://./Coll",
            "https://host../Coll",
            "https://...4./Coll",
            &long,
        ] {
            if let Ok(url) = CollectionUrl::parse(text) {
                assert_eq!(CollectionUrl::parse(url.as_str()), Ok(url), "{text}");
            }
        }
        assert_eq!(CollectionUrl::parse("https://_x.visualstudio.com"), Err(UrlError::NoOrganization));
        assert_eq!(CollectionUrl::parse("https://./Coll"), Err(UrlError::NotAUrl));
        assert_eq!(CollectionUrl::parse(&long), Err(UrlError::TooLong));
    }

    #[test]
    fn a_server_keeps_its_scheme_port_and_virtual_directory() {
        for (text, canonical) in [
            ("https://Host.example/DefaultCollection/", "https://host.example/DefaultCollection"),
            ("http://host:8080/tfs/Coll", "http://host:8080/tfs/Coll"),
            ("http://host:80/tfs/Coll/Project/_git/repo", "http://host/tfs/Coll"),
            ("https://host:443/Coll/Project/_git/repo", "https://host/Coll"),
            ("https://host:443/AzureDevOps/Coll/", "https://host/AzureDevOps/Coll"),
            ("http://host/a/b/Coll", "http://host/a/b/Coll"),
            ("https://10.0.0.1:8443/My%20Coll", "https://10.0.0.1:8443/My%20Coll"),
            ("http://[::1]:8080/tfs/Coll/_apis/projects", "http://[::1]:8080/tfs/Coll"),
        ] {
            assert_eq!(CollectionUrl::parse(text).unwrap().as_str(), canonical, "{text}");
        }
    }

    #[test]
    fn what_a_servers_path_leaves_open_is_all_told_the_longest_first() {
        for (text, may_be) in [
            ("https://host/Coll", &[][..]),
            ("https://host/Coll/_git/repo", &[]),
            ("https://host/tfs/Coll", &[]),
            ("https://dev.azure.com/fabrikam/Project", &[]),
            ("https://host/AzureDevOps/Coll", &["https://host/AzureDevOps/Coll", "https://host/AzureDevOps"]),
            ("https://host/tfs/Coll/Project/_git/x/y", &["https://host/tfs/Coll/Project", "https://host/tfs/Coll"]),
            ("http://host/a/b/Coll/_apis", &["http://host/a/b/Coll", "http://host/a/b", "http://host/a"]),
        ] {
            let given = Given::parse(text).unwrap();
            assert_eq!(given.may_be.iter().map(CollectionUrl::as_str).collect::<Vec<_>>(), may_be, "{text}");
        }
        let settled = Given::parse("http://host/tfs/a/Coll").unwrap().may_be.remove(0);
        assert_eq!(CollectionUrl::try_from(settled.to_string()), Ok(settled), "what is kept is read as the same");
        let deep = format!("https://host/{}", "a/".repeat(50));
        assert_eq!(Given::parse(&deep).unwrap().may_be.len(), SEGMENTS_MORE_MAX + 1);
    }

    #[test]
    fn what_names_no_collection_says_what_to_give() {
        for (text, error) in [
            ("fabrikam", UrlError::NotAUrl),
            ("ftp://host/Coll", UrlError::Scheme),
            ("https://dev.azure.com/", UrlError::NoOrganization),
            ("https://dev.azure.com/_apis/projects", UrlError::NoOrganization),
            ("https://host", UrlError::NoCollection),
            ("https://host/tfs", UrlError::NoCollection),
            ("https://host/tfs/_apis", UrlError::NoCollection),
        ] {
            assert_eq!(CollectionUrl::parse(text).unwrap_err(), error, "{text}");
        }
    }
}
