//! The URLs that are called, and the hosts that may learn our credential.

use super::classify::is_within;
use url::{Host, Url};

/// Where Services live.
const SERVICES: &str = "dev.azure.com";
/// Where releases of Services live, when the server does not say it.
const RELEASES: &str = "vsrm.dev.azure.com";
/// Their domains; nobody else gets a credential that is meant for Services.
const DOMAINS: [&str; 2] = ["dev.azure.com", "visualstudio.com"];

/// `root` with these segments behind it, each encoded; `None` when one of them would be another path.
pub(super) fn below(root: &Url, segments: &[&str]) -> Option<Url> {
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return None;
    }
    let mut url = root.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(segments);
    Some(url)
}

/// Whether this is an organization of Services under their own name.
pub(super) fn is_services(base: &Url) -> bool {
    base.scheme() == "https" && base.port().is_none() && base.host() == Some(Host::Domain(SERVICES))
}

/// Whether what is sent to `base` may be sent there as well.
pub(super) fn may_learn(base: &Url, other: &Url) -> bool {
    if other.origin() == base.origin() {
        return other.username().is_empty() && other.password().is_none();
    }
    let Some(Host::Domain(host)) = other.host() else { return false };
    let host = host.to_ascii_lowercase();
    is_services(base)
        && other.scheme() == "https"
        && other.port().is_none()
        && DOMAINS.iter().any(|domain| is_within(&host, domain))
}

/// Where the releases of an organization are unless it says otherwise.
pub(super) fn releases(base: &Url) -> Url {
    if is_services(base) { on_host(base, RELEASES) } else { base.clone() }
}

/// An organization of Services on another of their hosts.
pub(super) fn on_host(base: &Url, host: &'static str) -> Url {
    let mut url = base.clone();
    url.set_host(Some(host)).expect("the constant is a host, and https takes one");
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn names_are_encoded_and_never_another_path() {
        let root = url("https://tfs.example/tfs/My%20Coll");
        for (segments, expected) in [
            (&["My Project", "_apis"][..], "https://tfs.example/tfs/My%20Coll/My%20Project/_apis"),
            (&["a/b?c#d%41"], "https://tfs.example/tfs/My%20Coll/a%2Fb%3Fc%23d%2541"),
            (&["日本"], "https://tfs.example/tfs/My%20Coll/%E6%97%A5%E6%9C%AC"),
        ] {
            assert_eq!(below(&root, segments).unwrap().as_str(), expected);
        }
        for segment in ["", ".", ".."] {
            assert_eq!(below(&root, &["_apis", segment]), None, "{segment:?}");
        }
        assert_eq!(below(&url("http://h/c/"), &["_apis"]).unwrap().as_str(), "http://h/c/_apis");
    }

    #[test]
    fn a_credential_goes_to_its_own_origin_and_to_azures_domains_only() {
        let services = "https://dev.azure.com/fabrikam";
        let server = "https://tfs.example:8443/tfs/Coll";
        for (base, other, may) in [
            (services, "https://vsrm.dev.azure.com/fabrikam/", true),
            (services, "https://fabrikam.vsrm.visualstudio.com/", true),
            (services, "https://VSRM.dev.azure.com/fabrikam/", true),
            (services, "http://vsrm.dev.azure.com/fabrikam/", false),
            (services, "https://vsrm.dev.azure.com:8443/fabrikam/", false),
            (services, "https://evildev.azure.com/fabrikam/", false),
            (services, "https://dev.azure.com.evil.example/", false),
            (services, "https://evil.example/dev.azure.com", false),
            (services, "https://dev.azure.com@evil.example/", false),
            (server, "https://tfs.example:8443/_vsrm/Coll", true),
            (server, "https://tfs.example/tfs/Coll", false),
            (server, "http://tfs.example:8443/tfs/Coll", false),
            (server, "https://someone:else@tfs.example:8443/tfs/Coll", false),
            (server, "https://vsrm.dev.azure.com/Coll", false),
            ("http://dev.azure.com/fabrikam", "https://vsrm.dev.azure.com/fabrikam", false),
        ] {
            assert_eq!(may_learn(&url(base), &url(other)), may, "{base} {other}");
        }
    }

    #[test]
    fn releases_have_a_host_of_their_own_on_services_only() {
        assert_eq!(releases(&url("https://dev.azure.com/f")).as_str(), "https://vsrm.dev.azure.com/f");
        assert_eq!(releases(&url("https://tfs.example/Coll")).as_str(), "https://tfs.example/Coll");
    }
}
