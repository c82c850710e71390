//! What events can have in common: a commit, a pull request, a work item, a run, a release. Pure.
//!
//! A thing goes by its domain id without the project and repository in it: numbers of pull requests, work items and runs
//! are unique in a collection, and a commit is the same commit in a fork. So what tells less of a thing still names it.
//! Refs and repositories are no things here: through them everything would be related to everything.

use super::told::Told;
use crate::translate::domain_id;
use uuid::Uuid;

/// Most things of one event that are looked at.
pub const THINGS_MAX: usize = 64;
/// Only for the index's keys, which nobody sees.
const NAMESPACE: Uuid = Uuid::from_u128(0x1d0e_65b1_8c3f_4a53_a6a4_0b3c_95d7_2f41);

/// The key of a thing in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u64);

/// A thing by its domain id, without groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing(String);

impl Thing {
    /// What a link names, if it is one of these.
    pub fn linked(domain_id: &str) -> Option<Self> {
        let parts: Vec<&str> = domain_id.split(':').collect();
        let ["cdevents", "v0", provider, host, namespace, _groups, kind, id] = parts[..] else { return None };
        let (kind, id) = match (kind, id.strip_prefix("release%2F")) {
            ("commit", _) => (kind, id.to_ascii_lowercase()),
            // A release is a run too, but counted apart.
            ("execution", Some(number)) => ("release", number.to_owned()),
            ("pr" | "issue" | "execution", _) => (kind, id.to_owned()),
            _ => return None,
        };
        Some(Self(format!("cdevents:v0:{provider}:{host}:{namespace}::{kind}:{id}")))
    }

    /// A commit of a collection.
    pub fn commit(collection: &str, sha: &str) -> Self {
        Self(domain_id(collection, &[], "commit", &sha.to_ascii_lowercase()))
    }

    /// A work item of a collection.
    pub fn work_item(collection: &str, number: i64) -> Self {
        Self(domain_id(collection, &[], "issue", &number.to_string()))
    }

    /// What a subject is, or is a part of.
    pub fn of_subject(source: &str, subject: &str) -> Option<Self> {
        let parts: Vec<&str> = subject.split('/').collect();
        let (kind, id) = match parts[..] {
            ["build", "builds", id, ..] => ("execution", id),
            ["wit", "workItems", id, ..] => ("issue", id),
            ["git", "repositories", _, "pullRequests", id, ..] => ("pr", id),
            ["release", "releases", id, ..] => ("release", id),
            _ => return None,
        };
        Some(Self(domain_id(collection(source), &[], kind, id)))
    }

    /// Its domain id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a run.
    pub fn is_run(&self) -> bool {
        self.0.contains("::execution:")
    }

    /// The number or hash that ends it.
    pub fn id(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }

    /// Its key.
    pub fn key(&self) -> Key {
        Key(Uuid::new_v5(&NAMESPACE, self.0.as_bytes()).as_u64_pair().0)
    }
}

/// The organization or collection of an event's source.
fn collection(source: &str) -> &str {
    match source.rsplit_once('/') {
        Some((collection, project)) if Uuid::try_parse(project).is_ok() => collection,
        _ => source,
    }
}

