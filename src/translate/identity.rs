//! Ids and subjects: by which marks one fact is one event, and one thing one subject.
//!
//! The id of a fact is made of its type, its source, its subject and what tells it from others of that type and subject.
//! That last part is here, but for work items ([`super::work_item`]); the same for hook, history and record, at every
//! resource version, whatever is told first. `…` is the subject before it.
//!
//! *Occasion* is Azure's id of the event: hook and history have the same one, every subscription's delivery too, a record
//! has none.
//!
//! Runs and what belongs to them:
//!
//! | fact | subject | told from others by | because |
//! |---|---|---|---|
//! | a run begins | `build/builds/{n}` | nothing; `again:{k}` of a rerun, `k` the further attempts of its stages together | `run.id` is the build's number (Pipelines 7.2); the run has no attempt, its stages have (captured run events of 2025) |
//! | it is being stopped | … | the same | what is run again can be stopped again (`run.state` `canceling`, Pipelines 7.2) |
//! | it ended; so did its build | … | the second that it ended in | `finishedDate` is `finishTime` (captured 2019 and 2025); a run that was run again ends again, never within a second |
//! | a stage begins, waits, ended, was left out | `…/stages/{name}` | attempt and step | the id is a hash of the name and, from the second attempt on, of `name.attempt` (actions/runner); the name is the record's `identifier` ("consistent across attempts", Build 7.2) |
//! | a job does | `…/jobs/{id}` | attempt and step | a hook's job has only the name for people (captured 2025), which two jobs can share |
//! | a release is made, is given up | `release/releases/{n}` | nothing | an abandoned release stays so (Release 7.2) |
//! | an environment is deployed to, was | `…/environments/{n}` | attempt, of `deployment`, `attemptId`, steps | a started deployment is told without `deployment` (azure-devops-node-api, `DeploymentStartedEvent`) |
//! | an approval is asked for, given | `pipelines/approvals/{guid}`, `release/approvals/{n}` | status; of releases the attempt too | one approval can be reassigned and then approved (Release 7.2) |
//! | a check changed | `pipelines/checks/configurations/{n}` | the occasion | nothing in it says which change |
//!
//! Code:
//!
//! | event | what tells two apart | because (source) |
//! |---|---|---|
//! | a ref created, updated, deleted | push number, old and new object; the occasion where no number is told | a push is counted in its repository and listed under the same number (Git 7.1, Pushes - List); a ref can be unmade and made again at the same object |
//! | `change.merged` of a push | the same, in the commit's subject | one head can reach two branches |
//! | `change.created`, `change.merged` of a pull request | nothing: it happens once | a completed one cannot be reactivated (Git 7.1, Pull Requests - Update) |
//! | `change.abandoned` | the second of its closing; the occasion without one | it can be reactivated and abandoned again, and has no number for that |
//! | `change.updated`, `change.reviewed`, but for pushes | the occasion, whatever was changed | one act is told by filtered and unfiltered subscriptions under one id, and only the filter says what it was (service hooks events, `notificationType`): see [`super::request`] |
//! | `change.updated` of a push | the head and the how manieth time it came: another occasion, or another iteration of the record, is another time | hook and record have nothing but the head in common, and it comes back when a branch is set back (Git 7.1, Pull Request Iterations) |
//! | `mergeattempt.finished` | both commits, the status, the try's own `mergeId`, else its commit | every push to either branch is a try, with an id of its own (Git 7.1, `GitPullRequest.mergeId`) |
//! | `change.commented` | thread, comment, its last change, whether it was deleted | comments are counted in their thread (Git 7.1, Pull Request Threads) |
//! | `repository.created` | nothing | a fork is created too, and two event types tell it |
//! | `repository.modified` | what was done, to which name or state, the whole `utcTimestamp` | scripts rename and disable within one second; hook and history tell the same body |
//! | `repository.deleted` | the whole `utcTimestamp`, whether for good | out of the bin it can be deleted again |
//! | `change.merged` of a changeset | nothing | changesets are never made again |
//!
//! Of all families:
//!
//! | event | what tells two apart | because (source) |
//! |---|---|---|
//! | `incident.reported`, `incident.resolved` | project, environment, and what tells the work item's own event apart | each is told beside that event, once for each rule that looks there |
//! | `event.received` | the occasion, whatever it is about | nothing is known of what it means |
//!
//! An event without the part that would tell it from others is told from them by Azure's id of the occasion, which is the
//! same over retries. Beside that: the source is the project's, whatever the body lacks (`azure::whose`), and what two
//! tellings know of one fact is put together (`union`).

