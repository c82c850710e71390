//! An event as it is handed on, read by sinks that say it in another language.
//!
//! Read into a tree rather than into types: these sinks pick two dozen members out of events of many shapes, a few a
//! minute. Every reader answers nothing for what is absent, empty or of another type, so that an event which lacks
//! something is an event that says less, never an error here.

use crate::domain::without_version;
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;

/// What Hookwell itself knows of a deployment: revision, repository, commits, files, links.
const DEPLOYMENT: &str = "/data/customData/hookwell/deployment";
/// What Azure DevOps said.
const AZURE: &str = "/data/customData/azuredevops";

/// One event.
pub(super) struct Told(Value);

impl Told {
    /// From the bytes that are handed on; nothing when they are no object.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok().filter(Value::is_object).map(Self)
    }

    /// The type without its version: `dev.cdevents.service.deployed`.
    pub(super) fn kind(&self) -> &str {
        without_version(self.text("/type").unwrap_or_default())
    }

    fn at(&self, path: &str) -> Option<&Value> {
        self.0.pointer(path)
    }

    /// A text, unless empty.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        text(self.at(path)?)
    }

    /// Of the subject's content.
    pub(super) fn content(&self, path: &str) -> Option<&str> {
        self.text(&format!("/data/subject/content{path}"))
    }

    /// Of what Azure DevOps said.
    pub(super) fn azure(&self, path: &str) -> Option<&str> {
        self.text(&format!("{AZURE}{path}"))
    }

    /// A whole number of what Azure DevOps said.
    pub(super) fn azure_number(&self, path: &str) -> Option<i64> {
        self.at(&format!("{AZURE}{path}"))?.as_i64()
    }

    /// A truth value of what Azure DevOps said.
    pub(super) fn azure_flag(&self, path: &str) -> Option<bool> {
        self.at(&format!("{AZURE}{path}"))?.as_bool()
    }

    /// A moment of what Azure DevOps said.
    pub(super) fn azure_time(&self, path: &str) -> Option<Timestamp> {
        self.azure(path)?.parse().ok()
    }

    /// Of what we know of a deployment.
    pub(super) fn deployment(&self, path: &str) -> Option<&Value> {
        self.at(&format!("{DEPLOYMENT}{path}"))
    }

    /// A list of what we know of a deployment.
    pub(super) fn deployed(&self, path: &str) -> &[Value] {
        self.deployment(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// When it happened.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.text("/time")?.parse().ok()
    }

    /// To whom.
    pub(super) fn subject(&self) -> &str {
        self.text("/subject").unwrap_or_default()
    }

    /// Where it happened.
    pub(super) fn source(&self) -> &str {
        self.text("/source").unwrap_or_default()
    }

    /// The commit that was deployed or built: as we know it, as Azure says it, as a link or the artifact's address names it.
    pub(super) fn revision(&self) -> Option<Cow<'_, str>> {
        let known = self.deployment("/revision").and_then(text).or_else(|| self.azure("/sourceVersion"));
        let known = known.filter(|sha| is_sha(sha)).map(Cow::Borrowed);
        let linked = || self.linked_commit().map(Cow::Borrowed);
        known.or_else(linked).or_else(|| self.origin_of_artifact().map(|(_, sha)| Cow::Owned(sha)))
    }

    fn linked_commit(&self) -> Option<&str> {
        let links = self.at("/data/context/links")?.as_array()?;
        let commit = links.iter().find(|link| link["linkKind"] == "COMMIT")?;
        commit["target"]["domainId"].as_str()?.rsplit(':').next().filter(|sha| is_sha(sha))
    }

    /// Repository and commit of `pkg:generic/p/c@1?vcs_url=git%2Bhttps%3A%2F%2F…%40{sha}`.
    fn origin_of_artifact(&self) -> Option<(String, String)> {
        let (_, qualifiers) = self.content("/artifactId")?.split_once('?')?;
        let qualifiers = qualifiers.split_once('#').map_or(qualifiers, |(before, _)| before);
        let address = qualifiers.split('&').find_map(|pair| pair.strip_prefix("vcs_url="))?;
        let address = percent_encoding::percent_decode_str(address).decode_utf8().ok()?;
        let (repository, sha) = address.strip_prefix("git+")?.rsplit_once('@').filter(|(_, sha)| is_sha(sha))?;
        Some((repository.to_owned(), sha.to_owned()))
    }

    /// The branch it came from, without `refs/heads/`.
    pub(super) fn branch(&self) -> Option<&str> {
        self.deployment("/branch").and_then(text).or_else(|| self.azure("/sourceBranch")).map(short)
    }

    /// Where the repository is; an Azure repository of which only the id is known has an address by ids.
    pub(super) fn repository(&self) -> Option<Cow<'_, str>> {
        let known = self.deployment("/repository/url").and_then(text);
        let known = known.or_else(|| self.azure("/repository/url")).or_else(|| self.azure("/repository/remoteUrl"));
        let known = known.map(Cow::Borrowed);
        let is_own = |id: &&str| uuid::Uuid::try_parse(id).is_ok();
        let id = || self.azure("/repositoryId").or_else(|| self.azure("/repository/id")).filter(is_own);
        let by_id = || id().map(|id| Cow::Owned(format!("{}/_git/{id}", self.source())));
        known.or_else(|| self.origin_of_artifact().map(|(repository, _)| Cow::Owned(repository))).or_else(by_id)
    }
}

