//! Which types of event somebody wants.

use serde::{Deserialize, Serialize};

/// A type, with or without its version, or the beginning of one followed by `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TypePattern(String);

impl TypePattern {
    /// From a type, with or without its version, or the beginning of one followed by `*`.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means this type.
    pub fn matches(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => kind.starts_with(prefix),
            None => kind == self.0 || without_version(kind) == self.0,
        }
    }
}

/// `dev.cdevents.change.merged.0.3.0` without its version; a type that has none as it is.
pub fn without_version(kind: &str) -> &str {
    let mut parts = kind.rsplitn(4, '.');
    let is_version = parts.by_ref().take(3).all(|part| part.starts_with(|first: char| first.is_ascii_digit()));
    match parts.next() {
        Some(rest) if is_version => rest,
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_matches_with_and_without_its_version_and_by_its_beginning() {
        for (pattern, kind, matches) in [
            ("dev.cdevents.change.merged.0.3.0", "dev.cdevents.change.merged.0.3.0", true),
            ("dev.cdevents.change.merged", "dev.cdevents.change.merged.0.3.0", true),
            ("dev.cdevents.change.merged", "dev.cdevents.change.merged.0.3.0-draft", true),
            ("dev.cdevents.change.merged.0", "dev.cdevents.change.merged.0.3.0", false),
            ("dev.cdevents.change", "dev.cdevents.change.merged.0.3.0", false),
            ("dev.cdevents.change.*", "dev.cdevents.change.merged.0.3.0", true),
            ("dev.cdevents.*", "dev.cdeventsx.azuredevops-tag.created.0.1.0", false),
            ("*", "anything", true),
            ("anything", "anything", true),
        ] {
            assert_eq!(TypePattern::new(pattern).matches(kind), matches, "{pattern} {kind}");
        }
    }
}