use crate::{azure::guid::guid, domain::without_version};
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
    parts.push_str(without_version(kind));
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

/// `cdevents:v0:azure-devops:{host}:{organization or collection}:{project[/repository]}:{kind}:{id}`, every part
/// percent-encoded: a name for a thing of which no event need be known.
///
/// Unknown groups are left out: an empty one would be one of that name, and the grammar has none. A GUID and a
/// commit are named in lower case, however somebody wrote them: one thing has one name.
///
/// Source: the grammar of domain ids in the draft of `CDEvents` 0.6 (cdevents/spec at 8917b18: links.md,
/// `schemas/links/domainid.json`, and the vectors of `conformance/formats/domainid.json`); 0.5.1 allows any member in a
/// link's target.
pub(super) fn domain(collection: &str, groups: &[&str], kind: &str, id: &str) -> String {
    let place = collection.split_once("://").map_or(collection, |(_, place)| place);
    let (host, namespace) = place.split_once('/').unwrap_or((place, ""));
    let mut out = String::with_capacity(place.len() + kind.len() + id.len() + 104);
    out.push_str("cdevents:v0:azure-devops:");
    push(&mut out, host);
    out.push(':');
    push(&mut out, namespace);
    out.push(':');
    // A project that is not known leaves no empty group behind: the draft's pattern has none.
    for (at, group) in groups.iter().filter(|group| !group.is_empty()).enumerate() {
        if at > 0 {
            out.push('/');
        }
        match guid(Some(group)) {
            Some(guid) => push(&mut out, guid.hyphenated().encode_lower(&mut Uuid::encode_buffer())),
            None => push(&mut out, group),
        }
    }
    thing(&mut out, kind, id);
    out
}

/// The name of a thing at GitHub: `cdevents:v0:github:{host}:{owner}:{name}:{kind}:{id}`, with no host for github.com.
///
/// Source: the registry of providers and the vectors of the same draft.
pub(super) fn github(host: &str, owner: &str, name: &str, kind: &str, id: &str) -> String {
    let mut out = String::from("cdevents:v0:github:");
    for (at, part) in [host, owner, name].into_iter().enumerate() {
        if at > 0 {
            out.push(':');
        }
        push(&mut out, part);
    }
    thing(&mut out, kind, id);
    out
}

/// The last two parts.
fn thing(out: &mut String, kind: &str, id: &str) {
    out.push(':');
    out.push_str(kind);
    out.push(':');
    if kind == "commit" { push(out, &id.to_ascii_lowercase()) } else { push(out, id) }
}

/// One segment of an address or of a domain id.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
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
        assert_eq!(domain("https://dev.azure.com/o", &[], "pr", "7"), "cdevents:v0:azure-devops:dev.azure.com:o::pr:7");
        assert_eq!(
            domain("https://dev.azure.com/o", &["", "r"], "commit", "a"),
            "cdevents:v0:azure-devops:dev.azure.com:o:r:commit:a"
        );
        assert_eq!(github("", "fabrikam", "lib", "pr", "7"), "cdevents:v0:github::fabrikam:lib:pr:7");
        assert_eq!(github("git.example:8443", "a", "b", "pr", "7"), "cdevents:v0:github:git.example%3A8443:a:b:pr:7");
        for (groups, named) in
            [(&[][..], ""), (&["", ""], ""), (&["", "r"], "r"), (&["p", ""], "p"), (&["p", "r"], "p/r")]
        {
            let id = format!("cdevents:v0:azure-devops:dev.azure.com:o:{named}:pr:7");
            assert_eq!(domain("https://dev.azure.com/o", groups, "pr", "7"), id);
        }
    }
}