/// The name of a commit, in SHA-1 or SHA-256: what was built of another version control has names of its own.
fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The things of an event, each once: what it is about first, then what it links to, then the commits that it brought.
pub fn things(told: &Told<'_>) -> Vec<Thing> {
    let own = Thing::of_subject(&told.source, &told.subject);
    let linked = told.data.context.links.iter().filter_map(|link| Thing::linked(link.target.domain_id.as_str()?));
    let (azure, content) = (&told.data.custom_data.azuredevops, &told.data.subject.content);
    let ids = azure.commits.iter().chain(content.commits.iter()).filter_map(|commit| commit.commit_id.as_str());
    let brought = ids.map(|id| Thing::commit(collection(&told.source), id));
    let mut found: Vec<Thing> = Vec::new();
    // The commits that a run built and tried, also where nobody can say of which repository they are.
    let azure = &told.data.custom_data.azuredevops;
    let built = [&azure.source_version, &azure.pull_request.head].into_iter().filter_map(|own| own.as_str());
    let built = built.filter(|sha| is_sha(sha)).map(|sha| Thing::commit(collection(&told.source), sha));
    for thing in own.into_iter().chain(linked).chain(built).chain(brought) {
        if found.len() < THINGS_MAX && !found.contains(&thing) {
            found.push(thing);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "https://dev.azure.com/fabrikam/0f3d2c1b-7a6e-4d5c-8b4a-392817060504";

    #[test]
    fn a_thing_is_one_whatever_is_told_of_where_it_is() {
        let at = "cdevents:v0:azure-devops:dev.azure.com:fabrikam";
        let commit = Thing::linked(&format!("{at}:p/r:commit:ABC1")).unwrap();
        assert_eq!(Thing::linked(&format!("{at}:p:commit:abc1")), Some(commit.clone()));
        assert_eq!(Thing::commit("https://dev.azure.com/fabrikam", "aBc1"), commit);
        assert_ne!(Thing::commit("https://dev.azure.com/contoso", "abc1"), commit);
        for (subject, kind, id) in [
            ("build/builds/4711", "execution", "4711"),
            ("build/builds/4711/stages/5/jobs/6", "execution", "4711"),
            ("git/repositories/r/pullRequests/77/threads/1", "pr", "77"),
            ("wit/workItems/42", "issue", "42"),
        ] {
            let own = Thing::of_subject(SOURCE, subject).unwrap();
            assert_eq!(Some(&own), Thing::linked(&format!("{at}:p/r:{kind}:{id}")).as_ref(), "{subject}");
            assert_eq!((own.id(), own.is_run()), (id, kind == "execution"));
        }
        let release = Thing::of_subject(SOURCE, "release/releases/31/environments/4");
        assert_eq!(Thing::linked(&format!("{at}:p:execution:release%2F31")), release);
        assert_eq!(Thing::of_subject("https://dev.azure.com/fabrikam", "wit/workItems/42"), {
            Some(Thing::work_item("https://dev.azure.com/fabrikam", 42))
        });
    }

    #[test]
    fn an_event_has_what_it_is_about_what_it_links_to_and_what_it_brought_each_once() {
        let link = |id: &str| serde_json::json!({ "target": { "domainId": format!("cdevents:v0:azure-devops:dev.azure.com:fabrikam:p/r:{id}") } });
        let commits: Vec<_> = (1..100).map(|n| serde_json::json!({ "commitId": format!("{n:040}") })).collect();
        let event = serde_json::json!({
            "source": SOURCE, "subject": "git/repositories/r/refs/heads/main", "data": {
                "context": { "links": [link(&format!("commit:{:040}", 2)), { "linkType": "END" }, link("issue:7")] },
                "subject": { "content": { "commits": commits } },
            },
        });
        let text = event.to_string();
        let found = things(&Told::read(text.as_bytes()));
        let names: Vec<String> = found.iter().map(|thing| thing.id().trim_start_matches('0').to_owned()).collect();
        assert_eq!(names[..4], ["2", "7", "1", "3"].map(str::to_owned));
        assert_eq!(found.len(), THINGS_MAX);
        let ticket = format!(
            r#"{{"source":"{SOURCE}","subject":"wit/workItems/7","data":{{"customData":{{"azuredevops":7}}}}}}"#
        );
        assert_eq!(things(&Told::read(ticket.as_bytes())), [found[1].clone()]);
    }

    #[test]
    fn what_everything_has_in_common_relates_nothing() {
        for subject in ["git/repositories/r", "git/repositories/r/refs/heads/main", "hooks/events/x", ""] {
            assert_eq!(Thing::of_subject(SOURCE, subject), None, "{subject}");
        }
        for link in
            ["", "cdevents:v0:azure-devops:h:n:p:definition.repository:r", "cdevents:v0:commit:1", "a:b:c:d:e:f:pr:1"]
        {
            assert_eq!(Thing::linked(link), None, "{link}");
        }
    }
}
