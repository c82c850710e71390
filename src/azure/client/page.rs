//! One page type over both of Azure's ways to page: a continuation token in a header, and `$skip`.

use std::fmt;

/// Where the next page begins. Opaque; good for the same call with the same arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(pub(super) String);

/// Longest token that is taken back from a caller, in bytes.
const TOKEN_BYTES_MAX: usize = 2_048;

impl PageToken {
    /// From what its `Display` gave; `None` when it is too long to be one.
    pub fn read(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= TOKEN_BYTES_MAX).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Most items of the page.
    pub items_max: u32,
    /// Where it begins; `None` is the first.
    pub from: Option<PageToken>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; `None` is the end.
    pub next: Option<PageToken>,
}
