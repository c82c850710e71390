//! The address of a repository, in every form that people have it in: to clone from, by HTTPS or SSH, or of a page of it.

use percent_encoding::percent_decode_str;
use url::Url;

use super::CollectionUrl;

/// Most bytes of an address that we take.
const ADDRESS_BYTES_MAX: usize = 2_048;
/// Hosts that take SSH for organizations in the cloud.
const SSH_HOSTS: [&str; 2] = ["ssh.dev.azure.com", "vs-ssh.visualstudio.com"];

/// A repository by the names that its address has.
///
/// Source: the Azure DevOps pages "Clone an existing Git repo", "Use SSH key authentication" and "Work with URLs in
/// extensions and integrations".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrl {
    /// `dev.azure.com/{org}` or `{host}[/tfs]/{collection}`, in lower case: SSH says nothing of scheme and port.
    collection: String,
    /// The project's name, or its GUID.
    pub project: String,
    /// The repository's name, or its GUID.
    pub repository: String,
}

impl RepositoryUrl {
    /// Whether a text is meant as an address at all.
    pub fn is_address(text: &str) -> bool {
        text.contains("://") || (text.contains('@') && text.contains(":v3/"))
    }

    /// Reads any of the forms; nothing if it names no repository.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > ADDRESS_BYTES_MAX || !Self::is_address(text) {
            return None;
        }
        // As `scp` has it: `git@ssh.dev.azure.com:v3/org/project/repository`.
        let url = match text.split_once("://") {
            Some(_) => Url::parse(text).ok()?,
            None => Url::parse(&format!("ssh://{}", text.replacen(":v3/", "/v3/", 1))).ok()?,
        };
        let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
        let segments = url.path().split('/').filter(|part| !part.is_empty());
        let decoded = segments.map(|part| percent_decode_str(part).decode_utf8().map(String::from));
        let segments: Vec<String> = decoded.collect::<Result<_, _>>().ok()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if SSH_HOSTS.contains(&host.as_str()) {
            let ["v3", organization, project, repository] = segments[..] else { return None };
            return Self::new(format!("dev.azure.com/{organization}"), project, repository);
        }
        // Of what comes before is the collection; what follows is a page of the repository.
        let at = segments.iter().position(|part| matches!(*part, "_git" | "_ssh"))?;
        let (before, after) = (&segments[..at], &segments[at + 1..]);
        let repository = after.iter().find(|part| !matches!(**part, "_full" | "_optimized"))?;
        let cloud = host.strip_suffix(".visualstudio.com");
        let (collection, rest) = if host == "dev.azure.com" {
            (format!("dev.azure.com/{}", before.first()?), &before[1..])
        } else if let Some(organization) = cloud {
            let taken = usize::from(before.first().is_some_and(|part| part.eq_ignore_ascii_case("DefaultCollection")));
            (format!("dev.azure.com/{}", organization.split('.').next()?), &before[taken..])
        } else {
            let taken = if before.first()?.eq_ignore_ascii_case("tfs") { 2 } else { 1 };
            (format!("{host}/{}", before.get(..taken)?.join("/")), &before[taken..])
        };
        // A project's own repository is named without the project; a team may stand between them.
        Self::new(collection, rest.first().unwrap_or(repository), repository)
    }

    fn new(collection: String, project: &str, repository: &str) -> Option<Self> {
        let is_name = |part: &str| !part.is_empty() && !part.starts_with('_');
        (is_name(project) && !repository.is_empty()).then(|| Self {
            collection: collection.to_lowercase(),
            project: project.to_owned(),
            repository: repository.to_owned(),
        })
    }

    /// Whether both are in one organization or collection.
    pub fn is_beside(&self, other: &Self) -> bool {
        self.collection == other.collection
    }

    /// Whether it is in this organization or collection, by host and path.
    pub fn is_in(&self, collection: &CollectionUrl) -> bool {
        let Ok(url) = Url::parse(collection.as_str()) else { return false };
        let path = percent_decode_str(url.path().trim_end_matches('/')).decode_utf8_lossy();
        format!("{}{path}", url.host_str().unwrap_or_default()).to_lowercase() == self.collection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        RepositoryUrl::parse(text).map(|own| (own.project, own.repository))
    }

    #[test]
    fn every_form_of_one_repository_names_it() {
        let collection = CollectionUrl::parse("https://dev.azure.com/fabrikam").unwrap();
        for text in [
            "https://dev.azure.com/fabrikam/Fiber%20Caf%C3%A9/_git/web%20shop",
            "https://fabrikam@dev.azure.com/Fabrikam/Fiber%20Café/_git/web shop",
            "https://dev.azure.com/fabrikam/Fiber%20Café/_git/web%20shop/pullrequest/77?_a=files",
            "https://dev.azure.com/fabrikam/Fiber%20Café/_git/web%20shop?version=GBmain&path=/src",
            "https://dev.azure.com/fabrikam/Fiber%20Café/The%20team/_git/_optimized/web%20shop",
            "https://fabrikam.visualstudio.com/Fiber%20Café/_git/web%20shop",
            "https://fabrikam.visualstudio.com/DefaultCollection/Fiber%20Café/_git/_full/web%20shop",
            "git@ssh.dev.azure.com:v3/fabrikam/Fiber%20Café/web%20shop",
            "ssh://git@ssh.dev.azure.com/v3/Fabrikam/Fiber%20Café/web%20shop",
            "fabrikam@vs-ssh.visualstudio.com:v3/fabrikam/Fiber%20Café/web%20shop",
            " https://dev.azure.com/fabrikam/Fiber%20Café/_git/web%20shop/commit/abc ",
        ] {
            let found = RepositoryUrl::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((&*found.project, &*found.repository), ("Fiber Café", "web shop"), "{text}");
            assert!(found.is_in(&collection), "{text} {found:?}");
        }
    }

    #[test]
    fn a_servers_repository_is_found_by_host_and_path_whatever_scheme_and_port() {
        let collection = CollectionUrl::parse("http://tfs.example.com:8080/tfs/My%20Collection").unwrap();
        for text in [
            "http://tfs.example.com:8080/tfs/My%20Collection/Fiber/_git/web",
            "https://TFS.example.com/tfs/My%20Collection/Fiber/_git/web",
            "ssh://tfs.example.com:22/tfs/My%20Collection/Fiber/_ssh/web",
        ] {
            let found = RepositoryUrl::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((&*found.project, &*found.repository), ("Fiber", "web"), "{text}");
            assert!(found.is_in(&collection), "{text} {found:?}");
        }
        let elsewhere = RepositoryUrl::parse("http://tfs.example.com:8080/tfs/Other/Fiber/_git/web").unwrap();
        assert!(!elsewhere.is_in(&collection));
    }

    #[test]
    fn without_a_project_it_is_the_projects_own_repository() {
        let twice = |name: &str| Some((name.to_owned(), name.to_owned()));
        assert_eq!(read("https://dev.azure.com/fabrikam/_git/Fiber"), twice("Fiber"));
        assert_eq!(read("https://fabrikam.visualstudio.com/_git/Fiber"), twice("Fiber"));
        assert_eq!(read("https://tfs.example.com/DefaultCollection/_git/Fiber"), twice("Fiber"));
    }

    #[test]
    fn what_names_no_repository_is_none() {
        for text in [
            "web shop",
            "a@b",
            "https://dev.azure.com/fabrikam",
            "https://dev.azure.com/fabrikam/Fiber/_git",
            "https://dev.azure.com/_git/Fiber",
            "https://github.com/fabrikam/web.git",
            "git@ssh.dev.azure.com:v3/fabrikam/Fiber",
            "https://tfs.example.com/_git/Fiber",
            "https://dev.azure.com/fabrikam/%ff/_git/web",
            "://",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".*", path in "[a-z_/%:@.]{0,60}") {
            let _ = RepositoryUrl::parse(&text);
            let _ = RepositoryUrl::parse(&format!("https://dev.azure.com/{path}"));
            let _ = RepositoryUrl::parse(&format!("ssh://{path}"));
        }
    }
}