/// A text, unless empty.
pub(super) fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// A name without what git puts in front of it.
pub(super) fn short(reference: &str) -> &str {
    reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/")).unwrap_or(reference)
}

/// To the second and with an offset in figures: the form that every reader of ISO 8601 takes, which seven digits of a
/// second are not.
pub(super) fn iso(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

/// The name of a commit, in SHA-1 or SHA-256.
fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SHA: &str = "e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98";

    fn told(value: Value) -> Told {
        Told::read(value.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_type_is_known_without_its_version() {
        assert_eq!(
            told(json!({"type": "dev.cdevents.service.deployed.0.3.0"})).kind(),
            "dev.cdevents.service.deployed"
        );
        assert_eq!(told(json!({"type": "odd"})).kind(), "odd");
        assert_eq!(told(json!({})).kind(), "");
        assert!(Told::read(b"[]").is_none());
    }

    #[test]
    fn a_commit_is_found_wherever_it_is_told() {
        let domain = format!("cdevents:v0:azure-devops:dev.azure.com:o:p/r:commit:{SHA}");
        let artifact =
            format!("pkg:generic/p/c@1?vcs_url=git%2Bhttps%3A%2F%2Fdev.azure.com%2Fo%2Fp%2F_git%2Fr%40{SHA}");
        for data in [
            json!({"customData": {"hookwell": {"deployment": {"revision": SHA}}}}),
            json!({"customData": {"azuredevops": {"sourceVersion": SHA}}}),
            json!({"context": {"links": [{"linkKind": "RUN", "target": {"domainId": "x"}},
                {"linkKind": "COMMIT", "target": {"domainId": domain}}]}}),
            json!({"subject": {"content": {"artifactId": artifact}}}),
        ] {
            assert_eq!(told(json!({"data": data})).revision().as_deref(), Some(SHA), "{data}");
        }
        for data in [
            json!({"customData": {"azuredevops": {"sourceVersion": "C4711"}}}),
            json!({"subject": {"content": {"artifactId": "pkg:oci/app@sha256%3Aabc"}}}),
        ] {
            assert_eq!(told(json!({"data": data})).revision(), None, "{data}");
        }
    }

    #[test]
    fn a_moment_has_no_parts_of_a_second() {
        assert_eq!(iso("2025-03-14T09:26:48.5209041Z".parse().unwrap()), "2025-03-14T09:26:48+00:00");
    }
}
