//! Globs over paths, tags and titles: pure.

use globset::{GlobBuilder, GlobMatcher};

/// Whether a text can be used as a glob.
pub fn is_glob(text: &str) -> bool {
    !text.chars().any(char::is_control) && glob(text).is_some()
}

/// A glob whose `*` stops at slashes. What was checked when it was set compiles; what was not matches nothing.
fn glob(text: &str) -> Option<GlobMatcher> {
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(false).build();
    glob.ok().map(|glob| glob.compile_matcher())
}

/// Whether a name of one line matches; without regard to case where titles are compared.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let glob = GlobBuilder::new(pattern).case_insensitive(true).backslash_escape(false).build();
    glob.is_ok_and(|glob| glob.compile_matcher().is_match(name))
}

/// Which paths of a repository count.
pub(super) struct Scope {
    include: Vec<Filter>,
    exclude: Vec<Filter>,
}

/// A folder or file with all below it, or a glob.
enum Filter {
    Below(String),
    Glob(GlobMatcher),
}

impl Filter {
    fn new(text: &str) -> Option<Self> {
        let text = text.trim_matches('/');
        if text.contains(['*', '?', '[', '{']) {
            glob(text).map(Self::Glob)
        } else {
            Some(Self::Below(text.to_owned()))
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Below(folder) if folder.is_empty() => true,
            Self::Below(folder) => {
                path.strip_prefix(folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Glob(glob) => glob.is_match(path),
        }
    }
}

impl Scope {
    pub(super) fn new(include: &[String], exclude: &[String]) -> Self {
        let filters = |texts: &[String]| texts.iter().filter_map(|text| Filter::new(text)).collect();
        Self { include: filters(include), exclude: filters(exclude) }
    }

    /// Whether every path counts: then nobody need ask for them.
    pub(super) fn is_all(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether this path counts. With `/` before it, as Azure has them.
    pub(super) fn counts(&self, path: &str) -> bool {
        let path = path.trim_start_matches('/');
        let within = self.include.is_empty() || self.include.iter().any(|filter| filter.matches(path));
        within && !self.exclude.iter().any(|filter| filter.matches(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_counts_with_all_below_it_and_a_glob_as_it_says() {
        let scope = |include: &[&str], exclude: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
            Scope::new(&owned(include), &owned(exclude))
        };
        for (include, exclude, path, counts) in [
            (vec![], vec![], "/anything", true),
            (vec!["services/cart"], vec![], "/services/cart/src/main.rs", true),
            (vec!["/services/cart/"], vec![], "/services/cart", true),
            (vec!["services/cart"], vec![], "/services/cart2/main.rs", false),
            (vec!["services/*/src/**"], vec![], "/services/cart/src/a/b.rs", true),
            (vec!["services/*/src/**"], vec![], "/services/a/b/src/c.rs", false),
            (vec!["**/*.rs"], vec!["**/tests/**"], "/a/b.rs", true),
            (vec!["**/*.rs"], vec!["**/tests/**"], "/a/tests/b.rs", false),
            (vec![], vec!["docs"], "/docs/a.md", false),
            (vec!["/"], vec![], "/a", true),
        ] {
            assert_eq!(scope(&include, &exclude).counts(path), counts, "{include:?} {exclude:?} {path}");
        }
        assert!(is_glob("v[0-9]*") && !is_glob("[a") && !is_glob("a\nb"));
        assert!(matches("v*", "v1/2") && matches("[WIP]*", "w") && !matches("v*", "1"));
    }
}
