//! What others say about our requests, without what must not be said again.

use std::fmt;
use zeroize::Zeroizing;

/// Longest message that is kept of what a server said, in characters.
const SAID_CHARS_MAX: usize = 300;
/// A run of this many characters without a break is taken for a credential: longer than a commit's id, shorter than a
/// personal access token.
const RUN_CHARS_MIN: usize = 44;
/// Shorter secrets are not looked for: they would be found in ordinary words.
const SECRET_BYTES_MIN: usize = 4;

/// Stands where a secret was.
const HIDDEN: &str = "[hidden]";

/// The secrets of one exchange, to be found in what comes back: proxies and Azure's own errors do repeat requests.
#[derive(Clone, Default)]
pub(crate) struct Redaction(Vec<Zeroizing<String>>);

impl Redaction {
    /// Also hides this one.
    pub(crate) fn add(&mut self, secret: &str) {
        if secret.len() >= SECRET_BYTES_MIN {
            self.0.push(Zeroizing::new(secret.to_owned()));
            // Of two secrets of which one holds the other, the longer goes first.
            self.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// One line of at most 300 characters, without secrets; `None` when nothing is left.
    pub(crate) fn said(&self, text: &str) -> Option<String> {
        let mut text = Zeroizing::new(text.to_owned());
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = Zeroizing::new(text.replace(secret.as_str(), HIDDEN));
            }
        }
        let mut line = String::new();
        for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
            if !line.is_empty() {
                line.push(' ');
            }
            hide_runs(word, &mut line);
            if line.len() > SAID_CHARS_MAX * 4 {
                break;
            }
        }
        if let Some((end, _)) = line.char_indices().nth(SAID_CHARS_MAX) {
            line.truncate(end);
            line.push('…');
        }
        (!line.is_empty()).then_some(line)
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redaction({})", self.0.len())
    }
}

/// Appends a word without its long runs: tokens of anybody, which we cannot know to look for.
fn hide_runs(word: &str, line: &mut String) {
    let of_run = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_');
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| of_run(c) != of_run(first);
        let (run, after) = rest.split_at(rest.find(same).unwrap_or(rest.len()));
        line.push_str(if of_run(first) && run.len() >= RUN_CHARS_MIN { HIDDEN } else { run });
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_secrets_are_hidden_the_longer_first() {
        let mut redaction = Redaction::default();
        redaction.add("pat-secret");
        redaction.add("pat-secret-and-more");
        let said = redaction.said("you sent pat-secret-and-more,\r\n then pat-secret.").unwrap();
        assert_eq!(said, "you sent [hidden], then [hidden].");
        assert!(!format!("{redaction:?}").contains("pat"));
    }

    #[test]
    fn what_looks_like_a_token_is_hidden_and_what_names_a_thing_is_not() {
        let redaction = Redaction::default();
        let token = "a".repeat(52);
        assert_eq!(redaction.said(&format!("Bearer {token}!")).unwrap(), "Bearer [hidden]!");
        for kept in [
            "PublisherSecurity/6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c",
            "commit be67f8871a4d2c75f13a51c1d3c30ac0d74d4ef4",
            "Microsoft.TeamFoundation.Core.WebApi.ProjectDoesNotExistWithNameException",
        ] {
            assert_eq!(redaction.said(kept).unwrap(), kept);
        }
    }

    #[test]
    fn a_message_is_one_bounded_line() {
        let redaction = Redaction::default();
        assert_eq!(redaction.said(" \u{0}\r\n "), None);
        let said = redaction.said(&"long words ".repeat(1_000)).unwrap();
        assert!(said.chars().count() <= 301 && said.ends_with('…'), "{said}");
        assert!(redaction.said(&"é".repeat(1_000)).unwrap().chars().count() <= 301);
    }
}
