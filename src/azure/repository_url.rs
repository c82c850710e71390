//! The address of a repository, in every form that people have it in: to clone from, by HTTPS or SSH, or of a page of it.

use percent_encoding::percent_decode_str;
use url::Url;

use super::CollectionUrl;

/// Most bytes of an address that we take.
const ADDRESS_BYTES_MAX: usize = 2_048;
/// The host of organizations in the cloud.
const CLOUD: &str = "dev.azure.com";
/// Hosts that take SSH for organizations in the cloud.
const SSH_HOSTS: [&str; 2] = ["ssh.dev.azure.com", "vs-ssh.visualstudio.com"];

/// A repository by the names that its address has.
///
/// Source: the Azure DevOps pages "Clone an existing Git repo", "Use SSH key authentication" and "Work with URLs in
/// extensions and integrations".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryUrl {
    /// The host, and what stands before the repository: the collection, the project, perhaps a team. SSH says nothing of
    /// scheme and port.
    before: Vec<String>,
    /// So many of them are the collection.
    collection: usize,
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
            return Self::new(&[CLOUD, organization, project], 2, repository);
        }
        // Of what comes before is the collection; what follows is a page of the repository.
        let at = segments.iter().position(|part| matches!(*part, "_git" | "_ssh"))?;
        let (before, after) = (&segments[..at], &segments[at + 1..]);
        let repository = after.iter().find(|part| !matches!(**part, "_full" | "_optimized"))?;
        let cloud = host.strip_suffix(".visualstudio.com");
        if host == CLOUD {
            return Self::new(&[&[CLOUD], before].concat(), 2, repository);
        }
        if let Some(organization) = cloud {
            let taken = usize::from(before.first().is_some_and(|part| part.eq_ignore_ascii_case("DefaultCollection")));
            return Self::new(&[&[CLOUD, organization.split('.').next()?], &before[taken..]].concat(), 2, repository);
        }
        // Whatever else is a virtual directory, only the collection's own URL tells: see `within`.
        let taken = if before.first()?.eq_ignore_ascii_case("tfs") { 2 } else { 1 };
        Self::new(&[&[host.as_str()], before].concat(), 1 + taken, repository)
    }

    /// A project's own repository is named without the project; a team may stand between them.
    fn new(before: &[&str], collection: usize, repository: &str) -> Option<Self> {
        let is_name = |part: &str| !part.is_empty() && !part.starts_with('_');
        let project = before.get(collection).unwrap_or(&repository);
        (before.len() >= collection && is_name(project) && !repository.is_empty()).then(|| Self {
            before: before.iter().map(|part| (*part).to_owned()).collect(),
            collection,
            project: (*project).to_owned(),
            repository: repository.to_owned(),
        })
    }

    fn begins_with(&self, parts: &[String]) -> bool {
        let own = self.before.iter().map(|part| part.to_lowercase());
        self.before.len() >= parts.len() && own.zip(parts).all(|(own, part)| own == part.to_lowercase())
    }

    fn cut_behind(mut self, parts: &[String]) -> Self {
        if self.begins_with(parts) {
            self.collection = parts.len();
            self.project = self.before.get(parts.len()).unwrap_or(&self.repository).clone();
        }
        self
    }

    /// The same, with what is the collection and what is the project as this collection's URL tells it.
    #[must_use]
    pub fn within(self, collection: &CollectionUrl) -> Self {
        self.cut_behind(&parts(collection))
    }

    /// The same, with what is the collection and what is the project as a repository tells it that is known: by the address
    /// of its page, and whether a part of that names its project.
    #[must_use]
    pub fn as_beside(self, page: &Self, is_its_project: impl Fn(&str) -> bool) -> Self {
        let named = page.before.iter().rposition(|part| is_its_project(part)).filter(|at| *at >= page.collection);
        self.cut_behind(&page.before[..named.unwrap_or(page.before.len())])
    }

    /// Whether both are in one organization or collection.
    pub fn is_beside(&self, page: &Self) -> bool {
        page.begins_with(&self.before[..self.collection])
    }

    /// Whether it is in this organization or collection, by host and path.
    pub fn is_in(&self, collection: &CollectionUrl) -> bool {
        let parts = parts(collection);
        parts.len() == self.collection && self.begins_with(&parts)
    }
}

/// Host and path of a collection.
fn parts(collection: &CollectionUrl) -> Vec<String> {
    let Ok(url) = Url::parse(collection.as_str()) else { return Vec::new() };
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let path = url.path().split('/').filter(|part| !part.is_empty()).map(decoded);
    std::iter::once(url.host_str().unwrap_or_default().to_owned()).chain(path).collect()
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
    fn a_virtual_directory_of_any_name_and_depth_is_told_by_the_collections_url() {
        for directory in ["AzureDevOps", "a/b", "x/y/z"] {
            let collection = CollectionUrl::parse(&format!("http://tfs.example:8080/{directory}/My%20Coll")).unwrap();
            for (path, project) in [
                ("My%20Coll/Fiber/_git/web", "Fiber"),
                ("my%20coll/Fiber/A%20team/_git/_full/web/pullrequest/7", "Fiber"),
                ("My%20Coll/_git/web", "web"),
            ] {
                let found = RepositoryUrl::parse(&format!("https://TFS.example/{directory}/{path}")).unwrap();
                let found = found.within(&collection);
                assert_eq!((&*found.project, &*found.repository), (project, "web"), "{directory} {path}");
                assert!(found.is_in(&collection), "{found:?}");
            }
            let other = RepositoryUrl::parse(&format!("https://tfs.example/{directory}/Other/Fiber/_git/web")).unwrap();
            assert!(!other.within(&collection).is_in(&collection));
            let page = RepositoryUrl::parse(&format!("http://tfs.example/{directory}/C/Fiber/_git/web")).unwrap();
            let given = RepositoryUrl::parse(&format!("http://tfs.example/{directory}/C/Fiber/Team/_git/web")).unwrap();
            let given = given.as_beside(&page, |part| part == "Fiber");
            assert_eq!((&*given.project, given.is_beside(&page)), ("Fiber", true), "{given:?}");
        }
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
