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

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start<'a> {
    /// After what Azure's own token names.
    Continuation(&'a str),
    /// After this many items.
    Skip(u32),
    /// From this second on, without these numbers.
    Since(i64, &'a str),
}

impl PageToken {
    /// Of Azure's own token; `None` when it is too long to be given back.
    pub(super) fn continuation(token: &str) -> Option<Self> {
        Self::read(&format!("t:{token}"))
    }

    /// After this many items.
    pub(super) fn skip(items: u32) -> Self {
        Self(format!("s:{items}"))
    }

    /// From this second on, without these; `None` when they are too many to be given back.
    pub(super) fn since(second: i64, without: &[i64]) -> Option<Self> {
        let without: Vec<String> = without.iter().map(ToString::to_string).collect();
        Self::read(&format!("d:{second}:{}", without.join(",")))
    }

    /// What it says; `None` when we never made it.
    pub(super) fn start(&self) -> Option<Start<'_>> {
        match self.0.split_once(':')? {
            ("t", token) if !token.is_empty() => Some(Start::Continuation(token)),
            ("s", items) => items.parse().ok().map(Start::Skip),
            ("d", rest) => {
                let (second, without) = rest.split_once(':')?;
                Some(Start::Since(second.parse().ok()?, without))
            }
            _ => None,
        }
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

/// One page. It may hold fewer items than were asked for, even none, and yet have a next one: Azure filters after it has
/// cut its pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next one begins; `None` is the end.
    pub next: Option<PageToken>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_where_to_begin_or_is_none_of_ours() {
        let read = |text: &str| PageToken::read(text).map(|token| format!("{:?}", token.start()));
        assert_eq!(read("t:abc:def").unwrap(), r#"Some(Continuation("abc:def"))"#);
        assert_eq!(PageToken::skip(100).start(), Some(Start::Skip(100)));
        assert_eq!(PageToken::since(7, &[1, 2]).unwrap().start(), Some(Start::Since(7, "1,2")));
        for text in ["x", "t:", "s:-1", "s:x", "u:1", "d:7", "d:x:1"] {
            assert_eq!(read(text).unwrap(), "None", "{text}");
        }
        assert_eq!(PageToken::read(""), None);
        assert_eq!(PageToken::continuation(&"x".repeat(TOKEN_BYTES_MAX)), None);
    }
}
