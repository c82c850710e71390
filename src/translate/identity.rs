//! What makes one fact one event, and one thing one subject: see "Identity" in the contract.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write as _;
use uuid::Uuid;

/// The namespace of all ids that Hookwell makes. Never to be changed: every id of every event depends on it.
const NAMESPACE: Uuid = Uuid::from_u128(0x7c5d_a3f2_94e1_4b0e_9f3a_6d18_c2e7_50b4);

/// Stands in none of the parts, so that two different lists of parts cannot join to one text.
const SEPARATOR: char = '\u{1f}';

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The id of an event: of the fact, not of its delivery. The type's version is left out, so that a new version of the
/// vocabulary keeps the ids.
pub(super) fn fact(kind: &str, source: &str, subject: &str, discriminator: &str) -> Uuid {
    let mut parts = String::with_capacity(kind.len() + source.len() + subject.len() + discriminator.len() + 3);
    parts.push_str(unversioned(kind));
    for part in [source, subject, discriminator] {
        parts.push(SEPARATOR);
        parts.push_str(part);
    }
    Uuid::new_v5(&NAMESPACE, parts.as_bytes())
}

/// The id of a chain: everything that follows from one change.
pub(super) fn chain(source: &str, change: &str) -> Uuid {
    fact("chain", source, change, "")
}

/// The id of a later telling of a fact, from 1: whoever knows the fact's id finds them all, one after the other.
pub(super) fn revision(fact: Uuid, number: u32) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("revision{SEPARATOR}{fact}{SEPARATOR}{number}").as_bytes())
}

fn unversioned(kind: &str) -> &str {
    kind.rsplitn(4, '.').nth(3).unwrap_or(kind)
}

/// `cdevents:v0:azure-devops:{host}:{organization or collection}:{project[/repository]}:{kind}:{id}`, every part
/// percent-encoded: a name for a thing of which no event need be known.
///
/// Source: the grammar of domain ids in the draft of `CDEvents` 0.6; 0.5.1 allows any member in a link's target.
pub(super) fn domain(collection: &str, groups: &[&str], kind: &str, id: &str) -> String {
    let place = collection.split_once("://").map_or(collection, |(_, place)| place);
    let (host, namespace) = place.split_once('/').unwrap_or((place, ""));
    let mut out = String::with_capacity(place.len() + kind.len() + id.len() + 104);
    out.push_str("cdevents:v0:azure-devops:");
    push(&mut out, host);
    out.push(':');
    push(&mut out, namespace);
    out.push(':');
    // What is not known is no part of the name: the grammar has no empty group before another.
    for (at, group) in groups.iter().filter(|group| !group.is_empty()).enumerate() {
        if at > 0 {
            out.push('/');
        }
        push(&mut out, group);
    }
    out.push(':');
    out.push_str(kind);
    out.push(':');
    push(&mut out, id);
    out
}

fn push(out: &mut String, part: &str) {
    write!(out, "{}", utf8_percent_encode(part, SEGMENT)).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_does_not_depend_on_the_versions_of_types() {
        let id = |kind| fact(kind, "https://dev.azure.com/org/p", "git/repositories/r", "");
        assert_eq!(id("dev.cdevents.repository.created.0.3.0"), id("dev.cdevents.repository.created.0.4.0"));
        assert_ne!(id("dev.cdevents.repository.created.0.3.0"), id("dev.cdevents.repository.deleted.0.3.0"));
        assert_ne!(fact("k.0.1.0", "a", "b", ""), fact("k.0.1.0", "a", "", "b"));
    }

    #[test]
    fn ids_are_what_they_were_in_every_release() {
        // Computed once; if this fails, every consumer sees every event a second time.
        let id = fact("dev.cdevents.change.merged.0.3.0", "https://dev.azure.com/fabrikam/p", "git/pr/1", "");
        assert_eq!(id.to_string(), "3cd314f0-33db-59a9-8c48-6a5cb8febfb3");
    }

    #[test]
    fn a_domain_id_escapes_what_would_split_it() {
        assert_eq!(
            domain("https://host:8080/tfs/My%20Coll", &["p", "r"], "commit", "a/b"),
            "cdevents:v0:azure-devops:host%3A8080:tfs%2FMy%2520Coll:p/r:commit:a%2Fb"
        );
        for (groups, named) in
            [(&[][..], ""), (&["", ""], ""), (&["", "r"], "r"), (&["p", ""], "p"), (&["p", "r"], "p/r")]
        {
            let id = format!("cdevents:v0:azure-devops:dev.azure.com:o:{named}:pr:7");
            assert_eq!(domain("https://dev.azure.com/o", groups, "pr", "7"), id);
        }
    }
}
