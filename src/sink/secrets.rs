//! A sink's secrets, opened.

use std::{collections::BTreeMap, fmt};
use zeroize::Zeroizing;

/// By the names in [`crate::domain::secret`].
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, Zeroizing<String>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Secrets {
    /// One of them.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|secret| secret.as_str())
    }
}

impl FromIterator<(String, Zeroizing<String>)> for Secrets {
    fn from_iter<T: IntoIterator<Item = (String, Zeroizing<String>)>>(all: T) -> Self {
        Self(all.into_iter().collect())
    }
}
