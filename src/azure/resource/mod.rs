//! The resources of the notifications, as lenient as they come: every member is optional (see [`super::lenient`]).
//! The member names are Azure's. Source: the contract's §a.5 to §a.14.

pub mod build;
pub mod git;
pub mod pipeline;
pub mod pull_request;
pub mod release;
pub mod work_item;

use super::lenient::{Either, Object, Text};
use serde::Deserialize;

/// A project of Azure DevOps.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Project<'a> {
    /// Its GUID.
    pub id: Text<'a>,
    /// Its name, which can change.
    pub name: Text<'a>,
}

/// Something with an id and a name: a definition, a queue, a release.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Named<'a> {
    /// A number or a GUID.
    pub id: Text<'a>,
    /// Its name.
    pub name: Text<'a>,
    /// Its address.
    pub url: Text<'a>,
}

/// A link of `_links`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
pub struct Href<'a> {
    /// The address.
    pub href: Text<'a>,
}

/// The members of `_links` that we use.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct Links<'a> {
    /// The REST resource itself.
    #[serde(rename = "self")]
    pub itself: Object<Href<'a>>,
    /// The page for people.
    pub web: Object<Href<'a>>,
    /// The page for people, as work items call it.
    pub html: Object<Href<'a>>,
    /// The thread of a comment.
    pub threads: Object<Href<'a>>,
    /// The pull request of a comment.
    pub pull_requests: Object<Href<'a>>,
    /// The repository of a comment; with its project's GUID, where the others have none.
    pub repository: Object<Href<'a>>,
    /// The work item of an update.
    pub parent: Object<Href<'a>>,
}

/// The object form of an identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub struct IdentityRef<'a> {
    /// Its GUID.
    pub id: Text<'a>,
    /// What people call it.
    pub display_name: Text<'a>,
    /// The account, often a mail address; `Name <mail>` in work items of 3.1-preview.3.
    pub unique_name: Text<'a>,
    /// `Name <mail>`, which `revisedBy` of an update has at 1.0 in place of an account.
    pub name: Text<'a>,
    /// The descriptor: the kind of the identity, a dot, and the id.
    pub descriptor: Text<'a>,
}

/// A person or service: an object, `Name <mail>` or just a name, by resource version.
pub type Identity<'a> = Either<'a, IdentityRef<'a>>;

impl Identity<'_> {
    /// Its GUID.
    pub fn id(&self) -> Option<&str> {
        self.object.id.as_str()
    }

    /// What people call it.
    pub fn name(&self) -> Option<&str> {
        let forms = [&self.object.display_name, &self.object.name, &self.text];
        forms.into_iter().find_map(|form| form.as_str()).map(|text| split(text).map_or(text, |(name, _)| name))
    }

    /// The account. Work items of 3.1 have an object whose unique name is `Name <account>` once more.
    pub fn account(&self) -> Option<&str> {
        let unique = self.object.unique_name.as_str().map(|text| split(text).map_or(text, |(_, account)| account));
        let combined = || [&self.object.name, &self.text].into_iter().find_map(|form| split(form.as_str()?));
        unique.or_else(|| combined().map(|(_, account)| account)).map(bare_account)
    }

    /// Whether it is a service and no person: a build service or agent pool, or an application.
    ///
    /// Source: subject types of graph descriptors (Graph 7.1: `svc` is a service identity, and terraform's provider has
    /// `aadsp` for service principals). The account of a service identity is its domain and a GUID: recorded identities of
    /// build services have `Build\`, and a recorded graph user of an agent pool has the domain `AgentPool`.
    pub fn is_service(&self) -> bool {
        let begins = |text: Option<&str>, word: &str| {
            text.and_then(|text| text.get(..word.len())).is_some_and(|beginning| beginning.eq_ignore_ascii_case(word))
        };
        let descriptor = self.object.descriptor.as_str();
        let of_kind = ["svc.", "aadsp."];
        let account = ["Build\\", "AgentPool\\"];
        of_kind.iter().any(|kind| begins(descriptor, kind))
            || account.iter().any(|kind| begins(self.account(), kind) || begins(self.object.unique_name.as_str(), kind))
    }

    /// The account if it has one, else the name: one word for one person at every resource version.
    pub fn handle(&self) -> Option<&str> {
        self.account().or_else(|| self.name())
    }
}

/// An account without the domain that the service once put before those of Microsoft accounts: pushes have it still.
///
/// Source: the sample of `git.push` on the page "Service hooks events" (`Windows Live ID\\fabrikamfiber4@hotmail.com`), whose
/// samples of pull requests have the account alone.
pub fn bare_account(account: &str) -> &str {
    account.strip_prefix("Windows Live ID\\").unwrap_or(account)
}

/// Whether a text is a person or service as `Name <account>`: an account is a mail address, `domain\\name`, or an address.
pub fn is_combined(text: &str) -> bool {
    split(text).is_some_and(|(name, _)| !name.contains(['<', '>', '\n']))
}

/// `Name <account>` into its two parts.
fn split(text: &str) -> Option<(&str, &str)> {
    let (name, account) = text.strip_suffix('>')?.rsplit_once('<')?;
    let name = name.trim_end();
    (!name.is_empty() && account.contains(['@', '\\', ':'])).then_some((name, account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_one_person_in_every_form() {
        for json in [
            r#""Ada Byron <ada@example.com>""#,
            r#"{"displayName":"Ada Byron","uniqueName":"ada@example.com","id":"1","descriptor":"aad.x"}"#,
            r#"{"displayName":"Ada Byron","uniqueName":"Ada Byron <ada@example.com>"}"#,
            r#"{"displayName":"Ada Byron <ada@example.com>","uniqueName":"Ada Byron <ada@example.com>"}"#,
            r#"{"displayName":"Ada Byron <ada@example.com>","uniqueName":"ada@example.com"}"#,
            r#"{"displayName":"Ada Byron","name":"Ada Byron <ada@example.com>","id":"1"}"#,
            r#"{"name":"Ada Byron <ada@example.com>"}"#,
        ] {
            let identity: Identity<'_> = serde_json::from_str(json).unwrap();
            assert_eq!((identity.name(), identity.handle()), (Some("Ada Byron"), Some("ada@example.com")), "{json}");
        }
        for (json, handle) in [
            (r#""Ada Byron""#, Some("Ada Byron")),
            (r#""<x>""#, Some("<x>")),
            ("null", None),
            ("[1]", None),
            ("{}", None),
        ] {
            let identity: Identity<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(identity.handle(), handle, "{json}");
        }
    }
}
